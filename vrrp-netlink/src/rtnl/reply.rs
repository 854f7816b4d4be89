//! What the kernel answers: octets to replies, as a pure function that never panics.
//!
//! Knows the frame of netlink messages and of extended acknowledgements; the objects inside are read by
//! [`Link::read`](crate::links::Link::read) and [`Address::read`](crate::addresses::Address::read).

use std::fmt;
use std::io;

use netlink_packet_core::{
    DecodeError, DoneBuffer, ErrorBuffer, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP,
    NLMSG_OVERRUN, NetlinkBuffer, NlasIterator,
};

/// The kernel's explanation within an extended acknowledgement (`NLMSGERR_ATTR_MSG`).
const EXPLANATION: u16 = 1;

/// Octets of a netlink header, which an error message quotes from the request.
const HEADER: usize = 16;

/// Octets that are not what the kernel's interface promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garbled(String);

/// One message from the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<'a> {
    /// Sequence number of the request that this answers; 0 for an event.
    pub sequence: u32,
    /// The header's flags (`NLM_F_*`).
    pub flags: u16,
    /// What it says.
    pub body: Body<'a>,
}

/// The content of a [`Reply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<'a> {
    /// The request was carried out.
    Ack,
    /// The request was refused.
    Refused {
        /// The error number, positive.
        errno: i32,
        /// The kernel's explanation, empty where it gave none.
        text: String,
    },
    /// The end of a dump.
    Done,
    /// A link, an address, ...
    Object {
        /// Message type (`RTM_*`).
        kind: u16,
        /// What follows the netlink header.
        payload: &'a [u8],
    },
}

/// The messages of one datagram. After [`Garbled`] there are no more, since it is unknown where the next one begins.
///
/// ```
/// use vrrp_netlink::rtnl::Replies;
/// assert_eq!(Replies::new(&[]).count(), 0);
/// assert!(Replies::new(&[1, 2, 3]).all(|reply| reply.is_err()));
/// ```
#[derive(Debug, Clone)]
pub struct Replies<'a> {
    rest: &'a [u8],
}

impl<'a> Replies<'a> {
    /// Reads the datagram `octets`.
    pub fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }
}

impl<'a> Iterator for Replies<'a> {
    type Item = Result<Reply<'a>, Garbled>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let octets = std::mem::take(&mut self.rest);
            let message = match NetlinkBuffer::new_checked(octets) {
                Ok(message) => message,
                Err(error) => return Some(Err(error.into())),
            };
            let length = HEADER + message.payload_length();
            self.rest = octets.get(length.next_multiple_of(4)..).unwrap_or_default();
            if message.message_type() != NLMSG_NOOP {
                let reply = body(&message).map(|body| Reply {
                    sequence: message.sequence_number(),
                    flags: message.flags(),
                    body,
                });
                if reply.is_err() {
                    self.rest = &[];
                }
                return Some(reply);
            }
        }
        None
    }
}

impl Garbled {
    pub(crate) fn new(what: &str) -> Self {
        Self(what.to_owned())
    }
}

impl fmt::Display for Garbled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the kernel's answer makes no sense: {}", self.0)
    }
}

impl std::error::Error for Garbled {}

impl From<DecodeError> for Garbled {
    fn from(error: DecodeError) -> Self {
        Self(error.to_string())
    }
}

impl From<Garbled> for io::Error {
    fn from(garbled: Garbled) -> Self {
        Self::new(io::ErrorKind::InvalidData, garbled)
    }
}

/// Calls `visit` with the type and value of each attribute, without the flags of the type.
pub(crate) fn attributes(
    octets: &[u8],
    mut visit: impl FnMut(u16, &[u8]) -> Result<(), Garbled>,
) -> Result<(), Garbled> {
    for attribute in NlasIterator::new(octets) {
        let attribute = attribute?;
        visit(attribute.kind(), attribute.value())?;
    }
    Ok(())
}

/// A string attribute, with or without its terminating zero. Names are octets to the kernel: what is not UTF-8 is shown
/// as far as it is.
pub(crate) fn text(octets: &[u8]) -> String {
    let end = octets.iter().position(|&octet| octet == 0).unwrap_or(octets.len());
    String::from_utf8_lossy(&octets[..end]).into_owned()
}

fn body<'a>(message: &NetlinkBuffer<&'a [u8]>) -> Result<Body<'a>, Garbled> {
    let payload = message.payload();
    Ok(match message.message_type() {
        NLMSG_ERROR => {
            let error = ErrorBuffer::new_checked(payload)?;
            match error.code() {
                None => Body::Ack,
                Some(code) => refused(code.get(), explanation(message.flags(), error.payload())),
            }
        }
        NLMSG_DONE if payload.is_empty() => Body::Done,
        NLMSG_DONE => {
            let done = DoneBuffer::new_checked(payload)?;
            let explained = message.flags() & NLM_F_ACK_TLVS != 0;
            match done.code() {
                0.. => Body::Done,
                code => refused(code, if explained { find_explanation(done.extended_ack()) } else { String::new() }),
            }
        }
        NLMSG_OVERRUN => return Err(Garbled::new("data lost")),
        kind => Body::Object { kind, payload },
    })
}

fn refused<'a>(code: i32, text: String) -> Body<'a> {
    Body::Refused { errno: code.checked_abs().unwrap_or(i32::MAX), text }
}

/// The explanation follows the quoted request: its header alone when the message is capped, else all of it.
fn explanation(flags: u16, quoted: &[u8]) -> String {
    if flags & NLM_F_ACK_TLVS == 0 {
        return String::new();
    }
    let start = if flags & NLM_F_CAPPED != 0 {
        Some(HEADER)
    } else {
        // The quoted length may lie: it is used as a position only, and only inside of what is there.
        quoted.first_chunk().and_then(|length| usize::try_from(u32::from_ne_bytes(*length)).ok())
    };
    let attributes = start.and_then(|start| quoted.get(start.checked_next_multiple_of(4)?..));
    attributes.map(find_explanation).unwrap_or_default()
}

/// An explanation that cannot be read is none: the error number counts.
fn find_explanation(octets: &[u8]) -> String {
    let mut found = String::new();
    let _ = attributes(octets, |kind, value| {
        if kind == EXPLANATION {
            found = text(value);
        }
        Ok(())
    });
    found
}
