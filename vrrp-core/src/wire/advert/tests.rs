//! Known octets in both directions, every damage of one bit, every length, and arbitrary octets.

use core::net::Ipv4Addr;

use proptest::prelude::*;
use std::vec::Vec;

use super::*;

mod ipv6;

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));

/// VRRPv2, identifier 50, priority 150, 1 s, 10.0.0.3, no authentication; summed by hand.
const V2_NONE: [u8; 20] = [0x21, 50, 150, 1, 0, 1, 0x3e, 0xc8, 10, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0];

/// From a MikroTik router, tcpdump's vrrp.pcap, first frame: identifier 42, "abcdefgh", three addresses, 10 s.
const V2_PASSWORD: [u8; 28] = [
    0x21, 0x2a, 0xbf, 0x03, 0x01, 0x0a, 0xf1, 0x1f, 0x0a, 0x04, 0x2a, 0x01, 0x0a, 0x04, 0x2a, 0x02, 0x0a, 0x04, 0x2a,
    0x03, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
];

fn repr(interval: AdvertInterval, addresses: &[IpAddr]) -> AdvertRepr<'_> {
    AdvertRepr {
        vrid: Vrid::new(50).unwrap(),
        priority: Priority::new(150),
        interval,
        password: None,
        addresses: AddressList::new(addresses).unwrap(),
        checksum: ChecksumForm::Message,
    }
}

fn secs(seconds: u8) -> AdvertInterval {
    AdvertInterval::from_secs(seconds).unwrap()
}

fn centis(centiseconds: u16) -> AdvertInterval {
    AdvertInterval::from_centis(centiseconds).unwrap()
}

fn emitted(repr: &AdvertRepr<'_>) -> Vec<u8> {
    repr.emit(SOURCE, GROUP, &mut [0xaa; MAX_LEN]).unwrap().to_vec()
}

