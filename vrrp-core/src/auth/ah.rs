//! The IP Authentication Header in front of a VRRPv2 advertisement: HMAC-MD5-96 (RFC 2402, RFC 2403; RFC 2338 section
//! 5.3.6.3, requirement R63).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------+---------------+-------------------------------+
//! |  Next (112)   |  Length (4)   |         Reserved (0)          |
//! +---------------+---------------+-------------------------------+
//! |             SPI: the sender's address, as keepalived          |
//! +---------------------------------------------------------------+
//! |                           Sequence                            |
//! +---------------------------------------------------------------+
//! |                 HMAC-MD5, its first 12 octets                 |
//! +---------------------------------------------------------------+
//! ```
//!
//! Signed are the IPv4 header, this header with zeros in the place of the HMAC, and the message. Of the IPv4 header the fields
//! that change on the way are zeros: type of service, flags and fragment offset, checksum. RFC 2402 also has the TTL as zero;
//! keepalived signs it as it is. Both are accepted, and so is a signature over 255 of a unicast datagram that crossed routers.
//! What is sent is keepalived's, over 255: over unicast, keepalived accepts it only if that is what arrives.
//!
//! **The signature covers the header that the kernel would write.** So what is sent is a whole datagram, header included, for
//! a socket with `IP_HDRINCL`; its identification is never 0, which the kernel would replace.
//!
//! keepalived has one counter for what it sends and for what it hears. A router that shall be heard by it after a takeover must
//! go on from the highest number heard, so that is done here too; in front of that the counter starts at the clock's seconds,
//! where a clock is known, so that a restarted router need not be heard to have been silent. Numbers wrap: the 2^31 ahead are
//! newer, and as VRRPv2's shortest interval is 1 s, that is 68 years.
//!
//! MD5 is what the format says. It is broken as a hash, not as HMAC; still, [`super::trailer`] is the better choice.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

use super::replay::Replay;
use super::{AhError, WallClock, replay};
use crate::checksum::Checksum;
use crate::rx::Arrival;
use crate::types::SimplePassword;
use crate::wire::ipv4::PROTOCOL_VRRP;

/// The protocol number of the Authentication Header.
pub const PROTOCOL_AH: u8 = 51;
/// Octets of the Authentication Header with HMAC-MD5-96.
pub const HEADER_LEN: usize = 24;
/// Octets in front of the message: the IPv4 header and the Authentication Header.
pub const OVERHEAD: usize = IPV4_LEN + HEADER_LEN;

const IPV4_LEN: usize = 20;
/// Length in words of four octets, minus two.
const LENGTH_FIELD: u8 = 4;
const MAC_AT: usize = 12;
const TTL_AT: usize = 8;
/// Internetwork control, as every advertisement of the common implementations.
const TOS: u8 = 0xc0;

/// The key: a password of one to eight octets, filled with zeros to eight. Not shown by `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AhKey(SimplePassword);

impl AhKey {
    /// From the same password that simple text would send.
    pub const fn new(password: SimplePassword) -> Self {
        Self(password)
    }
}

impl fmt::Debug for AhKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AhKey(..)")
    }
}

/// An IPv4 datagram with an Authentication Header in front of its VRRP message. Its accessors are total.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AhPacket<'a> {
    ip: &'a [u8; IPV4_LEN],
    head: &'a [u8; HEADER_LEN],
    message: &'a [u8],
}

impl<'a> AhPacket<'a> {
    /// Checks the forms of both headers. `ip` is the IPv4 header, `payload` all that follows it. A header with options is
    /// refused: no router sends them, and which of them are signed is a science of its own.
    pub fn parse(ip: &'a [u8], payload: &'a [u8]) -> Result<Self, AhError> {
        let (Ok(ip), Some((head, message))) = (ip.try_into(), payload.split_first_chunk::<HEADER_LEN>()) else {
            return Err(AhError::Malformed);
        };
        match head {
            [PROTOCOL_VRRP, LENGTH_FIELD, ..] => Ok(Self { ip, head, message }),
            _ => Err(AhError::Malformed),
        }
    }

    /// The VRRP message.
    pub const fn message(&self) -> &'a [u8] {
        self.message
    }

    /// Security parameters index; the source address, if it is one of ours.
    pub const fn spi(&self) -> u32 {
        u32::from_be_bytes([self.head[4], self.head[5], self.head[6], self.head[7]])
    }

    /// Grows with each message and may wrap.
    pub const fn sequence(&self) -> u32 {
        u32::from_be_bytes([self.head[8], self.head[9], self.head[10], self.head[11]])
    }

    /// Whether `key` signed this datagram, TTL included or not. Takes the same time whichever octet differs.
    pub fn verify(&self, key: AhKey) -> bool {
        self.is_signed_over(key, &[self.ip[TTL_AT], 0])
    }

    /// Whether `key` signed this datagram with one of these in the place of the TTL.
    fn is_signed_over(&self, key: AhKey, ttls: &[u8]) -> bool {
        let (head, mac) = self.head.split_at(MAC_AT);
        ttls.iter().any(|&ttl| {
            digest(key, self.ip, ttl, head, self.message)
                .is_some_and(|digest| digest.verify_truncated_left(mac).is_ok())
        })
    }

    fn source(&self) -> [u8; 4] {
        [self.ip[12], self.ip[13], self.ip[14], self.ip[15]]
    }
}

