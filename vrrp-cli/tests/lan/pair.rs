//! `vrrpctl` with `vrrpctl` on a real kernel: elections, deaths, stops and returns.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use vrrp_cli::lab;

use crate::common::Kind::Vrrpctl;
use crate::common::*;

const BOTH: scenes::Makes = (Vrrpctl, Vrrpctl);

#[test]
fn the_stronger_is_master_whichever_starts_first() {
    if lab::privileged(the_stronger_is_master_whichever_starts_first) {
        side_by_side([true, false], |strong_first| scenes::starts(BOTH, strong_first));
    }
}

#[test]
fn a_silent_death_and_the_return() {
    if lab::privileged(a_silent_death_and_the_return) {
        scenes::silent_death_and_return(BOTH);
    }
}

#[test]
fn a_planned_stop_and_the_return() {
    if lab::privileged(a_planned_stop_and_the_return) {
        scenes::planned_stop_and_return(BOTH);
    }
}

#[test]
fn nopreempt_leaves_a_weaker_master_alone() {
    if lab::privileged(nopreempt_leaves_a_weaker_master_alone) {
        scenes::nopreempt(BOTH);
    }
}

#[test]
fn of_equal_priorities_the_higher_address_wins() {
    if lab::privileged(of_equal_priorities_the_higher_address_wins) {
        side_by_side([true, false], |a_first| scenes::equal_priority(BOTH, a_first));
    }
}

#[test]
fn different_passwords_make_two_masters_and_each_says_why() {
    if lab::privileged(different_passwords_make_two_masters_and_each_says_why) {
        let cases = [(Some("1111"), Some("2222")), (None, Some("1111")), (Some("1111"), None)];
        side_by_side(cases, |passwords| scenes::passwords(BOTH, passwords));
    }
}

#[test]
fn dual_master() {
    if lab::privileged(dual_master) {
        scenes::dual_master(BOTH);
    }
}

/// A partition that leaves the client with the loser: the winner, when it hears of the other, tells the client at once
/// whom to send to.
#[test]
fn the_winner_announces_itself_after_a_partition() {
    if !lab::privileged(the_winner_announces_itself_after_a_partition) {
        return;
    }
    let stage = Stage::new();
    let watch = stage.watch(VIP);
    let (a, _b) = stage.two();
    eventually("the watch has seen it", || !watch.moves().is_empty());
    let elected = watch.moves()[0].at;
    // Past the announcements that follow its election when the partition heals.
    eventually("a has been master for 3 s", || elected.elapsed() > Duration::from_secs(3));
    stage.lan.mute("a", 0).unwrap();
    let client = stage.client(VIP);
    eventually("the client knows the loser", || stage.neighbour(VIP) == Some(stage.mac("b")));
    // The loser counts from the last advert that it heard, so its own fall Skew_Time after the winner's. The partition
    // heals between the two, the loser's turn being next.
    eventually("the loser's turn", || {
        let phase = elected.elapsed().subsec_millis();
        (150..300).contains(&phase)
    });
    stage.lan.unmute("a", 0).unwrap();
    a.says("10.9.0.3 is master as well, with a weaker claim", 1);
    stage.held_by("a", VIP);
    let won = Instant::now();
    eventually("the client knows the winner", || stage.neighbour(VIP) == Some(stage.mac("a")));
    between("until the client knew the winner", won.elapsed(), Duration::ZERO, Duration::from_millis(1500));
    eventually("the winner answers it", || client.last_reply().is_some_and(|at| at > won));
}

/// An address that a crashed daemon left behind is served without a gap, or removed, as the election decides.
#[test]
fn a_leftover_address_is_adopted_or_removed() {
    if lab::privileged(a_leftover_address_is_adopted_or_removed) {
        side_by_side([adopted as fn(), removed], |case| case());
    }
}

fn adopted() {
    let stage = Stage::new();
    stage.leave("a", VIP, 32);
    let client = stage.client(VIP);
    let watch = stage.watch(VIP);
    let started = Instant::now();
    let mut a = stage.vrrpctl("a", Instance::new(STRONG));
    a.says("entering master state", 1);
    let master = Instant::now();
    eventually("the client is still answered", || client.replies(master) > 100);
    between("an adopted address", client.longest_silence(started), Duration::ZERO, Duration::from_millis(300));
    assert_eq!(watch.moves(), [], "it was never away");
    a.stop();
    assert!(stage.holders_of(VIP).is_empty());
}

fn removed() {
    let stage = Stage::new();
    let b = stage.vrrpctl("b", Instance::new(STRONG));
    stage.held_by("b", VIP);
    stage.leave("a", VIP, 32);
    let a = stage.vrrpctl("a", Instance::new(WEAK));
    stage.held_by("b", VIP);
    assert!(!a.said("entering master state") && b.count("entering master state") == 1);
}

/// Whatever asks for the stop, nothing stays behind and the exit status is that of success.
#[test]
fn every_stop_leaves_nothing_behind() {
    if lab::privileged(every_stop_leaves_nothing_behind) {
        side_by_side([&[Signal::SIGTERM][..], &[Signal::SIGINT], &[Signal::SIGTERM, Signal::SIGTERM]], stops);
    }
}

fn stops(signals: &[Signal]) {
    let stage = Stage::new();
    // The stop in Backup, then as Master.
    for master in [false, true] {
        let addresses = [VIP.to_string(), VIP2.to_string()];
        let mut a = stage.vrrpctl("a", Instance::new(254).addresses(&addresses.each_ref().map(String::as_str)));
        if master {
            stage.held_by("a", VIP2);
        } else {
            a.is_backup();
        }
        for signal in signals {
            a.process.signal(*signal).unwrap();
        }
        let status = a.process.wait(PATIENCE).expect("it ends");
        assert!(status.success(), "{status}");
        assert!(stage.holders_of(VIP).is_empty() && stage.holders_of(VIP2).is_empty());
        assert!(a.said(&format!("stopping on {}", signals[0])) && a.said("(VI_1) stopped"));
    }
}

/// The owner's address is its real one: master at once, and nothing of the host's own goes when it stops.
#[test]
fn the_owner_keeps_its_real_address() {
    if !lab::privileged(the_owner_keeps_its_real_address) {
        return;
    }
    let stage = Stage::new();
    let own = stage.lan.host("a").address(0);
    let of = |priority| Instance::new(priority).addresses(&["10.9.0.2/24", "10.9.0.100"]);
    let mut b = stage.vrrpctl("b", of(WEAK));
    b.is_backup();
    let mut a = stage.vrrpctl("a", of(255));
    stage.held_by("a", VIP);
    a.says("entering master state", 1);
    assert!(!b.said("entering master state"), "the owner does not wait");
    let before = ipv4_of(stage.lan.host("a"));
    a.stop();
    let after = ipv4_of(stage.lan.host("a"));
    assert_eq!(after, before.into_iter().filter(|one| one.address != ip(VIP)).collect::<Vec<_>>());
    eventually("the other serves both", || stage.holders_of(own) == ["a", "b"] && stage.holders_of(VIP) == ["b"]);
    b.stop();
    assert_eq!(stage.holders_of(own), ["a"]);
}
