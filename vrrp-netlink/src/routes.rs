//! Routes: reading them all, adding and removing many at once.
//!
//! Knows nothing of virtual routers, nor names of tables and protocols: these are numbers here, as in the kernel.
//!
//! ```no_run
//! use vrrp_netlink::addresses::Change;
//! use vrrp_netlink::routes::{NextHop, Route};
//! use vrrp_netlink::rtnl::Rtnl;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut rtnl = Rtnl::open()?;
//! let mut route = Route::new("198.51.100.0".parse()?, 24);
//! route.table = 100;
//! route.next_hops.push(NextHop { gateway: Some("192.0.2.254".parse()?), ..NextHop::default() });
//! for result in rtnl.add_routes(&[route]) {
//!     println!("added: {}", result? == Change::Done);
//! }
//! # Ok(())
//! # }
//! ```

mod encap;
mod message;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::RouteMessage;

pub use encap::Encapsulation;
pub(crate) use message::write;

use crate::addresses::{Change, Scope};
use crate::rtnl::{Request, Rtnl};
use crate::{Error, Result};

/// The table of routes that name none (`RT_TABLE_MAIN`).
pub const MAIN_TABLE: u32 = 254;

/// Next hops of one route at most; the kernel counts them in 8 bits.
const MOST_NEXT_HOPS: usize = 255;
/// Longest name of a congestion control algorithm, in octets.
const CONGESTION_NAME_MAX: usize = 15;

/// What becomes of packets to the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    /// They go to a next hop.
    #[default]
    Unicast,
    /// They are for this host.
    Local,
    /// They are for this host, and broadcast on the link.
    Broadcast,
    /// They are for this host among others.
    Anycast,
    /// They go to a multicast group.
    Multicast,
    /// They vanish.
    Blackhole,
    /// Their sender is told that the destination cannot be reached.
    Unreachable,
    /// Their sender is told that it is not allowed to.
    Prohibit,
    /// The search goes on in the next table.
    Throw,
    /// Their destination is translated, which the kernel no longer does.
    Nat,
}

/// A property of connections over a route, numbered as the kernel does (`RTAX_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetricKind {
    /// Largest packet, in octets.
    Mtu = 2,
    /// Largest advertised window, in octets.
    Window = 3,
    /// Round trip time, in eighths of a millisecond.
    Rtt = 4,
    /// Its variance, in quarters of a millisecond.
    RttVar = 5,
    /// Slow start threshold, in segments.
    SlowStartThreshold = 6,
    /// Congestion window, in segments; needs the lock to have an effect.
    CongestionWindow = 7,
    /// Advertised maximum segment, in octets.
    AdvertisedSegment = 8,
    /// Segments that may overtake each other.
    Reordering = 9,
    /// Hop limit, 0..=255.
    HopLimit = 10,
    /// Congestion window of new connections, in segments.
    InitialWindow = 11,
    /// Bits of `RTAX_FEATURE_*`.
    Features = 12,
    /// Shortest retransmission timeout, in milliseconds.
    MinimumTimeout = 13,
    /// Receive window of new connections, in segments.
    InitialReceiveWindow = 14,
    /// 1: acknowledge at once.
    QuickAck = 15,
    /// 1: TCP Fast Open without cookies.
    FastOpenNoCookie = 17,
}

/// A property of connections over a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Metric {
    /// Which.
    pub kind: MetricKind,
    /// In the unit of its kind.
    pub value: u32,
    /// The kernel must not change it by what it learns.
    pub locked: bool,
}

/// Explicit congestion notification, a bit of [`MetricKind::Features`].
pub const FEATURE_ECN: u32 = 1;

/// Where packets go next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NextHop {
    /// The router; `None` when the destination is on the link. It may be of IPv6 for a route of IPv4.
    pub gateway: Option<IpAddr>,
    /// Index of the interface; the kernel finds it by the gateway when `None`.
    pub index: Option<u32>,
    /// Share of the packets among several next hops, 1..=256; 0 counts as 1.
    pub weight: u16,
    /// The gateway is on the link, whatever the addresses say.
    pub onlink: bool,
    /// IPv4 realms: the source's in the upper, the destination's in the lower 16 bits.
    pub realms: Option<u32>,
    /// What packets are wrapped into. Not told by a dump.
    pub encapsulation: Option<Encapsulation>,
}

