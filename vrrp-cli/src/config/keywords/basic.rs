//! The rows that have a meaning of their own in the lowering: what each virtual router needs, and the blocks.

use super::shape::{SECOND, WORD_MAX};
use super::{Aliases, Built, Context, Keyword, Lines, Meaning, Repeat, Shape};

/// Blocks at the top level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RootBlock {
    GlobalDefs,
    VrrpInstance,
    SyncGroup,
    Script,
    TrackFile,
    TrackProcess,
    Bfd,
    GarpGroup,
    TrackGroup,
}

/// Settings of `global_defs`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GlobalSetting {
    RouterId,
    VrrpVersion,
    McastGroup4,
    McastGroup6,
    ScriptUser,
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

const NONE: &str = "none";
const LATER: Built = Built::NotYet;

pub(super) const ROWS: &[Keyword] = {
    use AuthSetting as A;
    use GlobalSetting as G;
    use InstanceSetting as I;
    use RootBlock as R;
    &[
        block("global_defs", R::GlobalDefs, Context::Global, Built::Yes, "settings of the host"),
        block("vrrp_instance", R::VrrpInstance, Context::Instance, Built::Yes, "a virtual router"),
        block("vrrp_sync_group", R::SyncGroup, Context::SyncGroup, Built::Yes, "instances that change state together"),
        block("vrrp_script", R::Script, Context::Script, Built::Yes, "a command that instances can track"),
        block("track_file", R::TrackFile, Context::TrackFile, Built::Yes, "a file whose number instances can track"),
        block(
            "vrrp_track_process",
            R::TrackProcess,
            Context::TrackProcess,
            Built::Yes,
            "processes that instances can track",
        ),
        block("bfd_instance", R::Bfd, Context::Bfd, LATER, "a BFD session that instances can track"),
        block(
            "garp_group",
            R::GarpGroup,
            Context::GarpGroup,
            Built::Yes,
            "a common pace of announcements on some interfaces",
        ),
        block("track_group", R::TrackGroup, Context::TrackGroup, Built::Yes, "instances that fail with a static entry"),
        global(
            "router_id",
            G::RouterId,
            Shape::Word("NAME", WORD_MAX),
            "the hostname",
            "name of this host in messages",
        ),
        global("vrrp_version", G::VrrpVersion, Shape::Choice(&["2", "3"]), "2", "protocol version of all instances"),
        global("vrrp_mcast_group4", G::McastGroup4, Shape::Multicast4, "224.0.0.18", "where adverts are sent to"),
        global("vrrp_mcast_group6", G::McastGroup6, Shape::Multicast6, "ff02::12", "where adverts of IPv6 are sent to"),
        global(
            "script_user",
            G::ScriptUser,
            Shape::Owner,
            "`keepalived_script` if it exists, else the daemon's",
            "whom to run scripts as that name no user themselves",
        ),
        instance("state", I::State, Shape::Choice(&["MASTER", "BACKUP"]), "BACKUP", "state to begin in, a hint"),
        instance(
            "interface",
            I::Interface,
            Shape::Interface,
            "required, unless there is a `unicast_peer`",
            "the interface adverts are sent on",
        ),
        instance(
            "virtual_router_id",
            I::VirtualRouterId,
            Shape::Int(1, 255, ""),
            "required",
            "identifier of the virtual router, the same on all its hosts",
        ),
        instance(
            "priority",
            I::Priority,
            Shape::Int(1, 255, ""),
            "100, or 255 with `state MASTER`",
            "the highest becomes master",
        ),
        instance(
            "advert_int",
            I::AdvertInt,
            Shape::Seconds(SECOND / 100, 255 * SECOND),
            "1",
            "time between two adverts",
        ),
        instance("version", I::Version, Shape::Choice(&["2", "3"]), "`vrrp_version`", "protocol version"),
        instance("nopreempt", I::Nopreempt, Shape::Flag, "preempt", "leave a master of lower priority alone"),
        instance("preempt", I::Preempt, Shape::Flag, "preempt", "take over from a master of lower priority"),
        instance(
            "mcast_src_ip",
            I::McastSrcIp,
            Shape::Address,
            "the interface's, for IPv6 the link-local one",
            "source address of adverts",
        ),
        Keyword {
            opens: Some(Context::Authentication),
            ..instance("authentication", I::Authentication, Shape::Block, NONE, "password of the group")
        },
        Keyword {
            opens: Some(Context::Addresses),
            repeat: Repeat::Adds,
            ..instance(
                "virtual_ipaddress",
                I::VirtualIpaddress,
                Shape::Lines(Lines::Addresses),
                "required",
                "the addresses the master holds, one on each line",
            )
        },
        notify("notify_master", I::NotifyMaster, "run when this router becomes master"),
        notify("notify_backup", I::NotifyBackup, "run when this router becomes backup"),
        notify("notify_fault", I::NotifyFault, "run when this router cannot work"),
        notify("notify_stop", I::NotifyStop, "run when this router is stopped"),
        notify("notify", I::Notify, "run at every transition, with four arguments that tell which"),
        auth("auth_type", A::Type, Shape::Choice(&["PASS", "AH"]), "kind of authentication"),
        auth(
            "auth_pass",
            A::Pass,
            Shape::Word("PASSWORD", 8),
            "password, at most eight octets; sent in clear, or the key of `AH`",
        ),
    ]
};

pub(super) const ALIASES: Aliases = &[(Context::Root, "vrrp_track_file", "track_file")];

const fn block(name: &'static str, block: RootBlock, opens: Context, built: Built, doc: &'static str) -> Keyword {
    let shape = if matches!(block, RootBlock::GlobalDefs | RootBlock::GarpGroup) { Shape::Block } else { Shape::Named };
    let row = Keyword::value(name, Context::Root, shape, NONE, built, doc);
    Keyword { opens: Some(opens), repeat: Repeat::Adds, meaning: Meaning::Root(block), ..row }
}

const fn global(
    name: &'static str,
    setting: GlobalSetting,
    shape: Shape,
    default: &'static str,
    doc: &'static str,
) -> Keyword {
    let row = Keyword::value(name, Context::Global, shape, default, Built::Yes, doc);
    Keyword { meaning: Meaning::Global(setting), ..row }
}

const fn instance(
    name: &'static str,
    setting: InstanceSetting,
    shape: Shape,
    default: &'static str,
    doc: &'static str,
) -> Keyword {
    let row = Keyword::value(name, Context::Instance, shape, default, Built::Yes, doc);
    Keyword { meaning: Meaning::Instance(setting), ..row }
}

const fn notify(name: &'static str, setting: InstanceSetting, doc: &'static str) -> Keyword {
    instance(name, setting, Shape::Command, NONE, doc)
}

const fn auth(name: &'static str, setting: AuthSetting, shape: Shape, doc: &'static str) -> Keyword {
    let row = Keyword::value(name, Context::Authentication, shape, NONE, Built::Yes, doc);
    Keyword { meaning: Meaning::Authentication(setting), ..row }
}
