//! The line to a mail server: commands out, replies in (RFC 5321 section 4.2), in clear or encrypted.
//!
//! The other end is believed nothing: a step ends at its deadline however the octets drip in, and a reply has room for so
//! many lines of so many octets. Knows neither the order of commands nor what they mean.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// Octets in one line of a reply; RFC 5321 section 4.5.3.1.5 asks for 512.
pub(super) const LINE: usize = 4096;
/// Lines in one reply.
pub(super) const LINES: usize = 64;

/// Why a step came to nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server said no, or something else than what was expected.
    Refused(Reply),
    /// What the server says is no SMTP.
    Nonsense(&'static str),
    /// The server cannot do what is wanted of it.
    Lacks(String),
    /// No connection can be made.
    Unreachable(io::Error),
    Io(io::Error),
}

/// What the server said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reply {
    /// 200 to 599.
    pub(super) code: u16,
    /// Never empty.
    pub(super) lines: Vec<String>,
}

/// A conversation.
pub(super) struct Line {
    stream: Stream,
    /// Heard and not read yet; never longer than a line and a portion.
    heard: Vec<u8>,
}

enum Stream {
    Plain(Timed),
    Encrypted(Box<StreamOwned<ClientConnection, Timed>>),
}

/// A connection of which every read and write ends at the same moment.
#[derive(Debug)]
struct Timed {
    stream: TcpStream,
    until: Instant,
}

impl Line {
    /// Connects until then.
    pub(super) fn connect(address: SocketAddr, until: Instant) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, left(until)?)?;
        Ok(Self { stream: Stream::Plain(Timed { stream, until }), heard: Vec::new() })
    }

    /// What follows must be over by then.
    pub(super) fn set_deadline(&mut self, until: Instant) {
        match &mut self.stream {
            Stream::Plain(timed) => timed.until = until,
            Stream::Encrypted(stream) => stream.sock.until = until,
        }
    }

    /// Encrypts what follows, with whoever proves to be `name`.
    pub(super) fn encrypt(self, config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, Trouble> {
        // Whoever sits in between could have written it before the encryption began.
        if !self.heard.is_empty() {
            return Err(Trouble::Nonsense("it said something in clear where the encryption begins"));
        }
        let Stream::Plain(mut timed) = self.stream else { return Ok(self) };
        let mut connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut timed)?;
        }
        let stream = Stream::Encrypted(Box::new(StreamOwned::new(connection, timed)));
        Ok(Self { stream, heard: Vec::new() })
    }

    /// Says a command, without its line end.
    pub(super) fn say(&mut self, command: &str) -> io::Result<()> {
        if command.contains(char::is_control) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a control character in what is to be said"));
        }
        self.write(format!("{command}\r\n").as_bytes())
    }

    /// Says a letter, which must end with a line end, and that it is over.
    pub(super) fn write_letter(&mut self, letter: &[u8]) -> io::Result<()> {
        let mut text = Vec::with_capacity(letter.len() + 8);
        for line in letter.split_inclusive(|octet| *octet == b'\n') {
            if line.starts_with(b".") {
                text.push(b'.');
            }
            text.extend_from_slice(line);
        }
        if !text.ends_with(b"\r\n") {
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b".\r\n");
        self.write(&text)
    }

    /// Hears a reply; an error when its code is none of the `expected` hundreds.
    pub(super) fn hear(&mut self, expected: u16) -> Result<Reply, Trouble> {
        let mut reply: Option<Reply> = None;
        loop {
            let line = self.line()?;
            let (code, last, text) = parse(&line).ok_or(Trouble::Nonsense("its answer is no SMTP"))?;
            let reply = reply.get_or_insert(Reply { code, lines: Vec::new() });
            if reply.code != code {
                return Err(Trouble::Nonsense("its answer has two codes"));
            }
            if reply.lines.len() >= LINES {
                return Err(Trouble::Nonsense("its answer has too many lines"));
            }
            reply.lines.push(text);
            if last {
                let reply = reply.clone();
                return if code / 100 == expected { Ok(reply) } else { Err(Trouble::Refused(reply)) };
            }
        }
    }

    /// One line, without its end.
    fn line(&mut self) -> Result<Vec<u8>, Trouble> {
        let mut seen = 0;
        loop {
            let end = self.heard.iter().skip(seen).position(|octet| *octet == b'\n').map(|place| seen + place);
            if end.unwrap_or(self.heard.len()) > LINE {
                return Err(Trouble::Nonsense("its answer has a line that is too long"));
            }
            if let Some(end) = end {
                let rest = self.heard.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.heard, rest);
                line.truncate(line.trim_ascii_end().len());
                return Ok(line);
            }
            seen = self.heard.len();
            let mut portion = [0; 1024];
            match self.stream.read(&mut portion)? {
                0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                count => self.heard.extend_from_slice(portion.get(..count).unwrap_or_default()),
            }
        }
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.write_all(octets)?;
        self.stream.flush()
    }
}

impl Trouble {
    /// Whether the server will say the same again.
    pub(super) fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused(reply) if reply.code >= 500)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(Reply { code, lines }) => {
                let kind = match code {
                    500.. => "permanent error",
                    400..=499 => "transient error",
                    _ => "unexpected answer",
                };
                write!(f, "{kind} ({code}): {}", lines.join(" "))
            }
            Self::Nonsense(what) => f.write_str(what),
            Self::Lacks(what) => f.write_str(what),
            Self::Unreachable(error) | Self::Io(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => f.write_str("no answer in time"),
                io::ErrorKind::UnexpectedEof => f.write_str("it closed the connection"),
                _ if matches!(self, Self::Unreachable(_)) => write!(f, "Connection error: {error}"),
                _ => write!(f, "{error}"),
            },
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.read(buffer),
            Self::Encrypted(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.write(octets),
            Self::Encrypted(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(timed) => timed.flush(),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.until)?))?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.until)?))?;
        self.stream.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Never zero, which would stand for ever.
fn left(until: Instant) -> io::Result<Duration> {
    Some(until.saturating_duration_since(Instant::now()))
        .filter(|left| !left.is_zero())
        .ok_or_else(|| io::ErrorKind::TimedOut.into())
}

/// Code, whether it is the last line, and text.
fn parse(line: &[u8]) -> Option<(u16, bool, String)> {
    let (code, rest) = line.split_at_checked(3)?;
    let code = std::str::from_utf8(code).ok().filter(|code| code.bytes().all(|digit| digit.is_ascii_digit()))?;
    let code = code.parse().ok().filter(|code| (200..600).contains(code))?;
    let (last, text) = match rest.split_first() {
        None => (true, rest),
        Some((b' ', text)) => (true, text),
        Some((b'-', text)) => (false, text),
        Some(_) => return None,
    };
    Some((code, last, String::from_utf8_lossy(text).into_owned()))
}
