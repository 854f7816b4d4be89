//! Published vectors, every rung of the ladder and each adjacent pair, roll-over, clocks that go wrong.

use core::num::NonZeroU8;
use core::time::Duration;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const SEQUENCE: u64 = 0x6800_0000_8000_0000;
const V4: ([u8; 4], [u8; 12], [u8; 16]) = (
    [198, 51, 100, 10],
    [0x31, 0x33, 0xc8, 0x01, 0x00, 0x64, 0x44, 0x02, 0xc0, 0x00, 0x02, 0x64],
    [0x1b, 0x84, 0xbc, 0x4e, 0x8e, 0x43, 0x89, 0x2d, 0xc6, 0xd9, 0x84, 0x48, 0xf8, 0xee, 0x22, 0x65],
);
const V6: ([u16; 8], [u8; 24], [u8; 16]) = (
    [0xfe80, 0, 0, 0, 0, 0, 0, 0x10],
    [0x31, 0x33, 0xc8, 0x01, 0x00, 0x64, 0xa2, 0xe9, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x00],
    [0xc8, 0xc5, 0x61, 0x46, 0xeb, 0xfd, 0x66, 0xee, 0x10, 0xec, 0x4d, 0x81, 0x86, 0x46, 0x1b, 0x78],
);
const HEAD: [u8; 12] = [1, 1, 0, 0, 0x68, 0, 0, 0, 0x80, 0, 0, 0];

fn id(id: u8) -> NonZeroU8 {
    NonZeroU8::new(id).unwrap()
}

/// 00 01 .. 1f, the key of the published vectors.
fn published_key() -> Key {
    let octets: Vec<u8> = (0..32).collect();
    Key::new(id(1), &octets).unwrap()
}

fn key(number: u8) -> Key {
    Key::new(id(number), &[number; 33]).unwrap()
}

