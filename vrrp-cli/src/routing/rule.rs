//! One line of `virtual_rules` or `static_rules`.

use std::net::IpAddr;

use vrrp_netlink::rules::{Action, Family, Rule};

use super::names::Kind as Name;
use super::{PROTOCOL, Planned, Planner, Refused, bad, names, realms};
use crate::config::model::{self, OptionValue};
use crate::config::{Code, Diagnostic, Spanned};

impl Planner<'_> {
    pub(super) fn rule(&mut self, line: &model::Rule) -> Result<Planned<Rule>, Refused> {
        let span = line.span;
        let mut rule = Rule::new(family(line)?, Action::Nop);
        rule.inverted = line.inverted;
        let (mut action, mut group, mut tracked) = (None, None, true);
        for option in &line.options {
            let acts = match (option.name, &option.value) {
                ("from", OptionValue::Network(network)) => {
                    rule.from = *network;
                    None
                }
                ("to", OptionValue::Network(network)) => {
                    rule.to = *network;
                    None
                }
                ("table", OptionValue::Text(text)) => {
                    let table = self.names.table(text).filter(|&table| table != 0);
                    Some(Action::Table(table.ok_or_else(|| self.names.unknown(Name::Table, text, span))?))
                }
                ("goto", OptionValue::Number(number)) => Some(Action::Goto(u32::try_from(*number).unwrap_or(u32::MAX))),
                ("nop", _) => Some(Action::Nop),
                ("l3mdev", _) => Some(Action::L3Mdev),
                ("blackhole", _) => Some(Action::Blackhole),
                ("prohibit", _) => Some(Action::Prohibit),
                ("unreachable", _) => Some(Action::Unreachable),
                ("track_group", OptionValue::Text(name)) => {
                    group = Some(Spanned::new(name.clone(), span));
                    None
                }
                ("no_track", _) => {
                    tracked = false;
                    None
                }
                (name, value) => {
                    self.selector(&mut rule, name, value, line)?;
                    None
                }
            };
            match (action, acts) {
                (Some(first), Some(second)) if first != second => {
                    return Err(bad(span, "a rule that does two things", "write two rules"));
                }
                (_, Some(one)) => action = Some(one),
                (_, None) => {}
            }
        }
        rule.action = action.ok_or_else(|| bad(span, "a rule that does nothing", "add `table NAME`"))?;
        if tracked && rule.protocol.is_some_and(|protocol| protocol != PROTOCOL) {
            let message = "`protocol` has no effect on a rule that is put back when somebody removes it".to_owned();
            self.useless(span, message, "add `no_track`; keepalived has the same rule");
        }
        if tracked {
            rule.protocol = Some(PROTOCOL);
        }
        if rule.priority.is_none() {
            let priority = self.next_priority;
            self.next_priority = priority.saturating_sub(1);
            rule.priority = Some(priority);
            let message = format!("this rule has no `priority`: {priority} is used");
            self.useless(span, message, "say where it stands among the others: keepalived counts down from 16384");
        }
        if let (Action::Goto(target), Some(own)) = (rule.action, rule.priority)
            && target <= own
        {
            let message = format!("a rule of priority {own} cannot go to {target}");
            return Err(bad(span, message, "`goto` leads forward, to a higher number"));
        }
        Ok(Planned { object: rule, devices: Vec::new(), tracked, group, span })
    }

    fn selector(
        &mut self,
        rule: &mut Rule,
        name: &str,
        value: &OptionValue,
        line: &model::Rule,
    ) -> Result<(), Refused> {
        let span = line.span;
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let port = |number: u64| u16::try_from(number).unwrap_or(u16::MAX);
        match (name, value) {
            ("priority", OptionValue::Number(number)) => rule.priority = Some(small(*number)),
            ("tos", OptionValue::Text(text)) => rule.tos = self.octet(Name::Tos, text, span)?,
            ("fwmark", OptionValue::Text(text)) => {
                let (mark, bits) =
                    text.split_once('/').map_or((text.as_str(), None), |(mark, bits)| (mark, Some(bits)));
                let number = |text: &str| {
                    let wrong = || bad(span, format!("`{text}` is no firewall mark"), "write `MARK` or `MARK/MASK`");
                    names::number(text).ok_or_else(wrong)
                };
                rule.mark = Some((number(mark)?, bits.map(number).transpose()?));
            }
            ("realms", OptionValue::Text(text)) => rule.realms = Some(realms(self.names, text, span)?),
            ("suppress_prefixlength", OptionValue::Number(number)) => {
                rule.suppress_prefix_length = Some(small(*number));
            }
            ("suppress_ifgroup", OptionValue::Text(text)) => {
                let group = self.names.number(Name::Group, text);
                rule.suppress_group = Some(group.ok_or_else(|| self.names.unknown(Name::Group, text, span))?);
            }
            ("iif", OptionValue::Interface(name)) => rule.input = Some(name.value.clone()),
            ("oif", OptionValue::Interface(name)) => rule.output = Some(name.value.clone()),
            ("tunnel-id", OptionValue::Number(number)) => rule.tunnel = Some(*number),
            ("uidrange", OptionValue::Range(first, last)) => rule.users = Some((small(*first), small(*last))),
            ("protocol", OptionValue::Text(text)) => rule.protocol = Some(self.octet(Name::Protocol, text, span)?),
            ("ipproto", OptionValue::Text(text)) => {
                // Names of protocols are written in either case.
                let number = self.names.octet(Name::IpProtocol, &text.to_lowercase());
                rule.ip_protocol = Some(number.ok_or_else(|| self.names.unknown(Name::IpProtocol, text, span))?);
            }
            ("sport", OptionValue::Range(first, last)) => rule.source_ports = Some((port(*first), port(*last))),
            ("dport", OptionValue::Range(first, last)) => rule.destination_ports = Some((port(*first), port(*last))),
            (other, _) => return Err(bad(span, format!("`{other}` does not belong to a rule"), "remove it")),
        }
        Ok(())
    }
}

/// That of its addresses, or the one that the line names; IPv4 without either.
fn family(line: &model::Rule) -> Result<Family, Refused> {
    let of = |address: &IpAddr| if address.is_ipv4() { Family::V4 } else { Family::V6 };
    let networks = line.options.iter().filter_map(|option| match &option.value {
        OptionValue::Network(Some((address, _))) => Some(of(address)),
        _ => None,
    });
    let named = line.family.map(|family| if family == "inet6" { Family::V6 } else { Family::V4 });
    let mut families: Vec<Family> = named.into_iter().chain(networks).collect();
    families.dedup();
    match families.as_slice() {
        [] => Ok(Family::V4),
        [one] => Ok(*one),
        _ => {
            let message = "a rule of two families";
            let help = "write one rule for IPv4 and one for IPv6";
            Err(Box::new(Diagnostic::new(Code::WrongFamily, line.span, message).help(help)))
        }
    }
}
