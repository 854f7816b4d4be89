//! Values as they are written: the way back from the checked configuration to its words.
//!
//! Each kind of value says its words once; whether they end up as text or as JSON is decided elsewhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::{
    AddressOption, CheckSetting, DeletedNotify, ExtraInterfaces, HmacAuth, HmacKeySource, HmacSecret, InitialValue,
    IpvlanSetting, LineOption, LinkbeatInterface, OptionValue, Password, Peer, ReceiveBuffer, Route, Rule, Script,
    ScriptOwner, SmtpHost, Spanned, SyncDaemonSetting, Track, UpDownDelay, VirtualAddress, VmacSetting, WeightSetting,
};

/// One word, or what stands for one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Item {
    Text(String),
    Number(i64),
    Seconds(Duration),
    Switch(bool),
    Secret(String),
    Command { words: Vec<String>, user: Option<String>, group: Option<String> },
}

/// What stands behind a keyword.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Written {
    /// Values on its line.
    Line(Vec<Item>),
    /// A block of lines.
    Lines(Vec<Vec<Item>>),
    /// The keyword again for each of these.
    Each(Vec<Vec<Item>>),
    /// A block of settings.
    Block(Vec<(&'static str, Written)>),
}

/// A field of the settings; `None` when it is not set.
pub(crate) trait Shown {
    fn show(&self) -> Option<Written>;
}

/// A value that is a few words.
trait Words {
    fn words(&self) -> Vec<Item>;
}

/// A word of the language.
pub(crate) fn text(word: &(impl ToString + ?Sized)) -> Item {
    Item::Text(word.to_string())
}

impl Shown for bool {
    fn show(&self) -> Option<Written> {
        self.then(|| Written::Line(Vec::new()))
    }
}

impl<T: Words> Shown for Option<T> {
    fn show(&self) -> Option<Written> {
        self.as_ref().map(|value| Written::Line(value.words()))
    }
}

impl<T: Words> Shown for Vec<T> {
    fn show(&self) -> Option<Written> {
        (!self.is_empty()).then(|| Written::Lines(self.iter().map(Words::words).collect()))
    }
}

impl Shown for Option<HmacAuth> {
    fn show(&self) -> Option<Written> {
        let auth = self.as_ref()?;
        let mut block = Vec::new();
        auth.settings.visit(&mut |name, value| block.extend(value.show().map(|written| (name, written))));
        Some(Written::Block(block))
    }
}

impl Shown for Vec<HmacSecret> {
    fn show(&self) -> Option<Written> {
        let key = |secret: &HmacSecret| {
            let key = match &secret.key {
                HmacKeySource::Octets(octets) => {
                    Item::Secret(octets.iter().fold("hex:".to_owned(), |text, octet| format!("{text}{octet:02x}")))
                }
                HmacKeySource::File(path) => text(&format!("file:{}", path.value)),
            };
            vec![Item::Number(secret.id.value.into()), key]
        };
        (!self.is_empty()).then(|| Written::Each(self.iter().map(key).collect()))
    }
}

impl Words for bool {
    fn words(&self) -> Vec<Item> {
        vec![Item::Switch(*self)]
    }
}

macro_rules! words {
    (numbers $($integer:ty)*) => {
        $(impl Words for $integer {
            fn words(&self) -> Vec<Item> {
                vec![Item::Number((*self).into())]
            }
        })*
    };
    (texts $($plain:ty)*) => {
        $(impl Words for $plain {
            fn words(&self) -> Vec<Item> {
                vec![text(self)]
            }
        })*
    };
}
words!(numbers u8 i8 u16 i16 u32 i32);
words!(texts IpAddr Ipv4Addr Ipv6Addr);

impl Words for Duration {
    fn words(&self) -> Vec<Item> {
        vec![Item::Seconds(*self)]
    }
}

/// An optional value that was left out is the empty text.
impl Words for String {
    fn words(&self) -> Vec<Item> {
        if self.is_empty() { Vec::new() } else { vec![text(self)] }
    }
}

impl Words for Vec<String> {
    fn words(&self) -> Vec<Item> {
        self.iter().map(text).collect()
    }
}

impl Words for Vec<u32> {
    fn words(&self) -> Vec<Item> {
        self.iter().map(|&number| Item::Number(number.into())).collect()
    }
}

impl Words for Spanned<String> {
    fn words(&self) -> Vec<Item> {
        vec![text(&self.value)]
    }
}

impl Words for Script {
    fn words(&self) -> Vec<Item> {
        vec![Item::Command { words: self.words.clone(), user: self.user.clone(), group: self.group.clone() }]
    }
}

impl Words for CheckSetting {
    fn words(&self) -> Vec<Item> {
        let line = Line::default();
        match self {
            Self::Tcp { host, port } => line.word("tcp").word(host).word(port),
            Self::Http { url, status: (low, high) } => {
                line.word("http").word(url).word("status").word(format!("{low}-{high}"))
            }
            Self::Process(name) => line.word("process").word(name),
            Self::Gateway { address, interface } => {
                interface.iter().fold(line.word("gateway").word(address), Line::word)
            }
        }
        .0
    }
}

impl Words for ScriptOwner {
    fn words(&self) -> Vec<Item> {
        std::iter::once(&self.user).chain(&self.group).map(text).collect()
    }
}

impl Words for WeightSetting {
    fn words(&self) -> Vec<Item> {
        let number = Item::Number(self.weight.into());
        std::iter::once(number).chain(self.reverse.then(|| text("reverse"))).collect()
    }
}

impl Words for ExtraInterfaces {
    fn words(&self) -> Vec<Item> {
        self.all.then(|| text("all")).into_iter().chain([Item::Seconds(self.interval)]).collect()
    }
}

impl Words for SmtpHost {
    fn words(&self) -> Vec<Item> {
        let port = self.port.map(|port| Item::Number(port.into()));
        std::iter::once(text(&self.host)).chain(port).collect()
    }
}

impl Words for Password {
    fn words(&self) -> Vec<Item> {
        vec![Item::Secret(self.0.clone())]
    }
}

impl Words for ReceiveBuffer {
    fn words(&self) -> Vec<Item> {
        vec![match self {
            Self::Mtu => text("MTU"),
            Self::Advert => text("ADVERT"),
            Self::Octets(octets) => Item::Number((*octets).into()),
        }]
    }
}

impl Words for InitialValue {
    fn words(&self) -> Vec<Item> {
        std::iter::once(Item::Number(self.value.into())).chain(self.overwrite.then(|| text("overwrite"))).collect()
    }
}

impl Words for DeletedNotify {
    fn words(&self) -> Vec<Item> {
        match self {
            Self::Generic => Vec::new(),
            Self::Script(script) => script.words(),
        }
    }
}

/// Words that grow option by option.
#[derive(Default)]
struct Line(Vec<Item>);

impl Line {
    #[allow(clippy::needless_pass_by_value, reason = "it is the function of folds")]
    fn word(mut self, word: impl ToString) -> Self {
        self.0.push(Item::Text(word.to_string()));
        self
    }

    fn option<T: ToString>(self, name: &str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.word(name).word(value),
            None => self,
        }
    }

    fn flag(self, name: &str, set: bool) -> Self {
        if set { self.word(name) } else { self }
    }
}

