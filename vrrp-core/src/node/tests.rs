//! A node alone: epochs, faults, announcements, demultiplexing, the rule of order. Several on one wire are in `lan`.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::vec;

use super::*;
use crate::Version;
use crate::announce::{Program, Rounds};
use crate::auth::Auth;
use crate::counters::Counter;
use crate::fsm::{Cause, Link, Params, Rules, Transition};
use crate::router::{ChecksumPolicy, RouterConfig};
use crate::rx::{Meta, Notices};
use crate::types::{AddressList, AdvertInterval, Priority, SimplePassword, Vrid};
use crate::wire::advert::{AdvertRepr, ChecksumForm};
use crate::wire::claim::Claim;

mod barred;
mod changes;
mod conflicts;
mod delay;
#[cfg(feature = "auth")]
mod drafts;
mod groups;
mod handover;
mod kinds;
mod lan;
mod maintenance;
mod noise;
mod policy;
mod trackers;
mod unicast;

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const ETH0: InterfaceId = InterfaceId(0);
const ETH1: InterfaceId = InterfaceId(1);
const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 6));
const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 100));

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn params(priority: u8) -> Params {
    let interval = AdvertInterval::from_secs(1).unwrap();
    Params { priority: Priority::new(priority).unwrap(), interval, preempt: true, accept: false, rules: Rules::DEFAULT }
}

fn setup(interface: InterfaceId, vrid: u8, params: Params) -> RouterSetup {
    RouterSetup {
        interface,
        source: None,
        unicast: None,
        track_interface: true,
        config: RouterConfig {
            vrid: Vrid::new(vrid).unwrap(),
            params,
            addresses: AddressList::new(Box::from([VIP])).unwrap(),
            auth: Auth::None,
            checksum: ChecksumPolicy::default(),
        },
    }
}

/// Another host announces an address.
fn claimed(router: RouterId, address: IpAddr, mac: [u8; 6]) -> Input<'static> {
    Input::Claimed { router, claim: Claim { address, mac, gratuitous: true } }
}

/// The message in an IPv4 datagram from `source`.
fn datagram(source: IpAddr, message: &[u8]) -> Vec<u8> {
    let total = u16::try_from(20 + message.len()).unwrap().to_be_bytes();
    let mut octets = vec![0x45, 0xc0, total[0], total[1], 0, 0, 0, 0, 255, 112, 0, 0];
    let IpAddr::V4(source) = source else { panic!("{source} in an IPv4 datagram") };
    octets.extend(source.octets());
    octets.extend(GROUP.octets());
    octets.extend(message);
    octets
}

/// An advert of `priority` (0 releases) from the peer.
fn advert(vrid: u8, priority: u8) -> Vec<u8> {
    let mut buffer = [0; 64];
    let repr = AdvertRepr {
        vrid: Vrid::new(vrid).unwrap(),
        priority: Priority::new(priority),
        interval: AdvertInterval::from_secs(1).unwrap(),
        password: None,
        addresses: AddressList::new(&[VIP][..]).unwrap(),
        checksum: ChecksumForm::Message,
    };
    datagram(PEER, repr.emit(PEER, GROUP.into(), &mut buffer).unwrap())
}

/// A node with its one router, and the outputs of the last call.
struct Solo {
    node: Node<Duration>,
    id: RouterId,
}

impl Solo {
    /// A Backup since the time 0.
    fn backup(priority: u8) -> Self {
        let mut solo = Self::stopped(priority);
        let _ = solo.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) });
        let _ = solo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
        solo
    }

    fn stopped(priority: u8) -> Self {
        let mut node = Node::new(Groups::default());
        let id = node.add(setup(ETH0, 7, params(priority))).unwrap();
        Self { node, id }
    }

    /// A Master whose installation has not been acknowledged, and its epoch.
    fn master(priority: u8) -> (Self, Duration, u64) {
        let mut solo = Self::backup(priority);
        let at = solo.node.next_deadline().unwrap();
        let epoch = epoch_of(&solo.expire(at)).unwrap();
        (solo, at, epoch)
    }

    fn handle(&mut self, at: Duration, input: Input<'_>) -> Vec<Output> {
        let mut out = Vec::new();
        self.node.handle(at, input, &mut out);
        out
    }

    fn hear(&mut self, at: Duration, octets: &[u8]) -> Vec<Output> {
        self.handle(at, Input::Datagram { interface: ETH0, octets })
    }

    fn expire(&mut self, now: Duration) -> Vec<Output> {
        let mut out = Vec::new();
        self.node.expire(now, &mut out);
        out
    }

    fn role(&self) -> Role {
        self.node.router(self.id).unwrap().machine().state.role()
    }

    fn count(&self, counter: Counter) -> u64 {
        self.node.router(self.id).unwrap().counters().get(counter)
    }
}

