//! A small language of lines for what happens on a LAN and what is expected of it; its runs are text that can be compared.
//!
//! Knows words and times; what they mean is [`Lan`]'s. `#` begins a comment. Times and spans have a unit: `5s`, `8.7s`,
//! `120ms`, `100us`. The lines, in any order; those of one time happen in the order of the lines:
//!
//! ```text
//! seed N                                  what is left to chance; 1 by default
//! detail changes | adverts | frames       how much is written down
//! router NAME [priority N | owner] [v2 | v3] [interval SPAN] [ipv6] [nopreempt] [preempt-delay SPAN] [adverts N] [silent]
//!             [vrid N] [address A] [vip A[,A...]] [password TEXT] [kernel SPAN] [backlog N]
//!             [handover immediate | announced | first-advert] [tracks WEIGHT] [startup-delay SPAN] [stopped]
//! lan [delay SPAN] [jitter SPAN] [loss P%] [duplicate P%] [reorder P%] [hold SPAN]
//! at TIME start | stop | crash | power-off NAME
//! at TIME stall NAME for SPAN
//! at TIME link NAME up | down
//! at TIME partition NAME... | NAME...     names that are not given stay with the first; `client` is a name
//! at TIME heal
//! at TIME set NAME [priority N | owner] [interval SPAN] [preempt | nopreempt] [preempt-delay SPAN]
//! at TIME lan ...                         as above; what is not given is as by default
//! at TIME lan to NAME ... | as-for-all
//! at TIME kernel NAME refuses | obeys
//! at TIME firewall NAME drops | passes    adverts, before the sockets of the process
//! at TIME maintenance NAME on | off
//! at TIME track NAME up | down            what it `tracks`
//! expect NAME master | backup | initialize | dead | holding | bare WHEN
//! expect client nobody | NAME WHEN        whom it reaches by the first address of the first router
//! expect masters N WHEN
//! run until TIME                          or until the last expectation, if that is later
//! ```
//!
//! `adverts` is how many must be missed; who is `silent` answers no losing advert and yields without a word. WHEN is `at TIME` or `by TIME` (true then), `after TIME by TIME` (false at the first, true at the second), or `from TIME to
//! TIME` (true all the time, the second excluded). Routers that are not `stopped` start at 0. A run has met its expectations if each of them
//! holds and no [invariant](super::invariants) is violated.
//!
//! ```
//! use vrrp_core::sim::scenario::Scenario;
//! let scenario: Scenario = "
//!     router r1 priority 150
//!     router r2 priority 100
//!     at 10s power-off r1
//!     expect r1 master from 4s to 10s
//!     expect r2 master after 12.6s by 13.7s
//!     run until 20s
//! ".parse()?;
//! let outcome = scenario.run();
//! assert!(outcome.is_met(), "{}", outcome.transcript);
//! assert_eq!(outcome, scenario.run());
//! # Ok::<(), vrrp_core::sim::scenario::ScenarioError>(())
//! ```

use core::fmt::{self, Write};
use core::net::IpAddr;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::{Action, Detail, HostId, HostSetup, Lan, Time};
use crate::fsm::Role;

mod parse;

/// A scenario that can be run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scenario {
    seed: u64,
    detail: Detail,
    hosts: Vec<HostSetup>,
    actions: Vec<(Time, Action)>,
    expectations: Vec<Expectation>,
    end: Time,
}

/// A line that could not be understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScenarioError {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl core::error::Error for ScenarioError {}

/// How a run went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Everything that happened, and what became of the expectations.
    pub transcript: String,
    /// The expectations that were not met, and how many invariants were violated.
    pub failures: Vec<String>,
}

