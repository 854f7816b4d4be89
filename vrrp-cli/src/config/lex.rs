//! Text to tokens.
//!
//! Words, braces, line ends and comments with their spans; nothing is interpreted and no keyword is known here. The
//! rules are those of keepalived's reader: a quote begins a word even when it is glued to another, `#` and `!` begin a
//! comment anywhere outside of quotes unless a backslash precedes them. What goes wrong is reported and the line is
//! carried on with, so that one fault never hides another.

use super::diagnostic::{Code, Diagnostic, Sink};
use super::preprocess::Chunk;
use super::source::{FileId, Source, SourceMap, Span, to_usize};

#[cfg(test)]
mod tests;

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TokenKind {
    /// A word without quotes.
    Word,
    /// `"..."`; the span includes the quotes.
    Quoted,
    /// A word that was already reported: its text means nothing.
    Broken,
    /// `{`
    Open,
    /// `}`
    Close,
    /// The end of a line.
    LineEnd,
    /// From `#` or `!` to the end of the line.
    Comment,
}

/// A piece of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

/// Splits all chunks into tokens.
pub(crate) fn lex(sources: &SourceMap, chunks: &[Chunk], sink: &mut Sink) -> Vec<Token> {
    let any_bad = sources.any_bad();
    // Nearly all lines are a keyword, a value and a line end, of 25 octets with their indentation.
    let octets: usize = chunks.iter().map(|chunk| chunk.span.range().len()).sum();
    let mut tokens = Vec::with_capacity(octets / 8);
    for (index, chunk) in chunks.iter().enumerate() {
        let Some(source) = sources.get(chunk.span.file) else { continue };
        let range = chunk.span.range();
        let Some(text) = source.text().get(..range.end) else { continue };
        let first = tokens.len();
        let mut lexer = Lexer { sources, file: chunk.span.file, text, at: range.start, tokens, sink };
        if range.start == 0 && text.starts_with('\u{feff}') {
            lexer.at = '\u{feff}'.len_utf8();
        }
        while lexer.at < text.len() {
            lexer.line();
        }
        // The last line of an included file may lack its end.
        if !text.ends_with('\n') && index + 1 < chunks.len() {
            lexer.token(TokenKind::LineEnd, text.len(), text.len());
        }
        tokens = lexer.tokens;
        let new = tokens.get_mut(first..).unwrap_or_default();
        if chunk.broken {
            new.iter_mut().for_each(Token::break_word);
        }
        if any_bad {
            refuse_bad_words(sources, source, chunk.span, new, sink);
        }
    }
    tokens.shrink_to_fit();
    tokens
}

impl Token {
    fn is_word(&self) -> bool {
        matches!(self.kind, TokenKind::Word | TokenKind::Quoted | TokenKind::Broken)
    }

    fn break_word(&mut self) {
        if self.is_word() {
            self.kind = TokenKind::Broken;
        }
    }
}

/// Octets that are not UTF-8 are refused in words; in a comment they do no harm.
fn refuse_bad_words(sources: &SourceMap, source: &Source, chunk: Span, tokens: &mut [Token], sink: &mut Sink) {
    // An expansion has no list of its own: what stands for such octets was copied with the rest of its line.
    let expanded: Vec<u32>;
    let bad = if source.is_expansion() {
        let text = source.text().get(chunk.range()).unwrap_or_default();
        let found = text.match_indices(char::REPLACEMENT_CHARACTER).map(|(at, _)| at);
        expanded = found.filter_map(|at| Some(chunk.start + u32::try_from(at).ok()?)).collect();
        expanded.as_slice()
    } else {
        source.bad()
    };
    let mut bad = bad.iter().copied().skip_while(|&at| at < chunk.start).peekable();
    for token in tokens {
        let mut first = None;
        while let Some(at) = bad.next_if(|&at| at < token.span.end) {
            first = first.or(Some(at).filter(|&at| at >= token.span.start));
        }
        let Some(at) = first.filter(|_| token.is_word()) else { continue };
        token.kind = TokenKind::Broken;
        let width = u32::try_from(char::REPLACEMENT_CHARACTER.len_utf8()).unwrap_or(1);
        let span = Span { file: token.span.file, start: at, end: at + width };
        let diagnostic = Diagnostic::new(Code::NotUtf8, span, "found octets that are not UTF-8 text")
            .help("save the file as UTF-8, or write this word in ASCII");
        sink.push_once(sources, diagnostic);
    }
}

/// A line longer than this is refused as a whole (keepalived's limit is 1024).
pub(crate) const MAX_LINE: usize = 16384;

