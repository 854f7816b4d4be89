//! The simulation itself: one queue of what will happen, one turn after the other.
//!
//! A turn is one instant: everything that is due happens, then each host it concerns takes its turn, then whoever has a
//! deadline. What a turn sends is under way for the delay of the wire, so that turns end.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::vec::Vec;

use super::client::Client;
use super::host::{Feedback, Firewall, Frame, Host, HostSetup, MAC_HOST, Source};
use super::invariants::{Violation, Watch};
use super::transcript::{Detail, Entry, Happening};
use super::{Action, Conditions, HostId, Rng, Time};
use crate::fsm::Addresses;
use crate::node::{DuplicateVrid, Node, Output, RouterId};
use crate::release::Handover;
use crate::rx::{Discard, Notices};
use crate::wire::advert::MAX_LEN;

/// A deterministic LAN of hosts.
#[derive(Debug)]
pub struct Lan {
    now: Time,
    rng: Rng,
    hosts: Vec<Host>,
    conditions: Conditions,
    client: Client,
    /// By time, and among those of one instant by the order in which they were put in.
    queue: BTreeMap<(Time, u64), What>,
    sequence: u64,
    marked: Vec<usize>,
    detail: Detail,
    entries: Vec<Entry>,
    watch: Watch,
    said: Vec<Said>,
    buffer: Vec<u8>,
    /// The client's view may have changed.
    look: bool,
    events: u64,
}

/// What a host said last of what it drops and notices: the same again is not written down.
#[derive(Clone, Copy, Default, Debug)]
struct Said {
    discard: Option<Discard>,
    notices: Notices,
}

#[derive(Debug)]
enum What {
    Act(Action),
    Arrives(usize, Arc<Frame>),
    Resumes(usize, u32),
    KernelDone(usize, usize, u32),
    /// A host's kernel removed one address, which its process then announces to be at another host.
    HandedOver(usize, usize, IpAddr, usize, u32),
    /// A host hears that another one has an address.
    Announced(usize, IpAddr, usize),
    /// The client hears that a host has an address; gratuitously or asked.
    Heard(IpAddr, usize, bool),
}

impl Lan {
    /// An empty LAN in default [`Conditions`]; `seed` determines everything that is left to chance.
    pub fn new(seed: u64) -> Self {
        Self {
            now: Time::START,
            rng: Rng::new(seed),
            hosts: Vec::new(),
            conditions: Conditions::default(),
            client: Client::default(),
            queue: BTreeMap::new(),
            sequence: 0,
            marked: Vec::new(),
            detail: Detail::default(),
            entries: Vec::new(),
            watch: Watch::default(),
            said: Vec::new(),
            buffer: std::vec![0; MAX_LEN],
            look: false,
            events: 0,
        }
    }

    /// Adds a host: powered, connected, its process not started. Fails if two of its routers have one identifier.
    pub fn add(&mut self, setup: HostSetup) -> Result<HostId, DuplicateVrid> {
        // Started once for the check; the host's own process starts by `Action::Start`.
        Host::new(setup.clone()).boot(self.now, &mut Vec::new())?;
        for config in &setup.routers {
            config.addresses.as_slice().iter().for_each(|address| self.client.add(*address));
        }
        self.watch.add(&setup);
        self.hosts.push(Host::new(setup));
        self.said.push(Said::default());
        Ok(HostId(self.hosts.len() - 1))
    }

    /// How much is written down from now on.
    pub fn set_detail(&mut self, detail: Detail) {
        self.detail = detail;
    }

    /// Plans an action. One in the past happens at once.
    pub fn at(&mut self, at: Time, action: Action) {
        self.push(at.max(self.now), What::Act(action));
    }

    /// When something happens next.
    pub fn next(&self) -> Option<Time> {
        let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
        let due = self.hosts.iter().filter_map(|host| host.due);
        due.chain(queued).chain(self.client.next_question()).min().map(|at| at.max(self.now))
    }

    /// Lets happen what happens next, unless that is after `end`; whether something did.
    pub fn turn(&mut self, end: Time) -> bool {
        let Some(at) = self.next().filter(|at| *at <= end) else { return false };
        self.now = at;
        while let Some(queued) = self.queue.first_entry().filter(|queued| queued.key().0 <= at) {
            let what = queued.remove();
            self.happen(what);
        }
        for host in 0..self.hosts.len() {
            if self.hosts[host].due.is_some_and(|due| due <= at) {
                self.mark(host);
            }
        }
        let mut marked = core::mem::take(&mut self.marked);
        for host in marked.drain(..) {
            self.take_turn(host);
        }
        self.marked = marked;
        self.client_turn();
        if let Some(violation) = self.watch.divided(self.now, &self.hosts, &self.conditions) {
            self.note(Happening::Violated(violation));
        }
        true
    }

