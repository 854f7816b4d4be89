//! Time and memory for as many instances as the largest example of keepalived's manual has.
//!
//! Figures of a release build, hence not run by default; `.ci/run` checks the same file with the released binary under
//! the same bounds.
//! `cargo test --release -p vrrp-cli --test config -- --ignored --nocapture NAME`, one NAME at a time, since the peak
//! of memory is the whole process's.

use std::fs;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use vrrp_cli::config::{Code, parse_str};

const INSTANCE: &str = include_str!("large/nested.conf");

/// Processor time of this process, so that others on the same machine do not count.
fn busy() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("a clock").into()
}

/// The most memory this process has had so far, in MiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the peak");
    line.split_ascii_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") >> 10
}

#[test]
#[ignore = "bounds of a release build; a debug build takes several times as long"]
fn nested_sequences_of_65024_instances() {
    measure(INSTANCE);
}

#[test]
#[ignore = "bounds of a release build; a debug build takes several times as long"]
fn the_same_65024_instances_written_out() {
    let body: Vec<&str> = INSTANCE.lines().skip(1).take(7).map(|line| line.trim_end_matches([' ', '\\'])).collect();
    let body = body.join("\n") + "\n}\n";
    let mut text = String::new();
    for (interface, net, id) in (0..8).flat_map(|a| (0..32).flat_map(move |b| (1..255).map(move |c| (a, b, c)))) {
        let [interface, net, id] = [interface, net, id].map(|number: u32| number.to_string());
        text.push_str(&body.replace("${IF}", &interface).replace("${NUM}", &net).replace("${ID}", &id));
    }
    measure(&text);
}

/// Each measurement needs a process of its own: name one of them on the command line.
fn measure(text: &str) {
    let start = busy();
    let loaded = parse_str("large.conf", text);
    let (took, peak) = (busy().saturating_sub(start), peak());
    let instances = loaded.config.as_ref().map_or(0, |config| config.instances.len());
    let size = text.len() >> 20;
    eprintln!("{size} MiB with {instances} instances in {took:?}, {peak} MiB");
    assert_eq!(instances, 65_024, "{}", loaded.render(false));
    assert!(took <= Duration::from_secs(1) && peak <= 300, "{took:?}, {peak} MiB");
}

#[test]
#[ignore = "bounds of a release build; a debug build takes several times as long"]
fn the_bound_of_an_expansion_is_reached_soon() {
    let start = busy();
    let loaded = parse_str("endless.conf", "~SEQ(A,1000000000) ~SEQ(B,1000000000) @no x");
    let took = busy().saturating_sub(start);
    eprintln!("refused in {took:?}");
    assert_eq!(loaded.diagnostics.iter().map(|found| found.code).collect::<Vec<_>>(), [Code::ExpansionTooLarge]);
    assert!(took <= Duration::from_secs(5), "{took:?}");
}
