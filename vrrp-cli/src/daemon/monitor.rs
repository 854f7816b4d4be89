//! The monitor thread: turns the kernel's news about interfaces and addresses into the levels that the election knows.
//!
//! Knows which interfaces matter and which addresses are virtual; not what a state means to a router.

mod debounce;
mod mtu;
mod ports;
mod ways;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use vrrp_core::Family;
use vrrp_core::fsm;
use vrrp_core::node::{Faults, Groups, InterfaceId, RouterId, TrackerId};
use vrrp_core::track::Status;
use vrrp_netlink::addresses::Address;
use vrrp_netlink::firewall;
use vrrp_netlink::links::Link;
use vrrp_netlink::monitor::{Event, Monitor};
use vrrp_netlink::process::{Poller, Wakeup};
use vrrp_netlink::routes::Route;
use vrrp_netlink::rtnl::Rtnl;
use vrrp_netlink::rules;

use super::election::Level;
use super::orders::{Job, Orders};
use super::setup::Interface;
use super::{Feedback, ToElection};

use debounce::Debounce;
pub(super) use debounce::Delays;
pub(super) use mtu::{Load, TooSmall, loads};
use ports::Port;
use ways::Ways;

/// Pause before something that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The smallest MTU with which an interface has IPv6 (RFC 8200 section 5).
const LEAST_MTU_V6: u32 = 1280;

/// An interface by name, with what the kernel calls it at the moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Device {
    /// Its name in the configuration.
    pub(super) name: String,
    /// Its index; `None` while it does not exist.
    pub(super) index: Option<u32>,
    /// Its Ethernet address.
    pub(super) mac: Option<[u8; 6]>,
}

impl Device {
    /// The device of this name in `links`.
    pub(super) fn find(name: &str, links: &Links) -> Self {
        let link = links.by_name(name);
        Self { name: name.to_owned(), index: link.map(|link| link.index), mac: link.and_then(|link| link.mac) }
    }
}

/// The interfaces and addresses of the host, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Links {
    by_index: HashMap<u32, Link>,
    /// The oldest first.
    addresses: Vec<Address>,
    /// Virtual addresses: never the source of adverts (R2).
    pub(super) virtual_addresses: HashSet<(IpAddr, u8)>,
    /// Names of our virtual interfaces: their state follows the election, and is nothing that it depends on.
    pub(super) own: HashSet<String>,
    debounce: Debounce,
    /// How hosts are reached that somebody goes by the route to.
    ways: Ways,
    /// What else is put back when somebody removes it.
    pub(super) kept: Kept,
}

/// Addresses of this host, routes and rules that are put back when somebody removes them.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) addresses: HashSet<(IpAddr, u8)>,
    pub(super) routes: Vec<Route>,
    pub(super) rules: HashSet<(rules::Family, Option<u32>)>,
}

impl Links {
    /// Reads everything from the kernel.
    pub(super) fn read(&mut self, rtnl: &mut Rtnl) -> vrrp_netlink::Result<()> {
        self.by_index = rtnl.links()?.into_iter().map(|link| (link.index, link)).collect();
        // The kernel lists IPv4 in the order in which they came, IPv6 in the opposite one.
        let (mut v6, v4): (Vec<_>, Vec<_>) = rtnl.addresses()?.into_iter().partition(|a| a.address.is_ipv6());
        v6.reverse();
        self.addresses = v4;
        self.addresses.append(&mut v6);
        Ok(())
    }

    pub(super) fn by_index(&self, index: u32) -> Option<&Link> {
        self.by_index.get(&index)
    }

    pub(super) fn by_name(&self, name: &str) -> Option<&Link> {
        self.by_index.values().find(|link| link.name == name)
    }

