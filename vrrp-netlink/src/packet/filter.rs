//! What a packet socket lets through: a classic BPF program for the kernel, put together from kinds of frames.
//!
//! The kernel throws away everything else before it wakes anybody. Knows where the fields of Ethernet, ARP and IP headers
//! stand; decides nothing by their values but which frames pass.

mod claims;

use socket2::SockFilter;

/// A kind of frame that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Accept {
    /// Every ARP packet of Ethernet and IPv4 (RFC 826).
    Arp,
    /// Those whose sender and target address are the same: announcements.
    GratuitousArp,
    /// ICMPv6 neighbour advertisements directly behind the IPv6 header (RFC 4861 section 4.4).
    NeighbourAdvertisement,
    /// IPv4 datagrams of this protocol number.
    Ipv4(u8),
    /// IPv6 datagrams with this next header in the IPv6 header itself.
    Ipv6(u8),
}

/// A program for [`PacketSocket`](super::PacketSocket).
///
/// Frames that this host sends, and frames that are for another host or for a VLAN or macvlan on the interface, never pass.
pub struct Filter {
    program: Box<[Instruction]>,
}

// Frame offsets, from the Ethernet header on.
const ETHERTYPE: u32 = 12;
const ARP_KIND: u32 = 14;
const ARP_LENGTHS: u32 = 18;
const ARP_SENDER: u32 = 28;
const ARP_TARGET: u32 = 38;
const IPV4_PROTOCOL: u32 = 23;
const IPV6_NEXT_HEADER: u32 = 20;
const ICMPV6_TYPE: u32 = 54;

const ETHERTYPE_IPV4: u32 = 0x0800;
const ETHERTYPE_ARP: u32 = 0x0806;
const ETHERTYPE_IPV6: u32 = 0x86dd;
const ARP_ETHERNET_IPV4: u32 = 0x0001_0800;
const ARP_LENGTHS_6_4: u32 = 0x0604;
const PROTOCOL_ICMPV6: u32 = 58;
const TYPE_NEIGHBOUR_ADVERTISEMENT: u32 = 136;

/// The Ethernet header stands at such offsets (`SKF_LL_OFF`) for sockets that are delivered what follows it; its source
/// address stands behind the destination's.
const ETHERNET_SOURCE: u32 = 0xffe0_0000 + 6;

/// What the kernel knows of a frame besides its octets stands at such offsets (`SKF_AD_OFF`): here, for whom it is.
const PACKET_TYPE: u32 = 0xffff_f000 + 4;
const TO_ANOTHER_HOST: u32 = 3;
const OUTGOING: u32 = 4;
/// The same of the interface that it is for.
const INTERFACE: u32 = 0xffff_f000 + 8;

// Instructions (linux/bpf_common.h).
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_OCTET: u16 = 0x30;
const COPY_TO_X: u16 = 0x07;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_EQUAL_X: u16 = 0x1d;
const RETURN: u16 = 0x06;

/// The whole frame.
const ALL: u32 = u32::MAX;
const NOTHING: u32 = 0;

/// One step of a program: what to do, how far to jump when a comparison holds and when it fails, and a number.
#[derive(Clone, Copy)]
struct Instruction(u16, u8, u8, u32);

/// One check: load something, compare it.
#[derive(Clone, Copy)]
enum Check {
    Octet(u32, u32),
    Half(u32, u32),
    Word(u32, u32),
    /// Two words are the same.
    Same(u32, u32),
}

impl Filter {
    /// Lets these kinds pass and nothing else; with none of them, nothing.
    pub fn accepting(kinds: &[Accept]) -> Self {
        let mut program = Self::head();
        for kind in kinds {
            block(&mut program, kind.checks(), vec![verdict(ALL)]);
        }
        program.push(verdict(NOTHING));
        Self { program: program.into() }
    }

    /// What never passes.
    fn head() -> Vec<Instruction> {
        let mut program = vec![load(LOAD_OCTET, PACKET_TYPE)];
        for unwanted in [TO_ANOTHER_HOST, OUTGOING] {
            program.extend([Instruction::new(JUMP_IF_EQUAL, 0, 1, unwanted), verdict(NOTHING)]);
        }
        program
    }

    pub(super) fn program(&self) -> impl ExactSizeIterator<Item = SockFilter> + '_ {
        self.program.iter().copied().map(Instruction::assembled)
    }
}

impl Instruction {
    const fn new(code: u16, holds: u8, fails: u8, value: u32) -> Self {
        Self(code, holds, fails, value)
    }

