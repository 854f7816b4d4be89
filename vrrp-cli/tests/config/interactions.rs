//! Settings that take each other's effect away; what `--compat` leaves out; secrets that no finding shows; files as
//! tutorials and other programs write them.

use std::fmt::Write as _;

use vrrp_cli::check::{CheckOptions, check};
use vrrp_cli::config::{Code, Config, Initial, Loaded, Options, parse_str, parse_str_with};

/// An instance of two addresses with `settings` on lines of their own.
fn instance(settings: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\n{settings}\nvirtual_ipaddress {{\n10.0.0.3/24\n}}\n}}\n"
    )
}

/// The codes without those about features that are being built.
fn codes(loaded: &Loaded) -> Vec<&'static str> {
    let codes = loaded.diagnostics.iter().map(|found| found.code.as_str());
    codes.filter(|code| !matches!(*code, "W010" | "W011" | "E021")).collect()
}

#[track_caller]
fn told(text: &str, expected: &[&str]) -> Option<Config> {
    let loaded = parse_str("test.conf", text);
    assert_eq!(codes(&loaded), expected, "{text}\n{}", loaded.render(false));
    loaded.understood().cloned()
}

#[test]
fn settings_without_effect_are_told() {
    for settings in [
        "vmac_xmit_base",
        "unicast_src_ip 10.0.0.1",
        "unicast_ttl 64",
        "check_unicast_src",
        "old_unicast_checksum never",
        "unicast_peer {\n}",
        "nopreempt\npreempt_delay 5",
        "state MASTER\npriority 150\npreempt_delay 5",
        "priority 255\npreempt_delay 5",
        "timer_expired_backup 100",
        "track_src_ip",
        "accept\nno_accept",
        "preempt\nnopreempt",
        "nopreempt\npreempt",
        "unicast_peer {\n10.0.0.2\n}\nmcast_dst_ip 224.0.0.19",
    ] {
        told(&instance(settings), &["W014"]);
    }
    for settings in [
        "use_vmac\nvmac_xmit_base",
        "unicast_peer {\n10.0.0.2\n}\nunicast_src_ip 10.0.0.1\nunicast_ttl 64",
        "unicast_peer {\n}\nunicast_fault_no_peer",
        "preempt_delay 5",
        "nopreempt\npreempt_delay 0",
        "nopreempt\ntimer_expired_backup",
        "mcast_src_ip 10.0.0.1\ntrack_src_ip",
        "no_accept",
    ] {
        told(&instance(settings), &[]);
    }
    let read = |settings: &str| told(&instance(settings), &["W014"]).expect("only a warning").instances.remove(0);
    let last = read("no_accept\naccept");
    assert!(last.settings().accept && !last.settings().no_accept);
    assert!(read("nopreempt\npreempt").preempt);
    assert!(!read("preempt\nnopreempt").preempt);
}

/// As keepalived takes them: an advert is for one of them alone.
#[test]
fn instances_share_a_vrid_where_their_adverts_are_told_apart() {
    let with_peers = |source: &str, peers: &str| format!("{source}\nunicast_peer {{\n{peers}\n}}");
    let src = |source: &str| format!("unicast_src_ip {source}");
    let one = with_peers(&src("10.0.0.1"), "10.0.0.5");
    for (other, codes) in [
        (with_peers(&src("10.0.0.1"), "10.0.0.6"), &[][..]),
        (with_peers(&src("10.0.0.2"), "10.0.0.5"), &[]),
        (String::new(), &[]),
        ("unicast_fault_no_peer".to_owned(), &[]),
        (with_peers(&src("10.0.0.1"), "10.0.0.6\n10.0.0.5"), &["E053"]),
        (with_peers("", "10.0.0.5"), &["E053"]),
    ] {
        let other = instance(&other).replace("VI_1", "VI_2").replace("10.0.0.3", "10.0.0.4");
        told(&format!("{}{other}", instance(&one)), codes);
        told(&format!("{other}{}", instance(&one)), codes);
    }
}

