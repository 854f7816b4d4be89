//! Routers with authentication, from the datagram to the counter: every rung, each adjacent pair, and a node.
#![cfg(feature = "auth")]

use core::net::{Ipv4Addr, Ipv6Addr};
use core::num::NonZeroU8;
use core::time::Duration;
use std::vec::Vec;

use super::*;
use crate::auth::keys::{Key, Keys};
use crate::auth::trailer::{AntiReplay, Mode, TimeWindow};
use crate::counters::Counter;
use crate::fsm::{Advertise, Event, Link, Params, Rules};
use crate::router::{Carriage, ChecksumPolicy, MAX_EMITTED, RouterConfig, VirtualRouter};
use crate::rx::Meta;
use crate::types::{AddressList, AdvertInterval, Family, Priority, SimplePassword, Version, Vrid};

const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
type Router = VirtualRouter<[IpAddr; 1]>;

fn v2() -> AdvertInterval {
    AdvertInterval::from_secs(1).unwrap()
}

fn v3() -> AdvertInterval {
    AdvertInterval::from_centis(100).unwrap()
}

fn hmac_of(mode: Mode, key: u8) -> Auth {
    let id = NonZeroU8::MIN;
    let keys = Keys::new(&[Key::new(id, &[key; 32]).unwrap()], id).unwrap();
    Auth::hmac(HmacConfig { keys, mode, anti_replay: AntiReplay::Time(TimeWindow::new(6).unwrap()) })
}

fn hmac() -> Auth {
    hmac_of(Mode::Enforce, 7)
}

fn password(text: &[u8]) -> SimplePassword {
    SimplePassword::new(text).unwrap()
}

fn ah_of(text: &[u8]) -> Auth {
    Auth::Ah(ah::AhKey::new(password(text)))
}

fn at(seconds: u64) -> WallClock {
    WallClock::from_unix(Duration::from_secs(seconds))
}

fn own(family: Family, host: u8) -> IpAddr {
    match family {
        Family::V4 => [10, 0, 0, host].into(),
        Family::V6 => [0xfe80, 0, 0, 0, 0, 0, 0, u16::from(host)].into(),
    }
}

fn router_of(family: Family, host: u8, priority: u8, interval: AdvertInterval, auth: Auth) -> Router {
    let mut router = timeless(family, host, priority, interval, auth);
    router.set_wall_clock(at(1000));
    router
}

/// A router that nobody told the time.
fn timeless(family: Family, host: u8, priority: u8, interval: AdvertInterval, auth: Auth) -> Router {
    let mut router = VirtualRouter::new(RouterConfig {
        vrid: Vrid::new(51).unwrap(),
        params: Params {
            priority: Priority::new(priority).unwrap(),
            interval,
            preempt: true,
            accept: false,
            rules: Rules::DEFAULT,
        },
        addresses: AddressList::new([own(family, 100)]).unwrap(),
        auth,
        checksum: ChecksumPolicy::default(),
    });
    let _ = router.handle(Event::Link(Link::Up(own(family, host))));
    let _ = router.handle(Event::Enabled(true));
    router
}

/// The lower the number of the host, the higher its priority.
fn router(host: u8, interval: AdvertInterval, auth: Auth) -> Router {
    router_of(Family::V4, host, 110 - host, interval, auth)
}

fn group(family: Family) -> IpAddr {
    match family {
        Family::V4 => GROUP_V4.into(),
        Family::V6 => GROUP_V6.into(),
    }
}

/// What `sender` puts on the wire: over IPv4 a datagram, over IPv6 a message.
fn sent(sender: &mut Router) -> Vec<u8> {
    let family = sender.family();
    let mut buffer = [0xaa; MAX_EMITTED];
    let source = sender.machine().link.source().unwrap();
    let carriage = sender.carriage();
    let octets = sender.emit(Advertise::Claim, group(family), &mut buffer).unwrap();
    match (source, carriage) {
        (IpAddr::V4(source), Carriage::Message) => datagram(source, octets),
        (IpAddr::V4(_), Carriage::Datagram) | (IpAddr::V6(_), _) => octets.to_vec(),
    }
}

