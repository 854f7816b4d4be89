//! A virtual router inside a service: one thread owns the [`Node`], a channel brings what happens, std only.
//!
//! With a real socket its reader would send the datagrams, each with the time of its arrival; here nobody does, and the
//! router becomes Master. Another channel tells who waits for it; `Stop` makes it say goodbye.
#![allow(clippy::print_stdout, reason = "what the service would do is what the example is for")]

use std::error::Error;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use vrrp_core::fsm::{Addresses, Link, Params, Rules};
use vrrp_core::node::{Groups, Input, InterfaceId, Node, Output, RouterId, RouterSetup, Which};
use vrrp_core::router::{ChecksumPolicy, RouterConfig};
use vrrp_core::wire::advert::MAX_LEN;
use vrrp_core::{AddressList, AdvertInterval, Auth, Family, Priority, Vrid};

const ETH0: InterfaceId = InterfaceId(0);

/// What other threads tell the one that owns the node.
enum Message {
    /// A datagram and when it arrived.
    Datagram(Instant, Vec<u8>),
    Stop,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut node = Node::new(Groups::default());
    let params = Params {
        priority: Priority::new(150).ok_or("1..=255")?,
        interval: AdvertInterval::from_centis(5).ok_or("1..=4095")?,
        preempt: true,
        accept: false,
        rules: Rules::DEFAULT,
    };
    let addresses = AddressList::new(Box::from([[10, 0, 0, 100].into()]))?;
    let vrid = Vrid::new(50).ok_or("1..=255")?;
    let config = RouterConfig { vrid, params, addresses, auth: Auth::None, checksum: ChecksumPolicy::default() };
    node.add(RouterSetup { interface: ETH0, source: None, unicast: None, track_interface: true, config })?;
    let (sender, receiver) = channel();
    let (announced, serving) = channel();
    let service = thread::spawn(move || run(node, &receiver, &announced));
    sender.send(Message::Datagram(Instant::now(), b"not a datagram".to_vec()))?;
    // Whoever needs the address waits until it is served and announced.
    serving.recv()?;
    sender.send(Message::Stop)?;
    service.join().map_err(|_| "the thread of the node panicked")?;
    Ok(())
}

fn run(mut node: Node<Instant>, receiver: &Receiver<Message>, announced: &Sender<RouterId>) {
    let mut out = Vec::new();
    let start = Instant::now();
    let link = Link::Up([10, 0, 0, 1].into());
    node.handle(start, Input::Link { interface: ETH0, family: Family::V4, link }, &mut out);
    node.handle(start, Input::Enabled { which: Which::All, enabled: true }, &mut out);
    loop {
        perform(&mut node, &mut out, announced);
        let now = Instant::now();
        let wait = node.next_deadline().map_or(Duration::MAX, |at| at.saturating_duration_since(now));
        // Everything that waits in the channel comes before any deadline.
        match receiver.recv_timeout(wait) {
            Ok(Message::Datagram(at, octets)) => {
                node.handle(at, Input::Datagram { interface: ETH0, octets: &octets }, &mut out);
            }
            Err(RecvTimeoutError::Timeout) => node.expire(Instant::now(), &mut out),
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => {
                node.handle(Instant::now(), Input::Enabled { which: Which::All, enabled: false }, &mut out);
                return perform(&mut node, &mut out, announced);
            }
        }
    }
}

fn perform(node: &mut Node<Instant>, out: &mut Vec<Output>, announced: &Sender<RouterId>) {
    let mut buffer = [0; MAX_LEN];
    for output in out.split_off(0) {
        match output {
            Output::Advertise { router, advertise } => match node.message(router, advertise, &mut buffer) {
                Ok(message) => println!("send {} octets to {}", message.octets.len(), message.destination),
                Err(error) => println!("nothing to send: {error}"),
            },
            Output::Addresses { router, wanted, epoch, .. } => {
                println!("{wanted:?} the address");
                if wanted == Addresses::Install {
                    node.handle(Instant::now(), Input::Installed { router, epoch }, out);
                }
            }
            Output::Announce { router } => {
                println!("gratuitous ARP");
                // Nobody listens any more once the main thread knows.
                let _ = announced.send(router);
            }
            Output::Conflict { address, .. } => println!("{address} is elsewhere, too: gratuitous ARP once more"),
            Output::HandOver { address, .. } => println!("remove {address}, then announce its successor"),
            Output::Transition { transition, .. } => println!("{:?}, {}", transition.to, transition.cause),
            Output::Rejected { rejected, .. } => println!("dropped: {}", rejected.reason),
            Output::Noticed { notices, .. } => println!("noticed: {notices:?}"),
            Output::Barred { source, .. } => println!("a firewall drops the adverts of {source}"),
            Output::Priority { priority, .. } => println!("priority {priority}"),
            Output::Group { condition, .. } => println!("sync group: {condition}"),
        }
    }
    if !out.is_empty() {
        perform(node, out, announced);
    }
}
