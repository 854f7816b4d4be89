//! The thread's body with real scripts and pipes.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::unistd::Pid;

use super::fifo::Fifo;
use super::*;
use crate::daemon::script::Program;

const MINUTE: Duration = Duration::from_secs(60);

fn shell(text: &str) -> Program {
    Program { path: "/bin/sh".into(), arguments: vec!["-c".into(), text.into(), "script".into()], identity: None }
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn state(subject: Subject, condition: Condition) -> Event {
    let priority = if matches!(subject, Subject::Group(_)) { 0 } else { 150 };
    event(subject, What::State(condition), priority)
}

fn event(subject: Subject, what: What, priority: u8) -> Event {
    Event { subject, what, priority, why: String::new(), at: SystemTime::UNIX_EPOCH }
}

fn plan(instances: Vec<Target>) -> Plan {
    Plan { instances, ..Plan::default() }
}

/// Runs these events through the thread's body and waits for its end.
fn run_all(plan: Plan, events: &[Event]) -> Duration {
    let (notifier, notify, _hurry) = Notifier::new(plan).expect("a notifier");
    for event in events {
        notify.send(event.clone());
    }
    drop(notify);
    let started = Instant::now();
    notifier.run();
    started.elapsed()
}

fn run_states(instances: Vec<Target>, states: &[(usize, Condition)]) -> Duration {
    let events: Vec<_> = states.iter().map(|(at, condition)| state(Subject::Instance(*at), *condition)).collect();
    run_all(plan(instances), &events)
}

#[track_caller]
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + MINUTE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn scripts_of_an_instance_run_one_after_the_other_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let write = |what: &str, pause: &str| shell(&format!("sleep {pause}; echo {what} \"$@\" >> {}", log.display()));
    let target = Target {
        name: "VI_1".into(),
        backup: Some(write("backup", "0.2")),
        master: Some(write("master", "0.05")),
        stop: Some(write("stop", "0")),
        generic: Some(write("any", "0")),
        ..Target::default()
    };
    let states = [(0, Condition::Backup), (0, Condition::Master), (0, Condition::Fault), (0, Condition::Stopped)];
    run_states(vec![target], &states);
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
    let target = |name: &str, pause: &str| Target {
        name: name.into(),
        master: Some(shell(&format!("sleep {pause}; echo {name} >> {}", log.display()))),
        ..Target::default()
    };
    run_states(vec![target("slow", "1"), target("quick", "0")], &[(0, Condition::Master), (1, Condition::Master)]);
    assert_eq!(lines(&log), ["quick", "slow"]);
}

#[test]
fn a_script_that_hangs_is_killed_with_its_children_when_the_daemon_stops() {
    let folder = tempfile::tempdir().unwrap();
    let (log, pid) = (folder.path().join("log"), folder.path().join("pid"));
    let hang = format!("trap '' TERM; sleep 600 & echo $! > {}; wait; sleep 600", pid.display());
    let target = Target {
        name: "VI_1".into(),
        master: Some(shell(&hang)),
        stop: Some(shell(&format!("echo stop >> {}", log.display()))),
        ..Target::default()
    };
    let took = run_states(vec![target], &[(0, Condition::Master), (0, Condition::Stopped)]);
    assert!(took < FAREWELL + GRACE + Duration::from_secs(10), "took {took:?}");
    assert_eq!(lines(&log), ["stop"], "the stop script runs after the one that hung");
    let child: i32 = lines(&pid)[0].parse().unwrap();
    let gone = || nix::sys::signal::kill(Pid::from_raw(child), None).is_err() || is_zombie(child);
    eventually("the script's child is gone", gone);
}

