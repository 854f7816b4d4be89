//! The whole story on a real network, and the screen's two manners.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Instant;

use super::screen::Paint;
use super::*;

/// Output that a test reads, as it is written.
struct Tap(Sender<Vec<u8>>);

impl Write for Tap {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.send(octets.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn tap(color: bool, live: bool) -> (Screen, mpsc::Receiver<Vec<u8>>) {
    let (sender, receiver) = mpsc::channel();
    (Screen::new(Box::new(Tap(sender)), color, live), receiver)
}

fn text(receiver: &mpsc::Receiver<Vec<u8>>) -> String {
    String::from_utf8(receiver.try_iter().flatten().collect()).unwrap()
}

/// A router that reads the same files, as long as it is installed.
fn keepalived(file: &Path) -> Command {
    let mut command = Command::new("keepalived");
    command.args(["--vrrp", "-n", "-l", "-f"]).arg(file);
    command.arg("-p").arg(file.with_extension("pid")).arg("-r").arg(file.with_extension("vrrp.pid"));
    command
}

/// Whether a story has left something where its files were.
fn is_empty(directory: &tempfile::TempDir) -> bool {
    std::fs::read_dir(directory.path()).unwrap().next().is_none()
}

#[test]
fn tells_its_story_with_any_daemon_that_reads_the_files() {
    if !lab::privileged(tells_its_story_with_any_daemon_that_reads_the_files) {
        return;
    }
    if Command::new("keepalived").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "CI must have keepalived");
        println!("skipped: needs keepalived");
        return;
    }
    let (mut screen, output) = tap(false, false);
    let files = tempfile::tempdir().unwrap();
    let told = story::tell(&mut screen, files.path(), &keepalived, &Arc::default());
    let text = text(&output);
    assert!(matches!(told, Ok(true)), "{told:?}\n{text}");
    assert!(!text.contains(['\r', '\x1b']), "plain lines only:\n{text}");
    let mut rest = text.as_str();
    for line in [
        "lb01 is master",
        "the client is answered",
        "1. Planned stop",
        "lb02 is master",
        "2. Return",
        "lb01 is master",
        "3. Crash",
        "the client gets no answer",
        "lb02 is master",
        "the client is answered again, after ",
        "4. Return",
        "lb01 is master",
        "crash of lb01 ",
        "2.609 to 3.609 s",
    ] {
        let at = rest.find(line).unwrap_or_else(|| panic!("no {line:?} after the ones before it in:\n{text}"));
        rest = &rest[at + line.len()..];
    }
    assert_eq!(text.matches("lb02 has let go of 10.9.0.100").count(), 2, "{text}");
    assert!(is_empty(&files));
}

#[test]
fn a_router_that_ends_is_reported_with_its_last_words() {
    if !lab::privileged(a_router_that_ends_is_reported_with_its_last_words) {
        return;
    }
    let launch = |_: &Path| {
        let mut command = Command::new("sh");
        command.args(["-c", "printf 'no \\033luck\\n' >&2; exit 3"]);
        command
    };
    let (mut screen, _output) = tap(false, false);
    let files = tempfile::tempdir().unwrap();
    match story::tell(&mut screen, files.path(), &launch, &Arc::default()) {
        Err(Stop::Failed(report)) => {
            assert!(report.starts_with("the router on lb0"), "{report}");
            assert!(report.contains("has ended by itself (exit status: 3)"), "{report}");
            assert!(report.contains("\n    no ?luck"), "{report}");
        }
        other => panic!("{other:?}"),
    }
    assert!(is_empty(&files));

    let (mut screen, _output) = tap(false, false);
    let nothing = |_: &Path| Command::new("/no/such/program");
    match story::tell(&mut screen, files.path(), &nothing, &Arc::default()) {
        Err(Stop::Failed(report)) => assert!(report.starts_with("cannot start /no/such/program: "), "{report}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_interruption_ends_it_at_once_and_leaves_nothing() {
    if !lab::privileged(an_interruption_ends_it_at_once_and_leaves_nothing) {
        return;
    }
    let interrupted = Arc::new(AtomicUsize::new(0));
    let (mut screen, output) = tap(false, false);
    let files = tempfile::tempdir().unwrap();
    let sleep = |_: &Path| {
        let mut command = Command::new("sleep");
        command.arg("600");
        command
    };
    let ended = thread::scope(|scope| {
        let story = scope.spawn(|| story::tell(&mut screen, files.path(), &sleep, &interrupted));
        let mut said = String::new();
        while !said.contains("Start: ") {
            said += &String::from_utf8(output.recv().unwrap()).unwrap();
        }
        assert!(!is_empty(&files));
        let asked = Instant::now();
        interrupted.store(2, Ordering::Relaxed);
        let ended = story.join().unwrap();
        assert!(asked.elapsed() < Duration::from_secs(5));
        ended
    });
    assert!(matches!(ended, Err(Stop::Signal(2))), "{ended:?}");
    assert!(is_empty(&files));
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    if !lab::privileged(a_reader_that_goes_away_ends_it) {
        return;
    }
    let (mut screen, output) = tap(false, false);
    let files = tempfile::tempdir().unwrap();
    drop(output);
    let told = story::tell(&mut screen, files.path(), &|_: &Path| Command::new("true"), &Arc::default());
    assert!(matches!(told, Err(Stop::Output(ref error)) if error.kind() == io::ErrorKind::BrokenPipe), "{told:?}");
}

#[test]
fn the_status_is_redrawn_on_a_terminal_only_and_colour_is_optional() {
    let (mut screen, output) = tap(true, true);
    screen.status("one".to_owned()).unwrap();
    screen.status("one".to_owned()).unwrap();
    screen.event(Duration::from_millis(1230), Paint::Good, "news").unwrap();
    screen.status("two".to_owned()).unwrap();
    screen.clear();
    screen.clear();
    assert_eq!(text(&output), "\r\x1b[Kone\r\x1b[K   1.23 s   \x1b[32mnews\x1b[0m\n\r\x1b[Ktwo\r\x1b[K");

    let (mut screen, output) = tap(false, false);
    screen.status("one".to_owned()).unwrap();
    screen.event(Duration::from_secs(12), Paint::Bad, "news").unwrap();
    assert_eq!(text(&output), "  12.00 s   news\n");
}
