//! The neighbour advertisement (RFC 4861 section 4.4): the unsolicited one that tells a LAN which MAC has an IPv6 address now
//! (RFC 9568 section 6.4.1), written and read.
//!
//! It goes to all nodes, with the Router flag as the virtual router is one, with Override so that caches change at once, and not
//! Solicited (R78). Knows no socket and no schedule.

use core::net::{IpAddr, Ipv6Addr};

use super::{BufferTooSmall, be16, lay, octet};
use crate::checksum::Checksum;

/// Octets of the Ethernet frame, without check sequence: Ethernet 14, IPv6 40, the message 24, its option 8.
pub const FRAME_LEN: usize = 86;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const NEXT_HEADER_ICMPV6: u8 = 58;
/// Version 6, no traffic class, no flow label; 32 octets of ICMPv6; hop limit 255.
const IPV6_HEAD: [u8; 8] = [0x60, 0, 0, 0, 0, 32, NEXT_HEADER_ICMPV6, HOP_LIMIT];
const TYPE_NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const FLAG_ROUTER: u8 = 0x80;
const FLAG_SOLICITED: u8 = 0x40;
const FLAG_OVERRIDE: u8 = 0x20;
/// Target Link-Layer Address, of one unit of eight octets.
const OPTION_TARGET: [u8; 2] = [2, 1];

const HOP_LIMIT: u8 = 255;
const SOURCE_MAC_AT: usize = 6;
const ETHERTYPE_AT: usize = 12;
const VERSION_AT: usize = 14;
const LENGTH_AT: usize = 18;
const NEXT_HEADER_AT: usize = 20;
const HOP_LIMIT_AT: usize = 21;
const SOURCE_AT: usize = 22;
const DESTINATION_AT: usize = 38;
const MESSAGE_AT: usize = 54;
const FLAGS_AT: usize = 58;
const TARGET_AT: usize = 62;
/// Also the shortest message, which has none, ends here.
const OPTIONS_AT: usize = 78;

/// A neighbour advertisement in its frame, which passed the checks of RFC 4861 section 7.1.2.
///
/// ```
/// use vrrp_core::wire::nd::{AdvertisementFrame, FRAME_LEN, NeighbourAdvertisement};
/// let told = NeighbourAdvertisement { mac: [0x02, 0, 0, 0, 0, 1], address: "fe80::50".parse()?, router: true };
/// let mut buffer = [0; FRAME_LEN];
/// let frame = told.emit(&mut buffer)?;
/// let heard = AdvertisementFrame::parse(frame).expect("it is one");
/// assert_eq!((heard.target(), heard.mac(), heard.is_solicited()), (told.address, told.mac, false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AdvertisementFrame<'f> {
    /// Up to the end of the message, which has [`OPTIONS_AT`] octets at least.
    octets: &'f [u8],
}

impl<'f> AdvertisementFrame<'f> {
    /// `None` for another kind of frame, one that is cut, and a message that nobody may believe: a router forwarded it, its
    /// checksum is wrong, its options are garbled. Extension headers are not stepped over; padding behind it does not matter.
    pub fn parse(frame: &'f [u8]) -> Option<Self> {
        if frame.get(ETHERTYPE_AT..VERSION_AT) != Some(&ETHERTYPE_IPV6) || octet(frame, VERSION_AT) >> 4 != 6 {
            return None;
        }
        let message_len = be16(frame, LENGTH_AT);
        let octets = frame.get(..MESSAGE_AT + usize::from(message_len))?;
        let message = octets.get(MESSAGE_AT..)?;
        let kind = [octet(octets, NEXT_HEADER_AT), octet(octets, HOP_LIMIT_AT)];
        if octets.len() < OPTIONS_AT
            || kind != [NEXT_HEADER_ICMPV6, HOP_LIMIT]
            || message.first_chunk() != Some(&[TYPE_NEIGHBOUR_ADVERTISEMENT, 0])
        {
            return None;
        }
        let parsed = Self { octets };
        let (source, destination) = (parsed.address(SOURCE_AT), parsed.address(DESTINATION_AT));
        let sum = crate::checksum::pseudo_header_of(
            NEXT_HEADER_ICMPV6,
            source.into(),
            destination.into(),
            u32::from(message_len),
        );
        let believable = sum.with(message).finish() == 0
            && !parsed.target().is_multicast()
            && !(destination.is_multicast() && parsed.is_solicited())
            && Options(parsed.options()).all(|option| option.is_some());
        believable.then_some(parsed)
    }

    /// The address that it speaks of.
    pub fn target(&self) -> Ipv6Addr {
        self.address(TARGET_AT)
    }

    /// The MAC address that the target has: that of the option, or, without one, that of the sender.
    pub fn mac(&self) -> [u8; 6] {
        let target = Options(self.options())
            .flatten()
            .find_map(|option| option.strip_prefix(&OPTION_TARGET)?.first_chunk().copied());
        let sender = || self.octets.get(SOURCE_MAC_AT..)?.first_chunk().copied();
        target.or_else(sender).unwrap_or_default()
    }

    /// Whether it answers a question.
    pub fn is_solicited(&self) -> bool {
        octet(self.octets, FLAGS_AT) & FLAG_SOLICITED != 0
    }

