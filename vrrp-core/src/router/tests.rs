//! The whole ladder of `rx`, rung by rung and pair by pair, and what a router counts, notices and emits.

use core::net::Ipv4Addr;
use std::vec::Vec;

use super::*;
use crate::fsm::{Link, Rules, Timer};
use crate::rx::{Meta, Rejected};
use crate::types::{AdvertInterval, Priority, SimplePassword};
use crate::wire::advert::{Advert, ChecksumMismatch, ParseError};
use crate::wire::ipv4::Ipv4Error;

mod ipv6;

type Router = VirtualRouter<Vec<IpAddr>>;

const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 6));
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
const VIPS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(10, 0, 0, 100)), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 101))];
const VRID: u8 = 7;

fn secs(seconds: u8) -> AdvertInterval {
    AdvertInterval::from_secs(seconds).unwrap()
}

fn centis(centiseconds: u16) -> AdvertInterval {
    AdvertInterval::from_centis(centiseconds).unwrap()
}

fn password(text: &str) -> Auth {
    Auth::SimpleText(SimplePassword::new(text.as_bytes()).unwrap())
}

fn config(priority: u8, interval: AdvertInterval, auth: Auth) -> RouterConfig<Vec<IpAddr>> {
    RouterConfig {
        vrid: Vrid::new(VRID).unwrap(),
        params: Params {
            priority: Priority::new(priority).unwrap(),
            interval,
            preempt: true,
            accept: false,
            rules: Rules::DEFAULT,
        },
        addresses: AddressList::new(VIPS.to_vec()).unwrap(),
        auth,
        checksum: ChecksumPolicy::default(),
    }
}

/// Started with the configuration, at the address `own`.
fn started(config: RouterConfig<Vec<IpAddr>>, own: IpAddr) -> Router {
    let mut router = VirtualRouter::new(config);
    let _ = router.handle(Event::Link(Link::Up(own)));
    let _ = router.handle(Event::Enabled(true));
    router
}

/// A Backup of priority `priority`.
fn router(priority: u8, interval: AdvertInterval, auth: Auth) -> Router {
    started(config(priority, interval, auth), OWN)
}

/// What the peer sends; each field can be made wrong.
#[derive(Clone)]
struct Datagram {
    version_ihl: u8,
    protocol: u8,
    destination: IpAddr,
    ttl: u8,
    source: IpAddr,
    cut: usize,
    version_type: u8,
    vrid: u8,
    priority: u8,
    count: u8,
    auth_type: u8,
    interval: u8,
    addresses: Vec<IpAddr>,
    auth_data: Vec<u8>,
    /// The form of the checksum over IPv4.
    pseudo: bool,
    damage: bool,
}

/// A right VRRPv2 advert of priority 150.
fn right() -> Datagram {
    Datagram {
        version_ihl: 0x45,
        protocol: 112,
        destination: GROUP,
        ttl: 255,
        source: PEER,
        cut: 0,
        version_type: 0x21,
        vrid: VRID,
        priority: 150,
        count: 2,
        auth_type: 0,
        interval: 1,
        addresses: VIPS.to_vec(),
        auth_data: std::vec![0; 8],
        pseudo: false,
        damage: false,
    }
}

/// A right VRRPv3 advert of priority 150 and 100 cs.
fn right_v3() -> Datagram {
    Datagram { version_type: 0x31, interval: 100, auth_data: Vec::new(), ..right() }
}

