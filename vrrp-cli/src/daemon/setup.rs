//! From a checked configuration to everything the threads need, on this host. Changes nothing on it: whatever cannot be
//! had is reported, all of it at once, before the first thread starts.

mod conduct;
mod delays;
mod filter;
mod namespace;
mod policy;
mod startup;
mod surroundings;
mod tables;
mod trackers;
mod unicast;
mod virtuals;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use vrrp_core::auth::ah::AhKey;
use vrrp_core::node::{Groups, Input, InterfaceId, Node, RouterId, RouterSetup};
use vrrp_core::release::Handover;
use vrrp_core::router::{AcceptChecksum, ChecksumPolicy, RouterConfig};
use vrrp_core::wire::advert::ChecksumForm;
use vrrp_core::{AddressError, AddressList, Auth, Family};
use vrrp_netlink::addresses::Address;
use vrrp_netlink::capabilities::{self, Capability};
use vrrp_netlink::firewall;
use vrrp_netlink::monitor::Monitor;
use vrrp_netlink::rtnl::Rtnl;

use super::ear::{Ear, Kind, Upper};
use super::kernel::{self, Entries, Installation, Table, Virtual};
use super::keys::{self, Unusable};
use super::lease::Lease;
use super::ledger;
use super::lock::{self, Lock};
use super::monitor::{self, Device, Links, Load, Source};
use super::notify;
use super::privileges::Scripts;
use super::runtime::{self, Runtime};
use super::script::{self, Found, Program};
use super::trackers::Trackers;
use crate::config::model::{AddressOption, Garp};
use crate::config::{
    Code, Config, Diagnostic, Global, Instance, Script, Severity, SourceMap, Span, Spanned, VirtualAddress,
};
use crate::routing::{self, Names, Routing};

pub(super) use conduct::Conduct;
pub(crate) use filter::no_nft;
pub(super) use policy::Policy;

/// Why the daemon does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The process lacks privileges.
    #[error("missing {}: vrrpctl opens raw sockets and changes addresses; run it as root, or with these capabilities", names(.0))]
    Capabilities(Vec<Capability>),
    /// The host does not have what the configuration names.
    #[error("{}", .0.message)]
    Host(Box<Diagnostic>),
    /// The kernel refused something that every start needs.
    #[error(transparent)]
    Kernel(#[from] vrrp_netlink::Error),
}

impl StartError {
    /// A block of this name that cannot run, for a reason that reading the file did not find.
    fn unfit(code: Code, name: &str, span: Span, reason: &dyn fmt::Display) -> Self {
        let help = "correct it; `vrrpctl check` should have found it, so please report it as well";
        Self::Host(Box::new(Diagnostic::new(code, span, format!("`{name}` cannot run: {reason}")).help(help)))
    }

    /// For the terminal, with the place in the configuration where there is one.
    pub fn render(&self, sources: &SourceMap, color: bool) -> String {
        match self {
            Self::Host(diagnostic) => sources.render(diagnostic, color),
            other => format!("error: {other}"),
        }
    }
}

/// An interface of the configuration on this host.
pub(super) struct Interface {
    pub(super) device: Device,
    /// It is whichever one the route to this host goes by.
    pub(super) route_to: Option<IpAddr>,
    /// What is heard here, and how: adverts, where routers are, and announcements, where addresses are.
    pub(super) hears: Vec<Kind>,
    /// By [`Kind::index`].
    pub(super) sockets: [Option<Ear>; Kind::COUNT],
    /// Set for a virtual one, which stands on another one.
    pub(super) upper: Option<Upper>,
    /// Virtual addresses of which others are heard to speak here.
    pub(super) served: Vec<IpAddr>,
}

impl Interface {
    /// Of this interface at `place`: where others are heard to speak of its addresses. What stands on another one and what it stands
    /// on hear the same broadcasts.
    pub(super) fn heard_at(&self, place: usize) -> usize {
        self.upper.map_or(place, |upper| usize::try_from(upper.base.0).unwrap_or(usize::MAX))
    }
}