/// The sum as RFC 1071 section 4.1 writes it, over a message whose checksum field is in place: 0xffff when right.
fn plain_sum(octets: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in octets.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

#[test]
fn r8_version_2_without_authentication() {
    assert_eq!(emitted(&repr(secs(1), &[[10, 0, 0, 3].into()])), V2_NONE);
    let advert = Advert::parse(&V2_NONE, Family::V4).unwrap();
    assert_eq!(advert.version(), Version::V2);
    assert_eq!((advert.vrid_octet(), advert.vrid()), (50, Vrid::new(50)));
    assert_eq!(advert.priority(), Priority::new(150));
    assert_eq!(advert.interval(), Some(secs(1)));
    assert_eq!((advert.auth_type(), advert.auth_data()), (Some(auth_type::NONE), &[0; 8][..]));
    assert!(advert.addresses().eq([IpAddr::from([10, 0, 0, 3])]));
    assert_eq!(advert.verify(SOURCE, GROUP), Ok(ChecksumForm::Message));
}

#[test]
fn r62_r66_version_2_with_a_password() {
    let addresses = [[10, 4, 42, 1].into(), [10, 4, 42, 2].into(), [10, 4, 42, 3].into()];
    let ours = AdvertRepr {
        vrid: Vrid::new(42).unwrap(),
        priority: Priority::new(191),
        password: SimplePassword::new(b"abcdefgh"),
        ..repr(secs(10), &addresses)
    };
    let advert = Advert::parse(&V2_PASSWORD, Family::V4).unwrap();
    assert_eq!(advert.verify(SOURCE, GROUP), Ok(ChecksumForm::Message));
    assert_eq!((advert.auth_type(), advert.auth_data()), (Some(auth_type::SIMPLE_TEXT), &b"abcdefgh"[..]));
    assert!(advert.addresses().eq(addresses));
    assert_eq!(emitted(&ours), V2_PASSWORD);
}

#[test]
fn r18_r62_a_short_password_is_filled_with_zeros() {
    let addresses = [[10, 0, 0, 3].into()];
    let ours = AdvertRepr { password: SimplePassword::new(b"ab"), ..repr(secs(1), &addresses) };
    assert_eq!(Advert::parse(&emitted(&ours), Family::V4).unwrap().auth_data(), b"ab\0\0\0\0\0\0");
}

#[test]
fn r69_r105_version_3_in_both_forms_of_checksum() {
    let addresses = [[10, 0, 0, 3].into()];
    // Words: 3132 9601 0064 0a00 0003 sum to d19a; the pseudo-header adds 0a00 0001 e000 0012 0070 000c.
    let plain = [0x31, 50, 150, 1, 0, 100, 0x2e, 0x65, 10, 0, 0, 3];
    let pseudo = [0x31, 50, 150, 1, 0, 100, 0x43, 0xd5, 10, 0, 0, 3];
    for (form, octets) in [(ChecksumForm::Message, plain), (ChecksumForm::PseudoHeader, pseudo)] {
        assert_eq!(emitted(&AdvertRepr { checksum: form, ..repr(centis(100), &addresses) }), octets);
        let advert = Advert::parse(&octets, Family::V4).unwrap();
        assert_eq!(advert.version(), Version::V3);
        assert_eq!(advert.verify(SOURCE, GROUP), Ok(form));
        assert_eq!(advert.interval(), Some(centis(100)));
        assert_eq!((advert.auth_type(), advert.auth_data()), (None, &[][..]));
        assert!(advert.addresses().eq(addresses));
    }
}

#[test]
fn r70_version_3_carries_twelve_bits_of_interval() {
    for cs in [1, 255, 256, 4095] {
        let octets = emitted(&repr(centis(cs), &[[10, 0, 0, 3].into()]));
        assert_eq!(octets[4] >> 4, 0, "the reserved bits are 0 (R69)");
        assert_eq!(Advert::parse(&octets, Family::V4).unwrap().interval(), Some(centis(cs)));
    }
}

#[test]
fn r69_the_reserved_bits_of_version_3_are_ignored() {
    let octets = [0x31, 50, 150, 1, 0xf0, 100, 0x3e, 0x64, 10, 0, 0, 3];
    let advert = Advert::parse(&octets, Family::V4).unwrap();
    assert_eq!(advert.interval(), Some(centis(100)));
}

#[test]
fn r14_a_release_is_priority_0() {
    for interval in [secs(1), centis(100)] {
        let octets = emitted(&AdvertRepr { priority: None, ..repr(interval, &[[10, 0, 0, 3].into()]) });
        assert_eq!(octets[2], 0);
        assert_eq!(Advert::parse(&octets, Family::V4).unwrap().priority(), None);
    }
}

#[test]
fn r19_an_interval_of_0_is_seen() {
    let mut v2 = V2_NONE;
    v2[5] = 0;
    assert_eq!(Advert::parse(&v2, Family::V4).unwrap().interval(), None);
    assert_eq!(Advert::parse(&[0x31, 1, 1, 1, 0xf0, 0, 0, 0, 10, 0, 0, 3], Family::V4).unwrap().interval(), None);
}

/// R20, R47: a one's complement sum notices every single bit; the rungs above it notice theirs first.
#[test]
fn every_flipped_bit_is_refused() {
    let addresses = [[10, 0, 0, 3].into(), [192, 168, 255, 1].into()];
    let mut reprs = Vec::new();
    for checksum in [ChecksumForm::Message, ChecksumForm::PseudoHeader] {
        reprs.push(AdvertRepr { checksum, ..repr(centis(100), &addresses) });
    }
    reprs.push(repr(secs(1), &addresses));
    reprs.push(AdvertRepr { password: SimplePassword::new(b"secret"), ..repr(secs(1), &addresses) });
    for repr in reprs {
        let good = emitted(&repr);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let refused = match (bit / 8, Advert::parse(&bad, Family::V4)) {
                (0, Err(ParseError::Version(_) | ParseError::Type(_) | ParseError::Length { .. }))
                | (3, Err(ParseError::Length { .. } | ParseError::NoAddress)) => true,
                // Versions 2 and 3 differ in one bit, and always in length.
                (0 | 3, other) => panic!("bit {bit}: {other:?}"),
                (_, Ok(advert)) => advert.verify(SOURCE, GROUP).is_err(),
                (_, Err(error)) => panic!("bit {bit}: {error}"),
            };
            assert!(refused, "bit {bit} of {repr:?}");
        }
    }
}

#[test]
fn a_wrong_checksum_is_told_with_the_right_one() {
    let mut v2 = V2_NONE;
    v2[6] = 0;
    let mismatch = ChecksumMismatch { found: 0x00c8, computed: 0x3ec8 };
    assert_eq!(Advert::parse(&v2, Family::V4).unwrap().verify(SOURCE, GROUP), Err(mismatch));
    let v3 = [0x31, 50, 150, 1, 0, 100, 0, 0, 10, 0, 0, 3];
    let mismatch = ChecksumMismatch { found: 0, computed: 0x43d5 };
    assert_eq!(Advert::parse(&v3, Family::V4).unwrap().verify(SOURCE, GROUP), Err(mismatch));
}

