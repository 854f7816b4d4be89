//! Asking a LAN whether a neighbour is there: one ARP request (RFC 826) or neighbour solicitation (RFC 4861), and its answer.
//!
//! By packet socket, so that the answer comes from the wire and not from the kernel's memory. Knows nothing of routers.
//!
//! ```no_run
//! use std::time::Duration;
//! use vrrp_netlink::neighbour::Question;
//! use vrrp_netlink::process::wait_readable;
//! use vrrp_netlink::rtnl::Rtnl;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let link = Rtnl::open()?.link("eth0")?.ok_or("no such interface")?;
//! let mac = link.mac.ok_or("not an Ethernet")?;
//! let question = Question::ask(link.index, mac, "192.0.2.1".parse()?, "192.0.2.254".parse()?)?;
//! while wait_readable(&question, Some(Duration::from_secs(1)))? {
//!     if let Some(mac) = question.answer()? {
//!         println!("it is there, at {mac:02x?}");
//!         break;
//!     }
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};

use crate::packet::{Accept, Filter, PacketSocket};
use crate::{Error, Result};

const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const BROADCAST: [u8; 6] = [0xff; 6];
const REQUEST: u16 = 1;
const REPLY: u16 = 2;
/// Of Ethernet and IPv4, with addresses of 6 and 4 octets.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];
const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

const ARP_OPERATION_AT: usize = 20;
const ARP_SENDER_AT: usize = 28;
const ICMPV6_AT: usize = 54;
const ICMPV6_TARGET_AT: usize = 62;
const IPV6_HOP_LIMIT_AT: usize = 21;

/// Answers that one look takes at most, so that a storm cannot hold the caller.
const READ_LIMIT: usize = 64;

/// A question that was asked, and the socket that hears the answer. Its descriptor is readable when something came.
#[derive(Debug)]
pub struct Question {
    socket: PacketSocket,
    target: IpAddr,
}

impl Question {
    /// Asks by the interface `index`, whose Ethernet address is `mac`, who has `target`. `source` is the address of the
    /// asker, of the same family; an unspecified one is enough for IPv4.
    ///
    /// Fails without `CAP_NET_RAW`, and when the interface is down.
    pub fn ask(index: u32, mac: [u8; 6], source: IpAddr, target: IpAddr) -> Result<Self> {
        let (ethertype, accept) = match target {
            IpAddr::V4(_) => (ETHERTYPE_ARP, Accept::Arp),
            IpAddr::V6(_) => (ETHERTYPE_IPV6, Accept::NeighbourAdvertisement),
        };
        let frame = match (source, target) {
            (IpAddr::V4(source), IpAddr::V4(target)) => request(mac, source, target),
            (IpAddr::V6(source), IpAddr::V6(target)) => solicitation(mac, source, target),
            _ => {
                let mixed = io::Error::new(ErrorKind::InvalidInput, "the addresses are of different families");
                return Err(Error::new("ask for a neighbour", mixed));
            }
        };
        let socket = PacketSocket::listen_to(index, ethertype, &Filter::accepting(&[accept]))?;
        socket.send(index, &frame)?;
        Ok(Self { socket, target })
    }

    /// The Ethernet address in the answer; `None` while there is none.
    pub fn answer(&self) -> Result<Option<[u8; 6]>> {
        let mut frame = [0; 128];
        for _ in 0..READ_LIMIT {
            let Some(length) = self.socket.receive(&mut frame)? else { return Ok(None) };
            let frame = frame.get(..length).unwrap_or_default();
            let answered = match self.target {
                IpAddr::V4(target) => answers_request(frame, target),
                IpAddr::V6(target) => answers_solicitation(frame, target),
            };
            if answered {
                return Ok(frame.get(6..).and_then(|source| source.first_chunk()).copied());
            }
        }
        Ok(None)
    }
}

impl AsFd for Question {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn request(mac: [u8; 6], source: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let ethertype = ETHERTYPE_ARP.to_be_bytes();
    let parts: [&[u8]; 9] = [
        &BROADCAST,
        &mac,
        &ethertype,
        &ETHERNET_IPV4,
        &REQUEST.to_be_bytes(),
        &mac,
        &source.octets(),
        &[0; 6],
        &target.octets(),
    ];
    parts.concat()
}

fn answers_request(frame: &[u8], target: Ipv4Addr) -> bool {
    at(frame, ARP_OPERATION_AT) == Some(REPLY.to_be_bytes()) && at(frame, ARP_SENDER_AT) == Some(target.octets())
}

fn solicitation(mac: [u8; 6], source: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    const LENGTH: u8 = 32;
    let [.., a, b, c] = target.octets();
    // The solicited-node group of the target (RFC 4291 section 2.7.1), and its Ethernet address (RFC 2464 section 7).
    let group = Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]);
    let mut message = [&[SOLICITATION, 0, 0, 0, 0, 0, 0, 0][..], &target.octets(), &[1, 1], &mac].concat();
    let pseudo = [&source.octets()[..], &group.octets(), &[0, 0, 0, LENGTH, 0, 0, 0, ICMPV6]].concat();
    let sum = checksum(&[pseudo, message.clone()].concat());
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&sum);
    }
    let header = [0x60, 0, 0, 0, 0, LENGTH, ICMPV6, 255];
    let parts: [&[u8]; 7] = [
        &[0x33, 0x33, 0xff, a, b, c],
        &mac,
        &ETHERTYPE_IPV6.to_be_bytes(),
        &header,
        &source.octets(),
        &group.octets(),
        &message,
    ];
    parts.concat()
}

fn answers_solicitation(frame: &[u8], target: Ipv6Addr) -> bool {
    // Hop limit 255: nobody behind a router said it (RFC 4861 section 7.1.2).
    at(frame, IPV6_HOP_LIMIT_AT) == Some([255])
        && at(frame, ICMPV6_AT) == Some([ADVERTISEMENT])
        && at(frame, ICMPV6_TARGET_AT) == Some(target.octets())
}

fn at<const N: usize>(frame: &[u8], offset: usize) -> Option<[u8; N]> {
    frame.get(offset..)?.first_chunk().copied()
}

/// RFC 1071, of an even number of octets.
fn checksum(octets: &[u8]) -> [u8; 2] {
    let (words, _) = octets.as_chunks::<2>();
    let mut sum: u32 = words.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let [.., high, low] = (!sum).to_be_bytes();
    [high, low]
}
