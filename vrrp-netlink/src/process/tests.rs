//! Waiting, waking, and children.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use super::*;

const LONG_ENOUGH: Option<Duration> = Some(Duration::from_secs(10));

#[test]
fn a_wakeup_is_ready_from_wake_until_clear() {
    let wakeup = Wakeup::new().unwrap();
    assert!(!wait_readable(&wakeup, Some(Duration::ZERO)).unwrap());
    wakeup.wake();
    wakeup.clone().wake();
    assert!(wait_readable(&wakeup, Some(Duration::ZERO)).unwrap());
    wakeup.clear();
    assert!(!wait_readable(&wakeup, Some(Duration::ZERO)).unwrap());
    wakeup.clear();
}

#[test]
fn a_wakeup_whose_counter_is_full_still_wakes_without_blocking() {
    let wakeup = Wakeup::new().unwrap();
    wakeup.event.write(u64::MAX - 1).unwrap();
    wakeup.wake();
    assert!(wait_readable(&wakeup, Some(Duration::ZERO)).unwrap());
    wakeup.clear();
    assert!(!wait_readable(&wakeup, Some(Duration::ZERO)).unwrap());
}

#[test]
fn a_poller_tells_which_descriptor_is_ready() {
    let wakeups = [(); 64].map(|()| Wakeup::new().unwrap());
    let mut poller = Poller::new();
    let tokens = wakeups.each_ref().map(|wakeup| poller.add(wakeup));
    assert_eq!(tokens[5], Token(5));
    assert_eq!(poller.wait(Some(Duration::ZERO)).unwrap(), 0);
    wakeups[0].wake();
    wakeups[63].wake();
    assert_eq!(poller.wait(LONG_ENOUGH).unwrap(), 2);
    let ready: Vec<_> = tokens.iter().filter(|&&token| poller.ready(token)).collect();
    assert_eq!(ready, [&Token(0), &Token(63)]);

    wakeups[0].clear();
    assert_eq!(poller.wait(LONG_ENOUGH).unwrap(), 1);
    assert!(!poller.ready(Token(0)));
    poller.clear();
    assert!(!poller.ready(Token(63)));
}

#[test]
fn another_thread_ends_an_endless_wait() {
    let wakeup = Wakeup::new().unwrap();
    let mut poller = Poller::new();
    let token = poller.add(&wakeup);
    thread::scope(|scope| {
        scope.spawn(|| wakeup.wake());
        while !poller.ready(token) {
            poller.wait(None).unwrap();
        }
    });
}

#[test]
fn a_wait_lasts_as_long_as_it_was_given() {
    let wakeup = Wakeup::new().unwrap();
    let mut poller = Poller::new();
    poller.add(&wakeup);
    let start = Instant::now();
    let timeout = Duration::from_nanos(2_500_001);
    assert_eq!(poller.wait(Some(timeout)).unwrap(), 0);
    assert!(start.elapsed() >= timeout);
}

#[test]
fn an_end_of_file_and_a_closed_descriptor_are_ready_rather_than_silent() {
    let (reader, writer) = io::pipe().unwrap();
    let mut poller = Poller::new();
    let ended = poller.add(&reader);
    drop(writer);
    // A number that no descriptor has, as after closing one.
    poller.fds.push(libc::pollfd { fd: libc::c_int::MAX, events: libc::POLLIN, revents: 0 });
    assert_eq!(poller.wait(LONG_ENOUGH).unwrap(), 2);
    assert!(poller.ready(ended) && poller.ready(Token(1)));
}

#[test]
fn a_time_out_beyond_all_bounds_is_accepted() {
    let wakeup = Wakeup::new().unwrap();
    wakeup.wake();
    assert!(wait_readable(&wakeup, Some(Duration::MAX)).unwrap());
}

#[test]
fn timer_slack_is_set_for_this_thread_only() {
    let slack = || nix::sys::prctl::get_timerslack().unwrap();
    let before = slack();
    thread::spawn(move || {
        set_timer_slack(Duration::from_nanos(1234)).unwrap();
        assert_eq!(slack(), 1234);
        set_timer_slack(Duration::ZERO).unwrap();
        assert_eq!(slack(), 1);
    })
    .join()
    .unwrap();
    assert_eq!(slack(), before);
}

#[test]
fn a_child_dies_with_the_thread_that_started_it() {
    let spawned =
        thread::spawn(|| die_with_parent(Command::new("sleep").arg("60")).stdin(Stdio::null()).spawn().unwrap());
    let mut child = spawned.join().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
}

#[test]
fn a_child_of_a_parent_that_is_gone_does_not_start() {
    let mut command = Command::new("true");
    // Process 0 is nobody's parent here, as if the real one had died meanwhile.
    sys::die_with_parent_in_child(&mut command, 0);
    assert_eq!(command.spawn().unwrap_err().raw_os_error(), Some(libc::ESRCH));
    assert!(die_with_parent(&mut Command::new("true")).status().unwrap().success());
}

#[test]
fn the_descriptor_of_a_child_is_ready_from_its_end_on() {
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let exit = exit_descriptor(&child).unwrap();
    assert!(!wait_readable(&exit, Some(Duration::ZERO)).unwrap());
    drop(child.stdin.take());
    assert!(wait_readable(&exit, LONG_ENOUGH).unwrap());
    assert!(child.wait().unwrap().success());
}
