//! From the configuration to whom to tell what: scripts, pipes and mail of each virtual router and group.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::What;
use super::fifo::{Fifo, FifoError, Pipe};
use crate::config::{Code, Config, Diagnostic, Global, Script, Span};
use crate::daemon::mail::Post;
use crate::daemon::script::{self, Program};
use vrrp_core::node::Condition;

/// Whom to tell what.
#[derive(Default)]
pub(in crate::daemon) struct Plan {
    /// In the order of the configuration.
    pub(in crate::daemon) instances: Vec<Target>,
    pub(in crate::daemon) groups: Vec<Target>,
    /// Pipes that are to be made, and where they are written.
    pub(super) fifos: Vec<(Span, Fifo)>,
    /// Those that were.
    pub(super) pipes: Vec<Pipe>,
    /// `None`: nobody is mailed.
    pub(in crate::daemon) post: Option<Post>,
    /// Name of this host in mails.
    pub(in crate::daemon) router_id: String,
    /// No mail about faults.
    pub(in crate::daemon) no_faults: bool,
}

/// What is told about a virtual router or a group.
#[derive(Clone, Default, Debug)]
pub(in crate::daemon) struct Target {
    pub(in crate::daemon) name: String,
    /// Of a virtual router: its group.
    pub(in crate::daemon) group: Option<usize>,
    pub(in crate::daemon) master: Option<Program>,
    pub(in crate::daemon) backup: Option<Program>,
    pub(in crate::daemon) fault: Option<Program>,
    pub(in crate::daemon) stop: Option<Program>,
    pub(in crate::daemon) generic: Option<Program>,
    pub(in crate::daemon) lower_priority: Option<Program>,
    /// Whether changes of its priority are told.
    pub(in crate::daemon) priority_changes: bool,
    /// Whether its states are mailed.
    pub(in crate::daemon) mail: bool,
}

impl Target {
    /// The scripts of an event: its own one, and the one that hears of every state.
    pub(super) fn scripts(&self, what: What) -> (Option<&Program>, Option<&Program>) {
        let generic = self.generic.as_ref();
        match what {
            What::State(Condition::Master) => (self.master.as_ref(), generic),
            What::State(Condition::Backup) => (self.backup.as_ref(), generic),
            What::State(Condition::Fault) => (self.fault.as_ref(), generic),
            What::State(Condition::Stopped) => (self.stop.as_ref(), generic),
            What::LowerPriority => (self.lower_priority.as_ref(), None),
            What::Priority(_) => (None, None),
        }
    }
}

impl Plan {
    /// Whether there are pipes to be made.
    pub(in crate::daemon) fn has_pipes(&self) -> bool {
        !self.fifos.is_empty()
    }

