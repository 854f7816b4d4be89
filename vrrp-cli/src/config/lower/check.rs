//! The built-in checks of `vrrp_script`: `check tcp`, `check http`, `check process`, `check gateway`.

use super::{Diagnostic, Lowerer};
use crate::config::diagnostic::Code;
use crate::config::keywords::Keyword;
use crate::config::model::{CheckSetting, HttpUrl};
use crate::config::tree::Word;

const TCP: &str = "tcp HOST PORT";
const HTTP: &str = "http URL [status 200-399]";
const PROCESS: &str = "process NAME";
const GATEWAY: &str = "gateway ADDRESS [INTERFACE]";

/// The status that a page may have unless one is written.
const WELL: (u16, u16) = (200, 399);
const LONGEST_HOST: usize = 253;
const LONGEST_NAME: usize = 255;

impl<'t, 's> Lowerer<'t, 's, '_> {
    pub(super) fn check(&mut self, keyword: &Keyword, words: &'t [Word<'s>]) -> Option<CheckSetting> {
        let (kind, values) = words.split_first()?;
        let kind = self.choice(keyword, kind, &["tcp", "http", "process", "gateway"])?;
        let (usage, least, most) = match kind {
            "tcp" => (TCP, 2, 2),
            "http" => (HTTP, 1, 3),
            "process" => (PROCESS, 1, 1),
            _ => (GATEWAY, 1, 2),
        };
        let help = format!("it is written `check {usage}`");
        if let Some(surplus) = values.get(most) {
            let message = format!("unexpected `{}` behind `check {kind}`", surplus.text);
            self.report(Diagnostic::new(Code::TooManyValues, surplus.span, message).help(help));
            return None;
        }
        let Some(first) = values.first().filter(|_| values.len() >= least) else {
            let end = words.last()?;
            let message = format!("`check {kind}` lacks a value");
            self.report(Diagnostic::new(Code::MissingValue, end.span, message).help(help));
            return None;
        };
        match kind {
            "tcp" => {
                let host = self.host(keyword, first, &help)?;
                let port = self.integer_of(values.get(1)?, 1, 65_535, "", &help)?;
                Some(CheckSetting::Tcp { host, port: u16::try_from(port).ok()? })
            }
            "http" => {
                let url = self.url(first)?;
                let status = self.status(values.get(1), values.get(2), &help)?;
                Some(CheckSetting::Http { url, status })
            }
            "process" => self.bounded(keyword, first, LONGEST_NAME).map(CheckSetting::Process),
            _ => {
                let address = self.host_ip(first, &first.text, "the address of a neighbour")?;
                let interface = match values.get(1) {
                    Some(word) => Some(self.interface_name(word)?.value),
                    None => None,
                };
                let local = matches!(address, std::net::IpAddr::V6(address) if address.is_unicast_link_local());
                if local && interface.is_none() {
                    let message = format!("{address} is link-local, and the check does not say on which interface");
                    let help = format!("write `check gateway {address} INTERFACE`");
                    self.report(Diagnostic::new(Code::MissingValue, first.span, message).help(help));
                    return None;
                }
                Some(CheckSetting::Gateway { address, interface })
            }
        }
    }

    /// A name or an address of a host.
    fn host(&mut self, keyword: &Keyword, word: &Word<'s>, help: &str) -> Option<String> {
        let host = self.bounded(keyword, word, LONGEST_HOST)?;
        let sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if host.parse::<std::net::IpAddr>().is_ok() || (host.chars().all(sign) && !host.starts_with('-')) {
            return Some(host);
        }
        let message = format!("expected a host's name or address, found `{host}`");
        self.report(Diagnostic::new(Code::NotAnAddress, word.span, message).help(help));
        None
    }

    fn url(&mut self, word: &Word<'s>) -> Option<HttpUrl> {
        let url = HttpUrl::parse(&word.text);
        if url.is_none() {
            let message = format!("expected `http://HOST[:PORT][/PATH]`, found `{}`", word.text);
            let diagnostic = Diagnostic::new(Code::UnknownChoice, word.span, message);
            self.report(if word.text.starts_with("https://") {
                diagnostic.help("this check does not encrypt: write `check tcp HOST 443`, or run a script")
            } else if word.text.contains("://") {
                diagnostic.help("write it like `http://192.0.2.1:8080/health`")
            } else {
                diagnostic.help(format!("write `http://{}`", word.text))
            });
        }
        url
    }

    /// `status LOW-HIGH`, or `status NUMBER`.
    fn status(&mut self, name: Option<&'t Word<'s>>, value: Option<&'t Word<'s>>, help: &str) -> Option<(u16, u16)> {
        let Some(name) = name else { return Some(WELL) };
        self.choice_of(name, &["status"], help)?;
        let value = self.value_behind(name, value, HTTP)?;
        let (low, high) = value.text.split_once('-').unwrap_or((&value.text, &value.text));
        let number = |text: &str| text.parse::<u16>().ok().filter(|number| (100..=599).contains(number));
        let range = number(low).zip(number(high)).filter(|(low, high)| low <= high);
        if range.is_none() {
            let message = format!("expected a range of status from 100 to 599 like `200-399`, found `{}`", value.text);
            self.report(Diagnostic::new(Code::OutOfRange, value.span, message).help(help));
        }
        range
    }
}
