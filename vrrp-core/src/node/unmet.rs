//! Why a router does not serve: the conditions that are not met. Names them; words are the caller's.

use alloc::vec::Vec;

use super::faults::Faults;
use super::setup::{RouterId, TrackerId};
use super::{Instant, Node};
use crate::fsm::{Hold, Link};
use crate::track::Status;

/// A condition that is not met. Those but [`Unmet::Stopped`], [`Unmet::Maintenance`] and
/// [`Unmet::StartupDelay`] mean FAULT.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unmet {
    /// The operator stopped it.
    Stopped,
    /// Its interface is down.
    LinkDown,
    /// Its interface has no address to send from.
    NoAddress,
    /// One of [`Faults`].
    Fault(Faults),
    /// Something that it cannot do without has failed.
    Tracker(TrackerId),
    /// Whether something that it cannot do without works is not known yet.
    Undetermined(TrackerId),
    /// A member of its sync group has an unmet condition of its own.
    Member(RouterId),
    /// The operator keeps it from being Master.
    Maintenance,
    /// It was started a short while ago, see [`Node::delayed_until`].
    StartupDelay,
}

impl<I: Instant> Node<I> {
    /// Every condition that keeps a router from being Master, but for the election. A router in FAULT has at least one.
    pub fn unmet(&self, router: RouterId) -> impl Iterator<Item = Unmet> {
        let mut unmet = self.own_unmet(router);
        let mates = self.group_of(router).map_or(&[][..], |group| self.members(group));
        let other = |mate: &&RouterId| **mate != router && !self.own_unmet(**mate).is_empty();
        unmet.extend(mates.iter().filter(other).copied().map(Unmet::Member));
        unmet.into_iter()
    }

    fn own_unmet(&self, router: RouterId) -> Vec<Unmet> {
        let mut unmet = Vec::new();
        let Some(entry) = self.entries.get(router.0) else { return unmet };
        let machine = entry.router.router().machine();
        unmet.extend((!machine.enabled).then_some(Unmet::Stopped));
        unmet.extend(match machine.link {
            Link::Down => Some(Unmet::LinkDown),
            Link::NoAddress => Some(Unmet::NoAddress),
            Link::Up(_) => None,
        });
        unmet.extend(entry.faults.iter().map(Unmet::Fault));
        for (tracker, _) in self.contributions(entry).filter(|(_, contribution)| contribution.fault) {
            let unknown = self.status(tracker) == Status::Unknown;
            let reason = if unknown { Unmet::Undetermined(tracker) } else { Unmet::Tracker(tracker) };
            if !unmet.contains(&reason) {
                unmet.push(reason);
            }
        }
        unmet.extend(machine.hold.map(|hold| match hold {
            Hold::Maintenance => Unmet::Maintenance,
            Hold::StartupDelay => Unmet::StartupDelay,
        }));
        unmet
    }
}
