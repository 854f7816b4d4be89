//! What one virtual router knows of authentication besides its configuration: the time of day, the number it sent last,
//! what it heard. Empty without the feature `auth`.

use core::net::IpAddr;

use super::{Auth, WallClock};
use crate::router::EmitError;
use crate::rx::{Discard, Notices, Received};
use crate::wire::advert::AdvertRepr;
#[cfg(feature = "auth")]
use crate::{
    auth::{AhError, Held, TrailerError, ah, replay::Replay, trailer, trailer::HmacConfig, trailer::Verdict},
    wire::BufferTooSmall,
    wire::advert::{auth_type, cover_trailer},
};

/// Changes with every packet that is signed or found authentic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Session {
    #[cfg(feature = "auth")]
    clock: Option<WallClock>,
    /// Where the configuration needs it.
    #[cfg(feature = "auth")]
    replay: Option<Held<Replay>>,
}

/// An advertisement that its sender need not prove, or has proved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Proof {
    pub(crate) notices: Notices,
    /// To be remembered: the trailer's sequence.
    #[cfg(feature = "auth")]
    sequence: Option<u64>,
}

impl Proof {
    const UNNEEDED: Self = Self {
        notices: Notices::empty(),
        #[cfg(feature = "auth")]
        sequence: None,
    };
}

#[cfg(not(feature = "auth"))]
#[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "the same signatures as with the feature")]
impl Session {
    pub(crate) fn new(_: &Auth) -> Self {
        Self {}
    }

    pub(crate) fn set_clock(&mut self, _: WallClock) {}

    pub(crate) fn is_numbered(&self) -> bool {
        false
    }

    pub(crate) fn check(&self, _: &Auth, _: &Received<'_>) -> Result<Proof, Discard> {
        Ok(Proof::UNNEEDED)
    }

    pub(crate) fn remember(&mut self, _: &Auth, _: &Received<'_>, _: Proof) {}

    pub(crate) fn emit<'b>(
        &mut self,
        auth: &Auth,
        repr: &AdvertRepr<'_>,
        ends: (IpAddr, IpAddr),
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], EmitError> {
        self.draft(auth, repr, ends, buffer)
    }

    pub(crate) fn draft<'b>(
        &self,
        _: &Auth,
        repr: &AdvertRepr<'_>,
        (source, destination): (IpAddr, IpAddr),
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], EmitError> {
        repr.emit(source, destination, buffer).map_err(EmitError::Buffer)
    }
}

#[cfg(feature = "auth")]
impl Session {
    pub(crate) fn new(auth: &Auth) -> Self {
        let replay = match auth {
            Auth::None | Auth::SimpleText(_) => None,
            Auth::Ah(_) | Auth::Hmac(_) => Some(Held::new(Replay::default())),
        };
        Self { clock: None, replay }
    }

    pub(crate) fn set_clock(&mut self, now: WallClock) {
        self.clock = Some(now);
    }

    pub(crate) fn is_numbered(&self) -> bool {
        self.replay.is_some()
    }

    /// Whether the sender knows our key and says something new. Changes nothing.
    pub(crate) fn check(&self, auth: &Auth, received: &Received<'_>) -> Result<Proof, Discard> {
        match (auth, received.ah) {
            (Auth::Ah(_), None) => return Err(Discard::Ah(AhError::Missing)),
            (Auth::None | Auth::SimpleText(_) | Auth::Hmac(_), Some(_)) => {
                return Err(Discard::Ah(AhError::Unexpected));
            }
            (Auth::Ah(_), Some(_)) | (Auth::None | Auth::SimpleText(_) | Auth::Hmac(_), None) => {}
        }
        if received.trailer.is_some() && !matches!(auth, Auth::Hmac(_)) {
            return Err(Discard::Trailer(TrailerError::Unexpected));
        }
        match (auth, received.ah, self.replay.as_deref()) {
            (Auth::Ah(key), Some(packet), Some(replay)) => {
                ah::check(*key, replay, &packet, received.arrival).map_err(Discard::Ah)?;
                Ok(Proof::UNNEEDED)
            }
            (Auth::Hmac(config), _, Some(replay)) => {
                let message = received.advert.octets();
                let verdict = config.check(replay, self.clock, received.source, message, received.trailer);
                Ok(match verdict.map_err(Discard::Trailer)? {
                    Verdict::Unsigned => Proof { notices: Notices::UNSIGNED, sequence: None },
                    Verdict::Authentic { sequence, skewed } => Proof {
                        notices: if skewed { Notices::CLOCK_SKEW } else { Notices::empty() },
                        sequence: Some(sequence),
                    },
                })
            }
            _ => Ok(Proof::UNNEEDED),
        }
    }

