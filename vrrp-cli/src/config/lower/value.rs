//! Single values: numbers, addresses, names. Each function reports what is wrong and then returns nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use super::{Diagnostic, Lowerer};
use vrrp_core::{AdvertInterval, Version};

use crate::config::diagnostic::Code;
use crate::config::source::Spanned;
use crate::config::tree::Word;

/// Octets of a name that the kernel takes for an interface or a label, without its final NUL.
const LONGEST_NAME: usize = 15;

impl<'s> Lowerer<'_, 's, '_> {
    /// A whole decimal number of one octet.
    pub(super) fn number(&mut self, word: &Word<'s>, what: &str, range: RangeInclusive<u8>, help: &str) -> Option<u8> {
        let (low, high) = (*range.start(), *range.end());
        let expected = format!("expected {what} from {low} to {high}, found `{}`", word.text);
        let digits = word.text.strip_prefix(['-', '+']).unwrap_or(&word.text);
        if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
            let diagnostic = Diagnostic::new(Code::NotANumber, word.span, expected).help("write a whole number");
            self.report(with_typing_help(diagnostic, word, |text| text.parse::<u32>().is_ok()));
            return None;
        }
        let number = word.text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.report(Diagnostic::new(Code::OutOfRange, word.span, expected).help(help));
        }
        number
    }

    /// An IPv4 address; `what` completes "expected ...".
    pub(super) fn ipv4(&mut self, word: &Word<'s>, what: &str) -> Option<Ipv4Addr> {
        self.ipv4_text(word, &word.text, what)
    }

    /// As [`Lowerer::ipv4`] for a part of a word.
    pub(super) fn ipv4_text(&mut self, word: &Word<'s>, text: &str, what: &str) -> Option<Ipv4Addr> {
        match text.parse() {
            Ok(IpAddr::V4(address)) => return Some(address),
            Ok(IpAddr::V6(address)) => {
                let message = format!("expected {what} of IPv4, found the IPv6 address {address}");
                let help = "this setting is for IPv4";
                self.report(Diagnostic::new(Code::WrongFamily, word.span, message).help(help));
            }
            Err(_) => {
                let message = format!("expected {what} like 192.0.2.1, found `{text}`");
                let help = "an IPv4 address is four numbers from 0 to 255, without leading zeros";
                let diagnostic = Diagnostic::new(Code::NotAnAddress, word.span, message).help(help);
                let valid = |text: &str| text.split('/').next().is_some_and(|ip| ip.parse::<IpAddr>().is_ok());
                self.report(with_typing_help(diagnostic, word, valid));
            }
        }
        None
    }

    /// An address of either family; `text` is the word or a part of it.
    pub(super) fn any_address(&mut self, word: &Word<'s>, text: &str, what: &str) -> Option<IpAddr> {
        let address = text.parse().ok();
        if address.is_none() {
            let message = format!("expected {what} like 192.0.2.1, found `{text}`");
            let help = "an IPv4 address is four numbers from 0 to 255, without leading zeros";
            let diagnostic = Diagnostic::new(Code::NotAnAddress, word.span, message).help(help);
            let valid = |text: &str| text.split('/').next().is_some_and(|ip| ip.parse::<IpAddr>().is_ok());
            self.report(with_typing_help(diagnostic, word, valid));
        }
        address
    }

    /// An address of either family and a prefix length, which is that of a single host when it is not written.
    pub(super) fn network(&mut self, word: &Word<'s>) -> Option<(IpAddr, u8)> {
        let (text, prefix) = match word.text.split_once('/') {
            Some((text, prefix)) => (text, Some(prefix)),
            None => (word.text.as_ref(), None),
        };
        let address = self.any_address(word, text, "an address")?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let Some(prefix) = prefix else { return Some((address, longest)) };
        let digits = !prefix.is_empty() && prefix.bytes().all(|octet| octet.is_ascii_digit());
        let length = prefix.parse().ok().filter(|length| digits && *length <= longest);
        if length.is_none() {
            let message = format!("expected a prefix length from 0 to {longest} behind `/`, found `{prefix}`");
            let help = "write it like `192.0.2.0/24` or `2001:db8::/32`";
            self.report(Diagnostic::new(Code::BadPrefix, word.span, message).help(help));
        }
        Some((address, length?))
    }

    /// An IPv4 address that a host can have.
    pub(super) fn host_ipv4(&mut self, word: &Word<'s>, text: &str, what: &str) -> Option<Ipv4Addr> {
        let address = self.ipv4_text(word, text, what)?;
        let kind = match address {
            a if a.is_multicast() => "a multicast address",
            a if a.is_loopback() => "a loopback address",
            a if a.octets()[0] == 0 => "an address of \"this network\"",
            a if a.octets()[0] >= 240 => "a reserved or broadcast address",
            _ => return Some(address),
        };
        let message = format!("expected {what}, but {address} is {kind}");
        self.report(Diagnostic::new(Code::UnusableAddress, word.span, message).help("no host can have this address"));
        None
    }

    /// An IPv6 address; `what` completes "expected ...".
    pub(super) fn ipv6(&mut self, word: &Word<'s>, what: &str) -> Option<Ipv6Addr> {
        match word.text.parse() {
            Ok(IpAddr::V6(address)) => return Some(address),
            Ok(IpAddr::V4(address)) => {
                let message = format!("expected {what} of IPv6, found the IPv4 address {address}");
                let diagnostic = Diagnostic::new(Code::WrongFamily, word.span, message);
                self.report(diagnostic.help("this setting is for IPv6"));
            }
            Err(_) => {
                let message = format!("expected {what} like ff02::12, found `{}`", word.text);
                let help = "an IPv6 address is up to eight groups of hexadecimal digits with colons between";
                let diagnostic = Diagnostic::new(Code::NotAnAddress, word.span, message).help(help);
                self.report(with_typing_help(diagnostic, word, |text| text.parse::<Ipv6Addr>().is_ok()));
            }
        }
        None
    }

    /// An address of either family that a host can have.
    pub(super) fn host_ip(&mut self, word: &Word<'s>, text: &str, what: &str) -> Option<IpAddr> {
        let Ok(address) = text.parse::<Ipv6Addr>() else {
            return self.host_ipv4(word, text, what).map(IpAddr::V4);
        };
        let kind = match address {
            a if a.is_multicast() => "a multicast address",
            a if a.is_loopback() => "the loopback address",
            a if a.is_unspecified() => "the unspecified address",
            a if a.to_ipv4_mapped().is_some() => "an IPv4 address in IPv6 notation",
            _ => return Some(IpAddr::V6(address)),
        };
        let message = format!("expected {what}, but {address} is {kind}");
        self.report(Diagnostic::new(Code::UnusableAddress, word.span, message).help("no host can have this address"));
        None
    }

    /// The name of a network interface, as the kernel allows it.
    pub(super) fn interface_name(&mut self, word: &Word<'s>) -> Option<Spanned<String>> {
        let name = word.text.as_ref();
        let fault = match name {
            "" => "an interface name cannot be empty".to_owned(),
            "lo" => "the loopback interface cannot carry VRRP".to_owned(),
            "." | ".." => format!("`{name}` is not an interface name"),
            name if name.len() > LONGEST_NAME => {
                format!("`{name}` has {} octets, an interface name has at most {LONGEST_NAME}", name.len())
            }
            name if name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace()) => {
                format!("`{name}` is not an interface name: `/`, `:` and blanks are not allowed")
            }
            // The kernel would allow it; people who type it do not mean it.
            name if name.ends_with([',', ';']) => format!("`{name}` is not an interface name"),
            name => return Some(Spanned::new(name.to_owned(), word.span)),
        };
        let diagnostic =
            Diagnostic::new(Code::BadInterfaceName, word.span, fault).help("`ip link` lists the interfaces");
        self.report(with_typing_help(diagnostic, word, |text| !text.is_empty()));
        None
    }

    /// A label of an address.
    pub(super) fn label(&mut self, word: &Word<'s>) -> Option<String> {
        let length = word.text.len();
        if (1..=LONGEST_NAME).contains(&length) {
            return Some(word.text.clone().into_owned());
        }
        let message = format!("expected a label of 1 to {LONGEST_NAME} octets, found {length}");
        let help = "labels begin with the interface's name, like `eth0:1`";
        self.report(Diagnostic::new(Code::BadLabel, word.span, message).help(help));
        None
    }

    /// `version` and `vrrp_version`.
    pub(super) fn version(&mut self, word: &Word<'s>) -> Option<Version> {
        match word.text.as_ref() {
            "2" => Some(Version::V2),
            "3" => Some(Version::V3),
            text => {
                let message = format!("expected version `2` or `3`, found `{text}`");
                let help = "version 2 is the default; version 3 has intervals below one second";
                self.report(Diagnostic::new(Code::UnknownChoice, word.span, message).help(help));
                None
            }
        }
    }

    /// An advertisement interval in the unit of `version`.
    pub(super) fn interval(&mut self, word: &Word<'s>, version: Version) -> Option<AdvertInterval> {
        const SECOND: u64 = 1_000_000;
        let text = word.text.as_ref();
        // Millionths of a second: the unit, and the shortest and longest interval in it.
        let (unit, longest, range, help) = match version {
            Version::V2 => (SECOND, 255, "1 to 255", "write whole seconds; the usual interval is 1"),
            Version::V3 => (SECOND / 100, 4095, "0.01 to 40.95", "write seconds with at most two decimals, like 0.1"),
        };
        let Some(interval) = millionths(text) else {
            let message = format!("expected an interval from {range} seconds, found `{text}`");
            let valid = |text: &str| millionths(text).is_some();
            self.report(with_typing_help(
                Diagnostic::new(Code::NotANumber, word.span, message).help(help),
                word,
                valid,
            ));
            return None;
        };
        if version == Version::V2 && interval > 0 && interval < SECOND {
            let message = format!("an interval of {text} s is below one second");
            let help = "VRRP version 2 counts in whole seconds; write `version 3` for shorter intervals, \
                        on every router of the group";
            self.report(Diagnostic::new(Code::SubSecond, word.span, message).help(help));
            return None;
        }
        let rounded = (interval + unit / 2) / unit;
        let result =
            u16::try_from(rounded).ok().filter(|_| interval <= longest * unit).and_then(|rounded| match version {
                Version::V2 => AdvertInterval::from_secs(u8::try_from(rounded).ok()?),
                Version::V3 => AdvertInterval::from_centis(rounded),
            });
        match result {
            None => {
                let message = format!("expected an interval from {range} seconds, found `{text}`");
                self.report(Diagnostic::new(Code::OutOfRange, word.span, message).help(help));
            }
            Some(result) if interval % unit != 0 => {
                let message = format!("the interval of {text} s is rounded to {} s", result.duration().as_secs_f64());
                let help = match version {
                    Version::V2 => {
                        "VRRP version 2 counts in whole seconds; every router of the group needs the same value"
                    }
                    Version::V3 => "VRRP version 3 counts in hundredths of a second",
                };
                self.report(Diagnostic::new(Code::IntervalRounded, word.span, message).help(help));
            }
            Some(_) => {}
        }
        result
    }
}

