//! The configured routes of a router as the kernel's, on the interfaces that exist at the moment.
//!
//! Knows neither orders nor elections.

use std::time::Instant;

use vrrp_netlink::addresses::Change;
use vrrp_netlink::routes::Route;
use vrrp_netlink::rtnl::Rtnl;

use super::addresses;
use super::fights::{self, Fights};
use super::table::{Entries, Lacking};
use crate::daemon::monitor::Device;

/// A route as it is installed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::daemon) struct Routed {
    /// Its interfaces are not filled in.
    pub(in crate::daemon) route: Route,
    /// Index into the devices, for each next hop.
    pub(in crate::daemon) devices: Vec<Option<usize>>,
    /// It is put back when somebody removes it.
    pub(in crate::daemon) tracked: bool,
    /// The group that fails without it; only of what the host has whoever is Master.
    pub(in crate::daemon) group: Option<usize>,
    /// Where it is written.
    pub(in crate::daemon) line: Box<str>,
}

/// Adds routes for `who`; what was not there before is what somebody removed, when it is a `repair`.
pub(super) fn add(
    rtnl: &mut Rtnl,
    devices: &[Device],
    who: &str,
    entries: &Entries,
    mut repair: Option<&mut Fights>,
) -> Lacking {
    let (mut lacking, now) = (Lacking::default(), Instant::now());
    let wanted = entries.routes.iter().filter(|routed| routed.tracked || repair.is_none());
    let (mut found, mut routes) = (Vec::new(), Vec::new());
    for routed in wanted {
        match filled_in(routed, devices) {
            Some(route) if repair.as_ref().is_some_and(|fights| fights.hold_off(|| (&route).into(), now)) => {}
            Some(route) => {
                found.push(routed);
                routes.push(route);
            }
            // In a repair it was said before, and there will be news of the interface.
            None if repair.is_some() => lacking.absent(routed.group),
            None => {
                lacking.absent(routed.group);
                let to = words(&routed.route);
                tracing::error!("({who}) {to} ({}): its interface does not exist", routed.line);
            }
        }
    }
    if routes.is_empty() {
        return lacking;
    }
    let results = rtnl.add_routes(&routes);
    for ((routed, route), result) in found.into_iter().zip(&routes).zip(results) {
        match result {
            Ok(Change::Done) => {
                if let Some(fights) = &mut repair {
                    fights::tell(who, words(route), fights.put_back(route.into(), now));
                }
            }
            Ok(Change::AlreadySo) => {}
            // It comes back with its interface.
            Err(error) if repair.is_some() && addresses::is_down(&error) => lacking.absent(routed.group),
            Err(error) => {
                lacking.refused(routed.group);
                tracing::error!("({who}) {} ({}): {error}", words(route), routed.line);
            }
        }
    }
    lacking
}

/// The routes of `entries` whose interfaces exist, the last first.
pub(super) fn removable(entries: &Entries, devices: &[Device]) -> Vec<Route> {
    entries.routes.iter().rev().filter_map(|routed| filled_in(routed, devices)).collect()
}

/// Removes routes; those that are still there.
pub(super) fn remove(rtnl: &mut Rtnl, routes: Vec<Route>) -> Vec<Route> {
    if routes.is_empty() {
        return routes;
    }
    let results = rtnl.remove_routes(&routes);
    let mut left = Vec::new();
    for (route, result) in routes.into_iter().zip(results) {
        if let Err(error) = result {
            tracing::error!("{} is still on this host: {error}", words(&route));
            left.push(route);
        }
    }
    left
}

fn filled_in(routed: &Routed, devices: &[Device]) -> Option<Route> {
    let mut route = routed.route.clone();
    for (hop, device) in route.next_hops.iter_mut().zip(&routed.devices) {
        if let Some(device) = device {
            hop.index = Some(devices.get(*device)?.index?);
        }
    }
    Some(route)
}

pub(super) fn words(route: &Route) -> String {
    match route.prefix_len {
        0 => format!("the default route of table {}", route.table),
        length => format!("the route to {}/{length}", route.destination),
    }
}
