//! What this daemon changed on the host and puts back, written down so that a later one can do it when this one dies first.
//!
//! Each daemon has a file of its own in the runtime folder, which it keeps locked: a file that nobody has locked is that of
//! a daemon that died. Another line is needed for each kind of change that the kernel does not show by itself; what bears
//! our mark on the host, such as an interface, needs none. Knows settings and files; not what a setting is for.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use vrrp_netlink::sysctl::{Family, Saved};

/// How their names begin; the number of the network namespace follows, and that of the process.
const PREFIX: &str = "leftovers-";
/// Held while files are compared with each other.
const GATE: &str = "leftovers.lock";
/// How long that is waited for, and how often it is tried.
const PATIENCE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(1);

/// The record of one daemon.
pub(super) struct Leftovers {
    /// `None` where it cannot be written: the changes are put back at an orderly stop only.
    record: Option<Record>,
    held: Vec<Saved>,
    /// What dead daemons changed and nobody has set again yet.
    inherited: Vec<Saved>,
}

struct Record {
    folder: PathBuf,
    /// How the names of this network namespace's files begin.
    namespace: String,
    path: PathBuf,
    file: Flock<File>,
}

impl Leftovers {
    /// Begins a record in `folder`, and takes over those of dead daemons. Where that fails it is said, and nothing is recorded.
    pub(super) fn open(folder: &Path) -> Self {
        let mut inherited = Vec::new();
        let record = Record::begin(folder, &mut inherited)
            .inspect_err(|error| {
                let folder = folder.display();
                tracing::warn!(
                    "{folder}: {error}: should this process be killed, settings of interfaces stay as it leaves them"
                );
            })
            .ok();
        if record.is_none() {
            // Whose these are is not known.
            inherited.clear();
        }
        Self { record, held: Vec::new(), inherited }
    }

    /// Puts back what dead daemons changed, for one that records nothing of its own.
    pub(super) fn put_right(folder: &Path) {
        let mut inherited = Vec::new();
        // Without privilege there is nothing that could be put back.
        if folder.exists()
            && let Ok(record) = Record::begin(folder, &mut inherited)
        {
            Self { record: Some(record), held: Vec::new(), inherited }.restore();
        }
    }

    /// Changes a setting, and writes down what it was before that. The same again is only set again.
    pub(super) fn set(&mut self, family: Family, interface: &str, name: &str, value: &str) -> vrrp_netlink::Result<()> {
        let mut planned = Saved::plan(family, interface, name, value)?;
        if self.held.iter().any(|held| held.is_same_place(&planned)) {
            return planned.apply();
        }
        let _gate = self.record.as_ref().map(Record::gate);
        let others = self.record.as_ref().map(|record| record.others(false)).unwrap_or_default();
        let known = self.inherited.iter().chain(&others).find(|other| other.is_same_place(&planned));
        // Whoever changed it before us knew what it was at first.
        if let Some(known) = known {
            planned.inherit(known);
        }
        self.inherited.retain(|other| !other.is_same_place(&planned));
        self.held.push(planned);
        self.write();
        match self.held.last() {
            Some(planned) => planned.apply(),
            None => Ok(()),
        }
    }

    /// Puts back what dead daemons changed and was not set again.
    pub(super) fn settle(&mut self) {
        for saved in self.inherited.drain(..) {
            tracing::info!("{saved} is put back: a daemon that died had changed it");
            restore(saved);
        }
        self.write();
    }

    /// Puts everything back, unless another daemon wants it as it is, and ends the record.
    pub(super) fn restore(&mut self) {
        let gate = self.record.as_ref().map(Record::gate);
        let others = self.record.as_ref().map(|record| record.others(false)).unwrap_or_default();
        for saved in self.held.drain(..).chain(self.inherited.drain(..)) {
            // Who wants it, too, has written down what it was at first.
            if !others.iter().any(|other| other.is_same_place(&saved)) {
                restore(saved);
            }
        }
        if let Some(record) = self.record.take()
            && let Err(error) = fs::remove_file(&record.path)
        {
            tracing::warn!("{}: {error}", record.path.display());
        }
        drop(gate);
    }

