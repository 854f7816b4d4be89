//! Frames between two network namespaces.

use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::process::wait_readable;
use crate::sieve::{Layout, Sieve};
use crate::socket::Batch;
use crate::testing::{Cable, have_root, ip, wait_for};

const ETHERTYPE_LOCAL: u16 = 0x88b5;

fn frame(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([0x02, 0, 0, 0, 0, 1]);
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A cable, a mouth at its near end, and an ear at its far end.
fn wired() -> (Cable, PacketSocket, PacketSocket) {
    let cable = Cable::new();
    let (near, far) = (&cable.near, &cable.far);
    let ear = far.namespace.run(|| PacketSocket::listen(far.index, ETHERTYPE_LOCAL)).unwrap().unwrap();
    let mouth = near.namespace.run(PacketSocket::open).unwrap().unwrap();
    (cable, mouth, ear)
}

#[test]
fn a_frame_arrives_octet_for_octet_and_only_of_the_ethertype_asked_for() {
    if !have_root() {
        return;
    }
    let (cable, mouth, ear) = wired();
    let near = &cable.near;
    let mut buffer = [0; 128];
    assert_eq!(ear.receive(&mut buffer).unwrap(), None);

    let sent = frame(ETHERTYPE_LOCAL, &[7; 46]);
    mouth.send(near.index, &frame(0x88b6, &[1; 46])).unwrap();
    mouth.send(near.index, &sent).unwrap();
    assert!(wait_readable(&ear, Some(Duration::from_secs(10))).unwrap());
    assert_eq!(ear.receive(&mut buffer).unwrap(), Some(60));
    assert_eq!(buffer[..60], sent);
    assert_eq!(ear.receive(&mut buffer).unwrap(), None);

    mouth.send(near.index, &sent).unwrap();
    assert!(wait_readable(&ear, Some(Duration::from_secs(10))).unwrap());
    assert_eq!(ear.receive(&mut buffer[..20]).unwrap(), Some(20));
}

#[test]
fn of_many_frames_each_is_sent_or_refused_on_its_own() {
    if !have_root() {
        return;
    }
    let (cable, mouth, ear) = wired();
    let near = &cable.near;
    let frames: Vec<_> = (0..200).map(|number| frame(ETHERTYPE_LOCAL, &[number; 46])).collect();
    let mut many: Vec<_> = frames.iter().map(|frame| (near.index, frame.as_slice())).collect();
    many.insert(0, (near.index, &[0; 13]));
    many.insert(7, (999, &frames[0]));
    many.insert(150, (near.index, &[0; 13]));
    many.push((999, &frames[0]));
    let refused: Vec<_> =
        mouth.send_many(&many).iter().enumerate().filter(|(_, one)| one.is_err()).map(|(at, _)| at).collect();
    assert_eq!(refused, [0, 7, 150, 203]);
    let mut buffer = [0; 128];
    for sent in &frames {
        assert!(wait_readable(&ear, Some(Duration::from_secs(10))).unwrap());
        assert_eq!(ear.receive(&mut buffer).unwrap(), Some(60));
        assert_eq!(buffer[..60], sent[..]);
    }
    assert!(mouth.send_many(&[]).is_empty());
}

#[test]
fn refusals_name_the_interface() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (mouth, ear) = cable.near.namespace.run(|| (PacketSocket::open(), PacketSocket::listen(999, 3))).unwrap();
    let mouth = mouth.unwrap();
    assert_eq!(ear.unwrap_err().errno(), Some(libc::ENODEV));
    let error = mouth.send(999, &frame(ETHERTYPE_LOCAL, &[])).unwrap_err();
    assert!(error.to_string().starts_with("cannot send a frame on interface 999: "), "{error}");
    let error = mouth.send(cable.near.index, &[0; 13]).unwrap_err();
    assert!(error.to_string().ends_with("shorter than an Ethernet header"), "{error}");
    ip(&cable.near.namespace, "link set eth0 down");
    assert_eq!(mouth.send(cable.near.index, &frame(ETHERTYPE_LOCAL, &[])).unwrap_err().errno(), Some(libc::ENETDOWN));
}

#[test]
fn a_listener_recovers_from_a_link_that_went_down() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let far = &cable.far;
    let ear = far.namespace.run(|| PacketSocket::listen(far.index, ETHERTYPE_LOCAL)).unwrap().unwrap();
    ip(&far.namespace, "link set eth0 down");
    let mut buffer = [0; 64];
    assert_eq!(ear.receive(&mut buffer).unwrap_err().errno(), Some(libc::ENETDOWN));
    assert_eq!(ear.receive(&mut buffer).unwrap(), None);
}

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const ARP: u16 = 0x0806;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// An ARP packet of this operation.
fn arp(operation: u8, sender: u8, target: u8) -> Vec<u8> {
    let mut payload = vec![0, 1, 8, 0, 6, 4, 0, operation];
    payload.extend(MAC);
    payload.extend([192, 0, 2, sender, 0, 0, 0, 0, 0, 0, 192, 0, 2, target]);
    frame(ARP, &payload)
}

