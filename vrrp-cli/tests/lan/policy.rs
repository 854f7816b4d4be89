//! What instances depend on: tracked interfaces, sync groups over two networks, alone and beside keepalived.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use vrrp_cli::lab;

use crate::common::Kind::{Keepalived, Vrrpctl};
use crate::common::*;

/// The makes of the daemons on `a` and `b`.
const MAKES: [scenes::Makes; 3] = [(Vrrpctl, Vrrpctl), (Vrrpctl, Keepalived), (Keepalived, Vrrpctl)];

/// The virtual address on the network of this number.
pub(crate) fn address(network: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 9, network, 100)
}

/// An instance on the network of this number.
pub(crate) fn on(network: u8, priority: u8) -> Instance {
    Instance::new(priority)
        .called(&format!("VI_{network}"), 50 + network, address(network))
        .on(&format!("eth{network}"))
}

/// Both instances of [`on`] in one sync group.
pub(crate) const GROUP: &str = "vrrp_sync_group G {\n    group {\n        VI_0\n        VI_1\n    }\n}\n";

fn makes() -> impl Iterator<Item = scenes::Makes> {
    let keepalived = tool("keepalived").is_some();
    MAKES.into_iter().filter(move |makes| keepalived || *makes == (Vrrpctl, Vrrpctl))
}

#[test]
fn an_interface_without_weight_is_a_fault_that_is_named() {
    if !lab::privileged(an_interface_without_weight_is_a_fault_that_is_named) {
        return;
    }
    let stage = Stage::with_networks(2);
    let mut a = stage.vrrpctl("a", Instance::new(STRONG).with("track_interface {\n        eth1\n    }"));
    a.is_backup();
    let _b = stage.vrrpctl("b", Instance::new(WEAK));
    stage.held_by("a", VIP);
    stage.lan.cut("a", 1).unwrap();
    stage.held_by("b", VIP);
    a.says("(VI_1) entering fault state: interface eth1 is down", 1);
    stage.lan.mend("a", 1).unwrap();
    stage.held_by("a", VIP);
    a.stop();
    stage.held_by("b", VIP);
}

#[test]
fn an_interface_that_is_down_or_missing_at_the_start_is_waited_for() {
    if !lab::privileged(an_interface_that_is_down_or_missing_at_the_start_is_waited_for) {
        return;
    }
    let stage = Stage::with_networks(2);
    stage.lan.cut("a", 1).unwrap();
    let track = "track_interface {\n        eth1\n        wg7 weight 10\n    }";
    let mut a = stage.vrrpctl("a", Instance::new(STRONG).with(track));
    a.says("(VI_1) entering fault state: interface eth1 is down", 1);
    assert_eq!(a.count("warning[W060]: interface `wg7` does not exist on this host"), 1);
    assert!(a.said("        wg7 weight 10") && a.count("W060") == 1, "the line of the one that is missing");
    stage.lan.mend("a", 1).unwrap();
    stage.held_by("a", VIP);
    a.stop();
}

#[test]
fn an_interface_with_weight_moves_the_priority_and_the_address() {
    if !lab::privileged(an_interface_with_weight_moves_the_priority_and_the_address) {
        return;
    }
    side_by_side(makes(), |(strong, weak)| {
        let stage = Stage::with_networks(2);
        let track = "track_interface {\n        eth1 weight -60\n    }";
        let a = stage.start(strong, "a", &[Instance::new(STRONG).with(track)]);
        a.is_backup();
        let _b = stage.start(weak, "b", &[Instance::new(WEAK)]);
        stage.held_by("a", VIP);
        stage.lan.cut("a", 1).unwrap();
        stage.held_by("b", VIP);
        if strong == Vrrpctl {
            a.says("(VI_1) priority is 90 now, configured is 150", 1);
        }
        stage.lan.mend("a", 1).unwrap();
        stage.held_by("a", VIP);
        assert!(!a.said("entering fault state"));
    });
}

