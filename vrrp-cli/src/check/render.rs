//! Whether there are eyes for colours, and output that nobody may read to its end.

use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;

/// Whether standard error shows colours and nobody objects.
pub(crate) fn stderr_has_color() -> bool {
    std::io::stderr().is_terminal() && wanted()
}

/// Whether standard output shows colours and nobody objects.
pub(crate) fn stdout_has_color() -> bool {
    std::io::stdout().is_terminal() && wanted()
}

fn wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A block of text and an empty line on standard error.
pub(crate) fn eprint(text: &str) {
    // Nobody is left to be told when standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "{}\n", text.trim_end());
}

/// Text on standard output; a failure when it cannot be written, unless the reader has seen enough.
pub(crate) fn print(text: &str) -> ExitCode {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprint(&format!("vrrpctl: cannot write: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
