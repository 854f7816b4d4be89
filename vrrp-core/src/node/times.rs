//! Since when a router is what it is, in the caller's clock: RFC 8347's `up-datetime`, RFC 6527's UpTime.
//!
//! Knows transitions and instants; what an instant means is the caller's.

use super::{Node, RouterId};
use crate::fsm::{Role, Transition};
use crate::timed::Instant;

/// When a router's state was entered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times<I> {
    up: Option<I>,
    state: Option<I>,
}

impl<I> Default for Times<I> {
    fn default() -> Self {
        Self { up: None, state: None }
    }
}

impl<I: Instant> Times<I> {
    pub(super) fn note(&mut self, at: I, transition: &Transition) {
        self.state = Some(at);
        match (transition.from, transition.to) {
            (_, Role::Initialize) => self.up = None,
            (Role::Initialize, Role::Backup | Role::Master) => self.up = Some(at),
            (Role::Backup | Role::Master, Role::Backup | Role::Master) => {}
        }
    }
}

impl<I: Instant> Node<I> {
    /// When a router last left Initialize: RFC 8347's `up-datetime`. `None` while it is there.
    pub fn up_since(&self, router: RouterId) -> Option<I> {
        self.entries.get(router.0)?.times.up
    }

    /// When a router entered its present state; of a Master, since when it serves. `None` while it never changed.
    pub fn state_since(&self, router: RouterId) -> Option<I> {
        self.entries.get(router.0)?.times.state
    }
}
