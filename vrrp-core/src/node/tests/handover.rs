//! Make-before-break: what begins a release, what goes on in it, and what ends it.

use super::*;
use crate::release::Release;

const VIP2: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 101));
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 6];

/// A Master of two addresses that serves them, past its last announcement; the time, and its epoch.
fn serving(handover: Handover) -> (Solo, Duration, u64) {
    let mut node = Node::new(Groups::default());
    let mut wanted = setup(ETH0, 7, params(150));
    wanted.config.addresses = AddressList::new(Box::from([VIP, VIP2])).unwrap();
    let id = node.add(wanted).unwrap();
    let mut solo = Solo { node, id };
    let _ = solo.handle(ms(0), Input::Handover { router: id, handover });
    let _ = solo.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) });
    let _ = solo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
    let at = solo.node.next_deadline().unwrap();
    let epoch = epoch_of(&solo.expire(at)).unwrap();
    let _ = solo.handle(at, Input::Installed { router: id, epoch });
    (solo, at, epoch)
}

/// The same, which has just been stopped.
fn releasing(handover: Handover) -> (Solo, Duration, u64) {
    let (mut solo, at, epoch) = serving(handover);
    let out = solo.stop(at);
    assert!(matches!(
        out[..],
        [Output::Advertise { advertise: Advertise::Release, .. }, Output::Transition { transition, .. }]
            if transition.cause == Cause::Shutdown
    ));
    assert!(solo.node.is_releasing(solo.id) && solo.node.releasing());
    (solo, at, epoch)
}

impl Solo {
    fn stop(&mut self, at: Duration) -> Vec<Output> {
        self.handle(at, Input::Enabled { which: Which::All, enabled: false })
    }

    fn announced(&mut self, at: Duration, address: IpAddr) -> Vec<Output> {
        self.handle(at, claimed(self.id, address, MAC))
    }

    /// Asserts that these outputs are the removal of the rest and nothing else.
    #[track_caller]
    fn removed(&self, out: &[Output], epoch: u64) {
        let accept = false;
        let removal = Output::Addresses { router: self.id, wanted: Addresses::Remove, accept, epoch: epoch + 1 };
        assert_eq!(out, [removal]);
        assert!(!self.node.is_releasing(self.id) && !self.node.releasing());
    }
}

#[test]
fn each_address_goes_when_its_successor_announces_it() {
    let (mut solo, at, epoch) = releasing(Handover::Announced);
    let hand_over = |address| Output::HandOver { router: solo.id, address, mac: MAC, epoch };
    let (first, second) = (hand_over(VIP2), hand_over(VIP));
    let announcements = solo.count(Counter::AnnouncementsSent);
    assert_eq!(solo.announced(at + ms(600), VIP2), [first]);
    assert_eq!(solo.announced(at + ms(601), VIP2), [], "a repeated announcement is harmless");
    assert!(solo.node.is_releasing(solo.id));
    let out = solo.announced(at + ms(700), VIP);
    assert_eq!(out[0], second);
    solo.removed(&out[1..], epoch);
    assert_eq!(solo.announced(at + ms(701), VIP), []);
    assert_eq!(solo.count(Counter::AnnouncementsSent), announcements + 2);
    assert_eq!(solo.node.next_deadline(), None);
}

#[test]
fn nothing_is_sent_and_no_advert_is_answered_meanwhile() {
    let (mut solo, at, epoch) = releasing(Handover::Announced);
    for (after, priority) in [(100, 100), (200, 150), (300, 255), (400, 0)] {
        assert_eq!(solo.hear(at + ms(after), &advert(7, priority)).iter().filter(|o| sends(o)).count(), 0);
    }
    let until = solo.node.next_deadline().unwrap();
    assert_eq!(until, at + Release::longest(params(150)), "no Adver_Timer, no announcement before");
    assert_eq!(solo.expire(until.saturating_sub(ms(1))), []);
    let out = solo.expire(until);
    solo.removed(&out, epoch);
}

fn sends(output: &Output) -> bool {
    matches!(output, Output::Advertise { .. } | Output::Announce { .. } | Output::HandOver { .. })
}

#[test]
fn with_a_virtual_mac_the_first_claim_ends_it_and_a_release_does_not() {
    let (mut solo, at, epoch) = releasing(Handover::FirstAdvert);
    assert_eq!(solo.announced(at, VIP), []);
    let foreign = solo.hear(at + ms(1), &advert(8, 100));
    assert!(matches!(foreign[..], [Output::Rejected { .. }]) && solo.node.releasing());
    let _ = solo.hear(at + ms(2), &advert(7, 0));
    assert!(solo.node.releasing(), "who says goodbye does not take over");
    let out = solo.hear(at + ms(3), &advert(7, 100));
    let out: Vec<_> = out.into_iter().filter(|output| !matches!(output, Output::Noticed { .. })).collect();
    solo.removed(&out, epoch);
}

