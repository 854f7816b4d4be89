//! The path of an advert between two hosts allocates nothing: a tick of a full host is written, sent and heard.
//!
//! One test alone in its binary: the allocator counts for the whole process.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::net::IpAddr;
use std::time::Duration;

use vrrp_benches::counting::{Counting, allocations};
use vrrp_benches::{GROUP, Host, PEER, ROUTERS};
use vrrp_cli::lab::{self, Lan};
use vrrp_core::node::Output;
use vrrp_core::wire::ipv4::PROTOCOL_VRRP;
use vrrp_netlink::outbox::Outbox;
use vrrp_netlink::process::wait_readable;
use vrrp_netlink::rtnl::Rtnl;
use vrrp_netlink::socket::{Batch, Ipv4Send, VrrpSocket};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn open(host: &lab::Host) -> VrrpSocket {
    let open = || VrrpSocket::open("eth0", Rtnl::open()?.link("eth0")?.map_or(0, |link| link.index), PROTOCOL_VRRP);
    let socket = host.namespace().run(open).unwrap().unwrap();
    socket.join(GROUP).unwrap();
    socket
}

#[test]
fn a_tick_of_a_full_host_is_sent_and_heard_without_an_allocation() {
    if !lab::privileged(a_tick_of_a_full_host_is_sent_and_heard_without_an_allocation) {
        return;
    }
    let lan = Lan::new(&["near", "far"]).unwrap();
    let (near, far) = (open(lan.host("near")), open(lan.host("far")));
    let (mut masters, mut backups) = (Host::new(true), Host::new(false));
    let mut outbox = Outbox::new(ROUTERS.into(), 64);
    let mut batch = Batch::new(64, 128);
    let count = allocations(|| {
        let said = masters.masters_round_to(|message| {
            let IpAddr::V4(destination) = message.destination else { return };
            // The other node has the same address.
            let header = Ipv4Send { source: PEER, destination, protocol: PROTOCOL_VRRP, ttl: message.ttl };
            outbox.put_v4((), &header, message.octets).unwrap();
        });
        assert_eq!((said, outbox.len()), (ROUTERS.into(), ROUTERS.into()));
        outbox.send(|()| Some(&near), |(), error| panic!("{error}"));
        let mut heard = 0;
        while heard < said {
            assert!(wait_readable(&far, Some(Duration::from_secs(10))).unwrap(), "{heard} of {said} arrived");
            heard += far.receive(&mut batch).unwrap();
            for datagram in batch.iter() {
                // Both nodes have the same priority, which is worth a notice.
                let follows = backups.hear(datagram.bytes);
                assert!(matches!(follows, [Output::Noticed { .. }]), "{follows:?}");
            }
        }
    });
    assert_eq!(count, 0);
}
