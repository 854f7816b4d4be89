//! The table against itself.

use std::collections::HashSet;

use super::*;

#[test]
fn no_name_stands_twice_in_a_block() {
    let mut seen = HashSet::new();
    for keyword in SUPPORTED.iter().copied().chain(later::keywords()) {
        assert!(seen.insert((keyword.context, keyword.name)), "`{}` {}", keyword.name, keyword.context.place());
        assert!(keyword.values.0 <= keyword.values.1);
    }
    assert!(seen.len() > 300, "only {} keywords", seen.len());
}

#[test]
fn supported_keywords_are_documented() {
    for keyword in SUPPORTED {
        assert!(!keyword.doc.is_empty() && !keyword.usage.is_empty(), "`{}`", keyword.name);
        assert!(keyword.usage == NOTIFY || keyword.usage.starts_with(keyword.name), "`{}`", keyword.usage);
    }
}

#[test]
fn keywords_are_found_in_their_block_only() {
    assert!(find(Context::Instance, "priority").is_some());
    assert!(find(Context::Root, "priority").is_none());
    assert!(find(Context::Script, "weight").is_some_and(|keyword| keyword.meaning == Meaning::Later));
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
