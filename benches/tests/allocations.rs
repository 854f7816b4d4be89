//! Parse, step, emit and a steady round of a full node allocate nothing.
//!
//! One test alone in its binary: the allocator counts for the whole process.

use std::hint::black_box;

use vrrp_benches::counting::{Counting, allocations};
use vrrp_benches::{Case, Host, ROUTERS, check, datagram, emit, machine, parse, router, step};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_steady_state_allocates_nothing() {
    assert_eq!(allocations(|| drop(black_box(vec![1]))), 1, "the counter counts");
    let mut router = router();
    let octets = datagram(7);
    let (backup, advert, silence) = machine();
    assert_eq!(allocations(|| assert!(black_box(check(&router, &octets)).is_ok())), 0, "parse and checks");
    assert_eq!(allocations(|| assert!(black_box(parse(&octets[20..])).is_some())), 0, "parse");
    assert_eq!(allocations(|| assert_eq!(emit(&mut router, &mut [0; 64]), 20)), 0, "emit");
    for event in [advert, silence] {
        assert_eq!(allocations(|| _ = black_box(step(backup, event))), 0, "step");
    }
    for mut case in [Case::v2(), Case::v3(), Case::v6()] {
        assert_eq!(allocations(|| assert!(black_box(case.check()).is_ok())), 0, "parse and checks");
        assert_eq!(allocations(|| assert!(case.emit(&mut [0; 64]) > 0)), 0, "emit");
        let (machine, event) = case.machine();
        assert_eq!(allocations(|| _ = black_box(step(machine, event))), 0, "step");
    }
    let mut masters = Host::new(true);
    let round = allocations(|| assert_eq!(masters.masters_round(), usize::from(ROUTERS)));
    assert_eq!(round, 0, "a round of Masters");
    let mut backups = Host::new(false);
    assert_eq!(allocations(|| assert_eq!(backups.backups_round(), 0)), 0, "a round of Backups");
}
