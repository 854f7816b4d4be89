//! Values of every shape at and beyond their limits, and files that hold them. For the tests of the table.

use super::shape::FILE_NAME_MAX;
use super::{Context, Keyword, Lines, Meaning, Shape};

/// Values that are right, in front the one that the reference shows.
pub(super) fn right(keyword: &Keyword) -> Vec<String> {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let seconds = |millionths: u64| format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    match keyword.shape {
        Shape::Flag | Shape::Block | Shape::Named => texts(&[""]),
        Shape::Bool => texts(&["on", "", "true", "yes", "off", "false", "no"]),
        Shape::Int(low, high, _) => [typical(keyword, low, high), low, high].map(|n| n.to_string()).into(),
        Shape::OptInt(low, high, ..) => {
            let mut list: Vec<String> = [typical(keyword, low, high), low, high].map(|n| n.to_string()).into();
            list.push(String::new());
            list
        }
        Shape::Seconds(low, high) => {
            vec![
                if low <= 1_500_000 { "1.5".into() } else { (low / 1_000_000).to_string() },
                seconds(low),
                seconds(high),
            ]
        }
        Shape::WholeSeconds(low, high) => [low.max(3), low, high].map(|n| n.to_string()).into(),
        Shape::Word("MAIL_ADDRESS", _) => texts(&["keepalived@example.org"]),
        Shape::Word(_, most) => vec!["name1".into(), "x".into(), "x".repeat(most)],
        Shape::OptWord(_, most) => vec!["name1".into(), String::new(), "x".repeat(most)],
        Shape::Words(..) => match keyword.name {
            "include_check" => texts(&["all", "+read -match", "wildcard_match brace_match"]),
            "lvs_timeouts" => texts(&["tcp 7200", "tcp 0 tcpfin 1 udp 2678400"]),
            "vrrp_iptables" => texts(&["VRRP_IN VRRP_OUT", "", "VRRP_IN"]),
            "vrrp_ipsets" => texts(&["vips", "", "a b c d e f g"]),
            _ => texts(&["/usr/sbin/haproxy", "haproxy -f file"]),
        },
        Shape::Choice(choices) => texts(choices),
        Shape::OptChoice(choices) => choices.iter().copied().chain([""]).map(str::to_owned).collect(),
        Shape::Address if keyword.name == "mcast_src_ip" => texts(&["192.0.2.1", "fe80::9"]),
        // Of the family of the addresses.
        Shape::Address if matches!(keyword.name, "unicast_src_ip" | "source_ip") => texts(&["192.0.2.1"]),
        Shape::Address => texts(&["192.0.2.1", "2001:db8::1"]),
        Shape::Multicast => texts(&["224.0.0.118", "ff02::112"]),
        Shape::Multicast4 => texts(&["224.0.0.118", "224.0.0.0", "239.255.255.255"]),
        Shape::Multicast6 => texts(&["ff02::112"]),
        Shape::Interface => texts(&["eth0", "x", "fifteen-octets-"]),
        Shape::Path => texts(&["/var/lib/file", "\"/var/lib/a file\"", "'/var/lib/file'"]),
        Shape::File => texts(&["/etc/vrrp/file", "\"/etc/vrrp/a file\""]),
        Shape::FileName => vec!["east".into(), "x".into(), "x".repeat(FILE_NAME_MAX)],
        Shape::Secret(most) => vec!["secret".into(), "x".into(), "x".repeat(most)],
        Shape::OptPath => texts(&["/var/lib/file", ""]),
        Shape::Command => texts(&["\"/bin/true argument\"", "/bin/true root", "/bin/true root :root"]),
        Shape::OptCommand => texts(&["/bin/true", "", "/bin/true root"]),
        Shape::Check => texts(&[
            "tcp 192.0.2.1 80",
            "tcp www.example.org 65535",
            "http http://192.0.2.1:8080/health",
            "http http://www.example.org/ status 200-299",
            "http http://[::1]/ status 204",
            "process nginx",
            "gateway 192.0.2.254",
            "gateway fe80::1 eth0",
        ]),
        Shape::Owner => texts(&["nobody", "root root", "root :root"]),
        Shape::Weight(most) => {
            vec!["-20".into(), "0".into(), format!("-{most}"), format!("{most} reverse"), "1 noreverse".into()]
        }
        Shape::Lines(lines) => list(lines).0.iter().map(|line| format!("{{\n{line}\n}}")).collect(),
        Shape::Hmac => vec![format!("{{\nkey 1 {}\nactive_key 1\n}}", "x".repeat(32))],
        Shape::HmacKey => {
            let text = |length| "x".repeat(length);
            vec![
                format!("1 {}", text(32)),
                format!("255 {}", text(64)),
                format!("9 hex:{}", "0a".repeat(32)),
                "2 file:/k".into(),
            ]
        }
        Shape::InitFile => texts(&["0 overwrite", "", "-2147483647", "2147483647", "overwrite"]),
        Shape::ExtraIf => texts(&["all 60", "1", "86400"]),
        Shape::Vmac => {
            texts(&["vrrp51", "", "name vrrp51 02:00:00:00:00:01 netlink_notify_msg group 3", "02:00:00:00:01"])
        }
        Shape::Ipvlan => texts(&["ipvl51 192.0.2.9/24 bridge", "", "192.0.2.9 private group 3"]),
        Shape::SyncDaemon => {
            texts(&["eth0 VI_1", "eth0 inst VI_1 id 255 maxlen 65507 port 65535 ttl 1 group 224.0.0.81"])
        }
        Shape::SmtpServer => texts(&["127.0.0.1", "mail.example.org 587", "::1 65535"]),
        Shape::Umask => texts(&["022", "0", "0777", "IWGRP|IWOTH"]),
        Shape::RxPolicy => texts(&["MTU", "ADVERT", "1", "2147483647"]),
        Shape::Cpus => texts(&["0", "0 1 1023"]),
    }
}

