//! What the working process leaves to its guardian, in memory that both have: when each router sent its last advert, its last
//! word ready to be sent, and what it holds on this host.
//!
//! ```text
//! magic | cells | words of a generation                                       header
//! last | patience | useful | words now | held now | words at | held at | 0    a slot for each cell
//! ...                                                                         generation 0
//! ...                                                                         generation 1
//! ```
//!
//! A process may die between any two stores. What a cell says is therefore written beside what it said before, and becomes
//! its content by one store behind all others. Each field has one writer: the election thread, or the kernel thread.
//! Knows octets, not what is in them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use vrrp_netlink::guardian::Shared;

const MAGIC: u64 = u64::from_be_bytes(*b"vrrpctl1");
const HEADER: usize = 3;
const SLOT: usize = 8;
const WORD: usize = size_of::<u64>();

/// Place in a slot.
mod field {
    pub(super) const LAST: usize = 0;
    pub(super) const PATIENCE: usize = 1;
    pub(super) const USEFUL: usize = 2;
    /// Length in octets and, in the lowest bit, the generation.
    pub(super) const WORDS: usize = 3;
    pub(super) const HELD: usize = 4;
    /// First word within a generation, and in the lower half the room in octets.
    pub(super) const WORDS_AT: usize = 5;
    pub(super) const HELD_AT: usize = 6;
}

/// Octets that a cell must have room for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::daemon) struct Room {
    pub(in crate::daemon) words: usize,
    pub(in crate::daemon) held: usize,
}

/// What a router that is Master promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Promise {
    /// When it sent its last advert.
    pub(super) last: Duration,
    /// How long the next may take.
    pub(super) patience: Duration,
    /// Until then after its last advert, its last word brings the end of others' patience nearer; later it would put it off.
    pub(super) useful: Duration,
}

/// The memory, seen by either process.
#[derive(Debug)]
pub(super) struct Will {
    memory: Shared,
    /// Cells, and words of a generation.
    cells: usize,
    half: usize,
}

impl Will {
    /// A cell for each of `rooms`, all empty.
    pub(super) fn new(rooms: &[Room]) -> vrrp_netlink::Result<Self> {
        let words = |octets: usize| octets.div_ceil(WORD);
        let half: usize = rooms.iter().map(|room| words(room.words) + words(room.held)).sum();
        let memory = Shared::new(HEADER + rooms.len() * SLOT + 2 * half)?;
        let store = |place: usize, value: usize| memory[place].store(value as u64, Ordering::Relaxed);
        store(1, rooms.len());
        store(2, half);
        let mut next = 0;
        for (cell, room) in rooms.iter().enumerate() {
            for (field, octets) in [(field::WORDS_AT, room.words), (field::HELD_AT, room.held)] {
                store(HEADER + cell * SLOT + field, next << 32 | octets);
                next += words(octets);
            }
        }
        memory[0].store(MAGIC, Ordering::Release);
        Ok(Self { memory, cells: rooms.len(), half })
    }

    /// The other process's; `None` when it is nothing of the kind.
    pub(super) fn open(memory: Shared) -> Option<Self> {
        let number = |place: usize| usize::try_from(memory.get(place)?.load(Ordering::Acquire)).ok();
        if memory.first()?.load(Ordering::Acquire) != MAGIC {
            return None;
        }
        let (cells, half) = (number(1)?, number(2)?);
        let need = cells.checked_mul(SLOT)?.checked_add(HEADER)?.checked_add(half.checked_mul(2)?)?;
        (need <= memory.len()).then_some(Self { memory, cells, half })
    }

    pub(super) fn memory(&self) -> &Shared {
        &self.memory
    }

    /// How many cells there are.
    pub(super) fn cells(&self) -> usize {
        self.cells
    }

    /// A router sent an advert: one store.
    pub(super) fn sent(&self, cell: usize, last: Duration) {
        if let Some(word) = self.word(cell, field::LAST) {
            word.store(nanoseconds(last), Ordering::Release);
        }
    }

