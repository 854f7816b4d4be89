//! Routes of a real kernel, inside a network namespace of the test's own.

use super::*;
use crate::addresses::Address;
use crate::links::Link;
use crate::monitor::{Event, Monitor};
use crate::rtnl::tests::in_namespace;

/// An interface that is up, with 192.0.2.1/24 and 2001:db8::1/64.
fn interface(rtnl: &mut Rtnl) -> u32 {
    let index = rtnl.create_bridge("br0").unwrap();
    rtnl.set_up(index, true).unwrap();
    let addresses = [Address::new(index, ip("192.0.2.1"), 24), Address::new(index, ip("2001:db8::1"), 64)];
    rtnl.add_addresses(&addresses).into_iter().for_each(|result| assert_eq!(result.unwrap(), Change::Done));
    let up = |link: &Link| link.admin_up;
    assert!(rtnl.link("br0").unwrap().as_ref().is_some_and(up));
    index
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn via(gateway: &str) -> NextHop {
    NextHop { gateway: Some(ip(gateway)), ..NextHop::default() }
}

fn outcome(results: Vec<Result<Change>>) -> Vec<Change> {
    results.into_iter().map(|result| result.unwrap()).collect()
}

/// Of those in `all`, the ones that are not the kernel's own.
fn ours(rtnl: &mut Rtnl) -> Vec<Route> {
    let mut all = rtnl.routes().unwrap();
    all.retain(|route| route.protocol == 18);
    all
}

fn route(destination: &str, prefix_len: u8) -> Route {
    Route { protocol: 18, ..Route::new(ip(destination), prefix_len) }
}

#[test]
fn a_dump_shows_what_was_added_and_removal_leaves_nothing() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let index = interface(&mut rtnl);
        let on = |hop: NextHop| NextHop { index: Some(index), ..hop };
        let mut plain = route("198.51.100.0", 24);
        plain.next_hops = vec![on(via("192.0.2.254"))];
        let mut rich = route("203.0.113.0", 25);
        (rich.table, rich.tos, rich.metric) = (1000, 4, Some(7));
        rich.preferred_source = Some(ip("192.0.2.1"));
        rich.next_hops = vec![on(NextHop { onlink: true, realms: Some(0x3_0004), ..via("10.0.0.1") })];
        let metric = |kind, value, locked| Metric { kind, value, locked };
        rich.metrics = vec![metric(MetricKind::Mtu, 1400, true), metric(MetricKind::Rtt, 2400, false)];
        let mut shared = route("198.18.0.0", 15);
        shared.next_hops = vec![
            on(NextHop { weight: 2, ..via("192.0.2.253") }),
            on(NextHop { weight: 256, onlink: true, ..via("10.0.0.2") }),
        ];
        let mut hole = route("198.51.101.0", 24);
        hole.kind = Kind::Blackhole;
        let mut over_six = route("198.51.102.0", 24);
        over_six.next_hops = vec![on(via("fe80::1"))];
        let mut default = route("0.0.0.0", 0);
        (default.table, default.next_hops) = (1000, vec![on(via("192.0.2.254"))]);
        let mut six = route("2001:db8:1::", 48);
        (six.metric, six.preference, six.next_hops) = (Some(5), Some(1), vec![on(via("2001:db8::fe"))]);
        let mut from = route("2001:db8:2::", 48);
        from.source = Some((ip("2001:db8:3::"), 48));
        (from.metric, from.preference, from.next_hops) = (Some(1024), Some(0), vec![on(via("fe80::2"))]);

        let all = [plain, rich, shared, hole, over_six, default, six, from];
        assert_eq!(outcome(rtnl.add_routes(&all)), [Change::Done; 8]);
        assert_eq!(outcome(rtnl.add_routes(&all)), [Change::AlreadySo; 8]);
        let seen = ours(&mut rtnl);
        assert_eq!(seen.len(), all.len(), "{seen:?}");
        for one in &all {
            let found = seen.iter().find(|seen| seen.same_place(one)).unwrap();
            assert_eq!(found, one);
        }
        assert_eq!(outcome(rtnl.remove_routes(&all)), [Change::Done; 8]);
        assert_eq!(outcome(rtnl.remove_routes(&all)), [Change::AlreadySo; 8]);
        assert_eq!(ours(&mut rtnl), []);
    });
}

