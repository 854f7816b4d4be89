//! Whether the weights of what two hosts track do what they are for: a failure on the better host hands over, and a
//! failure on both leaves things as they were.

use super::{Finding, Member, Pair};
use crate::config::model::{Track, WeightSetting};
use crate::config::{Code, Config, Diagnostic, Spanned};

/// The priorities of a host while the tracked thing is well, and while it has failed.
#[derive(Clone, Copy)]
struct Levels {
    well: i32,
    failed: i32,
}

pub(super) fn compare(pair: &mut Pair, (a, b): (Member<'_>, Member<'_>)) {
    if a.instance.priority.is_owner() || b.instance.priority.is_owner() {
        return;
    }
    // The better one is who hands over.
    let (better, worse) = if a.instance.priority >= b.instance.priority { (a, b) } else { (b, a) };
    if better.instance.priority == worse.instance.priority {
        return;
    }
    let (own, other) = (better.instance.settings(), worse.instance.settings());
    let lists = [
        (&own.track_script, &other.track_script, Kind::Script),
        (&own.track_process, &other.track_process, Kind::Process),
        (&own.track_interface, &other.track_interface, Kind::Interface),
        (&own.track_bfd, &other.track_bfd, Kind::Bfd),
    ];
    for (ours, theirs, kind) in lists {
        for track in ours {
            let Some(levels) = levels(better, track, kind).filter(|_| counts_weights(better)) else { continue };
            let counterpart = theirs.iter().find(|other| other.name.value == track.name.value);
            let idle = i32::from(worse.instance.priority.get());
            // What the other host does not track has no state there; one without weight is out while it fails.
            let there = match counterpart {
                None => Some(Levels { well: idle, failed: idle }),
                Some(other) => self::levels(worse, other, kind),
            };
            let Some(there) = there else { continue };
            let name = &track.name.value;
            if levels.well <= there.well {
                // The order is turned round while all is well.
                let message = format!(
                    "while `{name}` is well on both hosts, {} is the master, whose priority is lower",
                    worse.host.name()
                );
                tell(
                    pair,
                    Code::PairWeightLarge,
                    (better, worse),
                    track,
                    counterpart,
                    message,
                    "give both hosts the same weight",
                );
            } else if levels.failed >= there.well {
                let message = format!(
                    "a failure of `{name}` does not hand over: the priority falls to {}, and the other host has {}",
                    levels.failed, there.well
                );
                let least = levels.well - there.well + 1;
                let help =
                    format!("a weight of more than {} either way does it: the priorities differ by so much", least - 1);
                tell(pair, Code::PairWeightSmall, (better, worse), track, counterpart, message, &help);
            } else if counterpart.is_some() && levels.failed <= there.failed {
                let message = format!(
                    "a failure of `{name}` on both hosts changes the master: their priorities fall to {} and {}",
                    levels.failed, there.failed
                );
                let help =
                    "that interrupts for nothing: give both hosts the same weight, and priorities that stay above 1";
                tell(pair, Code::PairWeightLarge, (better, worse), track, counterpart, message, help);
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Script,
    Process,
    Interface,
    Bfd,
}

fn tell(
    pair: &mut Pair,
    code: Code,
    (better, worse): (Member<'_>, Member<'_>),
    track: &Track,
    counterpart: Option<&Track>,
    message: String,
    help: &str,
) {
    let diagnostic = Diagnostic::new(code, track.name.span, message).help(help);
    let place = match counterpart {
        Some(other) => other.name.span,
        None => worse.at("priority"),
    };
    let note = format!("the same router in {}", worse.host.name());
    pair.found.push(Finding::new(better.host.index, diagnostic).and(worse.host.index, place, note));
}

/// `None` when a failure takes the router out whatever the priorities are.
fn levels(member: Member<'_>, track: &Track, kind: Kind) -> Option<Levels> {
    let WeightSetting { weight, reverse } = track.weight.or_else(|| default_of(member.host.config, track, kind))?;
    let base = i32::from(member.instance.priority.get());
    if weight != 0 && !counts_weights(member) {
        // An interface without its weight takes the router out; the others do nothing.
        return (!matches!(kind, Kind::Interface)).then_some(Levels { well: base, failed: base });
    }
    let weight = i32::from(if reverse { -weight } else { weight });
    let clamped = |level: i32| level.clamp(1, 254);
    match weight {
        0 => None,
        // A success adds, a failure takes away.
        1.. => Some(Levels { well: clamped(base + weight), failed: base }),
        _ => Some(Levels { well: base, failed: clamped(base + weight) }),
    }
}

/// Weights do not count in a sync group, unless it says so.
fn counts_weights(member: Member<'_>) -> bool {
    let is_member = |name: &Spanned<String>| name.value == member.instance.name;
    let group = member.host.config.groups().find(|group| group.settings.group.iter().any(is_member));
    group.is_none_or(|group| group.settings.sync_group_tracking_weight)
}

fn default_of(config: &Config, track: &Track, kind: Kind) -> Option<WeightSetting> {
    let name = &track.name.value;
    match kind {
        Kind::Script => config.scripts.iter().find(|block| block.name.value == *name)?.settings.weight,
        Kind::Process => config.processes.iter().find(|block| block.name.value == *name)?.settings.weight,
        Kind::Bfd => config.bfd.iter().find(|block| block.name.value == *name)?.settings.weight,
        Kind::Interface => None,
    }
}
