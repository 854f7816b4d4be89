//! What this daemon has on the host, in a file that outlives it: whatever ends every process of it at once, the next one
//! recognises what was left, and removes what it is not to have.
//!
//! ```text
//! /run/vrrpctl/NETWORK-PROCESS.lock   held, by the kernel's lock of files, as long as the daemon or its guardian runs
//! /run/vrrpctl/NETWORK-PROCESS.held   replaced as a whole
//! ```
//!
//! NETWORK is the kernel's number of the network namespace, which is never used again until the next boot. The folder is in
//! memory as a rule; a file that an earlier boot has left says nothing any more. Knows octets of
//! [`Objects`], not what they are for.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::fcntl::{Flock, FlockArg};
use vrrp_netlink::addresses::Address;
use vrrp_netlink::objects::Objects;

use super::lock;

/// First line of each file.
const TITLE: &str = "vrrpctl held 1";
/// No file is longer: 65,536 addresses.
const LONGEST: u64 = 16 << 20;
/// Names that are tried.
const MOST_NAMES: usize = 1000;

/// The daemon's own file. Without one, nothing is written.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    held: PathBuf,
    lock: PathBuf,
    boot: String,
    /// What each cell holds.
    cells: BTreeMap<usize, Vec<u8>>,
    changed: bool,
    /// It was said that the file cannot be written.
    complained: bool,
}

/// Shows that the daemon or its guardian is alive.
#[derive(Debug)]
pub(super) struct Alive {
    file: Flock<File>,
}

impl AsFd for Alive {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// What daemons have left behind that nobody looks after any more.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) objects: Objects,
    /// To be removed when that is done.
    files: Vec<PathBuf>,
    locks: Vec<Flock<File>>,
}

impl Left {
    /// Everything is gone, or adopted: the next daemon need not look.
    pub(super) fn forget(self) {
        let Self { objects: _, files, locks } = self;
        for file in &files {
            // Whoever looks next finds nothing on the host.
            let _ = fs::remove_file(file);
        }
        // Until now, nobody else has looked.
        drop(locks);
    }
}

impl Ledger {
    /// Opens a file of its own in `folder` for the network namespace of this number, and reads what others have left there.
    /// `name_of` says which interface has a number now.
    pub(super) fn open(
        folder: &Path,
        network: u64,
        name_of: impl Fn(u32) -> Option<String>,
    ) -> (Self, Option<Alive>, Left) {
        let boot = boot();
        let left = left(folder, network, &boot, name_of).unwrap_or_default();
        match begin(folder, network, &left) {
            Ok((held, lock, file)) => {
                let own = Own { held, lock, boot, cells: BTreeMap::new(), changed: false, complained: false };
                (Self { own: Some(own) }, Some(Alive { file }), left)
            }
            Err(error) => {
                tracing::warn!(
                    "cannot write in {}: {error}: should every process be killed at once, what is on this host stays",
                    folder.display()
                );
                (Self::default(), None, left)
            }
        }
    }

    /// The file.
    pub(super) fn path(&self) -> Option<&Path> {
        self.own.as_ref().map(|own| own.held.as_path())
    }

    /// What a cell holds from now on; written by the next [`Ledger::write`].
    pub(super) fn holds(&mut self, cell: usize, octets: Vec<u8>) {
        let Some(own) = &mut self.own else { return };
        let before = if octets.is_empty() { own.cells.remove(&cell) } else { own.cells.insert(cell, octets) };
        own.changed |= before.as_ref() != own.cells.get(&cell);
    }

    /// Brings the file up to date. `name_of` says which interface has a number.
    pub(super) fn write(&mut self, name_of: impl Fn(u32) -> Option<String>) {
        let Some(own) = &mut self.own else { return };
        if !std::mem::take(&mut own.changed) {
            return;
        }
        let text = text(&own.boot, own.cells.values().map(Vec::as_slice), name_of);
        match replace(&own.held, &text) {
            Ok(()) => own.complained = false,
            // It is tried again with the next change.
            Err(error) if !own.complained => {
                own.complained = true;
                tracing::warn!("cannot write {}: {error}", own.held.display());
            }
            Err(_) => {}
        }
    }

