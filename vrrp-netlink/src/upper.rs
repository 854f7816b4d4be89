//! Interfaces that stand on another one: macvlan, which has a MAC address of its own, and ipvlan, which shares that of its
//! base.
//!
//! Knows nothing of virtual routers, nor of what an interface is used for.
//!
//! ```no_run
//! use vrrp_netlink::rtnl::Rtnl;
//! use vrrp_netlink::upper::{Kind, Upper};
//!
//! # fn main() -> vrrp_netlink::Result<()> {
//! let mut rtnl = Rtnl::open()?;
//! let base = rtnl.link("eth0")?.map(|link| link.index).unwrap_or_default();
//! let kind = Kind::Macvlan([0x00, 0x00, 0x5e, 0x00, 0x01, 51]);
//! let index = rtnl.create_upper(&Upper { name: "vrrp.51", base, kind, alias: "a service's", group: 0 })?;
//! rtnl.set_up(index, true)?;
//! # Ok(())
//! # }
//! ```

#[cfg(test)]
mod tests;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoIpVlan, InfoKind, InfoMacVlan, IpVlanFlags, IpVlanMode, LinkAttribute, LinkInfo, LinkMessage,
    MacVlanMode,
};

use crate::links::numbered;
use crate::rtnl::{Request, Rtnl};
use crate::{Error, Result};

/// Longest text that can be attached to an interface, in octets (the kernel's `IFALIASZ` less its terminating zero).
pub const ALIAS_MAX: usize = 255;

/// An interface that is to stand on another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upper<'a> {
    /// Its name, 1 to [`NAME_MAX`](crate::links::NAME_MAX) octets.
    pub name: &'a str,
    /// Index of the interface that it stands on.
    pub base: u32,
    /// What it is.
    pub kind: Kind,
    /// Text attached to it, at most [`ALIAS_MAX`] octets: by it an interface is recognised later, see
    /// [`Link::alias`](crate::links::Link::alias).
    pub alias: &'a str,
    /// Link group; 0 is the usual one.
    pub group: u32,
}

/// What an interface on top of another one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A macvlan in private mode with this MAC address: it exchanges no frame with other macvlans of its base, nor with
    /// the base itself.
    Macvlan([u8; 6]),
    /// An ipvlan of layer 2 with the MAC address of its base: what is for an address of it is delivered to it.
    Ipvlan(IpvlanMode),
}

/// Whom an ipvlan exchanges packets with besides the LAN. All ipvlans of a base have the same mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum IpvlanMode {
    /// The other ipvlans of its base.
    #[default]
    Bridge,
    /// Nobody.
    Private,
    /// The other ipvlans of its base, by way of a switch that reflects.
    Vepa,
}

impl Rtnl {
    /// Creates an interface on top of another one; its index. It is down.
    ///
    /// Errors: `EEXIST` when the name is taken, `ENODEV` without the base, `EOPNOTSUPP` where the kernel does not know its
    /// kind, `EINVAL` when the base cannot carry one: it is no Ethernet interface.
    pub fn create_upper(&mut self, upper: &Upper<'_>) -> Result<u32> {
        let mut attributes = vec![LinkAttribute::Link(upper.base)];
        if upper.group != 0 {
            attributes.push(LinkAttribute::Group(upper.group));
        }
        let (operation, kind, data) = match upper.kind {
            Kind::Macvlan(mac) => {
                attributes.push(LinkAttribute::Address(mac.to_vec()));
                let data = InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Private)]);
                ("create the macvlan", InfoKind::MacVlan, data)
            }
            Kind::Ipvlan(mode) => {
                let flags = match mode {
                    IpvlanMode::Bridge => IpVlanFlags::empty(),
                    IpvlanMode::Private => IpVlanFlags::Private,
                    IpvlanMode::Vepa => IpVlanFlags::Vepa,
                };
                let data = InfoData::IpVlan(vec![InfoIpVlan::Mode(IpVlanMode::L2), InfoIpVlan::Flags(flags)]);
                ("create the ipvlan", InfoKind::IpVlan, data)
            }
        };
        let info = vec![LinkInfo::Kind(kind), LinkInfo::Data(data)];
        let index = self.create_with(operation, upper.name, attributes, info)?;
        // The kernel takes an alias for an interface that exists only.
        if let Err(error) = self.set_alias(index, upper.alias) {
            self.delete_link(index)?;
            return Err(error);
        }
        Ok(index)
    }

    /// Attaches a text of at most [`ALIAS_MAX`] octets to the interface `index`; an empty one removes what was attached.
    pub fn set_alias(&mut self, index: u32, alias: &str) -> Result<()> {
        const OPERATION: &str = "attach a text to the interface";
        if alias.len() > ALIAS_MAX || alias.contains('\0') {
            let cause =
                std::io::Error::new(std::io::ErrorKind::InvalidInput, "it has at most 255 octets, none of them zero");
            return Err(Error::new(OPERATION, cause).on(numbered(index)));
        }
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes.push(LinkAttribute::IfAlias(alias.to_owned()));
        let request = Request { message: RouteNetlinkMessage::SetLink(message), flags: 0 };
        self.request(OPERATION, request).map_err(|error| error.on(numbered(index)))
    }
}
