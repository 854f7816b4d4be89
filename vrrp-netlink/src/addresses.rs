//! Addresses of interfaces: reading them all, adding and removing many at once.
//!
//! Knows nothing of virtual routers, nor which addresses are virtual.
//!
//! ```no_run
//! use vrrp_netlink::addresses::{Address, Change};
//! use vrrp_netlink::rtnl::Rtnl;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut rtnl = Rtnl::open()?;
//! let address = Address::new(2, "192.0.2.1".parse()?, 32);
//! for result in rtnl.add_addresses(&[address]) {
//!     match result? {
//!         Change::Done => println!("added"),
//!         Change::AlreadySo => println!("was there"),
//!     }
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{Emitable, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, parse_ip, parse_u32};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeader, AddressMessage, AddressScope, CacheInfo,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::links::{NAME_MAX, numbered};
use crate::rtnl::{Garbled, Request, Rtnl, attributes, text};
use crate::{Error, Result};

/// A lifetime without end, as the kernel writes it (`INFINITY_LIFE_TIME`).
const FOREVER: u32 = u32::MAX;

/// Where an address is valid, as the kernel numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope(pub u8);

impl Scope {
    /// Everywhere (`global`).
    pub const UNIVERSE: Self = Self(0);
    /// Within the site (IPv6, deprecated).
    pub const SITE: Self = Self(200);
    /// On this link.
    pub const LINK: Self = Self(253);
    /// On this host.
    pub const HOST: Self = Self(254);
    /// Nowhere.
    pub const NOWHERE: Self = Self(255);
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_field_names, reason = "an interface's address has an address, as in every tool's output")]
pub struct Address {
    /// Index of the interface.
    pub index: u32,
    /// The address itself.
    pub address: IpAddr,
    /// Bits of the network part: 0..=32 or 0..=128.
    pub prefix_len: u8,
    /// The other end of a point-to-point interface; the prefix is then the peer's.
    pub peer: Option<IpAddr>,
    /// IPv4 broadcast address. `None` sends none, and the kernel sets none.
    pub broadcast: Option<Ipv4Addr>,
    /// Where it is valid. The kernel derives it for IPv6, whatever is asked for.
    pub scope: Scope,
    /// IPv4 label, at most [`NAME_MAX`] octets. `None` lets the kernel use the interface's name, which is what a dump
    /// then shows; not sent for IPv6.
    pub label: Option<String>,
    /// Seconds for which it is preferred as a source, counted from when it is added; 0 makes it deprecated at once, `None`
    /// is for ever. A dump shows what is left; for a permanent IPv4 address the kernel does not tell it.
    pub preferred_lifetime: Option<u32>,
    /// Seconds until the kernel removes it, counted from when it is added or renewed, from 1; `None` is for ever. It is not
    /// preferred for longer either. A dump shows what is left.
    pub valid_lifetime: Option<u32>,
    /// What else it is.
    pub options: Options,
    /// Not the first IPv4 address of its subnet on the interface (`IFA_F_SECONDARY`; for IPv6, a temporary address).
    /// Told by the kernel, ignored when adding.
    pub secondary: bool,
    /// IPv6 duplicate address detection is not finished. Told by the kernel, ignored when adding.
    pub tentative: bool,
    /// IPv6 duplicate address detection found another owner. Told by the kernel, ignored when adding.
    pub duplicate: bool,
}

/// What an address can be besides its numbers.
///
/// ```
/// use vrrp_netlink::addresses::{Address, Options};
/// let mut address = Address::new(2, [192, 0, 2, 1].into(), 24);
/// address.options = Options { no_prefix_route: true, ..Options::default() };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::struct_excessive_bools, reason = "flags of the kernel, each on its own")]
pub struct Options {
    /// The home address of Mobile IPv6 (`home`); the kernel ignores it for IPv4.
    pub home: bool,
    /// IPv6: other hosts are asked whether they have it, and it is not used before (`-nodad`). Ignored for IPv4.
    pub detect_duplicates: bool,
    /// IPv6 of prefix length 64: temporary addresses are made from it (`mngtmpaddr`).
    pub manage_temporary: bool,
    /// The kernel makes no route to its subnet (`noprefixroute`).
    pub no_prefix_route: bool,
    /// A multicast address: the interface joins the group (`autojoin`).
    pub auto_join: bool,
}

/// What a change found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// It was carried out.
    Done,
    /// Nothing to do: the address was there, or was gone.
    AlreadySo,
}

impl Address {
    /// An address of scope [`Scope::UNIVERSE`], with neither peer, broadcast address nor label.
    pub fn new(index: u32, address: IpAddr, prefix_len: u8) -> Self {
        Self {
            index,
            address,
            prefix_len,
            peer: None,
            broadcast: None,
            scope: Scope::UNIVERSE,
            label: None,
            preferred_lifetime: None,
            valid_lifetime: None,
            options: Options::default(),
            secondary: false,
            tentative: false,
            duplicate: false,
        }
    }

