//! What instances depend on: sync groups and trackers, from the configuration into the node.
//!
//! Each thing that is tracked, an interface or a named block, is one tracker of the node, whoever follows it. Knows which
//! lines name it and with which weight; the threads that look at it get its number.

use std::collections::HashMap;
use std::time::Instant;

use vrrp_core::node::{Follower, Node, RouterId, TrackerId};
use vrrp_core::track::{Influence, Status, Weight};

use super::StartError;
use crate::config::model::{InstanceSettings, Named, SyncGroupSettings, Track, WeightSetting};
use crate::config::{Code, Config, Diagnostic, Instance};
use crate::daemon::monitor::Links;
use crate::daemon::report::Tracked;

/// What the node was told of the configuration's trackers and groups.
#[derive(Default)]
pub(in crate::daemon) struct Policy {
    /// Names of the sync groups, by number.
    pub(in crate::daemon) groups: Vec<String>,
    /// Words for what is tracked, by number.
    pub(in crate::daemon) tracked: Vec<Tracked>,
    /// Interfaces that are tracked, for the monitor.
    pub(in crate::daemon) interfaces: Vec<(TrackerId, String)>,
    /// `vrrp_script` blocks that somebody follows, by name.
    pub(super) scripts: Vec<(TrackerId, String)>,
    /// `track_file` blocks.
    pub(super) files: Vec<(TrackerId, String)>,
    /// `vrrp_track_process` blocks.
    pub(super) processes: Vec<(TrackerId, String)>,
}

impl Policy {
    /// Tells `node`, whose routers are the instances in their order.
    pub(super) fn new(config: &Config, node: &mut Node<Instant>, links: &Links) -> Result<Self, StartError> {
        let mut policy = Self::default();
        let routers = config.instances.iter().map(|instance| instance.name.as_str()).zip(node.routers()).collect();
        let mut builder = Builder { config, node, routers, group_of: HashMap::new(), policy: &mut policy };
        builder.groups()?;
        builder.interfaces(links);
        let weights = config.scripts.iter().map(|block| (&block.name.value, block.settings.weight));
        builder.policy.scripts = builder.blocks(SCRIPTS, weights, "script", WeightSetting::default());
        let weights = config.files.iter().map(|block| (&block.name.value, block.settings.weight));
        builder.policy.files = builder.blocks(FILES, weights, "file", FILE_WEIGHT);
        let weights = config.processes.iter().map(|block| (&block.name.value, block.settings.weight));
        builder.policy.processes = builder.blocks(PROCESSES, weights, "process", WeightSetting::default());
        Ok(policy)
    }
}

/// A warning for each line that tracks an interface which does not exist: as long as it does not, it counts as down.
pub(super) fn missing(config: &Config, links: &Links) -> Vec<Diagnostic> {
    let of_instances = config.instances.iter().flat_map(|instance| own_lines(instance, INTERFACES));
    let of_groups = config.groups().flat_map(|group| (INTERFACES.of_group)(&group.settings));
    let absent = of_instances.chain(of_groups).filter(|track| links.by_name(&track.name.value).is_none());
    let warning = |track: &Track| {
        let message = format!("interface `{}` does not exist on this host: it counts as down", track.name.value);
        let here = links.names().join(", ");
        Diagnostic::new(Code::TrackedMissing, track.name.span, message)
            .label("no such interface yet")
            .help(format!("that ends when it is made; this host has: {here}"))
    };
    absent.map(warning).collect()
}

/// A kind of thing that can be tracked: where lines name it, and what becomes of a weight that does not count.
#[derive(Clone, Copy)]
struct Kind {
    of_instance: fn(&InstanceSettings) -> &[Track],
    of_group: fn(&SyncGroupSettings) -> &[Track],
    /// Where weights do not count, a failure is a fault; as opposed to nothing.
    else_fault: bool,
}

const INTERFACES: Kind = Kind {
    of_instance: |instance| &instance.track_interface,
    of_group: |group| &group.track_interface,
    else_fault: true,
};

const SCRIPTS: Kind =
    Kind { of_instance: |instance| &instance.track_script, of_group: |group| &group.track_script, else_fault: false };

const FILES: Kind =
    Kind { of_instance: |instance| &instance.track_file, of_group: |group| &group.track_file, else_fault: false };

const PROCESSES: Kind =
    Kind { of_instance: |instance| &instance.track_process, of_group: |group| &group.track_process, else_fault: false };

/// A file's number counts as it is.
const FILE_WEIGHT: WeightSetting = WeightSetting { weight: 1, reverse: false };

/// Who follows one thing: an instance's own line, or that of its group.
struct Line {
    router: RouterId,
    weight: Option<WeightSetting>,
    of_group: bool,
}

struct Builder<'c, 'p> {
    config: &'c Config,
    node: &'p mut Node<Instant>,
    routers: HashMap<&'c str, RouterId>,
    /// The sync group of an instance, by the instance's name.
    group_of: HashMap<&'c str, &'c Named<SyncGroupSettings>>,
    policy: &'p mut Policy,
}

