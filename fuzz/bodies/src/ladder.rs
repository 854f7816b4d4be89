//! One packet and one router, both as the octets say: version, family, authentication, checksum policy, priority, state. The
//! packet is arbitrary, or another router's with octets changed; each rung of the ladder is foretold by a second ladder that
//! shares no code with the first.

use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

use vrrp_core::auth::WallClock;
use vrrp_core::auth::ah::AhKey;
use vrrp_core::auth::keys::{Key, Keys};
use vrrp_core::auth::trailer::{AntiReplay, HmacConfig, Mode, TimeWindow};
use vrrp_core::fsm::{Advertise, Event, Link, Params, Role, Rules, Timer};
use vrrp_core::node::Groups;
use vrrp_core::router::{AcceptChecksum, Carriage, ChecksumPolicy, MAX_EMITTED, RouterConfig, VirtualRouter};
use vrrp_core::rx::{Discard, Meta, Notices, Received};
use vrrp_core::wire::advert::ChecksumForm;
use vrrp_core::{AddressList, AdvertInterval, Auth, Counter, Family, Priority, SimplePassword, Version, Vrid};

use crate::GROUP;

type Router = VirtualRouter<[IpAddr; 1]>;

const PASSWORD: &[u8; 8] = b"abcdefgh";
const GLOBAL: [u16; 8] = [0x2001, 0xdb8, 0, 0, 0, 0, 0, 100];

/// The rungs as numbers, top to bottom.
mod rung {
    pub(super) const IP: u8 = 0;
    pub(super) const PROTOCOL: u8 = 1;
    pub(super) const AH_FORM: u8 = 2;
    pub(super) const DESTINATION: u8 = 3;
    pub(super) const TTL: u8 = 4;
    pub(super) const PARSE: u8 = 5;
    pub(super) const CHECKSUM: u8 = 6;
    pub(super) const VRID: u8 = 7;
    pub(super) const DELIVERY: u8 = 8;
    pub(super) const VERSION: u8 = 9;
    pub(super) const FORM: u8 = 10;
    pub(super) const FIRST: u8 = 11;
    pub(super) const OWN_SOURCE: u8 = 12;
    pub(super) const AH: u8 = 13;
    pub(super) const TRAILER: u8 = 14;
    pub(super) const OWNER: u8 = 15;
    pub(super) const AUTH: u8 = 16;
    pub(super) const INTERVAL: u8 = 17;
    pub(super) const PASSED: u8 = 18;
    /// The node's alone.
    pub(super) const PEER: u8 = 19;
}

/// What a router is made of: eight octets of the input.
#[allow(clippy::struct_excessive_bools, reason = "each is a bit of the input, apart from the others")]
#[derive(Clone, Copy)]
struct Setting {
    version: Version,
    family: Family,
    auth: u8,
    strict: bool,
    pseudo: bool,
    /// Over IPv6 its one address is a global one, which only a router that is not strict has.
    global: bool,
    priority: Priority,
    vrid: Vrid,
    interval: u8,
    role: Role,
    unicast: bool,
}

/// A packet, and whether it is just as its sender made it.
struct Packet {
    family: Family,
    meta: Meta,
    octets: Vec<u8>,
    untouched: bool,
}

/// `data` as a router, a packet, and what is changed in it.
///
/// # Panics
///
/// When a rung differs from what was foretold.
pub fn ladder(data: &[u8]) {
    let Some((head, rest)) = data.split_first_chunk::<8>() else { return };
    let Some((tail, rest)) = rest.split_first_chunk::<8>() else { return };
    let (ours, theirs) = (Setting::read(*head), Setting::read(*tail));
    let (Some(mut router), Some(packet)) = (ours.router(1), packet(&ours, &theirs, head[7], rest)) else { return };
    let (foretold, doubtful) = reference(&ours, &packet);
    let received = match packet.family {
        Family::V4 if ours.unicast => Received::check_any_datagram(&packet.octets, GROUP),
        Family::V4 => Received::check_datagram(&packet.octets, GROUP),
        Family::V6 if ours.unicast => Received::check_any(&packet.meta, &packet.octets, Groups::default().v6.into()),
        Family::V6 => Received::check(&packet.meta, &packet.octets, Groups::default().v6.into()),
    };
    let outcome = match &received {
        Ok(received) => router.accept(received).map(|_| ()),
        Err(rejected) => Err(rejected.reason),
    };
    let found = outcome.as_ref().err().map_or(rung::PASSED, rung_of);
    let genuine = packet.untouched && theirs.auth == ours.auth;
    let excused = !genuine && doubtful == Some(found);
    assert!(found == foretold || excused, "rung {found}, foretold {foretold}, {outcome:?}");
    let Ok(received) = received else {
        assert!(foretold <= rung::CHECKSUM && outcome.is_err_and(|reason| !reason.is_routers()));
        return;
    };
    assert!(outcome.is_ok_and(|()| true) || outcome.is_err_and(|reason| reason.is_routers() || found == rung::VRID));
    let overheard = router.clone().overhear(&received);
    arrives(&mut router, &received, outcome, overheard);
    let signed = doubtful.is_some() && outcome.is_ok();
    assert!(!signed || router.accept(&received).is_err(), "what is signed is heard once");
}

