//! Virtual addresses beside those that the host has of its own: one that it keeps whoever is Master, or one that no neighbour
//! would look for here.
//!
//! Knows addresses and interfaces; changes nothing.

use std::net::IpAddr;

use vrrp_netlink::addresses::Address;
use vrrp_netlink::links::Link;
use vrrp_netlink::sysctl;

use super::super::kernel::Installation;
use super::super::lock;
use super::{Builder, Interface, StartError};
use crate::config::model::in_subnet;
use crate::config::{Code, Config, Diagnostic, Instance, VirtualAddress};

impl Builder<'_> {
    /// What there is to say about the virtual addresses of all instances, of which none was refused.
    pub(super) fn look_around(&mut self, config: &Config) {
        for (instance, table) in config.instances.iter().zip(&self.tables) {
            let lines = instance.addresses.iter().chain(&instance.settings().virtual_ipaddress_excluded);
            for (line, planned) in lines.zip(&table.entries.addresses) {
                let Some(home) = self.interfaces.get(planned.device).filter(|_| !planned.owned) else { continue };
                match self.twice(instance, line, planned, home) {
                    Some(Finding::Error(diagnostic)) => self.errors.push(StartError::Host(Box::new(diagnostic))),
                    Some(Finding::Warning(diagnostic)) => self.warnings.push(diagnostic),
                    None => {}
                }
                self.warnings.extend(self.outside(line, planned, home));
            }
        }
    }

    /// The host has it somewhere as its own, and nothing that happens to the router takes it from there.
    fn twice(
        &self,
        instance: &Instance,
        line: &VirtualAddress,
        planned: &Installation,
        home: &Interface,
    ) -> Option<Finding> {
        let address = line.address;
        let local = is_link_local(address);
        let base = self.base(home);
        let place = |own: &Address| self.links.by_index(own.index);
        let stays = |own: &&Address| {
            let at_home = Some(own.index) == home.device.index;
            own.address == address
                // What a daemon has put there goes by itself, and so does what is left where the router is to have it.
                && !self.written.iter().any(|one| (one.index, one.address, one.prefix_len) == (own.index, address, own.prefix_len))
                && !(at_home && own.prefix_len == planned.prefix_len)
                && !(local && !at_home && Some(own.index) != base.device.index)
                && place(own).is_some_and(|link| !lock::is_a_name(&link.alias) && !Self::is_silent(link, base))
        };
        let own = self.links.addresses().iter().find(stays)?;
        let name = &place(own)?.name;
        let length = own.prefix_len;
        let virtual_mac = instance.settings().use_vmac.is_some() && home.upper.is_some();
        if virtual_mac && instance.priority.is_owner() && Some(own.index) == base.device.index {
            let message = format!(
                "{address}/{length} is an address of `{name}` itself, which answers for it from its own MAC address, too"
            );
            let help = format!(
                "remove it from `{name}`, which needs another one to send adverts from: the virtual interface has it while this router is Master. Or leave out `use_vmac`"
            );
            return Some(Finding::Error(Diagnostic::new(Code::OwnAddress, line.span, message).help(help)));
        }
        let message = format!("{address}/{length} is on `{name}` already, and stays there whoever is Master");
        let help = format!(
            "this host would answer for it while another one is Master: remove it with `ip address del {address}/{length} dev {name}`, or give the router another address"
        );
        Some(Finding::Warning(Diagnostic::new(Code::HeldElsewhere, line.span, message).help(help)))
    }

    /// Addresses of the loopback interface are often for local use, on hosts that are told not to answer for them.
    fn is_silent(link: &Link, base: &Interface) -> bool {
        let ignores =
            |interface: &str| sysctl::read(sysctl::Family::V4, interface, "arp_ignore").is_ok_and(|level| level != "0");
        link.loopback && (ignores("all") || ignores(&base.device.name))
    }

    /// A single address that no subnet of its interface contains, of those that it has or is to have.
    fn outside(&self, line: &VirtualAddress, planned: &Installation, home: &Interface) -> Option<Diagnostic> {
        let address = line.address;
        let single = |length| length == if address.is_ipv4() { 32 } else { 128 };
        let base = self.base(home);
        let index = base.device.index.filter(|index| self.links.by_index(*index).is_some_and(|link| !link.loopback))?;
        if !single(planned.prefix_len) || planned.peer.is_some() || is_link_local(address) {
            return None;
        }
        let own = self.links.addresses().iter().filter(|own| own.index == index);
        let own = own.map(|own| (own.address, own.prefix_len)).filter(|own| !is_link_local(own.0));
        let all = self.tables.iter().flat_map(|table| &table.entries.addresses);
        let ours = all.filter(|one| one.device == planned.device).map(|one| (one.address, one.prefix_len));
        let of_the_family = |subnet: &(IpAddr, u8)| subnet.0.is_ipv4() == address.is_ipv4() && !single(subnet.1);
        let mut subnets = own.filter(of_the_family).peekable();
        subnets.peek()?;
        if subnets.chain(ours.filter(of_the_family)).any(|subnet| in_subnet(subnet, address)) {
            return None;
        }
        let name = &base.device.name;
        let message = format!("{address} lies outside of every subnet of `{name}`");
        let length = if address.is_ipv4() { 24 } else { 64 };
        let help = format!(
            "neighbours there look for it only if they have a route for it. Is it mistyped? If it is of another subnet, write its length, like `{address}/{length}`"
        );
        Some(Diagnostic::new(Code::OutsideSubnets, line.span, message).help(help))
    }

    /// The interface that adverts and clients come by: the one below, of a virtual interface.
    fn base<'a>(&'a self, home: &'a Interface) -> &'a Interface {
        let below = home.upper.and_then(|upper| self.interfaces.get(usize::try_from(upper.base.0).ok()?));
        below.unwrap_or(home)
    }
}

enum Finding {
    Error(Diagnostic),
    Warning(Diagnostic),
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}
