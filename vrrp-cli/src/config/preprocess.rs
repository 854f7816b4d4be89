//! Files to the lines that are read: includes, conditions, definitions, repetitions.
//!
//! The result is a list of [`Chunk`]s in the order of reading. Lines that stand for themselves are chunks of the file
//! they stand in; all others are written, expanded, into one further source, which remembers where each of its lines
//! comes from. Whatever a file asks for is bounded in depth, size and work. No keyword is known here but those of the
//! preprocessor itself and the two global settings that steer it.

mod definition;
mod include;
mod random;
mod repetition;
mod text;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::rc::Rc;

use self::definition::{Definition, Expanded};
use self::include::{Checks, Open};
use self::random::Random;
use super::Options;
use super::diagnostic::{Code, Diagnostic, Sink};
use super::lex::MAX_LINE;
use super::source::{FileId, FrameId, Origins, SourceMap, Span, ValueId, reference};

/// A stretch of a source to be read next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Chunk {
    pub(crate) span: Span,
    /// Already reported: its words say nothing.
    pub(crate) broken: bool,
}

/// Where files are looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Home {
    /// Nothing may be included.
    Nowhere,
    /// The path of the first file.
    File(PathBuf),
}

/// Reads `file` and all it includes.
///
/// `None` when a bound was exceeded, so that the end of the text is missing and nothing can be said about the rest.
pub(crate) fn run(
    file: FileId,
    home: &Home,
    options: &Options,
    sources: &mut SourceMap,
    sink: &mut Sink,
) -> Option<Vec<Chunk>> {
    let mut preprocessor = Preprocessor::new(options, home, sources, sink);
    preprocessor.first_file(file, home);
    preprocessor.finish()
}

/// Definitions within definitions, and repetitions within repetitions; each level needs some stack.
const MAX_DEPTH: u32 = 64;

/// Octets of all files together; lines are counted by the work they make.
const MAX_READ: usize = 64 << 20;

/// A piece of text and where it was written.
#[derive(Clone, Copy, Debug)]
struct Piece<'a> {
    text: &'a str,
    written: Span,
    /// `text` is what stands at `written`.
    literal: bool,
    /// The use of a definition that made it be read.
    frame: Option<FrameId>,
    /// The definition whose value it is or holds.
    value: Option<ValueId>,
    /// For a line of a file: its end, comment and line end included.
    line_end: Option<u32>,
}

impl<'a> Piece<'a> {
    /// `text` is a part of this piece's text.
    fn part(self, text: &'a str) -> Self {
        if !self.literal {
            return Self { text, ..self };
        }
        let offset = (text.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let start = self.written.start.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
        let end = start.saturating_add(u32::try_from(text.len()).unwrap_or(u32::MAX));
        Self { text, written: Span { start, end, ..self.written }, ..self }
    }

    /// A text that was made from this piece.
    fn made(self, text: &'a str) -> Self {
        Self { text, literal: false, line_end: None, ..self }
    }

    /// Whether it can be read where it stands.
    fn is_direct(self) -> bool {
        self.literal && self.frame.is_none() && self.line_end.is_some()
    }
}

struct Preprocessor<'a> {
    options: &'a Options,
    home: &'a Home,
    sources: &'a mut SourceMap,
    sink: &'a mut Sink,
    chunks: Vec<Chunk>,
    /// The text of the expansion, its source and where its lines come from.
    expansion: String,
    expansion_file: Option<FileId>,
    origins: Origins,
    definitions: HashMap<String, Rc<Definition>>,
    /// The definitions that are being expanded.
    active: Vec<Rc<Definition>>,
    /// The files that are being read, outermost first.
    open: Vec<Open>,
    checks: Checks,
    id: String,
    random: Random,
    /// Octets and files read, and work done so far.
    read: usize,
    files: usize,
    work: usize,
    /// A bound was exceeded: nothing more is read.
    exhausted: bool,
    reported: HashSet<(Code, Span)>,
}

