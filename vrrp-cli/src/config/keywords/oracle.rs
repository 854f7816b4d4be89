//! keepalived itself as the judge, where it is installed: it accepts what we accept, and understands it the same.
//!
//! Everything happens in a network namespace of its own, with private `/run` and `/tmp`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;

use std::path::Path;
use std::process::Command;

use vrrp_core::Version;

use super::*;

use crate::config::diagnostic::Code;
use crate::config::model::{Config, Garp, Instance};
use crate::config::parse_str;
use crate::show::{ShowOptions, as_text};

/// Keywords that the keepalived of Debian 12 (2.2.7) does not know yet, or judges by what the host has.
const NOT_JUDGED: &[&str] = &[
    "vrrp_owner_ignore_adverts",
    "owner_ignore_adverts",
    // An extension.
    "check",
    "use_symlink_paths",
    "set_supplementary_groups",
    "vrrp_delay_after_boot",
    "v3_checksum_as_v2",
    "state_dump_file",
    "stats_dump_file",
    "json_dump_file",
    "json_version",
    "snmp_vs_stats_update_interval",
    "snmp_rs_stats_update_interval",
    "iproute_usr_dir",
    "iproute_etc_dir",
    "dbus_no_interface_name",
    "multihop",
    "timer_expired_backup",
    "auth_hmac",
    // Not keepalived's.
    "address_lease",
    "firewall_guard",
    "address_fight",
    "handover",
    "thread_timer_expired",
    "no_virtual_ipaddress",
    // Built without iptables.
    "vrrp_ipsets",
    "vrrp_iptables",
    // The CPUs, directories and names of the host.
    "vrrp_cpu_affinity",
    "checker_cpu_affinity",
    "bfd_cpu_affinity",
    "config_save_dir",
    "tmp_config_directory",
    "smtp_server",
    // Not in keepalived.
    "smtp_tls",
    "smtp_ca_file",
    "smtp_user",
    "smtp_password",
    "smtp_password_file",
    // Only together with others, which are not built here.
    "vmac_xmit_base",
    "use_ipvlan",
    "unicast_ttl",
    "include_check",
    // Ends itself by SIGTERM over a user that may not run the script.
    "user",
];

/// Forms of values that 2.2.7 does not know yet, and IPv6 beside IPv4.
const NOT_JUDGED_VALUES: &[&str] =
    &["noreverse", ":root", "name ", "2001:db8", "sport 53", "overwrite", "-21474", "2147483647"];

/// Names whose times have decimals only since 2.3.
const WHOLE_IN_OLD: &[&str] = &["interval", "timeout", "refresh"];

/// What keepalived says about files that it runs as they are.
const HARMLESS: &[&str] = &[
    "SECURITY VIOLATION",
    "deprecated",
    "Please use global",
    "Defaulting to multicast",
    "Rule has no preference",
    "cannot track route",
    "has only 1 virtual router",
    "due to SYNC group",
];

fn judged(keyword: &Keyword, value: &str) -> bool {
    let old = value.contains('.') && WHOLE_IN_OLD.iter().any(|end| keyword.name.ends_with(end));
    let bare_name = keyword.name.ends_with("process_name") && value.is_empty();
    let values = NOT_JUDGED_VALUES.iter().any(|part| value.contains(part));
    keyword.context != Context::AuthHmac && !NOT_JUDGED.contains(&keyword.name) && !old && !bare_name && !values
}

/// Whether the judge is there; in CI it has to be.
fn keepalived() -> bool {
    let found = Command::new("keepalived").arg("-v").output().is_ok_and(|output| output.status.success());
    let root = nix::unistd::geteuid().is_root();
    if found && root {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "CI needs keepalived, and root");
    eprintln!("skipped: needs keepalived, and root");
    false
}

