//! Trackers, groups and maintenance at random: what holds after every call, and that the order of levels does not matter.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::track::{Contribution, Influence, Status, Weight};

/// Two groups of two, each over both networks, the second with weights; and a router without a group.
struct World {
    node: Node<Duration>,
    ids: Vec<RouterId>,
    groups: [GroupId; 2],
    trackers: Vec<TrackerId>,
    follows: Vec<(RouterId, TrackerId, Influence)>,
    now: Duration,
    priorities: Vec<Priority>,
    conditions: [Condition; 2],
}

#[derive(Clone, Debug)]
enum Op {
    Enabled(Option<Index>, bool),
    Link(bool, Link),
    Params(Index, u8),
    Tracked(Index, Status),
    Maintenance(u8, Index, bool),
    Delay(Option<Index>, u64),
    Fault(Index, bool),
    Advert(Index, u8),
    Sleep(u64),
}

impl World {
    fn new() -> Self {
        let mut node = Node::new(Groups::default());
        let add = |(interface, vrid, priority)| node.add(setup(interface, vrid, params(priority))).unwrap();
        let routers = [(ETH0, 1, 100), (ETH1, 2, 150), (ETH0, 3, 200), (ETH1, 4, 255), (ETH0, 5, 50)];
        let ids: Vec<RouterId> = routers.into_iter().map(add).collect();
        let groups = [node.add_group(&ids[..2], false).unwrap(), node.add_group(&ids[2..4], true).unwrap()];
        let trackers: Vec<_> = (0..4).map(|_| node.add_tracker(Status::Unknown)).collect();
        let mut follows = Vec::new();
        for (id, tracker, weight, reverse) in [
            (0, 0, 0, false),
            (1, 1, 20, false),
            (2, 1, -200, true),
            (2, 2, 7, false),
            (4, 2, -3, true),
            (4, 3, 254, false),
        ] {
            let influence = Influence { weight: Weight::new(weight).unwrap(), reverse };
            node.follow(Follower::Router(ids[id]), trackers[tracker], influence);
            follows.push((ids[id], trackers[tracker], influence));
        }
        node.follow(Follower::Group(groups[1]), trackers[3], Influence::default());
        follows.extend([2, 3].map(|member: usize| (ids[member], trackers[3], Influence::default())));
        let priorities = ids.iter().map(|id| node.router(*id).unwrap().machine().params.priority).collect();
        let conditions = [Condition::Stopped; 2];
        Self { node, ids, groups, trackers, follows, now: ms(0), priorities, conditions }
    }

    fn apply(&mut self, op: &Op) {
        let input = match op {
            Op::Enabled(None, enabled) => Input::Enabled { which: Which::All, enabled: *enabled },
            Op::Enabled(Some(id), enabled) => {
                Input::Enabled { which: Which::One(*id.get(&self.ids)), enabled: *enabled }
            }
            Op::Link(first, link) => {
                Input::Link { interface: if *first { ETH0 } else { ETH1 }, family: Family::V4, link: *link }
            }
            Op::Params(id, priority) => {
                Input::Params { router: *id.get(&self.ids), params: params((*priority).max(1)) }
            }
            Op::Tracked(tracker, status) => Input::Tracked { tracker: *tracker.get(&self.trackers), status: *status },
            Op::Maintenance(kind, which, on) => {
                let which = match kind % 3 {
                    0 => Which::All,
                    1 => Which::Group(*which.get(&self.groups)),
                    _ => Which::One(*which.get(&self.ids)),
                };
                Input::Maintenance { which, on: *on }
            }
            Op::Delay(id, milliseconds) => {
                let which = id.map_or(Which::All, |id| Which::One(*id.get(&self.ids)));
                Input::StartupDelay { which, delay: ms(*milliseconds) }
            }
            Op::Fault(id, present) => {
                Input::Fault { router: *id.get(&self.ids), fault: Faults::INSTALL, present: *present }
            }
            Op::Advert(id, priority) => {
                let place = id.index(self.ids.len());
                let interface = if place % 2 == 0 { ETH0 } else { ETH1 };
                let octets = advert(u8::try_from(place + 1).unwrap(), *priority);
                return self.input(Input::Datagram { interface, octets: &octets });
            }
            Op::Sleep(milliseconds) => return self.sleep(ms(*milliseconds)),
        };
        self.input(input);
    }

