//! What keeps a thread from being late: real-time scheduling, a nice value, processors of its own, memory that is not
//! swapped out. The kernel keeps the first three for each thread, and the last for the process.
//!
//! Knows threads; not what they do.
//!
//! ```
//! use vrrp_netlink::isolation;
//!
//! let thread = std::thread::spawn(|| isolation::run_in_real_time(10));
//! if let Err(error) = thread.join().expect("it does not panic") {
//!     eprintln!("{error}: ordinary scheduling");
//! }
//! ```

use std::io;
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::unistd::{Pid, gettid};
use rustix::mm::{MlockAllFlags, mlockall, munlockall};
use rustix::process::setpriority_process;

use crate::sys;
use crate::{Error, Result};

/// A thread of this process, by the kernel's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Thread(Pid);

/// The calling thread.
pub fn this_thread() -> Thread {
    Thread(gettid())
}

/// Makes the calling thread one that comes before every ordinary one, and takes turns with those of the same `priority`
/// (`SCHED_RR`), 1 to 99. What it starts from now on is ordinary again.
///
/// `EPERM` without CAP_SYS_NICE where `RLIMIT_RTPRIO` does not allow it, and in a control group without real-time budget.
pub fn run_in_real_time(priority: u8) -> Result<()> {
    sys::set_scheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, priority.into())
        .map_err(|error| Error::new("run in real time", error))
}

/// Makes a thread an ordinary one.
pub fn leave_real_time(thread: Thread) -> Result<()> {
    sys::set_scheduler(thread.0.as_raw(), libc::SCHED_OTHER | libc::SCHED_RESET_ON_FORK, 0)
        .map_err(|error| Error::new("leave real time", error))
}

/// How long the threads of this process may run in real time without waiting for anything: after `warning` the process gets
/// SIGXCPU, after `end` it is killed. The kernel counts in ticks of some milliseconds.
///
/// Children inherit it; it means nothing to what does not run in real time.
pub fn limit_real_time(warning: Duration, end: Duration) -> Result<()> {
    let microseconds = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(RLIM_INFINITY);
    let set = |(_, hard): (u64, u64)| {
        let end = microseconds(end).min(hard);
        setrlimit(Resource::RLIMIT_RTTIME, microseconds(warning).min(end), end)
    };
    getrlimit(Resource::RLIMIT_RTTIME).and_then(set).map_err(|errno| Error::new("limit real-time runs", errno))
}

/// Gives the calling thread this nice value, from -20 (served first) to 19; threads and children that it starts inherit it.
///
/// `EACCES` without CAP_SYS_NICE where it is below the present one and `RLIMIT_NICE` does not allow it.
pub fn be_nice(value: i8) -> Result<()> {
    setpriority_process(None, value.into()).map_err(|errno| Error::new("set the nice value", io::Error::from(errno)))
}

/// Keeps the calling thread on these processors; threads and children that it starts inherit it. Those of them that it may
/// not use, or that this host does not have, are returned.
///
/// `EINVAL` when none is left.
pub fn stay_on(processors: &[u32]) -> Result<Vec<u32>> {
    let fail = |errno| Error::new("choose processors", errno);
    let place = |processor: u32| usize::try_from(processor).unwrap_or(usize::MAX);
    let mut set = CpuSet::new();
    // What the kernel's set has no room for no host has; it is missing in the end.
    let known = processors.iter().filter(|processor| set.set(place(**processor)).is_ok()).count();
    if known == 0 {
        return Err(fail(Errno::EINVAL));
    }
    let this = Pid::from_raw(0);
    sched_setaffinity(this, &set).map_err(fail)?;
    let got = sched_getaffinity(this).map_err(fail)?;
    Ok(processors.iter().copied().filter(|processor| !got.is_set(place(*processor)).unwrap_or(false)).collect())
}

