//! Addresses, routes and rules on the host, in every form that the language has: what the kernel shows while a router is
//! Master and after its stop, beside keepalived with the same file; what somebody else removes; what the kernel refuses.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use vrrp_cli::lab::{self, Host};

use crate::common::Kind::{Keepalived, Vrrpctl};
use crate::common::*;

/// Lines that keepalived 2.2.7 takes as well, one for each option.
const ADDRESSES: &[&str] = &[
    "10.9.0.100",
    "10.9.0.101/24",
    "10.5.0.2/24 brd + label eth0:1 scope link",
    "10.1.0.3/24 brd - dev eth2",
    "10.7.0.1 peer 10.7.0.2",
    "10.9.0.104/24 noprefixroute",
    "10.9.0.105/24 preferred_lft 60",
    "10.9.0.106/24 home",
    "10.9.0.107/24 -nodad mngtmpaddr",
    "10.6.0.1/24 no_track",
    "10.4.0.1/24 scope 200 broadcast 10.4.0.255",
    "10.4.1.1/24 scope host brd 10.4.1.255",
    "10.4.2.1/24 scope nowhere preferred_lft forever",
    "10.4.3.1/24 scope global label eth0:2 dev eth0 noprefixroute no_track preferred_lft 50",
];
const EXCLUDED: &[&str] = &[
    "239.1.1.1 autojoin",
    "10.3.0.1/24",
    "2001:db8:9::100",
    "2001:db8:9::101/64",
    "2001:db8:9::102/64 home",
    "2001:db8:9::103/64 -nodad",
    "2001:db8:9::104/64 mngtmpaddr",
    "2001:db8:9::105/64 noprefixroute",
    "2001:db8:9::106/64 preferred_lft 3000",
    "2001:db8:9::107/128 preferred_lft forever",
    "2001:db8:9::108/64 preferred_lft 0",
    "2001:db8:8::1 peer 2001:db8:8::2",
    "2001:db8:7::1/64 dev eth2 no_track",
];
const STATIC: &[&str] = &[
    "10.2.0.1/24 dev eth2 label eth2:7",
    "2001:db8:6::1/64 dev eth0",
    "10.2.1.1/24",
    "10.2.2.1/24 brd + scope link dev eth2 preferred_lft 60",
    "10.2.3.1 peer 10.2.3.2 dev eth2",
    "10.2.4.1/24 noprefixroute home no_track",
    "239.1.1.2 autojoin dev eth0",
    "2001:db8:6:1::1/64 home preferred_lft 3000 dev eth2",
    "2001:db8:6:2::1/64 mngtmpaddr dev eth2",
    "2001:db8:6:3::1/64 noprefixroute -nodad dev eth2",
    "2001:db8:6:4::1",
];
const ROUTES: &[&str] = &[
    "10.20.0.0/16 via 10.9.0.9",
    "10.21.1.0/24 dev eth0",
    "10.21.2.0/24 via 10.9.0.9 no_track",
    "src 10.9.0.100 to 10.21.3.0/24 gw 10.9.0.9 oif eth0",
    "blackhole 10.21.4.0/24",
    "unreachable 10.21.5.0/24 table 100",
    "prohibit 10.21.6.0/24",
    "throw 10.21.7.0/24 table 0x64",
    "multicast 239.0.0.0/8 dev eth0",
    "default via 10.9.0.9 table 100",
    "0.0.0.0/0 via 10.9.0.8 table 101",
    "10.21.8.1 dev eth0 no_track protocol bird",
    "10.21.9.0/24 via 10.9.0.9 protocol bird metric 5",
    "10.21.9.0/24 via 10.9.0.9 priority 6",
    "10.21.9.0/24 via 10.9.0.9 preference 7",
    "10.21.10.0/24 via 10.9.0.9 scope global tos 0x04",
    "10.21.10.0/24 via 10.9.0.9 dsfield 8",
    "10.21.11.0/24 dev eth0 scope link",
    "10.21.12.0/24 dev eth0 scope host tos 0x10",
    "10.21.13.0/24 dev eth0 scope 253",
    "10.21.14.0/24 via 10.9.0.9 mtu 1400 advmss 1300 reordering 4 window 2000 cwnd 5 ssthresh 6 hoplimit 33 initcwnd 7 \
     initrwnd 8 quickack 1 fastopen_no_cookie 1",
    "10.21.15.0/24 via 10.9.0.9 rtt 300ms rttvar 400ms rto_min 1s",
    "10.21.16.0/24 via 10.9.0.9 rtt 2400 rttvar 1600 rto_min 500",
    "10.21.17.0/24 via 10.9.0.9 mtu lock 1400 ssthresh lock 107",
    "10.21.18.0/24 via 10.9.0.9 features ecn quickack 0 mtu 0",
    "10.21.19.0/24 via 10.9.0.9 congctl cubic",
    "10.21.20.0/24 via 10.9.0.9 realms 3/4",
    "10.21.21.0/24 via 10.9.0.9 realms 4",
    "10.21.22.0/24 via 10.99.0.9 dev eth0 onlink",
    "10.21.23.0/24 nexthop via 10.9.0.9 dev eth0 weight 2 nexthop via 10.8.0.9 dev eth2 onlink",
    "10.21.24.0/24 via 10.9.0.9 encap ip id 5 dst 10.9.0.10",
    "10.21.25.0/24 via 10.9.0.9 ttl-propagate enabled",
    "append 10.21.26.0/24 via 10.9.0.9",
    "add 10.21.27.0/24 via 10.9.0.9",
    "prepend 10.21.28.0/24 via 10.9.0.9",
    "unicast 10.21.29.0/24 via 10.9.0.9",
    "broadcast 10.21.31.255 dev eth0 scope link",
    "10.21.33.0/24 nexthop via 10.9.0.9 realms 3 nexthop via 10.9.0.10 dev eth0 weight 256",
    "10.21.34.0/24 dev eth0 encap ip id 6 src 10.9.0.2 dst 10.9.0.10 ttl 7 tos 4",
    "2001:db8:20::/64 via 2001:db8:9::9",
    "2001:db8:20:1::/64 dev eth0",
    "2001:db8:20:2::/64 via 2001:db8:9::9 metric 5 pref high",
    "2001:db8:20:2::/64 via 2001:db8:9::9 metric 6 pref low",
    "2001:db8:20:3::/64 via 2001:db8:9::9 expires 3000",
    "2001:db8:20:4::/64 from 2001:db8:30::/64 via 2001:db8:9::9",
    "2001:db8:20:5::/64 nexthop via 2001:db8:9::9 dev eth0 weight 2 nexthop via 2001:db8:9::a dev eth0",
    "blackhole 2001:db8:20:6::/64",
    "2001:db8:20:7::/64 dev eth0 encap ip6 id 5 dst 2001:db8::9",
    "2001:db8:20:8::/64 via fe80::1 dev eth0 mtu 1400 hoplimit 30 table 200 protocol bird",
    "2001:db8:20:9::1 dev eth0",
    "2001:db8:20:b::/64 via 2001:db8:9::9 pref medium src 2001:db8:9::2",
    "unreachable 2001:db8:20:c::/64 metric 9",
    "prohibit 2001:db8:20:d::/64",
    "throw 2001:db8:20:e::/64 table 200",
    "2001:db8:20:f::/64 via 2001:db8:9::9 rtt 300ms rto_min 1s mtu lock 1300 congctl cubic",
];
const RULES: &[&str] = &[
    "from 192.168.2.0/24 table 1",
    "to 192.168.2.0/24 lookup 1 no_track",
    "not from 192.168.3.0/24 table main priority 500",
    "from 192.168.28.0/24 to 192.168.29.0/26 table 100 iif eth0 oif eth2 tos 0x10 fwmark 24/12 preference 39 realms 30/20",
    "from 10.1.1.1 goto 600 order 501",
    "from 10.1.1.1 nop priority 600",
    "from 10.1.1.2 blackhole priority 601",
    "from 10.1.1.2 prohibit priority 602",
    "from 10.1.1.2 unreachable priority 603",
    "from 10.1.1.3 table 100 suppress_prefixlength 5 suppress_ifgroup 6 priority 604",
    "from 10.1.1.4 table 100 tunnel-id 6 priority 605",
    "from 10.1.1.5 table 100 uidrange 10-20 priority 606",
    "l3mdev priority 607",
    "from 10.1.1.6 table 100 protocol 12 ipproto udp sport 10-20 dport 20-30 priority 608",
    "from 10.1.1.6 table 100 protocol 12 no_track ipproto 6 priority 609",
    "fwmark 7 table 100 priority 610",
    "to 1:2:3:4:5:6:7:0/112 from 7:6:5:4:3:2::/96 table 6908 priority 611",
    "dev eth0 table 100 priority 612 dsfield 8",
    "from 2001:db8:1::/48 to 2001:db8:2::/48 table 200 oif eth2 tos 0x10 fwmark 0x24/0xff priority 615",
    "from 2001:db8:3::/48 unreachable priority 616",
    "from 2001:db8:3::/48 goto 618 priority 617",
    "from 2001:db8:3::/48 nop priority 618",
    "from 2001:db8:4::1 table 200 ipproto udp sport 10-20 dport 20-30 uidrange 1-2 protocol 12 priority 619",
    "not to 2001:db8:5::/48 table 200 suppress_prefixlength 5 suppress_ifgroup 6 tunnel-id 6 priority 620",
    "from 10.1.1.8 blackhole fwmark 5 ipproto tcp preference 622",
    "from default table 100 priority 704",
];

