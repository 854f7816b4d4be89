//! From the lines of addresses, routes and rules to what the kernel thread installs, on this host's interfaces.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use vrrp_core::Family;
use vrrp_core::announce::{Program, Rounds};
use vrrp_core::node::{Follower, Node, TrackerId};
use vrrp_core::track::{Influence, Status};
use vrrp_netlink::addresses::{Address, Options, Scope};
use vrrp_netlink::routes::Route;
use vrrp_netlink::rules::Rule;

use super::{Builder, Policy};
use crate::config::model::{AddressOption, Garp};
use crate::config::{Code, Config, Diagnostic, Instance, Span, Spanned, VirtualAddress};
use crate::daemon::ear::Kind;
use crate::daemon::kernel::{Entries, Installation, Pace, Routed, Ruled, Table};
use crate::daemon::monitor::Kept;
use crate::daemon::report::Tracked;
use crate::routing::{self, Planned};

/// Where static addresses are that name no interface when the configuration names none for them, as in keepalived.
const DEFAULT_INTERFACE: &str = "eth0";

impl Builder<'_> {
    /// `home` is the place of the interface that an instance's address is on.
    pub(super) fn installation(
        &mut self,
        address: &VirtualAddress,
        home: Option<usize>,
        by_owner: bool,
    ) -> Installation {
        let device = match (&address.device, home) {
            (_, Some(home)) => home,
            (Some(device), None) => self.interface(device),
            (None, None) => {
                let usual = || Spanned::new(DEFAULT_INTERFACE.to_owned(), address.span);
                let name = self.default_interface.clone().unwrap_or_else(usual);
                self.interface(&name)
            }
        };
        let heard_at = self.interfaces[device].heard_at(device);
        if let Some(interface) = self.interfaces.get_mut(heard_at).filter(|_| home.is_some()) {
            let kind = Kind::claims(Family::of(address.address));
            if !interface.hears.contains(&kind) {
                interface.hears.push(kind);
            }
            interface.served.push(address.address);
        }
        let index = self.interfaces[device].device.index;
        // The owner's addresses are its real ones (RFC 3768 section 5.3.4): what was there before us is not ours to remove. What
        // a daemon has put there was not.
        let of_the_host = |index| {
            let same = |a: &Address| (a.index, a.address, a.prefix_len) == (index, address.address, address.prefix_len);
            self.links.has(index, address.address, address.prefix_len) && !self.written.iter().any(same)
        };
        let owned = by_owner && index.is_some_and(of_the_host);
        let mut installation = Installation {
            device,
            address: address.address,
            prefix_len: address.prefix_len,
            broadcast: address.broadcast,
            scope: Scope(address.scope.unwrap_or(Scope::UNIVERSE.0)),
            label: address.label.clone(),
            peer: None,
            // A single address of IPv6 is not meant to be the source of what the host itself sends, as in keepalived.
            preferred_lifetime: (address.address.is_ipv6() && address.prefix_len == 128).then_some(0),
            // The host's own addresses are not ours to end.
            lease: self.lease.filter(|_| home.is_some() && !owned),
            options: Options::default(),
            tracked: true,
            group: None,
            line: self.line(address.span),
            owned,
        };
        for option in &address.options {
            match option {
                AddressOption::Peer(peer, length) => {
                    installation.peer = Some(*peer);
                    installation.prefix_len = length.unwrap_or(installation.prefix_len);
                }
                AddressOption::PreferredLifetime(seconds) => installation.preferred_lifetime = *seconds,
                AddressOption::Flag("home") => installation.options.home = true,
                AddressOption::Flag("-nodad") => installation.options.detect_duplicates = true,
                AddressOption::Flag("mngtmpaddr") => installation.options.manage_temporary = true,
                AddressOption::Flag("noprefixroute") => installation.options.no_prefix_route = true,
                AddressOption::Flag("autojoin") => installation.options.auto_join = true,
                AddressOption::Flag("no_track") => installation.tracked = false,
                AddressOption::Flag(_) | AddressOption::TrackGroup(_) | AddressOption::UseVmac(_) => {}
            }
        }
        installation
    }

    pub(super) fn statics(&mut self, config: &Config, routing: &routing::Entries) -> Entries {
        let groups: Vec<&str> = config.track_groups.iter().map(|group| group.name.value.as_str()).collect();
        let mut addresses = Vec::new();
        for address in &config.process.static_ipaddress {
            if address.options.iter().any(|option| matches!(option, AddressOption::UseVmac(_))) {
                let message = "`use_vmac` has no effect on a static address, which no virtual router has";
                let warning = Diagnostic::new(Code::NoEffect, address.span, message);
                self.warnings.push(warning.help("remove it"));
            }
            let mut installation = self.installation(address, None, false);
            installation.group = address.options.iter().find_map(|option| match option {
                AddressOption::TrackGroup(name) => groups.iter().position(|known| *known == name.value),
                _ => None,
            });
            addresses.push(installation);
        }
        let (routes, rules) = self.routing(routing, &groups);
        Entries { addresses, routes, rules }
    }

    /// `groups` are the names that `track_group` may have.
    pub(super) fn routing(&mut self, entries: &routing::Entries, groups: &[&str]) -> (Vec<Routed>, Vec<Ruled>) {
        let mut install = |planned: &Planned<Route>| Routed {
            route: planned.object.clone(),
            devices: planned.devices.iter().map(|name| name.as_ref().map(|name| self.interface(name))).collect(),
            tracked: planned.tracked,
            group: planned.group.as_ref().and_then(|name| groups.iter().position(|known| *known == name.value)),
            line: self.line(planned.span),
        };
        let routes = entries.routes.iter().map(&mut install).collect();
        let ruled = |planned: &Planned<Rule>| Ruled {
            rule: planned.object.clone(),
            tracked: planned.tracked,
            group: planned.group.as_ref().and_then(|name| groups.iter().position(|known| *known == name.value)),
            line: self.line(planned.span),
        };
        (routes, entries.rules.iter().map(ruled).collect())
    }

    /// File and line, for words about what the kernel refuses.
    pub(super) fn line(&self, span: Span) -> Box<str> {
        let location = self.source_map.location(span);
        location.map_or_else(String::new, |place| format!("{}:{}", place.file, place.line)).into()
    }

    /// How fast announcements may follow each other on an interface; those of one group share a pace.
    pub(super) fn paces(&mut self, config: &Config) -> Vec<Pace> {
        let host = &config.global.settings;
        let (garp, gna) = (host.vrrp_garp_interval, host.vrrp_gna_interval);
        let mut paces: Vec<Pace> = Vec::new();
        let mut grouped = HashMap::new();
        for group in &config.garp_groups {
            let settings = &group.settings;
            for name in settings.interface.iter().chain(&settings.interfaces) {
                grouped.insert(self.interface(name), paces.len());
            }
            let own = settings.garp_interval.is_some() || settings.gna_interval.is_some();
            let (arp, na) = if own { (settings.garp_interval, settings.gna_interval) } else { (garp, gna) };
            paces.push(Pace::new(Vec::new(), arp.unwrap_or_default(), na.unwrap_or_default()));
        }
        for (device, place) in &grouped {
            paces[*place].devices.push(*device);
        }
        let alone = (0..self.interfaces.len()).filter(|device| !grouped.contains_key(device));
        if garp.is_some() || gna.is_some() {
            let (arp, na) = (garp.unwrap_or_default(), gna.unwrap_or_default());
            paces.extend(alone.map(|device| Pace::new(vec![device], arp, na)));
        }
        paces
    }
}

