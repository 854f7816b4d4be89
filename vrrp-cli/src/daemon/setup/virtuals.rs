//! Virtual interfaces: which addresses are on one, what it is called, and which MAC address it has.
//!
//! Makes none; it only decides, by the configuration and by what the host has.

use std::collections::BTreeSet;

use vrrp_core::Family;
use vrrp_core::node::InterfaceId;
use vrrp_netlink::links::{Link, NAME_MAX};
use vrrp_netlink::upper::{IpvlanMode, Kind};

use super::super::lock::Lock;
use super::{Builder, Interface, family};
use crate::config::model::{AddressOption, Garp, VmacSetting};
use crate::config::{Code, Diagnostic, Global, Instance, Spanned, VirtualAddress};
use crate::daemon::ear::Upper;
use crate::daemon::kernel::{Extra, Installation, Virtual};
use crate::daemon::monitor::Device;

/// How generated names begin unless the operator says otherwise.
const PREFIX: &str = "vrrp";
/// Generated names to try before giving up.
const MOST_NAMES: u32 = 1000;

/// What a virtual interface is wanted for.
struct Wanted<'a> {
    instance: &'a Instance,
    /// The place of the interface that it stands on.
    base: usize,
    kind: Kind,
    family: Family,
    name: Option<&'a Spanned<String>>,
    prefix: &'a str,
    group: u32,
    /// It has the instance's own MAC address, which others' adverts come from, too.
    of_adverts: bool,
}

