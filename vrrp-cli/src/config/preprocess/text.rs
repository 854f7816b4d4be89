//! Cutting of lines: comments, braces, first words.
//!
//! The rules of quotes and comments are the lexer's; here only the places are found.

use super::super::source::reference;

/// What stands before the comment.
pub(super) fn without_comment(line: &str) -> &str {
    let end = scan(line, |octet| matches!(octet, b'#' | b'!'));
    end.map_or(line, |end| &line[..end])
}

/// Up to and including the first brace that is not part of a reference, and the rest.
pub(super) fn at_brace(line: &str) -> (&str, &str) {
    let end = scan(line, |octet| matches!(octet, b'{' | b'}'));
    end.map_or((line, ""), |end| line.split_at(end + 1))
}

/// Offset of the first octet outside of quotes, escapes and references that `stops`.
fn scan(line: &str, stops: impl Fn(u8) -> bool) -> Option<usize> {
    let octets = line.as_bytes();
    let (mut at, mut quoted) = (0, false);
    while let Some(&octet) = octets.get(at) {
        match octet {
            b'"' => quoted = !quoted,
            b'\\' => at += usize::from(matches!(octets.get(at + 1), Some(b'#' | b'!' | b'"'))),
            b'$' if !quoted => {
                if let Some(found) = reference(&line[at..]) {
                    at += found.length;
                    continue;
                }
                // What looks like a reference is one word to the lexer too.
                if octets.get(at + 1) == Some(&b'{') {
                    at += line[at..].find('}').unwrap_or(1);
                }
            }
            octet if !quoted && stops(octet) => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The first word and what follows the blanks behind it.
pub(super) fn first_word(text: &str) -> (&str, &str) {
    let end = text.find(is_blank).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, trim_start(rest))
}

/// `$NAME=` at the start of `text`: the name and the value, blanks and all.
pub(super) fn definition(text: &str) -> Option<(&str, &str)> {
    let found = reference(text).filter(|found| !found.braced)?;
    Some((found.name, text.get(found.length..)?.strip_prefix('=')?))
}

/// The line without the backslash that continues it; `None` when there is none.
pub(super) fn continued(line: &str) -> Option<&str> {
    line.trim_end_matches(is_blank).strip_suffix('\\')
}

pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\u{b}' | '\u{c}')
}

pub(super) fn trim_start(text: &str) -> &str {
    text.trim_start_matches(is_blank)
}

pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(is_blank)
}
