//! The core against the clock: one advert in, one out, one step, one round of a full host.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use vrrp_benches::{Host, check, datagram, emit, machine, parse, router, step};

fn core(c: &mut Criterion) {
    let router = router();
    let octets = datagram(7);
    c.bench_function("check/datagram", |b| b.iter(|| check(black_box(&router), black_box(&octets))));
    c.bench_function("check/message", |b| b.iter(|| parse(black_box(&octets[20..])).is_some()));
    let mut buffer = [0; 64];
    c.bench_function("emit", |b| b.iter(|| emit(black_box(&router), black_box(&mut buffer))));
    let (backup, advert, silence) = machine();
    c.bench_function("step/advert", |b| b.iter(|| step(black_box(backup), black_box(advert))));
    c.bench_function("step/takeover", |b| b.iter(|| step(black_box(backup), black_box(silence))));
    let mut masters = Host::new(true);
    c.bench_function("node/255 masters", |b| b.iter(|| masters.masters_round()));
    let mut backups = Host::new(false);
    c.bench_function("node/255 backups", |b| b.iter(|| backups.backups_round()));
    c.bench_function("node/255 takeovers", |b| b.iter_batched_ref(|| (), |()| Host::new(true), BatchSize::LargeInput));
}

criterion_group!(benches, core);
criterion_main!(benches);
