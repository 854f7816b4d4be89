//! `vrrpctl show-config`: what it prints is read to the same configuration again; JSON; secrets; defaults.

use std::process::{Command, Output};

use proptest::prelude::*;
use vrrp_cli::config::{Config, Loaded, parse_str};
use vrrp_cli::show::{MASK, ShowOptions, as_json, as_text};

const ALL: ShowOptions = ShowOptions { json: false, secrets: true, defaults: false };

/// The configuration of a text, also when it is of features that are still being built.
fn understood(text: &str) -> (Config, Loaded) {
    let loaded = parse_str("any.conf", text);
    let config = loaded.understood().unwrap_or_else(|| panic!("{text}\n{}", loaded.render(false))).clone();
    (config, loaded)
}

/// All that a configuration says, without the places. Passwords are not in it.
fn meaning(config: &Config) -> String {
    let text = format!("{config:?}");
    let mut parts = text.split("Span {");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "Span" + part.split_once('}').map_or("", |(_, rest)| rest))
}

fn round_trip(text: &str) {
    let (config, _) = understood(text);
    let shown = as_text(&config, ALL);
    let (again, loaded) = understood(&shown);
    assert_eq!(meaning(&config), meaning(&again), "{text}\n{shown}\n{}", loaded.render(false));
    let passwords = |config: &Config| config.instances.iter().map(|instance| instance.password).collect::<Vec<_>>();
    assert_eq!(passwords(&config), passwords(&again), "{shown}");
    assert_eq!(as_text(&again, ALL), shown);
    let commented = as_text(&config, ShowOptions { defaults: true, ..ALL });
    assert_eq!(meaning(&config), meaning(&understood(&commented).0), "{commented}");
}

const INSTANCE: &str = "interface eth0\nvirtual_router_id 51\nvirtual_ipaddress {\n192.0.2.1/24\n}\n";

fn with(setting: &str) -> String {
    format!("vrrp_instance VI_1 {{\n{INSTANCE}{setting}\n}}\n")
}

/// Every keyword of the language, with every kind of value that it takes.
#[test]
fn each_keyword_comes_back() {
    let table = include_str!("../../docs/configuration.md");
    let mut section = "";
    let mut count = 0;
    for line in table.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title.trim_matches('`').trim_end_matches(" NAME");
        }
        let cells: Vec<&str> = line.split(" | ").collect();
        let (Some(name), Some(example)) = (cells.first().and_then(|cell| cell.strip_prefix("| `")), cells.get(4))
        else {
            continue;
        };
        let name = name.trim_end_matches('`');
        let example = example.trim_matches('`').replace("\\|", "|");
        let named = |kind: &str, needed: &[(&str, &str)]| {
            let needed: Vec<&str> = needed.iter().filter(|(other, _)| *other != name).map(|(_, line)| *line).collect();
            let needed = needed.join("\n");
            format!("{kind} {{\n{needed}\n{example}\n}}\n{}", with(""))
        };
        let text = match section {
            "Top level" if example.contains("...") => continue,
            "Top level" => format!("{example}\n{}", with("")),
            "global_defs" => named("global_defs", &[]),
            "vrrp_script" => named("vrrp_script s", &[("script", "script /bin/true")]),
            "track_file" => named("track_file s", &[("file", "file /f")]),
            "bfd_instance" => named("bfd_instance s", &[("neighbor_ip", "neighbor_ip 192.0.2.7")]),
            "vrrp_sync_group" => named("vrrp_sync_group s", &[("group", "group {\nVI_1\n}")]),
            "vrrp_track_process" => named("vrrp_track_process s", &[("process", "process p")]),
            "vrrp_instance" => {
                let needed = ["interface eth0", "virtual_router_id 51", "virtual_ipaddress {\n192.0.2.1/24\n}"];
                let needed = needed.iter().filter(|line| line.split(' ').next() != Some(name));
                let needed = needed.copied().collect::<Vec<_>>().join("\n");
                format!("vrrp_instance VI_1 {{\n{needed}\n{example}\n}}\n")
            }
            _ => continue,
        };
        if example.contains("...") {
            continue;
        }
        // Examples lead to blocks that this text does not define.
        if parse_str("any.conf", &text).understood().is_none() {
            continue;
        }
        count += 1;
        round_trip(&text);
    }
    assert!(count > 200, "only {count} keywords tried");
}

