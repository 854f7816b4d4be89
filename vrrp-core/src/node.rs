//! All virtual routers of a host as one value: demultiplexing, deadlines, order of effects.
//!
//! Every decision of a daemon that is not I/O is made here, so that a simulator and the daemon run the same code. Knows
//! interfaces and routers by number only; the caller maps them to names, sockets and threads.
//!
//! # The rule of order
//!
//! Feed every input that is waiting, each with the time at which it happened, before [`Node::expire`]. A process that was
//! held up finds adverts in its sockets and deadlines in the past; taking the deadlines first would elect a second Master
//! for nothing.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::num::NonZeroU32;

use crate::announce::Program;
use crate::auth::WallClock;
use crate::counters::{Counters, Scope};
use crate::fsm::{Actions, Addresses, Advertise, Event, Limit, Link, Role};
use crate::release::{self, Handover};
use crate::router::{EmitError, VirtualRouter};
use crate::rx::{Discard, Received, Rejected};
use crate::sync::Member;
use crate::timed::{Instant, Timed};
use crate::types::Family;
use crate::wire::ipv4::Ipv4Packet;

mod barred;
mod condition;
mod conflicts;
mod deadlines;
mod delay;
mod entry;
mod envelope;
mod faults;
mod groups;
mod handover;
mod io;
mod noise;
mod setup;
mod times;
mod trackers;
mod unicast;
mod unmet;

pub use condition::Condition;
pub use faults::Faults;
pub use io::{Input, Message, Output, Which};
pub use setup::{DuplicateVrid, Follower, GroupError, GroupId, Groups, InterfaceId, RouterId, RouterSetup, TrackerId};
pub use unicast::{OldChecksum, Peer, PeerError, Peers, Unicast};
pub use unmet::Unmet;

use conflicts::Conflicts;
use deadlines::Deadlines;
use entry::{Entry, Serving};
use envelope::Envelope;
use groups::Group;
use times::Times;
use trackers::Tracker;
use unicast::Circle;

/// All virtual routers of a host.
///
/// ```
/// use core::time::Duration;
/// use vrrp_core::fsm::{Link, Params, Rules, Role};
/// use vrrp_core::node::{Groups, Input, InterfaceId, Node, Output, RouterSetup, Which};
/// use vrrp_core::router::{ChecksumPolicy, RouterConfig};
/// use vrrp_core::{AddressList, AdvertInterval, Auth, Family, Priority, Vrid};
///
/// let eth0 = InterfaceId(0);
/// let mut node: Node<Duration> = Node::new(Groups::default());
/// let router = node.add(RouterSetup {
///     interface: eth0,
///     source: None,
///     unicast: None,
///     track_interface: true,
///     config: RouterConfig {
///         vrid: Vrid::new(50).expect("not 0"),
///         params: Params {
///             priority: Priority::new(150).expect("not 0"),
///             interval: AdvertInterval::from_secs(1).expect("not 0"),
///             preempt: true,
///             accept: true,
///             rules: Rules::DEFAULT,
///         },
///         addresses: AddressList::new(Box::from([[10, 0, 0, 3].into()]))?,
///         auth: Auth::None,
///         checksum: ChecksumPolicy::default(),
///     },
/// })?;
/// let mut out = Vec::new();
/// let start = Duration::ZERO;
/// let link = Link::Up([10, 0, 0, 1].into());
/// node.handle(start, Input::Link { interface: eth0, family: Family::V4, link }, &mut out);
/// node.handle(start, Input::Enabled { which: Which::All, enabled: true }, &mut out);
/// let takeover = node.next_deadline().expect("Master_Down_Timer runs");
/// out.clear();
/// node.expire(takeover, &mut out);
/// assert_eq!(node.router(router).map(|r| r.machine().state.role()), Some(Role::Master));
/// assert!(matches!(out[..], [Output::Advertise { .. }, Output::Addresses { .. }, Output::Transition { .. }]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Node<I> {
    groups: Groups,
    entries: Vec<Entry<I>>,
    by_vrid: BTreeMap<(InterfaceId, Family, u8), RouterId>,
    /// Some router has peers: what is sent to this host alone may be for it.
    unicast: bool,
    trackers: Vec<Tracker>,
    sync_groups: Vec<Group>,
    /// Adver_Timers, of Masters.
    adverts: Deadlines<I>,
    /// Master_Down_Timers, announcements, ends of releases.
    others: Deadlines<I>,
    /// The first end of a delay after the start.
    next_delay: Option<I>,
    conflicts: Conflicts<I>,
    counters: Counters,
    /// Where what arrives for nobody is a sample, and of how many.
    samples: BTreeMap<(InterfaceId, Family), NonZeroU32>,
    clock: Option<WallClock>,
}

