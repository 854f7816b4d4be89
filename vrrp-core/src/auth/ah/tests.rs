//! What keepalived 2.2.7 sends, every rung, and the numbers.

use core::time::Duration;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// Captured: keepalived 2.2.7, `auth_type AH`, `auth_pass secret`, VRID 51, priority 100, 10.77.0.100; its first and
/// its third advertisement.
const CAPTURED: [[u8; 64]; 2] = [
    [
        0x45, 0xc0, 0x00, 0x40, 0x00, 0x01, 0x00, 0x00, 0xff, 0x33, 0xd0, 0x69, 0x0a, 0x4d, 0x00, 0x01, 0xe0, 0x00,
        0x00, 0x12, 0x70, 0x04, 0x00, 0x00, 0x0a, 0x4d, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0xef, 0x00, 0x47, 0xfe,
        0x51, 0x52, 0xd4, 0xb4, 0xbf, 0xf9, 0xea, 0x61, 0x21, 0x33, 0x64, 0x01, 0x02, 0x01, 0x6e, 0x19, 0x0a, 0x4d,
        0x00, 0x64, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    ],
    [
        0x45, 0xc0, 0x00, 0x40, 0x00, 0x03, 0x00, 0x00, 0xff, 0x33, 0xd0, 0x67, 0x0a, 0x4d, 0x00, 0x01, 0xe0, 0x00,
        0x00, 0x12, 0x70, 0x04, 0x00, 0x00, 0x0a, 0x4d, 0x00, 0x01, 0x00, 0x00, 0x00, 0x03, 0x08, 0x3d, 0x65, 0xa1,
        0xec, 0xef, 0xe2, 0x17, 0xbf, 0xb2, 0x4e, 0x59, 0x21, 0x33, 0x64, 0x01, 0x02, 0x01, 0x6e, 0x19, 0x0a, 0x4d,
        0x00, 0x64, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    ],
];
const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

fn key(text: &[u8]) -> AhKey {
    AhKey::new(SimplePassword::new(text).unwrap())
}

fn parse(datagram: &[u8]) -> Result<AhPacket<'_>, AhError> {
    let (ip, payload) = datagram.split_at(20);
    AhPacket::parse(ip, payload)
}

fn sealed(key: AhKey, source: Ipv4Addr, sequence: u32, message: &[u8]) -> Vec<u8> {
    let mut datagram = std::vec![0xaa; OVERHEAD];
    datagram.extend(message);
    assert!(seal(key, source, GROUP, sequence, &mut datagram));
    datagram
}

#[test]
fn keepaliveds_own_packets_are_authentic_and_are_what_we_would_send() {
    for (captured, sequence) in CAPTURED.iter().zip([1, 3]) {
        let packet = parse(captured).unwrap();
        assert_eq!((packet.sequence(), packet.spi()), (sequence, 0x0a4d_0001));
        assert_eq!(packet.message(), &captured[44..]);
        assert!(packet.verify(key(b"secret")));
        assert!(!packet.verify(key(b"secreT")));
        let ours = sealed(key(b"secret"), SOURCE, sequence, &captured[44..]);
        let mut theirs = *captured;
        // The identification is the sender's choice and is signed; take keepalived's to compare the rest.
        let id = [ours[4], ours[5]];
        assert_ne!(id, [0, 0], "the kernel would replace it");
        theirs[4..6].copy_from_slice(&id);
        assert_eq!(ours[..10], theirs[..10]);
        assert_eq!(ours[12..32], theirs[12..32]);
        assert_eq!(ours[44..], theirs[44..]);
        assert_eq!(Checksum::default().with(&ours[..20]).finish(), 0, "the header's checksum fits");
        assert!(parse(&ours).unwrap().verify(key(b"secret")));
    }
}