fn name(name: Option<&Spanned<String>>) -> Option<&String> {
    name.map(|name| &name.value)
}

fn network((address, length): &(IpAddr, u8)) -> String {
    format!("{address}/{length}")
}

impl Words for VmacSetting {
    fn words(&self) -> Vec<Item> {
        let mac = self
            .mac
            .as_ref()
            .map(|octets| octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(":"));
        let line = Line::default().option("name", name(self.name.as_ref()));
        let line = mac.into_iter().fold(line, Line::word);
        line.flag("netlink_notify_msg", self.netlink_notify).option("group", self.group).0
    }
}

impl Words for IpvlanSetting {
    fn words(&self) -> Vec<Item> {
        let line = Line::default().option("name", name(self.name.as_ref()));
        let line = self.address.iter().map(network).fold(line, Line::word);
        self.mode.into_iter().fold(line, Line::word).option("group", self.group).0
    }
}

impl Words for SyncDaemonSetting {
    fn words(&self) -> Vec<Item> {
        Line::default()
            .word(&self.interface.value)
            .option("inst", name(self.instance.as_ref()))
            .option("id", self.id)
            .option("maxlen", self.max_len)
            .option("port", self.port)
            .option("ttl", self.ttl)
            .option("group", self.group)
            .0
    }
}

