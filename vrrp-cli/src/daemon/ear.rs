//! The sockets of an interface: one for each way in which adverts travel on it, and one for each family of announcements.
//!
//! Knows how a message is handed to the kernel and taken from it; not what it says.

pub(super) mod guard;
pub(super) mod sieves;

use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};

use vrrp_core::auth::ah::PROTOCOL_AH;
use vrrp_core::node::{Groups, Input, InterfaceId, Message};
use vrrp_core::router::Carriage;
use vrrp_core::rx::Meta;
use vrrp_core::wire::frame::{self, FrameError, GroupFrame};
use vrrp_core::wire::ipv4::PROTOCOL_VRRP;
use vrrp_core::{Auth, Family};
use vrrp_netlink::outbox::Outbox;
use vrrp_netlink::packet::PacketSocket;
use vrrp_netlink::sieve::Sieve;
use vrrp_netlink::socket::{Batch, Datagram, Ipv4Send, VrrpSocket};
use vrrp_netlink::socket6::VrrpSocket6;

use super::claims::ClaimEar;
use super::monitor::Device;

/// What a socket is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Adverts of IPv4 from the current Masters: a queue of their own, which nobody else's fill.
    MastersV4,
    /// The same of IPv6.
    MastersV6,
    /// The same behind an Authentication Header.
    MastersAh,
    /// Adverts of IPv4.
    V4,
    /// Adverts of IPv6.
    V6,
    /// Adverts of IPv4 behind an Authentication Header, which is a protocol of its own.
    Ah,
    /// Announcements of IPv4 addresses.
    Arp,
    /// Announcements of IPv6 addresses.
    Nd,
    /// Not heard: adverts are sent in whole frames, from a MAC address that is not the interface's.
    Frames,
}

/// What is special of an interface on top of another one: others send adverts from its MAC address, too, and those are
/// heard here alone while it is up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Upper {
    /// What it stands on, where the node believes the adverts to arrive.
    pub(super) base: InterfaceId,
    pub(super) mac: [u8; 6],
}

impl Kind {
    /// How many there are.
    pub(super) const COUNT: usize = 9;
    /// Those that hear adverts, in the order in which they are heard.
    pub(super) const ADVERTS: [Self; 6] =
        [Self::MastersV4, Self::MastersV6, Self::MastersAh, Self::V4, Self::V6, Self::Ah];
    /// Those of them that hear everybody, and are sent by.
    pub(super) const GENERAL: [Self; 3] = [Self::V4, Self::V6, Self::Ah];
    /// Those that hear announcements.
    pub(super) const CLAIMS: [Self; 2] = [Self::Arp, Self::Nd];

    /// Its place in tables.
    pub(super) fn index(self) -> usize {
        match self {
            Self::V4 => 0,
            Self::V6 => 1,
            Self::Ah => 2,
            Self::Arp => 3,
            Self::Nd => 4,
            Self::Frames => 5,
            Self::MastersV4 => 6,
            Self::MastersV6 => 7,
            Self::MastersAh => 8,
        }
    }

    /// What a router of this family needs, in order to hear also those who authenticate otherwise.
    pub(super) fn needed(family: Family, auth: &Auth) -> &'static [Self] {
        match (family, auth) {
            (Family::V4, Auth::Ah(_)) => &[Self::V4, Self::Ah, Self::MastersV4, Self::MastersAh],
            (Family::V4, _) => &[Self::V4, Self::MastersV4],
            (Family::V6, _) => &[Self::V6, Self::MastersV6],
        }
    }

    /// What hears announcements of the addresses of a family, where they are served.
    pub(super) fn claims(family: Family) -> Self {
        match family {
            Family::V4 => Self::Arp,
            Family::V6 => Self::Nd,
        }
    }

    /// What this message is sent by.
    pub(super) fn for_message(message: &Message<'_>) -> Self {
        match (message.carriage, message.source) {
            (Carriage::Datagram, _) => Self::Ah,
            (Carriage::Message, IpAddr::V4(_)) => Self::V4,
            (Carriage::Message, IpAddr::V6(_)) => Self::V6,
        }
    }

    /// The family of its adverts; `None` where it hears none.
    pub(super) fn adverts(self) -> Option<Family> {
        match self {
            Self::V4 | Self::Ah | Self::MastersV4 | Self::MastersAh => Some(Family::V4),
            Self::V6 | Self::MastersV6 => Some(Family::V6),
            Self::Arp | Self::Nd | Self::Frames => None,
        }
    }

    /// The one beside it that hears adverts of the current Masters alone.
    pub(super) fn masters(self) -> Option<Self> {
        match self {
            Self::V4 => Some(Self::MastersV4),
            Self::V6 => Some(Self::MastersV6),
            Self::Ah => Some(Self::MastersAh),
            Self::MastersV4 | Self::MastersV6 | Self::MastersAh | Self::Arp | Self::Nd | Self::Frames => None,
        }
    }
}

