//! What may follow a keyword: counts, ranges and units, as data.
//!
//! The lowering reads values by it and the reference shows it; it reads nothing itself.

use super::Context;

/// The kind of value that a keyword takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    /// Nothing: the keyword alone says it.
    Flag,
    /// `on|off|true|false|yes|no`, or nothing for true.
    Bool,
    /// A whole number from the first to the second; then its unit.
    Int(i64, i64, &'static str),
    /// As `Int`, or nothing for the third number.
    OptInt(i64, i64, i64, &'static str),
    /// Seconds with decimals; bounds in millionths.
    Seconds(u64, u64),
    /// Whole seconds.
    WholeSeconds(u64, u64),
    /// One word of at most so many octets.
    Word(&'static str, usize),
    /// One word or none.
    OptWord(&'static str, usize),
    /// Several words: fewest and most.
    Words(&'static str, usize, usize),
    /// One of these.
    Choice(&'static [&'static str]),
    /// One of these, or none.
    OptChoice(&'static [&'static str]),
    /// An address of IPv4 or IPv6.
    Address,
    /// A multicast group of either family.
    Multicast,
    /// A multicast group of IPv4.
    Multicast4,
    /// A multicast group of IPv6.
    Multicast6,
    /// A network interface.
    Interface,
    /// The path of a file or directory.
    Path,
    /// A path, or none.
    OptPath,
    /// The path of a file that is looked at when the daemon starts.
    File,
    /// What a file in a certain folder is called, and something else by it.
    FileName,
    /// A word of at most so many octets that nobody but its owner may see.
    Secret(usize),
    /// A command, and whom to run it as.
    Command,
    /// As `Command`, or nothing.
    OptCommand,
    /// What a built-in check looks at.
    Check,
    /// A user and perhaps a group.
    Owner,
    /// A weight up to this absolute value, and perhaps `reverse`.
    Weight(i64),
    /// Lines in a block.
    Lines(Lines),
    /// The block `auth_hmac`.
    Hmac,
    /// A key of `auth_hmac`.
    HmacKey,
    /// `[VALUE] [overwrite]`
    InitFile,
    /// `[all] SECONDS`
    ExtraIf,
    /// What `use_vmac` takes.
    Vmac,
    /// What `use_ipvlan` takes.
    Ipvlan,
    /// What `lvs_sync_daemon` takes.
    SyncDaemon,
    /// A mail server and perhaps its port.
    SmtpServer,
    /// File mode bits.
    Umask,
    /// `MTU`, `ADVERT` or octets.
    RxPolicy,
    /// Numbers of CPUs.
    Cpus,
    /// A block alone, whose keywords have rows of their own.
    Block,
    /// A name and a block.
    Named,
}

/// What the lines of a block are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lines {
    Addresses,
    Routes,
    Rules,
    Emails,
    Interfaces,
    LinkbeatInterfaces,
    UpDownDelays,
    Instances,
    Peers,
    TrackInterfaces,
    TrackScripts,
    TrackFiles,
    TrackProcesses,
    TrackBfds,
}

impl Lines {
    /// For the recovery from a missing brace.
    pub(crate) const fn context(self) -> Context {
        match self {
            Self::Addresses => Context::Addresses,
            _ => Context::Opaque,
        }
    }

    /// How a line is written.
    pub(crate) const fn usage(self) -> &'static str {
        match self {
            Self::Addresses => "ADDRESS[/LENGTH] [OPTION]...",
            Self::Routes => "DESTINATION|default [OPTION [VALUE]]...",
            Self::Rules => "[not] OPTION [VALUE]...",
            Self::Emails => MAIL_ADDRESS,
            Self::Interfaces => "INTERFACE",
            Self::LinkbeatInterfaces => "INTERFACE [MII|ETHTOOL|IOCTL]",
            Self::UpDownDelays => "INTERFACE DOWN_SECONDS [UP_SECONDS]",
            Self::Instances => "INSTANCE",
            Self::Peers => "ADDRESS [min_ttl 0..255] [max_ttl 0..255]",
            Self::TrackInterfaces => "INTERFACE [weight -253..253 [reverse|noreverse]]",
            Self::TrackScripts | Self::TrackFiles | Self::TrackProcesses | Self::TrackBfds => {
                "NAME [weight -253..253 [reverse|noreverse]]"
            }
        }
    }
}

/// The longest time that most settings take, in millionths of a second.
pub(crate) const LONGEST: u64 = 1_000_000_000;
/// One second in millionths.
pub(crate) const SECOND: u64 = 1_000_000;
/// What stands for a mail address in the way a keyword is written.
pub(crate) const MAIL_ADDRESS: &str = "MAIL_ADDRESS";
/// The longest word that is not otherwise bounded.
pub(crate) const WORD_MAX: usize = 511;

/// The longest name of a file.
pub(crate) const FILE_NAME_MAX: usize = 255;

impl Shape {
    /// Fewest and most words behind the keyword.
    pub(crate) const fn counts(self) -> (usize, usize) {
        match self {
            Self::Flag | Self::Lines(_) | Self::Hmac | Self::Block => (0, 0),
            Self::Bool | Self::OptInt(..) | Self::OptWord(..) | Self::OptChoice(_) | Self::OptPath => (0, 1),
            Self::Words(_, least, most) => (least, most),
            Self::Command => (1, 3),
            Self::OptCommand => (0, 3),
            Self::Owner | Self::Weight(_) | Self::ExtraIf | Self::SmtpServer => (1, 2),
            Self::HmacKey => (2, 2),
            Self::Check => (2, 4),
            Self::InitFile => (0, 2),
            Self::Vmac | Self::Ipvlan => (0, 6),
            Self::SyncDaemon => (1, 13),
            Self::Cpus => (1, 64),
            Self::Int(..)
            | Self::Seconds(..)
            | Self::WholeSeconds(..)
            | Self::Word(..)
            | Self::Choice(_)
            | Self::Address
            | Self::Multicast
            | Self::Multicast4
            | Self::Multicast6
            | Self::Interface
            | Self::Path
            | Self::File
            | Self::FileName
            | Self::Secret(_)
            | Self::Umask
            | Self::RxPolicy
            | Self::Named => (1, 1),
        }
    }

