//! The files of several hosts against each other.
//!
//! Virtual routers are the same one when VRID and address family are, and all of them are taken to be on one LAN: what
//! two hosts of one router must not differ in is an error, what they hardly mean to differ in a warning.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use vrrp_core::Version;

use super::{Finding, place};
use crate::config::model::Named;
use crate::config::{Code, Config, Diagnostic, Instance, Loaded, Span};

mod weight;

/// What the comparison finds; files that could not be understood are left out of it.
pub(super) fn compare(hosts: &[&Loaded]) -> Vec<Finding> {
    let hosts: Vec<Host<'_>> = hosts
        .iter()
        .enumerate()
        .filter_map(|(index, loaded)| Some(Host { index, loaded, config: loaded.understood()? }))
        .collect();
    let mut routers: BTreeMap<(u8, bool), Vec<Member<'_>>> = BTreeMap::new();
    for host in &hosts {
        for instance in &host.config.instances {
            let ipv6 = instance.addresses.first().is_some_and(|address| address.address.is_ipv6());
            routers.entry((instance.vrid.get(), ipv6)).or_default().push(Member { host, instance });
        }
    }
    let mut pair = Pair { found: Vec::new() };
    for members in routers.values() {
        pair.router(&hosts, members);
    }
    pair.sync_groups(&hosts);
    pair.found.sort_by_key(|finding| {
        (finding.host, finding.diagnostic.primary.as_ref().map(|label| label.span), finding.diagnostic.code)
    });
    pair.found
}

#[derive(Clone, Copy)]
struct Host<'a> {
    index: usize,
    loaded: &'a Loaded,
    config: &'a Config,
}

impl Host<'_> {
    fn name(&self) -> &str {
        self.loaded.sources.files().next().map_or("?", |(_, source)| source.name())
    }
}

/// A virtual router on one of its hosts.
#[derive(Clone, Copy)]
struct Member<'a> {
    host: &'a Host<'a>,
    instance: &'a Instance,
}

impl Member<'_> {
    fn at(&self, keyword: &str) -> Span {
        place::of(&self.host.loaded.sources, self.instance, keyword)
    }

    fn addresses(&self) -> BTreeSet<IpAddr> {
        self.instance.addresses.iter().map(|address| address.address).collect()
    }

    fn has_peers(&self) -> bool {
        !self.instance.settings().unicast_peer.is_empty()
    }

    fn group(&self) -> IpAddr {
        self.instance.settings().mcast_dst_ip.unwrap_or(IpAddr::V4(self.host.config.global.mcast_group4))
    }
}

struct Pair {
    found: Vec<Finding>,
}

impl Pair {
    /// `a` and `b` differ in `keyword`; the finding stands in the later file.
    fn differ(&mut self, code: Code, (a, b): (Member<'_>, Member<'_>), keyword: &str, message: String, help: &str) {
        let diagnostic = Diagnostic::new(code, b.at(keyword), message).help(help);
        let note = format!("the same router in {}", a.host.name());
        self.found.push(Finding::new(b.host.index, diagnostic).and(a.host.index, a.at(keyword), note));
    }

    fn router(&mut self, hosts: &[Host<'_>], members: &[Member<'_>]) {
        let mut alone = true;
        for (at, &b) in members.iter().enumerate() {
            let before = members.get(..at).unwrap_or_default();
            // With a VRID on several interfaces, the interface's name tells which one is meant.
            let others: Vec<Member<'_>> = before.iter().copied().filter(|a| a.host.index != b.host.index).collect();
            let namesake = |a: &&Member<'_>| a.instance.interface.value == b.instance.interface.value;
            let named = others.iter().filter(namesake).count() > 0;
            let mut compared = BTreeSet::new();
            let mut others = others;
            others.retain(|a| !named || namesake(&a));
            // With a VRID that is used between several circles of peers, the addresses tell, or else the instance's name.
            others.sort_by_cached_key(|a| {
                (a.host.index, a.addresses().is_disjoint(&b.addresses()), a.instance.name != b.instance.name)
            });
            for a in others {
                if compared.insert(a.host.index) {
                    alone = false;
                    self.couple(a, b, compared.len() == 1);
                }
            }
        }
        if let (true, [first, ..]) = (alone && hosts.len() > 1, members) {
            let vrid = first.instance.vrid;
            let message = format!("VRID {vrid} stands in {} only", first.host.name());
            let help = "a virtual router on one host has nobody to take over: add it to the other files";
            let diagnostic = Diagnostic::new(Code::PairAlone, first.at("virtual_router_id"), message).help(help);
            self.found.push(Finding::new(first.host.index, diagnostic));
        }
    }

