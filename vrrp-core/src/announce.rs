//! When to announce the addresses after becoming Master: a small machine of its own, beside the election.
//!
//! Each round is one gratuitous ARP, or one neighbour advertisement, for every address: first every address is announced
//! once, then they are repeated. The usual round after 1.1 s heals clients that learnt the wrong MAC from an ordinary reply,
//! because Linux ignores a change within a second of the last; the last one reaches a switch or client that was not ready
//! at first. Knows spans of time, not the time.

use core::time::Duration;

/// When to announce: what an operator chooses for one router.
///
/// ```
/// use core::time::Duration;
/// use vrrp_core::announce::{Program, Rounds};
/// let program = Program {
///     refresh: Some(Duration::from_secs(60)),
///     lower: Rounds::Bursts { count: 1, again: None },
///     ..Program::default()
/// };
/// assert_eq!(program.first, Rounds::Usual);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Program {
    /// After the addresses were installed.
    pub first: Rounds,
    /// After an advert of lower priority, whose sender may have misled clients.
    pub lower: Rounds,
    /// Time between two later announcements while Master; `None` for never. Less than [`Program::SHORTEST_REFRESH`] counts
    /// as that.
    pub refresh: Option<Duration>,
    /// Rounds each time that it is refreshed; 0 for none.
    pub refresh_rounds: u32,
}

/// Rounds after one cause.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rounds {
    /// At [`Rounds::USUAL`].
    Usual,
    /// A burst at once, and perhaps another one.
    Bursts {
        /// Rounds of a burst; 0 for no announcement at all.
        count: u32,
        /// When the second burst begins, from the first one; `None` for no second one.
        again: Option<Duration>,
    },
}

impl Program {
    /// Announcing more often floods the LAN.
    pub const SHORTEST_REFRESH: Duration = Duration::from_millis(100);
}

impl Default for Program {
    /// The usual rounds after either cause, and no refresh.
    fn default() -> Self {
        Self { first: Rounds::Usual, lower: Rounds::Usual, refresh: None, refresh_rounds: 1 }
    }
}

impl Rounds {
    /// Offsets of the usual rounds, ascending.
    pub const USUAL: [Duration; 5] = [
        Duration::ZERO,
        Duration::from_millis(100),
        Duration::from_millis(1100),
        Duration::from_millis(2100),
        Duration::from_secs(5),
    ];

    /// Between two rounds of a burst, so that it is neither one long blast nor lost as a whole.
    pub const SPACING: Duration = Duration::from_millis(10);

    /// Offset of the round with this number, from 0.
    fn offset(self, round: u32) -> Option<Duration> {
        match self {
            Self::Usual => usize::try_from(round).ok().and_then(|round| Self::USUAL.get(round)).copied(),
            Self::Bursts { count, .. } if round < count => Some(Self::SPACING.saturating_mul(round)),
            Self::Bursts { count, again } => {
                let within = round.checked_sub(count).filter(|within| *within < count)?;
                let first_ends = Self::SPACING.saturating_mul(count);
                Some(again?.max(first_ends).saturating_add(Self::SPACING.saturating_mul(within)))
            }
        }
    }
}

/// Where a [`Program`] stands, counted from the moment when the addresses are installed or the advert was heard.
///
/// ```
/// use core::time::Duration;
/// use vrrp_core::announce::{Program, Rounds, Schedule};
/// let mut schedule = Schedule::new(&Program::default(), Rounds::Usual);
/// assert_eq!(schedule.due(), Some(Duration::ZERO));
/// let mut rounds = 0;
/// while schedule.due().is_some() {
///     schedule = schedule.next();
///     rounds += 1;
/// }
/// assert_eq!(rounds, Rounds::USUAL.len());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Schedule {
    rounds: Rounds,
    round: u32,
    refresh: Option<Duration>,
    refresh_rounds: u32,
    /// Rounds of all refreshes so far.
    refreshed: u64,
}

impl Schedule {
    /// Before the first of `rounds`, with the refreshes of `program`.
    pub fn new(program: &Program, rounds: Rounds) -> Self {
        let refresh = program.refresh.filter(|_| program.refresh_rounds > 0);
        Self {
            rounds,
            round: 0,
            refresh: refresh.map(|refresh| refresh.max(Program::SHORTEST_REFRESH)),
            refresh_rounds: program.refresh_rounds,
            refreshed: 0,
        }
    }

    /// No offset is later: a century is out of the way, and fits every clock.
    const LATEST: Duration = Duration::from_secs(1 << 32);

    /// When the next round is due, from the start of the schedule; `None` when all are done.
    pub fn due(self) -> Option<Duration> {
        let due = self.rounds.offset(self.round).into_iter().chain(self.refresh_due()).min();
        due.map(|due| due.min(Self::LATEST))
    }

    /// The schedule after the round that is due.
    #[must_use]
    pub fn next(self) -> Self {
        match (self.rounds.offset(self.round), self.refresh_due()) {
            (None, None) => self,
            (None, Some(_)) => self.refreshed(),
            (Some(round), Some(refresh)) if refresh < round => self.refreshed(),
            (Some(_), _) => Self { round: self.round.saturating_add(1), ..self },
        }
    }

    /// How late a round may be; one that is later is left out, since a process that was held up need not make up for it. The
    /// rounds of a burst are counted, so each of them is made up for within reason.
    pub fn tolerance(self) -> Duration {
        match self.rounds {
            Rounds::Usual => Duration::ZERO,
            Rounds::Bursts { .. } => Duration::from_secs(1),
        }
    }

    fn refreshed(self) -> Self {
        Self { refreshed: self.refreshed.saturating_add(1), ..self }
    }

    fn refresh_due(self) -> Option<Duration> {
        let count = u64::from(self.refresh_rounds);
        let (refreshes, round) = (self.refreshed.checked_div(count)?, self.refreshed.checked_rem(count)?);
        let period = u64::try_from(self.refresh?.as_nanos()).unwrap_or(u64::MAX);
        let begins = period.saturating_mul(refreshes.saturating_add(1));
        let spacing = u64::try_from(Rounds::SPACING.as_nanos()).unwrap_or(u64::MAX);
        Some(Duration::from_nanos(begins.saturating_add(spacing.saturating_mul(round))))
    }
}

#[cfg(test)]
mod tests;
