//! What the host has, and what was changed on it, because of this daemon, as others are told of it: the guardian, and the file for
//! a successor; and what a predecessor has left, when nobody was there to remove it.
//!
//! Knows what is held; not why.

use std::io;
use std::time::Instant;

use vrrp_netlink::Error;
use vrrp_netlink::addresses::Change;
use vrrp_netlink::firewall::Remover;
use vrrp_netlink::objects::Objects;
use vrrp_netlink::sysctl::{Family, Saved};

use super::table::{Held, Work};
use super::{Kernel, addresses};
use crate::daemon::guardian::Bequest;
use crate::daemon::ledger::{Ledger, Left, Setting};
use crate::daemon::lock::Lock;
use crate::daemon::monitor::Device;

/// Who is told of what is on the host. Dropped, it puts settings back.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Estate {
    bequest: Bequest,
    ledger: Ledger,
    /// What predecessors have left, until it is looked at.
    left: Left,
    /// Where in the will stands what is changed beside addresses, routes and rules.
    cell: usize,
}

impl Estate {
    /// For the cells of [`Work::rooms`].
    pub(in crate::daemon) fn new(bequest: Bequest, ledger: Ledger, left: Left, work: &Work) -> Self {
        Self { bequest, ledger, left, cell: work.tables.len() + 1 }
    }

    /// What a cell holds: told before it is put on the host, and after it is gone.
    pub(super) fn leave(&mut self, cell: usize, held: &Held) {
        let octets = held.octets();
        self.bequest.leave_held(cell, &octets);
        self.ledger.holds(cell, octets);
    }

    /// Brings the file up to date.
    pub(super) fn write(&mut self, devices: &[Device]) {
        self.ledger.write(|index| name_of(devices, index));
    }

    /// Tells of interfaces that are about to be made, by the texts that will be attached to them.
    pub(super) fn mark(&mut self, marks: impl Iterator<Item = String>, devices: &[Device]) {
        let all = &mut self.ledger.fixtures_mut().marks;
        all.extend(marks);
        all.sort_unstable();
        all.dedup();
        self.tell(devices);
    }

    /// Tells of a table of nftables that is about to be set up, or that it is gone.
    pub(super) fn filter(&mut self, table: Option<&str>, devices: &[Device]) {
        self.ledger.fixtures_mut().tables = table.into_iter().map(str::to_owned).collect();
        self.tell(devices);
    }

    /// Changes a setting of IPv4 of an interface, and tells before that what it was. The same again is only set again.
    pub(super) fn set(
        &mut self,
        devices: &[Device],
        interface: &str,
        name: &str,
        value: &str,
    ) -> vrrp_netlink::Result<()> {
        let mut planned = Saved::plan(Family::V4, interface, name, value)?;
        let there = devices.iter().find(|device| device.name == interface).and_then(|device| device.index);
        let absent = || Error::new("find the interface", io::Error::from(io::ErrorKind::NotFound)).on(interface);
        let index = there.ok_or_else(absent)?;
        let held = &self.ledger.fixtures().settings;
        if let Some(place) = held.iter().position(|held| held.saved.is_same_place(&planned)) {
            if held[place].index == index {
                return planned.apply();
            }
            // What another interface of this name was at first is not what that one was.
            let before = self.ledger.fixtures_mut().settings.remove(place);
            for error in self.ledger.put_back(vec![before]) {
                tracing::error!("{error}");
            }
        }
        let _gate = self.ledger.gate();
        let others = self.ledger.elsewhere();
        let known = self.left.settings.iter().map(|left| &left.saved).chain(&others);
        // Whoever changed it before us knew what it was at first.
        if let Some(known) = known.into_iter().find(|known| known.is_same_place(&planned)) {
            planned.inherit(known);
        }
        self.left.settings.retain(|left| !left.saved.is_same_place(&planned));
        self.ledger.fixtures_mut().settings.push(Setting { index, saved: planned.clone() });
        self.tell(devices);
        planned.apply()
    }

    /// Puts back every setting, and forgets interfaces, which are gone by now.
    pub(super) fn restore(&mut self) {
        let settings = std::mem::take(&mut self.ledger.fixtures_mut().settings);
        for error in self.ledger.put_back(settings) {
            tracing::error!("{error}");
        }
        self.ledger.fixtures_mut().marks.clear();
        self.bequest.leave_held(self.cell, self.ledger.fixtures().text().as_bytes());
    }

