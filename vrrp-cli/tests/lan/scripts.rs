//! Notify scripts: which run when, with what arguments, and that none of them disturbs the election.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use vrrp_cli::lab;

use crate::common::*;

/// A stage whose scripts write to `notes`, whichever user they run as.
struct Scripts {
    stage: Stage,
    notes: PathBuf,
}

impl Scripts {
    fn new() -> Self {
        let stage = Stage::new();
        let notes = stage.file("notes", "");
        fs::set_permissions(&notes, fs::Permissions::from_mode(0o666)).unwrap();
        Self { stage, notes }
    }

    /// An executable shell script; `$notes` is where it writes.
    fn script(&self, name: &str, body: &str) -> String {
        self.stage.script(name, &format!("notes={}\n{body}", self.notes.display()))
    }

    fn notes(&self) -> Vec<String> {
        fs::read_to_string(&self.notes).unwrap().lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn noted(&self, lines: &[&str]) {
        let fits = || self.notes() == lines;
        assert!(lab::wait_until(PATIENCE, fits), "noted {:#?}, expected {lines:#?}", self.notes());
    }
}

/// All five, through a whole life: backup, master, fault, backup, master, stop. `notify_master` finds the address there,
/// `notify_stop` and `notify_fault` find it gone.
#[test]
fn scripts_tell_a_whole_life_in_order() {
    if !lab::privileged(scripts_tell_a_whole_life_in_order) {
        return;
    }
    let scripts = Scripts::new();
    let stage = &scripts.stage;
    // The kernel's own table of local addresses needs no tool.
    let look = "if grep -q '32 host LOCAL' /proc/net/fib_trie && grep -q '10.9.0.100$' /proc/net/fib_trie; \
                then there=with; else there=without; fi; echo \"$1 $there\" >> \"$notes\"";
    let look = scripts.script("look", look);
    let generic = scripts.script("generic", "echo \"$# $*\" >> \"$notes\"");
    let mut instance = Instance::new(254);
    for event in ["master", "backup", "fault", "stop"] {
        instance = instance.with(format!("notify_{event} \"{look} {event}\""));
    }
    let mut a = stage.vrrpctl("a", instance.with(format!("notify {generic}")));
    let mut expected =
        vec!["backup without", "4 INSTANCE VI_1 BACKUP 254", "master with", "4 INSTANCE VI_1 MASTER 254"];
    scripts.noted(&expected);
    stage.lan.cut("a", 0).unwrap();
    expected.extend(["fault without", "4 INSTANCE VI_1 FAULT 254"]);
    scripts.noted(&expected);
    stage.lan.mend("a", 0).unwrap();
    expected.extend(["backup without", "4 INSTANCE VI_1 BACKUP 254", "master with", "4 INSTANCE VI_1 MASTER 254"]);
    scripts.noted(&expected);
    a.stop();
    expected.extend(["stop without", "4 INSTANCE VI_1 STOP 254"]);
    // The daemon waits for its scripts: all is written when it has ended.
    assert_eq!(scripts.notes(), expected);
}

/// A script that hangs holds up neither the adverts nor another instance's scripts, and a stop for seconds only.
#[test]
fn a_script_that_hangs_disturbs_nothing() {
    if !lab::privileged(a_script_that_hangs_disturbs_nothing) {
        return;
    }
    let scripts = Scripts::new();
    let stage = &scripts.stage;
    let hang = scripts.script("hang", "trap '' TERM; echo hangs >> \"$notes\"; while [ -e \"$0\" ]; do sleep 1; done");
    let note = scripts.script("note", "echo \"$*\" >> \"$notes\"");
    let instances = [
        Instance::new(STRONG).with(format!("notify_master {hang}")).with(format!("notify {note}")),
        Instance::new(STRONG).called("VI_2", 51, VIP2).with(format!("notify_stop \"{note} other\"")),
    ];
    let mut a = stage.start(Kind::Vrrpctl, "a", &instances);
    a.is_backup();
    let b = stage.vrrpctl("b", Instance::new(WEAK));
    scripts.noted(&["INSTANCE VI_1 BACKUP 150", "hangs"]);
    stage.held_by("a", VIP);
    // Absence: the other router would miss the adverts.
    never("the other takes over", master_down(WEAK) + SLACK, || b.said("entering master state"));
    let watch = stage.watch(VIP);
    let asked = Instant::now();
    let took = a.stop();
    between("a stop with a script that hangs", took, Duration::ZERO, Duration::from_secs(8));
    // The address moves in time all the same: the successor takes it, then it is gone here.
    eventually("the watch has seen it", || watch.moves().len() == 2);
    let moved = watch.moves();
    assert_eq!(moved.iter().map(|one| (&*one.host, one.gained)).collect::<Vec<_>>(), [("b", true), ("a", false)]);
    between("until the address was gone", moved[1].at - asked, Duration::ZERO, SLACK);
    // The script of the stop itself runs once the one that hangs is killed.
    scripts.noted(&["INSTANCE VI_1 BACKUP 150", "hangs", "other", "INSTANCE VI_1 STOP 150"]);
    a.says("hang takes too long for a stop: killed", 1);
    stage.held_by("b", VIP);
}

/// Whoever asks a second time does not want to wait.
#[test]
fn a_second_signal_does_not_wait_for_scripts() {
    if !lab::privileged(a_second_signal_does_not_wait_for_scripts) {
        return;
    }
    let scripts = Scripts::new();
    let stage = &scripts.stage;
    let hang = scripts.script("hang", "trap '' TERM; echo hangs >> \"$notes\"; while [ -e \"$0\" ]; do sleep 1; done");
    let mut a = stage.vrrpctl("a", Instance::new(254).with(format!("notify_master {hang}")));
    scripts.noted(&["hangs"]);
    a.process.terminate().unwrap();
    stage.held_by_nobody(VIP);
    assert!(a.process.ended().is_none(), "it waits for the script");
    let asked = Instant::now();
    let again = || a.process.terminate().is_ok() && a.process.ended().is_some();
    eventually("it ends when it is asked again", again);
    assert!(a.process.ended().is_some_and(|status| status.success()));
    between("a stop that was asked for twice", asked.elapsed(), Duration::ZERO, Duration::from_secs(3));
    a.says("hang takes too long for a stop: killed", 1);
}

/// A script of the new master stops the daemon that runs it, and waits until it has ended.
#[test]
fn a_script_may_stop_the_daemon_that_tells_it() {
    if !lab::privileged(a_script_may_stop_the_daemon_that_tells_it) {
        return;
    }
    let scripts = Scripts::new();
    let stage = &scripts.stage;
    let body = "echo asks >> \"$notes\"; kill -TERM $PPID; while kill -0 $PPID; do sleep 0.05; done";
    let stop = scripts.script("stop", body);
    let note = scripts.script("note", "echo \"$*\" >> \"$notes\"");
    let mut a =
        stage.vrrpctl("a", Instance::new(254).with(format!("notify_master {stop}")).with(format!("notify {note}")));
    a.is_backup();
    let b = stage.vrrpctl("b", Instance::new(1));
    b.is_backup();
    a.says("stopping on SIGTERM", 1);
    let asked = Instant::now();
    stage.held_by("b", VIP);
    between("until the other has the address", asked.elapsed(), Duration::ZERO, skew(1) + SLACK);
    let status = a.process.wait(Duration::from_secs(10));
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    a.says("stop takes too long for a stop: killed", 1);
    let line = |state: &str| format!("INSTANCE VI_1 {state} 254");
    assert_eq!(scripts.notes(), [line("BACKUP"), "asks".to_owned(), line("STOP")]);
    assert!(a.said("note was not run before the stop"), "what was left out is told");
}
