//! What the keywords mean beyond a single value: defaults, inheritance, names that lead from block to block.

use std::fmt::Write as _;
use std::time::Duration;

use vrrp_cli::config::model::{AddressOption, Garp, OptionValue, WeightSetting};
use vrrp_cli::config::{Code, Config, Loaded, parse_str};

fn codes(loaded: &Loaded) -> Vec<Code> {
    loaded.diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

/// The configuration of a text that has no errors; what is not built yet is only warned about.
fn read(text: &str) -> Config {
    let loaded = parse_str("test.conf", text);
    let expected = |code: &Code| matches!(code, Code::Ignored | Code::Ipvs | Code::Renamed);
    assert!(codes(&loaded).iter().all(expected), "{}", loaded.render(false));
    loaded.config.expect("no errors")
}

fn instance(settings: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\n{settings}\nvirtual_ipaddress {{ 10.0.0.3 }}\n}}\n"
    )
}

#[test]
fn trackers_may_be_defined_behind_their_use() {
    let config = read(
        &(instance("track_script {\nchk weight -30 reverse\nother\n}\ntrack_file {\nf weight 254\n}")
            + "track_file f { file /f }\nvrrp_script chk { script \"/bin/true -x\" }\nvrrp_script other { script /bin/true }"),
    );
    let tracks = &config.instances[0].settings().track_script;
    assert_eq!(tracks[0].weight, Some(WeightSetting { weight: -30, reverse: true }));
    assert_eq!((tracks[1].name.value.as_str(), tracks[1].weight), ("other", None));
    assert_eq!(config.scripts[0].settings.script.as_ref().expect("a command").words, ["/bin/true", "-x"]);
    assert_eq!(config.files[0].settings.file.as_deref(), Some("/f"));
}

#[test]
fn false_means_false() {
    let config = read(
        &(String::from("global_defs { v3_checksum_as_v2 false }\n")
            + &instance("priority 255\nskip_check_adv_addr false\nowner_ignore_adverts off\nlower_prio_no_advert")),
    );
    let own = config.instances[0].settings();
    assert_eq!((own.skip_check_adv_addr, own.owner_ignore_adverts), (Some(false), Some(false)));
    assert_eq!(own.lower_prio_no_advert, Some(true));
    assert_eq!(config.global.settings.v3_checksum_as_v2, Some(false));
}

#[test]
fn init_fail_is_kept() {
    let config =
        read(&(instance("") + "vrrp_script a { script /bin/true\n init_fail }\nvrrp_script b { script /bin/true }"));
    assert!(config.scripts[0].settings.init_fail);
    assert!(!config.scripts[1].settings.init_fail);
}

#[test]
fn a_single_port_is_a_range() {
    let config = read(&instance("virtual_rules {\nsport 53 dport 80-90 table 9\n}"));
    let options = &config.instances[0].settings().virtual_rules[0].options;
    assert_eq!(options[0].value, OptionValue::Range(53, 53));
    assert_eq!(options[1].value, OptionValue::Range(80, 90));
}

#[test]
fn script_user_is_the_default_of_scripts() {
    let config = read(
        &(instance("notify_master /bin/true\nnotify_backup \"/bin/true\" root adm")
            + "global_defs { script_user nobody :nogroup }"),
    );
    let notify = &config.instances[0].notify;
    let owner = |script: &Option<vrrp_cli::config::Script>| {
        script
            .as_ref()
            .map(|script| (script.user.clone().unwrap_or_default(), script.group.clone().unwrap_or_default()))
    };
    assert_eq!(owner(&notify.master), Some(("nobody".into(), "nogroup".into())));
    assert_eq!(owner(&notify.backup), Some(("root".into(), "adm".into())));
}

#[test]
fn announcements_come_from_the_instance_then_the_host_then_keepalived() {
    let garp = |host: &str, own: &str| {
        let config = read(&format!("{}\nglobal_defs {{\n{host}\n}}", instance(own)));
        Garp::of(&config.instances[0], &config.global)
    };
    let plain = garp("", "");
    assert_eq!((plain.repeat, plain.delay, plain.refresh), (5, Duration::from_secs(5), Duration::ZERO));
    assert_eq!((plain.refresh_repeat, plain.lower_prio_repeat, plain.lower_prio_delay), (1, 5, Duration::from_secs(5)));
    let least = garp("vrrp_min_garp", "");
    assert_eq!((least.repeat, least.delay), (1, Duration::ZERO));
    let host = garp("vrrp_min_garp\nvrrp_garp_master_repeat 3\nvrrp_garp_master_delay 7", "garp_lower_prio_repeat 0");
    assert_eq!((host.repeat, host.delay), (3, Duration::from_secs(7)));
    assert_eq!((host.lower_prio_repeat, host.lower_prio_delay), (0, Duration::from_secs(7)));
    let own =
        garp("vrrp_garp_master_repeat 3", "garp_master_repeat 1\ngarp_master_refresh 0.5\nvmac_garp_intvl all 60");
    assert_eq!((own.repeat, own.refresh), (1, Duration::from_millis(500)));
    assert!(own.extra.expect("set").all);
}

