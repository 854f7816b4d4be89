//! Replays the committed corpus: what the fuzzer once found stays found, without the fuzzer.

use std::fs;
use std::path::Path;

fn replay(target: &str, body: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut count = 0;
    for entry in entries {
        let path = entry.expect("an entry").path();
        eprintln!("{}", path.display());
        body(&fs::read(&path).expect("a file"));
        count += 1;
    }
    assert!(count > 0, "{} is empty", directory.display());
}

#[test]
fn advert() {
    replay("advert", vrrp_fuzz_bodies::advert);
}

#[test]
fn claim() {
    replay("claim", vrrp_fuzz_bodies::claim);
}

#[test]
fn config() {
    replay("config", vrrp_fuzz_bodies::config);
}

#[test]
fn ladder() {
    replay("ladder", vrrp_fuzz_bodies::ladder);
}

#[test]
fn node() {
    replay("node", vrrp_fuzz_bodies::node);
}

#[test]
fn sequence() {
    replay("sequence", vrrp_fuzz_bodies::sequence);
}

#[test]
fn trailer() {
    replay("trailer", vrrp_fuzz_bodies::trailer);
}
