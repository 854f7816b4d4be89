//! How late deadlines were met: a histogram of fixed size, and the longest of them.
//!
//! Knows spans; nothing of what was due.

use std::fmt;
use std::time::{Duration, Instant};

/// Powers of two: up to 1 µs, 2 µs, 4 µs ... 1.05 s, and all that is later.
const BUCKETS: usize = 22;

/// Counts of spans, by powers of two of a microsecond. Recording neither allocates nor fails.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Histogram {
    counts: [u64; BUCKETS],
    longest: Duration,
}

impl Histogram {
    /// Records how late each of these deadlines is at `now`.
    pub(super) fn record_all(&mut self, now: Instant, deadlines: impl Iterator<Item = Instant>) {
        deadlines.for_each(|deadline| self.record(now.saturating_duration_since(deadline)));
    }

    /// Records one span.
    pub(super) fn record(&mut self, span: Duration) {
        if let Some(count) = self.counts.get_mut(bucket(span)) {
            *count = count.saturating_add(1);
        }
        self.longest = self.longest.max(span);
    }

    /// How many were recorded.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The longest one; zero when there is none.
    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    /// What `percent` of 100 of them are not longer than, at most twice too much; `None` when there is none.
    pub(super) fn percentile(&self, percent: u64) -> Option<Duration> {
        let all = self.count();
        // Rounded up, without a product that could be too large.
        let rank = (all / 100 * percent + (all % 100 * percent).div_ceil(100)).max(1);
        let mut sum: u64 = 0;
        let place = self.counts.iter().position(|count| {
            sum = sum.saturating_add(*count);
            sum >= rank
        })?;
        Some(limit(place).map_or(self.longest, |limit| limit.min(self.longest)))
    }

    /// The buckets that have something in them: their upper limit, `None` of the last one, and how many are in each.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        self.counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(place, count)| (limit(place), *count))
    }
}

/// "37 deadlines, 50 % within 64 µs, 99 % within 1024 µs, the latest 812 µs".
impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(half), Some(most)) = (self.percentile(50), self.percentile(99)) else {
            return f.write_str("none yet");
        };
        write!(f, "{} deadlines, 50 % within {half:?}, 99 % within {most:?}", self.count())?;
        write!(f, ", the latest {:?}", self.longest())
    }
}

fn bucket(span: Duration) -> usize {
    let microseconds = span.as_nanos().div_ceil(1000);
    let bits = u128::BITS - microseconds.saturating_sub(1).leading_zeros();
    usize::try_from(bits).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

fn limit(place: usize) -> Option<Duration> {
    (place < BUCKETS - 1).then(|| Duration::from_micros(1 << place))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn us(microseconds: u64) -> Duration {
        Duration::from_micros(microseconds)
    }

    #[test]
    fn each_span_is_in_the_least_bucket_that_holds_it() {
        let cases = [
            (Duration::ZERO, Some(us(1))),
            (us(1), Some(us(1))),
            (Duration::from_nanos(1001), Some(us(2))),
            (us(2), Some(us(2))),
            (us(3), Some(us(4))),
            (us(1024), Some(us(1024))),
            (us(1025), Some(us(2048))),
            (us(1_048_576), Some(us(1_048_576))),
            (us(1_048_577), None),
            (Duration::MAX, None),
        ];
        for (span, expected) in cases {
            let mut histogram = Histogram::default();
            histogram.record(span);
            assert_eq!(histogram.buckets().collect::<Vec<_>>(), [(expected, 1)], "{span:?}");
            assert_eq!((histogram.count(), histogram.longest()), (1, span));
        }
    }

    #[test]
    fn percentiles_are_limits_of_buckets_and_never_beyond_the_longest() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.percentile(50), histogram.to_string().as_str()), (None, "none yet"));
        for _ in 0..98 {
            histogram.record(us(50));
        }
        histogram.record(us(700));
        histogram.record(us(900));
        assert_eq!(histogram.percentile(0), Some(us(64)));
        assert_eq!(histogram.percentile(50), Some(us(64)));
        assert_eq!(histogram.percentile(98), Some(us(64)));
        assert_eq!(histogram.percentile(99), Some(us(900)), "the limit would be 1024");
        assert_eq!(histogram.percentile(100), Some(us(900)));
        assert_eq!(histogram.to_string(), "100 deadlines, 50 % within 64µs, 99 % within 900µs, the latest 900µs");
        histogram.record(Duration::from_secs(6));
        assert_eq!(histogram.percentile(100), Some(Duration::from_secs(6)));
    }

    #[test]
    fn lateness_is_from_the_deadline_to_now() {
        let now = Instant::now();
        let mut histogram = Histogram::default();
        histogram.record_all(now, [now, now.checked_sub(us(3)).unwrap(), now + us(5)].into_iter());
        assert_eq!(histogram.buckets().collect::<Vec<_>>(), [(Some(us(1)), 2), (Some(us(4)), 1)]);
    }
}
