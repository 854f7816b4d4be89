//! Make-before-break: what clients notice of a planned stop, and what ends it early.

use std::io::Write;
use std::net::{IpAddr, Ipv6Addr};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use vrrp_cli::lab::{self, Host, Prober};

use crate::common::Kind::{Keepalived, Vrrpctl};
use crate::common::*;
use crate::policy::{GROUP, address, on};

const VIP6: Ipv6Addr = Ipv6Addr::new(0xfd00, 9, 0, 0, 0, 0, 0, 0x100);
pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// The most that a client may notice here: far below the Skew_Time (0.6 s) of an address that is nobody's, far above what it
/// notices when the machine has nothing else to do.
const BARELY: Duration = Duration::from_millis(150);
/// The same with a virtual MAC address: from the successor's first advert on, which the switch goes by, until it has the
/// addresses, nobody serves them, and on a busy machine that takes as long as a thread waits for a processor.
const BARELY_BY_VMAC: Duration = Duration::from_millis(450);

/// The longest that a client may be silent which resolves all through the hand-over, and may be answered by either host.
const FORGETFUL: Duration = Duration::from_millis(50);

/// How the address is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Way {
    pub(crate) ipv6: bool,
    /// By a virtual MAC address.
    pub(crate) vmac: bool,
}

const PLAIN: Way = Way { ipv6: false, vmac: false };
const PLAIN_V6: Way = Way { ipv6: true, vmac: false };
pub(crate) const VMAC: Way = Way { ipv6: false, vmac: true };
pub(crate) const VMAC_V6: Way = Way { ipv6: true, vmac: true };

/// The virtual router, and the address that its client asks.
pub(crate) fn instance(priority: u8, way: Way) -> (Instance, IpAddr) {
    let plain = Instance::new(priority);
    let instance = if way.vmac { plain.with("use_vmac") } else { plain };
    if way.ipv6 {
        let lines = ["fe80::100/64", "fd00:9::100/64"];
        (instance.password(None).with("version 3").addresses(&lines), VIP6.into())
    } else {
        (instance, VIP.into())
    }
}

/// The longest silences at a planned stop.
#[derive(Clone, Copy, Debug)]
struct Silences {
    /// What a client notices.
    client: Duration,
    /// What it notices when the one that was stopped comes back, which it does not after the last stop.
    back: Option<Duration>,
    /// One that forgets every 5 ms where its neighbours are.
    forgetful: Duration,
    /// The same one, from an address that does not move: what the machine and the forgetting take by themselves.
    control: Duration,
}

/// What the clients on `client` and on `other` notice in each of `stops` planned stops of ours.
fn silences(successor: Kind, way: Way, stops: usize) -> Vec<Silences> {
    let stage = Stage::with_two_clients();
    let (ours, address) = instance(STRONG, way);
    let mut a = stage.vrrpctl("a", ours.clone());
    a.is_backup();
    let b = stage.start(successor, "b", &[instance(WEAK, way).0]);
    stage.held_by("a", address);
    let near = Prober::start(stage.lan.host("client"), address, MILLISECOND).unwrap();
    let fixed = stage.lan.host("client");
    let fixed = if way.ipv6 { IpAddr::V6(fixed.address_v6(0)) } else { IpAddr::V4(fixed.address(0)) };
    let [other, control] =
        [address, fixed].map(|target| Prober::start(stage.lan.host("other"), target, MILLISECOND).unwrap());
    let forgets = AtomicBool::new(true);
    let mut measured = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| forget(stage.lan.host("other"), [address, fixed], &forgets));
        // The other thread ends also when an assertion fails here.
        let _end = Unset(&forgets);
        for stop in 1..=stops {
            answers(&[&near, &other, &control]);
            let asked = Instant::now();
            a.stop();
            stage.held_by("b", address);
            answers(&[&near, &other, &control]);
            let [client, forgetful, control] = [&near, &other, &control].map(|one| one.longest_silence(asked));
            let mut silences = Silences { client, back: None, forgetful, control };
            if stop < stops {
                let started = Instant::now();
                a = stage.vrrpctl("a", ours.clone());
                stage.held_by("a", address);
                b.says("entering backup state", stop + 1);
                answers(&[&near]);
                silences.back = Some(near.longest_silence(started));
            }
            measured.push(silences);
        }
    });
    measured
}

