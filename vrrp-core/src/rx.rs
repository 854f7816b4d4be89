//! The receive path (RFC 3768 section 7.1): one ladder of checks, one reason for each way down.
//!
//! The order, top to bottom; the first rung that breaks is the reason:
//!
//! | rung | reason | requirement |
//! |---|---|---|
//! | a whole IPv4 datagram of protocol 112, or (feature `auth`) 51 with a well-formed Authentication Header | [`Discard::Ip`], [`Discard::Protocol`], [`Discard::Ah`] | R7, R50, R63 |
//! | sent to the group, or to an address of this host alone | [`Discard::Destination`] | R3, R73 |
//! | TTL or hop limit 255, of what was sent to the group | [`Discard::Ttl`] | R6, R73 |
//! | eight octets, a version that the family has, type 1, an address (VRRPv3), exact length (feature `auth`: or 28 octets more) | [`Discard::Parse`] | R9, R10, R94, R47 |
//! | checksum | [`Discard::Checksum`] | R20, R105 |
//! | virtual router configured on the interface, in this family | [`Discard::UnknownVrid`] | R47 |
//! | sent to the group, or by unicast, as the router's adverts travel | [`Discard::ByMulticast`], [`Discard::ByUnicast`] | |
//! | from a peer (unicast) | [`Discard::NoPeer`] | |
//! | TTL or hop limit within the peer's bounds (unicast) | [`Discard::PeerTtl`] | |
//! | not the checksum of old keepalived (unicast, where refused) | [`Discard::OldChecksum`] | |
//! | its version | [`Discard::Version`] | R9 |
//! | its form of checksum (VRRPv3 over IPv4, where strict) | [`Discard::ChecksumForm`] | R105 |
//! | link-local first (IPv6, where strict) | [`Discard::FirstNotLinkLocal`] | R96, R117 |
//! | not our own packet | [`Discard::OwnSource`] | |
//! | Authentication Header there if and only if configured; SPI, signature, number (feature `auth`) | [`Discard::Ah`] | R63 |
//! | HMAC trailer there only if configured, and if demanded; form, time, key, signature, number (feature `auth`) | [`Discard::Trailer`] | |
//! | we are not the owner (VRRPv2) | [`Discard::Owner`] | R47 |
//! | authentication type, then password (VRRPv2) | [`Discard::UnknownAuthType`], [`Discard::AuthType`], [`Discard::Password`] | R16, R62 |
//! | interval not 0 and, in VRRPv2, ours | [`Discard::Interval`] | R49, R117 |
//!
//! Unicast is closed by its list of peers: what a stranger sends is dropped, whatever its TTL. The TTL itself is bounded for
//! those peers alone that have bounds: the 255 of a LAN would keep peers apart that are routers away, as in clouds they are.
//!
//! Authentication stands as high as it can: the rungs above it cost nothing, need no key, and what they say of a packet holds
//! whoever sent it; nothing below them is believed of a stranger. keepalived looks at the trailer before length and checksum,
//! which drops the same packets for other reasons.
//!
//! What is worth telling but no reason to drop is a [`Notices`] flag: dropping a peer's adverts because its list of
//! addresses differs would make two Masters out of a configuration that is being changed on one host after the other, and so would
//! dropping a list that begins with a global IPv6 address, as most of keepalived's configurations have it.
//!
//! Raw IPv4 sockets deliver the IP header, so [`Received::check_datagram`] begins at the top; raw IPv6 sockets deliver the message
//! alone, with the rest beside it, so [`Received::check`] begins at the second rung.
//!
//! Knows no socket: octets and the interface they came from are the caller's.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::auth::{AhError, TrailerError};
#[cfg(feature = "auth")]
use crate::auth::{ah, trailer};
use crate::counters::Counter;
use crate::types::{AdvertInterval, Family, Version, is_unicast};
use crate::wire::advert::{Advert, ChecksumForm, ChecksumMismatch, ParseError, check_form};
use crate::wire::ipv4::{Ipv4Error, Ipv4Packet, PROTOCOL_VRRP};

/// TTL, or hop limit, of every advertisement (R5, R73).
pub const TTL: u8 = 255;

/// What an IP header says of a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Meta {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// TTL, or hop limit.
    pub ttl: u8,
}

/// How an advertisement came.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Arrival {
    /// To the multicast group, with the TTL or hop limit that it must have.
    Multicast,
    /// To an address of this host alone.
    Unicast {
        /// Its TTL, or hop limit.
        ttl: u8,
        /// Its checksum covers the multicast group, which it was not sent to, as old versions of keepalived do (VRRPv3 over
        /// IPv4).
        old_checksum: bool,
    },
}

