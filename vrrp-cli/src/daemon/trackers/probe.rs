//! The built-in checks: a port, a web page, a process, a neighbour. Nothing here waits; names are looked up, and
//! processes counted, in threads of their own.
//!
//! Knows how to ask and what counts as an answer; not when, nor what follows from it.

mod errands;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use nix::errno::Errno;
use socket2::{Domain, Socket, Type};
use vrrp_netlink::neighbour::Question;
use vrrp_netlink::process::{Poller, Token, Wakeup};
use vrrp_netlink::rtnl::Rtnl;

use errands::{Errands, Found};

use super::table;
use crate::config::HttpUrl;

/// Longest first line of an answer that is read.
const STATUS_LINE: usize = 1024;

/// What a check looks at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::daemon) enum Target {
    /// Whether a connection is accepted.
    Tcp { host: String, port: u16 },
    /// Whether the answer's status lies between the two numbers.
    Http { url: HttpUrl, status: (u16, u16) },
    /// Whether a process of this name runs.
    Process(String),
    /// Whether a neighbour answers on the wire.
    Gateway { address: IpAddr, interface: Option<String> },
}

/// The result of a check, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Verdict {
    pub(super) good: bool,
    pub(super) detail: String,
}

/// A check that waits for something.
pub(super) struct Running {
    began: Instant,
    deadline: Instant,
    stage: Stage,
}

enum Stage {
    Resolving { port: u16, then: Then },
    Counting { name: String },
    Connecting { socket: Socket, to: SocketAddr, others: Vec<SocketAddr>, then: Then },
    Answering { socket: Socket, then: Page, received: Vec<u8> },
    Asking(Question),
}

/// What to do with a connection.
#[derive(Clone)]
enum Then {
    Close,
    Ask(Page),
}

#[derive(Clone)]
struct Page {
    request: Vec<u8>,
    status: (u16, u16),
}

/// What all checks share: what others find out for them, and a way to ask for interfaces.
#[derive(Default)]
pub(super) struct Prober {
    errands: Option<Errands>,
    rtnl: Option<Rtnl>,
}

impl Verdict {
    fn good(detail: String) -> Self {
        Self { good: true, detail }
    }

    fn bad(detail: impl Into<String>) -> Self {
        Self { good: false, detail: detail.into() }
    }
}

impl Prober {
    /// Begins a check of the one at `place`; or its result, when that is known at once.
    pub(super) fn start(&mut self, place: usize, target: &Target, deadline: Instant) -> Result<Running, Verdict> {
        let began = Instant::now();
        let stage = match target {
            Target::Tcp { host, port } => self.connect(place, host, *port, Then::Close)?,
            Target::Http { url, status } => {
                let request = format!(
                    "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: vrrpctl/{}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
                    url.path,
                    url.authority(),
                    env!("CARGO_PKG_VERSION")
                );
                let page = Page { request: request.into_bytes(), status: *status };
                self.connect(place, &url.host, url.port, Then::Ask(page))?
            }
            Target::Process(name) => self.count(place, name)?,
            Target::Gateway { address, interface } => {
                let question = self.ask(*address, interface.as_deref());
                Stage::Asking(question.map_err(Verdict::bad)?)
            }
        };
        Ok(Running { began, deadline, stage })
    }

    /// The result, once there is one.
    pub(super) fn advance(&mut self, place: usize, running: &mut Running, now: Instant) -> Option<Verdict> {
        loop {
            match running.step(self, place) {
                Step::Again => {}
                Step::Done(verdict) => return Some(verdict),
                Step::Wait if running.deadline <= now => return Some(Verdict::bad(running.overdue(now))),
                Step::Wait => return None,
            }
        }
    }

    /// Becomes readable when something was found out.
    pub(super) fn answers(&self) -> Option<&Wakeup> {
        self.errands.as_ref().map(|errands| &errands.wakeup)
    }

    /// Takes in what was found out; the places of the checks that asked.
    pub(super) fn collect(&mut self) -> Vec<usize> {
        self.errands.as_mut().map(Errands::collect).unwrap_or_default()
    }