/// A decimal number in millionths; `None` when it is none, or has more than six decimals or is absurdly large.
pub(super) fn millionths(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
    if (whole.is_empty() && decimals.is_empty()) || !digits(whole) || !digits(decimals) || decimals.len() > 6 {
        return None;
    }
    let whole: u32 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: u64 = format!("{decimals:0<6}").parse().ok()?;
    Some(u64::from(whole) * 1_000_000 + fraction)
}

/// Full-width characters, as some input methods produce them, in their ordinary form.
pub(super) fn narrow(text: &str) -> String {
    let narrow = |c: char| match u32::from(c) {
        code @ 0xff01..=0xff5e => char::from_u32(code - 0xfee0).unwrap_or(c),
        _ => c,
    };
    text.chars().map(narrow).collect()
}

/// Adds what to do if the value becomes `valid` once a typing mistake is undone.
pub(super) fn with_typing_help(diagnostic: Diagnostic, word: &Word<'_>, valid: impl Fn(&str) -> bool) -> Diagnostic {
    let text = word.text.as_ref();
    let narrowed = narrow(text);
    if narrowed != text && valid(&narrowed) {
        return diagnostic.help(format!("these are full-width characters: type `{narrowed}`"));
    }
    let trimmed = text.trim_end_matches([',', ';', '.', '，', '；', '。', '、']);
    if trimmed != text && valid(trimmed) {
        let tail = &text[trimmed.len()..];
        return diagnostic.help(format!("remove the `{tail}`: a setting ends at the end of its line"));
    }
    diagnostic
}
