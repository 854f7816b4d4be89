//! `vrrp_instance`, and what instances must not share.

use std::collections::HashMap;
use std::net::IpAddr;

use vrrp_core::{AdvertInterval, Priority, SimplePassword, Version, Vrid};

use super::vrids::Vrids;
use super::{Context, Diagnostic, Lowerer, Setting};
use crate::config::diagnostic::Code;
use crate::config::keywords::{AuthSetting, InstanceSetting, Meaning};
use crate::config::model::{Global, Initial, Instance, InstanceSettings, Notify, Script, ScriptOwner, VirtualAddress};
use crate::config::script::{self, SplitError};
use crate::config::source::{Span, Spanned};
use crate::config::tree::{Block, Word};

const VRID_HELP: &str = "the VRID is one octet, and every router of the group has the same one";
const PRIORITY_HELP: &str =
    "the default is 100, the owner of the addresses has 255, and 0 means \"I stop\" on the wire";

/// What is taken already, and where.
#[derive(Default)]
pub(super) struct Claims {
    pub(super) names: HashMap<String, Span>,
    /// Settings of instances that lack something, whose names are looked up all the same.
    pub(super) incomplete: Vec<InstanceSettings>,
    vrids: Vrids,
    /// A link-local one belongs to its interface.
    addresses: HashMap<(IpAddr, Option<String>), Span>,
}

/// A setting on its way; `Refused` was reported and counts as given.
#[derive(Default)]
enum Field<T> {
    #[default]
    Missing,
    Refused,
    Given(T),
}

impl<T> Field<T> {
    fn new(value: Option<T>) -> Self {
        value.map_or(Self::Refused, Self::Given)
    }

    fn given(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Missing | Self::Refused => None,
        }
    }
}

#[derive(Default)]
pub(super) struct Draft<'t, 's> {
    initial: Field<Initial>,
    interface: Field<Spanned<String>>,
    route_to: Option<IpAddr>,
    vrid: Field<Spanned<Vrid>>,
    priority: Field<Priority>,
    version: Field<Spanned<Version>>,
    /// Its unit is that of the version, which may come later.
    interval: Option<&'t Word<'s>>,
    nopreempt: Option<Span>,
    mcast_source: Option<Spanned<IpAddr>>,
    /// The password, and whether it is the key of an Authentication Header.
    pub(super) password: Option<Spanned<(SimplePassword, bool)>>,
    /// `None`: no block. A line that was refused counts in the second number.
    addresses: Option<(Vec<VirtualAddress>, usize)>,
    notify: Notify,
    pub(super) more: Option<Box<InstanceSettings>>,
}

impl Draft<'_, '_> {
    pub(super) fn starts_as_master(&self) -> bool {
        matches!(self.initial, Field::Given(Initial::Master))
    }

    pub(super) fn begin_as(&mut self, initial: Initial) {
        self.initial = Field::Given(initial);
    }

    pub(super) fn has_priority(&self) -> bool {
        matches!(self.priority, Field::Given(_))
    }

    pub(super) fn is_owner(&self) -> bool {
        match &self.priority {
            Field::Given(priority) => priority.is_owner(),
            Field::Missing | Field::Refused => false,
        }
    }

    pub(super) fn is_strict(&self, global: &Global) -> bool {
        self.more.as_ref().and_then(|more| more.strict_mode).unwrap_or(global.settings.vrrp_strict)
    }

    pub(super) fn preempts(&self) -> bool {
        self.nopreempt.is_none()
    }

    pub(super) fn has_source(&self) -> bool {
        self.mcast_source.is_some()
    }

    pub(super) fn first_address(&self) -> Option<(IpAddr, Span)> {
        let (read, _) = self.addresses.as_ref()?;
        read.first().map(|first| (first.address, first.span))
    }

    fn is_v6(&self) -> bool {
        self.addresses.as_ref().is_some_and(|(read, _)| read.first().is_some_and(|first| first.address.is_ipv6()))
    }
}

