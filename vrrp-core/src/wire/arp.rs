//! Gratuitous ARP (RFC 826, RFC 3768 section 6.4.2): the frame that tells a LAN which MAC has an address now.
//!
//! The form is a request with sender = target: Linux takes it at once, whereas a reply whose target MAC is broadcast
//! waits for a second behind a recent entry.

use core::net::Ipv4Addr;

use super::BufferTooSmall;

/// Octets of the Ethernet frame, without padding and check sequence.
pub const FRAME_LEN: usize = 42;

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
    /// The MAC address that clients shall use; also the frame's source.
    pub mac: [u8; 6],
    /// The virtual address.
    pub address: Ipv4Addr,
}

impl GratuitousArp {
    /// Writes the Ethernet frame, broadcast, into the front of `buffer`.
    pub fn emit<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], BufferTooSmall> {
        const BROADCAST: [u8; 6] = [0xff; 6];
        const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
        // Ethernet, IPv4, address lengths 6 and 4, request.
        const ARP_HEAD: [u8; 8] = [0, 1, 0x08, 0x00, 6, 4, 0, 1];
        let have = buffer.len();
        let frame = buffer.get_mut(..FRAME_LEN).ok_or(BufferTooSmall { need: FRAME_LEN, have })?;
        let address = self.address.octets();
        let fields: [&[u8]; 8] =
            [&BROADCAST, &self.mac, &ETHERTYPE_ARP, &ARP_HEAD, &self.mac, &address, &BROADCAST, &address];
        let mut rest = &mut frame[..];
        for field in fields {
            let (head, tail) = rest.split_at_mut(field.len());
            head.copy_from_slice(field);
            rest = tail;
        }
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
    fn a_short_buffer_is_refused() {
        let arp = GratuitousArp { mac: [0; 6], address: [10, 0, 0, 3].into() };
        assert_eq!(arp.emit(&mut [0; 41]), Err(BufferTooSmall { need: 42, have: 41 }));
    }
}