    /// What is authentic is marked as heard, whatever else is wrong with it.
    pub(crate) fn remember(&mut self, auth: &Auth, received: &Received<'_>, proof: Proof) {
        let Some(replay) = &mut self.replay else { return };
        match (auth, received.ah, proof.sequence) {
            (Auth::Ah(_), Some(packet), _) => ah::remember(replay, &packet),
            (Auth::Hmac(config), _, Some(sequence)) => {
                config.remember(replay, self.clock, received.source, sequence);
            }
            _ => {}
        }
    }

    /// Writes what `repr` says into the front of `buffer`, with what `auth` adds. Where that cannot be added, nothing is sent.
    pub(crate) fn emit<'b>(
        &mut self,
        auth: &Auth,
        repr: &AdvertRepr<'_>,
        ends: (IpAddr, IpAddr),
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], EmitError> {
        let clock = self.clock;
        emit(auth, self.replay.as_deref_mut(), clock, repr, ends, buffer)
    }

    /// As [`Session::emit`], for a message that may never go out: its number is not taken.
    pub(crate) fn draft<'b>(
        &self,
        auth: &Auth,
        repr: &AdvertRepr<'_>,
        ends: (IpAddr, IpAddr),
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], EmitError> {
        let mut replay = self.replay.as_deref().map(|replay| Replay { sent: replay.sent, ..Replay::default() });
        emit(auth, replay.as_mut(), self.clock, repr, ends, buffer)
    }
}

#[cfg(feature = "auth")]
fn emit<'b>(
    auth: &Auth,
    replay: Option<&mut Replay>,
    clock: Option<WallClock>,
    repr: &AdvertRepr<'_>,
    ends: (IpAddr, IpAddr),
    buffer: &'b mut [u8],
) -> Result<&'b mut [u8], EmitError> {
    match (auth, replay) {
        (Auth::Ah(key), Some(replay)) => seal(*key, replay, clock, repr, ends, buffer),
        (Auth::Hmac(config), Some(replay)) if config.signs() => sign(config, replay, clock, repr, ends, buffer),
        _ => repr.emit(ends.0, ends.1, buffer).map_err(EmitError::Buffer),
    }
}

/// The message in a datagram with an Authentication Header.
#[cfg(feature = "auth")]
fn seal<'b>(
    key: ah::AhKey,
    replay: &mut Replay,
    clock: Option<WallClock>,
    repr: &AdvertRepr<'_>,
    ends: (IpAddr, IpAddr),
    buffer: &'b mut [u8],
) -> Result<&'b mut [u8], EmitError> {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = ends else { return Err(EmitError::Unsigned) };
    let datagram = front(buffer, ah::OVERHEAD + repr.message_len())?;
    let (_, message) = datagram.split_at_mut(ah::OVERHEAD);
    repr.emit_as(auth_type::IP_AH, ends.0, ends.1, message).map_err(EmitError::Buffer)?;
    let sequence = ah::next(replay, clock);
    if ah::seal(key, source, destination, sequence, datagram) { Ok(datagram) } else { Err(EmitError::Unsigned) }
}

/// The message and its trailer.
#[cfg(feature = "auth")]
fn sign<'b>(
    config: &HmacConfig,
    replay: &mut Replay,
    clock: Option<WallClock>,
    repr: &AdvertRepr<'_>,
    (source, destination): (IpAddr, IpAddr),
    buffer: &'b mut [u8],
) -> Result<&'b mut [u8], EmitError> {
    let octets = front(buffer, repr.message_len() + trailer::LEN)?;
    let (message, behind) = octets.split_at_mut(repr.message_len());
    repr.emit(source, destination, message).map_err(EmitError::Buffer)?;
    behind.copy_from_slice(&config.sign(replay, clock, source, message).ok_or(EmitError::Unsigned)?);
    if source.is_ipv6() {
        cover_trailer(octets, source, destination);
    }
    Ok(octets)
}

#[cfg(feature = "auth")]
fn front(buffer: &mut [u8], need: usize) -> Result<&mut [u8], EmitError> {
    let have = buffer.len();
    buffer.get_mut(..need).ok_or(EmitError::Buffer(BufferTooSmall { need, have }))
}

#[cfg(test)]
mod tests;
