//! Two hosts with the same routers, one stronger, and a client, on networks of their own.
//!
//! Knows configurations and addresses; not what is measured.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};
use std::{fs, thread};

use tempfile::TempDir;
use vrrp_cli::lab::Lan;

use crate::Outcome;
use crate::contender::{Daemon, Make};

/// The stronger host's name, the weaker one's, and the client's.
pub(crate) const STRONG: &str = "strong";
pub(crate) const WEAK: &str = "weak";
pub(crate) const CLIENT: &str = "client";
/// Priority of the weaker host.
const PRIORITY: u32 = 100;
/// Between two looks at addresses: each costs a millisecond where there are a thousand.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What runs on either host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) routers: u16,
    /// Addresses of each router.
    pub(crate) addresses: u8,
    pub(crate) networks: u8,
    /// Milliseconds.
    pub(crate) interval: u32,
    pub(crate) version: u8,
}

/// A running pair.
pub(crate) struct Pair {
    pub(crate) load: Load,
    pub(crate) strong: Daemon,
    pub(crate) weak: Daemon,
    pub(crate) lan: Lan,
    /// From the first start until the stronger host had every address and the weaker one none.
    pub(crate) converged: Duration,
    make: Make,
    folder: TempDir,
}

impl Load {
    /// One router with one address.
    pub(crate) fn single(version: u8, interval: u32) -> Self {
        Self { routers: 1, addresses: 1, networks: 1, interval, version }
    }

    /// Master_Down_Interval of the weaker host.
    pub(crate) fn master_down_interval(&self) -> Duration {
        let interval = Duration::from_millis(self.interval.into());
        let skew = if self.version == 2 { Duration::from_secs(1) } else { interval };
        3 * interval + skew * (256 - PRIORITY) / 256
    }

    /// How many addresses there are.
    pub(crate) fn total(&self) -> usize {
        usize::from(self.routers) * usize::from(self.addresses)
    }

    /// An address of a router.
    pub(crate) fn address(&self, router: u16, number: u8) -> Ipv4Addr {
        if self.routers == 1 {
            // Where the client can ask for it.
            return Ipv4Addr::new(10, 9, 0, 100 + number);
        }
        let (network, id) = self.place(router);
        Ipv4Addr::new(10, 100 + network, id, number + 1)
    }

    /// Whether it is one of a router's.
    pub(crate) fn is_virtual(address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else { return false };
        matches!(address.octets(), [10, 9, 0, 100..=255] | [10, 100..=255, ..])
    }

    fn place(&self, router: u16) -> (u8, u8) {
        let networks = u16::from(self.networks.max(1));
        let octet = |number: u16| u8::try_from(number).unwrap_or(u8::MAX);
        (octet(router % networks), octet(router / networks + 1))
    }

    fn configuration(&self, priority: u32) -> String {
        let (seconds, thousandths) = (self.interval / 1000, self.interval % 1000);
        let mut text = String::from("global_defs {\n router_id side-by-side\n}\n");
        for router in 0..self.routers {
            let (network, id) = self.place(router);
            let _ = writeln!(
                text,
                "vrrp_instance V{router} {{\n state BACKUP\n interface eth{network}\n virtual_router_id {id}\n priority \
                 {priority}\n advert_int {seconds}.{thousandths:03}\n version {}\n virtual_ipaddress {{",
                self.version
            );
            for number in 0..self.addresses {
                let _ = writeln!(text, "  {}", self.address(router, number));
            }
            text.push_str(" }\n}\n");
        }
        text
    }
}

impl Pair {
    /// Starts both, and waits until the stronger host serves everything.
    pub(crate) fn start(make: &Make, load: Load, patience: Duration) -> Outcome<Self> {
        let lan = Lan::with_networks(&[CLIENT, STRONG, WEAK], load.networks.into())?;
        let folder = tempfile::tempdir()?;
        let started = Instant::now();
        let weak = Daemon::start(make, lan.host(WEAK), folder.path(), &load.configuration(PRIORITY))?;
        let strong = Daemon::start(make, lan.host(STRONG), folder.path(), &load.configuration(PRIORITY + 50))?;
        let mut pair = Self { load, strong, weak, lan, converged: Duration::ZERO, make: make.clone(), folder };
        pair.await_strong(patience)?;
        pair.converged = started.elapsed();
        Ok(pair)
    }

    /// Waits until the stronger host has every address, and the weaker one none.
    pub(crate) fn await_strong(&self, patience: Duration) -> Outcome<()> {
        self.until("the stronger host serves everything", patience, || {
            self.held(STRONG) == self.load.total() && self.held(WEAK) == 0
        })
    }

    /// Waits until the weaker host has every address.
    pub(crate) fn await_weak(&self, patience: Duration) -> Outcome<()> {
        self.until("the weaker host serves everything", patience, || self.held(WEAK) == self.load.total())
    }

    /// Starts the stronger host's daemon once more.
    pub(crate) fn restart_strong(&mut self) -> Outcome<()> {
        let configuration = self.load.configuration(PRIORITY + 50);
        self.strong = Daemon::start(&self.make, self.lan.host(STRONG), self.folder.path(), &configuration)?;
        Ok(())
    }

    /// The stronger host falls silent, its carrier stays; or it is heard again.
    pub(crate) fn mute(&self, muted: bool) -> Outcome<()> {
        for network in 0..self.load.networks {
            if muted {
                self.lan.mute(STRONG, network.into())?;
            } else {
                self.lan.unmute(STRONG, network.into())?;
            }
        }
        Ok(())
    }

    fn held(&self, host: &str) -> usize {
        let addresses = self.lan.addresses(host).unwrap_or_default();
        addresses.iter().filter(|address| Load::is_virtual(address.address)).count()
    }

    fn until(&self, what: &str, patience: Duration, mut condition: impl FnMut() -> bool) -> Outcome<()> {
        let started = Instant::now();
        while !condition() {
            if started.elapsed() > patience {
                let log = |host| fs::read_to_string(self.folder.path().join(format!("{host}.log"))).unwrap_or_default();
                let last = |host| log(host).lines().last().map(str::to_owned).unwrap_or_default();
                let (strong, weak) = (self.held(STRONG), self.held(WEAK));
                return Err(format!(
                    "{what}: not within {patience:?}, they have {strong} and {weak} addresses; last words: {:?}, {:?}",
                    last(STRONG),
                    last(WEAK)
                )
                .into());
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}
