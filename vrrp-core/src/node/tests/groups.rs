//! Sync groups in a node: two networks, a router in each.

use super::*;
use crate::fsm::{Heard, Hold, Wait};
use crate::release::Handover;
use crate::track::{Influence, Status, Weight};

/// A node on two networks, and what it said last.
struct Duo {
    node: Node<Duration>,
    ids: [RouterId; 2],
    group: GroupId,
}

impl Duo {
    fn stopped(priorities: [u8; 2]) -> Self {
        let mut node = Node::new(Groups::default());
        let add = |node: &mut Node<Duration>, interface, vrid, priority| {
            node.add(setup(interface, vrid, params(priority))).unwrap()
        };
        let ids = [add(&mut node, ETH0, 7, priorities[0]), add(&mut node, ETH1, 8, priorities[1])];
        let group = node.add_group(&ids, false).unwrap();
        let mut duo = Self { node, ids, group };
        for interface in [ETH0, ETH1] {
            let _ = duo.link(ms(0), interface, Link::Up(OWN));
        }
        duo
    }

    /// Started at the time 0.
    fn backup(priorities: [u8; 2]) -> Self {
        let mut duo = Self::stopped(priorities);
        let _ = duo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
        duo
    }

    fn master() -> (Self, Duration) {
        let mut duo = Self::backup([100, 100]);
        let at = duo.node.next_deadline().unwrap();
        let _ = duo.expire(at);
        assert_eq!(duo.roles(), [Role::Master; 2]);
        (duo, at)
    }

    fn handle(&mut self, at: Duration, input: Input<'_>) -> Vec<Output> {
        let mut out = Vec::new();
        self.node.handle(at, input, &mut out);
        out
    }

    fn link(&mut self, at: Duration, interface: InterfaceId, link: Link) -> Vec<Output> {
        self.handle(at, Input::Link { interface, family: Family::V4, link })
    }

    fn hear(&mut self, at: Duration, network: usize, priority: u8) -> Vec<Output> {
        let (interface, vrid) = [(ETH0, 7), (ETH1, 8)][network];
        self.handle(at, Input::Datagram { interface, octets: &advert(vrid, priority) })
    }

    fn expire(&mut self, now: Duration) -> Vec<Output> {
        let mut out = Vec::new();
        self.node.expire(now, &mut out);
        out
    }

    fn roles(&self) -> [Role; 2] {
        self.ids.map(|id| self.node.router(id).unwrap().machine().state.role())
    }

    fn condition(&self) -> Condition {
        self.node.group_condition(self.group).unwrap()
    }

    fn unmet(&self, member: usize) -> Vec<Unmet> {
        self.node.unmet(self.ids[member]).collect()
    }
}

/// The outputs' kinds, in order.
fn kinds(out: &[Output]) -> std::string::String {
    let kind = |output: &Output| match output {
        Output::Advertise { advertise: Advertise::Claim, .. } => 'c',
        Output::Advertise { advertise: Advertise::Release, .. } => 'r',
        Output::Addresses { wanted: Addresses::Install, .. } => 'i',
        Output::Addresses { wanted: Addresses::Remove, .. } => 'd',
        Output::HandOver { .. } => 'h',
        Output::Announce { .. } => 'a',
        Output::Conflict { .. } => 'k',
        Output::Transition { .. } => 't',
        Output::Priority { .. } => 'p',
        Output::Group { .. } => 'g',
        Output::Rejected { .. } => 'x',
        Output::Noticed { .. } => 'n',
        Output::Barred { .. } => 'b',
    };
    out.iter().map(kind).collect()
}

fn causes(out: &[Output]) -> Vec<Cause> {
    let cause = |output: &Output| {
        if let Output::Transition { transition, .. } = output { Some(transition.cause) } else { None }
    };
    out.iter().filter_map(cause).collect()
}

#[test]
fn members_start_together_each_for_its_own_reason() {
    let mut duo = Duo::stopped([100, 200]);
    assert_eq!(duo.condition(), Condition::Stopped);
    let out = duo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
    assert_eq!((kinds(&out).as_str(), causes(&out)), ("ddttg", std::vec![Cause::Startup; 2]));
    assert_eq!((duo.roles(), duo.condition()), ([Role::Backup; 2], Condition::Backup));
}

