//! The checked configuration: what the rest of the daemon reads.
//!
//! Every value is in its range and every default is filled in. Spans stay with what only the running host can refuse
//! (a missing interface, say), so that it can be reported at its place in the file.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use vrrp_core::{AdvertInterval, Priority, SimplePassword, Version, Vrid};

pub(crate) use super::source::{Span, Spanned};

mod check;
mod garp;
mod lines;
mod rules;
mod value;
mod written;

pub use self::check::{CheckSetting, HttpUrl};
pub use self::garp::Garp;
pub(crate) use self::lines::in_subnet;
pub use self::lines::{
    AddressOption, LineOption, LinkbeatInterface, OptionValue, Peer, Route, Rule, Track, UpDownDelay, WeightSetting,
};
pub use self::value::{
    DeletedNotify, ExtraInterfaces, HmacAuth, HmacKeySource, HmacSecret, InitialValue, IpvlanSetting, Password,
    ReceiveBuffer, SmtpHost, SyncDaemonSetting, VmacSetting,
};
pub(crate) use self::value::{Slot, Value};
pub(crate) use self::written::{Item, Shown, Written};
pub use super::keywords::blocks::{
    BfdSettings, FileSettings, GarpGroupSettings, HmacSettings, ProcessSettings, ProcessTrackSettings, ScriptSettings,
    SyncGroupSettings, TrackGroupSettings,
};
pub use super::keywords::global::GlobalSettings;
pub use super::keywords::instance::InstanceSettings;

/// A whole configuration.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Config {
    /// Settings of the host.
    pub global: Global,
    /// The virtual routers in the order of the text.
    pub instances: Vec<Instance>,
    /// Settings at the top level of the file.
    pub process: ProcessSettings,
    /// `vrrp_script`
    pub scripts: Vec<Named<ScriptSettings>>,
    /// `track_file`
    pub files: Vec<Named<FileSettings>>,
    /// `vrrp_track_process`
    pub processes: Vec<Named<ProcessTrackSettings>>,
    /// `bfd_instance`
    pub bfd: Vec<Named<BfdSettings>>,
    /// `vrrp_sync_group`
    pub sync_groups: Vec<Named<SyncGroupSettings>>,
    /// `garp_group`
    pub garp_groups: Vec<Named<GarpGroupSettings>>,
    /// `track_group`
    pub track_groups: Vec<Named<TrackGroupSettings>>,
}

impl Config {
    /// The sync groups that have members, in the order in which the node counts them.
    pub fn groups(&self) -> impl Iterator<Item = &Named<SyncGroupSettings>> {
        self.sync_groups.iter().filter(|group| !group.settings.group.is_empty())
    }
}

/// A block and its name, unique among the blocks of its kind. (`garp_group` has none; it is empty then.)
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named<T> {
    /// The name.
    pub name: Spanned<String>,
    /// What the block sets.
    pub settings: T,
}

/// What `global_defs` holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Global {
    /// Name of this host in messages; its hostname when `None`.
    pub router_id: Option<String>,
    /// `vrrp_version`: that of the instances which choose none, 2 unless set.
    pub version: Version,
    /// Multicast group of the adverts, 224.0.0.18 unless set.
    pub mcast_group4: Ipv4Addr,
    /// `vrrp_mcast_group6`: the same of IPv6, ff02::12 unless set.
    pub mcast_group6: Ipv6Addr,
    /// `script_user`: whom scripts run as that name nobody; they have it filled in.
    pub script_user: Option<ScriptOwner>,
    /// Everything else.
    pub settings: Box<GlobalSettings>,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            router_id: None,
            version: Version::V2,
            mcast_group4: Ipv4Addr::new(224, 0, 0, 18),
            mcast_group6: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12),
            script_user: None,
            settings: Box::default(),
        }
    }
}

