//! Breadth-first search over the worlds, and the quiet end of each. Knows which disturbances there are, not what they do.

use std::collections::{HashMap, HashSet};
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::world::{Due, Label, Locals, World};
use super::{Counterexample, Disturbance, Model, Property, ROUTERS, Report};
use crate::fsm::{Event, Link, Role, Timer};

/// More expiries than this without coming to rest is never.
const FOREVER: usize = 256;

#[derive(Debug)]
pub(super) struct Search<'m> {
    model: &'m Model,
    locals: Locals,
    worlds: Vec<World>,
    known: HashSet<World>,
    /// How each world was reached first.
    parents: Vec<(u32, Label)>,
    edges: usize,
    divided: usize,
    /// Expiries until a quiet LAN repeats states that are all right, from each world that is known to come there.
    rest: HashMap<World, u32>,
}

/// A property that an event in the world with this number breaks.
type Broken = (u32, Label, Property);

impl<'m> Search<'m> {
    pub(super) fn new(model: &'m Model) -> Self {
        Self {
            model,
            locals: Locals::new(model.step),
            worlds: Vec::new(),
            known: HashSet::new(),
            parents: Vec::new(),
            edges: 0,
            divided: 0,
            rest: HashMap::new(),
        }
    }

    pub(super) fn run(mut self) -> Result<Report, Counterexample> {
        let outcome = self.all();
        outcome.map_err(|(number, label, property)| self.counterexample(number, label, property))
    }

    fn all(&mut self) -> Result<Report, Broken> {
        if let Some(first) = self.locals.first(&self.model.candidates) {
            self.note(0, Label::Start, first);
        }
        let mut next = 0;
        while next < self.worlds.len() && self.worlds.len() <= self.model.limit {
            self.expand(number(next))?;
            next += 1;
        }
        let complete = next == self.worlds.len();
        let mut most_expiries = 0;
        for i in 0..self.worlds.len() {
            let expiries = self.come_to_rest(self.worlds[i]);
            let expiries = expiries.map_err(|property| (self.parents[i].0, self.parents[i].1, property))?;
            most_expiries = most_expiries.max(expiries);
        }
        let Self { edges, divided, .. } = *self;
        Ok(Report { states: self.worlds.len(), edges, divided, most_expiries, complete })
    }

    /// Notes an edge, and its end if that is new.
    fn note(&mut self, parent: u32, label: Label, world: World) {
        self.edges += usize::from(label != Label::Start);
        if self.known.insert(world) {
            self.worlds.push(world);
            self.parents.push((parent, label));
            self.divided += usize::from(self.locals.masters(&world) > 1);
        }
    }

    fn expand(&mut self, parent: u32) -> Result<(), Broken> {
        let world = self.worlds[parent as usize];
        let reach = self.locals.reach(&world);
        if let Some(reach) = reach {
            for mask in 0..1 << ROUTERS {
                let lost = mask != reach && !self.model.disturbances.contains(Disturbance::LOSS);
                if mask & !reach == 0 && !lost {
                    let label = Label::Delivered(mask);
                    let next = self.locals.deliver(&world, mask).map_err(|property| (parent, label, property))?;
                    self.note(parent, label, next);
                }
            }
        }
        // While something is in flight no time passes.
        let soonest = self.running(&world).map(|(remaining, ..)| remaining).min();
        let due: Vec<_> = self.running(&world).filter(|(remaining, ..)| Some(*remaining) == soonest).collect();
        for (remaining, router, due) in due.into_iter().filter(|(remaining, ..)| reach.is_none() || *remaining == 0) {
            let expired = self.locals.expire(&world, router, (remaining, due));
            let (next, label) = expired.map_err(|property| (parent, Label::Fed(router, Event::Overdue), property))?;
            self.note(parent, label, next);
        }
        if reach.is_none() {
            (0..ROUTERS).try_for_each(|router| self.disturb(parent, &world, router))?;
        }
        Ok(())
    }

    /// What runs, the nanoseconds that are left of it, and at which router.
    fn running(&self, world: &World) -> impl Iterator<Item = (u64, usize, Due)> {
        (0..ROUTERS).flat_map(|router| {
            let running = self.locals.router(world, router).running();
            running.map(move |(remaining, due)| (remaining, router, due))
        })
    }

