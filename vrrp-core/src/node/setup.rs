//! What a [`Node`](super::Node) is made of, before anything has happened: interfaces, routers and groups by number, and the
//! configuration of a router. Knows nothing of states.

use alloc::boxed::Box;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::unicast::Unicast;
use crate::router::RouterConfig;
use crate::types::{Family, Vrid};

/// An interface, numbered by the caller. Not the kernel's index, which changes when an interface is made anew.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InterfaceId(pub u32);

/// A virtual router of a [`Node`](super::Node): its place in the order of [`Node::add`](super::Node::add), from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RouterId(pub(super) usize);

impl RouterId {
    /// The place, from 0: an index for the caller's own tables.
    pub const fn index(self) -> usize {
        self.0
    }
}

/// A virtual router and where it lives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouterSetup {
    /// Its interface.
    pub interface: InterfaceId,
    /// Adverts come from this address instead of the interface's primary one. One of another family than the router's, or
    /// of IPv6 and not link-local where they go to the group, keeps it in FAULT.
    pub source: Option<IpAddr>,
    /// Adverts go to these peers, and are heard from them alone; `None` is the multicast group. Send each of
    /// [`Node::message_to`](super::Node::message_to).
    pub unicast: Option<Unicast>,
    /// It goes by [`Input::Link`](super::Input::Link), and waits in Initialize while its interface is down. Without, it goes by
    /// [`Input::Presence`](super::Input::Presence), and stays what it is: while the link is cut, its host and a peer may both be
    /// Master.
    pub track_interface: bool,
    /// Its configuration.
    pub config: RouterConfig<Box<[IpAddr]>>,
}

impl RouterSetup {
    /// On an interface whose state and primary address it goes by, with adverts to the multicast group.
    ///
    /// ```
    /// use vrrp_core::node::{Groups, InterfaceId, Node, RouterSetup};
    /// use vrrp_core::router::RouterConfig;
    /// use vrrp_core::{AddressList, Priority, Vrid};
    ///
    /// let addresses = AddressList::new(Box::from([[192, 0, 2, 100].into()]))?;
    /// let config = RouterConfig::new(Vrid::new(50).expect("not 0"), Priority::default(), addresses);
    /// let mut node = Node::<core::time::Duration>::new(Groups::default());
    /// node.add(RouterSetup::new(InterfaceId(0), config))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn new(interface: InterfaceId, config: RouterConfig<Box<[IpAddr]>>) -> Self {
        Self { interface, source: None, unicast: None, track_interface: true, config }
    }
}

/// Where adverts are sent and heard.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Groups {
    /// Of IPv4.
    pub v4: Ipv4Addr,
    /// Of IPv6.
    pub v6: Ipv6Addr,
}

impl Groups {
    /// The group of `family`.
    pub const fn of(self, family: Family) -> IpAddr {
        match family {
            Family::V4 => IpAddr::V4(self.v4),
            Family::V6 => IpAddr::V6(self.v6),
        }
    }
}

impl Default for Groups {
    /// 224.0.0.18 (R3) and ff02::12 (R73).
    fn default() -> Self {
        Self { v4: Ipv4Addr::new(224, 0, 0, 18), v6: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12) }
    }
}

/// Something that routers depend on, numbered by [`Node::add_tracker`](super::Node::add_tracker).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TrackerId(pub(super) usize);

impl TrackerId {
    /// Its place in the order of adding, from 0.
    pub const fn index(self) -> usize {
        self.0
    }
}

/// A sync group, numbered by [`Node::add_group`](super::Node::add_group).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GroupId(pub(super) usize);

impl GroupId {
    /// Its place in the order of adding, from 0.
    pub const fn index(self) -> usize {
        self.0
    }
}

/// Who follows a tracker.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Follower {
    /// One router.
    Router(RouterId),
    /// Each member of a sync group.
    Group(GroupId),
}

/// Why routers make no sync group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupError {
    /// It has no members.
    Empty,
    /// The node has no such router.
    Unknown(RouterId),
    /// A member of a group already, or named twice.
    Taken(RouterId),
    /// It is enabled: it might be Master already, and the others not.
    Enabled(RouterId),
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a sync group needs members"),
            Self::Unknown(router) => write!(f, "the node has no router {}", router.index()),
            Self::Taken(router) => write!(f, "router {} is in a sync group already", router.index()),
            Self::Enabled(router) => write!(f, "router {} must be stopped while its group is made", router.index()),
        }
    }
}

impl core::error::Error for GroupError {}

/// Two routers of one family with one identifier on one interface, which adverts cannot be told apart for: both of the group,
/// or with a common peer and not with a [source](RouterSetup::source) of its own each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DuplicateVrid {
    /// The router that has it.
    pub first: RouterId,
    /// The identifier.
    pub vrid: Vrid,
}

impl fmt::Display for DuplicateVrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "virtual router identifier {} is in use on this interface already", self.vrid)
    }
}

impl core::error::Error for DuplicateVrid {}