/// Everything that the threads need.
pub(super) struct Plan {
    pub(super) node: Node<Instant>,
    pub(super) interfaces: Vec<Interface>,
    pub(super) groups: Groups,
    /// By router: the MAC address that its multicast adverts come from, unless it is their interface's.
    pub(super) macs: Vec<Option<[u8; 6]>>,
    /// Instance names, by router.
    pub(super) names: Vec<String>,
    /// Which of them go by the route to a peer.
    pub(super) routed: Vec<bool>,
    /// Where they are, as the configuration says it.
    pub(super) placed: Vec<String>,
    pub(super) policy: Policy,
    pub(super) trackers: Trackers,
    pub(super) work: kernel::Work,
    /// Where unicast adverts come from.
    pub(super) sources: Vec<Source>,
    /// What their interfaces must carry.
    pub(super) loads: Vec<Load>,
    pub(super) notify: notify::Plan,
    /// Routers of which an address is on the host already.
    pub(super) leftovers: Vec<RouterId>,
    pub(super) monitor: Monitor,
    /// News about the table of nftables, where there is one.
    pub(super) filter: Option<firewall::Watch>,
    pub(super) rtnl: (Rtnl, Links),
    /// Keep other daemons on this host from serving the same virtual routers.
    pub(super) locks: Vec<Lock>,
    /// The folder of a daemon that has a name.
    pub(super) runtime: Option<Runtime>,
    /// What works, though hardly as meant.
    pub(super) warnings: Vec<Diagnostic>,
    pub(super) conduct: Conduct,
}