fn datagram(source: Ipv4Addr, message: &[u8]) -> Vec<u8> {
    let total = u8::try_from(20 + message.len()).unwrap();
    let mut datagram = std::vec![0x45, 0xc0, 0, total, 0, 1, 0, 0, 255, 112, 0, 0];
    datagram.extend(source.octets().iter().chain(&GROUP_V4.octets()));
    datagram.extend(message);
    datagram
}

fn received(octets: &[u8], source: IpAddr) -> Result<Received<'_>, Discard> {
    let received = match source {
        IpAddr::V4(_) => Received::check_datagram(octets, GROUP_V4),
        IpAddr::V6(_) => {
            Received::check(&Meta { source, destination: GROUP_V6.into(), ttl: 255 }, octets, GROUP_V6.into())
        }
    };
    received.map_err(|rejected| rejected.reason)
}

/// Every rung, one after the other, with its counter.
fn hear(hearer: &mut Router, octets: &[u8], source: IpAddr) -> Result<Notices, Discard> {
    let received = received(octets, source)?;
    let accepted = hearer.accept(&received);
    let before = *hearer.counters();
    let outcome = hearer.receive(&received).map(|(_, notices)| notices);
    if let Err(reason) = outcome {
        assert!(reason.is_routers());
        let moved: Vec<Counter> = Counter::ALL
            .into_iter()
            .filter(|counter| hearer.counters().get(*counter) != before.get(*counter))
            .collect();
        assert_eq!(moved, [reason.counter()]);
        assert_eq!(accepted.err(), Some(reason));
    }
    outcome
}

fn combinations() -> Vec<(Family, AdvertInterval, Auth)> {
    let hmac_all = [(Family::V4, v2()), (Family::V4, v3()), (Family::V6, v3())];
    let mut all: Vec<_> = hmac_all.into_iter().map(|(family, interval)| (family, interval, hmac())).collect();
    all.push((Family::V4, v2(), ah_of(b"secret")));
    all.push((Family::V4, v3(), ah_of(b"secret")));
    all
}

#[test]
fn routers_with_one_key_hear_each_other_once() {
    for (family, interval, auth) in combinations() {
        let mut sender = router_of(family, 1, 150, interval, auth.clone());
        let mut hearer = router_of(family, 2, 100, interval, auth.clone());
        let source = own(family, 1);
        let first = sent(&mut sender);
        let second = sent(&mut sender);
        assert_ne!(first, second, "each has its number");
        assert_eq!(hear(&mut hearer, &first, source), Ok(Notices::empty()), "{auth:?} {family:?}");
        assert_eq!(hearer.counters().get(Counter::AdvertsReceived), 1);
        let replay = hear(&mut hearer, &first, source).unwrap_err();
        assert!(matches!(replay, Discard::Trailer(TrailerError::Replay) | Discard::Ah(AhError::Replay { .. })));
        assert_eq!(hear(&mut hearer, &second, source), Ok(Notices::empty()));
        assert!(hear(&mut hearer, &first, source).is_err());
    }
}

/// TOS, flags, fragment offset and header checksum of IPv4 may change on the way; what is not in the message of the other kind
/// of carriage is the kernel's to check.
#[test]
fn every_flipped_bit_is_refused() {
    for (family, interval, auth) in combinations() {
        let octets = sent(&mut router_of(family, 1, 100, interval, auth.clone()));
        let start = if family == Family::V4 { 20 } else { 0 };
        for bit in start * 8..octets.len() * 8 {
            let mut hearer = router_of(family, 2, 100, interval, auth.clone());
            let mut forged = octets.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(hear(&mut hearer, &forged, own(family, 1)).is_err(), "{auth:?} {family:?} bit {bit}");
        }
        let mut hearer = router_of(family, 2, 100, interval, auth);
        assert!(hear(&mut hearer, &octets, own(family, 1)).is_ok());
    }
}

