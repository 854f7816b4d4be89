//! Answers to SIGUSR1 and SIGUSR2: the state and the statistics, each in a file that is replaced as a whole.
//!
//! A thread of its own asks the election for a snapshot and writes it, so that neither the election nor the signals wait for
//! a disk. Knows files; what stands in them is [`Snapshot`]'s.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::runtime::make_folder;
use super::{Feedback, ServeError, ToElection, spawn};
use crate::config::Config;

/// The election answers at its next turn; it does not when it ends.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ask {
    Status,
    Statistics,
}

/// Where the answers go, as far as the configuration says.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    status: Option<PathBuf>,
    statistics: Option<PathBuf>,
    /// Of the daemon.
    name: Option<String>,
}

/// Where they go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Files {
    status: PathBuf,
    statistics: PathBuf,
}

/// The thread; it ends with the last sender of questions.
pub(super) struct Dumps {
    ask: Sender<Ask>,
    thread: JoinHandle<Option<()>>,
}

impl Wanted {
    pub(super) fn new(config: &Config) -> Self {
        let settings = &config.global.settings;
        Self {
            status: settings.state_dump_file.as_ref().map(PathBuf::from),
            statistics: settings.stats_dump_file.as_ref().map(PathBuf::from),
            name: config.process.instance.as_ref().map(|name| name.value.clone()),
        }
    }

    /// What it says; otherwise files in `folder`, after the daemon's name, or after the process that its service manager knows.
    pub(super) fn files(self, folder: &Path, process: u32) -> Files {
        let name = self.name.unwrap_or_else(|| process.to_string());
        let file = |set: Option<PathBuf>, kind: &str| set.unwrap_or_else(|| folder.join(format!("{name}.{kind}")));
        Files { status: file(self.status, "status"), statistics: file(self.statistics, "stats") }
    }
}

impl Dumps {
    /// `guardian` is its process, if there is one.
    pub(super) fn start(wanted: Wanted, guardian: Option<u32>, election: &ToElection) -> Result<Self, ServeError> {
        let files = wanted.files(Path::new(super::RUNTIME), guardian.unwrap_or_else(std::process::id));
        // One that waits is enough: it will be answered by what is true then.
        let (ask, questions) = bounded(2);
        let thread = spawn("dumps", election, {
            let election = election.clone();
            move || run(&files, &questions, &election)
        })?;
        Ok(Self { ask, thread })
    }

    /// Asks; never blocks.
    pub(super) fn sender(&self) -> Sender<Ask> {
        self.ask.clone()
    }

    /// The thread, which ends when nobody can ask any more.
    pub(super) fn close(self) -> JoinHandle<Option<()>> {
        self.thread
    }
}

fn run(files: &Files, questions: &Receiver<Ask>, election: &ToElection) {
    let mut written: Vec<&Path> = Vec::new();
    for ask in questions {
        let (reply, answer) = bounded(1);
        election.send(Feedback::Snapshot(reply));
        let Ok(snapshot) = answer.recv_timeout(PATIENCE) else { continue };
        let (path, text, what) = match ask {
            Ask::Status => (&files.status, snapshot.status(), "status"),
            Ask::Statistics => (&files.statistics, snapshot.statistics(), "statistics"),
        };
        match replace(path, &text) {
            Ok(()) => {
                tracing::info!("{what} written to {}", path.display());
                if !written.contains(&path.as_path()) {
                    written.push(path);
                }
            }
            Err(error) => tracing::error!("{what} cannot be written to {}: {error}", path.display()),
        }
    }
    // They would be taken for those of a daemon that runs.
    for path in written {
        let _ = fs::remove_file(path);
    }
}

/// The old content or the new one, whatever happens. Everybody may read it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is something else than a regular file"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_folder(folder)?;
    let mut file =
        tempfile::Builder::new().prefix(".vrrpctl-").permissions(Permissions::from_mode(0o644)).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/x.status");
        replace(&path, "one\n").unwrap();
        replace(&path, "two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(replace(&link, "three\n").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(replace(folder.path(), "").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    }

    #[test]
    fn a_daemon_with_a_name_has_files_of_that_name() {
        let folder = Path::new("/run/x");
        let nothing = Wanted { status: None, statistics: None, name: None };
        let files = nothing.clone().files(folder, 123);
        assert_eq!(files, Files { status: "/run/x/123.status".into(), statistics: "/run/x/123.stats".into() });
        let named = Wanted { statistics: Some("/tmp/s".into()), name: Some("east".into()), ..nothing };
        let files = named.files(folder, 123);
        assert_eq!(files, Files { status: "/run/x/east.status".into(), statistics: "/tmp/s".into() });
    }
}
