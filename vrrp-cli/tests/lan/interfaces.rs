//! Interfaces that change under a router: made anew, renamed, with another address, another MAC address, another MTU; also
//! while the daemon does not run, so that it hears of all of it at once, or only that there was too much to hear.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use vrrp_cli::lab;

use crate::common::Kind::Vrrpctl;
use crate::common::*;

const OTHER: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 1);

/// What is done while the daemon does not run.
fn behind_its_back(daemon: &mut Daemon, work: impl FnOnce()) {
    daemon.process.signal_all(Signal::SIGSTOP).unwrap();
    work();
    daemon.process.signal_all(Signal::SIGCONT).unwrap();
}

/// The interfaces of `host` that have `address`.
fn places(stage: &Stage, host: &str, address: Ipv4Addr) -> String {
    stage.shell(host, &format!("ip -o -4 addr show to {address} | cut -d' ' -f2 | tr '\\n' ' '")).trim().to_owned()
}

/// More than the socket can keep: what comes afterwards is lost, and what was queued before is old.
#[test]
fn news_that_was_lost_is_looked_up() {
    if !lab::privileged(news_that_was_lost_is_looked_up) {
        return;
    }
    let stage = Stage::new();
    let own = stage.lan.host("a").address(0);
    let routing = "virtual_routes {\n        10.70.0.0/16 dev eth0\n    }\n    virtual_rules {\n        from 10.66.0.0/16 lookup 66 priority 6666\n    }";
    let mut a = stage.vrrpctl("a", Instance::new(STRONG).with(routing));
    stage.held_by("a", VIP);
    a.says("entering master state", 1);
    let noise = |rounds| {
        let lines = |word| format!("seq 250 | sed 's/.*/addr {word} 198.18.0.&\\/32 dev lo/'");
        let (add, del) = (lines("add"), lines("del"));
        stage.shell("a", &format!("for i in $(seq {rounds}); do {{ {add}; {del}; }} | ip -batch -; done"));
    };
    behind_its_back(&mut a, || {
        noise(5);
        stage.shell("a", &format!("ip addr del {own}/24 dev eth0"));
        noise(40);
        stage.shell("a", &format!("ip addr add {own}/24 dev eth0; ip addr del {VIP}/32 dev eth0"));
        stage.shell("a", "ip route del 10.70.0.0/16; ip rule del priority 6666");
    });
    a.says("news about interfaces was lost", 1);
    stage.held_by("a", VIP);
    for (what, list) in [("10.70.0.0/16", "ip route"), ("10.66.0.0/16", "ip rule")] {
        eventually(&format!("{what} is put back"), || stage.shell("a", list).contains(what));
    }
    // Absence: what is old would be believed at once, and for ever.
    never("it is in fault", SLACK, || a.said("entering fault state"));
    stage.held_by("a", VIP);
    a.stop();
    assert!(stage.holders_of(VIP).is_empty());
}

/// Where the old one is known by its number alone.
#[test]
fn another_interface_may_take_the_name() {
    if !lab::privileged(another_interface_may_take_the_name) {
        return;
    }
    let stage = Stage::new();
    let own = stage.lan.host("a").address(0);
    let mut a = stage.vrrpctl("a", Instance::new(STRONG));
    stage.held_by("a", VIP);
    behind_its_back(&mut a, || {
        stage.shell(
            "a",
            "ip link set eth0 name old0 && ip link add eth0 type veth peer name far0 && ip link set far0 up \
             && ip link set eth0 up && ip addr add 10.9.0.77/24 dev eth0",
        );
    });
    eventually("the address is on the new interface alone", || places(&stage, "a", VIP) == "eth0");
    behind_its_back(&mut a, || {
        stage.shell("a", "ip link del eth0 && ip link set old0 name eth0");
    });
    eventually("the address is on the old interface again", || places(&stage, "a", VIP) == "eth0");
    assert!(stage.shell("a", "ip addr show dev eth0").contains(&own.to_string()));
    stage.client(VIP);
    a.stop();
    assert!(stage.holders_of(VIP).is_empty());
}