/// As keepalived has it since 2.3: the route tells where adverts go, and nothing tells where addresses are.
#[test]
fn a_unicast_instance_needs_no_interface_where_its_addresses_say_theirs() {
    let text = |peer: &str, address: &str, more: &str| {
        format!(
            "vrrp_instance VI_1 {{\nvirtual_router_id 51\n{more}\nunicast_peer {{\n{peer}\n}}\n\
             virtual_ipaddress {{\n{address}\n}}\n}}\n"
        )
    };
    let config = told(&text("10.0.0.2\n10.0.0.3", "10.0.0.9 dev eth1", ""), &[]).expect("a configuration");
    assert_eq!(config.instances[0].route_to, Some([10, 0, 0, 2].into()));
    told(&text("10.0.0.2", "10.0.0.9", ""), &["E050"]);
    told(&text("10.0.0.2", "10.0.0.9 dev eth1", "virtual_ipaddress_excluded {\n10.0.0.8\n}"), &["E050"]);
    told(&text("fe80::2", "fe80::9 dev eth1", ""), &["E050"]);
    told(&text("2001:db8::2", "fe80::9 dev eth1", ""), &[]);
    told(&text("10.0.0.2", "10.0.0.9 dev eth1", "use_vmac"), &["E050"]);
    told(&text("", "10.0.0.9 dev eth1", "unicast_fault_no_peer"), &["E050"]);
    let twice = text("10.0.0.2", "10.0.0.9 dev eth1", "");
    let other = twice.replace("VI_1", "VI_2").replace("0.9", "0.8");
    told(&format!("{twice}{other}"), &["E053"]);
}

#[test]
fn the_prefix_length_of_a_peer_is_read_over() {
    let peers = |line: &str| instance(&format!("unicast_peer {{\n{line}\n}}"));
    let config = told(&peers("10.0.0.2/24 min_ttl 64"), &["W014"]).expect("only a warning");
    let [peer] = config.instances[0].settings().unicast_peer.as_slice() else { panic!("one peer") };
    assert_eq!((peer.address.value.to_string(), peer.min_ttl), ("10.0.0.2".to_owned(), Some(64)));
    told(&peers("10.0.0.2/24-5"), &["E036"]);
    told(&peers("10.0.0.2/33"), &["E036"]);
    told(&peers("10.0.0/24"), &["E033"]);
    told(&peers("10.0.0.2/24\n10.0.0.2"), &["W014", "E057"]);
}

#[test]
fn settings_that_exclude_each_other_are_refused() {
    told(&instance("use_vmac\nuse_ipvlan"), &["E046"]);
    told(&instance("strict_mode\nunicast_peer {\n10.0.0.2\n}"), &["E046"]);
    told(&instance("unicast_peer {\n2001:db8::1\n}"), &["E034"]);
    told(&instance("unicast_src_ip 2001:db8::1\nunicast_peer {\n10.0.0.2\n}"), &["E034"]);
    let bfd = "bfd_instance b {\nneighbor_ip 10.0.0.1\nsource_ip 2001:db8::1\n}\n";
    told(&format!("{bfd}{}", instance("")), &["E034"]);
}

#[test]
fn strict_mode_takes_settings_away() {
    let authentication = "authentication {\nauth_type PASS\nauth_pass 1111\n}";
    let settings = format!("state MASTER\npriority 150\npreempt_delay 5\ndown_timer_adverts 4\n{authentication}");
    let global = format!("global_defs {{\nvrrp_strict\n}}\n{}", instance(&settings));
    let own = instance(&format!("strict_mode\n{settings}"));
    for text in [global, own] {
        let config = told(&text, &["W014", "W014", "W014", "W009"]).expect("only warnings");
        let [read] = config.instances.as_slice() else { panic!("one instance") };
        assert_eq!((read.password.is_none(), read.initial), (true, Initial::Backup));
        assert_eq!(read.settings().preempt_delay, None);
        assert_eq!(read.settings().down_timer_adverts, Some(3));
    }
    let lenient =
        format!("global_defs {{\nvrrp_strict\n}}\n{}", instance(&format!("strict_mode off\n{authentication}")));
    assert!(told(&lenient, &[]).is_some_and(|config| config.instances[0].password.is_some()));
    let owner = told(&instance("strict_mode\nstate MASTER\npriority 255"), &[]).expect("no errors");
    assert_eq!(owner.instances[0].initial, Initial::Master);
}

