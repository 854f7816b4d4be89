//! `vrrpctl fmt`: one layout for all configuration files, with their comments.
//!
//! Works on the text as it is typed, not on what it means, so that includes, conditions, definitions and repetitions
//! stay as they are. A line that only the preprocessor understands is not touched.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use self::scan::{Kind, Piece};

pub(crate) mod scan;

/// Blanks for each level of nesting.
const INDENT: usize = 4;

/// Why a text has no layout.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FormatError {
    /// A `}` that closes nothing, on this line (from 1).
    #[error("line {0}: this `}}` closes nothing")]
    Extra(usize),
    /// So many blocks are open at the end.
    #[error("a `}}` is missing: {0} blocks are open at the end")]
    Missing(usize),
    /// A quote without its partner, on this line (from 1).
    #[error("line {0}: a quote is not closed")]
    Quote(usize),
    /// On lines of their own some words would mean something else, such as `$NAME=` behind a brace.
    #[error(
        "a word that stands behind a brace would mean something else on a line of its own; write it there yourself"
    )]
    Ambiguous,
}

/// The text in its layout: four blanks for each level, one setting on a line, one blank between words, no two empty
/// lines. What it means does not change, and a second time changes nothing.
///
/// # Errors
/// When braces or quotes have no partner, because then nobody knows what belongs where; and when the layout itself would
/// be read differently.
pub fn format(text: &str) -> Result<String, FormatError> {
    let formatted = lay_out(text)?;
    if lay_out(&formatted).as_ref() == Ok(&formatted) { Ok(formatted) } else { Err(FormatError::Ambiguous) }
}

fn lay_out(text: &str) -> Result<String, FormatError> {
    let mut layout = Layout::default();
    let mut continued = false;
    let start = text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_ascii_whitespace());
    let skipped = text[..text.len() - start.len()].matches('\n').count();
    for (number, line) in start.lines().enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let verbatim = continued || is_preprocessed(line);
        continued = line.ends_with('\\');
        if verbatim || continued {
            layout.verbatim(line, line.trim_start().starts_with('~'));
        } else {
            layout.line(line, skipped + number + 1)?;
        }
    }
    layout.finish()
}

/// What `vrrpctl fmt` was asked to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FormatOptions {
    /// The files; `-` is standard input, written to standard output.
    pub files: Vec<PathBuf>,
    /// Change nothing, say what would be changed.
    pub check: bool,
}

/// Formats the files. Exit status: 0, 1 when `check` found one that would change, 2 when one could not be formatted.
pub fn run(options: &FormatOptions) -> ExitCode {
    let mut status = 0;
    for file in &options.files {
        status = status.max(match format_file(file, options.check) {
            Ok(changed) => u8::from(changed && options.check),
            Err(error) => {
                // Nobody is left to be told when standard error is closed.
                let _ = writeln!(io::stderr().lock(), "vrrpctl: {}: {error}", file.display());
                2
            }
        });
    }
    ExitCode::from(status)
}

/// Whether it was, or would be, changed.
fn format_file(path: &Path, check: bool) -> Result<bool, Box<dyn std::error::Error>> {
    let stdin = path == Path::new("-");
    let before = if stdin {
        let mut text = String::new();
        io::stdin().lock().take(crate::config::MAX_FILE).read_to_string(&mut text)?;
        text
    } else {
        fs::read_to_string(path)?
    };
    let after = format(&before)?;
    let changed = before != after;
    if check {
        if changed {
            writeln!(io::stdout().lock(), "{}", path.display())?;
        }
    } else if stdin {
        io::stdout().lock().write_all(after.as_bytes())?;
    } else if changed {
        replace(path, &after)?;
    }
    Ok(changed)
}

/// A reader sees the old file or the new one, never a part; a link goes on to lead to it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let path = path.canonicalize()?;
    let before = fs::metadata(&path)?;
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new("/")))?;
    file.write_all(text.as_bytes())?;
    chown(file.path(), Some(before.uid()), Some(before.gid()))?;
    fs::set_permissions(file.path(), before.permissions())?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

