//! `$NAME=VALUE`, and `$NAME`, `${NAME}` wherever they stand.
//!
//! Values are expanded when they are used, not when they are defined. `$NAME` counts only before a blank or the end of
//! the line; an unknown name stays as it is, as scripts have a `$` of their own.

use std::rc::Rc;

use super::super::diagnostic::{Code, Diagnostic};
use super::super::source::{Reference, Span, ValueId, reference};
use super::{MAX_DEPTH, Piece, Preprocessor, text};

/// What a name stands for.
pub(super) struct Definition {
    pub(super) name: String,
    /// The whole definition, or the repetition.
    pub(super) span: Span,
    pub(super) value: Option<ValueId>,
    /// Never empty; one but for definitions of several lines.
    pub(super) lines: Vec<DefinitionLine>,
}

pub(super) struct DefinitionLine {
    pub(super) text: String,
    pub(super) written: Span,
    /// `text` is what stands at `written`.
    pub(super) literal: bool,
}

/// What became of a text.
pub(super) enum Expanded {
    Same,
    Text(String, Option<ValueId>),
    /// The text before a definition of several lines.
    Lines(String, Rc<Definition>),
    /// Reported.
    Failed,
}

/// The state of one expansion.
struct Expansion<'a> {
    piece: Piece<'a>,
    out: String,
    value: Option<ValueId>,
    changed: bool,
    depth: u32,
}

/// Reported; or a definition of several lines, with which the text must end.
enum Stop {
    Failed,
    Lines(Rc<Definition>),
}