/// The file that distributions install, and that most files in the world were made from.
#[test]
fn the_sample_of_keepalived_is_read() {
    let text = "! Configuration File for keepalived\n\nglobal_defs {\n   notification_email {\n     a@firewall.loc\n   }\n   \
        notification_email_from b@firewall.loc\n   smtp_server 192.168.200.1\n   smtp_connect_timeout 30\n   \
        router_id LVS_DEVEL\n   vrrp_skip_check_adv_addr\n   vrrp_strict\n   vrrp_garp_interval 0\n   \
        vrrp_gna_interval 0\n}\n\nvrrp_instance VI_1 {\n    state MASTER\n    interface eth0\n    virtual_router_id 51\n    \
        priority 100\n    advert_int 1\n    authentication {\n        auth_type PASS\n        auth_pass 1111\n    }\n    \
        virtual_ipaddress {\n        192.168.200.16\n        192.168.200.17\n    }\n}\n\n\
        virtual_server 192.168.200.100 443 {\n    delay_loop 6\n    lb_algo rr\n    lb_kind NAT\n    \
        persistence_timeout 50\n    protocol TCP\n\n    real_server 192.168.201.100 443 {\n        weight 1\n        \
        SSL_GET {\n            url {\n              path /\n              digest ff20ad2481f97b1754ef3e12ecd3a9cc\n            \
        }\n            connect_timeout 3\n            retry 3\n        }\n    }\n}\n";
    let config = told(text, &["W014", "W009"]).expect("it runs");
    assert!(config.global.settings.vrrp_garp_interval.is_some_and(|pause| pause.is_zero()));
}

fn compat() -> Options {
    let mut options = Options::default();
    options.compat = true;
    options
}

/// keepalived 2.2.7 takes these without a word, and so they are no errors.
#[test]
fn what_keepalived_takes_silently_is_no_error() {
    let read =
        |settings: &str, expected: &[&str]| told(&instance(settings), expected).expect("no errors").instances.remove(0);
    assert_eq!(read("priority +90", &[]).priority.get(), 90);
    assert!(!read("nopreempt yes", &["W014"]).preempt);
    assert!(read("accept on", &["W014"]).settings().accept);
    told(&format!("global_defs {{\nvrrp_strict true\n}}\n{}", instance("")), &["W014"]);
    let lo = read("virtual_ipaddress {\n10.0.0.4/32 dev lo\n}", &[]);
    assert!(lo.addresses.iter().any(|own| own.device.as_ref().is_some_and(|name| name.value == "lo")));
    told(&instance("virtual_rules {\nfrom all to 10.0.0.0/8 table 5 preference 4\n}"), &[]);
    // Meant to switch it off, but it would not.
    told(&format!("global_defs {{\nvrrp_strict false\n}}\n{}", instance("")), &["E025"]);
}

#[test]
fn trackers_of_an_instance_with_faults_are_looked_up_too() {
    told(&instance("priority 100\ninterface eth0/1\ntrack_script {\nnone\n}"), &["W004", "E038", "E058"]);
}

