//! What the host has because of this daemon, as others are told of it: the guardian, and the file for a successor; and what a
//! predecessor has left, when nobody was there to remove it.
//!
//! Knows what is held; not why.

use vrrp_netlink::addresses::Change;
use vrrp_netlink::objects::Objects;

use super::table::Held;
use super::{Kernel, addresses};
use crate::daemon::guardian::Bequest;
use crate::daemon::ledger::{Ledger, Left};
use crate::daemon::monitor::Device;

/// Who is told of what is on the host.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Estate {
    pub(in crate::daemon) bequest: Bequest,
    pub(in crate::daemon) ledger: Ledger,
    /// What predecessors have left, until it is looked at.
    pub(in crate::daemon) left: Left,
}

impl Estate {
    /// What a cell holds: told before it is put on the host, and after it is gone.
    pub(super) fn leave(&mut self, cell: usize, held: &Held) {
        let octets = held.octets();
        self.bequest.leave_held(cell, &octets);
        self.ledger.holds(cell, octets);
    }

    /// Brings the file up to date.
    pub(super) fn write(&mut self, devices: &[Device]) {
        self.ledger.write(|index| name_of(devices, index));
    }
}

impl Kernel {
    /// Tells what a router holds.
    pub(super) fn leave(&mut self, index: usize) {
        self.estate.leave(index, &self.routers[index].held);
    }

    /// Tells what every router holds, and removes what a predecessor has left that none of them does.
    pub(super) fn take_over(&mut self) {
        for index in 0..self.routers.len() {
            self.leave(index);
        }
        self.estate.write(&self.devices);
        let left = std::mem::take(&mut self.estate.left);
        if self.remove_left(&left.objects) {
            left.forget();
        }
    }

    /// The end of it; what is still held stays written down.
    pub(super) fn close_estate(self) {
        let devices = self.devices;
        self.estate.ledger.close(|index| name_of(&devices, index));
    }

    /// Whether all is gone that nobody holds.
    fn remove_left(&mut self, left: &Objects) -> bool {
        let held = self.routers.iter().map(|router| &router.held).chain([&self.statics.held]);
        // As it would be read, so that the same is the same.
        let ours: Vec<_> = held.filter_map(|held| Objects::read(&held.octets()).ok()).collect();
        let gone = |ours: &dyn Fn(&Objects) -> bool, all: &[Objects]| !all.iter().any(ours);
        let mut left = left.clone();
        left.addresses.retain(|one| gone(&|all| all.addresses.contains(one), &ours));
        left.routes.retain(|one| gone(&|all| all.routes.contains(one), &ours));
        left.rules.retain(|one| gone(&|all| all.rules.contains(one), &ours));
        let mut all_gone = true;
        let mut tell = |what: String, result: vrrp_netlink::Result<Change>| match result {
            Ok(Change::Done) => tracing::warn!("{what} was left by a daemon that had no time to remove it: removed"),
            Ok(Change::AlreadySo) => {}
            Err(error) if addresses::is_gone(&error) => {}
            Err(error) => {
                all_gone = false;
                tracing::error!("{what} was left by another daemon and cannot be removed: {error}");
            }
        };
        let rules = self.rtnl.remove_rules(&left.rules);
        for (rule, result) in left.rules.iter().zip(rules) {
            tell(super::rules::words(rule), result);
        }
        let routes = self.rtnl.remove_routes(&left.routes);
        for (route, result) in left.routes.iter().zip(routes) {
            tell(super::routes::words(route), result);
        }
        let results = addresses::remove(&mut self.rtnl, &left.addresses);
        for (address, result) in left.addresses.iter().zip(results) {
            tell(address.address.to_string(), result);
        }
        all_gone
    }
}

fn name_of(devices: &[Device], index: u32) -> Option<String> {
    devices.iter().find(|device| device.index == Some(index)).map(|device| device.name.clone())
}
