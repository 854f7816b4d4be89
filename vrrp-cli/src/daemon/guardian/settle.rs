//! What the guardian does in the place of a process that cannot: the last words first, then whatever it held is removed.
//!
//! Knows no router by name.

use std::convert::identity;
use std::fs;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use vrrp_netlink::addresses::{Address, Change};
use vrrp_netlink::namespace::Namespace;
use vrrp_netlink::objects::Objects;
use vrrp_netlink::rtnl::Rtnl;

use super::super::kernel;
use super::will::Will;
use super::words::Mouth;

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Datagrams that went out.
    pub(super) said: usize,
    /// Addresses that are gone.
    pub(super) removed: Vec<IpAddr>,
    /// What is still there, or could not be done.
    pub(super) failed: Vec<String>,
}

/// The guardian's own way to the LAN and to the kernel, opened before anything happens.
pub(super) struct Means {
    mouth: Mouth,
    rtnl: Rtnl,
}

impl Means {
    fn open() -> vrrp_netlink::Result<Self> {
        Ok(Self { mouth: Mouth::open()?, rtnl: Rtnl::open()? })
    }

    /// Opens them where the process `pid` is: in the network namespace that the configuration names.
    pub(super) fn open_beside(pid: i32) -> vrrp_netlink::Result<Self> {
        let namespace = |who: &str| fs::read_link(format!("/proc/{who}/ns/net")).ok();
        if namespace("self") == namespace(&pid.to_string()) {
            return Self::open();
        }
        Namespace::open(format!("/proc/{pid}/ns/net"))?.run(Self::open).and_then(identity)
    }

    /// Says every last word that is of use, and removes everything that is held. `begin` is what the will counts from.
    pub(super) fn settle(&mut self, will: &Will, begin: Instant) -> Settled {
        let mut settled = Settled::default();
        let now = begin.elapsed();
        for cell in 0..will.cells() {
            if will.promised(cell).is_some_and(|promise| now < promise.last.saturating_add(promise.useful)) {
                settled.said += self.mouth.say(&will.words(cell));
            }
        }
        let mut all = Objects::default();
        for cell in (0..will.cells()).rev() {
            match Objects::read(&will.held(cell)) {
                Ok(objects) => all.append(objects),
                Err(error) => settled.failed.push(format!("what a router held is not known: {error}")),
            }
        }
        self.remove(&all, &mut settled);
        settled
    }

    /// Addresses first: every moment that one is on two hosts counts.
    fn remove(&mut self, all: &Objects, settled: &mut Settled) {
        let virtual_ones = kernel::virtual_interfaces(&mut self.rtnl);
        // Those of IPv6 would say goodbye to their multicast groups, from the MAC address that a successor has by then.
        let silent = |one: &&Address| one.address.is_ipv6() && virtual_ones.contains(&one.index);
        let (last, first): (Vec<_>, Vec<_>) = all.addresses.iter().partition(silent);
        self.remove_addresses(&first.into_iter().cloned().collect::<Vec<_>>(), settled);
        for index in virtual_ones.iter().filter(|index| all.addresses.iter().any(|one| one.index == **index)) {
            match self.rtnl.delete_link(*index) {
                Ok(()) => settled.removed.extend(last.iter().filter(|one| one.index == *index).map(|one| one.address)),
                Err(error) if kernel::is_gone(&error) => {}
                Err(error) => settled.failed.push(format!("a virtual interface is still on this host: {error}")),
            }
        }
        let results = self.rtnl.remove_rules(&all.rules).into_iter().chain(self.rtnl.remove_routes(&all.routes));
        settled.failed.extend(results.filter_map(|result| Some(format!("still on this host: {}", result.err()?))));
    }

    fn remove_addresses(&mut self, addresses: &[Address], settled: &mut Settled) {
        let results = kernel::remove_addresses(&mut self.rtnl, addresses);
        for (address, result) in addresses.iter().zip(results) {
            match result {
                Ok(Change::Done) => settled.removed.push(address.address),
                Ok(Change::AlreadySo) => {}
                Err(error) if kernel::is_gone(&error) => {}
                Err(error) => settled.failed.push(format!("{} is still on this host: {error}", address.address)),
            }
        }
    }
}

/// "3.4 s", "120 ms".
pub(super) fn words_of(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}
