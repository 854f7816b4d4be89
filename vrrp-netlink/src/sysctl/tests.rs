//! Settings of a network namespace of the test's own.

use super::*;
use crate::rtnl::Rtnl;
use crate::rtnl::tests::in_namespace;

const NAME: &str = "promote_secondaries";

fn now() -> String {
    fs::read_to_string(format!("/proc/sys/net/ipv4/conf/br0/{NAME}")).unwrap().trim_end().to_owned()
}

#[test]
fn a_setting_is_put_back_as_it_was() {
    in_namespace(|| {
        Rtnl::open().unwrap().create_bridge("br0").unwrap();
        let other = if now() == "0" { "1" } else { "0" };
        let before = now();
        let saved = Saved::set(Family::V4, "br0", NAME, other).unwrap();
        assert_eq!(now(), other);
        saved.restore().unwrap();
        assert_eq!(now(), before);
    });
}

#[test]
fn what_somebody_else_has_set_meanwhile_stays() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        rtnl.create_bridge("br0").unwrap();
        fs::write(format!("/proc/sys/net/ipv4/conf/br0/{NAME}"), "0").unwrap();
        let saved = Saved::set(Family::V4, "br0", NAME, "1").unwrap();
        let again = Saved::set(Family::V4, "br0", NAME, "1").unwrap();
        again.restore().unwrap();
        assert_eq!(now(), "1", "it changed nothing");
        fs::write(format!("/proc/sys/net/ipv4/conf/br0/{NAME}"), "0").unwrap();
        let kept = saved.clone();
        saved.restore().unwrap();
        assert_eq!(now(), "0");
        assert!(std::process::Command::new("ip").args(["link", "del", "br0"]).status().unwrap().success());
        assert!(kept.restore().is_ok(), "nothing is left to restore");
    });
}

/// Two interfaces exchange their names: what is put back is that of the one that was changed.
#[test]
fn a_setting_goes_with_its_interface_and_not_with_a_name() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let (changed, other) = (rtnl.create_bridge("br0").unwrap(), rtnl.create_bridge("br1").unwrap());
        for name in ["br0", "br1"] {
            fs::write(format!("/proc/sys/net/ipv4/conf/{name}/{NAME}"), "0").unwrap();
        }
        let saved = Saved::set(Family::V4, "br0", NAME, "1").unwrap();
        fs::write(format!("/proc/sys/net/ipv4/conf/br1/{NAME}"), "1").unwrap();
        for (from, to) in [("br0", "brx"), ("br1", "br0"), ("brx", "br1")] {
            assert!(
                std::process::Command::new("ip").args(["link", "set", from, "name", to]).status().unwrap().success()
            );
        }
        saved.clone().of_interface(changed).unwrap().restore().unwrap();
        let now = ["br0", "br1"].map(|name| read(Family::V4, name, NAME).unwrap());
        assert_eq!(now, ["1", "0"]);
        rtnl.delete_link(other).unwrap();
        assert_eq!(saved.of_interface(other), None);
    });
}

#[test]
fn names_lead_nowhere_else() {
    for (interface, name) in [("..", NAME), ("a/b", NAME), ("lo", "../lo/x"), ("", NAME), ("lo", "")] {
        let error = Saved::set(Family::V4, interface, name, "1").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
    let error = Saved::set(Family::V4, "no-such-if", NAME, "1").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(error.interface(), Some("no-such-if"));
}

#[test]
fn a_plan_changes_nothing_until_it_is_carried_out() {
    in_namespace(|| {
        Rtnl::open().unwrap().create_bridge("br0").unwrap();
        let before = now();
        let other = if before == "0" { "1" } else { "0" };
        let planned = Saved::plan(Family::V4, "br0", NAME, other).unwrap();
        assert_eq!(now(), before);
        planned.apply().unwrap();
        assert_eq!(now(), other);
        planned.restore().unwrap();
        assert_eq!(now(), before);
    });
}

/// What a process that died has changed is put back by who reads its line.
#[test]
fn a_line_of_text_is_enough_to_put_a_setting_back() {
    in_namespace(|| {
        Rtnl::open().unwrap().create_bridge("br0").unwrap();
        let before = now();
        let other = if before == "0" { "1" } else { "0" };
        let line = Saved::set(Family::V4, "br0", NAME, other).unwrap().to_string();
        assert_eq!(line, format!("ipv4 br0 {NAME} {before} {other}"));
        let mut again = Saved::set(Family::V4, "br0", NAME, other).unwrap();
        again.inherit(&line.parse().unwrap());
        assert_eq!(again.to_string(), line, "the setting was not like this before the first");
        again.restore().unwrap();
        assert_eq!(now(), before);
    });
}

#[test]
fn what_is_no_setting_is_not_read_as_one() {
    for line in [
        "",
        "ipv4 eth0 arp_ignore 0",
        "ipv4 eth0 arp_ignore 0 1 2",
        "ipv5 eth0 arp_ignore 0 1",
        "ipv4 ../.. arp_ignore 0 1",
        "ipv4 eth0/../lo arp_ignore 0 1",
        "ipv4 eth0 .. 0 1",
        "ipv4  arp_ignore 0 1",
    ] {
        assert_eq!(line.parse::<Saved>(), Err(NotASetting), "{line}");
    }
}
