//! Network namespaces: made, found, entered by a thread or a child; and a user namespace for want of privilege.
//!
//! Knows namespaces only, nothing of what is set up in them: a new one has a loopback interface that is down.
//!
//! ```no_run
//! use std::process::Command;
//! use vrrp_netlink::namespace::Namespace;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let lan = Namespace::create()?;
//! lan.command(&mut Command::new("ip"))?.args(["link", "set", "lo", "up"]).status()?;
//! let addresses = lan.run(|| std::fs::read_to_string("/proc/thread-self/net/fib_trie"))??;
//! # drop(addresses);
//! # Ok(())
//! # }
//! ```

use std::ffi::{CStr, OsStr};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::panic;
use std::path::Path;
use std::process::Command;
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{getegid, geteuid};

use crate::socket::permitted;
use crate::sys;
use crate::{Error, Result};

/// A network namespace, which exists at least as long as this value.
#[derive(Debug)]
pub struct Namespace {
    fd: OwnedFd,
}

impl Namespace {
    /// A new, empty namespace. Needs `CAP_SYS_ADMIN`.
    pub fn create() -> Result<Self> {
        in_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| {
                let denied = "create a network namespace without CAP_SYS_ADMIN";
                let error = io::Error::from(errno);
                Error::new(permitted(&error, "create a network namespace", denied), error)
            })?;
            Self::current()
        })
    }

    /// The namespace that the calling thread is in.
    pub fn current() -> Result<Self> {
        Self::open("/proc/thread-self/ns/net")
    }

    /// The namespace of the process (or thread) `pid`. Needs the right to trace it.
    pub fn of_pid(pid: u32) -> Result<Self> {
        Self::open(format!("/proc/{pid}/ns/net"))
    }

    /// The namespace that a file stands for, such as `/run/netns/NAME` of iproute2.
    ///
    /// Whether it stands for one shows when it is entered.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::new("open a network namespace", error))?;
        Ok(Self { fd: file.into() })
    }

    /// Runs `work` inside, on a thread of its own that ends with it, and returns its result. Needs `CAP_SYS_ADMIN`.
    ///
    /// Sockets opened inside keep working outside. A panic of `work` goes on in the caller.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        in_thread(|| self.enter_thread().map(|()| work()))
    }

    /// Moves the calling thread inside, for good; threads that it starts follow. Needs `CAP_SYS_ADMIN`.
    pub fn enter_thread(&self) -> Result<()> {
        setns(&self.fd, CloneFlags::CLONE_NEWNET).map_err(|errno| {
            let error = io::Error::from(errno);
            let denied = "enter a network namespace without CAP_SYS_ADMIN";
            Error::new(permitted(&error, "enter a network namespace", denied), error)
        })
    }

    /// Makes the child that `command` starts begin inside. Needs `CAP_SYS_ADMIN`, in the child: it does not go together
    /// with [`CommandExt::uid`](std::os::unix::process::CommandExt::uid) of an unprivileged user.
    pub fn command<'c>(&self, command: &'c mut Command) -> Result<&'c mut Command> {
        let fd = self.fd.try_clone().map_err(|error| Error::new("duplicate a network namespace", error))?;
        sys::enter_in_child(command, fd);
        Ok(command)
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Why [`enter_user_namespace`] did not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UserNamespaceError {
    /// The process has this many threads; the kernel lets single-threaded ones enter only.
    #[error("cannot enter a user namespace: this process has {0} threads, and only a process with one thread can")]
    Threads(usize),
    /// The system's settings refuse it to this user.
    #[error("cannot enter a user namespace: {source}; {advice}")]
    Refused {
        /// What would allow it, as a phrase with commands for the system's administrator.
        advice: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Any other failure.
    #[error(transparent)]
    Kernel(#[from] Error),
}

/// Makes an unprivileged process root of a user namespace of its own, in a new network namespace and with private mounts,
/// so that it can do there what this crate offers.
///
/// Call it first thing in `main`: it needs a process with one thread ([`is_single_threaded`]), and a thread just joined
/// can count for a moment longer. After a failure the process may be half inside; end it.
pub fn enter_user_namespace() -> std::result::Result<(), UserNamespaceError> {
    let threads = thread_count()?;
    if threads != 1 {
        return Err(UserNamespaceError::Threads(threads));
    }
    let files = identity_files();
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)
        .map_err(|errno| refused("enter a user namespace", errno.into()))?;
    for (path, text) in files {
        fs::write(OsStr::from_bytes(path.to_bytes()), text)
            .map_err(|error| refused("map the user into its namespace", error))?;
    }
    make_mounts_private().map_err(|errno| refused("make mounts private", errno.into()))
}

/// Makes the child that `command` starts begin as [`enter_user_namespace`] leaves a process, however many threads this
/// process has.
///
/// Where the system refuses, so does starting the command, with the kernel's error: `EPERM`, `EACCES`, `EUSERS`, `EINVAL`
/// or `ENOSPC`. Does not go together with another user than this process's.
pub fn user_namespace_command(command: &mut Command) -> &mut Command {
    sys::user_namespace_in_child(command, identity_files());
    command
}

/// Whether the process has no thread but the calling one.
pub fn is_single_threaded() -> Result<bool> {
    Ok(thread_count()? == 1)
}

/// The kernel's number of the network namespace that the calling thread is in. No other has it, now or later, until the next
/// boot.
///
/// `ENOPROTOOPT` before Linux 5.14.
pub fn network_number() -> Result<u64> {
    let fail = |error| Error::new("ask for the number of the network namespace", error);
    let socket = std::os::unix::net::UnixDatagram::unbound().map_err(fail)?;
    sys::network_cookie(socket.as_fd()).map_err(fail)
}

/// Gives the calling thread, and what it starts from now on, an empty `/run` that nobody else sees.
///
/// Needs `CAP_SYS_ADMIN`, as inside [`enter_user_namespace`].
pub fn private_run_directory() -> Result<()> {
    mount_privately("mount a private /run", "tmpfs", "/run", Some("mode=0755"))
}

/// Gives the calling thread, and what it starts from now on, a `/sys` that shows the network namespace it is in.
///
/// Needs `CAP_SYS_ADMIN`. Inside a user namespace the kernel refuses it where the outer `/sys` is partly covered, as in
/// most containers.
pub fn private_sysfs() -> Result<()> {
    mount_privately("mount a private /sys", "sysfs", "/sys", None)
}

fn mount_privately(operation: &'static str, kind: &str, target: &str, data: Option<&str>) -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| make_mounts_private())
        .and_then(|()| mount(Some(kind), target, Some(kind), flags, data))
        .map_err(|errno| Error::new(operation, errno))
}

/// What to write where, once inside, so that this user is root there.
fn identity_files() -> [(&'static CStr, String); 3] {
    [
        // The kernel wants this before an unprivileged process may map groups.
        (c"/proc/self/setgroups", "deny".to_owned()),
        (c"/proc/self/uid_map", format!("0 {} 1", geteuid())),
        (c"/proc/self/gid_map", format!("0 {} 1", getegid())),
    ]
}

/// Keeps mounts made from now on from spreading to the namespace that this one was copied from.
fn make_mounts_private() -> nix::Result<()> {
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
}

fn thread_count() -> Result<usize> {
    let tasks =
        fs::read_dir("/proc/self/task").map_err(|error| Error::new("count the threads of this process", error))?;
    Ok(tasks.count())
}

fn in_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("namespace".to_owned())
            .spawn_scoped(scope, work)
            .map_err(|error| Error::new("start a thread", error))?;
        thread.join().unwrap_or_else(|payload| panic::resume_unwind(payload))
    })
}

fn refused(operation: &'static str, source: io::Error) -> UserNamespaceError {
    let by_settings = [libc::EPERM, libc::EACCES, libc::ENOSPC, libc::EUSERS, libc::EINVAL];
    if source.raw_os_error().is_some_and(|errno| by_settings.contains(&errno)) {
        UserNamespaceError::Refused {
            advice: advice(|name| fs::read_to_string(format!("/proc/sys/{name}")).ok()),
            source,
        }
    } else {
        Error::new(operation, source).into()
    }
}

/// Names the settings that stand in the way, or all that can where none shows.
fn advice(setting: impl Fn(&str) -> Option<String>) -> String {
    let settings = [
        ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"),
        ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ];
    let culprits: Vec<_> = settings
        .iter()
        .filter(|(name, bad, _)| setting(name).is_some_and(|value| value.trim() == *bad))
        .map(|&(.., command)| command)
        .collect();
    if culprits.is_empty() {
        let commands = settings.map(|(.., command)| command).join(", ");
        format!("one of these may allow it: {commands}; in a container, a seccomp profile that permits unshare")
    } else {
        format!("allow it with {}", culprits.join(" and "))
    }
}

#[cfg(test)]
mod tests;
