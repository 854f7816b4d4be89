//! A command that runs: its output's last lines, its end, its time limit. Nothing here waits, except [`Run::finish`].
//!
//! The child has a process group of its own, and dies with the thread that started it. Knows nothing of who wants it run.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, Uid};
use vrrp_netlink::capabilities::{use_all_in, use_none_in};
use vrrp_netlink::process::{Poller, default_signals, die_with_parent, exit_descriptor};

use super::Program;

/// Of the output so much is kept.
const TAIL: usize = 1024;
/// And so many lines.
const LINES: usize = 4;
/// What one look at the output reads at most, so that one that never ends does not hold up others.
const PORTION: usize = 256 * 1024;
/// Octets that a pipe holds, unless somebody changed it.
const PIPE: usize = 64 * 1024;
/// A process that does not obey SIGKILL is in the kernel; it is reminded so often.
const REMINDER: Duration = Duration::from_secs(10);
/// How often to look where the kernel does not tell of an end.
const LOOK: Duration = Duration::from_millis(10);

const SHELL: &str = "/bin/sh";

/// How long a command may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::daemon) struct Limits {
    /// Until its process group is told to end (SIGTERM).
    pub(in crate::daemon) patience: Duration,
    /// From then until it is killed.
    pub(in crate::daemon) grace: Duration,
}

/// How a command ended.
#[derive(Debug)]
pub(in crate::daemon) enum Outcome {
    /// With this status, in time.
    Ended(ExitStatus),
    /// It had to be ended.
    TimedOut,
    /// How it ended cannot be learnt.
    Unknown(io::Error),
}

/// What there is to say about a command that ended.
#[derive(Debug)]
pub(in crate::daemon) struct Report {
    pub(in crate::daemon) outcome: Outcome,
    pub(in crate::daemon) took: Duration,
    /// Its last lines, at most four and 1 KiB, without control characters.
    pub(in crate::daemon) lines: Vec<String>,
}

/// A command that was started. Dropping it kills its process group.
#[derive(Debug)]
pub(in crate::daemon) struct Run {
    child: Child,
    group: Pid,
    exit: Option<OwnedFd>,
    output: Option<File>,
    tail: Tail,
    started: Instant,
    limits: Limits,
    /// When the next signal is due, and which.
    deadline: Instant,
    signal: Signal,
    timed_out: bool,
    reaped: bool,
}

/// Output of something that lives on after the command.
#[derive(Debug)]
pub(in crate::daemon) struct Drain(File);

impl Program {
    /// Whether it is run by a user who is neither root nor the daemon's own: what the daemon may do is not for that one.
    fn is_anothers(&self) -> bool {
        self.identity.is_some_and(|(user, _)| !user.is_root() && user != Uid::effective())
    }

    /// Starts it with further arguments. The end of the calling thread kills it.
    pub(in crate::daemon) fn start(&self, more: &[String], limits: Limits) -> io::Result<Run> {
        let (reader, writer) = io::pipe()?;
        set_nonblocking(&reader)?;
        let spawn = |program: &str, script: Option<&str>| {
            let mut command = Command::new(program);
            command.args(script).args(&self.arguments).args(more);
            command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer.try_clone()?).process_group(0);
            for (name, _) in std::env::vars_os().filter(|(name, _)| unwanted(name)) {
                command.env_remove(name);
            }
            if let Some((user, group)) = self.identity {
                command.uid(user.as_raw()).gid(group.as_raw());
            }
            let privileges = if self.is_anothers() { use_none_in } else { use_all_in };
            die_with_parent(privileges(default_signals(&mut command))).spawn()
        };
        // A file that is neither a program nor begins with `#!`.
        let child = spawn(&self.path, None).or_else(|error| match error.raw_os_error() {
            Some(number) if Errno::from_raw(number) == Errno::ENOEXEC => spawn(SHELL, Some(&self.path)),
            _ => Err(error),
        })?;
        let started = Instant::now();
        let group = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
        Ok(Run {
            // Without it the end is looked for every now and then.
            exit: exit_descriptor(&child).ok(),
            child,
            group,
            output: Some(File::from(OwnedFd::from(reader))),
            tail: Tail::default(),
            started,
            limits,
            deadline: started + limits.patience,
            signal: Signal::SIGTERM,
            timed_out: false,
            reaped: false,
        })
    }
}