impl Plan {
    /// `sources` tells where what the kernel refuses later is written.
    pub(super) fn new(config: &Config, sources: &SourceMap) -> Result<Self, Vec<StartError>> {
        let lacking = capabilities::missing(&[Capability::NetAdmin, Capability::NetRaw]).map_err(one)?;
        if !lacking.is_empty() {
            return Err(vec![StartError::Capabilities(lacking)]);
        }
        // Before any socket is opened, and before any thread is started.
        let outer = namespace::enter(config).map_err(|error| vec![error])?;
        let routing = Routing::plan(config, &Names::of_config(config));
        let routed = config.instances.iter().any(|instance| instance.route_to.is_some());
        let monitor =
            if routing.is_empty() && !routed { Monitor::open() } else { Monitor::open_with_routes() }.map_err(one)?;
        let mut rtnl = Rtnl::open().map_err(one)?;
        let mut links = Links::default();
        links.read(&mut rtnl).map_err(one)?;

        let groups = Groups { v4: config.global.mcast_group4, v6: config.global.mcast_group6 };
        let mut builder = Builder::new(config, sources, links, groups);
        for (instance, routing) in config.instances.iter().zip(&routing.instances) {
            builder.add(instance, config, routing);
        }
        let mut notify = builder.notify(config);
        let mut refusals = Vec::new();
        let trackers = trackers::find(config, &mut builder.warnings, &mut refusals);
        for diagnostic in refusals {
            builder.refuse(diagnostic);
        }
        let needs = conduct::needs(builder.scripts, &trackers, &notify);
        let statics = builder.statics(config, &routing.statics);
        builder.report(routing.findings);
        builder.refuse_own_addresses(config);
        if builder.errors.is_empty() {
            builder.look_around(config);
        }
        let paces = builder.paces(config);
        let filtering = builder.filtering(config);
        if builder.errors.is_empty() {
            builder.lock_all(config);
        }
        let runtime = builder.runtime(config);
        let filter = builder.watch(&filtering);
        let Builder {
            mut links,
            mut node,
            mut interfaces,
            by_name,
            mut errors,
            tables,
            virtuals,
            macs,
            sources,
            leftovers,
            locks,
            mut warnings,
            ..
        } = builder;
        if errors.is_empty() {
            errors.extend(open_ears(&mut interfaces, groups, false).into_iter().map(Into::into));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut policy = Policy::new(config, &mut node, &links).map_err(|error| vec![error])?;
        let trackers = trackers.numbered(&policy, outer.as_ref());
        startup::delay(config, &mut node);
        let tracked = tables::groups(config, &mut node, &tables, &mut policy);
        links.virtual_addresses = tables::virtual_addresses(&tables);
        links.kept = tables::kept(&tables, &statics);
        links.own = virtuals.iter().map(|one| interfaces[one.device].device.name.clone()).collect();
        let tables = tables.into_iter().map(Arc::new).collect();
        let (lease, promote) = (Lease::new(config.global.settings.address_lease), promoting(config));
        let work = kernel::Work { tables, statics, groups: tracked, promote, paces, filtering, lease, virtuals };
        let (delays, cut) = delays::delays(config);
        warnings.extend(cut.into_iter().chain(policy::missing(config, &links)));
        links.delay(delays);
        links.look_up_routes(&mut rtnl).map_err(one)?;
        let sources = unicast::sources(sources, &interfaces, &mut node, &links);
        let homes = config.instances.iter().filter_map(|instance| by_name.get(&instance.interface.value).copied());
        let loads = monitor::loads(node.routers().zip(homes), &interfaces, &mut node, &links);
        // Last: whatever else is refused leaves none behind.
        notify.make_pipes().map_err(|unusable| vec![StartError::Host(unusable)])?;
        Ok(Self {
            node,
            interfaces,
            groups,
            macs,
            names: config.instances.iter().map(|instance| instance.name.clone()).collect(),
            routed: config.instances.iter().map(|instance| instance.route_to.is_some()).collect(),
            placed: config.instances.iter().map(|instance| instance.interface.value.clone()).collect(),
            policy,
            trackers,
            work,
            sources,
            loads,
            notify,
            leftovers,
            monitor,
            filter,
            rtnl: (rtnl, links),
            locks,
            runtime,
            warnings,
            conduct: Conduct::new(config, needs),
        })
    }
}

/// The interfaces of instances that want their other addresses to stay, each once.
fn promoting(config: &Config) -> Vec<String> {
    let promotes = |one: &&Instance| one.settings().promote_secondaries && one.route_to.is_none();
    let names = config.instances.iter().filter(promotes).map(|instance| instance.interface.value.clone());
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Opens the sockets of all interfaces that are `virtual_ones`, or are not; what could not be opened.
pub(super) fn open_ears(interfaces: &mut [Interface], groups: Groups, virtual_ones: bool) -> Vec<vrrp_netlink::Error> {
    let mut errors = Vec::new();
    let concerned = |interface: &&mut Interface| {
        // What does not exist yet is opened when it does.
        let exists = interface.device.index.is_some() || interface.route_to.is_some();
        exists && interface.upper.is_some() == virtual_ones
    };
    for interface in interfaces.iter_mut().filter(concerned) {
        for &kind in &interface.hears {
            let opened = match interface.route_to {
                None => Ear::open(kind, &interface.device, (interface.upper, &interface.served), groups).map(Some),
                Some(_) => Ear::open_anywhere(kind),
            };
            match opened {
                Ok(socket) => interface.sockets[kind.index()] = socket,
                Err(error) => errors.push(error),
            }
        }
    }
    errors
}

struct Builder<'s> {
    source_map: &'s SourceMap,
    /// How addresses are released where the instance does not say.
    handover: Handover,
    links: Links,
    node: Node<Instant>,
    interfaces: Vec<Interface>,
    by_name: HashMap<String, usize>,
    errors: Vec<StartError>,
    tables: Vec<Table>,
    virtuals: Vec<Virtual>,
    macs: Vec<Option<[u8; 6]>>,
    sources: Vec<(RouterId, unicast::TrackedSource)>,
    leftovers: Vec<RouterId>,
    locks: Vec<Lock>,
    /// What daemons have put on this host, dead or alive.
    written: Vec<Address>,
    /// Scripts that others can change are refused where they would run as root.
    secure: bool,
    scripts: Scripts,
    warnings: Vec<Diagnostic>,
    /// Interfaces may appear later.
    dynamic: bool,
    /// Seconds that a virtual address has until it is renewed.
    lease: Option<u32>,
    /// Where static addresses are that name no interface.
    default_interface: Option<Spanned<String>>,
}

impl<'s> Builder<'s> {
    /// Once for all instances of a VRID that are told apart.
    fn lock_all(&mut self, config: &Config) {
        let until = Instant::now() + lock::PARTING;
        let mut taken = HashSet::new();
        let key = |one: &Instance| (one.interface.value.clone(), family(one) == Family::V6, one.vrid);
        config.instances.iter().filter(|one| taken.insert(key(one))).for_each(|instance| self.lock(instance, until));
    }

