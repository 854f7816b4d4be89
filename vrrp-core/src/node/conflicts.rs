//! Who else holds the addresses that a [`Node`] serves: which claims of other hosts are worth a doubt, and what explains one.
//! When a doubted claim is a conflict, and when it is answered, is decided by [`crate::conflict`].

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::entry::{Entry, Serving};
use super::io::Output;
use super::setup::RouterId;
use super::{Instant, Node};
use crate::conflict::{self, Conflict, Event, Watch};
use crate::counters::Counter;
use crate::fsm::Role;
use crate::wire::claim::Claim;

/// What other hosts claim: empty, but for addresses that some other host claimed while they were served here.
#[derive(Debug)]
pub(super) struct Conflicts<I> {
    watches: BTreeMap<(RouterId, IpAddr), Watched<I>>,
    /// When the first doubt is over.
    next: Option<I>,
}

#[derive(Debug)]
struct Watched<I> {
    watch: Watch<I>,
    /// How many adverts of others had been heard when the doubt began.
    adverts: u64,
}

impl<I> Default for Conflicts<I> {
    fn default() -> Self {
        Self { watches: BTreeMap::new(), next: None }
    }
}

impl<I: Instant> Conflicts<I> {
    pub(super) fn next(&self) -> Option<I> {
        self.next
    }

    /// Forgets what is known of a router's addresses.
    pub(super) fn forget(&mut self, id: RouterId) {
        self.watches.retain(|(router, _), _| *router != id);
        self.find_next();
    }

    fn find_next(&mut self) {
        self.next = self.watches.values().filter_map(|watched| watched.watch.due()).min();
    }
}

impl<I: Instant> Node<I> {
    /// The addresses of a router that other hosts claimed while it served them, with what is known of the last of them: since
    /// the router or its list of addresses was made.
    pub fn conflicts(&self, router: RouterId) -> impl Iterator<Item = (IpAddr, Conflict<I>)> {
        let of_it = self.conflicts.watches.iter().filter(move |((owner, _), _)| *owner == router);
        of_it.filter_map(|((_, address), watched)| Some((*address, watched.watch.last()?)))
    }

    pub(super) fn doubt(&mut self, at: I, id: RouterId, claim: Claim) {
        let Some(entry) = self.entries.get(id.0).filter(|entry| entry.is_settled(at)) else { return };
        let router = entry.router.router();
        if claim.mac == router.vrid().mac(router.family()) {
            return;
        }
        let adverts = router.counters().get(Counter::AdvertsReceived);
        let doubt = conflict::doubt(&router.machine().params);
        let fresh = || Watched { watch: Watch::default(), adverts };
        let watched = self.conflicts.watches.entry((id, claim.address)).or_insert_with(fresh);
        if watched.watch.due().is_none() {
            watched.adverts = adverts;
        }
        // A claim alone has no effects.
        (watched.watch, _) = watched.watch.step(Event::Claimed { at, mac: claim.mac, doubt });
        let next = watched.watch.due();
        self.conflicts.next = self.conflicts.next.into_iter().chain(next).min();
    }

    /// Ends the doubts that are over at `now`.
    pub(super) fn end_doubts(&mut self, now: I, out: &mut Vec<Output>) {
        if self.conflicts.next.is_none_or(|next| next > now) {
            return;
        }
        for ((id, address), Watched { watch, adverts }) in &mut self.conflicts.watches {
            let Some(since) = watch.doubted_since().filter(|_| watch.due().is_some_and(|due| due <= now)) else {
                continue;
            };
            let Some(entry) = self.entries.get_mut(id.0) else { continue };
            let settled = entry.is_settled(since);
            let router = entry.router.router_mut();
            let alone = router.counters().get(Counter::AdvertsReceived) == *adverts;
            let event = if settled && alone { Event::Confirmed { at: now } } else { Event::Explained };
            let (next, conflict::Actions { conflict, defend }) = watch.step(event);
            *watch = next;
            if let Some((mac, claims)) = conflict {
                router.count_many(Counter::AddressConflicts, claims);
                if defend {
                    router.count(Counter::AddressDefences);
                    router.count(Counter::AnnouncementsSent);
                }
                out.push(Output::Conflict { router: *id, address: *address, mac, defend });
            }
        }
        self.conflicts.find_next();
    }
}

impl<I: Instant> Entry<I> {
    /// Whether at `at` it had served its addresses for a while, and had not just heard a weaker Master: either begins its
    /// announcements anew.
    fn is_settled(&self, at: I) -> bool {
        let machine = self.router.router().machine();
        let serves = self.serving == Serving::Yes && machine.state.role() == Role::Master;
        let began = self.announcements.as_ref().map(|(start, _)| *start);
        serves && began.is_some_and(|began| began + conflict::settled_after(&machine.params) <= at)
    }
}
