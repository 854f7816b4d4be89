//! An arbitrary sequence of troubles on a simulated LAN of three nodes: no invariant is violated, the transcript can be
//! written, and a LAN that is left in peace has the one right Master.

use std::time::Duration;

use vrrp_core::fsm::{Params, Role};
use vrrp_core::sim::{Action, Chance, Conditions, Detail, HostId, HostSetup, Lan, Time, params, router};
use vrrp_core::{AdvertInterval, Priority, Version, Vrid};

const HOSTS: u8 = 3;
/// Steps beyond these are ignored: a run stays short.
const STEPS: usize = 300;
/// Longer than a few Master_Down_Intervals of the longest interval that occurs.
const QUIET: Duration = Duration::from_secs(60);

/// Reads `data` as troubles.
pub fn sequence(data: &[u8]) {
    let mut octets = data.iter().copied();
    let kind = octets.next().unwrap_or(0);
    let Some(mut lan) = lan(kind, octets.next().unwrap_or(0)) else { return };
    for _ in 0..STEPS {
        let (Some(what), Some(value)) = (octets.next(), octets.next()) else { break };
        if let Some(action) = action(&lan, what, value, octets.clone().next().unwrap_or(0)) {
            lan.at(lan.now(), action);
        }
        // Up to six seconds, in steps that are no divisor of any interval.
        lan.run_until(lan.now() + Duration::from_micros(23_457) * u32::from(value));
        check(&lan);
    }
    quiet(&mut lan);
}

fn lan(kind: u8, seed: u8) -> Option<Lan> {
    let mut lan = Lan::new(u64::from(seed));
    lan.set_detail(Detail::Frames);
    let interval = if kind & 1 == 0 { AdvertInterval::from_secs(1) } else { AdvertInterval::from_centis(20) }?;
    let equal = kind & 2 != 0;
    let address = if kind & 5 == 5 { [0xfe80, 0, 0, 0, 0, 0, 0, 0x100].into() } else { [10, 0, 0, 100].into() };
    for number in 1..=HOSTS {
        let priority = if equal { 100 } else { 50 * number };
        let params = Params { preempt: kind & 8 == 0, ..params(priority, interval)? };
        let router = router(Vrid::new(50)?, params, &[address]).ok()?;
        let host = lan.add(HostSetup::new(&format!("r{number}"), number, vec![router])).ok()?;
        lan.at(Time::START, Action::Start(host));
    }
    Some(lan)
}

fn action(lan: &Lan, what: u8, value: u8, more: u8) -> Option<Action> {
    let host = lan.hosts().nth(usize::from(what >> 4) % usize::from(HOSTS))?;
    let span = Duration::from_millis(u64::from(more) * 37);
    Some(match what & 0x0f {
        0 | 1 => Action::Start(host),
        2 => Action::Stop(host),
        3 => Action::Crash(host),
        4 => Action::PowerOff(host),
        5 => Action::Stall(host, span),
        6 => Action::Link(host, value & 1 == 1),
        7 => Action::Partition((0..HOSTS).map(|place| (more >> place) & 1).collect(), (more >> HOSTS) & 1),
        8 => Action::Params(host, 0, changed(lan, host, value, more)?),
        9 => Action::Conditions(conditions(value, more)?),
        10 => Action::Hearing(host, if value & 1 == 0 { None } else { Some(conditions(value, more)?) }),
        11 => Action::Refuse(host, value & 1 == 1),
        _ => return None,
    })
}

/// VRRPv2's routers keep their interval, without which they do not hear each other, and none becomes the owner, of whom two
/// would not either.
fn changed(lan: &Lan, host: HostId, value: u8, more: u8) -> Option<Params> {
    let node = lan.node(host)?;
    let now = node.router(node.routers().next()?)?.machine().params;
    let preempt = value & 1 == 0;
    Some(match now.version() {
        Version::V2 => Params { priority: Priority::new(more.min(254))?, preempt, ..now },
        Version::V3 if value & 2 == 0 => Params { priority: Priority::new(more)?, preempt, ..now },
        Version::V3 => Params { interval: AdvertInterval::from_centis(u16::from(more))?, preempt, ..now },
    })
}

fn conditions(value: u8, more: u8) -> Option<Conditions> {
    let chance = |nibble: u8| Chance::from_ppm(u32::from(nibble) * 60_000);
    Some(Conditions {
        delay: Duration::from_micros(u64::from(value) * 10 + 1),
        jitter: Duration::from_micros(u64::from(more) * 100),
        loss: chance(value >> 4)?,
        duplicate: chance(value & 0x0f)?,
        reorder: chance(more >> 4)?,
        hold: Duration::from_millis(u64::from(more & 0x0f) * 10),
    })
}

fn check(lan: &Lan) {
    assert_eq!(lan.violations(), [], "{}", lan.transcript());
}

fn quiet(lan: &mut Lan) {
    let now = lan.now();
    lan.at(now, Action::Conditions(Conditions::default()));
    lan.at(now, Action::Partition(vec![0; usize::from(HOSTS)], 0));
    for host in lan.hosts() {
        lan.at(now, Action::Hearing(host, None));
        lan.at(now, Action::Link(host, true));
        lan.at(now, Action::Refuse(host, false));
    }
    lan.run_until(now + QUIET);
    check(lan);
    let machines = lan.hosts().filter_map(|host| {
        let node = lan.node(host)?;
        node.router(node.routers().next()?).map(|router| *router.machine())
    });
    let running: Vec<_> = machines.filter(vrrp_core::fsm::Machine::runs).collect();
    let masters: Vec<_> = running.iter().filter(|machine| machine.state.role() == Role::Master).collect();
    let preempts = |params: Params| params.preempt || params.priority.is_owner();
    match masters[..] {
        [] => assert!(running.is_empty(), "{}", lan.transcript()),
        [master] => assert!(
            running.iter().all(|other| !preempts(other.params) || other.params.priority <= master.params.priority),
            "{}",
            lan.transcript()
        ),
        _ => panic!("{} masters\n{}", masters.len(), lan.transcript()),
    }
}
