//! Adverts from peer to peer: `vrrpctl` with `vrrpctl`, and with keepalived in both roles, in both versions and families.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vrrp_cli::lab;

use crate::common::Kind::{Keepalived, Vrrpctl};
use crate::common::*;

const ROLES: [scenes::Makes; 2] = [(Vrrpctl, Keepalived), (Keepalived, Vrrpctl)];
const VIP6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100);

#[derive(Clone, Copy, Debug)]
enum Speech {
    V2,
    V3,
    V6,
    /// As far away as clouds are, and with the checksum of old versions of keepalived.
    Old,
}

const ALL: [Speech; 4] = [Speech::V2, Speech::V3, Speech::V6, Speech::Old];

/// Whose adverts come from `own`, and go to the peer of this line.
fn between_hosts(instance: Instance, own: impl Display, peer: impl Display) -> Instance {
    instance.with(format!("unicast_src_ip {own}")).with(format!("unicast_peer {{\n        {peer}\n    }}"))
}

/// An instance of host `own`, whose one peer is `peer`.
fn instance(speech: Speech, priority: u8, own: IpAddr, peer: IpAddr) -> Instance {
    let bounds = if matches!(speech, Speech::Old) { " min_ttl 64 max_ttl 64" } else { "" };
    let instance = between_hosts(Instance::new(priority), own, format!("{peer}{bounds}"));
    match speech {
        Speech::Old => instance.password(None).with("version 3").with("unicast_ttl 64").with("old_unicast_checksum"),
        Speech::V2 => instance,
        Speech::V3 => instance.password(None).with("version 3"),
        Speech::V6 => instance.password(None).with("version 3").addresses(&[&format!("{VIP6}/64")]),
    }
}

fn address(stage: &Stage, speech: Speech, host: &str) -> IpAddr {
    match speech {
        Speech::V2 | Speech::V3 | Speech::Old => stage.lan.host(host).address(0).into(),
        Speech::V6 => {
            let local = || {
                let all = stage.lan.host(host).addresses().unwrap();
                let usable = all.into_iter().filter(|one| !one.tentative && one.address != ip(VIP6));
                usable.map(|one| one.address).find(|one| matches!(one, IpAddr::V6(v6) if v6.is_unicast_link_local()))
            };
            eventually("a link-local address", || local().is_some());
            local().unwrap()
        }
    }
}

/// An election, a silent death, the return, a planned stop, the return.
fn plays(((of_a, of_b), speech): (scenes::Makes, Speech)) {
    let stage = Stage::new();
    let (own, other) = (address(&stage, speech, "a"), address(&stage, speech, "b"));
    let vip = if matches!(speech, Speech::V6) { ip(VIP6) } else { ip(VIP) };
    let start_a = || stage.start(of_a, "a", &[instance(speech, STRONG, own, other)]);
    let mut a = start_a();
    a.is_backup();
    let b = stage.start(of_b, "b", &[instance(speech, WEAK, other, own)]);
    b.is_backup();
    stage.held_by("a", vip);
    assert!(!b.said("entering master state"), "the weaker router hears the stronger one");

    stage.lan.mute("a", 0).unwrap();
    b.says("entering master state", 1);
    stage.lan.unmute("a", 0).unwrap();
    b.says("entering backup state", 2);
    stage.held_by("a", vip);

    a.stop();
    stage.held_by("b", vip);
    let _a = start_a();
    stage.held_by("a", vip);
    b.says("entering backup state", 3);
}

fn each(makes: &[scenes::Makes]) -> Vec<(scenes::Makes, Speech)> {
    makes.iter().flat_map(|makes| ALL.map(|speech| (*makes, speech))).collect()
}

#[test]
fn two_of_us() {
    if lab::privileged(two_of_us) {
        side_by_side(each(&[(Vrrpctl, Vrrpctl)]), plays);
    }
}

#[test]
fn with_keepalived_in_both_roles() {
    if tool("keepalived").is_some() && lab::privileged(with_keepalived_in_both_roles) {
        side_by_side(each(&ROLES), plays);
    }
}

/// Two pairs of addresses of the same hosts with one VRID, each with another master.
#[test]
fn one_vrid_between_two_circles() {
    if tool("keepalived").is_none() || !lab::privileged(one_vrid_between_two_circles) {
        return;
    }
    side_by_side(ROLES, |(of_a, of_b)| {
        let stage = Stage::new();
        let second = |host: &str| {
            let IpAddr::V4(first) = address(&stage, Speech::V2, host) else { panic!("IPv4") };
            let second = Ipv4Addr::from_bits(first.to_bits() + 64);
            stage.leave(host, second, 24);
            (first, second)
        };
        let (own, other) = (second("a"), second("b"));
        let start = |kind, host, (first, second), (own, other): ((Ipv4Addr, _), (_, _))| {
            let one = Instance::new(first).called("VI_1", 51, VIP);
            let two = Instance::new(second).called("VI_2", 51, VIP2);
            let one = between_hosts(one, own.0, format!("{}/24", other.0));
            stage.start(kind, host, &[one, between_hosts(two, own.1, format!("{}/24", other.1))])
        };
        let mut a = start(of_a, "a", (STRONG, WEAK), (own, other));
        let _b = start(of_b, "b", (WEAK, STRONG), (other, own));
        stage.held_by("a", VIP);
        stage.held_by("b", VIP2);
        a.stop();
        stage.held_by("b", VIP);
        assert_eq!(stage.holders_of(VIP2), ["b"]);
    });
}

