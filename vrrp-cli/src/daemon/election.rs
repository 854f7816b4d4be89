//! The election thread: polls the VRRP sockets itself, feeds the [`Node`], and does nothing that can block.
//!
//! Order of one turn: wait; note the time; hear everything that is queued; only then let deadlines up to that time fire.
//! A process that was held up thus hears its master before it believes in its silence.

use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::Receiver;
use nix::errno::Errno;
use vrrp_core::fsm::{Addresses, Advertise, Link, Role};
use vrrp_core::node::{Faults, Input, InterfaceId, Message, Node, Output, RouterId, Which};
use vrrp_core::router::MAX_EMITTED;
use vrrp_core::{Family, WallClock};
use vrrp_netlink::process::{self, Poller, Token, Wakeup};
use vrrp_netlink::socket::Batch;

use super::claims::{Frame, Places};
use super::ear::guard::{Caught, Guard};
use super::ear::sieves::{SAMPLE, Sieves};
use super::ear::{self, Ear, Kind};
use super::guardian::LastWords;
use super::influx::Influx;
use super::lateness::Histogram;
use super::mouth::{Mouth, index_of};
use super::orders::{HandOver, Job, Orders};
use super::report::{self, Names, Reporter};
use super::setup::Interface;
use super::{Feedback, ServeError};

/// Datagrams in one system call.
const BATCH: usize = 64;
/// System calls for one socket in one turn: a bound for floods, far above what adverts need.
const BATCHES: usize = 64;
/// Frames that one port of announcements is heard for in one turn: a bound for floods, above what its queue usually holds.
const FRAMES: usize = 1024;
/// The first descriptor that is waited for.
const WAKEUP: Token = Token(0);
/// The longest advertisement with the longest IPv4 header.
const DATAGRAM: usize = MAX_EMITTED + 60;

/// The election thread's state.
pub(super) struct Election {
    node: Node<Instant>,
    /// By interface and kind.
    ports: Vec<[Port; Kind::COUNT]>,
    /// Where the node believes that what a port hears has arrived, by interface.
    heard_at: Vec<InterfaceId>,
    influx: Influx,
    mouth: Mouth,
    /// When the adverts of this turn went out.
    spoke: Instant,
    orders: Orders,
    feedback: Receiver<Feedback>,
    wakeup: Wakeup,
    reporter: Reporter,
    places: Places,
    sieves: Sieves,
    guard: Guard,
    words: LastWords,
    lateness: Histogram,
    poller: Poller,
    batch: Batch,
    out: Vec<Output>,
}

/// State of an interface, as the routers of a family see it that track it, or those that do not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Level {
    pub(super) interface: InterfaceId,
    pub(super) family: Family,
    pub(super) tracked: bool,
    pub(super) link: Link,
    pub(super) gap: Gap,
}

/// Why a link is down, when it is not simply switched off or without carrier.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Gap {
    #[default]
    None,
    /// The interface does not exist.
    Absent,
    /// A socket on it could not be opened.
    Deaf,
}

impl Level {
    fn input(self) -> Input<'static> {
        let Self { interface, family, tracked, link, gap: _ } = self;
        if tracked { Input::Link { interface, family, link } } else { Input::Presence { interface, family, link } }
    }
}

/// A way to hear adverts, where one is needed.
struct Port {
    socket: Option<Ear>,
    token: Option<Token>,
    /// What is queued now did not arrive before this.
    heard: Instant,
    /// How many datagrams it has lost since it was opened, as far as it has told.
    lost: u32,
}

impl Election {
    pub(super) fn new(
        node: Node<Instant>,
        (interfaces, macs, guarded): (Vec<Interface>, Vec<Option<[u8; 6]>>, bool),
        names: Names,
        places: Places,
        orders: Orders,
        (feedback, wakeup): (Receiver<Feedback>, Wakeup),
        words: LastWords,
    ) -> Self {
        let reporter = Reporter::new(&node, names);
        let heard = Instant::now();
        let place =
            |(place, interface): (u32, &Interface)| interface.upper.map_or(InterfaceId(place), |upper| upper.base);
        let heard_at = (0..).zip(&interfaces).map(place).collect();
        let ports = |interface: Interface| interface.sockets.map(|socket| Port { socket, token: None, heard, lost: 0 });
        let (sieves, guard) = (Sieves::new(&node), Guard::new(&node, guarded, heard));
        Self {
            influx: Influx::default(),
            mouth: Mouth::new(&node, macs),
            spoke: heard,
            node,
            ports: interfaces.into_iter().map(ports).collect(),
            heard_at,
            orders,
            feedback,
            wakeup,
            reporter,
            places,
            sieves,
            guard,
            words,
            lateness: Histogram::default(),
            poller: Poller::new(),
            batch: Batch::new(BATCH, DATAGRAM),
            out: Vec::new(),
        }
    }