fn epoch_of(out: &[Output]) -> Option<u64> {
    out.iter().find_map(|output| if let Output::Addresses { epoch, .. } = output { Some(*epoch) } else { None })
}

fn wanted(out: &[Output]) -> Option<Addresses> {
    out.iter().find_map(|output| if let Output::Addresses { wanted, .. } = output { Some(*wanted) } else { None })
}

fn announces(out: &[Output]) -> usize {
    out.iter().filter(|output| matches!(output, Output::Announce { .. })).count()
}

fn claims(out: &[Output]) -> usize {
    out.iter().filter(|output| matches!(output, Output::Advertise { advertise: Advertise::Claim, .. })).count()
}

fn cause(out: &[Output]) -> Option<Cause> {
    out.iter().find_map(
        |output| if let Output::Transition { transition, .. } = output { Some(transition.cause) } else { None },
    )
}

#[test]
fn r35_a_takeover_claims_installs_and_tells_in_this_order() {
    let mut solo = Solo::backup(100);
    let at = solo.node.next_deadline().unwrap();
    let router = solo.id;
    let transition = Transition { from: Role::Backup, to: Role::Master, cause: Cause::MasterTimeout };
    let expected = [
        Output::Advertise { router, advertise: Advertise::Claim },
        Output::Addresses { router, wanted: Addresses::Install, accept: false, epoch: 2 },
        Output::Transition { router, transition },
    ];
    assert_eq!(solo.expire(at), expected);
}

#[test]
fn addresses_are_announced_when_they_are_there_and_on_schedule() {
    let (mut solo, start, epoch) = Solo::master(100);
    let installed = start + ms(250);
    let out = solo.handle(installed, Input::Installed { router: solo.id, epoch });
    assert_eq!(out, [Output::Announce { router: solo.id }]);
    let mut rounds = vec![ms(0)];
    while let Some(at) = solo.node.next_deadline().filter(|at| *at <= installed + ms(20_000)) {
        if announces(&solo.expire(at)) > 0 {
            rounds.push(at.checked_sub(installed).unwrap());
        }
    }
    assert_eq!(rounds, [ms(0), ms(100), ms(1100), ms(2100), ms(5000)]);
}

#[test]
fn rounds_that_were_missed_are_one_round() {
    let (mut solo, start, epoch) = Solo::master(100);
    let _ = solo.handle(start, Input::Installed { router: solo.id, epoch });
    let out = solo.expire(start + ms(2500));
    assert_eq!((announces(&out), claims(&out)), (1, 1));
}

#[test]
fn after_losing_mastership_nothing_is_announced() {
    let (mut solo, start, epoch) = Solo::master(100);
    let _ = solo.handle(start, Input::Installed { router: solo.id, epoch });
    let out = solo.hear(start + ms(50), &advert(7, 200));
    assert_eq!((wanted(&out), announces(&out)), (Some(Addresses::Remove), 0));
    assert_eq!(announces(&solo.expire(start + ms(3000))), 0);
    assert_eq!(solo.role(), Role::Backup);
}

#[test]
fn a_late_acknowledgement_of_an_older_epoch_is_ignored() {
    let (mut solo, start, first) = Solo::master(100);
    let _ = solo.hear(start + ms(10), &advert(7, 200));
    let late = Input::Installed { router: solo.id, epoch: first };
    assert_eq!(solo.handle(start + ms(20), late), [], "a Backup announces nothing");
    let at = solo.node.next_deadline().unwrap();
    let second = epoch_of(&solo.expire(at)).unwrap();
    assert!(second > first);
    assert_eq!(solo.handle(at, late), [], "the second installation is not there yet");
    assert_eq!(announces(&solo.handle(at, Input::Installed { router: solo.id, epoch: second })), 1);
}

