//! Deadlines: turns the machine's relative timers into instants of the caller's clock.
//!
//! Generic in the instant: std's `Instant` in a daemon, a number in a simulator. Timers are anchored at the time of the
//! event that set them, never of its processing, so that adverts do not drift. Reads no clock.

use core::net::IpAddr;
use core::ops::Add;
use core::time::Duration;

use crate::fsm::{Actions, Event, Limit, Params, Timer, TimerOp};
use crate::router::VirtualRouter;
use crate::rx::{Discard, Notices, Received};
use crate::types::AddressList;

/// An instant: ordered, copied, and moved forward by a span.
pub trait Instant: Copy + Ord + Add<Duration, Output = Self> {}

impl<I: Copy + Ord + Add<Duration, Output = I>> Instant for I {}

/// A [`VirtualRouter`] with its one deadline.
///
/// Feed every input that is waiting before [`Timed::expire`]: an advertisement that arrived while the process did not run
/// must be heard before its absence is acted upon.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timed<I, A> {
    router: VirtualRouter<A>,
    armed: Option<Armed<I>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Armed<I> {
    timer: Timer,
    anchor: I,
    deadline: I,
    /// From here on another router may be Master: by the parameters of the last advert, which are what the others know.
    replaced: I,
}

/// Periods beyond this are not counted one by one: the phase of a timer that late means nothing to anybody.
const MISSED_PERIODS: u32 = 64;

impl<I: Instant, A: AsRef<[IpAddr]>> Timed<I, A> {
    /// No timer runs.
    pub fn new(router: VirtualRouter<A>) -> Self {
        Self { router, armed: None }
    }

    /// The router.
    pub fn router(&self) -> &VirtualRouter<A> {
        &self.router
    }

    /// The router, to count what never reached it.
    pub fn router_mut(&mut self) -> &mut VirtualRouter<A> {
        &mut self.router
    }

    /// When [`Timed::expire`] is due.
    pub fn deadline(&self) -> Option<I> {
        self.armed.map(|armed| armed.deadline)
    }

    /// Feeds an event that happened at `at`, which may be earlier than now.
    ///
    /// A Backup goes by the advert that arrived last: one that is fed after it and arrived before it has no effect.
    pub fn handle(&mut self, at: I, event: Event) -> Actions {
        let before = match event {
            Event::Advert { .. } if self.outdated(at) => return Actions::NONE,
            // A release from one that was replaced would hurry those who back its successor up.
            Event::Advert { .. } | Event::Limit(Limit::Backup) | Event::Maintenance(true) if self.overdue(at) => {
                self.step_back(at)
            }
            Event::Advert { .. }
            | Event::Enabled(_)
            | Event::Healthy(_)
            | Event::Limit(_)
            | Event::Maintenance(_)
            | Event::Link(_)
            | Event::Params(_)
            | Event::Expired(_)
            | Event::Overdue => Actions::NONE,
        };
        let actions = self.router.handle(event);
        self.apply(at, actions.timer);
        after(before, actions)
    }

    /// Feeds an advertisement that arrived at `at`; see [`Timed::handle`] about one that comes out of order, which is counted
    /// all the same.
    pub fn receive(&mut self, at: I, received: &Received<'_>) -> Result<(Actions, Notices), Discard> {
        if self.outdated(at) {
            return Ok((Actions::NONE, self.router.overhear(received)?));
        }
        let before =
            if self.overdue(at) && self.router.accept(received).is_ok() { self.step_back(at) } else { Actions::NONE };
        let (actions, notices) = self.router.receive(received)?;
        self.apply(at, actions.timer);
        Ok((after(before, actions), notices))
    }

    /// Replaces the virtual addresses, see [`VirtualRouter::set_addresses`]. No timer moves.
    pub fn set_addresses(&mut self, addresses: AddressList<A>) -> Result<Actions, AddressList<A>> {
        self.router.set_addresses(addresses)
    }

    /// Fires the timer if it is due at `now`.
    ///
    /// Missed periods are skipped: one advert goes out, and the next is due at the first deadline + k × interval after `now`.
    /// A Master as late as the shortest Master_Down_Interval must assume that it was replaced.
    pub fn expire(&mut self, now: I) -> Actions {
        let Some(Armed { timer, deadline, replaced, .. }) = self.armed.filter(|armed| armed.deadline <= now) else {
            return Actions::NONE;
        };
        self.armed = None;
        let event = match timer {
            Timer::Adver if now >= replaced => Event::Overdue,
            Timer::Adver | Timer::MasterDown => Event::Expired(timer),
        };
        let actions = self.router.handle(event);
        let base = if event == Event::Overdue { now } else { deadline };
        match actions.timer {
            Some(TimerOp::Set(timer @ Timer::Adver, period)) => {
                let (anchor, deadline) = next_period(base, period, now);
                self.arm(timer, anchor, deadline);
            }
            other => self.apply(base, other),
        }
        actions
    }

    /// Whether this Master was silent for so long at `at` that an advert from then is its successor's: answering that would
    /// silence the successor.
    fn overdue(&self, at: I) -> bool {
        self.armed.is_some_and(|armed| armed.timer == Timer::Adver && at >= armed.replaced)
    }

    /// Whether Master_Down_Timer was set by what happened after `at`: nothing from then may move its deadline back.
    fn outdated(&self, at: I) -> bool {
        self.armed.is_some_and(|armed| armed.timer == Timer::MasterDown && at < armed.anchor)
    }

    fn step_back(&mut self, at: I) -> Actions {
        let actions = self.router.handle(Event::Overdue);
        self.apply(at, actions.timer);
        actions
    }

    fn params(&self) -> &Params {
        &self.router.machine().params
    }

    fn apply(&mut self, at: I, op: Option<TimerOp>) {
        match op {
            None => {}
            Some(TimerOp::Set(timer, span)) => self.arm(timer, at, at + span),
            Some(TimerOp::Amend(timer, span)) => match &mut self.armed {
                Some(armed) => armed.deadline = armed.anchor + span,
                None => self.arm(timer, at, at + span),
            },
            Some(TimerOp::Cancel) => self.armed = None,
        }
    }

    fn arm(&mut self, timer: Timer, anchor: I, deadline: I) {
        let replaced = anchor + self.params().shortest_master_down_interval();
        self.armed = Some(Armed { timer, anchor, deadline, replaced });
    }
}

/// The effects of stepping back and of an advert heard right after it, which in Backup sets the timer at most.
fn after(before: Actions, actions: Actions) -> Actions {
    if before == Actions::NONE { actions } else { Actions { timer: actions.timer.or(before.timer), ..before } }
}

/// Where the period begins, and its end: the first `base` + k × `period` after `now`, k ≥ 1.
fn next_period<I: Instant>(base: I, period: Duration, now: I) -> (I, I) {
    let mut deadline = base + period;
    if deadline > now {
        return (base, deadline);
    }
    if base + period.saturating_mul(MISSED_PERIODS) <= now {
        return (now, now + period);
    }
    while deadline <= now {
        deadline = deadline + period;
    }
    (now, deadline)
}

#[cfg(test)]
mod tests;
