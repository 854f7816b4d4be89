//! The configuration reader: keepalived's language to checked values, with errors that teach.
//!
//! Text becomes tokens with spans (`lex`), tokens a tree of statements (`tree`), the tree checked values
//! (`lower`). Every stage reports all it finds and carries on, so that one run shows every fault of a file. Nothing
//! here looks at the host: a configuration can be checked without its interfaces, and without privileges.
//!
//! ```
//! let text = "vrrp_instance VI_1 {
//!     interface eth0
//!     virtual_router_id 51
//!     priority 150
//!     virtual_ipaddress { 192.0.2.1/24 }
//! }";
//! let loaded = vrrp_cli::config::parse_str("keepalived.conf", text);
//! assert!(!loaded.has_errors(), "{}", loaded.render(false));
//! let config = loaded.config.expect("no errors");
//! assert_eq!(config.instances[0].priority.get(), 150);
//! ```

mod diagnostic;
mod keywords;
mod lex;
mod lower;
mod model;
mod script;
mod source;
mod tree;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

pub use self::diagnostic::{Code, Diagnostic, Label, Severity};
pub use self::model::{Config, Global, Initial, Instance, Notify, Script, VirtualAddress};
pub use self::source::{FileId, Location, Source, SourceMap, Span, Spanned};

use self::diagnostic::Sink;
use self::lex::TokenKind;
use self::source::to_usize;

/// Largest file that is read, in octets.
pub const MAX_FILE: u64 = 64 << 20;

/// What reading a configuration came to.
#[derive(Debug)]
pub struct Loaded {
    /// The texts that spans point into.
    pub sources: SourceMap,
    /// The configuration; `None` when there is any error.
    pub config: Option<Config>,
    /// All errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether anything forbids to run this configuration.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error)
    }

    /// All diagnostics as text for a terminal, each followed by an empty line; ANSI colours only when `color`.
    pub fn render(&self, color: bool) -> String {
        let mut text = String::new();
        for diagnostic in &self.diagnostics {
            text.push_str(&self.sources.render(diagnostic, color));
            text.push_str("\n\n");
        }
        text
    }

    fn refused(diagnostic: Diagnostic) -> Self {
        Self { sources: SourceMap::default(), config: None, diagnostics: vec![diagnostic] }
    }
}

/// Reads the configuration file at `path`.
///
/// Never fails otherwise than by [`Loaded::diagnostics`]: a file that cannot be read is one of them.
pub fn load(path: &Path) -> Loaded {
    let name = path.display().to_string();
    let octets = match read(path) {
        Ok(octets) => octets,
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            let message = format!("`{name}` is a directory, not a configuration file");
            return Loaded::refused(Diagnostic::without_place(Code::NotAFile, message).help("name a file in it"));
        }
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            let message = format!("`{name}` is larger than {} MiB", MAX_FILE >> 20);
            return Loaded::refused(Diagnostic::without_place(Code::TooLarge, message).help("is this the right file?"));
        }
        Err(error) => {
            let diagnostic = Diagnostic::without_place(Code::CannotRead, format!("cannot read `{name}`: {error}"));
            return Loaded::refused(match error.kind() {
                io::ErrorKind::NotFound => diagnostic.help("check the path; `-f FILE` names another file"),
                io::ErrorKind::PermissionDenied => diagnostic.help("check the owner and mode of the file and its path"),
                _ => diagnostic.help("check the path and its file system"),
            });
        }
    };
    if octets.starts_with(&[0xff, 0xfe]) || octets.starts_with(&[0xfe, 0xff]) {
        let diagnostic = Diagnostic::without_place(Code::NotUtf8, format!("`{name}` is written in UTF-16"));
        return Loaded::refused(diagnostic.help("save it as UTF-8"));
    }
    let (text, bad) = decode(octets);
    parse(name, text, &bad)
}

/// Reads a configuration from memory; `name` stands for the file's name in messages.
pub fn parse_str(name: &str, text: &str) -> Loaded {
    parse(name.to_owned(), text.to_owned(), &[])
}

/// `bad`: offsets of the characters that stand for octets which are not UTF-8, in ascending order.
fn parse(name: String, text: String, bad: &[usize]) -> Loaded {
    let mut sources = SourceMap::default();
    let too_large = Diagnostic::without_place(Code::TooLarge, format!("`{name}` is larger than 1 GiB"));
    let Some(file) = sources.add(name, text) else { return Loaded::refused(too_large) };
    let mut sink = Sink::default();
    let mut config = None;
    if let Some(source) = sources.get(file) {
        let mut tokens = lex::lex(file, source.text(), &mut sink);
        refuse_bad_words(&mut tokens, bad, &mut sink);
        let statements = tree::build(file, source, &tokens, &mut sink);
        drop(tokens);
        config = lower::lower(&statements, &sources, &mut sink);
    }
    Loaded { sources, config, diagnostics: sink.into_sorted() }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut octets = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut octets)?;
    let read = u64::try_from(octets.len()).unwrap_or(u64::MAX);
    if read > MAX_FILE { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(octets) }
}

/// Replaces what is not UTF-8 and says where; in a comment it does no harm.
fn decode(octets: Vec<u8>) -> (String, Vec<usize>) {
    let octets = match String::from_utf8(octets) {
        Ok(text) => return (text, Vec::new()),
        Err(error) => error.into_bytes(),
    };
    let (mut text, mut bad) = (String::with_capacity(octets.len()), Vec::new());
    for chunk in octets.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            bad.push(text.len());
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    (text, bad)
}

fn refuse_bad_words(tokens: &mut [lex::Token], bad: &[usize], sink: &mut Sink) {
    let mut bad = bad.iter().copied().peekable();
    for token in tokens {
        let mut first = None;
        while let Some(at) = bad.next_if(|&at| at < token.span.range().end) {
            first = first.or(Some(at).filter(|&at| at >= to_usize(token.span.start)));
        }
        let word = matches!(token.kind, TokenKind::Word | TokenKind::Quoted | TokenKind::Broken);
        let Some(at) = first.and_then(|at| u32::try_from(at).ok()).filter(|_| word) else { continue };
        token.kind = TokenKind::Broken;
        let width = u32::try_from(char::REPLACEMENT_CHARACTER.len_utf8()).unwrap_or(1);
        let span = Span { file: token.span.file, start: at, end: at + width };
        let diagnostic = Diagnostic::new(Code::NotUtf8, span, "found octets that are not UTF-8 text")
            .help("save the file as UTF-8, or write this word in ASCII");
        sink.push(diagnostic);
    }
}
