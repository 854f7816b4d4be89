//! Deadlines: anchored at events, without drift or bursts; an overdue Master; changes of parameters.

use core::net::Ipv4Addr;
use std::boxed::Box;

use super::*;
use crate::auth::Auth;
use crate::fsm::{Addresses, Advertise, Cause, Hold, Link, Params, Role, Rules};
use crate::router::{ChecksumPolicy, RouterConfig};
use crate::rx::{Meta, TTL};
use crate::types::{AdvertInterval, Priority, Vrid};
use crate::wire::advert::{AdvertRepr, ChecksumForm};

mod doubt;
mod rules;

type Router = Timed<Duration, Box<[IpAddr]>>;
type Outcome = Result<(Actions, Notices), Discard>;

const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 6));
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
const SKEW_100: Duration = Duration::from_micros(609_375);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn params(priority: u8, interval: AdvertInterval) -> Params {
    Params { priority: Priority::new(priority).unwrap(), interval, preempt: true, accept: false, rules: Rules::DEFAULT }
}

fn secs(seconds: u8) -> AdvertInterval {
    AdvertInterval::from_secs(seconds).unwrap()
}

fn centis(centiseconds: u16) -> AdvertInterval {
    AdvertInterval::from_centis(centiseconds).unwrap()
}

fn stopped(params: Params) -> Router {
    Timed::new(VirtualRouter::new(RouterConfig {
        vrid: Vrid::new(7).unwrap(),
        params,
        addresses: AddressList::new(Box::from([[10, 0, 0, 100].into()])).unwrap(),
        auth: Auth::None,
        checksum: ChecksumPolicy::default(),
    }))
}

/// A Backup since the time 0.
fn backup(params: Params) -> Router {
    let mut router = stopped(params);
    assert_eq!(router.deadline(), None);
    let _ = router.handle(Duration::ZERO, Event::Link(Link::Up(OWN)));
    let _ = router.handle(Duration::ZERO, Event::Enabled(true));
    router
}

/// A Master and the time of its first advert.
fn master(params: Params) -> (Router, Duration) {
    let mut router = backup(params);
    let start = router.deadline().unwrap();
    assert_eq!(router.expire(start).advertise, Some(Advertise::Claim));
    (router, start)
}

fn advert(priority: u8, interval: AdvertInterval) -> Event {
    Event::Advert { from: PEER, priority: Priority::new(priority), interval }
}

/// The same through the ladder, as octets from the peer.
fn receive(router: &mut Router, at: Duration, priority: u8, interval: AdvertInterval) -> Outcome {
    let addresses = [[10, 0, 0, 100].into()];
    let repr = AdvertRepr {
        vrid: Vrid::new(7).unwrap(),
        priority: Priority::new(priority),
        interval,
        password: None,
        addresses: AddressList::new(&addresses[..]).unwrap(),
        checksum: ChecksumForm::Message,
    };
    let mut buffer = [0; 64];
    let message = repr.emit(PEER, GROUP, &mut buffer).unwrap();
    let meta = Meta { source: PEER, destination: GROUP, ttl: TTL };
    router.receive(at, &Received::check(&meta, message, GROUP).unwrap())
}

fn role(router: &Router) -> Role {
    router.router().machine().state.role()
}

#[test]
fn r29_a_backup_waits_from_the_event_that_started_it() {
    assert_eq!(backup(params(100, secs(1))).deadline(), Some(ms(3000) + SKEW_100));
}

#[test]
fn a_deadline_does_not_fire_early_and_fires_on_time() {
    let mut router = backup(params(100, secs(1)));
    let deadline = router.deadline().unwrap();
    assert_eq!(router.expire(deadline.checked_sub(Duration::from_nanos(1)).unwrap()), Actions::NONE);
    assert_eq!(role(&router), Role::Backup);
    assert_eq!(router.expire(deadline).advertise, Some(Advertise::Claim));
    assert_eq!(role(&router), Role::Master);
}