struct Lexer<'a> {
    sources: &'a SourceMap,
    file: FileId,
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    sink: &'a mut Sink,
}

/// A character that web pages and input methods put in place of one of the language's own.
enum Lookalike {
    Blank,
    Invisible,
    Quote,
    Brace(TokenKind, char),
    Comment(char),
}

impl Lexer<'_> {
    fn line(&mut self) {
        let rest = &self.text[self.at..];
        let length = rest.find('\n').unwrap_or(rest.len());
        let end = self.at + length;
        if length > MAX_LINE {
            let mut shown = self.at + 40;
            while !self.text.is_char_boundary(shown) {
                shown += 1;
            }
            let message = format!("this line has {length} octets, {MAX_LINE} are allowed");
            self.report(Code::LineTooLong, self.at, shown, message, "nothing of this line was read");
        } else {
            let content = if rest[..length].ends_with('\r') { end - 1 } else { end };
            self.check_controls(content);
            self.words(content);
        }
        if length < rest.len() {
            self.token(TokenKind::LineEnd, end, end + 1);
            self.at = end + 1;
        } else {
            self.at = end;
        }
    }

    /// Reported for the whole line, comments included: a lone carriage return looks like a line end in an editor, so
    /// that a comment would swallow what seems to be the next line.
    fn check_controls(&mut self, end: usize) {
        let line = &self.text[self.at..end];
        let control = |octet: u8| octet == 0 || octet == b'\r';
        let Some(offset) = line.bytes().position(control) else { return };
        let at = self.at + offset;
        if line.as_bytes().get(offset) == Some(&0) {
            let message = "found a NUL character: is this a text file?";
            self.report(Code::ControlCharacter, at, at + 1, message, "remove it");
        } else {
            let message = "found a carriage return that does not end a line";
            self.report(Code::ControlCharacter, at, at + 1, message, "end lines with LF or CR LF");
        }
    }

    fn words(&mut self, end: usize) {
        while let Some(c) = self.peek(end) {
            match c {
                '{' => self.single(TokenKind::Open, c),
                '}' => self.single(TokenKind::Close, c),
                '#' | '!' => self.comment(end),
                '"' => self.quoted(end),
                c if is_blank(c) => self.at += c.len_utf8(),
                c => match lookalike(c, true) {
                    Some(Lookalike::Blank) => self.odd_blanks(end),
                    Some(Lookalike::Brace(kind, meant)) => {
                        self.report_lookalike(c, self.at, c.len_utf8(), &format!("type a plain `{meant}`"));
                        self.single(kind, c);
                    }
                    Some(Lookalike::Comment(meant)) => {
                        let help = format!("comments begin with a plain `{meant}`");
                        self.report_lookalike(c, self.at, c.len_utf8(), &help);
                        self.token(TokenKind::Comment, self.at, end);
                        self.at = end;
                    }
                    Some(Lookalike::Quote | Lookalike::Invisible) | None => self.word(end),
                },
            }
        }
    }

    fn comment(&mut self, end: usize) {
        let glued = self.tokens.last().is_some_and(|last| {
            matches!(last.kind, TokenKind::Word | TokenKind::Quoted)
                && last.span.file == self.file
                && to_usize(last.span.end) == self.at
        });
        if glued {
            let sign = &self.text[self.at..=self.at];
            let message = format!("`{sign}` directly behind a word begins a comment");
            let help = format!("put a blank before the comment; if `{sign}` belongs to the value, write `\\{sign}`");
            self.report(Code::CommentGlued, self.at, end, message, &help);
        }
        self.token(TokenKind::Comment, self.at, end);
        self.at = end;
    }

    fn quoted(&mut self, end: usize) {
        let start = self.at;
        self.at += 1;
        while let Some(c) = self.peek(end) {
            self.at += c.len_utf8();
            if c == '\\' && self.peek(end) == Some('"') {
                self.at += 1;
            } else if c == '"' {
                self.token(TokenKind::Quoted, start, self.at);
                return;
            }
        }
        let message = "this quote is not closed on its line";
        self.report(Code::UnclosedQuote, start, end, message, "close it with `\"`");
        // A brace at the end of the line was hardly meant to be quoted, and losing it would re-nest what follows.
        let text = self.text[start..end].trim_end();
        match text.strip_suffix('{') {
            Some(word) => {
                self.token(TokenKind::Broken, start, start + word.trim_end().len());
                self.token(TokenKind::Open, start + word.len(), start + text.len());
            }
            None => self.token(TokenKind::Broken, start, end),
        }
    }

    fn word(&mut self, end: usize) {
        let start = self.at;
        let (mut odd, mut control) = (None, false);
        // Most words are nothing but these.
        let plain = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'.' | b'/' | b':' | b'-');
        self.at += self.text.as_bytes()[start..end].iter().take_while(|octet| plain(octet)).count();
        while let Some(c) = self.peek(end) {
            let reference = c == '$' && self.text[self.at..end].starts_with("${");
            match c {
                '\\' if matches!(self.text.as_bytes()[..end].get(self.at + 1), Some(b'#' | b'!')) => self.at += 2,
                // `${NAME}` is one word's part, not a block.
                '$' if reference => match self.text[self.at..end].find('}') {
                    Some(length) => self.at += length + 1,
                    None => self.at += 2,
                },
                '{' | '}' | '#' | '!' | '"' => break,
                c if is_blank(c) => break,
                c => {
                    control |= c == '\0';
                    match lookalike(c, self.at == start) {
                        Some(Lookalike::Blank | Lookalike::Brace(..)) => break,
                        Some(Lookalike::Quote) => odd = odd.or(Some((c, self.at, "type a plain `\"`"))),
                        Some(Lookalike::Invisible) => odd = odd.or(Some((c, self.at, "delete it"))),
                        Some(Lookalike::Comment(_)) | None => {}
                    }
                    self.at += c.len_utf8();
                }
            }
        }
        let Some((c, at, help)) = odd else {
            let kind = if control { TokenKind::Broken } else { TokenKind::Word };
            return self.token(kind, start, self.at);
        };
        self.report_lookalike(c, at, c.len_utf8(), help);
        self.token(TokenKind::Broken, start, self.at);
    }

    fn odd_blanks(&mut self, end: usize) {
        let start = self.at;
        let Some(first) = self.peek(end) else { return };
        while let Some(c) = self.peek(end).filter(|&c| matches!(lookalike(c, true), Some(Lookalike::Blank))) {
            self.at += c.len_utf8();
        }
        self.report_lookalike(first, start, self.at - start, "type an ordinary blank");
    }

    fn report_lookalike(&mut self, c: char, at: usize, length: usize, help: &str) {
        let name = format!("{} (U+{:04X})", describe(c), u32::from(c));
        let message = format!("found {name}, which only looks like a character of the language");
        self.report(Code::Lookalike, at, at + length, message, help);
    }

    fn report(&mut self, code: Code, start: usize, end: usize, message: impl Into<String>, help: &str) {
        let span = self.span(start, end);
        self.sink.push_once(self.sources, Diagnostic::new(code, span, message).help(help));
    }

    fn single(&mut self, kind: TokenKind, c: char) {
        self.token(kind, self.at, self.at + c.len_utf8());
        self.at += c.len_utf8();
    }

    fn token(&mut self, kind: TokenKind, start: usize, end: usize) {
        let span = self.span(start, end);
        self.tokens.push(Token { kind, span });
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { file: self.file, start: offset(start), end: offset(end) }
    }

    fn peek(&self, end: usize) -> Option<char> {
        self.text.get(self.at..end)?.chars().next()
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\u{b}' | '\u{c}')
}

