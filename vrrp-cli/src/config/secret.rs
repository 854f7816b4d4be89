//! Passwords and keys in configuration text, and text without them.
//!
//! Findings show the lines they are about, and end up in logs, tickets and the output of CI. This module works on lines
//! as they are typed, because a line with a fault must not show its secret either. It knows the keywords that secrets
//! stand behind, and nothing of what is right behind them.

use std::collections::HashSet;
use std::ops::Range;

use super::keywords;
use super::source::{SourceMap, reference};

#[cfg(test)]
mod tests;

/// What people write in place of `auth_pass`; only at the beginning of a line, or of a block.
const PASSWORDS: &[&str] = &["pass", "passwd", "password", "passphrase", "authpass", "auth_password", "auth_key"];
/// Such a part of a definition's name says what it stands for.
const TELLING: &[&str] = &["pass", "secret", "pwd", "key"];
/// The keywords of passwords.
const KEYWORDS: &[&str] = &["auth_pass", "smtp_password"];
/// How differently they may be spelt.
const MISSPELT: usize = 2;

/// The definitions and variables whose values are secrets.
pub(super) type Names = HashSet<String>;

/// Lines with each sign of a secret replaced by one `*`.
pub(super) struct Masked {
    pub(super) text: String,
    /// Octets of the lines that have none in the text, ascending: those behind the first of a replaced character.
    dropped: Vec<usize>,
}

impl Masked {
    pub(super) fn new(lines: &str, names: &Names) -> Self {
        let mut masked = Self { text: String::with_capacity(lines.len()), dropped: Vec::new() };
        let mut at = 0;
        for line in lines.split_inclusive('\n') {
            let mut end = 0;
            for secret in secrets(line, names) {
                masked.text.push_str(&line[end..secret.start]);
                for (offset, c) in line[secret.clone()].char_indices() {
                    masked.text.push('*');
                    let first = at + secret.start + offset;
                    masked.dropped.extend(first + 1..first + c.len_utf8());
                }
                end = secret.end;
            }
            masked.text.push_str(&line[end..]);
            at += line.len();
        }
        masked
    }

    /// Where the octet at `offset` of the lines stands in the text.
    pub(super) fn at(&self, offset: usize) -> usize {
        offset - self.dropped.partition_point(|&dropped| dropped < offset)
    }
}

/// `message`, which speaks of `line`, without the line's secrets.
pub(super) fn without(message: &str, line: &str, names: &Names) -> String {
    let secrets: Vec<&str> = secrets(line, names).into_iter().map(|range| &line[range]).collect();
    if secrets.is_empty() {
        return message.to_owned();
    }
    // What is quoted stands between backticks.
    let parts = message
        .split('`')
        .enumerate()
        .map(|(at, part)| if at % 2 == 1 { hidden(part, &secrets) } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("`")
}

fn hidden(quoted: &str, secrets: &[&str]) -> String {
    let stars = |text: &str| "*".repeat(text.chars().count());
    for &secret in secrets {
        let own = secret.trim_matches('"');
        if let Some(before) = quoted.strip_suffix(own).filter(|_| !own.is_empty())
            && !before.ends_with(char::is_alphanumeric)
        {
            return format!("{before}{}", stars(own));
        }
        let part = quoted.contains(char::is_alphanumeric) && keywords::everywhere(quoted).is_empty();
        if part && secret.contains(quoted) {
            return stars(quoted);
        }
    }
    quoted.to_owned()
}

impl SourceMap {
    /// The definitions that some password or `key` of these sources refers to.
    pub(super) fn secret_names(&self) -> &Names {
        self.secrets().get_or_init(|| {
            let mut names = Names::new();
            for (_, source) in self.files() {
                let text = source.text();
                let places = KEYWORDS.iter().chain(&["key "]).flat_map(|keyword| text.match_indices(keyword));
                for (at, _) in places {
                    let rest = text[at..].lines().next().unwrap_or_default();
                    let used = rest.match_indices('$').filter_map(|(at, _)| reference(&rest[at..]));
                    names.extend(used.map(|used| used.name.to_owned()));
                }
            }
            names
        })
    }
}

/// The secrets of a line, in order.
fn secrets(line: &str, names: &Names) -> Vec<Range<usize>> {
    let trimmed = line.trim_start();
    let start = line.len() - trimmed.len();
    let mut found = Vec::new();
    if let Some(defined) = reference(trimmed).filter(|found| !found.braced)
        && let Some(value) = trimmed[defined.length..].trim_start().strip_prefix('=')
    {
        let at = line.len() - value.len();
        if is_telling(defined.name, names) {
            found.extend(words(value, at).filter(|word| &line[word.clone()] != "\\"));
        } else {
            behind_keywords(value, at, &mut found);
        }
        return found;
    }
    if let Some(list) = trimmed.strip_prefix("~LST(") {
        let (inside, _) = list.split_once(')').unwrap_or((list, ""));
        let variables = if inside.trim_start().starts_with('{') { inside.find('}') } else { inside.find(',') };
        let (variables, values) = inside.split_at(variables.unwrap_or(inside.len()));
        if variables.split(['{', ',', ' ', '\t']).any(|name| is_telling(name, names)) {
            let at = start + "~LST(".len() + variables.len();
            found.extend(words(values, at));
        }
    }
    behind_keywords(line, 0, &mut found);
    found
}

fn is_telling(name: &str, names: &Names) -> bool {
    let lower = name.to_ascii_lowercase();
    names.contains(name) || TELLING.iter().any(|part| lower.contains(part))
}

/// What may follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// A keyword, at the beginning of a line or a block.
    Keyword,
    /// A value that is no secret.
    Value,
    /// The password, whatever it is.
    Password,
    /// The number of a key, or the key.
    Key,
    /// More of the secret: only one word counts, but the others were meant, too.
    More,
}

