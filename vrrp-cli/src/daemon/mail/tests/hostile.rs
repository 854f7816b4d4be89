//! Mail servers that are broken, or mean harm: what they can cost us is bounded in time and room.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread;

use super::*;

/// A server that does this with whoever connects, and how to write to it.
fn hostile(act: impl Fn(TcpStream) + Send + 'static, settings: &str) -> Post {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || listener.incoming().flatten().for_each(act));
    post_to(&format!("smtp_server localhost {port}\n{settings}"))
}

/// Says these, the first at once and each other after a line was heard; then listens for ever.
fn scripted(answers: &'static [&'static str]) -> impl Fn(TcpStream) + Send {
    move |stream| {
        let mut lines = BufReader::new(&stream).lines();
        for (number, answer) in answers.iter().enumerate() {
            if number > 0 && !matches!(lines.next(), Some(Ok(_))) {
                return;
            }
            if (&stream).write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
        while let Some(Ok(_)) = lines.next() {}
    }
}

/// Says the first text once and the second again and again, after a pause each time.
fn endless(first: &'static [u8], again: &'static [u8], pause: Duration) -> impl Fn(TcpStream) + Send {
    move |mut stream| {
        let mut said = stream.write_all(first);
        while said.is_ok() {
            thread::sleep(pause);
            said = stream.write_all(again);
        }
    }
}

fn words(post: &Post) -> String {
    let failure = deliver(post, &letter(), soon()).expect_err("it cannot be handed over");
    assert!(!failure.of_letter, "another try may do: {failure:?}");
    failure.words
}

#[test]
fn what_a_server_says_has_an_end() {
    const LINE: &[u8] = &[b'x'; 4096];
    const LINES: &[u8] = b"220-welcome\r\n220-welcome\r\n220-welcome\r\n220-welcome\r\n";
    let at_once = |first, again| words(&hostile(endless(first, again, Duration::ZERO), ""));
    assert_eq!(at_once(b"220 ", LINE), "its answer has a line that is too long");
    assert_eq!(at_once(b"", LINES), "its answer has too many lines");
}

/// However the octets drip in, a step has a deadline, and so has the whole.
#[test]
fn a_server_that_drips_is_left() {
    let pause = Duration::from_millis(10);
    let record = &[22, 3, 3, 64, 0];
    for (post, what) in [
        (hostile(endless(b"220 ", b"x", pause), ""), "a line"),
        (hostile(endless(b"", b"220-x\r\n", Duration::from_millis(60)), ""), "lines"),
        (hostile(endless(record, &[0], pause), &trusting("tls", "")), "a handshake"),
    ] {
        let began = Instant::now();
        assert_eq!(words(&Post { timeout: Duration::from_millis(200), ..post }), "no answer in time", "{what}");
        assert!(began.elapsed() < Duration::from_secs(20), "{what}: {:?}", began.elapsed());
    }
    let post = hostile(endless(b"220 ", b"x", pause), "");
    let began = Instant::now();
    deliver(&post, &letter(), began + Duration::from_millis(300)).expect_err("no answer");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_server_that_hangs_over_the_letter_is_left() {
    let post = hostile(scripted(&["220 x\r\n", "250 x\r\n", "250\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"]), "");
    assert_eq!(words(&Post { timeout: Duration::from_millis(200), ..post }), "no answer in time");
    // The letter was taken: a good-bye that does not come changes nothing.
    let (server, post) = with(Conduct { hangs_at: Some("QUIT"), ..Conduct::default() }, "");
    let post = Post { timeout: Duration::from_millis(200), ..post };
    assert_eq!(deliver(&post, &letter(), soon()), Ok(Vec::new()));
    assert_eq!(server.mails().len(), 1);
}

/// Somebody in between may write behind the answer to STARTTLS what would be read as if it had come encrypted.
#[test]
fn nothing_that_was_said_in_clear_counts_as_encrypted() {
    let answers = &["220 x\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n250-x\r\n250 AUTH PLAIN\r\n"];
    let post = hostile(scripted(answers), &trusting("starttls", "smtp_user lb1\nsmtp_password x"));
    assert_eq!(words(&post), "it said something in clear where the encryption begins");
}

#[test]
fn what_is_no_smtp_is_said_so() {
    let said = |answers| words(&hostile(scripted(answers), ""));
    for nonsense in ["hello\r\n", "22\r\n", "120 x\r\n", "999 x\r\n", "220x\r\n", "\r\n", "2\u{e9} x\r\n"] {
        let answers: &'static [&'static str] = Box::leak(Box::new([nonsense]));
        assert_eq!(said(answers), "its answer is no SMTP", "{nonsense:?}");
    }
    assert_eq!(said(&["220-a\r\n250 b\r\n"]), "its answer has two codes");
    assert_eq!(said(&["354 a\r\n"]), "unexpected answer (354): a");
    assert_eq!(words(&hostile(drop, "")), "it closed the connection");
    // A line end without a carriage return is let pass, and control characters do not reach the log.
    assert_eq!(said(&["554-no\n554 \u{1b}[2Jway\n"]), "permanent error (554): no  [2Jway");
}

#[test]
fn a_line_of_one_dot_does_not_end_the_letter() {
    let (server, post) = with(Conduct::default(), "");
    let body = ".\r\n..x\r\nRCPT TO:<all@example.org>\r\n";
    assert_eq!(deliver(&post, &Letter { body: body.into(), ..letter() }, soon()), Ok(Vec::new()));
    let mails = server.mails();
    assert_eq!(mails[0].text.split_once("\r\n\r\n").map(|(_, body)| body), Some(body));
    assert_eq!(mails[0].to.len(), 2);
}

/// By some servers, what they refuse is repeated.
#[test]
fn a_login_that_is_repeated_does_not_reach_the_log() {
    let login = "smtp_user lb1\nsmtp_password sesame-open-wide";
    let said = |answers| words(&hostile(scripted(answers), login));
    let refused = said(&["220 x\r\n", "250-x\r\n250 AUTH PLAIN\r\n", "535 no: <AGxiMQBzZXNhbWUtb3Blbi13aWRl>, go\r\n"]);
    assert_eq!(refused, "permanent error (535): no: **** go");
    let cut = said(&["220 x\r\n", "250-x\r\n250 AUTH PLAIN\r\n", "500 unknown: AUTH PLAIN AGxiMQBzZXNhbWUt\r\n"]);
    assert_eq!(cut, "permanent error (500): unknown: AUTH PLAIN ****");
    let answers = &[
        "220 x\r\n",
        "250-x\r\n250 AUTH LOGIN\r\n",
        "334 u\r\n",
        "334 p\r\n",
        "535 bGIx c2VzYW1lLW9wZW4td2lkZQ==\r\n",
    ];
    assert_eq!(said(answers), "permanent error (535): **** ****");
}

/// RFC 6531 section 3.1: nothing else may be sent to it.
#[test]
fn an_address_beyond_ascii_needs_a_server_that_takes_it() {
    let text = |offer| hostile(scripted(offer), "");
    let beyond = |post: Post| Post { from: "j\u{fc}rgen@example.org".parse().expect("an address"), ..post };
    let failure =
        deliver(&beyond(text(&["220 x\r\n", "250 x\r\n"])), &letter(), soon()).expect_err("it is not offered");
    assert!(failure.of_letter && failure.words.contains("does not offer SMTPUTF8"), "{failure:?}");
    let takes: &[&str] = &["220 x\r\n", "250-x\r\n250 SMTPUTF8\r\n", "250\r\n", "250\r\n", "250\r\n", "354\r\n"];
    let (post, quick) = (beyond(text(takes)), Duration::from_millis(200));
    // It goes as far as the letter, which this server never acknowledges.
    assert_eq!(words(&Post { timeout: quick, ..post }), "no answer in time");
}