    fn lock(&mut self, instance: &Instance, until: Instant) {
        match Lock::take_until(until, &instance.interface.value, family(instance), instance.vrid) {
            Ok(Some(lock)) => self.locks.push(lock),
            Ok(None) => {
                let (interface, vrid) = (&instance.interface.value, instance.vrid);
                let message = format!("another vrrpctl on this host serves VRID {vrid} on `{interface}` already");
                let diagnostic = Diagnostic::new(Code::AlreadyServed, instance.span, message);
                self.refuse(diagnostic.help("stop it first; two on one host would not hear each other"));
            }
            Err(error) => {
                let operation = "make sure that no other vrrpctl serves the same";
                self.errors.push(StartError::Kernel(vrrp_netlink::Error::new(operation, error)));
            }
        }
    }

    /// A router that does not own an address would remove it as soon as another is Master: not where it is the only one.
    fn refuse_own_addresses(&mut self, config: &Config) {
        let virtual_addresses = tables::virtual_addresses(&self.tables);
        for instance in config.instances.iter().filter(|instance| instance.mcast_source.is_none()) {
            let own = self.by_name.get(&instance.interface.value).and_then(|place| self.interfaces.get(*place));
            let Some(index) = own.and_then(|interface| interface.device.index) else { continue };
            let here = |a: &&VirtualAddress| {
                a.device.is_none() && !instance.priority.is_owner() && self.links.has(index, a.address, a.prefix_len)
            };
            if let Some(address) = instance.addresses.iter().find(here)
                && self.links.real(index, family(instance), &virtual_addresses).is_none()
            {
                let (name, interface) = (address.address, &instance.interface.value);
                let message =
                    format!("{name} is the only address of `{interface}`: it cannot be a virtual address too");
                let help =
                    "give the interface an address of its own; `priority 255` is for the router that owns the address";
                self.refuse(Diagnostic::new(Code::OwnAddress, address.span, message).help(help));
            }
        }
    }

    fn new(config: &Config, source_map: &'s SourceMap, links: Links, groups: Groups) -> Self {
        let name_of = |index| links.by_index(index).map(|link| link.name.clone());
        let network = vrrp_netlink::namespace::network_number();
        let written = network.map(|network| ledger::written(Path::new(super::RUNTIME), network, name_of));
        Self {
            written: written.unwrap_or_default(),
            source_map,
            links,
            node: Node::new(groups),
            interfaces: Vec::new(),
            by_name: HashMap::new(),
            errors: Vec::new(),
            tables: Vec::new(),
            virtuals: Vec::new(),
            macs: Vec::new(),
            sources: Vec::new(),
            leftovers: Vec::new(),
            locks: Vec::new(),
            handover: handover(config.global.settings.handover.as_deref()).unwrap_or(Handover::Announced),
            secure: config.global.settings.enable_script_security,
            scripts: Scripts::default(),
            warnings: Vec::new(),
            dynamic: config.global.settings.dynamic_interfaces.is_some(),
            default_interface: config.global.settings.default_interface.clone(),
            lease: Lease::seconds(config.global.settings.address_lease),
        }
    }

    /// The folder of a daemon that has a name, which no other on this host has then.
    fn runtime(&mut self, config: &Config) -> Option<Runtime> {
        let name = config.process.instance.as_ref().filter(|_| self.errors.is_empty())?;
        let (message, help) = match Runtime::take(Path::new(super::RUNTIME), &name.value) {
            Ok(runtime) => return Some(runtime),
            Err(runtime::Error::Taken(pid)) => {
                let message = format!("another vrrpctl on this host is the instance `{}`: process {pid}", name.value);
                (message, "give this one another name, or stop the other".to_owned())
            }
            Err(runtime::Error::Io(path, error)) => {
                let message = format!("the folder of the instance `{}` cannot be used: {error}", name.value);
                (message, format!("it is {}", path.display()))
            }
        };
        self.refuse(Diagnostic::new(Code::InstanceRuns, name.span, message).help(help));
        None
    }

