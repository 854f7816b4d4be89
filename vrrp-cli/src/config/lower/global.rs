//! `global_defs`.

use lettre::message::Mailbox;

use super::{Context, Diagnostic, Lowerer, Setting};
use crate::config::diagnostic::Code;
use crate::config::keywords::shape::WORD_MAX;
use crate::config::keywords::{GlobalSetting, Meaning};
use crate::config::model::Global;
use crate::config::tree::Word;

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

    /// `NAME@HOST`, the same in angle brackets behind a name, or a name alone, which is a user of this host.
    pub(super) fn mail_address(&mut self, word: &Word<'s>) -> Option<String> {
        let text = word.text.as_ref();
        if text.parse::<Mailbox>().is_ok() || format!("{text}@localhost").parse::<Mailbox>().is_ok() {
            return Some(text.to_owned());
        }
        let message = format!("`{text}` is not a mail address");
        let help = "write it like `ops@example.org`";
        self.report(Diagnostic::new(Code::NotAMailAddress, word.span, message).help(help));
        None
    }

    /// What makes sense only together, wherever it stands.
    pub(super) fn settle_mail(&mut self, global: &Global) {
        let mail = &global.settings;
        let secret = mail.smtp_password.is_some() || mail.smtp_password_file.is_some();
        let faults = [
            (
                mail.smtp_user.is_some() && !secret,
                "`smtp_user` lacks its password",
                "add `smtp_password_file PATH`, a file that only its owner may read",
            ),
            (
                mail.smtp_user.is_none() && secret,
                "there is a password for the mail server, but no `smtp_user`",
                "add `smtp_user NAME`",
            ),
            (
                mail.smtp_password.is_some() && mail.smtp_password_file.is_some(),
                "there are both `smtp_password` and `smtp_password_file`",
                "remove one of them",
            ),
            (
                mail.smtp_ca_file.is_some() && !matches!(mail.smtp_tls.as_deref(), Some("starttls" | "tls")),
                "`smtp_ca_file` has no use without encryption",
                "add `smtp_tls starttls` or `smtp_tls tls`",
            ),
        ];
        for (_, message, help) in faults.into_iter().filter(|(fault, ..)| *fault) {
            self.report(Diagnostic::without_place(Code::MailLogin, message).help(help));
        }
    }
}
