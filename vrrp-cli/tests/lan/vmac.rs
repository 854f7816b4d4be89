//! Virtual MAC addresses: who sends what from them, what clients and switches know, and what is left on the host.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use vrrp_cli::lab::{self, Host, Process};
use vrrp_netlink::namespace::Namespace;

use super::common;
use common::Kind::{Keepalived, Vrrpctl};
use common::*;

const VIP6: Ipv6Addr = Ipv6Addr::new(0xfd00, 9, 0, 0, 0, 0, 0, 0x100);
/// VRID 50, over IPv4 and over IPv6.
const MAC: &str = "00:00:5e:00:01:32";
const MAC6: &str = "00:00:5e:00:02:32";
/// All virtual MAC addresses begin like this.
const ANY_MAC: &str = "00:00:5e:00:0";

/// Runs a command in a namespace and returns what it prints.
fn output(namespace: &Namespace, words: &str) -> String {
    let mut all = words.split_whitespace();
    let mut command = Command::new(all.next().unwrap());
    let output = namespace.command(command.args(all)).unwrap().output().unwrap();
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn run(host: &Host, words: &str) -> String {
    output(host.namespace(), words)
}

/// One instance over IPv4 with two addresses and one over IPv6, of the same VRID.
fn both_families(priority: u8) -> [Instance; 2] {
    let v4 = Instance::new(priority).with("use_vmac").addresses(&["10.9.0.100/24", "10.9.0.101"]);
    let v6 = Instance::new(priority).called("VI_6", 50, VIP).password(None).with("version 3").with("use_vmac");
    [v4, v6.addresses(&["fe80::100/64", "fd00:9::100/64"])]
}

/// Everything that a host sends, as its port of the switch receives it.
struct Sniffer {
    _process: Process,
    file: PathBuf,
}

impl Sniffer {
    fn start(stage: &Stage, host: &str) -> Self {
        let file = stage.directory().join(format!("{host}.frames"));
        let log = stage.directory().join(format!("{host}.tcpdump"));
        let mut command = Command::new(tool("tcpdump").unwrap());
        command.args(["-l", "-enn", "-Q", "in", "-i", &stage.lan.port_name(host, 0)]);
        command.stdin(Stdio::null()).stdout(fs::File::create(&file).unwrap());
        command.stderr(fs::File::create(&log).unwrap());
        let process = stage.lan.spawn_at_switch(&mut command).unwrap();
        eventually("tcpdump listens", || fs::read_to_string(&log).unwrap().contains("listening on"));
        Self { _process: process, file }
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.file).unwrap().lines().map(str::to_owned).collect()
    }

    /// Frames from virtual MAC addresses so far.
    fn virtual_frames(&self) -> usize {
        self.lines().iter().filter(|line| source(line).starts_with(ANY_MAC)).count()
    }

    /// Every frame that says where a virtual address is says that it is at the virtual MAC address, and comes from there; and
    /// so do adverts.
    fn names_no_other(&self) {
        for line in self.lines() {
            for address in [VIP, VIP2] {
                let says = [format!("tell {address},"), format!("Reply {address} is-at")];
                if says.iter().any(|words| line.contains(words)) {
                    assert_eq!(source(&line), MAC, "{line}");
                    assert!(!line.contains("is-at") || line.contains(&format!("is-at {MAC}")), "{line}");
                }
            }
            let about_it =
                |kind: &str| line.contains(kind) && (line.contains("fd00:9::100") || line.contains("fe80::100"));
            if about_it("neighbor advertisement, tgt is") || line.contains(" fd00:9::100 > ff02::1:ff") {
                assert_eq!(source(&line), MAC6, "{line}");
            }
            if line.contains("Advertisement, vrid 50") {
                assert_eq!(source(&line), if line.contains("VRRPv3") { MAC6 } else { MAC }, "{line}");
            }
        }
    }
}

/// The source MAC address of a line of tcpdump.
fn source(line: &str) -> &str {
    line.split_whitespace().nth(1).unwrap_or_default()
}

/// Where the switch sends frames for a MAC address.
fn port_of(stage: &Stage, mac: &str) -> String {
    let table = output(stage.lan.switch(), "bridge fdb show br br0");
    let entry = table.lines().find(|line| line.starts_with(mac) && line.contains("master br0"));
    entry.and_then(|line| line.split_whitespace().nth(2)).unwrap_or_default().to_owned()
}

