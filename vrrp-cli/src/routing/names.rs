//! Names of routing tables, protocols, scopes, realms and the like: iproute2's, as this host has them.
//!
//! The names that every kernel knows are built in; files add to them and may replace them, those of the administrator
//! (`/etc/iproute2`) those of the distribution. A file that is missing or holds nonsense adds nothing, as in iproute2.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Refused;
use crate::config::{Code, Config, Diagnostic, Span, keywords};

/// Where distributions keep their tables, the newest place first.
const DISTRIBUTION: &[&str] = &["/usr/share/iproute2", "/usr/lib/iproute2"];
const ADMINISTRATOR: &str = "/etc/iproute2";
const PROTOCOLS_OF_IP: &str = "/etc/protocols";

const TABLES: &[(&str, u32)] = &[("default", 253), ("main", 254), ("local", 255)];
const PROTOCOLS: &[(&str, u32)] = &[
    ("unspec", 0),
    ("redirect", 1),
    ("kernel", 2),
    ("boot", 3),
    ("static", 4),
    ("gated", 8),
    ("ra", 9),
    ("mrt", 10),
    ("zebra", 11),
    ("bird", 12),
    ("dnrouted", 13),
    ("xorp", 14),
    ("ntk", 15),
    ("dhcp", 16),
    ("keepalived", 18),
    ("babel", 42),
    ("bgp", 186),
    ("isis", 187),
    ("ospf", 188),
    ("rip", 189),
    ("eigrp", 192),
];
const SCOPES: &[(&str, u32)] = &[("global", 0), ("site", 200), ("link", 253), ("host", 254), ("nowhere", 255)];
const IP_PROTOCOLS: &[(&str, u32)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("tcp", 6),
    ("udp", 17),
    ("dccp", 33),
    ("ipv6-icmp", 58),
    ("sctp", 132),
    ("udplite", 136),
];

/// What is named.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Kind {
    Table,
    Protocol,
    Scope,
    Realm,
    Tos,
    Group,
    IpProtocol,
}

/// All names of a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Names {
    by_kind: HashMap<Kind, HashMap<String, u32>>,
}

impl Names {
    /// The names that need no file.
    pub(crate) fn built_in() -> Self {
        let of = |list: &[(&str, u32)]| list.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect();
        let by_kind = [
            (Kind::Table, of(TABLES)),
            (Kind::Protocol, of(PROTOCOLS)),
            (Kind::Scope, of(SCOPES)),
            (Kind::Realm, of(&[("cosmos", 0)])),
            (Kind::Tos, of(&[("default", 0)])),
            (Kind::Group, of(&[("default", 0)])),
            (Kind::IpProtocol, of(IP_PROTOCOLS)),
        ];
        Self { by_kind: by_kind.into() }
    }

    /// The names of this host; the directories replace the usual ones.
    pub(crate) fn of_host(distribution: Option<&str>, administrator: Option<&str>) -> Self {
        let mut names = Self::built_in();
        let usual = || DISTRIBUTION.iter().map(|path| Path::new(*path)).find(|path| path.is_dir());
        let distribution = distribution.map(Path::new).or_else(usual);
        for directory in distribution.into_iter().chain([Path::new(administrator.unwrap_or(ADMINISTRATOR))]) {
            names.add_directory(directory);
        }
        if let Ok(text) = std::fs::read_to_string(PROTOCOLS_OF_IP) {
            for line in text.lines() {
                let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
                if let (Some(name), Some(Ok(number))) = (words.next(), words.next().map(str::parse)) {
                    names.add(Kind::IpProtocol, name, number);
                }
            }
        }
        names
    }

    /// The names of this host, from the directories that the configuration names.
    pub(crate) fn of_config(config: &Config) -> Self {
        let settings = &config.global.settings;
        Self::of_host(settings.iproute_usr_dir.as_deref(), settings.iproute_etc_dir.as_deref())
    }

    pub(super) fn table(&self, text: &str) -> Option<u32> {
        self.number(Kind::Table, text)
    }

    pub(super) fn realm(&self, text: &str) -> Option<u16> {
        u16::try_from(self.number(Kind::Realm, text)?).ok()
    }

    /// Of those kinds whose numbers have eight bits.
    pub(super) fn octet(&self, kind: Kind, text: &str) -> Option<u8> {
        u8::try_from(self.number(kind, text)?).ok()
    }

    /// A name, or a number as C writes it.
    pub(super) fn number(&self, kind: Kind, text: &str) -> Option<u32> {
        self.by_kind.get(&kind).and_then(|names| names.get(text)).copied().or_else(|| number(text))
    }

    /// What to say about a name that is none.
    #[expect(clippy::unnecessary_box_returns, reason = "its callers have it in a `Result`")]
    pub(super) fn unknown(&self, kind: Kind, text: &str, span: Span) -> Refused {
        let (what, file, most) = match kind {
            Kind::Table => ("routing table", "rt_tables", u32::MAX),
            Kind::Protocol => ("routing protocol", "rt_protos", 255),
            Kind::Scope => ("scope", "rt_scopes", 255),
            Kind::Realm => ("realm", "rt_realms", 65_535),
            Kind::Tos => ("type of service", "rt_dsfield", 255),
            Kind::Group => ("group of interfaces", "group", u32::MAX),
            Kind::IpProtocol => ("protocol of packets", "protocols", 255),
        };
        let message = format!("there is no {what} `{text}` on this host");
        let known = self.by_kind.get(&kind).into_iter().flat_map(HashMap::keys).map(String::as_str);
        let near = keywords::nearest_of(known, |name| name, text);
        let place = if kind == Kind::IpProtocol { "/etc".to_owned() } else { ADMINISTRATOR.to_owned() };
        let help = match near {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("write its number, 0 to {most}, or add its name to {place}/{file}"),
        };
        Box::new(Diagnostic::new(Code::NoSuchName, span, message).help(help))
    }

    fn add(&mut self, kind: Kind, name: &str, number: u32) {
        self.by_kind.entry(kind).or_default().insert(name.to_owned(), number);
    }

    fn add_directory(&mut self, directory: &Path) {
        let files = [
            (Kind::Table, "rt_tables"),
            (Kind::Protocol, "rt_protos"),
            (Kind::Scope, "rt_scopes"),
            (Kind::Realm, "rt_realms"),
            (Kind::Tos, "rt_dsfield"),
            (Kind::Group, "group"),
        ];
        for (kind, name) in files {
            self.add_file(kind, &directory.join(name));
            for file in parts(&directory.join(format!("{name}.d"))) {
                self.add_file(kind, &file);
            }
        }
    }

    fn add_file(&mut self, kind: Kind, file: &Path) {
        let Ok(text) = std::fs::read_to_string(file) else { return };
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            if let (Some(number), Some(name)) = (words.next().and_then(number), words.next()) {
                self.add(kind, name, number);
            }
        }
    }
}

/// The files of a directory whose names end as iproute2 wants it, in their order.
fn parts(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    files
}

/// A number as C writes it.
pub(super) fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u32::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}
