//! A classic BPF program in the making: steps with labels instead of distances.
//!
//! Knows instructions (linux/bpf_common.h, linux/filter.h) and where IP headers keep their fields; decides nothing.

use std::num::NonZeroU32;

use socket2::SockFilter;

/// Where a jump goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Label {
    /// Behind the two ways to the octet.
    Loaded,
    Signed,
    Plain,
    /// The octet has one of the values.
    Wanted,
    /// It has none of them, or is not there.
    Foreign,
    Pass,
    Drop,
    /// Within one group of steps.
    Local(usize),
}

enum Step {
    Do(SockFilter),
    Goto(Label),
    /// A comparison, and where to go on when it holds or fails; `None` is the next step.
    If(u16, u32, Option<Label>, Option<Label>),
    Mark(Label),
}

#[derive(Default)]
pub(super) struct Program {
    steps: Vec<Step>,
    locals: usize,
}

pub(super) const IPV4_PROTOCOL: u32 = 9;
pub(super) const IPV6_NEXT_HEADER: u32 = 6;
pub(super) const IPV6_HEADER: u32 = 40;
pub(super) const PROTOCOL_AH: u8 = 51;
const IPV4_FRAGMENT: u32 = 6;
/// The bits of that field that only fragments have: more of them, and the offset.
const FRAGMENT: u32 = 0x3fff;

/// The IP header stands at such offsets (`SKF_NET_OFF`), whatever the socket is given.
const IP_HEADER: u32 = 0xfff0_0000;
pub(super) const IPV4_SOURCE: u32 = IP_HEADER + 12;
pub(super) const IPV6_SOURCE: u32 = IP_HEADER + 8;

/// What the kernel knows besides (`SKF_AD_OFF`): for whom a frame is, and a random number.
const PACKET_TYPE: u32 = 0xffff_f000 + 4;
const RANDOM: u32 = 0xffff_f000 + 56;
const TO_ANOTHER_HOST: u32 = 3;
const OUTGOING: u32 = 4;

const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_OCTET: u16 = 0x30;
/// Of an octet, X further on.
const LOAD_OCTET_FROM_X: u16 = 0x50;
const LOAD_NUMBER: u16 = 0x00;
const LOAD_LENGTH: u16 = 0x80;
const LOAD_MEMORY: u16 = 0x60;
const STORE: u16 = 0x02;
/// Four times the low half of an octet, into X: the length of an IPv4 header.
const LOAD_HEADER_LENGTH: u16 = 0xb1;
const COPY_TO_X: u16 = 0x07;
const COPY_FROM_X: u16 = 0x87;
const ADD: u16 = 0x04;
const ADD_X: u16 = 0x0c;
const AND: u16 = 0x54;
const SHIFT_LEFT: u16 = 0x64;
const SHIFT_RIGHT: u16 = 0x74;
const SHIFT_RIGHT_BY_X: u16 = 0x7c;
const GOTO: u16 = 0x05;
const IF_EQUAL: u16 = 0x15;
const IF_GREATER: u16 = 0x25;
const IF_GREATER_THAN_X: u16 = 0x2d;
const IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

const ALL_OF_IT: u32 = u32::MAX;
const NOTHING: u32 = 0;

impl Program {
    pub(super) fn mark(&mut self, label: Label) {
        self.steps.push(Step::Mark(label));
    }

    pub(super) fn goto(&mut self, label: Label) {
        self.steps.push(Step::Goto(label));
    }

    /// Loads the octet at `place`; without one, goes to `absent`.
    pub(super) fn load_at(&mut self, place: u32, absent: Label) {
        self.instruct(LOAD_LENGTH, 0);
        self.steps.push(Step::If(IF_GREATER, place, None, Some(absent)));
        self.instruct(LOAD_OCTET, place);
    }

    /// The same behind an IPv4 header.
    pub(super) fn load_behind_ipv4(&mut self, place: u32, absent: Label) {
        self.instruct(LOAD_HEADER_LENGTH, 0);
        self.load_beyond_x(place, absent);
    }

    /// The same behind an IPv4 header and an Authentication Header whose next header is `inner`.
    pub(super) fn load_behind_ah(&mut self, inner: u8, place: u32, absent: Label) {
        self.instruct(LOAD_HEADER_LENGTH, 0);
        // Its second octet is its length in words of 32 bits, without the first two of them.
        self.load_beyond_x(1, absent);
        self.instruct(ADD, 2);
        self.instruct(SHIFT_LEFT, 2);
        self.instruct(STORE, 0);
        self.instruct(LOAD_HEADER_LENGTH, 0);
        self.instruct(LOAD_OCTET_FROM_X, 0);
        self.steps.push(Step::If(IF_EQUAL, inner.into(), None, Some(absent)));
        self.instruct(LOAD_MEMORY, 0);
        self.instruct(ADD_X, 0);
        self.instruct(COPY_TO_X, 0);
        self.load_beyond_x(place, absent);
    }

