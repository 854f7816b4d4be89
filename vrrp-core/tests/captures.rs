//! Packets that this project did not make: tcpdump's own test captures, judged by what tcpdump prints for them.

#![allow(clippy::unwrap_used, reason = "a helper of tests: writing to a String does not fail")]

use std::fmt::Write;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use etherparse::{EtherType, Ethernet2Slice, Ipv6Slice};
use pcap_parser::PcapCapture;
use vrrp_core::rx::{Discard, Meta, Received, Rejected};
use vrrp_core::wire::advert::{Advert, ChecksumForm};
use vrrp_core::wire::ipv4::PROTOCOL_VRRP;
use vrrp_core::{AdvertInterval, Family, Priority, Version};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
/// Octets of the link-layer header in the frame-relay capture.
const FRAME_RELAY_HEADER: usize = 5;

fn vector(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/tcpdump").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn frames(name: &str) -> Vec<Vec<u8>> {
    let octets = vector(name);
    let capture = PcapCapture::from_file(&octets).expect("a capture");
    capture.blocks.iter().map(|block| block.data.to_vec()).collect()
}

/// The datagrams in frames of Ethernet: number of the frame, family, octets.
fn datagrams(name: &str) -> Vec<(usize, Family, Vec<u8>)> {
    let datagram = |(i, frame): (usize, Vec<u8>)| {
        let ethernet = Ethernet2Slice::from_slice_without_fcs(&frame).expect("Ethernet");
        let family = match ethernet.ether_type() {
            EtherType::IPV4 => Family::V4,
            EtherType::IPV6 => Family::V6,
            other => panic!("frame {i}: {other:?}"),
        };
        (i, family, ethernet.payload_slice().to_vec())
    };
    frames(name).into_iter().enumerate().map(datagram).collect()
}

/// The ladder from its top: for IPv6 with what a raw socket says beside the message.
fn check(family: Family, octets: &[u8]) -> Result<Received<'_>, Rejected> {
    if family == Family::V4 {
        return Received::check_datagram(octets, GROUP);
    }
    let packet = Ipv6Slice::from_slice(octets).expect("IPv6");
    assert_eq!(packet.header().next_header().0, PROTOCOL_VRRP);
    let (source, destination) = (packet.header().source_addr().into(), packet.header().destination_addr().into());
    let meta = Meta { source, destination, ttl: packet.header().hop_limit() };
    Received::check(&meta, packet.payload().payload, GROUP_V6.into())
}

/// What tcpdump prints for the advertisement in its frame number `i`.
fn printed() -> Vec<String> {
    let text = String::from_utf8(vector("vrrp-v.out")).expect("text");
    let mut entries: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.starts_with("    ") && line.trim_start().contains(" > ") && !line.contains(" IP6 ") {
            entries.last_mut().expect("a first line").push_str(line.trim());
        } else {
            // IPv6 has everything in one line, behind its header in parentheses.
            let advert = line.split_once(" IP6 ").and_then(|(_, rest)| rest.rsplit_once(") fe80::"));
            entries.push(advert.map_or_else(String::new, |(_, rest)| format!("fe80::{rest}")));
        }
    }
    entries
}

/// The advertisement in tcpdump's words.
fn in_tcpdumps_words(received: &Received<'_>) -> String {
    let Received { source, advert, .. } = received;
    let mut text = String::new();
    let addresses: Vec<String> = advert.addresses().map(|address| address.to_string()).collect();
    let group: IpAddr = if advert.family() == Family::V4 { GROUP.into() } else { GROUP_V6.into() };
    write!(text, "{source} > {group}: VRRPv{}, Advertisement, ", advert.version()).unwrap();
    write!(text, "vrid {}, prio {}, ", advert.vrid_octet(), advert.priority().map_or(0, Priority::get)).unwrap();
    match advert.auth_type() {
        None => {}
        Some(0) => text.push_str("authtype none, "),
        Some(1) => text.push_str("authtype simple, "),
        Some(other) => panic!("authentication type {other}"),
    }
    let length = 8 + advert.family().address_len() * addresses.len() + advert.auth_data().len();
    match advert.interval().expect("an interval") {
        AdvertInterval::Seconds(s) => write!(text, "intvl {s}s, length {length}, addrs").unwrap(),
        AdvertInterval::Centiseconds(cs) => write!(text, "intvl {}cs, length {length}, addrs", cs.get()).unwrap(),
    }
    if addresses.len() > 1 {
        write!(text, "({})", addresses.len()).unwrap();
    }
    write!(text, ": {}", addresses.join(",")).unwrap();
    if advert.auth_type() == Some(1) {
        write!(text, " auth \"{}\"", advert.auth_data().escape_ascii()).unwrap();
    }
    text
}