impl Run {
    /// What becomes readable when [`advance`](Self::advance) has something to do.
    pub(in crate::daemon) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.exit.iter().map(AsFd::as_fd).chain(self.output.iter().map(AsFd::as_fd))
    }

    /// When [`advance`](Self::advance) has something to do at the latest.
    pub(in crate::daemon) fn deadline(&self) -> Instant {
        if self.exit.is_some() { self.deadline } else { self.deadline.min(Instant::now() + LOOK) }
    }

    /// Reads what was printed, ends what takes too long, and tells how the command ended, once it has.
    pub(in crate::daemon) fn advance(&mut self, now: Instant) -> Option<Report> {
        self.read();
        match self.ended() {
            Ok(true) => {
                if self.timed_out {
                    // While nobody has waited for the leader, its number is nobody else's.
                    self.kill(Signal::SIGKILL);
                }
                self.read();
                let status = self.child.wait();
                self.reaped = true;
                Some(self.report(status))
            }
            Ok(false) => {
                if self.deadline <= now {
                    self.press(now);
                }
                None
            }
            Err(error) => {
                self.reaped = true;
                Some(self.report(Err(error)))
            }
        }
    }

    /// Whether it was told to end.
    pub(in crate::daemon) fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// What there is to say before its end.
    pub(in crate::daemon) fn so_far(&self) -> Report {
        Report { outcome: Outcome::TimedOut, took: self.started.elapsed(), lines: self.tail.lines() }
    }

    /// Asks it to end, and kills it after `grace`, unless it was asked before.
    pub(in crate::daemon) fn terminate(&mut self, now: Instant, grace: Duration) {
        if self.signal == Signal::SIGTERM {
            self.limits.grace = grace;
            self.press(now);
        } else {
            self.deadline = self.deadline.min(now + grace);
        }
    }

    /// Its process group.
    #[allow(dead_code, reason = "for those who have a thread for each command")]
    pub(in crate::daemon) fn group(&self) -> Pid {
        self.group
    }

    /// Sends its process group a signal that is to end it, and SIGKILL when that does not help.
    pub(in crate::daemon) fn end(&mut self, signal: Signal, now: Instant) {
        self.timed_out = true;
        self.kill(signal);
        self.signal = Signal::SIGKILL;
        self.deadline = now + self.limits.grace;
    }

    /// Waits for its end. Then for whatever still holds its output, when there is something.
    #[allow(dead_code, reason = "for those who have a thread for each command")]
    pub(in crate::daemon) fn finish(mut self) -> (Report, Option<Drain>) {
        let mut poller = Poller::new();
        loop {
            if let Some(report) = self.advance(Instant::now()) {
                return (report, self.drain());
            }
            poller.clear();
            for descriptor in self.descriptors() {
                poller.add(descriptor);
            }
            let wait = self.deadline().saturating_duration_since(Instant::now());
            if poller.wait(Some(wait)).is_err() {
                std::thread::sleep(LOOK);
            }
        }
    }

    /// The output, when something else still holds it.
    pub(in crate::daemon) fn drain(&mut self) -> Option<Drain> {
        self.output.take().map(Drain)
    }

    fn press(&mut self, now: Instant) {
        self.timed_out = true;
        self.kill(self.signal);
        let next = if self.signal == Signal::SIGTERM { self.limits.grace } else { REMINDER };
        self.signal = Signal::SIGKILL;
        self.deadline = now + next;
    }

    fn kill(&self, signal: Signal) {
        // It fails when the group is gone, which is what is wanted.
        let _ = killpg(self.group, signal);
    }

    /// Whether the child has ended; it is left to be waited for.
    fn ended(&self) -> io::Result<bool> {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(self.group), look) {
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => Ok(false),
            Ok(_) => Ok(true),
            Err(errno) => Err(errno.into()),
        }
    }

    fn read(&mut self) {
        let Some(output) = &mut self.output else { return };
        let mut buffer = [0; 16 * 1024];
        let mut portion = 0;
        while portion < PORTION {
            match output.read(&mut buffer) {
                Ok(0) => {
                    self.output = None;
                    return;
                }
                Ok(length) => {
                    portion += length;
                    self.tail.push(buffer.get(..length).unwrap_or_default());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Nothing more for now. A pipe has no other errors.
                Err(_) => return,
            }
        }
    }

    fn report(&self, status: io::Result<ExitStatus>) -> Report {
        let outcome = match status {
            _ if self.timed_out => Outcome::TimedOut,
            Ok(status) => Outcome::Ended(status),
            Err(error) => Outcome::Unknown(error),
        };
        Report { outcome, took: self.started.elapsed(), lines: self.tail.lines() }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Not waited for: one that is stuck in the kernel would hold us up, and nobody else needs it.
        if !self.reaped {
            self.kill(Signal::SIGKILL);
        }
    }
}

