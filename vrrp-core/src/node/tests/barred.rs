//! Adverts that a firewall of the host keeps from its sockets.

use super::*;
use crate::checksum::Checksum;

/// A datagram as it reaches the interface: its header has a checksum.
fn caught(mut datagram: Vec<u8>) -> Vec<u8> {
    let sum = Checksum::default().with(&datagram[..20]).finish().to_be_bytes();
    datagram[10..12].copy_from_slice(&sum);
    datagram
}

fn bar(solo: &mut Solo, at: Duration, octets: &[u8]) -> Vec<Output> {
    solo.handle(at, Input::Barred { interface: ETH0, octets })
}

fn told(solo: &Solo) -> Output {
    Output::Barred { router: solo.id, source: PEER, destination: GROUP.into() }
}

#[test]
fn a_backup_does_not_take_over_while_it_hears_them() {
    let mut solo = Solo::backup(100);
    let _ = solo.hear(ms(100), &advert(7, 150));
    for second in 1..20 {
        assert_eq!(bar(&mut solo, ms(100 + 1000 * second), &caught(advert(7, 150))), [told(&solo)]);
        assert_eq!(solo.expire(ms(100 + 1000 * second)), []);
    }
    assert_eq!((solo.count(Counter::AdvertsBarred), solo.count(Counter::AdvertsReceived)), (19, 1));
    assert_eq!(solo.node.router(solo.id).unwrap().master(), Some(PEER));
    // The Master_Down_Interval is counted from the last of them.
    let due = solo.node.next_deadline().unwrap();
    assert_eq!(due, ms(19_100 + 3000) + Duration::from_micros(609_375));
    assert_eq!(cause(&solo.expire(due)), Some(Cause::MasterTimeout));
}

#[test]
fn the_last_one_of_a_master_that_stops_counts_too() {
    let mut solo = Solo::backup(100);
    let _ = bar(&mut solo, ms(1000), &caught(advert(7, 150)));
    let _ = bar(&mut solo, ms(2000), &caught(advert(7, 0)));
    assert_eq!(cause(&solo.expire(ms(2610))), Some(Cause::Released));
}

#[test]
fn a_weaker_master_is_replaced_as_ever() {
    let mut solo = Solo::backup(100);
    let due = solo.node.next_deadline().unwrap();
    for at in [1000, 2000, 3000] {
        assert_eq!(bar(&mut solo, ms(at), &caught(advert(7, 50))), [told(&solo)]);
    }
    assert_eq!(solo.node.next_deadline(), Some(due));
    assert_eq!(cause(&solo.expire(due)), Some(Cause::LowerPriorityMaster));
}

#[test]
fn a_master_takes_no_notice_but_tells() {
    for priority in [150, 100, 50, 0] {
        let (mut solo, start, _) = Solo::master(100);
        let before = solo.node.next_deadline();
        let at = start + ms(10);
        assert_eq!(bar(&mut solo, at, &caught(advert(7, priority))), [told(&solo)], "{priority}");
        assert_eq!((solo.role(), solo.node.next_deadline()), (Role::Master, before));
        assert_eq!(solo.count(Counter::AdvertsBarred), 1);
    }
    // Not even one that was silent for so long that it must have been replaced: its own timer tells it so.
    let (mut solo, start, _) = Solo::master(100);
    assert_eq!(bar(&mut solo, start + ms(60_000), &caught(advert(7, 150))), [told(&solo)]);
    assert_eq!(solo.role(), Role::Master);
}

/// Whether it breaks a rung or is nothing at all: no effect and no word, since its copy may have come by the socket.
#[test]
fn the_whole_ladder_is_climbed() {
    let mut solo = Solo::backup(100);
    let before = (solo.node.next_deadline(), *solo.node.counters());
    let good = caught(advert(7, 150));
    let changed = |at: usize, value: u8| {
        let mut octets = good.clone();
        octets[at] = value;
        octets
    };
    let own = {
        let mut octets = good.clone();
        octets[15] = 5;
        caught_again(octets)
    };
    let cases = [
        changed(27, good[27] ^ 1),
        changed(10, good[10] ^ 1),
        caught_again(changed(8, 254)),
        caught_again(changed(9, 17)),
        caught_again(changed(19, 5)),
        caught(advert(8, 150)),
        own,
        good[..good.len() - 1].to_vec(),
        Vec::new(),
        vec![0x60; 39],
    ];
    for octets in cases {
        assert_eq!(bar(&mut solo, ms(1000), &octets), [], "{octets:02x?}");
    }
    let elsewhere = Input::Barred { interface: ETH1, octets: &good };
    assert_eq!(solo.handle(ms(1000), elsewhere), []);
    assert_eq!((solo.node.next_deadline(), *solo.node.counters()), before);
    assert_eq!(solo.count(Counter::AdvertsBarred), 0);

    let mut stopped = Solo::stopped(100);
    assert_eq!(bar(&mut stopped, ms(1000), &good), []);
}

fn caught_again(mut datagram: Vec<u8>) -> Vec<u8> {
    datagram[10..12].fill(0);
    caught(datagram)
}

/// The firewall lets it pass, and the second ear is open all the same.
#[test]
fn a_copy_of_what_came_by_the_socket_is_not_told() {
    let mut solo = Solo::backup(100);
    let _ = solo.hear(ms(1000), &advert(7, 150));
    for at in [990, 1000, 1001, 1250] {
        assert_eq!(bar(&mut solo, ms(at), &caught(advert(7, 150))), []);
    }
    assert_eq!(bar(&mut solo, ms(2000), &caught(advert(7, 150))), [told(&solo)]);
    assert_eq!(solo.count(Counter::AdvertsBarred), 1);
    // What comes by the socket afterwards counts as ever.
    let _ = solo.hear(ms(2000), &advert(7, 150));
    assert_eq!(solo.count(Counter::AdvertsReceived), 2);
}

