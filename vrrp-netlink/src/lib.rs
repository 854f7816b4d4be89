//! Linux back ends for VRRP: sockets, addresses, links and namespaces.
#![cfg_attr(not(target_os = "linux"), allow(unused, reason = "only the error below is built elsewhere"))]

#[cfg(not(target_os = "linux"))]
compile_error!("vrrp-netlink drives the Linux kernel; build it for a Linux target, or embed vrrp-core alone");

mod error;
mod sys;

pub mod addresses;
pub mod capabilities;
pub mod links;
pub mod monitor;
pub mod namespace;
pub mod neighbour;
pub mod packet;
pub mod process;
pub mod process_events;
pub mod routes;
pub mod rtnl;
pub mod rules;
pub mod socket;
pub mod socket6;
pub mod sysctl;

#[cfg(test)]
mod testing;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use error::Error;

/// Result of a request to the kernel.
pub type Result<T> = std::result::Result<T, Error>;