#[test]
fn the_trailer_lies_behind_the_ipv4_checksum_and_under_the_ipv6_one() {
    let mut plain = router(1, v3(), Auth::None);
    let mut signed = router(1, v3(), hmac());
    let (plain, signed) = (sent(&mut plain), sent(&mut signed));
    assert_eq!(signed.len(), plain.len() + trailer::LEN);
    assert_eq!(signed[20..plain.len()], plain[20..], "the message is the same, checksum included");

    let mut signed = sent(&mut router_of(Family::V6, 1, 100, v3(), hmac()));
    let source = own(Family::V6, 1);
    assert!(received(&signed, source).is_ok());
    let end = signed.len() - 1;
    signed[end] ^= 1;
    assert!(matches!(received(&signed, source), Err(Discard::Checksum(_))));
}

#[test]
fn an_authentication_header_makes_type_2_without_data_and_a_whole_datagram() {
    let mut sender = router(1, v2(), ah_of(b"secret"));
    let octets = sent(&mut sender);
    assert_eq!(sender.carriage(), Carriage::Datagram);
    assert_eq!((octets[9], octets.len()), (51, 64));
    assert_eq!(octets[32 - 4..32], 1000u32.to_be_bytes(), "numbers start at the clock");
    assert_eq!((octets[48], &octets[56..]), (2, &[0; 8][..]));
    let mut timeless = timeless(Family::V4, 1, 100, v2(), ah_of(b"secret"));
    assert_eq!(sent(&mut timeless)[28..32], [0, 0, 0, 1]);
    assert_eq!(router(1, v2(), hmac()).carriage(), Carriage::Message);
    let mut data = octets;
    data[60] = 1;
    assert!(hear(&mut router(2, v2(), ah_of(b"secret")), &data, own(Family::V4, 1)).is_err(), "ignored, but signed");
}

/// A takeover: whoever heard the old Master goes on from its number.
#[test]
fn numbers_go_on_after_a_takeover() {
    let mut old = router(1, v2(), ah_of(b"secret"));
    old.set_wall_clock(at(5000));
    let mut new = router(2, v2(), ah_of(b"secret"));
    assert_eq!(hear(&mut new, &sent(&mut old), own(Family::V4, 1)), Ok(Notices::empty()));
    assert_eq!(sent(&mut new)[28..32], 5001u32.to_be_bytes());
}

#[test]
fn messages_are_numbered_where_they_are_signed() {
    let password = Auth::SimpleText(password(b"secret"));
    for (auth, numbered) in [(Auth::None, false), (password, false), (ah_of(b"secret"), true), (hmac(), true)] {
        let mut router = router(1, v2(), auth);
        assert_eq!(router.is_numbered(), numbered);
        assert_eq!(sent(&mut router) != sent(&mut router), numbered, "no two of them are alike");
    }
}

#[test]
fn what_cannot_be_signed_is_not_sent() {
    let mut router = timeless(Family::V4, 1, 100, v2(), hmac());
    let destination = GROUP_V4.into();
    assert_eq!(router.emit(Advertise::Claim, destination, &mut [0; 64]), Err(EmitError::Unsigned));
    router.set_wall_clock(at(1));
    let short = EmitError::Buffer(BufferTooSmall { need: 48, have: 47 });
    assert_eq!(router.emit(Advertise::Claim, destination, &mut [0; 47]), Err(short));
    assert!(router.emit(Advertise::Claim, destination, &mut [0; 48]).is_ok());

    let mut router = router_of(Family::V4, 1, 100, v2(), ah_of(b"secret"));
    let short = EmitError::Buffer(BufferTooSmall { need: 64, have: 63 });
    assert_eq!(router.emit(Advertise::Claim, destination, &mut [0; 63]), Err(short));
    assert!(router.emit(Advertise::Claim, destination, &mut [0; 64]).is_ok());
    let mut router = router_of(Family::V6, 1, 100, v3(), ah_of(b"secret"));
    assert_eq!(router.emit(Advertise::Claim, GROUP_V6.into(), &mut [0; 4096]), Err(EmitError::Unsigned));
    let plain = sent(&mut router_of(Family::V6, 1, 100, v3(), Auth::None));
    let mut hearer = router_of(Family::V6, 2, 100, v3(), ah_of(b"secret"));
    assert_eq!(hear(&mut hearer, &plain, own(Family::V6, 1)), Err(Discard::Ah(AhError::Missing)));
}