fn arrives(
    router: &mut Router,
    received: &Received<'_>,
    outcome: Result<(), Discard>,
    overheard: Result<Notices, Discard>,
) {
    let (machine, before) = (*router.machine(), *router.counters());
    let heard = router.receive(received);
    let by = |counter| router.counters().get(counter) - before.get(counter);
    let moved: u64 = Counter::ALL.into_iter().map(by).sum();
    match heard {
        Err(reason) => {
            assert_eq!((outcome, overheard), (Err(reason), Err(reason)));
            assert_eq!((moved, by(reason.counter())), (1, 1), "{reason}");
            assert_eq!(*router.machine(), machine);
        }
        Ok((_, notices)) if machine.state.role() == Role::Initialize => {
            assert_eq!((outcome, moved, notices), (Ok(()), 0, Notices::empty()));
            assert_eq!(*router.machine(), machine);
        }
        Ok((_, notices)) => {
            assert_eq!((outcome, by(Counter::AdvertsReceived)), (Ok(()), 1));
            assert_eq!(overheard, Ok(notices - Notices::LOSING));
            assert_eq!(router.last_adv_source(), Some(received.source));
            let ours = machine.params.priority;
            let equal = received.advert.priority() == Some(ours);
            assert_eq!(notices.contains(Notices::EQUAL_PRIORITY), equal && !ours.is_owner());
            assert_eq!(notices.contains(Notices::SECOND_OWNER), equal && ours.is_owner());
            let first = received.advert.addresses().next();
            let global = first.is_some_and(|first| match first {
                IpAddr::V4(_) => false,
                IpAddr::V6(first) => first.octets()[0] != 0xfe || first.octets()[1] / 64 != 2,
            });
            assert_eq!(notices.contains(Notices::FIRST_NOT_LINK_LOCAL), global);
            assert!(notices.counters().all(|counter| by(counter) == 1));
        }
    }
}

impl Setting {
    fn read(octets: [u8; 8]) -> Self {
        let [kind, auth, checksum, priority, vrid, interval, role, _] = octets;
        let (version, family) = match kind % 4 {
            0 => (Version::V2, Family::V4),
            1 | 2 => (Version::V3, Family::V4),
            _ => (Version::V3, Family::V6),
        };
        Self {
            version,
            family,
            auth: auth % 7,
            strict: checksum & 1 != 0,
            pseudo: checksum & 2 != 0,
            global: checksum & 5 == 4,
            unicast: checksum & 8 != 0,
            priority: Priority::new(priority).unwrap_or_default(),
            vrid: Vrid::new(vrid).or(Vrid::new(51)).expect("51 is not 0"),
            interval: interval % 4 + 1,
            role: match role % 4 {
                0 => Role::Initialize,
                1 | 2 => Role::Backup,
                _ => Role::Master,
            },
        }
    }

    fn auth(&self) -> Option<Auth> {
        let id = NonZeroU8::MIN;
        let keys = Keys::new(&[Key::new(id, &[0x5a; 32]).ok()?], id).ok()?;
        let time = AntiReplay::Time(TimeWindow::new(6)?);
        let hmac = |mode, anti_replay| Auth::hmac(HmacConfig { keys, mode, anti_replay });
        let password = SimplePassword::new(PASSWORD)?;
        Some(match self.auth {
            0 => Auth::None,
            1 => Auth::SimpleText(password),
            2 => Auth::Ah(AhKey::new(password)),
            3 => hmac(Mode::Enforce, time),
            4 => hmac(Mode::Permissive, time),
            5 => hmac(Mode::ReceiveOnly, time),
            _ => hmac(Mode::Enforce, AntiReplay::Monotonic),
        })
    }

