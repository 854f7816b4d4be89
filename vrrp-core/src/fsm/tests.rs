//! The machine against the RFC: clause by clause with literal values here, every cell in `table`, at random in `sequences`.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::vec::Vec;

use super::*;

mod sequences;
mod table;

const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
const LOWER_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 4));
const HIGHER_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 6));

fn prio(priority: u8) -> Priority {
    Priority::new(priority).unwrap()
}

fn secs(seconds: u8) -> AdvertInterval {
    AdvertInterval::from_secs(seconds).unwrap()
}

fn centis(centiseconds: u16) -> AdvertInterval {
    AdvertInterval::from_centis(centiseconds).unwrap()
}

fn params(priority: u8, interval: AdvertInterval, preempt: bool) -> Params {
    Params { priority: prio(priority), interval, preempt, accept: false, rules: Rules::DEFAULT }
}

/// A running machine in `state`.
fn in_state(params: Params, state: State) -> Machine {
    Machine { enabled: true, link: Link::Up(OWN), state, ..Machine::new(params) }
}

fn initialize(params: Params) -> Machine {
    Machine { enabled: false, ..in_state(params, State::Initialize) }
}

fn backup(params: Params) -> Machine {
    in_state(params, State::Backup { heard: Heard::Master, master_interval: params.interval, due: false })
}

fn master(params: Params) -> Machine {
    in_state(params, State::Master { answered: false })
}

fn advert(from: IpAddr, priority: u8, interval: AdvertInterval) -> Event {
    Event::Advert { from, priority: Priority::new(priority), interval }
}

#[expect(clippy::unnecessary_wraps, reason = "the type of a field of Actions")]
fn transition(from: Role, to: Role, cause: Cause) -> Option<Transition> {
    Some(Transition { from, to, cause })
}

#[expect(clippy::unnecessary_wraps, reason = "the type of a field of Actions")]
fn set(timer: Timer, nanos: u64) -> Option<TimerOp> {
    Some(TimerOp::Set(timer, Duration::from_nanos(nanos)))
}

const V2: AdvertInterval = match AdvertInterval::from_secs(1) {
    Some(interval) => interval,
    None => panic!("not 0"),
};

#[test]
fn r28_the_owner_starts_as_master() {
    let (next, actions) = initialize(params(255, V2, true)).step(Event::Enabled(true));
    assert_eq!(next.state, State::Master { answered: false });
    let expected = Actions {
        advertise: Some(Advertise::Claim),
        addresses: Some(Addresses::Install),
        announce: true,
        timer: set(Timer::Adver, 1_000_000_000),
        delay: None,
        transition: transition(Role::Initialize, Role::Master, Cause::Startup),
    };
    assert_eq!(actions, expected);
}

#[test]
fn r29_any_other_router_starts_as_backup() {
    let (next, actions) = initialize(params(100, V2, true)).step(Event::Enabled(true));
    assert_eq!(next.state, State::Backup { heard: Heard::Master, master_interval: V2, due: false });
    assert_eq!(actions.timer, set(Timer::MasterDown, 3_609_375_000), "3 s and 156/256 s");
    assert_eq!(actions.transition, transition(Role::Initialize, Role::Backup, Cause::Startup));
    assert_eq!((actions.advertise, actions.announce), (None, false));
}

#[test]
fn r30_nothing_else_has_an_effect_in_initialize() {
    let machine = initialize(params(100, V2, true));
    for event in [
        advert(HIGHER_ADDRESS, 255, V2),
        advert(HIGHER_ADDRESS, 0, V2),
        Event::Expired(Timer::MasterDown),
        Event::Expired(Timer::Adver),
        Event::Overdue,
    ] {
        assert_eq!(machine.step(event), (machine, Actions::NONE), "{event:?}");
    }
}

#[test]
fn r34_a_backup_stops_without_a_packet() {
    let (next, actions) = backup(params(100, V2, true)).step(Event::Enabled(false));
    assert_eq!(next.state, State::Initialize);
    let expected = Actions {
        timer: Some(TimerOp::Cancel),
        delay: None,
        transition: transition(Role::Backup, Role::Initialize, Cause::Shutdown),
        ..Actions::NONE
    };
    assert_eq!(actions, expected);
}

