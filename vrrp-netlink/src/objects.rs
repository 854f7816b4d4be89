//! What a host may have because of a program, as octets that another process, or the same one after a restart, can read: the
//! kernel's own messages, as they would be on a netlink socket.
//!
//! Knows how things are told apart and removed; not why they are there.
//!
//! ```
//! use vrrp_netlink::addresses::Address;
//! use vrrp_netlink::objects::Objects;
//! let mut objects = Objects::default();
//! objects.addresses.push(Address::new(2, [192, 0, 2, 1].into(), 32));
//! let octets = objects.octets();
//! assert_eq!(Objects::read(&octets)?.addresses, objects.addresses);
//! assert!(Objects::read(&octets[1..]).is_err());
//! # Ok::<(), vrrp_netlink::rtnl::Garbled>(())
//! ```

use netlink_packet_route::RouteNetlinkMessage;

use crate::addresses::{self, Address};
use crate::routes::{self, Route};
use crate::rtnl::{Body, Garbled, Replies, Request, encode};
use crate::rules::{self, Rule};

/// Things that can be removed from a host.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Objects {
    /// Addresses: what tells them from others, the rest is not kept.
    pub addresses: Vec<Address>,
    /// Routes, as far as [`Route::read`] reads them.
    pub routes: Vec<Route>,
    /// Rules.
    pub rules: Vec<Rule>,
}

impl Objects {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.routes.is_empty() && self.rules.is_empty()
    }

    /// Takes over those of another, behind its own.
    pub fn append(&mut self, mut other: Self) {
        self.addresses.append(&mut other.addresses);
        self.routes.append(&mut other.routes);
        self.rules.append(&mut other.rules);
    }

    /// One message for each, in the order of the fields.
    pub fn octets(&self) -> Vec<u8> {
        octets(&self.addresses, &self.routes, &self.rules)
    }

    /// What [`Objects::octets`] wrote; never panics. Messages of other kinds are passed over.
    pub fn read(octets: &[u8]) -> Result<Self, Garbled> {
        let mut objects = Self::default();
        for reply in Replies::new(octets) {
            let Body::Object { kind, payload } = reply?.body else { continue };
            match kind {
                libc::RTM_NEWADDR => objects.addresses.extend(Address::read(payload)?),
                libc::RTM_NEWROUTE => objects.routes.extend(Route::read(payload)?),
                libc::RTM_NEWRULE => objects.rules.extend(Rule::read(payload)?),
                _ => {}
            }
        }
        Ok(objects)
    }
}

/// As [`Objects::octets`], of what is elsewhere.
pub fn octets(addresses: &[Address], routes: &[Route], rules: &[Rule]) -> Vec<u8> {
    let mut octets = Vec::new();
    let addresses = addresses.iter().map(|address| RouteNetlinkMessage::NewAddress(addresses::identity(address)));
    let routes = routes.iter().map(|route| RouteNetlinkMessage::NewRoute(routes::write(route)));
    let rules = rules.iter().map(|rule| RouteNetlinkMessage::NewRule(rules::write(rule)));
    for message in addresses.chain(routes).chain(rules) {
        encode(&Request { message, flags: 0 }, 0, 0, &mut octets);
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::NextHop;
    use crate::rules::{Action, Family};

    fn objects() -> Objects {
        let mut peer = Address::new(7, [10, 0, 0, 1].into(), 30);
        peer.peer = Some([10, 0, 0, 2].into());
        let mut route = Route::new([10, 8, 0, 0].into(), 16);
        (route.table, route.metric, route.tos) = (300, Some(7), 8);
        route.protocol = 18;
        route.next_hops = vec![NextHop { index: Some(7), gateway: Some([10, 0, 0, 9].into()), ..NextHop::default() }];
        let mut other = Route::new("2001:db8::".parse().unwrap(), 32);
        let hop = |index| NextHop { index: Some(index), weight: 3, ..NextHop::default() };
        (other.next_hops, other.metric) = (vec![hop(7), hop(9)], Some(1));
        let mut rule = Rule::new(Family::V6, Action::Table(300));
        (rule.priority, rule.from, rule.tos) = (Some(1000), Some(("2001:db8::".parse().unwrap(), 32)), 16);
        Objects {
            addresses: vec![
                Address::new(2, [192, 0, 2, 1].into(), 32),
                peer,
                Address::new(7, "fe80::1".parse().unwrap(), 128),
            ],
            routes: vec![route, other],
            rules: vec![rule],
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let objects = objects();
        let mut read = Objects::read(&objects.octets()).unwrap();
        // Not what tells them apart.
        read.addresses.iter_mut().for_each(|address| address.options = crate::addresses::Options::default());
        read.routes.iter_mut().for_each(|route| route.next_hops.iter_mut().for_each(|hop| hop.onlink = false));
        assert_eq!(read, objects);
        assert!(Objects::default().octets().is_empty() && Objects::read(&[]).unwrap().is_empty());
    }

    /// A file may have been cut, or be full of anything.
    #[test]
    fn garbage_is_an_error_or_less_and_never_a_panic() {
        let octets = objects().octets();
        let whole = Objects::read(&octets).unwrap();
        for cut in 0..octets.len() {
            if let Ok(read) = Objects::read(&octets[..cut]) {
                assert_ne!(read, whole, "cut at {cut}");
            }
        }
        for place in 0..octets.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut damaged = octets.clone();
                damaged[place] = value;
                let _ = Objects::read(&damaged);
            }
        }
    }
}
