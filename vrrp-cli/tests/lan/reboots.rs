//! A pair without preemption whose hosts reboot one after the other: who returns stays backup.

use std::time::Duration;

use vrrp_cli::lab;

use crate::common::Kind::{Keepalived, Vrrpctl};
use crate::common::*;

/// A switch that forwards this much later than a Master_Down_Interval.
const LATE: Duration = Duration::from_secs(1);

fn nopreempt(priority: u8) -> Instance {
    Instance::new(priority).with("nopreempt")
}

/// The host falls silent without a word, and its daemon starts anew behind a port that does not forward yet.
fn reboot(stage: &Stage, host: &str, mut daemon: Daemon, (kind, priority): (Kind, u8)) -> Daemon {
    stage.lan.mute(host, 0).unwrap();
    daemon.process.kill().unwrap();
    let daemon = stage.start(kind, host, &[nopreempt(priority)]);
    daemon.is_backup();
    let claimed = lab::wait_until(master_down(priority) + LATE, || daemon.said("entering master state"));
    assert!(kind != Vrrpctl || !claimed, "{host} claims though it can hear nobody");
    stage.lan.unmute(host, 0).unwrap();
    daemon
}

fn reboots((strong, weak): scenes::Makes) {
    let stage = Stage::new();
    let a = stage.start(strong, "a", &[nopreempt(STRONG)]);
    a.is_backup();
    stage.held_by("a", VIP);
    let b = stage.start(weak, "b", &[nopreempt(WEAK)]);
    b.is_backup();
    // Long enough to hear the master: who has heard nobody yet would listen for as long as the other after its reboot.
    never("the weaker one claims beside a master", Duration::from_secs(3), || b.said("entering master state"));

    let a = reboot(&stage, "a", a, (strong, STRONG));
    b.says("entering master state", 1);
    stage.held_by("b", VIP);
    // Absence: longer than it listens.
    never("the stronger one is master after its reboot", 3 * master_down(STRONG) + SLACK, || {
        a.said("entering master state")
    });
    assert_eq!(stage.holders_of(VIP), ["b"]);

    let b = reboot(&stage, "b", b, (weak, WEAK));
    a.says("entering master state", 1);
    stage.held_by("a", VIP);
    let before = b.count("entering master state");
    never("the other is master after its own", 3 * master_down(WEAK) + SLACK, || {
        b.count("entering master state") > before
    });
    assert_eq!(stage.holders_of(VIP), ["a"]);
    assert_eq!(a.count("entering backup state"), 1, "the master was not deposed");
}

#[test]
fn nopreempt_holds_after_reboots() {
    if lab::privileged(nopreempt_holds_after_reboots) {
        side_by_side([(Vrrpctl, Vrrpctl)], reboots);
    }
}

#[test]
fn nopreempt_holds_beside_keepalived() {
    if tool("keepalived").is_some() && lab::privileged(nopreempt_holds_beside_keepalived) {
        reboots((Vrrpctl, Keepalived));
    }
}