    fn router(&self, host: u8) -> Option<Router> {
        let interval = match self.version {
            Version::V2 => AdvertInterval::from_secs(self.interval),
            Version::V3 => AdvertInterval::from_centis(self.interval.into()),
        };
        let send = if self.pseudo { ChecksumForm::PseudoHeader } else { ChecksumForm::Message };
        let accept = if self.strict { AcceptChecksum::Only } else { AcceptChecksum::Both };
        let addresses = match self.family {
            Family::V6 if self.global => [GLOBAL.into()],
            Family::V4 | Family::V6 => [address(self.family, 100)],
        };
        let addresses = if self.strict { AddressList::strict(addresses) } else { AddressList::new(addresses) };
        let mut router = VirtualRouter::new(RouterConfig {
            vrid: self.vrid,
            params: Params {
                priority: self.priority,
                interval: interval?,
                preempt: true,
                accept: false,
                rules: Rules::DEFAULT,
            },
            addresses: addresses.ok()?,
            auth: self.auth()?,
            checksum: ChecksumPolicy { send, accept },
        });
        if self.unicast {
            router = router.by_unicast();
        }
        router.set_wall_clock(WallClock::from_unix(Duration::from_secs(0x6800_0000)));
        let _ = router.handle(Event::Link(Link::Up(address(self.family, host))));
        let _ = router.handle(Event::Enabled(self.role != Role::Initialize));
        if self.role == Role::Master {
            let _ = router.handle(Event::Expired(Timer::MasterDown));
        }
        Some(router)
    }
}

fn address(family: Family, host: u8) -> IpAddr {
    match family {
        Family::V4 => [10, 0, 0, host].into(),
        Family::V6 => [0xfe80, 0, 0, 0, 0, 0, 0, u16::from(host)].into(),
    }
}

/// How the packet is made: bit 0: arbitrary octets, otherwise a router's own; bit 1: another configuration's than the
/// receiver's; bit 2: the checksum is put right after the changes; bit 3: with a pseudo-header; bit 4: priority 0; bit 5: from the
/// receiver's address; bit 6: the receiver's family whatever the sender's;
/// bit 7: to the group, also for a router that has peers.
fn packet(ours: &Setting, theirs: &Setting, how: u8, rest: &[u8]) -> Option<Packet> {
    let bit = |n: u8| how & 1 << n != 0;
    let host = if bit(5) { 1 } else { 2 };
    let sender = if bit(1) { *theirs } else { Setting { priority: theirs.priority, auth: theirs.auth, ..*ours } };
    let family = if bit(6) { ours.family } else { sender.family };
    let destination = |family| if ours.unicast && !bit(7) { address(family, 1) } else { Groups::default().of(family) };
    let mut meta = Meta { source: address(family, host), destination: destination(family), ttl: 255 };
    if bit(0) {
        let octets = rest.to_vec();
        return Some(Packet { family, meta, octets, untouched: false });
    }
    let mut router = Setting { role: Role::Backup, ..sender }.router(host)?;
    let mut buffer = [0; MAX_EMITTED];
    let advertise = if bit(4) { Advertise::Release } else { Advertise::Claim };
    let carriage = router.carriage();
    // An Authentication Header cannot be put over IPv6.
    let message = router.emit(advertise, destination(sender.family), &mut buffer).ok()?;
    let mut octets = message.to_vec();
    if sender.family == Family::V4 && carriage == Carriage::Message {
        octets = [&ipv4(octets.len(), host, destination(Family::V4))?[..], &octets].concat();
    }
    let before = octets.clone();
    for change in rest.chunks_exact(2).take(8) {
        match (usize::from(change[0]), family) {
            (255, Family::V6) => meta.ttl ^= change[1],
            (254, Family::V6) => meta.destination = address(family, change[1]),
            (253, _) => octets.push(change[1]),
            (252, _) => octets.truncate(octets.len().saturating_sub(usize::from(change[1] % 32))),
            (at, _) => {
                if let Some(octet) = octets.get_mut(at) {
                    *octet ^= change[1];
                }
            }
        }
    }
    let untouched = octets == before && meta.ttl == 255 && family == sender.family && !bit(2);
    if bit(2) {
        mend(&mut octets, family, &meta, bit(3));
    }
    Some(Packet { family, meta, octets, untouched })
}

fn ipv4(payload: usize, host: u8, destination: IpAddr) -> Option<[u8; 20]> {
    let IpAddr::V4(destination) = destination else { return None };
    let [high, low] = u16::try_from(20 + payload).ok()?.to_be_bytes();
    let mut header = [0x45, 0xc0, high, low, 0, 1, 0, 0, 255, 112, 0, 0, 10, 0, 0, host, 0, 0, 0, 0];
    header[16..].copy_from_slice(&destination.octets());
    Some(header)
}

