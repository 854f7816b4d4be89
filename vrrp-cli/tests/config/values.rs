//! Right inputs and what they mean; the example files; files that cannot be read.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use vrrp_cli::config::{Code, Config, Initial, Loaded, Script, Severity, load, parse_str};
use vrrp_core::{AdvertInterval, SimplePassword};

fn codes(loaded: &Loaded) -> Vec<Code> {
    loaded.diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

fn clean(text: &str) -> Config {
    let loaded = parse_str("test.conf", text);
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.render(false));
    loaded.config.expect("no errors")
}

/// An instance of one address with `settings` on lines of their own.
fn instance(settings: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\n{settings}\nvirtual_ipaddress {{ 10.0.0.3 }}\n}}\n"
    )
}

fn words(script: Option<&Script>) -> Vec<&str> {
    script.map(|script| script.words.iter().map(String::as_str).collect()).unwrap_or_default()
}

#[test]
fn the_configuration_every_tutorial_shows() {
    let config = clean(
        "global_defs { router_id lb01 }
        vrrp_instance VI_1 {
            state MASTER            # BACKUP on the other host
            interface eth0
            virtual_router_id 50
            priority 150            # 100 on the other host
            advert_int 1
            authentication { auth_type PASS
                             auth_pass 1111 }
            virtual_ipaddress { 10.0.0.3 }
        }",
    );
    assert_eq!(config.global.router_id.as_deref(), Some("lb01"));
    assert_eq!(config.global.mcast_group4, Ipv4Addr::new(224, 0, 0, 18));
    let [instance] = config.instances.as_slice() else { panic!("one instance") };
    assert_eq!(instance.name, "VI_1");
    assert_eq!(instance.initial, Initial::Master);
    assert_eq!(instance.interface.value, "eth0");
    assert_eq!(instance.vrid.get(), 50);
    assert_eq!(instance.priority.get(), 150);
    assert_eq!(instance.interval, AdvertInterval::from_secs(1).expect("1..=255"));
    assert!(instance.preempt);
    assert_eq!(instance.mcast_source, None);
    assert_eq!(instance.password, SimplePassword::new(b"1111"));
    let [address] = instance.addresses.as_slice() else { panic!("one address") };
    assert_eq!(address.address, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3)));
    assert_eq!((address.prefix_len, address.broadcast, address.scope), (32, None, None));
    assert!(address.device.is_none() && address.label.is_none());
}

#[test]
fn defaults_are_those_of_keepalived() {
    let config = clean(&instance(""));
    let instance = &config.instances[0];
    assert_eq!((instance.priority.get(), instance.initial, instance.preempt), (100, Initial::Backup, true));
    assert_eq!(instance.interval, AdvertInterval::from_secs(1).expect("1..=255"));
    assert_eq!(instance.password, None);
    assert!(instance.notify.generic.is_none());
}

#[test]
fn global_settings_may_stand_anywhere() {
    let config =
        clean(&format!("{}\nglobal_defs\n{{\n vrrp_mcast_group4 224.0.0.81\n vrrp_version 2\n}}", instance("")));
    assert_eq!(config.global.mcast_group4, Ipv4Addr::new(224, 0, 0, 81));
}

#[test]
fn preemption_follows_state_and_priority() {
    assert!(!clean(&instance("nopreempt")).instances[0].preempt);
    let loaded = parse_str("test.conf", &instance("nopreempt\npreempt"));
    assert!(loaded.config.expect("only a warning").instances[0].preempt);
    for settings in
        ["state MASTER\npriority 100\nnopreempt", "nopreempt\npriority 255", "nopreempt\nstate BACKUP\npriority 255"]
    {
        let loaded = parse_str("test.conf", &instance(settings));
        assert_eq!(codes(&loaded), [Code::NopreemptIgnored], "{settings}");
        assert!(loaded.config.expect("only a warning").instances[0].preempt, "{settings}");
    }
}

#[test]
fn priority_255_and_master_go_together() {
    assert_eq!(clean(&instance("priority 255\nstate BACKUP")).instances[0].initial, Initial::Master);
    let loaded = parse_str("test.conf", &instance("state MASTER"));
    assert_eq!(codes(&loaded), [Code::OwnerByDefault]);
    assert!(loaded.config.expect("only a warning").instances[0].priority.is_owner());
}

