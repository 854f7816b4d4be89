//! Advice about one file: it runs, but hardly as meant. Each kind has a code and can be silenced.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;

use super::place;
use crate::config::model::{ScriptSettings, SyncGroupSettings, Track, WeightSetting, in_subnet};
use crate::config::{Code, Config, Diagnostic, Instance, Script, SourceMap, Span, VirtualAddress};
use crate::daemon;
use crate::routing::{Names, Routing};

/// Largest packet of Ethernet, unless the operator says otherwise.
const ETHERNET_MTU: usize = 1500;
/// Octets of an advert over IPv6 without its addresses: both headers.
const IPV6_HEADERS: usize = 40 + 8;
const IPV6_ADDRESS: usize = 16;
const HMAC_TRAILER: usize = vrrp_core::auth::trailer::LEN;

/// Adds what there is to say. `here`: the file is meant for this host, so that its scripts can be looked at.
pub(super) fn advise(sources: &SourceMap, config: &Config, here: bool, found: &mut Vec<Diagnostic>) {
    let mut advisor = Advisor { sources, config, found };
    advisor.owners();
    if here {
        advisor.scripts();
        advisor.firewall();
    }
    let names = if here { Names::of_config(config) } else { Names::built_in() };
    let other_host = |finding: &Diagnostic| !here && finding.code == Code::NoSuchName;
    let routing = Routing::plan(config, &names).findings;
    routing.into_iter().filter(|finding| !other_host(finding)).for_each(|finding| advisor.push(finding));
    advisor.weights();
    advisor.timeouts();
    advisor.addresses();
    advisor.lengths();
    advisor.mail();
    advisor.extra_interfaces();
    advisor.unused();
    advisor.vrids();
    advisor.groups();
}

struct Advisor<'a> {
    sources: &'a SourceMap,
    config: &'a Config,
    found: &'a mut Vec<Diagnostic>,
}

impl<'a> Advisor<'a> {
    fn tell(&mut self, code: Code, span: Span, message: String, help: &str) {
        self.push(Diagnostic::new(code, span, message).help(help));
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        if self.found.len() < super::MOST {
            self.found.push(diagnostic);
        }
    }

    fn owners(&mut self) {
        let config = self.config;
        for instance in config.instances.iter().filter(|instance| instance.priority.is_owner()) {
            let owned = |address: &VirtualAddress| {
                config.process.static_ipaddress.iter().any(|own| own.address == address.address)
            };
            let span = place::of(self.sources, instance, "priority");
            // Without `priority` the reader has said it.
            if instance.addresses.iter().any(owned) || span == instance.span {
                continue;
            }
            let message = "priority 255 is for the router that has the addresses as its own".to_owned();
            let help = "use at most 254: such a router takes over even where `nopreempt` is set, and trackers cannot \
                        lower its priority";
            self.tell(Code::OwnerUnlikely, span, message, help);
        }
    }

    fn scripts(&mut self) {
        let config = self.config;
        let mut seen = HashSet::new();
        let instances = config.instances.iter().flat_map(|instance| {
            let notify = &instance.notify;
            let own = [&notify.master, &notify.backup, &notify.fault, &notify.stop, &notify.generic];
            own.into_iter().flatten().chain(instance.more.iter().flat_map(|more| &more.notify_master_rx_lower_pri))
        });
        let tracked = config.scripts.iter().filter_map(|script| script.settings.script.as_ref());
        let groups = config.sync_groups.iter().flat_map(|group| {
            let own = &group.settings;
            [&own.notify_master, &own.notify_backup, &own.notify_fault, &own.notify_stop, &own.notify]
                .into_iter()
                .flatten()
        });
        let global = &config.global.settings;
        let host = [
            &global.startup_script,
            &global.shutdown_script,
            &global.notify_fifo_script,
            &global.vrrp_notify_fifo_script,
        ];
        for script in instances.chain(tracked).chain(groups).chain(host.into_iter().flatten()) {
            if let Some(path) = script.words.first()
                && seen.insert(path.as_str())
            {
                self.script(script, path);
            }
        }
    }

