//! The Internet checksum (RFC 1071), over one piece or several. Knows nothing of what it sums.

use core::net::IpAddr;

/// A one's-complement sum in progress.
///
/// Pieces other than the last must have an even length, as the fields of a header have.
///
/// ```
/// use vrrp_core::checksum::Checksum;
/// // The example of RFC 1071 section 3.
/// let sum = Checksum::default().with(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
/// assert_eq!(sum.finish(), !0xddf2);
/// ```
#[derive(Clone, Copy, Default, Debug)]
#[must_use]
pub struct Checksum(u64);

impl Checksum {
    /// Adds `octets`, read as big-endian 16-bit words; an odd last octet is the high half of its word.
    #[inline]
    pub fn with(self, octets: &[u8]) -> Self {
        let (doubles, rest) = octets.as_chunks::<8>();
        let sum = doubles.iter().fold(self.0, |sum, octets| {
            let double = u64::from_be_bytes(*octets);
            sum + (double >> 32) + (double & 0xffff_ffff)
        });
        let (words, rest) = rest.as_chunks::<4>();
        let sum = words.iter().fold(sum, |sum, word| sum + u64::from(u32::from_be_bytes(*word)));
        let (pairs, odd) = rest.as_chunks::<2>();
        let sum = pairs.iter().fold(sum, |sum, pair| sum + u64::from(u16::from_be_bytes(*pair)));
        Self(odd.iter().fold(sum, |sum, octet| sum + (u64::from(*octet) << 8)))
    }

    /// Takes out a 16-bit field that was summed, at an even offset: one's own value in a checksum field.
    pub(crate) fn without(self, field: u16) -> Self {
        Self(self.0 - u64::from(field))
    }

    /// The sum of both.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    fn address(self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.with(&address.octets()),
            IpAddr::V6(address) => self.with(&address.octets()),
        }
    }

    /// The value for a checksum field that was summed as zero.
    #[must_use]
    pub fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).unwrap_or(u16::MAX)
    }
}

/// The pseudo-header of RFC 8200 section 8.1: addresses, length and next header 112. VRRPv3 sums it over IPv6 always, and
/// over IPv4 in RFC 5798's reading.
///
/// The sum does not depend on the width of the length and protocol fields, so one layout serves both families.
pub fn pseudo_header(source: IpAddr, destination: IpAddr, length: u32) -> Checksum {
    pseudo_header_of(112, source, destination, length)
}

/// The same for another protocol.
pub(crate) fn pseudo_header_of(next_header: u8, source: IpAddr, destination: IpAddr, length: u32) -> Checksum {
    let [a, b, c, d] = length.to_be_bytes();
    Checksum::default().address(source).address(destination).with(&[a, b, c, d, 0, 0, 0, next_header])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The plain definition, word by word.
    fn reference(octets: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in octets.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).unwrap()
    }

    #[test]
    fn agrees_with_the_definition_for_every_length() {
        let octets: std::vec::Vec<u8> = (0..1100u32).map(|i| (i * 167 + 251).to_le_bytes()[0]).collect();
        for length in 0..octets.len() {
            assert_eq!(Checksum::default().with(&octets[..length]).finish(), reference(&octets[..length]), "{length}");
        }
    }

    #[test]
    fn pieces_of_even_length_sum_as_one() {
        let octets: std::vec::Vec<u8> = (0..=255).collect();
        for cut in (0..=256).step_by(2) {
            let pieces = Checksum::default().with(&octets[..cut]).with(&octets[cut..]);
            assert_eq!(pieces.finish(), reference(&octets));
        }
    }

    #[test]
    fn all_ones_do_not_overflow() {
        assert_eq!(Checksum::default().with(&std::vec![0xff; 65_536]).finish(), 0);
    }
}