#[test]
fn intervals_are_whole_seconds() {
    let read = |text: &str| {
        let loaded = parse_str("test.conf", &instance(&format!("advert_int {text}")));
        let codes = codes(&loaded);
        (loaded.config.map(|config| config.instances[0].interval.duration().as_secs()), codes)
    };
    assert_eq!(read("255"), (Some(255), vec![]));
    assert_eq!(read("3.0"), (Some(3), vec![]));
    assert_eq!(read("1.4"), (Some(1), vec![Code::IntervalRounded]));
    assert_eq!(read("1.5"), (Some(2), vec![Code::IntervalRounded]));
    assert_eq!(read("254.999999"), (Some(255), vec![Code::IntervalRounded]));
    assert_eq!(read("0.999"), (None, vec![Code::SubSecond]));
    assert_eq!(read(".5"), (None, vec![Code::SubSecond]));
    for wrong in ["0", "0.0", "256", "255.1", "4294967295"] {
        assert_eq!(read(wrong), (None, vec![Code::OutOfRange]), "{wrong}");
    }
    for wrong in ["-1", "1,5", "1e1", ".", "1.2.3", "99999999999", "one"] {
        assert_eq!(read(wrong), (None, vec![Code::NotANumber]), "{wrong}");
    }
}

#[test]
fn passwords_are_cut_to_eight_octets() {
    let read = |text: &str| {
        let block = format!("authentication {{\nauth_type PASS\nauth_pass {text}\n}}");
        let loaded = parse_str("test.conf", &instance(&block));
        (loaded.config.expect("no errors").instances[0].password, loaded.diagnostics.len())
    };
    assert_eq!(read("12345678"), (SimplePassword::new(b"12345678"), 0));
    assert_eq!(read("123456789"), (SimplePassword::new(b"12345678"), 1));
    assert_eq!(read("\"a # b\""), (SimplePassword::new(b"a # b"), 0));
    assert_eq!(read(r"a\#b"), (SimplePassword::new(b"a#b"), 0));
    assert_eq!(read("pass$word"), (SimplePassword::new(b"pass$wor"), 1));
    assert_eq!(read("主备密码"), (SimplePassword::new(&"主备密码".as_bytes()[..8]), 1));
}

#[test]
fn address_lines_carry_options() {
    let config = clean(
        "vrrp_instance VI_1 {
            interface eth0
            virtual_router_id 51
            mcast_src_ip 10.0.0.1
            virtual_ipaddress {
                10.0.0.3/24 brd + dev eth1 scope link label eth1:vip
                10.0.0.4/24 brd -
                10.0.0.5/24 broadcast 10.0.0.127
                10.0.0.6/31 brd + scope 17
            }
            virtual_ipaddress {
                10.0.0.7/0 scope host
            }
        }",
    );
    let instance = &config.instances[0];
    assert_eq!(instance.mcast_source, Some(IpAddr::from([10, 0, 0, 1])));
    let read: Vec<_> = instance.addresses.iter().map(|a| (a.prefix_len, a.broadcast, a.scope)).collect();
    let ip = |last| Some(Ipv4Addr::new(10, 0, 0, last));
    let expected =
        [(24, ip(255), Some(253)), (24, ip(0), None), (24, ip(127), None), (31, None, Some(17)), (0, None, Some(254))];
    assert_eq!(read, expected);
    assert_eq!(instance.addresses[0].device.as_ref().map(|device| device.value.as_str()), Some("eth1"));
    assert_eq!(instance.addresses[0].label.as_deref(), Some("eth1:vip"));
}

#[test]
fn addresses_of_ipv6_make_an_instance_of_version_3() {
    let config = clean(
        "global_defs {
            vrrp_mcast_group6 ff02::13
        }
        vrrp_instance SIX {
            interface eth0
            virtual_router_id 51
            advert_int 0.5
            mcast_src_ip fe80::2
            accept
            virtual_ipaddress {
                fe80::3
                2001:db8::3/64
            }
        }
        vrrp_instance FOUR {
            interface eth0
            virtual_router_id 51
            virtual_ipaddress {
                10.0.0.3
            }
        }
        vrrp_instance ELSEWHERE {
            interface eth1
            virtual_router_id 51
            virtual_ipaddress {
                fe80::3
            }
        }",
    );
    assert_eq!(config.global.mcast_group6.to_string(), "ff02::13");
    let [six, four, _] = config.instances.as_slice() else { panic!("{config:?}") };
    assert_eq!(
        (six.interval, four.interval),
        (AdvertInterval::from_centis(50).unwrap(), AdvertInterval::from_secs(1).unwrap())
    );
    assert_eq!(six.mcast_source, Some(IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 2])));
    assert_eq!(six.addresses.iter().map(|address| address.prefix_len).collect::<Vec<_>>(), [128, 64]);
}

