//! Words, braces and comments of one line as they are typed.
//!
//! The same rules as the configuration reader's, but without its judgement: nothing is refused, and nothing is lost.
//! Knows no keyword.

/// What a piece of a line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// With its quotes and escapes.
    Word,
    /// A quote that is not closed on its line.
    Unclosed,
    /// `{`
    Open,
    /// `}`
    Close,
    /// From `#` or `!` to the end of the line.
    Comment,
}

/// A piece of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Piece<'l> {
    pub(crate) kind: Kind,
    pub(crate) text: &'l str,
    /// Octets before it on the line.
    pub(crate) at: usize,
}

/// The pieces of a line, which holds no line end.
pub(crate) fn pieces(line: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(c) = line.get(at..).and_then(|rest| rest.chars().next()) {
        let (kind, length) = match c {
            c if is_blank(c) => {
                at += c.len_utf8();
                continue;
            }
            '{' => (Kind::Open, 1),
            '}' => (Kind::Close, 1),
            '#' | '!' => (Kind::Comment, line.len() - at),
            '"' => quoted(&line[at..]),
            _ => (Kind::Word, word(&line[at..])),
        };
        pieces.push(Piece { kind, text: &line[at..at + length], at });
        at += length;
    }
    pieces
}

fn quoted(text: &str) -> (Kind, usize) {
    let mut rest = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = rest.next() {
        if c == '\\' && rest.next_if(|&(_, next)| next == '"').is_some() {
            continue;
        }
        if c == '"' {
            return (Kind::Word, at + 1);
        }
    }
    (Kind::Unclosed, text.len())
}

/// The length of the word that `text` begins with.
fn word(text: &str) -> usize {
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        match c {
            '\\' if rest.starts_with("\\#") || rest.starts_with("\\!") => at += 2,
            '$' if rest.starts_with("${") => at += rest.find('}').map_or(2, |end| end + 1),
            '{' | '}' | '#' | '!' | '"' => break,
            c if is_blank(c) => break,
            c => at += c.len_utf8(),
        }
    }
    at
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\u{b}' | '\u{c}')
}
