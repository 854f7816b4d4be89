//! The kernel thread: makes addresses and announcements as the election wants them. It may block; nobody waits for it but
//! for its acknowledgements.
//!
//! It reads levels, so that a router which changed its mind meanwhile costs nothing. Removals go before installations;
//! installations go in portions, each acknowledged and announced before the next. What was installed is remembered as it
//! was, so that it is removed also from an interface that has another name by then.

mod addresses;
mod announce;
mod handover;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use vrrp_core::fsm::Addresses;
use vrrp_core::node::RouterId;
use vrrp_netlink::addresses::{Address, Change};
use vrrp_netlink::packet::PacketSocket;
use vrrp_netlink::rtnl::Rtnl;

pub(super) use addresses::Installation;

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

/// A router's addresses.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) id: RouterId,
    pub(super) name: String,
    pub(super) addresses: Vec<Installation>,
}

/// The kernel thread's state.
pub(super) struct Kernel {
    rtnl: Rtnl,
    packets: PacketSocket,
    routers: Vec<Router>,
    devices: Vec<Device>,
    orders: Orders,
    election: ToElection,
    notify: ToNotify,
}

struct Router {
    table: Table,
    /// The order that was carried out last.
    done: Wanted,
    /// Addresses that may be on the host because of us.
    installed: Vec<Address>,
    /// Of what is wanted, a successor serves these.
    handed_over: Vec<IpAddr>,
    announced: u32,
    /// An interface of its addresses is missing; the election was told.
    incomplete: bool,
    /// When something that was refused may be tried again, and the pause after the next refusal.
    retry: Option<Instant>,
    pause: Duration,
}

impl Kernel {
    /// `leftovers` are the routers of which addresses were found on the host.
    pub(super) fn new(
        tables: Vec<Table>,
        devices: Vec<Device>,
        leftovers: &[RouterId],
        orders: Orders,
        election: ToElection,
        notify: ToNotify,
    ) -> vrrp_netlink::Result<Self> {
        let routers = tables
            .into_iter()
            .map(|table| Router {
                installed: if leftovers.contains(&table.id) {
                    addresses::removable(&table, &devices)
                } else {
                    Vec::new()
                },
                table,
                done: Wanted { epoch: 0, addresses: Addresses::Remove },
                handed_over: Vec::new(),
                announced: 0,
                incomplete: false,
                retry: None,
                pause: RETRY,
            })
            .collect();
        Ok(Self { rtnl: Rtnl::open()?, packets: PacketSocket::open()?, routers, devices, orders, election, notify })
    }

    /// Carries out orders until [`Job::Stop`]; whether every address is gone then.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) -> bool {
        loop {
            let retry = self.routers.iter().filter_map(|router| router.retry).min();
            let job = match retry {
                None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => jobs.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            self.apply();
            match job {
                Ok(Job::Look) => {}
                Ok(Job::Device(device)) => self.device(device),
                Ok(Job::Missing(address)) => self.missing(&address),
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

    /// Removes everything that is no longer wanted; whether there was something.
    fn remove(&mut self) -> bool {
        let mut going = Vec::new();
        let mut addresses = Vec::new();
        for index in 0..self.routers.len() {
            let wanted = self.orders.wanted(index);
            let router = &mut self.routers[index];
            if wanted == router.done || wanted.addresses != Addresses::Remove {
                continue;
            }
            router.done = wanted;
            router.announced = self.orders.rounds(index);
            router.handed_over.clear();
            addresses.append(&mut router.installed);
            going.resize(addresses.len(), index);
        }
        if addresses.is_empty() {
            return false;
        }
        self.remove_these(&going, addresses);
        true
    }

    /// `going` says which router each address belongs to.
    fn remove_these(&mut self, going: &[usize], addresses: Vec<Address>) {
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
                    router.installed.push(address);
                    router.retry = Some(Instant::now() + REMOVAL_RETRY);
                }
            }
        }
    }

