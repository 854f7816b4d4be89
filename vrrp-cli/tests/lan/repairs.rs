//! What others do to the host while the daemon runs: addresses taken away, interfaces renamed or made anew, a second
//! daemon, signals meant for keepalived.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use vrrp_cli::lab::{self, Host};

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
    let states = a.count("entering");
    for times in 1..=3 {
        assert!(stage.lan.host("a").drop_address(ip(VIP)).unwrap());
        a.says("(vi_1) 10.9.0.100 was removed by somebody else: put back", times);
        stage.held_by("a", VIP);
    }
    assert_eq!(a.count("entering"), states);
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
