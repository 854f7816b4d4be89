//! What any two daemons must do together, whoever made them: each scene is played by `(stronger, weaker)`.
//!
//! Host `a` is 10.9.0.2, host `b` is 10.9.0.3.

use std::time::{Duration, Instant};

use super::{
    Daemon, Instance, Kind, SLACK, STRONG, Stage, VIP, VIP2, WEAK, between, eventually, master_down, never, skew,
};

/// Both hold an address for a moment when it moves; longer than this is a fault.
const MOMENT: Duration = Duration::from_millis(300);
const SECOND: Duration = Duration::from_secs(1);

/// The makes of the stronger and of the weaker router.
pub(crate) type Makes = (Kind, Kind);

/// Two routers of which the one on `a` is the stronger: it has the address, the other listens.
fn pair(makes: Makes) -> (Stage, Daemon, Daemon) {
    let stage = Stage::new();
    let (a, b) = stage.pair(makes, [STRONG, WEAK].map(Instance::new), VIP);
    (stage, a, b)
}

/// The silence after the death of a Master: up to an interval less than Master_Down_Interval.
#[track_caller]
fn outage_of_a_death(what: &str, silence: Duration) {
    // The last advert is up to an interval old; the clocks of client and router may differ by a little.
    let least = skew(WEAK) + Duration::from_millis(1950);
    between(what, silence, least, master_down(WEAK) + SLACK);
}

/// The stronger one falls silent, the weaker one takes over; it can be heard again, and has the address back at once.
pub(crate) fn silent_death_and_return(makes: Makes) {
    let (stage, a, b) = pair(makes);
    assert!(!b.said("entering master state"), "the weaker router waits its turn");
    let client = stage.client(VIP);
    let muted = Instant::now();
    stage.lan.mute("a", 0).unwrap();
    b.says("entering master state", 1);
    eventually("the client is answered again", || client.replies(muted + 2 * SECOND) > 20);
    outage_of_a_death("silent death", client.longest_silence(muted));

    let watch = stage.watch(VIP);
    let back = Instant::now();
    stage.lan.unmute("a", 0).unwrap();
    b.says("entering backup state", 2);
    stage.held_by("a", VIP);
    let settled = Instant::now();
    eventually("the client is answered after the return", || client.replies(settled) > 20);
    between("both had the address after the partition", watch.both(back), Duration::ZERO, SECOND + SLACK);
    assert_eq!(a.count("entering master state"), 1, "the stronger one stayed master");
}

/// A planned stop moves the address within Skew_Time; the return moves it back with a moment of both, and no gap.
pub(crate) fn planned_stop_and_return(makes: Makes) {
    let (stage, mut a, mut b) = pair(makes);
    let client = stage.client(VIP);
    let asked = Instant::now();
    a.stop();
    stage.held_by("b", VIP);
    eventually("the client is answered by the other", || client.replies(asked + skew(WEAK)) > 20);
    between("planned stop", client.longest_silence(asked), Duration::ZERO, skew(WEAK) + SLACK);

    let watch = stage.watch(VIP);
    let returned = Instant::now();
    let mut a = stage.start(makes.0, "a", &[Instance::new(STRONG)]);
    stage.held_by("a", VIP);
    b.says("entering backup state", 2);
    between("both had the address at the return", watch.both(returned), Duration::ZERO, MOMENT);
    between("nobody had the address at the return", watch.nobody(returned), Duration::ZERO, MOMENT);
    let settled = Instant::now();
    eventually("the client is answered after the return", || client.replies(settled) > 20);
    between("the client at the return", client.longest_silence(returned), Duration::ZERO, SLACK);

    b.stop();
    assert_eq!(stage.holders_of(VIP), ["a"], "a backup that stops changes nothing");
    a.stop();
    assert!(stage.holders_of(VIP).is_empty(), "the last one leaves nothing behind");
}

/// With `nopreempt` the stronger router stays backup when it finds a weaker master.
pub(crate) fn nopreempt((strong, weak): Makes) {
    let stage = Stage::new();
    let mut b = stage.start(weak, "b", &[Instance::new(WEAK)]);
    stage.held_by("b", VIP);
    let a = stage.start(strong, "a", &[Instance::new(STRONG).with("nopreempt")]);
    a.is_backup();
    // Absence: longer than it would take to take over.
    never("the returning router takes over", master_down(STRONG) + SLACK, || a.said("entering master state"));
    assert_eq!(stage.holders_of(VIP), ["b"]);
    b.stop();
    stage.held_by("a", VIP);
}

