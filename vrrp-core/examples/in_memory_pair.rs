//! Two nodes on a simulated wire elect a Master, fail over, and preempt. No socket, no clock: a transcript.
#![allow(clippy::print_stdout, reason = "the transcript is what the example is for")]

use std::net::IpAddr;
use std::time::Duration;

use vrrp_core::fsm::{Link, Params};
use vrrp_core::node::{Groups, Input, InterfaceId, Node, Output, RouterSetup, Which};
use vrrp_core::router::{ChecksumPolicy, RouterConfig};
use vrrp_core::rx::{Meta, TTL};
use vrrp_core::{AddressList, AdvertInterval, Auth, Family, Priority, Vrid};

const ETH0: InterfaceId = InterfaceId(0);

struct Host {
    name: &'static str,
    node: Node<Duration>,
    alive: bool,
}

fn host(name: &'static str, address: [u8; 4], priority: u8) -> Result<Host, Box<dyn std::error::Error>> {
    let mut node = Node::new(Groups::default());
    let vrid = Vrid::new(50).ok_or("0 is not an identifier")?;
    let priority = Priority::new(priority).ok_or("0 is not a priority")?;
    let interval = AdvertInterval::from_centis(100).ok_or("1..=4095")?;
    let config = RouterConfig {
        vrid,
        params: Params { priority, interval, preempt: true, accept: true },
        addresses: AddressList::new(Box::from([IpAddr::from([10, 0, 0, 100])]))?,
        auth: Auth::None,
        checksum: ChecksumPolicy::default(),
    };
    node.add(RouterSetup { interface: ETH0, source: None, config })?;
    let mut out = Vec::new();
    let link = Link::Up(address.into());
    node.handle(Duration::ZERO, Input::Link { interface: ETH0, family: Family::V4, link }, &mut out);
    node.handle(Duration::ZERO, Input::Enabled { which: Which::All, enabled: true }, &mut out);
    Ok(Host { name, node, alive: true })
}

/// Performs what `from` asked for; the wire carries its adverts to the other host at once.
fn perform(hosts: &mut [Host; 2], from: usize, now: Duration, outputs: Vec<Output>) {
    for output in outputs {
        let name = hosts[from].name;
        match output {
            Output::Advertise { router, advertise } => {
                let mut buffer = [0; 64];
                let Ok(message) = hosts[from].node.message(router, advertise, &mut buffer) else { continue };
                let meta = Meta { source: message.source, destination: message.destination, ttl: TTL };
                let to = 1 - from;
                if hosts[to].alive {
                    let mut out = Vec::new();
                    hosts[to].node.handle(
                        now,
                        Input::Message { interface: ETH0, meta, octets: message.octets },
                        &mut out,
                    );
                    perform(hosts, to, now, out);
                }
            }
            Output::Addresses { router, wanted, epoch, accept: _ } => {
                println!("{now:>10.3?} {name}: {wanted:?} 10.0.0.100");
                let mut out = Vec::new();
                hosts[from].node.handle(now, Input::Installed { router, epoch }, &mut out);
                perform(hosts, from, now, out);
            }
            Output::Announce { .. } => println!("{now:>10.3?} {name}: gratuitous ARP"),
            Output::Transition { transition, .. } => {
                println!("{now:>10.3?} {name}: {:?} to {:?}, {}", transition.from, transition.to, transition.cause);
            }
            Output::Rejected { rejected, .. } => println!("{now:>10.3?} {name}: rejected, {}", rejected.reason),
            Output::Noticed { notices, .. } => println!("{now:>10.3?} {name}: {notices:?}"),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut hosts = [host("a", [10, 0, 0, 1], 150)?, host("b", [10, 0, 0, 2], 100)?];
    let mut clock = Duration::ZERO;
    for (until, a_lives, event) in [(10, true, "both run"), (20, false, "a hangs"), (30, true, "a goes on")] {
        println!("-- {event}");
        hosts[0].alive = a_lives;
        loop {
            let due = |i: usize| hosts[i].node.next_deadline().filter(|_| hosts[i].alive).map(|at| (at, i));
            let Some((at, i)) = [0, 1].into_iter().filter_map(due).min() else { break };
            if at > Duration::from_secs(until) {
                break;
            }
            let now = at.max(clock);
            clock = now;
            let mut out = Vec::new();
            hosts[i].node.expire(now, &mut out);
            perform(&mut hosts, i, now, out);
        }
        clock = Duration::from_secs(until);
    }
    Ok(())
}