/// Lines that keepalived 2.2.7 passes over, and what the kernel shows of them.
const LATER_ROUTES: &[(&str, &str)] = &[
    (
        "inet 10.21.30.0/24 via 10.9.0.9 table main",
        "unicast 10.21.30.0/24 via 10.9.0.9 dev eth0 table main proto keepalived scope global",
    ),
    ("local 10.21.31.1 dev eth0 table local", "local 10.21.31.1 dev eth0 table local proto keepalived scope host"),
    (
        "10.21.32.0/24 dev eth0 scope site protocol static metric 0x10",
        "unicast 10.21.32.0/24 dev eth0 table main proto keepalived scope site metric 16",
    ),
    (
        "10.21.35.0/24 via inet6 fe80::9 dev eth0",
        "unicast 10.21.35.0/24 via inet6 fe80::9 dev eth0 table main proto keepalived scope global",
    ),
    (
        "10.21.36.0/24 via 10.9.0.9 advmss lock 1300 hoplimit lock 9 rtt lock 300ms window lock 9",
        "unicast 10.21.36.0/24 via 10.9.0.9 dev eth0 table main proto keepalived scope global window lock 9 rtt lock 300ms advmss lock 1300 hoplimit lock 9",
    ),
    (
        "inet6 2001:db8:20:a::/64 via 2001:db8:9::9",
        "unicast 2001:db8:20:a::/64 via 2001:db8:9::9 dev eth0 table main proto keepalived scope global metric 1024 pref medium",
    ),
    (
        "inet6 default via 2001:db8:9::9 table 201 onlink dev eth0",
        "unicast default via 2001:db8:9::9 dev eth0 table 201 proto keepalived scope global metric 1024 onlink pref medium",
    ),
];
/// The same of rules.
const LATER_RULES: &[(&str, &str)] = &[
    ("inet from 10.1.1.7 table 100 priority 613", "613: from 10.1.1.7 lookup 100 proto keepalived"),
    ("inet6 iif eth0 table 100 priority 614", "614: from all iif eth0 lookup 100 proto keepalived"),
    ("inet6 l3mdev priority 621", "621: from all lookup [l3mdev-table] proto keepalived"),
];

