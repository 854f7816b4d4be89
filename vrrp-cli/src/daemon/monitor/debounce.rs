//! Patience with interfaces that flap (`interface_up_down_delays`): a state counts when it has lasted. Knows spans and names;
//! neither the kernel nor what a state means.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long an interface must be down, and up, to count; each at most 255 s.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::daemon) struct Delays {
    pub(in crate::daemon) down: Duration,
    pub(in crate::daemon) up: Duration,
}

/// What counts for each interface that has delays; for all others everything counts at once.
#[derive(Debug, Default)]
pub(super) struct Debounce {
    interfaces: HashMap<String, State>,
}

#[derive(Debug)]
struct State {
    delays: Delays,
    counts: bool,
    /// Since when it is otherwise.
    otherwise: Option<Instant>,
}

impl State {
    fn due(&self) -> Option<Instant> {
        let delay = if self.counts { self.delays.down } else { self.delays.up };
        self.otherwise.map(|since| since + delay)
    }
}

impl Debounce {
    /// With the state of each interface at the start, which counts at once.
    pub(super) fn new(interfaces: impl IntoIterator<Item = (String, Delays, bool)>) -> Self {
        let state = |(name, delays, counts)| (name, State { delays, counts, otherwise: None });
        Self { interfaces: interfaces.into_iter().map(state).collect() }
    }

    /// Takes note of what is so at `now`: `state` knows whether an interface is up; one that does not exist, `None`, counts
    /// as down at once.
    pub(super) fn learn(&mut self, now: Instant, state: impl Fn(&str) -> Option<bool>) {
        for (name, known) in &mut self.interfaces {
            match state(name) {
                Some(up) if up != known.counts => {
                    known.otherwise.get_or_insert(now);
                    if known.due().is_some_and(|due| due <= now) {
                        (known.counts, known.otherwise) = (up, None);
                    }
                }
                Some(_) => known.otherwise = None,
                None => (known.counts, known.otherwise) = (false, None),
            }
        }
    }

    /// Whether an interface counts as up that is `up` in truth.
    pub(super) fn counts(&self, name: &str, up: bool) -> bool {
        self.interfaces.get(name).map_or(up, |state| state.counts)
    }

    /// When the next state that lasts will count.
    pub(super) fn next(&self) -> Option<Instant> {
        self.interfaces.values().filter_map(State::due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What counts at a second, and at which the next may, of an interface that must be down for 2 s and up for 5 s.
    fn steps(steps: &[(u32, Option<bool>)]) -> Vec<(bool, Option<u64>)> {
        let start = Instant::now();
        let delays = Delays { down: 2 * SECOND, up: 5 * SECOND };
        let mut debounce = Debounce::new([("eth0".to_owned(), delays, true)]);
        let step = |(second, state): &(u32, Option<bool>)| {
            debounce.learn(start + *second * SECOND, |_| *state);
            let next = debounce.next().map(|at| (at - start).as_secs());
            (debounce.counts("eth0", state.unwrap_or_default()), next)
        };
        steps.iter().map(step).collect()
    }

    #[test]
    fn a_state_counts_when_it_has_lasted() {
        let down = steps(&[(0, Some(true)), (10, Some(false)), (11, Some(false)), (12, Some(false))]);
        assert_eq!(down, [(true, None), (true, Some(12)), (true, Some(12)), (false, None)]);
        let up = steps(&[(0, Some(false)), (9, Some(false)), (10, Some(true)), (14, Some(true)), (15, Some(true))]);
        assert_eq!(up[1..], [(false, None), (false, Some(15)), (false, Some(15)), (true, None)]);
    }

    #[test]
    fn what_flaps_does_not_count_and_begins_anew() {
        let said =
            steps(&[(10, Some(false)), (11, Some(true)), (12, Some(false)), (13, Some(false)), (14, Some(false))]);
        assert_eq!(said, [(true, Some(12)), (true, None), (true, Some(14)), (true, Some(14)), (false, None)]);
    }

    #[test]
    fn an_interface_that_is_gone_counts_at_once_and_a_new_one_when_it_lasts() {
        let said =
            steps(&[(10, Some(false)), (11, None), (20, Some(true)), (21, None), (22, Some(true)), (27, Some(true))]);
        let expected =
            [(true, Some(12)), (false, None), (false, Some(25)), (false, None), (false, Some(27)), (true, None)];
        assert_eq!(said, expected);
    }

    #[test]
    fn without_delays_everything_counts_at_once() {
        let now = Instant::now();
        let mut debounce = Debounce::new([("eth0".to_owned(), Delays::default(), true)]);
        for up in [false, true, false] {
            debounce.learn(now, |_| Some(up));
            assert_eq!([debounce.counts("eth0", up), debounce.counts("eth1", up)], [up; 2]);
            assert_eq!(debounce.next(), None);
        }
    }
}
