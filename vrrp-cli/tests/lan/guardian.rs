//! The second process: whatever ends the one that works, no address stays behind, and others need not wait for silence.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use vrrp_cli::lab;

use crate::common::Kind::Vrrpctl;
use crate::common::*;

/// A router for each way in which a release can be said; each has its address.
const SPEECHES: [&str; 6] = ["VI_plain", "VI_ah", "VI_hmac", "VI_unicast", "VI_six", "VI_mac"];
/// Those of IPv4.
const WITH_IPV4: [u8; 5] = [0, 1, 2, 3, 5];

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 9, 0, 100 + number)
}

/// All of [`SPEECHES`], on the host with this address, whose only peer is the other.
fn instances(priority: u8, own: Ipv4Addr, peer: Ipv4Addr) -> Vec<Instance> {
    let named = |number: u8| {
        let name = SPEECHES[usize::from(number)];
        Instance::new(priority).called(name, 60 + number, address(number))
    };
    let key = "0b".repeat(32);
    let unicast = format!("unicast_peer {{\n        {peer}\n    }}");
    vec![
        named(0),
        named(1).authentication_header(),
        named(2)
            .password(None)
            .with("version 3")
            .with(format!("auth_hmac {{\n        key 9 hex:{key}\n        active_key 9\n    }}")),
        named(3).with(format!("unicast_src_ip {own}")).with(unicast),
        named(4).password(None).addresses(&["fe80::100/64", "fd00:9::100/64"]),
        named(5).authentication_header().with("use_vmac"),
    ]
}

/// The status with which the daemon, that is its guardian, ends; `None` when a signal ended it.
fn ended(daemon: &mut Daemon) -> Option<i32> {
    daemon.process.wait(PATIENCE).and_then(|status| status.code())
}

/// Each release must be believed: numbers and signatures go on from the last advert.
#[test]
fn what_is_killed_is_replaced_as_if_it_had_stopped() {
    if !lab::privileged(what_is_killed_is_replaced_as_if_it_had_stopped) {
        return;
    }
    let stage = Stage::new();
    let (own, other) = (stage.lan.host("a").address(0), stage.lan.host("b").address(0));
    let mut a = stage.start(Vrrpctl, "a", &instances(STRONG, own, other));
    a.says("entering backup state", SPEECHES.len());
    let mut b = stage.start(Vrrpctl, "b", &instances(WEAK, other, own));
    b.says("entering backup state", SPEECHES.len());
    for name in SPEECHES {
        a.says(&format!("({name}) entering master state"), 1);
    }
    for number in WITH_IPV4 {
        stage.held_by("a", address(number));
    }
    // Every one of them has been heard as Master.
    lab::wait_until(Duration::from_millis(1500), || b.said("entering master state"));
    let worker = a.worker();
    kill(worker, Signal::SIGKILL).unwrap();
    for name in SPEECHES {
        b.says(&format!("({name}) entering master state: the master stepped down"), 1);
    }
    assert_eq!(ended(&mut a), Some(1));
    assert!(a.said("the working process was killed by sigkill"), "{}", a.log());
    assert!(a.said("6 releases sent") && a.said("removed"), "{}", a.log());
    for number in WITH_IPV4 {
        assert!(!stage.lan.holds("a", ip(address(number))), "removed before the daemon ended");
    }
    assert!(
        !stage.lan.holds("a", "fe80::100".parse().unwrap()) && !stage.lan.holds("a", "fd00:9::100".parse().unwrap())
    );
    assert_eq!(b.count("dropped"), 0, "{}", b.log());
    b.stop();
}

