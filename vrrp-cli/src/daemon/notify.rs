//! The notify thread: runs the operator's scripts, for each instance one after the other in the order of events.
//!
//! Scripts run without a shell, in their own process group, with a time limit. Knows nothing of the election.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use vrrp_core::node::Condition;
use vrrp_netlink::process::wait_readable;

use super::script::{Limits, Program, Report};

/// How long a script may take before it is told to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take to obey.
const GRACE: Duration = Duration::from_secs(2);
const LIMITS: Limits = Limits { patience: PATIENCE, grace: GRACE };
/// How long scripts that run when the daemon stops may still take, and then those of the stop itself.
const FAREWELL: Duration = Duration::from_secs(5);

/// A router changed its condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Event {
    /// Place of the instance in the configuration.
    pub(super) instance: usize,
    /// Its condition now.
    pub(super) condition: Condition,
    /// Its priority.
    pub(super) priority: u8,
}

/// The scripts of one instance.
#[derive(Clone, Default, Debug)]
pub(super) struct Scripts {
    pub(super) instance: String,
    pub(super) master: Option<Program>,
    pub(super) backup: Option<Program>,
    pub(super) fault: Option<Program>,
    pub(super) stop: Option<Program>,
    pub(super) generic: Option<Program>,
}

/// Runs scripts until every sender is gone and every script has ended, or the patience of a stop is over: at once, when
/// `hurry` says something.
pub(super) fn run(events: &Receiver<Event>, hurry: &Receiver<()>, scripts: &[Scripts]) {
    let (done, ended) = crossbeam_channel::unbounded();
    let mut notifier = Notifier { scripts, queues: scripts.iter().map(|_| Queue::default()).collect(), done };
    let mut phase = Phase::Running;
    let mut hurried = false;
    loop {
        let now = Instant::now();
        phase = match phase {
            Phase::Finishing(until) if until <= now => {
                notifier.cut_short();
                Phase::Farewell(now + FAREWELL)
            }
            Phase::Farewell(until) if until <= now => {
                notifier.kill();
                Phase::Killed(now + GRACE)
            }
            Phase::Killed(until) if until <= now => return,
            other => other,
        };
        if phase != Phase::Running && notifier.idle() {
            return;
        }
        let wait = phase.end().map_or(Duration::from_secs(3600), |at| at.saturating_duration_since(Instant::now()));
        let running = phase == Phase::Running;
        crossbeam_channel::select! {
            recv(ended) -> message => if let Ok(Ended { instance, report }) = message {
                notifier.ended(instance, &report);
            },
            recv(if running { events.clone() } else { crossbeam_channel::never() }) -> message => match message {
                Ok(event) => notifier.event(event),
                Err(_) => phase = Phase::Finishing(Instant::now() + FAREWELL),
            },
            recv(if hurried { crossbeam_channel::never() } else { hurry.clone() }) -> message => {
                hurried = true;
                // Its sender may well go first.
                if message.is_ok() {
                    phase = Phase::Farewell(Instant::now());
                }
            },
            default(wait) => {}
        }
    }
}

/// Where in its life the thread is; each but the first ends at an instant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// The daemon stops: scripts that run may end.
    Finishing(Instant),
    /// Only the scripts of the stop itself may still run.
    Farewell(Instant),
    /// Everything was killed and is waited for.
    Killed(Instant),
}

impl Phase {
    fn end(self) -> Option<Instant> {
        match self {
            Self::Running => None,
            Self::Finishing(until) | Self::Farewell(until) | Self::Killed(until) => Some(until),
        }
    }
}

struct Notifier<'s> {
    scripts: &'s [Scripts],
    queues: Vec<Queue>,
    done: Sender<Ended>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Task>,
    running: Option<Running>,
}

struct Task {
    script: Program,
    facts: Vec<String>,
    /// It belongs to the stop of its instance.
    farewell: bool,
}

