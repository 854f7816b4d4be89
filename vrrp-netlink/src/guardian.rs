//! What two processes of one program need, of which the parent looks after the child: a fork, the child's end, signals that
//! are passed on, memory in common, descriptors handed over.
//!
//! Knows processes; not what either of them does.
//!
//! ```no_run
//! use vrrp_netlink::guardian::{Ending, Fork, Signals, fork};
//!
//! # fn main() -> vrrp_netlink::Result<()> {
//! let signals = Signals::block()?;
//! match fork()? {
//!     Fork::Child => {
//!         signals.unblock()?;
//!         std::thread::spawn(|| println!("works")).join().expect("no panic");
//!     }
//!     Fork::Parent(child) => loop {
//!         vrrp_netlink::process::wait_readable(&signals, None)?;
//!         while let Some(signal) = signals.next() {
//!             child.forward(signal);
//!         }
//!         match child.ended() {
//!             Some(Ending::Exited(status)) => std::process::exit(status),
//!             Some(Ending::Killed(signal)) => panic!("{signal}"),
//!             None => {}
//!         }
//!     },
//! }
//! # Ok(())
//! # }
//! ```

mod channel;
mod shared;
mod signals;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::sys;
use crate::{Error, Result};

pub use channel::{Channel, Heard};
pub use shared::Shared;
pub use signals::Signals;

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Fork {
    /// The one that was there before.
    Parent(Offspring),
    /// The new one.
    Child,
}

/// The child, as its parent knows it.
#[derive(Debug)]
pub struct Offspring {
    pid: Pid,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// By itself, with this status, 0..=255.
    Exited(i32),
    /// By a signal of this number.
    Killed(i32),
}

/// Makes a second process out of this one.
///
/// `EBUSY` when it has other threads: those would be missing in the child, and what they held locked would stay locked.
pub fn fork() -> Result<Fork> {
    match sys::fork().map_err(|error| Error::new("start a second process", error))? {
        None => Ok(Fork::Child),
        Some(pid) => {
            let pid = i32::try_from(pid).map_err(|_| Error::new("start a second process", Errno::EOVERFLOW))?;
            Ok(Fork::Parent(Offspring { pid: Pid::from_raw(pid) }))
        }
    }
}

/// Asks the kernel to send this process SIGTERM when its parent ends, and returns whether its parent is still `parent`.
///
/// A change of the user ends it, and it does not hold for children.
pub fn terminate_with_parent(parent: u32) -> Result<bool> {
    prctl::set_pdeathsig(Signal::SIGTERM).map_err(|errno| Error::new("watch the parent process", errno))?;
    Ok(std::os::unix::process::parent_id() == parent)
}

impl Offspring {
    /// Its process number.
    pub fn id(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Sends it a signal of this number; one that no longer runs hears nothing.
    pub fn forward(&self, signal: i32) {
        // It can only fail for a process that is gone, and its end is reported by itself.
        let _ = sys::kill(self.pid.as_raw(), signal);
    }

    /// Ends it, be it stopped or not. A process that waits for a device ends when that answers.
    pub fn kill(&self) {
        self.forward(libc::SIGKILL);
    }

    /// How it ended, when it has; asked again, it does not say so again. Buries whatever other child there is, as the first
    /// process of a container must.
    pub fn ended(&self) -> Option<Ending> {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, status)) if pid == self.pid => return Some(Ending::Exited(status)),
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == self.pid => {
                    return Some(Ending::Killed(signal as i32));
                }
                Ok(WaitStatus::StillAlive) => return None,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return None,
            }
        }
    }
}
