//! Packets that this project did not make: tcpdump's own test captures, judged by what tcpdump prints for them.

#![allow(clippy::unwrap_used, reason = "a helper of tests: writing to a String does not fail")]

use std::fmt::Write;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use etherparse::{EtherType, Ethernet2Slice};
use pcap_parser::PcapCapture;
use vrrp_core::rx::{Discard, Received};
use vrrp_core::wire::advert::{Advert, ChecksumForm};
use vrrp_core::{AdvertInterval, Priority};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
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

/// Frames of Ethernet that carry IPv4. IPv6 is not built: its adverts are left out.
fn ipv4(name: &str) -> Vec<(usize, Vec<u8>)> {
    let datagram = |(i, frame): (usize, Vec<u8>)| {
        let ethernet = Ethernet2Slice::from_slice_without_fcs(&frame).expect("Ethernet");
        (ethernet.ether_type() == EtherType::IPV4).then(|| (i, ethernet.payload_slice().to_vec()))
    };
    frames(name).into_iter().enumerate().filter_map(datagram).collect()
}

/// What tcpdump prints for the advertisement in its frame number `i`.
fn printed() -> Vec<String> {
    let text = String::from_utf8(vector("vrrp-v.out")).expect("text");
    let mut entries: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.starts_with("    ") && line.trim_start().contains(" > ") && !line.contains(" IP6 ") {
            entries.last_mut().expect("a first line").push_str(line.trim());
        } else {
            entries.push(String::new());
        }
    }
    entries
}

/// The advertisement in tcpdump's words.
fn in_tcpdumps_words(received: &Received<'_>) -> String {
    let Received { source, advert, .. } = received;
    let mut text = String::new();
    let addresses: Vec<String> = advert.addresses().map(|address| address.to_string()).collect();
    write!(text, "{source} > {GROUP}: VRRPv{}, Advertisement, ", advert.version()).unwrap();
    write!(text, "vrid {}, prio {}, ", advert.vrid_octet(), advert.priority().map_or(0, Priority::get)).unwrap();
    match advert.auth_type() {
        None => {}
        Some(0) => text.push_str("authtype none, "),
        Some(1) => text.push_str("authtype simple, "),
        Some(other) => panic!("authentication type {other}"),
    }
    let length = 8 + 4 * addresses.len() + advert.auth_data().len();
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
    let datagrams = ipv4("vrrp.pcap");
    assert_eq!(printed.len(), frames("vrrp.pcap").len());
    let (mut v2, mut v3) = (0, 0);
    for (i, octets) in &datagrams {
        let received = Received::check(octets, GROUP).unwrap_or_else(|rejected| panic!("frame {i}: {rejected:?}"));
        assert_eq!(in_tcpdumps_words(&received), printed[*i], "frame {i}");
        match received.advert.version() {
            vrrp_core::Version::V2 => {
                assert_eq!(received.checksum, ChecksumForm::Message);
                v2 += 1;
            }
            vrrp_core::Version::V3 => {
                assert_eq!(received.checksum, ChecksumForm::PseudoHeader);
                v3 += 1;
            }
        }
    }
    assert_eq!((v2, v3), (68, 33), "all of them");
}

/// R20: damage to any bit of a message of another's making is noticed.
#[test]
fn every_flipped_bit_of_a_real_advert_is_refused() {
    for (i, mut octets) in ipv4("vrrp.pcap").into_iter().take(6) {
        // Without the padding of the Ethernet frame.
        octets.truncate(usize::from(u16::from_be_bytes([octets[2], octets[3]])));
        for bit in 20 * 8..octets.len() * 8 {
            let mut bad = octets.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Received::check(&bad, GROUP).is_err(), "frame {i}, bit {bit}");
        }
    }
}

#[test]
fn every_hostile_packet_is_refused() {
    let ethernet: Vec<Vec<u8>> = ipv4("vrrp-vrrp_print-oobr-2.pcap").into_iter().map(|(_, octets)| octets).collect();
    assert_eq!(ethernet.len(), 10);
    let relayed: Vec<Vec<u8>> =
        frames("vrrp-vrrp_print-oobr.pcap").iter().map(|frame| frame[FRAME_RELAY_HEADER..].to_vec()).collect();
    assert_eq!(relayed.len(), 3);
    for octets in ethernet.iter().chain(&relayed) {
        let rejected = Received::check(octets, GROUP).expect_err("hostile");
        assert!(matches!(rejected.reason, Discard::Ip(_) | Discard::Destination(_)), "{rejected:?}");
        // Whatever a caller takes for the start of the datagram or of the message.
        for start in 0..octets.len() {
            assert!(Received::check(&octets[start..], GROUP).is_err(), "{start}");
            let message = &octets[start..];
            if let Ok(advert) = Advert::parse(message) {
                assert!(advert.verify(Ipv4Addr::UNSPECIFIED, GROUP).is_err(), "{start}");
            }
        }
    }
}