#[test]
fn the_first_whose_turn_comes_waits_and_all_claim_before_any_address() {
    let mut duo = Duo::backup([100, 200]);
    let first = duo.node.next_deadline().unwrap();
    assert_eq!(duo.expire(first), [], "200 is the sooner, and waits");
    assert_eq!(duo.roles(), [Role::Backup; 2]);
    let second = duo.node.next_deadline().unwrap();
    assert!(second > first);
    let out = duo.expire(second);
    assert_eq!(kinds(&out), "cciittg");
    assert_eq!(causes(&out), [Cause::Due { wait: Wait::Group, heard: Heard::Master }; 2]);
    assert_eq!((duo.roles(), duo.condition()), ([Role::Master; 2], Condition::Master));
}

#[test]
fn held_up_for_so_long_all_step_back_without_a_word() {
    let (mut duo, at) = Duo::master();
    let out = duo.expire(at + ms(60_000));
    assert_eq!((kinds(&out).as_str(), causes(&out)), ("ddttg", std::vec![Cause::Overdue; 2]));
    assert_eq!(duo.roles(), [Role::Backup; 2]);
    let (mut duo, at) = Duo::master();
    let out = duo.handle(at + ms(60_000), Input::Maintenance { which: Which::All, on: true });
    assert_eq!((kinds(&out).as_str(), causes(&out)), ("ddttg", std::vec![Cause::Overdue; 2]));
}

#[test]
fn a_master_that_is_heard_on_one_network_keeps_both_waiting() {
    let mut duo = Duo::backup([100, 100]);
    for second in 1..20 {
        let _ = duo.hear(ms(1000 * second), 0, 200);
        let out = duo.expire(ms(1000 * second));
        assert_eq!(out, []);
    }
    assert_eq!(duo.roles(), [Role::Backup; 2]);
    // It falls silent: the other's turn came long ago.
    let at = duo.node.next_deadline().unwrap();
    assert_eq!(kinds(&duo.expire(at)), "cciittg");
}

#[test]
fn one_that_yields_takes_the_other_along_with_a_release() {
    let (mut duo, at) = Duo::master();
    let out = duo.hear(at + ms(100), 0, 200);
    assert_eq!(kinds(&out), "crddttg", "the loser's last claim, the other's release");
    assert_eq!(causes(&out)[1], Cause::GroupYields);
    assert!(Cause::GroupYields.is_planned());
    assert_eq!((duo.roles(), duo.condition()), ([Role::Backup; 2], Condition::Backup));
}

#[test]
fn one_that_fails_keeps_the_other_in_fault_which_says_why() {
    let (mut duo, at) = Duo::master();
    let out = duo.link(at + ms(100), ETH0, Link::Down);
    assert_eq!(kinds(&out), "rddttg", "nothing goes out where there is no link");
    assert_eq!(causes(&out), [Cause::InterfaceDown, Cause::GroupFault]);
    assert!(!Cause::GroupFault.is_planned());
    assert_eq!((duo.roles(), duo.condition()), ([Role::Initialize; 2], Condition::Fault));
    assert_eq!(duo.unmet(0), [Unmet::LinkDown]);
    assert_eq!(duo.unmet(1), [Unmet::Member(duo.ids[0])]);
    assert_eq!(duo.node.next_deadline(), None);
    let out = duo.link(at + ms(200), ETH0, Link::Up(OWN));
    assert_eq!((kinds(&out).as_str(), duo.roles()), ("ddttg", [Role::Backup; 2]));
    assert_eq!(causes(&out), [Cause::GroupRecovered, Cause::InterfaceUp]);
}

#[test]
fn members_stop_together_all_releases_first() {
    let (mut duo, at) = Duo::master();
    let out = duo.handle(at, Input::Enabled { which: Which::All, enabled: false });
    assert_eq!(kinds(&out), "rrddttg");
    assert_eq!((causes(&out), duo.condition()), (std::vec![Cause::Shutdown; 2], Condition::Stopped));
    let (mut duo, at) = Duo::master();
    let out = duo.handle(at, Input::Enabled { which: Which::One(duo.ids[0]), enabled: false });
    assert_eq!((duo.roles(), duo.condition()), ([Role::Initialize; 2], Condition::Fault));
    assert_eq!(causes(&out), [Cause::Shutdown, Cause::GroupStopped]);
    assert_eq!(duo.unmet(1), [Unmet::Member(duo.ids[0])]);
    let out = duo.handle(at, Input::Enabled { which: Which::One(duo.ids[0]), enabled: true });
    assert_eq!((kinds(&out).as_str(), causes(&out)), ("ddttg", std::vec![Cause::GroupRecovered, Cause::Startup]));
}

