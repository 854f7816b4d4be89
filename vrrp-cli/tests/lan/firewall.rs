//! A firewall that drops what a backup must hear: two masters, and one again as soon as the rule is gone.

use std::process::Command;
use std::time::{Duration, Instant};

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
    let b = stage.start(weak, "b", &[Instance::new(WEAK)]);
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

/// Runs a command on a host.
fn on(stage: &Stage, host: &str, command: &str) {
    let mut words = command.split_whitespace();
    let mut process = stage.lan.host(host).spawn(Command::new(words.next().unwrap()).args(words)).unwrap();
    let status = process.wait(PATIENCE).expect("it ends");
    assert!(status.success(), "{command}: {status}");
}
