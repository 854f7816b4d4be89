//! How long a router that must not preempt listens before it may claim.
//!
//! Spans only. Who claims too early deposes a Master that it was about to hear, for a Master always yields to a stronger one
//! (R45), whatever its Preempt_Mode: nopreempt would not outlive a reboot.

use core::time::Duration;

use crate::fsm::{Cause, Params, Role, Transition};

/// The shortest time, besides Skew_Time: a switch may take that long until its port forwards.
const LEAST: Duration = Duration::from_secs(3);

/// How long a router that must not preempt listens, from when it could hear a Master that is there: three of its
/// Master_Down_Intervals and at least three seconds. `None` for one that may preempt.
pub(super) fn span(params: &Params) -> Option<Duration> {
    let interval = params.interval;
    let span = (3 * params.master_down_interval(interval)).max(LEAST + params.skew_time(interval));
    (!params.preempts()).then_some(span)
}

/// The same of a router that came to Backup by `transition`; `None` for every other transition, too.
pub(super) fn listening(params: &Params, transition: Transition) -> Option<Duration> {
    span(params).filter(|_| transition.to == Role::Backup)
}

/// Whether nobody could be heard until this happened, as opposed to a fault, which is over: that may have lasted since the
/// start, or since the link came up.
pub(super) fn is_deaf_before(cause: Cause) -> bool {
    match cause {
        // A sync group starts, or recovers, when the last of its links is up.
        Cause::Startup | Cause::InterfaceUp | Cause::PrimaryAddress | Cause::GroupRecovered => true,
        // What it depends on failed, not its ears.
        Cause::Recovered
        | Cause::Shutdown
        | Cause::InterfaceDown
        | Cause::NoPrimaryAddress
        | Cause::Fault
        | Cause::GroupFault
        | Cause::GroupStopped
        | Cause::GroupYields
        | Cause::Maintenance
        | Cause::HigherPriority { .. }
        | Cause::Due { .. }
        | Cause::MasterTimeout
        | Cause::Released
        | Cause::LowerPriorityMaster
        | Cause::OwnerPreempt
        | Cause::Overdue => false,
    }
}
