//! Frames in a file that every tool reads, pcap over Ethernet; and how tshark reads it.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Writes the frames, in order. The times in it say nothing.
pub(crate) fn save<'f>(file: &Path, frames: impl Iterator<Item = &'f Vec<u8>>) {
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

/// tshark's fields of the packets that pass a display filter.
pub(crate) fn fields(tshark: &Path, file: &Path, filter: &str, names: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new(tshark);
    let folder = file.parent().expect("the folder of a file");
    // Somebody's preferences must not change what it says.
    command.env("XDG_CONFIG_HOME", folder).env("HOME", folder);
    command.arg("-r").arg(file).args(["-n", "-o", "ip.check_checksum:TRUE", "-Y", filter]);
    command.args(["-T", "fields", "-E", "separator=|", "-E", "occurrence=a", "-E", "aggregator=,"]);
    for name in names {
        command.args(["-e", name]);
    }
    let output = command.output().expect("it can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
}