/// An interface that is too small for IPv6 forgets its groups; who goes on listening there hears nobody.
#[test]
fn ipv6_is_heard_again_behind_a_small_mtu() {
    if !lab::privileged(ipv6_is_heard_again_behind_a_small_mtu) {
        return;
    }
    let stage = Stage::new();
    let of = |priority| Instance::new(priority).password(None).addresses(&["fe80::100/64"]);
    let mut a = stage.vrrpctl("a", of(STRONG));
    a.says("entering master state", 1);
    let mut b = stage.vrrpctl("b", of(WEAK));
    b.is_backup();
    let local = stage.lan.host("b").link_local();
    let back = format!("ip link set eth0 mtu 1500 && ip addr add {local}/64 dev eth0 nodad");
    stage.shell("b", "ip link set eth0 mtu 1200");
    b.says("entering fault state: its interface has no usable link-local ipv6 address to send from", 1);
    stage.shell("b", &back);
    b.says("entering backup state", 2);
    // Absence: it would take over.
    never("it hears nobody", master_down(WEAK) + SLACK, || b.said("entering master state"));
    behind_its_back(&mut b, || {
        stage.shell("b", &format!("ip link set eth0 mtu 1200 && {back}"));
    });
    never("it hears nobody, though all looks as before", master_down(WEAK) + SLACK, || b.said("entering master state"));
    a.stop();
    b.says("entering master state", 1);
    b.stop();
}

/// As bridges and bonds do when a port comes or goes.
#[test]
fn clients_learn_another_mac_address() {
    if !lab::privileged(clients_learn_another_mac_address) {
        return;
    }
    let stage = Stage::new();
    let mut a = stage.vrrpctl("a", Instance::new(STRONG));
    stage.held_by("a", VIP);
    let client = stage.client(VIP);
    a.says("entering master state", 1);
    eventually("it has settled", || stage.neighbour(VIP) == Some(stage.mac("a")));
    // The rounds of the takeover are over.
    lab::wait_until(Duration::from_secs(6), || false);
    let mac = "02:00:00:00:77:01";
    stage.shell("a", &format!("ip link set eth0 address {mac}"));
    let began = Instant::now();
    eventually("the client sends there", || stage.neighbour(VIP).as_deref() == Some(mac));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}: told, not found out", began.elapsed());
    eventually("it is answered", || client.last_reply().is_some_and(|at| at > began));
    assert_eq!(a.count("entering"), 2, "{}", a.log());
    a.stop();
}

/// Neither waits for the next try, which may be minutes away.
#[test]
fn what_was_refused_is_tried_when_its_interface_is_made_anew() {
    if !lab::privileged(what_was_refused_is_tried_when_its_interface_is_made_anew) {
        return;
    }
    let stage = Stage::new();
    let make = "ip link add other0 type veth peer name other1";
    stage.shell("a", &format!("{make}; sysctl -qw net.ipv6.conf.other0.disable_ipv6=1"));
    let excluded = "virtual_ipaddress_excluded {\n        fd00:8::1 dev other0\n    }";
    let mut a = stage.vrrpctl("a", Instance::new(255).with(excluded));
    a.says("entering fault state: the kernel refused its addresses", 1);
    stage.shell("a", &format!("ip link del other0; {make}"));
    let began = Instant::now();
    stage.held_by("a", VIP);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    a.stop();
}

/// Not only when it is to be served: who cannot, does not claim.
#[test]
fn a_backup_without_the_interface_of_an_address_does_not_take_over() {
    if !lab::privileged(a_backup_without_the_interface_of_an_address_does_not_take_over) {
        return;
    }
    let stage = Stage::new();
    let make = "ip link add other0 type veth peer name other1";
    for host in ["a", "b"] {
        stage.shell(host, make);
    }
    let of = |priority| Instance::new(priority).addresses(&[&format!("{OTHER} dev other0")]);
    let mut a = stage.start(Vrrpctl, "a", &[of(STRONG)]);
    stage.held_by("a", OTHER);
    let mut b = stage.start(Vrrpctl, "b", &[of(WEAK)]);
    b.is_backup();
    stage.shell("b", "ip link del other0");
    b.says("entering fault state: an interface of its addresses does not exist", 1);
    a.stop();
    never("it claims", master_down(WEAK), || b.said("entering master state"));
    stage.shell("b", make);
    stage.held_by("b", OTHER);
    b.stop();
}

