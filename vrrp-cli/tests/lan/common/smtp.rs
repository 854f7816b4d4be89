//! A small mail server: in clear or encrypted, with or without a login, well or ill behaved.
//!
//! Knows as much of SMTP as the tests need; nothing of who sends mail.

#![allow(dead_code, reason = "the tests on a LAN and those of the mail thread each use a part of it")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Certificate of the authority that vouches for the server.
pub(crate) const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lan/common/tls/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("tls/server.pem");
const KEY: &[u8] = include_bytes!("tls/server.key");

/// How the server behaves.
#[derive(Clone, Default, Debug)]
pub(crate) struct Conduct {
    pub(crate) tls: Tls,
    /// User, password and the mechanisms it offers, like `LOGIN PLAIN`. Whoever does not log in is refused.
    pub(crate) login: Option<(&'static str, &'static str, &'static str)>,
    /// Answers commands that begin with the first text by the second.
    pub(crate) refuses: Vec<(&'static str, &'static str)>,
    /// Says nothing any more from the command on that begins with this; an empty text is the greeting.
    pub(crate) hangs_at: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Tls {
    #[default]
    None,
    /// From STARTTLS on.
    Upgraded,
    /// From the first octet.
    Whole,
}

/// What was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// Header and body.
    pub(crate) text: String,
    pub(crate) encrypted: bool,
    pub(crate) user: Option<String>,
}

impl Mail {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next()?;
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A running server. Its threads end with the process.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default, Debug)]
struct Seen {
    mails: Vec<Mail>,
    commands: Vec<String>,
}

impl Server {
    /// Serves whoever connects to `listener`.
    pub(crate) fn start(listener: TcpListener, conduct: Conduct) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let address = listener.local_addr().expect("an address");
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (conduct, seen) = (conduct.clone(), Arc::clone(&shared));
                thread::spawn(move || {
                    // A client that goes away is no fault of the server.
                    let _ = serve(&stream, &conduct, &seen);
                });
            }
        });
        Self { address, seen }
    }

    /// What was taken so far.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).mails.clone()
    }

    /// Every command so far; a login without what follows its mechanism.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).commands.clone()
    }
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

fn encrypted(stream: TcpStream) -> io::Result<Box<dyn Stream>> {
    let certificates = CertificateDer::pem_slice_iter(CERTIFICATE).collect::<Result<Vec<_>, _>>();
    let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(certificates.expect("certificates"), key)
        .expect("a certificate");
    let connection = ServerConnection::new(Arc::new(config)).map_err(io::Error::other)?;
    Ok(Box::new(StreamOwned::new(connection, stream)))
}