fn is_zombie(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[test]
fn whoever_is_in_a_hurry_does_not_wait_for_scripts_and_readers() {
    let folder = tempfile::tempdir().unwrap();
    let hang = shell("trap '' TERM; sleep 600");
    let target = Target { name: "VI_1".into(), master: Some(hang.clone()), ..Target::default() };
    let fifo = Fifo { path: folder.path().join("fifo"), owner: None, reader: Some(hang) };
    let pipes = vec![Pipe::open(fifo).expect("a pipe")];
    let (notifier, notify, hurry) = Notifier::new(Plan { pipes, ..plan(vec![target]) }).expect("a notifier");
    notify.send(state(Subject::Instance(0), Condition::Master));
    drop(notify);
    let started = Instant::now();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| notifier.run());
        hurry.ask();
        running.join().expect("it ends");
    });
    assert!(started.elapsed() < FAREWELL, "took {:?}", started.elapsed());
}

#[test]
fn a_script_that_cannot_start_does_not_stop_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let target = Target {
        name: "VI_1".into(),
        master: Some(Program { path: "/nonexistent".into(), arguments: Vec::new(), identity: None }),
        generic: Some(shell(&format!("echo ran >> {}", log.display()))),
        ..Target::default()
    };
    run_states(vec![target], &[(0, Condition::Master)]);
    assert_eq!(lines(&log), ["ran"]);
}

/// Far more states than scripts can follow: the first and the newest are told, in order, and nothing grows.
#[test]
fn states_that_are_over_are_left_out_when_scripts_cannot_keep_up() {
    let folder = tempfile::tempdir().unwrap();
    let (log, go) = (folder.path().join("log"), folder.path().join("go"));
    let script = format!("echo \"$3\" >> {}; while ! [ -e {} ]; do sleep 0.01; done", log.display(), go.display());
    let target = Target {
        name: "VI_1".into(),
        generic: Some(shell(&script)),
        lower_priority: Some(shell(&format!("echo lower >> {}", log.display()))),
        ..Target::default()
    };
    let subject = Subject::Instance(0);
    let mut events = Vec::new();
    for _ in 0..5 * scripts::ROOM {
        events.push(state(subject, Condition::Backup));
        events.push(state(subject, Condition::Master));
    }
    events.extend(vec![event(subject, What::LowerPriority, 150); 5 * scripts::ROOM]);
    let (notifier, notify, _hurry) = Notifier::new(plan(vec![target])).expect("a notifier");
    for event in events {
        notify.send(event);
    }
    std::thread::scope(|scope| {
        let running = scope.spawn(|| notifier.run());
        eventually("the first script runs", || !lines(&log).is_empty());
        fs::write(&go, "").unwrap();
        drop(notify);
        running.join().expect("it ends");
    });
    let ran = lines(&log);
    assert!(ran.len() <= scripts::ROOM + 2, "{} scripts ran", ran.len());
    assert_eq!(ran[0], "BACKUP", "the one that ran already");
    assert_eq!(ran.iter().rfind(|line| *line != "lower").map(String::as_str), Some("MASTER"), "the newest state");
    assert_eq!(ran.last().map(String::as_str), Some("lower"));
}

/// A pipe that does not exist yet.
struct Piped {
    folder: tempfile::TempDir,
    fifo: Fifo,
}

impl Piped {
    fn new(reader: Option<Program>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fifo = Fifo { path: folder.path().join("fifo"), owner: None, reader };
        Self { folder, fifo }
    }

    fn open(&self) -> Pipe {
        Pipe::open(self.fifo.clone()).expect("a pipe")
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("fifo")
    }
}

fn targets() -> (Vec<Target>, Vec<Target>) {
    let target = |name: &str, group| Target { name: name.into(), group, ..Target::default() };
    (vec![target("VI 1", Some(0)), target("VI_2", Some(0)), target("VI_3", None)], vec![target("G1", None)])
}

