//! Finding and running real commands.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vrrp_netlink::process::Poller;

use super::drains::{Drains, MOST, REST};
use super::run::{Drain, Limits, Outcome, Report, Run, unwanted};
use super::security::gap;
use super::*;
use crate::config::{SourceMap, Span};

const PATIENCE: Duration = Duration::from_secs(20);
const QUICK: Limits = Limits { patience: Duration::from_millis(200), grace: Duration::from_millis(200) };
const SLOW: Limits = Limits { patience: PATIENCE, grace: PATIENCE };

fn shell(text: &str) -> Program {
    Program { path: "/bin/sh".into(), arguments: vec!["-c".into(), text.into()], identity: None }
}

fn finish(program: &Program, limits: Limits) -> (Report, Option<Drain>) {
    program.start(&[], limits).expect("it starts").finish()
}

fn file(folder: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn alive(pid: i32) -> bool {
    let zombie = || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    kill(Pid::from_raw(pid), None).is_ok() && !zombie()
}

#[track_caller]
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::yield_now();
    }
}

/// A command of the configuration, with a span that is of no matter.
fn command(words: &[&str]) -> Script {
    let mut sources = SourceMap::default();
    let file = sources.add("test".into(), "command".into(), Vec::new(), Vec::new()).expect("room for a file");
    let span = Span { file, start: 0, end: 7 };
    Script { words: words.iter().map(|word| (*word).to_owned()).collect(), user: None, group: None, span }
}

#[test]
fn the_end_is_told_in_words_with_the_last_lines() {
    let (report, drain) = finish(&shell("for i in 1 2 3 4 5; do echo line $i; done; echo '\tlast\u{7}!' >&2"), SLOW);
    assert!(report.success());
    // Not at once: what another thread starts in that moment has a copy of every descriptor until it is another program.
    if let Some(mut drain) = drain {
        eventually("nobody holds its output", || !drain.advance());
    }
    assert_eq!(report.lines, ["line 3", "line 4", "line 5", "last !"]);
    assert_eq!(report.output(), r#", it printed "line 3 | line 4 | line 5 | last !""#);

    let (report, _) = finish(&shell("exit 3"), SLOW);
    assert!(!report.success());
    assert!(report.to_string().starts_with("ended with status 3 after "), "{report}");
    assert_eq!(report.output(), "");

    let (report, _) = finish(&shell("kill -USR1 $$"), SLOW);
    assert!(report.to_string().starts_with("was ended by SIGUSR1 after "), "{report}");
}

#[test]
fn a_hundred_megabytes_of_output_cost_a_kilobyte() {
    let (report, _) = finish(&shell("head -c 100000000 /dev/zero | tr '\\0' 'x'; echo; echo end"), SLOW);
    assert!(report.success(), "{report}");
    assert_eq!(report.lines.len(), 2);
    assert_eq!(report.lines.iter().map(String::len).sum::<usize>(), 1024 - "\n".len() - "\n".len());
    assert_eq!(report.lines[1], "end");
}

#[test]
fn a_child_that_keeps_the_output_open_does_not_hold_up_the_end_and_can_go_on_printing() {
    let folder = tempfile::tempdir().unwrap();
    let done = folder.path().join("done");
    let go = folder.path().join("go");
    let service = format!(
        "(while [ ! -e {go} ]; do sleep 0.02; done; head -c 300000 /dev/zero && echo more && : > {done}) & echo started",
        go = go.display(),
        done = done.display()
    );
    let (report, drain) = finish(&shell(&service), SLOW);
    assert!(report.success() && report.took < PATIENCE);
    assert_eq!(report.lines, ["started"]);
    let mut drain = drain.expect("the service holds it");
    fs::write(&go, "").unwrap();
    eventually("the service ends", || !drain.advance());
    assert!(done.exists(), "it was not disturbed");
}

#[test]
fn what_takes_too_long_is_ended_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let stubborn = format!("trap '' TERM; sleep 600 & echo $! > {}; echo waiting; wait; sleep 600", pids.display());
    let (report, _) = finish(&shell(&stubborn), QUICK);
    assert!(matches!(report.outcome, Outcome::TimedOut), "{report}");
    assert!(report.took >= QUICK.patience + QUICK.grace, "{report}");
    assert!(report.to_string().starts_with("took too long and was ended after "), "{report}");
    assert_eq!(report.lines, ["waiting"]);
    let child: i32 = fs::read_to_string(&pids).unwrap().trim().parse().unwrap();
    eventually("its child is gone", || !alive(child));
}

/// One that obeys may leave children that do not.
#[test]
fn children_that_ignore_the_request_are_killed_when_the_command_obeys() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let text = format!("(trap '' TERM; echo $$ > /dev/null; exec sleep 600) & echo $! > {}; wait", pids.display());
    let (report, _) = finish(&shell(&text), Limits { patience: Duration::from_millis(300), grace: PATIENCE });
    assert!(matches!(report.outcome, Outcome::TimedOut), "{report}");
    assert!(report.took < PATIENCE, "it obeyed");
    let child: i32 = fs::read_to_string(&pids).unwrap().trim().parse().unwrap();
    eventually("its child is gone", || !alive(child));
}