#[test]
fn r43_adverts_do_not_drift() {
    let (mut router, start) = master(params(100, secs(1)));
    for k in 1..200u32 {
        let deadline = start + k * ms(1000);
        assert_eq!(router.deadline(), Some(deadline));
        let late = if k % 2 == 0 { ms(400) } else { ms(3) };
        assert_eq!(router.expire(deadline + late).advertise, Some(Advertise::Claim));
    }
}

#[test]
fn the_first_advert_counts_from_the_deadline_of_the_takeover() {
    let mut router = backup(params(100, secs(1)));
    let deadline = router.deadline().unwrap();
    let _ = router.expire(deadline + ms(300));
    assert_eq!(router.deadline(), Some(deadline + ms(1000)));
}

#[test]
fn missed_periods_are_skipped_and_the_phase_is_kept() {
    let (mut router, start) = master(params(100, secs(1)));
    // Due at 1 s, fired at 2.9 s after the last advert: one advert, the next at 3 s.
    assert_eq!(router.expire(start + ms(2900)).advertise, Some(Advertise::Claim));
    assert_eq!(router.deadline(), Some(start + ms(3000)));
    assert_eq!(router.expire(start + ms(2900)), Actions::NONE, "not a burst");
    let skipped = |router: &Router| router.router().counters().get(Counter::AdvertsSkipped);
    assert_eq!(skipped(&router), 1, "the one of 2 s");
    let _ = router.expire(start + ms(3900));
    assert_eq!(skipped(&router), 1, "late, and none is missing");
}

#[test]
fn a_period_that_ends_now_is_in_the_past() {
    let (mut router, start) = master(params(100, secs(1)));
    let _ = router.expire(start + ms(2000));
    assert_eq!(router.deadline(), Some(start + ms(3000)));
}

#[test]
fn a_takeover_a_minute_late_sends_one_advert_and_is_not_overdue_at_once() {
    for interval in [secs(1), centis(10)] {
        let mut router = backup(params(100, interval));
        let first = router.deadline().unwrap();
        let now = first + ms(60_020);
        let actions = router.expire(now);
        assert_eq!(actions.advertise, Some(Advertise::Claim));
        let next = router.deadline().unwrap();
        assert!(next > now && next <= now + interval.duration(), "{next:?}");
        assert_eq!(router.expire(now), Actions::NONE);
        let actions = router.expire(next);
        assert_eq!((actions.advertise, actions.transition), (Some(Advertise::Claim), None));
    }
    let mut router = backup(params(100, secs(1)));
    let first = router.deadline().unwrap();
    let _ = router.expire(first + ms(60_020));
    assert_eq!(router.deadline(), Some(first + ms(61_000)), "first deadline + k x interval");
}

#[test]
fn an_overdue_master_steps_back_first() {
    let shortest = params(100, secs(1)).shortest_master_down_interval();
    let (mut router, start) = master(params(100, secs(1)));
    let now = start + shortest;
    let actions = router.expire(now);
    assert_eq!(actions.advertise, None);
    assert_eq!(actions.transition.map(|t| (t.to, t.cause)), Some((Role::Backup, Cause::Overdue)));
    assert_eq!(router.deadline(), Some(now + ms(3000) + SKEW_100), "it listens for a whole Master_Down_Interval");
    let counters = router.router().counters();
    assert_eq!((counters.get(Counter::Overdue), counters.get(Counter::AdvertsSkipped)), (1, 0));
}

#[test]
fn a_master_that_is_merely_late_stays() {
    let (mut router, start) = master(params(100, secs(1)));
    let now =
        (start + params(100, secs(1)).shortest_master_down_interval()).checked_sub(Duration::from_nanos(1)).unwrap();
    assert_eq!(router.expire(now).advertise, Some(Advertise::Claim));
    assert_eq!(role(&router), Role::Master);
}