#[test]
fn the_form_of_the_checksum_is_that_of_the_instance_or_of_the_file() {
    let form = |global: &str, own: &str| {
        let config = clean(&format!("global_defs {{\n{global}\n}}\n{}", instance(own)));
        config.instances[0].v3_checksum_as_v2
    };
    assert!(!form("", ""));
    assert!(form("v3_checksum_as_v2", ""));
    assert!(form("", "v3_checksum_as_v2"));
    assert!(form("", "v3_checksum_as_v2 on"));
    assert!(!form("v3_checksum_as_v2", "v3_checksum_as_v2 off"));
}

#[test]
fn commands_are_split_without_a_shell() {
    let config = clean(&instance(
        "notify_master \"/etc/notify.sh master 'two words'\" root :adm
         notify_backup '/etc/notify.sh backup'
         notify_fault \"/bin/sh -c \\\"echo $(date) | mail\\\"\"
         notify_stop /etc/stop.sh nobody
         notify /etc/notify.sh # every time",
    ));
    let notify = &config.instances[0].notify;
    assert_eq!(words(notify.master.as_ref()), ["/etc/notify.sh", "master", "two words"]);
    let owner = notify.master.as_ref().map(|script| (script.user.as_deref(), script.group.as_deref()));
    assert_eq!(owner, Some((Some("root"), Some("adm"))));
    assert_eq!(words(notify.backup.as_ref()), ["/etc/notify.sh", "backup"]);
    assert_eq!(words(notify.fault.as_ref()), ["/bin/sh", "-c", "echo $(date) | mail"]);
    assert_eq!(words(notify.stop.as_ref()), ["/etc/stop.sh"]);
    assert_eq!(notify.stop.as_ref().and_then(|script| script.user.as_deref()), Some("nobody"));
    assert_eq!(words(notify.generic.as_ref()), ["/etc/notify.sh"]);
}

#[test]
fn the_last_of_two_settings_counts() {
    let loaded = parse_str("test.conf", &instance("priority 10\npriority 20"));
    assert_eq!(codes(&loaded), [Code::SettingRepeated]);
    assert_eq!(loaded.config.expect("only a warning").instances[0].priority.get(), 20);
}

#[test]
fn the_same_vrid_is_fine_on_another_interface() {
    let other = instance("").replace("VI_1", "VI_2").replace("eth0", "eth1").replace("10.0.0.3", "10.0.1.3");
    assert_eq!(clean(&(instance("") + &other)).instances.len(), 2);
}

#[test]
fn names_may_be_quoted_and_in_any_script() {
    let config = clean(&instance("").replace("VI_1", "\"主 备 {1}\""));
    assert_eq!(config.instances[0].name, "主 备 {1}");
}

#[test]
fn spans_lead_back_to_the_text() {
    let loaded = parse_str("test.conf", &instance(""));
    let instance = &loaded.config.as_ref().expect("no errors").instances[0];
    assert_eq!(loaded.sources.text(instance.span), "vrrp_instance VI_1");
    assert_eq!(loaded.sources.text(instance.interface.span), "eth0");
    assert_eq!(loaded.sources.text(instance.addresses[0].span), "10.0.0.3");
    let place = loaded.sources.location(instance.interface.span).expect("a span of this map");
    assert_eq!((place.file, place.line, place.column), ("test.conf", 2, 11));
}

#[test]
fn colours_only_when_asked() {
    let loaded = parse_str("test.conf", "priorty");
    assert!(!loaded.render(false).contains('\u{1b}'));
    assert!(loaded.render(true).contains('\u{1b}'));
    assert_eq!(loaded.diagnostics[0].severity(), Severity::Error);
}

