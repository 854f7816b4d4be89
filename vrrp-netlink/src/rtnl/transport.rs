//! The netlink socket itself: opening, sending, receiving whole datagrams from the kernel and from nobody else.
//!
//! Knows nothing of what the messages say.

use std::io;
use std::time::{Duration, Instant};

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce};

/// Dumps come in parts of at most 32 KiB; twice that leaves room for a kernel that changes its mind.
const DATAGRAM: usize = 64 * 1024;

/// Signals restart a wait, so it needs a bound of its own beside the socket's.
const PATIENCE: Duration = Duration::from_secs(5);

/// Room for one datagram, for [`receive`].
pub(crate) fn buffer() -> Vec<u8> {
    Vec::with_capacity(DATAGRAM)
}

/// Opens and binds a NETLINK_ROUTE socket with a receive buffer of `bytes`, or what the kernel allows.
pub(crate) fn open(bytes: usize) -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    setsockopt(&socket, RcvBufForce, &bytes).or_else(|_| setsockopt(&socket, RcvBuf, &bytes))?;
    socket.bind_auto()?;
    Ok(socket)
}

/// Sends one datagram to the kernel, which has dealt with all of it when this returns.
pub(crate) fn send(socket: &Socket, datagram: &[u8]) -> io::Result<()> {
    let kernel = SocketAddr::new(0, 0);
    loop {
        match socket.send_to(datagram, &kernel, 0) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Receives the kernel's next datagram into `buffer`, which came from [`buffer`].
///
/// Other processes may send to a netlink socket: theirs are skipped. Error of kind `InvalidData` for a datagram that
/// does not fit, `WouldBlock` when none came in time.
pub(crate) fn receive(socket: &Socket, buffer: &mut Vec<u8>, flags: i32) -> io::Result<()> {
    let begin = Instant::now();
    loop {
        buffer.clear();
        match socket.recv_from(buffer, flags | libc::MSG_TRUNC) {
            Ok((length, _)) if length > buffer.len() => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a netlink datagram was cut short"));
            }
            Ok((_, sender)) if sender.port_number() == 0 => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if begin.elapsed() > PATIENCE {
            return Err(io::ErrorKind::WouldBlock.into());
        }
    }
}