#[test]
fn a_route_that_leads_nowhere_is_refused_in_the_kernels_words() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        interface(&mut rtnl);
        let mut far = route("198.51.100.0", 24);
        far.next_hops = vec![via("10.0.0.1")];
        let error = rtnl.add_routes(&[far.clone()]).pop().unwrap().unwrap_err();
        assert_eq!(error.errno(), Some(libc::ENETUNREACH));
        assert_eq!(error.kernel_text(), Some("Nexthop has invalid gateway"));
        assert!(error.to_string().starts_with("cannot add the route: "), "{error}");
        let good = Route { next_hops: vec![via("192.0.2.254")], ..far.clone() };
        let results = rtnl.add_routes(&[far, good]);
        assert!(results[0].is_err() && results[1].is_ok(), "each on its own");
    });
}

#[test]
fn what_cannot_be_said_to_the_kernel_is_refused() {
    let mixed = Route { next_hops: vec![via("192.0.2.1")], ..route("2001:db8::", 32) };
    let long = route("192.0.2.0", 33);
    let named = Route { congestion_control: Some(("a\0b".into(), false)), ..route("192.0.2.0", 24) };
    let heavy = Route { next_hops: vec![NextHop { weight: 257, ..via("192.0.2.1") }; 2], ..route("192.0.2.0", 24) };
    let foreign = Route { preferred_source: Some(ip("::1")), ..route("192.0.2.0", 24) };
    let empty = Encapsulation::Mpls { labels: Vec::new(), ttl: None };
    let stackless =
        Route { next_hops: vec![NextHop { encapsulation: Some(empty), ..via("192.0.2.1") }], ..route("192.0.2.0", 24) };
    for route in [mixed, long, named, heavy, foreign, stackless] {
        assert!(sendable(&route).is_err(), "{route:?}");
    }
    assert_eq!(sendable(&route("192.0.2.0", 24)), Ok(()));
}

#[test]
fn packets_can_be_wrapped() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let index = interface(&mut rtnl);
        let wrapped = |destination, prefix, gateway, encapsulation| Route {
            next_hops: vec![NextHop { index: Some(index), encapsulation: Some(encapsulation), ..via(gateway) }],
            ..route(destination, prefix)
        };
        let four = Encapsulation::Ip {
            id: Some(5),
            destination: Some([192, 0, 2, 9].into()),
            source: None,
            tos: Some(4),
            ttl: Some(9),
            flags: Some(4),
        };
        let six = Encapsulation::Ip6 {
            id: Some(5),
            destination: Some("2001:db8::9".parse().unwrap()),
            source: None,
            traffic_class: None,
            hop_limit: Some(9),
            flags: None,
        };
        let routes =
            [wrapped("198.51.100.0", 24, "192.0.2.254", four), wrapped("2001:db8:1::", 48, "2001:db8::fe", six)];
        assert_eq!(outcome(rtnl.add_routes(&routes)), [Change::Done; 2]);
        assert_eq!(outcome(rtnl.remove_routes(&routes)), [Change::Done; 2]);
        // What a kernel cannot do it does not have, either.
        let labelled =
            [wrapped("203.0.113.0", 24, "192.0.2.254", Encapsulation::Mpls { labels: vec![100], ttl: None })];
        let added = rtnl.add_routes(&labelled).remove(0);
        let removed = rtnl.remove_routes(&labelled).remove(0).unwrap();
        match added {
            Ok(change) => assert_eq!((change, removed), (Change::Done, Change::Done)),
            Err(error) => assert_eq!((error.errno(), removed), (Some(libc::EOPNOTSUPP), Change::AlreadySo)),
        }
    });
}