/// Cut one network of two: with a group both addresses move, and both return.
#[test]
fn a_sync_group_moves_as_one() {
    if !lab::privileged(a_sync_group_moves_as_one) {
        return;
    }
    side_by_side(makes(), |(strong, weak)| {
        let stage = Stage::with_networks(2);
        let a = stage.start_with(strong, "a", &[on(0, STRONG), on(1, STRONG)], GROUP);
        a.is_backup();
        let b = stage.start_with(weak, "b", &[on(0, WEAK), on(1, WEAK)], GROUP);
        let both = |host| [0, 1].iter().for_each(|network| stage.held_by(host, address(*network)));
        both("a");
        for network in [1, 0] {
            stage.lan.cut("a", network).unwrap();
            both("b");
            stage.lan.mend("a", network).unwrap();
            both("a");
        }
        if strong == Vrrpctl {
            a.says("(VI_1) entering fault state: its interface is down", 1);
            a.says("(VI_0) entering fault state: VI_1 of its sync group cannot take part", 1);
            a.says("[G] sync group is MASTER now", 3);
        }
        if weak == Vrrpctl {
            b.says("[G] sync group is MASTER now", 2);
            assert_eq!(b.count("entering fault state"), 0);
        }
    });
}

/// The other way: a group that is not one router's fault but another's claim. The stronger one returns on one network only.
#[test]
fn a_group_waits_for_all_its_networks() {
    if !lab::privileged(a_group_waits_for_all_its_networks) {
        return;
    }
    let stage = Stage::with_networks(2);
    let _b = stage.start_with(Vrrpctl, "b", &[on(0, WEAK), on(1, STRONG)], GROUP);
    let both = |host| [0, 1].iter().for_each(|network| stage.held_by(host, address(*network)));
    both("b");
    // Stronger on one network, weaker on the other: it never takes half.
    let a = stage.start_with(Vrrpctl, "a", &[on(0, STRONG), on(1, WEAK)], GROUP);
    a.is_backup();
    never("the newcomer takes anything", 2 * master_down(WEAK), || a.said("entering master state"));
    both("b");
    stage.lan.cut("b", 1).unwrap();
    both("a");
}

#[test]
fn without_a_group_only_the_one_moves() {
    if !lab::privileged(without_a_group_only_the_one_moves) {
        return;
    }
    side_by_side(makes(), |(strong, weak)| {
        let stage = Stage::with_networks(2);
        let a = stage.start(strong, "a", &[on(0, STRONG), on(1, STRONG)]);
        a.is_backup();
        let _b = stage.start(weak, "b", &[on(0, WEAK), on(1, WEAK)]);
        stage.held_by("a", address(0));
        stage.held_by("a", address(1));
        stage.lan.cut("a", 1).unwrap();
        stage.held_by("b", address(1));
        assert_eq!(stage.holders_of(address(0)), ["a"]);
    });
}

const GROUPS: &str = "vrrp_sync_group G1 {\n    group {\n        A_0\n        A_1\n    }\n}\n\
                      vrrp_sync_group G2 {\n    group {\n        B_0\n        B_1\n    }\n}\n";