/// Values that are wrong: one beyond each limit, and of another kind.
pub(super) fn wrong(keyword: &Keyword) -> Vec<String> {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    match keyword.shape {
        Shape::Flag => texts(&["surplus"]),
        Shape::Bool => texts(&["True", "1", "maybe", "on off"]),
        Shape::Int(low, high, _) | Shape::OptInt(low, high, ..) => {
            vec![(low - 1).to_string(), (high + 1).to_string(), "ten".into(), "1.5".into(), "1 2".into()]
        }
        Shape::Seconds(low, high) => {
            let mut list = texts(&["-1", "ten", "1s", "1,5"]);
            list.push(format!("{}.{:06}", (high + 1) / 1_000_000, (high + 1) % 1_000_000));
            list.extend(low.checked_sub(1).map(|low| format!("{}.{:06}", low / 1_000_000, low % 1_000_000)));
            list
        }
        Shape::WholeSeconds(low, high) => {
            let mut list = texts(&["-1", "ten", "1.5"]);
            list.push((high + 1).to_string());
            list.extend(low.checked_sub(1).map(|low| low.to_string()));
            list
        }
        Shape::Word(_, most) => vec![String::new(), "\"\"".into(), "x".repeat(most + 1), "a b".into()],
        Shape::OptWord(_, most) => vec!["x".repeat(most + 1), "a b".into()],
        Shape::Words(_, least, _) => match keyword.name {
            "include_check" => texts(&["", "readable"]),
            "lvs_timeouts" => texts(&["tcp", "tcp 2678401", "sctp 3"]),
            "vrrp_iptables" => texts(&["a b c"]),
            "vrrp_ipsets" => texts(&["a b c d e f g h"]),
            _ => {
                if least > 0 {
                    texts(&[""])
                } else {
                    Vec::new()
                }
            }
        },
        Shape::Choice(_) => texts(&["", "no_such"]),
        Shape::OptChoice(_) => texts(&["no_such"]),
        Shape::Address => texts(&["", "192.0.2.256", "host.example.org", "192.0.2.1/24"]),
        Shape::Multicast | Shape::Multicast4 => texts(&["", "223.255.255.255", "240.0.0.0", "group"]),
        Shape::Multicast6 => texts(&["", "fe80::1", "224.0.0.1"]),
        Shape::Interface => texts(&["", "sixteen-octets--", "lo", "eth0:1"]),
        Shape::Path | Shape::File => texts(&["", "\"\""]),
        Shape::FileName => {
            texts(&["", "\"\"", ".", "..", "a/b", "a b"]).into_iter().chain(["x".repeat(FILE_NAME_MAX + 1)]).collect()
        }
        Shape::Secret(most) => vec![String::new(), "\"\"".into(), "x".repeat(most + 1)],
        Shape::OptPath => texts(&["/a /b"]),
        Shape::Command => texts(&["", "\"\"", "/bin/true -x"]),
        Shape::OptCommand => texts(&["\"\"", "/bin/true -x"]),
        Shape::Check => texts(&[
            "",
            "tcp",
            "tpc 192.0.2.1 80",
            "tcp 192.0.2.1",
            "tcp 192.0.2.1 0",
            "tcp 192.0.2.1:80 80",
            "tcp 192.0.2.1 80 90",
            "http www.example.org",
            "http https://www.example.org/",
            "http http://www.example.org/ status",
            "http http://www.example.org/ status 600",
            "http http://www.example.org/ status 399-200",
            "http http://www.example.org/ state 200",
            "process",
            "process a b",
            "gateway fe80::1",
            "gateway 224.0.0.18",
            "gateway 192.0.2.254 lo",
        ]),
        Shape::Owner => texts(&["", "/root", "a b c"]),
        Shape::Weight(most) => vec![format!("-{}", most + 1), (most + 1).to_string(), "1 revers".into(), "x".into()],
        Shape::Lines(lines) => {
            list(lines).1.iter().map(|line| format!("{{\n{line}\n}}")).chain([String::new()]).collect()
        }
        Shape::Hmac => texts(&["", "{ }", "{\nactive_key 1\n}"]),
        Shape::HmacKey => {
            vec![
                "1".into(),
                format!("1 {}", "x".repeat(31)),
                format!("1 {}", "x".repeat(65)),
                format!("0 {}", "x".repeat(32)),
                "1 hex:zz".into(),
            ]
        }
        Shape::InitFile => texts(&["2147483648", "never"]),
        Shape::ExtraIf => texts(&["", "86401", "-1", "some 60"]),
        Shape::Vmac => {
            texts(&["name", "group", "group -1", "01:00:00:00:00:01", "00:00:5e:00:01:01", "sixteen-octets--"])
        }
        Shape::Ipvlan => texts(&["group x", "192.0.2.9/33", "sixteen-octets--"]),
        Shape::SyncDaemon => texts(&["", "eth0 id 256", "eth0 id", "eth0 maxlen 65508", "eth0 NO_SUCH"]),
        Shape::SmtpServer => texts(&["", "host 0", "host 65536"]),
        Shape::Umask => texts(&["", "01000", "IWALL"]),
        Shape::RxPolicy => texts(&["", "0", "2147483648", "mtu"]),
        Shape::Cpus => texts(&["", "1024", "-1", "all"]),
        Shape::Block | Shape::Named => Vec::new(),
    }
}

