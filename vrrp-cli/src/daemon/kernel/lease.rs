//! Renewing the lifetimes of the addresses that are served, where they have one.
//!
//! Knows what is held; not why there is a lease.

use std::time::{Duration, Instant};

use vrrp_core::fsm::Addresses;

use super::{Kernel, addresses};

/// A process that was held up is told first what it is to hold: this much later.
const BREATH: Duration = Duration::from_millis(50);
/// Pause before what was refused is tried again.
const AGAIN: Duration = Duration::from_millis(100);

impl Kernel {
    /// Renews what is due.
    pub(super) fn renew(&mut self) {
        let serving = |router: &&super::Router| router.done.addresses == Addresses::Install && !router.held.is_empty();
        if !self.routers.iter().any(|router| serving(&router)) {
            return self.orders.lease.ended();
        }
        let now = Instant::now();
        if self.orders.lease.due().is_none() {
            // What was installed just now has all of its time.
            return self.orders.lease.renewed(now);
        }
        if self.renewal().is_some_and(|due| due > now) {
            return;
        }
        let late = self.renewal.take().is_some();
        if self.orders.lease.is_overdue(now) && !late {
            // Others may serve the addresses by now. The election knows in a moment.
            self.renewal = Some(now + BREATH);
            return;
        }
        let mut renewed = true;
        for index in 0..self.routers.len() {
            if !serving(&&self.routers[index]) {
                continue;
            }
            if late {
                // What the kernel has removed meanwhile is put back and announced.
                self.repair(index);
            }
            let router = &self.routers[index];
            let leased = addresses::found(&router.table.entries, &self.devices);
            // A renewal would put back what somebody goes on removing.
            let leased = leased.filter(|(one, address)| {
                let held_off = self.fights.hold_off(|| address.into(), now);
                one.lease.is_some() && !router.handed_over.contains(&one.address) && !held_off
            });
            let leased: Vec<_> = leased.map(|(_, address)| address).collect();
            for (address, result) in leased.iter().zip(self.rtnl.renew_addresses(&leased)) {
                if let Err(error) = result
                    && !addresses::is_gone(&error)
                {
                    renewed = false;
                    tracing::error!("({}) {} is not renewed: {error}", router.table.name, address.address);
                }
            }
        }
        if renewed {
            self.orders.lease.renewed(now);
        } else {
            self.renewal = Some(now + AGAIN);
        }
    }

    /// When to renew next.
    pub(super) fn renewal(&self) -> Option<Instant> {
        let due = self.orders.lease.due()?;
        Some(self.renewal.map_or(due, |not_before| due.max(not_before)))
    }
}
