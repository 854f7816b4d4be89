//! The ADVERTISEMENT of VRRPv2 (RFC 3768 section 5.1) and of VRRPv3 over IPv4 and IPv6 (RFC 9568 section 5.1).
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
//! |          Count addresses, of 4 octets each or of 16           |
//! +---------------------------------------------------------------+
//! |                v2 only: Authentication Data (8)               |
//! +---------------------------------------------------------------+
//! ```
//!
//! A message does not say its family: that is its datagram's (R96). VRRPv2 has IPv4 alone.
//!
//! Knows the form of a message, not whether a router wants it: that is [`crate::rx`].

use core::fmt;
use core::iter::FusedIterator;
use core::net::{IpAddr, Ipv6Addr};

use super::{BufferTooSmall, be16};
use crate::checksum::{Checksum, pseudo_header};
use crate::types::{AddressList, AdvertInterval, Family, Priority, SimplePassword, Version, Vrid};

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

/// Octets of the longest message: 255 addresses of IPv6.
pub const MAX_LEN: usize = length(Version::V3, Family::V6, 255);
/// Octets of the longest message over IPv4: VRRPv2 with 255 addresses.
pub const MAX_LEN_V4: usize = length(Version::V2, Family::V4, 255);

/// A message of the right form. Its accessors are total.
///
/// ```
/// use vrrp_core::Family;
/// use vrrp_core::wire::advert::Advert;
/// let octets = [0x21, 50, 150, 1, 0, 1, 0x3e, 0xc8, 10, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0];
/// let advert = Advert::parse(&octets, Family::V4)?;
/// assert_eq!(advert.vrid_octet(), 50);
/// assert_eq!(advert.priority().map(|p| p.get()), Some(150));
/// assert_eq!(advert.addresses().next(), Some([10, 0, 0, 3].into()));
/// # Ok::<(), vrrp_core::wire::advert::ParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advert<'a> {
    version: Version,
    family: Family,
    /// The front of `octets`, of known length.
    head: &'a [u8; field::ADDRESSES],
    octets: &'a [u8],
}

impl<'a> Advert<'a> {
    /// Checks, in this order: eight octets, version, type, a Count that is not 0 (VRRPv3), exact length. `family` is the
    /// datagram's. The checksum is [`Advert::verify`]'s; whether an IPv6 address that is not link-local may come first
    /// ([`Advert::first_not_link_local`]) is the receiving router's.
    #[inline]
    pub fn parse(octets: &'a [u8], family: Family) -> Result<Self, ParseError> {
        check_form(octets, family)?;
        Ok(Self::formed(octets, family))
    }

    /// The view of octets whose form was checked. Apart from the check, so that the view is not moved about in a union with
    /// the reasons to refuse it: those have fields at odd offsets, and processors wait long for a value read otherwise than
    /// it was written.
    #[inline]
    pub(crate) fn formed(octets: &'a [u8], family: Family) -> Self {
        let head = octets.first_chunk().unwrap_or(&[0; field::ADDRESSES]);
        let version = if head[field::VERSION_TYPE] >> 4 == Version::V2.get() { Version::V2 } else { Version::V3 };
        Self { version, family, head, octets }
    }

    /// Compares the checksum. VRRPv2 has one form, and so has VRRPv3 over IPv6: with the pseudo-header of `source` and
    /// `destination`. VRRPv3 over IPv4 has two, with and without it, because RFC 5798 could be read either way; both are in
    /// use.
    #[inline]
    pub fn verify(&self, source: IpAddr, destination: IpAddr) -> Result<ChecksumForm, ChecksumMismatch> {
        self.verify_before(source, destination, &[])
    }

