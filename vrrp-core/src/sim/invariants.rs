//! What must hold at every event of a simulated LAN, written from the protocol's point of view and not from the machine's.
//!
//! Knows roles, counters and outputs; not how the machine decides. Each invariant names the window in which it may be
//! broken: a *disturbance* of a host is an action upon it, a frame to it that was lost or found no room, an advertisement
//! that it dropped for its contents, and the end of a time in which it was held up.
//!
//! 1. [`Violation::Divided`]: two Masters of one virtual router that run, are connected and accept each other's adverts
//!    become one within the longest interval of both and the longest time that a frame is under way, counted from the last of:
//!    either became Master, either was disturbed.
//! 2. [`Violation::Silent`]: a Backup that runs never waits longer than its Master_Down_Interval (by the interval it learnt)
//!    for an advertisement that it follows; its deadline says so beforehand. One that must not preempt may listen for three of
//!    them, or three seconds and Skew_Time, when it starts, until it hears anybody; so may one that starts within its delay,
//!    for one of them behind that; and one that lost packets listens for one Skew_Time more, once for each time that it waits.
//!    Nobody else being there, that bounds the time without a Master. A process that is held up cannot; it must when it runs again.
//! 3. [`Violation::Burst`]: expiries send one advertisement each, and any three of them in a row span an interval; besides
//!    them, between two expiries, a router answers each release, and one losing advert before and after each;
//!    and it may send one more as it yields.
//! 4. [`Violation::Half`]: the routers of a sync group are Master all together or not at all, after every turn. One whose turn
//!    has come, and that waits for its group or for the end of a hold, is not silent.
//! 5. [`Violation::Stray`]: addresses are on the interface of a process that is not Master and has not asked for their
//!    removal: only before a new process has decided about leftovers, and while it hands them over. A process that died
//!    leaves them; that is not its fault any more.

use core::fmt;
use core::time::Duration;
use std::vec::Vec;

use super::host::{Host, HostSetup, Slot, Source};
use super::{Conditions, HostId, Lan, Time};
use crate::counters::Counter;
use crate::fsm::{Advertise, Heard, Params, Role, State};
use crate::node::{Node, Output};
use crate::router::{RouterConfig, VirtualRouter};
use crate::types::{Family, Vrid};

/// Something that must hold and does not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Violation {
    /// Two Masters for longer than it takes them to hear each other.
    Divided(HostId, HostId, Duration),
    /// A Backup waits longer than its Master_Down_Interval.
    Silent(HostId, usize),
    /// Advertisements in a burst.
    Burst(HostId, usize),
    /// Addresses that nobody serves and nobody removes.
    Stray(HostId, usize),
    /// A sync group, by its number, of which some routers are Master and others not.
    Half(HostId, usize),
}

impl Violation {
    pub(super) fn describe(&self, lan: &Lan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Divided(a, b, span) => {
                write!(
                    f,
                    "{} and {} are both Master {span:?} after they could hear each other",
                    lan.name(a),
                    lan.name(b)
                )
            }
            Self::Silent(host, router) => {
                write!(f, "{} waits longer than its Master_Down_Interval", lan.router_name(host, router))
            }
            Self::Half(host, group) => write!(f, "{} is half Master, in sync group {group}", lan.name(host)),
            Self::Burst(host, router) => write!(f, "{} advertises in a burst", lan.router_name(host, router)),
            Self::Stray(host, router) => {
                write!(f, "{} has the addresses and is not Master", lan.router_name(host, router))
            }
        }
    }
}

/// As long as a router listens that must not preempt; no time for others.
fn listening(params: &Params) -> Duration {
    let down = params.master_down_interval(params.interval);
    let least = Duration::from_secs(3) + params.skew_time(params.interval);
    if params.preempts() { Duration::ZERO } else { least.max(down + down + down) }
}

