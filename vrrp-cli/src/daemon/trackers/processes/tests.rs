//! Both ways to follow real processes, and how many of them are enough.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};

use crossbeam_channel::Receiver;
use tempfile::TempDir;

use super::*;
use crate::daemon::trackers::Parameters;

const PATIENCE: Duration = Duration::from_secs(30);

/// A program that nobody else runs.
struct Program {
    _folder: TempDir,
    path: PathBuf,
}

impl Program {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sleeper");
        fs::copy("/bin/sleep", &path).unwrap();
        Self { _folder: folder, path }
    }

    fn start(&self) -> Child {
        // Another thread may have forked while the copy was open for writing.
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Command::new(&self.path).arg("600").spawn() {
                Ok(child) => return child,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
        }
    }

    fn tracked(&self, quorum: usize, most: Option<usize>) -> Tracked {
        let pattern = Pattern::Name(self.path.to_str().unwrap().into());
        let delay = Duration::ZERO;
        Tracked { name: "p".into(), pattern, quorum, most, up_delay: delay, down_delay: delay }
    }
}

struct Thread {
    stop: Wakeup,
    told: Receiver<(usize, Status)>,
}

impl Thread {
    fn start(tracked: Tracked, events: Option<ProcessEvents>) -> Self {
        let stop = Wakeup::new().unwrap();
        let (sender, told) = crossbeam_channel::unbounded();
        let waker = stop.clone();
        std::thread::spawn(move || {
            run(vec![tracked], events, &waker, |place, status| sender.send((place, status)).unwrap());
        });
        Self { stop, told }
    }

    #[track_caller]
    fn tells(&self, status: Status) {
        assert_eq!(self.told.recv_timeout(PATIENCE), Ok((0, status)));
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop.wake();
    }
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn followed(events: Option<ProcessEvents>) {
    let program = Program::new();
    let first = program.start();
    let thread = Thread::start(program.tracked(1, Some(1)), events);
    thread.tells(Status::Up);
    let second = program.start();
    thread.tells(Status::Down);
    end(first);
    thread.tells(Status::Up);
    end(second);
    thread.tells(Status::Down);
    let third = program.start();
    thread.tells(Status::Up);
    end(third);
}

#[test]
fn processes_are_followed_by_looking_at_them() {
    followed(None);
}

#[test]
fn processes_are_followed_by_the_kernels_news() {
    match ProcessEvents::open() {
        Ok(events) => followed(Some(events)),
        // Without root, or in a container.
        Err(error) => eprintln!("skipped: {error}"),
    }
}

fn entry(up: u64, down: u64) -> Entry {
    let pattern = Pattern::Command { program: "p".into(), parameters: Vec::new(), compare: Parameters::Exact };
    let (up_delay, down_delay) = (Duration::from_millis(up), Duration::from_millis(down));
    Entry::new(Tracked { name: "p".into(), pattern, quorum: 2, most: Some(3), up_delay, down_delay })
}

#[test]
fn a_change_counts_once_it_has_lasted() {
    let mut entry = entry(500, 1000);
    let begin = Instant::now();
    let at = |ms| begin + Duration::from_millis(ms);
    assert_eq!(entry.judge(at(0)), Some(false), "the first look decides");
    entry.members = HashSet::from([1, 2]);
    assert_eq!(entry.judge(at(100)), None);
    assert_eq!(entry.judge(at(599)), None);
    assert_eq!(entry.judge(at(600)), Some(true));
    entry.hear(Event::Ended(1));
    assert_eq!(entry.judge(at(700)), None);
    entry.hear(Event::Forked { parent: 2, child: 3 });
    assert_eq!(entry.judge(at(1600)), None, "it was enough again in time");
    entry.hear(Event::Forked { parent: 9, child: 10 });
    assert_eq!(entry.members, HashSet::from([2, 3]), "others' children are others");
    for child in [4, 5] {
        entry.hear(Event::Forked { parent: 2, child });
    }
    assert_eq!(entry.judge(at(2000)), None, "too many");
    assert_eq!(entry.judge(at(3000)), Some(false));
}

/// Events were lost: what they told of is found by looking.
#[test]
fn after_an_overrun_everything_is_counted_again() {
    let program = Program::new();
    let child = program.start();
    let mut entries = [Entry::new(program.tracked(1, None))];
    entries[0].members = HashSet::from([u32::MAX]);
    let deadline = Instant::now() + PATIENCE;
    while entries[0].members != HashSet::from([child.id()]) {
        assert!(Instant::now() < deadline, "{:?}", entries[0].members);
        count(&mut entries);
    }
    end(child);
}