    /// As [`Advert::verify`], for a message that is not the end of its datagram: over IPv6 the checksum covers what follows, as
    /// the kernel that writes it knows nothing of messages; over IPv4 it does not.
    #[expect(clippy::inline_always, reason = "each advert passes here, and where it arrives its family is known")]
    #[inline(always)]
    pub(crate) fn verify_before(
        &self,
        source: IpAddr,
        destination: IpAddr,
        trailer: &[u8],
    ) -> Result<ChecksumForm, ChecksumMismatch> {
        let found = be16(self.head, field::CHECKSUM);
        let message = Checksum::default().with(self.octets).without(found);
        let plain = message.finish();
        match (self.version, self.family) {
            (Version::V2 | Version::V3, Family::V4) if found == plain => Ok(ChecksumForm::Message),
            (Version::V2, Family::V4 | Family::V6) => Err(ChecksumMismatch { found, computed: plain }),
            (Version::V3, Family::V4) => self.verify_pseudo(found, message, source, destination, &[]),
            (Version::V3, Family::V6) => self.verify_pseudo(found, message, source, destination, trailer),
        }
    }

    /// Apart: the usual checksum over IPv4 does not need it, and is verified where it is received.
    fn verify_pseudo(
        &self,
        found: u16,
        message: Checksum,
        source: IpAddr,
        destination: IpAddr,
        trailer: &[u8],
    ) -> Result<ChecksumForm, ChecksumMismatch> {
        let length = u32::try_from(self.octets.len() + trailer.len()).unwrap_or(u32::MAX);
        let computed = message.with(trailer).and(pseudo_header(source, destination, length)).finish();
        if found == computed { Ok(ChecksumForm::PseudoHeader) } else { Err(ChecksumMismatch { found, computed }) }
    }

    /// The whole message.
    #[cfg(feature = "auth")]
    pub(crate) const fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// Family of the addresses and of the datagram.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Protocol version, which decides the meaning of the other fields.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Virtual router identifier; 0 is not legal but can arrive.
    pub fn vrid_octet(&self) -> u8 {
        self.head[field::VRID]
    }

    /// Virtual router identifier, `None` for 0.
    pub fn vrid(&self) -> Option<Vrid> {
        Vrid::new(self.vrid_octet())
    }

    /// The sender's priority; `None` is the wire's 0: the sender stops being Master.
    pub fn priority(&self) -> Option<Priority> {
        Priority::new(self.head[field::PRIORITY])
    }

    /// The sender's interval; `None` for 0, which no router may use.
    pub fn interval(&self) -> Option<AdvertInterval> {
        match self.version {
            Version::V2 => AdvertInterval::from_secs(self.head[field::ADVER_INT]),
            Version::V3 => AdvertInterval::from_centis(be16(self.head, field::MAX_ADVER_INT) & MAX_ADVER_INT_MASK),
        }
    }

    /// VRRPv2's authentication type, see [`auth_type`]; `None` in VRRPv3, which has none.
    pub fn auth_type(&self) -> Option<u8> {
        match self.version {
            Version::V2 => Some(self.head[field::AUTH_TYPE]),
            Version::V3 => None,
        }
    }

    /// VRRPv2's eight octets of authentication data; empty in VRRPv3.
    pub fn auth_data(&self) -> &'a [u8] {
        let start = field::ADDRESSES + self.count() * self.family.address_len();
        self.octets.get(start..).unwrap_or_default()
    }

    /// How many addresses follow.
    pub fn count(&self) -> usize {
        usize::from(self.head[field::COUNT])
    }

    /// The virtual addresses, in the sender's order.
    pub fn addresses(&self) -> Addresses<'a> {
        let end = field::ADDRESSES + self.count() * self.family.address_len();
        Addresses { family: self.family, octets: self.octets.get(field::ADDRESSES..end).unwrap_or_default() }
    }

    /// The first address of a message over IPv6, where it is not the link-local one that RFC 9568 section 5.2.9 wants (R96,
    /// erratum 8300).
    #[inline]
    pub fn first_not_link_local(&self) -> Option<Ipv6Addr> {
        match (self.family, self.addresses().next()) {
            (Family::V6, Some(IpAddr::V6(first))) if !first.is_unicast_link_local() => Some(first),
            (Family::V4 | Family::V6, _) => None,
        }
    }
}

