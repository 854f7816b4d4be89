//! News about interfaces and addresses, and of routes and rules that go, as the kernel sends them.
//!
//! Knows nothing of virtual routers; keeps no state. Open the monitor first, then dump the tables with
//! [`Rtnl`](crate::rtnl::Rtnl), then apply the events: whatever happened in between is told twice rather than never.
//!
//! ```no_run
//! use std::os::fd::AsFd;
//! use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
//! use vrrp_netlink::monitor::{Event, Monitor};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut monitor = Monitor::open()?;
//! let mut events = Vec::new();
//! loop {
//!     poll(&mut [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
//!     monitor.read(&mut events)?;
//!     for event in events.drain(..) {
//!         match event {
//!             Event::Link(link) => println!("{} runs: {}", link.name, link.running),
//!             Event::LinkRemoved { name, .. } => println!("{name} is gone"),
//!             Event::Address(address) => println!("{} is here", address.address),
//!             Event::AddressRemoved(address) => println!("{} is gone", address.address),
//!             Event::RouteRemoved(route) => println!("the route to {} is gone", route.destination),
//!             Event::RuleRemoved(rule) => println!("the rule of priority {:?} is gone", rule.priority),
//!             Event::Overrun => println!("something was missed: discard what is queued, dump links and addresses"),
//!         }
//!     }
//! }
//! # }
//! ```

#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::Socket;

use crate::addresses::Address;
use crate::links::Link;
use crate::routes::Route;
use crate::rtnl::{Body, Garbled, Replies, Reply, transport};
use crate::rules::Rule;
use crate::{Error, Result};

/// The receive buffer of [`Monitor::open`], in bytes.
pub const RECEIVE_BUFFER: usize = 4 << 20;

/// Datagrams that one call of [`Monitor::read`] takes at most, so that a storm of events cannot hold its caller.
pub const READ_LIMIT: usize = 1024;

/// The kernel counts at least this for a datagram, so that no buffer of ours holds more of them.
const LEAST_TRUESIZE: usize = 256;

/// Something that happened to an interface or an address of the namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An interface appeared or changed, or is told again as it was.
    Link(Link),
    /// An interface is gone: deleted, or moved to another namespace.
    LinkRemoved {
        /// Its former index.
        index: u32,
        /// Its former name.
        name: String,
    },
    /// An address appeared or changed.
    Address(Address),
    /// An address is gone.
    AddressRemoved(Address),
    /// A route is gone. Told by [`Monitor::open_with_routes`] only, and not for routes of IPv4 that go because their
    /// interface was switched off or lost an address.
    RouteRemoved(Box<Route>),
    /// A routing rule is gone. Told by [`Monitor::open_with_routes`] only.
    RuleRemoved(Box<Rule>),
    /// Events were lost or could not be read. What is known is out of date, and what is still queued is older than what was
    /// lost: [discard](Monitor::discard) it, then read the tables again with [`Rtnl::links`](crate::rtnl::Rtnl::links) and
    /// [`Rtnl::addresses`](crate::rtnl::Rtnl::addresses).
    Overrun,
}

/// A non-blocking socket that receives the kernel's news about interfaces and addresses.
///
/// It belongs to the network namespace in which it was opened and needs no privilege. Its descriptor is readable when
/// there are events, for a foreign event loop.
pub struct Monitor {
    socket: Socket,
    received: Vec<u8>,
    /// Datagrams that can be queued at most.
    most_queued: usize,
}

impl Monitor {
    /// Opens a monitor with a receive buffer of [`RECEIVE_BUFFER`] bytes, some thousand events.
    pub fn open() -> Result<Self> {
        Self::with_buffer(RECEIVE_BUFFER)
    }

