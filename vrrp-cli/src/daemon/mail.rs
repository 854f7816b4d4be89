//! Mail about what happens: a thread of its own with a bounded queue, so that a mail server which is slow, away or silent
//! delays nothing but the mail.
//!
//! A letter that could not be handed over is tried again, less and less often, until it is too old to be news; what the
//! server refuses for good is dropped. Either is logged once, in the server's words. Knows nothing of the election.

mod letter;
mod line;
mod outbox;
mod post;
mod smtp;

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use vrrp_netlink::process::Wakeup;

pub(super) use letter::{Letter, News};
pub(super) use post::Post;

use outbox::Outbox;

/// How long the last try may take when the daemon stops.
const FAREWELL: Duration = Duration::from_secs(4);
/// How long one letter may take altogether.
const ATTEMPT: Duration = Duration::from_secs(120);

/// The way to the thread. Dropping it asks for a last try and the end.
pub(super) struct Mail {
    letters: Option<Sender<Letter>>,
    waiting: Arc<AtomicUsize>,
    ended: Receiver<()>,
}

impl Mail {
    /// Starts the thread.
    /// `wakeup` is woken at its end.
    pub(super) fn start(post: Post, wakeup: Wakeup) -> std::io::Result<Self> {
        let (letters, queue) = crossbeam_channel::unbounded();
        let (alive, ended) = crossbeam_channel::bounded(0);
        let waiting = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&waiting);
        std::thread::Builder::new().name("mail".into()).spawn(move || {
            if panic::catch_unwind(AssertUnwindSafe(|| run(&queue, &post, &count))).is_err() {
                tracing::error!(
                    "no more mail is sent: its thread failed. This is a fault of vrrpctl: please report it"
                );
            }
            drop::<Sender<()>>(alive);
            wakeup.wake();
        })?;
        Ok(Self { letters: Some(letters), waiting, ended })
    }

    /// Hands a letter over; never blocks.
    pub(super) fn send(&self, letter: Letter) {
        if let Some(letters) = &self.letters {
            self.waiting.fetch_add(1, Ordering::AcqRel);
            // It fails only when the thread is gone.
            let _ = letters.send(letter);
        }
    }

    /// Asks for a last try, and the end.
    pub(super) fn close(&mut self) {
        self.letters = None;
    }

    /// Whether the thread has ended.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.ended.try_recv(), Err(TryRecvError::Disconnected))
    }

    /// Says what was not sent, when nobody waits any longer.
    pub(super) fn give_up(&self) {
        let left = self.waiting.load(Ordering::Acquire);
        if left > 0 {
            tracing::warn!("{left} mails were not sent before the stop");
        }
    }
}

fn run(letters: &Receiver<Letter>, post: &Post, waiting: &AtomicUsize) {
    let mut outbox = Outbox::new(post.server());
    loop {
        waiting.store(outbox.len() + letters.len(), Ordering::Release);
        let now = Instant::now();
        let due = outbox.next_try();
        if due.is_some_and(|due| due <= now) {
            attempt(&mut outbox, post, now + ATTEMPT);
            // What came meanwhile may push out what is older.
            letters.try_iter().for_each(|letter| outbox.push(letter, Instant::now()));
            continue;
        }
        let news = match due {
            None => letters.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => letters.recv_timeout(due.saturating_duration_since(now)),
        };
        match news {
            Ok(letter) => outbox.push(letter, Instant::now()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let until = Instant::now() + FAREWELL;
    while outbox.len() > 0 && Instant::now() < until {
        if !attempt(&mut outbox, post, until) {
            break;
        }
        waiting.store(outbox.len(), Ordering::Release);
    }
    outbox.close();
    waiting.store(0, Ordering::Release);
}

/// Tries the oldest letter; whether the next one is worth a try.
fn attempt(outbox: &mut Outbox, post: &Post, until: Instant) -> bool {
    let Some(letter) = outbox.oldest() else { return false };
    match smtp::deliver(post, letter, until) {
        Ok(refused) => {
            outbox.sent(&refused);
            true
        }
        Err(failure) => outbox.failed(&failure, Instant::now()),
    }
}

#[cfg(test)]
mod tests;