/// Writes both headers into the first [`OVERHEAD`] octets of `datagram`; the message stands behind them already. `false` when
/// there is no room for them, or when it is longer than IPv4 can say.
pub fn seal(key: AhKey, source: Ipv4Addr, destination: Ipv4Addr, sequence: u32, datagram: &mut [u8]) -> bool {
    let Ok(total) = u16::try_from(datagram.len()) else { return false };
    let Some((ip, rest)) = datagram.split_first_chunk_mut::<IPV4_LEN>() else { return false };
    let Some((head, message)) = rest.split_first_chunk_mut::<HEADER_LEN>() else { return false };
    *ip = [0; IPV4_LEN];
    ip[0] = 0x45;
    ip[1] = TOS;
    ip[2..4].copy_from_slice(&total.to_be_bytes());
    ip[4..6].copy_from_slice(&identification(sequence).to_be_bytes());
    ip[TTL_AT] = crate::rx::TTL;
    ip[9] = PROTOCOL_AH;
    ip[12..16].copy_from_slice(&source.octets());
    ip[16..].copy_from_slice(&destination.octets());
    let sum = Checksum::default().with(ip).finish();
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    *head = [0; HEADER_LEN];
    head[0] = PROTOCOL_VRRP;
    head[1] = LENGTH_FIELD;
    head[4..8].copy_from_slice(&source.octets());
    head[8..MAC_AT].copy_from_slice(&sequence.to_be_bytes());
    let (head, mac) = head.split_at_mut(MAC_AT);
    let Some(digest) = digest(key, ip, crate::rx::TTL, head, message) else { return false };
    mac.copy_from_slice(&digest.finalize().into_bytes()[..HEADER_LEN - MAC_AT]);
    true
}

/// The rungs, in this order: SPI, authentic, new.
pub(crate) fn check(key: AhKey, replay: &Replay, packet: &AhPacket<'_>, arrival: Arrival) -> Result<(), AhError> {
    if packet.spi().to_be_bytes() != packet.source() {
        return Err(AhError::Spi(packet.spi()));
    }
    let authentic = match arrival {
        Arrival::Multicast => packet.verify(key),
        // On its way from the peer, routers may have counted it down.
        Arrival::Unicast { ttl, .. } => packet.is_signed_over(key, &[ttl, 0, crate::rx::TTL]),
    };
    if !authentic {
        return Err(AhError::Invalid);
    }
    let sequence = packet.sequence();
    if !replay.heard.allows(sender(packet), widen(sequence), |_| true) {
        return Err(AhError::Replay { sequence });
    }
    Ok(())
}

/// Marks the packet as heard, and goes on from its number.
pub(crate) fn remember(replay: &mut Replay, packet: &AhPacket<'_>) {
    let number = widen(packet.sequence());
    replay.heard.enter(sender(packet), number, |_| true);
    if replay.sent.is_none_or(|sent| replay::after(number, sent)) {
        replay.sent = Some(number);
    }
}

/// The number of the next message.
pub(crate) fn next(replay: &mut Replay, clock: Option<WallClock>) -> u32 {
    let counted = replay.sent.unwrap_or(0).wrapping_add(widen(1));
    let clock = clock.map(|clock| widen(clock.seconds()));
    // With nothing sent or heard yet the clock is taken as it is: half the circle from 0 lies in 2038.
    let number = clock.filter(|clock| replay.sent.is_none() || replay::after(*clock, counted)).unwrap_or(counted);
    replay.sent = Some(number);
    narrow(number)
}

fn sender(packet: &AhPacket<'_>) -> IpAddr {
    IpAddr::V4(packet.source().into())
}

/// Into the upper half, so that the wrap of 32 bits is that of 64.
fn widen(sequence: u32) -> u64 {
    u64::from(sequence) << 32
}

const fn narrow(number: u64) -> u32 {
    let [a, b, c, d, ..] = number.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

fn identification(sequence: u32) -> u16 {
    u16::try_from(sequence % u32::from(u16::MAX)).unwrap_or(0) + 1
}

/// `None` never happens: HMAC takes keys of any length.
fn digest(key: AhKey, ip: &[u8; IPV4_LEN], ttl: u8, head: &[u8], message: &[u8]) -> Option<Hmac<Md5>> {
    let mut ip = *ip;
    ip[1] = 0;
    ip[6..8].fill(0);
    ip[TTL_AT] = ttl;
    ip[10..12].fill(0);
    let digest = Hmac::<Md5>::new_from_slice(key.0.octets()).ok()?;
    Some(digest.chain_update(ip).chain_update(head).chain_update([0; HEADER_LEN - MAC_AT]).chain_update(message))
}

#[cfg(test)]
mod tests;
