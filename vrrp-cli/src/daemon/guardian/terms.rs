//! How the guardian is to run, in the few octets by which the working process tells it: never below what it looks after.
//!
//! Knows numbers; not what configuration they come from.

use vrrp_netlink::capabilities::{self, Set};
use vrrp_netlink::isolation;

/// Priorities, memory and privileges of the guardian.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::daemon) struct Terms {
    /// Priority in real time, 1 to 99.
    pub(in crate::daemon) real_time: Option<u8>,
    /// Nice value, unless it stays as it is.
    pub(in crate::daemon) nice: Option<i8>,
    /// Whether its memory is locked.
    pub(in crate::daemon) in_memory: bool,
    /// Privileges that it keeps.
    pub(in crate::daemon) keep: Set,
}

impl Terms {
    pub(super) fn octets(&self) -> Vec<u8> {
        let [has_nice, nice] = self.nice.map_or([0, 0], |nice| [1, nice.to_be_bytes()[0]]);
        let head = [self.real_time.unwrap_or(0), has_nice, nice, self.in_memory.into()];
        [&head[..], &self.keep.bits().to_be_bytes()].concat()
    }

    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        let ([real_time, has_nice, nice, in_memory], keep) = octets.split_first_chunk()?;
        Some(Self {
            real_time: Some(*real_time).filter(|priority| *priority > 0),
            nice: (*has_nice == 1).then_some(i8::from_be_bytes([*nice])),
            in_memory: *in_memory == 1,
            keep: Set::from_bits(u64::from_be_bytes(keep.try_into().ok()?)),
        })
    }

    /// Makes them those of the calling thread, and of its process. What is not allowed is left out: the working process, which
    /// is allowed no more, has told it.
    pub(super) fn begin(self) {
        if self.in_memory {
            let _ = isolation::keep_in_memory();
        }
        if let Some(nice) = self.nice {
            let _ = isolation::be_nice(nice);
        }
        if let Some(priority) = self.real_time {
            let _ = isolation::run_in_real_time(priority);
        }
        // It starts nothing.
        let _ =
            (capabilities::bound(self.keep), capabilities::keep(self.keep, self.keep), capabilities::gain_no_more());
    }
}

#[cfg(test)]
mod tests {
    use vrrp_netlink::capabilities::Capability;

    use super::*;

    #[test]
    fn what_is_told_is_understood() {
        let keep: Set = [Capability::NetAdmin, Capability::SysResource].into_iter().collect();
        for real_time in [None, Some(1), Some(99)] {
            for nice in [None, Some(-20), Some(0), Some(19)] {
                for in_memory in [false, true] {
                    let terms = Terms { real_time, nice, in_memory, keep };
                    assert_eq!(Terms::read(&terms.octets()), Some(terms));
                }
            }
        }
        assert_eq!(Terms::read(&[0; 11]), None);
        assert_eq!(Terms::read(&[0; 13]), None);
    }
}
