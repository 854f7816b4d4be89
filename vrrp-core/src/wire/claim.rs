//! What a frame says of who has an address, in either family: ARP (RFC 826) and neighbour advertisements (RFC 4861).
//!
//! Nothing signs such a frame: believe it no further than one must.

use core::net::IpAddr;

use super::arp::ArpFrame;
use super::nd::AdvertisementFrame;

/// A host says that it has an address.
///
/// ```
/// use vrrp_core::wire::arp::{FRAME_LEN, GratuitousArp};
/// use vrrp_core::wire::claim::Claim;
/// let mac = [0x02, 0, 0, 0, 0, 1];
/// let mut buffer = [0; FRAME_LEN];
/// let frame = GratuitousArp { mac, address: [10, 0, 0, 3].into() }.emit(&mut buffer)?;
/// assert_eq!(Claim::parse(frame), Some(Claim { address: [10, 0, 0, 3].into(), mac, gratuitous: true }));
/// # Ok::<(), vrrp_core::wire::BufferTooSmall>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Claim {
    /// The address.
    pub address: IpAddr,
    /// Where it is.
    pub mac: [u8; 6],
    /// Nobody asked: it is an announcement.
    pub gratuitous: bool,
}

impl Claim {
    /// Reads an Ethernet frame. `None` for every other kind, and for one that names no address of a host, as a probe does, or
    /// no MAC address of one.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let claim = if let Some(arp) = ArpFrame::parse(frame) {
            Self { address: arp.sender().into(), mac: arp.sender_mac(), gratuitous: arp.is_gratuitous() }
        } else {
            let heard = AdvertisementFrame::parse(frame)?;
            Self { address: heard.target().into(), mac: heard.mac(), gratuitous: !heard.is_solicited() }
        };
        let of_a_group = claim.mac[0] & 1 == 1;
        let of_nobody = claim.mac == [0; 6] || claim.address.is_unspecified() || claim.address.is_multicast();
        (!of_a_group && !of_nobody).then_some(claim)
    }
}

#[cfg(test)]
mod tests {
    use super::super::arp::GratuitousArp;
    use super::super::nd::NeighbourAdvertisement;
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

    fn arp(mac: [u8; 6], address: [u8; 4]) -> [u8; 42] {
        let mut frame = [0; 42];
        GratuitousArp { mac, address: address.into() }.emit(&mut frame).unwrap();
        frame
    }

    #[test]
    fn announcements_of_both_families_are_read() {
        let expected = Claim { address: [10, 0, 0, 3].into(), mac: MAC, gratuitous: true };
        assert_eq!(Claim::parse(&arp(MAC, [10, 0, 0, 3])), Some(expected));
        let address = "2001:db8::3".parse().unwrap();
        let mut frame = [0; 86];
        NeighbourAdvertisement { mac: MAC, address, router: false }.emit(&mut frame).unwrap();
        let expected = Claim { address: address.into(), ..expected };
        assert_eq!(Claim::parse(&frame), Some(expected));
    }

    #[test]
    fn a_question_says_who_asks_and_a_probe_nothing() {
        let mut question = arp(MAC, [10, 0, 0, 3]);
        question[41] = 4;
        assert_eq!(Claim::parse(&question).map(|claim| claim.gratuitous), Some(false));
        assert_eq!(Claim::parse(&arp(MAC, [0, 0, 0, 0])), None);
        assert_eq!(Claim::parse(&arp(MAC, [224, 0, 0, 18])), None);
    }

    #[test]
    fn a_mac_that_no_host_has_claims_nothing() {
        assert_eq!(Claim::parse(&arp([0; 6], [10, 0, 0, 3])), None);
        assert_eq!(Claim::parse(&arp([0xff; 6], [10, 0, 0, 3])), None);
        assert_eq!(Claim::parse(&arp([3, 0, 0, 0, 0, 9], [10, 0, 0, 3])), None);
    }
}
