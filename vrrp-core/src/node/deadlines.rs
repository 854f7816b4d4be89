//! The earliest of many deadlines: a binary heap of slots in which a slot's deadline can be moved in place.
//!
//! Allocates when a slot is added, never when a deadline moves. Knows nothing of routers.

use alloc::vec::Vec;

/// A deadline or none for each of a fixed number of slots.
#[derive(Debug)]
pub(super) struct Deadlines<I> {
    /// Heap-ordered: no entry is earlier than the one at half its place.
    heap: Vec<(I, usize)>,
    /// Where in the heap a slot is.
    places: Vec<Option<usize>>,
}

impl<I> Default for Deadlines<I> {
    fn default() -> Self {
        Self { heap: Vec::new(), places: Vec::new() }
    }
}

impl<I: Copy + Ord> Deadlines<I> {
    /// Adds a slot without a deadline.
    pub(super) fn grow(&mut self) {
        self.places.push(None);
        self.heap.reserve(self.places.len() - self.heap.len());
    }

    /// The earliest deadline and its slot.
    pub(super) fn first(&self) -> Option<(I, usize)> {
        self.heap.first().copied()
    }

    /// The deadlines up to `now`, in no order. What is later is not looked at, but for the neighbours of what is not.
    pub(super) fn due(&self, now: I) -> impl Iterator<Item = I> {
        let mut next = Some(0);
        core::iter::from_fn(move || {
            loop {
                let place = next?;
                let due = self.heap.get(place).map(|(deadline, _)| *deadline).filter(|deadline| *deadline <= now);
                next = if due.is_some() { Some(2 * place + 1) } else { beside(place) };
                if due.is_some() {
                    return due;
                }
            }
        })
    }

    /// Sets, moves or clears the deadline of `slot`.
    pub(super) fn set(&mut self, slot: usize, deadline: Option<I>) {
        let Some(place) = self.places.get(slot).copied() else { return };
        match (place, deadline) {
            (None, None) => {}
            (None, Some(deadline)) => {
                let place = self.heap.len();
                self.heap.push((deadline, slot));
                self.note(place);
                self.up(place);
            }
            (Some(place), Some(deadline)) => {
                self.heap[place].0 = deadline;
                self.settle(place);
            }
            (Some(place), None) => {
                self.heap.swap_remove(place);
                self.places[slot] = None;
                if place < self.heap.len() {
                    self.note(place);
                    self.settle(place);
                }
            }
        }
    }

    fn settle(&mut self, place: usize) {
        let place = self.up(place);
        self.down(place);
    }

    fn up(&mut self, mut place: usize) -> usize {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent].0 <= self.heap[place].0 {
                break;
            }
            self.swap(place, parent);
            place = parent;
        }
        place
    }

    fn down(&mut self, mut place: usize) {
        loop {
            let children = 2 * place + 1..self.heap.len().min(2 * place + 3);
            let Some(least) = children.min_by_key(|child| self.heap[*child].0) else { return };
            if self.heap[place].0 <= self.heap[least].0 {
                return;
            }
            self.swap(place, least);
            place = least;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.note(a);
        self.note(b);
    }

    fn note(&mut self, place: usize) {
        let slot = self.heap[place].1;
        self.places[slot] = Some(place);
    }
}

/// The place that a walk through a heap comes to when it leaves out what is below `place`.
fn beside(mut place: usize) -> Option<usize> {
    while place > 0 && place.is_multiple_of(2) {
        place = (place - 1) / 2;
    }
    (place > 0).then_some(place + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    proptest! {
        /// Against the obvious: a list of which the minimum is taken.
        #[test]
        fn the_first_is_always_the_earliest(moves in prop::collection::vec((0usize..20, prop::option::of(0u32..50)), 0..300)) {
            let mut deadlines = Deadlines::default();
            for _ in 0..20 {
                deadlines.grow();
            }
            let mut reference = [None; 20];
            for (slot, deadline) in moves {
                deadlines.set(slot, deadline);
                reference[slot] = deadline;
                prop_assert_eq!(deadlines.first().map(|(at, _)| at), reference.iter().flatten().min().copied());
                if let Some((at, slot)) = deadlines.first() {
                    prop_assert_eq!(reference[slot], Some(at));
                }
                let now = 25;
                let mut due: Vec<_> = deadlines.due(now).collect();
                due.sort_unstable();
                let mut expected: Vec<_> = reference.iter().flatten().copied().filter(|at| *at <= now).collect();
                expected.sort_unstable();
                prop_assert_eq!(due, expected);
            }
        }
    }

    /// Enough of them for a heap of several levels, in every order that a stride makes.
    #[test]
    fn they_come_one_after_the_other_in_whatever_order_they_were_set() {
        const SLOTS: usize = 61;
        for stride in 1..SLOTS {
            let mut deadlines = Deadlines::default();
            for slot in 0..SLOTS {
                deadlines.grow();
                deadlines.set(slot, Some(slot * stride % SLOTS));
            }
            for expected in 0..SLOTS {
                let (at, slot) = deadlines.first().unwrap();
                assert_eq!((at, slot * stride % SLOTS), (expected, expected), "stride {stride}");
                deadlines.set(slot, None);
            }
            assert_eq!(deadlines.first(), None);
        }
    }

    #[test]
    fn an_unknown_slot_is_ignored() {
        let mut deadlines = Deadlines::default();
        deadlines.set(3, Some(1));
        assert_eq!(deadlines.first(), None);
    }
}
