//! Output of what lives on after commands: services, say, that they started. It is read and thrown away, since a service
//! would block, or die of SIGPIPE, if it were not; but so slowly that one which prints for ever costs next to nothing.
//!
//! Knows nothing of commands that still run.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use vrrp_netlink::process::{Poller, Token};

use super::run::Drain;

/// So many are read; the oldest is given up then, which ends by SIGPIPE what still writes to it.
pub(super) const MOST: usize = 64;
/// From one look at them to the next. What prints more than fits into a pipe meanwhile waits.
pub(super) const REST: Duration = Duration::from_millis(50);

/// Outputs that nobody wants.
#[derive(Default)]
pub(in crate::daemon) struct Drains {
    drains: VecDeque<(Drain, Option<Token>)>,
    /// When they are looked at again; until [`listen`](Self::listen) has seen that it is over.
    rest: Option<Instant>,
}

impl Drains {
    /// Takes over what a command has left behind, if anything.
    pub(in crate::daemon) fn add(&mut self, drain: Option<Drain>) {
        self.drains.extend(drain.map(|drain| (drain, None)));
        if self.drains.len() > MOST {
            self.drains.pop_front();
        }
    }

    /// What to wait for.
    pub(in crate::daemon) fn listen(&mut self, poller: &mut Poller, now: Instant) {
        self.rest = self.rest.filter(|until| *until > now);
        let rests = self.rest.is_some();
        for (drain, token) in &mut self.drains {
            *token = (!rests).then(|| poller.add(&*drain));
        }
    }

    /// When [`listen`](Self::listen) has more to wait for than it had last; that moment may have come since.
    pub(in crate::daemon) fn deadline(&self) -> Option<Instant> {
        self.rest.filter(|_| !self.drains.is_empty())
    }

    /// Reads what there is. `poller` is what was waited with.
    pub(in crate::daemon) fn advance(&mut self, poller: &Poller, now: Instant) {
        let mut read = false;
        self.drains.retain_mut(|(drain, token)| {
            let ready = token.take().is_some_and(|token| poller.ready(token));
            read |= ready;
            !ready || drain.advance()
        });
        if read {
            self.rest = Some(now + REST);
        }
    }
}
