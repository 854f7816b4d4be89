//! Faults at random, one or two at a time, of two hosts whose daemons are started anew when they end, as a service manager does
//! it. Whatever happened, in peace the stronger one has the address again; meanwhile it is on two hosts, and on none, no longer
//! than the fault explains.
//!
//! Ten seconds always; `VRRP_SOAK_SECONDS=600 cargo test -p vrrp-cli --test lan soak:: -- --nocapture` for longer, and with
//! `VRRP_SOAK_SEED=number` the same again.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use vrrp_cli::lab::{self, Process};

use crate::common::Kind::Vrrpctl;
use crate::common::*;

/// When nothing is asked for.
const SHORT: u64 = 10;
/// Three of these and a Skew_Time are a Master_Down_Interval.
const INTERVAL: Duration = Duration::from_millis(500);
/// The longest that a fault lasts.
const LONGEST: Duration = Duration::from_secs(4);
/// Faults that cut nobody off: the address may be on two hosts for so long. What is measured is printed.
const DOUBLE: Duration = Duration::from_secs(1);
/// Between two starts of a daemon.
const RESTART: Duration = Duration::from_millis(200);

const HOSTS: [&str; 2] = ["a", "b"];

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fault {
    WorkerKilled,
    WorkerFrozen,
    GuardianKilled,
    AllKilled,
    Restarted,
    CableCut,
    SwitchedOff,
    Flapping,
    AddressRemoved,
    Muted,
    Filtered,
    Renamed,
    Elsewhere,
    OwnAddressGone,
    OtherMac,
    SmallMtu,
    ManyNews,
}

use Fault::*;

const FAULTS: [Fault; 17] = [
    WorkerKilled,
    WorkerFrozen,
    GuardianKilled,
    AllKilled,
    Restarted,
    CableCut,
    SwitchedOff,
    Flapping,
    AddressRemoved,
    Muted,
    Filtered,
    Renamed,
    Elsewhere,
    OwnAddressGone,
    OtherMac,
    SmallMtu,
    ManyNews,
];

impl Fault {
    /// While it lasts, each host may have good reason to serve: they do not hear each other, or nobody is left to let go.
    fn divides(self) -> bool {
        matches!(self, AllKilled | Muted | Filtered)
    }

    fn lasts(self) -> bool {
        let at_once = matches!(self, WorkerKilled | GuardianKilled | AllKilled | Restarted | AddressRemoved | ManyNews);
        !at_once && !matches!(self, Flapping | OtherMac)
    }
}

/// The longest of each kind that was seen.
#[derive(Default)]
struct Worst {
    times: usize,
    both: Duration,
    nobody: Duration,
}

struct Soak {
    stage: Stage,
    daemons: [Daemon; 2],
    started: [Instant; 2],
    seed: u64,
    drawn: u64,
    said: Vec<String>,
    /// For whom interfaces are taken away.
    elsewhere: Process,
}

#[test]
fn faults_at_random_are_survived() {
    if !lab::privileged(faults_at_random_are_survived) {
        return;
    }
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let time = Duration::from_secs(number("VRRP_SOAK_SECONDS").unwrap_or(SHORT));
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let seed = number("VRRP_SOAK_SEED").unwrap_or(now.as_secs());
    eprintln!("VRRP_SOAK_SEED={seed}");
    let stage = Stage::new();
    let daemons = HOSTS.map(|host| start(&stage, host));
    let elsewhere = stage.lan.host("client").spawn(Command::new("sleep").arg("86400")).unwrap();
    let started = [Instant::now(); 2];
    let mut soak = Soak { stage, daemons, started, seed, drawn: 0, said: Vec::new(), elsewhere };
    soak.settle("the start");
    let mut worst = BTreeMap::<Vec<Fault>, Worst>::new();
    let began = Instant::now();
    while began.elapsed() < time {
        let (faults, both, nobody) = soak.round();
        let one = worst.entry(faults).or_default();
        *one = Worst { times: one.times + 1, both: one.both.max(both), nobody: one.nobody.max(nobody) };
    }
    for (faults, Worst { times, both, nobody }) in &worst {
        eprintln!("{times:3} x {faults:?}: on both for {both:?} in sum, on none for {nobody:?}, at the worst");
    }
    let Soak { mut daemons, stage, said, .. } = soak;
    for daemon in &mut daemons {
        daemon.stop();
    }
    assert!(stage.holders_of(VIP).is_empty());
    for log in said.iter().cloned().chain(daemons.iter().map(Daemon::log)) {
        assert!(!log.contains("panicked") && !log.contains("please report"), "{log}");
    }
}