    /// Names of all interfaces but the loopback ones, sorted.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> =
            self.by_index.values().filter(|link| !link.loopback).map(|link| link.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// The MAC addresses of all interfaces.
    pub(super) fn macs(&self) -> HashSet<[u8; 6]> {
        self.by_index.values().filter_map(|link| link.mac).collect()
    }

    /// All addresses of the host, the oldest of an interface first.
    pub(super) fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    fn add(&mut self, address: Address) {
        match self.addresses.iter_mut().find(|known| same(known, &address)) {
            Some(known) => *known = address,
            None => self.addresses.push(address),
        }
    }

    /// Whether it is a virtual one that another host has, too.
    fn is_duplicate(&self, address: &Address) -> bool {
        address.duplicate && self.virtual_addresses.contains(&(address.address, address.prefix_len))
    }

    fn remove(&mut self, address: &Address) {
        self.addresses.retain(|known| !same(known, address));
    }

    /// The oldest address of an interface that is not in `virtual_addresses`: one of IPv4, or of IPv6 a link-local one that
    /// can be used.
    pub(super) fn real(&self, index: u32, family: Family, virtual_addresses: &HashSet<(IpAddr, u8)>) -> Option<IpAddr> {
        let real = |a: &&Address| {
            let sends = match (a.address, family) {
                (IpAddr::V4(_), Family::V4) => true,
                (IpAddr::V6(address), Family::V6) => address.is_unicast_link_local() && !a.tentative && !a.duplicate,
                (IpAddr::V4(_), Family::V6) | (IpAddr::V6(_), Family::V4) => false,
            };
            sends && a.index == index && !virtual_addresses.contains(&(a.address, a.prefix_len))
        };
        self.addresses.iter().find(real).map(|a| a.address)
    }

    /// Whether the host has this address on this interface.
    pub(super) fn has(&self, index: u32, address: IpAddr, prefix_len: u8) -> bool {
        let same = |a: &Address| a.index == index && a.address == address && a.prefix_len == prefix_len;
        self.addresses.iter().any(same)
    }

    /// Whether datagrams can come from this address: the host has it where it must be, as no virtual one.
    pub(super) fn sends_from(&self, source: &Source) -> bool {
        let address = source.address;
        let here = |index| self.by_index.get(&index).map(|link| &link.name);
        let usable = |a: &Address| {
            a.address == address
                && source.interface.as_ref().is_none_or(|name| here(a.index) == Some(name))
                && !a.tentative
                && !a.duplicate
                && !self.virtual_addresses.contains(&(address, a.prefix_len))
        };
        self.addresses.iter().any(usable)
    }

    /// Whether an interface works, for whoever tracks it; one that does not exist does not.
    pub(super) fn status(&self, name: &str) -> Status {
        if self.running(name).is_some() { Status::Up } else { Status::Down }
    }

    fn running(&self, name: &str) -> Option<&Link> {
        self.by_name(name).filter(|link| self.debounce.counts(name, works(link)))
    }

    /// From now on the state of these interfaces counts when it has lasted.
    pub(super) fn delay(&mut self, delays: BTreeMap<String, Delays>) {
        let known = |(name, delays): (String, Delays)| {
            let up = self.by_name(&name).is_some_and(works);
            (name, delays, up)
        };
        self.debounce = Debounce::new(delays.into_iter().map(known));
    }

    fn settle(&mut self, now: Instant) {
        let links = &self.by_index;
        self.debounce.learn(now, |name| links.values().find(|link| link.name == name).map(works));
    }

    /// The level for the routers of a family: those that track the interface, or those that do not.
    fn level(&self, name: &str, family: Family, tracked: bool) -> fsm::Link {
        // IPv6 ends where an interface is switched off, and its addresses go; IPv4's stay.
        let present = |link: &&Link| link.admin_up || family == Family::V4;
        let link = if tracked { self.running(name) } else { self.by_name(name).filter(present) };
        let Some(link) = link else { return fsm::Link::Down };
        self.real(link.index, family, &self.virtual_addresses).map_or(fsm::Link::NoAddress, fsm::Link::Up)
    }
}

fn works(link: &Link) -> bool {
    link.admin_up && link.running
}

fn same(a: &Address, b: &Address) -> bool {
    a.index == b.index && a.address == b.address && a.prefix_len == b.prefix_len
}

/// The monitor thread's state.
pub(super) struct Watch {
    monitor: Monitor,
    /// News about the table of nftables, where there is one.
    filter: Option<firewall::Watch>,
    rtnl: Rtnl,
    links: Links,
    ports: Vec<Port>,
    tracked: Vec<Tracked>,
    sources: Vec<Source>,
    loads: Vec<Load>,
    groups: Groups,
    /// The MAC addresses of this host, as the election knows them.
    macs: HashSet<[u8; 6]>,
    /// Events were lost, and the tables could not be read again yet.
    overrun: bool,
    /// Something failed and is tried again soon.
    again: bool,
}

/// An address that a router's adverts come from, and what the election knows.
pub(super) struct Source {
    pub(super) router: RouterId,
    pub(super) address: IpAddr,
    /// The one that it must be on; `None` is any of this host.
    pub(super) interface: Option<String>,
    pub(super) absent: bool,
}

/// An interface that is tracked, and the level that the election knows.
struct Tracked {
    tracker: TrackerId,
    name: String,
    told: Status,
}

impl Watch {
    /// `monitor` was opened before `links` was read, so that nothing is missed in between.
    pub(super) fn new(
        (monitor, filter): (Monitor, Option<firewall::Watch>),
        (rtnl, links): (Rtnl, Links),
        interfaces: &[Interface],
        all_tracked: Vec<(TrackerId, String)>,
        (sources, loads): (Vec<Source>, Vec<Load>),
        groups: Groups,
    ) -> Self {
        let port = |(id, interface): (u32, &Interface)| Port::new(InterfaceId(id), interface, &links);
        let ports = (0..).zip(interfaces).map(port).collect();
        let tracked = |(tracker, name): (TrackerId, String)| {
            let told = links.status(&name);
            Tracked { tracker, name, told }
        };
        let tracked = all_tracked.into_iter().map(tracked).collect();
        let macs = links.macs();
        let (overrun, again) = (false, false);
        Self { monitor, filter, rtnl, links, ports, tracked, sources, loads, groups, macs, overrun, again }
    }

