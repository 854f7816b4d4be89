//! Which adverts the kernel hands to which socket, so that noise neither costs time nor takes the place of what matters.
//!
//! A socket for everybody is given the virtual routers of its interface, and of others' a sample, to be counted. The adverts of
//! the routers' current Masters go to a second one, which no flood from elsewhere can fill. Decides by sender and identifier;
//! whether an advert is to be believed is the node's to say.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use vrrp_core::Family;
use vrrp_core::fsm::Role;
use vrrp_core::node::{Node, RouterId};
use vrrp_core::router::VirtualRouter;
use vrrp_core::wire::ipv4::PROTOCOL_VRRP;
use vrrp_netlink::sieve::{Layout, MOST_SENDERS, Senders, Sieve};

use super::{Ear, Kind};

/// Of adverts for other virtual routers, one of so many is heard and counts for all of them: hundreds of routers beside ours
/// wake nobody, and a wrong VRID still shows within a minute.
pub(in crate::daemon) const SAMPLE: NonZeroU32 = NonZeroU32::new(64).unwrap();

/// Where the identifier stands in an advert.
pub(super) const VRID: u8 = 1;

/// Pause between two changes of what the sockets of a place are given: somebody who sends valid adverts from ever new addresses
/// shall not keep the kernel busy with it.
const PAUSE: Duration = Duration::from_millis(200);

/// A new Master's adverts come in a burst, of all its virtual routers: the sockets are changed when it is over, since what arrives
/// in the middle of a change is heard twice, and a signed one would look like a replayed one.
const QUIET: Duration = Duration::from_millis(20);

/// What the datagrams of these sockets begin with.
pub(super) const fn layout(kind: Kind) -> Layout {
    match kind {
        Kind::V6 | Kind::MastersV6 => Layout::Ipv6Payload,
        Kind::Ah | Kind::MastersAh => Layout::Ipv4Authenticated(PROTOCOL_VRRP),
        Kind::V4 | Kind::MastersV4 | Kind::Arp | Kind::Nd | Kind::Frames => Layout::Ipv4,
    }
}

/// What the sockets of all interfaces are given.
pub(in crate::daemon) struct Sieves {
    places: Vec<Place>,
    /// When the sockets of a place are to be looked at.
    next: Option<Instant>,
}

/// An interface and a family.
struct Place {
    interface: usize,
    family: Family,
    routers: Vec<RouterId>,
    vrids: Vec<u8>,
    /// Whose adverts go to the sockets for Masters.
    masters: Vec<IpAddr>,
    /// When something came to a socket for everybody, which may be a new Master's.
    stirred: Option<Instant>,
    changed: Option<Instant>,
}

impl Sieves {
    /// For the routers of `node`, with no Master known.
    pub(in crate::daemon) fn new(node: &Node<Instant>) -> Self {
        let mut places: Vec<Place> = Vec::new();
        for id in node.routers() {
            let (Some(router), Some(interface)) = (node.router(id), node.interface(id)) else { continue };
            let (interface, family) = (usize::try_from(interface.0).unwrap_or(usize::MAX), router.family());
            let known = places.iter().position(|place| (place.interface, place.family) == (interface, family));
            let place = known.unwrap_or_else(|| {
                let (routers, vrids, masters) = (Vec::new(), Vec::new(), Vec::new());
                places.push(Place { interface, family, routers, vrids, masters, stirred: None, changed: None });
                places.len() - 1
            });
            places[place].routers.push(id);
            places[place].vrids.push(router.vrid().get());
        }
        Self { places, next: None }
    }

    /// The sieve of a socket that was opened on an interface, unless it hears everything there is.
    pub(in crate::daemon) fn of(&self, interface: usize, kind: Kind) -> Option<Sieve> {
        let family = kind.adverts()?;
        let place = self.places.iter().find(|place| (place.interface, place.family) == (interface, family))?;
        Some(place.sieve(kind))
    }

    /// Something came to a socket for everybody.
    pub(in crate::daemon) fn stir(&mut self, now: Instant, interface: usize, family: Family) {
        let same = |place: &&mut Place| (place.interface, place.family) == (interface, family);
        if let Some(place) = self.places.iter_mut().find(same) {
            place.stirred.get_or_insert(now);
            self.next = earlier(self.next, place.due());
        }
    }