/// Where adverts are sent from their interface, and where from a virtual one on top of it.
#[test]
fn an_interface_that_is_absent_at_the_start_is_waited_for() {
    if !lab::privileged(an_interface_that_is_absent_at_the_start_is_waited_for) {
        return;
    }
    let stage = Stage::new();
    let host = stage.lan.host("a");
    let instances = [Instance::new(STRONG), Instance::new(STRONG).called("VI_2", 51, VIP2).with("use_vmac")];
    stage.shell("a", "ip link set eth0 name away0");
    let mut refused = stage.start(Vrrpctl, "a", &instances);
    refused.says("error[E060]: interface `eth0` does not exist on this host", 1);
    assert_eq!(refused.process.wait(PATIENCE).and_then(|status| status.code()), Some(2));

    let dynamic = "global_defs {\n    dynamic_interfaces\n}\n";
    let mut a = stage.start_with(Vrrpctl, "a", &instances, dynamic);
    a.says("interface `eth0` does not exist on this host: it is waited for", 1);
    a.says("entering fault state: its interface does not exist", 2);
    stage.shell("a", "ip link set away0 name eth0");
    for address in [VIP, VIP2] {
        stage.held_by("a", address);
    }
    assert!(stage.shell("a", "ip -d link show type macvlan").contains("00:00:5e:00:01:33"));

    // Into another network namespace and back, which takes everything from it, also who listens there; its number it keeps.
    let strong = [Instance::new(200), Instance::new(200).called("VI_2", 51, VIP2).with("use_vmac")];
    let mut b = stage.start(Vrrpctl, "b", &strong);
    for address in [VIP, VIP2] {
        stage.held_by("b", address);
    }
    stage.shell("a", "ip link set eth0 name moved0");
    a.says("entering fault state: its interface does not exist", 4);
    let sleep = |host| stage.lan.host(host).spawn(Command::new("sleep").arg("600")).unwrap();
    let (elsewhere, here) = (sleep("client"), sleep("a"));
    stage.shell("a", &format!("ip link set moved0 netns {}", elsewhere.id()));
    stage.shell("client", &format!("ip link set moved0 netns {}", here.id()));
    let (own, claims) = (host.address(0), a.count("entering master state"));
    stage.shell("a", &format!("ip link set moved0 name eth0 && ip addr add {own}/24 dev eth0 && ip link set eth0 up"));
    a.says("entering backup state", 6);
    // Absence: it would take over.
    never("it hears nobody", master_down(STRONG) + SLACK, || a.count("entering master state") > claims);
    b.stop();
    for address in [VIP, VIP2] {
        stage.held_by("a", address);
    }
    a.stop();
    assert!(stage.holders_of(VIP).is_empty() && stage.holders_of(VIP2).is_empty());
}

/// Without delays: each time counts.
#[test]
fn a_link_that_flaps_brings_no_second_holder() {
    if !lab::privileged(a_link_that_flaps_brings_no_second_holder) {
        return;
    }
    let stage = Stage::new();
    let mut a = stage.vrrpctl("a", Instance::new(STRONG));
    a.is_backup();
    let mut b = stage.vrrpctl("b", Instance::new(WEAK));
    stage.held_by("a", VIP);
    let watch = stage.watch(VIP);
    let began = Instant::now();
    for _ in 0..5 {
        stage.lan.cut("a", 0).unwrap();
        lab::wait_until(Duration::from_millis(300), || false);
        stage.lan.mend("a", 0).unwrap();
        lab::wait_until(Duration::from_millis(300), || false);
    }
    stage.held_by("a", VIP);
    a.says("entering master state", 2);
    stage.held_by("a", VIP);
    assert!(watch.both(began) < Duration::from_millis(300), "{:?}", watch.both(began));
    a.stop();
    stage.held_by("b", VIP);
    b.stop();
}