impl<I: Instant> Node<I> {
    /// Without routers; `groups` is where adverts are sent.
    pub fn new(groups: Groups) -> Self {
        Self {
            groups,
            entries: Vec::new(),
            by_vrid: BTreeMap::new(),
            unicast: false,
            trackers: Vec::new(),
            sync_groups: Vec::new(),
            adverts: Deadlines::default(),
            others: Deadlines::default(),
            next_delay: None,
            conflicts: Conflicts::default(),
            counters: Counters::default(),
            samples: BTreeMap::new(),
            clock: None,
        }
    }

    /// Adds a router: disabled, its link down.
    pub fn add(&mut self, setup: RouterSetup) -> Result<RouterId, DuplicateVrid> {
        let RouterSetup { interface, source, unicast, track_interface, config } = setup;
        let id = RouterId(self.entries.len());
        let (vrid, family) = (config.vrid, config.addresses.family());
        let circle = unicast.map(|unicast| Circle::new(unicast, family));
        let namesake = self.by_vrid.get(&(interface, family, vrid.get())).copied();
        if let Some(first) = self.namesakes(namesake).find(|(_, entry)| !entry.is_told_from(source, circle.as_ref())) {
            return Err(DuplicateVrid { first: first.0, vrid });
        }
        self.by_vrid.insert((interface, family, vrid.get()), id);
        self.unicast |= circle.is_some();
        let base = config.params;
        let mut router = VirtualRouter::new(config);
        let mut faults = Faults::empty();
        if let Some(circle) = &circle {
            router = router.by_unicast();
            if circle.len() == 0 {
                faults = Faults::NO_PEER;
                // In Initialize nothing follows from it.
                let _ = router.handle(Event::Healthy(false));
            }
        }
        self.entries.push(Entry {
            interface,
            source,
            circle,
            namesake,
            track_interface,
            base,
            follows: Vec::new(),
            tracked_fault: false,
            group: None,
            member: Member::Stopped,
            router: Timed::new(router),
            faults,
            epoch: 0,
            serving: Serving::No,
            program: Program::default(),
            heard_at: None,
            announcements: None,
            handover: Handover::default(),
            releasing: None,
            maintenance: false,
            delayed_until: None,
            times: Times::default(),
        });
        self.adverts.grow();
        self.others.grow();
        Ok(id)
    }

    /// Chooses when a router announces its addresses, from the next time on that it begins to; [`Program::default`] unless
    /// chosen.
    pub fn set_announcements(&mut self, router: RouterId, program: Program) {
        if let Some(entry) = self.entries.get_mut(router.0) {
            entry.program = program;
        }
    }

