//! Settings of interfaces, between several daemons of one host: whoever changes one that another has changed takes over what it
//! was at first, and the last of them puts it back.
//!
//! Knows the files of others; not what a setting is for.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use vrrp_netlink::sysctl::Saved;

use super::fixtures::Setting;
use super::{folder, text};
use crate::daemon::lock;
use crate::daemon::runtime::CAREFULLY;

/// Held while settings are compared with what others have written down.
const GATE: &str = "gate";
/// How long that is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Waits for whoever compares settings just now, which takes a moment; for one that was stopped in the midst of it, no longer
/// than [`PATIENCE`]. `None` where it cannot be had: then two daemons that start in the same moment may each take the other's
/// setting for the first one.
pub(super) fn gate(folder: &Path) -> Option<Flock<File>> {
    // Nobody but its owner can open it, and so hold it.
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(CAREFULLY);
    let mut file = Some(options.open(folder.join(GATE)).ok()?);
    let until = Instant::now() + PATIENCE;
    lock::wait_until(until, || match Flock::lock(file.take()?, FlockArg::LockExclusiveNonblock) {
        Ok(gate) => Some(Some(gate)),
        Err((again, Errno::EWOULDBLOCK | Errno::EINTR)) => {
            file = Some(again);
            None
        }
        Err(_) => Some(None),
    })
    .flatten()
}

/// The settings that other daemons which live have changed, beside the one whose file is `own`. The locks of those in `dead` are
/// its own.
pub(super) fn elsewhere(own: &Path, dead: &[PathBuf]) -> Vec<Saved> {
    let boot = text::boot();
    let files = folder::siblings(own).filter(|path| *path != own && !dead.contains(path) && folder::lives(path));
    let texts = files.filter_map(|path| text::read(&folder::read(&path).ok()?, &boot).ok());
    texts.flat_map(|written| written.fixtures.settings).map(|setting| setting.saved).collect()
}

/// Puts settings back that are still as they were set, unless another daemon wants them like this; what went wrong. `own` is
/// the file of who had set them; `dead` as for [`elsewhere`].
pub(super) fn put_back(own: Option<&Path>, dead: &[PathBuf], settings: Vec<Setting>) -> Vec<vrrp_netlink::Error> {
    if settings.is_empty() {
        return Vec::new();
    }
    let _gate = own.and_then(Path::parent).and_then(gate);
    let others = own.map(|own| elsewhere(own, dead)).unwrap_or_default();
    let mut failed = Vec::new();
    for Setting { index, saved } in settings {
        // Who wants it, too, has written down what it was at first.
        if !others.iter().any(|other| other.is_same_place(&saved))
            // Another one may have its name by now.
            && let Some(saved) = saved.of_interface(index)
        {
            failed.extend(saved.restore().err());
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::thread;

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
