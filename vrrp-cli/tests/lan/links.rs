//! Interfaces that go and come, several of them, and what the kernel is asked for: `dev`, `label`, `brd`, `scope`.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use vrrp_cli::lab;
use vrrp_netlink::addresses::{Address, Scope};

use crate::common::Kind::{Keepalived, Vrrpctl};
use crate::common::*;

#[test]
fn the_cable_is_pulled_and_put_back() {
    if lab::privileged(the_cable_is_pulled_and_put_back) {
        scenes::link_down_and_up((Vrrpctl, Vrrpctl));
    }
}

#[test]
fn the_interface_is_switched_off_and_on() {
    if !lab::privileged(the_interface_is_switched_off_and_on) {
        return;
    }
    let stage = Stage::new();
    let (mut a, b) = stage.two();
    stage.set_up("a", false);
    a.says("(VI_1) entering fault state: its interface is down", 1);
    stage.held_by("b", VIP);
    stage.set_up("a", true);
    a.says("entering backup state", 2);
    stage.held_by("a", VIP);
    b.says("entering backup state", 2);
    a.stop();
    stage.held_by("b", VIP);
}

#[test]
fn an_interface_that_is_down_at_the_start_is_waited_for() {
    if !lab::privileged(an_interface_that_is_down_at_the_start_is_waited_for) {
        return;
    }
    let stage = Stage::new();
    stage.lan.cut("a", 0).unwrap();
    let mut a = stage.vrrpctl("a", Instance::new(STRONG));
    a.says("(VI_1) entering fault state: its interface is down", 1);
    stage.lan.mend("a", 0).unwrap();
    a.says("entering backup state", 1);
    stage.held_by("a", VIP);
    stage.lan.cut("a", 0).unwrap();
    a.says("entering fault state", 2);
    a.stop();
    assert!(stage.holders_of(VIP).is_empty());
}

/// A fault of one interface is not one of the others.
#[test]
fn instances_on_several_interfaces_are_independent() {
    if !lab::privileged(instances_on_several_interfaces_are_independent) {
        return;
    }
    let stage = Stage::with_networks(3);
    let address = |network| Ipv4Addr::new(10, 9, network, 100);
    // The same VRID on each: it is unique on its LAN only.
    let on = |network: u8, priority| {
        Instance::new(priority).called(&format!("VI_{network}"), 50, address(network)).on(&format!("eth{network}"))
    };
    let of = |priority| [0, 1, 2].map(|network| on(network, priority));
    let mut a = stage.start(Vrrpctl, "a", &of(STRONG));
    let mut b = stage.start(Vrrpctl, "b", &of(WEAK));
    for network in 0..3 {
        stage.held_by("a", address(network));
    }
    stage.lan.cut("a", 1).unwrap();
    stage.held_by("b", address(1));
    assert!(a.said("(VI_1) entering fault state") && a.count("entering fault state") == 1);
    assert_eq!([0, 2].map(|network| stage.holders_of(address(network))), [["a"], ["a"]]);
    stage.lan.mend("a", 1).unwrap();
    stage.held_by("a", address(1));
    a.stop();
    for network in 0..3 {
        stage.held_by("b", address(network));
    }
    b.stop();
    assert!((0..3).all(|network| stage.holders_of(address(network)).is_empty()));
}

/// Each option of an address is found in the kernel's own list.
#[test]
fn addresses_are_installed_as_asked() {
    if !lab::privileged(addresses_are_installed_as_asked) {
        return;
    }
    let stage = Stage::with_networks(2);
    let before = ipv4_of(stage.lan.host("a"));
    let mut a = stage.vrrpctl(
        "a",
        Instance::new(254).addresses(&[
            "10.9.0.100",
            "10.9.0.101/24",
            "10.9.1.102/28 dev eth1",
            "10.9.0.103/32 label eth0:web",
            "10.9.0.104/24 brd +",
            "10.9.0.105/28 brd 10.9.0.250 dev eth0 scope link label eth0:x",
            "10.9.0.106/32 scope host",
            "10.9.0.107/32 scope global dev eth0",
        ]),
    );
    eventually("all addresses are there", || ipv4_of(stage.lan.host("a")).len() == before.len() + 8);
    let all = ipv4_of(stage.lan.host("a"));
    let index = |network: u8| {
        let own = ip(stage.lan.host("a").address(network));
        before.iter().find(|one| one.address == own).unwrap().index
    };
    let expect = |last: u8, network: u8, prefix_len: u8, change: fn(&mut Address)| {
        let address = ip(Ipv4Addr::new(10, 9, network, last));
        let mut expected = Address::new(index(network), address, prefix_len);
        expected.label = Some(format!("eth{network}"));
        // A second address of a subnet is secondary; that is the kernel's word, not ours.
        let found = all.iter().find(|one| one.address == address).unwrap();
        expected.secondary = found.secondary;
        change(&mut expected);
        assert_eq!(*found, expected);
    };
    expect(100, 0, 32, |_| {});
    expect(101, 0, 24, |_| {});
    expect(102, 1, 28, |_| {});
    expect(103, 0, 32, |one| one.label = Some("eth0:web".to_owned()));
    expect(104, 0, 24, |one| one.broadcast = Some(Ipv4Addr::new(10, 9, 0, 255)));
    expect(105, 0, 28, |one| {
        one.broadcast = Some(Ipv4Addr::new(10, 9, 0, 250));
        one.scope = Scope::LINK;
        one.label = Some("eth0:x".to_owned());
    });
    expect(106, 0, 32, |one| one.scope = Scope::HOST);
    expect(107, 0, 32, |_| {});
    a.stop();
    assert_eq!(ipv4_of(stage.lan.host("a")), before);
}

