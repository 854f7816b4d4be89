//! One line of `virtual_routes` or `static_routes`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vrrp_netlink::addresses::Scope;
use vrrp_netlink::routes::{FEATURE_ECN, Kind, Metric, MetricKind, NextHop, Placement, Route};

use super::encap::encapsulation;
use super::names::Kind as Name;
use super::{PROTOCOL, Planned, Planner, Refused, bad, names, realms};
use crate::config::model::{self, LineOption, OptionValue};
use crate::config::{Code, Diagnostic, Span, Spanned};

/// Bounds of round trip times, in milliseconds, as keepalived has them.
const SHORTEST_TIME: u32 = 200;
const LONGEST_TIME: u32 = 120_000;

impl Planner<'_> {
    pub(super) fn route(&mut self, line: &model::Route) -> Result<Planned<Route>, Refused> {
        let span = line.span;
        let (destination, length) = destination(line)?;
        let mut route = Route::new(destination, length);
        route.kind = kind(line.kind);
        route.placement = match line.action {
            Some("append") => Placement::Last,
            Some("add") => Placement::Alone,
            _ => Placement::First,
        };
        let flag = |name| line.options.iter().any(|option| option.name == name);
        let tracked = !flag("no_track");
        let mut scope = None;
        let (mut protocol, mut group) = (None, None);
        for option in &line.options {
            match (option.name, &option.value) {
                ("table", OptionValue::Text(text)) => {
                    let table = self.names.table(text);
                    route.table = table.ok_or_else(|| self.names.unknown(Name::Table, text, span))?;
                }
                ("protocol", OptionValue::Text(text)) => protocol = Some(self.octet(Name::Protocol, text, span)?),
                ("scope", OptionValue::Text(text)) => scope = Some(Scope(self.octet(Name::Scope, text, span)?)),
                ("tos", OptionValue::Text(text)) => route.tos = self.octet(Name::Tos, text, span)?,
                ("src", OptionValue::Address(address)) => route.preferred_source = Some(*address),
                ("from", OptionValue::Network(source)) => route.source = *source,
                ("metric", OptionValue::Number(number)) => route.metric = u32::try_from(*number).ok(),
                ("expires", OptionValue::Number(number)) => route.expires = u32::try_from(*number).ok(),
                ("pref", OptionValue::Text(text)) => {
                    route.preference = Some(match text.as_str() {
                        "high" => 1,
                        "low" => 3,
                        _ => 0,
                    });
                }
                ("ttl-propagate", OptionValue::Text(text)) => route.ttl_propagate = Some(text == "enabled"),
                ("congctl", OptionValue::Text(name)) => {
                    route.congestion_control = Some((name.clone(), option.locked));
                }
                ("track_group", OptionValue::Text(name)) => group = Some(Spanned::new(name.clone(), span)),
                ("vrf", _) => {
                    let message = "`vrf` is not supported yet";
                    let help = "write `table` and the number of the VRF's table";
                    return Err(Box::new(Diagnostic::new(Code::NotYet, span, message).help(help)));
                }
                _ if of_hop(option.name) || option.name == "no_track" => {}
                _ => route.metrics.push(self.metric(option, span)?),
            }
        }
        route.scope = scope.unwrap_or(match route.kind {
            Kind::Local | Kind::Nat => Scope::HOST,
            _ => Scope::UNIVERSE,
        });
        route.protocol = protocol.unwrap_or(PROTOCOL);
        if tracked && route.protocol != PROTOCOL {
            route.protocol = PROTOCOL;
            let message = "`protocol` has no effect on a route that is put back when somebody removes it".to_owned();
            self.useless(span, message, "add `no_track`; keepalived has the same rule");
        }
        let own = self.hop(line.options.iter().filter(|option| of_hop(option.name)), span)?;
        let mut hops = Vec::new();
        for hop in &line.next_hops {
            if let Some(odd) = hop.iter().find(|option| !of_hop(option.name)) {
                let message = format!("`{}` does not belong to a next hop", odd.name);
                return Err(bad(span, message, "write it before the first `nexthop`"));
            }
            hops.push(self.hop(hop.iter(), span)?);
        }
        if hops.is_empty() {
            if own != (NextHop::default(), None) {
                hops.push(own);
            }
        } else if own.0.gateway.is_some() || own.1.is_some() {
            return Err(bad(span, "a route with `nexthop` has `via` and `dev` in there", "put them behind `nexthop`"));
        } else {
            // The realms of the route are those of each of its next hops.
            for (hop, _) in &mut hops {
                hop.realms = hop.realms.or(own.0.realms);
            }
        }
        let (next_hops, devices) = hops.into_iter().unzip();
        route.next_hops = next_hops;
        fits(&route, span)?;
        Ok(Planned { object: route, devices, tracked, group, span })
    }

    fn hop<'o>(
        &mut self,
        options: impl Iterator<Item = &'o LineOption>,
        span: Span,
    ) -> Result<(NextHop, Option<Spanned<String>>), Refused> {
        let (mut hop, mut device) = (NextHop::default(), None);
        for option in options {
            match (option.name, &option.value) {
                ("via", OptionValue::Address(address)) => hop.gateway = Some(*address),
                ("dev", OptionValue::Interface(name)) => device = Some(name.clone()),
                ("weight", OptionValue::Number(number)) => hop.weight = u16::try_from(*number).unwrap_or(1),
                ("onlink", _) => hop.onlink = true,
                ("realms", OptionValue::Text(text)) => hop.realms = Some(realms(self.names, text, span)?),
                ("encap", OptionValue::Text(text)) => hop.encapsulation = Some(encapsulation(text, span)?),
                _ => {}
            }
        }
        Ok((hop, device))
    }

    fn metric(&mut self, option: &LineOption, span: Span) -> Result<Metric, Refused> {
        let number = match &option.value {
            OptionValue::Number(number) => u32::try_from(*number).unwrap_or(u32::MAX),
            _ => 0,
        };
        let text = match &option.value {
            OptionValue::Text(text) => text.as_str(),
            _ => "",
        };
        let (kind, value) = match option.name {
            "mtu" => (MetricKind::Mtu, number),
            "advmss" => (MetricKind::AdvertisedSegment, number),
            "rtt" => (MetricKind::Rtt, self.time(text, 8, span)?),
            "rttvar" => (MetricKind::RttVar, self.time(text, 4, span)?),
            "reordering" => (MetricKind::Reordering, number),
            "window" => (MetricKind::Window, number),
            "cwnd" => (MetricKind::CongestionWindow, number),
            "ssthresh" => (MetricKind::SlowStartThreshold, number),
            "rto_min" => (MetricKind::MinimumTimeout, self.time(text, 1, span)?),
            "hoplimit" => (MetricKind::HopLimit, number),
            "initcwnd" => (MetricKind::InitialWindow, number),
            "initrwnd" => (MetricKind::InitialReceiveWindow, number),
            "features" => (MetricKind::Features, FEATURE_ECN),
            "quickack" => (MetricKind::QuickAck, number),
            "fastopen_no_cookie" => (MetricKind::FastOpenNoCookie, number),
            other => return Err(bad(span, format!("`{other}` does not belong to a route"), "remove it")),
        };
        Ok(Metric { kind, value, locked: option.locked })
    }

    /// A time in the kernel's unit, of which `units` make a millisecond: a number counts those, one with a unit is a time.
    fn time(&mut self, text: &str, units: u32, span: Span) -> Result<u32, Refused> {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let milliseconds = match unit {
            "" => names::number(number).map(|number| number / units),
            "ms" | "msec" | "msecs" => thousandths(number).map(|thousandths| thousandths / 1000),
            "s" | "sec" | "secs" => thousandths(number),
            _ => None,
        };
        let wrong = || bad(span, format!("expected a time, found `{text}`"), "write it like `300ms` or `1.5s`");
        let time = milliseconds.ok_or_else(wrong)?;
        if (SHORTEST_TIME..=LONGEST_TIME).contains(&time) {
            return Ok(if unit.is_empty() { names::number(number).unwrap_or(0) } else { time * units });
        }
        let held = time.clamp(SHORTEST_TIME, LONGEST_TIME);
        let message = format!("`{text}` is a time of {time} ms, {held} ms is used");
        self.useless(span, message, "200ms to 120s are possible, as in keepalived");
        Ok(held * units)
    }

    pub(super) fn octet(&self, kind: Name, text: &str, span: Span) -> Result<u8, Refused> {
        self.names.octet(kind, text).ok_or_else(|| self.names.unknown(kind, text, span))
    }
}