/// Puts the checksum right of the message in front of a trailer, where there is one.
fn mend(octets: &mut [u8], family: Family, meta: &Meta, pseudo: bool) {
    let start = match (family, octets.get(9)) {
        (Family::V4, Some(51)) => 44,
        (Family::V4, _) => 20,
        (Family::V6, _) => 0,
    };
    let Some(message) = octets.get_mut(start..) else { return };
    if message.len() < 8 {
        return;
    }
    let end = if family == Family::V4 { formed_len(message, family).unwrap_or(message.len()) } else { message.len() };
    message[6..8].fill(0);
    let with = (pseudo || family == Family::V6).then_some(meta);
    let sum = sum(&message[..end.min(message.len())], with);
    message[6..8].copy_from_slice(&sum.to_be_bytes());
}

/// The checksum by its definition, the message's own field being 0.
fn sum(message: &[u8], pseudo: Option<&Meta>) -> u16 {
    let mut all = message.to_vec();
    if all.len() % 2 == 1 {
        all.push(0);
    }
    if let Some(meta) = pseudo {
        for address in [meta.source, meta.destination] {
            match address {
                IpAddr::V4(address) => all.extend(address.octets()),
                IpAddr::V6(address) => all.extend(address.octets()),
            }
        }
        all.extend(u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
        all.extend([0, 112]);
    }
    let total: u64 = all.chunks(2).map(|pair| u64::from(pair[0]) * 256 + u64::from(pair[1])).sum();
    let folded = (0..8).fold(total, |total, _| total % 0x1_0000 + total / 0x1_0000);
    !u16::try_from(folded).expect("eight folds are enough")
}

/// Octets of the message without a trailer, from its own Count.
fn formed_len(message: &[u8], family: Family) -> Option<usize> {
    let size = if family == Family::V4 { 4 } else { 16 };
    let data = match message.first()? / 16 {
        2 if family == Family::V4 => 8,
        3 => 0,
        _ => return None,
    };
    Some(8 + usize::from(*message.get(3)?) * size + data)
}

/// The rung that must break, and one above it that may, if the packet's signature is not its sender's.
fn reference(ours: &Setting, packet: &Packet) -> (u8, Option<u8>) {
    let octets = &packet.octets[..];
    let (message, meta, ah) = match packet.family {
        Family::V6 => (octets, packet.meta, false),
        Family::V4 => match envelope(octets) {
            Ok(found) => found,
            Err(rung) => return (rung, None),
        },
    };
    let group = Groups::default().of(packet.family);
    let to_group = meta.destination == group;
    let host = match meta.destination {
        IpAddr::V4(address) => !matches!(address.octets(), [224..=239, ..] | [0, 0, 0, 0] | [255, 255, 255, 255]),
        IpAddr::V6(address) => address.octets()[0] != 255 && address.octets() != [0; 16],
    };
    let to_us = ours.unicast && host;
    if !to_group && !to_us {
        return (rung::DESTINATION, None);
    }
    if to_group && meta.ttl != 255 {
        return (rung::TTL, None);
    }
    let Some(expected) = well_formed(message, packet.family) else { return (rung::PARSE, None) };
    let trailer = message.len() > expected;
    let found = u16::from_be_bytes([message[6], message[7]]);
    let blank = |end: usize| [&message[..6], &[0, 0], &message[8..end]].concat();
    let version = message[0] / 16;
    let plain = packet.family == Family::V4 && found == sum(&blank(expected), None);
    let covered = if packet.family == Family::V4 { expected } else { message.len() };
    let pseudo = version == 3 && found == sum(&blank(covered), Some(&meta));
    let of_group = Meta { destination: group, ..meta };
    let old = packet.family == Family::V4 && version == 3 && found == sum(&blank(expected), Some(&of_group));
    if !plain && !pseudo && !old {
        return (rung::CHECKSUM, None);
    }
    below(ours, packet.family, &message[..expected], meta.source, Seen { plain, ah, trailer, to_group })
}

/// What the upper rungs saw.
#[allow(clippy::struct_excessive_bools, reason = "each is one observation, apart from the others")]
#[derive(Clone, Copy)]
struct Seen {
    plain: bool,
    ah: bool,
    trailer: bool,
    to_group: bool,
}

/// The rungs that depend on the router.
fn below(ours: &Setting, family: Family, message: &[u8], source: IpAddr, seen: Seen) -> (u8, Option<u8>) {
    let Seen { plain, ah, trailer, to_group } = seen;
    if message[1] != ours.vrid.get() || family != ours.family {
        return (rung::VRID, None);
    }
    if to_group == ours.unicast {
        return (rung::DELIVERY, None);
    }
    if message[0] / 16 != ours.version.get() {
        return (rung::VERSION, None);
    }
    let forms = ours.version == Version::V3 && family == Family::V4;
    if forms && ours.strict && plain == ours.pseudo {
        return (rung::FORM, None);
    }
    if family == Family::V6 && ours.strict && (message[8] != 0xfe || message[9] / 64 != 2) {
        return (rung::FIRST, None);
    }
    if source == address(family, 1) {
        return (rung::OWN_SOURCE, None);
    }
    if ah != (ours.auth == 2) {
        return (rung::AH, None);
    }
    let hmac = ours.auth >= 3;
    let demanded = matches!(ours.auth, 3 | 6);
    if (trailer && !hmac) || (!trailer && demanded) {
        return (rung::TRAILER, ah.then_some(rung::AH));
    }
    let doubtful = if ah { Some(rung::AH) } else { trailer.then_some(rung::TRAILER) };
    if ours.version == Version::V2 {
        if ours.priority.is_owner() {
            return (rung::OWNER, doubtful);
        }
        let kind = [0, 1, 2, 0, 0, 0, 0][usize::from(ours.auth)];
        let password = kind != 1 || message[message.len() - 8..] == PASSWORD[..];
        if message[4] != kind || !password {
            return (rung::AUTH, doubtful);
        }
        if message[5] != ours.interval {
            return (rung::INTERVAL, doubtful);
        }
    } else if message[4] << 4 == 0 && message[5] == 0 {
        return (rung::INTERVAL, doubtful);
    }
    (rung::PASSED, doubtful)
}

/// What is in an IPv4 datagram, or the rung that it breaks.
fn envelope(octets: &[u8]) -> Result<(&[u8], Meta, bool), u8> {
    if octets.len() < 20 || octets[0] / 16 != 4 {
        return Err(rung::IP);
    }
    let header = usize::from(octets[0] % 16) * 4;
    let total = usize::from(octets[2]) * 256 + usize::from(octets[3]);
    let fragment = octets[6] & 0x3f != 0 || octets[7] != 0;
    if header < 20 || total < header || fragment || octets.len() < total {
        return Err(rung::IP);
    }
    let four = |at: usize| IpAddr::from([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]]);
    let meta = Meta { source: four(12), destination: four(16), ttl: octets[8] };
    let payload = &octets[header..total];
    match octets[9] {
        112 => Ok((payload, meta, false)),
        51 if header == 20 && payload.len() >= 24 && payload[..2] == [112, 4] => Ok((&payload[24..], meta, true)),
        51 => Err(rung::AH_FORM),
        _ => Err(rung::PROTOCOL),
    }
}