#[test]
fn an_overdue_master_steps_back_before_it_hears_an_advert() {
    let (router, start) = master(params(100, secs(1)));
    let at = start + ms(3500);
    for (priority, deadline) in [(50, at + ms(3000) + SKEW_100), (200, at + ms(3000) + SKEW_100), (0, at + SKEW_100)] {
        let mut router = router.clone();
        let actions = router.handle(at, advert(priority, secs(1)));
        assert_eq!((actions.advertise, actions.announce), (None, false));
        assert_eq!(actions.transition.map(|t| t.cause), Some(Cause::Overdue));
        assert_eq!(router.deadline(), Some(deadline), "{priority}");
        let timer = TimerOp::Set(Timer::MasterDown, deadline.checked_sub(at).unwrap());
        assert_eq!(actions.timer, Some(timer));
    }
}

/// Nor does it say goodbye, whatever ends it: its successor's Backups would believe that the successor did.
#[test]
fn an_overdue_master_sends_no_release() {
    let (router, start) = master(params(100, secs(1)));
    let late = start + params(100, secs(1)).shortest_master_down_interval();
    for (event, cause) in [
        (Event::Enabled(false), Cause::Shutdown),
        (Event::Healthy(false), Cause::Fault),
        (Event::Limit(Limit::Stopped), Cause::GroupStopped),
        (Event::Limit(Limit::Fault), Cause::GroupFault),
        (Event::Limit(Limit::Backup), Cause::Overdue),
        (Event::Hold(Some(Hold::Maintenance)), Cause::Overdue),
    ] {
        for (at, release) in [(start + ms(1500), Some(Advertise::Release)), (late, None)] {
            let actions = router.clone().handle(at, event);
            assert_eq!(
                (actions.advertise, actions.addresses),
                (release, Some(Addresses::Remove)),
                "{event:?} at {at:?}"
            );
            if at == late {
                assert_eq!(actions.transition.map(|t| t.cause), Some(cause));
            }
        }
    }
}

#[test]
fn an_advert_counts_from_its_arrival_not_from_its_processing() {
    let mut router = backup(params(100, secs(1)));
    let actions = router.handle(ms(2000), advert(150, secs(1)));
    assert!(actions.timer.is_some());
    assert_eq!(router.deadline(), Some(ms(5000) + SKEW_100));
    assert_eq!(router.expire(ms(5000)), Actions::NONE);
}

/// Of adverts that are fed out of order the one that arrived last counts, whatever the older ones say.
#[test]
fn an_advert_that_comes_out_of_order_does_not_move_the_deadline_back() {
    for interval in [secs(1), centis(100)] {
        for older in [150, 50, 100, 0] {
            let mut router = backup(params(100, interval));
            let _ = router.handle(ms(2000), advert(150, interval));
            let (machine, deadline) = (*router.router().machine(), router.deadline());
            assert_eq!(deadline, Some(ms(5000) + SKEW_100));
            assert_eq!(router.handle(ms(1999), advert(older, interval)), Actions::NONE);
            assert_eq!((router.deadline(), *router.router().machine()), (deadline, machine));
        }
        let mut router = backup(params(100, interval));
        let _ = router.handle(ms(2000), advert(0, interval));
        let _ = router.handle(ms(1999), advert(150, interval));
        assert_eq!(router.deadline(), Some(ms(2000) + SKEW_100), "the release is the newer word");
        let _ = router.handle(ms(2000), advert(150, interval));
        assert_eq!(router.deadline(), Some(ms(5000) + SKEW_100), "at the same time: the one that is fed last");
    }
}

/// The same through the ladder, where it is counted, told, and refused as any other.
#[test]
fn a_datagram_that_comes_out_of_order_is_counted_and_moves_nothing() {
    let mut router = backup(params(100, centis(100)));
    let mut hear = |at, priority, interval| {
        let outcome = receive(&mut router, at, priority, interval);
        let received = router.router().counters().get(crate::Counter::AdvertsReceived);
        (outcome, router.deadline(), received)
    };
    let (first, deadline, _) = hear(ms(2000), 150, centis(100));
    assert!(first.unwrap().0.timer.is_some());
    let older = hear(ms(1500), 100, centis(50));
    assert_eq!(older, (Ok((Actions::NONE, Notices::INTERVAL | Notices::EQUAL_PRIORITY)), deadline, 2));
    let wrong = Discard::Version { ours: crate::Version::V3, theirs: crate::Version::V2 };
    assert_eq!(hear(ms(1500), 150, secs(1)), (Err(wrong), deadline, 2));
    assert_eq!(hear(ms(2001), 150, centis(100)).1, deadline.map(|at| at + ms(1)));
}

