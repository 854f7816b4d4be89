//! Rules that choose the routing table: reading them all, adding and removing many at once.
//!
//! Knows nothing of virtual routers, nor names of tables and protocols: these are numbers here, as in the kernel.
//!
//! ```no_run
//! use vrrp_netlink::addresses::Change;
//! use vrrp_netlink::rtnl::Rtnl;
//! use vrrp_netlink::rules::{Action, Family, Rule};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut rule = Rule::new(Family::V4, Action::Table(100));
//! rule.from = Some(("192.0.2.0".parse()?, 24));
//! rule.priority = Some(1000);
//! for result in Rtnl::open()?.add_rules(&[rule]) {
//!     println!("added: {}", result? == Change::Done);
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL, Parseable};
use netlink_packet_route::route::{RouteProtocol, RouteRealm};
use netlink_packet_route::rule::{
    RuleAction, RuleAttribute, RuleFlags, RuleHeader, RuleMessage, RulePortRange, RuleUidRange,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::Result;
use crate::addresses::Change;
use crate::links::NAME_MAX;
use crate::rtnl::{Garbled, Request, Rtnl};

/// `FRA_IP_PROTO`.
const IP_PROTOCOL: u16 = 22;
/// `FRA_SUPPRESS_PREFIXLEN` and `FRA_SUPPRESS_IFGROUP` say this when nothing is suppressed.
const NOTHING: u32 = u32::MAX;

/// The packets that a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Those of IPv4.
    V4,
    /// Those of IPv6.
    V6,
}

/// What a rule does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Looks it up in the table with this number.
    Table(u32),
    /// Looks it up in the table of the VRF it belongs to.
    L3Mdev,
    /// Goes on with the rule of this priority, which must be higher than its own.
    Goto(u32),
    /// Nothing.
    Nop,
    /// Drops it.
    Blackhole,
    /// Tells its sender that the destination cannot be reached.
    Unreachable,
    /// Tells its sender that it is not allowed to.
    Prohibit,
}

/// A rule. What is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// The packets it is for.
    pub family: Family,
    /// What it does with them.
    pub action: Action,
    /// Lower ones come first; the kernel takes one below the lowest of the others when `None`.
    pub priority: Option<u32>,
    /// It is for the packets that do not match.
    pub inverted: bool,
    /// Network of the source.
    pub from: Option<(IpAddr, u8)>,
    /// Network of the destination.
    pub to: Option<(IpAddr, u8)>,
    /// Type of service, 0 for any.
    pub tos: u8,
    /// Firewall mark, and the bits of it that count; all when `None`.
    pub mark: Option<(u32, Option<u32>)>,
    /// Realms: the source's in the upper, the destination's in the lower 16 bits.
    pub realms: Option<u32>,
    /// What the table finds does not count when its prefix is at most this long, 0..=128.
    pub suppress_prefix_length: Option<u32>,
    /// What the table finds does not count when its interface is of this group.
    pub suppress_group: Option<u32>,
    /// Interface that the packet came in by, at most [`NAME_MAX`] octets.
    pub input: Option<String>,
    /// Interface that a packet of this host is bound to, at most [`NAME_MAX`] octets.
    pub output: Option<String>,
    /// Number of the tunnel.
    pub tunnel: Option<u64>,
    /// Users whose packets it is for, from first to last.
    pub users: Option<(u32, u32)>,
    /// Who made it (`RTPROT_*`).
    pub protocol: Option<u8>,
    /// Protocol of the packet, like 6 for TCP.
    pub ip_protocol: Option<u8>,
    /// Source ports, from first to last.
    pub source_ports: Option<(u16, u16)>,
    /// Destination ports, from first to last.
    pub destination_ports: Option<(u16, u16)>,
}

impl Rule {
    /// A rule for all packets of a family.
    pub fn new(family: Family, action: Action) -> Self {
        Self {
            family,
            action,
            priority: None,
            inverted: false,
            from: None,
            to: None,
            tos: 0,
            mark: None,
            realms: None,
            suppress_prefix_length: None,
            suppress_group: None,
            input: None,
            output: None,
            tunnel: None,
            users: None,
            protocol: None,
            ip_protocol: None,
            source_ports: None,
            destination_ports: None,
        }
    }

