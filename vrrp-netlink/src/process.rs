//! What a thread of the election needs of its process: waiting for descriptors, being woken, exact timers, children that
//! do not outlive it.
//!
//! Knows descriptors and child processes; not what either is for.
//!
//! ```
//! use std::time::Duration;
//! use vrrp_netlink::process::{Poller, Wakeup};
//!
//! # fn main() -> vrrp_netlink::Result<()> {
//! let wakeup = Wakeup::new()?;
//! let mut poller = Poller::new();
//! let token = poller.add(&wakeup);
//!
//! let waker = wakeup.clone();
//! let other = std::thread::spawn(move || waker.wake());
//! while !poller.ready(token) {
//!     poller.wait(Some(Duration::from_secs(1)))?;
//! }
//! wakeup.clear();
//! # other.join().expect("waking does not panic");
//! # Ok(())
//! # }
//! ```

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::prctl;

use crate::sys;
use crate::{Error, Result};

/// Descriptors that are waited for together. Waiting allocates nothing.
///
/// It remembers descriptors by number and does not keep them open: [`clear`](Self::clear) it and add anew whenever one is
/// closed or opened. One that is closed all the same counts as ready, so that its reader meets the error.
#[derive(Debug, Default)]
pub struct Poller {
    fds: Vec<libc::pollfd>,
}

/// Names a descriptor of a [`Poller`], until the poller is cleared. The first one added is 0, and so on upwards.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Token(pub usize);

impl Poller {
    /// A poller of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a descriptor that is waited for until it can be read.
    pub fn add(&mut self, fd: impl AsFd) -> Token {
        self.fds.push(readable(fd.as_fd()));
        Token(self.fds.len() - 1)
    }

    /// Adds a descriptor that is waited for until it can be written: a connection that is being made, say.
    pub fn add_writable(&mut self, fd: impl AsFd) -> Token {
        self.fds.push(libc::pollfd { events: libc::POLLOUT, ..readable(fd.as_fd()) });
        Token(self.fds.len() - 1)
    }

    /// Forgets all descriptors; their room is kept.
    pub fn clear(&mut self) {
        self.fds.clear();
    }

    /// Waits until a descriptor can be read, at most `timeout` (to the nanosecond; `None`: without end), and returns how
    /// many can. A zero time-out only looks.
    ///
    /// A signal ends the wait: the count is then 0, possibly before the time-out.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<usize> {
        match sys::poll(&mut self.fds, timeout) {
            Ok(ready) => Ok(ready),
            Err(error) => {
                for fd in &mut self.fds {
                    fd.revents = 0;
                }
                nothing_if_interrupted(error)
            }
        }
    }

    /// Whether the last wait found that `token`'s descriptor can be read or written, as it was added, or has an error or end of file to report.
    pub fn ready(&self, token: Token) -> bool {
        self.fds.get(token.0).is_some_and(|fd| fd.revents != 0)
    }
}

/// Waits until one descriptor can be read, at most `timeout` (`None`: without end); whether it can.
///
/// A signal ends the wait, as nothing to read.
pub fn wait_readable(fd: impl AsFd, timeout: Option<Duration>) -> Result<bool> {
    let found = sys::poll(&mut [readable(fd.as_fd())], timeout).or_else(nothing_if_interrupted)?;
    Ok(found > 0)
}

/// Wakes a thread that waits in a [`Poller`], from any other thread. Clones share one wake-up.
#[derive(Clone, Debug)]
pub struct Wakeup {
    event: Arc<EventFd>,
}

impl Wakeup {
    /// Fails when no descriptor is left.
    pub fn new() -> Result<Self> {
        let event = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)
            .map_err(|errno| Error::new("create a wake-up descriptor", errno))?;
        Ok(Self { event: Arc::new(event) })
    }

    /// Makes the descriptor readable until it is cleared. Never blocks; waking twice is waking once.
    pub fn wake(&self) {
        // It can only refuse for a full counter, and then the descriptor is readable already.
        let _ = self.event.write(1);
    }

    /// Takes back all wake-ups so far. Clear first and look for work afterwards, or a wake-up in between is lost.
    pub fn clear(&self) {
        // It can only refuse for an empty counter, and then there is nothing to take back.
        let _ = self.event.read();
    }
}

impl AsFd for Wakeup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

/// Makes the kernel kill (SIGKILL) the child that `command` starts when the *thread* that started it ends, for whatever
/// reason.
///
/// Call it in the process that spawns, and spawn from a thread that lives as long as the child should: the end of a short
/// one, such as that of [`Namespace::run`](crate::namespace::Namespace::run), kills it as well. A set-user-ID program
/// escapes. The child does not start at all when its parent is gone by then.
pub fn die_with_parent(command: &mut Command) -> &mut Command {
    sys::die_with_parent_in_child(command, std::process::id());
    command
}

/// Makes the child that `command` starts begin with the default disposition of every signal, whatever this process or the
/// one that started it ignores.
pub fn default_signals(command: &mut Command) -> &mut Command {
    sys::default_signals_in_child(command);
    command
}

/// Makes the end of a child something that this process can wait for, also where whoever started it ignores SIGCHLD: a process
/// that inherits that is never told of the end of a child, nor of its status. Call it before any child is started.
pub fn notice_children() -> Result<()> {
    sys::default_child_signal().map_err(|error| Error::new("notice the end of child processes", error))
}

/// A descriptor that can be read from the moment when `child` has ended, for a [`Poller`]. The child must not have been
/// waited for yet.
///
/// ENOSYS before Linux 5.3.
pub fn exit_descriptor(child: &Child) -> Result<OwnedFd> {
    sys::pidfd_open(child.id()).map_err(|error| Error::new("open a descriptor of a process", error))
}

/// Gives memory that was freed back to the kernel, as far as the C library can: after a large piece of work that is not done
/// again, a process stays as large as it was otherwise.
pub fn give_back_memory() {
    sys::trim_heap();
}

/// How much later than asked the kernel may end a wait of the calling thread, to save wake-ups: 50 µs when never set.
///
/// At least 1 ns; zero counts as 1 ns. Threads with real-time scheduling have no slack whatever is set.
pub fn set_timer_slack(slack: Duration) -> Result<()> {
    let nanoseconds = libc::c_ulong::try_from(slack.as_nanos()).unwrap_or(libc::c_ulong::MAX);
    prctl::set_timerslack(nanoseconds.max(1)).map_err(|errno| Error::new("set the timer slack", errno))
}

fn readable(fd: BorrowedFd<'_>) -> libc::pollfd {
    libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }
}

fn nothing_if_interrupted(error: io::Error) -> Result<usize> {
    if error.kind() == ErrorKind::Interrupted { Ok(0) } else { Err(Error::new("wait for descriptors", error)) }
}

#[cfg(test)]
mod tests;
