//! What happened, as values and as lines of text. Knows what a LAN reports, not how it came about.

use core::fmt::{self, Write};
use core::net::IpAddr;
use std::string::{String, ToString};

use super::invariants::Violation;
use super::{Action, Conditions, HostId, Lan, Time};
use crate::fsm::{Advertise, Transition};
use crate::node::Condition;
use crate::rx::{Discard, Notices};
use crate::types::Priority;

/// How much is written down.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Detail {
    /// Violations only.
    Nothing,
    /// What changes: actions, transitions, addresses, announcements, whom the client reaches, new reasons to drop.
    #[default]
    Changes,
    /// Each advertisement that is sent, too.
    Adverts,
    /// The fate of each frame, too.
    Frames,
}

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When.
    pub at: Time,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Happening {
    /// Somebody did something to the LAN.
    Did(Action),
    /// A router sent an advertisement.
    Sent(HostId, Advertise, Priority),
    /// The wire lost a frame from one host to another.
    Lost(HostId, HostId),
    /// The wire doubled a frame from one host to another.
    Doubled(HostId, HostId),
    /// The wire held a frame back on its way from one host to another.
    Held(HostId, HostId),
    /// A host's kernel dropped a frame that its process did not read in time.
    Overflowed(HostId),
    /// A frame from one host arrived at another.
    Arrived(HostId, HostId),
    /// A held-up process runs again.
    Resumed(HostId),
    /// A router, by its place, changed its state.
    Changed(HostId, usize, Transition),
    /// The effective priority of a router, by its place, changed.
    Weighed(HostId, usize, Priority),
    /// A sync group of a host, by its place, changed its state.
    Group(HostId, usize, Condition),
    /// The addresses of a host's router, by its place, are on the interface.
    Holds(HostId, usize),
    /// They are no longer.
    LetsGo(HostId, usize),
    /// The kernel refused them.
    Refused(HostId, usize),
    /// A host announced the addresses of a router.
    Announced(HostId, usize),
    /// A host removed one address, which another host has now.
    HandedOver(HostId, IpAddr, HostId),
    /// A host found out that another one has an address which it serves.
    Conflict(HostId, IpAddr, HostId),
    /// A host dropped an advertisement for another reason than the one before.
    Rejected(HostId, Discard),
    /// A host noticed something else than before in an accepted advertisement.
    Noticed(HostId, Notices),
    /// The second host's firewall dropped an advertisement of the first, which was heard nonetheless.
    Barred(HostId, HostId),
    /// The client believes that an address is at this host now.
    Learnt(IpAddr, HostId),
    /// The packets of the client for an address reach this host now, or nobody.
    Reaches(IpAddr, Option<HostId>),
    /// Something that must hold does not.
    Violated(Violation),
}

impl Lan {
    /// What happened so far, a line for each entry.
    pub fn transcript(&self) -> String {
        let mut text = String::new();
        for entry in self.entries() {
            // A String takes everything.
            let _ = writeln!(text, "{}", self.line(entry));
        }
        text
    }

    /// One entry as a line: time in seconds, who, what.
    pub fn line(&self, entry: &Entry) -> impl fmt::Display + use<'_> {
        Line { lan: self, entry: entry.clone() }
    }
}

