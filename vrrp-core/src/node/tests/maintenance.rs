//! Maintenance of routers without a group.

use super::*;
use crate::fsm::{Heard, Hold, Wait};

fn maintenance(on: bool) -> Input<'static> {
    Input::Maintenance { which: Which::All, on }
}

#[test]
fn a_master_releases_and_stays_backup_until_told() {
    let (mut solo, start, _) = Solo::master(100);
    let out = solo.handle(start + ms(10), maintenance(true));
    let release = Output::Advertise { router: solo.id, advertise: Advertise::Release };
    assert!(
        matches!(out[..], [first, Output::Addresses { .. }, Output::Transition { .. }] if first == release),
        "{out:?}"
    );
    assert_eq!((wanted(&out), cause(&out)), (Some(Addresses::Remove), Some(Cause::Maintenance)));
    assert!(Cause::Maintenance.is_planned(), "no fault: a successor may take over first");
    assert_eq!(solo.handle(start + ms(20), maintenance(true)), [], "a level");
    assert_eq!(solo.expire(start + ms(60_000)), []);
    assert_eq!((solo.role(), solo.node.next_deadline()), (Role::Backup, None));
    assert_eq!(Condition::of(solo.node.router(solo.id).unwrap()), Condition::Backup);
    assert_eq!(solo.node.unmet(solo.id).collect::<Vec<_>>(), [Unmet::Maintenance]);
    let out = solo.handle(start + ms(70_000), maintenance(false));
    let over = Cause::Due { wait: Wait::Hold(Hold::Maintenance), heard: Heard::Master };
    assert_eq!((solo.role(), cause(&out), claims(&out)), (Role::Master, Some(over), 1));
    assert_eq!(std::format!("{over}"), "maintenance is over, no advertisement from a master");
    assert_eq!((over.event(), over.new_master_reason().name()), ("vrrp-event-master-timeout", "no-response"));
}

#[test]
fn afterwards_a_stronger_master_is_left_alone_and_a_weaker_one_replaced() {
    let weaker = Cause::Due { wait: Wait::Hold(Hold::Maintenance), heard: Heard::Weaker };
    assert_eq!((weaker.event(), weaker.new_master_reason().name()), ("vrrp-event-lower-priority-master", "preempted"));
    for (theirs, role, why) in [(200, Role::Backup, None), (50, Role::Master, Some(weaker))] {
        let mut solo = Solo::backup(100);
        let _ = solo.handle(ms(0), maintenance(true));
        for second in 1..10 {
            let _ = solo.hear(ms(1000 * second), &advert(7, theirs));
            let _ = solo.expire(ms(1000 * second + 1));
            assert_eq!(solo.role(), Role::Backup);
        }
        let out = solo.handle(ms(9500), maintenance(false));
        assert_eq!((solo.role(), cause(&out)), (role, why), "{theirs}");
    }
}

#[test]
fn it_outlasts_stop_and_start_and_faults() {
    let mut solo = Solo::backup(255);
    let _ = solo.handle(ms(0), maintenance(true));
    assert_eq!(solo.role(), Role::Backup, "the owner, too");
    for enabled in [false, true] {
        let _ = solo.handle(ms(10), Input::Enabled { which: Which::All, enabled });
    }
    for link in [Link::Down, Link::Up(OWN)] {
        let _ = solo.handle(ms(20), Input::Link { interface: ETH0, family: Family::V4, link });
    }
    assert_eq!((solo.role(), solo.node.next_deadline()), (Role::Backup, None));
    let out = solo.handle(ms(30), maintenance(false));
    assert_eq!((solo.role(), claims(&out)), (Role::Master, 1), "the owner waits for nobody");
}

#[test]
fn what_a_predecessor_left_behind_goes() {
    let mut solo = Solo::stopped(100);
    let router = solo.id;
    let _ = solo.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) });
    let _ = solo.handle(ms(0), Input::Leftover { router });
    let _ = solo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
    let out = solo.handle(ms(0), maintenance(true));
    assert_eq!(wanted(&out), Some(Addresses::Remove));
}

#[test]
fn one_router_of_two() {
    let mut node: Node<Duration> = Node::new(Groups::default());
    let one = node.add(setup(ETH0, 7, params(255))).unwrap();
    let two = node.add(setup(ETH0, 8, params(255))).unwrap();
    let mut out = Vec::new();
    node.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) }, &mut out);
    node.handle(ms(0), Input::Enabled { which: Which::All, enabled: true }, &mut out);
    node.handle(ms(1), Input::Maintenance { which: Which::One(two), on: true }, &mut out);
    let role = |id| node.router(id).unwrap().machine().state.role();
    assert_eq!((role(one), role(two)), (Role::Master, Role::Backup));
}