/// What the instances of each `track_group` depend on: that its static entries are there.
pub(super) fn groups(
    config: &Config,
    node: &mut Node<Instant>,
    tables: &[Table],
    policy: &mut Policy,
) -> Vec<TrackerId> {
    let mut trackers = Vec::with_capacity(config.track_groups.len());
    for group in &config.track_groups {
        let tracker = node.add_tracker(Status::Up);
        for member in &group.settings.group {
            if let Some(table) = tables.iter().find(|table| table.name == member.value) {
                node.follow(Follower::Router(table.id), tracker, Influence::default());
            }
        }
        policy.tracked.push(Tracked {
            name: format!("track_group {}", group.name.value),
            up: "is complete",
            down: "lacks a static entry",
        });
        trackers.push(tracker);
    }
    trackers
}

/// When the operator wants the addresses to be announced: in keepalived's bursts as soon as one of their settings is
/// written, otherwise at the usual times.
pub(super) fn program(instance: &Instance, config: &Config) -> Program {
    let (own, host) = (instance.settings(), &config.global.settings);
    let garp = Garp::of(instance, &config.global);
    let bursts = |count, delay: Duration| Rounds::Bursts { count, again: Some(delay).filter(|delay| !delay.is_zero()) };
    let first = own.garp_master_delay.or(host.vrrp_garp_master_delay).is_some()
        || own.garp_master_repeat.or(host.vrrp_garp_master_repeat).is_some()
        || host.vrrp_min_garp == Some(true);
    let lower = first
        || own.garp_lower_prio_delay.or(host.vrrp_garp_lower_prio_delay).is_some()
        || own.garp_lower_prio_repeat.or(host.vrrp_garp_lower_prio_repeat).is_some();
    Program {
        first: if first { bursts(garp.repeat, garp.delay) } else { Rounds::Usual },
        lower: if lower { bursts(garp.lower_prio_repeat, garp.lower_prio_delay) } else { Rounds::Usual },
        refresh: Some(garp.refresh).filter(|refresh| !refresh.is_zero()),
        refresh_rounds: garp.refresh_repeat,
    }
}

/// Whether a router lets go when another program goes on removing its addresses.
pub(super) fn steps_down(instance: &Instance, config: &Config) -> bool {
    let asked = instance.settings().address_fight.as_ref().or(config.global.settings.address_fight.as_ref());
    asked.is_some_and(|word| word == "step_down")
}

/// All addresses that come and go with the election.
pub(super) fn virtual_addresses(tables: &[Table]) -> HashSet<(IpAddr, u8)> {
    let all = tables.iter().flat_map(|table| &table.entries.addresses);
    all.filter(|installation| !installation.owned).map(|i| (i.address, i.prefix_len)).collect()
}

/// What is put back when somebody removes it, beside the virtual addresses.
pub(super) fn kept(tables: &[Table], statics: &Entries) -> Kept {
    let all = || tables.iter().map(|table| &table.entries).chain([statics]);
    let routes = all().flat_map(|entries| &entries.routes).filter(|routed| routed.tracked);
    let rules = all().flat_map(|entries| &entries.rules).filter(|ruled| ruled.tracked);
    Kept {
        addresses: statics.addresses.iter().map(|own| (own.address, own.prefix_len)).collect(),
        routes: routes.map(|routed| routed.route.clone()).collect(),
        rules: rules.map(|ruled| (ruled.rule.family, ruled.rule.priority)).collect(),
    }
}
