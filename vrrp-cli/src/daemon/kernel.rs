//! The kernel thread: makes addresses and announcements as the election wants them. It may block; nobody waits for it but
//! for its acknowledgements.
//!
//! It reads levels, so that a router which changed its mind meanwhile costs nothing. Removals go before installations;
//! installations go in portions, each acknowledged and announced before the next. What was installed is remembered as it
//! was, so that it is removed also from an interface that has another name by then.

mod addresses;
mod announce;
mod estate;
mod fights;
mod filter;
mod handover;
mod lease;
mod levels;
mod repair;
mod routes;
mod rules;
mod statics;
mod table;
mod virtuals;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use vrrp_core::fsm::Addresses;
use vrrp_core::node::RouterId;
use vrrp_netlink::firewall::Firewall;
use vrrp_netlink::rtnl::Rtnl;
use vrrp_netlink::rules::Rule;

pub(super) use addresses::{Installation, is_gone, remove as remove_addresses};
use announce::Announcer;
pub(super) use announce::{Extra, Pace};
pub(super) use estate::Estate;
use fights::Fights;
use filter::Filter;
pub(super) use filter::Filtering;
pub(super) use routes::Routed;
pub(super) use rules::Ruled;
use statics::Statics;
use table::Held;
pub(super) use table::{Entries, Table, Work};
pub(super) use virtuals::{NotMade, Virtual, Virtuals, virtual_interfaces};

use super::monitor::Device;
use super::notify::ToNotify;
use super::orders::{Defence, Job, Orders, Wanted};
use super::{ServeError, ToElection};

/// Pause before a refused installation is tried again; doubles up to the longest. Each try costs a healthy peer a moment,
/// because a router claims before it installs.
const RETRY: Duration = Duration::from_secs(30);
const LONGEST_RETRY: Duration = Duration::from_secs(600);
/// Tries of a removal that is refused when the daemon stops.
const REMOVAL_TRIES: usize = 3;
/// Rounds of announcements at once; a kernel thread that was held up longer leaves out the others.
const MOST_ROUNDS: u32 = 100;

/// The kernel thread's state.
pub(super) struct Kernel {
    rtnl: Rtnl,
    announcer: Announcer,
    routers: Vec<Router>,
    statics: Statics,
    filter: Filter,
    virtuals: Virtuals,
    devices: Vec<Device>,
    orders: Orders,
    election: ToElection,
    notify: ToNotify,
    estate: Estate,
    fights: Fights,
    /// A renewal that could not be made is not tried again before.
    renewal: Option<Instant>,
}

struct Router {
    table: Arc<Table>,
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
    /// When somebody goes on removing its addresses, the pause after letting go.
    contest: Duration,
}

impl Router {
    /// Whether it serves all of its addresses.
    fn serves(&self) -> bool {
        self.done.addresses == Addresses::Install && self.handed_over.is_empty()
    }
}

impl Kernel {
    /// `leftovers` are the routers of which addresses were found on the host.
    pub(super) fn new(
        work: Work,
        virtuals: Virtuals,
        devices: Vec<Device>,
        leftovers: &[RouterId],
        (orders, election): (Orders, ToElection),
        notify: ToNotify,
        mut estate: Estate,
    ) -> Result<Self, ServeError> {
        let Work { tables, statics, groups, promote, paces, filtering, lease: _, virtuals: _ } = work;
        let routers = tables
            .into_iter()
            .map(|table| (!table.entries.is_complete(&devices), table))
            .map(|(incomplete, table)| Router {
                held: if leftovers.contains(&table.id) { Held::all(&table.entries, &devices) } else { Held::default() },
                table,
                done: Wanted { epoch: 0, addresses: Addresses::Remove },
                handed_over: Vec::new(),
                announced: 0,
                extra_due: None,
                incomplete,
                retry: None,
                pause: RETRY,
                contest: RETRY,
            })
            .collect();
        let statics = Statics::new(statics, groups, promote);
        let (rtnl, announcer) = (Rtnl::open()?, Announcer::new(paces)?);
        if let Some(firewall) = filtering.kept() {
            estate.filter(Some(firewall.table()), &devices);
        }
        let filter = Filter::start(&filtering, &election)?;
        let renewal = None;
        Ok(Self {
            rtnl,
            announcer,
            routers,
            statics,
            filter,
            virtuals,
            devices,
            orders,
            election,
            notify,
            estate,
            fights: Fights::default(),
            renewal,
        })
    }

    /// Carries out orders until [`Job::Stop`]; whether every address is gone then.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) -> bool {
        self.promote_secondaries();
        self.add_statics(false);
        self.take_over();
        loop {
            let due = self.routers.iter().flat_map(|router| [router.retry, router.extra_due]).flatten();
            let due = due.chain(self.statics.retry).chain(self.announcer.next()).chain(self.renewal());
            let due = due.chain(self.fights.due()).min();
            let job = match due {
                None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => jobs.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            self.apply();
            self.announce_later();
            self.renew();
            match job {
                Ok(Job::Look) | Err(RecvTimeoutError::Timeout) => {}
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
                Ok(Job::Switched(name)) => self.switched(&name),
                Ok(Job::Recheck) => self.repair_where(|held| !held.is_empty()),
                Ok(Job::Filter) => self.filter.look(),
                Ok(Job::Notify(event)) => self.notify.send(event),
                Ok(Job::Close(ear)) => drop(ear),
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return self.stop(),
            }
            // However many jobs there are.
            self.try_again(Instant::now());
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
            self.defend();
            if !removed && !installed {
                self.estate.write(&self.devices);
                return;
            }
        }
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

    /// Announces what another host claims, where it is served.
    fn defend(&mut self) {
        let defended: Vec<_> = self.orders.defended().collect();
        for Defence { router: index, address } in defended {
            let Some(router) = self.routers.get(index).filter(|router| router.serves()) else { continue };
            self.announcer.one(index, &router.table, &self.devices, address);
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
            router.serves().then(|| router.table.serving())
        };
        self.announcer.flush(now, serving, &self.devices);
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
        let gone = self.routers.iter().all(|router| router.held.is_empty());
        if gone && self.filter.stop() {
            self.estate.filter(None, &self.devices);
        }
        let gone = gone & self.remove_statics();
        self.virtuals.end(&mut self.rtnl);
        self.close_estate();
        gone
    }
}

/// Removes everything, for a kernel thread that cannot any more.
pub(super) fn remove_all(work: &Work, devices: &[Device]) -> vrrp_netlink::Result<()> {
    let mut rtnl = Rtnl::open()?;
    let all = work.tables.iter().map(|table| &table.entries).chain([&work.statics]);
    all.map(|entries| Held::all(entries, devices)).try_for_each(|mut held| {
        held.remove_routing(&mut rtnl);
        addresses::remove(&mut rtnl, &held.addresses).into_iter().try_for_each(|result| result.map(|_| ()))
    })?;
    work.filtering.kept().map_or(Ok(()), Firewall::remove)
}