struct Line<'l> {
    lan: &'l Lan,
    entry: Entry,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>14} ", self.entry.at.to_string())?;
        let name = |host: &HostId| self.lan.name(*host);
        match &self.entry.what {
            Happening::Did(action) => self.action(action, f),
            Happening::Sent(host, Advertise::Claim, priority) => {
                write!(f, "{}: advertises priority {priority}", name(host))
            }
            Happening::Sent(host, Advertise::Release, _) => write!(f, "{}: advertises its release", name(host)),
            Happening::Lost(from, to) => write!(f, "{}: a frame to {} is lost", name(from), name(to)),
            Happening::Doubled(from, to) => write!(f, "{}: a frame to {} is doubled", name(from), name(to)),
            Happening::Held(from, to) => write!(f, "{}: a frame to {} is held back", name(from), name(to)),
            Happening::Overflowed(host) => write!(f, "{}: a frame finds no room", name(host)),
            Happening::Arrived(from, to) => write!(f, "{}: hears {}", name(to), name(from)),
            Happening::Resumed(host) => write!(f, "{}: runs again", name(host)),
            Happening::Changed(host, router, transition) => {
                let (from, to, cause) = (transition.from, transition.to, transition.cause);
                write!(f, "{}: {from:?} to {to:?}, {cause}", self.lan.router_name(*host, *router))
            }
            Happening::Weighed(host, router, priority) => {
                write!(f, "{}: has priority {priority} now", self.lan.router_name(*host, *router))
            }
            Happening::Group(host, group, condition) => {
                write!(f, "{}: sync group {group} is {condition}", name(host))
            }
            Happening::Holds(host, router) => {
                write!(f, "{}: has the addresses", self.lan.router_name(*host, *router))
            }
            Happening::LetsGo(host, router) => {
                write!(f, "{}: has removed the addresses", self.lan.router_name(*host, *router))
            }
            Happening::Refused(host, router) => {
                write!(f, "{}: the kernel refuses the addresses", self.lan.router_name(*host, *router))
            }
            Happening::Announced(host, router) => {
                write!(f, "{}: announces the addresses", self.lan.router_name(*host, *router))
            }
            Happening::HandedOver(host, address, successor) => {
                write!(f, "{}: has handed {address} over to {}", name(host), name(successor))
            }
            Happening::Conflict(host, address, other) => {
                write!(f, "{}: finds {address} at {}, too", name(host), name(other))
            }
            Happening::Rejected(host, reason) => write!(f, "{}: drops an advertisement, {reason}", name(host)),
            Happening::Barred(from, to) => write!(f, "{}: its firewall drops {}", name(to), name(from)),
            Happening::Noticed(host, notices) => write!(f, "{}: notices {notices:?}", name(host)),
            Happening::Learnt(address, host) => write!(f, "client: learns {address} at {}", name(host)),
            Happening::Reaches(address, Some(host)) => write!(f, "client: {address} is answered by {}", name(host)),
            Happening::Reaches(address, None) => write!(f, "client: {address} is answered by nobody"),
            Happening::Violated(violation) => {
                write!(f, "VIOLATION: ")?;
                violation.describe(self.lan, f)
            }
        }
    }
}

impl Line<'_> {
    fn action(&self, action: &Action, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |host: &HostId| self.lan.name(*host);
        match action {
            Action::Start(host) => write!(f, "-- start {}", name(host)),
            Action::Stop(host) => write!(f, "-- stop {}", name(host)),
            Action::Crash(host) => write!(f, "-- crash {}", name(host)),
            Action::PowerOff(host) => write!(f, "-- power-off {}", name(host)),
            Action::Stall(host, span) => write!(f, "-- stall {} {span:?}", name(host)),
            Action::Link(host, up) => write!(f, "-- link {} {}", name(host), if *up { "up" } else { "down" }),
            Action::Partition(segments, client) => {
                f.write_str("-- segments")?;
                for (host, segment) in segments.iter().enumerate() {
                    write!(f, " {}={segment}", name(&HostId(host)))?;
                }
                write!(f, " client={client}")
            }
            Action::Params(host, router, params) => {
                let preempt = if params.preempt { "" } else { " nopreempt" };
                let name = self.lan.router_name(*host, *router);
                write!(f, "-- {name} priority {} interval {}{preempt}", params.priority, params.interval)
            }
            Action::Conditions(conditions) => write!(f, "-- lan {}", Shown(conditions)),
            Action::Hearing(host, Some(conditions)) => write!(f, "-- lan to {} {}", name(host), Shown(conditions)),
            Action::Hearing(host, None) => write!(f, "-- lan to {} as for all", name(host)),
            Action::Firewall(host, true) => write!(f, "-- firewall of {} drops adverts", name(host)),
            Action::Firewall(host, false) => write!(f, "-- firewall of {} passes adverts", name(host)),
            Action::Refuse(host, true) => write!(f, "-- kernel of {} refuses", name(host)),
            Action::Refuse(host, false) => write!(f, "-- kernel of {} obeys", name(host)),
            Action::Maintenance(host, true) => write!(f, "-- maintenance of {} begins", name(host)),
            Action::Maintenance(host, false) => write!(f, "-- maintenance of {} ends", name(host)),
            Action::Track(host, number, status) => write!(f, "-- tracker {number} of {} is {status:?}", name(host)),
        }
    }
}

struct Shown<'c>(&'c Conditions);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Conditions { delay, jitter, loss, duplicate, reorder, hold } = self.0;
        write!(f, "delay {delay:?} jitter {jitter:?} loss {loss} duplicate {duplicate} reorder {reorder} by {hold:?}")
    }
}