#[test]
fn lines_are_those_of_keepalived() {
    let piped = Piped::new(None);
    let (mut instances, groups) = targets();
    instances[2].priority_changes = true;
    let plan = Plan { instances, groups, pipes: vec![piped.open()], ..Plan::default() };
    let (notifier, notify, _hurry) = Notifier::new(plan).expect("a notifier");
    let mode = fs::metadata(piped.path()).unwrap();
    assert!(mode.file_type().is_fifo());
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    let mut reader = fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(piped.path()).unwrap();
    let one = Subject::Instance(0);
    for told in [
        state(one, Condition::Backup),
        state(one, Condition::Master),
        event(one, What::LowerPriority, 150),
        // Nobody wants to know.
        event(one, What::Priority(Condition::Master), 140),
        event(Subject::Instance(2), What::Priority(Condition::Master), 140),
        event(Subject::Instance(2), What::Priority(Condition::Backup), 130),
        state(Subject::Instance(2), Condition::Fault),
        state(Subject::Group(0), Condition::Stopped),
        // Not there.
        state(Subject::Group(1), Condition::Master),
        state(Subject::Instance(4), Condition::Master),
    ] {
        notify.send(told);
    }
    drop(notify);
    notifier.run();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(
        text,
        "INSTANCE \"VI 1\" BACKUP 150\nINSTANCE \"VI 1\" MASTER 150\nINSTANCE \"VI 1\" MASTER_RX_LOWER_PRI 150\n\
         INSTANCE \"VI_3\" MASTER_PRIORITY 140\nINSTANCE \"VI_3\" BACKUP_PRIORITY 130\nINSTANCE \"VI_3\" FAULT 150\n\
         GROUP \"G1\" STOP 0\n"
    );
    assert!(!piped.path().exists(), "what we made is removed");
}

#[test]
fn what_a_group_has_said_its_members_do_not_say_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let (mut instances, mut groups) = targets();
    for target in instances.iter_mut().chain(&mut groups) {
        target.generic = Some(shell(&format!("echo \"$2 $3 $4\" >> {}", log.display())));
    }
    let (one, two, group) = (Subject::Instance(0), Subject::Instance(1), Subject::Group(0));
    let (notifier, notify, _hurry) = Notifier::new(Plan { instances, groups, ..Plan::default() }).expect("a notifier");
    std::thread::scope(|scope| {
        scope.spawn(|| notifier.run());
        for (subject, condition, expected) in [
            (group, Condition::Backup, "G1 BACKUP 0"),
            // The first word of a member is always said.
            (one, Condition::Backup, "VI 1 BACKUP 150"),
            (two, Condition::Backup, "VI_2 BACKUP 150"),
            (one, Condition::Master, "VI 1 MASTER 150"),
            (two, Condition::Master, "VI_2 MASTER 150"),
            (group, Condition::Master, "G1 MASTER 0"),
            (group, Condition::Fault, "G1 FAULT 0"),
            (one, Condition::Fault, ""),
            (two, Condition::Backup, "VI_2 BACKUP 150"),
        ] {
            let before = lines(&log).len();
            notify.send(state(subject, condition));
            if !expected.is_empty() {
                eventually(expected, || lines(&log).len() > before);
                assert_eq!(lines(&log)[before..], [expected]);
            }
        }
        drop(notify);
    });
    assert_eq!(lines(&log).len(), 8, "{:?}", lines(&log));
}

/// Nobody reads: nothing blocks, nothing grows, and the newest lines are those that stay.
#[test]
fn a_pipe_without_a_reader_holds_up_nothing() {
    let piped = Piped::new(None);
    let (instances, groups) = targets();
    let plan = Plan { instances, groups, pipes: vec![piped.open()], ..Plan::default() };
    let (notifier, notify, _hurry) = Notifier::new(plan).expect("a notifier");
    let most = 20_000;
    let mut reader = fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(piped.path()).unwrap();
    let text = std::thread::scope(|scope| {
        scope.spawn(|| notifier.run());
        for number in 0..most {
            notify.send(event(
                Subject::Instance(1),
                What::State(Condition::Master),
                u8::try_from(number % 200).unwrap(),
            ));
        }
        // The thread has taken all in when it answers to another event.
        notify.send(state(Subject::Instance(2), Condition::Fault));
        eventually("all is taken in", || notify.sender.as_ref().is_some_and(Sender::is_empty));
        let mut text = Vec::new();
        let deadline = Instant::now() + MINUTE;
        while !text.ends_with(b"FAULT 150\n") {
            // Nothing for the moment is an error of a pipe that does not wait.
            let _ = reader.read_to_end(&mut text);
            assert!(Instant::now() < deadline, "the newest line is lost");
        }
        drop(notify);
        String::from_utf8(text).unwrap()
    });
    let told: Vec<_> = text.lines().collect();
    assert!(told.iter().all(|line| line.starts_with("INSTANCE \"VI_")), "no line is torn");
    assert!(told.len() >= fifo::ROOM && told.len() < most, "{} lines", told.len());
}

