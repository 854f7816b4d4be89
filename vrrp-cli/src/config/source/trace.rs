//! From a place in the expansion to the text that somebody wrote.
//!
//! The expansion remembers for each of its lines which written line it was made from, and how it came to be read. The
//! column is found only when it is asked for, by laying the written line and the expanded one side by side.

use std::ops::Range;

use super::{SourceMap, Span, to_usize};

#[cfg(test)]
mod tests;

/// Where a place was written, and what led there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace<'a> {
    /// The place in a file, never in an expansion.
    pub place: Span,
    /// The line as it reads after expansion, when the place was expanded.
    pub expanded: Option<&'a str>,
    /// From the innermost outwards.
    pub steps: Vec<Step>,
}

/// One step of a [`Trace`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// Where it happened, in a file.
    pub span: Span,
    /// What happened.
    pub reason: Reason,
}

/// Why a text was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The definition or repetition that a value comes from.
    Value,
    /// The line that a definition of several lines was used in.
    Expanded,
    /// The line that included the file.
    Included,
}

impl Reason {
    /// What to write beside the place.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Value => "the value comes from here",
            Self::Expanded => "expanded from here",
            Self::Included => "included from here",
        }
    }
}

/// One use of a definition of several lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FrameId(u32);

/// A definition or a repetition that values come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ValueId(u32);

#[derive(Debug)]
struct Frame {
    parent: Option<FrameId>,
    at: Span,
}

#[derive(Debug)]
struct Line {
    start: u32,
    /// Frame and value, from 1; 0 is none. A large expansion has a million lines.
    frame: u32,
    value: u32,
    written: Span,
}

/// How the lines of the expansion came to be.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    frames: Vec<Frame>,
    values: Vec<Span>,
    lines: Vec<Line>,
}

impl Origins {
    /// A use, at `at`, of a definition of several lines; `None` when there are too many.
    pub(crate) fn frame(&mut self, parent: Option<FrameId>, at: Span) -> Option<FrameId> {
        if self.frames.last().is_none_or(|last| last.parent != parent || last.at != at) {
            self.frames.push(Frame { parent, at });
        }
        u32::try_from(self.frames.len()).ok().map(FrameId)
    }

    /// The span of a definition or a repetition.
    pub(crate) fn value(&mut self, span: Span) -> Option<ValueId> {
        // Nested repetitions alternate.
        const RECENT: usize = 8;
        let recent = self.values.len().saturating_sub(RECENT);
        let known = self.values.get(recent..)?.iter().position(|&value| value == span);
        let at = known.map_or(self.values.len(), |known| recent + known);
        if known.is_none() {
            self.values.push(span);
        }
        u32::try_from(at + 1).ok().map(ValueId)
    }

    /// The line that begins at `start` of the expansion.
    pub(crate) fn line(&mut self, start: u32, written: Span, frame: Option<FrameId>, value: Option<ValueId>) {
        let (frame, value) = (frame.map_or(0, |frame| frame.0), value.map_or(0, |value| value.0));
        self.lines.push(Line { start, frame, value, written });
    }

    fn line_at(&self, offset: u32) -> Option<&Line> {
        let behind = self.lines.partition_point(|line| line.start <= offset);
        self.lines.get(behind.checked_sub(1)?)
    }

    /// A use and those around it, from the innermost outwards.
    pub(crate) fn uses(&self, frame: Option<FrameId>) -> impl Iterator<Item = Span> {
        let get = |id: FrameId| self.frames.get(to_usize(id.0).checked_sub(1)?);
        std::iter::successors(frame.and_then(get), move |frame| get(frame.parent?)).map(|frame| frame.at)
    }
}

impl SourceMap {
    /// Where `span` was written, and what led there.
    pub fn trace(&self, span: Span) -> Trace<'_> {
        let mut trace = Trace { place: span, expanded: None, steps: Vec::new() };
        if let Some((origins, line)) = self.expanded_line(span) {
            let (place, substituted, text) = self.written(line, span);
            trace.place = place;
            trace.expanded = Some(text.trim());
            let value = to_usize(line.value).checked_sub(1).and_then(|value| origins.values.get(value));
            let step = |reason| move |span| Step { span, reason };
            trace.steps.extend(value.copied().filter(|_| substituted).map(step(Reason::Value)));
            trace.steps.extend(origins.uses(Some(FrameId(line.frame))).map(step(Reason::Expanded)));
        }
        let outermost = trace.steps.iter().rfind(|step| step.reason == Reason::Expanded);
        let mut file = outermost.map_or(trace.place.file, |step| step.span.file);
        while let Some((&at, uses)) = self.get(file).and_then(|source| source.included.split_first()) {
            trace.steps.push(Step { span: at, reason: Reason::Included });
            trace.steps.extend(uses.iter().map(|&span| Step { span, reason: Reason::Expanded }));
            file = uses.last().unwrap_or(&at).file;
        }
        trace
    }

    /// `span` itself, or where its text was written when it lies in the expansion.
    pub(crate) fn place(&self, span: Span) -> Span {
        self.expanded_line(span).map_or(span, |(_, line)| self.written(line, span).0)
    }

    /// Sorts by the order of reading: offsets from the outermost file inwards.
    pub(crate) fn order(&self, span: Span) -> Vec<u32> {
        let trace = self.trace(span);
        let outwards = trace.steps.iter().filter(|step| step.reason != Reason::Value);
        let mut order: Vec<u32> = outwards.map(|step| step.span.start).collect();
        order.reverse();
        if let Some((_, line)) = self.expanded_line(span) {
            if !trace.steps.iter().any(|step| step.reason == Reason::Expanded) {
                order.push(line.written.start);
            }
            order.push(line.start);
        }
        order.push(span.start);
        order
    }

    fn expanded_line(&self, span: Span) -> Option<(&Origins, &Line)> {
        let (_, origins) = self.expansion.as_ref().filter(|(file, _)| *file == span.file)?;
        Some((origins, origins.line_at(span.start)?))
    }

    /// The written place of `span`, whether a reference stands there, and the expanded line.
    fn written(&self, line: &Line, span: Span) -> (Span, bool, &str) {
        let rest = self.get(span.file).and_then(|source| source.text().get(to_usize(line.start)..));
        let text = rest.and_then(|rest| rest.lines().next()).unwrap_or_default();
        let within = |at: u32| to_usize(at.saturating_sub(line.start)).min(text.len());
        let raw = self.text(line.written);
        let (place, substituted) = align(raw, text, within(span.start)..within(span.end));
        let offset = |at: usize| line.written.start.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
        (Span { start: offset(place.start), end: offset(place.end), ..line.written }, substituted, text)
    }
}

