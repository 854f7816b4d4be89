//! Several nodes on one simulated wire, exchanging the octets that they would send.

use super::*;

/// One host: a node with one router, its interface address, and whether the virtual address is on it.
struct Host {
    node: Node<Duration>,
    id: RouterId,
    address: IpAddr,
    family: Family,
    connected: bool,
    alive: bool,
    serving: bool,
    rejected: Vec<Discard>,
    notices: Notices,
    changes: Vec<Role>,
    announced: Vec<Duration>,
}

/// Version and family of a whole LAN; all intervals are a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    V2,
    V3,
    V6,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::V2, Self::V3, Self::V6];
    const VERSION_3: [Self; 2] = [Self::V3, Self::V6];

    pub(super) fn params(self, priority: u8) -> Params {
        let interval = match self {
            Self::V2 => AdvertInterval::from_secs(1),
            Self::V3 | Self::V6 => AdvertInterval::from_centis(100),
        };
        Params { interval: interval.unwrap(), ..params(priority) }
    }

    pub(super) fn setup(self, priority: u8) -> RouterSetup {
        self.setup_with(self.params(priority))
    }

    fn setup_with(self, params: Params) -> RouterSetup {
        let mut setup = setup(ETH0, 7, params);
        if self == Self::V6 {
            setup.config.addresses = AddressList::new(Box::from([address(Family::V6, 100)])).unwrap();
        }
        setup
    }
}

pub(super) fn address(family: Family, last: usize) -> IpAddr {
    match family {
        Family::V4 => [10, 0, 0, u8::try_from(last).unwrap()].into(),
        Family::V6 => [0xfe80, 0, 0, 0, 0, 0, 0, u16::try_from(last).unwrap()].into(),
    }
}

struct Lan {
    hosts: Vec<Host>,
    now: Duration,
}

impl Lan {
    /// Hosts 10.0.0.1, 10.0.0.2, ... started at the time 0 with these setups.
    fn new(setups: impl IntoIterator<Item = RouterSetup>) -> Self {
        let host = |(i, setup): (usize, RouterSetup)| {
            let mut node = Node::new(Groups::default());
            let family = setup.config.addresses.family();
            let id = node.add(setup).unwrap();
            Host {
                node,
                id,
                address: address(family, i + 1),
                family,
                connected: true,
                alive: true,
                serving: false,
                rejected: Vec::new(),
                notices: Notices::empty(),
                changes: Vec::new(),
                announced: Vec::new(),
            }
        };
        let mut lan = Self { hosts: setups.into_iter().enumerate().map(host).collect(), now: ms(0) };
        for i in 0..lan.hosts.len() {
            lan.link(i, Link::Up(lan.hosts[i].address));
            lan.input(i, Input::Enabled { which: Which::All, enabled: true });
        }
        lan
    }

    fn pair(kind: Kind, priorities: [u8; 2]) -> Self {
        Self::new(priorities.map(|priority| kind.setup(priority)))
    }

    fn link(&mut self, host: usize, link: Link) {
        let family = self.hosts[host].family;
        self.input(host, Input::Link { interface: ETH0, family, link });
    }

    fn input(&mut self, host: usize, input: Input<'_>) {
        let mut out = Vec::new();
        self.hosts[host].node.handle(self.now, input, &mut out);
        self.perform(host, out);
    }

