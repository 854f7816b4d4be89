//! Routers whose adverts go from peer to peer: whom they hear, what they send, what tells two of one identifier apart.

use super::*;
#[cfg(feature = "auth")]
use crate::auth::{WallClock, ah::AhKey};
use crate::rx::Arrival;
#[cfg(feature = "auth")]
use crate::wire::ipv4::Ipv4Packet;

const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 7));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 66));

fn unicast(peers: &[Peer]) -> Unicast {
    Unicast { peers: Peers::new(peers).unwrap(), ttl: 64, old_checksum: OldChecksum::Learn }
}

fn of_peers(peers: &[Peer], params: Params) -> RouterSetup {
    RouterSetup { unicast: Some(unicast(peers)), ..setup(ETH0, 7, params) }
}

fn v3(priority: u8) -> Params {
    Params { interval: AdvertInterval::from_centis(100).unwrap(), ..params(priority) }
}

fn backup(setup: RouterSetup) -> Solo {
    let mut node = Node::new(Groups::default());
    let id = node.add(setup).unwrap();
    let mut solo = Solo { node, id };
    let _ = solo.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) });
    let _ = solo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
    solo
}

/// An advert of priority 200, with the checksum over `covered`.
fn advert_to(source: IpAddr, (destination, covered): (IpAddr, IpAddr), ttl: u8, interval: AdvertInterval) -> Vec<u8> {
    let mut buffer = [0; 64];
    let repr = AdvertRepr {
        vrid: Vrid::new(7).unwrap(),
        priority: Priority::new(200),
        interval,
        password: None,
        addresses: AddressList::new(&[VIP][..]).unwrap(),
        checksum: ChecksumForm::PseudoHeader,
    };
    let mut octets = datagram(source, repr.emit(source, covered, &mut buffer).unwrap());
    let IpAddr::V4(destination) = destination else { panic!("{destination} in an IPv4 datagram") };
    octets[16..20].copy_from_slice(&destination.octets());
    octets[8] = ttl;
    octets
}

fn second() -> AdvertInterval {
    AdvertInterval::from_secs(1).unwrap()
}

fn centis() -> AdvertInterval {
    AdvertInterval::from_centis(100).unwrap()
}

fn to_us(source: IpAddr, ttl: u8) -> Vec<u8> {
    advert_to(source, (OWN, OWN), ttl, second())
}

fn reason(out: &[Output]) -> Option<Discard> {
    out.iter()
        .find_map(|output| if let Output::Rejected { rejected, .. } = output { Some(rejected.reason) } else { None })
}

#[test]
fn a_peer_is_heard_whatever_its_ttl() {
    for ttl in [0, 1, 64, 255] {
        let mut solo = backup(of_peers(&[Peer::new(PEER), Peer::new(OTHER)], params(100)));
        let before = solo.node.next_deadline();
        assert_eq!(solo.hear(ms(10), &to_us(OTHER, ttl)), [], "ttl {ttl}");
        assert!(solo.node.next_deadline() > before);
        assert_eq!(solo.count(Counter::AdvertsReceived), 1);
        assert_eq!(solo.node.router(solo.id).unwrap().last_adv_source(), Some(OTHER));
    }
}

#[test]
fn a_stranger_is_dropped_and_counted() {
    let mut solo = backup(of_peers(&[Peer::new(PEER)], params(100)));
    let before = solo.node.next_deadline();
    let out = solo.hear(ms(10), &to_us(STRANGER, 255));
    assert_eq!(reason(&out), Some(Discard::NoPeer));
    let expected = Some(solo.id);
    assert!(matches!(out[..], [Output::Rejected { router, .. }] if router == expected));
    assert_eq!(solo.count(Counter::UnknownPeers), 1);
    assert_eq!((solo.count(Counter::AdvertsReceived), solo.node.next_deadline()), (0, before));
}

