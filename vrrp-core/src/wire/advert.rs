//! The ADVERTISEMENT of VRRPv2 (RFC 3768 section 5.1) and of VRRPv3 over IPv4 (RFC 9568 section 5.1).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------+-------+---------------+---------------+---------------+
//! |Version| Type  | Virtual Rtr ID|   Priority    |     Count     |
//! +-------+-------+---------------+---------------+---------------+
//! | v2: Auth Type | v2: Adver Int |           Checksum            |
//! | v3: 0 |  Max Advert Interval  |                               |
//! +---------------+---------------+-------------------------------+
//! |                        Count addresses                        |
//! +---------------------------------------------------------------+
//! |                v2 only: Authentication Data (8)               |
//! +---------------------------------------------------------------+
//! ```
//!
//! Knows the form of a message, not whether a router wants it: that is [`crate::rx`].

use core::fmt;
use core::net::Ipv4Addr;

use super::{BufferTooSmall, be16, octet};
use crate::checksum::{Checksum, pseudo_header_v4};
use crate::types::{AddressList, AdvertInterval, Priority, SimplePassword, Version, Vrid};

mod field {
    pub(super) const VERSION_TYPE: usize = 0;
    pub(super) const VRID: usize = 1;
    pub(super) const PRIORITY: usize = 2;
    pub(super) const COUNT: usize = 3;
    pub(super) const AUTH_TYPE: usize = 4;
    pub(super) const ADVER_INT: usize = 5;
    pub(super) const MAX_ADVER_INT: usize = 4;
    pub(super) const CHECKSUM: usize = 6;
    pub(super) const ADDRESSES: usize = 8;
}

const TYPE_ADVERTISEMENT: u8 = 1;
const ADDRESS_LEN: usize = 4;
/// The reserved bits of VRRPv3 share a word with the interval (RFC 9568 section 5.2.6).
const MAX_ADVER_INT_MASK: u16 = 0x0fff;

/// Authentication types of RFC 2338 section 5.3.6.
pub mod auth_type {
    /// No authentication.
    pub const NONE: u8 = 0;
    /// Simple text password.
    pub const SIMPLE_TEXT: u8 = 1;
    /// IP Authentication Header.
    pub const IP_AH: u8 = 2;
}

/// Octets of the longest message: VRRPv2 with 255 addresses.
pub const MAX_LEN: usize = field::ADDRESSES + 255 * ADDRESS_LEN + SimplePassword::LEN;

/// A message of the right form. Its accessors are total.
///
/// ```
/// use vrrp_core::wire::advert::Advert;
/// let octets = [0x21, 50, 150, 1, 0, 1, 0x3e, 0xc8, 10, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0];
/// let advert = Advert::parse(&octets)?;
/// assert_eq!(advert.vrid_octet(), 50);
/// assert_eq!(advert.priority().map(|p| p.get()), Some(150));
/// assert_eq!(advert.addresses().next(), Some([10, 0, 0, 3].into()));
/// # Ok::<(), vrrp_core::wire::advert::ParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advert<'a> {
    version: Version,
    octets: &'a [u8],
}

impl<'a> Advert<'a> {
    /// Checks, in this order: eight octets, version, type, a Count that is not 0 (VRRPv3), exact length. The checksum is [`Advert::verify`]'s.
    pub fn parse(octets: &'a [u8]) -> Result<Self, ParseError> {
        if octets.len() < field::ADDRESSES {
            return Err(ParseError::Length { expected: field::ADDRESSES, found: octets.len() });
        }
        let version = match octet(octets, field::VERSION_TYPE) >> 4 {
            2 => Version::V2,
            3 => Version::V3,
            other => return Err(ParseError::Version(other)),
        };
        let kind = octet(octets, field::VERSION_TYPE) & 0x0f;
        if kind != TYPE_ADVERTISEMENT {
            return Err(ParseError::Type(kind));
        }
        let count = usize::from(octet(octets, field::COUNT));
        if count == 0 && version == Version::V3 {
            return Err(ParseError::NoAddress);
        }
        let expected = length(version, count);
        if octets.len() != expected {
            return Err(ParseError::Length { expected, found: octets.len() });
        }
        Ok(Self { version, octets })
    }

