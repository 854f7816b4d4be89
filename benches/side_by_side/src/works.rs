//! What both daemons are asked to do, and what of it is measured.
//!
//! Knows the works; not how a table is printed.

use std::collections::HashSet;
use std::time::{Duration, Instant};
use std::{fs, thread};

use vrrp_cli::lab::{Prober, wait_until};
use vrrp_netlink::monitor::{Event, Monitor};
use vrrp_netlink::process::wait_readable;

use crate::Outcome;
use crate::contender::Make;
use crate::observer::Observer;
use crate::pair::{CLIENT, Load, Pair, STRONG, WEAK};

/// The longest that keepalived was seen to need for 255 routers of 10 ms is half of it.
const CONVERGENCE: Duration = Duration::from_secs(60);
/// Past the last announcements that follow a takeover.
const SETTLED: Duration = Duration::from_secs(8);
/// A span of processor time that is counted.
const COUNTED: Duration = Duration::from_secs(15);
/// The longest check of a configuration that is waited for; one that takes longer is an infinite figure.
pub(crate) const CHECK: Duration = Duration::from_secs(60);
/// 65,024 instances.
const LARGE: &str = include_str!("../../../vrrp-cli/tests/config/large/nested.conf");

/// Something that was measured, its unit, and how much it was.
pub(crate) type Figure = (&'static str, &'static str, f64);

/// How often things are done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    pub(crate) stops: u32,
    pub(crate) deaths: u32,
}

/// A work and the name that it is chosen by.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Make, Rounds) -> Outcome<Vec<Figure>>,
}

/// All of them.
pub(crate) const WORKS: [Work; 8] = [
    Work { name: "stop", run: planned_stops },
    Work { name: "death", run: silent_deaths },
    Work { name: "distribution", run: distribution },
    Work { name: "fast", run: fast },
    Work { name: "many", run: many },
    Work { name: "takeover", run: takeover },
    Work { name: "memory", run: memory },
    Work { name: "check", run: check },
];

/// What a client sees of a planned stop.
fn planned_stops(make: &Make, rounds: Rounds) -> Outcome<Vec<Figure>> {
    let mut pair = Pair::start(make, Load::single(2, 1000), CONVERGENCE)?;
    let address = pair.load.address(0, 0);
    let mut silences = Vec::new();
    for _ in 0..rounds.stops {
        thread::sleep(SETTLED);
        let prober = Prober::start(pair.lan.host(CLIENT), address, Duration::from_millis(1))?;
        if !wait_until(Duration::from_secs(5), || prober.last_reply().is_some()) {
            return Err("the client hears nothing before the stop".into());
        }
        thread::sleep(Duration::from_millis(500));
        let since = Instant::now();
        pair.strong.terminate()?;
        pair.await_weak(Duration::from_secs(20))?;
        thread::sleep(Duration::from_millis(1500));
        silences.push(milliseconds(prober.longest_silence(since)));
        drop(prober);
        pair.strong.join()?;
        pair.restart_strong()?;
        pair.await_strong(CONVERGENCE)?;
    }
    Ok(vec![("planned stop, v2 1 s: client's silence, median", "ms", rank(&mut silences, 50))])
}

/// What passes between the end of a Master_Down_Interval and the first announcement of the address.
fn deaths(make: &Make, load: Load, rounds: u32) -> Outcome<Vec<f64>> {
    let pair = Pair::start(make, load, CONVERGENCE)?;
    let address = load.address(0, 0);
    let dead = pair.lan.host(STRONG).address(0);
    let interval = Duration::from_millis(load.interval.into());
    let mut observer = Observer::new(pair.lan.host(CLIENT))?;
    let mut beyond = Vec::new();
    for round in 0..rounds {
        // At another time of the interval in each round.
        thread::sleep(interval * 3 + interval * (round * 37 % 100) / 100);
        observer.forget()?;
        pair.mute(true)?;
        let waited = observer.takeover(dead, address, load.master_down_interval() + Duration::from_secs(5))?;
        beyond.push(milliseconds(waited) - milliseconds(load.master_down_interval()));
        pair.await_weak(CONVERGENCE)?;
        pair.mute(false)?;
        pair.await_strong(CONVERGENCE)?;
    }
    Ok(beyond)
}

fn silent_deaths(make: &Make, rounds: Rounds) -> Outcome<Vec<Figure>> {
    let mut beyond = deaths(make, Load::single(2, 1000), rounds.stops)?;
    Ok(vec![("silent death, v2 1 s: announced beyond Master_Down_Interval, median", "ms", rank(&mut beyond, 50))])
}

