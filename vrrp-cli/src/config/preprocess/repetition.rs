//! `~SEQ(...)`, `~SEQx(...)` and `~LST(...)`: the rest of the line once for each value.
//!
//! The variables are definitions like others and keep their last value.

use super::super::diagnostic::{Code, Diagnostic};
use super::{Piece, Preprocessor, definition::Expanded, text};

/// A repetition as it is written.
struct Head<'a> {
    kind: Kind,
    arguments: &'a str,
    /// From `~` to `)`.
    length: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Decimal,
    Hexadecimal,
    List,
}

const SEQ: &str = "it is written `~SEQ(NAME, [START, [STEP,]] END) TEXT`, or `~SEQx` for hexadecimal numbers";
const LST: &str = "it is written `~LST(NAME, VALUE, ...) TEXT` or `~LST({NAME, NAME}, {VALUE, VALUE}, ...) TEXT`";

impl Kind {
    fn usage(self) -> &'static str {
        if self == Self::List { LST } else { SEQ }
    }
}

/// The numbers of a sequence.
#[derive(PartialEq, Eq, Debug)]
struct Sequence {
    start: i64,
    step: i64,
    end: i64,
}

impl Iterator for Sequence {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        let inside = if self.step > 0 { self.start <= self.end } else { self.start >= self.end };
        let value = self.start;
        // Past the last number there is nothing more.
        match self.start.checked_add(self.step) {
            Some(next) => self.start = next,
            None if inside => (self.start, self.end) = if self.step > 0 { (1, 0) } else { (0, 1) },
            None => {}
        }
        inside.then_some(value)
    }
}

impl Preprocessor<'_> {
    /// `piece` begins with `~`.
    pub(super) fn repetition(&mut self, piece: Piece<'_>, depth: u32) {
        let head = match head(piece.text) {
            Ok(head) => head,
            Err((message, help)) => {
                self.report(Diagnostic::new(Code::BadRepetition, piece.written, message).help(help));
                return self.emit(piece, piece.text, true);
            }
        };
        let own = piece.part(&piece.text[..head.length]);
        let rest = piece.part(text::trim_start(&piece.text[head.length..]));
        let arguments = piece.part(head.arguments);
        let expanded = if head.arguments.contains('$') { self.expand(arguments, depth) } else { Expanded::Same };
        let arguments = match &expanded {
            Expanded::Same => head.arguments,
            Expanded::Text(text, _) => text,
            Expanded::Lines(..) | Expanded::Failed => return,
        };
        let result = match head.kind {
            Kind::List => list(arguments).map(|(names, tuples)| {
                self.short_tuples(own, &names, &tuples);
                for tuple in tuples {
                    for (at, name) in names.iter().enumerate() {
                        let value = tuple.get(at).copied().unwrap_or_default();
                        self.set_made(name, own.written, value.to_owned());
                    }
                    self.line(rest, &[], depth + 1);
                    if self.exhausted {
                        break;
                    }
                }
            }),
            kind => sequence(arguments, kind == Kind::Hexadecimal).map(|(name, numbers)| {
                for number in numbers {
                    let value = if kind == Kind::Hexadecimal { format!("{number:x}") } else { number.to_string() };
                    self.set_made(name, own.written, value);
                    self.line(rest, &[], depth + 1);
                    if self.exhausted {
                        break;
                    }
                }
            }),
        };
        if let Err(message) = result {
            self.report(Diagnostic::new(Code::BadRepetition, own.written, message).help(head.kind.usage()));
            // Once, so that its braces stay balanced.
            self.emit(rest, rest.text, true);
        }
    }

    fn short_tuples(&mut self, own: Piece<'_>, names: &[&str], tuples: &[Vec<&str>]) {
        if let Some(short) = tuples.iter().find(|tuple| tuple.len() < names.len()) {
            let (short, names) = (short.len(), names.len());
            let message = format!("`~LST` has {names} names, but only {short} values in one of its groups");
            let help = "the values that lack are empty: add them";
            self.report(Diagnostic::new(Code::ShortTuple, own.written, message).help(help));
        }
    }
}