#[test]
fn r35_r80_silence_makes_a_master() {
    let (next, actions) = backup(params(100, V2, true)).step(Event::Expired(Timer::MasterDown));
    assert_eq!(next.state, State::Master { answered: false });
    let expected = Actions {
        advertise: Some(Advertise::Claim),
        addresses: Some(Addresses::Install),
        announce: true,
        timer: set(Timer::Adver, 1_000_000_000),
        delay: None,
        transition: transition(Role::Backup, Role::Master, Cause::MasterTimeout),
    };
    assert_eq!(actions, expected);
}

#[test]
fn r36_a_release_shortens_the_wait_to_skew_time_whatever_preempt_mode() {
    for preempt in [true, false] {
        let (next, actions) = backup(params(100, V2, preempt)).step(advert(LOWER_ADDRESS, 0, V2));
        assert_eq!(actions, Actions { timer: set(Timer::MasterDown, 609_375_000), ..Actions::NONE });
        let (_, actions) = next.step(Event::Expired(Timer::MasterDown));
        assert_eq!(actions.transition, transition(Role::Backup, Role::Master, Cause::Released));
    }
}

#[test]
fn r37_equal_priority_is_followed_from_any_address() {
    for from in [LOWER_ADDRESS, HIGHER_ADDRESS] {
        let (next, actions) = backup(params(100, V2, true)).step(advert(from, 100, V2));
        assert_eq!(next, backup(params(100, V2, true)));
        assert_eq!(actions, Actions { timer: set(Timer::MasterDown, 3_609_375_000), ..Actions::NONE });
    }
}

#[test]
fn r37_without_preemption_a_weaker_master_is_followed() {
    let (_, actions) = backup(params(100, V2, false)).step(advert(LOWER_ADDRESS, 1, V2));
    assert_eq!(actions.timer, set(Timer::MasterDown, 3_609_375_000));
}

#[test]
fn r38_a_weaker_master_is_replaced_at_the_natural_expiry() {
    let (next, actions) = backup(params(100, V2, true)).step(advert(HIGHER_ADDRESS, 99, V2));
    assert_eq!(actions, Actions::NONE);
    let (_, actions) = next.step(Event::Expired(Timer::MasterDown));
    assert_eq!(actions.transition, transition(Role::Backup, Role::Master, Cause::LowerPriorityMaster));
}

/// R25: Preempt_Mode is not the owner's to switch off.
#[test]
fn r25_the_owner_preempts_whatever_preempt_mode() {
    let owner = backup(params(255, centis(100), false));
    let (next, actions) = owner.step(advert(HIGHER_ADDRESS, 254, centis(100)));
    assert_eq!(actions, Actions::NONE);
    let (_, actions) = next.step(Event::Expired(Timer::MasterDown));
    assert_eq!(actions.transition, transition(Role::Backup, Role::Master, Cause::LowerPriorityMaster));
}

#[test]
fn r42_a_master_stops_with_a_release() {
    let (next, actions) = master(params(100, V2, true)).step(Event::Enabled(false));
    assert_eq!(next.state, State::Initialize);
    let expected = Actions {
        advertise: Some(Advertise::Release),
        addresses: Some(Addresses::Remove),
        announce: false,
        timer: Some(TimerOp::Cancel),
        delay: None,
        transition: transition(Role::Master, Role::Initialize, Cause::Shutdown),
    };
    assert_eq!(actions, expected);
}

#[test]
fn r42_without_a_link_there_is_nothing_to_send_the_release_from() {
    for (link, cause) in [(Link::Down, Cause::InterfaceDown), (Link::NoAddress, Cause::NoPrimaryAddress)] {
        let (next, actions) = master(params(100, V2, true)).step(Event::Link(link));
        assert_eq!(actions.advertise, None);
        assert_eq!(actions.addresses, Some(Addresses::Remove));
        assert_eq!(actions.transition, transition(Role::Master, Role::Initialize, cause));
        assert_eq!(next.state, State::Initialize);
    }
}

#[test]
fn r43_r83_adver_timer_advertises_and_runs_again() {
    let (next, actions) = master(params(100, V2, true)).step(Event::Expired(Timer::Adver));
    assert_eq!(next, master(params(100, V2, true)));
    let timer = set(Timer::Adver, 1_000_000_000);
    assert_eq!(actions, Actions { advertise: Some(Advertise::Claim), timer, ..Actions::NONE });
}

#[test]
fn r44_a_master_answers_a_release_and_restarts_its_timer() {
    let (next, actions) = master(params(100, V2, true)).step(advert(HIGHER_ADDRESS, 0, V2));
    assert_eq!(next, master(params(100, V2, true)));
    let timer = set(Timer::Adver, 1_000_000_000);
    assert_eq!(actions, Actions { advertise: Some(Advertise::Claim), timer, ..Actions::NONE });
}