#[test]
fn a_command_whose_value_is_dropped_is_killed() {
    let run: Run = shell("sleep 600").start(&[], SLOW).unwrap();
    let pid = run.group().as_raw();
    assert!(alive(pid));
    drop(run);
    eventually("it is gone", || !alive(pid));
}

#[test]
fn a_text_without_an_interpreter_line_goes_to_the_shell() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "plain", "echo \"plain $1 $2\"\n", 0o755);
    let program = Program { path: path.to_str().unwrap().into(), arguments: vec!["a b".into()], identity: None };
    let report = program.start(&["c".into()], SLOW).unwrap().finish().0;
    assert_eq!(report.lines, ["plain a b c"]);
}

#[test]
fn the_child_begins_clean() {
    let text = "cat; echo \"input $?\"; ps -o pgid= -p $$ | tr -d ' ' | grep -qx $$ && echo own group; \
                grep -E 'Sig(Ign|Blk)' /proc/self/status";
    let report = finish(&shell(text), SLOW).0;
    assert_eq!(report.lines[..2], ["input 0", "own group"]);
    // 32 and 33 belong to the C library, which does not let anybody touch them.
    let of_the_library = 0b11_u64 << 31;
    for (line, name) in report.lines[2..].iter().zip(["SigBlk:", "SigIgn:"]) {
        let mask = line.strip_prefix(name).expect("the line of the kernel").trim();
        assert_eq!(u64::from_str_radix(mask, 16).unwrap() & !of_the_library, 0, "{line}");
    }
    for (name, expected) in [("IFS", true), ("LD_PRELOAD", true), ("LD_LIBRARY_PATH", true), ("PATH", false)] {
        assert_eq!(unwanted(name.as_ref()), expected, "{name}");
    }
}

#[test]
fn programs_are_found_on_the_path_or_as_written() {
    let found = find(&command(&["sh", "-c", "true"]), false).unwrap_or_else(|_| panic!("there is a shell"));
    assert!(found.program.path.ends_with("/sh"), "{}", found.program.path);
    assert_eq!(found.program.arguments, ["-c", "true"]);
    let refused = |words: &[&str]| match find(&command(words), false) {
        Ok(found) => panic!("found {:?}", found.program),
        Err(diagnostics) => diagnostics.into_iter().map(|one| (one.code, one.message)).collect::<Vec<_>>(),
    };
    let folder = tempfile::tempdir().unwrap();
    let plain = file(folder.path(), "plain", "", 0o644);
    let (plain, directory) = (plain.to_str().unwrap(), folder.path().to_str().unwrap());
    for (word, message) in [
        ("/nonexistent", "`/nonexistent` does not exist or is not executable".to_owned()),
        ("nonexistent-program", "`nonexistent-program` does not exist or is not executable".to_owned()),
        (plain, format!("`{plain}` is not executable")),
        (directory, format!("`{directory}` is a directory, not a program")),
        ("</dev/tcp/127.0.0.1/80", "`</dev/tcp/127.0.0.1/80` is a shell's redirection, not a program".to_owned()),
    ] {
        assert_eq!(refused(&[word]), [(Code::ScriptNotRunnable, message)]);
    }
    let mut script = command(&["/nonexistent"]);
    script.user = Some("no-such-user".into());
    let both: Vec<_> = find(&script, false).err().unwrap().into_iter().map(|one| one.code).collect();
    assert_eq!(both, [Code::NoSuchUser, Code::ScriptNotRunnable]);
}

