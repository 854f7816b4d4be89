//! The kernel thread: makes addresses and announcements as the election wants them. It may block; nobody waits for it but
//! for its acknowledgements.
//!
//! It reads levels, so that a router which changed its mind meanwhile costs nothing. Removals go before installations;
//! installations go in portions, each acknowledged and announced before the next. What was installed is remembered as it
//! was, so that it is removed also from an interface that has another name by then.

mod addresses;
mod announce;
mod handover;
mod routes;
mod rules;
mod table;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use vrrp_core::fsm::Addresses;
use vrrp_core::node::{Faults, RouterId, TrackerId};
use vrrp_core::track::Status;
use vrrp_netlink::addresses::{Address, Change};
use vrrp_netlink::rtnl::Rtnl;
use vrrp_netlink::rules::Rule;
use vrrp_netlink::sysctl::{self, Saved};

pub(super) use addresses::Installation;
use announce::Announcer;
pub(super) use announce::{Extra, Pace};
pub(super) use routes::Routed;
pub(super) use rules::Ruled;
pub(super) use table::{Entries, Table, Work};
use table::{Held, Lacking};

use super::monitor::Device;
use super::notify::ToNotify;
use super::orders::{Job, Orders, Wanted};
use super::{Feedback, ToElection};

/// Addresses that are installed before the first of them is announced.
const PORTION: usize = 64;
/// Pause before a refused installation is tried again; doubles up to the longest. Each try costs a healthy peer a moment,
/// because a router claims before it installs.
const RETRY: Duration = Duration::from_secs(30);
const LONGEST_RETRY: Duration = Duration::from_secs(600);
/// Pause before a refused removal is tried again, and tries when the daemon stops.
const REMOVAL_RETRY: Duration = Duration::from_secs(1);
const REMOVAL_TRIES: usize = 3;
/// Rounds of announcements at once; a kernel thread that was held up longer leaves out the others.
const MOST_ROUNDS: u32 = 100;
/// Stands for the name of a router where there is none.
const STATIC: &str = "static";

/// The kernel thread's state.
pub(super) struct Kernel {
    rtnl: Rtnl,
    announcer: Announcer,
    routers: Vec<Router>,
    statics: Statics,
    devices: Vec<Device>,
    orders: Orders,
    election: ToElection,
    notify: ToNotify,
}

struct Router {
    table: Table,
    /// The order that was carried out last.
    done: Wanted,
    held: Held,
    /// Of what is wanted, a successor serves these.
    handed_over: Vec<IpAddr>,
    announced: u32,
    /// When the addresses on other interfaces are announced again.
    extra_due: Option<Instant>,
    /// An interface of its addresses is missing; the election was told.
    incomplete: bool,
    /// When something that was refused may be tried again, and the pause after the next refusal.
    retry: Option<Instant>,
    pause: Duration,
}

/// What the host has whoever is Master.
#[derive(Default)]
struct Statics {
    entries: Entries,
    held: Held,
    /// When what was refused may be tried again.
    retry: Option<Instant>,
    /// Groups that depend on some of it, and what the election knows of them.
    groups: Vec<(TrackerId, Status)>,
    promote: Vec<String>,
    saved: Vec<Saved>,
}

impl Kernel {
    /// `leftovers` are the routers of which addresses were found on the host.
    pub(super) fn new(
        work: Work,
        devices: Vec<Device>,
        leftovers: &[RouterId],
        orders: Orders,
        election: ToElection,
        notify: ToNotify,
    ) -> vrrp_netlink::Result<Self> {
        let Work { tables, statics, groups, promote, paces } = work;
        let groups = groups.into_iter().map(|tracker| (tracker, Status::Up)).collect();
        let routers = tables
            .into_iter()
            .map(|table| Router {
                held: if leftovers.contains(&table.id) { Held::all(&table.entries, &devices) } else { Held::default() },
                table,
                done: Wanted { epoch: 0, addresses: Addresses::Remove },
                handed_over: Vec::new(),
                announced: 0,
                extra_due: None,
                incomplete: false,
                retry: None,
                pause: RETRY,
            })
            .collect();
        let statics = Statics { entries: statics, groups, promote, ..Statics::default() };
        let (rtnl, announcer) = (Rtnl::open()?, Announcer::new(paces)?);
        Ok(Self { rtnl, announcer, routers, statics, devices, orders, election, notify })
    }

