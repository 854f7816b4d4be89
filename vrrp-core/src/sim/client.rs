//! A client of the virtual addresses: whom its packets reach, by what its ARP cache learnt last.
//!
//! As Linux keeps it: a gratuitous request or an unsolicited neighbour advertisement replaces an entry at once and makes
//! none; an ordinary reply makes one, and replaces one that is older than a second. A client that gets no answer keeps its
//! entry for eight seconds (five of delay, three probes) and then asks the LAN anew, every second. Knows hosts by number.

use core::net::IpAddr;
use core::time::Duration;
use std::vec::Vec;

use super::Time;

/// An entry that is younger than this ignores ordinary replies (Linux: locktime).
const LOCK: Duration = Duration::from_secs(1);
/// An entry that gives no answer is given up after this (Linux: delay_first_probe_time and three probes).
const PATIENCE: Duration = Duration::from_secs(8);
/// Between two questions to the LAN.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) segment: u8,
    pub(super) entries: Vec<Entry>,
}

/// What the client knows of one address.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) address: IpAddr,
    learnt: Option<(usize, Time)>,
    /// Who answers now.
    pub(super) answered: Option<usize>,
    /// When the client asks the LAN, unless somebody answers before.
    pub(super) asks: Option<Time>,
}

impl Client {
    pub(super) fn add(&mut self, address: IpAddr) {
        if !self.entries.iter().any(|entry| entry.address == address) {
            self.entries.push(Entry { address, learnt: None, answered: None, asks: Some(Time::START) });
        }
    }

    pub(super) fn entry(&mut self, address: IpAddr) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.address == address)
    }

    pub(super) fn next_question(&self) -> Option<Time> {
        self.entries.iter().filter_map(|entry| entry.asks).min()
    }
}

impl Entry {
    /// Hears that `host` has the address; whether the entry is another one now.
    pub(super) fn learn(&mut self, now: Time, host: usize, gratuitous: bool) -> bool {
        let before = self.learnt.map(|(host, _)| host);
        let takes = match self.learnt {
            Some((_, updated)) => gratuitous || now > updated + LOCK,
            None => !gratuitous,
        };
        if takes {
            self.learnt = Some((host, now));
        }
        takes && before != Some(host)
    }

    /// Whom packets reach when `answers` says who takes them; whether that is somebody else than before.
    pub(super) fn look(&mut self, now: Time, answers: impl Fn(usize) -> bool) -> bool {
        let answered = self.learnt.map(|(host, _)| host).filter(|host| answers(*host));
        let changed = answered != self.answered;
        if answered.is_some() {
            self.asks = None;
        } else if self.asks.is_none() {
            self.asks = Some(now + PATIENCE);
        }
        self.answered = answered;
        changed
    }

    /// The question goes out now; the next one later.
    pub(super) fn ask(&mut self, now: Time) {
        self.learnt = None;
        self.asks = Some(now + RETRY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: usize = 0;
    const B: usize = 1;

    fn at(ms: u64) -> Time {
        Time::START + Duration::from_millis(ms)
    }

    fn entry() -> Entry {
        let mut client = Client::default();
        client.add([10, 0, 0, 100].into());
        client.add([10, 0, 0, 100].into());
        client.entries.pop().unwrap()
    }

    #[test]
    fn an_ordinary_reply_waits_for_a_second_and_a_gratuitous_request_does_not() {
        let mut entry = entry();
        assert!(!entry.learn(at(0), A, true), "it makes no entry");
        assert!(entry.learn(at(10), A, false));
        assert!(!entry.learn(at(1010), B, false), "locked");
        assert!(entry.learn(at(1011), B, false));
        assert!(entry.learn(at(1012), A, true));
        assert!(!entry.learn(at(1013), A, true), "nothing new");
    }

    #[test]
    fn who_gets_no_answer_asks_after_eight_seconds_and_then_every_second() {
        let mut entry = entry();
        assert_eq!(entry.asks, Some(Time::START));
        entry.ask(at(0));
        entry.learn(at(1), A, false);
        assert!(entry.look(at(1), |host| host == A));
        assert_eq!((entry.answered, entry.asks), (Some(A), None));
        assert!(entry.look(at(2000), |_| false));
        assert!(!entry.look(at(2500), |_| false));
        assert_eq!((entry.answered, entry.asks), (None, Some(at(10_000))));
        entry.ask(at(10_000));
        assert_eq!(entry.asks, Some(at(11_000)));
    }
}