/// The checks of [`Advert::parse`].
#[inline]
pub(crate) fn check_form(octets: &[u8], family: Family) -> Result<(), ParseError> {
    let Some(head) = octets.first_chunk::<{ field::ADDRESSES }>() else {
        return Err(ParseError::Length { expected: field::ADDRESSES, found: octets.len() });
    };
    let version = match head[field::VERSION_TYPE] >> 4 {
        2 if family == Family::V6 => return Err(ParseError::V2OverIpv6),
        2 => Version::V2,
        3 => Version::V3,
        other => return Err(ParseError::Version(other)),
    };
    let kind = head[field::VERSION_TYPE] & 0x0f;
    if kind != TYPE_ADVERTISEMENT {
        return Err(ParseError::Type(kind));
    }
    let count = usize::from(head[field::COUNT]);
    if count == 0 && version == Version::V3 {
        return Err(ParseError::NoAddress);
    }
    let expected = length(version, family, count);
    if octets.len() != expected {
        return Err(ParseError::Length { expected, found: octets.len() });
    }
    Ok(())
}

/// The addresses of an [`Advert`], in its order.
#[derive(Clone, Debug)]
pub struct Addresses<'a> {
    family: Family,
    octets: &'a [u8],
}

impl Iterator for Addresses<'_> {
    type Item = IpAddr;

    fn next(&mut self) -> Option<IpAddr> {
        let (address, rest) = match self.family {
            Family::V4 => self.octets.split_first_chunk::<4>().map(|(octets, rest)| ((*octets).into(), rest))?,
            Family::V6 => self.octets.split_first_chunk::<16>().map(|(octets, rest)| ((*octets).into(), rest))?,
        };
        self.octets = rest;
        Some(address)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.octets.len() / self.family.address_len();
        (count, Some(count))
    }
}

impl ExactSizeIterator for Addresses<'_> {}
impl FusedIterator for Addresses<'_> {}

/// Which octets a checksum covers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ChecksumForm {
    /// The message alone: VRRPv2, and VRRPv3 over IPv4 as RFC 9568 section 5.2.8 says.
    Message,
    /// The message and a pseudo-header: VRRPv3 over IPv6, and over IPv4 as most read RFC 5798 section 5.2.8.
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
    /// Version 2 over IPv6, which it does not have.
    V2OverIpv6,
    /// A type other than ADVERTISEMENT (1), the only one there is.
    Type(u8),
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { expected, found } => write!(f, "length is {found} octets, {expected} expected"),
            Self::NoAddress => f.write_str("it lists no address, at least one is needed"),
            Self::Version(version) => write!(f, "VRRP version is {version}, 2 or 3 expected"),
            Self::V2OverIpv6 => f.write_str("VRRP version is 2 over IPv6, 3 expected"),
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
    /// Interval; its unit chooses the version, as far as the family has one: see [`AdvertInterval::for_family`].
    pub interval: AdvertInterval,
    /// Simple text password of RFC 2338; VRRPv2 only, ignored in VRRPv3.
    pub password: Option<SimplePassword>,
    /// The virtual addresses.
    pub addresses: AddressList<&'a [IpAddr]>,
    /// VRRPv3's form of checksum over IPv4; VRRPv2 and IPv6 have only one.
    pub checksum: ChecksumForm,
}

