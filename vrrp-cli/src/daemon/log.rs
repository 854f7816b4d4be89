//! Log lines on standard error, one an event, that never hold up the thread which writes them.
//!
//! Lines go through a bounded queue to a thread of their own; when standard error is stuck, lines are dropped and counted.
//! Under systemd each line carries its priority for the journal, which adds the time itself.

use std::fmt;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, Layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// Lines that wait for standard error at the most: three of each router of a large host. The queue's memory, 32 octets a line, is
/// in use from the start.
const QUEUE: usize = 4096;

/// The log while it runs.
pub(super) struct Log {
    guard: WorkerGuard,
    dropped: ErrorCounter,
}

impl Log {
    /// Writes what is queued; how many lines were dropped meanwhile, unless none was.
    pub(super) fn finish(self) -> Option<usize> {
        drop(self.guard);
        Some(self.dropped.dropped_lines()).filter(|dropped| *dropped > 0)
    }
}

/// Starts logging. The level is `info`, or what `VRRPCTL_LOG` says.
pub(super) fn start() -> Log {
    let (writer, guard) =
        NonBlockingBuilder::default().lossy(true).buffered_lines_limit(QUEUE).finish(std::io::stderr());
    let dropped = writer.error_counter();
    let filter = EnvFilter::try_from_env("VRRPCTL_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let layer = Layer::default().with_ansi(false).event_format(Lines { journal: is_journal() }).with_writer(writer);
    // A subscriber that is set already belongs to a program that embeds this library, and stays.
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
    Log { guard, dropped }
}

/// Writes lines at once, by the calling thread: for a process that has little to say. What standard error does not take is
/// lost.
pub(super) fn start_plain() -> tracing::subscriber::DefaultGuard {
    let layer = Layer::default().with_ansi(false).event_format(Lines { journal: is_journal() }).with_writer(|| Plain);
    tracing::subscriber::set_default(tracing_subscriber::registry().with(layer))
}

/// Standard error, as long as writing to it does not block.
struct Plain;

impl Write for Plain {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let stderr = io::stderr();
        let mut fds = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
        match poll(&mut fds, PollTimeout::ZERO) {
            Ok(1) => stderr.lock().write(octets),
            _ => Ok(octets.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether standard error is the journal's: the variable is inherited by whatever a service starts.
fn is_journal() -> bool {
    let Some(stream) = std::env::var_os("JOURNAL_STREAM") else { return false };
    let Ok(meta) = std::fs::metadata("/proc/self/fd/2") else { return false };
    stream.to_str() == Some(&format!("{}:{}", meta.dev(), meta.ino()))
}

struct Lines {
    journal: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = *event.metadata().level();
        if self.journal {
            write!(writer, "<{}>", journal_priority(level))?;
        } else {
            SystemTime.format_time(&mut writer)?;
            write!(writer, " {level:>5} ")?;
        }
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// The priorities of syslog.
fn journal_priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// What is logged meanwhile, a line for each, without the time.
#[cfg(test)]
pub(super) fn logged(work: impl FnOnce()) -> String {
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Caught(Arc<Mutex<Vec<u8>>>);

    impl Write for Caught {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let caught = Caught::default();
    let writer = caught.clone();
    let subscriber =
        tracing_subscriber::fmt().with_writer(move || writer.clone()).without_time().with_ansi(false).finish();
    tracing::subscriber::with_default(subscriber, work);
    let octets = caught.0.lock().unwrap().clone();
    String::from_utf8(octets).unwrap()
}