/// Lines that are right, and lines that are wrong.
fn list(lines: Lines) -> (&'static [&'static str], &'static [&'static str]) {
    match lines {
        Lines::Addresses => (
            &[
                "192.0.2.9/24 dev eth1 label eth1:9",
                "192.0.2.9",
                "192.0.2.8/0 brd + scope link\n192.0.2.9 preferred_lft 5 no_track",
            ],
            &["192.0.2.9/33", "192.0.2.256", "192.0.2.9 dev", "192.0.2.9 lable x", "192.0.2.9 preferred_lft x"],
        ),
        Lines::Routes => (
            &[
                "198.51.100.0/24 via 192.0.2.254 dev eth0 metric 5",
                "default via 192.0.2.254",
                "blackhole 198.51.100.0/24",
                "to 198.51.100.7 src 192.0.2.1 dev eth0 scope link table 7 mtu lock 1400",
                "default nexthop via 192.0.2.254 weight 1 nexthop via 192.0.2.253 dev eth1 weight 256",
            ],
            &[
                "via 192.0.2.254",
                "198.51.100.0/24",
                "198.51.100.0/33 dev eth0",
                "default dev eth0 metrik 5",
                "default dev eth0 hoplimit 256",
                "default via",
            ],
        ),
        Lines::Rules => (
            &[
                "from 192.0.2.0/24 table 7 preference 100",
                "not to 198.51.100.0/24 lookup main",
                "iif eth0 blackhole",
                "dport 80-90 sport 53 table 9",
            ],
            &[
                "from 192.0.2.0/24",
                "from 192.0.2.0/33 table 7",
                "form 192.0.2.0/24 table 7",
                "dport 90-80 table 9",
                "table",
            ],
        ),
        Lines::Emails => {
            (&["root@localhost", "ops@example.org root", "\"On call <ops@example.org>\""], &["ops@", "a@b@c", "\"\""])
        }
        Lines::Interfaces => (&["eth0 eth1", "eth0\neth1"], &["sixteen-octets--"]),
        Lines::LinkbeatInterfaces => {
            (&["eth0 MII", "eth0\neth1 ETHTOOL"], &["eth0 mii", "eth0 MII x", "sixteen-octets--"])
        }
        Lines::UpDownDelays => (&["eth0 1.5", "eth0 0 255"], &["eth0", "eth0 255.000001", "eth0 1 2 3", "eth0 x"]),
        Lines::Instances => (&["VI_1"], &["NO_SUCH"]),
        Lines::Peers => (
            &["192.0.2.2", "192.0.2.2 min_ttl 0 max_ttl 255\n192.0.2.3"],
            &[
                "192.0.2.256",
                "192.0.2.2\n192.0.2.2",
                "192.0.2.2 min_ttl 256",
                "192.0.2.2 min_ttl 2 max_ttl 1",
                "192.0.2.2 192.0.2.3",
            ],
        ),
        Lines::TrackInterfaces => (
            &["eth1 weight -20", "eth1", "eth1 weight -253 reverse\neth2 weight 253 noreverse"],
            &[
                "eth1 weigh -60",
                "eth1 -60",
                "eth1 weight 254",
                "eth1 weight -254",
                "eth1\neth1",
                "eth1 weight",
                "eth1 reverse",
            ],
        ),
        Lines::TrackScripts | Lines::TrackProcesses | Lines::TrackBfds => (
            &["thing weight -20", "thing", "thing weight 253 reverse"],
            &["thing weigh -60", "thing weight 254", "thing weight -254", "thign"],
        ),
        Lines::TrackFiles => {
            (&["thing weight -20", "thing", "thing weight 254"], &["thing weight 255", "thing weight -255", "thign"])
        }
    }
}

