//! The scripts of each virtual router and group: a queue for each, one script at a time, in the order of events.
//!
//! A queue is bounded: when scripts cannot keep up, states that are over already are left out, and the log says so.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use vrrp_core::node::Condition;
use vrrp_netlink::process::{Poller, Token};

use super::What;
use crate::daemon::script::{Drains, Limits, Program, Report, Run};

/// How long a script may take before it is told to end, and then to obey.
const LIMITS: Limits = Limits { patience: Duration::from_secs(30), grace: Duration::from_secs(2) };
/// Scripts that wait in one queue at the most.
pub(super) const ROOM: usize = 64;

/// The queues of all targets.
pub(super) struct Queues {
    queues: Vec<Queue>,
    /// Output of what scripts have left behind.
    drains: Drains,
}

struct Queue {
    name: String,
    waiting: VecDeque<Task>,
    running: Option<Running>,
}

/// A script to run.
pub(super) struct Task {
    script: Program,
    facts: Vec<String>,
    what: What,
}

struct Running {
    run: Run,
    /// Of the descriptors that are waited for.
    tokens: Vec<Token>,
    program: String,
    farewell: bool,
}

impl Task {
    pub(super) fn new(script: Program, facts: Vec<String>, what: What) -> Self {
        Self { script, facts, what }
    }

    /// It belongs to the stop of its target.
    fn is_farewell(&self) -> bool {
        self.what == What::State(Condition::Stopped)
    }
}

impl Queues {
    pub(super) fn new(names: impl Iterator<Item = String>) -> Self {
        let queue = |name| Queue { name, waiting: VecDeque::new(), running: None };
        Self { queues: names.map(queue).collect(), drains: Drains::default() }
    }

    /// Queues the scripts of an event.
    pub(super) fn add(&mut self, at: usize, what: What, tasks: Vec<Task>) {
        let Some(queue) = self.queues.get_mut(at).filter(|_| !tasks.is_empty()) else { return };
        if queue.waiting.len() + tasks.len() > ROOM {
            queue.coalesce(what);
        }
        queue.waiting.extend(tasks);
        queue.start_next();
    }

    /// Takes in what the scripts say and how they end, and starts the next ones. `poller` is what was waited with.
    pub(super) fn advance(&mut self, poller: &Poller, now: Instant) {
        for queue in &mut self.queues {
            let Some(running) = &mut queue.running else { continue };
            let ready = running.tokens.iter().any(|token| poller.ready(*token));
            if !ready && running.run.deadline() > now {
                continue;
            }
            if let Some(report) = running.run.advance(now) {
                self.drains.add(running.run.drain());
                queue.ended(&report);
                queue.start_next();
            }
        }
        self.drains.advance(poller, now);
    }

    /// What to wait for.
    pub(super) fn listen(&mut self, poller: &mut Poller) {
        for running in self.queues.iter_mut().filter_map(|queue| queue.running.as_mut()) {
            running.tokens.clear();
            running.tokens.extend(running.run.descriptors().map(|descriptor| poller.add(descriptor)));
        }
        self.drains.listen(poller, Instant::now());
    }

    /// When to look again at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let running = self.queues.iter().filter_map(|queue| queue.running.as_ref());
        running.map(|running| running.run.deadline()).chain(self.drains.deadline()).min()
    }

    /// Ends what does not belong to the stop itself, so that what does can run.
    pub(super) fn cut_short(&mut self, now: Instant) {
        self.end(now, |farewell| !farewell);
    }

    /// Ends all scripts at once.
    pub(super) fn kill(&mut self, now: Instant) {
        self.end(now, |_| true);
    }

    pub(super) fn idle(&self) -> bool {
        self.queues.iter().all(|queue| queue.running.is_none() && queue.waiting.is_empty())
    }

    fn end(&mut self, now: Instant, which: impl Fn(bool) -> bool) {
        for queue in &mut self.queues {
            let name = &queue.name;
            queue.waiting.retain(|task| {
                if which(task.is_farewell()) {
                    tracing::warn!("({name}) {} was not run before the stop", task.script.path);
                }
                !which(task.is_farewell())
            });
            if let Some(running) = queue.running.as_mut().filter(|running| which(running.farewell)) {
                tracing::warn!("({name}) {} takes too long for a stop: killed", running.program);
                running.run.end(Signal::SIGKILL, now);
            }
        }
    }
}

impl Queue {
    /// Makes room for an event: leaves out whatever is over already, which is all but the newest state.
    fn coalesce(&mut self, coming: What) {
        let is_state = |task: &Task| matches!(task.what, What::State(_));
        // Of one event there are two scripts at the most, side by side.
        let newest = self.waiting.iter().rposition(is_state).map(|last| (last, self.waiting[last].what));
        let before = self.waiting.len();
        let mut at = 0;
        self.waiting.retain(|task| {
            let kept = !matches!(coming, What::State(_))
                && newest.is_some_and(|(last, what)| task.what == what && (at == last || at + 1 == last));
            at += 1;
            kept
        });
        let program = self.running.as_ref().map_or("a script", |running| &running.program);
        let left_out = before - self.waiting.len();
        tracing::warn!(
            "({}) {program} holds up {before} others: {left_out} of them are left out, their states are over already",
            self.name
        );
    }

    fn ended(&mut self, report: &Report) {
        let Some(running) = self.running.take() else { return };
        let (name, program) = (&self.name, &running.program);
        if report.success() {
            tracing::debug!("({name}) {program} {report}{}", report.output());
        } else {
            tracing::warn!("({name}) {program} {report}{}", report.output());
        }
    }

    fn start_next(&mut self) {
        while self.running.is_none() {
            let Some(task) = self.waiting.pop_front() else { return };
            let farewell = task.is_farewell();
            match task.script.start(&task.facts, LIMITS) {
                Ok(run) => {
                    self.running = Some(Running { run, tokens: Vec::new(), program: task.script.path, farewell });
                }
                Err(error) => tracing::error!("({}) cannot run {}: {error}", self.name, task.script.path),
            }
        }
    }
}
