//! Offsets of rounds, in order, to their end.

use std::vec::Vec;

use super::*;

/// The first `most` offsets, in milliseconds.
fn offsets(program: &Program, rounds: Rounds, most: usize) -> Vec<u128> {
    let mut schedule = Schedule::new(program, rounds);
    let mut found = Vec::new();
    while let Some(due) = schedule.due().filter(|_| found.len() < most) {
        found.push(due.as_millis());
        schedule = schedule.next();
    }
    found
}

const fn bursts(count: u32, again: Option<u64>) -> Rounds {
    let again = match again {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => None,
    };
    Rounds::Bursts { count, again }
}

#[test]
fn the_first_round_is_at_once_and_one_is_past_the_second_in_which_linux_ignores_changes() {
    let program = Program::default();
    assert_eq!(offsets(&program, program.first, 99), [0, 100, 1100, 2100, 5000]);
    assert_eq!(program.first, program.lower);
}

#[test]
fn bursts_have_their_count_and_their_second_one() {
    let program = Program::default();
    for (rounds, expected) in [
        (bursts(3, Some(5)), &[0, 10, 20, 5000, 5010, 5020][..]),
        (bursts(1, None), &[0]),
        (bursts(2, None), &[0, 10]),
        (bursts(0, Some(5)), &[]),
        // The second burst does not begin before the first one has ended.
        (bursts(3, Some(0)), &[0, 10, 20, 30, 40, 50]),
    ] {
        assert_eq!(offsets(&program, rounds, 99), expected, "{rounds:?}");
    }
}

#[test]
fn refreshes_go_on_beside_the_rounds() {
    let program = |refresh, refresh_rounds| Program {
        refresh: Some(Duration::from_millis(refresh)),
        refresh_rounds,
        ..Program::default()
    };
    assert_eq!(offsets(&program(2000, 1), Rounds::Usual, 8), [0, 100, 1100, 2000, 2100, 4000, 5000, 6000]);
    assert_eq!(offsets(&program(60_000, 2), bursts(1, None), 5), [0, 60_000, 60_010, 120_000, 120_010]);
    assert_eq!(offsets(&program(60_000, 0), bursts(1, None), 5), [0]);
    assert_eq!(offsets(&program(0, 1), bursts(0, None), 3), [100, 200, 300], "never more often than that");
}

#[test]
fn it_ends_and_stays_at_the_end() {
    let program = Program::default();
    for rounds in [Rounds::Usual, bursts(4, Some(1)), bursts(0, None)] {
        let mut schedule = Schedule::new(&program, rounds);
        for _ in 0..20 {
            schedule = schedule.next();
        }
        assert_eq!(schedule.due(), None);
        assert_eq!(schedule.next(), schedule);
    }
}

#[test]
fn nothing_overflows() {
    let far = Duration::MAX;
    let program = Program { refresh: Some(far), refresh_rounds: u32::MAX, ..Program::default() };
    let mut schedule = Schedule::new(&program, Rounds::Bursts { count: u32::MAX, again: Some(far) });
    let mut last = Duration::ZERO;
    for _ in 0..1000 {
        let due = schedule.due().expect("there are more");
        assert!(due >= last);
        last = due;
        schedule = schedule.next();
    }
    let end = Schedule { round: u32::MAX, refreshed: u64::MAX, ..schedule };
    assert!(end.due().is_some());
    assert_eq!(end.next().next().due(), end.next().due());
}
