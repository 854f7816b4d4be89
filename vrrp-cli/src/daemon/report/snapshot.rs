//! What the reporter and the node know, as [`Snapshot`]: names and reasons are the reporter's, everything else is the node's.

use std::time::{Duration, Instant, SystemTime};

use vrrp_core::conflict;
use vrrp_core::node::{Condition, Node, RouterId};

use super::Reporter;
use crate::daemon::lateness::Histogram;
use crate::daemon::status::{Conflict, Router, Snapshot};

impl Reporter {
    /// Everything at this moment.
    pub(in crate::daemon) fn snapshot(&self, node: &Node<Instant>, lateness: &Histogram) -> Snapshot {
        let now = Instant::now();
        let groups = node.groups().filter_map(|id| {
            let name = self.names.groups.get(id.index())?;
            Some((name.clone(), node.group_condition(id)?))
        });
        Snapshot {
            at: SystemTime::now(),
            up: now.saturating_duration_since(self.started),
            routers: node.routers().filter_map(|id| self.router(node, id, now)).collect(),
            groups: groups.collect(),
            counters: *node.counters(),
            lateness: lateness.clone(),
        }
    }

    fn router(&self, node: &Node<Instant>, id: RouterId, now: Instant) -> Option<Router> {
        let router = node.router(id)?;
        let condition = Condition::of(router);
        let priority = router.machine().params.priority;
        let entered = self.entered.get(id.index());
        let why = match condition {
            Condition::Fault => self.unmet(node, id, router.family()),
            Condition::Master | Condition::Backup | Condition::Stopped => {
                entered.map(|entered| entered.why.clone()).unwrap_or_default()
            }
        };
        let conflict = |(address, conflict::Conflict { mac, at, claims, defended: _ })| Conflict {
            address,
            mac,
            ago: now.saturating_duration_since(at),
            claims,
        };
        Some(Router {
            name: self.name(id).to_owned(),
            interface: self.names.placed.get(id.index()).cloned().unwrap_or_default(),
            family: router.family(),
            vrid: router.vrid().get(),
            condition,
            since: entered.map_or(Duration::ZERO, |entered| now.saturating_duration_since(entered.at)),
            why,
            releasing: node.is_releasing(id),
            priority: priority.get(),
            configured: node.base_priority(id).unwrap_or(priority).get(),
            addresses: router.addresses().to_vec(),
            heard: router.last_adv_source(),
            conflicts: node.conflicts(id).map(conflict).collect(),
            counters: *router.counters(),
        })
    }
}
