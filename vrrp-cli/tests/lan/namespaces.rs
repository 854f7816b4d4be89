//! Several daemons on one host, each in a network namespace (`net_namespace`) and under a name (`instance`) of its own.

use std::fmt::Write as _;
use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vrrp_cli::lab;

use crate::common::*;

fn run_folder(stage: &Stage) -> PathBuf {
    stage.directory().join("run")
}

/// A daemon that is started on the client. It sees a `/run` where the namespaces of `a` and `b` have their names, as
/// `ip netns add` gives them.
fn start(stage: &Stage, name: &str, blocks: &str, instance: &Instance) -> Daemon {
    let file = stage.file(&format!("{name}.conf"), &format!("{blocks}\n{instance}"));
    let mut script = format!("mount --bind {} /run && mkdir -p /run/netns", run_folder(stage).display());
    for host in ["a", "b"] {
        let number = stage.lan.host(host).namespace().as_fd().as_raw_fd();
        let source = format!("/proc/{}/fd/{number}", std::process::id());
        write!(script, " && touch /run/netns/{host} && mount --bind {source} /run/netns/{host}").unwrap();
    }
    write!(script, " && exec {} run -f {}", env!("CARGO_BIN_EXE_vrrpctl"), file.display()).unwrap();
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &script]);
    Daemon::run(command, stage.lan.host("client"), &file)
}

#[track_caller]
fn refused(mut daemon: Daemon, words: &[&str]) {
    assert_eq!(daemon.process.wait(PATIENCE).and_then(|status| status.code()), Some(2), "{}", daemon.log());
    for word in words {
        assert!(daemon.said(word), "{word} is missing in\n{}", daemon.log());
    }
}

#[test]
fn daemons_of_one_host_serve_in_two_namespaces_under_their_names() {
    if !lab::privileged(daemons_of_one_host_serve_in_two_namespaces_under_their_names) {
        return;
    }
    let stage = Stage::new();
    fs::create_dir(run_folder(&stage)).unwrap();
    let seen = stage.directory().join("seen");
    let script = stage.file("script", &format!("#!/bin/sh\nip -brief address > {}\n", seen.display()));
    let strong = Instance::new(STRONG).with(format!("notify_master \"/bin/sh {}\"", script.display()));
    let named = "net_namespace a\ninstance east\nglobal_defs {\nscript_user root\n}";
    let mut a = start(&stage, "a", named, &strong);
    a.is_backup();
    let mut b = start(&stage, "b", "net_namespace b\ninstance west", &Instance::new(WEAK));
    b.is_backup();
    stage.held_by("a", VIP);
    stage.client(VIP);
    let runs_inside = || fs::read_to_string(&seen).is_ok_and(|text| text.contains("10.9.0.2/24"));
    eventually("scripts run in the namespace", runs_inside);
    let pid = run_folder(&stage).join("vrrpctl/east/pid");
    let worker: i32 = fs::read_to_string(&pid).unwrap().trim().parse().unwrap();

    let other = || Instance::new(STRONG).called("VI_2", 60, VIP2);
    let twice = start(&stage, "twice", "net_namespace a\ninstance north", &Instance::new(WEAK));
    refused(twice, &["error[E063]: another vrrpctl on this host serves VRID 50 on `eth0` already"]);
    let same = format!("error[E084]: another vrrpctl on this host is the instance `east`: process {worker}");
    refused(start(&stage, "same", "net_namespace b\ninstance east", &other()), &[&same]);
    let missing = "error[E083]: the network namespace `nowhere` does not exist on this host";
    refused(start(&stage, "missing", "net_namespace nowhere", &other()), &[missing, "there are: a, b"]);
    fs::write(run_folder(&stage).join("netns/plain"), "").unwrap();
    let plain = "error[E083]: the network namespace `plain`: cannot enter a network namespace";
    refused(start(&stage, "plain", "net_namespace plain", &other()), &[plain]);
    assert!(stage.holders_of(VIP2).is_empty());

    // The guardian has followed into the namespace: the address is gone there, and the other one is told.
    kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
    assert!(!a.process.wait(PATIENCE).unwrap().success());
    a.says("in its place: 1 releases sent, 10.9.0.100 removed", 1);
    stage.held_by("b", VIP);
    let mut a = start(&stage, "again", named, &strong);
    a.says("entering master state", 1);
    stage.held_by("a", VIP);
    a.stop();
    stage.held_by("b", VIP);
    assert!(!pid.parent().unwrap().exists(), "the folder goes with its daemon");
    b.stop();
}
