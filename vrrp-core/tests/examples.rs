//! Every example runs, and shows what it is for.

use std::path::{Path, PathBuf};
use std::process::Command;

fn run(name: &str, arguments: &[&str]) -> String {
    // Cargo builds the examples before it runs all tests, beside their directory; for this file alone it wants `--examples`, too.
    let tests = std::env::current_exe().expect("a path");
    let directory = tests.parent().and_then(|deps| deps.parent()).expect("target/profile/deps").join("examples");
    let built = directory.join(name);
    let output = Command::new(&built).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}; `--examples` builds it", built.display()));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {} {errors}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/tcpdump").join(name)
}

/// Asks for each line in its order, others between them allowed.
fn in_order(text: &str, expected: &[&str]) {
    let mut lines = text.lines();
    for part in expected {
        assert!(lines.any(|line| line.contains(part)), "{part:?} is missing or too early in\n{text}");
    }
}

#[cfg(feature = "sim")]
#[test]
fn the_pair_in_memory_elects_fails_over_and_preempts() {
    let text = run("in_memory_pair", &[]);
    let changes: Vec<&str> = text.lines().filter(|line| line.contains(" to ")).map(|line| &line[15..]).collect();
    let expected = [
        "a: Initialize to Backup, started",
        "b: Initialize to Backup, started",
        "a: Backup to Master, no advertisement from a master",
        "b: Backup to Master, no advertisement from a master",
        "a: Master to Backup, this host was held up for so long that another router must have taken over",
        "a: Backup to Master, the master has a lower priority",
        "b: Master to Backup, 10.0.0.1 advertised the stronger claim, priority 150",
    ];
    assert_eq!(changes, expected, "{text}");
}

#[cfg(feature = "sim")]
#[test]
fn a_few_hundred_incidents_violate_nothing() {
    let text = run("simulate", &["--seeds", "10"]);
    assert!(text.starts_with("10 seeds, ") && text.ends_with(" 0 violations\n"), "{text}");
}

#[cfg(feature = "alloc")]
#[test]
fn the_thread_of_a_node_serves_until_it_is_stopped() {
    let text = run("threaded", &[]);
    let expected = [
        "dropped: ",
        "Backup, started",
        "send 12 octets to 224.0.0.18",
        "Install the address",
        "Master, no advertisement from a master",
        "gratuitous ARP",
        "send 12 octets to 224.0.0.18",
        "Remove the address",
        "Initialize, stopped",
    ];
    // The datagram may come before or after the start.
    in_order(&text, &expected[1..]);
    assert!(text.contains(expected[0]), "{text}");
}

#[cfg(feature = "alloc")]
#[test]
fn a_capture_is_decoded_and_a_hostile_one_is_dropped() {
    let capture = vector("vrrp.pcap");
    let text = run("decode_capture", &[capture.to_str().expect("text")]);
    assert!(text.lines().count() > 100, "{text}");
    assert!(text.lines().skip(1).all(|line| !line.contains("dropped")), "{text}");
    let capture = vector("vrrp-vrrp_print-oobr-2.pcap");
    let text = run("decode_capture", &[capture.to_str().expect("text")]);
    assert!(text.lines().skip(1).all(|line| line.contains("dropped: ")), "{text}");
}