/// RFC 2402 takes the TTL as zero, keepalived does not.
#[test]
fn a_ttl_of_zero_in_the_signature_is_accepted_too() {
    let mut datagram = CAPTURED[0];
    let ip: [u8; 20] = datagram[..20].try_into().unwrap();
    let mac = digest(key(b"secret"), &ip, 0, &datagram[20..32], &datagram[44..]).unwrap().finalize().into_bytes();
    assert_ne!(mac[..12], datagram[32..44]);
    datagram[32..44].copy_from_slice(&mac[..12]);
    assert!(parse(&datagram).unwrap().verify(key(b"secret")));
    let mac = digest(key(b"secret"), &ip, 254, &datagram[20..32], &datagram[44..]).unwrap().finalize().into_bytes();
    datagram[32..44].copy_from_slice(&mac[..12]);
    assert!(!parse(&datagram).unwrap().verify(key(b"secret")));
}

#[test]
fn every_flipped_bit_is_refused_but_in_what_changes_on_the_way() {
    for bit in 0..CAPTURED[0].len() * 8 {
        let mut forged = CAPTURED[0];
        forged[bit / 8] ^= 1 << (bit % 8);
        let authentic = parse(&forged).is_ok_and(|packet| packet.verify(key(b"secret")));
        let mutable = matches!(bit / 8, 1 | 6 | 7 | 10 | 11);
        assert_eq!(authentic, mutable, "bit {bit}");
    }
}

#[test]
fn only_one_form_is_read() {
    let captured = &CAPTURED[0];
    for cut in 20..44 {
        assert_eq!(parse(&captured[..cut]), Err(AhError::Malformed), "{cut}");
    }
    assert_eq!(parse(&captured[..44]).unwrap().message(), []);
    assert_eq!(AhPacket::parse(&captured[..24], &captured[24..]), Err(AhError::Malformed), "options");
    assert_eq!(AhPacket::parse(&captured[..19], &captured[20..]), Err(AhError::Malformed));
    for at in [20, 21] {
        let mut other = *captured;
        other[at] += 1;
        assert_eq!(parse(&other), Err(AhError::Malformed), "next header, length");
    }
    let mut short = [0; OVERHEAD - 1];
    assert!(!seal(key(b"secret"), SOURCE, GROUP, 1, &mut short));
    assert!(!seal(key(b"secret"), SOURCE, GROUP, 1, &mut std::vec![0; 65_536]));
    assert!(seal(key(b"secret"), SOURCE, GROUP, 1, &mut [0; OVERHEAD]));
}

#[test]
fn the_rungs_are_in_order() {
    let secret = key(b"secret");
    let mut replay = Replay::default();
    let resealed = |spi: u8, key: AhKey| {
        let mut datagram = CAPTURED[1];
        datagram[24] = spi;
        let ip: [u8; 20] = datagram[..20].try_into().unwrap();
        let mac = digest(key, &ip, 255, &datagram[20..32], &datagram[44..]).unwrap().finalize().into_bytes();
        datagram[32..44].copy_from_slice(&mac[..12]);
        datagram
    };
    let check = |replay: &Replay, datagram: &[u8]| check(secret, replay, &parse(datagram).unwrap(), Arrival::Multicast);
    assert_eq!(check(&replay, &CAPTURED[0]), Ok(()));
    assert_eq!(check(&replay, &resealed(11, secret)), Err(AhError::Spi(0x0b4d_0001)));
    assert_eq!(check(&replay, &resealed(11, key(b"other"))), Err(AhError::Spi(0x0b4d_0001)), "before the key");
    assert_eq!(check(&replay, &resealed(10, key(b"other"))), Err(AhError::Invalid));
    remember(&mut replay, &parse(&CAPTURED[1]).unwrap());
    assert_eq!(check(&replay, &resealed(10, key(b"other"))), Err(AhError::Invalid), "before replay");
    assert_eq!(check(&replay, &CAPTURED[1]), Err(AhError::Replay { sequence: 3 }));
    assert_eq!(check(&replay, &CAPTURED[0]), Err(AhError::Replay { sequence: 1 }));
    let other = sealed(secret, Ipv4Addr::new(10, 77, 0, 2), 2, &CAPTURED[0][44..]);
    assert_eq!(check(&replay, &other), Ok(()), "a mark for each sender");
}

