//! Waiting for threads when the daemon ends, but not for ever: one that reads a file of a server that does not answer, or
//! the command line of a process that is stuck, ends when that does.
//!
//! Knows nothing of what the threads do.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a thread that has nothing more to wait for may still take on a busy host.
pub(super) const SLACK: Duration = Duration::from_secs(2);
/// How often to look whether a thread has ended.
const LOOK: Duration = Duration::from_millis(2);

/// Waits for a thread until then at most; whether it has ended. One that has not is left to the end of the process, and named
/// in the log.
pub(super) fn join_until<T>(thread: JoinHandle<T>, until: Instant) -> bool {
    while !thread.is_finished() {
        if Instant::now() >= until {
            let name = thread.thread().name().unwrap_or("?");
            tracing::warn!("the {name} thread waits for something that does not answer: ending without it");
            return false;
        }
        thread::sleep(LOOK);
    }
    // A panic was reported when it happened.
    let _ = thread.join();
    true
}
