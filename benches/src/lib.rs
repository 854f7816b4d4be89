//! What the benches measure: the same work, with the same values, for the clock, for instruction counts and for allocations.
//!
//! Knows vrrp-core; knows no bench framework.
#![allow(clippy::missing_panics_doc, reason = "fixed values, tested below")]

pub mod counting;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use vrrp_core::fsm::{Actions, Advertise, Event, Link, Machine, Params, Rules, Timer};
use vrrp_core::node::{Groups, Input, InterfaceId, Message, Node, Output, RouterSetup, Which};
use vrrp_core::router::{Accepted, ChecksumPolicy, RouterConfig, VirtualRouter};
use vrrp_core::rx::{Discard, Meta, Received, Rejected, TTL};
use vrrp_core::wire::advert::{Advert, AdvertRepr, ChecksumForm, MAX_LEN};
use vrrp_core::{AddressList, AdvertInterval, Auth, Family, Priority, Vrid};

/// The multicast group.
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// The peer whose adverts are heard.
pub const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 6);
/// Virtual routers of the node: all identifiers there are.
pub const ROUTERS: u8 = 255;

const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const ETH0: InterfaceId = InterfaceId(0);

fn vrid(vrid: u8) -> Vrid {
    Vrid::new(vrid).expect("not 0")
}

fn second() -> AdvertInterval {
    AdvertInterval::from_secs(1).expect("not 0")
}

fn vip(last: u8) -> IpAddr {
    [10, 0, 1, last].into()
}

fn params() -> Params {
    Params { priority: Priority::default(), interval: second(), preempt: true, accept: false, rules: Rules::DEFAULT }
}

fn config<A: AsRef<[IpAddr]>>(id: u8, addresses: A) -> RouterConfig<A> {
    RouterConfig {
        vrid: vrid(id),
        params: params(),
        addresses: AddressList::new(addresses).expect("one address"),
        auth: Auth::None,
        checksum: ChecksumPolicy::default(),
    }
}

/// A VRRPv2 advert of 20 octets from [`PEER`], stronger than ours, in its datagram of 40.
pub fn datagram(id: u8) -> [u8; 40] {
    let mut octets = [0; 40];
    octets[..4].copy_from_slice(&[0x45, 0xc0, 0, 40]);
    octets[8..10].copy_from_slice(&[255, 112]);
    octets[12..16].copy_from_slice(&PEER.octets());
    octets[16..20].copy_from_slice(&GROUP.octets());
    let addresses = [vip(id)];
    let repr = AdvertRepr {
        vrid: vrid(id),
        priority: Priority::new(200),
        interval: second(),
        password: None,
        addresses: AddressList::new(&addresses[..]).expect("one address"),
        checksum: ChecksumForm::Message,
    };
    let written = repr.emit(PEER.into(), GROUP.into(), &mut octets[20..]).expect("20 octets").len();
    assert_eq!(written, 20, "one address and no more");
    octets
}

/// A Backup with the identifier 7.
pub fn router() -> VirtualRouter<[IpAddr; 1]> {
    let mut router = VirtualRouter::new(config(7, [vip(7)]));
    let _ = router.handle(Event::Link(Link::Up(OWN.into())));
    let _ = router.handle(Event::Enabled(true));
    router
}

/// A Backup of one version and family, and a stronger advert of one address for it, as its message and what its header said.
pub struct Case {
    router: VirtualRouter<[IpAddr; 1]>,
    meta: Meta,
    message: [u8; 24],
    len: usize,
}

impl Case {
    /// VRRPv2, 20 octets.
    pub fn v2() -> Self {
        Self::new(second(), Family::V4)
    }

    /// VRRPv3 over IPv4, 12 octets.
    pub fn v3() -> Self {
        Self::new(AdvertInterval::from_centis(100).expect("1..=4095"), Family::V4)
    }

    /// VRRPv3 over IPv6, 24 octets.
    pub fn v6() -> Self {
        Self::new(AdvertInterval::from_centis(100).expect("1..=4095"), Family::V6)
    }

    fn new(interval: AdvertInterval, family: Family) -> Self {
        let local = |last| IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, last]);
        let (vip, own, source) = match family {
            Family::V4 => (vip(7), OWN.into(), PEER.into()),
            Family::V6 => (local(7), local(5), local(6)),
        };
        let mut config = config(7, [vip]);
        config.params.interval = interval;
        let mut router = VirtualRouter::new(config);
        let _ = router.handle(Event::Link(Link::Up(own)));
        let _ = router.handle(Event::Enabled(true));
        let meta = Meta { source, destination: Groups::default().of(family), ttl: TTL };
        let addresses = [vip];
        let repr = AdvertRepr {
            vrid: vrid(7),
            priority: Priority::new(200),
            interval,
            password: None,
            addresses: AddressList::new(&addresses[..]).expect("one address"),
            checksum: ChecksumForm::Message,
        };
        let mut message = [0; 24];
        let len = repr.emit(source, meta.destination, &mut message).expect("one address").len();
        Self { router, meta, message, len }
    }

    /// From a message to an event, through every check.
    pub fn check(&self) -> Result<Accepted, Discard> {
        accept(&self.router, &Received::check(&self.meta, &self.message[..self.len], self.meta.destination))
    }

    /// Writes an advert of the router's own.
    pub fn emit(&mut self, buffer: &mut [u8; 64]) -> usize {
        self.router.emit(Advertise::Claim, self.meta.destination, buffer).map_or(0, |message| message.len())
    }

    /// The router's machine and the event that the advert is to it.
    pub fn machine(&self) -> (Machine, Event) {
        (*self.router.machine(), self.check().expect("a right advert").event)
    }
}

