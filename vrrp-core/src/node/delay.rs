//! The delay after a start in a [`Node`]: who must not be Master yet, and until when. What follows from it is the machine's.

use alloc::vec::Vec;

use super::entry::Entry;
use super::io::{Output, Which};
use super::setup::RouterId;
use super::{Event, Instant, Node};
use crate::fsm::Hold;

impl<I: Instant> Node<I> {
    /// Until when a router must not be Master because it was started a short while ago; `None` when that is over.
    pub fn delayed_until(&self, router: RouterId) -> Option<I> {
        self.entries.get(router.0)?.delayed_until
    }

    /// Delays routers that are stopped; one that runs might be Master.
    pub(super) fn delay(&mut self, at: I, which: Which, until: I, out: &mut Vec<Output>) {
        let mut ids = self.ids(which);
        ids.retain(|id| self.router(*id).is_some_and(|router| !router.machine().enabled));
        for id in &ids {
            if let Some(entry) = self.entries.get_mut(id.0) {
                entry.delayed_until = Some(until);
            }
        }
        self.find_next_delay();
        self.feed(at, &ids, |entry| Event::Hold(entry.hold()), out);
    }

    /// Ends the delays that are over at `now`, all of them as one step.
    pub(super) fn end_delays(&mut self, now: I, out: &mut Vec<Output>) {
        if self.next_delay.is_none_or(|end| end > now) {
            return;
        }
        let mut ids = Vec::new();
        for (slot, entry) in self.entries.iter_mut().enumerate() {
            if entry.delayed_until.take_if(|end| *end <= now).is_some() {
                ids.push(RouterId(slot));
            }
        }
        self.find_next_delay();
        self.feed(now, &ids, |entry| Event::Hold(entry.hold()), out);
    }

    fn find_next_delay(&mut self) {
        self.next_delay = self.entries.iter().filter_map(|entry| entry.delayed_until).min();
    }
}

impl<I: Instant> Entry<I> {
    /// What keeps it from being Master, the operator's word first.
    pub(super) fn hold(&self) -> Option<Hold> {
        let delay = self.delayed_until.map(|_| Hold::StartupDelay);
        if self.maintenance { Some(Hold::Maintenance) } else { delay }
    }
}
