//! Every file of `scenarios/`: its expectations are met, no invariant is violated, and its transcript is the committed one.
//!
//! `VRRP_TRANSCRIPTS=write cargo test -p vrrp-core --features sim --test scenarios` writes the transcripts anew; read the
//! difference before it is committed.

use std::fs;
use std::path::{Path, PathBuf};

use vrrp_core::sim::scenario::{Outcome, Scenario};

fn scenarios() -> Vec<(PathBuf, Scenario)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let scenario = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, scenario)
    };
    paths.into_iter().map(read).collect()
}

/// What is wrong with an outcome.
fn judge(path: &Path, outcome: &Outcome) -> Option<String> {
    let committed = path.with_extension("out");
    if std::env::var_os("VRRP_TRANSCRIPTS").is_some_and(|value| value == "write") {
        fs::write(&committed, &outcome.transcript).unwrap_or_else(|error| panic!("{}: {error}", committed.display()));
    }
    let name = path.display();
    if !outcome.is_met() {
        return Some(format!("{name}: {:#?}\n{}", outcome.failures, outcome.transcript));
    }
    let expected = fs::read_to_string(&committed).unwrap_or_else(|error| panic!("{}: {error}", committed.display()));
    let mut both = outcome.transcript.lines().zip(expected.lines());
    match both.position(|(found, expected)| found != expected) {
        Some(line) => Some(format!("{name}: the transcript differs from line {} on\n{}", line + 1, outcome.transcript)),
        None => (outcome.transcript != expected).then(|| format!("{name}: one transcript is longer")),
    }
}

#[test]
fn each_scenario_goes_as_its_transcript_says() {
    let scenarios = scenarios();
    assert!(scenarios.len() >= 33, "{} scenarios", scenarios.len());
    let mut wrong = Vec::new();
    for (path, scenario) in scenarios {
        let outcome = scenario.run();
        assert_eq!(outcome, scenario.run(), "{}: the same seed, the same run", path.display());
        wrong.extend(judge(&path, &outcome));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is left to chance decides nothing that was promised.
#[test]
fn no_seed_violates_an_invariant() {
    for (path, scenario) in scenarios() {
        for seed in 0..20 {
            let outcome = scenario.clone().with_seed(seed).run();
            assert!(
                !outcome.transcript.contains("VIOLATION"),
                "{}, seed {seed}\n{}",
                path.display(),
                outcome.transcript
            );
        }
    }
}
