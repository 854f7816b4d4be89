//! What packets of a route are wrapped into: `encap ip|ip6|mpls|ila` and the words behind it.

use std::str::FromStr;

use vrrp_netlink::routes::Encapsulation;

use super::{Refused, bad, names};
use crate::config::Span;

const USAGE: &str = "it is written `encap ip|ip6 [id N] [dst ADDRESS] [src ADDRESS] [tos N] [ttl N] [tc N] [hoplimit N] \
                     [flags N]`, `encap mpls LABEL[/LABEL...] [ttl N]` or `encap ila LOCATOR`";

/// `text` is all that stands behind `encap`.
pub(super) fn encapsulation(text: &str, span: Span) -> Result<Encapsulation, Refused> {
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let kind = words.next().unwrap_or_default();
    let first = matches!(kind, "mpls" | "ila").then(|| words.next().unwrap_or_default());
    let mut options = Options { pairs: Vec::new(), span };
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| bad(span, format!("`{name}` lacks its value"), USAGE))?;
        options.pairs.push((name, value));
    }
    let result = match kind {
        "ip" => Encapsulation::Ip {
            id: options.take("id")?,
            destination: options.take("dst")?,
            source: options.take("src")?,
            tos: options.number("tos")?,
            ttl: options.number("ttl")?,
            flags: options.number("flags")?,
        },
        "ip6" => Encapsulation::Ip6 {
            id: options.take("id")?,
            destination: options.take("dst")?,
            source: options.take("src")?,
            traffic_class: options.number("tc")?,
            hop_limit: options.number("hoplimit")?,
            flags: options.number("flags")?,
        },
        "mpls" => {
            let labels = first.unwrap_or_default().split('/').map(|label| label.parse().ok());
            let labels: Option<Vec<u32>> = labels.collect();
            let labels = labels.filter(|labels| labels.iter().all(|&label| label < 1 << 20));
            let labels =
                labels.ok_or_else(|| bad(span, "expected labels below 1048576 with `/` between them", USAGE))?;
            Encapsulation::Mpls { labels, ttl: options.number("ttl")? }
        }
        "ila" => {
            let text = first.unwrap_or_default();
            let locator = locator(text);
            let wrong = || bad(span, format!("expected a locator like `2001:db8:0:1`, found `{text}`"), USAGE);
            Encapsulation::Ila { locator: locator.ok_or_else(wrong)? }
        }
        other => return Err(bad(span, format!("unknown kind of encapsulation `{other}`"), USAGE)),
    };
    match options.pairs.first() {
        Some((name, _)) => Err(bad(span, format!("`encap {kind}` has no option `{name}`"), USAGE)),
        None => Ok(result),
    }
}

struct Options<'t> {
    pairs: Vec<(&'t str, &'t str)>,
    span: Span,
}

impl Options<'_> {
    fn take<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Refused> {
        self.read(name, |text| text.parse().ok())
    }

    fn number<T: TryFrom<u32>>(&mut self, name: &str) -> Result<Option<T>, Refused> {
        self.read(name, |text| T::try_from(names::number(text)?).ok())
    }

    fn read<T>(&mut self, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Refused> {
        let Some(place) = self.pairs.iter().position(|(known, _)| *known == name) else { return Ok(None) };
        let (_, value) = self.pairs.remove(place);
        let wrong = || bad(self.span, format!("`{value}` is no value for `{name}`"), USAGE);
        read(value).map(Some).ok_or_else(wrong)
    }
}

/// Four groups of up to four hexadecimal digits.
fn locator(text: &str) -> Option<[u8; 8]> {
    let groups: Option<Vec<_>> = text.split(':').map(|group| u16::from_str_radix(group, 16).ok()).collect();
    let [a, b, c, d] = groups?.try_into().ok()?;
    let bits = u64::from(a) << 48 | u64::from(b) << 32 | u64::from(c) << 16 | u64::from(d);
    Some(bits.to_be_bytes())
}
