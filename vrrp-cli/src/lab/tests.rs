//! The laboratory on a real kernel: what it builds, what it measures, and that nothing of it stays.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::linux::fs::MetadataExt;
use std::process::Stdio;

use nix::sys::signal::Signal;

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);
const VIRTUAL: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 100);

fn sleeper() -> Command {
    let mut command = Command::new("sleep");
    command.arg("600").stdin(Stdio::null());
    command
}

/// Gives `host` the virtual address and tells the LAN, as an ordinary host would by its first ping.
fn give(host: &Host) {
    let mut rtnl = locked(&host.rtnl);
    let index = rtnl.link("eth0").unwrap().unwrap().index;
    rtnl.add_addresses(&[Address::new(index, VIRTUAL.into(), 32)]).pop().unwrap().unwrap();
}

fn carrier(host: &Host, interface: &str) -> bool {
    locked(&host.rtnl).link(interface).unwrap().unwrap().running
}

#[test]
fn hosts_reach_each_other_on_every_network() {
    if !privileged(hosts_reach_each_other_on_every_network) {
        return;
    }
    let lan = Lan::with_networks(&["a", "b"], 2).unwrap();
    assert_eq!(lan.hosts().iter().map(Host::name).collect::<Vec<_>>(), ["a", "b"]);
    for network in [0, 1] {
        let address = lan.host("b").address(network);
        assert_eq!(address, Ipv4Addr::new(10, 9, network, 2));
        assert!(lan.holds("b", address.into()) && !lan.holds("a", address.into()));
        let prober = Prober::start(lan.host("a"), address, Duration::from_millis(5)).unwrap();
        assert!(wait_until(PATIENCE, || prober.last_reply().is_some()), "eth{network}");
    }
}

#[test]
fn hosts_have_usable_ipv6_addresses_and_no_others() {
    if !privileged(hosts_have_usable_ipv6_addresses_and_no_others) {
        return;
    }
    let lan = Lan::with_networks(&["a", "b"], 2).unwrap();
    let b = lan.host("b");
    assert_eq!(b.link_local(), "fe80::2".parse::<Ipv6Addr>().unwrap());
    for network in [0, 1] {
        let prober = Prober::start(lan.host("a"), b.address_v6(network), Duration::from_millis(5)).unwrap();
        assert!(wait_until(PATIENCE, || prober.last_reply().is_some()), "eth{network}");
    }
    assert_eq!(b.address_v6(1), "fd00:9:1::2".parse::<Ipv6Addr>().unwrap());
    let mut all: Vec<IpAddr> = b.addresses().unwrap().into_iter().map(|one| one.address).collect();
    all.retain(|address| address.is_ipv6() && !address.is_loopback());
    all.sort_unstable();
    let own = [b.address_v6(0), b.address_v6(1), b.link_local(), b.link_local()];
    assert_eq!(all, own.map(IpAddr::V6));
}

#[test]
fn a_cut_cable_loses_carrier_and_a_muted_one_does_not() {
    if !privileged(a_cut_cable_loses_carrier_and_a_muted_one_does_not) {
        return;
    }
    let lan = Lan::new(&["a", "b"]).unwrap();
    let (a, b) = (lan.host("a"), lan.host("b"));
    lan.cut("b", 0).unwrap();
    assert!(wait_until(PATIENCE, || !carrier(b, "eth0")));
    assert!(carrier(a, "eth0"));
    lan.mend("b", 0).unwrap();
    assert!(wait_until(PATIENCE, || carrier(b, "eth0")));

    let prober = Prober::start(a, b.address(0), Duration::from_millis(1)).unwrap();
    assert!(wait_until(PATIENCE, || prober.last_reply().is_some()));
    let start = Instant::now();
    lan.mute("b", 0).unwrap();
    assert!(wait_until(PATIENCE, || prober.last_reply().unwrap().elapsed() > Duration::from_millis(300)));
    assert!(carrier(b, "eth0"));
    lan.unmute("b", 0).unwrap();
    let mended = Instant::now();
    assert!(wait_until(PATIENCE, || prober.replies(mended) > 100));
    let silence = prober.longest_silence(start);
    assert!(silence >= Duration::from_millis(250) && silence < mended - start + PATIENCE, "{silence:?}");
    assert!(prober.longest_silence(Instant::now()) < Duration::from_millis(200), "it is answered again");
}

