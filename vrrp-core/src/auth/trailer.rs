//! The 28 octets behind an advertisement that prove who sent it and when (keepalived's `auth_hmac`, from 2.4.2 on;
//! draft-cassen-vrrp-auth-hmac).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------+---------------+-------------------------------+
//! |   Type (1)    |    Key ID     |         Reserved (0)          |
//! +---------------+---------------+-------------------------------+
//! |            Sequence: seconds of the sender's clock            |
//! +-------------------------------+-------------------------------+
//! |      Sequence: 1/65536 s      |       Sequence: counter       |
//! +-------------------------------+-------------------------------+
//! |              HMAC-SHA-256, its first 16 octets                |
//! +---------------------------------------------------------------+
//! ```
//!
//! Signed are: IP version, VRRP version, VRID and source address; the message without its checksum; the first twelve octets of
//! the trailer; and sixteen zeros in the place of the HMAC. Not signed are TTL and destination, which the ladder of
//! [`crate::rx`] checks. Over IPv4 the VRRP checksum ends before the trailer, over IPv6 it covers it.
//!
//! Knows no socket and no clock.

use core::net::IpAddr;
use core::num::NonZeroU16;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::keys::{Key, Keys};
use super::replay::{Replay, after};
use super::{TrailerError, WallClock};
use crate::types::AdvertInterval;

/// Octets of a trailer.
pub const LEN: usize = 28;

const KIND_HMAC_SHA_256: u8 = 1;
const MAC_AT: usize = 12;
const MAC_LEN: usize = LEN - MAC_AT;
const CHECKSUM_AT: usize = 6;
const CHECKSUM_END: usize = 8;

/// Sign what is sent, and what to demand of what is heard. Roll out in the order of [`Mode::ReceiveOnly`],
/// [`Mode::Permissive`], [`Mode::Enforce`]: a router without any of them refuses a trailer by its length.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Mode {
    /// Sign; refuse what is not signed.
    #[default]
    Enforce,
    /// Sign; accept what is not signed, and report it.
    Permissive,
    /// Do not sign; accept what is not signed, and report it.
    ReceiveOnly,
}

/// Seconds by which the sender's clock may differ from ours, 1..=300.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimeWindow(NonZeroU16);

impl TimeWindow {
    /// The widest.
    pub const MAX: u16 = 300;

    /// `None` for 0 and for more than [`TimeWindow::MAX`].
    pub const fn new(seconds: u16) -> Option<Self> {
        match NonZeroU16::new(seconds) {
            Some(value) if value.get() <= Self::MAX => Some(Self(value)),
            Some(_) | None => None,
        }
    }

    /// Three intervals and at least 5 s, at most 300 s: the default.
    pub fn for_interval(interval: AdvertInterval) -> Self {
        let span = interval.duration().saturating_mul(3);
        let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
        let seconds = u16::try_from(seconds).unwrap_or(Self::MAX).clamp(5, Self::MAX);
        Self::new(seconds).unwrap_or(Self(NonZeroU16::MIN))
    }

    /// Seconds.
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

/// What keeps an old packet from being accepted again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AntiReplay {
    /// The sequence must lie within the window around our clock, and be above what was heard of the sender. Needs
    /// synchronised clocks; closed after a restart but for the window.
    Time(TimeWindow),
    /// The sequence must be above what was heard of the sender. Needs no synchronised clocks; after a restart, everything
    /// that was ever recorded is new until its sender is heard.
    Monotonic,
}

/// Configuration of the trailer.
///
/// ```
/// use core::num::NonZeroU8;
/// use vrrp_core::auth::Auth;
/// use vrrp_core::auth::keys::{Key, Keys};
/// use vrrp_core::auth::trailer::{AntiReplay, HmacConfig, Mode, TimeWindow};
/// let id = NonZeroU8::MIN;
/// let keys = Keys::new(&[Key::new(id, &[0x5a; 32])?], id)?;
/// let window = TimeWindow::new(5).expect("1..=300");
/// let auth = Auth::hmac(HmacConfig { keys, mode: Mode::Enforce, anti_replay: AntiReplay::Time(window) });
/// assert!(!format!("{auth:?}").contains("5a"), "the key is not shown");
/// # Ok::<(), vrrp_core::auth::keys::KeyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HmacConfig {
    /// The shared keys.
    pub keys: Keys,
    /// What is demanded.
    pub mode: Mode,
    /// How replays are told.
    pub anti_replay: AntiReplay,
}

