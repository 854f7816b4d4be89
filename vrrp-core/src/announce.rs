//! When to announce the addresses after becoming Master: a small machine of its own, beside the election.
//!
//! Each round is one gratuitous ARP, or one neighbour advertisement, for every address. The round after 1.1 s heals clients that learnt the wrong MAC from an
//! ordinary reply, because Linux ignores a change within a second of the last; the last one reaches a switch or client
//! that was not ready at first. Knows spans of time, not the time.

use core::time::Duration;

/// Rounds of announcements, counted from the moment when the addresses are installed.
///
/// ```
/// use core::time::Duration;
/// use vrrp_core::announce::Schedule;
/// let mut schedule = Schedule::START;
/// assert_eq!(schedule.due(), Some(Duration::ZERO));
/// let mut rounds = 0;
/// while schedule.due().is_some() {
///     schedule = schedule.next();
///     rounds += 1;
/// }
/// assert_eq!(rounds, Schedule::ROUNDS.len());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Schedule {
    round: usize,
}

impl Schedule {
    /// Offsets of the rounds, ascending.
    pub const ROUNDS: [Duration; 5] = [
        Duration::ZERO,
        Duration::from_millis(100),
        Duration::from_millis(1100),
        Duration::from_millis(2100),
        Duration::from_secs(5),
    ];

    /// Before the first round.
    pub const START: Self = Self { round: 0 };

    /// When the next round is due, from the start of the schedule; `None` when all are done.
    pub fn due(self) -> Option<Duration> {
        Self::ROUNDS.get(self.round).copied()
    }

    /// The schedule after the round that is due.
    #[must_use]
    pub fn next(self) -> Self {
        Self { round: self.round.saturating_add(1).min(Self::ROUNDS.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_round_is_at_once_and_one_is_past_the_second_in_which_linux_ignores_changes() {
        assert_eq!(Schedule::START.due(), Some(Duration::ZERO));
        assert!(Schedule::ROUNDS.is_sorted());
        assert!(Schedule::ROUNDS.contains(&Duration::from_millis(1100)));
    }

    #[test]
    fn it_ends() {
        let end = (0..Schedule::ROUNDS.len()).fold(Schedule::START, |schedule, _| schedule.next());
        assert_eq!(end.due(), None);
        assert_eq!(end.next(), end);
    }
}