fn start(stage: &Stage, host: &str) -> Daemon {
    let priority = if host == "a" { STRONG } else { WEAK };
    let settings = format!("version 3\n    advert_int {}", INTERVAL.as_secs_f64());
    let dynamic = "global_defs {\n    dynamic_interfaces\n}\n";
    stage.start_with(Vrrpctl, host, &[Instance::new(priority).password(None).with(settings)], dynamic)
}

impl Soak {
    /// Below `bound`; the same in every run of one seed.
    fn draw(&mut self, bound: usize) -> usize {
        self.drawn += 1;
        let mut hasher = DefaultHasher::new();
        (self.seed, self.drawn).hash(&mut hasher);
        usize::try_from(hasher.finish() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn round(&mut self) -> (Vec<Fault>, Duration, Duration) {
        let count = 1 + usize::from(self.draw(3) == 0);
        let mut all: Vec<_> = (0..count).map(|_| (FAULTS[self.draw(FAULTS.len())], self.draw(2))).collect();
        all.dedup_by_key(|(_, host)| *host);
        let lasting = LONGEST.mul_f64(f64::from(u8::try_from(self.draw(100)).unwrap()) / 100.0);
        let words = all.iter().map(|(fault, host)| format!("{fault:?} at {}", HOSTS[*host])).collect::<Vec<_>>();
        eprintln!("{} for {lasting:?}", words.join(", "));
        let watch = self.stage.watch(VIP);
        let began = Instant::now();
        for (fault, host) in &all {
            self.inflict(*fault, *host);
        }
        if all.iter().any(|(fault, _)| fault.lasts()) {
            lab::wait_until(lasting, || {
                self.look_after();
                false
            });
        }
        for (fault, host) in &all {
            self.undo(*fault, *host);
        }
        self.settle(&words.join(", "));
        let (both, nobody) = (watch.both(began), watch.nobody(began));
        let mut faults: Vec<_> = all.iter().map(|(fault, _)| *fault).collect();
        faults.sort_unstable();
        let divided = faults.iter().any(|fault| fault.divides());
        let allowed = if divided { LONGEST + PATIENCE } else { DOUBLE };
        assert!(both <= allowed, "{words:?}: on both for {both:?}");
        // Each of them has its silence, its election and its return.
        let allowed = lasting + (4 * INTERVAL + SLACK) * 2 * u32::try_from(all.len()).unwrap();
        assert!(nobody <= allowed, "{words:?}: on none for {nobody:?}, allowed {allowed:?}");
        (faults, both, nobody)
    }

    fn inflict(&mut self, fault: Fault, at: usize) {
        let host = HOSTS[at];
        let stage = &self.stage;
        let daemon = &mut self.daemons[at];
        let worker = |signal| daemon.worker_now().is_some_and(|worker| kill(worker, signal).is_ok());
        match fault {
            WorkerKilled => drop(worker(Signal::SIGKILL)),
            WorkerFrozen => drop(worker(Signal::SIGSTOP)),
            GuardianKilled => daemon.process.signal(Signal::SIGKILL).unwrap(),
            AllKilled => daemon.process.signal_all(Signal::SIGKILL).unwrap(),
            Restarted => daemon.process.terminate().unwrap(),
            CableCut => stage.lan.cut(host, 0).unwrap(),
            SwitchedOff => stage.set_up(host, false),
            Flapping => {
                for _ in 0..5 {
                    stage.lan.cut(host, 0).unwrap();
                    lab::wait_until(Duration::from_millis(300), || false);
                    stage.lan.mend(host, 0).unwrap();
                    lab::wait_until(Duration::from_millis(300), || false);
                }
            }
            AddressRemoved => drop(stage.lan.host(host).drop_address(ip(VIP)).unwrap()),
            Muted => stage.lan.mute(host, 0).unwrap(),
            Filtered => drop(stage.shell(
                host,
                "nft 'add table inet soak; add chain inet soak in { type filter hook input priority 0; }; \
                 add rule inet soak in ip protocol vrrp drop'",
            )),
            Renamed => drop(stage.shell(host, "ip link set eth0 name away0")),
            Elsewhere => {
                let pid = self.elsewhere.id();
                stage.shell(host, &format!("ip link set eth0 name {host}-0 && ip link set {host}-0 netns {pid}"));
            }
            OwnAddressGone => drop(stage.lan.host(host).drop_address(ip(stage.lan.host(host).address(0))).unwrap()),
            OtherMac => drop(stage.shell(
                host,
                "ip link set eth0 address 02:00:00:00:$(printf %02x:%02x $(($$ / 256 % 256)) $(($$ % 256)))",
            )),
            SmallMtu => drop(stage.shell(host, "ip link set eth0 mtu 68")),
            ManyNews => drop(stage.shell(
                host,
                "for i in 1 2 3 4 5 6; do { seq 250 | sed 's/.*/addr add 198.18.0.&\\/32 dev lo/'; \
                 seq 250 | sed 's/.*/addr del 198.18.0.&\\/32 dev lo/'; } | ip -batch -; done",
            )),
        }
    }

    fn undo(&mut self, fault: Fault, at: usize) {
        let host = HOSTS[at];
        let stage = &self.stage;
        match fault {
            WorkerFrozen => {
                if let Some(worker) = self.daemons[at].worker_now() {
                    let _ = kill(worker, Signal::SIGCONT);
                }
            }
            CableCut => stage.lan.mend(host, 0).unwrap(),
            SwitchedOff => stage.set_up(host, true),
            Muted => stage.lan.unmute(host, 0).unwrap(),
            Filtered => drop(stage.shell(host, "nft delete table inet soak")),
            Renamed => drop(stage.shell(host, "ip link set away0 name eth0")),
            SmallMtu => drop(stage.shell(host, "ip link set eth0 mtu 1500")),
            Elsewhere => {
                // Whoever is there has an end of its own, in the namespace of the host.
                let mut sleep = stage.lan.host(host).spawn(Command::new("sleep").arg("60")).unwrap();
                stage.shell("client", &format!("ip link set {host}-0 netns {}", sleep.id()));
                sleep.kill().unwrap();
                let own = stage.lan.host(host).address(0);
                stage.shell(host, &format!("ip link set {host}-0 name eth0 && ip addr add {own}/24 dev eth0"));
                stage.set_up(host, true);
            }
            OwnAddressGone => {
                let own = stage.lan.host(host).address(0);
                stage.shell(host, &format!("ip addr add {own}/24 dev eth0"));
            }
            WorkerKilled | GuardianKilled | AllKilled | Restarted | Flapping | AddressRemoved | OtherMac | ManyNews => {
            }
        }
    }

    /// What has ended is started again, as long as it takes: the lock of a guardian that has not finished refuses it.
    fn look_after(&mut self) {
        for (at, host) in HOSTS.iter().enumerate() {
            if self.started[at].elapsed() > RESTART && self.daemons[at].process.ended().is_some() {
                self.started[at] = Instant::now();
                let ended = std::mem::replace(&mut self.daemons[at], start(&self.stage, host));
                self.said.push(ended.log());
            }
        }
    }

    /// Waits until the stronger one alone has the address, and goes on having it.
    fn settle(&mut self, after: &str) {
        let mut since: Option<Instant> = None;
        let settled = lab::wait_until(PATIENCE, || {
            self.look_after();
            let alone = self.stage.holders_of(VIP) == ["a"];
            since = since.filter(|_| alone).or(alone.then(Instant::now));
            since.is_some_and(|since| since.elapsed() > 2 * INTERVAL)
        });
        let ended: Vec<_> = self.said.iter().rev().take(4).map(String::as_str).collect();
        let holders = self.stage.holders_of(VIP);
        assert!(settled, "after {after} {holders:?} have the address; the last that ended:\n{}", ended.join("---\n"));
    }
}