/// Where the client sends frames for an address of IPv6.
fn neighbour_v6(stage: &Stage, address: Ipv6Addr) -> String {
    let told = run(stage.lan.host("client"), &format!("ip -6 neighbour show to {address} dev eth0"));
    told.split("lladdr ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or_default().to_owned()
}

/// `host` serves both families; the switch knows where, and the client has the virtual MAC addresses.
#[track_caller]
fn served_by(stage: &Stage, host: &str) {
    switched_to(stage, host);
    assert_eq!((stage.neighbour(VIP).as_deref(), neighbour_v6(stage, VIP6).as_str()), (Some(MAC), MAC6));
}

/// `host` serves both families, and the switch knows where.
#[track_caller]
fn switched_to(stage: &Stage, host: &str) {
    for address in [IpAddr::from(VIP), VIP2.into(), VIP6.into()] {
        stage.held_by(host, address);
    }
    let port = stage.lan.port_name(host, 0);
    eventually("the switch sends to it", || [MAC, MAC6].iter().all(|mac| port_of(stage, mac) == port));
}

/// The virtual interfaces of a host: name, what it stands on, MAC address, mode.
fn macvlans(host: &Host) -> BTreeSet<String> {
    let told = run(host, "ip -d -o link show type macvlan");
    let one = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let behind = |word: &str| words.iter().position(|one| *one == word).map_or("", |place| words[place + 1]);
        format!("{} {} {}", words[1], behind("link/ether"), behind("mode"))
    };
    told.lines().map(|line| one(&line.replace("mode DEFAULT", ""))).collect()
}

fn setting(host: &Host, family: &str, interface: &str, name: &str) -> String {
    let file = format!("/proc/sys/net/{family}/conf/{interface}/{name}");
    host.namespace().run(|| fs::read_to_string(file)).unwrap().unwrap().trim_end().to_owned()
}

/// Through a planned stop, a return, a silent death and another return, with either make as the weaker router: what clients
/// and switches know, what each host sends; and a router that is not Master sends nothing from a virtual MAC address.
#[test]
fn only_the_virtual_mac_address_is_seen_and_only_of_the_master() {
    if !lab::privileged(only_the_virtual_mac_address_is_seen_and_only_of_the_master) || tool("tcpdump").is_none() {
        return;
    }
    let makes = [Vrrpctl, Keepalived].into_iter().filter(|make| *make == Vrrpctl || tool("keepalived").is_some());
    side_by_side(makes, |make| {
        let stage = Stage::new();
        let host_a = stage.lan.host("a");
        let before = ["arp_ignore", "arp_announce"].map(|name| setting(host_a, "ipv4", "eth0", name));
        let (of_a, of_b) = (Sniffer::start(&stage, "a"), Sniffer::start(&stage, "b"));
        let mut a = stage.start(Vrrpctl, "a", &both_families(STRONG));
        let _b = stage.start(make, "b", &both_families(WEAK));
        stage.held_by("a", VIP6);
        let (client, client_v6) = (stage.client(VIP), stage.client(VIP6));
        served_by(&stage, "a");
        let silent_so_far = || make == Keepalived || of_b.virtual_frames() == 0;
        assert!(silent_so_far(), "{:?}", of_b.lines());

        a.stop();
        // keepalived asks for the client in the virtual address's name, from the MAC address of its interface.
        if make == Vrrpctl {
            served_by(&stage, "b");
        } else {
            switched_to(&stage, "b");
        }
        assert_eq!(macvlans(host_a), BTreeSet::new());
        assert_eq!(["arp_ignore", "arp_announce"].map(|name| setting(host_a, "ipv4", "eth0", name)), before);
        let a = stage.start(Vrrpctl, "a", &both_families(STRONG));
        let said = of_a.virtual_frames();
        let back = Instant::now();
        a.is_backup();
        // Absence: for half the time in which it must still be a Backup.
        never("a Backup sends from a virtual MAC address", Duration::from_millis(1500), || {
            of_a.virtual_frames() > said
        });
        assert!(
            back.elapsed() < master_down(STRONG) && !stage.holders_of(VIP).contains(&"a"),
            "it is no Backup any more"
        );
        served_by(&stage, "a");

        let muted = Instant::now();
        stage.lan.mute("a", 0).unwrap();
        eventually("b takes over", || stage.holders_of(VIP6).contains(&"b") && stage.holders_of(VIP).contains(&"b"));
        eventually("the clients are served", || client.replies(muted) > 20 && client_v6.replies(muted) > 20);
        let port = stage.lan.port_name("b", 0);
        assert_eq!([MAC, MAC6].map(|mac| port_of(&stage, mac)), [port.clone(), port]);
        stage.lan.unmute("a", 0).unwrap();
        served_by(&stage, "a");
        between("silence", client.longest_silence(muted), Duration::ZERO, master_down(WEAK) + SLACK);

        // What the guardian says in the place of a process that was killed comes from there, too.
        let releases = |mac: &str| {
            let from = |line: &&String| source(line) == mac && line.contains("vrid 50, prio 0,");
            of_a.lines().iter().filter(from).count()
        };
        let so_far = [MAC, MAC6].map(releases);
        nix::sys::signal::kill(a.worker(), nix::sys::signal::Signal::SIGKILL).unwrap();
        eventually("a is released", || [0, 1].iter().all(|one| releases([MAC, MAC6][*one]) > so_far[*one]));
        switched_to(&stage, "b");
        of_a.names_no_other();
        if make == Vrrpctl {
            of_b.names_no_other();
        }
    });
}

