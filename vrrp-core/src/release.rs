//! Make-before-break: how a Master that steps down on purpose hands its addresses over, so that clients notice nothing.
//!
//! RFC 3768 section 6.4.3 has a Master that shuts down send priority 0 and stop at once; the addresses are then nobody's for
//! the successor's Skew_Time. Here it says priority 0 and keeps serving each address until the successor shows that it does.
//! A small machine of its own, beside the election. Knows places in a list of addresses, not addresses; spans of time, not
//! the time.

use core::time::Duration;

use crate::fsm::Params;
use crate::types::Priority;

/// What a router does with its addresses when it steps down on purpose: it is stopped, or told to yield. After a fault, and
/// when it yields to a stronger Master, they always go at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Handover {
    /// They go at once, by the letter of the RFCs. For addresses that are checked for duplicates (RFC 4862 section 5.4),
    /// which could not be in two places even for a moment.
    #[default]
    Immediate,
    /// Each stays until the successor announces it, by gratuitous ARP or an unsolicited neighbour advertisement.
    Announced,
    /// All stay until the successor's first advertisement: with the virtual router's MAC address, which is the same on both
    /// hosts, that is the moment in which switches send frames to the successor.
    FirstAdvert,
}

impl Handover {
    /// The release that begins now, of `count` addresses; `None` when they go at once.
    pub const fn begin(self, count: u8) -> Option<Release> {
        match self {
            Self::Immediate => None,
            Self::Announced => Some(Release { sign: Sign::Announcement, left: Places::first(count) }),
            Self::FirstAdvert => Some(Release { sign: Sign::Advert, left: Places::first(count) }),
        }
    }
}

/// A release under way: what is still served.
///
/// ```
/// use vrrp_core::release::{Actions, Event, Handover};
/// let release = Handover::Announced.begin(2).expect("it does not go at once");
/// let mac = [0x02, 0, 0, 0, 0, 9];
/// let (release, actions) = release.step(Event::Announced { place: 1, mac });
/// assert_eq!(actions, Actions { hand_over: Some((1, mac)), remove_rest: false });
/// let (over, actions) = release.expect("one is left").step(Event::Ended);
/// assert_eq!((over, actions), (None, Actions { hand_over: None, remove_rest: true }));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Release {
    sign: Sign,
    left: Places,
}

/// What shows that the successor serves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Sign {
    Announcement,
    Advert,
}

/// What happens during a release.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// Another host announced the address at this place of the list.
    Announced {
        /// Place, from 0.
        place: u8,
        /// Where it is now.
        mac: [u8; 6],
    },
    /// Another router advertised itself as Master, and its advertisement passed every check.
    Claimed,
    /// It took as long as it may ([`Release::longest`]), or must not go on: the router was started again, something failed,
    /// the link is down, somebody asked a second time.
    Ended,
}

/// The effects of one step, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[must_use = "the effects have not happened until the caller performs them"]
pub struct Actions {
    /// Remove the address at this place; once it is gone, announce it once at this MAC address, which is the successor's: a
    /// client that asked in between may have got an answer from either.
    pub hand_over: Option<(u8, [u8; 6])>,
    /// Remove what is left, if anything. The release is over.
    pub remove_rest: bool,
}

impl Release {
    /// How long a release of a Master with these parameters may last: until the weakest Backup would have taken over, and
    /// some time for its announcements; never more than 5 s.
    pub fn longest(params: Params) -> Duration {
        const ANNOUNCING: Duration = Duration::from_millis(100);
        const MOST: Duration = Duration::from_secs(5);
        let weakest = Params { priority: Priority::LOWEST, ..params };
        weakest.skew_time(params.interval).saturating_add(ANNOUNCING).min(MOST)
    }

    /// Takes in what happened; `None` when the release is over. What repeats something known changes nothing.
    pub const fn step(self, event: Event) -> (Option<Self>, Actions) {
        const NOTHING: Actions = Actions { hand_over: None, remove_rest: false };
        match (self.sign, event) {
            (Sign::Announcement, Event::Announced { place, mac }) if self.left.contains(place) => {
                let left = self.left.without(place);
                let over = left.is_empty();
                let next = if over { None } else { Some(Self { left, ..self }) };
                (next, Actions { hand_over: Some((place, mac)), remove_rest: over })
            }
            (Sign::Announcement, Event::Announced { .. } | Event::Claimed)
            | (Sign::Advert, Event::Announced { .. }) => (Some(self), NOTHING),
            (Sign::Advert, Event::Claimed) | (Sign::Announcement | Sign::Advert, Event::Ended) => {
                (None, Actions { hand_over: None, remove_rest: true })
            }
        }
    }
}

/// A set of places in a list of addresses, which has 255 at most.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Places([u64; 4]);

impl Places {
    /// The first `count`.
    const fn first(count: u8) -> Self {
        let mut places = Self([0; 4]);
        let mut place = 0;
        while place < count {
            places = places.toggled(place);
            place += 1;
        }
        places
    }

    const fn contains(self, place: u8) -> bool {
        let (word, bit) = Self::position(place);
        self.0[word] & bit != 0
    }

    const fn without(self, place: u8) -> Self {
        if self.contains(place) { self.toggled(place) } else { self }
    }

    const fn is_empty(self) -> bool {
        matches!(self.0, [0, 0, 0, 0])
    }

    const fn toggled(mut self, place: u8) -> Self {
        let (word, bit) = Self::position(place);
        self.0[word] ^= bit;
        self
    }

    /// Word, 0 to 3 whatever the place, and bit.
    const fn position(place: u8) -> (usize, u64) {
        ((place >> 6) as usize, 1 << (place & 63))
    }
}

#[cfg(test)]
mod tests;
