//! What only a process without other threads can show, so this test has no harness: it executes itself in several roles.

use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use vrrp_netlink::capabilities::{self, Capability};
use vrrp_netlink::guardian::{Channel, Fork, Heard, Signals, fork, terminate_with_parent};
use vrrp_netlink::namespace::{self, Namespace, UserNamespaceError};
use vrrp_netlink::process::{default_signals, die_with_parent, wait_readable};
use vrrp_netlink::socket::VrrpSocket;

const ROLE: &str = "VRRP_NETLINK_TEST_ROLE";
const WORK: &str = "VRRP_NETLINK_TEST_WORK";
const NOBODY: u32 = 65534;
/// The exit status of a role whose system does not let it do its work.
const REFUSED: u8 = 77;

fn main() -> ExitCode {
    match std::env::var(ROLE).as_deref() {
        Ok("unprivileged") => unprivileged(),
        Ok("parent") => parent(),
        Ok("child") => child(),
        Ok("ignorer") => ignorer(),
        Ok("guardian") => guardian(),
        Ok("crowded") => crowded(),
        Ok(other) => panic!("no role {other}"),
        Err(_) => {
            an_unprivileged_process_becomes_root_of_its_own_network();
            a_child_dies_with_its_parent();
            a_child_ignores_no_signal_that_its_parent_ignores();
            a_guardian_hears_of_the_end_and_passes_signals_on();
            a_process_with_threads_is_not_split();
            descriptors_that_find_no_room_are_an_error_and_not_the_end();
            ExitCode::SUCCESS
        }
    }
}

/// This program again, in another role. Its path is the kernel's, which needs no access to the directories above it.
fn role(name: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.env(ROLE, name).stdin(Stdio::null());
    command
}

fn an_unprivileged_process_becomes_root_of_its_own_network() {
    let mut command = role("unprivileged");
    if nix::unistd::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
    }
    let status = command.status().expect("it starts");
    if status.code() == Some(REFUSED.into()) {
        assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "CI must allow user namespaces");
        report("skipped: needs user namespaces for unprivileged users");
    } else {
        assert!(status.success(), "the unprivileged role failed: {status}");
    }
}

/// What the child of the guardian is to do, and what the guardian must say of it.
fn a_guardian_hears_of_the_end_and_passes_signals_on() {
    for (work, said) in [("exit", "Exited(7)"), ("wait", "Killed(12)"), ("stop", "Killed(9)"), ("orphan", "")] {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let mut command = role("guardian");
        let mut child = command.env(WORK, work).stdout(writer).spawn().expect("it starts");
        // The writing end of the command must go, or the pipe never ends.
        drop(command);
        if work == "wait" {
            wait_for_line(&mut reader, "ready");
            // Of those that a daemon uses, and of those that have no name.
            let pid = i32::try_from(child.id()).expect("a process number");
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGUSR2).expect("sent");
        }
        if work == "orphan" {
            wait_for_line(&mut reader, "ready");
            child.kill().expect("killed");
        }
        let mut text = String::new();
        // It ends when both processes have.
        reader.read_to_string(&mut text).expect("read");
        child.wait().expect("reaped");
        assert_eq!(text.trim(), said, "{work}");
    }
}

fn wait_for_line(reader: &mut PipeReader, line: &str) {
    let mut octets = vec![0; line.len() + 1];
    reader.read_exact(&mut octets).expect("a line");
    assert_eq!(octets, format!("{line}\n").as_bytes());
}

fn guardian() -> ExitCode {
    let say = |text: &str| writeln!(io::stdout(), "{text}").expect("said");
    let work = std::env::var(WORK).expect("some work");
    let signals = Signals::block().expect("blocked");
    let parent = std::process::id();
    match fork().expect("a second process") {
        Fork::Child => {
            assert!(terminate_with_parent(parent).expect("watched"));
            match work.as_str() {
                "exit" => return ExitCode::from(7),
                "stop" => nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP).expect("stopped"),
                _ => {}
            }
            // What came meanwhile arrives now.
            signals.unblock().expect("unblocked");
            if work != "stop" {
                say("ready");
            }
            loop {
                std::thread::park();
            }
        }
        Fork::Parent(child) => {
            let mut looks = 0;
            loop {
                wait_readable(&signals, Some(Duration::from_millis(20))).expect("a wait");
                while let Some(signal) = signals.next() {
                    if signal != nix::sys::signal::Signal::SIGCHLD as i32 {
                        child.forward(signal);
                    }
                }
                if let Some(ending) = child.ended() {
                    say(&format!("{ending:?}"));
                    return ExitCode::SUCCESS;
                }
                looks += 1;
                if work == "stop" && looks == 10 {
                    child.kill();
                }
            }
        }
    }
}

fn a_process_with_threads_is_not_split() {
    let stop = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || stop.1.recv().is_err());
    let refused = fork().expect_err("it has two threads");
    assert_eq!(refused.errno(), Some(nix::errno::Errno::EBUSY as i32));
    drop(stop.0);
    assert!(thread.join().expect("no panic"));
}

