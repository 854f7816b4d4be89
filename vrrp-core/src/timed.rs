//! Deadlines: turns the machine's relative timers into instants of the caller's clock.
//!
//! Generic in the instant: std's `Instant` in a daemon, a number in a simulator. Timers are anchored at the time of the
//! event that set them, never of its processing, so that adverts do not drift. Reads no clock.

use core::net::IpAddr;
use core::ops::Add;
use core::time::Duration;

use crate::counters::Counter;
use crate::fsm::{Actions, Advertise, DelayOp, Event, Limit, Timer, TimerOp};
use crate::router::VirtualRouter;
use crate::rx::{Discard, Notices, Received};
use crate::types::AddressList;

mod doubt;
mod start;

use doubt::Doubt;

/// An instant: ordered, copied, and moved forward by a span.
pub trait Instant: Copy + Ord + Add<Duration, Output = Self> {}

impl<I: Copy + Ord + Add<Duration, Output = I>> Instant for I {}

/// A [`VirtualRouter`] with its one deadline.
///
/// A router that must not preempt listens before it claims, when it starts and when its link comes up: see
/// [`Timed::listens_until`].
///
/// Feed every input that is waiting before [`Timed::expire`]: an advertisement that arrived while the process did not run
/// must be heard before its absence is acted upon.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timed<I, A> {
    router: VirtualRouter<A>,
    clock: Clock<I>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Clock<I> {
    /// No timer runs.
    Off {
        /// A router that must not preempt and starts before this has not listened for long enough, however long it could hear
        /// already: a fault kept it from starting.
        deaf_until: Option<I>,
    },
    On(Armed<I>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Armed<I> {
    anchor: I,
    deadline: I,
    doubt: Doubt,
    runs: Runs<I>,
}

/// Which timer runs, and what runs beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Runs<I> {
    Adver {
        /// From here on another router may be Master: by the parameters of the last advert, which are what the others know.
        replaced: I,
    },
    MasterDown,
    /// Master_Down_Timer of a router that has heard nobody yet, and claims nothing before this.
    Listening {
        until: I,
    },
    /// Master_Down_Timer of a router that leaves a weaker Master in place until then.
    Sparing {
        until: I,
    },
}

/// Periods beyond this are not counted one by one: the phase of a timer that late means nothing to anybody.
const MISSED_PERIODS: u32 = 64;

impl<I: Instant, A: AsRef<[IpAddr]>> Timed<I, A> {
    /// No timer runs.
    pub fn new(router: VirtualRouter<A>) -> Self {
        Self { router, clock: Clock::Off { deaf_until: None } }
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
        let armed = self.armed()?;
        Some(match armed.runs {
            Runs::Adver { .. } | Runs::MasterDown => armed.deadline,
            Runs::Listening { until } => armed.deadline.max(until),
            Runs::Sparing { until } => armed.deadline.min(until),
        })
    }

    /// Until when this Backup claims nothing, though it hears nobody: it might be that it cannot hear the Master yet. `None`
    /// when only Master_Down_Timer holds it back; so does the first advertisement.
    ///
    /// A router that must not preempt listens for three of its Master_Down_Intervals, at least three seconds, when it is
    /// started, when its link comes up and when it gets an address to send from; what is in FAULT meanwhile, for what it
    /// tracks, claims no sooner for that. Any router does that is told to [wait](Timed::wait_from).
    pub fn listens_until(&self) -> Option<I> {
        match self.armed()?.runs {
            Runs::Listening { until } => Some(until),
            Runs::Adver { .. } | Runs::MasterDown | Runs::Sparing { .. } => None,
        }
    }

    /// A router that has just become Backup waits for a Master from `start` on, which is later: until it hears anybody, it claims
    /// nothing before a Master_Down_Interval has passed since then.
    pub fn wait_from(&mut self, start: I) {
        let params = self.router.machine().params;
        let wait = start + params.master_down_interval(params.interval);
        if let Clock::On(Armed { runs, .. }) = &mut self.clock {
            match runs {
                Runs::MasterDown => *runs = Runs::Listening { until: wait },
                Runs::Listening { until } => *until = wait.max(*until),
                Runs::Adver { .. } | Runs::Sparing { .. } => {}
            }
        }
    }

    /// Feeds an event that happened at `at`, which may be earlier than now.
    ///
    /// A Backup goes by the advert that arrived last: one that is fed after it and arrived before it has no effect.
    pub fn handle(&mut self, at: I, event: Event) -> Actions {
        let overdue = self.overdue(at);
        let before = match event {
            Event::Advert { .. } if self.outdated(at) => return Actions::NONE,
            Event::Advert { .. } | Event::Limit(Limit::Backup) | Event::Hold(Some(_)) if overdue => self.step_back(at),
            Event::Advert { .. } => {
                self.heard();
                Actions::NONE
            }
            Event::Enabled(_)
            | Event::Healthy(_)
            | Event::Limit(_)
            | Event::Hold(_)
            | Event::Link(_)
            | Event::Params(_)
            | Event::Expired(_)
            | Event::Overdue
            | Event::DelayOver => Actions::NONE,
        };
        let could_hear = self.can_hear();
        let mut actions = self.router.handle(event);
        if overdue {
            // A release from one that was replaced would hurry those who back its successor up.
            actions.advertise = actions.advertise.filter(|advertise| *advertise != Advertise::Release);
        }
        self.apply(at, &actions);
        self.ears(at, could_hear);
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
        self.heard();
        self.apply(at, &actions);
        Ok((after(before, actions), notices))
    }

    /// Feeds an advertisement that arrived at `at` and was kept from this host's sockets: a Backup goes by it as by every other,
    /// and a Master does not.
    pub fn barred(&mut self, at: I, received: &Received<'_>) -> Result<Actions, Discard> {
        if self.outdated(at) {
            return Ok(Actions::NONE);
        }
        let actions = self.router.barred(received)?;
        self.heard();
        self.apply(at, &actions);
        Ok(actions)
    }

    /// Since when a Backup waits for an advertisement, and until when at the longest.
    #[cfg(feature = "alloc")]
    pub(crate) fn waits(&self) -> Option<(I, I)> {
        let armed = self.armed()?;
        match armed.runs {
            Runs::MasterDown | Runs::Listening { .. } | Runs::Sparing { .. } => Some((armed.anchor, armed.deadline)),
            Runs::Adver { .. } => None,
        }
    }

    /// Replaces the virtual addresses, see [`VirtualRouter::set_addresses`]. No timer moves.
    pub fn set_addresses(&mut self, addresses: AddressList<A>) -> Result<Actions, AddressList<A>> {
        self.router.set_addresses(addresses)
    }

    /// Fires the timer if it is due at `now`.
    ///
    /// Where packets were [lost](Timed::lost), Master_Down_Timer runs for one Skew_Time more, once.
    ///
    /// Missed periods are skipped: one advert goes out, and the next is due at the first deadline + k × interval after `now`.
    /// A Master as late as the shortest Master_Down_Interval must assume that it was replaced.
    pub fn expire(&mut self, now: I) -> Actions {
        self.end_delay(now);
        let due = self.deadline().filter(|deadline| *deadline <= now);
        let (Some(deadline), Some(armed)) = (due, self.armed()) else { return Actions::NONE };
        if armed.doubt == Doubt::Lost {
            self.put_off(armed, now);
            return Actions::NONE;
        }
        self.clock = Clock::Off { deaf_until: None };
        let event = match armed.runs {
            Runs::Adver { replaced } if now >= replaced => Event::Overdue,
            Runs::Adver { .. } => Event::Expired(Timer::Adver),
            Runs::MasterDown | Runs::Listening { .. } | Runs::Sparing { .. } => Event::Expired(Timer::MasterDown),
        };
        let actions = self.router.handle(event);
        let base = if event == Event::Overdue { now } else { deadline };
        match actions.timer {
            Some(TimerOp::Set(Timer::Adver, period)) => {
                let (anchor, deadline, skipped) = next_period(base, period, now);
                if skipped > 0 && event == Event::Expired(Timer::Adver) {
                    self.router.count_many(Counter::AdvertsSkipped, skipped);
                }
                self.arm_adver(anchor, deadline);
            }
            Some(TimerOp::Set(Timer::MasterDown, _) | TimerOp::Amend(..) | TimerOp::Cancel) | None => {
                self.apply(base, &actions);
            }
        }
        actions
    }

    /// A weaker Master is not spared any longer, unless it has fallen silent before: nothing else follows at once.
    fn end_delay(&mut self, now: I) {
        if let Some(Armed { deadline, runs: Runs::Sparing { until }, .. }) = self.armed()
            && until <= now
            && until <= deadline
        {
            let actions = self.router.handle(Event::DelayOver);
            self.run(Runs::MasterDown);
            self.apply(until, &actions);
        }
    }

    /// Whether this Master was silent for so long at `at` that an advert from then is its successor's: answering that would
    /// silence the successor.
    fn overdue(&self, at: I) -> bool {
        self.armed().is_some_and(|armed| match armed.runs {
            Runs::Adver { replaced } => at >= replaced,
            Runs::MasterDown | Runs::Listening { .. } | Runs::Sparing { .. } => false,
        })
    }

    /// Whether Master_Down_Timer was set by what happened after `at`: nothing from then may move its deadline back.
    fn outdated(&self, at: I) -> bool {
        self.armed().is_some_and(|armed| match armed.runs {
            Runs::MasterDown | Runs::Listening { .. } | Runs::Sparing { .. } => at < armed.anchor,
            Runs::Adver { .. } => false,
        })
    }

    fn step_back(&mut self, at: I) -> Actions {
        let actions = self.router.handle(Event::Overdue);
        self.apply(at, &actions);
        actions
    }

    fn can_hear(&self) -> bool {
        let machine = self.router.machine();
        machine.enabled && machine.link.source().is_some()
    }

    /// Whether it can hear Masters has perhaps changed while no timer runs.
    fn ears(&mut self, at: I, could_hear: bool) {
        let can_hear = self.can_hear();
        if let Clock::Off { deaf_until } = &mut self.clock {
            *deaf_until = match (could_hear, can_hear) {
                (false, true) => start::span(&self.router.machine().params).map(|span| at + span),
                (true, true) => *deaf_until,
                (_, false) => None,
            };
        }
    }

    /// Somebody: no need to listen any longer.
    fn heard(&mut self) {
        match self.clock {
            Clock::Off { .. } => self.clock = Clock::Off { deaf_until: None },
            Clock::On(Armed { runs: Runs::Listening { .. }, .. }) => self.run(Runs::MasterDown),
            Clock::On(Armed { runs: Runs::Adver { .. } | Runs::MasterDown | Runs::Sparing { .. }, .. }) => {}
        }
    }

    fn armed(&self) -> Option<Armed<I>> {
        match self.clock {
            Clock::Off { .. } => None,
            Clock::On(armed) => Some(armed),
        }
    }

    fn apply(&mut self, at: I, actions: &Actions) {
        let deaf_until = match self.clock {
            Clock::Off { deaf_until } => deaf_until,
            Clock::On(_) => self.listens_until(),
        };
        match actions.timer {
            None => {}
            Some(TimerOp::Set(Timer::Adver, span)) => self.arm_adver(at, at + span),
            Some(TimerOp::Set(Timer::MasterDown, span)) => {
                let runs = match self.armed().map(|armed| armed.runs) {
                    Some(sparing @ Runs::Sparing { .. }) => sparing,
                    Some(Runs::Adver { .. } | Runs::MasterDown | Runs::Listening { .. }) | None => Runs::MasterDown,
                };
                self.clock = Clock::On(Armed { anchor: at, deadline: at + span, doubt: Doubt::None, runs });
            }
            Some(TimerOp::Amend(timer, span)) => match (&mut self.clock, timer) {
                (Clock::On(armed), Timer::Adver | Timer::MasterDown) => armed.deadline = armed.anchor + span,
                (Clock::Off { .. }, Timer::Adver) => self.arm_adver(at, at + span),
                (Clock::Off { .. }, Timer::MasterDown) => {
                    let runs = Runs::MasterDown;
                    self.clock = Clock::On(Armed { anchor: at, deadline: at + span, doubt: Doubt::None, runs });
                }
            },
            Some(TimerOp::Cancel) => self.clock = Clock::Off { deaf_until },
        }
        match actions.delay {
            None => {}
            Some(DelayOp::Start(delay)) => self.run(Runs::Sparing { until: at + delay.duration() }),
            Some(DelayOp::Stop) => {
                if let Clock::On(Armed { runs: runs @ Runs::Sparing { .. }, .. }) = &mut self.clock {
                    *runs = Runs::MasterDown;
                }
            }
        }
        if let Some(transition) = actions.transition
            && let Some(span) = start::listening(&self.router.machine().params, transition)
        {
            let until = if start::is_deaf_before(transition.cause) { Some(at + span) } else { deaf_until };
            if let Some(until) = until.filter(|until| *until > at) {
                self.run(Runs::Listening { until });
            }
        }
    }

    fn arm_adver(&mut self, anchor: I, deadline: I) {
        let replaced = anchor + self.router.machine().params.shortest_master_down_interval();
        self.clock = Clock::On(Armed { anchor, deadline, doubt: Doubt::None, runs: Runs::Adver { replaced } });
    }

    /// The timer goes on as this.
    fn run(&mut self, runs: Runs<I>) {
        if let Clock::On(armed) = &mut self.clock {
            armed.runs = runs;
        }
    }
}

/// The effects of stepping back and of an advert heard right after it, which in Backup sets the timer at most.
fn after(before: Actions, actions: Actions) -> Actions {
    if before == Actions::NONE { actions } else { Actions { timer: actions.timer.or(before.timer), ..before } }
}

/// Where the period begins, and its end: the first `base` + k × `period` after `now`, k ≥ 1; and how many ended before it.
fn next_period<I: Instant>(base: I, period: Duration, now: I) -> (I, I, u64) {
    let mut deadline = base + period;
    if deadline > now {
        return (base, deadline, 0);
    }
    if base + period.saturating_mul(MISSED_PERIODS) <= now {
        return (now, now + period, u64::from(MISSED_PERIODS));
    }
    let mut skipped = 0;
    while deadline <= now {
        deadline = deadline + period;
        skipped += 1;
    }
    (now, deadline, skipped)
}

#[cfg(test)]
mod tests;
