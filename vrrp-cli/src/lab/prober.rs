//! A client that pings one address at a steady rate and remembers when it was answered (ICMP, RFC 792; ICMPv6, RFC 4443).
//!
//! `ping` itself will not do: after an outage it holds back its own requests. Knows replies and their times only.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use vrrp_netlink::process::{set_timer_slack, wait_readable};

use super::{Host, LabError, locked};

/// Room for the answers of a second in which the thread did not run, headers and the kernel's own share included.
const RECEIVE_BUFFER: usize = 1 << 20;

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY_V6: u8 = 129;
const ECHO_REQUEST_V6: u8 = 128;

/// Pings in the background until it is dropped.
#[derive(Debug)]
pub struct Prober {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    started: Instant,
    stop: AtomicBool,
    record: Mutex<Record>,
}

#[derive(Debug)]
struct Record {
    /// When the last request was sent.
    asked: Instant,
    replies: Vec<Reply>,
}

#[derive(Debug, Clone, Copy)]
struct Reply {
    at: Instant,
    /// How much of the time since the reply before is the prober's own: delays of the first request after that one, and
    /// of the last before this one. A delay with unanswered requests on both sides hides nothing.
    late: Duration,
}

impl Prober {
    /// Sends an echo request from `host` to `address` now and `every` so often from then on. A link-local address cannot
    /// be asked: it does not tell the interface.
    pub fn start(host: &Host, address: impl Into<IpAddr>, every: Duration) -> Result<Self, LabError> {
        let address = address.into();
        let failed = |what: &str| {
            let what = what.to_owned();
            move |source| LabError::Start { what, source }
        };
        let open = || {
            let (domain, protocol) = match address {
                IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
                IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
            };
            let socket = Socket::new_raw(domain, Type::RAW.nonblocking().cloexec(), Some(protocol))?;
            socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
            Ok(socket)
        };
        let socket = host.namespace().run(open)?.map_err(failed("open a raw ICMP socket"))?;
        let started = Instant::now();
        let record = Mutex::new(Record { asked: started, replies: Vec::new() });
        let shared = Arc::new(Shared { started, stop: AtomicBool::new(false), record });
        let probe = Probe { socket, address, every, identifier: next_identifier(), sequence: 0 };
        let for_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("prober".to_owned())
            .spawn(move || probe.run(&for_thread))
            .map_err(failed("start the prober's thread"))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The longest time without an answer among those that ended after `since` or last until now.
    ///
    /// A time without an answer lies between two answers that follow each other, or the start, or the last request. The
    /// time for which nothing was asked, because the prober was not given a processor, is taken off.
    pub fn longest_silence(&self, since: Instant) -> Duration {
        let record = locked(&self.shared.record);
        let first = record.replies.partition_point(|reply| reply.at < since);
        let mut before = first.checked_sub(1).map_or(self.shared.started, |index| record.replies[index].at);
        let mut longest = Duration::ZERO;
        for reply in &record.replies[first..] {
            longest = longest.max(reply.at.saturating_duration_since(before).saturating_sub(reply.late));
            before = reply.at;
        }
        longest.max(record.asked.saturating_duration_since(before))
    }

    /// When the last answer came; `None` before the first.
    pub fn last_reply(&self) -> Option<Instant> {
        locked(&self.shared.record).replies.last().map(|reply| reply.at)
    }

    /// How many answers came after `since`.
    pub fn replies(&self, since: Instant) -> usize {
        let replies = &locked(&self.shared.record).replies;
        replies.len() - replies.partition_point(|reply| reply.at < since)
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic has been reported on standard error when it happened.
            let _ = thread.join();
        }
    }
}

/// The state of the thread.
struct Probe {
    socket: Socket,
    address: IpAddr,
    every: Duration,
    identifier: u16,
    sequence: u16,
}

impl Probe {
    fn run(mut self, shared: &Shared) {
        // Without it requests go out a little late, which is all.
        let _ = set_timer_slack(Duration::from_nanos(1));
        let target = SocketAddr::new(self.address, 0).into();
        let mut due = shared.started;
        // Delays of the first request since a reply, and of the last when that is another one.
        let (mut first, mut last) = (None, Duration::ZERO);
        while !shared.stop.load(Ordering::Relaxed) {
            let now = Instant::now();
            if let Some(behind) = now.checked_duration_since(due) {
                let late = if behind > self.every { behind } else { Duration::ZERO };
                if first.is_some() {
                    last = late;
                } else {
                    first = Some(late);
                }
                due += late + self.every;
                // A request that cannot be sent is one without an answer.
                let _ = self.socket.send_to(&echo_request(self.address, self.identifier, self.sequence), &target);
                self.sequence = self.sequence.wrapping_add(1);
                locked(&shared.record).asked = now;
            }
            for _ in 0..self.answers() {
                let late = first.take().unwrap_or_default() + last;
                last = Duration::ZERO;
                locked(&shared.record).replies.push(Reply { at: now, late });
            }
            let pause = due.saturating_duration_since(Instant::now());
            if wait_readable(&self.socket, Some(pause)).is_err() {
                return;
            }
        }
    }

