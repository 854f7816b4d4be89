//! Letters to a server of our own, and the outbox against a clock that the test turns.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::SystemTime;

use vrrp_core::node::Condition;

use super::letter::News;
use super::outbox::{AGE, FIRST_PAUSE, LONGEST_PAUSE, ROOM};
use super::post::{Login, sender};
use super::smtp::{Failure, deliver};
use super::*;
use crate::config::{self, Config};

#[path = "../../../tests/lan/common/smtp.rs"]
mod server;

mod hostile;

use server::{AUTHORITY, Conduct, Server, Tls};

const MINUTE: Duration = Duration::from_secs(60);

fn configuration(settings: &str) -> Config {
    let text = format!(
        "global_defs {{\nnotification_email {{\nops@example.org\n\"Second <second@example.org>\"\n}}\n\
         notification_email_from vrrp@example.org\n{settings}\n}}\n\
         vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n192.0.2.1\n}}\n}}\n"
    );
    let loaded = config::parse_str("mail.conf", &text);
    let rendered = loaded.render(false);
    loaded.config.expect(&rendered)
}

fn post_to(settings: &str) -> Post {
    Post::new(&configuration(settings).global, "lb1.example.org").expect("usable").expect("mail is wanted")
}

/// A server that behaves like this, and how to write to it.
fn with(conduct: Conduct, settings: &str) -> (Server, Post) {
    let server = Server::start(TcpListener::bind("127.0.0.1:0").expect("a port"), conduct);
    let settings = format!("smtp_server localhost {}\n{settings}", server.address.port());
    (server, post_to(&settings))
}

fn letter() -> Letter {
    Letter::new(News {
        router_id: "lb1",
        group: false,
        name: "VI_1",
        condition: Condition::Master,
        priority: 150,
        why: "10.9.0.3 stopped",
        at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
    })
}

fn soon() -> Instant {
    Instant::now() + MINUTE
}

#[test]
fn a_letter_says_who_what_why_and_when() {
    let (server, post) = with(Conduct::default(), "smtp_helo_name balancer");
    assert_eq!(deliver(&post, &letter(), soon()), Ok(Vec::new()));
    let mails = server.mails();
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!((mail.from.as_str(), mail.encrypted, &mail.user), ("vrrp@example.org", false, &None));
    assert_eq!(mail.to, ["ops@example.org", "second@example.org"]);
    assert_eq!(mail.header("Subject"), Some("[lb1] VRRP Instance VI_1 - Entering MASTER state"));
    assert_eq!(mail.header("From"), Some("vrrp@example.org"));
    assert_eq!(mail.header("To"), Some("ops@example.org, Second <second@example.org>"));
    assert_eq!(mail.header("Date"), Some("Fri, 15 Jan 2027 08:00:00 +0000"));
    let body = mail.text.split_once("\r\n\r\n").map(|(_, body)| body.trim_end()).unwrap_or_default();
    let expected = "Router:   lb1\r\nInstance: VI_1\r\nState:    MASTER\r\nWhy:      10.9.0.3 stopped\r\n\
                    Priority: 150\r\nTime:     Fri, 15 Jan 2027 08:00:00 GMT";
    assert_eq!(body, expected);
    assert_eq!(server.commands()[0], "EHLO balancer");
    assert_eq!(server.commands().last().map(String::as_str), Some("QUIT"));
}

#[test]
fn a_name_cannot_add_a_header() {
    let letter = Letter::new(News { name: "VI\r\nBcc: all@example.org", why: "a\nb", ..news() });
    assert!(!letter.subject.contains(['\r', '\n']), "{letter:?}");
    assert!(letter.body.contains("a b"), "{letter:?}");
    let (server, post) = with(Conduct::default(), "");
    assert_eq!(deliver(&post, &letter, soon()), Ok(Vec::new()));
    assert_eq!(server.mails()[0].header("Bcc"), None);
}

fn news() -> News<'static> {
    let at = SystemTime::UNIX_EPOCH;
    News { router_id: "lb1", group: true, name: "G1", condition: Condition::Fault, priority: 0, why: "", at }
}

#[test]
fn a_group_has_no_priority_and_other_signs_are_encoded() {
    let letter = Letter::new(News { name: "Grüppe", ..news() });
    assert_eq!(letter.subject, "[lb1] VRRP Group Grüppe - Entering FAULT state");
    assert!(!letter.body.contains("Priority") && !letter.body.contains("Why"), "{letter:?}");
    let (server, post) = with(Conduct::default(), "");
    assert_eq!(deliver(&post, &letter, soon()), Ok(Vec::new()));
    assert!(server.mails()[0].text.is_ascii());
}

const LOGIN: Option<(&str, &str, &str)> = Some(("lb1", "se cret", "LOGIN"));
const PLAIN: Option<(&str, &str, &str)> = Some(("lb1", "se cret", "PLAIN LOGIN"));

