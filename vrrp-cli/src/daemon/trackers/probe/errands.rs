//! What a check has to wait for that has no descriptor: names that are looked up, processes that are counted. Threads of
//! their own do it, and wake who asked.
//!
//! Knows checks by their place alone, and not what follows from an answer.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread::Builder;

use crossbeam_channel::{Receiver, Sender};
use vrrp_netlink::process::Wakeup;

use super::table;

/// What was found out.
pub(super) enum Found {
    Addresses(io::Result<Vec<SocketAddr>>),
    /// How many processes there are.
    Processes(io::Result<usize>),
}

/// What is being found out, and the answers that nobody has taken yet.
pub(super) struct Errands {
    sender: Sender<(usize, Found)>,
    receiver: Receiver<(usize, Found)>,
    pub(super) wakeup: Wakeup,
    /// Checks that wait for an answer. A resolver that hangs is not asked again.
    asked: HashSet<usize>,
    answers: HashMap<usize, Found>,
    /// To the thread that counts processes: one for all, since each count looks at every process of the host.
    counting: Option<Sender<(usize, String)>>,
}

impl Errands {
    pub(super) fn new() -> vrrp_netlink::Result<Self> {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let (asked, answers) = (HashSet::new(), HashMap::new());
        Ok(Self { sender, receiver, wakeup: Wakeup::new()?, asked, answers, counting: None })
    }

    /// Looks up a name for a check. A resolver can take minutes, so each name has a thread.
    pub(super) fn look_up(&mut self, place: usize, host: &str, port: u16) -> io::Result<()> {
        if !self.begin(place) {
            return Ok(());
        }
        let (host, sender, wakeup) = (host.to_owned(), self.sender.clone(), self.wakeup.clone());
        let asking = move || {
            let answer = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
            // It fails when nobody waits any more.
            let _ = sender.send((place, Found::Addresses(answer)));
            wakeup.wake();
        };
        Builder::new().name("resolver".into()).spawn(asking).map(drop).inspect_err(|_| self.forget(place))
    }

    /// Counts the processes of this name for a check.
    pub(super) fn count(&mut self, place: usize, name: &str) -> io::Result<()> {
        if !self.begin(place) {
            return Ok(());
        }
        let started = match &self.counting {
            Some(counting) => Ok(counting.clone()),
            None => self.start_counting().inspect_err(|_| self.forget(place)),
        };
        // Its thread ends when nobody can ask it any more.
        let _ = started?.send((place, name.to_owned()));
        Ok(())
    }

    /// Takes in what was found out; the places of the checks that asked.
    pub(super) fn collect(&mut self) -> Vec<usize> {
        self.wakeup.clear();
        let mut places = Vec::new();
        while let Ok((place, answer)) = self.receiver.try_recv() {
            self.asked.remove(&place);
            self.answers.insert(place, answer);
            places.push(place);
        }
        places
    }

    /// The answer to what a check asked, once.
    pub(super) fn answer(&mut self, place: usize) -> Option<Found> {
        self.answers.remove(&place)
    }

    /// Whether there is something to ask; what was asked before and is not answered yet will do.
    fn begin(&mut self, place: usize) -> bool {
        self.answers.remove(&place);
        self.asked.insert(place)
    }

    fn forget(&mut self, place: usize) {
        self.asked.remove(&place);
    }

    fn start_counting(&mut self) -> io::Result<Sender<(usize, String)>> {
        let (counting, names) = crossbeam_channel::unbounded::<(usize, String)>();
        let (sender, wakeup) = (self.sender.clone(), self.wakeup.clone());
        Builder::new().name("processes".into()).spawn(move || {
            for (place, name) in names {
                if sender.send((place, Found::Processes(table::named(&name)))).is_err() {
                    return;
                }
                wakeup.wake();
            }
        })?;
        self.counting = Some(counting.clone());
        Ok(counting)
    }
}
