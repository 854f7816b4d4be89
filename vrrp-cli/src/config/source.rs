//! Configuration text as it was read, and places in it.
//!
//! Every later stage speaks of places as [`Span`]s; this module alone turns them into lines and columns. It knows
//! nothing of the language.

use std::ops::Range;

/// One source of a [`SourceMap`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId(u32);

/// A range of octets in one source, on character boundaries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Span {
    /// The source it lies in.
    pub file: FileId,
    /// First octet, counted from 0.
    pub start: u32,
    /// The octet after the last.
    pub end: u32,
}

impl Span {
    /// The smallest span that covers both; `self` when they lie in different sources.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        if self.file != other.file {
            return self;
        }
        Self { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// As a range of octets, to slice the source's text with.
    pub fn range(self) -> Range<usize> {
        to_usize(self.start)..to_usize(self.end)
    }
}

/// A value together with the place it was written at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// `value` as written at `span`.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// A place for human eyes; lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Location<'a> {
    /// The source's name, as a rule its path.
    pub file: &'a str,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// One configuration text and its name.
#[derive(Debug)]
pub struct Source {
    name: String,
    text: String,
    /// Offset of each line's first octet; never empty.
    lines: Vec<u32>,
}

impl Source {
    /// The name given at reading, as a rule the path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Index, from 0, of the line that holds the octet at `offset`.
    pub(crate) fn line_of(&self, offset: u32) -> usize {
        self.lines.partition_point(|&start| start <= offset).saturating_sub(1)
    }

    /// The octets of lines `first..=last` (from 0), without the last line's end.
    pub(crate) fn lines_range(&self, first: usize, last: usize) -> Range<usize> {
        let start = self.lines.get(first).map_or(self.text.len(), |&start| to_usize(start));
        let end = self.lines.get(last.saturating_add(1)).map_or(self.text.len(), |&next| to_usize(next));
        let kept = self.text.get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r']).len();
        start..start + kept
    }

    /// The blanks a line begins with, as a count of characters.
    pub(crate) fn indent_of(&self, offset: u32) -> usize {
        let line = self.line_of(offset);
        let text = self.text.get(self.lines_range(line, line)).unwrap_or_default();
        text.chars().take_while(|c| c.is_whitespace()).count()
    }
}

/// All texts one configuration was read from.
#[derive(Debug, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
}

impl SourceMap {
    /// The longest text that spans can describe. Reading stops far below it.
    pub(crate) const MAX_TEXT: usize = 1 << 30;

    /// Takes over a text; `None` when it is longer than [`SourceMap::MAX_TEXT`].
    pub(crate) fn add(&mut self, name: String, text: String) -> Option<FileId> {
        if text.len() > Self::MAX_TEXT {
            return None;
        }
        let id = FileId(u32::try_from(self.sources.len()).ok()?);
        let mut lines = vec![0];
        let ends = text.bytes().enumerate().filter(|&(_, octet)| octet == b'\n');
        lines.extend(ends.filter_map(|(at, _)| u32::try_from(at + 1).ok()));
        self.sources.push(Source { name, text, lines });
        Some(id)
    }

    /// The source of an id that this map gave out; `None` for one of another map.
    pub fn get(&self, file: FileId) -> Option<&Source> {
        self.sources.get(to_usize(file.0))
    }

    /// The text of a span; empty for a span of another map.
    pub fn text(&self, span: Span) -> &str {
        self.get(span.file).and_then(|source| source.text.get(span.range())).unwrap_or_default()
    }

    /// Where a span begins; `None` for a span of another map.
    pub fn location(&self, span: Span) -> Option<Location<'_>> {
        let source = self.get(span.file)?;
        let line = source.line_of(span.start);
        let start = to_usize(*source.lines.get(line)?);
        let before = source.text.get(start..to_usize(span.start))?;
        let bom = usize::from(before.starts_with('\u{feff}'));
        Some(Location { file: &source.name, line: line + 1, column: before.chars().count() + 1 - bom })
    }
}

/// Offsets are `u32` to keep a token small; every target this builds for has at least 32-bit pointers.
pub(crate) fn to_usize(offset: u32) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
