//! The values an operator configures, as types that cannot hold nonsense (RFC 3768 section 6.1, RFC 9568 section 6.1).
//!
//! Knows nothing of octets on the wire, of sockets or of time that passes.

use core::fmt;
use core::net::IpAddr;
use core::num::{NonZeroU8, NonZeroU16};
use core::time::Duration;

/// Virtual router identifier, 1..=255 (RFC 3768 section 5.3.3).
///
/// ```
/// use vrrp_core::Vrid;
/// let vrid = Vrid::new(50).expect("50 is not 0");
/// assert_eq!(vrid.mac_v4(), [0x00, 0x00, 0x5e, 0x00, 0x01, 50]);
/// assert_eq!(vrid.mac_v6(), [0x00, 0x00, 0x5e, 0x00, 0x02, 50]);
/// assert_eq!(Vrid::new(0), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Vrid(NonZeroU8);

impl Vrid {
    /// `None` for 0, which is not a legal identifier.
    pub const fn new(value: u8) -> Option<Self> {
        match NonZeroU8::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// The identifier as on the wire, 1..=255.
    pub const fn get(self) -> u8 {
        self.0.get()
    }

    /// The virtual router's MAC address for IPv4, 00-00-5E-00-01-{VRID} (RFC 3768 section 7.3).
    pub const fn mac_v4(self) -> [u8; 6] {
        [0x00, 0x00, 0x5e, 0x00, 0x01, self.get()]
    }

    /// The virtual router's MAC address for IPv6, 00-00-5E-00-02-{VRID} (RFC 9568 section 7.3).
    pub const fn mac_v6(self) -> [u8; 6] {
        [0x00, 0x00, 0x5e, 0x00, 0x02, self.get()]
    }

    /// The virtual router's MAC address for `family`.
    pub const fn mac(self, family: Family) -> [u8; 6] {
        match family {
            Family::V4 => self.mac_v4(),
            Family::V6 => self.mac_v6(),
        }
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Election priority of a router, 1..=255 (RFC 3768 section 5.3.4).
///
/// The 0 of the wire, "the current master stops", is the absence of a priority: `Option<Priority>` is one octet, and 0
/// cannot be configured.
///
/// ```
/// use vrrp_core::Priority;
/// assert_eq!(Priority::default().get(), 100);
/// assert!(Priority::OWNER.is_owner());
/// assert_eq!(core::mem::size_of::<Option<Priority>>(), 1);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Priority(NonZeroU8);

impl Priority {
    /// 255: the router that owns the virtual addresses as its real ones.
    pub const OWNER: Self = Self(NonZeroU8::MAX);

    /// 1: the router that takes over last.
    pub const LOWEST: Self = Self(NonZeroU8::MIN);

    /// `None` for 0, which only a packet can carry.
    pub const fn new(value: u8) -> Option<Self> {
        match NonZeroU8::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// The priority as on the wire, 1..=255.
    pub const fn get(self) -> u8 {
        self.0.get()
    }

    /// Whether this is the address owner's priority, 255.
    pub const fn is_owner(self) -> bool {
        self.get() == u8::MAX
    }
}

impl Default for Priority {
    /// 100, the default of a router that backs others up (RFC 3768 section 5.3.4).
    fn default() -> Self {
        Self(NonZeroU8::MIN.saturating_add(99))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Address family of a virtual router. One has addresses of one family; the same identifier in the other family is another
/// virtual router (RFC 9568 section 5.2.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// IPv4: VRRPv2 or VRRPv3.
    V4,
    /// IPv6: VRRPv3 alone.
    V6,
}

impl Family {
    /// The family of `address`.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// Octets of an address: 4 or 16.
    pub const fn address_len(self) -> usize {
        match self {
            Self::V4 => 4,
            Self::V6 => 16,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// Protocol version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Version {
    /// VRRPv2, RFC 3768: IPv4, intervals in seconds.
    V2,
    /// VRRPv3, RFC 9568: intervals in centiseconds.
    V3,
}

impl Version {
    /// The number on the wire.
    pub const fn get(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// Advertisement interval of VRRPv3, 1..=4095 hundredths of a second (RFC 9568 erratum 8301).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Centiseconds(NonZeroU16);

impl Centiseconds {
    /// The largest value of the 12-bit field.
    pub const MAX: u16 = 4095;

    /// `None` for 0 and for more than [`Centiseconds::MAX`].
    pub const fn new(value: u16) -> Option<Self> {
        match NonZeroU16::new(value) {
            Some(value) if value.get() <= Self::MAX => Some(Self(value)),
            Some(_) | None => None,
        }
    }

    /// Hundredths of a second, 1..=4095.
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

/// Advertisement interval; its unit is that of the protocol version, so it also says which version a router speaks.
///
/// ```
/// use core::time::Duration;
/// use vrrp_core::{AdvertInterval, Version};
/// let interval = AdvertInterval::from_secs(1).expect("1..=255");
/// assert_eq!(interval.duration(), Duration::from_secs(1));
/// assert_eq!(interval.version(), Version::V2);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AdvertInterval {
    /// VRRPv2: whole seconds, 1..=255 (RFC 3768 section 5.3.7).
    Seconds(NonZeroU8),
    /// VRRPv3: hundredths of a second, 1..=4095 (RFC 9568 section 5.2.7).
    Centiseconds(Centiseconds),
}

impl AdvertInterval {
    /// A VRRPv2 interval; `None` for 0.
    pub const fn from_secs(seconds: u8) -> Option<Self> {
        match NonZeroU8::new(seconds) {
            Some(seconds) => Some(Self::Seconds(seconds)),
            None => None,
        }
    }

    /// A VRRPv3 interval; `None` for 0 and for more than 4095.
    pub const fn from_centis(centiseconds: u16) -> Option<Self> {
        match Centiseconds::new(centiseconds) {
            Some(centiseconds) => Some(Self::Centiseconds(centiseconds)),
            None => None,
        }
    }

    /// The interval as a span of time: 1 s to 255 s, or 10 ms to 40.95 s.
    pub const fn duration(self) -> Duration {
        match self {
            Self::Seconds(s) => Duration::from_secs(s.get() as u64),
            Self::Centiseconds(cs) => Duration::from_millis(cs.get() as u64 * 10),
        }
    }

    /// The version whose unit this is.
    pub const fn version(self) -> Version {
        match self {
            Self::Seconds(_) => Version::V2,
            Self::Centiseconds(_) => Version::V3,
        }
    }

    /// The interval in the unit that `family` can carry. IPv6 has VRRPv3 alone: seconds become centiseconds there, 40.95 s at
    /// most.
    ///
    /// ```
    /// use vrrp_core::{AdvertInterval, Family};
    /// let second = AdvertInterval::from_secs(1).expect("1..=255");
    /// assert_eq!(second.for_family(Family::V4), second);
    /// assert_eq!(Some(second.for_family(Family::V6)), AdvertInterval::from_centis(100));
    /// ```
    #[must_use]
    pub const fn for_family(self, family: Family) -> Self {
        match (self, family) {
            (Self::Seconds(seconds), Family::V6) => {
                let centiseconds = seconds.get() as u16 * 100;
                let centiseconds = if centiseconds > Centiseconds::MAX { Centiseconds::MAX } else { centiseconds };
                match Self::from_centis(centiseconds) {
                    Some(interval) => interval,
                    None => self,
                }
            }
            (Self::Seconds(_), Family::V4) | (Self::Centiseconds(_), _) => self,
        }
    }
}

impl fmt::Display for AdvertInterval {
    /// Seconds, with as many decimals as needed: `1s`, `0.1s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.duration(), f)
    }
}

/// The password of RFC 2338 section 5.3.6.2: eight octets, sent in clear, zero-filled.
///
/// It keeps routers apart that share a LAN by mistake; it does not keep an attacker out. Not shown by `Debug`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SimplePassword([u8; Self::LEN]);

impl SimplePassword {
    /// Octets on the wire.
    pub const LEN: usize = 8;

    /// `None` when `text` is empty or longer than eight octets.
    pub fn new(text: &[u8]) -> Option<Self> {
        let mut octets = [0; Self::LEN];
        if text.is_empty() {
            return None;
        }
        octets.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self(octets))
    }

    /// The zero-filled octets as on the wire.
    pub const fn octets(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for SimplePassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimplePassword(..)")
    }
}

/// The virtual addresses of a router: 1 to 255 of one family, all different, none unspecified, multicast or broadcast.
///
/// RFC 9568 section 5.2.9 wants the first IPv6 address to be link-local. Routers in the field, keepalived's among them, do without,
/// so that [`AddressList::new`] takes any; [`AddressList::strict`] holds to the letter, and so does a router that is given such a
/// list with the adverts that it receives.
///
/// `A` is whatever holds them: an array, a slice, a `Box`.
///
/// ```
/// use core::net::IpAddr;
/// use vrrp_core::{AddressError, AddressList, Family};
/// let vip: IpAddr = [10, 0, 0, 3].into();
/// assert_eq!(AddressList::new([vip])?.count(), 1);
/// assert_eq!(AddressList::new([vip, vip]), Err(AddressError::Duplicate(vip)));
///
/// let local: IpAddr = "fe80::3".parse().expect("an address");
/// let global: IpAddr = "2001:db8::3".parse().expect("an address");
/// assert_eq!(AddressList::new([local, global])?.family(), Family::V6);
/// assert_eq!(AddressList::new([global, local])?.count(), 2);
/// assert_eq!(AddressList::strict([global, local]), Err(AddressError::FirstNotLinkLocal(global)));
/// assert_eq!(AddressList::new([local, vip]), Err(AddressError::MixedFamilies(vip)));
/// # Ok::<(), AddressError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AddressList<A> {
    addresses: A,
    first: FirstAddress,
}

/// Which first address a list of IPv6 addresses may have, ours and those that are received (RFC 9568 section 5.2.9, R96, R97). IPv4
/// knows no such rule.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FirstAddress {
    /// Any; one that is not link-local is noticed and counted.
    Any,
    /// Strict: a link-local one.
    LinkLocal,
}

impl<A: AsRef<[IpAddr]>> AddressList<A> {
    /// The most that the message's Count octet can say.
    pub const MAX: usize = 255;

    /// Checks the list, of which the first address may be any.
    pub fn new(addresses: A) -> Result<Self, AddressError> {
        let list = addresses.as_ref();
        let first = *list.first().ok_or(AddressError::Empty)?;
        if list.len() > Self::MAX {
            return Err(AddressError::TooMany(list.len()));
        }
        for (i, address) in list.iter().enumerate() {
            if !is_unicast(*address) {
                return Err(AddressError::NotUnicast(*address));
            }
            if Family::of(*address) != Family::of(first) {
                return Err(AddressError::MixedFamilies(*address));
            }
            if list.iter().take(i).any(|earlier| earlier == address) {
                return Err(AddressError::Duplicate(*address));
            }
        }
        Ok(Self { addresses, first: FirstAddress::Any })
    }

    /// As [`AddressList::new`], to the letter of RFC 9568: the first IPv6 address is link-local.
    pub fn strict(addresses: A) -> Result<Self, AddressError> {
        let list = Self::new(addresses)?;
        match list.as_slice().first() {
            Some(&first @ IpAddr::V6(address)) if !address.is_unicast_link_local() => {
                Err(AddressError::FirstNotLinkLocal(first))
            }
            Some(IpAddr::V4(_) | IpAddr::V6(_)) | None => Ok(Self { first: FirstAddress::LinkLocal, ..list }),
        }
    }

    /// What was asked of the first address, and is of those that are received.
    pub fn first_address(&self) -> FirstAddress {
        self.first
    }

    /// The addresses, in configured order.
    pub fn as_slice(&self) -> &[IpAddr] {
        self.addresses.as_ref()
    }

    /// The list without its owner.
    pub fn as_ref(&self) -> AddressList<&[IpAddr]> {
        AddressList { addresses: self.addresses.as_ref(), first: self.first }
    }

    /// Their family.
    pub fn family(&self) -> Family {
        self.as_slice().first().copied().map_or(Family::V4, Family::of)
    }

    /// How many there are, as the message's Count octet says it.
    pub fn count(&self) -> u8 {
        u8::try_from(self.as_slice().len()).unwrap_or(u8::MAX)
    }
}

#[cfg(feature = "alloc")]
impl AddressList<&[IpAddr]> {
    /// The list with an owner of its own.
    pub fn to_boxed(self) -> AddressList<alloc::boxed::Box<[IpAddr]>> {
        AddressList { addresses: self.addresses.into(), first: self.first }
    }
}

/// Why a list of addresses is refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AddressError {
    /// A virtual router has at least one address (RFC 3768 section 5.3.9).
    Empty,
    /// More than the Count octet can say.
    TooMany(usize),
    /// The same address twice.
    Duplicate(IpAddr),
    /// An address that no host can have.
    NotUnicast(IpAddr),
    /// An address of another family than the first (RFC 9568 section 5.2.9).
    MixedFamilies(IpAddr),
    /// The first IPv6 address is not link-local (RFC 9568 section 6.1), in a list to the letter.
    FirstNotLinkLocal(IpAddr),
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no virtual address: at least one is needed"),
            Self::TooMany(count) => write!(f, "{count} virtual addresses: an advertisement carries 255 at most"),
            Self::Duplicate(address) => write!(f, "virtual address {address} is listed twice"),
            Self::NotUnicast(address) => write!(f, "{address} cannot be a virtual address: it is not a host's address"),
            Self::MixedFamilies(address) => {
                write!(f, "virtual address {address} is not of the first one's family: a virtual router has one family")
            }
            Self::FirstNotLinkLocal(address) => {
                write!(
                    f,
                    "the first virtual address {address} is not link-local (fe80::/10), as strict mode wants it over IPv6"
                )
            }
        }
    }
}

impl core::error::Error for AddressError {}

/// Whether a host can have the address.
pub(crate) const fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !(address.is_unspecified() || address.is_multicast() || address.is_broadcast()),
        IpAddr::V6(address) => !(address.is_unspecified() || address.is_multicast()),
    }
}

#[cfg(test)]
mod tests;
