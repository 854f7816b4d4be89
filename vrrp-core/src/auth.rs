//! Authentication of advertisements: what a router may be configured with, what can be wrong with what it hears.
//!
//! | | sent as | protects |
//! |---|---|---|
//! | [`Auth::None`] | type 0 | nothing |
//! | [`Auth::SimpleText`] | type 1, a password in clear (RFC 2338) | against a neighbour's mistake |
#![cfg_attr(
    feature = "auth",
    doc = "| [`Auth::Ah`] | type 2 behind an Authentication Header, VRRPv2 only (RFC 2338, [`ah`]) | against forgery and replay |"
)]
#![cfg_attr(
    feature = "auth",
    doc = "| [`Auth::Hmac`] | a trailer of 28 octets behind the message, both versions ([`trailer`]) | against forgery and replay |"
)]
//!
//! The last two need the feature `auth`. Nothing here reads a clock: the time of day is a value, [`WallClock`].

use core::fmt;
use core::time::Duration;

use crate::types::SimplePassword;
use crate::wire::advert::auth_type;

#[cfg(feature = "auth")]
pub mod ah;
#[cfg(feature = "auth")]
mod held;
#[cfg(feature = "auth")]
pub mod keys;
#[cfg(feature = "auth")]
pub mod replay;
pub(crate) mod session;
#[cfg(feature = "auth")]
pub mod trailer;

#[cfg(feature = "auth")]
pub use held::Held;

/// How a virtual router authenticates what it sends, and what it demands of what it hears.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
#[cfg_attr(not(feature = "alloc"), allow(clippy::large_enum_variant, reason = "there is no heap to put it on"))]
pub enum Auth {
    /// Not at all (authentication type 0 in VRRPv2).
    #[default]
    None,
    /// With a password in clear, VRRPv2 only; ignored in VRRPv3, which has no such field.
    SimpleText(SimplePassword),
    /// With an Authentication Header in front of the message; VRRPv2 only.
    #[cfg(feature = "auth")]
    Ah(ah::AhKey),
    /// With an HMAC-SHA-256 trailer behind the message, in both versions and families.
    #[cfg(feature = "auth")]
    Hmac(Held<trailer::HmacConfig>),
}

impl Auth {
    /// The password that a VRRPv2 message carries in clear.
    pub(crate) const fn simple_text(&self) -> Option<SimplePassword> {
        match self {
            Self::SimpleText(password) => Some(*password),
            Self::None => None,
            #[cfg(feature = "auth")]
            Self::Ah(_) | Self::Hmac(_) => None,
        }
    }

    /// The authentication type that a VRRPv2 message carries.
    pub(crate) const fn kind(&self) -> u8 {
        match self {
            Self::None => auth_type::NONE,
            Self::SimpleText(_) => auth_type::SIMPLE_TEXT,
            #[cfg(feature = "auth")]
            Self::Ah(_) => auth_type::IP_AH,
            #[cfg(feature = "auth")]
            Self::Hmac(_) => auth_type::NONE,
        }
    }

    /// Octets that it adds to a datagram, beside what the message itself has room for.
    pub(crate) const fn overhead(&self) -> usize {
        match self {
            Self::None | Self::SimpleText(_) => 0,
            #[cfg(feature = "auth")]
            Self::Ah(_) => ah::HEADER_LEN,
            #[cfg(feature = "auth")]
            Self::Hmac(_) => trailer::LEN,
        }
    }

    /// The HMAC trailer.
    #[cfg(feature = "auth")]
    #[allow(clippy::large_types_passed_by_value, reason = "it is moved to its place")]
    pub fn hmac(config: trailer::HmacConfig) -> Self {
        Self::Hmac(Held::new(config))
    }
}

/// The time of day: seconds since 1970-01-01 00:00 UTC, in units of 1/65536 s.
///
/// Only authentication uses it. It may step; timers do not see it.
///
/// ```
/// use core::time::Duration;
/// use vrrp_core::auth::WallClock;
/// let clock = WallClock::from_unix(Duration::from_millis(1_744_830_464_500));
/// assert_eq!((clock.seconds(), clock.fraction()), (1_744_830_464, 0x8000));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WallClock(u64);

impl WallClock {
    /// From the time since the Unix epoch. What does not fit is cut off above: 48 bits of seconds.
    pub const fn from_unix(since_epoch: Duration) -> Self {
        let fraction = ((since_epoch.subsec_nanos() as u64) << 16) / 1_000_000_000;
        Self(since_epoch.as_secs() << 16 | fraction)
    }

    /// Whole seconds since the epoch, modulo 2^32, as both formats carry them.
    pub const fn seconds(self) -> u32 {
        let [_, _, a, b, c, d, _, _] = self.0.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// The rest, in 1/65536 s.
    pub const fn fraction(self) -> u16 {
        let [_, _, _, _, _, _, a, b] = self.0.to_be_bytes();
        u16::from_be_bytes([a, b])
    }
}

/// Why the HMAC trailer of an advertisement does not convince.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TrailerError {
    /// There is none, and it is demanded.
    Missing,
    /// There is one, and none is configured here.
    Unexpected,
    /// Neither type 1 nor reserved bits of 0.
    Malformed {
        /// The type octet; 1 is HMAC-SHA-256.
        kind: u8,
        /// The reserved field; 0 in this format.
        reserved: u16,
    },
    /// Signed longer ago than the window, or further in the future.
    Stale {
        /// The sender's clock, Unix seconds.
        theirs: u32,
        /// Ours.
        ours: u32,
    },
    /// Time is checked here, but nobody said what time it is.
    NoClock,
    /// No key of that identifier.
    UnknownKey(u8),
    /// Another key or other octets than were signed.
    Invalid,
    /// Not newer than what was heard from this sender.
    Replay,
}

