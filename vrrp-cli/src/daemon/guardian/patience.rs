//! How long the guardian believes in a working process that says nothing: a pure function of times.
//!
//! Knows neither clocks nor processes. All times are counted from one moment that both processes know.

use std::time::Duration;

/// No silence is shorter than this, however short the intervals are.
pub(super) const LEAST: Duration = Duration::from_millis(100);
/// The guardian looks so many times in the shortest silence, so that it notices when it was held up itself.
const LOOKS: u32 = 4;
/// But not less often than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A router that sends adverts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Beat {
    /// When it sent the last one.
    pub(super) last: Duration,
    /// Its Master_Down_Interval.
    pub(super) patience: Duration,
}

impl Beat {
    fn patience(self) -> Duration {
        self.patience.max(LEAST)
    }

    /// How long after it, or after a look, the guardian looks again.
    fn pause(self) -> Duration {
        (self.patience() / LOOKS).min(LONGEST_PAUSE)
    }
}

/// What follows from a look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Look again then, or when something happens.
    Wait(Option<Duration>),
    /// The process must be taken for dead: it has been silent for so long.
    Silent(Duration),
}

/// What the guardian remembers from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// When the next look was meant to be.
    planned: Option<Duration>,
    /// The time for which the guardian itself did not run, and the end of it: whoever had been silent before is granted it.
    credit: Duration,
    credited: Duration,
}

