//! The table against itself.

use std::collections::HashSet;

use super::*;
use crate::config::diagnostic::{Code, Severity};
use crate::config::parse_str;

#[test]
fn no_name_stands_twice_in_a_block() {
    let mut seen = HashSet::new();
    for keyword in rows().chain(lvs::rows()) {
        assert!(seen.insert((keyword.context, keyword.name)), "`{}` {}", keyword.name, keyword.context.place());
        assert!(keyword.values.0 <= keyword.values.1);
    }
    assert!(seen.len() > 400, "only {} keywords", seen.len());
}

#[test]
fn every_keyword_is_documented() {
    for keyword in rows() {
        assert!(!keyword.doc.is_empty() && !keyword.default.is_empty(), "`{}`", keyword.name);
        assert!(keyword.usage().starts_with(keyword.name), "`{}`", keyword.usage());
    }
}

#[test]
fn keywords_are_found_in_their_block_only() {
    assert!(find(Context::Instance, "priority").is_some());
    assert!(find(Context::Root, "priority").is_none());
    assert!(find(Context::Bfd, "weight").is_some_and(|keyword| keyword.built == Built::NotYet));
    assert_eq!(everywhere("weight").len(), 7);
    assert!(everywhere("no such thing").is_empty());
}

#[test]
fn misspelt_keywords_are_recognised() {
    let near = |word| nearest(Context::Instance, word).map(|keyword| keyword.name);
    assert_eq!(near("prioirty"), Some("priority"));
    assert_eq!(near("virtual_ipadress"), Some("virtual_ipaddress"));
    assert_eq!(near("virtual_ipaddresses"), Some("virtual_ipaddress"));
    assert_eq!(near("VirtualRouterID"), Some("virtual_router_id"));
    assert_eq!(near("advert-int"), Some("advert_int"));
    assert_eq!(near("no_preempt"), Some("nopreempt"));
    assert_eq!(near("notify_mastr"), Some("notify_master"));
    assert_eq!(near("x"), None);
    assert_eq!(near("something_else_entirely"), None);
    assert_eq!(near(&"priority".repeat(1000)), None);
}

/// Each value at its limits is taken, gets into the configuration, and is reported when it has no effect.
#[test]
fn values_at_their_limits_are_read() {
    for keyword in rows() {
        for value in samples::right(&keyword) {
            if matches!(keyword.meaning, Meaning::Root(_)) || keyword.name == "authentication" {
                continue;
            }
            let text = samples::file(&keyword, &value);
            let loaded = parse_str("table.conf", &text);
            let shown = || format!("{text}\n{}", loaded.render(false));
            let other = |code: Code| {
                let of_values = [Code::IntervalRounded, Code::SubSecond, Code::OwnerByDefault, Code::OutOfRange];
                let expected = matches!(code, Code::NotYet | Code::Ignored | Code::Renamed | Code::NoEffect);
                let of_election = keyword.context == Context::Instance && keyword.built == Built::Yes;
                !(expected || of_election && of_values.contains(&code))
            };
            let codes: Vec<Code> = loaded.diagnostics.iter().map(|found| found.code).collect();
            assert!(!codes.iter().any(|code| other(*code)), "{}", shown());
            let switched_off = keyword.shape == Shape::Bool && ["off", "false", "no"].contains(&value.as_str());
            if matches!(keyword.context, Context::Root | Context::Global | Context::Instance) && !switched_off {
                let named =
                    |code| loaded.diagnostics.iter().any(|d| d.code == code && d.message.contains(keyword.name));
                match keyword.built {
                    Built::Yes => {}
                    Built::NotYet => assert!(named(Code::Ignored) && loaded.config.is_some(), "{}", shown()),
                    Built::Refused(_) => assert!(named(Code::NotYet) && loaded.config.is_none(), "{}", shown()),
                }
            } else if switched_off {
                let named = format!("`{}`", keyword.name);
                let told = |code| matches!(code, Code::NotYet | Code::Ignored);
                assert!(!loaded.diagnostics.iter().any(|d| told(d.code) && d.message.contains(&named)), "{}", shown());
            }
        }
    }
}

