//! The rules of one node for every version and family: order of effects, acknowledgements, faults, stalls, leftovers, floods.

use super::lan::{Kind, address};
use super::*;

/// A node with one router, and a peer that speaks as it does.
struct One {
    kind: Kind,
    solo: Solo,
}

impl One {
    fn stopped(kind: Kind, priority: u8) -> Self {
        let mut node = Node::new(Groups::default());
        let id = node.add(kind.setup(priority)).unwrap();
        Self { kind, solo: Solo { node, id } }
    }

    /// Started at the time 0.
    fn started(mut self) -> Self {
        let family = self.family();
        let link = Link::Up(address(family, 5));
        let _ = self.solo.handle(ms(0), Input::Link { interface: ETH0, family, link });
        let _ = self.solo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
        assert_eq!(self.solo.role(), Role::Backup);
        self
    }

    fn backup(kind: Kind, priority: u8) -> Self {
        Self::stopped(kind, priority).started()
    }

    /// A Master whose addresses are installed since the time that is given back.
    fn master(kind: Kind, priority: u8) -> (Self, Duration) {
        let mut one = Self::backup(kind, priority);
        let at = one.solo.node.next_deadline().unwrap();
        let epoch = epoch_of(&one.solo.expire(at)).unwrap();
        let out = one.solo.handle(at, Input::Installed { router: one.solo.id, epoch });
        assert_eq!(announces(&out), 1);
        (one, at)
    }

    fn family(&self) -> Family {
        self.solo.node.router(self.solo.id).unwrap().family()
    }

    /// What the peer sends for the virtual router `vrid`; a priority of 0 releases.
    fn message(&self, vrid: u8, priority: u8) -> Vec<u8> {
        let family = self.family();
        let vips = [address(family, 100)];
        let repr = AdvertRepr {
            vrid: Vrid::new(vrid).unwrap(),
            priority: Priority::new(priority),
            interval: self.kind.params(100).interval,
            password: None,
            addresses: AddressList::new(&vips[..]).unwrap(),
            checksum: ChecksumForm::Message,
        };
        let mut buffer = [0; 64];
        repr.emit(address(family, 6), Groups::default().of(family), &mut buffer).unwrap().to_vec()
    }

    fn hear_octets(&mut self, at: Duration, message: &[u8]) -> Vec<Output> {
        let family = self.family();
        let source = address(family, 6);
        match family {
            Family::V4 => self.solo.hear(at, &datagram(source, message)),
            Family::V6 => {
                let meta = Meta { source, destination: Groups::default().of(family), ttl: 255 };
                self.solo.handle(at, Input::Message { interface: ETH0, meta, octets: message })
            }
        }
    }

    fn hear(&mut self, at: Duration, priority: u8) -> Vec<Output> {
        let message = self.message(7, priority);
        self.hear_octets(at, &message)
    }
}

#[test]
fn a_takeover_claims_installs_and_tells_in_this_order_and_then_announces() {
    for kind in Kind::ALL {
        let mut one = One::backup(kind, 100);
        let router = one.solo.id;
        let at = one.solo.node.next_deadline().unwrap();
        assert_eq!(at, ms(3000) + Duration::from_micros(609_375), "{kind:?}: at 1 s the skew is the same");
        let transition = Transition { from: Role::Backup, to: Role::Master, cause: Cause::MasterTimeout };
        let out = one.solo.expire(at);
        let expected = [
            Output::Advertise { router, advertise: Advertise::Claim },
            Output::Addresses { router, wanted: Addresses::Install, accept: false, epoch: 2 },
            Output::Transition { router, transition },
        ];
        assert_eq!(out, expected, "{kind:?}");
        let installed = at + ms(250);
        let out = one.solo.handle(installed, Input::Installed { router, epoch: 2 });
        assert_eq!(out, [Output::Announce { router }]);
        let mut rounds = vec![ms(0)];
        while let Some(at) = one.solo.node.next_deadline().filter(|at| *at <= installed + ms(20_000)) {
            if announces(&one.solo.expire(at)) > 0 {
                rounds.push(at.checked_sub(installed).unwrap());
            }
        }
        assert_eq!(rounds, [ms(0), ms(100), ms(1100), ms(2100), ms(5000)], "{kind:?}");
    }
}

#[test]
fn a_late_acknowledgement_announces_nothing() {
    for kind in Kind::ALL {
        let mut one = One::backup(kind, 100);
        let at = one.solo.node.next_deadline().unwrap();
        let first = epoch_of(&one.solo.expire(at)).unwrap();
        let out = one.hear(at + ms(10), 200);
        assert_eq!((wanted(&out), one.solo.role()), (Some(Addresses::Remove), Role::Backup));
        let late = Input::Installed { router: one.solo.id, epoch: first };
        assert_eq!(one.solo.handle(at + ms(20), late), [], "{kind:?}");
    }
}

