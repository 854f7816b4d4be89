//! Packets that were lost put a takeover off, once.

use super::*;
use crate::counters::Counter;

fn put_off(router: &Router) -> u64 {
    router.router().counters().get(Counter::TakeoversPutOff)
}

#[test]
fn a_silence_in_which_packets_were_lost_is_believed_one_skew_time_later() {
    let mut router = backup(params(100, secs(1)));
    router.lost();
    let due = ms(3000) + SKEW_100;
    assert_eq!(router.deadline(), Some(due), "until it is over nothing changes");
    assert_eq!(router.expire(due), Actions::NONE);
    assert_eq!((router.deadline(), put_off(&router)), (Some(due + SKEW_100), 1));
    assert_eq!(router.expire(due + ms(609)), Actions::NONE);
    let actions = router.expire(due + SKEW_100);
    assert_eq!(actions.transition.map(|to| to.cause), Some(Cause::MasterTimeout));
}

/// A flood loses packets all the time.
#[test]
fn it_is_put_off_once_whatever_else_is_lost() {
    let mut router = backup(params(100, secs(1)));
    let due = ms(3000) + SKEW_100;
    for at in 0..10 {
        router.lost();
        assert_eq!(router.expire(ms(at)), Actions::NONE);
    }
    assert_eq!(router.expire(due), Actions::NONE);
    router.lost();
    assert_eq!(router.expire(due + SKEW_100).advertise, Some(Advertise::Claim));
    assert_eq!(put_off(&router), 1);
}

#[test]
fn an_advert_ends_the_silence_and_the_doubt() {
    let mut router = backup(params(100, secs(1)));
    router.lost();
    let _ = router.handle(ms(2000), advert(150, secs(1)));
    let due = ms(5000) + SKEW_100;
    assert_eq!(router.expire(due).advertise, Some(Advertise::Claim));
    assert_eq!(put_off(&router), 0);

    // The next silence has a doubt of its own.
    let mut router = backup(params(100, secs(1)));
    router.lost();
    assert_eq!(router.expire(ms(3000) + SKEW_100), Actions::NONE);
    let _ = router.handle(ms(4000), advert(150, secs(1)));
    router.lost();
    let due = ms(7000) + SKEW_100;
    assert_eq!(router.expire(due), Actions::NONE);
    assert_eq!((router.deadline(), put_off(&router)), (Some(due + SKEW_100), 2));
}

/// What was lost while it did not run might have been heard: it gets its time from when it runs again.
#[test]
fn a_process_that_was_held_up_listens_for_a_skew_time_from_now() {
    let mut router = backup(params(100, secs(1)));
    router.lost();
    assert_eq!(router.expire(ms(60_000)), Actions::NONE);
    assert_eq!(router.deadline(), Some(ms(60_000) + SKEW_100));
}

#[test]
fn a_release_is_followed_one_skew_time_later_too() {
    let mut router = backup(params(100, secs(1)));
    let _ = router.handle(ms(1000), advert(0, secs(1)));
    router.lost();
    assert_eq!(router.expire(ms(1000) + SKEW_100), Actions::NONE);
    assert_eq!(router.expire(ms(1000) + 2 * SKEW_100).advertise, Some(Advertise::Claim));
}

#[test]
fn one_that_listens_after_its_start_listens_longer() {
    let mut router = backup(Params { preempt: false, ..params(100, secs(1)) });
    let due = router.deadline().unwrap();
    router.lost();
    assert_eq!(router.expire(due), Actions::NONE);
    assert_eq!(router.deadline(), Some(due + SKEW_100));
    assert_eq!(router.expire(due + SKEW_100).advertise, Some(Advertise::Claim));
}

#[test]
fn a_master_and_one_that_is_stopped_have_nothing_to_put_off() {
    let (mut router, start) = master(params(100, secs(1)));
    router.lost();
    assert_eq!(router.expire(start + ms(1000)).advertise, Some(Advertise::Claim));
    assert_eq!(put_off(&router), 0);
    let mut router = stopped(params(100, secs(1)));
    router.lost();
    assert_eq!((router.deadline(), router.expire(ms(9000))), (None, Actions::NONE));
}