#[test]
fn bounds_of_a_peer_are_kept() {
    let peers = [Peer { min_ttl: 60, max_ttl: 64, ..Peer::new(PEER) }];
    for (ttl, heard) in [(59, false), (60, true), (64, true), (65, false), (255, false)] {
        let mut solo = backup(of_peers(&peers, params(100)));
        let out = solo.hear(ms(10), &to_us(PEER, ttl));
        let expected = (!heard).then_some(Discard::PeerTtl { ttl, min: 60, max: 64 });
        assert_eq!(reason(&out), expected, "ttl {ttl}");
        assert_eq!(solo.node.counters().get(Counter::TtlErrors), u64::from(!heard));
    }
}

/// Each way of travel for a router of the other one.
#[test]
fn the_group_and_unicast_do_not_mix() {
    let mut solo = backup(of_peers(&[Peer::new(PEER)], params(100)));
    assert_eq!(reason(&solo.hear(ms(10), &advert(7, 200))), Some(Discard::ByMulticast));
    assert_eq!((solo.count(Counter::DeliveryErrors), solo.count(Counter::AdvertsReceived)), (1, 0));

    let mut solo = Solo::backup(100);
    assert_eq!(reason(&solo.hear(ms(10), &to_us(PEER, 255))), Some(Discard::Destination(OWN)), "nobody has peers");
    solo.node.add(RouterSetup { unicast: Some(unicast(&[Peer::new(PEER)])), ..setup(ETH0, 8, params(100)) }).unwrap();
    assert_eq!(reason(&solo.hear(ms(10), &to_us(PEER, 255))), Some(Discard::ByUnicast));
    assert_eq!((solo.count(Counter::DeliveryErrors), solo.count(Counter::AdvertsReceived)), (1, 0));
}

/// Of two adjacent rungs that break, the upper one is the reason.
#[test]
fn the_rungs_of_unicast_stand_in_order() {
    let peers = [Peer { min_ttl: 255, ..Peer::new(PEER) }];
    let never = Unicast { old_checksum: OldChecksum::Never, ..unicast(&peers) };
    let setup = || RouterSetup { unicast: Some(never.clone()), ..setup(ETH0, 7, v3(100)) };
    let group: IpAddr = GROUP.into();
    let broadcast = IpAddr::V4(Ipv4Addr::BROADCAST);
    let mut damaged = to_us(PEER, 1);
    damaged[27] ^= 1;
    let mut unknown = to_us(STRANGER, 1);
    // Identifier 8, and 1 less in the checksum.
    unknown[21] = 8;
    let sum = u16::from_be_bytes([unknown[26], unknown[27]]) - 1;
    unknown[26..28].copy_from_slice(&sum.to_be_bytes());
    let cases: [(Vec<u8>, Discard); 7] = [
        (advert_to(PEER, (broadcast, broadcast), 1, second()), Discard::Destination(broadcast)),
        (advert_to(PEER, (group, group), 1, second()), Discard::Ttl(1)),
        (unknown, Discard::UnknownVrid(8)),
        (advert_to(STRANGER, (group, group), 255, second()), Discard::ByMulticast),
        (to_us(STRANGER, 1), Discard::NoPeer),
        (advert_to(PEER, (OWN, group), 1, centis()), Discard::PeerTtl { ttl: 1, min: 255, max: 255 }),
        (to_us(PEER, 255), Discard::Version { ours: Version::V3, theirs: Version::V2 }),
    ];
    for (octets, expected) in cases {
        assert_eq!(reason(&backup(setup()).hear(ms(10), &octets)), Some(expected));
    }
    let old = advert_to(PEER, (OWN, group), 255, centis());
    assert_eq!(reason(&backup(setup()).hear(ms(10), &old)), Some(Discard::OldChecksum));
    assert!(matches!(reason(&backup(setup()).hear(ms(10), &damaged)), Some(Discard::Checksum(_))));
    // Our own address is no stranger's: the rung below tells of the loop.
    assert_eq!(
        reason(&backup(setup()).hear(ms(10), &advert_to(OWN, (OWN, OWN), 1, centis()))),
        Some(Discard::OwnSource)
    );
}

