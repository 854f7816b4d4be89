//! What leaves the host, as tcpdump and tshark read it: they must find nothing to complain about.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use vrrp_cli::lab;
use vrrp_core::wire::ipv4::PROTOCOL_VRRP;
use vrrp_netlink::packet::Accept;

use crate::common::ear::{ARP, Ear, IPV4, ethertype};
use crate::common::pcap::fields;
use crate::common::*;

/// Octets of the headers before an advert, whose IP header has no options.
const ETHERNET: usize = 14;
const IP: usize = 20;

/// How many adverts like `wanted` have arrived.
fn adverts(ear: &mut Ear, wanted: impl Fn(&[u8]) -> bool) -> usize {
    ear.frames().filter(|frame| ethertype(frame) == IPV4 && wanted(&frame[ETHERNET + IP..])).count()
}

/// A short life of a router with a password and two addresses and of one without, as the client's interface sees it. The tools
/// do not capture it themselves: in a user namespace tcpdump cannot give up being root, and would rather end.
fn capture(stage: &Stage) -> PathBuf {
    let mut ear =
        Ear::new(stage.lan.host("client"), "eth0", &[(IPV4, Accept::Ipv4(PROTOCOL_VRRP)), (ARP, Accept::Arp)]);
    let with = Instance::new(254).addresses(&["10.9.0.100", "10.9.0.101"]);
    let without = Instance::new(200).called("VI_2", 51, "10.9.0.102".parse().unwrap()).password(None);
    let mut a = stage.start(Kind::Vrrpctl, "a", &[with, without]);
    eventually("adverts of both", || {
        let mut adverts = |vrid| adverts(&mut ear, |advert| advert[1] == vrid);
        adverts(50) >= 3 && adverts(51) >= 3
    });
    eventually("two rounds of announcements", || ear.frames().filter(|frame| ethertype(frame) == ARP).count() >= 6);
    a.stop();
    eventually("both releases", || adverts(&mut ear, |advert| advert[2] == 0) == 2);
    let file = stage.directory().join("all.pcap");
    pcap::save(&file, ear.frames());
    file
}

/// tcpdump's reading of the packets that pass `filter`, one string each.
fn decode_with(tcpdump: &Path, file: &Path, filter: &str) -> Vec<String> {
    // As root it wants to become somebody else, which a user namespace may forbid: there it is nobody from the start.
    let forbidden = fs::read_to_string("/proc/self/setgroups").is_ok_and(|word| word.trim() == "deny");
    let mut command = if forbidden { Command::new("unshare") } else { Command::new(tcpdump) };
    if forbidden {
        command.arg("--user").arg(tcpdump);
    } else {
        command.args(["-Z", "root"]);
    }
    let output = command.args(["-n", "-e", "-vvv", "-r"]).arg(file).arg(filter).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut packets: Vec<String> = Vec::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        // A packet goes on in indented lines.
        match packets.last_mut() {
            Some(last) if line.starts_with(char::is_whitespace) => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => packets.push(line.to_owned()),
        }
    }
    packets
}

#[test]
fn tcpdump_reads_adverts_and_announcements() {
    let Some(tcpdump) = tool("tcpdump") else { return };
    if !lab::privileged(tcpdump_reads_adverts_and_announcements) {
        return;
    }
    let stage = Stage::new();
    let file = capture(&stage);
    let mac = stage.mac("a");

    let adverts = decode_with(&tcpdump, &file, "ip proto 112");
    assert!(adverts.len() >= 8, "{adverts:?}");
    for packet in &adverts {
        assert!(!packet.contains("bad") && !packet.contains("cksum") && !packet.contains("invalid"), "{packet}");
        for part in [
            &*format!("{mac} > 01:00:5e:00:00:12, ethertype IPv4"),
            "(tos 0xc0, ttl 255, ",
            "proto VRRP (112), length ",
            "10.9.0.2 > 224.0.0.18: ",
            "VRRPv2, Advertisement, ",
            "intvl 1s",
        ] {
            assert!(packet.contains(part), "no {part:?} in {packet}");
        }
        // VRRPv2's authentication data is part of every advert, whether it is used or not.
        let parts = if packet.contains("vrid 50, ") {
            ["length 44)", "authtype simple", "length 24", "addrs(2): 10.9.0.100,10.9.0.101", "auth \"1111\""]
        } else {
            ["length 40)", "authtype none", "length 20", "addrs: 10.9.0.102", "vrid 51, "]
        };
        for part in parts {
            assert!(packet.contains(part), "no {part:?} in {packet}");
        }
    }
    for claim in ["vrid 50, prio 254, ", "vrid 50, prio 0, ", "vrid 51, prio 200, ", "vrid 51, prio 0, "] {
        assert!(adverts.iter().any(|packet| packet.contains(claim)), "no {claim:?}");
    }

    let announcements = decode_with(&tcpdump, &file, &format!("arp and ether src {mac}"));
    let mut announced = BTreeSet::new();
    for packet in &announcements {
        let address = packet.split("Request who-has ").nth(1).and_then(|rest| rest.split([' ', ',']).next()).unwrap();
        assert!(packet.contains(&format!("{mac} > ff:ff:ff:ff:ff:ff, ethertype ARP")), "{packet}");
        assert!(packet.contains(&format!("tell {address}")), "{packet}");
        announced.insert(address.to_owned());
    }
    assert_eq!(announced.into_iter().collect::<Vec<_>>(), ["10.9.0.100", "10.9.0.101", "10.9.0.102"]);
}

