//! ARP (RFC 826): the gratuitous one that tells a LAN which MAC has an address now (RFC 3768 section 6.4.2), written and
//! read.
//!
//! The form is a request with sender = target: Linux takes it at once, whereas a reply whose target MAC is broadcast
//! waits for a second behind a recent entry.

use core::net::Ipv4Addr;

use super::{BufferTooSmall, lay};

/// Octets of the Ethernet frame, without padding and check sequence.
pub const FRAME_LEN: usize = 42;

const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
/// Of Ethernet and IPv4, with addresses of 6 and 4 octets.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];
const ETHERTYPE_AT: usize = 12;
const KIND_AT: usize = 14;
const SENDER_MAC_AT: usize = 22;
const SENDER_AT: usize = 28;
const TARGET_AT: usize = 38;

/// An ARP packet of Ethernet and IPv4, in its frame; request or reply.
///
/// ```
/// use vrrp_core::wire::arp::{ArpFrame, FRAME_LEN, GratuitousArp};
/// let mut buffer = [0; FRAME_LEN];
/// let frame = GratuitousArp { mac: [0x02, 0, 0, 0, 0, 1], address: [10, 0, 0, 3].into() }.emit(&mut buffer)?;
/// let arp = ArpFrame::parse(frame).expect("it is one");
/// assert!(arp.is_gratuitous());
/// # Ok::<(), vrrp_core::wire::BufferTooSmall>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArpFrame<'f>(&'f [u8; FRAME_LEN]);

impl<'f> ArpFrame<'f> {
    /// `None` for another kind of frame and for one that is cut; padding behind it does not matter.
    pub fn parse(frame: &'f [u8]) -> Option<Self> {
        let octets = frame.first_chunk()?;
        let frame = Self(octets);
        (frame.field(ETHERTYPE_AT) == ETHERTYPE_ARP && frame.field(KIND_AT) == ETHERNET_IPV4).then_some(frame)
    }

    /// The MAC address that the sender says it has.
    pub fn sender_mac(self) -> [u8; 6] {
        self.field(SENDER_MAC_AT)
    }

    /// The address that the sender says it has; unspecified in a probe (RFC 5227 section 2.1.1).
    pub fn sender(self) -> Ipv4Addr {
        Ipv4Addr::from(self.field::<4>(SENDER_AT))
    }

    /// The address that is asked for, or that is told.
    pub fn target(self) -> Ipv4Addr {
        Ipv4Addr::from(self.field::<4>(TARGET_AT))
    }

    /// Whether it announces the sender's own address.
    pub fn is_gratuitous(self) -> bool {
        self.sender() == self.target()
    }

    /// The octets at `at`; all constants above lie within the frame.
    fn field<const N: usize>(self, at: usize) -> [u8; N] {
        self.0.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
    }
}

/// An announcement that `address` is at `mac`.
///
/// ```
/// use vrrp_core::wire::arp::{FRAME_LEN, GratuitousArp};
/// let arp = GratuitousArp { mac: [0x02, 0, 0, 0, 0, 1], address: [10, 0, 0, 3].into() };
/// let mut buffer = [0; FRAME_LEN];
/// assert_eq!(arp.emit(&mut buffer)?.len(), FRAME_LEN);
/// # Ok::<(), vrrp_core::wire::BufferTooSmall>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GratuitousArp {
    /// The MAC address that clients shall use.
    pub mac: [u8; 6],
    /// The virtual address.
    pub address: Ipv4Addr,
}

impl GratuitousArp {
    /// Writes the Ethernet frame, broadcast and from [`GratuitousArp::mac`] itself, into the front of `buffer`.
    pub fn emit<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], BufferTooSmall> {
        self.emit_from(self.mac, buffer)
    }

    /// The same from another host's MAC address: the sender tells who else has the address. The frame's source stays its
    /// own, lest switches look for [`GratuitousArp::mac`] here.
    pub fn emit_from<'b>(&self, source: [u8; 6], buffer: &'b mut [u8]) -> Result<&'b mut [u8], BufferTooSmall> {
        const BROADCAST: [u8; 6] = [0xff; 6];
        const REQUEST: [u8; 2] = [0, 1];
        let have = buffer.len();
        let frame = buffer.get_mut(..FRAME_LEN).ok_or(BufferTooSmall { need: FRAME_LEN, have })?;
        let address = self.address.octets();
        let mac = &self.mac;
        let fields: [&[u8]; 9] =
            [&BROADCAST, &source, &ETHERTYPE_ARP, &ETHERNET_IPV4, &REQUEST, mac, &address, &BROADCAST, &address];
        lay(frame, &fields);
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_is_a_broadcast_request_with_sender_equal_to_target() {
        let mut buffer = [0xaa; 50];
        let frame = GratuitousArp { mac: [2, 0, 0, 0, 0, 9], address: [10, 0, 0, 3].into() }.emit(&mut buffer).unwrap();
        #[rustfmt::skip]
        assert_eq!(*frame, [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 0x08, 0x06,
            0, 1, 8, 0, 6, 4, 0, 1,
            2, 0, 0, 0, 0, 9, 10, 0, 0, 3,
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 10, 0, 0, 3,
        ]);
    }

    #[test]
    fn another_host_is_named_without_its_mac_as_the_source() {
        let mut buffer = [0; 42];
        let arp = GratuitousArp { mac: [2, 0, 0, 0, 0, 9], address: [10, 0, 0, 3].into() };
        let frame = arp.emit_from([2, 0, 0, 0, 0, 8], &mut buffer).unwrap();
        assert_eq!(frame[6..12], [2, 0, 0, 0, 0, 8]);
        assert_eq!(ArpFrame::parse(frame).unwrap().sender_mac(), [2, 0, 0, 0, 0, 9]);
        let mut own = [0; 42];
        arp.emit(&mut own).unwrap();
        assert_eq!((&frame[..6], &frame[12..]), (&own[..6], &own[12..]));
    }

    #[test]
    fn a_reply_to_somebody_is_read_and_is_not_gratuitous() {
        #[rustfmt::skip]
        let frame = [
            2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x08, 0x06,
            0, 1, 8, 0, 6, 4, 0, 2,
            2, 0, 0, 0, 0, 9, 10, 0, 0, 3,
            2, 0, 0, 0, 0, 1, 10, 0, 0, 4,
            0, 0, 0, 0,
        ];
        let arp = ArpFrame::parse(&frame).unwrap();
        assert_eq!((arp.sender_mac(), arp.sender()), ([2, 0, 0, 0, 0, 9], [10, 0, 0, 3].into()));
        assert_eq!(arp.target(), Ipv4Addr::from([10, 0, 0, 4]));
        assert!(!arp.is_gratuitous());
        for len in 0..FRAME_LEN {
            assert_eq!(ArpFrame::parse(&frame[..len]), None, "{len}");
        }
        for at in 12..20 {
            let mut other = frame;
            other[at] ^= 1;
            assert_eq!(ArpFrame::parse(&other), None, "{at}");
        }
    }

    #[test]
    fn a_short_buffer_is_refused() {
        let arp = GratuitousArp { mac: [0; 6], address: [10, 0, 0, 3].into() };
        assert_eq!(arp.emit(&mut [0; 41]), Err(BufferTooSmall { need: 42, have: 41 }));
    }
}
