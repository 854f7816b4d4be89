//! One state of the model, and what follows from one event in it. Knows three routers and what is in flight between them,
//! not how states are searched.

use core::fmt;
use core::time::Duration;
use std::collections::HashMap;
use std::vec::Vec;

use super::{Candidate, MOST_IN_FLIGHT, Property, ROUTERS, Step};
use crate::fsm::{Addresses, Advertise, Event, Heard, Link, Machine, Role, State, Timer, TimerOp};
use crate::types::{AdvertInterval, Priority, Version};

/// A router: its machine, its timer, its addresses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Local {
    pub(super) machine: Machine,
    pub(super) armed: Option<Armed>,
    holds: bool,
}

/// Nanoseconds since the timer was set, and what it was set to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Armed {
    timer: Timer,
    elapsed: u64,
    span: u64,
}

impl Armed {
    pub(super) fn remaining(&self) -> u64 {
        self.span.saturating_sub(self.elapsed)
    }
}

/// An advertisement in flight.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Message {
    from: u8,
    priority: Option<Priority>,
    interval: AdvertInterval,
}

/// A state of the LAN. Routers are numbers into [`Locals`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct World {
    routers: [u32; ROUTERS],
    /// Routers that are cut off, a bit for each.
    cut: u8,
    flight: [Option<Message>; MOST_IN_FLIGHT],
}

/// Each different router once: a world is then a handful of numbers.
#[derive(Debug)]
pub(super) struct Locals {
    known: Vec<Local>,
    numbers: HashMap<Local, u32>,
    step: Step,
}

/// What happened between two worlds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Label {
    Start,
    /// The timer of a router ran out after so much time.
    Expired(usize, Timer, u64),
    /// The first message in flight reached these routers.
    Delivered(u8),
    Cut(usize, bool),
    Fed(usize, Event),
    Died(usize),
}

impl Locals {
    pub(super) fn new(step: Step) -> Self {
        Self { known: Vec::new(), numbers: HashMap::new(), step }
    }

    fn number(&mut self, local: Local) -> u32 {
        let Self { known, numbers, .. } = self;
        *numbers.entry(local).or_insert_with(|| {
            known.push(local);
            u32::try_from(known.len() - 1).unwrap_or(u32::MAX)
        })
    }

    pub(super) fn first(&mut self, candidates: &[Candidate; ROUTERS]) -> Option<World> {
        let mut routers = [0; ROUTERS];
        for (number, candidate) in routers.iter_mut().zip(candidates) {
            *number = self.newborn(candidate, Link::Up(candidate.address))?;
        }
        Some(World { routers, cut: 0, flight: [None; MOST_IN_FLIGHT] })
    }

    fn newborn(&mut self, candidate: &Candidate, link: Link) -> Option<u32> {
        let machine = Machine { link, ..Machine::new(*candidate.params.first()?) };
        Some(self.number(Local { machine, armed: None, holds: false }))
    }

    pub(super) fn router(&self, world: &World, router: usize) -> &Local {
        &self.known[world.routers[router] as usize]
    }

    /// The router forgets everything; its addresses go with it.
    pub(super) fn die(&mut self, world: &World, router: usize, candidate: &Candidate) -> Option<World> {
        let link = self.router(world, router).machine.link;
        let mut next = *world;
        next.routers[router] = self.newborn(candidate, link)?;
        Some(next)
    }