    const fn assembled(self) -> SockFilter {
        let Self(code, holds, fails, value) = self;
        SockFilter::new(code, holds, fails, value)
    }
}

/// In front of a program of a packet socket: lets nothing pass that is not for the interface `index` itself. What is for a VLAN or a
/// macvlan on it is another LAN's, but the kernel shows it also to those who listen to the interface below, without its tag.
pub(super) fn of_interface(index: u32, program: impl IntoIterator<Item = SockFilter>) -> Vec<SockFilter> {
    let check = [load(LOAD_WORD, INTERFACE), Instruction::new(JUMP_IF_EQUAL, 1, 0, index), verdict(NOTHING)];
    check.map(Instruction::assembled).into_iter().chain(program).collect()
}

/// Lets pass what came from this MAC address, for sockets of a protocol inside IP.
pub(crate) fn from_mac(mac: [u8; 6]) -> Vec<SockFilter> {
    let [front @ .., high, low] = mac;
    let mut program = Vec::new();
    let checks = vec![
        Check::Word(ETHERNET_SOURCE, u32::from_be_bytes(front)),
        Check::Half(ETHERNET_SOURCE + 4, u32::from(u16::from_be_bytes([high, low]))),
    ];
    block(&mut program, checks, vec![verdict(ALL)]);
    program.push(verdict(NOTHING));
    program.into_iter().map(Instruction::assembled).collect()
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filter").field("instructions", &self.program.len()).finish_non_exhaustive()
    }
}

impl Accept {
    /// What holds for its frames. The first check keeps others' frames from being read where they end.
    fn checks(self) -> Vec<Check> {
        let arp = || {
            vec![
                Check::Half(ETHERTYPE, ETHERTYPE_ARP),
                Check::Word(ARP_KIND, ARP_ETHERNET_IPV4),
                Check::Half(ARP_LENGTHS, ARP_LENGTHS_6_4),
            ]
        };
        match self {
            Self::Arp => arp(),
            Self::GratuitousArp => [arp(), vec![Check::Same(ARP_SENDER, ARP_TARGET)]].concat(),
            Self::NeighbourAdvertisement => vec![
                Check::Half(ETHERTYPE, ETHERTYPE_IPV6),
                Check::Octet(IPV6_NEXT_HEADER, PROTOCOL_ICMPV6),
                Check::Octet(ICMPV6_TYPE, TYPE_NEIGHBOUR_ADVERTISEMENT),
            ],
            Self::Ipv4(protocol) => {
                vec![Check::Half(ETHERTYPE, ETHERTYPE_IPV4), Check::Octet(IPV4_PROTOCOL, protocol.into())]
            }
            Self::Ipv6(protocol) => {
                vec![Check::Half(ETHERTYPE, ETHERTYPE_IPV6), Check::Octet(IPV6_NEXT_HEADER, protocol.into())]
            }
        }
    }
}

/// Appends checks that jump behind the block as soon as one fails, and `tail` for when none does.
fn block(program: &mut Vec<Instruction>, checks: Vec<Check>, mut tail: Vec<Instruction>) {
    // Of the instructions, from the end: how many follow is how far a failed check has to jump.
    tail.reverse();
    let mut reversed = tail;
    for check in checks.into_iter().rev() {
        // The checks of a block have some fifteen instructions, and its tail has two hundred at most.
        let behind = u8::try_from(reversed.len()).unwrap_or(u8::MAX);
        let (compare, loads) = match check {
            Check::Octet(at, value) => (Instruction::new(JUMP_IF_EQUAL, 0, behind, value), vec![load(LOAD_OCTET, at)]),
            Check::Half(at, value) => (Instruction::new(JUMP_IF_EQUAL, 0, behind, value), vec![load(LOAD_HALF, at)]),
            Check::Word(at, value) => (Instruction::new(JUMP_IF_EQUAL, 0, behind, value), vec![load(LOAD_WORD, at)]),
            Check::Same(one, other) => {
                let loads = vec![load(LOAD_WORD, other), Instruction::new(COPY_TO_X, 0, 0, 0), load(LOAD_WORD, one)];
                (Instruction::new(JUMP_IF_EQUAL_X, 0, behind, 0), loads)
            }
        };
        reversed.push(compare);
        reversed.extend(loads);
    }
    program.extend(reversed.into_iter().rev());
}

const fn load(code: u16, at: u32) -> Instruction {
    Instruction::new(code, 0, 0, at)
}

const fn verdict(octets: u32) -> Instruction {
    Instruction::new(RETURN, 0, 0, octets)
}
