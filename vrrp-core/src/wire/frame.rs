//! An advertisement as a whole Ethernet frame, for hosts whose frames carry the virtual router's MAC address (RFC 3768
//! section 7.2, RFC 9568 section 7.2) while no interface of theirs has it.
//!
//! Knows headers; neither what the advertisement says nor when it is sent.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ipv4::PROTOCOL_VRRP;
use super::{BufferTooSmall, lay};
use crate::checksum::Checksum;

/// Octets in front of a message, at most: an Ethernet and an IPv6 header.
pub const MAX_HEADERS: usize = ETHERNET_LEN + IPV6_LEN;

const ETHERNET_LEN: usize = 14;
const IPV4_LEN: usize = 20;
/// RFC 8200 section 3, without extensions.
pub(crate) const IPV6_LEN: usize = 40;
/// Where an IPv4 header has its checksum.
const IPV4_CHECKSUM: usize = 10;
const IPV4_DESTINATION: usize = 16;

const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
/// Version 4, a header of five words, the precedence of routing protocols.
const IPV4_HEAD: [u8; 2] = [0x45, 0xc0];
/// Version 6 with the traffic class of routing protocols, no flow label.
const IPV6_HEAD: [u8; 4] = [0x6c, 0, 0, 0];
/// No identification, since it is never fragmented (RFC 6864 section 4.1): "don't fragment" is set.
const ATOMIC: [u8; 4] = [0, 0, 0x40, 0];

/// Who sends a frame to a multicast group, and how.
///
/// ```
/// use vrrp_core::Vrid;
/// use vrrp_core::wire::frame::GroupFrame;
/// let mac = Vrid::new(50).expect("not 0").mac_v4();
/// let frame = GroupFrame { mac, source: [10, 0, 0, 1].into(), destination: [224, 0, 0, 18].into(), ttl: 255 };
/// let mut buffer = [0; 64];
/// assert_eq!(frame.emit(&[0; 20], &mut buffer)?.len(), 54);
/// # Ok::<(), vrrp_core::wire::frame::FrameError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GroupFrame {
    /// The frame's source MAC address.
    pub mac: [u8; 6],
    /// The datagram's source.
    pub source: IpAddr,
    /// The multicast group.
    pub destination: IpAddr,
    /// TTL, or hop limit.
    pub ttl: u8,
}

impl GroupFrame {
    /// Writes the frame around a VRRP message into the front of `buffer`, which needs [`MAX_HEADERS`] more than the message
    /// at most.
    pub fn emit<'b>(&self, message: &[u8], buffer: &'b mut [u8]) -> Result<&'b mut [u8], FrameError> {
        let too_long = |_| FrameError::TooLong(message.len());
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let total = u16::try_from(message.len().saturating_add(IPV4_LEN)).map_err(too_long)?.to_be_bytes();
                let (source, destination) = (source.octets(), destination.octets());
                let protocol = [self.ttl, PROTOCOL_VRRP];
                let header: [&[u8]; 7] = [&IPV4_HEAD, &total, &ATOMIC, &protocol, &[0, 0], &source, &destination];
                let sum = header.into_iter().fold(Checksum::default(), Checksum::with).finish().to_be_bytes();
                let to = group_mac_v4(destination.into())?;
                let fields: [&[u8]; 11] = [
                    &to,
                    &self.mac,
                    &ETHERTYPE_IPV4,
                    &IPV4_HEAD,
                    &total,
                    &ATOMIC,
                    &protocol,
                    &sum,
                    &source,
                    &destination,
                    message,
                ];
                written(buffer, &fields)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let length = u16::try_from(message.len()).map_err(too_long)?.to_be_bytes();
                let to = group_mac_v6(destination)?;
                let fields: [&[u8]; 9] = [
                    &to,
                    &self.mac,
                    &ETHERTYPE_IPV6,
                    &IPV6_HEAD,
                    &length,
                    &[PROTOCOL_VRRP, self.ttl],
                    &source.octets(),
                    &destination.octets(),
                    message,
                ];
                written(buffer, &fields)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => Err(FrameError::Families),
        }
    }
}

/// Writes the frame around a whole IPv4 datagram to a group into the front of `buffer`, and the checksum into its header.
pub fn emit_datagram<'b>(mac: [u8; 6], datagram: &[u8], buffer: &'b mut [u8]) -> Result<&'b mut [u8], FrameError> {
    let Some((header, payload)) = datagram.split_at_checked(IPV4_LEN) else { return Err(FrameError::NoHeader) };
    let (Some((front, back)), Some(&[a, b, c, d])) =
        (header.split_at_checked(IPV4_CHECKSUM), header.get(IPV4_DESTINATION..IPV4_LEN))
    else {
        return Err(FrameError::NoHeader);
    };
    let back = back.get(2..).unwrap_or_default();
    let sum = Checksum::default().with(front).with(back).finish().to_be_bytes();
    let to = group_mac_v4(Ipv4Addr::new(a, b, c, d))?;
    written(buffer, &[&to, &mac, &ETHERTYPE_IPV4, front, &sum, back, payload])
}

/// Why there is no frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameError {
    /// No room for it.
    Buffer(BufferTooSmall),
    /// Source and destination are of different families.
    Families,
    /// The destination is no multicast group.
    NoGroup,
    /// A message of so many octets is longer than a datagram can be.
    TooLong(usize),
    /// What should be a datagram is shorter than an IPv4 header.
    NoHeader,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buffer(error) => error.fmt(f),
            Self::Families => f.write_str("source and destination are of different families"),
            Self::NoGroup => f.write_str("the destination is no multicast group"),
            Self::TooLong(length) => write!(f, "a message of {length} octets does not fit into a datagram"),
            Self::NoHeader => f.write_str("the datagram is shorter than an IPv4 header"),
        }
    }
}

