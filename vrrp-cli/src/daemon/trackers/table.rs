//! The processes of this host as `/proc` shows them, and which of them a configuration means. Also, whether two addresses
//! share a network.
//!
//! Knows how programs are called; not who tracks them.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

/// Octets of a process's name that the kernel keeps.
const NAME: usize = 15;
/// Of a command line so much is read.
const COMMAND_LINE: u64 = 64 * 1024;

/// How the parameters of a process are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::daemon) enum Parameters {
    /// They are these and no others.
    Exact,
    /// The first ones are these.
    Partial,
    /// As `Partial`, and the last one may be longer.
    Initial,
}

/// Which processes are meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::daemon) enum Pattern {
    /// Those of this name, or of this program when it has a slash.
    Name(String),
    /// Those that were called like this.
    Command { program: String, parameters: Vec<String>, compare: Parameters },
}

impl Pattern {
    /// Whether the process `pid` is one of them; `false` when there is no such process any more.
    pub(super) fn matches(&self, pid: u32) -> bool {
        let directory = format!("/proc/{pid}");
        let directory = Path::new(&directory);
        let Some(name) = living(directory) else { return false };
        match self {
            Self::Name(wanted) if wanted.contains('/') => runs(directory, wanted),
            Self::Name(wanted) => name == wanted.as_bytes().get(..NAME).unwrap_or(wanted.as_bytes()),
            Self::Command { program, parameters, compare } => {
                let Some(line) = command_line(directory) else { return false };
                let mut words = line.split(|octet| *octet == 0);
                words.next() == Some(program.as_bytes()) && compare.fit(parameters, words)
            }
        }
    }
}

impl Parameters {
    fn fit<'w>(self, wanted: &[String], found: impl Iterator<Item = &'w [u8]>) -> bool {
        let found: Vec<&[u8]> = found.collect();
        let Some((last, first)) = wanted.split_last() else {
            return self != Self::Exact || found.is_empty();
        };
        let begins = found.len() >= wanted.len() && first.iter().zip(&found).all(|(a, b)| a.as_bytes() == *b);
        let behind = found.get(first.len());
        begins
            && match self {
                Self::Exact => found.len() == wanted.len() && behind == Some(&last.as_bytes()),
                Self::Partial => behind == Some(&last.as_bytes()),
                Self::Initial => behind.is_some_and(|word| word.starts_with(last.as_bytes())),
            }
    }
}

/// The numbers of all processes.
pub(super) fn all() -> io::Result<Vec<u32>> {
    let entries = fs::read_dir("/proc")?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}

/// How many processes have this name, or run a program of this file name or path.
pub(super) fn named(name: &str) -> io::Result<usize> {
    let pattern = Pattern::Name(name.to_owned());
    let is_one = |pid: &u32| {
        let directory = format!("/proc/{pid}");
        let by_file = || living(Path::new(&directory)).is_some() && runs(Path::new(&directory), name);
        pattern.matches(*pid) || by_file()
    };
    Ok(all()?.iter().filter(|pid| is_one(pid)).count())
}

/// The name of a process that lives; one that only waits to be waited for does not.
fn living(directory: &Path) -> Option<Vec<u8>> {
    let stat = fs::read(directory.join("stat")).ok()?;
    let open = stat.iter().position(|octet| *octet == b'(')?;
    let close = stat.iter().rposition(|octet| *octet == b')')?;
    let state = stat.get(close + 2)?;
    let name = stat.get(open + 1..close)?;
    (!matches!(state, b'Z' | b'X' | b'x')).then(|| name.to_vec())
}

/// Whether the process runs the program at this path, or of this file name.
fn runs(directory: &Path, program: &str) -> bool {
    let is_it = |path: &[u8]| {
        let file = path.rsplit(|octet| *octet == b'/').next().unwrap_or(path);
        path == program.as_bytes() || (!program.contains('/') && file == program.as_bytes())
    };
    let file = fs::read_link(directory.join("exe")).ok();
    let file = file.map(|file| {
        let octets = file.as_os_str().as_encoded_bytes();
        octets.strip_suffix(b" (deleted)").unwrap_or(octets).to_vec()
    });
    file.is_some_and(|file| is_it(&file))
        || command_line(directory).is_some_and(|line| line.split(|octet| *octet == 0).next().is_some_and(is_it))
}

/// How a process was called; `None` for the kernel's own.
fn command_line(directory: &Path) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut line = Vec::new();
    fs::File::open(directory.join("cmdline")).ok()?.take(COMMAND_LINE).read_to_end(&mut line).ok()?;
    if line.last() == Some(&0) {
        line.pop();
    }
    Some(line).filter(|line| !line.is_empty())
}

/// Whether two addresses have the same first `length` bits.
pub(super) fn same_network(one: IpAddr, other: IpAddr, length: u8) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let ((one, width), (other, other_width)) = (bits(one), bits(other));
    let shift = 128_u32.saturating_sub(length.min(width).into());
    width == other_width && (one ^ other).checked_shr(shift).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests;