/// Names, MAC addresses and modes are keepalived's for the same file, and so is what is on them.
#[test]
fn virtual_interfaces_are_those_of_keepalived() {
    if !lab::privileged(virtual_interfaces_are_those_of_keepalived) || tool("keepalived").is_none() {
        return;
    }
    let stage = Stage::with_networks(2);
    let plain =
        |name: &str, vrid, lines: &[&str]| Instance::new(WEAK).called(name, vrid, VIP).password(None).addresses(lines);
    let instances = [
        plain("V6_ALONE", 51, &["fe80::100"]).with("version 3").with("use_vmac"),
        plain("EVERYWHERE", 52, &["10.9.0.100", "10.9.1.101 dev eth0"])
            .on("eth1")
            .with("use_vmac")
            .with("use_vmac_addr")
            .with("virtual_ipaddress_excluded {\n        fd00::7\n        fd00::8 dev eth0\n    }"),
        plain("TAKEN", 53, &["10.9.0.113"]).with("use_vmac"),
        plain("NAMED", 54, &["10.9.0.114"]).with("use_vmac vx 02:00:00:00:00").with("vmac_xmit_base"),
        plain("BOTH", 55, &["10.9.0.115"]).with("use_vmac"),
        plain("BOTH6", 55, &["fe80::55"]).with("version 3").with("use_vmac"),
        plain("ONE", 56, &["10.9.0.116", "10.9.0.117 dev eth1 use_vmac"]),
    ];
    // Alone, each of them is Master of everything.
    for (host, network) in [("a", 0), ("a", 1), ("b", 0), ("b", 1)] {
        stage.lan.mute(host, network).unwrap();
    }
    for host in ["a", "b"] {
        run(stage.lan.host(host), "ip link add vrrp.53 link eth0 address 02:00:00:00:00:53 type macvlan mode bridge");
    }
    let mut ours = stage.start(Vrrpctl, "a", &instances);
    let mut theirs = stage.start(Keepalived, "b", &instances);
    eventually("both are masters", || {
        ours.count("entering master state") == 7 && theirs.count("entering master state") == 7
    });
    let (a, b) = (stage.lan.host("a"), stage.lan.host("b"));
    assert_eq!(macvlans(a), macvlans(b));
    assert_eq!(macvlans(a).len(), 11, "{:?}", macvlans(a));
    let addresses = |host: &Host, own: &str| {
        let told = run(host, "ip -o address show");
        let lines = told.lines().filter(|line| line.contains("vrrp") || line.contains("vx"));
        // keepalived copies the interface's own link-local address, which it sends adverts from.
        let lines = lines.filter(|line| !line.contains(own));
        lines
            .map(|line| line.split_once(' ').map_or(String::new(), |(_, rest)| rest.to_owned()))
            .collect::<BTreeSet<_>>()
    };
    let same = || addresses(a, "fe80::2/") == addresses(b, "fe80::3/");
    assert!(lab::wait_until(PATIENCE, same), "{:#?}\n{:#?}", addresses(a, "fe80::2/"), addresses(b, "fe80::3/"));
    for name in ["arp_ignore", "rp_filter", "promote_secondaries"] {
        assert_eq!(setting(a, "ipv4", "vrrp1.53", name), setting(b, "ipv4", "vrrp1.53", name), "{name}");
    }
    ours.stop();
    theirs.stop();
    assert_eq!(macvlans(a), macvlans(b));
    assert_eq!(macvlans(a).len(), 1);
}

