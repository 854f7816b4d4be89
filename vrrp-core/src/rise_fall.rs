//! From results of a check to a status: so many in a row before it changes.
//!
//! A small machine of its own, beside the election; keepalived's `rise` and `fall`. Knows results, not where they come
//! from, nor when.

use core::num::NonZeroU32;

/// Hysteresis over the results of a check.
///
/// The very first result decides at once, whatever `rise` and `fall` say: a router that starts must not wait. From then on
/// the status changes when that many results *in a row* speak against it; one that confirms it begins the count anew.
///
/// ```
/// use core::num::NonZeroU32;
/// use vrrp_core::rise_fall::RiseFall;
/// let two = NonZeroU32::new(2).expect("not zero");
/// let mut check = RiseFall::new(two, two);
/// assert_eq!(check.observe(true), Some(true));
/// assert_eq!(check.observe(false), None);
/// assert_eq!(check.observe(false), Some(false));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RiseFall {
    rise: NonZeroU32,
    fall: NonZeroU32,
    status: Option<bool>,
    against: u32,
}

impl RiseFall {
    /// Without a status until the first result. `rise`: good results in a row that make it good; `fall`: bad ones that
    /// make it bad.
    pub const fn new(rise: NonZeroU32, fall: NonZeroU32) -> Self {
        Self { rise, fall, status: None, against: 0 }
    }

    /// Bad from the beginning (`init_fail`): it takes `rise` good results to become good.
    pub const fn failed(rise: NonZeroU32, fall: NonZeroU32) -> Self {
        Self { rise, fall, status: Some(false), against: 0 }
    }

    /// Takes in a result. The new status, when this one changes it.
    pub fn observe(&mut self, good: bool) -> Option<bool> {
        let changed = match self.status {
            None => true,
            Some(status) if status == good => {
                self.against = 0;
                false
            }
            Some(_) => {
                let needed = if good { self.rise } else { self.fall };
                self.against = self.against.saturating_add(1);
                self.against >= needed.get()
            }
        };
        if changed {
            self.status = Some(good);
            self.against = 0;
            return Some(good);
        }
        None
    }

    /// `None` before the first result.
    pub const fn status(&self) -> Option<bool> {
        self.status
    }

    /// How many results in a row speak against the status, and how many it takes to change it; zero of one before the
    /// first result.
    pub const fn against(&self) -> (u32, NonZeroU32) {
        match self.status {
            None => (0, NonZeroU32::MIN),
            Some(true) => (self.against, self.fall),
            Some(false) => (self.against, self.rise),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = NonZeroU32> {
        (1_u32..5).prop_map(|number| NonZeroU32::new(number).unwrap())
    }

    /// Written the other way round: from the whole history.
    fn by_history(begin: Option<bool>, rise: NonZeroU32, fall: NonZeroU32, results: &[bool]) -> Option<bool> {
        let mut status = begin;
        let mut since = 0;
        for end in 1..=results.len() {
            let last = results[end - 1];
            let needed = usize::try_from(if last { rise } else { fall }.get()).unwrap();
            let in_a_row = results[since..end].iter().rev().take_while(|result| **result == last).count();
            if status.is_none() || (status != Some(last) && in_a_row >= needed) {
                status = Some(last);
                since = end;
            }
        }
        status
    }

    proptest! {
        #[test]
        fn the_status_is_that_of_the_history(
            rise in number(),
            fall in number(),
            failed in any::<bool>(),
            results in proptest::collection::vec(any::<bool>(), 0..60),
        ) {
            let mut check = if failed { RiseFall::failed(rise, fall) } else { RiseFall::new(rise, fall) };
            let begin = failed.then_some(false);
            let mut changes: Vec<bool> = Vec::new();
            for end in 0..results.len() {
                let before = check.status();
                let change = check.observe(results[end]);
                prop_assert_eq!(check.status(), by_history(begin, rise, fall, &results[..=end]));
                prop_assert_eq!(change, check.status().filter(|_| before != check.status()));
                let (against, needed) = check.against();
                prop_assert!(against < needed.get());
                changes.extend(change);
            }
            // A change is told once, and then the opposite.
            prop_assert!(changes.windows(2).all(|pair| pair[0] != pair[1]));
        }
    }

    #[test]
    fn one_good_result_is_enough_at_first_and_restores_full_credit_later() {
        let three = NonZeroU32::new(3).unwrap();
        let mut check = RiseFall::new(three, three);
        assert_eq!(check.against(), (0, NonZeroU32::MIN));
        assert_eq!(check.observe(true), Some(true));
        for _ in 0..10 {
            assert_eq!([false, false, true].map(|good| check.observe(good)), [None; 3]);
        }
        assert_eq!([false, false].map(|good| check.observe(good)), [None; 2]);
        assert_eq!(check.against(), (2, three));
        assert_eq!(check.observe(false), Some(false));
    }

    #[test]
    fn the_longest_run_is_counted_without_overflow() {
        let mut check = RiseFall::new(NonZeroU32::MAX, NonZeroU32::MAX);
        assert_eq!(check.observe(false), Some(false));
        check.against = u32::MAX - 2;
        assert_eq!(check.observe(true), None);
        assert_eq!(check.observe(true), Some(true));
        assert_eq!(check.against().0, 0);
    }
}
