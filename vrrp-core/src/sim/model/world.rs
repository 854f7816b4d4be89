//! One state of the model, and what follows from one event in it. Knows three routers and what is in flight between them,
//! not how states are searched.

use core::fmt;
use core::time::Duration;
use std::collections::HashMap;
use std::vec::Vec;

use super::{Candidate, MOST_IN_FLIGHT, Property, ROUTERS, Step};
use crate::fsm::{Addresses, Advertise, DelayOp, Event, Heard, Link, Machine, Role, State, Timer, TimerOp};
use crate::types::{AdvertInterval, Priority, Version};

/// A router: its machine, its timer, the delay before a preemption, its addresses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Local {
    pub(super) machine: Machine,
    armed: Option<(Timer, Clock)>,
    delay: Option<Clock>,
    holds: bool,
}

/// Nanoseconds since it was set, and what it was set to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Clock {
    elapsed: u64,
    span: u64,
}

impl Clock {
    fn new(span: Duration) -> Self {
        Self { elapsed: 0, span: nanos(span) }
    }

    fn remaining(&self) -> u64 {
        self.span.saturating_sub(self.elapsed)
    }
}

/// What can run out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    Timer(Timer),
    Delay,
}

impl Local {
    /// What runs, and the nanoseconds that are left of it.
    pub(super) fn running(&self) -> impl Iterator<Item = (u64, Due)> + use<> {
        let timer = self.armed.map(|(timer, clock)| (clock.remaining(), Due::Timer(timer)));
        let delay = self.delay.map(|clock| (clock.remaining(), Due::Delay));
        delay.into_iter().chain(timer)
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
    /// What ran at a router ran out after so much time.
    Expired(usize, Due, u64),
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
        Some(self.number(Local { machine, armed: None, delay: None, holds: false }))
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
            Some(TimerOp::Set(timer, span)) => Some((timer, Clock::new(span))),
            Some(TimerOp::Amend(timer, span)) => {
                let (timer, clock) = before.armed.unwrap_or((timer, Clock::new(span)));
                Some((timer, Clock { span: nanos(span), ..clock }))
            }
            Some(TimerOp::Cancel) => None,
        };
        let delay = match actions.delay {
            None => before.delay.filter(|_| event != Event::DelayOver && actions.transition.is_none()),
            Some(DelayOp::Start(span)) => Some(Clock::new(span.duration())),
            Some(DelayOp::Stop) => None,
        };
        let holds = match actions.addresses {
            None => before.holds,
            Some(wanted) => wanted == Addresses::Install,
        };
        let local = Local { machine, armed, delay, holds };
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

