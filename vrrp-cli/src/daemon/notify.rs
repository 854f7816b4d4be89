//! The notify thread: tells the operator's scripts, named pipes and mailboxes what happens, in the order of events.
//!
//! For each event: the script of the state, the generic one, a line to the pipes, a mail. Scripts of one virtual router or
//! group run one after the other; nothing here waits for a script, a reader or a mail server, so that none of them holds
//! up another. What cannot be told is said in the log. Knows nothing of the election.

mod fifo;
mod plan;
mod scripts;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use vrrp_core::node::Condition;
use vrrp_netlink::process::{Poller, Wakeup};

use super::mail::{Letter, Mail, News};
use fifo::Pipe;
use plan::Target;
use scripts::{Queues, Task};

pub(super) use plan::Plan;

/// How long what runs when the daemon stops may still take, and then the scripts of the stop itself.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long what was killed is waited for.
const GRACE: Duration = Duration::from_secs(2);
/// How long the thread takes at most, once nothing happens any more.
pub(super) const LONGEST_END: Duration = FAREWELL.saturating_mul(2).saturating_add(GRACE);

/// Something happened to a virtual router or a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Event {
    pub(super) subject: Subject,
    pub(super) what: What,
    /// Of a virtual router; 0 of a group.
    pub(super) priority: u8,
    /// What led to it, for whoever reads mail; may be empty.
    pub(super) why: String,
    pub(super) at: SystemTime,
}

/// Whom an event is about, by its place in the configuration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Subject {
    Instance(usize),
    Group(usize),
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// It is in this condition now.
    State(Condition),
    /// Its priority is another one, in this condition.
    Priority(Condition),
    /// As Master it heard a weaker one.
    LowerPriority,
}

impl What {
    /// The word for pipes and scripts.
    fn word(self) -> &'static str {
        match self {
            Self::State(Condition::Master) => "MASTER",
            Self::State(Condition::Backup) => "BACKUP",
            Self::State(Condition::Fault) => "FAULT",
            Self::State(Condition::Stopped) => "STOP",
            Self::Priority(Condition::Master) => "MASTER_PRIORITY",
            Self::Priority(_) => "BACKUP_PRIORITY",
            Self::LowerPriority => "MASTER_RX_LOWER_PRI",
        }
    }
}

/// A way to the notify thread that never blocks. When the last one is dropped, the thread comes to its end.
#[derive(Clone)]
pub(super) struct ToNotify {
    sender: Option<Sender<Event>>,
    wakeup: Wakeup,
}

impl ToNotify {
    pub(super) fn send(&self, event: Event) {
        if let Some(sender) = &self.sender {
            // It fails only when the notify thread is gone, which was reported.
            let _ = sender.send(event);
            self.wakeup.wake();
        }
    }
}

impl Drop for ToNotify {
    fn drop(&mut self) {
        self.sender = None;
        self.wakeup.wake();
    }
}

/// Tells the notify thread that nobody wants to wait for it any longer.
#[derive(Clone)]
pub(super) struct Hurry {
    asked: Arc<AtomicBool>,
    wakeup: Wakeup,
}

impl Hurry {
    pub(super) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        self.wakeup.wake();
    }
}

/// The notify thread before it runs.
pub(super) struct Notifier {
    targets: Vec<Target>,
    /// The first of the targets that is a group.
    groups: usize,
    router_id: String,
    no_faults: bool,
    queues: Queues,
    pipes: Vec<Pipe>,
    mail: Option<Mail>,
    /// By target: what was told last.
    told: Vec<Option<Condition>>,
    /// By target: what was mailed last. Everybody starts as a backup, of which there is nothing to say.
    mailed: Vec<Condition>,
    events: Receiver<Event>,
    hurry: Hurry,
}

impl Notifier {
    /// With the pipes of the plan, which were made before.
    pub(super) fn new(plan: Plan) -> Result<(Self, ToNotify, Hurry), super::ServeError> {
        let Plan { instances, groups, fifos: _, pipes, post, router_id, no_faults } = plan;
        let wakeup = Wakeup::new()?;
        let (sender, events) = crossbeam_channel::unbounded();
        let hurry = Hurry { asked: Arc::new(AtomicBool::new(false)), wakeup: wakeup.clone() };
        let mail = post.map(|post| Mail::start(post, wakeup.clone())).transpose().map_err(super::ServeError::Thread)?;
        let first_group = instances.len();
        let targets: Vec<Target> = instances.into_iter().chain(groups).collect();
        let notifier = Self {
            queues: Queues::new(targets.iter().map(|target| target.name.clone())),
            told: vec![None; targets.len()],
            mailed: vec![Condition::Backup; targets.len()],
            groups: first_group,
            targets,
            router_id,
            no_faults,
            pipes,
            mail,
            events,
            hurry: hurry.clone(),
        };
        Ok((notifier, ToNotify { sender: Some(sender), wakeup }, hurry))
    }

