//! From the configured addresses of a router to the kernel's, on the interfaces that exist at the moment.
//!
//! Knows neither orders nor elections.

use std::net::IpAddr;

use vrrp_netlink::addresses::{Address, Scope};
use vrrp_netlink::rtnl::Rtnl;

use super::Table;
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
    /// The address owner's own address: it was there before us and stays.
    pub(in crate::daemon) owned: bool,
}

/// The kernel removes the other addresses of a subnet together with the first one, unless `promote_secondaries` is set:
/// what was lost that way is put back.
pub(super) fn restore(rtnl: &mut Rtnl, before: &[Address], removed: &[Address]) {
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
pub(super) fn is_gone(error: &vrrp_netlink::Error) -> bool {
    error.errno() == Some(nix::errno::Errno::ENODEV as i32)
}

pub(super) fn exists(device: &Device) -> bool {
    device.index.is_some()
}

/// Whether the kernel may remove others of its subnet together with this address.
pub(super) fn in_a_subnet(address: &Address) -> bool {
    address.address.is_ipv4() && address.prefix_len < 32
}

/// The addresses of a table whose interfaces exist at the moment.
pub(super) fn found<'t>(table: &'t Table, devices: &'t [Device]) -> impl Iterator<Item = Address> + 't {
    table.addresses.iter().filter_map(|installation| address(installation, devices))
}

/// Those of them that are ours to remove.
pub(super) fn removable(table: &Table, devices: &[Device]) -> Vec<Address> {
    let ours = table.addresses.iter().filter(|installation| !installation.owned);
    ours.filter_map(|installation| address(installation, devices)).collect()
}

/// `None` when its interface does not exist at the moment.
fn address(installation: &Installation, devices: &[Device]) -> Option<Address> {
    let index = devices.get(installation.device)?.index?;
    let mut address = Address::new(index, installation.address, installation.prefix_len);
    address.broadcast = installation.broadcast;
    address.scope = installation.scope;
    address.label.clone_from(&installation.label);
    Some(address)
}
