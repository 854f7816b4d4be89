//! An arbitrary sequence of inputs and passing time over a node with eight routers, of both versions and families, two of them with
//! peers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU8;
use std::time::Duration;

use vrrp_core::fsm::{Addresses, Advertise, Link, Machine, Params, PreemptDelay, Role, Rules, State};
use vrrp_core::node::{
    Faults, Follower, GroupId, Groups, Input, InterfaceId, Node, OldChecksum, Output, Peer, Peers, RouterId,
    RouterSetup, TrackerId, Unicast, Unmet, Which,
};
use vrrp_core::release::Handover;
use vrrp_core::router::{ChecksumPolicy, RouterConfig, VirtualRouter};
use vrrp_core::rx::{Meta, TTL};
use vrrp_core::track::{Influence, Status, Weight};
use vrrp_core::wire::advert::{AdvertRepr, ChecksumForm, MAX_LEN};
use vrrp_core::wire::claim::Claim;
use vrrp_core::{AddressList, AdvertInterval, Auth, Family, Priority, SimplePassword, Version, Vrid};

const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
const OWN_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 5));
const VIPS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(10, 0, 0, 100)), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 101))];
const VIPS_V6: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 100)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 100)),
];
const HANDOVERS: [Handover; 4] = [Handover::Announced, Handover::Immediate, Handover::FirstAdvert, Handover::Announced];
const INTERFACES: [InterfaceId; 2] = [InterfaceId(0), InterfaceId(1)];

/// Reads `data` as inputs, and checks after each of them what must always hold.
pub fn node(data: &[u8]) {
    let mut octets = Octets(data);
    let mut world = World::new();
    while !octets.0.is_empty() {
        world.one(&mut octets);
        world.check();
    }
}

struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn next(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// What the outputs of one router add up to.
#[derive(Clone, Copy, Default)]
struct Told {
    serving: bool,
    acknowledged: bool,
    epoch: u64,
    /// Addresses that were handed over in this epoch.
    handed_over: usize,
}

/// Two peers, of which one is bounded.
fn unicast(family: Family) -> Unicast {
    let address = |last: u8| match family {
        Family::V4 => IpAddr::from([10, 0, 0, last]),
        Family::V6 => IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, u16::from(last)]),
    };
    let bounded = Peer { min_ttl: TTL, ..Peer::new(address(6)) };
    let peers = Peers::new([Peer::new(address(4)), bounded]).expect("two peers");
    Unicast { peers, ttl: TTL, old_checksum: OldChecksum::Learn }
}

struct World {
    node: Node<Duration>,
    ids: Vec<RouterId>,
    /// Of the routers of IPv6, which are on two interfaces.
    group: GroupId,
    trackers: [TrackerId; 3],
    told: Vec<Told>,
    now: Duration,
}

impl World {
    fn new() -> Self {
        let mut node = Node::new(Groups::default());
        let v2 = AdvertInterval::from_secs(1);
        let v3 = AdvertInterval::from_centis(10);
        let v6 = Family::V6;
        let routers = [
            (0, 1, Family::V4, v2, 100, None),
            (0, 2, Family::V4, v3, 100, None),
            (1, 1, Family::V4, v2, 255, None),
            (1, 2, Family::V4, v2, 200, SimplePassword::new(b"secret")),
            (0, 1, v6, v3, 100, None),
            (1, 2, v6, v2, 255, None),
            (0, 3, Family::V4, v3, 100, None),
            (1, 3, v6, v3, 200, None),
        ];
        let add = |(interface, vrid, family, interval, priority, password): (usize, _, _, Option<_>, _, Option<_>)| {
            let config = RouterConfig {
                vrid: Vrid::new(vrid)?,
                params: Params {
                    priority: Priority::new(priority)?,
                    interval: interval?,
                    preempt: true,
                    accept: true,
                    rules: Rules::DEFAULT,
                },
                addresses: AddressList::new(&vips(family)[..1]).ok()?.to_boxed(),
                auth: password.map_or(Auth::None, Auth::SimpleText),
                checksum: ChecksumPolicy::default(),
            };
            let unicast = (vrid == 3).then(|| unicast(family));
            node.add(RouterSetup {
                interface: INTERFACES[interface],
                source: None,
                unicast,
                track_interface: true,
                config,
            })
            .ok()
        };
        let ids: Vec<RouterId> = routers.into_iter().filter_map(add).collect();
        for (router, handover) in ids.iter().copied().zip(HANDOVERS.into_iter().cycle()) {
            node.handle(Duration::ZERO, Input::Handover { router, handover }, &mut Vec::new());
        }
        let told = vec![Told::default(); ids.len()];
        let group = node.add_group(&ids[4..], true).expect("stopped routers without a group");
        let trackers = [(); 3].map(|()| node.add_tracker(Status::Up));
        for (follower, tracker, weight, reverse) in [
            (Follower::Router(ids[0]), 0, 0, false),
            (Follower::Router(ids[3]), 1, -60, false),
            (Follower::Router(ids[3]), 2, 254, true),
            (Follower::Group(group), 2, 0, false),
            (Follower::Group(group), 1, 7, true),
        ] {
            let weight = Weight::new(weight).expect("within 254");
            node.follow(follower, trackers[tracker], Influence { weight, reverse });
        }
        Self { node, ids, group, trackers, told, now: Duration::ZERO }
    }

