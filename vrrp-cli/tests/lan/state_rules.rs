//! What an operator may choose of the election: whom a master answers, and how long a stronger router waits.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use vrrp_cli::lab;

use crate::common::Kind::{Keepalived, Vrrpctl};
use crate::common::meter::{Heard, Meter, claim};
use crate::common::*;

const SECOND: Duration = Duration::from_secs(1);

/// A weaker claim right behind a master's own advert: it is answered at once, or by the next advert, an interval later.
#[test]
fn a_weaker_claim_is_answered_unless_the_operator_has_it_otherwise() {
    if !lab::privileged(a_weaker_claim_is_answered_unless_the_operator_has_it_otherwise) || tool("keepalived").is_none()
    {
        return;
    }
    let stage = Stage::new();
    let address = |vrid: u8| Ipv4Addr::new(10, 9, 0, 100 + vrid);
    let rules = ["", "lower_prio_no_advert", "strict_mode"];
    let mut daemons = Vec::new();
    for (kind, host, first) in [(Vrrpctl, "a", 1), (Keepalived, "b", 11)] {
        let instances: Vec<_> = (first..)
            .zip(rules)
            .map(|(vrid, rule)| {
                Instance::new(STRONG).called(&format!("VI_{vrid}"), vrid, address(vrid)).password(None).with(rule)
            })
            .collect();
        daemons.push(stage.start(kind, host, &instances));
    }
    let client = stage.lan.host("client");
    let meter = Meter::start(client);
    for (host, vrid, silent) in
        [("a", 1, false), ("a", 2, true), ("a", 3, true), ("b", 11, false), ("b", 12, true), ("b", 13, true)]
    {
        stage.held_by(host, address(vrid));
        let times = || -> Vec<_> {
            let own = |one: &&Heard| one.vrid == vrid && one.source == stage.lan.host(host).address(0);
            meter.heard().iter().filter(own).map(|one| one.at).collect()
        };
        let before = times().len();
        eventually("an advert", || times().len() > before);
        let known = times().len();
        claim(client, vrid, WEAK, address(vrid));
        eventually("another one", || times().len() > known);
        let times = times();
        let gap = times[known] - times[known - 1];
        let (least, most) = if silent { (SECOND / 2, SECOND + SLACK) } else { (Duration::ZERO, SECOND / 2) };
        between(&format!("the answer of VRID {vrid} on {host}"), gap, least, most);
        assert_eq!(stage.holders_of(address(vrid)), [host]);
    }
    assert_eq!(daemons[0].count("10.9.0.1 is master as well, with a weaker claim"), 3, "it is told in each case");
}

/// With `preempt_delay` a stronger router waits beside a weaker master, and for no master that goes.
#[test]
fn preempt_delay_waits_for_a_weaker_master_that_stays() {
    if !lab::privileged(preempt_delay_waits_for_a_weaker_master_that_stays) || tool("keepalived").is_none() {
        return;
    }
    // Longer than the takeover would take without it.
    let delay = 5 * SECOND;
    assert!(delay > master_down(STRONG) + SECOND);
    let instances = |priority: u8, rules: [&str; 2]| {
        [("VI_1", 50, VIP, rules[0]), ("VI_2", 51, VIP2, rules[1])]
            .map(|(name, vrid, address, rule)| Instance::new(priority).called(name, vrid, address).with(rule))
    };
    side_by_side([(Vrrpctl, Vrrpctl), (Vrrpctl, Keepalived), (Keepalived, Vrrpctl)], |(strong, weak)| {
        let stage = Stage::new();
        let mut b = stage.start(weak, "b", &instances(WEAK, ["", ""]));
        stage.held_by("b", VIP);
        stage.held_by("b", VIP2);
        let started = Instant::now();
        let a = stage.start(strong, "a", &instances(STRONG, ["preempt_delay 5", "preempt_delay 600"]));
        a.is_backup();
        stage.held_by("a", VIP);
        // The weaker one is heard a little later than the start; then the timer runs out as ever.
        between("until it preempts", started.elapsed(), delay, delay + SECOND + master_down(STRONG) + 2 * SLACK);
        assert_eq!(stage.holders_of(VIP2), ["b"], "the other one still waits");
        // Long before the delay is over.
        b.stop();
        stage.held_by("a", VIP2);
    });
}
