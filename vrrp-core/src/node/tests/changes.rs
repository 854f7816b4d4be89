//! What changes while a node runs: parameters, lists of addresses, sources, Accept_Mode; and IPv6 beside IPv4.

use core::net::Ipv6Addr;

use super::*;

const LOCAL_OWN: IpAddr = local(5);
const LOCAL_PEER: IpAddr = local(6);
const LOCAL_VIP: IpAddr = local(100);

const fn local(last: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last))
}

fn centis(params: Params) -> Params {
    Params { interval: AdvertInterval::from_centis(100).unwrap(), ..params }
}

fn setup_v6(interface: InterfaceId, vrid: u8, params: Params) -> RouterSetup {
    let mut setup = setup(interface, vrid, params);
    setup.config.addresses = AddressList::new(Box::from([LOCAL_VIP])).unwrap();
    setup
}

/// What a Master of version 3 sends over IPv6.
fn advert_v6(vrid: u8, priority: u8) -> Vec<u8> {
    let mut buffer = [0; 64];
    let repr = AdvertRepr {
        vrid: Vrid::new(vrid).unwrap(),
        priority: Priority::new(priority),
        interval: AdvertInterval::from_centis(100).unwrap(),
        password: None,
        addresses: AddressList::new(&[LOCAL_VIP][..]).unwrap(),
        checksum: ChecksumForm::PseudoHeader,
    };
    repr.emit(LOCAL_PEER, Groups::default().of(Family::V6), &mut buffer).unwrap().to_vec()
}

fn meta_v6() -> Meta {
    Meta { source: LOCAL_PEER, destination: Groups::default().of(Family::V6), ttl: 255 }
}

/// A Master of IPv4 in each version whose addresses are installed since `start`.
fn serving() -> [(Solo, Duration, u64); 2] {
    let (v2, start, epoch) = Solo::master(100);
    let mut all = [(v2, start, epoch), {
        let mut solo = Solo::backup(100);
        let _ = solo.handle(ms(0), Input::Params { router: solo.id, params: centis(params(100)) });
        let at = solo.node.next_deadline().unwrap();
        let epoch = epoch_of(&solo.expire(at)).unwrap();
        (solo, at, epoch)
    }];
    for (solo, start, epoch) in &mut all {
        let out = solo.handle(*start, Input::Installed { router: solo.id, epoch: *epoch });
        assert_eq!(announces(&out), 1);
    }
    all
}

#[test]
fn another_list_is_served_and_announced_by_a_master_under_a_new_epoch() {
    for (mut solo, start, epoch) in serving() {
        let router = solo.id;
        let list: [IpAddr; 2] = [[10, 0, 0, 100].into(), [10, 0, 0, 101].into()];
        let addresses = AddressList::new(&list[..]).unwrap();
        let deadline = start + ms(1000);
        let at = start + ms(50);
        let out = solo.handle(at, Input::AddressList { router, addresses });
        assert_eq!(out, [Output::Addresses { router, wanted: Addresses::Install, accept: false, epoch: epoch + 1 }]);
        assert_eq!(solo.handle(at, Input::AddressList { router, addresses }), [], "a level");
        let mut buffer = [0; 64];
        let message = solo.node.message(router, Advertise::Claim, &mut buffer).unwrap();
        assert_eq!(message.octets[3], 2, "the next advert carries both");
        assert_eq!(solo.handle(at, Input::Installed { router, epoch }), [], "the old list's acknowledgement");
        assert_eq!(solo.expire(start + ms(200)), [], "nothing is announced before it is there");
        let out = solo.handle(start + ms(300), Input::Installed { router, epoch: epoch + 1 });
        assert_eq!(out, [Output::Announce { router }]);
        assert_eq!(solo.count(Counter::AnnouncementsSent), 1 + 2, "one address, then two");
        assert_eq!(solo.role(), Role::Master);
        assert_eq!(claims(&solo.expire(deadline)), 1, "the election did not notice");
        let out = solo.handle(deadline, Input::Enabled { which: Which::All, enabled: false });
        assert_eq!(wanted(&out), Some(Addresses::Remove));
    }
}

