//! Routers without an interface of their own: by which one their first peer is reached at the moment, and from which address.
//!
//! Knows what the kernel answers; not when to ask, nor what follows from it.

use std::collections::HashMap;
use std::net::IpAddr;

use vrrp_core::{Family, fsm};
use vrrp_netlink::addresses::Address;
use vrrp_netlink::links::Link;
use vrrp_netlink::routes::Way;
use vrrp_netlink::rtnl::Rtnl;

use super::Links;

/// How each host is reached; `None` while there is no route to it.
pub(super) type Ways = HashMap<IpAddr, Option<Way>>;

impl Links {
    /// From now on the route to `peer` is looked up, too.
    pub(in crate::daemon) fn follow_route(&mut self, peer: IpAddr) {
        self.ways.entry(peer).or_default();
    }

    /// Asks the kernel anew.
    pub(in crate::daemon) fn look_up_routes(&mut self, rtnl: &mut Rtnl) -> vrrp_netlink::Result<()> {
        self.ways.iter_mut().try_for_each(|(peer, way)| {
            *way = rtnl.way_to(*peer)?;
            Ok(())
        })
    }

    /// The interface that the route to `peer` goes by.
    pub(super) fn link_to(&self, peer: IpAddr) -> Option<&Link> {
        let way = self.ways.get(&peer).copied().flatten()?;
        self.by_index.get(&way.index)
    }

    /// The level for routers whose first peer is this one: that of the interface which the route goes by, for those that track
    /// it, or only whether there is a route.
    pub(super) fn level_to(&self, peer: IpAddr, tracked: bool) -> fsm::Link {
        let way = self.ways.get(&peer).copied().flatten();
        let link = way.zip(self.link_to(peer));
        let Some((way, _)) = link.filter(|(_, link)| !tracked || self.running(&link.name).is_some()) else {
            return fsm::Link::Down;
        };
        self.source_to(peer, way).map_or(fsm::Link::NoAddress, fsm::Link::Up)
    }

    /// The address that the kernel would choose, but no virtual one, which another host will have.
    fn source_to(&self, peer: IpAddr, way: Way) -> Option<IpAddr> {
        let real = |a: &&Address| {
            let usable = !a.tentative && !a.duplicate && !self.virtual_addresses.contains(&(a.address, a.prefix_len));
            usable && Family::of(a.address) == Family::of(peer)
        };
        let local = |a: &Address| matches!(a.address, IpAddr::V6(address) if address.is_unicast_link_local());
        let mut all = self.addresses.iter().filter(real);
        let chosen = way.source.filter(|source| all.clone().any(|a| a.address == *source));
        chosen.or_else(|| all.find(|a| a.index == way.index && !local(a)).map(|a| a.address))
    }
}