    /// Reads the payload of an `RTM_NEWRULE` or `RTM_DELRULE` message; never panics.
    ///
    /// `None` for families other than IPv4 and IPv6 and for actions that are not known here.
    pub fn read(payload: &[u8]) -> std::result::Result<Option<Self>, Garbled> {
        let header = RuleHeader::parse(payload)?;
        let (family, any): (_, IpAddr) = match header.family {
            AddressFamily::Inet => (Family::V4, Ipv4Addr::UNSPECIFIED.into()),
            AddressFamily::Inet6 => (Family::V6, Ipv6Addr::UNSPECIFIED.into()),
            _ => return Ok(None),
        };
        let mut rule = Self::new(family, Action::Nop);
        rule.tos = header.tos;
        rule.inverted = header.flags.contains(RuleFlags::Invert);
        rule.from = (header.src_len > 0).then_some((any, header.src_len));
        rule.to = (header.dst_len > 0).then_some((any, header.dst_len));
        let (mut table, mut target, mut l3mdev) = (u32::from(header.table), 0, false);
        let (mut mark, mut counting) = (None, None);
        for attribute in RuleMessage::parse(payload)?.attributes {
            match attribute {
                RuleAttribute::Destination(ip) => rule.to = Some((ip, header.dst_len)),
                RuleAttribute::Source(ip) => rule.from = Some((ip, header.src_len)),
                RuleAttribute::Priority(priority) => rule.priority = Some(priority),
                RuleAttribute::Table(number) => table = number,
                RuleAttribute::Goto(priority) => target = priority,
                RuleAttribute::L3MDev(on) => l3mdev = on,
                RuleAttribute::FwMark(value) => mark = Some(value),
                RuleAttribute::FwMask(bits) => counting = Some(bits),
                RuleAttribute::Realm(realm) => {
                    rule.realms = Some(u32::from(realm.source) << 16 | u32::from(realm.destination));
                }
                RuleAttribute::SuppressPrefixLen(value) => {
                    rule.suppress_prefix_length = Some(value).filter(|&value| value != NOTHING);
                }
                RuleAttribute::SuppressIfGroup(value) => {
                    rule.suppress_group = Some(value).filter(|&value| value != NOTHING);
                }
                RuleAttribute::Iifname(name) => rule.input = Some(name),
                RuleAttribute::Oifname(name) => rule.output = Some(name),
                RuleAttribute::TunId(number) => rule.tunnel = Some(number),
                RuleAttribute::UidRange(range) => rule.users = Some((range.start, range.end)),
                RuleAttribute::Protocol(protocol) => rule.protocol = Some(protocol.into()),
                RuleAttribute::IpProtocol(protocol) => rule.ip_protocol = u8::try_from(i32::from(protocol)).ok(),
                RuleAttribute::SourcePortRange(range) => rule.source_ports = Some((range.start, range.end)),
                RuleAttribute::DestinationPortRange(range) => rule.destination_ports = Some((range.start, range.end)),
                _ => {}
            }
        }
        rule.mark = mark.map(|mark| (mark, counting.filter(|&bits| bits != u32::MAX)));
        rule.action = match header.action {
            RuleAction::ToTable if l3mdev => Action::L3Mdev,
            RuleAction::ToTable => Action::Table(table),
            RuleAction::Goto => Action::Goto(target),
            RuleAction::Nop => Action::Nop,
            RuleAction::Blackhole => Action::Blackhole,
            RuleAction::Unreachable => Action::Unreachable,
            RuleAction::Prohibit => Action::Prohibit,
            _ => return Ok(None),
        };
        Ok(Some(rule))
    }
}

impl Rtnl {
    /// All IPv4 and IPv6 rules of the namespace, in the kernel's order.
    pub fn rules(&mut self) -> Result<Vec<Rule>> {
        let message = RouteNetlinkMessage::GetRule(RuleMessage::default());
        self.dump("list the routing rules", message, |kind, payload| match kind {
            libc::RTM_NEWRULE => Rule::read(payload),
            _ => Ok(None),
        })
    }

    /// Adds rules, in order, each whether or not those before it succeed; one result for each. A rule that is there stays
    /// as it is ([`Change::AlreadySo`]).
    pub fn add_rules(&mut self, rules: &[Rule]) -> Vec<Result<Change>> {
        let request = |rule: &Rule| Request {
            message: RouteNetlinkMessage::NewRule(write(rule)),
            flags: NLM_F_CREATE | NLM_F_EXCL,
        };
        self.change_all("add the routing rule", rules, sendable, request, &[libc::EEXIST])
    }

