//! Lines of routes and rules as numbers, names from files, refusals. What the kernel makes of them is in `tests/entries`.

use std::fs;

use super::*;
use crate::config;
use vrrp_netlink::routes::{Encapsulation, MetricKind};
use vrrp_netlink::rules::{Action, Family};

/// What becomes of some lines of routes and rules.
fn plan(routes: &str, rules: &str) -> Routing {
    let text = format!(
        "vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {{\n 192.0.2.1/24\n }}\n \
         virtual_routes {{\n{routes}\n}}\n virtual_rules {{\n{rules}\n}}\n}}"
    );
    let loaded = config::parse_str("test.conf", &text);
    let config = loaded.config.as_ref().unwrap_or_else(|| panic!("{}", loaded.render(false)));
    Routing::plan(config, &Names::built_in())
}

fn route(line: &str) -> Planned<Route> {
    let mut routing = plan(line, "");
    assert!(routing.findings.is_empty(), "{line}: {:?}", routing.findings);
    routing.instances[0].routes.pop().expect("a route")
}

fn rule(line: &str) -> Planned<Rule> {
    let mut routing = plan("", line);
    assert!(routing.findings.is_empty(), "{line}: {:?}", routing.findings);
    routing.instances[0].rules.pop().expect("a rule")
}

#[test]
fn the_family_of_the_default_route_is_that_of_the_line() {
    assert!(route("default via 192.0.2.9").object.destination.is_ipv4());
    assert!(route("default via 2001:db8::9").object.destination.is_ipv6());
    assert!(route("default nexthop via 2001:db8::9 nexthop via 2001:db8::8").object.destination.is_ipv6());
    assert!(route("inet6 default dev eth0").object.destination.is_ipv6());
    assert!(route("default dev eth0").object.destination.is_ipv4());
    assert_eq!(rule("inet6 table 100 priority 5").object.family, Family::V6);
    assert_eq!(rule("from 2001:db8::/32 table 100 priority 5").object.family, Family::V6);
    assert_eq!(rule("table 100 priority 5").object.family, Family::V4);
}

/// The kernel refuses a wider one.
#[test]
fn a_local_route_has_the_scope_of_the_host() {
    use vrrp_netlink::addresses::Scope;
    assert_eq!(route("local 10.0.0.1 dev eth0").object.scope, Scope::HOST);
    assert_eq!(route("local 10.0.0.1 dev eth0 scope link").object.scope, Scope::LINK);
    assert_eq!(route("10.0.0.1 dev eth0").object.scope, Scope::UNIVERSE);
}

#[test]
fn an_encapsulation_ends_where_the_next_option_begins() {
    let planned = route("10.0.0.0/8 encap ip id 5 dst 192.0.2.10 src 192.0.2.1 tos 4 ttl 9 via 192.0.2.9 mtu 1400");
    let hop = &planned.object.next_hops[0];
    let Some(Encapsulation::Ip { id, destination, tos, ttl, .. }) = &hop.encapsulation else { panic!("{hop:?}") };
    assert_eq!((*id, *tos, *ttl), (Some(5), Some(4), Some(9)));
    assert_eq!(*destination, Some([192, 0, 2, 10].into()));
    assert_eq!(hop.gateway, Some([192, 0, 2, 9].into()));
    assert_eq!(planned.object.metrics[0].kind, MetricKind::Mtu);
    let labels = route("10.0.0.0/8 encap mpls 100/200 ttl 3 via 192.0.2.9").object.next_hops.remove(0).encapsulation;
    assert_eq!(labels, Some(Encapsulation::Mpls { labels: vec![100, 200], ttl: Some(3) }));
    let locator = route("2001:db8::/32 encap ila 2001:db8:0:1 via fe80::1 dev eth0").object.next_hops.remove(0);
    let expected = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 1];
    assert_eq!(locator.encapsulation, Some(Encapsulation::Ila { locator: expected }));
}

#[test]
fn times_have_the_kernels_units() {
    let metrics = |line: &str| route(line).object.metrics.iter().map(|metric| metric.value).collect::<Vec<_>>();
    assert_eq!(metrics("10.0.0.0/8 dev eth0 rtt 300ms rttvar 400msec rto_min 1.5s"), [2400, 1600, 1500]);
    assert_eq!(metrics("10.0.0.0/8 dev eth0 rtt 2400 rttvar 1600 rto_min 500"), [2400, 1600, 500]);
    let locked = route("10.0.0.0/8 dev eth0 rtt lock 300ms congctl lock cubic").object;
    assert!(locked.metrics[0].locked);
    assert_eq!(locked.congestion_control, Some(("cubic".into(), true)));
    // keepalived's bounds.
    let short = plan("10.0.0.0/8 dev eth0 rtt 100ms", "");
    assert_eq!(short.instances[0].routes[0].object.metrics[0].value, 1600);
    assert_eq!(short.findings[0].code, Code::OptionUseless);
}

#[test]
fn rules_without_priority_count_down_and_are_told() {
    let routing = plan("", "from 192.0.2.0/24 table 1\nto 192.0.2.0/24 table 1 no_track");
    let rules: Vec<_> =
        routing.instances[0].rules.iter().map(|rule| (rule.object.priority, rule.object.protocol)).collect();
    assert_eq!(rules, [(Some(16_384), Some(18)), (Some(16_383), None)]);
    assert_eq!(routing.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::OptionUseless; 2]);
}

#[test]
fn a_single_port_is_a_range_of_one() {
    let planned = rule("from 192.0.2.0/24 sport 5 dport 20-30 ipproto TCP table 100 priority 5");
    assert_eq!((planned.object.source_ports, planned.object.destination_ports), (Some((5, 5)), Some((20, 30))));
    assert_eq!((planned.object.ip_protocol, planned.object.action), (Some(6), Action::Table(100)));
}

