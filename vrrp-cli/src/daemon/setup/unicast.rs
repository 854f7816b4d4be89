//! Peers of the configuration as the node takes them, and whether this host has the addresses that adverts to them come from.

use std::net::IpAddr;
use std::time::Instant;

use vrrp_core::node::{Faults, Input, Node, OldChecksum, Peer, PeerError, Peers, RouterId, Unicast};
use vrrp_core::rx::TTL;

use super::super::monitor::{Links, Source};
use crate::config::Instance;

/// Where an instance's adverts come from, unless that is its interface's address; and its peers, unless there are none and
/// its adverts go to the group.
pub(super) fn of(instance: &Instance) -> Result<(Option<IpAddr>, Option<Unicast>), PeerError> {
    let settings = instance.settings();
    if settings.unicast_peer.is_empty() && !settings.unicast_fault_no_peer {
        return Ok((instance.mcast_source, None));
    }
    let peer = |peer: &crate::config::model::Peer| Peer {
        min_ttl: peer.min_ttl.unwrap_or(u8::MIN),
        max_ttl: peer.max_ttl.unwrap_or(u8::MAX),
        ..Peer::new(peer.address.value)
    };
    let peers = Peers::new(settings.unicast_peer.iter().map(peer).collect::<Vec<_>>())?;
    let old_checksum = match settings.old_unicast_checksum.as_deref() {
        None => OldChecksum::Learn,
        Some("never") => OldChecksum::Never,
        Some(_) => OldChecksum::Always,
    };
    // A datagram with a TTL of 0 would go nowhere.
    let ttl = settings.unicast_ttl.filter(|ttl| *ttl > 0).unwrap_or(TTL);
    let source = settings.unicast_src_ip.or(instance.mcast_source);
    Ok((source, Some(Unicast { peers, ttl, old_checksum })))
}

/// A router whose source the host lacks starts in FAULT.
pub(super) fn sources(sources: &[(RouterId, IpAddr)], node: &mut Node<Instant>, links: &Links) -> Vec<Source> {
    let source = |&(router, address): &(RouterId, IpAddr)| {
        let absent = !links.sends_from(address);
        let fault = Input::Fault { router, fault: Faults::SOURCE, present: absent };
        node.handle(Instant::now(), fault, &mut Vec::new());
        Source { router, address, absent }
    };
    sources.iter().map(source).collect()
}
