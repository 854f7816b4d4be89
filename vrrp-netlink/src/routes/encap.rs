//! What packets of a route are wrapped into (`ip route ... encap`).

use std::net::{Ipv4Addr, Ipv6Addr};

use netlink_packet_core::DefaultNla;
use netlink_packet_route::route::{
    MplsLabel, RouteAttribute, RouteIp6Tunnel, RouteIp6TunnelFlags, RouteIpTunnel, RouteIpTunnelFlags,
    RouteLwEnCapType, RouteLwTunnelEncap, RouteMplsIpTunnel,
};

/// `ILA_ATTR_LOCATOR`.
const ILA_LOCATOR: u16 = 1;
/// Labels of one stack at most (`MAX_NEW_LABELS` of the kernel).
const MOST_LABELS: usize = 30;
/// A label has 20 bits (RFC 3032 section 2.1).
const LARGEST_LABEL: u32 = 0xf_ffff;

/// What packets are wrapped into. The kernel refuses what it was not built with, as `EOPNOTSUPP` and with words of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encapsulation {
    /// Into a tunnel over IPv4, whose interface reads this.
    Ip {
        /// Number of the tunnel.
        id: Option<u64>,
        /// The other end.
        destination: Option<Ipv4Addr>,
        /// This end.
        source: Option<Ipv4Addr>,
        /// Type of service.
        tos: Option<u8>,
        /// Time to live.
        ttl: Option<u8>,
        /// Bits of `TUNNEL_*`: 1 checksum, 4 key, 8 sequence.
        flags: Option<u16>,
    },
    /// Into a tunnel over IPv6.
    Ip6 {
        /// Number of the tunnel.
        id: Option<u64>,
        /// The other end.
        destination: Option<Ipv6Addr>,
        /// This end.
        source: Option<Ipv6Addr>,
        /// Traffic class.
        traffic_class: Option<u8>,
        /// Hop limit.
        hop_limit: Option<u8>,
        /// Bits of `TUNNEL_*`: 1 checksum, 4 key, 8 sequence.
        flags: Option<u16>,
    },
    /// Behind a stack of labels.
    Mpls {
        /// 1 to 30 labels, the outermost first, each below 2^20.
        labels: Vec<u32>,
        /// Time to live; the packet's own when `None`.
        ttl: Option<u8>,
    },
    /// Identifier-locator addressing: the upper half of the IPv6 address is replaced.
    Ila {
        /// The locator, in network order.
        locator: [u8; 8],
    },
}

impl Encapsulation {
    pub(super) fn sendable(&self) -> Result<(), &'static str> {
        match self {
            Self::Mpls { labels, .. }
                if !(1..=MOST_LABELS).contains(&labels.len()) || labels.iter().any(|&label| label > LARGEST_LABEL) =>
            {
                Err("a stack has 1 to 30 labels, each at most 1048575")
            }
            _ => Ok(()),
        }
    }

    /// Its two attributes.
    pub(super) fn attributes(&self) -> [RouteAttribute; 2] {
        let (kind, values) = match self {
            Self::Ip { id, destination, source, tos, ttl, flags } => {
                let values = [
                    id.map(RouteIpTunnel::Id),
                    destination.map(RouteIpTunnel::Destination),
                    source.map(RouteIpTunnel::Source),
                    tos.map(RouteIpTunnel::Tos),
                    ttl.map(RouteIpTunnel::Ttl),
                    flags.map(|bits| RouteIpTunnel::Flags(RouteIpTunnelFlags::from_bits_retain(bits))),
                ];
                (RouteLwEnCapType::Ip, values.into_iter().flatten().map(RouteLwTunnelEncap::Ip).collect())
            }
            Self::Ip6 { id, destination, source, traffic_class, hop_limit, flags } => {
                let values = [
                    id.map(RouteIp6Tunnel::Id),
                    destination.map(RouteIp6Tunnel::Destination),
                    source.map(RouteIp6Tunnel::Source),
                    traffic_class.map(RouteIp6Tunnel::Tc),
                    hop_limit.map(RouteIp6Tunnel::Hoplimit),
                    flags.map(|bits| RouteIp6Tunnel::Flags(RouteIp6TunnelFlags::from_bits_retain(bits))),
                ];
                (RouteLwEnCapType::Ip6, values.into_iter().flatten().map(RouteLwTunnelEncap::Ip6).collect())
            }
            Self::Mpls { labels, ttl } => {
                let last = labels.len().saturating_sub(1);
                let stack = labels.iter().enumerate().map(|(place, &label)| MplsLabel {
                    label,
                    traffic_class: 0,
                    bottom_of_stack: place == last,
                    ttl: 0,
                });
                let stack = RouteMplsIpTunnel::Destination(stack.collect());
                let values = std::iter::once(stack).chain(ttl.map(RouteMplsIpTunnel::Ttl));
                (RouteLwEnCapType::Mpls, values.map(RouteLwTunnelEncap::Mpls).collect())
            }
            Self::Ila { locator } => {
                let locator = RouteLwTunnelEncap::Other(DefaultNla::new(ILA_LOCATOR, locator.to_vec()));
                (RouteLwEnCapType::Ila, vec![locator])
            }
        };
        [RouteAttribute::EncapType(kind), RouteAttribute::Encap(values)]
    }
}