fn vectors() -> [(IpAddr, &'static [u8], [u8; LEN]); 2] {
    let trailer = |mac: [u8; 16]| {
        let mut trailer = [0; LEN];
        trailer[..12].copy_from_slice(&HEAD);
        trailer[12..].copy_from_slice(&mac);
        trailer
    };
    [(V4.0.into(), &V4.1, trailer(V4.2)), (V6.0.into(), &V6.1, trailer(V6.2))]
}

#[allow(clippy::unnecessary_wraps, reason = "a clock is optional everywhere")]
fn clock(seconds: u64) -> Option<WallClock> {
    Some(WallClock::from_unix(Duration::from_secs(seconds)))
}

fn window(seconds: u16) -> AntiReplay {
    AntiReplay::Time(TimeWindow::new(seconds).unwrap())
}

fn config(keys: &[Key], active: u8, mode: Mode, anti_replay: AntiReplay) -> HmacConfig {
    HmacConfig { keys: Keys::new(keys, id(active)).unwrap(), mode, anti_replay }
}

/// A receiver: configuration and memory.
struct Hearer {
    config: HmacConfig,
    replay: Replay,
}

impl Hearer {
    #[allow(clippy::large_types_passed_by_value, reason = "short to write")]
    fn new(config: HmacConfig) -> Self {
        Self { config, replay: Replay::default() }
    }

    fn check(&self, now: Option<WallClock>, source: IpAddr, trailer: &[u8; LEN]) -> Result<Verdict, TrailerError> {
        self.config.check(&self.replay, now, source, &V4.1, Some(Trailer::new(trailer)))
    }

    /// Checks, and remembers what is authentic.
    fn hear(&mut self, now: Option<WallClock>, source: IpAddr, trailer: &[u8; LEN]) -> Result<bool, TrailerError> {
        match self.check(now, source, trailer)? {
            Verdict::Unsigned => unreachable!("there is a trailer"),
            Verdict::Authentic { sequence, skewed } => {
                self.config.remember(&mut self.replay, now, source, sequence);
                Ok(skewed)
            }
        }
    }
}

fn at(seconds: u32) -> u64 {
    u64::from(seconds) << 32
}

#[test]
fn the_published_vectors_are_signed_and_verified() {
    for (source, message, trailer) in vectors() {
        assert_eq!(sign(&published_key(), source, message, SEQUENCE), trailer);
        let view = Trailer::new(&trailer);
        assert!(view.verify(&published_key(), source, message));
        assert_eq!((view.kind(), view.key_id(), view.reserved()), (1, 1, 0));
        assert_eq!((view.sequence(), view.seconds()), (SEQUENCE, 0x6800_0000));
        assert_eq!(view.octets(), &trailer);
    }
}

#[test]
fn every_flipped_bit_is_refused_but_in_the_checksum() {
    let published = published_key();
    for (source, message, trailer) in vectors() {
        for bit in 0..message.len() * 8 {
            let mut forged = message.to_vec();
            forged[bit / 8] ^= 1 << (bit % 8);
            let checksum = (6..8).contains(&(bit / 8));
            assert_eq!(Trailer::new(&trailer).verify(&published, source, &forged), checksum, "message bit {bit}");
        }
        for bit in 0..LEN * 8 {
            let mut forged = trailer;
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(!Trailer::new(&forged).verify(&published, source, message), "trailer bit {bit}");
        }
        for cut in 0..message.len() {
            assert!(!Trailer::new(&trailer).verify(&published, source, &message[..cut]));
        }
    }
    let (source, message, trailer) = vectors()[0];
    for bit in 0..32 {
        let forged = IpAddr::V4((u32::from_be_bytes(V4.0) ^ (1 << bit)).into());
        assert!(!Trailer::new(&trailer).verify(&published, forged, message), "source bit {bit}");
    }
    let mapped = IpAddr::V6([0xc633, 0x640a, 0, 0, 0, 0, 0, 0].into());
    assert!(!Trailer::new(&trailer).verify(&published, mapped, message), "the family is signed: {source}");
}

/// One thing wrong, then two: of two, the earlier rung is the reason.
#[test]
fn the_rungs_are_in_order() {
    let (source, ..) = vectors()[0];
    let hearer = Hearer::new(config(&[key(1)], 1, Mode::Enforce, window(5)));
    let good = sign(&key(1), source, &V4.1, at(1000));
    let now = clock(1000);
    assert_eq!(hearer.check(now, source, &good), Ok(Verdict::Authentic { sequence: at(1000), skewed: false }));

    let malformed = |trailer: &[u8; LEN], at: usize| {
        let mut trailer = *trailer;
        trailer[at] += 1;
        trailer
    };
    let stale = sign(&key(1), source, &V4.1, at(994));
    let stale_error = Err(TrailerError::Stale { theirs: 994, ours: 1000 });
    let unknown = sign(&key(2), source, &V4.1, at(1000));
    let stale_unknown = sign(&key(2), source, &V4.1, at(994));
    assert_eq!(hearer.check(now, source, &malformed(&good, 0)), Err(TrailerError::Malformed { kind: 2, reserved: 0 }));
    assert_eq!(hearer.check(now, source, &malformed(&good, 3)), Err(TrailerError::Malformed { kind: 1, reserved: 1 }));
    assert_eq!(
        hearer.check(now, source, &malformed(&stale, 2)),
        Err(TrailerError::Malformed { kind: 1, reserved: 256 })
    );
    assert_eq!(hearer.check(now, source, &stale), stale_error);
    assert_eq!(hearer.check(None, source, &good), Err(TrailerError::NoClock));
    assert_eq!(hearer.check(now, source, &stale_unknown), stale_error);
    assert_eq!(hearer.check(now, source, &unknown), Err(TrailerError::UnknownKey(2)));
    let forged_unknown = malformed(&unknown, 20);
    assert_eq!(hearer.check(now, source, &forged_unknown), Err(TrailerError::UnknownKey(2)));
    assert_eq!(hearer.check(now, source, &malformed(&good, 20)), Err(TrailerError::Invalid));

    let mut hearer = hearer;
    assert_eq!(hearer.hear(now, source, &good), Ok(false));
    assert_eq!(hearer.check(now, source, &malformed(&good, 20)), Err(TrailerError::Invalid), "before replay");
    assert_eq!(hearer.check(now, source, &good), Err(TrailerError::Replay));
    let older = sign(&key(1), source, &V4.1, at(1000) - 1);
    assert_eq!(hearer.check(now, source, &older), Err(TrailerError::Replay));
    let newer = sign(&key(1), source, &V4.1, at(1000) + 1);
    assert!(hearer.check(now, source, &newer).is_ok());
    let other = IpAddr::V4([198, 51, 100, 11].into());
    let others = sign(&key(1), other, &V4.1, at(999));
    assert!(hearer.check(now, other, &others).is_ok(), "a mark for each sender");
}

#[test]
fn the_modes_differ_in_what_is_unsigned() {
    let (source, ..) = vectors()[0];
    let modes = [
        (Mode::Enforce, true, Err(TrailerError::Missing)),
        (Mode::Permissive, true, Ok(Verdict::Unsigned)),
        (Mode::ReceiveOnly, false, Ok(Verdict::Unsigned)),
    ];
    for (mode, signs, unsigned) in modes {
        let config = config(&[key(1)], 1, mode, window(5));
        assert_eq!(config.signs(), signs);
        assert_eq!(config.check(&Replay::default(), None, source, &V4.1, None), unsigned);
        let mut forged = sign(&key(1), source, &V4.1, at(1000));
        forged[27] ^= 1;
        let hearer = Hearer::new(config);
        assert_eq!(hearer.check(clock(1000), source, &forged), Err(TrailerError::Invalid), "in every mode");
    }
}

#[test]
fn the_window_has_exact_edges_on_both_sides_and_reports_half() {
    let (source, ..) = vectors()[0];
    let hearer = Hearer::new(config(&[key(1)], 1, Mode::Enforce, window(6)));
    for theirs in 990..=1010u32 {
        let verdict = hearer.check(clock(1000), source, &sign(&key(1), source, &V4.1, at(theirs)));
        match theirs.abs_diff(1000) {
            0..=3 => assert_eq!(verdict, Ok(Verdict::Authentic { sequence: at(theirs), skewed: false })),
            4..=6 => assert_eq!(verdict, Ok(Verdict::Authentic { sequence: at(theirs), skewed: true })),
            _ => assert_eq!(verdict, Err(TrailerError::Stale { theirs, ours: 1000 })),
        }
    }
    let wrapped = sign(&key(1), source, &V4.1, at(u32::MAX));
    assert!(hearer.check(clock((1 << 32) + 2), source, &wrapped).is_ok(), "3 s, across the wrap of 2106");
    assert_eq!(TimeWindow::new(0), None);
    assert_eq!(TimeWindow::new(301), None);
    let default = |interval: Option<AdvertInterval>| TimeWindow::for_interval(interval.unwrap()).get();
    assert_eq!(default(AdvertInterval::from_secs(1)), 5);
    assert_eq!(default(AdvertInterval::from_secs(2)), 6);
    assert_eq!(default(AdvertInterval::from_secs(255)), 300);
    assert_eq!(default(AdvertInterval::from_centis(1)), 5);
    assert_eq!(default(AdvertInterval::from_centis(201)), 7, "6.03 s");
}

/// The old key is still heard while the new one signs, and the other way round.
#[test]
fn keys_roll_over_without_a_gap() {
    let (source, ..) = vectors()[0];
    let (old, new) = (key(1), key(2));
    let stages = [
        config(&[old], 1, Mode::Enforce, window(5)),
        config(&[old, new], 1, Mode::Enforce, window(5)),
        config(&[old, new], 2, Mode::Enforce, window(5)),
        config(&[new], 2, Mode::Enforce, window(5)),
    ];
    for neighbours in stages.windows(2) {
        for (sender, hearer) in [(neighbours[0], neighbours[1]), (neighbours[1], neighbours[0])] {
            let trailer = sender.sign(&mut Replay::default(), clock(1000), source, &V4.1).unwrap();
            assert!(Hearer::new(hearer).check(clock(1000), source, &trailer).is_ok());
        }
    }
    let trailer = stages[0].sign(&mut Replay::default(), clock(1000), source, &V4.1).unwrap();
    assert_eq!(Hearer::new(stages[3]).check(clock(1000), source, &trailer), Err(TrailerError::UnknownKey(1)));
}

#[test]
fn the_senders_sequence_follows_the_clock_and_always_grows() {
    let (source, ..) = vectors()[0];
    let config = config(&[key(1)], 1, Mode::Enforce, window(5));
    let mut replay = Replay::default();
    let mut next = |config: &HmacConfig, now| {
        config.sign(&mut replay, now, source, &V4.1).map(|trailer| Trailer::new(&trailer).sequence())
    };
    assert_eq!(next(&config, None), None, "no clock, no signature");
    let half = Some(WallClock::from_unix(Duration::from_millis(1_000_500)));
    assert_eq!(next(&config, half), Some(0x0000_03e8_8000_0000));
    assert_eq!(next(&config, half), Some(0x0000_03e8_8000_0001), "the clock stands still");
    assert_eq!(next(&config, clock(996)), Some(0x0000_03e8_8000_0002), "back within the window");
    assert_eq!(next(&config, clock(995)), Some(0x0000_03e8_8000_0003), "exactly the window");
    assert_eq!(next(&config, clock(994)), Some(at(994)), "corrected back by more than it");
    assert_eq!(next(&config, clock(995)), Some(at(995)));
    let monotonic = HmacConfig { anti_replay: AntiReplay::Monotonic, ..config };
    assert_eq!(next(&monotonic, clock(10)), Some(at(995) + 1));
    assert_eq!(next(&monotonic, clock(996)), Some(at(996)));
    let mut wrapping = Replay { sent: Some(u64::MAX), ..Replay::default() };
    let trailer = config.sign(&mut wrapping, clock(u64::from(u32::MAX)), source, &V4.1).unwrap();
    assert_eq!(Trailer::new(&trailer).sequence(), 0);
}

/// A sender whose clock ran ahead by an hour within monotonic mode stays heard; in time mode it is heard again at once
/// after both clocks were corrected, and a recording from before is not.
#[test]
fn clocks_that_are_corrected() {
    let (source, ..) = vectors()[0];
    let trailer = |seconds| sign(&key(1), source, &V4.1, at(seconds));
    let mut hearer = Hearer::new(config(&[key(1)], 1, Mode::Enforce, window(5)));
    assert_eq!(hearer.hear(clock(4600), source, &trailer(4600)), Ok(false));
    assert_eq!(hearer.check(clock(4595), source, &trailer(4599)), Err(TrailerError::Replay), "5 s: the mark counts");
    assert_eq!(hearer.hear(clock(1000), source, &trailer(1000)), Ok(false), "a mark from the future counts no more");
    assert_eq!(hearer.check(clock(1000), source, &trailer(1000)), Err(TrailerError::Replay));
    assert_eq!(
        hearer.check(clock(1000), source, &trailer(4600)),
        Err(TrailerError::Stale { theirs: 4600, ours: 1000 })
    );
    let mut hearer = Hearer::new(config(&[key(1)], 1, Mode::Enforce, AntiReplay::Monotonic));
    assert_eq!(hearer.hear(None, source, &trailer(4600)), Ok(false), "needs no clock");
    assert_eq!(hearer.check(clock(1000), source, &trailer(1000)), Err(TrailerError::Replay));
    assert_eq!(hearer.hear(clock(1000), source, &trailer(4601)), Ok(false));
}

proptest! {
    #[test]
    fn what_is_signed_is_verified_and_no_flip_is(
        octets in proptest::collection::vec(any::<u8>(), 32..=64),
        id in 1u8..,
        message in proptest::collection::vec(any::<u8>(), 8..200),
        source in any::<IpAddr>(),
        sequence: u64,
        flip: proptest::sample::Index,
    ) {
        let key = Key::new(NonZeroU8::new(id).unwrap(), &octets).unwrap();
        let trailer = sign(&key, source, &message, sequence);
        let view = Trailer::new(&trailer);
        prop_assert!(view.verify(&key, source, &message));
        prop_assert_eq!(view.sequence(), sequence);
        let bit = flip.index((message.len() + LEN) * 8);
        let mut forged = message.clone();
        forged.extend(trailer);
        forged[bit / 8] ^= 1 << (bit % 8);
        let (forged_message, forged_trailer) = forged.split_at(message.len());
        let verified = Trailer::new(forged_trailer.try_into().unwrap()).verify(&key, source, forged_message);
        prop_assert_eq!(verified, (6..8).contains(&(bit / 8)), "bit {}", bit);
        let mut other = octets.clone();
        let last = other.len() - 1;
        other[last] ^= 1;
        let other = Key::new(NonZeroU8::new(id).unwrap(), &other).unwrap();
        prop_assert!(!view.verify(&other, source, &message));
    }

    /// Whatever the clock does, two routers with one clock hear each other, and no packet twice.
    #[test]
    fn a_clock_that_jumps_neither_deafens_nor_repeats(
        jumps in proptest::collection::vec(0u64..40, 1..60),
        monotonic: bool,
    ) {
        let source = IpAddr::V4([10, 0, 0, 1].into());
        let anti_replay = if monotonic { AntiReplay::Monotonic } else { window(5) };
        let config = config(&[key(1)], 1, Mode::Enforce, anti_replay);
        let (mut sender, mut hearer) = (Replay::default(), Hearer::new(config));
        for seconds in jumps {
            let now = clock(seconds);
            let trailer = config.sign(&mut sender, now, source, &V4.1).unwrap();
            prop_assert!(hearer.hear(now, source, &trailer).is_ok());
            prop_assert_eq!(hearer.check(now, source, &trailer), Err(TrailerError::Replay));
        }
    }
}
