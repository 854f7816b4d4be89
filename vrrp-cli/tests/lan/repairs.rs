//! What others do to the host while the daemon runs: addresses taken away, interfaces renamed or made anew, a second
//! daemon, signals meant for keepalived.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use vrrp_cli::lab::{self, Host, Process};

use crate::common::Kind::Vrrpctl;
use crate::common::*;

/// Runs `ip` in the host's namespace.
#[track_caller]
fn ip_command(host: &Host, arguments: &str) {
    let mut command = Command::new("ip");
    command.args(arguments.split_whitespace()).stdin(Stdio::null());
    let output = host.namespace().command(&mut command).unwrap().output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_address_that_somebody_removes_is_put_back_without_a_transition() {
    if !lab::privileged(an_address_that_somebody_removes_is_put_back_without_a_transition) {
        return;
    }
    let stage = Stage::new();
    let mut a = stage.vrrpctl("a", Instance::new(STRONG));
    stage.held_by("a", VIP);
    a.says("entering master state", 1);
    let (states, client) = (a.count("entering"), stage.client(VIP));
    let began = Instant::now();
    for times in 1..=3 {
        assert!(stage.lan.host("a").drop_address(ip(VIP)).unwrap());
        a.says("(vi_1) 10.9.0.100 was removed by somebody else: put back", times);
        stage.held_by("a", VIP);
    }
    assert_eq!(a.count("entering"), states);
    eventually("the client goes on", || client.replies(began) > 200);
    between("the client's silence", client.longest_silence(began), Duration::ZERO, SLACK);
    a.stop();
    assert!(stage.holders_of(VIP).is_empty());
}

/// The kernel removes the other addresses of a subnet together with its first one.
#[test]
fn an_address_does_not_take_others_of_its_subnet_with_it() {
    if !lab::privileged(an_address_does_not_take_others_of_its_subnet_with_it) {
        return;
    }
    let stage = Stage::new();
    let (first, second) = (Ipv4Addr::new(10, 8, 0, 1), Ipv4Addr::new(10, 8, 0, 2));
    let on = |priority: u8, last: u8| {
        let address = format!("10.8.0.{last}/24");
        Instance::new(priority).called(&format!("VI_{last}"), 50 + last, VIP).addresses(&[&address])
    };
    let mut a = stage.start(Vrrpctl, "a", &[on(WEAK, 1), on(STRONG, 2)]);
    stage.held_by("a", first);
    stage.held_by("a", second);
    let mut b = stage.start(Vrrpctl, "b", &[on(STRONG, 1), on(WEAK, 2)]);
    stage.held_by("b", first);
    stage.held_by("a", second);
    assert!(!a.said("(vi_2) entering backup state: 10"), "it stays master");
    a.stop();
    b.stop();
    assert!(stage.holders_of(first).is_empty() && stage.holders_of(second).is_empty());
}

/// A virtual address that was there before the interface's own one of the same subnet.
#[test]
fn the_hosts_own_address_survives_the_removal_of_a_virtual_one() {
    if !lab::privileged(the_hosts_own_address_survives_the_removal_of_a_virtual_one) {
        return;
    }
    let stage = Stage::new();
    let host = stage.lan.host("a");
    let own = host.address(0);
    assert!(host.drop_address(ip(own)).unwrap());
    stage.leave("a", VIP, 24);
    stage.leave("a", own, 24);
    let mut a = stage.vrrpctl("a", Instance::new(STRONG).addresses(&["10.9.0.100/24"]));
    a.says("entering master state", 1);
    a.stop();
    assert!(stage.holders_of(VIP).is_empty());
    assert!(stage.lan.holds("a", ip(own)), "it is put back");
}

#[test]
fn the_address_goes_also_from_an_interface_that_was_renamed() {
    if !lab::privileged(the_address_goes_also_from_an_interface_that_was_renamed) {
        return;
    }
    let stage = Stage::new();
    let mut a = stage.vrrpctl("a", Instance::new(STRONG));
    stage.held_by("a", VIP);
    ip_command(stage.lan.host("a"), "link set eth0 name renamed0");
    a.says("entering fault state", 1);
    eventually("the address is gone", || stage.holders_of(VIP).is_empty());
    ip_command(stage.lan.host("a"), "link set renamed0 name eth0");
    stage.held_by("a", VIP);
    ip_command(stage.lan.host("a"), "link set eth0 name renamed0");
    a.stop();
    assert!(stage.holders_of(VIP).is_empty());
}

/// The interface of an address that is not the instance's own.
#[test]
fn an_address_on_another_interface_follows_that_interface() {
    if !lab::privileged(an_address_on_another_interface_follows_that_interface) {
        return;
    }
    let stage = Stage::new();
    let host = stage.lan.host("a");
    ip_command(host, "link add other0 type veth peer name other1");
    let address = Ipv4Addr::new(10, 8, 0, 1);
    let mut a = stage.vrrpctl("a", Instance::new(STRONG).addresses(&["10.8.0.1 dev other0"]));
    stage.held_by("a", address);
    ip_command(host, "link del other0");
    a.says("entering fault state: an interface of its addresses does not exist", 1);
    ip_command(host, "link add other0 type veth peer name other1");
    stage.held_by("a", address);
    a.stop();
    assert!(stage.holders_of(address).is_empty());
}

/// Two daemons on one host do not hear each other, and would both be master.
#[test]
fn a_second_daemon_for_the_same_router_is_refused() {
    if !lab::privileged(a_second_daemon_for_the_same_router_is_refused) {
        return;
    }
    let stage = Stage::new();
    let mut first = stage.vrrpctl("a", Instance::new(STRONG));
    stage.held_by("a", VIP);
    let mut second = stage.vrrpctl("a", Instance::new(STRONG));
    second.says("error[E063]: another vrrpctl on this host serves VRID 50 on `eth0` already", 1);
    assert_eq!(second.process.wait(PATIENCE).and_then(|status| status.code()), Some(2));
    stage.held_by("a", VIP);
    // Another router on the same interface is nobody's business.
    let mut other = stage.vrrpctl("a", Instance::new(STRONG).called("VI_2", 51, VIP2));
    stage.held_by("a", VIP2);
    other.stop();
    first.stop();
    let mut next = stage.vrrpctl("a", Instance::new(STRONG));
    next.says("entering backup state: started", 1);
    next.stop();
}

#[test]
fn the_only_address_of_the_interface_is_not_taken_away() {
    if !lab::privileged(the_only_address_of_the_interface_is_not_taken_away) {
        return;
    }
    let stage = Stage::new();
    let own = stage.lan.host("a").address(0);
    let before = ipv4_of(stage.lan.host("a"));
    let mut a = stage.vrrpctl("a", Instance::new(STRONG).addresses(&[&format!("{own}/24")]));
    a.says(&format!("error[E064]: {own} is the only address of `eth0`"), 1);
    assert_eq!(a.process.wait(PATIENCE).and_then(|status| status.code()), Some(2));
    assert_eq!(ipv4_of(stage.lan.host("a")), before);
}

/// keepalived's signals for dumps and reloads do not end the daemon, whose default they would be.
#[test]
fn signals_that_ask_for_something_are_survived() {
    if !lab::privileged(signals_that_ask_for_something_are_survived) {
        return;
    }
    let stage = Stage::new();
    let mut a = stage.vrrpctl("a", Instance::new(STRONG));
    stage.held_by("a", VIP);
    for signal in [Signal::SIGUSR1, Signal::SIGUSR2] {
        a.process.signal(signal).unwrap();
    }
    a.process.signal(Signal::SIGHUP).unwrap();
    a.says("sighup ignored", 1);
    // Or that it cannot be, where the folder is somebody else's.
    let file = format!("written to /run/vrrpctl/{}", a.process.id());
    a.says(&format!("{file}.status"), 1);
    a.says(&format!("{file}.stats"), 1);
    assert_eq!(stage.holders_of(VIP), ["a"]);
    a.process.signal(Signal::SIGQUIT).unwrap();
    assert_eq!(a.process.wait(PATIENCE).and_then(|status| status.code()), Some(0));
    assert!(stage.holders_of(VIP).is_empty());
}

/// A program on `host` that does this again and again, for half a minute at most; it ends with the value.
fn again_and_again(host: &Host, deed: &str) -> Process {
    let script = format!("for i in $(seq 3000); do {deed}; sleep 0.01; done");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    host.spawn(&mut command).unwrap()
}

/// What is put back is put back with bounds, and the operator is told once; when the other program has gone, all is as before.
#[test]
fn a_program_that_goes_on_removing_things_is_reported_and_meets_pauses() {
    if !lab::privileged(a_program_that_goes_on_removing_things_is_reported_and_meets_pauses) {
        return;
    }
    let stage = Stage::new();
    let host = stage.lan.host("a");
    let list = |name: &str, line: &str| format!("{name} {{\n        {line}\n    }}");
    let first = Instance::new(STRONG).with(list("virtual_routes", "10.70.0.0/16 dev eth0"));
    let first = first.with(list("virtual_rules", "from 10.66.0.0/16 lookup 66 priority 6666"));
    let virtual_one = |priority| Instance::new(priority).called("VI_2", 51, VIP2).with("use_vmac");
    let mut a = stage.start(Vrrpctl, "a", &[first, virtual_one(STRONG)]);
    let mut b = stage.start(Vrrpctl, "b", &[virtual_one(WEAK)]);
    stage.held_by("a", VIP);
    stage.held_by("a", VIP2);
    let has_all = || {
        let there = |command: &str, what: &str| stage.shell("a", command).contains(what);
        there("ip route", "10.70.0.0/16") && there("ip rule", "6666") && stage.lan.holds("a", ip(VIP))
    };
    eventually("routes and rules", has_all);
    let deeds = ["address del 10.9.0.100/32 dev eth0", "route del 10.70.0.0/16", "rule del priority 6666"];
    let fighters = deeds.map(|deed| again_and_again(host, &format!("ip {deed}")));
    let things = ["10.9.0.100 (eth0)", "the route to 10.70.0.0/16", "the routing rule of priority 6666"];
    for thing in things {
        a.says(&format!("(vi_1) something removes {thing} again and again"), 1);
        a.says(&format!("(vi_1) {thing} was removed again: put back, 7 times so far"), 1);
    }
    drop(fighters);
    for thing in things {
        assert_eq!(a.count(&format!("something removes {thing}")), 1, "{}", a.log());
        let plain = thing.trim_end_matches(" (eth0)");
        assert_eq!(a.count(&format!("{plain} was removed by somebody else: put back")), 4, "{}", a.log());
    }
    eventually("all of it is back", has_all);
    assert_eq!(a.count("(vi_1) entering"), 2, "it stays master");

    // A router without its interface cannot serve: another one does, until it is left alone.
    let fighter = again_and_again(host, "ip link del vrrp.51");
    a.says("something removes vrrp.51 again and again", 1);
    a.says("(vi_2) entering fault state: an interface of its addresses does not exist", 1);
    eventually("the other one serves", || stage.lan.holds("b", ip(VIP2)));
    drop(fighter);
    stage.held_by("a", VIP2);
    a.stop();
    b.stop();
}

#[test]
fn a_router_that_may_steps_down_from_a_fight() {
    if !lab::privileged(a_router_that_may_steps_down_from_a_fight) {
        return;
    }
    let stage = Stage::new();
    let mut a = stage.vrrpctl("a", Instance::new(STRONG).with("address_fight step_down"));
    stage.held_by("a", VIP);
    let mut b = stage.vrrpctl("b", Instance::new(WEAK));
    b.is_backup();
    let fighter = again_and_again(stage.lan.host("a"), "ip address del 10.9.0.100/32 dev eth0");
    a.says("(vi_1) stepping down, to try again in 30s", 1);
    a.says("entering fault state: another program goes on removing its addresses", 1);
    b.says("entering master state: the master stepped down", 1);
    stage.held_by("b", VIP);
    drop(fighter);
    a.stop();
    b.stop();
}