/// A socket that hears and sends adverts, or hears announcements.
#[derive(Debug)]
pub(super) enum Ear {
    V4(VrrpSocket),
    V6(VrrpSocket6),
    Ah(VrrpSocket),
    MastersV4(VrrpSocket),
    MastersV6(VrrpSocket6),
    MastersAh(VrrpSocket),
    Claims(ClaimEar),
    Frames(PacketSocket, u32),
}

impl Ear {
    /// A socket for a device that exists, which has joined its group, if it has one; one that hears claims hears those to the
    /// addresses that are `served`.
    pub(super) fn open(
        kind: Kind,
        device: &Device,
        (upper, served): (Option<Upper>, &[IpAddr]),
        groups: Groups,
    ) -> vrrp_netlink::Result<Self> {
        let (name, index) = (&device.name, device.index.unwrap_or_default());
        let v4 = |protocol| {
            let socket = VrrpSocket::open(name, index, protocol)?;
            if let Some(upper) = upper {
                socket.hear_only_from(upper.mac)?;
            }
            socket.join(groups.v4)?;
            Ok(socket)
        };
        let v6 = || {
            let socket = VrrpSocket6::open(name, index, PROTOCOL_VRRP)?;
            if let Some(upper) = upper {
                socket.hear_only_from(upper.mac)?;
            }
            socket.join(groups.v6)?;
            Ok(socket)
        };
        let ear = match kind {
            Kind::V4 => v4(PROTOCOL_VRRP).map(Self::V4),
            Kind::Ah => v4(PROTOCOL_AH).map(Self::Ah),
            Kind::V6 => v6().map(Self::V6),
            Kind::MastersV4 => v4(PROTOCOL_VRRP).map(Self::MastersV4),
            Kind::MastersAh => v4(PROTOCOL_AH).map(Self::MastersAh),
            Kind::MastersV6 => v6().map(Self::MastersV6),
            Kind::Arp => ClaimEar::open(Family::V4, device, served).map(Self::Claims),
            Kind::Nd => ClaimEar::open(Family::V6, device, served).map(Self::Claims),
            Kind::Frames => PacketSocket::open().map(|socket| Self::Frames(socket, index)),
        }?;
        if matches!(kind, Kind::MastersV4 | Kind::MastersV6 | Kind::MastersAh) {
            // Until a Master is known the others hear everything.
            ear.sift(&Sieve::nothing(sieves::layout(kind)))?;
        }
        Ok(ear)
    }

    /// Hears only what passes from now on. Does not wait; announcements and frames have no sieve.
    pub(super) fn sift(&self, sieve: &Sieve) -> vrrp_netlink::Result<()> {
        match self {
            Self::V4(socket) | Self::Ah(socket) | Self::MastersV4(socket) | Self::MastersAh(socket) => {
                socket.sift(sieve)
            }
            Self::V6(socket) | Self::MastersV6(socket) => socket.sift(sieve),
            Self::Claims(_) | Self::Frames(..) => Ok(()),
        }
    }

    /// A socket for what other hosts send to this one alone, on whatever interface.
    pub(super) fn open_anywhere(kind: Kind) -> vrrp_netlink::Result<Option<Self>> {
        Ok(Some(match kind {
            Kind::V4 => Self::V4(VrrpSocket::open_anywhere(PROTOCOL_VRRP)?),
            Kind::Ah => Self::Ah(VrrpSocket::open_anywhere(PROTOCOL_AH)?),
            Kind::V6 => Self::V6(VrrpSocket6::open_anywhere(PROTOCOL_VRRP)?),
            Kind::MastersV4 | Kind::MastersV6 | Kind::MastersAh | Kind::Arp | Kind::Nd | Kind::Frames => {
                return Ok(None);
            }
        }))
    }