    /// The levels at the start, which the election must know before it begins.
    pub(super) fn levels(&self) -> Vec<Level> {
        self.ports.iter().flat_map(Port::told).collect()
    }

    /// Tells the election each change, until `stop`.
    pub(super) fn run(mut self, election: &ToElection, orders: &Orders, stop: &Wakeup) {
        let mut poller = Poller::new();
        poller.add(&self.monitor);
        let stopped = poller.add(stop);
        let filtered = self.filter.as_ref().map(|filter| poller.add(filter));
        let mut events = Vec::new();
        while !poller.ready(stopped) {
            let settled = self.links.debounce.next().map(|due| due.saturating_duration_since(Instant::now()));
            let timeout = self.again.then_some(AGAIN).into_iter().chain(settled).min();
            let outcome = poller.wait(timeout).and_then(|_| {
                self.monitor.read(&mut events)?;
                let ready = filtered.is_some_and(|token| poller.ready(token));
                self.filter.as_mut().filter(|_| ready).map_or(Ok(false), firewall::Watch::read)
            });
            match outcome {
                Ok(true) => orders.job(Job::Filter),
                Ok(false) => {}
                Err(error) => {
                    tracing::error!("{error}");
                    election.send(Feedback::Died("monitor"));
                    return;
                }
            }
            if let Err(error) = self.learn(&mut events, orders) {
                tracing::error!("{error}");
                election.send(Feedback::Died("monitor"));
                return;
            }
            if let Err(error) = self.links.look_up_routes(&mut self.rtnl) {
                // What is known stands until it can be looked up.
                tracing::warn!("{error}: trying again");
                self.again = true;
            }
            self.links.settle(Instant::now());
            self.tell(election, orders);
        }
    }