#[test]
fn a_new_route_goes_before_or_behind_the_others_or_not_at_all() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        interface(&mut rtnl);
        let to = |gateway, placement| Route { next_hops: vec![via(gateway)], placement, ..route("198.51.100.0", 24) };
        let routes = [
            to("192.0.2.2", Placement::First),
            to("192.0.2.5", Placement::First),
            to("192.0.2.3", Placement::Last),
            to("192.0.2.4", Placement::Alone),
        ];
        let expected = [Change::Done, Change::Done, Change::Done, Change::AlreadySo];
        assert_eq!(outcome(rtnl.add_routes(&routes)), expected);
        let gateways: Vec<_> = ours(&mut rtnl).iter().map(|route| route.next_hops[0].gateway.unwrap()).collect();
        assert_eq!(gateways, [ip("192.0.2.5"), ip("192.0.2.2"), ip("192.0.2.3")]);
    });
}

#[test]
fn the_monitor_tells_of_a_route_that_is_gone() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        interface(&mut rtnl);
        let route = Route { next_hops: vec![via("192.0.2.254")], ..route("198.51.100.0", 24) };
        outcome(rtnl.add_routes(std::slice::from_ref(&route)));
        let (mut monitor, mut deaf) = (Monitor::open_with_routes().unwrap(), Monitor::open().unwrap());
        outcome(rtnl.remove_routes(std::slice::from_ref(&route)));
        let (mut heard, mut unheard) = (Vec::new(), Vec::new());
        monitor.read(&mut heard).unwrap();
        deaf.read(&mut unheard).unwrap();
        let gone = |event: &Event| matches!(event, Event::RouteRemoved(gone) if gone.same_place(&route));
        assert!(heard.iter().any(gone), "{heard:?}");
        assert!(!unheard.iter().any(gone));
    });
}

#[test]
fn no_octets_make_it_panic() {
    let whole = {
        use netlink_packet_core::Emitable;
        let mut shared = route("198.18.0.0", 15);
        shared.next_hops = vec![via("192.0.2.1"), via("192.0.2.2")];
        shared.metrics = vec![Metric { kind: MetricKind::Mtu, value: 1400, locked: true }];
        let message = message::write(&shared);
        let mut octets = vec![0; message.buffer_len()];
        message.emit(&mut octets);
        octets
    };
    assert!(Route::read(&whole).unwrap().is_some());
    for length in 0..whole.len() {
        let _ = Route::read(&whole[..length]);
    }
    for place in 0..whole.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut octets = whole.clone();
            octets[place] = value;
            let _ = Route::read(&octets);
        }
    }
}

#[test]
fn the_way_to_a_host_is_the_kernels_and_changes_with_its_routes() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let index = interface(&mut rtnl);
        let mut way = |to: &str| rtnl.way_to(ip(to)).unwrap();
        assert_eq!(way("192.0.2.9"), Some(Way { index, source: Some(ip("192.0.2.1")) }));
        assert_eq!(way("2001:db8::9"), Some(Way { index, source: Some(ip("2001:db8::1")) }));
        assert_eq!((way("198.51.100.9"), way("2001:db8:9::9")), (None, None), "there is no route");

        let mut far = route("198.51.100.0", 24);
        far.next_hops.push(via("192.0.2.254"));
        let hole = Route { kind: Kind::Blackhole, ..route("203.0.113.0", 24) };
        let closed = Route { kind: Kind::Prohibit, ..route("203.0.114.0", 24) };
        outcome(rtnl.add_routes(&[far.clone(), hole, closed]));
        let mut way = |to: &str| rtnl.way_to(ip(to)).unwrap();
        assert_eq!(way("198.51.100.9"), Some(Way { index, source: Some(ip("192.0.2.1")) }));
        assert_eq!((way("203.0.113.9"), way("203.0.114.9")), (None, None), "they lead nowhere");
        outcome(rtnl.remove_routes(&[far]));
        assert_eq!(rtnl.way_to(ip("198.51.100.9")).unwrap(), None);
    });
}