fn block(name: &str, lines: &[&str]) -> String {
    let mut text = format!("{name} {{\n");
    for line in lines {
        writeln!(text, "    {line}").unwrap();
    }
    text + "}\n"
}

/// A router that is Master at once, with these settings.
fn master(settings: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n    state MASTER\n    interface eth0\n    virtual_router_id 50\n    priority 255\n{settings}}}\n"
    )
}

/// Prints what `ip` says in the host's namespace.
fn ip_says(host: &Host, arguments: &str) -> String {
    let mut command = Command::new("ip");
    command.args(arguments.split_whitespace()).stdin(Stdio::null());
    let output = host.namespace().command(&mut command).unwrap().output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// All addresses, routes and rules of a host, sorted; times that run are left out.
fn dump(host: &Host) -> Vec<String> {
    let mut lines = Vec::new();
    for arguments in [
        "-d -o address show",
        "-d -o -4 route show table all",
        "-d -o -6 route show table all",
        "-d -4 rule show",
        "-d -6 rule show",
    ] {
        for line in ip_says(host, arguments).lines() {
            let words = line.split_whitespace().map(|word| match word.strip_suffix("sec") {
                Some(number) if number.len() > 1 => "(some seconds)",
                _ => word,
            });
            lines.push(words.collect::<Vec<_>>().join(" "));
        }
    }
    lines.sort();
    lines
}

/// Lines of one list that are not in the other.
fn beyond<'l>(list: &'l [String], other: &[String]) -> Vec<&'l str> {
    list.iter().filter(|line| !other.contains(line)).map(String::as_str).collect()
}

