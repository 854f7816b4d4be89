//! Feeds libFuzzer's octets to `vrrp_fuzz_bodies::ladder`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vrrp_fuzz_bodies::ladder(data));
