//! Tracker arithmetic: what the things that a router watches make of its priority, and whether they keep it from serving.
//!
//! Knows numbers; neither what is watched, nor how, nor when.
//!
//! | status | weight 0 | weight w > 0 | weight w < 0 |
//! |---|---|---|---|
//! | up | nothing | + w | nothing |
//! | down | fault | nothing | − \|w\| |
//! | value v | fault unless v is 0 | + v × w, from −253 to 253; fault below | the same |
//! | unknown | fault | nothing | nothing |
//!
//! `reverse` changes the sign of the points; where the weight is 0, it exchanges up and down, and a value that is 0 and one
//! that is not. So a reversed w > 0 takes away while the tracker is up, as keepalived has it, and adds nothing while it is down.
//! The sum is added to the base priority and kept within 1 to 254; the address owner's 255 never changes.

use core::fmt;

use crate::types::Priority;

/// What a tracker counts for, from −254 to 254: points of priority, or 0 for "without it there is no service".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Weight(i16);

impl Weight {
    /// A failure is a fault.
    pub const FAULT: Self = Self(0);
    /// The largest, 254; the smallest is its negative.
    pub const MAX: i16 = 254;

    /// `None` beyond ±254.
    pub const fn new(weight: i16) -> Option<Self> {
        if weight >= -Self::MAX && weight <= Self::MAX { Some(Self(weight)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> i16 {
        self.0
    }

    /// Whether a failure is a fault, and no matter of points.
    pub const fn is_fault(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a tracker bears on a router. The default: what is down is a fault.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Influence {
    /// What it counts for.
    pub weight: Weight,
    /// The points change their sign, and a fault is where there was none.
    pub reverse: bool,
}

/// What is known of something that is watched.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Status {
    /// Nothing yet: a script that has not ended once. A router that cannot do without it waits in FAULT.
    #[default]
    Unknown,
    /// It works.
    Up,
    /// It does not.
    Down,
    /// A number, as of a file.
    Value(i32),
}

/// What one tracker makes of a router.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Contribution {
    /// It keeps the router in FAULT.
    pub fault: bool,
    /// Points of priority, from −254 to 254.
    pub points: i16,
}

impl Influence {
    /// What `status` means under this influence.
    pub fn of(self, status: Status) -> Contribution {
        match status {
            Status::Unknown => Contribution { fault: self.weight.is_fault(), points: 0 },
            Status::Up => self.when(true),
            Status::Down => self.when(false),
            Status::Value(value) if self.weight.is_fault() => self.when(value == 0),
            Status::Value(value) => {
                let sign = if self.reverse { -1 } else { 1 };
                let points = i64::from(value) * i64::from(self.weight.0) * sign;
                let within = points.clamp(i64::from(-Weight::MAX), i64::from(Weight::MAX - 1));
                Contribution { fault: points <= i64::from(-Weight::MAX), points: i16::try_from(within).unwrap_or(0) }
            }
        }
    }

    fn when(self, well: bool) -> Contribution {
        let points = if well { self.weight.0.max(0) } else { self.weight.0.min(0) };
        let points = if self.reverse { -points } else { points };
        Contribution { fault: self.weight.is_fault() && well == self.reverse, points }
    }
}

/// The priority of adverts and timers: `base` and all `points`, within 1 to 254. The owner's stays 255.
pub fn effective(base: Priority, points: impl IntoIterator<Item = i16>) -> Priority {
    if base.is_owner() {
        return base;
    }
    let sum = points.into_iter().fold(i64::from(base.get()), |sum, points| sum.saturating_add(i64::from(points)));
    u8::try_from(sum.clamp(1, 254)).ok().and_then(Priority::new).unwrap_or(base)
}

#[cfg(test)]
mod tests;