/// Frozen, the address would stay on both hosts for ever; it goes at about the time when the other takes over.
#[test]
fn what_is_frozen_is_killed_and_its_lock_is_kept_until_all_is_done() {
    if !lab::privileged(what_is_frozen_is_killed_and_its_lock_is_kept_until_all_is_done) {
        return;
    }
    let stage = Stage::new();
    let (mut a, mut b) = stage.two();
    let (worker, began) = (a.worker(), Instant::now());
    kill(worker, Signal::SIGSTOP).unwrap();
    assert_eq!(ended(&mut a), Some(1));
    let took = began.elapsed();
    between(
        "until the frozen process was killed",
        took,
        master_down(STRONG).saturating_sub(Duration::from_secs(1)),
        master_down(STRONG) + 2 * SLACK,
    );
    assert!(a.said("the working process sent nothing for") && a.said("10.9.0.100 removed"), "{}", a.log());
    stage.held_by("b", VIP);
    b.stop();

    // A guardian that has not finished yet keeps the next daemon from beginning.
    let mut a = stage.vrrpctl("a", Instance::new(STRONG));
    stage.held_by("a", VIP);
    let worker = a.worker();
    a.process.signal(Signal::SIGSTOP).unwrap();
    kill(worker, Signal::SIGKILL).unwrap();
    let mut early = stage.vrrpctl("a", Instance::new(STRONG));
    early.says("another vrrpctl on this host serves", 1);
    assert_eq!(ended(&mut early), Some(2));
    assert_eq!(stage.holders_of(VIP), ["a"]);
    a.process.signal(Signal::SIGCONT).unwrap();
    assert_eq!(ended(&mut a), Some(1));
    assert!(stage.holders_of(VIP).is_empty());
    let mut next = stage.vrrpctl("a", Instance::new(STRONG));
    stage.held_by("a", VIP);
    next.stop();
}

/// Service managers, `killall` and containers each signal another process.
#[test]
fn it_does_not_matter_which_process_is_signalled() {
    if lab::privileged(it_does_not_matter_which_process_is_signalled) {
        side_by_side(["worker", "both", "guardian killed"], stops);
    }
}

fn stops(how: &str) {
    let stage = Stage::new();
    let mut a = stage.vrrpctl("a", Instance::new(STRONG));
    stage.held_by("a", VIP);
    let worker = a.worker();
    match how {
        "worker" => kill(worker, Signal::SIGTERM).unwrap(),
        "both" => a.process.signal_all(Signal::SIGTERM).unwrap(),
        _ => a.process.signal(Signal::SIGKILL).unwrap(),
    }
    a.says(if how == "guardian killed" { "stopping on the end of the guardian" } else { "stopping on sigterm" }, 1);
    a.says("(vi_1) stopped", 1);
    assert_eq!(ended(&mut a), if how == "guardian killed" { None } else { Some(0) });
    stage.held_by_nobody(VIP);
    assert!(!a.said("asked again"), "one request is one, however many hear it");
    eventually("the worker is gone", || kill(worker, None).is_err());
}

/// Programs that want no news of their children leave that to whatever they start.
#[test]
fn it_ends_with_its_worker_also_when_started_with_sigchld_ignored() {
    if !lab::privileged(it_ends_with_its_worker_also_when_started_with_sigchld_ignored) {
        return;
    }
    let stage = Stage::new();
    let file = stage.file("ignored.conf", &Instance::new(255).to_string());
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' CHLD; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_vrrpctl"), "run", "-f"]).arg(&file);
    let mut daemon = Daemon::run(command, stage.lan.host("a"), &file);
    stage.held_by("a", VIP);
    daemon.stop();
}

