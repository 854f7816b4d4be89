//! What is known of adverts that never came this far: lost ones, and those of which the caller feeds a sample.

use super::{InterfaceId, Node};
use crate::counters::Counter;
use crate::rx::{Discard, Rejected};
use crate::timed::Instant;
use crate::types::Family;

impl<I: Instant> Node<I> {
    pub(super) fn lost(&mut self, place: (InterfaceId, Family), count: u32) {
        if count == 0 {
            return;
        }
        self.counters.add_many(Counter::PacketsLost, count.into());
        let here = |entry: &&mut super::entry::Entry<I>| (entry.interface, entry.router.router().family()) == place;
        for entry in self.entries.iter_mut().filter(here) {
            entry.router.lost();
        }
    }

    /// How many a packet counts for that is for none of the routers.
    pub(super) fn stands_for(&self, place: (InterfaceId, Family), rejected: &Rejected) -> u64 {
        let sampled = rejected.vrid.is_some() || matches!(rejected.reason, Discard::Parse(_));
        self.samples.get(&place).filter(|_| sampled).map_or(1, |one_of| u64::from(one_of.get()))
    }
}
