//! When adverts arrive, by the kernel's clock.
//!
//! Knows who claims what and when; nothing of what is right. It also makes claims, of a host that runs no daemon.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use vrrp_cli::lab::Host;
use vrrp_core::wire::advert::{AdvertRepr, ChecksumForm, MAX_LEN};
use vrrp_core::{AddressList, AdvertInterval, Priority, Vrid};
use vrrp_netlink::process::wait_readable;
use vrrp_netlink::rtnl::Rtnl;
use vrrp_netlink::socket::{Batch, Ipv4Send, VrrpSocket};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const PROTOCOL: u8 = 112;

/// An advert over IPv4.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) at: Instant,
    pub(crate) source: Ipv4Addr,
    pub(crate) vrid: u8,
    pub(crate) priority: u8,
}

/// Listens on a host until it is dropped.
pub(crate) struct Meter {
    heard: Arc<Mutex<Vec<Heard>>>,
    stop: Arc<AtomicBool>,
}

impl Meter {
    pub(crate) fn start(host: &Host) -> Self {
        let open = || {
            let index = Rtnl::open()?.link("eth0")?.expect("eth0").index;
            let socket = VrrpSocket::open("eth0", index, PROTOCOL)?;
            socket.join(GROUP)?;
            Ok::<_, vrrp_netlink::Error>(socket)
        };
        let socket = host.namespace().run(open).expect("the namespace").expect("a socket");
        let meter = Self { heard: Arc::default(), stop: Arc::default() };
        let (heard, stop) = (meter.heard.clone(), meter.stop.clone());
        thread::spawn(move || {
            let mut batch = Batch::new(64, 256);
            while !stop.load(Ordering::Relaxed) {
                wait_readable(&socket, Some(Duration::from_millis(100))).expect("a socket can be waited for");
                socket.receive(&mut batch).expect("a socket can be read");
                let now = Instant::now();
                let mut heard = heard.lock().expect("nobody panics with it");
                heard.extend(batch.iter().filter_map(|datagram| read(datagram.bytes, now.checked_sub(datagram.age)?)));
            }
        });
        meter
    }

    /// All adverts so far, in order.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("nobody panics with it").clone()
    }

    /// The times between one advert and the next since `since`.
    pub(crate) fn gaps(&self, since: Instant) -> Vec<Duration> {
        let later: Vec<_> = self.heard().into_iter().filter(|one| one.at >= since).collect();
        later.windows(2).map(|pair| pair[1].at.saturating_duration_since(pair[0].at)).collect()
    }
}

/// Claims `address` once from `host`, as a master of VRRPv2 without a password would.
pub(crate) fn claim(host: &Host, vrid: u8, priority: u8, address: Ipv4Addr) {
    let (source, addresses) = (host.address(0), [IpAddr::V4(address)]);
    let advert = AdvertRepr {
        vrid: Vrid::new(vrid).expect("a VRID"),
        priority: Priority::new(priority),
        interval: AdvertInterval::from_secs(1).expect("a second"),
        password: None,
        addresses: AddressList::new(&addresses[..]).expect("an address"),
        checksum: ChecksumForm::Message,
    };
    let mut buffer = [0; MAX_LEN];
    let message = advert.emit(source.into(), GROUP.into(), &mut buffer).expect("room enough");
    let send = || {
        let index = Rtnl::open()?.link("eth0")?.expect("eth0").index;
        let header = Ipv4Send { source, destination: GROUP, protocol: PROTOCOL, ttl: 255 };
        VrrpSocket::open("eth0", index, PROTOCOL)?.send(&header, message)
    };
    host.namespace().run(send).expect("the namespace").expect("it is sent");
}

fn read(datagram: &[u8], at: Instant) -> Option<Heard> {
    let header = usize::from(datagram.first()? & 15) * 4;
    let source: [u8; 4] = datagram.get(12..16)?.try_into().ok()?;
    let (vrid, priority) = (*datagram.get(header + 1)?, *datagram.get(header + 2)?);
    Some(Heard { at, source: source.into(), vrid, priority })
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
