//! What the operator is told: log lines and notifications about states, adverts that were dropped, peers that differ.
//!
//! Words only; every decision was made by the node.

use std::collections::HashMap;
use std::mem::Discriminant;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use vrrp_core::auth::ah::PROTOCOL_AH;
use vrrp_core::fsm::{Cause, Role, Transition};
use vrrp_core::node::{Condition, Faults, GroupId, InterfaceId, Node, Output, RouterId, TrackerId, Unmet};
use vrrp_core::router::Carriage;
use vrrp_core::rx::{Discard, Notices, Rejected};
use vrrp_core::track::Status;
use vrrp_core::wire::ipv4::PROTOCOL_VRRP;
use vrrp_core::{Family, Priority};

use super::claims::Mac;
use super::election::{Gap, Level};
use super::monitor::TooSmall;
use super::notify::{Event, Subject, What};
use super::orders::{Job, Orders};
use super::throttle::Throttle;

mod snapshot;

/// A weaker master is told to whoever wants to know so often at the most: an attacker could send adverts without end.
const LOWER_PRIORITY_PAUSE: Duration = Duration::from_millis(100);

/// What the configuration calls things, by their numbers.
pub(super) struct Names {
    pub(super) routers: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) tracked: Vec<Tracked>,
    pub(super) interfaces: Vec<String>,
    /// Which routers go by the route to a peer.
    pub(super) routed: Vec<bool>,
    /// Whose adverts are too long for their interface.
    pub(super) too_small: HashMap<RouterId, Option<TooSmall>>,
    /// Where they are, as the configuration says it.
    pub(super) placed: Vec<String>,
}

/// Words for something that is tracked.
pub(super) struct Tracked {
    /// What it is, such as `interface eth1`.
    pub(super) name: String,
    /// What is said of it when it is up, such as `is up`.
    pub(super) up: &'static str,
    /// When it is down.
    pub(super) down: &'static str,
}

/// The begin of a condition.
#[derive(Clone)]
struct Entered {
    at: Instant,
    why: String,
}

/// Log and notifications of one daemon.
pub(super) struct Reporter {
    names: Names,
    reported: Vec<Condition>,
    /// Why links are down, when there is more to say.
    gaps: HashMap<(InterfaceId, Family), Gap>,
    /// When and why each router entered that.
    entered: Vec<Entered>,
    started: Instant,
    /// When each router's weaker rival was told of last.
    rivals: Vec<Option<Instant>>,
    /// What the scripts of a router are told when it serves nothing any more.
    held_back: Vec<Vec<Event>>,
    /// What is told of a group behind that.
    held_groups: Vec<(GroupId, Event)>,
    rejected: Throttle<(InterfaceId, Option<IpAddr>, Discriminant<Discard>)>,
    noticed: Throttle<(RouterId, IpAddr, Notices)>,
    barred: Throttle<(RouterId, IpAddr)>,
    equal: Throttle<(RouterId, IpAddr)>,
    conflicts: Throttle<(RouterId, IpAddr, [u8; 6])>,
    errors: Throttle<(Option<String>, Option<i32>)>,
}

impl Reporter {
    pub(super) fn new(node: &Node<Instant>, names: Names) -> Self {
        let reported: Vec<_> = node.routers().map(|_| Condition::Stopped).collect();
        Self {
            names,
            entered: vec![Entered { at: Instant::now(), why: String::new() }; reported.len()],
            started: Instant::now(),
            rivals: vec![None; reported.len()],
            held_back: vec![Vec::new(); reported.len()],
            held_groups: Vec::new(),
            reported,
            gaps: HashMap::new(),
            rejected: Throttle::new(),
            noticed: Throttle::new(),
            barred: Throttle::new(),
            equal: Throttle::daily(),
            conflicts: Throttle::new(),
            errors: Throttle::new(),
        }
    }

    /// The state of an interface, before it reaches the routers.
    pub(super) fn learn(&mut self, level: Level) {
        self.gaps.insert((level.interface, level.family), level.gap);
    }

    /// A router changed its state.
    pub(super) fn transition(&mut self, node: &Node<Instant>, id: RouterId, transition: Transition, orders: &Orders) {
        self.report(node, id, Some(transition.cause), orders);
    }

