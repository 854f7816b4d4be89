//! The programs, run by the kernel on the datagrams of local sockets; IPv6's, which needs a header, between two hosts.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::*;
use crate::packet::DatagramEar;
use crate::process::wait_readable;
use crate::socket::{Batch, Ipv4Send, VrrpSocket};
use crate::socket6::VrrpSocket6;
use crate::testing::{Cable, have_root, ip, wait_for};

const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// An IPv4 datagram with so many words of options.
fn datagram(protocol: u8, options: u8, payload: &[u8]) -> Vec<u8> {
    let mut octets = vec![0x45 + options, 0xc0, 0, 0, 0, 0, 0, 0, 255, protocol, 0, 0];
    octets.extend(SOURCE.octets());
    octets.extend([224, 0, 0, 18]);
    octets.extend(vec![0; 4 * usize::from(options)]);
    octets.extend(payload);
    octets
}

/// Which of these pass, by the kernel's own machine; what a local socket gives begins where the program thinks an IP header does.
fn passing(sieve: &Sieve, datagrams: &[Vec<u8>]) -> Vec<usize> {
    let (near, far) = Socket::pair(Domain::UNIX, Type::DGRAM.nonblocking(), None).unwrap();
    far.attach_filter(&sieve.program()).unwrap();
    let passes = |octets: &Vec<u8>| {
        near.send(octets).unwrap();
        let mut buffer = [std::mem::MaybeUninit::uninit(); 256];
        far.recv(&mut buffer).is_ok_and(|len| {
            assert_eq!(len, octets.len());
            true
        })
    };
    datagrams.iter().enumerate().filter(|(_, octets)| passes(octets)).map(|(place, _)| place).collect()
}

fn all_values(payload: impl Fn(u8) -> Vec<u8>) -> Vec<Vec<u8>> {
    (0..=255).map(payload).collect()
}

#[test]
fn each_value_of_the_octet_passes_or_not() {
    let sets: [Vec<u8>; 5] =
        [vec![], vec![50], (1..=255).collect(), (0..=255).step_by(2).collect(), vec![0, 31, 32, 63, 64, 127, 128, 255]];
    let ah = |next: u8, words: u8, value: u8| {
        let mut header = vec![next, words, 0, 0];
        header.extend(vec![0; 4 * usize::from(words) + 4]);
        header.extend([0x21, value, 100]);
        header
    };
    for values in sets {
        let wanted: Vec<usize> = values.iter().copied().map(usize::from).collect();
        let sieve = |layout| Sieve::new(layout, 1, values.iter().copied());
        for options in [0, 1, 10] {
            let plain = all_values(|value| datagram(112, options, &[0x31, value, 100]));
            assert_eq!(passing(&sieve(Layout::Ipv4), &plain), wanted, "{options} words of options");
            let signed = all_values(|value| datagram(51, options, &ah(112, 4, value)));
            assert_eq!(passing(&sieve(Layout::Ipv4Authenticated(112)), &signed), wanted);
        }
        let signed = all_values(|value| datagram(51, 0, &ah(112, 6, value)));
        assert_eq!(passing(&sieve(Layout::Ipv4Authenticated(112)), &signed), wanted);
        let others = all_values(|value| datagram(51, 0, &ah(17, 4, value)));
        assert_eq!(passing(&sieve(Layout::Ipv4Authenticated(112)), &others), [0; 0]);
        let payloads = all_values(|value| vec![0x31, value]);
        assert_eq!(passing(&sieve(Layout::Ipv6Payload), &payloads), wanted);
    }
}

#[test]
fn what_ends_before_the_octet_is_foreign() {
    let every = |layout| Sieve::new(layout, 1, 0..=255);
    let one = NonZeroU32::MIN;
    let ah = |len: usize| datagram(51, 0, &[&[112, 4][..], &[0; 24]].concat()[..len]);
    let cases = [
        (Layout::Ipv4, vec![datagram(112, 0, &[]), datagram(112, 0, &[0x31]), datagram(112, 2, &[0x31])]),
        (Layout::Ipv4Authenticated(112), vec![ah(0), ah(1), ah(2), ah(24), ah(25)]),
        (Layout::Ipv6Payload, vec![vec![0x31], vec![]]),
    ];
    for (layout, short) in cases {
        assert_eq!(passing(&every(layout), &short), [0; 0], "{layout:?}");
        assert_eq!(passing(&every(layout).sampling(one), &short).len(), short.len(), "{layout:?}");
    }
    assert_eq!(passing(&every(Layout::Ipv4Authenticated(112)), &[ah(26)]), [0]);
}

#[test]
fn of_what_is_foreign_a_sample_passes_and_of_the_rest_everything() {
    let sieve = Sieve::new(Layout::Ipv4, 1, [50]).sampling(NonZeroU32::new(5).unwrap());
    let mixed: Vec<_> = (0..8000).map(|i| datagram(112, 0, &[0x31, if i % 2 == 0 { 50 } else { 51 }])).collect();
    let (own, foreign): (Vec<_>, Vec<_>) = passing(&sieve, &mixed).into_iter().partition(|i| i % 2 == 0);
    assert_eq!(own.len(), 4000);
    // 500 expected of 4000, one in 8: six times the deviation on either side.
    assert!((374..=626).contains(&foreign.len()), "{}", foreign.len());
}

