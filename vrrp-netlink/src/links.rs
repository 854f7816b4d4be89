//! Network interfaces: reading them, and the few changes from which a laboratory of namespaces is built.
//!
//! Knows nothing of virtual routers, nor of what an interface is used for.
//!
//! ```no_run
//! use std::fs::File;
//! use std::os::fd::AsFd;
//! use vrrp_netlink::rtnl::Rtnl;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut rtnl = Rtnl::open()?;
//! let other = File::open("/run/netns/other")?;
//! let index = rtnl.create_veth("here", "there", other.as_fd())?;
//! rtnl.set_up(index, true)?;
//! # Ok(())
//! # }
//! ```

#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{Emitable, NLM_F_CREATE, NLM_F_EXCL, parse_u32};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoBridge, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkExtentMask,
    LinkFlags, LinkHeader, LinkInfo, LinkMessage,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::rtnl::{Garbled, Request, Rtnl, attributes, text};
use crate::{Error, Result};

/// Longest name of an interface, in octets (the kernel's `IFNAMSIZ` less its terminating zero).
pub const NAME_MAX: usize = libc::IFNAMSIZ - 1;

const FIND: &str = "find the interface";

/// A network interface as the kernel describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "independent flags of the kernel, not states")]
pub struct Link {
    /// Interface index, from 1, unique within its network namespace while the interface exists.
    pub index: u32,
    /// Its name, at most [`NAME_MAX`] octets.
    pub name: String,
    /// Switched on by the administrator (`IFF_UP`).
    pub admin_up: bool,
    /// Able to carry packets (`IFF_RUNNING`): switched on, with carrier, operational. The kernel may take up to a
    /// second to say that it is no longer so.
    pub running: bool,
    /// A loopback interface.
    pub loopback: bool,
    /// Able to multicast (`IFF_MULTICAST`).
    pub multicast: bool,
    /// Ethernet address; `None` for an interface whose addresses are not six octets.
    pub mac: Option<[u8; 6]>,
    /// Largest packet, in octets.
    pub mtu: u32,
    /// Index of the bridge, bond or VRF that it is a part of.
    pub master: Option<u32>,
    /// Index of the interface that it stands on, of a macvlan, ipvlan or VLAN; of a veth, that of its peer, which is in
    /// another namespace mostly.
    pub base: Option<u32>,
    /// What it is to the kernel, such as "macvlan"; empty for hardware.
    pub kind: String,
    /// The text that was attached to it (`ip link set ... alias`); empty without one.
    pub alias: String,
}

impl Link {
    /// Reads the payload of an `RTM_NEWLINK` or `RTM_DELLINK` message; never panics.
    ///
    /// `None` for the message of a protocol on the interface, such as that of a bridge about its port: it does not
    /// describe the interface, and one that says "deleted" only means that the port left the bridge.
    ///
    /// Only what is needed is read, so that neither a newer kernel nor an exotic driver hides an interface.
    pub fn read(payload: &[u8]) -> std::result::Result<Option<Self>, Garbled> {
        let header = LinkHeader::parse(payload)?;
        if header.interface_family != AddressFamily::Unspec {
            return Ok(None);
        }
        let mut link = Self {
            index: header.index,
            name: String::new(),
            admin_up: header.flags.contains(LinkFlags::Up),
            running: header.flags.contains(LinkFlags::Running),
            loopback: header.flags.contains(LinkFlags::Loopback),
            multicast: header.flags.contains(LinkFlags::Multicast),
            mac: None,
            mtu: 0,
            master: None,
            base: None,
            kind: String::new(),
            alias: String::new(),
        };
        let rest = payload.get(header.buffer_len()..).unwrap_or_default();
        attributes(rest, |kind, value| {
            match kind {
                libc::IFLA_IFNAME => link.name = text(value),
                libc::IFLA_ADDRESS => link.mac = value.try_into().ok(),
                libc::IFLA_MTU => link.mtu = parse_u32(value)?,
                libc::IFLA_MASTER => link.master = Some(parse_u32(value)?).filter(|&index| index != 0),
                libc::IFLA_LINK => link.base = Some(parse_u32(value)?).filter(|&index| index != 0),
                libc::IFLA_IFALIAS => link.alias = text(value),
                libc::IFLA_LINKINFO => attributes(value, |kind, value| {
                    if kind == libc::IFLA_INFO_KIND {
                        link.kind = text(value);
                    }
                    Ok(())
                })?,
                _ => {}
            }
            Ok(())
        })?;
        if link.name.is_empty() {
            return Err(Garbled::new("an interface without a name"));
        }
        Ok(Some(link))
    }
}