    /// What it is for.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::V4(_) => Kind::V4,
            Self::V6(_) => Kind::V6,
            Self::Ah(_) => Kind::Ah,
            Self::MastersV4(_) => Kind::MastersV4,
            Self::MastersV6(_) => Kind::MastersV6,
            Self::MastersAh(_) => Kind::MastersAh,
            Self::Claims(ear) => Kind::claims(ear.family),
            Self::Frames(..) => Kind::Frames,
        }
    }

    /// The kernel's number of the interface that it sends by, if it does.
    pub(super) fn interface(&self) -> Option<u32> {
        match self {
            Self::V4(socket) | Self::Ah(socket) => Some(socket.index()),
            Self::V6(socket) => Some(socket.index()),
            Self::MastersV4(_) | Self::MastersV6(_) | Self::MastersAh(_) | Self::Claims(_) | Self::Frames(..) => None,
        }
    }

    /// Takes the adverts that have arrived into `batch`; how many.
    pub(super) fn receive(&self, batch: &mut Batch) -> vrrp_netlink::Result<usize> {
        match self {
            Self::V4(socket) | Self::Ah(socket) | Self::MastersV4(socket) | Self::MastersAh(socket) => {
                socket.receive(batch)
            }
            Self::V6(socket) | Self::MastersV6(socket) => socket.receive(batch),
            Self::Claims(_) | Self::Frames(..) => Ok(0),
        }
    }

    /// What its errors call the interface.
    pub(super) fn place(&self) -> String {
        match self {
            Self::V4(socket) | Self::Ah(socket) | Self::MastersV4(socket) | Self::MastersAh(socket) => {
                socket.interface().to_owned()
            }
            Self::V6(socket) | Self::MastersV6(socket) => socket.interface().to_owned(),
            Self::Claims(_) => String::new(),
            Self::Frames(_, index) => format!("interface {index}"),
        }
    }

    /// Puts a message of its kind among those that it will send; one of another kind is not sent.
    pub(super) fn put<K: Copy + Eq>(
        &self,
        message: &Message<'_>,
        outbox: &mut Outbox<K>,
        key: K,
    ) -> vrrp_netlink::Result<()> {
        match (self, message.source, message.destination) {
            (Self::V4(_), IpAddr::V4(source), IpAddr::V4(destination)) => {
                let header = Ipv4Send { source, destination, protocol: PROTOCOL_VRRP, ttl: message.ttl };
                outbox.put_v4(key, &header, message.octets)
            }
            (Self::V6(socket), IpAddr::V6(source), IpAddr::V6(destination)) => {
                outbox.put_v6(key, socket.index(), (source, destination), message.ttl, message.octets)
            }
            (Self::Ah(_), _, IpAddr::V4(destination)) => outbox.put_datagram(key, destination, message.octets),
            _ => Ok(()),
        }
    }

    /// The same of a message to its group in a frame from this MAC address, which is put together in `buffer`.
    pub(super) fn put_from<K: Copy + Eq>(
        &self,
        mac: [u8; 6],
        message: &Message<'_>,
        outbox: &mut Outbox<K>,
        key: K,
        buffer: &mut [u8],
    ) -> vrrp_netlink::Result<()> {
        let Self::Frames(_, index) = self else { return Ok(()) };
        match framed(mac, message, buffer) {
            Ok(frame) => outbox.put_frame(key, *index, frame),
            Err(error) => {
                let cause = std::io::Error::new(std::io::ErrorKind::InvalidInput, error);
                Err(vrrp_netlink::Error::new("put an advert into a frame", cause))
            }
        }
    }
}

impl AsFd for Ear {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::V4(socket) | Self::Ah(socket) | Self::MastersV4(socket) | Self::MastersAh(socket) => socket.as_fd(),
            Self::V6(socket) | Self::MastersV6(socket) => socket.as_fd(),
            Self::Claims(ear) => ear.socket.as_fd(),
            Self::Frames(socket, _) => socket.as_fd(),
        }
    }
}

/// A message to its group as a frame from this MAC address, in `buffer`.
pub(super) fn framed<'b>(mac: [u8; 6], message: &Message<'_>, buffer: &'b mut [u8]) -> Result<&'b [u8], FrameError> {
    let &Message { source, destination, ttl, carriage, octets, .. } = message;
    let frame = match carriage {
        Carriage::Message => GroupFrame { mac, source, destination, ttl }.emit(octets, buffer),
        Carriage::Datagram => frame::emit_datagram(mac, octets, buffer),
    };
    frame.map(|frame| &*frame)
}

/// An advert as the node takes it.
pub(super) fn input(kind: Kind, interface: InterfaceId, datagram: Datagram<'_>) -> Input<'_> {
    let octets = datagram.bytes;
    match kind {
        Kind::V4 | Kind::Ah | Kind::MastersV4 | Kind::MastersAh | Kind::Arp | Kind::Nd | Kind::Frames => {
            Input::Datagram { interface, octets }
        }
        Kind::V6 | Kind::MastersV6 => {
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
