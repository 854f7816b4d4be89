//! What the guardian does in the place of a process that cannot: the last words first, then whatever it held is removed.
//!
//! Knows no router by name.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use vrrp_netlink::addresses::{Address, Change};
use vrrp_netlink::firewall::Remover;
use vrrp_netlink::namespace::Namespace;
use vrrp_netlink::objects::Objects;
use vrrp_netlink::rtnl::Rtnl;

use super::super::kernel;
use super::super::ledger::{self, Fixtures};
use super::will::Will;
use super::words::Mouth;

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Datagrams that went out.
    pub(super) said: usize,
    /// Addresses that are gone.
    pub(super) removed: Vec<IpAddr>,
    /// Interfaces and tables that are gone, and settings that are as they were.
    pub(super) others: usize,
    /// What is still there, or could not be done.
    pub(super) failed: Vec<String>,
}

/// The guardian's own way to the LAN and to the kernel, opened before anything happens.
pub(super) struct Means {
    mouth: Mouth,
    rtnl: Rtnl,
    /// `None` on a kernel without nftables.
    nftables: Option<Remover>,
}

impl Means {
    fn open() -> vrrp_netlink::Result<Self> {
        Ok(Self { mouth: Mouth::open()?, rtnl: Rtnl::open()?, nftables: Remover::open().ok() })
    }

    /// Opens them where the process `pid` is: in the network namespace that the configuration names. The guardian stays in it,
    /// since the settings under `/proc` are those of whoever looks.
    pub(super) fn open_beside(pid: i32) -> vrrp_netlink::Result<Self> {
        let namespace = |who: &str| fs::read_link(format!("/proc/{who}/ns/net")).ok();
        if namespace("self") == namespace(&pid.to_string()) {
            return Self::open();
        }
        Namespace::open(format!("/proc/{pid}/ns/net"))?.enter_thread()?;
        Self::open()
    }

    /// Says every last word that is of use, and removes everything that is held. `begin` is what the will counts from; `file`
    /// says the same as the will, and beside it lie those of others.
    pub(super) fn settle(&mut self, will: &Will, begin: Instant, file: Option<&Path>) -> Settled {
        let mut settled = Settled::default();
        let now = begin.elapsed();
        for cell in 0..will.cells() {
            if will.promised(cell).is_some_and(|promise| now < promise.last.saturating_add(promise.useful)) {
                settled.said += self.mouth.say(&will.words(cell));
            }
        }
        let mut all = Objects::default();
        // The last cell tells of what is neither an address nor a route nor a rule.
        let last = will.cells().saturating_sub(1);
        for cell in (0..last).rev() {
            match Objects::read(&will.held(cell)) {
                Ok(objects) => all.append(objects),
                Err(error) => settled.failed.push(format!("what a router held is not known: {error}")),
            }
        }
        let fixtures = Fixtures::read(&will.held(last));
        self.remove(&all, &fixtures.marks, &mut settled);
        settled.others += fixtures.settings.len();
        settled.failed.extend(ledger::put_back(file, fixtures.settings).iter().map(ToString::to_string));
        // Behind everything else: it waits for whoever is changing nftables.
        for table in &fixtures.tables {
            match self.nftables.as_mut().map(|nftables| nftables.remove_ours(table)) {
                Some(Ok(removed)) => settled.others += usize::from(removed),
                Some(Err(error)) => settled.failed.push(format!("{error}; `nft delete table inet {table}` removes it")),
                None => {}
            }
        }
        settled
    }

    /// Addresses first: every moment that one is on two hosts counts.
    fn remove(&mut self, all: &Objects, marks: &[String], settled: &mut Settled) {
        let virtual_ones = kernel::virtual_interfaces(&mut self.rtnl, marks);
        let virtual_ones = virtual_ones.inspect_err(|error| settled.failed.push(error.to_string())).unwrap_or_default();
        // Those of IPv6 would say goodbye to their multicast groups, from the MAC address that a successor has by then.
        let silent = |one: &&Address| one.address.is_ipv6() && virtual_ones.contains(&one.index);
        let (last, first): (Vec<_>, Vec<_>) = all.addresses.iter().partition(silent);
        self.remove_addresses(&first.into_iter().cloned().collect::<Vec<_>>(), settled);
        for index in &virtual_ones {
            match self.rtnl.delete_link(*index) {
                Ok(()) => {
                    settled.others += 1;
                    settled.removed.extend(last.iter().filter(|one| one.index == *index).map(|one| one.address));
                }
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
