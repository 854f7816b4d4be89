//! That each invariant is seen when it is broken: the nodes do not break them, so the observer is shown what is not so.

use core::time::Duration;
use std::format;
use std::vec;

use super::super::{params, router};
use super::*;
use crate::announce::Program;
use crate::counters::Counter;
use crate::fsm::{Advertise, Params, Role};
use crate::node::{Input, Which};
use crate::release::Handover;
use crate::sim::Chance;
use crate::sim::scenario::Scenario;
use crate::track::{Influence, Status};
use crate::types::{AdvertInterval, Vrid};

fn at(seconds: u64) -> Time {
    Time::START + Duration::from_secs(seconds)
}

/// Hosts that started at 0, with these priorities.
fn lan(priorities: &[u8]) -> Lan {
    lan_of(priorities, true)
}

fn lan_of(priorities: &[u8], preempt: bool) -> Lan {
    let mut lan = Lan::new(1);
    for (number, priority) in (1..).zip(priorities) {
        let params = params(*priority, AdvertInterval::from_secs(1).unwrap()).unwrap();
        let params = Params { preempt, ..params };
        let router = router(Vrid::new(50).unwrap(), params, &[[10, 0, 0, 100].into()]).unwrap();
        let host = lan.add(HostSetup::new(&format!("r{number}"), number, vec![router])).unwrap();
        lan.at(Time::START, Action::Start(host));
    }
    lan
}

/// Two hosts, each with a group of two routers, and troubles at random: none is ever half Master, and in peace all of the
/// stronger host's are.
#[test]
fn groups_move_as_one_whatever_happens() {
    for seed in 0..40 {
        let mut lan = Lan::new(seed);
        let mut rng = Rng::new(seed);
        let mut hosts = Vec::new();
        for (number, priority) in [(1, 150), (2, 100)] {
            let params = params(priority, AdvertInterval::from_secs(1).unwrap()).unwrap();
            let of = |vrid, last| router(Vrid::new(vrid).unwrap(), params, &[[10, 0, 0, last].into()]).unwrap();
            let mut setup = HostSetup::new(&format!("r{number}"), number, vec![of(50, 100), of(51, 101)]);
            setup.groups = vec![vec![0, 1]];
            setup.follows = vec![(1, 0, Influence::default())];
            hosts.push(lan.add(setup).unwrap());
        }
        for host in &hosts {
            lan.at(Time::START, Action::Start(*host));
        }
        for _ in 0..60 {
            let host = hosts[usize::from(rng.happens(Chance::from_ppm(500_000).unwrap()))];
            let status = [Status::Up, Status::Down][usize::from(rng.happens(Chance::from_ppm(500_000).unwrap()))];
            let on = rng.happens(Chance::from_ppm(300_000).unwrap());
            let what = rng.span(Duration::from_nanos(6)).as_nanos();
            let action = match what {
                0 => Action::Track(host, 0, status),
                1 => Action::Maintenance(host, on),
                2 => Action::Link(host, !on),
                3 => Action::Stall(host, Duration::from_secs(4)),
                4 => Action::Partition(vec![0, u8::from(on)], 0),
                _ => Action::Refuse(host, on),
            };
            lan.at(lan.now(), action);
            let later = lan.now() + rng.span(Duration::from_secs(6));
            lan.run_until(later);
        }
        lan.at(lan.now(), Action::Partition(vec![0, 0], 0));
        for host in &hosts {
            for action in [
                Action::Link(*host, true),
                Action::Refuse(*host, false),
                Action::Maintenance(*host, false),
                Action::Track(*host, 0, Status::Up),
            ] {
                lan.at(lan.now(), action);
            }
        }
        let end = lan.now() + Duration::from_secs(30);
        lan.run_until(end);
        assert_eq!(lan.violations(), [], "seed {seed}\n{}", lan.transcript());
        let node = lan.node(hosts[0]).unwrap();
        let roles: Vec<_> = node.routers().map(|id| node.router(id).unwrap().machine().state.role()).collect();
        assert_eq!(
            (roles, lan.masters()),
            (vec![Role::Master; 2], vec![hosts[0]]),
            "seed {seed}\n{}",
            lan.transcript()
        );
    }
}