fn trusting(tls: &str, more: &str) -> String {
    format!("smtp_tls {tls}\nsmtp_ca_file {AUTHORITY}\n{more}")
}

#[test]
fn logins_and_encryption() {
    let user = "smtp_user lb1\nsmtp_password \"se cret\"";
    for (tls, written) in [(Tls::None, "none"), (Tls::Upgraded, "starttls"), (Tls::Whole, "tls")] {
        for (login, mechanism) in [(LOGIN, "AUTH LOGIN"), (PLAIN, "AUTH PLAIN")] {
            let settings = if tls == Tls::None { user.to_owned() } else { trusting(written, user) };
            let (server, post) = with(Conduct { tls, login, ..Conduct::default() }, &settings);
            assert_eq!(deliver(&post, &letter(), soon()), Ok(Vec::new()), "{written} {mechanism}");
            let mail = server.mails().pop().expect("taken");
            assert_eq!((mail.encrypted, mail.user.as_deref()), (tls != Tls::None, Some("lb1")));
            assert!(server.commands().iter().any(|command| command == mechanism), "{:?}", server.commands());
        }
    }
}

/// RFC 4954 section 4: a command has 512 octets, and what follows the server's leave 12288.
#[test]
fn a_long_password_is_sent_on_a_line_of_its_own() {
    let long: &'static str = "p".repeat(600).leak();
    let login = Some(("lb1", long, "PLAIN"));
    let (server, post) = with(Conduct { login, ..Conduct::default() }, "smtp_user lb1\nsmtp_password x");
    let post = Post { login: post.login.map(|login| Login { secret: long.to_owned(), ..login }), ..post };
    assert_eq!(deliver(&post, &letter(), soon()), Ok(Vec::new()));
    assert_eq!(server.mails()[0].user.as_deref(), Some("lb1"));
}

/// RFC 5321 section 3.2: a server that does not know EHLO is greeted as of old, and offers nothing.
#[test]
fn a_server_without_extensions_takes_mail_that_needs_none() {
    let refuses = vec![("EHLO", "502 5.5.1 unknown command")];
    let greeted = |settings: &str| {
        let (server, post) = with(Conduct { refuses: refuses.clone(), ..Conduct::default() }, settings);
        (deliver(&post, &letter(), soon()).map_err(|failure| failure.words), server)
    };
    let (outcome, server) = greeted("");
    assert_eq!((outcome, server.mails().len()), (Ok(Vec::new()), 1));
    assert_eq!(server.commands()[..2], ["EHLO lb1.example.org", "HELO lb1.example.org"]);
    for (settings, lacks) in [(trusting("starttls", ""), "STARTTLS"), ("smtp_user a\nsmtp_password b".into(), "PLAIN")]
    {
        let (outcome, server) = greeted(&settings);
        assert!(outcome.expect_err("it lacks what is wanted").contains(lacks));
        assert!(!server.commands().iter().any(|command| command.starts_with("MAIL")));
    }
}

/// Not a word of the letter or of the login goes to a server that is not the one meant, or in clear.
#[test]
fn nothing_is_told_to_a_server_that_cannot_prove_itself() {
    let user = "smtp_user lb1\nsmtp_password x";
    for (tls, written) in [(Tls::Upgraded, "starttls"), (Tls::Whole, "tls")] {
        let (server, post) =
            with(Conduct { tls, login: LOGIN, ..Conduct::default() }, &format!("smtp_tls {written}\n{user}"));
        let failure = deliver(&post, &letter(), soon()).expect_err("nobody vouches for it");
        assert!(!failure.of_letter && failure.words.contains("certificate"), "{failure:?}");
        assert!(!server.commands().iter().any(|c| c.starts_with("AUTH") || c.starts_with("MAIL")));
    }
    let (server, post) = with(Conduct { login: LOGIN, ..Conduct::default() }, &trusting("starttls", user));
    let failure = deliver(&post, &letter(), soon()).expect_err("it has no STARTTLS");
    assert!(failure.words.contains("STARTTLS"), "{failure:?}");
    assert!(!server.commands().iter().any(|c| c.starts_with("AUTH") || c.starts_with("MAIL")));
    // The certificate is that of another name.
    let listener = TcpListener::bind("127.0.0.2:0").expect("a port");
    let server = Server::start(listener, Conduct { tls: Tls::Whole, ..Conduct::default() });
    let elsewhere = post_to(&trusting("tls", &format!("smtp_server 127.0.0.2 {}", server.address.port())));
    let failure = deliver(&elsewhere, &letter(), soon()).expect_err("another name");
    assert!(failure.words.contains("certificate"), "{failure:?}");
}