/// Runs a script of the shell in a namespace of its own; `work` is its `/tmp`.
fn confined(name: &str, work: &Path, script: &str) -> String {
    let namespace = format!("vrrp-{name}-{}", std::process::id());
    let links = [("eth0", "eth1"), ("eth2", "x"), ("fifteen-octets-", "eth3")];
    let mut setup = format!("ip netns add {namespace} && ip -n {namespace} link set lo up");
    for (one, other) in links {
        write!(setup, " && ip -n {namespace} link add {one} type veth peer name {other}").expect("a string");
    }
    for (at, link) in links.iter().flat_map(|(one, other)| [one, other]).enumerate() {
        let address = format!("10.{at}.255.250/16");
        write!(setup, " && ip -n {namespace} link set {link} up && ip -n {namespace} addr add {address} dev {link}")
            .expect("a string");
    }
    let made = Command::new("sh").args(["-c", &setup]).output().expect("a shell");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let script =
        format!("mount -t tmpfs none /run && mount --bind {} /tmp && cd /tmp && {{ {script} }}", work.display());
    let output = Command::new("ip").args(["netns", "exec", &namespace, "unshare", "-m", "sh", "-c", &script]).output();
    let removed = Command::new("ip").args(["netns", "del", &namespace]).output();
    assert!(removed.is_ok_and(|output| output.status.success()), "{namespace} remains");
    String::from_utf8_lossy(&output.expect("a shell").stdout).into_owned()
}

/// Every keyword of the table with every right value, each in a file of its own.
#[test]
fn keepalived_accepts_what_is_accepted_here() {
    if !keepalived() {
        return;
    }
    let work = tempfile::tempdir().expect("a directory");
    let mut files: Vec<String> = Vec::new();
    for keyword in rows().filter(|keyword| !matches!(keyword.meaning, Meaning::Root(_))) {
        for value in samples::right(&keyword).iter().filter(|value| judged(&keyword, value)) {
            let text = samples::file(&keyword, value);
            let loaded = parse_str("any.conf", &text);
            // What we warn about beyond that, keepalived complains about, too.
            let expected = |code: Code| matches!(code, Code::Ignored | Code::Renamed);
            if loaded.config.is_none() || !loaded.diagnostics.iter().all(|found| expected(found.code)) {
                continue;
            }
            fs::write(work.path().join(format!("{}.conf", files.len())), &text).expect("written");
            files.push(text);
        }
    }
    assert!(files.len() >= 200, "only {} files", files.len());
    let script = "for f in *.conf; do keepalived -t -f /tmp/$f >$f.log 2>&1; echo $f $?; done;";
    let verdicts = confined("accept", work.path(), script);
    let mut refused = String::new();
    for line in verdicts.lines() {
        let (name, status) = line.split_once(' ').expect("a name and a status");
        let log = fs::read_to_string(work.path().join(format!("{name}.log"))).unwrap_or_default();
        let complaint = log.lines().any(|line| !line.is_empty() && !HARMLESS.iter().any(|part| line.contains(part)));
        if status != "0" && (complaint || !["5", "6"].contains(&status)) {
            let at: usize = name.trim_end_matches(".conf").parse().expect("a number");
            writeln!(refused, "--- status {status}\n{}{log}", files[at]).expect("a string");
        }
    }
    assert_eq!(verdicts.lines().count(), files.len());
    assert!(refused.is_empty(), "keepalived refuses:\n{refused}");
}

