//! What other hosts say of our virtual addresses: by ARP and unsolicited neighbour advertisements, which a packet socket of each
//! interface hears. The kernel throws away what is said of other addresses, and questions for ours.
//!
//! Knows whose address is served where, and which MAC addresses this host has; not what a claim means to a router.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use vrrp_core::Family;
use vrrp_core::node::{Input, RouterId};
use vrrp_core::wire::claim::Claim;
use vrrp_netlink::packet::{Filter, PacketSocket};

use super::kernel::Table;
use super::monitor::Device;
use super::setup::Interface;

const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;

/// A socket that hears what is said of the addresses of one family that are served by way of an interface.
#[derive(Debug)]
pub(super) struct ClaimEar {
    pub(super) socket: PacketSocket,
    pub(super) family: Family,
    /// The interface's own address: what comes from it came back to us.
    own: Option<[u8; 6]>,
}

impl ClaimEar {
    /// An ear on a device that exists, for these addresses.
    pub(super) fn open(family: Family, device: &Device, served: &[IpAddr]) -> vrrp_netlink::Result<Self> {
        let ethertype = match family {
            Family::V4 => ETHERTYPE_ARP,
            Family::V6 => ETHERTYPE_IPV6,
        };
        let index = device.index.unwrap_or_default();
        let socket = PacketSocket::listen_to(index, ethertype, &Filter::claims(served))?;
        Ok(Self { socket, family, own: device.mac })
    }

    /// Takes in the next frame; `None` when no more has arrived.
    pub(super) fn next(&self) -> vrrp_netlink::Result<Option<Frame>> {
        // Longer than every frame that says anything; what is cut off would be padding or options after the one that counts.
        let mut frame = [0; 256];
        let Some(len) = self.socket.receive(&mut frame)? else { return Ok(None) };
        let claim = Claim::parse(frame.get(..len).unwrap_or_default());
        let claim = claim.filter(|claim| Some(claim.mac) != self.own);
        Ok(Some(claim.map_or(Frame::Other, Frame::Claim)))
    }
}

/// What a frame says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Frame {
    /// Another host says that it has an address.
    Claim(Claim),
    /// Nothing of the kind, or what this interface sent itself.
    Other,
}

/// Which router serves an address, by the place of the interface at which it is heard what others say of it; and what is never
/// another host.
pub(super) struct Places {
    routers: HashMap<(usize, IpAddr), RouterId>,
    /// Of all interfaces of this host: one that has two on the same LAN speaks of its addresses by either.
    own: HashSet<[u8; 6]>,
}

impl Places {
    pub(super) fn new(tables: &[Arc<Table>], interfaces: &[Interface], own: HashSet<[u8; 6]>) -> Self {
        let places = |table: &Arc<Table>| {
            let id = table.id;
            let heard_at = |device: usize| interfaces.get(device).map_or(device, |known| known.heard_at(device));
            let addresses = table.entries.addresses.iter();
            addresses.map(move |one| ((heard_at(one.device), one.address), id)).collect::<Vec<_>>()
        };
        Self { routers: tables.iter().flat_map(places).collect(), own }
    }

    /// The MAC addresses of this host are these now.
    pub(super) fn host_has(&mut self, own: HashSet<[u8; 6]>) {
        self.own = own;
    }

    /// The claim as the node takes it; `None` when it is of no address of ours, or our own.
    pub(super) fn input(&self, interface: usize, claim: Claim) -> Option<Input<'static>> {
        let router = *self.routers.get(&(interface, claim.address)).filter(|_| !self.own.contains(&claim.mac))?;
        Some(Input::Claimed { router, claim })
    }

    /// The place of an interface at which others are heard to speak of a router's address.
    pub(super) fn of(&self, router: RouterId, address: IpAddr) -> Option<usize> {
        let of_it = |((_, known), id): &(&(usize, IpAddr), &RouterId)| *known == address && **id == router;
        self.routers.iter().find(of_it).map(|((place, _), _)| *place)
    }
}

/// An Ethernet address as everybody writes it.
pub(super) struct Mac(pub(super) [u8; 6]);

impl std::fmt::Display for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.map(|octet| format!("{octet:02x}")).join(":"))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use vrrp_core::node::{Groups, InterfaceId, Node, RouterSetup};
    use vrrp_core::router::RouterConfig;
    use vrrp_core::wire::arp::{FRAME_LEN, GratuitousArp};
    use vrrp_core::{AddressList, Priority, Vrid};
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
        let address = Ipv4Addr::new(192, 0, 2, 1);
        let ear = far.run(|| ClaimEar::open(Family::V4, &device, &[address.into()])).unwrap().unwrap();
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

    #[test]
    fn a_claim_is_of_an_address_that_is_served_there_and_of_another_host() {
        let address = IpAddr::from([192, 0, 2, 1]);
        let addresses = AddressList::new(Box::from([address])).unwrap();
        let config = RouterConfig::new(Vrid::new(7).unwrap(), Priority::default(), addresses);
        let mut node: Node<Duration> = Node::new(Groups::default());
        let router = node.add(RouterSetup::new(InterfaceId(0), config)).unwrap();
        let [own, later, third] = [1, 2, 9].map(|last| [2, 0, 0, 0, 0, last]);
        let mut places = Places { routers: HashMap::from([((3, address), router)]), own: HashSet::from([own]) };
        let claim = |mac| Claim { address, mac, gratuitous: false };
        let input = |mac| Some(Input::Claimed { router, claim: claim(mac) });
        assert_eq!(places.input(3, claim(third)), input(third));
        assert_eq!(places.input(2, claim(third)), None, "it is served elsewhere");
        assert_eq!(places.input(3, Claim { address: [192, 0, 2, 2].into(), ..claim(third) }), None);
        assert_eq!(places.input(3, claim(own)), None, "by another interface of this host");
        assert_eq!(places.input(3, claim(later)), input(later));
        places.host_has(HashSet::from([later]));
        assert_eq!((places.input(3, claim(own)), places.input(3, claim(later))), (input(own), None));
        assert_eq!((places.of(router, address), places.of(router, [192, 0, 2, 2].into())), (Some(3), None));
    }
}
