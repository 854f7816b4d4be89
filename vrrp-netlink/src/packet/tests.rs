//! Frames between two network namespaces.

use std::time::Duration;

use super::*;
use crate::process::wait_readable;
use crate::testing::{Cable, have_root, ip};

const ETHERTYPE_LOCAL: u16 = 0x88b5;

fn frame(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([0x02, 0, 0, 0, 0, 1]);
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

#[test]
fn a_frame_arrives_octet_for_octet_and_only_of_the_ethertype_asked_for() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (near, far) = (&cable.near, &cable.far);
    let ear = far.namespace.run(|| PacketSocket::listen(far.index, ETHERTYPE_LOCAL)).unwrap().unwrap();
    let mouth = near.namespace.run(PacketSocket::open).unwrap().unwrap();
    let mut buffer = [0; 128];
    assert_eq!(ear.receive(&mut buffer).unwrap(), None);

    let sent = frame(ETHERTYPE_LOCAL, &[7; 46]);
    mouth.send(near.index, &frame(0x88b6, &[1; 46])).unwrap();
    mouth.send(near.index, &sent).unwrap();
    assert!(wait_readable(&ear, Some(Duration::from_secs(10))).unwrap());
    assert_eq!(ear.receive(&mut buffer).unwrap(), Some(60));
    assert_eq!(buffer[..60], sent);
    assert_eq!(ear.receive(&mut buffer).unwrap(), None);

    mouth.send(near.index, &sent).unwrap();
    assert!(wait_readable(&ear, Some(Duration::from_secs(10))).unwrap());
    assert_eq!(ear.receive(&mut buffer[..20]).unwrap(), Some(20));
}

#[test]
fn refusals_name_the_interface() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let (mouth, ear) = cable.near.namespace.run(|| (PacketSocket::open(), PacketSocket::listen(999, 3))).unwrap();
    let mouth = mouth.unwrap();
    assert_eq!(ear.unwrap_err().errno(), Some(libc::ENODEV));
    let error = mouth.send(999, &frame(ETHERTYPE_LOCAL, &[])).unwrap_err();
    assert!(error.to_string().starts_with("cannot send a frame on interface 999: "), "{error}");
    let error = mouth.send(cable.near.index, &[0; 13]).unwrap_err();
    assert!(error.to_string().ends_with("shorter than an Ethernet header"), "{error}");
    ip(&cable.near.namespace, "link set eth0 down");
    assert_eq!(mouth.send(cable.near.index, &frame(ETHERTYPE_LOCAL, &[])).unwrap_err().errno(), Some(libc::ENETDOWN));
}

#[test]
fn a_listener_recovers_from_a_link_that_went_down() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let far = &cable.far;
    let ear = far.namespace.run(|| PacketSocket::listen(far.index, ETHERTYPE_LOCAL)).unwrap().unwrap();
    ip(&far.namespace, "link set eth0 down");
    let mut buffer = [0; 64];
    assert_eq!(ear.receive(&mut buffer).unwrap_err().errno(), Some(libc::ENETDOWN));
    assert_eq!(ear.receive(&mut buffer).unwrap(), None);
}
