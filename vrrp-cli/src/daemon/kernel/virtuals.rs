//! Virtual interfaces: made at the start, up as long as their router serves, gone at the end.
//!
//! One whose router is not Master is down, and so sends no frame of any kind: a single one would make switches look for the
//! virtual MAC address here for a while. Knows neither orders nor elections.

use std::io;
use std::time::Instant;

use vrrp_core::Family;
use vrrp_netlink::links::Link;
use vrrp_netlink::rtnl::Rtnl;
use vrrp_netlink::sysctl::{self, Saved};
use vrrp_netlink::upper::{Kind, Upper};
use vrrp_netlink::{Error, Result};

use super::addresses::is_gone;
use super::estate::Estate;
use super::fights::{self, Fights, Thing};
use super::table::Entries;
use crate::daemon::ledger::Fixtures;
use crate::daemon::lock::{self, Lock};
use crate::daemon::monitor::Device;

/// Settings of what a virtual interface stands on: what they are set to, and what is as good.
const SETTINGS: [(&str, &str, &[&str]); 2] = [("arp_ignore", "1", &["1", "2", "8"]), ("arp_announce", "2", &["2"])];

/// An interface of ours on top of another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::daemon) struct Virtual {
    /// Whose addresses are on it: nobody else's, since it is up and down with them.
    pub(in crate::daemon) router: usize,
    /// Index into the devices.
    pub(in crate::daemon) device: usize,
    /// That of what it stands on.
    pub(in crate::daemon) base: usize,
    pub(in crate::daemon) kind: Kind,
    /// Link group.
    pub(in crate::daemon) group: u32,
    /// By this text it is recognised as ours: the name of the lock of its router.
    pub(in crate::daemon) mark: String,
    /// Where it is written.
    line: Box<str>,
    v4: bool,
    v6: bool,
}

impl Virtual {
    pub(in crate::daemon) fn new(
        router: usize,
        device: usize,
        base: usize,
        kind: Kind,
        mark: String,
        line: Box<str>,
    ) -> Self {
        Self { router, device, base, kind, group: 0, mark, line, v4: false, v6: false }
    }

    /// Addresses of this family may be on it.
    pub(in crate::daemon) fn use_for(&mut self, family: Family) {
        match family {
            Family::V4 => self.v4 = true,
            Family::V6 => self.v6 = true,
        }
    }

    /// Whether `link` is what it should be on the interface `base`.
    fn is(&self, link: &Link, base: u32) -> bool {
        let kind = match self.kind {
            Kind::Macvlan(mac) => link.kind == "macvlan" && link.mac == Some(mac),
            Kind::Ipvlan(_) => link.kind == "ipvlan",
        };
        kind && link.alias == self.mark && link.base == Some(base)
    }
}

/// Why a virtual interface cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("{line}: {error}{advice}")]
pub(in crate::daemon) struct NotMade {
    line: Box<str>,
    error: Error,
    advice: &'static str,
}

/// All of them. Dropped without [`end`](Self::end), they go in the same way.
pub(in crate::daemon) struct Virtuals {
    list: Vec<Virtual>,
    /// Their names, which they are found by.
    names: Vec<String>,
    /// What each of them should be: up or down.
    up: Vec<bool>,
}

impl Virtuals {
    /// Makes them, and tells `devices` what they became. Nothing is left of them when one of them cannot be made.
    pub(in crate::daemon) fn make(
        list: Vec<Virtual>,
        rtnl: &mut Rtnl,
        devices: &mut [Device],
        estate: &mut Estate,
    ) -> std::result::Result<Self, NotMade> {
        let names =
            list.iter().map(|one| devices.get(one.device).map_or_else(String::new, |d| d.name.clone())).collect();
        let up = vec![false; list.len()];
        let mut made = Self { list, names, up };
        made.bury(rtnl);
        estate.mark(made.list.iter().map(|one| one.mark.clone()), devices);
        for place in 0..made.list.len() {
            if devices.get(made.list[place].base).is_none_or(|base| base.index.is_none()) {
                // It is made when there is something to stand on.
                continue;
            }
            let outcome = made.prepare_base(place, devices, estate).and_then(|()| made.make_one(place, rtnl, devices));
            match outcome {
                Ok(device) => {
                    if let Some(known) = devices.get_mut(made.list[place].device) {
                        *known = device;
                    }
                }
                Err(error) => {
                    let one = &made.list[place];
                    let unknown = error.errno() == Some(nix::errno::Errno::EOPNOTSUPP as i32);
                    let advice = match one.kind {
                        Kind::Ipvlan(_) if unknown => ": this kernel has no ipvlan; remove `use_ipvlan`",
                        Kind::Macvlan(_) if unknown => ": this kernel has no macvlan; remove `use_vmac`",
                        Kind::Ipvlan(_) | Kind::Macvlan(_) => "",
                    };
                    let line = one.line.clone();
                    made.end(rtnl);
                    return Err(NotMade { line, error, advice });
                }
            }
        }
        Ok(made)
    }

