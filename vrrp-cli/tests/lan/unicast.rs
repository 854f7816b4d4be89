//! Adverts from peer to peer: `vrrpctl` with `vrrpctl`, and with keepalived in both roles, in both versions and families.

use std::net::{IpAddr, Ipv6Addr};

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
}

const ALL: [Speech; 3] = [Speech::V2, Speech::V3, Speech::V6];

/// An instance of host `own`, whose one peer is `peer`.
fn instance(speech: Speech, priority: u8, own: IpAddr, peer: IpAddr) -> Instance {
    let instance = Instance::new(priority)
        .with(format!("unicast_src_ip {own}"))
        .with(format!("unicast_peer {{\n        {peer}\n    }}"));
    match speech {
        Speech::V2 => instance,
        Speech::V3 => instance.password(None).with("version 3"),
        Speech::V6 => instance.password(None).with("version 3").addresses(&[&format!("{VIP6}/64")]),
    }
}

fn address(stage: &Stage, speech: Speech, host: &str) -> IpAddr {
    match speech {
        Speech::V2 | Speech::V3 => stage.lan.host(host).address(0).into(),
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

/// A host that is no peer claims priority 254: the master says so, and stays.
#[test]
fn a_stranger_is_not_heard() {
    if !lab::privileged(a_stranger_is_not_heard) {
        return;
    }
    let stage = Stage::new();
    let (own, stranger) = (address(&stage, Speech::V2, "a"), address(&stage, Speech::V2, "b"));
    let a = stage.vrrpctl("a", instance(Speech::V2, WEAK, own, [10, 9, 0, 77].into()));
    stage.held_by("a", VIP);
    let _b = stage.vrrpctl("b", instance(Speech::V2, 254, stranger, own));
    a.says(&format!("(VI_1) advertisement from {stranger} dropped: its sender is no peer (unicast_peer)"), 1);
    assert_eq!(a.count("entering backup state"), 1, "only at its start");
    assert!(stage.holders_of(VIP).contains(&"a"));
}

/// Without the address that its adverts come from, a router would hear nobody.
#[test]
fn without_its_source_it_is_in_fault() {
    if !lab::privileged(without_its_source_it_is_in_fault) {
        return;
    }
    let stage = Stage::new();
    let a = stage.vrrpctl("a", instance(Speech::V2, STRONG, [10, 9, 0, 55].into(), [10, 9, 0, 3].into()));
    a.says("entering fault state: this host does not have the address that its adverts come from", 1);
    stage.leave("a", std::net::Ipv4Addr::new(10, 9, 0, 55), 32);
    a.says("entering backup state", 1);
    stage.held_by("a", VIP);
}