#[test]
fn a_group_of_owners_starts_as_master_and_one_owner_alone_waits() {
    let mut duo = Duo::stopped([255, 255]);
    let out = duo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
    assert_eq!((kinds(&out).as_str(), causes(&out)), ("cciittg", std::vec![Cause::Startup; 2]));
    assert_eq!((duo.roles(), duo.condition()), ([Role::Master; 2], Condition::Master));
    let mut duo = Duo::stopped([255, 255]);
    let _ = duo.handle(ms(0), Input::Maintenance { which: Which::All, on: true });
    let out = duo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
    assert_eq!((kinds(&out).as_str(), duo.condition()), ("ddttg", Condition::Backup), "not in maintenance");
    let mut duo = Duo::backup([255, 100]);
    assert_eq!(duo.roles(), [Role::Backup; 2]);
    let at = duo.node.next_deadline().unwrap();
    let _ = duo.expire(at);
    assert_eq!(duo.roles(), [Role::Master; 2]);
}

#[test]
fn maintenance_of_one_or_of_the_group_is_everyones() {
    for which in [Which::One(RouterId(1)), Which::Group(GroupId(0)), Which::All] {
        let (mut duo, at) = Duo::master();
        let out = duo.handle(at, Input::Maintenance { which, on: true });
        assert_eq!(kinds(&out), "rrddttg", "{which:?}");
        assert!(causes(&out).iter().all(|cause| cause.is_planned()));
        let _ = duo.expire(at + ms(60_000));
        assert_eq!((duo.roles(), duo.condition()), ([Role::Backup; 2], Condition::Backup));
        assert!(duo.unmet(0).contains(&Unmet::Member(duo.ids[1])));
        let out = duo.handle(at + ms(60_000), Input::Maintenance { which, on: false });
        assert_eq!((kinds(&out).as_str(), duo.roles()), ("cciittg", [Role::Master; 2]));
        let over = Cause::Due { wait: Wait::Hold(Hold::Maintenance), heard: Heard::Master };
        let mate = Cause::Due { wait: Wait::Group, heard: Heard::Master };
        let expected = if which == Which::One(RouterId(1)) { [mate, over] } else { [over; 2] };
        assert_eq!(causes(&out), expected, "each for its own reason: {which:?}");
    }
}

#[test]
fn weights_count_in_a_group_only_where_it_says_so() {
    for (weights, expected) in [(false, 100), (true, 80)] {
        let mut node: Node<Duration> = Node::new(Groups::default());
        let ids = [ETH0, ETH1].map(|interface| node.add(setup(interface, 7, params(100))).unwrap());
        let tracker = node.add_tracker(Status::Down);
        let minus = Influence { weight: Weight::new(-20).unwrap(), reverse: false };
        node.follow(Follower::Router(ids[0]), tracker, minus);
        let group = node.add_group(&ids, weights).unwrap();
        node.follow(Follower::Group(group), tracker, minus);
        let priority = |id| node.router(id).unwrap().machine().params.priority.get();
        assert_eq!(priority(ids[1]), expected);
        assert_eq!(priority(ids[0]), if weights { 60 } else { 100 });
        assert_eq!(node.group_of(ids[1]), Some(group));
    }
}

#[test]
fn what_the_group_cannot_do_without_keeps_all_in_fault() {
    let mut duo = Duo::stopped([100, 100]);
    let tracker = duo.node.add_tracker(Status::Up);
    duo.node.follow(Follower::Group(duo.group), tracker, Influence::default());
    let _ = duo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
    let at = duo.node.next_deadline().unwrap();
    let _ = duo.expire(at);
    let out = duo.handle(at, Input::Tracked { tracker, status: Status::Down });
    assert_eq!((kinds(&out).as_str(), causes(&out)), ("rrddttg", std::vec![Cause::Fault; 2]));
    assert_eq!(duo.unmet(0), [Unmet::Tracker(tracker), Unmet::Member(duo.ids[1])]);
    let out = duo.handle(at, Input::Tracked { tracker, status: Status::Up });
    assert_eq!((kinds(&out).as_str(), duo.roles()), ("ddttg", [Role::Backup; 2]));
}