/// An advertisement that passed the rungs that need no configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received<'a> {
    /// Source of the datagram.
    pub source: IpAddr,
    /// The message.
    pub advert: Advert<'a>,
    /// The form of its checksum.
    pub checksum: ChecksumForm,
    /// How it came.
    pub arrival: Arrival,
    /// What stands behind the message.
    #[cfg(feature = "auth")]
    pub(crate) trailer: Option<trailer::Trailer<'a>>,
    /// What the message came in.
    #[cfg(feature = "auth")]
    pub(crate) ah: Option<ah::AhPacket<'a>>,
}

impl<'a> Received<'a> {
    /// Climbs the ladder down to the checksum. `octets` is a whole IPv4 datagram, header included; link-layer padding behind
    /// it is ignored. `group` is the multicast group that the interface listens to; what was not sent to it is dropped.
    pub fn check_datagram(octets: &'a [u8], group: Ipv4Addr) -> Result<Self, Rejected> {
        Self::climb_datagram(octets, group, false)
    }

    /// As [`Received::check_datagram`], and lets pass what was sent to this host alone: whether its source and its TTL are
    /// those of a peer remains to be checked, as [`Node`](crate::node::Node) does.
    pub fn check_any_datagram(octets: &'a [u8], group: Ipv4Addr) -> Result<Self, Rejected> {
        Self::climb_datagram(octets, group, true)
    }

    fn climb_datagram(octets: &'a [u8], group: Ipv4Addr, unicast: bool) -> Result<Self, Rejected> {
        let packet = Ipv4Packet::parse(octets).map_err(|error| Rejected::anonymous(Discard::Ip(error)))?;
        let meta = Meta { source: packet.source().into(), destination: packet.destination().into(), ttl: packet.ttl() };
        #[cfg(feature = "auth")]
        if packet.protocol() == ah::PROTOCOL_AH {
            return Self::climb_ah(&meta, &packet, group, unicast);
        }
        if packet.protocol() != PROTOCOL_VRRP {
            return Err(meta.rejected(packet.payload(), Discard::Protocol(packet.protocol())));
        }
        Self::climb(&meta, packet.payload(), group.into(), unicast)
    }

    /// Apart, so that nothing else pays for the second way into the ladder.
    #[cfg(feature = "auth")]
    #[cold]
    fn climb_ah(meta: &Meta, packet: &Ipv4Packet<'a>, group: Ipv4Addr, unicast: bool) -> Result<Self, Rejected> {
        let ah = ah::AhPacket::parse(packet.header(), packet.payload()).map_err(|error| Rejected {
            source: Some(meta.source),
            vrid: None,
            reason: Discard::Ah(error),
        })?;
        let received = Self::climb(meta, ah.message(), group.into(), unicast)?;
        Ok(Self { ah: Some(ah), ..received })
    }

    /// Climbs the ladder from the second rung down to the checksum. `payload` is the message alone, of a whole datagram of
    /// protocol 112. `group` is the multicast group that the interface listens to; what was not sent to it is dropped.
    #[inline]
    pub fn check(meta: &Meta, payload: &'a [u8], group: IpAddr) -> Result<Self, Rejected> {
        Self::climb(meta, payload, group, false)
    }

    /// As [`Received::check`], and lets pass what was sent to this host alone, see [`Received::check_any_datagram`].
    #[inline]
    pub fn check_any(meta: &Meta, payload: &'a [u8], group: IpAddr) -> Result<Self, Rejected> {
        Self::climb(meta, payload, group, true)
    }

    #[inline]
    fn climb(meta: &Meta, payload: &'a [u8], group: IpAddr, unicast: bool) -> Result<Self, Rejected> {
        let &Meta { source, destination, ttl } = meta;
        let rejected = |reason| meta.rejected(payload, reason);
        let family = Family::of(source);
        let to_group = destination == group;
        if Family::of(group) != family || !(to_group || (unicast && is_for_us(destination, family))) {
            return Err(rejected(Discard::Destination(destination)));
        }
        if to_group && ttl != TTL {
            return Err(rejected(Discard::Ttl(ttl)));
        }
        let message_len = message_len(payload, family).map_err(|error| rejected(Discard::Parse(error)))?;
        let (message, behind) = payload.split_at(message_len);
        let advert = Advert::formed(message, family);
        let mut old_checksum = false;
        let checksum = match advert.verify_before(source, destination, behind) {
            Ok(form) => form,
            Err(mismatch) => {
                old_checksum = !to_group && covers(&advert, source, group);
                if !old_checksum {
                    return Err(rejected(Discard::Checksum(mismatch)));
                }
                ChecksumForm::PseudoHeader
            }
        };
        Ok(Self {
            source,
            advert,
            checksum,
            arrival: if to_group { Arrival::Multicast } else { Arrival::Unicast { ttl, old_checksum } },
            #[cfg(feature = "auth")]
            trailer: behind.try_into().ok().map(trailer::Trailer::new),
            #[cfg(feature = "auth")]
            ah: None,
        })
    }