/// Options of a next hop, which stand in the route itself when there is but one.
fn of_hop(name: &str) -> bool {
    matches!(name, "via" | "dev" | "weight" | "onlink" | "realms" | "encap")
}

fn kind(name: Option<&str>) -> Kind {
    match name {
        Some("local") => Kind::Local,
        Some("broadcast") => Kind::Broadcast,
        Some("anycast") => Kind::Anycast,
        Some("multicast") => Kind::Multicast,
        Some("throw") => Kind::Throw,
        Some("unreachable") => Kind::Unreachable,
        Some("prohibit") => Kind::Prohibit,
        Some("blackhole") => Kind::Blackhole,
        Some("nat") => Kind::Nat,
        _ => Kind::Unicast,
    }
}

/// The network; the family of `default` is that of the line's other addresses.
fn destination(line: &model::Route) -> Result<(IpAddr, u8), Refused> {
    let Some((address, length)) = line.destination else {
        let options = line.options.iter().chain(line.next_hops.iter().flatten());
        let six = options.into_iter().any(|option| match option.value {
            OptionValue::Address(address) | OptionValue::Network(Some((address, _))) => address.is_ipv6(),
            _ => false,
        });
        let six = line.family.map_or(six, |family| family == "inet6");
        return Ok((if six { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }, 0));
    };
    if line.family.is_some_and(|family| (family == "inet6") != address.is_ipv6()) {
        return Err(bad(line.span, format!("{address} is not of the family that the line names"), "remove the family"));
    }
    let network: IpAddr = match address {
        IpAddr::V4(ip) => {
            Ipv4Addr::from_bits(ip.to_bits() & u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)).into()
        }
        IpAddr::V6(ip) => {
            Ipv6Addr::from_bits(ip.to_bits() & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)).into()
        }
    };
    if address == network {
        return Ok((address, length));
    }
    let message = format!("{address}/{length} is no network: bits of a host are set");
    Err(bad(line.span, message, &format!("write `{network}/{length}`, or `{address}` for the host alone")))
}