#[test]
fn a_reader_is_started_again_hears_the_rest_and_ends_with_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    // The first life reads one line.
    let body = format!(
        "echo start $# \"$1\" >> {0}; if ! [ -e {0}.again ]; then : > {0}.again; read -r line < \"$1\"; echo \"1 $line\" >> {0}; \
         exit 3; fi; while read -r line; do echo \"2 $line\" >> {0}; done < \"$1\"; echo end >> {0}",
        log.display()
    );
    let piped = Piped::new(Some(shell(&body)));
    let (instances, groups) = targets();
    let plan = Plan { instances, groups, pipes: vec![piped.open()], ..Plan::default() };
    let (notifier, notify, _hurry) = Notifier::new(plan).expect("a notifier");
    let one = Subject::Instance(0);
    std::thread::scope(|scope| {
        scope.spawn(|| notifier.run());
        notify.send(state(one, Condition::Backup));
        eventually("the first life", || lines(&log).len() >= 2);
        eventually("the second life", || lines(&log).len() >= 3);
        notify.send(state(one, Condition::Master));
        eventually("it reads", || lines(&log).len() >= 4);
        notify.send(state(one, Condition::Stopped));
        drop(notify);
    });
    let start = format!("start 1 {}", piped.path().display());
    let line = |what: &str| format!("INSTANCE \"VI 1\" {what} 150");
    let expected = [
        start.clone(),
        format!("1 {}", line("BACKUP")),
        start,
        format!("2 {}", line("MASTER")),
        format!("2 {}", line("STOP")),
        "end".into(),
    ];
    assert_eq!(lines(&log), expected);
}

#[test]
fn a_reader_that_does_not_end_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let piped =
        Piped::new(Some(shell(&format!("trap '' TERM; echo $$ > {}; while :; do sleep 600; done", pid.display()))));
    let (notifier, notify, _hurry) =
        Notifier::new(Plan { pipes: vec![piped.open()], ..Plan::default() }).expect("a notifier");
    std::thread::scope(|scope| {
        scope.spawn(|| notifier.run());
        eventually("it runs", || !lines(&pid).is_empty());
        drop(notify);
    });
    let reader: i32 = lines(&pid)[0].parse().unwrap();
    eventually("it is gone", || nix::sys::signal::kill(Pid::from_raw(reader), None).is_err() || is_zombie(reader));
}

/// Whoever waits for what else there is to wait for does so asleep.
#[test]
fn a_pipe_whose_reader_has_ended_asks_for_no_more_looks() {
    let piped = Piped::new(Some(shell("exit 0")));
    let mut pipe = piped.open();
    pipe.close(Instant::now());
    let mut poller = Poller::new();
    eventually("it is closed", || {
        pipe.listen(&mut poller);
        pipe.advance(&poller, Instant::now());
        pipe.is_closed()
    });
    assert_eq!(pipe.deadline(), None);
}

#[test]
fn a_pipe_that_was_there_stays_and_a_file_is_no_pipe() {
    let piped = Piped::new(None);
    nix::unistd::mkfifo(&piped.path(), nix::sys::stat::Mode::from_bits_truncate(0o640)).unwrap();
    run_all(Plan { pipes: vec![piped.open()], ..Plan::default() }, &[]);
    assert_eq!(fs::metadata(piped.path()).unwrap().permissions().mode() & 0o777, 0o640);
    fs::remove_file(piped.path()).unwrap();
    fs::write(piped.path(), "precious").unwrap();
    let error = Pipe::open(piped.fifo.clone()).err().expect("refused");
    assert!(error.to_string().contains("something else"), "{error}");
    assert_eq!(fs::read_to_string(piped.path()).unwrap(), "precious");
}
