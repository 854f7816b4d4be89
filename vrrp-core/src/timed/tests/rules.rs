//! What holds a claim back: a delay before a preemption, and listening before a first claim.

use proptest::prelude::*;

use super::*;
use crate::fsm::{Heard, PreemptDelay, State};

fn delayed(delay: Duration) -> Params {
    let preempt_delay = PreemptDelay::new(delay).unwrap();
    Params { rules: Rules { preempt_delay, ..Rules::DEFAULT }, ..params(100, secs(1)) }
}

fn nopreempt(interval: AdvertInterval) -> Params {
    Params { preempt: false, ..params(100, interval) }
}

const DOWN: Duration = Duration::from_micros(3_609_375);

#[test]
fn a_weaker_master_is_spared_from_its_first_advert_and_replaced_at_the_natural_expiry() {
    let mut router = backup(delayed(ms(2500)));
    for second in 1..=4u64 {
        let now = ms(1000 * second);
        assert_eq!(router.expire(now).transition, None, "{now:?}");
        let _ = router.handle(now, advert(50, secs(1)));
    }
    // From 1 s to 3.5 s; the last advert that was followed came at 3 s.
    assert_eq!(router.deadline(), Some(ms(3000) + DOWN));
    let actions = router.expire(ms(3000) + DOWN);
    assert_eq!(actions.transition.unwrap().cause, Cause::LowerPriorityMaster);
}

#[test]
fn the_end_of_the_delay_is_a_deadline_that_does_nothing_by_itself() {
    let mut router = backup(delayed(ms(700)));
    let _ = router.handle(ms(1000), advert(50, secs(1)));
    assert_eq!(router.deadline(), Some(ms(1700)));
    assert_eq!(router.expire(ms(1699)), Actions::NONE);
    assert_eq!(router.expire(ms(1700)), Actions::NONE);
    assert_eq!(router.deadline(), Some(ms(1000) + DOWN));
    let state = router.router().machine().state;
    assert!(matches!(state, State::Backup { heard: Heard::Weaker, .. }), "{state:?}");
}

#[test]
fn the_delay_stops_at_an_advert_that_is_not_weaker() {
    for other in [100, 200] {
        let mut router = backup(delayed(ms(1500)));
        let _ = router.handle(ms(1000), advert(50, secs(1)));
        let _ = router.handle(ms(2000), advert(other, secs(1)));
        assert_eq!(router.deadline(), Some(ms(2000) + DOWN));
        let _ = router.handle(ms(3000), advert(50, secs(1)));
        assert_eq!(router.deadline(), Some(ms(4500)), "it begins anew");
    }
}

#[test]
fn a_delay_that_changes_begins_anew_and_one_that_goes_ends() {
    let mut router = backup(delayed(ms(1500)));
    let _ = router.handle(ms(1000), advert(50, secs(1)));
    let _ = router.handle(ms(1200), Event::Params(delayed(ms(500))));
    assert_eq!(router.deadline(), Some(ms(1700)));
    let _ = router.handle(ms(1300), Event::Params(params(100, secs(1))));
    assert_eq!(router.deadline(), Some(ms(1000) + DOWN));
    assert_eq!(router.expire(ms(1000) + DOWN).transition.unwrap().cause, Cause::LowerPriorityMaster);
}

#[test]
fn who_ceases_to_be_backup_ends_the_delay() {
    let owner = Event::Params(Params { priority: Priority::OWNER, ..delayed(ms(60_000)) });
    for (event, wait) in [(owner, Some(ms(1000))), (Event::Enabled(false), None), (Event::Link(Link::Down), None)] {
        let mut router = backup(delayed(ms(60_000)));
        let _ = router.handle(ms(1000), advert(50, secs(1)));
        assert!(matches!(router.router().machine().state, State::Backup { heard: Heard::Spared, .. }));
        let actions = router.handle(ms(2000), event);
        assert_eq!((actions.delay, router.deadline()), (None, wait.map(|wait| ms(2000) + wait)), "{event:?}");
        let _ = router.handle(ms(3000), Event::Enabled(false));
        let _ = router.handle(ms(4000), Event::Link(Link::Up(OWN)));
        let _ = router.handle(ms(4000), Event::Params(params(100, secs(1))));
        let _ = router.handle(ms(4000), Event::Enabled(true));
        let actions = router.expire(ms(4000) + DOWN);
        assert_eq!(actions.transition.unwrap().cause, Cause::MasterTimeout, "{event:?}");
    }
}

