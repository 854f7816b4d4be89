//! Simulates LANs of three routers in trouble, one for each seed, and tells how fast that went and whether anything that
//! must hold did not. `cargo run --release --features sim --example simulate -- --seeds 1000`
#![allow(clippy::print_stdout, reason = "the figures are what the example is for")]

use std::error::Error;
use std::time::{Duration, Instant};

use vrrp_core::sim::{Action, Chance, Conditions, Detail, HostId, HostSetup, Lan, Rng, Time, params, router};
use vrrp_core::{AdvertInterval, Vrid};

const SPAN: Duration = Duration::from_secs(300);

/// Five minutes at 100 ms, with an incident every ten seconds or so.
fn troubled(seed: u64) -> Result<Lan, Box<dyn Error>> {
    let mut lan = Lan::new(seed);
    lan.set_detail(Detail::Nothing);
    let interval = AdvertInterval::from_centis(10).ok_or("1..=4095")?;
    let vrid = Vrid::new(50).ok_or("1..=255")?;
    let mut hosts = Vec::new();
    for (number, priority) in [(1, 200), (2, 150), (3, 100)] {
        let params = params(priority, interval).ok_or("1..=255")?;
        let router = router(vrid, params, &[[10, 0, 0, 100].into()])?;
        hosts.push(lan.add(HostSetup::new(&format!("r{number}"), number, vec![router]))?);
    }
    for host in &hosts {
        lan.at(Time::START, Action::Start(*host));
    }
    let loss = Chance::from_ppm(20_000).ok_or("a probability")?;
    let jitter = Duration::from_micros(500);
    lan.at(Time::START, Action::Conditions(Conditions { loss, jitter, ..Conditions::default() }));
    let mut rng = Rng::new(!seed);
    let mut at = Time::START;
    while at < Time::START + SPAN {
        at = at + rng.span(Duration::from_secs(20));
        let host = hosts[usize::try_from(rng.below(3))?];
        let (action, undo) = incident(&mut rng, host);
        lan.at(at, action);
        lan.at(at + Duration::from_secs(4), undo);
    }
    // Everybody who is in trouble then is out of it soon; the LAN is quiet for the rest.
    lan.at(Time::START + SPAN + Duration::from_secs(25), Action::Conditions(Conditions::default()));
    Ok(lan)
}

fn incident(rng: &mut Rng, host: HostId) -> (Action, Action) {
    let start = Action::Start(host);
    match rng.below(6) {
        0 => (Action::Stop(host), start),
        1 => (Action::Crash(host), start),
        2 => (Action::PowerOff(host), start),
        3 => (Action::Stall(host, rng.span(Duration::from_secs(3))), start),
        4 => (Action::Link(host, false), Action::Link(host, true)),
        _ => {
            let cut = [0, 1, 2].map(|place| u8::from(place == host.index()));
            (Action::Partition(cut.into(), 0), Action::Partition(vec![0; 3], 0))
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let seeds: u64 = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => 10,
        (Some("--seeds"), Some(count)) => count.parse()?,
        _ => return Err("usage: simulate [--seeds N]".into()),
    };
    let (mut events, mut violations) = (0, 0);
    let started = Instant::now();
    for seed in 0..seeds {
        let mut lan = troubled(seed)?;
        lan.run_until(Time::START + SPAN + Duration::from_secs(30));
        events += lan.events();
        let wrong = lan.violations().len() + usize::from(lan.masters().len() != 1);
        violations += wrong;
        if wrong > 0 {
            println!("seed {seed}: masters {:?}\n{}", lan.masters(), lan.transcript());
        }
    }
    let elapsed = started.elapsed();
    let rate = u128::from(events) * 1_000_000_000 / elapsed.as_nanos().max(1);
    println!("{seeds} seeds, {events} router-events in {elapsed:?}: {rate} a second, {violations} violations");
    if violations == 0 { Ok(()) } else { Err("something that must hold did not".into()) }
}