    /// The end: nothing is on the host any more, unless a cell still says so.
    pub(super) fn close(mut self, name_of: impl Fn(u32) -> Option<String>) {
        self.write(name_of);
        if let Some(own) = self.own.filter(|own| own.cells.is_empty()) {
            // What cannot be removed says that nothing is held.
            let _ = (fs::remove_file(&own.held), fs::remove_file(&own.lock));
        }
    }
}

/// The addresses that daemons have written down, dead or alive. Whoever finds one on the host knows where it came from.
pub(super) fn written(folder: &Path, network: u64, name_of: impl Fn(u32) -> Option<String>) -> Vec<Address> {
    let boot = boot();
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let texts = files.filter(|path| is_of(path, network)).filter_map(|path| fs::read(path).ok());
    texts.filter_map(|octets| read(&octets, &boot, &name_of).ok()).flat_map(|objects| objects.addresses).collect()
}

fn is_of(path: &Path, network: u64) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    stem.starts_with(&format!("{network}-")) && path.extension().is_some_and(|extension| extension == "held")
}

/// Names of this process that no other daemon has, dead or alive: in containers, all of them have the same number.
fn begin(folder: &Path, network: u64, left: &Left) -> io::Result<(PathBuf, PathBuf, Flock<File>)> {
    let process = std::process::id();
    let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
    for number in 0..MOST_NAMES {
        let more = if number == 0 { String::new() } else { format!("-{number}") };
        let held = folder.join(format!("{network}-{process}{more}.held"));
        let lock = held.with_extension("lock");
        if left.files.contains(&held) {
            continue;
        }
        match create(folder, &lock) {
            Ok(file) => return Ok((held, lock, file)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => taken = error,
            Err(error) => return Err(error),
        }
    }
    Err(taken)
}

/// What nobody looks after any more in this network namespace.
fn left(folder: &Path, network: u64, boot: &str, name_of: impl Fn(u32) -> Option<String>) -> io::Result<Left> {
    let mut left = Left::default();
    let until = Instant::now() + lock::PARTING;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !is_of(&path, network) {
            continue;
        }
        let lock = path.with_extension("lock");
        // Whoever holds it is alive, or its guardian is; or it was killed a moment ago.
        let Some(file) = lock::wait_until(until, || lockable(&lock).ok()) else { continue };
        if !path.exists() {
            // Its guardian has done everything meanwhile.
            continue;
        }
        match fs::read(&path).map_err(|error| error.to_string()).and_then(|octets| read(&octets, boot, &name_of)) {
            Ok(objects) => left.objects.append(objects),
            Err(fault) => tracing::warn!(
                "{} {fault}: what a predecessor has left on this host is not known, and stays",
                path.display()
            ),
        }
        left.files.extend([path, lock]);
        left.locks.extend(file);
    }
    Ok(left)
}

/// The lock of a daemon that has ended; `None` within when there is no such file any more.
fn lockable(lock: &Path) -> io::Result<Option<Flock<File>>> {
    match File::open(lock) {
        Ok(file) => Flock::lock(file, FlockArg::LockExclusiveNonblock).map(Some).map_err(|(_, errno)| errno.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn create(folder: &Path, lock: &Path) -> io::Result<Flock<File>> {
    fs::create_dir_all(folder)?;
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(lock)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno.into())
}

/// The old content or the new one, whatever happens.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // It is only in the way.
        let _ = fs::remove_file(&new);
    }
    written
}

/// Title, boot, the names of the interfaces' numbers, a line for each cell, and how many these were.
fn text<'c>(boot: &str, cells: impl Iterator<Item = &'c [u8]>, name_of: impl Fn(u32) -> Option<String>) -> String {
    let mut text = format!("{TITLE}\nboot {boot}\n");
    let mut names = BTreeMap::new();
    let mut count = 0;
    let mut lines = String::new();
    for octets in cells {
        count += 1;
        for index in Objects::read(octets).iter().flat_map(interfaces) {
            names.entry(index).or_insert_with(|| name_of(index).unwrap_or_default());
        }
        lines.push_str("holds ");
        for octet in octets {
            // A text takes whatever is written to it.
            let _ = write!(lines, "{octet:02x}");
        }
        lines.push('\n');
    }
    for (index, name) in names {
        let _ = writeln!(text, "interface {index} {name}");
    }
    text.push_str(&lines);
    let _ = writeln!(text, "end {count}");
    text
}

