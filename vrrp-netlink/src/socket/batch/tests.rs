//! Control messages on their own.

use super::*;

#[test]
fn a_batch_moves_between_threads() {
    fn sendable<T: Send>(_: &T) {}
    let batch = Batch::new(0, 0);
    sendable(&batch);
    assert_eq!(batch.iter().len(), 0);
    assert_eq!(format!("{batch:?}"), "[]");
}

fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
    let mut octets = (size_of::<usize>() + 8 + data.len()).to_ne_bytes().to_vec();
    octets.extend(level.to_ne_bytes());
    octets.extend(kind.to_ne_bytes());
    octets.extend(data);
    octets.resize(octets.len().next_multiple_of(size_of::<usize>()), 0);
    octets
}

fn stamp(seconds: i64, nanoseconds: i64) -> Vec<u8> {
    let data = [seconds.to_ne_bytes(), nanoseconds.to_ne_bytes()].concat();
    message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, &data)
}

#[test]
fn control_messages_are_found_in_any_order_and_among_others() {
    let lost = message(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &7u32.to_ne_bytes());
    let other = message(libc::IPPROTO_IP, libc::SCM_TIMESTAMPNS, &[1; 16]);
    let expected = Told { stamp: Some(Duration::new(5, 6)), lost: Some(7), ..Told::default() };
    assert_eq!(read_control(&[stamp(5, 6), lost.clone()].concat()), expected);
    assert_eq!(read_control(&[lost, other, stamp(5, 6), vec![0; 16]].concat()), expected);
    assert_eq!(read_control(&[0; 64]), Told::default());
    assert_eq!(read_control(&[]), Told::default());
}

#[test]
fn nonsense_beside_a_datagram_is_no_time_stamp() {
    assert_eq!(read_control(&stamp(5, 1_000_000_000)).stamp, None);
    assert_eq!(read_control(&stamp(5, -1)).stamp, None);
    assert_eq!(read_control(&stamp(-1, 0)).stamp, None);
    assert_eq!(read_control(&stamp(5, 6)[..24]), Told::default());
    assert_eq!(read_control(&[0xff; 64]), Told::default());
    assert_eq!(read_control(&message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, &[])), Told::default());
    // Two words of 32 bits, as older 32-bit systems write them.
    let short = message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, &[5i32.to_ne_bytes(), 6i32.to_ne_bytes()].concat());
    assert_eq!(read_control(&short).stamp, Some(Duration::new(5, 6)));
}

#[test]
fn an_ipv6_header_is_read_from_its_control_messages() {
    let address = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
    let info = [&address.octets()[..], &2u32.to_ne_bytes()].concat();
    let destination = message(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
    let hops = |limit: i32| message(libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, &limit.to_ne_bytes());
    let told = read_control(&[stamp(5, 6), hops(255), destination.clone()].concat());
    assert_eq!((told.destination, told.hop_limit, told.stamp.is_some()), (Some(address), Some(255), true));
    assert_eq!(read_control(&hops(-1)).hop_limit, None);
    assert_eq!(read_control(&hops(256)).hop_limit, None);
    assert_eq!(read_control(&message(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &[1; 12])), Told::default());
}
