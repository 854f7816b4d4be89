//! A route as the kernel's message, and back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{DefaultNla, Parseable};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric, RouteMplsTtlPropagation,
    RouteNextHop, RouteNextHopFlags, RoutePreference, RouteProtocol, RouteRealm, RouteScope, RouteType, RouteVia,
};

use super::{Kind, MAIN_TABLE, Metric, MetricKind, NextHop, Route, Way};
use crate::addresses::Scope;
use crate::rtnl::Garbled;

/// `RTAX_LOCK`: which of the other metrics are locked, as bits of their numbers.
const LOCK: u16 = 1;
/// `RTAX_CC_ALGO`.
const CONGESTION_CONTROL: u16 = 16;

impl Route {
    /// Reads the payload of an `RTM_NEWROUTE` or `RTM_DELROUTE` message; never panics.
    ///
    /// `None` for families other than IPv4 and IPv6, and for entries of the kernel's cache of decisions.
    pub fn read(payload: &[u8]) -> Result<Option<Self>, Garbled> {
        let header = RouteHeader::parse(payload)?;
        let any: IpAddr = match header.address_family {
            AddressFamily::Inet => Ipv4Addr::UNSPECIFIED.into(),
            AddressFamily::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
            _ => return Ok(None),
        };
        let bits = if any.is_ipv4() { 32 } else { 128 };
        if header.flags.contains(RouteFlags::Cloned) {
            return Ok(None);
        }
        if header.destination_prefix_length > bits || header.source_prefix_length > bits {
            return Err(Garbled::new("a route whose prefix is longer than an address"));
        }
        let message = RouteMessage::parse(payload)?;
        let mut route = Self::new(any, header.destination_prefix_length);
        route.source = (header.source_prefix_length > 0).then_some((any, header.source_prefix_length));
        route.kind = kind_of(header.kind);
        route.table = header.table.into();
        route.protocol = header.protocol.into();
        route.scope = Scope(header.scope.into());
        route.tos = header.tos;
        let mut hop = NextHop { onlink: header.flags.contains(RouteFlags::Onlink), ..NextHop::default() };
        for attribute in message.attributes {
            match attribute {
                RouteAttribute::Destination(ip) => route.destination = ip_of(&ip).unwrap_or(any),
                RouteAttribute::Source(ip) => route.source = ip_of(&ip).map(|ip| (ip, header.source_prefix_length)),
                RouteAttribute::PrefSource(ip) => route.preferred_source = ip_of(&ip),
                RouteAttribute::Priority(metric) => route.metric = Some(metric),
                RouteAttribute::Table(table) => route.table = table,
                RouteAttribute::Preference(preference) => route.preference = Some(preference.into()),
                RouteAttribute::Metrics(metrics) => route.metrics = read_metrics(&metrics),
                RouteAttribute::MultiPath(hops) => route.next_hops = hops.iter().map(read_hop).collect(),
                other => read_into(&mut hop, &other),
            }
        }
        if route.next_hops.is_empty() && (hop.gateway.is_some() || hop.index.is_some()) {
            route.next_hops.push(hop);
        }
        Ok(Some(route))
    }
}

/// Asks for the decision about one destination.
pub(super) fn question(destination: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    let (family, bits) = if destination.is_ipv4() { (AddressFamily::Inet, 32) } else { (AddressFamily::Inet6, 128) };
    message.header.address_family = family;
    message.header.destination_prefix_length = bits;
    message.attributes.push(RouteAttribute::Destination(destination.into()));
    message
}

/// The decision; `None` for one that leads nowhere.
pub(super) fn answer(payload: &[u8]) -> Result<Option<Way>, Garbled> {
    let (mut index, mut source) = (None, None);
    for attribute in RouteMessage::parse(payload)?.attributes {
        match attribute {
            RouteAttribute::Oif(oif) => index = Some(oif),
            RouteAttribute::PrefSource(ip) => source = ip_of(&ip),
            _ => {}
        }
    }
    Ok(index.map(|index| Way { index, source }))
}

