//! Tracker arithmetic: the table cell by cell, the bounds, and at random against plain numbers.

use proptest::prelude::*;

use super::*;

fn influence(weight: i16, reverse: bool) -> Influence {
    Influence { weight: Weight::new(weight).unwrap(), reverse }
}

fn prio(priority: u8) -> Priority {
    Priority::new(priority).unwrap()
}

#[test]
fn every_cell_of_the_table() {
    let fault = Contribution { fault: true, points: 0 };
    let points = |points| Contribution { fault: false, points };
    for (weight, status, straight, reversed) in [
        (0, Status::Unknown, fault, fault),
        (0, Status::Up, points(0), fault),
        (0, Status::Down, fault, points(0)),
        (0, Status::Value(0), points(0), fault),
        (0, Status::Value(7), fault, points(0)),
        (0, Status::Value(-1), fault, points(0)),
        (20, Status::Unknown, points(0), points(0)),
        (20, Status::Up, points(20), points(-20)),
        (20, Status::Down, points(0), points(0)),
        (20, Status::Value(0), points(0), points(0)),
        (20, Status::Value(3), points(60), points(-60)),
        (-20, Status::Unknown, points(0), points(0)),
        (-20, Status::Up, points(0), points(0)),
        (-20, Status::Down, points(-20), points(20)),
        (-20, Status::Value(3), points(-60), points(60)),
    ] {
        assert_eq!(influence(weight, false).of(status), straight, "{weight} {status:?}");
        assert_eq!(influence(weight, true).of(status), reversed, "{weight} {status:?} reverse");
    }
}

#[test]
fn a_value_is_a_fault_from_minus_254_on_and_never_adds_more_than_253() {
    let one = influence(1, false);
    for (value, fault, points) in [
        (-253, false, -253),
        (-254, true, -254),
        (-1000, true, -254),
        (i32::MIN, true, -254),
        (253, false, 253),
        (254, false, 253),
        (i32::MAX, false, 253),
    ] {
        assert_eq!(one.of(Status::Value(value)), Contribution { fault, points }, "{value}");
    }
    assert_eq!(influence(-254, true).of(Status::Value(i32::MIN)), Contribution { fault: true, points: -254 });
}

#[test]
fn a_weight_is_within_254() {
    assert_eq!(Weight::new(255), None);
    assert_eq!(Weight::new(-255), None);
    assert_eq!(Weight::new(i16::MIN), None);
    assert_eq!(Weight::new(-254).map(Weight::get), Some(-254));
    assert_eq!(std::format!("{}", Weight::new(254).unwrap()), "254");
    assert_eq!(Weight::default(), Weight::FAULT);
}

#[test]
fn the_sum_stays_within_1_and_254_and_the_owner_is_left_alone() {
    for (base, points, expected) in [
        (100, [-5, 0], 95),
        (100, [-100, 0], 1),
        (100, [-254, -254], 1),
        (1, [-1, 0], 1),
        (254, [1, 0], 254),
        (100, [254, 254], 254),
        (100, [254, -254], 100),
        (255, [-254, -254], 255),
    ] {
        assert_eq!(effective(prio(base), points), prio(expected), "{base} {points:?}");
    }
}

proptest! {
    /// Against the sum in wide numbers, whatever is summed.
    #[test]
    fn an_effective_priority_is_the_bounded_sum(base in 1..=255u8, points in prop::collection::vec(-254..=254i16, 0..300)) {
        let found = effective(prio(base), points.iter().copied()).get();
        let sum = i32::from(base) + points.iter().map(|points| i32::from(*points)).sum::<i32>();
        let expected = if base == 255 { 255 } else { sum.clamp(1, 254) };
        prop_assert_eq!(i32::from(found), expected);
    }

    #[test]
    fn a_contribution_is_bounded_and_only_weight_0_or_an_extreme_value_is_a_fault(
        weight in -254..=254i16,
        reverse: bool,
        status in prop_oneof![
            Just(Status::Unknown),
            Just(Status::Up),
            Just(Status::Down),
            any::<i32>().prop_map(Status::Value),
            (-300..300i32).prop_map(Status::Value),
        ],
    ) {
        let Contribution { fault, points } = influence(weight, reverse).of(status);
        prop_assert!((-254..=254).contains(&points));
        prop_assert!(!fault || weight == 0 || points == -254);
        prop_assert!(weight != 0 || points == 0);
    }
}
