//! Raw IPv4 sockets between two network namespaces.

use std::time::{Duration, Instant};

use super::*;
use crate::process::wait_readable;
use crate::testing::{Cable, Host, have_root, ip, wait_for};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const NEAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const PROTOCOL: u8 = 112;
const SEND: Ipv4Send = Ipv4Send { source: NEAR, destination: GROUP, protocol: PROTOCOL, ttl: 255 };
const LONG_ENOUGH: Option<Duration> = Some(Duration::from_secs(10));

fn open(host: &Host) -> VrrpSocket {
    host.namespace.run(|| VrrpSocket::open("eth0", host.index, PROTOCOL)).unwrap().unwrap()
}

fn pair(cable: &Cable) -> (VrrpSocket, VrrpSocket) {
    let (near, far) = (open(&cable.near), open(&cable.far));
    near.join(GROUP).unwrap();
    far.join(GROUP).unwrap();
    (near, far)
}

fn receive_one(socket: &VrrpSocket, batch: &mut Batch) {
    assert!(wait_readable(socket, LONG_ENOUGH).unwrap(), "nothing arrived");
    assert_eq!(socket.receive(batch).unwrap(), 1);
}

#[test]
fn multicast_arrives_as_sent_and_is_not_looped_back() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (near, far) = pair(&cable);
    let mut batch = Batch::new(4, 256);
    assert_eq!(far.receive(&mut batch).unwrap(), 0);
    assert!(batch.is_empty());

    near.send(&SEND, b"advertise").unwrap();
    receive_one(&far, &mut batch);
    let datagram = batch.iter().next().unwrap();
    assert_eq!(&datagram.bytes[20..], b"advertise");
    assert_eq!(datagram.bytes[0], 0x45);
    assert_eq!(datagram.bytes[1], 0xc0);
    assert_eq!(datagram.bytes[2..4], 29u16.to_be_bytes());
    assert_eq!(datagram.bytes[8..10], [255, 112]);
    assert_eq!(datagram.bytes[12..16], NEAR.octets());
    assert_eq!(datagram.bytes[16..20], GROUP.octets());
    assert_eq!(datagram.envelope, None);
    assert!(datagram.age < Duration::from_secs(10));
    assert!(!datagram.truncated);
    assert_eq!(batch.lost(), 0);

    // What the far side has received, the near side would have been given before.
    assert_eq!(near.receive(&mut batch).unwrap(), 0);
    assert_eq!(batch.iter().count(), 0);
}

#[test]
fn a_source_that_no_host_has_is_sent_as_given() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (near, far) = pair(&cable);
    let mut batch = Batch::new(4, 256);
    let foreign = Ipv4Addr::new(192, 0, 2, 77);
    near.send(&Ipv4Send { source: foreign, ttl: 7, ..SEND }, &[]).unwrap();
    receive_one(&far, &mut batch);
    let datagram = batch.iter().next().unwrap();
    assert_eq!(datagram.bytes.len(), 20);
    assert_eq!(datagram.bytes[8], 7);
    assert_eq!(datagram.bytes[12..16], foreign.octets());
}

#[test]
fn unicast_arrives_too() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (near, far) = (open(&cable.near), open(&cable.far));
    let mut batch = Batch::new(4, 256);
    near.send(&Ipv4Send { destination: Ipv4Addr::new(192, 0, 2, 2), ..SEND }, b"to you").unwrap();
    receive_one(&far, &mut batch);
    assert_eq!(&batch.iter().next().unwrap().bytes[20..], b"to you");
}

