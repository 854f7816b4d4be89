//! The delay after the start: heard and not led meanwhile.

use super::*;
use crate::fsm::{Heard, Hold, Wait};
use crate::track::{Influence, Status};

/// Master_Down_Interval of priority 100.
const DOWN: Duration = Duration::from_micros(3_609_375);
const OVER: Wait = Wait::Hold(Hold::StartupDelay);

/// A Backup since the time 0 that must not lead before this.
fn delayed(params: Params, until: Duration) -> Solo {
    let mut node = Node::new(Groups::default());
    let id = node.add(setup(ETH0, 7, params)).unwrap();
    let mut solo = Solo { node, id };
    let _ = solo.delay(ms(0), until);
    let _ = solo.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) });
    let _ = solo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
    assert_eq!(solo.role(), Role::Backup);
    solo
}

impl Solo {
    fn delay(&mut self, at: Duration, delay: Duration) -> Vec<Output> {
        self.handle(at, Input::StartupDelay { which: Which::All, delay })
    }

    /// Lets every deadline before `end` fire, and says when it became Master and why.
    fn led(&mut self, end: Duration) -> Option<(Duration, Cause)> {
        while let Some(at) = self.node.next_deadline().filter(|at| *at < end) {
            if let Some(why) = cause(&self.expire(at)).filter(|_| self.role() == Role::Master) {
                return Some((at, why));
            }
        }
        None
    }

    fn unmet(&self) -> Vec<Unmet> {
        self.node.unmet(self.id).collect()
    }
}

#[test]
fn who_hears_nobody_waits_for_a_master_from_the_end_on() {
    let mut solo = delayed(params(100), ms(10_000));
    assert_eq!(solo.unmet(), [Unmet::StartupDelay]);
    assert_eq!(solo.node.delayed_until(solo.id), Some(ms(10_000)));
    assert_eq!(solo.node.next_deadline(), Some(ms(10_000)));
    assert_eq!(solo.expire(ms(9_999)), []);
    assert_eq!(solo.expire(ms(10_000)), []);
    assert_eq!((solo.unmet(), solo.node.delayed_until(solo.id)), (std::vec![], None));
    assert_eq!(solo.led(ms(60_000)), Some((ms(10_000) + DOWN, Cause::MasterTimeout)));
}

#[test]
fn a_router_that_must_not_preempt_listens_for_as_long_as_it_would_or_longer() {
    let polite = Params { preempt: false, ..params(100) };
    let mut solo = delayed(polite, ms(1000));
    assert_eq!(solo.led(ms(60_000)), Some((3 * DOWN, Cause::MasterTimeout)));
    let mut solo = delayed(polite, ms(30_000));
    assert_eq!(solo.led(ms(60_000)), Some((ms(30_000) + DOWN, Cause::MasterTimeout)));
}

/// Whoever it heard meanwhile need not be waited for again: at the end it knows whether there is a Master.
#[test]
fn what_is_heard_meanwhile_counts() {
    let heard = |priority: u8, until: u64| {
        let mut solo = delayed(params(100), ms(10_000));
        for second in 1..until {
            let _ = solo.hear(ms(1000 * second), &advert(7, priority));
            let _ = solo.expire(ms(1000 * second));
        }
        solo.led(ms(60_000))
    };
    let due = |heard| Some((ms(10_000), Cause::Due { wait: OVER, heard }));
    assert_eq!(heard(200, 4), due(Heard::Master), "it fell silent at 3 s, and its time was over at 6.6 s");
    assert_eq!(heard(200, 10), Some((ms(9000) + DOWN, Cause::MasterTimeout)));
    let text = std::format!("{}", Cause::Due { wait: OVER, heard: Heard::Master });
    assert_eq!(text, "the startup delay is over, no advertisement from a master");
}

#[test]
fn a_weaker_master_is_replaced_at_the_end() {
    let mut solo = delayed(params(100), ms(10_000));
    for second in 1..10 {
        let _ = solo.hear(ms(1000 * second), &advert(7, 50));
        assert_eq!(solo.expire(ms(1000 * second)), []);
    }
    let out = solo.expire(ms(10_000));
    assert_eq!((solo.role(), claims(&out)), (Role::Master, 1));
    assert_eq!(cause(&out), Some(Cause::Due { wait: OVER, heard: Heard::Weaker }));
}

#[test]
fn the_owner_waits_too_and_for_nothing_else() {
    let mut solo = delayed(params(255), ms(10_000));
    assert_eq!(solo.led(ms(60_000)).unwrap().0, ms(10_000));
    // An owner from now on, by its configuration.
    let mut solo = delayed(params(100), ms(10_000));
    let _ = solo.handle(ms(5000), Input::Params { router: solo.id, params: params(255) });
    assert_eq!(solo.led(ms(60_000)).unwrap().0, ms(10_000));
}