#[test]
fn another_list_in_backup_waits_for_its_time() {
    let mut solo = Solo::backup(100);
    let router = solo.id;
    let list: [IpAddr; 1] = [[10, 0, 0, 101].into()];
    let before = solo.node.next_deadline();
    let addresses = AddressList::new(&list[..]).unwrap();
    assert_eq!(solo.handle(ms(100), Input::AddressList { router, addresses }), []);
    assert_eq!(solo.node.next_deadline(), before);
    assert_eq!(solo.node.router(router).unwrap().addresses(), list);
    let out = solo.hear(ms(200), &advert(7, 200));
    assert_eq!(out, [Output::Noticed { router, source: PEER, notices: Notices::ADDRESS_LIST }]);
}

#[test]
fn a_list_of_the_other_family_or_for_nobody_is_ignored() {
    for (mut solo, start, _) in serving() {
        let list = [LOCAL_VIP];
        for router in [solo.id, RouterId(9)] {
            let addresses = AddressList::new(&list[..]).unwrap();
            assert_eq!(solo.handle(start, Input::AddressList { router, addresses }), []);
        }
        assert_eq!(solo.node.router(solo.id).unwrap().addresses(), [VIP]);
    }
}

/// R75, R82: told with every order, and anew when it changes.
#[test]
fn accept_mode_is_told_and_its_change_too() {
    for (mut solo, start, epoch) in serving() {
        let router = solo.id;
        let params = solo.node.router(router).unwrap().machine().params;
        let out = solo.handle(start, Input::Params { router, params: Params { accept: true, ..params } });
        let install = |accept, epoch| Output::Addresses { router, wanted: Addresses::Install, accept, epoch };
        assert_eq!(out, [install(true, epoch + 1)]);
        let owner = Params { accept: true, priority: Priority::OWNER, ..params };
        let priority = |priority| Output::Priority { router, priority };
        let out = solo.handle(start, Input::Params { router, params: owner });
        assert_eq!(out, [priority(Priority::OWNER)]);
        let out = solo.handle(start, Input::Params { router, params });
        assert_eq!(out, [priority(params.priority), install(false, epoch + 2)]);
        assert_eq!(solo.node.router(router).unwrap().machine().state.role(), Role::Master);
    }
}

#[test]
fn new_parameters_of_a_backup_count_from_the_last_advert() {
    let mut solo = Solo::backup(100);
    let _ = solo.hear(ms(1000), &advert(7, 200));
    let _ = solo.handle(ms(2500), Input::Params { router: solo.id, params: params(200) });
    assert_eq!(solo.node.next_deadline(), Some(ms(4000) + 56 * Duration::from_nanos(3_906_250)));
    let out = solo.handle(ms(2600), Input::Params { router: solo.id, params: params(255) });
    assert_eq!((cause(&out), claims(&out)), (Some(Cause::OwnerPreempt), 1));
}

#[test]
fn new_parameters_of_a_master_are_advertised_when_its_timer_ends() {
    for (mut solo, start, _) in serving() {
        let router = solo.id;
        let params = solo.node.router(router).unwrap().machine().params;
        let changed = Params { priority: Priority::new(42).unwrap(), preempt: false, ..params };
        let out = solo.handle(start + ms(10), Input::Params { router, params: changed });
        assert_eq!(out, [Output::Priority { router, priority: changed.priority }]);
        let mut buffer = [0; 64];
        assert_eq!(solo.node.message(router, Advertise::Claim, &mut buffer).unwrap().octets[2], 42);
        assert_eq!(claims(&solo.expire(start + ms(1000))), 1);
        assert_eq!(solo.role(), Role::Master);
    }
}

#[test]
fn a_source_that_changes_is_followed_and_one_that_goes_is_a_fault() {
    for (mut solo, start, _) in serving() {
        let link = |link| Input::Link { interface: ETH0, family: Family::V4, link };
        assert_eq!(solo.handle(start, link(Link::Up([10, 0, 0, 9].into()))), []);
        let mut buffer = [0; 64];
        let message = solo.node.message(solo.id, Advertise::Claim, &mut buffer).unwrap();
        assert_eq!(message.source, IpAddr::from([10, 0, 0, 9]));
        let out = solo.handle(start, link(Link::NoAddress));
        assert_eq!((wanted(&out), cause(&out)), (Some(Addresses::Remove), Some(Cause::NoPrimaryAddress)));
        assert!(!out.iter().any(|output| matches!(output, Output::Advertise { .. })), "nothing to send it from");
        assert_eq!(Condition::of(solo.node.router(solo.id).unwrap()), Condition::Fault);
        let out = solo.handle(start + ms(10), link(Link::Up(OWN)));
        assert_eq!(cause(&out), Some(Cause::PrimaryAddress));
        assert_eq!(solo.role(), Role::Backup);
    }
}

