//! What somebody else removes: put back at once, but not without bound. A program that goes on removing it meets pauses that
//! grow, and the operator is told once.
//!
//! A pure function of times. Knows how things are told apart; neither how they are put back nor what follows for a router.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use vrrp_netlink::addresses::Address;
use vrrp_netlink::routes::Route;
use vrrp_netlink::rules::{self, Rule};

/// So often a thing is put back at once.
const AT_ONCE: u32 = 5;
/// A thing that was left in peace for so long, beyond its pause, is as good as new.
const PEACE: Duration = Duration::from_secs(60);
/// The first pause; each is twice the one before, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What can be removed from a host.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Thing {
    /// Interface, address, prefix length.
    Address(u32, IpAddr, u8),
    /// Network, table, metric, type of service.
    Route(IpAddr, u8, u32, Option<u32>, u8),
    Rule(rules::Family, Option<u32>),
    /// A virtual interface, or that it is switched on: its place among the devices.
    Link(usize),
}

/// A thing was put back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bout {
    /// At once.
    Once,
    /// So often that from now on there are pauses.
    Fight,
    /// So many times altogether, after the pause that had begun.
    Still(u32),
}

impl Bout {
    /// Whether somebody does not leave it alone.
    pub(super) fn is_a_fight(self) -> bool {
        self != Self::Once
    }
}

/// Everything that was put back of late.
#[derive(Debug, Default)]
pub(super) struct Fights {
    all: HashMap<Thing, Fight>,
}

#[derive(Debug)]
struct Fight {
    times: u32,
    last: Instant,
    pause: Duration,
    /// It is not put back before.
    until: Option<Instant>,
}

impl Fight {
    fn is_over(&self, now: Instant) -> bool {
        now > self.last + self.pause + PEACE
    }
}

impl Fights {
    /// Whether a thing is to be left as it is, be it there or not.
    pub(super) fn hold_off(&self, thing: impl FnOnce() -> Thing, now: Instant) -> bool {
        let fight = if self.all.is_empty() { None } else { self.all.get(&thing()) };
        fight.and_then(|fight| fight.until).is_some_and(|until| now < until)
    }

    /// A thing was put back.
    pub(super) fn put_back(&mut self, thing: Thing, now: Instant) -> Bout {
        if !self.all.contains_key(&thing) {
            self.all.retain(|_, fight| !fight.is_over(now));
        }
        let new = || Fight { times: 0, last: now, pause: Duration::ZERO, until: None };
        let fight = self.all.entry(thing).or_insert_with(new);
        if fight.is_over(now) {
            *fight = new();
        }
        fight.times = fight.times.saturating_add(1);
        fight.last = now;
        if fight.times < AT_ONCE {
            return Bout::Once;
        }
        fight.pause = if fight.pause.is_zero() { FIRST_PAUSE } else { (fight.pause * 2).min(LONGEST_PAUSE) };
        fight.until = Some(now + fight.pause);
        if fight.times == AT_ONCE { Bout::Fight } else { Bout::Still(fight.times) }
    }

    /// When the next pause ends.
    pub(super) fn due(&self) -> Option<Instant> {
        self.all.values().filter_map(|fight| fight.until).min()
    }

    /// The things whose pauses are over, each once.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Thing> {
        let over = |fight: &&mut Fight| fight.until.is_some_and(|until| until <= now);
        let due = self.all.iter_mut().filter_map(|(thing, fight)| {
            let fight = Some(fight).filter(over)?;
            fight.until = None;
            Some(thing.clone())
        });
        due.collect()
    }
}

/// Tells the operator.
pub(super) fn tell(who: &str, what: impl fmt::Display, bout: Bout) {
    match bout {
        Bout::Once => tracing::warn!("({who}) {what} was removed by somebody else: put back"),
        Bout::Fight => tracing::warn!(
            "({who}) something removes {what} again and again: put back {AT_ONCE} times at once, from now on after pauses of \
             up to {LONGEST_PAUSE:?}. Another program manages it: find it, and leave the address, route or interface out there"
        ),
        Bout::Still(times) => tracing::info!("({who}) {what} was removed again: put back, {times} times so far"),
    }
}

impl From<&Address> for Thing {
    fn from(address: &Address) -> Self {
        Self::Address(address.index, address.address, address.prefix_len)
    }
}

impl From<&Route> for Thing {
    fn from(route: &Route) -> Self {
        Self::Route(route.destination, route.prefix_len, route.table, route.metric, route.tos)
    }
}

impl From<&Rule> for Thing {
    fn from(rule: &Rule) -> Self {
        Self::Rule(rule.family, rule.priority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THING: Thing = Thing::Link(1);

    /// Somebody who removes it as soon as it is there, for so long: when it is put back.
    fn fought(fights: &mut Fights, begin: Instant, time: Duration) -> Vec<Duration> {
        let (mut now, mut times) = (begin, Vec::new());
        while now <= begin + time {
            if fights.hold_off(|| THING, now) {
                let due = fights.due().expect("its pause ends");
                assert!(due > now);
                now = due;
                assert_eq!(fights.take_due(now), [THING]);
                assert_eq!((fights.take_due(now), fights.due()), (vec![], None), "once");
            }
            let bout = fights.put_back(THING, now);
            times.push(now - begin);
            let number = u32::try_from(times.len()).unwrap();
            let expected = match number {
                ..AT_ONCE => Bout::Once,
                AT_ONCE => Bout::Fight,
                more => Bout::Still(more),
            };
            assert_eq!(bout, expected);
            now += Duration::from_millis(1);
        }
        times
    }

    #[test]
    fn five_times_at_once_then_after_pauses_that_grow() {
        let times = fought(&mut Fights::default(), Instant::now(), Duration::from_secs(3600));
        let at_once = times.iter().filter(|time| **time < Duration::from_millis(10)).count();
        assert_eq!(at_once, 5);
        let pauses: Vec<u64> = times.windows(2).skip(4).map(|two| two[1].saturating_sub(two[0]).as_secs()).collect();
        assert_eq!(pauses[..7], [1, 2, 4, 8, 16, 30, 30]);
        assert!(times.len() < 5 + 5 + 3600 / 30 + 2, "{} times in an hour", times.len());
    }

    #[test]
    fn what_was_left_in_peace_is_as_good_as_new() {
        let (mut fights, now) = (Fights::default(), Instant::now());
        fought(&mut fights, now, Duration::from_secs(10));
        let later = now + Duration::from_secs(10) + LONGEST_PAUSE + PEACE + Duration::from_secs(5);
        assert_eq!(fights.put_back(THING, later), Bout::Once);
        // Now and then is no fight.
        for number in 1..100 {
            let at = later + (PEACE + Duration::from_secs(1)) * number;
            assert_eq!(fights.put_back(THING, at), Bout::Once);
        }
    }

    #[test]
    fn each_thing_has_its_own_fight_and_old_ones_are_forgotten() {
        let (mut fights, now) = (Fights::default(), Instant::now());
        fought(&mut fights, now, Duration::ZERO);
        for number in 0..AT_ONCE {
            fights.put_back(THING, now + Duration::from_millis(u64::from(number)));
        }
        assert!(fights.hold_off(|| THING, now + Duration::from_millis(10)));
        assert!(!fights.hold_off(|| Thing::Link(2), now));
        assert_eq!(fights.put_back(Thing::Link(2), now), Bout::Once);
        fights.put_back(Thing::Link(3), now + Duration::from_secs(3600));
        assert_eq!(fights.all.len(), 1);
    }
}