/// Three hosts that announce their addresses all the time, and whatever befalls hosts of one group: none is taken for a host
/// that has an address by mistake, however many of them are Master for a while, and whoever speaks first when a cut heals.
#[test]
fn routers_of_one_group_are_no_conflict_whatever_happens() {
    let refresh = Some(Duration::from_millis(170));
    let program = Program { refresh, ..Program::default() };
    let mut masters = 0;
    for seed in 0..40 {
        let mut lan = Lan::new(seed);
        let mut rng = Rng::new(seed);
        let mut hosts = Vec::new();
        for (number, priority) in [(1, 150), (2, 100), (3, 100)] {
            let params = params(priority, AdvertInterval::from_secs(1).unwrap()).unwrap();
            let router = router(Vrid::new(50).unwrap(), params, &[[10, 0, 0, 100].into()]).unwrap();
            let mut setup = HostSetup::new(&format!("r{number}"), number, vec![router]);
            setup.handover = Handover::Announced;
            setup.announcements = program;
            hosts.push(lan.add(setup).unwrap());
        }
        for host in &hosts {
            lan.at(Time::START, Action::Start(*host));
        }
        for _ in 0..60 {
            let host = hosts[usize::try_from(rng.below(3)).unwrap()];
            let on = rng.below(2) == 0;
            let action = match rng.below(7) {
                0 => Action::Stop(host),
                1 => Action::Maintenance(host, on),
                2 => Action::Link(host, on),
                3 => Action::Stall(host, Duration::from_secs(4)),
                4 => Action::Crash(host),
                _ => Action::Partition([0, 1, 2].map(|bit| u8::from(rng.below(8) >> bit & 1 == 1)).to_vec(), 0),
            };
            lan.at(lan.now(), action);
            for host in &hosts {
                lan.at(lan.now() + rng.span(Duration::from_secs(5)), Action::Start(*host));
            }
            let later = lan.now() + rng.span(Duration::from_secs(12));
            lan.run_until(later);
            masters = masters.max(lan.masters().len());
        }
        let conflict = |entry: &&Entry| matches!(entry.what, Happening::Conflict(..));
        assert_eq!(lan.entries().iter().find(conflict), None, "seed {seed}\n{}", lan.transcript());
    }
    assert!(masters > 1, "cuts make several");
}

/// A Master that does not hear the other one's adverts has the other one's announcements to go by.
#[test]
fn a_master_whose_adverts_do_not_arrive_is_a_conflict() {
    let mut lan = Lan::new(1);
    let mut hosts = Vec::new();
    for (number, priority, vrid) in [(1, 150, 50), (2, 100, 51)] {
        let params = params(priority, AdvertInterval::from_secs(1).unwrap()).unwrap();
        let router = router(Vrid::new(vrid).unwrap(), params, &[[10, 0, 0, 100].into()]).unwrap();
        let mut setup = HostSetup::new(&format!("r{number}"), number, vec![router]);
        setup.handover = Handover::Announced;
        setup.announcements = Program { refresh: Some(Duration::from_secs(3)), ..Program::default() };
        hosts.push(lan.add(setup).unwrap());
    }
    for host in &hosts {
        lan.at(Time::START, Action::Start(*host));
    }
    lan.run_until(at(60));
    for (host, other) in [(0, 1), (1, 0)] {
        let address = IpAddr::from([10, 0, 0, 100]);
        let conflict = Happening::Conflict(hosts[host], address, hosts[other]);
        assert!(lan.entries().iter().any(|entry| entry.what == conflict), "{}", lan.transcript());
        let node = lan.node(hosts[host]).unwrap();
        let router = node.routers().next().unwrap();
        assert_eq!(node.conflicts(router).map(|(address, _)| address).collect::<Vec<_>>(), [address]);
        let known = node.router(router).unwrap().counters();
        assert!((5..=7).contains(&known.get(Counter::AddressDefences)), "a minute of them");
        assert!(known.get(Counter::AddressConflicts) > 10);
    }
}