/// R20: version 2 has no pseudo-header, so a sum with one is wrong.
#[test]
fn r20_version_2_with_a_pseudo_header_is_refused() {
    let mut octets = V2_NONE;
    octets[6..8].fill(0);
    let sum = pseudo_header(SOURCE, GROUP, 20).with(&octets).finish();
    octets[6..8].copy_from_slice(&sum.to_be_bytes());
    assert!(Advert::parse(&octets, Family::V4).unwrap().verify(SOURCE, GROUP).is_err());
}

#[test]
fn r10_r67_every_version_and_type_but_one_is_refused() {
    for first in 0..=255u8 {
        let mut octets = V2_NONE;
        octets[0] = first;
        let expected = match (first >> 4, first & 0x0f) {
            (2, 1) => Ok(()),
            (3, 1) => Err(ParseError::Length { expected: 12, found: 20 }),
            (2 | 3, kind) => Err(ParseError::Type(kind)),
            (version, _) => Err(ParseError::Version(version)),
        };
        assert_eq!(Advert::parse(&octets, Family::V4).map(|_| ()), expected, "{first:#x}");
    }
}

#[test]
fn r47_every_length_but_the_right_one_is_refused() {
    for (first, trailer) in [(0x21, 8), (0x31, 0)] {
        for count in [1u8, 2, 254, 255] {
            let right = 8 + usize::from(count) * 4 + trailer;
            for found in 0..1100 {
                let mut octets = std::vec![0; found];
                for (octet, value) in octets.iter_mut().zip([first, 1, 100, count]) {
                    *octet = value;
                }
                let expected = if found < 8 { 8 } else { right };
                let refusal = ParseError::Length { expected, found };
                let outcome = if found == right { Ok(()) } else { Err(refusal) };
                assert_eq!(Advert::parse(&octets, Family::V4).map(|_| ()), outcome);
            }
        }
    }
}

#[test]
fn r94_r117_version_3_without_an_address_is_refused_whatever_the_length() {
    for length in 8..40 {
        let mut octets = std::vec![0; length];
        octets[..4].copy_from_slice(&[0x31, 1, 100, 0]);
        assert_eq!(Advert::parse(&octets, Family::V4), Err(ParseError::NoAddress), "{length}");
    }
}

/// R15: version 2 does not say what a Count of 0 means; such senders exist.
#[test]
fn r15_version_2_without_an_address_is_an_empty_list() {
    let octets = [0x21, 50, 150, 0, 0, 1, 0x48, 0xcc, 0, 0, 0, 0, 0, 0, 0, 0];
    let advert = Advert::parse(&octets, Family::V4).unwrap();
    assert_eq!((advert.count(), advert.addresses().len()), (0, 0));
    assert_eq!(advert.auth_data(), [0; 8]);
    assert_eq!(advert.verify(SOURCE, GROUP), Ok(ChecksumForm::Message));
}

/// CARP shares protocol number, group and first octet with VRRPv2; its fourth octet is a length, 7, and it has 36.
#[test]
fn carp_is_refused_by_its_length() {
    let mut carp = [0u8; 36];
    carp[..8].copy_from_slice(&[0x21, 1, 0, 7, 0, 1, 0x12, 0x34]);
    assert_eq!(Advert::parse(&carp, Family::V4), Err(ParseError::Length { expected: 44, found: 36 }));
}

/// R50: Cisco's 30 octets of digest behind the addresses, authentication type 254.
#[test]
fn r50_trailing_data_is_refused_by_its_length() {
    let mut octets = std::vec![0x21, 1, 110, 1, 254, 1, 0, 0, 10, 0, 0, 3];
    octets.extend([0x5a; 30]);
    assert_eq!(Advert::parse(&octets, Family::V4), Err(ParseError::Length { expected: 20, found: 42 }));
}

#[test]
fn a_short_buffer_is_refused_and_a_long_one_keeps_its_tail() {
    let addresses = [[10, 0, 0, 3].into()];
    for (interval, need) in [(secs(1), 20), (centis(100), 12)] {
        let repr = repr(interval, &addresses);
        assert_eq!(repr.message_len(), need);
        for have in 0..need {
            assert_eq!(repr.emit(SOURCE, GROUP, &mut [0; 32][..have]), Err(BufferTooSmall { need, have }));
        }
        let mut buffer = [0xaa; 32];
        assert_eq!(repr.emit(SOURCE, GROUP, &mut buffer).unwrap().len(), need);
        assert!(buffer[need..].iter().all(|octet| *octet == 0xaa));
    }
}