    fn one(&mut self, octets: &mut Octets<'_>) {
        let kind = octets.next();
        let router = self.ids[usize::from(octets.next()) % self.ids.len()];
        let interface = INTERFACES[usize::from(kind >> 7)];
        let value = octets.next();
        match kind & 0x0f {
            0 | 1 => self.sleep(Duration::from_millis(u64::from(value) * if kind & 0x10 == 0 { 10 } else { 400 })),
            2 => self.input(Input::Enabled { which: Which::All, enabled: value & 1 == 1 }),
            3 => self.input(Input::Enabled { which: Which::One(router), enabled: value & 1 == 1 }),
            4 => {
                let family = family(value);
                let link = match value & 3 {
                    0 => Link::Down,
                    1 => Link::NoAddress,
                    2 => Link::Up(OWN),
                    _ => Link::Up(OWN_V6),
                };
                self.input(Input::Link { interface, family, link });
            }
            5 => {
                if let Some(params) = params(value, octets) {
                    self.input(Input::Params { router, params });
                }
            }
            6 => {
                let epoch = self.told[router.index()].epoch.saturating_sub(u64::from(value & 1));
                self.input(Input::Installed { router, epoch });
            }
            7 => self.input(Input::Fault { router, fault: Faults::INSTALL, present: value & 1 == 1 }),
            8 if kind & 0x20 != 0 => {
                let which = [Which::All, Which::One(router), Which::Group(self.group)][usize::from(value >> 1) % 3];
                self.input(Input::Maintenance { which, on: value & 1 == 1 });
            }
            8 if kind & 0x40 != 0 => {
                let tracker = self.trackers[usize::from(value) % self.trackers.len()];
                let status = match octets.next() {
                    0 => Status::Unknown,
                    1 => Status::Up,
                    2 => Status::Down,
                    number => Status::Value((i32::from(number) - 128) << (value >> 2).min(24)),
                };
                self.input(Input::Tracked { tracker, status });
            }
            8 => self.input(Input::Leftover { router }),
            9 if kind & 0x20 != 0 => {
                let octets = octets.take(usize::from(value));
                self.input(Input::Barred { interface, octets });
            }
            9 if kind & 0x40 != 0 => {
                self.input(Input::Lost { interface, family: family(value), count: u32::from(value) });
            }
            9 => {
                let octets = octets.take(usize::from(value));
                self.input(Input::Datagram { interface, octets });
            }
            10 => {
                let mut out = Vec::new();
                self.node.expire_adverts(self.now, &mut out);
                assert!(!out.iter().any(|output| matches!(output, Output::Announce { .. })));
                self.perform(&out);
            }
            11 => {
                let list = &vips(family(value))[..=usize::from(value & 1)];
                let Ok(addresses) = AddressList::new(list) else { return };
                self.input(Input::AddressList { router, addresses });
            }
            12 => {
                let meta = Meta { source: OWN_V6, destination: Groups::default().of(family(kind)), ttl: TTL };
                let octets = octets.take(usize::from(value));
                self.input(Input::Message { interface, meta, octets });
            }
            13 => {
                let address = vips(family(value))[usize::from(value & 1)];
                let claim = Claim { address, mac: [2, 0, 0, 0, 0, value], gratuitous: value & 2 == 0 };
                self.input(Input::Claimed { router, claim });
            }
            14 if kind & 0x20 == 0 => self.input(Input::LetGo { which: Which::One(router) }),
            14 if kind & 0x40 != 0 => {
                let which = [Which::All, Which::One(router), Which::Group(self.group)][usize::from(value) % 3];
                let delay = Duration::from_millis(u64::from(value) * 100);
                self.input(Input::StartupDelay { which, delay });
            }
            14 => {
                let handover = HANDOVERS[usize::from(value) % HANDOVERS.len()];
                self.input(Input::Handover { router, handover });
            }
            _ => self.advert(interface, kind, value, octets),
        }
    }

