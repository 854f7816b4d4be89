//! Blocks of trackers and groups, and the names that lead from one block to another.

use std::collections::{HashMap, HashSet};

use super::instance::Claims;
use super::{Context, Diagnostic, Lowerer, Setting, keywords};
use crate::config::diagnostic::Code;
use crate::config::keywords::{Meaning, RootBlock};
use crate::config::model::{
    BfdSettings, Config, FileSettings, GarpGroupSettings, Named, ProcessTrackSettings, ScriptSettings, Span, Spanned,
    SyncGroupSettings, Track, TrackGroupSettings, Value,
};

const LONGEST_BFD_NAME: usize = 31;

/// The names that blocks define. A block with a fault defines its name all the same.
#[derive(Default)]
pub(super) struct Names {
    defined: HashMap<&'static str, HashMap<String, Span>>,
}

impl Names {
    /// Defines `name`; the place of an earlier definition, if there is one.
    fn define(&mut self, kind: &'static str, name: &str, span: Span) -> Option<Span> {
        let names = self.defined.entry(kind).or_default();
        let first = names.get(name).copied();
        names.entry(name.to_owned()).or_insert(span);
        first
    }

    fn of(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.defined.get(kind).into_iter().flatten().map(|(name, _)| name.as_str())
    }

    fn has(&self, kind: &str, name: &str) -> bool {
        self.defined.get(kind).is_some_and(|names| names.contains_key(name))
    }
}

macro_rules! named_block {
    ($lowerer:ident, $setting:ident, $list:expr, $context:ident: $settings:ty, $($required:literal)?) => {{
        let mut entry = Named { name: block_name($setting), settings: <$settings>::default() };
        let _given = $lowerer.read_settings($setting, Context::$context, &mut |name, value| {
            entry.settings.put(name, value);
        });
        $(if $setting.block.is_some() && !_given.contains($required) {
            $lowerer.require_setting($setting, $required);
        })?
        $list.push(entry);
    }};
}