#[test]
fn r45_a_master_yields_to_a_higher_priority_or_a_higher_address_whatever_preempt_mode() {
    for preempt in [true, false] {
        for (from, priority) in [(LOWER_ADDRESS, 101), (HIGHER_ADDRESS, 100)] {
            let (next, actions) = master(params(100, V2, preempt)).step(advert(from, priority, V2));
            assert_eq!(next.state, State::Backup { heard: Heard::Master, master_interval: V2, due: false });
            let cause = Cause::HigherPriority { from, priority: prio(priority) };
            let expected = Actions {
                // So that the winner of a healed partition learns that there were two.
                advertise: Some(Advertise::Claim),
                addresses: Some(Addresses::Remove),
                announce: false,
                timer: set(Timer::MasterDown, 3_609_375_000),
                delay: None,
                transition: transition(Role::Master, Role::Backup, cause),
            };
            assert_eq!(actions, expected);
        }
    }
}

/// R100: the addresses are compared as unsigned integers in network byte order.
#[test]
fn r100_addresses_compare_from_the_first_octet() {
    let mut machine = master(params(100, V2, true));
    machine.link = Link::Up([10, 0, 1, 0].into());
    let from = |octets: [u8; 4]| machine.step(advert(octets.into(), 100, V2)).0.state.role();
    assert_eq!(from([10, 0, 0, 255]), Role::Master);
    assert_eq!(from([10, 0, 1, 1]), Role::Backup);
    assert_eq!(from([9, 255, 255, 255]), Role::Master);
    assert_eq!(from([200, 0, 0, 0]), Role::Backup);
}

#[test]
fn r46_r113_a_losing_advert_is_answered_once_an_interval() {
    for interval in [V2, centis(100)] {
        let machine = master(params(100, interval, true));
        for losing in [advert(HIGHER_ADDRESS, 99, interval), advert(LOWER_ADDRESS, 100, interval)] {
            let (answered, actions) = machine.step(losing);
            let expected = Actions { advertise: Some(Advertise::Claim), announce: true, ..Actions::NONE };
            assert_eq!(actions, expected, "Adver_Timer is left alone");
            assert_eq!(answered.step(losing), (answered, Actions::NONE), "the second one is not answered");
            let (again, _) = answered.step(Event::Expired(Timer::Adver));
            assert_eq!(again.step(losing).1, expected, "after an interval it is");
        }
    }
}

#[test]
fn r75_r81_r99_version_3_learns_the_masters_interval() {
    let (next, actions) = backup(params(100, centis(100), true)).step(advert(HIGHER_ADDRESS, 200, centis(10)));
    assert_eq!(next.state, State::Backup { heard: Heard::Master, master_interval: centis(10), due: false });
    // 300 ms and 156/256 of 100 ms.
    assert_eq!(actions.timer, set(Timer::MasterDown, 360_937_500));
    let (_, actions) = next.step(advert(HIGHER_ADDRESS, 0, centis(10)));
    assert_eq!(actions.timer, set(Timer::MasterDown, 60_937_500), "Skew_Time follows the learnt interval");
}

#[test]
fn r84_version_3_learns_the_interval_when_it_yields() {
    let (next, actions) = master(params(100, centis(100), true)).step(advert(HIGHER_ADDRESS, 200, centis(200)));
    assert_eq!(next.state, State::Backup { heard: Heard::Master, master_interval: centis(200), due: false });
    assert_eq!(actions.timer, set(Timer::MasterDown, 6_000_000_000 + 1_218_750_000));
}

#[test]
fn r81_a_discarded_advert_teaches_nothing() {
    let (next, _) = backup(params(100, centis(100), true)).step(advert(HIGHER_ADDRESS, 50, centis(10)));
    assert_eq!(next.state, State::Backup { heard: Heard::Weaker, master_interval: centis(100), due: false });
}

#[test]
fn an_overdue_master_steps_back() {
    let (next, actions) = master(params(100, V2, true)).step(Event::Overdue);
    assert_eq!(next, backup(params(100, V2, true)));
    assert_eq!(actions.addresses, Some(Addresses::Remove));
    assert_eq!(actions.timer, set(Timer::MasterDown, 3_609_375_000));
    assert_eq!(actions.transition, transition(Role::Master, Role::Backup, Cause::Overdue));
}

