//! Addresses of a real kernel, inside a network namespace of the test's own.

use netlink_packet_core::Emitable;

use super::*;
use crate::rtnl::tests::{host_addresses, in_namespace};

fn v4(index: u32, address: [u8; 4], prefix_len: u8) -> Address {
    Address::new(index, IpAddr::from(address), prefix_len)
}

fn outcome(results: Vec<Result<Change>>) -> Vec<Change> {
    results.into_iter().map(|result| result.unwrap()).collect()
}

#[test]
fn second_time_there_is_nothing_to_do() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let index = rtnl.create_bridge("br0").unwrap();
        let both = [v4(index, [192, 0, 2, 1], 24), Address::new(index, "2001:db8::1".parse().unwrap(), 64)];
        assert_eq!(outcome(rtnl.add_addresses(&both)), [Change::Done; 2]);
        assert_eq!(outcome(rtnl.add_addresses(&both)), [Change::AlreadySo; 2]);
        assert_eq!(outcome(rtnl.remove_addresses(&both)), [Change::Done; 2]);
        assert_eq!(outcome(rtnl.remove_addresses(&both)), [Change::AlreadySo; 2]);
        assert_eq!(rtnl.addresses().unwrap(), []);
    });
}

/// An MTU below that of IPv6 takes IPv6 from the interface, and the addresses with it.
#[test]
fn where_ipv6_is_gone_nothing_is_left_to_remove() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let index = rtnl.create_bridge("br0").unwrap();
        let one = [Address::new(index, "2001:db8::1".parse().unwrap(), 64)];
        assert_eq!(outcome(rtnl.add_addresses(&one)), [Change::Done]);
        let status = std::process::Command::new("ip").args(["link", "set", "br0", "mtu", "1000"]).status();
        assert!(status.unwrap().success());
        assert_eq!(outcome(rtnl.remove_addresses(&one)), [Change::AlreadySo]);
    });
}

#[test]
fn dump_shows_what_was_added() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let index = rtnl.create_bridge("br0").unwrap();
        let plain = v4(index, [192, 0, 2, 1], 24);
        // Of another subnet: all addresses of one have the same scope.
        let mut rich = v4(index, [203, 0, 113, 130], 25);
        rich.broadcast = Some(Ipv4Addr::new(203, 0, 113, 255));
        rich.scope = Scope::LINK;
        rich.label = Some("br0:vip".into());
        let mut peer = v4(index, [198, 51, 100, 1], 32);
        peer.peer = Some(IpAddr::from([203, 0, 113, 9]));
        let sent =
            [plain.clone(), rich.clone(), peer.clone(), Address::new(index, "2001:db8::1".parse().unwrap(), 128)];
        assert_eq!(outcome(rtnl.add_addresses(&sent)), [Change::Done; 4]);

        let seen = rtnl.addresses().unwrap();
        let find = |address: &Address| seen.iter().find(|seen| seen.address == address.address).unwrap().clone();
        assert_eq!(find(&plain), Address { label: Some("br0".into()), ..plain.clone() });
        assert_eq!(find(&rich), rich);
        assert_eq!(find(&peer), Address { label: Some("br0".into()), ..peer.clone() });
        assert_eq!(find(&sent[3]), sent[3]);

        // Labels and the like do not matter for removal; the peer does.
        let stranger = Address { peer: None, ..peer.clone() };
        assert_eq!(
            outcome(rtnl.remove_addresses(&[v4(index, [203, 0, 113, 130], 25), stranger, peer])),
            [Change::Done, Change::AlreadySo, Change::Done]
        );
    });
}

#[test]
fn first_of_a_subnet_is_primary() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let index = rtnl.create_bridge("br0").unwrap();
        let three = [1, 2, 3].map(|last| v4(index, [192, 0, 2, last], 24));
        assert_eq!(outcome(rtnl.add_addresses(&three)), [Change::Done; 3]);
        let seen = rtnl.addresses().unwrap();
        assert_eq!(seen.iter().map(|seen| seen.address).collect::<Vec<_>>(), three.each_ref().map(|a| a.address));
        assert_eq!(seen.iter().map(|seen| seen.secondary).collect::<Vec<_>>(), [false, true, true]);
    });
}

#[test]
fn ipv6_is_usable_at_once() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let namespace = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
        let index = rtnl.create_veth("here", "there", std::os::fd::AsFd::as_fd(&namespace)).unwrap();
        let far = rtnl.link("there").unwrap().unwrap().index;
        rtnl.set_up(index, true).unwrap();
        rtnl.set_up(far, true).unwrap();
        let address = Address::new(index, "2001:db8::1".parse().unwrap(), 64);
        assert_eq!(outcome(rtnl.add_addresses(std::slice::from_ref(&address))), [Change::Done]);
        let seen = rtnl.addresses().unwrap();
        let seen = seen.iter().find(|seen| seen.address == address.address).unwrap();
        assert!(!seen.tentative && !seen.duplicate, "{seen:?}");
    });
}