    /// Removes rules, in order, each whether or not those before it succeed; one result for each. All that is set must be
    /// as in the kernel's table.
    pub fn remove_rules(&mut self, rules: &[Rule]) -> Vec<Result<Change>> {
        let request = |rule: &Rule| Request { message: RouteNetlinkMessage::DelRule(write(rule)), flags: 0 };
        self.change_all("remove the routing rule", rules, sendable, request, &[libc::ENOENT])
    }
}

/// What the kernel would read otherwise than it was meant.
fn sendable(rule: &Rule) -> std::result::Result<(), &'static str> {
    let fits = |&(ip, length): &(IpAddr, u8)| {
        let (family, bits) = if ip.is_ipv4() { (Family::V4, 32) } else { (Family::V6, 128) };
        family == rule.family && length <= bits
    };
    if !rule.from.iter().chain(&rule.to).all(fits) {
        return Err("a network is of another family than the rule, or its prefix is longer than an address");
    }
    let named = |name: &String| (1..=NAME_MAX).contains(&name.len()) && !name.contains('\0');
    if !rule.input.iter().chain(&rule.output).all(named) {
        return Err("the name of an interface has 1 to 15 octets, none of them zero");
    }
    Ok(())
}

pub(crate) fn write(rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    let (header, attributes) = (&mut message.header, &mut message.attributes);
    header.family = match rule.family {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    };
    header.tos = rule.tos;
    header.flags.set(RuleFlags::Invert, rule.inverted);
    attributes.extend(rule.priority.map(RuleAttribute::Priority));
    header.action = match rule.action {
        Action::Table(number) => {
            attributes.push(RuleAttribute::Table(number));
            RuleAction::ToTable
        }
        Action::L3Mdev => {
            attributes.push(RuleAttribute::L3MDev(true));
            RuleAction::ToTable
        }
        Action::Goto(priority) => {
            attributes.push(RuleAttribute::Goto(priority));
            RuleAction::Goto
        }
        Action::Nop => RuleAction::Nop,
        Action::Blackhole => RuleAction::Blackhole,
        Action::Unreachable => RuleAction::Unreachable,
        Action::Prohibit => RuleAction::Prohibit,
    };
    if let Some((ip, length)) = rule.from {
        header.src_len = length;
        attributes.push(RuleAttribute::Source(ip));
    }
    if let Some((ip, length)) = rule.to {
        header.dst_len = length;
        attributes.push(RuleAttribute::Destination(ip));
    }
    if let Some((mark, mask)) = rule.mark {
        attributes.push(RuleAttribute::FwMark(mark));
        attributes.extend(mask.map(RuleAttribute::FwMask));
    }
    attributes.extend(rule.realms.map(|realms| {
        let [a, b, c, d] = realms.to_be_bytes();
        let (source, destination) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        RuleAttribute::Realm(RouteRealm { source, destination })
    }));
    attributes.extend(rule.suppress_prefix_length.map(RuleAttribute::SuppressPrefixLen));
    attributes.extend(rule.suppress_group.map(RuleAttribute::SuppressIfGroup));
    attributes.extend(rule.input.clone().map(RuleAttribute::Iifname));
    attributes.extend(rule.output.clone().map(RuleAttribute::Oifname));
    attributes.extend(rule.tunnel.map(RuleAttribute::TunId));
    attributes.extend(rule.users.map(|(start, end)| RuleAttribute::UidRange(RuleUidRange { start, end })));
    attributes.extend(rule.protocol.map(|number| RuleAttribute::Protocol(RouteProtocol::from(number))));
    attributes.extend(rule.ip_protocol.map(|number| RuleAttribute::Other(DefaultNla::new(IP_PROTOCOL, vec![number]))));
    attributes
        .extend(rule.source_ports.map(|(start, end)| RuleAttribute::SourcePortRange(RulePortRange { start, end })));
    attributes.extend(
        rule.destination_ports.map(|(start, end)| RuleAttribute::DestinationPortRange(RulePortRange { start, end })),
    );
    message
}