#[test]
fn who_makes_no_group() {
    let mut duo = Duo::stopped([100, 100]);
    assert_eq!(duo.node.add_group(&[], false), Err(GroupError::Empty));
    assert_eq!(duo.node.add_group(&[RouterId(9)], false), Err(GroupError::Unknown(RouterId(9))));
    assert_eq!(duo.node.add_group(&duo.ids, false), Err(GroupError::Taken(duo.ids[0])));
    let third = duo.node.add(setup(ETH0, 9, params(100))).unwrap();
    assert_eq!(duo.node.add_group(&[third, third], false), Err(GroupError::Taken(third)));
    let _ = duo.handle(ms(0), Input::Enabled { which: Which::One(third), enabled: true });
    assert_eq!(duo.node.add_group(&[third], false), Err(GroupError::Enabled(third)));
    assert_eq!(duo.node.groups().map(GroupId::index).collect::<Vec<_>>(), [0]);
    assert_eq!(duo.node.members(duo.group), duo.ids);
    for error in [GroupError::Empty, GroupError::Unknown(third), GroupError::Taken(third), GroupError::Enabled(third)] {
        assert!(!std::format!("{error}").is_empty());
    }
}

/// Masters that serve, and that would hand over.
fn serving() -> (Duo, Duration) {
    let mut duo = Duo::stopped([100, 100]);
    for router in duo.ids {
        let _ = duo.handle(ms(0), Input::Handover { router, handover: Handover::Announced });
    }
    let _ = duo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
    let at = duo.node.next_deadline().unwrap();
    for output in duo.expire(at) {
        if let Output::Addresses { router, epoch, .. } = output {
            let _ = duo.handle(at, Input::Installed { router, epoch });
        }
    }
    (duo, at)
}

#[test]
fn what_is_planned_is_handed_over_by_every_member_and_a_fault_ends_that() {
    for input in [
        Input::Enabled { which: Which::All, enabled: false },
        Input::Enabled { which: Which::One(RouterId(0)), enabled: false },
        Input::Maintenance { which: Which::All, on: true },
        Input::Maintenance { which: Which::One(RouterId(0)), on: true },
    ] {
        let (mut duo, at) = serving();
        let out = duo.handle(at, input);
        assert_eq!(kinds(&out), "rrttg", "{input:?}");
        assert!(duo.ids.iter().all(|id| duo.node.is_releasing(*id)), "{input:?}");
    }
    let (mut duo, at) = serving();
    let _ = duo.hear(at + ms(100), 0, 200);
    assert_eq!(duo.ids.map(|id| duo.node.is_releasing(id)), [false, true], "the stronger one serves already");
    let (mut duo, at) = serving();
    let _ = duo.handle(at, Input::Maintenance { which: Which::All, on: true });
    let out = duo.link(at + ms(10), ETH0, Link::Down);
    assert_eq!((kinds(&out).as_str(), duo.node.releasing()), ("ddttg", false));
}

/// One member is stopped alone: its mate hands over as it does, until its own group fails.
#[test]
fn the_mate_of_a_member_that_is_stopped_serves_until_its_successor_does() {
    let stop = |duo: &mut Duo, at, member: usize| {
        duo.handle(at, Input::Enabled { which: Which::One(duo.ids[member]), enabled: false })
    };
    let announced =
        |duo: &mut Duo, at, member: usize| duo.handle(at, claimed(duo.ids[member], VIP, [2, 0, 0, 0, 0, 6]));
    let releasing = |duo: &Duo| duo.ids.map(|id| duo.node.is_releasing(id));
    let (mut duo, at) = serving();
    assert_eq!(kinds(&stop(&mut duo, at, 0)), "rrttg");
    assert_eq!(kinds(&announced(&mut duo, at + ms(600), 1)), "hd");
    assert_eq!(releasing(&duo), [true, false]);
    assert_eq!(kinds(&announced(&mut duo, at + ms(610), 0)), "hd");
    assert_eq!(duo.node.next_deadline(), None);

    // Stopped itself meanwhile, it goes on as it was.
    let (mut duo, at) = serving();
    let _ = stop(&mut duo, at, 0);
    assert_eq!(kinds(&stop(&mut duo, at + ms(10), 1)), "g");
    assert_eq!((releasing(&duo), duo.condition()), ([true; 2], Condition::Stopped));

    // What it needs fails: nothing is held on to.
    let (mut duo, at) = serving();
    let _ = stop(&mut duo, at, 0);
    assert_eq!(kinds(&duo.link(at + ms(10), ETH1, Link::Down)), "d");
    assert_eq!((releasing(&duo), duo.unmet(0)), ([true, false], std::vec![Unmet::Stopped, Unmet::Member(duo.ids[1])]));
}
