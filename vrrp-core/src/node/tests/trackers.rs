//! What routers depend on: priorities and faults of a node alone.

use super::*;
use crate::track::{Influence, Status, Weight};

fn weight(weight: i16) -> Influence {
    Influence { weight: Weight::new(weight).unwrap(), reverse: false }
}

fn tracked(solo: &mut Solo, tracker: TrackerId, status: Status) -> Vec<Output> {
    solo.handle(ms(10), Input::Tracked { tracker, status })
}

/// A running Backup that follows one tracker.
fn following(priority: u8, influence: Influence, status: Status) -> (Solo, TrackerId) {
    let mut solo = Solo::stopped(priority);
    let tracker = solo.node.add_tracker(status);
    solo.node.follow(Follower::Router(solo.id), tracker, influence);
    let _ = solo.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) });
    let _ = solo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
    (solo, tracker)
}

fn unmet(solo: &Solo) -> Vec<Unmet> {
    solo.node.unmet(solo.id).collect()
}

fn effective(solo: &Solo) -> u8 {
    solo.node.router(solo.id).unwrap().machine().params.priority.get()
}

#[test]
fn trackers_and_groups_are_numbered_in_the_order_in_which_they_were_added() {
    let mut node: Node<Duration> = Node::new(Groups::default());
    let trackers: Vec<_> = (0..3).map(|_| node.add_tracker(Status::Up).index()).collect();
    let groups: Vec<_> = (1..=3)
        .map(|vrid| {
            let router = node.add(setup(ETH0, vrid, params(100))).unwrap();
            node.add_group(&[router], false).unwrap().index()
        })
        .collect();
    assert_eq!((trackers, groups), (std::vec![0, 1, 2], std::vec![0, 1, 2]));
}

#[test]
fn a_weight_moves_the_priority_and_says_so() {
    let (mut solo, tracker) = following(100, weight(-5), Status::Up);
    let priority = |priority| Output::Priority { router: RouterId(0), priority: Priority::new(priority).unwrap() };
    assert_eq!(effective(&solo), 100);
    assert_eq!(tracked(&mut solo, tracker, Status::Down), [priority(95)]);
    assert_eq!(tracked(&mut solo, tracker, Status::Down), [], "a level");
    assert_eq!(effective(&solo), 95);
    assert_eq!(solo.node.base_priority(solo.id), Priority::new(100));
    assert_eq!(solo.node.status(tracker), Status::Down);
    // 3 s and 161/256 s: the timer was amended.
    assert_eq!(solo.node.next_deadline(), Some(ms(3000) + 161 * Duration::from_nanos(3_906_250)));
    assert_eq!(tracked(&mut solo, tracker, Status::Up), [priority(100)]);
    assert_eq!(unmet(&solo), []);
}

#[test]
fn a_new_base_keeps_what_is_tracked() {
    let (mut solo, tracker) = following(100, weight(30), Status::Up);
    assert_eq!(effective(&solo), 130);
    let _ = solo.handle(ms(10), Input::Params { router: solo.id, params: params(50) });
    assert_eq!((effective(&solo), solo.node.base_priority(solo.id)), (80, Priority::new(50)));
    let _ = tracked(&mut solo, tracker, Status::Down);
    assert_eq!(effective(&solo), 50);
    let _ = solo.handle(ms(10), Input::Params { router: solo.id, params: params(255) });
    let _ = tracked(&mut solo, tracker, Status::Up);
    assert_eq!(effective(&solo), 255, "the owner's never changes");
}

#[test]
fn without_a_weight_a_failure_is_a_fault_that_is_named() {
    let (mut solo, tracker) = following(100, Influence::default(), Status::Up);
    let at = solo.node.next_deadline().unwrap();
    let _ = solo.expire(at);
    assert_eq!(solo.role(), Role::Master);
    let out = solo.handle(at, Input::Tracked { tracker, status: Status::Down });
    let release = Output::Advertise { router: solo.id, advertise: Advertise::Release };
    assert_eq!((out[0], wanted(&out), cause(&out)), (release, Some(Addresses::Remove), Some(Cause::Fault)));
    assert!(!Cause::Fault.is_planned());
    assert_eq!(unmet(&solo), [Unmet::Tracker(tracker)]);
    let out = solo.handle(at, Input::Tracked { tracker, status: Status::Up });
    assert_eq!((cause(&out), solo.role()), (Some(Cause::Recovered), Role::Backup));
}

