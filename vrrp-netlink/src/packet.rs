//! Packet sockets: whole Ethernet frames, sent by an interface's index or received from one interface, through a filter.
//!
//! Knows frames as octets; what a frame says is its reader's business.
//!
//! ```no_run
//! use vrrp_netlink::packet::PacketSocket;
//!
//! # fn main() -> vrrp_netlink::Result<()> {
//! let mut frame = [0; 60];
//! frame[..6].fill(0xff);
//! frame[12..14].copy_from_slice(&[0x08, 0x06]);
//! PacketSocket::open()?.send(2, &frame)?;
//! # Ok(())
//! # }
//! ```
//!
//! An ear for announcements of addresses, which sleeps through everything else:
//!
//! ```no_run
//! use vrrp_netlink::packet::{Accept, Filter, PacketSocket};
//! use vrrp_netlink::process::wait_readable;
//!
//! # fn main() -> vrrp_netlink::Result<()> {
//! let ear = PacketSocket::listen_to(2, 0x0806, &Filter::accepting(&[Accept::GratuitousArp]))?;
//! let mut buffer = [0; 128];
//! while wait_readable(&ear, None)? {
//!     while let Some(len) = ear.receive(&mut buffer)? {
//!         println!("{:02x?}", &buffer[..len]);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod datagrams;
mod filter;

use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

use crate::socket::permitted;
use crate::sys::{self, Name, Outgoing, SendHeaders};
use crate::{Error, Result};

pub use datagrams::DatagramEar;
pub(crate) use filter::from_mac;
use filter::of_interface;
pub use filter::{Accept, Filter};

/// Where an Ethernet header carries the protocol of its payload.
const ETHERTYPE: usize = 12;
/// Frames in one system call.
const AT_ONCE: usize = 64;
pub(crate) const SEND: &str = "send a frame";

/// A packet socket. It never blocks.
#[derive(Debug)]
pub struct PacketSocket {
    socket: Socket,
}

impl PacketSocket {
    /// A socket that sends only: the kernel queues nothing for it.
    ///
    /// Fails without `CAP_NET_RAW`.
    pub fn open() -> Result<Self> {
        let socket = Socket::new_raw(Domain::PACKET, Type::RAW.nonblocking().cloexec(), Some(Protocol::from(0)))
            .map_err(|error| {
                let denied = "open a packet socket without CAP_NET_RAW";
                Error::new(permitted(&error, "open a packet socket", denied), error)
            })?;
        Ok(Self { socket })
    }

    /// A socket that also receives the frames of one `ethertype` that arrive by the interface `index`.
    ///
    /// Fails without `CAP_NET_RAW`, and when no such interface exists. Once after the interface went down,
    /// [`receive`](Self::receive) fails with ENETDOWN; it delivers again when the interface is up.
    pub fn listen(index: u32, ethertype: u16) -> Result<Self> {
        Self::open()?.bound(index, ethertype)
    }

    /// The same for the frames of `ethertype` that pass `filter`; none that does not is ever received.
    ///
    /// A socket of one EtherType costs nothing for frames of all others, and never hears what this host sends.
    pub fn listen_to(index: u32, ethertype: u16, filter: &Filter) -> Result<Self> {
        let opened = Self::open()?;
        let attached = opened.socket.attach_filter(&of_interface(index, filter.program()));
        attached.map_err(|error| fail("filter a packet socket", index, error))?;
        opened.bound(index, ethertype)
    }

    fn bound(self, index: u32, ethertype: u16) -> Result<Self> {
        sys::link_address(index, ethertype)
            .and_then(|address| self.socket.bind(&address))
            .map_err(|error| fail("bind a packet socket", index, error))?;
        Ok(self)
    }

    /// Sends one whole frame, Ethernet header first, by the interface `index`, without blocking.
    ///
    /// A frame without a whole header (14 octets) is refused.
    pub fn send(&self, index: u32, frame: &[u8]) -> Result<()> {
        let sent = destination(index, frame).and_then(|name| {
            sys::send_one(self.socket.as_fd(), Outgoing { name: &name, control: None, octets: frame })
        });
        sent.map_err(|error| fail(SEND, index, error))
    }

    /// The same for several frames, each with its interface, in order and in as few system calls as may be; one result for
    /// each, whether or not those before it were sent.
    pub fn send_many(&self, frames: &[(u32, &[u8])]) -> Vec<Result<()>> {
        let mut results = Vec::with_capacity(frames.len());
        let mut headers = SendHeaders::new(frames.len().min(AT_ONCE));
        while let Some((&(index, frame), rest)) = frames.get(results.len()..).and_then(<[_]>::split_first) {
            let Ok(first) = destination(index, frame) else {
                results.push(self.send(index, frame));
                continue;
            };
            let others = rest
                .iter()
                .take(AT_ONCE - 1)
                .map_while(|(index, frame)| Some((destination(*index, frame).ok()?, *frame)));
            let portion: Vec<_> = std::iter::once((first, frame)).chain(others).collect();
            let outgoing = portion.iter().map(|(name, octets)| Outgoing { name, control: None, octets });
            match sys::send_many(self.socket.as_fd(), &mut headers, outgoing) {
                Ok(sent) => results.extend((0..sent).map(|_| Ok(()))),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => results.push(Err(fail(SEND, index, error))),
            }
        }
        results
    }

    /// Receives one frame into `buffer` and returns its length there, cut to the buffer's; `None` when none has arrived.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<Option<usize>> {
        loop {
            match (&self.socket).read(buffer) {
                Ok(len) => return Ok(Some(len)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::new("receive a frame", error)),
            }
        }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Where a whole frame goes.
pub(crate) fn destination(index: u32, frame: &[u8]) -> io::Result<Name> {
    let ethertype = frame
        .get(ETHERTYPE..)
        .and_then(<[u8]>::first_chunk)
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "shorter than an Ethernet header"))?;
    Name::link(index, u16::from_be_bytes(*ethertype))
}

fn fail(operation: &'static str, index: u32, error: io::Error) -> Error {
    Error::new(operation, error).on(format!("interface {index}"))
}

#[cfg(test)]
mod tests;
