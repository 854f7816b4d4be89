//! What routers depend on: who follows what, and what follows from it for priority and health. The arithmetic is
//! [`crate::track`]'s; knows neither what is tracked nor how.

use alloc::vec::Vec;

use super::entry::Entry;
use super::io::Output;
use super::setup::{Follower, RouterId, TrackerId};
use super::{Event, Instant, Node};
use crate::fsm::Params;
use crate::track::{Contribution, Influence, Status, effective};
use crate::types::Priority;

/// Something that routers depend on.
#[derive(Debug)]
pub(super) struct Tracker {
    status: Status,
    followers: Vec<RouterId>,
}

impl<I: Instant> Node<I> {
    /// Adds something that routers can depend on, whose state is known by [`Input::Tracked`](super::Input::Tracked) from now on.
    pub fn add_tracker(&mut self, status: Status) -> TrackerId {
        self.trackers.push(Tracker { status, followers: Vec::new() });
        TrackerId(self.trackers.len() - 1)
    }

    /// Lets a router, or each member of a sync group, depend on a tracker.
    ///
    /// Counts at once for a router that is stopped, and for one that runs with the next [`Input::Tracked`](super::Input::Tracked)
    /// of something that it follows, or [`Input::Params`](super::Input::Params). Followed twice, a tracker counts twice.
    /// Numbers that are not of this node are ignored.
    pub fn follow(&mut self, follower: Follower, tracker: TrackerId, influence: Influence) {
        let ids = match follower {
            Follower::Router(id) => self.entries.get(id.0).map(|_| id).into_iter().collect(),
            Follower::Group(group) => self.members(group).to_vec(),
        };
        let Some(known) = self.trackers.get_mut(tracker.0) else { return };
        for id in &ids {
            if !known.followers.contains(id) {
                known.followers.push(*id);
            }
        }
        for id in ids {
            if let Some(entry) = self.entries.get_mut(id.0) {
                entry.follows.push((tracker, influence));
            }
            self.weigh_stopped(id);
        }
    }

    /// What is known of a tracker.
    pub fn status(&self, tracker: TrackerId) -> Status {
        self.trackers.get(tracker.0).map_or(Status::Unknown, |tracker| tracker.status)
    }

    /// The priority that was configured. The effective one, with what the router tracks, is among the
    /// [parameters](field@crate::fsm::Machine::params) of its machine.
    pub fn base_priority(&self, router: RouterId) -> Option<Priority> {
        self.entries.get(router.0).map(|entry| entry.base.priority)
    }

    pub(super) fn tracked(&mut self, at: I, tracker: TrackerId, status: Status, out: &mut Vec<Output>) {
        let Some(known) = self.trackers.get_mut(tracker.0) else { return };
        known.status = status;
        let followers = core::mem::take(&mut known.followers);
        self.weigh(at, &followers, out);
        if let Some(known) = self.trackers.get_mut(tracker.0) {
            known.followers = followers;
        }
    }

    /// Lets parameters and what is tracked bear on routers: first the priority, so that whoever starts has the right one, then
    /// whether they are healthy.
    pub(super) fn weigh(&mut self, at: I, ids: &[RouterId], out: &mut Vec<Output>) {
        for id in ids {
            let Some((fault, params)) = self.weighed(*id) else { continue };
            let Some(entry) = self.entries.get_mut(id.0) else { continue };
            entry.tracked_fault = fault;
            if entry.router.router().machine().params.priority != params.priority {
                out.push(Output::Priority { router: *id, priority: params.priority });
            }
            self.feed(at, &[*id], |_| Event::Params(params), out);
        }
        self.feed(at, ids, |entry| Event::Healthy(entry.is_healthy()), out);
    }

    /// The same before there is a time: of a router that is stopped, which does nothing about it.
    pub(super) fn weigh_stopped(&mut self, id: RouterId) {
        let Some((fault, params)) = self.weighed(id) else { return };
        let Some(entry) = self.entries.get_mut(id.0).filter(|entry| !entry.router.router().machine().enabled) else {
            return;
        };
        entry.tracked_fault = fault;
        let healthy = entry.is_healthy();
        let router = entry.router.router_mut();
        let _ = (router.handle(Event::Params(params)), router.handle(Event::Healthy(healthy)));
    }

    /// Whether something that is tracked keeps a router in FAULT, and its parameters with the effective priority.
    fn weighed(&self, id: RouterId) -> Option<(bool, Params)> {
        let entry = self.entries.get(id.0)?;
        let fault = self.contributions(entry).any(|(_, contribution)| contribution.fault);
        let points = self.contributions(entry).map(|(_, contribution)| contribution.points);
        Some((fault, Params { priority: effective(entry.base.priority, points), ..entry.base }))
    }

    /// What everything that a router follows makes of it.
    pub(super) fn contributions(&self, entry: &Entry<I>) -> impl Iterator<Item = (TrackerId, Contribution)> {
        let weights = entry.group.is_none_or(|group| self.counts_weights(group));
        let counted = entry.follows.iter().filter(move |(_, influence)| weights || influence.weight.is_fault());
        counted.map(|(tracker, influence)| (*tracker, influence.of(self.status(*tracker))))
    }
}