    /// Before the first state of any router: the priorities that are not the configured ones, as keepalived tells them.
    pub(super) fn starting(node: &Node<Instant>, orders: &Orders) {
        for id in node.routers() {
            let Some(priority) = node.router(id).map(|router| router.machine().params.priority) else { continue };
            if node.base_priority(id).is_some_and(|base| base != priority) {
                let what = What::Priority(Condition::Backup);
                orders.job(Job::Notify(event(Subject::Instance(id.index()), what, priority.get(), String::new())));
            }
        }
    }

    /// The effective priority of a router changed.
    pub(super) fn priority(&mut self, node: &Node<Instant>, id: RouterId, priority: Priority, orders: &Orders) {
        let name = self.name(id);
        match node.base_priority(id) {
            Some(base) if base != priority => {
                tracing::info!("({name}) priority is {priority} now, configured is {base}");
            }
            Some(_) | None => tracing::info!("({name}) priority is {priority} now"),
        }
        let condition = self.reported.get(id.index()).copied().unwrap_or(Condition::Stopped);
        self.tell(node, id, orders, What::Priority(condition), priority.get(), String::new());
    }

    /// A sync group changed its state.
    pub(super) fn group(&mut self, node: &Node<Instant>, id: GroupId, condition: Condition, orders: &Orders) {
        let name = self.names.groups.get(id.index()).map_or("?", String::as_str);
        tracing::info!("[{name}] sync group is {condition} now");
        let event = event(Subject::Group(id.index()), What::State(condition), 0, String::new());
        if self.is_settled(node, id) {
            orders.job(Job::Notify(event));
        } else {
            self.held_groups.push((id, event));
        }
    }

    /// Looks at all routers after a start or a stop: one that never left Initialize has no transition, and yet it is in
    /// FAULT now, or stopped.
    pub(super) fn sweep(&mut self, node: &Node<Instant>, orders: &Orders) {
        for id in node.routers() {
            self.report(node, id, None, orders);
        }
    }

    /// An advertisement was dropped.
    pub(super) fn rejected(&mut self, interface: InterfaceId, router: Option<RouterId>, rejected: &Rejected) {
        let Rejected { source, reason, .. } = *rejected;
        let key = (interface, source, std::mem::discriminant(&reason));
        let Some(held_back) = self.rejected.tell(key, Instant::now()) else { return };
        let interface = self.names.interfaces.get(usize::try_from(interface.0).unwrap_or(usize::MAX));
        let place = router.map_or_else(|| interface.map_or("?", String::as_str), |id| self.name(id));
        let from = source.map(|source| format!(" from {source}")).unwrap_or_default();
        let again = Again(held_back);
        if matches!(reason, Discard::UnknownVrid(_)) {
            // Other routers' groups share the LAN as a rule.
            tracing::debug!("({place}) advertisement{from} dropped: {reason}{again}");
        } else {
            tracing::warn!("({place}) advertisement{from} dropped: {reason}{again}");
        }
    }

    /// A peer is configured differently, or claims the same addresses.
    pub(super) fn noticed(
        &mut self,
        node: &Node<Instant>,
        id: RouterId,
        source: IpAddr,
        notices: Notices,
        orders: &Orders,
    ) {
        if notices.contains(Notices::LOSING) {
            self.rival(node, id, source, orders);
        }
        // Two backups of one priority and without preemption are a common configuration: advice, and no more than that.
        if notices.contains(Notices::EQUAL_PRIORITY) && self.equal.tell((id, source), Instant::now()).is_some() {
            tracing::warn!(
                "({}) {source} has our priority: the higher address would decide between two masters; set another priority on one of them",
                self.name(id)
            );
        }
        let notices = notices - Notices::EQUAL_PRIORITY;
        if notices.is_empty() {
            return;
        }
        let Some(held_back) = self.noticed.tell((id, source, notices), Instant::now()) else { return };
        let (name, again) = (self.name(id), Again(held_back));
        for notice in notices.iter() {
            match notice {
                Notices::ADDRESS_LIST => {
                    tracing::warn!(
                        "({name}) {source} advertises other addresses than ours: make both files list the same{again}"
                    );
                }
                Notices::INTERVAL => tracing::warn!("({name}) {source} has another advert_int than ours{again}"),
                Notices::CHECKSUM_FORM => {
                    tracing::info!("({name}) {source} sends the other form of VRRPv3's checksum; accepted{again}");
                }
                Notices::LOSING => {
                    tracing::warn!(
                        "({name}) {source} is master as well, with a weaker claim: answered, so that it yields{again}"
                    );
                }
                Notices::FIRST_NOT_LINK_LOCAL => tracing::info!(
                    "({name}) {source} advertises a first address that is not link-local; accepted{again}"
                ),
                Notices::UNSIGNED => {
                    tracing::warn!(
                        "({name}) {source} does not sign its adverts; accepted while none is demanded{again}"
                    );
                }
                Notices::CLOCK_SKEW => tracing::warn!(
                    "({name}) the clock of {source} is off by more than half of what is tolerated: synchronise both{again}"
                ),
                _ => tracing::warn!(
                    "({name}) {source} claims priority 255 as we do: only one may own the addresses{again}"
                ),
            }
        }
    }

