//! VRRPv3 over IPv4 and IPv6, and each form of its checksum, between daemons of different makes.

use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use vrrp_cli::lab;

use crate::common::Kind::{Keepalived, Vrrpctl};
use crate::common::*;

/// The virtual address of IPv6 that clients ask, and the link-local one that goes before it.
const VIP6: Ipv6Addr = Ipv6Addr::new(0xfd00, 9, 0, 0, 0, 0, 0, 0x100);
const LOCAL6: &str = "fe80::100/64";

/// Long enough for a takeover that does not happen.
const A_WHILE: Duration = Duration::from_secs(6);

/// Both hold an address for a moment when it moves; longer than this is a fault.
const MOMENT: Duration = Duration::from_millis(600);

/// What one side sets.
type Side = fn(Instance) -> Instance;

/// How two routers speak with each other.
#[derive(Clone, Copy, Debug)]
struct Speech {
    of_a: Side,
    of_b: Side,
    vip: IpAddr,
}

const IPV4: Speech = Speech { of_a: v3, of_b: v3, vip: IpAddr::V4(VIP) };
const IPV6: Speech = Speech { of_a: v6, of_b: v6, vip: IpAddr::V6(VIP6) };

fn v3(instance: Instance) -> Instance {
    instance.password(None).with("version 3")
}

fn v3_plain(instance: Instance) -> Instance {
    v3(instance).with("v3_checksum_as_v2 on")
}

fn v6(instance: Instance) -> Instance {
    instance.password(None).addresses(&[LOCAL6, &format!("{VIP6}/64")])
}

/// Two routers of which the one on `a` is the stronger: it has the address, the other listens.
fn pair(makes: scenes::Makes, speech: Speech) -> (Stage, Daemon, Daemon) {
    let stage = Stage::new();
    let routers = [(speech.of_a)(Instance::new(STRONG)), (speech.of_b)(Instance::new(WEAK))];
    let (a, b) = stage.pair(makes, routers, speech.vip);
    (stage, a, b)
}

/// The whole life of a pair: election, silent death and return, planned stop and return, an orderly end.
fn life(makes: scenes::Makes, speech: Speech) {
    let vip = speech.vip;
    let (stage, a, mut b) = pair(makes, speech);
    // Absence: longer than the weaker one would need to take over.
    never("the weaker router takes over beside a master", A_WHILE, || b.said("entering master state"));

    let client = stage.client(vip);
    let muted = Instant::now();
    stage.lan.mute("a", 0).unwrap();
    b.says("entering master state", 1);
    eventually("the client is answered again", || client.replies(muted + Duration::from_secs(2)) > 20);
    let least = skew(WEAK) + Duration::from_millis(1950);
    between("silent death", client.longest_silence(muted), least, master_down(WEAK) + SLACK);

    stage.lan.unmute("a", 0).unwrap();
    b.says("entering backup state", 2);
    stage.held_by("a", vip);
    assert_eq!(a.count("entering master state"), 1, "the stronger one stayed master");
    let settled = Instant::now();
    eventually("the client is answered after the return", || client.replies(settled) > 20);

    let mut a = a;
    let asked = Instant::now();
    a.stop();
    stage.held_by("b", vip);
    eventually("the client is answered by the other", || client.replies(asked + skew(WEAK)) > 20);
    between("planned stop", client.longest_silence(asked), Duration::ZERO, skew(WEAK) + SLACK);

    let watch = stage.watch(vip);
    let returned = Instant::now();
    let mut a = stage.start(makes.0, "a", &[(speech.of_a)(Instance::new(STRONG))]);
    stage.held_by("a", vip);
    b.says("entering backup state", 3);
    between("both had the address at the return", watch.both(returned), Duration::ZERO, MOMENT);
    between("nobody had the address at the return", watch.nobody(returned), Duration::ZERO, MOMENT);

    b.stop();
    assert_eq!(stage.holders_of(vip), ["a"], "a backup that stops changes nothing");
    a.stop();
    assert!(stage.holders_of(vip).is_empty(), "the last one leaves nothing behind");
    for (make, daemon) in [(makes.0, &a), (makes.1, &b)] {
        assert!(make != Vrrpctl || !daemon.said("dropped"), "an advert of the peer was dropped");
    }
}

const ALL: [scenes::Makes; 3] = [(Vrrpctl, Vrrpctl), (Vrrpctl, Keepalived), (Keepalived, Vrrpctl)];

/// Whether the test can be done here.
fn possible<Test: Fn()>(test: Test) -> bool {
    tool("keepalived").is_some() && lab::privileged(test)
}

#[test]
fn version_3_over_ipv4() {
    if possible(version_3_over_ipv4) {
        side_by_side(ALL, |makes| life(makes, IPV4));
    }
}

#[test]
fn version_3_over_ipv6() {
    if possible(version_3_over_ipv6) {
        side_by_side(ALL, |makes| life(makes, IPV6));
    }
}

/// Without a link-local address in front, as most configurations of keepalived have it. (RFC 9568 section 5.2.9 wants one.)
#[test]
fn global_addresses_of_ipv6_alone() {
    if possible(global_addresses_of_ipv6_alone) {
        let alone: Side = |instance| instance.password(None).addresses(&[&format!("{VIP6}/64")]);
        let speech = Speech { of_a: alone, of_b: alone, ..IPV6 };
        side_by_side(ALL, |makes| {
            life(makes, speech);
            let (_stage, a, b) = pair(makes, speech);
            for (make, daemon) in [(makes.0, &a), (makes.1, &b)] {
                assert!(make != Vrrpctl || daemon.said("W016"), "the configuration is not told of");
            }
            if makes.1 == Vrrpctl {
                b.says("fe80::2 advertises a first address that is not link-local; accepted", 1);
            }
        });
    }
}

