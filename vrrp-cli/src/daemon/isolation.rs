//! `vrrp_rt_priority`, `vrrp_priority`, `vrrp_cpu_affinity`, `vrrp_no_swap`: how which thread runs.
//!
//! Real time is the election's alone, and the guardian's, which must not be held up by it. The nice value and the
//! processors are those of the election, of the kernel thread and of the monitor. No other thread is concerned, so that
//! scripts, which other threads start, run as whatever the daemon was started by. What is not allowed is a warning: the daemon
//! serves without.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use vrrp_netlink::Error;
use vrrp_netlink::isolation::{self, Thread};

use crate::config::model::GlobalSettings;

/// The election may run so long without waiting for anything, unless `vrrp_rlimit_rttime` says otherwise: many times what the
/// start of a thousand routers takes.
const LONGEST_RUN: Duration = Duration::from_secs(1);
/// And so much longer, should not even the loss of real time help.
const LAST_RESORT: Duration = Duration::from_secs(1);

/// What the configuration wants. Clones share which thread the election is.
#[derive(Clone, Default, Debug)]
pub(super) struct Isolation {
    real_time: Option<u8>,
    longest_run: Duration,
    nice: Option<i8>,
    processors: Vec<u32>,
    in_memory: bool,
    election: Arc<OnceLock<Thread>>,
}

impl Isolation {
    pub(super) fn new(settings: &GlobalSettings) -> Self {
        let longest_run = settings.vrrp_rlimit_rttime.map(|run| Duration::from_micros(run.into()));
        Self {
            real_time: settings.vrrp_rt_priority,
            longest_run: longest_run.unwrap_or(LONGEST_RUN),
            nice: settings.vrrp_priority,
            processors: settings.vrrp_cpu_affinity.clone().unwrap_or_default(),
            in_memory: settings.vrrp_no_swap,
            election: Arc::default(),
        }
    }

    /// Real-time priority of the election and the guardian.
    pub(super) fn real_time(&self) -> Option<u8> {
        self.real_time
    }

    /// Nice value, where it comes before others.
    pub(super) fn privileged_nice(&self) -> Option<i8> {
        self.nice.filter(|nice| *nice < 0)
    }

    /// Whether memory is locked.
    pub(super) fn in_memory(&self) -> bool {
        self.in_memory
    }

    /// What concerns the process, before it has other threads.
    pub(super) fn begin_process(&self) {
        if self.in_memory
            && let Err(error) = isolation::keep_in_memory()
        {
            warn(
                "vrrp_no_swap",
                &error,
                "needs CAP_IPC_LOCK, or an infinite RLIMIT_MEMLOCK; its memory may be swapped out",
            );
        }
        if self.real_time.is_some()
            && let Err(error) = isolation::limit_real_time(self.longest_run, self.longest_run + LAST_RESORT)
        {
            warn("vrrp_rlimit_rttime", &error, "there is no such limit");
        }
    }

    /// What a thread does that the addresses wait for.
    pub(super) fn around<T, W: FnOnce() -> T>(&self, work: W) -> impl FnOnce() -> T + use<T, W> {
        let isolation = self.clone();
        move || {
            // What cannot be had is told by the election, which has the same.
            let _ = isolation.begin_thread();
            work()
        }
    }

    /// What the election's thread does.
    pub(super) fn around_election<T, W: FnOnce() -> T>(&self, work: W) -> impl FnOnce() -> T + use<T, W> {
        let isolation = self.clone();
        move || {
            isolation.begin_election();
            work()
        }
    }

    /// The election runs without end, as far as the kernel can tell: from now on it must not hold up others.
    pub(super) fn demote(&self) {
        let Some(election) = self.election.get() else { return };
        let run = self.longest_run;
        match isolation::leave_real_time(*election) {
            Ok(()) => tracing::error!(
                "the election ran for {run:?} without a pause: no real time for it from now on; `vrrp_rlimit_rttime` allows more"
            ),
            Err(error) => tracing::error!("the election ran for {run:?} without a pause: {error}"),
        }
    }

    /// Nice value and processors; what is wrong with either.
    fn begin_thread(&self) -> [Result<(), String>; 2] {
        let nice = self.nice.map_or(Ok(()), isolation::be_nice).map_err(|error| {
            let needs = "this needs CAP_SYS_NICE, or a RLIMIT_NICE that allows it; its nice value stays";
            format!("vrrp_priority: {error}: {needs}")
        });
        let processors = match isolation::stay_on(&self.processors) {
            _ if self.processors.is_empty() => Ok(()),
            Ok(missing) if missing.is_empty() => Ok(()),
            Ok(missing) => {
                let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
                Err(format!("vrrp_cpu_affinity: this process may not use CPU {}", missing.join(", ")))
            }
            Err(error) => Err(format!("vrrp_cpu_affinity: {error}: none of these CPUs can be used; it runs on all")),
        };
        [nice, processors]
    }

    fn begin_election(&self) {
        for words in self.begin_thread().into_iter().filter_map(Result::err) {
            tracing::warn!("{words}");
        }
        let Some(priority) = self.real_time else { return };
        match isolation::run_in_real_time(priority) {
            // It is set once.
            Ok(()) => drop(self.election.set(isolation::this_thread())),
            Err(error) => warn(
                "vrrp_rt_priority",
                &error,
                "needs CAP_SYS_NICE, or a RLIMIT_RTPRIO that allows it; the election is scheduled as other programs are",
            ),
        }
    }
}

fn warn(keyword: &str, error: &Error, consequence: &str) {
    tracing::warn!("{keyword}: {error}: this {consequence}");
}