    /// Two hosts of one router. `nearest`: what all hosts have in common is said once.
    fn couple(&mut self, a: Member<'_>, b: Member<'_>, nearest: bool) {
        let both = (a, b);
        let (one, other) = (a.instance, b.instance);
        let vrid = one.vrid;
        let (ours, theirs) = (a.addresses(), b.addresses());
        if nearest && ours.is_disjoint(&theirs) && one.name != other.name {
            let message = format!("VRID {vrid} is used by two virtual routers, `{}` and `{}`", one.name, other.name);
            let help = "every virtual router of a LAN needs its own VRID; if they are on different LANs, check their \
                        files apart";
            return self.differ(Code::PairVrid, both, "virtual_router_id", message, help);
        }
        if nearest {
            self.alike(both, &ours, &theirs);
        }
        self.priorities(both);
        self.peers(both);
        if nearest {
            weight::compare(self, both);
        }
    }

    /// What must be, or should be, the same on all hosts.
    fn alike(&mut self, both: (Member<'_>, Member<'_>), ours: &BTreeSet<IpAddr>, theirs: &BTreeSet<IpAddr>) {
        let (a, b) = both;
        let (one, other) = (a.instance, b.instance);
        let vrid = one.vrid;
        if one.version != other.version {
            let message = format!("VRID {vrid} runs version {} here and version {} there", digit(other), digit(one));
            let help = "each would ignore the other, and both become master: write the same `version`";
            // Whatever else differs follows from it.
            return self.differ(Code::PairVersion, both, "version", message, help);
        }
        if one.interval != other.interval {
            let message =
                format!("VRID {vrid} has an interval of {} here and of {} there", other.interval, one.interval);
            let (code, help) = match one.version {
                Version::V2 => (
                    Code::PairInterval,
                    "adverts with another interval are dropped, and both become master: write the same `advert_int`",
                ),
                Version::V3 => {
                    (Code::PairIntervalV3, "each uses its own while it is master: write the same `advert_int`")
                }
            };
            self.differ(code, both, "advert_int", message, help);
        }
        if one.password != other.password {
            let message = match (&one.password, &other.password) {
                (Some(_), None) => format!("VRID {vrid} has a password there, and none here"),
                (None, Some(_)) => format!("VRID {vrid} has a password here, and none there"),
                _ => format!("VRID {vrid} has another password here than there"),
            };
            let keyword = if other.password.is_some() { "auth_pass" } else { "authentication" };
            let help = "each would drop the other's adverts, and both become master: write the same `authentication`";
            self.differ(Code::PairPassword, both, keyword, message, help);
        }
        if ours != theirs {
            let message = format!("VRID {vrid} has other addresses here than there: {}", difference(ours, theirs));
            let help = "the hosts must agree on every address: an address that only one has is lost when it fails";
            self.differ(Code::PairAddresses, both, "virtual_ipaddress", message, help);
        }
        if !a.has_peers() && !b.has_peers() && a.group() != b.group() {
            let message = format!("VRID {vrid} sends to the group {} here and to {} there", b.group(), a.group());
            let help = "neither hears the other, and both become master: write the same group in both files";
            self.differ(Code::PairGroup, both, "mcast_dst_ip", message, help);
        }
        if one.preempt != other.preempt && !one.priority.is_owner() && !other.priority.is_owner() {
            let message = format!("VRID {vrid} has `nopreempt` on one of its hosts only");
            let help = "then the other one still takes over when it returns: write it on both, or on neither";
            self.differ(Code::PairNopreempt, both, "nopreempt", message, help);
        }
    }

    fn priorities(&mut self, both: (Member<'_>, Member<'_>)) {
        let (one, other) = (both.0.instance, both.1.instance);
        if one.priority != other.priority {
            return;
        }
        let (vrid, priority) = (one.vrid, one.priority);
        let message = format!("VRID {vrid} has the priority {priority} on two hosts");
        let (code, help) = if priority.is_owner() {
            (
                Code::PairOwner,
                "only one host can own the addresses; both would be master: use at most 254 on the others",
            )
        } else {
            (Code::PairPriority, "the higher interface address would decide: give each host its own priority")
        };
        self.differ(code, both, "priority", message, help);
    }