/// A sequence that looks random and is always the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn maybe(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// A file of many instances with values from the whole of their ranges.
fn generated(seed: u64) -> String {
    let mut dice = Dice(seed);
    let mut text = String::from("global_defs {\n");
    for name in [
        "master_repeat",
        "master_delay",
        "master_refresh",
        "master_refresh_repeat",
        "lower_prio_delay",
        "lower_prio_repeat",
    ] {
        if dice.maybe() {
            writeln!(text, "vrrp_garp_{name} {}", dice.below(4000) + 1).expect("a string");
        }
    }
    if dice.below(4) == 0 {
        text.push_str("vrrp_min_garp\n");
    }
    if dice.maybe() {
        text.push_str("vrrp_version 3\n");
    }
    text.push_str("}\n");
    for n in 0..3 {
        let (interval, rise, fall) = (dice.below(4000) + 1, dice.below(9) + 1, dice.below(9) + 1);
        let weight = i64::try_from(dice.below(507)).expect("small") - 253;
        writeln!(
            text,
            "vrrp_script s{n} {{\nscript /bin/true\ninterval {interval}\nweight {weight}\nrise {rise}\nfall {fall}\n}}"
        )
        .expect("a string");
    }
    for n in 0..20 {
        write!(text, "vrrp_instance V{n} {{\ninterface eth{}\nvirtual_router_id {}\n", n % 3, n * 12 + 1)
            .expect("a string");
        if dice.maybe() {
            writeln!(text, "priority {}", dice.below(254) + 1).expect("a string");
        }
        match dice.below(3) {
            0 => writeln!(text, "version 2\nadvert_int {}", dice.below(255) + 1),
            1 => writeln!(text, "version 3\nadvert_int {}.{:02}", dice.below(40), dice.below(99) + 1),
            _ => Ok(()),
        }
        .expect("a string");
        for name in [
            "master_repeat",
            "master_delay",
            "master_refresh",
            "master_refresh_repeat",
            "lower_prio_delay",
            "lower_prio_repeat",
        ] {
            if dice.below(4) == 0 {
                writeln!(text, "garp_{name} {}", dice.below(4000) + 1).expect("a string");
            }
        }
        if dice.maybe() {
            text.push_str("nopreempt\n");
        }
        if dice.maybe() {
            let weight = i64::try_from(dice.below(507)).expect("small") - 253;
            writeln!(text, "track_interface {{\neth3 weight {weight}\neth{}\n}}", (n + 1) % 3).expect("a string");
        }
        if n == 0 {
            // keepalived drops a script that nobody tracks.
            text.push_str("track_script {\ns0\ns1\ns2\n}\n");
        }
        text.push_str("virtual_ipaddress {\n");
        for address in 0..=dice.below(4) {
            let length = [String::new(), format!("/{}", dice.below(31) + 2)][usize::from(dice.maybe())].clone();
            writeln!(text, "10.{}.{n}.{}{length}", n % 3, address + 1).expect("a string");
        }
        text.push_str("}\n}\n");
    }
    text
}

/// What `show-config` prints means the same, and is printed the same.
#[test]
fn generated_files_come_back() {
    let secrets = ShowOptions { secrets: true, ..ShowOptions::default() };
    for seed in 0..50 {
        let config = parse_str("any.conf", &generated(seed)).config.expect("a right file");
        let shown = as_text(&config, secrets);
        let again = parse_str("shown.conf", &shown);
        assert!(!again.has_errors(), "{shown}\n{}", again.render(false));
        assert_eq!(again.config.map(|config| as_text(&config, secrets)).as_deref(), Some(shown.as_str()));
    }
}

/// What keepalived says of one instance, and what we say: name of the value to the value.
type Values = BTreeMap<String, String>;

fn dumped(dump: &str, title: &str) -> BTreeMap<String, Values> {
    let mut all: BTreeMap<String, Values> = BTreeMap::new();
    let mut current = None;
    let mut list = String::new();
    for line in dump.lines() {
        if line.starts_with("------<") || (line.starts_with(' ') && !line.starts_with("  ")) {
            current = line.strip_prefix(title).map(str::to_owned);
            continue;
        }
        let Some(name) = &current else { continue };
        let values = all.entry(name.clone()).or_default();
        if let Some(entry) = line.strip_prefix("     ") {
            if list.starts_with("Virtual IP") || list.starts_with("Tracked interfaces") {
                let key = list.split(" (").next().unwrap_or_default().trim_end_matches([' ', ':']);
                let entry = entry.split(" scope ").next().unwrap_or_default();
                write!(values.entry(key.to_owned()).or_default(), "{entry};").expect("a string");
            }
        } else if let Some((key, value)) = line.trim().split_once(" = ") {
            values.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        } else {
            line.trim().clone_into(&mut list);
        }
    }
    all
}

