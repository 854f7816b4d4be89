//! What an operator calls the state of a router.

use core::fmt;
use core::net::IpAddr;

use crate::fsm::Role;
use crate::router::VirtualRouter;

/// What an operator calls the state: Initialize of an enabled router is FAULT.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Condition {
    /// Stopped.
    Stopped,
    /// Wants to run and cannot.
    Fault,
    /// Backup.
    Backup,
    /// Master.
    Master,
}

impl Condition {
    /// The condition of a router.
    pub fn of<A: AsRef<[IpAddr]>>(router: &VirtualRouter<A>) -> Self {
        match (router.machine().state.role(), router.machine().enabled) {
            (Role::Initialize, false) => Self::Stopped,
            (Role::Initialize, true) => Self::Fault,
            (Role::Backup, _) => Self::Backup,
            (Role::Master, _) => Self::Master,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "STOP",
            Self::Fault => "FAULT",
            Self::Backup => "BACKUP",
            Self::Master => "MASTER",
        })
    }
}