impl Outcome {
    /// Whether everything was as expected.
    pub fn is_met(&self) -> bool {
        self.failures.is_empty()
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Expectation {
    /// Its line, for the transcript.
    text: String,
    claim: Claim,
    when: When,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Claim {
    Role(HostId, Role),
    Dead(HostId),
    Holding(HostId, IpAddr, bool),
    Client(IpAddr, Option<HostId>),
    Masters(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum When {
    At(Time),
    Between(Time, Time),
    Throughout(Time, Time),
}

impl Scenario {
    /// The same with another seed.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Runs it from the start.
    pub fn run(&self) -> Outcome {
        let mut run = Run::new(self);
        let mut moments: Vec<Time> =
            self.expectations.iter().flat_map(|expectation| expectation.when.moments()).collect();
        moments.push(self.end);
        moments.sort_unstable();
        moments.dedup();
        for moment in moments {
            run.until(moment, &self.expectations);
        }
        run.finish()
    }
}

impl When {
    fn moments(self) -> impl Iterator<Item = Time> {
        let (first, second) = match self {
            Self::At(at) => (at, None),
            Self::Between(first, second) | Self::Throughout(first, second) => (first, Some(second)),
        };
        core::iter::once(first).chain(second)
    }
}

struct Run {
    lan: Lan,
    text: String,
    written: usize,
    failures: Vec<String>,
    /// Expectations of a whole span that failed already.
    failed: Vec<bool>,
}

impl Run {
    fn new(scenario: &Scenario) -> Self {
        let mut lan = Lan::new(scenario.seed);
        lan.set_detail(scenario.detail);
        let mut failures = Vec::new();
        for setup in &scenario.hosts {
            if let Err(error) = lan.add(setup.clone()) {
                failures.push(format!("{}: {error}", setup.name));
            }
        }
        for (at, action) in &scenario.actions {
            lan.at(*at, action.clone());
        }
        let failed = scenario.expectations.iter().map(|_| false).collect();
        Self { lan, text: String::new(), written: 0, failures, failed }
    }

    fn until(&mut self, moment: Time, expectations: &[Expectation]) {
        while self.lan.turn(moment) {
            self.watch(expectations);
        }
        self.lan.run_until(moment);
        self.flush();
        for (place, expectation) in expectations.iter().enumerate() {
            let found = self.found(expectation.claim);
            let outcome = match expectation.when {
                When::At(at) | When::Between(_, at) if at == moment => Some(found),
                When::Between(at, _) if at == moment && found.is_none() => Some(Some("true too early".into())),
                When::Throughout(from, _) if from == moment && found.is_some() => {
                    self.failed[place] = true;
                    Some(found)
                }
                When::Throughout(_, to) if to == moment && !self.failed[place] => Some(None),
                When::At(_) | When::Between(..) | When::Throughout(..) => None,
            };
            if let Some(outcome) = outcome {
                self.tell(expectation, outcome);
            }
        }
    }

    /// What is expected of a whole span, after one turn.
    fn watch(&mut self, expectations: &[Expectation]) {
        let now = self.lan.now();
        for (place, expectation) in expectations.iter().enumerate() {
            let When::Throughout(from, to) = expectation.when else { continue };
            if now <= from || now >= to || self.failed[place] {
                continue;
            }
            if let Some(found) = self.found(expectation.claim) {
                self.failed[place] = true;
                self.flush();
                self.tell(expectation, Some(found));
            }
        }
    }

    /// What is there instead; `None` if it is as claimed.
    fn found(&self, claim: Claim) -> Option<String> {
        let name = |host: Option<HostId>| host.map_or("nobody", |host| self.lan.name(host));
        match claim {
            Claim::Role(host, role) => match self.role(host) {
                Some(found) if found == role => None,
                Some(found) => Some(format!("it is {found:?}")),
                None => Some("it is dead".into()),
            },
            Claim::Dead(host) => self.role(host).map(|role| format!("it is {role:?}")),
            Claim::Holding(host, address, wanted) => {
                let holds = self.lan.holders(address).contains(&host);
                (holds != wanted).then(|| if holds { "it has the address".into() } else { "it has it not".into() })
            }
            Claim::Client(address, host) => {
                let found = self.lan.client_reaches(address);
                (found != host).then(|| format!("it reaches {}", name(found)))
            }
            Claim::Masters(count) => {
                let found = self.lan.masters();
                let names: Vec<&str> = found.iter().map(|host| self.lan.name(*host)).collect();
                (found.len() != count).then(|| format!("masters are: {}", names.join(", ")))
            }
        }
    }

    fn role(&self, host: HostId) -> Option<Role> {
        let node = self.lan.node(host)?;
        node.router(node.routers().next()?).map(|router| router.machine().state.role())
    }

    fn tell(&mut self, expectation: &Expectation, found: Option<String>) {
        let verdict = found.map_or_else(|| "met".into(), |found| format!("NOT MET, {found}"));
        let line = format!("{:>14} {}: {verdict}", self.lan.now().to_string(), expectation.text);
        if verdict != "met" {
            self.failures.push(line.trim_start().into());
        }
        self.text.push_str(&line);
        self.text.push('\n');
    }

    fn flush(&mut self) {
        for entry in self.lan.entries().iter().skip(self.written) {
            // A String takes everything.
            let _ = writeln!(self.text, "{}", self.lan.line(entry));
        }
        self.written = self.lan.entries().len();
    }

    fn finish(mut self) -> Outcome {
        if !self.lan.violations().is_empty() {
            self.failures.push(format!("invariants violated: {}", self.lan.violations().len()));
        }
        Outcome { transcript: self.text, failures: self.failures }
    }
}

#[cfg(test)]
mod tests;