    /// Reads the payload of an `RTM_NEWADDR` or `RTM_DELADDR` message; never panics.
    ///
    /// `None` for families other than IPv4 and IPv6.
    pub fn read(payload: &[u8]) -> std::result::Result<Option<Self>, Garbled> {
        let header = AddressHeader::parse(payload)?;
        let bits = match header.family {
            AddressFamily::Inet => 32,
            AddressFamily::Inet6 => 128,
            _ => return Ok(None),
        };
        let (mut local, mut remote, mut broadcast, mut label) = (None, None, None, None);
        let (mut preferred, mut valid) = (FOREVER, FOREVER);
        let mut flags = AddressFlags::from_bits_retain(u32::from(header.flags.bits()));
        let rest = payload.get(header.buffer_len()..).unwrap_or_default();
        attributes(rest, |kind, value| {
            match kind {
                libc::IFA_LOCAL => local = Some(parse_ip(value)?),
                libc::IFA_ADDRESS => remote = Some(parse_ip(value)?),
                libc::IFA_BROADCAST => broadcast = Some(parse_ip(value)?),
                libc::IFA_LABEL => label = Some(text(value)),
                libc::IFA_CACHEINFO => {
                    let lifetimes = CacheInfo::parse(value)?;
                    (preferred, valid) = (lifetimes.ifa_preferred, lifetimes.ifa_valid);
                }
                libc::IFA_FLAGS => flags = AddressFlags::from_bits_retain(parse_u32(value)?),
                _ => {}
            }
            Ok(())
        })?;
        // On an interface without peer both are the same (IPv4), or the first is absent (IPv6).
        let address = local.or(remote).ok_or_else(|| Garbled::new("an address message without an address"))?;
        let fits = |ip: IpAddr| ip.is_ipv4() == (bits == 32);
        if header.prefix_len > bits || ![Some(address), remote, broadcast].into_iter().flatten().all(fits) {
            return Err(Garbled::new("an address that does not fit its family"));
        }
        Ok(Some(Self {
            index: header.index,
            address,
            prefix_len: header.prefix_len,
            peer: remote.filter(|&remote| remote != address),
            broadcast: broadcast.and_then(|ip| match ip {
                IpAddr::V4(ip) => Some(ip),
                IpAddr::V6(_) => None,
            }),
            scope: Scope(header.scope.into()),
            label,
            preferred_lifetime: Some(preferred).filter(|&seconds| seconds != FOREVER),
            valid_lifetime: Some(valid).filter(|&seconds| seconds != FOREVER),
            options: Options {
                home: flags.contains(AddressFlags::Homeaddress),
                detect_duplicates: bits == 128 && !flags.contains(AddressFlags::Nodad),
                manage_temporary: flags.contains(AddressFlags::Managetempaddr),
                no_prefix_route: flags.contains(AddressFlags::Noprefixroute),
                auto_join: flags.contains(AddressFlags::Mcautojoin),
            },
            secondary: flags.contains(AddressFlags::Secondary),
            tentative: flags.contains(AddressFlags::Tentative),
            duplicate: flags.contains(AddressFlags::Dadfailed),
        }))
    }
}

impl Rtnl {
    /// All IPv4 and IPv6 addresses of the namespace, in the kernel's order: the first IPv4 address of an interface that
    /// is not [`secondary`](Address::secondary) is its primary one.
    pub fn addresses(&mut self) -> Result<Vec<Address>> {
        let message = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        self.dump("list the addresses", message, |kind, payload| match kind {
            libc::RTM_NEWADDR => Address::read(payload),
            _ => Ok(None),
        })
    }

    /// Adds addresses, in order, each whether or not those before it succeed; one result for each.
    ///
    /// IPv6 addresses are added without duplicate address detection, unless
    /// [`detect_duplicates`](Options::detect_duplicates) asks for it: a virtual address moves between hosts, and the
    /// detection would leave it unusable for a second. An address that is there stays as it is
    /// ([`Change::AlreadySo`]), though its label, broadcast address or scope may differ.
    pub fn add_addresses(&mut self, addresses: &[Address]) -> Vec<Result<Change>> {
        let request = |address: &Address| Request {
            message: RouteNetlinkMessage::NewAddress(addition(address)),
            flags: NLM_F_CREATE | NLM_F_EXCL,
        };
        self.change("add the address", addresses, request, &[libc::EEXIST])
    }

