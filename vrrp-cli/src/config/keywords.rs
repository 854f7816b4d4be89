//! The words of the language: where each may stand, what follows it, what it means.
//!
//! One table drives the detection of unknown, misplaced and misspelt keywords, the count of values, and the recovery
//! from a missing or doubled brace. It knows the names of all of keepalived's keywords, also of those that are not
//! supported yet ([`later`]), so that "not supported" is never taken for "misspelt". It does not know how values are
//! checked.

use std::collections::HashMap;
use std::sync::LazyLock;

mod later;
#[cfg(test)]
mod tests;

/// A kind of block, by what may stand in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Context {
    Root,
    Global,
    Instance,
    Authentication,
    /// Lines that begin with an address, not with a keyword.
    Addresses,
    AuthHmac,
    Script,
    SyncGroup,
    TrackFile,
    TrackProcess,
    Bfd,
    GarpGroup,
    VirtualServer,
    RealServer,
    Checker,
    Url,
    /// A block whose lines are not read: a list, or unknown.
    Opaque,
}

impl Context {
    /// Completes the sentence "not allowed ...".
    pub(crate) fn place(self) -> &'static str {
        match self {
            Self::Root => "at the top level of the file",
            Self::Global => "in `global_defs`",
            Self::Instance => "in `vrrp_instance`",
            Self::Authentication => "in `authentication`",
            Self::Addresses => "in `virtual_ipaddress`",
            Self::AuthHmac => "in `auth_hmac`",
            Self::Script => "in `vrrp_script`",
            Self::SyncGroup => "in `vrrp_sync_group`",
            Self::TrackFile => "in `track_file`",
            Self::TrackProcess => "in `vrrp_track_process`",
            Self::Bfd => "in `bfd_instance`",
            Self::GarpGroup => "in `garp_group`",
            Self::VirtualServer => "in `virtual_server`",
            Self::RealServer => "in `real_server`",
            Self::Checker => "in a health check",
            Self::Url => "in `url`",
            Self::Opaque => "in this block",
        }
    }
}

/// What a supported keyword means to the lowering.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Meaning {
    Root(RootBlock),
    Global(GlobalSetting),
    Instance(InstanceSetting),
    Authentication(AuthSetting),
    /// A keyword of keepalived that is not supported yet.
    Later,
}

/// Blocks at the top level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RootBlock {
    GlobalDefs,
    VrrpInstance,
}

/// Settings of `global_defs`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GlobalSetting {
    RouterId,
    VrrpVersion,
    McastGroup4,
    McastGroup6,
    ChecksumAsV2,
}

/// Settings of `vrrp_instance`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum InstanceSetting {
    State,
    Interface,
    VirtualRouterId,
    Priority,
    AdvertInt,
    Version,
    Nopreempt,
    Preempt,
    McastSrcIp,
    ChecksumAsV2,
    Accept,
    Authentication,
    VirtualIpaddress,
    NotifyMaster,
    NotifyBackup,
    NotifyFault,
    NotifyStop,
    Notify,
}

/// Settings of `authentication`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AuthSetting {
    Type,
    Pass,
}

/// How often a keyword may stand in one block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Repeat {
    /// Once; a second one replaces the first and is warned about.
    Single,
    /// Any number; they add up.
    Adds,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyword {
    pub(crate) name: &'static str,
    pub(crate) context: Context,
    /// Fewest and most values behind the keyword.
    pub(crate) values: (usize, usize),
    /// The block behind the values, if it takes one.
    pub(crate) opens: Option<Context>,
    pub(crate) repeat: Repeat,
    pub(crate) meaning: Meaning,
    /// How it is written, for messages.
    pub(crate) usage: &'static str,
    /// What it does, in half a sentence; empty for what is not supported yet.
    pub(crate) doc: &'static str,
}

impl Keyword {
    /// A help line: how it is written and what it does.
    pub(crate) fn written(&self) -> String {
        format!("it is written `{}`: {}", self.usage, self.doc)
    }
}

