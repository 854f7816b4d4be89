//! Octets on the wire and the values they carry, in both directions, without a copy on the way in.
//!
//! A view is checked once and has total accessors; a small value is written into the caller's buffer. Knows nothing of
//! what a router does with an advertisement.

pub mod advert;
pub mod arp;
pub mod claim;
pub mod frame;
pub mod ipv4;
pub mod ipv6;
pub mod nd;

use core::fmt;

/// The caller's buffer is shorter than what is to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BufferTooSmall {
    /// Octets that are needed.
    pub need: usize,
    /// Octets that the buffer has.
    pub have: usize,
}

impl fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the buffer has {} octets and {} are needed", self.have, self.need)
    }
}

impl core::error::Error for BufferTooSmall {}

/// The big-endian 16-bit field at `at`; 0 where the slice is too short, which the callers' length checks exclude.
fn be16(octets: &[u8], at: usize) -> u16 {
    match octets.get(at..at + 2) {
        Some(&[high, low]) => u16::from_be_bytes([high, low]),
        _ => 0,
    }
}

/// The octet at `at`; 0 where the slice is too short, which the callers' length checks exclude.
fn octet(octets: &[u8], at: usize) -> u8 {
    octets.get(at).copied().unwrap_or(0)
}

/// Writes the fields of a frame one behind the other into the front of `frame`, which has room for them.
fn lay(frame: &mut [u8], fields: &[&[u8]]) {
    let mut rest = frame;
    for field in fields {
        let Some((head, tail)) = rest.split_at_mut_checked(field.len()) else { return };
        head.copy_from_slice(field);
        rest = tail;
    }
}
