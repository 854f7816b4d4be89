//! A running daemon and what it says.
//!
//! Knows how each make is started and stopped, and reads logs without regard to case, since the makes differ in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use vrrp_cli::lab::{Host, Process};

use super::{PATIENCE, eventually};

/// Whose daemon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Vrrpctl,
    Keepalived,
}

/// A daemon on a host. A test that fails prints its log; it is killed with the value.
pub(crate) struct Daemon {
    pub(crate) process: Process,
    host: String,
    log: PathBuf,
}

impl Kind {
    /// The command that runs `file`. Files of its own go beside it.
    fn command(self, file: &Path) -> Command {
        match self {
            Self::Vrrpctl => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_vrrpctl"));
                command.arg("run").arg("-f").arg(file);
                command
            }
            Self::Keepalived => {
                let mut command = Command::new(super::tool("keepalived").expect("the test asked for it before"));
                command.args(["--vrrp", "-n", "-l", "-f"]).arg(file);
                command.arg("-p").arg(file.with_extension("pid")).arg("-r").arg(file.with_extension("vrrp.pid"));
                command
            }
        }
    }
}

impl Daemon {
    /// Starts it with the configuration in `file`; its log goes beside it.
    pub(crate) fn start(kind: Kind, host: &Host, file: &Path) -> Self {
        Self::run(kind.command(file), host, file)
    }

    /// Starts `vrrpctl` on a machine that was booted so long ago, rounded up to a second.
    pub(crate) fn start_after_boot(since: Duration, host: &Host, file: &Path) -> Self {
        let uptime = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).expect("the time since the boot");
        let offset = Duration::from(uptime).saturating_sub(since).as_secs();
        let mut command = Command::new("unshare");
        command.args(["--fork", "--kill-child", "--time", &format!("--boottime=-{offset}")]);
        let run = Kind::Vrrpctl.command(file);
        command.arg(run.get_program()).args(run.get_args());
        Self::run(command, host, file)
    }

    /// The same by a command that becomes the daemon.
    pub(crate) fn run(mut command: Command, host: &Host, file: &Path) -> Self {
        let log = file.with_extension("log");
        let out = fs::File::create(&log).expect("a log file");
        command.stdin(Stdio::null()).stdout(out.try_clone().expect("a file descriptor")).stderr(out);
        let process = host.spawn(&mut command).expect("the daemon starts");
        Self { process, host: host.name().to_owned(), log }
    }

    /// The process that works, of a daemon that has a guardian: its only child.
    #[track_caller]
    pub(crate) fn worker(&self) -> Pid {
        let mut worker = None;
        eventually(&format!("{} has a second process", self.host), || {
            worker = self.worker_now();
            worker.is_some()
        });
        worker.expect("it was waited for")
    }

    /// The same, unless there is none at the moment.
    pub(crate) fn worker_now(&self) -> Option<Pid> {
        let guardian = self.process.id();
        let children = fs::read_to_string(format!("/proc/{guardian}/task/{guardian}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok().map(Pid::from_raw)
    }

    /// Everything it has said.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).expect("its log")).into_owned()
    }

    /// How many lines of its log contain `text`, in whatever case.
    pub(crate) fn count(&self, text: &str) -> usize {
        let text = text.to_lowercase();
        self.log().lines().filter(|line| line.to_lowercase().contains(&text)).count()
    }

    pub(crate) fn said(&self, text: &str) -> bool {
        self.count(text) > 0
    }

    /// Waits until it says `text`, for at least the `times`th time.
    #[track_caller]
    pub(crate) fn says(&self, text: &str, times: usize) {
        eventually(&format!("{} says {text:?}, {times} times", self.host), || self.count(text) >= times);
    }

    /// Waits until it listens to others.
    #[track_caller]
    pub(crate) fn is_backup(&self) {
        self.says("entering backup state", 1);
    }

    /// Asks it to stop; it must do so with success, and must not have taken another router of its group for an intruder. How
    /// long that took.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> Duration {
        assert_eq!(self.count("another host has our address"), 0, "{}", self.host);
        self.stop_contested()
    }

    /// The same of one whose addresses another host had as well.
    #[track_caller]
    pub(crate) fn stop_contested(&mut self) -> Duration {
        let asked = Instant::now();
        self.process.terminate().expect("the signal is sent");
        let status = self.process.wait(PATIENCE);
        assert!(status.is_some_and(|status| status.success()), "{} ended with {status:?}", self.host);
        asked.elapsed()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read(&self.log).unwrap_or_default();
            eprintln!("--- log of {}:\n{}---", self.host, String::from_utf8_lossy(&log));
        }
    }
}