/// The supported keywords.
pub(crate) const SUPPORTED: &[Keyword] = {
    use AuthSetting as A;
    use GlobalSetting as G;
    use InstanceSetting as I;
    &[
        root("global_defs", RootBlock::GlobalDefs, 0, Context::Global, "global_defs { ... }", "settings of the host"),
        root(
            "vrrp_instance",
            RootBlock::VrrpInstance,
            1,
            Context::Instance,
            "vrrp_instance NAME { ... }",
            "a virtual router",
        ),
        global("router_id", G::RouterId, "router_id NAME", "name of this host in messages"),
        global("vrrp_version", G::VrrpVersion, "vrrp_version 2", "protocol version of all instances"),
        global("vrrp_mcast_group4", G::McastGroup4, "vrrp_mcast_group4 ADDRESS", "where adverts are sent to"),
        global("vrrp_mcast_group6", G::McastGroup6, "vrrp_mcast_group6 ADDRESS", "where adverts of IPv6 are sent to"),
        Keyword {
            values: (0, 1),
            ..global(
                "v3_checksum_as_v2",
                G::ChecksumAsV2,
                "v3_checksum_as_v2",
                "VRRPv3's checksum over IPv4 without pseudo-header, as RFC 9568 wants it",
            )
        },
        instance("state", I::State, (1, 1), "state MASTER|BACKUP", "state to begin in, a hint"),
        instance("interface", I::Interface, (1, 1), "interface NAME", "the interface adverts are sent on"),
        instance(
            "virtual_router_id",
            I::VirtualRouterId,
            (1, 1),
            "virtual_router_id 1..255",
            "identifier of the virtual router, the same on all its hosts",
        ),
        instance("priority", I::Priority, (1, 1), "priority 1..255", "the highest becomes master"),
        instance("advert_int", I::AdvertInt, (1, 1), "advert_int SECONDS", "time between two adverts"),
        instance("version", I::Version, (1, 1), "version 2", "protocol version"),
        instance("nopreempt", I::Nopreempt, (0, 0), "nopreempt", "leave a master of lower priority alone"),
        instance("preempt", I::Preempt, (0, 0), "preempt", "take over from a master of lower priority"),
        instance("mcast_src_ip", I::McastSrcIp, (1, 1), "mcast_src_ip ADDRESS", "source address of adverts"),
        instance(
            "v3_checksum_as_v2",
            I::ChecksumAsV2,
            (0, 1),
            "v3_checksum_as_v2 [on|off]",
            "VRRPv3's checksum over IPv4 without pseudo-header, as RFC 9568 wants it",
        ),
        instance("accept", I::Accept, (0, 0), "accept", "serve the addresses as any other, which is the default"),
        Keyword {
            opens: Some(Context::Authentication),
            ..instance("authentication", I::Authentication, (0, 0), "authentication { ... }", "password of the group")
        },
        Keyword {
            opens: Some(Context::Addresses),
            repeat: Repeat::Adds,
            ..instance(
                "virtual_ipaddress",
                I::VirtualIpaddress,
                (0, 0),
                "virtual_ipaddress { ... }",
                "the addresses the master holds, one on each line",
            )
        },
        instance("notify_master", I::NotifyMaster, (1, 3), NOTIFY, "run when this router becomes master"),
        instance("notify_backup", I::NotifyBackup, (1, 3), NOTIFY, "run when this router becomes backup"),
        instance("notify_fault", I::NotifyFault, (1, 3), NOTIFY, "run when this router cannot work"),
        instance("notify_stop", I::NotifyStop, (1, 3), NOTIFY, "run when this router is stopped"),
        instance("notify", I::Notify, (1, 3), NOTIFY, "run at every transition, with four arguments that tell which"),
        auth("auth_type", A::Type, "auth_type PASS|AH", "kind of authentication"),
        auth("auth_pass", A::Pass, "auth_pass PASSWORD", "password, at most eight octets, sent in clear"),
    ]
};

const NOTIFY: &str = "notify... \"COMMAND ARGUMENTS\" [USER [GROUP]]";

/// The keyword `name` as it is understood in `context`.
pub(crate) fn find(context: Context, name: &str) -> Option<&'static Keyword> {
    INDEX.get(name)?.iter().find(|keyword| keyword.context == context)
}

/// All blocks in which `name` means something.
pub(crate) fn everywhere(name: &str) -> &'static [Keyword] {
    INDEX.get(name).map(Vec::as_slice).unwrap_or_default()
}

/// The keyword of `context` that `word` is most likely meant to be.
pub(crate) fn nearest(context: Context, word: &str) -> Option<&'static Keyword> {
    nearest_of(INDEX.values().flatten().filter(|keyword| keyword.context == context), |keyword| keyword.name, word)
}

/// The candidate whose name is spelt most like `word`, if any is like it at all.
pub(crate) fn nearest_of<T>(
    candidates: impl Iterator<Item = T>,
    name: impl Fn(&T) -> &'static str,
    word: &str,
) -> Option<T> {
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_ascii_lowercase().replace('-', "_");
    let distance = |candidate: &T| {
        let name = name(candidate).to_ascii_lowercase();
        let allowed = (name.chars().count() / 3).clamp(1, 4);
        // `virtualrouterid` lacks two signs but is no stranger for that.
        if name.replace('_', "") == word.replace('_', "") {
            return Some(0);
        }
        Some(strsim::damerau_levenshtein(&name, &word)).filter(|&distance| distance <= allowed)
    };
    let near = candidates.filter_map(|candidate| Some((distance(&candidate)?, candidate)));
    // The order of a hash map must not show: ties go to the name that sorts first.
    near.min_by_key(|(distance, candidate)| (*distance, name(candidate))).map(|(_, candidate)| candidate)
}

static INDEX: LazyLock<HashMap<&'static str, Vec<Keyword>>> = LazyLock::new(|| {
    let mut index: HashMap<&'static str, Vec<Keyword>> = HashMap::new();
    for keyword in SUPPORTED.iter().copied().chain(later::keywords()) {
        index.entry(keyword.name).or_default().push(keyword);
    }
    index
});

const fn root(
    name: &'static str,
    block: RootBlock,
    values: usize,
    opens: Context,
    usage: &'static str,
    doc: &'static str,
) -> Keyword {
    Keyword {
        name,
        context: Context::Root,
        values: (values, values),
        opens: Some(opens),
        repeat: Repeat::Adds,
        meaning: Meaning::Root(block),
        usage,
        doc,
    }
}

const fn global(name: &'static str, setting: GlobalSetting, usage: &'static str, doc: &'static str) -> Keyword {
    single(name, Context::Global, (1, 1), Meaning::Global(setting), usage, doc)
}

const fn instance(
    name: &'static str,
    setting: InstanceSetting,
    values: (usize, usize),
    usage: &'static str,
    doc: &'static str,
) -> Keyword {
    single(name, Context::Instance, values, Meaning::Instance(setting), usage, doc)
}

const fn auth(name: &'static str, setting: AuthSetting, usage: &'static str, doc: &'static str) -> Keyword {
    single(name, Context::Authentication, (1, 1), Meaning::Authentication(setting), usage, doc)
}

const fn single(
    name: &'static str,
    context: Context,
    values: (usize, usize),
    meaning: Meaning,
    usage: &'static str,
    doc: &'static str,
) -> Keyword {
    Keyword { name, context, values, opens: None, repeat: Repeat::Single, meaning, usage, doc }
}
