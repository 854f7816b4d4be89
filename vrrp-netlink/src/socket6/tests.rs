//! Raw IPv6 sockets between two network namespaces.

use std::time::{Duration, Instant};

use super::*;
use crate::process::wait_readable;
use crate::socket::Envelope;
use crate::testing::{Cable, Host, have_root, ip, wait_for};

const GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
const NEAR: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const SECOND: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x11);
const FAR: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const PROTOCOL: u8 = 112;
const LONG_ENOUGH: Option<Duration> = Some(Duration::from_secs(10));

fn open(host: &Host) -> VrrpSocket6 {
    host.namespace.run(|| VrrpSocket6::open("eth0", host.index, PROTOCOL)).unwrap().unwrap()
}

/// A cable with usable link-local addresses on both ends; the near end has two.
fn cable() -> Cable {
    let cable = Cable::new();
    for (host, address) in [(&cable.near, NEAR), (&cable.near, SECOND), (&cable.far, FAR)] {
        ip(&host.namespace, &format!("address add {address}/64 dev eth0 nodad"));
    }
    cable
}

fn pair(cable: &Cable) -> (VrrpSocket6, VrrpSocket6) {
    let (near, far) = (open(&cable.near), open(&cable.far));
    near.join(GROUP).unwrap();
    far.join(GROUP).unwrap();
    (near, far)
}

fn receive_one(socket: &VrrpSocket6, batch: &mut Batch) {
    assert!(wait_readable(socket, LONG_ENOUGH).unwrap(), "nothing arrived");
    assert_eq!(socket.receive(batch).unwrap(), 1);
}

#[test]
fn multicast_arrives_as_sent_with_its_envelope_and_is_not_looped_back() {
    if !have_root() {
        return;
    }
    let cable = cable();
    let (near, far) = pair(&cable);
    let mut batch = Batch::new(4, 256);
    for source in [NEAR, SECOND] {
        near.send(source, GROUP, b"advertise").unwrap();
        receive_one(&far, &mut batch);
        let datagram = batch.iter().next().unwrap();
        // The octets where a checksum would be are ours: the kernel changed nothing.
        assert_eq!(datagram.bytes, b"advertise");
        assert_eq!(datagram.envelope, Some(Envelope { source, destination: GROUP, hop_limit: 255 }));
        assert!(datagram.age < Duration::from_secs(10));
        assert!(!datagram.truncated);
    }
    // What the far side has received, the near side would have been given before.
    assert_eq!(near.receive(&mut batch).unwrap(), 0);
}

#[test]
fn unicast_arrives_with_the_full_hop_limit() {
    if !have_root() {
        return;
    }
    let cable = cable();
    let (near, far) = (open(&cable.near), open(&cable.far));
    let mut batch = Batch::new(4, 256);
    near.send(SECOND, FAR, b"to you").unwrap();
    receive_one(&far, &mut batch);
    let datagram = batch.iter().next().unwrap();
    assert_eq!(datagram.bytes, b"to you");
    assert_eq!(datagram.envelope, Some(Envelope { source: SECOND, destination: FAR, hop_limit: 255 }));
}

#[test]
fn a_smaller_hop_limit_is_seen() {
    if !have_root() {
        return;
    }
    let cable = cable();
    let (near, far) = pair(&cable);
    near.send_with(NEAR, GROUP, 7, b"from afar").unwrap();
    let mut batch = Batch::new(4, 256);
    receive_one(&far, &mut batch);
    assert_eq!(batch.iter().next().unwrap().envelope.unwrap().hop_limit, 7);
}

#[test]
fn every_group_of_the_host_comes_with_its_name() {
    if !have_root() {
        return;
    }
    let cable = cable();
    let (near, far) = (open(&cable.near), open(&cable.far));
    let elsewhere = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x99);
    far.join(GROUP).unwrap();
    // A second listener makes the host a member of the other group.
    let other = open(&cable.far);
    other.join(elsewhere).unwrap();
    near.send(NEAR, elsewhere, b"elsewhere").unwrap();
    near.send(NEAR, GROUP, b"here").unwrap();
    let mut batch = Batch::new(4, 256);
    let mut heard = Vec::new();
    wait_for("both", || {
        far.receive(&mut batch).unwrap();
        heard.extend(batch.iter().map(|one| (one.envelope.unwrap().destination, one.bytes.to_vec())));
        heard.len() >= 2
    });
    assert_eq!(heard, [(elsewhere, b"elsewhere".to_vec()), (GROUP, b"here".to_vec())]);
}

