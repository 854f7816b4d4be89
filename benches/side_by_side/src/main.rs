//! vrrpctl and keepalived at the same work, one after the other, on networks of namespaces that nothing outlives.
//!
//! `cargo bench -p vrrp-benches --bench side_by_side [-- WORK...]` builds and runs it, as root or where users may make user
//! namespaces; without keepalived its column stays empty. `SIDE_BY_SIDE_DEATHS` is the number of silent deaths of the
//! distribution (20; 100 for a table that is published), `SIDE_BY_SIDE_STOPS` that of planned stops and of slow deaths (3).
#![allow(clippy::print_stdout, reason = "the table is what it is for")]

mod contender;
mod observer;
mod pair;
mod works;

use std::process::{Command, ExitCode};
use std::{env, fs, thread};

use contender::Make;
use works::{Figure, Rounds, WORKS};

/// What can go wrong ends the work that it happens in.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    if let Err(error) = vrrp_cli::lab::become_root_in_user_namespace() {
        println!("skipped: it needs root, or user namespaces for unprivileged users: {error}");
        return ExitCode::SUCCESS;
    }
    let chosen: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if let Some(unknown) = chosen.iter().find(|word| !WORKS.iter().any(|work| work.name == **word)) {
        eprintln!("no work is called {unknown:?}: {}", WORKS.map(|work| work.name).join(", "));
        return ExitCode::FAILURE;
    }
    let own = env::current_exe().unwrap_or_default();
    let vrrpctl = Make::Vrrpctl(own.with_file_name("vrrpctl"));
    if vrrpctl.version().is_none() {
        eprintln!("there is no vrrpctl beside this program: cargo build --release -p vrrp-cli");
        return ExitCode::FAILURE;
    }
    let keepalived = Some(Make::Keepalived).filter(|make| make.version().is_some());
    if keepalived.is_none() {
        println!("keepalived is not installed: its column is left out");
    }
    let rounds = Rounds { stops: number("SIDE_BY_SIDE_STOPS", 3), deaths: number("SIDE_BY_SIDE_DEATHS", 20) };
    let load = load();
    let mut failed = false;
    let mut lines = Vec::new();
    for work in WORKS.iter().filter(|work| chosen.is_empty() || chosen.iter().any(|word| word == work.name)) {
        let mut figures = |make: &Make| -> Vec<Figure> {
            eprintln!("{}: {}", work.name, make.name());
            (work.run)(make, rounds).unwrap_or_else(|error| {
                eprintln!("{}: {}: {error}", work.name, make.name());
                failed |= matches!(make, Make::Vrrpctl(_));
                Vec::new()
            })
        };
        let theirs = keepalived.as_ref().map(&mut figures).unwrap_or_default();
        let ours = figures(&vrrpctl);
        lines.extend((0..theirs.len().max(ours.len())).filter_map(|row| line(theirs.get(row), ours.get(row))));
    }
    println!("\n| work | keepalived | vrrpctl | ratio |\n|---|---|---|---|\n{}\n", lines.join("\n"));
    let versions: Vec<String> = keepalived.iter().chain([&vrrpctl]).filter_map(Make::version).collect();
    let deaths = rounds.deaths;
    println!(
        "{}; {deaths} silent deaths in the distribution. {}. Load before: {load}.",
        machine(),
        versions.join("; ")
    );
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A line of the table.
fn line(theirs: Option<&Figure>, ours: Option<&Figure>) -> Option<String> {
    let (name, unit, _) = ours.or(theirs)?;
    let cell = |figure: Option<&Figure>| match figure {
        None => "-".to_owned(),
        Some((.., value)) if value.is_infinite() => format!("not within {} {unit}", works::CHECK.as_secs()),
        Some((.., value)) => format!("{} {unit}", short(*value)),
    };
    let ratio = match (theirs, ours) {
        (Some((.., theirs)), Some((.., ours))) if *theirs > 0.0 && theirs.is_finite() && *ours >= 0.0 => {
            short(ours / theirs)
        }
        _ => "-".to_owned(),
    };
    Some(format!("| {name} | {} | {} | {ratio} |", cell(theirs), cell(ours)))
}

/// Three digits or so.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

fn number(name: &str, default: u32) -> u32 {
    env::var(name).ok().and_then(|text| text.parse().ok()).filter(|number| *number > 0).unwrap_or(default)
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// Date, processors and kernel.
fn machine() -> String {
    let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output().map(|output| output.stdout).unwrap_or_default();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{}, {cores} cores, Linux {}", String::from_utf8_lossy(&date).trim(), kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_both_figures_and_their_ratio() {
        let (theirs, ours) = (("silence", "ms", 612.3), ("silence", "ms", 6.0));
        assert_eq!(line(Some(&theirs), Some(&ours)).as_deref(), Some("| silence | 612 ms | 6.00 ms | 0.010 |"));
        assert_eq!(line(None, Some(&ours)).as_deref(), Some("| silence | - | 6.00 ms | - |"));
        assert_eq!(
            line(Some(&("beyond", "ms", -0.01)), Some(&ours)).as_deref(),
            Some("| silence | -0.010 ms | 6.00 ms | - |")
        );
        let endless = ("silence", "ms", f64::INFINITY);
        assert_eq!(line(Some(&endless), Some(&ours)).as_deref(), Some("| silence | not within 60 ms | 6.00 ms | - |"));
        assert_eq!(line(None, None), None);
    }
}