    fn learn(&mut self, events: &mut Vec<Event>, orders: &Orders) -> vrrp_netlink::Result<()> {
        if events.contains(&Event::Overrun) {
            if !self.overrun {
                tracing::info!("news about interfaces was lost in a burst: reading all of it again");
            }
            self.overrun = true;
            // It is older than what was lost: behind the tables it would be believed.
            events.clear();
            self.monitor.discard()?;
        }
        for event in events.drain(..) {
            match event {
                Event::Link(link) => {
                    let (index, mtu, runs) = (link.index, link.mtu, works(&link));
                    let own = self.links.own.contains(&link.name).then(|| link.name.clone());
                    let before = self.links.by_index.insert(link.index, link);
                    if before.as_ref().is_none_or(|before| works(before) != runs) {
                        orders.job(own.map_or(Job::Recheck, Job::Switched));
                    }
                    // Below that there is no IPv6, and the kernel forgets who has joined which group.
                    if before.is_some_and(|before| before.mtu < LEAST_MTU_V6) && mtu >= LEAST_MTU_V6 {
                        self.ports.iter_mut().for_each(|port| port.forget(index));
                    }
                }
                Event::LinkRemoved { index, .. } => {
                    self.links.by_index.remove(&index);
                    self.links.addresses.retain(|a| a.index != index);
                    // The next one may have its number.
                    self.ports.iter_mut().for_each(|port| port.forget(index));
                }
                Event::Address(address) => {
                    if self.links.is_duplicate(&address) {
                        orders.job(Job::Duplicate(address.clone()));
                    }
                    self.links.add(address);
                }
                Event::AddressRemoved(address) => {
                    self.links.remove(&address);
                    // An interface that is switched off loses its addresses of IPv6, and its routers let go of theirs.
                    let up = self.links.by_index.get(&address.index).is_some_and(|link| link.admin_up);
                    let key = (address.address, address.prefix_len);
                    if up && (self.links.virtual_addresses.contains(&key) || self.links.kept.addresses.contains(&key)) {
                        orders.job(Job::Missing(address));
                    }
                }
                Event::RouteRemoved(route) => {
                    if self.links.kept.routes.iter().any(|ours| ours.same_place(&route)) {
                        orders.job(Job::RouteMissing(route));
                    }
                }
                Event::RuleRemoved(rule) => {
                    if self.links.kept.rules.contains(&(rule.family, rule.priority)) {
                        orders.job(Job::RuleMissing(rule));
                    }
                }
                Event::Overrun => {}
            }
        }
        if self.overrun {
            match self.links.read(&mut self.rtnl) {
                Ok(()) => {
                    self.overrun = false;
                    self.ports.iter_mut().for_each(Port::doubt);
                    orders.job(Job::Recheck);
                    let own = self.links.own.iter().cloned().map(Job::Switched);
                    let duplicates = self.links.addresses.iter().filter(|address| self.links.is_duplicate(address));
                    own.chain(duplicates.cloned().map(Job::Duplicate)).for_each(|job| orders.job(job));
                }
                // What is known stands until it can be read.
                Err(error) => tracing::warn!("{error}: trying again"),
            }
        }
        self.again = self.overrun;
        Ok(())
    }

    fn tell(&mut self, election: &ToElection, orders: &Orders) {
        for Tracked { tracker, name, told } in &mut self.tracked {
            let status = self.links.status(name);
            if *told != status {
                *told = status;
                election.send(Feedback::Tracked { tracker: *tracker, status });
            }
        }
        let macs = self.links.macs();
        if self.macs != macs {
            self.macs.clone_from(&macs);
            election.send(Feedback::HostMacs(macs));
        }
        for source in &mut self.sources {
            let absent = !self.links.sends_from(source);
            if source.absent != absent {
                source.absent = absent;
                let (router, fault) = (source.router, Faults::SOURCE);
                election.send(Feedback::Fault { router, fault, present: absent });
            }
        }
        for (router, too_small) in self.loads.iter_mut().filter_map(|load| load.change(&self.links)) {
            election.send(Feedback::Mtu { router, too_small });
        }
        for port in &mut self.ports {
            self.again |= port.tell(&self.links, self.groups, election, orders);
        }
    }
}
