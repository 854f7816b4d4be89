//! The Internet checksum (RFC 1071), over one piece or several. Knows nothing of what it sums.

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
    pub fn with(self, octets: &[u8]) -> Self {
        let (words, rest) = octets.as_chunks::<4>();
        let sum = words.iter().fold(self.0, |sum, word| sum + u64::from(u32::from_be_bytes(*word)));
        let (pairs, odd) = rest.as_chunks::<2>();
        let sum = pairs.iter().fold(sum, |sum, pair| sum + u64::from(u16::from_be_bytes(*pair)));
        Self(odd.iter().fold(sum, |sum, octet| sum + (u64::from(*octet) << 8)))
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

/// The pseudo-header that VRRPv3 sums over IPv4 in RFC 5798's reading: addresses, protocol and length.
pub fn pseudo_header_v4(source: core::net::Ipv4Addr, destination: core::net::Ipv4Addr, length: u16) -> Checksum {
    let length = length.to_be_bytes();
    Checksum::default().with(&source.octets()).with(&destination.octets()).with(&[0, 112, length[0], length[1]])
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