#[test]
fn a_recipient_that_is_refused_does_not_cost_the_others_their_mail() {
    let answers = vec![("RCPT TO:<ops", "550 5.1.1 no such user here")];
    let (server, post) = with(Conduct { refuses: answers, ..Conduct::default() }, "");
    let refused = deliver(&post, &letter(), soon()).expect("taken for the second");
    assert_eq!(refused, ["ops@example.org: permanent error (550): 5.1.1 no such user here"]);
    assert_eq!(server.mails()[0].to, ["second@example.org"]);
}

#[test]
fn what_is_refused_for_good_is_told_from_what_may_be_taken_later() {
    let answered = |command, answer| {
        let (server, post) = with(Conduct { refuses: vec![(command, answer)], ..Conduct::default() }, "");
        let failure = deliver(&post, &letter(), soon()).expect_err("refused");
        assert_eq!(server.mails(), []);
        failure
    };
    for (command, answer, of_letter) in [
        ("MAIL", "550 5.7.1 we do not like you", true),
        ("RCPT", "550 5.1.1 no such user", true),
        ("DATA", "554 5.6.0 no", true),
        ("MAIL", "451 4.3.0 later", false),
        ("RCPT", "450 4.2.1 greylisted", false),
        ("EHLO", "554 5.5.0 closed", false),
    ] {
        let failure = answered(command, answer);
        assert_eq!(failure.of_letter, of_letter, "{command} {answer}: {failure:?}");
        assert!(failure.words.contains(&answer[4..]), "{failure:?}");
    }
    let (_server, post) = with(Conduct { login: LOGIN, ..Conduct::default() }, "smtp_user lb1\nsmtp_password wrong");
    let failure = deliver(&post, &letter(), soon()).expect_err("a wrong password");
    assert!(!failure.of_letter && failure.words.contains("5.7.8 wrong user or password"), "{failure:?}");
    assert!(!failure.words.contains("lb1") && !failure.words.ends_with("wrong"), "{failure:?}");
}

/// Wherever the server falls silent: the conversation ends.
#[test]
fn a_server_that_hangs_is_left() {
    let hangs = |tls, at: Option<&'static str>, settings: &str| {
        let (_server, post) = with(Conduct { tls, hangs_at: at, login: None, ..Conduct::default() }, settings);
        let post = Post { timeout: Duration::from_millis(100), ..post };
        let began = Instant::now();
        let failure = deliver(&post, &letter(), soon()).expect_err("no answer");
        assert!(began.elapsed() < Duration::from_secs(20), "{at:?}: {:?}", began.elapsed());
        assert_eq!(failure, Failure { of_letter: false, words: "no answer in time".into() }, "{at:?}");
    };
    for at in ["", "EHLO", "MAIL", "RCPT", "DATA"] {
        hangs(Tls::None, Some(at), "");
    }
    hangs(Tls::Upgraded, Some("STARTTLS"), &trusting("starttls", ""));
    // A server without encryption waits for us, as we wait for it.
    hangs(Tls::None, Some(""), &trusting("tls", ""));
    // The whole is bounded, too.
    let (_server, post) = with(Conduct { hangs_at: Some("MAIL"), ..Conduct::default() }, "");
    let began = Instant::now();
    deliver(&post, &letter(), began + Duration::from_millis(300)).expect_err("no answer");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_server_that_is_away_is_said_so() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let failure =
        deliver(&post_to(&format!("smtp_server 127.0.0.1 {free}")), &letter(), soon()).expect_err("nobody there");
    assert!(!failure.of_letter && failure.words.starts_with("Connection error: Connection refused"), "{failure:?}");
}

#[test]
fn what_waits_is_sent_when_the_daemon_stops() {
    let (server, post) = with(Conduct::default(), "");
    let mut mail = Mail::start(post, Wakeup::new().expect("a descriptor")).expect("a thread");
    mail.send(letter());
    mail.send(letter());
    mail.close();
    assert!(mail.ended.recv_timeout(MINUTE).is_err_and(|error| error.is_disconnected()), "it ends");
    assert_eq!(server.mails().len(), 2);
    assert_eq!(mail.waiting.load(Ordering::Acquire), 0);
}

#[test]
fn a_stop_does_not_wait_for_a_server_that_hangs() {
    let (_server, post) = with(Conduct { hangs_at: Some(""), ..Conduct::default() }, "");
    let mut mail =
        Mail::start(Post { timeout: Duration::from_millis(200), ..post }, Wakeup::new().expect("a descriptor"))
            .expect("a thread");
    mail.send(letter());
    mail.close();
    assert!(mail.ended.recv_timeout(MINUTE).is_err_and(|error| error.is_disconnected()), "it ends");
}

fn outbox() -> Outbox {
    Outbox::new("mail server test".into())
}

fn away() -> Failure {
    Failure { of_letter: false, words: "nobody there".into() }
}

