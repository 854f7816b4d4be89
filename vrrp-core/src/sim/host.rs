//! A host of the simulated LAN: its process (a [`Node`] run as a daemon runs it), its kernel, its place on the wire.
//!
//! The process is held up, dies and starts anew; the kernel goes on without it. Draws no chance and sends nothing: the LAN
//! does.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::boxed::Box;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use super::{Conditions, Time};
use crate::announce::Program;
use crate::checksum::Checksum;
use crate::fsm::{Addresses, Link, Params};
use crate::node::{
    DuplicateVrid, Faults, Follower, Groups, Input, InterfaceId, Message, Node, Output, RouterId, RouterSetup,
    TrackerId, Unicast, Which,
};
use crate::release::Handover;
use crate::router::{Carriage, RouterConfig};
use crate::rx::Meta;
use crate::track::{Influence, Status};
use crate::types::Family;
use crate::wire::claim::Claim;

/// The one interface of each host.
pub(super) const LAN: InterfaceId = InterfaceId(0);

/// The octet of a host's MAC address that is its number in the LAN.
pub(super) const MAC_HOST: usize = 5;

/// As many datagrams as the daemon takes at once; between two portions its adverts go out.
const PORTION: usize = 64;

/// What a host is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostSetup {
    /// Its name in transcripts.
    pub name: String,
    /// The primary IPv4 address of its interface.
    pub ipv4: Ipv4Addr,
    /// The link-local IPv6 address of its interface.
    pub ipv6: Ipv6Addr,
    /// How long its kernel takes to install or remove the addresses of a router.
    pub kernel: Duration,
    /// The most datagrams that its kernel keeps for a process that does not read them; more are dropped.
    pub backlog: usize,
    /// How long its routers are kept from being Master after its process has started.
    pub startup_delay: Duration,
    /// How its routers let go of their addresses when it is stopped.
    pub handover: Handover,
    /// When its routers announce their addresses.
    pub announcements: Program,
    /// The peers of its routers, where their adverts do not go to the group.
    pub unicast: Option<Unicast>,
    /// Its virtual routers, all on the one interface.
    pub routers: Vec<RouterConfig<Box<[IpAddr]>>>,
    /// Its sync groups, as places of routers. A list that makes no group is left out.
    pub groups: Vec<Vec<usize>>,
    /// Which router, by its place, follows which tracker, by its number from 0, and how. Each is up when the process starts.
    pub follows: Vec<(usize, usize, Influence)>,
}

impl HostSetup {
    /// The host number `number` (1..=255) at 10.0.0.`number` and fe80::`number`, whose kernel takes a millisecond.
    pub fn new(name: &str, number: u8, routers: Vec<RouterConfig<Box<[IpAddr]>>>) -> Self {
        Self {
            name: name.into(),
            ipv4: Ipv4Addr::new(10, 0, 0, number),
            ipv6: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(number)),
            kernel: Duration::from_millis(1),
            backlog: 256,
            startup_delay: Duration::ZERO,
            handover: Handover::default(),
            announcements: Program::default(),
            unicast: None,
            routers,
            groups: Vec::new(),
            follows: Vec::new(),
        }
    }
}

/// What travels between hosts: an advertisement, as octets.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) from: usize,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    ttl: u8,
    /// IPv4: the datagram with its header. IPv6: the message.
    pub(super) octets: Box<[u8]>,
}

/// An input that is not a datagram; fed when the process gets to it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Feedback {
    Enabled(bool),
    Link,
    Params(usize, Params),
    Installed(usize, u64),
    Refused(usize, bool),
    Maintenance(bool),
    Tracked(usize, Status),
    /// Another host announced an address.
    Announced(IpAddr, usize),
}

/// Where an output comes from: what invariants ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    Datagram(Time),
    Expiry,
    Other,
}

/// What a process is told of its interface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    ipv4: Ipv4Addr,
    ipv6: Ipv6Addr,
    up: bool,
}

