//! `global_defs`.

use super::{Context, Diagnostic, Lowerer, Setting};
use crate::config::diagnostic::Code;
use crate::config::keywords::shape::WORD_MAX;
use crate::config::keywords::{GlobalSetting, Meaning};
use crate::config::model::Global;

impl<'t, 's> Lowerer<'t, 's, '_> {
    /// Adds to `global` what the block sets.
    pub(super) fn global_defs(&mut self, setting: &Setting<'t, 's>, global: &mut Global) {
        let Some(block) = setting.block else { return };
        self.read(&block.statements, Context::Global, &mut |lowerer, setting| {
            let Meaning::Global(meaning) = setting.keyword.meaning else {
                if let Some(value) = lowerer.setting(&setting) {
                    global.settings.put(setting.keyword.renamed.unwrap_or(setting.keyword.name), value);
                }
                return;
            };
            let Some(word) = setting.value() else { return };
            match meaning {
                GlobalSetting::RouterId => {
                    global.router_id = lowerer.bounded(setting.keyword, word, WORD_MAX).or(global.router_id.take());
                }
                GlobalSetting::VrrpVersion => global.version = lowerer.version(word).unwrap_or(global.version),
                GlobalSetting::ScriptUser => {
                    let words = setting.values.unwrap_or_default();
                    global.script_user = lowerer.owner(setting.keyword, words).or(global.script_user.take());
                }
                GlobalSetting::McastGroup6 => {
                    let Some(group) = lowerer.ipv6(word, "a multicast group") else { return };
                    if group.is_multicast() {
                        global.mcast_group6 = group;
                    } else {
                        let message = format!("{group} is not a multicast address");
                        let help = "multicast addresses begin with ff; the usual one is ff02::12";
                        lowerer.report(Diagnostic::new(Code::NotMulticast, word.span, message).help(help));
                    }
                }
                GlobalSetting::McastGroup4 => {
                    let Some(group) = lowerer.ipv4(word, "a multicast group") else { return };
                    if group.is_multicast() {
                        global.mcast_group4 = group;
                    } else {
                        let message = format!("{group} is not a multicast address");
                        let help = "multicast addresses are 224.0.0.0 to 239.255.255.255; the usual one is 224.0.0.18";
                        lowerer.report(Diagnostic::new(Code::NotMulticast, word.span, message).help(help));
                    }
                }
            }
        });
    }
}
