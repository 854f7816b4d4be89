//! The shared keys of the HMAC trailer: several, each with an identifier, one of them for sending.
//!
//! Roll-over without a gap: give every router the new key, make it active everywhere, then take the old one away. Knows
//! no file and no text; keys arrive as octets.

use core::fmt;
use core::num::NonZeroU8;

/// One key: an identifier 1..=255 and 32 to 64 octets. Not shown by `Debug`.
///
/// ```
/// use core::num::NonZeroU8;
/// use vrrp_core::auth::keys::{Key, KeyError};
/// let id = NonZeroU8::MIN;
/// assert!(Key::new(id, &[7; 32]).is_ok());
/// assert_eq!(Key::new(id, b"too short").err(), Some(KeyError::Length(9)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key {
    id: NonZeroU8,
    len: u8,
    octets: [u8; Self::MAX_LEN],
}

impl Key {
    /// The shortest key: as strong as the hash.
    pub const MIN_LEN: usize = 32;
    /// The longest key: one block of the hash.
    pub const MAX_LEN: usize = 64;

    /// Checks the length.
    pub fn new(id: NonZeroU8, key: &[u8]) -> Result<Self, KeyError> {
        let mut octets = [0; Self::MAX_LEN];
        match (octets.get_mut(..key.len()), u8::try_from(key.len())) {
            (Some(front), Ok(len)) if key.len() >= Self::MIN_LEN => {
                front.copy_from_slice(key);
                Ok(Self { id, len, octets })
            }
            _ => Err(KeyError::Length(key.len())),
        }
    }

    /// The identifier that a trailer carries.
    pub const fn id(&self) -> NonZeroU8 {
        self.id
    }

    pub(super) fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or(&self.octets)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, ..)", self.id)
    }
}

/// One to [`Keys::MAX`] keys of different identifiers, and which of them signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keys {
    active: Key,
    others: [Option<Key>; Self::MAX - 1],
}

impl Keys {
    /// How many keys a router can hold: the old one, the new one, and as many again.
    pub const MAX: usize = 4;

    /// Checks the set. An `active` key that is not in it is an error: a router that was told to sign never runs unsigned.
    pub fn new(keys: &[Key], active: NonZeroU8) -> Result<Self, KeyError> {
        if keys.len() > Self::MAX {
            return Err(KeyError::TooMany(keys.len()));
        }
        for (i, key) in keys.iter().enumerate() {
            if keys.iter().take(i).any(|earlier| earlier.id == key.id) {
                return Err(KeyError::Duplicate(key.id));
            }
        }
        let signing = *keys.iter().find(|key| key.id == active).ok_or(KeyError::UndefinedActive(active))?;
        let mut others = [None; Self::MAX - 1];
        for (slot, key) in others.iter_mut().zip(keys.iter().filter(|key| key.id != active)) {
            *slot = Some(*key);
        }
        Ok(Self { active: signing, others })
    }

    /// The key that signs.
    pub const fn active(&self) -> &Key {
        &self.active
    }

    /// The key of an identifier from the wire.
    pub fn find(&self, id: u8) -> Option<&Key> {
        core::iter::once(&self.active).chain(self.others.iter().flatten()).find(|key| key.id.get() == id)
    }
}

/// Why keys are refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyError {
    /// Octets of a key that has not 32 to 64 of them.
    Length(usize),
    /// More keys than [`Keys::MAX`].
    TooMany(usize),
    /// Two keys with one identifier.
    Duplicate(NonZeroU8),
    /// No key has the identifier that is to sign.
    UndefinedActive(NonZeroU8),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(len) => {
                write!(f, "the key has {len} octets, {} to {} are needed", Key::MIN_LEN, Key::MAX_LEN)
            }
            Self::TooMany(count) => write!(f, "{count} keys, {} at most", Keys::MAX),
            Self::Duplicate(id) => write!(f, "key {id} is defined twice"),
            Self::UndefinedActive(id) => write!(f, "active_key {id} is not defined: nothing could be signed"),
        }
    }
}

impl core::error::Error for KeyError {}

#[cfg(test)]
mod tests {
    use std::format;
    use std::vec::Vec;

    use super::*;

    fn id(id: u8) -> NonZeroU8 {
        NonZeroU8::new(id).unwrap()
    }

    fn key(number: u8) -> Key {
        Key::new(id(number), &[number; 40]).unwrap()
    }

    #[test]
    fn only_32_to_64_octets_make_a_key() {
        let octets = [5; 70];
        for len in 0..70 {
            let key = Key::new(id(9), &octets[..len]);
            if (32..=64).contains(&len) {
                assert_eq!(key.unwrap().octets(), &octets[..len]);
            } else {
                assert_eq!(key, Err(KeyError::Length(len)));
            }
        }
        assert_eq!(Key::new(id(9), &[5; 300]), Err(KeyError::Length(300)));
    }

    #[test]
    fn every_key_is_found_by_its_identifier_and_one_signs() {
        let all = [key(3), key(1), key(255), key(7)];
        for active in all {
            let keys = Keys::new(&all, active.id()).unwrap();
            assert_eq!(keys.active(), &active);
            for one in all {
                assert_eq!(keys.find(one.id().get()), Some(&one));
            }
            assert_eq!(keys.find(0), None);
            assert_eq!(keys.find(2), None);
        }
    }

    #[test]
    fn what_could_not_sign_is_refused() {
        assert_eq!(Keys::new(&[], id(1)), Err(KeyError::UndefinedActive(id(1))));
        assert_eq!(Keys::new(&[key(1)], id(2)), Err(KeyError::UndefinedActive(id(2))));
        assert_eq!(Keys::new(&[key(1), key(2), key(1)], id(1)), Err(KeyError::Duplicate(id(1))));
        let five: Vec<Key> = (1..=5).map(key).collect();
        assert_eq!(Keys::new(&five, id(1)), Err(KeyError::TooMany(5)));
    }

    #[test]
    fn every_refusal_says_what_is_wrong() {
        let text = |error: KeyError| format!("{error}");
        assert_eq!(text(KeyError::Length(9)), "the key has 9 octets, 32 to 64 are needed");
        assert_eq!(text(KeyError::TooMany(5)), "5 keys, 4 at most");
        assert_eq!(text(KeyError::Duplicate(id(3))), "key 3 is defined twice");
        assert_eq!(text(KeyError::UndefinedActive(id(3))), "active_key 3 is not defined: nothing could be signed");
    }

    #[test]
    fn debug_keeps_the_secret() {
        let keys = Keys::new(&[key(201)], id(201)).unwrap();
        let text = format!("{keys:?}");
        assert!(text.contains("Key(201, ..)"), "{text}");
        assert!(!text.replace("Key(201", "").contains("201"), "{text}");
    }
}