    /// Why this advertisement was dropped further down, with whom to blame.
    pub fn rejected(&self, reason: Discard) -> Rejected {
        Rejected { source: Some(self.source), vrid: Some(self.advert.vrid_octet()), reason }
    }
}

/// Octets of the message, whose form is right; what follows is a trailer.
#[cfg(feature = "auth")]
#[inline]
fn message_len(payload: &[u8], family: Family) -> Result<usize, ParseError> {
    match check_form(payload, family) {
        Err(ParseError::Length { expected, found }) if found == expected + trailer::LEN => {
            check_form(&payload[..expected], family).map(|()| expected)
        }
        outcome => outcome.map(|()| payload.len()),
    }
}

#[cfg(not(feature = "auth"))]
#[inline]
fn message_len(payload: &[u8], family: Family) -> Result<usize, ParseError> {
    check_form(payload, family).map(|()| payload.len())
}

/// Raw sockets deliver what is for this host: an address that is none of a group is one of its own.
fn is_for_us(destination: IpAddr, family: Family) -> bool {
    is_unicast(destination) && Family::of(destination) == family
}

/// Whether the checksum covers a group that the message was not sent to. Apart: most of what arrives never gets here.
#[cold]
fn covers(advert: &Advert<'_>, source: IpAddr, group: IpAddr) -> bool {
    Family::of(group) == Family::V4 && advert.verify(source, group).is_ok()
}

impl Meta {
    fn rejected(&self, payload: &[u8], reason: Discard) -> Rejected {
        Rejected { source: Some(self.source), vrid: payload.get(1).copied(), reason }
    }
}

/// A dropped datagram: the reason, and what could be read of its sender.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rejected {
    /// Source address, where there was an IP header.
    pub source: Option<IpAddr>,
    /// The octet where the virtual router identifier stands, where the message is that long.
    pub vrid: Option<u8>,
    /// Why.
    pub reason: Discard,
}

impl Rejected {
    const fn anonymous(reason: Discard) -> Self {
        Self { source: None, vrid: None, reason }
    }
}

/// Every reason to drop an advertisement.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Discard {
    /// Not a whole IPv4 datagram.
    Ip(Ipv4Error),
    /// Another protocol than 112.
    Protocol(u8),
    /// Sent neither to the group nor, where that is asked for, to this host.
    Destination(IpAddr),
    /// TTL or hop limit below 255: the packet crossed a router.
    Ttl(u8),
    /// Not of the form of an advertisement.
    Parse(ParseError),
    /// Damaged.
    Checksum(ChecksumMismatch),
    /// No such virtual router on this interface.
    UnknownVrid(u8),
    /// Sent to the group; the virtual router has peers, and hears them alone.
    ByMulticast,
    /// Sent to this host alone; the virtual router has no peers, and listens to the group.
    ByUnicast,
    /// Sent by somebody who is no peer.
    NoPeer,
    /// Sent by a peer, with a TTL or hop limit outside of the bounds that the peer has.
    PeerTtl {
        /// The packet's.
        ttl: u8,
        /// The lowest that the peer may have.
        min: u8,
        /// The highest.
        max: u8,
    },
    /// The checksum of old keepalived, which is refused.
    OldChecksum,
    /// The virtual router speaks the other version.
    Version {
        /// Ours.
        ours: Version,
        /// The sender's.
        theirs: Version,
    },
    /// The other form of checksum than ours, where only ours is accepted (VRRPv3 over IPv4).
    ChecksumForm {
        /// Ours.
        ours: ChecksumForm,
        /// The sender's.
        theirs: ChecksumForm,
    },
    /// The first address of an IPv6 message is not link-local (R96, erratum 8300), where only such lists are accepted.
    FirstNotLinkLocal(Ipv6Addr),
    /// Sent from our own address: our packet came back, or another host has our address.
    OwnSource,
    /// We own the addresses: nobody else may advertise them (VRRPv2).
    Owner,
    /// Its Authentication Header does not convince.
    Ah(AhError),
    /// Its HMAC trailer does not convince.
    Trailer(TrailerError),
    /// An authentication type that no RFC defines.
    UnknownAuthType(u8),
    /// Another authentication type than ours.
    AuthType {
        /// Ours, see [`crate::wire::advert::auth_type`].
        ours: u8,
        /// The sender's.
        theirs: u8,
    },
    /// Another password than ours.
    Password,
    /// Another interval than ours (VRRPv2), or 0.
    Interval {
        /// Ours.
        ours: AdvertInterval,
        /// The sender's; `None` is 0.
        theirs: Option<AdvertInterval>,
    },
}