fn ours(config: &Config, instance: &Instance) -> Values {
    let garp = Garp::of(instance, &config.global);
    let interval = instance.interval.duration();
    let seconds = interval.as_secs();
    let mut addresses = String::new();
    for address in &instance.addresses {
        let IpAddr::V4(ip) = address.address else { continue };
        let length = if address.prefix_len == 32 { String::new() } else { format!("/{}", address.prefix_len) };
        write!(addresses, "{ip}{length} dev {};", instance.interface.value).expect("a string");
    }
    let mut tracks = String::new();
    for track in &instance.settings().track_interface {
        write!(tracks, "{} weight {};", track.name.value, track.weight.unwrap_or_default().weight).expect("a string");
    }
    let mut values: Values = [
        ("VRRP Version", if instance.version == Version::V2 { "2" } else { "3" }.to_owned()),
        ("Interface", instance.interface.value.clone()),
        ("Virtual Router ID", instance.vrid.get().to_string()),
        ("Priority", instance.priority.get().to_string()),
        ("Preempt", if instance.preempt { "enabled" } else { "disabled" }.to_owned()),
        (
            "Advert interval",
            match instance.version {
                Version::V2 => format!("{seconds} sec"),
                Version::V3 => format!("{} milli-sec", interval.as_millis()),
            },
        ),
        ("Gratuitous ARP delay", garp.delay.as_secs().to_string()),
        ("Gratuitous ARP repeat", garp.repeat.to_string()),
        ("Gratuitous ARP refresh", garp.refresh.as_secs().to_string()),
        ("Gratuitous ARP refresh repeat", garp.refresh_repeat.to_string()),
        ("Gratuitous ARP lower priority delay", garp.lower_prio_delay.as_secs().to_string()),
        ("Gratuitous ARP lower priority repeat", garp.lower_prio_repeat.to_string()),
        ("Virtual IP", addresses),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    if !tracks.is_empty() {
        values.insert("Tracked interfaces".into(), tracks);
    }
    values
}

fn our_scripts(config: &Config) -> BTreeMap<String, Values> {
    let read = |script: &crate::config::model::Named<crate::config::model::ScriptSettings>| {
        let own = &script.settings;
        let values = [
            ("Interval", format!("{} sec", own.interval.unwrap_or_default().as_secs())),
            ("Weight", own.weight.unwrap_or_default().weight.to_string()),
            ("Rise", own.rise.unwrap_or_default().to_string()),
            ("Fall", own.fall.unwrap_or_default().to_string()),
        ];
        (script.name.value.clone(), values.map(|(key, value)| (key.to_owned(), value)).into())
    };
    config.scripts.iter().map(read).collect()
}

/// The values that keepalived runs with are those that we would run with.
#[test]
fn keepalived_understands_the_same() {
    const FILES: u64 = 12;
    if !keepalived() {
        return;
    }
    let work = tempfile::tempdir().expect("a directory");
    for seed in 0..FILES {
        fs::write(work.path().join(format!("{seed}.conf")), generated(seed)).expect("written");
    }
    let script = "for f in *.conf; do rm -f keepalived.data; keepalived -P -n -l -f /tmp/$f >$f.log 2>&1 & p=$!; n=0; \
        until grep -q 'Startup complete' $f.log || [ $n -gt 500 ]; do n=$((n+1)); sleep 0.02; done; kill -USR1 $p; n=0; \
        until grep -qs '< Interfaces >' keepalived.data || [ $n -gt 500 ]; do n=$((n+1)); sleep 0.02; done; \
        cp keepalived.data $f.dump; kill -TERM $p; wait $p; done;";
    confined("dump", work.path(), script);
    let mut compared = 0;
    for seed in 0..FILES {
        let loaded = parse_str("any.conf", &generated(seed));
        let config = loaded.config.as_ref().unwrap_or_else(|| panic!("{}", loaded.render(false)));
        let dump = fs::read_to_string(work.path().join(format!("{seed}.conf.dump"))).unwrap_or_else(|_| {
            let log = fs::read_to_string(work.path().join(format!("{seed}.conf.log"))).unwrap_or_default();
            panic!("no dump of\n{}{log}", generated(seed))
        });
        let mut pairs: Vec<(String, Values)> =
            config.instances.iter().map(|instance| (instance.name.clone(), ours(config, instance))).collect();
        let instances = dumped(&dump, " VRRP Instance = ");
        assert_eq!(instances.len(), config.instances.len());
        let scripts = dumped(&dump, " VRRP Script = ");
        pairs.extend(our_scripts(config));
        for (name, own) in pairs {
            let theirs =
                instances.get(&name).or_else(|| scripts.get(&name)).unwrap_or_else(|| panic!("no {name} in\n{dump}"));
            for (key, value) in own {
                let Some(other) = theirs.get(&key) else { panic!("no `{key}` of {name} in\n{dump}") };
                assert_eq!(other, &value, "`{key}` of {name} in\n{}", generated(seed));
                compared += 1;
            }
        }
    }
    assert!(compared > 3_000, "only {compared} values were compared");
}