    fn add(&mut self, instance: &Instance, config: &Config, routing: &routing::Entries) {
        let own = match instance.route_to {
            None => self.interface(&instance.interface),
            Some(peer) => self.route_to(&instance.interface.value, peer),
        };
        match self.router(instance, &config.global, own) {
            Ok(id) => {
                let all = instance.addresses.iter().chain(&instance.settings().virtual_ipaddress_excluded);
                let owner = instance.priority.is_owner();
                let install = |address: &VirtualAddress| {
                    let home = self.home(address, instance, &config.global, own);
                    self.installation(address, Some(home), owner)
                };
                let mut addresses: Vec<_> = all.map(install).collect();
                // Most routers have one, and a list that grows begins with room for four.
                addresses.shrink_to_fit();
                let shared = addresses.iter().any(|one| self.interfaces[one.device].upper.is_some());
                let handover = self.handover_of(instance, shared);
                self.node.handle(Instant::now(), Input::Handover { router: id, handover }, &mut Vec::new());
                let found = |i: &Installation| {
                    let index = self.interfaces.get(i.device).and_then(|interface| interface.device.index);
                    !i.owned && index.is_some_and(|index| self.links.has(index, i.address, i.prefix_len))
                };
                if addresses.iter().any(found) {
                    self.leftovers.push(id);
                }
                let (routes, rules) = self.routing(routing, &[]);
                let entries = Entries { addresses, routes, rules };
                let name = instance.name.clone();
                let extra = self.extra(&entries.addresses, own, &Garp::of(instance, &config.global));
                let steps_down = tables::steps_down(instance, config);
                self.tables.push(Table { id, name, entries, extra, steps_down });
                self.node.set_announcements(id, tables::program(instance, config));
            }
            Err(error) => self.errors.push(error),
        }
    }

    fn router(&mut self, instance: &Instance, global: &Global, own: usize) -> Result<RouterId, StartError> {
        let unfit = |code, reason: &dyn fmt::Display| StartError::unfit(code, &instance.name, instance.span, reason);
        let addresses: Box<[IpAddr]> = instance.addresses.iter().map(|address| address.address).collect();
        let read = if instance.is_strict(global) { AddressList::strict } else { AddressList::new };
        let addresses = read(addresses).map_err(|error: AddressError| unfit(Code::UnusableAddress, &error))?;
        let auth = auth(instance)?;
        let hears = &mut self.interfaces[own].hears;
        let mac = virtuals::advert_mac(instance);
        for &kind in Kind::needed(addresses.family(), &auth).iter().chain(mac.map(|_| &Kind::Frames)) {
            if !hears.contains(&kind) {
                hears.push(kind);
            }
        }
        // Strict: no other form than ours.
        let accept = if instance.is_strict(global) { AcceptChecksum::Only } else { AcceptChecksum::Both };
        let send = if instance.v3_checksum_as_v2 { ChecksumForm::Message } else { ChecksumForm::PseudoHeader };
        let (source, unicast) = unicast::of(instance).map_err(|error| unfit(Code::UnusableAddress, &error))?;
        let tracked = unicast::tracked_source(instance, source, unicast.is_some(), own);
        let setup = RouterSetup {
            interface: InterfaceId(u32::try_from(own).unwrap_or(u32::MAX)),
            source,
            unicast,
            track_interface: !instance.settings().dont_track_primary,
            config: RouterConfig {
                vrid: instance.vrid,
                params: instance.params(global),
                addresses,
                auth,
                checksum: ChecksumPolicy { send, accept },
            },
        };
        let id = self.node.add(setup).map_err(|error| unfit(Code::DuplicateVrid, &error))?;
        self.sources.extend(tracked.map(|source| (id, source)));
        self.macs.push(mac);
        Ok(id)
    }

    /// Addresses that are checked for duplicates cannot be on two hosts even for a moment. Where both hosts have them at one
    /// MAC address, an advert is what switches send frames after.
    fn handover_of(&self, instance: &Instance, shared_mac: bool) -> Handover {
        let checked = AddressOption::Flag("-nodad");
        let mut checked_ones = instance.addresses.iter().chain(&instance.settings().virtual_ipaddress_excluded);
        let checked = checked_ones.any(|address| address.options.contains(&checked));
        if checked {
            return Handover::Immediate;
        }
        let asked = handover(instance.settings().handover.as_deref()).unwrap_or(self.handover);
        if asked == Handover::Announced && shared_mac { Handover::FirstAdvert } else { asked }
    }

