//! What was heard last of each sender, so that an old packet is not heard twice.
//!
//! Knows numbers and addresses, not where they come from. Only what an authentic packet said may be entered.
//!
//! The table is bounded. When a sender must give way to a new one, the sender with the lowest mark does, and its mark
//! becomes the *floor*: whoever is not in the table must be above it. So forgetting never opens a hole, which forgetting
//! the least recently used one would. The price is paid only with more than [`Marks::CAPACITY`] senders in one virtual
//! router: one whose numbers lag behind all others' may then be refused until they have caught up.

use core::net::IpAddr;

/// A number that grows with each packet and may wrap (RFC 1982: the half of the circle ahead is newer).
pub(super) const fn after(left: u64, right: u64) -> bool {
    let ahead = left.wrapping_sub(right);
    ahead != 0 && ahead < 1 << 63
}

/// The highest number heard of each sender, for at most [`Marks::CAPACITY`] senders.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    entries: [Option<(IpAddr, u64)>; Self::CAPACITY],
    floor: Option<u64>,
}

impl Marks {
    /// Senders that are told apart.
    pub const CAPACITY: usize = 8;

    /// Whether `number` is newer than what `sender` is known to have sent. `alive` says whether a mark still counts.
    pub(super) fn allows(&self, sender: IpAddr, number: u64, alive: impl Fn(u64) -> bool) -> bool {
        let mark = self.entries.iter().flatten().find(|(known, _)| *known == sender).map(|(_, mark)| *mark);
        mark.or(self.floor).filter(|mark| alive(*mark)).is_none_or(|mark| after(number, mark))
    }

    /// Remembers `number` for `sender`.
    pub(super) fn enter(&mut self, sender: IpAddr, number: u64, alive: impl Fn(u64) -> bool) {
        let known = |entry: &&mut Option<(IpAddr, u64)>| entry.is_some_and(|(known, _)| known == sender);
        if let Some(entry) = self.entries.iter_mut().find(known) {
            *entry = Some((sender, number));
            return;
        }
        let free = |entry: &&mut Option<(IpAddr, u64)>| entry.is_none_or(|(_, mark)| !alive(mark));
        if let Some(entry) = self.entries.iter_mut().find(free) {
            *entry = Some((sender, number));
            return;
        }
        let mut lowest: Option<&mut Option<(IpAddr, u64)>> = None;
        for entry in &mut self.entries {
            let lower = match (&lowest, &entry) {
                (Some(Some((_, low))), Some((_, mark))) => after(*low, *mark),
                _ => true,
            };
            if lower {
                lowest = Some(entry);
            }
        }
        if let Some(entry) = lowest {
            if let Some((_, mark)) = *entry {
                let floor = self.floor.filter(|floor| alive(*floor) && after(*floor, mark));
                self.floor = Some(floor.unwrap_or(mark));
            }
            *entry = Some((sender, number));
        }
    }
}

/// What a router remembers: the number it used last, and what it heard.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Replay {
    pub(super) sent: Option<u64>,
    pub(super) heard: Marks,
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn sender(number: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, number))
    }

    fn always(_: u64) -> bool {
        true
    }

    #[test]
    fn newer_is_the_half_of_the_circle_ahead() {
        assert!(after(1, 0) && !after(0, 1) && !after(5, 5));
        assert!(after(0, u64::MAX) && !after(u64::MAX, 0));
        assert!(after((1 << 63) - 1, 0) && !after(1 << 63, 0) && !after((1 << 63) + 1, 0));
    }

    #[test]
    fn each_sender_has_its_own_mark() {
        let mut marks = Marks::default();
        marks.enter(sender(1), 10, always);
        marks.enter(sender(2), 5, always);
        assert!(marks.allows(sender(1), 11, always) && !marks.allows(sender(1), 10, always));
        assert!(marks.allows(sender(2), 6, always) && !marks.allows(sender(2), 5, always));
        assert!(marks.allows(sender(3), 0, always), "never heard of");
        marks.enter(sender(1), 20, always);
        assert!(!marks.allows(sender(1), 20, always) && marks.allows(sender(1), 21, always));
    }

    #[test]
    fn a_mark_that_does_not_count_any_more_is_no_bar_and_gives_way_first() {
        let mut marks = Marks::default();
        for number in 0..8 {
            marks.enter(sender(number), 100 + u64::from(number), always);
        }
        assert!(marks.allows(sender(3), 1, |mark| mark != 103));
        marks.enter(sender(9), 50, |mark| mark != 103);
        assert_eq!(marks.floor, None, "nobody was forgotten that counts");
        assert!(marks.allows(sender(0), 101, always) && !marks.allows(sender(0), 100, always));
    }

    /// Marks 100 to 107; newcomers push out the lowest, wherever it stands.
    #[test]
    fn whoever_is_forgotten_leaves_a_floor() {
        let mut marks = Marks::default();
        for number in [5, 0, 3, 7, 1, 6, 2, 4] {
            marks.enter(sender(number), 100 + u64::from(number), always);
        }
        marks.enter(sender(20), 200, always);
        assert_eq!(marks.floor, Some(100));
        assert!(!marks.allows(sender(0), 100, always) && marks.allows(sender(0), 101, always));
        marks.enter(sender(21), 90, always);
        assert_eq!(marks.floor, Some(101));
        marks.enter(sender(22), 300, always);
        assert_eq!(marks.floor, Some(101), "90 gave way and lowers nothing");
        assert!(!marks.allows(sender(1), 101, always), "a replay of what was forgotten");
        marks.enter(sender(23), 301, |mark| mark != 101);
        assert_eq!(marks.floor, Some(102));
        marks.enter(sender(24), 302, |mark| mark != 102 && mark != 104);
        assert_eq!(marks.floor, Some(102), "104 does not count and gives way");
        marks.enter(sender(25), 303, |mark| mark > 102);
        assert_eq!(marks.floor, Some(103), "and neither does the old floor");
    }

    proptest! {
        /// Whatever is heard from however many senders: nothing that was accepted is accepted again.
        #[test]
        fn nothing_is_accepted_twice(packets in proptest::collection::vec((0u8..12, 0u64..40), 0..200)) {
            let mut marks = Marks::default();
            let mut seen = std::collections::BTreeSet::new();
            for (from, number) in packets {
                if marks.allows(sender(from), number, always) {
                    prop_assert!(seen.insert((from, number)));
                    marks.enter(sender(from), number, always);
                }
                prop_assert!(!marks.allows(sender(from), number, always));
            }
        }
    }
}