/// Where a new route stands among others to the same destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Placement {
    /// Before them.
    #[default]
    First,
    /// Behind them.
    Last,
    /// Not at all when there is another.
    Alone,
}

/// How packets of this host get to a destination, as the kernel decides now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Way {
    /// Index of the interface by which they leave.
    pub index: u32,
    /// Their source address, unless they name another.
    pub source: Option<IpAddr>,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The network it leads to; unspecified with length 0 for the default route.
    pub destination: IpAddr,
    /// Bits of the network part: 0..=32 or 0..=128.
    pub prefix_len: u8,
    /// IPv6: only for packets from this network.
    pub source: Option<(IpAddr, u8)>,
    /// What becomes of the packets.
    pub kind: Kind,
    /// Number of the table, [`MAIN_TABLE`] unless set; 0 is that one, too.
    pub table: u32,
    /// Who made it (`RTPROT_*`).
    pub protocol: u8,
    /// How far away the destination is; the kernel has no use for it in IPv6.
    pub scope: Scope,
    /// IPv4: only for packets with this type of service.
    pub tos: u8,
    /// The lowest is used; `None` leaves it to the kernel: 0 for IPv4, 1024 for IPv6.
    pub metric: Option<u32>,
    /// Source address of packets from this host.
    pub preferred_source: Option<IpAddr>,
    /// None for kinds that lead nowhere, several to share the packets, at most 255.
    pub next_hops: Vec<NextHop>,
    /// Properties of connections, each kind at most once.
    pub metrics: Vec<Metric>,
    /// Congestion control algorithm of connections, at most 15 octets, and whether it is locked. Not told by a dump.
    pub congestion_control: Option<(String, bool)>,
    /// IPv6: seconds until it vanishes. A dump does not tell it.
    pub expires: Option<u32>,
    /// IPv6: preference among routers as RFC 4191 section 2.1 numbers it: 0 medium, 1 high, 3 low.
    pub preference: Option<u8>,
    /// MPLS: whether the TTL is carried over. Not told by a dump.
    pub ttl_propagate: Option<bool>,
    /// Where it stands among others. Not told by a dump.
    pub placement: Placement,
}

impl Route {
    /// A unicast route of the main table, without next hop.
    pub fn new(destination: IpAddr, prefix_len: u8) -> Self {
        Self {
            destination,
            prefix_len,
            source: None,
            kind: Kind::Unicast,
            table: MAIN_TABLE,
            protocol: 0,
            scope: Scope::UNIVERSE,
            tos: 0,
            metric: None,
            preferred_source: None,
            next_hops: Vec::new(),
            metrics: Vec::new(),
            congestion_control: None,
            expires: None,
            preference: None,
            ttl_propagate: None,
            placement: Placement::First,
        }
    }

    /// Whether the two stand at one place of the kernel's tables: of routes that do, only the first is used.
    pub fn same_place(&self, other: &Self) -> bool {
        let usual = if self.destination.is_ipv4() { 0 } else { 1024 };
        let place = |route: &Self| {
            let table = if route.table == 0 { MAIN_TABLE } else { route.table };
            let metric = route.metric.filter(|&metric| metric != 0).unwrap_or(usual);
            (route.destination, route.prefix_len, table, route.tos, metric)
        };
        place(self) == place(other)
    }
}

impl Rtnl {
    /// All IPv4 and IPv6 routes of the namespace, of all tables, in the kernel's order.
    pub fn routes(&mut self) -> Result<Vec<Route>> {
        let message = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        self.dump("list the routes", message, |kind, payload| match kind {
            libc::RTM_NEWROUTE => Route::read(payload),
            _ => Ok(None),
        })
    }

    /// How the kernel would send to `destination` now; `None` when it would not.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let way = vrrp_netlink::rtnl::Rtnl::open()?.way_to("192.0.2.9".parse()?)?;
    /// println!("by interface {:?}, from {:?}", way.map(|way| way.index), way.and_then(|way| way.source));
    /// # Ok(())
    /// # }
    /// ```
    pub fn way_to(&mut self, destination: IpAddr) -> Result<Option<Way>> {
        const NO_WAY: [i32; 4] = [libc::ENETUNREACH, libc::EHOSTUNREACH, libc::EACCES, libc::EINVAL];
        let message = RouteNetlinkMessage::GetRoute(message::question(destination));
        match self.get("look up a route", message, |_, payload| message::answer(payload)) {
            Err(error) if error.errno().is_some_and(|errno| NO_WAY.contains(&errno)) => Ok(None),
            found => found,
        }
    }