#[test]
fn lists_and_blocks_come_back() {
    round_trip(
        "vrrp_script web {\nscript \"/bin/check 'a  b' \\\"c\\\" \\\\x24HOME\" nobody nogroup\ninterval 1.5\nweight -20 reverse\n\
         rise 2\nfall 3\ninit_fail\n}\nvrrp_script db {\nscript /bin/true\n}\ntrack_file f {\nfile \"/a b\"\nweight 2\ninit_file 5 overwrite\n}\n\
         vrrp_track_process p {\nprocess nginx \"-g x\"\nquorum 2\ndelay 0.25\nparam_match partial\n}\n\
         bfd_instance b {\nneighbor_ip 2001:db8::1\nmax_hops -1\n}\n\
         garp_group {\ngarp_interval 0.001\ninterfaces {\neth0 eth1\n}\n}\ngarp_group {\ngna_interval 1\ninterface eth2\n}\n\
         static_ipaddress {\n198.51.100.1/24 brd + dev eth0 scope link label eth0:1\n2001:db8::5/64 dev eth1 -nodad preferred_lft 0\n}\n\
         static_routes {\ndefault via 192.0.2.254 dev eth0 metric 5\nblackhole 198.51.100.0/24\n\
         203.0.113.0/24 mtu lock 1400 nexthop via 192.0.2.7 weight 3 nexthop via 192.0.2.8\n2001:db8::/32 via inet6 fe80::1 dev eth0\n}\n\
         static_rules {\nnot from 192.0.2.0/24 table 7 priority 100\nuidrange 1-5 dport 80 blackhole\n}\n\
         vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\npriority 254\nnopreempt\nadvert_int 3\nmcast_src_ip 192.0.2.9\n\
         virtual_ipaddress {\n192.0.2.1/24 brd - dev eth1 scope host label eth1:x no_track\n192.0.2.2\n}\n\
         authentication {\nauth_type PASS\nauth_pass \"p#w !{}\"\n}\n\
         notify_master \"/bin/n 'it\\\\'s' \\\"q\\\"\" root\nnotify \"/bin/n {} ; #\"\n\
         track_script {\nweb weight 5\ndb\n}\ntrack_file {\nf weight -254 reverse\n}\ntrack_process {\np\n}\ntrack_bfd {\nb\n}\n\
         track_interface {\neth1 weight -3\neth2\n}\n\
         virtual_routes {\n203.0.113.0/24 dev eth0 table main\n}\nvirtual_rules {\nto 192.0.2.0/24 lookup 5\n}\n\
         use_vmac vrrp.51 02:00:00:00:00:01 netlink_notify_msg group 7\nnotify_deleted\ngarp_extra_if all 30\n}\n\
         vrrp_instance \"B b\" {\nversion 3\nstate MASTER\npriority 9\ninterface eth0\nvirtual_router_id 2\nadvert_int 0.25\npreempt_delay 1.000001\n\
         unicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2 min_ttl 254\n192.0.2.3\n}\nvirtual_ipaddress {\n192.0.2.77/32\n}\n}\n\
         vrrp_sync_group G {\ngroup {\nA\n\"B b\"\n}\nsmtp_alert off\nnotify_fault \"/bin/n f\"\n}\n\
         global_defs {\nnotification_email {\na@b.c\n}\nsmtp_server mail 2525\nscript_user nobody\numask IWGRP|IWOTH\n\
         vrrp_rx_bufs_policy ADVERT\nvrrp_cpu_affinity 0 2\nvrrp_iptables\nlvs_timeouts tcp 5 udp 7\nvrrp_version 3\n\
         lvs_sync_daemon eth0 A id 5 maxlen 1000 port 9 ttl 3 group 224.0.0.81\nnftables\nvrrp_garp_master_refresh 1.5\n}\n",
    );
}

#[test]
fn odd_words_come_back() {
    for word in ["\"a b\"", "a\\#b", "\"a # b\"", "\"x\\\"y\"", "ü主", "\"{}\"", "\"@a\"", "\"!\"", "a\\b", "\"  \""]
    {
        round_trip(&format!("global_defs {{\nrouter_id {word}\n}}\n{}", with("")));
    }
    // Cut within a character.
    for password in ["ääääää", "aääää", "aa主主主", "abcdefgh", "a", "1234567😀"] {
        round_trip(&with(&format!("authentication {{\nauth_type PASS\nauth_pass {password}\n}}")));
    }
}

#[test]
fn secrets_are_masked() {
    let key = "k".repeat(32);
    let secrets = [
        ("authentication {\nauth_type PASS\nauth_pass sesame\n}".to_owned(), "sesame", "auth_type"),
        ("authentication {\nauth_type AH\nauth_pass sesame\n}".to_owned(), "sesame", "AH"),
        (format!("auth_hmac {{\nkey 1 {key}\nkey 2 file:/etc/key\nactive_key 1\n}}"), "6b6b6b", "/etc/key"),
    ];
    for (text, secret, shown) in secrets {
        let (config, _) = understood(&with(&text));
        let masked = as_text(&config, ShowOptions::default());
        let json = as_json(&config, ShowOptions::default()).to_string();
        for text in [&masked, &json] {
            assert!(text.contains(MASK) && text.contains(shown), "{text}");
            assert!(!text.contains(secret), "{text}");
        }
        let json = as_json(&config, ALL).to_string();
        assert!(json.contains(secret), "{json}");
        assert_eq!(meaning(&understood(&as_text(&config, ALL)).0), meaning(&config));
    }
}

