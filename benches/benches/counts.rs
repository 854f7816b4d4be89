//! The core in instructions, with limits: what a clock cannot tell on a busy machine.
#![allow(missing_docs, reason = "gungraun's macros make public functions")]

use std::hint::black_box;
use std::net::IpAddr;

use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};
use vrrp_benches::{Case, Host, check, datagram, emit, machine, parse, router, step};
use vrrp_core::fsm::{Actions, Event, Machine};
use vrrp_core::router::{Accepted, VirtualRouter};
use vrrp_core::rx::Discard;

/// About a quarter more than was measured: a compiler's release may cost a little, a new check on the path more.
fn limit(instructions: u64) -> LibraryBenchmarkConfig {
    LibraryBenchmarkConfig::default().tool(Callgrind::default().hard_limits([(EventKind::Ir, instructions)])).clone()
}

#[library_benchmark]
#[bench::datagram(args = (router(), datagram(7)), config = limit(460))]
fn checks(router: VirtualRouter<[IpAddr; 1]>, octets: [u8; 40]) -> Result<Accepted, Discard> {
    black_box(check(black_box(&router), black_box(&octets)))
}

#[library_benchmark]
#[bench::message(args = (datagram(7)), config = limit(205))]
fn parses(octets: [u8; 40]) -> bool {
    black_box(parse(black_box(&octets[20..])).is_some())
}

#[library_benchmark]
#[bench::claim(args = (router()), config = limit(315))]
fn emits(mut router: VirtualRouter<[IpAddr; 1]>) -> usize {
    black_box(emit(black_box(&mut router), black_box(&mut [0; 64])))
}

#[library_benchmark]
#[bench::v2(args = (Case::v2()), config = limit(510))]
#[bench::v3(args = (Case::v3()), config = limit(490))]
#[bench::v6(args = (Case::v6()), config = limit(630))]
fn checks_message(case: Case) -> Result<Accepted, Discard> {
    black_box(black_box(&case).check())
}

#[library_benchmark]
#[bench::v2(args = (Case::v2()), config = limit(315))]
#[bench::v3(args = (Case::v3()), config = limit(290))]
#[bench::v6(args = (Case::v6()), config = limit(365))]
fn emits_message(mut case: Case) -> usize {
    black_box(black_box(&mut case).emit(black_box(&mut [0; 64])))
}

fn heard() -> (Machine, Event) {
    let (backup, advert, _) = machine();
    (backup, advert)
}

fn silence() -> (Machine, Event) {
    let (backup, _, silence) = machine();
    (backup, silence)
}

#[library_benchmark]
#[bench::advert(args = (heard()), config = limit(160))]
#[bench::advert_v3(args = (Case::v3().machine()), config = limit(160))]
#[bench::advert_v6(args = (Case::v6().machine()), config = limit(160))]
#[bench::takeover(args = (silence()), config = limit(100))]
fn steps((backup, event): (Machine, Event)) -> (Machine, Actions) {
    black_box(step(black_box(backup), black_box(event)))
}

#[library_benchmark]
#[bench::masters(args = (Host::new(true)), config = limit(470_000))]
fn masters_round(mut host: Host) -> usize {
    black_box(host.masters_round())
}

#[library_benchmark]
#[bench::backups(args = (Host::new(false)), config = limit(590_000))]
fn backups_round(mut host: Host) -> usize {
    black_box(host.backups_round())
}

library_benchmark_group!(
    name = core,
    benchmarks = [checks, checks_message, parses, emits, emits_message, steps, masters_round, backups_round]
);
main!(library_benchmark_groups = core);