/// R113.
#[test]
fn a_losing_advert_is_answered_once_an_interval_with_an_announcement() {
    for kind in Kind::ALL {
        let (mut one, start) = One::master(kind, 100);
        let at = start + ms(500);
        let out = one.hear(at, 50);
        assert_eq!((claims(&out), announces(&out)), (1, 1), "{kind:?}");
        let router = one.solo.id;
        let source = address(one.family(), 6);
        assert!(out.contains(&Output::Noticed { router, source, notices: Notices::LOSING }));
        assert_eq!(one.hear(at, 50).len(), 1, "noticed, not answered");
    }
}

#[test]
fn a_fault_releases_and_removes_and_its_end_brings_the_router_back() {
    for kind in Kind::ALL {
        let (mut one, start) = One::master(kind, 100);
        let router = one.solo.id;
        let fault = |present| Input::Fault { router, fault: Faults::INSTALL, present };
        let out = one.solo.handle(start + ms(100), fault(true));
        assert_eq!(out[0], Output::Advertise { router, advertise: Advertise::Release });
        assert_eq!((wanted(&out), cause(&out)), (Some(Addresses::Remove), Some(Cause::Fault)), "{kind:?}");
        assert_eq!(one.solo.node.next_deadline(), None);
        assert_eq!(one.hear(start + ms(150), 200), [], "R30");
        let received = one.solo.count(Counter::AdvertsReceived);
        assert_eq!(received, 0, "{kind:?}: it takes no part");
        let out = one.solo.handle(start + ms(200), fault(false));
        assert_eq!((cause(&out), one.solo.role()), (Some(Cause::Recovered), Role::Backup));
    }
}

#[test]
fn a_stalled_backup_that_reads_its_queue_first_does_not_take_over() {
    for kind in Kind::ALL {
        let mut one = One::backup(kind, 100);
        for second in 1..=60 {
            assert_eq!(one.hear(ms(1000 * second), 200), []);
        }
        assert_eq!(one.solo.expire(ms(60_900)), []);
        assert_eq!(one.solo.node.next_deadline(), Some(ms(63_000) + Duration::from_micros(609_375)), "{kind:?}");
        assert_eq!(one.hear(ms(59_000), 200), [], "out of order");
        assert_eq!(one.solo.node.next_deadline(), Some(ms(63_000) + Duration::from_micros(609_375)), "{kind:?}");
        assert_eq!(claims(&one.solo.expire(ms(90_000))), 1, "silent long enough");
    }
}

#[test]
fn an_overdue_master_steps_back_without_an_answer() {
    for kind in Kind::ALL {
        let (mut one, start) = One::master(kind, 150);
        let out = one.hear(start + ms(3700), 100);
        let found = (claims(&out), wanted(&out), cause(&out));
        assert_eq!(found, (0, Some(Addresses::Remove), Some(Cause::Overdue)), "{kind:?}");
        let (mut alone, start) = One::master(kind, 150);
        let out = alone.solo.expire(start + ms(60_000));
        let found = (claims(&out), wanted(&out), cause(&out));
        assert_eq!(found, (0, Some(Addresses::Remove), Some(Cause::Overdue)), "{kind:?}");
    }
}

#[test]
fn a_predecessors_addresses_stay_until_the_election_is_decided() {
    for kind in Kind::ALL {
        let leftover = || {
            let mut one = One::stopped(kind, 100);
            let _ = one.solo.handle(ms(0), Input::Leftover { router: one.solo.id });
            one.started()
        };
        let mut next_master = leftover();
        let at = next_master.solo.node.next_deadline().unwrap();
        assert_eq!(wanted(&next_master.solo.expire(at)), Some(Addresses::Install), "{kind:?}");
        let mut hears = leftover();
        assert_eq!(wanted(&hears.hear(ms(10), 0)), None, "a release decides nothing");
        assert_eq!(wanted(&hears.hear(ms(20), 200)), Some(Addresses::Remove), "{kind:?}");
        assert_eq!(wanted(&hears.hear(ms(30), 200)), None, "once");
    }
}

#[test]
fn a_flood_of_garbage_and_of_strangers_moves_no_deadline() {
    for kind in Kind::ALL {
        let (mut master, start) = One::master(kind, 100);
        let mut backup = One::backup(kind, 100);
        let before = [backup.solo.node.next_deadline(), master.solo.node.next_deadline()];
        let mut good = backup.message(7, 200);
        for n in 0..2000usize {
            let at = n % good.len();
            good[at] ^= 1 << (n % 8);
            // Where the damage cancels itself out, the advert is for another router.
            good[1] = 9;
            for (one, now) in [(&mut backup, ms(1)), (&mut master, start)] {
                let out = one.hear_octets(now, &good);
                assert!(matches!(out[..], [Output::Rejected { router: None, .. }]), "{kind:?} {n}: {out:?}");
            }
        }
        let stranger = backup.message(8, 200);
        let out = backup.hear_octets(ms(1), &stranger);
        assert!(matches!(out[..], [Output::Rejected { router: None, rejected, .. }] if rejected.vrid == Some(8)));
        assert_eq!([backup.solo.node.next_deadline(), master.solo.node.next_deadline()], before, "{kind:?}");
    }
}
