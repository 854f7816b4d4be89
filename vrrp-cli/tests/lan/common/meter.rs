//! When adverts arrive, by the kernel's clock.
//!
//! Knows their arrival only; nothing of what they say but the VRID and whether they are a release.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use vrrp_cli::lab::Host;
use vrrp_netlink::process::wait_readable;
use vrrp_netlink::rtnl::Rtnl;
use vrrp_netlink::socket::{Batch, VrrpSocket};

/// Listens on a host until it is dropped.
pub(crate) struct Meter {
    arrivals: Arc<Mutex<Vec<Instant>>>,
    stop: Arc<AtomicBool>,
}

impl Meter {
    pub(crate) fn start(host: &Host) -> Self {
        let open = || {
            let index = Rtnl::open()?.link("eth0")?.expect("eth0").index;
            let socket = VrrpSocket::open("eth0", index, 112)?;
            socket.join([224, 0, 0, 18].into())?;
            Ok::<_, vrrp_netlink::Error>(socket)
        };
        let socket = host.namespace().run(open).expect("the namespace").expect("a socket");
        let meter = Self { arrivals: Arc::default(), stop: Arc::default() };
        let (arrivals, stop) = (meter.arrivals.clone(), meter.stop.clone());
        thread::spawn(move || {
            let mut batch = Batch::new(64, 256);
            while !stop.load(Ordering::Relaxed) {
                wait_readable(&socket, Some(Duration::from_millis(100))).expect("a socket can be waited for");
                socket.receive(&mut batch).expect("a socket can be read");
                let now = Instant::now();
                let mut arrivals = arrivals.lock().expect("nobody panics with it");
                arrivals.extend(batch.iter().filter_map(|datagram| now.checked_sub(datagram.age)));
            }
        });
        meter
    }

    /// The times between one advert and the next since `since`.
    pub(crate) fn gaps(&self, since: Instant) -> Vec<Duration> {
        let arrivals = self.arrivals.lock().expect("nobody panics with it");
        let later: Vec<_> = arrivals.iter().filter(|at| **at >= since).collect();
        later.windows(2).map(|pair| pair[1].saturating_duration_since(*pair[0])).collect()
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
