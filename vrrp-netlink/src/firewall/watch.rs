//! News about tables of nftables: whether somebody has changed, emptied or removed one.
//!
//! Knows the frame of the kernel's messages and the name of a table; nothing of rules.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::NlasIterator;
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_NETFILTER;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce};

use crate::rtnl::{Body, Replies, transport};
use crate::{Error, Result};

/// The receive buffer in bytes: another's ruleset of some ten thousand rules, put in at once.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Datagrams that one call of [`Watch::read`] takes at most.
const READ_LIMIT: usize = 1024;

// linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h, linux/netfilter.h
const GROUP: u32 = 7;
const SUBSYSTEM: u16 = 10;
const NEW_GENERATION: u16 = 15;
const FAMILY_INET: u8 = 1;
/// Octets of the family, the version and the resource's number, before the attributes.
const HEADER: usize = 4;
/// In tables, chains, rules, sets, elements and objects alike, the first attribute is the table's name.
const TABLE: u16 = 1;

/// A non-blocking socket that receives the kernel's news about nftables.
///
/// It belongs to the network namespace in which it was opened. Its descriptor is readable when there is news, for a
/// foreign event loop.
pub struct Watch {
    socket: Socket,
    received: Vec<u8>,
    table: String,
}

impl Watch {
    /// Listens to what happens to this table of the family `inet`. Needs `CAP_NET_ADMIN`.
    pub fn open(table: &str) -> Result<Self> {
        let open = || {
            let mut socket = Socket::new(NETLINK_NETFILTER)?;
            setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER)
                .or_else(|_| setsockopt(&socket, RcvBuf, &RECEIVE_BUFFER))?;
            socket.bind_auto()?;
            socket.set_non_blocking(true)?;
            socket.add_membership(GROUP)?;
            Ok(socket)
        };
        let socket = open().map_err(|error: io::Error| Error::new("listen to news about nftables", error))?;
        Ok(Self { socket, received: transport::buffer(), table: table.to_owned() })
    }

    /// Whether anything happened to the table since the last call, be it the caller's own doing; also when news was lost.
    ///
    /// It takes at most as much at once as keeps its caller responsive: when there is more, the descriptor stays readable.
    /// An error means that the socket is of no more use.
    pub fn read(&mut self) -> Result<bool> {
        let mut concerned = false;
        for _ in 0..READ_LIMIT {
            match transport::receive(&self.socket, &mut self.received, 0) {
                Ok(()) => concerned |= concerns(&self.received, &self.table),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error)
                    if error.raw_os_error() == Some(libc::ENOBUFS) || error.kind() == io::ErrorKind::InvalidData =>
                {
                    concerned = true;
                }
                Err(error) => return Err(Error::new("receive news about nftables", error)),
            }
        }
        Ok(concerned)
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether a datagram of news is about this table of the family `inet`, or makes no sense. Never panics.
///
/// ```
/// use vrrp_netlink::firewall::concerns;
/// assert!(!concerns(&[], "failover"));
/// assert!(concerns(&[0xff; 7], "failover"));
/// ```
pub fn concerns(datagram: &[u8], table: &str) -> bool {
    Replies::new(datagram).any(|reply| match reply.map(|reply| reply.body) {
        Ok(Body::Object { kind, payload }) => object(kind, payload, table),
        Ok(Body::Ack | Body::Refused { .. } | Body::Done) => false,
        Err(_) => true,
    })
}

fn object(kind: u16, payload: &[u8], table: &str) -> bool {
    if kind >> 8 != SUBSYSTEM || kind & 0xff == NEW_GENERATION || payload.first() != Some(&FAMILY_INET) {
        return false;
    }
    let attributes = payload.get(HEADER..).unwrap_or_default();
    NlasIterator::new(attributes).any(|attribute| match attribute {
        Ok(attribute) => {
            attribute.kind() == TABLE
                && attribute.value().strip_suffix(&[0]).unwrap_or(attribute.value()) == table.as_bytes()
        }
        Err(_) => true,
    })
}