/// A Master's Adver_Timer is no bar: an older advert of a stronger router makes it yield, from when it arrived.
#[test]
fn a_master_hears_what_arrived_before_its_last_advert() {
    let (mut router, start) = master(params(100, secs(1)));
    let at = start.checked_sub(ms(1)).unwrap();
    assert_eq!(router.handle(at, advert(150, secs(1))).transition.map(|t| t.to), Some(Role::Backup));
    assert_eq!(router.deadline(), Some(at + ms(3000) + SKEW_100));
}

#[test]
fn r36_a_release_makes_the_wait_short() {
    let mut router = backup(params(100, secs(1)));
    let _ = router.handle(ms(500), advert(0, secs(1)));
    assert_eq!(router.deadline(), Some(ms(500) + SKEW_100));
}

#[test]
fn r38_a_weaker_advert_does_not_move_the_deadline() {
    let mut router = backup(params(100, secs(1)));
    let before = router.deadline();
    let _ = router.handle(ms(1000), advert(99, secs(1)));
    assert_eq!(router.deadline(), before);
}

#[test]
fn r113_an_answer_does_not_move_the_deadline() {
    let (mut router, start) = master(params(100, secs(1)));
    let before = router.deadline();
    assert_eq!(router.handle(start + ms(300), advert(99, secs(1))).advertise, Some(Advertise::Claim));
    assert_eq!(router.deadline(), before);
}

#[test]
fn a_stop_cancels_and_a_stale_expiry_is_ignored() {
    let mut router = backup(params(100, secs(1)));
    let stale = router.deadline().unwrap();
    let _ = router.handle(ms(1000), Event::Enabled(false));
    assert_eq!(router.deadline(), None);
    assert_eq!(router.expire(stale + ms(10_000)), Actions::NONE);
    let _ = router.handle(ms(2000), Event::Enabled(true));
    assert_eq!(router.expire(stale), Actions::NONE, "the new timer is not the old one's to fire");
}

/// A tracker that moves the priority every second must not keep a Backup from taking over.
#[test]
fn changes_of_priority_do_not_postpone_a_takeover() {
    let mut router = backup(params(100, secs(1)));
    for second in 1..=3u8 {
        let priority = if second % 2 == 0 { 100 } else { 90 };
        let _ = router.handle(ms(1000 * u64::from(second)), Event::Params(params(priority, secs(1))));
    }
    let deadline = router.deadline().unwrap();
    assert!(deadline <= ms(4000), "{deadline:?}");
    assert_eq!(router.expire(deadline).advertise, Some(Advertise::Claim));
}

#[test]
fn a_change_of_priority_counts_from_where_the_timer_was_set() {
    let mut router = backup(params(100, secs(1)));
    let _ = router.handle(ms(2000), Event::Params(params(200, secs(1))));
    assert_eq!(router.deadline(), Some(ms(3000) + 56 * Duration::from_nanos(3_906_250)));
}

/// The peers wait three of the *old* intervals: no reason to believe that they took over.
#[test]
fn a_master_whose_interval_shrinks_is_not_overdue() {
    let (mut router, start) = master(params(100, centis(1000)));
    let now = start + ms(8000);
    let _ = router.handle(now, Event::Params(params(100, centis(100))));
    assert_eq!(router.deadline(), Some(start + ms(1000)));
    let actions = router.expire(now);
    assert_eq!((actions.advertise, actions.transition), (Some(Advertise::Claim), None));
    assert_eq!(router.deadline(), Some(start + ms(9000)));
}

