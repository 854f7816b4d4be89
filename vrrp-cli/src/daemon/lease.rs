//! `address_lease`: addresses of a lifetime that has to be renewed, so that a host on which nothing runs any more loses them by
//! the kernel's own hand; and adverts that are held back as soon as a renewal is overdue.
//!
//! Knows times; neither addresses nor routers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A lease is renewed so many times in its length.
const RENEWALS: u32 = 3;

/// The lease of all virtual addresses, or that there is none. Clones share what they know.
#[derive(Clone, Debug, Default)]
pub(super) struct Lease {
    granted: Option<Arc<Granted>>,
}

#[derive(Debug)]
struct Granted {
    length: Duration,
    begin: Instant,
    /// Nanoseconds from `begin` to the last renewal; 0 while there is nothing to renew.
    renewed: AtomicU64,
}

impl Lease {
    pub(super) fn new(length: Option<Duration>) -> Self {
        let granted = |length| Arc::new(Granted { length, begin: Instant::now(), renewed: AtomicU64::new(0) });
        Self { granted: length.map(granted) }
    }

    /// Seconds that an address has, from each renewal on.
    pub(super) fn seconds(length: Option<Duration>) -> Option<u32> {
        length.map(|length| u32::try_from(length.as_secs()).unwrap_or(u32::MAX))
    }

    /// Addresses have their whole lifetime at `now`; it was not yet overdue.
    pub(super) fn renewed(&self, now: Instant) {
        if let Some(granted) = &self.granted {
            let since = now.saturating_duration_since(granted.begin).as_nanos();
            granted.renewed.store(u64::try_from(since).unwrap_or(u64::MAX).max(1), Ordering::Release);
        }
    }

    /// There is nothing to renew any more.
    pub(super) fn ended(&self) {
        if let Some(granted) = &self.granted {
            granted.renewed.store(0, Ordering::Release);
        }
    }

    /// When the next renewal is due; `None` when there is nothing to renew.
    pub(super) fn due(&self) -> Option<Instant> {
        let granted = self.granted.as_ref()?;
        granted.after(granted.length / RENEWALS)
    }

    /// Whether the renewal that was due has not been made in time: the next one may come too late for the addresses.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        let end = self.granted.as_ref().and_then(|granted| granted.after(granted.length * 2 / RENEWALS));
        end.is_some_and(|end| now >= end)
    }
}

impl Granted {
    fn after(&self, span: Duration) -> Option<Instant> {
        let renewed = self.renewed.load(Ordering::Acquire);
        (renewed > 0).then(|| self.begin + Duration::from_nanos(renewed) + span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_renewed_in_thirds_and_overdue_after_two() {
        let lease = Lease::new(Some(Duration::from_secs(3)));
        let now = Instant::now();
        let after = |ms| now + Duration::from_millis(ms);
        assert!(lease.due().is_none() && !lease.is_overdue(after(1_000_000)), "nothing is there");
        lease.clone().renewed(now);
        let due = lease.due().expect("it runs");
        assert!(due > after(990) && due <= after(1_001), "{:?}", due - now);
        assert!(!lease.is_overdue(after(1_990)) && lease.is_overdue(after(2_001)));
        lease.renewed(after(2_500));
        assert!(!lease.is_overdue(after(4_400)));
        lease.ended();
        assert!(lease.due().is_none() && !lease.is_overdue(after(1_000_000)));
    }

    #[test]
    fn without_a_lease_nothing_is_due() {
        let lease = Lease::new(None);
        lease.renewed(Instant::now());
        assert!(lease.due().is_none() && !lease.is_overdue(Instant::now() + Duration::from_secs(1_000_000)));
        assert_eq!((Lease::seconds(None), Lease::seconds(Some(Duration::from_secs(3)))), (None, Some(3)));
    }
}