    /// Runs until the operator stops it or a thread dies; then every Master has sent its release, and handed over what somebody
    /// else serves now.
    pub(super) fn run(mut self, levels: &[Level], leftovers: &[RouterId]) -> Result<(), ServeError> {
        if let Err(error) = process::set_timer_slack(Duration::from_nanos(1)) {
            tracing::warn!("{error}: timers may be 50 µs late");
        }
        let ended = panic::catch_unwind(AssertUnwindSafe(|| self.turns(levels, leftovers)));
        let orderly = matches!(ended, Ok(Ok(())));
        let stopped = panic::catch_unwind(AssertUnwindSafe(|| self.stop(orderly)));
        match (ended, stopped) {
            (Ok(outcome), Ok(stopped)) => outcome.and(stopped),
            (Err(_), _) | (_, Err(_)) => Err(ServeError::Died("election")),
        }
    }

    fn turns(&mut self, levels: &[Level], leftovers: &[RouterId]) -> Result<(), ServeError> {
        self.listen();
        let now = Instant::now();
        self.tell_the_time(now);
        (0..self.ports.len()).for_each(|index| self.sift(index));
        for level in levels {
            self.reporter.learn(*level);
            self.feed(now, level.input());
        }
        for router in leftovers {
            self.feed(now, Input::Leftover { router: *router });
        }
        Reporter::starting(&self.node, &self.orders);
        self.node.handle(now, Input::Enabled { which: Which::All, enabled: true }, &mut self.out);
        report::as_at_the_start(&mut self.out);
        self.perform();
        self.reporter.sweep(&self.node, &self.orders);
        loop {
            if let Some(outcome) = self.turn()? {
                return outcome;
            }
        }
    }

    /// Waits for something to happen and does what follows; the outcome ends the election.
    fn turn(&mut self) -> Result<Option<Result<(), ServeError>>, ServeError> {
        let ears = self.guard.next().into_iter().chain(self.sieves.next()).min();
        let timeout = |node: &Node<Instant>| {
            let next = node.next_deadline().into_iter().chain(ears).min()?;
            Some(next.saturating_duration_since(Instant::now()))
        };
        if let Some(pause) = self.influx.pause() {
            let pause = timeout(&self.node).map_or(pause, |timeout| timeout.min(pause));
            process::wait_readable(&self.wakeup, Some(pause))?;
        }
        self.poller.wait(timeout(&self.node))?;
        let now = Instant::now();
        self.tell_the_time(now);
        if self.poller.ready(WAKEUP) {
            self.wakeup.clear();
        }
        // Before anything that can begin a release: what was announced by now was not announced by its successor.
        self.hear(Kind::CLAIMS, false);
        while let Ok(feedback) = self.feedback.try_recv() {
            if let Some(outcome) = self.take_in(feedback) {
                return Ok(Some(outcome));
            }
        }
        let due = self.node.next_deadline().is_some_and(|deadline| deadline <= now);
        let heard = self.hear(Kind::ADVERTS, due);
        self.influx.heard(now, heard);
        self.hear_behind_the_firewall(now, due);
        self.lateness.record_all(now, self.node.due(now));
        self.node.expire(now, &mut self.out);
        self.perform();
        let socket = |index: usize, kind: Kind| self.ports.get(index)?[kind.index()].socket.as_ref();
        if let Err(error) = self.sieves.follow(now, &self.node, socket) {
            self.reporter.socket_error(&error);
        }
        Ok(None)
    }