fn unprivileged() -> ExitCode {
    let wanted = [Capability::NetAdmin, Capability::NetRaw];
    assert_eq!(capabilities::missing(&wanted).expect("/proc is there"), wanted);
    let error = VrrpSocket::open("lo", 1, 112).expect_err("no privilege yet");
    assert!(error.to_string().starts_with("cannot open a raw socket without CAP_NET_RAW on lo: "), "{error}");
    let error = Namespace::create().expect_err("no privilege yet");
    assert!(error.to_string().starts_with("cannot create a network namespace without CAP_SYS_ADMIN: "), "{error}");

    // A thread that was joined, as the one just now, counts for a moment longer.
    let start = Instant::now();
    while !namespace::is_single_threaded().expect("/proc is there") {
        assert!(start.elapsed() < Duration::from_secs(10), "a joined thread does not go");
        std::thread::yield_now();
    }
    match namespace::user_namespace_command(&mut role("child")).status() {
        Ok(status) => assert!(status.success(), "the child role failed: {status}"),
        Err(error) => report(&error.to_string()),
    }
    assert!(!nix::unistd::geteuid().is_root());
    match namespace::enter_user_namespace() {
        Ok(()) => {}
        Err(error @ UserNamespaceError::Refused { .. }) => {
            report(&error.to_string());
            return ExitCode::from(REFUSED);
        }
        Err(error) => panic!("{error}"),
    }

    assert!(nix::unistd::geteuid().is_root());
    assert_eq!(capabilities::missing(&wanted).expect("/proc is there"), []);
    VrrpSocket::open("lo", 1, 112).expect("a raw socket of its own network");
    namespace::private_run_directory().expect("a private /run");
    std::fs::write("/run/mine", "").expect("which it may write to");
    let other = Namespace::create().expect("further networks");
    let status = other.command(&mut Command::new("ip")).expect("a copy").args(["link", "set", "lo", "up"]).status();
    assert!(status.expect("ip is installed").success());
    ExitCode::SUCCESS
}

/// Started as root of a user namespace by a parent that is not.
fn child() -> ExitCode {
    assert!(nix::unistd::geteuid().is_root());
    VrrpSocket::open("lo", 1, 112).expect("a raw socket of its own network");
    namespace::private_run_directory().expect("a private /run");
    ExitCode::SUCCESS
}

fn a_child_dies_with_its_parent() {
    let (mut reader, writer) = io::pipe().expect("a pipe");
    let status = role("parent").stdout(writer).status().expect("it starts");
    assert!(status.success(), "the parent role failed: {status}");
    // The grandchild holds the other end for a minute, unless it died.
    assert!(reaches_end(&mut reader), "the grandchild outlives its parent");
}

#[expect(clippy::zombie_processes, reason = "that the child outlives this process is what the test provokes")]
fn parent() -> ExitCode {
    die_with_parent(Command::new("sleep").arg("60")).spawn().expect("it starts");
    ExitCode::SUCCESS
}

fn a_child_ignores_no_signal_that_its_parent_ignores() {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "trap '' USR2; exec \"$0\""]).arg(std::env::current_exe().expect("a path"));
    let status = command.env(ROLE, "ignorer").stdin(Stdio::null()).status().expect("it starts");
    assert!(status.success(), "the ignorer role failed: {status}");
}

/// Started with SIGUSR2 ignored.
fn ignorer() -> ExitCode {
    let command = || {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "kill -USR2 $$; exit 7"]);
        command
    };
    assert_eq!(command().status().expect("it starts").code(), Some(7), "it is ignored");
    let status = default_signals(&mut command()).status().expect("it starts");
    assert_eq!(status.signal(), Some(libc::SIGUSR2));
    ExitCode::SUCCESS
}

fn reaches_end(reader: &mut PipeReader) -> bool {
    wait_readable(&*reader, Some(Duration::from_secs(20))).expect("a pipe can be waited for")
        && reader.read(&mut [0]).expect("a pipe can be read") == 0
}

fn report(line: &str) {
    writeln!(io::stdout(), "{line}").expect("a line of output");
}

/// What came with them is lost, which must be told; what comes behind it is heard.
fn descriptors_that_find_no_room_are_an_error_and_not_the_end() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 12; exec \"$0\""]).arg(std::env::current_exe().expect("its path"));
    assert!(command.env(ROLE, "crowded").status().expect("it starts").success());
}

fn crowded() -> ExitCode {
    let (here, there) = Channel::pair().expect("two descriptors");
    here.send(b"x", &[here.as_fd(); 20]).expect("it is sent");
    here.send(b"yz", &[]).expect("it is sent");
    let error = there.receive(&mut [0; 8]).expect_err("there is no room for 20");
    assert_eq!(error.errno(), Some(nix::errno::Errno::ENOBUFS as i32));
    assert!(matches!(there.receive(&mut [0; 8]).expect("the next"), Heard::Message(2, none) if none.is_empty()));
    ExitCode::SUCCESS
}