/// What the text says is held, on interfaces that are still the same; or what is wrong with it. Of another boot: nothing.
fn read(octets: &[u8], boot: &str, name_of: impl Fn(u32) -> Option<String>) -> Result<Objects, String> {
    if u64::try_from(octets.len()).unwrap_or(u64::MAX) > LONGEST {
        return Err(format!("is longer than {LONGEST} octets"));
    }
    let text = std::str::from_utf8(octets).map_err(|_| "is no text".to_owned())?;
    let mut lines = text.lines();
    if lines.next() != Some(TITLE) {
        return Err(format!("does not begin with `{TITLE}`"));
    }
    if !text.lines().next_back().is_some_and(|last| last.starts_with("end ")) {
        return Err("was cut short".to_owned());
    }
    let (mut all, mut count) = (Objects::default(), 0_usize);
    let mut names = BTreeMap::new();
    for line in lines {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "boot" if rest != boot => return Ok(Objects::default()),
            "boot" => {}
            "interface" => {
                let (index, name) = rest.split_once(' ').ok_or("has an interface without a name")?;
                let index: u32 = index.parse().map_err(|_| "has an interface without a number")?;
                names.insert(index, name_of(index).as_deref() == Some(name));
            }
            "holds" => {
                count += 1;
                let octets = octets_of(rest).ok_or("has a line that is not hexadecimal")?;
                all.append(Objects::read(&octets).map_err(|_| "has a line that makes no sense")?);
            }
            "end" if rest.parse() == Ok(count) => {}
            _ => return Err(format!("has a line that is not known: `{}`", word.escape_debug())),
        }
    }
    // An interface that is gone took everything with it, and its number may be another's by now.
    let same = |index: u32| names.get(&index).copied().unwrap_or(false);
    all.addresses.retain(|address| same(address.index));
    all.routes.retain(|route| route.next_hops.iter().filter_map(|hop| hop.index).all(same));
    Ok(all)
}

fn interfaces(objects: &Objects) -> impl Iterator<Item = u32> + '_ {
    let hops = objects.routes.iter().flat_map(|route| route.next_hops.iter().filter_map(|hop| hop.index));
    objects.addresses.iter().map(|address| address.index).chain(hops)
}

fn octets_of(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(octet).collect()
}

