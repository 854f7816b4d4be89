//! The thread's body with real scripts and servers.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crossbeam_channel::Receiver;

use super::*;
use crate::config::HttpUrl;

const PATIENCE: Duration = Duration::from_secs(30);
const ONE: NonZeroU32 = NonZeroU32::MIN;

fn shell(text: &str) -> What {
    let arguments = vec!["-c".to_owned(), text.to_owned()];
    What::Script(Program { path: "/bin/sh".into(), arguments, identity: None })
}

fn check(what: What) -> Check {
    let interval = Duration::from_millis(50);
    Check { name: "chk".into(), what, interval, timeout: PATIENCE, rise: ONE, fall: ONE, init_fail: false }
}

/// The thread, and what it tells.
struct Thread {
    stop: Wakeup,
    told: Receiver<(usize, Status)>,
    running: Option<std::thread::JoinHandle<()>>,
}

impl Thread {
    fn start(checks: Vec<Check>) -> Self {
        let stop = Wakeup::new().unwrap();
        let (sender, told) = crossbeam_channel::unbounded();
        let waker = stop.clone();
        let body = move || run(checks, &waker, |place, status| sender.send((place, status)).unwrap());
        Self { stop, told, running: Some(std::thread::spawn(body)) }
    }

    #[track_caller]
    fn tells(&self, status: Status) {
        assert_eq!(self.told.recv_timeout(PATIENCE), Ok((0, status)));
    }

    /// How long it takes to end.
    fn stop(mut self) -> Duration {
        let asked = Instant::now();
        self.stop.wake();
        self.running.take().unwrap().join().unwrap();
        asked.elapsed()
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop.wake();
    }
}

fn count(path: &Path) -> usize {
    fs::read_to_string(path).unwrap_or_default().lines().count()
}

#[track_caller]
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_script_is_followed_with_rise_and_fall() {
    let folder = tempfile::tempdir().unwrap();
    let (flag, log) = (folder.path().join("flag"), folder.path().join("log"));
    let text = format!("[ ! -e {} ]; status=$?; echo $status >> {}; exit $status", flag.display(), log.display());
    let three = NonZeroU32::new(3).unwrap();
    let thread = Thread::start(vec![Check { rise: three, fall: three, ..check(shell(&text)) }]);
    thread.tells(Status::Up);
    fs::write(&flag, "").unwrap();
    thread.tells(Status::Down);
    let failed = || fs::read_to_string(&log).unwrap().lines().filter(|line| *line == "1").count();
    assert!(failed() >= 3, "after three failures");
    fs::remove_file(&flag).unwrap();
    thread.tells(Status::Up);
    thread.stop();
}

#[test]
fn a_check_that_begins_as_failed_needs_its_rise() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let text = format!("echo >> {}", log.display());
    let rise = NonZeroU32::new(3).unwrap();
    let thread = Thread::start(vec![Check { rise, init_fail: true, ..check(shell(&text)) }]);
    thread.tells(Status::Up);
    assert!(count(&log) >= 3);
    thread.stop();
}

#[test]
fn a_script_that_hangs_counts_as_failed_once_its_time_is_up_and_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (go, log) = (folder.path().join("go"), folder.path().join("log"));
    let hang = format!("echo >> {}; [ -e {} ] || {{ trap '' TERM; sleep 600; }}", log.display(), go.display());
    let timeout = Duration::from_millis(100);
    let thread = Thread::start(vec![Check { timeout, ..check(shell(&hang)) }]);
    thread.tells(Status::Down);
    assert_eq!(count(&log), 1, "runs do not overlap");
    fs::write(&go, "").unwrap();
    // It is killed, and the next run goes well.
    thread.tells(Status::Up);
    thread.stop();
}

#[test]
fn a_script_that_is_deleted_fails_and_is_well_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("script");
    let write = || {
        let new = folder.path().join("new");
        fs::write(&new, "#!/bin/sh\nexit 0\n").unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&new, &path).unwrap();
    };
    write();
    let program = Program { path: path.to_str().unwrap().into(), arguments: Vec::new(), identity: None };
    let thread = Thread::start(vec![check(What::Script(program))]);
    thread.tells(Status::Up);
    fs::remove_file(&path).unwrap();
    thread.tells(Status::Down);
    write();
    thread.tells(Status::Up);
    thread.stop();
}

#[test]
fn a_stop_ends_what_runs_within_a_bounded_time() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let stubborn = format!("trap '' TERM; echo $$ >> {}; sleep 600; sleep 600", log.display());
    let polite = format!("echo $$ >> {}; exec sleep 600", log.display());
    let thread = Thread::start(vec![check(shell(&stubborn)), check(shell(&polite))]);
    eventually("both run", || count(&log) == 2);
    let took = thread.stop();
    assert!(took >= FAREWELL, "the stubborn one had its time, but it took {took:?}");
    assert!(took < 2 * FAREWELL + Duration::from_secs(5), "took {took:?}");
    for pid in fs::read_to_string(&log).unwrap().lines() {
        eventually("it is gone", || !Path::new(&format!("/proc/{pid}")).exists());
    }
}

