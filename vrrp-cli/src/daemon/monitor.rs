//! The monitor thread: turns the kernel's news about interfaces and addresses into the levels that the election knows.
//!
//! Knows which interfaces matter and which addresses are virtual; not what a state means to a router.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use vrrp_core::fsm;
use vrrp_core::node::InterfaceId;
use vrrp_core::wire::ipv4::PROTOCOL_VRRP;
use vrrp_netlink::addresses::Address;
use vrrp_netlink::links::Link;
use vrrp_netlink::monitor::{Event, Monitor};
use vrrp_netlink::process::{Poller, Wakeup};
use vrrp_netlink::rtnl::Rtnl;
use vrrp_netlink::socket::VrrpSocket;

use super::orders::{Job, Orders};
use super::setup::Interface;
use super::{Feedback, ToElection};

/// Pause before something that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

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

    fn add(&mut self, address: Address) {
        match self.addresses.iter_mut().find(|known| same(known, &address)) {
            Some(known) => *known = address,
            None => self.addresses.push(address),
        }
    }

    fn remove(&mut self, address: &Address) {
        self.addresses.retain(|known| !same(known, address));
    }

    /// The first IPv4 address of an interface, in the kernel's order, that is not in `virtual_addresses`.
    pub(super) fn real(&self, index: u32, virtual_addresses: &HashSet<(IpAddr, u8)>) -> Option<Ipv4Addr> {
        let real = |a: &&Address| a.index == index && !virtual_addresses.contains(&(a.address, a.prefix_len));
        self.addresses.iter().filter(real).find_map(|a| match a.address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
    }

    /// Whether the host has this address on this interface.
    pub(super) fn has(&self, index: u32, address: IpAddr, prefix_len: u8) -> bool {
        let same = |a: &Address| a.index == index && a.address == address && a.prefix_len == prefix_len;
        self.addresses.iter().any(same)
    }

    /// The level for the election.
    pub(super) fn level(&self, name: &str) -> fsm::Link {
        let Some(link) = self.by_name(name).filter(|link| link.admin_up && link.running) else {
            return fsm::Link::Down;
        };
        self.real(link.index, &self.virtual_addresses)
            .map_or(fsm::Link::NoAddress, |source| fsm::Link::Up(source.into()))
    }
}

fn same(a: &Address, b: &Address) -> bool {
    a.index == b.index && a.address == b.address && a.prefix_len == b.prefix_len
}

/// The monitor thread's state.
pub(super) struct Watch {
    monitor: Monitor,
    rtnl: Rtnl,
    links: Links,
    ports: Vec<Port>,
    group: Ipv4Addr,
    /// Events were lost, and the tables could not be read again yet.
    overrun: bool,
    /// Something failed and is tried again soon.
    again: bool,
}

struct Port {
    id: InterfaceId,
    device: Device,
    /// Adverts are heard here, not only sent ARP.
    listens: bool,
    /// The level that the election knows.
    told: fsm::Link,
}

impl Watch {
    /// `monitor` was opened before `links` was read, so that nothing is missed in between.
    pub(super) fn new(
        monitor: Monitor,
        (rtnl, links): (Rtnl, Links),
        interfaces: &[Interface],
        group: Ipv4Addr,
    ) -> Self {
        let port = |(id, interface): (u32, &Interface)| Port {
            id: InterfaceId(id),
            told: links.level(&interface.device.name),
            device: interface.device.clone(),
            listens: interface.listens,
        };
        let ports = (0..).zip(interfaces).map(port).collect();
        Self { monitor, rtnl, links, ports, group, overrun: false, again: false }
    }

    /// The levels at the start, which the election must know before it begins.
    pub(super) fn levels(&self) -> Vec<(InterfaceId, fsm::Link)> {
        self.ports.iter().filter(|port| port.listens).map(|port| (port.id, port.told)).collect()
    }

    /// Tells the election each change, until `stop`.
    pub(super) fn run(mut self, election: &ToElection, orders: &Orders, stop: &Wakeup) {
        let mut poller = Poller::new();
        poller.add(&self.monitor);
        let stopped = poller.add(stop);
        let mut events = Vec::new();
        while !poller.ready(stopped) {
            let outcome = poller.wait(self.again.then_some(AGAIN)).and_then(|_| self.monitor.read(&mut events));
            if let Err(error) = outcome {
                tracing::error!("{error}");
                election.send(Feedback::Died("monitor"));
                return;
            }
            self.learn(&mut events, orders);
            self.tell(election, orders);
        }
    }

    fn learn(&mut self, events: &mut Vec<Event>, orders: &Orders) {
        for event in events.drain(..) {
            match event {
                Event::Link(link) => {
                    self.links.by_index.insert(link.index, link);
                }
                Event::LinkRemoved { index, .. } => {
                    self.links.by_index.remove(&index);
                    self.links.addresses.retain(|a| a.index != index);
                }
                Event::Address(address) => self.links.add(address),
                Event::AddressRemoved(address) => {
                    self.links.remove(&address);
                    if self.links.virtual_addresses.contains(&(address.address, address.prefix_len)) {
                        orders.job(Job::Missing(address));
                    }
                }
                Event::Overrun => {
                    tracing::info!("news about interfaces was lost in a burst: reading all of it again");
                    self.overrun = true;
                }
            }
        }
        if self.overrun {
            match self.links.read(&mut self.rtnl) {
                Ok(()) => self.overrun = false,
                // What is known stands until it can be read.
                Err(error) => tracing::warn!("{error}: trying again"),
            }
        }
        self.again = self.overrun;
    }

    fn tell(&mut self, election: &ToElection, orders: &Orders) {
        for port in &mut self.ports {
            let device = Device::find(&port.device.name, &self.links);
            let link = self.links.level(&device.name);
            if device != port.device {
                if device.index.is_some() && device.index != port.device.index && port.listens {
                    match open(&device, self.group) {
                        Ok(socket) => election.send(Feedback::Socket { interface: port.id, socket }),
                        Err(error) => {
                            // Until it succeeds the level stays what it was: down.
                            tracing::error!("{error}: trying again");
                            self.again = true;
                            continue;
                        }
                    }
                }
                orders.job(Job::Device(device.clone()));
                port.device = device;
            }
            if port.listens && port.told != link {
                port.told = link;
                election.send(Feedback::Link { interface: port.id, link });
            }
        }
    }
}

/// A socket for a device that exists.
pub(super) fn open(device: &Device, group: Ipv4Addr) -> vrrp_netlink::Result<VrrpSocket> {
    let socket = VrrpSocket::open(&device.name, device.index.unwrap_or_default(), PROTOCOL_VRRP)?;
    socket.join(group)?;
    Ok(socket)
}