/// `first`: whether `c` would begin a word. Inside of words some of these are ordinary writing (`bob’s`, `北京！`).
fn lookalike(c: char, first: bool) -> Option<Lookalike> {
    if c.is_ascii() {
        return None;
    }
    match c {
        '“' | '”' | '„' | '‟' | '＂' | '″' => Some(Lookalike::Quote),
        '‘' | '’' | '‚' if first => Some(Lookalike::Quote),
        '\u{200b}' | '\u{2060}' | '\u{feff}' => Some(Lookalike::Invisible),
        '｛' => Some(Lookalike::Brace(TokenKind::Open, '{')),
        '｝' => Some(Lookalike::Brace(TokenKind::Close, '}')),
        '＃' if first => Some(Lookalike::Comment('#')),
        '！' if first => Some(Lookalike::Comment('!')),
        c if c.is_whitespace() => Some(Lookalike::Blank),
        _ => None,
    }
}

fn describe(c: char) -> String {
    match c {
        '\u{a0}' | '\u{202f}' => "a no-break space".to_owned(),
        '\u{3000}' => "a full-width space".to_owned(),
        '\u{200b}' | '\u{2060}' => "an invisible character".to_owned(),
        '\u{feff}' => "a byte-order mark".to_owned(),
        c if c.is_whitespace() => "an unusual space".to_owned(),
        '“' | '”' | '„' | '‟' | '″' | '‘' | '’' | '‚' => format!("the typographic quote `{c}`"),
        c => format!("the full-width `{c}`"),
    }
}
