//! The thread of scripts and built-in checks: when each is run, what its results make of its status.
//!
//! One thread for all of them, which waits for nothing but its descriptors. Runs are at a fixed rate and never overlap;
//! the first ones are spread out. Knows nothing of routers and priorities.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use vrrp_core::rise_fall::RiseFall;
use vrrp_core::track::Status;
use vrrp_netlink::process::{Poller, Token, Wakeup};

use super::probe::{self, Prober, Target, Verdict};
use crate::daemon::script::{Drains, Limits, Program, Run};
use crate::daemon::throttle::Throttle;

/// From being told to end until being killed.
const GRACE: Duration = Duration::from_secs(2);
/// The same when the daemon stops, and from then until nobody waits any more.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long ending what runs takes at most.
pub(super) const LONGEST_END: Duration = FAREWELL.saturating_mul(2);
/// The first runs of all checks begin at least so far apart, unless the interval is too short for that.
const SPREAD: Duration = Duration::from_millis(20);
/// Nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

/// A `vrrp_script`.
#[derive(Clone, Debug)]
pub(in crate::daemon) struct Check {
    pub(in crate::daemon) name: String,
    pub(in crate::daemon) what: What,
    pub(in crate::daemon) interval: Duration,
    pub(in crate::daemon) timeout: Duration,
    pub(in crate::daemon) rise: NonZeroU32,
    pub(in crate::daemon) fall: NonZeroU32,
    /// It counts as failed until it went well.
    pub(in crate::daemon) init_fail: bool,
}

/// What is done at each run.
#[derive(Clone, Debug)]
pub(in crate::daemon) enum What {
    Script(Program),
    Probe(Target),
}

/// Runs the checks until `stop` is woken; then ends what runs. `tell` hears each change of a status, by the check's place.
pub(in crate::daemon) fn run(checks: Vec<Check>, stop: &Wakeup, mut tell: impl FnMut(usize, Status)) {
    let now = Instant::now();
    let count = u32::try_from(checks.len()).unwrap_or(u32::MAX).max(1);
    let mut schedule = Schedule {
        entries: checks.into_iter().zip(0..).map(|(check, place)| Entry::new(check, place, count, now)).collect(),
        drains: Drains::default(),
        prober: Prober::default(),
        skips: Throttle::new(),
    };
    let mut poller = Poller::new();
    loop {
        let now = Instant::now();
        for place in 0..schedule.entries.len() {
            if let Some(good) = schedule.turn(place, now) {
                tell(place, if good { Status::Up } else { Status::Down });
            }
        }
        poller.clear();
        let stopping = poller.add(stop);
        schedule.watch(&mut poller);
        let wait = schedule.next().map_or(IDLE, |at| at.saturating_duration_since(Instant::now()));
        if let Err(error) = poller.wait(Some(wait)) {
            tracing::warn!("{error}");
            std::thread::sleep(SPREAD);
        }
        if poller.ready(stopping) {
            break;
        }
        schedule.look(&poller);
    }
    schedule.end();
}

struct Schedule {
    entries: Vec<Entry>,
    drains: Drains,
    prober: Prober,
    skips: Throttle<usize>,
}

struct Entry {
    check: Check,
    next: Instant,
    running: Option<Running>,
    status: RiseFall,
    /// Of its descriptors in the poller, the first and how many.
    tokens: (usize, usize),
    /// One of them has something.
    ready: bool,
}

enum Running {
    /// A script, and whether its time-out was counted already.
    Script(Run, bool),
    Probe(probe::Running),
}

impl Entry {
    fn new(check: Check, place: u32, count: u32, now: Instant) -> Self {
        let spread = (check.interval / count).min(SPREAD) * place;
        let status = if check.init_fail {
            RiseFall::failed(check.rise, check.fall)
        } else {
            RiseFall::new(check.rise, check.fall)
        };
        Self { next: now + spread, running: None, status, tokens: (0, 0), ready: false, check }
    }

    /// The run after this one, at the fixed rate; those that were missed are left out.
    fn advance_schedule(&mut self, now: Instant) {
        let behind = now.saturating_duration_since(self.next).as_nanos();
        let missed = u32::try_from(behind / self.check.interval.as_nanos().max(1)).unwrap_or(u32::MAX);
        self.next = self.check.interval.checked_mul(missed.saturating_add(1)).map_or(now + IDLE, |by| self.next + by);
    }

    fn deadline(&self) -> Instant {
        match &self.running {
            None => self.next,
            Some(Running::Script(run, _)) => self.next.min(run.deadline()),
            Some(Running::Probe(probe)) => self.next.min(probe.deadline()),
        }
    }

    /// Takes in a result, and logs what it changes.
    fn observe(&mut self, verdict: &Verdict) -> Option<bool> {
        let Check { name, .. } = &self.check;
        let changed = self.status.observe(verdict.good);
        match changed {
            Some(true) => tracing::info!("`{name}` is well: {}", verdict.detail),
            Some(false) => tracing::warn!("`{name}` failed: {}", verdict.detail),
            None if verdict.good => tracing::debug!("`{name}`: {}", verdict.detail),
            None => {
                let (against, needed) = self.status.against();
                tracing::debug!("`{name}`: {} ({against} of {needed})", verdict.detail);
            }
        }
        changed
    }
}

