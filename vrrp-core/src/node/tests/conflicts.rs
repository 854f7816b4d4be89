//! Who else holds an address: what a Master tells of and answers, and what the election explains.

use super::*;
use crate::conflict::{Conflict, DEFEND_INTERVAL};
use crate::release::Handover;

const THIRD: [u8; 6] = [2, 0, 0, 0, 0, 9];
const DOUBT: Duration = Duration::from_secs(1);
const SETTLED: Duration = Duration::from_secs(5);

/// A Master that has served for long enough, and adverts on as it is told the time; the time.
fn settled() -> (Solo, Duration) {
    let (mut solo, at, epoch) = Solo::master(150);
    let _ = solo.handle(at, Input::Installed { router: solo.id, epoch });
    let _ = solo.handle(at, Input::Handover { router: solo.id, handover: Handover::Announced });
    solo.pass(at + SETTLED);
    (solo, at + SETTLED)
}

impl Solo {
    /// Fires every deadline up to `end` at its time; what was told of conflicts.
    fn pass(&mut self, end: Duration) -> Vec<Output> {
        let mut told = Vec::new();
        while let Some(at) = self.node.next_deadline().filter(|at| *at <= end) {
            told.extend(self.expire(at).into_iter().filter(|output| matches!(output, Output::Conflict { .. })));
        }
        told
    }

    fn conflict(&self, mac: [u8; 6], defend: bool) -> Output {
        Output::Conflict { router: self.id, address: VIP, mac, defend }
    }

    fn last(&self) -> Option<Conflict<Duration>> {
        self.node.conflicts(self.id).find(|(address, _)| *address == VIP).map(|(_, conflict)| conflict)
    }
}

#[test]
fn r125_r127_a_master_tells_of_another_host_and_defends_its_address_once_in_ten_seconds() {
    let (mut solo, at) = settled();
    let announced = solo.count(Counter::AnnouncementsSent);
    assert_eq!(solo.handle(at, claimed(solo.id, VIP, THIRD)), []);
    assert_eq!(solo.last(), None, "it is doubted");
    let mut question = Claim { address: VIP, mac: THIRD, gratuitous: false };
    assert_eq!(solo.handle(at + ms(1), Input::Claimed { router: solo.id, claim: question }), []);
    assert_eq!(solo.pass(at + DOUBT), [solo.conflict(THIRD, true)]);
    let first = Conflict { mac: THIRD, at, claims: 2, defended: Some(at + DOUBT) };
    assert_eq!(solo.last(), Some(first));
    assert_eq!(solo.count(Counter::AnnouncementsSent), announced + 1);

    question.mac[5] = 8;
    let again = at + ms(9_999);
    assert_eq!(again + ms(1), at + DEFEND_INTERVAL);
    assert_eq!(solo.handle(again, Input::Claimed { router: solo.id, claim: question }), []);
    assert_eq!(solo.pass(again + DOUBT), [solo.conflict(question.mac, false)]);
    let second = Conflict { mac: question.mac, at: again, claims: 3, ..first };
    assert_eq!(solo.last(), Some(second));

    let _ = solo.handle(again + DOUBT, claimed(solo.id, VIP, THIRD));
    assert_eq!(solo.pass(again + 2 * DOUBT), [solo.conflict(THIRD, true)]);
    assert_eq!((solo.count(Counter::AddressConflicts), solo.count(Counter::AddressDefences)), (4, 2));
    assert_eq!(solo.role(), Role::Master, "whatever another host says");
}

#[test]
fn the_doubt_is_a_deadline_of_the_node() {
    let (mut solo, at) = settled();
    let _ = solo.handle(at + ms(1), claimed(solo.id, VIP, THIRD));
    let advert = solo.node.next_deadline().unwrap();
    assert!(advert < at + ms(1) + DOUBT, "Adver_Timer");
    let _ = solo.expire(advert);
    assert_eq!(solo.node.next_deadline(), Some(at + ms(1) + DOUBT));
}

#[test]
fn r126_the_virtual_mac_of_the_router_is_no_conflict_and_that_of_another_is() {
    let mac = |vrid| Vrid::new(vrid).unwrap().mac_v4();
    let (mut solo, at) = settled();
    let _ = solo.handle(at, claimed(solo.id, VIP, mac(7)));
    assert_eq!(solo.pass(at + DOUBT), []);
    let _ = solo.handle(at + DOUBT, claimed(solo.id, VIP, mac(8)));
    assert_eq!(solo.pass(at + 2 * DOUBT), [solo.conflict(mac(8), true)]);
}

