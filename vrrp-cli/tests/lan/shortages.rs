//! Hosts that are short of something: descriptors, room on a disk, /proc, room in the queue of an interface. Nothing crashes, it
//! is told once, and what is there again is used again.

use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use vrrp_cli::lab;

use crate::common::*;

/// Longer than what failed is tried again.
const TRIES: Duration = Duration::from_secs(4);

/// `vrrpctl run` behind what a shell prepares in a mount namespace of its own.
fn behind(stage: &Stage, host: &str, prepare: &str, text: &str) -> Daemon {
    let file = stage.file(&format!("{host}.conf"), text);
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &format!("{prepare} && exec \"$@\""), "sh"]);
    command.arg(env!("CARGO_BIN_EXE_vrrpctl")).args(["run", "-f"]).arg(&file);
    Daemon::run(command, stage.lan.host(host), &file)
}

/// How many descriptors a process may have open.
fn limit(pid: nix::unistd::Pid, descriptors: usize) {
    let limit = format!("--nofile={descriptors}:");
    let mut command = Command::new("prlimit");
    let status = command.args(["--pid", &pid.to_string(), &limit]).stdin(Stdio::null()).status().unwrap();
    assert!(status.success());
}

/// An interface that is made anew needs new sockets, and a script pipes.
#[test]
fn no_descriptor_is_left() {
    if !lab::privileged(no_descriptor_is_left) {
        return;
    }
    let stage = Stage::new();
    let path = stage.path("told");
    let script = stage.script("tell", &format!("echo \"$3\" >> {}", path.display()));
    let mut a = stage.vrrpctl("a", Instance::new(STRONG).with(format!("notify {script}")));
    stage.held_by("a", VIP);
    let told =
        |word: &str| std::fs::read_to_string(&path).unwrap_or_default().lines().filter(|line| *line == word).count();
    eventually("its script has run", || told("MASTER") == 1);
    let worker = a.worker();
    // What is open stays so, whatever its number; none below this was opened for a moment only.
    limit(worker, 8);
    stage.shell("a", "ip link set eth0 name away0");
    a.says("entering fault state", 1);
    stage.held_by_nobody(VIP);
    stage.shell("a", "ip link set away0 name eth0");
    a.says("too many open files", 1);
    never("it ends, or serves without hearing", TRIES, || {
        a.process.ended().is_some() || a.count("entering master state") > 1
    });
    assert_eq!(a.count("its routers wait"), 1, "{}", a.log());
    limit(worker, 4096);
    a.says("all its sockets are open", 1);
    stage.held_by("a", VIP);
    a.says("entering master state", 2);
    eventually("its script runs again", || told("MASTER") == 2);
    a.stop();
}

/// Neither what is written for a successor nor the log finds room.
#[test]
fn no_room_is_left_on_the_disk() {
    if !lab::privileged(no_room_is_left_on_the_disk) {
        return;
    }
    let stage = Stage::new();
    let (log, script) = (stage.path("full"), stage.path("fifo"));
    std::fs::create_dir(&log).unwrap();
    let small = |place: &str| {
        format!(
            "mkdir -p {place} && mount -t tmpfs -o size=16k none {place} && {{ dd if=/dev/zero of={place}/all bs=4k 2>/dev/null; true; }}"
        )
    };
    let prepare =
        format!("{} && {} && exec 2>>{}/log", small("/run/vrrpctl"), small(log.to_str().unwrap()), log.display());
    let fifo = format!("global_defs {{\n    vrrp_notify_fifo {}\n}}\n", script.display());
    let mut a = behind(&stage, "a", &prepare, &format!("{fifo}{}", Instance::new(STRONG)));
    stage.held_by("a", VIP);
    // It has to be written down when it is put back, and told.
    for _ in 0..3 {
        assert!(stage.lan.host("a").drop_address(ip(VIP)).unwrap());
        stage.held_by("a", VIP);
    }
    a.stop();
    assert!(stage.holders_of(VIP).is_empty());
    let mut a = behind(&stage, "a", &small("/run/vrrpctl"), &Instance::new(STRONG).to_string());
    a.says("cannot write", 1);
    stage.held_by("a", VIP);
    stage.set_up("a", false);
    a.says("entering fault state", 1);
    stage.set_up("a", true);
    stage.held_by("a", VIP);
    assert_eq!(a.count("cannot write"), 1, "{}", a.log());
    a.stop();
}

