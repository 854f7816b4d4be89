//! Messages that are kept ready for a process that may end without a word.

use super::*;
use crate::auth::WallClock;
use crate::auth::ah::AhKey;
use crate::auth::keys::{Key, Keys};
use crate::auth::trailer::{AntiReplay, HmacConfig, Mode, TimeWindow};
use crate::router::Carriage;

fn key() -> Auth {
    Auth::Ah(AhKey::new(SimplePassword::new(b"secret").unwrap()))
}

fn hmac() -> Auth {
    let id = core::num::NonZeroU8::MIN;
    let keys = Keys::new(&[Key::new(id, &[7; 32]).unwrap()], id).unwrap();
    let anti_replay = AntiReplay::Time(TimeWindow::new(5).unwrap());
    Auth::hmac(HmacConfig { keys, mode: Mode::Enforce, anti_replay })
}

/// A router of this authentication, as Master or as Backup, at ten seconds of the day.
fn started(auth: Auth, priority: u8, own: IpAddr, peers: &[IpAddr]) -> Solo {
    let mut setup = setup(ETH0, 7, params(priority));
    setup.config.auth = auth;
    let peers: Vec<_> = peers.iter().map(|peer| Peer::new(*peer)).collect();
    setup.unicast = (!peers.is_empty()).then(|| Unicast {
        peers: Peers::new(peers).unwrap(),
        ttl: 64,
        old_checksum: OldChecksum::Learn,
    });
    let mut node = Node::new(Groups::default());
    let id = node.add(setup).unwrap();
    let mut solo = Solo { node, id };
    let _ = solo.handle(ms(0), Input::WallClock(WallClock::from_unix(Duration::from_secs(10))));
    let _ = solo.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(own) });
    let _ = solo.handle(ms(0), Input::Enabled { which: Which::All, enabled: true });
    solo
}

fn written(message: &Message<'_>) -> Vec<u8> {
    match message.carriage {
        Carriage::Datagram => message.octets.to_vec(),
        Carriage::Message => {
            let mut octets = datagram(message.source, message.octets);
            let IpAddr::V4(destination) = message.destination else { panic!("IPv4") };
            octets[16..20].copy_from_slice(&destination.octets());
            octets[8] = message.ttl;
            octets
        }
    }
}

/// A draft is what would be sent next, and takes nothing: neither a number nor a count.
#[test]
fn a_draft_is_the_next_message_and_leaves_no_trace() {
    for auth in [Auth::None, key(), hmac()] {
        for peers in [&[][..], &[PEER, OWN]] {
            let mut master = started(auth.clone(), 255, OWN, peers);
            let (mut one, mut two, mut sent) = ([0; 256], [0; 256], [0; 256]);
            for recipient in 0..master.node.recipients(master.id) {
                let claim = master.node.message_to(master.id, recipient, Advertise::Claim, &mut sent).unwrap();
                let claim = claim.octets.to_vec();
                let before = *master.node.router(master.id).unwrap().counters();
                let first = master.node.draft_to(master.id, recipient, Advertise::Release, &mut one).unwrap();
                let again = master.node.draft_to(master.id, recipient, Advertise::Release, &mut two).unwrap();
                assert_eq!(first, again, "{auth:?}");
                assert_ne!(first.octets, claim);
                assert_eq!(master.node.router(master.id).unwrap().counters(), &before);
                let next = master.node.message_to(master.id, recipient, Advertise::Release, &mut sent).unwrap();
                assert_eq!(first, next, "{auth:?}");
            }
            assert_eq!(master.node.draft_to(master.id, 9, Advertise::Release, &mut one).is_err(), !peers.is_empty());
        }
    }
}

/// What was drafted behind the last advert is believed by whoever heard that advert.
#[test]
fn a_backup_believes_the_draft_behind_the_last_advert() {
    for auth in [Auth::None, key(), hmac()] {
        for unicast in [false, true] {
            let of = |address: IpAddr| if unicast { vec![address] } else { Vec::new() };
            let mut master = started(auth.clone(), 200, OWN, &of(PEER));
            let mut backup = started(auth.clone(), 100, PEER, &of(OWN));
            let mut buffer = [0; 256];
            let mut believed = |octets: &[u8], count: u64, what: Counter| {
                let _ = backup.hear(ms(10), octets);
                assert_eq!(backup.count(what), count, "{auth:?}");
            };
            for count in 1..=3 {
                let claim = master.node.message_to(master.id, 0, Advertise::Claim, &mut buffer).unwrap();
                believed(&written(&claim), count, Counter::AdvertsReceived);
            }
            let release = master.node.draft_to(master.id, 0, Advertise::Release, &mut buffer).unwrap();
            believed(&written(&release), 1, Counter::PriorityZeroReceived);
        }
    }
}
