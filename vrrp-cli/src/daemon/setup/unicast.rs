//! Peers of the configuration as the node takes them, and whether this host has the addresses that adverts to them come from.

use std::net::IpAddr;
use std::time::Instant;

use vrrp_core::node::{Faults, Input, Node, OldChecksum, Peer, PeerError, Peers, RouterId, Unicast};
use vrrp_core::rx::TTL;

use super::super::monitor::{Links, Source};
use super::Interface;
use crate::config::Instance;

/// Where an instance's adverts come from, unless that is its interface's address; and its peers, unless there are none and
/// its adverts go to the group.
pub(super) fn of(instance: &Instance) -> Result<(Option<IpAddr>, Option<Unicast>), PeerError> {
    let settings = instance.settings();
    // The address of an ipvlan is there for this.
    let of_ipvlan = settings.use_ipvlan.as_ref().and_then(|setting| setting.address).map(|(address, _)| address);
    let own = instance.mcast_source.or(of_ipvlan.filter(IpAddr::is_ipv4));
    if settings.unicast_peer.is_empty() && !settings.unicast_fault_no_peer {
        return Ok((own, None));
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

/// An address that adverts must not be sent without, and the place of the one interface that it must be on, if it must.
pub(super) type TrackedSource = (IpAddr, Option<usize>);

/// Replies from peers come to the source: without it, a router would hear nobody. What is sent to the group needs it where
/// the operator says so, on the instance's own interface.
pub(super) fn tracked_source(
    instance: &Instance,
    source: Option<IpAddr>,
    unicast: bool,
    own: usize,
) -> Option<TrackedSource> {
    let tracked = unicast || instance.settings().track_src_ip;
    source.filter(|_| tracked).map(|source| (source, (!unicast).then_some(own)))
}

/// A router whose source the host lacks starts in FAULT.
pub(super) fn sources(
    sources: Vec<(RouterId, TrackedSource)>,
    interfaces: &[Interface],
    node: &mut Node<Instant>,
    links: &Links,
) -> Vec<Source> {
    let source = |(router, (address, place)): (RouterId, TrackedSource)| {
        let interface = place.and_then(|place| interfaces.get(place)).map(|interface| interface.device.name.clone());
        let mut source = Source { router, address, interface, absent: false };
        source.absent = !links.sends_from(&source);
        let fault = Input::Fault { router, fault: Faults::SOURCE, present: source.absent };
        node.handle(Instant::now(), fault, &mut Vec::new());
        source
    };
    sources.into_iter().map(source).collect()
}