impl AdvertRepr<'_> {
    /// Octets that [`AdvertRepr::emit`] writes: 12 to [`MAX_LEN`].
    pub fn message_len(&self) -> usize {
        let (family, interval) = self.resolved();
        length(interval.version(), family, self.addresses.as_slice().len())
    }

    /// Writes the message into the front of `buffer`. `source` and `destination` are used by the pseudo-header alone.
    pub fn emit<'b>(
        &self,
        source: IpAddr,
        destination: IpAddr,
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], BufferTooSmall> {
        let kind = self.password.map_or(auth_type::NONE, |_| auth_type::SIMPLE_TEXT);
        self.emit_as(kind, source, destination, buffer)
    }

    /// As [`AdvertRepr::emit`], with the authentication type that is told to VRRPv2.
    pub(crate) fn emit_as<'b>(
        &self,
        auth_type: u8,
        source: IpAddr,
        destination: IpAddr,
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], BufferTooSmall> {
        let (family, interval) = self.resolved();
        let version = interval.version();
        let (need, have) = (length(version, family, self.addresses.as_slice().len()), buffer.len());
        let octets = buffer.get_mut(..need).ok_or(BufferTooSmall { need, have })?;
        let (head, rest) = octets.split_at_mut(field::ADDRESSES);
        head[field::VERSION_TYPE] = version.get() << 4 | TYPE_ADVERTISEMENT;
        head[field::VRID] = self.vrid.get();
        head[field::PRIORITY] = self.priority.map_or(0, Priority::get);
        head[field::COUNT] = self.addresses.count();
        match interval {
            AdvertInterval::Seconds(seconds) => {
                head[field::AUTH_TYPE] = auth_type;
                head[field::ADVER_INT] = seconds.get();
            }
            AdvertInterval::Centiseconds(centiseconds) => {
                head[field::MAX_ADVER_INT..field::CHECKSUM].copy_from_slice(&centiseconds.get().to_be_bytes());
            }
        }
        head[field::CHECKSUM..].fill(0);
        match family {
            Family::V4 => put(rest, self.addresses.as_slice(), |address| match address {
                IpAddr::V4(address) => Some(address.octets()),
                IpAddr::V6(_) => None,
            }),
            Family::V6 => put(rest, self.addresses.as_slice(), |address| match address {
                IpAddr::V6(address) => Some(address.octets()),
                IpAddr::V4(_) => None,
            }),
        }
        if version == Version::V2 {
            let data = self.password.map_or([0; SimplePassword::LEN], |password| *password.octets());
            let at = octets.len() - SimplePassword::LEN;
            octets[at..].copy_from_slice(&data);
        }
        let sum = match (version, family, self.checksum) {
            (Version::V2, ..) | (Version::V3, Family::V4, ChecksumForm::Message) => Checksum::default(),
            (Version::V3, Family::V6, _) | (Version::V3, Family::V4, ChecksumForm::PseudoHeader) => {
                pseudo_header(source, destination, u32::try_from(need).unwrap_or(u32::MAX))
            }
        };
        let sum = sum.with(octets).finish();
        octets[field::CHECKSUM..field::ADDRESSES].copy_from_slice(&sum.to_be_bytes());
        Ok(octets)
    }

    /// The family, and the interval in a unit that it has.
    fn resolved(&self) -> (Family, AdvertInterval) {
        let family = self.addresses.family();
        (family, self.interval.for_family(family))
    }
}

/// Writes the addresses, which are of one family.
fn put<const LEN: usize>(rest: &mut [u8], addresses: &[IpAddr], octets: impl Fn(&IpAddr) -> Option<[u8; LEN]>) {
    let (slots, _) = rest.as_chunks_mut::<LEN>();
    for (slot, octets) in slots.iter_mut().zip(addresses.iter().filter_map(octets)) {
        *slot = octets;
    }
}

/// Puts the checksum right of a message over IPv6 that has got a trailer.
#[cfg(feature = "auth")]
pub(crate) fn cover_trailer(octets: &mut [u8], source: IpAddr, destination: IpAddr) {
    let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
    let message = Checksum::default().with(octets).without(be16(octets, field::CHECKSUM));
    let sum = message.and(pseudo_header(source, destination, length)).finish();
    if let Some(field) = octets.get_mut(field::CHECKSUM..field::ADDRESSES) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}

const fn length(version: Version, family: Family, count: usize) -> usize {
    let trailer = match version {
        Version::V2 => SimplePassword::LEN,
        Version::V3 => 0,
    };
    field::ADDRESSES + count * family.address_len() + trailer
}

#[cfg(test)]
mod tests;
