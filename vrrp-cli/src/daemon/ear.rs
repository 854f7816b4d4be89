//! The sockets of an interface: one for each way in which adverts travel on it.
//!
//! Knows how a message is handed to the kernel and taken from it; not what it says.

use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};

use vrrp_core::Family;
use vrrp_core::node::{Groups, Input, InterfaceId, Message};
use vrrp_core::rx::{Meta, TTL};
use vrrp_core::wire::ipv4::PROTOCOL_VRRP;
use vrrp_netlink::socket::{Batch, Datagram, Ipv4Send, VrrpSocket};
use vrrp_netlink::socket6::VrrpSocket6;

use super::monitor::Device;

/// What a socket is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Adverts of IPv4.
    V4,
    /// Adverts of IPv6.
    V6,
}

impl Kind {
    /// How many there are.
    pub(super) const COUNT: usize = 2;
    /// All of them, by [`Kind::index`].
    pub(super) const ALL: [Self; Self::COUNT] = [Self::V4, Self::V6];

    /// Its place in tables.
    pub(super) fn index(self) -> usize {
        match self {
            Self::V4 => 0,
            Self::V6 => 1,
        }
    }

    /// What adverts of this family need.
    pub(super) fn of(family: Family) -> Self {
        match family {
            Family::V4 => Self::V4,
            Family::V6 => Self::V6,
        }
    }

    /// The family of its adverts.
    pub(super) fn family(self) -> Family {
        match self {
            Self::V4 => Family::V4,
            Self::V6 => Family::V6,
        }
    }
}

/// A socket that hears and sends adverts.
#[derive(Debug)]
pub(super) enum Ear {
    V4(VrrpSocket),
    V6(VrrpSocket6),
}

impl Ear {
    /// A socket for a device that exists, which has joined its group.
    pub(super) fn open(kind: Kind, device: &Device, groups: Groups) -> vrrp_netlink::Result<Self> {
        let (name, index) = (&device.name, device.index.unwrap_or_default());
        match kind {
            Kind::V4 => {
                let socket = VrrpSocket::open(name, index, PROTOCOL_VRRP)?;
                socket.join(groups.v4)?;
                Ok(Self::V4(socket))
            }
            Kind::V6 => {
                let socket = VrrpSocket6::open(name, index, PROTOCOL_VRRP)?;
                socket.join(groups.v6)?;
                Ok(Self::V6(socket))
            }
        }
    }

    /// What it is for.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::V4(_) => Kind::V4,
            Self::V6(_) => Kind::V6,
        }
    }

    /// Takes what has arrived into `batch`; how many.
    pub(super) fn receive(&self, batch: &mut Batch) -> vrrp_netlink::Result<usize> {
        match self {
            Self::V4(socket) => socket.receive(batch),
            Self::V6(socket) => socket.receive(batch),
        }
    }

    /// Sends a message of its family; one of another family is not sent.
    pub(super) fn send(&self, message: &Message<'_>) -> vrrp_netlink::Result<()> {
        match (self, message.source, message.destination) {
            (Self::V4(socket), IpAddr::V4(source), IpAddr::V4(destination)) => {
                socket.send(&Ipv4Send { source, destination, protocol: PROTOCOL_VRRP, ttl: TTL }, message.octets)
            }
            (Self::V6(socket), IpAddr::V6(source), IpAddr::V6(destination)) => {
                socket.send(source, destination, message.octets)
            }
            _ => Ok(()),
        }
    }
}

impl AsFd for Ear {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::V4(socket) => socket.as_fd(),
            Self::V6(socket) => socket.as_fd(),
        }
    }
}

/// A datagram as the node takes it.
pub(super) fn input(kind: Kind, interface: InterfaceId, datagram: Datagram<'_>) -> Input<'_> {
    let octets = datagram.bytes;
    match kind {
        Kind::V4 => Input::Datagram { interface, octets },
        Kind::V6 => {
            // Without an envelope nothing is known of it, which no check lets pass.
            let unknown =
                Meta { source: Ipv6Addr::UNSPECIFIED.into(), destination: Ipv6Addr::UNSPECIFIED.into(), ttl: 0 };
            let meta = datagram.envelope.map_or(unknown, |envelope| Meta {
                source: envelope.source.into(),
                destination: envelope.destination.into(),
                ttl: envelope.hop_limit,
            });
            Input::Message { interface, meta, octets }
        }
    }
}