#[test]
fn an_address_that_nobody_has_is_silent_from_the_start() {
    if !privileged(an_address_that_nobody_has_is_silent_from_the_start) {
        return;
    }
    let lan = Lan::new(&["a"]).unwrap();
    let start = Instant::now();
    let prober = Prober::start(lan.host("a"), VIRTUAL, Duration::from_millis(1)).unwrap();
    assert!(wait_until(PATIENCE, || prober.longest_silence(start) > Duration::from_millis(50)));
    assert_eq!((prober.last_reply(), prober.replies(start)), (None, 0));
}

#[test]
fn every_move_of_an_address_is_seen() {
    if !privileged(every_move_of_an_address_is_seen) {
        return;
    }
    let lan = Lan::new(&["a", "b"]).unwrap();
    give(lan.host("a"));
    let start = Instant::now();
    let holders = Holders::watch(lan.hosts(), VIRTUAL.into()).unwrap();
    assert_eq!(holders.now(), ["a"]);
    give(lan.host("b"));
    assert!(wait_until(PATIENCE, || holders.now() == ["a", "b"]));
    assert!(lan.holds("b", VIRTUAL.into()));
    assert!(lan.host("a").drop_address(VIRTUAL.into()).unwrap());
    assert!(!lan.host("a").drop_address(VIRTUAL.into()).unwrap());
    assert!(wait_until(PATIENCE, || holders.now() == ["b"]));
    let moves: Vec<_> = holders.moves().into_iter().map(|one| (one.host, one.gained)).collect();
    assert_eq!(moves, [("b".to_owned(), true), ("a".to_owned(), false)]);
    assert_eq!(holders.moves_from(1).len(), 1);
    assert!(holders.both(start) > Duration::ZERO);
    assert_eq!(holders.nobody(start), Duration::ZERO);
}

#[test]
fn a_process_runs_on_its_host_and_obeys_signals() {
    if !privileged(a_process_runs_on_its_host_and_obeys_signals) {
        return;
    }
    let lan = Lan::new(&["a"]).unwrap();
    let host = lan.host("a");
    let mut process = host.spawn(&mut sleeper()).unwrap();
    let seen = fs::metadata(format!("/proc/{}/ns/net", process.id())).unwrap().st_ino();
    let link = fs::metadata(format!("/proc/self/fd/{}", host.namespace().as_fd().as_raw_fd())).unwrap().st_ino();
    assert_eq!(seen, link);
    assert_eq!(process.wait(Duration::ZERO), None);
    process.terminate().unwrap();
    let status = process.wait(PATIENCE).unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc_number(Signal::SIGTERM)));
    process.terminate().unwrap();

    let error = host.spawn(&mut Command::new("/no/such/program")).unwrap_err();
    assert!(error.to_string().starts_with("cannot start /no/such/program: "), "{error}");
}

fn libc_number(signal: Signal) -> i32 {
    signal as i32
}

#[test]
fn nothing_is_left_behind() {
    if !privileged(nothing_is_left_behind) {
        return;
    }
    let lan = Lan::new(&["a", "b"]).unwrap();
    let process = lan.host("a").spawn(&mut sleeper()).unwrap();
    let of_process = format!("/proc/{}", process.id());
    let prober = Prober::start(lan.host("b"), lan.host("a").address(0), Duration::from_millis(1)).unwrap();
    assert!(wait_until(PATIENCE, || prober.last_reply().is_some()));
    // A namespace that is still alive would keep its end of this pair.
    let outside = Namespace::create().unwrap();
    let mut rtnl = outside.run(Rtnl::open).unwrap().unwrap();
    rtnl.create_veth("outside", "inside", lan.host("a").namespace().as_fd()).unwrap();
    assert!(fs::exists(&of_process).unwrap());

    drop((process, prober, lan));
    assert!(!fs::exists(&of_process).unwrap(), "the process is gone and reaped");
    assert!(wait_until(PATIENCE, || rtnl.link("outside").unwrap().is_none()), "the namespace is gone");
}

#[test]
fn too_many_hosts_are_refused_and_an_unknown_one_is_named() {
    let names = vec!["a"; MAX_HOSTS + 1];
    assert!(matches!(Lan::new(&names), Err(LabError::TooMany)));
    if !privileged(too_many_hosts_are_refused_and_an_unknown_one_is_named) {
        return;
    }
    let lan = Lan::new(&["a"]).unwrap();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lan.host("z").name().len())).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("the LAN has no host z"));
}
