//! Raw IPv4 sockets of one interface, made for a protocol of small multicast datagrams.
//!
//! Knows how datagrams are sent and received, and when the kernel received them; not what is in them.
//!
//! ```no_run
//! use std::net::Ipv4Addr;
//! use vrrp_netlink::socket::{Batch, Ipv4Send, VrrpSocket};
//!
//! # fn main() -> vrrp_netlink::Result<()> {
//! let group = Ipv4Addr::new(224, 0, 0, 18);
//! let socket = VrrpSocket::open("eth0", 2, 112)?;
//! socket.join(group)?;
//! let header = Ipv4Send { source: Ipv4Addr::new(192, 0, 2, 1), destination: group, protocol: 112, ttl: 255 };
//! socket.send(&header, &[0x31, 50, 100, 0])?;
//!
//! let mut batch = Batch::new(64, 256);
//! if socket.receive(&mut batch)? > 0 {
//!     for datagram in batch.iter() {
//!         println!("{} octets, received {:?} ago", datagram.bytes.len(), datagram.age);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod batch;

use std::io::{self, ErrorKind, IoSlice, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, Socket, Type};

use crate::packet::from_mac;
use crate::sieve::Sieve;
use crate::sys;
use crate::{Error, Result};

pub use batch::{Batch, Datagram, Envelope};

/// What errors call the interface of a socket that is bound to none.
pub(crate) const ANYWHERE: &str = "any interface";

pub(crate) const SIFT: &str = "filter a raw socket";

/// Octets asked for as the receive buffer. The usual default holds 256 small datagrams, this one several thousand.
pub const RECEIVE_BUFFER: usize = 2 * 1024 * 1024;

/// Length of an IPv4 header without options, octets.
const HEADER_LEN: usize = 20;
/// Precedence "internetwork control", as routing protocols use it.
pub(crate) const TOS: u8 = 0xc0;
/// The queueing priority that goes with it.
const PRIORITY: u32 = 6;
/// More datagrams than arrive while a socket is being set up; ends the discarding under a flood.
const MOST_STRAYS: usize = 1 << 16;

/// The fields of an IPv4 header that the sender chooses.
///
/// The header's type of service is 0xC0, it is never a fragment; the kernel fills identification, total length and
/// checksum.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ipv4Send {
    /// Source address, sent as given whether or not this host has it; 0.0.0.0 lets the kernel choose.
    pub source: Ipv4Addr,
    /// Destination: a group, or one host.
    pub destination: Ipv4Addr,
    /// Protocol number.
    pub protocol: u8,
    /// Time to live, 1..=255.
    pub ttl: u8,
}

impl Ipv4Send {
    pub(crate) fn header(&self) -> [u8; HEADER_LEN] {
        let mut header = [0; HEADER_LEN];
        header[0] = 0x45;
        header[1] = TOS;
        header[8] = self.ttl;
        header[9] = self.protocol;
        header[12..16].copy_from_slice(&self.source.octets());
        header[16..20].copy_from_slice(&self.destination.octets());
        header
    }
}

/// A raw IPv4 socket bound to one interface, for one protocol number. It never blocks.
///
/// What it sends is not looped back to this host, and of multicast it receives the groups it joined only.
#[derive(Debug)]
pub struct VrrpSocket {
    socket: Socket,
    interface: Box<str>,
    index: u32,
}

impl VrrpSocket {
    /// Opens a socket on the interface of this name and index, for datagrams of `protocol`.
    ///
    /// Fails without `CAP_NET_RAW`, and when no such interface exists or the index belongs to another one.
    pub fn open(interface: &str, index: u32, protocol: u8) -> Result<Self> {
        let fail = |operation: &'static str| move |error: io::Error| Error::new(operation, error).on(interface);

        let kind = Type::RAW.nonblocking().cloexec();
        let socket =
            Socket::new_raw(Domain::IPV4, kind, Some(Protocol::from(i32::from(protocol)))).map_err(|error| {
                fail(permitted(&error, "open a raw socket", "open a raw socket without CAP_NET_RAW"))(error)
            })?;
        socket.bind_device(Some(interface.as_bytes())).map_err(fail("bind a raw socket"))?;
        sys::set_multicast_interface(socket.as_fd(), index).map_err(fail("choose the interface of multicast"))?;
        socket.set_header_included_v4(true).map_err(fail("send own IPv4 headers"))?;
        socket.set_multicast_loop_v4(false).map_err(fail("switch multicast loop off"))?;
        socket.set_multicast_all_v4(false).map_err(fail("refuse groups not joined"))?;
        prepare_reception(&socket).map_err(|(operation, error)| fail(operation)(error))?;
        Ok(Self { socket, interface: interface.into(), index })
    }

    /// Opens a socket for datagrams of `protocol` that other hosts send to an address of this host, by whatever interface they
    /// arrive; what it sends takes the way that the kernel's routes say. Of multicast it hears nothing.
    ///
    /// Fails without `CAP_NET_RAW`.
    pub fn open_anywhere(protocol: u8) -> Result<Self> {
        let fail = |operation: &'static str| move |error: io::Error| Error::new(operation, error);

        let kind = Type::RAW.nonblocking().cloexec();
        let socket =
            Socket::new_raw(Domain::IPV4, kind, Some(Protocol::from(i32::from(protocol)))).map_err(|error| {
                fail(permitted(&error, "open a raw socket", "open a raw socket without CAP_NET_RAW"))(error)
            })?;
        socket.set_header_included_v4(true).map_err(fail("send own IPv4 headers"))?;
        socket.set_multicast_all_v4(false).map_err(fail("refuse groups not joined"))?;
        prepare_reception(&socket).map_err(|(operation, error)| fail(operation)(error))?;
        Ok(Self { socket, interface: ANYWHERE.into(), index: 0 })
    }