/// What no kernel would take.
fn fits(route: &Route, span: Span) -> Result<(), Refused> {
    let v4 = route.destination.is_ipv4();
    let family = if v4 { "IPv4" } else { "IPv6" };
    let fixed = route.source.map(|(address, _)| address).into_iter().chain(route.preferred_source);
    let gateways = route.next_hops.iter().filter_map(|hop| hop.gateway).filter(|gateway| !(v4 && gateway.is_ipv6()));
    if let Some(odd) = fixed.chain(gateways).find(|address| address.is_ipv4() != v4) {
        let message = format!("{odd} is not an {family} address, as the destination is");
        return Err(Box::new(Diagnostic::new(Code::WrongFamily, span, message).help("give both the same family")));
    }
    if v4 && (route.source.is_some() || route.expires.is_some() || route.preference.is_some()) {
        return Err(bad(span, "`from`, `expires` and `pref` are for routes of IPv6", "remove them"));
    }
    if !v4 && (route.tos != 0 || route.next_hops.iter().any(|hop| hop.realms.is_some())) {
        return Err(bad(span, "`tos` and `realms` are for routes of IPv4", "remove them"));
    }
    Ok(())
}

/// A decimal number in thousandths.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
    if !digits(whole) || !digits(rest) || rest.len() > 3 {
        return None;
    }
    let rest: u32 = format!("{rest:0<3}").parse().ok()?;
    whole.parse::<u32>().ok()?.checked_mul(1000)?.checked_add(rest)
}