fn octets_of(address: &IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

impl Datagram {
    /// The message alone.
    fn message(&self) -> Vec<u8> {
        let head = [self.version_type, self.vrid, self.priority, self.count, self.auth_type, self.interval, 0, 0];
        let mut message = head.to_vec();
        message.extend(self.addresses.iter().flat_map(octets_of));
        message.extend(&self.auth_data);
        let length = u32::try_from(message.len()).unwrap();
        let pseudo = crate::checksum::pseudo_header(self.source, self.destination, length);
        let sum = if self.pseudo || self.source.is_ipv6() { pseudo } else { crate::checksum::Checksum::default() };
        let sum = sum.with(&message).finish() ^ u16::from(self.damage);
        message[6..8].copy_from_slice(&sum.to_be_bytes());
        message
    }

    /// The whole IPv4 datagram.
    fn octets(&self) -> Vec<u8> {
        let message = self.message();
        let total = u16::try_from(20 + message.len()).unwrap();
        let mut octets = std::vec![self.version_ihl, 0xc0];
        octets.extend(total.to_be_bytes());
        octets.extend([0, 0, 0, 0, self.ttl, self.protocol, 0, 0]);
        octets.extend(octets_of(&self.source));
        octets.extend(octets_of(&self.destination));
        octets.extend(message);
        octets.truncate(octets.len() - self.cut);
        octets
    }

    /// What the ladder above the router makes of it: the whole of IPv4, of IPv6 what a raw socket delivers.
    fn heard<R>(&self, then: impl FnOnce(Result<Received<'_>, Rejected>) -> R) -> R {
        match self.source {
            IpAddr::V4(_) => then(Received::check_datagram(&self.octets(), Ipv4Addr::new(224, 0, 0, 18))),
            IpAddr::V6(_) => {
                let meta = Meta { source: self.source, destination: self.destination, ttl: self.ttl };
                then(Received::check(&meta, &self.message(), ipv6::GROUP))
            }
        }
    }

    fn received_by(&self, router: &mut Router) -> Result<(Actions, Notices), Discard> {
        self.heard(|received| router.receive(&received.unwrap()))
    }
}

/// The whole ladder.
fn climb(router: &Router, datagram: &Datagram) -> Result<Accepted, Discard> {
    datagram.heard(|received| router.accept(&received.map_err(|rejected| rejected.reason)?))
}

struct Rung {
    break_it: fn(&mut Datagram),
    is_reason: fn(Discard) -> bool,
    counter: Counter,
}

macro_rules! rung {
    ($break_it:expr, $reason:pat, $counter:ident) => {
        Rung { break_it: $break_it, is_reason: |reason| matches!(reason, $reason), counter: Counter::$counter }
    };
}
use rung;

/// The ladder top to bottom, for a VRRPv2 router that is the owner with a password where a rung needs it.
fn ladder() -> Vec<Rung> {
    std::vec![
        rung!(|d| d.version_ihl = 0x65, Discard::Ip(Ipv4Error::Version(6)), IpErrors),
        rung!(|d| d.protocol = 17, Discard::Protocol(17), IpErrors),
        rung!(|d| d.destination = OWN, Discard::Destination(OWN), IpErrors),
        rung!(|d| d.ttl = 254, Discard::Ttl(254), TtlErrors),
        rung!(|d| d.version_type = 0x41 | d.version_type & 0x0f, Discard::Parse(ParseError::Version(4)), VersionErrors),
        rung!(|d| d.version_type = d.version_type & 0xf0 | 2, Discard::Parse(ParseError::Type(2)), InvalidTypeReceived),
        rung!(|d| d.count = 1, Discard::Parse(ParseError::Length { .. }), LengthErrors),
        rung!(|d| d.damage = true, Discard::Checksum(ChecksumMismatch { .. }), ChecksumErrors),
        rung!(|d| d.vrid = 8, Discard::UnknownVrid(8), VridErrors),
        rung!(
            |d| {
                d.version_type = 0x31;
                d.count += 2;
            },
            Discard::Version { ours: Version::V2, theirs: Version::V3 },
            VersionErrors
        ),
        rung!(|d| d.source = OWN, Discard::OwnSource, OwnSource),
        rung!(|d| d.auth_type = 254, Discard::UnknownAuthType(254), InvalidAuthType),
        rung!(|d| d.interval = 2, Discard::Interval { .. }, IntervalErrors),
    ]
}

#[test]
fn each_rung_gives_its_reason_and_each_reason_its_counter() {
    let router = router(100, secs(1), Auth::None);
    assert!(climb(&router, &right()).is_ok());
    for (i, rung) in ladder().iter().enumerate() {
        let mut datagram = right();
        (rung.break_it)(&mut datagram);
        let reason = climb(&router, &datagram).unwrap_err();
        assert!((rung.is_reason)(reason), "rung {i}: {reason:?}");
        assert_eq!(reason.counter(), rung.counter, "rung {i}");
    }
}

/// R47: wrong on two neighbouring rungs, the upper one is the reason.
#[test]
fn of_two_neighbouring_rungs_the_upper_one_speaks() {
    let router = router(100, secs(1), Auth::None);
    let ladder = ladder();
    for (i, pair) in ladder.windows(2).enumerate() {
        let mut datagram = right();
        // The upper one last: versions 4 and 3 share a field with the rungs beside them.
        (pair[1].break_it)(&mut datagram);
        (pair[0].break_it)(&mut datagram);
        let reason = climb(&router, &datagram).unwrap_err();
        assert!((pair[0].is_reason)(reason), "rung {i}: {reason:?}");
    }
}

/// R47: the lower rungs that exclude each other in one router.
#[test]
fn owner_stands_between_own_source_and_authentication() {
    let owner = router(255, secs(1), password("secret"));
    let mut datagram = Datagram { auth_type: 254, interval: 2, ..right() };
    assert_eq!(climb(&owner, &datagram), Err(Discard::Owner));
    datagram.source = OWN;
    assert_eq!(climb(&owner, &datagram), Err(Discard::OwnSource));
}

#[test]
fn r16_authentication_type_then_password_then_interval() {
    let plain = router(100, secs(1), Auth::None);
    let closed = router(100, secs(1), password("secret"));
    let with =
        |auth_type, data: &[u8; 8], interval| Datagram { auth_type, auth_data: data.to_vec(), interval, ..right() };
    let mismatch = |ours, theirs| Err(Discard::AuthType { ours, theirs });
    assert_eq!(climb(&plain, &with(1, b"secret\0\0", 2)), mismatch(0, 1));
    assert_eq!(climb(&plain, &with(2, &[0; 8], 2)), mismatch(0, 2), "IP Authentication Header");
    assert_eq!(climb(&closed, &with(0, b"secret\0\0", 2)), mismatch(1, 0));
    assert_eq!(climb(&closed, &with(2, b"secret\0\0", 2)), mismatch(1, 2));
    assert_eq!(climb(&closed, &with(3, b"secret\0\0", 2)), Err(Discard::UnknownAuthType(3)));
    assert_eq!(climb(&closed, &with(1, b"secreT\0\0", 2)), Err(Discard::Password));
    assert_eq!(climb(&closed, &with(1, b"secret\0x", 2)), Err(Discard::Password), "all eight octets count");
    assert!(matches!(climb(&closed, &with(1, b"secret\0\0", 2)), Err(Discard::Interval { .. })));
    assert!(climb(&closed, &with(1, b"secret\0\0", 1)).is_ok());
    for (reason, counter) in [
        (Discard::AuthType { ours: 0, theirs: 1 }, Counter::AuthTypeMismatch),
        (Discard::Password, Counter::AuthFailures),
        (Discard::Owner, Counter::OwnerConflicts),
    ] {
        assert_eq!(reason.counter(), counter);
    }
}

/// R18: without authentication the data are ignored.
#[test]
fn r18_authentication_data_without_a_type_is_ignored() {
    let datagram = Datagram { auth_data: b"whatever".to_vec(), ..right() };
    assert!(climb(&router(100, secs(1), Auth::None), &datagram).is_ok());
}

#[test]
fn r49_r117_intervals() {
    let v2 = router(100, secs(1), Auth::None);
    for (interval, theirs) in [(2, Some(secs(2))), (0, None)] {
        let reason = Discard::Interval { ours: secs(1), theirs };
        assert_eq!(climb(&v2, &Datagram { interval, ..right() }), Err(reason));
    }
    let v3 = router(100, centis(100), Auth::None);
    let reason = Discard::Interval { ours: centis(100), theirs: None };
    assert_eq!(climb(&v3, &Datagram { interval: 0, ..right_v3() }), Err(reason));
}

#[test]
fn r104_version_3_accepts_another_interval_and_tells() {
    let v3 = router(100, centis(100), Auth::None);
    let accepted = climb(&v3, &Datagram { interval: 50, ..right_v3() }).unwrap();
    assert_eq!(accepted.notices, Notices::INTERVAL);
    let event = Event::Advert { from: PEER, priority: Priority::new(150), interval: centis(50) };
    assert_eq!(accepted.event, event);
}

/// R47, R116, and the operator's word.
#[test]
fn the_owner_hears_as_its_rules_say() {
    use crate::fsm::OwnerHears::{Always, ByVersion, Never};
    let cases = [(ByVersion, [false, true]), (Always, [true, true]), (Never, [false, false])];
    for (owner_hears, [v2, v3]) in cases {
        for (interval, datagram, hears) in [(secs(1), right(), v2), (centis(100), right_v3(), v3)] {
            let mut config = config(255, interval, Auth::None);
            config.params.rules.owner_hears = owner_hears;
            let owner = started(config, OWN);
            let found = climb(&owner, &datagram).map(|_| ());
            let expected = if hears { Ok(()) } else { Err(Discard::Owner) };
            assert_eq!(found, expected, "{owner_hears:?} {interval:?}");
        }
    }
}

#[test]
fn each_notice_moves_its_own_counter() {
    let pairs = [
        (Notices::ADDRESS_LIST, Counter::AddressListErrors),
        (Notices::INTERVAL, Counter::IntervalErrors),
        (Notices::CHECKSUM_FORM, Counter::OtherChecksumForm),
        (Notices::LOSING, Counter::LosingAdverts),
        (Notices::SECOND_OWNER, Counter::OwnerConflicts),
        (Notices::UNSIGNED, Counter::HmacUnsigned),
        (Notices::CLOCK_SKEW, Counter::HmacClockSkew),
        (Notices::EQUAL_PRIORITY, Counter::EqualPriorities),
        (Notices::FIRST_NOT_LINK_LOCAL, Counter::FirstNotLinkLocal),
    ];
    for (notice, counter) in pairs {
        assert_eq!(notice.counters().collect::<Vec<_>>(), [counter], "{notice:?}");
    }
    assert_eq!(Notices::all().counters().collect::<Vec<_>>(), pairs.map(|(_, counter)| counter));
    assert_eq!(Notices::empty().counters().count(), 0);
}

#[test]
fn r94_version_3_without_addresses_is_dropped() {
    let v3 = router(100, centis(100), Auth::None);
    let empty = Datagram { count: 0, addresses: Vec::new(), ..right_v3() };
    let reason = climb(&v3, &empty).unwrap_err();
    assert_eq!(reason, Discard::Parse(ParseError::NoAddress));
    assert_eq!(reason.counter(), Counter::AddressListErrors);
}

#[test]
fn r48_r85_another_list_of_addresses_is_told_but_accepted() {
    let ours = router(100, secs(1), Auth::None);
    let notices = |addresses: &[IpAddr]| {
        let count = u8::try_from(addresses.len()).unwrap();
        let datagram = Datagram { count, addresses: addresses.to_vec(), ..right() };
        climb(&ours, &datagram).unwrap().notices
    };
    let [a, b] = VIPS;
    assert_eq!(notices(&[a, b]), Notices::empty());
    assert_eq!(notices(&[b, a]), Notices::empty(), "R72: the order does not matter");
    for other in [&[a][..], &[a, a], &[a, PEER], &[a, b, PEER], &[]] {
        assert_eq!(notices(other), Notices::ADDRESS_LIST, "{other:?}");
    }
}

#[test]
fn r71_r105_both_forms_of_checksum_are_accepted_and_the_other_one_is_told_or_refused_where_strict() {
    use crate::rx::Discard::ChecksumForm as Refused;
    for (send, other) in
        [(ChecksumForm::Message, ChecksumForm::PseudoHeader), (ChecksumForm::PseudoHeader, ChecksumForm::Message)]
    {
        let ours = Datagram { pseudo: send == ChecksumForm::PseudoHeader, ..right_v3() };
        let theirs = Datagram { pseudo: other == ChecksumForm::PseudoHeader, ..right_v3() };
        let with = |accept| {
            let checksum = ChecksumPolicy { send, accept };
            started(RouterConfig { checksum, ..config(100, centis(100), Auth::None) }, OWN)
        };
        let mut tolerant = with(AcceptChecksum::Both);
        assert_eq!(ours.received_by(&mut tolerant).unwrap().1, Notices::empty());
        assert_eq!(tolerant.counters().get(Counter::OtherChecksumForm), 0);
        assert_eq!(theirs.received_by(&mut tolerant).unwrap().1, Notices::CHECKSUM_FORM);
        assert_eq!(tolerant.counters().get(Counter::OtherChecksumForm), 1);
        let mut strict = with(AcceptChecksum::Only);
        assert_eq!(ours.received_by(&mut strict).unwrap().1, Notices::empty());
        let reason = theirs.received_by(&mut strict).unwrap_err();
        assert_eq!(reason, Refused { ours: send, theirs: other });
        assert_eq!((reason.counter(), reason.is_routers()), (Counter::ChecksumFormErrors, true));
        assert_eq!(strict.counters().get(Counter::ChecksumFormErrors), 1);
        for datagram in [&ours, &theirs] {
            let damaged = Datagram { damage: true, ..datagram.clone() };
            assert!(matches!(climb(&tolerant, &damaged), Err(Discard::Checksum(_))), "neither form fits");
        }
        let mut buffer = [0; 64];
        let sent = tolerant.emit(Advertise::Claim, GROUP, &mut buffer).unwrap();
        assert_eq!(Advert::parse(sent, Family::V4).unwrap().verify(OWN, GROUP), Ok(send));
    }
}

/// Version 2 has one form, so that strictness is nothing to it.
#[test]
fn r20_strict_changes_nothing_for_version_2() {
    let checksum = ChecksumPolicy { send: ChecksumForm::PseudoHeader, accept: AcceptChecksum::Only };
    let router = started(RouterConfig { checksum, ..config(100, secs(1), Auth::None) }, OWN);
    assert_eq!(climb(&router, &right()).unwrap().notices, Notices::empty());
}

/// The rungs that are VRRPv3's own, top to bottom; each pair broken gives the upper reason.
#[test]
fn of_two_rungs_of_version_3_the_upper_one_speaks() {
    let checksum = ChecksumPolicy { accept: AcceptChecksum::Only, ..ChecksumPolicy::default() };
    let router = started(RouterConfig { checksum, ..config(100, centis(100), Auth::None) }, OWN);
    let rungs: [Rung; 9] = [
        rung!(|d| d.ttl = 254, Discard::Ttl(254), TtlErrors),
        rung!(|d| d.version_type = 0x41 | d.version_type & 0x0f, Discard::Parse(ParseError::Version(4)), VersionErrors),
        rung!(|d| d.version_type = d.version_type & 0xf0 | 2, Discard::Parse(ParseError::Type(2)), InvalidTypeReceived),
        rung!(|d| d.count = 0, Discard::Parse(ParseError::NoAddress), AddressListErrors),
        rung!(|d| d.auth_data = std::vec![0; 4], Discard::Parse(ParseError::Length { .. }), LengthErrors),
        rung!(|d| d.damage = true, Discard::Checksum(ChecksumMismatch { .. }), ChecksumErrors),
        rung!(|d| d.vrid = 8, Discard::UnknownVrid(8), VridErrors),
        rung!(|d| d.pseudo = true, Discard::ChecksumForm { .. }, ChecksumFormErrors),
        rung!(|d| (d.source, d.interval) = (OWN, 0), Discard::OwnSource, OwnSource),
    ];
    assert!(climb(&router, &right_v3()).is_ok());
    for (i, rung) in rungs.iter().enumerate() {
        let mut datagram = right_v3();
        (rung.break_it)(&mut datagram);
        let reason = climb(&router, &datagram).unwrap_err();
        assert!((rung.is_reason)(reason), "rung {i}: {reason:?}");
        assert_eq!(reason.counter(), rung.counter, "rung {i}");
        if let Some(below) = rungs.get(i + 1) {
            (below.break_it)(&mut datagram);
            (rung.break_it)(&mut datagram);
            let reason = climb(&router, &datagram).unwrap_err();
            assert!((rung.is_reason)(reason), "rung {i} above {}: {reason:?}", i + 1);
        }
    }
    let reason = Discard::Version { ours: Version::V3, theirs: Version::V2 };
    assert_eq!(climb(&router, &Datagram { source: OWN, ..right() }), Err(reason), "the version before the source");
}

#[test]
fn r116_a_second_owner_is_told_and_resolved_by_address_in_version_3() {
    let mut owner = router(255, centis(100), Auth::None);
    assert_eq!(owner.machine().state.role(), Role::Master);
    let (actions, notices) = Datagram { priority: 255, ..right_v3() }.received_by(&mut owner).unwrap();
    assert_eq!(notices, Notices::SECOND_OWNER);
    assert!(actions.transition.is_some(), "its address is higher");
    assert_eq!(owner.counters().get(Counter::OwnerConflicts), 1);
}

/// Which counters moved, by how much.
fn moved(before: &Counters, after: &Counters) -> Vec<(Counter, u64)> {
    let difference = |counter| (counter, after.get(counter) - before.get(counter));
    Counter::ALL.into_iter().map(difference).filter(|(_, by)| *by > 0).collect()
}

#[test]
fn every_drop_moves_exactly_one_counter_and_changes_nothing_else() {
    for rung in ladder().into_iter().skip(9) {
        let mut router = router(100, secs(1), Auth::None);
        let (machine, before) = (*router.machine(), *router.counters());
        let mut datagram = right();
        (rung.break_it)(&mut datagram);
        let reason = datagram.received_by(&mut router).unwrap_err();
        assert!(reason.is_routers());
        assert_eq!(moved(&before, router.counters()), [(rung.counter, 1)]);
        assert_eq!(*router.machine(), machine);
    }
}

#[test]
fn an_accepted_advert_moves_its_counters() {
    let mut router = router(100, secs(1), Auth::None);
    let mut receive = |datagram: &Datagram| {
        let before = *router.counters();
        let (_, notices) = datagram.received_by(&mut router).unwrap();
        (moved(&before, router.counters()), notices)
    };
    let received = (Counter::AdvertsReceived, 1);
    assert_eq!(receive(&right()).0, [received]);
    let zero = Datagram { priority: 0, ..right() };
    assert_eq!(receive(&zero).0, [received, (Counter::PriorityZeroReceived, 1)]);
    let list = Datagram { count: 1, addresses: VIPS[..1].to_vec(), ..right() };
    assert_eq!(receive(&list), (std::vec![received, (Counter::AddressListErrors, 1)], Notices::ADDRESS_LIST));
}

#[test]
fn a_master_counts_what_it_sends_and_who_loses() {
    let mut router = router(100, secs(1), Auth::None);
    let before = *router.counters();
    let _ = router.handle(Event::Expired(Timer::MasterDown));
    let _ = router.emit(Advertise::Claim, GROUP, &mut [0; 64]).unwrap();
    assert_eq!(moved(&before, router.counters()), [(Counter::MasterTransitions, 1), (Counter::AdvertsSent, 1)]);
    let losing = Datagram { priority: 50, ..right() };
    let before = *router.counters();
    let (actions, notices) = losing.received_by(&mut router).unwrap();
    assert_eq!((actions.advertise, notices), (Some(Advertise::Claim), Notices::LOSING));
    assert_eq!(moved(&before, router.counters()), [(Counter::AdvertsReceived, 1), (Counter::LosingAdverts, 1)]);
    let _ = router.emit(Advertise::Claim, GROUP, &mut [0; 64]).unwrap();
    let expected = [(Counter::AdvertsReceived, 1), (Counter::AdvertsSent, 1), (Counter::LosingAdverts, 1)];
    assert_eq!(moved(&before, router.counters()), expected);
    let before = *router.counters();
    let _ = router.handle(Event::Enabled(false));
    let _ = router.emit(Advertise::Release, GROUP, &mut [0; 64]).unwrap();
    assert_eq!(moved(&before, router.counters()), [(Counter::AdvertsSent, 1), (Counter::PriorityZeroSent, 1)]);
}

/// What is not written is not sent.
#[test]
fn what_emit_refuses_is_not_counted_as_sent() {
    let mut router = router(100, secs(1), Auth::None);
    let _ = router.handle(Event::Expired(Timer::MasterDown));
    let before = *router.counters();
    for advertise in [Advertise::Claim, Advertise::Release] {
        assert!(router.emit(advertise, GROUP, &mut [0; 23]).is_err());
    }
    let _ = router.handle(Event::Link(Link::NoAddress));
    assert!(router.emit(Advertise::Release, GROUP, &mut [0; 64]).is_err());
    assert_eq!(moved(&before, router.counters()), []);
}

/// R30: in Initialize an advert has no effect, and none is counted or told.
#[test]
fn r30_a_router_that_takes_no_part_counts_no_advert_as_received() {
    let telling = Datagram { priority: 100, count: 1, addresses: VIPS[..1].to_vec(), ..right() };
    let zero = Datagram { priority: 0, ..right() };
    let mut stopped = router(100, secs(1), Auth::None);
    let _ = stopped.handle(Event::Enabled(false));
    let mut faulty = router(100, secs(1), Auth::None);
    let _ = faulty.handle(Event::Healthy(false));
    for mut router in [stopped, faulty, VirtualRouter::new(config(100, secs(1), Auth::None))] {
        let before = *router.counters();
        for datagram in [&telling, &zero] {
            assert_eq!(datagram.received_by(&mut router), Ok((Actions::NONE, Notices::empty())));
            assert_eq!(datagram.heard(|received| router.overhear(&received.unwrap())), Ok(Notices::empty()));
        }
        assert_eq!(moved(&before, router.counters()), []);
        assert_eq!(router.last_adv_source(), None);
    }
}

/// What is older than the election knows is counted and told, and changes nothing.
#[test]
fn what_is_overheard_is_counted_and_told_without_a_step() {
    let mut router = router(100, secs(1), Auth::None);
    let (machine, before) = (*router.machine(), *router.counters());
    let telling = Datagram { priority: 0, count: 1, addresses: VIPS[..1].to_vec(), ..right() };
    assert_eq!(telling.heard(|received| router.overhear(&received.unwrap())), Ok(Notices::ADDRESS_LIST));
    let expected = [(Counter::AdvertsReceived, 1), (Counter::PriorityZeroReceived, 1), (Counter::AddressListErrors, 1)];
    assert_eq!(moved(&before, router.counters()), expected);
    let refused = Datagram { interval: 2, ..right() };
    assert!(refused.heard(|received| router.overhear(&received.unwrap())).is_err());
    assert_eq!(router.counters().get(Counter::IntervalErrors), 1);
    assert_eq!(*router.machine(), machine);
}

/// R112: a peer of our own priority is told in both versions and families, in Backup and Master; an owner is R116's.
#[test]
fn r112_equal_priorities_are_told_and_counted() {
    for (interval, datagram) in [(secs(1), right()), (centis(100), right_v3())] {
        for (ours, theirs, told) in [
            (100, 100, Notices::EQUAL_PRIORITY),
            (100, 101, Notices::empty()),
            (100, 99, Notices::empty()),
            (100, 0, Notices::empty()),
            (254, 255, Notices::empty()),
        ] {
            let mut router = router(ours, interval, Auth::None);
            let datagram = Datagram { priority: theirs, ..datagram.clone() };
            assert_eq!(datagram.received_by(&mut router).unwrap().1, told, "{ours} {theirs}");
            assert_eq!(router.counters().get(Counter::EqualPriorities), u64::from(told == Notices::EQUAL_PRIORITY));
        }
        let mut master = started(config(100, interval, Auth::None), [10, 0, 0, 9].into());
        let _ = master.handle(Event::Expired(Timer::MasterDown));
        let datagram = Datagram { priority: 100, ..datagram };
        assert_eq!(datagram.received_by(&mut master).unwrap().1, Notices::EQUAL_PRIORITY | Notices::LOSING);
    }
}

/// R119, R120: what the models want to know of a router's peers and timers.
#[test]
fn r119_the_masters_address_and_the_timers_can_be_asked() {
    let mut router = router(100, centis(100), Auth::None);
    assert_eq!((router.last_adv_source(), router.master()), (None, None));
    let params = router.machine().params;
    assert_eq!(router.skew_time(), params.skew_time(centis(100)));
    let _ = Datagram { interval: 50, ..right_v3() }.received_by(&mut router).unwrap();
    assert_eq!((router.last_adv_source(), router.master()), (Some(PEER), Some(PEER)));
    assert_eq!(router.skew_time(), params.skew_time(centis(50)), "of the learnt interval");
    assert_eq!(router.master_down_interval(), params.master_down_interval(centis(50)));
    let refused = Datagram { interval: 0, source: [10, 0, 0, 7].into(), ..right_v3() };
    assert!(refused.received_by(&mut router).is_err());
    assert_eq!(router.last_adv_source(), Some(PEER), "what is dropped is nobody's advert");
    assert_eq!(router.new_master_reason(), NewMasterReason::NotMaster);
    let _ = router.handle(Event::Expired(Timer::MasterDown));
    assert_eq!(router.new_master_reason(), NewMasterReason::MasterNoResponse);
    assert_eq!((router.last_adv_source(), router.master()), (Some(PEER), Some(OWN)));
    assert_eq!(router.master_down_interval(), params.master_down_interval(centis(100)));
    let _ = right_v3().received_by(&mut router).unwrap();
    assert_eq!((router.machine().state.role(), router.master()), (Role::Backup, Some(PEER)));
    let _ = router.handle(Event::Enabled(false));
    assert_eq!((router.last_adv_source(), router.master()), (Some(PEER), None));
    assert_eq!(router.new_master_reason(), NewMasterReason::MasterNoResponse, "the last time");
}

#[test]
fn the_ladder_follows_a_change_of_version() {
    let mut router = router(100, secs(1), Auth::None);
    let params = Params { interval: centis(100), ..router.machine().params };
    let _ = router.handle(Event::Params(params));
    assert!(climb(&router, &right_v3()).is_ok());
    let reason = Discard::Version { ours: Version::V3, theirs: Version::V2 };
    assert_eq!(climb(&router, &right()), Err(reason));
}

#[test]
fn what_was_rejected_names_its_sender_as_far_as_it_can_be_read() {
    let rejected = |datagram: &Datagram| datagram.heard(|received| received.map(|_| ()).unwrap_err());
    let short = Datagram { cut: 1, ..right() };
    let reason = Discard::Ip(Ipv4Error::Truncated { need: 44, have: 43 });
    assert_eq!(rejected(&short), Rejected { source: None, vrid: None, reason });
    let far = Datagram { ttl: 1, ..right() };
    let expected = Rejected { source: Some(PEER), vrid: Some(VRID), reason: Discard::Ttl(1) };
    assert_eq!(rejected(&far), expected);
}

#[test]
fn r51_claim_and_release_are_emitted_from_the_configuration() {
    let mut router = router(100, secs(1), password("secret"));
    let mut buffer = [0; 64];
    let claim = Advert::parse(router.emit(Advertise::Claim, GROUP, &mut buffer).unwrap(), Family::V4).unwrap();
    assert_eq!((claim.vrid(), claim.priority()), (Some(router.vrid()), Priority::new(100)));
    assert_eq!((claim.interval(), claim.auth_data()), (Some(secs(1)), &b"secret\0\0"[..]));
    assert!(claim.addresses().eq(VIPS));
    let mut buffer = [0; 64];
    let release = Advert::parse(router.emit(Advertise::Release, GROUP, &mut buffer).unwrap(), Family::V4).unwrap();
    assert_eq!(release.priority(), None);
}

#[test]
fn nothing_is_emitted_without_a_source_or_a_buffer() {
    let mut router = router(100, secs(1), Auth::None);
    let error = router.emit(Advertise::Claim, GROUP, &mut [0; 23]).unwrap_err();
    assert_eq!(error, EmitError::Buffer(BufferTooSmall { need: 24, have: 23 }));
    assert_eq!(std::format!("{error}"), "the buffer has 23 octets and 24 are needed");
    for link in [Link::Down, Link::NoAddress, Link::Up([0u16; 8].into())] {
        let _ = router.handle(Event::Link(link));
        assert_eq!(router.emit(Advertise::Claim, GROUP, &mut [0; 64]), Err(EmitError::NoSource));
    }
}

/// A caller keeps such a buffer on its stack.
#[test]
fn the_longest_that_is_emitted_is_little_more_than_the_longest_message() {
    assert_eq!((MAX_LEN, MAX_EMITTED), (8 + 255 * 16, 8 + 255 * 16 + 44));
}

#[test]
fn every_reason_reads_on_its_own() {
    let reasons = [
        (Discard::Ip(Ipv4Error::Fragment), "IPv4 fragment"),
        (Discard::Protocol(17), "IP protocol is 17, 112 expected"),
        (Discard::Destination(OWN), "sent to 10.0.0.5, not to the multicast group"),
        (Discard::Ttl(64), "TTL is 64, 255 expected: it crossed a router or is forged"),
        (Discard::Parse(ParseError::Type(3)), "type is 3, 1 (ADVERTISEMENT) expected"),
        (Discard::Checksum(ChecksumMismatch { found: 1, computed: 0xabc }), "checksum is 0x0001, 0x0abc expected"),
        (Discard::UnknownVrid(9), "virtual_router_id 9 is not configured on this interface"),
        (Discard::Version { ours: Version::V2, theirs: Version::V3 }, "VRRP version is 3, ours is 2"),
        (Discard::Parse(ParseError::V2OverIpv6), "VRRP version is 2 over IPv6, 3 expected"),
        (
            Discard::ChecksumForm { ours: ChecksumForm::Message, theirs: ChecksumForm::PseudoHeader },
            "its checksum covers a pseudo-header (RFC 5798), ours does not (RFC 9568), and strict is set",
        ),
        (
            Discard::ChecksumForm { ours: ChecksumForm::PseudoHeader, theirs: ChecksumForm::Message },
            "its checksum covers no pseudo-header (RFC 9568), ours does (RFC 5798), and strict is set",
        ),
        (Discard::OwnSource, "it comes from our own address: a loop in the network, or a cloned host"),
        (Discard::Owner, "this host owns the addresses (priority 255), nobody else may advertise them"),
        (Discard::UnknownAuthType(254), "authentication type 254 is unknown"),
        (Discard::AuthType { ours: 1, theirs: 2 }, "authentication is AH, ours is PASS"),
        (Discard::Password, "auth_pass differs from ours"),
        (Discard::Interval { ours: secs(1), theirs: Some(secs(2)) }, "advert_int is 2s, ours is 1s"),
        (Discard::Interval { ours: centis(10), theirs: None }, "advert_int is 0, ours is 100ms"),
    ];
    for (reason, text) in reasons {
        assert_eq!(std::format!("{reason}"), text);
    }
}