/// A daemon that is killed with its guardian leaves its interface with the addresses on it: the next one adopts it, and puts back the settings at its end.
#[test]
fn what_a_killed_daemon_left_is_put_right() {
    if !lab::privileged(what_a_killed_daemon_left_is_put_right) {
        return;
    }
    let stage = Stage::new();
    let host = stage.lan.host("a");
    let own = || Instance::new(STRONG).with("use_vmac");
    let set = || ["arp_ignore", "arp_announce"].map(|name| setting(host, "ipv4", "eth0", name));
    let before = set();
    let index = || run(host, "ip -o link show dev vrrp.50").split(':').next().map(str::to_owned);
    let kill = |daemon: &mut Daemon| {
        daemon.process.signal_all(nix::sys::signal::Signal::SIGKILL).unwrap();
        daemon.process.wait(PATIENCE).unwrap();
    };
    let mut a = stage.vrrpctl("a", own());
    stage.held_by("a", VIP);
    let (first, client) = (index(), stage.client(VIP));
    kill(&mut a);
    assert_eq!((stage.holders_of(VIP), set()), (vec!["a"], ["1".to_owned(), "2".to_owned()]));
    let restarted = Instant::now();
    let mut again = stage.vrrpctl("a", own());
    again.says("entering master state", 1);
    assert_eq!(index(), first, "it is the same interface");
    between("silence", client.longest_silence(restarted), Duration::ZERO, SLACK);

    // Another one on the same interface wants the settings, too.
    let other = Instance::new(STRONG).called("VI_2", 52, VIP2).with("use_vmac");
    let mut beside = stage.vrrpctl("a", other.clone());
    stage.held_by("a", VIP2);
    again.stop();
    assert_eq!(set(), ["1", "2"]);
    assert_eq!(macvlans(host).len(), 1);
    beside.stop();
    assert_eq!(set(), before);

    // Killed, and served no more afterwards.
    let mut last = stage.vrrpctl("a", other);
    stage.held_by("a", VIP2);
    kill(&mut last);
    let mut plain = stage.vrrpctl("a", Instance::new(STRONG));
    plain.is_backup();
    eventually("it is gone", || macvlans(host).is_empty() && stage.holders_of(VIP2).is_empty());
    assert_eq!(set(), before);
    plain.stop();
}

/// What somebody else does to it is put right within moments.
#[test]
fn a_virtual_interface_is_kept_as_it_should_be() {
    if !lab::privileged(a_virtual_interface_is_kept_as_it_should_be) {
        return;
    }
    let stage = Stage::new();
    let (a, b) = (stage.lan.host("a"), stage.lan.host("b"));
    let mut master = stage.vrrpctl("a", Instance::new(STRONG).with("use_vmac"));
    let backup = stage.vrrpctl("b", Instance::new(WEAK).with("use_vmac"));
    let client = stage.client(VIP);
    let is_up = |host: &Host| run(host, "ip -br link show dev vrrp.50").contains(",UP");
    for deed in ["ip link set vrrp.50 down", "ip link delete vrrp.50", "ip address flush dev vrrp.50"] {
        let done = Instant::now();
        run(a, deed);
        eventually("it is up and the address on it", || {
            run(a, "ip -o link").contains("vrrp.50") && is_up(a) && stage.lan.holds("a", VIP.into())
        });
        eventually("the client is served", || client.replies(done) > 50);
        between(deed, client.longest_silence(done), Duration::ZERO, SLACK);
    }
    let mut rename = Command::new("ip");
    let rename =
        a.namespace().command(rename.args("link set vrrp.50 name other".split(' '))).unwrap().output().unwrap();
    // Older kernels do not rename what is up.
    if rename.status.success() {
        eventually("there is one of its name, and no other one", || {
            let all = macvlans(a);
            all.len() == 1 && all.iter().all(|one| one.starts_with("vrrp.50")) && is_up(a)
        });
        eventually("the address is on it", || run(a, "ip -br address show dev vrrp.50").contains("10.9.0.100"));
        let renamed = Instant::now();
        eventually("the client is served", || client.replies(renamed) > 50);
    }
    run(b, "ip link set vrrp.50 up");
    eventually("it is down again", || !is_up(b));
    assert_eq!((master.count("entering"), backup.count("entering")), (2, 1), "{}", master.log());
    master.stop();
    stage.held_by("b", VIP);
}