    /// Loads the octet at X + `place`, which X is from then on; without one, goes to `absent`.
    fn load_beyond_x(&mut self, place: u32, absent: Label) {
        self.instruct(COPY_FROM_X, 0);
        self.instruct(ADD, place);
        self.instruct(COPY_TO_X, 0);
        self.instruct(LOAD_LENGTH, 0);
        self.steps.push(Step::If(IF_GREATER_THAN_X, 0, None, Some(absent)));
        self.instruct(LOAD_OCTET_FROM_X, 0);
    }

    /// Goes to `label` when the octet at `place` has this value.
    pub(super) fn jump_if_octet(&mut self, place: u32, value: u8, label: Label) {
        self.instruct(LOAD_OCTET, place);
        self.steps.push(Step::If(IF_EQUAL, value.into(), Some(label), None));
    }

    /// What this host sends, and what is for another one, ends here.
    pub(super) fn drop_what_is_not_for_us(&mut self) {
        self.instruct(LOAD_OCTET, PACKET_TYPE);
        self.steps.push(Step::If(IF_EQUAL, TO_ANOTHER_HOST, Some(Label::Drop), None));
        self.steps.push(Step::If(IF_EQUAL, OUTGOING, Some(Label::Drop), None));
    }

    /// Fragments of IPv4 end here.
    pub(super) fn drop_fragments(&mut self) {
        self.instruct(LOAD_HALF, IPV4_FRAGMENT);
        self.steps.push(Step::If(IF_ANY_BIT, FRAGMENT, Some(Label::Drop), None));
    }

    /// Goes on by whether the octet that is loaded is in a set, which has one bit for each value.
    pub(super) fn member_of(&mut self, set: &[u32], within: Label, without: Label) {
        let found = self.local();
        self.instruct(STORE, 0);
        self.instruct(AND, 31);
        self.instruct(COPY_TO_X, 0);
        self.instruct(LOAD_MEMORY, 0);
        self.instruct(SHIFT_RIGHT, 5);
        for (number, word) in (0..).zip(set) {
            let next = self.local();
            self.steps.push(Step::If(IF_EQUAL, number, None, Some(next)));
            self.instruct(LOAD_NUMBER, *word);
            self.goto(found);
            self.mark(next);
        }
        self.goto(without);
        self.mark(found);
        self.instruct(SHIFT_RIGHT_BY_X, 0);
        self.instruct(AND, 1);
        self.steps.push(Step::If(IF_EQUAL, 1, Some(within), Some(without)));
    }

    /// Goes to `label` when these words stand at `place` and behind it.
    pub(super) fn jump_if_source(&mut self, words: &[u32], place: u32, label: Label) {
        let another = self.local();
        for (word, place) in words.iter().zip((place..).step_by(4)) {
            self.instruct(LOAD_WORD, place);
            self.steps.push(Step::If(IF_EQUAL, *word, None, Some(another)));
        }
        self.goto(label);
        self.mark(another);
    }

    /// Goes to `chosen` once in so many times, which must be a power of two, and else to `not`.
    pub(super) fn one_of(&mut self, times: NonZeroU32, chosen: Label, not: Label) {
        self.instruct(LOAD_WORD, RANDOM);
        self.instruct(AND, times.get() - 1);
        self.steps.push(Step::If(IF_EQUAL, 0, Some(chosen), Some(not)));
    }

    /// The instructions, with the two verdicts at their end.
    pub(super) fn assemble(mut self) -> Vec<SockFilter> {
        for (label, verdict) in [(Label::Pass, ALL_OF_IT), (Label::Drop, NOTHING)] {
            self.mark(label);
            self.instruct(RETURN, verdict);
        }
        let mut places = Vec::new();
        let mut count = 0_usize;
        for step in &self.steps {
            match step {
                Step::Mark(label) => places.push((*label, count)),
                Step::Do(_) | Step::Goto(_) | Step::If(..) => count += 1,
            }
        }
        let mut program = Vec::with_capacity(count);
        for step in self.steps {
            let here = program.len() + 1;
            let distance = |label: Label| {
                let place = places.iter().find(|(marked, _)| *marked == label).map_or(count, |(_, place)| *place);
                place.saturating_sub(here)
            };
            // The longest program has less than 200 instructions; one that jumps too far is refused by the kernel.
            let near = |label: Option<Label>| label.map_or(0, |label| u8::try_from(distance(label)).unwrap_or(u8::MAX));
            program.push(match step {
                Step::Mark(_) => continue,
                Step::Do(instruction) => instruction,
                Step::Goto(label) => SockFilter::new(GOTO, 0, 0, u32::try_from(distance(label)).unwrap_or(u32::MAX)),
                Step::If(code, value, holds, fails) => SockFilter::new(code, near(holds), near(fails), value),
            });
        }
        program
    }

    fn instruct(&mut self, code: u16, value: u32) {
        self.steps.push(Step::Do(SockFilter::new(code, 0, 0, value)));
    }

    fn local(&mut self) -> Label {
        self.locals += 1;
        Label::Local(self.locals)
    }
}