    /// Compares the checksum. VRRPv2 has one form; VRRPv3 over IPv4 two, with and without a pseudo-header of `source` and
    /// `destination`, because RFC 5798 could be read either way; both are in use.
    pub fn verify(&self, source: Ipv4Addr, destination: Ipv4Addr) -> Result<ChecksumForm, ChecksumMismatch> {
        let found = be16(self.octets, field::CHECKSUM);
        let message = sum_without_checksum(self.octets);
        let plain = message.finish();
        if found == plain {
            return Ok(ChecksumForm::Message);
        }
        let computed = match self.version {
            Version::V2 => plain,
            Version::V3 => {
                let length = u16::try_from(self.octets.len()).unwrap_or(u16::MAX);
                let with_pseudo = pseudo_header_v4(source, destination, length);
                let with_pseudo = sum_onto(with_pseudo, self.octets).finish();
                if found == with_pseudo {
                    return Ok(ChecksumForm::PseudoHeader);
                }
                with_pseudo
            }
        };
        Err(ChecksumMismatch { found, computed })
    }

    /// Protocol version, which decides the meaning of the other fields.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Virtual router identifier; 0 is not legal but can arrive.
    pub fn vrid_octet(&self) -> u8 {
        octet(self.octets, field::VRID)
    }

    /// Virtual router identifier, `None` for 0.
    pub fn vrid(&self) -> Option<Vrid> {
        Vrid::new(self.vrid_octet())
    }

    /// The sender's priority; `None` is the wire's 0: the sender stops being Master.
    pub fn priority(&self) -> Option<Priority> {
        Priority::new(octet(self.octets, field::PRIORITY))
    }

    /// The sender's interval; `None` for 0, which no router may use.
    pub fn interval(&self) -> Option<AdvertInterval> {
        match self.version {
            Version::V2 => AdvertInterval::from_secs(octet(self.octets, field::ADVER_INT)),
            Version::V3 => AdvertInterval::from_centis(be16(self.octets, field::MAX_ADVER_INT) & MAX_ADVER_INT_MASK),
        }
    }

    /// VRRPv2's authentication type, see [`auth_type`]; `None` in VRRPv3, which has none.
    pub fn auth_type(&self) -> Option<u8> {
        match self.version {
            Version::V2 => Some(octet(self.octets, field::AUTH_TYPE)),
            Version::V3 => None,
        }
    }

    /// VRRPv2's eight octets of authentication data; empty in VRRPv3.
    pub fn auth_data(&self) -> &'a [u8] {
        let start = field::ADDRESSES + self.count() * ADDRESS_LEN;
        self.octets.get(start..).unwrap_or_default()
    }

    /// How many addresses follow.
    pub fn count(&self) -> usize {
        usize::from(octet(self.octets, field::COUNT))
    }

    /// The virtual addresses, in the sender's order.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = Ipv4Addr> + Clone + use<'a> {
        let end = field::ADDRESSES + self.count() * ADDRESS_LEN;
        let octets = self.octets.get(field::ADDRESSES..end).unwrap_or_default();
        octets.as_chunks::<ADDRESS_LEN>().0.iter().map(|octets| Ipv4Addr::from(*octets))
    }
}

/// Which octets a checksum covers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ChecksumForm {
    /// The message alone: VRRPv2, and VRRPv3 over IPv4 as RFC 9568 section 5.2.8 says.
    Message,
    /// The message and a pseudo-header: VRRPv3 over IPv4 as most read RFC 5798 section 5.2.8.
    PseudoHeader,
}

/// A checksum that fits no form.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChecksumMismatch {
    /// The value in the packet.
    pub found: u16,
    /// What its sender should have sent.
    pub computed: u16,
}

/// Why octets are not an advertisement.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ParseError {
    /// Not as long as the fixed part, or as Count says. CARP, which shares the protocol number, ends here.
    Length {
        /// Octets that were expected.
        expected: usize,
        /// Octets that arrived.
        found: usize,
    },
    /// Count is 0, which VRRPv3 forbids (R94); VRRPv2 does not say, and there it is a list that differs from ours.
    NoAddress,
    /// Neither version 2 nor 3.
    Version(u8),
    /// A type other than ADVERTISEMENT (1), the only one there is.
    Type(u8),
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { expected, found } => write!(f, "length is {found} octets, {expected} expected"),
            Self::NoAddress => f.write_str("it lists no address, at least one is needed"),
            Self::Version(version) => write!(f, "VRRP version is {version}, 2 or 3 expected"),
            Self::Type(kind) => write!(f, "type is {kind}, 1 (ADVERTISEMENT) expected"),
        }
    }
}