/// One virtual router.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    /// Unique among all instances.
    pub name: String,
    /// The words `vrrp_instance NAME`.
    pub span: Span,
    /// `state`: what it is meant to be; the election decides.
    pub initial: Initial,
    /// `interface`: 1 to 15 octets, not `lo`; whether it exists is not known here. Where `route_to` says so, words that no
    /// interface is called.
    pub interface: Spanned<String>,
    /// A unicast instance without `interface` goes by the kernel's route to its first peer, this one. Each of its addresses has
    /// a `dev`, and no peer is link-local.
    pub route_to: Option<IpAddr>,
    /// `virtual_router_id`, unique on its interface among the instances of its family.
    pub vrid: Vrid,
    /// `priority`: 100 unless set, or 255 for `state MASTER`.
    pub priority: Priority,
    /// `version`, or that of `global_defs`.
    pub version: Version,
    /// `advert_int`: 1 s unless set. Its unit is the protocol version's.
    pub interval: AdvertInterval,
    /// Whether to take over from a master of lower priority; true unless `nopreempt` is set and has an effect.
    pub preempt: bool,
    /// `mcast_src_ip`: source of the adverts, of the family of the addresses; the interface's primary address, or its
    /// link-local one, when `None`.
    pub mcast_source: Option<IpAddr>,
    /// Whether VRRPv3's adverts over IPv4 have the checksum without pseudo-header, as RFC 9568 wants it.
    pub v3_checksum_as_v2: bool,
    /// `auth_pass`, where an `auth_type` is set, the version is 2 and there is no `auth_hmac`.
    pub password: Option<SimplePassword>,
    /// `auth_type AH`: the password is the key of an Authentication Header, and not sent.
    pub authentication_header: bool,
    /// `virtual_ipaddress`: 1 to 255 of one family, each only once in the whole configuration. Of IPv6, the first is
    /// link-local in strict mode.
    pub addresses: Vec<VirtualAddress>,
    /// The commands to run at transitions.
    pub notify: Notify,
    /// Everything else; `None` when the block sets nothing else, as most do. See [`Instance::settings`].
    pub more: Option<Box<InstanceSettings>>,
}

impl Instance {
    /// What the block sets beside the fields above.
    pub fn settings(&self) -> &InstanceSettings {
        static NONE: LazyLock<InstanceSettings> = LazyLock::new(InstanceSettings::default);
        self.more.as_deref().unwrap_or(&NONE)
    }
}

/// `state`: a hint which router is meant to be master when all are well.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Initial {
    /// `state MASTER`, or priority 255.
    Master,
    /// `state BACKUP`, or no `state`.
    Backup,
}

/// One line of `virtual_ipaddress`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VirtualAddress {
    /// An address that a host can have.
    pub address: IpAddr,
    /// 0 to 32, or to 128 for IPv6, which is the default.
    pub prefix_len: u8,
    /// `dev`: the interface to put it on; the instance's own when `None`.
    pub device: Option<Spanned<String>>,
    /// `brd`, with `+` and `-` worked out; none for prefixes of 31 and 32 unless written as an address.
    pub broadcast: Option<Ipv4Addr>,
    /// `scope` as the kernel counts: 0 global, 200 site, 253 link, 254 host, 255 nowhere.
    pub scope: Option<u8>,
    /// `label`: at most 15 octets.
    pub label: Option<String>,
    /// The other options.
    pub options: Vec<AddressOption>,
    /// The whole line.
    pub span: Span,
}

/// Commands to run when the state changes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Notify {
    /// `notify_master`
    pub master: Option<Script>,
    /// `notify_backup`
    pub backup: Option<Script>,
    /// `notify_fault`
    pub fault: Option<Script>,
    /// `notify_stop`
    pub stop: Option<Script>,
    /// `notify`: run at every transition; `INSTANCE`, the name, the state and the priority are appended.
    pub generic: Option<Script>,
}

/// A command with its arguments, split without a shell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    /// The program and its arguments; never empty.
    pub words: Vec<String>,
    /// User to run it as; whether it exists is not known here.
    pub user: Option<String>,
    /// Group to run it as.
    pub group: Option<String>,
    /// The command as written.
    pub span: Span,
}

/// A user, and perhaps a group, to run scripts as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptOwner {
    /// Whether it exists is not known here.
    pub user: String,
    /// The user's own when `None`.
    pub group: Option<String>,
}