    fn disturb(&mut self, parent: u32, world: &World, router: usize) -> Result<(), Broken> {
        let model = self.model;
        let candidate = &model.candidates[router];
        let machine = self.locals.router(world, router).machine;
        let may = |disturbance| model.disturbances.contains(disturbance);
        let mut events: Vec<Event> = Vec::new();
        if !machine.enabled || may(Disturbance::STOP) {
            events.push(Event::Enabled(!machine.enabled));
        }
        if may(Disturbance::LINK) {
            let down = machine.link == Link::Down;
            events.push(Event::Link(if down { Link::Up(candidate.address) } else { Link::Down }));
        }
        if may(Disturbance::PARAMS) {
            events.extend(candidate.params.iter().filter(|to| **to != machine.params).copied().map(Event::Params));
        }
        if may(Disturbance::STALL) && machine.state.role() == Role::Master {
            events.push(Event::Overdue);
        }
        for event in events {
            let label = Label::Fed(router, event);
            let next = self.locals.feed(world, router, event).map_err(|property| (parent, label, property))?;
            self.note(parent, label, next);
        }
        if may(Disturbance::CUT) {
            let cut = !world.is_cut(router);
            self.note(parent, Label::Cut(router, cut), world.with_cut(router, cut));
        }
        if may(Disturbance::CRASH)
            && machine.enabled
            && let Some(next) = self.locals.die(world, router, candidate)
        {
            self.note(parent, Label::Died(router), next);
        }
        Ok(())
    }

    /// Heals the LAN and lets time pass without any disturbance, until states repeat.
    fn come_to_rest(&mut self, world: World) -> Result<u32, Property> {
        let mut path: Vec<(World, Due)> = Vec::new();
        let mut world = self.settle(world.healed())?;
        let mut distance = loop {
            if let Some(distance) = self.rest.get(&world) {
                break *distance;
            }
            if let Some(start) = path.iter().position(|(earlier, _)| *earlier == world) {
                self.all_right(&path[start..])?;
                for (world, _) in path.drain(start..) {
                    self.rest.insert(world, 0);
                }
                break 0;
            }
            if path.len() > FOREVER {
                return Err(Property::Converges);
            }
            let soonest = self.running(&world).min_by_key(|(remaining, router, _)| (*remaining, *router));
            let Some((remaining, router, due)) = soonest else {
                self.all_right(&[(world, Due::Timer(Timer::Adver))])?;
                self.rest.insert(world, 0);
                break 0;
            };
            let (next, _) = self.locals.expire(&world, router, (remaining, due))?;
            path.push((world, due));
            world = self.settle(next)?;
        };
        for (world, _) in path.into_iter().rev() {
            distance += 1;
            self.rest.insert(world, distance);
        }
        Ok(distance)
    }

    /// At rest nobody takes over any more.
    fn all_right(&self, cycle: &[(World, Due)]) -> Result<(), Property> {
        let right = |(world, expires): &(World, Due)| *expires == Due::Timer(Timer::Adver) && self.locals.right(world);
        if cycle.iter().all(right) { Ok(()) } else { Err(Property::Converges) }
    }

    /// Everything in flight arrives everywhere.
    fn settle(&mut self, mut world: World) -> Result<World, Property> {
        for _ in 0..FOREVER {
            let Some(reach) = self.locals.reach(&world) else { return Ok(world) };
            world = self.locals.deliver(&world, reach)?;
        }
        Err(Property::NoStorm)
    }

    fn counterexample(&self, number: u32, last: Label, property: Property) -> Counterexample {
        let mut trace: Vec<String> = Vec::new();
        let mut at = number as usize;
        trace.push(last.to_string());
        // The first is its own parent.
        while let Some((parent, label)) = self.parents.get(at) {
            trace.push(label.to_string());
            if at == 0 {
                break;
            }
            at = *parent as usize;
        }
        trace.reverse();
        if let Some(world) = self.worlds.get(number as usize) {
            for router in 0..ROUTERS {
                trace.push(format!("before the last: router {router} {:?}", self.locals.router(world, router)));
            }
        }
        Counterexample { property, trace }
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
