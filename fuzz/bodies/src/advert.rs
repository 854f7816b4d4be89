//! Octets as a datagram and as a message, through every check, and back.

use std::net::Ipv4Addr;

use vrrp_core::checksum::Checksum;
use vrrp_core::fsm::{Event, Link, Params};
use vrrp_core::router::{RouterConfig, VirtualRouter};
use vrrp_core::rx::Received;
use vrrp_core::wire::advert::{Advert, AdvertRepr, ChecksumForm, MAX_LEN, auth_type};
use vrrp_core::wire::ipv4::{HEADER_LEN, Ipv4Packet};
use vrrp_core::{AddressList, AdvertInterval, Counter, Counters, Priority, SimplePassword, Version, Vrid};

use crate::GROUP;

const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 6);
const CHECKSUM: std::ops::Range<usize> = 6..8;

/// `data` as an IPv4 datagram and as a message, each as it is and with its checksum put right.
pub fn advert(data: &[u8]) {
    let _ = Ipv4Packet::parse(data);
    datagram(data);
    message(data);
    let mut mended = data.to_vec();
    mend(&mut mended);
    message(&mended);
    if let Some(octets) = mended.get_mut(..data.len()) {
        octets.copy_from_slice(data);
        if let Some(inner) = octets.get_mut(HEADER_LEN..) {
            mend(inner);
        }
    }
    datagram(&mended);
}

fn mend(message: &mut [u8]) {
    if let Some(field) = message.get_mut(CHECKSUM) {
        field.fill(0);
        let sum = Checksum::default().with(message).finish();
        message[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
    }
}

fn datagram(octets: &[u8]) {
    let Ok(received) = Received::check(octets, GROUP) else { return };
    for mut router in routers(received.advert.vrid()) {
        let before = *router.counters();
        let machine = *router.machine();
        let accepted = router.accept(&received);
        assert_eq!(*router.counters(), before, "accept changes nothing");
        match router.receive(&received) {
            Ok((_, notices)) => {
                assert!(accepted.is_ok_and(|accepted| notices.contains(accepted.notices)));
                assert_eq!(router.counters().get(Counter::AdvertsReceived), 1);
            }
            Err(reason) => {
                assert_eq!(accepted.err(), Some(reason));
                assert_eq!(*router.machine(), machine);
                assert_eq!(moved(&before, router.counters()), 1);
                assert!(!reason.to_string().is_empty());
            }
        }
    }
}

fn message(octets: &[u8]) {
    let Ok(advert) = Advert::parse(octets) else { return };
    let Ok(form) = advert.verify(SOURCE, GROUP) else { return };
    let addresses: Vec<Ipv4Addr> = advert.addresses().collect();
    let password = match (advert.auth_type(), advert.auth_data()) {
        (None, _) | (Some(auth_type::NONE), [0, 0, 0, 0, 0, 0, 0, 0]) => None,
        (Some(auth_type::SIMPLE_TEXT), text) => SimplePassword::new(text),
        // What is never sent: other types, and data without a type.
        (Some(_), _) => return,
    };
    let (Some(vrid), Some(interval), Ok(addresses)) =
        (advert.vrid(), advert.interval(), AddressList::new(&addresses[..]))
    else {
        return;
    };
    if advert.version() == Version::V3 && octets[4] >> 4 != 0 {
        // Reserved bits are ignored on receive and never sent.
        return;
    }
    let repr = AdvertRepr { vrid, priority: advert.priority(), interval, password, addresses, checksum: form };
    let mut buffer = [0xaa; MAX_LEN];
    let emitted = repr.emit(SOURCE, GROUP, &mut buffer).expect("the buffer holds the longest message");
    assert_eq!(emitted, octets, "what was accepted is what would be sent");
}

/// Backups of both versions, with and without a password, and the owner.
fn routers(vrid: Option<Vrid>) -> Vec<VirtualRouter<[Ipv4Addr; 1]>> {
    let seconds = AdvertInterval::from_secs(1);
    let centiseconds = AdvertInterval::from_centis(100);
    let configs = [
        (seconds, Priority::default(), None),
        (seconds, Priority::default(), SimplePassword::new(b"abcdefgh")),
        (seconds, Priority::OWNER, None),
        (centiseconds, Priority::default(), None),
        (centiseconds, Priority::OWNER, None),
    ];
    let router = |(interval, priority, password): (Option<AdvertInterval>, _, _)| {
        let mut router = VirtualRouter::new(RouterConfig {
            vrid: vrid?,
            params: Params { priority, interval: interval?, preempt: true },
            addresses: AddressList::new([[10, 0, 0, 3].into()]).ok()?,
            password,
            checksum: ChecksumForm::Message,
        });
        let _ = router.handle(Event::Link(Link::Up([10, 0, 0, 5].into())));
        let _ = router.handle(Event::Enabled(true));
        Some(router)
    };
    configs.into_iter().filter_map(router).collect()
}

fn moved(before: &Counters, after: &Counters) -> u64 {
    Counter::ALL.into_iter().map(|counter| after.get(counter) - before.get(counter)).sum()
}