    /// Carries out orders until [`Job::Stop`]; whether every address is gone then.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) -> bool {
        self.promote_secondaries();
        self.add_statics(false);
        loop {
            let due = self.routers.iter().flat_map(|router| [router.retry, router.extra_due]).flatten();
            let due = due.chain(self.statics.retry).chain(self.announcer.next()).min();
            let job = match due {
                None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => jobs.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            self.apply();
            self.announce_later();
            match job {
                Ok(Job::Look) => {}
                Ok(Job::Device(device)) => self.device(device),
                Ok(Job::Missing(address)) => self.missing(&address),
                Ok(Job::Duplicate(address)) => self.duplicate(&address),
                Ok(Job::RouteMissing(route)) => {
                    self.repair_where(|held| held.routes.iter().any(|ours| ours.same_place(&route)));
                }
                Ok(Job::RuleMissing(rule)) => {
                    let same = |ours: &Rule| ours.priority == rule.priority && ours.family == rule.family;
                    self.repair_where(|held| held.rules.iter().any(same));
                }
                Ok(Job::Recheck) => self.repair_where(|held| !held.is_empty()),
                Ok(Job::Notify(event)) => self.notify.send(event),
                Err(RecvTimeoutError::Timeout) => self.try_again(Instant::now()),
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return self.stop(),
            }
        }
    }

    /// Brings the host to what is wanted at this moment.
    fn apply(&mut self) {
        self.orders.looked();
        self.hand_over();
        loop {
            let removed = self.remove();
            let installed = self.install_portion();
            self.announce();
            if !removed && !installed {
                return;
            }
        }
    }

    /// Removes everything that is no longer wanted, in the opposite order of its installation; whether there was something.
    fn remove(&mut self) -> bool {
        let mut going = Vec::new();
        let mut addresses = Vec::new();
        let mut something = false;
        for index in (0..self.routers.len()).rev() {
            let wanted = self.orders.wanted(index);
            let router = &mut self.routers[index];
            if wanted == router.done || wanted.addresses != Addresses::Remove {
                continue;
            }
            router.done = wanted;
            router.announced = self.orders.rounds(index);
            router.handed_over.clear();
            router.extra_due = None;
            something |= !router.held.is_empty();
            router.held.remove_routing(&mut self.rtnl);
            if !router.held.is_empty() {
                addresses.append(&mut router.held.addresses);
                going.resize(addresses.len(), index);
            }
            if !router.held.is_empty() {
                router.retry = Some(Instant::now() + REMOVAL_RETRY);
            }
        }
        self.remove_these(&going, addresses);
        something
    }

    /// `going` says which router each address belongs to.
    fn remove_these(&mut self, going: &[usize], addresses: Vec<Address>) {
        if addresses.is_empty() {
            return;
        }
        let before = addresses.iter().any(addresses::in_a_subnet).then(|| self.rtnl.addresses().unwrap_or_default());
        let results = self.rtnl.remove_addresses(&addresses);
        if let Some(before) = before {
            addresses::restore(&mut self.rtnl, &before, &addresses);
        }
        for ((index, address), result) in going.iter().zip(addresses).zip(results) {
            let router = &mut self.routers[*index];
            match result {
                Ok(Change::Done | Change::AlreadySo) => {}
                // An interface that is gone took its addresses with it.
                Err(error) if addresses::is_gone(&error) => {}
                Err(error) => {
                    tracing::error!("({}) {} is still on this host: {error}", router.table.name, address.address);
                    router.held.addresses.push(address);
                    router.retry = Some(Instant::now() + REMOVAL_RETRY);
                }
            }
        }
    }

