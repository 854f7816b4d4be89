//! From the blocks of scripts, files and processes to what the threads run, on this host.
//!
//! Only what somebody follows is looked at. Changes nothing; what cannot work is reported at its place in the file.

use std::convert::identity;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use vrrp_core::node::TrackerId;
use vrrp_netlink::namespace::Namespace;
use vrrp_netlink::process_events::ProcessEvents;

use super::policy::Policy;
use crate::config::model::{
    FileSettings, InstanceSettings, Named, ProcessTrackSettings, ScriptSettings, SyncGroupSettings, Track,
};
use crate::config::{CheckSetting, Code, Config, Diagnostic, Script};
use crate::daemon::privileges::{Needs, are_processes_hidden};
use crate::daemon::script;
use crate::daemon::trackers::{Check, Parameters, Pattern, Target, Tracked, TrackedFile, Trackers, What, unusable};

const SECOND: Duration = Duration::from_secs(1);

/// What is to be watched, not numbered yet.
#[derive(Default)]
pub(super) struct Found {
    checks: Vec<Check>,
    files: Vec<TrackedFile>,
    processes: Vec<Tracked>,
}

/// Everything that somebody follows; what is wrong with the rest of it goes to `errors`, advice to `warnings`.
pub(super) fn find(config: &Config, warnings: &mut Vec<Diagnostic>, errors: &mut Vec<Diagnostic>) -> Found {
    let mut finder = Finder { config, warnings, errors };
    let checks = config
        .scripts
        .iter()
        .filter(|block| followed(config, &block.name.value, |own| &own.track_script, |group| &group.track_script));
    let checks = checks.filter_map(|block| finder.check(block)).collect();
    let files = config
        .files
        .iter()
        .filter(|block| followed(config, &block.name.value, |own| &own.track_file, |group| &group.track_file));
    let files = files.filter_map(|block| finder.file(block)).collect();
    let processes = config
        .processes
        .iter()
        .filter(|block| followed(config, &block.name.value, |own| &own.track_process, |group| &group.track_process));
    let processes = processes.filter_map(|block| finder.process(block)).collect();
    Found { checks, files, processes }
}

impl Found {
    /// What watching them needs.
    pub(super) fn add_to(&self, needs: &mut Needs) {
        for check in &self.checks {
            if let What::Script(program) = &check.what {
                needs.scripts.add(program.identity);
            }
        }
        needs.files |= !self.files.is_empty();
        needs.hidden_processes |= !self.processes.is_empty() && are_processes_hidden();
    }

    /// The trackers under the node's numbers, and the kernel's news where they are needed.
    ///
    /// The kernel tells them in the initial network namespace only: `outer` is the one that this process came from.
    pub(super) fn numbered(self, policy: &Policy, outer: Option<&Namespace>) -> Trackers {
        let open = || match outer {
            None => ProcessEvents::open(),
            Some(outer) => outer.run(ProcessEvents::open).and_then(identity),
        };
        let processes = numbered(self.processes, &policy.processes, |process| &process.name);
        Trackers {
            checks: numbered(self.checks, &policy.scripts, |check| &check.name),
            files: numbered(self.files, &policy.files, |file| &file.name),
            process_events: (!processes.is_empty()).then(open),
            processes,
        }
    }
}

fn numbered<T>(list: Vec<T>, ids: &[(TrackerId, String)], name: impl Fn(&T) -> &String) -> Vec<(TrackerId, T)> {
    let id = |one: &T| ids.iter().find(|(_, known)| known == name(one)).map(|(id, _)| *id);
    list.into_iter().filter_map(|one| Some((id(&one)?, one))).collect()
}

/// Whether an instance or a group names it.
fn followed(
    config: &Config,
    name: &str,
    of_instance: fn(&InstanceSettings) -> &[Track],
    of_group: fn(&SyncGroupSettings) -> &[Track],
) -> bool {
    let instances = config.instances.iter().flat_map(|instance| of_instance(instance.settings()));
    let groups = config.sync_groups.iter().flat_map(|group| of_group(&group.settings));
    instances.chain(groups).any(|track| track.name.value == name)
}

struct Finder<'c> {
    config: &'c Config,
    warnings: &'c mut Vec<Diagnostic>,
    errors: &'c mut Vec<Diagnostic>,
}

