//! What stands on the outside of a message: where it goes and comes from. Knows nothing of what it says.

use core::net::IpAddr;

use super::entry::Entry;
use super::io::Message;
use super::setup::{Groups, InterfaceId};
use crate::router::{Carriage, EmitError};
use crate::rx::TTL;
use crate::timed::Instant;
use crate::wire::ipv4;

/// The outside of one message of a router.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope {
    interface: InterfaceId,
    source: IpAddr,
    destination: IpAddr,
    /// The destination that is signed or summed.
    pub(super) covered: IpAddr,
    ttl: u8,
    carriage: Carriage,
}

impl Envelope {
    /// For the recipient of this number: the group, or one of the peers.
    pub(super) fn new<I: Instant>(entry: &Entry<I>, groups: Groups, recipient: usize) -> Result<Self, EmitError> {
        let router = entry.router.router();
        let carriage = router.carriage();
        let source = router.machine().link.source().ok_or(EmitError::NoSource)?;
        let group = groups.of(router.family());
        let interface = entry.interface;
        let Some(circle) = &entry.circle else {
            return Ok(Self { interface, source, destination: group, covered: group, ttl: TTL, carriage });
        };
        let (destination, old_checksum) = circle.recipient(recipient).ok_or(EmitError::NoPeer)?;
        // Where the destination is signed, it is always the true one.
        let covered = if old_checksum && carriage == Carriage::Message { group } else { destination };
        Ok(Self { interface, source, destination, covered, ttl: circle.ttl, carriage })
    }

    /// Around these octets.
    pub(super) fn around(self, octets: &mut [u8]) -> Message<'_> {
        let Self { interface, source, destination, covered: _, ttl, carriage } = self;
        if carriage == Carriage::Datagram && ttl != TTL {
            ipv4::set_ttl(octets, ttl);
        }
        Message { interface, source, destination, ttl, carriage, octets }
    }
}