impl core::error::Error for ParseError {}

/// The values of an advertisement to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AdvertRepr<'a> {
    /// Virtual router identifier.
    pub vrid: Vrid,
    /// `None` sends 0: this Master stops.
    pub priority: Option<Priority>,
    /// Interval; its unit chooses the version.
    pub interval: AdvertInterval,
    /// Simple text password of RFC 2338; VRRPv2 only, ignored in VRRPv3.
    pub password: Option<SimplePassword>,
    /// The virtual addresses.
    pub addresses: AddressList<&'a [Ipv4Addr]>,
    /// VRRPv3's form of checksum; VRRPv2 has only one.
    pub checksum: ChecksumForm,
}

impl AdvertRepr<'_> {
    /// Octets that [`AdvertRepr::emit`] writes: 12 to [`MAX_LEN`].
    pub fn message_len(&self) -> usize {
        length(self.interval.version(), self.addresses.as_slice().len())
    }

    /// Writes the message into the front of `buffer`. `source` and `destination` are used by the pseudo-header alone.
    pub fn emit<'b>(
        &self,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], BufferTooSmall> {
        let (need, have) = (self.message_len(), buffer.len());
        let octets = buffer.get_mut(..need).ok_or(BufferTooSmall { need, have })?;
        let (head, rest) = octets.split_at_mut(field::ADDRESSES);
        let version = self.interval.version();
        head[field::VERSION_TYPE] = version.get() << 4 | TYPE_ADVERTISEMENT;
        head[field::VRID] = self.vrid.get();
        head[field::PRIORITY] = self.priority.map_or(0, Priority::get);
        head[field::COUNT] = self.addresses.count();
        match self.interval {
            AdvertInterval::Seconds(seconds) => {
                head[field::AUTH_TYPE] = self.password.map_or(auth_type::NONE, |_| auth_type::SIMPLE_TEXT);
                head[field::ADVER_INT] = seconds.get();
            }
            AdvertInterval::Centiseconds(centiseconds) => {
                head[field::MAX_ADVER_INT..field::CHECKSUM].copy_from_slice(&centiseconds.get().to_be_bytes());
            }
        }
        head[field::CHECKSUM..].fill(0);
        let (slots, trailer) = rest.as_chunks_mut::<ADDRESS_LEN>();
        for (slot, address) in slots.iter_mut().zip(self.addresses.as_slice()) {
            *slot = address.octets();
        }
        debug_assert!(trailer.is_empty(), "both the list and the trailer are whole words");
        if version == Version::V2 {
            let data = self.password.map_or([0; SimplePassword::LEN], |password| *password.octets());
            let at = octets.len() - SimplePassword::LEN;
            octets[at..].copy_from_slice(&data);
        }
        let sum = match (version, self.checksum) {
            (Version::V2, _) | (Version::V3, ChecksumForm::Message) => Checksum::default(),
            (Version::V3, ChecksumForm::PseudoHeader) => {
                pseudo_header_v4(source, destination, u16::try_from(need).unwrap_or(u16::MAX))
            }
        };
        let sum = sum.with(octets).finish();
        octets[field::CHECKSUM..field::ADDRESSES].copy_from_slice(&sum.to_be_bytes());
        Ok(octets)
    }
}

fn length(version: Version, count: usize) -> usize {
    let trailer = match version {
        Version::V2 => SimplePassword::LEN,
        Version::V3 => 0,
    };
    field::ADDRESSES + count * ADDRESS_LEN + trailer
}

fn sum_without_checksum(octets: &[u8]) -> Checksum {
    sum_onto(Checksum::default(), octets)
}

fn sum_onto(sum: Checksum, octets: &[u8]) -> Checksum {
    let before = octets.get(..field::CHECKSUM).unwrap_or_default();
    let after = octets.get(field::ADDRESSES..).unwrap_or_default();
    sum.with(before).with(after)
}

#[cfg(test)]
mod tests;