impl Words for Track {
    fn words(&self) -> Vec<Item> {
        let line = Line::default().word(&self.name.value).option("weight", self.weight.map(|weight| weight.weight));
        line.flag("reverse", self.weight.is_some_and(|weight| weight.reverse)).0
    }
}

impl Words for Peer {
    fn words(&self) -> Vec<Item> {
        let line = Line::default().word(self.address.value);
        line.option("min_ttl", self.min_ttl).option("max_ttl", self.max_ttl).0
    }
}

impl Words for LinkbeatInterface {
    fn words(&self) -> Vec<Item> {
        self.method.into_iter().fold(Line::default().word(&self.interface.value), Line::word).0
    }
}

impl Words for UpDownDelay {
    fn words(&self) -> Vec<Item> {
        vec![text(&self.interface.value), Item::Seconds(self.down), Item::Seconds(self.up)]
    }
}

impl Words for VirtualAddress {
    fn words(&self) -> Vec<Item> {
        let mut line = Line::default()
            .word(network(&(self.address, self.prefix_len)))
            .option("brd", self.broadcast)
            .option("dev", name(self.device.as_ref()))
            .option("scope", self.scope)
            .option("label", self.label.as_ref());
        for option in &self.options {
            line = match option {
                AddressOption::Peer(peer, None) => line.option("peer", Some(peer)),
                AddressOption::Peer(peer, Some(length)) => line.option("peer", Some(network(&(*peer, *length)))),
                AddressOption::PreferredLifetime(None) => line.option("preferred_lft", Some("forever")),
                AddressOption::PreferredLifetime(seconds) => line.option("preferred_lft", *seconds),
                AddressOption::TrackGroup(group) => line.option("track_group", Some(&group.value)),
                AddressOption::UseVmac(vmac) => name(vmac.as_ref()).into_iter().fold(line.word("use_vmac"), Line::word),
                AddressOption::Flag(flag) => line.word(flag),
            };
        }
        line.0
    }
}

fn destination(network_of: Option<&(IpAddr, u8)>) -> String {
    network_of.map_or_else(|| "default".to_owned(), network)
}

fn options(line: Line, options: &[LineOption]) -> Line {
    options.iter().fold(line, |line, option| {
        let line = line.word(option.name).flag("lock", option.locked);
        match &option.value {
            OptionValue::Flag => line,
            OptionValue::Number(number) => line.word(number),
            OptionValue::Range(first, last) => line.word(format!("{first}-{last}")),
            OptionValue::Address(address) => line.word(address),
            OptionValue::Network(to) => line.word(destination(to.as_ref())),
            OptionValue::Interface(interface) => line.word(&interface.value),
            // All options of an encapsulation are one text.
            OptionValue::Text(text) if option.name == "encap" => text.split(' ').fold(line, Line::word),
            OptionValue::Text(text) => line.word(text),
        }
    })
}

impl Words for Route {
    fn words(&self) -> Vec<Item> {
        let before = [self.family, self.action, self.kind];
        let line = before.into_iter().flatten().fold(Line::default(), Line::word);
        let line = options(line.word(destination(self.destination.as_ref())), &self.options);
        self.next_hops.iter().fold(line, |line, hop| options(line.word("nexthop"), hop)).0
    }
}

impl Words for Rule {
    fn words(&self) -> Vec<Item> {
        let line = self.family.into_iter().fold(Line::default(), Line::word);
        options(line.flag("not", self.inverted), &self.options).0
    }
}
