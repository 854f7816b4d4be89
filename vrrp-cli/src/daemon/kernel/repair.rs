//! What happened to the host behind our back is put right: interfaces that come and go, addresses, routes and rules that
//! somebody removed, duplicates, and what was refused and may be tried again.
//!
//! Knows no orders but those that were carried out.

use std::net::IpAddr;
use std::time::Instant;

use vrrp_core::fsm::Addresses;
use vrrp_core::node::Faults;
use vrrp_netlink::addresses::{Address, Change};
use vrrp_netlink::rtnl::Rtnl;

use super::fights::{self, Bout, Fights, Thing};
use super::table::{self, Entries, Held, Lacking};
use super::{Installation, Kernel, LONGEST_RETRY, RETRY, addresses};
use crate::daemon::Feedback;
use crate::daemon::monitor::Device;

impl Kernel {
    /// An interface is there under another index, or with another MAC address, or no longer.
    pub(super) fn device(&mut self, device: Device) {
        let Some(place) = self.devices.iter().position(|known| known.name == device.name) else { return };
        let before = std::mem::replace(&mut self.devices[place], device);
        self.tend(place);
        self.came_or_went(place, &before);
    }

    /// Makes the virtual interfaces anew that are gone: `place`, or those on top of it.
    fn tend(&mut self, place: usize) {
        let (devices, estate, fights) = (&self.devices, &mut self.estate, &mut self.fights);
        for (remade, device) in self.virtuals.tend(&mut self.rtnl, devices, estate, fights, place) {
            let before = std::mem::replace(&mut self.devices[remade], device);
            self.came_or_went(remade, &before);
        }
    }

    fn came_or_went(&mut self, place: usize, before: &Device) {
        let moved = before.index != self.devices[place].index;
        for index in 0..self.routers.len() {
            if !self.routers[index].table.entries.uses(place) {
                continue;
            }
            if let Some(old) = before.index.filter(|_| moved) {
                self.leave_behind(index, old);
            }
            let router = &mut self.routers[index];
            let is_complete = router.table.entries.is_complete(&self.devices);
            let (id, was_incomplete) = (router.table.id, router.incomplete);
            router.incomplete = !is_complete;
            let serves = router.done.addresses == Addresses::Install;
            if !is_complete {
                if !was_incomplete {
                    self.election.send(Feedback::Fault { router: id, fault: Faults::NO_INTERFACE, present: true });
                }
            } else if moved || was_incomplete {
                // What was refused on the one before may not be refused here.
                router.pause = RETRY;
                router.retry = router.retry.filter(|_| serves || !router.held.is_empty());
                let fault = Faults::NO_INTERFACE | Faults::INSTALL | Faults::CONTESTED;
                self.election.send(Feedback::Fault { router: id, fault, present: false });
                if serves && !was_incomplete {
                    self.repair(index);
                }
            } else if serves && router.handed_over.is_empty() {
                // Clients send to the MAC address that it had.
                self.announcer.all(index, &self.routers[index].table, &self.devices);
            }
        }
        if self.statics.entries.uses(place) {
            self.add_statics(true);
        }
    }

    /// What a router holds on an interface that is another one now, or nobody's: it may still exist, under another name.
    fn leave_behind(&mut self, index: usize, old: u32) {
        let held = std::mem::take(&mut self.routers[index].held.addresses);
        let (left, held): (Vec<_>, Vec<_>) = held.into_iter().partition(|address| address.index == old);
        self.routers[index].held.addresses = held;
        self.remove_these(&vec![index; left.len()], left);
        self.leave(index);
    }

    /// A virtual interface was switched on or off, perhaps by somebody else.
    pub(super) fn switched(&mut self, name: &str) {
        if let Some(place) = self.devices.iter().position(|known| known.name == name) {
            self.switch(place);
        }
    }

    fn switch(&mut self, place: usize) {
        if self.virtuals.switched(&mut self.rtnl, &mut self.fights, place) {
            for index in 0..self.routers.len() {
                let router = &self.routers[index];
                if router.done.addresses == Addresses::Install && router.table.entries.has_addresses_on(place) {
                    self.repair(index);
                }
            }
        }
    }

    /// An address is gone from the host; when it is one of ours, somebody else removed it.
    pub(super) fn missing(&mut self, gone: &Address) {
        self.repair_where(|held| {
            let same =
                |a: &Address| a.index == gone.index && a.address == gone.address && a.prefix_len == gone.prefix_len;
            held.addresses.iter().any(same)
        });
    }

    /// An address that the kernel does not use is served by nobody here, until it is tried again.
    pub(super) fn duplicate(&mut self, address: &Address) {
        let same = |a: &Address| a.index == address.index && a.address == address.address;
        for router in &mut self.routers {
            if router.done.addresses == Addresses::Install && router.held.addresses.iter().any(same) {
                let (name, address) = (&router.table.name, address.address);
                tracing::error!(
                    "({name}) {address} cannot be served: another host on the LAN has it (duplicate address detection)"
                );
                router.retry = Some(Instant::now() + router.pause);
                router.pause = router.pause.saturating_mul(2).min(LONGEST_RETRY);
                self.election.send(Feedback::Fault { router: router.table.id, fault: Faults::INSTALL, present: true });
            }
        }
    }