impl fmt::Display for TrailerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it carries no HMAC trailer, auth_hmac demands one"),
            Self::Unexpected => f.write_str("it carries an HMAC trailer, auth_hmac is not configured here"),
            Self::Malformed { kind, reserved } => {
                write!(f, "malformed HMAC trailer: type {kind}, reserved field {reserved:#06x}, 1 and 0 expected")
            }
            Self::Stale { theirs, ours } => {
                let ahead = theirs.wrapping_sub(*ours).cast_signed();
                let side = if ahead < 0 { "behind" } else { "ahead of" };
                write!(f, "HMAC trailer outside time_window: its clock is {} s {side} ours", ahead.unsigned_abs())
            }
            Self::NoClock => f.write_str("HMAC trailer cannot be checked: the time of day is not known"),
            Self::UnknownKey(id) => write!(f, "HMAC key {id} is not configured"),
            Self::Invalid => f.write_str("HMAC does not fit: another key, or a forged message"),
            Self::Replay => f.write_str("HMAC trailer was used before: a replayed message"),
        }
    }
}

impl core::error::Error for TrailerError {}

/// Why the Authentication Header of an advertisement does not convince.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AhError {
    /// There is none, and it is demanded.
    Missing,
    /// There is one, and none is configured here.
    Unexpected,
    /// Cut short, not of HMAC-MD5-96's length, or not in front of VRRP.
    Malformed,
    /// The security parameters index is not the sender's address.
    Spi(u32),
    /// Another password, or other octets than were signed.
    Invalid,
    /// Not newer than what was heard from this sender.
    Replay {
        /// Its sequence number.
        sequence: u32,
    },
}

impl fmt::Display for AhError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it carries no Authentication Header, auth_type AH demands one"),
            Self::Unexpected => f.write_str("it carries an Authentication Header, auth_type AH is not configured here"),
            Self::Malformed => f.write_str("malformed Authentication Header"),
            Self::Spi(spi) => write!(f, "Authentication Header has SPI {spi:#010x}, its source address expected"),
            Self::Invalid => f.write_str("Authentication Header does not fit: auth_pass differs, or a forged message"),
            Self::Replay { sequence } => {
                write!(f, "Authentication Header's sequence number {sequence} was used before: a replayed message")
            }
        }
    }
}

impl core::error::Error for AhError {}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;
    use crate::rx::Discard;

    #[test]
    fn the_wall_clock_is_cut_into_fields() {
        let at = |secs, nanos| WallClock::from_unix(Duration::new(secs, nanos));
        let fields = |clock: WallClock| (clock.seconds(), clock.fraction());
        assert_eq!(fields(at(0, 0)), (0, 0));
        assert_eq!(fields(at(1, 999_999_999)), (1, 0xffff));
        assert_eq!(fields(at(5, 15_259)), (5, 1), "1/65536 s is 15258.8 ns");
        assert_eq!(fields(at(5, 15_258)), (5, 0));
        assert_eq!(fields(at(0x1_0000_0007, 0)), (7, 0), "modulo 2^32");
        assert_eq!(fields(at(u64::MAX, 0)), (u32::MAX, 0));
        assert!(at(7, 1) <= at(7, 2) && at(7, 999_999_999) < at(8, 0));
    }

    #[test]
    fn every_reason_reads_on_its_own() {
        let trailer = [
            (TrailerError::Missing, "it carries no HMAC trailer, auth_hmac demands one"),
            (TrailerError::Unexpected, "it carries an HMAC trailer, auth_hmac is not configured here"),
            (
                TrailerError::Malformed { kind: 2, reserved: 1 },
                "malformed HMAC trailer: type 2, reserved field 0x0001, 1 and 0 expected",
            ),
            (TrailerError::NoClock, "HMAC trailer cannot be checked: the time of day is not known"),
            (TrailerError::UnknownKey(7), "HMAC key 7 is not configured"),
            (TrailerError::Invalid, "HMAC does not fit: another key, or a forged message"),
            (TrailerError::Replay, "HMAC trailer was used before: a replayed message"),
        ];
        for (reason, text) in trailer {
            assert_eq!(Discard::Trailer(reason).to_string(), text);
        }
        let ah = [
            (AhError::Missing, "it carries no Authentication Header, auth_type AH demands one"),
            (AhError::Unexpected, "it carries an Authentication Header, auth_type AH is not configured here"),
            (AhError::Malformed, "malformed Authentication Header"),
            (AhError::Spi(16), "Authentication Header has SPI 0x00000010, its source address expected"),
            (AhError::Invalid, "Authentication Header does not fit: auth_pass differs, or a forged message"),
            (
                AhError::Replay { sequence: 3 },
                "Authentication Header's sequence number 3 was used before: a replayed message",
            ),
        ];
        for (reason, text) in ah {
            assert_eq!(Discard::Ah(reason).to_string(), text);
        }
    }

    #[test]
    fn a_stale_trailer_names_the_distance() {
        let text = |theirs, ours| TrailerError::Stale { theirs, ours }.to_string();
        assert!(text(90, 100).contains("10 s behind ours"));
        assert!(text(130, 100).contains("30 s ahead of ours"));
        assert!(text(1, u32::MAX).contains("2 s ahead of ours"), "across the wrap");
        assert!(text(100, 100).contains("0 s ahead of ours"));
    }
}