impl<'a> Preprocessor<'a> {
    fn new(options: &'a Options, home: &'a Home, sources: &'a mut SourceMap, sink: &'a mut Sink) -> Self {
        Self {
            options,
            home,
            sources,
            sink,
            chunks: Vec::new(),
            expansion: String::new(),
            expansion_file: None,
            origins: Origins::default(),
            definitions: HashMap::new(),
            active: Vec::new(),
            open: Vec::new(),
            checks: Checks::default(),
            id: options.config_id(),
            random: Random::new(options.seed),
            read: 0,
            files: 0,
            work: 0,
            exhausted: false,
            reported: HashSet::new(),
        }
    }

    fn finish(self) -> Option<Vec<Chunk>> {
        if self.expansion_file.is_some() {
            self.sources.fill_expansion(self.expansion, self.origins);
        }
        Some(self.chunks).filter(|_| !self.exhausted)
    }

    /// All lines of a file.
    fn file(&mut self, file: FileId) {
        let text = self.sources.shared(file);
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let span = |start: usize, end: usize| Span { file, start: offset(start), end: offset(end) };
        // Lines that stand for themselves are collected into one chunk.
        let (mut at, mut plain) = (0, 0);
        while at < text.len() && !self.exhausted {
            let rest = &text[at..];
            let length = rest.find('\n').map_or(rest.len(), |length| length + 1);
            let content = rest[..length].trim_end_matches(['\n', '\r']);
            if content.len() > MAX_LINE || is_plain(content) {
                at += length;
                continue;
            }
            self.chunk(span(plain, at), false);
            let line = |at: usize, content: &'_ str, length: usize| (span(at, at + content.len()), offset(at + length));
            let (written, line_end) = line(at, content, length);
            let piece =
                Piece { text: content, written, literal: true, frame: None, value: None, line_end: Some(line_end) };
            let mut next = at + length;
            let mut more = Vec::new();
            let mut last = content;
            while text::continued(last).is_some() && next < text.len() {
                let rest = &text[next..];
                let length = rest.find('\n').map_or(rest.len(), |length| length + 1);
                last = rest[..length].trim_end_matches(['\n', '\r']);
                more.push(piece.part_at(last, span(next, next + last.len())));
                next += length;
            }
            at = if self.line(piece, &more, 0) { next } else { at + length };
            plain = at;
        }
        self.chunk(span(plain, at), false);
    }

