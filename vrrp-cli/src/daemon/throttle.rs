//! Bounded logging of what a peer or an attacker can repeat at will.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// How long the same thing is not told again.
const QUIET: Duration = Duration::from_secs(60);
/// Different things that are remembered; beyond it the memory starts anew.
const MEMORY: usize = 1024;

/// Lets the first of each kind through, then one a minute, with the number of those held back.
pub(super) struct Throttle<K> {
    seen: HashMap<K, Seen>,
}

struct Seen {
    told: Instant,
    held_back: u64,
}

impl<K: Eq + Hash> Throttle<K> {
    pub(super) fn new() -> Self {
        Self { seen: HashMap::new() }
    }

    /// `Some(n)` when it should be told, `n` being how many were held back since it was told last.
    pub(super) fn tell(&mut self, key: K, now: Instant) -> Option<u64> {
        if let Some(seen) = self.seen.get_mut(&key) {
            if now.saturating_duration_since(seen.told) < QUIET {
                seen.held_back = seen.held_back.saturating_add(1);
                return None;
            }
            seen.told = now;
            return Some(std::mem::take(&mut seen.held_back));
        }
        if self.seen.len() >= MEMORY {
            self.seen.clear();
        }
        self.seen.insert(key, Seen { told: now, held_back: 0 });
        Some(0)
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
    fn memory_is_bounded() {
        let mut throttle = Throttle::new();
        for key in 0..10 * MEMORY {
            throttle.tell(key, Instant::now());
        }
        assert!(throttle.seen.len() <= MEMORY);
    }
}