    fn perform(&mut self, host: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Advertise { router, advertise } => {
                    let mut buffer = [0; 64];
                    let message = self.hosts[host].node.message(router, advertise, &mut buffer).unwrap();
                    assert_eq!(message.destination, Groups::default().of(self.hosts[host].family));
                    for other in 0..self.hosts.len() {
                        let reaches = |host: &Host| host.connected && host.alive;
                        if other != host && reaches(&self.hosts[host]) && reaches(&self.hosts[other]) {
                            self.deliver(other, &message);
                        }
                    }
                }
                Output::Addresses { router, wanted, epoch, .. } => {
                    self.hosts[host].serving = wanted == Addresses::Install;
                    if wanted == Addresses::Install {
                        self.input(host, Input::Installed { router, epoch });
                    }
                }
                Output::Announce { .. } => self.hosts[host].announced.push(self.now),
                Output::HandOver { .. } => panic!("nobody asked for it"),
                Output::Conflict { .. } => panic!("nobody claimed anything"),
                Output::Transition { transition, .. } => self.hosts[host].changes.push(transition.to),
                Output::Rejected { rejected, .. } => self.hosts[host].rejected.push(rejected.reason),
                Output::Priority { .. } | Output::Group { .. } | Output::Barred { .. } => {}
                Output::Noticed { notices, .. } => self.hosts[host].notices |= notices,
            }
        }
    }

    /// As the sockets of the family do it: the datagram of IPv4, of IPv6 the message.
    fn deliver(&mut self, host: usize, message: &Message<'_>) {
        match message.source {
            IpAddr::V4(_) => {
                let octets = datagram(message.source, message.octets);
                self.input(host, Input::Datagram { interface: ETH0, octets: &octets });
            }
            IpAddr::V6(_) => {
                let meta = Meta { source: message.source, destination: message.destination, ttl: 255 };
                self.input(host, Input::Message { interface: ETH0, meta, octets: message.octets });
            }
        }
    }

    /// Lets time pass, firing every deadline when it is due.
    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let due = |(i, host): (usize, &Host)| {
                host.node.next_deadline().filter(|_| host.alive).map(|deadline| (deadline, i))
            };
            let Some((at, i)) = self.hosts.iter().enumerate().filter_map(due).min().filter(|(at, _)| *at <= end) else {
                break;
            };
            self.now = at;
            let mut out = Vec::new();
            self.hosts[i].node.expire(at, &mut out);
            self.perform(i, out);
        }
        self.now = end;
    }

    fn serving(&self) -> Vec<bool> {
        self.hosts.iter().map(|host| host.serving && host.alive).collect()
    }
}

#[test]
fn the_higher_priority_is_elected() {
    for kind in Kind::ALL {
        let mut lan = Lan::pair(kind, [100, 150]);
        lan.run(ms(10_000));
        assert_eq!(lan.serving(), [false, true]);
        assert_eq!(lan.hosts[0].changes, [Role::Backup]);
    }
}

#[test]
fn a_silent_death_is_noticed_within_master_down_interval() {
    for kind in Kind::ALL {
        let mut lan = Lan::pair(kind, [100, 150]);
        lan.run(ms(10_000));
        lan.hosts[1].alive = false;
        lan.run(ms(2600));
        assert_eq!(lan.serving(), [false, false], "not before three intervals and Skew_Time");
        lan.run(ms(1010));
        assert_eq!(lan.serving(), [true, false]);
    }
}

#[test]
fn r42_r36_a_planned_stop_takes_skew_time() {
    for kind in Kind::ALL {
        let mut lan = Lan::pair(kind, [100, 150]);
        lan.run(ms(10_000));
        lan.input(1, Input::Enabled { which: Which::All, enabled: false });
        assert_eq!(lan.serving(), [false, false]);
        lan.run(ms(609));
        assert_eq!(lan.serving(), [false, false]);
        lan.run(ms(1));
        assert_eq!(lan.serving(), [true, false]);
    }
}

#[test]
fn r38_a_stronger_router_preempts_when_it_comes_back() {
    for kind in Kind::ALL {
        let mut lan = Lan::pair(kind, [100, 150]);
        lan.hosts[1].alive = false;
        lan.run(ms(10_000));
        assert_eq!(lan.serving(), [true, false]);
        lan.hosts[1].alive = true;
        lan.hosts[1].changes.clear();
        lan.run(ms(4000));
        assert_eq!(lan.serving(), [false, true]);
    }
}