#[test]
fn three_hundred_datagrams_wait_without_loss_and_come_in_order() {
    if !have_root() {
        return;
    }
    let cable = cable();
    let (near, far) = pair(&cable);
    for number in 0..300u16 {
        near.send(NEAR, GROUP, &number.to_be_bytes()).unwrap();
    }
    let mut batch = Batch::new(64, 128);
    let mut numbers = Vec::new();
    wait_for("the last datagram", || {
        far.receive(&mut batch).unwrap();
        numbers.extend(batch.iter().map(|datagram| u16::from_be_bytes([datagram.bytes[0], datagram.bytes[1]])));
        numbers.len() >= 300
    });
    assert!(numbers.into_iter().eq(0..300));
    assert_eq!(batch.lost(), 0);
}

#[test]
fn age_counts_from_the_kernels_receipt() {
    if !have_root() {
        return;
    }
    let cable = cable();
    let (near, far) = pair(&cable);
    let mut batch = Batch::new(1, 128);
    let held = Duration::from_millis(5);
    wait_for("an age of the time that the datagram was held", || {
        near.send(NEAR, GROUP, b"x").unwrap();
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
fn a_source_that_the_interface_lacks_is_refused() {
    if !have_root() {
        return;
    }
    let cable = cable();
    let near = open(&cable.near);
    let error = near.send(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x77), GROUP, b"x").unwrap_err();
    assert_eq!((error.errno(), error.interface()), (Some(libc::EINVAL), Some("eth0")));
    near.send(Ipv6Addr::UNSPECIFIED, GROUP, b"x").unwrap();
}

#[test]
fn a_payload_beyond_the_mtu_arrives_whole() {
    if !have_root() {
        return;
    }
    let cable = cable();
    let (near, far) = pair(&cable);
    near.send(NEAR, GROUP, &[7; 4096]).unwrap();
    let mut batch = Batch::new(2, 5000);
    receive_one(&far, &mut batch);
    assert_eq!(batch.iter().next().unwrap().bytes, [7; 4096]);
}

#[test]
fn joining_twice_is_joining_once() {
    if !have_root() {
        return;
    }
    let cable = cable();
    let socket = open(&cable.far);
    socket.join(GROUP).unwrap();
    socket.join(GROUP).unwrap();
    assert!(ip(&cable.far.namespace, "maddress show dev eth0").contains("ff02::12"));
    let error = socket.join(NEAR).unwrap_err();
    assert_eq!((error.operation(), error.interface()), ("join an IPv6 multicast group", Some("eth0")));
    assert_eq!((socket.interface(), socket.index()), ("eth0", cable.far.index));
}

#[test]
fn an_interface_that_does_not_exist_is_named() {
    if !have_root() {
        return;
    }
    let error = VrrpSocket6::open("absent0", 1, PROTOCOL).unwrap_err();
    assert!(error.to_string().starts_with("cannot bind a raw IPv6 socket on absent0: No such device"), "{error}");
    let cable = Cable::new();
    let error =
        cable.near.namespace.run(|| VrrpSocket6::open("eth0", cable.near.index + 1, PROTOCOL)).unwrap().unwrap_err();
    assert!(error.to_string().starts_with("cannot choose the interface of IPv6 multicast on eth0: "), "{error}");
}

#[test]
fn a_socket_of_no_interface_hears_what_is_sent_to_the_host_and_takes_the_route() {
    if !have_root() {
        return;
    }
    let cable = cable();
    let [one, other]: [Ipv6Addr; 2] = ["2001:db8::1", "2001:db8::2"].map(|text| text.parse().unwrap());
    for (host, address) in [(&cable.near, one), (&cable.far, other)] {
        ip(&host.namespace, &format!("address add {address}/64 dev eth0 nodad"));
    }
    let near = cable.near.namespace.run(|| VrrpSocket6::open_anywhere(PROTOCOL)).unwrap().unwrap();
    let far = open(&cable.far);
    let mut batch = Batch::new(4, 256);
    far.send_with(other, one, 64, b"to one").unwrap();
    receive_one(&near, &mut batch);
    let datagram = batch.iter().next().unwrap();
    let envelope = Envelope { source: other, destination: one, hop_limit: 64 };
    assert_eq!((datagram.bytes, datagram.envelope), (&b"to one"[..], Some(envelope)));

    near.send(one, other, b"answer").unwrap();
    receive_one(&far, &mut batch);
    let datagram = batch.iter().next().unwrap();
    let envelope = Envelope { source: one, destination: other, hop_limit: 255 };
    assert_eq!((datagram.bytes, datagram.envelope), (&b"answer"[..], Some(envelope)));
}