/// Two masters of equal priority, as after a partition: the higher address wins. `b` has it.
pub(crate) fn equal_priority((of_a, of_b): Makes, a_first: bool) {
    let stage = Stage::new();
    stage.lan.mute("a", 0).unwrap();
    let start_a = || stage.start(of_a, "a", &[Instance::new(WEAK)]);
    let start_b = || stage.start(of_b, "b", &[Instance::new(WEAK)]);
    let (a, b) = if a_first {
        let a = start_a();
        a.is_backup();
        (a, start_b())
    } else {
        let b = start_b();
        b.is_backup();
        (start_a(), b)
    };
    a.says("entering master state", 1);
    b.says("entering master state", 1);
    let watch = stage.watch(VIP);
    let healed = Instant::now();
    stage.lan.unmute("a", 0).unwrap();
    stage.held_by("b", VIP);
    a.says("entering backup state", 2);
    if of_a == Kind::Vrrpctl {
        a.says("10.9.0.3 advertises priority 100 as we do, and has the higher address", 1);
        a.says("10.9.0.3 has our priority", 1);
    }
    between("both had the address", watch.both(healed), Duration::ZERO, SECOND + SLACK);
    assert_eq!(b.count("entering backup state"), 1, "the higher address stayed master");
}

/// Different passwords: both become master, and ours says why and from whom it hears nothing it may believe.
pub(crate) fn passwords((of_a, of_b): Makes, (pass_a, pass_b): (Option<&str>, Option<&str>)) {
    let stage = Stage::new();
    let a = stage.start(of_a, "a", &[Instance::new(STRONG).password(pass_a)]);
    let b = stage.start(of_b, "b", &[Instance::new(WEAK).password(pass_b)]);
    eventually("both are masters", || stage.holders_of(VIP) == ["a", "b"]);
    let why = |ours: Option<&str>, theirs: Option<&str>, from: &str| match (ours, theirs) {
        (Some(_), Some(_)) => format!("(VI_1) advertisement from {from} dropped: auth_pass differs from ours"),
        (Some(_), None) => format!("(VI_1) advertisement from {from} dropped: authentication is none, ours is PASS"),
        (None, _) => format!("(VI_1) advertisement from {from} dropped: authentication is PASS, ours is none"),
    };
    if of_a == Kind::Vrrpctl {
        a.says(&why(pass_a, pass_b, "10.9.0.3"), 1);
    }
    if of_b == Kind::Vrrpctl {
        b.says(&why(pass_b, pass_a, "10.9.0.2"), 1);
    }
}

/// Two instances, each master on another host; one host stops, and comes back.
pub(crate) fn dual_master((of_a, of_b): Makes) {
    let stage = Stage::new();
    let of = |first: u8, second: u8| {
        [
            Instance::new(first).called("VI_1", 51, VIP),
            Instance::new(second).called("VI_2", 52, VIP2).password(Some("2222")),
        ]
    };
    let mut a = stage.start(of_a, "a", &of(STRONG, WEAK));
    let mut b = stage.start(of_b, "b", &of(WEAK, STRONG));
    let one_each = || {
        stage.held_by("a", VIP);
        stage.held_by("b", VIP2);
    };
    one_each();
    b.stop();
    stage.held_by("a", VIP2);
    assert_eq!(stage.holders_of(VIP), ["a"]);
    let mut b = stage.start(of_b, "b", &of(WEAK, STRONG));
    one_each();
    a.stop();
    stage.held_by("b", VIP);
    assert_eq!(stage.holders_of(VIP2), ["b"]);
    b.stop();
    assert!(stage.holders_of(VIP).is_empty() && stage.holders_of(VIP2).is_empty());
}

/// The stronger router's cable is pulled and put back.
pub(crate) fn link_down_and_up(makes: Makes) {
    let (stage, a, b) = pair(makes);
    stage.lan.cut("a", 0).unwrap();
    a.says("entering fault state", 1);
    eventually("a host without carrier has no virtual address", || !stage.holders_of(VIP).contains(&"a"));
    stage.held_by("b", VIP);
    stage.lan.mend("a", 0).unwrap();
    a.says("entering backup state", 2);
    stage.held_by("a", VIP);
    b.says("entering backup state", 2);
}

/// Both start at about the same time, in either order: the stronger one has the address, the weaker never had it.
pub(crate) fn starts((strong, weak): Makes, strong_first: bool) {
    let stage = Stage::new();
    let watch = stage.watch(VIP);
    // Far apart: whoever is the weaker may well be the first to run.
    let start_a = || stage.start(strong, "a", &[Instance::new(254)]);
    let start_b = || stage.start(weak, "b", &[Instance::new(1)]);
    let began = Instant::now();
    let (a, b) = if strong_first {
        let a = start_a();
        (a, start_b())
    } else {
        let b = start_b();
        (start_a(), b)
    };
    stage.held_by("a", VIP);
    between("the first election", began.elapsed(), master_down(254), master_down(254) + 2 * SLACK);
    a.says("entering master state", 1);
    b.is_backup();
    eventually("the watch has seen it", || !watch.moves().is_empty());
    assert_eq!(watch.moves().iter().map(|one| (&*one.host, one.gained)).collect::<Vec<_>>(), [("a", true)]);
}
