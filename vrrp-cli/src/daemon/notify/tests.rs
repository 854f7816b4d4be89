//! The thread's body with real scripts.

use std::fs;
use std::path::Path;

use super::*;

fn shell(text: &str) -> Program {
    Program { path: "/bin/sh".into(), arguments: vec!["-c".into(), text.into(), "script".into()], identity: None }
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Runs `events` through the thread's body and waits for its end.
fn run_all(scripts: &[Scripts], events: &[(usize, Condition)]) -> Duration {
    let (sender, receiver) = crossbeam_channel::unbounded();
    for (instance, condition) in events {
        sender.send(Event { instance: *instance, condition: *condition, priority: 150 }).expect("receiver is here");
    }
    drop(sender);
    let started = Instant::now();
    run(&receiver, &crossbeam_channel::never(), scripts);
    started.elapsed()
}

#[test]
fn scripts_of_an_instance_run_one_after_the_other_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let write = |what: &str, pause: &str| shell(&format!("sleep {pause}; echo {what} \"$@\" >> {}", log.display()));
    let scripts = Scripts {
        instance: "VI_1".into(),
        backup: Some(write("backup", "0.2")),
        master: Some(write("master", "0.05")),
        stop: Some(write("stop", "0")),
        generic: Some(write("any", "0")),
        ..Scripts::default()
    };
    let events = [(0, Condition::Backup), (0, Condition::Master), (0, Condition::Fault), (0, Condition::Stopped)];
    run_all(&[scripts], &events);
    assert_eq!(
        lines(&log),
        [
            "backup",
            "any INSTANCE VI_1 BACKUP 150",
            "master",
            "any INSTANCE VI_1 MASTER 150",
            "any INSTANCE VI_1 FAULT 150",
            "stop",
            "any INSTANCE VI_1 STOP 150",
        ]
    );
}

#[test]
fn a_slow_script_of_one_instance_does_not_hold_up_another() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let scripts = |name: &str, pause: &str| Scripts {
        instance: name.into(),
        master: Some(shell(&format!("sleep {pause}; echo {name} >> {}", log.display()))),
        ..Scripts::default()
    };
    run_all(&[scripts("slow", "1"), scripts("quick", "0")], &[(0, Condition::Master), (1, Condition::Master)]);
    assert_eq!(lines(&log), ["quick", "slow"]);
}

#[test]
fn a_script_that_hangs_is_killed_with_its_children_when_the_daemon_stops() {
    let folder = tempfile::tempdir().unwrap();
    let (log, pid) = (folder.path().join("log"), folder.path().join("pid"));
    let hang = format!("trap '' TERM; sleep 600 & echo $! > {}; wait; sleep 600", pid.display());
    let scripts = Scripts {
        instance: "VI_1".into(),
        master: Some(shell(&hang)),
        stop: Some(shell(&format!("echo stop >> {}", log.display()))),
        ..Scripts::default()
    };
    let took = run_all(&[scripts], &[(0, Condition::Master), (0, Condition::Stopped)]);
    assert!(took < FAREWELL + GRACE + Duration::from_secs(10), "took {took:?}");
    assert_eq!(lines(&log), ["stop"], "the stop script runs after the one that hung");
    let child: i32 = lines(&pid)[0].parse().unwrap();
    let gone = || nix::sys::signal::kill(Pid::from_raw(child), None).is_err() || is_zombie(child);
    let deadline = Instant::now() + Duration::from_secs(5);
    while !gone() {
        assert!(Instant::now() < deadline, "the script's child {child} lives on");
        std::thread::yield_now();
    }
}

fn is_zombie(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[test]
fn whoever_is_in_a_hurry_does_not_wait_for_scripts() {
    let scripts = Scripts { instance: "VI_1".into(), master: Some(shell("sleep 600")), ..Scripts::default() };
    let (sender, receiver) = crossbeam_channel::unbounded();
    sender.send(Event { instance: 0, condition: Condition::Master, priority: 150 }).expect("receiver is here");
    drop(sender);
    let (hurry, hurried) = crossbeam_channel::bounded(1);
    let started = Instant::now();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run(&receiver, &hurried, &[scripts]));
        hurry.send(()).expect("receiver is here");
        running.join().expect("it ends");
    });
    assert!(started.elapsed() < FAREWELL, "took {:?}", started.elapsed());
}

#[test]
fn a_script_that_cannot_start_does_not_stop_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let scripts = Scripts {
        instance: "VI_1".into(),
        master: Some(Program { path: "/nonexistent".into(), arguments: Vec::new(), identity: None }),
        generic: Some(shell(&format!("echo ran >> {}", log.display()))),
        ..Scripts::default()
    };
    run_all(&[scripts], &[(0, Condition::Master)]);
    assert_eq!(lines(&log), ["ran"]);
}
