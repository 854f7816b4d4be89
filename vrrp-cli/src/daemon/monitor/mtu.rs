//! Whether an interface carries a router's adverts in one piece: pieces would be lost at hosts and switches that look at single
//! packets, and over IPv4 the kernel sends none at all.
//!
//! Knows lengths and interfaces; not what follows for a router.

use std::fmt;
use std::net::IpAddr;
use std::time::Instant;

use vrrp_core::node::{Faults, Input, Node, RouterId};
use vrrp_netlink::links::Link;

use super::super::setup::Interface;
use super::Links;

/// The adverts of a router, and the interface that has to carry them.
pub(in crate::daemon) struct Load {
    router: RouterId,
    /// Octets of a datagram.
    length: usize,
    interface: String,
    /// The interface is whichever one the route to this host goes by.
    route_to: Option<IpAddr>,
    /// What the election knows.
    told: Option<TooSmall>,
}

/// Why adverts are not sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::daemon) struct TooSmall {
    interface: String,
    mtu: u32,
    length: usize,
}

impl fmt::Display for TooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { interface, mtu, length } = self;
        write!(f, "the MTU of {interface}, {mtu}, is too small for its advertisement of {length} octets")
    }
}

/// The load of each router, by its number and the place of its interface. Those that are too much start in FAULT.
pub(in crate::daemon) fn loads(
    routers: impl Iterator<Item = (RouterId, usize)>,
    interfaces: &[Interface],
    node: &mut Node<Instant>,
    links: &Links,
) -> Vec<Load> {
    let load = |(router, place): (RouterId, usize)| {
        let (length, interface) = (node.router(router)?.datagram_len(), interfaces.get(place)?);
        let (name, route_to) = (interface.device.name.clone(), interface.route_to);
        let mut load = Load { router, length, interface: name, route_to, told: None };
        load.told = load.look(links);
        let fault = Input::Fault { router, fault: Faults::MTU, present: load.told.is_some() };
        node.handle(Instant::now(), fault, &mut Vec::new());
        Some(load)
    };
    routers.filter_map(load).collect()
}

impl Load {
    /// What the election knows, by router.
    pub(in crate::daemon) fn told(&self) -> (RouterId, Option<TooSmall>) {
        (self.router, self.told.clone())
    }

    /// What has changed since it was told.
    pub(super) fn change(&mut self, links: &Links) -> Option<(RouterId, Option<TooSmall>)> {
        let found = self.look(links);
        (found != self.told).then(|| {
            self.told = found;
            self.told()
        })
    }

    /// An interface that is not there is no obstacle of this kind.
    fn look(&self, links: &Links) -> Option<TooSmall> {
        let link = match self.route_to {
            None => links.by_name(&self.interface),
            Some(peer) => links.link_to(peer),
        };
        let small = |link: &&Link| usize::try_from(link.mtu).is_ok_and(|mtu| mtu < self.length);
        let link = link.filter(small)?;
        Some(TooSmall { interface: link.name.clone(), mtu: link.mtu, length: self.length })
    }
}