/// An IPv6 packet with this next header, whose payload begins with `first`.
fn ipv6(next_header: u8, first: u8) -> Vec<u8> {
    let mut payload = vec![0x60, 0, 0, 0, 0, 8, next_header, 255];
    payload.extend([0; 32]);
    payload.extend([first, 0, 0, 0, 0, 0, 0, 0]);
    frame(IPV6, &payload)
}

/// An IPv4 packet of this protocol.
fn ipv4(protocol: u8) -> Vec<u8> {
    let mut payload = vec![0x45, 0, 0, 20, 0, 0, 0, 0, 255, protocol];
    payload.extend([0; 10]);
    frame(IPV4, &payload)
}

fn to(mut frame: Vec<u8>, mac: [u8; 6]) -> Vec<u8> {
    frame[..6].copy_from_slice(&mac);
    frame
}

/// What of `frames` passes, sent one by one and each waited for by a last one that passes.
fn passed(filter: &Filter, ethertype: u16, frames: &[Vec<u8>], last: &[u8]) -> Vec<Vec<u8>> {
    let cable = Cable::new();
    let (near, far) = (&cable.near, &cable.far);
    let ear = far.namespace.run(|| PacketSocket::listen_to(far.index, ethertype, filter)).unwrap().unwrap();
    let mouth = near.namespace.run(PacketSocket::open).unwrap().unwrap();
    // Sent by the host that listens: never heard.
    let own = far.namespace.run(PacketSocket::open).unwrap().unwrap();
    own.send(far.index, last).unwrap();
    for frame in frames.iter().map(Vec::as_slice).chain([last]) {
        mouth.send(near.index, frame).unwrap();
    }
    let mut heard = Vec::new();
    let mut buffer = [0; 128];
    while heard.last().is_none_or(|heard: &Vec<u8>| heard != last) {
        assert!(wait_readable(&ear, Some(Duration::from_secs(10))).unwrap(), "the last one passes");
        let len = ear.receive(&mut buffer).unwrap().unwrap();
        heard.push(buffer[..len].to_vec());
    }
    assert_eq!(ear.receive(&mut buffer).unwrap(), None);
    heard
}

#[test]
fn only_announcements_pass_where_only_they_are_asked_for() {
    if !have_root() {
        return;
    }
    let other_host = to(arp(1, 9, 9), [2, 0, 0, 0, 0, 7]);
    let mut other_kind = arp(1, 9, 9);
    other_kind[15] = 6;
    let frames = [arp(1, 7, 8), arp(2, 7, 7), arp(1, 8, 8)[..40].to_vec(), frame(ARP, &[0, 1]), other_kind, other_host];
    let heard = passed(&Filter::accepting(&[Accept::GratuitousArp]), ARP, &frames, &arp(1, 9, 9));
    assert_eq!(heard, [arp(2, 7, 7), arp(1, 9, 9)]);
}

#[test]
fn every_arp_packet_passes_where_all_are_asked_for() {
    if !have_root() {
        return;
    }
    let frames = [arp(1, 7, 8), frame(ARP, &[0; 28]), arp(2, 8, 7)];
    let heard = passed(&Filter::accepting(&[Accept::Arp]), ARP, &frames, &arp(1, 9, 9));
    assert_eq!(heard, [arp(1, 7, 8), arp(2, 8, 7), arp(1, 9, 9)]);
}

#[test]
fn each_kind_passes_beside_the_others() {
    if !have_root() {
        return;
    }
    let kinds = Filter::accepting(&[Accept::NeighbourAdvertisement, Accept::Ipv6(112), Accept::Ipv4(112)]);
    // An echo request, a solicitation, UDP; then what passes.
    let frames = [ipv6(58, 128), ipv6(58, 135), ipv6(17, 136), ipv6(112, 0x31), ipv6(58, 136)[..54].to_vec()];
    let heard = passed(&kinds, IPV6, &frames, &ipv6(58, 136));
    assert_eq!(heard, [ipv6(112, 0x31), ipv6(58, 136)]);
    let heard = passed(&kinds, IPV4, &[ipv4(17), ipv4(58)], &ipv4(112));
    assert_eq!(heard, [ipv4(112)]);
}

/// A neighbour advertisement about 2001:db8::`last`, with these flags.
fn neighbour(flags: u8, last: u8) -> Vec<u8> {
    let mut frame = ipv6(58, 136);
    frame[58] = flags;
    frame.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    frame
}

