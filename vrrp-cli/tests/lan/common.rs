//! What the tests on a real kernel share: a LAN with a client, daemons of either make with their logs, configurations,
//! conditions to wait for.
//!
//! Knows how daemons are run and watched; what they ought to do is said in the tests and in [`scenes`].

mod conf;
mod daemon;
pub(crate) mod ear;
pub(crate) mod meter;
pub(crate) mod pcap;
pub(crate) mod scenes;
pub(crate) mod smtp;
mod stage;

use std::any::Any;
use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use vrrp_cli::lab::{self, Host};
use vrrp_netlink::addresses::Address;

pub(crate) use conf::Instance;
pub(crate) use daemon::{Daemon, Kind};
pub(crate) use stage::Stage;

/// The virtual address of most tests.
pub(crate) const VIP: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 100);

/// The one of the second instance.
pub(crate) const VIP2: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 101);

/// How long to wait for what must happen; far above what it takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a busy machine may add to a time that is measured.
pub(crate) const SLACK: Duration = Duration::from_millis(1500);

/// Priorities of the stronger and of the weaker router.
pub(crate) const STRONG: u8 = 150;
pub(crate) const WEAK: u8 = 100;

/// Skew_Time of VRRPv2 (RFC 3768 section 6.1).
pub(crate) fn skew(priority: u8) -> Duration {
    Duration::from_nanos(3_906_250) * (256 - u32::from(priority))
}

/// Master_Down_Interval of VRRPv2 at an interval of one second.
pub(crate) fn master_down(priority: u8) -> Duration {
    Duration::from_secs(3) + skew(priority)
}

/// Waits for a condition, and fails the test when it does not come true.
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl FnMut() -> bool) {
    assert!(lab::wait_until(PATIENCE, condition), "not within {PATIENCE:?}: {what}");
}

/// Watches for `time` that a condition does not come true. Only absence takes a fixed time.
#[track_caller]
pub(crate) fn never(what: &str, time: Duration, condition: impl FnMut() -> bool) {
    assert!(!lab::wait_until(time, condition), "it happened: {what}");
}

/// Fails the test unless `measured` lies between the bounds.
#[track_caller]
pub(crate) fn between(what: &str, measured: Duration, least: Duration, most: Duration) {
    eprintln!("{what}: {measured:?}, allowed {least:?} to {most:?}");
    assert!(measured >= least && measured <= most, "{what}: {measured:?}, allowed {least:?} to {most:?}");
}

/// Runs the cases beside each other, each in a thread of its own, and fails when one of them does.
pub(crate) fn side_by_side<Case: Copy + Debug + Send>(
    cases: impl IntoIterator<Item = Case>,
    run: impl Fn(Case) + Sync,
) {
    let run = &run;
    let failed: Vec<String> = thread::scope(|scope| {
        let running: Vec<_> = cases.into_iter().map(|case| (case, scope.spawn(move || run(case)))).collect();
        let outcomes = running.into_iter().map(|(case, thread)| (case, thread.join()));
        outcomes.filter_map(|(case, outcome)| Some(format!("{case:?}: {}", words(&*outcome.err()?)))).collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A panic's message.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked")
}

/// Where a tool is that not every machine has. Without it the test is skipped with a line that says so, and fails in CI.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    let found = std::env::split_paths(&path).chain(more).map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI must have {name}");
        eprintln!("skipped: {name} is not installed");
    }
    found
}

/// An address as the laboratory asks for it.
pub(crate) fn ip(address: impl Into<IpAddr>) -> IpAddr {
    address.into()
}

/// The IPv4 addresses of a host. Those of IPv6 go through states of their own in the first seconds of a LAN.
pub(crate) fn ipv4_of(host: &Host) -> Vec<Address> {
    let mut all = host.addresses().expect("its addresses");
    all.retain(|one| one.address.is_ipv4());
    all
}