    /// Adds routes, in order, each whether or not those before it succeed; one result for each. A route that is there
    /// stays as it is ([`Change::AlreadySo`]).
    ///
    /// Errors: `EINVAL` for what no kernel would take, `ENETUNREACH` for a gateway that is on no subnet, `ENODEV` without
    /// the interface, `EOPNOTSUPP` for an encapsulation that this kernel does not have.
    pub fn add_routes(&mut self, routes: &[Route]) -> Vec<Result<Change>> {
        let request = |route: &Route| Request {
            message: RouteNetlinkMessage::NewRoute(message::write(route)),
            flags: match route.placement {
                Placement::First => NLM_F_CREATE,
                Placement::Last => NLM_F_CREATE | NLM_F_APPEND,
                Placement::Alone => NLM_F_CREATE | NLM_F_EXCL,
            },
        };
        self.change_all("add the route", routes, sendable, request, &[libc::EEXIST])
    }

    /// Removes routes, in order, each whether or not those before it succeed; one result for each. All that is set must
    /// be as in the kernel's table. One with an encapsulation that this kernel does not have is not there.
    pub fn remove_routes(&mut self, routes: &[Route]) -> Vec<Result<Change>> {
        let request =
            |route: &Route| Request { message: RouteNetlinkMessage::DelRoute(message::write(route)), flags: 0 };
        self.change_all("remove the route", routes, sendable, request, &[libc::ESRCH, libc::ENODEV, libc::EOPNOTSUPP])
    }

    /// Sends a request for each of the objects that can be sent; `idle` are the error numbers which say that nothing was
    /// to be done.
    pub(crate) fn change_all<T>(
        &mut self,
        operation: &'static str,
        objects: &[T],
        sendable: impl Fn(&T) -> std::result::Result<(), &'static str>,
        request: impl Fn(&T) -> Request,
        idle: &[i32],
    ) -> Vec<Result<Change>> {
        let checked: Vec<_> = objects.iter().map(sendable).collect();
        let good = objects.iter().zip(&checked).filter(|(_, checked)| checked.is_ok());
        let requests: Vec<Request> = good.map(|(object, _)| request(object)).collect();
        let mut answers = self.batch(operation, &requests).into_iter();
        let mut result = |checked: std::result::Result<(), &'static str>| {
            let refused = |cause| Error::new(operation, io::Error::new(io::ErrorKind::InvalidInput, cause));
            checked.map_err(refused)?;
            match answers.next().unwrap_or(Ok(())) {
                Ok(()) => Ok(Change::Done),
                Err(error) if error.errno().is_some_and(|errno| idle.contains(&errno)) => Ok(Change::AlreadySo),
                Err(error) => Err(error),
            }
        };
        checked.into_iter().map(&mut result).collect()
    }
}

/// What the kernel would read otherwise than it was meant, or the encoding cannot hold.
fn sendable(route: &Route) -> std::result::Result<(), &'static str> {
    let v4 = route.destination.is_ipv4();
    let bits = |ip: IpAddr| if ip.is_ipv4() { 32 } else { 128 };
    let of_its_family = |ip: IpAddr| ip.is_ipv4() == v4;
    let source_fits = route.source.is_none_or(|(ip, length)| of_its_family(ip) && length <= bits(ip));
    if route.prefix_len > bits(route.destination) || !source_fits {
        return Err("a prefix is longer than its address, or the source of another family than the destination");
    }
    if !route.preferred_source.is_none_or(of_its_family) {
        return Err("the preferred source is of another family than the destination");
    }
    if !v4 && route.next_hops.iter().any(|hop| hop.gateway.is_some_and(|ip| ip.is_ipv4())) {
        return Err("a route of IPv6 cannot have a gateway of IPv4");
    }
    if route.next_hops.len() > MOST_NEXT_HOPS || route.next_hops.iter().any(|hop| hop.weight > 256) {
        return Err("a route has at most 255 next hops, of weights up to 256");
    }
    let name = route.congestion_control.as_ref().map_or("-", |(name, _)| name);
    if !(1..=CONGESTION_NAME_MAX).contains(&name.len()) || name.contains('\0') {
        return Err("the name of a congestion control has 1 to 15 octets, none of them zero");
    }
    route.next_hops.iter().filter_map(|hop| hop.encapsulation.as_ref()).try_for_each(Encapsulation::sendable)
}