/// What becomes of adverts before the sockets of the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Firewall {
    Passes,
    Drops,
}

#[derive(Debug)]
pub(super) struct Host {
    pub(super) setup: HostSetup,
    pub(super) process: Option<Process>,
    /// Counts the processes of this host, so that what was meant for a dead one is recognised.
    pub(super) incarnation: u32,
    pub(super) powered: bool,
    pub(super) link: bool,
    pub(super) segment: u8,
    pub(super) hearing: Option<Conditions>,
    pub(super) refuses: bool,
    pub(super) firewall: Firewall,
    pub(super) slots: Vec<Slot>,
    /// When the process has something to do.
    pub(super) due: Option<Time>,
}

/// The kernel's side of one router's addresses.
#[derive(Clone, Default, Debug)]
pub(super) struct Slot {
    pub(super) held: bool,
    /// Of what is held, these are gone.
    pub(super) handed_over: Vec<IpAddr>,
    /// Held since before the process started, and the process has not decided.
    pub(super) leftover: bool,
    /// What the kernel is busy with, and what shall come after.
    pub(super) busy: Option<(Addresses, u64)>,
    pub(super) next: Option<(Addresses, u64)>,
}

#[derive(Debug)]
pub(super) struct Process {
    pub(super) node: Node<Time>,
    pub(super) ids: Vec<RouterId>,
    pub(super) trackers: Vec<TrackerId>,
    pub(super) stalled: Option<Time>,
    pub(super) inbox: Vec<(Time, Arc<Frame>)>,
    /// What its firewall drops.
    pub(super) barred: Vec<(Time, Arc<Frame>)>,
    /// How many its queue had no room for.
    pub(super) lost: u32,
    pub(super) feedback: Vec<Feedback>,
}

impl Host {
    pub(super) fn new(setup: HostSetup) -> Self {
        let slots = setup.routers.iter().map(|_| Slot::default()).collect();
        Self {
            setup,
            process: None,
            incarnation: 0,
            powered: true,
            link: true,
            segment: 0,
            hearing: None,
            refuses: false,
            firewall: Firewall::Passes,
            slots,
            due: None,
        }
    }

    /// Starts a process if there is none, and tells it what it finds.
    pub(super) fn boot(&mut self, now: Time, out: &mut Vec<Output>) -> Result<bool, DuplicateVrid> {
        if self.process.is_some() {
            return Ok(false);
        }
        let mut node = Node::new(Groups::default());
        let mut ids = Vec::new();
        for config in &self.setup.routers {
            let router = node.add(RouterSetup {
                interface: LAN,
                source: None,
                unicast: self.setup.unicast.clone(),
                track_interface: true,
                config: config.clone(),
            })?;
            node.handle(now, Input::Handover { router, handover: self.setup.handover }, out);
            node.set_announcements(router, self.setup.announcements);
            ids.push(router);
        }
        for members in &self.setup.groups {
            let members: Vec<RouterId> = members.iter().filter_map(|place| ids.get(*place).copied()).collect();
            // What makes no group is left out.
            let _ = node.add_group(&members, true);
        }
        let mut trackers: Vec<TrackerId> = Vec::new();
        for (place, number, influence) in &self.setup.follows {
            while trackers.len() <= *number {
                trackers.push(node.add_tracker(Status::Up));
            }
            if let Some(router) = ids.get(*place) {
                node.follow(Follower::Router(*router), trackers[*number], *influence);
            }
        }
        if !self.setup.startup_delay.is_zero() {
            node.handle(now, Input::StartupDelay { which: Which::All, delay: self.setup.startup_delay }, out);
        }
        self.incarnation += 1;
        let mut process = Process {
            node,
            ids,
            trackers,
            stalled: None,
            inbox: Vec::new(),
            barred: Vec::new(),
            lost: 0,
            feedback: Vec::new(),
        };
        process.tell_link(now, self.place(), out);
        for (slot, router) in self.slots.iter_mut().zip(process.ids.iter().copied()) {
            slot.leftover = slot.held;
            if slot.held {
                process.node.handle(now, Input::Leftover { router }, out);
            }
        }
        self.process = Some(process);
        Ok(true)
    }

