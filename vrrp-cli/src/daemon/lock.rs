//! One daemon for one virtual router on one host: two would both be Master, since neither hears its own host.
//!
//! The lock is an abstract Unix socket: it belongs to the network namespace, as the interface does, and to nobody when its
//! process is gone, however that ended.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use vrrp_core::Vrid;

/// Held as long as the daemon serves the virtual router.
#[derive(Debug)]
pub(super) struct Lock {
    _socket: UnixDatagram,
}

impl Lock {
    /// `Ok(None)` when another process holds it.
    pub(super) fn take(interface: &str, vrid: Vrid) -> io::Result<Option<Self>> {
        let address = SocketAddr::from_abstract_name(format!("vrrpctl/ipv4/{interface}/{vrid}"))?;
        match UnixDatagram::bind_addr(&address) {
            Ok(socket) => Ok(Some(Self { _socket: socket })),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
            Err(error) => Err(error),
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
