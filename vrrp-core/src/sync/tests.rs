//! A group of machines alone: every set of members comes to rest within three rounds, and never half Master.

use core::net::{IpAddr, Ipv4Addr};
use std::vec::Vec;

use super::*;
use crate::fsm::{Event, Heard, Hold, Link, Params, Role, Rules};
use crate::types::{AdvertInterval, Priority};

const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));

/// What a machine can be that has heard something, lost something, or been told something.
fn machines() -> Vec<Machine> {
    let interval = AdvertInterval::from_secs(1).unwrap();
    let params = |priority| Params {
        priority: Priority::new(priority).unwrap(),
        interval,
        preempt: true,
        accept: false,
        rules: Rules::DEFAULT,
    };
    let running = |priority| Machine { enabled: true, link: Link::Up(OWN), ..Machine::new(params(priority)) };
    let backup = |due| State::Backup { heard: Heard::Master, master_interval: interval, due };
    std::vec![
        Machine { state: State::Master { answered: false }, ..running(100) },
        Machine { state: State::Master { answered: false }, ..running(255) },
        Machine { state: backup(false), ..running(100) },
        Machine { state: backup(false), limit: Limit::Backup, ..running(255) },
        Machine { state: backup(true), limit: Limit::Backup, ..running(100) },
        Machine { state: backup(true), limit: Limit::Backup, hold: Some(Hold::Maintenance), ..running(100) },
        Machine { limit: Limit::Fault, ..running(100) },
        Machine { limit: Limit::Fault, ..running(255) },
        Machine { limit: Limit::Stopped, ..running(100) },
        Machine { link: Link::NoAddress, ..running(100) },
        Machine { healthy: false, limit: Limit::Fault, ..running(255) },
        Machine::new(params(100)),
    ]
}

/// As a node does it.
fn settle(members: &mut [Machine]) -> usize {
    for round in 0.. {
        let limit = limit(members.iter().map(Member::of));
        if members.iter().all(|machine| machine.limit == limit) {
            return round;
        }
        for machine in members.iter_mut() {
            *machine = machine.step(Event::Limit(limit)).0;
        }
    }
    unreachable!()
}

#[test]
fn every_group_of_three_comes_to_rest_and_is_never_half_master() {
    let all = machines();
    for a in &all {
        for b in &all {
            for c in &all {
                let mut group = [*a, *b, *c];
                assert!(settle(&mut group) <= 3, "{a:?} {b:?} {c:?}");
                let roles = group.map(|machine| machine.state.role());
                let masters = roles.iter().filter(|role| **role == Role::Master).count();
                assert!(masters == 0 || masters == 3, "{roles:?} of {a:?} {b:?} {c:?}");
                let idle = roles.iter().filter(|role| **role == Role::Initialize).count();
                assert!(idle == 0 || idle == 3, "{roles:?} of {a:?} {b:?} {c:?}");
                let ready = [a, b, c].iter().all(|machine| machine.ready());
                assert_eq!(idle == 0, ready, "FAULT has a reason, and only then");
            }
        }
    }
}

#[test]
fn the_weakest_member_decides() {
    use Member::{Follows, Leads, Stopped, Unready};
    assert_eq!(limit([Leads, Stopped, Unready]), Limit::Fault);
    assert_eq!(limit([Leads, Stopped, Follows]), Limit::Stopped);
    assert_eq!(limit([Leads, Unready, Follows]), Limit::Fault);
    assert_eq!(limit([Leads, Follows, Leads]), Limit::Backup);
    assert_eq!(limit([Leads, Leads]), Limit::Master);
    assert_eq!(limit([]), Limit::Master);
}