#[test]
fn what_must_not_go_on_ends_at_once() {
    let link = |link| Input::Link { interface: ETH0, family: Family::V4, link };
    let fault = |router| Input::Fault { router, fault: Faults::INSTALL, present: true };
    let (_, _, _) = releasing(Handover::Announced);
    let router = serving(Handover::Announced).0.id;
    let inputs = [
        link(Link::Down),
        link(Link::NoAddress),
        fault(router),
        Input::LetGo { which: Which::All },
        Input::LetGo { which: Which::One(router) },
    ];
    for input in inputs {
        for handover in [Handover::Announced, Handover::FirstAdvert] {
            let (mut solo, at, epoch) = releasing(handover);
            let out = solo.handle(at + ms(10), input);
            solo.removed(&out, epoch);
            assert_eq!(solo.handle(at + ms(11), input), [], "{input:?}");
        }
    }
}

#[test]
fn a_start_ends_it_and_the_router_begins_as_a_backup() {
    let (mut solo, at, epoch) = releasing(Handover::Announced);
    let out = solo.handle(at + ms(10), Input::Enabled { which: Which::All, enabled: true });
    solo.removed(&out[..1], epoch);
    // A Backup's level is the same once more.
    assert_eq!((out.len(), wanted(&out[1..])), (3, Some(Addresses::Remove)));
    assert!(matches!(out[2], Output::Transition { transition, .. } if transition.to == Role::Backup));
}

#[test]
fn another_list_of_addresses_ends_it_and_the_same_does_not() {
    let (mut solo, at, epoch) = releasing(Handover::Announced);
    let list = |addresses| Input::AddressList { router: RouterId(0), addresses: AddressList::new(addresses).unwrap() };
    assert_eq!(solo.handle(at, list(&[VIP, VIP2])), []);
    assert!(solo.node.releasing());
    let out = solo.handle(at, list(&[VIP2, VIP]));
    solo.removed(&out, epoch);
}

#[test]
fn repeated_levels_leave_it_alone() {
    let (mut solo, at, _) = releasing(Handover::Announced);
    let until = solo.node.next_deadline();
    let link = Link::Up(OWN);
    let same = [
        Input::Link { interface: ETH0, family: Family::V4, link },
        Input::Enabled { which: Which::All, enabled: false },
        Input::Fault { router: solo.id, fault: Faults::INSTALL, present: false },
        Input::Params { router: solo.id, params: params(150) },
        Input::Installed { router: solo.id, epoch: 1 },
    ];
    for input in same {
        assert_eq!(solo.handle(at + ms(10), input), [], "{input:?}");
        assert!(solo.node.releasing());
        assert_eq!(solo.node.next_deadline(), until);
    }
}

#[test]
fn only_a_master_that_serves_and_is_stopped_hands_over() {
    let (mut solo, at, epoch) = serving(Handover::Immediate);
    let out = solo.stop(at);
    assert_eq!((wanted(&out), epoch_of(&out)), (Some(Addresses::Remove), Some(epoch + 1)));

    let failures = [
        Input::Fault { router: solo.id, fault: Faults::INSTALL, present: true },
        Input::Link { interface: ETH0, family: Family::V4, link: Link::Down },
    ];
    for input in failures {
        let (mut solo, at, _) = serving(Handover::Announced);
        assert_eq!(wanted(&solo.handle(at, input)), Some(Addresses::Remove), "{input:?}");
        assert!(!solo.node.releasing());
    }

    let (mut solo, at, _) = serving(Handover::Announced);
    assert_eq!(wanted(&solo.hear(at, &advert(7, 200))), Some(Addresses::Remove), "it yields to a stronger one");
    assert!(!solo.node.releasing());

    let (mut solo, at, _) = Solo::master(150);
    let _ = solo.handle(at, Input::Handover { router: solo.id, handover: Handover::Announced });
    assert_eq!(wanted(&solo.stop(at)), Some(Addresses::Remove), "they are not there yet");
    assert!(!solo.node.releasing());
}

#[test]
fn announcements_mean_nothing_to_who_does_not_release() {
    let (mut solo, at, _) = serving(Handover::Announced);
    assert_eq!(solo.announced(at, VIP), []);
    let _ = solo.stop(at);
    assert_eq!(solo.announced(at, PEER), [], "not one of its addresses");
    assert!(solo.node.releasing());
}
