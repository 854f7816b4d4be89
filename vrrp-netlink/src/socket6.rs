//! Raw IPv6 sockets of one interface, the counterpart of [`socket`](crate::socket).
//!
//! A raw IPv6 socket delivers payloads; source, destination and hop limit come beside them, as an
//! [`Envelope`](crate::socket::Envelope). Knows how datagrams are sent and received, not what is in them.
//!
//! ```no_run
//! use vrrp_netlink::socket::Batch;
//! use vrrp_netlink::socket6::VrrpSocket6;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let socket = VrrpSocket6::open("eth0", 2, 112)?;
//! let group = "ff02::12".parse()?;
//! socket.join(group)?;
//! socket.send("fe80::1".parse()?, group, &[0x31, 50, 100, 0])?;
//!
//! let mut batch = Batch::new(64, 256);
//! if socket.receive(&mut batch)? > 0 {
//!     for datagram in batch.iter() {
//!         println!("{} octets, {:?}", datagram.bytes.len(), datagram.envelope);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use std::io;
use std::net::Ipv6Addr;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::sieve::Sieve;
use crate::socket::{ANYWHERE, Batch, SIFT, TOS, hear_only_from, permitted, prepare_reception, sending};
use crate::sys::{self, Name, Outgoing, PacketInfo};
use crate::{Error, Result};

/// The hop limit of everything sent: a receiver can tell by it that no router forwarded the datagram.
pub const HOP_LIMIT: u8 = 255;

/// A raw IPv6 socket bound to one interface, for one protocol number. It never blocks.
///
/// What it sends is not looped back to this host, has the hop limit 255 and the traffic class 0xC0. It receives every
/// multicast group that someone on this host has joined on the interface: look at the envelope. The kernel neither fills
/// in nor verifies a checksum inside of the payload.
#[derive(Debug)]
pub struct VrrpSocket6 {
    socket: Socket,
    interface: Box<str>,
    index: u32,
}

impl VrrpSocket6 {
    /// Opens a socket on the interface of this name and index, for datagrams of `protocol`.
    ///
    /// Fails without `CAP_NET_RAW`, when no such interface exists or the index belongs to another one, and when the
    /// kernel has no IPv6.
    pub fn open(interface: &str, index: u32, protocol: u8) -> Result<Self> {
        let opened = Self::unbound(interface, index, protocol)?;
        let (socket, fail) =
            (&opened.socket, |operation| move |error: io::Error| opened_on(operation, error, interface));
        socket.bind_device(Some(interface.as_bytes())).map_err(fail("bind a raw IPv6 socket"))?;
        socket.set_multicast_if_v6(index).map_err(fail("choose the interface of IPv6 multicast"))?;
        socket.set_multicast_loop_v6(false).map_err(fail("switch IPv6 multicast loop off"))?;
        socket.set_multicast_hops_v6(HOP_LIMIT.into()).map_err(fail("set the hop limit of multicast"))?;
        prepare_reception(socket).map_err(|(operation, error)| fail(operation)(error))?;
        Ok(opened)
    }

    /// Opens a socket for datagrams of `protocol` that other hosts send to an address of this host, by whatever interface they
    /// arrive; what it sends takes the way that the kernel's routes say, so that a link-local destination has none. It joins no
    /// group, but hears those that someone on this host has joined: look at the envelope.
    ///
    /// Fails without `CAP_NET_RAW`, and when the kernel has no IPv6.
    pub fn open_anywhere(protocol: u8) -> Result<Self> {
        let opened = Self::unbound(ANYWHERE, 0, protocol)?;
        prepare_reception(&opened.socket).map_err(|(operation, error)| opened_on(operation, error, ANYWHERE))?;
        Ok(opened)
    }

