//! The configuration reader: keepalived's language to checked values, with errors that teach.
//!
//! Files become the lines to be read (`preprocess`), lines tokens with spans (`lex`), tokens a tree of statements (`tree`), the tree checked values
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
mod file;
pub(crate) mod keywords;
mod lex;
mod lower;
pub mod model;
mod preprocess;
mod script;
mod secret;
mod source;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;

pub use self::diagnostic::{Code, Diagnostic, Label, Severity};
pub use self::model::{
    CheckSetting, Config, Global, HttpUrl, Initial, InitialValue, Instance, Notify, Script, VirtualAddress,
};
pub use self::source::{FileId, Location, Reason, Source, SourceMap, Span, Spanned, Step, Trace};

use self::diagnostic::Sink;
use self::file::Text;
use self::preprocess::Home;

/// Largest file that is read, in octets.
pub const MAX_FILE: u64 = 64 << 20;

/// What a configuration is read with.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Options {
    /// What `@id` is compared with and `${_INSTANCE}` stands for; `None` for the host's name up to its first dot.
    pub id: Option<String>,
    /// What `${_ENV NAME}` stands for; `None` for the environment of the process.
    pub environment: Option<BTreeMap<String, String>>,
    /// First state of `${_RANDOM}`; `None` for what the file's `random_seed` says, or other numbers each time.
    pub seed: Option<u64>,
    /// How many octets definitions and repetitions may expand to. 64 MiB unless told otherwise.
    pub max_expansion: usize,
    /// Reduces to warnings what keepalived would ignore: see [`Code::can_be_tolerated`].
    pub compat: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { id: None, environment: None, seed: None, max_expansion: 64 << 20, compat: false }
    }
}

impl Options {
    fn config_id(&self) -> String {
        let host = || nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
        self.id.clone().unwrap_or_else(|| host().split('.').next().unwrap_or_default().to_owned())
    }
}

/// What reading a configuration came to.
#[derive(Debug)]
pub struct Loaded {
    /// The texts that spans point into.
    pub sources: SourceMap,
    /// The configuration; `None` when there is any error.
    pub config: Option<Config>,
    /// The configuration when all its errors are of things that are not supported yet.
    draft: Option<Config>,
    /// All errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether anything forbids to run this configuration.
    pub fn has_errors(&self) -> bool {
        has_errors(&self.diagnostics)
    }

    /// What the file says, also when all its errors are of things that are not supported yet ([`Code::NotYet`]): good
    /// enough to give advice about, not to run.
    pub fn understood(&self) -> Option<&Config> {
        self.config.as_ref().or(self.draft.as_ref())
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
        Self { sources: SourceMap::default(), config: None, draft: None, diagnostics: vec![diagnostic] }
    }
}

/// Reads the configuration file at `path` and all that it includes, with the usual [`Options`].
///
/// Never fails otherwise than by [`Loaded::diagnostics`]: a file that cannot be read is one of them.
pub fn load(path: &Path) -> Loaded {
    load_with(path, &Options::default())
}

/// Reads the configuration file at `path` and all that it includes.
///
/// Never fails otherwise than by [`Loaded::diagnostics`]: a file that cannot be read is one of them.
pub fn load_with(path: &Path, options: &Options) -> Loaded {
    let name = path.display().to_string();
    match file::read(path, &name) {
        Ok(text) => parse(name, text, &Home::File(path.to_owned()), options),
        Err(fault) => Loaded::refused(Diagnostic::without_place(fault.code, fault.message).help(fault.help)),
    }
}

/// Reads a configuration from memory, with the usual [`Options`]; `name` stands for the file's name in messages.
///
/// Such a text cannot include files.
pub fn parse_str(name: &str, text: &str) -> Loaded {
    parse_str_with(name, text, &Options::default())
}

/// Reads a configuration from memory; `name` stands for the file's name in messages.
///
/// Such a text cannot include files.
pub fn parse_str_with(name: &str, text: &str, options: &Options) -> Loaded {
    parse(name.to_owned(), Text { text: text.to_owned(), bad: Vec::new() }, &Home::Nowhere, options)
}

fn parse(name: String, text: Text, home: &Home, options: &Options) -> Loaded {
    let mut sources = SourceMap::default();
    let too_large = Diagnostic::without_place(Code::TooLarge, format!("`{name}` is larger than 1 GiB"));
    let Some(first) = sources.add(name, text.text, text.bad, Vec::new()) else { return Loaded::refused(too_large) };
    let mut sink = Sink::new(options.compat);
    let mut understood = None;
    if let Some(chunks) = preprocess::run(first, home, options, &mut sources, &mut sink) {
        let tokens = lex::lex(&sources, &chunks, &mut sink);
        let statements = tree::build(&sources, &tokens, &mut sink);
        drop(tokens);
        understood = lower::lower(&statements, &sources, &mut sink);
    }
    let diagnostics = sink.into_sorted(&sources);
    let (config, draft) = if has_errors(&diagnostics) { (None, understood) } else { (understood, None) };
    Loaded { sources, config, draft, diagnostics }
}

fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error)
}
