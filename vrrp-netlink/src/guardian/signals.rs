//! Signals as something to read, so that a process can pass them on.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::{Error, Result};

/// Signals that are held back, and read instead.
///
/// All but those that a process cannot hold back, those that report its own faults, and those that stop and continue it.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
    before: SigSet,
}

impl Signals {
    /// Holds signals back, in the calling thread and in those that it starts from now on.
    pub fn block() -> Result<Self> {
        let fail = |errno| Error::new("hold signals back", errno);
        let mut set = SigSet::all();
        for ours in [
            Signal::SIGKILL,
            Signal::SIGSTOP,
            Signal::SIGSEGV,
            Signal::SIGBUS,
            Signal::SIGILL,
            Signal::SIGFPE,
            Signal::SIGABRT,
            Signal::SIGTRAP,
            Signal::SIGSYS,
            Signal::SIGTSTP,
            Signal::SIGTTIN,
            Signal::SIGTTOU,
            Signal::SIGCONT,
        ] {
            set.remove(ours);
        }
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map_err(fail)?;
        let before = set.thread_swap_mask(SigmaskHow::SIG_BLOCK).map_err(fail)?;
        Ok(Self { fd, before })
    }

    /// The next signal that came, by its number.
    pub fn next(&self) -> Option<i32> {
        let information = self.fd.read_signal().ok().flatten()?;
        i32::try_from(information.ssi_signo).ok()
    }

    /// Lets signals through as before; those that wait meanwhile arrive now.
    pub fn unblock(self) -> Result<()> {
        self.before.thread_set_mask().map_err(|errno| Error::new("let signals through", errno))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
