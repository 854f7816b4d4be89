//! Announcements: gratuitous ARP and unsolicited neighbour advertisements, one frame for each address, at the pace that
//! their interface allows. What an interface has no room for is tried again a little later, and nobody waits meanwhile.
//!
//! Knows neither orders nor elections, and not when to announce.

use std::collections::{BTreeSet, VecDeque};
use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use vrrp_core::wire::arp::GratuitousArp;
use vrrp_core::wire::nd::{FRAME_LEN, NeighbourAdvertisement};
use vrrp_netlink::packet::PacketSocket;

use super::Installation;
use super::table::Table;
use crate::daemon::monitor::Device;

/// A frame that an interface has no room for is tried again so often, and so long.
const PAUSE: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(1);
/// So many frames wait for room at most.
const ROOM: usize = 4096;

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
    /// Indices of the devices.
    pub(in crate::daemon) devices: BTreeSet<usize>,
    pub(in crate::daemon) every: Duration,
}

/// A router that serves its addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Serving<'t> {
    pub(super) name: &'t str,
    pub(super) addresses: &'t [Installation],
}

/// The way of announcements to the LAN.
pub(super) struct Announcer<O = PacketSocket> {
    outlet: O,
    paces: Vec<Pace>,
    late: Late,
}

/// What takes frames, each for the interface of its index; one result for each.
pub(super) trait Outlet {
    fn send_many(&self, frames: &[(u32, &[u8])]) -> Vec<vrrp_netlink::Result<()>>;
}

impl Outlet for PacketSocket {
    fn send_many(&self, frames: &[(u32, &[u8])]) -> Vec<vrrp_netlink::Result<()>> {
        Self::send_many(self, frames)
    }
}

/// An announcement as it goes out.
#[derive(Clone, Debug)]
struct Frame {
    address: IpAddr,
    index: u32,
    octets: [u8; FRAME_LEN],
    len: usize,
}

/// Frames that wait until their interface has room.
#[derive(Default)]
struct Late {
    frames: VecDeque<LateFrame>,
    /// When to try again.
    next: Option<Instant>,
}

struct LateFrame {
    frame: Frame,
    router: usize,
    /// It names the successor: it is of use as long as the router does not serve.
    successor: bool,
    /// When it is given up.
    until: Instant,
}

impl Pace {
    pub(in crate::daemon) fn new(devices: Vec<usize>, arp: Duration, na: Duration) -> Self {
        let lane = |interval| Lane { interval, next: Instant::now(), queue: VecDeque::new() };
        Self { devices, arp: lane(arp), na: lane(na) }
    }
}

impl Announcer {
    pub(super) fn new(paces: Vec<Pace>) -> vrrp_netlink::Result<Self> {
        Ok(Self { outlet: PacketSocket::open()?, paces, late: Late::default() })
    }
}

impl<O: Outlet> Announcer<O> {
    /// Announces every address of a router once, now or as soon as its interface's pace allows.
    pub(super) fn all(&mut self, router: usize, table: &Table, devices: &[Device]) {
        self.those(router, table.serving(), devices, |_| true);
    }

    /// Announces one address.
    pub(super) fn one(&mut self, router: usize, table: &Table, devices: &[Device], address: IpAddr) {
        self.those(router, table.serving(), devices, |one| one.address == address);
    }

    /// Announces the addresses that are on other interfaces than the adverts.
    pub(super) fn elsewhere(&mut self, router: usize, table: &Table, devices: &[Device]) {
        if let Some(extra) = &table.extra {
            self.those(router, table.serving(), devices, |one| extra.devices.contains(&one.device));
        }
    }

    fn those(&mut self, router: usize, who: Serving<'_>, devices: &[Device], which: impl Fn(&Installation) -> bool) {
        let mut ready = Vec::new();
        for (place, installation) in who.addresses.iter().enumerate().filter(|(_, one)| which(one)) {
            match self.lane(installation) {
                None => ready.extend(Frame::of(installation, devices, None)),
                Some(lane) => match lane.queue.iter_mut().find(|one| one.router == router && one.place == place) {
                    Some(waiting) => waiting.times = waiting.times.saturating_add(1),
                    None => lane.queue.push_back(Waiting { router, place, times: 1 }),
                },
            }
        }
        self.send(router, who.name, ready, false);
    }

    /// Announces once that the host with this MAC address has the address now.
    pub(super) fn successor(
        &mut self,
        router: usize,
        name: &str,
        installation: &Installation,
        devices: &[Device],
        mac: [u8; 6],
    ) {
        self.send(router, name, Frame::of(installation, devices, Some(mac)).into_iter().collect(), true);
    }

