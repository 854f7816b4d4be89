//! What keeps a router from being Master for a time, and what it has waited for. Knows no clock.

use core::fmt;

/// What keeps a router from being Master, whatever the election makes it: it takes part, as Backup.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Hold {
    /// It was started a short while ago: the operator wants to see it settled first.
    StartupDelay,
    /// The operator wants it to serve no longer, until told otherwise.
    Maintenance,
}

/// What a Backup whose turn had come waited for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Wait {
    /// The end of what held it.
    Hold(Hold),
    /// The turn of every other member of its sync group.
    Group,
}

impl fmt::Display for Wait {
    /// That it is over.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hold(Hold::StartupDelay) => "the startup delay is over",
            Self::Hold(Hold::Maintenance) => "maintenance is over",
            Self::Group => "the turn of its whole sync group has come",
        })
    }
}
