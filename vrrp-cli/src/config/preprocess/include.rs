//! `include` and its strict variants: patterns to files.
//!
//! A missing file is no fault unless the variant or `include_check` says so; it is warned about when it was named
//! without wildcards. Only regular files that nobody may execute are read, as keepalived does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::super::diagnostic::{Code, Diagnostic};
use super::super::file;
use super::super::source::{FileId, FrameId, Span};
use super::{Home, MAX_READ, Piece, Preprocessor, definition::Expanded, text};

#[cfg(test)]
mod tests;

/// Files within files.
pub(super) const MAX_NESTING: usize = 16;

/// Files in all.
pub(super) const MAX_FILES: usize = 1000;

/// A file that is being read.
pub(super) struct Open {
    /// Absolute and without links, as far as it could be found out.
    path: PathBuf,
    /// The line that included it.
    at: Option<Span>,
}

/// An include line and the use that made it be read.
#[derive(Clone, Copy)]
struct Place {
    at: Span,
    frame: Option<FrameId>,
}

/// Which failures are errors.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the file switches each of them on and off by itself")]
pub(super) struct Checks {
    /// A matching file cannot be read.
    read: bool,
    /// Nothing matches, and there is no wildcard.
    plain: bool,
    /// Nothing matches, wildcard or not.
    wildcard: bool,
    /// One of the alternatives in braces matches nothing.
    brace: bool,
}

impl Checks {
    const ALL: Self = Self { read: true, plain: true, wildcard: true, brace: true };

    /// The value of `include_check`; what is wrong with it is found when settings are read.
    pub(super) fn set(&mut self, value: &str) {
        let mut words = text::trim(text::without_comment(value)).split(text::is_blank).filter(|word| !word.is_empty());
        let mut add = None;
        let mut any = false;
        for word in &mut words {
            let (sign, name) = match word.as_bytes().first() {
                Some(b'+') => (Some(true), &word[1..]),
                Some(b'-') => (Some(false), &word[1..]),
                _ => (add, word),
            };
            if !any && sign.is_none() {
                *self = Self::default();
            }
            (any, add) = (true, sign);
            let on = sign.unwrap_or(true);
            match name {
                "read" | "readable" => self.read = on,
                "match" => self.plain = on,
                "wildcard_match" => self.wildcard = on,
                "brace_match" => self.brace = on,
                "all" => *self = if on { Self::ALL } else { Self::default() },
                _ => {}
            }
        }
        if !any {
            *self = Self::ALL;
        }
    }

    fn with(mut self, keyword: &str) -> Self {
        match keyword {
            "includer" => self.read = true,
            "includem" => self.plain = true,
            "includew" => self.wildcard = true,
            "includeb" => self.brace = true,
            "includea" => self = Self::ALL,
            _ => {}
        }
        self
    }

    fn reads(self) -> bool {
        self.read || self.plain || self.wildcard || self.brace
    }
}

/// The keyword and its value, when `text` is one of the family.
pub(super) fn keyword(text: &str) -> Option<(&str, &str)> {
    let (word, rest) = text::first_word(text);
    matches!(word, "include" | "includer" | "includem" | "includew" | "includeb" | "includea").then_some((word, rest))
}

/// Whether `text` may become one with what follows it.
pub(super) fn starts_keyword(text: &str) -> bool {
    text.starts_with("include")
}