/// A host with a second interface, eth2 at 10.8.0.2/24, and with an address of IPv6.
fn prepare(stage: &Stage) -> &Host {
    let host = stage.lan.host("a");
    for arguments in [
        "link add eth2 type veth peer name eth3",
        "link set eth2 up",
        "link set eth3 up",
        "address add 10.8.0.2/24 dev eth2",
        "address add 2001:db8:9::2/64 dev eth0 nodad",
        "address add 2001:db8:7::2/64 dev eth2 nodad",
    ] {
        ip_says(host, arguments);
    }
    eventually("no address is tentative", || !ip_says(host, "-6 address show").contains("tentative"));
    host
}

fn write(stage: &Stage, name: &str, text: &str) -> PathBuf {
    stage.file(name, text)
}

/// What a daemon adds to the host while it has these settings, and what it leaves behind.
fn effects(kind: Kind, text: &str) -> (Vec<String>, Vec<String>) {
    let stage = Stage::new();
    let host = prepare(&stage);
    let before = dump(host);
    let file = write(&stage, "daemon.conf", text);
    let mut daemon = Daemon::start(kind, host, &file);
    daemon.says("entering master state", 1);
    // The last of everything.
    eventually("the rules are there", || ip_says(host, "-4 rule show").contains("704:"));
    eventually("duplicate address detection has ended", || !ip_says(host, "-6 address show").contains("tentative"));
    let during = dump(host);
    daemon.stop();
    let after = dump(host);
    let owned = |lines: Vec<&str>| lines.into_iter().map(str::to_owned).collect();
    (owned(beyond(&during, &before)), owned(beyond(&after, &before)))
}

/// keepalived's own are compared, so that each option means the same.
#[test]
fn every_option_shows_in_the_kernel_as_keepalived_has_it_and_nothing_stays() {
    if tool("keepalived").is_none()
        || !lab::privileged(every_option_shows_in_the_kernel_as_keepalived_has_it_and_nothing_stays)
    {
        return;
    }
    let virtual_lines = master(
        &[
            block("virtual_ipaddress", ADDRESSES),
            block("virtual_ipaddress_excluded", EXCLUDED),
            block("virtual_routes", ROUTES),
            block("virtual_rules", RULES),
        ]
        .concat(),
    );
    let static_lines = [
        block("static_ipaddress", STATIC),
        block("static_routes", ROUTES),
        block("static_rules", RULES),
        master(&block("virtual_ipaddress", &["10.9.0.100"])),
    ]
    .concat();
    for (what, text) in [("virtual", virtual_lines), ("static", static_lines)] {
        let (ours, left) = effects(Vrrpctl, &text);
        assert_eq!(left, Vec::<String>::new(), "{what}: nothing stays");
        let (theirs, _) = effects(Keepalived, &text);
        let (only_ours, only_theirs) = (beyond(&ours, &theirs), beyond(&theirs, &ours));
        assert!(
            only_ours.is_empty() && only_theirs.is_empty(),
            "{what}, only vrrpctl:\n{}\nonly keepalived:\n{}",
            only_ours.join("\n"),
            only_theirs.join("\n")
        );
        assert!(ours.len() > 50, "{what}: {ours:?}");
    }
}

#[test]
fn options_that_old_keepalived_lacks_show_in_the_kernel_too() {
    if !lab::privileged(options_that_old_keepalived_lacks_show_in_the_kernel_too) {
        return;
    }
    let lines = |list: &[(&'static str, &'static str)]| list.iter().map(|(line, _)| *line).collect::<Vec<_>>();
    let mut rules = lines(LATER_RULES);
    rules.push(RULES[RULES.len() - 1]);
    let text = [
        block("virtual_ipaddress", &["10.9.0.100"]),
        block("virtual_routes", &lines(LATER_ROUTES)),
        block("virtual_rules", &rules),
    ];
    let (shown, left) = effects(Vrrpctl, &master(&text.concat()));
    for (line, expected) in LATER_ROUTES.iter().chain(LATER_RULES) {
        assert!(shown.iter().any(|shown| shown == expected), "{line}: not {expected:?} in {shown:#?}");
    }
    assert_eq!(left, Vec::<String>::new(), "nothing stays");
}

