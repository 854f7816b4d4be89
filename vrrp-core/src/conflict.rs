//! Who else holds an address that a Master serves: when another host's claim to it is a conflict, and when it is answered.
//!
//! RFC 5227 section 2.4, and for IPv6 RFC 4862 section 5.4.4 in its spirit: what is heard in passing is compared with what
//! is known; nothing is probed. A router that serves others is the host of section 2.4 (c), which keeps its address come what
//! may, tells of the other, and defends the address by one announcement in [`DEFEND_INTERVAL`] at the most.
//!
//! Unlike a host, a virtual router has others that rightly claim its addresses: a Master that does not know yet that it was
//! replaced, one that hands over, one that was on the other side of a cut. Each of them advertises, so a claim is believed to be a
//! conflict only when the election has been [settled](settled_after) before it and stays so for a [while](doubt) behind it. Knows
//! one address at a time; nothing of roles, frames or sockets.

use core::time::Duration;

use crate::fsm::Params;
use crate::timed::Instant;

/// Between two defences of an address (RFC 5227 section 1.1), lest two hosts that both defend theirs fill the LAN.
pub const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

/// How long a Master must have served, without hearing a weaker one, until a claim is worth a doubt: others hand over for up to
/// five seconds, and its own announcements heal clients for as long; one that advertises is heard in a Master_Down_Interval.
pub fn settled_after(params: &Params) -> Duration {
    const HANDING_OVER: Duration = Duration::from_secs(5);
    params.master_down_interval(params.interval).max(HANDING_OVER)
}

/// How long a claim is doubted: another Master would advertise within its interval, which is ours. At least 100 ms, so that
/// an advertisement which is under way arrives, and at most a second, so that clients do not wait for long.
pub fn doubt(params: &Params) -> Duration {
    params.interval.duration().clamp(Duration::from_millis(100), Duration::from_secs(1))
}

/// What is known of other hosts that claim one address.
///
/// ```
/// use core::time::Duration;
/// use vrrp_core::conflict::{Actions, Event, Watch};
/// let mac = [0x02, 0, 0, 0, 0, 9];
/// let second = Duration::from_secs(1);
/// let watch = Watch::default();
/// let (watch, _) = watch.step(Event::Claimed { at: second, mac, doubt: second });
/// assert_eq!(watch.due(), Some(2 * second));
/// let (watch, actions) = watch.step(Event::Confirmed { at: 2 * second });
/// assert_eq!(actions, Actions { conflict: Some((mac, 1)), defend: true });
/// assert_eq!(watch.last().map(|conflict| conflict.mac), Some(mac));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Watch<I> {
    doubted: Option<Doubted<I>>,
    last: Option<Conflict<I>>,
}

/// A claim that may have an explanation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Doubted<I> {
    mac: [u8; 6],
    since: I,
    until: I,
    claims: u64,
}

/// Another host that held an address which was served here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Conflict<I> {
    /// Which host claimed it last.
    pub mac: [u8; 6],
    /// When.
    pub at: I,
    /// How often the address was claimed so far, by whomever.
    pub claims: u64,
    /// When it was defended last.
    pub defended: Option<I>,
}

/// What happens to an address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event<I> {
    /// Another host claims it, while the election is settled.
    Claimed {
        /// When.
        at: I,
        /// Which host.
        mac: [u8; 6],
        /// How long that is doubted, see [`doubt`].
        doubt: Duration,
    },
    /// The claim is explained: there is another Master, or the address is not served here any more.
    Explained,
    /// The doubt is over, see [`Watch::due`], and nothing has explained the claim.
    Confirmed {
        /// When: now.
        at: I,
    },
}

/// The effects of one step.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[must_use = "the effects have not happened until the caller performs them"]
pub struct Actions {
    /// Tell that the host with this MAC address holds the address, by so many claims since it was told last.
    pub conflict: Option<([u8; 6], u64)>,
    /// Announce the address once.
    pub defend: bool,
}

impl<I> Default for Watch<I> {
    fn default() -> Self {
        Self { doubted: None, last: None }
    }
}

impl<I: Instant> Watch<I> {
    /// When the doubt about a claim is over.
    pub fn due(&self) -> Option<I> {
        self.doubted.map(|doubted| doubted.until)
    }

    /// When the claim was made that is doubted.
    pub fn doubted_since(&self) -> Option<I> {
        self.doubted.map(|doubted| doubted.since)
    }

    /// The conflict that was told of last.
    pub fn last(&self) -> Option<Conflict<I>> {
        self.last
    }