#[test]
fn bad_addresses_are_refused_one_by_one() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let index = rtnl.create_bridge("br0").unwrap();
        let mut long = v4(index, [192, 0, 2, 3], 24);
        long.label = Some("sixteen-octets-x".into());
        let mut mixed = v4(index, [192, 0, 2, 4], 24);
        mixed.peer = Some("2001:db8::1".parse().unwrap());
        let mut results = rtnl
            .add_addresses(&[
                v4(index, [192, 0, 2, 1], 33),
                v4(9999, [192, 0, 2, 2], 24),
                long,
                mixed,
                v4(index, [192, 0, 2, 5], 24),
            ])
            .into_iter();
        let prefix = results.next().unwrap().unwrap_err();
        assert_eq!(prefix.errno(), Some(libc::EINVAL));
        assert!(prefix.to_string().contains(&numbered(index)), "{prefix}");
        assert_eq!(results.next().unwrap().unwrap_err().errno(), Some(libc::ENODEV));
        assert_eq!(results.next().unwrap().unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(results.next().unwrap().unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(results.next().unwrap().unwrap(), Change::Done);
        assert_eq!(rtnl.addresses().unwrap().len(), 1);

        let scope = Address { scope: Scope::HOST, ..v4(index, [192, 0, 2, 6], 24) };
        assert_eq!(rtnl.add_addresses(&[scope]).remove(0).unwrap_err().errno(), Some(libc::EINVAL));
        let missing = rtnl.remove_addresses(&[v4(9999, [192, 0, 2, 2], 24)]).remove(0).unwrap_err();
        assert_eq!(missing.errno(), Some(libc::ENODEV));
    });
}

#[test]
fn thousand_at_once_are_all_acknowledged() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let index = rtnl.create_bridge("br0").unwrap();
        let addresses = host_addresses(index, 1000);
        assert_eq!(outcome(rtnl.add_addresses(&addresses)), [Change::Done; 1000]);
        let seen = rtnl.addresses().unwrap();
        assert!(seen.iter().map(|seen| seen.address).eq(addresses.iter().map(|address| address.address)));
        assert_eq!(outcome(rtnl.remove_addresses(&addresses)), [Change::Done; 1000]);
        assert_eq!(rtnl.addresses().unwrap(), []);
    });
}

#[test]
fn nothing_to_change_is_no_request() {
    let mut rtnl = Rtnl::open().unwrap();
    assert!(rtnl.add_addresses(&[]).is_empty());
    assert!(rtnl.remove_addresses(&[]).is_empty());
}

fn octets(message: &AddressMessage) -> Vec<u8> {
    let mut octets = vec![0; message.buffer_len()];
    message.emit(&mut octets);
    octets
}

#[test]
fn foreign_families_are_passed_over_and_mixed_ones_garbled() {
    let mut message = identity(&v4(1, [192, 0, 2, 1], 24));
    assert_eq!(Address::read(&octets(&message)), Ok(Some(v4(1, [192, 0, 2, 1], 24))));
    message.header.family = AddressFamily::Inet6;
    assert!(Address::read(&octets(&message)).is_err());
    message.header.family = AddressFamily::Bridge;
    assert_eq!(Address::read(&octets(&message)), Ok(None));
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = 33;
    assert!(Address::read(&octets(&message)).is_err());
    message.header.prefix_len = 32;
    message.attributes.clear();
    assert!(Address::read(&octets(&message)).is_err());
}

#[test]
fn wide_flags_overrule_the_eight_bits_of_the_header() {
    let mut message = identity(&v4(1, [192, 0, 2, 1], 24));
    message.header.flags = netlink_packet_route::address::AddressHeaderFlags::Secondary;
    assert!(Address::read(&octets(&message)).unwrap().unwrap().secondary);
    message.attributes.push(AddressAttribute::Flags(AddressFlags::Noprefixroute));
    assert!(!Address::read(&octets(&message)).unwrap().unwrap().secondary);
}

#[test]
fn every_option_is_set_and_read_back() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let index = rtnl.create_bridge("br0").unwrap();
        rtnl.set_up(index, true).unwrap();
        let options = Options::default();
        let with = |address: &str, length: u8, options: Options, preferred_lifetime: Option<u32>| Address {
            preferred_lifetime,
            options,
            ..Address::new(index, address.parse().unwrap(), length)
        };
        let sent = [
            with("192.0.2.1", 24, Options { no_prefix_route: true, ..options }, None),
            with("239.1.1.1", 32, Options { auto_join: true, ..options }, None),
            with("2001:db8::1", 64, Options { home: true, no_prefix_route: true, ..options }, None),
            with("2001:db8::2", 64, Options { manage_temporary: true, ..options }, Some(0)),
            with("2001:db8::3", 64, Options { detect_duplicates: true, ..options }, None),
        ];
        assert_eq!(outcome(rtnl.add_addresses(&sent)), [Change::Done; 5]);
        let seen = rtnl.addresses().unwrap();
        for one in &sent {
            let found = seen.iter().find(|seen| seen.address == one.address).unwrap();
            assert_eq!((found.options, found.preferred_lifetime), (one.options, one.preferred_lifetime), "{one:?}");
        }
        let mut short = sent[4].clone();
        (short.address, short.preferred_lifetime) = ("2001:db8::4".parse().unwrap(), Some(300));
        outcome(rtnl.add_addresses(&[short.clone()]));
        let left =
            rtnl.addresses().unwrap().iter().find(|seen| seen.address == short.address).unwrap().preferred_lifetime;
        assert!(left.is_some_and(|left| (200..=300).contains(&left)), "{left:?}");
        outcome(rtnl.remove_addresses(&sent));
    });
}
