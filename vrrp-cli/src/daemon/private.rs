//! Files that hold one secret on one line, and that nobody but their owner may use.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc;

/// What only the owner of such a file may do.
const OTHERS: u32 = 0o077;

/// The line of at most `longest` octets; or what is wrong with the file, and what to do.
pub(super) fn line(path: &Path, longest: u64) -> Result<String, (String, &'static str)> {
    let unreadable = |error: io::Error| (format!("cannot be read: {error}"), "check the path, and the file's owner");
    // A pipe would be waited for.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(("is not a regular file".into(), "name a file that holds the secret on one line"));
    }
    if metadata.mode() & OTHERS != 0 {
        let fault = format!("has mode {:03o}: others than its owner could use it", metadata.mode() & 0o777);
        return Err((fault, "take their rights away: chmod 600"));
    }
    let mut text = String::new();
    file.take(longest).read_to_string(&mut text).map_err(unreadable)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