impl Schedule {
    /// Whatever there is to do for one check now; its new status, when that changes.
    fn turn(&mut self, place: usize, now: Instant) -> Option<bool> {
        let entry = self.entries.get_mut(place)?;
        if !entry.ready && entry.deadline() > now {
            return None;
        }
        entry.ready = false;
        let mut changed = None;
        if let Some(verdict) = self.finished(place, now) {
            changed = self.entries.get_mut(place)?.observe(&verdict);
        }
        let entry = self.entries.get_mut(place)?;
        if entry.next > now {
            return changed;
        }
        entry.advance_schedule(now);
        let verdict = if let Some(running) = &entry.running {
            if let Some(held_back) = self.skips.tell(place, now) {
                let again = if held_back == 0 { String::new() } else { format!(" ({held_back} more before)") };
                tracing::warn!("`{}` still runs: this run is left out{again}", entry.check.name);
            }
            // What cannot be ended, on a file server that does not answer, say, would otherwise count only once.
            matches!(running, Running::Script(_, true))
                .then(|| Verdict { good: false, detail: "it cannot be ended, and still runs".into() })
        } else {
            self.start(place, now)
        };
        let later = verdict.and_then(|verdict| self.entries.get_mut(place)?.observe(&verdict));
        later.or(changed)
    }

    /// Starts a run; its result, when that is known at once.
    fn start(&mut self, place: usize, now: Instant) -> Option<Verdict> {
        let entry = self.entries.get_mut(place)?;
        let Check { what, timeout, .. } = &entry.check;
        match what {
            What::Script(program) => match program.start(&[], Limits { patience: *timeout, grace: GRACE }) {
                Ok(run) => {
                    entry.running = Some(Running::Script(run, false));
                    None
                }
                Err(error) => {
                    Some(Verdict { good: false, detail: format!("`{}` cannot be run: {error}", program.path) })
                }
            },
            What::Probe(target) => match self.prober.start(place, target, now + *timeout) {
                Ok(probe) => {
                    entry.running = Some(Running::Probe(probe));
                    None
                }
                Err(verdict) => Some(verdict),
            },
        }
    }

    /// The result of a run that ended, or whose time is up.
    fn finished(&mut self, place: usize, now: Instant) -> Option<Verdict> {
        let entry = self.entries.get_mut(place)?;
        match entry.running.as_mut()? {
            Running::Script(run, counted) => {
                if let Some(report) = run.advance(now) {
                    let counted = *counted;
                    self.drains.add(run.drain());
                    entry.running = None;
                    let detail = format!("{report}{}", report.output());
                    return (!counted).then(|| Verdict { good: report.success(), detail });
                }
                if run.timed_out() && !*counted {
                    *counted = true;
                    let limit = entry.check.timeout;
                    let detail = format!("it takes longer than {limit:?}{}", run.so_far().output());
                    return Some(Verdict { good: false, detail });
                }
                None
            }
            Running::Probe(probe) => {
                let verdict = self.prober.advance(place, probe, now)?;
                entry.running = None;
                Some(verdict)
            }
        }
    }

    fn watch(&mut self, poller: &mut Poller) {
        let mut next = 1;
        for entry in &mut self.entries {
            let first = next;
            match &entry.running {
                None => {}
                Some(Running::Script(run, _)) => {
                    for descriptor in run.descriptors() {
                        next = poller.add(descriptor).0 + 1;
                    }
                }
                Some(Running::Probe(probe)) => next = probe.watch(poller).map_or(next, |Token(last)| last + 1),
            }
            entry.tokens = (first, next);
        }
        self.drains.listen(poller, Instant::now());
        if let Some(answers) = self.prober.answers() {
            poller.add(answers);
        }
    }

    fn look(&mut self, poller: &Poller) {
        let answered = self.prober.collect();
        self.drains.advance(poller, Instant::now());
        for (place, entry) in self.entries.iter_mut().enumerate() {
            let (first, end) = entry.tokens;
            entry.ready = (first..end).any(|token| poller.ready(Token(token))) || answered.contains(&place);
        }
    }

    fn next(&self) -> Option<Instant> {
        self.entries.iter().map(Entry::deadline).chain(self.drains.deadline()).min()
    }

    /// Ends what runs: it is asked to, killed unless it does, and not waited for any longer after that.
    fn end(&mut self) {
        let asked = Instant::now();
        for entry in &mut self.entries {
            if let Some(Running::Script(run, _)) = &mut entry.running {
                run.terminate(asked, FAREWELL);
            } else {
                entry.running = None;
            }
        }
        let mut poller = Poller::new();
        loop {
            let now = Instant::now();
            for entry in &mut self.entries {
                if let Some(Running::Script(run, _)) = &mut entry.running
                    && run.advance(now).is_some()
                {
                    entry.running = None;
                }
            }
            let waits = self.entries.iter().any(|entry| entry.running.is_some());
            if !waits || now >= asked + LONGEST_END {
                return;
            }
            poller.clear();
            self.watch(&mut poller);
            let until = self.entries.iter().filter_map(|entry| match &entry.running {
                Some(Running::Script(run, _)) => Some(run.deadline()),
                _ => None,
            });
            let until = until.min().unwrap_or(now).min(asked + LONGEST_END);
            if poller.wait(Some(until.saturating_duration_since(now))).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