#[test]
fn a_link_or_a_fault_that_ends_within_it_changes_nothing_and_later_it_is_forgotten() {
    let link = |link| Input::Link { interface: ETH0, family: Family::V4, link };
    for up in [2000, 9999] {
        let mut solo = delayed(params(100), ms(10_000));
        let _ = solo.handle(ms(1000), link(Link::Down));
        let _ = solo.handle(ms(up), link(Link::Up(OWN)));
        assert_eq!(solo.led(ms(60_000)), Some((ms(10_000) + DOWN, Cause::MasterTimeout)));
    }
    let mut solo = delayed(params(100), ms(10_000));
    let tracker = solo.node.add_tracker(Status::Up);
    solo.node.follow(Follower::Router(solo.id), tracker, Influence::default());
    let _ = solo.handle(ms(1000), Input::Tracked { tracker, status: Status::Down });
    assert_eq!(solo.unmet(), [Unmet::Tracker(tracker), Unmet::StartupDelay]);
    let _ = solo.handle(ms(5000), Input::Tracked { tracker, status: Status::Up });
    assert_eq!(solo.led(ms(60_000)), Some((ms(10_000) + DOWN, Cause::MasterTimeout)));

    let mut solo = delayed(params(100), ms(10_000));
    let _ = solo.handle(ms(1000), link(Link::Down));
    let _ = solo.expire(ms(10_000));
    let _ = solo.handle(ms(20_000), link(Link::Up(OWN)));
    assert_eq!(solo.led(ms(60_000)), Some((ms(20_000) + DOWN, Cause::MasterTimeout)));
}

#[test]
fn maintenance_and_the_delay_both_have_to_end() {
    for (maintenance_ends, led, wait) in [(5000, 10_000, OVER), (15_000, 15_000, Wait::Hold(Hold::Maintenance))] {
        let mut solo = delayed(params(255), ms(10_000));
        let _ = solo.handle(ms(1000), Input::Maintenance { which: Which::All, on: true });
        assert_eq!(solo.unmet(), [Unmet::Maintenance]);
        assert_eq!(solo.led(ms(maintenance_ends)), None);
        let out = solo.handle(ms(maintenance_ends), Input::Maintenance { which: Which::All, on: false });
        let led_now = cause(&out).map(|cause| (ms(maintenance_ends), cause));
        let expected = Some((ms(led), Cause::Due { wait, heard: Heard::Master }));
        assert_eq!(led_now.or_else(|| solo.led(ms(60_000))), expected);
    }
}

#[test]
fn routers_that_run_are_left_alone_and_a_stop_ends_nothing() {
    let mut solo = Solo::backup(100);
    assert_eq!(solo.delay(ms(100), ms(10_000)), []);
    assert_eq!((solo.unmet(), solo.node.delayed_until(solo.id)), (std::vec![], None));
    assert_eq!(solo.led(ms(60_000)), Some((DOWN, Cause::MasterTimeout)));

    let mut solo = delayed(params(100), ms(10_000));
    for enabled in [false, true] {
        let _ = solo.handle(ms(1000), Input::Enabled { which: Which::All, enabled });
    }
    assert_eq!(solo.led(ms(60_000)), Some((ms(10_000) + DOWN, Cause::MasterTimeout)));
}

/// Held up beyond the end and the whole wait: what arrived before is heard, and nothing is claimed for having been late.
#[test]
fn a_process_that_is_held_up_beyond_the_end_decides_once() {
    let mut solo = delayed(params(100), ms(10_000));
    let out = solo.expire(ms(30_000));
    assert_eq!((solo.role(), claims(&out), cause(&out)), (Role::Master, 1, Some(Cause::MasterTimeout)));
    let mut solo = delayed(params(100), ms(10_000));
    let _ = solo.hear(ms(1000), &advert(7, 50));
    let out = solo.expire(ms(30_000));
    assert_eq!((solo.role(), claims(&out)), (Role::Master, 1));
}

/// All members in one step: no claim of one before the others may.
#[test]
fn a_group_leads_as_one_and_each_for_that_reason() {
    let mut node: Node<Duration> = Node::new(Groups::default());
    let ids = [(ETH0, 7, 255), (ETH1, 8, 255)].map(|(on, vrid, p)| node.add(setup(on, vrid, params(p))).unwrap());
    let lone = node.add(setup(ETH0, 9, params(255))).unwrap();
    let group = node.add_group(&ids, false).unwrap();
    let mut out = Vec::new();
    node.handle(ms(0), Input::StartupDelay { which: Which::Group(group), delay: ms(1000) }, &mut out);
    node.handle(ms(0), Input::StartupDelay { which: Which::One(lone), delay: ms(2000) }, &mut out);
    for interface in [ETH0, ETH1] {
        node.handle(ms(0), Input::Link { interface, family: Family::V4, link: Link::Up(OWN) }, &mut out);
    }
    node.handle(ms(0), Input::Enabled { which: Which::All, enabled: true }, &mut out);
    assert_eq!(node.group_condition(group), Some(Condition::Backup));
    out.clear();
    assert_eq!(node.next_deadline(), Some(ms(1000)));
    node.expire(ms(1000), &mut out);
    let why = Cause::Due { wait: OVER, heard: Heard::Master };
    let leads = |output: &&Output| matches!(output, Output::Transition { transition, .. } if transition.cause == why);
    assert_eq!((claims(&out), out.iter().filter(leads).count()), (2, 2));
    assert!(matches!(out[..2], [Output::Advertise { .. }, Output::Advertise { .. }]), "{out:?}");
    assert_eq!(node.group_condition(group), Some(Condition::Master));
    let role = |node: &Node<Duration>| node.router(lone).unwrap().machine().state.role();
    assert_eq!(role(&node), Role::Backup);
    node.expire(ms(2000), &mut out);
    assert_eq!(role(&node), Role::Master);
}