    /// Feeds an input that happened at `at`, which may be earlier than now. Effects are appended to `out`.
    pub fn handle(&mut self, at: I, input: Input<'_>, out: &mut Vec<Output>) {
        match input {
            Input::WallClock(now) => self.clock = Some(now),
            Input::Enabled { which, enabled } => {
                let ids = self.ids(which);
                self.feed(at, &ids, |_| Event::Enabled(enabled), out);
                for id in ids {
                    self.drop_leftover(id, Role::Initialize, out);
                }
            }
            Input::Link { interface, family, link } => self.linked(at, (interface, family, true), link, out),
            Input::Presence { interface, family, link } => self.linked(at, (interface, family, false), link, out),
            Input::Params { router, params } => {
                if let Some(entry) = self.entries.get_mut(router.0) {
                    entry.base = params;
                    self.weigh(at, &[router], out);
                }
            }
            Input::Tracked { tracker, status } => self.tracked(at, tracker, status, out),
            Input::Maintenance { which, on } => {
                let ids = self.ids(which);
                for id in &ids {
                    if let Some(entry) = self.entries.get_mut(id.0) {
                        entry.maintenance = on;
                    }
                }
                self.feed(at, &ids, |entry| Event::Hold(entry.hold()), out);
                for id in ids.into_iter().filter(|_| on) {
                    self.drop_leftover(id, Role::Backup, out);
                }
            }
            Input::StartupDelay { which, delay } => self.delay(at, which, at + delay, out),
            Input::AddressList { router, addresses } => {
                if self.router(router).is_some_and(|known| known.addresses() != addresses.as_slice()) {
                    self.end_releases(Which::One(router), out);
                    self.conflicts.forget(router);
                }
                let known = self.entries.get_mut(router.0);
                if let Some(Ok(actions)) = known.map(|entry| entry.router.set_addresses(addresses.to_boxed())) {
                    self.perform(at, router, actions, out);
                    self.reschedule(router);
                }
            }
            Input::Leftover { router } => {
                let idle = |entry: &&mut Entry<I>| !entry.router.router().machine().enabled;
                if let Some(entry) = self.entries.get_mut(router.0).filter(idle) {
                    entry.serving = Serving::Leftover;
                }
            }
            Input::Installed { router, epoch } => self.installed(at, router, epoch, out),
            Input::Handover { router, handover } => {
                if let Some(entry) = self.entries.get_mut(router.0) {
                    entry.handover = handover;
                }
            }
            Input::Claimed { router, claim } => {
                if claim.gratuitous {
                    self.announced(router, claim.address, claim.mac, out);
                }
                self.doubt(at, router, claim);
            }
            Input::LetGo { which } => self.end_releases(which, out),
            Input::Fault { router, fault, present } => {
                if let Some(entry) = self.entries.get_mut(router.0) {
                    entry.faults.set(fault, present);
                    self.feed(at, &[router], |entry| Event::Healthy(entry.is_healthy()), out);
                }
            }
            Input::Sampled { interface, family, one_of } => {
                self.samples.insert((interface, family), one_of);
            }
            Input::Lost { interface, family, count } => self.lost((interface, family), count),
            Input::Barred { interface, octets } => self.barred(at, interface, octets, out),
            Input::Datagram { interface, octets } => {
                let check = if self.unicast { Received::check_any_datagram } else { Received::check_datagram };
                let received = check(octets, self.groups.v4);
                let packet = || Ipv4Packet::parse(octets).ok();
                let destination = self.unicast.then(packet).flatten().map(|packet| packet.destination().into());
                self.advert(at, (interface, Family::V4), destination, &received, out);
            }
            Input::Message { interface, meta, octets } => {
                let family = Family::of(meta.source);
                let check = if self.unicast { Received::check_any } else { Received::check };
                let received = check(&meta, octets, self.groups.of(family));
                self.advert(at, (interface, family), Some(meta.destination), &received, out);
            }
        }
    }

    /// The earliest deadline, `None` when there is nothing to wait for.
    pub fn next_deadline(&self) -> Option<I> {
        let (adverts, others) = (self.adverts.first(), self.others.first());
        adverts
            .into_iter()
            .chain(others)
            .map(|(deadline, _)| deadline)
            .chain(self.next_delay)
            .chain(self.conflicts.next())
            .min()
    }

    /// The deadlines that are due at `now`, in no order: what [`Node::expire`] is about to fire. Ends of delays after the start
    /// are not among them.
    pub fn due(&self, now: I) -> impl Iterator<Item = I> {
        self.due_adverts(now).chain(self.others.due(now))
    }

    /// The same for [`Node::expire_adverts`].
    pub fn due_adverts(&self, now: I) -> impl Iterator<Item = I> {
        self.adverts.due(now)
    }

    /// Fires every deadline that is due at `now`. Feed what is waiting first, see the rule of order above.
    pub fn expire(&mut self, now: I, out: &mut Vec<Output>) {
        self.end_delays(now, out);
        self.expire_adverts(now, out);
        // Each firing moves its router's deadline on: of the protocol past `now`, of an announcement at least by a round.
        while let Some((_, slot)) = self.others.first().filter(|(deadline, _)| *deadline <= now) {
            let id = RouterId(slot);
            let Some(entry) = self.entries.get_mut(slot) else { return };
            entry.announce_if_due(now, id, out);
            self.expire_release(now, id, out);
            self.expire_router(now, id, out);
        }
        self.end_doubts(now, out);
    }

