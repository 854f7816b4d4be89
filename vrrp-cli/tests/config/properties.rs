//! Any text: no panic, and every place that is spoken of lies in the text.

use proptest::prelude::*;
use vrrp_cli::config::{Code, Loaded, Options, Reason, Span, parse_str_with};

/// Pieces that files are made of, and what people put between them.
const PIECES: &[&str] = &[
    "vrrp_instance",
    "global_defs",
    "virtual_ipaddress",
    "authentication",
    "state",
    "MASTER",
    "interface",
    "eth0",
    "virtual_router_id",
    "priority",
    "advert_int",
    "nopreempt",
    "auth_type",
    "PASS",
    "auth_pass",
    "1111",
    "notify",
    "notify_master",
    "track_interface",
    "vrrp_script",
    "script",
    "include",
    "$X=",
    "$Y=${X} $X",
    "$M= \\\n a \\\n $X { \\\n }\n",
    "$M",
    "$X",
    "${X}",
    "${M}",
    "@id",
    "@^id",
    "@",
    "~SEQ(",
    "~SEQ(X,1,3)",
    "~SEQx(Y, 9, 30000, 1000000000)",
    "~LST({X,Y},{1,2},{3})",
    "~LST(X,a,b)",
    "${_X}",
    "${_ENV X}",
    "${_RANDOM 1 2}",
    "${_HASH}",
    "${",
    "${-}",
    "include_check",
    "random_seed",
    "51",
    "0",
    "256",
    "1.5",
    "-1",
    "10.0.0.3/24",
    "10.0.0.3",
    "fe80::1",
    "224.0.0.18",
    "dev",
    "label",
    "brd",
    "+",
    "scope",
    "{",
    "{",
    "{",
    "}",
    "}",
    "}",
    "\n",
    "\n",
    "\n",
    "\n",
    "\r\n",
    "\r",
    "\t",
    " ",
    "\"",
    "'",
    "\\",
    "#",
    "!",
    "\\#",
    "\0",
    "\u{feff}",
    "\u{3000}",
    "\u{a0}",
    "｛",
    "｝",
    "“",
    "”",
    "＃",
    "\u{200b}",
    "主",
    "ü",
    "...",
    "=",
    "priorty",
    "virtual_ipadress",
    "vrrp_instace",
];

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(PIECES);
    prop::collection::vec((piece, prop::bool::weighted(0.8)), 0..120).prop_map(|pieces| {
        pieces.into_iter().flat_map(|(piece, blank)| [piece, if blank { " " } else { "" }]).collect()
    })
}

fn instance() -> impl Strategy<Value = String> {
    (0_u16..300, 0_u16..300, any::<[u8; 4]>(), 0_u8..40, any::<bool>()).prop_map(|(vrid, priority, ip, len, auth)| {
        let [a, b, c, d] = ip;
        let auth = if auth { "authentication {\n    auth_type PASS\n    auth_pass 1111\n}\n" } else { "" };
        format!(
            "vrrp_instance V{a}.{vrid} {{\ninterface eth{b}\nvirtual_router_id {vrid}\npriority {priority}\n{auth}\
             virtual_ipaddress {{\n{a}.{b}.{c}.{d}/{len}\n}}\n}}\n"
        )
    })
}

