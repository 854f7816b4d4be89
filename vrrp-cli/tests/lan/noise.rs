//! A flood of adverts that are bad, or other routers': nobody takes over for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use vrrp_cli::lab::{self, Host};
use vrrp_netlink::rtnl::Rtnl;
use vrrp_netlink::socket::{Ipv4Send, VrrpSocket};
use vrrp_netlink::socket6::VrrpSocket6;

use crate::common::*;

/// Packets each millisecond: 75,000 a second, or as many as the machine gives.
const EACH_MILLISECOND: usize = 75;
/// Longer than the Master_Down_Interval of the weaker router, and far longer than a queue of 2 MiB lasts.
const HELD_UP: Duration = Duration::from_secs(5);
const VIP6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x100);
const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// Half of them with our VRID and a wrong checksum, the others of virtual routers that nobody has here, or of nothing at all.
fn junk(number: usize) -> [u8; 24] {
    let mut message = [0xa5; 24];
    let vrid = if number.is_multiple_of(2) { 50 } else { u8::try_from(number % 49).unwrap_or(1) };
    message[..8].copy_from_slice(&[if number.is_multiple_of(4) { 0x31 } else { 0x21 }, vrid, 255, 1, 0, 1, 0xba, 0xad]);
    message
}

/// Sends junk from a host until it is told to stop; how much it was.
fn flood(host: &Host, v6: bool, stop: &AtomicBool, sent: &AtomicU64) {
    let (own, own6) = (host.address(0), host.link_local());
    let talk = || -> vrrp_netlink::Result<()> {
        let index = Rtnl::open()?.link("eth0")?.expect("eth0").index;
        let (socket, socket6) = (VrrpSocket::open("eth0", index, 112)?, VrrpSocket6::open("eth0", index, 112)?);
        let header = Ipv4Send { source: own, destination: GROUP, protocol: 112, ttl: 255 };
        let mut due = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            for number in 0..EACH_MILLISECOND {
                let outcome =
                    if v6 { socket6.send(own6, GROUP6, &junk(number)) } else { socket.send(&header, &junk(number)) };
                // A full queue of the interface sends the rest of it next time.
                if outcome.is_ok() {
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            }
            due += Duration::from_millis(1);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            due = due.max(Instant::now().checked_sub(Duration::from_millis(5)).unwrap_or(due));
        }
        Ok(())
    };
    host.namespace().run(talk).unwrap().unwrap();
}

/// Tells a flood to stop when it is dropped.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The backup is even held up in the middle of it: what fills the queue of everybody does not touch that of its master.
#[test]
fn a_flood_of_bad_and_foreign_adverts_elects_nobody() {
    if lab::privileged(a_flood_of_bad_and_foreign_adverts_elects_nobody) {
        side_by_side([false, true], flooded);
    }
}

fn flooded(v6: bool) {
    let stage = Stage::new();
    let vip: IpAddr = if v6 { VIP6.into() } else { VIP.into() };
    let instance = |priority| {
        let instance = Instance::new(priority).password(None).with("version 3");
        if v6 { instance.addresses(&["fd00::100/64"]) } else { instance }
    };
    let mut a = stage.vrrpctl("a", instance(STRONG));
    a.is_backup();
    let mut b = stage.vrrpctl("b", instance(WEAK));
    stage.held_by("a", vip);
    b.is_backup();
    let watch = stage.watch(vip);
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        // However this ends, so does the flood.
        let _ended = Ended(&stop);
        let flooding = scope.spawn(|| flood(stage.lan.host("client"), v6, &stop, &sent));
        eventually("a flood", || sent.load(Ordering::Relaxed) > 10_000);
        b.process.signal_all(Signal::SIGSTOP).unwrap();
        let stopped = (Instant::now(), sent.load(Ordering::Relaxed));
        never("nothing is sent", HELD_UP, || flooding.is_finished());
        b.process.signal_all(Signal::SIGCONT).unwrap();
        let rate = u128::from(sent.load(Ordering::Relaxed) - stopped.1) * 1000 / stopped.0.elapsed().as_millis();
        eprintln!("{rate} packets a second");
        assert!(rate > 2000, "{rate} packets a second are no flood");
        never("the backup takes over", Duration::from_secs(2), || b.said("entering master state"));
    });
    b.says("packets of protocol 112 were lost: more arrived than could be read", 1);
    assert_eq!(watch.moves(), []);
    b.stop();
    a.stop();
    assert!(!b.said("entering master state"));
}