/// A host that is no peer claims priority 254: the master says so, and stays. Nor is a peer heard that is too far away.
#[test]
fn a_stranger_is_not_heard() {
    if !lab::privileged(a_stranger_is_not_heard) {
        return;
    }
    let stage = Stage::new();
    let (own, stranger) = (address(&stage, Speech::V2, "a"), address(&stage, Speech::V2, "b"));
    let far = |priority| Instance::new(priority).called("VI_2", 51, VIP2);
    let near_only = between_hosts(far(WEAK), own, format!("{stranger} min_ttl 65"));
    let a = stage.start(Vrrpctl, "a", &[instance(Speech::V2, WEAK, own, [10, 9, 0, 77].into()), near_only]);
    stage.held_by("a", VIP);
    stage.held_by("a", VIP2);
    let far = between_hosts(far(254), stranger, own).with("unicast_ttl 64");
    let _b = stage.start(Vrrpctl, "b", &[instance(Speech::V2, 254, stranger, own), far]);
    a.says(&format!("(VI_2) advertisement from {stranger} dropped: TTL is 64, 65 to 255 expected of this peer"), 1);
    a.says(&format!("(VI_1) advertisement from {stranger} dropped: its sender is no peer (unicast_peer)"), 1);
    assert_eq!(a.count("entering backup state"), 2, "only at the start");
    assert!(stage.holders_of(VIP).contains(&"a") && stage.holders_of(VIP2).contains(&"a"));
}

/// Without the address that its adverts come from, a router would hear nobody; nor without peers, where it must have some.
/// A router of the group goes by its source where that is asked for, and has it on its own interface.
#[test]
fn without_its_source_it_is_in_fault() {
    if !lab::privileged(without_its_source_it_is_in_fault) {
        return;
    }
    let stage = Stage::new();
    let source = Ipv4Addr::new(10, 9, 0, 55);
    let faulty = |daemon: &Daemon, name: &str, times| {
        let why = "this host does not have the address that its adverts come from";
        daemon.says(&format!("({name}) entering fault state: {why}"), times);
    };
    let by_unicast = instance(Speech::V2, STRONG, source.into(), [10, 9, 0, 3].into());
    let closed = Instance::new(STRONG).called("VI_2", 51, VIP2).with("unicast_fault_no_peer");
    let a = stage.start(Vrrpctl, "a", &[by_unicast, closed]);
    faulty(&a, "VI_1", 1);
    a.says("(VI_2) entering fault state: it has no `unicast_peer`", 1);
    // Its own interface's: that another one has it does not count.
    stage.leave_on("b", "lo", source, 32);
    let followed = Instance::new(STRONG).called("VI_3", 53, Ipv4Addr::new(10, 9, 0, 103));
    let b = stage.vrrpctl("b", followed.with(format!("mcast_src_ip {source}")).with("track_src_ip"));
    faulty(&b, "VI_3", 1);
    stage.leave("a", source, 32);
    a.says("(VI_1) entering backup state", 1);
    stage.held_by("a", VIP);

    stage.leave("b", source, 32);
    b.says("(VI_3) entering master state", 1);
    assert!(stage.lan.host("b").drop_address(source.into()).unwrap());
    faulty(&b, "VI_3", 2);
    stage.leave("b", source, 32);
    b.says("(VI_3) entering backup state", 2);
    assert_eq!(stage.holders_of(VIP2), Vec::<&str>::new());
}

/// Without `interface` the route to the peer tells which one, and that there is one.
#[test]
fn a_router_without_interface_follows_the_route_to_its_peer() {
    if tool("keepalived").is_none() || !lab::privileged(a_router_without_interface_follows_the_route_to_its_peer) {
        return;
    }
    let stage = Stage::with_networks(2);
    let (own, other) = (address(&stage, Speech::V2, "a"), address(&stage, Speech::V2, "b"));
    let text = instance(Speech::V2, STRONG, own, other).addresses(&[&format!("{VIP}/32 dev eth1")]).to_string();
    let lines = text.lines().filter(|line| !line.contains("interface") && !line.contains("unicast_src_ip"));
    let file = stage.file("a.conf", &lines.collect::<Vec<_>>().join("\n"));
    let a = Daemon::start(Vrrpctl, stage.lan.host("a"), &file);
    a.is_backup();
    let b = stage.start(Keepalived, "b", &[instance(Speech::V2, WEAK, other, own)]);
    b.is_backup();
    stage.held_by("a", VIP);
    assert!(!b.said("entering master state"), "it hears the other one");

    let route = |words: &str| {
        let mut command = std::process::Command::new("ip");
        let namespace = stage.lan.host("a").namespace();
        let status = namespace.command(&mut command).unwrap().arg("route").args(words.split(' ')).status();
        assert!(status.unwrap().success(), "ip route {words}");
    };
    route("del 10.9.0.0/24 dev eth0");
    a.says("entering fault state: there is no route to its first peer", 1);
    stage.held_by("b", VIP);
    // By the other network, which leads there as well.
    let far = stage.lan.host("b").address(1);
    route(&format!("add {other} via {far}"));
    a.says("entering backup state", 2);
    route(&format!("del {other} via {far}"));
    a.says("entering fault state", 2);
    route(&format!("add 10.9.0.0/24 dev eth0 src {own}"));
    stage.held_by("a", VIP);
    b.says("entering backup state", 2);
}