/// Definitions `$NAME=...` and repetitions `~SEQ(...)`, whose blanks may matter.
fn is_preprocessed(line: &str) -> bool {
    let line = line.trim_start();
    let name = line.strip_prefix('$').map(|rest| rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'));
    name.is_some_and(|rest| rest.trim_start().starts_with('=')) || line.starts_with('~')
}

/// A line of the result.
#[derive(Default)]
struct Row {
    depth: usize,
    code: String,
    comment: String,
    /// Words alone: a `{` may follow on the next line.
    open_ended: bool,
    verbatim: bool,
}

impl Row {
    fn is_empty(&self) -> bool {
        self.code.is_empty() && self.comment.is_empty() && !self.verbatim
    }
}

#[derive(Default)]
struct Layout {
    rows: Vec<Row>,
    depth: usize,
    /// The file has conditions that hold braces, so that these may not pair up.
    uncertain: bool,
}

impl Layout {
    fn verbatim(&mut self, line: &str, counts: bool) {
        self.rows.push(Row { code: line.to_owned(), verbatim: true, ..Row::default() });
        if counts {
            self.count(&scan::pieces(line));
        }
    }

    /// Takes over the nesting of a line that is kept as it is.
    fn count(&mut self, pieces: &[Piece<'_>]) {
        let count = |kind| pieces.iter().filter(|piece| piece.kind == kind).count();
        let (opened, closed) = (count(Kind::Open), count(Kind::Close));
        self.uncertain |= opened + closed > 0;
        self.depth = (self.depth + opened).saturating_sub(closed);
    }

    fn line(&mut self, line: &str, number: usize) -> Result<(), FormatError> {
        let pieces = scan::pieces(line);
        if pieces.iter().any(|piece| piece.kind == Kind::Unclosed) {
            return Err(FormatError::Quote(number));
        }
        if pieces.is_empty() {
            if self.rows.last().is_some_and(|last| !last.is_empty() && !last.code.ends_with('{')) {
                self.rows.push(Row::default());
            }
            return Ok(());
        }
        // At the end of a line of its own it would continue that line.
        if pieces.iter().any(|piece| piece.kind == Kind::Word && piece.text.ends_with('\\')) {
            self.verbatim(line, true);
            return Ok(());
        }
        // A condition holds for its whole line.
        let brace = |piece: &Piece<'_>| matches!(piece.kind, Kind::Open | Kind::Close);
        if line.trim_start().starts_with('@') && pieces.iter().any(brace) {
            self.push(line.trim().to_owned());
            self.count(&pieces);
            return Ok(());
        }
        // What the preprocessor understands behind a brace is not touched either; nor is the rest of such a line.
        let made = |at: usize| is_preprocessed(&line[at..]) || line[at..].starts_with('@');
        if pieces.windows(2).any(|pair| brace(&pair[0]) && pair[1].kind == Kind::Word && made(pair[1].at)) {
            self.verbatim(line, true);
            return Ok(());
        }
        let first = self.rows.len();
        let mut words: &[Piece<'_>] = &[];
        let mut begin = 0;
        for (at, piece) in pieces.iter().enumerate() {
            if piece.kind == Kind::Word {
                words = &pieces[begin..=at];
                continue;
            }
            begin = at + 1;
            let code = joined(line, std::mem::take(&mut words));
            match piece.kind {
                Kind::Open => self.open(&code),
                Kind::Close => {
                    self.statement(code);
                    self.close(number)?;
                }
                Kind::Comment => {
                    self.statement(code);
                    self.comment(piece.text, first);
                }
                Kind::Word | Kind::Unclosed => {}
            }
        }
        self.statement(joined(line, words));
        Ok(())
    }

    fn push(&mut self, code: String) {
        self.rows.push(Row { depth: self.depth, code, ..Row::default() });
    }

    fn statement(&mut self, code: String) {
        if !code.is_empty() {
            self.push(code);
            if let Some(last) = self.rows.last_mut() {
                last.open_ended = true;
            }
        }
    }

    fn open(&mut self, code: &str) {
        let fits = |row: &Row| row.open_ended && row.comment.is_empty();
        if !code.is_empty() {
            self.push(format!("{code} {{"));
        } else if let Some(row) = self.rows.last_mut().filter(|row| fits(row)) {
            row.code.push_str(" {");
            row.open_ended = false;
        } else {
            self.push("{".to_owned());
        }
        self.depth += 1;
    }

    fn close(&mut self, number: usize) -> Result<(), FormatError> {
        self.depth = match self.depth.checked_sub(1) {
            Some(depth) => depth,
            None if self.uncertain => 0,
            None => return Err(FormatError::Extra(number)),
        };
        while self.rows.last().is_some_and(Row::is_empty) {
            self.rows.pop();
        }
        self.push("}".to_owned());
        Ok(())
    }

    /// Behind what its line holds, or on a line of its own. `first`: the first row made from the same line.
    fn comment(&mut self, text: &str, first: usize) {
        // Without the blank behind it, a backslash would continue the line.
        let text = if text.trim_end().ends_with('\\') { text } else { text.trim_end() }.to_owned();
        let depth = self.depth;
        if self.rows.len() > first
            && let Some(row) = self.rows.last_mut()
        {
            row.comment = text;
        } else {
            self.rows.push(Row { depth, comment: text, ..Row::default() });
        }
    }

    fn finish(mut self) -> Result<String, FormatError> {
        if self.depth > 0 && !self.uncertain {
            return Err(FormatError::Missing(self.depth));
        }
        while self.rows.last().is_some_and(Row::is_empty) {
            self.rows.pop();
        }
        let mut text = String::new();
        let mut rows = self.rows.as_slice();
        while let Some(first) = rows.first() {
            // Comments behind adjacent lines begin at one column.
            let beside = |row: &Row| !row.comment.is_empty() && !row.code.is_empty() && row.depth == first.depth;
            let run = rows.iter().take_while(|row| beside(row)).count().max(1);
            let (aligned, rest) = rows.split_at(run);
            let width = aligned.iter().map(|row| row.code.chars().count()).max().unwrap_or(0);
            for row in aligned {
                write_row(&mut text, row, width);
            }
            rows = rest;
        }
        Ok(text)
    }
}

fn write_row(text: &mut String, row: &Row, width: usize) {
    if !row.verbatim && !row.is_empty() {
        text.extend(std::iter::repeat_n(' ', row.depth * INDENT));
    }
    text.push_str(&row.code);
    if !row.comment.is_empty() {
        if !row.code.is_empty() {
            text.extend(std::iter::repeat_n(' ', width - row.code.chars().count() + 1));
        }
        text.push_str(&row.comment);
    }
    text.push('\n');
}

/// The words with one blank between them; exactly as typed where single quotes may hold blanks that count, and glued
/// where they are.
fn joined(line: &str, words: &[Piece<'_>]) -> String {
    let (Some(first), Some(last)) = (words.first(), words.last()) else { return String::new() };
    if words.iter().any(|word| word.text.contains('\'')) {
        return line[first.at..last.at + last.text.len()].to_owned();
    }
    let mut code = String::new();
    let mut end = first.at;
    for word in words {
        if word.at > end {
            code.push(' ');
        }
        code.push_str(word.text);
        end = word.at + word.text.len();
    }
    code
}
