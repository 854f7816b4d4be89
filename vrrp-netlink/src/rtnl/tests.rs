//! Frames good and bad, and the conversation with a real kernel inside a network namespace of the test's own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::addresses::{Address, Change};
use crate::links::Link;
use crate::monitor;

/// Runs `body` on a thread in a network namespace of its own, which ends with the last socket in it.
///
/// Without the right to make one the test is skipped, and fails where CI=true promises it.
pub(crate) fn in_namespace(body: impl FnOnce() + Send + 'static) {
    let run = || match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => body(),
        Err(error) => {
            println!("skipped: needs root ({error})");
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "no network namespace: {error}");
        }
    };
    if let Err(panic) = thread::spawn(run).join() {
        std::panic::resume_unwind(panic);
    }
}

/// Distinct /32 addresses for the interface `index`.
pub(crate) fn host_addresses(index: u32, count: u16) -> Vec<Address> {
    let address = |n: u16| {
        let [high, low] = n.to_be_bytes();
        Address::new(index, IpAddr::V4(Ipv4Addr::new(198, 18, high, low)), 32)
    };
    (0..count).map(address).collect()
}

fn frame(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.length = u32::try_from(16 + payload.len()).unwrap();
    header.message_type = kind;
    header.flags = flags;
    header.sequence_number = sequence;
    let mut octets = vec![0; 16];
    header.emit(&mut octets);
    octets.extend_from_slice(payload);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

/// An NLMSG_ERROR that quotes `quoted` octets of the request and explains itself.
fn refusal(errno: i32, flags: u16, quoted: usize, text: &str) -> Vec<u8> {
    let mut payload = (-errno).to_ne_bytes().to_vec();
    let mut request = vec![0x55; quoted];
    request[..4].copy_from_slice(&u32::try_from(quoted).unwrap().to_ne_bytes());
    payload.extend(request);
    payload.resize(payload.len().next_multiple_of(4), 0);
    payload.extend(u16::try_from(4 + text.len() + 1).unwrap().to_ne_bytes());
    payload.extend(1_u16.to_ne_bytes());
    payload.extend(text.as_bytes());
    payload.push(0);
    frame(2, flags, 7, &payload)
}

fn only(octets: &[u8]) -> Reply<'_> {
    let replies: Vec<_> = Replies::new(octets).collect();
    assert_eq!(replies.len(), 1);
    replies.into_iter().next().unwrap().unwrap()
}

#[test]
fn acknowledgement_is_an_error_of_zero() {
    let octets = frame(2, 0x100, 9, &[0; 20]);
    assert_eq!(only(&octets), Reply { sequence: 9, flags: 0x100, body: Body::Ack });
}

#[test]
fn refusal_carries_the_kernels_text() {
    for (flags, quoted) in [(0x300, 16), (0x200, 16), (0x200, 42)] {
        let octets = refusal(libc::EINVAL, flags, quoted, "ipv4: Invalid prefix length");
        let text = "ipv4: Invalid prefix length".to_owned();
        assert_eq!(only(&octets).body, Body::Refused { errno: libc::EINVAL, text }, "{flags:x} {quoted}");
    }
    let octets = refusal(libc::EPERM, 0x100, 16, "not announced by the flags");
    assert_eq!(only(&octets).body, Body::Refused { errno: libc::EPERM, text: String::new() });
}