/// Authentication headers (RFC 4302) are a protocol of their own, and the kernel has its own use for it.
#[test]
fn another_protocol_number_has_its_own_socket() {
    const AUTHENTICATION_HEADER: u8 = 51;

    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let open = |host: &Host| {
        host.namespace.run(|| VrrpSocket::open("eth0", host.index, AUTHENTICATION_HEADER)).unwrap().unwrap()
    };
    let (near, far) = (open(&cable.near), open(&cable.far));
    far.join(GROUP).unwrap();
    near.send(&SEND, b"plain").unwrap();
    near.send(&Ipv4Send { protocol: AUTHENTICATION_HEADER, ..SEND }, b"signed").unwrap();
    let mut batch = Batch::new(4, 256);
    receive_one(&far, &mut batch);
    let datagram = batch.iter().next().unwrap();
    assert_eq!((datagram.bytes[9], &datagram.bytes[20..]), (AUTHENTICATION_HEADER, &b"signed"[..]));

    let mut whole = Ipv4Send { protocol: AUTHENTICATION_HEADER, ttl: 9, ..SEND }.header().to_vec();
    whole[4..6].copy_from_slice(&[7, 8]);
    whole.extend(b"covered");
    near.send_datagram(GROUP, &whole).unwrap();
    receive_one(&far, &mut batch);
    let datagram = batch.iter().next().unwrap();
    assert_eq!(datagram.bytes[4..6], [7, 8], "a signature covers the identification");
    assert_eq!((datagram.bytes[8], &datagram.bytes[20..]), (9, &b"covered"[..]));
}

#[test]
fn groups_that_were_not_joined_and_other_protocols_stay_out() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (near, far) = (open(&cable.near), open(&cable.far));
    far.join(GROUP).unwrap();
    // A second listener makes the host a member of the other group.
    let other = open(&cable.far);
    let elsewhere = Ipv4Addr::new(224, 0, 0, 99);
    other.join(elsewhere).unwrap();

    near.send(&Ipv4Send { destination: elsewhere, ..SEND }, b"elsewhere").unwrap();
    near.send(&Ipv4Send { protocol: 111, ..SEND }, b"protocol").unwrap();
    near.send(&SEND, b"here").unwrap();
    let mut batch = Batch::new(4, 256);
    receive_one(&far, &mut batch);
    assert_eq!(&batch.iter().next().unwrap().bytes[20..], b"here");
    receive_one(&other, &mut batch);
    assert_eq!(&batch.iter().next().unwrap().bytes[20..], b"elsewhere");
}

#[test]
fn three_hundred_datagrams_wait_without_loss_and_come_in_order() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (near, far) = pair(&cable);
    for number in 0..300u16 {
        near.send(&SEND, &number.to_be_bytes()).unwrap();
    }
    let mut batch = Batch::new(64, 128);
    let mut numbers = Vec::new();
    wait_for("the last datagram", || {
        far.receive(&mut batch).unwrap();
        numbers.extend(batch.iter().map(|datagram| u16::from_be_bytes([datagram.bytes[20], datagram.bytes[21]])));
        numbers.len() >= 300
    });
    assert!(numbers.into_iter().eq(0..300));
    assert_eq!(batch.lost(), 0);
    assert!(far.receive_buffer().unwrap() >= RECEIVE_BUFFER);
}

#[test]
fn losses_of_a_full_buffer_are_counted() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (near, far) = pair(&cable);
    far.socket.set_recv_buffer_size(4096).unwrap();
    for _ in 0..100 {
        near.send(&SEND, &[0; 64]).unwrap();
    }
    let mut batch = Batch::new(128, 128);
    assert!(wait_readable(&far, LONG_ENOUGH).unwrap());
    let kept = far.receive(&mut batch).unwrap();
    assert!(kept < 100, "nothing was lost");
    // The count comes with a datagram queued after the losses.
    near.send(&SEND, &[0; 64]).unwrap();
    receive_one(&far, &mut batch);
    assert_eq!(usize::try_from(batch.lost()).unwrap(), 100 - kept);
}

#[test]
fn age_counts_from_the_kernels_receipt() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (near, far) = pair(&cable);
    let mut batch = Batch::new(1, 128);
    let held = Duration::from_millis(5);
    // The kernel starts to stamp datagrams a moment after it was asked to; until then it stamps them when they are read.
    wait_for("an age of the time that the datagram was held", || {
        near.send(&SEND, b"x").unwrap();
        assert!(wait_readable(&far, LONG_ENOUGH).unwrap());
        let start = Instant::now();
        while start.elapsed() < held {
            std::thread::yield_now();
        }
        assert_eq!(far.receive(&mut batch).unwrap(), 1);
        batch.iter().next().unwrap().age >= held
    });
}