#[test]
fn only_static_entries_have_a_group() {
    let routing = plan("10.0.0.0/8 dev eth0 track_group G", "from 10.0.0.0/8 table 5 priority 5 track_group G");
    assert_eq!(routing.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::OptionUseless; 2]);
}

/// Each refused, with a code and words of its own.
#[test]
fn lines_that_cannot_work_are_refused_with_reasons() {
    for (routes, rules, code, words) in [
        ("10.0.0.0/8 dev eth0 table nowhere", "", Code::NoSuchName, "no routing table `nowhere`"),
        ("10.0.0.0/8 dev eth0 protocol brid", "", Code::NoSuchName, "no routing protocol `brid`"),
        ("10.0.0.0/8 dev eth0 scope far", "", Code::NoSuchName, "no scope `far`"),
        ("10.0.0.0/8 dev eth0 realms wrong", "", Code::NoSuchName, "no realm `wrong`"),
        ("10.0.0.0/8 dev eth0 tos 256", "", Code::NoSuchName, "no type of service `256`"),
        ("10.0.0.1/8 dev eth0", "", Code::BadLine, "bits of a host are set"),
        ("2001:db8::1/64 dev eth0", "", Code::BadLine, "bits of a host are set"),
        ("inet6 10.0.0.0/8 dev eth0", "", Code::BadLine, "not of the family"),
        ("2001:db8::/32 via 192.0.2.9", "", Code::WrongFamily, "is not an IPv6 address"),
        ("10.0.0.0/8 via 192.0.2.9 src 2001:db8::1", "", Code::WrongFamily, "is not an IPv4 address"),
        ("10.0.0.0/8 dev eth0 expires 5", "", Code::BadLine, "for routes of IPv6"),
        ("2001:db8::/32 dev eth0 tos 4", "", Code::BadLine, "for routes of IPv4"),
        ("10.0.0.0/8 via 192.0.2.9 nexthop via 192.0.2.8", "", Code::BadLine, "`nexthop`"),
        ("10.0.0.0/8 nexthop via 192.0.2.8 mtu 1400", "", Code::BadLine, "`mtu` does not belong to a next hop"),
        ("10.0.0.0/8 dev eth0 encap vxlan id 5", "", Code::BadLine, "unknown kind of encapsulation `vxlan`"),
        ("10.0.0.0/8 dev eth0 encap ip hoplimit 5", "", Code::BadLine, "has no option `hoplimit`"),
        ("10.0.0.0/8 dev eth0 encap mpls 1048576", "", Code::BadLine, "labels below 1048576"),
        ("10.0.0.0/8 dev eth0 rtt soon", "", Code::BadLine, "expected a time"),
        ("10.0.0.0/8 dev eth0 vrf blue", "", Code::NotYet, "`vrf`"),
        ("", "from 10.0.0.0/8 to 2001:db8::/32 table 5", Code::WrongFamily, "two families"),
        ("", "from 10.0.0.0/8 table nowhere priority 5", Code::NoSuchName, "no routing table `nowhere`"),
        ("", "from 10.0.0.0/8 table 5 blackhole priority 5", Code::BadLine, "does two things"),
        ("", "from 10.0.0.0/8 goto 5 priority 5", Code::BadLine, "cannot go to 5"),
        ("", "fwmark red table 5 priority 5", Code::BadLine, "no firewall mark"),
        ("", "ipproto tpc table 5 priority 5", Code::NoSuchName, "no protocol of packets `tpc`"),
        ("", "table 5 suppress_ifgroup big priority 5", Code::NoSuchName, "no group of interfaces `big`"),
    ] {
        let routing = plan(routes, rules);
        let finding = routing.findings.iter().find(|finding| finding.code == code);
        let finding = finding.unwrap_or_else(|| panic!("{routes}{rules}: {:?}", routing.findings));
        assert!(finding.message.contains(words), "{}", finding.message);
        assert!(finding.help.is_some() && finding.primary.is_some());
        assert!(routing.is_empty(), "{routes}{rules}");
    }
    let near = plan("10.0.0.0/8 dev eth0 table mian", "");
    assert_eq!(near.findings[0].help.as_deref(), Some("did you mean `main`?"));
}

#[test]
fn names_come_from_the_hosts_files_and_the_administrators_win() {
    let (usr, etc) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let write = |file: std::path::PathBuf, text: &str| fs::write(file, text).expect("a file");
    write(usr.path().join("rt_tables"), "# comment\n100 blue\n0x65 red # hex\nnonsense\n200\n");
    write(usr.path().join("rt_protos"), "77 mine\n");
    fs::create_dir(etc.path().join("rt_tables.d")).expect("a directory");
    write(etc.path().join("rt_tables.d/own.conf"), "102 blue\n103 green\n");
    write(etc.path().join("rt_tables.d/README"), "104 never\n");
    let path = |directory: &tempfile::TempDir| directory.path().to_str().map(str::to_owned);
    let names = Names::of_host(path(&usr).as_deref(), path(&etc).as_deref());
    let table = |name: &str| names.table(name);
    assert_eq!(
        [table("blue"), table("red"), table("green"), table("main")],
        [Some(102), Some(101), Some(103), Some(254)]
    );
    assert_eq!([table("never"), table("nonsense"), table("0x10"), table("07")], [None, None, Some(16), Some(7)]);
    assert_eq!(names.octet(names::Kind::Protocol, "mine"), Some(77));
    assert_eq!(names.octet(names::Kind::Protocol, "256"), None);
}