#[test]
fn tries_become_less_frequent_until_the_letter_is_old() {
    let mut outbox = outbox();
    let start = Instant::now();
    assert_eq!(outbox.next_try(), None);
    outbox.push(letter(), start);
    assert_eq!(outbox.next_try(), Some(start), "the first one at once");
    let mut now = start;
    let mut pauses = Vec::new();
    while outbox.len() > 0 {
        now = outbox.next_try().expect("one waits");
        assert!(!outbox.failed(&away(), now), "the next letter fares no better");
        pauses.extend(outbox.next_try().map(|at| at - now));
        assert!(pauses.len() < 100);
    }
    let doubled = (0..).map(|power| (FIRST_PAUSE * 2_u32.pow(power)).min(LONGEST_PAUSE));
    assert!(pauses.iter().copied().eq(doubled.take(pauses.len())), "{pauses:?}");
    assert!((now - start) >= AGE && (now - start) < AGE + LONGEST_PAUSE, "{:?}", now - start);
    outbox.push(letter(), now);
    outbox.sent(&[]);
    outbox.push(letter(), now);
    assert_eq!(outbox.next_try(), Some(now), "all is well again");
}

#[test]
fn the_newest_letters_stay() {
    let mut outbox = outbox();
    let now = Instant::now();
    for number in 0..2 * ROOM {
        outbox.push(Letter { subject: number.to_string(), ..letter() }, now);
    }
    assert_eq!((outbox.len(), outbox.dropped()), (ROOM, 64));
    assert_eq!(outbox.oldest().map(|oldest| oldest.subject.clone()), Some(ROOM.to_string()));
}

#[test]
fn a_letter_that_is_refused_makes_way_for_the_next() {
    let mut outbox = outbox();
    let now = Instant::now();
    outbox.push(letter(), now);
    outbox.push(letter(), now);
    assert!(outbox.failed(&Failure { of_letter: true, words: "550 no".into() }, now));
    assert_eq!((outbox.len(), outbox.next_try()), (1, Some(now)));
}

#[test]
fn files_that_mail_needs_are_checked_when_the_daemon_starts() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("password");
    let shown = path.display();
    std::fs::write(&path, "secret\n").expect("written");
    let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
    let refused = |settings: &str| {
        let config = configuration(&format!("smtp_server localhost\n{settings}"));
        let faults = Post::new(&config.global, "lb1").err().expect("refused");
        faults.iter().map(|fault| fault.message.clone()).collect::<Vec<_>>().join("\n")
    };
    let login = format!("smtp_user lb1\nsmtp_password_file {shown}");
    mode(0o644);
    assert_eq!(refused(&login), format!("the file `{shown}` has mode 644: others than its owner could use it"));
    mode(0o600);
    assert!(post_to(&format!("smtp_server localhost\n{login}")).login.is_some());
    std::fs::write(&path, "\n").expect("written");
    assert_eq!(refused(&login), format!("the file `{shown}` is empty"));
    assert_eq!(
        refused(&trusting("tls", "").replace(AUTHORITY, &shown.to_string())),
        format!("the file `{shown}` holds no certificate")
    );
    assert!(refused("smtp_tls tls\nsmtp_ca_file /nonexistent").contains("cannot be read"));
}

#[test]
fn ports_and_senders_have_defaults() {
    let of = |settings: &str| {
        let text = format!("global_defs {{\nnotification_email {{\nroot\n}}\n{settings}\n}}\n");
        let config = config::parse_str("mail.conf", &text).config.expect("right");
        Post::new(&config.global, "lb1").expect("usable")
    };
    assert!(of("").is_none(), "no server");
    let own = |hostname: &str, wanted: [Option<&str>; 2]| sender(wanted, hostname).to_string();
    assert_eq!(own("lb1", [Some("ops@example.org"), Some("vrrp")]), "ops@example.org");
    assert_eq!(own("lb1", [None, Some("vrrp")]), "vrrp@lb1");
    // Such a host has a name that no address can have, and such a user, too.
    assert_eq!(own("lb 1", [None, Some("vrrp")]), "vrrp@localhost");
    assert_eq!(own("lb1", [None, Some("v r")]), "root@localhost");
    let plain = of("smtp_server relay").expect("mail");
    assert_eq!((plain.port, plain.to[0].to_string().as_str()), (25, "root@lb1"));
    assert!(plain.from.to_string().ends_with("@lb1"), "{}", plain.from);
    assert_eq!(of("smtp_server relay\nsmtp_tls tls").expect("mail").port, 465);
    assert_eq!(of("smtp_server relay\nsmtp_tls starttls").expect("mail").port, 25);
    assert_eq!(of("smtp_server relay 587\nsmtp_tls starttls").expect("mail").port, 587);
}
