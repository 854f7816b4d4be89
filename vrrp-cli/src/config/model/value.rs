//! The values that keywords can have, and how they get into the field of their keyword.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use vrrp_core::auth::keys::Key;

use super::{
    CheckSetting, LinkbeatInterface, Peer, Route, Rule, Script, ScriptOwner, Spanned, Track, UpDownDelay,
    VirtualAddress, WeightSetting,
};
use crate::config::keywords::blocks::HmacSettings;

/// A value as the lowering reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    Bool(bool),
    Int(i64),
    Time(Duration),
    Text(String),
    Texts(Vec<String>),
    Numbers(Vec<u32>),
    Address(IpAddr),
    Name(Spanned<String>),
    Check(CheckSetting),
    Script(Script),
    Owner(ScriptOwner),
    Weight(WeightSetting),
    ExtraInterfaces(ExtraInterfaces),
    Vmac(VmacSetting),
    Ipvlan(IpvlanSetting),
    SyncDaemon(SyncDaemonSetting),
    SmtpHost(SmtpHost),
    Password(Password),
    ReceiveBuffer(ReceiveBuffer),
    InitialValue(InitialValue),
    Deleted(DeletedNotify),
    Hmac(HmacAuth),
    Secret(HmacSecret),
    Names(Vec<Spanned<String>>),
    Tracks(Vec<Track>),
    Peers(Vec<Peer>),
    Addresses(Vec<VirtualAddress>),
    Routes(Vec<Route>),
    Rules(Vec<Rule>),
    Linkbeats(Vec<LinkbeatInterface>),
    Delays(Vec<UpDownDelay>),
}

/// A field that takes the values of one kind. What is of another kind, or out of the field's range, leaves it as it is:
/// the rows of the table are tested not to do that.
pub(crate) trait Slot {
    fn put(&mut self, value: Value);
}

impl Slot for bool {
    fn put(&mut self, value: Value) {
        if let Value::Bool(value) = value {
            *self = value;
        }
    }
}

macro_rules! slots {
    (integers $($integer:ty)*) => {
        $(impl Slot for Option<$integer> {
            fn put(&mut self, value: Value) {
                if let Value::Int(value) = value {
                    *self = <$integer>::try_from(value).ok();
                }
            }
        })*
    };
    (single $($variant:ident $type:ty,)*) => {
        $(impl Slot for Option<$type> {
            fn put(&mut self, value: Value) {
                if let Value::$variant(value) = value {
                    *self = Some(value);
                }
            }
        })*
    };
    (lists $($variant:ident $type:ty,)*) => {
        $(impl Slot for Vec<$type> {
            fn put(&mut self, value: Value) {
                if let Value::$variant(values) = value {
                    self.extend(values);
                }
            }
        })*
    };
}

slots!(integers u8 i8 u16 i16 u32 i32);
slots! {
    single
    Bool bool, Time Duration, Text String, Texts Vec<String>, Numbers Vec<u32>, Address IpAddr, Name Spanned<String>,
    Check CheckSetting, Script Script, Owner ScriptOwner, Weight WeightSetting, ExtraInterfaces ExtraInterfaces, Vmac VmacSetting,
    Ipvlan IpvlanSetting, SyncDaemon SyncDaemonSetting, SmtpHost SmtpHost, Password Password, ReceiveBuffer ReceiveBuffer,
    InitialValue InitialValue, Deleted DeletedNotify, Hmac HmacAuth,
}
slots! {
    lists
    Texts String, Names Spanned<String>, Tracks Track, Peers Peer, Addresses VirtualAddress, Routes Route, Rules Rule,
    Linkbeats LinkbeatInterface, Delays UpDownDelay,
}

impl Slot for Vec<HmacSecret> {
    fn put(&mut self, value: Value) {
        if let Value::Secret(secret) = value {
            self.push(secret);
        }
    }
}

