//! Configuration text as it was read, and places in it.
//!
//! Every later stage speaks of places as [`Span`]s; this module alone turns them into lines and columns. It knows
//! nothing of the language. Lines that the preprocessor made are a source too, the *expansion*; [`SourceMap::trace`]
//! leads from a place in it to the text that somebody wrote.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

mod trace;

pub use self::trace::{Reason, Step, Trace};

pub(crate) use self::trace::{FrameId, Origins, Reference, ValueId, reference};

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
    /// Shared, so that it can be read while further sources are added.
    text: Arc<String>,
    /// Offset of each line's first octet; never empty.
    lines: Vec<u32>,
    /// Offsets of the characters that stand for octets which are not UTF-8, ascending.
    bad: Vec<u32>,
    /// The line that included it, and the uses that made that line be read, from the innermost outwards.
    included: Vec<Span>,
    expansion: bool,
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

    /// Whether the preprocessor wrote it.
    pub(crate) fn is_expansion(&self) -> bool {
        self.expansion
    }

    /// Offsets of the characters that stand for octets which are not UTF-8, ascending.
    pub(crate) fn bad(&self) -> &[u32] {
        &self.bad
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
    /// The source that holds all lines the preprocessor made.
    expansion: Option<(FileId, Origins)>,
    /// Found when something is drawn for the first time.
    secrets: OnceLock<HashSet<String>>,
}

impl SourceMap {
    /// The longest text that spans can describe. Reading stops far below it.
    pub(crate) const MAX_TEXT: usize = 1 << 30;

    /// Takes over a text; `None` when it is longer than [`SourceMap::MAX_TEXT`].
    ///
    /// `bad`: offsets of the characters that stand for octets which are not UTF-8. `included`: the line that asked for
    /// it, and the uses that led there.
    pub(crate) fn add(&mut self, name: String, text: String, bad: Vec<u32>, included: Vec<Span>) -> Option<FileId> {
        if text.len() > Self::MAX_TEXT {
            return None;
        }
        self.secrets = OnceLock::new();
        let id = FileId(u32::try_from(self.sources.len()).ok()?);
        let mut lines = vec![0];
        let ends = text.bytes().enumerate().filter(|&(_, octet)| octet == b'\n');
        lines.extend(ends.filter_map(|(at, _)| u32::try_from(at + 1).ok()));
        self.sources.push(Source { name, text: Arc::new(text), lines, bad, included, expansion: false });
        Some(id)
    }

    /// The id of the expansion, whose text comes later.
    pub(crate) fn reserve_expansion(&mut self) -> Option<FileId> {
        let file = self.add("expansion".to_owned(), String::new(), Vec::new(), Vec::new())?;
        self.expansion = Some((file, Origins::default()));
        Some(file)
    }

    /// Gives the reserved expansion its text.
    pub(crate) fn fill_expansion(&mut self, text: String, origins: Origins) {
        let Some((file, kept)) = &mut self.expansion else { return };
        *kept = origins;
        if let Some(source) = self.sources.get_mut(to_usize(file.0)) {
            source.expansion = true;
            source.text = Arc::new(text);
        }
    }

    /// Names of definitions that stand for passwords and keys, once they were looked for.
    pub(crate) fn secrets(&self) -> &OnceLock<HashSet<String>> {
        &self.secrets
    }

    /// The text of a source, independent of this map.
    pub(crate) fn shared(&self, file: FileId) -> Arc<String> {
        self.get(file).map(|source| Arc::clone(&source.text)).unwrap_or_default()
    }

    /// Whether octets of any source are not UTF-8.
    pub(crate) fn any_bad(&self) -> bool {
        self.sources.iter().any(|source| !source.bad.is_empty())
    }

    /// The source of an id that this map gave out; `None` for one of another map.
    pub fn get(&self, file: FileId) -> Option<&Source> {
        self.sources.get(to_usize(file.0))
    }

    /// All texts that somebody wrote, in the order of reading.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &Source)> {
        let ids = (0..).map(FileId);
        ids.zip(&self.sources).filter(|(_, source)| !source.expansion)
    }

    /// The text of a span; empty for a span of another map.
    pub fn text(&self, span: Span) -> &str {
        self.get(span.file).and_then(|source| source.text.get(span.range())).unwrap_or_default()
    }

    /// Where a span begins in a text that somebody wrote; `None` for a span of another map.
    pub fn location(&self, span: Span) -> Option<Location<'_>> {
        let span = self.place(span);
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