/// What is found after a turn of the first host, were it `now`.
fn after_turn(lan: &Lan, now: Time) -> Option<Violation> {
    let node = &lan.hosts[0].process.as_ref().unwrap().node;
    lan.watch.after_turn(now, 0, node, &lan.hosts[0].slots)
}

#[test]
fn a_backup_that_waits_too_long_is_seen() {
    let mut lan = lan(&[100, 150]);
    lan.run_until(at(10));
    assert_eq!(after_turn(&lan, at(11)), None);
    assert_eq!(after_turn(&lan, at(15)), Some(Violation::Silent(HostId(0), 0)));
}

/// One that must not preempt may listen for 10.8 s, and no longer once it has heard somebody.
#[test]
fn a_backup_that_listens_though_it_has_heard_somebody_is_seen() {
    let mut lan = lan_of(&[100, 255], false);
    lan.run_until(at(2));
    assert_eq!(after_turn(&lan, at(4)), None);
    assert_eq!(after_turn(&lan, at(5)), Some(Violation::Silent(HostId(0), 0)));
}

#[test]
fn addresses_of_a_backup_are_seen() {
    let mut lan = lan(&[100, 150]);
    lan.run_until(at(10));
    lan.hosts[0].slots[0].held = true;
    assert_eq!(after_turn(&lan, at(10)), Some(Violation::Stray(HostId(0), 0)));
    lan.hosts[0].slots[0].leftover = true;
    assert_eq!(after_turn(&lan, at(10)), None);
}

#[test]
fn adverts_in_a_burst_are_seen() {
    let mut lan = lan(&[100]);
    lan.run_until(at(10));
    let Lan { hosts, watch, .. } = &mut lan;
    let node = &hosts[0].process.as_ref().unwrap().node;
    let claim = Output::Advertise { router: node.routers().next().unwrap(), advertise: Advertise::Claim };
    let burst = Some(Violation::Burst(HostId(0), 0));
    let mut claims = |now, source, count| watch.outputs(now, 0, node, source, &vec![claim; count]);
    assert_eq!(claims(at(20), Source::Expiry, 2), burst, "two at once");
    assert_eq!(claims(at(22), Source::Expiry, 1), None);
    assert_eq!(claims(at(23), Source::Expiry, 1), None);
    let half = at(23) + Duration::from_millis(400);
    assert_eq!(claims(half, Source::Expiry, 1), None, "after a delay the next may come sooner");
    assert_eq!(claims(half + Duration::from_millis(400), Source::Expiry, 1), burst, "but not the one after that");
    assert_eq!(claims(at(24), Source::Datagram(at(24)), 1), None, "an answer");
    assert_eq!(claims(at(24), Source::Datagram(at(24)), 1), burst, "two answers");
    assert_eq!(claims(at(30), Source::Expiry, 1), None);
    assert_eq!(claims(at(30) + Duration::from_millis(1), Source::Expiry, 1), None);
    assert_eq!(claims(at(31), Source::Expiry, 1), None, "three in an interval, with both its ends");
}

/// What it sent as Master before does not count, nor what it answered.
#[test]
fn who_becomes_master_anew_begins_a_rhythm_of_its_own() {
    let mut lan = lan(&[100]);
    lan.run_until(at(10));
    let Lan { hosts, watch, .. } = &mut lan;
    let node = &mut hosts[0].process.as_mut().unwrap().node;
    let claim = Output::Advertise { router: node.routers().next().unwrap(), advertise: Advertise::Claim };
    let mut claims = |now, node: &Node<Time>, source, count| watch.outputs(now, 0, node, source, &vec![claim; count]);
    for tenths in [0, 2] {
        assert_eq!(claims(at(20) + Duration::from_millis(100 * tenths), node, Source::Expiry, 1), None);
    }
    assert_eq!(claims(at(21), node, Source::Datagram(at(21)), 1), None);
    for on in [true, false] {
        node.handle(at(21), Input::Maintenance { which: Which::All, on }, &mut Vec::new());
        assert_eq!(claims(at(21), node, Source::Other, usize::from(!on)), None);
    }
    assert_eq!(claims(at(21), node, Source::Datagram(at(21)), 1), None, "its first answer");
    assert_eq!(claims(at(20) + Duration::from_millis(400), node, Source::Expiry, 1), None, "its first advert");
}

