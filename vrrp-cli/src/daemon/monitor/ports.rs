//! An interface that routers are on: its sockets follow it when it is made anew, and the election is told its levels.
//!
//! Knows one interface at a time; not what a level means to a router.

use std::net::IpAddr;

use vrrp_core::node::{Groups, InterfaceId};
use vrrp_core::{Family, fsm};
use vrrp_netlink::membership::Membership;

use super::{Device, Links};
use crate::daemon::ear::{Ear, Kind, Upper};
use crate::daemon::election::{Gap, Level};
use crate::daemon::orders::{Job, Orders};
use crate::daemon::setup::Interface;
use crate::daemon::{Feedback, ToElection};

pub(super) struct Port {
    id: InterfaceId,
    device: Device,
    /// It is whichever one the route to this host goes by, and its sockets hear all of them.
    route_to: Option<IpAddr>,
    /// What is heard here, and how: adverts, where routers are, and announcements, where addresses are.
    hears: Vec<Kind>,
    /// Of these, sockets could not be opened yet.
    lacking: Vec<Kind>,
    /// The index that sockets were opened for last.
    home: Option<u32>,
    /// The kernel may have forgotten who listens here.
    forgotten: bool,
    /// What the sockets that are replaced take with them.
    memberships: Vec<Membership>,
    /// Set for one that stands on another one: it has no levels of its own.
    upper: Option<Upper>,
    /// Virtual addresses of which others are heard to speak here.
    served: Vec<IpAddr>,
    /// The levels that the election knows.
    told: Vec<Level>,
}

impl Port {
    pub(super) fn new(id: InterfaceId, interface: &Interface, links: &Links) -> Self {
        let heard = interface.hears.iter().filter(|_| interface.upper.is_none());
        let mut families: Vec<Family> = heard.filter_map(|kind| kind.adverts()).collect();
        families.sort_unstable();
        families.dedup();
        let mut port = Self {
            id,
            told: Vec::new(),
            device: interface.device.clone(),
            route_to: interface.route_to,
            hears: interface.hears.clone(),
            lacking: Vec::new(),
            home: interface.device.index,
            forgotten: false,
            memberships: Vec::new(),
            upper: interface.upper,
            served: interface.served.clone(),
        };
        let level = |(family, tracked)| port.level(family, tracked, links);
        port.told = families.into_iter().flat_map(|family| [(family, true), (family, false)]).map(level).collect();
        port
    }

    /// The levels that the election knows.
    pub(super) fn told(&self) -> impl Iterator<Item = Level> + '_ {
        self.told.iter().copied()
    }

    /// What has this index is not what its sockets were opened for, or no longer knows them.
    pub(super) fn forget(&mut self, index: u32) {
        if self.home == Some(index) {
            self.device.index = None;
            self.forgotten = true;
        }
    }

    /// What was lost may have been that.
    pub(super) fn doubt(&mut self) {
        self.forgotten = true;
    }

    /// Tells what has changed; whether something failed that is to be tried again.
    pub(super) fn tell(&mut self, links: &Links, groups: Groups, election: &ToElection, orders: &Orders) -> bool {
        let device = Device::find(&self.device.name, links);
        if self.route_to.is_none() && device != self.device {
            let anew = device.index != self.device.index;
            // Who hears announcements knows its own ones by the interface's address.
            let stale = |kind: &&Kind| anew || kind.adverts().is_none();
            let stale: Vec<Kind> = self.hears.iter().filter(stale).copied().collect();
            self.lacking.retain(|kind| !stale.contains(kind));
            self.lacking.extend(stale);
            orders.job(Job::Device(device.clone()));
            self.device = device;
            self.join(groups);
            self.open(groups, election, false);
        } else {
            self.join(groups);
            self.open(groups, election, true);
        }
        for place in 0..self.told.len() {
            let Level { family, tracked, .. } = self.told[place];
            let level = self.level(family, tracked, links);
            if level != self.told[place] {
                self.told[place] = level;
                election.send(Feedback::Link(level));
            }
        }
        !self.lacking.is_empty() && self.device.index.is_some()
    }

    /// Sockets that had joined a group before the kernel forgot it leave it all the same when they are closed, which is after
    /// those are opened that replace them.
    fn join(&mut self, groups: Groups) {
        let (true, Some(index)) = (self.forgotten, self.device.index) else { return };
        self.forgotten = false;
        self.memberships.clear();
        for kind in &self.hears {
            let Some(family) = kind.adverts() else { continue };
            match Membership::join(groups.of(family), index) {
                Ok(membership) => self.memberships.push(membership),
                // The socket itself meets the same, and tells.
                Err(error) => tracing::debug!("{error}"),
            }
        }
    }

    /// Opens the sockets that are lacking, as far as that can be; `again` says that the failure is known.
    fn open(&mut self, groups: Groups, election: &ToElection, again: bool) {
        if self.device.index.is_none() || self.lacking.is_empty() {
            return;
        }
        self.home = self.device.index;
        let mut complained = again;
        let Self { id, device, upper, served, .. } = self;
        self.lacking.retain(|kind| match Ear::open(*kind, device, (*upper, served), groups) {
            Ok(socket) => {
                election.send(Feedback::Socket { interface: *id, socket });
                false
            }
            // The interface went meanwhile, which is told by itself.
            Err(error) if error.errno() == Some(nix::errno::Errno::ENODEV as i32) => true,
            Err(error) => {
                if !std::mem::replace(&mut complained, true) {
                    tracing::error!("{error}: its routers wait; trying again every second");
                }
                true
            }
        });
        if again && self.lacking.is_empty() {
            tracing::info!("{}: all its sockets are open", device.name);
        }
    }

    fn level(&self, family: Family, tracked: bool, links: &Links) -> Level {
        let link = match self.route_to {
            None => links.level(&self.device.name, family, tracked),
            Some(peer) => links.level_to(peer, tracked),
        };
        // Who hears nobody would take over, and who cannot send would not be heard.
        let deaf = |kind: &Kind| *kind == Kind::Frames || kind.adverts() == Some(family);
        let is_absent = self.route_to.is_none() && links.by_name(&self.device.name).is_none();
        let (link, gap) = match link {
            fsm::Link::Down if is_absent => (link, Gap::Absent),
            fsm::Link::Up(_) if self.lacking.iter().any(deaf) => (fsm::Link::Down, Gap::Deaf),
            fsm::Link::Down | fsm::Link::NoAddress | fsm::Link::Up(_) => (link, Gap::None),
        };
        Level { interface: self.id, family, tracked, link, gap }
    }
}