    /// A router is Master from now on; whether it was not before. It has sent an advert by now.
    pub(super) fn promise(&self, cell: usize, patience: Duration, useful: Duration) -> bool {
        let (Some(first), Some(second)) = (self.word(cell, field::USEFUL), self.word(cell, field::PATIENCE)) else {
            return false;
        };
        first.store(nanoseconds(useful), Ordering::Relaxed);
        second.swap(nanoseconds(patience), Ordering::Release) == 0
    }

    /// A router is not Master any more, and has nothing to say.
    pub(super) fn silent(&self, cell: usize) {
        if let Some(word) = self.word(cell, field::PATIENCE) {
            word.store(0, Ordering::Release);
        }
    }

    /// What a router promises while it is Master.
    pub(super) fn promised(&self, cell: usize) -> Option<Promise> {
        let read = |field| Some(Duration::from_nanos(self.word(cell, field)?.load(Ordering::Acquire)));
        let patience = read(field::PATIENCE).filter(|patience| !patience.is_zero())?;
        Some(Promise { last: read(field::LAST)?, patience, useful: read(field::USEFUL)? })
    }

    /// The last word of a router; whether there is room for it. Without, there is none.
    pub(super) fn set_words(&self, cell: usize, octets: &[u8]) -> bool {
        self.write(cell, (field::WORDS, field::WORDS_AT), octets)
    }

    /// What a router holds; whether there is room for it.
    pub(super) fn set_held(&self, cell: usize, octets: &[u8]) -> bool {
        self.write(cell, (field::HELD, field::HELD_AT), octets)
    }

    pub(super) fn words(&self, cell: usize) -> Vec<u8> {
        self.read(cell, (field::WORDS, field::WORDS_AT))
    }

    pub(super) fn held(&self, cell: usize) -> Vec<u8> {
        self.read(cell, (field::HELD, field::HELD_AT))
    }

    fn write(&self, cell: usize, (now, at): (usize, usize), octets: &[u8]) -> bool {
        let Some(now) = self.word(cell, now) else { return octets.is_empty() };
        let current = now.load(Ordering::Relaxed);
        // What nobody reads may be overwritten.
        let generation = if current >> 1 == 0 { 0 } else { usize::from(current & 1 == 0) };
        let fits = octets.is_empty() || self.store(cell, at, generation, octets, usize::MAX);
        let len = if fits { octets.len() as u64 } else { 0 };
        now.store(len << 1 | generation as u64, Ordering::Release);
        fits
    }

    /// Writes at most `most` words of a generation, which is not read meanwhile.
    fn store(&self, cell: usize, at: usize, generation: usize, octets: &[u8], most: usize) -> bool {
        let Some(room) = self.room(cell, at, generation).filter(|(_, octets_of)| octets.len() <= *octets_of) else {
            return false;
        };
        for (word, chunk) in room.0.iter().zip(octets.chunks(WORD)).take(most) {
            let mut value = [0; WORD];
            value[..chunk.len()].copy_from_slice(chunk);
            word.store(u64::from_ne_bytes(value), Ordering::Relaxed);
        }
        true
    }

    fn read(&self, cell: usize, (now, at): (usize, usize)) -> Vec<u8> {
        let current = self.word(cell, now).map_or(0, |word| word.load(Ordering::Acquire));
        let (len, generation) = (usize::try_from(current >> 1).unwrap_or(usize::MAX), usize::from(current & 1 == 1));
        let Some((words, _)) = self.room(cell, at, generation).filter(|(_, room)| len <= *room) else {
            return Vec::new();
        };
        let mut octets: Vec<u8> = words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect();
        octets.truncate(len);
        octets
    }

    /// The words of a cell's content in a generation, and how many octets they are for.
    fn room(&self, cell: usize, at: usize, generation: usize) -> Option<(&[AtomicU64], usize)> {
        let place = self.word(cell, at)?.load(Ordering::Relaxed);
        let first = usize::try_from(place >> 32).ok()?;
        let octets = usize::try_from(place & u64::from(u32::MAX)).ok()?;
        let end = first.checked_add(octets.div_ceil(WORD)).filter(|end| *end <= self.half)?;
        let base = HEADER + self.cells * SLOT + generation * self.half;
        Some((self.memory.get(base + first..base + end)?, octets))
    }

