//! Announcements: gratuitous ARP and unsolicited neighbour advertisements, one frame for each address.
//!
//! Knows neither orders nor elections, and not when to announce.

use std::net::IpAddr;
use std::time::Duration;

use vrrp_core::wire::arp::GratuitousArp;
use vrrp_core::wire::nd::{FRAME_LEN, NeighbourAdvertisement};
use vrrp_netlink::packet::PacketSocket;

use super::{Installation, Table};
use crate::daemon::monitor::Device;

/// Tries to hand a frame to an interface whose queue is full, a millisecond apart.
const SEND_TRIES: u32 = 20;

/// Announces every address of a table once.
pub(super) fn all(packets: &PacketSocket, table: &Table, devices: &[Device]) {
    for installation in &table.addresses {
        if let Err(error) = one(packets, installation, devices) {
            tracing::warn!("({}) {} not announced: {error}", table.name, installation.address);
        }
    }
}

fn one(packets: &PacketSocket, installation: &Installation, devices: &[Device]) -> vrrp_netlink::Result<()> {
    send(packets, installation, devices, None)
}

/// Announces once that the host with this MAC address has the address now.
pub(super) fn successor(
    packets: &PacketSocket,
    installation: &Installation,
    devices: &[Device],
    mac: [u8; 6],
) -> vrrp_netlink::Result<()> {
    send(packets, installation, devices, Some(mac))
}

fn send(
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
