//! The IPv6 header in front of an advertisement, where a whole datagram was caught (RFC 8200 section 3).
//!
//! A view only. An advertisement stands right behind the header: with extension headers, or as a fragment, it is none.

use core::net::Ipv6Addr;

use super::ipv4::PROTOCOL_VRRP;
use super::{be16, octet};
use crate::rx::Meta;

mod field {
    pub(super) const VERSION: usize = 0;
    pub(super) const PAYLOAD_LENGTH: usize = 4;
    pub(super) const NEXT_HEADER: usize = 6;
    pub(super) const HOP_LIMIT: usize = 7;
    pub(super) const SOURCE: usize = 8;
    pub(super) const DESTINATION: usize = 24;
}

/// Octets of the header.
pub const HEADER_LEN: usize = 40;

/// Splits a whole IPv6 datagram of protocol 112 into what its header says and the message; link-layer padding behind it is
/// cut off. `None` for everything else.
///
/// ```
/// use vrrp_core::wire::ipv6;
/// let mut datagram = [0; 48];
/// datagram[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 8, 112, 255]);
/// assert_eq!(ipv6::split(&datagram).map(|(meta, message)| (meta.ttl, message.len())), Some((255, 8)));
/// assert_eq!(ipv6::split(&datagram[..47]), None);
/// ```
pub fn split(octets: &[u8]) -> Option<(Meta, &[u8])> {
    let (header, behind) = octets.split_at_checked(HEADER_LEN)?;
    if octet(header, field::VERSION) >> 4 != 6 || octet(header, field::NEXT_HEADER) != PROTOCOL_VRRP {
        return None;
    }
    let message = behind.get(..usize::from(be16(header, field::PAYLOAD_LENGTH)))?;
    let address = |at: usize| header.get(at..)?.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets).into());
    let (source, destination) = (address(field::SOURCE)?, address(field::DESTINATION)?);
    Some((Meta { source, destination, ttl: octet(header, field::HOP_LIMIT) }, message))
}