/// Each is an error; with `--compat` a warning, and the rest is what keepalived makes of it.
#[test]
fn compat_leaves_out_what_keepalived_leaves_out() {
    let trackers = "vrrp_script s {\nscript /bin/true\n}\n";
    let block = |lines: &str| instance(&format!("virtual_ipaddress {{\n{lines}\n}}"));
    for (code, text, addresses) in [
        ("E020", block("10.0.0.4 foo dev eth1"), 2),
        ("E033", block("10.0.0.400"), 1),
        ("E036", block("10.0.0.4/33"), 2),
        ("E034", instance("").replace("10.0.0.3/24\n", "10.0.0.3/24\n2001:db8::1\n"), 1),
        ("E054", block("10.0.0.3/24"), 1),
        ("E022", instance("smtp_server 10.0.0.1"), 1),
        ("E023", instance("priority 90 advert_int 5"), 1),
        ("E025", instance("priority 90 95"), 1),
        ("E025", format!("global_defs {{\nrouter_id a b\n}}\n{}", instance("")), 1),
        ("E041", instance("advert_int 0.5"), 1),
        ("E056", instance("authentication {\nauth_type PASS\n}"), 1),
        ("E057", instance("track_interface {\neth1\neth1\n}"), 1),
        ("E020", instance("track_interface {\neth1 wait 3\n}"), 1),
        ("E031", instance("track_interface {\neth1 weight 300\n}"), 1),
        ("E058", instance("track_script {\nnone\n}"), 1),
        ("E058", format!("{}vrrp_sync_group G {{\ngroup {{\nVI_1\nVI_2\n}}\n}}\n", instance("")), 1),
        ("E033", instance("unicast_peer {\n10.0.0.300\n10.0.0.4\n}"), 1),
        ("E044", instance("virtual_routes {\nblackhole\n}"), 1),
        ("E052", format!("{}{}", instance(""), instance("priority 7")), 1),
        ("E046", instance("strict_mode\nunicast_peer {\n10.0.0.2\n}"), 1),
    ] {
        let text = format!("{trackers}{text}");
        let strict = parse_str("test.conf", &text);
        assert!(codes(&strict).contains(&code) && strict.has_errors(), "{text}\n{}", strict.render(false));
        let loaded = parse_str_with("test.conf", &text, &compat());
        let found = codes(&loaded);
        assert!(found.contains(&code), "{text}\n{}", loaded.render(false));
        let config = loaded.understood().unwrap_or_else(|| panic!("{text}\n{}", loaded.render(false)));
        let [read] = config.instances.as_slice() else { panic!("one instance of {text}") };
        assert_eq!(read.addresses.len(), addresses, "{text}\n{}", loaded.render(false));
        assert_eq!(read.interval.duration().as_secs(), 1, "{text}");
        assert!(read.settings().track_script.is_empty(), "{text}");
    }
}

/// As keepalived does: in any order, and sent as it stands; in strict mode it refuses such an instance, and so do we.
#[test]
fn addresses_of_ipv6_stand_in_any_order_unless_strict() {
    let text = "vrrp_instance V {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n2001:db8::1/64\n\
                2001:db8::2/64\nfe80::1/64\n}\n}\n";
    for loaded in [parse_str("test.conf", text), parse_str_with("test.conf", text, &compat())] {
        assert_eq!(codes(&loaded), ["W016"]);
        let config = loaded.config.as_ref().expect("a warning only");
        let shown: Vec<String> = config.instances[0].addresses.iter().map(|own| own.address.to_string()).collect();
        assert_eq!(shown, ["2001:db8::1", "2001:db8::2", "fe80::1"]);
    }
    let own = text.replace("interface eth0", "interface eth0\nstrict_mode");
    let off = text.replace("interface eth0", "interface eth0\nstrict_mode off");
    let global = "global_defs {\nvrrp_strict\n}\n";
    for (text, code) in [
        (own.clone(), "E059"),
        (format!("{global}{text}"), "E059"),
        (format!("{global}{own}"), "E059"),
        (format!("{global}{off}"), "W016"),
    ] {
        for loaded in [parse_str("test.conf", &text), parse_str_with("test.conf", &text, &compat())] {
            let told: Vec<_> = codes(&loaded).into_iter().filter(|code| *code != "W010").collect();
            assert_eq!((told, loaded.has_errors()), (vec![code], code == "E059"), "{text}");
        }
    }
}

/// keepalived does not ignore these: it ends, serves nothing, or does something else than the file says.
#[test]
fn compat_does_not_hide_what_keepalived_cannot_do_without() {
    for (code, text) in [
        ("E024", instance("priority")),
        ("E050", "vrrp_instance A {\ninterface eth0\nvirtual_ipaddress {\n10.0.0.1\n}\n}\n".to_owned()),
        ("E051", "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\n}\n".to_owned()),
        ("E053", format!("{}{}", instance(""), instance("").replace("VI_1", "VI_2").replace("0.3", "0.4"))),
        ("E012", instance("").trim_end_matches("}\n").to_owned()),
        ("E010", instance("notify \"/bin/x")),
        ("E074", format!("$A=$A\nx ${{A}}\n{}", instance(""))),
        ("E077", instance("priority ${_FOO}")),
        ("E078", instance("~SEQ(N) priority 7")),
        ("E035", instance("virtual_ipaddress {\n224.0.0.1\n}")),
    ] {
        let loaded = parse_str_with("test.conf", &text, &compat());
        assert!(codes(&loaded).contains(&code) && loaded.config.is_none(), "{text}\n{}", loaded.render(false));
    }
}