impl core::error::Error for FrameError {}

/// RFC 1112 section 6.4: the last 23 bits of the group behind a fixed prefix.
fn group_mac_v4(group: Ipv4Addr) -> Result<[u8; 6], FrameError> {
    let [_, b, c, d] = group.octets();
    if group.is_multicast() { Ok([0x01, 0x00, 0x5e, b & 0x7f, c, d]) } else { Err(FrameError::NoGroup) }
}

/// RFC 2464 section 7: the last four octets of the group behind a fixed prefix.
fn group_mac_v6(group: Ipv6Addr) -> Result<[u8; 6], FrameError> {
    let [.., a, b, c, d] = group.octets();
    if group.is_multicast() { Ok([0x33, 0x33, a, b, c, d]) } else { Err(FrameError::NoGroup) }
}

fn written<'b>(buffer: &'b mut [u8], fields: &[&[u8]]) -> Result<&'b mut [u8], FrameError> {
    let need = fields.iter().map(|field| field.len()).sum();
    let have = buffer.len();
    let frame = buffer.get_mut(..need).ok_or(FrameError::Buffer(BufferTooSmall { need, have }))?;
    lay(frame, fields);
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [0, 0, 0x5e, 0, 1, 50];

    fn v4() -> GroupFrame {
        GroupFrame { mac: MAC, source: [10, 0, 0, 1].into(), destination: [224, 0, 0, 18].into(), ttl: 255 }
    }

    #[test]
    fn r51_an_ipv4_frame_has_the_virtual_mac_address_and_a_whole_header() {
        let mut buffer = [0xaa; 64];
        let frame = v4().emit(&[0x21, 2, 3], &mut buffer).unwrap();
        #[rustfmt::skip]
        assert_eq!(*frame, [
            0x01, 0, 0x5e, 0, 0, 0x12, 0, 0, 0x5e, 0, 1, 50, 0x08, 0,
            0x45, 0xc0, 0, 23, 0, 0, 0x40, 0, 255, 112, 0x90, 0xa3, 10, 0, 0, 1, 224, 0, 0, 18,
            0x21, 2, 3,
        ]);
        assert_eq!(buffer[37], 0xaa);
    }

    /// The frames in the eyes of another's decoder, checksum included.
    #[test]
    fn another_decoder_agrees() {
        let message = [7; 40];
        let mut buffer = [0; 128];
        let frame = v4().emit(&message, &mut buffer).unwrap();
        let packet = etherparse::SlicedPacket::from_ethernet(frame).unwrap();
        let Some(etherparse::NetSlice::Ipv4(ip)) = packet.net else { panic!("no IPv4") };
        let header = ip.header().to_header();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        assert_eq!((header.time_to_live, header.protocol.0, header.dont_fragment), (255, 112, true));
        assert_eq!(ip.payload().payload, message);

        let source: Ipv6Addr = "fe80::1".parse().unwrap();
        let destination: Ipv6Addr = "ff02::12".parse().unwrap();
        let mut buffer = [0; 128];
        let v6 = GroupFrame { mac: MAC, source: source.into(), destination: destination.into(), ttl: 255 };
        let frame = v6.emit(&message, &mut buffer).unwrap();
        assert_eq!((&frame[..6], &frame[6..12]), (&[0x33, 0x33, 0, 0, 0, 0x12][..], &MAC[..]));
        let packet = etherparse::SlicedPacket::from_ethernet(frame).unwrap();
        let Some(etherparse::NetSlice::Ipv6(ip)) = packet.net else { panic!("no IPv6") };
        assert_eq!((ip.header().source_addr(), ip.header().destination_addr()), (source, destination));
        assert_eq!(
            (ip.header().hop_limit(), ip.header().next_header().0, ip.header().traffic_class()),
            (255, 112, 0xc0)
        );
        assert_eq!(ip.payload().payload, message);
    }

    #[test]
    fn a_datagram_gets_its_frame_and_checksum() {
        let mut expected = [0; 64];
        let expected = v4().emit(&[1, 2, 3, 4], &mut expected).unwrap();
        let mut datagram = expected[ETHERNET_LEN..].to_vec();
        datagram[IPV4_CHECKSUM..12].fill(0xee);
        let mut buffer = [0; 64];
        assert_eq!(emit_datagram(MAC, &datagram, &mut buffer).unwrap(), expected);
        for length in 0..IPV4_LEN {
            assert_eq!(emit_datagram(MAC, &datagram[..length], &mut buffer), Err(FrameError::NoHeader));
        }
        datagram[16] = 10;
        assert_eq!(emit_datagram(MAC, &datagram, &mut buffer), Err(FrameError::NoGroup));
    }

    #[test]
    fn what_cannot_be_a_frame_is_refused() {
        let mut buffer = [0; 64];
        let mixed = GroupFrame { source: Ipv6Addr::LOCALHOST.into(), ..v4() };
        assert_eq!(mixed.emit(&[0; 8], &mut buffer), Err(FrameError::Families));
        let host = GroupFrame { destination: [10, 0, 0, 2].into(), ..v4() };
        assert_eq!(host.emit(&[0; 8], &mut buffer), Err(FrameError::NoGroup));
        let short = BufferTooSmall { need: 42, have: 41 };
        assert_eq!(v4().emit(&[0; 8], &mut buffer[..41]), Err(FrameError::Buffer(short)));
        assert_eq!(v4().emit(&std::vec![0; 65516], &mut buffer), Err(FrameError::TooLong(65516)));
    }
}