    fn tell(&mut self, devices: &[Device]) {
        self.bequest.leave_held(self.cell, self.ledger.fixtures().text().as_bytes());
        self.write(devices);
    }

    /// Puts back what dead daemons changed and was not set again; whether that succeeded.
    fn settle(&self, settings: Vec<Setting>) -> bool {
        for Setting { index: _, saved } in &settings {
            tracing::info!("{saved} is put back: a daemon that died had changed it");
        }
        let failed = self.ledger.put_back(settings);
        for error in &failed {
            tracing::error!("{error}");
        }
        failed.is_empty()
    }
}

impl Drop for Estate {
    fn drop(&mut self) {
        if !self.ledger.fixtures().settings.is_empty() {
            self.restore();
        }
    }
}

impl Kernel {
    /// Tells what a router holds.
    pub(super) fn leave(&mut self, index: usize) {
        self.estate.leave(index, &self.routers[index].held);
    }

    /// Tells what every router holds, and removes what a predecessor has left that none of them does.
    pub(super) fn take_over(&mut self) {
        for index in 0..self.routers.len() {
            self.leave(index);
        }
        self.estate.write(&self.devices);
        let mut left = std::mem::take(&mut self.estate.left);
        let removed = self.remove_left(&left.objects);
        let settled = self.estate.settle(std::mem::take(&mut left.settings));
        if removed & settled & remove_tables(&left.tables) {
            left.forget();
        }
    }

    /// The end of it; what is still held stays written down.
    pub(super) fn close_estate(mut self) {
        self.estate.restore();
        std::mem::take(&mut self.estate.ledger).close(|index| name_of(&self.devices, index));
    }

    /// Whether all is gone that nobody holds.
    fn remove_left(&mut self, left: &Objects) -> bool {
        let held = self.routers.iter().map(|router| &router.held).chain([&self.statics.held]);
        // As it would be read, so that the same is the same.
        let ours: Vec<_> = held.filter_map(|held| Objects::read(&held.octets()).ok()).collect();
        let gone = |ours: &dyn Fn(&Objects) -> bool, all: &[Objects]| !all.iter().any(ours);
        let mut left = left.clone();
        left.addresses.retain(|one| gone(&|all| all.addresses.contains(one), &ours));
        left.routes.retain(|one| gone(&|all| all.routes.contains(one), &ours));
        left.rules.retain(|one| gone(&|all| all.rules.contains(one), &ours));
        let mut all_gone = true;
        let mut tell = |what: String, result: vrrp_netlink::Result<Change>| match result {
            Ok(Change::Done) => tracing::warn!("{what} was left by a daemon that had no time to remove it: removed"),
            Ok(Change::AlreadySo) => {}
            Err(error) if addresses::is_gone(&error) => {}
            Err(error) => {
                all_gone = false;
                tracing::error!("{what} was left by another daemon and cannot be removed: {error}");
            }
        };
        let rules = self.rtnl.remove_rules(&left.rules);
        for (rule, result) in left.rules.iter().zip(rules) {
            tell(super::rules::words(rule), result);
        }
        let routes = self.rtnl.remove_routes(&left.routes);
        for (route, result) in left.routes.iter().zip(routes) {
            tell(super::routes::words(route), result);
        }
        let results = addresses::remove(&mut self.rtnl, &left.addresses);
        for (address, result) in left.addresses.iter().zip(results) {
            tell(address.address.to_string(), result);
        }
        all_gone
    }
}

/// Removes tables of nftables that dead daemons have left, unless a daemon keeps one of that name; whether they are gone.
fn remove_tables(tables: &[String]) -> bool {
    let mut all_gone = true;
    for table in tables {
        let Ok(Some(_lock)) = Lock::of_table_until(Instant::now(), table) else { continue };
        match Remover::open().and_then(|mut remover| remover.remove_ours(table)) {
            Ok(true) => tracing::warn!("the table inet {table} of nftables was left by a daemon that died: removed"),
            Ok(false) => {}
            Err(error) => {
                all_gone = false;
                tracing::error!("the table inet {table} of nftables was left by another daemon: {error}");
            }
        }
    }
    all_gone
}

fn name_of(devices: &[Device], index: u32) -> Option<String> {
    devices.iter().find(|device| device.index == Some(index)).map(|device| device.name.clone())
}
