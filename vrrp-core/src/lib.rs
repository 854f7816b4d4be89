//! VRRP as values. Knows octets, parameters and spans of time; not sockets, clocks, threads, logs, files or Linux.
// The front page embeds a Node, whose examples need an allocator.
#![cfg_attr(feature = "alloc", doc = include_str!("../README.md"))]
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::wildcard_enum_match_arm)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, feature = "sim"))]
extern crate std;

pub mod announce;
pub mod auth;
pub mod checksum;
pub mod conflict;
pub mod counters;
pub mod fsm;
#[cfg(feature = "alloc")]
pub mod node;
pub mod notification;
pub mod release;
pub mod rise_fall;
pub mod router;
pub mod rx;
#[cfg(feature = "sim")]
pub mod sim;
pub mod sync;
pub mod timed;
pub mod track;
pub mod types;
pub mod wire;

pub use auth::{Auth, WallClock};
pub use counters::{Counter, Counters, Scope};
pub use types::{
    AddressError, AddressList, AdvertInterval, Centiseconds, Family, FirstAddress, Priority, SimplePassword, Version,
    Vrid,
};
