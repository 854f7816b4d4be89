//! Frames in a file that every tool reads: pcap, Ethernet.

use std::fs;
use std::path::Path;

/// Writes the frames, in order. The times in it say nothing.
pub(crate) fn save(file: &Path, frames: &[Vec<u8>]) {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>();
    // Version 2.4, frames of at most 64 KiB, link type 1.
    let mut octets = words(&[0xa1b2_c3d4, u32::from_ne_bytes(version()), 0, 0, 65_535, 1]);
    for (number, frame) in (0..).zip(frames) {
        let len = u32::try_from(frame.len()).expect("a frame");
        octets.extend(words(&[1, number, len, len]));
        octets.extend(frame);
    }
    fs::write(file, octets).expect("a file");
}

fn version() -> [u8; 4] {
    let ([a, b], [c, d]) = (2_u16.to_ne_bytes(), 4_u16.to_ne_bytes());
    [a, b, c, d]
}
