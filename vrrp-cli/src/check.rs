//! `vrrpctl check`: what is wrong, or unwise, in one configuration file, or in those of all hosts together.
//!
//! Needs neither root nor the interfaces. The reader finds errors; `advice` says what runs but is hardly meant;
//! `pair` compares the hosts. Nothing is started and nothing is changed.
//!
//! Several files are taken as one host each. Virtual routers of two hosts are the same one when they have the same VRID
//! and address family; all interfaces with such a router are taken to be on one LAN.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::{self, Code, Diagnostic, Label, Loaded, Options, Severity};

mod advice;
mod allow;
mod json;
mod pair;
mod place;
pub(crate) mod render;

pub use self::allow::{ParseCodeError, parse_code};

/// More findings about one file, or about all together, are of no use to anybody.
const MOST: usize = 1000;

/// What `vrrpctl check` was asked to do.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct CheckOptions {
    /// One file for each host; at least one.
    pub files: Vec<PathBuf>,
    /// What `@id` is compared with: nothing, one for all files, or one for each.
    pub ids: Vec<String>,
    /// Warnings not to be told of; errors always are.
    pub allow: Vec<Code>,
    /// Warnings make the exit status 1.
    pub deny_warnings: bool,
    /// One JSON object for each finding, not pictures.
    pub json: bool,
    /// Reduces to warnings what keepalived would ignore.
    pub compat: bool,
}

/// A finding, the file it is about, and places in other files that explain it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Index of the file.
    pub host: usize,
    /// The finding; its places are in that file's sources.
    pub diagnostic: Diagnostic,
    /// Places in the files with these indices.
    pub elsewhere: Vec<(usize, Label)>,
}

impl Finding {
    fn new(host: usize, diagnostic: Diagnostic) -> Self {
        Self { host, diagnostic, elsewhere: Vec::new() }
    }

    fn and(mut self, host: usize, span: config::Span, text: impl Into<String>) -> Self {
        self.elsewhere.push((host, Label { span, text: text.into() }));
        self
    }
}

/// All that was found in some files.
#[derive(Debug)]
pub struct Report {
    /// What was read, file by file.
    pub hosts: Vec<Loaded>,
    /// File by file in the order of the text, then what the comparison found.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many findings are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.diagnostic.severity() == severity).count()
    }

    /// All findings as pictures, each followed by an empty line.
    pub fn render(&self, color: bool) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let Some(host) = self.hosts.get(finding.host) else { continue };
            text.push_str(&host.sources.render(&finding.diagnostic, color));
            for (other, label) in &finding.elsewhere {
                if let Some(other) = self.hosts.get(*other) {
                    text.push('\n');
                    text.push_str(&other.sources.render_note(label, color));
                }
            }
            text.push_str("\n\n");
        }
        text
    }

    /// One JSON object a line for each finding.
    pub fn render_json(&self) -> String {
        json::lines(&self.hosts, &self.findings)
    }
}

/// Which findings about a file that was read its own comments do not want.
pub(crate) fn unwanted(loaded: &Loaded) -> impl Fn(&Diagnostic) -> bool + use<> {
    let (allowed, _) = allow::in_comments(loaded);
    move |diagnostic| allow::silences(&allowed, diagnostic)
}

/// Reads and judges the files.
///
/// Scripts are looked for on this host only when there is a single file: others belong to other hosts.
pub fn check(options: &CheckOptions) -> Report {
    let mut hosts = Vec::with_capacity(options.files.len());
    let mut findings = Vec::new();
    for (index, file) in options.files.iter().enumerate() {
        let common = options.ids.first().filter(|_| options.ids.len() == 1);
        let id = options.ids.get(index).or(common).cloned();
        let reading = Options { id, compat: options.compat, ..Options::default() };
        let mut loaded = config::load_with(file, &reading);
        let (mut allowed, unknown) = allow::in_comments(&loaded);
        allowed.extend(&options.allow);
        let mut own = std::mem::take(&mut loaded.diagnostics);
        own.extend(unknown);
        if let Some(config) = loaded.understood() {
            advice::advise(&loaded.sources, config, options.files.len() == 1, &mut own);
        }
        own.sort_by_key(|diagnostic| {
            let span = diagnostic.primary.as_ref().map(|label| loaded.sources.place(label.span));
            (span.is_none(), span)
        });
        own.retain(|diagnostic| !allow::silences(&allowed, diagnostic));
        findings.extend(own.into_iter().map(|diagnostic| Finding::new(index, diagnostic)));
        hosts.push((loaded, allowed));
    }
    if hosts.len() > 1 {
        let mut found = pair::compare(&hosts.iter().map(|(loaded, _)| loaded).collect::<Vec<_>>());
        found.retain(|finding| {
            let places = finding.elsewhere.iter().map(|(host, _)| *host).chain([finding.host]);
            let mut allowing = places.filter_map(|host| hosts.get(host));
            !allowing.any(|(_, allowed)| allow::silences(allowed, &finding.diagnostic))
        });
        found.truncate(MOST);
        findings.extend(found);
    }
    Report { hosts: hosts.into_iter().map(|(loaded, _)| loaded).collect(), findings }
}

/// Prints the report of [`check`] to standard output.
///
/// Exit status: 0, 1 when there are warnings and these are denied, 2 when there are errors.
pub fn run(options: &CheckOptions) -> ExitCode {
    let report = check(options);
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    let mut out = std::io::stdout().lock();
    // Nobody is left to be told when standard output is closed.
    let _ = if options.json {
        out.write_all(report.render_json().as_bytes())
    } else {
        let summary = summary(options.files.len(), errors, warnings);
        writeln!(out, "{}{summary}", report.render(render::stdout_has_color()))
    };
    if errors > 0 { ExitCode::from(2) } else { ExitCode::from(u8::from(warnings > 0 && options.deny_warnings)) }
}

fn summary(files: usize, errors: usize, warnings: usize) -> String {
    let counted = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let found = match (errors, warnings) {
        (0, 0) => "nothing to complain about".to_owned(),
        (0, warnings) => counted(warnings, "warning"),
        (errors, 0) => counted(errors, "error"),
        (errors, warnings) => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
    };
    format!("{} checked: {found}", counted(files, "file"))
}