#[test]
fn an_acknowledgement_counts_once() {
    let (mut solo, start, epoch) = Solo::master(100);
    let installed = Input::Installed { router: solo.id, epoch };
    assert_eq!(announces(&solo.handle(start, installed)), 1);
    assert_eq!(solo.handle(start, installed), []);
}

#[test]
fn r113_a_losing_advert_is_answered_with_an_announcement_and_its_rounds() {
    let (mut solo, start, epoch) = Solo::master(100);
    let _ = solo.handle(start, Input::Installed { router: solo.id, epoch });
    for second in 1..=9 {
        let _ = solo.expire(start + ms(1000 * second));
    }
    let at = start + ms(9500);
    let out = solo.hear(at, &advert(7, 50));
    assert_eq!((claims(&out), announces(&out)), (1, 1));
    assert!(out.contains(&Output::Noticed { router: solo.id, source: PEER, notices: Notices::LOSING }));
    assert_eq!(solo.hear(at, &advert(7, 50)).len(), 1, "the second one is noticed, not answered");
    assert_eq!(announces(&solo.expire(at + ms(100))), 1);
}

#[test]
fn addresses_are_announced_as_the_operator_chose() {
    let (mut solo, start, epoch) = Solo::master(100);
    let bursts = |count, again| Rounds::Bursts { count, again };
    let first = bursts(2, Some(ms(500)));
    let program = Program { first, lower: bursts(1, None), refresh: Some(ms(700)), ..Program::default() };
    solo.node.set_announcements(solo.id, program);
    let mut rounds = announces(&solo.handle(start, Input::Installed { router: solo.id, epoch }));
    assert_eq!(rounds, 1);
    for after in [10, 500, 510, 700] {
        let (early, due) = (start + ms(after - 1), start + ms(after));
        assert_eq!((announces(&solo.expire(early)), announces(&solo.expire(due))), (0, 1), "after {after} ms");
        rounds += 1;
    }
    assert_eq!(rounds, 5);
    // From the answer on, the refresh is counted anew.
    let at = start + ms(800);
    assert_eq!(announces(&solo.hear(at, &advert(7, 50))), 1);
    assert_eq!(announces(&solo.expire(at + ms(699))), 0);
    assert_eq!(announces(&solo.expire(at + ms(700))), 1);
}

/// The number of rounds is the operator's: who was held up for a moment makes up for them, but not for long.
#[test]
fn a_burst_has_its_rounds_though_the_process_was_held_up() {
    for (count, late, expected) in [(5, 500, 4), (5, 1_500, 1), (1_000_000, 1_500, 101)] {
        let (mut solo, start, epoch) = Solo::master(100);
        let program = Program { first: Rounds::Bursts { count, again: None }, ..Program::default() };
        solo.node.set_announcements(solo.id, program);
        assert_eq!(announces(&solo.handle(start, Input::Installed { router: solo.id, epoch })), 1);
        assert_eq!(announces(&solo.expire(start + ms(late))), expected, "{count} rounds, {late} ms late");
    }
}

#[test]
fn before_the_addresses_are_there_an_answer_announces_nothing() {
    let (mut solo, start, _) = Solo::master(100);
    let out = solo.hear(start + ms(10), &advert(7, 50));
    assert_eq!((claims(&out), announces(&out)), (1, 0));
}

#[test]
fn a_fault_releases_and_removes_and_its_end_brings_the_router_back() {
    let (mut solo, start, _) = Solo::master(100);
    let router = solo.id;
    let fault = |present| Input::Fault { router, fault: Faults::INSTALL, present };
    let out = solo.handle(start + ms(100), fault(true));
    assert_eq!(out[0], Output::Advertise { router, advertise: Advertise::Release });
    assert_eq!((wanted(&out), cause(&out)), (Some(Addresses::Remove), Some(Cause::Fault)));
    assert_eq!(solo.node.faults(router), Faults::INSTALL);
    assert_eq!(Condition::of(solo.node.router(router).unwrap()), Condition::Fault);
    assert_eq!(solo.node.next_deadline(), None);
    assert_eq!(solo.handle(start + ms(150), fault(true)), [], "a level");
    let out = solo.handle(start + ms(200), fault(false));
    assert_eq!(cause(&out), Some(Cause::Recovered));
    assert_eq!(solo.node.faults(router), Faults::empty());
    assert_eq!(Condition::of(solo.node.router(router).unwrap()), Condition::Backup);
}

