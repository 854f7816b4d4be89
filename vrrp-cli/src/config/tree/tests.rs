//! Trees of small texts, written as `word word{inner, inner}`.

use super::*;
use crate::config::lex::lex;
use crate::config::preprocess::Chunk;
use crate::config::source::SourceMap;

fn draw(statements: &[Statement<'_>]) -> String {
    let drawn = statements.iter().map(|statement| {
        let words: Vec<&str> = statement.words.iter().map(|word| word.text.as_ref()).collect();
        let block = statement.block.as_ref().map(|block| format!("{{{}}}", draw(&block.statements)));
        words.join(" ") + &block.unwrap_or_default()
    });
    drawn.collect::<Vec<_>>().join(", ")
}

fn check(text: &str, expected: &str, codes: &[Code]) {
    let mut sources = SourceMap::default();
    let file = sources.add("test".to_owned(), text.to_owned(), Vec::new(), Vec::new()).expect("a short text");
    let span = Span { file, start: 0, end: u32::try_from(text.len()).expect("a short text") };
    let mut sink = Sink::default();
    let tokens = lex(&sources, &[Chunk { span, broken: false }], &mut sink);
    let tree = build(&sources, &tokens, &mut sink);
    let found: Vec<Code> = sink.iter().map(|diagnostic| diagnostic.code).collect();
    let shown: String = text.chars().take(200).collect();
    assert_eq!((draw(&tree), found), (expected.to_owned(), codes.to_vec()), "{shown:?}");
}

#[test]
fn a_statement_is_a_line() {
    check("a b\nc", "a b, c", &[]);
    check("a \"b  c\" \\#d # e\n\n\nf", "a b  c #d, f", &[]);
    check("", "", &[]);
}

#[test]
fn braces_may_stand_anywhere() {
    let expected = "a x{b 1, c{d}}, e";
    check("a x {\n b 1\n c {\n d\n }\n}\ne", expected, &[]);
    check("a x\n{\n b 1\n c\n\n # d\n {\n d } }\ne", expected, &[]);
    check("a x { b 1\n c { d } } e", expected, &[]);
    check("a x{b 1\nc{d}}e", expected, &[]);
    check("a {}", "a{}", &[]);
}

#[test]
fn a_missing_close_is_placed_by_keywords() {
    let expected = "vrrp_instance A{virtual_ipaddress{1}, priority 1}, vrrp_instance B{}";
    check(
        "vrrp_instance A {\nvirtual_ipaddress {\n1\npriority 1\n}\nvrrp_instance B {\n}",
        expected,
        &[Code::MissingClose],
    );
    check(
        "vrrp_instance A {\nvirtual_ipaddress {\n1\n}\npriority 1\nvrrp_instance B {\n}",
        expected,
        &[Code::MissingClose],
    );
    check(
        "vrrp_instance A {\nvirtual_ipaddress {\n1\n}\npriority 1\n}\nvrrp_instance B {",
        expected,
        &[Code::MissingClose],
    );
    check(
        "vrrp_instance A {\nvirtual_ipaddress {\n1\nvrrp_instance B {\n}",
        "vrrp_instance A{virtual_ipaddress{1}}, vrrp_instance B{}",
        &[Code::MissingClose, Code::MissingClose],
    );
}

#[test]
fn balanced_braces_are_believed() {
    check("vrrp_instance A {\nglobal_defs {\n}\n}", "vrrp_instance A{global_defs{}}", &[]);
    check("vrrp_script A {\nvrrp_instance B {\n}\n}", "vrrp_script A{vrrp_instance B{}}", &[]);
}

#[test]
fn an_extra_close_is_placed_by_keywords() {
    let expected = "vrrp_instance A{authentication{auth_type PASS}, priority 1}, vrrp_instance B{}";
    check(
        "vrrp_instance A {\nauthentication { auth_type PASS }\n}\npriority 1\n}\nvrrp_instance B {}",
        expected,
        &[Code::ExtraClose],
    );
    check(
        "vrrp_instance A {\nauthentication { auth_type PASS }\npriority 1\n}\n}\nvrrp_instance B {}",
        expected,
        &[Code::ExtraClose],
    );
    check("}", "", &[Code::ExtraClose]);
}

#[test]
fn a_missing_open_is_placed_by_keywords() {
    check("vrrp_instance A\npriority 1\n}", "vrrp_instance A{priority 1}", &[Code::BlockExpected]);
    check(
        "vrrp_instance A {\nvirtual_ipaddress\n10.0.0.1\n}\npriority 1\n}",
        "vrrp_instance A{virtual_ipaddress{10.0.0.1}, priority 1}",
        &[Code::BlockExpected],
    );
}

#[test]
fn an_open_without_keyword_does_not_nest() {
    check("a {{\nb\n}", "a{b}", &[Code::StrayOpen]);
    check("a {{\nb\n}}\nc", "a{b}, c", &[Code::StrayOpen]);
    check("{\na\n}\nb", "a, b", &[Code::StrayOpen]);
    check(
        "vrrp_instance A {\npriority 1 {\nnopreempt\n}",
        "vrrp_instance A{priority 1, nopreempt}",
        &[Code::BlockUnexpected],
    );
}

#[test]
fn depth_is_bounded() {
    let deep = format!("{}{}\nz", "a {\n".repeat(100_000), "}\n".repeat(100_000));
    let kept = "a{".repeat(MAX_DEPTH) + &"}".repeat(MAX_DEPTH);
    check(&deep, &format!("{kept}, z"), &[Code::TooDeep]);
    let open = "a {\n".repeat(1_000);
    let mut codes = vec![Code::TooDeep];
    codes.extend([Code::MissingClose; MAX_DEPTH]);
    check(&open, &kept, &codes);
}
