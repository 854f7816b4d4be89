//! Columns of expanded lines, and references.

use super::*;

/// What `word` of `line` was written as in `raw`.
fn written<'a>(raw: &'a str, line: &str, word: &str) -> (&'a str, bool) {
    let at = line.find(word).expect("the word");
    let (place, substituted) = align(raw, line, at..at + word.len());
    (&raw[place], substituted)
}

#[test]
fn literal_text_keeps_its_place() {
    assert_eq!(written("  priority $P # x", "priority 300 # x", "priority"), ("priority", false));
    assert_eq!(written("a ${X}b c", "a 1 2b c", "c"), ("c", false));
    assert_eq!(written("  ~SEQ(N,1,2) @m b${N} c", "b1 c", "c"), ("c", false));
}

#[test]
fn a_value_is_placed_at_its_reference() {
    assert_eq!(written("priority $P", "priority 300", "300"), ("$P", true));
    assert_eq!(written("${A}.${B}.1 x", "10.2.7.1 x", "10.2.7.1"), ("${A}.${B}.1", true));
    assert_eq!(written("$A $B c", "1 2 c", "2"), ("$B", true));
    assert_eq!(written("${A}${B} c", "12 c", "2"), ("${A}${B}", true));
    assert_eq!(written("$A", "a b", "b"), ("$A", true));
}

#[test]
fn what_cannot_be_found_is_the_whole_line() {
    assert_eq!(written(" $S m ", "~SEQ(N,1,2) k", "k"), ("$S m", true));
    assert_eq!(align("", "a", 0..1), (0..0, true));
}

#[test]
fn references_have_names() {
    let name = |text| reference(text).map(|found: Reference<'_>| (found.name, found.length));
    assert_eq!(name("$A.b"), Some(("A", 2)));
    assert_eq!(name("${A_1}b"), Some(("A_1", 6)));
    assert_eq!(name("${_RANDOM 1 2}"), Some(("_RANDOM 1 2", 14)));
    for none in ["$", "$1", "${", "${A", "${}", "${a-b}", "${A b}", "a", "${1}"] {
        assert_eq!(name(none), None, "{none}");
    }
}
