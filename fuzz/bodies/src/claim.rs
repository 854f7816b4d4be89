//! Octets as an Ethernet frame in which a host claims an address, and back.

use std::net::IpAddr;

use vrrp_core::checksum::Checksum;
use vrrp_core::wire::arp::{ArpFrame, GratuitousArp};
use vrrp_core::wire::claim::Claim;
use vrrp_core::wire::nd::{AdvertisementFrame, FRAME_LEN, NeighbourAdvertisement};

const CHECKSUM: std::ops::Range<usize> = 56..58;
const ADDRESSES: std::ops::Range<usize> = 22..54;
const MESSAGE: usize = 54;

/// `data` as a frame, as it is and with the checksum of a neighbour advertisement put right.
pub fn claim(data: &[u8]) {
    frame(data);
    if data.len() < CHECKSUM.end {
        return;
    }
    let mut mended = data.to_vec();
    // Padding behind the message is not summed; a frame that says another length is refused anyway.
    let len = usize::from(u16::from_be_bytes([data[18], data[19]])).min(data.len() - MESSAGE);
    mended[CHECKSUM].fill(0);
    let [a, b, c, d] = u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes();
    let sum = Checksum::default().with(&mended[ADDRESSES]).with(&[a, b, c, d, 0, 0, 0, 58]);
    let sum = sum.with(&mended[MESSAGE..][..len]).finish().to_be_bytes();
    mended[CHECKSUM].copy_from_slice(&sum);
    frame(&mended);
}

fn frame(octets: &[u8]) {
    let (arp, heard) = (ArpFrame::parse(octets), AdvertisementFrame::parse(octets));
    assert!(arp.is_none() || heard.is_none(), "a frame is of one kind");
    let Some(claim) = Claim::parse(octets) else { return };
    assert!(arp.is_some() || heard.is_some());
    assert!(claim.mac[0] & 1 == 0 && !claim.address.is_unspecified());
    let mut buffer = [0xaa; FRAME_LEN];
    let told = match claim.address {
        IpAddr::V4(address) => GratuitousArp { mac: claim.mac, address }.emit(&mut buffer),
        IpAddr::V6(address) => NeighbourAdvertisement { mac: claim.mac, address, router: true }.emit(&mut buffer),
    };
    let told = Claim::parse(told.expect("it fits")).expect("what is sent can be read");
    assert_eq!(told, Claim { gratuitous: true, ..claim });
}
