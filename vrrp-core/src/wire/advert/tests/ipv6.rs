//! The message over IPv6: known octets in both directions, every flipped bit, every length, arbitrary octets.

use super::*;

const SOURCE: IpAddr = local(1);
const GROUP: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));

const fn local(last: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last))
}

/// Identifier 50, priority 150, 100 cs, fe80::3. Words: 3132 9601 0064 fe80 0003 sum to 1c61a with fe80 0001 ff02 0012 0018
/// 0070 of the pseudo-header to 3c437, so c43a.
const V3: [u8; 24] = [0x31, 50, 150, 1, 0, 100, 0x3b, 0xc5, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3];

fn emitted(repr: &AdvertRepr<'_>) -> Vec<u8> {
    repr.emit(SOURCE, GROUP, &mut [0xaa; MAX_LEN]).unwrap().to_vec()
}

#[test]
fn r71_r72_known_octets_in_both_directions() {
    let addresses = [local(3)];
    for checksum in [ChecksumForm::Message, ChecksumForm::PseudoHeader] {
        assert_eq!(emitted(&AdvertRepr { checksum, ..repr(centis(100), &addresses) }), V3, "there is one form");
    }
    assert_eq!(emitted(&repr(secs(1), &addresses)), V3, "and one version");
    let advert = Advert::parse(&V3, Family::V6).unwrap();
    assert_eq!((advert.version(), advert.family(), advert.vrid()), (Version::V3, Family::V6, Vrid::new(50)));
    assert_eq!((advert.priority(), advert.interval()), (Priority::new(150), Some(centis(100))));
    assert_eq!((advert.auth_type(), advert.auth_data()), (None, &[][..]));
    assert!(advert.addresses().eq(addresses));
    assert_eq!(advert.verify(SOURCE, GROUP), Ok(ChecksumForm::PseudoHeader));
}

#[test]
fn every_flipped_bit_is_refused() {
    let addresses = [local(3), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];
    let good = emitted(&repr(centis(100), &addresses));
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        match (bit / 8, Advert::parse(&bad, Family::V6)) {
            (0, Err(ParseError::Version(_) | ParseError::Type(_) | ParseError::V2OverIpv6))
            | (3, Err(ParseError::Length { .. } | ParseError::NoAddress)) => {}
            (0 | 3, other) => panic!("bit {bit}: {other:?}"),
            (_, Ok(advert)) => assert!(advert.verify(SOURCE, GROUP).is_err(), "bit {bit}"),
            (_, Err(error)) => panic!("bit {bit}: {error}"),
        }
    }
}

#[test]
fn r47_every_length_but_the_right_one_is_refused() {
    for count in [1u8, 2, 255] {
        let right = 8 + usize::from(count) * 16;
        for found in (0..64).chain(right - 17..right + 17) {
            let mut octets = std::vec![0; found];
            for (octet, value) in octets.iter_mut().zip([0x31, 1, 100, count, 0, 100, 0, 0, 0xfe, 0x80]) {
                *octet = value;
            }
            let expected = if found < 8 { 8 } else { right };
            let outcome = if found == right { Ok(()) } else { Err(ParseError::Length { expected, found }) };
            assert_eq!(Advert::parse(&octets, Family::V6).map(|_| ()), outcome);
        }
    }
}

#[test]
fn r94_r96_the_list_is_not_empty_and_it_is_told_whether_it_begins_link_local() {
    let mut octets = V3;
    octets[3] = 0;
    assert_eq!(Advert::parse(&octets, Family::V6), Err(ParseError::NoAddress));
    for (first, second, local) in [(0xfe, 0x80, true), (0xfe, 0xbf, true), (0xfe, 0xc0, false), (0x20, 0x01, false)] {
        let mut octets = V3;
        (octets[8], octets[9]) = (first, second);
        let advert = Advert::parse(&octets, Family::V6).unwrap();
        let found = advert.first_not_link_local().map(IpAddr::V6);
        assert_eq!(found, advert.addresses().next().filter(|_| !local), "{first:x}{second:x}");
    }
    let v4 = [0x31, 50, 150, 1, 0, 100, 0, 0, 10, 0, 0, 3];
    assert_eq!(Advert::parse(&v4, Family::V4).unwrap().first_not_link_local(), None, "IPv4 knows no such rule");
}