/// One beyond a limit, and what is of another kind, is an error that points at the keyword's line.
#[test]
fn values_beyond_their_limits_are_refused() {
    for keyword in rows() {
        for value in samples::wrong(&keyword) {
            if keyword.name == "auth_pass" || (keyword.name == "script_user" && value == "a b c") {
                continue;
            }
            let text = samples::file(&keyword, &value);
            let loaded = parse_str("table.conf", &text);
            let error = loaded.diagnostics.iter().any(|d| d.severity() == Severity::Error && d.code != Code::NotYet);
            assert!(error, "`{}` takes `{value}`\n{text}\n{}", keyword.name, loaded.render(false));
        }
    }
}

/// A value that the lowering reads fits the field of its keyword.
#[test]
fn every_value_gets_into_its_field() {
    for keyword in rows().filter(|keyword| keyword.meaning == Meaning::Value && keyword.renamed.is_none()) {
        if matches!(keyword.built, Built::Refused(_)) {
            continue;
        }
        for value in samples::right(&keyword) {
            let plain = samples::file(&keyword, &value);
            let config = parse_str("table.conf", &plain).config.expect(&plain);
            let read = format!("{config:?}");
            let field = format!("{}: ", keyword.name);
            let unset = |at: &usize| {
                let found = &read[at + field.len()..];
                found.starts_with("None")
                    || found.starts_with("[]")
                    || (found.starts_with("false") && keyword.shape == Shape::Flag)
            };
            let set = read.match_indices(&field).any(|(at, _)| !unset(&at));
            assert!(set, "`{}` loses `{value}`", keyword.name);
        }
    }
}

/// Where manual and code of keepalived have different names, those of the code.
#[test]
fn names_are_those_of_the_code() {
    for name in ["state_dump_file", "stats_dump_file", "json_dump_file"] {
        assert!(find(Context::Global, name).is_some(), "{name}");
    }
    assert!(find(Context::Global, "state_file_location").is_none());
    assert!(find(Context::SyncGroup, "notify_deleted").is_none());
    let codes = |text: &str| {
        let loaded = parse_str("table.conf", text);
        loaded.diagnostics.into_iter().map(|found| found.code).filter(|code| *code != Code::Ignored).collect::<Vec<_>>()
    };
    let instance = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress { 10.0.0.3 }\n}\n";
    assert_eq!(codes(&format!("global_defs {{\ninclude_check read\n}}\n{instance}")), []);
    assert_eq!(codes(&format!("static_rules {{\nfrom 10.0.0.0/8 ipproto tcp table 5\n}}\n{instance}")), []);
    assert_eq!(codes(&format!("static_rules {{\nfrom 10.0.0.0/8 ip_proto tcp table 5\n}}\n{instance}")), []);
}

#[test]
fn defaults_are_those_of_the_code() {
    let text = "interface_up_down_delays { eth0 2 }\n\
                vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress { 10.0.0.3 }\n}\n";
    let config = parse_str("table.conf", text).config.expect("no errors");
    let [delay] = config.process.interface_up_down_delays.as_slice() else { panic!("one line") };
    assert_eq!((delay.down.as_secs(), delay.up.as_secs()), (2, 0));
}

/// Each block is known where it belongs, nowhere else, and without its braces it is an error.
#[test]
fn every_block_is_read() {
    let instance = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress { 10.0.0.3 }\n}\n";
    let blocks = rows().filter(|row| matches!(row.meaning, Meaning::Root(_)) || row.name == "authentication");
    for block in blocks {
        let inner = rows().find(|row| Some(row.context) == block.opens && !matches!(row.shape, Shape::Hmac));
        let inner = inner.expect("a block has settings");
        let value = samples::right(&inner).into_iter().next().expect("a right value");
        let text = format!("{}\n{instance}", samples::file(&inner, &value));
        let named = text.contains(block.renamed.map_or(block.name, |_| block.name)) || block.renamed.is_some();
        assert!(named, "{text}");
        let text =
            if block.renamed.is_some() { text.replace(block.renamed.unwrap_or_default(), block.name) } else { text };
        let loaded = parse_str("table.conf", &text);
        let unknown = |code| matches!(code, Code::UnknownKeyword | Code::WrongPlace | Code::BlockExpected);
        assert!(!loaded.diagnostics.iter().any(|found| unknown(found.code)), "{text}\n{}", loaded.render(false));
        let bare = if block.context == Context::Root {
            format!("{} x\n{instance}", block.name)
        } else {
            instance.replace("interface eth0", &format!("interface eth0\n{}", block.name))
        };
        assert!(parse_str("table.conf", &bare).has_errors(), "{bare}");
    }
}