/// Differs from boot to boot; empty where the kernel does not tell.
fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use vrrp_netlink::rules::{Action, Family, Rule};

    use super::*;

    fn eth(index: u32) -> Option<String> {
        (index < 10).then(|| format!("eth{index}"))
    }

    fn address(index: u32, last: u8) -> Address {
        Address::new(index, [10, 0, 0, last].into(), 32)
    }

    fn octets(addresses: &[Address]) -> Vec<u8> {
        let mut rule = Rule::new(Family::V4, Action::Table(9));
        rule.priority = Some(100);
        vrrp_netlink::objects::octets(addresses, &[], &[rule])
    }

    #[test]
    fn a_successor_reads_what_the_last_of_a_daemon_held() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("not/yet/there");
        let (mut ledger, alive, left) = Ledger::open(&folder, 7, eth);
        assert!(left.objects.is_empty() && alive.is_some());
        ledger.holds(0, octets(&[address(2, 1), address(3, 2), address(12, 3)]));
        ledger.holds(1, octets(&[address(2, 9)]));
        ledger.write(eth);
        ledger.holds(1, Vec::new());
        ledger.write(eth);
        let read = |network, name_of: fn(u32) -> Option<String>| {
            left_of(&folder, network, name_of).map(|left| left.objects.addresses)
        };
        assert_eq!(read(7, eth), Some(vec![]), "it is alive");
        assert_eq!(written(&folder, 7, eth), [address(2, 1), address(3, 2)]);
        assert!(written(&folder, 8, eth).is_empty());
        drop(alive);
        assert_eq!(read(8, eth), Some(vec![]), "another network's");
        assert_eq!(read(7, eth), Some(vec![address(2, 1), address(3, 2)]), "one interface had no name");
        assert_eq!(read(7, |index| (index == 3).then(|| "eth3".to_owned())), Some(vec![address(3, 2)]));
        left_of(&folder, 7, eth).unwrap().forget();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn daemons_with_one_number_write_beside_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let (one, _one_lives, _) = Ledger::open(folder.path(), 7, eth);
        let (other, _other_lives, left) = Ledger::open(folder.path(), 7, eth);
        assert!(other.path().is_some() && one.path() != other.path() && left.objects.is_empty());
    }

    #[test]
    fn one_that_was_killed_a_moment_ago_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (mut dying, alive, _) = Ledger::open(folder.path(), 7, eth);
        dying.holds(0, octets(&[address(2, 1)]));
        dying.write(eth);
        let end = std::thread::spawn(move || {
            std::thread::sleep(lock::PARTING / 10);
            drop(alive);
        });
        let (_next, _alive, left) = Ledger::open(folder.path(), 7, eth);
        assert_eq!(left.objects.addresses, [address(2, 1)]);
        end.join().unwrap();
    }

    /// The first processes of containers all have the same number.
    #[test]
    fn a_successor_with_the_number_of_the_dead_one_writes_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let (mut dead, alive, _) = Ledger::open(folder.path(), 7, eth);
        dead.holds(0, octets(&[address(2, 1)]));
        dead.write(eth);
        drop((dead, alive));
        let (mut next, alive, left) = Ledger::open(folder.path(), 7, eth);
        assert!(alive.is_some());
        assert_eq!(left.objects.addresses, [address(2, 1)]);
        next.holds(0, octets(&[address(2, 2)]));
        next.write(eth);
        left.forget();
        drop((next, alive));
        let (third, _alive, left) = Ledger::open(folder.path(), 7, eth);
        assert_eq!(left.objects.addresses, [address(2, 2)], "what the second one wrote is still there");
        left.forget();
        third.close(eth);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    fn left_of(folder: &Path, network: u64, name_of: fn(u32) -> Option<String>) -> Option<Left> {
        left(folder, network, &boot(), name_of).ok()
    }

    #[test]
    fn an_orderly_end_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, alive, _) = Ledger::open(folder.path(), 7, eth);
        ledger.holds(0, octets(&[address(2, 1)]));
        ledger.write(eth);
        ledger.holds(0, Vec::new());
        ledger.close(eth);
        drop(alive);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_survived() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let (mut ledger, alive, left) = Ledger::open(&file, 7, eth);
        assert!(alive.is_none() && left.objects.is_empty());
        ledger.holds(0, octets(&[address(2, 1)]));
        ledger.write(eth);
        ledger.close(eth);
    }

    #[test]
    fn damage_is_told_and_never_believed() {
        let whole = text("b", [octets(&[address(2, 1)]).as_slice()].into_iter(), eth);
        let good = |text: &str| read(text.as_bytes(), "b", eth);
        assert_eq!(good(&whole).unwrap().addresses, [address(2, 1)]);
        assert!(read(whole.as_bytes(), "another boot", eth).unwrap().is_empty());
        // Without its last character, the end of a line, nothing is missing.
        for cut in 0..whole.len() - 1 {
            assert!(good(&whole[..cut]).is_err(), "cut at {cut}");
        }
        for (from, to) in [
            ("holds ", "holds x"),
            ("holds ", "holds 00"),
            ("end 1", "end 2"),
            ("interface 2", "interface"),
            ("boot", "boat"),
        ] {
            assert!(good(&whole.replace(from, to)).is_err(), "{from} -> {to}");
        }
        assert!(read(&[0xff; 100], "b", eth).is_err() && read(&[], "b", eth).is_err());
    }
}