#[test]
fn becoming_the_owner_in_backup_takes_over_at_once() {
    let (next, actions) = backup(params(100, V2, false)).step(Event::Params(params(255, V2, false)));
    assert_eq!(next.state, State::Master { answered: false });
    assert_eq!(actions.transition, transition(Role::Backup, Role::Master, Cause::OwnerPreempt));
}

/// Otherwise the peers, which learnt the shorter interval, would take over before they hear of the longer one.
#[test]
fn a_master_whose_interval_grows_announces_it_when_the_old_one_ends() {
    let (next, actions) = master(params(100, centis(100), true)).step(Event::Params(params(100, centis(1000), true)));
    assert_eq!(actions, Actions::NONE);
    assert_eq!(next.step(Event::Expired(Timer::Adver)).1.timer, set(Timer::Adver, 10_000_000_000));
}

#[test]
fn a_master_whose_interval_shrinks_does_not_wait_for_the_old_one() {
    let (_, actions) = master(params(100, centis(1000), true)).step(Event::Params(params(100, centis(100), true)));
    assert_eq!(actions.timer, Some(TimerOp::Amend(Timer::Adver, Duration::from_secs(1))));
}

/// The Master still advertises once a second: believing our own new interval would take over between two adverts.
#[test]
fn a_backup_whose_interval_shrinks_keeps_the_masters() {
    let (next, actions) = backup(params(100, centis(100), true)).step(Event::Params(params(100, centis(10), true)));
    assert_eq!(next.state, State::Backup { heard: Heard::Master, master_interval: centis(100), due: false });
    assert_eq!(actions.timer, Some(TimerOp::Amend(Timer::MasterDown, Duration::from_micros(3_609_375))));
}

#[test]
fn a_backup_whose_version_changes_counts_in_the_new_unit() {
    for (before, after) in [(secs(2), centis(300)), (centis(300), secs(1))] {
        let (next, _) = backup(params(100, before, true)).step(Event::Params(params(100, after, true)));
        assert_eq!(next.state, State::Backup { heard: Heard::Master, master_interval: after, due: false });
    }
}

#[test]
fn r23_skew_time_of_version_2_is_exact_and_does_not_scale() {
    for interval in [1, 2, 255] {
        for priority in 1..=255u8 {
            let skew = params(priority, secs(interval), true).skew_time(secs(interval));
            assert_eq!(skew, Duration::from_nanos((256 - u64::from(priority)) * 3_906_250), "{priority}");
        }
    }
}

#[test]
fn r24_master_down_interval_at_the_extremes_of_version_2() {
    let span = |priority, interval| params(priority, secs(interval), true).master_down_interval(secs(interval));
    assert_eq!(span(255, 1), Duration::from_nanos(3_003_906_250));
    assert_eq!(span(1, 1), Duration::from_nanos(3_996_093_750));
    assert_eq!(span(254, 1), span(255, 1) + Duration::from_nanos(3_906_250), "neighbours differ");
    assert_eq!(span(255, 255), Duration::from_nanos(765_003_906_250));
    assert_eq!(span(1, 255), Duration::from_nanos(765_996_093_750));
}

#[test]
fn r76_skew_time_of_version_3_scales_and_is_rounded_up_to_a_nanosecond() {
    let span = |priority, cs| params(priority, centis(cs), true).skew_time(centis(cs));
    // 10 ms / 256 = 39 062.5 ns.
    assert_eq!(span(255, 1), Duration::from_nanos(39_063));
    assert_eq!(span(254, 1), Duration::from_nanos(78_125));
    assert_eq!(span(1, 1), Duration::from_nanos(9_960_938), "9 960 937.5");
    assert_eq!(span(255, 100), Duration::from_nanos(3_906_250));
    // 40.95 s / 256 = 159 960 937.5 ns.
    assert_eq!(span(255, 4095), Duration::from_nanos(159_960_938));
    assert_eq!(span(1, 4095), Duration::from_nanos(40_790_039_063), "40 790 039 062.5");
}

#[test]
fn r24_r76_no_value_overflows_and_a_higher_priority_never_waits_longer() {
    let intervals: Vec<_> = (1..=255).map(secs).chain((1..=4095).map(centis)).collect();
    for interval in intervals {
        let spans: Vec<_> = (1..=255).map(|p| params(p, interval, true).master_down_interval(interval)).collect();
        assert!(spans.windows(2).all(|pair| pair[0] > pair[1]), "{interval}");
        assert!(
            spans
                .iter()
                .all(|span| *span > 3 * interval.duration()
                    && *span < 4 * interval.duration().max(Duration::from_secs(1)))
        );
    }
}

