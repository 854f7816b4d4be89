//! A freestanding executable over vrrp-core: no std, no allocator, no C library. That it links is the proof; it is not run.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::net::Ipv4Addr;
use core::panic::PanicInfo;
use core::time::Duration;

use vrrp_core::fsm::{Advertise, Event, Link, Params, Rules};
use vrrp_core::router::{ChecksumPolicy, RouterConfig, VirtualRouter};
use vrrp_core::rx::Received;
use vrrp_core::timed::Timed;
use vrrp_core::{AddressList, AdvertInterval, Auth, Priority, Vrid};

/// Parses, steps and emits, by way of everything in between.
fn proof(datagram: &[u8], buffer: &mut [u8]) -> Option<usize> {
    let group = Ipv4Addr::new(224, 0, 0, 18);
    let config = RouterConfig {
        vrid: Vrid::new(50)?,
        params: Params {
            priority: Priority::new(150)?,
            interval: AdvertInterval::from_secs(1)?,
            preempt: true,
            accept: false,
            rules: Rules::DEFAULT,
        },
        addresses: AddressList::new([[10, 0, 0, 3].into()]).ok()?,
        auth: Auth::None,
        checksum: ChecksumPolicy::default(),
    };
    let mut router = Timed::new(VirtualRouter::new(config));
    let start = Duration::ZERO;
    let _ = router.handle(start, Event::Link(Link::Up([10, 0, 0, 1].into())));
    let _ = router.handle(start, Event::Enabled(true));
    let received = Received::check_datagram(datagram, group).ok()?;
    let _ = router.receive(start, &received).ok()?;
    let _ = router.expire(router.deadline()?);
    router.router_mut().emit(Advertise::Claim, group.into(), buffer).ok().map(|message| message.len())
}

// SAFETY: the only definition of the entry point; nothing calls it but the loader.
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    black_box(proof(black_box(&[0; 60]), &mut [0; 64]));
    halt()
}

/// What core itself demands of a platform without a C library, for values too large for a few stores. Volatile, lest the
/// compiler recognise the loop and call the function that it is.
///
/// # Safety
///
/// As C's: `count` octets at `destination` are the caller's to write.
// SAFETY: the only definition; the C library, which would define it too, is not linked.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(destination: *mut u8, value: i32, count: usize) -> *mut u8 {
    let octet = value.to_le_bytes()[0];
    for at in 0..count {
        // SAFETY: within the octets that the caller vouches for.
        unsafe { destination.add(at).write_volatile(octet) };
    }
    destination
}

/// The other one of them.
///
/// # Safety
///
/// As C's: `count` octets at `source` are there to read, those at `destination` to write, and they do not overlap.
// SAFETY: the only definition; the C library, which would define it too, is not linked.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(destination: *mut u8, source: *const u8, count: usize) -> *mut u8 {
    for at in 0..count {
        // SAFETY: within the octets that the caller vouches for.
        unsafe { destination.add(at).write_volatile(source.add(at).read()) };
    }
    destination
}

/// The precompiled core names it; with `panic = "abort"` nobody calls it.
// SAFETY: std, which would define it too, is not linked.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    halt()
}

fn halt() -> ! {
    loop {
        core::hint::spin_loop();
    }
}