pub(crate) fn write(route: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    let v4 = route.destination.is_ipv4();
    header.address_family = if v4 { AddressFamily::Inet } else { AddressFamily::Inet6 };
    header.destination_prefix_length = route.prefix_len;
    header.tos = route.tos;
    header.table = RouteHeader::RT_TABLE_UNSPEC;
    header.protocol = RouteProtocol::from(route.protocol);
    header.scope = RouteScope::from(route.scope.0);
    header.kind = type_of(route.kind);
    let attributes = &mut message.attributes;
    let table = if route.table == 0 { MAIN_TABLE } else { route.table };
    attributes.push(RouteAttribute::Table(table));
    if route.prefix_len > 0 {
        attributes.push(RouteAttribute::Destination(route.destination.into()));
    }
    if let Some((source, length)) = route.source {
        header.source_prefix_length = length;
        attributes.push(RouteAttribute::Source(source.into()));
    }
    attributes.extend(route.metric.map(RouteAttribute::Priority));
    attributes.extend(route.preferred_source.map(|ip| RouteAttribute::PrefSource(ip.into())));
    attributes.extend(route.expires.map(RouteAttribute::Expires));
    attributes.extend(route.preference.map(|preference| RouteAttribute::Preference(RoutePreference::from(preference))));
    attributes.extend(route.ttl_propagate.map(|on| {
        let on = if on { RouteMplsTtlPropagation::Enabled } else { RouteMplsTtlPropagation::Disabled };
        RouteAttribute::TtlPropagate(on)
    }));
    let metrics = write_metrics(route);
    if !metrics.is_empty() {
        attributes.push(RouteAttribute::Metrics(metrics));
    }
    match route.next_hops.as_slice() {
        [] => {}
        [hop] => {
            if hop.onlink {
                header.flags = RouteFlags::Onlink;
            }
            attributes.extend(hop.index.map(RouteAttribute::Oif));
            attributes.extend(write_hop(hop, v4));
        }
        hops => attributes.push(RouteAttribute::MultiPath(hops.iter().map(|hop| multipath(hop, v4)).collect())),
    }
    message
}

fn multipath(hop: &NextHop, v4: bool) -> RouteNextHop {
    let mut next = RouteNextHop::default();
    next.hops = u8::try_from(hop.weight.saturating_sub(1)).unwrap_or(u8::MAX);
    next.interface_index = hop.index.unwrap_or(0);
    next.flags.set(RouteNextHopFlags::Onlink, hop.onlink);
    next.attributes = write_hop(hop, v4).collect();
    next
}

/// Everything of a next hop that is an attribute of its own both alone and among others.
fn write_hop(hop: &NextHop, v4: bool) -> impl Iterator<Item = RouteAttribute> {
    let gateway = hop.gateway.map(|gateway| match gateway {
        IpAddr::V6(gateway) if v4 => RouteAttribute::Via(RouteVia::Inet6(gateway)),
        gateway => RouteAttribute::Gateway(gateway.into()),
    });
    let realms = hop.realms.map(|realms| {
        let [a, b, c, d] = realms.to_be_bytes();
        let (source, destination) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        RouteAttribute::Realm(RouteRealm { source, destination })
    });
    let encapsulation = hop.encapsulation.iter().flat_map(super::Encapsulation::attributes);
    gateway.into_iter().chain(realms).chain(encapsulation)
}

fn write_metrics(route: &Route) -> Vec<RouteMetric> {
    let number = |kind: u16, value: u32| RouteMetric::Other(DefaultNla::new(kind, value.to_ne_bytes().to_vec()));
    let kind = |metric: &Metric| metric.kind as u16;
    let mut locked =
        route.metrics.iter().filter(|metric| metric.locked).fold(0, |bits, metric| bits | 1 << kind(metric));
    let mut metrics: Vec<_> = route.metrics.iter().map(|metric| number(kind(metric), metric.value)).collect();
    if let Some((name, lock)) = &route.congestion_control {
        metrics.push(RouteMetric::CcAlgo(name.clone()));
        locked |= u32::from(*lock) << CONGESTION_CONTROL;
    }
    if locked != 0 {
        metrics.push(number(LOCK, locked));
    }
    metrics
}

