//! Patterns against this process and its children.

use std::process::{Command, Stdio};

use super::*;

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

fn compare(compare: Parameters, wanted: &[&str], found: &[&str]) -> bool {
    compare.fit(&words(wanted), found.iter().map(|word| word.as_bytes()))
}

#[test]
fn parameters_are_compared_as_asked_for() {
    use Parameters::{Exact, Initial, Partial};
    assert!(compare(Exact, &["-c", "f"], &["-c", "f"]));
    assert!(!compare(Exact, &["-c", "f"], &["-c", "f", "-d"]));
    assert!(!compare(Exact, &["-c", "f"], &["-c"]));
    assert!(compare(Exact, &[], &[]) && !compare(Exact, &[], &["-c"]));
    assert!(compare(Partial, &["-c"], &["-c", "f"]) && !compare(Partial, &["-c"], &["-cf"]));
    assert!(compare(Partial, &[], &["-c"]));
    assert!(compare(Initial, &["-c", "f"], &["-c", "file", "-d"]) && !compare(Initial, &["-c", "f"], &["-cf"]));
    assert!(!compare(Initial, &["-c", "f"], &["-c"]));
}

#[test]
fn a_process_is_found_by_name_path_and_command() {
    let mut child = Command::new("/bin/sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
    let pid = child.id();
    let command = |program: &str, parameters: &[&str]| Pattern::Command {
        program: program.into(),
        parameters: words(parameters),
        compare: Parameters::Exact,
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    // The kernel shows a process that begins to run piece by piece.
    let patterns = [Pattern::Name("sleep".into()), Pattern::Name("/bin/sleep".into()), command("/bin/sleep", &["600"])];
    while !patterns.iter().all(|pattern| pattern.matches(pid)) {
        assert!(std::time::Instant::now() < deadline, "it never runs");
    }
    assert!(!command("sleep", &["600"]).matches(pid), "it was not called like this");
    assert!(!command("/bin/sleep", &["601"]).matches(pid));
    assert!(!Pattern::Name("/bin/true".into()).matches(pid) && !Pattern::Name("slee".into()).matches(pid));
    assert!(named("sleep").unwrap() >= 1 && named("/bin/sleep").unwrap() >= 1);
    child.kill().unwrap();
    // Dead, and not waited for yet.
    while Pattern::Name("sleep".into()).matches(pid) {
        assert!(std::time::Instant::now() < deadline, "a zombie counts");
    }
    child.wait().unwrap();
    assert!(!Pattern::Name("sleep".into()).matches(pid));
    assert_eq!(named("no such process").unwrap(), 0);
}

#[test]
fn networks_are_told_by_their_first_bits() {
    let same = |one: &str, other: &str, length| same_network(one.parse().unwrap(), other.parse().unwrap(), length);
    assert!(same("10.9.0.2", "10.9.0.254", 24) && !same("10.9.0.2", "10.9.1.2", 24));
    assert!(same("10.9.0.2", "10.9.0.2", 32) && !same("10.9.0.2", "10.9.0.3", 32));
    assert!(same("10.9.0.2", "192.0.2.1", 0));
    assert!(same("fe80::1", "fe80::2:1", 64) && !same("fe80::1", "fe81::1", 64));
    assert!(same("::", "ff::", 0) && !same("::1", "::2", 128));
    assert!(!same("10.9.0.2", "::", 0));
}
