//! Who has an address when, from the kernels' own news.
//!
//! Knows hosts and one address; not why it moves.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use vrrp_netlink::addresses::Address;
use vrrp_netlink::monitor::{Event, Monitor};
use vrrp_netlink::process::{Poller, Wakeup};
use vrrp_netlink::rtnl::Rtnl;

use super::{Host, LabError, locked};

/// Watches in the background, until it is dropped, which hosts have an address.
pub struct Holders {
    watched: Arc<Watched>,
    wakeup: Wakeup,
    thread: Option<JoinHandle<()>>,
}

/// A host got the address or lost it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Move {
    /// When this process heard of it.
    pub at: Instant,
    /// Name of the host.
    pub host: String,
    /// Whether it has the address from now on.
    pub gained: bool,
}

struct Watched {
    names: Vec<String>,
    address: IpAddr,
    started: Instant,
    /// Which hosts had the address at `started`.
    first: Vec<bool>,
    stop: AtomicBool,
    edges: Mutex<Vec<Edge>>,
}

#[derive(Clone, Copy)]
struct Edge {
    at: Instant,
    host: usize,
    held: bool,
}

struct Ear {
    monitor: Monitor,
    rtnl: Rtnl,
    held: bool,
}

impl Holders {
    /// Begins to watch `address` on `hosts`; who has it already is known when this returns.
    pub fn watch<'h>(hosts: impl IntoIterator<Item = &'h Host>, address: IpAddr) -> Result<Self, LabError> {
        let mut names = Vec::new();
        let mut ears = Vec::new();
        for host in hosts {
            let open = || Ok::<_, vrrp_netlink::Error>((Monitor::open()?, Rtnl::open()?));
            let (monitor, mut rtnl) = host.namespace().run(open)??;
            let held = has(&mut rtnl, address)?;
            names.push(host.name().to_owned());
            ears.push(Ear { monitor, rtnl, held });
        }
        let watched = Arc::new(Watched {
            names,
            address,
            started: Instant::now(),
            first: ears.iter().map(|ear| ear.held).collect(),
            stop: AtomicBool::new(false),
            edges: Mutex::default(),
        });
        let wakeup = Wakeup::new()?;
        let (for_thread, waker) = (Arc::clone(&watched), wakeup.clone());
        let thread =
            thread::Builder::new().name("holders".to_owned()).spawn(move || for_thread.listen(ears, &waker)).map_err(
                |source| LabError::Start { what: "start the thread that watches an address".to_owned(), source },
            )?;
        Ok(Self { watched, wakeup, thread: Some(thread) })
    }

    /// All moves so far, in order.
    pub fn moves(&self) -> Vec<Move> {
        self.moves_from(0)
    }

    /// The moves after the first `known` ones, for who reads them as they come.
    pub fn moves_from(&self, known: usize) -> Vec<Move> {
        let edges = locked(&self.watched.edges);
        let name = |edge: &Edge| self.watched.names.get(edge.host).cloned().unwrap_or_default();
        edges.iter().skip(known).map(|edge| Move { at: edge.at, host: name(edge), gained: edge.held }).collect()
    }

    /// Names of those that have the address now.
    pub fn now(&self) -> Vec<String> {
        let mut held = self.watched.first.clone();
        for edge in locked(&self.watched.edges).iter() {
            held[edge.host] = edge.held;
        }
        let names = self.watched.names.iter().zip(held);
        names.filter(|(_, held)| *held).map(|(name, _)| name.clone()).collect()
    }

    /// For how long, since `since`, two or more hosts had the address.
    pub fn both(&self, since: Instant) -> Duration {
        self.total(since, |holders| holders > 1)
    }

    /// For how long, since `since`, no host had the address.
    pub fn nobody(&self, since: Instant) -> Duration {
        self.total(since, |holders| holders == 0)
    }

    fn total(&self, since: Instant, counts: impl Fn(usize) -> bool) -> Duration {
        total(&self.watched.first, &locked(&self.watched.edges), since.max(self.watched.started), counts)
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        self.watched.stop.store(true, Ordering::Relaxed);
        self.wakeup.wake();
        if let Some(thread) = self.thread.take() {
            // A panic has been reported on standard error when it happened.
            let _ = thread.join();
        }
    }
}

impl Watched {
    fn listen(&self, mut ears: Vec<Ear>, wakeup: &Wakeup) {
        let mut poller = Poller::new();
        poller.add(wakeup);
        for ear in &ears {
            poller.add(&ear.monitor);
        }
        let mut events = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            if poller.wait(None).is_err() {
                return;
            }
            for (host, ear) in ears.iter_mut().enumerate() {
                // After an error what is known stays; the next wait would report it for ever.
                if ear.monitor.read(&mut events).is_err() {
                    return;
                }
                let at = Instant::now();
                for event in events.drain(..) {
                    let held = self.after(&event, ear);
                    if held != ear.held {
                        ear.held = held;
                        locked(&self.edges).push(Edge { at, host, held });
                    }
                }
            }
        }
    }

    fn after(&self, event: &Event, ear: &mut Ear) -> bool {
        let concerns = |address: &Address| address.address == self.address;
        match event {
            Event::Address(address) if concerns(address) => true,
            Event::AddressRemoved(address) if concerns(address) => false,
            Event::Overrun => has(&mut ear.rtnl, self.address).unwrap_or(ear.held),
            Event::Address(_)
            | Event::AddressRemoved(_)
            | Event::Link(_)
            | Event::LinkRemoved { .. }
            | Event::RouteRemoved(_)
            | Event::RuleRemoved(_) => ear.held,
        }
    }
}

fn has(rtnl: &mut Rtnl, address: IpAddr) -> Result<bool, vrrp_netlink::Error> {
    Ok(rtnl.addresses()?.iter().any(|one| one.address == address))
}

/// The time from `since` until now in which the number of holders counts.
fn total(first: &[bool], edges: &[Edge], since: Instant, counts: impl Fn(usize) -> bool) -> Duration {
    let mut held = first.to_vec();
    let mut begin = since;
    let mut sum = Duration::ZERO;
    let holders = |held: &[bool]| held.iter().filter(|held| **held).count();
    for edge in edges {
        if edge.at > begin {
            if counts(holders(&held)) {
                sum += edge.at - begin;
            }
            begin = edge.at;
        }
        held[edge.host] = edge.held;
    }
    if counts(holders(&held)) { sum + begin.elapsed() } else { sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_up_the_time_of_nobody_and_of_two() {
        let Some(start) = Instant::now().checked_sub(Duration::from_secs(100)) else { return };
        let after = |seconds| start + Duration::from_secs(seconds);
        let edge = |seconds, host, held| Edge { at: after(seconds), host, held };
        // Host 0 has it until 30, host 1 from 20 to 50 and from 54.
        let edges = [edge(20, 1, true), edge(30, 0, false), edge(50, 1, false), edge(54, 1, true)];
        let sum = |since, counts: fn(usize) -> bool| total(&[true, false], &edges, after(since), counts).as_secs();
        assert_eq!(sum(0, |holders| holders > 1), 10);
        assert_eq!(sum(25, |holders| holders > 1), 5);
        assert_eq!(sum(0, |holders| holders == 0), 4);
        assert_eq!(sum(60, |holders| holders == 0), 0);
        assert!(sum(60, |holders| holders == 1) >= 40);
    }
}
