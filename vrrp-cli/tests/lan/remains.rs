//! What a daemon leaves on its host: nothing that was not there before it, whatever ended it.

use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use vrrp_cli::lab;

use crate::common::Kind::Vrrpctl;
use crate::common::*;

/// Everything of a host that a daemon may change.
fn everything(stage: &Stage) -> String {
    let script = "ip -o address show | awk '{print $2, $3, $4}' | sort
        ip -br link show | awk '{print $1, $3}' | sort
        ip route show table all
        ip -6 route show table all | sed 's/ expires [0-9]*sec//' | sort
        ip rule show
        ip -6 rule show
        nft list ruleset
        grep -r . /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf 2> /dev/null | grep -v stable_secret | sort";
    stage.shell("a", script)
}

/// Routers that change everything: a Master and a Backup with virtual MAC addresses, one of each family, silent addresses,
/// routes, rules, settings.
fn all_kinds() -> Vec<Instance> {
    let list = |name: &str, line: &str| format!("{name} {{\n        {line}\n    }}");
    let first = Instance::new(255).with("use_vmac").addresses(&["10.9.0.100/24", "10.9.0.101/24"]);
    let first = first.with(list("virtual_routes", "10.70.0.0/16 dev eth0"));
    let first = first.with(list("virtual_rules", "from 10.66.0.0/16 lookup 66 priority 6666"));
    let backup =
        Instance::new(1).called("VI_2", 52, VIP2).with("use_vmac").with("no_accept").addresses(&["10.9.0.110"]);
    let sixth = Instance::new(255).called("VI_6", 53, VIP).password(None).with("version 3").with("use_vmac");
    let plain = Instance::new(255).called("VI_3", 54, VIP).with("promote_secondaries").addresses(&["10.8.0.1/24"]);
    vec![first, backup, sixth.addresses(&["fe80::100/64", "fd00:9::100/64"]), plain]
}

/// Every kind of end, beside each other.
#[test]
fn whatever_ends_the_daemon_the_host_is_as_it_was() {
    if lab::privileged(whatever_ends_the_daemon_the_host_is_as_it_was) && tool("nft").is_some() {
        side_by_side(["kill -9 of the worker", "freeze of the worker", "kill -9 of all", "stop"], ends);
    }
}

fn ends(how: &str) {
    let stage = Stage::new();
    stage.shell("a", "echo 0 > /proc/sys/net/ipv4/conf/eth0/promote_secondaries");
    // Until the host's own address of IPv6 is in use, its routes are still to come.
    eventually("no address is tentative", || !stage.shell("a", "ip address show").contains("tentative"));
    let before = everything(&stage);
    let blocks = "global_defs {\n    nftables mine\n}\nstatic_routes {\n    10.71.0.0/16 dev eth0\n}\n";
    let mut a = stage.start_with(Vrrpctl, "a", &all_kinds(), blocks);
    for address in ["10.9.0.101", "10.8.0.1", "fd00:9::100"] {
        stage.held_by("a", address.parse::<std::net::IpAddr>().unwrap());
    }
    eventually("its routes and rules", || {
        let now = everything(&stage);
        ["10.70.0.0/16", "10.71.0.0/16", "6666"].iter().all(|part| now.contains(part))
    });
    let now = everything(&stage);
    for part in ["vrrp.50", "vrrp.52", "table inet mine", "eth0/promote_secondaries:1", "eth0/arp_ignore:1"] {
        assert!(now.contains(part), "{part}: {now}");
    }
    match how {
        "kill -9 of the worker" => kill(a.worker(), Signal::SIGKILL).unwrap(),
        "freeze of the worker" => kill(a.worker(), Signal::SIGSTOP).unwrap(),
        "kill -9 of all" => a.process.signal_all(Signal::SIGKILL).unwrap(),
        _ => a.process.terminate().unwrap(),
    }
    let status = a.process.wait(PATIENCE).and_then(|status| status.code());
    if how == "kill -9 of all" {
        assert_ne!(everything(&stage), before, "nobody is there to remove it");
        // The next one has next to nothing in common with it, and serves nothing.
        let mut next = stage.vrrpctl("a", Instance::new(1).called("VI_9", 99, VIP));
        next.is_backup();
        next.says("the table inet mine of nftables was left by a daemon that died: removed", 1);
        next.says("ipv4 eth0 promote_secondaries 0 1 is put back", 1);
        next.stop();
    } else {
        assert_eq!(status, Some(i32::from(how != "stop")), "{}", a.log());
    }
    assert!(
        lab::wait_until(Duration::from_millis(500), || everything(&stage) == before),
        "{how}\n{}",
        diff(&stage, &before)
    );
}

/// Interfaces that exchange their names meanwhile: each has its own settings back.
#[test]
fn a_setting_is_put_back_on_the_interface_that_it_was_changed_on() {
    if !lab::privileged(a_setting_is_put_back_on_the_interface_that_it_was_changed_on) {
        return;
    }
    let stage = Stage::new();
    let setting = |name: &str| stage.shell("a", &format!("cat /proc/sys/net/ipv4/conf/{name}/promote_secondaries"));
    stage.shell("a", "ip link add other type veth peer name far");
    stage.shell("a", "echo 0 > /proc/sys/net/ipv4/conf/eth0/promote_secondaries");
    let mut a = stage.vrrpctl("a", Instance::new(1).with("promote_secondaries"));
    a.is_backup();
    eventually("it is set", || setting("eth0").trim() == "1");
    stage.shell("a", "echo 1 > /proc/sys/net/ipv4/conf/other/promote_secondaries");
    stage.shell(
        "a",
        "ip link set eth0 down; ip link set eth0 name x; ip link set other name eth0; ip link set x name other",
    );
    a.stop();
    assert_eq!((setting("eth0").trim(), setting("other").trim()), ("1", "0"));
}

/// Where nothing can be written down, the daemon says so once, and does everything else.
#[test]
fn a_folder_that_cannot_be_written_is_told_once_and_survived() {
    if lab::privileged(a_folder_that_cannot_be_written_is_told_once_and_survived) {
        side_by_side([("ro", "Read-only file system"), ("nr_inodes=1", "No space left on device")], unwritable);
    }
}

fn unwritable((options, why): (&str, &str)) {
    let stage = Stage::new();
    let before = everything(&stage);
    let file = stage.file("a.conf", &Instance::new(255).with("use_vmac").to_string());
    let mut command = Command::new("unshare");
    let script = format!("mount -t tmpfs -o {options} none /run && exec \"$@\"");
    command.args(["--mount", "sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_vrrpctl"), "run", "-f"]).arg(&file);
    let mut a = Daemon::run(command, stage.lan.host("a"), &file);
    stage.held_by("a", VIP);
    a.says("entering master state", 1);
    a.stop();
    assert_eq!((a.count("z  warn"), a.count("z error")), (1, 0), "{}", a.log());
    assert!(a.said("cannot write in /run/vrrpctl") && a.said(why), "{}", a.log());
    assert_eq!(everything(&stage), before, "{}", diff(&stage, &before));
}

/// What is not as it was.
fn diff(stage: &Stage, before: &str) -> String {
    let now = everything(stage);
    let beyond =
        |one: &str, other: &str| one.lines().filter(|line| !other.contains(line)).collect::<Vec<_>>().join("\n");
    format!("now: {}\nbefore: {}", beyond(&now, before), beyond(before, &now))
}
