//! Addresses that do not answer (RFC 9568's Accept_Mode, and VRRPv2): what is dropped and what is not, for either make, and
//! what becomes of the table of nftables.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use nix::sys::signal::Signal;
use vrrp_cli::lab::{self, Prober};

use crate::common::Kind::{Keepalived, Vrrpctl};
use crate::common::*;

const OWNED: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 110);
const STRICT: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 120);
const EXCLUDED: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 130);
const SILENT6: Ipv6Addr = Ipv6Addr::new(0xfd00, 9, 0, 0, 0, 0, 0, 0x100);
/// Behind host `b`, for what goes through the virtual router.
const BEYOND: &str = "198.51.100.1";
const BEYOND6: &str = "2001:db8:1::1";

/// Absence: longer than a LAN takes to answer, also on a busy machine.
const A_WHILE: Duration = Duration::from_millis(1500);

/// How a connection to a port where nobody listens ends: with an answer, or with none.
#[derive(PartialEq, Eq, Debug)]
enum Port {
    Refused,
    Silent,
}

fn port(stage: &Stage, address: impl Into<IpAddr>) -> Port {
    let target = SocketAddr::new(address.into(), 9);
    let connect = || TcpStream::connect_timeout(&target, A_WHILE);
    let outcome = stage.lan.host("client").namespace().run(connect).unwrap();
    match outcome.unwrap_err().kind() {
        std::io::ErrorKind::ConnectionRefused => Port::Refused,
        std::io::ErrorKind::TimedOut => Port::Silent,
        other => panic!("{target}: {other}"),
    }
}

fn rules(stage: &Stage, host: &str) -> String {
    stage.shell(host, "nft -s list ruleset")
}

fn silent_and_not() -> [Instance; 4] {
    let plain = |priority, name: &str, vrid, address: Ipv4Addr| {
        Instance::new(priority).password(None).called(name, vrid, address)
    };
    let six = plain(STRONG, "VI_6", 51, VIP).with("version 3\n    no_accept");
    [
        plain(STRONG, "VI_1", 50, VIP).with("no_accept").with(format!("virtual_ipaddress_excluded {{\n{EXCLUDED}\n}}")),
        six.addresses(&["fe80::100/64", &format!("{SILENT6}/64")]),
        plain(STRONG, "VI_S", 52, STRICT).with("strict_mode"),
        plain(255, "VI_O", 53, OWNED).with("no_accept"),
    ]
}

#[test]
fn addresses_are_silent_while_everything_else_goes_on() {
    if tool("nft").is_some()
        && tool("keepalived").is_some()
        && lab::privileged(addresses_are_silent_while_everything_else_goes_on)
    {
        side_by_side([Vrrpctl, Keepalived], silence);
    }
}

fn silence(make: Kind) {
    let stage = Stage::new();
    // What goes through the virtual router comes back on another way.
    stage.shell(
        "a",
        &format!(
            "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; \
        ip route add {BEYOND} via 10.9.0.3; ip route add {BEYOND6} via fd00:9::3"
        ),
    );
    stage.shell("b", &format!("ip address add {BEYOND}/32 dev lo; ip address add {BEYOND6}/128 dev lo"));
    let mut a = stage.start(make, "a", &silent_and_not());
    for address in [ip(VIP), ip(EXCLUDED), ip(SILENT6), ip(STRICT), ip(OWNED)] {
        stage.held_by("a", address);
    }
    stage.shell("client", &format!("ip route add {BEYOND} via {VIP}; ip route add {BEYOND6} via fe80::100 dev eth0"));

    for address in [ip(VIP), ip(EXCLUDED), ip(SILENT6), ip(STRICT)] {
        let prober = Prober::start(stage.lan.host("client"), address, Duration::from_millis(20)).unwrap();
        assert_eq!(port(&stage, address), Port::Silent, "{address}");
        assert!(prober.last_reply().is_none(), "{address} answers");
        let known = stage.shell("client", &format!("ip neighbour show {address} dev eth0"));
        assert!(known.contains(&stage.mac("a")), "ARP and neighbour discovery work: {known}");
    }
    assert_eq!(port(&stage, OWNED), Port::Refused, "the owner answers");
    assert_eq!(port(&stage, Ipv4Addr::new(10, 9, 0, 2)), Port::Refused, "the host answers");
    stage.client(OWNED);
    for beyond in [BEYOND, BEYOND6] {
        stage.client(beyond.parse::<IpAddr>().unwrap());
    }
    let shown = rules(&stage, "a");
    a.stop();
    assert_eq!(rules(&stage, "a"), "", "nothing is left of\n{shown}");
}

