//! The IPv4 header in front of an advertisement, as raw sockets and captures deliver it (RFC 791 section 3.1).
//!
//! A view only: the fields that the checks of RFC 3768 section 7.1 need. Options are stepped over, and link-layer
//! padding behind the total length is cut off.

use core::fmt;
use core::net::Ipv4Addr;

use super::{be16, octet};

mod field {
    pub(super) const VERSION_IHL: usize = 0;
    pub(super) const TOTAL_LENGTH: usize = 2;
    pub(super) const FRAGMENT: usize = 6;
    pub(super) const TTL: usize = 8;
    pub(super) const PROTOCOL: usize = 9;
    pub(super) const SOURCE: usize = 12;
    pub(super) const DESTINATION: usize = 16;
}

/// Octets of a header without options.
pub const HEADER_LEN: usize = 20;

/// The protocol number of VRRP (RFC 3768 section 5.2.4).
pub const PROTOCOL_VRRP: u8 = 112;

/// A whole IPv4 datagram. Its accessors are total.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ipv4Packet<'a> {
    header: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Ipv4Packet<'a> {
    /// Checks version, header length, total length, and that it is not a fragment. The header checksum is the kernel's to check.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Ipv4Error> {
        if octets.len() < HEADER_LEN {
            return Err(Ipv4Error::Truncated { need: HEADER_LEN, have: octets.len() });
        }
        let version_ihl = octet(octets, field::VERSION_IHL);
        if version_ihl >> 4 != 4 {
            return Err(Ipv4Error::Version(version_ihl >> 4));
        }
        let header_len = usize::from(version_ihl & 0x0f) * 4;
        let total = usize::from(be16(octets, field::TOTAL_LENGTH));
        if header_len < HEADER_LEN || total < header_len {
            return Err(Ipv4Error::Lengths { header: header_len, total });
        }
        if be16(octets, field::FRAGMENT) & 0x3fff != 0 {
            return Err(Ipv4Error::Fragment);
        }
        match (octets.get(..header_len), octets.get(header_len..total)) {
            (Some(header), Some(payload)) => Ok(Self { header, payload }),
            _ => Err(Ipv4Error::Truncated { need: total, have: octets.len() }),
        }
    }

    /// Time to live.
    pub fn ttl(&self) -> u8 {
        octet(self.header, field::TTL)
    }

    /// Protocol number of the payload.
    pub fn protocol(&self) -> u8 {
        octet(self.header, field::PROTOCOL)
    }

    /// Source address.
    pub fn source(&self) -> Ipv4Addr {
        address(self.header, field::SOURCE)
    }

    /// Destination address.
    pub fn destination(&self) -> Ipv4Addr {
        address(self.header, field::DESTINATION)
    }

    /// The header and its options.
    #[cfg(any(feature = "alloc", feature = "auth"))]
    pub(crate) const fn header(&self) -> &'a [u8] {
        self.header
    }

    /// What follows the header and its options, up to the total length.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// Why octets are not a whole IPv4 datagram.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ipv4Error {
    /// Shorter than the header, or than the header says.
    Truncated {
        /// Octets that the header needs or says.
        need: usize,
        /// Octets that are there.
        have: usize,
    },
    /// Not version 4.
    Version(u8),
    /// Header length below 20, or total length below the header's.
    Lengths {
        /// Header length, octets.
        header: usize,
        /// Total length, octets.
        total: usize,
    },
    /// A fragment: an advertisement is never one, and the kernel reassembles before it delivers.
    Fragment,
}

impl fmt::Display for Ipv4Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { need, have } => write!(f, "IPv4 datagram cut short: {have} octets, {need} expected"),
            Self::Version(version) => write!(f, "IP version is {version}, 4 expected"),
            Self::Lengths { header, total } => {
                write!(f, "impossible IPv4 lengths: header {header}, total {total} octets")
            }
            Self::Fragment => f.write_str("IPv4 fragment"),
        }
    }
}

impl core::error::Error for Ipv4Error {}

fn address(octets: &[u8], at: usize) -> Ipv4Addr {
    match octets.get(at..at + 4) {
        Some(&[a, b, c, d]) => Ipv4Addr::new(a, b, c, d),
        _ => Ipv4Addr::UNSPECIFIED,
    }
}

/// Writes the TTL into a datagram; one without a whole header stays as it is. The checksum of the header, which is the
/// kernel's to write, is not put right.
#[cfg(feature = "alloc")]
pub(crate) fn set_ttl(datagram: &mut [u8], ttl: u8) {
    if datagram.len() >= HEADER_LEN
        && let Some(field) = datagram.get_mut(field::TTL)
    {
        *field = ttl;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram() -> [u8; 24] {
        let mut d = [0u8; 24];
        d[0] = 0x45;
        d[3] = 24;
        d[8] = 255;
        d[9] = PROTOCOL_VRRP;
        d[12..16].copy_from_slice(&[10, 0, 0, 1]);
        d[16..20].copy_from_slice(&[224, 0, 0, 18]);
        d[20..].copy_from_slice(&[1, 2, 3, 4]);
        d
    }

    #[test]
    fn fields_are_read() {
        let d = datagram();
        let p = Ipv4Packet::parse(&d).unwrap();
        assert_eq!((p.ttl(), p.protocol()), (255, 112));
        assert_eq!((p.source(), p.destination()), (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(224, 0, 0, 18)));
        assert_eq!(p.payload(), [1, 2, 3, 4]);
    }

    /// R50: the payload's length is the header's, never the frame's.
    #[test]
    fn ethernet_padding_is_cut_off() {
        let mut padded = [0u8; 60];
        padded[..24].copy_from_slice(&datagram());
        assert_eq!(Ipv4Packet::parse(&padded).unwrap().payload(), [1, 2, 3, 4]);
    }

    #[test]
    fn options_are_stepped_over() {
        let mut d = datagram();
        d[0] = 0x46;
        assert_eq!(Ipv4Packet::parse(&d).unwrap().payload(), []);
    }

    #[test]
    fn a_header_without_payload_is_a_whole_datagram() {
        let mut d = datagram();
        d[3] = 20;
        assert_eq!(Ipv4Packet::parse(&d[..HEADER_LEN]).unwrap().payload(), []);
    }

    #[test]
    fn every_impossible_header_is_refused() {
        let good = datagram();
        for length in 0..HEADER_LEN {
            assert_eq!(
                Ipv4Packet::parse(&good[..length]),
                Err(Ipv4Error::Truncated { need: HEADER_LEN, have: length })
            );
        }
        assert_eq!(Ipv4Packet::parse(&good[..23]), Err(Ipv4Error::Truncated { need: 24, have: 23 }));
        let with = |at: usize, value: u8| {
            let mut d = good;
            d[at] = value;
            Ipv4Packet::parse(&d).map(|_| ())
        };
        assert_eq!(with(0, 0x65), Err(Ipv4Error::Version(6)));
        assert_eq!(with(0, 0x44), Err(Ipv4Error::Lengths { header: 16, total: 24 }));
        assert_eq!(with(3, 19), Err(Ipv4Error::Lengths { header: 20, total: 19 }));
        assert_eq!(with(6, 0x20), Err(Ipv4Error::Fragment), "more fragments");
        assert_eq!(with(7, 1), Err(Ipv4Error::Fragment), "offset");
        assert_eq!(with(6, 0x40), Ok(()), "don't fragment is not a fragment");
    }
}