/// As in a small container. Its guardian does its work as well.
#[test]
fn proc_is_not_mounted() {
    if !lab::privileged(proc_is_not_mounted) {
        return;
    }
    let stage = Stage::new();
    let mut a = behind(&stage, "a", "mount -t tmpfs none /proc", &Instance::new(STRONG).to_string());
    stage.held_by("a", VIP);
    let worker = a.worker();
    kill(worker, Signal::SIGKILL).unwrap();
    assert_eq!(a.process.wait(PATIENCE).and_then(|status| status.code()), Some(1), "{}", a.log());
    assert!(stage.holders_of(VIP).is_empty(), "{}", a.log());
    let mut again = behind(&stage, "a", "mount -t tmpfs none /proc", &Instance::new(STRONG).to_string());
    stage.held_by("a", VIP);
    again.stop();
    assert!(stage.holders_of(VIP).is_empty());
}

/// What an interface does not take is told once, and is no reason to let go.
#[test]
fn the_queue_of_an_interface_is_full() {
    if !lab::privileged(the_queue_of_an_interface_is_full) {
        return;
    }
    let stage = Stage::new();
    let mut a = stage.vrrpctl("a", Instance::new(STRONG).with("use_vmac"));
    stage.held_by("a", VIP);
    a.says("entering master state", 1);
    stage.shell("a", "tc qdisc add dev eth0 root tbf rate 8bit burst 1 limit 1");
    a.says("no buffer space available", 1);
    never("it lets go", TRIES, || stage.holders_of(VIP) != ["a"]);
    let full = a.count("no buffer space available") - a.count("not announced");
    assert_eq!(full, 1, "{}", a.log());
    stage.shell("a", "tc qdisc del dev eth0 root");
    let mut b = stage.vrrpctl("b", Instance::new(WEAK).with("use_vmac"));
    b.is_backup();
    never("it hears nobody", master_down(WEAK) + SLACK, || b.said("entering master state"));
    a.stop();
    stage.held_by("b", VIP);
    b.stop();
}

/// Signals interrupt whatever waits, in every thread.
#[test]
fn signals_interrupt_nothing_that_matters() {
    if !lab::privileged(signals_interrupt_nothing_that_matters) {
        return;
    }
    let stage = Stage::new();
    let mut a = stage.vrrpctl("a", Instance::new(STRONG));
    a.is_backup();
    let mut b = stage.vrrpctl("b", Instance::new(WEAK));
    let workers = [a.worker(), b.worker()];
    let storm = |done: &mut dyn FnMut() -> bool| {
        eventually("it goes its way under a storm of signals", || {
            for worker in workers {
                for signal in [Signal::SIGSTOP, Signal::SIGCONT, Signal::SIGUSR1, Signal::SIGWINCH] {
                    let _ = kill(worker, signal);
                }
            }
            done()
        });
    };
    storm(&mut || a.said("entering master state"));
    stage.held_by("a", VIP);
    stage.lan.cut("a", 0).unwrap();
    storm(&mut || b.said("entering master state"));
    stage.held_by("b", VIP);
    stage.lan.mend("a", 0).unwrap();
    storm(&mut || a.count("entering master state") == 2);
    stage.held_by("a", VIP);
    for daemon in [&a, &b] {
        assert!(!daemon.log().contains("ERROR") && !daemon.said("interrupted"), "{}", daemon.log());
    }
    a.stop();
    b.stop();
}