fn distribution(make: &Make, rounds: Rounds) -> Outcome<Vec<Figure>> {
    let mut beyond = deaths(make, Load::single(3, 100), rounds.deaths)?;
    Ok(vec![
        ("silent death, v3 100 ms: announced beyond Master_Down_Interval, p50", "ms", rank(&mut beyond, 50)),
        ("the same, p99", "ms", rank(&mut beyond, 99)),
    ])
}

fn fast(make: &Make, _: Rounds) -> Outcome<Vec<Figure>> {
    let load = Load { routers: 255, addresses: 1, networks: 1, interval: 10, version: 3 };
    let pair = Pair::start(make, load, CONVERGENCE)?;
    let [strong, weak] = processor_time(&pair)?;
    Ok(vec![
        ("255 routers, v3 10 ms: master's processor time", "%", strong),
        ("the same, backup's", "%", weak),
        ("the same, from start until all have converged", "s", pair.converged.as_secs_f64()),
    ])
}

fn many(make: &Make, _: Rounds) -> Outcome<Vec<Figure>> {
    let load = Load { routers: 1020, addresses: 1, networks: 4, interval: 1000, version: 2 };
    let pair = Pair::start(make, load, CONVERGENCE)?;
    let [strong, weak] = processor_time(&pair)?;
    Ok(vec![
        ("1,020 routers, v2 1 s: master's processor time", "%", strong),
        ("the same, backup's", "%", weak),
        ("the same, master's memory (PSS)", "MiB", pair.strong.memory()?),
    ])
}

fn takeover(make: &Make, _: Rounds) -> Outcome<Vec<Figure>> {
    let load = Load { routers: 255, addresses: 4, networks: 1, interval: 100, version: 3 };
    let pair = Pair::start(make, load, CONVERGENCE)?;
    thread::sleep(SETTLED);
    let mut monitor = pair.lan.host(WEAK).namespace().run(Monitor::open)??;
    pair.mute(true)?;
    let asked = Instant::now();
    let (mut seen, mut times, mut events) = (HashSet::new(), Vec::new(), Vec::new());
    while seen.len() < load.total() {
        let left = CONVERGENCE.checked_sub(asked.elapsed()).ok_or("not every address is taken over")?;
        wait_readable(&monitor, Some(left))?;
        monitor.read(&mut events)?;
        let now = Instant::now();
        for event in events.drain(..) {
            match event {
                Event::Address(new) if Load::is_virtual(new.address) && seen.insert(new.address) => times.push(now),
                Event::Overrun => return Err("the kernel's news of addresses were too many".into()),
                _ => {}
            }
        }
    }
    let span = times.last().zip(times.first()).map(|(last, first)| last.saturating_duration_since(*first));
    let span = milliseconds(span.unwrap_or_default());
    Ok(vec![("255 routers with 4 addresses each taken over: last address - first", "ms", span)])
}

fn memory(make: &Make, _: Rounds) -> Outcome<Vec<Figure>> {
    let pair = Pair::start(make, Load::single(2, 1000), CONVERGENCE)?;
    thread::sleep(SETTLED);
    Ok(vec![("1 router: master's memory (PSS)", "MiB", pair.strong.memory()?)])
}

fn check(make: &Make, _: Rounds) -> Outcome<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("large.conf");
    fs::write(&file, LARGE)?;
    let started = Instant::now();
    let mut child = make.check(&file).spawn()?;
    // What it thinks of interfaces that this host does not have is not the question.
    let ended = wait_until(CHECK, || !matches!(child.try_wait(), Ok(None)));
    let took = started.elapsed();
    if !ended {
        child.kill()?;
        child.wait()?;
    }
    let seconds = if ended { took.as_secs_f64() } else { f64::INFINITY };
    Ok(vec![("check of a configuration with 65,024 instances", "s", seconds)])
}

/// Percent of a processor that the stronger and the weaker host's daemons use, once they have settled.
fn processor_time(pair: &Pair) -> Outcome<[f64; 2]> {
    thread::sleep(SETTLED);
    let used = || -> Outcome<[Duration; 2]> { Ok([pair.strong.cpu()?, pair.weak.cpu()?]) };
    let (before, started) = (used()?, Instant::now());
    thread::sleep(COUNTED);
    let (after, span) = (used()?, started.elapsed().as_secs_f64());
    Ok([0, 1].map(|place| after[place].saturating_sub(before[place]).as_secs_f64() / span * 100.0))
}

fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

/// The smallest value that so many percent do not exceed.
fn rank(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() * percent).div_ceil(100).max(1);
    values.get(place - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_nearest() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let ranks = [1, 50, 99, 100].map(|percent| rank(&mut values, percent).to_string());
        assert_eq!(ranks, ["1", "50", "99", "100"]);
        assert_eq!(rank(&mut [3.0, 1.0, 2.0], 50).to_string(), "2");
        assert_eq!(rank(&mut [7.0], 99).to_string(), "7");
    }
}
