//! `vrrpctl demo`: two routers, a client, and what the client notices when the address moves.
//!
//! The routers are real `vrrpctl run` processes on a throw-away network ([`lab`]); nothing here takes part in
//! an election or knows how one is decided.

mod screen;
mod stage;
mod story;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use nix::sys::signal::Signal;
use vrrp_netlink::namespace;

use crate::lab;
use screen::Screen;

/// How the demonstration is run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DemoOptions {
    /// The `vrrpctl` that the routers run.
    pub executable: PathBuf,
    /// Whether to use colours.
    pub color: bool,
    /// Whether to redraw a line with the present state below the timeline; for a terminal only.
    pub live: bool,
}

/// Why the demonstration ended before its end.
#[derive(Debug)]
enum Stop {
    /// The user, or the system, asked for it.
    Signal(i32),
    /// Nobody reads the output.
    Output(io::Error),
    /// Something did not work; a text for the user.
    Failed(String),
}

impl DemoOptions {
    /// Colours and a live line when standard output is a terminal that can show them; no colours when the environment
    /// has `NO_COLOR` (any value but an empty one).
    pub fn new(executable: PathBuf) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == OsStr::new("dumb"));
        let live = io::stdout().is_terminal() && !dumb;
        Self { executable, color: live && !set("NO_COLOR"), live }
    }
}

/// Runs the demonstration, 20 to 25 seconds, and prints it on standard output.
///
/// Call it while the process has one thread: without root it enters a user namespace. Success means that the client was
/// served as the protocol promises; a signal (SIGINT, SIGTERM, SIGHUP) ends it with status 128 + its number, anything
/// else with 1. Processes, networks and files are gone when it returns.
pub fn run(options: &DemoOptions) -> ExitCode {
    if let Err(error) = lab::become_root_in_user_namespace() {
        complain(&format!("{error}; or run the demonstration as root"));
        return ExitCode::FAILURE;
    }
    let interrupted = match catch_signals() {
        Ok(interrupted) => interrupted,
        Err(error) => {
            complain(&format!("cannot catch signals: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let mut screen = Screen::new(Box::new(io::stdout()), options.color, options.live);
    let launch = |file: &Path| {
        let mut command = Command::new(&options.executable);
        command.arg("run").arg("-f").arg(file);
        command
    };
    // Files there go with the last process that sees them, and the routers do not meet those of the host there.
    let directory = match namespace::private_run_directory() {
        Ok(()) => PathBuf::from("/run"),
        Err(_) => std::env::temp_dir(),
    };
    match story::tell(&mut screen, &directory, &launch, &interrupted) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(stop) => {
            screen.clear();
            match stop {
                Stop::Signal(number) => {
                    complain("stopped; nothing is left behind");
                    u8::try_from(128 + number).map_or(ExitCode::FAILURE, ExitCode::from)
                }
                // A reader that has seen enough, such as `head`, wants no more text.
                Stop::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
                Stop::Output(error) => {
                    complain(&format!("cannot write to standard output: {error}"));
                    ExitCode::FAILURE
                }
                Stop::Failed(text) => {
                    complain(&text);
                    ExitCode::FAILURE
                }
            }
        }
    }
}

/// The number of the last signal that asked to stop, 0 as long as there is none.
fn catch_signals() -> io::Result<Arc<AtomicUsize>> {
    let interrupted = Arc::new(AtomicUsize::new(0));
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let number = signal as i32;
        let value = usize::try_from(number).map_err(|_| io::ErrorKind::InvalidInput)?;
        signal_hook::flag::register_usize(number, Arc::clone(&interrupted), value)?;
    }
    Ok(interrupted)
}

fn complain(text: &str) {
    // There is nobody left to tell.
    let _ = writeln!(io::stderr(), "vrrpctl demo: {text}");
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<lab::LabError> for Stop {
    fn from(error: lab::LabError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// "0.612 s".
fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}
