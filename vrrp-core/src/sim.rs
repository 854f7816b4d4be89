//! A deterministic LAN: [`Node`](crate::node::Node)s that exchange real octets, in simulated time, under every kind of trouble.
//!
//! Feature `sim`, which needs std. Knows no socket and reads no clock: time is [`Time`], chance is a seeded [`Rng`], and the
//! same seed gives the same transcript, octet for octet. A process is run as a daemon runs it: what was fed back, then every
//! datagram that waits with the time of its arrival, then deadlines.
//!
//! - [`Lan`] is the simulation: hosts, [`Conditions`] of the wire, [`Action`]s at their times, a transcript of [`Entry`]s.
//! - [`invariants`] are checked after every turn of every process; a violation is part of the transcript.
//! - [`scenario`] is a small language of lines, whose runs are compared with committed transcripts.
//! - [`model`] visits every state that three routers can reach.
//!
//! # What is simulated
//!
//! The wire delays (with jitter), loses, duplicates and reorders; hosts are cut off from each other (a partition) or lose
//! their link and are told. A process is held up while datagrams queue for it, dies without a release and leaves its
//! addresses behind, starts anew and finds them; or the whole host loses its power. A kernel takes its time to install and
//! remove, may refuse, and acknowledges. A client asks for the addresses and learns from announcements, so that the
//! transcript says whom it reaches.
//!
//! ```
//! use core::time::Duration;
//! use vrrp_core::sim::{Action, HostSetup, Lan, Time, params, router};
//! use vrrp_core::{AdvertInterval, Vrid};
//!
//! let vrid = Vrid::new(50).ok_or("1..=255")?;
//! let second = AdvertInterval::from_secs(1).ok_or("1..=255")?;
//! let mut lan = Lan::new(1);
//! let mut hosts = Vec::new();
//! for (number, priority) in [(1, 150), (2, 100)] {
//!     let params = params(priority, second).ok_or("1..=255")?;
//!     let router = router(vrid, params, &[[10, 0, 0, 100].into()])?;
//!     hosts.push(lan.add(HostSetup::new(&format!("r{number}"), number, vec![router]))?);
//! }
//! for host in &hosts {
//!     lan.at(Time::START, Action::Start(*host));
//! }
//! lan.at(Time::START + Duration::from_secs(10), Action::PowerOff(hosts[0]));
//! lan.run_until(Time::START + Duration::from_secs(20));
//! assert_eq!(lan.masters(), [hosts[1]]);
//! assert_eq!(lan.client_reaches([10, 0, 0, 100].into()), Some(hosts[1]));
//! assert_eq!(lan.violations(), []);
//! assert!(lan.transcript().contains("r2: Backup to Master, no advertisement from a master"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use core::net::IpAddr;
use core::time::Duration;
use std::boxed::Box;
use std::vec::Vec;

use crate::Auth;
use crate::fsm::{Params, Rules};
use crate::router::{ChecksumPolicy, RouterConfig};
use crate::track::Status;
use crate::types::{AddressError, AddressList, AdvertInterval, Priority, Vrid};

mod chance;
mod client;
mod host;
pub mod invariants;
mod lan;
pub mod model;
pub mod scenario;
mod time;
mod transcript;

pub use chance::{Chance, Rng};
pub use host::HostSetup;
pub use lan::Lan;
pub use time::Time;
pub use transcript::{Detail, Entry, Happening};

/// A host of a [`Lan`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostId(usize);

impl HostId {
    /// Its place in the order of [`Lan::add`], from 0.
    pub const fn index(self) -> usize {
        self.0
    }
}

/// What the wire does to each frame on its way to each receiver.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Conditions {
    /// The time a frame takes.
    pub delay: Duration,
    /// Up to this much more, at random.
    pub jitter: Duration,
    /// It does not arrive.
    pub loss: Chance,
    /// It arrives twice, each with its own jitter.
    pub duplicate: Chance,
    /// It is held back by [`Conditions::hold`], so that later ones overtake it.
    pub reorder: Chance,
    /// How long a reordered frame is held back.
    pub hold: Duration,
}

impl Default for Conditions {
    /// A quiet switch: 100 µs, nothing else.
    fn default() -> Self {
        Self {
            delay: Duration::from_micros(100),
            jitter: Duration::ZERO,
            loss: Chance::NEVER,
            duplicate: Chance::NEVER,
            reorder: Chance::NEVER,
            hold: Duration::ZERO,
        }
    }
}

impl Conditions {
    /// The longest that a frame is under way.
    pub const fn longest(&self) -> Duration {
        self.delay.saturating_add(self.jitter).saturating_add(self.hold)
    }
}

/// What is done to a [`Lan`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// The process starts, if none runs, and the operator wants its routers to run. Leftover addresses are found.
    Start(HostId),
    /// The operator stops the routers; the process goes on.
    Stop(HostId),
    /// The process dies without a word. Its addresses stay on the interface.
    Crash(HostId),
    /// The host loses its power: process and addresses are gone.
    PowerOff(HostId),
    /// The process does not run for this long; what arrives is queued.
    Stall(HostId, Duration),
    /// The host's link goes down or up, and the process is told.
    Link(HostId, bool),
    /// Each host's segment, in the order of [`Lan::add`], and the client's; frames stay in a segment. Nobody is told.
    Partition(Vec<u8>, u8),
    /// All parameters of a host's router, by its place in [`HostSetup::routers`].
    Params(HostId, usize, Params),
    /// The wire, for all that have no conditions of their own.
    Conditions(Conditions),
    /// The wire to one host; `None` is as for all.
    Hearing(HostId, Option<Conditions>),
    /// A firewall of a host drops adverts before the process's sockets, or no longer does; the process hears them behind its back.
    Firewall(HostId, bool),
    /// The kernel of a host refuses to install addresses, or no longer does.
    Refuse(HostId, bool),
    /// The operator puts all routers of a host into maintenance, or ends that. A process that starts anew knows nothing of it.
    Maintenance(HostId, bool),
    /// What is known of something that routers of a host follow, by its number in [`HostSetup::follows`].
    Track(HostId, usize, Status),
}

/// A router without authentication, in the defaults of its version.
pub fn router(vrid: Vrid, params: Params, addresses: &[IpAddr]) -> Result<RouterConfig<Box<[IpAddr]>>, AddressError> {
    let addresses = AddressList::new(Box::from(addresses))?;
    Ok(RouterConfig { vrid, params, addresses, auth: Auth::None, checksum: ChecksumPolicy::default() })
}

/// Parameters with preemption, in the defaults of their version; `None` for a priority of 0.
pub fn params(priority: u8, interval: AdvertInterval) -> Option<Params> {
    Some(Params { priority: Priority::new(priority)?, interval, preempt: true, accept: false, rules: Rules::DEFAULT })
}
