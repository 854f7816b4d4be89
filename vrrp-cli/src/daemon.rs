//! The daemon: wires the configuration, the node and the kernel together with threads.
//!
//! ```text
//! VRRP and packet sockets ═════╗          ┌─> adverts: sent by the election thread itself, never blocking
//! link and address monitor ─┐  ║          │
//! signals ──────────────────┼─> election ─┴─> kernel thread: addresses, ARP/ND (may block)
//!                           │   (Node)            │
//!         acknowledgements ─┴─────────────────────┴─> notify thread: scripts, named pipes, mail
//! ```
//!
//! Contains no protocol rule: what is decided is decided in [`vrrp_core::node::Node`].

mod claims;
mod dumps;
mod ear;
mod election;
mod guardian;
mod influx;
mod isolation;
mod kernel;
mod keys;
mod lateness;
mod lease;
mod ledger;
mod lock;
mod log;
mod mail;
mod monitor;
mod mouth;
mod notify;
mod orders;
mod parting;
mod private;
mod privileges;
mod report;
mod runtime;
mod script;
mod setup;
mod signals;
mod status;
mod throttle;
mod trackers;

use std::collections::HashSet;
use std::io::IsTerminal;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use crossbeam_channel::Sender;
use signal_hook::iterator::Signals;
use vrrp_core::node::{Faults, Groups, Input, InterfaceId, Node};
use vrrp_netlink::process::{self, Wakeup};

use crate::{check, config};
use guardian::{Bequest, LastWords, Side, Terms, Ward};
use ledger::{Alive, Ledger, Left};
use setup::Conduct;

pub use setup::StartError;
pub(crate) use setup::no_nft;

/// Exit status when the configuration or the host does not allow a start.
pub const EXIT_REFUSED: u8 = 2;

/// Files that are of use until the next boot.
const RUNTIME: &str = "/run/vrrpctl";

/// Runs the configuration file until SIGTERM or SIGINT, then releases the addresses.
///
/// Where it is `guarded`, a second process looks after this one, the guardian; that takes a process without other threads.
///
/// Exit status: 0 after an orderly stop, 1 when the daemon had to give up, [`EXIT_REFUSED`] when it did not start; then
/// nothing on the host was changed.
pub fn run(path: &Path, options: &config::Options, guarded: bool) -> ExitCode {
    lock::raise_file_limit();
    if let Err(error) = process::notice_children() {
        eprint_block(&format!("warning: {error}"));
    }
    // From here on a request to stop is an orderly stop, whatever has been begun by then.
    let signals = match signals::catch() {
        Ok(signals) => signals,
        Err(error) => {
            eprint_block(&format!("error: {}", ServeError::Signals(error)));
            return ExitCode::FAILURE;
        }
    };
    let ward = match if guarded { guardian::split() } else { Side::Worker(None) } {
        Side::Worker(ward) => ward,
        Side::Guardian(status) => return status,
    };
    let Some(plan) = prepare(path, options) else { return ExitCode::from(EXIT_REFUSED) };
    // The text and the tree of a large configuration, which nobody needs any more.
    process::give_back_memory();
    // The log is a thread.
    if let Err(error) = plan.conduct.privileges.keep_these() {
        eprint_block(&format!("warning: {error}: the daemon may do more than it needs"));
    }
    let log = log::start();
    let status = match serve(plan, ward, signals) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    };
    if let Some(dropped) = log.finish() {
        eprint_block(&format!("{dropped} log lines were dropped, because standard error was not read"));
    }
    status
}

/// Reads the configuration and looks at the host; `None`, and why on standard error, when the two do not allow a start.
fn prepare(path: &Path, options: &config::Options) -> Option<setup::Plan> {
    let mut loaded = config::load_with(path, options);
    let unwanted = check::unwanted(&loaded);
    loaded.diagnostics.retain(|diagnostic| !unwanted(diagnostic));
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if !loaded.diagnostics.is_empty() {
        eprint_block(&format!("{}\n", loaded.render(color).trim_end()));
    }
    let Some(config) = loaded.config else {
        eprint_block("nothing was started: correct the errors above first");
        return None;
    };
    if config.instances.is_empty() {
        eprint_block("nothing was started: the file defines no virtual router");
        return None;
    }
    let plan = match setup::Plan::new(&config, &loaded.sources) {
        Ok(plan) => plan,
        Err(errors) => {
            for error in &errors {
                eprint_block(&format!("{}\n", error.render(&loaded.sources, color).trim_end()));
            }
            eprint_block("nothing was started");
            return None;
        }
    };
    for warning in plan.warnings.iter().filter(|warning| !unwanted(warning)) {
        eprint_block(&format!("{}\n", loaded.sources.render(warning, color).trim_end()));
    }
    Some(plan)
}