    /// What stands behind the keyword, for messages and the reference.
    pub(crate) fn usage(self) -> String {
        match self {
            Self::Flag => String::new(),
            Self::Bool => "[on|off]".into(),
            Self::Int(low, high, _) => format!("{low}..{high}"),
            Self::OptInt(low, high, ..) => format!("[{low}..{high}]"),
            Self::Seconds(..) | Self::WholeSeconds(..) => "SECONDS".into(),
            Self::Word(what, _) | Self::Words(what, ..) => what.into(),
            Self::OptWord(what, _) => format!("[{what}]"),
            Self::Choice(choices) => choices.join("|"),
            Self::OptChoice(choices) => format!("[{}]", choices.join("|")),
            Self::Address => "ADDRESS".into(),
            Self::Multicast | Self::Multicast4 | Self::Multicast6 => "GROUP".into(),
            Self::Interface => "INTERFACE".into(),
            Self::Path | Self::File => "PATH".into(),
            Self::FileName => "NAME".into(),
            Self::Secret(_) => "TEXT".into(),
            Self::OptPath => "[PATH]".into(),
            Self::Command => "\"COMMAND ARGUMENTS\" [USER [GROUP]]".into(),
            Self::OptCommand => "[\"COMMAND ARGUMENTS\" [USER [GROUP]]]".into(),
            Self::Check => "tcp HOST PORT|http URL [status 200-399]|process NAME|gateway ADDRESS [INTERFACE]".into(),
            Self::Owner => "USER [GROUP]".into(),
            Self::Weight(most) => format!("-{most}..{most} [reverse|noreverse]"),
            Self::Lines(lines) => format!("{{ {} }}", lines.usage()),
            Self::Hmac | Self::Block => "{ ... }".into(),
            Self::Named => "NAME { ... }".into(),
            Self::HmacKey => "1..255 hex:DIGITS|TEXT|file:PATH".into(),
            Self::InitFile => "[VALUE] [overwrite]".into(),
            Self::ExtraIf => "[all] SECONDS".into(),
            Self::Vmac => "[[name] INTERFACE] [MAC] [netlink_notify_msg] [group NUMBER]".into(),
            Self::Ipvlan => "[[name] INTERFACE] [ADDRESS] [bridge|private|vepa] [group NUMBER]".into(),
            Self::SyncDaemon => {
                "INTERFACE [[inst] INSTANCE] [id 0..255] [maxlen 1..65507] [port 1..65535] [ttl 1..255] [group GROUP]"
                    .into()
            }
            Self::SmtpServer => "HOST [PORT]".into(),
            Self::Umask => "OCTAL|IRUSR|...".into(),
            Self::RxPolicy => "MTU|ADVERT|OCTETS".into(),
            Self::Cpus => "CPU...".into(),
        }
    }

    /// Range and unit, for the reference; empty when the way it is written says all.
    pub(crate) fn range(self) -> String {
        let unit = |unit: &str| if unit.is_empty() { String::new() } else { format!(" {unit}") };
        let decimal = |millionths: u64| {
            let text = format!("{}.{:06}", millionths / SECOND, millionths % SECOND);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        match self {
            Self::Int(low, high, what) => format!("{low} to {high}{}", unit(what)),
            Self::OptInt(low, high, bare, what) => format!("{low} to {high}{}; alone {bare}", unit(what)),
            Self::Seconds(low, high) => format!("{} to {} s, six decimals at most", decimal(low), decimal(high)),
            Self::WholeSeconds(low, high) => format!("{low} to {high} s, whole"),
            Self::Bool => "also `true`, `false`, `yes`, `no`; alone it means `on`".into(),
            Self::Word(_, most) | Self::OptWord(_, most) | Self::Secret(most) if most < WORD_MAX => {
                format!("at most {most} octets")
            }
            Self::FileName => format!("at most {FILE_NAME_MAX} octets, without `/`"),
            Self::Weight(most) => format!("-{most} to {most}"),
            Self::Address => "IPv4 or IPv6".into(),
            Self::Multicast => "a multicast address".into(),
            Self::Multicast4 => "224.0.0.0 to 239.255.255.255".into(),
            Self::Multicast6 => "ff00::/8".into(),
            Self::Check => "ports 1 to 65535; status 100 to 599; URLs `http://HOST[:PORT][/PATH]`".into(),
            Self::Interface => "1 to 15 octets, not `lo`".into(),
            Self::HmacKey => "32 to 64 octets".into(),
            Self::InitFile => "-2147483647 to 2147483647; alone 0".into(),
            Self::ExtraIf => "0 to 86400 s".into(),
            Self::SmtpServer => "port 1 to 65535; 25, or 465 with `smtp_tls tls`".into(),
            Self::Umask => "0 to 0777".into(),
            Self::RxPolicy => "1 to 2147483647 octets".into(),
            Self::Cpus => "0 to 1023".into(),
            _ => String::new(),
        }
    }
}