#[test]
fn errors_say_what_was_expected() {
    let texts = [
        ParseError::Length { expected: 20, found: 19 },
        ParseError::NoAddress,
        ParseError::Version(4),
        ParseError::Type(2),
    ]
    .map(|error| std::format!("{error}"));
    assert_eq!(texts[0], "length is 19 octets, 20 expected");
    assert_eq!(texts[1], "it lists no address, at least one is needed");
    assert_eq!(texts[2], "VRRP version is 4, 2 or 3 expected");
    assert_eq!(texts[3], "type is 2, 1 (ADVERTISEMENT) expected");
}

fn any_interval() -> impl Strategy<Value = AdvertInterval> {
    prop_oneof![(1..=255u8).prop_map(secs), (1..=4095u16).prop_map(centis)]
}

proptest! {
    #[test]
    fn what_is_emitted_is_parsed(
        vrid in 1..=255u8,
        priority in any::<u8>(),
        interval in any_interval(),
        password in prop::option::of(prop::collection::vec(1..=255u8, 1..=8)),
        addresses in prop::collection::hash_set(0x0100_0000..0xdfff_ffffu32, 1..=255),
        pseudo in any::<bool>(),
        source in any::<u32>().prop_map(|source| Ipv4Addr::from(source).into()),
    ) {
        let addresses: Vec<IpAddr> = addresses.into_iter().map(|address| Ipv4Addr::from(address).into()).collect();
        let password = password.and_then(|text| SimplePassword::new(&text));
        let checksum = if pseudo { ChecksumForm::PseudoHeader } else { ChecksumForm::Message };
        let repr = AdvertRepr {
            vrid: Vrid::new(vrid).unwrap(),
            priority: Priority::new(priority),
            interval,
            password,
            addresses: AddressList::new(&addresses[..]).unwrap(),
            checksum,
        };
        let mut buffer = [0xaa; MAX_LEN];
        let octets = repr.emit(source, GROUP, &mut buffer).unwrap();
        let advert = Advert::parse(octets, Family::V4).unwrap();
        prop_assert!(advert.verify(source, GROUP).is_ok());
        prop_assert_eq!(advert.vrid(), Some(repr.vrid));
        prop_assert_eq!(advert.priority(), repr.priority);
        prop_assert_eq!(advert.interval(), Some(interval));
        prop_assert!(advert.addresses().eq(addresses.iter().copied()));
        if interval.version() == Version::V2 {
            prop_assert_eq!(advert.auth_type(), Some(u8::from(password.is_some())));
            prop_assert_eq!(advert.auth_data(), password.map_or([0; 8], |password| *password.octets()));
        }
        if interval.version() == Version::V2 || !pseudo {
            prop_assert_eq!(plain_sum(octets), 0xffff);
        }
    }

    #[test]
    fn arbitrary_octets_never_panic(octets in prop::collection::vec(any::<u8>(), 0..1100), source in any::<u32>()) {
        if let Ok(advert) = Advert::parse(&octets, Family::V4) {
            let _ = (advert.vrid(), advert.priority(), advert.interval(), advert.auth_type(), advert.auth_data());
            prop_assert_eq!(advert.addresses().len(), advert.count());
            let _ = advert.verify(Ipv4Addr::from(source).into(), GROUP);
        }
    }

    /// The same with a head that passes the first checks, so that the rest of the message is reached.
    #[test]
    fn arbitrary_bodies_never_panic(v3 in any::<bool>(), count in 1..=255u8, body in prop::collection::vec(any::<u8>(), 1040)) {
        let length = if v3 { 8 + usize::from(count) * 4 } else { 16 + usize::from(count) * 4 };
        let mut octets = body[..length].to_vec();
        octets[0] = if v3 { 0x31 } else { 0x21 };
        octets[3] = count;
        let advert = Advert::parse(&octets, Family::V4).unwrap();
        prop_assert_eq!(advert.addresses().len(), usize::from(count));
        prop_assert_eq!(advert.auth_data().len(), if v3 { 0 } else { 8 });
        let sound = advert.verify(SOURCE, GROUP).is_ok();
        prop_assert!(v3 || sound == (plain_sum(&octets) == 0xffff));
    }
}