struct Running {
    farewell: bool,
    group: Pid,
    program: String,
}

struct Ended {
    instance: usize,
    report: Report,
}

impl Notifier<'_> {
    fn event(&mut self, event: Event) {
        let (Some(scripts), Some(queue)) = (self.scripts.get(event.instance), self.queues.get_mut(event.instance))
        else {
            return;
        };
        let farewell = event.condition == Condition::Stopped;
        let specific = match event.condition {
            Condition::Master => &scripts.master,
            Condition::Backup => &scripts.backup,
            Condition::Fault => &scripts.fault,
            Condition::Stopped => &scripts.stop,
        };
        if let Some(script) = specific {
            queue.waiting.push_back(Task { script: script.clone(), facts: Vec::new(), farewell });
        }
        if let Some(script) = &scripts.generic {
            let facts = ["INSTANCE", &scripts.instance, &event.condition.to_string(), &event.priority.to_string()];
            let facts = facts.map(str::to_owned).to_vec();
            queue.waiting.push_back(Task { script: script.clone(), facts, farewell });
        }
        self.start_next(event.instance);
    }

    fn ended(&mut self, instance: usize, report: &Report) {
        let Some(running) = self.queues.get_mut(instance).and_then(|queue| queue.running.take()) else { return };
        let (name, program) = (&self.scripts[instance].instance, &running.program);
        if report.success() {
            tracing::debug!("({name}) {program} {report}{}", report.output());
        } else {
            tracing::warn!("({name}) {program} {report}{}", report.output());
        }
        self.start_next(instance);
    }

    fn start_next(&mut self, instance: usize) {
        while let Some(queue) = self.queues.get_mut(instance) {
            if queue.running.is_some() {
                return;
            }
            let Some(task) = queue.waiting.pop_front() else { return };
            match start(&task, instance, self.done.clone()) {
                Ok(running) => queue.running = Some(running),
                Err(error) => {
                    let name = &self.scripts[instance].instance;
                    tracing::error!("({name}) cannot run {}: {error}", task.script.path);
                }
            }
        }
    }

    /// Ends what does not belong to the stop itself, so that what does can run.
    fn cut_short(&mut self) {
        self.end(|farewell| !farewell);
    }

    /// Ends all scripts at once.
    fn kill(&mut self) {
        self.end(|_| true);
    }

    fn end(&mut self, which: impl Fn(bool) -> bool) {
        for (queue, scripts) in self.queues.iter_mut().zip(self.scripts) {
            let name = &scripts.instance;
            queue.waiting.retain(|task| {
                if which(task.farewell) {
                    tracing::warn!("({name}) {} was not run before the stop", task.script.path);
                }
                !which(task.farewell)
            });
            if let Some(running) = queue.running.as_ref().filter(|running| which(running.farewell)) {
                tracing::warn!("({name}) {} takes too long for a stop: killed", running.program);
                // It fails when the group has just ended, which is what was wanted.
                let _ = killpg(running.group, Signal::SIGKILL);
            }
        }
    }

    fn idle(&self) -> bool {
        self.queues.iter().all(|queue| queue.running.is_none() && queue.waiting.is_empty())
    }
}

/// Starts a script, and a thread that waits for its end.
fn start(task: &Task, instance: usize, done: Sender<Ended>) -> std::io::Result<Running> {
    let Task { script, facts, farewell } = task;
    let run = script.start(facts, LIMITS)?;
    let group = run.group();
    std::thread::Builder::new().name("script".into()).spawn(move || {
        let (report, drain) = run.finish();
        // It fails when the daemon no longer waits.
        let _ = done.send(Ended { instance, report });
        let Some(mut drain) = drain else { return };
        while wait_readable(&drain, None).is_ok() && drain.advance() {}
    })?;
    Ok(Running { farewell: *farewell, group, program: script.path.clone() })
}

#[cfg(test)]
mod tests;
