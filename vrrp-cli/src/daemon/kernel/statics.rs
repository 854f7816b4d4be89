//! What the host has whoever is Master: static addresses, routes and rules, and settings of interfaces.
//!
//! Knows no virtual router.

use std::time::Instant;

use vrrp_core::node::TrackerId;
use vrrp_core::track::Status;

use super::repair::repair_addresses;
use super::table::{self, Entries, Held, Lacking};
use super::{Kernel, RETRY, addresses};
use crate::daemon::Feedback;

/// Stands for the name of a router where there is none.
const STATIC: &str = "static";

/// What the host has whoever is Master.
#[derive(Default)]
pub(super) struct Statics {
    pub(super) entries: Entries,
    pub(super) held: Held,
    /// When what was refused may be tried again.
    pub(super) retry: Option<Instant>,
    /// Groups that depend on some of it, and what the election knows of them.
    groups: Vec<(TrackerId, Status)>,
    promote: Vec<String>,
}

impl Statics {
    pub(super) fn new(entries: Entries, groups: Vec<TrackerId>, promote: Vec<String>) -> Self {
        let groups = groups.into_iter().map(|tracker| (tracker, Status::Up)).collect();
        Self { entries, groups, promote, ..Self::default() }
    }
}

impl Kernel {
    pub(super) fn promote_secondaries(&mut self) {
        for interface in &self.statics.promote {
            if let Err(error) = self.estate.set(&self.devices, interface, "promote_secondaries", "1") {
                tracing::error!("{error}");
            }
        }
    }

    /// Adds what the host has whoever is Master, at the start or as a `repair`.
    pub(super) fn add_statics(&mut self, repair: bool) {
        let statics = &mut self.statics;
        statics.retry = None;
        statics.held = Held::all(&statics.entries, &self.devices);
        self.estate.leave(self.routers.len(), &statics.held);
        self.estate.write(&self.devices);
        let mut lacking = Lacking::default();
        if repair {
            lacking =
                repair_addresses(&mut self.rtnl, &self.devices, STATIC, &statics.entries, &[], &mut self.fights).1;
        } else {
            let (installations, found): (Vec<_>, Vec<_>) = addresses::found(&statics.entries, &self.devices).unzip();
            for (installation, result) in installations.iter().zip(self.rtnl.add_addresses(&found)) {
                if let Err(error) = result {
                    lacking.refused(installation.group);
                    tracing::error!("({STATIC}) {} ({}): {error}", installation.address, installation.line);
                }
            }
        }
        for installation in &statics.entries.addresses {
            if !self.devices.get(installation.device).is_some_and(addresses::exists) {
                lacking.absent(installation.group);
            }
        }
        let fights = repair.then_some(&mut self.fights);
        let lacking = lacking.and(table::add_routing(&mut self.rtnl, &self.devices, STATIC, &statics.entries, fights));
        if lacking.again {
            statics.retry = Some(Instant::now() + RETRY);
        }
        for (number, (tracker, told)) in statics.groups.iter_mut().enumerate() {
            let status = if lacking.groups.contains(&number) { Status::Down } else { Status::Up };
            if *told != status {
                *told = status;
                self.election.send(Feedback::Tracked { tracker: *tracker, status });
            }
        }
    }

    /// Removes it; whether all of it is gone.
    pub(super) fn remove_statics(&mut self) -> bool {
        let mut held = std::mem::take(&mut self.statics.held);
        held.remove_routing(&mut self.rtnl);
        let mut gone = held.routes.is_empty() && held.rules.is_empty();
        let addresses = std::mem::take(&mut held.addresses);
        for (address, result) in addresses.iter().zip(addresses::remove(&mut self.rtnl, &addresses)) {
            if let Err(error) = result
                && !addresses::is_gone(&error)
            {
                tracing::error!("({STATIC}) {} is still on this host: {error}", address.address);
                gone = false;
            }
        }
        if gone {
            self.estate.leave(self.routers.len(), &Held::default());
        }
        gone
    }
}