/// What cannot be had is told before anything changes.
#[test]
fn names_and_macs_that_cannot_be_had_are_refused() {
    if !lab::privileged(names_and_macs_that_cannot_be_had_are_refused) {
        return;
    }
    let stage = Stage::with_networks(2);
    let host = stage.lan.host("a");
    run(host, "ip link add taken link eth0 type macvlan mode private");
    // A text that looks like ours, on what is not.
    run(host, "ip tuntap add dev foreign mode tap");
    run(host, "ip link set foreign alias vrrpctl/uplink");
    let refused = |instances: &[Instance], words: &str| {
        let mut daemon = stage.start(Vrrpctl, "a", instances);
        let status = daemon.process.wait(PATIENCE).unwrap();
        assert_eq!(status.code(), Some(2), "{}", daemon.log());
        assert!(daemon.said("E085") && daemon.said(words), "{}", daemon.log());
        assert_eq!(macvlans(host).len(), 1, "{:?}", macvlans(host));
    };
    refused(&[Instance::new(WEAK).with("use_vmac taken")], "an interface `taken` exists already");
    let second = Instance::new(WEAK).called("VI_2", 51, VIP2).with("use_vmac same");
    refused(
        &[Instance::new(WEAK).with("use_vmac same"), second],
        "`same` is the name of another interface of this configuration",
    );
    let elsewhere = Instance::new(WEAK).called("VI_2", 50, VIP2).on("eth1").addresses(&["10.9.0.101 dev eth0"]);
    refused(
        &[Instance::new(WEAK).with("use_vmac"), elsewhere.with("use_vmac").with("use_vmac_addr")],
        "another instance has a virtual interface with the same MAC address on `eth0`",
    );
    run(host, "ip tuntap add dev tunnel mode tun");
    run(host, "ip address add 192.0.2.1/24 dev tunnel");
    refused(&[Instance::new(WEAK).on("tunnel").with("use_vmac")], "`tunnel` has no Ethernet address");
    let mut plain = stage.vrrpctl("a", Instance::new(STRONG));
    stage.held_by("a", VIP);
    plain.stop();
    assert!(run(host, "ip -o link").contains("foreign:"));
}

/// Adverts and clients reach a virtual interface, to which no route leads.
#[test]
fn a_host_that_filters_by_reverse_path_serves_by_a_virtual_mac_address() {
    if !lab::privileged(a_host_that_filters_by_reverse_path_serves_by_a_virtual_mac_address) {
        return;
    }
    let stage = Stage::new();
    for host in ["a", "b"] {
        for interface in ["all", "default", "eth0"] {
            run(stage.lan.host(host), &format!("sysctl -qw net.ipv4.conf.{interface}.rp_filter=1"));
        }
    }
    let own = |priority| Instance::new(priority).with("use_vmac");
    let weak = stage.vrrpctl("b", own(WEAK));
    stage.held_by("b", VIP);
    let mut strong = stage.vrrpctl("a", own(STRONG));
    stage.held_by("a", VIP);
    let since = Instant::now();
    let client = stage.client(VIP);
    eventually("the client is served", || client.replies(since) > 50);
    assert_eq!(setting(stage.lan.host("a"), "ipv4", "all", "rp_filter"), "1");
    // The weaker one has heard the claim at its virtual interface, which was up.
    assert_eq!(weak.count("entering backup state"), 2);
    strong.stop();
    stage.held_by("b", VIP);
}

/// Not every kernel has ipvlans; one that has none says so, with the place, and nothing stays.
#[test]
fn an_ipvlan_is_made_or_refused_with_its_place() {
    if !lab::privileged(an_ipvlan_is_made_or_refused_with_its_place) {
        return;
    }
    let stage = Stage::new();
    let host = stage.lan.host("a");
    let mut a = stage.vrrpctl("a", Instance::new(STRONG).with("use_ipvlan ipv0 10.9.0.42/24 private"));
    let known = || run(host, "ip -d -o link show").contains("ipvlan");
    eventually("it has begun or given up", || a.said("entering backup state") || a.said("error"));
    if known() {
        let meter = meter::Meter::start(stage.lan.host("client"));
        stage.held_by("a", VIP);
        stage.client(VIP);
        eventually("adverts from its address", || {
            meter.heard().iter().any(|one| one.source == std::net::Ipv4Addr::new(10, 9, 0, 42))
        });
        a.stop();
    } else {
        assert_eq!(a.process.wait(PATIENCE).and_then(|status| status.code()), Some(1), "{}", a.log());
        assert!(
            a.said("-0.conf:15: cannot create the ipvlan") && a.said("this kernel has no ipvlan; remove `use_ipvlan`"),
            "{}",
            a.log()
        );
    }
    assert!(!known() && stage.holders_of(VIP).is_empty());
}
