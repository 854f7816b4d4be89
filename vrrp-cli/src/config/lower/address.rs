//! The lines of `virtual_ipaddress`.

use std::net::{IpAddr, Ipv4Addr};

use super::value::with_typing_help;
use super::{Diagnostic, Lowerer, keywords};
use crate::config::diagnostic::Code;
use crate::config::keywords::Context;
use crate::config::model::VirtualAddress;
use crate::config::tree::{Statement, Word};

/// Words that may follow an address and what they take.
const OPTIONS: &[&str] = &["brd", "broadcast", "dev", "scope", "label"];

/// Options of keepalived that are not supported yet.
const LATER: &[&str] = &[
    "peer",
    "home",
    "-nodad",
    "mngtmpaddr",
    "noprefixroute",
    "autojoin",
    "no_track",
    "preferred_lft",
    "use_vmac",
    "track_group",
];

/// How a line without address is explained.
const USAGE: &str = "a line here is written `ADDRESS[/LENGTH] [brd ADDRESS] [dev INTERFACE] [scope NAME] [label NAME]`";

impl<'t, 's> Lowerer<'t, 's, '_> {
    /// One address; the network mask's effect on `brd +` and `brd -` included. `None` when the line is refused.
    pub(super) fn virtual_address(&mut self, statement: &'t Statement<'s>) -> Option<VirtualAddress> {
        if let Some(block) = &statement.block {
            let message = "an address takes no block";
            self.report(Diagnostic::new(Code::BlockUnexpected, block.open, message).help("remove the braces"));
        }
        if statement.broken {
            return None;
        }
        let (first, options) = statement.words.split_first()?;
        let (address, prefix_len) = self.address_and_prefix(first)?;
        let span = statement.words.last().map_or(first.span, |last| first.span.to(last.span));
        let mut result =
            VirtualAddress { address, prefix_len, device: None, broadcast: None, scope: None, label: None, span };
        let mut options = options.iter();
        while let Some(option) = options.next() {
            if !OPTIONS.contains(&option.text.as_ref()) {
                self.refuse_option(option);
                return None;
            }
            let Some(value) = options.next() else {
                let message = format!("`{}` lacks its value", option.text);
                self.report(Diagnostic::new(Code::MissingValue, option.span, message).help(USAGE));
                return None;
            };
            match option.text.as_ref() {
                "dev" => result.device = Some(self.interface_name(value)?),
                "label" => result.label = Some(self.label(value)?),
                "scope" => result.scope = Some(self.scope(value)?),
                _ => result.broadcast = self.broadcast(value, address, prefix_len)?,
            }
        }
        Some(result)
    }

    fn address_and_prefix(&mut self, word: &Word<'s>) -> Option<(IpAddr, u8)> {
        let elsewhere = keywords::everywhere(&word.text);
        if !word.quoted && !elsewhere.is_empty() {
            let message = format!("`{}` is not allowed {}", word.text, Context::Addresses.place());
            let belongs = elsewhere.first().map_or("elsewhere", |keyword| keyword.context.place());
            let help = format!("it belongs {belongs}: is a `}}` missing before it?");
            self.report(Diagnostic::new(Code::WrongPlace, word.span, message).help(help));
            return None;
        }
        let (text, prefix) = match word.text.split_once('/') {
            Some((text, prefix)) => (text, Some(prefix)),
            None => (word.text.as_ref(), None),
        };
        let address = self.host_ip(word, text, "a virtual address")?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let Some(prefix) = prefix else { return Some((address, most)) };
        let valid = |text: &str| text.parse::<u8>().ok().filter(|length| *length <= most);
        if let Some(length) = valid(prefix).filter(|_| prefix.bytes().all(|octet| octet.is_ascii_digit())) {
            return Some((address, length));
        }
        let message = match prefix {
            "" => format!("expected a prefix length from 0 to {most} behind `/`, found nothing"),
            prefix => format!("expected a prefix length from 0 to {most} behind `/`, found `{prefix}`"),
        };
        let example = if address.is_ipv4() { "192.0.2.1/24" } else { "2001:db8::1/64" };
        let help = format!("write it like `{example}`; without a length it is {most}");
        let diagnostic = Diagnostic::new(Code::BadPrefix, word.span, message).help(help);
        self.report(match mask_length(prefix) {
            Some(length) => diagnostic.help(format!("write the network mask as a length: `{address}/{length}`")),
            None => with_typing_help(diagnostic, word, |text| text.split('/').nth(1).and_then(valid).is_some()),
        });
        None
    }

    fn refuse_option(&mut self, option: &Word<'s>) {
        let text = option.text.as_ref();
        let diagnostic = if LATER.contains(&text) {
            let message = format!("`{text}` is not supported yet");
            let help = "vrrpctl knows this option of keepalived, but cannot do what it asks for";
            Diagnostic::new(Code::NotYet, option.span, message).help(help)
        } else if text.split('/').next().is_some_and(|text| text.parse::<IpAddr>().is_ok()) {
            let message = "several addresses stand on one line";
            Diagnostic::new(Code::RunTogether, option.span, message)
                .label("a second address")
                .help("put each address on a line of its own")
        } else {
            let message = format!("unknown option `{text}` behind a virtual address");
            let candidates = OPTIONS.iter().chain(LATER).copied();
            let diagnostic = Diagnostic::new(Code::UnknownKeyword, option.span, message);
            match keywords::nearest_of(candidates, |name| name, text) {
                Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
                None => diagnostic.help(USAGE),
            }
        };
        self.report(diagnostic);
    }

    fn scope(&mut self, word: &Word<'s>) -> Option<u8> {
        let number = match word.text.as_ref() {
            "global" => Some(0),
            "site" => Some(200),
            "link" => Some(253),
            "host" => Some(254),
            "nowhere" => Some(255),
            text => text.parse().ok(),
        };
        if number.is_none() {
            let message = format!("expected a scope, found `{}`", word.text);
            let help = "scopes are `global`, `site`, `link`, `host`, `nowhere` or a number from 0 to 255";
            self.report(Diagnostic::new(Code::UnknownChoice, word.span, message).help(help));
        }
        number
    }

    /// The outer `None`: refused. The inner one: this prefix has no broadcast address.
    #[expect(clippy::option_option, reason = "refused and absent are two things, and there is one caller")]
    fn broadcast(&mut self, word: &Word<'s>, address: IpAddr, prefix_len: u8) -> Option<Option<Ipv4Addr>> {
        let IpAddr::V4(address) = address else {
            let diagnostic = Diagnostic::new(Code::WrongFamily, word.span, "IPv6 has no broadcast addresses");
            self.report(diagnostic.help("remove `brd` and its value"));
            return None;
        };
        let host_bits = u32::MAX.checked_shr(u32::from(prefix_len)).unwrap_or(0);
        let derived = |bits: u32| Some(Ipv4Addr::from_bits(bits)).filter(|_| prefix_len < 31);
        match word.text.as_ref() {
            "+" => Some(derived(address.to_bits() | host_bits)),
            "-" => Some(derived(address.to_bits() & !host_bits)),
            text => self.ipv4_text(word, text, "`+`, `-` or a broadcast address").map(Some),
        }
    }
}

/// 24 for `255.255.255.0`; `None` for what is not a network mask.
fn mask_length(text: &str) -> Option<u32> {
    let mask = text.parse::<Ipv4Addr>().ok()?.to_bits();
    Some(mask.leading_ones()).filter(|ones| ones + mask.trailing_zeros() == 32 || mask == u32::MAX)
}
