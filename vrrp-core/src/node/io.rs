//! The language of a [`Node`](super::Node): what it is told, and what it answers. Decides nothing.

use core::net::IpAddr;
use core::num::NonZeroU32;
use core::time::Duration;

use super::condition::Condition;
use super::faults::Faults;
use super::setup::{GroupId, InterfaceId, RouterId, TrackerId};
use crate::auth::WallClock;
use crate::fsm::{Addresses, Advertise, Link, Params, Transition};
use crate::release::Handover;
use crate::router::Carriage;
use crate::rx::{Meta, Notices, Rejected};
use crate::track::Status;
use crate::types::{AddressList, Family, Priority};
use crate::wire::claim::Claim;

/// Which routers an input is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Which {
    /// All of the node.
    All,
    /// One.
    One(RouterId),
    /// The members of a sync group.
    Group(GroupId),
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Input<'a> {
    /// The time of day, for routers with authentication: feed it after each wait, before anything else.
    WallClock(WallClock),
    /// The operator starts or stops routers.
    Enabled {
        /// Which.
        which: Which,
        /// Start or stop.
        enabled: bool,
    },
    /// State of an interface, for the routers of one family on it that [track](super::RouterSetup::track_interface) it.
    ///
    /// When the address changes, the next advert comes from the new one, state and timers stay, and ties are broken by it from
    /// now on. When the last address goes, a Master removes its addresses without a release, since there is nothing to send it
    /// from, and the router waits in Initialize for the next address.
    Link {
        /// Which.
        interface: InterfaceId,
        /// Of which family.
        family: Family,
        /// Its state. The address is the interface's primary one, or its link-local one in IPv6 (R73).
        link: Link,
    },
    /// What an interface is apart from its link, for the routers of one family on it that do not
    /// [track](super::RouterSetup::track_interface) its state; the rest is as with [`Input::Link`].
    Presence {
        /// Which.
        interface: InterfaceId,
        /// Of which family.
        family: Family,
        /// [`Link::Up`] while it has an address, be the link up or cut; [`Link::Down`] while there is no such interface.
        link: Link,
    },
    /// Parameters of a router, which take effect at once; state and the timer's anchor stay. The priority is the base that
    /// what the router tracks adds to and takes from, see [`crate::track`].
    ///
    /// * Backup: the wait is that of the new priority and interval, counted from the last advert. A new priority of 255 takes
    ///   over at once.
    /// * Master: the next advert carries them. A shorter interval applies to the one that runs; a longer one from the next
    ///   advert on, since peers wait by what they have learnt. [`Output::Addresses`] comes again when whether packets to the
    ///   addresses are accepted has changed.
    ///
    /// In VRRPv2 peers with another interval drop each other's adverts until all have changed (R49).
    Params {
        /// Which.
        router: RouterId,
        /// All of them.
        params: Params,
    },
    /// The virtual addresses of a router. The next advert carries the new list, and a Master's [`Output::Addresses`] comes again
    /// with a new epoch: what is wanted now is this list, and no other address. Ignored when the list is of another family than
    /// the router's, which would be another virtual router.
    AddressList {
        /// Which.
        router: RouterId,
        /// All of them.
        addresses: AddressList<&'a [IpAddr]>,
    },
    /// The addresses were on the interface before the node started, left behind by a predecessor. Feed it before
    /// [`Input::Enabled`]. They stay until the election is decided: the next Master adopts them, and a Backup lets go of
    /// them as soon as it hears a Master.
    Leftover {
        /// Which router's.
        router: RouterId,
    },
    /// The addresses are on the interface: the answer to [`Output::Addresses`] with [`Addresses::Install`].
    Installed {
        /// Which router's.
        router: RouterId,
        /// The epoch of the output that is answered; an older one is ignored.
        epoch: u64,
    },
    /// How a router lets go of its addresses when it steps down on purpose, from the next time on.
    Handover {
        /// Which.
        router: RouterId,
        /// [`Handover::Immediate`] unless said otherwise.
        handover: Handover,
    },
    /// Another host says that it has an address of a router, where that address is served: by ARP of any kind or by an
    /// unsolicited neighbour advertisement, from a MAC address that is not this host's. Only addresses that this host would
    /// serve, please.
    ///
    /// The successor of a router that is releasing announces them; before [`Input::Enabled`] stops routers, take in and throw
    /// away what was heard by then. While a router serves, it may be a [conflict](crate::conflict).
    Claimed {
        /// Whose address.
        router: RouterId,
        /// What is said.
        claim: Claim,
    },
    /// What is still being released goes at once: somebody asked a second time.
    LetGo {
        /// Which.
        which: Which,
    },
    /// Something that a router needs fails, or works again.
    Fault {
        /// Which router.
        router: RouterId,
        /// What.
        fault: Faults,
        /// Fails, or works.
        present: bool,
    },
    /// What is known of something that routers depend on. A level.
    Tracked {
        /// What.
        tracker: TrackerId,
        /// Its state.
        status: Status,
    },
    /// The operator wants routers to let go of what they serve, or ends that. A level of each of the routers, which outlasts
    /// stop and start.
    ///
    /// A Master sends its release and becomes Backup, and a Backup stays one whatever it hears. At the end, one that heard no
    /// Master, or a weaker one, takes over at once. A member of a sync group takes its group along.
    Maintenance {
        /// Which.
        which: Which,
        /// Whether it begins or ends.
        on: bool,
    },
    /// Routers that are started now, or soon, shall not be Master before `delay` has passed: they are Backup meanwhile, and hear.
    /// One that hears nobody begins to wait for a Master only then, and claims a Master_Down_Interval later; an address owner
    /// claims at once. Feed it before [`Input::Enabled`]: routers that run are left alone.
    StartupDelay {
        /// Which.
        which: Which,
        /// From the time of this input; its end must be a time that the caller's clock can tell.
        delay: Duration,
    },
    /// What is fed of an interface for virtual routers that this node does not have is a sample from now on: one of about so many
    /// that arrive. A level; 1 until it is told. What belongs to a router of the node is fed wholly.
    Sampled {
        /// Which.
        interface: InterfaceId,
        /// Of which family.
        family: Family,
        /// What one of the sample counts as.
        one_of: NonZeroU32,
    },
    /// Datagrams were lost at an interface before they could be fed: a queue was full. Feed it behind what was in the queue.
    ///
    /// An advert of a Master may have been among them: a silence is believed one Skew_Time later for it, once, and never put off
    /// for ever.
    Lost {
        /// Where.
        interface: InterfaceId,
        /// Of which family.
        family: Family,
        /// How many.
        count: u32,
    },
    /// An advert reached the interface, and a firewall of this host, or something like it, kept it from the host's sockets.
    ///
    /// It climbs the whole ladder of checks. One that passes is to a Backup what every advert is: while a Master is there, it does
    /// not take over. A Master takes no notice, but for [`Output::Barred`], which both give. What breaks a rung, and a copy
    /// of what was fed as [`Input::Datagram`] or [`Input::Message`], has no effect: feed those first, and then this, with the
    /// time at which it arrived. [`Node::overdue_from`](super::Node::overdue_from) says when to listen for such adverts.
    Barred {
        /// Which.
        interface: InterfaceId,
        /// The whole datagram with its header, of IPv4 or IPv6.
        octets: &'a [u8],
    },
    /// An IPv4 datagram arrived, as raw IPv4 sockets deliver it.
    Datagram {
        /// Where.
        interface: InterfaceId,
        /// The whole IPv4 datagram, header included.
        octets: &'a [u8],
    },
    /// A message arrived without its IP header, as raw IPv6 sockets deliver it.
    Message {
        /// Where.
        interface: InterfaceId,
        /// What its IP header said.
        meta: Meta,
        /// The payload of the whole datagram, of protocol 112.
        octets: &'a [u8],
    },
}

