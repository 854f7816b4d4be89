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
use std::time::Instant;

use vrrp_core::track::Status;
use vrrp_netlink::process::Wakeup;
use vrrp_netlink::process_events::ProcessEvents;

pub(super) use checks::{Check, What};
pub(super) use files::{TrackedFile, unusable};
pub(super) use probe::Target;
pub(super) use processes::Tracked;
pub(super) use table::{Parameters, Pattern};

use super::{Feedback, ServeError, ToElection, parting, spawn};
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
    /// Lets the threads end what runs.
    pub(super) fn stop(&self) {
        self.stop.wake();
    }

    /// Waits until they have, as long as ending scripts takes at most: what a thread reads may never answer.
    pub(super) fn join(self) {
        self.stop();
        let until = Instant::now() + checks::LONGEST_END + parting::SLACK;
        for thread in self.threads {
            parting::join_until(thread, until);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_thread_that_is_stuck_holds_up_no_stop() {
        let (stop, (release, answer)) = (Wakeup::new().unwrap(), crossbeam_channel::bounded::<()>(0));
        let stuck = std::thread::spawn(move || answer.recv().ok());
        let (ended, waker) = (crossbeam_channel::bounded(1), stop.clone());
        let orderly = std::thread::spawn(move || {
            let stopped = vrrp_netlink::process::wait_readable(&waker, Some(Duration::from_secs(10)));
            ended.0.send(stopped.unwrap()).ok()
        });
        let begin = Instant::now();
        Watching { stop, threads: vec![stuck, orderly] }.join();
        let took = begin.elapsed();
        assert!(took >= checks::LONGEST_END, "scripts had their time: {took:?}");
        assert_eq!(ended.1.try_recv(), Ok(true));
        // It was still stuck.
        assert!(release.send_timeout((), Duration::from_secs(10)).is_ok());
    }
}
