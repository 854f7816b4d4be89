//! How thick adverts come: where they do, several are waited for and heard together, because waking for each one costs more
//! than all that is done with it.
//!
//! A pure function of times. Knows neither sockets nor clocks.

use std::time::{Duration, Instant};

/// How long adverts may wait for others. None is lost by it, since the sockets hold thousands; none comes late, since each bears
/// the time of its arrival; and no deadline waits for it.
const GATHER: Duration = Duration::from_micros(250);

/// What is remembered of the adverts so far.
#[derive(Debug, Default)]
pub(super) struct Influx {
    last: Option<Instant>,
    thick: bool,
}

impl Influx {
    /// So many adverts were heard at `now`.
    pub(super) fn heard(&mut self, now: Instant, count: usize) {
        if count == 0 {
            self.thick = false;
            return;
        }
        let close = self.last.is_some_and(|last| now.saturating_duration_since(last) < GATHER);
        self.thick = close || count > 1;
        self.last = Some(now);
    }

    /// How long to leave the sockets alone before they are looked at again.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.thick.then_some(GATHER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_advert_is_never_waited_for() {
        let mut influx = Influx::default();
        let start = Instant::now();
        for number in 0..10 {
            influx.heard(start + GATHER * number, 1);
            assert_eq!(influx.pause(), None, "{number}");
        }
    }

    #[test]
    fn a_burst_is_gathered_from_its_second_advert_on_and_until_it_ends() {
        let mut influx = Influx::default();
        let start = Instant::now();
        let after = |micros| start + Duration::from_micros(micros);
        influx.heard(after(0), 1);
        influx.heard(after(8), 1);
        assert_eq!(influx.pause(), Some(GATHER));
        influx.heard(after(260), 30);
        assert_eq!(influx.pause(), Some(GATHER));
        influx.heard(after(520), 2);
        assert_eq!(influx.pause(), Some(GATHER));
        influx.heard(after(780), 0);
        assert_eq!(influx.pause(), None, "nothing came");
        influx.heard(after(10_000), 1);
        assert_eq!(influx.pause(), None, "the next burst begins");
    }
}
