//! Every event in either mode, against the obvious: a list of what is left.

use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::fsm::Rules;
use crate::types::AdvertInterval;

const NOTHING: Actions = Actions { hand_over: None, remove_rest: false };
const REST: Actions = Actions { hand_over: None, remove_rest: true };
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

fn params(interval: Option<AdvertInterval>, priority: u8) -> Params {
    let (priority, interval) = (Priority::new(priority).unwrap(), interval.unwrap());
    Params { priority, interval, preempt: true, accept: true, rules: Rules::DEFAULT }
}

#[test]
fn at_once_means_no_release() {
    assert_eq!(Handover::Immediate.begin(3), None);
    assert_eq!(Handover::default(), Handover::Immediate);
}

#[test]
fn an_announced_address_goes_alone_and_the_last_one_ends_the_release() {
    let release = Handover::Announced.begin(2).unwrap();
    let (next, actions) = release.step(Event::Announced { place: 0, mac: MAC });
    assert_eq!(actions, Actions { hand_over: Some((0, MAC)), remove_rest: false });
    let next = next.unwrap();
    let (same, actions) = next.step(Event::Announced { place: 0, mac: MAC });
    assert_eq!((same, actions), (Some(next), NOTHING), "a repeated announcement is harmless");
    let (over, actions) = next.step(Event::Announced { place: 1, mac: MAC });
    assert_eq!((over, actions), (None, Actions { hand_over: Some((1, MAC)), remove_rest: true }));
}

#[test]
fn with_a_virtual_mac_the_first_advert_ends_it_and_an_announcement_says_nothing() {
    let release = Handover::FirstAdvert.begin(2).unwrap();
    assert_eq!(release.step(Event::Announced { place: 0, mac: MAC }), (Some(release), NOTHING));
    assert_eq!(release.step(Event::Claimed), (None, REST));
    assert_eq!(release.step(Event::Ended), (None, REST));
}

#[test]
fn without_a_virtual_mac_an_advert_does_not_end_it() {
    let release = Handover::Announced.begin(1).unwrap();
    assert_eq!(release.step(Event::Claimed), (Some(release), NOTHING));
    assert_eq!(release.step(Event::Ended), (None, REST));
}

#[test]
fn it_lasts_until_the_weakest_backup_would_have_taken_over() {
    let longest = |interval, priority| Release::longest(params(interval, priority));
    let skew = Duration::from_nanos(3_906_250) * 255;
    for priority in [1, 100, 255] {
        assert_eq!(longest(AdvertInterval::from_secs(1), priority), skew + Duration::from_millis(100));
    }
    // VRRPv2's Skew_Time does not depend on the interval; VRRPv3's does.
    assert_eq!(longest(AdvertInterval::from_secs(255), 100), skew + Duration::from_millis(100));
    assert_eq!(longest(AdvertInterval::from_centis(1), 100), Duration::from_nanos(9_960_938 + 100_000_000));
    assert_eq!(longest(AdvertInterval::from_centis(4095), 100), Duration::from_secs(5));
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        30 => any::<u8>().prop_map(|place| Event::Announced { place, mac: MAC }),
        2 => Just(Event::Claimed),
        1 => Just(Event::Ended),
    ]
}

proptest! {
    #[test]
    fn each_address_is_handed_over_once_or_is_of_the_rest(
        count in 1u8..=255, advert in any::<bool>(), events in prop::collection::vec(event(), 0..600),
    ) {
        let handover = if advert { Handover::FirstAdvert } else { Handover::Announced };
        let mut release = handover.begin(count);
        let mut left: Vec<u8> = (0..count).collect();
        for event in events {
            let Some(before) = release else { break };
            let (next, actions) = before.step(event);
            let announced = match event {
                Event::Announced { place, .. } if !advert && left.contains(&place) => Some((place, MAC)),
                Event::Announced { .. } | Event::Claimed | Event::Ended => None,
            };
            left.retain(|place| announced.is_none_or(|(announced, _)| announced != *place));
            let ended = event == Event::Ended || (advert && event == Event::Claimed) || left.is_empty();
            prop_assert_eq!(actions, Actions { hand_over: announced, remove_rest: ended });
            prop_assert_eq!(next.is_none(), ended);
            release = next;
        }
    }
}