    /// Whether there are any.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether the interface of this index is one of them.
    pub(super) fn has(&self, index: u32, devices: &[Device]) -> bool {
        self.list.iter().any(|one| devices.get(one.device).is_some_and(|device| device.index == Some(index)))
    }

    /// Switches on those that `entries` have addresses on.
    pub(super) fn raise(&mut self, rtnl: &mut Rtnl, devices: &[Device], entries: &Entries) -> Result<()> {
        for place in 0..self.list.len() {
            let one = &self.list[place];
            let Some(index) = devices.get(one.device).and_then(|device| device.index) else { continue };
            if !self.up[place] && entries.has_addresses_on(one.device) {
                rtnl.set_up(index, true).map_err(|error| error.on(&*self.names[place]))?;
                self.up[place] = true;
            }
        }
        Ok(())
    }

    /// Switches off those that `entries` have addresses on.
    pub(super) fn lower(&mut self, rtnl: &mut Rtnl, devices: &[Device], entries: &Entries) {
        for place in 0..self.list.len() {
            let one = &self.list[place];
            let Some(index) = devices.get(one.device).and_then(|device| device.index) else { continue };
            if self.up[place] && entries.has_addresses_on(one.device) {
                match rtnl.set_up(index, false) {
                    Ok(()) => self.up[place] = false,
                    Err(error) if is_gone(&error) => self.up[place] = false,
                    Err(error) => tracing::error!("{}: {error}", self.names[place]),
                }
            }
        }
    }

    /// Makes anew what is gone since `device` came or went: one of them, or what it stands on. The indices and states of those
    /// that it looked after.
    pub(super) fn tend(
        &mut self,
        rtnl: &mut Rtnl,
        devices: &[Device],
        estate: &mut Estate,
        fights: &mut Fights,
        device: usize,
    ) -> Vec<(usize, Device)> {
        let now = Instant::now();
        let mut made = Vec::new();
        if devices.get(device).is_some_and(|gone| gone.index.is_none()) && self.concerns(device) {
            self.remove_renamed(rtnl);
        }
        for place in 0..self.list.len() {
            let one = &self.list[place];
            if one.device != device && one.base != device {
                continue;
            }
            let own = one.device;
            if fights.hold_off(|| Thing::Link(own), now) {
                continue;
            }
            match self.prepare_base(place, devices, estate).and_then(|()| self.make_one(place, rtnl, devices)) {
                Ok(remade) => {
                    let missed = own == device && devices.get(own).is_some_and(|known| known.index != remade.index);
                    if missed {
                        let bout = fights.put_back(Thing::Link(own), now);
                        fights::tell(&self.list[place].mark, &self.names[place], bout);
                    }
                    made.push((own, remade));
                }
                // What it stands on is gone, too, which is told by itself.
                Err(error) if is_gone(&error) || error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::error!("{}: {error}", self.names[place]),
            }
        }
        made
    }

