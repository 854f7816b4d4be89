//! What a router has while it is Master, and what of it is on the host.
//!
//! Knows neither orders nor elections.

use std::sync::Arc;

use vrrp_core::node::{RouterId, TrackerId};
use vrrp_netlink::addresses::Address;
use vrrp_netlink::objects;
use vrrp_netlink::routes::Route;
use vrrp_netlink::rtnl::Rtnl;
use vrrp_netlink::rules::Rule;

use super::announce::Serving;
use super::fights::{Fights, Thing};
use super::{Extra, Filtering, Installation, Pace, Routed, Ruled, Virtual, addresses, routes, rules, virtuals};
use crate::daemon::lease::Lease;
use crate::daemon::monitor::Device;

/// What belongs together, in the order in which it is installed.
#[derive(Clone, Default, Debug)]
pub(in crate::daemon) struct Entries {
    /// Those that adverts name, then those that they do not.
    pub(in crate::daemon) addresses: Vec<Installation>,
    pub(in crate::daemon) routes: Vec<Routed>,
    pub(in crate::daemon) rules: Vec<Ruled>,
}

/// What a router has while it is Master.
#[derive(Clone, Debug)]
pub(in crate::daemon) struct Table {
    pub(in crate::daemon) id: RouterId,
    pub(in crate::daemon) name: String,
    pub(in crate::daemon) entries: Entries,
    pub(in crate::daemon) extra: Option<Extra>,
    /// It lets go when another program goes on removing its addresses.
    pub(in crate::daemon) steps_down: bool,
}

/// All that the kernel thread is there for.
#[derive(Clone, Debug)]
pub(in crate::daemon) struct Work {
    pub(in crate::daemon) tables: Vec<Arc<Table>>,
    /// What the host has whoever is Master.
    pub(in crate::daemon) statics: Entries,
    /// What stands for the groups of the static entries, by their number.
    pub(in crate::daemon) groups: Vec<TrackerId>,
    /// Interfaces on which removing an address must not remove others of its subnet.
    pub(in crate::daemon) promote: Vec<String>,
    pub(in crate::daemon) paces: Vec<Pace>,
    pub(in crate::daemon) lease: Lease,
    pub(in crate::daemon) filtering: Filtering,
    pub(in crate::daemon) virtuals: Vec<Virtual>,
}

/// What may be on the host because of us.
#[derive(Default)]
pub(super) struct Held {
    pub(super) addresses: Vec<Address>,
    pub(super) routes: Vec<Route>,
    pub(super) rules: Vec<Rule>,
}

/// What of some entries is not on the host.
#[derive(Default)]
pub(super) struct Lacking {
    /// Something was refused, and may be tried again.
    pub(super) again: bool,
    /// Groups that fail without it.
    pub(super) groups: Vec<usize>,
    /// Addresses were put back; whether somebody goes on removing them.
    pub(super) fight: Option<bool>,
}

impl Lacking {
    /// Something waits for its interface.
    pub(super) fn absent(&mut self, group: Option<usize>) {
        self.groups.extend(group);
    }

    /// Something was refused.
    pub(super) fn refused(&mut self, group: Option<usize>) {
        self.again = true;
        self.groups.extend(group);
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        self.again |= other.again;
        self.groups.extend(other.groups);
        self
    }
}

impl Held {
    /// All of `entries` that is ours to remove, on the interfaces that exist.
    pub(super) fn all(entries: &Entries, devices: &[Device]) -> Self {
        Self {
            addresses: addresses::removable(entries, devices),
            routes: routes::removable(entries, devices),
            rules: rules::removable(entries),
        }
    }

    /// As another process reads it.
    pub(super) fn octets(&self) -> Vec<u8> {
        objects::octets(&self.addresses, &self.routes, &self.rules)
    }

    pub(super) fn has(&self, thing: &Thing) -> bool {
        self.addresses.iter().map(Thing::from).any(|one| one == *thing)
            || self.routes.iter().map(Thing::from).any(|one| one == *thing)
            || self.rules.iter().map(Thing::from).any(|one| one == *thing)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.routes.is_empty() && self.rules.is_empty()
    }

    /// Removes rules, then routes; what cannot be removed stays in here.
    pub(super) fn remove_routing(&mut self, rtnl: &mut Rtnl) {
        self.rules = rules::remove(rtnl, std::mem::take(&mut self.rules));
        self.routes = routes::remove(rtnl, std::mem::take(&mut self.routes));
    }
}

impl Table {
    /// What is announced while it is Master.
    pub(super) fn serving(&self) -> Serving<'_> {
        Serving { name: &self.name, addresses: &self.entries.addresses }
    }
}

impl Work {
    /// The octets that what each router holds may take; behind them what is held whoever is Master, and then what is changed
    /// beside addresses, routes and rules.
    pub(in crate::daemon) fn rooms(&self) -> impl Iterator<Item = usize> + '_ {
        let all = self.tables.iter().map(|table| &table.entries).chain([&self.statics]).map(Entries::room);
        all.chain([virtuals::room(&self.virtuals, self.promote.len())])
    }
}

impl Entries {
    /// Whether addresses are on this device.
    pub(super) fn has_addresses_on(&self, device: usize) -> bool {
        self.addresses.iter().any(|installation| installation.device == device)
    }

    /// Whether every interface exists that addresses are to be on.
    pub(in crate::daemon) fn is_complete(&self, devices: &[Device]) -> bool {
        self.addresses.iter().all(|one| devices.get(one.device).is_some_and(addresses::exists))
    }

    /// The octets of all of it, should every interface exist.
    fn room(&self) -> usize {
        let hops = self.routes.iter().flat_map(|routed| routed.devices.iter().flatten());
        let devices = self.addresses.iter().map(|installation| &installation.device).chain(hops);
        let any = Device { name: String::new(), index: Some(1), mac: None };
        let devices = vec![any; devices.max().map_or(0, |device| device + 1)];
        Held::all(self, &devices).octets().len()
    }

    /// Whether any of it is on this device.
    pub(super) fn uses(&self, device: usize) -> bool {
        self.has_addresses_on(device) || self.routes.iter().any(|routed| routed.devices.contains(&Some(device)))
    }
}

/// Adds routes, then rules.
/// With `repair`, what is missing is what somebody removed.
pub(super) fn add_routing(
    rtnl: &mut Rtnl,
    devices: &[Device],
    who: &str,
    entries: &Entries,
    mut repair: Option<&mut Fights>,
) -> Lacking {
    let routes = routes::add(rtnl, devices, who, entries, repair.as_deref_mut());
    let rules = rules::add(rtnl, who, entries, repair);
    routes.and(rules)
}