#[test]
fn r37_without_preemption_it_stays_in_backup() {
    for kind in Kind::ALL {
        let patient = |priority| kind.setup_with(Params { preempt: false, ..kind.params(priority) });
        let mut lan = Lan::new([100, 150].map(patient));
        lan.link(1, Link::Down);
        // It listens for three of its Master_Down_Intervals, 3 609.375 ms each, before it is the first Master.
        lan.run(ms(10_828));
        assert_eq!(lan.serving(), [false, false]);
        lan.run(ms(1));
        assert_eq!(lan.serving(), [true, false]);
        lan.link(1, Link::Up(lan.hosts[1].address));
        lan.run(ms(20_000));
        assert_eq!(lan.serving(), [true, false]);
        lan.hosts[0].alive = false;
        lan.run(ms(5000));
        assert_eq!(lan.serving(), [false, true]);
    }
}

/// What serves a second after two Masters, who did not hear each other until `parted`, can.
fn healed(kind: Kind, priorities: [u8; 2], parted: Duration) -> [bool; 2] {
    let mut lan = Lan::pair(kind, priorities);
    lan.hosts[0].connected = false;
    lan.run(parted);
    assert_eq!(lan.serving(), [true, true], "neither hears the other");
    lan.hosts[0].connected = true;
    lan.run(ms(1000));
    lan.serving().try_into().unwrap()
}

#[test]
fn r45_of_equal_priorities_the_higher_address_wins() {
    for kind in Kind::ALL {
        assert_eq!(healed(kind, [100, 100], ms(10_000)), [false, true]);
    }
}

#[test]
fn r45_two_masters_become_one_when_they_hear_each_other() {
    for kind in Kind::ALL {
        assert_eq!(healed(kind, [100, 150], ms(10_000)), [false, true]);
    }
}

/// Whichever hears the other first: clients may have learnt the loser's MAC address while the LAN was parted.
#[test]
fn the_winner_of_a_healed_partition_announces_again() {
    for (kind, phase) in Kind::ALL.into_iter().flat_map(|kind| (0..1000).step_by(50).map(move |phase| (kind, phase))) {
        let mut lan = Lan::pair(kind, [100, 150]);
        lan.run(ms(5000));
        lan.hosts[0].connected = false;
        lan.run(ms(12_000 + phase));
        assert_eq!(lan.serving(), [true, true], "neither hears the other");
        lan.hosts[0].connected = true;
        let healed = lan.now;
        lan.run(ms(3000));
        assert_eq!(lan.serving(), [false, true]);
        let after: Vec<_> = lan.hosts[1].announced.iter().filter(|at| **at >= healed).collect();
        assert!(!after.is_empty(), "healed at {healed:?}: the winner never announced");
        assert!(*after[0] <= healed + ms(1000), "healed at {healed:?}: announced at {after:?}");
        assert!(after.contains(&&(*after[0] + ms(1100))), "healed at {healed:?}: announced at {after:?}");
    }
}

#[test]
fn r113_the_stronger_master_counts_and_answers_the_weaker() {
    for kind in Kind::ALL {
        // The weaker one's next advert is earlier or later than the stronger one's; either way it yields.
        assert_eq!(healed(kind, [150, 100], ms(4000)), [true, false]);
    }
}

#[test]
fn r16_r62_different_passwords_make_two_masters_and_say_why() {
    let mut setups = [100, 150].map(|priority| setup(ETH0, 7, params(priority)));
    setups[0].config.auth = Auth::SimpleText(SimplePassword::new(b"one").unwrap());
    setups[1].config.auth = Auth::SimpleText(SimplePassword::new(b"two").unwrap());
    let mut lan = Lan::new(setups);
    lan.run(ms(10_000));
    assert_eq!(lan.serving(), [true, true]);
    for host in &lan.hosts {
        assert!(!host.rejected.is_empty() && host.rejected.iter().all(|reason| *reason == Discard::Password));
        let counters = host.node.router(host.id).unwrap().counters();
        assert_eq!(counters.get(Counter::AuthFailures), host.rejected.len() as u64);
    }
}