#[test]
fn tshark_finds_nothing_wrong() {
    let Some(tshark) = tool("tshark") else { return };
    if !lab::privileged(tshark_finds_nothing_wrong) {
        return;
    }
    let stage = Stage::new();
    let file = capture(&stage);
    let mac = stage.mac("a");

    let complaints = fields(&tshark, &file, "_ws.expert || _ws.malformed", &["frame.number", "_ws.expert.message"]);
    assert_eq!(complaints, [[""; 0]; 0]);

    let names = [
        "eth.src",
        "eth.dst",
        "ip.src",
        "ip.dst",
        "ip.ttl",
        "ip.dsfield",
        "ip.hdr_len",
        "ip.len",
        "ip.checksum.status",
        "vrrp.version",
        "vrrp.type",
        "vrrp.adver_int",
        "vrrp.checksum.status",
    ];
    let vrid = |number: u8| format!("vrrp.virt_rtr_id == {number}");
    for (number, len) in [(50, "44"), (51, "40")] {
        let adverts = fields(&tshark, &file, &vrid(number), &names);
        assert!(adverts.len() >= 4, "{adverts:?}");
        for advert in adverts {
            let expected = [
                &*mac,
                "01:00:5e:00:00:12",
                "10.9.0.2",
                "224.0.0.18",
                "255",
                "0xc0",
                "20",
                len,
                "1",
                "2",
                "1",
                "1",
                "1",
            ];
            assert_eq!(advert, expected);
        }
    }
    let names = ["vrrp.prio", "vrrp.addr_count", "vrrp.ip_addr", "vrrp.auth_type", "vrrp.auth_string"];
    let of = |number: u8| fields(&tshark, &file, &vrid(number), &names);
    let (claim, release) =
        (["254", "2", "10.9.0.100,10.9.0.101", "1", "1111"], ["0", "2", "10.9.0.100,10.9.0.101", "1", "1111"]);
    let (last, others) = of(50).split_last().map(|(last, others)| (last.clone(), others.to_vec())).unwrap();
    assert_eq!(last, release, "the last advert is the release");
    assert!(others.iter().all(|advert| *advert == claim), "{others:?}");
    let (last, others) = of(51).split_last().map(|(last, others)| (last.clone(), others.to_vec())).unwrap();
    assert_eq!(last[..4], ["0", "1", "10.9.0.102", "0"]);
    assert!(others.iter().all(|advert| advert[..4] == ["200", "1", "10.9.0.102", "0"]), "{others:?}");

    let names = [
        "eth.dst",
        "arp.opcode",
        "arp.isgratuitous",
        "arp.src.hw_mac",
        "arp.dst.hw_mac",
        "arp.src.proto_ipv4",
        "arp.dst.proto_ipv4",
    ];
    let announcements = fields(&tshark, &file, &format!("arp && eth.src == {mac}"), &names);
    for announcement in &announcements {
        let [to, opcode, gratuitous, sender, target, sender_address, target_address] = announcement.as_slice() else {
            panic!("{announcement:?}");
        };
        assert_eq!((&**to, &**opcode, sender), ("ff:ff:ff:ff:ff:ff", "1", &mac), "{announcement:?}");
        assert!(["1", "True"].contains(&&**gratuitous), "{announcement:?}");
        assert!(["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"].contains(&&**target), "{announcement:?}");
        assert_eq!(sender_address, target_address);
    }
    let of = |address: &str| announcements.iter().filter(|one| one[5] == address).count();
    assert!([of("10.9.0.100"), of("10.9.0.101"), of("10.9.0.102")].iter().all(|count| *count >= 2));
}
