//! Who else has a virtual address: a host that belongs to no group, of which the Master tells and against which it defends the
//! address. That routers of one group are never taken for such a host, every other test sees: see [`Daemon::stop`].

use std::fs;
use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use vrrp_cli::lab::{self, Host};
use vrrp_core::wire::arp::{self, GratuitousArp};
use vrrp_core::wire::nd::{FRAME_LEN, NeighbourAdvertisement};
use vrrp_netlink::packet::PacketSocket;
use vrrp_netlink::rtnl::Rtnl;

use crate::common::Kind::{Keepalived, Vrrpctl};
use crate::common::ear::{ANNOUNCEMENTS, Ear};
use crate::common::*;

const VIP6: Ipv6Addr = Ipv6Addr::new(0xfd00, 9, 0, 0, 0, 0, 0, 0x100);
/// Of VRID 50, over IPv4 and over IPv6.
const VIRTUAL_MAC: [u8; 6] = [0, 0, 0x5e, 0, 1, 50];
const VIRTUAL_MAC6: [u8; 6] = [0, 0, 0x5e, 0, 2, 50];
/// Rounds of announcements after a takeover: from the end of the last one on, the election is settled.
const ROUNDS: usize = 5;

/// A virtual router over each family.
fn instances(priority: u8, vmac: bool) -> [Instance; 2] {
    let v6 = Instance::new(priority).called("VI_6", 50, VIP).password(None).with("version 3");
    let both = [Instance::new(priority), v6.addresses(&["fe80::100/64", "fd00:9::100/64"])];
    both.map(|one| if vmac { one.with("use_vmac") } else { one })
}

/// Sends from the virtual address, which the host has, too: its kernel asks the LAN for the client and says who asks.
fn speak_up(stage: &Stage, host: &str) {
    stage.shell(host, "ip neigh flush dev eth0");
    let client = stage.lan.host("client").address(0);
    let send = || UdpSocket::bind((VIP, 0))?.send_to(b"hello", (client, 9));
    stage.lan.host(host).namespace().run(send).unwrap().unwrap();
}

/// Sends a frame, so often.
fn send(host: &Host, frame: &[u8], times: usize) {
    let send = || {
        let index = Rtnl::open()?.link("eth0")?.expect("eth0").index;
        let frames = vec![(index, frame); times];
        PacketSocket::open()?.send_many(&frames).into_iter().collect::<vrrp_netlink::Result<Vec<_>>>()
    };
    host.namespace().run(send).unwrap().unwrap();
}

/// How often the thread that hears the LAN has slept so far.
fn naps(daemon: &Daemon) -> u64 {
    let threads = fs::read_dir(format!("/proc/{}/task", daemon.worker())).unwrap().map(|thread| thread.unwrap().path());
    let named = |path: &PathBuf| fs::read_to_string(path.join("comm")).unwrap().trim() == "election";
    let status = threads.into_iter().find(named).map(|path| fs::read_to_string(path.join("status")).unwrap()).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    line.trim().parse().unwrap()
}

/// The Ethernet address that the client sends to for an address of IPv6.
fn neighbour6(stage: &Stage) -> String {
    stage.shell("client", &format!("ip -6 neigh show to {VIP6} dev eth0"))
}

fn words(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}

fn contested(vmac: bool) {
    let stage = Stage::with_two_clients();
    let mut ear = Ear::new(stage.lan.host("client"), "eth0", ANNOUNCEMENTS);
    let mut a = stage.start(Vrrpctl, "a", &instances(STRONG, vmac));
    let peer = if vmac || tool("keepalived").is_none() { Vrrpctl } else { Keepalived };
    let b = stage.start(peer, "b", &instances(WEAK, vmac));
    let mac = stage.mac_octets("a");
    let [mac, mac6] = if vmac { [VIRTUAL_MAC, VIRTUAL_MAC6] } else { [mac, mac] };
    let (vip, vip6) = (VIP.to_string(), VIP6.to_string());
    let _clients = [stage.client(VIP), stage.client(VIP6)];
    eventually("every announcement was made", || {
        ear.count_from(mac, &vip) >= ROUNDS && ear.count_from(mac6, &vip6) >= ROUNDS
    });
    let before = [ear.count_from(mac, &vip), ear.count_from(mac6, &vip6)];
    assert!(!a.said("another host has our address"));

    // The LAN is full of questions for a gateway's address. These spare the client's ear.
    let question = GratuitousArp { mac: stage.mac_octets("other"), address: stage.lan.host("other").address(0) };
    let mut buffer = [0; arp::FRAME_LEN];
    let question = question.emit(&mut buffer).unwrap();
    question[..6].copy_from_slice(&stage.mac_octets("a"));
    question[38..].copy_from_slice(&VIP.octets());
    let awake = naps(&a);
    send(stage.lan.host("other"), question, 5000);
    assert!(naps(&a) - awake < 500, "{} times awake for 5000 questions", naps(&a) - awake);

    let third = stage.mac("other");
    stage.leave("other", VIP, 24);
    let told = |address: IpAddr| format!("another host has our address {address}: {third} on eth0; announced again: ");
    eventually("the client is misled", || {
        speak_up(&stage, "other");
        stage.neighbour(VIP) == Some(third.clone()) || a.said(&told(VIP.into()))
    });
    a.says(&told(VIP.into()), 1);
    eventually("the client is back", || stage.neighbour(VIP) == Some(words(mac)));

    let mut buffer = [0; FRAME_LEN];
    let other = stage.lan.host("other");
    let claim = NeighbourAdvertisement { mac: stage.mac_octets("other"), address: VIP6, router: false };
    send(other, claim.emit(&mut buffer).unwrap(), 1);
    a.says(&told(VIP6.into()), 1);
    eventually("the client is back", || neighbour6(&stage).contains(&words(mac6)));

    // Within the ten seconds, whatever the other one says, and however often.
    speak_up(&stage, "other");
    let claim = GratuitousArp { mac: stage.mac_octets("other"), address: VIP };
    let mut buffer = [0; arp::FRAME_LEN];
    let flood = claim.emit(&mut buffer).unwrap();
    never("another defence", Duration::from_secs(3), || {
        send(other, flood, 200);
        ear.count_from(mac, &vip) > before[0] + 1 || ear.count_from(mac6, &vip6) > before[1] + 1
    });
    assert_eq!([ear.count_from(mac, &vip), ear.count_from(mac6, &vip6)], before.map(|count| count + 1));
    assert_eq!(a.count("another host has our address"), 2, "one line for each address");
    assert_eq!((a.count("entering"), b.count("entering master state")), (4, 0), "no transition");
    a.process.signal(Signal::SIGUSR1).unwrap();
    a.says("status written to ", 1);
    let written = a.log().split_once("status written to ").unwrap().1.split_whitespace().next().unwrap().to_owned();
    let status = fs::read_to_string(written).unwrap();
    assert!(status.contains(&format!("{VIP} was at another host, too: {third} at ")), "{status}");
    a.stop_contested();
}

#[test]
fn another_host_with_our_address_is_named_and_clients_come_back() {
    if lab::privileged(another_host_with_our_address_is_named_and_clients_come_back) {
        side_by_side([false, true], contested);
    }
}