    /// Releases what is held, and says so. In an orderly stop it goes on until successors serve the addresses, or can no longer
    /// be expected; otherwise nothing is waited for.
    fn stop(&mut self, orderly: bool) -> Result<(), ServeError> {
        // What was announced by now was not announced by a successor.
        for index in 0..self.ports.len() {
            for kind in Kind::CLAIMS {
                self.overhear(index, kind, BATCH * BATCHES);
            }
        }
        let now = Instant::now();
        self.tell_the_time(now);
        self.feed(now, Input::Enabled { which: Which::All, enabled: false });
        self.reporter.sweep(&self.node, &self.orders);
        let mut ended = Ok(None);
        while orderly && self.node.releasing() && matches!(ended, Ok(None)) {
            ended = self.turn();
        }
        self.feed(Instant::now(), Input::LetGo { which: Which::All });
        ended?.unwrap_or(Ok(()))
    }

    /// Signatures carry the time of day, or numbers that grow with it.
    fn tell_the_time(&mut self, now: Instant) {
        if let Ok(unix) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            self.feed(now, Input::WallClock(WallClock::from_unix(unix)));
        }
    }

    /// Takes in what another thread says; the outcome ends the election.
    fn take_in(&mut self, feedback: Feedback) -> Option<Result<(), ServeError>> {
        let now = Instant::now();
        match feedback {
            Feedback::Link(level) => {
                self.reporter.learn(level);
                self.feed(now, level.input());
            }
            Feedback::Socket { interface, socket } => {
                if let Some(ports) = self.ports.get_mut(index_of(interface)) {
                    let port = &mut ports[socket.kind().index()];
                    port.socket = Some(socket);
                    (port.heard, port.lost) = (now, 0);
                }
                self.listen();
                self.sift(index_of(interface));
            }
            Feedback::HostMacs(macs) => self.places.host_has(macs),
            Feedback::Tracked { tracker, status } => self.feed(now, Input::Tracked { tracker, status }),
            Feedback::Installed { router, epoch } => self.feed(now, Input::Installed { router, epoch }),
            Feedback::Fault { router, fault, present } => self.feed(now, Input::Fault { router, fault, present }),
            Feedback::Mtu { router, too_small } => {
                let present = too_small.is_some();
                self.reporter.mtu(router, too_small);
                self.feed(now, Input::Fault { router, fault: Faults::MTU, present });
            }
            // Whoever asked may have given up.
            Feedback::Snapshot(reply) => drop(reply.try_send(self.reporter.snapshot(&self.node, &self.lateness))),
            Feedback::Stop(signal) => {
                tracing::info!("stopping on {signal}");
                return Some(Ok(()));
            }
            Feedback::Hurry => {
                tracing::info!("asked again: stopping without waiting for successors");
                return Some(Ok(()));
            }
            Feedback::Died(thread) => return Some(Err(ServeError::Died(thread))),
        }
        None
    }

    /// Hears what is queued at the ports of these kinds: at all of them, or at those that the last wait found readable. How many
    /// adverts it was.
    fn hear<const N: usize>(&mut self, kinds: [Kind; N], all: bool) -> usize {
        let mut count = 0;
        for index in 0..self.ports.len() {
            for kind in kinds {
                let token = self.ports[index][kind.index()].token;
                if token.is_some_and(|token| all || self.poller.ready(token)) {
                    count += self.drain(index, kind);
                }
            }
        }
        count
    }

    /// Hears what a firewall of this host keeps from the sockets, where an advert is missed.
    fn hear_behind_the_firewall(&mut self, now: Instant, due: bool) {
        let index = |index: usize, family: Family| {
            let kind = if family == Family::V4 { Kind::V4 } else { Kind::V6 };
            self.ports.get(index)?[kind.index()].socket.as_ref()?.interface()
        };
        let orders = &self.orders;
        let prepared = self.guard.prepare(now, &self.node, index, |ear| orders.job(Job::Close(Box::new(ear))));
        let (caught, looked) = self.guard.look(now, due, &mut self.batch);
        for error in [prepared, looked].into_iter().filter_map(Result::err) {
            self.reporter.socket_error(&error);
        }
        if caught.is_empty() {
            return;
        }
        // What a firewall lets through has reached its socket by now, too.
        self.hear(Kind::ADVERTS, true);
        for Caught { at, interface, octets } in caught {
            let Some(&interface) = self.heard_at.get(interface) else { continue };
            self.node.handle(at, Input::Barred { interface, octets: &octets }, &mut self.out);
        }
        self.perform();
    }

    /// Hears everything that is queued at one port, in bounded portions. How many adverts it was.
    fn drain(&mut self, index: usize, kind: Kind) -> usize {
        if kind.adverts().is_none() {
            self.overhear(index, kind, FRAMES);
            return 0;
        }
        let mut count = 0;
        let (Some(&interface), Some(family)) = (self.heard_at.get(index), kind.adverts()) else { return count };
        let mut missing: u32 = 0;
        for _ in 0..BATCHES {
            let Port { socket: Some(socket), heard, .. } = &self.ports[index][kind.index()] else { return count };
            let (before, mut heard) = (Instant::now(), *heard);
            match socket.receive(&mut self.batch) {
                Ok(received) => {
                    count += received;
                    let now = Instant::now();
                    for datagram in self.batch.iter() {
                        heard = arrival(now, datagram.age, heard);
                        self.node.handle(heard, ear::input(kind, interface, datagram), &mut self.out);
                    }
                    let drained = received < BATCH;
                    let port = &mut self.ports[index][kind.index()];
                    port.heard = if drained { heard.max(before) } else { heard };
                    if received > 0 {
                        let known = std::mem::replace(&mut port.lost, self.batch.lost());
                        missing = missing.saturating_add(port.lost.wrapping_sub(known));
                        if kind.masters().is_some() {
                            self.sieves.stir(now, index, family);
                        }
                    }
                    if drained {
                        break;
                    }
                    self.lateness.record_all(now, self.node.due_adverts(now));
                    self.node.expire_adverts(now, &mut self.out);
                    self.perform();
                }
                Err(error) => {
                    self.reporter.socket_error(&error);
                    break;
                }
            }
        }
        if missing > 0 {
            self.node.handle(Instant::now(), Input::Lost { interface, family, count: missing }, &mut self.out);
            self.reporter.lost(interface, missing);
        }
        self.perform();
        count
    }

    /// Tells the sockets of an interface what they are to be given.
    fn sift(&mut self, index: usize) {
        let now = Instant::now();
        let Some(ports) = self.ports.get(index) else { return };
        let ears = ports.iter().filter_map(|port| port.socket.as_ref());
        let sifted = ears.filter_map(|ear| Some((ear.kind(), ear.sift(&self.sieves.of(index, ear.kind())?))));
        let sifted: Vec<_> = sifted.collect();
        let Some(&interface) = self.heard_at.get(index) else { return };
        for (kind, outcome) in sifted {
            match (outcome, kind.adverts()) {
                (Ok(()), Some(family)) if kind.masters().is_some() => {
                    self.feed(now, Input::Sampled { interface, family, one_of: SAMPLE });
                }
                (Ok(()), _) => {}
                // It hears everything, as without a sieve.
                (Err(error), _) => self.reporter.socket_error(&error),
            }
        }
    }

    /// Hears what other hosts say of our addresses, in so many frames at most, whatever they say: no deadline depends on it.
    fn overhear(&mut self, index: usize, kind: Kind, most: usize) {
        for _ in 0..most {
            let Some(Ear::Claims(ear)) = &self.ports[index][kind.index()].socket else { return };
            match ear.next() {
                Ok(Some(Frame::Other)) => {}
                Ok(Some(Frame::Claim(claim))) => {
                    if let Some(input) = self.places.input(index, claim) {
                        self.feed(Instant::now(), input);
                    }
                }
                Ok(None) => return,
                // The link's state is told by the monitor.
                Err(error) if error.errno() == Some(Errno::ENETDOWN as i32) => {}
                Err(error) => return self.reporter.socket_error(&error),
            }
        }
    }

    fn feed(&mut self, at: Instant, input: Input<'_>) {
        self.node.handle(at, input, &mut self.out);
        self.perform();
    }

    fn perform(&mut self) {
        let mut out = std::mem::take(&mut self.out);
        self.speak(&out);
        for output in out.drain(..) {
            match output {
                Output::Advertise { router, advertise } => {
                    if self.mouth.was_said() {
                        self.said(router, advertise);
                    }
                }
                Output::Addresses { router, wanted, epoch, accept: _ } => {
                    self.orders.set(router, wanted, epoch);
                    if wanted == Addresses::Remove {
                        self.words.silent(router);
                    }
                    self.reporter.settled(&self.node, router, &self.orders);
                }
                Output::Announce { router } => self.orders.announce(router),
                Output::Conflict { router, address, mac, defend } => {
                    if defend {
                        self.orders.defend(router, address);
                    }
                    let place = self.places.of(router, address);
                    self.reporter.conflict((router, place), address, mac, defend);
                }
                Output::HandOver { router, address, mac, epoch } => {
                    self.orders.hand_over(HandOver { router: router.index(), address, mac, epoch });
                }
                Output::Transition { router, transition } => {
                    self.guard.stir(Instant::now());
                    if transition.to != Role::Master && !self.node.is_releasing(router) {
                        self.words.silent(router);
                    }
                    self.reporter.transition(&self.node, router, transition, &self.orders);
                }
                Output::Priority { router, priority } => {
                    self.reporter.priority(&self.node, router, priority, &self.orders);
                }
                Output::Group { group, condition } => {
                    self.reporter.group(&self.node, group, condition, &self.orders);
                }
                Output::Rejected { interface, router, rejected } => {
                    self.reporter.rejected(interface, router, &rejected);
                }
                Output::Barred { router, source, destination } => {
                    self.reporter.barred(&self.node, router, source, destination);
                }
                Output::Noticed { router, source, notices } => {
                    self.reporter.noticed(&self.node, router, source, notices, &self.orders);
                }
            }
        }
        // Its room is used again: the path of an advertisement does not allocate.
        self.out = out;
    }

    /// Sends the adverts among `out`, together: the claims before addresses are installed, the releases before they are removed.
    fn speak(&mut self, out: &[Output]) {
        let Self { node, ports, mouth, reporter, .. } = self;
        let ear = |index: usize, kind: Kind| ports.get(index)?[kind.index()].socket.as_ref();
        let mut overdue = None;
        for output in out {
            let &Output::Advertise { router, advertise } = output else { continue };
            if *overdue.get_or_insert_with(|| self.orders.lease.is_overdue(Instant::now()))
                && advertise == Advertise::Claim
            {
                // The addresses may go at any moment: others shall not wait for it.
                reporter.held_back();
                mouth.hold_back();
            } else {
                mouth.put(node, (router, advertise), ear, |error| reporter.socket_error(error));
            }
        }
        if overdue.is_some() {
            mouth.send(ear, |error| reporter.socket_error(error));
            self.spoke = Instant::now();
        }
    }

    /// A router's advert went out.
    fn said(&mut self, router: RouterId, advertise: Advertise) {
        let Self { node, ports, mouth, words, spoke, .. } = self;
        match advertise {
            Advertise::Claim => {
                let socket = |message: &Message<'_>| {
                    let ports = ports.get(index_of(message.interface))?;
                    ports[Kind::for_message(message).index()].socket.as_ref()
                };
                words.claimed(node, router, *spoke, mouth.mac(router), |message| socket(message)?.interface());
            }
            Advertise::Release => words.released(node, router, *spoke),
        }
    }

    fn listen(&mut self) {
        self.poller.clear();
        self.poller.add(&self.wakeup);
        for port in self.ports.iter_mut().flatten() {
            port.token = port.socket.as_ref().map(|socket| self.poller.add(socket));
        }
    }
}

/// When a datagram of this age arrived. The age is by the wall clock, which may have been set, and `now` is read a moment after it:
/// neither may bring what one socket delivers out of order, since a Backup goes by what arrived last.
pub(super) fn arrival(now: Instant, age: Duration, heard: Instant) -> Instant {
    let age = age.min(now.saturating_duration_since(heard));
    now.checked_sub(age).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_socket_delivers_stays_in_order() {
        let start = Instant::now();
        let ms = |ms| start + Duration::from_millis(ms);
        let age = Duration::from_millis;
        assert_eq!(arrival(ms(100), age(30), start), ms(70));
        assert_eq!(arrival(ms(100), age(0), start), ms(100));
        assert_eq!(arrival(ms(100), age(5000), start), start, "the clock was set, not the arrival");
        // The first was held up between its age and `now`: it seems younger than it is. The second came 10 ms after it.
        let first = arrival(ms(500), age(20), start);
        assert_eq!(arrival(ms(510), age(400), first), first);
    }
}