#[test]
fn numbers_go_on_from_the_clock_and_from_the_highest_heard() {
    let clock = |seconds| Some(WallClock::from_unix(Duration::from_secs(seconds)));
    let mut replay = Replay::default();
    assert_eq!(next(&mut replay, None), 1);
    assert_eq!(next(&mut replay, None), 2);
    assert_eq!(next(&mut replay, clock(1_800_000_000)), 1_800_000_000);
    assert_eq!(next(&mut replay, clock(1_800_000_000)), 1_800_000_001);
    assert_eq!(next(&mut replay, clock(5)), 1_800_000_002, "never back");
    assert_eq!(next(&mut Replay::default(), clock(4_000_000_000)), 4_000_000_000, "after 2038");

    let mut replay = Replay::default();
    let hear = |replay: &mut Replay, sequence| {
        let datagram = sealed(key(b"secret"), SOURCE, sequence, &CAPTURED[0][44..]);
        remember(replay, &parse(&datagram).unwrap());
    };
    hear(&mut replay, 100);
    assert_eq!(next(&mut replay, None), 101);
    hear(&mut replay, 50);
    assert_eq!(next(&mut replay, None), 102, "what is lower changes nothing");
    hear(&mut replay, u32::MAX - 1);
    assert_eq!(next(&mut replay, None), 103, "2^31 and more ahead is behind");
    let mut replay = Replay { sent: Some(widen(u32::MAX)), ..Replay::default() };
    assert_eq!(next(&mut replay, None), 0, "and wraps");
    hear(&mut replay, 7);
    assert_eq!(next(&mut replay, None), 8);
}

/// A sender that wraps is heard on.
#[test]
fn a_number_that_wrapped_is_newer() {
    let secret = key(b"secret");
    let mut replay = Replay::default();
    for (sequence, fresh) in [(u32::MAX, true), (0, true), (u32::MAX, false), (1, true), (0, false)] {
        let datagram = sealed(secret, SOURCE, sequence, &CAPTURED[0][44..]);
        let packet = parse(&datagram).unwrap();
        assert_eq!(check(secret, &replay, &packet, Arrival::Multicast).is_ok(), fresh, "{sequence}");
        if fresh {
            remember(&mut replay, &packet);
        }
    }
}

#[test]
fn the_identification_is_never_what_the_kernel_replaces() {
    for sequence in [0, 1, 65_534, 65_535, 65_536, u32::MAX - 1, u32::MAX] {
        assert_ne!(identification(sequence), 0);
    }
    assert_eq!((identification(0), identification(65_534), identification(65_535)), (1, u16::MAX, 1));
}

#[test]
fn debug_keeps_the_secret() {
    assert_eq!(std::format!("{:?}", key(b"secret")), "AhKey(..)");
}

proptest! {
    #[test]
    fn what_is_sealed_is_authentic_and_no_flip_is(
        text in proptest::collection::vec(any::<u8>(), 1..=8),
        message in proptest::collection::vec(any::<u8>(), 0..200),
        source: u32,
        sequence: u32,
        flip: proptest::sample::Index,
    ) {
        let key = key(&text);
        let mut datagram = sealed(key, source.into(), sequence, &message);
        prop_assert_eq!(check(key, &Replay::default(), &parse(&datagram).unwrap(), Arrival::Multicast), Ok(()));
        prop_assert_eq!(parse(&datagram).unwrap().sequence(), sequence);
        let bit = flip.index(datagram.len() * 8);
        datagram[bit / 8] ^= 1 << (bit % 8);
        let authentic = parse(&datagram).is_ok_and(|packet| packet.verify(key));
        prop_assert_eq!(authentic, matches!(bit / 8, 1 | 6 | 7 | 10 | 11), "bit {}", bit);
    }
}
