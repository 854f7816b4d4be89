//! One daemon for one virtual router on one host: two would both be Master, since neither hears its own host.
//!
//! The lock is an abstract Unix socket: it belongs to the network namespace, as the interface does, and to nobody when its
//! process is gone, however that ended.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use vrrp_core::{Family, Vrid};

/// How long a process takes to end that was killed, and a guardian to do what it left, on a busy host.
pub(super) const PARTING: Duration = Duration::from_millis(500);
/// Between two looks whether it has.
const PAUSE: Duration = Duration::from_millis(5);

/// Held as long as the daemon serves the virtual router.
#[derive(Debug)]
pub(super) struct Lock {
    socket: UnixDatagram,
}

/// How all names begin.
const PREFIX: &str = "vrrpctl/";

/// Whether this text could be the name of a lock.
pub(super) fn is_a_name(text: &str) -> bool {
    text.starts_with(PREFIX)
}

impl Lock {
    /// `Ok(None)` when another process holds it; waits until then for a predecessor that is about to end.
    pub(super) fn take_until(until: Instant, interface: &str, family: Family, vrid: Vrid) -> io::Result<Option<Self>> {
        Self::named_until(until, &Self::name(interface, family, vrid))
    }

    /// The same by its name.
    pub(super) fn named_until(until: Instant, name: &str) -> io::Result<Option<Self>> {
        wait_until(until, || Self::named(name).transpose()).transpose()
    }

    /// The name of a virtual router's lock.
    pub(super) fn name(interface: &str, family: Family, vrid: Vrid) -> String {
        let family = match family {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        };
        format!("{PREFIX}{family}/{interface}/{vrid}")
    }

    /// The same for a table of nftables, which belongs to the network namespace, too.
    pub(super) fn of_table_until(until: Instant, table: &str) -> io::Result<Option<Self>> {
        Self::named_until(until, &format!("{PREFIX}nftables/{table}"))
    }

    /// `Ok(None)` when another process holds it.
    fn named(name: &str) -> io::Result<Option<Self>> {
        let address = SocketAddr::from_abstract_name(name)?;
        match UnixDatagram::bind_addr(&address) {
            Ok(socket) => Ok(Some(Self { socket })),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whoever has a copy of it holds the lock as well.
impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Tries again and again, at least once, until there is something.
pub(super) fn wait_until<T>(until: Instant, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    loop {
        match attempt() {
            None if Instant::now() < until => thread::sleep(PAUSE),
            other => return other,
        }
    }
}

/// Lets the process open as many files as the administrator allows: each virtual router needs one.
pub(super) fn raise_file_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // Should it fail, the limit is met where a file is opened, and is reported there.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
