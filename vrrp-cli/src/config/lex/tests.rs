//! Tokens of small texts, written as `kind:text` with `;` for a line end.

use super::*;
use crate::config::source::SourceMap;

fn tokens(text: &str) -> (String, Vec<Code>) {
    let mut sources = SourceMap::default();
    let file = sources.add("test".to_owned(), text.to_owned(), Vec::new(), Vec::new()).expect("a short text");
    let span = Span { file, start: 0, end: u32::try_from(text.len()).expect("a short text") };
    let mut sink = Sink::default();
    let shown: Vec<String> = lex(&sources, &[Chunk { span, broken: false }], &mut sink)
        .into_iter()
        .map(|token| match token.kind {
            TokenKind::LineEnd => ";".to_owned(),
            TokenKind::Open | TokenKind::Close => sources.text(token.span).to_owned(),
            kind => format!("{kind:?}:{}", sources.text(token.span)),
        })
        .collect();
    (shown.join(" "), sink.iter().map(|diagnostic| diagnostic.code).collect())
}

fn check(text: &str, expected: &str, codes: &[Code]) {
    assert_eq!(tokens(text), (expected.to_owned(), codes.to_vec()), "{text:?}");
}

#[test]
fn words_braces_and_lines() {
    check("a  b\tc\nd", "Word:a Word:b Word:c ; Word:d", &[]);
    check("a{b}c", "Word:a { Word:b } Word:c", &[]);
    check("a { b }\r\n\r\n{\n", "Word:a { Word:b } ; ; { ;", &[]);
    check("", "", &[]);
    check(" \t\u{b}\u{c} ", "", &[]);
}

#[test]
fn comments_end_with_their_line() {
    check("# a { b\nc", "Comment:# a { b ; Word:c", &[]);
    check("a ! b \" c\nd", "Word:a Comment:! b \" c ; Word:d", &[]);
    check("a # ü 主备\r\nb", "Word:a Comment:# ü 主备 ; Word:b", &[]);
    check(r"a\#b c\!d \#", r"Word:a\#b Word:c\!d Word:\#", &[]);
    check("a {# b\n}", "Word:a { Comment:# b ; }", &[]);
}

#[test]
fn a_comment_glued_to_a_word_is_warned_about() {
    check("a#b", "Word:a Comment:#b", &[Code::CommentGlued]);
    check("\"a\"!b", "Quoted:\"a\" Comment:!b", &[Code::CommentGlued]);
}

#[test]
fn quotes_group_and_begin_a_word() {
    check(r#""a # { b" c"#, r#"Quoted:"a # { b" Word:c"#, &[]);
    check(r#"a"b c"d"#, r#"Word:a Quoted:"b c" Word:d"#, &[]);
    check(r#""" "a\"b""#, r#"Quoted:"" Quoted:"a\"b""#, &[]);
    check("'a b'", "Word:'a Word:b'", &[]);
}

#[test]
fn an_open_quote_ends_with_its_line() {
    check("a \"b c\nd", "Word:a Broken:\"b c ; Word:d", &[Code::UnclosedQuote]);
    check("a \"b { \nd", "Word:a Broken:\"b { ; Word:d", &[Code::UnclosedQuote]);
    check("\"", "Broken:\"", &[Code::UnclosedQuote]);
}

#[test]
fn references_are_part_of_a_word() {
    check("a${B}c d", "Word:a${B}c Word:d", &[]);
    check("${B", "Word:${B", &[]);
    check("a $ { b", "Word:a Word:$ { Word:b", &[]);
}

#[test]
fn lookalikes_are_named_and_recovered_from() {
    check("\u{3000}a\u{a0}\u{a0}b", "Word:a Word:b", &[Code::Lookalike, Code::Lookalike]);
    check("a ｛ b ｝", "Word:a ｛ Word:b ｝", &[Code::Lookalike, Code::Lookalike]);
    check("“a”", "Broken:“a”", &[Code::Lookalike]);
    check("a ＃ b", "Word:a Comment:＃ b", &[Code::Lookalike]);
    check("a\u{200b}b", "Broken:a\u{200b}b", &[Code::Lookalike]);
    check("\"“ \u{3000} ｛\"", "Quoted:\"“ \u{3000} ｛\"", &[]);
    check("bob’s 北京！", "Word:bob’s Word:北京！", &[]);
}

#[test]
fn a_byte_order_mark_is_tolerated_at_the_start_only() {
    check("\u{feff}a", "Word:a", &[]);
    check("a\n\u{feff}b", "Word:a ; Broken:\u{feff}b", &[Code::Lookalike]);
}

#[test]
fn control_characters_and_long_lines_are_refused() {
    check("a\rb\n", "Word:a Word:b ;", &[Code::ControlCharacter]);
    check("a\0b", "Broken:a\0b", &[Code::ControlCharacter]);
    check(&format!("{}\nb", "ü".repeat(MAX_LINE)), "; Word:b", &[Code::LineTooLong]);
    let longest = "x".repeat(MAX_LINE);
    check(&longest, &format!("Word:{longest}"), &[]);
}
