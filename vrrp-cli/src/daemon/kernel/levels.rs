//! From what the election wants to what is on the host: removals, and installations in portions.
//!
//! Knows neither what somebody else did to the host meanwhile nor when to announce.

use std::time::{Duration, Instant};

use vrrp_core::fsm::Addresses;
use vrrp_core::node::Faults;
use vrrp_netlink::addresses::{Address, Change};

use super::table::{self, Held};
use super::{Kernel, LONGEST_RETRY, RETRY, addresses};
use crate::daemon::Feedback;

/// Addresses that are installed before the first of them is announced.
const PORTION: usize = 64;
/// Pause before a refused removal is tried again.
const REMOVAL_RETRY: Duration = Duration::from_secs(1);

impl Kernel {
    /// Removes everything that is no longer wanted, in the opposite order of its installation; whether there was something.
    pub(super) fn remove(&mut self) -> bool {
        let mut leaving = Vec::new();
        let mut going = Vec::new();
        let mut addresses = Vec::new();
        let mut something = false;
        for index in (0..self.routers.len()).rev() {
            let wanted = self.orders.wanted(index);
            let router = &mut self.routers[index];
            if wanted == router.done || wanted.addresses != Addresses::Remove {
                continue;
            }
            leaving.push(index);
            router.done = wanted;
            router.announced = self.orders.rounds(index);
            router.handed_over.clear();
            router.extra_due = None;
            something |= !router.held.is_empty();
            router.held.remove_routing(&mut self.rtnl);
            if !router.held.is_empty() {
                addresses.append(&mut router.held.addresses);
                going.resize(addresses.len(), index);
            }
            if !router.held.is_empty() {
                router.retry = Some(Instant::now() + REMOVAL_RETRY);
            }
        }
        self.remove_these(&going, addresses);
        for index in leaving {
            self.leave(index);
        }
        something
    }

    /// `going` says which router each address belongs to.
    ///
    /// An address of IPv6 goes from a virtual interface when that is down: it leaves a multicast group by a message, which
    /// must not come from here any more. One of IPv4 goes without, and before that takes its time.
    pub(super) fn remove_these(&mut self, going: &[usize], addresses: Vec<Address>) {
        if self.virtuals.is_empty() {
            return self.remove_now(going, addresses);
        }
        let waits = |address: &Address| address.address.is_ipv6() && self.virtuals.has(address.index, &self.devices);
        let all = going.iter().copied().zip(addresses);
        let (later, first): (Vec<_>, Vec<_>) = all.partition(|(_, address)| waits(address));
        let (routers, first): (Vec<_>, Vec<_>) = first.into_iter().unzip();
        self.remove_now(&routers, first);
        let mut routers = going.to_vec();
        routers.dedup();
        for index in routers {
            self.virtuals.lower(&mut self.rtnl, &self.devices, &self.routers[index].table.entries);
        }
        let (routers, later): (Vec<_>, Vec<_>) = later.into_iter().unzip();
        self.remove_now(&routers, later);
    }

    fn remove_now(&mut self, going: &[usize], addresses: Vec<Address>) {
        if addresses.is_empty() {
            return;
        }
        let results = addresses::remove(&mut self.rtnl, &addresses);
        for ((index, address), result) in going.iter().zip(addresses).zip(results) {
            let router = &mut self.routers[*index];
            match result {
                Ok(Change::Done | Change::AlreadySo) => {}
                // An interface that is gone took its addresses with it.
                Err(error) if addresses::is_gone(&error) => {}
                Err(error) => {
                    tracing::error!("({}) {} is still on this host: {error}", router.table.name, address.address);
                    router.held.addresses.push(address);
                    router.retry = Some(Instant::now() + REMOVAL_RETRY);
                }
            }
        }
    }

    /// Removes what a router holds; what cannot be removed stays.
    pub(super) fn remove_held(&mut self, index: usize) {
        let router = &mut self.routers[index];
        router.held.remove_routing(&mut self.rtnl);
        let addresses = std::mem::take(&mut router.held.addresses);
        self.remove_these(&vec![index; addresses.len()], addresses);
        self.leave(index);
    }

    /// Installs what some routers want that is not there; whether there were any.
    pub(super) fn install_portion(&mut self) -> bool {
        let mut coming = Vec::new();
        let mut addresses = Vec::new();
        for index in 0..self.routers.len() {
            let wanted = self.orders.wanted(index);
            let router = &mut self.routers[index];
            if wanted == router.done || wanted.addresses != Addresses::Install {
                continue;
            }
            router.done = wanted;
            router.announced = self.orders.rounds(index);
            router.handed_over.clear();
            router.held = Held::all(&router.table.entries, &self.devices);
            // Should this process end from now on, somebody knows.
            self.estate.leave(index, &router.held);
            let before = addresses.len();
            addresses.extend(addresses::found(&router.table.entries, &self.devices).map(|(_, address)| address));
            let raised = self.virtuals.raise(&mut self.rtnl, &self.devices, &router.table.entries);
            coming.push((index, wanted.epoch, before..addresses.len(), raised));
            if addresses.len() >= PORTION {
                break;
            }
        }
        if coming.is_empty() {
            return false;
        }
        self.estate.write(&self.devices);
        let results = self.rtnl.add_addresses(&addresses);
        for (index, epoch, range, raised) in coming {
            let router = &mut self.routers[index];
            let entries = &router.table.entries;
            let name = &router.table.name;
            router.incomplete = range.len() < entries.addresses.len();
            let mut installed = !router.incomplete;
            if router.incomplete {
                tracing::error!("({name}) an interface of its addresses does not exist");
            }
            if let Err(error) = raised {
                installed = false;
                tracing::error!("({name}) its addresses cannot be served: {error}");
            }
            let found = addresses::found(entries, &self.devices);
            for ((installation, _), result) in found.zip(&results[range]) {
                if let Err(error) = result {
                    installed = false;
                    let (address, line) = (installation.address, &installation.line);
                    tracing::error!("({name}) {address} ({line}) cannot be served: {error}");
                }
            }
            let id = router.table.id;
            if installed {
                router.pause = RETRY;
                router.extra_due = router.table.extra.as_ref().map(|extra| Instant::now() + extra.every);
                // What is refused here costs nobody the addresses: another host may be no better off.
                if table::add_routing(&mut self.rtnl, &self.devices, name, entries, None).again {
                    router.retry = Some(Instant::now() + RETRY);
                }
                self.election.send(Feedback::Installed { router: id, epoch });
            } else if self.orders.wanted(index).epoch == epoch {
                if !router.incomplete {
                    router.retry = Some(Instant::now() + router.pause);
                    router.pause = router.pause.saturating_mul(2).min(LONGEST_RETRY);
                }
                let fault = if router.incomplete { Faults::NO_INTERFACE } else { Faults::INSTALL };
                self.election.send(Feedback::Fault { router: id, fault, present: true });
            }
        }
        true
    }
}
