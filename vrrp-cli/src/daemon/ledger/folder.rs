//! The folder of the daemons' files: whose daemon lives, and what those that died have left.
//!
//! A lock belongs to a daemon that lives, or whose guardian does; the kernel ends it with the last of them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::fcntl::{Flock, FlockArg};
use vrrp_netlink::objects::Objects;

use super::fixtures::Setting;
use super::text;
use crate::daemon::lock;
use crate::daemon::runtime::{CAREFULLY, make_folder};

/// Names that are tried.
const MOST_NAMES: usize = 1000;

/// What daemons have left behind that nobody looks after any more.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Left {
    pub(in crate::daemon) objects: Objects,
    pub(in crate::daemon) settings: Vec<Setting>,
    pub(in crate::daemon) tables: Vec<String>,
    /// To be removed when that is done.
    pub(super) files: Vec<PathBuf>,
    locks: Vec<Flock<File>>,
}

impl Left {
    /// Everything is gone, or adopted: the next daemon need not look.
    pub(in crate::daemon) fn forget(self) {
        let Self { objects: _, settings: _, tables: _, files, locks } = self;
        for held in &files {
            remove(held);
        }
        // Until now, nobody else has looked.
        drop(locks);
    }
}

/// Removes a daemon's file and what belongs to it.
pub(in crate::daemon) fn remove(held: &Path) {
    for extension in ["held", "new", "lock"] {
        // A successor that finds it all the same finds nothing on the host.
        let _ = fs::remove_file(held.with_extension(extension));
    }
}

/// Names of this process that no other daemon has, dead or alive: in containers, all of them have the same number.
pub(super) fn begin(folder: &Path, network: u64, left: &Left) -> io::Result<(PathBuf, Flock<File>)> {
    let process = std::process::id();
    let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
    make_folder(folder)?;
    for number in 0..MOST_NAMES {
        let more = if number == 0 { String::new() } else { format!("-{number}") };
        let held = folder.join(format!("{network}-{process}{more}.held"));
        if left.files.contains(&held) {
            continue;
        }
        match create(&held.with_extension("lock")) {
            Ok(file) => return Ok((held, file)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => taken = error,
            Err(error) => return Err(error),
        }
    }
    Err(taken)
}

/// What nobody looks after any more in this network namespace. What says nothing any more goes, whatever namespace it is of.
pub(super) fn left(
    folder: &Path,
    network: u64,
    boot: &str,
    name_of: impl Fn(u32) -> Option<String>,
) -> io::Result<Left> {
    let mut left = Left::default();
    let until = Instant::now() + lock::PARTING;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("held") if is_of(&path, network) => {}
            Some("lock") => {
                sweep(&path.with_extension("held"), boot);
                continue;
            }
            _ => continue,
        }
        // Whoever holds it is alive, or its guardian is; or it was killed a moment ago.
        let Some(file) = lock::wait_until(until, || lockable(&path).ok()) else { continue };
        if !path.exists() {
            // Its guardian has done everything meanwhile.
            continue;
        }
        match read(&path).map_err(|error| error.to_string()).and_then(|octets| text::read(&octets, boot)) {
            Ok(written) => {
                let written = written.still(&name_of);
                left.objects.append(written.objects);
                left.settings.extend(written.fixtures.settings);
                left.tables.extend(written.fixtures.tables);
            }
            Err(fault) => tracing::warn!(
                "{} {fault}: what a predecessor has left on this host is not known, and stays",
                path.display()
            ),
        }
        left.files.push(path);
        left.locks.extend(file);
    }
    Ok(left)
}

/// Removes what was left by a daemon that held nothing, or of which an earlier boot has removed everything.
fn sweep(held: &Path, boot: &str) {
    let is_nothing = || match read(held) {
        Ok(octets) => text::is_of_another_boot(&octets, boot),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    // Once more while it is locked, when nobody else begins to use it.
    if is_a_daemons(held)
        && is_nothing()
        && let Ok(Some(_lock)) = lockable(held)
        && is_nothing()
    {
        remove(held);
    }
}

/// The files of all daemons of the network namespace that `own` is of, the same among them.
pub(super) fn siblings(own: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let network = own.file_name().and_then(|name| name.to_str()?.split('-').next()?.parse().ok());
    files(own.parent().unwrap_or(own), network.unwrap_or_default())
}

/// The files of all daemons of a network namespace.
pub(super) fn files(folder: &Path, network: u64) -> impl Iterator<Item = PathBuf> + use<> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    files.filter(move |path| is_of(path, network))
}

/// Whether the daemon of this file lives.
pub(super) fn lives(held: &Path) -> bool {
    lockable(held).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

fn is_of(path: &Path, network: u64) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    stem.starts_with(&format!("{network}-")) && path.extension().is_some_and(|extension| extension == "held")
}

/// Whether it is named as such files are: others may have put something into the folder.
fn is_a_daemons(held: &Path) -> bool {
    let stem = held.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let numbers: Vec<&str> = stem.split('-').collect();
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit());
    matches!(numbers.len(), 2 | 3) && numbers.iter().all(number)
}

/// The lock of a daemon that has ended; `None` within when there is no such file any more.
fn lockable(held: &Path) -> io::Result<Option<Flock<File>>> {
    match existing(&held.with_extension("lock")) {
        Ok(file) => Flock::lock(file, FlockArg::LockExclusiveNonblock).map(Some).map_err(|(_, errno)| errno.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a file says.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    existing(path)?.read_to_end(&mut octets)?;
    Ok(octets)
}

fn existing(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(CAREFULLY).open(path)
}

fn anew(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).custom_flags(CAREFULLY).open(path)
}

/// `WouldBlock` when another has it, or has removed it meanwhile as a dead one's.
fn create(lock: &Path) -> io::Result<Flock<File>> {
    let file = anew(lock)?;
    let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| io::Error::from(errno))?;
    let ours = file.metadata()?.ino();
    if fs::metadata(lock).is_ok_and(|there| there.ino() == ours) {
        Ok(file)
    } else {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// The old content or the new one, whatever happens.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = anew(&new)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // It is only in the way.
        let _ = fs::remove_file(&new);
    }
    written
}
