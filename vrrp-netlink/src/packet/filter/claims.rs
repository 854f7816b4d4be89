//! What other hosts say of some addresses: a program that lets pass ARP packets whose sender says that it has one of them, and
//! unsolicited neighbour advertisements about one.
//!
//! A program has a bounded number of instructions, so addresses are compared by ranges of their last 32 bits: exactly where
//! few ranges are enough, otherwise with as little as possible between them that passes besides.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::{ALL, ARP_SENDER, Accept, Filter, Instruction, LOAD_OCTET, LOAD_WORD, NOTHING, block, load, verdict};

/// The flags of a neighbour advertisement, and the last 32 bits of its target.
const FLAGS: u32 = 58;
const TARGET_END: u32 = 74;
const SOLICITED: u32 = 0x40;

const JUMP_IF_GREATER: u16 = 0x25;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const JUMP_IF_BITS: u16 = 0x45;

/// Ranges in one program: a jump over all of them, at three instructions each, must fit into an octet.
const MOST: usize = 64;

impl Filter {
    /// Lets pass what other hosts say of these addresses, in ARP of any kind and in unsolicited neighbour advertisements; where
    /// the addresses are many and scattered, also of some others, so that the reader looks again. Without an address, nothing.
    ///
    /// Questions *for* the addresses, of which a LAN is full, do not pass.
    pub fn claims(addresses: &[IpAddr]) -> Self {
        let mut program = Self::head();
        let v4 = addresses.iter().filter_map(|address| match address {
            IpAddr::V4(address) => Some(address.to_bits()),
            IpAddr::V6(_) => None,
        });
        let tail = within(vec![load(LOAD_WORD, ARP_SENDER)], &ranges(v4.collect()));
        block(&mut program, Accept::Arp.checks(), tail);
        let v6 = addresses.iter().filter_map(|address| match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => address.octets().last_chunk().map(|end| u32::from_be_bytes(*end)),
        });
        // What is solicited was asked for by this host, which does not ask for what it has.
        let unsolicited = vec![
            load(LOAD_OCTET, FLAGS),
            Instruction::new(JUMP_IF_BITS, 0, 1, SOLICITED),
            verdict(NOTHING),
            load(LOAD_WORD, TARGET_END),
        ];
        let tail = within(unsolicited, &ranges(v6.collect()));
        block(&mut program, Accept::NeighbourAdvertisement.checks(), tail);
        program.push(verdict(NOTHING));
        Self { program: program.into() }
    }
}

/// Appends what lets pass a word that `program` has loaded, if it is in one of the ranges; otherwise goes on behind.
fn within(mut program: Vec<Instruction>, ranges: &[RangeInclusive<u32>]) -> Vec<Instruction> {
    let one = |range: &RangeInclusive<u32>| {
        [
            Instruction::new(JUMP_IF_AT_LEAST, 0, 2, *range.start()),
            Instruction::new(JUMP_IF_GREATER, 1, 0, *range.end()),
            verdict(ALL),
        ]
    };
    program.extend(ranges.iter().flat_map(one));
    program
}

/// At most [`MOST`] ranges that hold all of the values, cut where the gaps between them are the widest.
fn ranges(mut values: Vec<u32>) -> Vec<RangeInclusive<u32>> {
    values.sort_unstable();
    values.dedup();
    let gap = |(place, pair): (usize, &[u32])| match pair {
        [before, after] if after - before > 1 => Some((after - before, place + 1)),
        _ => None,
    };
    let mut gaps: Vec<_> = values.windows(2).enumerate().filter_map(gap).collect();
    gaps.sort_unstable();
    let mut cuts: Vec<usize> = gaps.iter().rev().take(MOST - 1).map(|(_, place)| *place).collect();
    cuts.sort_unstable();
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([values.len()]);
    let range = |(start, end)| values.get(start..end).and_then(|part| Some(*part.first()?..=*part.last()?));
    starts.zip(ends).filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_ranges_are_exact() {
        assert_eq!(ranges(vec![]), []);
        assert_eq!(ranges(vec![7]), [7..=7]);
        assert_eq!(ranges(vec![9, 1, 3, 2, 9, u32::MAX, 0]), [0..=3, 9..=9, u32::MAX..=u32::MAX]);
    }

    #[test]
    fn of_many_scattered_addresses_the_nearest_share_a_range() {
        let pairs = |count: u32| (0..count).flat_map(|i| [i * 1000, i * 1000 + 2]).collect::<Vec<_>>();
        assert_eq!(ranges(pairs(32)).len(), 64, "exact");
        let coarse = ranges(pairs(64));
        assert_eq!(coarse.len(), 64);
        assert!(coarse.iter().all(|range| range.end() - range.start() == 2), "{coarse:?}");
        let coarser = ranges(pairs(1000));
        assert_eq!(coarser.len(), 64);
        assert!(pairs(1000).iter().all(|value| coarser.iter().any(|range| range.contains(value))));
    }

    #[test]
    fn the_longest_program_is_short_enough_for_its_jumps() {
        let v4 = (0..300u32).map(|i| IpAddr::V4((i * 1000).into()));
        let v6 = (0..300u128).map(|i| IpAddr::V6((i * 1000).into()));
        let filter = Filter::claims(&v4.chain(v6).collect::<Vec<_>>());
        let program = filter.program();
        assert!(program.len() < 450, "{} instructions", program.len());
    }
}