    /// Another host holds an address of a router; `place` is the interface where it is heard.
    pub(super) fn conflict(
        &mut self,
        (id, place): (RouterId, Option<usize>),
        address: IpAddr,
        mac: [u8; 6],
        defend: bool,
    ) {
        let Some(held_back) = self.conflicts.tell((id, address, mac), Instant::now()) else { return };
        let interface = place.and_then(|place| self.names.interfaces.get(place)).map_or("?", String::as_str);
        let answer = if defend { "announced again" } else { "announced again less than 10 s ago" };
        tracing::warn!(
            "({}) another host has our address {address}: {} on {interface}; {answer}: take it off that host, or if that is \
             a router of this group, find out why its adverts do not arrive here{}",
            self.name(id),
            Mac(mac),
            Again(held_back)
        );
    }

    /// A firewall of this host drops the adverts of another router.
    pub(super) fn barred(&mut self, node: &Node<Instant>, id: RouterId, source: IpAddr, destination: IpAddr) {
        let Some(held_back) = self.barred.tell((id, source), Instant::now()) else { return };
        let (Some(router), name, again) = (node.router(id), self.name(id), Again(held_back)) else { return };
        let rule = MissingRule { source, destination, signed: router.carriage() == Carriage::Datagram };
        let state = if router.machine().state.role() == Role::Master {
            "adverts that are dropped cannot make it yield, so that both may be master"
        } else {
            "heard on the interface all the same, they keep it from taking over"
        };
        tracing::warn!(
            "({name}) a firewall of this host drops the adverts of {source}: {state}. The missing rule: {rule}{again}"
        );
    }

    /// Sending or receiving failed.
    pub(super) fn socket_error(&mut self, error: &vrrp_netlink::Error) {
        let key = (error.interface().map(str::to_owned), error.errno());
        if let Some(held_back) = self.errors.tell(key, Instant::now()) {
            tracing::warn!("{error}{}", Again(held_back));
        }
    }

    /// Why a router's adverts cannot be sent, or that they can: before the fault itself.
    pub(super) fn mtu(&mut self, id: RouterId, too_small: Option<TooSmall>) {
        self.names.too_small.insert(id, too_small);
    }

    /// Datagrams were lost.
    pub(super) fn lost(&mut self, interface: InterfaceId, count: u32) {
        let name = self.names.interfaces.get(usize::try_from(interface.0).unwrap_or(usize::MAX));
        let name = name.map_or("?", String::as_str);
        if let Some(held_back) = self.errors.tell((Some(format!("{name} lost")), None), Instant::now()) {
            tracing::warn!(
                "({name}) {count} packets of protocol 112 were lost: more arrived than could be read; silence is believed one Skew_Time later{}",
                Again(held_back)
            );
        }
    }

    /// A claim was not sent, because the addresses may be about to go.
    pub(super) fn held_back(&mut self) {
        if let Some(held_back) = self.errors.tell((Some("address_lease".to_owned()), None), Instant::now()) {
            tracing::warn!("adverts are held back: the addresses were not renewed in time{}", Again(held_back));
        }
    }

    fn rival(&mut self, node: &Node<Instant>, id: RouterId, source: IpAddr, orders: &Orders) {
        let (Some(told), Some(router)) = (self.rivals.get_mut(id.index()), node.router(id)) else { return };
        let now = Instant::now();
        if told.is_some_and(|told| now.saturating_duration_since(told) < LOWER_PRIORITY_PAUSE) {
            return;
        }
        *told = Some(now);
        let priority = router.machine().params.priority.get();
        self.tell(node, id, orders, What::LowerPriority, priority, format!("{source} is master as well"));
    }