impl Rtnl {
    /// All interfaces of the namespace, by the kernel's order.
    pub fn links(&mut self) -> Result<Vec<Link>> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        self.dump("list the interfaces", RouteNetlinkMessage::GetLink(message), |kind, payload| match kind {
            libc::RTM_NEWLINK => Link::read(payload),
            _ => Ok(None),
        })
    }

    /// The interface called `name`, which may also be one of its alternative names; `None` when there is none.
    pub fn link(&mut self, name: &str) -> Result<Option<Link>> {
        let mut message = LinkMessage::default();
        message.attributes.push(named(FIND, name)?);
        self.one_link(message).map_err(|error| error.on(name))
    }

    /// The interface `index`; `None` when there is none.
    pub fn link_by_index(&mut self, index: u32) -> Result<Option<Link>> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        // To the kernel, those beside 1 to 2^31 - 1 are not the index of anything.
        if !i32::try_from(index).is_ok_and(i32::is_positive) {
            return Ok(None);
        }
        self.one_link(message).map_err(|error| error.on(numbered(index)))
    }

    /// Creates a pair of virtual Ethernet interfaces: `name` here, `peer_name` in the namespace `peer_namespace` (an
    /// open `/proc/.../ns/net` or `/run/netns/...`); the index of the one here.
    ///
    /// Both are down. Deleting either deletes both.
    pub fn create_veth(&mut self, name: &str, peer_name: &str, peer_namespace: BorrowedFd<'_>) -> Result<u32> {
        const OPERATION: &str = "create the veth pair";
        let mut peer = LinkMessage::default();
        peer.attributes.push(named(OPERATION, peer_name)?);
        peer.attributes.push(LinkAttribute::NetNsFd(peer_namespace.as_raw_fd()));
        let info = vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer)))];
        self.create(OPERATION, name, info)
    }

    /// Creates a bridge that passes every multicast to every port (no snooping); its index. It is down.
    pub fn create_bridge(&mut self, name: &str) -> Result<u32> {
        let data = InfoData::Bridge(vec![InfoBridge::MulticastSnooping(false)]);
        self.create("create the bridge", name, vec![LinkInfo::Kind(InfoKind::Bridge), LinkInfo::Data(data)])
    }

    /// Deletes the interface `index`. `ENODEV` when there is none.
    pub fn delete_link(&mut self, index: u32) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        let request = Request { message: RouteNetlinkMessage::DelLink(message), flags: 0 };
        self.request("delete the interface", request).map_err(|error| error.on(numbered(index)))
    }

    /// Switches the interface `index` on or off.
    pub fn set_up(&mut self, index: u32, up: bool) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.change_mask = LinkFlags::Up;
        message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        let operation = if up { "switch the interface on" } else { "switch the interface off" };
        let request = Request { message: RouteNetlinkMessage::SetLink(message), flags: 0 };
        self.request(operation, request).map_err(|error| error.on(numbered(index)))
    }

    /// Whether the interface `index` is to give itself a link-local IPv6 address, made of its Ethernet address, whenever
    /// it is switched on; one that it has stays. EAFNOSUPPORT where it has no IPv6.
    pub fn set_link_local_generation(&mut self, index: u32, generate: bool) -> Result<()> {
        let mode = if generate { In6AddrGenMode::Eui64 } else { In6AddrGenMode::None };
        let mut message = LinkMessage::default();
        message.header.index = index;
        let spec = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(mode)]);
        message.attributes.push(LinkAttribute::AfSpecUnspec(vec![spec]));
        let request = Request { message: RouteNetlinkMessage::SetLink(message), flags: 0 };
        self.request("set how link-local addresses are made", request).map_err(|error| error.on(numbered(index)))
    }

    /// Makes the interface `index` a part of the bridge, bond or VRF `master`, or of none.
    pub fn set_master(&mut self, index: u32, master: Option<u32>) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes.push(LinkAttribute::Controller(master.unwrap_or(0)));
        let request = Request { message: RouteNetlinkMessage::SetLink(message), flags: 0 };
        self.request("set the master", request).map_err(|error| error.on(numbered(index)))
    }

    /// The interface that `message` names.
    fn one_link(&mut self, mut message: LinkMessage) -> Result<Option<Link>> {
        message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        let found = self.get(FIND, RouteNetlinkMessage::GetLink(message), |kind, payload| match kind {
            libc::RTM_NEWLINK => Link::read(payload),
            _ => Ok(None),
        });
        match found {
            Err(error) if error.errno() == Some(libc::ENODEV) => Ok(None),
            found => found,
        }
    }

    fn create(&mut self, operation: &'static str, name: &str, info: Vec<LinkInfo>) -> Result<u32> {
        self.create_with(operation, name, Vec::new(), info)
    }

    /// `attributes` describe it beside its name and kind.
    pub(crate) fn create_with(
        &mut self,
        operation: &'static str,
        name: &str,
        attributes: Vec<LinkAttribute>,
        info: Vec<LinkInfo>,
    ) -> Result<u32> {
        let mut message = LinkMessage::default();
        message.attributes.push(named(operation, name)?);
        message.attributes.extend(attributes);
        message.attributes.push(LinkAttribute::LinkInfo(info));
        let message = RouteNetlinkMessage::NewLink(message);
        let request = Request { message, flags: NLM_F_CREATE | NLM_F_EXCL };
        self.request(operation, request).map_err(|error| error.on(name))?;
        let gone = || Error::new(operation, io::Error::from_raw_os_error(libc::ENODEV)).on(name);
        self.link(name)?.map(|link| link.index).ok_or_else(gone)
    }
}

/// How errors name an interface of which only the index is known.
pub(crate) fn numbered(index: u32) -> String {
    format!("interface {index}")
}

/// A name as an attribute. Checked here because the kernel reads a name up to its first zero, and an attribute's length
/// has 16 bits.
fn named(operation: &'static str, name: &str) -> Result<LinkAttribute> {
    if name.is_empty() || name.len() > NAME_MAX || name.contains('\0') {
        let cause = io::Error::new(io::ErrorKind::InvalidInput, "a name has 1 to 15 octets, none of them zero");
        return Err(Error::new(operation, cause).on(name.escape_debug().to_string()));
    }
    Ok(LinkAttribute::IfName(name.to_owned()))
}