#[test]
fn conditions_read_as_operators_say_them() {
    let mut solo = Solo::stopped(100);
    let condition = |solo: &Solo| std::format!("{}", Condition::of(solo.node.router(solo.id).unwrap()));
    assert_eq!(condition(&solo), "STOP");
    let _ = solo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
    assert_eq!(condition(&solo), "FAULT");
    let _ = solo.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) });
    assert_eq!(condition(&solo), "BACKUP");
    let at = solo.node.next_deadline().unwrap();
    let _ = solo.expire(at);
    assert_eq!(condition(&solo), "MASTER");
}

#[test]
fn a_configured_source_stands_in_for_the_interfaces() {
    let mut node: Node<Duration> = Node::new(Groups::default());
    let id = node.add(RouterSetup { source: Some(PEER), ..setup(ETH0, 7, params(255)) }).unwrap();
    let mut out = Vec::new();
    node.handle(ms(0), Input::Enabled { which: Which::One(id), enabled: true }, &mut out);
    assert!(node.message(id, Advertise::Claim, &mut [0; 64]).is_err(), "the link is down");
    node.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::NoAddress }, &mut out);
    let mut buffer = [0; 64];
    let message = node.message(id, Advertise::Claim, &mut buffer).unwrap();
    assert_eq!((message.interface, message.source, message.destination), (ETH0, PEER, GROUP.into()));
    node.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) }, &mut out);
    assert_eq!(node.message(id, Advertise::Claim, &mut [0; 64]).unwrap().source, PEER);
    out.clear();
    node.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Down }, &mut out);
    assert_eq!(wanted(&out), Some(Addresses::Remove));
}

#[test]
fn routers_are_told_apart_by_interface_and_identifier() {
    let mut node: Node<Duration> = Node::new(Groups::default());
    let a = node.add(setup(ETH0, 7, params(100))).unwrap();
    let b = node.add(setup(ETH1, 7, params(100))).unwrap();
    let c = node.add(setup(ETH1, 8, params(100))).unwrap();
    let duplicate = node.add(setup(ETH1, 8, params(100))).unwrap_err();
    assert_eq!(duplicate, DuplicateVrid { first: c, vrid: Vrid::new(8).unwrap() });
    assert_eq!(std::format!("{duplicate}"), "virtual router identifier 8 is in use on this interface already");
    assert!(node.routers().eq([a, b, c]));
    let mut out = Vec::new();
    for interface in [ETH0, ETH1] {
        node.handle(ms(0), Input::Link { interface, family: Family::V4, link: Link::Up(OWN) }, &mut out);
    }
    node.handle(ms(0), Input::Enabled { which: Which::All, enabled: true }, &mut out);
    node.handle(ms(0), Input::Datagram { interface: ETH1, octets: &advert(7, 200) }, &mut out);
    let received = |id| node.router(id).unwrap().counters().get(Counter::AdvertsReceived);
    assert_eq!([a, b, c].map(received), [0, 1, 0]);
}

#[test]
fn r47_an_unknown_identifier_is_rejected_and_counted_for_the_host() {
    let mut solo = Solo::backup(100);
    for (n, vrid) in [8u8, 255].into_iter().enumerate() {
        let out = solo.hear(ms(10), &advert(vrid, 200));
        let reason = Discard::UnknownVrid(vrid);
        let rejected = Rejected { source: Some(PEER), vrid: Some(vrid), reason };
        assert_eq!(out, [Output::Rejected { interface: ETH0, router: None, rejected }]);
        assert_eq!(solo.node.counters().get(Counter::VridErrors), n as u64 + 1);
    }
    let out = solo.handle(ms(10), Input::Datagram { interface: ETH1, octets: &advert(7, 200) });
    assert!(matches!(out[..], [Output::Rejected { interface: ETH1, router: None, .. }]));
}