    fn word(&self, cell: usize, field: usize) -> Option<&AtomicU64> {
        (cell < self.cells).then(|| self.memory.get(HEADER + cell * SLOT + field)).flatten()
    }
}

/// 0 is for "none".
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use proptest::prelude::*;

    use super::*;

    const ROOMS: [Room; 3] = [Room { words: 40, held: 100 }, Room { words: 0, held: 9 }, Room { words: 17, held: 1 }];

    fn both() -> (Will, Will) {
        let worker = Will::new(&ROOMS).unwrap();
        let memory = Shared::open(worker.memory().as_fd().try_clone_to_owned().unwrap()).unwrap();
        (worker, Will::open(memory).expect("a will"))
    }

    #[test]
    fn what_one_process_writes_the_other_reads() {
        let (worker, guardian) = both();
        assert_eq!(
            (guardian.cells(), guardian.promised(0), guardian.words(0), guardian.held(2)),
            (3, None, vec![], vec![])
        );
        assert!(worker.set_words(0, b"release") && worker.set_held(0, &[7; 100]) && worker.set_held(2, b"x"));
        worker.sent(0, Duration::from_secs(5));
        assert!(worker.promise(0, Duration::from_secs(3), Duration::from_secs(2)), "it was not Master");
        assert!(!worker.promise(0, Duration::from_secs(4), Duration::from_secs(2)), "it was");
        worker.sent(0, Duration::from_secs(6));
        let [last, patience, useful] = [6, 4, 2].map(Duration::from_secs);
        assert_eq!(guardian.promised(0), Some(Promise { last, patience, useful }));
        assert_eq!(
            (guardian.words(0), guardian.held(0), guardian.held(2)),
            (b"release".to_vec(), vec![7; 100], b"x".to_vec())
        );
        worker.silent(0);
        worker.set_held(0, &[]);
        assert_eq!((guardian.promised(0), guardian.held(0)), (None, vec![]));
        assert_eq!(guardian.held(2), b"x", "the neighbour's stays");
    }

    #[test]
    fn what_does_not_fit_is_not_there_at_all() {
        let (worker, guardian) = both();
        assert!(worker.set_held(1, b"123456789"));
        assert!(!worker.set_held(1, b"1234567890") && guardian.held(1).is_empty());
        assert!(worker.set_held(1, b"1") && guardian.held(1) == b"1");
        assert!(!worker.set_words(3, b"1") && worker.set_words(3, &[]) && guardian.words(3).is_empty());
    }

    /// The process dies in the midst of writing, at any word: what was said before stands.
    #[test]
    fn a_torn_write_leaves_the_old_word() {
        let (worker, guardian) = both();
        for round in 1_u8..20 {
            let old = vec![round; 40 - usize::from(round)];
            assert!(worker.set_words(0, &old));
            let current = worker.word(0, field::WORDS).unwrap().load(Ordering::Relaxed);
            for most in 0..=5 {
                // All of a write but its last store.
                assert!(worker.store(0, field::WORDS_AT, usize::from(current & 1 == 0), &[0xee; 40], most));
                assert_eq!(guardian.words(0), old, "torn after {most} words");
            }
        }
    }

    proptest! {
        /// A process that ran wild may have written anything anywhere.
        #[test]
        fn damage_is_survived(damage in proptest::collection::vec((0usize..120, any::<u64>()), 0..40)) {
            let (worker, _) = both();
            worker.set_held(0, &[7; 100]);
            for (place, value) in damage {
                if let Some(word) = worker.memory.get(place) {
                    word.store(value, Ordering::Relaxed);
                }
            }
            let memory = Shared::open(worker.memory().as_fd().try_clone_to_owned().unwrap()).unwrap();
            if let Some(guardian) = Will::open(memory) {
                for cell in 0..guardian.cells().min(100) {
                    let _ = (guardian.promised(cell), guardian.words(cell), guardian.held(cell));
                }
            }
        }
    }
}