/// keepalived removes it by another key than it was added with, and fails.
#[test]
fn a_peers_address_goes_with_the_stop() {
    if !lab::privileged(a_peers_address_goes_with_the_stop) {
        return;
    }
    let stage = Stage::new();
    let host = prepare(&stage);
    let lines = block("virtual_ipaddress", &["10.7.0.1 peer 10.7.0.2", "10.7.1.1 peer 10.7.1.2/30"]);
    let mut a = Daemon::start(Vrrpctl, host, &write(&stage, "a.conf", &master(&lines)));
    eventually("both are there", || {
        let shown = ip_says(host, "-4 address show");
        shown.contains("10.7.0.1 peer 10.7.0.2/32") && shown.contains("10.7.1.1 peer 10.7.1.2/30")
    });
    a.stop();
    assert!(!ip_says(host, "-4 address show").contains("peer"));
}

#[test]
fn what_somebody_removes_is_put_back_unless_it_is_not_tracked() {
    if !lab::privileged(what_somebody_removes_is_put_back_unless_it_is_not_tracked) {
        return;
    }
    let stage = Stage::new();
    let host = prepare(&stage);
    let tracked = [
        "route|10.20.0.0/16|via 10.9.0.9|",
        "-6 route|2001:db8:20::/64|via 2001:db8:9::9 dev eth0|",
        "rule||priority 700 from 10.1.1.1 lookup 100|",
        "-6 rule||priority 701 from 2001:db8::/32 lookup 100|",
        "address|10.3.0.1/24|dev eth0|",
        "-6 address|2001:db8:9::100/128|dev eth0|",
        "route|10.22.0.0/16|dev eth2|",
        "rule||priority 702 from 10.1.1.2 lookup 100|",
        "address|10.2.0.1/24|dev eth2|",
    ];
    let text = [
        block("static_ipaddress", &["10.2.0.1/24 dev eth2", "10.2.0.2/24 dev eth2 no_track"]),
        block("static_routes", &["10.22.0.0/16 dev eth2"]),
        block("static_rules", &["from 10.1.1.2 table 100 priority 702"]),
        master(
            &[
                block("virtual_ipaddress", &["10.9.0.100", "10.9.0.101/24 no_track"]),
                block("virtual_ipaddress_excluded", &["10.3.0.1/24", "2001:db8:9::100"]),
                block(
                    "virtual_routes",
                    &[
                        "10.20.0.0/16 via 10.9.0.9",
                        "2001:db8:20::/64 via 2001:db8:9::9",
                        "10.21.0.0/16 dev eth0 no_track",
                    ],
                ),
                block(
                    "virtual_rules",
                    &[
                        "from 10.1.1.1 table 100 priority 700",
                        "from 2001:db8::/32 table 100 priority 701",
                        "from 10.1.1.3 table 100 priority 703 no_track",
                    ],
                ),
            ]
            .concat(),
        ),
    ]
    .concat();
    let mut a = Daemon::start(Vrrpctl, host, &write(&stage, "a.conf", &text));
    a.says("entering master state", 1);
    eventually("the last rule is there", || ip_says(host, "rule show").contains("703:"));
    let installed = dump(host);
    for arguments in [
        "address del 10.9.0.101/24 dev eth0",
        "route del 10.21.0.0/16",
        "rule del priority 703",
        "address del 10.2.0.2/24 dev eth2",
    ] {
        ip_says(host, arguments);
    }
    let without = dump(host);
    assert!(without.len() < installed.len());
    for (times, line) in (1..).zip(tracked) {
        let parts: Vec<_> = line.split('|').collect();
        let (kind, object, options) = (parts[0], parts[1], parts[2]);
        ip_says(host, &format!("{kind} del {object} {options}"));
        a.says("was removed by somebody else: put back", times);
        eventually(&format!("{line} is there again"), || dump(host) == without);
    }
    assert_eq!(a.count("entering"), 1, "nobody noticed");
    a.stop();
}

