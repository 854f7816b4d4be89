//! The thread of tracked files: the number that each holds, read when it changes.
//!
//! The directory is watched, so that a file may come, go, be replaced and be truncated. What no event tells of, such as a
//! writer that never closes the file, or a directory that is itself replaced, is found by a look every second.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use nix::sys::statfs::statfs;
use vrrp_core::track::Status;
use vrrp_netlink::process::{Poller, Wakeup};

use crate::config::InitialValue;

/// How often to look without being told.
const LOOK: Duration = Duration::from_secs(1);
/// Whoever writes a file empties it first: it counts as empty when it still is after so long.
const EMPTY: Duration = Duration::from_millis(100);
/// A file that changes all the time is read so often at most.
const PACE: Duration = Duration::from_millis(10);
/// Changes are logged so often at most.
const QUIET: Duration = Duration::from_secs(1);
/// Longer than any number.
const LENGTH: u64 = 64;

/// File systems by their number (linux/magic.h), of which 32 bits count.
const UNWATCHED: &[(i128, &str)] = &[
    (0x9fa0, "proc"),
    (0x6265_6572, "sysfs"),
    (0x6969, "NFS"),
    (0x6573_5546, "FUSE"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB 2"),
];

/// A `track_file`.
#[derive(Clone, Debug)]
pub(in crate::daemon) struct TrackedFile {
    pub(in crate::daemon) name: String,
    pub(in crate::daemon) path: PathBuf,
    pub(in crate::daemon) init: Option<InitialValue>,
}

/// Why a path cannot be tracked, whatever the file will hold; `None` when it can. Completes "... cannot be tracked:".
pub(in crate::daemon) fn unusable(path: &Path) -> Option<String> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => return Some("it is a directory".into()),
        Ok(meta) if !meta.is_file() => return Some("it is not a regular file".into()),
        Ok(_) | Err(_) => {}
    }
    let place = if path.exists() { path } else { path.parent()? };
    let kind = i128::from(statfs(place).ok()?.filesystem_type().0) & 0xffff_ffff;
    let (_, name) = UNWATCHED.iter().find(|(number, _)| *number == kind)?;
    Some(format!("it lies on a file system ({name}) whose changes the kernel does not tell of, or that may hang"))
}

/// Follows the files until `stop` is woken. `tell` hears each new number, by the file's place.
pub(in crate::daemon) fn run(files: Vec<TrackedFile>, stop: &Wakeup, mut tell: impl FnMut(usize, Status)) {
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)
        .inspect_err(|errno| tracing::warn!("files are looked at every second, as they cannot be watched: {errno}"))
        .ok();
    let mut entries: Vec<Entry> = files.into_iter().map(Entry::new).collect();
    for entry in &mut entries {
        entry.initialise();
    }
    let mut poller = Poller::new();
    loop {
        let now = Instant::now();
        for (place, entry) in entries.iter_mut().enumerate().filter(|(_, entry)| entry.next <= now) {
            entry.watch(inotify.as_ref());
            if let Some(value) = entry.look(now) {
                tell(place, Status::Value(value));
            }
        }
        poller.clear();
        let stopping = poller.add(stop);
        let changed = inotify.as_ref().map(|inotify| poller.add(inotify));
        let next = entries.iter().map(|entry| entry.next).min().unwrap_or(now + LOOK);
        if let Err(error) = poller.wait(Some(next.saturating_duration_since(Instant::now()))) {
            tracing::warn!("{error}");
            std::thread::sleep(LOOK);
        }
        if poller.ready(stopping) {
            return;
        }
        if let (Some(inotify), Some(changed)) = (&inotify, changed)
            && poller.ready(changed)
        {
            // Events that were lost are made up for by the next look without one.
            for event in inotify.read_events().unwrap_or_default() {
                for entry in &mut entries {
                    entry.hear(event.wd, event.name.as_ref());
                }
            }
        }
    }
}

struct Entry {
    file: TrackedFile,
    watch: Option<WatchDescriptor>,
    value: Option<i32>,
    next: Instant,
    last: Option<Instant>,
    /// Found empty for the first time.
    empty: Option<Instant>,
    /// What was complained about last.
    complaint: Option<String>,
    logged: Option<Instant>,
}

