//! Lost packets and samples of foreign ones.

use core::num::NonZeroU32;

use super::*;

#[test]
fn loss_concerns_the_routers_of_its_interface_and_family() {
    let mut node = Node::new(Groups::default());
    let here = node.add(setup(ETH0, 7, params(100))).unwrap();
    let there = node.add(setup(ETH1, 7, params(100))).unwrap();
    let mut out = Vec::new();
    for interface in [ETH0, ETH1] {
        node.handle(ms(0), Input::Link { interface, family: Family::V4, link: Link::Up(OWN) }, &mut out);
    }
    node.handle(ms(0), Input::Enabled { which: Which::All, enabled: true }, &mut out);
    let loss = |interface, family, count| Input::Lost { interface, family, count };
    node.handle(ms(100), loss(ETH0, Family::V4, 3), &mut out);
    node.handle(ms(100), loss(ETH1, Family::V6, 4), &mut out);
    node.handle(ms(100), loss(ETH1, Family::V4, 0), &mut out);
    assert_eq!(node.counters().get(Counter::PacketsLost), 7);
    let due = node.next_deadline().unwrap();
    node.expire(due, &mut out);
    let role = |node: &Node<Duration>, id| node.router(id).unwrap().machine().state.role();
    assert_eq!((role(&node, here), role(&node, there)), (Role::Backup, Role::Master));
    // Whatever is due by then, and whatever is lost again.
    node.handle(due, loss(ETH0, Family::V4, 1), &mut out);
    node.expire(due + ms(700), &mut out);
    assert_eq!(role(&node, here), Role::Master);
}

#[test]
fn what_is_for_nobody_counts_as_many_as_it_stands_for() {
    let mut solo = Solo::backup(100);
    let one_of = NonZeroU32::new(64).unwrap();
    let count = |solo: &Solo, counter| solo.node.counters().get(counter);
    let _ = solo.hear(ms(1), &advert(8, 100));
    assert_eq!(count(&solo, Counter::VridErrors), 1, "nothing was said of a sample");
    let _ = solo.handle(ms(1), Input::Sampled { interface: ETH0, family: Family::V4, one_of });
    let _ = solo.hear(ms(2), &advert(8, 100));
    assert_eq!(count(&solo, Counter::VridErrors), 65);
    let mut damaged = advert(8, 100);
    damaged[27] ^= 1;
    let _ = solo.hear(ms(2), &damaged);
    assert_eq!(count(&solo, Counter::ChecksumErrors), 64);
    let _ = solo.hear(ms(2), &datagram(PEER, &[0x21]));
    let _ = solo.hear(ms(2), &[0x45]);
    assert_eq!(
        count(&solo, Counter::VersionErrors) + count(&solo, Counter::IpErrors),
        1,
        "broken headers are not sampled"
    );

    // What is for a router of the node is heard wholly.
    let mut damaged = advert(7, 100);
    damaged[27] ^= 1;
    let _ = solo.hear(ms(3), &damaged);
    let _ = solo.hear(ms(3), &advert(7, 200));
    assert_eq!((count(&solo, Counter::ChecksumErrors), solo.count(Counter::AdvertsReceived)), (65, 1));
    let _ = solo.handle(ms(4), Input::Datagram { interface: ETH1, octets: &advert(7, 100) });
    assert_eq!(count(&solo, Counter::VridErrors), 66, "of another interface nothing was said");
}
