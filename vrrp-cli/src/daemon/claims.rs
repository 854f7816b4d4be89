//! What other hosts say of our virtual addresses: by gratuitous ARP and unsolicited neighbour advertisements, which a packet
//! socket of each interface hears.
//!
//! Knows whose address is served where; not what an announcement means to a router.

use std::collections::HashMap;
use std::net::IpAddr;

use vrrp_core::Family;
use vrrp_core::node::{Input, RouterId};
use vrrp_core::wire::claim::Claim;
use vrrp_netlink::packet::{Accept, Filter, PacketSocket};

use super::kernel::Table;
use super::monitor::Device;

const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;

/// A socket that hears announcements of one family on an interface.
#[derive(Debug)]
pub(super) struct ClaimEar {
    pub(super) socket: PacketSocket,
    pub(super) family: Family,
    /// The interface's own address: what comes from it came back to us.
    own: Option<[u8; 6]>,
}

impl ClaimEar {
    /// An ear on a device that exists.
    pub(super) fn open(family: Family, device: &Device) -> vrrp_netlink::Result<Self> {
        let (ethertype, kind) = match family {
            Family::V4 => (ETHERTYPE_ARP, Accept::GratuitousArp),
            Family::V6 => (ETHERTYPE_IPV6, Accept::NeighbourAdvertisement),
        };
        let index = device.index.unwrap_or_default();
        let socket = PacketSocket::listen_to(index, ethertype, &Filter::accepting(&[kind]))?;
        Ok(Self { socket, family, own: device.mac })
    }

    /// The next announcement of another host; `None` when no more has arrived.
    pub(super) fn next(&self) -> vrrp_netlink::Result<Option<Claim>> {
        // Longer than every frame that says anything; what is cut off would be padding or options after the one that counts.
        let mut frame = [0; 256];
        while let Some(len) = self.socket.receive(&mut frame)? {
            let claim = Claim::parse(frame.get(..len).unwrap_or_default());
            if let Some(claim) = claim.filter(|claim| claim.gratuitous && Some(claim.mac) != self.own) {
                return Ok(Some(claim));
            }
        }
        Ok(None)
    }
}

/// Which router serves an address, by the place of the interface that it is served on.
pub(super) struct Places(HashMap<(usize, IpAddr), RouterId>);

impl Places {
    pub(super) fn new(tables: &[Table]) -> Self {
        let places = |table: &Table| {
            let id = table.id;
            table.entries.addresses.iter().map(move |i| ((i.device, i.address), id)).collect::<Vec<_>>()
        };
        Self(tables.iter().flat_map(places).collect())
    }

    /// The announcement as the node takes it; `None` when it is of no address of ours.
    pub(super) fn input(&self, interface: usize, claim: Claim) -> Option<Input<'static>> {
        let router = *self.0.get(&(interface, claim.address))?;
        Some(Input::Announced { router, address: claim.address, mac: claim.mac })
    }
}