    /// A well-formed advertisement, so that the election is reached.
    fn advert(&mut self, interface: InterfaceId, kind: u8, vrid: u8, octets: &mut Octets<'_>) {
        let last = 3 + octets.next() % 5;
        let family = family(kind);
        let source: IpAddr = match family {
            Family::V4 => [10, 0, 0, last].into(),
            Family::V6 => [0xfe80, 0, 0, 0, 0, 0, 0, u16::from(last)].into(),
        };
        let priority = Priority::new(octets.next());
        let interval = if kind & 0x10 == 0 {
            AdvertInterval::from_secs(1)
        } else {
            AdvertInterval::from_centis(u16::from(octets.next()))
        };
        let password = if kind & 0x20 == 0 { None } else { SimplePassword::new(b"secret") };
        let (Some(vrid), Some(interval), Ok(addresses)) =
            (Vrid::new(vrid % 4), interval, AddressList::new(&vips(family)[..1]))
        else {
            return;
        };
        let repr = AdvertRepr { vrid, priority, interval, password, addresses, checksum: ChecksumForm::PseudoHeader };
        let mut buffer = [0; 64];
        let group = Groups::default().of(family);
        let own = if family == Family::V4 { OWN } else { OWN_V6 };
        let (destination, covered, ttl) = match octets.next() % 6 {
            0 => (own, own, TTL),
            1 => (own, own, 63),
            2 => (own, group, TTL),
            _ => (group, group, TTL),
        };
        let octets = repr.emit(source, covered, &mut buffer).expect("one address fits");
        self.input(Input::Message { interface, meta: Meta { source, destination, ttl }, octets });
    }

    /// Time passes; what is due afterwards fires, late.
    fn sleep(&mut self, span: Duration) {
        self.now += span;
        let mut out = Vec::new();
        self.node.expire(self.now, &mut out);
        for id in &self.ids {
            // A release besides is one's whose group yields.
            let claims = |output: &&Output| matches!(output, Output::Advertise { router, advertise: Advertise::Claim } if router == id);
            assert!(out.iter().filter(claims).count() <= 1, "missed periods are no burst");
        }
        assert!(self.node.next_deadline().is_none_or(|deadline| deadline > self.now), "everything due has fired");
        self.perform(&out);
    }

    fn input(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.node.handle(self.now, input, &mut out);
        if let Input::Installed { router, epoch } = input {
            let told = &mut self.told[router.index()];
            told.acknowledged |= told.serving && told.epoch == epoch;
        }
        self.perform(&out);
    }

    fn perform(&mut self, outputs: &[Output]) {
        for output in outputs {
            match *output {
                Output::Advertise { router, advertise } => {
                    let mut buffer = [0; MAX_LEN];
                    for recipient in 0..self.node.recipients(router) {
                        let sent = self.node.message_to(router, recipient, advertise, &mut buffer).is_ok();
                        assert!(sent || advertise == Advertise::Release, "a claim comes from an address");
                    }
                }
                Output::Addresses { router, wanted, accept, epoch } => {
                    let told = &mut self.told[router.index()];
                    assert!(epoch > told.epoch, "epochs grow");
                    assert_eq!(Some(accept), self.node.router(router).map(VirtualRouter::accepts));
                    *told = Told { serving: wanted == Addresses::Install, acknowledged: false, epoch, handed_over: 0 };
                }
                Output::Announce { router } => {
                    assert!(self.told[router.index()].acknowledged, "only what is there is announced");
                }
                Output::HandOver { router, address, epoch, .. } => {
                    let told = &mut self.told[router.index()];
                    assert!(told.acknowledged && told.epoch == epoch, "only what is served is handed over");
                    told.handed_over += 1;
                    let known = self.node.router(router).expect("added");
                    assert!(known.addresses().contains(&address) && told.handed_over <= known.addresses().len());
                }
                Output::Conflict { router, address, .. } => {
                    assert!(self.told[router.index()].acknowledged, "only what is served is watched");
                    assert!(self.node.conflicts(router).any(|(known, _)| known == address));
                }
                Output::Transition { transition, .. } => assert_ne!(transition.from, transition.to),
                Output::Rejected { rejected, .. } => assert!(!rejected.reason.to_string().is_empty()),
                Output::Noticed { notices, .. } => assert!(!notices.is_empty()),
                Output::Barred { router, source, .. } => {
                    assert_ne!(self.node.router(router).expect("added").machine().link.source(), Some(source));
                }
                Output::Priority { .. } | Output::Group { .. } => {}
            }
        }
    }

