//! Scripts, files, processes and built-in checks that decide who is master.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;

use vrrp_cli::lab;

use crate::common::meter::Meter;
use crate::common::*;

/// As in the first of the drills.
const FIRST: u8 = 100;
const SECOND: u8 = 98;

fn track(kind: &str, name: &str) -> String {
    format!("track_{kind} {{\n        {name}\n    }}")
}

/// A `vrrp_script` block.
fn script(name: &str, command: &str, settings: &str) -> String {
    format!("vrrp_script {name} {{\n    script {command}\n    {settings}\n}}\n")
}

fn file_is(daemon: &Daemon, priority: u8) {
    daemon.says(&format!("priority is {priority} now"), 1);
}

/// Drill 1: a script fails while a file exists; the address moves, and comes back.
fn maintenance_file((first, second): (Kind, Kind)) {
    let stage = Stage::new();
    let configuration = |host: &str| {
        let flag = stage.path(&format!("{host}-maintenance"));
        let check = stage.script(&format!("{host}-check"), &format!("[ ! -e {} ]", flag.display()));
        let block = script("chk", &check, "interval 1\n    weight -5\n    user root");
        (flag, block)
    };
    let tracks = track("script", "chk");
    let (flag, block) = configuration("a");
    let a = stage.start_tracking(first, "a", &block, &[Instance::new(FIRST).with(&*tracks)]);
    a.is_backup();
    let (_, block) = configuration("b");
    let b = stage.start_tracking(second, "b", &block, &[Instance::new(SECOND).with(&*tracks)]);
    stage.held_by("a", VIP);
    b.is_backup();
    fs::write(&flag, "").unwrap();
    stage.held_by("b", VIP);
    if first == Kind::Vrrpctl {
        assert_eq!(a.count("`chk` failed: ended with status 1"), 1, "one line for a change, none for a run");
        file_is(&a, FIRST - 5);
    }
    fs::remove_file(&flag).unwrap();
    stage.held_by("a", VIP);
    assert_eq!(b.count("entering master state"), 1);
}

#[test]
fn a_maintenance_file_moves_the_address_and_back() {
    if lab::privileged(a_maintenance_file_moves_the_address_and_back) && tool("keepalived").is_some() {
        let (ours, theirs) = (Kind::Vrrpctl, Kind::Keepalived);
        side_by_side([(ours, ours), (ours, theirs), (theirs, ours)], maintenance_file);
    }
}

/// A program of its own name on the stage, as a service has one.
fn service(stage: &Stage, name: &str) -> PathBuf {
    let program = stage.path(name);
    // By a process of its own: a file that this one writes may be open in what another test is just about to start, and
    // cannot be started then.
    assert!(Command::new("cp").arg("/bin/sleep").arg(&program).status().unwrap().success());
    program
}

/// Drill 9: a process is asked for by signal 0, and two results in a row count.
fn a_process_dies((first, second): (Kind, Kind)) {
    let stage = Stage::new();
    // `killall` looks at all processes of the machine; those of other tests have other names.
    let name = format!("s{:?}{:?}-{}", first, second, std::process::id());
    let name = &name[..name.len().min(15)];
    let program = service(&stage, name);
    let run = || stage.lan.host("a").spawn(Command::new(&program).arg("600")).unwrap();
    let mut running = run();
    // Each run leaves a mark, so that the test can count them.
    let marks = stage.path("marks");
    let check = stage.script("check", &format!("echo >> {}; killall -0 {name} 2>&1", marks.display()));
    let block = script("chk", &check, "interval 2\n    fall 2\n    rise 2\n    weight -10\n    user root");
    let a = stage.start_tracking(first, "a", &block, &[Instance::new(FIRST).with(track("script", "chk"))]);
    a.is_backup();
    // Of the same kind; its own service never dies.
    let block = script("chk", "/bin/true", "interval 2\n    fall 2\n    rise 2\n    weight -10\n    user root");
    let b = stage.start_tracking(second, "b", &block, &[Instance::new(SECOND).with(track("script", "chk"))]);
    stage.held_by("a", VIP);
    b.is_backup();
    let runs = || fs::read_to_string(&marks).unwrap_or_default().lines().count();

    let before = runs();
    running.kill().unwrap();
    stage.held_by("b", VIP);
    assert!(runs() >= before + 2, "two failures in a row");
    if first == Kind::Vrrpctl {
        a.says("`chk` failed: ended with status 1", 1);
        assert!(a.said("it printed \""), "the words of the script: {}", a.log());
    }
    let before = runs();
    let _running = run();
    stage.held_by("a", VIP);
    assert!(runs() >= before + 2, "two in a row again");
    if first == Kind::Vrrpctl {
        a.says("`chk` is well", 2);
    }
}

#[test]
fn a_process_that_dies_moves_the_address_after_two_failures() {
    if lab::privileged(a_process_that_dies_moves_the_address_after_two_failures) && tool("keepalived").is_some() {
        let (ours, theirs) = (Kind::Vrrpctl, Kind::Keepalived);
        side_by_side([(ours, ours), (ours, theirs), (theirs, ours)], a_process_dies);
    }
}