/// What the election thread hears from the others.
enum Feedback {
    /// An interface's state, as the election sees it.
    Link(election::Level),
    /// A socket for an interface that was made anew.
    Socket { interface: InterfaceId, socket: ear::Ear },
    /// The MAC addresses of this host.
    HostMacs(HashSet<[u8; 6]>),
    /// The state of something that routers depend on.
    Tracked { tracker: vrrp_core::node::TrackerId, status: vrrp_core::track::Status },
    /// The addresses are installed.
    Installed { router: vrrp_core::node::RouterId, epoch: u64 },
    /// Something that a router needs fails, or works again.
    Fault { router: vrrp_core::node::RouterId, fault: vrrp_core::node::Faults, present: bool },
    /// A router's adverts are too long for their interface, or are not any more.
    Mtu { router: vrrp_core::node::RouterId, too_small: Option<monitor::TooSmall> },
    /// Somebody wants to know everything.
    Snapshot(Sender<status::Snapshot>),
    /// The operator asks to stop.
    Stop(&'static str),
    /// The operator asks again.
    Hurry,
    /// A thread is gone.
    Died(&'static str),
}

/// A way to the election thread that never blocks and wakes it.
#[derive(Clone)]
struct ToElection {
    sender: Sender<Feedback>,
    wakeup: Wakeup,
}

impl ToElection {
    fn send(&self, feedback: Feedback) {
        // It fails only when the election thread is gone, and then nobody needs the message.
        let _ = self.sender.send(feedback);
        self.wakeup.wake();
    }
}

fn serve(plan: setup::Plan, ward: Option<Ward>, signals: Signals) -> Result<(), ServeError> {
    let setup::Plan {
        mut node,
        mut interfaces,
        groups,
        macs,
        names,
        routed,
        placed,
        policy,
        trackers,
        work,
        sources,
        loads,
        notify,
        leftovers,
        monitor,
        filter,
        rtnl,
        locks,
        runtime,
        warnings: _,
        conduct: Conduct { isolation, dumps, guarded, privileges: _ },
    } = plan;
    isolation.begin_process();
    let (mut rtnl, mut links) = rtnl;
    let mut devices: Vec<_> = interfaces.iter().map(|interface| interface.device.clone()).collect();
    let parent = ward.as_ref().map(|ward| ward.parent);
    let (ledger, alive, left) = open_ledger(&links);
    let held: Vec<_> = locks.iter().map(AsFd::as_fd).chain(alive.as_ref().map(AsFd::as_fd)).collect();
    let bequest = arm(ward, &node, &work, &held, (ledger.path(), terms(&isolation)));
    let mut estate = kernel::Estate::new(bequest.clone(), ledger, left, &work);
    let virtuals = kernel::Virtuals::make(work.virtuals.clone(), &mut rtnl, &mut devices, &mut estate)?;
    if !work.virtuals.is_empty() {
        open_virtual_ears(&mut interfaces, &devices, groups)?;
        // The monitor was opened before they were made: it tells of them once more.
        links.read(&mut rtnl)?;
    }
    suspend_incomplete(&mut node, &work, &devices);
    let wakeup = Wakeup::new()?;
    let (sender, feedback) = crossbeam_channel::unbounded();
    let election = ToElection { sender, wakeup: wakeup.clone() };
    let (orders, jobs) = orders::orders(work.tables.len(), work.lease.clone());
    let (notifier, notify, hurry) = notify::Notifier::new(notify)?;

    let dumps = dumps::Dumps::start(dumps, parent, &election)?;
    let signals = signals::watch(signals, &election, (hurry, dumps.sender(), isolation.clone()), parent)?;
    let too_small = loads.iter().map(monitor::Load::told).collect();
    let (news, conditions) = ((monitor, filter), (sources, loads));
    let places = claims::Places::new(&work.tables, &interfaces, links.macs());
    let watch = monitor::Watch::new(news, (rtnl, links), &interfaces, policy.interfaces, conditions, groups);
    let levels = watch.levels();
    let stop_monitor = Wakeup::new()?;
    let monitor_thread = spawn("monitor", &election, {
        let (election, orders, stop) = (election.clone(), orders.clone(), stop_monitor.clone());
        isolation.around(move || watch.run(&election, &orders, &stop))
    })?;
    let notify_thread = spawn("notify", &election, move || notifier.run())?;
    let names = report::Names {
        routers: names,
        routed,
        placed,
        groups: policy.groups,
        tracked: policy.tracked,
        interfaces: devices.iter().map(|device| device.name.clone()).collect(),
        too_small,
    };
    let (spare, spare_devices) = (work.clone(), devices.clone());
    let ours = (orders.clone(), election.clone());
    let kernel = kernel::Kernel::new(work, virtuals, devices, &leftovers, ours, notify, estate)?;
    let kernel_thread = spawn("kernel", &election, isolation.around(move || kernel.run(&jobs)))?;

    let watching = trackers.start(&election)?;
    let words = LastWords::new(bequest, node.routers().len());
    let ways = (interfaces, macs, guarded);
    let core = election::Election::new(node, ways, names, places, orders.clone(), (feedback, wakeup), words);
    let outcome = thread::Builder::new()
        .name("election".into())
        .spawn(isolation.around_election(move || core.run(&levels, &leftovers)))
        .map_err(ServeError::Thread)?
        .join()
        .unwrap_or(Err(ServeError::Died("election")));

    watching.stop();
    // The release went out, and what a successor serves is gone; now everything else goes, then the scripts hear of it.
    orders.remove_all();
    orders.stop();
    let removed = match kernel_thread.join() {
        Ok(Some(removed)) => removed,
        Ok(None) | Err(_) => {
            kernel::remove_all(&spare, &spare_devices).inspect_err(|error| tracing::error!("{error}")).is_ok()
        }
    };
    watching.join();
    stop_monitor.wake();
    parting::join_until(monitor_thread, Instant::now() + parting::SLACK);
    // A second signal is heard until the scripts have ended.
    parting::join_until(notify_thread, Instant::now() + notify::LONGEST_END + parting::SLACK);
    signals.close();
    parting::join_until(dumps.close(), Instant::now() + parting::SLACK);
    drop((locks, alive, runtime));
    outcome?;
    if removed { Ok(()) } else { Err(ServeError::Remains) }
}

/// Hears on the interfaces that were made just now.
fn open_virtual_ears(
    interfaces: &mut [setup::Interface],
    devices: &[monitor::Device],
    groups: Groups,
) -> vrrp_netlink::Result<()> {
    for (interface, device) in interfaces.iter_mut().zip(devices) {
        interface.device = device.clone();
    }
    setup::open_ears(interfaces, groups, true).pop().map_or(Ok(()), Err)
}

/// A router of whose addresses an interface does not exist yet starts in FAULT.
fn suspend_incomplete(node: &mut Node<Instant>, work: &kernel::Work, devices: &[monitor::Device]) {
    for table in work.tables.iter().filter(|table| !table.entries.is_complete(devices)) {
        let fault = Input::Fault { router: table.id, fault: Faults::NO_INTERFACE, present: true };
        node.handle(Instant::now(), fault, &mut Vec::new());
    }
}

/// The file for a successor, and what predecessors have left.
fn open_ledger(links: &monitor::Links) -> (Ledger, Option<Alive>, Left) {
    match vrrp_netlink::namespace::network_number() {
        Ok(number) => {
            Ledger::open(Path::new(RUNTIME), number, |index| links.by_index(index).map(|link| link.name.clone()))
        }
        Err(error) => {
            tracing::debug!("{error}: nothing is written down for a successor");
            <(Ledger, Option<Alive>, Left)>::default()
        }
    }
}

/// How the guardian runs.
fn terms(isolation: &isolation::Isolation) -> Terms {
    Terms {
        real_time: isolation.real_time(),
        nice: isolation.privileged_nice(),
        in_memory: isolation.in_memory(),
        keep: privileges::Privileges::of_guardian(isolation),
    }
}

/// Tells the guardian what it needs, if there is one. Without it the daemon serves as well.
fn arm(
    ward: Option<Ward>,
    node: &Node<Instant>,
    work: &kernel::Work,
    locks: &[BorrowedFd<'_>],
    (file, terms): (Option<&Path>, Terms),
) -> Bequest {
    let Some(ward) = ward else { return Bequest::default() };
    let words = node.routers().map(|router| LastWords::room(node, router));
    let rooms = words.chain([0, 0]).zip(work.rooms()).map(|(words, held)| guardian::Room { words, held });
    ward.arm(&rooms.collect::<Vec<_>>(), locks, file, terms).unwrap_or_else(|error| {
        tracing::error!("{error}: nobody looks after this process");
        Bequest::default()
    })
}

/// Starts a thread whose panic ends the daemon through the release path.
fn spawn<T: Send + 'static>(
    name: &'static str,
    election: &ToElection,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<thread::JoinHandle<Option<T>>, ServeError> {
    let election = election.clone();
    let guarded = move || {
        let outcome = panic::catch_unwind(AssertUnwindSafe(work)).ok();
        if outcome.is_none() {
            election.send(Feedback::Died(name));
        }
        outcome
    };
    thread::Builder::new().name(name.into()).spawn(guarded).map_err(ServeError::Thread)
}

/// Why a running daemon gave up.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("{0}")]
    Kernel(#[from] vrrp_netlink::Error),
    #[error("{0}")]
    Virtual(#[from] kernel::NotMade),
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
    #[error("cannot listen to signals: {0}")]
    Signals(#[source] std::io::Error),
    #[error("the {0} thread failed, and the daemon stopped. This is a fault of vrrpctl: please report it")]
    Died(&'static str),
    #[error("some virtual addresses are still on this host: see above, and remove them with `ip address del`")]
    Remains,
}

fn eprint_block(text: &str) {
    use std::io::Write;
    // Nobody is left to be told when standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
