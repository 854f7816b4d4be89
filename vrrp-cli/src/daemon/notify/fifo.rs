//! Named pipes that tell what happens, a line each, and the scripts that read them.
//!
//! Nothing here waits for a reader: what the pipe has no room for is kept, the oldest is dropped when that becomes too
//! much, and the log says so. A script that ends is started again, later and later. Knows how pipes and scripts are
//! handled; nothing of what the lines say.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, fchown};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, mkfifo};
use vrrp_netlink::process::{Poller, Token};

use crate::daemon::script::{Limits, Program, Run};

/// Lines that wait for a reader at the most, beside those in the pipe itself (64 KiB).
pub(super) const ROOM: usize = 1024;
/// How often to look whether a reader that is slow has made room.
const LOOK: Duration = Duration::from_millis(50);
/// Pause before a script that ended is started again; doubles up to the longest, and begins anew after a run as long as
/// that.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// At the end: how long the reader may take for what is left; then for its own end; then after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(1);
/// A reader runs as long as the daemon.
const LIMITS: Limits = Limits { patience: Duration::from_secs(u32::MAX as u64), grace: PATIENCE };

/// A pipe of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fifo {
    pub(super) path: PathBuf,
    /// Whose it is when we make it; `None`: the daemon's user.
    pub(super) owner: Option<(Uid, Gid)>,
    /// Reads it; gets the path as its last argument.
    pub(super) reader: Option<Program>,
}

/// Why a pipe cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} the named pipe `{}`: {error}", .path.display())]
pub(super) struct FifoError {
    operation: &'static str,
    path: PathBuf,
    error: io::Error,
}

/// A pipe that is open. Dropping it kills its reader, and removes it from the file system if we made it.
pub(super) struct Pipe {
    path: PathBuf,
    made: bool,
    state: State,
    backlog: VecDeque<String>,
    dropped: u64,
    reader: Option<Reader>,
}

enum State {
    Open(File),
    /// Until then the reader may take what is left.
    Flushing(File, Instant),
    /// Until then the reader may end by itself.
    Ending(Instant),
    /// It was told to.
    Told,
    Closed,
}

struct Reader {
    program: Program,
    path: String,
    run: Option<(Run, Instant)>,
    tokens: Vec<Token>,
    /// When to start it again.
    next: Instant,
    pause: Duration,
}

