//! One conversation with the mail server (RFC 5321), each step of it and the whole bounded in time and room.
//!
//! Knows the order of commands and what a refusal means for a letter; not how octets reach the server.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lettre::Message;
use lettre::message::Mailboxes;
use lettre::message::header;

use super::Letter;
use super::line::{Line, Reply, Trouble};
use super::post::{Login, Post, Protection};

/// Of the server's words so many are kept.
const WORDS: usize = 300;
/// Octets in a command, without its line end (RFC 5321 section 4.5.3.1.4).
const COMMAND: usize = 510;
/// So many characters of a secret are one, too.
const PART: usize = 8;
/// Why a letter cannot be sent to a server without SMTPUTF8 (RFC 6531).
const NO_UTF8: &str = "it takes no addresses with letters beyond ASCII (it does not offer SMTPUTF8)";
/// Addresses of the server that are tried.
const ADDRESSES: usize = 8;

/// Why a letter was not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Failure {
    /// The server will not take this letter, now or later; another one it may.
    pub(super) of_letter: bool,
    /// What the server said, or what went wrong on the way; one line.
    pub(super) words: String,
}

/// Hands the letter over; the result names the recipients that the server refused, when it took the letter for others.
pub(super) fn deliver(post: &Post, letter: &Letter, until: Instant) -> Result<Vec<String>, Failure> {
    let message = compose(post, letter)?;
    let mut talk = Talk::open(post, until).map_err(|trouble| on_the_way(&trouble))?;
    let outcome = talk.hand_over(&message);
    match outcome {
        // It was taken: how the server says good-bye does not matter.
        Ok(_) => drop(talk.step("QUIT", 2)),
        // Nobody waits for the answer.
        Err(_) => drop(talk.line.say("QUIT")),
    }
    outcome
}

/// A conversation that has got past the greeting.
struct Talk<'p> {
    post: &'p Post,
    until: Instant,
    line: Line,
    /// What the server says that it can.
    offers: Vec<String>,
}

impl<'p> Talk<'p> {
    /// Connects, greets, and encrypts and logs in as far as it is wanted.
    fn open(post: &'p Post, until: Instant) -> Result<Self, Trouble> {
        let mut line = connect(post, until)?;
        if post.protection == Protection::Tls {
            line = encrypt(post, line, until)?;
        }
        line.set_deadline(step_end(post, until));
        line.hear(2)?;
        let mut talk = Self { post, until, line, offers: Vec::new() };
        talk.greet()?;
        if post.protection == Protection::StartTls {
            if talk.offer("STARTTLS").is_none() {
                return Err(Trouble::Lacks("STARTTLS is not supported by this server".into()));
            }
            talk.step("STARTTLS", 2)?;
            talk.line = encrypt(post, talk.line, until)?;
            // What it said in clear may be anybody's words.
            talk.greet()?;
        }
        if let Some(login) = &post.login {
            talk.log_in(login)?;
        }
        Ok(talk)
    }

    /// A server that does not know EHLO (RFC 5321 section 3.2) offers nothing.
    fn greet(&mut self) -> Result<(), Trouble> {
        self.offers.clear();
        match self.step(&format!("EHLO {}", self.post.hello), 2) {
            Ok(reply) => self.offers.extend(reply.lines.into_iter().skip(1)),
            Err(Trouble::Refused(Reply { code: 500..=504, .. })) => {
                self.step(&format!("HELO {}", self.post.hello), 2)?;
            }
            Err(trouble) => return Err(trouble),
        }
        Ok(())
    }

    /// LOGIN is for servers that know nothing else. Both send the password as it is.
    fn log_in(&mut self, login: &Login) -> Result<(), Trouble> {
        let offered = self.offer("AUTH").unwrap_or_default().to_ascii_uppercase();
        let offers = |mechanism| offered.split_ascii_whitespace().any(|one| one == mechanism);
        let encoded = |text: &str| BASE64.encode(text);
        if offers("PLAIN") {
            let secret = encoded(&format!("\0{}\0{}", login.user, login.secret));
            let command = format!("AUTH PLAIN {secret}");
            let outcome = if command.len() <= COMMAND {
                self.step(&command, 2)
            } else {
                // Of its own, it may be longer (RFC 4954 section 4).
                self.step("AUTH PLAIN", 3).and_then(|_| self.step(&secret, 2))
            };
            outcome.map_err(|trouble| without(&[secret], trouble))?;
        } else if offers("LOGIN") {
            let (user, secret) = (encoded(&login.user), encoded(&login.secret));
            self.step("AUTH LOGIN", 3)?;
            let outcome = self.step(&user, 3).and_then(|_| self.step(&secret, 2));
            outcome.map_err(|trouble| without(&[user, secret], trouble))?;
        } else {
            let what = "it knows neither of the logins PLAIN and LOGIN (some servers do only once they are encrypted)";
            return Err(Trouble::Lacks(what.into()));
        }
        Ok(())
    }

