//! Room for received datagrams, and what the kernel tells beside each.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::Ipv6Addr;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::sys;

/// One datagram of a [`Batch`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagram<'b> {
    /// From an IPv4 socket, the datagram with its header; from an IPv6 socket, its payload: that is how the kernel
    /// delivers them.
    pub bytes: &'b [u8],
    /// What the header said, where it is not among the octets; `None` from an IPv4 socket.
    pub envelope: Option<Envelope>,
    /// Time since the kernel received it, as far as the wall clock tells: a clock set back gives 0, a clock set forward
    /// too much, so clamp it. 0 where the kernel gave no time stamp.
    pub age: Duration,
    /// Whether the datagram was longer than the batch's room for one, and `bytes` is its beginning.
    pub truncated: bool,
}

/// The fields of an IPv6 header that a receiver may care for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Envelope {
    /// Who sent it.
    pub source: Ipv6Addr,
    /// A group, or an address of this host.
    pub destination: Ipv6Addr,
    /// What is left of the hop limit: 255 when no router has forwarded it.
    pub hop_limit: u8,
}

/// Room for the datagrams of one receive, allocated once.
pub struct Batch {
    octets: Box<[u8]>,
    controls: Box<[sys::Control]>,
    headers: sys::Headers,
    room: usize,
    received: usize,
    now: Duration,
    lost: u32,
}

impl Batch {
    /// Room for `count` datagrams of at most `datagram_len` octets each, an IPv4 header included. Zero counts as one; the
    /// kernel delivers at most 1024 at a time.
    pub fn new(count: usize, datagram_len: usize) -> Self {
        let (count, room) = (count.max(1), datagram_len.max(1));
        Self {
            octets: vec![0; count.saturating_mul(room)].into(),
            controls: vec![sys::Control([0; sys::CONTROL_LEN]); count].into(),
            headers: sys::Headers::new(count),
            room,
            received: 0,
            now: Duration::ZERO,
            lost: 0,
        }
    }

    /// The datagrams of the last receive, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Datagram<'_>> {
        let slots = self.octets.chunks_exact(self.room).zip(&self.controls).enumerate().take(self.received);
        slots.map(|(slot, (octets, control))| {
            let told = read_control(&control.0);
            let envelope =
                |source| Some(Envelope { source, destination: told.destination?, hop_limit: told.hop_limit? });
            Datagram {
                bytes: &octets[..self.headers.len(slot).min(octets.len())],
                envelope: self.headers.source(slot).and_then(envelope),
                age: told.stamp.map_or(Duration::ZERO, |stamp| self.now.saturating_sub(stamp)),
                truncated: self.headers.truncated(slot),
            }
        })
    }

    /// How many datagrams the last receive delivered.
    pub fn len(&self) -> usize {
        self.received
    }

    /// Whether the last receive delivered nothing.
    pub fn is_empty(&self) -> bool {
        self.received == 0
    }

    /// How many datagrams its socket has lost since it was opened, because the receive buffer was full; as told with the newest
    /// datagram received, 0 when none was. It wraps at 2^32.
    pub fn lost(&self) -> u32 {
        self.lost
    }

    pub(crate) fn fill_from(&mut self, fd: BorrowedFd<'_>) -> io::Result<usize> {
        (self.received, self.lost) = (0, 0);
        self.received = loop {
            match sys::receive_many(fd, &mut self.headers, &mut self.octets, self.room, &mut self.controls) {
                Ok(received) => break received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        self.now = clock_gettime(ClockId::CLOCK_REALTIME)?.into();
        if let Some(newest) = self.received.checked_sub(1).and_then(|last| self.controls.get(last)) {
            // The kernel leaves the count out while it is 0.
            self.lost = read_control(&newest.0).lost.unwrap_or(0);
        }
        Ok(self.received)
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What the kernel tells beside a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Told {
    stamp: Option<Duration>,
    lost: Option<u32>,
    destination: Option<Ipv6Addr>,
    hop_limit: Option<u8>,
}

/// Walks control messages: length (a word, header included), level, type, data, padding to a word. Zeroes end it.
fn read_control(mut octets: &[u8]) -> Told {
    const WORD: usize = size_of::<usize>();
    const HEADER: usize = WORD + 8;

    let mut told = Told::default();
    while let (Some(len), Some(level), Some(kind)) =
        (array(octets, 0), array(octets, WORD).map(i32::from_ne_bytes), array(octets, WORD + 4).map(i32::from_ne_bytes))
    {
        let len = usize::from_ne_bytes(len);
        let Some(data) = octets.get(HEADER..len) else { break };
        if level == libc::SOL_SOCKET && kind == libc::SCM_TIMESTAMPNS {
            told.stamp = read_stamp(data);
        } else if level == libc::SOL_SOCKET && kind == libc::SO_RXQ_OVFL {
            told.lost = array(data, 0).map(u32::from_ne_bytes);
        } else if level == libc::IPPROTO_IPV6 && kind == libc::IPV6_PKTINFO {
            told.destination = array::<16>(data, 0).map(Ipv6Addr::from);
        } else if level == libc::IPPROTO_IPV6 && kind == libc::IPV6_HOPLIMIT {
            told.hop_limit = array(data, 0).map(i32::from_ne_bytes).and_then(|limit| u8::try_from(limit).ok());
        }
        octets = octets.get(len.next_multiple_of(WORD)..).unwrap_or_default();
    }
    told
}

/// Seconds and nanoseconds, of 64 bits each or, on older 32-bit systems, of 32.
fn read_stamp(data: &[u8]) -> Option<Duration> {
    let (seconds, nanoseconds) = if data.len() >= 16 {
        (i64::from_ne_bytes(array(data, 0)?), i64::from_ne_bytes(array(data, 8)?))
    } else {
        (i32::from_ne_bytes(array(data, 0)?).into(), i32::from_ne_bytes(array(data, 4)?).into())
    };
    let nanoseconds = u32::try_from(nanoseconds).ok().filter(|&nanoseconds| nanoseconds < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(seconds).ok()?, nanoseconds))
}

fn array<const N: usize>(octets: &[u8], at: usize) -> Option<[u8; N]> {
    octets.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests;
