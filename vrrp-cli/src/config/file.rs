//! Files to text.
//!
//! Bounded in size; what is not UTF-8 is replaced and remembered. It knows neither the language nor who asks.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::MAX_FILE;
use super::diagnostic::Code;

/// The text of a file.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Text {
    pub(crate) text: String,
    /// Offsets of the characters that stand for octets which are not UTF-8, ascending.
    pub(crate) bad: Vec<u32>,
}

/// Why a file has no text.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

/// Reads the whole file; `name` is what messages call it.
pub(crate) fn read(path: &Path, name: &str) -> Result<Text, Fault> {
    let octets = octets(path).map_err(|error| fault(&error, name))?;
    if octets.starts_with(&[0xff, 0xfe]) || octets.starts_with(&[0xfe, 0xff]) {
        let message = format!("`{name}` is written in UTF-16");
        return Err(Fault { code: Code::NotUtf8, message, help: "save it as UTF-8" });
    }
    Ok(decode(octets))
}

fn octets(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut octets = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut octets)?;
    let read = u64::try_from(octets.len()).unwrap_or(u64::MAX);
    if read > MAX_FILE { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(octets) }
}

fn fault(error: &io::Error, name: &str) -> Fault {
    let (code, message, help) = match error.kind() {
        io::ErrorKind::IsADirectory => {
            (Code::NotAFile, format!("`{name}` is a directory, not a configuration file"), "name a file in it")
        }
        io::ErrorKind::FileTooLarge => {
            let message = format!("`{name}` is larger than {} MiB", MAX_FILE >> 20);
            (Code::TooLarge, message, "is this the right file?")
        }
        kind => {
            let help = match kind {
                io::ErrorKind::NotFound => "check the path; `-f FILE` names another file",
                io::ErrorKind::PermissionDenied => "check the owner and mode of the file and its path",
                _ => "check the path and its file system",
            };
            (Code::CannotRead, format!("cannot read `{name}`: {error}"), help)
        }
    };
    Fault { code, message, help }
}

fn decode(octets: Vec<u8>) -> Text {
    let octets = match String::from_utf8(octets) {
        Ok(text) => return Text { text, bad: Vec::new() },
        Err(error) => error.into_bytes(),
    };
    let (mut text, mut bad) = (String::with_capacity(octets.len()), Vec::new());
    for chunk in octets.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            bad.extend(u32::try_from(text.len()));
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    Text { text, bad }
}