impl Discard {
    /// What it counts as. Exhaustive: a new reason does not compile until it is counted.
    pub const fn counter(&self) -> Counter {
        match self {
            Self::Ip(_) | Self::Protocol(_) | Self::Destination(_) => Counter::IpErrors,
            Self::Ttl(_) | Self::PeerTtl { .. } => Counter::TtlErrors,
            Self::ByMulticast | Self::ByUnicast => Counter::DeliveryErrors,
            Self::NoPeer => Counter::UnknownPeers,
            Self::Parse(ParseError::Version(_) | ParseError::V2OverIpv6) | Self::Version { .. } => {
                Counter::VersionErrors
            }
            Self::Parse(ParseError::Type(_)) => Counter::InvalidTypeReceived,
            Self::Parse(ParseError::Length { .. }) | Self::Trailer(TrailerError::Unexpected) => Counter::LengthErrors,
            Self::Parse(ParseError::NoAddress) | Self::FirstNotLinkLocal(_) => Counter::AddressListErrors,
            Self::Checksum(_) => Counter::ChecksumErrors,
            Self::UnknownVrid(_) => Counter::VridErrors,
            Self::ChecksumForm { .. } | Self::OldChecksum => Counter::ChecksumFormErrors,
            Self::OwnSource => Counter::OwnSource,
            Self::Owner => Counter::OwnerConflicts,
            Self::Ah(AhError::Missing) => Counter::AhMissing,
            Self::Ah(AhError::Malformed | AhError::Spi(_)) => Counter::AhMalformed,
            Self::Ah(AhError::Invalid) => Counter::AhInvalid,
            Self::Ah(AhError::Replay { .. }) => Counter::AhReplays,
            Self::Trailer(TrailerError::Missing) => Counter::HmacMissing,
            Self::Trailer(TrailerError::Malformed { .. }) => Counter::HmacMalformed,
            Self::Trailer(TrailerError::Stale { .. } | TrailerError::NoClock) => Counter::HmacStale,
            Self::Trailer(TrailerError::UnknownKey(_)) => Counter::HmacUnknownKey,
            Self::Trailer(TrailerError::Invalid) => Counter::HmacInvalid,
            Self::Trailer(TrailerError::Replay) => Counter::HmacReplays,
            Self::UnknownAuthType(_) => Counter::InvalidAuthType,
            Self::AuthType { .. } | Self::Ah(AhError::Unexpected) => Counter::AuthTypeMismatch,
            Self::Password => Counter::AuthFailures,
            Self::Interval { .. } => Counter::IntervalErrors,
        }
    }

