//! Two makes of daemon: how each is started, and what a running one costs.
//!
//! Knows processes and `/proc`; not what is measured with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use vrrp_cli::lab::{Host, Process};

use crate::Outcome;

/// How long a daemon may take to stop.
const STOP: Duration = Duration::from_secs(15);

/// Whose daemon.
#[derive(Clone, Debug)]
pub(crate) enum Make {
    Keepalived,
    Vrrpctl(PathBuf),
}

/// A daemon on a host. It is killed with the value.
pub(crate) struct Daemon {
    process: Process,
}

impl Make {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Keepalived => "keepalived",
            Self::Vrrpctl(_) => "vrrpctl",
        }
    }

    /// What it calls its version; `None` when it is not installed.
    pub(crate) fn version(&self) -> Option<String> {
        let program = match self {
            Self::Keepalived => Path::new("keepalived"),
            Self::Vrrpctl(path) => path,
        };
        let output = Command::new(program).arg("--version").output().ok()?;
        // keepalived prints it on standard error.
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).lines().next().map(str::to_owned)
    }

    /// The command that checks `file`.
    pub(crate) fn check(&self, file: &Path) -> Command {
        let mut command = match self {
            Self::Keepalived => {
                let mut command = Command::new("keepalived");
                command.args(["--config-test", "-f"]);
                command
            }
            Self::Vrrpctl(path) => {
                let mut command = Command::new(path);
                command.arg("check");
                command
            }
        };
        command.arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn run(&self, file: &Path) -> Command {
        match self {
            Self::Keepalived => {
                let mut command = Command::new("keepalived");
                command.args(["--vrrp", "-n", "-l", "-f"]).arg(file);
                command.arg("-p").arg(file.with_extension("pid")).arg("-r").arg(file.with_extension("vrrp.pid"));
                command
            }
            Self::Vrrpctl(path) => {
                let mut command = Command::new(path);
                command.arg("run").arg("-f").arg(file);
                command
            }
        }
    }
}

impl Daemon {
    /// Starts it with a configuration, which is written into `folder`.
    pub(crate) fn start(make: &Make, host: &Host, folder: &Path, configuration: &str) -> Outcome<Self> {
        let file = folder.join(format!("{}.conf", host.name()));
        fs::write(&file, configuration)?;
        let log = fs::File::create(file.with_extension("log"))?;
        let mut command = make.run(&file);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Self { process: host.spawn(&mut command)? })
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&mut self) -> Outcome<()> {
        Ok(self.process.terminate()?)
    }

    /// Waits until it has stopped.
    pub(crate) fn join(&mut self) -> Outcome<()> {
        self.process.wait(STOP).map(drop).ok_or_else(|| "a daemon does not stop".into())
    }

    /// Processor time of all its processes so far, but for threads that have ended.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        let mut sum = 0;
        for process in self.processes() {
            for thread in fs::read_dir(format!("/proc/{process}/task"))?.flatten() {
                // The first word is nanoseconds on a processor.
                let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
                sum += text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok()).unwrap_or_default();
            }
        }
        Ok(Duration::from_nanos(sum))
    }

    /// Memory of all its processes, what they share with others in proportion, in MiB.
    pub(crate) fn memory(&self) -> Outcome<f64> {
        let mut sum = 0;
        for process in self.processes() {
            let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
            let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).ok_or("no line Pss")?;
            sum += line.split_whitespace().next().unwrap_or_default().parse::<u32>()?;
        }
        Ok(f64::from(sum) / 1024.0)
    }

    /// Its first process and all that descend from it.
    fn processes(&self) -> Vec<u32> {
        let mut found = vec![self.process.id()];
        let mut next = 0;
        while let Some(process) = found.get(next).copied() {
            let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            next += 1;
        }
        found
    }
}