    fn input(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.node.handle(self.now, input, &mut out);
        for group in self.groups {
            let of_group = |router: &RouterId| self.node.group_of(*router) == Some(group);
            let last = out.iter().rposition(|o| matches!(o, Output::Advertise { router, .. } if of_group(router)));
            let first = out.iter().position(|o| matches!(o, Output::Addresses { router, .. } if of_group(router)));
            assert!(
                last.is_none_or(|last| first.is_none_or(|first| last < first)),
                "claims and releases first: {out:?}"
            );
        }
        self.heard(&out);
        self.check();
    }

    fn sleep(&mut self, span: Duration) {
        let mut out = Vec::new();
        self.now += span;
        self.node.expire(self.now, &mut out);
        self.heard(&out);
        self.check();
    }

    fn heard(&mut self, out: &[Output]) {
        for output in out {
            match *output {
                Output::Priority { router, priority } => {
                    assert_ne!(core::mem::replace(&mut self.priorities[router.index()], priority), priority);
                }
                Output::Group { group, condition } => {
                    assert_ne!(core::mem::replace(&mut self.conditions[group.index()], condition), condition);
                }
                Output::Advertise { .. }
                | Output::Addresses { .. }
                | Output::HandOver { .. }
                | Output::Announce { .. }
                | Output::Conflict { .. }
                | Output::Transition { .. }
                | Output::Rejected { .. }
                | Output::Noticed { .. }
                | Output::Barred { .. } => {}
            }
        }
    }

    fn check(&self) {
        let holds = |unmet: &Unmet| matches!(unmet, Unmet::Maintenance | Unmet::StartupDelay);
        for id in &self.ids {
            let machine = self.node.router(*id).unwrap().machine();
            assert_eq!(machine.params.priority, self.expected(*id), "{id:?}");
            assert_eq!(machine.params.priority, self.priorities[id.index()], "a change is told");
            let unmet: Vec<Unmet> = self.node.unmet(*id).collect();
            if machine.state.role() == Role::Initialize {
                assert!(!unmet.iter().all(holds), "{id:?}: FAULT has a reason");
            } else {
                let harmless = |unmet: &Unmet| holds(unmet) || matches!(unmet, Unmet::Member(_));
                assert!(unmet.iter().all(harmless), "{id:?}: {unmet:?}");
            }
            assert!(machine.state.role() != Role::Master || unmet.is_empty(), "{id:?}: {unmet:?}");
        }
        for group in self.groups {
            let machines: Vec<_> =
                self.node.members(group).iter().map(|id| self.node.router(*id).unwrap().machine()).collect();
            let all = |role| machines.iter().all(|machine| machine.state.role() == role);
            let any = |role| machines.iter().any(|machine| machine.state.role() == role);
            assert!(all(Role::Master) || !any(Role::Master), "half master");
            assert!(all(Role::Initialize) || !any(Role::Initialize), "half in FAULT");
            let condition = match (all(Role::Master), all(Role::Initialize)) {
                (true, _) => Condition::Master,
                (_, true) if machines.iter().any(|machine| machine.enabled) => Condition::Fault,
                (_, true) => Condition::Stopped,
                (false, false) => Condition::Backup,
            };
            assert_eq!(self.node.group_condition(group), Some(condition));
            assert_eq!(self.conditions[group.index()], condition, "a change is told");
        }
    }

    /// The sum in plain numbers.
    fn expected(&self, id: RouterId) -> Priority {
        let base = self.node.base_priority(id).unwrap();
        let counts = id.index() >= 2;
        let points = |(follower, tracker, influence): &(RouterId, TrackerId, Influence)| {
            let Contribution { points, .. } = influence.of(self.node.status(*tracker));
            if *follower == id && counts { i32::from(points) } else { 0 }
        };
        let sum = i32::from(base.get()) + self.follows.iter().map(points).sum::<i32>();
        let priority = if base.is_owner() { 255 } else { sum.clamp(1, 254) };
        Priority::new(u8::try_from(priority).unwrap()).unwrap()
    }

    /// What is left when nothing happens any more.
    fn settled(&mut self) -> Vec<(Role, u8, Vec<Unmet>)> {
        while let Some(deadline) = self.node.next_deadline().filter(|deadline| *deadline < ms(30_000)) {
            self.sleep(deadline.saturating_sub(self.now));
        }
        let state = |id: &RouterId| {
            let machine = self.node.router(*id).unwrap().machine();
            (machine.state.role(), machine.params.priority.get(), self.node.unmet(*id).collect())
        };
        self.ids.iter().map(state).collect()
    }
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![
        1 => Just(Status::Unknown),
        4 => Just(Status::Up),
        2 => Just(Status::Down),
        1 => (-300..300i32).prop_map(Status::Value),
    ]
}