    /// Installs what some routers want that is not there; whether there were any.
    fn install_portion(&mut self) -> bool {
        let mut coming = Vec::new();
        let mut addresses = Vec::new();
        for index in 0..self.routers.len() {
            let wanted = self.orders.wanted(index);
            let router = &mut self.routers[index];
            if wanted == router.done || wanted.addresses != Addresses::Install {
                continue;
            }
            router.done = wanted;
            router.announced = self.orders.rounds(index);
            router.handed_over.clear();
            let before = addresses.len();
            addresses.extend(addresses::found(&router.table.entries, &self.devices).map(|(_, address)| address));
            coming.push((index, wanted.epoch, before..addresses.len()));
            if addresses.len() >= PORTION {
                break;
            }
        }
        if coming.is_empty() {
            return false;
        }
        let results = self.rtnl.add_addresses(&addresses);
        for (index, epoch, range) in coming {
            let router = &mut self.routers[index];
            let entries = &router.table.entries;
            let name = &router.table.name;
            router.held = Held::all(entries, &self.devices);
            router.incomplete = range.len() < entries.addresses.len();
            let mut installed = !router.incomplete;
            if router.incomplete {
                tracing::error!("({name}) an interface of its addresses does not exist");
            }
            let found = addresses::found(entries, &self.devices);
            for ((installation, _), result) in found.zip(&results[range]) {
                if let Err(error) = result {
                    installed = false;
                    let (address, line) = (installation.address, &installation.line);
                    tracing::error!("({name}) {address} ({line}) cannot be served: {error}");
                }
            }
            let id = router.table.id;
            if installed {
                router.pause = RETRY;
                router.extra_due = router.table.extra.as_ref().map(|extra| Instant::now() + extra.every);
                // What is refused here costs nobody the addresses: another host may be no better off.
                if add_routing(&mut self.rtnl, &self.devices, name, entries, false).again {
                    router.retry = Some(Instant::now() + RETRY);
                }
                self.election.send(Feedback::Installed { router: id, epoch });
            } else if self.orders.wanted(index).epoch == epoch {
                if !router.incomplete {
                    router.retry = Some(Instant::now() + router.pause);
                    router.pause = router.pause.saturating_mul(2).min(LONGEST_RETRY);
                }
                let fault = if router.incomplete { Faults::NO_INTERFACE } else { Faults::INSTALL };
                self.election.send(Feedback::Fault { router: id, fault, present: true });
            }
        }
        true
    }

    /// Sends the rounds of announcements that were asked for since the last look.
    fn announce(&mut self) {
        for index in 0..self.routers.len() {
            let rounds = self.orders.rounds(index);
            let router = &mut self.routers[index];
            if rounds == router.announced || router.done.addresses != Addresses::Install {
                continue;
            }
            let times = rounds.wrapping_sub(router.announced).min(MOST_ROUNDS);
            router.announced = rounds;
            // What was asked for before the release came too late.
            if !router.handed_over.is_empty() {
                continue;
            }
            for _ in 0..times {
                self.announcer.all(index, &router.table, &self.devices);
            }
        }
    }

    /// Sends the announcements whose turn has come.
    fn announce_later(&mut self) {
        let now = Instant::now();
        for (index, router) in self.routers.iter_mut().enumerate() {
            if let (Some(extra), Some(due)) = (&router.table.extra, router.extra_due)
                && due <= now
            {
                router.extra_due = Some(now + extra.every);
                if !router.handed_over.is_empty() {
                    continue;
                }
                self.announcer.elsewhere(index, &router.table, &self.devices);
            }
        }
        let routers = &self.routers;
        let serving = |index: usize| {
            let router = routers.get(index)?;
            let serving = router.done.addresses == Addresses::Install && router.handed_over.is_empty();
            serving.then_some(&router.table)
        };
        self.announcer.flush(serving, &self.devices);
    }

    /// An interface is there under another index, or with another MAC address, or no longer.
    fn device(&mut self, device: Device) {
        let Some(place) = self.devices.iter().position(|known| known.name == device.name) else { return };
        let moved = self.devices[place].index != device.index;
        self.devices[place] = device;
        for index in 0..self.routers.len() {
            let router = &self.routers[index];
            if !router.table.entries.uses(place) {
                continue;
            }
            let complete = router
                .table
                .entries
                .addresses
                .iter()
                .all(|i| self.devices.get(i.device).is_some_and(addresses::exists));
            let (id, incomplete) = (router.table.id, router.incomplete);
            if !complete && !incomplete && router.done.addresses == Addresses::Install {
                self.routers[index].incomplete = true;
                self.election.send(Feedback::Fault { router: id, fault: Faults::NO_INTERFACE, present: true });
            } else if complete && incomplete {
                self.routers[index].incomplete = false;
                let fault = Faults::NO_INTERFACE | Faults::INSTALL;
                self.election.send(Feedback::Fault { router: id, fault, present: false });
            } else if complete && moved && router.done.addresses == Addresses::Install {
                self.repair(index);
            }
        }
        if self.statics.entries.uses(place) {
            self.add_statics(true);
        }
    }