    /// Takes in what happened. Further claims during a doubt are counted and change nothing else, so that a flood of them is one
    /// conflict in each doubt.
    pub fn step(self, event: Event<I>) -> (Self, Actions) {
        const NOTHING: Actions = Actions { conflict: None, defend: false };
        match (event, self.doubted) {
            (Event::Claimed { at, mac, doubt }, None) => {
                let doubted = Doubted { mac, since: at, until: at + doubt, claims: 1 };
                (Self { doubted: Some(doubted), ..self }, NOTHING)
            }
            (Event::Claimed { .. }, Some(doubted)) => {
                let doubted = Doubted { claims: doubted.claims.saturating_add(1), ..doubted };
                (Self { doubted: Some(doubted), ..self }, NOTHING)
            }
            (Event::Explained, _) => (Self { doubted: None, ..self }, NOTHING),
            (Event::Confirmed { .. }, None) => (self, NOTHING),
            (Event::Confirmed { at }, Some(Doubted { mac, since, claims, .. })) => {
                let defended = self.last.and_then(|last| last.defended);
                let defend = defended.is_none_or(|defended| defended + DEFEND_INTERVAL <= at);
                let before = self.last.map_or(0, |last| last.claims);
                let last = Conflict {
                    mac,
                    at: since,
                    claims: before.saturating_add(claims),
                    defended: if defend { Some(at) } else { defended },
                };
                (Self { doubted: None, last: Some(last) }, Actions { conflict: Some((mac, claims)), defend })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fsm::Rules;
    use crate::types::{AdvertInterval, Priority};

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
    const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 8];
    const NOTHING: Actions = Actions { conflict: None, defend: false };

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn claimed(at: u64) -> Event<Duration> {
        Event::Claimed { at: ms(at), mac: MAC, doubt: ms(1000) }
    }

    fn confirmed(at: u64) -> Event<Duration> {
        Event::Confirmed { at: ms(at) }
    }

    /// Each event's actions, one after the other.
    fn run<const N: usize>(events: [Event<Duration>; N]) -> (Watch<Duration>, [Actions; N]) {
        let mut watch = Watch::default();
        let actions = events.map(|event| {
            let (next, actions) = watch.step(event);
            watch = next;
            actions
        });
        (watch, actions)
    }

    #[test]
    fn r127_a_second_conflict_within_ten_seconds_is_told_and_not_answered() {
        let told = |defend| Actions { conflict: Some((MAC, 1)), defend };
        let events = [claimed(0), confirmed(1000), claimed(2000), confirmed(3000), claimed(9999), confirmed(10_999)];
        let (watch, actions) = run(events);
        assert_eq!(actions, [NOTHING, told(true), NOTHING, told(false), NOTHING, told(false)]);
        let expected = Conflict { mac: MAC, at: ms(9999), claims: 3, defended: Some(ms(1000)) };
        assert_eq!(watch.last(), Some(expected));
        let (watch, _) = watch.step(claimed(10_999));
        let (watch, actions) = watch.step(confirmed(11_000));
        assert_eq!(actions, told(true));
        assert_eq!(watch.last().and_then(|last| last.defended), Some(ms(11_000)));
    }

    #[test]
    fn a_claim_that_is_explained_was_none() {
        let (watch, actions) = run([claimed(0), Event::Explained, confirmed(1000)]);
        assert_eq!((watch, actions), (Watch::default(), [NOTHING; 3]));
    }

    #[test]
    fn claims_meanwhile_are_counted_and_put_nothing_off() {
        let other = Event::Claimed { at: ms(500), mac: OTHER, doubt: ms(1000) };
        let (watch, _) = run([claimed(0), other, claimed(999)]);
        assert_eq!((watch.due(), watch.doubted_since()), (Some(ms(1000)), Some(ms(0))));
        let (watch, actions) = watch.step(confirmed(1000));
        assert_eq!(actions, Actions { conflict: Some((MAC, 3)), defend: true });
        assert_eq!((watch.due(), watch.last().map(|last| last.claims)), (None, Some(3)));
    }

    #[test]
    fn spans_follow_the_parameters() {
        let params = |interval| Params {
            priority: Priority::new(100).unwrap(),
            interval,
            preempt: true,
            accept: true,
            rules: Rules::DEFAULT,
        };
        let seconds = |seconds| params(AdvertInterval::from_secs(seconds).unwrap());
        let centiseconds = |cs| params(AdvertInterval::from_centis(cs).unwrap());
        assert_eq!((doubt(&seconds(1)), settled_after(&seconds(1))), (ms(1000), ms(5000)));
        assert_eq!((doubt(&centiseconds(1)), doubt(&centiseconds(30))), (ms(100), ms(300)));
        let slow = seconds(20);
        assert_eq!((doubt(&slow), settled_after(&slow)), (ms(1000), slow.master_down_interval(slow.interval)));
    }

    proptest! {
        /// However hosts claim it and whatever explains it: a conflict is told of at the end of a doubt alone, each claim is
        /// counted once at most, and two defences are ten seconds apart.
        #[test]
        fn a_flood_is_no_flood_of_defences(
            steps in prop::collection::vec((0u64..1500, 0u8..8, 100u64..1000), 0..200)
        ) {
            let mut watch = Watch::<Duration>::default();
            let (mut now, mut claims, mut told, mut defended) = (Duration::ZERO, 0, 0, None::<Duration>);
            for (pause, kind, doubt) in steps {
                now += ms(pause);
                let due = watch.due();
                let event = match kind {
                    0 => Event::Explained,
                    1..=3 => Event::Confirmed { at: now },
                    _ => {
                        claims += 1;
                        Event::Claimed { at: now, mac: [2, 0, 0, 0, 0, kind], doubt: ms(doubt) }
                    }
                };
                let (next, actions) = watch.step(event);
                prop_assert_eq!(actions.conflict.is_some(), kind <= 3 && kind != 0 && due.is_some());
                prop_assert!(!actions.defend || actions.conflict.is_some());
                told += actions.conflict.map_or(0, |(_, claims)| claims);
                prop_assert!(told <= claims);
                if actions.defend {
                    prop_assert!(defended.is_none_or(|before| before + DEFEND_INTERVAL <= now));
                    defended = Some(now);
                }
                prop_assert_eq!(next.last().map_or(0, |last| last.claims), told);
                prop_assert_eq!(next.last().and_then(|last| last.defended), defended);
                watch = next;
            }
        }
    }
}
