//! The model checker: every state that three routers can reach, by breadth-first search over the real
//! [`Machine::step`](crate::fsm::Machine::step).
//!
//! Knows machines, the timer of each, its delay before a preemption, and messages; no octets, no addresses' installation, no clock. Time is exact: a
//! timer is the nanoseconds since it was set and the span it was set to, both as the machine gave them, so that VRRPv2's
//! 1/256 s and VRRPv3's skew need no rounding. Time passes from one expiry to the next.
//!
//! # What can happen
//!
//! Always: a timer that is due runs out; a message in flight arrives. Several timers that are due at once run out in any
//! order, and before or after a message in flight arrives, so that claims cross each other. What else happens is
//! chosen by [`Disturbance`]: a message is lost on its way to one router or to both, a router is cut off from the LAN
//! without knowing, its link goes down, the operator stops it (a release) or starts it, it dies and forgets everything, its
//! parameters change, a Master is held up for so long that it must step back. Disturbances are without limit of number:
//! the search ends when no state is new.
//!
//! # What must hold
//!
//! In each state ([`Property`]): addresses are held if and only if the router is Master; the armed timer is the one of its
//! state and no longer than the protocol knows; no more messages are in flight than [`MOST_IN_FLIGHT`]. On each step: a
//! transition is told if and only if the state changes; who becomes Master claims; a Master that can, says goodbye; an
//! expired Adver_Timer advertises; a Master yields only to a stronger advert; a Backup replaces a weaker Master only when it may, and spares
//! it for as long as it must; a Master that has fallen silent is replaced at once. From
//! each state: a LAN that heals and stays quiet comes, within a number of expiries that the report tells, into a cycle all of
//! whose states have the one right Master, or none where no router runs. Right means that no router that preempts is
//! stronger.
//!
//! # Bounds
//!
//! Three routers on one LAN, one timer each, at most [`MOST_IN_FLIGHT`] messages in flight; priorities that are multiples of 64,
//! so that phases are few; the disturbances without limit of number. `tests/model.rs` searches ten configurations of both
//! versions: with and without preemption, equal priorities, an owner, three different intervals. Always: thirteen searches of up
//! to 127,200 states, 389,564 together. On demand (`VRRP_MODEL=large`): thirteen with everything at once as far as that has an
//! end, of up to 3,018,721 states, 10,750,196 together.
//!
//! The ladder of checks in front of the machine is abstracted to what decides here: VRRPv2's owner hears nothing, and
//! VRRPv2 hears only its own interval.
//!
//! ```
//! use vrrp_core::fsm::Params;
//! use vrrp_core::sim::model::{Candidate, Disturbance, Model};
//! # use vrrp_core::sim::params;
//! # use vrrp_core::AdvertInterval;
//! let interval = AdvertInterval::from_secs(1).expect("1..=255");
//! let candidate = |last, priority| {
//!     Candidate { address: [10, 0, 0, last].into(), params: vec![params(priority, interval).expect("not 0")] }
//! };
//! let model = Model::new([candidate(1, 64), candidate(2, 128), candidate(3, 192)], Disturbance::STOP);
//! let report = model.check().expect("every property holds");
//! assert!(report.states > 100 && report.most_expiries < 8);
//! ```

use core::fmt;
use core::net::IpAddr;
use std::string::String;
use std::vec::Vec;

use crate::fsm::{Actions, Event, Machine, Params};

mod search;
mod world;

use search::Search;

/// The number of routers.
pub const ROUTERS: usize = 3;

/// The most messages in flight at one moment; one more would be a storm. In one instant a router sends what its timer wants,
/// one answer to a losing advert, and, except for the winner, a last one as it yields.
pub const MOST_IN_FLIGHT: usize = 3 * ROUTERS - 1;

/// A router of the model.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// The source of its adverts, which breaks ties.
    pub address: IpAddr,
    /// What its parameters are at first, and what [`Disturbance::PARAMS`] changes them to. The first is the default.
    pub params: Vec<Params>,
}

bitflags::bitflags! {
    /// What else happens besides time and messages.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct Disturbance: u8 {
        /// A message does not reach a router.
        const LOSS = 1;
        /// A router is cut off and does not know it; it comes back.
        const CUT = 1 << 1;
        /// A router's link goes down and up.
        const LINK = 1 << 2;
        /// The operator stops a router that runs, and starts it.
        const STOP = 1 << 3;
        /// A router dies without a word; it starts anew by [`Disturbance::STOP`].
        const CRASH = 1 << 4;
        /// A router's parameters become others of its list.
        const PARAMS = 1 << 5;
        /// A Master is held up for longer than the shortest Master_Down_Interval.
        const STALL = 1 << 6;
    }
}

/// The function that is checked: [`Machine::step`], or one with a fault that the checker shall find.
pub type Step = fn(Machine, Event) -> (Machine, Actions);

/// What is to be searched.
#[derive(Clone, Debug)]
pub struct Model {
    candidates: [Candidate; ROUTERS],
    disturbances: Disturbance,
    step: Step,
    limit: usize,
}

impl Model {
    /// All routers run at first, in Initialize, started one by one in any order.
    pub fn new(candidates: [Candidate; ROUTERS], disturbances: Disturbance) -> Self {
        Self { candidates, disturbances, step: Machine::step, limit: usize::MAX }
    }

    /// Checks `step` instead of [`Machine::step`].
    #[must_use]
    pub fn with_step(self, step: Step) -> Self {
        Self { step, ..self }
    }

    /// Ends the search when it knows more than `limit` states; [`Report::complete`] tells.
    #[must_use]
    pub fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// Searches, breadth first, and then lets each state come to rest.
    pub fn check(&self) -> Result<Report, Counterexample> {
        Search::new(self).run()
    }
}

/// What a search saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    /// Different states that were reached.
    pub states: usize,
    /// Steps from one to another, or to itself.
    pub edges: usize,
    /// Those among the states in which two routers or more are Master.
    pub divided: usize,
    /// The most timer expiries that a quiet LAN needed to come to rest.
    pub most_expiries: u32,
    /// Whether no state is missing: the limit was not reached.
    pub complete: bool,
}

/// What must hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Property {
    /// Addresses are held if and only if the router is Master.
    AddressesOfMaster,
    /// The armed timer is the one of the state, and its span is one that the protocol knows.
    TimerFitsState,
    /// At most [`MOST_IN_FLIGHT`] messages at one moment.
    NoStorm,
    /// A transition is told if and only if the state changes.
    TransitionTold,
    /// Who becomes Master advertises, and so does a Master whose Adver_Timer ran out.
    MasterClaims,
    /// A Master that stops and has a link sends priority 0.
    MasterReleases,
    /// A Master yields to a stronger advert only.
    YieldsToStronger,
    /// A Backup replaces a weaker Master only if it preempts or owns the addresses.
    PreemptsIfAllowed,
    /// A Backup whose Master_Down_Timer ran out becomes Master, whatever delays its preemptions.
    ReplacesTheSilent,
    /// A Backup with a delay follows a weaker Master until the delay is over, and not any longer.
    SparesTheWeaker,
    /// A quiet LAN has exactly the right Master and keeps it.
    Converges,
}

/// A property that does not hold, and the shortest way there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counterexample {
    /// What does not hold.
    pub property: Property,
    /// What happened, in order; then the state.
    pub trace: Vec<String>,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} does not hold after:", self.property)?;
        for line in &self.trace {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

impl core::error::Error for Counterexample {}