/// What `text` begins with, or what is wrong with it.
fn head(text: &str) -> Result<Head<'_>, (String, &'static str)> {
    let word_end = text[1..].find(|c: char| !c.is_ascii_alphabetic()).map_or(text.len(), |end| end + 1);
    let (word, rest) = text.split_at(word_end);
    let kind = match word {
        "~SEQ" => Kind::Decimal,
        "~SEQx" => Kind::Hexadecimal,
        "~LST" => Kind::List,
        _ => {
            let list = word.to_ascii_lowercase().starts_with("~l");
            let usage = if list { LST } else { SEQ };
            return Err((format!("`{word}` is unknown"), usage));
        }
    };
    let Some(arguments) = text::trim_start(rest).strip_prefix('(') else {
        return Err((format!("expected `(` behind `{word}`"), kind.usage()));
    };
    let Some(length) = arguments.find(')') else {
        return Err((format!("the `(` behind `{word}` is not closed"), kind.usage()));
    };
    let before = text.len() - arguments.len();
    Ok(Head { kind, arguments: &arguments[..length], length: before + length + 1 })
}

/// The name and the numbers of `~SEQ`.
fn sequence(arguments: &str, hexadecimal: bool) -> Result<(&str, Sequence), String> {
    let parts: Vec<&str> = arguments.split(',').map(text::trim).collect();
    let (first, numbers) = parts.split_first().unwrap_or((&"", &[]));
    let name = name(first)?;
    let number = |text: &&str| number(text).ok_or_else(|| format!("`{text}` is not a number"));
    let numbers = numbers.iter().map(number).collect::<Result<Vec<i64>, String>>()?;
    let direction = |from: i64, to: i64| if to < from { -1 } else { 1 };
    let (start, step, end) = match *numbers.as_slice() {
        [end] => {
            let start = if end < 0 { -1 } else { 1 };
            (start, direction(start, end), end)
        }
        [start, end] => (start, direction(start, end), end),
        [start, step, end] => (start, step, end),
        [] => return Err("the end of the sequence is missing".to_owned()),
        _ => return Err("the sequence has too many numbers".to_owned()),
    };
    if step == 0 {
        return Err("the step of the sequence is 0".to_owned());
    }
    if (step > 0) == (start > end) && start != end {
        return Err(format!("steps of {step} do not lead from {start} to {end}"));
    }
    if hexadecimal && (start < 0 || end < 0) {
        return Err("hexadecimal sequences have no negative numbers".to_owned());
    }
    Ok((name, Sequence { start, step, end }))
}

/// As in C: `0x` and a leading `0` change the base.
fn number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = if let Some(digits) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        (16, digits)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, &digits[1..])
    } else {
        (10, digits)
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -value } else { value })
}

type List<'a> = (Vec<&'a str>, Vec<Vec<&'a str>>);

/// The names of `~LST` and one group of values for each round.
fn list(arguments: &str) -> Result<List<'_>, String> {
    let mut groups = Vec::new();
    let mut rest = text::trim(arguments);
    loop {
        let (group, behind) = if let Some(inner) = rest.strip_prefix('{') {
            let end = inner.find('}').ok_or("a `{` in the list is not closed")?;
            (inner[..end].split(',').map(text::trim).collect::<Vec<&str>>(), text::trim_start(&inner[end + 1..]))
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            (vec![text::trim(&rest[..end])], &rest[end..])
        };
        groups.push(group);
        match behind.strip_prefix(',') {
            Some(behind) => rest = text::trim_start(behind),
            None if behind.is_empty() => break,
            None => return Err(format!("expected `,` in the list, found `{behind}`")),
        }
    }
    let mut groups = groups.into_iter();
    let names = groups.next().unwrap_or_default();
    names.iter().try_for_each(|text| name(text).map(|_| ()))?;
    let groups: Vec<Vec<&str>> = groups.collect();
    if groups.is_empty() {
        return Err("the list has no values".to_owned());
    }
    if let Some(long) = groups.iter().find(|group| group.len() > names.len()) {
        return Err(format!("`{}` are more values than names", long.join(", ")));
    }
    let odd = |c: char| text::is_blank(c) || matches!(c, '"' | '{' | '}');
    if let Some(value) = groups.iter().flatten().find(|value| value.contains(odd)) {
        return Err(format!("the value `{value}` holds a blank, a quote or a brace"));
    }
    Ok((names, groups))
}

fn name(text: &str) -> Result<&str, String> {
    let sign = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !text.is_empty() && text.chars().all(sign) && !text.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(text);
    }
    Err(format!("`{text}` is not a name of letters, digits and `_`"))
}