impl Builder<'_> {
    /// The place of the interface that an instance's address is on: that of its line, the instance's `own`, or a virtual one
    /// on either.
    pub(super) fn home(&mut self, address: &VirtualAddress, instance: &Instance, global: &Global, own: usize) -> usize {
        let base = address.device.as_ref().map_or(own, |device| self.interface(device));
        let settings = instance.settings();
        let its_family = Family::of(address.address);
        let host = &global.settings;
        let prefix = host.vmac_prefix.as_deref().unwrap_or(PREFIX);
        let ours = base == own && its_family == family(instance);
        if let Some(setting) = settings.use_vmac.as_ref().filter(|_| ours) {
            let kind = Kind::Macvlan(mac(instance, setting));
            let (name, group) = (setting.name.as_ref(), setting.group.unwrap_or_default());
            let (family, of_adverts) = (its_family, true);
            return self.virtual_one(&Wanted { instance, base, kind, family, name, prefix, group, of_adverts });
        }
        if let Some(setting) = settings.use_ipvlan.as_ref().filter(|_| ours) {
            let kind = Kind::Ipvlan(match setting.mode {
                Some("private") => IpvlanMode::Private,
                Some("vepa") => IpvlanMode::Vepa,
                Some(_) | None => IpvlanMode::Bridge,
            });
            let (name, group) = (setting.name.as_ref(), setting.group.unwrap_or_default());
            // Adverts have the MAC address of the interface below, and are heard there.
            let (family, of_adverts) = (its_family, false);
            return self.virtual_one(&Wanted { instance, base, kind, family, name, prefix, group, of_adverts });
        }
        let named = address.options.iter().find_map(|option| match option {
            AddressOption::UseVmac(name) => Some(name.as_ref()),
            _ => None,
        });
        if named.is_none() && !settings.use_vmac_addr {
            return base;
        }
        let mac = match &settings.use_vmac {
            Some(setting) if its_family == family(instance) => mac(instance, setting),
            _ => instance.vrid.mac(its_family),
        };
        let prefix = host.vmac_addr_prefix.as_deref().unwrap_or(prefix);
        let name = named.flatten();
        let of_adverts = ours && mac == instance.vrid.mac(its_family);
        let (kind, family) = (Kind::Macvlan(mac), its_family);
        self.virtual_one(&Wanted { instance, base, kind, family, name, prefix, group: 0, of_adverts })
    }

    /// The place of such an interface among the others, which it joins when it is new.
    fn virtual_one(&mut self, wanted: &Wanted<'_>) -> usize {
        let mark = Lock::name(&wanted.instance.interface.value, family(wanted.instance), wanted.instance.vrid);
        let (kind, router) = (wanted.kind, self.tables.len());
        // Of ipvlans, which share a MAC address, each router has its own.
        let same = |one: &&mut Virtual| {
            one.base == wanted.base && one.kind == kind && (matches!(kind, Kind::Macvlan(_)) || one.router == router)
        };
        if let Some(known) = self.virtuals.iter_mut().find(same) {
            if known.router == router {
                known.use_for(wanted.family);
                return known.device;
            }
            let base = &self.interfaces[wanted.base].device.name;
            let message = format!("another instance has a virtual interface with the same MAC address on `{base}`");
            let help = "instances of one `virtual_router_id` cannot have addresses with virtual MAC addresses on one interface";
            let span = wanted.name.map_or(wanted.instance.span, |name| name.span);
            self.refuse(Diagnostic::new(Code::InterfaceTaken, span, message).help(help));
            return wanted.base;
        }
        let base = &self.interfaces[wanted.base].device;
        let nowhere = self.interfaces[wanted.base].route_to.is_some();
        if (base.index.is_some() || nowhere) && base.mac.is_none() {
            let message = if nowhere {
                "an instance without `interface` can have no virtual interface: it has nothing to stand on".to_owned()
            } else {
                format!("`{}` has no Ethernet address: no virtual interface can stand on it", base.name)
            };
            let help = "remove `use_vmac` or `use_ipvlan`, or name an Ethernet interface";
            self.refuse(Diagnostic::new(Code::InterfaceTaken, wanted.instance.interface.span, message).help(help));
            return wanted.base;
        }
        let Some(name) = self.name_for(wanted, &mark) else { return wanted.base };
        let device = Device::find(&name, &self.links);
        let place = self.interfaces.len();
        let base_id = InterfaceId(u32::try_from(wanted.base).unwrap_or(u32::MAX));
        let mac = match kind {
            Kind::Macvlan(mac) => mac,
            Kind::Ipvlan(_) => self.interfaces[wanted.base].device.mac.unwrap_or_default(),
        };
        let upper = Some(Upper { base: base_id, mac });
        let hears = if wanted.of_adverts { self.interfaces[wanted.base].adverts(wanted.family) } else { Vec::new() };
        self.by_name.insert(name, place);
        self.interfaces.push(Interface {
            device,
            route_to: None,
            hears,
            sockets: Default::default(),
            upper,
            served: Vec::new(),
        });
        let line = self.line(wanted.name.map_or(wanted.instance.span, |name| name.span));
        let mut made = Virtual::new(router, place, wanted.base, kind, mark, line);
        made.group = wanted.group;
        made.use_for(wanted.family);
        self.virtuals.push(made);
        place
    }

    /// Where an instance announces its addresses again and again, beside where its adverts come from.
    pub(super) fn extra(&self, addresses: &[Installation], own: usize, garp: &Garp) -> Option<Extra> {
        let setting = garp.extra?;
        let mac = self.macs.last().copied().flatten();
        let of_adverts = |one: &&Virtual| one.base == own && mac.is_some_and(|mac| one.kind == Kind::Macvlan(mac));
        let own = self.virtuals.iter().find(of_adverts).map_or(own, |one| one.device);
        let concerned = |device: &usize| *device != own && (setting.all || self.interfaces[*device].upper.is_some());
        let devices: BTreeSet<usize> = addresses.iter().map(|one| one.device).filter(concerned).collect();
        Some(Extra { devices, every: setting.interval }).filter(|extra| !extra.devices.is_empty())
    }

    /// The name that was asked for; or the first of the generated ones that nothing else has. What a predecessor that died
    /// has left behind keeps its name. `None` when that is refused.
    fn name_for(&mut self, wanted: &Wanted<'_>, mark: &str) -> Option<String> {
        let base = self.interfaces[wanted.base].device.index;
        let fits = |link: &Link| match wanted.kind {
            Kind::Macvlan(mac) => link.mac == Some(mac),
            Kind::Ipvlan(_) => link.kind == "ipvlan",
        };
        let ours = |link: &Link| link.alias == mark && link.base == base && fits(link);
        let (links, planned) = (&self.links, &self.by_name);
        let free = |name: &str| !planned.contains_key(name) && links.by_name(name).is_none_or(&ours);
        let Some(asked) = wanted.name else {
            let (prefix, vrid) = (wanted.prefix, wanted.instance.vrid);
            let first = [format!("{prefix}.{vrid}")].into_iter();
            let sixth = (wanted.family == Family::V6).then(|| format!("{prefix}6.{vrid}"));
            let numbered = (1..MOST_NAMES).map(|number| format!("{prefix}{number}.{vrid}"));
            let mut all = first.chain(sixth).chain(numbered).take_while(|name| name.len() <= NAME_MAX);
            let found = all.find(|name| free(name));
            if found.is_none() {
                let message =
                    format!("no name is left for the virtual interface: `{prefix}.{vrid}` and the like are taken");
                let help = "name it: `use_vmac NAME`";
                self.refuse(Diagnostic::new(Code::InterfaceTaken, wanted.instance.span, message).help(help));
            }
            return found;
        };
        let name = &asked.value;
        let stale = |link: &Link| link.alias == mark;
        let message = if planned.contains_key(name) {
            format!("`{name}` is the name of another interface of this configuration")
        } else if links.by_name(name).is_some_and(|link| !stale(link)) {
            format!("an interface `{name}` exists already, and vrrpctl did not make it for this instance")
        } else {
            return Some(name.clone());
        };
        let help = "choose another name, or leave it out: vrrpctl then takes one that is free";
        self.refuse(Diagnostic::new(Code::InterfaceTaken, asked.span, message).help(help));
        None
    }
}

impl Interface {
    /// The ways in which adverts of a family are heard here.
    fn adverts(&self, family: Family) -> Vec<super::Kind> {
        // What another host sends from a virtual MAC address has a queue of its own there.
        let alike = |kind: &super::Kind| kind.adverts() == Some(family) && super::Kind::GENERAL.contains(kind);
        self.hears.iter().copied().filter(alike).collect()
    }
}

/// The MAC address that an instance's multicast adverts come from, unless it is that of their interface.
pub(super) fn advert_mac(instance: &Instance) -> Option<[u8; 6]> {
    let settings = instance.settings();
    let setting = settings.use_vmac.as_ref().filter(|_| !settings.vmac_xmit_base)?;
    Some(mac(instance, setting))
}

/// The virtual router's MAC address, or the one that the operator gave it.
fn mac(instance: &Instance, setting: &VmacSetting) -> [u8; 6] {
    let usual = instance.vrid.mac(family(instance));
    match setting.mac.as_deref() {
        Some(octets) => match <[u8; 5]>::try_from(octets) {
            Ok([first, second, third, fourth, fifth]) => [first, second, third, fourth, fifth, instance.vrid.get()],
            Err(_) => octets.try_into().unwrap_or(usual),
        },
        None => usual,
    }
}