    fn unbound(interface: &str, index: u32, protocol: u8) -> Result<Self> {
        let fail = |operation| move |error: io::Error| opened_on(operation, error, interface);
        let kind = Type::RAW.nonblocking().cloexec();
        let socket =
            Socket::new_raw(Domain::IPV6, kind, Some(Protocol::from(i32::from(protocol)))).map_err(|error| {
                fail(permitted(&error, "open a raw IPv6 socket", "open a raw IPv6 socket without CAP_NET_RAW"))(error)
            })?;
        socket.set_unicast_hops_v6(HOP_LIMIT.into()).map_err(fail("set the hop limit of unicast"))?;
        socket.set_tclass_v6(TOS.into()).map_err(fail("set the traffic class"))?;
        sys::leave_checksum_v6(socket.as_fd()).map_err(fail("keep the kernel from filling in a checksum"))?;
        socket.set_recv_hoplimit_v6(true).map_err(fail("ask for hop limits"))?;
        setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)
            .map_err(|errno| fail("ask for destination addresses")(errno.into()))?;
        Ok(Self { socket, interface: interface.into(), index })
    }

    /// Joins a multicast group on the socket's interface. Joining again does nothing.
    pub fn join(&self, group: Ipv6Addr) -> Result<()> {
        match self.socket.join_multicast_v6(&group, self.index) {
            Err(error) if error.raw_os_error() != Some(libc::EADDRINUSE) => {
                Err(self.fail("join an IPv6 multicast group", error))
            }
            _ => Ok(()),
        }
    }

    /// Hears from now on only what comes in Ethernet frames from this MAC address; see
    /// [`VrrpSocket::hear_only_from`](crate::socket::VrrpSocket::hear_only_from).
    pub fn hear_only_from(&self, mac: [u8; 6]) -> Result<()> {
        hear_only_from(&self.socket, mac).map_err(|(operation, error)| self.fail(operation, error))
    }

    /// Hears from now on only what passes `sieve`, which replaces the one before; what is queued stays. Does not wait.
    pub fn sift(&self, sieve: &Sieve) -> Result<()> {
        self.socket.attach_filter(&sieve.program()).map_err(|error| self.fail(SIFT, error))
    }

    /// Sends one datagram without blocking or allocating. `::` as source lets the kernel choose.
    ///
    /// A source that this interface does not have, or on which duplicate address detection is not finished, is refused
    /// (EINVAL). A full send buffer is an error of kind `WouldBlock`. A payload above the MTU is sent in fragments.
    pub fn send(&self, source: Ipv6Addr, destination: Ipv6Addr, payload: &[u8]) -> Result<()> {
        self.send_with(source, destination, HOP_LIMIT, payload)
    }

    /// As [`VrrpSocket6::send`], with a hop limit of its own, 0..=255.
    pub fn send_with(&self, source: Ipv6Addr, destination: Ipv6Addr, hop_limit: u8, payload: &[u8]) -> Result<()> {
        let sent = Name::v6(destination, self.index).and_then(|name| {
            let control = PacketInfo::new(self.index, source, hop_limit)?;
            sys::send_one(self.socket.as_fd(), Outgoing { name: &name, control: Some(&control), octets: payload })
        });
        sent.map_err(|error| self.fail(sending(&error), error))
    }

    /// Replaces what `batch` holds by datagrams that have arrived, in order; returns how many, 0 when none has.
    ///
    /// One system call, no allocation. A full batch means that there may be more.
    pub fn receive(&self, batch: &mut Batch) -> Result<usize> {
        batch.fill_from(self.socket.as_fd()).map_err(|error| self.fail("receive datagrams", error))
    }

    /// The interface's name when the socket was opened; "any interface" for one of all.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// The interface's index; 0 for a socket of all.
    pub fn index(&self) -> u32 {
        self.index
    }

    fn fail(&self, operation: &'static str, error: io::Error) -> Error {
        Error::new(operation, error).on(&*self.interface)
    }
}

impl AsFd for VrrpSocket6 {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn opened_on(operation: &'static str, error: io::Error, interface: &str) -> Error {
    Error::new(operation, error).on(interface)
}

#[cfg(test)]
mod tests;
