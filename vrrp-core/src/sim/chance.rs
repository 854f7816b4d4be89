//! Chance that can be repeated: a generator of pseudo-random numbers that a seed determines, and probabilities as integers.
//!
//! No float anywhere, so that a run is the same on every machine.

use core::fmt;
use core::time::Duration;

/// SplitMix64 (Steele, Lea and Flood, 2014): one addition and three mixing rounds for 64 bits. Not for secrets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The sequence that belongs to `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, 0 for a bound of 0. Its bias is below `bound` / 2⁶⁴.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A span from zero to `longest`. Draws nothing for a `longest` of zero.
    pub fn span(&mut self, longest: Duration) -> Duration {
        match u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX) {
            0 => Duration::ZERO,
            nanos => Duration::from_nanos(self.below(nanos.saturating_add(1))),
        }
    }

    /// Whether something that happens with probability `chance` happens. Draws nothing for never and always.
    pub fn happens(&mut self, chance: Chance) -> bool {
        match chance {
            Chance::NEVER => false,
            Chance::ALWAYS => true,
            Chance(ppm) => self.below(1_000_000) < u64::from(ppm),
        }
    }
}

/// A probability in parts per million.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Chance(u32);

impl Chance {
    /// 0 %.
    pub const NEVER: Self = Self(0);
    /// 100 %.
    pub const ALWAYS: Self = Self(1_000_000);

    /// `None` above a million.
    pub const fn from_ppm(ppm: u32) -> Option<Self> {
        if ppm <= Self::ALWAYS.0 { Some(Self(ppm)) } else { None }
    }

    /// Parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, self.0 % 10_000);
        if rest == 0 {
            return write!(f, "{whole}%");
        }
        let mut digits = 4;
        let mut rest = rest;
        while rest % 10 == 0 {
            rest /= 10;
            digits -= 1;
        }
        write!(f, "{whole}.{rest:0digits$}%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs for seed 1234567 of the authors' C program.
        let mut rng = Rng::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([rng.next(), rng.next(), rng.next()], expected);
    }

    #[test]
    fn chances_are_kept_and_shown() {
        let mut rng = Rng::new(1);
        let tenth = Chance::from_ppm(100_000).unwrap();
        let hits = (0..100_000).filter(|_| rng.happens(tenth)).count();
        assert!((9_500..10_500).contains(&hits), "{hits}");
        assert!(!rng.happens(Chance::NEVER) && rng.happens(Chance::ALWAYS));
        assert_eq!(Chance::from_ppm(1_000_001), None);
        assert_eq!(tenth.ppm(), 100_000);
        for (ppm, shown) in [(0, "0%"), (1_000_000, "100%"), (125_000, "12.5%"), (10_010, "1.001%"), (1, "0.0001%")] {
            assert_eq!(Chance::from_ppm(ppm).unwrap().to_string(), shown);
        }
    }

    /// Of a million numbers that may be drawn, as many make it happen as there are parts.
    #[test]
    fn a_chance_is_exact() {
        for seed in 0..100 {
            let rng = Rng::new(seed);
            let drawn = u32::try_from(rng.clone().below(1_000_000)).unwrap();
            for (ppm, happens) in [(drawn, false), (drawn + 1, true)] {
                assert_eq!(rng.clone().happens(Chance::from_ppm(ppm).unwrap()), happens, "seed {seed}");
            }
        }
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut rng = Rng::new(3);
        assert_eq!(rng.below(0), 0);
        assert!((0..1000).all(|_| rng.below(7) < 7));
        assert!((0..1000).all(|_| rng.span(Duration::from_nanos(5)) <= Duration::from_nanos(5)));
        assert_eq!(rng.span(Duration::ZERO), Duration::ZERO);
    }
}
