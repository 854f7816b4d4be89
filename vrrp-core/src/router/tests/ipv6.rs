//! The ladder and the messages over IPv6, and what of a router can change while it runs, in both families.

use core::net::Ipv6Addr;

use super::*;

pub(super) const GROUP: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));
const OWN: IpAddr = local(5);
const PEER: IpAddr = local(6);
const VIPS: [IpAddr; 2] = [local(100), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 100))];

const fn local(last: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last))
}

fn config(priority: u8) -> RouterConfig<Vec<IpAddr>> {
    let addresses = AddressList::new(VIPS.to_vec()).unwrap();
    RouterConfig { addresses, ..super::config(priority, centis(100), Auth::None) }
}

/// To the letter of RFC 9568.
fn strict(priority: u8) -> Router {
    let addresses = AddressList::strict(VIPS.to_vec()).unwrap();
    started(RouterConfig { addresses, ..config(priority) }, OWN)
}

fn router(priority: u8) -> Router {
    started(config(priority), OWN)
}

/// A right advert of priority 150 and 100 cs.
fn right() -> Datagram {
    Datagram { source: PEER, destination: GROUP, addresses: VIPS.to_vec(), ..right_v3() }
}

/// R73, R94 to R96, R116, R117: the ladder over IPv6 top to bottom, each rung alone and with the one below it.
#[test]
fn of_two_rungs_over_ipv6_the_upper_one_speaks() {
    let router = strict(100);
    assert_eq!(climb(&router, &right()).unwrap().notices, Notices::empty());
    let rungs: [Rung; 11] = [
        rung!(|d| d.destination = local(5), Discard::Destination(_), IpErrors),
        rung!(|d| d.ttl = 254, Discard::Ttl(254), TtlErrors),
        rung!(|d| d.version_type = 0x41 | d.version_type & 0x0f, Discard::Parse(ParseError::Version(4)), VersionErrors),
        rung!(|d| d.version_type = d.version_type & 0xf0 | 2, Discard::Parse(ParseError::Type(2)), InvalidTypeReceived),
        rung!(|d| d.count = 0, Discard::Parse(ParseError::NoAddress), AddressListErrors),
        rung!(|d| d.auth_data = std::vec![0; 4], Discard::Parse(ParseError::Length { .. }), LengthErrors),
        rung!(|d| d.damage = true, Discard::Checksum(ChecksumMismatch { .. }), ChecksumErrors),
        rung!(|d| d.vrid = 8, Discard::UnknownVrid(8), VridErrors),
        rung!(|d| d.addresses.reverse(), Discard::FirstNotLinkLocal(_), AddressListErrors),
        rung!(|d| d.source = OWN, Discard::OwnSource, OwnSource),
        rung!(|d| d.interval = 0, Discard::Interval { theirs: None, .. }, IntervalErrors),
    ];
    for (i, rung) in rungs.iter().enumerate() {
        let mut datagram = right();
        if let Some(below) = rungs.get(i + 1) {
            (below.break_it)(&mut datagram);
        }
        let mut alone = right();
        for datagram in [&mut datagram, &mut alone] {
            (rung.break_it)(datagram);
            let reason = climb(&router, datagram).unwrap_err();
            assert!((rung.is_reason)(reason), "rung {i}: {reason:?}");
            assert_eq!(reason.counter(), rung.counter, "rung {i}");
        }
    }
}

#[test]
fn version_2_over_ipv6_is_refused() {
    let reason = climb(&router(100), &Datagram { version_type: 0x21, ..right() }).unwrap_err();
    assert_eq!(reason, Discard::Parse(ParseError::V2OverIpv6));
    assert_eq!(reason.counter(), Counter::VersionErrors);
}

/// R71, R105: over IPv6 the checksum always covers the pseudo-header, so that strictness is nothing to it.
#[test]
fn a_checksum_without_pseudo_header_is_refused_over_ipv6() {
    let right = right();
    let mut message = right.message();
    for accept in [AcceptChecksum::Both, AcceptChecksum::Only] {
        let checksum = ChecksumPolicy { send: ChecksumForm::Message, accept };
        let router = started(RouterConfig { checksum, ..config(100) }, OWN);
        assert_eq!(climb(&router, &right).unwrap().notices, Notices::empty());
    }
    message[6..8].fill(0);
    let sum = crate::checksum::Checksum::default().with(&message).finish();
    message[6..8].copy_from_slice(&sum.to_be_bytes());
    let meta = Meta { source: PEER, destination: GROUP, ttl: 255 };
    let reason = Received::check(&meta, &message, GROUP).unwrap_err().reason;
    assert!(matches!(reason, Discard::Checksum(ChecksumMismatch { found, .. }) if found == sum));
}

