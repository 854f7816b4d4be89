//! Sync groups in a node: what members are told after each change, and in which order they act. The decision is
//! [`crate::sync`]'s.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::condition::Condition;
use super::entry::Entry;
use super::io::Output;
use super::setup::{GroupError, GroupId, RouterId};
use super::{Event, Instant, Limit, Member, Node};
use crate::sync;

/// What [`sync::limit`] changes at most before it stays the same.
const ROUNDS: usize = 3;

/// A sync group.
#[derive(Debug)]
pub(super) struct Group {
    members: Box<[RouterId]>,
    /// Whether weights count for its members.
    weights: bool,
    /// What every member was told.
    limit: Limit,
    condition: Condition,
}

impl<I: Instant> Node<I> {
    /// Makes routers, all of them stopped, a group that is Master together or not at all, see [`crate::sync`]. Without
    /// `tracking_weight`, what its members follow counts only where its weight is 0: one member would else be preempted alone.
    pub fn add_group(&mut self, members: &[RouterId], tracking_weight: bool) -> Result<GroupId, GroupError> {
        if members.is_empty() {
            return Err(GroupError::Empty);
        }
        for (place, id) in members.iter().enumerate() {
            let entry = self.entries.get(id.0).ok_or(GroupError::Unknown(*id))?;
            if entry.group.is_some() || members[..place].contains(id) {
                return Err(GroupError::Taken(*id));
            }
            if entry.router.router().machine().enabled {
                return Err(GroupError::Enabled(*id));
            }
        }
        let group = GroupId(self.sync_groups.len());
        let limit = Limit::Stopped;
        let condition = Condition::Stopped;
        self.sync_groups.push(Group { members: members.into(), weights: tracking_weight, limit, condition });
        for id in members {
            if let Some(entry) = self.entries.get_mut(id.0) {
                entry.group = Some(group);
                entry.member = Member::Stopped;
                // A stopped router does nothing about it.
                let _ = entry.router.router_mut().handle(Event::Limit(limit));
            }
            self.weigh_stopped(*id);
        }
        Ok(group)
    }

    /// The members of a sync group, in the order in which they were given.
    pub fn members(&self, group: GroupId) -> &[RouterId] {
        self.sync_groups.get(group.0).map_or(&[], |group| &group.members)
    }

    /// The sync group of a router.
    pub fn group_of(&self, router: RouterId) -> Option<GroupId> {
        self.entries.get(router.0)?.group
    }

    /// What an operator calls the state of a sync group.
    pub fn group_condition(&self, group: GroupId) -> Option<Condition> {
        self.sync_groups.get(group.0).map(|group| group.condition)
    }

    /// All sync groups, in the order in which they were added.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = GroupId> + use<I> {
        (0..self.sync_groups.len()).map(GroupId)
    }

    pub(super) fn counts_weights(&self, group: GroupId) -> bool {
        self.sync_groups.get(group.0).is_some_and(|group| group.weights)
    }

    /// Feeds a level to routers as one step: a group is told before and after, never in the middle.
    pub(super) fn feed(&mut self, at: I, ids: &[RouterId], event: impl Fn(&Entry<I>) -> Event, out: &mut Vec<Output>) {
        let start = out.len();
        let mut groups: Vec<GroupId> = ids.iter().filter_map(|id| self.group_of(*id)).collect();
        groups.sort_unstable();
        groups.dedup();
        for group in &groups {
            self.raise(at, *group, ids, &event, out);
        }
        for id in ids {
            if let Some(entry) = self.entries.get(id.0) {
                let event = event(entry);
                self.step(at, *id, event, out);
            }
        }
        for group in &groups {
            self.settle(at, *group, out);
        }
        if !groups.is_empty() {
            in_order(out, start);
        }
    }

    /// After a router's own step: tells its group if the group's decision may change. `start` is where its outputs begin.
    pub(super) fn moved(&mut self, at: I, id: RouterId, start: usize, out: &mut Vec<Output>) {
        let Some(entry) = self.entries.get_mut(id.0) else { return };
        let Some(group) = entry.group else { return };
        let member = Member::of(entry.router.router().machine());
        if core::mem::replace(&mut entry.member, member) != member {
            self.settle(at, group, out);
            in_order(out, start);
        }
    }

    /// Lets a group be more before the event by which it may be, so that each member becomes that for its own reason.
    fn raise(
        &mut self,
        at: I,
        id: GroupId,
        ids: &[RouterId],
        event: impl Fn(&Entry<I>) -> Event,
        out: &mut Vec<Output>,
    ) {
        let Some(group) = self.sync_groups.get_mut(id.0) else { return };
        let (mut limit, mut owners) = (Limit::Master, true);
        for member in &group.members {
            let Some(entry) = self.entries.get(member.0) else { return };
            let router = entry.router.router();
            let machine = if ids.contains(member) { router.foresee(event(entry)) } else { *router.machine() };
            limit = limit.min(sync::limit([Member::of(&machine)]));
            owners &= machine.params.priority.is_owner() && machine.hold.is_none();
        }
        if limit >= Limit::Backup && limit > group.limit {
            let limit = if owners { Limit::Master } else { limit };
            group.limit = limit;
            self.tell(at, id, limit, out);
        }
    }

    fn settle(&mut self, at: I, id: GroupId, out: &mut Vec<Output>) {
        for _ in 0..ROUNDS {
            let machines = self.members(id).iter().filter_map(|member| Some(self.router(*member)?.machine()));
            let limit = sync::limit(machines.map(Member::of));
            let Some(group) = self.sync_groups.get_mut(id.0).filter(|group| group.limit != limit) else { break };
            group.limit = limit;
            self.tell(at, id, limit, out);
        }
        let mut enabled = false;
        for place in 0..self.members(id).len() {
            let member = self.members(id)[place];
            let Some(entry) = self.entries.get_mut(member.0) else { continue };
            let machine = entry.router.router().machine();
            entry.member = Member::of(machine);
            enabled |= machine.enabled;
        }
        let Some(group) = self.sync_groups.get_mut(id.0) else { return };
        let condition = match group.limit {
            Limit::Fault | Limit::Stopped if enabled => Condition::Fault,
            Limit::Fault | Limit::Stopped => Condition::Stopped,
            // Whoever may be Master is: its turn had come.
            Limit::Master => Condition::Master,
            Limit::Backup => Condition::Backup,
        };
        if core::mem::replace(&mut group.condition, condition) != condition {
            out.push(Output::Group { group: id, condition });
        }
    }

    fn tell(&mut self, at: I, group: GroupId, limit: Limit, out: &mut Vec<Output>) {
        for place in 0..self.members(group).len() {
            let member = self.members(group)[place];
            self.step(at, member, Event::Limit(limit), out);
        }
    }
}

/// Members act as one: whatever one of them would do later never waits for what another does sooner.
fn in_order(out: &mut [Output], start: usize) {
    if let Some(step) = out.get_mut(start..) {
        step.sort_by_key(Output::rank);
    }
}