#[test]
fn what_is_rejected_before_the_router_is_counted_where_it_belongs() {
    let mut solo = Solo::backup(100);
    let mut bad_type = advert(7, 200);
    bad_type[20] = 0x22;
    let _ = solo.hear(ms(0), &bad_type);
    assert_eq!(solo.count(Counter::InvalidTypeReceived), 1, "the identifier could be read: the router's");
    let mut short = advert(8, 200);
    short[23] = 2;
    let _ = solo.hear(ms(0), &short);
    assert_eq!(solo.node.counters().get(Counter::LengthErrors), 1, "of no router: the host's");
    let mut far = advert(7, 200);
    far[8] = 254;
    let _ = solo.hear(ms(0), &far);
    assert_eq!(solo.node.counters().get(Counter::TtlErrors), 1);
    let mut interval = advert(7, 200);
    interval[25] = 2;
    interval[26..28].fill(0);
    let sum = crate::checksum::Checksum::default().with(&interval[20..]).finish();
    interval[26..28].copy_from_slice(&sum.to_be_bytes());
    let _ = solo.hear(ms(0), &interval);
    assert_eq!(solo.count(Counter::IntervalErrors), 1, "counted once");
}

#[test]
fn a_flood_of_garbage_does_not_move_a_deadline() {
    let (mut master, start, _) = Solo::master(100);
    let mut backup = Solo::backup(100);
    let before = [backup.node.next_deadline(), master.node.next_deadline()];
    let mut good = advert(7, 200);
    for n in 0..5000usize {
        let at = n % good.len();
        good[at] ^= 1 << (n % 8);
        // Where the damage cancels itself out, the advert is for another router.
        good[21] = 9;
        for (solo, now) in [(&mut backup, ms(1)), (&mut master, start)] {
            let out = solo.hear(now, &good);
            assert!(matches!(out[..], [Output::Rejected { .. }]), "{n}: {out:?}");
        }
    }
    assert_eq!([backup.node.next_deadline(), master.node.next_deadline()], before);
}

/// The rule of order: adverts that waited in the socket are fed with their arrival times before the deadlines.
#[test]
fn a_stalled_backup_that_reads_its_queue_first_does_not_take_over() {
    let mut solo = Solo::backup(100);
    for second in 1..=60 {
        assert_eq!(solo.hear(ms(1000 * second), &advert(7, 200)), []);
    }
    assert_eq!(solo.expire(ms(60_900)), []);
    assert_eq!(solo.role(), Role::Backup);
    assert_eq!(solo.node.next_deadline(), Some(ms(63_000) + Duration::from_micros(609_375)));
}

#[test]
fn a_stalled_backup_whose_queue_ends_long_ago_takes_over() {
    let mut solo = Solo::backup(100);
    let _ = solo.hear(ms(1000), &advert(7, 200));
    assert_eq!(claims(&solo.expire(ms(60_000))), 1);
}

#[test]
fn an_overdue_master_removes_its_addresses() {
    let (mut solo, start, epoch) = Solo::master(100);
    let _ = solo.handle(start, Input::Installed { router: solo.id, epoch });
    let out = solo.expire(start + ms(60_000));
    assert_eq!((wanted(&out), cause(&out), claims(&out)), (Some(Addresses::Remove), Some(Cause::Overdue), 0));
}

/// Answering the adverts of the router that took over meanwhile would silence it, just before this one steps back.
#[test]
fn an_overdue_master_does_not_answer_its_successor() {
    let (mut solo, start, epoch) = Solo::master(150);
    let _ = solo.handle(start, Input::Installed { router: solo.id, epoch });
    let out = solo.hear(start + ms(3700), &advert(7, 100));
    assert_eq!((claims(&out), wanted(&out), cause(&out)), (0, Some(Addresses::Remove), Some(Cause::Overdue)));
    for second in 4..=9 {
        assert_eq!(solo.hear(start + ms(1000 * second + 700), &advert(7, 100)), []);
    }
    let now = start + ms(10_000);
    assert_eq!(cause(&solo.expire(now)), Some(Cause::LowerPriorityMaster), "it preempts where its own wait ended");
}

#[test]
fn an_overdue_master_is_not_moved_by_what_it_refuses() {
    let (mut solo, start, _) = Solo::master(150);
    let mut foreign = advert(7, 100);
    foreign[8] = 1;
    let _ = solo.hear(start + ms(3700), &foreign);
    assert_eq!(solo.role(), Role::Master);
}