/// What to do, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send the message that [`Node::message`](super::Node::message) writes; where the router has peers, each of
    /// [`Node::message_to`](super::Node::message_to).
    Advertise {
        /// Whose.
        router: RouterId,
        /// Which.
        advertise: Advertise,
    },
    /// Install or remove a router's addresses. A level: a newer one replaces an older one that was not yet carried out.
    Addresses {
        /// Whose.
        router: RouterId,
        /// What is wanted from now on.
        wanted: Addresses,
        /// Whether packets to the addresses shall be accepted: the router owns them, or Accept_Mode is on. Otherwise it only
        /// forwards and answers ARP, or neighbour solicitations, for them (R77, R82).
        accept: bool,
        /// To be repeated in [`Input::Installed`]; grows.
        epoch: u64,
    },
    /// Send one gratuitous ARP, or one unsolicited neighbour advertisement, for each address of a router.
    Announce {
        /// Whose.
        router: RouterId,
    },
    /// Remove one address, whose successor serves it; when it is gone, announce it once at the successor's MAC address. The
    /// others stay as they are. [`Output::Addresses`] follows at last, and removes what is left.
    HandOver {
        /// Whose.
        router: RouterId,
        /// Which.
        address: IpAddr,
        /// Where the successor has it.
        mac: [u8; 6],
        /// The epoch in which it was installed. In a later one that installs it again, there is nothing to do.
        epoch: u64,
    },
    /// Another host holds an address that a router serves, see [`crate::conflict`]. Log it at a bounded rate. Never follows from
    /// the election.
    Conflict {
        /// Whose address.
        router: RouterId,
        /// Which.
        address: IpAddr,
        /// Which host.
        mac: [u8; 6],
        /// Announce this address once, as with [`Output::Announce`].
        defend: bool,
    },
    /// A router changed its state. Where [`Node::is_releasing`](super::Node::is_releasing) says so, it still serves addresses.
    Transition {
        /// Which.
        router: RouterId,
        /// How and why.
        transition: Transition,
    },
    /// The effective priority of a router changed: what its adverts and timers use from now on.
    Priority {
        /// Which.
        router: RouterId,
        /// The base and what it tracks.
        priority: Priority,
    },
    /// A sync group changed its state; comes after the transitions of its members.
    Group {
        /// Which.
        group: GroupId,
        /// [`Condition::Master`] only when every member is, [`Condition::Fault`] when a member cannot take part.
        condition: Condition,
    },
    /// A firewall of this host drops the adverts of another router, which were heard in spite of it. A Master that they should
    /// have reached, and that is the weaker one, stays Master. Tell it at a bounded rate.
    Barred {
        /// The router they are for.
        router: RouterId,
        /// Who sends them.
        source: IpAddr,
        /// The group, or the address of this host that they are sent to.
        destination: IpAddr,
    },
    /// An advertisement was dropped. Log it at a bounded rate.
    Rejected {
        /// Where it arrived.
        interface: InterfaceId,
        /// The router it was for, where there is one.
        router: Option<RouterId>,
        /// From whom, and why.
        rejected: Rejected,
    },
    /// An accepted advertisement says something about its sender's configuration. Log it at a bounded rate.
    Noticed {
        /// The router it was for.
        router: RouterId,
        /// Its sender.
        source: IpAddr,
        /// What.
        notices: Notices,
    },
}

impl Output {
    /// The order in which members of a sync group act as one: every claim or release before the first change of an address.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Rejected { .. } | Self::Noticed { .. } | Self::Barred { .. } | Self::Priority { .. } => 0,
            Self::Advertise { .. } => 1,
            Self::Addresses { .. } | Self::HandOver { .. } => 2,
            Self::Announce { .. } | Self::Conflict { .. } => 3,
            Self::Transition { .. } => 4,
            Self::Group { .. } => 5,
        }
    }
}

/// A message for the wire.
#[derive(PartialEq, Eq, Debug)]
pub struct Message<'b> {
    /// Where to send it.
    pub interface: InterfaceId,
    /// Source address of the datagram.
    pub source: IpAddr,
    /// Destination address: the multicast group of the router's family, or a peer.
    pub destination: IpAddr,
    /// TTL, or hop limit.
    pub ttl: u8,
    /// What the octets are.
    pub carriage: Carriage,
    /// The VRRP message without IP header, or the whole datagram.
    pub octets: &'b [u8],
}