#[test]
fn the_first_runs_are_spread_out_and_the_rate_is_fixed() {
    let begin = Instant::now();
    let second = Duration::from_secs(1);
    let spread = |count: u32, place: u32| {
        let check = Check { interval: second, ..check(shell("true")) };
        Entry::new(check, place, count, begin).next - begin
    };
    assert_eq!(spread(200, 199), Duration::from_millis(995));
    assert_eq!([0, 1, 2].map(|place| spread(3, place)), [0, 20, 40].map(Duration::from_millis));

    let mut entry = Entry::new(Check { interval: second, ..check(shell("true")) }, 0, 1, begin);
    for (now, next) in [(0, 1000), (1003, 2000), (5500, 6000), (6000, 7000)] {
        entry.advance_schedule(begin + Duration::from_millis(now));
        assert_eq!(entry.next - begin, Duration::from_millis(next), "at {now}");
    }
}

#[test]
fn two_hundred_scripts_run_at_their_rate() {
    let folder = tempfile::tempdir().unwrap();
    let write = |place: usize| {
        let text = format!("echo >> {}", folder.path().join(place.to_string()).display());
        Check { interval: Duration::from_secs(1), ..check(shell(&text)) }
    };
    let thread = Thread::start((0..200).map(write).collect());
    let mut up = std::collections::HashSet::new();
    while up.len() < 200 {
        let (place, status) = thread.told.recv_timeout(PATIENCE).expect("all are run");
        assert_eq!(status, Status::Up);
        up.insert(place);
    }
    let counts = || (0..200).map(|place| count(&folder.path().join(place.to_string()))).collect::<Vec<_>>();
    eventually("all have run three times", || counts().iter().all(|count| *count >= 3));
    thread.stop();
    // None was favoured: what a busy machine leaves out, it leaves out everywhere.
    let counts = counts();
    assert!(counts.iter().max() <= counts.iter().min().map(|least| least + 8).as_ref(), "{counts:?}");
}

#[test]
fn a_port_is_well_while_somebody_listens() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    // By name, so that it has to be looked up.
    let thread = Thread::start(vec![check(What::Probe(Target::Tcp { host: "localhost".into(), port }))]);
    thread.tells(Status::Up);
    drop(listener);
    thread.tells(Status::Down);
    thread.stop();
}

#[test]
fn a_page_is_well_by_its_status() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, requests) = crossbeam_channel::unbounded();
    std::thread::spawn(move || {
        for (status, connection) in [200, 404, 399].iter().cycle().zip(listener.incoming()) {
            let mut connection = connection.unwrap();
            let mut request = vec![0; 1000];
            let length = connection.read(&mut request).unwrap_or(0);
            let _ = sender.send(String::from_utf8_lossy(&request[..length]).into_owned());
            // In two parts, as a network may deliver it.
            let _ = connection.write_all(b"HTTP/1.");
            let _ = connection.write_all(format!("1 {status} Word\r\nContent-Length: 0\r\n\r\n").as_bytes());
        }
    });
    let url = HttpUrl::parse(&format!("http://127.0.0.1:{port}/health?x")).unwrap();
    let thread = Thread::start(vec![check(What::Probe(Target::Http { url, status: (200, 399) }))]);
    for status in [Status::Up, Status::Down, Status::Up, Status::Down] {
        thread.tells(status);
    }
    thread.stop();
    let request = requests.recv().unwrap();
    assert!(request.starts_with(&format!("GET /health?x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n")), "{request}");
    assert!(request.ends_with("Connection: close\r\n\r\n"), "{request}");
}

/// One that accepts and says nothing, one that says something else, one that nobody reaches.
#[test]
fn a_page_without_an_answer_fails_in_time() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let chatty = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = |listener: &TcpListener| {
        HttpUrl::parse(&format!("http://{}/", listener.local_addr().unwrap())).expect("an address")
    };
    let timeout = Duration::from_millis(200);
    let page = |url| Check { timeout, ..check(What::Probe(Target::Http { url, status: (200, 399) })) };
    let thread = Thread::start(vec![page(url(&silent))]);
    thread.tells(Status::Down);
    thread.stop();
    let address = url(&chatty);
    std::thread::spawn(move || {
        for connection in chatty.incoming() {
            let _ = connection.unwrap().write_all(&vec![b'x'; 100_000]);
        }
    });
    let thread = Thread::start(vec![page(address)]);
    thread.tells(Status::Down);
    thread.stop();
    // TEST-NET-1: no route, or no answer.
    let nowhere = Target::Tcp { host: "192.0.2.1".into(), port: 1 };
    let thread = Thread::start(vec![Check { timeout, ..check(What::Probe(nowhere)) }]);
    thread.tells(Status::Down);
    thread.stop();
}

#[test]
fn a_name_that_does_not_exist_fails() {
    let target = Target::Tcp { host: "no-such-host.invalid".into(), port: 80 };
    let timeout = Duration::from_secs(1);
    let thread = Thread::start(vec![Check { timeout, ..check(What::Probe(target)) }]);
    thread.tells(Status::Down);
    thread.stop();
}

#[test]
fn a_process_is_well_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("chk-{}", std::process::id());
    let program = folder.path().join(&name);
    fs::copy("/bin/sleep", &program).unwrap();
    let thread = Thread::start(vec![check(What::Probe(Target::Process(name)))]);
    thread.tells(Status::Down);
    let mut child = std::process::Command::new(&program).arg("600").spawn().unwrap();
    thread.tells(Status::Up);
    child.kill().unwrap();
    thread.tells(Status::Down);
    child.wait().unwrap();
    thread.stop();
}