#[test]
fn what_is_unknown_yet_keeps_a_router_waiting_only_where_it_cannot_do_without() {
    let (mut solo, tracker) = following(100, Influence::default(), Status::Unknown);
    assert_eq!((solo.role(), solo.node.next_deadline()), (Role::Initialize, None));
    assert_eq!(Condition::of(solo.node.router(solo.id).unwrap()), Condition::Fault);
    assert_eq!(unmet(&solo), [Unmet::Undetermined(tracker)]);
    let _ = tracked(&mut solo, tracker, Status::Up);
    assert_eq!(solo.role(), Role::Backup);
    let (solo, _) = following(100, weight(10), Status::Unknown);
    assert_eq!((solo.role(), effective(&solo)), (Role::Backup, 100));
}

#[test]
fn a_value_counts_many_times_and_may_be_a_fault() {
    let (mut solo, tracker) = following(100, weight(-10), Status::Value(0));
    let _ = tracked(&mut solo, tracker, Status::Value(3));
    assert_eq!((effective(&solo), solo.role()), (70, Role::Backup));
    let _ = tracked(&mut solo, tracker, Status::Value(26));
    assert_eq!((effective(&solo), solo.role()), (1, Role::Initialize));
    assert_eq!(unmet(&solo), [Unmet::Tracker(tracker)]);
    let _ = tracked(&mut solo, tracker, Status::Value(i32::MIN));
    assert_eq!((effective(&solo), solo.role()), (254, Role::Backup));
}

#[test]
fn every_reason_is_told_and_all_of_them_must_go() {
    let (mut solo, tracker) = following(100, Influence::default(), Status::Down);
    let router = solo.id;
    let _ = solo.handle(ms(0), Input::Fault { router, fault: Faults::INSTALL, present: true });
    let _ = solo.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::NoAddress });
    let _ = solo.handle(ms(0), Input::Maintenance { which: Which::All, on: true });
    let all = [Unmet::NoAddress, Unmet::Fault(Faults::INSTALL), Unmet::Tracker(tracker), Unmet::Maintenance];
    assert_eq!(unmet(&solo), all);
    let _ = solo.handle(ms(0), Input::Fault { router, fault: Faults::INSTALL, present: false });
    let _ = tracked(&mut solo, tracker, Status::Up);
    assert_eq!(solo.role(), Role::Initialize);
    let _ = solo.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) });
    assert_eq!((solo.role(), unmet(&solo)), (Role::Backup, std::vec![Unmet::Maintenance]));
    let _ = solo.handle(ms(0), Input::Enabled { which: Which::All, enabled: false });
    assert_eq!(unmet(&solo), [Unmet::Stopped, Unmet::Maintenance]);
    let _ = solo.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Down });
    assert_eq!(unmet(&solo), [Unmet::Stopped, Unmet::LinkDown, Unmet::Maintenance]);
}

#[test]
fn numbers_of_another_node_are_ignored() {
    let mut solo = Solo::backup(100);
    assert_eq!(solo.handle(ms(0), Input::Tracked { tracker: TrackerId(3), status: Status::Down }), []);
    assert_eq!(solo.handle(ms(0), Input::Maintenance { which: Which::Group(GroupId(3)), on: true }), []);
    assert_eq!(solo.handle(ms(0), Input::Maintenance { which: Which::One(RouterId(3)), on: true }), []);
    assert_eq!(solo.handle(ms(0), Input::Params { router: RouterId(3), params: params(1) }), []);
    solo.node.follow(Follower::Group(GroupId(3)), TrackerId(3), Influence::default());
    let tracker = solo.node.add_tracker(Status::Down);
    assert_eq!(tracker.index(), 0);
    solo.node.follow(Follower::Router(RouterId(3)), tracker, Influence::default());
    assert_eq!(solo.handle(ms(0), Input::Tracked { tracker, status: Status::Down }), []);
    assert_eq!(solo.node.status(TrackerId(3)), Status::Unknown);
    assert_eq!(solo.node.unmet(RouterId(3)).count(), 0);
    assert_eq!((solo.node.base_priority(RouterId(3)), solo.node.group_condition(GroupId(3))), (None, None));
}

#[test]
fn what_a_running_router_follows_anew_counts_with_the_next_news() {
    let mut solo = Solo::backup(100);
    let tracker = solo.node.add_tracker(Status::Down);
    solo.node.follow(Follower::Router(solo.id), tracker, Influence::default());
    assert_eq!(solo.role(), Role::Backup);
    let _ = tracked(&mut solo, tracker, Status::Down);
    assert_eq!(solo.role(), Role::Initialize);
}