    /// When the next announcement that waits may go out.
    pub(super) fn next(&self) -> Option<Instant> {
        let lanes = self.paces.iter().flat_map(|pace| [&pace.arp, &pace.na]);
        lanes.filter(|lane| !lane.queue.is_empty()).map(|lane| lane.next).chain(self.late.next).min()
    }

    /// Sends what may go out now; `serving` knows nothing of a router that lost its addresses meanwhile.
    pub(super) fn flush<'t>(
        &mut self,
        now: Instant,
        serving: impl Fn(usize) -> Option<Serving<'t>>,
        devices: &[Device],
    ) {
        self.try_late(now, |router| serving(router).is_some());
        let mut ready = Vec::new();
        for lane in self.paces.iter_mut().flat_map(|pace| [&mut pace.arp, &mut pace.na]) {
            while lane.next <= now {
                let Some(mut waiting) = lane.queue.pop_front() else { break };
                let Some(who) = serving(waiting.router) else { continue };
                let installation = who.addresses.get(waiting.place);
                let frame = installation.and_then(|installation| Frame::of(installation, devices, None));
                ready.extend(frame.map(|frame| (waiting.router, who.name, frame)));
                lane.next = now + lane.interval;
                waiting.times = waiting.times.saturating_sub(1);
                if waiting.times > 0 {
                    lane.queue.push_back(waiting);
                }
            }
        }
        for (router, name, frame) in ready {
            self.send(router, name, vec![frame], false);
        }
    }

    /// Sends what there is room for; the rest waits.
    fn send(&mut self, router: usize, name: &str, frames: Vec<Frame>, successor: bool) {
        let now = Instant::now();
        let results = self.outlet.send_many(&frames.iter().map(Frame::addressed).collect::<Vec<_>>());
        for (frame, result) in frames.into_iter().zip(results) {
            match result {
                Ok(()) => {}
                Err(error) if is_full(&error) && self.late.frames.len() < ROOM => {
                    self.late.frames.push_back(LateFrame { frame, router, successor, until: now + PATIENCE });
                    self.late.next.get_or_insert(now + PAUSE);
                }
                Err(error) => tracing::warn!("({name}) {} not announced: {error}", frame.address),
            }
        }
    }

    /// Sends what waits for room, in order, as far as there is some.
    fn try_late(&mut self, now: Instant, serves: impl Fn(usize) -> bool) {
        if self.late.next.is_none_or(|next| next > now) {
            return;
        }
        let mut frames = std::mem::take(&mut self.late.frames);
        frames.retain(|late| late.successor != serves(late.router));
        let results = self.outlet.send_many(&frames.iter().map(|late| late.frame.addressed()).collect::<Vec<_>>());
        let mut lost = 0;
        for (late, result) in frames.into_iter().zip(results) {
            match result {
                Ok(()) => {}
                Err(error) if is_full(&error) && late.until > now => self.late.frames.push_back(late),
                Err(error) => {
                    if lost == 0 {
                        tracing::warn!("{} not announced: {error}", late.frame.address);
                    }
                    lost += 1;
                }
            }
        }
        if lost > 1 {
            tracing::warn!("{lost} addresses were not announced");
        }
        self.late.next = (!self.late.frames.is_empty()).then(|| now + PAUSE);
    }

    /// The queue that an address has to wait in, if any.
    fn lane(&mut self, installation: &Installation) -> Option<&mut Lane> {
        let pace = self.paces.iter_mut().find(|pace| pace.devices.contains(&installation.device))?;
        let lane = if installation.address.is_ipv4() { &mut pace.arp } else { &mut pace.na };
        Some(lane).filter(|lane| !lane.interval.is_zero())
    }
}

impl Frame {
    /// `named` is who has the address, if not this host. An interface without an Ethernet address has nobody to tell.
    fn of(installation: &Installation, devices: &[Device], named: Option<[u8; 6]>) -> Option<Self> {
        let device = devices.get(installation.device)?;
        let (index, own) = (device.index?, device.mac?);
        let mac = named.unwrap_or(own);
        let mut octets = [0; FRAME_LEN];
        let address = installation.address;
        let emitted = match address {
            IpAddr::V4(address) => GratuitousArp { mac, address }.emit_from(own, &mut octets),
            IpAddr::V6(address) => NeighbourAdvertisement { mac, address, router: true }.emit_from(own, &mut octets),
        };
        let len = emitted.ok()?.len();
        Some(Self { address, index, octets, len })
    }

    fn addressed(&self) -> (u32, &[u8]) {
        (self.index, self.octets.get(..self.len).unwrap_or_default())
    }
}

/// Whether the interface, or the socket, has no room at the moment.
fn is_full(error: &vrrp_netlink::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock || error.errno() == Some(nix::errno::Errno::ENOBUFS as i32)
}

#[cfg(test)]
mod tests;
