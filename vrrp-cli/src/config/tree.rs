//! Tokens to a tree of statements.
//!
//! A statement is the words of one line, with a block if `{` follows on that line or the next. Values are not looked
//! at. The table of keywords is asked for one purpose only: to find the place of a missing or superfluous brace, so
//! that one wrong brace does not re-nest the rest of the file.

use std::borrow::Cow;

use super::diagnostic::{Code, Diagnostic, Sink};
use super::keywords::{self, Context, Meaning};
use super::lex::{Token, TokenKind};
use super::source::{SourceMap, Span};

#[cfg(test)]
mod tests;

/// A word, without its quotes and escapes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Word<'s> {
    pub(crate) text: Cow<'s, str>,
    /// Quotes included.
    pub(crate) span: Span,
    pub(crate) quoted: bool,
}

/// The words of a line and the block behind them.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Statement<'s> {
    /// Never empty.
    pub(crate) words: Vec<Word<'s>>,
    pub(crate) block: Option<Block<'s>>,
    /// A word of it was refused by the lexer, so its values say nothing.
    pub(crate) broken: bool,
}

/// What stands between two braces.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Block<'s> {
    pub(crate) open: Span,
    pub(crate) statements: Vec<Statement<'s>>,
}

/// Builds the tree of all that was read; faults of the braces go to `sink`.
pub(crate) fn build<'s>(sources: &'s SourceMap, tokens: &[Token], sink: &mut Sink) -> Vec<Statement<'s>> {
    let Some(start) = tokens.first().map(|token| token.span) else { return Vec::new() };
    let count = |kind: TokenKind| tokens.iter().filter(|token| token.kind == kind).count();
    let root = Frame { owner: None, context: Context::Root, open: start, statements: Vec::new() };
    let builder = Builder {
        sources,
        tokens,
        next: 0,
        sink,
        frames: vec![root],
        words: Vec::new(),
        broken: false,
        missing: count(TokenKind::Open).saturating_sub(count(TokenKind::Close)),
        extra: count(TokenKind::Close).saturating_sub(count(TokenKind::Open)),
        suspect: None,
        guesses: MAX_GUESSES,
    };
    builder.run()
}

/// Blocks nested deeper than this are refused: nothing in the language needs more than six, and the recursion of
/// later stages stays bounded.
const MAX_DEPTH: usize = 32;

/// Finding out what a misspelt keyword was meant to be is slow, and garbage has many of them.
const MAX_GUESSES: usize = 1000;

struct Frame<'s> {
    /// The statement the block belongs to; `None` for the file itself and for a block without keyword, whose content
    /// is taken as if the braces were not there.
    owner: Option<Statement<'s>>,
    context: Context,
    open: Span,
    statements: Vec<Statement<'s>>,
}

struct Builder<'t, 's> {
    sources: &'s SourceMap,
    tokens: &'t [Token],
    next: usize,
    sink: &'t mut Sink,
    frames: Vec<Frame<'s>>,
    words: Vec<Word<'s>>,
    broken: bool,
    /// How many `}` the file lacks in all, as far as not yet found.
    missing: usize,
    /// How many `}` the file has too many.
    extra: usize,
    /// A closed block whose `}` is indented like that of an outer one: `{` and `}`.
    suspect: Option<(Span, Span)>,
    /// How often a misspelt block may still be looked up.
    guesses: usize,
}

