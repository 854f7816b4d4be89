//! The table as nftables itself shows it, and news about it, inside a network namespace of the test's own.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;
use crate::process::wait_readable;
use crate::rtnl::tests::in_namespace;

/// Runs `body` where there is nftables; elsewhere the test is skipped, and fails where CI promises it.
fn with_nft(body: impl FnOnce() + Send + 'static) {
    if find().is_some() {
        in_namespace(body);
    } else {
        println!("skipped: nft is not installed");
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must have nft");
    }
}

/// What somebody else tells nftables.
fn nft(words: &str) {
    let mut child = Command::new(find().unwrap()).args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), words.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{words}");
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn some() -> Vec<Silent> {
    ["192.0.2.1", "2001:db8::1", "fe80::1", "192.0.2.1"].map(|text| Silent::new(ip(text)).on("eth0")).to_vec()
}

#[test]
fn the_table_comes_as_a_whole_and_goes_again() {
    with_nft(|| {
        let firewall = Firewall::new("failover", some()).unwrap();
        assert_eq!(firewall.owner().unwrap(), Owner::Nobody);
        firewall.try_out().unwrap();
        assert_eq!(firewall.shown().unwrap(), None, "it is only tried out");
        firewall.set_up().unwrap();
        let shown = firewall.shown().unwrap().unwrap();
        for part in [
            "elements = { 192.0.2.1 }",
            "elements = { 2001:db8::1 }",
            "elements = { fe80::1 . \"eth0\" }",
            "hook input priority filter - 1; policy accept;",
            "hook output priority filter - 1; policy accept;",
            "ip daddr @ipv4 drop",
            "ip saddr @ipv4 drop",
            "ip6 daddr . iifname @link_local drop",
            "ip6 saddr . oifname @link_local drop",
        ] {
            assert_eq!(shown.matches(part).count(), 1, "{part}: {shown}");
        }
        assert_eq!(shown.matches("nd-neighbor-solicit, nd-neighbor-advert").count(), 2, "{shown}");
        assert_eq!(firewall.owner().unwrap(), Owner::Us);
        assert_eq!(firewall.shown().unwrap().unwrap(), shown, "it looks the same as long as nobody changes it");
        let mut remover = Remover::open().unwrap();
        assert!(remover.is_ours("failover").unwrap());
        firewall.remove().unwrap();
        assert_eq!(firewall.shown().unwrap(), None);
        firewall.remove().unwrap();
        assert!(!remover.is_ours("failover").unwrap() && !remover.remove("failover").unwrap());
        firewall.set_up().unwrap();
        nft("add table inet failover2\nadd chain inet failover2 c");
        assert!(!remover.is_ours("failover2").unwrap(), "somebody else's");
        let foreign = Firewall::new("failover2", some()).unwrap();
        foreign.remove().unwrap();
        assert!(!remover.remove_ours("failover2").unwrap() && foreign.shown().unwrap().is_some(), "it stays");
        assert!(remover.remove("failover").unwrap() && firewall.shown().unwrap().is_none());
    });
}

#[test]
fn what_is_there_is_replaced_and_others_are_left_alone() {
    with_nft(|| {
        nft("add table inet other\nadd chain inet other c");
        Firewall::new("failover", vec![Silent::new(ip("192.0.2.9"))]).unwrap().set_up().unwrap();
        let firewall = Firewall::new("failover", some()).unwrap().priority(-200).counters(true);
        firewall.set_up().unwrap();
        let shown = firewall.shown().unwrap().unwrap();
        assert!(shown.contains("priority -200") && shown.contains("ip daddr @ipv4 counter drop"), "{shown}");
        assert!(!shown.contains("192.0.2.9"), "{shown}");
        let other = Firewall::new("other", Vec::new()).unwrap();
        assert_eq!(other.owner().unwrap(), Owner::Another);
        firewall.remove().unwrap();
        assert_eq!(other.owner().unwrap(), Owner::Another);
        other.set_up().unwrap();
        assert_eq!(other.owner().unwrap(), Owner::Us, "a table may be empty");
    });
}

#[test]
fn many_addresses_fit() {
    with_nft(|| {
        let all = (0..1020_u16).map(|n| Silent::new(ip(&format!("198.18.{}.{}", n / 256, n % 256))));
        let firewall = Firewall::new("failover", all.collect()).unwrap();
        firewall.set_up().unwrap();
        assert_eq!(firewall.shown().unwrap().unwrap().matches("198.18.").count(), 1020);
    });
}

#[test]
fn what_nftables_refuses_is_told_in_its_words() {
    with_nft(|| {
        // A word of its language.
        let firewall = Firewall::new("list", some()).unwrap();
        let error = firewall.try_out().unwrap_err();
        assert!(error.kernel_text().is_some_and(|words| words.contains("syntax error")), "{error}");
        assert!(error.to_string().starts_with("cannot try out the rules of nftables: nft ended with exit status: 1"));
    });
}

#[test]
fn changes_of_the_table_are_news_and_those_of_others_are_not() {
    with_nft(|| {
        let firewall = Firewall::new("failover", some()).unwrap();
        let mut watch = Watch::open("failover").unwrap();
        let mut concerned = |what: &str| {
            let news = wait_readable(&watch, Some(Duration::ZERO)).unwrap() && watch.read().unwrap();
            println!("{what}: {news}");
            news
        };
        firewall.set_up().unwrap();
        assert!(concerned("its own"));
        nft("add table ip failover\nadd chain ip failover c");
        nft("add table inet failover2\nadd chain inet failover2 c");
        assert!(!concerned("others"));
        let mut many = String::new();
        (0..2000).for_each(|n| {
            writeln!(many, "add rule inet failover2 c ip daddr 198.18.{}.{} accept", n / 256, n % 256).unwrap();
        });
        nft(&many);
        assert!(!concerned("many of others"));
        for change in [
            "delete element inet failover ipv4 { 192.0.2.1 }",
            "flush chain inet failover vrrp_input",
            "insert rule inet failover vrrp_output accept",
            "flush ruleset",
        ] {
            nft(change);
            assert!(concerned(change));
        }
        assert!(!concerned("nothing"));
    });
}

#[test]
fn names_that_cannot_be_written_are_refused() {
    let kind = |table: &str| Firewall::new(table, Vec::new()).map_or_else(|error| Some(error.kind()), |_| None);
    for table in ["", "1st", "-x", "a b", "a;flush ruleset", "a\"", "a{", &"a".repeat(NAME_MAX + 1)] {
        assert_eq!(kind(table), Some(io::ErrorKind::InvalidInput), "{table}");
    }
    for interface in ["eth*", "e\"h0", "e h0", "e\\h0", "ethä"] {
        let silent = |address: &str| vec![Silent::new(ip(address)).on(interface)];
        let error = Firewall::new("failover", silent("fe80::1")).unwrap_err();
        assert_eq!((error.kind(), error.interface()), (io::ErrorKind::InvalidInput, Some(interface)));
        let other = Firewall::new("failover", silent("192.0.2.1"));
        assert!(other.is_ok() || find().is_none(), "it is not in the rules: {other:?}");
    }
}

#[test]
fn news_may_be_anything() {
    let octets: Vec<u8> = (0..=255).cycle().take(4096).collect();
    for start in 0..256 {
        for length in 0..64 {
            let _ = concerns(&octets[start..start + length], "failover");
        }
    }
}
