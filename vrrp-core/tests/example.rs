//! The example elects, fails over and preempts, and says so.

use std::process::Command;

#[test]
fn the_pair_in_memory_elects_fails_over_and_preempts() {
    // Cargo builds the examples before it runs the tests, beside their directory.
    let tests = std::env::current_exe().expect("a path");
    let built =
        tests.parent().and_then(|deps| deps.parent()).expect("target/profile/deps").join("examples/in_memory_pair");
    let output = Command::new(&built).output().unwrap_or_else(|error| panic!("{}: {error}", built.display()));
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    let mut transitions = text.lines().filter(|line| line.contains(" to ")).map(|line| line[11..].to_owned());
    for expected in [
        "a: Backup to Master, no advertisement from a master",
        "b: Backup to Master, no advertisement from a master",
        "a: Master to Backup, this host was held up for so long that another router must have taken over",
        "b: Master to Backup, 10.0.0.1 advertised the stronger claim, priority 150",
        "a: Backup to Master, the master has a lower priority",
    ] {
        assert_eq!(transitions.next().as_deref(), Some(expected), "{text}");
    }
    assert_eq!(transitions.next(), None);
}