    /// Puts right what somebody else has switched on or off; whether the addresses on it have to be looked at.
    pub(super) fn switched(&mut self, rtnl: &mut Rtnl, fights: &mut Fights, device: usize) -> bool {
        let now = Instant::now();
        let Some(place) = self.list.iter().position(|one| one.device == device) else { return false };
        if fights.hold_off(|| Thing::Link(device), now) {
            return false;
        }
        let Ok(Some(link)) = rtnl.link(&self.names[place]) else { return false };
        if link.admin_up == self.up[place] {
            return false;
        }
        let name = &self.names[place];
        let bout = fights.put_back(Thing::Link(device), now);
        if bout.is_a_fight() {
            fights::tell(&self.list[place].mark, format_args!("the state of {name}"), bout);
        }
        if self.up[place] {
            tracing::warn!("{name} was switched off by somebody else: switched on again");
            self.up[place] = false;
            return true;
        }
        tracing::warn!("{name} was switched on by somebody else, while its router is not Master: switched off again");
        if let Err(error) = rtnl.set_up(link.index, false) {
            tracing::error!("{name}: {error}");
        }
        false
    }

    /// Removes them.
    pub(super) fn end(&mut self, rtnl: &mut Rtnl) {
        let marks: Vec<_> = self.list.drain(..).map(|one| one.mark).collect();
        // By whatever names they have now.
        let all = virtual_interfaces(rtnl, &marks).inspect_err(|error| {
            tracing::error!("virtual interfaces are still on this host: {error}");
        });
        for index in all.unwrap_or_default() {
            if let Err(error) = rtnl.delete_link(index)
                && !is_gone(&error)
            {
                tracing::error!("a virtual interface is still on this host: {error}");
            }
        }
    }

    /// Whether it is one of them, or one of them stands on it.
    fn concerns(&self, device: usize) -> bool {
        self.list.iter().any(|one| one.device == device || one.base == device)
    }

    /// Removes those that somebody has given another name: each would go on serving beside the one that is made in its place,
    /// and keep that one from being switched on by having its MAC address.
    fn remove_renamed(&self, rtnl: &mut Rtnl) {
        for link in rtnl.links().unwrap_or_default().into_iter().filter(is_ours) {
            let place = self.list.iter().position(|one| one.mark == link.alias);
            let Some(name) = place.map(|place| &self.names[place]).filter(|name| **name != link.name) else { continue };
            match rtnl.delete_link(link.index) {
                Ok(()) => {
                    tracing::warn!("{name} was renamed to {} by somebody else: removed, and made anew", link.name);
                }
                Err(error) if is_gone(&error) => {}
                Err(error) => tracing::error!("{name} was renamed to {} by somebody else: {error}", link.name),
            }
        }
    }

    /// Removes interfaces of routers that nobody serves any more. A process that was killed a moment ago is waited for.
    fn bury(&self, rtnl: &mut Rtnl) {
        self.remove_renamed(rtnl);
        let until = Instant::now() + lock::PARTING;
        for link in rtnl.links().unwrap_or_default() {
            let known = self.list.iter().any(|one| one.mark == link.alias);
            // Held until it is gone: nobody begins to use it meanwhile.
            if !known
                && is_ours(&link)
                && let Ok(Some(_lock)) = Lock::named_until(until, &link.alias)
            {
                tracing::info!("{}: removed, since the vrrpctl that made it has died", link.name);
                if let Err(error) = rtnl.delete_link(link.index) {
                    tracing::warn!("{error}");
                }
            }
        }
    }

    /// Keeps what the interface `place` stands on from saying that its own MAC address has the virtual addresses: it would
    /// answer for every address of the host, and name any of them as the one that asks.
    fn prepare_base(&self, place: usize, devices: &[Device], estate: &mut Estate) -> Result<()> {
        let one = &self.list[place];
        let Some(base) = devices.get(one.base) else { return Ok(()) };
        if !one.v4 || !matches!(one.kind, Kind::Macvlan(_)) || base.index.is_none() {
            return Ok(());
        }
        for (name, value, kept) in SETTINGS {
            let now = sysctl::read(sysctl::Family::V4, &base.name, name)?;
            let value = if kept.contains(&now.as_str()) { &now } else { value };
            estate.set(devices, &base.name, name, value)?;
        }
        Ok(())
    }

