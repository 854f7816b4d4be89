//! What a client's interface hears of a takeover: adverts with the kernel's time stamps, and announcements of an address.
//!
//! Knows when; not what is good.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use vrrp_cli::lab::Host;
use vrrp_core::wire::claim::Claim;
use vrrp_netlink::packet::{Accept, Filter, PacketSocket};
use vrrp_netlink::process::Poller;
use vrrp_netlink::rtnl::Rtnl;
use vrrp_netlink::socket::{Batch, VrrpSocket};

use crate::Outcome;

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const PROTOCOL: u8 = 112;
const ARP: u16 = 0x0806;

pub(crate) struct Observer {
    adverts: VrrpSocket,
    announcements: PacketSocket,
    poller: Poller,
    batch: Batch,
}

impl Observer {
    pub(crate) fn new(host: &Host) -> Outcome<Self> {
        let open = || -> vrrp_netlink::Result<_> {
            let index = Rtnl::open()?.link("eth0")?.map_or(0, |link| link.index);
            let adverts = VrrpSocket::open("eth0", index, PROTOCOL)?;
            adverts.join(GROUP)?;
            let announcements = PacketSocket::listen_to(index, ARP, &Filter::accepting(&[Accept::GratuitousArp]))?;
            Ok((adverts, announcements))
        };
        let (adverts, announcements) = host.namespace().run(open)??;
        let mut poller = Poller::new();
        poller.add(&adverts);
        poller.add(&announcements);
        Ok(Self { adverts, announcements, poller, batch: Batch::new(64, 256) })
    }

    /// The time from the last advert of `dead` to the first announcement of `address` by anybody else, which is waited for.
    pub(crate) fn takeover(&mut self, dead: Ipv4Addr, address: Ipv4Addr, patience: Duration) -> Outcome<Duration> {
        let started = Instant::now();
        let mut last = None;
        loop {
            let left = patience.checked_sub(started.elapsed()).ok_or("nobody announces the address")?;
            self.poller.wait(Some(left))?;
            let announced = self.announced(address)?;
            self.adverts.receive(&mut self.batch)?;
            let now = Instant::now();
            for datagram in self.batch.iter() {
                if datagram.bytes.get(12..16) == Some(&dead.octets()[..]) {
                    last = now.checked_sub(datagram.age);
                }
            }
            if let Some(announced) = announced {
                let last = last.ok_or("the dead host was not heard before")?;
                return Ok(announced.saturating_duration_since(last));
            }
        }
    }

    /// Forgets the announcements that have arrived.
    pub(crate) fn forget(&mut self) -> Outcome<()> {
        while self.announcements.receive(&mut [0; 128])?.is_some() {}
        Ok(())
    }

    fn announced(&self, address: Ipv4Addr) -> Outcome<Option<Instant>> {
        let mut frame = [0; 128];
        let now = Instant::now();
        while let Some(len) = self.announcements.receive(&mut frame)? {
            let claim = frame.get(..len).and_then(Claim::parse);
            if claim.is_some_and(|claim| claim.gratuitous && claim.address == IpAddr::V4(address)) {
                return Ok(Some(now));
            }
        }
        Ok(None)
    }
}