impl Patience {
    /// Looks at `now`.
    pub(super) fn look(&mut self, now: Duration, beats: impl Iterator<Item = Beat> + Clone) -> Verdict {
        let late = match self.planned {
            Some(planned) => now.saturating_sub(planned),
            // It is woken by the first advert, and may have been held up since.
            None => beats
                .clone()
                .map(|beat| now.saturating_sub(beat.last.saturating_add(beat.pause())))
                .max()
                .unwrap_or_default(),
        };
        if late > Duration::ZERO {
            // Granted once, to those who were silent all the time.
            let silent_before = beats.clone().any(|beat| beat.last <= self.credited);
            self.credit = if silent_before { self.credit.saturating_add(late) } else { late };
            self.credited = now;
        }
        let mut end: Option<(Duration, Duration)> = None;
        let mut pause = LONGEST_PAUSE;
        for beat in beats {
            let last = beat.last;
            let credit = if last <= self.credited { self.credit } else { Duration::ZERO };
            let until = last.saturating_add(beat.patience()).saturating_add(credit);
            pause = pause.min(beat.pause());
            if end.is_none_or(|(earliest, _)| until < earliest) {
                end = Some((until, last));
            }
        }
        if let Some((until, last)) = end
            && until <= now
        {
            return Verdict::Silent(now.saturating_sub(last));
        }
        self.planned = end.map(|(until, _)| until.min(now.saturating_add(pause)));
        Verdict::Wait(self.planned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn beat(last: u64, patience: u64) -> Beat {
        Beat { last: ms(last), patience: ms(patience) }
    }

    /// Looks whenever it is asked to, each time `late`; when the silence is taken for the end, and how long it was.
    fn looks(beat: Beat, mut now: Duration, late: impl Fn(Duration) -> Duration) -> (Duration, Duration) {
        let mut patience = Patience::default();
        for _ in 0..1000 {
            match patience.look(now, std::iter::once(beat)) {
                Verdict::Silent(silent) => return (now, silent),
                Verdict::Wait(at) => {
                    let at = at.expect("a router sends");
                    now = at + late(at);
                }
            }
        }
        panic!("for ever");
    }

    /// Both were stopped before the guardian had looked for the first time.
    #[test]
    fn the_first_look_believes_in_no_silence() {
        let mut patience = Patience::default();
        assert_eq!(patience.look(ms(10), std::iter::empty()), Verdict::Wait(None));
        let verdict = patience.look(ms(4_000), std::iter::once(beat(20, 3_600)));
        assert!(matches!(verdict, Verdict::Wait(Some(_))), "{verdict:?}");
        let (at, _) = looks(beat(20, 3_600), ms(4_000), |_| Duration::ZERO);
        assert_eq!(at, ms(6_700), "what is left of it after the look that did not come");
    }

    #[test]
    fn silence_ends_after_the_master_down_interval_and_not_before() {
        for patience in [100, 310, 3_414, 40_000] {
            let (at, silent) = looks(beat(50, patience), ms(50), |_| Duration::ZERO);
            assert_eq!((at, silent), (ms(50 + patience), ms(patience)));
        }
        let (at, _) = looks(beat(0, 31), ms(0), |_| Duration::ZERO);
        assert_eq!(at, LEAST, "no shorter");
    }

    #[test]
    fn nobody_who_sends_is_waited_for() {
        let mut patience = Patience::default();
        assert_eq!(patience.look(ms(5), std::iter::empty()), Verdict::Wait(None));
        // It slept until it was woken: that is not late.
        assert_eq!(patience.look(ms(90_000), [beat(90_000, 400)].into_iter()), Verdict::Wait(Some(ms(90_100))));
    }

    #[test]
    fn the_most_impatient_router_decides() {
        let mut patience = Patience::default();
        let two = [beat(900, 3_600), beat(1_000, 400)];
        assert_eq!(patience.look(ms(1_050), two.into_iter()), Verdict::Wait(Some(ms(1_150))));
        let two = [beat(900, 3_600), beat(1_100, 400)];
        assert_eq!(patience.look(ms(1_150), two.into_iter()), Verdict::Wait(Some(ms(1_250))), "it sent meanwhile");
        let last = patience.look(ms(1_250), [beat(900, 3_600), beat(850, 400)].into_iter());
        assert_eq!(last, Verdict::Silent(ms(400)));
    }

    /// A host that stood still for ten seconds: both processes did, and the other one sends as soon as it runs again.
    #[test]
    fn what_the_guardian_slept_through_is_not_counted() {
        let mut patience = Patience::default();
        let silent = beat(0, 3_400);
        assert_eq!(patience.look(ms(100), [silent].into_iter()), Verdict::Wait(Some(ms(950))));
        assert_eq!(patience.look(ms(10_950), [silent].into_iter()), Verdict::Wait(Some(ms(11_800))), "10 s late");
        assert_eq!(patience.look(ms(11_800), [silent].into_iter()), Verdict::Wait(Some(ms(12_650))));
        assert_eq!(patience.look(ms(12_650), [silent].into_iter()), Verdict::Wait(Some(ms(13_400))));
        assert_eq!(patience.look(ms(13_400), [silent].into_iter()), Verdict::Silent(ms(13_400)));
    }

    /// The grant is for who was silent then, not for who sent since.
    #[test]
    fn a_grant_is_used_up_by_the_next_advert() {
        let mut patience = Patience::default();
        let _ = patience.look(ms(0), [beat(0, 400)].into_iter());
        assert_eq!(patience.look(ms(5_100), [beat(0, 400)].into_iter()), Verdict::Wait(Some(ms(5_200))));
        let mut now = 5_200;
        for _ in 0..3 {
            assert_eq!(patience.look(ms(now), [beat(5_110, 400)].into_iter()), Verdict::Wait(Some(ms(now + 100))));
            now += 100;
        }
        assert_eq!(patience.look(ms(5_500), [beat(5_110, 400)].into_iter()), Verdict::Wait(Some(ms(5_510))));
        assert_eq!(patience.look(ms(5_510), [beat(5_110, 400)].into_iter()), Verdict::Silent(ms(400)));
    }

    /// However late each look is, the end comes: what is granted is what was late, and no more.
    #[test]
    fn a_busy_host_delays_the_end_by_what_it_was_busy() {
        let (at, _) = looks(beat(0, 400), ms(0), |_| ms(30));
        assert!((400..=400 + 5 * 30).contains(&at.as_millis()), "{at:?}");
    }
}