    fn report(&mut self, node: &Node<Instant>, id: RouterId, cause: Option<Cause>, orders: &Orders) {
        let Some(router) = node.router(id) else { return };
        let condition = Condition::of(router);
        let Some(reported) = self.reported.get_mut(id.index()) else { return };
        if *reported == condition {
            return;
        }
        *reported = condition;
        let machine = router.machine();
        let (name, ours) = (self.name(id), machine.params.priority);
        let why = match (condition, cause) {
            (Condition::Stopped, _) | (Condition::Master | Condition::Backup, None) => String::new(),
            (Condition::Fault, _) => self.unmet(node, id, router.family()),
            (_, Some(Cause::HigherPriority { from, priority })) if priority > ours => {
                format!("{from} advertises priority {priority}, ours is {ours}")
            }
            (_, Some(Cause::HigherPriority { from, priority })) => {
                format!("{from} advertises priority {priority} as we do, and has the higher address")
            }
            (_, Some(cause)) => match delay(node, id) {
                Some(delay) => format!("{cause}; {delay}"),
                None => cause.to_string(),
            },
        };
        match condition {
            Condition::Stopped => tracing::info!("({name}) stopped"),
            Condition::Fault => tracing::warn!("({name}) entering FAULT state: {why}"),
            Condition::Master | Condition::Backup if why.is_empty() => {
                tracing::info!("({name}) entering {condition} state");
            }
            Condition::Master | Condition::Backup => tracing::info!("({name}) entering {condition} state: {why}"),
        }
        debug_assert_eq!(condition == Condition::Master, machine.state.role() == Role::Master);
        if let Some(entered) = self.entered.get_mut(id.index()) {
            *entered = Entered { at: Instant::now(), why: why.clone() };
        }
        self.tell(node, id, orders, What::State(condition), ours.get(), why);
    }

    /// What is wanted of a router's addresses was ordered: its scripts may hear of the end of a release behind that.
    pub(super) fn settled(&mut self, node: &Node<Instant>, id: RouterId, orders: &Orders) {
        if let Some(held_back) = self.held_back.get_mut(id.index()).filter(|_| !node.is_releasing(id)) {
            held_back.drain(..).for_each(|event| orders.job(Job::Notify(event)));
        }
        let settled = |(group, _): &mut (GroupId, Event)| node.group_of(id) == Some(*group);
        if node.group_of(id).is_some_and(|group| self.is_settled(node, group)) {
            self.held_groups.extract_if(.., settled).for_each(|(_, event)| orders.job(Job::Notify(event)));
        }
    }

    /// Whether everything was told of the members of a group.
    fn is_settled(&self, node: &Node<Instant>, group: GroupId) -> bool {
        let waits = |id: &RouterId| {
            node.is_releasing(*id) || self.held_back.get(id.index()).is_some_and(|held| !held.is_empty())
        };
        !node.members(group).iter().any(waits)
    }

    /// Tells of a router, when it serves nothing any more that it let go of.
    fn tell(&mut self, node: &Node<Instant>, id: RouterId, orders: &Orders, what: What, priority: u8, why: String) {
        let event = event(Subject::Instance(id.index()), what, priority, why);
        match self.held_back.get_mut(id.index()) {
            Some(held_back) if node.is_releasing(id) => held_back.push(event),
            _ => orders.job(Job::Notify(event)),
        }
    }