/// The peers learnt the short interval and wait three of it.
#[test]
fn a_master_whose_interval_grows_speaks_once_more_in_the_old_one_and_is_held_to_it() {
    let (mut router, start) = master(params(100, centis(100)));
    let _ = router.handle(start + ms(500), Event::Params(params(100, centis(1000))));
    assert_eq!(router.deadline(), Some(start + ms(1000)));
    let mut stalled = router.clone();
    assert_eq!(stalled.expire(start + ms(4000)).transition.map(|t| t.cause), Some(Cause::Overdue));
    assert_eq!(router.expire(start + ms(1000)).advertise, Some(Advertise::Claim));
    assert_eq!(router.deadline(), Some(start + ms(11_000)));
}

#[test]
fn a_received_datagram_moves_the_deadline_and_a_refused_one_does_not() {
    let mut router = backup(params(100, secs(1)));
    let refused = receive(&mut router, ms(1000), 150, secs(2));
    assert!(matches!(refused, Err(Discard::Interval { .. })));
    assert_eq!(router.deadline(), Some(ms(3000) + SKEW_100));
    assert!(receive(&mut router, ms(1000), 150, secs(1)).unwrap().0.timer.is_some());
    assert_eq!(router.deadline(), Some(ms(4000) + SKEW_100));
}

/// What a router costs, beside its addresses: for thousands of them on a host.
#[test]
#[cfg(target_pointer_width = "64")]
fn a_router_and_its_timer_are_small() {
    use crate::counters::{Counter, Counters};
    assert_eq!(size_of::<Counters>(), 8 * Counter::ALL.len());
    let rest = size_of::<VirtualRouter<Box<[IpAddr]>>>() - size_of::<Counters>();
    assert!(rest <= 256, "{rest}");
    let timer = size_of::<Router>() - size_of::<VirtualRouter<Box<[IpAddr]>>>();
    assert!(timer <= 64, "{timer}");
}

/// The rules of deadlines once more at 100 cs, where Skew_Time scales with the interval.
#[test]
fn r76_deadlines_of_version_3() {
    let skew = SKEW_100;
    let mut router = backup(params(100, centis(100)));
    assert_eq!(router.deadline(), Some(ms(3000) + skew));
    let _ = router.handle(ms(500), advert(200, centis(50)));
    assert_eq!(router.deadline(), Some(ms(500) + ms(1500) + skew / 2), "three of the Master's intervals, and its skew");
    let _ = router.handle(ms(600), advert(0, centis(50)));
    assert_eq!(router.deadline(), Some(ms(600) + skew / 2));
    let (mut master, start) = master(params(100, centis(100)));
    assert_eq!(master.expire(start + ms(2900)).advertise, Some(Advertise::Claim), "late, not overdue");
    assert_eq!(master.deadline(), Some(start + ms(3000)), "missed periods are skipped");
    let before = master.deadline();
    assert_eq!(master.handle(start + ms(2950), advert(99, centis(100))).advertise, Some(Advertise::Claim));
    assert_eq!(master.handle(start + ms(2960), advert(99, centis(100))).advertise, None, "once an interval");
    assert_eq!(master.deadline(), before);
    let overdue = start + ms(2900) + params(100, centis(100)).shortest_master_down_interval();
    assert_eq!(master.expire(overdue).transition.map(|t| t.cause), Some(Cause::Overdue));
}

/// 10 ms: the shortest common interval keeps its phase and its rule of lateness.
#[test]
fn r70_a_centisecond_is_an_interval() {
    let (mut router, start) = master(params(100, centis(1)));
    for k in 1..=300u32 {
        let deadline = start + k * ms(10);
        assert_eq!(router.deadline(), Some(deadline));
        assert_eq!(router.expire(deadline + ms(2)).advertise, Some(Advertise::Claim));
    }
    let shortest = params(100, centis(1)).shortest_master_down_interval();
    assert_eq!(shortest, ms(30) + Duration::from_nanos(39_063));
    let now = start + ms(3000) + shortest;
    assert_eq!(router.expire(now).transition.map(|t| t.cause), Some(Cause::Overdue));
}
