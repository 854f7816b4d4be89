//! Words in the form that the reader takes for them: quotes, escapes, commands, times.

use std::time::Duration;

/// A word, quoted when it needs to be.
pub(super) fn word(text: &str) -> String {
    let plain =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | ':' | '-' | '+' | '@' | ',' | '=' | '%' | '*');
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('@') {
        return text.to_owned();
    }
    // Between quotes nothing is an escape but `\"`, and that keeps its backslash.
    let unescaped = text.replace("\\\"", "");
    if !unescaped.contains('"') && !text.ends_with('\\') {
        return format!("\"{text}\"");
    }
    text.replace('#', "\\#").replace('!', "\\!")
}

/// Seconds with as many decimals as there are.
pub(super) fn seconds(time: Duration) -> String {
    let text = format!("{}.{:06}", time.as_secs(), time.subsec_micros());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A command and whom to run it as: its words are quoted, and all of them together once more.
pub(super) fn command(words: &[String], user: Option<&str>, group: Option<&str>) -> String {
    let inner: Vec<String> = words.iter().map(|word| argument(word)).collect();
    let inner = inner.join(" ").replace('\\', "\\\\").replace('"', "\\\"");
    let owner: Vec<String> = user.into_iter().chain(group).map(argument).collect();
    format!("\"{inner}\" {}", owner.join(" ")).trim_end().to_owned()
}

/// A word of a command, which has quotes and escapes of its own.
fn argument(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | ':' | '-' | '+' | '@' | ',' | '=');
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut quoted = String::from("'");
    for c in text.chars() {
        match c {
            '\\' | '\'' => quoted.extend(['\\', c]),
            c if c.is_ascii_control() => {
                let code = format!("\\x{:02x}", u32::from(c));
                quoted.push_str(&code);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// The password without its filling. One that was cut within a character is completed by some octets that are cut
/// again.
pub(super) fn password(octets: &[u8]) -> String {
    let end = octets.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
    let octets = octets.get(..end).unwrap_or_default();
    let tails: [&[u8]; 7] = [b"", b"\x80", b"\x80\x80", b"\xa0\x80", b"\x90\x80", b"\x80\x80\x80", b"\x90\x80\x80"];
    let whole = tails.iter().find_map(|tail| String::from_utf8([octets, tail].concat()).ok());
    whole.unwrap_or_else(|| String::from_utf8_lossy(octets).into_owned())
}
