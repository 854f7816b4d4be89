//! One conversation with the mail server, each step of it and the whole bounded in time.

use std::error::Error as _;
use std::io;
use std::time::{Duration, Instant};

use lettre::Message;
use lettre::message::Mailboxes;
use lettre::message::header;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::client::SmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};

use super::Letter;
use super::post::{Post, Protection};

/// Of the server's words so many are kept.
const WORDS: usize = 300;
/// In the order of preference: LOGIN is for servers that know nothing else. Both send the password as it is.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

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
    let on_the_way = |error: &Error| Failure { of_letter: false, words: words(error) };
    let message = compose(post, letter)?;
    let left = || until.saturating_duration_since(Instant::now()).clamp(Duration::from_millis(1), post.timeout);
    let address = (post.host.as_str(), post.port);
    let parameters = post.tls().map_err(|error| on_the_way(&error))?;
    let wrapper = parameters.filter(|_| post.protection == Protection::Tls);
    let mut connection = SmtpConnection::connect(address, Some(left()), &post.hello, wrapper, None)
        .map_err(|error| on_the_way(&error))?;
    let mut talk = |step: &mut dyn FnMut(&mut SmtpConnection) -> Result<(), Error>| {
        if Instant::now() >= until {
            return Err(Failure { of_letter: false, words: "it takes too long".into() });
        }
        // A timeout that cannot be set leaves the one before.
        let _ = connection.set_timeout(Some(left()));
        step(&mut connection).map_err(|error| Failure { of_letter: false, words: words(&error) })
    };
    if let (Protection::StartTls, Some(parameters)) = (post.protection, parameters) {
        talk(&mut |connection| connection.starttls(parameters, &post.hello))?;
    }
    if let Some(credentials) = &post.credentials {
        talk(&mut |connection| connection.auth(&MECHANISMS, credentials).map(drop))?;
    }
    let mut of_letter = false;
    let mut refused = Vec::new();
    let outcome = talk(&mut |connection| {
        let sender = Mail::new(Some(post.from.email.clone()), Vec::new());
        connection.command(sender).map(drop).inspect_err(|error| of_letter = error.is_permanent())
    });
    outcome.map_err(|failure| Failure { of_letter, ..failure })?;
    for to in &post.to {
        let mut no = None;
        talk(&mut |connection| match connection.command(Rcpt::new(to.email.clone(), Vec::new())) {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => {
                no = Some(format!("{}: {}", to.email, words(&error)));
                Ok(())
            }
            Err(error) => Err(error),
        })?;
        refused.extend(no);
    }
    if refused.len() == post.to.len() {
        connection.abort();
        return Err(Failure { of_letter: true, words: refused.join("; ") });
    }
    let mut of_letter = false;
    let outcome = talk(&mut |connection| {
        let sent = connection.command(Data).and_then(|_| connection.message(&message));
        sent.map(drop).inspect_err(|error| of_letter = error.is_permanent())
    });
    outcome.map_err(|failure| Failure { of_letter, ..failure })?;
    // It was taken: how the server says good-bye does not matter.
    let _ = talk(&mut |connection| connection.quit().map(drop));
    Ok(refused)
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

fn words(error: &Error) -> String {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    let late = cause.is_some_and(|cause| matches!(cause.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
    let text = if late { "no answer in time".to_owned() } else { error.to_string() };
    text.chars().take(WORDS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
