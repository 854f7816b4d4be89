//! What this daemon has and has changed on the host, in a file that outlives it: whatever ends every process of it at once, the
//! next one recognises what was left, and removes or puts back what it is not to have.
//!
//! ```text
//! /run/vrrpctl/NETWORK-PROCESS.lock   held, by the kernel's lock of files, as long as the daemon or its guardian runs
//! /run/vrrpctl/NETWORK-PROCESS.held   replaced as a whole
//! /run/vrrpctl/gate                   held while settings are compared with those of others
//! ```
//!
//! NETWORK is the kernel's number of the network namespace, which is never used again until the next boot. The folder is in
//! memory as a rule; a file that an earlier boot has left says nothing any more. Knows octets of
//! [`Objects`](vrrp_netlink::objects::Objects) and names, not what they are for.

mod fixtures;
mod folder;
mod settings;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::Flock;
use vrrp_netlink::addresses::Address;
use vrrp_netlink::sysctl::Saved;

use super::runtime;
pub(super) use fixtures::{Fixtures, Setting};
pub(super) use folder::{Left, remove as forget};

/// The daemon's own file. Without one, nothing is written.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    own: Option<Own>,
    fixtures: Fixtures,
    /// Files of daemons that died, which are looked at now.
    dead: Vec<PathBuf>,
}

#[derive(Debug)]
struct Own {
    held: PathBuf,
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

/// Held while settings are compared with those of others.
pub(super) struct Gate {
    _lock: Option<Flock<File>>,
}

impl Ledger {
    /// Opens a file of its own in `folder` for the network namespace of this number, and reads what others have left there.
    /// `name_of` says which interface has a number now.
    pub(super) fn open(
        folder: &Path,
        network: u64,
        name_of: impl Fn(u32) -> Option<String>,
    ) -> (Self, Option<Alive>, Left) {
        let boot = text::boot();
        let left = folder::left(folder, network, &boot, name_of).unwrap_or_default();
        match folder::begin(folder, network, &left) {
            Ok((held, file)) => {
                let own = Own { held, boot, cells: BTreeMap::new(), changed: false, complained: false };
                let dead = left.files.clone();
                (Self { own: Some(own), fixtures: Fixtures::default(), dead }, Some(Alive { file }), left)
            }
            Err(error) => {
                tracing::warn!(
                    "cannot write in {}: {error}{}: should every process be killed at once, what is on this host stays",
                    folder.display(),
                    runtime::advice(&error)
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

    /// What is changed beside that.
    pub(super) fn fixtures(&self) -> &Fixtures {
        &self.fixtures
    }

    /// The same, to be changed; written by the next [`Ledger::write`].
    pub(super) fn fixtures_mut(&mut self) -> &mut Fixtures {
        if let Some(own) = &mut self.own {
            own.changed = true;
        }
        &mut self.fixtures
    }

    /// To be held from the look at a setting until it is written down.
    pub(super) fn gate(&self) -> Gate {
        Gate { _lock: self.path().and_then(Path::parent).and_then(settings::gate) }
    }

    /// What other daemons that live have set.
    pub(super) fn elsewhere(&self) -> Vec<Saved> {
        self.path().map(|own| settings::elsewhere(own, &self.dead)).unwrap_or_default()
    }

    /// Puts settings back that are still as they were set, unless another daemon wants them like this; what went wrong.
    pub(super) fn put_back(&self, settings: Vec<Setting>) -> Vec<vrrp_netlink::Error> {
        settings::put_back(self.path(), &self.dead, settings)
    }

    /// Brings the file up to date. `name_of` says which interface has a number.
    pub(super) fn write(&mut self, name_of: impl Fn(u32) -> Option<String>) {
        let Some(own) = &mut self.own else { return };
        if !std::mem::take(&mut own.changed) {
            return;
        }
        let text = text::text(&own.boot, own.cells.values().map(Vec::as_slice), &self.fixtures, name_of);
        match folder::replace(&own.held, &text) {
            Ok(()) => own.complained = false,
            // It is tried again with the next change.
            Err(error) if !own.complained => {
                own.complained = true;
                tracing::warn!(
                    "cannot write {}: {error}: should every process be killed at once, what is on this host stays",
                    own.held.display()
                );
            }
            Err(_) => {}
        }
    }

    /// The end: nothing is on the host any more, unless a cell or something else still says so.
    pub(super) fn close(mut self, name_of: impl Fn(u32) -> Option<String>) {
        self.write(name_of);
        if let Some(own) = self.own.filter(|own| own.cells.is_empty() && self.fixtures.is_empty()) {
            // What cannot be removed says that nothing is held.
            folder::remove(&own.held);
        }
    }
}

/// As [`Ledger::put_back`], for a daemon that died and whose file is `own`.
pub(super) fn put_back(own: Option<&Path>, settings: Vec<Setting>) -> Vec<vrrp_netlink::Error> {
    settings::put_back(own, &[], settings)
}

/// The addresses that daemons have written down, dead or alive. Whoever finds one on the host knows where it came from.
pub(super) fn written(folder: &Path, network: u64, name_of: impl Fn(u32) -> Option<String>) -> Vec<Address> {
    let boot = text::boot();
    let texts = folder::files(folder, network).filter_map(|path| text::read(&folder::read(&path).ok()?, &boot).ok());
    texts.flat_map(|written| written.still(&name_of).objects.addresses).collect()
}