/// `garp_extra_if`: announcements on other interfaces that the addresses are on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExtraInterfaces {
    /// On all of them, not only where there is a virtual MAC address.
    pub all: bool,
    /// Time between two announcements; zero is never.
    pub interval: Duration,
}

/// `smtp_server`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SmtpHost {
    /// A name or an address.
    pub host: String,
    /// `None` is the port that is usual for the kind of encryption.
    pub port: Option<u16>,
}

/// `smtp_password`: never shown unless it is asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(...)")
    }
}

/// `vrrp_rx_bufs_policy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReceiveBuffer {
    /// Room for packets as large as the interface allows.
    Mtu,
    /// Room for the adverts that are expected.
    Advert,
    /// So many octets.
    Octets(u32),
}

/// `init_file` of a tracked file: it is created when it is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InitialValue {
    /// What it is to hold.
    pub value: i32,
    /// Also when it exists.
    pub overwrite: bool,
}

/// `use_vmac`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct VmacSetting {
    /// Name of the virtual interface; `vrrp.VRID` when `None`.
    pub name: Option<Spanned<String>>,
    /// MAC address; of five octets, the VRID is the sixth.
    pub mac: Option<Vec<u8>>,
    /// `netlink_notify_msg`: announce the link once more when it is up.
    pub netlink_notify: bool,
    /// Link group.
    pub group: Option<u32>,
}

/// `use_ipvlan`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct IpvlanSetting {
    /// Name of the virtual interface; `vrrp.VRID` when `None`.
    pub name: Option<Spanned<String>>,
    /// Address of the interface, and prefix length.
    pub address: Option<(IpAddr, u8)>,
    /// `bridge`, `private` or `vepa`.
    pub mode: Option<&'static str>,
    /// Link group.
    pub group: Option<u32>,
}

/// `lvs_sync_daemon`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncDaemonSetting {
    /// Interface to synchronise over.
    pub interface: Spanned<String>,
    /// The instance whose state it follows.
    pub instance: Option<Spanned<String>>,
    /// Number of the connection, 0 to 255.
    pub id: Option<u8>,
    /// Longest packet in octets, 1 to 65507.
    pub max_len: Option<u16>,
    /// UDP port, 8848 when `None`.
    pub port: Option<u16>,
    /// TTL, 1 to 255.
    pub ttl: Option<u8>,
    /// Multicast group.
    pub group: Option<IpAddr>,
}

/// `auth_hmac`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct HmacAuth {
    /// Its settings; the active key is one of its keys.
    pub settings: HmacSettings,
}

/// A key of `auth_hmac`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HmacSecret {
    /// 1 to 255.
    pub id: Spanned<u8>,
    /// Where the key comes from.
    pub key: HmacKeySource,
}

impl HmacSecret {
    /// The octets that a text stands for, `hex:` and digits or the key itself; `None` unless they are 32 to 64.
    pub fn octets(text: &str) -> Option<Vec<u8>> {
        let octets = match text.strip_prefix("hex:") {
            Some(digits) => hex(digits)?,
            None => text.as_bytes().to_vec(),
        };
        Some(octets).filter(|octets| (Key::MIN_LEN..=Key::MAX_LEN).contains(&octets.len()))
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let nibble = |digit: &u8| u8::try_from(char::from(*digit).to_digit(16)?).ok();
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let octets = pairs.iter().map(|[high, low]| Some(nibble(high)? << 4 | nibble(low)?));
    octets.collect::<Option<_>>().filter(|_| rest.is_empty())
}

/// Where a key comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HmacKeySource {
    /// The key itself, 32 to 64 octets.
    Octets(Vec<u8>),
    /// A file that holds it, which is not read here.
    File(Spanned<String>),
}

/// `notify_deleted`: what is told when a reload removes the instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeletedNotify {
    /// The state `DELETED`, to whoever hears of all transitions.
    Generic,
    /// And a command is run.
    Script(Script),
}