impl<'t, 's> Lowerer<'t, 's, '_> {
    /// `None` when the instance lacks something it cannot do without, all of which is reported.
    pub(super) fn instance(
        &mut self,
        setting: &Setting<'t, 's>,
        global: &Global,
        claims: &mut Claims,
    ) -> Option<Instance> {
        let name = setting.value().map(|word| word.text.as_ref().to_owned());
        let span = setting.span();
        if let Some(name) = &name
            && let Some(first) = claims.names.insert(name.clone(), span)
        {
            let message = format!("there are two instances `{name}`");
            let diagnostic = Diagnostic::new(Code::DuplicateInstance, span, message)
                .also(first, "the first one")
                .help("give each instance its own name");
            self.tolerate(true, |lowerer| lowerer.report(diagnostic));
            if self.sink.compat {
                claims.names.insert(name.clone(), first);
                return None;
            }
        }
        let block = setting.block?;
        let mut draft = Draft::default();
        self.read(&block.statements, Context::Instance, &mut |lowerer, setting| {
            if let Meaning::Instance(meaning) = setting.keyword.meaning {
                use InstanceSetting as I;
                let single = matches!(meaning, I::State | I::VirtualRouterId | I::Priority | I::Version);
                lowerer.tolerate(single, |lowerer| lowerer.instance_setting(meaning, &setting, &mut draft));
            } else if let Some(value) = lowerer.setting(&setting) {
                let name = setting.keyword.renamed.unwrap_or(setting.keyword.name);
                draft.more.get_or_insert_default().put(name, value);
            }
        });
        self.settle_route(&mut draft, block);
        self.require(&draft, span);
        self.settle_strict(&mut draft, block, global);
        self.settle_preempt(&mut draft, span);
        self.settle_family(&mut draft, global);
        self.settle_interactions(&mut draft, block);
        if let (Field::Given(interface), Field::Given(vrid)) = (&draft.interface, &draft.vrid) {
            let source = draft.mcast_source.map(|source| source.value);
            let domain = (interface.value.clone(), draft.is_v6());
            self.claim_vrid(&mut claims.vrids, &domain, *vrid, (draft.more.as_deref(), source));
        }
        self.claim_addresses(&mut draft, claims, span);
        let (version, interval) = self.settle_version(&mut draft, global);
        let priority = match (&draft.priority, &draft.initial) {
            (Field::Given(priority), _) => *priority,
            (_, Field::Given(Initial::Master)) => Priority::OWNER,
            (..) => Priority::default(),
        };
        self.settle_accept(&mut draft, block, global, (version, priority));
        let initial =
            if priority.is_owner() { Initial::Master } else { draft.initial.given().unwrap_or(Initial::Backup) };
        let whole = matches!(draft.interface, Field::Given(_)) && matches!(draft.vrid, Field::Given(_));
        if name.is_none() || !whole || interval.is_none() || draft.addresses.is_none() {
            claims.incomplete.extend(draft.more.map(|more| *more));
            return None;
        }
        let own_checksum = draft.more.as_ref().and_then(|more| more.v3_checksum_as_v2);
        Some(Instance {
            name: name?,
            span,
            initial,
            interface: draft.interface.given()?,
            route_to: draft.route_to,
            vrid: draft.vrid.given()?.value,
            priority,
            version,
            interval: interval?,
            preempt: draft.nopreempt.is_none(),
            mcast_source: draft.mcast_source.map(|source| source.value),
            v3_checksum_as_v2: own_checksum.or(global.settings.v3_checksum_as_v2).unwrap_or(false),
            authentication_header: draft.password.is_some_and(|password| password.value.1),
            password: draft.password.map(|password| password.value.0),
            addresses: draft.addresses?.0,
            notify: draft.notify.run_by(global.script_user.as_ref()),
            more: draft.more,
        })
    }

    fn instance_setting(&mut self, meaning: InstanceSetting, setting: &Setting<'t, 's>, draft: &mut Draft<'t, 's>) {
        use InstanceSetting as I;
        let value = setting.value();
        match meaning {
            I::State => draft.initial = Field::new(value.and_then(|word| self.state(word))),
            I::Interface => draft.interface = Field::new(value.and_then(|word| self.interface_name(word))),
            I::VirtualRouterId => {
                let number = value.and_then(|word| Some((self.number(word, "a VRID", 1..=255, VRID_HELP)?, word.span)));
                draft.vrid = Field::new(number.and_then(|(number, at)| Some(Spanned::new(Vrid::new(number)?, at))));
            }
            I::Priority => {
                let number = value.and_then(|word| self.number(word, "a priority", 1..=255, PRIORITY_HELP));
                draft.priority = Field::new(number.and_then(Priority::new));
            }
            I::AdvertInt => draft.interval = value,
            I::Version => {
                let read = value.and_then(|word| Some(Spanned::new(self.version(word)?, word.span)));
                draft.version = Field::new(read);
            }
            I::Nopreempt => draft.nopreempt = Some(setting.name.span),
            I::Preempt => draft.nopreempt = None,
            I::McastSrcIp => {
                let read = |word: &Word<'s>| {
                    Some(Spanned::new(self.host_ip(word, &word.text, "a source address")?, word.span))
                };
                draft.mcast_source = value.and_then(read);
            }
            I::Authentication => {
                self.expect_block(setting);
                draft.password = setting.block.and_then(|block| self.authentication(block, setting.name.span));
            }
            I::VirtualIpaddress => {
                if let Some(block) = setting.block {
                    self.addresses(block, draft.addresses.get_or_insert_default());
                } else {
                    // The missing block is reported; a missing address would be the same fault again.
                    if setting.values.is_some_and(<[_]>::is_empty) {
                        self.expect_block(setting);
                    }
                    draft.addresses.get_or_insert_default().1 += 1;
                }
            }
            I::NotifyMaster => draft.notify.master = self.script(setting),
            I::NotifyBackup => draft.notify.backup = self.script(setting),
            I::NotifyFault => draft.notify.fault = self.script(setting),
            I::NotifyStop => draft.notify.stop = self.script(setting),
            I::Notify => draft.notify.generic = self.script(setting),
        }
    }

    fn state(&mut self, word: &Word<'s>) -> Option<Initial> {
        match word.text.as_ref() {
            "MASTER" => Some(Initial::Master),
            "BACKUP" => Some(Initial::Backup),
            text => {
                let message = format!("expected `MASTER` or `BACKUP`, found `{text}`");
                let diagnostic = Diagnostic::new(Code::UnknownChoice, word.span, message);
                let meant = super::keywords::nearest_of(["MASTER", "BACKUP"].into_iter(), |name| name, text);
                self.report(match meant {
                    Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
                    None => diagnostic.help("a router that is not meant to be master has `state BACKUP`"),
                });
                None
            }
        }
    }

    fn authentication(&mut self, block: &'t Block<'s>, at: Span) -> Option<Spanned<(SimplePassword, bool)>> {
        let (mut kind, mut password) = (Field::Missing, Field::Missing);
        self.read(&block.statements, Context::Authentication, &mut |lowerer, setting| {
            let Meaning::Authentication(meaning) = setting.keyword.meaning else { return };
            let value = setting.value();
            match meaning {
                AuthSetting::Type => kind = Field::new(value.and_then(|word| lowerer.auth_type(word))),
                AuthSetting::Pass => {
                    let read = value.and_then(|word| Some((lowerer.password(word)?, word.span)));
                    password = Field::new(read);
                }
            }
        });
        match (kind, password) {
            (Field::Given(header), Field::Given((password, span))) => Some(Spanned::new((password, header), span)),
            (Field::Given(_), Field::Missing) => {
                let message = "`auth_type` needs an `auth_pass`";
                let help = "add `auth_pass PASSWORD` on a line of its own";
                let diagnostic = Diagnostic::new(Code::PasswordMissing, at, message).help(help);
                self.tolerate(true, |lowerer| lowerer.report(diagnostic));
                None
            }
            (Field::Missing, Field::Given((_, span))) => {
                let message = "the password is not used, because there is no `auth_type`";
                self.report(Diagnostic::new(Code::AuthIncomplete, span, message).help("add `auth_type PASS`"));
                None
            }
            _ => None,
        }
    }

    /// Whether it is an Authentication Header.
    fn auth_type(&mut self, word: &Word<'s>) -> Option<bool> {
        let diagnostic = match word.text.as_ref() {
            "PASS" => return Some(false),
            "AH" => return Some(true),
            text => {
                let message = format!("expected `PASS` or `AH`, found `{text}`");
                Diagnostic::new(Code::UnknownChoice, word.span, message).help("it is written `auth_type PASS`")
            }
        };
        self.report(diagnostic);
        None
    }

    fn password(&mut self, word: &Word<'s>) -> Option<SimplePassword> {
        let octets = word.text.as_bytes();
        let kept = octets.get(..SimplePassword::LEN).unwrap_or(octets);
        if kept.len() < octets.len() {
            let message = format!("the password has {} octets, only the first {} count", octets.len(), kept.len());
            let help = "VRRP version 2 has room for eight octets; keepalived cuts it the same way";
            self.report(Diagnostic::new(Code::PasswordCut, word.span, message).help(help));
        }
        let password = SimplePassword::new(kept);
        if password.is_none() {
            let diagnostic = Diagnostic::new(Code::MissingValue, word.span, "the password is empty");
            self.report(diagnostic.help("write a password of one to eight octets"));
        }
        password
    }

    fn addresses(&mut self, block: &'t Block<'s>, (read, refused): &mut (Vec<VirtualAddress>, usize)) {
        for statement in &block.statements {
            if self.sink.is_full() {
                return;
            }
            match self.tolerate(true, |lowerer| lowerer.address_line(statement, true)) {
                Some(address) => read.push(address),
                None => *refused += 1,
            }
        }
    }

    pub(super) fn script(&mut self, setting: &Setting<'t, 's>) -> Option<Script> {
        let values = setting.values?;
        let span = values.first()?.span.to(values.last()?.span);
        let raw = self.sources.text(span);
        let outer = script::split(raw).and_then(|outer| {
            let words = script::split(outer.first().map_or("", String::as_str))?;
            Ok((words, outer))
        });
        let (words, outer) = match outer {
            Ok(split) => split,
            Err(error) => {
                let message = match error {
                    SplitError::Unclosed(quote) => format!("the command holds a `{quote}` without its partner"),
                    SplitError::BadEscape => "the command holds a backslash that escapes nothing".to_owned(),
                };
                let help = "quotes group words, and a backslash escapes, also inside of the outer quotes";
                self.report(Diagnostic::new(Code::BadCommand, span, message).help(help));
                return None;
            }
        };
        if words.first().is_none_or(String::is_empty) {
            let diagnostic = Diagnostic::new(Code::BadCommand, span, "the command is empty");
            self.report(diagnostic.help("write the path of a program and its arguments, in quotes"));
            return None;
        }
        if let Some(word) = script::shell_word(&words) {
            let message = format!("`{word}` reaches `{}` as it stands: no shell is involved", words[0]);
            let help = "for what a shell does, write \"/bin/sh -c '...'\", or put it into a script";
            self.report(Diagnostic::new(Code::ShellWord, span, message).help(help));
        }
        let mut owner = outer.into_iter().skip(1);
        let (user, group) = (owner.next(), owner.next());
        let surplus = owner.next();
        if let Some(odd) = user.iter().chain(&group).find(|name| name.starts_with(['-', '/', '.'])).or(surplus.as_ref())
        {
            let message = format!("`{odd}` stands where a user or group is expected");
            let help = "put the command and its arguments into one pair of quotes";
            self.report(Diagnostic::new(Code::BadCommand, span, message).help(help));
            return None;
        }
        let group = group.map(|group| group.strip_prefix(':').map(str::to_owned).unwrap_or(group));
        Some(Script { words, user, group, span })
    }

    /// Without an interface, adverts take the route to the first peer, which says neither where the addresses are nor on which
    /// link a link-local peer is.
    fn settle_route(&mut self, draft: &mut Draft<'_, '_>, block: &Block<'_>) {
        let (Field::Missing, Some(more)) = (&draft.interface, &draft.more) else { return };
        let v6 = draft.is_v6();
        let Some(first) = more.unicast_peer.iter().map(|peer| &peer.address).find(|peer| peer.value.is_ipv6() == v6)
        else {
            return;
        };
        let own = draft.addresses.iter().flat_map(|(read, _)| read).chain(&more.virtual_ipaddress_excluded);
        let homeless = own.filter(|address| address.device.is_none());
        let homeless = homeless.map(|address| (address.span, format!("{} has no `dev`", address.address)));
        let local = |ip: IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        let unreachable = more.unicast_peer.iter().map(|peer| &peer.address).filter(|peer| local(peer.value));
        let unreachable = unreachable.map(|peer| (peer.span, format!("{} is link-local", peer.value)));
        let macs = more.use_vmac.is_some() || more.use_ipvlan.is_some();
        let macs = macs.then(|| (block.open, "an interface with addresses of its own needs one below it".to_owned()));
        let lacking = homeless.chain(unreachable).chain(macs).next();
        draft.route_to = Some(first.value);
        draft.interface = Field::Given(Spanned::new(format!("the route to {}", first.value), first.span));
        if let Some((at, why)) = lacking {
            let message = format!("{why}, and the instance has no `interface`");
            let help = "add a line like `interface eth0`; without one, each address needs a `dev`";
            self.report(Diagnostic::new(Code::MissingSetting, at, message).help(help));
        }
    }

    fn require(&mut self, draft: &Draft<'_, '_>, span: Span) {
        let compat = self.sink.compat;
        let mut missing = |what: &str, example: &str| {
            let message = format!("this instance lacks `{what}`");
            let help = format!("add a line like `{example}`");
            self.report(Diagnostic::new(Code::MissingSetting, span, message).help(help));
        };
        // A value that was tolerated is not there all the same.
        if matches!(draft.interface, Field::Missing) || (compat && matches!(draft.interface, Field::Refused)) {
            missing("interface", "interface eth0");
        }
        if matches!(draft.vrid, Field::Missing) || (compat && matches!(draft.vrid, Field::Refused)) {
            missing("virtual_router_id", "virtual_router_id 51");
        }
        let count =
            draft.addresses.as_ref().map_or(0, |(read, refused)| read.len() + if compat { 0 } else { *refused });
        if count == 0 {
            let message = "this instance has no virtual address";
            let help = "add a block like `virtual_ipaddress { 192.0.2.1/24 }`";
            self.report(Diagnostic::new(Code::NoAddress, span, message).help(help));
        }
    }

    /// A router that is meant to be master from the start, or owns the addresses, always preempts.
    fn settle_preempt(&mut self, draft: &mut Draft<'_, '_>, span: Span) {
        let master = draft.starts_as_master();
        let owner = draft.is_owner();
        if let Some(at) = draft.nopreempt.filter(|_| master || owner) {
            let why = if owner { "priority 255" } else { "`state MASTER`" };
            let message = format!("`nopreempt` has no effect together with {why}");
            let help = "give every router of the group `state BACKUP` and a priority below 255";
            self.report(Diagnostic::new(Code::NopreemptIgnored, at, message).help(help));
            draft.nopreempt = None;
        }
        if master && matches!(draft.priority, Field::Missing) {
            let message = "`state MASTER` without `priority` means priority 255";
            let help = "255 is for the owner of the addresses; add a line like `priority 150`";
            self.report(Diagnostic::new(Code::OwnerByDefault, span, message).help(help));
        }
    }

    /// The interval in the version's unit; `None` when it was refused. VRRPv3 has no password.
    fn settle_version(&mut self, draft: &mut Draft<'_, 's>, global: &Global) -> (Version, Option<AdvertInterval>) {
        let written = std::mem::take(&mut draft.version).given();
        let version = if draft.is_v6() {
            if let Some(two) = written.filter(|version| version.value == Version::V2) {
                let message = "VRRP version 2 has no IPv6 addresses";
                let help = "remove the line: an instance with IPv6 addresses has version 3";
                self.report(Diagnostic::new(Code::WrongFamily, two.span, message).help(help));
            }
            Version::V3
        } else {
            written.map_or(global.version, |version| version.value)
        };
        if version == Version::V3
            && let Some(password) = draft.password.take()
        {
            let message = "the password is not used: VRRP version 3 has no authentication";
            let help = "remove the `authentication` block, or use `version 2`";
            self.report(Diagnostic::new(Code::PasswordUnused, password.span, message).help(help));
        }
        if draft.more.as_ref().is_some_and(|more| more.auth_hmac.is_some())
            && let Some(password) = draft.password.take()
        {
            let message = "the password is not used beside `auth_hmac`";
            let diagnostic = Diagnostic::new(Code::PasswordUnused, password.span, message);
            self.report(diagnostic.help("remove the `authentication` block"));
        }
        let usual = match version {
            Version::V2 => AdvertInterval::from_secs(1),
            Version::V3 => AdvertInterval::from_centis(100),
        };
        let interval = match draft.interval {
            Some(word) => {
                let read = self.tolerate(true, |lowerer| lowerer.interval(word, version));
                read.or(usual.filter(|_| self.sink.compat))
            }
            None => usual,
        };
        (version, interval)
    }

    /// All addresses are of the first one's family; of IPv6, the first should be link-local and in strict mode is (RFC 9568
    /// section 5.2.9), and the source is in any (section 5.1.2.1).
    fn settle_family(&mut self, draft: &mut Draft<'_, '_>, global: &Global) {
        if self.sink.compat {
            self.sort_out_family(draft);
        }
        let Some((read, refused)) = &draft.addresses else { return };
        let Some((first, others)) = read.split_first() else { return };
        let family = |address: &IpAddr| if address.is_ipv4() { "IPv4" } else { "IPv6" };
        let ours = family(&first.address);
        let odd = others.iter().find(|other| family(&other.address) != ours).map(|other| (other.address, other.span));
        let source = draft.mcast_source.filter(|source| family(&source.value) != ours);
        if let Some((address, span)) = odd.or(source.map(|source| (source.value, source.span))) {
            let message = format!("{address} is not an {ours} address, as the first virtual address is");
            let diagnostic = Diagnostic::new(Code::WrongFamily, span, message)
                .also(first.span, format!("the first address, of {ours}"))
                .help("a virtual router has addresses of one family: write a second instance, which may have the same VRID");
            self.report(diagnostic);
        } else if first.address.is_ipv4() && draft.more.as_ref().is_some_and(|more| more.native_ipv6) {
            let message = format!("{} is not an IPv6 address, as `native_ipv6` wants it", first.address);
            let help = "remove `native_ipv6`: the addresses tell the family";
            self.report(Diagnostic::new(Code::WrongFamily, first.span, message).help(help));
        } else if let IpAddr::V6(address) = first.address
            && !address.is_unicast_link_local()
            && *refused == 0
        {
            let (code, verb) = if draft.is_strict(global) {
                (Code::LinkLocalFirst, "must be link-local in strict mode")
            } else {
                (Code::GlobalFirst, "should be link-local")
            };
            let diagnostic =
                Diagnostic::new(code, first.span, format!("the first address of IPv6 {verb}, {address} is not"));
            let help = "put a line like `fe80::1:2:3/64` before it, the same on every router of the group: RFC 9568 \
                        section 5.2.9 wants it, and clients use it as their default router";
            self.report(diagnostic.help(help));
        }
        if let Some(source) = draft.mcast_source
            && let (IpAddr::V6(_), IpAddr::V6(address)) = (first.address, source.value)
            && !address.is_unicast_link_local()
        {
            let message = format!("adverts over IPv6 must come from a link-local address, {address} is not");
            let help = "name a link-local address of the interface (fe80::/10), or leave the line out: RFC 9568 section 5.1.2.1 \
                        wants it";
            self.report(Diagnostic::new(Code::LinkLocalFirst, source.span, message).help(help));
        }
    }

    /// keepalived leaves out the addresses of another family.
    fn sort_out_family(&mut self, draft: &mut Draft<'_, '_>) {
        let Some((read, _)) = &mut draft.addresses else { return };
        let Some(first) = read.first().map(|first| (first.address, first.span)) else { return };
        read.retain(|other| {
            let fits = other.address.is_ipv4() == first.0.is_ipv4();
            if !fits {
                let message = format!("{} is not of the family of the first address, and is left out", other.address);
                let diagnostic = Diagnostic::new(Code::WrongFamily, other.span, message)
                    .also(first.1, "the first address")
                    .help("write a second instance, which may have the same VRID");
                self.tolerate(true, |lowerer| lowerer.report(diagnostic));
            }
            fits
        });
    }

    fn claim_addresses(&mut self, draft: &mut Draft<'_, '_>, claims: &mut Claims, span: Span) {
        const MOST: usize = 255;
        let Some((addresses, _)) = &mut draft.addresses else { return };
        let interface = match &draft.interface {
            Field::Given(interface) => Some(interface),
            Field::Missing | Field::Refused => None,
        };
        let mut free = |address: &VirtualAddress| {
            let link_local = matches!(address.address, IpAddr::V6(address) if address.is_unicast_link_local());
            let place = address.device.as_ref().or(interface).filter(|_| link_local);
            let key = (address.address, place.map(|name| name.value.clone()));
            let Some(first) = claims.addresses.insert(key, address.span) else { return true };
            let message = format!("the virtual address {} is given twice", address.address);
            let diagnostic = Diagnostic::new(Code::DuplicateAddress, address.span, message)
                .also(first, "given here before")
                .help("an address belongs to one virtual router only");
            self.tolerate(true, |lowerer| lowerer.report(diagnostic));
            false
        };
        addresses.retain(&mut free);
        if let Some(more) = &mut draft.more {
            more.virtual_ipaddress_excluded.retain(&mut free);
        }
        if let Some(first) = addresses.get(MOST) {
            let message = format!("this instance has {} virtual addresses", addresses.len());
            let diagnostic = Diagnostic::new(Code::TooManyAddresses, span, message)
                .also(first.span, format!("this is number {}", MOST + 1))
                .help(format!(
                    "an advertisement has room for {MOST}: move the rest to `virtual_ipaddress_excluded`, or to a second instance"
                ));
            self.report(diagnostic);
        }
    }
}

impl Notify {
    /// The commands, those without a user with this one.
    fn run_by(mut self, owner: Option<&ScriptOwner>) -> Self {
        let Some(owner) = owner else { return self };
        let scripts =
            [&mut self.master, &mut self.backup, &mut self.fault, &mut self.stop, &mut self.generic].into_iter();
        for script in scripts.flatten().filter(|script| script.user.is_none()) {
            script.user = Some(owner.user.clone());
            script.group.clone_from(&owner.group);
        }
        self
    }
}
