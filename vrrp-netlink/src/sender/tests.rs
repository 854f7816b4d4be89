//! What arrives of datagrams that go out by no socket of their interface.

use std::time::Duration;

use super::*;
use crate::process::wait_readable;
use crate::socket::{Batch, Envelope, VrrpSocket};
use crate::socket6::VrrpSocket6;
use crate::testing::{Cable, have_root, ip};

const LONG_ENOUGH: Option<Duration> = Some(Duration::from_secs(10));

fn heard(socket: &impl std::os::fd::AsFd, receive: impl Fn(&mut Batch) -> Result<usize>) -> Batch {
    assert!(wait_readable(socket, LONG_ENOUGH).unwrap(), "nothing arrived");
    let mut batch = Batch::new(4, 256);
    assert_eq!(receive(&mut batch).unwrap(), 1);
    batch
}

#[test]
fn what_is_sent_by_a_number_arrives_as_it_was_meant() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    // Somewhere else to go wrong, and no route to a group.
    ip(&cable.near.namespace, "link add other0 type veth peer name other1");
    ip(&cable.near.namespace, "link set other0 up");
    ip(&cable.near.namespace, "address add fe80::1/64 dev eth0 nodad");
    ip(&cable.far.namespace, "address add fe80::2/64 dev eth0 nodad");
    let sender = cable.near.namespace.run(Sender::open).unwrap().unwrap();
    let (group, index) = (Ipv4Addr::new(224, 0, 0, 18), cable.near.index);
    let far = cable.far.namespace.run(|| VrrpSocket::open("eth0", cable.far.index, 112)).unwrap().unwrap();
    far.join(group).unwrap();
    for (destination, ttl) in [(group, 255), (Ipv4Addr::new(192, 0, 2, 2), 3)] {
        // A source that is not this host's.
        let ends = (IpAddr::from([192, 0, 2, 77]), destination.into());
        sender.send(index, ends, 112, ttl, b"release").unwrap();
        let batch = heard(&far, |batch| far.receive(batch));
        let octets = batch.iter().next().unwrap().bytes.to_vec();
        assert_eq!((&octets[20..], octets[8], octets[1]), (&b"release"[..], ttl, TOS));
        assert_eq!((&octets[12..16], &octets[16..20]), (&[192, 0, 2, 77][..], &destination.octets()[..]));
        sender.send_datagram(index, destination, &octets).unwrap();
        let again = heard(&far, |batch| far.receive(batch));
        assert_eq!(again.iter().next().unwrap().bytes[20..], octets[20..]);
    }

    let group: Ipv6Addr = "ff02::12".parse().unwrap();
    let far = cable.far.namespace.run(|| VrrpSocket6::open("eth0", cable.far.index, 112)).unwrap().unwrap();
    far.join(group).unwrap();
    let (source, peer): (Ipv6Addr, Ipv6Addr) = ("fe80::77".parse().unwrap(), "fe80::2".parse().unwrap());
    for destination in [group, peer] {
        sender.send(index, (source.into(), destination.into()), 112, 255, b"release").unwrap();
        let batch = heard(&far, |batch| far.receive(batch));
        let datagram = batch.iter().next().unwrap();
        assert_eq!(datagram.bytes, b"release");
        assert_eq!(datagram.envelope, Some(Envelope { source, destination, hop_limit: 255 }));
    }

    let nowhere = sender.send(999, (source.into(), group.into()), 112, 255, b"x").unwrap_err();
    assert_eq!(nowhere.errno(), Some(libc::ENODEV));
    assert!(sender.send(index, (source.into(), [224, 0, 0, 18].into()), 112, 255, b"x").is_err());
}