impl<'t, 's> Lowerer<'t, 's, '_> {
    /// A block at the top level that is neither `global_defs` nor an instance.
    pub(super) fn root_block(&mut self, setting: &Setting<'t, 's>, config: &mut Config, names: &mut Names) {
        let Meaning::Root(block) = setting.keyword.meaning else { return };
        if matches!(block, RootBlock::GlobalDefs | RootBlock::VrrpInstance) {
            return;
        }
        self.note_unbuilt(setting);
        let kind = setting.keyword.renamed.unwrap_or(setting.keyword.name);
        if let Some(name) = setting.value()
            && let Some(first) = names.define(kind, &name.text, name.span)
        {
            let message = format!("there are two `{kind}` blocks `{}`", name.text);
            let diagnostic = Diagnostic::new(Code::DuplicateEntry, setting.span(), message);
            self.report(diagnostic.also(first, "the first one").help("give each its own name"));
        }
        match block {
            RootBlock::Script => {
                named_block!(self, setting, config.scripts, Script: ScriptSettings,);
                self.check_script(setting);
            }
            RootBlock::TrackFile => {
                named_block!(self, setting, config.files, TrackFile: FileSettings, "file");
            }
            RootBlock::TrackProcess => {
                named_block!(self, setting, config.processes, TrackProcess: ProcessTrackSettings, "process");
            }
            RootBlock::Bfd => {
                named_block!(self, setting, config.bfd, Bfd: BfdSettings, "neighbor_ip");
                self.check_bfd_name(setting);
                if let (Some(session), Some(block)) = (config.bfd.last(), setting.block) {
                    self.check_bfd_family(&session.settings, block);
                }
            }
            RootBlock::SyncGroup => {
                named_block!(self, setting, config.sync_groups, SyncGroup: SyncGroupSettings, "group");
            }
            RootBlock::GarpGroup => {
                named_block!(self, setting, config.garp_groups, GarpGroup: GarpGroupSettings,);
                self.check_garp_group(setting);
            }
            RootBlock::TrackGroup => {
                named_block!(self, setting, config.track_groups, TrackGroup: TrackGroupSettings, "group");
            }
            RootBlock::GlobalDefs | RootBlock::VrrpInstance => {}
        }
    }

    /// Reads a block whose keywords all go to fields; what was given, be it right or wrong.
    fn read_settings(
        &mut self,
        setting: &Setting<'t, 's>,
        context: Context,
        put: &mut dyn FnMut(&str, Value),
    ) -> HashSet<&'static str> {
        let mut given = HashSet::new();
        let Some(block) = setting.block else { return given };
        self.read(&block.statements, context, &mut |lowerer, setting| {
            let name = setting.keyword.renamed.unwrap_or(setting.keyword.name);
            given.insert(name);
            if let Some(value) = lowerer.setting(&setting) {
                put(name, value);
            }
        });
        given
    }

    fn require_setting(&mut self, setting: &Setting<'t, 's>, name: &str) {
        let context = setting.keyword.opens.unwrap_or(Context::Opaque);
        let message = format!("this `{}` lacks `{name}`", setting.keyword.name);
        let usage = keywords::find(context, name).map(keywords::Keyword::usage).unwrap_or_default();
        let diagnostic = Diagnostic::new(Code::MissingSetting, setting.span(), message);
        self.report(diagnostic.help(format!("add a line like `{usage}`")));
    }

    /// Without a pause, or without an interface, it says nothing.
    fn check_garp_group(&mut self, setting: &Setting<'t, 's>) {
        let Some(block) = setting.block else { return };
        let has = |names: &[&str]| block.statements.iter().any(|line| names.contains(&line.words[0].text.as_ref()));
        if !has(&["garp_interval", "gna_interval"]) {
            self.require_setting(setting, "garp_interval");
        }
        if !has(&["interface", "interfaces"]) {
            self.require_setting(setting, "interfaces");
        }
    }

    /// Either a command or a built-in check.
    fn check_script(&mut self, setting: &Setting<'t, 's>) {
        let Some(block) = setting.block else { return };
        let place = |name: &str| {
            let lines = block.statements.iter().filter_map(|line| line.words.first());
            lines.filter(|word| word.text == name).map(|word| word.span).next()
        };
        match (place("script"), place("check")) {
            (None, None) => self.require_setting(setting, "script"),
            (Some(script), Some(check)) => {
                let message = "this `vrrp_script` has both a `script` and a `check`";
                let diagnostic = Diagnostic::new(Code::BadLine, check, message).also(script, "the command");
                self.report(diagnostic.help("remove one of them, or make two blocks"));
            }
            _ => {}
        }
    }

    fn check_bfd_name(&mut self, setting: &Setting<'t, 's>) {
        if let Some(name) = setting.value().filter(|name| name.text.len() > LONGEST_BFD_NAME) {
            let message = format!("expected a name of at most {LONGEST_BFD_NAME} octets, found {}", name.text.len());
            let diagnostic = Diagnostic::new(Code::OutOfRange, name.span, message);
            self.report(diagnostic.help("choose a shorter name"));
        }
    }

    /// Whether every name that one block uses of another one is defined, wherever that stands in the file.
    ///
    /// Names that nothing defines are left out.
    pub(super) fn resolve(&mut self, config: &mut Config, names: &mut Names, claims: &mut Claims) {
        names
            .defined
            .entry("vrrp_instance")
            .or_default()
            .extend(claims.names.iter().map(|(name, at)| (name.clone(), *at)));
        let whole = config.instances.iter_mut().filter_map(|instance| instance.more.as_deref_mut());
        for own in whole.chain(&mut claims.incomplete) {
            self.resolve_tracks(&mut own.track_script, "vrrp_script", names);
            self.resolve_tracks(&mut own.track_file, "track_file", names);
            self.resolve_tracks(&mut own.track_process, "vrrp_track_process", names);
            self.resolve_tracks(&mut own.track_bfd, "bfd_instance", names);
        }
        let mut members: HashMap<String, Span> = HashMap::new();
        for group in &mut config.sync_groups {
            let own = &mut group.settings;
            self.resolve_tracks(&mut own.track_script, "vrrp_script", names);
            self.resolve_tracks(&mut own.track_file, "track_file", names);
            self.resolve_tracks(&mut own.track_process, "vrrp_track_process", names);
            self.resolve_tracks(&mut own.track_bfd, "bfd_instance", names);
            own.group.retain(|member| self.resolve_name(member, "vrrp_instance", names));
            for member in &own.group {
                if let Some(first) = members.insert(member.value.clone(), member.span) {
                    let message = format!("instance `{}` is in a sync group twice", member.value);
                    let diagnostic = Diagnostic::new(Code::DuplicateEntry, member.span, message);
                    self.report(
                        diagnostic.also(first, "given here before").help("an instance is in one group at most"),
                    );
                }
            }
        }
        for member in config.track_groups.iter().flat_map(|group| &group.settings.group) {
            self.resolve_name(member, "vrrp_instance", names);
        }
        if let Some(instance) = config.global.settings.lvs_sync_daemon.as_ref().and_then(|sync| sync.instance.as_ref())
        {
            self.resolve_name(instance, "vrrp_instance", names);
        }
    }

    fn resolve_tracks(&mut self, tracks: &mut Vec<Track>, kind: &'static str, names: &Names) {
        tracks.retain(|track| self.resolve_name(&track.name, kind, names));
    }

    /// Whether it is defined.
    fn resolve_name(&mut self, name: &Spanned<String>, kind: &'static str, names: &Names) -> bool {
        if names.has(kind, &name.value) {
            return true;
        }
        let message = format!("no `{kind}` has the name `{}`", name.value);
        let diagnostic = Diagnostic::new(Code::UnknownName, name.span, message);
        let near = keywords::nearest_of(names.of(kind), |name| name, &name.value);
        let diagnostic = match near {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("add a block `{kind} {} {{ ... }}`", name.value)),
        };
        self.tolerate(true, |lowerer| lowerer.report(diagnostic));
        false
    }
}

fn block_name(setting: &Setting<'_, '_>) -> Spanned<String> {
    let word = setting.value();
    let span = word.map_or(setting.name.span, |word| word.span);
    Spanned::new(word.map(|word| word.text.clone().into_owned()).unwrap_or_default(), span)
}