    /// The place of an interface among the others, which it joins when it is new.
    fn interface(&mut self, name: &Spanned<String>) -> usize {
        if let Some(known) = self.by_name.get(&name.value) {
            return *known;
        }
        let device = Device::find(&name.value, &self.links);
        if device.index.is_none() {
            let here = self.links.names().join(", ");
            let message = format!("interface `{}` does not exist on this host", name.value);
            let here =
                if here.is_empty() { "this host has no interface but lo".into() } else { format!("it has: {here}") };
            if self.dynamic {
                let diagnostic = Diagnostic::new(Code::TrackedMissing, name.span, message + ": it is waited for");
                self.warnings.push(diagnostic.label("no such interface yet").help(here));
            } else {
                let diagnostic = Diagnostic::new(Code::NoSuchInterface, name.span, message).label("no such interface");
                let help = format!("{here}; write `dynamic_interfaces` into `global_defs` to wait for it");
                self.refuse(diagnostic.help(help));
            }
        }
        self.place(device, None)
    }

    /// The place of whichever interface the route to this host goes by.
    fn route_to(&mut self, name: &str, peer: IpAddr) -> usize {
        if let Some(known) = self.by_name.get(name) {
            return *known;
        }
        self.links.follow_route(peer);
        self.place(Device { name: name.to_owned(), index: None, mac: None }, Some(peer))
    }

    fn place(&mut self, device: Device, route_to: Option<IpAddr>) -> usize {
        self.by_name.insert(device.name.clone(), self.interfaces.len());
        self.interfaces.push(Interface {
            device,
            route_to,
            hears: Vec::new(),
            sockets: Default::default(),
            upper: None,
            served: Vec::new(),
        });
        self.interfaces.len() - 1
    }

    fn notify(&mut self, config: &Config) -> notify::Plan {
        let mut faults = Vec::new();
        let plan = notify::Plan::new(config, &mut |script| self.script(script), &mut |fault| faults.push(fault));
        for fault in faults {
            self.refuse(fault);
        }
        plan
    }

    fn script(&mut self, script: &Script) -> Option<Program> {
        match script::find(script, self.secure) {
            Ok(Found { program, warnings }) => {
                self.warnings.extend(warnings);
                self.scripts.add(program.identity);
                Some(program)
            }
            Err(refusals) => {
                for diagnostic in refusals {
                    self.refuse(diagnostic);
                }
                None
            }
        }
    }

    fn report(&mut self, findings: Vec<Diagnostic>) {
        for finding in findings {
            match finding.severity() {
                Severity::Error => self.refuse(finding),
                Severity::Warning => self.warnings.push(finding),
            }
        }
    }

    fn refuse(&mut self, diagnostic: Diagnostic) {
        self.errors.push(StartError::Host(Box::new(diagnostic)));
    }
}

/// What `handover` says.
fn handover(word: Option<&str>) -> Option<Handover> {
    word.map(|word| if word == "immediate" { Handover::Immediate } else { Handover::Announced })
}

/// How adverts prove who sent them.
fn auth(instance: &Instance) -> Result<Auth, StartError> {
    if let Some(hmac) = &instance.settings().auth_hmac {
        return match keys::config(hmac, instance.interval) {
            Ok(config) => Ok(Auth::hmac(config)),
            Err(Unusable::File(diagnostic)) => Err(StartError::Host(diagnostic)),
            Err(Unusable::Keys(error)) => Err(StartError::unfit(Code::BadKey, &instance.name, instance.span, &error)),
        };
    }
    Ok(match instance.password {
        None => Auth::None,
        Some(password) if instance.authentication_header => Auth::Ah(AhKey::new(password)),
        Some(password) => Auth::SimpleText(password),
    })
}

/// The family of its addresses, which have one in common.
fn family(instance: &Instance) -> Family {
    let first = instance.addresses.first();
    if first.is_some_and(|first| first.address.is_ipv6()) { Family::V6 } else { Family::V4 }
}

fn one(error: vrrp_netlink::Error) -> Vec<StartError> {
    vec![StartError::Kernel(error)]
}

fn names(capabilities: &[Capability]) -> String {
    let names: Vec<_> = capabilities.iter().map(|capability| capability.name()).collect();
    names.join(" and ")
}