    /// Runs until every sender is gone and everybody was told, or the patience of a stop is over: at once, when somebody
    /// is in a hurry.
    pub(super) fn run(mut self) {
        let mut poller = Poller::new();
        let mut phase = Phase::Running;
        let mut hurried = false;
        loop {
            let now = Instant::now();
            self.queues.advance(&poller, now);
            for pipe in &mut self.pipes {
                pipe.advance(&poller, now);
            }
            while phase == Phase::Running {
                match self.events.try_recv() {
                    Ok(event) => self.tell(&event),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => {
                        self.pipes.iter_mut().for_each(|pipe| pipe.close(now));
                        self.mail.iter_mut().for_each(Mail::close);
                        phase = Phase::Finishing(now + FAREWELL);
                    }
                }
            }
            if !hurried && self.hurry.asked.load(Ordering::Acquire) {
                hurried = true;
                phase = Phase::Farewell(now);
            }
            phase = match phase {
                Phase::Finishing(until) if until <= now => {
                    self.queues.cut_short(now);
                    Phase::Farewell(now + FAREWELL)
                }
                Phase::Farewell(until) if until <= now => {
                    self.queues.kill(now);
                    self.pipes.iter_mut().for_each(Pipe::kill);
                    Phase::Killed(now + GRACE)
                }
                Phase::Killed(until) if until <= now => break,
                other => other,
            };
            if phase != Phase::Running && self.is_done(matches!(phase, Phase::Finishing(_))) {
                break;
            }
            poller.clear();
            poller.add(&self.hurry.wakeup);
            self.queues.listen(&mut poller);
            self.pipes.iter_mut().for_each(|pipe| pipe.listen(&mut poller));
            let pipes = self.pipes.iter().filter_map(Pipe::deadline);
            let until = pipes.chain(self.queues.deadline()).chain(phase.end()).min();
            let wait = until.map(|until| until.saturating_duration_since(Instant::now()));
            if let Err(error) = poller.wait(wait) {
                tracing::error!("{error}");
                std::thread::sleep(Duration::from_millis(10));
            }
            self.hurry.wakeup.clear();
        }
        if let Some(mail) = &self.mail {
            mail.give_up();
        }
    }

    fn is_done(&self, patient: bool) -> bool {
        let mailing = self.mail.as_ref().is_some_and(|mail| patient && !mail.has_ended());
        self.queues.idle() && self.pipes.iter().all(Pipe::is_closed) && !mailing
    }

    fn tell(&mut self, event: &Event) {
        let at = match event.subject {
            Subject::Instance(instance) => instance,
            Subject::Group(group) => self.groups + group,
        };
        let Some(target) = self.targets.get(at) else { return };
        if let What::State(condition) = event.what {
            let group = target.group.and_then(|group| self.told.get(self.groups + group).copied().flatten());
            let before = self.told[at].replace(condition);
            // As keepalived: what a group has said already, its members need not say again.
            if before.is_some() && group == Some(condition) {
                return;
            }
        }
        if matches!(event.what, What::Priority(_)) && !target.priority_changes {
            return;
        }
        let kind = if at < self.groups { "INSTANCE" } else { "GROUP" };
        let Event { what, priority, .. } = *event;
        let (specific, generic) = target.scripts(what);
        let facts = [kind, &target.name, what.word(), &priority.to_string()].map(str::to_owned).to_vec();
        let tasks = [specific.map(|script| (script, Vec::new())), generic.map(|script| (script, facts))];
        let tasks = tasks.into_iter().flatten();
        self.queues.add(at, what, tasks.map(|(script, facts)| Task::new(script.clone(), facts, what)).collect());
        let line = format!("{kind} \"{}\" {} {priority}\n", target.name, what.word());
        self.pipes.iter_mut().for_each(|pipe| pipe.write(&line));
        self.post(at, event);
    }

    fn post(&mut self, at: usize, event: &Event) {
        let (Some(mail), Some(target), What::State(condition)) = (&self.mail, self.targets.get(at), event.what) else {
            return;
        };
        let quiet = condition == Condition::Stopped || (condition == Condition::Fault && self.no_faults);
        if !target.mail || quiet || self.mailed[at] == condition {
            return;
        }
        self.mailed[at] = condition;
        mail.send(Letter::new(News {
            router_id: &self.router_id,
            group: at >= self.groups,
            name: &target.name,
            condition,
            priority: event.priority,
            why: &event.why,
            at: event.at,
        }));
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

#[cfg(test)]
mod tests;