#[test]
fn the_longest_message_has_255_addresses_of_ipv6() {
    let addresses: Vec<IpAddr> = (1..=255).map(local).collect();
    let repr = repr(centis(100), &addresses);
    assert_eq!((repr.message_len(), MAX_LEN, MAX_LEN_V4), (4088, 4088, 1036));
    let octets = emitted(&repr);
    assert!(Advert::parse(&octets, Family::V6).unwrap().addresses().eq(addresses.iter().copied()));
    assert_eq!(repr.emit(SOURCE, GROUP, &mut [0; 4087]), Err(BufferTooSmall { need: 4088, have: 4087 }));
}

proptest! {
    #[test]
    fn what_is_emitted_is_parsed(
        vrid in 1..=255u8,
        priority in any::<u8>(),
        interval in 1..=4095u16,
        bits in prop::collection::hash_set(1..u128::MAX >> 8, 1..=254),
        begins_local in any::<bool>(),
        source in any::<u128>(),
    ) {
        let mut addresses: Vec<IpAddr> = begins_local.then_some(local(1)).into_iter().collect();
        addresses.extend(bits.into_iter().map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))));
        let source = IpAddr::V6(Ipv6Addr::from_bits(source));
        let repr = AdvertRepr {
            vrid: Vrid::new(vrid).unwrap(),
            priority: Priority::new(priority),
            interval: centis(interval),
            password: None,
            addresses: AddressList::new(&addresses[..]).unwrap(),
            checksum: ChecksumForm::PseudoHeader,
        };
        let mut buffer = [0xaa; MAX_LEN];
        let octets = repr.emit(source, GROUP, &mut buffer).unwrap();
        let advert = Advert::parse(octets, Family::V6).unwrap();
        prop_assert!(advert.verify(source, GROUP).is_ok());
        prop_assert_eq!((advert.vrid(), advert.priority()), (Some(repr.vrid), repr.priority));
        prop_assert_eq!(advert.interval(), Some(repr.interval));
        prop_assert_eq!(advert.addresses().len(), addresses.len());
        prop_assert!(advert.addresses().eq(addresses.iter().copied()));
        prop_assert_eq!(advert.first_not_link_local().is_none(), begins_local);
        // The definition of RFC 8200 section 8.1, written out.
        let mut whole = Vec::new();
        for address in [source, GROUP] {
            let IpAddr::V6(address) = address else { unreachable!() };
            whole.extend(address.octets());
        }
        whole.extend(u32::try_from(octets.len()).unwrap().to_be_bytes());
        whole.extend([0, 0, 0, 112]);
        whole.extend_from_slice(octets);
        prop_assert_eq!(plain_sum(&whole), 0xffff);
    }

    #[test]
    fn arbitrary_octets_never_panic(mut octets in prop::collection::vec(any::<u8>(), 0..200), shape in any::<bool>()) {
        if shape && octets.len() >= 24 {
            let count = (octets.len() - 8) / 16;
            octets.truncate(8 + count * 16);
            (octets[0], octets[3]) = (0x31, u8::try_from(count).unwrap());
            prop_assert!(Advert::parse(&octets, Family::V6).is_ok());
        }
        if let Ok(advert) = Advert::parse(&octets, Family::V6) {
            let _ = (advert.vrid(), advert.priority(), advert.interval(), advert.auth_type(), advert.auth_data());
            prop_assert_eq!(advert.addresses().len(), advert.count());
            let _ = advert.verify(SOURCE, GROUP);
        }
    }
}