    fn connect(&mut self, place: usize, host: &str, port: u16, then: Then) -> Result<Stage, Verdict> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return connect(vec![SocketAddr::new(address, port)], then);
        }
        let begun = self.errands().and_then(|errands| errands.look_up(place, host, port).map_err(|e| e.to_string()));
        match begun {
            Ok(()) => Ok(Stage::Resolving { port, then }),
            Err(error) => Err(Verdict::bad(format!("cannot look up `{host}`: {error}"))),
        }
    }

    fn count(&mut self, place: usize, name: &str) -> Result<Stage, Verdict> {
        let begun = self.errands().and_then(|errands| errands.count(place, name).map_err(|error| error.to_string()));
        match begun {
            Ok(()) => Ok(Stage::Counting { name: name.to_owned() }),
            Err(error) => Err(Verdict::bad(format!("cannot count processes: {error}"))),
        }
    }

    fn errands(&mut self) -> Result<&mut Errands, String> {
        match &mut self.errands {
            Some(errands) => Ok(errands),
            none => Ok(none.insert(Errands::new().map_err(|error| error.to_string())?)),
        }
    }

    /// Asks for a neighbour by the interface that has an address in its network.
    fn ask(&mut self, target: IpAddr, interface: Option<&str>) -> Result<Question, String> {
        let rtnl = match &mut self.rtnl {
            Some(rtnl) => rtnl,
            none => none.insert(Rtnl::open().map_err(|error| error.to_string())?),
        };
        // All the interfaces of a host are many: it is asked for one of them.
        let named = match interface {
            Some(name) => {
                let link = rtnl.link(name).map_err(|error| error.to_string())?;
                Some(link.ok_or_else(|| format!("there is no interface `{name}`"))?)
            }
            None => None,
        };
        let mut addresses = rtnl.addresses().map_err(|error| error.to_string())?;
        addresses.retain(|one| {
            one.address.is_ipv4() == target.is_ipv4() && named.as_ref().is_none_or(|link| link.index == one.index)
        });
        let local = |address: &IpAddr| matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
        let near = addresses.iter().find(|one| table::same_network(one.address, target, one.prefix_len));
        // A neighbour may well have another network's address where the interface is named.
        let other = addresses.iter().find(|one| interface.is_some() && local(&one.address) == local(&target));
        let address = near.or(other).ok_or_else(|| match interface {
            Some(name) => format!("interface `{name}` has no address to ask with"),
            None => format!("{target} is in no network of this host"),
        })?;
        let link = match named {
            Some(link) => link,
            None => rtnl
                .link_by_index(address.index)
                .map_err(|error| error.to_string())?
                .ok_or_else(|| format!("the interface of {} is gone", address.address))?,
        };
        let mac = link.mac.ok_or_else(|| format!("interface `{}` has no Ethernet address", link.name))?;
        Question::ask(link.index, mac, address.address, target).map_err(|error| error.to_string())
    }
}

enum Step {
    Again,
    Wait,
    Done(Verdict),
}

impl Running {
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Adds what it waits for.
    pub(super) fn watch(&self, poller: &mut Poller) -> Option<Token> {
        match &self.stage {
            Stage::Resolving { .. } | Stage::Counting { .. } => None,
            Stage::Connecting { socket, .. } => Some(poller.add_writable(socket)),
            Stage::Answering { socket, .. } => Some(poller.add(socket)),
            Stage::Asking(question) => Some(poller.add(question)),
        }
    }

    fn step(&mut self, prober: &mut Prober, place: usize) -> Step {
        let took = self.began.elapsed();
        match &mut self.stage {
            Stage::Resolving { port, then } => {
                let answer = prober.errands.as_mut().and_then(|errands| errands.answer(place));
                let port = *port;
                match answer {
                    None | Some(Found::Processes(_)) => Step::Wait,
                    Some(Found::Addresses(Err(error))) => {
                        Step::Done(Verdict::bad(format!("the name cannot be looked up: {error}")))
                    }
                    Some(Found::Addresses(Ok(addresses))) => {
                        let to = addresses.into_iter().map(|to| SocketAddr::new(to.ip(), port)).collect();
                        match connect(to, then.clone()) {
                            Ok(stage) => {
                                self.stage = stage;
                                Step::Again
                            }
                            Err(verdict) => Step::Done(verdict),
                        }
                    }
                }
            }
            Stage::Counting { name } => match prober.errands.as_mut().and_then(|errands| errands.answer(place)) {
                None | Some(Found::Addresses(_)) => Step::Wait,
                Some(Found::Processes(count)) => Step::Done(process(name, count)),
            },
            Stage::Connecting { socket, to, others, then } => match connected(socket) {
                Ok(false) => Step::Wait,
                Ok(true) => match then.clone() {
                    Then::Close => Step::Done(Verdict::good(format!("{to} accepted a connection after {took:.1?}"))),
                    Then::Ask(page) => {
                        // A request is smaller than any send buffer.
                        if let Err(error) = (&*socket).write_all(&page.request) {
                            return Step::Done(Verdict::bad(format!("{to} took no request: {error}")));
                        }
                        match socket.try_clone() {
                            Ok(socket) => {
                                self.stage = Stage::Answering { socket, then: page, received: Vec::new() };
                                Step::Again
                            }
                            Err(error) => Step::Done(Verdict::bad(error.to_string())),
                        }
                    }
                },
                Err(error) => {
                    let refusal = Verdict::bad(format!("{to} accepts no connection: {error}"));
                    match connect(std::mem::take(others), then.clone()) {
                        Ok(stage) => {
                            self.stage = stage;
                            Step::Again
                        }
                        Err(_) => Step::Done(refusal),
                    }
                }
            },
            Stage::Answering { socket, then, received } => read_status(socket, received, then.status, took),
            Stage::Asking(question) => match question.answer() {
                Ok(None) => Step::Wait,
                Ok(Some(mac)) => {
                    let mac = mac.map(|octet| format!("{octet:02x}")).join(":");
                    Step::Done(Verdict::good(format!("{mac} answered after {took:.1?}")))
                }
                Err(error) => Step::Done(Verdict::bad(error.to_string())),
            },
        }
    }