/// Of everything that is sent, each of two sockets hears its own part.
#[test]
fn two_sieves_share_what_comes_from_different_senders() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (near, far) = (&cable.near, &cable.far);
    let group = Ipv4Addr::new(224, 0, 0, 18);
    let open = |host: &crate::testing::Host| {
        let socket = host.namespace.run(|| VrrpSocket::open("eth0", host.index, 112)).unwrap().unwrap();
        socket.join(group).unwrap();
        socket
    };
    let (mouth, masters, others) = (open(near), open(far), open(far));
    let known: Vec<IpAddr> = (1..=8).map(|last| Ipv4Addr::new(192, 0, 2, last).into()).collect();
    let sieve = || Sieve::new(Layout::Ipv4, 1, [50]);
    masters.sift(&sieve().from(Senders::Only(&known))).unwrap();
    others.sift(&sieve().from(Senders::Except(&known)).sampling(NonZeroU32::MIN)).unwrap();
    let send = |last: u8, octet: u8| {
        let header = Ipv4Send { source: Ipv4Addr::new(192, 0, 2, last), destination: group, protocol: 112, ttl: 255 };
        mouth.send(&header, &[0x31, octet, last]).unwrap();
    };
    for last in [1, 9, 8, 77] {
        send(last, 50);
        send(last, 51);
    }
    let heard = |socket: &VrrpSocket, count: usize| {
        let (mut batch, mut all) = (Batch::new(8, 64), Vec::new());
        while all.len() < count {
            assert!(wait_readable(socket, Some(Duration::from_secs(10))).unwrap(), "{all:?}");
            socket.receive(&mut batch).unwrap();
            all.extend(batch.iter().map(|datagram| [datagram.bytes[22], datagram.bytes[21]]));
            assert_eq!(batch.lost(), 0, "what is sifted is not lost");
        }
        all
    };
    assert_eq!(heard(&others, 6), [[1, 51], [9, 50], [9, 51], [8, 51], [77, 50], [77, 51]]);
    assert_eq!(heard(&masters, 2), [[1, 50], [8, 50]]);
    for socket in [&masters, &others] {
        assert_eq!(socket.receive(&mut Batch::new(8, 64)).unwrap(), 0);
    }
    masters.sift(&Sieve::nothing(Layout::Ipv4)).unwrap();
    send(1, 50);
    send(77, 50);
    assert_eq!(heard(&others, 1), [[77, 50]]);
    assert_eq!(masters.receive(&mut Batch::new(8, 64)).unwrap(), 0);
}

#[test]
fn in_ipv6_too() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (near, far) = (&cable.near, &cable.far);
    for (host, address) in [(near, "fe80::1/64"), (far, "fe80::2/64")] {
        ip(&host.namespace, &format!("address add {address} dev eth0 nodad"));
    }
    let (source, group) = ("fe80::1".parse::<Ipv6Addr>().unwrap(), "ff02::12".parse().unwrap());
    let open = |host: &crate::testing::Host| {
        let socket = host.namespace.run(|| VrrpSocket6::open("eth0", host.index, 112)).unwrap().unwrap();
        socket.join(group).unwrap();
        socket
    };
    let (mouth, masters, others) = (open(near), open(far), open(far));
    let known = [source.into()];
    let sieve = || Sieve::new(Layout::Ipv6Payload, 1, [50]);
    masters.sift(&sieve().from(Senders::Only(&known))).unwrap();
    others.sift(&sieve().from(Senders::Except(&known)).sampling(NonZeroU32::MIN)).unwrap();
    for octet in [50, 51] {
        mouth.send(source, group, &[0x31, octet, 100, 1, 0, 100, 0, 0]).unwrap();
    }
    let mut batch = Batch::new(8, 64);
    for (socket, octet) in [(&masters, 50), (&others, 51)] {
        assert!(wait_readable(socket, Some(Duration::from_secs(10))).unwrap());
        assert_eq!(socket.receive(&mut batch).unwrap(), 1);
        assert_eq!(batch.iter().next().unwrap().bytes[1], octet);
        assert_eq!(batch.lost(), 0);
    }
}

/// What a firewall drops is heard by nobody but the ear, which is given the same octets.
#[test]
fn an_ear_hears_what_a_firewall_drops() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (near, far) = (&cable.near, &cable.far);
    let group = Ipv4Addr::new(224, 0, 0, 18);
    let open = |host: &crate::testing::Host| {
        let socket = host.namespace.run(|| VrrpSocket::open("eth0", host.index, 112)).unwrap().unwrap();
        socket.join(group).unwrap();
        socket
    };
    let (mouth, socket) = (open(near), open(far));
    let sieve = Sieve::new(Layout::AnyIpv4(112), 1, [50]);
    let ear = far.namespace.run(|| DatagramEar::open(far.index, 0x0800, &sieve)).unwrap().unwrap();
    assert_eq!(ear.index(), far.index);
    let rules = "table ip t { chain c { type filter hook input priority 0; ip protocol 112 drop; }; }";
    let mut nft = std::process::Command::new("nft");
    let status = far.namespace.command(&mut nft).unwrap().arg(rules).status().unwrap();
    assert!(status.success());
    let send = |protocol: u8, payload: &[u8]| {
        let header = Ipv4Send { source: SOURCE, destination: group, protocol, ttl: 255 };
        mouth.send(&header, payload).unwrap();
    };
    send(112, &[0x31, 51, 100]);
    send(112, &[0x31, 50, 100]);
    send(51, &[112, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x21, 50, 100]);
    send(17, &[0x31, 50, 100]);
    let (mut batch, mut heard) = (Batch::new(8, 64), Vec::new());
    wait_for("two datagrams", || {
        ear.receive(&mut batch).unwrap();
        heard.extend(batch.iter().map(|datagram| (datagram.bytes[9], datagram.bytes[datagram.bytes.len() - 2])));
        heard.len() == 2
    });
    assert_eq!(heard, [(112, 50), (51, 50)]);
    assert_eq!(socket.receive(&mut batch).unwrap(), 0);
}
