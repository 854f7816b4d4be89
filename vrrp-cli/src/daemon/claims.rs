//! What other hosts say of our virtual addresses: by gratuitous ARP and unsolicited neighbour advertisements, which a packet
//! socket of each interface hears.
//!
//! Knows whose address is served where; not what an announcement means to a router.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

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

    /// Takes in the next frame; `None` when no more has arrived.
    pub(super) fn next(&self) -> vrrp_netlink::Result<Option<Frame>> {
        // Longer than every frame that says anything; what is cut off would be padding or options after the one that counts.
        let mut frame = [0; 256];
        let Some(len) = self.socket.receive(&mut frame)? else { return Ok(None) };
        let claim = Claim::parse(frame.get(..len).unwrap_or_default());
        let claim = claim.filter(|claim| claim.gratuitous && Some(claim.mac) != self.own);
        Ok(Some(claim.map_or(Frame::Other, Frame::Claim)))
    }
}

/// What a frame says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Frame {
    /// Another host announces an address.
    Claim(Claim),
    /// Nothing of the kind: an answer to somebody's question, or what this interface sent itself.
    Other,
}

/// Which router serves an address, by the place of the interface that it is served on.
pub(super) struct Places(HashMap<(usize, IpAddr), RouterId>);

impl Places {
    pub(super) fn new(tables: &[Arc<Table>]) -> Self {
        let places = |table: &Arc<Table>| {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vrrp_core::wire::arp::{FRAME_LEN, GratuitousArp};
    use vrrp_netlink::process::wait_readable;
    use vrrp_netlink::rtnl::Rtnl;

    use super::*;
    use crate::lab::{self, Lan};

    /// One that says nothing is a turn of its own: whoever hears them decides when it has been enough.
    #[test]
    fn each_frame_is_told_of() {
        if !lab::privileged(each_frame_is_told_of) {
            return;
        }
        let lan = Lan::new(&["near", "far"]).unwrap();
        let link = || Rtnl::open()?.link("eth0").map(Option::unwrap);
        let (near, far) = (lan.host("near").namespace(), lan.host("far").namespace());
        let own = far.run(link).unwrap().unwrap();
        let device = Device { name: "eth0".into(), index: Some(own.index), mac: own.mac };
        let ear = far.run(|| ClaimEar::open(Family::V4, &device)).unwrap().unwrap();
        let address = [192, 0, 2, 1].into();
        let other = [2, 0, 0, 0, 0, 9];
        let macs = [own.mac.unwrap(), own.mac.unwrap(), other];
        let send = || {
            let (index, mouth) = (link()?.index, PacketSocket::open()?);
            for mac in macs {
                let mut buffer = [0; FRAME_LEN];
                mouth.send(index, GratuitousArp { mac, address }.emit(&mut buffer).unwrap())?;
            }
            vrrp_netlink::Result::Ok(())
        };
        near.run(send).unwrap().unwrap();
        let mut heard = Vec::new();
        while heard.len() < macs.len() {
            assert!(wait_readable(&ear.socket, Some(Duration::from_secs(10))).unwrap(), "{heard:?}");
            heard.extend(ear.next().unwrap());
        }
        let claim = Claim { address: address.into(), mac: other, gratuitous: true };
        assert_eq!(heard, [Frame::Other, Frame::Other, Frame::Claim(claim)]);
        assert_eq!(ear.next().unwrap(), None);
    }
}
