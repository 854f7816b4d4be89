//! Adverts of many addresses: what fits an interface, and what is said of what does not.

use std::net::Ipv4Addr;

use vrrp_cli::lab;

use crate::common::Kind::Vrrpctl;
use crate::common::*;

/// So many addresses of IPv4, each in the network of its VRID.
fn v4(name: &str, vrid: u8, count: u8, priority: u8) -> Instance {
    let lines: Vec<String> = (1..=count).map(|host| format!("10.{vrid}.0.{host}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    Instance::new(priority).called(name, vrid, first(vrid)).addresses(&lines)
}

/// The same of IPv6.
fn v6(name: &str, vrid: u8, count: u8, priority: u8) -> Instance {
    let others = (1..count).map(|host| format!("fd00:{vrid}::{host:x}"));
    let lines: Vec<String> = [format!("fe80::{vrid}:1")].into_iter().chain(others).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    Instance::new(priority).called(name, vrid, VIP).password(None).with("version 3").addresses(&lines)
}

fn first(vrid: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, vrid, 0, 1)
}

/// Whether a router takes part goes by the length of its advert to the octet, however it is sent; and it takes part again as
/// soon as the interface carries it.
#[test]
fn an_advert_that_its_interface_does_not_carry_is_a_fault() {
    if !lab::privileged(an_advert_that_its_interface_does_not_carry_is_a_fault) {
        return;
    }
    let stage = Stage::new();
    let key = "0b".repeat(32);
    let hmac = format!("auth_hmac {{\n        key 9 hex:{key}\n        active_key 9\n    }}");
    let instances = |priority, peer: Ipv4Addr| {
        [
            v4("FULL", 50, 255, priority),
            v4("AH", 51, 136, priority).authentication_header(),
            v4("HMAC", 52, 137, priority).password(None).with("version 3").with(&*hmac),
            v4("MAC", 53, 144, priority).password(None).with("version 3").with("use_vmac"),
            v4("UNICAST", 54, 142, priority).with(format!("unicast_peer {{\n        {peer}\n    }}")),
            v4("FITS", 55, 141, priority),
            v6("SIX", 56, 90, priority),
            v6("SIX_MAC", 57, 90, priority).with("use_vmac"),
        ]
    };
    let (own, other) = (stage.lan.host("a").address(0), stage.lan.host("b").address(0));
    let mtu = |mtu: u32| stage.shell("a", &format!("ip link set eth0 mtu {mtu}"));
    mtu(1487);
    let mut a = stage.start(Vrrpctl, "a", &instances(STRONG, other));
    let of_six = |name: &str| {
        format!(
            "({name}) entering fault state: the MTU of eth0, 1487, is too small for its advertisement of 1488 octets"
        )
    };
    for name in ["SIX", "SIX_MAC"] {
        a.says(&of_six(name), 1);
    }
    a.says("entering master state", 6);
    let b = stage.start(Vrrpctl, "b", &instances(WEAK, own));
    for name in ["SIX", "SIX_MAC"] {
        b.says(&format!("({name}) entering master state"), 1);
    }
    assert_eq!(a.count("entering fault state"), 2, "{}", a.log());

    mtu(1488);
    a.says("entering master state", 8);
    b.says("entering backup state", 10);
    assert_eq!(b.count("entering master state"), 2, "{}", b.log());
    assert!(!b.said("dropped") && !b.said("other addresses"), "{}", b.log());

    // No IPv6 is left on the interface, either.
    mtu(600);
    let too_long = [("FULL", 1056), ("AH", 604), ("HMAC", 604), ("MAC", 604), ("UNICAST", 604)];
    for (name, length) in too_long {
        a.says(
            &format!(
                "({name}) entering fault state: the MTU of eth0, 600, is too small for its advertisement of {length}"
            ),
            1,
        );
        b.says(&format!("({name}) entering master state"), 1);
    }
    for vrid in 50..55 {
        stage.held_by("b", first(vrid));
    }
    stage.held_by("a", first(55));
    assert!(!b.said("(FITS) entering master state") && !a.said("(FITS) entering fault"), "{}", a.log());
    mtu(604);
    for name in ["AH", "HMAC", "MAC", "UNICAST"] {
        a.says(&format!("({name}) entering master state"), 2);
    }
    assert_eq!(a.count("(FULL) entering master state"), 1);
    a.stop();
    stage.held_by("b", first(55));
}