impl<'s> Builder<'_, 's> {
    fn run(mut self) -> Vec<Statement<'s>> {
        while let Some(token) = self.tokens.get(self.next).copied() {
            self.next += 1;
            match token.kind {
                TokenKind::Word | TokenKind::Quoted | TokenKind::Broken => self.word(token),
                TokenKind::Comment => {}
                TokenKind::LineEnd => self.line_end(),
                TokenKind::Open => self.open(token.span),
                TokenKind::Close => self.close(token.span),
            }
        }
        self.flush();
        while self.frames.len() > 1 {
            self.close_missing(None);
        }
        self.frames.pop().map(|root| root.statements).unwrap_or_default()
    }

    fn word(&mut self, token: Token) {
        let text = self.sources.text(token.span);
        let quoted = token.kind == TokenKind::Quoted;
        if self.words.is_empty() && token.kind == TokenKind::Word {
            self.close_before(text, token.span);
        }
        let text = if quoted {
            Cow::Borrowed(text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default())
        } else if text.contains("\\#") || text.contains("\\!") {
            Cow::Owned(text.replace("\\#", "#").replace("\\!", "!"))
        } else {
            Cow::Borrowed(text)
        };
        self.broken |= token.kind == TokenKind::Broken;
        // Nearly all lines have two words; the usual growth would double the memory of a large file's tree.
        if self.words.is_empty() {
            self.words.reserve_exact(2);
        }
        self.words.push(Word { text, span: token.span, quoted });
    }

    /// When the file lacks a `}` and a keyword has no meaning here but has one in a block around this one, then this is
    /// where the brace is missing.
    fn close_before(&mut self, name: &str, span: Span) {
        if self.missing == 0 {
            return;
        }
        let fits = |frame: &Frame<'_>| keywords::find(frame.context, name).is_some();
        let Some(levels) = self.frames.iter().rev().position(fits) else { return };
        if levels > 0 && levels <= self.missing {
            for _ in 0..levels {
                self.close_missing(Some(span));
            }
        }
    }

    fn line_end(&mut self) {
        if self.words.is_empty() {
            return;
        }
        self.flush();
        self.open_missing();
    }

    /// The words so far become a statement of the current block.
    fn flush(&mut self) {
        if let Some(statement) = self.take_statement() {
            self.push(statement);
        }
    }

    fn take_statement(&mut self) -> Option<Statement<'s>> {
        if self.words.is_empty() {
            return None;
        }
        let words = std::mem::take(&mut self.words);
        Some(Statement { words, block: None, broken: std::mem::take(&mut self.broken) })
    }

    fn push(&mut self, statement: Statement<'s>) {
        if let Some(frame) = self.frames.last_mut() {
            frame.statements.push(statement);
        }
    }

    fn context(&self) -> Context {
        self.frames.last().map_or(Context::Root, |frame| frame.context)
    }

    /// When the file has a `}` too many and a block keyword has no `{` but is followed by what belongs into its block,
    /// then this is where the brace is missing.
    fn open_missing(&mut self) {
        if self.extra == 0 {
            return;
        }
        let (context, Some((next, kind))) = (self.context(), self.upcoming()) else { return };
        let Some(statement) = self.frames.last().and_then(|frame| frame.statements.last()) else { return };
        let Some(name) = statement.words.first().filter(|_| statement.block.is_none()) else { return };
        let Some(inner) = keywords::find(context, &name.text).and_then(|keyword| keyword.opens) else { return };
        let belongs = match inner {
            Context::Addresses => next.starts_with(|c: char| c.is_ascii_digit()),
            inner => keywords::find(inner, next).is_some() && keywords::find(context, next).is_none(),
        };
        let Some(last) = statement.words.last().filter(|_| belongs && kind == TokenKind::Word) else { return };
        let (name, open) = (name.text.clone(), last.span);
        let diagnostic = Diagnostic::new(Code::BlockExpected, open, format!("expected `{{` behind `{name}`"))
            .help(format!("`{name}` takes a block: add `{{` at the end of the line"));
        self.sink.push_once(self.sources, diagnostic);
        self.extra -= 1;
        let owner = self.frames.last_mut().and_then(|frame| frame.statements.pop());
        self.frames.push(Frame { owner, context: inner, open, statements: Vec::new() });
    }

    /// The next word or brace, over line ends and comments.
    fn upcoming(&self) -> Option<(&'s str, TokenKind)> {
        let rest = self.tokens.get(self.next..)?;
        let token = rest.iter().find(|token| !matches!(token.kind, TokenKind::LineEnd | TokenKind::Comment))?;
        Some((self.sources.text(token.span), token.kind))
    }

    fn open(&mut self, span: Span) {
        let context = self.context();
        let owner = self.take_statement().or_else(|| {
            let statements = &mut self.frames.last_mut()?.statements;
            statements.pop_if(|last| last.block.is_none())
        });
        let name = owner.as_ref().and_then(|owner| owner.words.first());
        let keyword = name.and_then(|name| keywords::find(context, &name.text));
        let takes_none = keyword.is_some_and(|keyword| keyword.opens.is_none() && keyword.meaning != Meaning::Later);
        let stray = match (&owner, name) {
            (Some(_), Some(name)) if takes_none && self.missing > 0 => {
                let message = format!("`{}` takes no block", name.text);
                Some(Diagnostic::new(Code::BlockUnexpected, span, message).help("remove the `{`"))
            }
            (None, _) => {
                let message = "expected a keyword before `{`";
                Some(Diagnostic::new(Code::StrayOpen, span, message).help("remove the brace or add what it belongs to"))
            }
            _ => None,
        };
        if let Some(diagnostic) = stray {
            self.sink.push_once(self.sources, diagnostic);
            if self.missing > 0 {
                self.missing -= 1;
                if let Some(owner) = owner {
                    self.push(owner);
                }
                return;
            }
        }
        if self.frames.len() > MAX_DEPTH {
            self.skip_too_deep(span);
            return;
        }
        let inner = match (&owner, keyword) {
            (None, _) => context,
            (Some(_), Some(keyword)) => keyword.opens.unwrap_or(if takes_none { context } else { Context::Opaque }),
            (Some(_), None) if self.missing + self.extra > 0 && self.guesses > 0 => {
                self.guesses -= 1;
                likely_block(context, name.map_or("", |name| &name.text))
            }
            (Some(_), None) => Context::Opaque,
        };
        self.frames.push(Frame { owner, context: inner, open: span, statements: Vec::new() });
    }

    fn skip_too_deep(&mut self, span: Span) {
        let message = format!("blocks are nested more than {MAX_DEPTH} deep");
        self.sink.push_once(
            self.sources,
            Diagnostic::new(Code::TooDeep, span, message).help("what this block holds was not read"),
        );
        let mut depth = 1_usize;
        while let Some(token) = self.tokens.get(self.next).filter(|_| depth > 0) {
            self.next += 1;
            match token.kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth -= 1,
                _ => {}
            }
        }
    }

    fn close(&mut self, span: Span) {
        self.flush();
        if self.frames.len() == 1 || self.is_superfluous() {
            self.extra = self.extra.saturating_sub(1);
            let message = "this `}` closes nothing";
            let what = if self.frames.len() == 1 { "no block is open here" } else { "the block goes on behind it" };
            self.sink.push_once(
                self.sources,
                Diagnostic::new(Code::ExtraClose, span, message).label(what).help("remove it"),
            );
            return;
        }
        if self.missing > 0 {
            self.note_indent(span);
        }
        self.pop();
    }

    fn note_indent(&mut self, span: Span) {
        let open = self.frames.last().map_or(span, |frame| frame.open);
        // Lines of an expansion have lost their indentation.
        let same = self.sources.get(span.file).filter(|source| open.file == span.file && !source.is_expansion());
        let Some(source) = same else { return };
        let (opened, closed) = (source.line_of(open.start), source.line_of(span.start));
        if opened != closed && source.indent_of(span.start) < source.indent_of(open.start) {
            self.suspect = Some((open, span));
        }
    }

    /// When the file has a `}` too many and what follows this one belongs inside the block it would close, it is this
    /// one.
    fn is_superfluous(&self) -> bool {
        let ([.., outer, inner], true) = (self.frames.as_slice(), self.extra > 0) else { return false };
        let fits = |context, name| keywords::find(context, name).is_some();
        match self.upcoming() {
            Some((name, TokenKind::Word)) => fits(inner.context, name) && !fits(outer.context, name),
            _ => false,
        }
    }

    fn pop(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        let Some(outer) = self.frames.last_mut() else { return };
        if let Some(mut owner) = frame.owner {
            owner.block = Some(Block { open: frame.open, statements: frame.statements });
            outer.statements.push(owner);
        } else {
            outer.statements.extend(frame.statements);
        }
    }

    /// Reports that the innermost block is not closed (`before` what must not be inside) and closes it.
    fn close_missing(&mut self, before: Option<Span>) {
        self.missing = self.missing.saturating_sub(1);
        let Some(frame) = self.frames.last() else { return };
        let name = frame.owner.as_ref().and_then(|owner| owner.words.first()).map_or("this block", |word| &word.text);
        let suspect = self.suspect.filter(|(open, _)| open.file == frame.open.file && open.start > frame.open.start);
        let mut diagnostic = match suspect {
            Some((open, close)) => Diagnostic::new(Code::MissingClose, open, "a block is not closed")
                .label("perhaps this one")
                .also(close, format!("by its indentation, this closes `{name}`")),
            None => Diagnostic::new(Code::MissingClose, frame.open, format!("the block of `{name}` is not closed")),
        };
        diagnostic = match before {
            Some(before) => diagnostic.also(before, "this cannot be inside").help("add `}` on a line before it"),
            None => diagnostic.help("add `}` where the block ends"),
        };
        self.sink.push_once(self.sources, diagnostic);
        self.suspect = None;
        self.pop();
    }
}

/// What a block would hold if its keyword stood where it belongs, or were spelt right.
fn likely_block(context: Context, name: &str) -> Context {
    let misplaced = keywords::everywhere(name).iter().find_map(|keyword| keyword.opens);
    let misspelt = || keywords::nearest(context, name).and_then(|keyword| keyword.opens);
    misplaced.or_else(misspelt).unwrap_or(Context::Opaque)
}