#[test]
fn every_advert_of_seven_routers_is_read_as_tcpdump_reads_it() {
    let printed = printed();
    let datagrams = datagrams("vrrp.pcap");
    assert_eq!(printed.len(), datagrams.len());
    let (mut v2, mut v3, mut v6) = (0, 0, 0);
    for (i, family, octets) in &datagrams {
        let received = check(*family, octets).unwrap_or_else(|rejected| panic!("frame {i}: {rejected:?}"));
        assert_eq!(received.advert.family(), *family);
        assert_eq!(in_tcpdumps_words(&received), printed[*i], "frame {i}");
        let (form, count) = match (received.advert.version(), family) {
            (Version::V2, _) => (ChecksumForm::Message, &mut v2),
            (Version::V3, Family::V4) => (ChecksumForm::PseudoHeader, &mut v3),
            (Version::V3, Family::V6) => (ChecksumForm::PseudoHeader, &mut v6),
        };
        assert_eq!(received.checksum, form);
        *count += 1;
    }
    assert_eq!((v2, v3, v6), (68, 33, 64), "all of them");
}

/// R20: damage to any bit of a message of another's making is noticed.
#[test]
fn every_flipped_bit_of_a_real_advert_is_refused() {
    for (i, family, mut octets) in datagrams("vrrp.pcap").into_iter().take(8) {
        let header = match family {
            Family::V4 => {
                // Without the padding of the Ethernet frame.
                octets.truncate(usize::from(u16::from_be_bytes([octets[2], octets[3]])));
                20
            }
            Family::V6 => 40,
        };
        for bit in header * 8..octets.len() * 8 {
            let mut bad = octets.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(check(family, &bad).is_err(), "frame {i}, bit {bit}");
        }
    }
}

/// R73: an IPv6 advert is for its group and has not crossed a router, and its checksum covers both addresses.
#[test]
fn another_header_around_a_real_ipv6_advert_is_refused() {
    let (_, _, octets) = datagrams("vrrp.pcap").into_iter().find(|(_, family, _)| *family == Family::V6).expect("one");
    let message = &octets[40..];
    let (group, source) = (IpAddr::from(GROUP_V6), check(Family::V6, &octets).expect("right").source);
    let right = Meta { source, destination: group, ttl: 255 };
    let reason = |meta: Meta| Received::check(&meta, message, group).map(|_| ()).map_err(|rejected| rejected.reason);
    assert_eq!(reason(right), Ok(()));
    assert_eq!(reason(Meta { ttl: 254, ..right }), Err(Discard::Ttl(254)));
    let other: IpAddr = "ff02::13".parse().expect("an address");
    assert_eq!(reason(Meta { destination: other, ..right }), Err(Discard::Destination(other)));
    let other: IpAddr = "fe80::1".parse().expect("an address");
    assert!(matches!(reason(Meta { source: other, ..right }), Err(Discard::Checksum(_))));
}

#[test]
fn every_hostile_packet_is_refused() {
    let ethernet: Vec<Vec<u8>> =
        datagrams("vrrp-vrrp_print-oobr-2.pcap").into_iter().map(|(_, _, octets)| octets).collect();
    assert_eq!(ethernet.len(), 10);
    let relayed: Vec<Vec<u8>> =
        frames("vrrp-vrrp_print-oobr.pcap").iter().map(|frame| frame[FRAME_RELAY_HEADER..].to_vec()).collect();
    assert_eq!(relayed.len(), 3);
    for octets in ethernet.iter().chain(&relayed) {
        let rejected = Received::check_datagram(octets, GROUP).expect_err("hostile");
        assert!(matches!(rejected.reason, Discard::Ip(_) | Discard::Destination(_)), "{rejected:?}");
        // Whatever a caller takes for the start of the datagram or of the message.
        for start in 0..octets.len() {
            assert!(Received::check_datagram(&octets[start..], GROUP).is_err(), "{start}");
            let message = &octets[start..];
            for (family, source, group) in [
                (Family::V4, Ipv4Addr::UNSPECIFIED.into(), GROUP.into()),
                (Family::V6, Ipv6Addr::UNSPECIFIED.into(), GROUP_V6.into()),
            ] {
                if let Ok(advert) = Advert::parse(message, family) {
                    assert!(advert.verify(source, group).is_err(), "{start}");
                }
            }
        }
    }
}
