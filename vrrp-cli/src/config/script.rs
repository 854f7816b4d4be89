//! Splits the value of a script keyword into words.
//!
//! Such values have richer quoting than the rest of the language: `'...'` groups too, and backslashes escape. The
//! command is split a second time into program and arguments, by the same rules; no shell is involved.

#[cfg(test)]
mod tests;

/// Why a text cannot be split.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SplitError {
    /// `'` or `"` without its partner.
    Unclosed(char),
    /// A backslash at the end, or a number escape without digits, of NUL or above 127.
    BadEscape,
}

/// The words of `text`; quotes glued to other text join with it, as in a shell.
pub(crate) fn split(text: &str) -> Result<Vec<String>, SplitError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if quote == Some(c) {
            quote = None;
        } else if c == '\\' {
            let (c, behind) = escape(rest.as_str()).ok_or(SplitError::BadEscape)?;
            word.get_or_insert_default().push(c);
            rest = behind.chars();
        } else if quote.is_none() && matches!(c, '"' | '\'') {
            quote = Some(c);
            word.get_or_insert_default();
        } else if quote.is_none() && c.is_ascii_whitespace() {
            words.extend(word.take());
        } else {
            word.get_or_insert_default().push(c);
        }
    }
    if let Some(open) = quote {
        return Err(SplitError::Unclosed(open));
    }
    words.extend(word);
    Ok(words)
}

/// A word by which a shell would be told something, and which reaches a program as it stands.
pub(crate) fn shell_word(words: &[String]) -> Option<&str> {
    const ALONE: &[&str] = &["|", "||", "&", "&&", ";"];
    let redirects = |word: &str| {
        let word = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '&');
        word.starts_with('>') || word == "<"
    };
    words.iter().skip(1).map(String::as_str).find(|word| ALONE.contains(word) || redirects(word))
}

/// The character that the escape at the start of `text` (behind its backslash) stands for, and what follows it.
fn escape(text: &str) -> Option<(char, &str)> {
    let first = text.chars().next()?;
    let rest = &text[first.len_utf8()..];
    let simple = match first {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'E' => '\u{1b}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '0'..='7' => return number(text, 8, 3),
        'x' => return number(rest, 16, 2),
        'c' => {
            let key = rest.chars().next().filter(char::is_ascii)?;
            let code = u8::try_from(key).ok()? & 0x1f;
            return Some((char::from(code), &rest[1..])).filter(|_| code != 0);
        }
        other => other,
    };
    Some((simple, rest))
}

fn number(text: &str, radix: u32, longest: usize) -> Option<(char, &str)> {
    let length = text.chars().take(longest).take_while(|c| c.is_digit(radix)).count();
    let (digits, rest) = text.split_at_checked(length)?;
    let code = u8::from_str_radix(digits, radix).ok().filter(|code| (1..=127).contains(code))?;
    Some((char::from(code), rest))
}
