//! The thread of tracked processes: how many of each there are, by the kernel's own news, or by looking at `/proc`.
//!
//! Knows which processes are meant and how many are wanted; not what follows from it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use vrrp_core::track::Status;
use vrrp_netlink::process::{Poller, Wakeup};
use vrrp_netlink::process_events::{Event, ProcessEvents};

use super::table::{self, Pattern};

/// How often to look at all processes where the kernel tells of none.
pub(super) const LOOK: Duration = Duration::from_millis(500);
/// And where it does, in case it forgot one.
const RECOUNT: Duration = Duration::from_secs(60);

/// A `vrrp_track_process`.
#[derive(Clone, Debug)]
pub(in crate::daemon) struct Tracked {
    pub(in crate::daemon) name: String,
    pub(in crate::daemon) pattern: Pattern,
    /// Fewest processes that are well.
    pub(in crate::daemon) quorum: usize,
    /// And most.
    pub(in crate::daemon) most: Option<usize>,
    /// How long there must be enough of them, and not, to count.
    pub(in crate::daemon) up_delay: Duration,
    pub(in crate::daemon) down_delay: Duration,
}

/// Counts until `stop` is woken. `tell` hears each change of a status, by the place of the tracked.
pub(in crate::daemon) fn run(
    tracked: Vec<Tracked>,
    mut events: Option<ProcessEvents>,
    stop: &Wakeup,
    mut tell: impl FnMut(usize, Status),
) {
    let mut entries: Vec<Entry> = tracked.into_iter().map(Entry::new).collect();
    let mut poller = Poller::new();
    let mut news = Vec::new();
    let mut recount = Instant::now();
    loop {
        let now = Instant::now();
        if recount <= now {
            count(&mut entries);
            recount = now + if events.is_some() { RECOUNT } else { LOOK };
        }
        for (place, entry) in entries.iter_mut().enumerate() {
            if let Some(good) = entry.judge(now) {
                tell(place, if good { Status::Up } else { Status::Down });
            }
        }
        poller.clear();
        let stopping = poller.add(stop);
        let told = events.as_ref().map(|events| poller.add(events));
        let next = entries.iter().filter_map(|entry| entry.pending).map(|(_, at)| at).chain([recount]).min();
        let wait = next.unwrap_or(recount).saturating_duration_since(Instant::now());
        if let Err(error) = poller.wait(Some(wait)) {
            tracing::warn!("{error}");
            std::thread::sleep(LOOK);
        }
        if poller.ready(stopping) {
            return;
        }
        if let (Some(open), Some(told)) = (&mut events, told)
            && poller.ready(told)
        {
            if let Err(error) = open.read(&mut news) {
                tracing::warn!("{error}; processes are counted every {LOOK:?} from now on");
                events = None;
                recount = now;
            }
            for event in news.drain(..) {
                if event == Event::Overrun {
                    recount = now;
                }
                for entry in &mut entries {
                    entry.hear(event);
                }
            }
        }
    }
}

fn count(entries: &mut [Entry]) {
    match table::all() {
        Ok(all) => {
            for entry in entries {
                entry.members = all.iter().copied().filter(|pid| entry.tracked.pattern.matches(*pid)).collect();
            }
        }
        Err(error) => tracing::warn!("processes cannot be counted: {error}"),
    }
}

struct Entry {
    tracked: Tracked,
    members: HashSet<u32>,
    status: Option<bool>,
    /// What it becomes, and when, unless that changes before.
    pending: Option<(bool, Instant)>,
}

impl Entry {
    fn new(tracked: Tracked) -> Self {
        Self { tracked, members: HashSet::new(), status: None, pending: None }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Forked { parent, child } => {
                if self.members.contains(&parent) {
                    self.members.insert(child);
                }
            }
            Event::Executed(process) | Event::Renamed(process) => {
                if self.tracked.pattern.matches(process) {
                    self.members.insert(process);
                } else {
                    self.members.remove(&process);
                }
            }
            Event::Ended(process) => {
                self.members.remove(&process);
            }
            Event::Overrun => {}
        }
    }

    /// The status, when it changes now.
    fn judge(&mut self, now: Instant) -> Option<bool> {
        let Tracked { quorum, most, up_delay, down_delay, .. } = self.tracked;
        let count = self.members.len();
        let good = count >= quorum && most.is_none_or(|most| count <= most);
        if self.status == Some(good) {
            self.pending = None;
            return None;
        }
        let delay = if good { up_delay } else { down_delay };
        let due = match self.pending {
            Some((awaited, at)) if awaited == good => at,
            // What is found at the start needs no confirmation.
            _ if self.status.is_none() => now,
            _ => now + delay,
        };
        if due > now {
            self.pending = Some((good, due));
            return None;
        }
        (self.pending, self.status) = (None, Some(good));
        let Tracked { name, .. } = &self.tracked;
        let processes = if count == 1 { "process" } else { "processes" };
        let wanted = match most {
            Some(most) => format!("{quorum} to {most} wanted"),
            None => format!("{quorum} wanted"),
        };
        if good {
            tracing::info!("`{name}` is well: {count} {processes}, {wanted}");
        } else {
            tracing::warn!("`{name}` failed: {count} {processes}, {wanted}");
        }
        Some(good)
    }
}

#[cfg(test)]
mod tests;
