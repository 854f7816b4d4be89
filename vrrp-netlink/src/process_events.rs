//! The kernel's process connector: which processes of this host begin, end and change their name.
//!
//! It exists in the initial network namespace only, and needs `CAP_NET_ADMIN` there; a socket that was opened there goes
//! on working when its process enters another namespace. Knows nothing of what a process is to anybody.
//!
//! ```no_run
//! use vrrp_netlink::process::wait_readable;
//! use vrrp_netlink::process_events::{Event, ProcessEvents};
//!
//! # fn main() -> vrrp_netlink::Result<()> {
//! let mut processes = ProcessEvents::open()?;
//! let mut events = Vec::new();
//! while wait_readable(&processes, None)? {
//!     processes.read(&mut events)?;
//!     for event in events.drain(..) {
//!         match event {
//!             Event::Forked { parent, child } => println!("{parent} forked {child}"),
//!             Event::Executed(pid) => println!("{pid} runs another program"),
//!             Event::Renamed(pid) => println!("{pid} has another name"),
//!             Event::Ended(pid) => println!("{pid} ended"),
//!             Event::Overrun => println!("something was missed: read /proc"),
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use netlink_sys::protocols::NETLINK_CONNECTOR;
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce};

use crate::process::wait_readable;
use crate::rtnl::transport;
use crate::{Error, Result};

/// The receive buffer in bytes: some ten thousand events.
pub const RECEIVE_BUFFER: usize = 4 << 20;

/// Datagrams that one call of [`ProcessEvents::read`] takes at most.
pub const READ_LIMIT: usize = 1024;

/// How long the kernel's consent may take; it comes within the call that asks.
const CONSENT: Duration = Duration::from_secs(2);

// linux/connector.h, linux/cn_proc.h
const CN_IDX_PROC: u32 = 1;
const CN_VAL_PROC: u32 = 1;
const LISTEN: u32 = 1;
const NLMSG_HEADER: usize = 16;
const CN_HEADER: usize = 20;
const EVENT_AT: usize = NLMSG_HEADER + CN_HEADER;
const DATA_AT: usize = EVENT_AT + 16;
const NONE: u32 = 0;
const FORK: u32 = 0x1;
const EXEC: u32 = 0x2;
const COMM: u32 = 0x200;
const EXIT: u32 = 0x8000_0000;

/// Something that happened to a process. Threads are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A process was forked: it runs what its parent runs.
    Forked {
        /// Who forked it.
        parent: u32,
        /// The new one.
        child: u32,
    },
    /// A process runs another program now.
    Executed(u32),
    /// A process changed its name.
    Renamed(u32),
    /// A process ended.
    Ended(u32),
    /// Events were lost: look at all processes again.
    Overrun,
}

/// A non-blocking socket that receives the kernel's news about processes.
pub struct ProcessEvents {
    socket: Socket,
    received: Vec<u8>,
}

impl ProcessEvents {
    /// Opens it, and makes sure that the kernel consents.
    ///
    /// ECONNREFUSED outside of the initial network namespace and for a kernel without it, EPERM without `CAP_NET_ADMIN`.
    pub fn open() -> Result<Self> {
        Self::try_open().map_err(|error| Error::new("listen to the process connector", error))
    }

    fn try_open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_CONNECTOR)?;
        setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER).or_else(|_| setsockopt(&socket, RcvBuf, &RECEIVE_BUFFER))?;
        socket.bind(&SocketAddr::new(0, CN_IDX_PROC))?;
        socket.set_non_blocking(true)?;
        socket.send_to(&request(), &SocketAddr::new(0, 0), 0)?;
        let mut opened = Self { socket, received: transport::buffer() };
        let deadline = Instant::now() + CONSENT;
        loop {
            match transport::receive(&opened.socket, &mut opened.received, 0) {
                Ok(()) => match consent(&opened.received) {
                    Some(0) => return Ok(opened),
                    Some(errno) => return Err(io::Error::from_raw_os_error(errno)),
                    None => {}
                },
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(ErrorKind::TimedOut.into());
                    }
                    wait_readable(opened.socket.as_fd(), Some(left))
                        .map_err(|error| io::Error::other(error.to_string()))?;
                }
                // Others fork much meanwhile.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Appends what has happened since the last call, at most [`READ_LIMIT`] events: when there is more, the descriptor
    /// stays readable.
    ///
    /// What cannot be received becomes [`Event::Overrun`]; an error means that the socket is of no more use.
    pub fn read(&mut self, events: &mut Vec<Event>) -> Result<()> {
        for _ in 0..READ_LIMIT {
            match transport::receive(&self.socket, &mut self.received, 0) {
                Ok(()) => events.extend(parse(&self.received)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) || error.kind() == ErrorKind::InvalidData => {
                    events.push(Event::Overrun);
                }
                Err(error) => return Err(Error::new("receive from the process connector", error)),
            }
        }
        Ok(())
    }
}

impl AsFd for ProcessEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The event of one datagram; `None` for what is of no interest or makes no sense. Never panics.
pub fn parse(datagram: &[u8]) -> Option<Event> {
    if !is_of_processes(datagram) {
        return None;
    }
    let word = |index: usize| word(datagram, DATA_AT + 4 * index);
    match self::word(datagram, EVENT_AT)? {
        // parent thread, parent process, child thread, child process
        FORK => Some(Event::Forked { parent: word(1)?, child: word(2)? }).filter(|_| word(2) == word(3)),
        EXEC => Some(Event::Executed(word(1)?)),
        // thread, process
        COMM => Some(Event::Renamed(word(1)?)).filter(|_| word(0) == word(1)),
        EXIT => Some(Event::Ended(word(1)?)).filter(|_| word(0) == word(1)),
        _ => None,
    }
}

/// The error number in the kernel's answer to the request.
fn consent(datagram: &[u8]) -> Option<i32> {
    let is_answer = is_of_processes(datagram) && word(datagram, EVENT_AT) == Some(NONE);
    i32::try_from(word(datagram, DATA_AT)?).ok().filter(|_| is_answer)
}

fn is_of_processes(datagram: &[u8]) -> bool {
    word(datagram, NLMSG_HEADER) == Some(CN_IDX_PROC) && word(datagram, NLMSG_HEADER + 4) == Some(CN_VAL_PROC)
}

fn word(datagram: &[u8], at: usize) -> Option<u32> {
    datagram.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

fn request() -> Vec<u8> {
    const LEN: u32 = 40;
    let done = u16::try_from(libc::NLMSG_DONE).unwrap_or(3);
    let mut octets = Vec::new();
    octets.extend(LEN.to_ne_bytes());
    octets.extend(done.to_ne_bytes());
    // Flags, sequence, port; then the connector's idx and val, sequence, acknowledgement, length of the data, flags.
    octets.extend([0; 10]);
    octets.extend([CN_IDX_PROC, CN_VAL_PROC, 0, 0].map(u32::to_ne_bytes).concat());
    octets.extend([4_u16, 0].map(u16::to_ne_bytes).concat());
    octets.extend(LISTEN.to_ne_bytes());
    octets
}