#[test]
fn refusal_survives_a_lying_quote() {
    let mut octets = refusal(libc::EINVAL, 0x200, 16, "text");
    octets[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert_eq!(only(&octets).body, Body::Refused { errno: libc::EINVAL, text: String::new() });
    let most = frame(2, 0, 1, &i32::MIN.to_ne_bytes());
    assert_eq!(only(&most).body, Body::Refused { errno: i32::MAX, text: String::new() });
}

#[test]
fn end_of_a_dump_may_be_a_failure() {
    assert_eq!(only(&frame(3, 2, 1, &[])).body, Body::Done);
    assert_eq!(only(&frame(3, 2, 1, &0_i32.to_ne_bytes())).body, Body::Done);
    let failed = frame(3, 2, 1, &(-libc::EMSGSIZE).to_ne_bytes());
    assert_eq!(only(&failed).body, Body::Refused { errno: libc::EMSGSIZE, text: String::new() });
}

#[test]
fn datagram_holds_many_messages_and_idle_ones() {
    let mut octets = frame(16, 2, 1, &[1, 2, 3, 4, 5]);
    octets.extend(frame(1, 0, 0, &[]));
    octets.extend(frame(20, 2, 2, &[]));
    let replies: Vec<_> = Replies::new(&octets).map(|reply| reply.unwrap()).collect();
    let object = |kind, payload| Body::Object { kind, payload };
    assert_eq!(replies.iter().map(|reply| reply.sequence).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(replies[0].body, object(16, &[1, 2, 3, 4, 5]));
    assert_eq!(replies[1].body, object(20, &[]));
}

#[test]
fn cut_or_overlong_messages_are_garbled() {
    let whole = frame(2, 0, 1, &[0; 20]);
    for length in 1..whole.len() {
        let results: Vec<_> = Replies::new(&whole[..length]).collect();
        assert!(matches!(results[..], [Err(_)]), "{length}");
    }
    let mut short = whole;
    short[..4].copy_from_slice(&15_u32.to_ne_bytes());
    assert!(matches!(Replies::new(&short).collect::<Vec<_>>()[..], [Err(_)]));
    assert!(matches!(Replies::new(&frame(4, 0, 1, &[])).collect::<Vec<_>>()[..], [Err(_)]));
    assert!(matches!(Replies::new(&frame(2, 0, 1, &[0; 3])).collect::<Vec<_>>()[..], [Err(_)]));
}

/// Octets without pattern, the same in every run.
fn noise(mut seed: u64) -> impl Iterator<Item = u8> {
    std::iter::repeat_with(move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed.to_be_bytes()[0]
    })
}

#[test]
fn noise_never_panics() {
    let mut events = Vec::new();
    for seed in 0..20_000_u64 {
        let length = usize::try_from(seed % 257).unwrap();
        let octets: Vec<u8> = noise(seed).take(length).collect();
        monitor::parse(&octets, &mut events);
        let _ = (Link::read(&octets), Address::read(&octets));
        // With a frame around it the noise reaches the readers within.
        for kind in [2, 3, 16, 17, 20, 21] {
            monitor::parse(&frame(kind, 0x200, 0, &octets), &mut events);
        }
        events.clear();
    }
}

#[test]
fn damaged_messages_never_panic() {
    let mut link = LinkMessage::default();
    link.header.index = 3;
    link.attributes.push(LinkAttribute::IfName("eth0".into()));
    link.attributes.push(LinkAttribute::Mtu(1500));
    let mut sound = Vec::new();
    encode(&Request { message: RouteNetlinkMessage::NewLink(link), flags: 0 }, 0, 1, &mut sound);
    let mut events = Vec::new();
    monitor::parse(&sound, &mut events);
    assert!(matches!(&events[..], [monitor::Event::Link(link)] if link.name == "eth0" && link.mtu == 1500));
    sound.extend(refusal(libc::EINVAL, 0x200, 40, "no"));
    for position in 0..sound.len() {
        for value in 0..=u8::MAX {
            let mut damaged = sound.clone();
            damaged[position] = value;
            monitor::parse(&damaged, &mut events);
        }
        events.clear();
    }
}

#[test]
fn silence_ends_in_a_timeout() {
    let mut rtnl = Rtnl::with_limits(RECEIVE_BUFFER, Duration::from_millis(20)).unwrap();
    assert_eq!(rtnl.receive(0).unwrap_err().raw_os_error(), Some(libc::ETIMEDOUT));
    assert_eq!(rtnl.receive(libc::MSG_DONTWAIT).unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn stale_answers_are_passed_over() {
    let mut rtnl = Rtnl::open().unwrap();
    let message = RouteNetlinkMessage::GetLink(LinkMessage::default());
    rtnl.send(&[Request { message, flags: 0 }], NLM_F_DUMP).unwrap();
    // The kernel allows one dump at a time on a socket: a single question must get through the leftovers of the first.
    assert_eq!(rtnl.link("lo").unwrap().map(|link| link.loopback), Some(true));
}

#[test]
fn acknowledgements_lost_to_a_small_buffer_are_asked_for_again() {
    in_namespace(|| {
        // The kernel raises this to its minimum, which holds a handful.
        let mut rtnl = Rtnl::with_buffer(1).unwrap();
        let index = rtnl.create_bridge("br0").unwrap();
        let request = |address: &Address| {
            let mut message = AddressMessage::default();
            message.header.family = netlink_packet_route::AddressFamily::Inet;
            message.header.index = index;
            message.header.prefix_len = 32;
            message.attributes.push(netlink_packet_route::address::AddressAttribute::Local(address.address));
            Request { message: RouteNetlinkMessage::NewAddress(message), flags: 0x600 }
        };
        let addresses = host_addresses(index, 450);
        let requests: Vec<_> = addresses[..IN_FLIGHT].iter().map(request).collect();
        let mut outcomes: Vec<_> = requests.iter().map(|_| Outcome::Unanswered).collect();
        assert!(rtnl.converse(&requests, &mut outcomes).unwrap(), "the buffer was meant to overflow");

        let added = rtnl.add_addresses(&addresses);
        assert!(added.iter().all(Result::is_ok), "{added:?}");
        let removed = rtnl.remove_addresses(&addresses);
        assert!(removed.iter().all(Result::is_ok), "{removed:?}");
        let again = rtnl.remove_addresses(&addresses[..5]);
        assert!(again.iter().all(|result| matches!(result, Ok(Change::AlreadySo))), "{again:?}");
        assert_eq!(Rtnl::open().unwrap().addresses().unwrap(), []);
    });
}

#[test]
fn table_that_changes_while_it_is_read_is_read_again() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let index = rtnl.create_bridge("br0").unwrap();
        let mut addresses = host_addresses(index, 1001);
        let restless = addresses.split_off(1000);
        assert!(rtnl.add_addresses(&addresses).iter().all(Result::is_ok));

        let stop = Arc::new(AtomicBool::new(false));
        let churn = {
            let (mut other, stop) = (Rtnl::open().unwrap(), Arc::clone(&stop));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    other.add_addresses(&restless);
                    other.remove_addresses(&restless);
                }
            })
        };
        let request = Request { message: RouteNetlinkMessage::GetAddress(AddressMessage::default()), flags: 0 };
        let begin = Instant::now();
        let mut seen = false;
        while !seen && begin.elapsed() < Duration::from_secs(20) {
            let read = |_, payload: &[u8]| Address::read(payload);
            seen = matches!(rtnl.dump_once("test", &request, &read).unwrap(), Dump::Interrupted);
        }
        stop.store(true, Ordering::Relaxed);
        churn.join().unwrap();
        assert!(seen, "no dump was interrupted");
        assert_eq!(rtnl.addresses().unwrap().len(), 1000);
    });
}
