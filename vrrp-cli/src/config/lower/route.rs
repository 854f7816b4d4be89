//! The lines of `virtual_routes`, `virtual_rules` and their static like.

use std::net::IpAddr;

use super::{Diagnostic, Lowerer, keywords};
use crate::config::diagnostic::Code;
use crate::config::keywords::Lines;
use crate::config::model::{LineOption, OptionValue, Route, Rule, Spanned};
use crate::config::tree::{Statement, Word};

/// What an option of a line takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Takes {
    Nothing,
    Number(u64, u64),
    /// `A-B`, or one number for both.
    Range(u64, u64),
    Address,
    /// An address with a prefix length, or `default`.
    Network,
    Interface,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A name or number that the host resolves.
    Text,
    /// A kind of encapsulation and all its options.
    Encapsulation,
}

/// Other name, name, value.
type LineOptions = &'static [(&'static str, &'static str, Takes)];

const U32: u64 = 0xffff_ffff;
/// Options that are no numbers, and can be locked like those.
const LOCKABLE: &[&str] = &["rtt", "rttvar", "rto_min", "congctl"];
/// Options of an encapsulation, each with a value.
const ENCAPSULATION: &[&str] = &["id", "dst", "src", "tos", "ttl", "tc", "hoplimit", "flags"];
const FAMILIES: &[&str] = &["inet", "inet6"];
const ACTIONS: &[&str] = &["add", "prepend", "append"];
const KINDS: &[&str] =
    &["unicast", "local", "broadcast", "anycast", "multicast", "throw", "unreachable", "prohibit", "blackhole", "nat"];

pub(crate) const ROUTE: LineOptions = &[
    ("to", "to", Takes::Network),
    ("src", "src", Takes::Address),
    ("gw", "via", Takes::Address),
    ("via", "via", Takes::Address),
    ("from", "from", Takes::Network),
    ("tos", "tos", Takes::Text),
    ("dsfield", "tos", Takes::Text),
    ("table", "table", Takes::Text),
    ("protocol", "protocol", Takes::Text),
    ("scope", "scope", Takes::Text),
    ("metric", "metric", Takes::Number(0, U32)),
    ("priority", "metric", Takes::Number(0, U32)),
    ("preference", "metric", Takes::Number(0, U32)),
    ("dev", "dev", Takes::Interface),
    ("oif", "dev", Takes::Interface),
    ("vrf", "vrf", Takes::Interface),
    ("onlink", "onlink", Takes::Nothing),
    ("encap", "encap", Takes::Encapsulation),
    ("expires", "expires", Takes::Number(0, U32)),
    ("mtu", "mtu", Takes::Number(0, U32)),
    ("advmss", "advmss", Takes::Number(0, U32)),
    ("rtt", "rtt", Takes::Text),
    ("rttvar", "rttvar", Takes::Text),
    ("reordering", "reordering", Takes::Number(0, U32)),
    ("window", "window", Takes::Number(0, U32)),
    ("cwnd", "cwnd", Takes::Number(0, U32)),
    ("ssthresh", "ssthresh", Takes::Number(0, U32)),
    ("realms", "realms", Takes::Text),
    ("rto_min", "rto_min", Takes::Text),
    ("hoplimit", "hoplimit", Takes::Number(0, 255)),
    ("initcwnd", "initcwnd", Takes::Number(0, U32)),
    ("initrwnd", "initrwnd", Takes::Number(0, U32)),
    ("features", "features", Takes::Choice(&["ecn"])),
    ("quickack", "quickack", Takes::Number(0, 1)),
    ("congctl", "congctl", Takes::Text),
    ("pref", "pref", Takes::Choice(&["low", "medium", "high"])),
    ("ttl-propagate", "ttl-propagate", Takes::Choice(&["enabled", "disabled"])),
    ("fastopen_no_cookie", "fastopen_no_cookie", Takes::Number(0, 1)),
    ("weight", "weight", Takes::Number(1, 256)),
    ("no_track", "no_track", Takes::Nothing),
    ("track_group", "track_group", Takes::Text),
];

