//! Lists of addresses of both families, and units of intervals.

use std::format;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::vec::Vec;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn r72_r97_a_list_has_one_family_and_to_the_letter_an_ipv6_list_begins_link_local() {
    let read = |texts: &[&str]| texts.iter().map(|text| ip(text)).collect::<Vec<_>>();
    let list = |texts: &[&str]| AddressList::strict(read(texts));
    assert_eq!(list(&["10.0.0.1", "169.254.0.1"]).unwrap().family(), Family::V4);
    assert_eq!(list(&["fe80::1", "2001:db8::1", "fe80::2"]).unwrap().family(), Family::V6);
    assert_eq!(list(&["febf::1"]).unwrap().count(), 1, "all of fe80::/10");
    for (texts, error) in [
        (&[][..], AddressError::Empty),
        (&["10.0.0.1", "fe80::1"], AddressError::MixedFamilies(ip("fe80::1"))),
        (&["fe80::1", "10.0.0.1"], AddressError::MixedFamilies(ip("10.0.0.1"))),
        (&["2001:db8::1"], AddressError::FirstNotLinkLocal(ip("2001:db8::1"))),
        (&["fec0::1"], AddressError::FirstNotLinkLocal(ip("fec0::1"))),
        (&["fe80::1", "fe80::1"], AddressError::Duplicate(ip("fe80::1"))),
        (&["10.0.0.1", "10.0.0.2", "10.0.0.1"], AddressError::Duplicate(ip("10.0.0.1"))),
        (&["0.0.0.0"], AddressError::NotUnicast(ip("0.0.0.0"))),
        (&["224.0.0.18"], AddressError::NotUnicast(ip("224.0.0.18"))),
        (&["255.255.255.255"], AddressError::NotUnicast(ip("255.255.255.255"))),
        (&["fe80::1", "::"], AddressError::NotUnicast(ip("::"))),
        (&["ff02::12"], AddressError::NotUnicast(ip("ff02::12"))),
    ] {
        assert_eq!(list(texts), Err(error), "{texts:?}");
        assert!(!format!("{error}").is_empty());
        let tolerant = AddressList::new(read(texts)).map(|list| (list.as_slice().to_vec(), list.first_address()));
        let expected = match error {
            AddressError::FirstNotLinkLocal(_) => Ok((read(texts), FirstAddress::Any)),
            AddressError::Empty
            | AddressError::TooMany(_)
            | AddressError::Duplicate(_)
            | AddressError::NotUnicast(_)
            | AddressError::MixedFamilies(_) => Err(error),
        };
        assert_eq!(tolerant, expected, "{texts:?}");
    }
}

#[test]
fn what_was_asked_of_a_list_goes_with_it() {
    for texts in [["10.0.0.1", "10.0.0.2"], ["fe80::1", "2001:db8::1"]] {
        let strict = AddressList::strict(texts.map(ip)).unwrap();
        let tolerant = AddressList::new(texts.map(ip)).unwrap();
        assert_ne!(strict, tolerant);
        for (list, first) in [(strict, FirstAddress::LinkLocal), (tolerant, FirstAddress::Any)] {
            assert_eq!((list.first_address(), list.as_ref().first_address()), (first, first));
            #[cfg(feature = "alloc")]
            assert_eq!(list.as_ref().to_boxed().first_address(), first);
        }
    }
}

#[test]
fn r15_a_list_has_255_addresses_at_most() {
    let v4 = |count: u32| (1..=count).map(|i| Ipv4Addr::from(0x0a00_0000 + i).into()).collect::<Vec<IpAddr>>();
    let v6 =
        |count: u16| (1..=count).map(|i| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, i).into()).collect::<Vec<IpAddr>>();
    assert_eq!(AddressList::new(v4(255)).unwrap().count(), 255);
    assert_eq!(AddressList::new(v6(255)).unwrap().count(), 255);
    assert_eq!(AddressList::new(v4(256)), Err(AddressError::TooMany(256)));
    assert_eq!(AddressList::new(v6(256)), Err(AddressError::TooMany(256)));
}

#[test]
fn r74_virtual_macs_of_both_families() {
    let vrid = Vrid::new(0xab).unwrap();
    assert_eq!(vrid.mac(Family::V4), [0, 0, 0x5e, 0, 1, 0xab]);
    assert_eq!(vrid.mac(Family::V6), [0, 0, 0x5e, 0, 2, 0xab]);
}

#[test]
fn seconds_become_centiseconds_where_there_is_version_3_alone() {
    for seconds in 1..=255u8 {
        let interval = AdvertInterval::from_secs(seconds).unwrap();
        assert_eq!(interval.for_family(Family::V4), interval);
        let expected = AdvertInterval::from_centis((u16::from(seconds) * 100).min(4095)).unwrap();
        assert_eq!(interval.for_family(Family::V6), expected);
    }
    for centiseconds in 1..=4095 {
        let interval = AdvertInterval::from_centis(centiseconds).unwrap();
        assert_eq!(interval.for_family(Family::V6), interval);
        assert_eq!(interval.for_family(Family::V4), interval);
    }
    assert_eq!((AdvertInterval::from_centis(0), AdvertInterval::from_centis(4096)), (None, None), "erratum 8301");
}

#[test]
fn values_read_as_operators_write_them() {
    assert_eq!([Family::V4, Family::V6].map(|family| format!("{family}")), ["IPv4", "IPv6"]);
    assert_eq!([Version::V2, Version::V3].map(|version| format!("{version}")), ["2", "3"]);
    let password = SimplePassword::new(b"secret").unwrap();
    assert_eq!(format!("{password:?}"), "SimplePassword(..)", "not shown");
}