#[test]
fn what_is_said_of_other_addresses_or_asked_about_these_does_not_pass() {
    if !have_root() {
        return;
    }
    let v4 = [7, 8, 20, 9].map(|last| IpAddr::from([192, 0, 2, last]));
    let v6 = [7, 9].map(|last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]));
    let filter = Filter::claims(&[&v4[..], &v6[..]].concat());
    // A probe asks about one of them and claims none.
    let mut probe = arp(1, 0, 9);
    probe[28..32].fill(0);
    let frames = [arp(1, 6, 7), arp(1, 10, 10), arp(2, 7, 30), arp(1, 21, 20), arp(1, 20, 30), probe];
    let heard = passed(&filter, ARP, &frames, &arp(1, 9, 9));
    assert_eq!(heard, [arp(2, 7, 30), arp(1, 20, 30), arp(1, 9, 9)]);

    let frames = [neighbour(0x60, 7), neighbour(0x20, 8), neighbour(0xa0, 7), ipv6(58, 135), neighbour(0, 10)];
    let heard = passed(&filter, IPV6, &frames, &neighbour(0x20, 9));
    assert_eq!(heard, [neighbour(0xa0, 7), neighbour(0x20, 9)]);
}

/// The kernel takes the longest program, and a check that fails jumps over all of its ranges.
#[test]
fn claims_of_a_crowd_of_addresses_pass() {
    if !have_root() {
        return;
    }
    let v4 = (0..200u8).map(|i| IpAddr::from([192, 0, i, 9]));
    let v6 = (0..200).map(|i| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, i, 9]));
    let filter = Filter::claims(&v4.chain(v6).collect::<Vec<_>>());
    let of_another_kind = frame(IPV6, &arp(1, 9, 9)[14..]);
    let heard = passed(&filter, IPV6, &[of_another_kind, ipv6(58, 135)], &neighbour(0x20, 9));
    assert_eq!(heard, [neighbour(0x20, 9)]);
    let mut foreign = arp(1, 9, 9);
    foreign[28] = 193;
    assert_eq!(passed(&filter, ARP, &[foreign], &arp(1, 9, 3)), [arp(1, 9, 3)]);
}

#[test]
fn a_filter_of_nothing_lets_nothing_pass() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (near, far) = (&cable.near, &cable.far);
    let listen = || {
        [&Filter::accepting(&[]), &Filter::claims(&[])]
            .map(|deaf| PacketSocket::listen_to(far.index, ARP, deaf).unwrap())
    };
    let deaf = far.namespace.run(listen).unwrap();
    let ear = far.namespace.run(|| PacketSocket::listen(far.index, ARP)).unwrap().unwrap();
    let mouth = near.namespace.run(PacketSocket::open).unwrap().unwrap();
    mouth.send(near.index, &arp(1, 9, 9)).unwrap();
    assert!(wait_readable(&ear, Some(Duration::from_secs(10))).unwrap());
    for deaf in deaf {
        assert_eq!(deaf.receive(&mut [0; 128]).unwrap(), None);
    }
}

/// To those who listen to the interface below, the kernel shows also what is for another one on top of it.
#[test]
fn what_is_for_an_interface_on_top_is_not_heard_below() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (near, far) = (&cable.near, &cable.far);
    let mac = [2, 0, 0, 0, 0, 0x77];
    ip(&far.namespace, "link add upper link eth0 address 02:00:00:00:00:77 type macvlan mode private");
    ip(&far.namespace, "link set upper up");
    wait_for("the interface on top", || ip(&far.namespace, "link show dev upper").contains("state UP"));
    let open = || {
        let sieve = Sieve::new(Layout::AnyIpv4(112), 0, 0..=255);
        let upper = nix::net::if_::if_nametoindex("upper").unwrap();
        let announcements = Filter::accepting(&[Accept::GratuitousArp]);
        (
            PacketSocket::listen_to(far.index, ARP, &announcements).unwrap(),
            DatagramEar::open(far.index, IPV4, &sieve).unwrap(),
            PacketSocket::listen_to(upper, ARP, &announcements).unwrap(),
        )
    };
    let (below, datagrams, above) = far.namespace.run(open).unwrap();
    let mouth = near.namespace.run(PacketSocket::open).unwrap().unwrap();
    let datagram = |last: u8| [ipv4(112), vec![last]].concat();
    for frame in [to(arp(1, 7, 7), mac), to(datagram(7), mac), arp(1, 9, 9), datagram(9)] {
        mouth.send(near.index, &frame).unwrap();
    }
    let mut buffer = [0; 128];
    assert!(wait_readable(&above, Some(Duration::from_secs(10))).unwrap());
    let len = above.receive(&mut buffer).unwrap().unwrap();
    assert_eq!(buffer[..len], to(arp(1, 7, 7), mac), "it is for the interface on top");
    assert!(wait_readable(&below, Some(Duration::from_secs(10))).unwrap());
    let len = below.receive(&mut buffer).unwrap().unwrap();
    assert_eq!(buffer[..len], arp(1, 9, 9));
    assert!(wait_readable(&datagrams, Some(Duration::from_secs(10))).unwrap());
    let mut batch = Batch::new(8, 128);
    assert_eq!(datagrams.receive(&mut batch).unwrap(), 1);
    assert_eq!(batch.iter().next().map(|datagram| datagram.bytes[20]), Some(9));
}
