//! Hours of simulated time under faults at random: crashes, hosts that lose their power, processes that are held up, links,
//! partitions, operators, kernels that refuse, and a wire that loses, doubles, delays and reorders.
//!
//! Beside the simulator's own invariants, a second observer looks at nothing but addresses. It knows which hosts could serve,
//! since it is told of each fault, and asks of every part of the LAN: never two of them with the address for longer than it
//! takes to hear each other, never none for longer than it takes to believe in a silence.
//!
//! A few seeds run always. `VRRP_SOAK=1000 cargo test --release -p vrrp-core --features sim --test soak -- --nocapture` runs as
//! many, of an hour each.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use vrrp_core::fsm::Params;
use vrrp_core::release::Handover;
use vrrp_core::sim::{Action, Chance, Conditions, Detail, HostId, HostSetup, Lan, Rng, Time, params, router};
use vrrp_core::{AdvertInterval, Vrid};

/// Time of one seed when nothing is asked for, and when something is.
const SHORT: Duration = Duration::from_secs(600);
const HOUR: Duration = Duration::from_secs(3600);
/// Seeds when nothing is asked for: each interval, both families, with preemption and without.
const FEW: u64 = 12;
/// What the kernels of hosts may take.
const SLOWEST_KERNEL: Duration = Duration::from_millis(20);
/// The longest fault.
const TROUBLE: Duration = Duration::from_secs(20);
/// Clients ask anew after this.
const CLIENT: Duration = Duration::from_secs(10);

const ADDRESSES: [[IpAddr; 1]; 2] = [
    [IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 100))],
    [IpAddr::V6(std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100))],
];

#[test]
fn soak() {
    let asked =
        std::env::var("VRRP_SOAK").ok().map(|count| count.parse::<u64>().expect("VRRP_SOAK is a number of seeds"));
    let (seeds, span) = asked.map_or((FEW, SHORT), |seeds| (seeds, HOUR));
    let (mut events, mut faults) = (0, 0);
    let began = Instant::now();
    for seed in 0..seeds {
        let mut run = Run::new(seed, Detail::Nothing);
        if let Err(why) = run.go(span) {
            // Once more, with everything written down.
            let mut again = Run::new(seed, Detail::Changes);
            let _ = again.go(span);
            let transcript = again.lan.transcript();
            let tail = transcript.lines().rev().take(120).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>();
            panic!("seed {seed}: {why}\n{}", tail.join("\n"));
        }
        events += run.lan.events();
        faults += run.faults;
    }
    println!("{seeds} seeds of {span:?} each: {faults} faults, {events} router-events in {:?}", began.elapsed());
}

/// What is known of a host without looking into it.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not states")]
struct Known {
    priority: u8,
    runs: bool,
    wanted: bool,
    maintained: bool,
    link: bool,
    segment: u8,
    stalled: Option<Time>,
    /// Its process died before, and left the address.
    crashed: bool,
    /// It goes on with what a process before it has left until the election is decided.
    undecided: Option<Time>,
}

struct Run {
    lan: Lan,
    rng: Rng,
    hosts: Vec<HostId>,
    known: Vec<Known>,
    address: IpAddr,
    interval: Duration,
    preempt: bool,
    /// Nothing is lost, reordered or refused since then.
    clean: Option<Time>,
    changed: Time,
    /// For each segment, since when two have the address, and since when nobody has.
    two: [Option<Time>; 2],
    none: [Option<Time>; 2],
    faults: u64,
}

impl Run {
    fn new(seed: u64, detail: Detail) -> Self {
        let mut rng = Rng::new(!seed);
        let mut lan = Lan::new(seed);
        lan.set_detail(detail);
        let interval = match seed % 3 {
            0 => AdvertInterval::from_secs(1),
            1 => AdvertInterval::from_centis(10),
            _ => AdvertInterval::from_centis(100),
        };
        let interval = interval.expect("in range");
        let preempt = (seed / 3).is_multiple_of(2);
        let address = ADDRESSES[usize::from(seed / 6 % 2 == 1)];
        let handover = if rng.below(2) == 0 { Handover::Announced } else { Handover::Immediate };
        let (mut hosts, mut known) = (Vec::new(), Vec::new());
        for number in 1..=2 + u8::try_from(rng.below(3)).expect("few") {
            let priority = match rng.below(8) {
                0 if number == 1 => 255,
                _ => u8::try_from(1 + rng.below(254)).expect("1..=254"),
            };
            let params = Params { preempt, ..params(priority, interval).expect("not 0") };
            let router = router(Vrid::new(50).expect("not 0"), params, &address).expect("an address");
            let mut setup = HostSetup::new(&format!("r{number}"), number, vec![router]);
            setup.handover = handover;
            setup.kernel = rng.span(SLOWEST_KERNEL);
            hosts.push(lan.add(setup).expect("one router"));
            known.push(Known {
                priority,
                runs: false,
                wanted: true,
                maintained: false,
                link: true,
                segment: 0,
                stalled: None,
                crashed: false,
                undecided: None,
            });
        }
        Self {
            lan,
            rng,
            hosts,
            known,
            address: address[0],
            interval: interval.duration(),
            preempt,
            clean: Some(Time::START),
            changed: Time::START,
            two: [None; 2],
            none: [None; 2],
            faults: 0,
        }
    }