    /// One line, or what stands behind a brace; whether it took the lines `more`, by which it is continued.
    fn line(&mut self, piece: Piece<'_>, more: &[Piece<'_>], depth: u32) -> bool {
        if !self.charge(piece.text.len(), piece.written) {
            return false;
        }
        if depth > MAX_DEPTH {
            self.too_deep(piece.written);
            return false;
        }
        let mut piece = piece.part(text::trim(text::without_comment(piece.text)));
        while !piece.text.is_empty() && !self.exhausted {
            if piece.text.starts_with('@') {
                let Some(rest) = self.condition(piece) else { return defines(piece.text) };
                piece = rest;
                continue;
            }
            if let Some((name, value)) = text::definition(piece.text) {
                self.define(name, piece, piece.part(value), more);
                return true;
            }
            if piece.text.starts_with('~') {
                self.repetition(piece, depth);
                return false;
            }
            if include::keyword(piece.text).is_some() {
                self.include(piece, depth);
                return false;
            }
            if piece.text.starts_with('$') && self.leading_reference(piece, depth) {
                return false;
            }
            let (head, rest) = text::at_brace(piece.text);
            self.segment(piece.part(head), rest.is_empty(), depth);
            piece = piece.part(text::trim_start(rest));
        }
        false
    }

    /// `@id` or `@^id`: what follows it, or `None` when the line does not count.
    fn condition<'t>(&mut self, piece: Piece<'t>) -> Option<Piece<'t>> {
        let (word, rest) = text::first_word(piece.text);
        let id = word.strip_prefix('@').unwrap_or_default();
        let (id, wanted) = id.strip_prefix('^').map_or((id, true), |id| (id, false));
        if id.is_empty() {
            let written = piece.part(word).written;
            let diagnostic = Diagnostic::new(Code::BadCondition, written, "`@` is not followed by an id")
                .help("write `@id` or `@^id`, without a blank between, and the setting behind it");
            self.report(diagnostic);
            self.emit(piece, piece.text, true);
            return None;
        }
        Some(piece.part(rest)).filter(|_| (id == self.id) == wanted)
    }

    /// A reference at the start of a line can stand for what only counts there; whether it did, or was wrong.
    fn leading_reference(&mut self, piece: Piece<'_>, depth: u32) -> bool {
        let Some(found) = reference(piece.text) else {
            self.not_defined(piece, None);
            return true;
        };
        let Some(definition) = self.definitions.get(found.name).cloned() else {
            let predefined = found.name.starts_with('_');
            if !predefined {
                self.not_defined(piece, Some(found.name));
            }
            return !predefined;
        };
        let [value] = definition.lines.as_slice() else { return false };
        let rest = &piece.text[found.length..];
        let special = value.text.starts_with(['@', '~', '$']) || include::starts_keyword(&value.text);
        if !special || !(found.braced || rest.is_empty() || rest.starts_with(text::is_blank)) {
            return false;
        }
        if self.is_active(&definition, piece.written) {
            return true;
        }
        let text = format!("{}{rest}", value.text);
        if self.charge(text.len(), piece.written) && self.short_enough(text.len(), piece.written) {
            self.active.push(Rc::clone(&definition));
            self.line(Piece { value: definition.value, ..piece.made(&text) }, &[], depth + 1);
            self.active.pop();
        }
        true
    }

    /// A line begins with `$`, but neither defines nor uses anything; `name` is what it seems to mean.
    fn not_defined(&mut self, piece: Piece<'_>, name: Option<&str>) {
        let (word, rest) = text::first_word(piece.text);
        let (message, help) = match name {
            None => {
                let help = "a name is made of letters, digits and `_`, and does not begin with a digit";
                (format!("`{word}` is not the name of a definition"), help.to_owned())
            }
            Some(name) if rest.starts_with('=') || word.contains('=') => {
                (format!("`${name}` is not defined"), format!("a definition has no blank before `=`: `${name}=VALUE`"))
            }
            Some(name) => (format!("`${name}` is not defined"), format!("define it on a line before: `${name}=VALUE`")),
        };
        self.report(Diagnostic::new(Code::NotDefined, piece.part(word).written, message).help(help));
        self.emit(piece, piece.text, true);
    }

    /// Text up to a brace or to the end of the line, without forms that count at the start only.
    fn segment(&mut self, piece: Piece<'_>, last: bool, depth: u32) {
        let expanded = if piece.text.contains('$') { self.expand(piece, depth) } else { Expanded::Same };
        match expanded {
            Expanded::Same => {
                self.watch(piece.text);
                if piece.is_direct() {
                    let end = piece.line_end.filter(|_| last).unwrap_or(piece.written.end);
                    self.chunk(Span { end, ..piece.written }, false);
                } else {
                    self.emit(piece, piece.text, false);
                }
            }
            Expanded::Text(text, value) => {
                self.watch(&text);
                self.emit(Piece { value, ..piece }, &text, false);
            }
            Expanded::Lines(before, definition) => self.lines(piece, &before, &definition, depth),
            Expanded::Failed => self.emit(piece, piece.text, true),
        }
    }

    /// A definition of several lines, with what stands before its use.
    fn lines(&mut self, piece: Piece<'_>, before: &str, definition: &Rc<Definition>, depth: u32) {
        let frame = self.origins.frame(piece.frame, piece.written);
        self.active.push(Rc::clone(definition));
        for (index, line) in definition.lines.iter().enumerate() {
            if self.exhausted {
                break;
            }
            let own = Piece {
                text: &line.text,
                written: line.written,
                literal: line.literal,
                frame,
                value: definition.value.filter(|_| !line.literal),
                line_end: None,
            };
            if index == 0 && !text::trim(before).is_empty() {
                let text = format!("{before}{}", line.text);
                self.line(Piece { frame, ..piece.made(&text) }, &[], depth + 1);
            } else {
                self.line(own, &[], depth + 1);
            }
        }
        self.active.pop();
    }

    /// Two global settings steer the reading itself, from where they stand.
    fn watch(&mut self, text: &str) {
        let (word, rest) = text::first_word(text);
        match word {
            "include_check" => self.checks.set(rest),
            "random_seed" if self.options.seed.is_none() => {
                if let Ok(seed) = text::first_word(rest).0.parse() {
                    self.random = Random::new(Some(seed));
                }
            }
            _ => {}
        }
    }

    /// Writes a line into the expansion.
    fn emit(&mut self, piece: Piece<'_>, text: &str, broken: bool) {
        if text.is_empty() || !self.charge(text.len(), piece.written) || !self.short_enough(text.len(), piece.written) {
            return;
        }
        if self.expansion_file.is_none() {
            self.expansion_file = self.sources.reserve_expansion();
        }
        let Some(file) = self.expansion_file else { return };
        let start = u32::try_from(self.expansion.len()).unwrap_or(u32::MAX);
        self.origins.line(start, piece.written, piece.frame, piece.value);
        self.expansion.push_str(text);
        self.expansion.push('\n');
        let end = u32::try_from(self.expansion.len()).unwrap_or(u32::MAX);
        self.chunk(Span { file, start, end }, broken);
    }

    fn chunk(&mut self, span: Span, broken: bool) {
        if span.start >= span.end {
            return;
        }
        match self.chunks.last_mut() {
            Some(last) if last.span.file == span.file && last.span.end == span.start && last.broken == broken => {
                last.span.end = span.end;
            }
            _ => self.chunks.push(Chunk { span, broken }),
        }
    }

    /// Counts work that `at` makes; `false` when there was too much.
    fn charge(&mut self, octets: usize, at: Span) -> bool {
        // An empty line costs time too; a line is scanned, its values are, and it is written.
        const EACH: usize = 6;
        self.work = self.work.saturating_add(octets.max(1).saturating_add(EACH));
        if self.work > self.options.max_expansion.saturating_mul(4) || self.expansion.len() > self.options.max_expansion
        {
            self.exhaust(
                Diagnostic::new(
                    Code::ExpansionTooLarge,
                    at,
                    format!("definitions and repetitions expand to more than {}", size(self.options.max_expansion)),
                )
                .help("nothing was read from here on: is the end of a `~SEQ` too large?"),
            );
        }
        !self.exhausted
    }

    fn exhaust(&mut self, diagnostic: Diagnostic) {
        if !std::mem::replace(&mut self.exhausted, true) {
            self.sink.push(diagnostic);
        }
    }

    fn short_enough(&mut self, length: usize, at: Span) -> bool {
        if length > MAX_LINE {
            let message = format!("this line expands to more than {MAX_LINE} octets");
            self.report(Diagnostic::new(Code::LineTooLong, at, message).help("nothing of this line was read"));
        }
        length <= MAX_LINE
    }

    fn too_deep(&mut self, at: Span) {
        let message = format!("definitions and repetitions are nested more than {MAX_DEPTH} deep");
        self.report(Diagnostic::new(Code::ExpansionTooDeep, at, message).help("does one of them lead back to itself?"));
    }

    /// Each fault is reported once for its place, however often the place is read.
    fn report(&mut self, diagnostic: Diagnostic) {
        let place = diagnostic.primary.as_ref().map(|label| (diagnostic.code, label.span));
        if place.is_none_or(|place| self.reported.insert(place)) {
            self.sink.push(diagnostic);
        }
        if self.sink.is_full() {
            self.exhausted = true;
        }
    }
}

impl<'a> Piece<'a> {
    /// Another line of the same file.
    fn part_at(self, text: &'a str, written: Span) -> Self {
        Self { text, written, ..self }
    }
}

/// Whether a line is certainly none of the preprocessor's business.
fn is_plain(line: &str) -> bool {
    let mut found = false;
    for octet in line.bytes() {
        found |= matches!(octet, b'$' | b'@' | b'~');
    }
    !found && !line.contains("include") && !line.contains("random_seed")
}

/// Whether a line whose condition does not hold is a definition, whose further lines do not count either.
fn defines(text: &str) -> bool {
    let mut text = text;
    while text.starts_with('@') {
        text = text::first_word(text).1;
    }
    text::definition(text).is_some()
}

fn size(octets: usize) -> String {
    if octets >= 1 << 20 { format!("{} MiB", octets >> 20) } else { format!("{octets} octets") }
}
