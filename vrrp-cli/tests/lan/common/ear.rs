//! What arrives at an interface, as frames, and which addresses they announce.
//!
//! Knows frames of ARP and of neighbour advertisements; nothing of when they ought to come.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use vrrp_cli::lab::Host;
use vrrp_netlink::packet::{Accept, Filter, PacketSocket};
use vrrp_netlink::rtnl::Rtnl;

pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const ARP: u16 = 0x0806;
pub(crate) const IPV6: u16 = 0x86dd;

/// What says where addresses are.
pub(crate) const ANNOUNCEMENTS: &[(u16, Accept)] = &[(ARP, Accept::Arp), (IPV6, Accept::NeighbourAdvertisement)];

/// In a frame: its source, its kind.
const SOURCE: usize = 6;
const KIND: usize = 12;
/// In ARP over Ethernet: the sender's protocol address, and the target's.
const SENDER: usize = 28;
const ASKED: usize = 38;
/// In a neighbour advertisement over Ethernet: the next header, its type, its flags, the target.
const NEXT_HEADER: usize = 20;
const ICMP6_TYPE: usize = 54;
const FLAGS: usize = 58;
const SOLICITED: u8 = 0x40;
const TARGET: usize = 62;

/// Hears frames at an interface and notes when it did. It is told of few kinds, lest others take the room of those that count.
pub(crate) struct Ear {
    sockets: Vec<PacketSocket>,
    frames: Vec<(Instant, Vec<u8>)>,
}

impl Ear {
    pub(crate) fn new(host: &Host, interface: &str, kinds: &[(u16, Accept)]) -> Self {
        let open = || {
            let index = Rtnl::open()?.link(interface)?.expect("the interface").index;
            let listen = |&(ethertype, kind): &(u16, Accept)| {
                PacketSocket::listen_to(index, ethertype, &Filter::accepting(&[kind]))
            };
            kinds.iter().map(listen).collect()
        };
        let sockets: vrrp_netlink::Result<_> = host.namespace().run(open).expect("the namespace");
        Self { sockets: sockets.expect("packet sockets"), frames: Vec::new() }
    }

    /// All frames so far, those of each kind in order.
    pub(crate) fn frames(&mut self) -> impl Iterator<Item = &Vec<u8>> {
        self.hear();
        self.frames.iter().map(|(_, frame)| frame)
    }

    /// When `address` was announced.
    pub(crate) fn times(&mut self, address: &str) -> Vec<Instant> {
        self.hear();
        let announces = |(_, frame): &&(Instant, Vec<u8>)| announced(frame).is_some_and(|known| known == address);
        self.frames.iter().filter(announces).map(|(at, _)| *at).collect()
    }

    /// How often `address` was announced so far.
    pub(crate) fn count(&mut self, address: &str) -> usize {
        self.times(address).len()
    }

    /// The same by frames from `mac`.
    pub(crate) fn count_from(&mut self, mac: [u8; 6], address: &str) -> usize {
        let from = |frame: &&Vec<u8>| frame[SOURCE..KIND] == mac;
        self.frames().filter(from).filter(|frame| announced(frame).is_some_and(|known| known == address)).count()
    }

    fn hear(&mut self) {
        let mut buffer = [0; 2048];
        for socket in &self.sockets {
            while let Some(len) = socket.receive(&mut buffer).expect("a socket can be read") {
                self.frames.push((Instant::now(), buffer[..len].to_vec()));
            }
        }
    }
}

/// The Ethernet type of a frame.
pub(crate) fn ethertype(frame: &[u8]) -> u16 {
    u16::from_be_bytes([frame[KIND], frame[KIND + 1]])
}

/// The address that a frame announces.
fn announced(frame: &[u8]) -> Option<String> {
    match ethertype(frame) {
        ARP => {
            let sender: [u8; 4] = frame.get(SENDER..SENDER + 4)?.try_into().ok()?;
            let asked: [u8; 4] = frame.get(ASKED..ASKED + 4)?.try_into().ok()?;
            (sender == asked).then(|| Ipv4Addr::from(sender).to_string())
        }
        IPV6 if frame.get(NEXT_HEADER) == Some(&58) && frame.get(ICMP6_TYPE) == Some(&136) => {
            if frame.get(FLAGS)? & SOLICITED != 0 {
                return None;
            }
            let target: [u8; 16] = frame.get(TARGET..TARGET + 16)?.try_into().ok()?;
            Some(Ipv6Addr::from(target).to_string())
        }
        _ => None,
    }
}