#[test]
fn the_longest_packets_fit() {
    let longest = |family, interval, auth| {
        let address = |host: u8| match family {
            Family::V4 => IpAddr::from([10, 0, 1, host]),
            Family::V6 => IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 1, u16::from(host)]),
        };
        let addresses: Vec<IpAddr> = (1..=255).map(address).collect();
        let mut router = VirtualRouter::new(RouterConfig {
            vrid: Vrid::new(1).unwrap(),
            params: Params {
                priority: Priority::default(),
                interval,
                preempt: true,
                accept: false,
                rules: Rules::DEFAULT,
            },
            addresses: AddressList::new(addresses).unwrap(),
            auth,
            checksum: ChecksumPolicy::default(),
        });
        let _ = router.handle(Event::Link(Link::Up(own(family, 1))));
        router.set_wall_clock(at(1));
        router.emit(Advertise::Claim, group(family), &mut [0; MAX_EMITTED]).map(|octets| octets.len())
    };
    assert_eq!(longest(Family::V4, v2(), hmac()), Ok(8 + 255 * 4 + 8 + 28));
    assert_eq!(longest(Family::V4, v2(), ah_of(b"x")), Ok(44 + 8 + 255 * 4 + 8));
    assert_eq!(longest(Family::V6, v3(), hmac()), Ok(8 + 255 * 16 + 28));
}

#[test]
fn nothing_unsigned_gets_past_and_nothing_signed_into_the_open() {
    let source = own(Family::V4, 1);
    let simple = || Auth::SimpleText(password(b"secret"));
    let cases = [
        (Auth::None, hmac(), Discard::Trailer(TrailerError::Missing)),
        (simple(), hmac(), Discard::Trailer(TrailerError::Missing)),
        (ah_of(b"secret"), hmac(), Discard::Ah(AhError::Unexpected)),
        (Auth::None, ah_of(b"secret"), Discard::Ah(AhError::Missing)),
        (simple(), ah_of(b"secret"), Discard::Ah(AhError::Missing)),
        (hmac(), ah_of(b"secret"), Discard::Ah(AhError::Missing)),
        (hmac(), Auth::None, Discard::Trailer(TrailerError::Unexpected)),
        (hmac(), simple(), Discard::Trailer(TrailerError::Unexpected)),
        (ah_of(b"secret"), Auth::None, Discard::Ah(AhError::Unexpected)),
        (ah_of(b"secret"), simple(), Discard::Ah(AhError::Unexpected)),
        (ah_of(b"secret"), ah_of(b"secreT"), Discard::Ah(AhError::Invalid)),
        (hmac(), hmac_of(Mode::Enforce, 8), Discard::Trailer(TrailerError::Invalid)),
    ];
    for (theirs, ours, reason) in cases {
        let octets = sent(&mut router(1, v2(), theirs));
        assert_eq!(hear(&mut router(2, v2(), ours), &octets, source), Err(reason));
    }
}

