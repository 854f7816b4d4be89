//! Silence that need not be one: packets were lost since the last advertisement, and that of a Master may have been among them.
//!
//! It is believed one Skew_Time later, once. Under a flood packets are lost all the time, so that a second time would be a
//! takeover put off for as long as an attacker likes.

use core::net::IpAddr;

use super::{Armed, Clock, Instant, Runs, Timed};
use crate::counters::Counter;

/// What is known of a silence, which ends with every advertisement that sets Master_Down_Timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Doubt {
    /// Nothing was lost in it.
    None,
    /// Something was.
    Lost,
    /// That has put the takeover off already.
    Spent,
}

impl<I: Instant, A: AsRef<[IpAddr]>> Timed<I, A> {
    /// Packets that were for this router, perhaps, were lost: the queue of its socket was full. If Master_Down_Timer runs out
    /// before another advertisement sets it, that counts one Skew_Time later, once.
    ///
    /// Without effect on a Master.
    pub fn lost(&mut self) {
        if let Clock::On(Armed { doubt: doubt @ Doubt::None, runs, .. }) = &mut self.clock {
            match runs {
                Runs::MasterDown | Runs::Listening { .. } | Runs::Sparing { .. } => *doubt = Doubt::Lost,
                Runs::Adver { .. } => {}
            }
        }
    }

    /// From now, not from the deadline: a process that was held up needs time to hear what comes next.
    pub(super) fn put_off(&mut self, armed: Armed<I>, now: I) {
        let deadline = now + self.router.skew_time();
        self.router.count(Counter::TakeoversPutOff);
        self.clock = Clock::On(Armed { deadline, doubt: Doubt::Spent, ..armed });
    }
}
