//! The configured routing rules of a router as the kernel's.
//!
//! Knows neither orders nor elections.

use std::time::Instant;

use vrrp_netlink::addresses::Change;
use vrrp_netlink::rtnl::Rtnl;
use vrrp_netlink::rules::Rule;

use super::fights::{self, Fights};
use super::table::{Entries, Lacking};

/// A rule as it is installed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::daemon) struct Ruled {
    pub(in crate::daemon) rule: Rule,
    /// It is put back when somebody removes it.
    pub(in crate::daemon) tracked: bool,
    /// The group that fails without it; only of what the host has whoever is Master.
    pub(in crate::daemon) group: Option<usize>,
    /// Where it is written.
    pub(in crate::daemon) line: Box<str>,
}

/// Adds rules for `who`; what was not there before is what somebody removed, when it is a `repair`.
pub(super) fn add(rtnl: &mut Rtnl, who: &str, entries: &Entries, mut repair: Option<&mut Fights>) -> Lacking {
    let (mut lacking, now) = (Lacking::default(), Instant::now());
    let wanted = entries.rules.iter().filter(|ruled| match &repair {
        None => true,
        Some(fights) => ruled.tracked && !fights.hold_off(|| (&ruled.rule).into(), now),
    });
    let wanted: Vec<&Ruled> = wanted.collect();
    if wanted.is_empty() {
        return lacking;
    }
    let rules: Vec<Rule> = wanted.iter().map(|ruled| ruled.rule.clone()).collect();
    for (ruled, result) in wanted.into_iter().zip(rtnl.add_rules(&rules)) {
        match result {
            Ok(Change::Done) => {
                if let Some(fights) = &mut repair {
                    fights::tell(who, words(&ruled.rule), fights.put_back((&ruled.rule).into(), now));
                }
            }
            Ok(Change::AlreadySo) => {}
            Err(error) => {
                lacking.refused(ruled.group);
                tracing::error!("({who}) {} ({}): {error}", words(&ruled.rule), ruled.line);
            }
        }
    }
    lacking
}

/// The rules of `entries`, the last first.
pub(super) fn removable(entries: &Entries) -> Vec<Rule> {
    entries.rules.iter().rev().map(|ruled| ruled.rule.clone()).collect()
}

/// Removes rules; those that are still there.
pub(super) fn remove(rtnl: &mut Rtnl, rules: Vec<Rule>) -> Vec<Rule> {
    if rules.is_empty() {
        return rules;
    }
    let results = rtnl.remove_rules(&rules);
    let mut left = Vec::new();
    for (rule, result) in rules.into_iter().zip(results) {
        if let Err(error) = result {
            tracing::error!("{} is still on this host: {error}", words(&rule));
            left.push(rule);
        }
    }
    left
}

pub(super) fn words(rule: &Rule) -> String {
    format!("the routing rule of priority {}", rule.priority.unwrap_or(0))
}
