//! Why a router changed its state: RFC 8347's event identities, and RFC 6527's reasons of a new Master.

use core::fmt;
use core::net::IpAddr;

use super::{Heard, Limit, Wait};
use crate::types::Priority;

/// Why a state was left.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cause {
    /// The operator started the router.
    Startup,
    /// The operator stopped it.
    Shutdown,
    /// The interface came up.
    InterfaceUp,
    /// The interface went down.
    InterfaceDown,
    /// The interface has an address to send from again.
    PrimaryAddress,
    /// The interface lost the last one.
    NoPrimaryAddress,
    /// Something tracked failed.
    Fault,
    /// Nothing tracked fails any more.
    Recovered,
    /// A member of its sync group cannot take part, so none does.
    GroupFault,
    /// A member of its sync group was stopped by the operator, so none takes part.
    GroupStopped,
    /// All members of its sync group can take part again.
    GroupRecovered,
    /// A member of its sync group is not Master any more, so none is.
    GroupYields,
    /// The operator wants it to serve no longer, until told otherwise.
    Maintenance,
    /// A Master yields to a stronger one.
    HigherPriority {
        /// The stronger router.
        from: IpAddr,
        /// Its priority.
        priority: Priority,
    },
    /// The turn of this Backup had come before, and what it waited for is over.
    Due {
        /// What it waited for.
        wait: Wait,
        /// Why its turn had come.
        heard: Heard,
    },
    /// The Master fell silent.
    MasterTimeout,
    /// The Master stopped and said so.
    Released,
    /// The Master is weaker, and preemption is on.
    LowerPriorityMaster,
    /// The router became the address owner while it backed up.
    OwnerPreempt,
    /// This Master was held up so long that another must have taken over.
    Overdue,
}

impl Cause {
    /// Why a Backup takes over, from what it heard last.
    pub(super) const fn takeover(heard: Heard) -> Self {
        match heard {
            // Nobody waits for the end of a delay when the Master that it spared is gone.
            Heard::Master | Heard::Spared => Self::MasterTimeout,
            Heard::Release => Self::Released,
            Heard::Weaker => Self::LowerPriorityMaster,
        }
    }

    /// Why the most that the sync group allows has changed.
    pub(super) const fn limit(before: Limit, after: Limit) -> Self {
        match (before, after) {
            (_, Limit::Fault) => Self::GroupFault,
            (_, Limit::Stopped) => Self::GroupStopped,
            (Limit::Fault | Limit::Stopped, Limit::Backup | Limit::Master) => Self::GroupRecovered,
            (Limit::Backup | Limit::Master, Limit::Backup | Limit::Master) => Self::GroupYields,
        }
    }

    /// Whether a Master that lets go for this cause still could serve: the operator stops it or puts it into maintenance, or
    /// does so with a member of its group, or its group moves. What it holds need not go before a successor has it. Nothing
    /// else that ends a Master is planned: a fault wants the addresses gone at once, and a stronger Master has them already.
    pub const fn is_planned(self) -> bool {
        match self {
            Self::Shutdown | Self::Maintenance | Self::GroupYields | Self::GroupStopped => true,
            Self::Startup
            | Self::InterfaceUp
            | Self::InterfaceDown
            | Self::PrimaryAddress
            | Self::NoPrimaryAddress
            | Self::Fault
            | Self::Recovered
            | Self::GroupFault
            | Self::GroupRecovered
            | Self::HigherPriority { .. }
            | Self::Due { .. }
            | Self::MasterTimeout
            | Self::Released
            | Self::LowerPriorityMaster
            | Self::OwnerPreempt
            | Self::Overdue => false,
        }
    }