/// The kernel drops routes with their interface and says nothing of it.
#[test]
fn routes_come_back_with_their_interface() {
    if !lab::privileged(routes_come_back_with_their_interface) {
        return;
    }
    let stage = Stage::new();
    let host = prepare(&stage);
    let text = [
        block("static_routes", &["10.22.0.0/16 dev eth2"]),
        master(
            &[
                block("virtual_ipaddress", &["10.9.0.100"]),
                block("virtual_routes", &["10.23.0.0/16 via 10.8.0.9 dev eth2", "2001:db8:20::/64 dev eth2"]),
            ]
            .concat(),
        ),
    ]
    .concat();
    let mut a = Daemon::start(Vrrpctl, host, &write(&stage, "a.conf", &text));
    let there = || {
        let shown = ip_says(host, "route show") + &ip_says(host, "-6 route show");
        ["10.22.0.0/16", "10.23.0.0/16", "2001:db8:20::/64"].iter().filter(|to| shown.contains(**to)).count()
    };
    eventually("all routes are there", || there() == 3);
    ip_says(host, "link set eth2 down");
    eventually("they are gone", || there() == 0);
    ip_says(host, "link set eth2 up");
    eventually("all routes are there again", || there() == 3);
    assert_eq!(a.count("entering"), 1);
    a.stop();
    assert_eq!(there(), 0);
}

#[test]
fn what_the_kernel_refuses_is_told_in_its_words_and_with_the_line() {
    if !lab::privileged(what_the_kernel_refuses_is_told_in_its_words_and_with_the_line) {
        return;
    }
    let stage = Stage::new();
    let host = prepare(&stage);
    let lines = [
        block("virtual_ipaddress", &["10.9.0.100"]),
        block(
            "virtual_routes",
            &[
                "10.20.0.0/16 via 10.99.0.9",
                "10.21.0.0/16 via 10.9.0.9",
                // Not every kernel has these; keepalived says the same of them.
                "10.22.0.0/16 encap mpls 100/200 via 10.9.0.9 dev eth0",
                "2001:db8:22::/48 encap ila 2001:db8:0:1 via fe80::1 dev eth0",
            ],
        ),
    ];
    let file = write(&stage, "a.conf", &master(&lines.concat()));
    let mut a = Daemon::start(Vrrpctl, host, &file);
    let line = fs::read_to_string(&file).unwrap().lines().position(|line| line.contains("10.99.0.9")).unwrap() + 1;
    let place = format!("the route to 10.20.0.0/16 ({}:{line}): cannot add the route", file.display());
    a.says(&place, 1);
    a.says("(Nexthop has invalid gateway)", 1);
    // The rest is served.
    stage.held_by("a", VIP);
    assert!(ip_says(host, "route show").contains("10.21.0.0/16"));
    assert!(!a.said("entering fault"));
    if !ip_says(host, "route show").contains("10.22.0.0/16") {
        a.says("the route to 10.22.0.0/16", 1);
        a.says("(lwt encapsulation type not supported)", 1);
    }
    a.stop();
    assert!(!a.said("still on this host"), "{}", a.log());
}

/// The group's instances fail with what they depend on, and come back with it.
#[test]
fn instances_fail_with_the_static_entries_of_their_group() {
    if !lab::privileged(instances_fail_with_the_static_entries_of_their_group) {
        return;
    }
    let stage = Stage::new();
    let host = prepare(&stage);
    let text = [
        "track_group G {
    group {
        VI_1
    }
}
"
        .to_owned(),
        block("static_routes", &["10.22.0.0/16 dev eth2 track_group G"]),
        Instance::new(STRONG).to_string(),
        Instance::new(STRONG).called("VI_2", 51, VIP2).to_string(),
    ]
    .concat();
    let mut a = Daemon::start(Vrrpctl, host, &write(&stage, "a.conf", &text));
    stage.held_by("a", VIP);
    stage.held_by("a", VIP2);
    // Put back at once: nobody notices.
    ip_says(host, "route del 10.22.0.0/16");
    a.says("the route to 10.22.0.0/16 was removed by somebody else: put back", 1);
    assert!(!a.said("(vi_1) entering fault"));
    ip_says(host, "link set eth2 down");
    a.says("(vi_1) entering fault state", 1);
    stage.held_by_nobody(VIP);
    ip_says(host, "link set eth2 up");
    stage.held_by("a", VIP);
    assert!(!a.said("(vi_2) entering fault"));
    a.stop();
}

