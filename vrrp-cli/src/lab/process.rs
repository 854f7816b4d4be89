//! A process on a host of the laboratory, which ends with the value that stands for it.
//!
//! Knows signals and exit statuses; not what the process does.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use vrrp_netlink::process::die_with_parent;

use super::{LabError, wait_until};

/// A running process. Dropping it kills (SIGKILL) and reaps it.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    pub(super) fn start(command: &mut Command) -> Result<Self, LabError> {
        die_with_parent(command).process_group(0);
        let child = command.spawn().map_err(|source| LabError::Start {
            what: format!("start {}", command.get_program().to_string_lossy()),
            source,
        })?;
        Ok(Self { child })
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The process as the standard library knows it, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends `signal`. Does nothing when the process has ended.
    pub fn signal(&mut self, signal: Signal) -> io::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        let pid = i32::try_from(self.child.id()).map_err(|_| io::ErrorKind::InvalidInput)?;
        Ok(kill(Pid::from_raw(pid), signal)?)
    }

    /// Asks it to end: SIGTERM.
    pub fn terminate(&mut self) -> io::Result<()> {
        self.signal(Signal::SIGTERM)
    }

    /// Sends `signal` to it and to what it has started, as far as that has no process group of its own. Does nothing when it
    /// has ended.
    pub fn signal_all(&mut self, signal: Signal) -> io::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        let group = i32::try_from(self.child.id()).map_err(|_| io::ErrorKind::InvalidInput)?;
        Ok(killpg(Pid::from_raw(group), signal)?)
    }

    /// Ends it at once, and what it has started: SIGKILL, and reaps it.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        self.signal_all(Signal::SIGKILL)?;
        self.child.wait()
    }

    /// Its exit status, when it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits at most `timeout` for its end; the exit status, or `None` when it still runs.
    pub fn wait(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let mut status = None;
        wait_until(timeout, || {
            status = self.ended();
            status.is_some()
        });
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It fails for a process that is gone already, and only then.
        let _ = self.kill();
    }
}
