//! The monitor thread: turns the kernel's news about interfaces and addresses into the levels that the election knows.
//!
//! Knows which interfaces matter and which addresses are virtual; not what a state means to a router.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use vrrp_core::Family;
use vrrp_core::fsm;
use vrrp_core::node::{Groups, InterfaceId};
use vrrp_netlink::addresses::Address;
use vrrp_netlink::links::Link;
use vrrp_netlink::monitor::{Event, Monitor};
use vrrp_netlink::process::{Poller, Wakeup};
use vrrp_netlink::rtnl::Rtnl;

use super::ear::{Ear, Kind};
use super::election::Level;
use super::orders::{Job, Orders};
use super::setup::Interface;
use super::{Feedback, ToElection};

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
    addresses: Vec<Address>,
    /// Virtual addresses: never the source of adverts (R2).
    pub(super) virtual_addresses: HashSet<(IpAddr, u8)>,
}

impl Links {
    /// Reads everything from the kernel.
    pub(super) fn read(&mut self, rtnl: &mut Rtnl) -> vrrp_netlink::Result<()> {
        self.by_index = rtnl.links()?.into_iter().map(|link| (link.index, link)).collect();
        self.addresses = rtnl.addresses()?;
        Ok(())
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

    /// Whether the host has this address on this interface.
    pub(super) fn has(&self, index: u32, address: IpAddr, prefix_len: u8) -> bool {
        let same = |a: &Address| a.index == index && a.address == address && a.prefix_len == prefix_len;
        self.addresses.iter().any(same)
    }

    /// The level for the routers of a family.
    pub(super) fn level(&self, name: &str, family: Family) -> fsm::Link {
        let Some(link) = self.by_name(name).filter(|link| link.admin_up && link.running) else {
            return fsm::Link::Down;
        };
        self.primary(link.index, family).map_or(fsm::Link::NoAddress, fsm::Link::Up)
    }

    /// The real address of an interface that was there first: of IPv4 its primary one, of IPv6 a link-local one that is
    /// usable. One that is added later changes nothing.
    fn primary(&self, index: u32, family: Family) -> Option<IpAddr> {
        let mut real = self.addresses.iter().filter(|a| {
            a.index == index && !a.secondary && !self.virtual_addresses.contains(&(a.address, a.prefix_len))
        });
        match family {
            Family::V4 => real.map(|a| a.address).find(IpAddr::is_ipv4),
            Family::V6 => {
                let usable = |a: &&Address| {
                    let link_local = matches!(a.address, IpAddr::V6(address) if address.is_unicast_link_local());
                    link_local && !a.tentative && !a.duplicate
                };
                // The kernel lists the newest first.
                real.rfind(usable).map(|a| a.address)
            }
        }
    }
}

/// The monitor thread's state.
pub(super) struct Watch {
    monitor: Monitor,
    rtnl: Rtnl,
    links: Links,
    ports: Vec<Port>,
    groups: Groups,
}

struct Port {
    id: InterfaceId,
    device: Device,
    /// How adverts are heard here; where they are not, addresses are only announced.
    hears: Vec<Kind>,
    /// The levels that the election knows.
    told: Vec<(Family, fsm::Link)>,
}

impl Watch {
    /// `monitor` was opened before `links` was read, so that nothing is missed in between.
    pub(super) fn new(
        monitor: Monitor,
        (rtnl, links): (Rtnl, Links),
        interfaces: &[Interface],
        groups: Groups,
    ) -> Self {
        let port = |(id, interface): (u32, &Interface)| {
            let level = |kind: &Kind| (kind.family(), links.level(&interface.device.name, kind.family()));
            Port {
                id: InterfaceId(id),
                told: interface.hears.iter().map(level).collect(),
                device: interface.device.clone(),
                hears: interface.hears.clone(),
            }
        };
        let ports = (0..).zip(interfaces).map(port).collect();
        Self { monitor, rtnl, links, ports, groups }
    }

    /// The levels at the start, which the election must know before it begins.
    pub(super) fn levels(&self) -> Vec<Level> {
        let levels = |port: &Port| port.told.iter().map(|&(family, link)| (port.id, family, link)).collect::<Vec<_>>();
        self.ports.iter().flat_map(levels).collect()
    }

    /// Tells the election each change, until `stop`.
    pub(super) fn run(mut self, election: &ToElection, orders: &Orders, stop: &Wakeup) {
        let mut poller = Poller::new();
        poller.add(&self.monitor);
        let stopped = poller.add(stop);
        let mut events = Vec::new();
        while !poller.ready(stopped) {
            let outcome = poller.wait(None).and_then(|_| self.monitor.read(&mut events));
            let outcome = outcome.and_then(|()| self.learn(&mut events));
            if let Err(error) = outcome {
                tracing::error!("{error}");
                election.send(Feedback::Died("monitor"));
                return;
            }
            self.tell(election, orders);
        }
    }

    fn learn(&mut self, events: &mut Vec<Event>) -> vrrp_netlink::Result<()> {
        let (mut everything, mut addresses) = (false, false);
        for event in events.drain(..) {
            match event {
                Event::Link(link) => {
                    self.links.by_index.insert(link.index, link);
                }
                Event::LinkRemoved { index, .. } => {
                    self.links.by_index.remove(&index);
                }
                // Our own work comes back a thousand times in a takeover, and never changes a source address.
                Event::Address(a) | Event::AddressRemoved(a) => {
                    addresses |= !self.links.virtual_addresses.contains(&(a.address, a.prefix_len));
                }
                Event::Overrun => everything = true,
            }
        }
        if everything {
            tracing::info!("news about interfaces was lost in a burst: reading all of it again");
            self.links.read(&mut self.rtnl)?;
        } else if addresses {
            self.links.addresses = self.rtnl.addresses()?;
        }
        Ok(())
    }

    fn tell(&mut self, election: &ToElection, orders: &Orders) {
        'ports: for port in &mut self.ports {
            let device = Device::find(&port.device.name, &self.links);
            if device != port.device {
                if device.index.is_some() && device.index != port.device.index {
                    for &kind in &port.hears {
                        match Ear::open(kind, &device, self.groups) {
                            Ok(socket) => election.send(Feedback::Socket { interface: port.id, socket }),
                            Err(error) => {
                                // Tried again at its next change; until then its level stays what it was: down.
                                tracing::error!("{error}");
                                continue 'ports;
                            }
                        }
                    }
                }
                orders.job(Job::Device(device.clone()));
                port.device = device;
            }
            for (family, told) in &mut port.told {
                let link = self.links.level(&port.device.name, *family);
                if *told != link {
                    *told = link;
                    election.send(Feedback::Link { interface: port.id, family: *family, link });
                }
            }
        }
    }
}