/// What a look finds.
#[derive(PartialEq, Eq, Debug)]
enum Found {
    Number(i32),
    Missing,
    Empty,
    /// It holds or is something else.
    Odd(String),
}

impl Entry {
    fn new(file: TrackedFile) -> Self {
        let next = Instant::now();
        Self { file, watch: None, value: None, next, last: None, empty: None, complaint: None, logged: None }
    }

    /// Creates the file, as the configuration wants it.
    fn initialise(&mut self) {
        let Some(init) = self.file.init else { return };
        let mut options = OpenOptions::new();
        options.write(true).custom_flags(OFlag::O_NONBLOCK.bits());
        if init.overwrite {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        let written = options.open(&self.file.path).and_then(|mut file| {
            use std::io::Write;
            writeln!(file, "{}", init.value)
        });
        if let Err(error) =
            written.or_else(|error| if error.kind() == ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
        {
            tracing::error!("`{}`: cannot create {}: {error}", self.file.name, self.file.path.display());
        }
    }

    fn watch(&mut self, inotify: Option<&Inotify>) {
        let events = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_ONLYDIR;
        let directory = self.file.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        // The directory may come later. One that is watched already keeps its descriptor.
        self.watch = inotify.and_then(|inotify| inotify.add_watch(directory, events).ok());
    }

    fn hear(&mut self, watch: WatchDescriptor, name: Option<&OsString>) {
        let ours = self.watch == Some(watch) && name.map(OsString::as_os_str) == self.file.path.file_name();
        if ours {
            let soonest = self.last.map_or(self.next, |last| last + PACE);
            self.next = self.next.min(soonest.max(Instant::now()));
        }
    }

    /// Reads the file; its number, when that is new.
    fn look(&mut self, now: Instant) -> Option<i32> {
        self.last = Some(now);
        self.next = now + LOOK;
        let found = read(&self.file.path);
        if found == Found::Empty && self.empty.is_none_or(|since| now < since + EMPTY) {
            let since = *self.empty.get_or_insert(now);
            self.next = since + EMPTY;
            return None;
        }
        if found != Found::Empty {
            self.empty = None;
        }
        let (number, odd) = match found {
            Found::Number(number) => (number, None),
            Found::Missing | Found::Empty => (0, None),
            Found::Odd(reason) => (0, Some(reason)),
        };
        let TrackedFile { name, path, .. } = &self.file;
        if let Some(reason) = odd.as_ref().filter(|_| odd != self.complaint) {
            tracing::warn!("`{name}`: {} {reason}: it counts as 0", path.display());
        }
        self.complaint = odd;
        if self.value == Some(number) {
            return None;
        }
        self.value = Some(number);
        if self.logged.is_none_or(|logged| now >= logged + QUIET) {
            self.logged = Some(now);
            tracing::info!("`{name}` is {number} now");
        }
        Some(number)
    }
}

fn read(path: &Path) -> Found {
    // A FIFO would block whoever opens it.
    let file = match OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Found::Missing,
        Err(error) => return Found::Odd(format!("cannot be read ({error})")),
    };
    match file.metadata() {
        Ok(meta) if meta.is_file() => {}
        Ok(_) => return Found::Odd("is not a regular file".into()),
        Err(error) => return Found::Odd(format!("cannot be read ({error})")),
    }
    let mut octets = Vec::new();
    match file.take(LENGTH).read_to_end(&mut octets) {
        Ok(_) => number(&octets),
        Err(error) => Found::Odd(format!("cannot be read ({error})")),
    }
}

/// The whole number at the beginning; what follows it does not matter.
fn number(octets: &[u8]) -> Found {
    let text = String::from_utf8_lossy(octets);
    let text = text.trim();
    if text.is_empty() {
        return Found::Empty;
    }
    let sign = text.len() - text.trim_start_matches(['-', '+']).len();
    let digits = text.get(sign..).unwrap_or_default();
    let length = digits.len() - digits.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if sign > 1 || length == 0 {
        return Found::Odd(format!("holds `{}`, which is not a number", text.escape_debug()));
    }
    let number = text.get(..sign + length).unwrap_or_default();
    // What is too large for the type is large.
    Found::Number(number.parse().unwrap_or(if text.starts_with('-') { -i32::MAX } else { i32::MAX }))
}

#[cfg(test)]
mod tests;