/// The part of `raw` that `range` of `line` comes from, and whether that is a reference.
fn align(raw: &str, line: &str, range: Range<usize>) -> (Range<usize>, bool) {
    let blanks = raw.len() - raw.trim_start().len();
    let whole = (blanks..raw.trim_end().len().max(blanks), true);
    let Some(pieces) = side_by_side(raw, line) else { return whole };
    let end = range.end.max(range.start + 1);
    let touched = || pieces.iter().filter(|(_, own, _)| own.start < end && range.start < own.end);
    let mut found: Option<Range<usize>> = None;
    for (written, own, literal) in touched() {
        let from = if *literal { written.start + range.start.saturating_sub(own.start) } else { written.start };
        let to = if *literal { written.end - own.end.saturating_sub(range.end) } else { written.end };
        let (from, to) = (from.min(to), to);
        found = Some(found.map_or(from..to, |found| found.start.min(from)..found.end.max(to)));
    }
    let substituted = touched().any(|(_, _, literal)| !literal);
    found.map_or(whole, |found| (found, substituted))
}

/// A piece of the written line, what it became, and whether it stayed as it was.
type Pair = (Range<usize>, Range<usize>, bool);

/// Both lines cut at the references of `raw`; `None` when the rest of `raw` is not found in `line`.
fn side_by_side(raw: &str, line: &str) -> Option<Vec<Pair>> {
    let mut pieces: Vec<Pair> = Vec::new();
    let (mut at, mut own) = (prefix(raw), 0);
    let mut open: Option<Range<usize>> = None;
    while at < raw.len() {
        let mut next = raw[at..].match_indices('$').map(|(offset, _)| at + offset);
        let next = next.find_map(|at| Some(at..at + reference(raw.get(at..)?)?.length));
        let literal = at..next.as_ref().map_or(raw.len(), |next| next.start);
        let first = open.is_none() && pieces.is_empty();
        let text = raw.get(literal.clone())?;
        let shown = if first { text.trim_start() } else { text };
        let shown = if next.is_none() { shown.trim_end() } else { shown };
        if !shown.is_empty() {
            let skipped = text.find(shown).unwrap_or(0);
            let found = own + line.get(own..)?.find(shown)?;
            if let Some(open) = open.take() {
                pieces.push((open, own..found, false));
            }
            let start = literal.start + skipped;
            pieces.push((start..start + shown.len(), found..found + shown.len(), true));
            own = found + shown.len();
        }
        at = literal.end;
        if let Some(next) = next {
            let start = open.map_or(next.start, |open| open.start);
            at = next.end;
            open = Some(start..next.end);
        }
    }
    pieces.extend(open.map(|open| (open, own..line.len(), false)));
    Some(pieces)
}

/// The length of the conditions and repetitions that a line begins with.
fn prefix(raw: &str) -> usize {
    let mut rest = raw;
    loop {
        let text = rest.trim_start();
        rest = if text.starts_with('@') {
            text.find(char::is_whitespace).map_or("", |at| &text[at..])
        } else if text.starts_with("~SEQ") || text.starts_with("~LST") {
            text.find(')').map_or("", |at| &text[at + 1..])
        } else {
            return raw.len() - text.len();
        };
    }
}

/// `$NAME` or `${NAME}` at the start of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reference<'a> {
    /// What stands between the braces: a name, or a predefined name with arguments.
    pub(crate) name: &'a str,
    pub(crate) braced: bool,
    /// Sign and braces included.
    pub(crate) length: usize,
}

/// The reference that `text` begins with; whether anything of that name exists is another question.
pub(crate) fn reference(text: &str) -> Option<Reference<'_>> {
    let rest = text.strip_prefix('$')?;
    let length = |rest: &str| {
        let sign = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        let length = rest.chars().take_while(sign).count();
        Some(length).filter(|&length| length > 0 && !rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    if let Some(inner) = rest.strip_prefix('{') {
        let own = length(inner)?;
        let end = own + inner.get(own..)?.find('}')?;
        let name = inner.get(..end)?;
        // Only the predefined names have arguments.
        let plain = end == own || (name.starts_with('_') && name[own..].starts_with([' ', '\t']));
        return plain.then_some(Reference { name, braced: true, length: end + 3 });
    }
    let end = length(rest)?;
    Some(Reference { name: rest.get(..end)?, braced: false, length: end + 1 })
}