/// With `-nodad` the kernel asks the LAN first.
#[test]
fn an_address_that_another_host_has_is_a_fault() {
    if !lab::privileged(an_address_that_another_host_has_is_a_fault) {
        return;
    }
    let stage = Stage::new();
    let host = prepare(&stage);
    ip_says(stage.lan.host("b"), "address add 2001:db8:9::66/64 dev eth0 nodad");
    let lines = [
        block("virtual_ipaddress", &["10.9.0.100"]),
        block("virtual_ipaddress_excluded", &["2001:db8:9::66/64 -nodad"]),
    ];
    let mut a = Daemon::start(Vrrpctl, host, &write(&stage, "a.conf", &master(&lines.concat())));
    a.says("(vi_1) 2001:db8:9::66 cannot be served: another host on the lan has it", 1);
    a.says("entering fault state", 1);
    eventually("it serves nothing", || stage.holders_of(VIP).is_empty());
    a.stop();
}

#[test]
fn secondary_addresses_are_promoted_while_the_daemon_runs() {
    if !lab::privileged(secondary_addresses_are_promoted_while_the_daemon_runs) {
        return;
    }
    let stage = Stage::new();
    let host = prepare(&stage);
    let setting = || {
        let read = || fs::read_to_string("/proc/sys/net/ipv4/conf/eth0/promote_secondaries").unwrap();
        host.namespace().run(read).unwrap().trim().to_owned()
    };
    let set = || fs::write("/proc/sys/net/ipv4/conf/eth0/promote_secondaries", "0").unwrap();
    host.namespace().run(set).unwrap();
    let text = master(&format!("promote_secondaries\n{}", block("virtual_ipaddress", &["10.9.0.100"])));
    let mut a = Daemon::start(Vrrpctl, host, &write(&stage, "a.conf", &text));
    stage.held_by("a", VIP);
    assert_eq!(setting(), "1");
    a.stop();
    assert_eq!(setting(), "0");
}

/// 255 routers with four addresses each come and go.
#[test]
fn a_thousand_addresses_come_and_go() {
    if !lab::privileged(a_thousand_addresses_come_and_go) {
        return;
    }
    let stage = Stage::new();
    let host = stage.lan.host("a");
    let before = ipv4_of(host);
    let mut text = String::new();
    for router in 1..=255_u8 {
        let lines: Vec<_> = (1..=4).map(|last| format!("10.{router}.77.{last}/32")).collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        writeln!(
            text,
            "vrrp_instance VI_{router} {{\n    interface eth0\n    virtual_router_id {router}\n    priority 200\n{}}}",
            block("virtual_ipaddress", &lines)
        )
        .unwrap();
    }
    let mut a = Daemon::start(Vrrpctl, host, &write(&stage, "a.conf", &text));
    eventually("all are there", || ipv4_of(host).len() == before.len() + 1020);
    a.stop();
    assert_eq!(ipv4_of(host), before);
}

/// The kernel removes what came later into a subnet with the first address of it.
#[test]
fn a_static_address_leaves_the_hosts_own_of_its_subnet_behind() {
    if !lab::privileged(a_static_address_leaves_the_hosts_own_of_its_subnet_behind) {
        return;
    }
    let stage = Stage::new();
    let blocks = "static_ipaddress {\n    10.77.0.1/24 dev eth0\n}\n";
    let mut a = stage.start_with(Vrrpctl, "a", &[Instance::new(255)], blocks);
    stage.held_by("a", VIP);
    stage.held_by("a", std::net::Ipv4Addr::new(10, 77, 0, 1));
    let own = std::net::Ipv4Addr::new(10, 77, 0, 2);
    let mut command = Command::new("ip");
    let words = ["address", "add", "10.77.0.2/24", "dev", "eth0"];
    assert!(stage.lan.host("a").namespace().command(command.args(words)).unwrap().status().unwrap().success());
    a.stop();
    assert!(stage.holders_of(std::net::Ipv4Addr::new(10, 77, 0, 1)).is_empty());
    assert_eq!(stage.holders_of(own), ["a"]);
}
