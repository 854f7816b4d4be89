//! A firewall that drops what a backup must hear: nobody takes over, and the log names the rule that is missing. With
//! `firewall_guard off` there are two masters, and one again as soon as the rule is gone.

use std::net::IpAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use vrrp_cli::lab::{self, Prober};

use crate::common::Kind::{Keepalived, Vrrpctl};
use crate::common::*;

const CLIENTS: [&str; 2] = ["client", "other"];

/// How long the clients may be left with the wrong MAC address once the weaker master can hear the stronger one.
const HEALED: Duration = Duration::from_millis(1500);

#[test]
fn two_masters_become_one_when_the_rule_goes() {
    if tool("nft").is_some()
        && tool("keepalived").is_some()
        && lab::privileged(two_masters_become_one_when_the_rule_goes)
    {
        side_by_side([(Vrrpctl, Vrrpctl), (Vrrpctl, Keepalived), (Keepalived, Vrrpctl)], heard_again);
    }
}

fn heard_again((strong, weak): scenes::Makes) {
    let stage = Stage::with_two_clients();
    let a = stage.start(strong, "a", &[Instance::new(STRONG)]);
    a.is_backup();
    let to_the_letter = if weak == Vrrpctl { "global_defs {\n    firewall_guard off\n}\n" } else { "" };
    let b = stage.start_tracking(weak, "b", to_the_letter, &[Instance::new(WEAK)]);
    b.is_backup();
    stage.held_by("a", VIP);

    on(&stage, "b", "nft add table ip guard");
    on(&stage, "b", "nft add chain ip guard input { type filter hook input priority 0 ; }");
    on(&stage, "b", "nft add rule ip guard input ip protocol 112 drop");
    eventually("both are masters", || stage.holders_of(VIP) == ["a", "b"]);
    if strong == Vrrpctl {
        a.says("10.9.0.3 is master as well, with a weaker claim", 1);
    }

    let probers = CLIENTS.map(|client| {
        let prober = Prober::start(stage.lan.host(client), VIP, Duration::from_millis(2)).unwrap();
        eventually("the client is answered", || prober.last_reply().is_some());
        prober
    });
    for client in CLIENTS {
        on(&stage, client, &format!("ip neighbour replace {VIP} lladdr {} dev eth0 nud reachable", stage.mac("b")));
    }
    let healed = Instant::now();
    on(&stage, "b", "nft delete table ip guard");
    stage.held_by("a", VIP);
    b.says("entering backup state", 2);
    for (client, prober) in CLIENTS.iter().zip(&probers) {
        eventually("the client sends to the winner", || stage.neighbour_of(client, VIP) == Some(stage.mac("a")));
        let settled = Instant::now();
        eventually("and is answered", || prober.replies(settled) > 20);
        between("the client after the rule went", prober.longest_silence(healed), Duration::ZERO, HEALED + SLACK);
    }
    assert_eq!(a.count("entering master state"), 1, "the stronger one stayed master");
}

#[test]
fn the_guard_keeps_a_backup_from_taking_over_and_names_the_missing_rule() {
    let test = the_guard_keeps_a_backup_from_taking_over_and_names_the_missing_rule;
    if tool("nft").is_some() && lab::privileged(test) {
        side_by_side([false, true], guarded);
    }
}

fn guarded(v6: bool) {
    let stage = Stage::new();
    let vip: IpAddr = if v6 { "fd00::100".parse().unwrap() } else { VIP.into() };
    let instance = |priority| {
        let instance = Instance::new(priority);
        if v6 { instance.password(None).with("version 3").addresses(&["fd00::100/64"]) } else { instance }
    };
    let mut a = stage.vrrpctl("a", instance(STRONG));
    a.is_backup();
    let mut b = stage.vrrpctl("b", instance(WEAK));
    stage.held_by("a", vip);
    b.is_backup();
    let watch = stage.watch(vip);

    on(&stage, "b", "nft add table inet filter");
    on(&stage, "b", "nft add chain inet filter input { type filter hook input priority 0 ; }");
    on(
        &stage,
        "b",
        &format!("nft add rule inet filter input {} 112 drop", if v6 { "ip6 nexthdr" } else { "ip protocol" }),
    );
    let dropped = Instant::now();
    b.says("a firewall of this host drops the adverts of", 1);
    between("until the rule is named", dropped.elapsed(), Duration::ZERO, Duration::from_secs(3) + SLACK);
    never("the backup takes over", 2 * master_down(WEAK), || b.said("entering master state"));
    // Nor does one that has never heard a master by its socket.
    b.stop();
    let mut b = stage.vrrpctl("b", instance(WEAK));
    b.says("a firewall of this host drops the adverts of", 1);
    never("it takes over", master_down(WEAK) + SLACK, || b.said("entering master state"));
    assert_eq!(watch.moves(), []);

    // The rule that it names is the one that is missing.
    let log = b.log();
    let rule = log.split("The missing rule: `").nth(1).and_then(|rest| rest.split('`').next()).expect("a rule");
    on(&stage, "b", rule);
    b.stop();
    let mut b = stage.vrrpctl("b", instance(WEAK));
    b.is_backup();
    // Within a quarter of an interval more than one it would be missed.
    never("it is named again", Duration::from_secs(3), || b.said("a firewall of this host"));
    a.process.signal_all(Signal::SIGKILL).unwrap();
    b.says("entering master state", 1);
    b.stop();
    a.process.kill().unwrap();
}

/// Runs a command on a host.
fn on(stage: &Stage, host: &str, command: &str) {
    let mut words = command.split_whitespace();
    let mut process = stage.lan.host(host).spawn(Command::new(words.next().unwrap()).args(words)).unwrap();
    let status = process.wait(PATIENCE).expect("it ends");
    assert!(status.success(), "{command}: {status}");
}