fn check(text: &str) -> Loaded {
    let mut options = Options::default();
    options.id = Some("id".to_owned());
    options.max_expansion = 1 << 14;
    let loaded = parse_str_with("any.conf", text, &options);
    let sources = &loaded.sources;
    let inside = |span: Span| sources.get(span.file).is_some_and(|source| source.text().get(span.range()).is_some());
    for diagnostic in &loaded.diagnostics {
        for label in diagnostic.primary.iter().chain(&diagnostic.secondary) {
            assert!(inside(label.span), "{diagnostic:?}");
            let trace = sources.trace(label.span);
            assert!(text.get(trace.place.range()).is_some() && sources.location(label.span).is_some(), "{trace:?}");
            assert_eq!(sources.trace(trace.place).expanded, None);
            for step in &trace.steps {
                assert!(text.get(step.span.range()).is_some() && step.reason != Reason::Included, "{trace:?}");
            }
        }
        assert!(diagnostic.help.is_some(), "{diagnostic:?}");
        assert!(sources.render(diagnostic, false).contains(diagnostic.code.as_str()));
        sources.render(diagnostic, true);
    }
    assert_eq!(loaded.config.is_some(), !loaded.has_errors());
    for instance in loaded.config.iter().flat_map(|config| &config.instances) {
        assert!(inside(instance.span) && inside(instance.interface.span));
        assert!((1..=255).contains(&instance.addresses.len()));
        assert!(instance.addresses.iter().all(|address| inside(address.span) && address.prefix_len <= 32));
    }
    loaded
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_without_panic(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn any_order_of_pieces_is_read_without_panic(text in pieces()) {
        check(&text);
    }

    #[test]
    fn any_cut_of_a_file_is_read_without_panic(
        texts in prop::collection::vec(instance(), 1..4), cut in any::<prop::sample::Index>(), piece in pieces()
    ) {
        let mut text = texts.concat();
        text.insert_str(cut.index(text.len()), &piece);
        check(&text);
    }

    #[test]
    fn any_definition_is_expanded_without_panic(value in pieces(), text in pieces()) {
        let value = value.replace('\n', " \\\n");
        check(&format!("$X= \\\n{value}\n{text}\n$X\n~SEQ(N,1,3) {text}"));
    }

    /// Text without signs of the preprocessor is read as it is, however it is repeated; a fault counts once.
    #[test]
    fn an_expansion_reads_as_its_text(instance in instance(), times in 1_u8..4) {
        let bare = instance.replace('\n', " \\\n");
        let expanded = check(&format!("$X= \\\n{bare}\n\n~SEQ(N,{times}) $X"));
        let literal = check(&instance.repeat(usize::from(times)));
        let codes = |loaded: &Loaded| loaded.diagnostics.iter().map(|found| found.code).collect::<Vec<Code>>();
        if times == 1 {
            prop_assert_eq!(codes(&expanded), codes(&literal), "{}", expanded.render(false));
        }
        let kinds = |loaded: &Loaded| codes(loaded).into_iter().collect::<std::collections::BTreeSet<_>>();
        prop_assert_eq!(kinds(&expanded), kinds(&literal), "{}", expanded.render(false));
    }

    /// A fault in one block says nothing about the next: its own faults are found all the same.
    #[test]
    fn a_fault_does_not_hide_the_next(words in prop::collection::vec("[a-z=;0-9.]{1,12}", 0..4)) {
        let text = format!(
            "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\n{}\nvirtual_ipaddress {{ 10.0.0.1 }}\n}}\n\
             vrrp_instance B {{\ninterface eth0\nvirtual_router_id 0\nvirtual_ipaddress {{ 10.0.0.2 }}\n}}\n",
            words.join(" ")
        );
        let found = check(&text).diagnostics.iter().any(|diagnostic| diagnostic.code == Code::OutOfRange);
        prop_assert!(found);
    }

    /// A brace lost anywhere in the first instance leaves the second one readable.
    #[test]
    fn a_lost_brace_does_not_swallow_the_next(lost in 0_usize..6) {
        let first = "vrrp_instance A {\n  interface eth0\n  virtual_router_id 1\n  authentication {\n    auth_type PASS\n    \
                     auth_pass 1111\n  }\n  virtual_ipaddress {\n    10.0.0.1\n  }\n}\n";
        let second = first.replace("A {", "B {").replace("_id 1", "_id 256").replace("10.0.0.1", "10.0.0.2/99");
        let (at, _) = first.match_indices(['{', '}']).nth(lost).expect("six braces");
        let text = [&first[..at], &first[at + 1..], &second].concat();
        let loaded = check(&text);
        let codes: Vec<Code> = loaded.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        prop_assert!(codes.contains(&Code::OutOfRange) && codes.contains(&Code::BadPrefix), "{}", loaded.render(false));
        prop_assert_eq!(codes.len(), 3, "{}", loaded.render(false));
    }
}