/// In strict mode we hold to the RFC: such an advert does not count.
#[test]
fn a_list_that_begins_global_is_dropped_in_strict_mode() {
    if possible(a_list_that_begins_global_is_dropped_in_strict_mode) {
        let stage = Stage::new();
        let strict = v6(Instance::new(WEAK)).with("strict_mode");
        let alone = Instance::new(STRONG).password(None).addresses(&[&format!("{VIP6}/64")]);
        let ours = stage.start(Vrrpctl, "b", &[strict]);
        ours.says("entering master state", 1);
        let theirs = stage.start(Keepalived, "a", &[alone]);
        eventually("both are masters", || stage.holders_of(VIP6) == ["a", "b"]);
        ours.says("link-local one (fe80::/10) expected, and strict is set", 1);
        theirs.says("entering master state", 1);
        assert_eq!(ours.count("entering backup state"), 1, "it obeyed what it must drop");
    }
}

/// VRRPv2 with an Authentication Header (RFC 2338 section 5.3.6.3).
#[test]
fn authentication_header() {
    if possible(authentication_header) {
        let signed = Speech { of_a: Instance::authentication_header, of_b: Instance::authentication_header, ..IPV4 };
        side_by_side(ALL, |makes| life(makes, signed));
    }
}

/// A trailer behind each advert, in both versions and families. (keepalived has it since 2.4.2 only.)
#[test]
fn signed_adverts() {
    if lab::privileged(signed_adverts) {
        let speeches: [(Side, IpAddr); 3] = [
            (|instance| signed(instance, "07"), VIP.into()),
            (|instance| signed(v3(instance), "07"), VIP.into()),
            (|instance| signed(v6(instance), "07"), VIP6.into()),
        ];
        side_by_side(speeches, |(side, vip)| life((Vrrpctl, Vrrpctl), Speech { of_a: side, of_b: side, vip }));
    }
}

/// Neither an advert with another key nor one without counts.
#[test]
fn adverts_that_are_signed_otherwise_are_dropped() {
    if lab::privileged(adverts_that_are_signed_otherwise_are_dropped) {
        let others: [(Side, &str); 2] = [
            (|instance| signed(instance, "08"), "HMAC does not fit"),
            (|instance| instance.password(None), "it carries no HMAC trailer"),
        ];
        side_by_side(others, |(other, why)| {
            let stage = Stage::new();
            let weak = stage.start(Vrrpctl, "b", &[signed(Instance::new(WEAK), "07")]);
            weak.says("entering master state", 1);
            let strong = stage.start(Vrrpctl, "a", &[other(Instance::new(STRONG))]);
            weak.says(why, 1);
            strong.says("entering master state", 1);
            assert_eq!(weak.count("entering backup state"), 1, "it obeyed what it could not trust");
        });
    }
}

fn signed(instance: Instance, octet: &str) -> Instance {
    let key = octet.repeat(32);
    instance.password(None).with(format!("auth_hmac {{\n        key 9 hex:{key}\n        active_key 9\n    }}"))
}

/// The form of the checksum that RFC 9568 wants, on both sides or on one.
#[test]
fn the_checksum_without_pseudo_header() {
    if lab::privileged(the_checksum_without_pseudo_header) {
        let forms = [(v3_plain as Side, v3_plain as Side), (v3, v3_plain)];
        side_by_side(forms, |(of_a, of_b)| life((Vrrpctl, Vrrpctl), Speech { of_a, of_b, ..IPV4 }));
    }
}

/// keepalived sends and takes the form with pseudo-header. We take it too when we are to send the other.
#[test]
fn we_take_keepaliveds_checksum_whatever_we_send() {
    if possible(we_take_keepaliveds_checksum_whatever_we_send) {
        let (_stage, _a, b) = {
            let speech = Speech { of_a: v3, of_b: v3_plain, ..IPV4 };
            life((Keepalived, Vrrpctl), speech);
            pair((Keepalived, Vrrpctl), speech)
        };
        b.says("10.9.0.2 sends the other form of VRRPv3's checksum; accepted", 1);
    }
}

/// The other way round it is not so: keepalived 2.2.7 knows one form, and takes a router that sends the other for nobody. Our
/// default is its form, with which the same two agree.
#[test]
fn keepalived_takes_no_checksum_without_pseudo_header() {
    if possible(keepalived_takes_no_checksum_without_pseudo_header) {
        let stage = Stage::new();
        let theirs = stage.start(Keepalived, "b", &[v3(Instance::new(WEAK))]);
        stage.held_by("b", VIP);
        let mut plain = stage.start(Vrrpctl, "a", &[v3_plain(Instance::new(STRONG))]);
        eventually("both are masters", || stage.holders_of(VIP) == ["a", "b"]);
        theirs.says("(VI_1) Invalid VRRPv3 checksum", 1);
        plain.says("10.9.0.3 sends the other form of VRRPv3's checksum; accepted", 1);
        plain.stop();
        stage.held_by("b", VIP);
        let refused = theirs.count("Invalid VRRPv3 checksum");
        assert_eq!(theirs.count("entering backup state"), 1, "it obeyed what it could not read");
        let usual = stage.start(Vrrpctl, "a", &[v3(Instance::new(STRONG))]);
        stage.held_by("a", VIP);
        theirs.says("entering backup state", 2);
        assert_eq!(theirs.count("Invalid VRRPv3 checksum"), refused);
        assert!(!usual.said("the other form"), "both send the same");
    }
}
