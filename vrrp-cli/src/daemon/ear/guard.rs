//! A second ear for adverts that a firewall of this host drops: open while a Master is missed, and now and then beside one of
//! ours.
//!
//! It costs nothing while adverts arrive: there is no such socket. Knows when to listen and where; what a caught advert means is
//! the node's to say.

use std::time::{Duration, Instant};

use nix::errno::Errno;
use vrrp_core::Family;
use vrrp_core::fsm::Role;
use vrrp_core::node::{Node, RouterId};
use vrrp_core::router::VirtualRouter;
use vrrp_core::wire::ipv4::PROTOCOL_VRRP;
use vrrp_netlink::packet::DatagramEar;
use vrrp_netlink::sieve::{Layout, Sieve};
use vrrp_netlink::socket::Batch;

use super::sieves::VRID;

/// How often a Master listens for adverts that do not reach it, of whoever is Master as well.
const EVERY: Duration = Duration::from_secs(30);
/// Bounds of the pause between two looks at what an open ear has caught.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));
/// With so few routers all of them are looked at in every turn, which costs less than to know when not to.
const FEW: usize = 16;
/// The longest time between two looks at all routers.
const LONGEST: Duration = Duration::from_secs(60);
/// What the firewall lets through is shown to this ear first, and to its socket a moment later: as long as the kernel's thread in
/// between may be held up.
const SETTLED: Duration = Duration::from_millis(5);
/// System calls for one ear at one time: a bound for floods.
const BATCHES: usize = 16;

/// All second ears, closed at first.
pub(in crate::daemon) struct Guard {
    places: Vec<Place>,
    routers: usize,
    /// When all routers are looked at again, and from when on a turn that is taken anyway does.
    scan: (Instant, Instant),
}

/// An interface and a family.
struct Place {
    interface: usize,
    family: Family,
    routers: Vec<(RouterId, u8)>,
    ear: Option<Open>,
    /// When a Master began to listen last.
    sampled: Option<Instant>,
}

struct Open {
    ear: DatagramEar,
    /// What is queued now did not arrive before this.
    heard: Instant,
    look: Instant,
    pause: Duration,
    /// Caught so lately that their sockets may not have them yet.
    young: Vec<Caught>,
}

/// A datagram that reached an interface.
#[derive(PartialEq, Eq, Debug)]
pub(in crate::daemon) struct Caught {
    pub(in crate::daemon) at: Instant,
    pub(in crate::daemon) interface: usize,
    pub(in crate::daemon) octets: Vec<u8>,
}

/// Why a place wants an ear, and how soon it may have caught something.
#[derive(Clone, Copy)]
struct Wish {
    open: bool,
    pause: Duration,
    /// When it may be another one.
    next: Instant,
}

impl Guard {
    /// For the routers of `node`, where it is wanted.
    pub(in crate::daemon) fn new(node: &Node<Instant>, wanted: bool, now: Instant) -> Self {
        let mut places: Vec<Place> = Vec::new();
        for id in node.routers().filter(|_| wanted) {
            let (Some(router), Some(interface)) = (node.router(id), node.interface(id)) else { continue };
            let (interface, family) = (usize::try_from(interface.0).unwrap_or(usize::MAX), router.family());
            let one = (id, router.vrid().get());
            match places.iter_mut().find(|place| (place.interface, place.family) == (interface, family)) {
                Some(place) => place.routers.push(one),
                None => places.push(Place { interface, family, routers: vec![one], ear: None, sampled: None }),
            }
        }
        let routers = places.iter().map(|place| place.routers.len()).sum();
        Self { places, routers, scan: (now, now) }
    }

    /// When there is something to do, whatever else happens; `None` for never.
    pub(in crate::daemon) fn next(&self) -> Option<Instant> {
        let looks = self.places.iter().filter_map(|place| place.ear.as_ref()).map(|open| open.look);
        looks.chain((!self.places.is_empty()).then_some(self.scan.0)).min()
    }

    /// A router is something else now.
    pub(in crate::daemon) fn stir(&mut self, now: Instant) {
        self.scan = (now, now);
    }

    /// Opens the ears that are needed by now, on the interfaces whose index `index` knows, and gives away to `close` those that
    /// are not any more, since closing takes a while.
    pub(in crate::daemon) fn prepare(
        &mut self,
        now: Instant,
        node: &Node<Instant>,
        index: impl Fn(usize, Family) -> Option<u32>,
        mut close: impl FnMut(DatagramEar),
    ) -> vrrp_netlink::Result<()> {
        if self.places.is_empty() || (self.routers > FEW && now < self.scan.1) {
            return Ok(());
        }
        let (mut next, mut shortest, mut outcome) = (now + LONGEST, LONGEST, Ok(()));
        for place in &mut self.places {
            let wish = place.wish(now, node);
            next = next.min(wish.next);
            shortest = shortest.min(wish.pause * 2);
            let there = index(place.interface, place.family).filter(|index| wish.open && *index != 0);
            if let Some(open) = place.ear.take_if(|open| Some(open.ear.index()) != there) {
                close(open.ear);
            }
            if let (Some(index), None) = (there, &place.ear) {
                match place.open(index) {
                    Ok(ear) => {
                        let (look, pause) = (now + wish.pause, wish.pause);
                        place.ear = Some(Open { ear, heard: now, look, pause, young: Vec::new() });
                    }
                    Err(error) => outcome = Err(error),
                }
            }
            if let Some(open) = &mut place.ear {
                open.pause = wish.pause;
            }
        }
        // An advert of a Master that comes in time moves the moment at which it would be missed by an interval.
        self.scan = (next, next.checked_sub(shortest * 2 / 5).unwrap_or(next));
        outcome
    }