    /// An address is gone from the host; when it is one of ours, somebody else removed it.
    fn missing(&mut self, gone: &Address) {
        self.repair_where(|held| {
            let same =
                |a: &Address| a.index == gone.index && a.address == gone.address && a.prefix_len == gone.prefix_len;
            held.addresses.iter().any(same)
        });
    }

    /// An address that the kernel does not use is served by nobody here, until it is tried again.
    fn duplicate(&mut self, address: &Address) {
        let same = |a: &Address| a.index == address.index && a.address == address.address;
        for router in &mut self.routers {
            if router.done.addresses == Addresses::Install && router.held.addresses.iter().any(same) {
                let (name, address) = (&router.table.name, address.address);
                tracing::error!(
                    "({name}) {address} cannot be served: another host on the LAN has it (duplicate address detection)"
                );
                router.retry = Some(Instant::now() + router.pause);
                router.pause = router.pause.saturating_mul(2).min(LONGEST_RETRY);
                self.election.send(Feedback::Fault { router: router.table.id, fault: Faults::INSTALL, present: true });
            }
        }
    }

    /// Repairs what holds this and is to have it.
    fn repair_where(&mut self, concerned: impl Fn(&Held) -> bool) {
        for index in 0..self.routers.len() {
            let router = &self.routers[index];
            if router.done.addresses == Addresses::Install && concerned(&router.held) {
                self.repair(index);
            }
        }
        if concerned(&self.statics.held) {
            self.add_statics(true);
        }
    }

    /// Puts back what a serving router lacks, and announces its addresses.
    fn repair(&mut self, index: usize) {
        let router = &mut self.routers[index];
        let (entries, name) = (&router.table.entries, &router.table.name);
        router.held = Held::all(entries, &self.devices);
        router.held.addresses.retain(|one| !router.handed_over.contains(&one.address));
        let handed_over = &router.handed_over;
        let (back, lacking) = repair_addresses(&mut self.rtnl, &self.devices, name, entries, handed_over);
        if lacking.again {
            router.retry = Some(Instant::now() + router.pause);
            self.election.send(Feedback::Fault { router: router.table.id, fault: Faults::INSTALL, present: true });
            return;
        }
        if add_routing(&mut self.rtnl, &self.devices, name, entries, true).again {
            router.retry = Some(Instant::now() + RETRY);
        }
        if back && router.handed_over.is_empty() {
            self.announcer.all(index, &self.routers[index].table, &self.devices);
        }
    }

    fn promote_secondaries(&mut self) {
        for interface in &self.statics.promote {
            match Saved::set(sysctl::Family::V4, interface, "promote_secondaries", "1") {
                Ok(saved) => self.statics.saved.push(saved),
                Err(error) => tracing::error!("{error}"),
            }
        }
    }

    /// Adds what the host has whoever is Master, at the start or as a `repair`.
    fn add_statics(&mut self, repair: bool) {
        let statics = &mut self.statics;
        statics.retry = None;
        statics.held = Held::all(&statics.entries, &self.devices);
        let mut lacking = Lacking::default();
        if repair {
            lacking = repair_addresses(&mut self.rtnl, &self.devices, STATIC, &statics.entries, &[]).1;
        } else {
            let (installations, found): (Vec<_>, Vec<_>) = addresses::found(&statics.entries, &self.devices).unzip();
            for (installation, result) in installations.iter().zip(self.rtnl.add_addresses(&found)) {
                if let Err(error) = result {
                    lacking.refused(installation.group);
                    tracing::error!("({STATIC}) {} ({}): {error}", installation.address, installation.line);
                }
            }
        }
        for installation in &statics.entries.addresses {
            if !self.devices.get(installation.device).is_some_and(addresses::exists) {
                lacking.absent(installation.group);
            }
        }
        let lacking = lacking.and(add_routing(&mut self.rtnl, &self.devices, STATIC, &statics.entries, repair));
        if lacking.again {
            statics.retry = Some(Instant::now() + RETRY);
        }
        for (number, (tracker, told)) in statics.groups.iter_mut().enumerate() {
            let status = if lacking.groups.contains(&number) { Status::Down } else { Status::Up };
            if *told != status {
                *told = status;
                self.election.send(Feedback::Tracked { tracker: *tracker, status });
            }
        }
    }