/// The trailer of a received message. Its accessors are total.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trailer<'a>(&'a [u8; LEN]);

impl<'a> Trailer<'a> {
    /// Any 28 octets; [`Trailer::kind`] and [`Trailer::reserved`] say whether they are of this format.
    pub const fn new(octets: &'a [u8; LEN]) -> Self {
        Self(octets)
    }

    /// 1 is HMAC-SHA-256, the only one there is.
    pub const fn kind(self) -> u8 {
        self.0[0]
    }

    /// Which key signed.
    pub const fn key_id(self) -> u8 {
        self.0[1]
    }

    /// 0 in this format.
    pub const fn reserved(self) -> u16 {
        u16::from_be_bytes([self.0[2], self.0[3]])
    }

    /// Seconds in the upper half, then 1/65536 s, then a counter. It grows with each message and may wrap (RFC 1982).
    pub fn sequence(self) -> u64 {
        self.0[4..MAC_AT].iter().fold(0, |value, octet| value << 8 | u64::from(*octet))
    }

    /// The sender's clock, Unix seconds.
    pub const fn seconds(self) -> u32 {
        u32::from_be_bytes([self.0[4], self.0[5], self.0[6], self.0[7]])
    }

    /// Whether `key` signed `message` from `source`. Takes the same time whichever octet differs.
    pub fn verify(self, key: &Key, source: IpAddr, message: &[u8]) -> bool {
        let (head, mac) = self.0.split_at(MAC_AT);
        digest(key, source, message, head).is_some_and(|digest| digest.verify_truncated_left(mac).is_ok())
    }

    /// The octets.
    pub const fn octets(self) -> &'a [u8; LEN] {
        self.0
    }
}

/// The trailer of `message`, which is a whole VRRP message without it; its checksum does not matter.
pub fn sign(key: &Key, source: IpAddr, message: &[u8], sequence: u64) -> [u8; LEN] {
    let mut trailer = [0; LEN];
    trailer[0] = KIND_HMAC_SHA_256;
    trailer[1] = key.id().get();
    trailer[4..MAC_AT].copy_from_slice(&sequence.to_be_bytes());
    let (head, mac) = trailer.split_at_mut(MAC_AT);
    if let Some(digest) = digest(key, source, message, head) {
        mac.copy_from_slice(&digest.finalize().into_bytes()[..MAC_LEN]);
    }
    trailer
}

/// What a check that found nothing wrong found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Not signed, and that is allowed.
    Unsigned,
    /// Signed. To be remembered by [`HmacConfig::remember`].
    Authentic {
        sequence: u64,
        /// The clocks differ by more than half the window.
        skewed: bool,
    },
}

impl HmacConfig {
    /// Whether what is sent carries a trailer.
    pub const fn signs(&self) -> bool {
        match self.mode {
            Mode::Enforce | Mode::Permissive => true,
            Mode::ReceiveOnly => false,
        }
    }

    /// The rungs, in this order: there, of this format, in time, of a known key, authentic, new.
    pub(crate) fn check(
        &self,
        replay: &Replay,
        clock: Option<WallClock>,
        source: IpAddr,
        message: &[u8],
        trailer: Option<Trailer<'_>>,
    ) -> Result<Verdict, TrailerError> {
        let Some(trailer) = trailer else {
            return match self.mode {
                Mode::Enforce => Err(TrailerError::Missing),
                Mode::Permissive | Mode::ReceiveOnly => Ok(Verdict::Unsigned),
            };
        };
        let (kind, reserved) = (trailer.kind(), trailer.reserved());
        if kind != KIND_HMAC_SHA_256 || reserved != 0 {
            return Err(TrailerError::Malformed { kind, reserved });
        }
        let skewed = match self.anti_replay {
            AntiReplay::Time(window) => {
                let ours = clock.ok_or(TrailerError::NoClock)?.seconds();
                let theirs = trailer.seconds();
                let apart = apart(ours, theirs);
                if apart > u32::from(window.get()) {
                    return Err(TrailerError::Stale { theirs, ours });
                }
                apart * 2 > u32::from(window.get())
            }
            AntiReplay::Monotonic => false,
        };
        let key = self.keys.find(trailer.key_id()).ok_or(TrailerError::UnknownKey(trailer.key_id()))?;
        if !trailer.verify(key, source, message) {
            return Err(TrailerError::Invalid);
        }
        let sequence = trailer.sequence();
        if !replay.heard.allows(source, sequence, self.alive(clock)) {
            return Err(TrailerError::Replay);
        }
        Ok(Verdict::Authentic { sequence, skewed })
    }