impl Report {
    /// Whether the command says that all is well: it ended in time, with status 0.
    pub(in crate::daemon) fn success(&self) -> bool {
        matches!(self.outcome, Outcome::Ended(status) if status.success())
    }

    /// `: "last line"`, for the end of a log line; empty when nothing was printed.
    pub(in crate::daemon) fn output(&self) -> String {
        if self.lines.is_empty() { String::new() } else { format!(", it printed \"{}\"", self.lines.join(" | ")) }
    }
}

/// "ended with status 1 after 12ms".
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Ended(status) => match (status.code(), status.signal()) {
                (Some(code), _) => write!(f, "ended with status {code}")?,
                (None, Some(signal)) => match Signal::try_from(signal) {
                    Ok(signal) => write!(f, "was ended by {signal}")?,
                    Err(_) => write!(f, "was ended by signal {signal}")?,
                },
                (None, None) => write!(f, "ended: {status}")?,
            },
            Outcome::TimedOut => f.write_str("took too long and was ended")?,
            Outcome::Unknown(error) => write!(f, "ended, nobody knows how ({error})")?,
        }
        write!(f, " after {:.1?}", self.took)
    }
}

impl Drain {
    /// Reads and throws away what a pipe holds; whether more may come.
    pub(in crate::daemon) fn advance(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        for _ in 0..PIPE / buffer.len() {
            match self.0.read(&mut buffer) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
        true
    }
}

impl AsFd for Drain {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The last octets of an output.
#[derive(Default, Debug)]
struct Tail(VecDeque<u8>);

impl Tail {
    fn push(&mut self, octets: &[u8]) {
        let kept = octets.get(octets.len().saturating_sub(TAIL)..).unwrap_or_default();
        let room = TAIL - kept.len();
        self.0.drain(..self.0.len().saturating_sub(room));
        self.0.extend(kept);
    }

    fn lines(&self) -> Vec<String> {
        let octets: Vec<u8> = self.0.iter().copied().collect();
        let text = String::from_utf8_lossy(&octets);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let clean = |line: &&str| line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        lines.iter().skip(lines.len().saturating_sub(LINES)).map(clean).collect()
    }
}

/// Whether a variable of the environment could change what a command does, in the hands of whoever started the daemon.
pub(super) fn unwanted(name: &OsStr) -> bool {
    name == "IFS" || name.as_encoded_bytes().starts_with(b"LD_")
}

fn set_nonblocking(pipe: &PipeReader) -> io::Result<()> {
    let flags = OFlag::from_bits_truncate(fcntl(pipe, FcntlArg::F_GETFL)?);
    fcntl(pipe, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}