    /// Installs the addresses of some routers that want it; whether there were any.
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
            addresses.extend(addresses::found(&router.table, &self.devices));
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
            router.installed = addresses::removable(&router.table, &self.devices);
            router.incomplete = range.len() < router.table.addresses.len();
            let mut installed = !router.incomplete;
            if router.incomplete {
                tracing::error!("({}) an interface of its addresses does not exist", router.table.name);
            }
            for (address, result) in addresses[range.clone()].iter().zip(&results[range]) {
                if let Err(error) = result {
                    installed = false;
                    tracing::error!("({}) {} cannot be served: {error}", router.table.name, address.address);
                }
            }
            let id = router.table.id;
            if installed {
                router.pause = RETRY;
                self.election.send(Feedback::Installed { router: id, epoch });
            } else if self.orders.wanted(index).epoch == epoch {
                if !router.incomplete {
                    router.retry = Some(Instant::now() + router.pause);
                    router.pause = router.pause.saturating_mul(2).min(LONGEST_RETRY);
                }
                self.election.send(Feedback::InstallFault { router: id, present: true });
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
            router.announced = rounds;
            // What was asked for before the release came too late.
            if !router.handed_over.is_empty() {
                continue;
            }
            announce::all(&self.packets, &router.table, &self.devices);
        }
    }

    /// An interface is there under another index, or with another MAC address, or no longer.
    fn device(&mut self, device: Device) {
        let Some(place) = self.devices.iter().position(|known| known.name == device.name) else { return };
        let moved = self.devices[place].index != device.index;
        self.devices[place] = device;
        for index in 0..self.routers.len() {
            let router = &self.routers[index];
            if !router.table.addresses.iter().any(|installation| installation.device == place) {
                continue;
            }
            let complete =
                router.table.addresses.iter().all(|i| self.devices.get(i.device).is_some_and(addresses::exists));
            let (id, incomplete) = (router.table.id, router.incomplete);
            if !complete && !incomplete && router.done.addresses == Addresses::Install {
                self.routers[index].incomplete = true;
                self.election.send(Feedback::InstallFault { router: id, present: true });
            } else if complete && incomplete {
                self.routers[index].incomplete = false;
                self.election.send(Feedback::InstallFault { router: id, present: false });
            } else if complete && moved && router.done.addresses == Addresses::Install {
                self.repair(index);
            }
        }
    }

    /// An address is gone from the host; when it is one that a router serves, somebody else removed it.
    fn missing(&mut self, gone: &Address) {
        let served = |router: &Router| {
            router.done.addresses == Addresses::Install
                && router
                    .installed
                    .iter()
                    .any(|a| a.index == gone.index && a.address == gone.address && a.prefix_len == gone.prefix_len)
        };
        if let Some(index) = self.routers.iter().position(served) {
            self.repair(index);
        }
    }

    /// Puts back what a serving router lacks, and announces it.
    fn repair(&mut self, index: usize) {
        let router = &mut self.routers[index];
        let (mut addresses, mut ours): (Vec<_>, _) = (
            addresses::found(&router.table, &self.devices).collect(),
            addresses::removable(&router.table, &self.devices),
        );
        for list in [&mut addresses, &mut ours] {
            list.retain(|one| !router.handed_over.contains(&one.address));
        }
        router.installed = ours;
        let results = self.rtnl.add_addresses(&addresses);
        let mut back = false;
        for (address, result) in addresses.iter().zip(results) {
            match result {
                Ok(Change::Done) => {
                    tracing::warn!(
                        "({}) {} was removed by somebody else: put back",
                        router.table.name,
                        address.address
                    );
                    back = true;
                }
                Ok(Change::AlreadySo) => {}
                // News about the interface itself follows.
                Err(error) if addresses::is_gone(&error) => {}
                Err(error) => {
                    let name = &router.table.name;
                    tracing::error!("({name}) {} was removed and cannot be put back: {error}", address.address);
                    router.retry = Some(Instant::now() + router.pause);
                    self.election.send(Feedback::InstallFault { router: router.table.id, present: true });
                }
            }
        }
        if back && router.handed_over.is_empty() {
            announce::all(&self.packets, &router.table, &self.devices);
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
            if router.done.addresses == Addresses::Remove && !router.installed.is_empty() {
                let addresses = std::mem::take(&mut router.installed);
                self.remove_these(&vec![index; addresses.len()], addresses);
            }
            let router = &self.routers[index];
            self.election.send(Feedback::InstallFault { router: router.table.id, present: router.incomplete });
        }
    }

    /// Everything is to be removed by now; the last tries.
    fn stop(mut self) -> bool {
        for _ in 0..REMOVAL_TRIES {
            let left: Vec<usize> = (0..self.routers.len()).filter(|i| !self.routers[*i].installed.is_empty()).collect();
            if left.is_empty() {
                return true;
            }
            for index in left {
                let addresses = std::mem::take(&mut self.routers[index].installed);
                self.remove_these(&vec![index; addresses.len()], addresses);
            }
        }
        self.routers.iter().all(|router| router.installed.is_empty())
    }
}

/// Removes the addresses of all tables, for a kernel thread that cannot any more.
pub(super) fn remove_all(tables: &[Table], devices: &[Device]) -> vrrp_netlink::Result<()> {
    let addresses: Vec<_> = tables.iter().flat_map(|table| addresses::removable(table, devices)).collect();
    Rtnl::open()?.remove_addresses(&addresses).into_iter().try_for_each(|result| result.map(|_| ()))
}