    /// What runs at a router runs out, the time until then having passed for all.
    pub(super) fn expire(
        &mut self,
        world: &World,
        router: usize,
        (passed, due): (u64, Due),
    ) -> Result<(World, Label), Property> {
        let mut next = *world;
        for number in &mut next.routers {
            let mut local = self.known[*number as usize];
            let timer = local.armed.as_mut().map(|(_, clock)| clock);
            for clock in timer.into_iter().chain(&mut local.delay) {
                clock.elapsed += passed;
            }
            *number = self.number(local);
        }
        let event = match due {
            Due::Timer(timer) => Event::Expired(timer),
            Due::Delay => Event::DelayOver,
        };
        let next = self.feed(&next, router, event)?;
        // What ran out is set again or gone.
        if self.router(&next, router).running().any(|again| again == (0, due)) {
            return Err(Property::TimerFitsState);
        }
        Ok((next, Label::Expired(router, due, passed)))
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
        !running.iter().any(|other| other.params.preempts() && other.params.priority > master.params.priority)
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
            State::Initialize => {
                return if self.running().next().is_none() { Ok(()) } else { Err(Property::TimerFitsState) };
            }
            State::Backup { master_interval, .. } => {
                (Timer::MasterDown, nanos(params.master_down_interval(master_interval)))
            }
            // What is advertised may be longer than what the others learnt last: never more than a change of parameters ago.
            State::Master { .. } => (Timer::Adver, u64::MAX),
        };
        let spares = matches!(self.machine.state, State::Backup { heard: Heard::Spared, .. });
        let delay = spares.then(|| nanos(params.rules.preempt_delay.duration()));
        match self.armed {
            Some((armed, clock))
                if armed == timer && clock.span <= longest && self.delay.map(|clock| clock.span) == delay =>
            {
                Ok(())
            }
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
    let due = from == Role::Master && event == Event::Expired(Timer::Adver);
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
    if from == Role::Backup && event == Event::Expired(Timer::MasterDown) && to != Role::Master {
        return Err(Property::ReplacesTheSilent);
    }
    if let (State::Backup { heard, .. }, Event::Advert { priority: Some(priority), .. }) = (before.state, event)
        && priority < before.params.priority
        && before.params.preempts()
        && !before.params.priority.is_owner()
        && !before.params.rules.preempt_delay.is_none()
        && (heard != Heard::Weaker) != matches!(after.state, State::Backup { heard: Heard::Spared, .. })
    {
        return Err(Property::SparesTheWeaker);
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
            Version::V2 => message.interval == params.interval,
            Version::V3 => true,
        }
        && (!params.priority.is_owner() || params.rules.owner_hears.hears(params.version()))
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("all are stopped"),
            Self::Expired(router, Due::Timer(timer), passed) => {
                write!(f, "after {passed} ns, {timer:?} of router {router} runs out")
            }
            Self::Expired(router, Due::Delay, passed) => {
                write!(f, "after {passed} ns, the delay of router {router} is over")
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

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;
    use crate::fsm::Params;
    use crate::sim::params;

    fn second() -> AdvertInterval {
        AdvertInterval::from_secs(1).unwrap()
    }

    /// A Backup that heard a weaker Master, and may not preempt any more.
    #[test]
    fn who_ceases_to_preempt_has_broken_no_rule() {
        let params = params(100, second()).unwrap();
        let state = State::Backup { heard: Heard::Weaker, master_interval: second(), due: false };
        let before = Machine { state, enabled: true, link: Link::Up([10, 0, 0, 1].into()), ..Machine::new(params) };
        let event = Event::Params(Params { preempt: false, ..params });
        let (after, actions) = before.step(event);
        assert_eq!(judge(&before, event, &after, &actions), Ok(()));
        let taken = Machine { state: State::Master { answered: false }, ..after };
        let (_, actions) = after.step(Event::Expired(Timer::MasterDown));
        let event = Event::Expired(Timer::MasterDown);
        assert_eq!(judge(&after, event, &taken, &actions), Err(Property::PreemptsIfAllowed));
    }

    #[test]
    fn each_version_hears_its_own() {
        let centis = AdvertInterval::from_centis(100).unwrap();
        for (ours, theirs, expected) in [
            (second(), second(), true),
            (second(), AdvertInterval::from_secs(2).unwrap(), false),
            (centis, AdvertInterval::from_centis(50).unwrap(), true),
            (second(), centis, false),
            (centis, second(), false),
        ] {
            let message = Message { from: 1, priority: None, interval: theirs };
            assert_eq!(hears(&Machine::new(params(100, ours).unwrap()), message), expected, "{ours} {theirs}");
        }
    }

    #[test]
    fn each_step_has_its_line() {
        for (label, line) in [
            (Label::Start, "all are stopped"),
            (Label::Expired(2, Due::Timer(Timer::Adver), 5), "after 5 ns, Adver of router 2 runs out"),
            (Label::Expired(0, Due::Delay, 7), "after 7 ns, the delay of router 0 is over"),
            (Label::Delivered(0), "the first message in flight reaches nobody"),
            (Label::Delivered(0b010), "the first message in flight reaches router 1"),
            (Label::Delivered(0b101), "the first message in flight reaches router 0 2"),
            (Label::Cut(1, true), "router 1 is cut off"),
            (Label::Cut(1, false), "router 1 is connected again"),
            (Label::Fed(0, Event::Overdue), "router 0: Overdue"),
            (Label::Died(2), "router 2 dies"),
        ] {
            assert_eq!(label.to_string(), line);
        }
    }
}