/// The number that the reference shows.
fn typical(keyword: &Keyword, low: i64, high: i64) -> i64 {
    keyword.default.parse().ok().filter(|number| (low..=high).contains(number)).unwrap_or(low.max(1).min(high))
}

/// A whole file around one setting; everything else in it is right, and nothing else of it is unbuilt but the block
/// that the setting stands in.
pub(super) fn file(keyword: &Keyword, value: &str) -> String {
    let line = format!("{} {value}", keyword.name);
    let needed =
        |setting: &str, whole: &str| if keyword.name == setting { String::new() } else { format!("{whole}\n") };
    let block = match keyword.context {
        Context::Root => line.clone(),
        Context::Global => {
            let partner = match keyword.name {
                "smtp_user" => "smtp_password secret\n",
                "smtp_password" | "smtp_password_file" => "smtp_user name\n",
                "smtp_ca_file" => "smtp_tls starttls\n",
                _ => "",
            };
            format!("global_defs {{\n{partner}{line}\n}}")
        }
        Context::Script => format!(
            "vrrp_script s {{\n{}{line}\n}}",
            if keyword.name == "check" { String::new() } else { needed("script", "script /bin/true") }
        ),
        Context::TrackFile => format!("track_file s {{\n{}{line}\n}}", needed("file", "file /f")),
        Context::TrackProcess => format!("vrrp_track_process s {{\n{}{line}\n}}", needed("process", "process p")),
        Context::Bfd => {
            let ip = if keyword.name == "neighbour_ip" {
                String::new()
            } else {
                needed("neighbor_ip", "neighbor_ip 192.0.2.7")
            };
            format!("bfd_instance s {{\n{ip}{line}\n}}")
        }
        Context::SyncGroup => format!("vrrp_sync_group s {{\n{}{line}\n}}", needed("group", "group {\nVI_1\n}")),
        Context::GarpGroup => {
            let pause = if keyword.name.ends_with("interval") { "" } else { "garp_interval 1\n" };
            let place = if keyword.name.starts_with("interface") { "" } else { "interface eth0\n" };
            format!("garp_group {{\n{pause}{place}{line}\n}}")
        }
        Context::TrackGroup => format!("track_group s {{\n{line}\n}}"),
        _ => String::new(),
    };
    let inner = match keyword.context {
        Context::Instance => line,
        Context::Authentication => format!(
            "authentication {{\n{}{}{line}\n}}",
            needed("auth_type", "auth_type PASS"),
            needed("auth_pass", "auth_pass 1111")
        ),
        Context::AuthHmac => {
            let id = if keyword.name == "active_key" { value } else { "1" };
            let key = needed("key", &format!("key {id} {}", "x".repeat(32)));
            let active = if keyword.name == "key" { value.split(' ').next().unwrap_or("1") } else { "1" };
            format!("auth_hmac {{\n{key}{}{line}\n}}", needed("active_key", &format!("active_key {active}")))
        }
        _ => String::new(),
    };
    let trackers = match (keyword.meaning, keyword.shape) {
        (Meaning::Value, Shape::Lines(Lines::TrackScripts)) => "vrrp_script thing {\nscript /bin/true\n}\n",
        (Meaning::Value, Shape::Lines(Lines::TrackFiles)) => "track_file thing {\nfile /f\n}\n",
        (Meaning::Value, Shape::Lines(Lines::TrackProcesses)) => "vrrp_track_process thing {\nprocess p\n}\n",
        (Meaning::Value, Shape::Lines(Lines::TrackBfds)) => "bfd_instance thing {\nneighbor_ip 192.0.2.7\n}\n",
        _ => "",
    };
    let v6 = keyword.name == "native_ipv6" || keyword.name == "mcast_src_ip" && value.contains(':');
    let address = if v6 { "fe80::3/64" } else { "192.0.2.3/24" };
    let essential = |name: &str, line: &str| {
        if keyword.context == Context::Instance && keyword.name == name { String::new() } else { format!("{line}\n") }
    };
    format!(
        "{trackers}{block}\nvrrp_instance VI_1 {{\n{}{}{}{inner}\n}}\n",
        essential("interface", "interface eth0"),
        essential("virtual_router_id", "virtual_router_id 51"),
        essential("virtual_ipaddress", &format!("virtual_ipaddress {{\n{address}\n}}")),
    )
}