    /// Feeds an event to a router and performs what it asks for.
    pub(super) fn feed(&mut self, world: &World, router: usize, event: Event) -> Result<World, Property> {
        let before = *self.router(world, router);
        let (machine, actions) = (self.step)(before.machine, event);
        judge(&before.machine, event, &machine, &actions)?;
        let armed = match actions.timer {
            None => before.armed,
            Some(TimerOp::Set(timer, span)) => Some(Armed { timer, elapsed: 0, span: nanos(span) }),
            Some(TimerOp::Amend(timer, span)) => {
                let (timer, elapsed) = before.armed.map_or((timer, 0), |armed| (armed.timer, armed.elapsed));
                Some(Armed { timer, elapsed, span: nanos(span) })
            }
            Some(TimerOp::Cancel) => None,
        };
        let holds = match actions.addresses {
            None => before.holds,
            Some(wanted) => wanted == Addresses::Install,
        };
        let local = Local { machine, armed, holds };
        local.judge()?;
        let mut next = *world;
        next.routers[router] = self.number(local);
        if let Some(advertise) = actions.advertise {
            let priority = match advertise {
                Advertise::Claim => Some(machine.params.priority),
                Advertise::Release => None,
            };
            let from = u8::try_from(router).unwrap_or(u8::MAX);
            let message = Message { from, priority, interval: machine.params.interval };
            *next.flight.iter_mut().find(|place| place.is_none()).ok_or(Property::NoStorm)? = Some(message);
        }
        Ok(next)
    }

    /// The timer of a router runs out, the time until then having passed for all.
    pub(super) fn expire(&mut self, world: &World, router: usize) -> Result<Option<(World, Label)>, Property> {
        let Some(armed) = self.router(world, router).armed else { return Ok(None) };
        let passed = armed.remaining();
        let mut next = *world;
        for number in &mut next.routers {
            let mut local = self.known[*number as usize];
            if let Some(armed) = &mut local.armed {
                armed.elapsed += passed;
            }
            *number = self.number(local);
        }
        let next = self.feed(&next, router, Event::Expired(armed.timer))?;
        // A timer that ran out is set again or gone.
        match self.router(&next, router).armed {
            Some(again) if again.remaining() == 0 => Err(Property::TimerFitsState),
            Some(_) | None => Ok(Some((next, Label::Expired(router, armed.timer, passed)))),
        }
    }

    /// The routers that the first message in flight can reach, a bit for each; `None` when nothing is in flight.
    pub(super) fn reach(&self, world: &World) -> Option<u8> {
        let message = world.flight[0]?;
        let from = usize::from(message.from);
        let reached = (0..ROUTERS).filter(|router| {
            let connected = (world.cut >> router) & 1 == 0 && (world.cut >> from) & 1 == 0;
            *router != from && connected && hears(&self.router(world, *router).machine, message)
        });
        Some(reached.fold(0, |mask, router| mask | 1 << router))
    }

    /// The first message in flight reaches the routers of `mask` and no other.
    pub(super) fn deliver(&mut self, world: &World, mask: u8) -> Result<World, Property> {
        let Some(Message { from, priority, interval }) = world.flight[0] else { return Ok(*world) };
        let mut next = *world;
        next.flight.rotate_left(1);
        next.flight[MOST_IN_FLIGHT - 1] = None;
        let Some(source) = self.router(world, usize::from(from)).machine.link.source() else { return Ok(next) };
        for router in (0..ROUTERS).filter(|router| (mask >> router) & 1 == 1) {
            next = self.feed(&next, router, Event::Advert { from: source, priority, interval })?;
        }
        Ok(next)
    }

    pub(super) fn masters(&self, world: &World) -> usize {
        (0..ROUTERS).filter(|router| self.role(world, *router) == Role::Master).count()
    }

    fn role(&self, world: &World, router: usize) -> Role {
        self.router(world, router).machine.state.role()
    }

    /// Exactly one Master, and no router that preempts is stronger; or no router runs.
    pub(super) fn right(&self, world: &World) -> bool {
        let running: Vec<&Machine> =
            (0..ROUTERS).map(|router| &self.router(world, router).machine).filter(|machine| machine.runs()).collect();
        let mut masters = running.iter().filter(|machine| machine.state.role() == Role::Master);
        let (Some(master), None) = (masters.next(), masters.next()) else { return running.is_empty() };
        let preempts = |m: &Machine| m.params.preempt || m.params.priority.is_owner();
        !running.iter().any(|other| preempts(other) && other.params.priority > master.params.priority)
    }
}