    fn overdue(&self, now: Instant) -> String {
        let took = now.saturating_duration_since(self.began);
        match &self.stage {
            Stage::Resolving { .. } => format!("its name was not looked up within {took:.1?}"),
            Stage::Counting { .. } => format!("the processes were not counted within {took:.1?}"),
            Stage::Connecting { to, .. } => format!("{to} accepted no connection within {took:.1?}"),
            Stage::Answering { .. } => format!("no answer within {took:.1?}"),
            Stage::Asking(_) => format!("nobody answered on the wire within {took:.1?}"),
        }
    }
}

/// Begins a connection to the first of several addresses that can be tried.
fn connect(mut to: Vec<SocketAddr>, then: Then) -> Result<Stage, Verdict> {
    let mut refusal = Verdict::bad("there is no address to connect to");
    while !to.is_empty() {
        let first = to.remove(0);
        let begin = || {
            let socket = Socket::new(Domain::for_address(first), Type::STREAM.nonblocking().cloexec(), None)?;
            match socket.connect(&first.into()) {
                Err(error) if Errno::from_raw(error.raw_os_error().unwrap_or(0)) != Errno::EINPROGRESS => Err(error),
                _ => Ok(socket),
            }
        };
        match begin() {
            Ok(socket) => return Ok(Stage::Connecting { socket, to: first, others: to, then }),
            Err(error) => refusal = Verdict::bad(format!("{first} cannot be reached: {error}")),
        }
    }
    Err(refusal)
}

/// Whether the connection is made; the error when it cannot be.
fn connected(socket: &Socket) -> io::Result<bool> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

fn read_status(socket: &Socket, received: &mut Vec<u8>, (low, high): (u16, u16), took: std::time::Duration) -> Step {
    let mut buffer = [0; STATUS_LINE];
    while received.len() < STATUS_LINE && !received.contains(&b'\n') {
        match (&*socket).read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => received.extend(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Step::Wait,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Step::Done(Verdict::bad(format!("no answer: {error}"))),
        }
    }
    Step::Done(match status(received) {
        Some(status) if (low..=high).contains(&status) => {
            Verdict::good(format!("it answered with status {status} after {took:.1?}"))
        }
        Some(status) => Verdict::bad(format!("it answered with status {status}, which is not {low} to {high}")),
        None if received.is_empty() => Verdict::bad("it closed the connection without an answer"),
        None => Verdict::bad("its answer is not HTTP"),
    })
}

/// The status of an answer's first line (RFC 9112 section 4).
fn status(received: &[u8]) -> Option<u16> {
    let line = received.split(|octet| *octet == b'\n').next()?;
    let mut words = std::str::from_utf8(line.get(..12)?).ok()?.split(' ');
    let version = words.next()?;
    let digits = words.next()?;
    let status =
        digits.parse().ok().filter(|_| digits.len() == 3 && digits.bytes().all(|digit| digit.is_ascii_digit()));
    status.filter(|_| version.starts_with("HTTP/1."))
}

fn process(name: &str, count: io::Result<usize>) -> Verdict {
    match count {
        Ok(0) => Verdict::bad(format!("no process `{name}` runs")),
        Ok(1) => Verdict::good(format!("one process `{name}` runs")),
        Ok(count) => Verdict::good(format!("{count} processes `{name}` run")),
        Err(error) => Verdict::bad(format!("cannot read /proc: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_from_http_only() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n"), Some(204));
        assert_eq!(status(b"HTTP/1.0 500"), Some(500));
        for other in
            [&b"HTTP/2 200 OK\r\n"[..], b"SSH-2.0-x 200\r\n", b"HTTP/1.1 20\r\n", b"HTTP/1.1 +20 \r\n", b"", b"\xff"]
        {
            assert_eq!(status(other), None, "{other:?}");
        }
    }
}