    /// Whether it is the reason of a virtual router, [`VirtualRouter::receive`](crate::router::VirtualRouter::receive), which
    /// has counted it.
    pub const fn is_routers(&self) -> bool {
        match self {
            Self::Ip(_)
            | Self::Protocol(_)
            | Self::Destination(_)
            | Self::Ttl(_)
            | Self::Parse(_)
            | Self::Checksum(_)
            | Self::Ah(AhError::Malformed)
            | Self::UnknownVrid(_)
            | Self::NoPeer
            | Self::PeerTtl { .. }
            | Self::OldChecksum => false,
            Self::ByMulticast
            | Self::ByUnicast
            | Self::Version { .. }
            | Self::ChecksumForm { .. }
            | Self::FirstNotLinkLocal(_)
            | Self::OwnSource
            | Self::Ah(_)
            | Self::Trailer(_)
            | Self::Owner
            | Self::UnknownAuthType(_)
            | Self::AuthType { .. }
            | Self::Password
            | Self::Interval { .. } => true,
        }
    }
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(error) => error.fmt(f),
            Self::Protocol(protocol) => write!(f, "IP protocol is {protocol}, 112 expected"),
            Self::Destination(address) => write!(f, "sent to {address}, not to the multicast group"),
            Self::ByMulticast => f.write_str("sent to the multicast group, ours go from peer to peer (unicast_peer)"),
            Self::ByUnicast => f.write_str("sent to this host alone, ours go to the multicast group (no unicast_peer)"),
            Self::NoPeer => f.write_str("its sender is no peer (unicast_peer)"),
            Self::PeerTtl { ttl, min, max } => {
                write!(f, "TTL is {ttl}, {min} to {max} expected of this peer (min_ttl, max_ttl)")
            }
            Self::OldChecksum => f.write_str(
                "its checksum covers the multicast group, as old versions of keepalived write it, and that is refused",
            ),
            Self::Ttl(ttl) => write!(f, "TTL is {ttl}, 255 expected: it crossed a router or is forged"),
            Self::Parse(error) => error.fmt(f),
            Self::Checksum(ChecksumMismatch { found, computed }) => {
                write!(f, "checksum is {found:#06x}, {computed:#06x} expected")
            }
            Self::UnknownVrid(vrid) => write!(f, "virtual_router_id {vrid} is not configured on this interface"),
            Self::Version { ours, theirs } => write!(f, "VRRP version is {theirs}, ours is {ours}"),
            Self::ChecksumForm { ours: ChecksumForm::Message, .. } => f.write_str(
                "its checksum covers a pseudo-header (RFC 5798), ours does not (RFC 9568), and strict is set",
            ),
            Self::ChecksumForm { ours: ChecksumForm::PseudoHeader, .. } => {
                f.write_str("its checksum covers no pseudo-header (RFC 9568), ours does (RFC 5798), and strict is set")
            }
            Self::FirstNotLinkLocal(address) => {
                write!(f, "its first address is {address}, a link-local one (fe80::/10) expected, and strict is set")
            }
            Self::OwnSource => f.write_str("it comes from our own address: a loop in the network, or a cloned host"),
            Self::Owner => f.write_str("this host owns the addresses (priority 255), nobody else may advertise them"),
            Self::Ah(error) => error.fmt(f),
            Self::Trailer(error) => error.fmt(f),
            Self::UnknownAuthType(kind) => write!(f, "authentication type {kind} is unknown"),
            Self::AuthType { ours, theirs } => {
                write!(f, "authentication is {}, ours is {}", AuthName(*theirs), AuthName(*ours))
            }
            Self::Password => f.write_str("auth_pass differs from ours"),
            Self::Interval { ours, theirs: Some(theirs) } => write!(f, "advert_int is {theirs}, ours is {ours}"),
            Self::Interval { ours, theirs: None } => write!(f, "advert_int is 0, ours is {ours}"),
        }
    }
}

impl core::error::Error for Discard {}

struct AuthName(u8);

impl fmt::Display for AuthName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("none"),
            1 => f.write_str("PASS"),
            2 => f.write_str("AH"),
            other => write!(f, "type {other}"),
        }
    }
}

bitflags::bitflags! {
    /// What an accepted advertisement says about its sender's configuration.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Notices: u16 {
        /// Its list of addresses differs from ours (R48, R85).
        const ADDRESS_LIST = 1;
        /// Its interval differs from ours (VRRPv3, R104).
        const INTERVAL = 1 << 1;
        /// Its checksum has the other of VRRPv3's two forms over IPv4 (R105).
        const CHECKSUM_FORM = 1 << 2;
        /// It lost against our claim: the sender serves the same addresses.
        const LOSING = 1 << 3;
        /// It claims to own the addresses, as we do (R116).
        const SECOND_OWNER = 1 << 4;
        /// It carries no HMAC trailer, which is not demanded yet.
        const UNSIGNED = 1 << 5;
        /// The sender's clock is off by more than half the time window of the HMAC trailer.
        const CLOCK_SKEW = 1 << 6;
        /// Its priority equals ours, below 255: its address decides, not the operator (R112).
        const EQUAL_PRIORITY = 1 << 7;
        /// Its first IPv6 address is not link-local, against RFC 9568 section 5.2.9 (R96).
        const FIRST_NOT_LINK_LOCAL = 1 << 8;
    }
}

impl Notices {
    /// The counters that the flags move.
    pub fn counters(self) -> impl Iterator<Item = Counter> {
        self.iter().map(|flag| match flag {
            Self::ADDRESS_LIST => Counter::AddressListErrors,
            Self::INTERVAL => Counter::IntervalErrors,
            Self::CHECKSUM_FORM => Counter::OtherChecksumForm,
            Self::LOSING => Counter::LosingAdverts,
            Self::UNSIGNED => Counter::HmacUnsigned,
            Self::CLOCK_SKEW => Counter::HmacClockSkew,
            Self::EQUAL_PRIORITY => Counter::EqualPriorities,
            Self::FIRST_NOT_LINK_LOCAL => Counter::FirstNotLinkLocal,
            _ => Counter::OwnerConflicts,
        })
    }
}
