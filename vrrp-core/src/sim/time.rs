//! Simulated time: nanoseconds since the start of a run. No clock is read.

use core::fmt;
use core::ops::Add;
use core::time::Duration;

/// An instant of a simulation, in nanoseconds since its start; 584 years long, and then it stands still.
///
/// ```
/// use core::time::Duration;
/// use vrrp_core::sim::Time;
/// let takeover = Time::START + Duration::from_micros(3_609_375);
/// assert_eq!(takeover.to_string(), "3.609375000");
/// assert_eq!(takeover.since(Time::START), Duration::from_nanos(3_609_375_000));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(u64);

impl Time {
    /// The start of the run.
    pub const START: Self = Self(0);

    /// This many nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The span since `earlier`; zero if that is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        let nanos = span.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(span.subsec_nanos()));
        Self(self.0.saturating_add(nanos))
    }
}

impl fmt::Display for Time {
    /// Seconds with nine decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_its_nanoseconds_and_stands_still_at_the_end() {
        let time = Time::from_nanos(5) + Duration::new(2, 7);
        assert_eq!(time.as_nanos(), 2_000_000_012);
        assert_eq!(time + Duration::MAX, Time::from_nanos(u64::MAX));
        assert_eq!(Time::START.since(time), Duration::ZERO);
    }
}