/// One fault of a repeated line is one finding, and does not push others over the bound.
#[test]
fn a_fault_of_a_repeated_line_is_told_once() {
    let text = "$VI= \\\nvrrp_instance V${N} { \\\ninterface eth0 \\\nvirtual_router_id ${N} \\\npriorty 100 \\\n\
                virtual_ipaddress { \\\n10.0.0.${N} \\\n} \\\n}\n~SEQ(N,1,2000) $VI\nfoo\n";
    let loaded = parse_str("test.conf", text);
    // The misspelt keyword, VRIDs and addresses out of range, and what stands behind it all.
    assert_eq!(codes(&loaded), ["E020", "E031", "E033", "E020"], "{}", loaded.render(false));
    let drawn = loaded.render(false);
    assert!(drawn.contains("and 1999 more times") && drawn.contains("and 1744 more times"), "{drawn}");
}

/// Neither pictures nor JSON show a password or a key, wherever in the file the fault is.
#[test]
fn no_finding_shows_a_secret() {
    let secrets = ["s3cr3t-word", "hex:5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e7"];
    let own = |lines: &str| instance(&format!("authentication {{\nauth_type PASS\n{lines}\n}}"));
    let key = |line: &str| instance(&format!("auth_hmac {{\n{line}\nactive_key 1\n}}"));
    let folder = tempfile::tempdir().expect("a directory");
    let mut text = String::new();
    let cases = [
        own("auth_pass s3cr3t-word"),
        own("auth_pass s3cr3t-word s3cr3t-word"),
        own("auth_pass one s3cr3t-word"),
        own("auth_pass=s3cr3t-word"),
        own("auth_pass:s3cr3t-word"),
        own("auth_pas s3cr3t-word"),
        own("auth-pass s3cr3t-word"),
        own("password s3cr3t-word"),
        own("auth_pass \"s3cr3t-word"),
        own("auth_pass “s3cr3t-word”"),
        own("auth_pass\u{a0}s3cr3t-word"),
        own("auth_pass s3cr3t-word!x"),
        own("auth_pass s3cr3t-word;"),
        own("auth_pass s3cr3t-word}"),
        own("auth_pass s3cr3t-word priority 7"),
        own("auth_pass ${_ENV s3cr3t-word"),
        own("auth_pass s3cr3t-word\nauth_pass s3cr3t-word"),
        format!("$P=s3cr3t-word\n{}", own("auth_pass ${P} x")),
        format!("$P=s3cr3t-word\n{}", own("auth_pass $P")),
        format!("$A=auth_pass s3cr3t-word\n{}", own("$A x")),
        format!("~LST({{N, P}}, {{1, s3cr3t-word}}) $X=${{P}}\n{}", own("auth_pass ${P} x")),
        format!("auth_pass s3cr3t-word\n{}", instance("")),
        instance("auth_type PASS auth_pass s3cr3t-word"),
        own("auth_pass s3cr3t-word").replace("}\n", ""),
        key(&format!("key 1 {}", secrets[1])) + "x",
        key(&format!("key 1 {}0", secrets[1])),
        key(&format!("key {} 1", secrets[1])),
        key(&format!("key 1 {} 2", secrets[1])),
        key(&format!("key 300 {}", secrets[1])),
        key(&format!("key 1 {}\nkey 1 {}", secrets[1], secrets[1])),
    ];
    for (at, case) in cases.iter().enumerate() {
        let file = folder.path().join(format!("{at}.conf"));
        std::fs::write(&file, case).expect("written");
        for json in [false, true] {
            let options = CheckOptions {
                files: vec![file.clone()],
                ids: Vec::new(),
                allow: Vec::new(),
                deny_warnings: false,
                json,
                compat: false,
            };
            let report = check(&options);
            let shown = if json { report.render_json() } else { report.render(false) };
            let found: Vec<_> = report.findings.iter().filter(|found| found.diagnostic.code != Code::Ignored).collect();
            assert!(!found.is_empty(), "nothing is wrong with\n{case}");
            for secret in secrets {
                assert!(!shown.contains(secret), "{case}\n{shown}");
            }
            write!(text, "{shown}").expect("a string");
        }
    }
    assert!(text.contains("*****"), "{text}");
}