#[test]
fn who_does_not_serve_has_no_conflict() {
    let mut backup = Solo::backup(100);
    let _ = backup.handle(ms(10), claimed(backup.id, VIP, THIRD));
    assert_eq!(backup.node.conflicts.next(), None, "a Master is expected to announce");
    let (mut asked, at, _) = Solo::master(150);
    let late = at + SETTLED + SETTLED;
    let _ = asked.handle(late, claimed(asked.id, VIP, THIRD));
    assert_eq!(asked.node.conflicts.next(), None, "nothing is installed yet");
    let (mut releasing, at) = settled();
    let _ = releasing.handle(at, Input::Enabled { which: Which::All, enabled: false });
    assert!(releasing.node.is_releasing(releasing.id));
    let out = releasing.handle(at + ms(600), claimed(releasing.id, VIP, THIRD));
    assert!(matches!(out[..], [Output::HandOver { .. }, Output::Addresses { .. }]), "{out:?}");
    assert_eq!((releasing.node.conflicts.next(), releasing.last()), (None, None));
}

#[test]
fn only_an_announcement_ends_a_release() {
    let (mut solo, at) = settled();
    let _ = solo.handle(at, Input::Enabled { which: Which::All, enabled: false });
    let claim = Claim { address: VIP, mac: THIRD, gratuitous: false };
    assert_eq!(solo.handle(at, Input::Claimed { router: solo.id, claim }), []);
    assert!(solo.node.is_releasing(solo.id));
}

/// A predecessor that was cut off, or hands over, may answer for a while.
#[test]
fn right_after_a_takeover_there_is_no_conflict() {
    let (mut solo, at, epoch) = Solo::master(150);
    let _ = solo.handle(at, Input::Installed { router: solo.id, epoch });
    for after in [1, 1000, 4999] {
        let _ = solo.handle(at + ms(after), claimed(solo.id, VIP, THIRD));
        assert_eq!(solo.node.conflicts.next(), None, "{after}");
    }
    let _ = solo.handle(at + SETTLED, claimed(solo.id, VIP, THIRD));
    assert_eq!(solo.node.conflicts.next(), Some(at + SETTLED + DOUBT));
}

/// When a cut heals, an announcement may be heard before the advert that explains it, or behind it.
#[test]
fn r113_another_master_is_a_matter_of_the_election() {
    let (mut solo, at) = settled();
    let _ = solo.handle(at, claimed(solo.id, VIP, THIRD));
    let out = solo.hear(at + ms(900), &advert(7, 100));
    assert_eq!((claims(&out), announces(&out)), (1, 1), "answered, and announced");
    let _ = solo.handle(at + ms(950), claimed(solo.id, VIP, THIRD));
    let later = at + ms(900) + SETTLED;
    assert_eq!(solo.pass(later), []);
    let _ = solo.handle(later, claimed(solo.id, VIP, THIRD));
    assert_eq!(solo.pass(later + DOUBT), [solo.conflict(THIRD, true)], "it advertises no more");
}

#[test]
fn an_advert_that_is_not_answered_explains_it_as_well() {
    for advert in [advert(7, 0), advert(7, 100)] {
        let (mut solo, at) = settled();
        let rules = Rules { answer_weaker: false, announce_to_weaker: false, ..Rules::DEFAULT };
        let _ = solo.handle(at, Input::Params { router: solo.id, params: Params { rules, ..params(150) } });
        let _ = solo.handle(at, claimed(solo.id, VIP, THIRD));
        let _ = solo.hear(at + ms(500), &advert);
        assert_eq!(solo.pass(at + DOUBT), []);
    }
}

#[test]
fn who_yields_meanwhile_tells_of_nothing() {
    let (mut solo, at) = settled();
    let _ = solo.handle(at, claimed(solo.id, VIP, THIRD));
    let out = solo.hear(at + DOUBT, &advert(7, 200));
    assert_eq!(wanted(&out), Some(Addresses::Remove));
    assert_eq!(solo.pass(at + 2 * DOUBT), []);
    assert_eq!((solo.last(), solo.count(Counter::AddressConflicts)), (None, 0));
}

#[test]
fn a_list_that_changes_forgets_what_was() {
    let (mut solo, at) = settled();
    let _ = solo.handle(at, claimed(solo.id, VIP, THIRD));
    let _ = solo.pass(at + DOUBT);
    assert!(solo.last().is_some());
    let same = [VIP];
    let addresses = AddressList::new(&same[..]).unwrap();
    let _ = solo.handle(at + DOUBT, Input::AddressList { router: solo.id, addresses });
    assert!(solo.last().is_some(), "it is the same");
    let other = [IpAddr::from([10, 0, 0, 101])];
    let addresses = AddressList::new(&other[..]).unwrap();
    let _ = solo.handle(at + DOUBT, Input::AddressList { router: solo.id, addresses });
    assert_eq!(solo.last(), None);
}

#[test]
fn an_unknown_router_is_ignored() {
    let (mut solo, at) = settled();
    assert_eq!(solo.handle(at, claimed(RouterId(5), VIP, THIRD)), []);
    assert_eq!(solo.node.conflicts.next(), None);
    assert_eq!(solo.node.conflicts(RouterId(5)).count(), 0);
}