/// The same identifier in the other family is another virtual router.
#[test]
fn a_router_refuses_adverts_of_the_other_family() {
    let v4 = super::router(100, centis(100), Auth::None);
    assert_eq!(climb(&v4, &right()), Err(Discard::UnknownVrid(VRID)));
    assert_eq!(climb(&router(100), &right_v3()), Err(Discard::UnknownVrid(VRID)));
    let mixed = Meta { source: super::PEER, destination: GROUP, ttl: 255 };
    let reason = Received::check(&mixed, &right().message(), GROUP).unwrap_err().reason;
    assert_eq!(reason, Discard::Destination(GROUP));
}

#[test]
fn r72_r104_other_lists_and_intervals_are_told_but_accepted() {
    let router = router(100);
    let notices = |datagram: &Datagram| climb(&router, datagram).unwrap().notices;
    let [first, second] = VIPS;
    let with = |addresses: &[IpAddr]| {
        let count = u8::try_from(addresses.len()).unwrap();
        Datagram { count, addresses: addresses.to_vec(), ..right() }
    };
    assert_eq!(notices(&with(&[first])), Notices::ADDRESS_LIST);
    assert_eq!(notices(&with(&[first, second, local(7)])), Notices::ADDRESS_LIST);
    assert_eq!(notices(&Datagram { interval: 50, ..right() }), Notices::INTERVAL);
}

/// R72, R96, R97, R117: what keepalived sends is heard, unless strict; with each case what it counts as.
#[test]
fn r96_r117_a_list_that_begins_global_is_told_but_accepted_and_refused_where_strict() {
    let [local, global] = VIPS;
    let peer = Datagram { count: 1, addresses: std::vec![global], ..right() };
    let alike = RouterConfig { addresses: AddressList::new(std::vec![global]).unwrap(), ..config(100) };
    let begins = Notices::FIRST_NOT_LINK_LOCAL;
    for (mut ours, told) in [(started(alike, OWN), begins), (router(100), begins | Notices::ADDRESS_LIST)] {
        assert_eq!(peer.received_by(&mut ours).unwrap().1, told);
        for (counter, count) in [
            (Counter::AdvertsReceived, 1),
            (Counter::FirstNotLinkLocal, 1),
            (Counter::AddressListErrors, u64::from(told.contains(Notices::ADDRESS_LIST))),
        ] {
            assert_eq!(ours.counters().get(counter), count, "{}", counter.name());
        }
        assert_eq!(ours.machine().state.role(), Role::Backup);
        assert_eq!(ours.master(), Some(PEER), "it obeys");
    }
    let Datagram { addresses, .. } = right();
    let behind = Datagram { addresses: addresses.into_iter().rev().collect(), ..right() };
    assert_eq!(climb(&router(100), &behind).unwrap().notices, begins, "the order alone is no other list");
    let mut strict = strict(100);
    let reason = Discard::FirstNotLinkLocal("2001:db8::64".parse().unwrap());
    for datagram in [peer, behind] {
        assert_eq!(datagram.received_by(&mut strict).unwrap_err(), reason);
    }
    assert!(reason.is_routers() && std::format!("{reason}").contains("2001:db8::64"));
    assert_eq!(strict.counters().get(Counter::AddressListErrors), 2);
    assert_eq!((strict.counters().get(Counter::FirstNotLinkLocal), strict.master()), (0, None));
    assert_eq!(right().received_by(&mut strict).unwrap().1, Notices::empty(), "{local} comes first");
}

#[test]
fn what_is_accepted_changes_with_the_list() {
    let mut router = router(100);
    let [_, global] = VIPS;
    let peer = Datagram { count: 1, addresses: std::vec![global], ..right() };
    assert!(climb(&router, &peer).is_ok());
    let strict = AddressList::strict(VIPS.to_vec()).unwrap();
    assert_eq!(router.set_addresses(strict), Ok(Actions::NONE), "the addresses stay");
    assert!(matches!(climb(&router, &peer), Err(Discard::FirstNotLinkLocal(_))));
}

/// A list of global addresses alone, as most configurations have it, from the first advert to the installed address.
#[test]
fn a_list_that_begins_global_is_advertised_as_it_stands() {
    let [_, global] = VIPS;
    let addresses = AddressList::new(std::vec![global]).unwrap();
    let mut router = master(started(RouterConfig { addresses, ..config(100) }, OWN));
    let mut buffer = [0; 64];
    let sent = router.emit(Advertise::Claim, GROUP, &mut buffer).unwrap();
    let advert = Advert::parse(sent, Family::V6).unwrap();
    assert!(advert.addresses().eq([global]));
    assert_eq!(advert.verify(OWN, GROUP), Ok(ChecksumForm::PseudoHeader));
}

