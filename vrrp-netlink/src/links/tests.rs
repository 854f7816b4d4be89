//! Interfaces of a real kernel, inside network namespaces of the test's own.

use std::fs::File;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use netlink_packet_core::Emitable;
use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::rtnl::tests::in_namespace;

fn named_link(rtnl: &mut Rtnl, name: &str) -> Link {
    rtnl.link(name).unwrap().unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn fresh_namespace_has_a_loopback_only() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let links = rtnl.links().unwrap();
        let [lo] = &links[..] else { panic!("{links:?}") };
        assert_eq!((lo.index, lo.name.as_str(), lo.loopback, lo.admin_up, lo.running), (1, "lo", true, false, false));
        assert_eq!((lo.mac, lo.master), (Some([0; 6]), None));
        assert_eq!(rtnl.link("lo").unwrap().as_ref(), Some(lo));
        assert_eq!(rtnl.link_by_index(lo.index).unwrap().as_ref(), Some(lo));
        rtnl.set_up(1, true).unwrap();
        assert!(named_link(&mut rtnl, "lo").running);
        assert_eq!(rtnl.link("nosuch").unwrap(), None);
        assert_eq!([0, 4_000_000, u32::MAX].map(|index| rtnl.link_by_index(index).unwrap()), [None, None, None]);
    });
}

#[test]
fn veth_pair_joins_two_namespaces() {
    in_namespace(|| {
        let mut here = Rtnl::open().unwrap();
        let namespace = File::open("/proc/thread-self/ns/net").unwrap();
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let mut there = Rtnl::open().unwrap();

        let index = there.create_veth("there", "here", namespace.as_fd()).unwrap();
        let peer = named_link(&mut here, "here");
        assert_eq!(named_link(&mut there, "there").index, index);
        assert!(there.link("here").unwrap().is_none());
        assert!(peer.multicast && !peer.loopback && !peer.admin_up && peer.mtu == 1500);
        assert_ne!(peer.mac, named_link(&mut there, "there").mac);

        here.set_up(peer.index, true).unwrap();
        let up = named_link(&mut here, "here");
        assert!(up.admin_up && !up.running, "no carrier while the other end is down: {up:?}");
        there.set_up(index, true).unwrap();
        let begin = Instant::now();
        while !named_link(&mut here, "here").running {
            assert!(begin.elapsed() < Duration::from_secs(10), "no carrier");
            std::thread::yield_now();
        }

        there.delete_link(index).unwrap();
        assert!(here.link("here").unwrap().is_none());
        assert_eq!(there.delete_link(index).unwrap_err().errno(), Some(libc::ENODEV));
    });
}

#[test]
fn bridge_takes_ports_and_does_not_snoop() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let namespace = File::open("/proc/thread-self/ns/net").unwrap();
        let bridge = rtnl.create_bridge("br0").unwrap();
        let port = rtnl.create_veth("port", "far", namespace.as_fd()).unwrap();
        rtnl.set_master(port, Some(bridge)).unwrap();
        assert_eq!(named_link(&mut rtnl, "port").master, Some(bridge));
        // Not sysfs, which shows the namespace it was mounted in.
        assert_eq!(snooping(&mut rtnl, "br0"), Some(false));
        rtnl.set_master(port, None).unwrap();
        assert_eq!(named_link(&mut rtnl, "port").master, None);
    });
}

#[test]
fn link_local_addresses_are_made_or_not() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let namespace = File::open("/proc/thread-self/ns/net").unwrap();
        let quiet = rtnl.create_veth("quiet", "plain", namespace.as_fd()).unwrap();
        let plain = named_link(&mut rtnl, "plain").index;
        rtnl.set_link_local_generation(quiet, false).unwrap();
        for index in [quiet, plain] {
            rtnl.set_up(index, true).unwrap();
        }
        let mut have = Vec::new();
        crate::testing::wait_for("the other's address", || {
            have = rtnl.addresses().unwrap();
            have.iter().any(|address| address.index == plain)
        });
        assert!(have.iter().all(|address| address.index != quiet), "{have:?}");
        rtnl.set_up(quiet, false).unwrap();
        rtnl.set_link_local_generation(quiet, true).unwrap();
        rtnl.set_up(quiet, true).unwrap();
        crate::testing::wait_for("its own", || rtnl.addresses().unwrap().iter().any(|address| address.index == quiet));
        assert_eq!(rtnl.set_link_local_generation(9999, true).unwrap_err().errno(), Some(libc::ENODEV));
    });
}

