//! Adverts on their way out: those of one turn are put together and leave in one system call for each socket.
//!
//! Knows which socket a message belongs to; not when a router speaks, nor what follows from it.

use std::collections::VecDeque;
use std::time::Instant;

use vrrp_core::fsm::Advertise;
use vrrp_core::node::{InterfaceId, Node, RouterId};
use vrrp_core::router::MAX_EMITTED;
use vrrp_core::wire::frame::MAX_HEADERS;
use vrrp_netlink::outbox::Outbox;

use super::ear::{Ear, Kind};

/// Adverts that are put together at most: a tick of half the identifiers that one interface can have.
const MOST: usize = 128;
/// Octets of an advert and the headers that are written by us, where it has few addresses.
const USUAL: usize = 64;

/// What the election thread speaks with.
pub(super) struct Mouth {
    /// By router: the MAC address that its multicast adverts come from, unless it is their interface's.
    macs: Vec<Option<[u8; 6]>>,
    outbox: Outbox<(usize, Kind)>,
    message: Box<[u8]>,
    frame: Box<[u8]>,
    /// Of the adverts of this turn, in order: whether there was one.
    said: VecDeque<bool>,
}

impl Mouth {
    pub(super) fn new(node: &Node<Instant>, macs: Vec<Option<[u8; 6]>>) -> Self {
        let recipients: usize = node.routers().map(|router| node.recipients(router)).sum();
        Self {
            macs,
            outbox: Outbox::new(recipients.min(MOST), USUAL),
            message: vec![0; MAX_EMITTED].into(),
            frame: vec![0; MAX_EMITTED + MAX_HEADERS].into(),
            said: VecDeque::new(),
        }
    }

    /// The MAC address that a router's multicast adverts come from, unless it is their interface's.
    pub(super) fn mac(&self, router: RouterId) -> Option<[u8; 6]> {
        self.macs.get(router.index()).copied().flatten()
    }

    /// Puts what a router says to each of its recipients among what leaves next. `ear` knows the sockets by interface.
    pub(super) fn put<'e>(
        &mut self,
        node: &mut Node<Instant>,
        (router, advertise): (RouterId, Advertise),
        ear: impl Fn(usize, Kind) -> Option<&'e Ear>,
        mut failed: impl FnMut(&vrrp_netlink::Error),
    ) {
        let mac = self.mac(router);
        for recipient in 0..node.recipients(router) {
            let Ok(message) = node.message_to(router, recipient, advertise, &mut self.message) else {
                return self.said.push_back(false);
            };
            if !self.outbox.is_empty() && !self.outbox.has_room(message.octets.len() + MAX_HEADERS) {
                send(&mut self.outbox, &ear, &mut failed);
            }
            let mac = mac.filter(|_| message.destination.is_multicast());
            let kind = if mac.is_some() { Kind::Frames } else { Kind::for_message(&message) };
            let key = (index_of(message.interface), kind);
            let Some(socket) = ear(key.0, kind) else { continue };
            let put = match mac {
                Some(mac) => socket.put_from(mac, &message, &mut self.outbox, key, &mut self.frame),
                None => socket.put(&message, &mut self.outbox, key),
            };
            if let Err(error) = put {
                failed(&error);
            }
        }
        self.said.push_back(true);
    }

    /// As [`Mouth::put`] of a router that must not speak.
    pub(super) fn hold_back(&mut self) {
        self.said.push_back(false);
    }

    /// Sends what was put together. Whoever is refused keeps nobody else back.
    pub(super) fn send<'e>(
        &mut self,
        ear: impl Fn(usize, Kind) -> Option<&'e Ear>,
        mut failed: impl FnMut(&vrrp_netlink::Error),
    ) {
        send(&mut self.outbox, &ear, &mut failed);
    }

    /// Whether the next advert, in the order of [`Mouth::put`], was one; each is asked for once.
    pub(super) fn was_said(&mut self) -> bool {
        self.said.pop_front().unwrap_or(false)
    }
}

fn send<'e>(
    outbox: &mut Outbox<(usize, Kind)>,
    ear: &impl Fn(usize, Kind) -> Option<&'e Ear>,
    failed: &mut impl FnMut(&vrrp_netlink::Error),
) {
    outbox.send(
        |(interface, kind)| ear(interface, kind),
        |(interface, kind), error| {
            failed(&error.on(ear(interface, kind).map(Ear::place).unwrap_or_default()));
        },
    );
}

/// An interface's place in tables.
pub(super) fn index_of(interface: InterfaceId) -> usize {
    usize::try_from(interface.0).unwrap_or(usize::MAX)
}
