//! Scripts, files, processes and built-in checks that decide who is master.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use vrrp_cli::lab;

use crate::common::*;

/// As in the first of the drills.
const FIRST: u8 = 100;
const SECOND: u8 = 98;

/// A stage for scripts, which may run as another user.
struct Drill {
    stage: Stage,
}

impl Drill {
    fn new() -> Self {
        let stage = Stage::new();
        fs::set_permissions(stage.directory(), fs::Permissions::from_mode(0o777)).unwrap();
        Self { stage }
    }

    /// An executable shell script; its path.
    fn script(&self, name: &str, body: &str) -> String {
        let file = self.stage.file(name, &format!("#!/bin/sh\n{body}\n"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.stage.directory().join(name)
    }

    /// Starts a daemon with `blocks` before its instance, which tracks `tracks`.
    fn start(&self, kind: Kind, host: &str, priority: u8, blocks: &str, tracks: &str) -> Daemon {
        let instance = Instance::new(priority).with(tracks);
        let file = self.stage.file(&format!("{host}.conf"), &format!("{blocks}\n{instance}"));
        Daemon::start(kind, self.stage.lan.host(host), &file)
    }
}

fn track(kind: &str, name: &str) -> String {
    format!("track_{kind} {{\n        {name}\n    }}")
}

fn file_is(daemon: &Daemon, priority: u8) {
    daemon.says(&format!("priority is {priority} now"), 1);
}

/// Drill 1: a script fails while a file exists; the address moves, and comes back.
fn maintenance_file((first, second): (Kind, Kind)) {
    let drill = Drill::new();
    let configuration = |host: &str| {
        let flag = drill.path(&format!("{host}-maintenance"));
        let script = drill.script(&format!("{host}-check"), &format!("[ ! -e {} ]", flag.display()));
        let block =
            format!("vrrp_script chk {{\n    script {script}\n    interval 1\n    weight -5\n    user root\n}}\n");
        (flag, block)
    };
    let (flag, block) = configuration("a");
    let a = drill.start(first, "a", FIRST, &block, &track("script", "chk"));
    a.is_backup();
    let (_, block) = configuration("b");
    let b = drill.start(second, "b", SECOND, &block, &track("script", "chk"));
    drill.stage.held_by("a", VIP);
    b.is_backup();
    fs::write(&flag, "").unwrap();
    drill.stage.held_by("b", VIP);
    if first == Kind::Vrrpctl {
        assert_eq!(a.count("`chk` failed: ended with status 1"), 1, "one line for a change, none for a run");
        file_is(&a, FIRST - 5);
    }
    fs::remove_file(&flag).unwrap();
    drill.stage.held_by("a", VIP);
    assert_eq!(b.count("entering master state"), 1);
}

#[test]
fn a_maintenance_file_moves_the_address_and_back() {
    if lab::privileged(a_maintenance_file_moves_the_address_and_back) && tool("keepalived").is_some() {
        let (ours, theirs) = (Kind::Vrrpctl, Kind::Keepalived);
        side_by_side([(ours, ours), (ours, theirs), (theirs, ours)], maintenance_file);
    }
}

/// Drill 9: a process is asked for by signal 0, and two results in a row count.
#[test]
fn a_process_that_dies_moves_the_address_after_two_failures() {
    if !lab::privileged(a_process_that_dies_moves_the_address_after_two_failures) {
        return;
    }
    let drill = Drill::new();
    let service = || Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
    let mut running = service();
    let pid = drill.path("pid");
    let note = |child: &std::process::Child| fs::write(&pid, child.id().to_string()).unwrap();
    note(&running);
    // Each run leaves a mark, so that the test can count them.
    let marks = drill.path("marks");
    let script = drill.script("check", &format!("echo >> {}; kill -0 $(cat {}) 2>&1", marks.display(), pid.display()));
    let block = format!(
        "vrrp_script chk {{\n    script {script}\n    interval 2\n    fall 2\n    rise 2\n    weight -10\n    user root\n}}\n"
    );
    let a = drill.start(Kind::Vrrpctl, "a", FIRST, &block, &track("script", "chk"));
    a.is_backup();
    let b = drill.stage.vrrpctl("b", Instance::new(SECOND));
    drill.stage.held_by("a", VIP);
    b.is_backup();
    let runs = || fs::read_to_string(&marks).unwrap_or_default().lines().count();

    let before = runs();
    running.kill().unwrap();
    running.wait().unwrap();
    a.says("`chk` failed: ended with status 1", 1);
    assert!(runs() >= before + 2, "two failures in a row");
    drill.stage.held_by("b", VIP);
    assert!(a.said("it printed \""), "the words of the script: {}", a.log());

    running = service();
    note(&running);
    let before = runs();
    a.says("`chk` is well", 2);
    assert!(runs() >= before + 2, "two in a row again");
    drill.stage.held_by("a", VIP);
    running.kill().unwrap();
    running.wait().unwrap();
}

/// A weight of 0: without the file's consent there is no service at all.
#[test]
fn files_processes_and_checks_decide_as_scripts_do() {
    if !lab::privileged(files_processes_and_checks_decide_as_scripts_do) {
        return;
    }
    let drill = Drill::new();
    let (value, program) = (drill.path("value"), drill.path("tracked-service"));
    fs::copy("/bin/sleep", &program).unwrap();
    let blocks = format!(
        "track_file load {{\n    file {}\n    init_file 0\n}}\n\
         vrrp_track_process service {{\n    process {}\n    weight 20\n}}\n\
         vrrp_script client {{\n    check gateway 10.9.0.1\n    interval 0.2\n}}\n\
         vrrp_script port {{\n    check tcp 127.0.0.1 9\n    interval 0.2\n    weight 10\n}}\n",
        value.display(),
        program.display()
    );
    let tracks = [track("file", "load"), track("process", "service"), track("script", "client\n        port")].concat();
    let a = drill.start(Kind::Vrrpctl, "a", 50, &blocks, &tracks.replace("}track", "}\n    track"));
    a.is_backup();
    a.says("`client` is well", 1);
    a.says("`port` failed: 127.0.0.1:9 accepts no connection", 1);
    a.says("`service` failed: 0 processes, 1 wanted", 1);
    a.says("processes are looked at every", 1);
    assert_eq!(fs::read_to_string(&value).unwrap(), "0\n");

    let mut service = drill.stage.lan.host("a").spawn(Command::new(&program).arg("600")).unwrap();
    file_is(&a, 70);
    fs::write(&value, "-3").unwrap();
    file_is(&a, 67);
    drill.stage.held_by("a", VIP);
    service.kill().unwrap();
    file_is(&a, 47);
    fs::write(&value, "-254").unwrap();
    a.says("entering fault state", 1);
    drill.stage.held_by_nobody(VIP);
    fs::remove_file(&value).unwrap();
    drill.stage.held_by("a", VIP);

    // The neighbour is gone: nobody answers on the wire.
    drill.stage.lan.cut("client", 0).unwrap();
    a.says("`client` failed: nobody answered on the wire", 1);
    a.says("entering fault state", 2);
    drill.stage.held_by_nobody(VIP);
    drill.stage.lan.mend("client", 0).unwrap();
    drill.stage.held_by("a", VIP);
    let mut a = a;
    a.stop();
}
