//! Removing a table of nftables by asking the kernel itself: for whoever has no time for the program `nft`, or cannot start any.
//!
//! Knows the frame of the kernel's messages and names; nothing of rules.

use std::io;
use std::time::Duration;

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_NETFILTER;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::time::{TimeVal, TimeValLike as _};

use super::MARK;
use crate::rtnl::{Body, Replies, transport};
use crate::{Error, Result};

/// Signals and a kernel that is busy with another's ruleset aside, the answer is there when the request was sent.
const PATIENCE: Duration = Duration::from_secs(5);

// linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h, linux/netfilter.h
const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const SUBSYSTEM: u16 = 10;
const DELETE_TABLE: u16 = SUBSYSTEM << 8 | 2;
const GET_CHAIN: u16 = SUBSYSTEM << 8 | 4;
const FAMILY_UNSPECIFIED: u8 = 0;
const FAMILY_INET: u8 = 1;
/// The name of a table, and of the table that a chain is in.
const TABLE: u16 = 1;
const CHAIN: u16 = 3;
/// Octets of a message's header.
const HEADER: usize = 16;

/// A socket for that, which belongs to the network namespace in which it was opened.
pub struct Remover {
    socket: Socket,
    sequence: u32,
    received: Vec<u8>,
}

impl Remover {
    /// Opens it. Removing needs `CAP_NET_ADMIN`.
    ///
    /// Fails on a kernel without nftables.
    pub fn open() -> Result<Self> {
        let open = || {
            let mut socket = Socket::new(NETLINK_NETFILTER)?;
            socket.bind_auto()?;
            let patience = TimeVal::milliseconds(i64::try_from(PATIENCE.as_millis()).unwrap_or(i64::MAX));
            setsockopt(&socket, ReceiveTimeout, &patience)?;
            Ok(socket)
        };
        let socket = open().map_err(|error: io::Error| Error::new("open a way to nftables", error))?;
        Ok(Self { socket, sequence: 0, received: transport::buffer() })
    }

    /// Whether there is a table `inet` of this name that was made by [`Firewall::set_up`](super::Firewall::set_up), of this
    /// process or another one.
    pub fn is_ours(&mut self, table: &str) -> Result<bool> {
        let chain = MARK.strip_prefix("chain ").unwrap_or(MARK);
        let mut datagram = Vec::new();
        let asked = self.message(GET_CHAIN, REQUEST, FAMILY_INET, &[(TABLE, table), (CHAIN, chain)], &mut datagram);
        self.ask(&datagram, asked).map_err(|error| Error::new("look for the table of nftables", error))
    }

    /// Removes the table `inet` of this name, unless somebody else has made it; whether there was one of ours.
    pub fn remove_ours(&mut self, table: &str) -> Result<bool> {
        Ok(self.is_ours(table)? && self.remove(table)?)
    }

    /// Removes the table `inet` of this name, with all that is in it, whoever has made it; whether there was one.
    pub fn remove(&mut self, table: &str) -> Result<bool> {
        let mut datagram = Vec::new();
        self.message(BATCH_BEGIN, REQUEST, FAMILY_UNSPECIFIED, &[], &mut datagram);
        let flags = REQUEST | ACKNOWLEDGE;
        let asked = self.message(DELETE_TABLE, flags, FAMILY_INET, &[(TABLE, table)], &mut datagram);
        self.message(BATCH_END, REQUEST, FAMILY_UNSPECIFIED, &[], &mut datagram);
        self.ask(&datagram, asked).map_err(|error| Error::new("remove the table of nftables", error))
    }

    /// Whether the kernel knows what the message with this number is about. What it refuses else, it refuses with any of the
    /// numbers of the datagram.
    fn ask(&mut self, datagram: &[u8], number: u32) -> io::Result<bool> {
        let first = number.saturating_sub(1);
        transport::send(&self.socket, datagram)?;
        loop {
            transport::receive(&self.socket, &mut self.received, 0)?;
            for reply in Replies::new(&self.received) {
                let reply = reply?;
                if !(first..=self.sequence).contains(&reply.sequence) {
                    continue;
                }
                match reply.body {
                    Body::Refused { errno: libc::ENOENT, .. } => return Ok(false),
                    Body::Refused { errno, .. } => return Err(io::Error::from_raw_os_error(errno)),
                    Body::Ack | Body::Object { .. } | Body::Done if reply.sequence == number => return Ok(true),
                    Body::Ack | Body::Object { .. } | Body::Done => {}
                }
            }
        }
    }

    /// Appends a message with the next number, which is returned.
    fn message(&mut self, kind: u16, flags: u16, family: u8, names: &[(u16, &str)], datagram: &mut Vec<u8>) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        let mut body = vec![family, 0];
        body.extend(if family == FAMILY_UNSPECIFIED { SUBSYSTEM } else { 0 }.to_be_bytes());
        for (attribute, name) in names {
            let length = 4 + name.len() + 1;
            body.extend(u16::try_from(length).unwrap_or(u16::MAX).to_ne_bytes());
            body.extend(attribute.to_ne_bytes());
            body.extend(name.as_bytes());
            body.resize(body.len() - name.len() + (length - 4).next_multiple_of(4), 0);
        }
        datagram.extend(u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX).to_ne_bytes());
        datagram.extend(kind.to_ne_bytes());
        datagram.extend(flags.to_ne_bytes());
        datagram.extend(self.sequence.to_ne_bytes());
        datagram.extend(0_u32.to_ne_bytes());
        datagram.extend(body);
        self.sequence
    }
}
