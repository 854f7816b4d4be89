//! Datagrams by whichever interface, of both families, by sockets that hear nothing: for a process that seldom sends and must
//! not need to open anything by then.
//!
//! Knows how datagrams are sent, not what is in them.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn, SockaddrIn6, sendmsg};
use socket2::{Domain, Protocol, Socket, Type};

use crate::links::numbered;
use crate::socket::{Ipv4Send, TOS, permitted, sending};
use crate::{Error, Result};

/// Octets of an IPv6 header.
const HEADER6_LEN: usize = 40;

/// Two raw sockets, one of IPv6 where the kernel has it. They receive nothing and never block.
#[derive(Debug)]
pub struct Sender {
    v4: Socket,
    v6: Option<Socket>,
}

impl Sender {
    /// Fails without `CAP_NET_RAW`.
    pub fn open() -> Result<Self> {
        let fail = |error: io::Error| {
            Error::new(permitted(&error, "open a raw socket", "open a raw socket without CAP_NET_RAW"), error)
        };
        let v4 = open(Domain::IPV4).map_err(fail)?;
        v4.set_multicast_loop_v4(false).map_err(fail)?;
        let v6 = match open(Domain::IPV6) {
            Ok(socket) => {
                socket.set_multicast_loop_v6(false).map_err(fail)?;
                Some(socket)
            }
            Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => None,
            Err(error) => return Err(fail(error)),
        };
        Ok(Self { v4, v6 })
    }

    /// Sends one datagram by the interface `index`, with this source whether or not the host has it. For IPv6 it must have some
    /// address that can be used.
    ///
    /// `InvalidInput` when the two addresses are of different families, or the payload is longer than a datagram can be.
    pub fn send(
        &self,
        index: u32,
        (source, destination): (IpAddr, IpAddr),
        protocol: u8,
        ttl: u8,
        payload: &[u8],
    ) -> Result<()> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let header = Ipv4Send { source, destination, protocol, ttl }.header();
                self.send_v4(index, destination, &[IoSlice::new(&header), IoSlice::new(payload)])
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let header = header6(source, destination, protocol, ttl, payload.len());
                let header = header.map_err(|error| failed(index, error))?;
                self.send_v6(index, destination, &[IoSlice::new(&header), IoSlice::new(payload)])
            }
            _ => Err(failed(index, io::ErrorKind::InvalidInput.into())),
        }
    }

    /// Sends one whole IPv4 datagram, header included, by the interface `index`. The kernel writes its total length and
    /// checksum.
    pub fn send_datagram(&self, index: u32, destination: Ipv4Addr, datagram: &[u8]) -> Result<()> {
        self.send_v4(index, destination, &[IoSlice::new(datagram)])
    }

    fn send_v4(&self, index: u32, destination: Ipv4Addr, parts: &[IoSlice<'_>]) -> Result<()> {
        let number = i32::try_from(index).map_err(|_| failed(index, io::Error::from_raw_os_error(libc::ENODEV)))?;
        let any = libc::in_addr { s_addr: 0 };
        let information = libc::in_pktinfo { ipi_ifindex: number, ipi_spec_dst: any, ipi_addr: any };
        let control = [ControlMessage::Ipv4PacketInfo(&information)];
        let to = SockaddrIn::from(SocketAddrV4::new(destination, 0));
        sendmsg(self.v4.as_raw_fd(), parts, &control, flags(), Some(&to))
            .map_err(|errno| failed(index, errno.into()))?;
        Ok(())
    }

    fn send_v6(&self, index: u32, destination: Ipv6Addr, parts: &[IoSlice<'_>]) -> Result<()> {
        let v6 = self.v6.as_ref().ok_or_else(|| failed(index, io::Error::from_raw_os_error(libc::EAFNOSUPPORT)))?;
        let any = libc::in6_addr { s6_addr: [0; 16] };
        let information = libc::in6_pktinfo { ipi6_addr: any, ipi6_ifindex: index };
        let control = [ControlMessage::Ipv6PacketInfo(&information)];
        let to = SockaddrIn6::from(SocketAddrV6::new(destination, 0, 0, index));
        sendmsg(v6.as_raw_fd(), parts, &control, flags(), Some(&to)).map_err(|errno| failed(index, errno.into()))?;
        Ok(())
    }
}

/// Headers are ours with this protocol, and nothing is ever received by it.
fn open(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new_raw(domain, Type::RAW.nonblocking().cloexec(), Some(Protocol::from(libc::IPPROTO_RAW)))?;
    socket.set_recv_buffer_size(0)?;
    Ok(socket)
}

fn header6(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    protocol: u8,
    hop_limit: u8,
    len: usize,
) -> io::Result<[u8; HEADER6_LEN]> {
    let len = u16::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut header = [0; HEADER6_LEN];
    // Version, traffic class, and no flow label.
    header[0] = 0x60 | TOS >> 4;
    header[1] = TOS << 4;
    header[4..6].copy_from_slice(&len.to_be_bytes());
    header[6] = protocol;
    header[7] = hop_limit;
    header[8..24].copy_from_slice(&source.octets());
    header[24..].copy_from_slice(&destination.octets());
    Ok(header)
}

fn flags() -> MsgFlags {
    MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL
}

fn failed(index: u32, error: io::Error) -> Error {
    Error::new(sending(&error), error).on(numbered(index))
}

#[cfg(test)]
mod tests;