/// Two networks, dual master: four instances in two groups.
#[test]
fn two_groups_that_back_each_other_up() {
    if !lab::privileged(two_groups_that_back_each_other_up) {
        return;
    }
    let address = |group: u8, network: u8| Ipv4Addr::new(10, 9, network, 100 + group);
    let member = |group: u8, network: u8, priority| {
        let name = format!("{}_{network}", if group == 0 { "A" } else { "B" });
        Instance::new(priority)
            .called(&name, 50 + 10 * group + network, address(group, network))
            .on(&format!("eth{network}"))
    };
    let of = |first, second| [member(0, 0, first), member(0, 1, first), member(1, 0, second), member(1, 1, second)];
    side_by_side(makes(), |(strong, weak)| {
        let stage = Stage::with_networks(2);
        let mut a = stage.start_with(strong, "a", &of(STRONG, WEAK), GROUPS);
        a.is_backup();
        let _b = stage.start_with(weak, "b", &of(WEAK, STRONG), GROUPS);
        let group = |host, group| [0, 1].iter().for_each(|network| stage.held_by(host, address(group, *network)));
        group("a", 0);
        group("b", 1);
        stage.lan.cut("a", 0).unwrap();
        group("b", 0);
        group("b", 1);
        stage.lan.mend("a", 0).unwrap();
        group("a", 0);
        group("b", 1);
        a.stop();
        group("b", 0);
        group("b", 1);
    });
}

/// What a daemon says of its delay when it starts.
fn seconds_left(daemon: &Daemon) -> f32 {
    let start = "entering BACKUP state: started; startup delay, ";
    daemon.says(start, 1);
    let log = daemon.log();
    let (_, left) = log.split_once(start).unwrap();
    left.split_once(" s left\n").unwrap().0.parse().unwrap()
}

const DELAY: Duration = Duration::from_secs(5);

/// Whoever is master meanwhile is known at the end. The delay of `a` counts from its own start, that of `b` from the boot.
#[test]
fn what_is_heard_meanwhile_counts_for_the_daemon_too() {
    if !lab::privileged(what_is_heard_meanwhile_counts_for_the_daemon_too) {
        return;
    }
    let stage = Stage::new();
    let file = |name: &str, settings: &str, instances: &[Instance]| {
        let blocks: String = instances.iter().map(Instance::to_string).collect();
        stage.file(name, &format!("global_defs {{\n    router_id {name}\n{settings}}}\n\n{blocks}"))
    };
    let started = Instant::now();
    let settings = "    vrrp_startup_delay 5\n    vrrp_delay_after_boot 1\n";
    let strong = [Instance::new(STRONG), Instance::new(WEAK).called("VI_2", 51, VIP2)];
    let a = Daemon::start(Vrrpctl, stage.lan.host("a"), &file("a.conf", settings, &strong));
    assert!((4.0..=5.0).contains(&seconds_left(&a)));
    let _b = stage.vrrpctl("b", Instance::new(WEAK));
    stage.held_by("b", VIP);
    assert!(started.elapsed() < DELAY, "too slow to tell anything: {:?}", started.elapsed());
    stage.held_by("a", VIP);
    between("a weaker master is replaced", started.elapsed(), DELAY, DELAY + SLACK);
    a.says("(VI_1) entering master state: the startup delay is over, the master has a lower priority", 1);
    stage.held_by("a", VIP2);
    between("nobody was heard", started.elapsed(), DELAY + master_down(WEAK), DELAY + master_down(WEAK) + SLACK);
}

#[test]
fn the_delay_after_boot_ends_so_long_after_the_boot() {
    if !lab::privileged(the_delay_after_boot_ends_so_long_after_the_boot) || tool("unshare").is_none() {
        return;
    }
    if !Path::new("/proc/self/ns/time").exists() {
        eprintln!("skipped: this kernel has no time namespaces");
        return;
    }
    let stage = Stage::new();
    let settings = "    vrrp_startup_delay 1\n    vrrp_delay_after_boot 104\n";
    let file = stage.file("a.conf", &format!("global_defs {{\n{settings}}}\n\n{}", Instance::new(255).with("accept")));
    let started = Instant::now();
    let booted = Duration::from_secs(100);
    let a = Daemon::start_after_boot(booted, stage.lan.host("a"), &file);
    assert!((2.5..=4.0).contains(&seconds_left(&a)));
    stage.held_by("a", VIP);
    let second = Duration::from_secs(1);
    between("the owner's wait", started.elapsed(), 3 * second, 4 * second + SLACK);
    a.says("entering master state: the startup delay is over", 1);
}