    fn options(&self) -> &'f [u8] {
        self.octets.get(OPTIONS_AT..).unwrap_or_default()
    }

    fn address(&self, at: usize) -> Ipv6Addr {
        self.octets.get(at..).and_then(|rest| rest.first_chunk::<16>()).map_or(Ipv6Addr::UNSPECIFIED, |a| (*a).into())
    }
}

/// Options of neighbour discovery; `None` for one without length or that is cut, which is the last then.
struct Options<'o>(&'o [u8]);

impl<'o> Iterator for Options<'o> {
    type Item = Option<&'o [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let len = usize::from(octet(self.0, 1)) * 8;
        let split = self.0.split_at_checked(len).filter(|_| len > 0);
        self.0 = split.map_or(&[], |(_, rest)| rest);
        Some(split.map(|(option, _)| option))
    }
}

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
    /// The MAC address that clients shall use.
    pub mac: [u8; 6],
    /// The virtual address; also the packet's source.
    pub address: Ipv6Addr,
    /// The Router flag. A virtual router sets it (R78); a host that does not forward may not, lest clients take it for a
    /// default router.
    pub router: bool,
}

impl NeighbourAdvertisement {
    /// Writes the Ethernet frame, to the all-nodes group and from [`NeighbourAdvertisement::mac`] itself, into the front of
    /// `buffer`.
    pub fn emit<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], BufferTooSmall> {
        self.emit_from(self.mac, buffer)
    }

    /// The same from another host's MAC address: the sender tells who else has the address. The frame's source stays its
    /// own, lest switches look for [`NeighbourAdvertisement::mac`] here.
    pub fn emit_from<'b>(&self, source: [u8; 6], buffer: &'b mut [u8]) -> Result<&'b mut [u8], BufferTooSmall> {
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
            &source,
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
        lay(frame, &fields);
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

    /// With its checksum put right.
    fn mended(mut frame: std::vec::Vec<u8>) -> std::vec::Vec<u8> {
        frame[56..58].fill(0);
        let address = |octets: &[u8]| Ipv6Addr::from(<[u8; 16]>::try_from(octets).unwrap());
        let (source, destination) = (address(&frame[22..38]), address(&frame[38..54]));
        let length = u32::try_from(frame.len() - 54).unwrap();
        let sum = crate::checksum::pseudo_header_of(58, source.into(), destination.into(), length);
        let sum = sum.with(&frame[54..]).finish().to_be_bytes();
        frame[56..58].copy_from_slice(&sum);
        frame
    }

    fn frame() -> std::vec::Vec<u8> {
        let mut buffer = [0; FRAME_LEN];
        sample().emit_from([2, 0, 0, 0, 0, 8], &mut buffer).unwrap();
        buffer.to_vec()
    }

    #[test]
    fn what_was_told_is_heard_whoever_told_it() {
        let mut frame = frame();
        assert_eq!(frame[6..12], [2, 0, 0, 0, 0, 8]);
        frame.extend([0xee; 4]);
        let heard = AdvertisementFrame::parse(&frame).unwrap();
        assert_eq!((heard.target(), heard.mac(), heard.is_solicited()), (sample().address, sample().mac, false));
    }

    #[test]
    fn an_advertisement_without_the_option_speaks_of_its_sender() {
        let mut frame = frame();
        frame.truncate(78);
        frame[19] = 24;
        let frame = mended(frame);
        assert_eq!(AdvertisementFrame::parse(&frame).unwrap().mac(), [2, 0, 0, 0, 0, 8]);
    }

    #[test]
    fn another_option_in_front_is_stepped_over() {
        let mut frame = frame();
        frame.splice(78..78, [14, 1, 0, 0, 0, 0, 0, 0]);
        frame[19] = 40;
        let frame = mended(frame);
        assert_eq!(AdvertisementFrame::parse(&frame).unwrap().mac(), sample().mac);
    }

    #[test]
    fn what_nobody_may_believe_is_refused() {
        for len in 0..FRAME_LEN {
            assert_eq!(AdvertisementFrame::parse(&frame()[..len]), None, "{len}");
        }
        // EtherType, version, length, next header, hop limit, type, code, checksum, target, MAC.
        for at in [12, 13, 14, 19, 20, 21, 54, 55, 56, 57, 77, 85] {
            let mut frame = frame();
            frame[at] ^= 0x10;
            assert_eq!(AdvertisementFrame::parse(&frame), None, "{at}");
        }
        let with = |at: usize, value: u8| {
            let mut frame = frame();
            frame[at] = value;
            mended(frame)
        };
        assert_eq!(AdvertisementFrame::parse(&with(58, 0x60)), None, "solicited, to a group");
        assert_eq!(AdvertisementFrame::parse(&with(62, 0xff)), None, "the target is a group");
        assert_eq!(AdvertisementFrame::parse(&with(79, 0)), None, "an option without length");
        assert_eq!(AdvertisementFrame::parse(&with(79, 2)), None, "an option that is cut");
        assert!(AdvertisementFrame::parse(&with(58, 0x00)).is_some());
    }

    #[test]
    fn a_short_buffer_is_refused() {
        assert_eq!(sample().emit(&mut [0; 85]), Err(BufferTooSmall { need: 86, have: 85 }));
    }
}