/// Each release allows for an answer of its own, and for one more to a losing advert; those of long ago do not.
#[test]
fn answers_are_counted_against_the_releases_since() {
    let mut lan = lan(&[100, 150]);
    lan.run_until(at(10));
    lan.at(at(10), Action::Stop(HostId(1)));
    lan.run_until(at(20));
    assert_eq!(lan.masters(), [HostId(0)]);
    let Lan { hosts, watch, .. } = &mut lan;
    let node = &hosts[0].process.as_ref().unwrap().node;
    let claim = Output::Advertise { router: node.routers().next().unwrap(), advertise: Advertise::Claim };
    let mut answers = || watch.outputs(at(20), 0, node, Source::Datagram(at(20)), &[claim]);
    assert_eq!((answers(), answers()), (None, Some(Violation::Burst(HostId(0), 0))));
}

#[test]
fn two_masters_that_could_hear_each_other_are_seen_once() {
    let mut lan = lan(&[100, 150]);
    lan.at(Time::START, Action::Partition(vec![0, 1], 0));
    lan.run_until(at(10));
    let divided = |lan: &mut Lan, now| lan.watch.divided(now, &lan.hosts, &lan.conditions);
    assert_eq!(divided(&mut lan, at(10)), None, "they are apart");
    for host in &mut lan.hosts {
        host.segment = 0;
    }
    let found = divided(&mut lan, at(10));
    assert!(matches!(found, Some(Violation::Divided(HostId(0), HostId(1), _))), "{found:?}");
    assert_eq!(divided(&mut lan, at(11)), None);
    assert!(divided(&mut lan, at(12)).is_some());
}

/// An interval and the time that a frame is under way: then they must have heard each other.
#[test]
fn two_masters_have_an_interval_to_hear_each_other() {
    let mut lan = lan(&[100, 150]);
    lan.at(Time::START, Action::Partition(vec![0, 1], 0));
    let both = Time::START + Duration::from_micros(3_609_375);
    lan.run_until(both);
    assert_eq!(lan.masters().len(), 2);
    for host in &mut lan.hosts {
        host.segment = 0;
    }
    let allowed = Duration::from_micros(1_000_100);
    assert_eq!(lan.watch.divided(both + allowed, &lan.hosts, &lan.conditions), None);
    let later = allowed + Duration::from_nanos(1);
    let found = Some(Violation::Divided(HostId(0), HostId(1), later));
    assert_eq!(lan.watch.divided(both + later, &lan.hosts, &lan.conditions), found);
}

#[test]
fn with_two_routers_each_is_told_by_its_identifier() {
    let mut lan = Lan::new(1);
    let params = params(100, AdvertInterval::from_secs(1).unwrap()).unwrap();
    let of = |vrid| router(Vrid::new(vrid).unwrap(), params, &[[10, 0, 0, vrid].into()]).unwrap();
    let host = lan.add(HostSetup::new("r1", 1, vec![of(50), of(51)])).unwrap();
    lan.at(Time::START, Action::Start(host));
    lan.run_until(at(10));
    let transcript = lan.transcript();
    for vrid in [50, 51] {
        assert!(transcript.contains(&format!("r1 vrid {vrid} V4: Initialize to Backup, started")), "{transcript}");
    }
    assert_eq!(lan.holders([10, 0, 0, 51].into()), [host]);
    assert_eq!(lan.holders([10, 0, 0, 52].into()), [], "nobody's");
    let second = lan.add(HostSetup::new("r2", 2, Vec::new())).unwrap();
    let third = lan.add(HostSetup::new("r3", 3, Vec::new())).unwrap();
    assert_eq!([host, second, third].map(HostId::index), [0, 1, 2]);
}