    /// The conditions that keep a router in FAULT.
    fn unmet(&self, node: &Node<Instant>, id: RouterId, family: Family) -> String {
        let words = |unmet| match unmet {
            Unmet::Stopped => "it is stopped".to_owned(),
            Unmet::LinkDown if self.names.routed.get(id.index()) == Some(&true) => {
                "there is no route to its first peer, or the interface of that is down".to_owned()
            }
            Unmet::LinkDown => match node.interface(id).and_then(|place| self.gaps.get(&(place, family))) {
                Some(Gap::Absent) => "its interface does not exist".to_owned(),
                Some(Gap::Deaf) => "it cannot listen on its interface".to_owned(),
                Some(Gap::None) | None => "its interface is down".to_owned(),
            },
            Unmet::NoAddress => match family {
                Family::V4 => "its interface has no IPv4 address to send from".to_owned(),
                Family::V6 => "its interface has no usable link-local IPv6 address to send from".to_owned(),
            },
            Unmet::Fault(Faults::SOURCE) => "this host does not have the address that its adverts come from".to_owned(),
            Unmet::Fault(Faults::NO_PEER) => "it has no `unicast_peer`".to_owned(),
            Unmet::Fault(Faults::NO_INTERFACE) => "an interface of its addresses does not exist".to_owned(),
            Unmet::Fault(Faults::MTU) => match self.names.too_small.get(&id) {
                Some(Some(too_small)) => too_small.to_string(),
                Some(None) | None => "the MTU of its interface is too small for its advertisement".to_owned(),
            },
            Unmet::Fault(Faults::CONTESTED) => "another program goes on removing its addresses".to_owned(),
            Unmet::Fault(_) => "the kernel refused its addresses".to_owned(),
            Unmet::Tracker(tracker) | Unmet::Undetermined(tracker) => self.tracked(tracker, node.status(tracker)),
            Unmet::Member(mate) => format!("{} of its sync group cannot take part", self.name(mate)),
            Unmet::Maintenance => "it is in maintenance".to_owned(),
            Unmet::StartupDelay => delay(node, id).unwrap_or_default(),
        };
        node.unmet(id).map(words).collect::<Vec<_>>().join("; ")
    }

    fn tracked(&self, tracker: TrackerId, status: Status) -> String {
        let Some(Tracked { name, up, down }) = self.names.tracked.get(tracker.index()) else { return "?".to_owned() };
        match status {
            Status::Unknown => format!("{name} was not looked at yet"),
            Status::Up => format!("{name} {up}"),
            Status::Down => format!("{name} {down}"),
            Status::Value(value) => format!("{name} is {value}"),
        }
    }

    fn name(&self, id: RouterId) -> &str {
        self.names.routers.get(id.index()).map_or("?", String::as_str)
    }
}

/// What lets adverts in, for either of the two programs.
struct MissingRule {
    source: IpAddr,
    destination: IpAddr,
    /// They come in a datagram of protocol 51.
    signed: bool,
}

impl std::fmt::Display for MissingRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { source, destination, signed } = self;
        let protocol = if *signed { PROTOCOL_AH } else { PROTOCOL_VRRP };
        let (ip, tables, field) =
            if source.is_ipv4() { ("ip", "iptables", "protocol") } else { ("ip6", "ip6tables", "nexthdr") };
        write!(
            f,
            "`nft insert rule inet filter input {ip} saddr {source} {ip} daddr {destination} {ip} {field} {protocol} accept`, with your own table and chain, or `{tables} -I INPUT -s {source} -d {destination} -p {protocol} -j ACCEPT`"
        )
    }
}

/// When the daemon starts, and only then, keepalived tells of groups that become Backup before it tells of any router.
pub(super) fn as_at_the_start(outputs: &mut [Output]) {
    outputs.sort_by_key(|output| match output {
        Output::Group { condition: Condition::Backup, .. } => 1,
        Output::Transition { .. } => 2,
        Output::Group { .. } => 3,
        Output::Advertise { .. }
        | Output::Addresses { .. }
        | Output::Announce { .. }
        | Output::HandOver { .. }
        | Output::Conflict { .. }
        | Output::Priority { .. }
        | Output::Rejected { .. }
        | Output::Noticed { .. }
        | Output::Barred { .. } => 0,
    });
}

/// What is left of the delay after the start, where there is one.
fn delay(node: &Node<Instant>, id: RouterId) -> Option<String> {
    let left = node.delayed_until(id)?.saturating_duration_since(Instant::now());
    Some(format!("startup delay, {:.1} s left", left.as_secs_f32()))
}

/// Behind the orders given so far: whoever is told of a Master finds its addresses there.
fn event(subject: Subject, what: What, priority: u8, why: String) -> Event {
    Event { subject, what, priority, why, at: SystemTime::now() }
}

/// "(12 more since)" for a line that was held back.
struct Again(u64);

impl std::fmt::Display for Again {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, " ({} more in the last minutes)", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use vrrp_core::fsm::{Params, Rules};
    use vrrp_core::node::{Groups, RouterSetup};
    use vrrp_core::router::{ChecksumPolicy, RouterConfig};
    use vrrp_core::{AddressList, AdvertInterval, Auth, Priority, Vrid};

    use super::*;
    use crate::daemon::log;

    /// What is logged about these notices of one peer, one after the other.
    fn logged(notices: &[Notices]) -> String {
        noticed(notices).0
    }