/// Whether a router is Master.
pub fn is_master<A: AsRef<[core::net::IpAddr]>>(router: &VirtualRouter<A>) -> bool {
    router.machine().state.role() == Role::Master
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Watch {
    hosts: Vec<Watched>,
    violations: Vec<Violation>,
}

#[derive(Debug)]
struct Watched {
    disturbed: Time,
    routers: Vec<Seen>,
}

/// One router of a host.
#[derive(Clone, Copy, Debug)]
struct Seen {
    key: (Family, Vrid),
    role: Role,
    since: Time,
    interval: Duration,
    /// When a Backup's wait began: it became one, or followed an advertisement.
    followed: Time,
    /// Until when a router listens that must not preempt and has heard nobody since it started.
    listens: Time,
    /// The wait that was put off, by its beginning, and until when; and how many were.
    put_off: Option<(Time, Time)>,
    takeovers_put_off: u64,
    received: u64,
    /// The last two advertisements that expiries sent.
    sent: [Option<Time>; 2],
    answers: u64,
    releases: u64,
}

impl Seen {
    const fn new(key: (Family, Vrid)) -> Self {
        Self {
            key,
            role: Role::Initialize,
            since: Time::START,
            interval: Duration::ZERO,
            followed: Time::START,
            listens: Time::START,
            put_off: None,
            takeovers_put_off: 0,
            received: 0,
            sent: [None; 2],
            answers: 0,
            releases: 0,
        }
    }
}

impl Watch {
    pub(super) fn add(&mut self, setup: &HostSetup) {
        let seen = |config: &RouterConfig<_>| Seen::new((config.addresses.family(), config.vrid));
        let routers = setup.routers.iter().map(seen).collect();
        self.hosts.push(Watched { disturbed: Time::START, routers });
    }

    pub(super) fn disturb(&mut self, host: usize, now: Time) {
        self.hosts[host].disturbed = now;
        // The rhythm of its adverts may be another from here.
        self.hosts[host].routers.iter_mut().for_each(|seen| seen.sent = [None; 2]);
    }

    pub(super) fn keep(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    pub(super) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Looks at the outputs of one input.
    pub(super) fn outputs(
        &mut self,
        now: Time,
        host: usize,
        node: &Node<Time>,
        source: Source,
        out: &[Output],
    ) -> Option<Violation> {
        let mut found = None;
        for (place, (seen, id)) in self.hosts[host].routers.iter_mut().zip(node.routers()).enumerate() {
            let Some(router) = node.router(id) else { continue };
            let machine = router.machine();
            let claim = |output: &&Output| matches!(output, Output::Advertise { router, advertise: Advertise::Claim } if *router == id);
            let claims = out.iter().filter(claim).count();
            let role = machine.state.role();
            if role != seen.role {
                let starts = (seen.role, role) == (Role::Initialize, Role::Backup);
                let delay = node
                    .delayed_until(id)
                    .map(|end| end + machine.params.master_down_interval(machine.params.interval));
                let listens =
                    if starts { delay.into_iter().fold(now + listening(&machine.params), Time::max) } else { now };
                *seen = Seen { role, since: now, followed: now, listens, sent: [None; 2], answers: 0, ..*seen };
                seen.releases = router.counters().get(Counter::PriorityZeroReceived);
            }
            seen.interval = machine.params.interval.duration();
            let heard_of = [Counter::AdvertsReceived, Counter::AdvertsBarred];
            let received: u64 = heard_of.into_iter().map(|counter| router.counters().get(counter)).sum();
            if let (Source::Datagram(at), State::Backup { heard, .. }) = (source, machine.state)
                && received != seen.received
                && heard != Heard::Weaker
            {
                seen.followed = seen.followed.max(at);
            }
            // What arrived before it could hear does not end its listening, though it counts as received.
            if let Source::Datagram(at) = source
                && received != seen.received
                && at >= seen.since
            {
                seen.listens = seen.followed;
            }
            seen.received = received;
            let put_off = router.counters().get(Counter::TakeoversPutOff);
            if put_off > seen.takeovers_put_off && seen.put_off.is_none_or(|(wait, _)| wait != seen.followed) {
                seen.put_off = Some((seen.followed, now + router.skew_time()));
            }
            seen.takeovers_put_off = put_off;
            let burst = match source {
                Source::Expiry if claims > 0 => {
                    let [first, second] = seen.sent;
                    seen.sent = [second, Some(now)];
                    seen.answers = 0;
                    seen.releases = router.counters().get(Counter::PriorityZeroReceived);
                    claims > 1 || first.is_some_and(|first| now < first + seen.interval)
                }
                Source::Datagram(_) => {
                    seen.answers += u64::try_from(claims).unwrap_or(u64::MAX);
                    let releases = router.counters().get(Counter::PriorityZeroReceived) - seen.releases;
                    claims > 1 || seen.answers > 1 + 2 * releases
                }
                Source::Expiry | Source::Other => claims > 1,
            };
            if burst {
                found = Some(Violation::Burst(HostId(host), place));
            }
        }
        found
    }

    /// Looks at a host whose process has done all it had to.
    pub(super) fn after_turn(&self, now: Time, host: usize, node: &Node<Time>, slots: &[Slot]) -> Option<Violation> {
        for group in node.groups() {
            let routers = node.members(group).iter().filter_map(|id| node.router(*id));
            let masters = routers.filter(|router| is_master(router)).count();
            if masters != 0 && masters != node.members(group).len() {
                return Some(Violation::Half(HostId(host), group.index()));
            }
        }
        let deadline = node.next_deadline();
        for (place, ((seen, id), slot)) in self.hosts[host].routers.iter().zip(node.routers()).zip(slots).enumerate() {
            let Some(router) = node.router(id) else { continue };
            let machine = router.machine();
            if let State::Backup { master_interval, due: false, .. } = machine.state {
                let latest = seen.followed + machine.params.master_down_interval(master_interval);
                let put_off = seen.put_off.filter(|(wait, _)| *wait == seen.followed).map(|(_, until)| until);
                let latest = put_off.into_iter().fold(latest.max(seen.listens), Time::max);
                if latest <= now || deadline.is_none_or(|deadline| deadline > latest) {
                    return Some(Violation::Silent(HostId(host), place));
                }
            }
            let idle = slot.busy.is_none() && slot.next.is_none() && !slot.leftover;
            if slot.held && idle && !is_master(router) && !node.is_releasing(id) {
                return Some(Violation::Stray(HostId(host), place));
            }
        }
        None
    }

    /// Looks for two Masters that should be one.
    pub(super) fn divided(&mut self, now: Time, hosts: &[Host], conditions: &Conditions) -> Option<Violation> {
        let runs = |host: usize| hosts[host].runs() && hosts[host].hears();
        for a in (0..hosts.len()).filter(|host| runs(*host)) {
            for b in (a + 1..hosts.len()).filter(|host| runs(*host) && hosts[*host].segment == hosts[a].segment) {
                let wire = [a, b].map(|host| hosts[host].hearing.unwrap_or(*conditions).longest());
                for first in self.hosts[a].routers.iter().filter(|seen| seen.role == Role::Master) {
                    let other = |seen: &&Seen| seen.role == Role::Master && seen.key == first.key;
                    let Some(second) = self.hosts[b].routers.iter().find(other) else { continue };
                    let disturbed = self.hosts[a].disturbed.max(self.hosts[b].disturbed);
                    let since = disturbed.max(first.since).max(second.since);
                    let allowed = first.interval.max(second.interval) + wire[0].max(wire[1]);
                    if now > since + allowed {
                        let found = Violation::Divided(HostId(a), HostId(b), now.since(since));
                        // Once for each time that this happens.
                        self.hosts[a].disturbed = now;
                        return Some(found);
                    }
                }
            }
        }
        None
    }
}
