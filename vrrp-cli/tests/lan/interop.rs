//! `vrrpctl` with keepalived, each in both roles.

use vrrp_cli::lab;

use crate::common::Kind::{Keepalived, Vrrpctl};
use crate::common::*;

/// We are the stronger, and the weaker.
const ROLES: [scenes::Makes; 2] = [(Vrrpctl, Keepalived), (Keepalived, Vrrpctl)];

/// Whether the test can be done here.
fn possible<Test: Fn()>(test: Test) -> bool {
    tool("keepalived").is_some() && lab::privileged(test)
}

#[test]
fn the_stronger_is_master_whichever_starts_first() {
    if possible(the_stronger_is_master_whichever_starts_first) {
        side_by_side(each(&[true, false]), |(makes, strong_first)| scenes::starts(makes, strong_first));
    }
}

#[test]
fn a_silent_death_and_the_return() {
    if possible(a_silent_death_and_the_return) {
        side_by_side(ROLES, scenes::silent_death_and_return);
    }
}

#[test]
fn a_planned_stop_and_the_return() {
    if possible(a_planned_stop_and_the_return) {
        side_by_side(ROLES, scenes::planned_stop_and_return);
    }
}

#[test]
fn nopreempt_leaves_a_weaker_master_alone() {
    if possible(nopreempt_leaves_a_weaker_master_alone) {
        side_by_side(ROLES, scenes::nopreempt);
    }
}

#[test]
fn of_equal_priorities_the_higher_address_wins() {
    if possible(of_equal_priorities_the_higher_address_wins) {
        side_by_side(each(&[true, false]), |(makes, a_first)| scenes::equal_priority(makes, a_first));
    }
}

#[test]
fn different_passwords_make_two_masters_and_we_say_why() {
    if possible(different_passwords_make_two_masters_and_we_say_why) {
        side_by_side(
            each(&[(Some("1111"), Some("2222")), (None, Some("1111")), (Some("1111"), None)]),
            |(makes, passwords)| scenes::passwords(makes, passwords),
        );
    }
}

#[test]
fn dual_master() {
    if possible(dual_master) {
        side_by_side(ROLES, scenes::dual_master);
    }
}

#[test]
fn the_cable_is_pulled_and_put_back() {
    if possible(the_cable_is_pulled_and_put_back) {
        side_by_side(ROLES, scenes::link_down_and_up);
    }
}

/// Every case in both roles.
fn each<Case: Copy>(cases: &[Case]) -> Vec<(scenes::Makes, Case)> {
    ROLES.into_iter().flat_map(|makes| cases.iter().map(move |case| (makes, *case))).collect()
}