/// R96: one identifier, one interface, two families: two virtual routers.
#[test]
fn families_are_told_apart() {
    let mut node: Node<Duration> = Node::new(Groups::default());
    let v4 = node.add(setup(ETH0, 7, centis(params(100)))).unwrap();
    let v6 = node.add(setup_v6(ETH0, 7, centis(params(100)))).unwrap();
    let duplicate = node.add(setup_v6(ETH0, 7, params(100))).unwrap_err();
    assert_eq!(duplicate.first, v6);
    let mut out = Vec::new();
    node.handle(ms(0), Input::Enabled { which: Which::All, enabled: true }, &mut out);
    node.handle(ms(0), Input::Link { interface: ETH0, family: Family::V6, link: Link::Up(LOCAL_OWN) }, &mut out);
    let role = |node: &Node<Duration>, id| node.router(id).unwrap().machine().state.role();
    assert_eq!((role(&node, v4), role(&node, v6)), (Role::Initialize, Role::Backup), "IPv4 has no address");
    node.handle(ms(0), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) }, &mut out);
    let octets = advert_v6(7, 200);
    node.handle(ms(10), Input::Message { interface: ETH0, meta: meta_v6(), octets: &octets }, &mut out);
    let received = |id| node.router(id).unwrap().counters().get(Counter::AdvertsReceived);
    assert_eq!((received(v4), received(v6)), (0, 1));
    out.clear();
    node.expire(ms(20_000), &mut out);
    let mut sources = Vec::new();
    for id in [v4, v6] {
        let mut buffer = [0; 64];
        let message = node.message(id, Advertise::Claim, &mut buffer).unwrap();
        assert_eq!(message.destination, Groups::default().of(Family::of(message.source)));
        sources.push(message.source);
    }
    assert_eq!(sources, [OWN, LOCAL_OWN]);
    node.handle(ms(20_000), Input::Link { interface: ETH0, family: Family::V6, link: Link::Down }, &mut out);
    assert_eq!((role(&node, v4), role(&node, v6)), (Role::Master, Role::Initialize));
}

#[test]
fn messages_are_dropped_and_counted_where_they_belong() {
    let mut node: Node<Duration> = Node::new(Groups::default());
    let id = node.add(setup_v6(ETH0, 7, params(100))).unwrap();
    let mut out = Vec::new();
    node.handle(ms(0), Input::Link { interface: ETH0, family: Family::V6, link: Link::Up(LOCAL_OWN) }, &mut out);
    node.handle(ms(0), Input::Enabled { which: Which::All, enabled: true }, &mut out);
    let deadline = node.next_deadline();
    let good = advert_v6(7, 200);
    let mut short = good.clone();
    short.truncate(23);
    let mut v2 = good.clone();
    v2[0] = 0x21;
    let unknown = advert_v6(8, 200);
    let far = Meta { ttl: 254, ..meta_v6() };
    let unicast = Meta { destination: LOCAL_OWN, ..meta_v6() };
    for (meta, octets, router, counter) in [
        (far, &good, Some(id), Counter::TtlErrors),
        (unicast, &good, Some(id), Counter::IpErrors),
        (meta_v6(), &v2, Some(id), Counter::VersionErrors),
        (meta_v6(), &short, Some(id), Counter::LengthErrors),
        (meta_v6(), &unknown, None, Counter::VridErrors),
    ] {
        out.clear();
        node.handle(ms(10), Input::Message { interface: ETH0, meta, octets }, &mut out);
        let [Output::Rejected { interface: ETH0, router: blamed, rejected }] = out[..] else { panic!("{out:?}") };
        assert_eq!((blamed, rejected.reason.counter(), rejected.source), (router, counter, Some(LOCAL_PEER)));
        let counted = match counter.scope() {
            Scope::Global => node.counters().get(counter),
            Scope::Router => node.router(id).unwrap().counters().get(counter),
        };
        assert_eq!(counted, 1, "{counter:?}");
    }
    assert_eq!(node.next_deadline(), deadline, "nothing moved");
}

