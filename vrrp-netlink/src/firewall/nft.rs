//! The program `nft`: where it is, and one run of it.
//!
//! Knows how a program is run without waiting for it for ever; nothing of what the rules say.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::{AccessFlags, access};

use crate::process::{exit_descriptor, wait_readable};
use crate::{Error, Result};

/// How long one run may take; a busy machine takes some tens of milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where it is on most hosts; the path of a user who is not root often lacks these.
const USUAL: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// Octets of its words that are kept.
const WORDS_MAX: usize = 400;

/// The program `nft` of this host: in a folder of `PATH`, or where it usually is.
pub fn find() -> Option<PathBuf> {
    find_in(&std::env::var_os("PATH").unwrap_or_default(), &USUAL.map(Path::new))
}

/// The same, in the folders of `path`, which is written as `PATH` is, and then in `more`.
pub fn find_in(path: &OsStr, more: &[&Path]) -> Option<PathBuf> {
    let folders = std::env::split_paths(path).chain(more.iter().map(|folder| folder.to_path_buf()));
    let files = folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join("nft"));
    files.into_iter().find(|file| file.is_file() && access(file, AccessFlags::X_OK).is_ok())
}

/// Whether it says that what it was asked for is not there.
pub(super) fn is_absent(words: &str) -> bool {
    words.contains("No such file or directory")
}

/// Gives `input` to it; what it prints.
pub(super) fn run(nft: &Path, arguments: &[&str], input: &str, operation: &'static str) -> Result<String> {
    attempt(nft, arguments, input).map_err(|failure| match failure {
        Failure::Io(error) => Error::new(operation, error),
        Failure::Refused(status, words) => {
            Error::new(operation, io::Error::other(format!("nft ended with {status}"))).with_kernel_text(words)
        }
    })
}

enum Failure {
    Io(io::Error),
    Refused(ExitStatus, String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn attempt(nft: &Path, arguments: &[&str], input: &str) -> std::result::Result<String, Failure> {
    // Files in memory: a program that hangs cannot fill a pipe and hold its caller with it.
    let [mut given, mut said, mut wrong] = [memory()?, memory()?, memory()?];
    given.write_all(input.as_bytes())?;
    given.rewind()?;
    let mut child = Command::new(nft)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(given)
        .stdout(said.try_clone()?)
        .stderr(wrong.try_clone()?)
        .spawn()?;
    let status = wait(&mut child, PATIENCE)?;
    let mut text = String::new();
    if status.success() {
        said.rewind()?;
        said.read_to_string(&mut text)?;
        Ok(text)
    } else {
        wrong.rewind()?;
        // What it says is for people: half of it is better than an error about an error.
        let mut octets = Vec::new();
        wrong.read_to_end(&mut octets)?;
        Err(Failure::Refused(status, words(&String::from_utf8_lossy(&octets))))
    }
}

/// On one line, without the pictures that show where in the input something is wrong.
fn words(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| line.chars().any(|sign| !matches!(sign, '^' | '~' | ' ')));
    let mut text = lines.collect::<Vec<_>>().join("; ");
    if let Some((end, _)) = text.char_indices().nth(WORDS_MAX) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

fn memory() -> io::Result<File> {
    Ok(memfd_create(c"nft", MFdFlags::MFD_CLOEXEC)?.into())
}

fn wait(child: &mut Child, patience: Duration) -> io::Result<ExitStatus> {
    let other = |error: Error| io::Error::other(error.to_string());
    // Without such descriptors, before Linux 5.3, it is waited for as long as it takes.
    if let Ok(ended) = exit_descriptor(child) {
        let begin = Instant::now();
        while !wait_readable(&ended, Some(patience.saturating_sub(begin.elapsed()))).map_err(other)? {
            if begin.elapsed() >= patience {
                child.kill()?;
                // One that even SIGKILL does not end is left to itself.
                child.try_wait()?;
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("nft took longer than {patience:?}")));
            }
        }
    }
    child.wait()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn one_that_hangs_is_killed() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let error = wait(&mut child, Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(!child.wait().unwrap().success(), "it was killed");
    }

    #[test]
    fn what_it_says_is_kept_on_one_line_and_bounded() {
        let said = "/dev/stdin:1:6: Error: syntax error\ntable inet 1\n     ^~~~\n\n";
        assert_eq!(words(said), "/dev/stdin:1:6: Error: syntax error; table inet 1");
        assert_eq!(words(&"ä".repeat(WORDS_MAX + 1)).chars().count(), WORDS_MAX + 3);
    }

    #[test]
    fn it_is_looked_for_in_the_path_and_where_it_usually_is() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = std::env::temp_dir().join(format!("vrrp-nft-{}", std::process::id()));
        let (first, second) = (folder.join("1"), folder.join("2"));
        for (place, mode) in [(&first, 0o644), (&second, 0o755)] {
            fs::create_dir_all(place).unwrap();
            fs::write(place.join("nft"), "").unwrap();
            fs::set_permissions(place.join("nft"), fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = std::env::join_paths([&first, &second]).unwrap();
        assert_eq!(find_in(&path, &[]), Some(second.join("nft")), "the first one cannot be executed");
        assert_eq!(find_in(OsStr::new(""), &[&second]), Some(second.join("nft")));
        assert_eq!(find_in(OsStr::new("."), &[]), None);
        fs::remove_dir_all(&folder).unwrap();
    }
}