    /// As [`Monitor::open`], and hears of routes and rules that go. On a host with a routing daemon that is a lot of news.
    pub fn open_with_routes() -> Result<Self> {
        let monitor = Self::open()?;
        let groups =
            [libc::RTNLGRP_IPV4_ROUTE, libc::RTNLGRP_IPV6_ROUTE, libc::RTNLGRP_IPV4_RULE, libc::RTNLGRP_IPV6_RULE];
        for group in groups {
            monitor.socket.add_membership(group).map_err(|error| Error::new("open a netlink monitor", error))?;
        }
        Ok(monitor)
    }

    /// Opens a monitor with a receive buffer of `bytes`.
    ///
    /// Without `CAP_NET_ADMIN` the kernel limits it to `net.core.rmem_max`.
    pub fn with_buffer(bytes: usize) -> Result<Self> {
        let open = || {
            let socket = transport::open(bytes)?;
            socket.set_non_blocking(true)?;
            for group in [libc::RTNLGRP_LINK, libc::RTNLGRP_IPV4_IFADDR, libc::RTNLGRP_IPV6_IFADDR] {
                socket.add_membership(group)?;
            }
            Ok(socket)
        };
        let socket = open().map_err(|error: io::Error| Error::new("open a netlink monitor", error))?;
        // The kernel doubles what is asked for, and raises it to a minimum.
        let most_queued = bytes.max(RECEIVE_BUFFER).saturating_mul(2) / LEAST_TRUESIZE;
        Ok(Self { socket, received: transport::buffer(), most_queued })
    }

    /// Appends what has happened since the last call, at most [`READ_LIMIT`] datagrams: when there is more, the
    /// descriptor stays readable.
    ///
    /// What cannot be received or read becomes [`Event::Overrun`]; an error means that the socket is of no more use.
    pub fn read(&mut self, events: &mut Vec<Event>) -> Result<()> {
        for _ in 0..READ_LIMIT {
            match transport::receive(&self.socket, &mut self.received, 0) {
                Ok(()) => parse(&self.received, events),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if overran(&error) => events.push(Event::Overrun),
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    /// Throws away what is queued: after [`Event::Overrun`], and before the tables are read. Applied to those, it would bring
    /// back what was so before the loss.
    ///
    /// It ends also while more keeps coming, which is newer than the call.
    pub fn discard(&mut self) -> Result<()> {
        for _ in 0..self.most_queued {
            match transport::receive(&self.socket, &mut self.received, 0) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if overran(&error) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Appends the events of one datagram; never panics. What makes no sense becomes [`Event::Overrun`].
///
/// ```
/// use vrrp_netlink::monitor::{Event, parse};
/// let mut events = Vec::new();
/// parse(&[0xff; 7], &mut events);
/// assert_eq!(events, [Event::Overrun]);
/// ```
pub fn parse(datagram: &[u8], events: &mut Vec<Event>) {
    for reply in Replies::new(datagram) {
        match reply.and_then(|reply| event(&reply)) {
            Ok(event) => events.extend(event),
            Err(_) => events.push(Event::Overrun),
        }
    }
}

fn event(reply: &Reply<'_>) -> std::result::Result<Option<Event>, Garbled> {
    let Body::Object { kind, payload } = reply.body else {
        return Ok(None);
    };
    Ok(match kind {
        libc::RTM_NEWLINK => Link::read(payload)?.map(Event::Link),
        libc::RTM_DELLINK => Link::read(payload)?.map(|link| Event::LinkRemoved { index: link.index, name: link.name }),
        libc::RTM_NEWADDR => Address::read(payload)?.map(Event::Address),
        libc::RTM_DELADDR => Address::read(payload)?.map(Event::AddressRemoved),
        libc::RTM_DELROUTE => Route::read(payload)?.map(|route| Event::RouteRemoved(Box::new(route))),
        libc::RTM_DELRULE => Rule::read(payload)?.map(|rule| Event::RuleRemoved(Box::new(rule))),
        _ => None,
    })
}

fn failed(error: io::Error) -> Error {
    Error::new("receive from the netlink monitor", error)
}

/// `ENOBUFS`: the receive buffer was full; `InvalidData`: a datagram was cut short.
fn overran(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS) || error.kind() == io::ErrorKind::InvalidData
}