    /// Joins a multicast group on the socket's interface. Joining again does nothing.
    pub fn join(&self, group: Ipv4Addr) -> Result<()> {
        match self.socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(self.index)) {
            Err(error) if error.raw_os_error() != Some(libc::EADDRINUSE) => {
                Err(self.fail("join a multicast group", error))
            }
            _ => Ok(()),
        }
    }

    /// Hears from now on only what comes in Ethernet frames from this MAC address.
    ///
    /// On a macvlan that is what is delivered to it alone: frames from its own MAC address, which another host has, too.
    /// Everything else its base hears as well.
    pub fn hear_only_from(&self, mac: [u8; 6]) -> Result<()> {
        hear_only_from(&self.socket, mac).map_err(|(operation, error)| self.fail(operation, error))
    }

    /// Hears from now on only what passes `sieve`, which replaces the one before; what is queued stays. Does not wait.
    pub fn sift(&self, sieve: &Sieve) -> Result<()> {
        self.socket.attach_filter(&sieve.program()).map_err(|error| self.fail(SIFT, error))
    }

    /// Sends one datagram, header and payload in one system call, without blocking.
    ///
    /// A full send buffer is an error of kind `WouldBlock`; a payload above the interface's MTU is refused (EMSGSIZE).
    pub fn send(&self, header: &Ipv4Send, payload: &[u8]) -> Result<()> {
        let octets = header.header();
        self.hand_over(&[IoSlice::new(&octets), IoSlice::new(payload)], header.destination)
    }

    /// Sends one whole datagram, IPv4 header included, without blocking. The kernel replaces a header's total length and
    /// checksum, an identification of 0 and a source of 0.0.0.0; it sends no more than the interface's MTU (EMSGSIZE).
    pub fn send_datagram(&self, destination: Ipv4Addr, datagram: &[u8]) -> Result<()> {
        self.hand_over(&[IoSlice::new(datagram)], destination)
    }

    /// Replaces what `batch` holds by datagrams that have arrived, in order; returns how many, 0 when none has.
    ///
    /// One system call, no allocation. A full batch means that there may be more.
    pub fn receive(&self, batch: &mut Batch) -> Result<usize> {
        batch.fill_from(self.socket.as_fd()).map_err(|error| self.fail("receive datagrams", error))
    }

    /// The size of the receive buffer in octets, as the kernel counts it: twice what was granted.
    pub fn receive_buffer(&self) -> Result<usize> {
        self.socket.recv_buffer_size().map_err(|error| self.fail("read the size of the receive buffer", error))
    }

    /// The interface's name when the socket was opened; "any interface" for one of all.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// The interface's index; 0 for a socket of all.
    pub fn index(&self) -> u32 {
        self.index
    }

    fn hand_over(&self, parts: &[IoSlice<'_>], destination: Ipv4Addr) -> Result<()> {
        let to = SockAddr::from(SocketAddrV4::new(destination, 0));
        match self.socket.send_to_vectored_with_flags(parts, &to, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.fail(sending(&error), error)),
        }
    }

    fn fail(&self, operation: &'static str, error: io::Error) -> Error {
        Error::new(operation, error).on(&*self.interface)
    }
}

impl AsFd for VrrpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What both families have in common behind their own options: queueing, buffer, time stamps; and throws away what
/// arrived by other interfaces before the socket was bound.
pub(crate) fn prepare_reception(socket: &Socket) -> std::result::Result<(), (&'static str, io::Error)> {
    socket.set_priority(PRIORITY).map_err(|error| ("set the priority of a socket", error))?;
    if setsockopt(socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        socket.set_recv_buffer_size(RECEIVE_BUFFER).map_err(|error| ("enlarge the receive buffer", error))?;
    }
    setsockopt(socket, sockopt::ReceiveTimestampns, &true)
        .map_err(|errno| ("ask for receive time stamps", errno.into()))?;
    setsockopt(socket, sockopt::RxqOvfl, &1).map_err(|errno| ("ask for the count of drops", errno.into()))?;
    empty(socket).map_err(|error| ("empty a new raw socket", error))
}

/// Lets nothing pass from now on but what comes in Ethernet frames from this MAC address.
pub(crate) fn hear_only_from(socket: &Socket, mac: [u8; 6]) -> std::result::Result<(), (&'static str, io::Error)> {
    socket.attach_filter(&from_mac(mac)).map_err(|error| (SIFT, error))?;
    empty(socket).map_err(|error| ("empty a new raw socket", error))
}

/// Throws away what has arrived.
fn empty(socket: &Socket) -> io::Result<()> {
    for _ in 0..MOST_STRAYS {
        let mut socket = socket;
        match socket.read(&mut [0]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// `denied` where the kernel refused for want of permission, else `plain`.
pub(crate) fn permitted(error: &io::Error, plain: &'static str, denied: &'static str) -> &'static str {
    if error.kind() == ErrorKind::PermissionDenied { denied } else { plain }
}

/// What failed when a datagram was refused.
pub(crate) fn sending(error: &io::Error) -> &'static str {
    permitted(error, "send a datagram", "send a datagram (a firewall rule may refuse it)")
}

#[cfg(test)]
mod tests;