#[test]
fn one_message_for_each_peer() {
    for old in [OldChecksum::Learn, OldChecksum::Always, OldChecksum::Never] {
        let peers = [Peer::new(PEER), Peer::new(OTHER), Peer::new("fe80::1".parse().unwrap())];
        let mut setup = of_peers(&peers, v3(255));
        setup.unicast.as_mut().unwrap().old_checksum = old;
        setup.config.checksum.send = ChecksumForm::PseudoHeader;
        let mut solo = backup(setup);
        assert_eq!(solo.node.recipients(solo.id), 2, "the third is of the other family");
        for (place, peer) in [PEER, OTHER].into_iter().enumerate() {
            let mut buffer = [0; 64];
            let message = solo.node.message_to(solo.id, place, Advertise::Claim, &mut buffer).unwrap();
            assert_eq!((message.source, message.destination, message.ttl), (OWN, peer, 64));
            let meta = Meta { source: OWN, destination: peer, ttl: 64 };
            let received = Received::check_any(&meta, message.octets, GROUP.into()).unwrap();
            let old_checksum = old == OldChecksum::Always;
            assert_eq!(received.arrival, Arrival::Unicast { ttl: 64, old_checksum });
            assert_eq!(
                Received::check(&meta, message.octets, GROUP.into()).unwrap_err().reason,
                Discard::Destination(peer)
            );
        }
        assert_eq!(solo.node.message_to(solo.id, 2, Advertise::Claim, &mut [0; 64]).unwrap_err(), EmitError::NoPeer);
        assert_eq!(solo.count(Counter::AdvertsSent), 2);
    }
    let solo = Solo::backup(100);
    assert_eq!(solo.node.recipients(solo.id), 1);
}

/// Old keepalived is answered in its own form, until it sends the right one.
#[test]
fn the_old_checksum_is_learnt_and_unlearnt() {
    let mut setup = of_peers(&[Peer::new(PEER), Peer::new(OTHER)], v3(100));
    setup.config.checksum.send = ChecksumForm::PseudoHeader;
    let mut solo = backup(setup);
    let form = |solo: &mut Solo, place| {
        let mut buffer = [0; 64];
        let message = solo.node.message_to(solo.id, place, Advertise::Claim, &mut buffer).unwrap();
        let meta = Meta { source: message.source, destination: message.destination, ttl: message.ttl };
        match Received::check_any(&meta, message.octets, GROUP.into()).unwrap().arrival {
            Arrival::Unicast { old_checksum, .. } => old_checksum,
            Arrival::Multicast => panic!("by unicast"),
        }
    };
    let out = solo.hear(ms(10), &advert_to(PEER, (OWN, GROUP.into()), 255, centis()));
    assert!(matches!(out[..], [Output::Noticed { notices, .. }] if notices == Notices::CHECKSUM_FORM), "{out:?}");
    assert!(form(&mut solo, 0) && !form(&mut solo, 1));
    assert_eq!(solo.count(Counter::OtherChecksumForm), 1);
    assert_eq!(solo.hear(ms(20), &advert_to(PEER, (OWN, OWN), 255, centis())), []);
    assert!(!form(&mut solo, 0));
}