impl Finder<'_> {
    fn check(&mut self, block: &Named<ScriptSettings>) -> Option<Check> {
        let settings = &block.settings;
        let what = match (&settings.check, &settings.script) {
            (Some(check), _) => What::Probe(target(check)),
            (None, Some(script)) => What::Script(self.program(script, settings)?),
            (None, None) => return None,
        };
        let interval = settings.interval.unwrap_or(SECOND);
        let count = |number: Option<u32>| number.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        Some(Check {
            name: block.name.value.clone(),
            what,
            interval,
            timeout: settings.timeout.unwrap_or(interval),
            rise: count(settings.rise),
            fall: count(settings.fall),
            init_fail: settings.init_fail,
        })
    }

    /// The command, run as its own user, or that of the block, or that of all scripts.
    fn program(&mut self, script: &Script, settings: &ScriptSettings) -> Option<script::Program> {
        let mut script = script.clone();
        let owner = settings.user.as_ref().or(self.config.global.script_user.as_ref());
        if let Some(owner) = owner.filter(|_| script.user.is_none()) {
            script.user = Some(owner.user.clone());
            script.group.clone_from(&owner.group);
        }
        match script::find(&script, self.config.global.settings.enable_script_security) {
            Ok(script::Found { program, warnings }) => {
                self.warnings.extend(warnings);
                Some(program)
            }
            Err(errors) => {
                self.errors.extend(errors);
                None
            }
        }
    }

    fn file(&mut self, block: &Named<FileSettings>) -> Option<TrackedFile> {
        let settings = &block.settings;
        let path = PathBuf::from(settings.file.as_ref()?);
        if let Some(reason) = unusable(&path) {
            let message = format!("`{}` cannot be tracked: {reason}", path.display());
            let diagnostic = Diagnostic::new(Code::FileUnusable, block.name.span, message);
            self.errors.push(diagnostic.help("name a regular file on a local file system, below /run say"));
            return None;
        }
        Some(TrackedFile { name: block.name.value.clone(), path, init: settings.init_file })
    }

    fn process(&mut self, block: &Named<ProcessTrackSettings>) -> Option<Tracked> {
        let settings = &block.settings;
        let (program, parameters) = settings.process.as_ref()?.split_first()?;
        let compare = match settings.param_match.as_deref() {
            Some("initial") => Some(Parameters::Initial),
            Some("partial") => Some(Parameters::Partial),
            // Alone: no others.
            Some(_) => Some(Parameters::Exact),
            None if !parameters.is_empty() => Some(Parameters::Exact),
            // The whole command line is the program alone, whatever its parameters.
            None if settings.full_command => Some(Parameters::Partial),
            None => None,
        };
        let pattern = match compare {
            Some(compare) => Pattern::Command { program: program.clone(), parameters: parameters.to_vec(), compare },
            None => Pattern::Name(program.clone()),
        };
        let most = settings.quorum_max.map(usize::from);
        // "None at all" is what a bound of zero asks for.
        let quorum = if most == Some(0) { 0 } else { settings.quorum.map_or(1, usize::from) };
        if most.is_some_and(|most| most < quorum) {
            let message =
                format!("no number of processes is at least {quorum} and at most {}", most.unwrap_or_default());
            let diagnostic = Diagnostic::new(Code::BadLine, block.name.span, message);
            self.errors.push(diagnostic.help("`quorum` is the lower one of `quorum` and `quorum_max`"));
            return None;
        }
        let delay = settings.delay.unwrap_or_default();
        Some(Tracked {
            name: block.name.value.clone(),
            pattern,
            quorum,
            most,
            up_delay: settings.fork_delay.unwrap_or(delay),
            down_delay: settings.terminate_delay.unwrap_or(delay),
        })
    }
}

fn target(check: &CheckSetting) -> Target {
    match check.clone() {
        CheckSetting::Tcp { host, port } => Target::Tcp { host, port },
        CheckSetting::Http { url, status } => Target::Http { url, status },
        CheckSetting::Process(name) => Target::Process(name),
        CheckSetting::Gateway { address, interface } => Target::Gateway { address, interface },
    }
}