    /// Lets everything happen up to `end`, which is then the time.
    pub fn run_until(&mut self, end: Time) {
        while self.turn(end) {}
        self.now = self.now.max(end);
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// What happened, as far as [`Detail`] lets it be written down.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What did not hold, in order.
    pub fn violations(&self) -> &[Violation] {
        self.watch.violations()
    }

    /// Inputs and expiries that routers handled.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The hosts, in the order in which they were added.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = HostId> + use<> {
        (0..self.hosts.len()).map(HostId)
    }

    /// A host's name.
    pub fn name(&self, host: HostId) -> &str {
        self.hosts.get(host.0).map_or("?", |host| host.setup.name.as_str())
    }

    /// The process of a host, if one runs or is held up.
    pub fn node(&self, host: HostId) -> Option<&Node<Time>> {
        Some(&self.hosts.get(host.0)?.process.as_ref()?.node)
    }

    /// The hosts with a router that is Master, held up or not.
    pub fn masters(&self) -> Vec<HostId> {
        let master = |host: &HostId| {
            let node = self.node(*host);
            node.is_some_and(|node| node.routers().any(|id| node.router(id).is_some_and(super::invariants::is_master)))
        };
        self.hosts().filter(master).collect()
    }

    /// The hosts on whose interface the address is, whoever put it there.
    pub fn holders(&self, address: IpAddr) -> Vec<HostId> {
        self.hosts().filter(|host| self.holds(host.0, address)).collect()
    }

    /// Whom the client's packets for an address reach.
    pub fn client_reaches(&self, address: IpAddr) -> Option<HostId> {
        self.client.entries.iter().find(|entry| entry.address == address)?.answered.map(HostId)
    }

    pub(super) fn router_name(&self, host: HostId, router: usize) -> std::string::String {
        let routers = self.hosts.get(host.0).map_or(&[][..], |host| &host.setup.routers[..]);
        match (routers.len(), routers.get(router)) {
            (2.., Some(config)) => {
                std::format!("{} vrid {} {:?}", self.name(host), config.vrid, config.addresses.family())
            }
            _ => self.name(host).into(),
        }
    }

