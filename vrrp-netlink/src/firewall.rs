//! Addresses of this host that nobody may talk to: a table of nftables that drops what is sent to them and from them.
//!
//! Knows addresses and the program `nft`; not why they are to be silent. What is forwarded, ARP, neighbour discovery and
//! multicast membership are let through. Addresses that the host does not have may be among them: nothing is sent to it
//! for those. Every change is one transaction, so that there is no moment with half of the rules.
//!
//! ```no_run
//! use vrrp_netlink::firewall::{Firewall, Silent};
//!
//! # fn main() -> vrrp_netlink::Result<()> {
//! let firewall = Firewall::new("failover", vec![Silent::new([192, 0, 2, 1].into())])?;
//! firewall.set_up()?;
//! // ...
//! firewall.remove()?;
//! # Ok(())
//! # }
//! ```

mod nft;
mod removal;
#[cfg(test)]
mod tests;
mod watch;

use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

pub use nft::{find, find_in};
pub use removal::Remover;
pub use watch::{Watch, concerns};

use crate::{Error, Result};

/// Octets of a table's name at most.
pub const NAME_MAX: usize = 31;

/// Priority of the chains unless [`Firewall::priority`] sets another: just before the usual filters.
pub const PRIORITY: i32 = -1;

/// Stands in every table that is made here, and is how one is told from another's.
const MARK: &str = "chain vrrp_input";

/// ICMPv6 that an address must take part in to be one at all: router and neighbour discovery, redirects.
const DISCOVERY: &str = "133, 134, 135, 136, 137";

/// Multicast membership, which the kernel reports from any link-local address of an interface.
const MEMBERSHIP: &str = "130, 131, 132, 143";

/// An address that is to be silent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Silent {
    address: IpAddr,
    interface: Option<String>,
}

impl Silent {
    /// The address, whatever interface it is on.
    pub fn new(address: IpAddr) -> Self {
        Self { address, interface: None }
    }

    /// A link-local address of IPv6 is another one on each interface: this one is on `interface`. For other addresses
    /// this changes nothing.
    #[must_use]
    pub fn on(mut self, interface: &str) -> Self {
        let link_local = matches!(self.address, IpAddr::V6(address) if address.is_unicast_link_local());
        self.interface = link_local.then(|| interface.to_owned());
        self
    }
}

/// Whose a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// There is none of that name.
    Nobody,
    /// It was made here, by this process or another one.
    Us,
    /// It is somebody else's.
    Another,
}

/// A table of nftables that silences addresses of the network namespace it is set up in.
///
/// Its methods run the program `nft`, unless they say otherwise, and wait for it, 10 s at most. They need `CAP_NET_ADMIN`.
#[derive(Debug, Clone)]
pub struct Firewall {
    nft: PathBuf,
    table: String,
    addresses: Vec<Silent>,
    priority: i32,
    counters: bool,
}

impl Firewall {
    /// A table that is not set up yet.
    ///
    /// Errors: `NotFound` without the program `nft`; `InvalidInput` for a name that nftables does not take (a letter, then
    /// letters, digits, `_`, `-` and `.`; [`NAME_MAX`] octets) or an interface's that cannot be written in a rule.
    pub fn new(table: &str, mut addresses: Vec<Silent>) -> Result<Self> {
        let refuse = |what: &'static str, why: &str| Error::new(what, io::Error::new(io::ErrorKind::InvalidInput, why));
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-' | b'.');
        if !table.starts_with(|first: char| first.is_ascii_alphabetic())
            || !table.bytes().all(plain)
            || table.len() > NAME_MAX
        {
            let why = "expected a letter, then letters, digits, `_`, `-` or `.`, 31 octets at most";
            return Err(refuse("name a table of nftables so", why));
        }
        for interface in addresses.iter().filter_map(|silent| silent.interface.as_deref()) {
            if interface.bytes().any(|octet| !octet.is_ascii_graphic() || matches!(octet, b'"' | b'\\' | b'*')) {
                let why = "nftables takes no blank, quote, backslash or `*` in an interface's name";
                return Err(refuse("write a rule", why).on(interface));
            }
        }
        addresses.sort_unstable();
        addresses.dedup();
        let missing = || Error::new("find the program `nft`", io::Error::from(io::ErrorKind::NotFound));
        let nft = find().ok_or_else(missing)?;
        Ok(Self { nft, table: table.to_owned(), addresses, priority: PRIORITY, counters: false })
    }

