//! VRRP as values.
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::wildcard_enum_match_arm)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod types;

pub use types::{AdvertInterval, Centiseconds, Priority, SimplePassword, Version, Vrid};