    /// When there is something to do, whatever else happens; `None` for never.
    pub(in crate::daemon) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Follows changes of who is Master: new sieves for the sockets of places that were stirred, found by interface and kind.
    pub(in crate::daemon) fn follow<'e>(
        &mut self,
        now: Instant,
        node: &Node<Instant>,
        socket: impl Fn(usize, Kind) -> Option<&'e Ear>,
    ) -> vrrp_netlink::Result<()> {
        if self.next.is_none_or(|next| now < next) {
            return Ok(());
        }
        self.next = self.places.iter().filter_map(Place::due).filter(|due| now < *due).min();
        for place in self.places.iter_mut().filter(|place| place.due().is_some_and(|due| due <= now)) {
            place.stirred = None;
            let masters = place.current(node);
            let has_own = |kind: Kind| kind.masters().is_some_and(|kind| socket(place.interface, kind).is_some());
            if masters == place.masters || !Kind::GENERAL.into_iter().any(has_own) {
                continue;
            }
            place.changed = Some(now);
            for (of_masters, senders) in steps(&place.masters, masters) {
                place.masters = senders;
                for everybody in Kind::GENERAL.into_iter().filter(|kind| kind.adverts() == Some(place.family)) {
                    let theirs = everybody.masters().and_then(|kind| Some((kind, socket(place.interface, kind)?)));
                    let Some((kind, theirs)) = theirs else { continue };
                    if of_masters {
                        theirs.sift(&place.sieve(kind))?;
                    } else if let Some(socket) = socket(place.interface, everybody) {
                        socket.sift(&place.sieve(everybody))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// How the senders of one set give way to those of another: whether it is the sockets for Masters that change, and for which
/// senders. In this order an advert may be heard twice at the moment of the change, but never by nobody.
fn steps(before: &[IpAddr], after: Vec<IpAddr>) -> [(bool, Vec<IpAddr>); 3] {
    let both = before.iter().copied().filter(|sender| after.contains(sender)).collect();
    [(false, both), (true, after.clone()), (false, after)]
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

impl Place {
    /// When its sockets are to be looked at.
    fn due(&self) -> Option<Instant> {
        let stirred = self.stirred? + QUIET;
        Some(self.changed.map_or(stirred, |changed| stirred.max(changed + PAUSE)))
    }

    fn sieve(&self, kind: Kind) -> Sieve {
        let sieve = Sieve::new(layout(kind), VRID, self.vrids.iter().copied());
        if Kind::GENERAL.contains(&kind) {
            sieve.from(Senders::Except(&self.masters)).sampling(SAMPLE)
        } else {
            sieve.from(Senders::Only(&self.masters))
        }
    }

    /// Whose adverts the Backups among the routers go by, sorted.
    fn current(&self, node: &Node<Instant>) -> Vec<IpAddr> {
        let backups = self.routers.iter().filter_map(|id| node.router(*id));
        let backups = backups.filter(|router| router.machine().state.role() == Role::Backup);
        let mut masters: Vec<_> = backups.filter_map(VirtualRouter::master).collect();
        masters.sort_unstable();
        masters.dedup();
        masters.truncate(MOST_SENDERS);
        masters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_changed_when_a_burst_is_over_and_not_too_often() {
        let start = Instant::now();
        let ms = |ms| start + Duration::from_millis(ms);
        let mut place = Place {
            interface: 0,
            family: Family::V4,
            routers: Vec::new(),
            vrids: Vec::new(),
            masters: Vec::new(),
            stirred: None,
            changed: None,
        };
        assert_eq!(place.due(), None);
        place.stirred = Some(ms(0));
        let mut sieves = Sieves { places: vec![place], next: None };
        sieves.stir(ms(15), 0, Family::V4);
        assert_eq!(sieves.next(), Some(ms(20)), "who goes on and on puts nothing off");
        sieves.places[0].changed = Some(ms(0));
        assert_eq!(sieves.places[0].due(), Some(ms(200)));
    }

    #[test]
    fn at_no_moment_of_a_change_is_a_sender_heard_by_nobody() {
        let sender = |last: u8| IpAddr::from([10, 0, 0, last]);
        let sets = [vec![], vec![1], vec![2], vec![1, 2], vec![2, 3], vec![3, 4]];
        let sets = sets.map(|set| set.into_iter().map(sender).collect::<Vec<_>>());
        for before in &sets {
            for after in &sets {
                let (mut theirs, mut left_out) = (before.clone(), before.clone());
                for (of_masters, senders) in steps(before, after.clone()) {
                    *(if of_masters { &mut theirs } else { &mut left_out }) = senders;
                    for sender in (1..=5).map(sender) {
                        let heard = theirs.contains(&sender) || !left_out.contains(&sender);
                        assert!(heard, "{sender} from {before:?} to {after:?}: {theirs:?}, {left_out:?}");
                    }
                }
                assert_eq!((&theirs, &left_out), (after, after));
            }
        }
    }
}