    fn check(&self) {
        for (id, told) in self.ids.iter().zip(&self.told) {
            let router = self.node.router(*id).expect("added");
            let machine = router.machine();
            let releasing = self.node.is_releasing(*id);
            let master = machine.state.role() == Role::Master;
            assert!(!(releasing && master), "a Master does not let go");
            assert_eq!(told.serving, master || releasing, "addresses are a Master's alone, or handed over");
            assert!(!releasing || self.node.next_deadline().is_some(), "a release ends");

            assert_eq!(router.family() == Family::V6, router.addresses()[0].is_ipv6());
            assert!(
                router.family() == Family::V4 || machine.params.version() == Version::V3,
                "IPv6 has version 3 alone"
            );
            assert_eq!(machine.runs(), machine.state.role() != Role::Initialize);
            let (base, priority) = (self.node.base_priority(*id).expect("added"), machine.params.priority);
            assert_eq!(base.is_owner(), priority.is_owner(), "255 is the owner's alone, and stays");
            let reasons =
                self.node.unmet(*id).filter(|unmet| !matches!(unmet, Unmet::Maintenance | Unmet::StartupDelay)).count();
            assert!(machine.runs() || reasons > 0, "FAULT says why");
            assert!(!master || machine.may_lead());
            let delayed = self.node.delayed_until(*id);
            assert!(delayed.is_none() || !master && self.node.next_deadline() <= delayed, "a delay ends");
        }
        let roles: Vec<Role> = self.ids[4..]
            .iter()
            .filter_map(|id| self.node.router(*id))
            .map(|router| router.machine().state.role())
            .collect();
        for role in [Role::Master, Role::Initialize] {
            assert!(roles.iter().all(|one| *one == role) || !roles.contains(&role), "a group is one: {roles:?}");
        }
        // Whose turn has come waits for its group, or for the end of a hold, without a timer.
        let timed = |machine: &Machine| machine.runs() && !matches!(machine.state, State::Backup { due: true, .. });
        let running = self.ids.iter().any(|id| self.node.router(*id).is_some_and(|router| timed(router.machine())));
        assert!(!running || self.node.next_deadline().is_some(), "a router that runs has a timer");
    }
}

fn family(value: u8) -> Family {
    if value & 0x40 == 0 { Family::V4 } else { Family::V6 }
}

fn vips(family: Family) -> &'static [IpAddr; 2] {
    match family {
        Family::V4 => &VIPS,
        Family::V6 => &VIPS_V6,
    }
}

fn params(value: u8, octets: &mut Octets<'_>) -> Option<Params> {
    let interval = if value & 1 == 0 {
        AdvertInterval::from_secs(octets.next() % 4)?
    } else {
        AdvertInterval::from_centis(u16::from(octets.next()))?
    };
    let (preempt, accept) = (value & 2 == 0, value & 4 == 0);
    let rules = Rules {
        preempt_delay: PreemptDelay::new(Duration::from_millis(u64::from(value >> 4) * 500))?,
        down_timer_adverts: NonZeroU8::new(3 + ((value >> 3) & 1))?,
        answer_weaker: (value >> 5) & 1 == 0,
        claim_on_yield: (value >> 6) & 1 == 0,
        ..Rules::DEFAULT
    };
    Some(Params { priority: Priority::new(octets.next())?, interval, preempt, accept, rules })
}
