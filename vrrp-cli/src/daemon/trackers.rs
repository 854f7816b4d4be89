//! What decides about the health of this host: scripts, built-in checks, files, processes. One thread for each kind, none
//! of which the election ever waits for.
//!
//! Knows how states come about; what they mean to a router is the node's.

mod checks;
mod files;
mod probe;
mod processes;
mod table;

use std::thread::JoinHandle;

use vrrp_core::track::Status;
use vrrp_netlink::process::Wakeup;
use vrrp_netlink::process_events::ProcessEvents;

pub(super) use checks::{Check, What};
pub(super) use files::{TrackedFile, unusable};
pub(super) use probe::Target;
pub(super) use processes::Tracked;
pub(super) use table::{Parameters, Pattern};

use super::{Feedback, ServeError, ToElection, spawn};
use vrrp_core::node::TrackerId;

/// All trackers of a configuration, by the number under which the node knows each.
#[derive(Default)]
pub(super) struct Trackers {
    pub(super) checks: Vec<(TrackerId, Check)>,
    pub(super) files: Vec<(TrackerId, TrackedFile)>,
    pub(super) processes: Vec<(TrackerId, Tracked)>,
    /// The kernel's news about processes, or why it does not tell them.
    pub(super) process_events: Option<vrrp_netlink::Result<ProcessEvents>>,
}

/// Trackers that run. They are to be stopped.
pub(super) struct Watching {
    stop: Wakeup,
    threads: Vec<JoinHandle<Option<()>>>,
}

impl Trackers {
    /// Starts the threads that are needed.
    pub(super) fn start(self, election: &ToElection) -> Result<Watching, ServeError> {
        let Self { checks, files, processes, process_events } = self;
        let stop = Wakeup::new()?;
        let mut threads = Vec::new();
        let (ids, checks) = unzip(checks);
        if !checks.is_empty() {
            let (tell, stop) = (teller(ids, election), stop.clone());
            threads.push(spawn("checks", election, move || checks::run(checks, &stop, tell))?);
        }
        let (ids, files) = unzip(files);
        if !files.is_empty() {
            let (tell, stop) = (teller(ids, election), stop.clone());
            threads.push(spawn("files", election, move || files::run(files, &stop, tell))?);
        }
        let (ids, processes) = unzip(processes);
        if !processes.is_empty() {
            let (tell, stop) = (teller(ids, election), stop.clone());
            let told =
                |error: &_| tracing::info!("{error}: processes are looked at every {:?} instead", processes::LOOK);
            let events = process_events.and_then(|events| events.inspect_err(told).ok());
            threads.push(spawn("processes", election, move || processes::run(processes, events, &stop, tell))?);
        }
        Ok(Watching { stop, threads })
    }
}

impl Watching {
    /// Lets the threads end what runs, which takes a bounded time.
    pub(super) fn stop(&self) {
        self.stop.wake();
    }

    /// Waits until they have.
    pub(super) fn join(self) {
        self.stop();
        for thread in self.threads {
            // A panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn unzip<T>(list: Vec<(TrackerId, T)>) -> (Vec<TrackerId>, Vec<T>) {
    list.into_iter().unzip()
}

fn teller(ids: Vec<TrackerId>, election: &ToElection) -> impl FnMut(usize, Status) + Send + use<> {
    let election = election.clone();
    move |place: usize, status| {
        if let Some(&tracker) = ids.get(place) {
            election.send(Feedback::Tracked { tracker, status });
        }
    }
}
