//! Linux back ends for VRRP: sockets, addresses, links and namespaces.
//!
//! Each module is of use alone, and begins with an example. What waits for something can be waited for by any event loop: it
//! never blocks and implements [`AsFd`](std::os::fd::AsFd).
//!
//! | readable when | read with | until |
//! |---|---|---|
//! | adverts arrived: [`VrrpSocket`](socket::VrrpSocket), [`VrrpSocket6`](socket6::VrrpSocket6) | `receive` into a [`Batch`](socket::Batch) | it returns fewer than the batch holds |
//! | frames arrived: [`PacketSocket`](packet::PacketSocket) | `receive` | it returns `None` |
//! | the same, before a firewall looks at them: [`DatagramEar`](packet::DatagramEar) | `receive` into a [`Batch`](socket::Batch) | the same as adverts |
//! | interfaces, addresses, routes or rules changed: [`Monitor`](monitor::Monitor) | `read` | a bounded part was read; the rest keeps it readable |
//! | processes began or ended: [`ProcessEvents`](process_events::ProcessEvents) | `read` | the same |
//! | a table of nftables changed: [`Watch`](firewall::Watch) | `read` | the same |
//! | a neighbour may have answered: [`Question`](neighbour::Question) | `answer` | it returns `None` |
//! | another thread woke this one: [`Wakeup`](process::Wakeup) | `clear` | it was called once |
//! | a child ended: [`exit_descriptor`](process::exit_descriptor) | the child's own `wait` | |
//!
//! Requests to the kernel ([`Rtnl`](rtnl::Rtnl)) are answered within the call. A loop of somebody else's, epoll here:
//!
//! ```no_run
//! use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
//! use vrrp_netlink::monitor::Monitor;
//! use vrrp_netlink::socket::{Batch, VrrpSocket};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (socket, mut monitor) = (VrrpSocket::open("eth0", 2, 112)?, Monitor::open()?);
//! let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
//! epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
//! epoll.add(&monitor, EpollEvent::new(EpollFlags::EPOLLIN, 1))?;
//! let (mut ready, mut batch, mut events) = ([EpollEvent::empty(); 2], Batch::new(64, 256), Vec::new());
//! loop {
//!     let count = epoll.wait(&mut ready, EpollTimeout::NONE)?;
//!     for event in &ready[..count] {
//!         match event.data() {
//!             0 => drop(socket.receive(&mut batch)?),
//!             _ => monitor.read(&mut events)?,
//!         }
//!     }
//!     println!("{} adverts", batch.iter().len());
//!     println!("{} changes", events.drain(..).count());
//! }
//! # }
//! ```
//!
//! `examples/failover.rs` is a whole service in sixty lines: this crate, `vrrp-core`, one loop, a virtual address.

#[cfg(not(target_os = "linux"))]
compile_error!("vrrp-netlink drives the Linux kernel; build it for a Linux target, or embed vrrp-core alone");

#[cfg(target_os = "linux")]
mod error;
#[cfg(target_os = "linux")]
mod sys;

#[cfg(target_os = "linux")]
pub mod addresses;
#[cfg(target_os = "linux")]
pub mod capabilities;
#[cfg(target_os = "linux")]
pub mod firewall;
#[cfg(target_os = "linux")]
pub mod guardian;
#[cfg(target_os = "linux")]
pub mod isolation;
#[cfg(target_os = "linux")]
pub mod links;
#[cfg(target_os = "linux")]
pub mod membership;
#[cfg(target_os = "linux")]
pub mod monitor;
#[cfg(target_os = "linux")]
pub mod namespace;
#[cfg(target_os = "linux")]
pub mod neighbour;
#[cfg(target_os = "linux")]
pub mod objects;
#[cfg(target_os = "linux")]
pub mod outbox;
#[cfg(target_os = "linux")]
pub mod packet;
#[cfg(target_os = "linux")]
pub mod process;
#[cfg(target_os = "linux")]
pub mod process_events;
#[cfg(target_os = "linux")]
pub mod routes;
#[cfg(target_os = "linux")]
pub mod rtnl;
#[cfg(target_os = "linux")]
pub mod rules;
#[cfg(target_os = "linux")]
pub mod sender;
#[cfg(target_os = "linux")]
pub mod sieve;
#[cfg(target_os = "linux")]
pub mod socket;
#[cfg(target_os = "linux")]
pub mod socket6;
#[cfg(target_os = "linux")]
pub mod sysctl;
#[cfg(target_os = "linux")]
pub mod upper;

#[cfg(test)]
#[cfg(target_os = "linux")]
mod testing;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

#[cfg(all(doctest, target_os = "linux"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(target_os = "linux")]
pub use error::Error;

/// Result of a request to the kernel.
#[cfg(target_os = "linux")]
pub type Result<T> = std::result::Result<T, Error>;