struct Unset<'f>(&'f AtomicBool);

impl Drop for Unset<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Waits until each client has had a good number of answers.
#[track_caller]
pub(crate) fn answers(clients: &[&Prober]) {
    let since = Instant::now();
    eventually("the clients are answered", || clients.iter().all(|client| client.replies(since) > 200));
}

/// Deletes the host's entries for some addresses every 5 ms.
fn forget(host: &Host, addresses: [IpAddr; 2], goes_on: &AtomicBool) {
    let mut command = Command::new("ip");
    command.args(["-force", "-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut ip = host.namespace().command(&mut command).unwrap().spawn().unwrap();
    let mut lines = ip.stdin.take().unwrap();
    while goes_on.load(Ordering::Relaxed) {
        for address in addresses {
            writeln!(lines, "neighbour flush to {address} dev eth0").unwrap();
        }
        thread::sleep(Duration::from_millis(5));
    }
    drop(lines);
    ip.wait().unwrap();
}

fn check(successor: Kind, way: Way) {
    for silences in silences(successor, way, 2) {
        let most = if way.vmac { BARELY_BY_VMAC } else { BARELY };
        between("the client's silence at a planned stop", silences.client, Duration::ZERO, most);
        if let Some(back) = silences.back {
            between("the client's silence at the return", back, Duration::ZERO, most);
        }
        if way.vmac {
            continue;
        }
        // Each prober leaves out the time in which it did not run; what the machine takes besides, the fixed address shows.
        let most = FORGETFUL + silences.control;
        between("a client's that forgets its neighbours", silences.forgetful, Duration::ZERO, most);
    }
}

#[test]
fn a_planned_stop_is_barely_noticed() {
    if lab::privileged(a_planned_stop_is_barely_noticed) {
        check(Vrrpctl, PLAIN);
    }
}

#[test]
fn a_planned_stop_is_barely_noticed_with_keepalived_as_successor() {
    if lab::privileged(a_planned_stop_is_barely_noticed_with_keepalived_as_successor) && tool("keepalived").is_some() {
        check(Keepalived, PLAIN);
    }
}

#[test]
fn a_planned_stop_is_barely_noticed_over_ipv6() {
    if lab::privileged(a_planned_stop_is_barely_noticed_over_ipv6) {
        let makes = [Vrrpctl, Keepalived].into_iter().filter(|make| *make == Vrrpctl || tool("keepalived").is_some());
        makes.for_each(|successor| check(successor, PLAIN_V6));
    }
}

/// A sync group stops as a whole: each of its addresses is there all the time.
#[test]
fn a_group_is_handed_over_as_one() {
    if !lab::privileged(a_group_is_handed_over_as_one) {
        return;
    }
    let makes = [Vrrpctl, Keepalived].into_iter().filter(|make| *make == Vrrpctl || tool("keepalived").is_some());
    side_by_side(makes, |successor| {
        let stage = Stage::with_networks(2);
        let networks = [0, 1];
        let mut a = stage.start_with(Vrrpctl, "a", &networks.map(|network| on(network, STRONG)), GROUP);
        a.is_backup();
        let b = stage.start_with(successor, "b", &networks.map(|network| on(network, WEAK)), GROUP);
        for network in networks {
            stage.held_by("a", address(network));
        }
        b.is_backup();
        let clients = networks.map(|network| stage.client(address(network)));
        let asked = Instant::now();
        a.stop();
        for network in networks {
            stage.held_by("b", address(network));
        }
        answers(&clients.each_ref());
        for (network, client) in networks.into_iter().zip(&clients) {
            between("the client's silence at a planned stop", client.longest_silence(asked), Duration::ZERO, BARELY);
            a.says(&format!("(VI_{network}) {} is handed over to", address(network)), 1);
        }
    });
}

#[test]
fn a_planned_stop_is_barely_noticed_with_a_virtual_mac_address() {
    if lab::privileged(a_planned_stop_is_barely_noticed_with_a_virtual_mac_address) {
        let all = [(Vrrpctl, VMAC), (Keepalived, VMAC_V6)];
        side_by_side(
            all.into_iter().filter(|(make, _)| *make == Vrrpctl || tool("keepalived").is_some()),
            |(make, way)| {
                check(make, way);
            },
        );
    }
}

/// Stops and returns. What an idle machine shows: `cargo test --release -p vrrp-cli --test lan handover -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes, and judges milliseconds: for an idle machine"]
fn twenty_stops_each_are_not_noticed() {
    if !lab::privileged(twenty_stops_each_are_not_noticed) {
        return;
    }
    let mut late = Vec::new();
    let makes = [Vrrpctl, Keepalived].into_iter().filter(|make| *make == Vrrpctl || tool("keepalived").is_some());
    let all = makes.flat_map(|make| [PLAIN, PLAIN_V6, VMAC, VMAC_V6].map(|way| (make, way)));
    for (successor, way) in all {
        let measured = silences(successor, way, 21);
        let longest = |of: fn(&Silences) -> Duration| measured.iter().map(of).max().unwrap();
        let (client, other) =
            (longest(|one| one.client.max(one.back.unwrap_or_default())), longest(|one| one.forgetful));
        eprintln!("{successor:?}, {way:?}: at most {client:?}, forgetful {other:?}: {measured:?}");
        let most = Duration::from_millis(if way.vmac { 15 } else { 8 });
        if client > most || other > FORGETFUL {
            late.push((successor, way, client, other));
        }
    }
    assert!(late.is_empty(), "{late:?}");
}

/// A router that is master at once and, stopped without a successor, holds on for the longest time there is, 5 s.
fn patient() -> Instance {
    Instance::new(255).password(None).with("version 3").with("advert_int 5")
}

fn master() -> (Stage, Daemon) {
    let stage = Stage::new();
    let a = stage.vrrpctl("a", patient());
    stage.held_by("a", VIP);
    // By now the daemon, too, has heard that the address is there.
    let (client, installed) = (stage.client(VIP), Instant::now());
    eventually("the client is served", || client.replies(installed) > 50);
    (stage, a)
}

#[test]
fn without_a_successor_it_ends_when_the_weakest_would_have_come() {
    if !lab::privileged(without_a_successor_it_ends_when_the_weakest_would_have_come) {
        return;
    }
    let (stage, mut a) = master();
    let client = stage.client(VIP);
    let asked = Instant::now();
    let took = a.stop();
    between("the stop", took, 5 * SECOND, 5 * SECOND + SLACK);
    assert!(stage.holders_of(VIP).is_empty());
    assert!(client.replies(asked + 3 * SECOND) > 100, "it was answered until then");
}

/// How long a stop takes in which something else happens a second after it was asked for.
fn stop_and(happens: impl FnOnce(&Stage, &mut Daemon)) -> (Duration, Stage, Daemon) {
    let (stage, mut a) = master();
    let asked = Instant::now();
    a.process.terminate().unwrap();
    a.says("(VI_1) stopped", 1);
    // Past the time in which one request to stop may arrive twice.
    eventually("a second has passed", || asked.elapsed() > SECOND);
    assert_eq!(stage.holders_of(VIP), ["a"], "it waits for a successor");
    happens(&stage, &mut a);
    let status = a.process.wait(PATIENCE);
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    assert!(stage.holders_of(VIP).is_empty());
    (asked.elapsed(), stage, a)
}

#[test]
fn a_second_signal_ends_it_at_once() {
    if !lab::privileged(a_second_signal_ends_it_at_once) {
        return;
    }
    let (took, _stage, a) = stop_and(|_, a| a.process.signal(Signal::SIGTERM).unwrap());
    between("a stop that was asked for twice", took, SECOND, SECOND + SLACK);
    assert!(a.said("asked again"));
}

#[test]
fn a_link_that_goes_down_ends_it_at_once() {
    if !lab::privileged(a_link_that_goes_down_ends_it_at_once) {
        return;
    }
    let (took, ..) = stop_and(|stage, _| stage.lan.cut("a", 0).unwrap());
    between("a stop in which the link goes down", took, SECOND, SECOND + SLACK);
}

#[test]
fn after_a_fault_nothing_is_held_on_to() {
    if !lab::privileged(after_a_fault_nothing_is_held_on_to) {
        return;
    }
    let (stage, a) = master();
    let watch = stage.watch(VIP);
    let cut = Instant::now();
    stage.lan.cut("a", 0).unwrap();
    a.says("entering fault state", 1);
    eventually("the watch has seen it", || !watch.moves().is_empty());
    between("until the address was gone", watch.moves()[0].at - cut, Duration::ZERO, SLACK);
}

#[test]
fn handover_immediate_switches_it_off() {
    if !lab::privileged(handover_immediate_switches_it_off) {
        return;
    }
    let stage = Stage::new();
    let mut a = stage.vrrpctl("a", patient().with("handover immediate"));
    stage.held_by("a", VIP);
    between("the stop", a.stop(), Duration::ZERO, SLACK);
    let text = format!("global_defs {{\n    handover immediate\n}}\n{}", patient());
    let mut a = Daemon::start(Vrrpctl, stage.lan.host("a"), &stage.file("global.conf", &text));
    stage.held_by("a", VIP);
    between("the stop", a.stop(), Duration::ZERO, SLACK);
    let text = format!("global_defs {{\n    handover immediate\n}}\n{}", patient().with("handover announced"));
    let mut a = Daemon::start(Vrrpctl, stage.lan.host("a"), &stage.file("instance.conf", &text));
    stage.held_by("a", VIP);
    between("the stop", a.stop(), 5 * SECOND, 5 * SECOND + SLACK);
}

/// The addresses of a router go one by one, each when somebody has announced it.
#[test]
fn one_address_is_handed_over_and_the_other_waits() {
    if !lab::privileged(one_address_is_handed_over_and_the_other_waits) {
        return;
    }
    let stage = Stage::new();
    let addresses = [VIP.to_string(), VIP2.to_string()];
    let mut a = stage.vrrpctl("a", patient().addresses(&addresses.each_ref().map(String::as_str)));
    stage.held_by("a", VIP2);
    let watch = stage.watch(VIP);
    a.process.terminate().unwrap();
    a.says("(VI_1) stopped", 1);
    let (announced, mac) = (Instant::now(), [2, 0, 0, 0, 0, 9]);
    announce(stage.lan.host("b"), VIP, mac);
    eventually("it is handed over", || !stage.holders_of(VIP).contains(&"a"));
    assert_eq!(stage.holders_of(VIP2), ["a"], "nobody has announced this one");
    eventually("the watch has seen it", || !watch.moves().is_empty());
    between("until it was gone", watch.moves()[0].at - announced, Duration::ZERO, SLACK);
    a.says("(VI_1) 10.9.0.100 is handed over to 02:00:00:00:00:09", 1);
    assert!(a.process.wait(PATIENCE).is_some_and(|status| status.success()));
    assert!(stage.holders_of(VIP2).is_empty());
}

/// An address that was the interface's own once may be another host's now.
#[test]
fn a_new_mac_is_taken_over() {
    if !lab::privileged(a_new_mac_is_taken_over) {
        return;
    }
    let (stage, mut a) = master();
    let (host, client) = (stage.lan.host("a"), stage.lan.host("b"));
    let link = host.namespace().run(|| vrrp_netlink::rtnl::Rtnl::open()?.link("eth0")).unwrap().unwrap();
    let mac = link.and_then(|link| link.mac).unwrap();
    let mut command = Command::new("ip");
    command.args(["link", "set", "eth0", "address", "02:00:00:00:00:77"]);
    assert!(host.namespace().command(&mut command).unwrap().status().unwrap().success());
    a.process.terminate().unwrap();
    a.says("(VI_1) stopped", 1);
    let handed_over =
        format!("(VI_1) 10.9.0.100 is handed over to {}", mac.map(|octet| format!("{octet:02x}")).join(":"));
    eventually("it is handed over", || {
        announce(client, VIP, mac);
        a.said(&handed_over)
    });
    assert!(a.process.wait(PATIENCE).is_some_and(|status| status.success()));
}

/// Sends a gratuitous ARP.
fn announce(host: &Host, address: std::net::Ipv4Addr, mac: [u8; 6]) {
    use vrrp_core::wire::arp::{FRAME_LEN, GratuitousArp};
    use vrrp_netlink::packet::PacketSocket;
    use vrrp_netlink::rtnl::Rtnl;
    let mut buffer = [0; FRAME_LEN];
    let frame = GratuitousArp { mac, address }.emit(&mut buffer).unwrap();
    let send = || {
        let index = Rtnl::open()?.link("eth0")?.unwrap().index;
        PacketSocket::open()?.send(index, frame)
    };
    host.namespace().run(send).unwrap().unwrap();
}
