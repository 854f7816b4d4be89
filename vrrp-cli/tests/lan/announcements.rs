//! When and how often addresses are announced: what a client on the LAN receives for each setting, and at which pace.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use vrrp_cli::lab;

use crate::common::ear::{ANNOUNCEMENTS, Ear};
use crate::common::*;

/// Each with the announcements of an address in the first seconds, and none beyond them.
const SETTINGS: &[(&str, &str, usize)] = &[
    ("", "", 5),
    ("garp_master_repeat 3\n    garp_master_delay 1", "", 6),
    ("garp_master_delay 0", "", 5),
    ("garp_master_repeat 2\n    garp_master_delay 0", "", 2),
    ("", "vrrp_min_garp", 1),
    ("", "vrrp_garp_master_repeat 2\n    vrrp_garp_master_delay 2", 4),
    ("garp_master_repeat 1", "vrrp_garp_master_repeat 9\n    vrrp_garp_master_delay 0", 1),
    ("garp_master_refresh 2\n    garp_master_refresh_repeat 2", "vrrp_min_garp", 7),
];

#[test]
fn each_setting_has_its_number_of_announcements_on_the_wire() {
    if !lab::privileged(each_setting_has_its_number_of_announcements_on_the_wire) {
        return;
    }
    side_by_side(SETTINGS, |(own, host, expected)| {
        let stage = Stage::new();
        let mut ear = Ear::new(stage.lan.host("client"), "eth0", ANNOUNCEMENTS);
        let excluded = "virtual_ipaddress_excluded {\n 2001:db8::100/64\n }";
        let instance = Instance::new(STRONG).with(*own).with(excluded);
        let file = stage.file("a.conf", &format!("global_defs {{\n    {host}\n}}\n{instance}"));
        let mut a = Daemon::start(Kind::Vrrpctl, stage.lan.host("a"), &file);
        a.says("entering master state", 1);
        eventually("all are heard", || ear.count("10.9.0.100") >= *expected && ear.count("2001:db8::100") >= *expected);
        if !own.contains("refresh") {
            never("another one", Duration::from_secs(6), || ear.count("10.9.0.100") > *expected);
            assert_eq!(ear.count("2001:db8::100"), *expected);
        }
        a.stop();
    });
}

/// A group has one pace for all its interfaces, whatever their number of addresses.
#[test]
fn announcements_keep_their_pace() {
    if !lab::privileged(announcements_keep_their_pace) {
        return;
    }
    let addresses = ["10.9.0.100", "10.9.0.101", "10.9.0.102", "10.9.0.103"];
    let pace = Duration::from_millis(300);
    for settings in [
        "global_defs {\n vrrp_garp_interval 0.3\n vrrp_min_garp\n}\n",
        "global_defs {\n vrrp_min_garp\n}\ngarp_group {\n garp_interval 0.3\n interface eth0\n}\n",
    ] {
        let stage = Stage::new();
        let mut ear = Ear::new(stage.lan.host("client"), "eth0", ANNOUNCEMENTS);
        let file = stage.file("a.conf", &format!("{settings}{}", Instance::new(STRONG).addresses(&addresses)));
        let mut a = Daemon::start(Kind::Vrrpctl, stage.lan.host("a"), &file);
        let mut first: BTreeMap<&str, Instant> = BTreeMap::new();
        eventually("all are announced", || {
            for address in addresses {
                if let Some(at) = ear.times(address).first() {
                    first.entry(address).or_insert(*at);
                }
            }
            first.len() == addresses.len()
        });
        let mut times: Vec<_> = first.into_values().collect();
        times.sort();
        let all = *times.last().unwrap() - times[0];
        between("from first to last", all, pace * 5 / 2, pace * 3 + SLACK);
        a.stop();
    }
}

/// On an interface without adverts, switches would forget where the address is.
#[test]
fn addresses_on_other_interfaces_are_announced_again_and_again() {
    if !lab::privileged(addresses_on_other_interfaces_are_announced_again_and_again) {
        return;
    }
    let stage = Stage::with_networks(2);
    let (mut own, mut other) = (
        Ear::new(stage.lan.host("client"), "eth0", ANNOUNCEMENTS),
        Ear::new(stage.lan.host("client"), "eth1", ANNOUNCEMENTS),
    );
    let instance = Instance::new(STRONG).addresses(&["10.9.0.100", "10.8.0.100 dev eth1"]).with("garp_extra_if all 1");
    let text = format!("global_defs {{\n vrrp_min_garp\n}}\n{instance}");
    let mut a = Daemon::start(Kind::Vrrpctl, stage.lan.host("a"), &stage.file("a.conf", &text));
    eventually("it goes on", || other.count("10.8.0.100") >= 4);
    assert_eq!(own.count("10.9.0.100"), 1);
    a.stop();
}
