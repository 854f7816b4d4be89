//! `vrrpctl demo` as a newcomer meets it: by its output, its exit status, and what is left of it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vrrp_cli::lab::wait_until;

const PATIENCE: Duration = Duration::from_secs(30);

/// Killed when a test fails half-way.
struct Demo(Child);

impl Demo {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vrrpctl"));
        command.arg("demo").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().expect("vrrpctl starts"))
    }

    fn stdout(&mut self) -> BufReader<ChildStdout> {
        BufReader::new(self.0.stdout.take().expect("it is taken once"))
    }

    fn stderr(&mut self) -> String {
        let mut text = String::new();
        let mut stderr = self.0.stderr.take().expect("it is taken once");
        stderr.read_to_string(&mut text).expect("text");
        text
    }

    /// The routers' processes.
    fn children(&self) -> Vec<String> {
        let pid = self.0.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("/proc is there");
        children.split_whitespace().map(str::to_owned).collect()
    }

    fn signal(&self, signal: Signal) {
        let pid = self.0.id().try_into().expect("process numbers are small");
        kill(Pid::from_raw(pid), signal).expect("it runs");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads up to the line that contains `wanted`; `None` when the system does not let the demonstration run.
fn read_until(demo: &mut Demo, wanted: &str) -> Option<BufReader<ChildStdout>> {
    let mut stdout = demo.stdout();
    let mut text = String::new();
    loop {
        let start = text.len();
        if stdout.read_line(&mut text).expect("text") == 0 {
            let stderr = demo.stderr();
            assert!(not_allowed(&stderr), "no {wanted:?} in:\n{text}\n{stderr}");
            return None;
        }
        if text[start..].contains(wanted) {
            return Some(stdout);
        }
    }
}

fn not_allowed(stderr: &str) -> bool {
    let refused = stderr.contains("cannot enter a user namespace");
    assert!(!refused || std::env::var_os("CI").is_none_or(|value| value != "true"), "CI must allow it: {stderr}");
    if refused {
        eprintln!("skipped: {stderr}");
    }
    refused
}

fn all_gone(processes: &[String]) -> bool {
    processes.iter().all(|pid| !Path::new("/proc").join(pid).exists())
}

#[test]
fn the_first_minute() {
    let mut demo = Demo::start();
    let mut text = String::new();
    demo.stdout().read_to_string(&mut text).unwrap();
    let stderr = demo.stderr();
    if not_allowed(&stderr) {
        return;
    }
    let status = demo.0.wait().unwrap();
    assert!(status.success(), "{status}\n{text}\n{stderr}");
    assert_eq!(stderr, "");
    assert!(!text.contains(['\x1b', '\r']), "plain lines for a pipe:\n{text}");
    assert!(text.lines().all(|line| line.len() <= 100), "{text}");
    for wanted in ["virtual_router_id 50", "lb02 is master", "planned stop of lb01 ", "crash of lb01 ", "vrrpctl run"] {
        assert!(text.contains(wanted), "no {wanted:?} in:\n{text}");
    }
}

#[test]
fn ctrl_c_leaves_nothing() {
    let mut demo = Demo::start();
    let Some(mut stdout) = read_until(&mut demo, "lb01 is master") else { return };
    let routers = demo.children();
    assert_eq!(routers.len(), 2);
    demo.signal(Signal::SIGINT);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(demo.0.wait().unwrap().code(), Some(130));
    assert!(all_gone(&routers));
    assert_eq!(demo.stderr(), "vrrpctl demo: stopped; nothing is left behind\n");
}

#[test]
fn not_even_sigkill_leaves_a_router() {
    let mut demo = Demo::start();
    let Some(_stdout) = read_until(&mut demo, "lb01 is master") else { return };
    let routers = demo.children();
    assert_eq!(routers.len(), 2);
    demo.signal(Signal::SIGKILL);
    assert_eq!(demo.0.wait().unwrap().signal(), Some(9));
    assert!(wait_until(PATIENCE, || all_gone(&routers)));
}