#[test]
fn json_has_types() {
    let (config, _) = understood(
        "vrrp_script web {\nscript \"/bin/check -x\" nobody\ninterval 0.5\nweight -20\n}\nglobal_defs {\nrouter_id lb01\nvrrp_strict\n\
         smtp_alert off\n}\nvrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n192.0.2.1/24 dev eth1\n192.0.2.2\n}\n\
         track_script {\nweb\n}\n}\nuse_pid_dir\n",
    );
    let json = as_json(&config, ShowOptions::default());
    assert_eq!(json["use_pid_dir"], true);
    assert_eq!(json["global_defs"]["router_id"], "lb01");
    assert_eq!(json["global_defs"]["vrrp_strict"], true);
    assert_eq!(json["global_defs"]["smtp_alert"], false);
    let script = &json["vrrp_script"][0];
    assert_eq!((&script["name"], &script["interval"], &script["weight"]), (&"web".into(), &0.5.into(), &(-20).into()));
    assert_eq!(script["script"]["command"], serde_json::json!(["/bin/check", "-x"]));
    assert_eq!(script["script"]["user"], "nobody");
    let instance = &json["vrrp_instance"][0];
    assert_eq!(instance["name"], "A");
    assert_eq!(
        (&instance["priority"], &instance["version"], &instance["advert_int"]),
        (&100.into(), &2.into(), &1.0.into())
    );
    assert_eq!(instance["preempt"], true);
    assert_eq!(instance["virtual_ipaddress"], serde_json::json!(["192.0.2.1/24 dev eth1", "192.0.2.2/32"]));
    assert_eq!(instance["track_script"], serde_json::json!(["web"]));
    assert!(instance.get("defaults").is_none());
}

#[test]
fn defaults_are_those_in_effect() {
    let (config, _) =
        understood(&format!("global_defs {{\nvrrp_garp_master_repeat 3\n}}\n{}", with("garp_master_delay 7")));
    let json = as_json(&config, ShowOptions { defaults: true, ..ALL });
    let instance = &json["vrrp_instance"][0];
    assert_eq!(instance["garp_master_delay"], 7.0);
    assert_eq!(instance["defaults"]["garp_master_repeat"], "3");
    assert_eq!(instance["defaults"]["preempt_delay"], "0");
    let text = as_text(&config, ShowOptions { defaults: true, ..ALL });
    assert!(text.contains("    # garp_master_repeat: 3\n") && text.contains("    # vrrp_rt_priority: off\n"), "{text}");
}

fn vrrpctl(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vrrpctl")).args(arguments).output().expect("vrrpctl runs")
}

#[test]
fn the_command() {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("a.conf");
    std::fs::write(&file, format!("@a global_defs {{\n@a router_id one\n@a }}\n{}", with("priority 7")))
        .expect("written");
    let file = file.to_str().expect("UTF-8");
    let output = vrrpctl(&["show-config", file, "-i", "a"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success() && text.contains("router_id one\n") && text.contains("priority 7\n"), "{text}");
    let output = vrrpctl(&["show-config", file, "-i", "b", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(json["global_defs"].get("router_id").is_none());
    std::fs::write(file, "nonsense\n").expect("written");
    let output = vrrpctl(&["show-config", file]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty() && String::from_utf8_lossy(&output.stderr).contains("E020"));
}

fn argument() -> impl Strategy<Value = String> {
    "[a-z '\"\\\\#!{};$ü\t]{0,8}".prop_filter("the preprocessor reads it", |text| !text.contains('$'))
}

/// As a person would quote it by hand, which is not how it is shown.
fn by_hand(argument: &str) -> String {
    argument.chars().fold(String::new(), |text, c| {
        text + &format!(
            "\\\\{}",
            if c == '"' {
                "\\\"".into()
            } else if c == '\\' {
                "\\\\".into()
            } else {
                c.to_string()
            }
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn instances_come_back(
        vrid in 1_u8..=255, priority in 1_u8..=255, v3 in any::<bool>(), interval in 1_u16..=255, master in any::<bool>(),
        nopreempt in any::<bool>(), octets in any::<[u8; 3]>(), length in 0_u8..=32, weight in -253_i16..=253, delay in 0_u32..9_000_000,
    ) {
        let version = if v3 { 3 } else { 2 };
        let interval = if v3 { format!("{}.{:02}", interval % 40, interval % 99 + 1) } else { interval.to_string() };
        let [b, c, d] = octets;
        round_trip(&format!(
            "vrrp_instance V {{\ninterface eth0\nvirtual_router_id {vrid}\npriority {priority}\nversion {version}\nadvert_int {interval}\n\
             state {}\n{}virtual_ipaddress {{\n10.{b}.{c}.{d}/{length} brd +\n}}\ntrack_interface {{\neth1 weight {weight}\n}}\n\
             preempt_delay {}.{:06}\n}}\n",
            if master { "MASTER" } else { "BACKUP" }, if nopreempt { "nopreempt\n" } else { "" }, delay / 1_000_000, delay % 1_000_000
        ));
    }

    #[test]
    fn commands_come_back(arguments in prop::collection::vec(argument(), 0..4)) {
        let arguments = arguments.iter().filter(|argument| !argument.is_empty());
        let rest = arguments.fold(String::new(), |text, argument| text + " " + &by_hand(argument));
        let text = with(&format!("notify \"/bin/n{rest}\" nobody"));
        prop_assume!(parse_str("any.conf", &text).understood().is_some());
        round_trip(&text);
    }
}