#[test]
fn without_a_guardian_there_is_one_process() {
    if !lab::privileged(without_a_guardian_there_is_one_process) {
        return;
    }
    let stage = Stage::new();
    let file = stage.file("alone.conf", &Instance::new(255).to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_vrrpctl"));
    command.args(["run", "--no-guardian", "-f"]).arg(file).stdin(Stdio::null()).stderr(Stdio::null());
    let mut alone = stage.lan.host("a").spawn(&mut command).unwrap();
    stage.held_by("a", VIP);
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", alone.id())).unwrap();
    assert_eq!(children, "");
    alone.kill().unwrap();
    assert_eq!(stage.holders_of(VIP), ["a"], "nobody is there to remove it");
}

/// A lifetime is renewed as long as something runs here, and ends when nothing does.
#[test]
fn a_host_on_which_nothing_runs_loses_a_leased_address() {
    if !lab::privileged(a_host_on_which_nothing_runs_loses_a_leased_address) {
        return;
    }
    let stage = Stage::new();
    let lease = "global_defs {\n    address_lease 3\n}\n";
    let mut a = stage.start_with(Vrrpctl, "a", &[Instance::new(STRONG)], lease);
    a.is_backup();
    let mut b = stage.start_with(Vrrpctl, "b", &[Instance::new(WEAK)], lease);
    stage.held_by("a", VIP);
    b.is_backup();
    // Absence: longer than the lease.
    never("the address goes though it is renewed", Duration::from_secs(5), || stage.holders_of(VIP) != ["a"]);
    a.process.signal_all(Signal::SIGSTOP).unwrap();
    b.says("entering master state", 1);
    stage.held_by("b", VIP);
    a.process.signal_all(Signal::SIGCONT).unwrap();
    a.says("entering backup state", 2);
    stage.held_by("a", VIP);
    // One after the other, as `killall` does it: the worker must not release what it can no longer remove.
    let worker = a.worker();
    a.process.signal(Signal::SIGKILL).unwrap();
    kill(worker, Signal::SIGKILL).unwrap();
    stage.held_by("b", VIP);
    assert!(!b.said("the master stepped down"), "{}", b.log());
    b.stop();
}

/// Everything that the daemon was is killed at once, and the next one has another configuration.
#[test]
fn what_nobody_could_remove_goes_at_the_next_start() {
    if !lab::privileged(what_nobody_could_remove_goes_at_the_next_start) {
        return;
    }
    let stage = Stage::new();
    let routes = |to: u8| format!("virtual_routes {{\n        10.{to}.0.0/16 dev eth0\n    }}");
    let other = Ipv4Addr::new(10, 9, 0, 150);
    let both = [VIP.to_string(), other.to_string()];
    let first = Instance::new(255).addresses(&both.each_ref().map(String::as_str));
    let rule = "virtual_rules {\n        from 10.66.0.0/16 lookup 66 priority 6666\n    }";
    let mut a = stage.vrrpctl("a", first.with(routes(70)).with(rule));
    stage.held_by("a", VIP);
    stage.held_by("a", other);
    a.says("entering master state", 1);
    let has = |what: &str, words: &[&str]| {
        let mut command = Command::new("ip");
        let command = stage.lan.host("a").namespace().command(command.args(words)).unwrap();
        String::from_utf8(command.output().unwrap().stdout).unwrap().contains(what)
    };
    eventually("its route", || has("10.70.0.0/16", &["route"]) && has("10.66.0.0/16", &["rule"]));
    a.process.kill().unwrap();
    assert!(stage.holders_of(VIP) == ["a"] && stage.holders_of(other) == ["a"]);
    let mut next = stage.vrrpctl("a", Instance::new(254).with(routes(72)));
    next.says("10.9.0.150 was left by a daemon that had no time to remove it: removed", 1);
    next.says("the route to 10.70.0.0/16 was left", 1);
    next.says("the routing rule of priority 6666 was left", 1);
    assert!(!has("10.70.0.0/16", &["route"]) && !has("10.66.0.0/16", &["rule"]));
    assert!(stage.holders_of(other).is_empty());
    assert_eq!(stage.holders_of(VIP), ["a"], "what it is to have stays until the election is decided");
    stage.held_by("a", VIP);
    eventually("its own route", || has("10.72.0.0/16", &["route"]));
    next.stop();
    assert!(stage.holders_of(VIP).is_empty() && !has("10.72.0.0/16", &["route"]));
    // Nothing is left to be removed by the third.
    let mut third = stage.vrrpctl("a", Instance::new(255));
    stage.held_by("a", VIP);
    assert!(!third.said("was left"));
    // What it has put there does not become the host's own by its death.
    third.says("entering master state", 1);
    third.process.kill().unwrap();
    assert_eq!(stage.holders_of(VIP), ["a"]);
    let mut fourth = stage.vrrpctl("a", Instance::new(255));
    fourth.says("entering master state", 1);
    stage.held_by("a", VIP);
    fourth.stop();
    assert!(stage.holders_of(VIP).is_empty());
}

/// A host that stood still, with the guardian: the address is its successor's at once, and goes back when the election says so.
#[test]
fn a_host_that_thaws_lets_go_at_once() {
    if lab::privileged(a_host_that_thaws_lets_go_at_once) {
        side_by_side(["", "global_defs {\n    address_lease 3\n}\n"], thaws);
    }
}

fn thaws(lease: &str) {
    let stage = Stage::new();
    let mut a = stage.start_with(Vrrpctl, "a", &[Instance::new(STRONG)], lease);
    a.is_backup();
    let mut b = stage.start_with(Vrrpctl, "b", &[Instance::new(WEAK)], lease);
    stage.held_by("a", VIP);
    b.is_backup();
    let (holders, client) = (stage.watch(VIP), stage.client(VIP));
    a.process.signal_all(Signal::SIGSTOP).unwrap();
    b.says("entering master state", 1);
    eventually("the other one has it", || stage.lan.holds("b", ip(VIP)));
    // It stands still for longer than it takes.
    never("the other one lets go", Duration::from_secs(2), || !stage.lan.holds("b", ip(VIP)));
    let thawed = Instant::now();
    a.process.signal_all(Signal::SIGCONT).unwrap();
    a.says("entering backup state", 2);
    stage.held_by("a", VIP);
    eventually("the client is served", || client.replies(thawed) > 500);
    between("double holding", holders.both(thawed), Duration::ZERO, SLACK);
    between(
        "the client's silence",
        client.longest_silence(thawed),
        Duration::ZERO,
        Duration::from_millis(1500) + SLACK,
    );
    assert!(!a.said("killed"), "the guardian slept as well: {}", a.log());
    a.stop();
    b.stop();
}

/// What is stopped on purpose serves on until its successor does: frozen meanwhile, it must not serve for ever.
#[test]
fn what_is_frozen_while_it_lets_go_is_killed() {
    if !lab::privileged(what_is_frozen_while_it_lets_go_is_killed) {
        return;
    }
    let stage = Stage::new();
    let mut a = stage.vrrpctl("a", Instance::new(STRONG));
    stage.held_by("a", VIP);
    let worker = a.worker();
    let asked = Instant::now();
    kill(worker, Signal::SIGTERM).unwrap();
    // Nobody takes over: it serves for another second.
    a.says("stopping on sigterm", 1);
    kill(worker, Signal::SIGSTOP).unwrap();
    if a.said("(vi_1) stopped") && stage.holders_of(VIP).is_empty() {
        eprintln!("skipped: the machine is too busy to freeze it in time");
        kill(worker, Signal::SIGCONT).unwrap();
        return;
    }
    assert_eq!(ended(&mut a), Some(1), "{}", a.log());
    between("until it was killed", asked.elapsed(), skew(1), skew(1) + 2 * SLACK);
    assert!(
        a.said("the working process sent nothing for 1.") && a.said("0 releases sent, 10.9.0.100 removed"),
        "{}",
        a.log()
    );
    assert!(stage.holders_of(VIP).is_empty());
}

/// A service manager may change its mind at once; what was begun by then must not stay.
#[test]
fn a_stop_in_the_first_moments_is_an_orderly_one() {
    if !lab::privileged(a_stop_in_the_first_moments_is_an_orderly_one) {
        return;
    }
    let stage = Stage::new();
    for (round, to) in (0_u32..).zip(["worker", "guardian"].repeat(5)) {
        let mut a = stage.vrrpctl("a", Instance::new(255).with("use_vmac"));
        let worker = a.worker();
        // Somewhere between the first moment and the first advert.
        std::thread::sleep(Duration::from_millis(2) * round * round);
        match to {
            "worker" => kill(worker, Signal::SIGTERM).unwrap(),
            _ => a.process.terminate().unwrap(),
        }
        assert_eq!(ended(&mut a), Some(0), "round {round}: {}", a.log());
        assert!(!stage.shell("a", "ip -o link").contains("macvlan") && !a.said("killed"), "{}", a.log());
        assert!(!stage.shell("a", "ip -o link").contains("vrrp.50"));
    }
}