/// Who could change what root would run. As root alone: others own nothing that root's are not mistaken for.
#[test]
fn a_gap_is_a_place_that_others_can_change() {
    if !Uid::effective().is_root() {
        return;
    }
    let folder = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    let inside = folder.path().join("inside");
    fs::create_dir(&inside).unwrap();
    let script = file(&inside, "script", "#!/bin/sh\n", 0o755);
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let told = |path: &Path| gap(path).map(|gap| gap.to_string());
    // The temporary directory is everybody's, with the sticky bit.
    assert_eq!(told(&script), None);
    assert_eq!(told(&inside.join("../inside/script")), None);
    assert_eq!(told(Path::new("/nonexistent/script")), None);

    mode(&script, 0o757);
    assert_eq!(told(&script), Some(format!("everybody can change `{}`", script.display())));
    mode(&script, 0o775);
    assert_eq!(told(&script), None, "root's group is root");
    chown(&script, None, Some(12345)).unwrap();
    assert_eq!(told(&script), Some(format!("group 12345 can change `{}`", script.display())));
    chown(&script, Some(12345), Some(0)).unwrap();
    assert_eq!(told(&script), Some(format!("user 12345 can change `{}`", script.display())));
    chown(&script, Some(0), Some(0)).unwrap();

    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&script, elsewhere.join("link")).unwrap();
    symlink("elsewhere/link", folder.path().join("relative")).unwrap();
    assert_eq!(told(&folder.path().join("relative")), None);
    mode(&elsewhere, 0o777);
    let of_the_link = Some(format!("everybody can change `{}`", elsewhere.display()));
    assert_eq!(told(&folder.path().join("relative")), of_the_link, "the link on the way could be replaced");
    mode(&elsewhere, 0o755);
    mode(&inside, 0o777);
    assert_eq!(told(&elsewhere.join("link")), Some(format!("everybody can change `{}`", inside.display())));
    symlink("loop", folder.path().join("loop")).unwrap();
    assert_eq!(told(&folder.path().join("loop")), None);

    let unsafe_script = command(&[script.to_str().unwrap()]);
    let codes = |diagnostics: Vec<Diagnostic>| diagnostics.into_iter().map(|one| one.code).collect::<Vec<_>>();
    assert_eq!(find(&unsafe_script, true).map(|_| ()).map_err(codes), Err(vec![Code::ScriptUnsafe]));
    assert_eq!(find(&unsafe_script, false).map(|found| codes(found.warnings)).ok(), Some(vec![Code::ScriptWritable]));
    let as_nobody = Script { user: Some("nobody".into()), ..unsafe_script };
    assert_eq!(find(&as_nobody, true).map(|found| codes(found.warnings)).ok(), Some(Vec::new()));
}

/// One wait for what some commands left behind, and one look at it; whether there was anything to read.
fn look(drains: &mut Drains) -> bool {
    let mut poller = Poller::new();
    let now = Instant::now();
    drains.listen(&mut poller, now);
    let wait = drains.deadline().map_or(PATIENCE, |until| until - now);
    let ready = poller.wait(Some(wait)).expect("it waits") > 0;
    drains.advance(&poller, Instant::now());
    ready
}

/// A service that prints for ever is neither ended nor read for ever.
#[test]
fn left_over_output_is_read_at_leisure() {
    const LOOKS: u32 = 6;
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let (_, drain) = finish(&shell(&format!("yes > /proc/self/fd/1 & echo $! > {}", pid.display())), SLOW);
    let service: i32 = fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    let mut drains = Drains::default();
    drains.add(drain);
    let began = Instant::now();
    let mut turns = 0;
    let mut looks = 0;
    while looks < LOOKS {
        looks += u32::from(look(&mut drains));
        turns += 1;
    }
    assert!(began.elapsed() >= REST * (LOOKS - 1), "{:?}", began.elapsed());
    assert!(turns <= 2 * LOOKS, "a look at it, and a rest: {turns}");
    assert!(alive(service));
    drop(drains);
    eventually("nobody reads it any more", || !alive(service));
}

/// The rest may end between the two questions what to wait for and until when.
#[test]
fn a_rest_that_ends_while_it_is_asked_for_is_not_for_ever() {
    let (_, drain) = finish(&shell("yes > /proc/self/fd/1 &"), SLOW);
    let mut drains = Drains::default();
    drains.add(drain);
    let mut poller = Poller::new();
    let now = Instant::now();
    drains.listen(&mut poller, now);
    assert_eq!(poller.wait(Some(PATIENCE)).expect("it waits"), 1);
    drains.advance(&poller, now);
    poller.clear();
    drains.listen(&mut poller, now);
    assert_eq!(poller.wait(Some(Duration::ZERO)).expect("it waits"), 0, "it rests");
    assert_eq!(drains.deadline(), Some(now + REST), "whatever the time is by then");
    drains.listen(&mut poller, now + REST);
    assert_eq!(drains.deadline(), None);
    assert_eq!(poller.wait(Some(PATIENCE)).expect("it waits"), 1);
}

#[test]
fn of_many_outputs_the_newest_are_read() {
    let leave = || finish(&shell("sleep 600 & echo $!"), SLOW);
    let mut drains = Drains::default();
    let services: Vec<_> = (0..=MOST)
        .map(|_| {
            let (report, drain) = leave();
            drains.add(drain);
            Pid::from_raw(report.lines[0].parse().expect("a number"))
        })
        .collect();
    let ends: Vec<_> = services.iter().map(|pid| fs::read_link(format!("/proc/{pid}/fd/1")).unwrap()).collect();
    let ours = || fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let read: Vec<_> = ours().collect();
    let is_read: Vec<bool> = ends.iter().map(|end| read.contains(end)).collect();
    for pid in services {
        kill(pid, Signal::SIGKILL).unwrap();
    }
    assert_eq!((is_read[0], is_read.iter().filter(|one| **one).count()), (false, MOST));
}