    /// Lets the election try routers again whose installation was refused, and removes what could not be removed.
    fn try_again(&mut self, now: Instant) {
        for index in 0..self.routers.len() {
            let router = &mut self.routers[index];
            if router.retry.is_none_or(|at| at > now) {
                continue;
            }
            router.retry = None;
            match router.done.addresses {
                Addresses::Remove if !router.held.is_empty() => self.remove_held(index),
                // Its addresses are there: routes or rules were refused.
                Addresses::Install if !router.incomplete => self.repair(index),
                Addresses::Remove | Addresses::Install => {}
            }
            let router = &self.routers[index];
            self.election.send(Feedback::Fault { router: router.table.id, fault: Faults::INSTALL, present: false });
        }
        if self.statics.retry.is_some_and(|at| at <= now) {
            self.add_statics(true);
        }
    }

    /// Removes what a router holds; what cannot be removed stays.
    fn remove_held(&mut self, index: usize) {
        let router = &mut self.routers[index];
        router.held.remove_routing(&mut self.rtnl);
        let addresses = std::mem::take(&mut router.held.addresses);
        self.remove_these(&vec![index; addresses.len()], addresses);
    }

    /// Everything is to be removed by now; the last tries.
    fn stop(mut self) -> bool {
        for _ in 0..REMOVAL_TRIES {
            let left: Vec<usize> = (0..self.routers.len()).filter(|i| !self.routers[*i].held.is_empty()).collect();
            if left.is_empty() {
                break;
            }
            for index in left {
                self.remove_held(index);
            }
        }
        let gone = self.routers.iter().all(|router| router.held.is_empty()) & self.remove_statics();
        for saved in self.statics.saved.drain(..) {
            if let Err(error) = saved.restore() {
                tracing::error!("{error}");
            }
        }
        gone
    }

    /// Whether all of them are gone.
    fn remove_statics(&mut self) -> bool {
        let mut held = std::mem::take(&mut self.statics.held);
        held.remove_routing(&mut self.rtnl);
        let mut gone = held.routes.is_empty() && held.rules.is_empty();
        let addresses = std::mem::take(&mut held.addresses);
        for (address, result) in addresses.iter().zip(self.rtnl.remove_addresses(&addresses)) {
            if let Err(error) = result
                && !addresses::is_gone(&error)
            {
                tracing::error!("({STATIC}) {} is still on this host: {error}", address.address);
                gone = false;
            }
        }
        gone
    }
}

/// Adds the addresses of `entries` that are tracked and not there; whether there were any, and which could not be added.
/// Those in `except` are meant to be gone.
fn repair_addresses(
    rtnl: &mut Rtnl,
    devices: &[Device],
    who: &str,
    entries: &Entries,
    except: &[IpAddr],
) -> (bool, Lacking) {
    let missed = |one: &Installation| one.tracked && !except.contains(&one.address);
    let tracked = addresses::found(entries, devices).filter(|(installation, _)| missed(installation));
    let (installations, addresses): (Vec<_>, Vec<_>) = tracked.unzip();
    let (mut back, mut lacking) = (false, Lacking::default());
    for ((installation, address), result) in installations.iter().zip(&addresses).zip(rtnl.add_addresses(&addresses)) {
        match result {
            Ok(Change::Done) => {
                tracing::warn!("({who}) {} was removed by somebody else: put back", address.address);
                back = true;
            }
            Ok(Change::AlreadySo) => {}
            // News about the interface itself follows.
            Err(error) if addresses::is_gone(&error) => lacking.absent(installation.group),
            Err(error) => {
                tracing::error!("({who}) {} was removed and cannot be put back: {error}", address.address);
                lacking.refused(installation.group);
            }
        }
    }
    (back, lacking)
}

/// Adds routes, then rules.
fn add_routing(rtnl: &mut Rtnl, devices: &[Device], who: &str, entries: &Entries, repair: bool) -> Lacking {
    let routes = routes::add(rtnl, devices, who, entries, repair);
    let rules = rules::add(rtnl, who, entries, repair);
    routes.and(rules)
}

/// Removes everything, for a kernel thread that cannot any more.
pub(super) fn remove_all(work: &Work, devices: &[Device]) -> vrrp_netlink::Result<()> {
    let mut rtnl = Rtnl::open()?;
    let all = work.tables.iter().map(|table| &table.entries).chain([&work.statics]);
    all.map(|entries| Held::all(entries, devices)).try_for_each(|mut held| {
        held.remove_routing(&mut rtnl);
        rtnl.remove_addresses(&held.addresses).into_iter().try_for_each(|result| result.map(|_| ()))
    })
}