    /// Gives addresses their lifetimes anew, in order, each whether or not those before it succeed; one result for each. One
    /// that is gone is added again.
    pub fn renew_addresses(&mut self, addresses: &[Address]) -> Vec<Result<Change>> {
        let request = |address: &Address| Request {
            message: RouteNetlinkMessage::NewAddress(addition(address)),
            flags: NLM_F_CREATE | NLM_F_REPLACE,
        };
        self.change("renew the address", addresses, request, &[libc::EEXIST])
    }

    /// Removes addresses, in order, each whether or not those before it succeed; one result for each.
    ///
    /// Interface, address, prefix length and peer must be those of the address; label, broadcast address and scope do
    /// not matter. The kernel removes the secondary addresses of a subnet together with its primary one, unless the
    /// sysctl `promote_secondaries` is set. `ENODEV` when there is no such interface.
    pub fn remove_addresses(&mut self, addresses: &[Address]) -> Vec<Result<Change>> {
        let request =
            |address: &Address| Request { message: RouteNetlinkMessage::DelAddress(identity(address)), flags: 0 };
        // Where the interface has no IPv6 at all, its addresses are gone with it.
        self.change("remove the address", addresses, request, &[libc::EADDRNOTAVAIL, libc::ENXIO])
    }

    /// `idle` are the error numbers which say that nothing was to be done.
    fn change(
        &mut self,
        operation: &'static str,
        addresses: &[Address],
        request: impl Fn(&Address) -> Request,
        idle: &[i32],
    ) -> Vec<Result<Change>> {
        let bad: Vec<bool> = addresses.iter().map(|address| !sendable(address)).collect();
        let good = addresses.iter().zip(&bad).filter(|(_, bad)| !**bad);
        let requests: Vec<Request> = good.map(|(address, _)| request(address)).collect();
        let mut answers = self.batch(operation, &requests).into_iter();
        let mut result = |(address, bad): (&Address, bool)| {
            let answer = if bad { Err(unsendable(operation)) } else { answers.next().unwrap_or(Ok(())) };
            match answer {
                Ok(()) => Ok(Change::Done),
                Err(error) if error.errno().is_some_and(|errno| idle.contains(&errno)) => Ok(Change::AlreadySo),
                Err(error) => Err(error.on(numbered(address.index))),
            }
        };
        addresses.iter().zip(bad).map(&mut result).collect()
    }
}

/// What the kernel would read otherwise than it was meant: it cuts a label at its first zero, takes the first octets of
/// a peer of the other family, and has 16 bits for an attribute's length.
fn sendable(address: &Address) -> bool {
    let label = address.label.as_deref().unwrap_or("-");
    let peer = address.peer.unwrap_or(address.address);
    (1..=NAME_MAX).contains(&label.len()) && !label.contains('\0') && peer.is_ipv4() == address.address.is_ipv4()
}

fn unsendable(operation: &'static str) -> Error {
    let cause = "the label needs 1 to 15 octets, none of them zero, and the peer the family of the address";
    Error::new(operation, io::Error::new(io::ErrorKind::InvalidInput, cause))
}

/// What tells an address from the others.
pub(crate) fn identity(address: &Address) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = if address.address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.index = address.index;
    message.header.prefix_len = address.prefix_len;
    message.attributes.push(AddressAttribute::Local(address.address));
    message.attributes.push(AddressAttribute::Address(address.peer.unwrap_or(address.address)));
    message
}

/// The whole of an address.
fn addition(address: &Address) -> AddressMessage {
    let mut message = identity(address);
    message.header.scope = AddressScope::from(address.scope.0);
    let options = address.options;
    let mut flags = AddressFlags::empty();
    flags.set(AddressFlags::Nodad, address.address.is_ipv6() && !options.detect_duplicates);
    flags.set(AddressFlags::Homeaddress, options.home);
    flags.set(AddressFlags::Managetempaddr, options.manage_temporary);
    flags.set(AddressFlags::Noprefixroute, options.no_prefix_route);
    flags.set(AddressFlags::Mcautojoin, options.auto_join);
    if !flags.is_empty() {
        message.attributes.push(AddressAttribute::Flags(flags));
    }
    if address.preferred_lifetime.is_some() || address.valid_lifetime.is_some() {
        let mut lifetimes = CacheInfo::default();
        let valid = address.valid_lifetime.unwrap_or(FOREVER);
        let preferred = address.preferred_lifetime.unwrap_or(FOREVER).min(valid);
        (lifetimes.ifa_preferred, lifetimes.ifa_valid) = (preferred, valid);
        message.attributes.push(AddressAttribute::CacheInfo(lifetimes));
    }
    if address.address.is_ipv4() {
        message.attributes.extend(address.broadcast.map(AddressAttribute::Broadcast));
        message.attributes.extend(address.label.clone().map(AddressAttribute::Label));
    }
    message
}