    /// The identity of RFC 8347 section 4 that names this cause, for its `last-event`.
    ///
    /// RFC 8347 has none for a fault of something tracked and its end, nor for what a sync group and maintenance do, all of
    /// which the RFCs would call Shutdown and Startup; none for a Master that said goodbye, whose Master_Down_Timer ends as
    /// another's does; and none for an overdue Master, which believes of itself what its Backups believe: no advertisement
    /// within a Master_Down_Interval. Its preempt-hold-timeout is nobody's: the end of that delay changes no state, and the
    /// preemption that follows is lower-priority-master. Nor is its no-virtual-ip-addresses: no list is empty (R21).
    pub const fn event(self) -> &'static str {
        match self {
            Self::Startup | Self::Recovered | Self::GroupRecovered => "vrrp-event-startup",
            Self::Shutdown
            | Self::Fault
            | Self::GroupFault
            | Self::GroupStopped
            | Self::GroupYields
            | Self::Maintenance => "vrrp-event-shutdown",
            Self::InterfaceUp => "vrrp-event-interface-up",
            Self::InterfaceDown => "vrrp-event-interface-down",
            Self::PrimaryAddress => "vrrp-event-primary-ip-address",
            Self::NoPrimaryAddress => "vrrp-event-no-primary-ip-address",
            Self::Due { wait: _, heard } => Self::takeover(heard).event(),
            Self::HigherPriority { .. } => "vrrp-event-higher-priority-backup",
            Self::MasterTimeout | Self::Released | Self::Overdue => "vrrp-event-master-timeout",
            Self::LowerPriorityMaster => "vrrp-event-lower-priority-master",
            Self::OwnerPreempt => "vrrp-event-owner-preempt",
        }
    }

    /// RFC 6527's vrrpv3StatisticsNewMasterReason, were this the cause of becoming Master.
    pub const fn new_master_reason(self) -> NewMasterReason {
        match self {
            Self::Startup
            | Self::InterfaceUp
            | Self::PrimaryAddress
            | Self::Recovered
            | Self::GroupRecovered
            | Self::Released
            | Self::OwnerPreempt => NewMasterReason::Priority,
            Self::Due { wait: _, heard } => Self::takeover(heard).new_master_reason(),
            Self::LowerPriorityMaster => NewMasterReason::Preempted,
            Self::MasterTimeout => NewMasterReason::MasterNoResponse,
            Self::Shutdown
            | Self::InterfaceDown
            | Self::NoPrimaryAddress
            | Self::Fault
            | Self::GroupFault
            | Self::GroupStopped
            | Self::GroupYields
            | Self::Maintenance
            | Self::HigherPriority { .. }
            | Self::Overdue => NewMasterReason::NotMaster,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Startup => f.write_str("started"),
            Self::Shutdown => f.write_str("stopped"),
            Self::InterfaceUp => f.write_str("the interface is up"),
            Self::InterfaceDown => f.write_str("the interface is down"),
            Self::PrimaryAddress => f.write_str("the interface has an address to send from"),
            Self::NoPrimaryAddress => f.write_str("the interface has no address to send from"),
            Self::Fault => f.write_str("something it depends on failed"),
            Self::Recovered => f.write_str("what it depends on works again"),
            Self::GroupFault => f.write_str("a member of its sync group cannot take part"),
            Self::GroupStopped => f.write_str("a member of its sync group was stopped"),
            Self::GroupRecovered => f.write_str("every member of its sync group can take part again"),
            Self::GroupYields => f.write_str("its sync group is not master any more"),
            Self::Maintenance => f.write_str("maintenance"),
            Self::HigherPriority { from, priority } => {
                write!(f, "{from} advertised the stronger claim, priority {priority}")
            }
            Self::Due { wait, heard } => write!(f, "{wait}, {}", Self::takeover(*heard)),
            Self::MasterTimeout => f.write_str("no advertisement from a master"),
            Self::Released => f.write_str("the master stepped down"),
            Self::LowerPriorityMaster => f.write_str("the master has a lower priority"),
            Self::OwnerPreempt => f.write_str("this router owns the addresses"),
            Self::Overdue => f.write_str("this host was held up for so long that another router must have taken over"),
        }
    }
}

/// RFC 6527's reasons why there is a new Master.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NewMasterReason {
    /// notMaster(0).
    NotMaster,
    /// priority(1): nobody else, or nobody stronger.
    Priority,
    /// preempted(2): a weaker Master was replaced.
    Preempted,
    /// masterNoResponse(3).
    MasterNoResponse,
}

impl NewMasterReason {
    /// RFC 8347's name, of its `new-master-reason`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotMaster => "not-master",
            Self::Priority => "priority",
            Self::Preempted => "preempted",
            Self::MasterNoResponse => "no-response",
        }
    }

    /// RFC 6527's number.
    pub const fn code(self) -> u8 {
        match self {
            Self::NotMaster => 0,
            Self::Priority => 1,
            Self::Preempted => 2,
            Self::MasterNoResponse => 3,
        }
    }
}