#[test]
fn roll_out_loses_no_advert_and_reports_what_is_unsigned() {
    let source = own(Family::V4, 1);
    let stages = [Auth::None, hmac_of(Mode::ReceiveOnly, 7), hmac_of(Mode::Permissive, 7), hmac_of(Mode::Enforce, 7)];
    for (stage, pair) in stages.windows(2).enumerate() {
        for (theirs, ours) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
            let octets = sent(&mut router(1, v2(), theirs.clone()));
            let mut hearer = router(2, v2(), ours.clone());
            let notices = hear(&mut hearer, &octets, source).unwrap();
            let unsigned = octets.len() == 40;
            let reported = unsigned && *ours != Auth::None;
            assert_eq!(notices.contains(Notices::UNSIGNED), reported, "stage {stage}");
            assert_eq!(hearer.counters().get(Counter::HmacUnsigned), u64::from(reported));
        }
    }
}

#[test]
fn a_clock_off_by_more_than_half_the_window_is_reported_and_by_more_than_it_refused() {
    for (seconds, outcome) in [
        (1003, Ok(Notices::empty())),
        (1004, Ok(Notices::CLOCK_SKEW)),
        (1006, Ok(Notices::CLOCK_SKEW)),
        (1007, Err(Discard::Trailer(TrailerError::Stale { theirs: 1000, ours: 1007 }))),
    ] {
        let octets = sent(&mut router(1, v3(), hmac()));
        let mut hearer = router(2, v3(), hmac());
        hearer.set_wall_clock(at(seconds));
        assert_eq!(hear(&mut hearer, &octets, own(Family::V4, 1)), outcome);
        let skewed = outcome == Ok(Notices::CLOCK_SKEW);
        assert_eq!(hearer.counters().get(Counter::HmacClockSkew), u64::from(skewed));
    }
}

/// A packet with two things wrong has the reason of the upper rung.
#[test]
fn adjacent_rungs() {
    let source = own(Family::V4, 1);
    // Checksum, then authentication.
    let mut octets = sent(&mut router(1, v2(), hmac_of(Mode::Enforce, 8)));
    octets[22] ^= 1;
    assert!(matches!(hear(&mut router(2, v2(), hmac()), &octets, source), Err(Discard::Checksum(_))));
    // Version, then own source.
    let octets = sent(&mut router(1, v3(), hmac_of(Mode::Enforce, 8)));
    let versions = Discard::Version { ours: Version::V2, theirs: Version::V3 };
    assert_eq!(hear(&mut router(1, v2(), hmac()), &octets, source), Err(versions));
    for (auth, foreign, invalid) in [
        (hmac(), hmac_of(Mode::Enforce, 8), Discard::Trailer(TrailerError::Invalid)),
        (ah_of(b"a"), ah_of(b"b"), Discard::Ah(AhError::Invalid)),
    ] {
        // Own source, then authentication.
        let octets = sent(&mut router(1, v2(), foreign.clone()));
        assert_eq!(hear(&mut router(1, v2(), auth.clone()), &octets, source), Err(Discard::OwnSource));
        // Authentication, then owner; owner, then interval.
        let mut owner = router_of(Family::V4, 2, 255, v2(), auth.clone());
        assert_eq!(hear(&mut owner, &octets, source), Err(invalid));
        let slow = AdvertInterval::from_secs(2).unwrap();
        let octets = sent(&mut router(1, slow, auth.clone()));
        assert_eq!(hear(&mut owner, &octets, source), Err(Discard::Owner));
        // Authentication, then interval; what was authentic is marked as heard though it was dropped.
        let mut hearer = router(2, v2(), auth.clone());
        let interval = Discard::Interval { ours: v2(), theirs: Some(slow) };
        assert_eq!(hear(&mut hearer, &octets, source), Err(interval));
        assert_ne!(hear(&mut hearer, &octets, source), Err(interval));
        let octets = sent(&mut router(1, slow, foreign));
        assert_eq!(hear(&mut hearer, &octets, source), Err(invalid));
    }
    // Authentication, then authentication type: a trailer behind a message of type 1.
    let mut simple = router(1, v2(), Auth::SimpleText(password(b"secret")));
    let message = sent(&mut simple).split_off(20);
    let key = Key::new(NonZeroU8::MIN, &[7; 32]).unwrap();
    let mut signed = message.clone();
    signed.extend(trailer::sign(&key, source, &message, 1000 << 32));
    let octets = datagram([10, 0, 0, 1].into(), &signed);
    let kinds = Discard::AuthType { ours: 0, theirs: 1 };
    assert_eq!(hear(&mut router(2, v2(), hmac()), &octets, source), Err(kinds));
    let foreign = hmac_of(Mode::Enforce, 8);
    let invalid = Discard::Trailer(TrailerError::Invalid);
    assert_eq!(hear(&mut router(2, v2(), foreign), &octets, source), Err(invalid));
    // An Authentication Header around a trailer is neither one's form.
    let mut wrapped = std::vec![0; ah::OVERHEAD];
    wrapped.extend(&signed);
    let key = ah::AhKey::new(password(b"secret"));
    assert!(ah::seal(key, [10, 0, 0, 1].into(), GROUP_V4, 1000, &mut wrapped));
    let unexpected = |auth| hear(&mut router(2, v2(), auth), &wrapped, source);
    assert_eq!(unexpected(ah_of(b"secret")), Err(Discard::Trailer(TrailerError::Unexpected)));
    assert_eq!(unexpected(hmac()), Err(Discard::Ah(AhError::Unexpected)));
    // The upper end of the ladder in front of an Authentication Header.
    let octets = sent(&mut router(1, v2(), ah_of(b"secret")));
    let with = |at: usize, value: u8| {
        let mut octets = octets.clone();
        octets[at] = value;
        hear(&mut router(2, v2(), ah_of(b"secret")), &octets, source)
    };
    assert_eq!(with(21, 5), Err(Discard::Ah(AhError::Malformed)));
    assert_eq!(with(8, 254), Err(Discard::Ttl(254)));
    assert_eq!(with(19, 17), Err(Discard::Destination([224, 0, 0, 17].into())));
    assert_eq!(with(9, 112).map_err(|reason| matches!(reason, Discard::Parse(_))), Err(true));
}

