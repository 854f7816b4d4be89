//! Octets as a datagram and as a message, through every check, and back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vrrp_core::checksum::{Checksum, pseudo_header};
use vrrp_core::fsm::{Event, Link, Params, Rules};
use vrrp_core::node::Groups;
use vrrp_core::router::{AcceptChecksum, ChecksumPolicy, RouterConfig, VirtualRouter};
use vrrp_core::rx::{Meta, Received, TTL};
use vrrp_core::wire::advert::{AdvertRepr, MAX_LEN, auth_type};
use vrrp_core::wire::ipv4::{HEADER_LEN, Ipv4Packet};
use vrrp_core::{
    AddressList, AdvertInterval, Auth, Counter, Counters, Family, Priority, SimplePassword, Version, Vrid,
};

use crate::GROUP;

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 6));
const SOURCE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 6));
const CHECKSUM: std::ops::Range<usize> = 6..8;

/// `data` as an IPv4 datagram and as a message of both families, each as it is and with its checksum put right.
pub fn advert(data: &[u8]) {
    let _ = Ipv4Packet::parse(data);
    datagram(data);
    message(data, Family::V4);
    message(data, Family::V6);
    let mut mended = data.to_vec();
    mend(&mut mended, Checksum::default());
    message(&mended, Family::V4);
    mended.copy_from_slice(data);
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    mend(&mut mended, pseudo_header(SOURCE_V6, Groups::default().of(Family::V6), length));
    message(&mended, Family::V6);
    mended.copy_from_slice(data);
    if let Some(inner) = mended.get_mut(HEADER_LEN..) {
        mend(inner, Checksum::default());
    }
    datagram(&mended);
}

fn mend(message: &mut [u8], sum: Checksum) {
    if let Some(field) = message.get_mut(CHECKSUM) {
        field.fill(0);
        let sum = sum.with(message).finish();
        message[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
    }
}

fn datagram(octets: &[u8]) {
    if let Ok(received) = Received::check_datagram(octets, GROUP) {
        ladder(&received);
    }
}

fn ladder(received: &Received<'_>) {
    for mut router in routers(received.advert.vrid(), received.advert.family()) {
        let before = *router.counters();
        let machine = *router.machine();
        let accepted = router.accept(received);
        assert_eq!(*router.counters(), before, "accept changes nothing");
        match router.receive(received) {
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

fn message(octets: &[u8], family: Family) {
    let source = if family == Family::V4 { SOURCE } else { SOURCE_V6 };
    let group = Groups::default().of(family);
    let Ok(received) = Received::check(&Meta { source, destination: group, ttl: TTL }, octets, group) else { return };
    ladder(&received);
    let Received { advert, checksum, .. } = received;
    let addresses: Vec<IpAddr> = advert.addresses().collect();
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
    let repr = AdvertRepr { vrid, priority: advert.priority(), interval, password, addresses, checksum };
    if octets.len() != repr.message_len() {
        // An HMAC trailer follows: the target `trailer` knows it.
        return;
    }
    let mut buffer = [0xaa; MAX_LEN];
    let emitted = repr.emit(source, group, &mut buffer).expect("the buffer holds the longest message");
    assert_eq!(emitted, octets, "what was accepted is what would be sent");
}

/// Backups of both versions, with and without a password, strict or not, and the owner.
fn routers(vrid: Option<Vrid>, family: Family) -> Vec<VirtualRouter<[IpAddr; 1]>> {
    let seconds = AdvertInterval::from_secs(1);
    let centiseconds = AdvertInterval::from_centis(100);
    let password = SimplePassword::new(b"abcdefgh").map_or(Auth::None, Auth::SimpleText);
    let (address, own): (IpAddr, IpAddr) = match family {
        Family::V4 => ([10, 0, 0, 3].into(), [10, 0, 0, 5].into()),
        Family::V6 => ([0xfe80, 0, 0, 0, 0, 0, 0, 3].into(), [0xfe80, 0, 0, 0, 0, 0, 0, 5].into()),
    };
    let configs = [
        (seconds, Priority::default(), Auth::None, AcceptChecksum::Both),
        (seconds, Priority::default(), password, AcceptChecksum::Both),
        (seconds, Priority::OWNER, Auth::None, AcceptChecksum::Both),
        (centiseconds, Priority::default(), Auth::None, AcceptChecksum::Both),
        (centiseconds, Priority::default(), Auth::None, AcceptChecksum::Only),
        (centiseconds, Priority::OWNER, Auth::None, AcceptChecksum::Both),
    ];
    let router = |(interval, priority, auth, accept): (Option<AdvertInterval>, _, _, _)| {
        let mut router = VirtualRouter::new(RouterConfig {
            vrid: vrid?,
            params: Params { priority, interval: interval?, preempt: true, accept: false, rules: Rules::DEFAULT },
            addresses: match accept {
                AcceptChecksum::Both => AddressList::new([address]),
                AcceptChecksum::Only => AddressList::strict([address]),
            }
            .ok()?,
            auth,
            checksum: ChecksumPolicy { accept, ..ChecksumPolicy::default() },
        });
        let _ = router.handle(Event::Link(Link::Up(own)));
        let _ = router.handle(Event::Enabled(true));
        Some(router)
    };
    configs.into_iter().filter_map(router).collect()
}

fn moved(before: &Counters, after: &Counters) -> u64 {
    Counter::ALL.into_iter().map(|counter| after.get(counter) - before.get(counter)).sum()
}