    /// `find` gives the program of a command, or reports why there is none; `refuse` takes what is wrong with the rest.
    pub(in crate::daemon) fn new(
        config: &Config,
        find: &mut dyn FnMut(&Script) -> Option<Program>,
        refuse: &mut dyn FnMut(Diagnostic),
    ) -> Self {
        let global = &config.global;
        let hostname = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        let hostname = hostname.filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned());
        let mail = global.settings.smtp_alert_vrrp.or(global.settings.smtp_alert).unwrap_or(false);
        let mut program = |script: &Option<Script>| find(&by_default(script.as_ref()?, global));
        let mut group_of: HashMap<&str, usize> = HashMap::new();
        let mut groups = Vec::with_capacity(config.sync_groups.len());
        for (at, group) in config.groups().enumerate() {
            let settings = &group.settings;
            group_of.extend(settings.group.iter().map(|member| (member.value.as_str(), at)));
            groups.push(Target {
                name: group.name.value.clone(),
                group: None,
                master: program(&settings.notify_master),
                backup: program(&settings.notify_backup),
                fault: program(&settings.notify_fault),
                stop: program(&settings.notify_stop),
                generic: program(&settings.notify),
                lower_priority: None,
                priority_changes: settings.notify_priority_changes.unwrap_or(false),
                mail: settings.smtp_alert.unwrap_or(mail),
            });
        }
        let everywhere = global.settings.vrrp_notify_priority_changes.unwrap_or(false);
        let mut instances = Vec::with_capacity(config.instances.len());
        for instance in &config.instances {
            let (notify, settings) = (&instance.notify, instance.settings());
            let group = group_of.get(instance.name.as_str()).copied();
            let of_group = group.and_then(|at| groups.get(at)).is_some_and(|group: &Target| group.priority_changes);
            instances.push(Target {
                name: instance.name.clone(),
                group,
                master: program(&notify.master),
                backup: program(&notify.backup),
                fault: program(&notify.fault),
                stop: program(&notify.stop),
                generic: program(&notify.generic),
                lower_priority: program(&settings.notify_master_rx_lower_pri),
                priority_changes: settings.notify_priority_changes.unwrap_or(everywhere) || of_group,
                mail: settings.smtp_alert.unwrap_or(mail),
            });
        }
        let settings = &global.settings;
        let pipes = [
            (&settings.notify_fifo, &settings.notify_fifo_script),
            (&settings.vrrp_notify_fifo, &settings.vrrp_notify_fifo_script),
        ];
        let mut fifos: Vec<(Span, Fifo)> = Vec::new();
        for (pipe, reader) in pipes {
            let Some(pipe) = pipe else { continue };
            let reader = program(reader);
            match fifo(&by_default(pipe, global), reader) {
                Ok(fifo) if fifos.iter().any(|(_, other)| other.path == fifo.path) => {
                    let message = format!("`{}` is given for two named pipes", fifo.path.display());
                    let help = "each needs a name of its own; both hear the same";
                    refuse(Diagnostic::new(Code::FifoUnusable, pipe.span, message).help(help));
                }
                Ok(fifo) => fifos.push((pipe.span, fifo)),
                Err(diagnostic) => refuse(*diagnostic),
            }
        }
        let alerts = instances.iter().chain(&groups).any(|target| target.mail);
        let post = match if alerts { Post::new(global, &hostname) } else { Ok(None) } {
            Ok(post) => post,
            Err(faults) => {
                faults.into_iter().for_each(refuse);
                None
            }
        };
        let router_id = global.router_id.clone().unwrap_or(hostname);
        let (pipes, no_faults) = (Vec::new(), settings.no_email_faults);
        Self { instances, groups, fifos, pipes, post, router_id, no_faults }
    }

    /// Makes the pipes, and opens them. Those that were made are gone with the plan, should one of them fail.
    pub(in crate::daemon) fn make_pipes(&mut self) -> Result<(), Box<Diagnostic>> {
        for (span, fifo) in std::mem::take(&mut self.fifos) {
            let unusable = |error: FifoError| {
                let help = "choose a path where this user may make files, such as one below `/run`";
                Box::new(Diagnostic::new(Code::FifoUnusable, span, error.to_string()).help(help))
            };
            self.pipes.push(Pipe::open(fifo).map_err(unusable)?);
        }
        Ok(())
    }
}

/// The command, run by `script_user` when it names nobody.
fn by_default(script: &Script, global: &Global) -> Script {
    let mut script = script.clone();
    if let (None, Some(owner)) = (&script.user, &global.script_user) {
        script.user = Some(owner.user.clone());
        script.group.clone_from(&owner.group);
    }
    script
}

/// A pipe is written like a command: its path, and whose it is.
fn fifo(pipe: &Script, reader: Option<Program>) -> Result<Fifo, Box<Diagnostic>> {
    let unusable =
        |message: String, help: &str| Err(Box::new(Diagnostic::new(Code::FifoUnusable, pipe.span, message).help(help)));
    let [path] = pipe.words.as_slice() else {
        return unusable("a named pipe takes no arguments".into(), "write its path, and perhaps a user and a group");
    };
    let path = PathBuf::from(path);
    let shown = path.display();
    if !path.is_absolute() {
        return unusable(format!("`{shown}` does not begin with `/`"), "write the whole path of the named pipe");
    }
    match fs::symlink_metadata(&path) {
        Ok(metadata) if !metadata.file_type().is_fifo() => {
            return unusable(format!("`{shown}` exists and is no named pipe"), "remove it, or choose another path");
        }
        Ok(_) => {}
        Err(_) if path.parent().is_some_and(Path::is_dir) => {}
        Err(_) => return unusable(format!("there is no directory for `{shown}`"), "make the directory first"),
    }
    match script::identity(pipe) {
        Ok(owner) => Ok(Fifo { path, owner, reader }),
        Err(message) => {
            Err(Box::new(Diagnostic::new(Code::NoSuchUser, pipe.span, message).help("create it, or name another one")))
        }
    }
}