    /// What open ears have caught and their sockets would have by now, of those that are due; or all of it, of `all`. And whether one of them failed, which takes nothing from the
    /// others. Feed what the sockets have before it.
    pub(in crate::daemon) fn look(
        &mut self,
        now: Instant,
        all: bool,
        batch: &mut Batch,
    ) -> (Vec<Caught>, vrrp_netlink::Result<()>) {
        let (mut caught, mut outcome) = (Vec::new(), Ok(()));
        for place in &mut self.places {
            let Some(open) = place.ear.as_mut().filter(|open| all || open.look <= now) else { continue };
            open.look = now + open.pause;
            let mut fresh = std::mem::take(&mut open.young);
            for _ in 0..BATCHES {
                let before = Instant::now();
                match open.ear.receive(batch) {
                    Ok(0) => {
                        open.heard = open.heard.max(before);
                        break;
                    }
                    Ok(_) => {
                        let now = Instant::now();
                        for datagram in batch.iter() {
                            open.heard = super::super::election::arrival(now, datagram.age, open.heard);
                            let (interface, octets) = (place.interface, datagram.bytes.to_vec());
                            fresh.push(Caught { at: open.heard, interface, octets });
                        }
                    }
                    // Once after the interface went down, which the monitor tells.
                    Err(error) if error.errno() == Some(Errno::ENETDOWN as i32) => break,
                    Err(error) => {
                        outcome = Err(error);
                        break;
                    }
                }
            }
            let settled = fresh.partition_point(|one| all || one.at + SETTLED <= now);
            open.young = fresh.split_off(settled);
            caught.append(&mut fresh);
        }
        (caught, outcome)
    }
}

impl Place {
    fn open(&self, index: u32) -> vrrp_netlink::Result<DatagramEar> {
        let (layout, ethertype) = match self.family {
            Family::V4 => (Layout::AnyIpv4(PROTOCOL_VRRP), 0x0800),
            Family::V6 => (Layout::AnyIpv6(PROTOCOL_VRRP), 0x86dd),
        };
        DatagramEar::open(index, ethertype, &Sieve::new(layout, VRID, self.routers.iter().map(|(_, vrid)| *vrid)))
    }

    fn wish(&mut self, now: Instant, node: &Node<Instant>) -> Wish {
        let mut wish = Wish { open: false, pause: PAUSE.1, next: now + LONGEST };
        let mut longest = None;
        for (id, _) in &self.routers {
            let Some(machine) = node.router(*id).map(VirtualRouter::machine) else { continue };
            let interval = machine.master_adver_interval().duration();
            wish.pause = wish.pause.min(interval / 2);
            match node.overdue_from(*id) {
                Some(at) if at <= now => {
                    wish.open = true;
                    wish.next = wish.next.min(now + interval);
                }
                Some(at) => wish.next = wish.next.min(at),
                None if machine.state.role() == Role::Master => longest = longest.max(Some(interval)),
                None => {}
            }
        }
        wish.pause = wish.pause.max(PAUSE.0);
        // Another Master sends once an interval of its own, which is as long as ours most of the time.
        match (longest, self.sampled) {
            (None, _) => self.sampled = None,
            (Some(longest), Some(since)) if now < since + longest * 3 / 2 => {
                wish.open = true;
                wish.next = wish.next.min(since + longest * 3 / 2);
            }
            (Some(_), Some(since)) if now < since + EVERY => wish.next = wish.next.min(since + EVERY),
            (Some(longest), _) => {
                self.sampled = Some(now);
                wish.open = true;
                wish.next = wish.next.min(now + longest * 3 / 2);
            }
        }
        wish
    }
}

#[cfg(test)]
mod tests {
    use vrrp_core::fsm::Link;
    use vrrp_core::node::{Groups, Input, InterfaceId, RouterSetup, Which};
    use vrrp_core::router::RouterConfig;
    use vrrp_core::{AddressList, Priority, Vrid};
    use vrrp_netlink::process::wait_readable;
    use vrrp_netlink::rtnl::Rtnl;
    use vrrp_netlink::socket::{Ipv4Send, VrrpSocket};

    use super::*;
    use crate::lab::{self, Host, Lan};

    const SECOND: Duration = Duration::from_secs(1);