#[test]
fn each_input_and_expiry_is_an_event() {
    let mut lan = lan(&[100]);
    assert_eq!(lan.events(), 0);
    lan.run_until(Time::START);
    assert_eq!(lan.events(), 3, "its interface, the operator's word, no deadline yet");
    lan.run_until(at(3));
    assert_eq!(lan.events(), 3);
    lan.run_until(at(4));
    assert_eq!(lan.events(), 3 + 1 + 2 + 1, "its turn, the kernel's answer, which announces, and once more");
}

/// The scenario, which must go as it says.
fn goes(scenario: &str) {
    let outcome = scenario.parse::<Scenario>().unwrap().run();
    assert!(outcome.is_met(), "{:?}\n{}", outcome.failures, outcome.transcript);
}

/// Neither is given to the process that is started after it.
#[test]
fn what_a_dead_process_asked_of_its_kernel_is_lost() {
    goes(
        "router r1 owner kernel 100ms
        at 50ms crash r1
        at 60ms start r1
        expect r1 bare from 0s to 160ms
        expect r1 holding at 160ms
        run until 1s",
    );
    // The order to hand over is carried out a millisecond after 10.610575 s.
    goes(
        "router r1 priority 150 handover announced
        router r2 priority 100
        at 10s stop r1
        at 10.611s crash r1
        expect r1 holding from 5s to 20s
        expect r2 holding from 11s to 20s
        run until 20s",
    );
}

#[test]
fn what_was_handed_over_before_a_crash_stays_so() {
    // The successor does not know the other address, which is kept for a while.
    goes(
        "router r1 priority 150 vip 10.0.0.100,10.0.0.101 handover announced
        router r2 priority 100 vip 10.0.0.100
        at 10s stop r1
        at 10.65s crash r1
        expect r1 bare from 10.62s to 20s
        run until 20s",
    );
}

#[test]
fn what_is_sent_while_a_link_is_down_does_not_arrive_when_it_is_up_again() {
    let mut lan = lan(&[255, 100]);
    lan.set_detail(Detail::Frames);
    let slow = Conditions { delay: Duration::from_millis(500), ..Conditions::default() };
    lan.at(Time::START, Action::Conditions(slow));
    lan.run_until(at(10));
    lan.at(lan.now(), Action::Link(HostId(1), false));
    lan.at(lan.now() + Duration::from_millis(1200), Action::Link(HostId(1), true));
    let down = lan.entries().len();
    lan.run_until(at(13));
    let arrived = lan.entries()[down..].iter().filter(|entry| entry.what == Happening::Arrived(HostId(0), HostId(1)));
    // That of 10 s comes to a link that is down, and that of 11 s was sent to one.
    assert_eq!(arrived.map(|entry| entry.at).collect::<Vec<_>>(), [at(12) + slow.delay]);
}

/// The later end counts.
#[test]
fn who_is_held_up_again_runs_when_the_last_time_is_over() {
    let mut lan = lan(&[100, 150]);
    lan.at(at(10), Action::Stall(HostId(1), Duration::from_secs(3)));
    lan.at(at(12), Action::Stall(HostId(1), Duration::from_secs(9)));
    lan.run_until(at(40));
    let resumed = lan.entries().iter().filter(|entry| entry.what == Happening::Resumed(HostId(1)));
    assert_eq!(resumed.map(|entry| entry.at).collect::<Vec<_>>(), [at(21)]);
}

#[test]
fn a_violation_is_part_of_every_transcript() {
    let mut lan = lan(&[100]);
    lan.set_detail(Detail::Nothing);
    lan.run_until(at(10));
    assert_eq!(lan.transcript(), "");
    lan.note(Happening::Violated(Violation::Burst(HostId(0), 0)));
    assert_eq!(lan.transcript(), "  10.000000000 VIOLATION: r1 advertises in a burst\n");
    assert_eq!(lan.violations(), [Violation::Burst(HostId(0), 0)]);
}
