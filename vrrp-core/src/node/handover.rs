//! Make-before-break in a [`Node`]: which steps down by hand-over, and what ends a release. How one goes on is decided by
//! [`crate::release`].

use alloc::vec::Vec;
use core::net::IpAddr;

use super::entry::{Entry, Serving};
use super::io::{Output, Which};
use super::setup::RouterId;
use super::{Instant, Node};
use crate::counters::Counter;
use crate::fsm::{Actions, Addresses, Advertise, Event, Limit, Link};
use crate::release::{self, Release};

/// A release and when it ends at the latest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Releasing<I> {
    release: Release,
    until: I,
}

impl<I: Instant> Node<I> {
    /// Whether a router still serves addresses that it is handing over: as long as this is so, a daemon that stops has to go
    /// on. It ends by [`Node::expire`] at the latest.
    pub fn is_releasing(&self, router: RouterId) -> bool {
        self.entries.get(router.0).is_some_and(|entry| entry.releasing.is_some())
    }

    /// Whether any router does.
    pub fn releasing(&self) -> bool {
        self.entries.iter().any(|entry| entry.releasing.is_some())
    }

    /// Ends the releases that `event` allows no longer.
    pub(super) fn end_release_by(&mut self, id: RouterId, event: Event, out: &mut Vec<Output>) {
        let Some(entry) = self.entries.get(id.0) else { return };
        let ends = match event {
            Event::Enabled(enabled) => enabled && !entry.router.router().machine().enabled,
            Event::Healthy(healthy) => !healthy,
            Event::Link(Link::Down | Link::NoAddress) => true,
            // What is stopped itself hands over, whatever becomes of its group.
            Event::Limit(Limit::Fault) => entry.router.router().machine().enabled,
            Event::Limit(Limit::Stopped | Limit::Backup | Limit::Master)
            | Event::Hold(_)
            | Event::Link(Link::Up(_))
            | Event::Params(_)
            | Event::Advert { .. }
            | Event::Expired(_)
            | Event::Overdue
            | Event::DelayOver => false,
        };
        if ends {
            self.step_release(id, release::Event::Ended, out);
        }
    }

    pub(super) fn end_releases(&mut self, which: Which, out: &mut Vec<Output>) {
        for id in self.ids(which) {
            self.step_release(id, release::Event::Ended, out);
        }
    }

    pub(super) fn expire_release(&mut self, now: I, id: RouterId, out: &mut Vec<Output>) {
        let until = self.entries.get(id.0).and_then(Entry::release_due);
        if until.is_some_and(|until| until <= now) {
            self.step_release(id, release::Event::Ended, out);
        }
    }

    pub(super) fn announced(&mut self, id: RouterId, address: IpAddr, mac: [u8; 6], out: &mut Vec<Output>) {
        let Some(entry) = self.entries.get(id.0).filter(|entry| entry.releasing.is_some()) else { return };
        let place = entry.router.router().addresses().iter().position(|ours| *ours == address);
        if let Some(place) = place.and_then(|place| u8::try_from(place).ok()) {
            self.step_release(id, release::Event::Announced { place, mac }, out);
        }
    }

    pub(super) fn step_release(&mut self, id: RouterId, event: release::Event, out: &mut Vec<Output>) {
        let Some(entry) = self.entries.get_mut(id.0) else { return };
        let Some(Releasing { release, until }) = entry.releasing else { return };
        let (next, release::Actions { hand_over, remove_rest }) = release.step(event);
        entry.releasing = next.map(|release| Releasing { release, until });
        let addresses = entry.router.router().addresses();
        let address = hand_over.and_then(|(place, mac)| Some((*addresses.get(usize::from(place))?, mac)));
        if let Some((address, mac)) = address {
            entry.router.router_mut().count(Counter::AnnouncementsSent);
            out.push(Output::HandOver { router: id, address, mac, epoch: entry.epoch });
        }
        if remove_rest {
            entry.epoch = entry.epoch.saturating_add(1);
            let accept = entry.router.router().accepts();
            out.push(Output::Addresses { router: id, wanted: Addresses::Remove, accept, epoch: entry.epoch });
            self.reschedule(id);
        }
    }
}

impl<I: Instant> Entry<I> {
    /// Begins a release in place of the removal that `actions` want; whether there is one.
    pub(super) fn begin_release(&mut self, at: I, actions: &Actions) -> bool {
        let planned = actions.transition.is_some_and(|transition| transition.cause.is_planned());
        let said = actions.advertise == Some(Advertise::Release);
        if !planned || !said || self.serving != Serving::Yes {
            return false;
        }
        let router = self.router.router();
        let count = u8::try_from(router.addresses().len()).unwrap_or(u8::MAX);
        let until = at + Release::longest(router.machine().params);
        self.releasing = self.handover.begin(count).map(|release| Releasing { release, until });
        if self.releasing.is_some() {
            self.serving = Serving::No;
            self.announcements = None;
        }
        self.releasing.is_some()
    }

    pub(super) fn release_due(&self) -> Option<I> {
        self.releasing.map(|releasing| releasing.until)
    }
}
