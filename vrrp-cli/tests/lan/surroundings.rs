//! Virtual addresses that the host has of its own, and those that no neighbour would look for.

use vrrp_cli::lab;

use crate::common::Kind::Vrrpctl;
use crate::common::*;

/// Each is told with its place; the daemon serves all the same.
#[test]
fn addresses_that_the_host_has_or_does_not_reach_are_told_at_the_start() {
    if !lab::privileged(addresses_that_the_host_has_or_does_not_reach_are_told_at_the_start) {
        return;
    }
    let stage = Stage::with_networks(2);
    stage.shell(
        "a",
        "ip address add 10.9.0.100/24 dev eth1 && ip address add 10.9.0.101/24 dev eth0 && \
         ip address add 10.9.0.102/32 dev lo && ip address add fe80::7/64 dev eth1 nodad && \
         ip address add fd00:9::7/64 dev eth0 nodad",
    );
    let lines = [
        "10.9.0.100",
        "10.9.0.101",
        "10.9.0.102",
        "10.9.0.103",
        "10.8.0.1",
        "10.7.0.1/24",
        "10.7.0.2",
        "10.6.0.1 dev eth1",
        "10.5.0.1 peer 10.5.0.2/32",
    ];
    let excluded = "virtual_ipaddress_excluded {\n        fe80::7\n        fd00:8::1\n        fd00:9::8\n    }";
    let mut a = stage.vrrpctl("a", Instance::new(STRONG).addresses(&lines).with(excluded));
    stage.held_by("a", VIP2);
    a.says("entering master state", 1);
    let told = [
        "warning[w061]: 10.9.0.100/24 is on `eth1` already, and stays there whoever is master",
        "warning[w061]: 10.9.0.101/24 is on `eth0` already",
        "warning[w061]: 10.9.0.102/32 is on `lo` already",
        "warning[w062]: 10.8.0.1 lies outside of every subnet of `eth0`",
        "warning[w062]: 10.6.0.1 lies outside of every subnet of `eth1`",
        "warning[w062]: fd00:8::1 lies outside of every subnet of `eth0`",
    ];
    for line in told {
        assert_eq!(a.count(line), 1, "{line}\n{}", a.log());
    }
    assert_eq!(a.count("warning["), told.len(), "{}", a.log());
    assert!(a.said("help: this host would answer for it while another one is master") && a.said("-0.conf:21:9"));
    a.stop();
    stage.held_by("a", VIP);

    // Where the host does not answer for them, addresses of the loopback interface are nobody's business; and a comment
    // silences what is meant so.
    stage.shell("a", "sysctl -qw net.ipv4.conf.eth0.arp_ignore=1");
    let quiet = Instance::new(STRONG).addresses(&["10.9.0.102", "10.8.0.1 # vrrpctl: allow W062"]);
    let mut a = stage.vrrpctl("a", quiet);
    a.is_backup();
    assert!(!a.said("warning["), "{}", a.log());
    a.stop();

    // Nothing is told of what a daemon that was killed has left elsewhere: the next one takes it from there.
    let mut killed = stage.vrrpctl("a", Instance::new(STRONG).addresses(&["10.9.0.110 dev eth1"]));
    killed.says("entering master state", 1);
    stage.held_by("a", [10, 9, 0, 110]);
    killed.process.signal_all(nix::sys::signal::Signal::SIGKILL).unwrap();
    killed.process.wait(PATIENCE).unwrap();
    let mut a = stage.vrrpctl("a", Instance::new(STRONG).addresses(&["10.9.0.110"]));
    a.is_backup();
    assert!(!a.said("warning["), "{}", a.log());
    a.stop();
}

/// The physical MAC address would answer beside the virtual one, and go on when another host is Master.
#[test]
fn an_owner_with_a_virtual_mac_address_has_its_address_there_alone() {
    if !lab::privileged(an_owner_with_a_virtual_mac_address_has_its_address_there_alone) {
        return;
    }
    let stage = Stage::new();
    let owner = || Instance::new(255).with("use_vmac").addresses(&["10.9.0.100/24"]);
    stage.leave("a", VIP, 24);
    let mut refused = stage.vrrpctl("a", owner());
    assert_eq!(refused.process.wait(PATIENCE).and_then(|status| status.code()), Some(2));
    assert!(
        refused.said("error[e064]: 10.9.0.100/24 is an address of `eth0` itself") && refused.said("-0.conf:17:9"),
        "{}",
        refused.log()
    );
    // Not an owner: what is there is told, since it may be a mistake.
    let mut told = stage.vrrpctl("a", Instance::new(254).with("use_vmac").addresses(&["10.9.0.100/24"]));
    told.is_backup();
    assert!(told.said("warning[w061]: 10.9.0.100/24 is on `eth0` already"), "{}", told.log());
    told.stop();
    stage.shell("a", "ip address del 10.9.0.100/24 dev eth0");
    let mut a = stage.start(Vrrpctl, "a", &[owner()]);
    a.says("entering master state", 1);
    stage.client(VIP);
    assert_eq!(stage.neighbour(VIP).as_deref(), Some("00:00:5e:00:01:32"));
    a.stop();
    stage.held_by_nobody(VIP);
}

/// A router of IPv6 waits for it; one of IPv4 that has such an address besides does not serve a part of what it should.
#[test]
fn an_interface_without_ipv6_is_told_and_waited_for() {
    if !lab::privileged(an_interface_without_ipv6_is_told_and_waited_for) {
        return;
    }
    let stage = Stage::new();
    stage.shell("a", "sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1");
    let six = Instance::new(STRONG).called("VI_6", 60, VIP).password(None).with("version 3");
    let mixed = Instance::new(STRONG).with("virtual_ipaddress_excluded {\n        fd00:9::61/64\n    }");
    let mut a = stage.start(Vrrpctl, "a", &[six.addresses(&["fe80::100/64"]), mixed]);
    a.says("(VI_6) entering fault state: its interface has no usable link-local IPv6 address to send from", 1);
    a.says("(VI_1) fd00:9::61 (", 1);
    a.says("(ipv6: ipv6 is disabled on this device)", 1);
    a.says("(VI_1) entering fault state: the kernel refused its addresses", 1);
    stage.held_by_nobody(VIP);
    let own = stage.lan.host("a").link_local();
    let give = format!("ip address add {own}/64 dev eth0 nodad");
    stage.shell("a", &format!("sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0 && {give}"));
    a.says("(VI_6) entering master state", 1);
    a.stop();
    stage.held_by_nobody(VIP);
}
