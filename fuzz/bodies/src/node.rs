//! An arbitrary sequence of inputs and passing time over a node with four routers.

use std::net::Ipv4Addr;
use std::time::Duration;

use vrrp_core::fsm::{Addresses, Advertise, Link, Params, Role};
use vrrp_core::node::{Faults, Input, InterfaceId, Node, Output, RouterId, RouterSetup, Which};
use vrrp_core::router::RouterConfig;
use vrrp_core::wire::advert::{AdvertRepr, ChecksumForm, MAX_LEN};
use vrrp_core::{AddressList, AdvertInterval, Priority, SimplePassword, Vrid};

use crate::GROUP;

const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
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
}

struct World {
    node: Node<Duration>,
    ids: Vec<RouterId>,
    told: Vec<Told>,
    now: Duration,
}

impl World {
    fn new() -> Self {
        let mut node = Node::new(GROUP);
        let v2 = AdvertInterval::from_secs(1);
        let v3 = AdvertInterval::from_centis(10);
        let routers =
            [(0, 1, v2, 100, None), (0, 2, v3, 100, None), (1, 1, v2, 255, None), (1, 2, v2, 200, Some(b"secret"))];
        let add = |(interface, vrid, interval, priority, password): (
            usize,
            _,
            Option<AdvertInterval>,
            _,
            Option<&[u8; 6]>,
        )| {
            let config = RouterConfig {
                vrid: Vrid::new(vrid)?,
                params: Params { priority: Priority::new(priority)?, interval: interval?, preempt: true },
                addresses: AddressList::new(Box::from([VIP])).ok()?,
                password: password.and_then(|text| SimplePassword::new(text)),
                checksum: ChecksumForm::Message,
            };
            node.add(RouterSetup { interface: INTERFACES[interface], source: None, config }).ok()
        };
        let ids: Vec<RouterId> = routers.into_iter().filter_map(add).collect();
        let told = vec![Told::default(); ids.len()];
        Self { node, ids, told, now: Duration::ZERO }
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
                let link = match value & 3 {
                    0 => Link::Down,
                    1 => Link::NoAddress,
                    _ => Link::Up(OWN.into()),
                };
                self.input(Input::Link { interface, link });
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
            8 => self.input(Input::Leftover { router }),
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
            _ => self.advert(interface, kind, value, octets),
        }
    }

    /// A well-formed advertisement, so that the election is reached.
    fn advert(&mut self, interface: InterfaceId, kind: u8, vrid: u8, octets: &mut Octets<'_>) {
        let source = Ipv4Addr::new(10, 0, 0, 3 + octets.next() % 5);
        let priority = Priority::new(octets.next());
        let interval = if kind & 0x10 == 0 {
            AdvertInterval::from_secs(1)
        } else {
            AdvertInterval::from_centis(u16::from(octets.next()))
        };
        let password = if kind & 0x20 == 0 { None } else { SimplePassword::new(b"secret") };
        let (Some(vrid), Some(interval), Ok(addresses)) = (Vrid::new(vrid % 4), interval, AddressList::new(&[VIP][..]))
        else {
            return;
        };
        let repr = AdvertRepr { vrid, priority, interval, password, addresses, checksum: ChecksumForm::PseudoHeader };
        let mut buffer = [0; 64];
        let message = repr.emit(source, GROUP, &mut buffer).expect("one address fits");
        let total = u8::try_from(20 + message.len()).expect("one address fits");
        let mut datagram = vec![0x45, 0xc0, 0, total, 0, 0, 0, 0, 255, 112, 0, 0];
        datagram.extend(source.octets().iter().chain(&GROUP.octets()));
        datagram.extend_from_slice(message);
        self.input(Input::Datagram { interface, octets: &datagram });
    }

    /// Time passes; what is due afterwards fires, late.
    fn sleep(&mut self, span: Duration) {
        self.now += span;
        let mut out = Vec::new();
        self.node.expire(self.now, &mut out);
        for id in &self.ids {
            let claims = |output: &&Output| matches!(output, Output::Advertise { router, .. } if router == id);
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
                    let sent = self.node.message(router, advertise, &mut buffer).is_ok();
                    assert!(sent || advertise == Advertise::Release, "a claim comes from an address");
                }
                Output::Addresses { router, wanted, epoch } => {
                    let told = &mut self.told[router.index()];
                    assert!(epoch > told.epoch, "epochs grow");
                    *told = Told { serving: wanted == Addresses::Install, acknowledged: false, epoch };
                }
                Output::Announce { router } => {
                    assert!(self.told[router.index()].acknowledged, "only what is there is announced");
                }
                Output::Transition { transition, .. } => assert_ne!(transition.from, transition.to),
                Output::Rejected { rejected, .. } => assert!(!rejected.reason.to_string().is_empty()),
                Output::Noticed { notices, .. } => assert!(!notices.is_empty()),
            }
        }
    }

    fn check(&self) {
        for (id, told) in self.ids.iter().zip(&self.told) {
            let machine = self.node.router(*id).expect("added").machine();
            assert_eq!(told.serving, machine.state.role() == Role::Master, "addresses are a Master's alone");
            assert_eq!(machine.runs(), machine.state.role() != Role::Initialize);
        }
        let running = self.ids.iter().any(|id| self.node.router(*id).is_some_and(|router| router.machine().runs()));
        assert!(!running || self.node.next_deadline().is_some(), "a router that runs has a timer");
    }
}

fn params(value: u8, octets: &mut Octets<'_>) -> Option<Params> {
    let interval = if value & 1 == 0 {
        AdvertInterval::from_secs(octets.next() % 4)?
    } else {
        AdvertInterval::from_centis(u16::from(octets.next()))?
    };
    Some(Params { priority: Priority::new(octets.next())?, interval, preempt: value & 2 == 0 })
}