/// What is reversed, beside keepalived: each instance's priority on the wire while things fail, and while they go well. The
/// script runs as a user who is not root.
#[test]
fn reversed_weights_count_as_with_keepalived() {
    if !lab::privileged(reversed_weights_count_as_with_keepalived) || tool("keepalived").is_none() {
        return;
    }
    let stage = Stage::with_networks(2);
    let flag = stage.path("flag");
    let tracks = [
        ("script", "chk weight 20"),
        ("script", "chk weight -20"),
        ("interface", "eth1 weight 30"),
        ("script", "chk weight 0"),
    ];
    let (failing, well) = ([100, 120, 100], [80, 100, 70]);
    let address = |vrid: u8| Ipv4Addr::new(10, 9, 0, 100 + vrid);
    let routers = [(Kind::Vrrpctl, "a", 10), (Kind::Keepalived, "b", 20)].map(|(kind, host, first)| {
        let users = stage.path(&format!("users-{host}"));
        let body = format!("id -un >> {}\n[ -e {} ]", users.display(), flag.display());
        let check = stage.script(&format!("check-{host}"), &body);
        let instances: Vec<_> = (first..)
            .zip(tracks)
            .map(|(vrid, (what, line))| {
                let tracks = track(what, &format!("{line} reverse"));
                Instance::new(FIRST).called(&format!("VI_{vrid}"), vrid, address(vrid)).with(tracks)
            })
            .collect();
        stage.lan.cut(host, 1).unwrap();
        let block = script("chk", &check, "interval 1\n    user nobody");
        (stage.start_tracking(kind, host, &block, &instances), host, first, users)
    });
    let meter = Meter::start(stage.lan.host("client"));
    let told = |vrid: u8| meter.heard().into_iter().rfind(|one| one.vrid == vrid).map(|one| one.priority);
    let all_say = |expected: [u8; 3]| {
        for (_, host, first, _) in &routers {
            let say = || [0, 1, 2].map(|one| told(first + one)) == expected.map(Some);
            eventually(&format!("{host} advertises {expected:?}"), say);
        }
    };
    all_say(failing);
    for (_, host, first, _) in &routers {
        stage.held_by(host, address(first + 3));
    }
    fs::write(&flag, "").unwrap();
    for (_, host, first, _) in &routers {
        stage.lan.mend(host, 1).unwrap();
        stage.held_by_nobody(address(first + 3));
    }
    all_say(well);
    for (daemon, host, first, users) in routers {
        stage.held_by(host, address(first));
        drop(daemon);
        let users = fs::read_to_string(users).unwrap();
        assert!(users.lines().all(|user| user == "nobody") && !users.is_empty(), "{host}: {users}");
    }
}

/// A weight of 0: without the file's consent there is no service at all.
#[test]
fn files_processes_and_checks_decide_as_scripts_do() {
    if !lab::privileged(files_processes_and_checks_decide_as_scripts_do) {
        return;
    }
    let stage = Stage::new();
    let (value, program) = (stage.path("value"), service(&stage, "tracked-service"));
    let blocks = format!(
        "track_file load {{\n    file {}\n    init_file 0\n}}\n\
         vrrp_track_process service {{\n    process {}\n    weight 20\n}}\n\
         vrrp_script client {{\n    check gateway 10.9.0.1\n    interval 0.2\n}}\n\
         vrrp_script client6 {{\n    check gateway fd00:9::1\n    interval 0.2\n}}\n\
         vrrp_script port {{\n    check tcp 127.0.0.1 9\n    interval 0.2\n    weight 10\n}}\n",
        value.display(),
        program.display()
    );
    let tracks =
        [track("file", "load"), track("process", "service"), track("script", "client\n        client6\n        port")]
            .concat();
    let instance = Instance::new(50).with(tracks.replace("}track", "}\n    track"));
    let a = stage.start_tracking(Kind::Vrrpctl, "a", &blocks, &[instance]);
    a.is_backup();
    a.says("`client` is well", 1);
    a.says("`client6` is well", 1);
    a.says("`port` failed: 127.0.0.1:9 accepts no connection", 1);
    a.says("`service` failed: 0 processes, 1 wanted", 1);
    a.says("processes are looked at every", 1);
    assert_eq!(fs::read_to_string(&value).unwrap(), "0\n");

    let mut service = stage.lan.host("a").spawn(Command::new(&program).arg("600")).unwrap();
    file_is(&a, 70);
    fs::write(&value, "-3").unwrap();
    file_is(&a, 67);
    stage.held_by("a", VIP);
    service.kill().unwrap();
    file_is(&a, 47);
    fs::write(&value, "-254").unwrap();
    a.says("entering fault state", 1);
    stage.held_by_nobody(VIP);
    fs::remove_file(&value).unwrap();
    stage.held_by("a", VIP);

    // The neighbour is gone: nobody answers on the wire.
    stage.lan.cut("client", 0).unwrap();
    a.says("`client` failed: nobody answered on the wire", 1);
    a.says("`client6` failed: nobody answered on the wire", 1);
    a.says("entering fault state", 2);
    stage.held_by_nobody(VIP);
    stage.lan.mend("client", 0).unwrap();
    stage.held_by("a", VIP);
    let mut a = a;
    a.stop();
}