/// Levels alone: each a fact about something, whenever it is told.
fn level() -> impl Strategy<Value = Op> {
    let link = prop_oneof![1 => Just(Link::Down), 1 => Just(Link::NoAddress), 4 => Just(Link::Up(OWN))];
    let mostly = |value: bool| prop_oneof![4 => Just(value), 1 => Just(!value)];
    prop_oneof![
        2 => (prop::option::of(any::<Index>()), mostly(true)).prop_map(|(which, on)| Op::Enabled(which, on)),
        3 => (any::<bool>(), link).prop_map(|(first, link)| Op::Link(first, link)),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(id, priority)| Op::Params(id, priority)),
        3 => (any::<Index>(), status()).prop_map(|(tracker, status)| Op::Tracked(tracker, status)),
        1 => (any::<u8>(), any::<Index>(), mostly(false)).prop_map(|(kind, which, on)| Op::Maintenance(kind, which, on)),
        1 => (any::<Index>(), mostly(false)).prop_map(|(id, present)| Op::Fault(id, present)),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => level(),
        1 => (prop::option::of(any::<Index>()), 0..5000u64).prop_map(|(which, span)| Op::Delay(which, span)),
        3 => (any::<Index>(), prop_oneof![Just(0u8), Just(100), any::<u8>()]).prop_map(|(id, p)| Op::Advert(id, p)),
        6 => prop_oneof![0..200u64, 1000..5000u64].prop_map(Op::Sleep),
    ]
}

/// The last word on each fact, which is all that may count in the end.
fn fact(op: &Op, world: &World) -> (u8, usize) {
    match op {
        Op::Enabled(which, _) => (0, which.map_or(usize::MAX, |id| id.index(world.ids.len()))),
        Op::Link(first, _) => (1, usize::from(*first)),
        Op::Params(id, _) => (2, id.index(world.ids.len())),
        Op::Tracked(tracker, _) => (3, tracker.index(world.trackers.len())),
        Op::Maintenance(kind, which, _) => match kind % 3 {
            0 => (4, 0),
            1 => (5, which.index(world.groups.len())),
            _ => (6, which.index(world.ids.len())),
        },
        Op::Fault(id, _) => (7, id.index(world.ids.len())),
        Op::Delay(..) | Op::Advert(..) | Op::Sleep(_) => (8, 0),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_group_is_never_half_master_and_every_priority_is_the_bounded_sum(
        ops in prop::collection::vec(op(), 1..120),
    ) {
        let mut world = World::new();
        world.input(Input::Enabled { which: Which::All, enabled: true });
        for interface in [ETH0, ETH1] {
            world.input(Input::Link { interface, family: Family::V4, link: Link::Up(OWN) });
        }
        for tracker in world.trackers.clone() {
            world.input(Input::Tracked { tracker, status: Status::Up });
        }
        prop_assert_eq!(world.settled().iter().filter(|(role, ..)| *role == Role::Master).count(), 5);
        for op in ops {
            world.apply(&op);
        }
    }

    /// Levels of different things may be told in any order: what comes of it after a while is the same.
    #[test]
    fn every_order_of_the_same_inputs_converges(
        (ops, shuffled) in prop::collection::vec(level(), 1..25).prop_flat_map(|ops| {
            let mut seen = Vec::new();
            let world = World::new();
            // Maintenance and starts of overlapping sets of routers are one fact about each of them: told in order.
            let of_sets = |op: &Op| matches!(fact(op, &world).0, 0 | 4..=6);
            let (sets, mut one): (Vec<Op>, Vec<Op>) = ops.into_iter().partition(of_sets);
            one.retain(|op| {
                let fact = fact(op, &world);
                let new = !seen.contains(&fact);
                seen.push(fact);
                new
            });
            (Just((sets, one.clone())), Just(one).prop_shuffle())
        }),
        sets_first: bool,
    ) {
        let (sets, one) = ops;
        let (mut first, mut second) = (World::new(), World::new());
        for op in sets.iter().chain(&one) {
            first.apply(op);
        }
        let (before, after) = if sets_first { (&sets, &shuffled) } else { (&shuffled, &sets) };
        for op in before.iter().chain(after) {
            second.apply(op);
        }
        prop_assert_eq!(first.settled(), second.settled());
    }
}