    /// The process is gone; the kernel keeps what it has, and forgets what it was asked.
    pub(super) fn die(&mut self) {
        self.process = None;
        self.due = None;
        for slot in &mut self.slots {
            let handed_over = core::mem::take(&mut slot.handed_over);
            *slot = Slot { held: slot.held, handed_over, ..Slot::default() };
        }
    }

    pub(super) fn place(&self) -> Place {
        Place { ipv4: self.setup.ipv4, ipv6: self.setup.ipv6, up: self.link }
    }

    /// Whether its kernel takes a frame to this address.
    pub(super) fn is_meant(&self, destination: IpAddr) -> bool {
        destination.is_multicast() || [IpAddr::V4(self.setup.ipv4), IpAddr::V6(self.setup.ipv6)].contains(&destination)
    }

    pub(super) fn hears(&self) -> bool {
        self.powered && self.link
    }

    pub(super) fn runs(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.stalled.is_none())
    }
}

impl Process {
    /// One turn of the daemon's loop at `now`: what was fed back, everything that waits in arrival order, then deadlines.
    /// `perform` is given the outputs of each input at once.
    pub(super) fn turn(
        &mut self,
        now: Time,
        place: Place,
        mut perform: impl FnMut(&mut Node<Time>, Source, &mut Vec<Output>),
    ) {
        let mut out = Vec::new();
        for feedback in core::mem::take(&mut self.feedback) {
            self.feed(now, place, feedback, &mut out);
            perform(&mut self.node, Source::Other, &mut out);
        }
        let mut inbox = core::mem::take(&mut self.inbox);
        for (i, (at, frame)) in inbox.drain(..).enumerate() {
            if i > 0 && i % PORTION == 0 {
                self.node.expire_adverts(now, &mut out);
                perform(&mut self.node, Source::Expiry, &mut out);
            }
            self.node.handle(at, frame.input(), &mut out);
            perform(&mut self.node, Source::Datagram(at), &mut out);
        }
        self.inbox = inbox;
        for (at, frame) in core::mem::take(&mut self.barred) {
            self.node.handle(at, Input::Barred { interface: LAN, octets: &frame.datagram() }, &mut out);
            perform(&mut self.node, Source::Datagram(at), &mut out);
        }
        let count = core::mem::take(&mut self.lost);
        for family in [Family::V4, Family::V6].into_iter().filter(|_| count > 0) {
            self.node.handle(now, Input::Lost { interface: LAN, family, count }, &mut out);
        }
        self.node.expire(now, &mut out);
        perform(&mut self.node, Source::Expiry, &mut out);
    }

    fn feed(&mut self, now: Time, place: Place, feedback: Feedback, out: &mut Vec<Output>) {
        let router = |place: usize| self.ids.get(place).copied();
        let input = match feedback {
            Feedback::Enabled(enabled) => Some(Input::Enabled { which: Which::All, enabled }),
            Feedback::Maintenance(on) => Some(Input::Maintenance { which: Which::All, on }),
            Feedback::Tracked(number, status) => {
                self.trackers.get(number).map(|tracker| Input::Tracked { tracker: *tracker, status })
            }
            Feedback::Link => return self.tell_link(now, place, out),
            Feedback::Announced(address, from) => {
                let mut mac = [0x02, 0, 0, 0, 0, 0];
                mac[MAC_HOST] = u8::try_from(from).unwrap_or(u8::MAX);
                let claim = Claim { address, mac, gratuitous: true };
                for &router in &self.ids {
                    self.node.handle(now, Input::Claimed { router, claim }, out);
                }
                return;
            }
            Feedback::Params(place, params) => router(place).map(|router| Input::Params { router, params }),
            Feedback::Installed(place, epoch) => router(place).map(|router| Input::Installed { router, epoch }),
            Feedback::Refused(place, present) => {
                router(place).map(|router| Input::Fault { router, fault: Faults::INSTALL, present })
            }
        };
        if let Some(input) = input {
            self.node.handle(now, input, out);
        }
    }