    /// What is there already is kept when it is the right one: a predecessor that died has left it, and clients use its
    /// addresses until the election is decided.
    fn make_one(&mut self, place: usize, rtnl: &mut Rtnl, devices: &[Device]) -> Result<Device> {
        let (one, name) = (&self.list[place], &self.names[place]);
        let no_base = || Error::new("find the interface", io::Error::from(io::ErrorKind::NotFound)).on(name.as_str());
        let base = devices.get(one.base).and_then(|device| device.index).ok_or_else(no_base)?;
        self.up[place] = false;
        if let Some(link) = rtnl.link(name)? {
            if one.is(&link, base) {
                let serves = link.admin_up && rtnl.addresses()?.iter().any(|address| address.index == link.index);
                self.up[place] = serves;
                if link.admin_up && !serves {
                    rtnl.set_up(link.index, false)?;
                }
                settle(one, name)?;
                return Ok(Device { name: name.clone(), index: Some(link.index), mac: link.mac });
            }
            if is_ours(&link) && link.alias == one.mark {
                rtnl.delete_link(link.index)?;
            }
        }
        let asked = Upper { name, base, kind: one.kind, alias: &one.mark, group: one.group };
        let index = rtnl.create_upper(&asked)?;
        let settled = settle(one, name).and_then(|()| rtnl.link(name));
        match settled {
            Ok(link) => Ok(Device { name: name.clone(), index: Some(index), mac: link.and_then(|link| link.mac) }),
            Err(error) => {
                rtnl.delete_link(index)?;
                Err(error)
            }
        }
    }
}

impl Drop for Virtuals {
    fn drop(&mut self) {
        if self.list.is_empty() {
            return;
        }
        match Rtnl::open() {
            Ok(mut rtnl) => self.end(&mut rtnl),
            Err(error) => tracing::error!("virtual interfaces are still on this host: {error}"),
        }
    }
}

/// Octets that the estate's lines about these, and about so many settings more, may take.
pub(super) fn room(list: &[Virtual], settings: usize) -> usize {
    Fixtures::room(list.len() * SETTINGS.len() + settings, list.iter().map(|one| one.mark.as_str()))
}

/// Whether it bears the mark of one that vrrpctl made, and is of a kind that it makes: anybody may write a text on an interface.
fn is_ours(link: &Link) -> bool {
    lock::is_a_name(&link.alias) && matches!(&*link.kind, "macvlan" | "ipvlan")
}

/// Indices of all interfaces that we made and that bear one of these marks.
pub(in crate::daemon) fn virtual_interfaces(rtnl: &mut Rtnl, marks: &[String]) -> Result<Vec<u32>> {
    if marks.is_empty() {
        return Ok(Vec::new());
    }
    let links = rtnl.links()?.into_iter();
    Ok(links.filter(|link| is_ours(link) && marks.contains(&link.alias)).map(|link| link.index).collect())
}

/// The settings of a virtual interface, which go with it: it answers for its own addresses alone, hears what the host would
/// answer by another interface, and gives itself no address.
fn settle(one: &Virtual, name: &str) -> Result<()> {
    use sysctl::Family::{V4, V6};
    // The stricter one of this and that of all interfaces counts, and the loosest of all is 2.
    let host = sysctl::read(V4, "all", "rp_filter")?;
    let rp_filter = if host == "0" { "0" } else { "2" };
    let settings = [("arp_ignore", "1"), ("arp_announce", "2"), ("rp_filter", rp_filter), ("promote_secondaries", "1")];
    // Also where no address of IPv4 is: it would answer for those of other interfaces.
    for (setting, value) in settings {
        set(V4, name, setting, value)?;
    }
    let settings: &[_] = if one.v6 {
        &[("disable_ipv6", "0"), ("addr_gen_mode", "1"), ("accept_ra", "0"), ("autoconf", "0")]
    } else {
        &[("disable_ipv6", "1")]
    };
    for (setting, value) in settings {
        match set(V6, name, setting, value) {
            // A kernel without IPv6 sends none.
            Err(error) if !one.v6 && error.kind() == io::ErrorKind::NotFound => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

fn set(family: sysctl::Family, interface: &str, name: &str, value: &str) -> Result<()> {
    Saved::set(family, interface, name, value).map(drop)
}