    fn go(&mut self, span: Duration) -> Result<(), String> {
        for host in self.hosts.clone() {
            self.act(Action::Start(host));
        }
        self.peace()?;
        while self.lan.now() < Time::START + span {
            self.trouble()?;
            self.heal();
            self.peace()?;
        }
        Ok(())
    }

    /// Some faults that overlap, on a wire that is good or bad.
    fn trouble(&mut self) -> Result<(), String> {
        let begin = self.lan.now();
        let end = begin + Duration::from_millis(100) + self.rng.span(TROUBLE);
        if self.rng.below(3) == 0 {
            self.clean = None;
            let conditions = self.bad_wire();
            self.act(Action::Conditions(conditions));
        }
        let mut faults: Vec<(Time, Action)> = Vec::new();
        for _ in 0..=self.rng.below(6) {
            let at = begin + self.rng.span(end.since(begin));
            let action = self.fault(end.since(at));
            faults.push((at, action));
        }
        faults.sort_by_key(|(at, _)| *at);
        for (at, action) in faults {
            self.run_until(at)?;
            self.faults += 1;
            self.act(action);
        }
        self.run_until(end)
    }

    fn bad_wire(&mut self) -> Conditions {
        let ppm =
            |rng: &mut Rng, most| Chance::from_ppm(u32::try_from(rng.below(most)).expect("small")).expect("a chance");
        Conditions {
            jitter: self.rng.span(self.interval / 4),
            loss: ppm(&mut self.rng, 300_000),
            duplicate: ppm(&mut self.rng, 100_000),
            reorder: ppm(&mut self.rng, 100_000),
            hold: self.rng.span(2 * self.interval),
            ..Conditions::default()
        }
    }

    fn fault(&mut self, left: Duration) -> Action {
        let number = usize::try_from(self.rng.below(u64::try_from(self.hosts.len()).expect("few"))).expect("few");
        let host = self.hosts[number];
        match self.rng.below(11) {
            0 => Action::Crash(host),
            1 => Action::PowerOff(host),
            2 | 3 => Action::Stall(host, self.rng.span(left)),
            4 => Action::Link(host, false),
            5 => Action::Link(host, true),
            6 => Action::Start(host),
            7 => Action::Stop(host),
            8 => Action::Maintenance(host, self.rng.below(2) == 0),
            9 => {
                self.clean = None;
                Action::Refuse(host, true)
            }
            _ => {
                let segments = self.hosts.iter().map(|_| u8::from(self.rng.below(2) == 1)).collect();
                Action::Partition(segments, 0)
            }
        }
    }

    fn heal(&mut self) {
        let hold = if self.clean.is_none() { 3 * self.interval } else { Duration::ZERO };
        self.act(Action::Conditions(Conditions::default()));
        self.act(Action::Partition(vec![0; self.hosts.len()], 0));
        for host in self.hosts.clone() {
            for action in [
                Action::Link(host, true),
                Action::Refuse(host, false),
                Action::Maintenance(host, false),
                Action::Start(host),
            ] {
                self.act(action);
            }
        }
        // What the wire held back still arrives.
        self.changed = self.lan.now() + hold;
        self.clean.get_or_insert(self.changed);
    }

    /// All is well long enough for everybody to agree.
    fn peace(&mut self) -> Result<(), String> {
        let settled = self.changed + self.silence() + 2 * self.interval;
        self.run_until(settled + CLIENT)?;
        let holders = self.lan.holders(self.address);
        let strongest = self.known.iter().map(|known| known.priority).max();
        match holders[..] {
            [holder] if self.preempt && Some(self.known[holder.index()].priority) != strongest => {
                Err(format!("{} has the address and is not the strongest", self.lan.name(holder)))
            }
            [holder] if self.lan.client_reaches(self.address) != Some(holder) => {
                Err(format!("the client does not reach {}", self.lan.name(holder)))
            }
            [_] => Ok(()),
            _ => Err(format!("in peace, {holders:?} have the address")),
        }
    }