/// The header of an Authentication Header's datagram is written whole, and the TTL is not signed.
#[cfg(feature = "auth")]
#[test]
fn an_authentication_header_has_the_ttl_and_the_peer() {
    let key = || Auth::Ah(AhKey::new(SimplePassword::new(b"secret").unwrap()));
    let mut sender = of_peers(&[Peer::new(PEER), Peer::new(OTHER)], params(200));
    sender.config.auth = key();
    let mut sender = backup(sender);
    let mut receiver = of_peers(&[Peer::new(OWN)], params(100));
    receiver.config.auth = key();
    let mut node = Node::new(Groups::default());
    let id = node.add(receiver).unwrap();
    let mut receiver = Solo { node, id };
    let _ = receiver.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(PEER) });
    let _ = receiver.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
    let now = Input::WallClock(WallClock::from_unix(Duration::from_secs(0x6800_0000)));
    let _ = (sender.handle(ms(0), now), receiver.handle(ms(0), now));
    let mut buffer = [0; 128];
    let message = sender.node.message_to(sender.id, 0, Advertise::Claim, &mut buffer).unwrap();
    let packet = Ipv4Packet::parse(message.octets).unwrap();
    assert_eq!((packet.ttl(), IpAddr::from(packet.destination())), (64, PEER));
    // Each router on the way counts it down.
    let mut arrived = message.octets.to_vec();
    arrived[8] = 61;
    assert_eq!(receiver.hear(ms(10), &arrived), []);
    assert_eq!(receiver.count(Counter::AdvertsReceived), 1);
}

/// Over IPv6 a global address will do, and the hop limit is that of the peer.
#[test]
fn ipv6_peers_may_have_global_addresses() {
    let (own, peer): (IpAddr, IpAddr) = ("2001:db8::5".parse().unwrap(), "2001:db8:1::6".parse().unwrap());
    let mut setup = RouterSetup { source: Some(own), ..of_peers(&[Peer::new(peer)], v3(200)) };
    setup.config.addresses = AddressList::new(Box::from(["fe80::100".parse().unwrap()])).unwrap();
    let mut node = Node::<Duration>::new(Groups::default());
    let id = node.add(setup.clone()).unwrap();
    let up = Input::Link { interface: ETH0, family: Family::V6, link: Link::NoAddress };
    node.handle(ms(0), up, &mut Vec::new());
    node.handle(ms(0), Input::Enabled { which: Which::All, enabled: true }, &mut Vec::new());
    let mut buffer = [0; 64];
    let message = node.message_to(id, 0, Advertise::Claim, &mut buffer).unwrap();
    assert_eq!((message.source, message.destination), (own, peer));

    setup.unicast = Some(unicast(&[Peer::new(own)]));
    let mut other = Node::<Duration>::new(Groups::default());
    let id = other.add(RouterSetup { source: Some(peer), ..setup }).unwrap();
    other.handle(ms(0), up, &mut Vec::new());
    other.handle(ms(0), Input::Enabled { which: Which::All, enabled: true }, &mut Vec::new());
    let meta = Meta { source: own, destination: peer, ttl: 3 };
    let mut out = Vec::new();
    other.handle(ms(10), Input::Message { interface: ETH0, meta, octets: message.octets }, &mut out);
    assert_eq!((reason(&out), other.router(id).unwrap().counters().get(Counter::AdvertsReceived)), (None, 1));
}

#[test]
fn peers_tell_routers_of_one_identifier_apart() {
    let mut node = Node::new(Groups::default());
    let one = node.add(of_peers(&[Peer::new(PEER)], params(100))).unwrap();
    let two = node.add(of_peers(&[Peer::new(OTHER)], params(100))).unwrap();
    let vrid = Vrid::new(7).unwrap();
    let shared = node.add(of_peers(&[Peer::new(STRANGER), Peer::new(PEER)], params(100)));
    assert_eq!(shared, Err(DuplicateVrid { first: one, vrid }));
    let here = RouterSetup { source: Some(OWN), ..of_peers(&[Peer::new(PEER)], params(100)) };
    assert_eq!(node.add(here), Err(DuplicateVrid { first: one, vrid }), "that of the other is not known");
    let mut solo = Solo { node, id: one };
    let _ = solo.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) });
    let _ = solo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
    for (id, source) in [(one, PEER), (two, OTHER), (two, OTHER)] {
        assert_eq!(solo.hear(ms(10), &to_us(source, 64)), []);
        assert_eq!(solo.node.router(id).unwrap().last_adv_source(), Some(source));
    }
    assert_eq!(
        (solo.count(Counter::AdvertsReceived), reason(&solo.hear(ms(20), &to_us(STRANGER, 64)))),
        (1, Some(Discard::NoPeer))
    );
}

