//! The kernel thread: makes addresses and announcements as the election wants them. It may block; nobody waits for it but
//! for its acknowledgements.
//!
//! It reads levels, so that a router which changed its mind meanwhile costs nothing. Removals go before installations;
//! installations go in portions, each acknowledged and announced before the next.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use vrrp_core::fsm::Addresses;
use vrrp_core::node::RouterId;
use vrrp_core::wire::arp::GratuitousArp;
use vrrp_core::wire::nd::{FRAME_LEN, NeighbourAdvertisement};
use vrrp_netlink::addresses::{Address, Scope};
use vrrp_netlink::packet::PacketSocket;
use vrrp_netlink::rtnl::Rtnl;

use super::monitor::Device;
use super::orders::{Job, Orders, Wanted};
use super::{Feedback, ToElection, notify};

/// Addresses that are installed before the first of them is announced.
const PORTION: usize = 64;
/// Pause before a refused installation is tried again; doubles up to the longest.
const RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(300);
/// Tries to hand a frame to an interface whose queue is full, a millisecond apart.
const SEND_TRIES: u32 = 20;

/// A virtual address as it is installed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Installation {
    /// Index into the devices.
    pub(super) device: usize,
    pub(super) address: IpAddr,
    pub(super) prefix_len: u8,
    pub(super) broadcast: Option<std::net::Ipv4Addr>,
    pub(super) scope: Scope,
    pub(super) label: Option<String>,
    /// The address owner's own address: it was there before us and stays.
    pub(super) owned: bool,
}

/// A router's addresses and how far they are.
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
    notify: Sender<notify::Event>,
}

struct Router {
    table: Table,
    /// The order that was carried out last.
    done: Wanted,
    /// Some of its addresses may be installed.
    present: bool,
    announced: u32,
    /// When a refused installation may be tried again, and the pause after the next refusal.
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
        notify: Sender<notify::Event>,
    ) -> vrrp_netlink::Result<Self> {
        let routers = tables
            .into_iter()
            .map(|table| Router {
                present: leftovers.contains(&table.id),
                table,
                done: Wanted { epoch: 0, addresses: Addresses::Remove },
                announced: 0,
                retry: None,
                pause: RETRY,
            })
            .collect();
        Ok(Self { rtnl: Rtnl::open()?, packets: PacketSocket::open()?, routers, devices, orders, election, notify })
    }

    /// Carries out orders until [`Job::Stop`].
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            let retry = self.routers.iter().filter_map(|router| router.retry).min();
            let job = match retry {
                None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => jobs.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            self.apply();
            match job {
                Ok(Job::Look) => {}
                Ok(Job::Device(device)) => {
                    if let Some(known) = self.devices.iter_mut().find(|known| known.name == device.name) {
                        *known = device;
                    }
                }
                Ok(Job::Notify(event)) => {
                    // It fails only when the notify thread is gone, which was reported.
                    let _ = self.notify.send(event);
                }
                Err(RecvTimeoutError::Timeout) => self.try_again(Instant::now()),
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Brings the host to what is wanted at this moment.
    fn apply(&mut self) {
        self.orders.looked();
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
            if std::mem::take(&mut router.present) {
                let kept = router.table.addresses.iter().filter(|installation| !installation.owned);
                addresses.extend(kept.filter_map(|installation| address(installation, &self.devices)));
                going.extend(std::iter::repeat_n(index, addresses.len() - going.len()));
            }
        }
        if addresses.is_empty() {
            return false;
        }
        let results = self.rtnl.remove_addresses(&addresses);
        for ((index, address), result) in going.iter().zip(&addresses).zip(results) {
            match result {
                // An interface that is gone took its addresses with it.
                Err(error) if error.errno() != Some(nix::errno::Errno::ENODEV as i32) => {
                    let (name, address) = (&self.routers[*index].table.name, address.address);
                    tracing::error!("({name}) {address} is still on this host: {error}");
                }
                Ok(_) | Err(_) => {}
            }
        }
        true
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
            router.present = true;
            router.announced = self.orders.rounds(index);
            let found = router.table.addresses.iter().map(|installation| address(installation, &self.devices));
            let before = addresses.len();
            addresses.extend(found.flatten());
            let complete = addresses.len() - before == router.table.addresses.len();
            coming.push((index, wanted.epoch, before..addresses.len(), complete));
            if addresses.len() >= PORTION {
                break;
            }
        }
        if coming.is_empty() {
            return false;
        }
        let results = self.rtnl.add_addresses(&addresses);
        for (index, epoch, range, complete) in coming {
            let router = &mut self.routers[index];
            let mut installed = complete;
            if !complete {
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
            } else {
                router.retry = Some(Instant::now() + router.pause);
                router.pause = router.pause.saturating_mul(2).min(LONGEST_RETRY);
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
            for installation in &router.table.addresses {
                if let Err(error) = announce(&self.packets, installation, &self.devices) {
                    tracing::warn!("({}) {} not announced: {error}", router.table.name, installation.address);
                }
            }
        }
    }

    /// Lets the election try routers again whose installation was refused.
    fn try_again(&mut self, now: Instant) {
        for router in &mut self.routers {
            if router.retry.is_some_and(|at| at <= now) {
                router.retry = None;
                self.election.send(Feedback::InstallFault { router: router.table.id, present: false });
            }
        }
    }
}

/// `None` when its interface does not exist at the moment.
fn address(installation: &Installation, devices: &[Device]) -> Option<Address> {
    let index = devices.get(installation.device)?.index?;
    let mut address = Address::new(index, installation.address, installation.prefix_len);
    address.broadcast = installation.broadcast;
    address.scope = installation.scope;
    address.label.clone_from(&installation.label);
    Some(address)
}

fn announce(packets: &PacketSocket, installation: &Installation, devices: &[Device]) -> vrrp_netlink::Result<()> {
    let device = devices.get(installation.device);
    // An interface without an Ethernet address has nobody to tell.
    let (Some(index), Some(mac)) = (device.and_then(|d| d.index), device.and_then(|d| d.mac)) else { return Ok(()) };
    let mut frame = [0; FRAME_LEN];
    let frame = match installation.address {
        IpAddr::V4(address) => GratuitousArp { mac, address }.emit(&mut frame),
        IpAddr::V6(address) => NeighbourAdvertisement { mac, address, router: true }.emit(&mut frame),
    };
    let Ok(frame) = frame else { return Ok(()) };
    for _ in 1..SEND_TRIES {
        match packets.send(index, frame) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(1));
            }
            other => return other,
        }
    }
    packets.send(index, frame)
}