    fn tell_link(&mut self, now: Time, place: Place, out: &mut Vec<Output>) {
        for (family, address) in [(Family::V4, IpAddr::V4(place.ipv4)), (Family::V6, IpAddr::V6(place.ipv6))] {
            let link = if place.up { Link::Up(address) } else { Link::Down };
            self.node.handle(now, Input::Link { interface: LAN, family, link }, out);
        }
    }
}

impl Frame {
    pub(super) fn input(&self) -> Input<'_> {
        match self.source {
            IpAddr::V4(_) => Input::Datagram { interface: LAN, octets: &self.octets },
            IpAddr::V6(_) => {
                let meta = Meta { source: self.source, destination: self.destination, ttl: self.ttl };
                Input::Message { interface: LAN, meta, octets: &self.octets }
            }
        }
    }

    /// As it travels, with its header.
    fn datagram(&self) -> Vec<u8> {
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (self.source, self.destination) else {
            return self.octets.to_vec();
        };
        let length = u16::try_from(self.octets.len()).unwrap_or(u16::MAX).to_be_bytes();
        let head = [0x6c, 0, 0, 0, length[0], length[1], 112, self.ttl];
        [&head[..], &source.octets(), &destination.octets(), &self.octets].concat()
    }

    /// What arrives of a message: over IPv4 with the header in front, which raw sockets deliver.
    pub(super) fn new(from: usize, message: &Message<'_>) -> Self {
        let Message { source, destination, ttl, carriage, octets: message, .. } = *message;
        let mut octets = Vec::with_capacity(message.len() + 20);
        if let (IpAddr::V4(source), IpAddr::V4(destination), Carriage::Message) = (source, destination, carriage) {
            let total = u16::try_from(message.len() + 20).unwrap_or(u16::MAX).to_be_bytes();
            // Version and header length, precedence "internetwork control"; no fragment; TTL, protocol.
            octets.extend_from_slice(&[0x45, 0xc0, total[0], total[1], 0, 0, 0x40, 0, ttl, 112, 0, 0]);
            octets.extend_from_slice(&source.octets());
            octets.extend_from_slice(&destination.octets());
            let sum = Checksum::default().with(&octets).finish().to_be_bytes();
            octets[10..12].copy_from_slice(&sum);
        }
        octets.extend_from_slice(message);
        Self { from, source, destination, ttl, octets: octets.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{params, router};
    use super::*;
    use crate::types::{AdvertInterval, Vrid};

    /// A long queue does not hold back the adverts of a Master: they go out between two portions.
    #[test]
    fn what_waits_is_taken_in_portions() {
        let params = params(100, AdvertInterval::from_secs(1).unwrap()).unwrap();
        let config = router(Vrid::new(50).unwrap(), params, &[[10, 0, 0, 100].into()]).unwrap();
        let mut host = Host::new(HostSetup::new("r1", 1, std::vec![config]));
        assert_eq!(host.boot(Time::START, &mut Vec::new()), Ok(true));
        assert_eq!(host.boot(Time::START, &mut Vec::new()), Ok(false), "it runs");
        let place = host.place();
        let process = host.process.as_mut().unwrap();
        let (source, destination) = ([10, 0, 0, 2].into(), [224, 0, 0, 18].into());
        let frame = Arc::new(Frame { from: 1, source, destination, ttl: 255, octets: Box::from([0x45]) });
        process.inbox = std::vec![(Time::START, frame); 2 * PORTION + 2];
        let mut sources = Vec::new();
        process.turn(Time::START, place, |_, source, out| {
            out.clear();
            sources.push(source);
        });
        let portions: Vec<usize> = sources.split(|source| *source == Source::Expiry).map(<[Source]>::len).collect();
        assert_eq!(portions, [PORTION, PORTION, 2, 0]);
    }
}
