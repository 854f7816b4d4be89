//! Numbers for `${_RANDOM}`.
//!
//! Not for secrets. keepalived draws from the C library's `random`, so the numbers of one seed differ from its own.

use std::time::{SystemTime, UNIX_EPOCH};

/// SplitMix64: one word of state, and any seed will do.
pub(super) struct Random(u64);

impl Random {
    /// Without a seed, another sequence each time.
    pub(super) fn new(seed: Option<u64>) -> Self {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(seed.unwrap_or_else(|| now().as_secs() ^ (u64::from(now().subsec_nanos()) << 32)))
    }

    /// A number of `low..=high`.
    pub(super) fn draw(&mut self, low: u32, high: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let count = u64::from(high.saturating_sub(low)) + 1;
        // The remainder is below 2^32.
        low.saturating_add(u32::try_from(z % count).unwrap_or_default())
    }
}
