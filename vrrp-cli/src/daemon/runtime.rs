//! The folder of a daemon that has a name among several on the host, and the file in it that says which process it is.
//!
//! A file that is locked belongs to a daemon that runs; the kernel unlocks it when its process is gone, however that ended.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg, OFlag};

/// The file that holds the process id.
const PID: &str = "pid";
/// Daemons of this name that end while this one starts.
const TRIES: usize = 100;

/// A named daemon's folder. It goes with the value.
#[derive(Debug)]
pub(super) struct Runtime {
    folder: PathBuf,
    _lock: Flock<File>,
}

/// How files of ours are opened. The folder may belong to another user, under whom the daemon ran once: what that one has put in
/// their place is neither followed to other files nor waited for.
pub(super) const CAREFULLY: i32 = OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK).bits();

/// Makes a folder, and those that it is in, where nobody else can put anything, whatever the daemon was started with: what stands
/// there is believed.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(folder)
}

/// What to do about a file of ours that cannot be made.
pub(super) fn advice(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::PermissionDenied {
        " (the folder must be this user's: `RuntimeDirectory=vrrpctl` in systemd's unit, or `install -d -o USER`)"
    } else {
        ""
    }
}

/// Why there is no folder.
#[derive(Debug)]
pub(super) enum Error {
    /// Another daemon has it; what it says its process is.
    Taken(String),
    /// It cannot be made.
    Io(PathBuf, io::Error),
}

impl Runtime {
    /// Makes the folder `name` in `parent`, or takes over that of a daemon that is gone.
    pub(super) fn take(parent: &Path, name: &str) -> Result<Self, Error> {
        let folder = parent.join(name);
        for _ in 0..TRIES {
            if let Some(runtime) = Self::try_take(&folder)? {
                return Ok(runtime);
            }
        }
        Err(Error::Io(folder, io::Error::new(io::ErrorKind::NotFound, "it goes as soon as it is made")))
    }

    /// `None` when the file was removed by its daemon before it could be locked.
    fn try_take(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(PID);
        let fail = |error: io::Error| Error::Io(folder.to_owned(), error);
        let begin = || -> io::Result<File> {
            make_folder(folder)?;
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(CAREFULLY);
            let file = options.open(&path)?;
            // Whoever can open it can lock it, and so keep a daemon of this name from starting. One that is left behind may
            // have been made with other rights.
            file.set_permissions(Permissions::from_mode(0o600))?;
            Ok(file)
        };
        let file = match begin() {
            // The folder went meanwhile, too.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            outcome => outcome.map_err(fail)?,
        };
        let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                let pid = fs::read_to_string(&path).unwrap_or_default();
                return Err(Error::Taken(pid.trim().to_owned()));
            }
            Err((_, errno)) => return Err(fail(errno.into())),
        };
        let ours = lock.metadata().map_err(fail)?.ino();
        if fs::metadata(&path).map_or(true, |there| there.ino() != ours) {
            return Ok(None);
        }
        let write = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        write.map_err(fail)?;
        Ok(Some(Self { folder: folder.to_owned(), _lock: lock }))
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // While it is still locked. What others have put into the folder keeps it.
        if fs::remove_file(self.folder.join(PID)).is_ok() {
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_daemons_and_comes_free_with_it() {
        let parent = tempfile::tempdir().unwrap();
        let parent = parent.path().join("vrrpctl");
        let east = Runtime::take(&parent, "east").unwrap();
        let pid = std::process::id().to_string();
        assert_eq!(fs::read_to_string(parent.join("east/pid")).unwrap().trim(), pid);
        match Runtime::take(&parent, "east") {
            Err(Error::Taken(who)) => assert_eq!(who, pid),
            other => panic!("{other:?}"),
        }
        let west = Runtime::take(&parent, "west").unwrap();
        drop(east);
        assert!(!parent.join("east").exists());
        // What a killed one leaves is a file that nobody has locked.
        fs::create_dir(parent.join("east")).unwrap();
        fs::write(parent.join("east/pid"), "123456789\n").unwrap();
        let east = Runtime::take(&parent, "east").unwrap();
        assert_eq!(fs::read_to_string(parent.join("east/pid")).unwrap().trim(), pid);
        let mode = fs::metadata(parent.join("east/pid")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "others could lock it");
        drop((east, west));
        assert_eq!(fs::read_dir(&parent).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_is_told() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("east"), "").unwrap();
        assert!(matches!(Runtime::take(parent.path(), "east"), Err(Error::Io(path, _)) if path.ends_with("east")));
    }
}
