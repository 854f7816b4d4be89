//! Requests to the kernel's routing tables: one NETLINK_ROUTE socket, its acknowledgements, its dumps.
//!
//! What is asked for is in [`links`](crate::links) and [`addresses`](crate::addresses), as further methods of [`Rtnl`];
//! this module knows only how to ask. Nothing here knows of virtual routers.
//!
//! ```no_run
//! use vrrp_netlink::rtnl::Rtnl;
//!
//! # fn main() -> vrrp_netlink::Result<()> {
//! let mut rtnl = Rtnl::open()?;
//! for link in rtnl.links()? {
//!     println!("{}: {} {}", link.index, link.name, if link.running { "running" } else { "no carrier" });
//! }
//! # Ok(())
//! # }
//! ```

mod reply;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod transport;

use std::io;
use std::time::{Duration, Instant};

use netlink_packet_core::{
    Emitable, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkSerializable,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::Socket;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::time::{TimeVal, TimeValLike};

pub use reply::{Body, Garbled, Replies, Reply};
pub(crate) use reply::{attributes, text};

use crate::{Error, Result};

/// Requests sent before their acknowledgements are collected: the kernel drops what the receive buffer cannot hold, and
/// 256 acknowledgements overflow one of the default size.
pub const IN_FLIGHT: usize = 200;

/// The receive buffer of [`Rtnl::open`], in bytes.
pub const RECEIVE_BUFFER: usize = 1 << 20;

/// How long an answer may take. The kernel answers within the call that sends, so this is only met when an answer is
/// lost.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a dump is repeated because the table changed while it was read. A neighbour that adds a thousand addresses
/// keeps changing it for some ten milliseconds.
const DUMP_PATIENCE: Duration = Duration::from_secs(2);

/// Between two attempts, so that the table comes to rest rather than two processes fighting for its lock.
const DUMP_PAUSE: Duration = Duration::from_millis(1);

/// A socket for requests to the kernel's routing tables.
///
/// It belongs to the network namespace in which it was opened, also when the thread enters another one later. Requests
/// block until they are answered; five seconds without any answer are the error `ETIMEDOUT`. Reading needs no
/// privilege, changing needs `CAP_NET_ADMIN`.
///
/// **Lost acknowledgements.** When the receive buffer overflows (`ENOBUFS`), requests have been carried out whose
/// acknowledgements are lost. What has arrived is read, and only the requests left without an answer are sent once
/// more, one by one. Such a request meets its own work: adding an address may then report
/// [`AlreadySo`](crate::addresses::Change::AlreadySo) for an address that this very call has added. An interrupted or
/// overflowing dump is read again.
pub struct Rtnl {
    socket: Socket,
    sequence: u32,
    received: Vec<u8>,
}

/// One request: the message, and what the kernel shall do when the object exists (`NLM_F_CREATE`, `NLM_F_EXCL`, ...).
pub(crate) struct Request {
    pub(crate) message: RouteNetlinkMessage,
    pub(crate) flags: u16,
}

/// What became of a request.
#[derive(Debug)]
enum Outcome {
    Unanswered,
    Done,
    Refused(Refusal),
}

/// The kernel's negative answer.
#[derive(Debug)]
struct Refusal {
    errno: i32,
    text: String,
}

/// One run through a table.
enum Dump<T> {
    Whole(Vec<T>),
    Interrupted,
}

impl Rtnl {
    /// Opens a socket with a receive buffer of [`RECEIVE_BUFFER`] bytes.
    pub fn open() -> Result<Self> {
        Self::with_buffer(RECEIVE_BUFFER)
    }

    /// Opens a socket with a receive buffer of `bytes`.
    ///
    /// Without `CAP_NET_ADMIN` the kernel limits it to `net.core.rmem_max`.
    pub fn with_buffer(bytes: usize) -> Result<Self> {
        Self::with_limits(bytes, ANSWER_TIMEOUT)
    }

    fn with_limits(bytes: usize, timeout: Duration) -> Result<Self> {
        const OPERATION: &str = "open a netlink request socket";
        let socket = transport::open(bytes).map_err(|error| Error::new(OPERATION, error))?;
        let configure = || {
            // Without the second, a refusal carries the whole request back, which fills the buffer sooner.
            socket.set_ext_ack(true)?;
            socket.set_cap_ack(true)?;
            let timeout = TimeVal::milliseconds(i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX));
            nix::sys::socket::setsockopt(&socket, ReceiveTimeout, &timeout).map_err(io::Error::from)
        };
        configure().map_err(|error| Error::new(OPERATION, error))?;
        Ok(Self { socket, sequence: 0, received: transport::buffer() })
    }

    /// Performs one request that changes something.
    pub(crate) fn request(&mut self, operation: &'static str, request: Request) -> Result<()> {
        self.batch(operation, &[request]).pop().unwrap_or(Ok(()))
    }

    /// Performs requests in order, each whether or not those before it succeed; one result for each, in order.
    ///
    /// When the conversation itself fails, every request without an answer, sent or not, gets that error.
    pub(crate) fn batch(&mut self, operation: &'static str, requests: &[Request]) -> Vec<Result<()>> {
        let mut outcomes = Vec::with_capacity(requests.len());
        let mut failure = None;
        for window in requests.chunks(IN_FLIGHT) {
            let start = outcomes.len();
            outcomes.extend(window.iter().map(|_| Outcome::Unanswered));
            if failure.is_none() {
                failure = self.perform(window, &mut outcomes[start..]).err();
            }
        }
        let unanswered = || match &failure {
            Some(error) => error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error),
            None => io::Error::from_raw_os_error(libc::ENOBUFS),
        };
        let result = |outcome| match outcome {
            Outcome::Done => Ok(()),
            Outcome::Refused(refusal) => Err(refusal.into_error(operation)),
            Outcome::Unanswered => Err(Error::new(operation, unanswered())),
        };
        outcomes.into_iter().map(result).collect()
    }

    /// Asks for one object, without an acknowledgement: the answer is either the object or a refusal. `None` when
    /// `read` makes nothing of it.
    pub(crate) fn get<T>(
        &mut self,
        operation: &'static str,
        message: RouteNetlinkMessage,
        read: impl Fn(u16, &[u8]) -> std::result::Result<Option<T>, Garbled>,
    ) -> Result<Option<T>> {
        let fail = |error| Error::new(operation, error);
        let sequence = self.send(&[Request { message, flags: 0 }], 0).map_err(fail)?;
        loop {
            self.receive(0).map_err(fail)?;
            for reply in Replies::new(&self.received) {
                let reply = reply.map_err(|error| fail(error.into()))?;
                if reply.sequence != sequence {
                    continue;
                }
                return match reply.body {
                    Body::Ack | Body::Done => Ok(None),
                    Body::Refused { errno, text } => Err(Refusal { errno, text }.into_error(operation)),
                    Body::Object { kind, payload } => read(kind, payload).map_err(|error| fail(error.into())),
                };
            }
        }
    }

    /// Reads a whole table; a row for which `read` answers `None` is left out.
    ///
    /// The kernel tells when the table changed while it was read, so that a row may be missing: it is then read again.
    pub(crate) fn dump<T>(
        &mut self,
        operation: &'static str,
        message: RouteNetlinkMessage,
        read: impl Fn(u16, &[u8]) -> std::result::Result<Option<T>, Garbled>,
    ) -> Result<Vec<T>> {
        let request = Request { message, flags: 0 };
        let begin = Instant::now();
        loop {
            match self.dump_once(operation, &request, &read)? {
                Dump::Whole(rows) => return Ok(rows),
                Dump::Interrupted if begin.elapsed() < DUMP_PATIENCE => std::thread::sleep(DUMP_PAUSE),
                Dump::Interrupted => {
                    let cause = io::Error::other("the table changed every time it was read");
                    return Err(Error::new(operation, cause));
                }
            }
        }
    }

    fn dump_once<T>(
        &mut self,
        operation: &'static str,
        request: &Request,
        read: &impl Fn(u16, &[u8]) -> std::result::Result<Option<T>, Garbled>,
    ) -> Result<Dump<T>> {
        let fail = |error| Error::new(operation, error);
        let sequence = self.send(std::slice::from_ref(request), NLM_F_DUMP).map_err(fail)?;
        let mut rows = Vec::new();
        let mut interrupted = false;
        let mut garbled: Option<io::Error> = None;
        // Always to the end, even of a bad dump: the kernel refuses the next one with EBUSY until this one is read.
        loop {
            match self.receive(0) {
                Ok(()) => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    interrupted = true;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    garbled.get_or_insert(error);
                    continue;
                }
                Err(error) => return Err(fail(error)),
            }
            for reply in Replies::new(&self.received) {
                let reply = match reply {
                    Ok(reply) if reply.sequence == sequence => reply,
                    Ok(_) => continue,
                    Err(error) => {
                        garbled.get_or_insert(error.into());
                        continue;
                    }
                };
                interrupted |= reply.flags & NLM_F_DUMP_INTR != 0;
                match reply.body {
                    Body::Object { kind, payload } => match read(kind, payload) {
                        Ok(row) => rows.extend(row),
                        Err(error) => {
                            garbled.get_or_insert(error.into());
                        }
                    },
                    Body::Refused { errno, text } => return Err(Refusal { errno, text }.into_error(operation)),
                    Body::Ack | Body::Done => {
                        return match garbled {
                            Some(error) => Err(fail(error)),
                            None if interrupted => Ok(Dump::Interrupted),
                            None => Ok(Dump::Whole(rows)),
                        };
                    }
                }
            }
        }
    }

    /// One window of requests and its acknowledgements; those lost to an overflow are asked for again.
    fn perform(&mut self, window: &[Request], outcomes: &mut [Outcome]) -> io::Result<()> {
        if !self.converse(window, outcomes)? {
            return Ok(());
        }
        for (request, outcome) in window.iter().zip(outcomes) {
            if matches!(outcome, Outcome::Unanswered) {
                self.converse(std::slice::from_ref(request), std::slice::from_mut(outcome))?;
            }
        }
        Ok(())
    }

    /// Sends a window and collects its acknowledgements; whether some of them were lost to an overflow.
    fn converse(&mut self, window: &[Request], outcomes: &mut [Outcome]) -> io::Result<bool> {
        let first = self.send(window, NLM_F_ACK)?;
        let mut waiting = window.len();
        let mut overflowed = false;
        while waiting > 0 {
            // The kernel works within the call that sends: after an overflow, whatever was not dropped is there.
            let flags = if overflowed { libc::MSG_DONTWAIT } else { 0 };
            match self.receive(flags) {
                Ok(()) => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    overflowed = true;
                    continue;
                }
                Err(error) if overflowed && error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
            for reply in Replies::new(&self.received) {
                let reply = reply?;
                let position = usize::try_from(reply.sequence.wrapping_sub(first)).unwrap_or(usize::MAX);
                if let Some(outcome @ Outcome::Unanswered) = outcomes.get_mut(position) {
                    *outcome = match reply.body {
                        Body::Object { .. } => continue,
                        Body::Ack | Body::Done => Outcome::Done,
                        Body::Refused { errno, text } => Outcome::Refused(Refusal { errno, text }),
                    };
                    waiting -= 1;
                }
            }
        }
        Ok(false)
    }

    /// Sends requests as one datagram, `flags` added to each; the sequence number of the first, the others follow.
    fn send(&mut self, window: &[Request], flags: u16) -> io::Result<u32> {
        let first = self.sequence.wrapping_add(1);
        let mut datagram = Vec::new();
        for request in window {
            self.sequence = self.sequence.wrapping_add(1);
            encode(request, flags, self.sequence, &mut datagram);
        }
        transport::send(&self.socket, &datagram)?;
        Ok(first)
    }

    /// The next datagram, into `self.received`. `ETIMEDOUT` when none comes; with `MSG_DONTWAIT`, `WouldBlock`.
    fn receive(&mut self, flags: i32) -> io::Result<()> {
        match transport::receive(&self.socket, &mut self.received, flags) {
            Err(error) if flags & libc::MSG_DONTWAIT == 0 && error.kind() == io::ErrorKind::WouldBlock => {
                Err(io::Error::from_raw_os_error(libc::ETIMEDOUT))
            }
            result => result,
        }
    }
}

impl Refusal {
    fn into_error(self, operation: &'static str) -> Error {
        Error::new(operation, io::Error::from_raw_os_error(self.errno)).with_kernel_text(self.text)
    }
}

/// Appends a request to a datagram, padded so that the next one is aligned.
pub(crate) fn encode(request: &Request, flags: u16, sequence: u32, datagram: &mut Vec<u8>) {
    let mut header = NetlinkHeader::default();
    let start = datagram.len();
    let body = start + header.buffer_len();
    let end = body + NetlinkSerializable::buffer_len(&request.message);
    header.length = u32::try_from(end - start).unwrap_or(u32::MAX);
    header.message_type = request.message.message_type();
    header.flags = NLM_F_REQUEST | request.flags | flags;
    header.sequence_number = sequence;
    datagram.resize(end.next_multiple_of(4), 0);
    header.emit(&mut datagram[start..body]);
    request.message.serialize(&mut datagram[body..end]);
}