fn serve(socket: &TcpStream, conduct: &Conduct, seen: &Mutex<Seen>) -> io::Result<()> {
    let mut is_encrypted = conduct.tls == Tls::Whole;
    let first: Box<dyn Stream> =
        if is_encrypted { encrypted(socket.try_clone()?)? } else { Box::new(socket.try_clone()?) };
    let mut stream = BufReader::new(first);
    let mut user = None;
    let (mut from, mut to) = (String::new(), Vec::new());
    if conduct.hangs_at == Some("") {
        hang();
    }
    say(&mut stream, "220 mail.example ESMTP")?;
    loop {
        let command = hear(&mut stream)?;
        if command.len() > 510 {
            say(&mut stream, "500 5.5.2 line too long")?;
            continue;
        }
        let word = command.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        note(seen, &command);
        if conduct.hangs_at.is_some_and(|at| command.starts_with(at)) {
            hang();
        }
        if let Some((_, answer)) = conduct.refuses.iter().find(|(begin, _)| command.starts_with(begin)) {
            say(&mut stream, answer)?;
            continue;
        }
        match word.as_str() {
            "EHLO" => {
                let mut offers = vec!["250-mail.example".to_owned()];
                if conduct.tls == Tls::Upgraded && !is_encrypted {
                    offers.push("250-STARTTLS".to_owned());
                }
                // A login in clear is not offered where encryption is.
                if let Some((_, _, mechanisms)) = conduct.login.filter(|_| is_encrypted || conduct.tls == Tls::None) {
                    offers.push(format!("250-AUTH {mechanisms}"));
                }
                offers.push("250 HELP".to_owned());
                say(&mut stream, &offers.join("\r\n"))?;
            }
            "HELO" => say(&mut stream, "250 mail.example")?,
            "STARTTLS" if conduct.tls == Tls::Upgraded => {
                say(&mut stream, "220 go ahead")?;
                stream = BufReader::new(encrypted(socket.try_clone()?)?);
                is_encrypted = true;
            }
            "AUTH" => {
                let given = log_in(&mut stream, &command)?;
                let right =
                    conduct.login.is_some_and(|(user, secret, _)| given == (user.to_owned(), secret.to_owned()));
                user = right.then_some(given.0);
                say(&mut stream, if right { "235 welcome" } else { "535 5.7.8 wrong user or password" })?;
            }
            "MAIL" if conduct.login.is_some() && user.is_none() => say(&mut stream, "530 5.7.0 log in first")?,
            "MAIL" => {
                from = address(&command);
                to = Vec::new();
                say(&mut stream, "250 ok")?;
            }
            "RCPT" => {
                to.push(address(&command));
                say(&mut stream, "250 ok")?;
            }
            "DATA" => {
                say(&mut stream, "354 go ahead")?;
                let mut text = String::new();
                loop {
                    match hear(&mut stream)? {
                        end if end == "." => break,
                        line => text = format!("{text}{}\r\n", line.strip_prefix('.').unwrap_or(&line)),
                    }
                }
                let mail =
                    Mail { from: from.clone(), to: to.clone(), text, encrypted: is_encrypted, user: user.clone() };
                seen.lock().unwrap_or_else(PoisonError::into_inner).mails.push(mail);
                say(&mut stream, "250 taken")?;
            }
            "QUIT" => return say(&mut stream, "221 bye"),
            _ => say(&mut stream, "502 5.5.1 unknown command")?,
        }
    }
}

/// User and password of `AUTH PLAIN` or `AUTH LOGIN`.
fn log_in(stream: &mut BufReader<Box<dyn Stream>>, command: &str) -> io::Result<(String, String)> {
    let mut words = command.split(' ').skip(1);
    if words.next() == Some("LOGIN") {
        say(stream, "334 VXNlcm5hbWU6")?;
        let user = decoded(&hear(stream)?);
        say(stream, "334 UGFzc3dvcmQ6")?;
        return Ok((user, decoded(&hear(stream)?)));
    }
    let plain = if let Some(plain) = words.next() {
        decoded(plain)
    } else {
        say(stream, "334 ")?;
        decoded(&hear(stream)?)
    };
    let mut parts = plain.split('\0').skip(1);
    let mut part = || parts.next().unwrap_or_default().to_owned();
    Ok((part(), part()))
}

/// Base64 (RFC 4648 section 4).
fn decoded(text: &str) -> String {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut octets = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for sign in text.bytes().filter_map(|sign| SIGNS.iter().position(|one| *one == sign)) {
        bits = bits << 6 | u32::try_from(sign).expect("less than 64");
        held += 6;
        if held >= 8 {
            held -= 8;
            octets.push(u8::try_from(bits >> held & 0xff).expect("one octet"));
        }
    }
    String::from_utf8(octets).unwrap_or_default()
}

fn note(seen: &Mutex<Seen>, command: &str) {
    let shown = if command.starts_with("AUTH") {
        command.split(' ').take(2).collect::<Vec<_>>().join(" ")
    } else {
        command.to_owned()
    };
    seen.lock().unwrap_or_else(PoisonError::into_inner).commands.push(shown);
}

fn address(command: &str) -> String {
    command.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

fn say(stream: &mut BufReader<Box<dyn Stream>>, text: &str) -> io::Result<()> {
    let stream = stream.get_mut();
    stream.write_all(format!("{text}\r\n").as_bytes())?;
    stream.flush()
}

fn hear(stream: &mut BufReader<Box<dyn Stream>>) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Until the process ends.
fn hang() -> ! {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}