    /// Marks `sequence` as heard.
    pub(crate) fn remember(&self, replay: &mut Replay, clock: Option<WallClock>, source: IpAddr, sequence: u64) {
        replay.heard.enter(source, sequence, self.alive(clock));
    }

    /// Signs the next message. `None` without a clock: a sequence that starts anew would be a replay to the others.
    pub(crate) fn sign(
        &self,
        replay: &mut Replay,
        clock: Option<WallClock>,
        source: IpAddr,
        message: &[u8],
    ) -> Option<[u8; LEN]> {
        let sequence = self.next(replay.sent, clock?);
        replay.sent = Some(sequence);
        Some(sign(self.keys.active(), source, message, sequence))
    }

    /// The clock, or one more than last time where the clock is not ahead of that. With time windows, a clock that was
    /// corrected back by more than the window counts from where it is now, since nobody would hear the old count. Whoever heard
    /// something else in between may refuse it for as long as the window, and no longer.
    fn next(&self, sent: Option<u64>, clock: WallClock) -> u64 {
        let now = u64::from(clock.seconds()) << 32 | u64::from(clock.fraction()) << 16;
        let corrected = |sent: u64| match self.anti_replay {
            AntiReplay::Time(window) => apart(seconds(sent), clock.seconds()) > u32::from(window.get()),
            AntiReplay::Monotonic => false,
        };
        match sent {
            Some(sent) if !after(now, sent) && !corrected(sent) => sent.wrapping_add(1),
            Some(_) | None => now,
        }
    }

    /// With time windows, a mark outside the window bars nobody: what is older is stale anyway, and what is newer was set
    /// by a clock that has been corrected since.
    fn alive(&self, clock: Option<WallClock>) -> impl Fn(u64) -> bool + use<> {
        let window = match (self.anti_replay, clock) {
            (AntiReplay::Time(window), Some(clock)) => Some((clock.seconds(), u32::from(window.get()))),
            (AntiReplay::Time(_), None) | (AntiReplay::Monotonic, _) => None,
        };
        move |mark| window.is_none_or(|(now, window)| apart(seconds(mark), now) <= window)
    }
}

const fn seconds(sequence: u64) -> u32 {
    let [a, b, c, d, ..] = sequence.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// Seconds between two clocks, either way round the circle.
const fn apart(one: u32, other: u32) -> u32 {
    one.wrapping_sub(other).cast_signed().unsigned_abs()
}

/// `None` never happens: HMAC takes keys of any length.
fn digest(key: &Key, source: IpAddr, message: &[u8], head: &[u8]) -> Option<Hmac<Sha256>> {
    let mut pseudo = [0; 20];
    match source {
        IpAddr::V4(source) => {
            pseudo[0] = 4;
            pseudo[4..8].copy_from_slice(&source.octets());
        }
        IpAddr::V6(source) => {
            pseudo[0] = 6;
            pseudo[4..].copy_from_slice(&source.octets());
        }
    }
    pseudo[1] = message.first().map_or(0, |octet| octet >> 4);
    pseudo[2] = message.get(1).copied().unwrap_or(0);
    let (fixed, rest) = message.split_at(message.len().min(CHECKSUM_END));
    let digest = Hmac::<Sha256>::new_from_slice(key.octets()).ok()?;
    Some(
        digest
            .chain_update(pseudo)
            .chain_update(fixed.get(..CHECKSUM_AT).unwrap_or(fixed))
            .chain_update([0; CHECKSUM_END - CHECKSUM_AT])
            .chain_update(rest)
            .chain_update(head)
            .chain_update([0; MAC_LEN]),
    )
}

#[cfg(test)]
mod tests;