#[test]
fn the_table_is_put_back_and_survives_its_daemon_no_longer_than_needed() {
    if tool("nft").is_none() || !lab::privileged(the_table_is_put_back_and_survives_its_daemon_no_longer_than_needed) {
        return;
    }
    let stage = Stage::new();
    let silent = || Instance::new(STRONG).with("no_accept");
    stage.shell("a", "nft add table inet other; nft add chain inet other c");
    let other = rules(&stage, "a");
    let mut a = stage.unguarded("a", "first", &silent().to_string());
    a.is_backup();
    let whole = rules(&stage, "a");
    assert!(
        whole.contains("table inet vrrpctl") && whole.contains("10.9.0.100"),
        "it is there before any takeover: {whole}"
    );
    stage.held_by("a", VIP);
    assert_eq!(rules(&stage, "a"), whole, "and does not change with it");

    let changes = [
        "delete table inet vrrpctl",
        "flush chain inet vrrpctl vrrp_input",
        "delete element inet vrrpctl ipv4 { 10.9.0.100 }",
        "insert rule inet vrrpctl vrrp_input accept",
    ];
    for (change, times) in changes.iter().zip(1..) {
        stage.shell("a", &format!("nft '{change}'"));
        a.says("the table inet vrrpctl of nftables was changed or removed by somebody else: put back", times);
        eventually(change, || rules(&stage, "a") == whole);
    }
    assert_eq!(port(&stage, VIP), Port::Silent);

    // A second daemon, which serves another router on this host.
    let second = || silent().called("VI_2", 60, VIP2);
    let mut refused = stage.vrrpctl("a", second());
    assert_eq!(refused.process.wait(PATIENCE).and_then(|status| status.code()), Some(2));
    refused.says("error[E082]: another vrrpctl keeps the table inet vrrpctl of nftables", 1);
    let mut named = stage.start_with(Vrrpctl, "a", &[second()], "instance east\n");
    stage.held_by("a", VIP2);
    assert!(rules(&stage, "a").contains("table inet vrrpctl_east"));
    // One that needs no table leaves theirs alone.
    let mut open = stage.vrrpctl("a", Instance::new(STRONG).called("VI_3", 61, OWNED));
    open.is_backup();
    open.stop();
    named.stop();
    assert_eq!(rules(&stage, "a"), whole);

    a.process.signal(Signal::SIGKILL).unwrap();
    a.process.wait(PATIENCE).unwrap();
    assert_eq!(rules(&stage, "a"), whole, "what guards the address stays as long as the address");
    assert_eq!(stage.holders_of(VIP), ["a"]);
    stage.shell("a", "nft add rule inet vrrpctl vrrp_output accept");
    let mut a = stage.unguarded("a", "second", &silent().to_string());
    a.is_backup();
    assert_eq!(rules(&stage, "a"), whole, "and is repaired at the next start");
    stage.held_by("a", VIP);
    a.process.signal(Signal::SIGKILL).unwrap();
    a.process.wait(PATIENCE).unwrap();
    let mut a = stage.vrrpctl("a", Instance::new(STRONG));
    a.says("the table inet vrrpctl of nftables was left by a predecessor: removed", 1);
    assert_eq!(rules(&stage, "a"), other);
    stage.client(VIP);
    a.stop();

    let mut foreign = stage.start_with(Vrrpctl, "a", &[silent()], "global_defs {\nnftables other\n}\n");
    assert_eq!(foreign.process.wait(PATIENCE).and_then(|status| status.code()), Some(2));
    foreign.says("error[E082]: there is a table inet other of nftables already, which vrrpctl has not made", 1);
    assert_eq!(rules(&stage, "a"), other);
}

/// The check says it, and nothing is started. The file is another's to install, so that it is an error where it is to run.
#[test]
fn without_nft_a_file_that_needs_it_is_refused() {
    if tool("nft").is_none() || !lab::privileged(without_nft_a_file_that_needs_it_is_refused) {
        return;
    }
    let stage = Stage::new();
    let (silent, open) = (Instance::new(STRONG).with("no_accept"), Instance::new(STRONG));
    let [silent, open] =
        [("silent.conf", silent), ("open.conf", open)].map(|(name, instance)| stage.file(name, &instance.to_string()));
    let hidden = |words: &str| {
        let folders = "/usr/sbin /sbin /usr/local/sbin /usr/bin /bin /usr/local/bin";
        let hide = format!(
            "for folder in {folders}; do [ ! -e $folder/nft ] || mount --bind /dev/null $folder/nft || exit 99; done"
        );
        let script = format!("{hide}; {} {words}; echo status $?", env!("CARGO_BIN_EXE_vrrpctl"));
        stage.shell("a", &format!("unshare -m sh -c '{script}' 2>&1"))
    };
    let said = hidden(&format!("check {}", silent.display()));
    assert!(said.contains("error[E081]: it shall not answer at its addresses") && said.contains("status 2"), "{said}");
    let said = hidden(&format!("check {}", open.display()));
    assert!(said.contains("nothing to complain about") && said.contains("status 0"), "{said}");
    let said = hidden(&format!("check {} {}", silent.display(), open.display()));
    assert!(!said.contains("E081"), "files of several hosts: {said}");
    let said = hidden(&format!("run -f {}", silent.display()));
    assert!(said.contains("error[E081]: it shall not answer at its addresses") && said.contains("status 2"), "{said}");
}
