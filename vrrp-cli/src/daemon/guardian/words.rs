//! The last words of the routers: their releases, written as soon as they become Master, and sent by the guardian should the
//! working process be unable to.
//!
//! Knows datagrams and where they go; not when a router speaks.

use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use vrrp_core::fsm::{Advertise, Link, Params};
use vrrp_core::node::{Message, Node, RouterId};
use vrrp_core::release::Release;
use vrrp_core::router::{Carriage, MAX_EMITTED};
use vrrp_core::wire::frame::MAX_HEADERS;
use vrrp_core::wire::ipv4::PROTOCOL_VRRP;
use vrrp_netlink::packet::PacketSocket;
use vrrp_netlink::sender::Sender;

use super::super::ear;
use super::Bequest;

/// What stands behind a header.
mod kind {
    /// A message, which needs an IP header.
    pub(super) const MESSAGE: u8 = 0;
    /// A whole IPv4 datagram.
    pub(super) const DATAGRAM: u8 = 1;
    /// A whole Ethernet frame, from a virtual MAC address.
    pub(super) const FRAME: u8 = 2;
}

/// In front of each message, datagram or frame: kind, TTL, its length, interface, source, destination.
const HEADER: usize = 40;
/// Octets of an advert besides its addresses: header, password, trailer, the headers in front of a signed one, and those of a
/// frame.
const AROUND: usize = 8 + 8 + 28 + 44 + MAX_HEADERS;

/// A busy host may be so late when a release ends.
const LETTING_GO: Duration = Duration::from_millis(500);

/// The election thread's side.
pub(in crate::daemon) struct LastWords {
    bequest: Bequest,
    /// By router: what its last word was made from. `None` while it is not Master, or when it must be made anew each time.
    made_from: Vec<Option<(Link, Params)>>,
    /// The last words of one router, while they are put together.
    octets: Vec<u8>,
    buffer: Box<[u8]>,
    frame: Box<[u8]>,
}

/// The guardian's way to the LAN: sockets that hear nothing.
pub(super) struct Mouth {
    sender: Sender,
    frames: PacketSocket,
}

impl LastWords {
    pub(in crate::daemon) fn new(bequest: Bequest, routers: usize) -> Self {
        let (buffer, frame) = (vec![0; MAX_EMITTED].into(), vec![0; MAX_EMITTED + MAX_HEADERS].into());
        Self { bequest, made_from: vec![None; routers], octets: Vec::new(), buffer, frame }
    }

    /// Octets that a router's last word may take.
    pub(in crate::daemon) fn room(node: &Node<Instant>, router: RouterId) -> usize {
        let addresses = node.router(router).map_or(&[][..], |router| router.addresses());
        let list: usize = addresses.iter().map(|address| if address.is_ipv4() { 4 } else { 16 }).sum();
        node.recipients(router) * (HEADER + AROUND + list)
    }

