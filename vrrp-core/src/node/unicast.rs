//! Routers whose adverts travel by unicast: their peers, and which of those may be believed.
//!
//! Closed: an advert from anybody else is dropped before anything of it is looked at. Knows nothing of sockets and routes.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use crate::rx::{Arrival, Discard, Received};
use crate::types::{Family, is_unicast};

/// How a router's adverts travel when they do not go to the multicast group: one to each peer, and from each peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unicast {
    /// The other routers. Those of another family than the router's are left out; with none, it stays in FAULT
    /// ([`Faults::NO_PEER`](super::Faults::NO_PEER)).
    pub peers: Peers,
    /// TTL, or hop limit, of what is sent: 1..=255.
    pub ttl: u8,
    /// What VRRPv3's checksum over IPv4 covers.
    pub old_checksum: OldChecksum,
}

/// A router that adverts are sent to and heard from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Peer {
    /// Its address: the destination of ours, and the source of its adverts.
    pub address: IpAddr,
    /// The lowest TTL, or hop limit, that its adverts may have.
    pub min_ttl: u8,
    /// The highest.
    pub max_ttl: u8,
}

impl Peer {
    /// A peer any number of routers away: whatever TTL its adverts arrive with.
    pub const fn new(address: IpAddr) -> Self {
        Self { address, min_ttl: 0, max_ttl: u8::MAX }
    }
}

/// Peers with different addresses, each of which a host can have.
///
/// ```
/// use vrrp_core::node::{Peer, PeerError, Peers};
/// let peer = Peer::new([10, 0, 0, 2].into());
/// assert_eq!(Peers::new([peer])?.as_slice(), [peer]);
/// assert_eq!(Peers::new([peer, Peer { min_ttl: 255, ..peer }]), Err(PeerError::Duplicate(peer.address)));
/// # Ok::<(), PeerError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Peers(Box<[Peer]>);

impl Peers {
    /// Checks the list, which may be empty.
    pub fn new(peers: impl Into<Box<[Peer]>>) -> Result<Self, PeerError> {
        let peers = peers.into();
        for (i, peer) in peers.iter().enumerate() {
            if !is_unicast(peer.address) {
                return Err(PeerError::NotUnicast(peer.address));
            }
            if peers.iter().take(i).any(|earlier| earlier.address == peer.address) {
                return Err(PeerError::Duplicate(peer.address));
            }
        }
        Ok(Self(peers))
    }

    /// The peers, in the order in which they are sent to.
    pub fn as_slice(&self) -> &[Peer] {
        &self.0
    }
}

/// Why a list of peers is refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PeerError {
    /// An address that no host can have.
    NotUnicast(IpAddr),
    /// The same address twice.
    Duplicate(IpAddr),
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUnicast(address) => write!(f, "{address} cannot be a peer: it is not a host's address"),
            Self::Duplicate(address) => write!(f, "the peer {address} is listed twice"),
        }
    }
}

impl core::error::Error for PeerError {}

/// Old versions of keepalived sum the multicast group, not the peer's address, into VRRPv3's checksum over IPv4, where
/// [`ChecksumForm::PseudoHeader`](crate::wire::advert::ChecksumForm::PseudoHeader) is sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum OldChecksum {
    /// Each peer is sent what it sent last; at first the right form.
    #[default]
    Learn,
    /// All peers are sent the old form; both are accepted.
    Always,
    /// The old form is neither sent nor accepted.
    Never,
}

/// The peers of a router of a node, and what was learnt of them.
#[derive(Debug)]
pub(super) struct Circle {
    peers: Vec<Known>,
    pub(super) ttl: u8,
    old_checksum: OldChecksum,
}

#[derive(Debug)]
struct Known {
    peer: Peer,
    /// Its last advert had the old form of checksum.
    old: bool,
}

impl Circle {
    pub(super) fn new(unicast: Unicast, family: Family) -> Self {
        let Unicast { peers, ttl, old_checksum } = unicast;
        let ours = peers.0.iter().filter(|peer| Family::of(peer.address) == family);
        Self { peers: ours.map(|peer| Known { peer: *peer, old: false }).collect(), ttl, old_checksum }
    }

    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.peers.iter().any(|known| known.peer.address == address)
    }

    pub(super) fn is_disjoint(&self, other: &Self) -> bool {
        self.peers.iter().all(|known| !other.has(known.peer.address))
    }

    /// The address of a peer, and whether it is sent the old form of checksum.
    pub(super) fn recipient(&self, place: usize) -> Option<(IpAddr, bool)> {
        let Known { peer, old } = self.peers.get(place)?;
        let old = match self.old_checksum {
            OldChecksum::Learn => *old,
            OldChecksum::Always => true,
            OldChecksum::Never => false,
        };
        Some((peer.address, old))
    }

    /// The rungs that know the peers. Our own address passes: the rung below has a better word for it.
    pub(super) fn admit(&self, received: &Received<'_>, own: Option<IpAddr>) -> Result<(), Discard> {
        let Arrival::Unicast { ttl, old_checksum } = received.arrival else { return Ok(()) };
        if own == Some(received.source) {
            return Ok(());
        }
        let known = self.peers.iter().find(|known| known.peer.address == received.source).ok_or(Discard::NoPeer)?;
        let Peer { min_ttl: min, max_ttl: max, address: _ } = known.peer;
        if !(min..=max).contains(&ttl) {
            return Err(Discard::PeerTtl { ttl, min, max });
        }
        if old_checksum && self.old_checksum == OldChecksum::Never {
            return Err(Discard::OldChecksum);
        }
        Ok(())
    }

    /// Remembers what a peer sends, once its advert has passed.
    pub(super) fn learn(&mut self, received: &Received<'_>) {
        if let Arrival::Unicast { old_checksum, .. } = received.arrival
            && let Some(known) = self.peers.iter_mut().find(|known| known.peer.address == received.source)
        {
            known.old = old_checksum;
        }
    }
}
