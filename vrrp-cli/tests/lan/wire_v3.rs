//! VRRPv3 and neighbour advertisements as tshark reads them: it must find nothing to complain about.

use std::path::Path;
use std::process::Command;

use vrrp_cli::lab;
use vrrp_netlink::packet::PacketSocket;
use vrrp_netlink::rtnl::Rtnl;

use crate::common::*;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VRRP: u8 = 112;
const ICMPV6: u8 = 58;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

/// What of a frame concerns these tests.
fn concerns(frame: &[u8]) -> bool {
    match frame.get(12..14) {
        Some([8, 0]) => frame.get(23) == Some(&VRRP),
        Some([0x86, 0xdd]) => match frame.get(20) {
            Some(&VRRP) => true,
            Some(&ICMPV6) => frame.get(54) == Some(&NEIGHBOUR_ADVERTISEMENT),
            _ => false,
        },
        _ => false,
    }
}

fn fields(tshark: &Path, file: &Path, filter: &str, names: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new(tshark);
    command.arg("-r").arg(file).args(["-n", "-Y", filter, "-T", "fields", "-E", "separator=|"]);
    command.args(["-E", "occurrence=a", "-E", "aggregator=,"]);
    for name in names {
        command.args(["-e", name]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
}

#[test]
fn tshark_finds_nothing_wrong_in_version_3() {
    let Some(tshark) = tool("tshark") else { return };
    if !lab::privileged(tshark_finds_nothing_wrong_in_version_3) {
        return;
    }
    let stage = Stage::new();
    let listen = || {
        let index = Rtnl::open()?.link("eth0")?.expect("eth0").index;
        Ok::<_, vrrp_netlink::Error>([PacketSocket::listen(index, IPV4)?, PacketSocket::listen(index, IPV6)?])
    };
    let sockets = stage.lan.host("client").namespace().run(listen).unwrap().unwrap();
    let four = Instance::new(254).password(None).with("version 3");
    let plain = Instance::new(253).called("VI_2", 51, VIP2).password(None).with("version 3").with("v3_checksum_as_v2");
    let six = Instance::new(252).called("VI_6", 50, VIP).password(None).addresses(&["fe80::100/64", "fd00:9::100/64"]);
    let mut a = stage.start(Kind::Vrrpctl, "a", &[four, plain, six]);
    let mut frames: Vec<Vec<u8>> = Vec::new();
    let mut heard = |enough: &dyn Fn(&[Vec<u8>]) -> bool| {
        let mut buffer = [0; 2048];
        for socket in &sockets {
            while let Some(len) = socket.receive(&mut buffer).unwrap() {
                frames.push(buffer[..len].to_vec());
            }
        }
        frames.retain(|frame| concerns(frame));
        enough(&frames)
    };
    let of = |frames: &[Vec<u8>], ethertype: u16, protocol_at: usize, protocol: u8| {
        let same = |frame: &&Vec<u8>| frame[12..14] == ethertype.to_be_bytes() && frame[protocol_at] == protocol;
        frames.iter().filter(same).count()
    };
    eventually("adverts of both families and two rounds of announcements", || {
        heard(&|frames| {
            of(frames, IPV4, 23, VRRP) >= 6 && of(frames, IPV6, 20, VRRP) >= 3 && of(frames, IPV6, 20, ICMPV6) >= 4
        })
    });
    a.stop();
    eventually("the release", || {
        heard(&|frames| {
            frames.iter().any(|frame| frame[12..14] == IPV6.to_be_bytes() && frame[20] == VRRP && frame[56] == 0)
        })
    });
    let file = stage.directory().join("v3.pcap");
    pcap::save(&file, &frames);
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