#[test]
fn every_deadline_that_is_due_fires_once() {
    let mut node: Node<Duration> = Node::new(Groups::default());
    let ids: Vec<_> = (1..=255).map(|vrid| node.add(setup(ETH0, vrid, params(vrid))).unwrap()).collect();
    let mut out = Vec::new();
    node.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) }, &mut out);
    node.handle(ms(0), Input::Enabled { which: Which::All, enabled: true }, &mut out);
    for now in [1000, 2000, 3000] {
        out.clear();
        node.expire(ms(now), &mut out);
        assert_eq!(claims(&out), 1, "the owner's");
    }
    out.clear();
    let now = ms(3996);
    node.expire(now, &mut out);
    assert!(node.next_deadline().unwrap() > now);
    let masters = |id: &RouterId| node.router(*id).unwrap().machine().state.role() == Role::Master;
    let late = ids.iter().filter(|id| !masters(id)).count();
    assert_eq!(late, 1, "priority 1 waits 3.99609375 s");
    assert_eq!(claims(&out), 253, "each once, and the owner's is not due before 4 s");
    out.clear();
    node.expire_adverts(ms(4000), &mut out);
    assert!(out.iter().all(|output| matches!(output, Output::Advertise { .. })), "no takeover among them");
    assert_eq!(claims(&out), 1);
    node.expire(ms(4000), &mut out);
    assert_eq!(claims(&out), 2);
}

#[test]
fn a_predecessors_addresses_stay_until_the_election_is_decided() {
    let leftover = || {
        let mut solo = Solo::stopped(100);
        let _ = solo.handle(ms(0), Input::Leftover { router: solo.id });
        let _ = solo.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) });
        let out = solo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
        assert_eq!(wanted(&out), None, "not decided yet");
        solo
    };
    let mut next_master = leftover();
    let at = next_master.node.next_deadline().unwrap();
    assert_eq!(wanted(&next_master.expire(at)), Some(Addresses::Install));

    let mut hears = leftover();
    let out = hears.hear(ms(10), &advert(7, 0));
    assert_eq!(wanted(&out), None, "a release decides nothing");
    assert_eq!(wanted(&hears.hear(ms(20), &advert(7, 200))), Some(Addresses::Remove));
    assert_eq!(wanted(&hears.hear(ms(30), &advert(7, 200))), None, "once");

    let mut stops = leftover();
    let out = stops.handle(ms(10), Input::Enabled { which: Which::All, enabled: false });
    assert_eq!(wanted(&out), Some(Addresses::Remove));
}

#[test]
fn a_fault_lets_go_of_what_a_predecessor_left() {
    let mut solo = Solo::stopped(100);
    let router = solo.id;
    let _ = solo.handle(ms(0), Input::Leftover { router });
    let _ = solo.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) });
    let _ = solo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
    let out = solo.handle(ms(10), Input::Fault { router, fault: Faults::INSTALL, present: true });
    assert_eq!(wanted(&out), Some(Addresses::Remove));
}

#[test]
fn routers_are_numbered_in_the_order_in_which_they_were_added() {
    let mut node: Node<Duration> = Node::new(Groups::default());
    let ids = [7, 5, 9].map(|vrid| node.add(setup(ETH0, vrid, params(100))).unwrap());
    assert_eq!(ids.map(RouterId::index), [0, 1, 2]);
    assert!(node.routers().eq(ids));
}

#[test]
fn an_input_for_a_router_that_does_not_exist_is_ignored() {
    let mut solo = Solo::backup(100);
    let router = RouterId(9);
    for input in [
        Input::Enabled { which: Which::One(router), enabled: false },
        Input::Params { router, params: params(1) },
        Input::Installed { router, epoch: 1 },
        Input::Leftover { router },
        Input::Fault { router, fault: Faults::INSTALL, present: true },
    ] {
        assert_eq!(solo.handle(ms(0), input), []);
    }
    assert_eq!(solo.node.faults(router), Faults::empty());
    assert!(solo.node.router(router).is_none());
    assert_eq!(solo.node.message(router, Advertise::Claim, &mut [0; 64]), Err(EmitError::NoSource));
}

#[test]
fn a_change_of_version_is_followed() {
    let mut solo = Solo::backup(100);
    let interval = AdvertInterval::from_centis(100).unwrap();
    let _ = solo.handle(ms(0), Input::Params { router: solo.id, params: Params { interval, ..params(100) } });
    let out = solo.hear(ms(10), &advert(7, 200));
    let reason = Discard::Version { ours: Version::V3, theirs: Version::V2 };
    assert!(matches!(out[..], [Output::Rejected { rejected, .. }] if rejected.reason == reason));
}
