//! Rules of a real kernel, inside a network namespace of the test's own.

use netlink_packet_core::Emitable;

use super::*;
use crate::monitor::{Event, Monitor};
use crate::rtnl::tests::in_namespace;

fn outcome(results: Vec<Result<Change>>) -> Vec<Change> {
    results.into_iter().map(|result| result.unwrap()).collect()
}

/// One rule with every selector, and one for each action.
fn all() -> Vec<Rule> {
    let rule =
        |priority, action| Rule { priority: Some(priority), protocol: Some(18), ..Rule::new(Family::V4, action) };
    let rich = Rule {
        inverted: true,
        from: Some(([192, 0, 2, 0].into(), 24)),
        to: Some(([198, 51, 100, 0].into(), 25)),
        tos: 0x10,
        mark: Some((0x18, Some(0xc))),
        realms: Some(0x1e_0014),
        suppress_prefix_length: Some(5),
        suppress_group: Some(6),
        input: Some("lo".into()),
        output: Some("out0".into()),
        tunnel: Some(7),
        users: Some((10, 20)),
        ip_protocol: Some(17),
        source_ports: Some((5, 5)),
        destination_ports: Some((20, 30)),
        ..rule(100, Action::Table(1000))
    };
    let six = Rule {
        family: Family::V6,
        from: Some(("2001:db8::".parse().unwrap(), 32)),
        mark: Some((5, None)),
        ..rule(100, Action::Table(7))
    };
    vec![
        rich,
        rule(101, Action::L3Mdev),
        rule(102, Action::Goto(103)),
        rule(103, Action::Nop),
        rule(104, Action::Blackhole),
        rule(105, Action::Unreachable),
        rule(106, Action::Prohibit),
        six,
    ]
}

#[test]
fn a_dump_shows_what_was_added_and_removal_leaves_nothing() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let before = rtnl.rules().unwrap();
        let sent = all();
        assert_eq!(outcome(rtnl.add_rules(&sent)), [Change::Done; 8]);
        assert_eq!(outcome(rtnl.add_rules(&sent)), [Change::AlreadySo; 8]);
        let mut seen = rtnl.rules().unwrap();
        seen.retain(|rule| rule.protocol == Some(18));
        assert_eq!(seen, sent);
        assert_eq!(outcome(rtnl.remove_rules(&sent)), [Change::Done; 8]);
        assert_eq!(outcome(rtnl.remove_rules(&sent)), [Change::AlreadySo; 8]);
        assert_eq!(rtnl.rules().unwrap(), before);
    });
}

#[test]
fn the_monitor_tells_of_a_rule_that_is_gone() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let sent = all();
        outcome(rtnl.add_rules(&sent));
        let mut monitor = Monitor::open_with_routes().unwrap();
        outcome(rtnl.remove_rules(&sent[..1]));
        let mut heard = Vec::new();
        monitor.read(&mut heard).unwrap();
        assert_eq!(heard, [Event::RuleRemoved(Box::new(sent[0].clone()))]);
    });
}

#[test]
fn what_the_kernel_refuses_says_why() {
    in_namespace(|| {
        let rule = Rule { priority: Some(9), ..Rule::new(Family::V4, Action::Goto(5)) };
        let error = Rtnl::open().unwrap().add_rules(&[rule]).pop().unwrap().unwrap_err();
        assert_eq!(error.errno(), Some(libc::EINVAL));
        assert_eq!(error.kernel_text(), Some("Backward goto not supported"));
    });
    let mixed = Rule { from: Some(("::1".parse().unwrap(), 128)), ..Rule::new(Family::V4, Action::Nop) };
    let long = Rule { to: Some(([192, 0, 2, 1].into(), 33)), ..Rule::new(Family::V4, Action::Nop) };
    let named = Rule { input: Some("a\0b".into()), ..Rule::new(Family::V4, Action::Nop) };
    for rule in [mixed, long, named] {
        assert!(sendable(&rule).is_err(), "{rule:?}");
    }
}

#[test]
fn no_octets_make_it_panic() {
    let message = write(&all()[0]);
    let mut whole = vec![0; message.buffer_len()];
    message.emit(&mut whole);
    assert_eq!(Rule::read(&whole).unwrap().as_ref(), all().first());
    for length in 0..whole.len() {
        let _ = Rule::read(&whole[..length]);
    }
    for place in 0..whole.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut octets = whole.clone();
            octets[place] = value;
            let _ = Rule::read(&octets);
        }
    }
}