#[test]
fn old_names_mean_the_same() {
    let config = read(&instance("nopreempt\nvmac_garp_intvl all 60\nthread_timer_expired"));
    assert!(config.instances[0].settings().garp_extra_if.is_some());
    assert_eq!(config.instances[0].settings().timer_expired_backup, Some(254));
    let loaded = parse_str("test.conf", &instance("vmac_garp_intvl 60"));
    assert!(codes(&loaded).contains(&Code::Renamed), "{}", loaded.render(false));
}

#[test]
fn ipvs_does_not_keep_the_rest_from_running() {
    let servers =
        "virtual_server 10.0.0.3 80 {\nlb_algo rr\nreal_server 10.0.0.7 80 {\nTCP_CHECK { connect_timeout 3 }\n}\n}\n";
    let loaded = parse_str("test.conf", &(servers.repeat(2_000) + &instance("")));
    assert_eq!(codes(&loaded), [Code::Ipvs], "{}", loaded.render(false));
    assert!(loaded.render(false).contains("1999 more places"), "{}", loaded.render(false));
    assert_eq!(loaded.config.expect("only a warning").instances.len(), 1);
}

#[test]
fn what_has_no_effect_is_told_once_however_often_it_stands() {
    let mut text = String::new();
    for n in 0..2_000 {
        writeln!(
            text,
            "vrrp_instance V{n} {{\ninterface eth{}\nvirtual_router_id {}\nlinkbeat_use_polling\nkernel_rx_buf_size 100000\n\
             virtual_ipaddress {{ 10.0.{}.{} }}\n}}",
            n / 200,
            n % 200 + 1,
            n / 200,
            n % 200 + 1
        )
        .expect("a string");
    }
    let loaded = parse_str("test.conf", &text);
    assert_eq!(codes(&loaded), [Code::Ignored, Code::Ignored]);
    assert_eq!(loaded.config.expect("only warnings").instances.len(), 2_000);
}

#[test]
fn address_options_are_kept() {
    let text =
        instance("").replace("10.0.0.3", "10.0.0.3 home -nodad no_track preferred_lft forever use_vmac vv scope host");
    let config = read(&text);
    let [address] = config.instances[0].addresses.as_slice() else { panic!("one address") };
    assert_eq!(address.scope, Some(254));
    assert_eq!(address.options.len(), 5);
    assert_eq!(address.options[3], AddressOption::PreferredLifetime(None));
    assert!(matches!(&address.options[4], AddressOption::UseVmac(Some(name)) if name.value == "vv"));
    let config = read(&(instance("") + "static_ipaddress {\n2001:db8::1/64 dev lo0\n192.0.2.1\n}"));
    let lengths: Vec<u8> = config.process.static_ipaddress.iter().map(|address| address.prefix_len).collect();
    assert_eq!(lengths, [64, 32]);
}

#[test]
fn routes_keep_their_parts() {
    let config = read(&instance(
        "virtual_routes {\ninet append blackhole 10.7.0.0/16\n\
         default table 7 nexthop via 10.0.0.1 weight 2 nexthop via inet 10.0.0.2 dev lo onlink\n}",
    ));
    let [first, second] = config.instances[0].settings().virtual_routes.as_slice() else { panic!("two routes") };
    assert_eq!(first.kind, Some("blackhole"));
    assert_eq!(first.destination, Some(("10.7.0.0".parse().expect("an address"), 16)));
    assert_eq!(second.destination, None);
    assert_eq!((second.options.len(), second.next_hops.len()), (1, 2));
    assert_eq!(second.next_hops[1].len(), 3);
}

#[test]
fn refused_keywords_say_why() {
    let loaded = parse_str("test.conf", &instance("mcast_dst_ip 224.0.0.81"));
    assert_eq!(codes(&loaded), [Code::NotYet], "{}", loaded.render(false));
    assert!(loaded.config.is_none() && loaded.render(false).contains("two masters"), "{}", loaded.render(false));
    let loaded = parse_str("test.conf", &instance("vrf red"));
    assert!(loaded.config.is_none() && loaded.render(false).contains("cannot be ignored"), "{}", loaded.render(false));
}
