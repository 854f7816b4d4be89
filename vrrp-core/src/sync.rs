//! A sync group: routers, of several networks as a rule, that are Master together or not at all.
//!
//! A firewall or a NAT gateway that is Master on one side only forwards nothing. So: a member that cannot take part keeps all
//! of them in FAULT, and so does one that was stopped, though nothing keeps the others from handing over first; a member whose
//! turn to be Master has come waits until the turn of every other has come; a member that stops being Master takes all others
//! along. Knows machines; neither time nor messages.
//!
//! ```text
//! members                                    the most that each of them may be
//! one cannot take part                       Fault
//! one was stopped                            Stopped
//! the turn of each has come, or it is Master Master
//! otherwise                                  Backup
//! ```
//!
//! What each may be is fed to its machine as [`Event::Limit`](crate::fsm::Event::Limit), and changes what the members are; so
//! [`limit`] is asked again until its answer stays the same, which takes three rounds at most: from Fault or Stopped to Backup,
//! from there, if all are address owners, to Master; from Master to Backup, where those that were Master wait anew.

use crate::fsm::{Limit, Machine, State};

/// What a member contributes to its group's decision.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Member {
    /// It cannot take part, for a reason of its own.
    Unready,
    /// The operator stopped it.
    Stopped,
    /// It can, and its turn to be Master has not come.
    Follows,
    /// It is Master, or would be if its group let it.
    Leads,
}

impl Member {
    /// Of a machine. While something [holds](crate::fsm::Hold) it, its turn does not come.
    pub const fn of(machine: &Machine) -> Self {
        if !machine.enabled {
            return Self::Stopped;
        }
        if !machine.ready() {
            return Self::Unready;
        }
        match machine.state {
            State::Master { .. } => Self::Leads,
            State::Backup { due: true, .. } if machine.hold.is_none() => Self::Leads,
            State::Initialize | State::Backup { .. } => Self::Follows,
        }
    }
}

/// The most that each of `members` may be.
pub fn limit(members: impl IntoIterator<Item = Member>) -> Limit {
    match members.into_iter().min() {
        Some(Member::Unready) => Limit::Fault,
        Some(Member::Stopped) => Limit::Stopped,
        Some(Member::Follows) => Limit::Backup,
        Some(Member::Leads) | None => Limit::Master,
    }
}

#[cfg(test)]
mod tests;