    /// Puts the chains elsewhere among those of other tables; lower ones come first.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Counts in each rule.
    #[must_use]
    pub fn counters(mut self, counters: bool) -> Self {
        self.counters = counters;
        self
    }

    /// The name of the table, of nftables' family `inet`.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Whether there is a table of this name, and whose.
    pub fn owner(&self) -> Result<Owner> {
        Ok(match self.shown()? {
            None => Owner::Nobody,
            Some(text) if text.contains(MARK) => Owner::Us,
            Some(_) => Owner::Another,
        })
    }

    /// Makes sure that [`set_up`](Self::set_up) would succeed now; changes nothing.
    pub fn try_out(&self) -> Result<()> {
        nft::run(&self.nft, &["-c", "-f", "-"], &self.rules(), "try out the rules of nftables").map(drop)
    }

    /// Makes the table, in place of one of this name that exists.
    pub fn set_up(&self) -> Result<()> {
        nft::run(&self.nft, &["-f", "-"], &self.rules(), "set up the table of nftables").map(drop)
    }

    /// Removes the table; one that is gone already is no error, and one of somebody else by its name stays. This needs no
    /// program: see [`Remover`].
    pub fn remove(&self) -> Result<()> {
        Remover::open()?.remove_ours(&self.table).map(drop)
    }

    /// The table as it is now, without counts, as `nft` shows it; `None` where there is none. Two texts of one table are
    /// equal as long as nobody has changed it.
    pub fn shown(&self) -> Result<Option<String>> {
        match nft::run(&self.nft, &["-s", "list", "table", "inet", &self.table], "", "read the table of nftables") {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kernel_text().is_some_and(nft::is_absent) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What makes sure that there is no table, in one transaction whether there was one or not.
    fn removal(&self) -> String {
        format!("table inet {0}\ndelete table inet {0}\n", self.table)
    }

    fn rules(&self) -> String {
        let all = || self.addresses.iter();
        let v4 = all().filter(|silent| silent.address.is_ipv4()).map(|silent| silent.address.to_string());
        let wide = all().filter(|silent| silent.address.is_ipv6() && silent.interface.is_none());
        let narrow = all().filter_map(|s| Some(format!("{} . \"{}\"", s.address, s.interface.as_ref()?)));
        let mut text = self.removal();
        let mut line = |words: std::fmt::Arguments<'_>| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{words}");
        };
        line(format_args!("table inet {} {{", self.table));
        line(format_args!("set ipv4 {{ type ipv4_addr; {} }}", elements(v4)));
        line(format_args!("set ipv6 {{ type ipv6_addr; {} }}", elements(wide.map(|s| s.address.to_string()))));
        line(format_args!("set link_local {{ type ipv6_addr . ifname; {} }}", elements(narrow)));
        let count = if self.counters { "counter " } else { "" };
        for (chain, hook, end, interface, passing) in [
            (MARK, "input", "daddr", "iifname", DISCOVERY.to_owned()),
            ("chain vrrp_output", "output", "saddr", "oifname", format!("{DISCOVERY}, {MEMBERSHIP}")),
        ] {
            line(format_args!("{chain} {{"));
            line(format_args!("type filter hook {hook} priority {}; policy accept;", self.priority));
            line(format_args!("icmpv6 type {{ {passing} }} {count}accept"));
            line(format_args!("ip {end} @ipv4 {count}drop"));
            line(format_args!("ip6 {end} @ipv6 {count}drop"));
            line(format_args!("ip6 {end} . {interface} @link_local {count}drop"));
            line(format_args!("}}"));
        }
        line(format_args!("}}"));
        text
    }
}

/// An empty list is not allowed.
fn elements(members: impl Iterator<Item = String>) -> String {
    let members: Vec<_> = members.collect();
    if members.is_empty() { String::new() } else { format!("elements = {{ {} }}", members.join(", ")) }
}