    fn push(&mut self, at: Time, what: What) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), what);
    }

    fn mark(&mut self, host: usize) {
        if !self.marked.contains(&host) {
            self.marked.push(host);
        }
    }

    fn log(&mut self, detail: Detail, what: impl FnOnce() -> Happening) {
        if self.detail >= detail {
            self.entries.push(Entry { at: self.now, what: what() });
        }
    }

    fn note(&mut self, what: Happening) {
        if let Happening::Violated(violation) = &what {
            self.watch.keep(*violation);
            self.entries.push(Entry { at: self.now, what });
        } else {
            self.log(Detail::Changes, || what);
        }
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Act(action) => self.act(action),
            What::Arrives(to, frame) => self.arrive(to, frame),
            What::Resumes(host, incarnation) => {
                let now = self.now;
                let current = self.hosts[host].incarnation == incarnation;
                if let Some(process) = self.hosts[host]
                    .process
                    .as_mut()
                    .filter(|process| current && process.stalled.is_some_and(|until| until <= now))
                {
                    process.stalled = None;
                    self.watch.disturb(host, now);
                    self.note(Happening::Resumed(HostId(host)));
                    self.mark(host);
                }
            }
            What::KernelDone(host, slot, incarnation) => self.kernel_done(host, slot, incarnation),
            What::HandedOver(host, slot, address, successor, incarnation) => {
                if self.hosts[host].incarnation == incarnation && self.hosts[host].process.is_some() {
                    self.hosts[host].slots[slot].handed_over.push(address);
                    self.note(Happening::HandedOver(HostId(host), address, HostId(successor)));
                    self.look = true;
                    if self.client_hears(host) {
                        self.tell_client(address, successor, true);
                    }
                }
            }
            What::Announced(to, address, from) => {
                if self.hosts[to].hears() {
                    self.feed(to, Feedback::Announced(address, from));
                }
            }
            What::Heard(address, host, gratuitous) => {
                let now = self.now;
                if self.client.entry(address).is_some_and(|entry| entry.learn(now, host, gratuitous)) {
                    self.note(Happening::Learnt(address, HostId(host)));
                }
                self.look = true;
            }
        }
    }

    fn act(&mut self, action: Action) {
        let now = self.now;
        let about = match &action {
            Action::Start(host)
            | Action::Stop(host)
            | Action::Crash(host)
            | Action::PowerOff(host)
            | Action::Stall(host, _)
            | Action::Link(host, _)
            | Action::Params(host, _, _)
            | Action::Hearing(host, _)
            | Action::Refuse(host, _)
            | Action::Firewall(host, _)
            | Action::Maintenance(host, _)
            | Action::Track(host, _, _) => Some(host.0),
            Action::Partition(..) | Action::Conditions(_) => None,
        };
        if about.is_some_and(|host| host >= self.hosts.len()) {
            return;
        }
        self.note(Happening::Did(action.clone()));
        self.look = true;
        match about {
            Some(host) => self.watch.disturb(host, now),
            None => (0..self.hosts.len()).for_each(|host| self.watch.disturb(host, now)),
        }
        match action {
            Action::Start(HostId(host)) => self.start(host),
            Action::Stop(HostId(host)) => self.feed(host, Feedback::Enabled(false)),
            Action::Crash(HostId(host)) => self.hosts[host].die(),
            Action::PowerOff(HostId(host)) => {
                self.hosts[host].die();
                self.hosts[host].powered = false;
                for slot in 0..self.hosts[host].slots.len() {
                    self.set_held(host, slot, false);
                }
            }
            Action::Stall(HostId(host), span) => {
                let Host { process, incarnation, due, .. } = &mut self.hosts[host];
                if let Some(process) = process {
                    process.stalled = Some(now + span);
                    *due = None;
                    let resumes = What::Resumes(host, *incarnation);
                    self.push(now + span, resumes);
                }
            }
            Action::Link(HostId(host), up) => {
                self.hosts[host].link = up;
                self.feed(host, Feedback::Link);
            }
            Action::Partition(segments, client) => {
                for (host, segment) in self.hosts.iter_mut().zip(segments) {
                    host.segment = segment;
                }
                self.client.segment = client;
            }
            Action::Params(HostId(host), router, params) => {
                if let Some(config) = self.hosts[host].setup.routers.get_mut(router) {
                    config.params = params;
                }
                self.feed(host, Feedback::Params(router, params));
            }
            Action::Conditions(conditions) => self.conditions = conditions,
            Action::Hearing(HostId(host), hearing) => self.hosts[host].hearing = hearing,
            Action::Maintenance(HostId(host), on) => self.feed(host, Feedback::Maintenance(on)),
            Action::Track(HostId(host), number, status) => self.feed(host, Feedback::Tracked(number, status)),
            Action::Firewall(HostId(host), drops) => {
                self.hosts[host].firewall = if drops { Firewall::Drops } else { Firewall::Passes };
                self.watch.disturb(host, self.now);
            }
            Action::Refuse(HostId(host), refuses) => {
                self.hosts[host].refuses = refuses;
                if !refuses {
                    (0..self.hosts[host].slots.len()).for_each(|slot| self.feed(host, Feedback::Refused(slot, false)));
                }
            }
        }
    }

    fn start(&mut self, host: usize) {
        self.hosts[host].powered = true;
        let mut out = Vec::new();
        // `Lan::add` saw that the setup is good.
        if let Ok(true) = self.hosts[host].boot(self.now, &mut out)
            && let Some(mut process) = self.hosts[host].process.take()
        {
            self.perform(host, &mut process.node, Source::Other, &mut out);
            self.hosts[host].process = Some(process);
        }
        self.feed(host, Feedback::Enabled(true));
    }

    fn feed(&mut self, host: usize, feedback: Feedback) {
        if let Some(process) = &mut self.hosts[host].process {
            process.feedback.push(feedback);
            self.mark(host);
        }
    }

    fn arrive(&mut self, to: usize, frame: Arc<Frame>) {
        let now = self.now;
        let from = frame.from;
        let host = &mut self.hosts[to];
        let backlog = host.setup.backlog;
        if !host.hears() {
            return;
        }
        let firewall = host.firewall;
        let Some(process) = &mut host.process else { return };
        if firewall == Firewall::Drops {
            process.barred.push((now, frame));
            self.watch.disturb(to, now);
            self.log(Detail::Frames, || Happening::Barred(HostId(from), HostId(to)));
            self.mark(to);
            return;
        }
        if process.inbox.len() >= backlog {
            process.lost = process.lost.saturating_add(1);
            self.watch.disturb(to, now);
            self.log(Detail::Frames, || Happening::Overflowed(HostId(to)));
            return;
        }
        process.inbox.push((now, frame));
        self.log(Detail::Frames, || Happening::Arrived(HostId(from), HostId(to)));
        self.mark(to);
    }

    fn take_turn(&mut self, host: usize) {
        if !self.hosts[host].runs() {
            return;
        }
        let Some(mut process) = self.hosts[host].process.take() else { return };
        let place = self.hosts[host].place();
        let now = self.now;
        process.turn(now, place, |node, source, out| self.perform(host, node, source, out));
        self.hosts[host].due = process.node.next_deadline();
        if let Some(violation) = self.watch.after_turn(now, host, &process.node, &self.hosts[host].slots) {
            self.note(Happening::Violated(violation));
        }
        self.hosts[host].process = Some(process);
    }

    /// Does what a process asked for in answer to one input.
    fn perform(&mut self, host: usize, node: &mut Node<Time>, source: Source, out: &mut Vec<Output>) {
        self.events += 1;
        let now = self.now;
        if let Some(violation) = self.watch.outputs(now, host, node, source, out) {
            self.note(Happening::Violated(violation));
        }
        for output in out.drain(..) {
            match output {
                Output::Advertise { router, advertise } => {
                    let mut buffer = core::mem::take(&mut self.buffer);
                    for recipient in 0..node.recipients(router) {
                        let message = node.message_to(router, recipient, advertise, &mut buffer);
                        let Ok(frame) = message.map(|message| Frame::new(host, &message)) else { continue };
                        if let Some(priority) = node.router(router).map(|router| router.machine().params.priority) {
                            self.log(Detail::Adverts, || Happening::Sent(HostId(host), advertise, priority));
                        }
                        self.transmit(host, &Arc::new(frame));
                    }
                    self.buffer = buffer;
                }
                Output::Addresses { router, wanted, epoch, .. } => self.order(host, router.index(), wanted, epoch),
                Output::Announce { router } => self.announce(host, router),
                Output::HandOver { router, address, mac, .. } => {
                    let successor = usize::from(mac[MAC_HOST]);
                    let done = What::HandedOver(host, router.index(), address, successor, self.hosts[host].incarnation);
                    self.push(now + self.hosts[host].setup.kernel, done);
                }
                Output::Conflict { address, mac, .. } => {
                    self.note(Happening::Conflict(HostId(host), address, HostId(usize::from(mac[MAC_HOST]))));
                }
                Output::Transition { router, transition } => {
                    self.note(Happening::Changed(HostId(host), router.index(), transition));
                }
                Output::Priority { router, priority } => {
                    self.note(Happening::Weighed(HostId(host), router.index(), priority));
                }
                Output::Group { group, condition } => {
                    self.note(Happening::Group(HostId(host), group.index(), condition));
                }
                Output::Rejected { rejected, .. } => {
                    self.watch.disturb(host, now);
                    if self.said[host].discard.replace(rejected.reason) != Some(rejected.reason) {
                        self.note(Happening::Rejected(HostId(host), rejected.reason));
                    }
                }
                Output::Barred { .. } => {}
                Output::Noticed { notices, .. } => {
                    if core::mem::replace(&mut self.said[host].notices, notices) != notices {
                        self.note(Happening::Noticed(HostId(host), notices));
                    }
                }
            }
        }
    }

    fn transmit(&mut self, from: usize, frame: &Arc<Frame>) {
        for to in 0..self.hosts.len() {
            if to == from || !self.reaches(from, to) || !self.hosts[to].is_meant(frame.destination) {
                continue;
            }
            let conditions = self.hearing(to);
            let (sender, receiver) = (HostId(from), HostId(to));
            if self.rng.happens(conditions.loss) {
                self.watch.disturb(to, self.now);
                self.log(Detail::Frames, || Happening::Lost(sender, receiver));
                continue;
            }
            let mut delay = self.way(&conditions);
            if self.rng.happens(conditions.reorder) {
                delay += conditions.hold;
                self.log(Detail::Frames, || Happening::Held(sender, receiver));
            }
            self.push(self.now + delay, What::Arrives(to, Arc::clone(frame)));
            if self.rng.happens(conditions.duplicate) {
                let delay = self.way(&conditions);
                self.push(self.now + delay, What::Arrives(to, Arc::clone(frame)));
                self.log(Detail::Frames, || Happening::Doubled(sender, receiver));
            }
        }
    }

    /// The kernel is asked; what it is not busy with yet is replaced by what is newer.
    fn order(&mut self, host: usize, slot: usize, wanted: Addresses, epoch: u64) {
        let Some(state) = self.hosts[host].slots.get_mut(slot) else { return };
        state.leftover = false;
        state.next = Some((wanted, epoch));
        if state.busy.is_none() {
            self.kernel_begins(host, slot);
        }
    }

    fn kernel_begins(&mut self, host: usize, slot: usize) {
        let Host { setup, incarnation, slots, .. } = &mut self.hosts[host];
        let state = &mut slots[slot];
        state.busy = state.next.take();
        if state.busy.is_some() {
            let (at, done) = (self.now + setup.kernel, What::KernelDone(host, slot, *incarnation));
            self.push(at, done);
        }
    }

    fn kernel_done(&mut self, host: usize, slot: usize, incarnation: u32) {
        if self.hosts[host].incarnation != incarnation {
            return;
        }
        match self.hosts[host].slots[slot].busy.take() {
            Some((Addresses::Install, _)) if self.hosts[host].refuses => {
                self.note(Happening::Refused(HostId(host), slot));
                self.feed(host, Feedback::Refused(slot, true));
            }
            Some((Addresses::Install, epoch)) => {
                self.set_held(host, slot, true);
                self.feed(host, Feedback::Installed(slot, epoch));
            }
            Some((Addresses::Remove, _)) => self.set_held(host, slot, false),
            None => {}
        }
        self.kernel_begins(host, slot);
    }

    fn set_held(&mut self, host: usize, slot: usize, held: bool) {
        self.hosts[host].slots[slot].handed_over.clear();
        if core::mem::replace(&mut self.hosts[host].slots[slot].held, held) != held {
            let id = HostId(host);
            self.note(if held { Happening::Holds(id, slot) } else { Happening::LetsGo(id, slot) });
            self.look = true;
        }
    }

    fn announce(&mut self, host: usize, router: RouterId) {
        self.note(Happening::Announced(HostId(host), router.index()));
        let Some(config) = self.hosts[host].setup.routers.get(router.index()) else { return };
        for i in 0..config.addresses.as_slice().len() {
            let Some(address) = self.hosts[host].setup.routers[router.index()].addresses.as_slice().get(i).copied()
            else {
                return;
            };
            if self.client_hears(host) {
                self.tell_client(address, host, true);
            }
            for to in (0..self.hosts.len()).filter(|to| *to != host) {
                // Nobody else listens to it.
                let listens = self.hosts[to].setup.handover == Handover::Announced;
                let conditions = self.hearing(to);
                if listens && self.reaches(host, to) && !self.rng.happens(conditions.loss) {
                    let delay = self.way(&conditions);
                    self.push(self.now + delay, What::Announced(to, address, host));
                }
            }
        }
    }

    /// Who has no link knows it, and sends nothing.
    fn reaches(&self, from: usize, to: usize) -> bool {
        self.hosts[to].hears() && self.hosts[from].segment == self.hosts[to].segment
    }

    fn hearing(&self, host: usize) -> Conditions {
        self.hosts[host].hearing.unwrap_or(self.conditions)
    }

    /// How long this frame is under way.
    fn way(&mut self, conditions: &Conditions) -> Duration {
        conditions.delay + self.rng.span(conditions.jitter)
    }

    fn client_hears(&self, host: usize) -> bool {
        self.hosts[host].hears() && self.hosts[host].segment == self.client.segment
    }

    fn holds(&self, host: usize, address: IpAddr) -> bool {
        let Host { slots, setup, .. } = &self.hosts[host];
        let held = slots.iter().zip(&setup.routers).filter(|(slot, _)| slot.held);
        held.into_iter().any(|(slot, config)| {
            config.addresses.as_slice().contains(&address) && !slot.handed_over.contains(&address)
        })
    }

    fn tell_client(&mut self, address: IpAddr, host: usize, gratuitous: bool) {
        let conditions = self.conditions;
        if !self.rng.happens(conditions.loss) {
            // A question takes the way twice.
            let legs = if gratuitous { 1 } else { 2 };
            let delay = conditions.delay * legs + self.rng.span(conditions.jitter * legs);
            self.push(self.now + delay, What::Heard(address, host, gratuitous));
        }
    }

    fn client_turn(&mut self) {
        let now = self.now;
        for place in 0..self.client.entries.len() {
            let address = self.client.entries[place].address;
            if self.client.entries[place].asks.is_some_and(|at| at <= now) {
                self.client.entries[place].ask(now);
                for host in 0..self.hosts.len() {
                    if self.client_hears(host) && self.holds(host, address) {
                        self.tell_client(address, host, false);
                    }
                }
            }
            if self.look {
                let mut entry = core::mem::take(&mut self.client.entries);
                if entry[place].look(now, |host| self.client_hears(host) && self.holds(host, address)) {
                    self.note(Happening::Reaches(address, entry[place].answered.map(HostId)));
                }
                self.client.entries = entry;
            }
        }
        self.look = false;
    }
}

#[cfg(test)]
mod tests;