impl<'c> Builder<'c, '_> {
    fn groups(&mut self) -> Result<(), StartError> {
        for group in self.config.groups() {
            let names = group.settings.group.iter().map(|member| member.value.as_str());
            let members: Vec<RouterId> = names.clone().filter_map(|name| self.routers.get(name).copied()).collect();
            let weights = group.settings.sync_group_tracking_weight;
            let (name, span) = (&group.name.value, group.name.span);
            let unexpected = |error| StartError::unfit(Code::Contradiction, name, span, &error);
            self.node.add_group(&members, weights).map_err(unexpected)?;
            self.policy.groups.push(group.name.value.clone());
            self.group_of.extend(names.map(|name| (name, group)));
        }
        Ok(())
    }

    fn interfaces(&mut self, links: &Links) {
        for (name, lines) in self.lines(INTERFACES) {
            let status = links.status(name);
            let words = Tracked { name: format!("interface {name}"), up: "is up", down: "is down" };
            let tracker = self.track(INTERFACES, &lines, WeightSetting::default(), status, words);
            self.policy.interfaces.push((tracker, name.to_owned()));
        }
    }

    /// Blocks of a kind, of which nothing is known yet; `weights` are their own, and `default` where they have none.
    fn blocks<'b>(
        &mut self,
        kind: Kind,
        weights: impl Iterator<Item = (&'b String, Option<WeightSetting>)>,
        what: &str,
        default: WeightSetting,
    ) -> Vec<(TrackerId, String)> {
        let weights: HashMap<&str, _> = weights.map(|(name, weight)| (name.as_str(), weight)).collect();
        let mut ids = Vec::new();
        for (name, lines) in self.lines(kind) {
            let own = weights.get(name).copied().flatten().unwrap_or(default);
            let words = Tracked { name: format!("{what} {name}"), up: "is well", down: "failed" };
            ids.push((self.track(kind, &lines, own, Status::Unknown, words), name.to_owned()));
        }
        ids
    }

    /// Everything of a kind that lines name, in the order in which they do, with who follows it.
    fn lines(&self, kind: Kind) -> Vec<(&'c str, Vec<Line>)> {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut all: Vec<(&'c str, Vec<Line>)> = Vec::new();
        let mut add = |track: &'c Track, router, of_group| {
            let name = track.name.value.as_str();
            let place = *places.entry(name).or_insert(all.len());
            if place == all.len() {
                all.push((name, Vec::new()));
            }
            all[place].1.push(Line { router, weight: track.weight, of_group });
        };
        for instance in &self.config.instances {
            let Some(router) = self.routers.get(instance.name.as_str()).copied() else { continue };
            for track in own_lines(instance, kind) {
                add(track, router, false);
            }
            let group = self.group_of.get(instance.name.as_str());
            for track in group.map_or(&[][..], |group| (kind.of_group)(&group.settings)) {
                add(track, router, true);
            }
        }
        all
    }

    /// One tracker for all `lines` that name a thing; `default` is its weight where a line has none.
    fn track(
        &mut self,
        kind: Kind,
        lines: &[Line],
        default: WeightSetting,
        status: Status,
        words: Tracked,
    ) -> TrackerId {
        let tracker = self.node.add_tracker(status);
        self.policy.tracked.push(words);
        for line in lines {
            let Some(influence) = self.influence(kind, line, default) else { continue };
            // An instance's own line is the more particular one.
            let own = |other: &Line| other.router == line.router && !other.of_group;
            let counts = |other: &Line| self.influence(kind, other, default).is_some();
            if line.of_group && lines.iter().any(|other| own(other) && counts(other)) {
                continue;
            }
            self.node.follow(Follower::Router(line.router), tracker, influence);
        }
        tracker
    }

    /// What a line makes of its router; `None` where that is nothing.
    fn influence(&self, kind: Kind, line: &Line, default: WeightSetting) -> Option<Influence> {
        let WeightSetting { weight, reverse } = line.weight.unwrap_or(default);
        let weight = Weight::new(weight).unwrap_or_default();
        if self.counts_weights(line.router) || weight.is_fault() {
            return Some(Influence { weight, reverse });
        }
        kind.else_fault.then_some(Influence { weight: Weight::FAULT, reverse })
    }

    fn counts_weights(&self, router: RouterId) -> bool {
        let instance = self.config.instances.get(router.index());
        let group = instance.and_then(|instance| self.group_of.get(instance.name.as_str()));
        group.is_none_or(|group| group.settings.sync_group_tracking_weight)
    }
}

fn own_lines(instance: &Instance, kind: Kind) -> &[Track] {
    instance.more.as_deref().map_or(&[], |settings| (kind.of_instance)(settings))
}

#[cfg(test)]
mod tests;
