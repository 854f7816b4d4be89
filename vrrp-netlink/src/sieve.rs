//! Which datagrams a socket is given: by an octet behind their headers, and by who sent them.
//!
//! The kernel throws away the others before they take room in the socket's queue or wake anybody. Knows where IP headers and
//! the Authentication Header end; which octet it is, and which of its values matter, is the caller's business.
//!
//! ```no_run
//! use std::net::Ipv4Addr;
//! use vrrp_netlink::sieve::{Layout, Senders, Sieve};
//! use vrrp_netlink::socket::VrrpSocket;
//!
//! # fn main() -> vrrp_netlink::Result<()> {
//! let master = [Ipv4Addr::new(192, 0, 2, 1).into()];
//! // The second octet of an advert is the identifier of its virtual router: 50 and 51 from one sender, and nothing else.
//! let sieve = Sieve::new(Layout::Ipv4, 1, [50, 51]).from(Senders::Only(&master));
//! let socket = VrrpSocket::open("eth0", 2, 112)?;
//! socket.sift(&sieve)?;
//! # Ok(())
//! # }
//! ```

mod program;

use std::net::IpAddr;
use std::num::NonZeroU32;

use socket2::SockFilter;

use program::{Label, Program};

/// What the datagrams of a socket begin with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Layout {
    /// An IPv4 header, as with raw IPv4 sockets.
    Ipv4,
    /// An IPv4 header and an Authentication Header (RFC 4302) with this number as what follows; other datagrams are none that
    /// are wanted.
    Ipv4Authenticated(u8),
    /// Nothing, as with raw IPv6 sockets.
    Ipv6Payload,
    /// An IPv4 header of this protocol, with or without an Authentication Header behind it: of all that an interface receives.
    /// Fragments are left out.
    AnyIpv4(u8),
    /// An IPv6 header with this next header: of all that an interface receives.
    AnyIpv6(u8),
}

/// Whose datagrams are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Senders<'a> {
    /// Everybody's.
    All,
    /// Those of these addresses; the first [`MOST_SENDERS`] of the layout's family count.
    Only(&'a [IpAddr]),
    /// Those of all others.
    Except(&'a [IpAddr]),
}

/// Addresses that one sieve can tell from others.
pub const MOST_SENDERS: usize = 8;

/// A program for [`VrrpSocket::sift`](crate::socket::VrrpSocket::sift),
/// [`VrrpSocket6::sift`](crate::socket6::VrrpSocket6::sift) and [`DatagramEar`](crate::packet::DatagramEar).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sieve {
    layout: Layout,
    place: u8,
    /// One bit for each value of the octet.
    values: [u32; WORDS],
    only: bool,
    senders: Vec<IpAddr>,
    sample: Option<NonZeroU32>,
}

/// Words of a set of octets.
const WORDS: usize = 8;

impl Sieve {
    /// Lets datagrams pass of which the octet at `place`, from 0, behind the headers has one of these values.
    pub fn new(layout: Layout, place: u8, values: impl IntoIterator<Item = u8>) -> Self {
        let mut set = [0; WORDS];
        for value in values {
            set[usize::from(value / 32)] |= 1 << (value % 32);
        }
        Self { layout, place, values: set, only: false, senders: Vec::new(), sample: None }
    }

    /// Nothing passes.
    pub fn nothing(layout: Layout) -> Self {
        Self::new(layout, 0, [])
    }

    /// Of what has one of the values, lets these pass. Nothing else of it does, whatever is sampled.
    #[must_use]
    pub fn from(self, senders: Senders<'_>) -> Self {
        let (only, senders) = match senders {
            Senders::All => (false, &[][..]),
            Senders::Only(senders) => (true, senders),
            Senders::Except(senders) => (false, senders),
        };
        let v4 = self.layout.is_v4();
        let senders = senders.iter().copied().filter(|sender| sender.is_ipv4() == v4).take(MOST_SENDERS).collect();
        Self { only, senders, ..self }
    }

    /// Of what has none of the values, or ends before that octet, lets one of about so many pass, at random: what was heard of
    /// them, times this number, is what there was. Rounded up to a power of two, at most 2^31.
    #[must_use]
    pub fn sampling(self, one_of: NonZeroU32) -> Self {
        let one_of = one_of.checked_next_power_of_two().or(NonZeroU32::new(1 << 31));
        Self { sample: one_of, ..self }
    }

    pub(crate) fn program(&self) -> Vec<SockFilter> {
        let mut program = Program::default();
        self.find_the_octet(&mut program);
        program.member_of(&self.values, Label::Wanted, Label::Foreign);
        program.mark(Label::Wanted);
        let (of_those, others) = if self.only { (Label::Pass, Label::Drop) } else { (Label::Drop, Label::Pass) };
        for sender in &self.senders {
            match sender {
                IpAddr::V4(sender) => program.jump_if_source(&[sender.to_bits()], program::IPV4_SOURCE, of_those),
                IpAddr::V6(sender) => {
                    let bits = sender.to_bits();
                    // Each is the low half of a shifted number: nothing is lost that counts.
                    let words = [96, 64, 32, 0].map(|shift| u32::try_from(bits >> shift & 0xffff_ffff).unwrap_or(0));
                    program.jump_if_source(&words, program::IPV6_SOURCE, of_those);
                }
            }
        }
        program.goto(others);
        program.mark(Label::Foreign);
        match self.sample {
            Some(one_of) => program.one_of(one_of, Label::Pass, Label::Drop),
            None => program.goto(Label::Drop),
        }
        program.assemble()
    }

    /// Loads it, or ends up where datagrams without it do.
    fn find_the_octet(&self, program: &mut Program) {
        let place = u32::from(self.place);
        match self.layout {
            Layout::Ipv4 => program.load_behind_ipv4(place, Label::Foreign),
            Layout::Ipv4Authenticated(inner) => program.load_behind_ah(inner, place, Label::Foreign),
            Layout::Ipv6Payload => program.load_at(place, Label::Foreign),
            Layout::AnyIpv4(protocol) => {
                program.drop_what_is_not_for_us();
                program.drop_fragments();
                program.jump_if_octet(program::IPV4_PROTOCOL, protocol, Label::Plain);
                program.jump_if_octet(program::IPV4_PROTOCOL, program::PROTOCOL_AH, Label::Signed);
                program.goto(Label::Drop);
                program.mark(Label::Signed);
                program.load_behind_ah(protocol, place, Label::Drop);
                program.goto(Label::Loaded);
                program.mark(Label::Plain);
                program.load_behind_ipv4(place, Label::Drop);
                program.mark(Label::Loaded);
            }
            Layout::AnyIpv6(protocol) => {
                program.drop_what_is_not_for_us();
                program.jump_if_octet(program::IPV6_NEXT_HEADER, protocol, Label::Plain);
                program.goto(Label::Drop);
                program.mark(Label::Plain);
                program.load_at(program::IPV6_HEADER + place, Label::Drop);
            }
        }
    }
}

impl Layout {
    const fn is_v4(self) -> bool {
        match self {
            Self::Ipv4 | Self::Ipv4Authenticated(_) | Self::AnyIpv4(_) => true,
            Self::Ipv6Payload | Self::AnyIpv6(_) => false,
        }
    }
}

#[cfg(test)]
mod tests;
