//! The thread's body with real files.

use std::os::unix::fs::symlink;

use crossbeam_channel::Receiver;

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

struct Thread {
    stop: Wakeup,
    told: Receiver<(usize, Status)>,
}

impl Thread {
    fn start(path: &Path, init: Option<InitialValue>) -> Self {
        let stop = Wakeup::new().unwrap();
        let (sender, told) = crossbeam_channel::unbounded();
        let (waker, file) = (stop.clone(), TrackedFile { name: "f".into(), path: path.into(), init });
        std::thread::spawn(move || run(vec![file], &waker, |place, status| sender.send((place, status)).unwrap()));
        Self { stop, told }
    }

    /// Everything up to `last`.
    #[track_caller]
    fn tells(&self, last: i32) -> Vec<i32> {
        let mut all = Vec::new();
        while all.last() != Some(&last) {
            match self.told.recv_timeout(PATIENCE) {
                Ok((0, Status::Value(value))) => all.push(value),
                other => panic!("{other:?} instead of {last}"),
            }
        }
        all
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop.wake();
    }
}

#[test]
fn a_file_is_followed_through_everything_that_can_happen_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("value");
    let thread = Thread::start(&path, None);
    assert_eq!(thread.tells(0), [0], "there is none");
    fs::write(&path, "-5\n").unwrap();
    thread.tells(-5);
    // Whoever writes it empties it first: nobody sees that.
    let mut empty = 0;
    for value in 1..20 {
        fs::write(&path, format!("{value}")).unwrap();
        empty += thread.tells(value).len() - 1;
    }
    assert!(empty < 5, "{empty} times, and the machine cannot be that slow");
    let other = folder.path().join("other");
    fs::write(&other, "7 is the number").unwrap();
    fs::rename(&other, &path).unwrap();
    assert_eq!(thread.tells(7), [7], "replaced");
    fs::rename(&path, &other).unwrap();
    assert_eq!(thread.tells(0), [0], "moved away");
    symlink(&other, &path).unwrap();
    assert_eq!(thread.tells(7), [7], "a link");
    fs::remove_file(&path).unwrap();
    assert_eq!(thread.tells(0), [0], "deleted");
    fs::write(&path, "8").unwrap();
    thread.tells(8);
    fs::write(&path, "").unwrap();
    assert_eq!(thread.tells(0), [0], "emptied for good");
    fs::write(&path, "9").unwrap();
    thread.tells(9);
    fs::write(&path, "nine").unwrap();
    assert_eq!(thread.tells(0), [0], "no number");
    fs::write(&path, "10").unwrap();
    thread.tells(10);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(thread.tells(0), [0], "a directory");
}

#[test]
fn a_directory_may_come_later_and_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("later");
    let thread = Thread::start(&directory.join("value"), None);
    thread.tells(0);
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("value"), "3").unwrap();
    thread.tells(3);
    let new = folder.path().join("new");
    fs::create_dir(&new).unwrap();
    fs::write(new.join("value"), "4").unwrap();
    fs::rename(&directory, folder.path().join("old")).unwrap();
    fs::rename(&new, &directory).unwrap();
    thread.tells(4);
}

#[test]
fn a_file_is_created_as_the_configuration_wants_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("value");
    let init = |overwrite| Some(InitialValue { value: -3, overwrite });
    Thread::start(&path, init(false)).tells(-3);
    assert_eq!(fs::read_to_string(&path).unwrap(), "-3\n");
    fs::write(&path, "12").unwrap();
    Thread::start(&path, init(false)).tells(12);
    Thread::start(&path, init(true)).tells(-3);
    // Where it cannot be created, it is missing.
    Thread::start(&folder.path().join("missing/value"), init(true)).tells(0);
}

#[test]
fn numbers_are_read_from_the_beginning() {
    for (text, value) in
        [("5", 5), (" -254\nx", -254), ("+7", 7), ("12abc", 12), ("99999999999", i32::MAX), ("-99999999999", -i32::MAX)]
    {
        assert_eq!(number(text.as_bytes()), Found::Number(value), "{text:?}");
    }
    assert_eq!(number(b" \n"), Found::Empty);
    for text in [&b"x5"[..], b"--5", b"-", b"\xff\xfe"] {
        assert!(matches!(number(text), Found::Odd(_)), "{text:?}");
    }
}

#[test]
fn what_cannot_be_tracked_is_known_beforehand() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(unusable(folder.path()).as_deref(), Some("it is a directory"));
    assert_eq!(unusable(Path::new("/dev/null")).as_deref(), Some("it is not a regular file"));
    assert!(unusable(Path::new("/proc/self/stat")).is_some_and(|reason| reason.contains("(proc)")));
    assert!(unusable(Path::new("/proc/no-such-file")).is_some_and(|reason| reason.contains("(proc)")));
    assert_eq!(unusable(&folder.path().join("value")), None);
    assert_eq!(unusable(&folder.path().join("no/such/directory")), None);
}
