//! Letters that wait: how many, for how long, when the next try is due, and what is said about failures.
//!
//! Does no I/O and reads no clock.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::Letter;
use super::smtp::Failure;

/// Letters that wait at the most; the newest stay.
pub(super) const ROOM: usize = 64;
/// A letter older than this is no news any more.
pub(super) const AGE: Duration = Duration::from_secs(3600);
/// Pause after the first failure; doubles up to the longest.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(5);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Letters that wait.
pub(super) struct Outbox {
    server: String,
    letters: VecDeque<(Letter, Instant)>,
    /// When to try again, after a failure.
    retry: Option<Instant>,
    pause: Duration,
    /// The failures that were told since a letter went out last.
    told: HashSet<String>,
    /// Letters that made room for newer ones since a letter went out last.
    dropped: u64,
}

impl Outbox {
    /// `server` is what to call it in the log.
    pub(super) fn new(server: String) -> Self {
        let told = HashSet::new();
        Self { server, letters: VecDeque::new(), retry: None, pause: FIRST_PAUSE, told, dropped: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.letters.len()
    }

    /// Letters that made room for newer ones since a letter went out last.
    #[cfg(test)]
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn push(&mut self, letter: Letter, now: Instant) {
        if self.letters.len() >= ROOM
            && let Some((oldest, _)) = self.letters.pop_front()
        {
            if self.dropped == 0 {
                tracing::warn!("mail \"{}\" is dropped: {ROOM} newer ones wait for {}", oldest.subject, self.server);
            }
            self.dropped += 1;
        }
        self.letters.push_back((letter, now));
    }

    /// When to try the oldest letter; in the past when at once.
    pub(super) fn next_try(&self) -> Option<Instant> {
        let (_, since) = self.letters.front()?;
        Some(self.retry.unwrap_or(*since))
    }

    pub(super) fn oldest(&self) -> Option<&Letter> {
        self.letters.front().map(|(letter, _)| letter)
    }

    /// The oldest letter was taken, but for these recipients.
    pub(super) fn sent(&mut self, refused: &[String]) {
        let Some((letter, _)) = self.letters.pop_front() else { return };
        tracing::debug!("mail \"{}\" was handed to {}", letter.subject, self.server);
        if !self.told.is_empty() {
            tracing::info!("{} takes mail again", self.server);
        }
        if self.dropped > 0 {
            tracing::warn!("{} mails were dropped meanwhile", self.dropped);
        }
        self.calm();
        for words in refused {
            self.tell(words, &format!("{} does not deliver to everybody", self.server));
        }
    }

    /// The oldest letter was not taken; whether the next one is worth a try now.
    pub(super) fn failed(&mut self, failure: &Failure, now: Instant) -> bool {
        let Some((letter, since)) = self.letters.front() else { return false };
        if failure.of_letter {
            let lost = format!("mail \"{}\" is lost: {} refuses it", letter.subject, self.server);
            self.letters.pop_front();
            self.tell(&failure.words, &lost);
            return true;
        }
        let what = format!("mail cannot be handed to {}, it is tried again for an hour", self.server);
        let old = now.saturating_duration_since(*since) >= AGE;
        self.tell(&failure.words, &what);
        if old {
            self.expire(now);
        }
        self.retry = Some(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        false
    }

    /// No more tries.
    pub(super) fn close(&mut self) {
        let left = self.letters.len();
        if left > 0 {
            tracing::warn!("{left} mails were not sent before the stop");
        }
    }

    fn expire(&mut self, now: Instant) {
        let before = self.letters.len();
        self.letters.retain(|(_, since)| now.saturating_duration_since(*since) < AGE);
        tracing::warn!(
            "{} mails are lost: {} did not take them within an hour",
            before - self.letters.len(),
            self.server
        );
    }

    fn calm(&mut self) {
        self.told.clear();
        self.dropped = 0;
        self.retry = None;
        self.pause = FIRST_PAUSE;
    }

    /// Says it once until mail flows again.
    fn tell(&mut self, words: &str, what: &str) {
        const MOST: usize = 16;
        if self.told.len() < MOST && self.told.insert(words.to_owned()) {
            tracing::warn!("{what}: {words}");
        } else {
            tracing::debug!("{what}: {words}");
        }
    }
}
