//! What the election thread wants of the kernel thread: a level for each router, newest wins, not a queue that can fill.
//!
//! Writing an order never blocks and never allocates in proportion to how far the kernel thread lags behind.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender};
use vrrp_core::fsm::Addresses;
use vrrp_core::node::RouterId;
use vrrp_netlink::addresses::Address;
use vrrp_netlink::packet::DatagramEar;
use vrrp_netlink::routes::Route;
use vrrp_netlink::rules::Rule;

use super::lease::Lease;
use super::monitor::Device;
use super::notify;

/// Work for the kernel thread, besides the levels.
pub(super) enum Job {
    /// Look at the levels.
    Look,
    /// An interface changed its index or MAC address.
    Device(Device),
    /// An address is gone from the host.
    Missing(Address),
    /// Another host has this address of IPv6: the kernel asked, and does not use it.
    Duplicate(Address),
    /// A route is gone from the host.
    RouteMissing(Box<Route>),
    /// A routing rule is gone from the host.
    RuleMissing(Box<Rule>),
    /// A virtual interface of this name was switched on or off, by us or by somebody else.
    Switched(String),
    /// Anything may be gone from the host without a word: news was lost, or an interface was switched off and on.
    Recheck,
    /// Something happened to the table of nftables.
    Filter,
    /// Hand this to the notify thread once the addresses are as wanted now.
    Notify(notify::Event),
    /// Close this socket, for which the kernel takes its time.
    Close(Box<DatagramEar>),
    /// Carry out what is wanted, then end.
    Stop,
}

/// One address goes to another host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct HandOver {
    /// Index of the router.
    pub(super) router: usize,
    pub(super) address: IpAddr,
    /// Where its successor has it.
    pub(super) mac: [u8; 6],
    /// The epoch in which it was installed.
    pub(super) epoch: u64,
}

/// One address is to be announced once, because another host claims it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Defence {
    /// Index of the router.
    pub(super) router: usize,
    pub(super) address: IpAddr,
}

/// The orders' two ends share this.
#[derive(Clone)]
pub(super) struct Orders {
    shared: Arc<Shared>,
    jobs: Sender<Job>,
    /// At most one for each address and release.
    handovers: (Sender<HandOver>, Receiver<HandOver>),
    /// At most one for each address in ten seconds.
    defences: (Sender<Defence>, Receiver<Defence>),
    /// What both know of the lifetimes of addresses.
    pub(super) lease: Lease,
}

struct Shared {
    slots: Box<[Slot]>,
    /// A [`Job::Look`] is on its way.
    looking: AtomicBool,
}

#[derive(Default)]
struct Slot {
    /// Epoch in the upper bits, whether to install in the lowest.
    wanted: AtomicU64,
    /// Rounds of announcements asked for so far.
    rounds: AtomicU32,
}

/// A level as the kernel thread reads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Wanted {
    /// Grows with every change.
    pub(super) epoch: u64,
    /// What is wanted.
    pub(super) addresses: Addresses,
}

/// Orders for `routers` routers, nothing installed, and the kernel thread's end.
pub(super) fn orders(routers: usize, lease: Lease) -> (Orders, Receiver<Job>) {
    let (jobs, receiver) = crossbeam_channel::unbounded();
    let slots = (0..routers).map(|_| Slot::default()).collect();
    let shared = Arc::new(Shared { slots, looking: AtomicBool::new(false) });
    let (handovers, defences) = (crossbeam_channel::unbounded(), crossbeam_channel::unbounded());
    (Orders { shared, jobs, handovers, defences, lease }, receiver)
}

impl Orders {
    /// Wants a router's addresses installed or removed from now on.
    pub(super) fn set(&self, router: RouterId, addresses: Addresses, epoch: u64) {
        self.store(router.index(), addresses, epoch);
        self.look();
    }

    /// Wants one more round of announcements for a router.
    pub(super) fn announce(&self, router: RouterId) {
        if let Some(slot) = self.shared.slots.get(router.index()) {
            slot.rounds.fetch_add(1, Ordering::AcqRel);
            self.look();
        }
    }

    /// Wants one address removed, and announced where its successor has it.
    pub(super) fn hand_over(&self, order: HandOver) {
        // It cannot fail: this end holds the other one, too.
        let _ = self.handovers.0.send(order);
        self.look();
    }

    /// Wants one address announced once, because another host claims it.
    pub(super) fn defend(&self, router: RouterId, address: IpAddr) {
        // It cannot fail: this end holds the other one, too.
        let _ = self.defences.0.send(Defence { router: router.index(), address });
        self.look();
    }

    /// The kernel thread's side: what is to be defended since the last look.
    pub(super) fn defended(&self) -> impl Iterator<Item = Defence> + '_ {
        self.defences.1.try_iter()
    }

    /// The kernel thread's side: what is to be handed over since the last look.
    pub(super) fn handed_over(&self) -> impl Iterator<Item = HandOver> + '_ {
        self.handovers.1.try_iter()
    }

    /// Wants nothing installed any more.
    pub(super) fn remove_all(&self) {
        for index in 0..self.shared.slots.len() {
            if self.wanted(index).addresses == Addresses::Install {
                self.store(index, Addresses::Remove, self.wanted(index).epoch.saturating_add(1));
            }
        }
        self.look();
    }

    /// Queues a job behind the orders given so far.
    pub(super) fn job(&self, job: Job) {
        // It fails only when the kernel thread is gone; its end is reported by itself.
        let _ = self.jobs.send(job);
    }

    /// Lets the kernel thread finish.
    pub(super) fn stop(&self) {
        self.job(Job::Stop);
    }

    /// The kernel thread's side: from now on a new order sends a new [`Job::Look`].
    pub(super) fn looked(&self) {
        // A swap, not a store: the levels must not be read before it is seen, or an order in between is lost.
        self.shared.looking.swap(false, Ordering::AcqRel);
    }

    /// What is wanted of the router at `index` now.
    pub(super) fn wanted(&self, index: usize) -> Wanted {
        let raw = self.shared.slots.get(index).map_or(0, |slot| slot.wanted.load(Ordering::Acquire));
        let addresses = if raw & 1 == 1 { Addresses::Install } else { Addresses::Remove };
        Wanted { epoch: raw >> 1, addresses }
    }

    /// How many rounds of announcements the router at `index` was asked for so far; wraps.
    pub(super) fn rounds(&self, index: usize) -> u32 {
        self.shared.slots.get(index).map_or(0, |slot| slot.rounds.load(Ordering::Acquire))
    }

    fn store(&self, index: usize, addresses: Addresses, epoch: u64) {
        if let Some(slot) = self.shared.slots.get(index) {
            slot.wanted.store(epoch << 1 | u64::from(addresses == Addresses::Install), Ordering::Release);
        }
    }

    fn look(&self) {
        if !self.shared.looking.swap(true, Ordering::AcqRel) {
            self.job(Job::Look);
        }
    }
}