/// One host that is a peer twice, with an address of ours for each, and the group beside it.
#[test]
fn the_destination_tells_routers_of_one_identifier_and_peer_apart() {
    let mut node = Node::<Duration>::new(Groups::default());
    let vrid = Vrid::new(7).unwrap();
    let with_source = |source| RouterSetup { source: Some(source), ..of_peers(&[Peer::new(PEER)], params(100)) };
    let (one, two) = (node.add(with_source(OWN)).unwrap(), node.add(with_source(OTHER)).unwrap());
    let group = node.add(setup(ETH0, 7, params(100))).unwrap();
    assert_eq!(node.add(setup(ETH0, 7, params(100))), Err(DuplicateVrid { first: group, vrid }));
    assert_eq!(node.add(with_source(OTHER)), Err(DuplicateVrid { first: two, vrid }));
    let mut solo = Solo { node, id: one };
    let _ = solo.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) });
    let _ = solo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
    let received = |solo: &Solo| {
        [one, two, group].map(|id| solo.node.router(id).unwrap().counters().get(Counter::AdvertsReceived))
    };
    let to = |destination| advert_to(PEER, (destination, destination), 64, second());
    assert_eq!((solo.hear(ms(10), &to(OWN)), received(&solo)), (vec![], [1, 0, 0]));
    assert_eq!((solo.hear(ms(10), &to(OTHER)), received(&solo)), (vec![], [1, 1, 0]));
    assert_eq!((solo.hear(ms(10), &advert(7, 200)), received(&solo)), (vec![], [1, 1, 1]));
    assert_eq!(reason(&solo.hear(ms(10), &to_us(STRANGER, 64))), Some(Discard::ByUnicast));

    // So they do for what is refused.
    let two_seconds = AdvertInterval::from_secs(2).unwrap();
    for (destination, ttl, id) in [(OWN, 64, one), (OTHER, 64, two), (GROUP.into(), 255, group)] {
        let out = solo.hear(ms(15), &advert_to(PEER, (destination, destination), ttl, two_seconds));
        let [Output::Rejected { router, .. }] = out[..] else { panic!("{out:?}") };
        assert_eq!((router, matches!(reason(&out), Some(Discard::Interval { .. }))), (Some(id), true), "{destination}");
    }

    // An address of this host that is neither's: some router of this peer says what it thinks of it.
    assert_eq!((solo.hear(ms(20), &to(STRANGER)), received(&solo).iter().sum()), (vec![], 4));
}

/// Without a peer there is nobody to hear: it would be Master beside every other.
#[test]
fn a_list_of_peers_keeps_its_order_and_says_what_is_wrong_with_another() {
    let peers = [Peer::new(PEER), Peer::new(OTHER)];
    assert_eq!(Peers::new(peers).unwrap().as_slice(), peers);
    let refused = |address| std::format!("{}", Peers::new([Peer::new(PEER), Peer::new(address)]).unwrap_err());
    assert_eq!(refused(PEER), "the peer 10.0.0.6 is listed twice");
    assert_eq!(refused(GROUP.into()), "224.0.0.18 cannot be a peer: it is not a host's address");
}

#[test]
fn without_peers_it_is_in_fault() {
    let solo = backup(of_peers(&[], params(255)));
    assert_eq!((solo.role(), solo.node.faults(solo.id)), (Role::Initialize, Faults::NO_PEER));
    assert_eq!(solo.node.unmet(solo.id).collect::<Vec<_>>(), [Unmet::Fault(Faults::NO_PEER)]);
    assert_eq!(solo.node.recipients(solo.id), 0);
}
