//! Parse, step, emit and a steady round of a full node allocate nothing.
//!
//! One test alone in its binary: the allocator counts for the whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use vrrp_benches::{Host, ROUTERS, check, datagram, emit, machine, parse, router, step};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is the callee's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the callee's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is the callee's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations during `work`, which is repeated: the harness's other threads may allocate once, the work would each time.
fn allocations(mut work: impl FnMut()) -> usize {
    let once = |work: &mut dyn FnMut()| {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        work();
        ALLOCATIONS.load(Ordering::Relaxed) - before
    };
    (0..10).map(|_| once(&mut work)).min().unwrap_or_default()
}

#[test]
fn the_steady_state_allocates_nothing() {
    assert_eq!(allocations(|| drop(black_box(vec![1]))), 1, "the counter counts");
    let router = router();
    let octets = datagram(7);
    let (backup, advert, silence) = machine();
    assert_eq!(allocations(|| assert!(black_box(check(&router, &octets)).is_some())), 0, "parse and checks");
    assert_eq!(allocations(|| assert!(black_box(parse(&octets[20..])).is_some())), 0, "parse");
    assert_eq!(allocations(|| assert_eq!(emit(&router, &mut [0; 64]), 20)), 0, "emit");
    for event in [advert, silence] {
        assert_eq!(allocations(|| _ = black_box(step(backup, event))), 0, "step");
    }
    let mut masters = Host::new(true);
    let round = allocations(|| assert_eq!(masters.masters_round(), usize::from(ROUTERS)));
    assert_eq!(round, 0, "a round of Masters");
    let mut backups = Host::new(false);
    assert_eq!(allocations(|| assert_eq!(backups.backups_round(), 0)), 0, "a round of Backups");
}
