//! What an operator may choose beside the RFC's parameters: how long to wait, whom to answer, whom to spare.
//!
//! Values only; what follows from them is decided in `step`, and on receipt by the ladder of checks. The default is RFC 3768
//! and RFC 9568 with the two departures that keep a LAN from having two Masters for long: see each field.

use core::num::NonZeroU8;
use core::time::Duration;

use crate::types::{Priority, Version};

/// The rules of one virtual router. Those that count lost adverts must be the same on every router of the group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rules {
    /// Advertisements that must be missed before the Master counts as down: Master_Down_Interval is so many of its intervals
    /// and Skew_Time. 3 in the RFCs (R24); keepalived takes 1 to 100.
    pub down_timer_adverts: NonZeroU8,
    /// How long a Backup leaves a weaker Master in place before it begins to preempt it: from the first weaker advert, until
    /// one that is not weaker. Afterwards Master_Down_Timer runs out as ever (R38), so that the takeover comes up to a
    /// Master_Down_Interval later. A Master that falls silent or stops is replaced as without it. Zero: at once, as in the
    /// RFCs. The owner does not wait (R25).
    pub preempt_delay: PreemptDelay,
    /// A Master answers a losing advert with its own, at most once an interval (R113). RFC 3768 has it silent (R46).
    pub answer_weaker: bool,
    /// With a losing advert, at most once an interval, a Master announces its addresses again: clients may have learnt the
    /// other's MAC address.
    pub announce_to_weaker: bool,
    /// A Master that yields claims once more, so that the winner of a healed partition learns that there were two. The RFCs
    /// have it silent (R45).
    pub claim_on_yield: bool,
    /// Whether the owner of the addresses hears adverts.
    pub owner_hears: OwnerHears,
    /// Priority of the strongest router that backs up this one: a Master that was silent for so long that this one must
    /// have taken over goes to Backup first. 255 is the safe answer to "unknown".
    pub strongest_backup: Priority,
}

impl Rules {
    /// The default.
    pub const DEFAULT: Self = Self {
        down_timer_adverts: match NonZeroU8::new(3) {
            Some(three) => three,
            None => NonZeroU8::MIN,
        },
        preempt_delay: PreemptDelay::NONE,
        answer_weaker: true,
        announce_to_weaker: true,
        claim_on_yield: true,
        owner_hears: OwnerHears::ByVersion,
        strongest_backup: Priority::OWNER,
    };
}

impl Default for Rules {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Whether the owner of the addresses hears adverts of others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OwnerHears {
    /// As the RFC of its version wants it: version 2 discards them (R47), version 3 hears them, so that of two owners one
    /// yields (R116).
    ByVersion,
    /// In both versions.
    Always,
    /// In none: two owners stay Master both.
    Never,
}

impl OwnerHears {
    /// Whether an owner of `version` hears.
    pub const fn hears(self, version: Version) -> bool {
        match (self, version) {
            (Self::Always, Version::V2 | Version::V3) | (Self::ByVersion, Version::V3) => true,
            (Self::Never, Version::V2 | Version::V3) | (Self::ByVersion, Version::V2) => false,
        }
    }
}

/// How long a weaker Master is spared: up to 4294 s, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PreemptDelay(u32);

impl PreemptDelay {
    /// Not at all.
    pub const NONE: Self = Self(0);

    /// `None` for more than 4294.967295 s. What is finer than a microsecond is cut off.
    pub fn new(delay: Duration) -> Option<Self> {
        u32::try_from(delay.as_micros()).ok().map(Self)
    }

    /// As a span.
    pub const fn duration(self) -> Duration {
        Duration::from_micros(self.0 as u64)
    }

    /// Whether there is none.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// What to do with the delay before a preemption, which runs beside Master_Down_Timer and ends with the state Backup.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DelayOp {
    /// It is over this long after the event, whatever was before: [`DelayOver`](super::Event::DelayOver).
    Start(PreemptDelay),
    /// It does not run any more.
    Stop,
}