    /// A router sent a claim at `at`. `mac` is where its messages to the group come from, unless it is their interface's; `index` the
    /// kernel's number of the interface that a message leaves by.
    pub(in crate::daemon) fn claimed(
        &mut self,
        node: &Node<Instant>,
        router: RouterId,
        at: Instant,
        mac: Option<[u8; 6]>,
        index: impl Fn(&Message<'_>) -> Option<u32>,
    ) {
        if !self.bequest.is_read() {
            return;
        }
        self.bequest.sent(router.index(), at);
        let (Some(known), Some(made_from)) = (node.router(router), self.made_from.get_mut(router.index())) else {
            return;
        };
        let from = (known.machine().link, known.machine().params);
        if *made_from == Some(from) {
            return;
        }
        self.octets.clear();
        let mut alike = !known.is_numbered();
        for recipient in 0..node.recipients(router) {
            let Ok(message) = node.draft_to(router, recipient, Advertise::Release, &mut self.buffer) else { continue };
            // What a peer is sent may change with what it sends.
            alike &= message.destination.is_multicast();
            let Some(index) = index(&message) else { continue };
            match mac.filter(|_| message.destination.is_multicast()) {
                None => write_message(&message, index, &mut self.octets),
                Some(mac) => {
                    if let Ok(frame) = ear::framed(mac, &message, &mut self.frame) {
                        write(kind::FRAME, &message, index, frame, &mut self.octets);
                    }
                }
            }
        }
        self.bequest.leave_words(router.index(), &self.octets);
        self.bequest.promise(
            router.index(),
            known.master_down_interval(),
            known.machine().params.interval.duration() * 3,
        );
        *made_from = Some(from).filter(|_| alike);
    }

    /// A router said its release at `at`. What it goes on serving until others do, it must have let go of in time; then
    /// [`LastWords::silent`] follows.
    pub(in crate::daemon) fn released(&mut self, node: &Node<Instant>, router: RouterId, at: Instant) {
        self.silent(router);
        if let Some(known) = node.router(router).filter(|_| self.bequest.is_read() && node.is_releasing(router)) {
            self.bequest.sent(router.index(), at);
            let patience = Release::longest(known.machine().params).saturating_add(LETTING_GO);
            // It has said its last word.
            self.bequest.promise(router.index(), patience, Duration::ZERO);
        }
    }

    /// A router is not Master, and has said so if it could.
    pub(in crate::daemon) fn silent(&mut self, router: RouterId) {
        if let Some(made_from) = self.made_from.get_mut(router.index()) {
            *made_from = None;
            self.bequest.silent(router.index());
        }
    }
}

impl Mouth {
    pub(super) fn open() -> vrrp_netlink::Result<Self> {
        Ok(Self { sender: Sender::open()?, frames: PacketSocket::open()? })
    }

    /// Says last words; how many messages went out. What makes no sense is not sent.
    pub(super) fn say(&self, words: &[u8]) -> usize {
        let mut rest = words;
        let mut sent = 0;
        while let Some((header, behind)) = rest.split_first_chunk::<HEADER>() {
            let [kind, ttl, a, b, index @ ..] = header;
            let (index, ends) = index.split_at(4);
            let len = usize::from(u16::from_be_bytes([*a, *b]));
            let Some((octets, behind)) = behind.split_at_checked(len) else { break };
            rest = behind;
            let index = index.try_into().map_or(0, u32::from_be_bytes);
            let (source, destination) = ends.split_at(16);
            let (source, destination) = (address(source), address(destination));
            let outcome = match (*kind, destination) {
                (kind::MESSAGE, _) => self.sender.send(index, (source, destination), PROTOCOL_VRRP, *ttl, octets),
                (kind::DATAGRAM, IpAddr::V4(destination)) => self.sender.send_datagram(index, destination, octets),
                (kind::FRAME, _) => self.frames.send(index, octets),
                _ => continue,
            };
            sent += usize::from(outcome.is_ok());
        }
        sent
    }
}

fn write_message(message: &Message<'_>, index: u32, octets: &mut Vec<u8>) {
    let kind = match message.carriage {
        Carriage::Message => kind::MESSAGE,
        Carriage::Datagram => kind::DATAGRAM,
    };
    write(kind, message, index, message.octets, octets);
}

fn write(kind: u8, message: &Message<'_>, index: u32, content: &[u8], octets: &mut Vec<u8>) {
    octets.extend([kind, message.ttl]);
    octets.extend(u16::try_from(content.len()).unwrap_or(0).to_be_bytes());
    octets.extend(index.to_be_bytes());
    for end in [message.source, message.destination] {
        octets.extend(mapped(end).octets());
    }
    octets.extend_from_slice(content);
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn address(octets: &[u8]) -> IpAddr {
    let octets: [u8; 16] = octets.try_into().unwrap_or_default();
    Ipv6Addr::from(octets).to_canonical()
}