fn read_metrics(metrics: &[RouteMetric]) -> Vec<Metric> {
    use MetricKind as K;
    let locked = metrics.iter().find_map(|metric| match metric {
        RouteMetric::Lock(bits) => Some(*bits),
        _ => None,
    });
    let known = metrics.iter().filter_map(|metric| {
        Some(match *metric {
            RouteMetric::Mtu(value) => (K::Mtu, value),
            RouteMetric::Window(value) => (K::Window, value),
            RouteMetric::Rtt(value) => (K::Rtt, value),
            RouteMetric::RttVar(value) => (K::RttVar, value),
            RouteMetric::SsThresh(value) => (K::SlowStartThreshold, value),
            RouteMetric::Cwnd(value) => (K::CongestionWindow, value),
            RouteMetric::Advmss(value) => (K::AdvertisedSegment, value),
            RouteMetric::Reordering(value) => (K::Reordering, value),
            RouteMetric::Hoplimit(value) => (K::HopLimit, value),
            RouteMetric::InitCwnd(value) => (K::InitialWindow, value),
            RouteMetric::Features(value) => (K::Features, value),
            RouteMetric::RtoMin(value) => (K::MinimumTimeout, value),
            RouteMetric::InitRwnd(value) => (K::InitialReceiveWindow, value),
            RouteMetric::QuickAck(value) => (K::QuickAck, value),
            RouteMetric::FastopenNoCookie(value) => (K::FastOpenNoCookie, value),
            _ => return None,
        })
    });
    let locked = locked.unwrap_or(0);
    known.map(|(kind, value)| Metric { kind, value, locked: locked & 1 << (kind as u16) != 0 }).collect()
}

fn read_hop(hop: &RouteNextHop) -> NextHop {
    let mut read = NextHop {
        index: Some(hop.interface_index).filter(|&index| index != 0),
        weight: u16::from(hop.hops) + 1,
        onlink: hop.flags.contains(RouteNextHopFlags::Onlink),
        ..NextHop::default()
    };
    for attribute in &hop.attributes {
        read_into(&mut read, attribute);
    }
    read
}

fn read_into(hop: &mut NextHop, attribute: &RouteAttribute) {
    match attribute {
        RouteAttribute::Gateway(gateway) => hop.gateway = ip_of(gateway),
        RouteAttribute::Via(RouteVia::Inet(gateway)) => hop.gateway = Some((*gateway).into()),
        RouteAttribute::Via(RouteVia::Inet6(gateway)) => hop.gateway = Some((*gateway).into()),
        RouteAttribute::Oif(index) => hop.index = Some(*index),
        RouteAttribute::Realm(realm) => {
            hop.realms = Some(u32::from(realm.source) << 16 | u32::from(realm.destination));
        }
        _ => {}
    }
}

fn ip_of(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}

fn type_of(kind: Kind) -> RouteType {
    match kind {
        Kind::Unicast => RouteType::Unicast,
        Kind::Local => RouteType::Local,
        Kind::Broadcast => RouteType::Broadcast,
        Kind::Anycast => RouteType::Anycast,
        Kind::Multicast => RouteType::Multicast,
        Kind::Blackhole => RouteType::BlackHole,
        Kind::Unreachable => RouteType::Unreachable,
        Kind::Prohibit => RouteType::Prohibit,
        Kind::Throw => RouteType::Throw,
        Kind::Nat => RouteType::Nat,
    }
}

/// A kind that is not known here leads somewhere, as most do.
fn kind_of(kind: RouteType) -> Kind {
    match kind {
        RouteType::Local => Kind::Local,
        RouteType::Broadcast => Kind::Broadcast,
        RouteType::Anycast => Kind::Anycast,
        RouteType::Multicast => Kind::Multicast,
        RouteType::BlackHole => Kind::Blackhole,
        RouteType::Unreachable => Kind::Unreachable,
        RouteType::Prohibit => Kind::Prohibit,
        RouteType::Throw => Kind::Throw,
        RouteType::Nat => Kind::Nat,
        _ => Kind::Unicast,
    }
}