pub(crate) const RULE: LineOptions = &[
    ("from", "from", Takes::Network),
    ("to", "to", Takes::Network),
    ("table", "table", Takes::Text),
    ("lookup", "table", Takes::Text),
    ("order", "priority", Takes::Number(0, U32)),
    ("priority", "priority", Takes::Number(0, U32)),
    ("preference", "priority", Takes::Number(0, U32)),
    ("tos", "tos", Takes::Text),
    ("dsfield", "tos", Takes::Text),
    ("fwmark", "fwmark", Takes::Text),
    ("realms", "realms", Takes::Text),
    ("suppress_prefixlength", "suppress_prefixlength", Takes::Number(0, 128)),
    ("suppress_ifgroup", "suppress_ifgroup", Takes::Text),
    ("dev", "iif", Takes::Interface),
    ("iif", "iif", Takes::Interface),
    ("oif", "oif", Takes::Interface),
    ("tunnel-id", "tunnel-id", Takes::Number(0, u64::MAX)),
    ("uidrange", "uidrange", Takes::Range(0, U32)),
    ("l3mdev", "l3mdev", Takes::Nothing),
    ("protocol", "protocol", Takes::Text),
    ("ipproto", "ipproto", Takes::Text),
    ("ip_proto", "ipproto", Takes::Text),
    ("sport", "sport", Takes::Range(0, 65_535)),
    ("dport", "dport", Takes::Range(0, 65_535)),
    ("goto", "goto", Takes::Number(0, U32)),
    ("nop", "nop", Takes::Nothing),
    ("blackhole", "blackhole", Takes::Nothing),
    ("prohibit", "prohibit", Takes::Nothing),
    ("unreachable", "unreachable", Takes::Nothing),
    ("no_track", "no_track", Takes::Nothing),
    ("track_group", "track_group", Takes::Text),
];