/// A configured source of the wrong family leaves the router without one, which is FAULT and not a silent Master.
#[test]
fn a_configured_source_of_the_other_family_keeps_the_router_out() {
    let mut node: Node<Duration> = Node::new(Groups::default());
    let id = node.add(RouterSetup { source: Some(OWN), ..setup_v6(ETH0, 7, params(255)) }).unwrap();
    let mut out = Vec::new();
    node.handle(ms(0), Input::Enabled { which: Which::All, enabled: true }, &mut out);
    node.handle(ms(0), Input::Link { interface: ETH0, family: Family::V6, link: Link::Up(LOCAL_OWN) }, &mut out);
    assert_eq!(Condition::of(node.router(id).unwrap()), Condition::Fault);
    assert_eq!(node.next_deadline(), None);
}

/// R119: since when, in the caller's clock.
#[test]
fn r119_since_when_can_be_asked() {
    let mut solo = Solo::stopped(100);
    let id = solo.id;
    let times = |solo: &Solo| (solo.node.up_since(id), solo.node.state_since(id));
    assert_eq!(times(&solo), (None, None));
    let _ = solo.handle(ms(10), Input::Link { interface: ETH0, family: Family::V4, link: Link::Up(OWN) });
    let _ = solo.handle(ms(20), Input::Enabled { which: Which::All, enabled: true });
    assert_eq!(times(&solo), (Some(ms(20)), Some(ms(20))));
    let at = solo.node.next_deadline().unwrap();
    let _ = solo.expire(at);
    assert_eq!(times(&solo), (Some(ms(20)), Some(at)), "Master since");
    let _ = solo.expire(at + ms(1000));
    assert_eq!(times(&solo), (Some(ms(20)), Some(at)), "an advert is no change");
    let _ = solo.hear(at + ms(1500), &advert(7, 200));
    assert_eq!(times(&solo), (Some(ms(20)), Some(at + ms(1500))), "Backup since");
    let _ = solo.handle(at + ms(2000), Input::Fault { router: id, fault: Faults::INSTALL, present: true });
    assert_eq!(times(&solo), (None, Some(at + ms(2000))));
    let _ = solo.handle(at + ms(3000), Input::Fault { router: id, fault: Faults::INSTALL, present: false });
    assert_eq!(times(&solo), (Some(at + ms(3000)), Some(at + ms(3000))));
    assert_eq!((solo.node.up_since(RouterId(9)), solo.node.state_since(RouterId(9))), (None, None));
}

/// Two routers on one interface, one of which does not track it: each hears its own input only.
#[test]
fn a_router_without_tracking_goes_on_while_the_link_is_cut() {
    let mut node: Node<Duration> = Node::new(Groups::default());
    let tracks = node.add(setup(ETH0, 7, params(255))).unwrap();
    let goes_on = node.add(RouterSetup { track_interface: false, ..setup(ETH0, 8, params(255)) }).unwrap();
    let mut out = Vec::new();
    node.handle(ms(0), Input::Enabled { which: Which::All, enabled: true }, &mut out);
    let mut roles = |input| {
        node.handle(ms(0), input, &mut out);
        [tracks, goes_on].map(|id| node.router(id).unwrap().machine().state.role())
    };
    let link = |link| Input::Link { interface: ETH0, family: Family::V4, link };
    let presence = |link| Input::Presence { interface: ETH0, family: Family::V4, link };
    assert_eq!(roles(presence(Link::Up(OWN))), [Role::Initialize, Role::Master], "the link is down at the start");
    assert_eq!(roles(link(Link::Up(OWN))), [Role::Master; 2]);
    assert_eq!(roles(link(Link::Down)), [Role::Initialize, Role::Master]);
    assert_eq!(roles(presence(Link::NoAddress)), [Role::Initialize; 2], "there is nothing to send from");
    assert_eq!(roles(presence(Link::Up(OWN))), [Role::Initialize, Role::Master]);
    assert_eq!(roles(presence(Link::Down)), [Role::Initialize; 2], "the interface is gone");
}