/// One octet more or less than a trailer is a wrong length, as before.
#[test]
fn only_28_octets_make_a_trailer() {
    let octets = sent(&mut router(1, v2(), hmac()));
    let message = &octets[20..];
    for len in 8..message.len() {
        let cut = datagram([10, 0, 0, 1].into(), &message[..len]);
        let received = received(&cut, own(Family::V4, 1)).map(|received| received.trailer.is_some());
        match len {
            20 => assert_eq!(received, Ok(false)),
            _ => assert!(matches!(received, Err(Discard::Parse(_))), "{len}"),
        }
    }
    let mut long = message.to_vec();
    long.push(0);
    let long = datagram([10, 0, 0, 1].into(), &long);
    assert!(matches!(received(&long, own(Family::V4, 1)), Err(Discard::Parse(_))));
}

#[test]
fn debug_shows_no_key() {
    let router = router(1, v2(), hmac_of(Mode::Enforce, 0xab));
    let text = std::format!("{router:?}");
    assert!(text.contains("Key(1, ..)") && !text.contains("171, 171"), "{text}");
    let text = std::format!("{:?}", self::router(1, v2(), ah_of(b"qqqq")));
    assert!(text.contains("AhKey(..)") && !text.contains("113, 113"), "{text}");
}

#[cfg(feature = "alloc")]
#[test]
fn a_node_signs_with_the_time_it_was_told() {
    use crate::fsm::Role;
    use crate::node::{Groups, Input, InterfaceId, Node, Output, RouterSetup, Which};
    let eth0 = InterfaceId(0);
    let node_of = |host, priority, auth| {
        let mut node: Node<Duration> = Node::new(Groups::default());
        let config = RouterConfig {
            vrid: Vrid::new(51).unwrap(),
            params: Params {
                priority: Priority::new(priority).unwrap(),
                interval: v2(),
                preempt: true,
                accept: false,
                rules: Rules::DEFAULT,
            },
            addresses: AddressList::new(std::boxed::Box::from([own(Family::V4, 100)])).unwrap(),
            auth,
            checksum: ChecksumPolicy::default(),
        };
        let id = node
            .add(RouterSetup { interface: eth0, source: None, unicast: None, track_interface: true, config })
            .unwrap();
        let mut out = Vec::new();
        let link = Link::Up(own(Family::V4, host));
        node.handle(Duration::ZERO, Input::Link { interface: eth0, family: Family::V4, link }, &mut out);
        node.handle(Duration::ZERO, Input::Enabled { which: Which::All, enabled: true }, &mut out);
        (node, id)
    };
    for (auth, carriage) in [(hmac(), Carriage::Message), (ah_of(b"secret"), Carriage::Datagram)] {
        let (mut master, id) = node_of(1, 200, auth.clone());
        let (mut backup, heard_by) = node_of(2, 100, auth.clone());
        let mut out = Vec::new();
        let takeover = master.next_deadline().unwrap();
        if carriage == Carriage::Message {
            let mut buffer = [0; MAX_EMITTED];
            let unsigned = master.message(id, Advertise::Claim, &mut buffer);
            assert_eq!(unsigned, Err(EmitError::Unsigned), "nobody said what time it is");
        }
        master.handle(takeover, Input::WallClock(at(2000)), &mut out);
        backup.handle(takeover, Input::WallClock(at(2001)), &mut out);
        master.expire(takeover, &mut out);
        assert_eq!(master.router(id).map(|router| router.machine().state.role()), Some(Role::Master));
        let mut buffer = [0; MAX_EMITTED];
        let message = master.message(id, Advertise::Claim, &mut buffer).unwrap();
        assert_eq!(message.carriage, carriage);
        let octets = match carriage {
            Carriage::Message => datagram([10, 0, 0, 1].into(), message.octets),
            Carriage::Datagram => message.octets.to_vec(),
        };
        out.clear();
        for _ in 0..2 {
            backup.handle(takeover, Input::Datagram { interface: eth0, octets: &octets }, &mut out);
        }
        assert!(matches!(out[..], [Output::Rejected { router: Some(router), .. }] if router == heard_by), "{out:?}");
        let counters = backup.router(heard_by).unwrap().counters();
        assert_eq!(counters.get(Counter::AdvertsReceived), 1);
        assert_eq!(counters.get(Counter::HmacReplays) + counters.get(Counter::AhReplays), 1);

        let mut malformed = octets.clone();
        malformed[9] = 51;
        malformed[20] = 9;
        out.clear();
        backup.handle(takeover, Input::Datagram { interface: eth0, octets: &malformed }, &mut out);
        assert!(matches!(out[..], [Output::Rejected { router: None, .. }]));
        assert_eq!(backup.counters().get(Counter::AhMalformed), 1);
    }
}

/// What an interface's MTU is compared with.
#[test]
fn the_length_of_a_datagram_is_that_of_what_is_emitted() {
    for (family, header) in [(Family::V4, 20), (Family::V6, 40)] {
        for interval in [v2(), v3()] {
            for auth in [Auth::None, Auth::SimpleText(password(b"secret")), ah_of(b"secret"), hmac()] {
                let mut router = router_of(family, 5, 100, interval, auth);
                let around = match router.carriage() {
                    Carriage::Message => header,
                    Carriage::Datagram => 0,
                };
                let mut buffer = [0; MAX_EMITTED];
                for advertise in [Advertise::Claim, Advertise::Release] {
                    let Ok(octets) = router.emit(advertise, group(family), &mut buffer) else { continue };
                    assert_eq!(octets.len() + around, router.datagram_len());
                }
            }
        }
    }
}