#[test]
fn the_example_files_are_clean() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples");
    for shape in ["active-standby", "dual-master", "cloud"] {
        let [first, second] = ["lb01.conf", "lb02.conf"].map(|host| {
            let loaded = load(&examples.join(shape).join(host));
            assert!(loaded.diagnostics.is_empty(), "{}", loaded.render(false));
            loaded.config.expect("no errors")
        });
        assert_ne!(first.global.router_id, second.global.router_id);
        assert_eq!(first.instances.len(), second.instances.len());
        for (a, b) in first.instances.iter().zip(&second.instances) {
            assert_ne!(a.priority, b.priority, "{shape} {}", a.name);
            assert_eq!((a.vrid, a.interval, a.password), (b.vrid, b.interval, b.password), "{shape} {}", a.name);
            let addresses = |config: &vrrp_cli::config::Instance| {
                config.addresses.iter().map(|address| address.address).collect::<Vec<_>>()
            };
            assert_eq!(addresses(a), addresses(b), "{shape} {}", a.name);
        }
    }
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let directory = tempfile::tempdir().expect("a directory");
    let refused = |path: &Path| {
        let loaded = load(path);
        assert!(loaded.config.is_none() && loaded.has_errors());
        assert!(loaded.render(false).contains(&path.display().to_string()), "{}", loaded.render(false));
        codes(&loaded)
    };
    assert_eq!(refused(&directory.path().join("none.conf")), [Code::CannotRead]);
    assert_eq!(refused(directory.path()), [Code::NotAFile]);
    let large = directory.path().join("large.conf");
    fs::File::create(&large).expect("a file").set_len(vrrp_cli::config::MAX_FILE + 1).expect("a sparse file");
    assert_eq!(refused(&large), [Code::TooLarge]);
}

#[test]
fn octets_that_are_not_utf8_are_harmless_in_comments() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("latin1.conf");
    let mut file = fs::File::create(&path).expect("a file");
    file.write_all(b"# B\xfcro \xff\xfe\n! \x80\n").expect("written");
    file.write_all(instance("priority 7").as_bytes()).expect("written");
    drop(file);
    let loaded = load(&path);
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.render(false));
    assert_eq!(loaded.config.expect("no errors").instances[0].priority.get(), 7);
}

#[test]
fn garbage_is_cut_off() {
    let loaded = parse_str("test.conf", &"garbage\n".repeat(100_000));
    assert_eq!(loaded.diagnostics.len(), 1001);
    assert_eq!(loaded.diagnostics.last().map(|last| last.code), Some(Code::TooManyErrors));
}

#[test]
fn a_large_file_is_read_in_linear_time() {
    let mut text = String::new();
    for n in 0..65_024_u32 {
        let [_, _, high, low] = n.to_be_bytes();
        let (interface, vrid) = (n / 255, n % 255 + 1);
        writeln!(text, "vrrp_instance VI_{n} {{\n    state BACKUP\n    interface eth{interface}").expect("a string");
        writeln!(text, "    virtual_router_id {vrid}\n    priority 100\n    advert_int 1").expect("a string");
        writeln!(text, "    authentication {{\n        auth_type PASS\n        auth_pass 1111\n    }}")
            .expect("a string");
        writeln!(text, "    virtual_ipaddress {{\n        10.1.{high}.{low}/8\n    }}\n}}").expect("a string");
    }
    let start = std::time::Instant::now();
    let config = clean(&text);
    let taken = start.elapsed();
    assert_eq!(config.instances.len(), 65_024);
    // A debug build on a busy machine; what grows with the square takes minutes.
    assert!(taken.as_secs() < 30, "{taken:?}");
    println!("{taken:?}");
}

/// The version decides the unit of the interval, wherever it stands.
#[test]
fn version_three_counts_in_hundredths_of_a_second() {
    let instance = |text: &str| {
        let text = format!(
            "vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 51\n {text}\n virtual_ipaddress {{ 192.0.2.1 }}\n}}"
        );
        let loaded = parse_str("test.conf", &text);
        assert!(loaded.diagnostics.is_empty(), "{}", loaded.render(false));
        loaded.config.expect("no errors").instances.remove(0)
    };
    assert_eq!(instance("advert_int 0.02\n version 3").interval, AdvertInterval::from_centis(2).unwrap());
    assert_eq!(instance("version 3\n advert_int 40.95").interval, AdvertInterval::from_centis(4095).unwrap());
    assert_eq!(instance("version 3").interval, AdvertInterval::from_centis(100).unwrap());
    assert_eq!(instance("advert_int 2").interval, AdvertInterval::from_secs(2).unwrap());
}

/// What README shows is what lies in the files.
#[test]
fn the_readme_shows_the_example_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The published crate has no README of the workspace beside it.
    let Ok(readme) = fs::read_to_string(folder.join("../README.md")) else { return };
    for pair in ["active-standby", "dual-master"] {
        let example = fs::read_to_string(folder.join("docs/examples").join(pair).join("lb01.conf")).unwrap();
        assert!(readme.contains(example.trim_end()), "README.md does not show {pair}/lb01.conf");
    }
}