/// What follows keywords in `line`, which begins at `start`.
fn behind_keywords(line: &str, start: usize, found: &mut Vec<Range<usize>>) {
    let mut next = Next::Keyword;
    for word in words(line, start) {
        let text = &line[word.start - start..word.end - start];
        if text == "\\" {
            continue;
        }
        let own = text.trim_matches(['"', '\'', '“', '”']);
        let ends = text.starts_with(['#', '!', '{', '}']) || !keywords::everywhere(text).is_empty();
        match next {
            Next::Key if own.len() <= 3 && own.bytes().all(|octet| octet.is_ascii_digit()) => continue,
            Next::Key if own.starts_with("file:") => next = Next::Value,
            Next::Password | Next::Key | Next::More if next != Next::More || !ends => {
                next = Next::More;
                if reference(text).is_none_or(|used| used.length < text.len()) {
                    found.push(word);
                }
                continue;
            }
            _ => {}
        }
        let name = text.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-')).unwrap_or(text.len());
        let (name, rest) = text.split_at(name);
        next = match keyword(name, next) {
            Some(secret) => {
                let value = rest.trim_start_matches([':', '=', ',', ';', '：', '，']);
                if !value.is_empty() {
                    found.push(word.end - value.len()..word.end);
                }
                if value.is_empty() { secret } else { Next::More }
            }
            None if text.ends_with(['{', '}']) => Next::Keyword,
            None => Next::Value,
        };
    }
}

/// What follows the word, when it is a keyword of a secret or meant to be one.
fn keyword(name: &str, place: Next) -> Option<Next> {
    let plain = name.replace('-', "_").to_ascii_lowercase();
    if KEYWORDS.iter().any(|keyword| strsim::damerau_levenshtein(&plain, keyword) <= MISSPELT) {
        return Some(Next::Password);
    }
    if place != Next::Keyword {
        return None;
    }
    match plain.as_str() {
        "key" => Some(Next::Key),
        plain if PASSWORDS.contains(&plain) => Some(Next::Password),
        _ => None,
    }
}

/// What stands between blanks of any kind; `at` is where `text` begins.
fn words(text: &str, at: usize) -> impl Iterator<Item = Range<usize>> {
    let start = move |word: &str| at + (word.as_ptr() as usize - text.as_ptr() as usize);
    text.split_whitespace().map(move |word| start(word)..start(word) + word.len())
}