/// Keeps this process's memory from being swapped out from now on: each page as soon as it is used, so that stacks and heaps
/// take no more than they need. Children are not concerned.
///
/// `EPERM` or `ENOMEM` without CAP_IPC_LOCK where `RLIMIT_MEMLOCK` is not infinite: under a limit, memory that is needed later
/// would be refused. The capability must stay for that, too.
pub fn keep_in_memory() -> Result<()> {
    let fail = |error: io::Error| Error::new("keep memory from being swapped out", error);
    let locked = MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    mlockall(locked).map_err(|errno| fail(errno.into()))?;
    if let Err(error) = more_than_the_limit() {
        let _ = munlockall();
        return Err(fail(error));
    }
    mlockall(MlockAllFlags::CURRENT | locked).map_err(|errno| fail(errno.into()))
}

/// Whether memory beyond the limit can be had: having a capability tells it only outside of user namespaces.
fn more_than_the_limit() -> io::Result<()> {
    const PAGE: u64 = 4096;

    let (limit, _) = getrlimit(Resource::RLIMIT_MEMLOCK)?;
    let Some(more) = limit.checked_add(PAGE).filter(|_| limit != RLIM_INFINITY) else { return Ok(()) };
    let more = usize::try_from(more).map_err(|_| io::ErrorKind::OutOfMemory)?;
    Vec::<u8>::new().try_reserve_exact(more).map_err(|_| Errno::ENOMEM.into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;

    /// What /proc says of the calling thread.
    fn field(file: &str, name: &str) -> String {
        let text = fs::read_to_string(format!("/proc/thread-self/{file}")).unwrap();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.rsplit([':', '\t']).next().unwrap_or_default().trim().to_owned()
    }

    /// The nice value of the calling thread: the 17th field behind the name.
    fn nice() -> i8 {
        let text = fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, behind) = text.rsplit_once(") ").unwrap();
        behind.split(' ').nth(16).unwrap().parse().unwrap()
    }

    /// Each in a thread of its own, so that no other test is concerned.
    fn alone<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| scope.spawn(work).join().unwrap())
    }

    #[test]
    fn a_thread_in_real_time_starts_ordinary_ones_and_can_be_stopped() {
        let Ok((thread, stop)) = alone(|| {
            let (stop, stopped) = std::sync::mpsc::channel::<()>();
            run_in_real_time(7)?;
            assert_eq!(field("sched", "policy"), "2", "SCHED_RR");
            assert_eq!(alone(|| field("sched", "policy")), "0");
            // The main test thread speaks for another one.
            let (number, numbers) = std::sync::mpsc::channel();
            let other = thread::spawn(move || {
                run_in_real_time(3).unwrap();
                number.send(this_thread()).unwrap();
                let _ = stopped.recv();
                field("sched", "policy")
            });
            Result::Ok(((numbers.recv().unwrap(), other), stop))
        }) else {
            eprintln!("skipped: no real-time scheduling here");
            return;
        };
        leave_real_time(thread.0).unwrap();
        drop(stop);
        assert_eq!(thread.1.join().unwrap(), "0");
    }

    #[test]
    fn a_nice_value_is_the_threads_own() {
        let before = nice();
        alone(|| {
            be_nice(19).unwrap();
            assert_eq!(nice(), 19);
        });
        assert_eq!(nice(), before);
    }

    #[test]
    fn processors_that_are_not_there_are_named() {
        let before = field("status", "Cpus_allowed_list");
        alone(|| {
            let first: u32 = before.split([',', '-']).next().unwrap().parse().unwrap();
            assert_eq!(stay_on(&[first]).unwrap(), []);
            assert_eq!(field("status", "Cpus_allowed_list"), first.to_string());
            assert_eq!(stay_on(&[1022, first, 70_000]).unwrap(), [1022, 70_000]);
            assert_eq!(stay_on(&[1022]).unwrap_err().errno(), Some(Errno::EINVAL as i32));
            assert_eq!(stay_on(&[]).unwrap_err().errno(), Some(Errno::EINVAL as i32));
        });
        assert_eq!(field("status", "Cpus_allowed_list"), before);
    }
}