    /// Reads what has arrived and counts the answers to this prober.
    fn answers(&mut self) -> usize {
        let mut packet = [0; 128];
        let mut count = 0;
        // It ends with "would block".
        while let Ok(len) = self.socket.read(&mut packet) {
            count += usize::from(answers(&packet[..len], self.address, self.identifier));
        }
        count
    }
}

/// Probers of one namespace hear each other's answers, those of other processes included.
fn next_identifier() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let [.., high, low] = std::process::id().wrapping_mul(257).to_be_bytes();
    u16::from_be_bytes([high, low]).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The kernel replaces the checksum of ICMPv6, which covers addresses too.
fn echo_request(address: IpAddr, identifier: u16, sequence: u16) -> [u8; 8] {
    let kind = if address.is_ipv4() { ECHO_REQUEST } else { ECHO_REQUEST_V6 };
    let sum = u32::from(kind) * 256 + u32::from(identifier) + u32::from(sequence);
    let folded = (sum & 0xffff) + (sum >> 16);
    let [.., high, low] = (!(folded + (folded >> 16))).to_be_bytes();
    let [id_high, id_low] = identifier.to_be_bytes();
    let [sequence_high, sequence_low] = sequence.to_be_bytes();
    [kind, 0, high, low, id_high, id_low, sequence_high, sequence_low]
}

/// Whether a packet, with its header if it is IPv4, is the echo reply of `address` to the prober called `identifier`.
fn answers(packet: &[u8], address: IpAddr, identifier: u16) -> bool {
    let (header, kind) = match address {
        IpAddr::V4(address) => {
            if packet.get(12..16) != Some(&address.octets()[..]) {
                return false;
            }
            (packet.first().map_or(0, |first| usize::from(first & 15) * 4), ECHO_REPLY)
        }
        IpAddr::V6(_) => (0, ECHO_REPLY_V6),
    };
    packet.get(header) == Some(&kind) && packet.get(header + 4..header + 6) == Some(&identifier.to_be_bytes()[..])
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn a_request_sums_up_to_all_ones() {
        for (identifier, sequence) in [(0, 0), (0xffff, 0xffff), (0xf7ff, 0), (0x1234, 0xfedc)] {
            let words = echo_request(Ipv4Addr::LOCALHOST.into(), identifier, sequence);
            let sum: u32 = words.chunks(2).map(|word| u32::from(word[0]) * 256 + u32::from(word[1])).sum();
            assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff, "{identifier:x} {sequence:x}");
        }
    }

    #[test]
    fn only_the_answer_to_this_prober_counts() {
        let octets = [10, 9, 0, 100];
        let address = IpAddr::from(octets);
        let mut packet = [0; 28];
        packet[0] = 0x45;
        packet[12..16].copy_from_slice(&octets);
        packet[24..26].copy_from_slice(&[0x12, 0x34]);
        assert!(answers(&packet, address, 0x1234));
        assert!(!answers(&packet, address, 0x1235));
        assert!(!answers(&packet, Ipv4Addr::new(10, 9, 0, 101).into(), 0x1234));
        assert!(!answers(&packet[..25], address, 0x1234));
        assert!(!answers(&[], address, 0x1234));
        packet[20] = ECHO_REQUEST;
        assert!(!answers(&packet, address, 0x1234));
    }

    #[test]
    fn an_answer_of_ipv6_comes_without_its_header() {
        let address = Ipv6Addr::LOCALHOST.into();
        assert!(answers(&[ECHO_REPLY_V6, 0, 0, 0, 0x12, 0x34, 0, 0], address, 0x1234));
        assert!(!answers(&[ECHO_REQUEST_V6, 0, 0, 0, 0x12, 0x34, 0, 0], address, 0x1234));
        assert!(!answers(&[ECHO_REPLY_V6, 0, 0, 0, 0x12, 0x35, 0, 0], address, 0x1234));
        assert!(!answers(&[ECHO_REPLY_V6], address, 0x1234));
    }
}