    /// Fires the Adver_Timers that are due at `now`, and nothing else. For between two portions of a long queue of input: a
    /// Master's adverts need not wait for the end of a flood, while a Backup must hear all of it first.
    pub fn expire_adverts(&mut self, now: I, out: &mut Vec<Output>) {
        while let Some((_, slot)) = self.adverts.first().filter(|(deadline, _)| *deadline <= now) {
            self.expire_router(now, RouterId(slot), out);
        }
    }

    /// Writes the message of an [`Output::Advertise`] into the front of `buffer`; [`MAX_EMITTED`](crate::router::MAX_EMITTED)
    /// octets always suffice. Each call is one packet, see [`VirtualRouter::emit`].
    ///
    /// A router that has peers sends more than this one, which is for the first: see [`Node::message_to`].
    pub fn message<'b>(
        &mut self,
        router: RouterId,
        advertise: Advertise,
        buffer: &'b mut [u8],
    ) -> Result<Message<'b>, EmitError> {
        self.message_to(router, 0, advertise, buffer)
    }

    /// How many messages an [`Output::Advertise`] of a router is: one, or where it has peers, one for each of them.
    pub fn recipients(&self, router: RouterId) -> usize {
        let circle = self.entries.get(router.0).and_then(|entry| entry.circle.as_ref());
        circle.map_or(1, Circle::len)
    }

    /// As [`Node::message`], for the recipient of this number, from 0 to below [`Node::recipients`].
    pub fn message_to<'b>(
        &mut self,
        router: RouterId,
        recipient: usize,
        advertise: Advertise,
        buffer: &'b mut [u8],
    ) -> Result<Message<'b>, EmitError> {
        let entry = self.entries.get_mut(router.0).ok_or(EmitError::NoSource)?;
        if let Some(now) = self.clock {
            entry.router.router_mut().set_wall_clock(now);
        }
        let envelope = Envelope::new(entry, self.groups, recipient)?;
        let octets = entry.router.router_mut().emit(advertise, envelope.covered, buffer)?;
        Ok(envelope.around(octets))
    }

    /// As [`Node::message_to`], for a message that may never go out, see [`VirtualRouter::draft`]: the last word of a router
    /// whose process ends without one, kept ready elsewhere. Signed ones must be drafted anew behind each advert.
    pub fn draft_to<'b>(
        &self,
        router: RouterId,
        recipient: usize,
        advertise: Advertise,
        buffer: &'b mut [u8],
    ) -> Result<Message<'b>, EmitError> {
        let entry = self.entries.get(router.0).ok_or(EmitError::NoSource)?;
        let envelope = Envelope::new(entry, self.groups, recipient)?;
        let octets = entry.router.router().draft(advertise, envelope.covered, buffer)?;
        Ok(envelope.around(octets))
    }

    /// A router's state, addresses and counters.
    pub fn router(&self, router: RouterId) -> Option<&VirtualRouter<Box<[IpAddr]>>> {
        self.entries.get(router.0).map(|entry| entry.router.router())
    }

    /// The interface that a router is on.
    pub fn interface(&self, router: RouterId) -> Option<InterfaceId> {
        self.entries.get(router.0).map(|entry| entry.interface)
    }

    /// What keeps a router from serving, besides its link and what it tracks. [`Node::unmet`] has all of it.
    pub fn faults(&self, router: RouterId) -> Faults {
        self.entries.get(router.0).map_or(Faults::empty(), |entry| entry.faults)
    }

    /// All routers, in the order in which they were added.
    pub fn routers(&self) -> impl ExactSizeIterator<Item = RouterId> + use<I> {
        (0..self.entries.len()).map(RouterId)
    }

    /// What was counted that belongs to no router.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    fn ids(&self, which: Which) -> Vec<RouterId> {
        match which {
            Which::All => self.routers().collect(),
            Which::One(id) => self.entries.get(id.0).map(|_| id).into_iter().collect(),
            Which::Group(group) => self.members(group).to_vec(),
        }
    }

    /// The state of an interface, for the routers of a family that track it, or for those that do not.
    fn linked(&mut self, at: I, concerned: (InterfaceId, Family, bool), link: Link, out: &mut Vec<Output>) {
        let concerned = |(slot, entry): (usize, &Entry<I>)| {
            let of = (entry.interface, entry.router.router().family(), entry.track_interface);
            (of == concerned).then_some(RouterId(slot))
        };
        let ids: Vec<_> = self.entries.iter().enumerate().filter_map(concerned).collect();
        self.feed(at, &ids, |entry| Event::Link(entry.effective_link(link)), out);
    }

    /// One event of one router, without regard to its group.
    fn step(&mut self, at: I, id: RouterId, event: Event, out: &mut Vec<Output>) {
        self.end_release_by(id, event, out);
        if let Some(entry) = self.entries.get_mut(id.0) {
            let actions = entry.router.handle(at, event);
            self.perform(at, id, actions, out);
            self.reschedule(id);
        }
    }

    fn advert(
        &mut self,
        at: I,
        (interface, family): (InterfaceId, Family),
        destination: Option<IpAddr>,
        received: &Result<Received<'_>, Rejected>,
        out: &mut Vec<Output>,
    ) {
        let received = match received {
            Ok(received) => received,
            Err(rejected) => return self.reject((interface, family), destination, *rejected, out),
        };
        let vrid = received.advert.vrid_octet();
        let known = self.router_for((interface, family), vrid, Some(received.source), destination);
        let Some((id, entry)) = known.and_then(|id| Some((id, self.entries.get_mut(id.0)?))) else {
            let rejected = received.rejected(Discard::UnknownVrid(vrid));
            return self.reject((interface, family), destination, rejected, out);
        };
        if let Some(now) = self.clock {
            entry.router.router_mut().set_wall_clock(now);
        }
        let own = entry.router.router().machine().link.source();
        if let Some(Err(reason)) = entry.circle.as_ref().map(|circle| circle.admit(received, own)) {
            return self.reject((interface, family), destination, received.rejected(reason), out);
        }
        match entry.router.receive(at, received) {
            Ok((actions, notices)) => {
                entry.heard_at = Some(at);
                if let Some(circle) = &mut entry.circle {
                    circle.learn(received);
                }
                if !notices.is_empty() {
                    out.push(Output::Noticed { router: id, source: received.source, notices });
                }
                let start = out.len();
                self.perform(at, id, actions, out);
                if received.advert.priority().is_some() {
                    self.step_release(id, release::Event::Claimed, out);
                    self.drop_leftover(id, Role::Backup, out);
                }
                self.reschedule(id);
                self.moved(at, id, start, out);
            }
            Err(reason) => self.reject((interface, family), destination, received.rejected(reason), out),
        }
    }

    /// The router that an advert is for: of several with one identifier, the one that has its source as a peer, and is at
    /// its destination.
    fn router_for(
        &self,
        (interface, family): (InterfaceId, Family),
        vrid: u8,
        source: Option<IpAddr>,
        destination: Option<IpAddr>,
    ) -> Option<RouterId> {
        let last = self.by_vrid.get(&(interface, family, vrid)).copied()?;
        if self.entries.get(last.0)?.namesake.is_none() {
            return Some(last);
        }
        let to_group = destination == Some(self.groups.of(family));
        let listeners = || self.namesakes(Some(last)).filter(|(_, entry)| entry.listens_to(source, to_group));
        let at_home = listeners().find(|(_, entry)| entry.source.is_none_or(|own| destination == Some(own)));
        Some(at_home.or_else(|| listeners().next()).map_or(last, |(id, _)| id))
    }

    /// This router and the others of its identifier, interface and family.
    fn namesakes(&self, last: Option<RouterId>) -> impl Iterator<Item = (RouterId, &Entry<I>)> {
        let known = |id: RouterId| self.entries.get(id.0).map(|entry| (id, entry));
        core::iter::successors(last.and_then(known), move |(_, entry)| entry.namesake.and_then(known))
    }

    fn reject(
        &mut self,
        place: (InterfaceId, Family),
        destination: Option<IpAddr>,
        rejected: Rejected,
        out: &mut Vec<Output>,
    ) {
        let router = rejected.vrid.and_then(|vrid| self.router_for(place, vrid, rejected.source, destination));
        let counter = rejected.reason.counter();
        match (counter.scope(), router.and_then(|id| self.entries.get_mut(id.0))) {
            (Scope::Router, Some(entry)) if !rejected.reason.is_routers() => entry.router.router_mut().count(counter),
            (Scope::Router, Some(_)) => {}
            (Scope::Router | Scope::Global, None) => self.counters.add_many(counter, self.stands_for(place, &rejected)),
            (Scope::Global, Some(_)) => self.counters.add(counter),
        }
        out.push(Output::Rejected { interface: place.0, router, rejected });
    }

    fn perform(&mut self, at: I, id: RouterId, actions: Actions, out: &mut Vec<Output>) {
        let Some(entry) = self.entries.get_mut(id.0) else { return };
        let Actions { advertise, addresses, announce, timer: _, delay: _, transition } = actions;
        if let Some(advertise) = advertise {
            out.push(Output::Advertise { router: id, advertise });
        }
        let undecided = transition.is_some_and(|transition| transition.to == Role::Backup);
        match addresses {
            Some(Addresses::Remove) if undecided && entry.serving == Serving::Leftover => {}
            Some(Addresses::Remove) if entry.begin_release(at, &actions) => {}
            Some(wanted) => {
                entry.epoch = entry.epoch.saturating_add(1);
                entry.announcements = None;
                entry.releasing = None;
                entry.serving = match wanted {
                    Addresses::Install => Serving::Asked,
                    Addresses::Remove => Serving::No,
                };
                let accept = entry.router.router().accepts();
                out.push(Output::Addresses { router: id, wanted, accept, epoch: entry.epoch });
            }
            None if announce && entry.serving == Serving::Yes => {
                entry.announce(at, entry.program.lower, id, out);
            }
            None => {}
        }
        if let Some(transition) = transition {
            entry.times.note(at, &transition);
            if let (Role::Initialize, Role::Backup, Some(end)) = (transition.from, transition.to, entry.delayed_until) {
                entry.router.wait_from(end);
            }
            out.push(Output::Transition { router: id, transition });
            self.drop_leftover(id, Role::Initialize, out);
        }
    }

    /// Lets go of what a predecessor left behind, now that a router in `role` will not serve it.
    fn drop_leftover(&mut self, id: RouterId, role: Role, out: &mut Vec<Output>) {
        let Some(entry) = self.entries.get_mut(id.0) else { return };
        if entry.serving == Serving::Leftover && entry.router.router().machine().state.role() == role {
            entry.serving = Serving::No;
            entry.epoch = entry.epoch.saturating_add(1);
            let accept = entry.router.router().accepts();
            out.push(Output::Addresses { router: id, wanted: Addresses::Remove, accept, epoch: entry.epoch });
        }
    }

    fn installed(&mut self, at: I, id: RouterId, epoch: u64, out: &mut Vec<Output>) {
        let Some(entry) = self.entries.get_mut(id.0) else { return };
        if entry.serving == Serving::Asked && entry.epoch == epoch {
            entry.serving = Serving::Yes;
            entry.announce(at, entry.program.first, id, out);
            self.reschedule(id);
        }
    }

    fn expire_router(&mut self, now: I, id: RouterId, out: &mut Vec<Output>) {
        let Some(entry) = self.entries.get_mut(id.0) else { return };
        let actions = entry.router.expire(now);
        let start = out.len();
        self.perform(now, id, actions, out);
        self.reschedule(id);
        self.moved(now, id, start, out);
    }

    fn reschedule(&mut self, id: RouterId) {
        let Some(entry) = self.entries.get(id.0) else { return };
        let election = entry.router.deadline();
        let (advert, master_down) = match entry.router.router().machine().state.role() {
            Role::Master => (election, None),
            Role::Initialize | Role::Backup => (None, election),
        };
        let announcement = entry.announcement_due();
        self.adverts.set(id.0, advert);
        let release = entry.release_due();
        self.others.set(id.0, master_down.into_iter().chain(announcement).chain(release).min());
    }
}

#[cfg(test)]
mod tests;