#[test]
fn r49_different_intervals_of_version_2_make_two_masters_and_say_why() {
    let mut setups = [100, 150].map(|priority| setup(ETH0, 7, params(priority)));
    setups[0].config.params.interval = AdvertInterval::from_secs(2).unwrap();
    let mut lan = Lan::new(setups);
    lan.run(ms(10_000));
    assert_eq!(lan.serving(), [true, true]);
    assert!(lan.hosts.iter().all(|host| matches!(host.rejected[..], [Discard::Interval { .. }, ..])));
}

#[test]
fn r81_different_intervals_of_version_3_elect_one() {
    for kind in Kind::VERSION_3 {
        let with = |priority, centiseconds| {
            let interval = AdvertInterval::from_centis(centiseconds).unwrap();
            kind.setup_with(Params { interval, ..params(priority) })
        };
        let mut lan = Lan::new([with(100, 10), with(150, 100)]);
        lan.run(ms(10_000));
        assert_eq!(lan.serving(), [false, true]);
        lan.hosts[0].changes.clear();
        lan.run(ms(60_000));
        assert_eq!(lan.hosts[0].changes, [], "the learnt interval keeps it quiet");
        assert!(lan.hosts[0].notices.contains(Notices::INTERVAL));
    }
}

/// Reload on one host after the other: no second Master on the way.
#[test]
fn version_3_intervals_change_host_by_host_without_a_flap() {
    for (kind, (before, after)) in
        Kind::VERSION_3.into_iter().flat_map(|kind| [(100, 10), (10, 100), (100, 1000)].map(|change| (kind, change)))
    {
        for order in [[0, 1], [1, 0]] {
            let with = |priority, cs| {
                let interval = AdvertInterval::from_centis(cs).unwrap();
                Params { interval, ..params(priority) }
            };
            let mut lan = Lan::new([100, 150].map(|priority| kind.setup_with(with(priority, before))));
            lan.run(ms(10_050));
            for host in &mut lan.hosts {
                host.changes.clear();
            }
            for host in order {
                let router = lan.hosts[host].id;
                let priority = [100, 150][host];
                lan.input(host, Input::Params { router, params: with(priority, after) });
                lan.run(ms(70_000));
            }
            assert_eq!(lan.serving(), [false, true]);
            assert!(lan.hosts.iter().all(|host| host.changes.is_empty()), "{before} to {after}, {order:?}");
        }
    }
}

#[test]
fn the_owner_serves_at_once() {
    for kind in Kind::ALL {
        let mut lan = Lan::pair(kind, [100, 255]);
        assert_eq!(lan.serving(), [false, true]);
        lan.run(ms(10_000));
        assert_eq!(lan.serving(), [false, true]);
    }
}

#[test]
fn r116_two_owners_of_version_3_resolve_by_address() {
    for kind in Kind::VERSION_3 {
        let mut lan = Lan::pair(kind, [255, 255]);
        lan.run(ms(10_000));
        assert_eq!(lan.serving(), [false, true]);
        assert!(lan.hosts[0].notices.contains(Notices::SECOND_OWNER));
    }
}

/// R112: both are told; the election goes by the address.
#[test]
fn r112_equal_priorities_are_told_on_both_sides() {
    for kind in Kind::ALL {
        let mut lan = Lan::pair(kind, [100, 100]);
        lan.hosts[0].connected = false;
        lan.run(ms(10_000));
        assert!(lan.hosts.iter().all(|host| host.notices.is_empty()));
        lan.hosts[0].connected = true;
        lan.run(ms(10_000));
        assert_eq!(lan.serving(), [false, true]);
        assert!(lan.hosts.iter().all(|host| host.notices.contains(Notices::EQUAL_PRIORITY)), "{kind:?}");
    }
}

#[test]
fn three_routers_fail_over_in_order_of_priority() {
    for kind in Kind::ALL {
        let mut lan = Lan::new([100, 120, 140].map(|priority| kind.setup(priority)));
        for last in (0..3).rev() {
            lan.run(ms(8000));
            assert_eq!(lan.serving(), [0, 1, 2].map(|host| host == last));
            lan.hosts[last].alive = false;
        }
    }
}
