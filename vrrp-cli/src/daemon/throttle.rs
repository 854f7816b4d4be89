//! Bounded logging of what a peer or an attacker can repeat at will.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// How long the same thing is not told again: what happens to the service.
const QUIET: Duration = Duration::from_secs(60);
/// The same of what is only advice.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Different things that are told apart; beyond it they count as one.
const MEMORY: usize = 64;

/// Lets the first of each kind through, then one in a span of time, with the number of those held back.
pub(super) struct Throttle<K> {
    quiet: Duration,
    seen: HashMap<K, Seen>,
    others: Option<Seen>,
}

struct Seen {
    told: Instant,
    held_back: u64,
}

impl<K: Eq + Hash> Throttle<K> {
    /// One of each kind a minute.
    pub(super) fn new() -> Self {
        Self { quiet: QUIET, seen: HashMap::new(), others: None }
    }

    /// One of each kind a day.
    pub(super) fn daily() -> Self {
        Self { quiet: DAY, ..Self::new() }
    }

    /// `Some(n)` when it should be told, `n` being how many were held back since it was told last. What an attacker can vary
    /// at will is told once in that time altogether when there is too much of it.
    pub(super) fn tell(&mut self, key: K, now: Instant) -> Option<u64> {
        if let Some(seen) = self.seen.get_mut(&key) {
            return seen.tell(now, self.quiet);
        }
        if self.seen.len() >= MEMORY {
            self.seen.retain(|_, seen| !seen.is_over(now, self.quiet));
        }
        if self.seen.len() < MEMORY {
            self.seen.insert(key, Seen { told: now, held_back: 0 });
            return Some(0);
        }
        match &mut self.others {
            Some(seen) => seen.tell(now, self.quiet),
            others @ None => {
                *others = Some(Seen { told: now, held_back: 0 });
                Some(0)
            }
        }
    }
}

impl Seen {
    fn tell(&mut self, now: Instant, quiet: Duration) -> Option<u64> {
        if self.is_over(now, quiet) {
            self.told = now;
            return Some(std::mem::take(&mut self.held_back));
        }
        self.held_back = self.held_back.saturating_add(1);
        None
    }

    fn is_over(&self, now: Instant, quiet: Duration) -> bool {
        now.saturating_duration_since(self.told) >= quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_and_then_one_a_minute_with_a_count() {
        let mut throttle = Throttle::new();
        let start = Instant::now();
        assert_eq!(throttle.tell("a", start), Some(0));
        assert_eq!(throttle.tell("a", start + Duration::from_secs(1)), None);
        assert_eq!(throttle.tell("a", start + Duration::from_secs(59)), None);
        assert_eq!(throttle.tell("b", start + Duration::from_secs(59)), Some(0));
        assert_eq!(throttle.tell("a", start + QUIET), Some(2));
        assert_eq!(throttle.tell("a", start + QUIET * 2), Some(0));
    }

    #[test]
    fn advice_is_told_once_a_day() {
        let mut throttle = Throttle::daily();
        let start = Instant::now();
        assert_eq!(throttle.tell("a", start), Some(0));
        assert_eq!(throttle.tell("a", start + QUIET), None);
        assert_eq!(throttle.tell("a", start + DAY), Some(1));
    }

    #[test]
    fn what_can_be_varied_at_will_is_told_once_a_minute() {
        let mut throttle = Throttle::new();
        let start = Instant::now();
        let told = (0..10 * MEMORY).filter(|key| throttle.tell(*key, start).is_some()).count();
        assert_eq!(told, MEMORY + 1, "each of the first ones, and one for all the others");
        assert!(throttle.seen.len() <= MEMORY);
        let later = start + QUIET;
        assert_eq!(throttle.tell(20 * MEMORY, later), Some(0), "what was told long ago makes room");
    }
}