impl Preprocessor<'_> {
    /// The file that was named by the user.
    pub(super) fn first_file(&mut self, id: FileId, home: &Home) {
        let path = match home {
            Home::File(path) => fs::canonicalize(path).unwrap_or_else(|_| path.clone()),
            Home::Nowhere => PathBuf::new(),
        };
        self.read = self.sources.get(id).map_or(0, |source| source.text().len());
        self.files = 1;
        self.open.push(Open { path, at: None });
        self.file(id);
        self.open.pop();
    }

    /// The directory of the file that is being read.
    pub(super) fn directory(&self) -> String {
        let path = self.open.last().and_then(|open| open.path.parent()).filter(|path| !path.as_os_str().is_empty());
        path.map_or_else(|| ".".to_owned(), |path| path.display().to_string())
    }

    pub(super) fn include(&mut self, piece: Piece<'_>, depth: u32) {
        let Some((word, argument)) = keyword(piece.text) else { return };
        let argument = piece.part(argument);
        let expanded = if argument.text.contains('$') { self.expand(argument, depth) } else { Expanded::Same };
        let pattern = match &expanded {
            Expanded::Same => argument.text,
            Expanded::Text(text, _) => text::trim(text),
            Expanded::Lines(..) | Expanded::Failed => return,
        };
        let at = if argument.text.is_empty() { piece.written } else { argument.written };
        let refuse = |message: String, help: &str| Diagnostic::new(Code::IncludeFailed, at, message).help(help);
        if pattern.is_empty() {
            return self.report(refuse(format!("`{word}` lacks the file's name"), "write `include FILE`"));
        }
        if pattern.contains('"') {
            let help = "remove the quotes: the rest of the line is the name, blanks included";
            return self.report(refuse(format!("quotes would be part of the file's name {pattern}"), help));
        }
        let Home::File(_) = self.home else {
            let message = "a text that comes from no file cannot include any".to_owned();
            return self.report(refuse(message, "put the text into a file"));
        };
        if self.open.len() >= MAX_NESTING {
            let message = format!("files include each other more than {MAX_NESTING} deep");
            return self.report(Diagnostic::new(Code::IncludeTooDeep, at, message).help("this one was not read"));
        }
        let checks = self.checks.with(word);
        let Some(alternatives) = braces(pattern) else {
            let message = format!("`{pattern}` stands for too many names, or its braces are not balanced");
            return self.report(refuse(message, "use several `include` lines"));
        };
        let (mut any, mut missing) = (false, None);
        for alternative in &alternatives {
            let found = self.alternative(alternative, checks, Place { at, frame: piece.frame });
            any |= found;
            missing = missing.or(Some(alternative).filter(|_| !found));
        }
        let Some(missing) = missing.filter(|_| !self.exhausted) else { return };
        let wildcard = is_pattern(pattern);
        let strict =
            (checks.brace && alternatives.len() > 1) || (!any && (checks.wildcard || (checks.plain && !wildcard)));
        if strict {
            let what = if wildcard { "matches no file" } else { "does not exist" };
            let help = "check the name; a relative one begins at the directory of the file that includes it";
            self.report(refuse(format!("`{missing}` {what}"), help));
        } else if !wildcard && !any {
            let message = format!("`{missing}` does not exist, nothing is included");
            let help = "check the name; `includem` makes this an error";
            self.report(Diagnostic::new(Code::IncludeSkipped, at, message).help(help));
        }
    }

    /// Reads the files of one alternative; whether there were any.
    fn alternative(&mut self, name: &str, checks: Checks, place: Place) -> bool {
        let at = place.at;
        let full = Path::new(&self.directory()).join(name);
        if !is_pattern(name) {
            let exists = fs::symlink_metadata(&full).is_ok();
            if exists {
                self.open_file(&full, true, checks, place);
            }
            return exists;
        }
        let base = if Path::new(name).is_absolute() {
            String::new()
        } else {
            format!("{}/", glob::Pattern::escape(&self.directory()))
        };
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        // As the C library has it: `**` is no more than `*`.
        let mut pattern = base + &name.replace("[^", "[!");
        while pattern.contains("**") {
            pattern = pattern.replace("**", "*");
        }
        let paths = match glob::glob_with(&pattern, options) {
            Ok(paths) => paths,
            Err(error) => {
                let message = format!("`{name}` is not a pattern: {}", error.msg);
                let help = "the wildcards are `*`, `?` and `[...]`";
                self.report(Diagnostic::new(Code::IncludeFailed, at, message).help(help));
                return true;
            }
        };
        let mut any = false;
        for path in paths {
            if self.exhausted {
                break;
            }
            match path {
                Ok(path) => {
                    any = true;
                    self.open_file(&path, false, checks, place);
                }
                Err(error) => {
                    let message = format!("cannot read `{}`: {}", error.path().display(), error.error());
                    self.unreadable(message, checks.reads(), at);
                }
            }
        }
        any
    }

    /// `named`: the file was asked for by its own name, so that leaving it out is never what was meant.
    fn open_file(&mut self, path: &Path, named: bool, checks: Checks, place: Place) {
        let at = place.at;
        let name = path.display().to_string();
        let strict = named || checks.reads();
        match fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => {
                return self.unreadable(format!("`{name}` is not a regular file"), strict, at);
            }
            Ok(metadata) if metadata.permissions().mode() & 0o111 != 0 => {
                let message = format!("`{name}` is executable, and such a file is not included");
                return self.unreadable(message, strict, at);
            }
            _ => {}
        }
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if let Some(open) = self.open.iter().position(|open| open.path == real) {
            let message = format!("`{name}` includes itself");
            let mut diagnostic =
                Diagnostic::new(Code::IncludeCycle, at, message).help("remove one of the `include` lines");
            for next in self.open.iter().skip(open + 1) {
                if let Some(at) = next.at {
                    diagnostic = diagnostic.also(at, "by way of this line");
                }
            }
            return self.report(diagnostic);
        }
        if self.files >= MAX_FILES {
            let message = format!("more than {MAX_FILES} files are included");
            let diagnostic = Diagnostic::new(Code::IncludeTooDeep, at, message);
            return self.exhaust(diagnostic.help("nothing was read from here on"));
        }
        let text = match file::read(path, &name) {
            Ok(text) => text,
            Err(fault) => return self.unreadable(fault.message, strict || fault.code != Code::CannotRead, at),
        };
        let included = std::iter::once(at).chain(self.origins.uses(place.frame)).collect();
        self.files += 1;
        self.read += text.text.len();
        let added = Some(text).filter(|_| self.read <= MAX_READ);
        let Some(id) = added.and_then(|text| self.sources.add(name, text.text, text.bad, included)) else {
            let message = format!("all files together are larger than {} MiB", MAX_READ >> 20);
            return self.exhaust(Diagnostic::new(Code::TooLarge, at, message).help("is this the right file?"));
        };
        let checks = self.checks;
        self.open.push(Open { path: real, at: Some(at) });
        self.file(id);
        self.open.pop();
        self.checks = checks;
    }

    fn unreadable(&mut self, message: String, strict: bool, at: Span) {
        let code = if strict { Code::IncludeFailed } else { Code::IncludeSkipped };
        let help = "only regular files that can be read and that nobody may execute are included";
        self.report(Diagnostic::new(code, at, message).help(help));
    }
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// `a{b,c}d` to `abd`, `acd`, braces within braces too; `None` when there are too many or one is not closed.
pub(super) fn braces(pattern: &str) -> Option<Vec<String>> {
    let mut done: Vec<String> = Vec::new();
    // In reverse, so that the first is expanded first.
    let mut waiting = vec![pattern.to_owned()];
    while let Some(next) = waiting.pop() {
        let Some(open) = next.find('{') else {
            done.push(next);
            if done.len() > MAX_FILES {
                return None;
            }
            continue;
        };
        let (mut depth, mut start, mut parts, mut close) = (0_usize, open + 1, Vec::new(), None);
        for (at, c) in next.char_indices().skip_while(|&(at, _)| at < open) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => {
                    parts.push(&next[start..at]);
                    start = at + 1;
                }
                _ => {}
            }
            if depth == 0 {
                parts.push(&next[start..at]);
                close = Some(at);
                break;
            }
        }
        let close = close?;
        if waiting.len() + parts.len() > MAX_FILES {
            return None;
        }
        let whole = |part: &str| format!("{}{part}{}", &next[..open], &next[close + 1..]);
        let expanded: Vec<String> = parts.into_iter().rev().map(whole).collect();
        waiting.extend(expanded);
    }
    Some(done)
}