impl Pipe {
    /// Makes the pipe unless it exists, and opens it.
    pub(super) fn open(fifo: Fifo) -> Result<Self, FifoError> {
        let Fifo { path, owner, reader } = fifo;
        let failed = |operation, error| FifoError { operation, path: path.clone(), error };
        let made = match mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(errno) => return Err(failed("make", errno.into())),
        };
        // As its own reader it never meets an end or a broken pipe.
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
        let opened = options.open(&path).and_then(|file| {
            if !file.metadata()?.file_type().is_fifo() {
                return Err(io::Error::new(ErrorKind::AlreadyExists, "there is something else of that name"));
            }
            if let Some((user, group)) = owner.filter(|_| made) {
                fchown(&file, Some(user.as_raw()), Some(group.as_raw()))?;
            }
            Ok(file)
        });
        let file = match opened {
            Ok(file) => file,
            Err(error) => {
                if made {
                    // What cannot be used is not left behind.
                    let _ = fs::remove_file(&path);
                }
                return Err(failed("open", error));
            }
        };
        let text = path.to_string_lossy().into_owned();
        let reader = reader.map(|program| Reader::new(program, text));
        Ok(Self { path, made, state: State::Open(file), backlog: VecDeque::new(), dropped: 0, reader })
    }

    /// Writes a line, or keeps it until there is room.
    pub(super) fn write(&mut self, line: &str) {
        if self.backlog.len() >= ROOM {
            self.backlog.pop_front();
            if self.dropped == 0 {
                tracing::warn!("`{}` is not read: its oldest lines are dropped", self.path.display());
            }
            self.dropped += 1;
        }
        self.backlog.push_back(line.to_owned());
        self.flush();
    }

    /// Writes what waits, looks after the reader, and goes on with the end. `poller` is what was waited with.
    pub(super) fn advance(&mut self, poller: &Poller, now: Instant) {
        self.flush();
        let closing = !matches!(self.state, State::Open(_));
        if let Some(reader) = &mut self.reader {
            reader.advance(poller, now, closing);
        }
        let running = self.reader.as_ref().is_some_and(|reader| reader.run.is_some());
        let state = std::mem::replace(&mut self.state, State::Closed);
        self.state = match state {
            State::Flushing(file, until) if until > now && !self.backlog.is_empty() => State::Flushing(file, until),
            // With the last writer the reader meets the end.
            State::Flushing(..) => State::Ending(now + PATIENCE),
            State::Ending(until) if running && until > now => State::Ending(until),
            State::Ending(_) if running => {
                self.end_reader(Signal::SIGTERM, now);
                State::Told
            }
            State::Told if running => State::Told,
            State::Ending(_) | State::Told | State::Closed => State::Closed,
            State::Open(file) => State::Open(file),
        };
    }

    /// No more lines: the reader may take what is left, and end.
    pub(super) fn close(&mut self, now: Instant) {
        let state = std::mem::replace(&mut self.state, State::Closed);
        self.state = match state {
            State::Open(file) => State::Flushing(file, now + PATIENCE),
            other => other,
        };
    }

    /// The end, at once.
    pub(super) fn kill(&mut self) {
        self.state = State::Closed;
        // Dropping kills.
        self.reader = None;
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// What to wait for.
    pub(super) fn listen(&mut self, poller: &mut Poller) {
        let Some(reader) = &mut self.reader else { return };
        reader.tokens.clear();
        if let Some((run, _)) = &reader.run {
            reader.tokens.extend(run.descriptors().map(|descriptor| poller.add(descriptor)));
        }
    }

    /// When to look again at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let room = (!self.backlog.is_empty()).then(|| Instant::now() + LOOK);
        let end = match self.state {
            State::Flushing(_, until) | State::Ending(until) => Some(until),
            State::Open(_) | State::Told | State::Closed => None,
        };
        // At the end it is not started again.
        let starts = matches!(self.state, State::Open(_));
        let reader = self.reader.as_ref().and_then(|reader| match &reader.run {
            Some((run, _)) => Some(run.deadline()),
            None => starts.then_some(reader.next),
        });
        [room, end, reader].into_iter().flatten().min()
    }

    fn flush(&mut self) {
        let (State::Open(file) | State::Flushing(file, _)) = &mut self.state else { return };
        while let Some(line) = self.backlog.front() {
            // A line is shorter than what is written as a whole or not at all (PIPE_BUF).
            match file.write(line.as_bytes()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => tracing::error!("cannot write to `{}`: {error}", self.path.display()),
                Ok(_) => {}
            }
            self.backlog.pop_front();
        }
        if self.dropped > 0 {
            tracing::warn!("`{}` is read again: {} lines were dropped", self.path.display(), self.dropped);
            self.dropped = 0;
        }
    }

    fn end_reader(&mut self, signal: Signal, now: Instant) {
        if let Some((run, _)) = self.reader.as_mut().and_then(|reader| reader.run.as_mut()) {
            run.end(signal, now);
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let lost = self.dropped + u64::try_from(self.backlog.len()).unwrap_or(u64::MAX);
        if lost > 0 {
            tracing::warn!("`{}` was not read to the end: {lost} lines are lost", self.path.display());
        }
        self.reader = None;
        if self.made
            && let Err(error) = fs::remove_file(&self.path)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!("cannot remove the named pipe `{}`: {error}", self.path.display());
        }
    }
}

impl Reader {
    /// It is started by the thread that looks after it, whose end would end it.
    fn new(program: Program, path: String) -> Self {
        Self { program, path, run: None, tokens: Vec::new(), next: Instant::now(), pause: FIRST_PAUSE }
    }

    fn advance(&mut self, poller: &Poller, now: Instant, closing: bool) {
        if let Some((run, started)) = &mut self.run {
            let ready = self.tokens.iter().any(|token| poller.ready(*token));
            if !ready && run.deadline() > now {
                return;
            }
            let Some(report) = run.advance(now) else { return };
            if now.saturating_duration_since(*started) >= LONGEST_PAUSE {
                self.pause = FIRST_PAUSE;
            }
            self.run = None;
            self.tokens.clear();
            if closing {
                tracing::debug!("{} {report}{}", self.program.path, report.output());
                return;
            }
            let (program, pause) = (&self.program.path, self.pause);
            tracing::warn!(
                "{program}, which reads `{}`, {report}{}; it is started again after {pause:.0?}",
                self.path,
                report.output()
            );
            self.wait(now);
        } else if !closing && self.next <= now {
            self.start(now);
        }
    }

    fn start(&mut self, now: Instant) {
        match self.program.start(std::slice::from_ref(&self.path), LIMITS) {
            Ok(run) => self.run = Some((run, now)),
            Err(error) => {
                tracing::error!("cannot run {}, which is to read `{}`: {error}", self.program.path, self.path);
                self.wait(now);
            }
        }
    }

    fn wait(&mut self, now: Instant) {
        self.next = now + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
