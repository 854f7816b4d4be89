//! Which warnings are not wanted: by option, or by a comment `# vrrpctl: allow W103, W110` anywhere in the file.

use crate::config::{Code, Diagnostic, Loaded, Severity, Span};
use crate::fmt::scan::{self, Kind};

const MARK: &str = "vrrpctl: allow ";

/// Not the code of a warning.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseCodeError {
    /// Nothing has this code.
    #[error("no warning has the code `{0}`")]
    Unknown(String),
    /// Errors cannot be allowed.
    #[error("`{0}` is an error: only warnings, `W...`, can be allowed")]
    Error(Code),
}

/// The warning with this code, like `W103`.
pub fn parse_code(text: &str) -> Result<Code, ParseCodeError> {
    let found = Code::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text));
    match found {
        Some(code) if code.severity() == Severity::Warning => Ok(code),
        Some(code) => Err(ParseCodeError::Error(code)),
        None => Err(ParseCodeError::Unknown(text.to_owned())),
    }
}

pub(super) fn silences(allowed: &[Code], diagnostic: &Diagnostic) -> bool {
    diagnostic.severity() == Severity::Warning && allowed.contains(&diagnostic.code)
}

/// The codes that comments allow, for the whole configuration; and what is wrong with these comments.
pub(super) fn in_comments(loaded: &Loaded) -> (Vec<Code>, Vec<Diagnostic>) {
    let (mut allowed, mut wrong) = (Vec::new(), Vec::new());
    for (file, source) in loaded.sources.files() {
        let text = source.text();
        for (found, _) in text.match_indices(MARK) {
            let start = text[..found].rfind('\n').map_or(0, |at| at + 1);
            let line = text[start..].lines().next().unwrap_or_default();
            let pieces = scan::pieces(line);
            let comment = pieces.last().filter(|last| last.kind == Kind::Comment && start + last.at < found);
            // A comment that speaks of such comments is none.
            let lead = comment.map(|comment| line[comment.at..found - start].trim_start_matches(['#', '!']).trim());
            if lead != Some("") {
                continue;
            }
            let codes = line.get(found - start + MARK.len()..).unwrap_or_default();
            let codes = codes.split([',', ' ', '\t', '\r']).filter(|code| !code.is_empty());
            // What follows the first word that is no code explains why.
            for (at, code) in codes.enumerate() {
                match parse_code(code) {
                    Ok(code) => allowed.push(code),
                    Err(_) if at > 0 && !looks_like_code(code) => break,
                    Err(error) => {
                        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
                        let at = code.as_ptr() as usize - text.as_ptr() as usize;
                        let span = Span { file, start: offset(at), end: offset(at + code.len()) };
                        let help = "warnings have codes like `W103`; write `# vrrpctl: allow W103`";
                        wrong.push(Diagnostic::new(Code::UnknownAllow, span, error.to_string()).help(help));
                    }
                }
            }
        }
    }
    (allowed, wrong)
}

fn looks_like_code(word: &str) -> bool {
    word.len() == 4 && word.starts_with(['W', 'E', 'w', 'e']) && word[1..].bytes().all(|octet| octet.is_ascii_digit())
}