    /// The envelope and the letter.
    fn hand_over(&mut self, message: &[u8]) -> Result<Vec<String>, Failure> {
        let post = self.post;
        let refusal = |trouble: &Trouble| Failure { of_letter: trouble.is_permanent(), ..on_the_way(trouble) };
        let ascii = post.to.iter().chain([&post.from]).all(|mailbox| mailbox.email.to_string().is_ascii());
        let international = match self.offer("SMTPUTF8") {
            _ if ascii => "",
            Some(_) => " SMTPUTF8",
            None => return Err(Failure { of_letter: true, words: NO_UTF8.into() }),
        };
        self.step(&format!("MAIL FROM:<{}>{international}", post.from.email), 2)
            .map_err(|trouble| refusal(&trouble))?;
        let mut refused = Vec::new();
        for to in &post.to {
            match self.step(&format!("RCPT TO:<{}>", to.email), 2) {
                Ok(_) => {}
                Err(trouble) if trouble.is_permanent() => refused.push(format!("{}: {}", to.email, words(&trouble))),
                Err(trouble) => return Err(on_the_way(&trouble)),
            }
        }
        if refused.len() == post.to.len() {
            return Err(Failure { of_letter: true, words: refused.join("; ") });
        }
        self.step("DATA", 3).map_err(|trouble| refusal(&trouble))?;
        self.line.set_deadline(step_end(post, self.until));
        let taken = self.line.write_letter(message).map_err(Trouble::from).and_then(|()| self.line.hear(2));
        taken.map_err(|trouble| refusal(&trouble))?;
        Ok(refused)
    }

    /// A command and its reply, of which the code begins with this digit.
    fn step(&mut self, command: &str, expected: u16) -> Result<Reply, Trouble> {
        self.line.set_deadline(step_end(self.post, self.until));
        self.line.say(command)?;
        self.line.hear(expected)
    }

    /// What the server says behind this word in its list of extensions.
    fn offer(&self, word: &str) -> Option<&str> {
        self.offers.iter().find_map(|offer| {
            let (name, rest) = offer.split_once(' ').unwrap_or((offer, ""));
            name.eq_ignore_ascii_case(word).then_some(rest)
        })
    }
}

/// The first of the server's addresses that answers; none of them takes the time of the others.
fn connect(post: &Post, until: Instant) -> Result<Line, Trouble> {
    let found = (post.host.as_str(), post.port).to_socket_addrs().map_err(Trouble::Unreachable)?;
    let addresses: Vec<SocketAddr> = found.take(ADDRESSES).collect();
    let mut last = Trouble::Lacks("its name has no address".into());
    for (tried, address) in addresses.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        match Line::connect(*address, Instant::now() + share.min(post.timeout)) {
            Ok(line) => return Ok(line),
            Err(error) => last = Trouble::Unreachable(error),
        }
    }
    Err(last)
}

fn encrypt(post: &Post, mut line: Line, until: Instant) -> Result<Line, Trouble> {
    let (config, name) = post.tls().map_err(Trouble::Lacks)?;
    line.set_deadline(step_end(post, until));
    line.encrypt(Arc::new(config), name)
}

fn step_end(post: &Post, until: Instant) -> Instant {
    until.min(Instant::now() + post.timeout)
}

/// Some servers repeat what they refuse: by that, a login would come into the log.
fn without(secrets: &[String], trouble: Trouble) -> Trouble {
    let is_secret = |word: &str| {
        secrets.iter().any(|secret| word.contains(secret.as_str()) || (word.len() >= PART && secret.contains(word)))
    };
    let cleaned = |line: String| {
        line.split(' ').map(|word| if is_secret(word) { "****" } else { word }).collect::<Vec<_>>().join(" ")
    };
    match trouble {
        Trouble::Refused(Reply { code, lines }) => {
            Trouble::Refused(Reply { code, lines: lines.into_iter().map(cleaned).collect() })
        }
        other => other,
    }
}

fn on_the_way(trouble: &Trouble) -> Failure {
    Failure { of_letter: false, words: words(trouble) }
}

fn compose(post: &Post, letter: &Letter) -> Result<Vec<u8>, Failure> {
    let to: Mailboxes = post.to.iter().cloned().collect();
    let message = Message::builder()
        .from(post.from.clone())
        .mailbox(header::To::from(to))
        .subject(letter.subject.clone())
        .date(letter.written)
        .message_id(None)
        .user_agent(concat!("vrrpctl/", env!("CARGO_PKG_VERSION")).into())
        .body(letter.body.clone());
    match message {
        Ok(message) => Ok(message.formatted()),
        Err(error) => Err(Failure { of_letter: true, words: format!("it cannot be written: {error}") }),
    }
}

/// One line of them.
fn words(trouble: &Trouble) -> String {
    trouble.to_string().chars().take(WORDS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