#[test]
fn a_datagram_longer_than_the_room_is_marked() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (near, far) = pair(&cable);
    let mut batch = Batch::new(4, 24);
    near.send(&SEND, b"12345678").unwrap();
    receive_one(&far, &mut batch);
    let datagram = batch.iter().next().unwrap();
    assert!(datagram.truncated);
    assert_eq!(&datagram.bytes[20..], b"1234");

    near.send(&SEND, b"1234").unwrap();
    receive_one(&far, &mut batch);
    assert!(!batch.iter().next().unwrap().truncated);
}

#[test]
fn joining_twice_is_joining_once() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let socket = open(&cable.far);
    socket.join(GROUP).unwrap();
    socket.join(GROUP).unwrap();
    assert!(ip(&cable.far.namespace, "maddress show dev eth0").contains("224.0.0.18"));
    let error = socket.join(NEAR).unwrap_err();
    assert_eq!((error.operation(), error.interface()), ("join a multicast group", Some("eth0")));
}

#[test]
fn an_interface_that_does_not_exist_is_named() {
    if !have_root() {
        return;
    }
    let error = VrrpSocket::open("absent0", 1, PROTOCOL).unwrap_err();
    assert_eq!(error.errno(), Some(libc::ENODEV));
    assert!(error.to_string().starts_with("cannot bind a raw socket on absent0: No such device"), "{error}");

    let cable = Cable::new();
    let error =
        cable.near.namespace.run(|| VrrpSocket::open("eth0", cable.near.index + 1, PROTOCOL)).unwrap().unwrap_err();
    assert!(error.to_string().starts_with("cannot choose the interface of multicast on eth0: "), "{error}");
    let error = cable.near.namespace.run(|| VrrpSocket::open("eth0", u32::MAX, PROTOCOL)).unwrap().unwrap_err();
    assert_eq!(error.errno(), Some(libc::ENODEV));
}

#[test]
fn a_payload_beyond_the_mtu_and_a_link_that_is_down_are_errors() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let near = open(&cable.near);
    assert_eq!(near.send(&SEND, &[0; 1481]).unwrap_err().errno(), Some(libc::EMSGSIZE));
    assert_eq!((near.interface(), near.index()), ("eth0", cable.near.index));
    ip(&cable.near.namespace, "link set eth0 down");
    let error = near.send(&SEND, b"x").unwrap_err();
    assert_eq!(error.interface(), Some("eth0"));
}

#[test]
fn a_socket_of_no_interface_hears_what_is_sent_to_the_host_and_takes_the_route() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let near = cable.near.namespace.run(|| VrrpSocket::open_anywhere(PROTOCOL)).unwrap().unwrap();
    let far = open(&cable.far);
    // Somebody else's membership brings it nothing.
    let member = open(&cable.near);
    member.join(GROUP).unwrap();
    let mut batch = Batch::new(4, 256);
    let back = Ipv4Send { source: Ipv4Addr::new(192, 0, 2, 2), ttl: 64, ..SEND };
    far.send(&back, b"to all").unwrap();
    receive_one(&member, &mut batch);
    far.send(&Ipv4Send { destination: NEAR, ..back }, b"to one").unwrap();
    receive_one(&near, &mut batch);
    assert_eq!(&batch.iter().next().unwrap().bytes[20..], b"to one");

    near.send(&Ipv4Send { destination: back.source, ..SEND }, b"answer").unwrap();
    receive_one(&far, &mut batch);
    assert_eq!(&batch.iter().next().unwrap().bytes[20..], b"answer");
    let error = near.send(&Ipv4Send { destination: Ipv4Addr::new(203, 0, 113, 1), ..SEND }, b"lost").unwrap_err();
    assert_eq!(error.errno(), Some(libc::ENETUNREACH));
    assert_eq!((near.interface(), near.index()), ("any interface", 0));
}