/// Octets of a message of the right form, whether or not a trailer follows.
fn well_formed(message: &[u8], family: Family) -> Option<usize> {
    if message.len() < 8 || message[0] % 16 != 1 {
        return None;
    }
    let expected = formed_len(message, family)?;
    let empty = message[0] / 16 == 3 && message[3] == 0;
    let length = message.len() == expected || message.len() == expected + 28;
    (!empty && length).then_some(expected)
}

fn rung_of(reason: &Discard) -> u8 {
    use vrrp_core::auth::AhError;
    match reason {
        Discard::Ip(_) => rung::IP,
        Discard::Protocol(_) => rung::PROTOCOL,
        Discard::Ah(AhError::Malformed) => rung::AH_FORM,
        Discard::Destination(_) => rung::DESTINATION,
        Discard::Ttl(_) => rung::TTL,
        Discard::Parse(_) => rung::PARSE,
        Discard::Checksum(_) => rung::CHECKSUM,
        Discard::UnknownVrid(_) => rung::VRID,
        Discard::ByMulticast | Discard::ByUnicast => rung::DELIVERY,
        Discard::NoPeer | Discard::PeerTtl { .. } | Discard::OldChecksum => rung::PEER,
        Discard::Version { .. } => rung::VERSION,
        Discard::ChecksumForm { .. } => rung::FORM,
        Discard::FirstNotLinkLocal(_) => rung::FIRST,
        Discard::OwnSource => rung::OWN_SOURCE,
        Discard::Ah(_) => rung::AH,
        Discard::Trailer(_) => rung::TRAILER,
        Discard::Owner => rung::OWNER,
        Discard::UnknownAuthType(_) | Discard::AuthType { .. } | Discard::Password => rung::AUTH,
        Discard::Interval { .. } => rung::INTERVAL,
    }
}