impl World {
    pub(super) fn is_cut(&self, router: usize) -> bool {
        (self.cut >> router) & 1 == 1
    }

    pub(super) fn with_cut(self, router: usize, cut: bool) -> Self {
        let bit = 1 << router;
        Self { cut: if cut { self.cut | bit } else { self.cut & !bit }, ..self }
    }

    /// The same with everybody connected.
    pub(super) fn healed(self) -> Self {
        Self { cut: 0, ..self }
    }
}

impl Local {
    fn judge(&self) -> Result<(), Property> {
        if self.holds != (self.machine.state.role() == Role::Master) {
            return Err(Property::AddressesOfMaster);
        }
        let params = self.machine.params;
        let (timer, longest) = match self.machine.state {
            State::Initialize => return if self.armed.is_none() { Ok(()) } else { Err(Property::TimerFitsState) },
            State::Backup { master_interval, .. } => {
                (Timer::MasterDown, nanos(params.master_down_interval(master_interval)))
            }
            // What is advertised may be longer than what the others learnt last: never more than a change of parameters ago.
            State::Master { .. } => (Timer::Adver, u64::MAX),
        };
        match self.armed {
            Some(armed) if armed.timer == timer && armed.span <= longest => Ok(()),
            Some(_) | None => Err(Property::TimerFitsState),
        }
    }
}

/// What must hold of one step, from the RFC's clauses and not from the machine's code.
fn judge(before: &Machine, event: Event, after: &Machine, actions: &crate::fsm::Actions) -> Result<(), Property> {
    let (from, to) = (before.state.role(), after.state.role());
    let told = actions.transition.map(|transition| (transition.from, transition.to));
    if told != (from != to).then_some((from, to)) {
        return Err(Property::TransitionTold);
    }
    let claims = actions.advertise == Some(Advertise::Claim);
    let due = from == Role::Master && to == Role::Master && event == Event::Expired(Timer::Adver);
    if ((from != Role::Master && to == Role::Master) || due) && !claims {
        return Err(Property::MasterClaims);
    }
    let stops = from == Role::Master && to == Role::Initialize && after.link.source().is_some();
    if stops != (actions.advertise == Some(Advertise::Release)) {
        return Err(Property::MasterReleases);
    }
    if let Event::Advert { from: source, priority, .. } = event
        && from == Role::Master
        && to != Role::Master
        && (priority, Some(source)) <= (Some(before.params.priority), before.link.source())
    {
        return Err(Property::YieldsToStronger);
    }
    let weaker = matches!(before.state, State::Backup { heard: Heard::Weaker, .. });
    if weaker && to == Role::Master && !after.params.preempt && !after.params.priority.is_owner() {
        return Err(Property::PreemptsIfAllowed);
    }
    Ok(())
}

/// What the ladder of checks lets through.
fn hears(machine: &Machine, message: Message) -> bool {
    let params = machine.params;
    params.version() == message.interval.version()
        && match params.version() {
            Version::V2 => !params.priority.is_owner() && message.interval == params.interval,
            Version::V3 => true,
        }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("all are stopped"),
            Self::Expired(router, timer, passed) => {
                write!(f, "after {passed} ns, {timer:?} of router {router} runs out")
            }
            Self::Delivered(0) => f.write_str("the first message in flight reaches nobody"),
            Self::Delivered(mask) => {
                f.write_str("the first message in flight reaches router")?;
                (0..ROUTERS).filter(|r| (mask >> r) & 1 == 1).try_for_each(|router| write!(f, " {router}"))
            }
            Self::Cut(router, true) => write!(f, "router {router} is cut off"),
            Self::Cut(router, false) => write!(f, "router {router} is connected again"),
            Self::Fed(router, event) => write!(f, "router {router}: {event:?}"),
            Self::Died(router) => write!(f, "router {router} dies"),
        }
    }
}
