//! Announcements: gratuitous ARP and unsolicited neighbour advertisements, one frame for each address, at the pace that
//! their interface allows.
//!
//! Knows neither orders nor elections, and not when to announce.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use vrrp_core::wire::arp::GratuitousArp;
use vrrp_core::wire::nd::{FRAME_LEN, NeighbourAdvertisement};
use vrrp_netlink::packet::PacketSocket;

use super::Installation;
use super::table::Table;
use crate::config::model::ExtraInterfaces;
use crate::daemon::monitor::Device;

/// Tries to hand a frame to an interface whose queue is full, a millisecond apart.
const SEND_TRIES: u32 = 20;

/// How fast announcements may follow each other on some interfaces, taken together.
#[derive(Clone, Debug)]
pub(in crate::daemon) struct Pace {
    /// Indices of the devices.
    pub(in crate::daemon) devices: Vec<usize>,
    arp: Lane,
    na: Lane,
}

/// Announcements of one kind that wait for their turn.
#[derive(Clone, Debug)]
struct Lane {
    /// Between two of them; zero for no pace.
    interval: Duration,
    /// When the next one may go out.
    next: Instant,
    queue: VecDeque<Waiting>,
}

/// One address of one router that is to be announced some times.
#[derive(Clone, Debug)]
struct Waiting {
    router: usize,
    place: usize,
    times: u32,
}

/// Announcements again and again where only addresses are and no adverts, so that switches do not forget the MAC address.
#[derive(Clone, Debug)]
pub(in crate::daemon) struct Extra {
    /// The device of the adverts.
    own: usize,
    pub(super) every: Duration,
}

/// The way of announcements to the LAN.
pub(super) struct Announcer {
    packets: PacketSocket,
    paces: Vec<Pace>,
}

impl Pace {
    pub(in crate::daemon) fn new(devices: Vec<usize>, arp: Duration, na: Duration) -> Self {
        let lane = |interval| Lane { interval, next: Instant::now(), queue: VecDeque::new() };
        Self { devices, arp: lane(arp), na: lane(na) }
    }
}

impl Extra {
    /// For a router with adverts on device `own`. Without `all` the setting is about virtual interfaces, of which there are
    /// none.
    pub(in crate::daemon) fn new(own: usize, setting: Option<ExtraInterfaces>) -> Option<Self> {
        let setting = setting.filter(|setting| setting.all)?;
        Some(Self { own, every: setting.interval })
    }

    fn concerns(&self, installation: &Installation) -> bool {
        installation.device != self.own
    }
}

impl Announcer {
    pub(super) fn new(paces: Vec<Pace>) -> vrrp_netlink::Result<Self> {
        Ok(Self { packets: PacketSocket::open()?, paces })
    }

    /// Announces every address of a router once, now or as soon as its interface's pace allows.
    pub(super) fn all(&mut self, router: usize, table: &Table, devices: &[Device]) {
        self.those(router, table, devices, |_| true);
    }

    /// Announces the addresses that are on other interfaces than the adverts.
    pub(super) fn elsewhere(&mut self, router: usize, table: &Table, devices: &[Device]) {
        if let Some(extra) = &table.extra {
            self.those(router, table, devices, |installation| extra.concerns(installation));
        }
    }

    fn those(&mut self, router: usize, table: &Table, devices: &[Device], which: impl Fn(&Installation) -> bool) {
        for (place, installation) in table.entries.addresses.iter().enumerate().filter(|(_, one)| which(one)) {
            match self.lane(installation) {
                None => send(&self.packets, table, place, devices),
                Some(lane) => match lane.queue.iter_mut().find(|one| one.router == router && one.place == place) {
                    Some(waiting) => waiting.times = waiting.times.saturating_add(1),
                    None => lane.queue.push_back(Waiting { router, place, times: 1 }),
                },
            }
        }
    }

    /// Announces once that the host with this MAC address has the address now.
    pub(super) fn successor(
        &self,
        installation: &Installation,
        devices: &[Device],
        mac: [u8; 6],
    ) -> vrrp_netlink::Result<()> {
        one(&self.packets, installation, devices, Some(mac))
    }

    /// When the next announcement that waits may go out.
    pub(super) fn next(&self) -> Option<Instant> {
        let lanes = self.paces.iter().flat_map(|pace| [&pace.arp, &pace.na]);
        lanes.filter(|lane| !lane.queue.is_empty()).map(|lane| lane.next).min()
    }

    /// Sends what may go out now; `table_of` has no table for a router that lost its addresses meanwhile.
    pub(super) fn flush<'t>(&mut self, table_of: impl Fn(usize) -> Option<&'t Table>, devices: &[Device]) {
        let Self { packets, paces } = self;
        for lane in paces.iter_mut().flat_map(|pace| [&mut pace.arp, &mut pace.na]) {
            while lane.next <= Instant::now() {
                let Some(mut waiting) = lane.queue.pop_front() else { break };
                let Some(table) = table_of(waiting.router) else { continue };
                send(packets, table, waiting.place, devices);
                lane.next = Instant::now() + lane.interval;
                waiting.times = waiting.times.saturating_sub(1);
                if waiting.times > 0 {
                    lane.queue.push_back(waiting);
                }
            }
        }
    }

    /// The queue that an address has to wait in, if any.
    fn lane(&mut self, installation: &Installation) -> Option<&mut Lane> {
        let pace = self.paces.iter_mut().find(|pace| pace.devices.contains(&installation.device))?;
        let lane = if installation.address.is_ipv4() { &mut pace.arp } else { &mut pace.na };
        Some(lane).filter(|lane| !lane.interval.is_zero())
    }
}

fn send(packets: &PacketSocket, table: &Table, place: usize, devices: &[Device]) {
    let Some(installation) = table.entries.addresses.get(place) else { return };
    if let Err(error) = one(packets, installation, devices, None) {
        tracing::warn!("({}) {} not announced: {error}", table.name, installation.address);
    }
}

/// `named` is who has the address, if not this host.
fn one(
    packets: &PacketSocket,
    installation: &Installation,
    devices: &[Device],
    named: Option<[u8; 6]>,
) -> vrrp_netlink::Result<()> {
    let device = devices.get(installation.device);
    // An interface without an Ethernet address has nobody to tell.
    let (Some(index), Some(own)) = (device.and_then(|d| d.index), device.and_then(|d| d.mac)) else { return Ok(()) };
    let mac = named.unwrap_or(own);
    let mut frame = [0; FRAME_LEN];
    let frame = match installation.address {
        IpAddr::V4(address) => GratuitousArp { mac, address }.emit_from(own, &mut frame),
        IpAddr::V6(address) => NeighbourAdvertisement { mac, address, router: true }.emit_from(own, &mut frame),
    };
    let Ok(frame) = frame else { return Ok(()) };
    for _ in 1..SEND_TRIES {
        match packets.send(index, frame) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(1));
            }
            other => return other,
        }
    }
    packets.send(index, frame)
}