/// R100, R113, R116: ties, losing adverts and second owners over IPv6.
#[test]
fn the_election_goes_by_ipv6_addresses() {
    let mut owner = router(255);
    let losing = right();
    let (actions, notices) = losing.received_by(&mut owner).unwrap();
    assert_eq!((actions.advertise, actions.announce, notices), (Some(Advertise::Claim), true, Notices::LOSING));
    let (actions, notices) = losing.received_by(&mut owner).unwrap();
    assert_eq!((actions, notices), (Actions::NONE, Notices::LOSING), "answered once an interval");
    let own = Datagram { source: OWN, priority: 50, ..right() };
    assert_eq!(own.received_by(&mut owner), Err(Discard::OwnSource), "never answered to ourselves");
    let (actions, notices) = Datagram { priority: 255, ..right() }.received_by(&mut owner).unwrap();
    assert_eq!(notices, Notices::SECOND_OWNER);
    assert_eq!(actions.transition.map(|transition| transition.to), Some(Role::Backup), "its address is higher");
    assert_eq!(owner.counters().get(Counter::OwnerConflicts), 1);
    assert_eq!(owner.counters().get(Counter::LosingAdverts), 2);
    assert_eq!(owner.counters().get(Counter::OwnSource), 1);
}

#[test]
fn claim_and_release_are_emitted_with_the_pseudo_header() {
    let mut router = router(100);
    for (advertise, priority) in [(Advertise::Claim, Priority::new(100)), (Advertise::Release, None)] {
        let mut buffer = [0; 64];
        let sent = router.emit(advertise, GROUP, &mut buffer).unwrap();
        assert_eq!(sent.len(), 40);
        let advert = Advert::parse(sent, Family::V6).unwrap();
        assert_eq!(
            (advert.vrid(), advert.priority(), advert.interval()),
            (Vrid::new(VRID), priority, Some(centis(100)))
        );
        assert!(advert.addresses().eq(VIPS));
        assert_eq!(advert.verify(OWN, GROUP), Ok(ChecksumForm::PseudoHeader));
        assert!(advert.verify(PEER, GROUP).is_err(), "the source is part of it");
    }
}

/// IPv6 has version 3 alone, whatever unit an interval has.
#[test]
fn seconds_become_centiseconds_over_ipv6() {
    let mut config = config(100);
    config.params.interval = secs(1);
    let mut router = started(config, OWN);
    assert_eq!(router.machine().params.interval, centis(100));
    let params = Params { interval: secs(255), ..router.machine().params };
    let _ = router.handle(Event::Params(params));
    assert_eq!(router.machine().params.interval, centis(4095));
}

#[test]
fn a_link_of_the_other_family_is_one_without_an_address() {
    for (mut router, other) in [(router(100), super::OWN), (super::router(100, secs(1), Auth::None), OWN)] {
        let actions = router.handle(Event::Link(Link::Up(other)));
        assert_eq!(actions.transition.map(|transition| transition.cause), Some(Cause::NoPrimaryAddress));
        assert_eq!(router.machine().link, Link::NoAddress);
    }
}

/// Adverts over IPv6 come from a link-local address and no other.
#[test]
fn r73_r86_an_address_that_is_not_link_local_is_none_to_send_from() {
    let mut router = router(100);
    let actions = router.handle(Event::Link(Link::Up(VIPS[1])));
    assert_eq!(actions.transition.map(|transition| transition.cause), Some(Cause::NoPrimaryAddress));
    assert_eq!(router.machine().link, Link::NoAddress);
    assert_eq!(router.emit(Advertise::Claim, GROUP, &mut [0; 64]), Err(EmitError::NoSource));
}

fn master(mut router: Router) -> Router {
    let _ = router.handle(Event::Expired(Timer::MasterDown));
    assert_eq!(router.machine().state.role(), Role::Master);
    router
}

#[test]
fn another_list_is_advertised_and_installed_by_a_master_alone() {
    let v4 = super::router(100, secs(1), Auth::None);
    for (router, list) in
        [(v4, std::vec![super::VIPS[1], super::PEER]), (router(100), std::vec![local(101), local(102), local(103)])]
    {
        let new = || AddressList::new(list.clone()).unwrap();
        let mut backup = router.clone();
        let machine = *backup.machine();
        assert_eq!(backup.set_addresses(new()), Ok(Actions::NONE));
        assert_eq!((backup.addresses(), *backup.machine()), (&list[..], machine));
        assert_eq!(backup.last_event(), "vrrp-event-virtual-ip-addresses");
        let mut master = master(router);
        let install = Actions { addresses: Some(Addresses::Install), ..Actions::NONE };
        assert_eq!(master.set_addresses(new()), Ok(install));
        assert_eq!(master.set_addresses(new()), Ok(Actions::NONE), "a level");
        let mut buffer = [0; 64];
        let group = if master.family() == Family::V4 { super::GROUP } else { GROUP };
        let sent = master.emit(Advertise::Claim, group, &mut buffer).unwrap();
        assert!(Advert::parse(sent, master.family()).unwrap().addresses().eq(list.iter().copied()));
    }
}

