//! The unsolicited neighbour advertisement (RFC 4861 section 4.4, RFC 9568 section 6.4.1): the frame that tells a LAN which
//! MAC has an IPv6 address now.
//!
//! To all nodes, with the Router flag as the virtual router is one, with Override so that caches change at once, and not
//! Solicited (R78). Knows no socket and no schedule.

use core::net::{IpAddr, Ipv6Addr};

use super::BufferTooSmall;
use crate::checksum::Checksum;

/// Octets of the Ethernet frame, without check sequence: Ethernet 14, IPv6 40, the message 24, its option 8.
pub const FRAME_LEN: usize = 86;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const NEXT_HEADER_ICMPV6: u8 = 58;
/// Version 6, no traffic class, no flow label; 32 octets of ICMPv6; hop limit 255.
const IPV6_HEAD: [u8; 8] = [0x60, 0, 0, 0, 0, 32, NEXT_HEADER_ICMPV6, 255];
const TYPE_NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const FLAG_ROUTER: u8 = 0x80;
const FLAG_OVERRIDE: u8 = 0x20;
/// Target Link-Layer Address, of one unit of eight octets.
const OPTION_TARGET: [u8; 2] = [2, 1];

/// An announcement that `address` is at `mac`.
///
/// ```
/// use vrrp_core::Vrid;
/// use vrrp_core::wire::nd::{FRAME_LEN, NeighbourAdvertisement};
/// let mac = Vrid::new(50).expect("not 0").mac_v6();
/// let address = "fe80::50".parse()?;
/// let mut buffer = [0; FRAME_LEN];
/// let frame = NeighbourAdvertisement { mac, address, router: true }.emit(&mut buffer)?;
/// assert_eq!(frame.len(), FRAME_LEN);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NeighbourAdvertisement {
    /// The MAC address that clients shall use; also the frame's source.
    pub mac: [u8; 6],
    /// The virtual address; also the packet's source.
    pub address: Ipv6Addr,
    /// The Router flag. A virtual router sets it (R78); a host that does not forward may not, lest clients take it for a
    /// default router.
    pub router: bool,
}

impl NeighbourAdvertisement {
    /// Writes the Ethernet frame, to the all-nodes group, into the front of `buffer`.
    pub fn emit<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], BufferTooSmall> {
        let have = buffer.len();
        let frame = buffer.get_mut(..FRAME_LEN).ok_or(BufferTooSmall { need: FRAME_LEN, have })?;
        let address = self.address.octets();
        let router = if self.router { FLAG_ROUTER } else { 0 };
        let flags = [router | FLAG_OVERRIDE, 0, 0, 0];
        let head = [TYPE_NEIGHBOUR_ADVERTISEMENT, 0];
        let sum = crate::checksum::pseudo_header_of(NEXT_HEADER_ICMPV6, IpAddr::V6(self.address), ALL_NODES.into(), 32);
        let sum = [&flags[..], &address, &OPTION_TARGET, &self.mac].into_iter().fold(sum.with(&head), Checksum::with);
        let checksum = sum.finish().to_be_bytes();
        let destination = ALL_NODES.octets();
        let fields: [&[u8]; 12] = [
            &ALL_NODES_MAC,
            &self.mac,
            &ETHERTYPE_IPV6,
            &IPV6_HEAD,
            &address,
            &destination,
            &head,
            &checksum,
            &flags,
            &address,
            &OPTION_TARGET,
            &self.mac,
        ];
        let mut rest = &mut frame[..];
        for field in fields {
            let (head, tail) = rest.split_at_mut(field.len());
            head.copy_from_slice(field);
            rest = tail;
        }
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [0, 0, 0x5e, 0, 2, 50];

    fn sample() -> NeighbourAdvertisement {
        NeighbourAdvertisement { mac: MAC, address: "fe80::50".parse().unwrap(), router: true }
    }

    #[test]
    fn r78_the_frame_has_router_and_override_and_the_target_option() {
        let mut buffer = [0xaa; 90];
        let frame = sample().emit(&mut buffer).unwrap();
        // fed0 + ff03 + 20 + 3a of the pseudo-header, 8800 + a000 + fed0 + 201 + 5e00 + 232 sum to 8734.
        #[rustfmt::skip]
        let expected = [
            0x33, 0x33, 0, 0, 0, 1, 0, 0, 0x5e, 0, 2, 50, 0x86, 0xdd,
            0x60, 0, 0, 0, 0, 32, 58, 255,
            0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x50,
            0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01,
            136, 0, 0x78, 0xcb, 0xa0, 0, 0, 0,
            0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x50,
            2, 1, 0, 0, 0x5e, 0, 2, 50,
        ];
        assert_eq!(*frame, expected);
        assert!(buffer[FRAME_LEN..].iter().all(|octet| *octet == 0xaa));
    }

    /// The frame in the eyes of another's decoder, its checksum included.
    #[test]
    fn another_decoder_agrees() {
        for router in [false, true] {
            let mut buffer = [0; FRAME_LEN];
            let frame = NeighbourAdvertisement { router, ..sample() }.emit(&mut buffer).unwrap();
            let packet = etherparse::SlicedPacket::from_ethernet(frame).unwrap();
            let Some(etherparse::NetSlice::Ipv6(ip)) = packet.net else { panic!("no IPv6") };
            assert_eq!(ip.header().hop_limit(), 255);
            assert_eq!(ip.header().source_addr(), sample().address);
            assert_eq!(ip.header().destination_addr(), ALL_NODES);
            let Some(etherparse::TransportSlice::Icmpv6(icmp)) = packet.transport else { panic!("no ICMPv6") };
            assert!(icmp.is_checksum_valid(ip.header().source(), ip.header().destination()));
            assert_eq!((icmp.type_u8(), icmp.code_u8()), (136, 0));
            assert_eq!(icmp.bytes5to8()[0], if router { 0xa0 } else { 0x20 }, "R, not S, O");
        }
    }

    #[test]
    fn a_short_buffer_is_refused() {
        assert_eq!(sample().emit(&mut [0; 85]), Err(BufferTooSmall { need: 86, have: 85 }));
    }
}
