//! VRRPv3 and neighbour advertisements as tshark reads them: it must find nothing to complain about.

use std::path::Path;

use vrrp_cli::lab;
use vrrp_netlink::packet::Accept;

use crate::common::ear::{Ear, IPV4, IPV6, ethertype};
use crate::common::pcap::fields;
use crate::common::*;

const VRRP: u8 = 112;
const ICMPV6: u8 = 58;

#[test]
fn tshark_finds_nothing_wrong_in_version_3() {
    let Some(tshark) = tool("tshark") else { return };
    if !lab::privileged(tshark_finds_nothing_wrong_in_version_3) {
        return;
    }
    let stage = Stage::new();
    let mut ear = Ear::new(
        stage.lan.host("client"),
        "eth0",
        &[(IPV4, Accept::Ipv4(VRRP)), (IPV6, Accept::Ipv6(VRRP)), (IPV6, Accept::NeighbourAdvertisement)],
    );
    let four = Instance::new(254).password(None).with("version 3");
    let plain = Instance::new(253).called("VI_2", 51, VIP2).password(None).with("version 3").with("v3_checksum_as_v2");
    let six = Instance::new(252).called("VI_6", 50, VIP).password(None).addresses(&["fe80::100/64", "fd00:9::100/64"]);
    let mut a = stage.start(Kind::Vrrpctl, "a", &[four, plain, six]);
    let of = |ear: &mut Ear, kind: u16, protocol_at: usize, protocol: u8| {
        ear.frames().filter(|frame| ethertype(frame) == kind && frame[protocol_at] == protocol).count()
    };
    eventually("adverts of both families and two rounds of announcements", || {
        of(&mut ear, IPV4, 23, VRRP) >= 6 && of(&mut ear, IPV6, 20, VRRP) >= 3 && of(&mut ear, IPV6, 20, ICMPV6) >= 4
    });
    a.stop();
    eventually("the release", || {
        ear.frames().any(|frame| ethertype(frame) == IPV6 && frame[20] == VRRP && frame[56] == 0)
    });
    let file = stage.directory().join("v3.pcap");
    pcap::save(&file, ear.frames());
    let mac = stage.mac("a");

    // tshark verifies the form with pseudo-header.
    let complaints =
        fields(&tshark, &file, "(_ws.expert || _ws.malformed) && !(vrrp.virt_rtr_id == 51)", &["_ws.expert.message"]);
    assert_eq!(complaints, [[""; 0]; 0]);

    let names = [
        "eth.src",
        "eth.dst",
        "ip.src",
        "ip.dst",
        "ip.ttl",
        "vrrp.version",
        "vrrp.short_adver_int",
        "vrrp.checksum.status",
        "vrrp.ip_addr",
    ];
    let adverts = fields(&tshark, &file, "ip && vrrp.virt_rtr_id == 50", &names);
    assert!(adverts.len() >= 3, "{adverts:?}");
    for advert in adverts {
        assert_eq!(
            advert,
            [&*mac, "01:00:5e:00:00:12", "10.9.0.2", "224.0.0.18", "255", "3", "100", "1", "10.9.0.100"]
        );
    }

    let names =
        ["eth.dst", "ipv6.src", "ipv6.dst", "ipv6.hlim", "vrrp.version", "vrrp.checksum.status", "vrrp.ipv6_addr"];
    let adverts = fields(&tshark, &file, "ipv6 && vrrp", &names);
    assert!(adverts.len() >= 4, "{adverts:?}");
    for advert in adverts {
        assert_eq!(advert, ["33:33:00:00:00:12", "fe80::2", "ff02::12", "255", "3", "1", "fe80::100,fd00:9::100"]);
    }
    let priorities = fields(&tshark, &file, "ipv6 && vrrp", &["vrrp.prio"]);
    assert_eq!((&*priorities[0][0], &*priorities[priorities.len() - 1][0]), ("252", "0"));

    announcements(&tshark, &file, &mac);
}

/// Neighbour advertisements to all: Router and Override, not Solicited (RFC 9568 section 6.4.1).
fn announcements(tshark: &Path, file: &Path, mac: &str) {
    let names = [
        "eth.dst",
        "ipv6.dst",
        "ipv6.hlim",
        "icmpv6.checksum.status",
        "icmpv6.nd.na.flag.r",
        "icmpv6.nd.na.flag.s",
        "icmpv6.nd.na.flag.o",
        "icmpv6.opt.linkaddr",
        "ipv6.src",
        "icmpv6.nd.na.target_address",
    ];
    let mut announced: Vec<String> = Vec::new();
    // What the kernel answers goes to one host; an announcement goes to all.
    for mut announcement in
        fields(tshark, file, &format!("icmpv6.type == 136 && eth.src == {mac} && ipv6.dst == ff02::1"), &names)
    {
        for flag in &mut announcement[4..7] {
            if ["1", "True"].contains(&&**flag) { "1" } else { "0" }.clone_into(flag);
        }
        let [rest @ .., source, target] = announcement.as_slice() else { panic!("{announcement:?}") };
        assert_eq!(rest, ["33:33:00:00:00:01", "ff02::1", "255", "1", "1", "0", "1", mac]);
        assert_eq!(source, target);
        announced.push(target.clone());
    }
    let count = |address: &str| announced.iter().filter(|one| *one == address).count();
    assert!(count("fe80::100") >= 2 && count("fd00:9::100") >= 2, "{announced:?}");
    assert_eq!(announced.len(), count("fe80::100") + count("fd00:9::100"));
}
