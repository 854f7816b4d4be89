//! The lines of `virtual_ipaddress`.

use std::net::{IpAddr, Ipv4Addr};

use super::value::with_typing_help;
use super::{Diagnostic, Lowerer, keywords};
use crate::config::diagnostic::Code;
use crate::config::keywords::Context;
use crate::config::model::{AddressOption, Spanned, VirtualAddress};
use crate::config::tree::{Statement, Word};

/// Words that may follow an address, and whether a value follows them.
pub(crate) const OPTIONS: &[(&str, bool)] = &[
    ("brd", true),
    ("broadcast", true),
    ("dev", true),
    ("scope", true),
    ("label", true),
    ("peer", true),
    ("home", false),
    ("-nodad", false),
    ("mngtmpaddr", false),
    ("noprefixroute", false),
    ("autojoin", false),
    ("no_track", false),
    ("preferred_lft", true),
    ("use_vmac", false),
    ("track_group", true),
];

/// How a line without address is explained.
const USAGE: &str = "a line here is written `ADDRESS[/LENGTH] [brd ADDRESS] [dev INTERFACE] [scope NAME] [label NAME]`";

impl<'t, 's> Lowerer<'t, 's, '_> {
    /// One address, which an advert names or not; the network mask's effect on `brd +` and `brd -` included. `None` when the
    /// line is refused.
    pub(super) fn address_line(&mut self, statement: &'t Statement<'s>, advertised: bool) -> Option<VirtualAddress> {
        if let Some(block) = &statement.block {
            let message = "an address takes no block";
            self.report(Diagnostic::new(Code::BlockUnexpected, block.open, message).help("remove the braces"));
        }
        if statement.broken {
            return None;
        }
        let (first, options) = statement.words.split_first()?;
        let group = !advertised && options.iter().any(|option| option.text == "autojoin");
        let (address, prefix_len) = self.address_and_prefix(first, group)?;
        let span = statement.words.last().map_or(first.span, |last| first.span.to(last.span));
        let mut result = VirtualAddress {
            address,
            prefix_len,
            device: None,
            broadcast: None,
            scope: None,
            label: None,
            options: Vec::new(),
            span,
        };
        let mut options = options.iter().peekable();
        while let Some(option) = options.next() {
            let Some(&(name, takes_value)) = OPTIONS.iter().find(|(name, _)| *name == option.text) else {
                self.refuse_option(option);
                if self.leaves_out() {
                    continue;
                }
                return None;
            };
            if !takes_value {
                let named = name == "use_vmac" && options.peek().is_some_and(|next| !is_option(next));
                result.options.push(match options.next_if(|_| named) {
                    Some(name) => AddressOption::UseVmac(Some(self.interface_name(name)?)),
                    None if name == "use_vmac" => AddressOption::UseVmac(None),
                    None => AddressOption::Flag(name),
                });
                continue;
            }
            let value = self.value_behind_address(option, options.next())?;
            match (name, address) {
                ("dev", _) => result.device = Some(self.device_name(value)?),
                ("label", _) => result.label = Some(self.label(value)?),
                ("scope", _) => result.scope = Some(self.scope(value)?),
                ("peer", _) => {
                    let (peer, length) = self.network(value)?;
                    let length = Some(length).filter(|_| value.text.contains('/'));
                    result.options.push(AddressOption::Peer(peer, length));
                }
                ("preferred_lft", _) => {
                    let seconds = match value.text.as_ref() {
                        "forever" => None,
                        _ => u32::try_from(self.integer_of(value, 0, 4_294_967_294, "s", USAGE)?).ok(),
                    };
                    result.options.push(AddressOption::PreferredLifetime(seconds));
                }
                ("track_group", _) => {
                    let group = Spanned::new(value.text.clone().into_owned(), value.span);
                    result.options.push(AddressOption::TrackGroup(group));
                }
                (_, IpAddr::V4(address)) => result.broadcast = self.broadcast(value, address, prefix_len)?,
                (_, IpAddr::V6(_)) => {
                    let message = "IPv6 has no broadcast addresses";
                    let help = format!("remove `{name}` and its value");
                    self.report(Diagnostic::new(Code::WrongFamily, option.span, message).help(help));
                    return None;
                }
            }
        }
        Some(result)
    }

    fn value_behind_address(&mut self, option: &Word<'s>, value: Option<&'t Word<'s>>) -> Option<&'t Word<'s>> {
        if value.is_none() {
            let message = format!("`{}` lacks its value", option.text);
            self.report(Diagnostic::new(Code::MissingValue, option.span, message).help(USAGE));
        }
        value
    }

    /// `group`: it may be a multicast address, whose group the interface joins.
    fn address_and_prefix(&mut self, word: &Word<'s>, group: bool) -> Option<(IpAddr, u8)> {
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
        let address = match text.parse::<IpAddr>() {
            Ok(address) if group && address.is_multicast() => address,
            _ => self.host_ip(word, text, "a virtual address")?,
        };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let Some(prefix) = prefix else { return Some((address, most)) };
        let valid = |text: &str| text.parse::<u8>().ok().filter(|length| *length <= most);
        if let Some(length) = valid(prefix).filter(|_| prefix.bytes().all(|octet| octet.is_ascii_digit())) {
            self.note_network(word, address, length);
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
        // What keepalived makes of it.
        self.leaves_out().then_some((address, most))
    }

    /// Hosts of the same subnet do not ask for the MAC address of its broadcast address, and older ones not of its own.
    fn note_network(&mut self, word: &Word<'s>, address: IpAddr, length: u8) {
        const POINT_TO_POINT: u8 = 31;
        let IpAddr::V4(v4) = address else { return };
        let hosts = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
        let what = match v4.to_bits() & hosts {
            _ if length >= POINT_TO_POINT => return,
            0 => "the network's own address",
            bits if bits == hosts => "the broadcast address",
            _ => return,
        };
        let message = format!("{address} is {what} of its prefix /{length}");
        let help = "hosts of that subnet may not reach it: is another address meant, or another length? A single \
                    address has /32";
        let diagnostic = Diagnostic::new(Code::NetworkAddress, word.span, message).help(help);
        self.note(Context::Addresses, "/", diagnostic);
    }

    fn refuse_option(&mut self, option: &Word<'s>) {
        let text = option.text.as_ref();
        let diagnostic = if text.split('/').next().is_some_and(|text| text.parse::<IpAddr>().is_ok()) {
            let message = "several addresses stand on one line";
            Diagnostic::new(Code::RunTogether, option.span, message)
                .label("a second address")
                .help("put each address on a line of its own")
        } else {
            let message = format!("unknown option `{text}` behind a virtual address");
            let candidates = OPTIONS.iter().map(|(name, _)| *name);
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
    fn broadcast(&mut self, word: &Word<'s>, address: Ipv4Addr, prefix_len: u8) -> Option<Option<Ipv4Addr>> {
        let host_bits = u32::MAX.checked_shr(u32::from(prefix_len)).unwrap_or(0);
        let derived = |bits: u32| Some(Ipv4Addr::from_bits(bits)).filter(|_| prefix_len < 31);
        match word.text.as_ref() {
            "+" => Some(derived(address.to_bits() | host_bits)),
            "-" => Some(derived(address.to_bits() & !host_bits)),
            text => self.ipv4_text(word, text, "`+`, `-` or a broadcast address").map(Some),
        }
    }
}

fn is_option(word: &Word<'_>) -> bool {
    OPTIONS.iter().any(|(name, _)| *name == word.text)
}

/// 24 for `255.255.255.0`; `None` for what is not a network mask.
fn mask_length(text: &str) -> Option<u32> {
    let mask = text.parse::<Ipv4Addr>().ok()?.to_bits();
    Some(mask.leading_ones()).filter(|ones| ones + mask.trailing_zeros() == 32 || mask == u32::MAX)
}
