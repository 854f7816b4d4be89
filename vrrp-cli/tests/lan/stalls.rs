//! Daemons that do not run for a while, as on a host that is overloaded or suspended.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime, clock_settime};
use vrrp_cli::lab::{self, Process};

use crate::common::meter::Meter;
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
    let (mut a, mut b) = stage.two();
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
    let (mut a, b) = stage.two();
    a.process.signal_all(Signal::SIGSTOP).unwrap();
    b.says("entering master state", 1);
    eventually("both have it: a process that is stopped cannot let go", || stage.holders_of(VIP) == ["a", "b"]);
    let (watch, thawed) = (stage.watch(VIP), Instant::now());
    a.process.signal_all(Signal::SIGCONT).unwrap();
    a.says("entering backup state", 2);
    stage.held_by("b", VIP);
    stage.held_by("a", VIP);
    b.says("entering backup state", 2);
    // Once when it yields, and once when it comes back.
    between("on both hosts after the thaw", watch.both(thawed), Duration::ZERO, SLACK);
    a.stop();
    stage.held_by("b", VIP);
}

/// Without a guardian: what a Master does that was held up for less than others wait, for more, and what it says of that.
#[test]
fn a_master_that_nobody_guards_skips_what_it_missed_or_yields() {
    if !lab::privileged(a_master_that_nobody_guards_skips_what_it_missed_or_yields) {
        return;
    }
    let stage = Stage::new();
    let file = stage.path("statistics");
    let instance = Instance::new(STRONG).password(None);
    let text = format!("global_defs {{\n    stats_dump_file {}\n}}\n{instance}", file.display());
    let mut a = stage.unguarded("a", "a", &text);
    a.is_backup();
    let mut b = stage.vrrpctl("b", Instance::new(WEAK).password(None));
    stage.held_by("a", VIP);
    b.is_backup();
    let statistics = |a: &mut Daemon, times| {
        a.process.signal(Signal::SIGUSR2).unwrap();
        a.says("statistics written to ", times);
        fs::read_to_string(&file).unwrap()
    };
    assert!(!statistics(&mut a, 1).contains("adverts_skipped"));

    // From an advert on, so that there is as much time as there can be.
    let meter = Meter::start(stage.lan.host("client"));
    let known = meter.heard().len();
    eventually("an advert", || meter.heard().len() > known);
    a.process.signal(Signal::SIGSTOP).unwrap();
    lab::wait_until(Duration::from_millis(2300), || false);
    let thawed = Instant::now();
    a.process.signal(Signal::SIGCONT).unwrap();
    eventually("three adverts", || meter.heard().iter().filter(|heard| heard.at > thawed).count() >= 3);
    let gaps = meter.gaps(thawed);
    assert!(gaps.iter().all(|gap| *gap > Duration::from_millis(10)), "a burst: {gaps:?}");
    assert!(!b.said("entering master state") && a.count("entering backup state") == 1, "{}", a.log());
    let text = statistics(&mut a, 2);
    assert!(text.contains("    adverts_skipped 1\n") && !text.contains("overdue"), "{text}");
    assert!(text.contains("    later: "), "a deadline was met more than a second late: {text}");

    a.process.signal(Signal::SIGSTOP).unwrap();
    b.says("entering master state", 1);
    let (watch, thawed) = (stage.watch(VIP), Instant::now());
    a.process.signal(Signal::SIGCONT).unwrap();
    a.says("this host was held up for so long that another router must have taken over", 1);
    stage.held_by("b", VIP);
    stage.held_by("a", VIP);
    between("on both hosts after the thaw", watch.both(thawed), Duration::ZERO, SLACK);
    let text = statistics(&mut a, 3);
    assert!(text.contains("    overdue 1\n") && text.contains("    adverts_skipped 1\n"), "{text}");
    a.stop();
    stage.held_by("b", VIP);
    b.stop();
}

/// The machine's clock of the day; put back, by the clock that nobody sets, when it is dropped.
struct TimeOfDay {
    /// Its lead over the other one.
    lead: Duration,
}

impl TimeOfDay {
    fn now(clock: ClockId) -> Duration {
        Duration::from(clock_gettime(clock).expect("the time"))
    }

    fn keep() -> Self {
        Self { lead: Self::now(ClockId::CLOCK_REALTIME).saturating_sub(Self::now(ClockId::CLOCK_MONOTONIC)) }
    }

    fn set(lead: Duration) {
        let time = Self::now(ClockId::CLOCK_MONOTONIC) + lead;
        clock_settime(ClockId::CLOCK_REALTIME, time.into()).expect("root may set the clock");
    }
}

impl Drop for TimeOfDay {
    fn drop(&mut self) {
        Self::set(self.lead);
    }
}

/// A day forwards and a day back, each for two seconds: twenty intervals.
#[test]
#[ignore = "sets the clock of the machine"]
fn a_clock_that_is_set_changes_nothing() {
    const DAY: Duration = Duration::from_secs(86_400);

    if !lab::privileged(a_clock_that_is_set_changes_nothing) {
        return;
    }
    let stage = Stage::new();
    let quick = |priority| Instance::new(priority).password(None).with("version 3").with("advert_int 0.1");
    let mut a = stage.vrrpctl("a", quick(STRONG));
    stage.held_by("a", VIP);
    let mut b = stage.vrrpctl("b", quick(WEAK));
    b.is_backup();
    let watch = stage.watch(VIP);
    for forwards in [true, false] {
        let clock = TimeOfDay::keep();
        let before = SystemTime::now();
        TimeOfDay::set(if forwards { clock.lead + DAY } else { clock.lead.saturating_sub(DAY) });
        lab::wait_until(Duration::from_secs(2), || b.said("entering master state"));
        let after = SystemTime::now();
        drop(clock);
        let moved = after.duration_since(before).unwrap_or_else(|error| error.duration());
        assert!(moved > DAY / 2, "the clock was set");
        // And back again, which is a step as well.
        never("the backup takes over", Duration::from_secs(2), || b.said("entering master state"));
    }
    assert_eq!(watch.moves(), []);
    assert_eq!((a.count("entering"), b.count("entering")), (2, 1), "{}{}", a.log(), b.log());
    a.stop();
    stage.held_by("b", VIP);
    b.stop();
}