impl Preprocessor<'_> {
    /// `piece` is the whole line; `more` are the lines it is continued by.
    pub(super) fn define(&mut self, name: &str, piece: Piece<'_>, first: Piece<'_>, more: &[Piece<'_>]) {
        let mut lines = Vec::new();
        let mut end = piece.written;
        for line in std::iter::once(&first).chain(more) {
            end = end.to(line.written);
            let whole = text::continued(line.text).unwrap_or(line.text);
            let part = line.part(text::trim(text::without_comment(whole)));
            if !part.text.is_empty() {
                let text = part.text.to_owned();
                lines.push(DefinitionLine { text, written: part.written, literal: part.literal });
            }
        }
        if lines.is_empty() {
            lines.push(DefinitionLine { text: String::new(), written: first.written, literal: false });
        }
        self.set(name, end, lines);
    }

    /// Gives `name` a value of one line, which stands nowhere as it is.
    pub(super) fn set_made(&mut self, name: &str, span: Span, text: String) {
        self.set(name, span, vec![DefinitionLine { text, written: span, literal: false }]);
    }

    fn set(&mut self, name: &str, span: Span, lines: Vec<DefinitionLine>) {
        let value = self.origins.value(span);
        let definition = Rc::new(Definition { name: name.to_owned(), span, value, lines });
        if let Some(known) = self.definitions.get_mut(name) {
            *known = definition;
        } else {
            self.definitions.insert(name.to_owned(), definition);
        }
    }

    /// All references of `piece`.
    pub(super) fn expand(&mut self, piece: Piece<'_>, depth: u32) -> Expanded {
        let mut expansion = Expansion { piece, out: String::new(), value: piece.value, changed: false, depth };
        match self.expand_into(piece.text, true, &mut expansion) {
            Ok(()) if expansion.changed => Expanded::Text(expansion.out, expansion.value),
            Ok(()) => Expanded::Same,
            Err(Stop::Lines(definition)) => Expanded::Lines(expansion.out, definition),
            Err(Stop::Failed) => Expanded::Failed,
        }
    }

    /// `ended`: whether a blank or nothing follows `text`.
    fn expand_into(&mut self, text: &str, ended: bool, into: &mut Expansion<'_>) -> Result<(), Stop> {
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            into.out.push_str(before);
            let Some(found) = reference(from) else {
                into.out.push('$');
                rest = &from[1..];
                continue;
            };
            rest = &from[found.length..];
            let ended = rest.chars().next().map_or(ended, text::is_blank);
            if found.name.starts_with('_') && !self.definitions.contains_key(found.name) {
                let value = self.predefined(found, ended, into)?;
                into.changed |= value.is_some();
                into.out.push_str(value.as_deref().unwrap_or(&from[..found.length]));
                continue;
            }
            let known = self.definitions.get(found.name).cloned();
            let Some(definition) = known.filter(|_| found.braced || ended) else {
                self.note_verbatim(found, into.piece);
                into.out.push_str(&from[..found.length]);
                continue;
            };
            into.changed = true;
            into.value = definition.value;
            match self.substitute(&definition, ended, into) {
                Err(Stop::Lines(lines)) if text::trim(rest).is_empty() => return Err(Stop::Lines(lines)),
                Err(Stop::Lines(lines)) => {
                    // A brace directly behind it stands on a line of its own, as it were.
                    if text::trim(rest) == "}" && into.depth < MAX_DEPTH {
                        return Err(Stop::Lines(with_line(&lines, "}", into.piece.written)));
                    }
                    self.lines_not_last(&lines, into.piece);
                    return Err(Stop::Failed);
                }
                other => other?,
            }
            if !self.short_enough(into.out.len(), into.piece.written) {
                return Err(Stop::Failed);
            }
        }
        into.out.push_str(rest);
        Ok(())
    }

    fn substitute(&mut self, definition: &Rc<Definition>, ended: bool, into: &mut Expansion<'_>) -> Result<(), Stop> {
        let at = into.piece.written;
        if self.is_active(definition, at) {
            return Err(Stop::Failed);
        }
        let [line] = definition.lines.as_slice() else { return Err(Stop::Lines(Rc::clone(definition))) };
        if into.depth > MAX_DEPTH {
            self.too_deep(at);
            return Err(Stop::Failed);
        }
        if !self.charge(line.text.len(), at) {
            return Err(Stop::Failed);
        }
        self.active.push(Rc::clone(definition));
        into.depth += 1;
        let result = self.expand_into(&line.text, ended, into);
        into.depth -= 1;
        self.active.pop();
        result
    }

    /// Whether `definition` is being expanded already, which is reported.
    pub(super) fn is_active(&mut self, definition: &Rc<Definition>, at: Span) -> bool {
        let active = self.active.iter().any(|active| Rc::ptr_eq(active, definition));
        if active {
            let message = format!("`${}` is defined by itself", definition.name);
            let diagnostic = Diagnostic::new(Code::ExpansionTooDeep, at, message)
                .also(definition.span, "defined here")
                .help("values are expanded where they are used: use another name on one side");
            self.report(diagnostic);
        }
        active
    }

    fn lines_not_last(&mut self, definition: &Definition, piece: Piece<'_>) {
        let message = format!("`${}` has several lines, and text follows it here", definition.name);
        let diagnostic = Diagnostic::new(Code::LinesNotLast, piece.written, message)
            .also(definition.span, "defined here")
            .help("put what follows it on a line of its own");
        self.report(diagnostic);
    }

    /// Says that a reference stays as it is.
    fn note_verbatim(&mut self, found: Reference<'_>, piece: Piece<'_>) {
        // Passwords and commands have a `$` of their own, above all in files that define nothing.
        if !found.braced && self.definitions.is_empty() {
            return;
        }
        let shown = if found.braced { format!("${{{}}}", found.name) } else { format!("${}", found.name) };
        let diagnostic = if let Some(definition) = self.definitions.get(found.name) {
            let message = format!("`{shown}` is not expanded, since something directly follows it");
            Diagnostic::new(Code::NotExpanded, place_of(&shown, piece), message)
                .also(definition.span, "defined here")
                .help(format!("write `${{{}}}`", found.name))
        } else {
            let message = format!("`{shown}` is not defined and stays as it is");
            let help = format!("if it is meant to be expanded, define it on a line before: `${}=VALUE`", found.name);
            Diagnostic::new(Code::Undefined, place_of(&shown, piece), message).help(help)
        };
        self.report(diagnostic);
    }

    /// The value of a predefined name; `None` when it stays as it is.
    fn predefined(
        &mut self,
        found: Reference<'_>,
        ended: bool,
        into: &mut Expansion<'_>,
    ) -> Result<Option<String>, Stop> {
        let (name, arguments) = text::first_word(found.name);
        let arguments: Vec<&str> = arguments.split(text::is_blank).filter(|argument| !argument.is_empty()).collect();
        if !found.braced && !ended {
            if PREDEFINED.iter().any(|(known, _)| *known == name) {
                let shown = format!("${name}");
                let message = format!("`{shown}` is not expanded, since something directly follows it");
                let place = place_of(&shown, into.piece);
                self.report(Diagnostic::new(Code::NotExpanded, place, message).help(format!("write `${{{name}}}`")));
            }
            return Ok(None);
        }
        let value = match (name, arguments.as_slice()) {
            ("_PWD", []) => Some(self.directory()),
            ("_INSTANCE", []) => Some(self.id.clone()),
            ("_HASH", []) => Some("#".to_owned()),
            ("_BANG", []) => Some("!".to_owned()),
            ("_RANDOM", bounds) => self.random(bounds),
            ("_ENV", [variable]) => Some(self.environment(variable, into.piece.written)),
            _ => None,
        };
        if value.is_none() {
            let place = place_of(&format!("${{{}}}", found.name), into.piece);
            let message = format!("`${{{}}}` cannot be expanded", found.name);
            let help = if let Some((_, usage)) = PREDEFINED.iter().find(|(known, _)| *known == name) {
                format!("it is written `{usage}`")
            } else {
                let usages: Vec<&str> = PREDEFINED.iter().map(|(_, usage)| *usage).collect();
                format!("names that begin with `_` are predefined: {}", usages.join(", "))
            };
            self.report(Diagnostic::new(Code::NotPredefined, place, message).help(help));
            return Err(Stop::Failed);
        }
        Ok(value)
    }

    fn random(&mut self, bounds: &[&str]) -> Option<String> {
        const HIGHEST: u32 = 32767;
        let bound = |at: usize, default: u32| match bounds.get(at) {
            Some(text) => text.parse::<u32>().ok().filter(|_| !text.starts_with('+')),
            None => Some(default),
        };
        let (low, high) = (bound(0, 0)?, bound(1, HIGHEST)?);
        (bounds.len() <= 2 && low <= high).then(|| self.random.draw(low, high).to_string())
    }

    fn environment(&mut self, variable: &str, at: Span) -> String {
        let value = match &self.options.environment {
            Some(environment) => environment.get(variable).cloned(),
            None => std::env::var(variable).ok(),
        };
        // A line end would begin a statement that no file shows.
        let value = value.filter(|value| !value.contains(['\n', '\r', '\0']));
        value.unwrap_or_else(|| {
            let message = format!("the environment has no usable variable `{variable}`: its value is empty");
            let help = "set it where the daemon is started, or define a value in the file";
            self.report(Diagnostic::new(Code::NoVariable, at, message).help(help));
            String::new()
        })
    }
}

/// `definition` with a line more.
fn with_line(definition: &Rc<Definition>, text: &str, at: Span) -> Rc<Definition> {
    let copy = |line: &DefinitionLine| DefinitionLine {
        text: line.text.clone(),
        written: line.written,
        literal: line.literal,
    };
    let mut lines: Vec<DefinitionLine> = definition.lines.iter().map(copy).collect();
    lines.push(DefinitionLine { text: text.to_owned(), written: at, literal: false });
    Rc::new(Definition { name: definition.name.clone(), lines, ..**definition })
}

/// Where `shown` stands, if it was written there and did not come from a value.
fn place_of(shown: &str, piece: Piece<'_>) -> Span {
    let at = piece.text.find(shown).filter(|_| piece.literal);
    at.map_or(piece.written, |at| piece.part(&piece.text[at..at + shown.len()]).written)
}

const PREDEFINED: &[(&str, &str)] = &[
    ("_PWD", "${_PWD}"),
    ("_INSTANCE", "${_INSTANCE}"),
    ("_RANDOM", "${_RANDOM [MIN [MAX]]}"),
    ("_ENV", "${_ENV NAME}"),
    ("_HASH", "${_HASH}"),
    ("_BANG", "${_BANG}"),
];
