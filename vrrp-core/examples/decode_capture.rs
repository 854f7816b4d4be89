//! A table of the advertisements in a capture file, and why the others would be dropped.
//!
//! `cargo run --example decode_capture -- vrrp-core/tests/vectors/tcpdump/vrrp.pcap`
#![allow(clippy::print_stdout, reason = "the table is what the example is for")]

use std::error::Error;
use std::net::IpAddr;

use etherparse::{LaxNetSlice, LaxSlicedPacket};
use pcap_parser::{LegacyPcapReader, PcapBlockOwned, PcapError, traits::PcapReaderIterator};
use vrrp_core::Priority;
use vrrp_core::node::Groups;
use vrrp_core::rx::{Meta, Received, Rejected};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: decode_capture FILE.pcap")?;
    let file = std::fs::File::open(&path).map_err(|error| format!("{path}: {error}"))?;
    let mut reader = LegacyPcapReader::new(1 << 16, file).map_err(|error| format!("{path}: {error}"))?;
    println!("{:>5} {:<24} {:>2} {:>4} {:>4} {:>8}  addresses", "frame", "source", "v", "vrid", "prio", "interval");
    let mut number = 0;
    loop {
        match reader.next() {
            Ok((used, block)) => {
                if let PcapBlockOwned::Legacy(block) = block {
                    number += 1;
                    println!("{number:>5} {}", row(block.data));
                }
                reader.consume(used);
            }
            Err(PcapError::Eof) => return Ok(()),
            Err(PcapError::Incomplete(_)) => reader.refill().map_err(|error| format!("{path}: {error}"))?,
            Err(error) => return Err(format!("{path}: {error}").into()),
        }
    }
}

fn row(frame: &[u8]) -> String {
    let Ok(packet) = LaxSlicedPacket::from_ethernet(frame) else { return "not Ethernet".into() };
    let outcome = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let start = ip.header().slice().as_ptr().addr() - frame.as_ptr().addr();
            described(Received::check_datagram(&frame[start..], Groups::default().v4))
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            let meta = Meta {
                source: IpAddr::V6(header.source_addr()),
                destination: IpAddr::V6(header.destination_addr()),
                ttl: header.hop_limit(),
            };
            described(Received::check(&meta, ip.payload().payload, Groups::default().v6.into()))
        }
        Some(LaxNetSlice::Arp(_)) => Err("ARP".into()),
        None => Err("neither IPv4 nor IPv6".into()),
    };
    outcome.unwrap_or_else(|reason| format!("dropped: {reason}"))
}

fn described(received: Result<Received<'_>, Rejected>) -> Result<String, String> {
    let Received { source, advert, .. } = received.map_err(|rejected| rejected.reason.to_string())?;
    let addresses: Vec<String> = advert.addresses().map(|address| address.to_string()).collect();
    let interval = advert.interval().map_or("?".into(), |interval| interval.to_string());
    let priority = advert.priority().map_or(0, Priority::get);
    let (version, vrid) = (advert.version(), advert.vrid_octet());
    Ok(format!("{source:<24} {version:>2} {vrid:>4} {priority:>4} {interval:>8}  {}", addresses.join(", ")))
}