#[test]
fn the_shortest_wait_of_any_backup_is_the_highest_prioritys() {
    let shortest = params(100, V2, true).shortest_master_down_interval();
    assert_eq!(shortest, Duration::from_nanos(3_003_906_250));
}

#[test]
fn it_runs_when_enabled_healthy_and_addressed() {
    for enabled in [false, true] {
        for healthy in [false, true] {
            for (link, usable) in [(Link::Down, false), (Link::NoAddress, false), (Link::Up(OWN), true)] {
                let machine = Machine { enabled, healthy, link, ..Machine::new(params(100, V2, true)) };
                assert_eq!(machine.runs(), enabled && healthy && usable);
            }
        }
    }
}

#[test]
fn r27_a_machine_is_small_and_copied() {
    assert!(size_of::<Machine>() <= 48, "{}", size_of::<Machine>());
    assert!(size_of::<Actions>() <= 64, "{}", size_of::<Actions>());
    assert!(size_of::<Event>() <= 24, "{}", size_of::<Event>());
}

#[test]
fn every_cause_reads_as_a_sentence_and_maps_to_a_reason() {
    /// All that RFC 8347 section 4 has.
    const EVENTS: [&str; 14] = [
        "vrrp-event-none",
        "vrrp-event-startup",
        "vrrp-event-shutdown",
        "vrrp-event-higher-priority-backup",
        "vrrp-event-master-timeout",
        "vrrp-event-interface-up",
        "vrrp-event-interface-down",
        "vrrp-event-no-primary-ip-address",
        "vrrp-event-primary-ip-address",
        "vrrp-event-no-virtual-ip-addresses",
        "vrrp-event-virtual-ip-addresses",
        "vrrp-event-preempt-hold-timeout",
        "vrrp-event-lower-priority-master",
        "vrrp-event-owner-preempt",
    ];
    use NewMasterReason::{MasterNoResponse, NotMaster, Preempted, Priority as ByPriority};
    let causes = [
        (Cause::Startup, ByPriority),
        (Cause::Shutdown, NotMaster),
        (Cause::InterfaceUp, ByPriority),
        (Cause::InterfaceDown, NotMaster),
        (Cause::PrimaryAddress, ByPriority),
        (Cause::NoPrimaryAddress, NotMaster),
        (Cause::Fault, NotMaster),
        (Cause::Recovered, ByPriority),
        (Cause::HigherPriority { from: OWN, priority: prio(7) }, NotMaster),
        (Cause::MasterTimeout, MasterNoResponse),
        (Cause::Released, ByPriority),
        (Cause::LowerPriorityMaster, Preempted),
        (Cause::OwnerPreempt, ByPriority),
        (Cause::Overdue, NotMaster),
    ];
    let texts: std::collections::BTreeSet<_> = causes.iter().map(|(cause, _)| std::format!("{cause}")).collect();
    assert_eq!(texts.len(), causes.len(), "no two causes read the same");
    assert!(texts.contains("10.0.0.5 advertised the stronger claim, priority 7"));
    for (cause, reason) in causes {
        assert_eq!(cause.new_master_reason(), reason, "{cause:?}");
        assert!(EVENTS.contains(&cause.event()), "{cause:?}");
    }
    // R119: those that are a transition's cause here, each by the cause of its name.
    let named = [
        (Cause::Startup, "startup"),
        (Cause::Shutdown, "shutdown"),
        (Cause::HigherPriority { from: OWN, priority: prio(7) }, "higher-priority-backup"),
        (Cause::MasterTimeout, "master-timeout"),
        (Cause::InterfaceUp, "interface-up"),
        (Cause::InterfaceDown, "interface-down"),
        (Cause::NoPrimaryAddress, "no-primary-ip-address"),
        (Cause::PrimaryAddress, "primary-ip-address"),
        (Cause::LowerPriorityMaster, "lower-priority-master"),
        (Cause::OwnerPreempt, "owner-preempt"),
        (Cause::Fault, "shutdown"),
        (Cause::Recovered, "startup"),
        (Cause::Released, "master-timeout"),
        (Cause::Overdue, "master-timeout"),
    ];
    for (cause, name) in named {
        assert_eq!(cause.event().strip_prefix("vrrp-event-"), Some(name));
    }
}