    fn peers(&mut self, both: (Member<'_>, Member<'_>)) {
        let (a, b) = both;
        let vrid = a.instance.vrid;
        if a.has_peers() != b.has_peers() {
            let message = format!("VRID {vrid} is unicast on one of its hosts and multicast on another");
            let help = "neither hears the other, and both become master: write `unicast_peer` in both files";
            let keyword = if b.has_peers() { "unicast_peer" } else { "virtual_router_id" };
            return self.differ(Code::PairPeers, both, keyword, message, help);
        }
        for (from, to) in [(a, b), (b, a)].into_iter().filter(|(from, _)| from.has_peers()) {
            let Some(source) = to.instance.settings().unicast_src_ip else { continue };
            if !from.instance.settings().unicast_peer.iter().any(|peer| peer.address.value == source) {
                let message =
                    format!("VRID {vrid} does not have {} as a peer, whose address is {source}", to.host.name());
                let diagnostic = Diagnostic::new(Code::PairPeers, from.at("unicast_peer"), message)
                    .help(format!("add `{source}` to the `unicast_peer` block"));
                let finding = Finding::new(from.host.index, diagnostic);
                self.found.push(finding.and(to.host.index, to.at("unicast_src_ip"), "the address is given here"));
            }
        }
    }

    /// Groups with a common member, by VRID, must have all of them in common.
    fn sync_groups(&mut self, hosts: &[Host<'_>]) {
        let Some((first, others)) = hosts.split_first() else { return };
        for other in others {
            for (ours, theirs) in
                grouped(first).iter().flat_map(|a| grouped(other).into_iter().map(move |b| (a.clone(), b)))
            {
                if ours.1.is_disjoint(&theirs.1) || ours.1 == theirs.1 {
                    continue;
                }
                let (a, b) = (ours.0, theirs.0);
                let message = format!(
                    "the sync group `{}` has other virtual routers here than there: {}",
                    b.name.value,
                    difference(&ours.1, &theirs.1)
                );
                let help = "what fails together on one host must be taken over together by the other";
                let diagnostic = Diagnostic::new(Code::PairSyncGroup, b.name.span, message).help(help);
                let note = format!("the group in {}", first.name());
                self.found.push(Finding::new(other.index, diagnostic).and(first.index, a.name.span, note));
            }
            let (ours, theirs) = (members(first), members(other));
            let common: BTreeSet<String> = vrids(first).intersection(&vrids(other)).cloned().collect();
            for (grouping, lacking, set, missing) in [(first, other, &ours, &theirs), (other, first, &theirs, &ours)] {
                let Some(vrid) = common
                    .iter()
                    .find(|vrid| set.contains(*vrid) && missing.is_disjoint(&common) && !missing.contains(*vrid))
                else {
                    continue;
                };
                let message = format!("{vrid} is in a sync group here, and in none in {}", lacking.name());
                let help = "what fails together on one host must be taken over together by the other";
                let Some(group) = grouping.config.sync_groups.first() else { continue };
                let diagnostic = Diagnostic::new(Code::PairSyncGroup, group.name.span, message).help(help);
                self.found.push(Finding::new(grouping.index, diagnostic));
            }
        }
    }
}

type Group<'a> = (&'a Named<crate::config::model::SyncGroupSettings>, BTreeSet<String>);

/// The sync groups of a host with the VRIDs of their members, as text.
fn grouped<'a>(host: &Host<'a>) -> Vec<Group<'a>> {
    let named = |name: &str| host.config.instances.iter().find(|instance| instance.name == name);
    let groups = host.config.sync_groups.iter();
    groups
        .map(|group| {
            let members = group.settings.group.iter().filter_map(|member| named(&member.value));
            (group, members.map(|instance| format!("VRID {}", instance.vrid)).collect())
        })
        .collect()
}

fn members(host: &Host<'_>) -> BTreeSet<String> {
    grouped(host).into_iter().flat_map(|(_, members)| members).collect()
}

fn vrids(host: &Host<'_>) -> BTreeSet<String> {
    host.config.instances.iter().map(|instance| format!("VRID {}", instance.vrid)).collect()
}

fn digit(instance: &Instance) -> u8 {
    match instance.version {
        Version::V2 => 2,
        Version::V3 => 3,
    }
}

/// What only one of them has, at most three of each.
fn difference<T: Ord + ToString>(there: &BTreeSet<T>, here: &BTreeSet<T>) -> String {
    let listed = |what: &str, mut list: Vec<String>| {
        let more = list.len().saturating_sub(3);
        list.truncate(3);
        let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!list.is_empty()).then(|| format!("{}{tail} only {what}", list.join(", ")))
    };
    let ours = listed("here", here.difference(there).map(ToString::to_string).collect());
    let theirs = listed("there", there.difference(here).map(ToString::to_string).collect());
    ours.into_iter().chain(theirs).collect::<Vec<_>>().join("; ")
}
