//! One router of a [`Node`](super::Node): its election, and what the node knows of its addresses. Knows no other router.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::faults::Faults;
use super::handover::Releasing;
use super::io::Output;
use super::setup::{GroupId, InterfaceId, RouterId, TrackerId};
use super::times::Times;
use super::unicast::Circle;
use crate::announce::{Program, Rounds, Schedule};
use crate::counters::Counter;
use crate::fsm::{Link, Params};
use crate::release::Handover;
use crate::sync::Member;
use crate::timed::{Instant, Timed};
use crate::track::Influence;

#[derive(Debug)]
pub(super) struct Entry<I> {
    pub(super) interface: InterfaceId,
    pub(super) source: Option<IpAddr>,
    /// Whom its adverts go to and come from, when that is not the group.
    pub(super) circle: Option<Circle>,
    /// Another router of its identifier, interface and family, which other adverts are for.
    pub(super) namesake: Option<RouterId>,
    /// Goes by the state of its interface, not only by its presence.
    pub(super) track_interface: bool,
    pub(super) router: Timed<I, Box<[IpAddr]>>,
    pub(super) faults: Faults,
    /// As configured; the machine's have the effective priority.
    pub(super) base: Params,
    pub(super) follows: Vec<(TrackerId, Influence)>,
    /// Something that it follows keeps it in FAULT.
    pub(super) tracked_fault: bool,
    pub(super) group: Option<GroupId>,
    /// What its group knows of it.
    pub(super) member: Member,
    /// Counts the changes of what is wanted of the addresses.
    pub(super) epoch: u64,
    /// When the last advert came that passed every check.
    pub(super) heard_at: Option<I>,
    pub(super) serving: Serving,
    pub(super) program: Program,
    pub(super) announcements: Option<(I, Schedule)>,
    /// How it lets go of its addresses on purpose.
    pub(super) handover: Handover,
    /// The addresses that it let go of are served until their successor does.
    pub(super) releasing: Option<Releasing<I>>,
    /// The operator keeps it from being Master.
    pub(super) maintenance: bool,
    /// It was started a short while ago.
    pub(super) delayed_until: Option<I>,
    pub(super) times: Times<I>,
}

/// The addresses, from the node's point of view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Serving {
    No,
    /// A predecessor left them behind, and the election is not decided yet.
    Leftover,
    /// Installation was asked for and not yet acknowledged.
    Asked,
    Yes,
}

impl<I: Instant> Entry<I> {
    pub(super) fn is_healthy(&self) -> bool {
        self.faults.is_empty() && !self.tracked_fault
    }

    /// Whether a router with this source and these peers can have its identifier: every advert tells by where it comes
    /// from and goes to which of them it is for.
    pub(super) fn is_told_from(&self, source: Option<IpAddr>, circle: Option<&Circle>) -> bool {
        match (&self.circle, circle) {
            (None, None) => false,
            (Some(_), None) | (None, Some(_)) => true,
            (Some(ours), Some(theirs)) => {
                ours.is_disjoint(theirs) || self.source.zip(source).is_some_and(|(one, other)| one != other)
            }
        }
    }

    /// Whether what `source` sends is for it, rather than for another router of its identifier; `to_group`: not by unicast.
    pub(super) fn listens_to(&self, source: Option<IpAddr>, to_group: bool) -> bool {
        match &self.circle {
            Some(circle) => !to_group && source.is_some_and(|source| circle.has(source)),
            None => to_group,
        }
    }

    /// A configured source needs no address on the interface, only the link.
    pub(super) fn effective_link(&self, link: Link) -> Link {
        match (link, self.source) {
            (Link::Up(_) | Link::NoAddress, Some(source)) => Link::Up(source),
            (link, _) => link,
        }
    }

    /// Begins the announcements anew.
    pub(super) fn announce(&mut self, at: I, rounds: Rounds, id: RouterId, out: &mut Vec<Output>) {
        self.announcements = Some((at, Schedule::new(&self.program, rounds)));
        self.announce_if_due(at, id, out);
    }

    pub(super) fn announcement_due(&self) -> Option<I> {
        let (start, schedule) = self.announcements?;
        schedule.due().map(|offset| start + offset)
    }

    /// One round; what is overdue beyond the schedule's tolerance is left out.
    pub(super) fn announce_if_due(&mut self, now: I, id: RouterId, out: &mut Vec<Output>) {
        if self.announcement_due().is_none_or(|due| due > now) {
            return;
        }
        let count = self.router.router().addresses().len();
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.router.router_mut().count_many(Counter::AnnouncementsSent, count);
        out.push(Output::Announce { router: id });
        let Some((start, mut schedule)) = self.announcements else { return };
        schedule = schedule.next();
        while schedule.due().is_some_and(|due| start + due + schedule.tolerance() <= now) {
            schedule = schedule.next();
        }
        self.announcements = Some((start, schedule));
    }
}