    /// A line that is not written costs something only if this process dies, too.
    fn write(&mut self) {
        let Some(record) = &mut self.record else { return };
        let text = lines(self.held.iter().chain(&self.inherited));
        if let Err(error) = record.write(&text) {
            tracing::warn!("{}: {error}", record.path.display());
        }
    }
}

impl Record {
    fn begin(folder: &Path, inherited: &mut Vec<Saved>) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
        let namespace = format!("{PREFIX}{}-", fs::metadata("/proc/thread-self/ns/net")?.ino());
        let path = folder.join(format!("{namespace}{}", std::process::id()));
        let _gate = gate(folder);
        // A file of this name is that of a dead process which had our number.
        inherited.extend(read(&path));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| io::Error::from(errno))?;
        let mut record = Self { folder: folder.to_owned(), namespace, path, file };
        inherited.extend(record.others(true));
        // Ours first, then theirs go: what is written twice is put back once.
        record.write(&lines(inherited.iter()))?;
        record.bury();
        Ok(record)
    }

    /// Nobody else reads or writes records while this is held.
    fn gate(&self) -> Option<Flock<File>> {
        gate(&self.folder)
    }

    /// What other daemons of this network namespace have written: those that are dead, or those that are not.
    fn others(&self, dead: bool) -> Vec<Saved> {
        self.files().filter(|path| is_unlocked(path) == dead).flat_map(|path| read(&path)).collect()
    }

    /// Removes the records of dead daemons.
    fn bury(&self) {
        for path in self.files().filter(|path| is_unlocked(path)) {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!("{}: {error}", path.display());
            }
        }
    }

    fn files(&self) -> impl Iterator<Item = PathBuf> {
        let names = fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        names.filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            *path != self.path && name.is_some_and(|name| name.starts_with(&self.namespace))
        })
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())?;
        let end = self.file.stream_position()?;
        self.file.set_len(end)
    }
}

/// Waits for whoever compares records just now, which takes a moment; for one that was stopped in the midst of it, no longer
/// than [`PATIENCE`]. `None` where it cannot be had: then two daemons that start in the same moment may each take the other's
/// setting for the first one.
fn gate(folder: &Path) -> Option<Flock<File>> {
    let begin = Instant::now();
    // Nobody but its owner can open it, and so hold it.
    let path = folder.join(GATE);
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).ok()?;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(gate) => return Some(gate),
            Err((again, Errno::EWOULDBLOCK | Errno::EINTR)) if begin.elapsed() < PATIENCE => file = again,
            Err(_) => return None,
        }
        thread::sleep(PAUSE);
    }
}

fn is_unlocked(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok())
}

fn lines<'s>(settings: impl Iterator<Item = &'s Saved>) -> String {
    settings.fold(String::new(), |text, saved| text + "setting " + &saved.to_string() + "\n")
}

/// The settings in a file; lines that mean nothing here are a later version's.
fn read(path: &Path) -> Vec<Saved> {
    let mut text = String::new();
    if File::open(path).and_then(|mut file| file.read_to_string(&mut text)).is_err() {
        return Vec::new();
    }
    text.lines().filter_map(|line| line.strip_prefix("setting ")?.parse().ok()).collect()
}

fn restore(saved: Saved) {
    if let Err(error) = saved.restore() {
        tracing::error!("{error}");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_gate_that_somebody_holds_is_waited_for_but_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let held = gate(folder.path()).expect("it is free");
        let mode = fs::metadata(folder.path().join(GATE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "others could lock it");
        let began = Instant::now();
        assert!(gate(folder.path()).is_none() && began.elapsed() >= PATIENCE);
        let waiting = thread::spawn({
            let folder = folder.path().to_owned();
            move || gate(&folder).is_some()
        });
        thread::sleep(PATIENCE / 10);
        drop(held);
        assert!(waiting.join().unwrap());
    }
}
