//! Interfaces of a real kernel, inside network namespaces of the test's own.

use std::net::Ipv4Addr;

use super::*;
use crate::links::Link;
use crate::packet::PacketSocket;
use crate::socket::{Batch, VrrpSocket};
use crate::testing::{Cable, have_root, ip, wait_for};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const MAC: [u8; 6] = [0x00, 0x00, 0x5e, 0x00, 0x01, 51];

fn upper(base: u32, kind: Kind) -> Upper<'static> {
    Upper { name: "vrrp.51", base, kind, alias: "of the test", group: 7 }
}

#[test]
fn a_macvlan_is_what_was_asked_for() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let near = &cable.near;
    let mut rtnl = near.namespace.run(Rtnl::open).unwrap().unwrap();
    let index = rtnl.create_upper(&upper(near.index, Kind::Macvlan(MAC))).unwrap();
    let link = rtnl.link("vrrp.51").unwrap().unwrap();
    let Link { mac, base, admin_up, .. } = link;
    assert_eq!((link.index, mac, base, admin_up), (index, Some(MAC), Some(near.index), false));
    assert_eq!((link.kind.as_str(), link.alias.as_str()), ("macvlan", "of the test"));
    let told = ip(&near.namespace, "-d link show dev vrrp.51");
    assert!(told.contains("macvlan mode private") && told.contains("group 7"), "{told}");

    let taken = rtnl.create_upper(&upper(near.index, Kind::Macvlan(MAC))).unwrap_err();
    assert_eq!(taken.errno(), Some(libc::EEXIST));
    assert!(taken.to_string().contains("vrrp.51"), "{taken}");
    rtnl.delete_link(index).unwrap();
    let nowhere = rtnl.create_upper(&upper(99, Kind::Macvlan(MAC))).unwrap_err();
    assert_eq!(nowhere.errno(), Some(libc::ENODEV));
    let loopback = rtnl.create_upper(&upper(1, Kind::Macvlan(MAC))).unwrap_err();
    assert_eq!(loopback.errno(), Some(libc::EINVAL));
    assert_eq!(rtnl.link("vrrp.51").unwrap(), None);
}

/// Not every kernel has it; where it is missing the error says so.
#[test]
fn an_ipvlan_is_made_or_the_kernel_says_why_not() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let near = &cable.near;
    let mut rtnl = near.namespace.run(Rtnl::open).unwrap().unwrap();
    for (mode, told) in [(IpvlanMode::Bridge, "bridge"), (IpvlanMode::Private, "private"), (IpvlanMode::Vepa, "vepa")] {
        match rtnl.create_upper(&upper(near.index, Kind::Ipvlan(mode))) {
            Ok(index) => {
                let shown = ip(&near.namespace, "-d link show dev vrrp.51");
                assert!(shown.contains(&format!("ipvlan  mode l2 {told}")), "{shown}");
                rtnl.delete_link(index).unwrap();
            }
            Err(error) => {
                assert_eq!(error.errno(), Some(libc::EOPNOTSUPP), "{error}");
                let words = error.to_string();
                assert!(words.contains("create the ipvlan") && words.contains("vrrp.51"), "{words}");
            }
        }
    }
}

#[test]
fn a_text_that_is_too_long_leaves_no_interface_behind() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let mut rtnl = cable.near.namespace.run(Rtnl::open).unwrap().unwrap();
    let long = "x".repeat(ALIAS_MAX + 1);
    let asked = Upper { alias: &long, ..upper(cable.near.index, Kind::Macvlan(MAC)) };
    assert!(rtnl.create_upper(&asked).unwrap_err().to_string().contains("255 octets"));
    assert_eq!(rtnl.link("vrrp.51").unwrap(), None);
}

/// An IPv4 datagram to 224.0.0.18 in a frame from `mac`.
fn frame(mac: [u8; 6], payload: u8) -> Vec<u8> {
    let mut frame = vec![0x01, 0x00, 0x5e, 0x00, 0x00, 0x12];
    frame.extend(mac);
    frame.extend([0x08, 0x00, 0x45, 0xc0, 0, 21, 0, 0, 0, 0, 255, 112, 0, 0, 192, 0, 2, 1, 224, 0, 0, 18, payload]);
    let words = frame[14..34].chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum::<u32>();
    let checksum = !u16::try_from((words & 0xffff) + (words >> 16)).unwrap();
    frame[24..26].copy_from_slice(&checksum.to_be_bytes());
    frame
}

/// The last octet of everything that arrived.
fn heard(socket: &VrrpSocket) -> Vec<u8> {
    let mut batch = Batch::new(16, 64);
    socket.receive(&mut batch).unwrap();
    batch.iter().map(|datagram| *datagram.bytes.last().unwrap()).collect()
}

/// What the daemon relies on: frames from a macvlan's own MAC address are delivered to it alone while it is up, and to its
/// base while it is down.
#[test]
fn frames_from_its_own_mac_address_go_to_a_macvlan_that_is_up_alone() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (near, far) = (&cable.near, &cable.far);
    let mut rtnl = far.namespace.run(Rtnl::open).unwrap().unwrap();
    let index = rtnl.create_upper(&upper(far.index, Kind::Macvlan(MAC))).unwrap();
    let socket = |name: &str, index| far.namespace.run(|| VrrpSocket::open(name, index, 112)).unwrap().unwrap();
    let (base, own) = (socket("eth0", far.index), socket("vrrp.51", index));
    base.join(GROUP).unwrap();
    own.join(GROUP).unwrap();
    own.hear_only_from(MAC).unwrap();
    let mouth = near.namespace.run(PacketSocket::open).unwrap().unwrap();
    let other = [0x02, 0, 0, 0, 0, 9];
    let send = |payload| {
        for (mac, payload) in [(MAC, payload), (other, payload + 1)] {
            mouth.send(near.index, &frame(mac, payload)).unwrap();
        }
    };

    send(1);
    let mut all = Vec::new();
    wait_for("both at the base", || {
        all.extend(heard(&base));
        all.len() >= 2
    });
    assert_eq!((all, heard(&own)), (vec![1, 2], vec![]));

    rtnl.set_up(index, true).unwrap();
    send(3);
    let (mut at_base, mut at_own) = (Vec::new(), Vec::new());
    wait_for("one at each", || {
        at_base.extend(heard(&base));
        at_own.extend(heard(&own));
        !at_base.is_empty() && !at_own.is_empty()
    });
    // What is for a group reaches macvlans later than their base: a third frame is behind it.
    send(5);
    wait_for("the next ones", || {
        at_base.extend(heard(&base));
        at_own.extend(heard(&own));
        at_base.len() >= 2 && at_own.len() >= 2
    });
    assert_eq!((at_base, at_own), (vec![4, 6], vec![3, 5]));
}