    /// Looks at the file of a command; one without a path is looked for by the daemon.
    fn script(&mut self, script: &Script, path: &str) {
        if !path.starts_with('/') {
            return;
        }
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let help = "create it, correct the path, or allow this when the file is for another host";
                self.tell(Code::ScriptMissing, script.span, format!("`{path}` does not exist on this host"), help);
            }
            Ok(file) if !file.is_file() => {
                let message = format!("`{path}` is not a file");
                self.tell(Code::ScriptNotExecutable, script.span, message, "name the file of a program");
            }
            Ok(file) if file.mode() & 0o111 == 0 => {
                let message = format!("`{path}` is not executable");
                let help = format!("`chmod +x {path}`");
                self.tell(Code::ScriptNotExecutable, script.span, message, &help);
            }
            Ok(file) if file.mode() & 0o022 != 0 => {
                let who = if file.mode() & 0o002 != 0 { "everybody" } else { "its group" };
                let message = format!("{who} can change `{path}`, which the daemon runs");
                let help = format!("`chmod go-w {path}`");
                self.tell(Code::ScriptWritable, script.span, message, &help);
            }
            // What cannot be looked at is not judged: a check needs no privileges.
            Ok(_) | Err(_) => {}
        }
    }

    fn firewall(&mut self) {
        let config = self.config;
        let silent = config.instances.iter().find(|instance| !instance.params(&config.global).accepts());
        if let Some(instance) = silent.filter(|_| vrrp_netlink::firewall::find().is_none()) {
            self.push(daemon::no_nft(instance.span));
        }
    }

    fn weights(&mut self) {
        for instance in &self.config.instances {
            let priority = i32::from(instance.priority.get());
            let files = &instance.settings().track_file;
            // A file's number multiplies the weight, and `reverse` turns it round.
            let plain = |track: &&Track| !files.iter().any(|file| std::ptr::eq(file, *track));
            for track in tracks(instance).filter(plain) {
                let setting = track.weight.or_else(|| self.weight_of(&track.name.value));
                let setting = setting.filter(|setting| setting.weight != 0 && !setting.reverse);
                let Some(weight) = setting.map(|setting| i32::from(setting.weight)) else { continue };
                let name = &track.name.value;
                let message = if instance.priority.is_owner() {
                    format!("the weight of `{name}` has no effect on priority 255")
                } else if (priority + weight).clamp(1, 254) == priority {
                    format!("the weight of `{name}` cannot change the priority {priority}, which ends at 1 and 254")
                } else {
                    continue;
                };
                let help = "choose another priority, or no weight: then a failure takes the router out";
                self.tell(Code::WeightUseless, track.name.span, message, help);
            }
        }
    }

    /// That of the tracked block.
    fn weight_of(&self, name: &str) -> Option<WeightSetting> {
        let config = self.config;
        let scripts = config.scripts.iter().map(|block| (&block.name, block.settings.weight));
        let processes = config.processes.iter().map(|block| (&block.name, block.settings.weight));
        let bfd = config.bfd.iter().map(|block| (&block.name, block.settings.weight));
        let mut all = scripts.chain(processes).chain(bfd);
        all.find(|(block, _)| block.value == name).and_then(|(_, weight)| weight)
    }

    fn timeouts(&mut self) {
        for script in &self.config.scripts {
            let ScriptSettings { interval, timeout, .. } = &script.settings;
            let interval = interval.unwrap_or(std::time::Duration::from_secs(1));
            let Some(timeout) = timeout.filter(|timeout| *timeout > interval) else { continue };
            let message = format!("`{}` may take {timeout:?}, but is to run every {interval:?}", script.name.value);
            let span = place::setting(self.sources, script.name.span, "timeout");
            let help = "a hanging script is noticed only at the end of its timeout: make it no longer than `interval`";
            self.tell(Code::TimeoutTooLong, span, message, help);
        }
    }

    /// An address without a prefix is no member of the subnets that the file shows, if it shows any for its interface.
    fn addresses(&mut self) {
        let config = self.config;
        // A subnet is shown by any address with its length.
        let mut subnets: HashMap<&str, Vec<(IpAddr, u8)>> = HashMap::new();
        let device = |address: &'a VirtualAddress, own: &'a str| {
            address.device.as_ref().map_or(own, |device| device.value.as_str())
        };
        let host_length = |address: &VirtualAddress| if address.address.is_ipv4() { 32 } else { 128 };
        let fixed = config.process.static_ipaddress.iter().map(|address| ("eth0", address));
        let virtuals = config.instances.iter().flat_map(|instance| {
            instance.addresses.iter().map(move |address| (instance.interface.value.as_str(), address))
        });
        for (own, address) in fixed.chain(virtuals.clone()) {
            if address.prefix_len < host_length(address) {
                let shown = subnets.entry(device(address, own)).or_default();
                // Many addresses of one subnet are one subnet.
                if !shown.iter().any(|subnet| in_subnet(*subnet, address.address) && subnet.1 == address.prefix_len) {
                    shown.push((address.address, address.prefix_len));
                }
            }
        }
        for (own, address) in virtuals.filter(|(_, address)| address.prefix_len == host_length(address)) {
            let Some(shown) = subnets.get(device(address, own)) else { continue };
            let mut family =
                shown.iter().filter(|(subnet, _)| subnet.is_ipv4() == address.address.is_ipv4()).peekable();
            if family.peek().is_some() && !family.any(|subnet| in_subnet(*subnet, address.address)) {
                let message = format!("{} lies outside of every subnet that this file shows", address.address);
                let help = "is it mistyped? Otherwise write its prefix length, like `192.0.2.1/24`";
                self.tell(Code::AddressOutside, address.span, message, help);
            }
        }
    }

    /// Only lists of IPv6 can be too long. What the MTU is shows when the router runs.
    fn lengths(&mut self) {
        let config = self.config;
        for instance in config.instances.iter().filter(|one| one.addresses.iter().any(|a| a.address.is_ipv6())) {
            let trailer = instance.settings().auth_hmac.as_ref().map_or(0, |_| HMAC_TRAILER);
            let most = (ETHERNET_MTU - IPV6_HEADERS - trailer) / IPV6_ADDRESS;
            let Some(first) = instance.addresses.get(most) else { continue };
            let count = instance.addresses.len();
            let length = IPV6_HEADERS + trailer + count * IPV6_ADDRESS;
            let message =
                format!("the advertisement of {count} addresses has {length} octets, and Ethernet carries 1500");
            let diagnostic = Diagnostic::new(Code::AdvertTooLong, first.span, message);
            let help = "the router is in FAULT where the MTU is smaller than its advertisement: move the rest to \
                        `virtual_ipaddress_excluded`, which is installed and not advertised";
            self.push(diagnostic.label(format!("this is number {}", most + 1)).help(help));
        }
    }

    fn mail(&mut self) {
        let config = self.config;
        let global = &config.global.settings;
        let wanted = [global.smtp_alert, global.smtp_alert_vrrp, global.smtp_alert_checker].contains(&Some(true))
            || config.instances.iter().any(|instance| instance.settings().smtp_alert == Some(true))
            || config.sync_groups.iter().any(|group| group.settings.smtp_alert == Some(true));
        let addressed = !global.notification_email.is_empty();
        if (wanted || addressed) && global.smtp_server.is_none() {
            let diagnostic =
                Diagnostic::without_place(Code::MailWithoutServer, "mail is to be sent, but there is no `smtp_server`");
            self.push(diagnostic.help("add `smtp_server HOST` to `global_defs`"));
        }
        let in_clear = !matches!(global.smtp_tls.as_deref(), Some("starttls" | "tls"));
        let here =
            |host: &str| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if let Some(server) = global.smtp_server.as_ref().filter(|server| in_clear && !here(&server.host))
            && global.smtp_user.is_some()
        {
            let message = format!("the password for `{}` is sent in clear", server.host);
            let diagnostic = Diagnostic::without_place(Code::MailLoginInClear, message);
            self.push(diagnostic.help("add `smtp_tls starttls` or `smtp_tls tls` to `global_defs`"));
        }
        if addressed && global.smtp_server.is_some() && !wanted {
            let message = "`notification_email` has no effect: `smtp_alert` is on nowhere";
            let diagnostic = Diagnostic::without_place(Code::NoEffect, message);
            self.push(diagnostic.help("add `smtp_alert` to `global_defs`, or to the instances to hear of"));
        }
        if wanted && !addressed {
            let diagnostic =
                Diagnostic::without_place(Code::MailToNobody, "`smtp_alert` is on, but nobody is to get mail");
            self.push(diagnostic.help("add a block `notification_email { ... }` to `global_defs`"));
        }
    }

    /// The instances' own lines are looked at where they are read.
    fn extra_interfaces(&mut self) {
        let config = self.config;
        let has_virtual = |instance: &Instance| {
            let own = instance.settings();
            own.use_vmac.is_some() || own.use_ipvlan.is_some() || own.use_vmac_addr
        };
        let extra = config.global.settings.vrrp_garp_extra_if.filter(|extra| !extra.all && !extra.interval.is_zero());
        if extra.is_some() && !config.instances.iter().any(has_virtual) {
            let message =
                "`vrrp_garp_extra_if` has no effect without `all`, unless addresses are on virtual interfaces";
            let diagnostic = Diagnostic::without_place(Code::NoEffect, message);
            self.push(diagnostic.help("write `vrrp_garp_extra_if all SECONDS`, or remove it"));
        }
    }

    fn unused(&mut self) {
        let config = self.config;
        let mut used: HashSet<&str> = HashSet::new();
        for instance in config.instances.iter().filter(|instance| instance.more.is_some()) {
            used.extend(tracks(instance).map(|track| track.name.value.as_str()));
        }
        for group in &config.sync_groups {
            used.extend(group_tracks(&group.settings).map(|track| track.name.value.as_str()));
        }
        let scripts = config.scripts.iter().map(|block| ("vrrp_script", &block.name));
        let files = config.files.iter().map(|block| ("track_file", &block.name));
        let processes = config.processes.iter().map(|block| ("vrrp_track_process", &block.name));
        let bfd = config.bfd.iter().map(|block| ("bfd_instance", &block.name));
        for (kind, name) in scripts.chain(files).chain(processes).chain(bfd) {
            if !used.contains(name.value.as_str()) {
                let message = format!("no instance tracks the {kind} `{}`", name.value);
                let help = match kind {
                    "vrrp_script" => "add it to the `track_script` block of an instance, or remove it",
                    _ => "track it in an instance, or remove it",
                };
                self.tell(Code::Unused, name.span, message, help);
            }
        }
    }

    fn vrids(&mut self) {
        let mut first: HashMap<u8, &Instance> = HashMap::new();
        let by_multicast = |instance: &&Instance| instance.settings().unicast_peer.is_empty();
        for instance in self.config.instances.iter().filter(by_multicast) {
            let vrid = instance.vrid.get();
            let Some(other) = first.get(&vrid) else {
                first.insert(vrid, instance);
                continue;
            };
            let message = format!("VRID {vrid} is used on `{}`, too", other.interface.value);
            let there = place::of(self.sources, other, "virtual_router_id");
            let diagnostic =
                Diagnostic::new(Code::VridShared, place::of(self.sources, instance, "virtual_router_id"), message)
                    .also(there, "used here before")
                    .help("that is right as long as the interfaces are on different LANs");
            self.push(diagnostic);
            // A large file says it once.
            break;
        }
    }

    fn groups(&mut self) {
        for group in &self.config.sync_groups {
            if let [only] = group.settings.group.as_slice() {
                let message = format!("the sync group `{}` has one member only", group.name.value);
                self.tell(Code::GroupOfOne, only.span, message, "add the others, or remove the group");
            }
        }
    }
}

/// All that an instance tracks.
pub(super) fn tracks(instance: &Instance) -> impl Iterator<Item = &Track> {
    let own = instance.settings();
    let lists = [&own.track_interface, &own.track_script, &own.track_file, &own.track_process, &own.track_bfd];
    lists.into_iter().flatten()
}

fn group_tracks(group: &SyncGroupSettings) -> impl Iterator<Item = &Track> {
    [&group.track_script, &group.track_file, &group.track_process, &group.track_bfd].into_iter().flatten()
}