#[test]
fn refusals_carry_errno_name_and_the_kernels_text() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let one = rtnl.create_bridge("one").unwrap();
        let two = rtnl.create_bridge("two").unwrap();
        let error = rtnl.set_master(one, Some(two)).unwrap_err();
        assert_eq!(error.errno(), Some(libc::ELOOP));
        assert!(error.kernel_text().is_some_and(|text| text.contains("bridge")), "{error}");
        assert_eq!(error.interface(), Some(numbered(one).as_str()));

        let error = rtnl.create_bridge("one").unwrap_err();
        assert_eq!((error.errno(), error.interface()), (Some(libc::EEXIST), Some("one")));
        assert_eq!(rtnl.set_up(9999, true).unwrap_err().errno(), Some(libc::ENODEV));
    });
}

#[test]
fn names_that_the_kernel_would_cut_are_refused() {
    let mut rtnl = Rtnl::open().unwrap();
    for name in ["", "sixteen-octets-x", "lo\0more", &"x".repeat(70_000)] {
        assert_eq!(rtnl.link(name).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}

#[test]
fn message_of_a_bridge_about_its_port_is_not_about_the_link() {
    let mut message = LinkMessage::default();
    message.header.index = 4;
    message.attributes.push(LinkAttribute::IfName("port".into()));
    let octets = |message: &LinkMessage| {
        let mut octets = vec![0; message.buffer_len()];
        message.emit(&mut octets);
        octets
    };
    assert_eq!(Link::read(&octets(&message)).unwrap().map(|link| link.index), Some(4));
    message.header.interface_family = AddressFamily::Bridge;
    assert_eq!(Link::read(&octets(&message)), Ok(None));
}

#[test]
fn unreadable_links_are_garbled() {
    let mut nameless = LinkMessage::default();
    nameless.attributes.push(LinkAttribute::Mtu(1500));
    let mut octets = vec![0; nameless.buffer_len()];
    nameless.emit(&mut octets);
    assert!(Link::read(&octets).is_err());
    assert!(Link::read(&octets[..octets.len() - 1]).is_err());
    assert!(Link::read(&octets[..10]).is_err());
}

#[test]
fn names_are_octets_and_macs_are_six_of_them() {
    let mut message = LinkMessage::default();
    message
        .attributes
        .push(LinkAttribute::Other(netlink_packet_core::DefaultNla::new(libc::IFLA_IFNAME, vec![b'e', 0xff, 0])));
    message.attributes.push(LinkAttribute::Address(vec![1; 20]));
    let mut octets = vec![0; message.buffer_len()];
    message.emit(&mut octets);
    let link = Link::read(&octets).unwrap().unwrap();
    assert_eq!((link.name.as_str(), link.mac), ("e\u{fffd}", None));
}

fn snooping(rtnl: &mut Rtnl, name: &str) -> Option<bool> {
    use netlink_packet_core::Parseable;
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    let read = |_, payload: &[u8]| Ok(LinkMessage::parse(payload).ok());
    let link = rtnl.get("test", RouteNetlinkMessage::GetLink(message), read).unwrap().unwrap();
    let info = link.attributes.into_iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(info) => Some(info),
        _ => None,
    })?;
    let bridge = info.into_iter().find_map(|info| match info {
        LinkInfo::Data(InfoData::Bridge(bridge)) => Some(bridge),
        _ => None,
    })?;
    bridge.into_iter().find_map(|info| match info {
        InfoBridge::MulticastSnooping(on) => Some(on),
        _ => None,
    })
}
