//! Daemons that do not run for a while, as on a host that is overloaded or suspended.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use vrrp_cli::lab::{self, Process};

use crate::common::*;

/// Longer than the Master_Down_Interval of every priority.
const STALL: Duration = Duration::from_secs(5);

fn stop_for_a_while(process: &mut Process) {
    process.signal_all(Signal::SIGSTOP).unwrap();
    let stopped = Instant::now();
    lab::wait_until(STALL, || false);
    assert!(stopped.elapsed() >= STALL);
    process.signal_all(Signal::SIGCONT).unwrap();
}

/// What arrived meanwhile is heard before the silence is believed.
#[test]
fn a_backup_that_was_held_up_does_not_take_over() {
    if lab::privileged(a_backup_that_was_held_up_does_not_take_over) {
        side_by_side(0..4, |_| backup());
    }
}

fn backup() {
    let stage = Stage::new();
    let mut a = stage.vrrpctl("a", Instance::new(STRONG));
    a.is_backup();
    let mut b = stage.vrrpctl("b", Instance::new(WEAK));
    stage.held_by("a", VIP);
    b.is_backup();
    let watch = stage.watch(VIP);
    for _ in 0..2 {
        stop_for_a_while(&mut b.process);
        // Absence: it would take over in the first moments.
        never("the backup takes over", Duration::from_secs(1), || b.said("entering master state"));
    }
    assert_eq!(watch.moves(), []);
    b.stop();
    a.stop();
    assert!(!b.said("entering master state"));
}

/// A master that was held up for so long that it must have been replaced yields before it says anything, then takes the
/// address back in an orderly way.
#[test]
fn a_master_that_was_held_up_yields_first() {
    if !lab::privileged(a_master_that_was_held_up_yields_first) {
        return;
    }
    let stage = Stage::new();
    let mut a = stage.vrrpctl("a", Instance::new(STRONG));
    a.is_backup();
    let b = stage.vrrpctl("b", Instance::new(WEAK));
    stage.held_by("a", VIP);
    b.is_backup();
    a.process.signal_all(Signal::SIGSTOP).unwrap();
    b.says("entering master state", 1);
    eventually("both have it: a process that is stopped cannot let go", || stage.holders_of(VIP) == ["a", "b"]);
    a.process.signal_all(Signal::SIGCONT).unwrap();
    a.says("entering backup state", 2);
    stage.held_by("b", VIP);
    stage.held_by("a", VIP);
    b.says("entering backup state", 2);
    a.stop();
    stage.held_by("b", VIP);
}