/// Held up beyond both ends, a process believes what was the case: the Master was silent before the delay was over, or not.
#[test]
fn both_ends_in_the_past_are_taken_in_their_order() {
    for (delay, cause) in [(5000, Cause::MasterTimeout), (3000, Cause::LowerPriorityMaster)] {
        let mut router = backup(delayed(ms(delay)));
        let _ = router.handle(ms(1000), advert(50, secs(1)));
        assert_eq!(router.expire(ms(60_000)).transition.unwrap().cause, cause);
    }
}

proptest! {
    /// Whatever the delay and whatever was heard: a Master that says no more is replaced within a Master_Down_Interval of its
    /// last word.
    #[test]
    fn a_dead_master_is_replaced_whatever_the_delay(
        delay in 0..4_000_000_000u64,
        heard in prop::collection::vec((1..2000u64, prop_oneof![Just(0u8), Just(50), Just(100), Just(200)]), 1..20),
    ) {
        let mut router = backup(delayed(Duration::from_micros(delay)));
        let mut now = Duration::ZERO;
        for (wait, priority) in heard {
            now += ms(wait);
            while router.deadline().is_some_and(|deadline| deadline <= now) {
                let _ = router.expire(now);
            }
            if role(&router) == Role::Master {
                return Ok(());
            }
            let _ = router.handle(now, advert(priority, secs(1)));
        }
        let mut fired = 0;
        while role(&router) == Role::Backup {
            let deadline = router.deadline().unwrap();
            prop_assert!(deadline <= now + DOWN, "{:?}", router);
            let _ = router.expire(deadline);
            fired += 1;
            prop_assert!(fired <= 2, "{:?}", router);
        }
    }
}

#[test]
fn without_preemption_it_listens_for_three_intervals_and_three_seconds() {
    let skew = Duration::from_nanos(6_093_750);
    for (interval, listens) in [(secs(1), 3 * DOWN), (centis(1), ms(3000) + skew)] {
        let mut router = backup(nopreempt(interval));
        assert_eq!((router.listens_until(), router.deadline()), (Some(listens), Some(listens)));
        let end = listens;
        let _ = router.expire(end.checked_sub(Duration::from_nanos(1)).unwrap());
        assert_eq!(role(&router), Role::Backup);
        let actions = router.expire(end);
        assert_eq!(actions.transition.unwrap().cause, Cause::MasterTimeout);
        assert_eq!(router.deadline(), Some(end + interval.duration()), "its adverts count from there");
        assert_eq!(router.listens_until(), None);
    }
}

#[test]
fn who_has_heard_somebody_listens_no_longer() {
    for (priority, wait) in [(200, DOWN), (50, DOWN), (0, SKEW_100)] {
        let mut router = backup(nopreempt(secs(1)));
        let _ = router.handle(ms(500), advert(priority, secs(1)));
        assert_eq!((router.listens_until(), router.deadline()), (None, Some(ms(500) + wait)));
    }
}