    /// The same, and how many notifications there are about it.
    fn noticed(notices: &[Notices]) -> (String, usize) {
        reported(|reporter, node, id, orders| {
            for notices in notices {
                reporter.noticed(node, id, [10, 0, 0, 6].into(), *notices, orders);
            }
        })
    }

    /// What is logged of what happens to one router, and how many notifications there are about weaker masters.
    fn reported(happens: impl FnOnce(&mut Reporter, &Node<Instant>, RouterId, &Orders)) -> (String, usize) {
        let mut node = Node::new(Groups::default());
        let interval = AdvertInterval::from_secs(1).unwrap();
        let config = RouterConfig {
            vrid: Vrid::new(7).unwrap(),
            params: Params {
                priority: Priority::default(),
                interval,
                preempt: true,
                accept: false,
                rules: Rules::DEFAULT,
            },
            addresses: AddressList::new(Box::from([[10, 0, 0, 100].into()])).unwrap(),
            auth: Auth::None,
            checksum: ChecksumPolicy::default(),
        };
        let id = node
            .add(RouterSetup { interface: InterfaceId(0), source: None, unicast: None, track_interface: true, config })
            .unwrap();
        let names = Names {
            routers: vec!["VI_1".to_owned()],
            groups: Vec::new(),
            tracked: Vec::new(),
            routed: vec![false],
            placed: vec!["eth0".to_owned()],
            interfaces: vec!["eth0".to_owned()],
            too_small: HashMap::new(),
        };
        let mut reporter = Reporter::new(&node, names);
        let (orders, jobs) = crate::daemon::orders::orders(1, crate::daemon::lease::Lease::default());
        let text = log::logged(|| happens(&mut reporter, &node, id, &orders));
        let told = jobs.try_iter().filter(|job| matches!(job, Job::Notify(event) if event.what == What::LowerPriority));
        (text, told.count())
    }

    #[test]
    fn a_flood_of_weaker_adverts_is_no_flood_of_notifications() {
        let began = Instant::now();
        let (_, told) = noticed(&vec![Notices::LOSING; 10_000]);
        let most = began.elapsed().as_millis() / LOWER_PRIORITY_PAUSE.as_millis() + 1;
        assert!((1..=most).contains(&u128::try_from(told).unwrap()), "{told} notifications, at most {most}");
        assert_eq!(noticed(&[Notices::INTERVAL]).1, 0);
    }

    #[test]
    fn r112_equal_priorities_are_logged_with_what_to_do() {
        let equal = Notices::EQUAL_PRIORITY;
        let text = logged(&[equal, equal, equal | Notices::LOSING, equal | Notices::LOSING]);
        let [advice, losing] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        assert!(advice.contains("WARN") && advice.contains("(VI_1) 10.0.0.6 has our priority"), "{advice}");
        assert!(advice.contains("set another priority on one of them"), "{advice}");
        assert!(losing.contains("10.0.0.6 is master as well"), "{losing}");
    }

    #[test]
    fn a_first_address_that_is_not_link_local_is_logged_once_in_a_while() {
        let text = logged(&[Notices::FIRST_NOT_LINK_LOCAL; 1000]);
        let [line] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        assert!(line.contains("(VI_1) 10.0.0.6 advertises a first address that is not link-local; accepted"), "{line}");
    }

    #[test]
    fn r127_another_host_with_an_address_is_named_once_in_a_while() {
        let vip = [10, 0, 0, 100].into();
        let (text, _) = reported(|reporter, _, id, _| {
            for _ in 0..1000 {
                reporter.conflict((id, Some(0)), vip, [2, 0, 0, 0, 0, 9], true);
            }
            reporter.conflict((id, None), vip, [2, 0, 0, 0, 0, 8], false);
        });
        let [first, other] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        let words =
            "(VI_1) another host has our address 10.0.0.100: 02:00:00:00:00:09 on eth0; announced again: take it off";
        assert!(first.contains("WARN") && first.contains(words), "{first}");
        assert!(other.contains("02:00:00:00:00:08 on ?; announced again less than 10 s ago: "), "{other}");
    }

    #[test]
    fn a_second_owner_is_logged() {
        let text = logged(&[Notices::SECOND_OWNER]);
        assert!(text.contains("10.0.0.6 claims priority 255 as we do: only one may own the addresses"), "{text}");
    }
}
