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