/// From a datagram to an event, through every check.
pub fn check(router: &VirtualRouter<[IpAddr; 1]>, octets: &[u8]) -> Result<Accepted, Discard> {
    accept(router, &Received::check_datagram(octets, GROUP))
}

fn accept(router: &VirtualRouter<[IpAddr; 1]>, received: &Result<Received<'_>, Rejected>) -> Result<Accepted, Discard> {
    match received {
        Ok(received) => router.accept(received),
        Err(rejected) => Err(rejected.reason),
    }
}

/// The message alone: form and checksum.
pub fn parse(message: &[u8]) -> Option<Advert<'_>> {
    let advert = Advert::parse(message, Family::V4).ok()?;
    advert.verify(PEER.into(), GROUP.into()).ok()?;
    Some(advert)
}

/// Writes an advert of 20 octets.
pub fn emit(router: &mut VirtualRouter<[IpAddr; 1]>, buffer: &mut [u8; 64]) -> usize {
    router.emit(Advertise::Claim, GROUP.into(), buffer).map_or(0, |message| message.len())
}

/// A Backup's machine, the event it meets most, and the one with the most effects.
pub fn machine() -> (Machine, Event, Event) {
    let from = PEER.into();
    let advert = Event::Advert { from, priority: Priority::new(200), interval: second() };
    (*router().machine(), advert, Event::Expired(Timer::MasterDown))
}

/// One step.
pub fn step(machine: Machine, event: Event) -> (Machine, Actions) {
    machine.step(event)
}

/// A node of [`ROUTERS`] routers and the time at which its next round is due.
pub struct Host {
    node: Node<Duration>,
    now: Duration,
    out: Vec<Output>,
    buffer: [u8; MAX_LEN],
    datagrams: Vec<[u8; 40]>,
}

impl Host {
    /// All routers Backup; `masters` lets them all take over.
    pub fn new(masters: bool) -> Self {
        let mut node = Node::new(Groups::default());
        for id in 1..=ROUTERS {
            let setup = RouterSetup {
                interface: ETH0,
                source: None,
                unicast: None,
                track_interface: true,
                config: config(id, Box::from([vip(id)])),
            };
            node.add(setup).expect("all identifiers differ");
        }
        let mut out = Vec::with_capacity(4 * usize::from(ROUTERS));
        let now = Duration::ZERO;
        node.handle(now, Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN.into()) }, &mut out);
        node.handle(now, Input::Enabled { which: Which::All, enabled: true }, &mut out);
        let datagrams = (1..=ROUTERS).map(datagram).collect();
        let mut host = Self { node, now, out, buffer: [0; MAX_LEN], datagrams };
        if masters {
            host.now = host.node.next_deadline().expect("all wait");
            host.expire(|_| ());
            host.now += Duration::from_secs(1);
        }
        host
    }

    /// One round of Masters: every router's advert is due and written. Returns how many.
    pub fn masters_round(&mut self) -> usize {
        self.masters_round_to(|_| ())
    }

    /// The same; `each` gets what is written.
    pub fn masters_round_to(&mut self, each: impl FnMut(&Message<'_>)) -> usize {
        let sent = self.expire(each);
        self.now += Duration::from_secs(1);
        sent
    }

    /// A datagram is heard. Returns what follows.
    pub fn hear(&mut self, octets: &[u8]) -> &[Output] {
        self.out.clear();
        self.node.handle(self.now, Input::Datagram { interface: ETH0, octets }, &mut self.out);
        &self.out
    }

    /// One round of Backups: an advert for every router is heard. Returns the outputs, which are none.
    pub fn backups_round(&mut self) -> usize {
        self.now += Duration::from_secs(1);
        self.out.clear();
        for octets in &self.datagrams {
            self.node.handle(self.now, Input::Datagram { interface: ETH0, octets }, &mut self.out);
        }
        self.node.expire(self.now, &mut self.out);
        self.out.len()
    }

    fn expire(&mut self, mut each: impl FnMut(&Message<'_>)) -> usize {
        self.out.clear();
        self.node.expire(self.now, &mut self.out);
        let mut sent = 0;
        for output in &self.out {
            if let Output::Advertise { router, advertise } = *output {
                let message = self.node.message(router, advertise, &mut self.buffer);
                sent += usize::from(message.inspect(&mut each).is_ok());
            }
        }
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_is_the_work_it_says() {
        assert!(check(&router(), &datagram(7)).is_ok());
        assert!(parse(&datagram(7)[20..]).is_some());
        assert_eq!(emit(&mut router(), &mut [0; 64]), 20);
        for (mut case, len) in [(Case::v2(), 20), (Case::v3(), 12), (Case::v6(), 24)] {
            assert_eq!((case.len, case.emit(&mut [0; 64])), (len, len));
            let accepted = case.check().expect("a right advert");
            assert!(accepted.notices.is_empty());
        }
        assert_eq!(Host::new(true).masters_round(), usize::from(ROUTERS));
        let mut backups = Host::new(false);
        for _ in 0..10 {
            assert_eq!(backups.backups_round(), 0, "everything is heard, nobody takes over");
        }
    }
}
