//! Signals, and what they mean: to stop, to hurry, to tell; and the kernel's own, that the election runs without end.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};
use signal_hook::iterator::{Handle, Signals};

use super::dumps::Ask;
use super::isolation::Isolation;
use super::{Feedback, ServeError, ToElection, notify, spawn};

/// Who kills the guardian may be about to kill this process, too, one after the other: a release that is said in between
/// would bring a successor while the addresses are here.
const ORPHANED: Duration = Duration::from_millis(200);

/// One request to stop may arrive twice within this time: from the terminal and from a wrapper such as sudo.
const ECHO: Duration = Duration::from_millis(500);

/// Keeps the signals that are for the daemon until somebody asks for them.
pub(super) fn catch() -> io::Result<Signals> {
    Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU])
}

/// A second request to stop goes to the election and to `hurry`: whoever repeats it wants to wait neither for a successor nor
/// for scripts. `ask` takes what the operator wants to know, `isolation` takes real time from an election that runs without end;
/// `parent` is the guardian's process.
pub(super) fn watch(
    mut signals: Signals,
    election: &ToElection,
    (hurry, ask, isolation): (notify::Hurry, Sender<Ask>, Isolation),
    parent: Option<u32>,
) -> Result<Handle, ServeError> {
    let handle = signals.handle();
    let reporter = election.clone();
    let watch = move || {
        let mut asked: Option<Instant> = None;
        for signal in signals.forever() {
            match signal {
                SIGTERM | SIGINT | SIGQUIT => match asked {
                    None => {
                        asked = Some(Instant::now());
                        let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
                        let orphaned = parent.is_some_and(|parent| parent != std::os::unix::process::parent_id());
                        if orphaned {
                            thread::sleep(ORPHANED);
                        }
                        reporter.send(Feedback::Stop(if orphaned { "the end of the guardian" } else { name }));
                    }
                    Some(asked) if asked.elapsed() < ECHO => {}
                    Some(_) => {
                        reporter.send(Feedback::Hurry);
                        hurry.ask();
                    }
                },
                SIGHUP => tracing::warn!("SIGHUP ignored: a reload is not supported yet; restart to apply a new file"),
                SIGXCPU => isolation.demote(),
                // Those that wait already are answered by what is true then.
                SIGUSR1 => drop(ask.try_send(Ask::Status)),
                _ => drop(ask.try_send(Ask::Statistics)),
            }
        }
    };
    spawn("signals", election, watch)?;
    Ok(handle)
}
