//! Several sockets, and messages that are refused between others that are not.

use std::time::Duration;

use super::*;
use crate::packet::PacketSocket;
use crate::process::wait_readable;
use crate::socket::{Batch, VrrpSocket};
use crate::socket6::VrrpSocket6;
use crate::testing::{Cable, Host, have_root, ip, wait_for};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const HEADER: Ipv4Send = Ipv4Send { source: Ipv4Addr::new(192, 0, 2, 1), destination: GROUP, protocol: 112, ttl: 255 };

fn open(host: &Host) -> VrrpSocket {
    host.namespace.run(|| VrrpSocket::open("eth0", host.index, 112)).unwrap().unwrap()
}

/// The first octet of each payload, until so many have come.
fn heard(socket: &VrrpSocket, count: usize) -> Vec<u8> {
    let (mut batch, mut heard) = (Batch::new(64, 128), Vec::new());
    while heard.len() < count {
        assert!(wait_readable(socket, Some(Duration::from_secs(10))).unwrap(), "{} of {count}", heard.len());
        socket.receive(&mut batch).unwrap();
        heard.extend(batch.iter().map(|datagram| datagram.bytes[20]));
    }
    heard
}

#[test]
fn everything_goes_out_in_order_through_several_portions() {
    if !have_root() {
        return;
    }
    let (one, other) = (Cable::new(), Cable::new());
    let sockets = [open(&one.near), open(&other.near)];
    let far = [open(&one.far), open(&other.far)];
    for far in &far {
        far.join(GROUP).unwrap();
    }
    let mut outbox = Outbox::new(200, 21);
    for number in 0..200_u8 {
        assert!(outbox.has_room(21));
        outbox.put_v4(usize::from(number) % 2, &HEADER, &[number]).unwrap();
    }
    assert!(!outbox.has_room(21) && outbox.len() == 200);
    outbox.send(|place| sockets.get(place), |_, error| panic!("{error}"));
    assert!(outbox.is_empty() && outbox.has_room(21));
    for (place, far) in far.iter().enumerate() {
        let expected: Vec<u8> = (0..200).filter(|number| usize::from(*number) % 2 == place).collect();
        assert_eq!(heard(far, 100), expected);
    }
}

/// `sendmmsg` ends at the first that fails.
#[test]
fn one_that_is_refused_is_told_of_and_the_others_are_sent() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (near, far) = (open(&cable.near), open(&cable.far));
    far.join(GROUP).unwrap();
    let mut outbox = Outbox::new(8, 2000);
    for number in 0..8_u8 {
        // More than the interface takes at once: at the front, twice in a row, and at the end.
        let len = if [0, 3, 4, 7].contains(&number) { 1481 } else { 1 };
        outbox.put_v4(number, &HEADER, &vec![number; len]).unwrap();
    }
    let mut refused = Vec::new();
    outbox.send(|_| Some(&near), |number, error| refused.push((number, error.errno(), error.operation())));
    let too_long = |number| (number, Some(libc::EMSGSIZE), "send a datagram");
    assert_eq!(refused, [0, 3, 4, 7].map(too_long));
    assert_eq!(heard(&far, 4), [1, 2, 5, 6]);
}

#[test]
fn a_key_without_a_socket_keeps_nobody_else_back() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (near, far) = (open(&cable.near), open(&cable.far));
    far.join(GROUP).unwrap();
    let mut outbox = Outbox::new(2, 21);
    for (here, number) in [(false, 1), (true, 2)] {
        outbox.put_v4(here, &HEADER, &[number]).unwrap();
    }
    outbox.send(|here| here.then_some(&near), |_, error| panic!("{error}"));
    assert_eq!(heard(&far, 1), [2]);
}

#[test]
fn every_kind_of_socket_sends_what_it_would_alone() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    for host in [&cable.near, &cable.far] {
        ip(&host.namespace, "address add fe80::99/64 dev eth0 nodad");
    }
    let source: Ipv6Addr = "fe80::99".parse().unwrap();
    let open_v6 = |host: &Host| host.namespace.run(|| VrrpSocket6::open("eth0", host.index, 112)).unwrap().unwrap();
    let (v4, v6, frames) =
        (open(&cable.near), open_v6(&cable.near), cable.near.namespace.run(PacketSocket::open).unwrap().unwrap());
    let (far4, far6) = (open(&cable.far), open_v6(&cable.far));
    let group6 = "ff02::12".parse().unwrap();
    far4.join(GROUP).unwrap();
    far6.join(group6).unwrap();
    let index = cable.near.index;
    let far_frames = cable.far.namespace.run(|| PacketSocket::listen(cable.far.index, 0x88b5)).unwrap().unwrap();

    let mut outbox = Outbox::new(4, 64);
    let mut frame = [0xff; 60];
    frame[12..14].copy_from_slice(&0x88b5_u16.to_be_bytes());
    outbox.put_frame(2, index, &frame).unwrap();
    outbox.put_v6(1, index, (source, group6), 77, b"six").unwrap();
    let whole = [&HEADER.header()[..], b"whole"].concat();
    outbox.put_datagram(0, GROUP, &whole).unwrap();
    outbox.put_v4(0, &HEADER, b"parts").unwrap();
    let short = outbox.put_frame(2, index, &[0; 13]).unwrap_err();
    assert_eq!(short.to_string(), "cannot send a frame: shorter than an Ethernet header");
    outbox
        .send(|key| Some([v4.as_fd(), v6.as_fd(), frames.as_fd()][key]), |key: usize, error| panic!("{key}: {error}"));

    assert_eq!(heard(&far4, 2), b"wp");
    let mut batch = Batch::new(1, 128);
    assert!(wait_readable(&far6, Some(Duration::from_secs(10))).unwrap());
    far6.receive(&mut batch).unwrap();
    let datagram = batch.iter().next().unwrap();
    let envelope = datagram.envelope.unwrap();
    assert_eq!((datagram.bytes, envelope.source, envelope.hop_limit), (&b"six"[..], source, 77));
    let mut buffer = [0; 128];
    wait_for("the frame", || far_frames.receive(&mut buffer).unwrap() == Some(60));
    assert_eq!(buffer[..60], frame);
}

/// What the kernel's firewall refuses is named so.
#[test]
fn a_firewalls_refusal_is_told_of() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let near = open(&cable.near);
    let rules = "table ip t { chain c { type filter hook output priority 0; ip ttl 7 drop; }; }";
    let mut nft = std::process::Command::new("nft");
    let status = cable.near.namespace.command(&mut nft).unwrap().arg(rules).status();
    if !status.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "needs nft, which CI must give");
        println!("skipped: needs nft");
        return;
    }
    let mut outbox = Outbox::new(3, 21);
    for (number, ttl) in [(0, 255), (1, 7), (2, 255)] {
        outbox.put_v4(number, &Ipv4Send { ttl, ..HEADER }, b"x").unwrap();
    }
    let mut refused = Vec::new();
    outbox.send(|_| Some(&near), |number: u8, error| refused.push((number, error.errno(), error.operation())));
    assert_eq!(refused, [(1, Some(libc::EPERM), "send a datagram (a firewall rule may refuse it)")]);
}
