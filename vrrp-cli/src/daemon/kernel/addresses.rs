//! From the configured addresses of a router to the kernel's, on the interfaces that exist at the moment.
//!
//! Knows neither orders nor elections.

use std::net::IpAddr;

use vrrp_netlink::addresses::{Address, Change, Options, Scope};
use vrrp_netlink::rtnl::Rtnl;

use super::table::Entries;
use crate::daemon::monitor::Device;

/// A virtual address as it is installed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::daemon) struct Installation {
    /// Index into the devices.
    pub(in crate::daemon) device: usize,
    pub(in crate::daemon) address: IpAddr,
    pub(in crate::daemon) prefix_len: u8,
    pub(in crate::daemon) broadcast: Option<std::net::Ipv4Addr>,
    pub(in crate::daemon) scope: Scope,
    pub(in crate::daemon) label: Option<String>,
    pub(in crate::daemon) peer: Option<IpAddr>,
    pub(in crate::daemon) preferred_lifetime: Option<u32>,
    /// Seconds until the kernel removes it, unless it is renewed.
    pub(in crate::daemon) lease: Option<u32>,
    pub(in crate::daemon) options: Options,
    /// It is put back when somebody removes it.
    pub(in crate::daemon) tracked: bool,
    /// The group that fails without it; only of what the host has whoever is Master.
    pub(in crate::daemon) group: Option<usize>,
    /// Where it is written.
    pub(in crate::daemon) line: Box<str>,
    /// The address owner's own address: it was there before us and stays.
    pub(in crate::daemon) owned: bool,
}

/// Removes addresses, and nothing else: one result for each.
pub(in crate::daemon) fn remove(rtnl: &mut Rtnl, addresses: &[Address]) -> Vec<vrrp_netlink::Result<Change>> {
    let before = addresses.iter().any(in_a_subnet).then(|| rtnl.addresses().unwrap_or_default());
    let results = rtnl.remove_addresses(addresses);
    if let Some(before) = before {
        restore(rtnl, &before, addresses);
    }
    results
}

/// The kernel removes the other addresses of a subnet together with the first one, unless `promote_secondaries` is set:
/// what was lost that way is put back.
fn restore(rtnl: &mut Rtnl, before: &[Address], removed: &[Address]) {
    let Ok(after) = rtnl.addresses() else { return };
    let same = |a: &Address, b: &Address| a.index == b.index && a.address == b.address && a.prefix_len == b.prefix_len;
    let within = |list: &[Address], a: &Address| list.iter().any(|b| same(a, b));
    let lost: Vec<_> = before.iter().filter(|a| !within(&after, a) && !within(removed, a)).cloned().collect();
    for (address, result) in lost.iter().zip(rtnl.add_addresses(&lost)) {
        if let Err(error) = result {
            tracing::error!("{} was removed by the kernel with a virtual address: {error}", address.address);
        }
    }
}

/// Whether the interface is gone.
pub(in crate::daemon) fn is_gone(error: &vrrp_netlink::Error) -> bool {
    error.errno() == Some(nix::errno::Errno::ENODEV as i32)
}

/// Whether the interface is gone, or switched off.
pub(super) fn is_down(error: &vrrp_netlink::Error) -> bool {
    is_gone(error) || error.errno() == Some(nix::errno::Errno::ENETDOWN as i32)
}

pub(super) fn exists(device: &Device) -> bool {
    device.index.is_some()
}

/// Whether the kernel may remove others of its subnet together with this address.
fn in_a_subnet(address: &Address) -> bool {
    address.address.is_ipv4() && address.prefix_len < 32
}

/// The addresses of `entries` whose interfaces exist at the moment.
pub(super) fn found<'t>(
    entries: &'t Entries,
    devices: &'t [Device],
) -> impl Iterator<Item = (&'t Installation, Address)> + 't {
    entries.addresses.iter().filter_map(|installation| Some((installation, address(installation, devices)?)))
}

/// Those of them that are ours to remove, the last first.
pub(super) fn removable(entries: &Entries, devices: &[Device]) -> Vec<Address> {
    let ours = found(entries, devices).filter(|(installation, _)| !installation.owned);
    let mut ours: Vec<_> = ours.map(|(_, address)| address).collect();
    ours.reverse();
    // Each router keeps what it has, most of them one.
    ours.shrink_to_fit();
    ours
}

/// `None` when its interface does not exist at the moment.
fn address(installation: &Installation, devices: &[Device]) -> Option<Address> {
    let index = devices.get(installation.device)?.index?;
    let mut address = Address::new(index, installation.address, installation.prefix_len);
    address.broadcast = installation.broadcast;
    address.scope = installation.scope;
    address.label.clone_from(&installation.label);
    address.peer = installation.peer;
    address.preferred_lifetime = installation.preferred_lifetime;
    address.valid_lifetime = installation.lease;
    address.options = installation.options;
    Some(address)
}
