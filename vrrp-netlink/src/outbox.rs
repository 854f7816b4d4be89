//! Many small messages by several sockets in few system calls: put together one after the other, then sent at once.
//!
//! Knows where messages go and by which socket; not what is in them.
//!
//! ```no_run
//! use std::net::Ipv4Addr;
//! use vrrp_netlink::outbox::Outbox;
//! use vrrp_netlink::socket::{Ipv4Send, VrrpSocket};
//!
//! # fn main() -> vrrp_netlink::Result<()> {
//! let sockets = [VrrpSocket::open("eth0", 2, 112)?, VrrpSocket::open("eth1", 3, 112)?];
//! let mut outbox = Outbox::new(64, 64);
//! let destination = Ipv4Addr::new(224, 0, 0, 18);
//! for number in 1..=20 {
//!     let header = Ipv4Send { source: Ipv4Addr::new(192, 0, 2, 1), destination, protocol: 112, ttl: 255 };
//!     outbox.put_v4(usize::from(number) % 2, &header, &[0x31, number, 100, 0])?;
//! }
//! // Two system calls.
//! outbox.send(|place| sockets.get(place), |place, error| eprintln!("{}: {error}", sockets[place].interface()));
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::os::fd::AsFd;

use crate::packet;
use crate::socket::{Ipv4Send, sending};
use crate::sys::{self, Name, Outgoing, PacketInfo, SendHeaders};
use crate::{Error, Result};

/// Messages that one system call sends: a receiver whose buffer is small has time to read in between.
pub const AT_ONCE: usize = 64;

/// Messages that wait to be sent, each by the socket that `K` stands for. Its room is allocated once.
pub struct Outbox<K> {
    slots: Vec<Slot<K>>,
    octets: Vec<u8>,
    headers: SendHeaders,
    /// Slots of one socket in this turn.
    chosen: Vec<usize>,
}

struct Slot<K> {
    key: K,
    name: Name,
    control: Option<PacketInfo>,
    octets: Range<usize>,
    done: bool,
}

impl<K: Copy + Eq> Outbox<K> {
    /// Room for `count` messages of `len` octets on the average, headers that are written by us included. Zero counts as one.
    pub fn new(count: usize, len: usize) -> Self {
        let count = count.max(1);
        Self {
            slots: Vec::with_capacity(count),
            octets: Vec::with_capacity(count.saturating_mul(len.max(1))),
            headers: SendHeaders::new(count.min(AT_ONCE)),
            chosen: Vec::with_capacity(count.min(AT_ONCE)),
        }
    }

    /// Whether there is room for one more message of `len` octets, its own headers included, without an allocation.
    pub fn has_room(&self, len: usize) -> bool {
        self.slots.len() < self.slots.capacity() && len <= self.octets.capacity() - self.octets.len()
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Puts in a datagram of IPv4 for a [`VrrpSocket`](crate::socket::VrrpSocket). See its `send`.
    pub fn put_v4(&mut self, key: K, header: &Ipv4Send, payload: &[u8]) -> Result<()> {
        let name = Name::v4(header.destination).map_err(datagram)?;
        self.put(key, name, None, [&header.header(), payload]);
        Ok(())
    }

    /// Puts in a whole datagram, IPv4 header included, for a [`VrrpSocket`](crate::socket::VrrpSocket). See its `send_datagram`.
    pub fn put_datagram(&mut self, key: K, destination: Ipv4Addr, octets: &[u8]) -> Result<()> {
        let name = Name::v4(destination).map_err(datagram)?;
        self.put(key, name, None, [octets, &[]]);
        Ok(())
    }

    /// Puts in a datagram of IPv6 for the [`VrrpSocket6`](crate::socket6::VrrpSocket6) of the interface `index`. See its
    /// `send_with`.
    pub fn put_v6(
        &mut self,
        key: K,
        index: u32,
        (source, destination): (Ipv6Addr, Ipv6Addr),
        hop_limit: u8,
        payload: &[u8],
    ) -> Result<()> {
        let name = Name::v6(destination, index).map_err(datagram)?;
        let control = PacketInfo::new(index, source, hop_limit).map_err(datagram)?;
        self.put(key, name, Some(control), [payload, &[]]);
        Ok(())
    }

    /// Puts in a whole frame for a [`PacketSocket`](crate::packet::PacketSocket), by the interface `index`. See its `send`.
    pub fn put_frame(&mut self, key: K, index: u32, frame: &[u8]) -> Result<()> {
        let name = packet::destination(index, frame).map_err(|error| Error::new(packet::SEND, error))?;
        self.put(key, name, None, [frame, &[]]);
        Ok(())
    }

    /// Sends everything that waits, without blocking: socket by socket, each in the order in which its messages were put in, at
    /// most [`AT_ONCE`] in one system call. Nothing waits afterwards.
    ///
    /// A message that the kernel refuses is told of and left out, and those behind it are sent all the same. So it is with one
    /// for which `socket` knows none, but without a word.
    pub fn send<F: AsFd>(&mut self, socket: impl Fn(K) -> Option<F>, mut refused: impl FnMut(K, Error)) {
        let mut first = 0;
        while let Some(key) = self.slots.get(first..).and_then(|rest| rest.iter().find(|slot| !slot.done)) {
            let key = key.key;
            while self.slots.get(first).is_some_and(|slot| slot.done) {
                first += 1;
            }
            self.chosen.clear();
            let of_key = |(place, slot): (usize, &Slot<K>)| (!slot.done && slot.key == key).then_some(place);
            let behind = self.slots.iter().enumerate().skip(first);
            self.chosen.extend(behind.filter_map(of_key).take(AT_ONCE));
            let outcome = match socket(key) {
                Some(socket) => {
                    let outgoing = self.chosen.iter().filter_map(|place| self.slots.get(*place));
                    let octets = &self.octets;
                    let outgoing = outgoing.map(|slot| Outgoing {
                        name: &slot.name,
                        control: slot.control.as_ref(),
                        octets: octets.get(slot.octets.clone()).unwrap_or_default(),
                    });
                    sys::send_many(socket.as_fd(), &mut self.headers, outgoing)
                }
                None => Ok(self.chosen.len()),
            };
            let done = match outcome {
                // It sends one at least.
                Ok(sent) => sent.max(1),
                Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                Err(error) => {
                    let link = self.chosen.first().and_then(|place| self.slots.get(*place));
                    let link = link.is_some_and(|slot| matches!(slot.name, Name::Link(_)));
                    refused(key, if link { Error::new(packet::SEND, error) } else { datagram(error) });
                    1
                }
            };
            for place in self.chosen.iter().take(done) {
                self.slots[*place].done = true;
            }
        }
        self.slots.clear();
        self.octets.clear();
    }

    fn put(&mut self, key: K, name: Name, control: Option<PacketInfo>, parts: [&[u8]; 2]) {
        let start = self.octets.len();
        for part in parts {
            self.octets.extend_from_slice(part);
        }
        self.slots.push(Slot { key, name, control, octets: start..self.octets.len(), done: false });
    }
}

impl<K> fmt::Debug for Outbox<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("waiting", &self.slots.len()).finish_non_exhaustive()
    }
}

fn datagram(error: io::Error) -> Error {
    Error::new(sending(&error), error)
}

#[cfg(test)]
mod tests;