    /// Repairs what holds this and is to have it.
    pub(super) fn repair_where(&mut self, concerned: impl Fn(&Held) -> bool) {
        for index in 0..self.routers.len() {
            let router = &self.routers[index];
            if router.done.addresses == Addresses::Install && concerned(&router.held) {
                self.repair(index);
            }
        }
        if concerned(&self.statics.held) {
            self.add_statics(true);
        }
    }

    /// Puts back what a serving router lacks, and announces its addresses.
    pub(super) fn repair(&mut self, index: usize) {
        let router = &mut self.routers[index];
        let (entries, name) = (&router.table.entries, &router.table.name);
        router.held = Held::all(entries, &self.devices);
        router.held.addresses.retain(|one| !router.handed_over.contains(&one.address));
        self.estate.leave(index, &router.held);
        let handed_over = &router.handed_over;
        if let Err(error) = self.virtuals.raise(&mut self.rtnl, &self.devices, entries) {
            tracing::error!("({name}) {error}");
        }
        let fights = &mut self.fights;
        let (back, lacking) = repair_addresses(&mut self.rtnl, &self.devices, name, entries, handed_over, fights);
        if let Some(fight) = lacking.fight {
            if !fight {
                router.contest = RETRY;
            } else if router.table.steps_down {
                tracing::warn!("({name}) stepping down, to try again in {:?}", router.contest);
                router.retry = Some(Instant::now() + router.contest);
                router.contest = router.contest.saturating_mul(2).min(LONGEST_RETRY);
                let fault = Faults::CONTESTED;
                self.election.send(Feedback::Fault { router: router.table.id, fault, present: true });
                return;
            }
        }
        if lacking.again {
            router.retry = Some(Instant::now() + router.pause);
            self.election.send(Feedback::Fault { router: router.table.id, fault: Faults::INSTALL, present: true });
            return;
        }
        if table::add_routing(&mut self.rtnl, &self.devices, name, entries, Some(fights)).again {
            router.retry = Some(Instant::now() + RETRY);
        }
        if back && router.handed_over.is_empty() {
            self.announcer.all(index, &self.routers[index].table, &self.devices);
        }
    }

    /// Lets the election try routers again whose installation was refused, and removes what could not be removed.
    pub(super) fn try_again(&mut self, now: Instant) {
        for index in 0..self.routers.len() {
            let router = &mut self.routers[index];
            if router.retry.is_none_or(|at| at > now) {
                continue;
            }
            router.retry = None;
            match router.done.addresses {
                Addresses::Remove if !router.held.is_empty() => self.remove_held(index),
                // Its addresses are there: routes or rules were refused.
                Addresses::Install if !router.incomplete => self.repair(index),
                Addresses::Remove | Addresses::Install => {}
            }
            let router = &self.routers[index];
            let fault = Faults::INSTALL | Faults::CONTESTED;
            self.election.send(Feedback::Fault { router: router.table.id, fault, present: false });
        }
        for thing in self.fights.take_due(now) {
            match thing {
                Thing::Link(place) => {
                    self.tend(place);
                    self.switch(place);
                }
                other => self.repair_where(|held| held.has(&other)),
            }
        }
        if self.statics.retry.is_some_and(|at| at <= now) {
            self.add_statics(true);
        }
    }
}

/// Adds the addresses of `entries` that are tracked and not there; whether there were any, and which could not be added.
/// Those in `except` are meant to be gone.
pub(super) fn repair_addresses(
    rtnl: &mut Rtnl,
    devices: &[Device],
    who: &str,
    entries: &Entries,
    except: &[IpAddr],
    fights: &mut Fights,
) -> (bool, Lacking) {
    let now = Instant::now();
    let missed = |one: &Installation| one.tracked && !except.contains(&one.address);
    let tracked = addresses::found(entries, devices)
        .filter(|(installation, address)| missed(installation) && !fights.hold_off(|| address.into(), now));
    let (installations, addresses): (Vec<_>, Vec<_>) = tracked.unzip();
    let (mut back, mut lacking) = (false, Lacking::default());
    for ((installation, address), result) in installations.iter().zip(&addresses).zip(rtnl.add_addresses(&addresses)) {
        match result {
            Ok(Change::Done) => {
                let bout = fights.put_back(address.into(), now);
                let interface = devices.get(installation.device).map_or("?", |device| device.name.as_str());
                match bout {
                    Bout::Once => fights::tell(who, address.address, bout),
                    Bout::Fight | Bout::Still(_) => {
                        fights::tell(who, format_args!("{} ({interface})", address.address), bout);
                    }
                }
                lacking.fight = Some(lacking.fight.unwrap_or(false) | bout.is_a_fight());
                back = true;
            }
            Ok(Change::AlreadySo) => {}
            // News about the interface itself follows.
            Err(error) if addresses::is_gone(&error) => lacking.absent(installation.group),
            Err(error) => {
                tracing::error!("({who}) {} was removed and cannot be put back: {error}", address.address);
                lacking.refused(installation.group);
            }
        }
    }
    (back, lacking)
}