#[test]
fn a_list_of_the_other_family_is_given_back() {
    let mut router = router(100);
    let list = AddressList::new(super::VIPS.to_vec()).unwrap();
    assert_eq!(router.set_addresses(list.clone()), Err(list));
    assert_eq!(router.addresses(), VIPS);
}

/// R75, R82: the owner accepts whatever Accept_Mode says; a Master whose mode changes serves anew.
#[test]
fn accept_mode_is_the_owners_or_the_configurations() {
    for interval in [secs(1), centis(100)] {
        for (priority, accept, accepts) in
            [(100, false, false), (100, true, true), (255, false, true), (255, true, true)]
        {
            let mut config = super::config(priority, interval, Auth::None);
            config.params.accept = accept;
            assert_eq!(VirtualRouter::new(config).accepts(), accepts);
        }
        let mut master = master(super::router(100, interval, Auth::None));
        let params = master.machine().params;
        let install = Actions { addresses: Some(Addresses::Install), ..Actions::NONE };
        assert_eq!(master.handle(Event::Params(Params { accept: true, ..params })), install);
        let owner = Params { accept: true, priority: Priority::OWNER, ..params };
        assert_eq!(master.handle(Event::Params(owner)), Actions::NONE, "it accepts as before");
        assert_eq!(master.handle(Event::Params(Params { accept: false, ..owner })), Actions::NONE, "owners do");
        assert_eq!(master.handle(Event::Params(params)), install);
        let mut backup = super::router(100, interval, Auth::None);
        assert_eq!(backup.handle(Event::Params(Params { accept: true, ..params })).addresses, None);
    }
}

/// A Master whose source changes goes on from the new one, and ties are broken by it.
#[test]
fn a_change_of_source_is_followed_and_its_loss_ends_in_initialize_without_a_release() {
    let mut master = master(router(100));
    assert_eq!(master.handle(Event::Link(Link::Up(local(9)))), Actions::NONE);
    let mut buffer = [0; 64];
    let sent = master.emit(Advertise::Claim, GROUP, &mut buffer).unwrap();
    assert!(Advert::parse(sent, Family::V6).unwrap().verify(local(9), GROUP).is_ok());
    let tie = Datagram { priority: 100, ..right() };
    let notices = Notices::LOSING | Notices::EQUAL_PRIORITY;
    assert_eq!(tie.received_by(&mut master).unwrap().1, notices, "fe80::6 is below fe80::9");
    let actions = master.handle(Event::Link(Link::NoAddress));
    assert_eq!((actions.advertise, actions.addresses), (None, Some(Addresses::Remove)));
    let transition = actions.transition.unwrap();
    assert_eq!((transition.to, transition.cause), (Role::Initialize, Cause::NoPrimaryAddress));
    assert_eq!(master.last_event(), "vrrp-event-no-primary-ip-address");
    let actions = master.handle(Event::Link(Link::Up(OWN)));
    assert_eq!(actions.transition.map(|t| (t.to, t.cause)), Some((Role::Backup, Cause::PrimaryAddress)));
    assert_eq!(master.last_event(), "vrrp-event-primary-ip-address");
}

#[test]
fn weaker_adverts_and_preemptions_are_counted() {
    for (mut backup, weaker) in [
        (super::router(200, secs(1), Auth::None), super::right()),
        (super::router(200, centis(100), Auth::None), right_v3()),
        (router(200), right()),
    ] {
        assert_eq!(backup.last_event(), "vrrp-event-startup");
        assert_eq!(weaker.received_by(&mut backup), Ok((Actions::NONE, Notices::empty())));
        assert_eq!(backup.counters().get(Counter::WeakerIgnored), 1);
        let _ = backup.handle(Event::Expired(Timer::MasterDown));
        assert_eq!(backup.counters().get(Counter::Preemptions), 1);
        assert_eq!(backup.last_event(), "vrrp-event-lower-priority-master");
    }
}

#[test]
fn a_router_that_never_started_has_no_event() {
    assert_eq!(VirtualRouter::new(config(100)).last_event(), "vrrp-event-none");
}