/// Also one that could not have used what it heard, and one whose timer that does not move.
#[test]
fn who_heard_somebody_in_a_fault_or_may_preempt_since_listens_no_longer() {
    let mut router = backup(nopreempt(secs(1)));
    let _ = router.handle(ms(100), Event::Healthy(false));
    let _ = router.handle(ms(500), advert(200, secs(1)));
    let _ = router.handle(ms(1000), Event::Healthy(true));
    assert_eq!((router.listens_until(), router.deadline()), (None, Some(ms(1000) + DOWN)));
    let mut router = backup(nopreempt(secs(1)));
    let _ = router.handle(ms(100), Event::Params(params(100, secs(1))));
    assert_eq!(router.listens_until(), Some(3 * DOWN));
    let _ = router.handle(ms(500), advert(50, secs(1)));
    assert_eq!((router.listens_until(), router.deadline()), (None, Some(DOWN)), "a weaker one is not waited for");
}

#[test]
fn it_listens_again_when_its_link_comes_up_and_not_after_a_fault() {
    let mut router = backup(nopreempt(secs(1)));
    let _ = router.handle(ms(100), advert(200, secs(1)));
    for (event, again, listens) in [
        (Event::Link(Link::Down), Event::Link(Link::Up(OWN)), true),
        (Event::Link(Link::NoAddress), Event::Link(Link::Up(OWN)), true),
        (Event::Enabled(false), Event::Enabled(true), true),
        (Event::Healthy(false), Event::Healthy(true), false),
    ] {
        let _ = router.handle(ms(1000), event);
        assert_eq!(router.listens_until(), None);
        let _ = router.handle(ms(2000), again);
        assert_eq!(router.listens_until(), listens.then_some(ms(2000) + 3 * DOWN), "{event:?}");
        let _ = router.handle(ms(2000), advert(200, secs(1)));
    }
}

/// A script that nothing goes without is not known at the start, and may end well only when the network is there: neither
/// the reboot nor the link is any longer ago for that.
#[test]
fn a_fault_at_the_start_or_while_the_link_comes_up_does_not_shorten_the_listening() {
    let mut router = stopped(nopreempt(secs(1)));
    for event in [Event::Healthy(false), Event::Link(Link::Up(OWN)), Event::Enabled(true)] {
        let _ = router.handle(ms(0), event);
    }
    let _ = router.handle(ms(700), Event::Healthy(true));
    assert_eq!((role(&router), router.listens_until()), (Role::Backup, Some(3 * DOWN)), "of the start");
    for (at, event) in [
        (20_000, Event::Link(Link::Down)),
        (21_000, Event::Healthy(false)),
        (30_000, Event::Link(Link::Up(OWN))),
        (34_000, Event::Healthy(true)),
    ] {
        let _ = router.handle(ms(at), event);
    }
    assert_eq!(router.listens_until(), Some(ms(30_000) + 3 * DOWN), "of the link");
    let _ = router.handle(ms(35_000), Event::Healthy(false));
    let _ = router.handle(ms(60_000), Event::Healthy(true));
    assert_eq!(
        (router.listens_until(), router.deadline()),
        (None, Some(ms(60_000) + DOWN)),
        "it listened all the while"
    );
    let mut router = backup(nopreempt(secs(1)));
    let _ = router.handle(ms(100), Event::Healthy(false));
    let _ = router.handle(3 * DOWN, Event::Healthy(true));
    assert_eq!(router.listens_until(), None, "it listened until this moment");
}

#[test]
fn who_preempts_does_not_listen() {
    assert_eq!(backup(params(100, secs(1))).listens_until(), None);
    let owner = Params { preempt: false, ..params(255, secs(1)) };
    assert_eq!(role(&backup(owner)), Role::Master);
}

#[test]
fn strongest_backup_says_when_a_master_was_replaced() {
    let late = |strongest: u8| {
        let strongest_backup = Priority::new(strongest).unwrap();
        let rules = Rules { strongest_backup, ..Rules::DEFAULT };
        let (mut router, start) = master(Params { rules, ..params(150, secs(1)) });
        // Master_Down_Interval of priority 200 is 3.21875 s.
        router.expire(start + ms(3100)).transition.map(|transition| transition.cause)
    };
    assert_eq!((late(255), late(200)), (Some(Cause::Overdue), None));
}