    /// A Backup of one interface since `start`, and its guard.
    fn backup(start: Instant) -> (Node<Instant>, Guard) {
        let mut node = Node::new(Groups::default());
        let addresses = AddressList::new(Box::from([[10, 0, 0, 100].into()])).unwrap();
        let config = RouterConfig::new(Vrid::new(7).unwrap(), Priority::default(), addresses);
        node.add(RouterSetup::new(InterfaceId(0), config)).unwrap();
        let link = Link::Up([10, 0, 0, 5].into());
        for input in [
            Input::Link { interface: InterfaceId(0), family: Family::V4, link },
            Input::Enabled { which: Which::All, enabled: true },
        ] {
            node.handle(start, input, &mut Vec::new());
        }
        let guard = Guard::new(&node, true, start);
        (node, guard)
    }

    #[test]
    fn a_backup_that_has_heard_nobody_listens_from_the_start() {
        let start = Instant::now();
        let (node, mut guard) = backup(start);
        assert_eq!(guard.next(), Some(start));
        assert!(guard.places[0].wish(start, &node).open);
        assert_eq!(Guard::new(&node, false, start).next(), None, "not where it is not wanted");
    }

    /// 1.5 s in 30: the adverts of another Master come once a second.
    #[test]
    fn a_master_listens_now_and_then() {
        let start = Instant::now();
        let (mut node, mut guard) = backup(start);
        let master = node.next_deadline().unwrap();
        node.expire(master, &mut Vec::new());
        let mut open = Vec::new();
        let mut now = master;
        while now < master + EVERY + 3 * SECOND {
            let wish = guard.places[0].wish(now, &node);
            open.push((now.duration_since(master).as_millis(), wish.open));
            assert!(wish.next > now, "{open:?}");
            now = wish.next;
        }
        assert_eq!(open, [(0, true), (1500, false), (30_000, true), (31_500, false)]);
    }

    /// Where an ear cannot be opened yet, nothing is asked again before something changes, or a minute later.
    #[test]
    fn without_an_interface_there_is_no_ear() {
        let start = Instant::now();
        let (node, mut guard) = backup(start);
        guard.prepare(start, &node, |_, _| None, |_| panic!("none is open")).unwrap();
        assert!(guard.places[0].ear.is_none());
        assert!(guard.next().is_some_and(|next| next > start));
        guard.stir(start);
        assert_eq!(guard.next(), Some(start));
    }

    /// What was caught at the one cannot be caught again.
    #[test]
    fn an_interface_that_goes_down_takes_nothing_from_another() {
        if !lab::privileged(an_interface_that_goes_down_takes_nothing_from_another) {
            return;
        }
        let lan = Lan::new(&["caller", "one", "other"]).unwrap();
        let now = Instant::now();
        let index = || Rtnl::open()?.link("eth0").map(|link| link.unwrap().index);
        let place = |host: &Host| {
            let mut place = Place { interface: 3, family: Family::V4, routers: Vec::new(), ear: None, sampled: None };
            let sieve = Sieve::new(Layout::AnyIpv4(PROTOCOL_VRRP), VRID, [7]);
            let ear = host.namespace().run(|| DatagramEar::open(index()?, 0x0800, &sieve)).unwrap().unwrap();
            place.ear = Some(Open { ear, heard: now, look: now, pause: PAUSE.0, young: Vec::new() });
            place
        };
        let [one, other] = ["one", "other"].map(|name| place(lan.host(name)));
        let speak = || {
            let socket = VrrpSocket::open("eth0", index()?, PROTOCOL_VRRP)?;
            let (source, destination) = (lan.host("caller").address(0), [224, 0, 0, 18].into());
            socket.send(&Ipv4Send { source, destination, protocol: PROTOCOL_VRRP, ttl: 255 }, &[0x31, 7, 100, 0])
        };
        // What is sent before the network is up goes nowhere.
        let heard = lab::wait_until(Duration::from_secs(10), || {
            lan.host("caller").namespace().run(speak).unwrap().unwrap();
            wait_readable(&one.ear.as_ref().unwrap().ear, Some(Duration::from_millis(20))).unwrap()
        });
        assert!(heard);
        let down = || {
            let mut rtnl = Rtnl::open()?;
            rtnl.set_up(index()?, false)
        };
        lan.host("other").namespace().run(down).unwrap().unwrap();
        let mut guard = Guard { places: vec![one, other], routers: 2, scan: (now, now) };
        // As at the moment when they came: their sockets may not have them yet.
        let (young, first) = guard.look(now, false, &mut Batch::new(8, 64));
        assert_eq!(young, [], "what is waited for is not taken for what a firewall dropped");
        let (caught, outcome) = guard.look(now, true, &mut Batch::new(8, 64));
        assert!(!caught.is_empty() && caught.iter().all(|caught| caught.octets[21] == 7), "{}", caught.len());
        let outcome = first.and(outcome);
        assert!(outcome.is_ok(), "the monitor tells of it: {outcome:?}");
    }
}