#[test]
fn in_ipv6_too() {
    let own: IpAddr = "fe80::5".parse().unwrap();
    let (peer, group): (IpAddr, IpAddr) = ("fe80::6".parse().unwrap(), Groups::default().v6.into());
    let addresses = AddressList::new(Box::from(["fe80::100".parse::<IpAddr>().unwrap()])).unwrap();
    let mut setup = setup(ETH0, 7, params(100));
    let repr = AdvertRepr {
        vrid: Vrid::new(7).unwrap(),
        priority: Priority::new(150),
        interval: AdvertInterval::from_centis(100).unwrap(),
        password: None,
        addresses: addresses.as_ref(),
        checksum: ChecksumForm::PseudoHeader,
    };
    let mut buffer = [0; 64];
    let message = repr.emit(peer, group, &mut buffer).unwrap().to_vec();
    setup.config.addresses = addresses.clone();
    let (IpAddr::V6(source), IpAddr::V6(destination)) = (peer, group) else { panic!("of IPv6") };
    let length = u8::try_from(message.len()).unwrap();
    let head = [0x6c, 0, 0, 0, 0, length, 112, 255];
    let datagram = [&head[..], &source.octets(), &destination.octets(), &message, &[0; 3]].concat();

    let mut node = Node::new(Groups::default());
    let id = node.add(setup).unwrap();
    let mut out = Vec::new();
    node.handle(ms(0), Input::Link { interface: ETH0, family: Family::V6, link: Link::Up(own) }, &mut out);
    node.handle(ms(0), Input::Enabled { which: Which::All, enabled: true }, &mut out);
    let due = node.next_deadline().unwrap();
    out.clear();
    node.handle(ms(1000), Input::Barred { interface: ETH0, octets: &datagram }, &mut out);
    assert_eq!(out, [Output::Barred { router: id, source: peer, destination: group }]);
    assert_eq!(node.next_deadline(), Some(due + ms(1000)));
    for broken in [&datagram[..datagram.len() - 4], &[&[0x50], &datagram[1..]].concat()] {
        out.clear();
        node.handle(ms(2000), Input::Barred { interface: ETH0, octets: broken }, &mut out);
        assert_eq!(out, []);
    }
}

/// Signed ones are believed once.
#[cfg(feature = "auth")]
#[test]
fn a_replay_is_not_believed() {
    use crate::auth::ah::AhKey;

    let sign = |priority: u8| {
        let mut setup = setup(ETH0, 7, params(priority));
        setup.config.auth = Auth::Ah(AhKey::new(SimplePassword::new(b"secret").unwrap()));
        setup
    };
    let (mut sender, mut node) = (Node::new(Groups::default()), Node::new(Groups::default()));
    let (from, to) = (sender.add(sign(150)).unwrap(), node.add(sign(100)).unwrap());
    let mut out = Vec::new();
    for (node, own) in [(&mut sender, PEER), (&mut node, OWN)] {
        node.handle(ms(0), Input::WallClock(crate::WallClock::from_unix(Duration::from_secs(1_700_000_000))), &mut out);
        node.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(own) }, &mut out);
        node.handle(ms(0), Input::Enabled { which: Which::All, enabled: true }, &mut out);
    }
    let mut buffer = [0; 128];
    let message = sender.message(from, Advertise::Claim, &mut buffer).unwrap();
    let octets = caught_again(message.octets.to_vec());
    out.clear();
    for at in [1000, 2000, 3000] {
        node.handle(ms(at), Input::Barred { interface: ETH0, octets: &octets }, &mut out);
    }
    assert_eq!(out, [Output::Barred { router: to, source: PEER, destination: GROUP.into() }]);
    let due = node.next_deadline().unwrap();
    assert_eq!(due, ms(1000 + 3000) + Duration::from_micros(609_375));
}

#[test]
fn what_a_predecessor_left_goes_when_a_master_is_heard() {
    let mut solo = Solo::stopped(100);
    let _ = solo.handle(ms(0), Input::Leftover { router: solo.id });
    let _ = solo.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) });
    let _ = solo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
    let out = bar(&mut solo, ms(1000), &caught(advert(7, 150)));
    assert_eq!(wanted(&out), Some(Addresses::Remove));
}

#[test]
fn adverts_are_missed_from_the_start_and_then_after_an_interval_and_a_quarter() {
    let mut solo = Solo::backup(100);
    let missed = |solo: &Solo| solo.node.overdue_from(solo.id);
    assert_eq!(missed(&solo), Some(ms(0)), "it has heard nobody");
    let _ = solo.hear(ms(500), &advert(7, 150));
    assert_eq!(missed(&solo), Some(ms(1750)));
    let _ = bar(&mut solo, ms(2500), &caught(advert(7, 150)));
    assert_eq!(missed(&solo), Some(ms(2500)), "the next may be kept from it as well");
    let _ = solo.hear(ms(3500), &advert(7, 150));
    assert_eq!(missed(&solo), Some(ms(4750)));
    let _ = solo.hear(ms(4500), &advert(7, 0));
    assert_eq!(missed(&solo), Some(ms(4500)), "a successor may be kept from it");
    let due = solo.node.next_deadline().unwrap();
    let _ = solo.expire(due);
    assert_eq!((solo.role(), missed(&solo)), (Role::Master, None));
}