impl<'t, 's> Lowerer<'t, 's, '_> {
    pub(super) fn route(&mut self, line: &'t Statement<'s>) -> Option<Route> {
        let mut words = line.words.as_slice();
        let span = words.first()?.span.to(words.last()?.span);
        let (mut family, mut action, mut kind, mut destination) = (None, None, None, None);
        while let Some((word, rest)) = words.split_first() {
            let among = |list: &[&'static str]| list.iter().find(|known| **known == word.text).copied();
            if let Some(found) = among(FAMILIES) {
                family = Some(found);
            } else if let Some(found) = among(ACTIONS) {
                action = Some(found);
            } else if let Some(found) = among(KINDS) {
                kind = Some(found);
            } else {
                break;
            }
            words = rest;
        }
        let mut options = Vec::new();
        let mut next_hops: Vec<Vec<LineOption>> = Vec::new();
        while let Some((word, rest)) = words.split_first() {
            words = rest;
            match word.text.as_ref() {
                "nexthop" => next_hops.push(Vec::new()),
                _ if destination.is_none() && options.is_empty() && is_network(word) => {
                    destination = Some(self.route_destination(word)?);
                }
                _ => {
                    let option = self.line_option(word, &mut words, ROUTE, Lines::Routes)?;
                    if let (true, OptionValue::Network(network)) = (option.name == "to", &option.value) {
                        destination = Some(*network);
                    } else {
                        next_hops.last_mut().unwrap_or(&mut options).push(option);
                    }
                }
            }
        }
        let Some(destination) = destination else {
            let message = "a route without its destination";
            let help = "write the network first, like `192.0.2.0/24 via 198.51.100.1`, or `default`";
            self.report(Diagnostic::new(Code::BadLine, span, message).help(help));
            return None;
        };
        let leads = |option: &LineOption| matches!(option.name, "via" | "dev" | "vrf" | "encap");
        let nowhere = !options.iter().any(leads) && next_hops.is_empty();
        if nowhere && !matches!(kind, Some("blackhole" | "unreachable" | "prohibit" | "throw")) {
            let message = "a route that leads nowhere";
            let help = "add `via ADDRESS` or `dev INTERFACE`";
            self.report(Diagnostic::new(Code::BadLine, span, message).help(help));
            return None;
        }
        Some(Route { family, action, kind, destination, options, next_hops, span })
    }

    pub(super) fn rule(&mut self, line: &'t Statement<'s>) -> Option<Rule> {
        let mut words = line.words.as_slice();
        let span = words.first()?.span.to(words.last()?.span);
        let (mut family, mut inverted, mut options) = (None, false, Vec::new());
        while let Some((word, rest)) = words.split_first() {
            words = rest;
            match word.text.as_ref() {
                "not" => inverted = true,
                text if FAMILIES.contains(&text) => {
                    family = FAMILIES.iter().find(|known| **known == text).copied();
                }
                _ => options.push(self.line_option(word, &mut words, RULE, Lines::Rules)?),
            }
        }
        let acts = |option: &LineOption| {
            matches!(option.name, "table" | "goto" | "nop" | "blackhole" | "prohibit" | "unreachable" | "l3mdev")
        };
        if !options.iter().any(acts) {
            let message = "a rule that does nothing";
            let help = "add `table NAME`, or `blackhole`, `prohibit`, `unreachable`, `goto NUMBER`";
            self.report(Diagnostic::new(Code::BadLine, span, message).help(help));
            return None;
        }
        Some(Rule { family, inverted, options, span })
    }

    /// The outer `None`: refused. The inner one: `default`.
    #[expect(clippy::option_option, reason = "refused and absent are two things")]
    fn route_destination(&mut self, word: &Word<'s>) -> Option<Option<(IpAddr, u8)>> {
        let everything = matches!(word.text.as_ref(), "default" | "all" | "any");
        if everything { Some(None) } else { self.network(word).map(Some) }
    }

    fn line_option(
        &mut self,
        word: &'t Word<'s>,
        rest: &mut &'t [Word<'s>],
        table: LineOptions,
        lines: Lines,
    ) -> Option<LineOption> {
        let text = word.text.as_ref();
        let Some((_, name, takes)) = table.iter().find(|(other, ..)| *other == text) else {
            let what = if lines == Lines::Routes { "route" } else { "rule" };
            let message = format!("unknown option `{text}` of a {what}");
            let diagnostic = Diagnostic::new(Code::UnknownKeyword, word.span, message);
            let near = keywords::nearest_of(table.iter().map(|(other, ..)| *other), |name| name, text);
            self.report(match near {
                Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
                None => diagnostic.help(format!("a line here is written `{}`", lines.usage())),
            });
            return None;
        };
        // `mtu lock 1400`
        let lockable = matches!(takes, Takes::Number(..)) || LOCKABLE.contains(name);
        let locked = lockable && rest.first().is_some_and(|next| next.text == "lock");
        if locked {
            *rest = rest.get(1..).unwrap_or_default();
        }
        let option = |value| LineOption { name, value, locked };
        if *takes == Takes::Nothing {
            return Some(option(OptionValue::Flag));
        }
        let value = self.value_behind(word, rest.first(), lines.usage())?;
        *rest = rest.get(1..).unwrap_or_default();
        let help = format!("a line here is written `{}`", lines.usage());
        Some(option(match *takes {
            Takes::Number(low, high) => OptionValue::Number(self.natural(value, &value.text, low, high, &help)?),
            Takes::Range(low, high) => {
                let (first, last) = value.text.split_once('-').unwrap_or((&value.text, &value.text));
                let first = self.natural(value, first, low, high, &help)?;
                OptionValue::Range(first, self.natural(value, last, first, high, &help)?)
            }
            Takes::Address => OptionValue::Address(self.gateway(value, rest)?),
            Takes::Network => OptionValue::Network(self.route_destination(value)?),
            Takes::Interface => OptionValue::Interface(self.device_name(value)?),
            Takes::Choice(choices) => OptionValue::Text(self.choice_of(value, choices, &help)?.to_owned()),
            Takes::Encapsulation => {
                let words = rest;
                let named = usize::from(matches!(value.text.as_ref(), "mpls" | "ila"));
                let pairs = words.get(named..).unwrap_or_default().chunks(2);
                let own = pairs.take_while(|pair| ENCAPSULATION.contains(&pair[0].text.as_ref())).map(<[_]>::len);
                let (own, others) = words.split_at((named + own.sum::<usize>()).min(words.len()));
                *words = others;
                let all = std::iter::once(value).chain(own).map(|word| word.text.as_ref()).collect::<Vec<_>>();
                OptionValue::Text(all.join(" "))
            }
            Takes::Text | Takes::Nothing => OptionValue::Text(value.text.clone().into_owned()),
        }))
    }

    /// `via` may name the family before the address.
    fn gateway(&mut self, value: &'t Word<'s>, rest: &mut &'t [Word<'s>]) -> Option<IpAddr> {
        let mut word = value;
        if FAMILIES.contains(&value.text.as_ref())
            && let Some((next, behind)) = rest.split_first()
        {
            (word, *rest) = (next, behind);
        }
        self.any_address(word, &word.text, "an address")
    }

    fn natural(&mut self, word: &Word<'s>, text: &str, low: u64, high: u64, help: &str) -> Option<u64> {
        let message = format!("expected a number from {low} to {high}, found `{text}`");
        let number = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        };
        let code = if number.is_some() { Code::OutOfRange } else { Code::NotANumber };
        let number = number.filter(|number| (low..=high).contains(number));
        if number.is_none() {
            self.report(Diagnostic::new(code, word.span, message).help(help));
        }
        number
    }

    /// An interface that may be `lo`, too.
    /// As [`Lowerer::interface_name`]; the loopback interface can have addresses and routes.
    pub(super) fn device_name(&mut self, word: &Word<'s>) -> Option<Spanned<String>> {
        if word.text == "lo" {
            return Some(Spanned::new("lo".to_owned(), word.span));
        }
        self.interface_name(word)
    }
}

fn is_network(word: &Word<'_>) -> bool {
    let text = word.text.split('/').next().unwrap_or_default();
    text == "default" || text.parse::<IpAddr>().is_ok() || text.starts_with(|c: char| c.is_ascii_digit())
}