    fn act(&mut self, action: Action) {
        let now = self.lan.now();
        let decided = now + self.silence();
        self.changed = self.changed.max(now);
        let known = &mut self.known;
        match &action {
            Action::Start(host) => {
                let one = &mut known[host.index()];
                if !one.runs && std::mem::take(&mut one.crashed) {
                    one.undecided = Some(decided);
                }
                (one.runs, one.wanted) = (true, true);
            }
            Action::Stop(host) => known[host.index()].wanted = false,
            Action::Crash(host) | Action::PowerOff(host) => {
                let one = &mut known[host.index()];
                one.crashed = matches!(action, Action::Crash(_)) && (one.runs || one.crashed);
                (one.runs, one.wanted, one.stalled) = (false, true, None);
                one.maintained = false;
            }
            Action::Stall(host, span) => {
                let one = &mut known[host.index()];
                one.stalled = one.runs.then(|| now + *span);
            }
            Action::Link(host, up) => known[host.index()].link = *up,
            // A process that starts anew knows nothing of it, and one that does not run is not told.
            Action::Maintenance(host, on) => {
                let one = &mut known[host.index()];
                one.maintained = *on && one.runs;
            }
            Action::Partition(segments, _) => {
                known.iter_mut().zip(segments).for_each(|(one, segment)| one.segment = *segment);
            }
            Action::Params(..)
            | Action::Conditions(_)
            | Action::Hearing(..)
            | Action::Refuse(..)
            | Action::Firewall(..)
            | Action::Track(..) => {}
        }
        self.lan.at(now, action);
        self.lan.run_until(now);
    }

    /// Who waits for longer than this in a silence does not wait for it: what the slowest may take to believe in it, and to act.
    fn silence(&self) -> Duration {
        let down = 4 * self.interval;
        let listening = if self.preempt { down } else { (3 * down).max(Duration::from_secs(3) + self.interval) };
        listening + 2 * SLOWEST_KERNEL + Duration::from_millis(1)
    }

    /// Two that can hear each other are one after this: an interval, or the time for which one that lets go on purpose goes on
    /// serving without a successor.
    fn division(&self) -> Duration {
        self.interval + Duration::from_millis(100) + 2 * SLOWEST_KERNEL + Duration::from_millis(1)
    }

    fn run_until(&mut self, end: Time) -> Result<(), String> {
        while let Some(at) = self.lan.next().filter(|at| *at <= end) {
            self.look(at)?;
            self.lan.turn(end);
            if let Some(violation) = self.lan.violations().first() {
                return Err(format!("{violation:?}"));
            }
        }
        self.look(end)?;
        self.lan.run_until(end);
        Ok(())
    }

    /// Until `at` everything was as it is now.
    fn look(&mut self, at: Time) -> Result<(), String> {
        let now = self.lan.now();
        let Some(clean) = self.clean else {
            (self.two, self.none) = ([None; 2], [None; 2]);
            return Ok(());
        };
        let holders = self.lan.holders(self.address);
        let resumed = self.known.iter().filter_map(|one| one.stalled).filter(|until| *until <= now).max();
        let since = self.changed.max(clean).max(resumed.unwrap_or(Time::START));
        for segment in 0..2 {
            let able = |one: &Known| {
                one.runs
                    && one.wanted
                    && !one.maintained
                    && one.link
                    && usize::from(one.segment) == segment
                    && one.stalled.is_none_or(|until| until <= now)
            };
            let able: Vec<bool> = self.known.iter().map(able).collect();
            let serving = holders.iter().filter(|host| able[host.index()]).count();
            let decided = |host: &&HostId| self.known[host.index()].undecided.is_none_or(|until| until <= now);
            let decided = holders.iter().filter(|host| able[host.index()]).filter(decided).count();
            let two = (decided > 1).then(|| self.two[segment].unwrap_or(now));
            let none = (serving == 0 && able.contains(&true)).then(|| self.none[segment].unwrap_or(now));
            (self.two[segment], self.none[segment]) = (two, none);
            if let Some(began) = two.filter(|began| at > since.max(*began) + self.division()) {
                return Err(format!(
                    "{holders:?} have the address from {began} to {at}, nothing happened since {since}"
                ));
            }
            if let Some(began) = none.filter(|began| at > since.max(*began) + self.silence()) {
                return Err(format!(
                    "no able host has the address from {began} to {at}, nothing happened since {since}"
                ));
            }
        }
        Ok(())
    }
}
