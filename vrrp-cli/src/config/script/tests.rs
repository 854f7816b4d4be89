//! Splitting of commands.

use super::*;

fn words(text: &str) -> Vec<String> {
    split(text).expect(text)
}

#[test]
fn blanks_separate_and_quotes_group() {
    assert_eq!(words(" /bin/a  b\tc "), ["/bin/a", "b", "c"]);
    assert_eq!(words(r#""/bin/a b" user"#), ["/bin/a b", "user"]);
    assert_eq!(words(r#"'a "b" c' "it's""#), [r#"a "b" c"#, "it's"]);
    assert_eq!(words(r#"a"b c"'d e'f"#), ["ab cd ef"]);
    assert_eq!(words(r#""" a ''"#), ["", "a", ""]);
    assert!(words("").is_empty());
}

#[test]
fn backslashes_escape() {
    assert_eq!(words(r#"a\ b \"c\" \\"#), ["a b", "\"c\"", "\\"]);
    assert_eq!(words(r"\n\t\a\b\E\f\r\v"), ["\n\t\u{7}\u{8}\u{1b}\u{c}\r\u{b}"]);
    assert_eq!(words(r"\101\1012 \x41\x4g \cA\c["), ["AA2", "A\u{4}g", "\u{1}\u{1b}"]);
    assert_eq!(words(r#""a\"b" 'a\'b'"#), ["a\"b", "a'b"]);
    assert_eq!(words(r"\ü"), ["ü"]);
}

#[test]
fn faults_are_told_apart() {
    assert_eq!(split("'a"), Err(SplitError::Unclosed('\'')));
    assert_eq!(split("a \"b"), Err(SplitError::Unclosed('"')));
    for bad in [r"a\", r"\x", r"\xff", r"\0", r"\777", r"\c", r"\cü", r"\c@"] {
        assert_eq!(split(bad), Err(SplitError::BadEscape), "{bad}");
    }
}

#[test]
fn words_for_a_shell_are_told_from_arguments() {
    for text in ["a && b", "a | b", "a > /dev/null", "a 2>&1", "a &>/dev/null", "a >>b", "a ; b", "a < b"] {
        assert!(shell_word(&words(text)).is_some(), "{text}");
    }
    for text in ["/bin/sh -c 'a && b'", "&& b", "a <b>", "a x>y", "a 100", "a -x ';b'"] {
        assert_eq!(shell_word(&words(text)), None, "{text}");
    }
}