/// Many routers on one interface: all of them elect, and all move when their host dies.
#[test]
fn fifty_instances_converge() {
    if !lab::privileged(fifty_instances_converge) {
        return;
    }
    let stage = Stage::new();
    let address = |number: u8| Ipv4Addr::new(10, 9, 0, 100 + number);
    let of = |priority| {
        let instance = |number| Instance::new(priority).called(&format!("VI_{number}"), 10 + number, address(number));
        (0..50).map(instance).collect::<Vec<_>>()
    };
    let mut a = stage.start(Vrrpctl, "a", &of(STRONG));
    a.says("entering backup state", 50);
    let mut b = stage.start(Vrrpctl, "b", &of(WEAK));
    // One look at a list instead of one for each address.
    let held = |host: &str| {
        let all = stage.lan.addresses(host).unwrap();
        (0..50).filter(|number| all.iter().any(|one| one.address == ip(address(*number)))).count()
    };
    eventually("the stronger one has all", || (held("a"), held("b")) == (50, 0));
    assert!(!b.said("entering master state"));
    a.process.kill().unwrap();
    eventually("the weaker one has all", || held("b") == 50);
    b.stop();
    assert_eq!(held("b"), 0);
}

/// A cut network makes two masters of such routers, and one of them when it is whole again; who starts then starts as well.
#[test]
fn without_tracking_a_router_goes_on_while_its_link_is_cut() {
    if !lab::privileged(without_tracking_a_router_goes_on_while_its_link_is_cut) {
        return;
    }
    let makes = [(Vrrpctl, Vrrpctl), (Keepalived, Vrrpctl)];
    let makes = makes.into_iter().filter(|(strong, _)| *strong == Vrrpctl || tool("keepalived").is_some());
    side_by_side(makes, |(strong, weak)| {
        let stage = Stage::new();
        let of = |priority| Instance::new(priority).with("dont_track_primary");
        stage.lan.cut("a", 0).unwrap();
        let mut a = stage.start(strong, "a", &[of(STRONG)]);
        stage.held_by("a", VIP);
        let mut b = stage.start(weak, "b", &[of(WEAK)]);
        eventually("both are master", || stage.holders_of(VIP) == ["a", "b"]);
        stage.lan.mend("a", 0).unwrap();
        stage.held_by("a", VIP);
        stage.client(VIP);
        stage.lan.cut("a", 0).unwrap();
        eventually("both are master again", || stage.holders_of(VIP) == ["a", "b"]);
        stage.lan.mend("a", 0).unwrap();
        stage.held_by("a", VIP);
        if strong == Vrrpctl {
            assert_eq!(a.count("entering fault state"), 0, "it never cared for the link");
            assert_eq!(a.count("entering master state"), 1);
        }
        a.stop();
        stage.held_by("b", VIP);
        b.stop();
    });
}

/// IPv4 addresses outlast it, so nothing changes; nothing can be sent meanwhile.
#[test]
fn without_tracking_an_interface_may_be_switched_off() {
    if !lab::privileged(without_tracking_an_interface_may_be_switched_off) {
        return;
    }
    let stage = Stage::new();
    let mut a = stage.vrrpctl("a", Instance::new(STRONG).with("dont_track_primary"));
    stage.held_by("a", VIP);
    stage.set_up("a", false);
    never("it falls", master_down(STRONG), || a.said("entering fault state"));
    stage.set_up("a", true);
    assert_eq!(stage.holders_of(VIP), ["a"]);
    a.stop();
    assert!(stage.holders_of(VIP).is_empty());
}

/// What flaps does not count; what lasts does, after its delay.
#[test]
fn an_interface_that_flaps_is_waited_for() {
    if !lab::privileged(an_interface_that_flaps_is_waited_for) {
        return;
    }
    let (down, up) = (Duration::from_secs(5), Duration::from_secs(2));
    let stage = Stage::new();
    let instance = Instance::new(STRONG).with("down_timer_adverts 10");
    let delays = "interface_up_down_delays {\n    eth0 5 2\n}\n";
    let mut a = stage.start_with(Vrrpctl, "a", &[instance], delays);
    stage.held_by("a", VIP);
    stage.lan.cut("a", 0).unwrap();
    stage.lan.mend("a", 0).unwrap();
    never("it falls", down + up, || a.said("entering fault state"));
    assert_eq!(stage.holders_of(VIP), ["a"]);
    let cut = Instant::now();
    stage.lan.cut("a", 0).unwrap();
    a.says("entering fault state", 1);
    assert!(cut.elapsed() >= down, "{:?}", cut.elapsed());
    let mended = Instant::now();
    stage.lan.mend("a", 0).unwrap();
    a.says("entering backup state", 2);
    assert!(mended.elapsed() >= up, "{:?}", mended.elapsed());
    stage.held_by("a", VIP);
    a.stop();
}
