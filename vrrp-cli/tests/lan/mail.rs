//! Mail to a server of the test: in clear, encrypted, with a login, and to servers that are silent, away or unwilling.
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use vrrp_cli::lab;

use crate::common::smtp::{AUTHORITY, Conduct, Mail, Server, Tls};
use crate::common::*;

const LOGIN: Option<(&str, &str, &str)> = Some(("balancer", "se cret", "LOGIN"));

/// A stage with a mail server on host `a`, and the file of a daemon that mails to it.
fn stage(conduct: Conduct, port: u16, settings: &str) -> (Stage, Server, std::path::PathBuf) {
    let stage = Stage::new();
    let listen = || TcpListener::bind(("127.0.0.1", port));
    let listener = stage.lan.host("a").namespace().run(listen).unwrap().unwrap();
    let server = Server::start(listener, conduct);
    let secret = stage.file("secret", "se cret\n");
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    let settings = settings.replace("SECRET", &secret.display().to_string());
    let text = format!(
        "global_defs {{\nrouter_id lb1\nnotification_email {{\nops@example.org\nroot@localhost\n}}\n\
         notification_email_from vrrp@example.org\n{settings}\n}}\n{}",
        Instance::new(254).with("smtp_alert")
    );
    let file = stage.file("a.conf", &text);
    (stage, server, file)
}

fn subjects(mails: &[Mail]) -> Vec<&str> {
    mails.iter().filter_map(|mail| mail.header("Subject")).collect()
}

/// The mails of a life: master, fault, backup, master. Nobody is mailed about the start, nor about the stop.
fn a_life(conduct: Conduct, port: u16, settings: &str) -> Vec<Mail> {
    let (stage, server, file) = stage(conduct, port, settings);
    let mut a = Daemon::start(Kind::Vrrpctl, stage.lan.host("a"), &file);
    eventually("mail about the master", || server.mails().len() == 1);
    stage.lan.cut("a", 0).unwrap();
    eventually("mail about the fault", || server.mails().len() == 2);
    stage.lan.mend("a", 0).unwrap();
    eventually("mail about the return", || server.mails().len() == 4);
    a.stop();
    let mails = server.mails();
    let expected = ["MASTER", "FAULT", "BACKUP", "MASTER"]
        .map(|state| format!("[lb1] VRRP Instance VI_1 - Entering {state} state"));
    assert_eq!(subjects(&mails), expected);
    for mail in &mails {
        assert_eq!(
            (mail.from.as_str(), mail.to.as_slice()),
            ("vrrp@example.org", ["ops@example.org", "root@localhost"].map(str::to_owned).as_slice())
        );
    }
    assert!(mails[1].text.contains("Why:      its interface is down"), "{}", mails[1].text);
    assert!(mails[0].text.contains("Priority: 254") && mails[0].text.contains("Router:   lb1"), "{}", mails[0].text);
    assert!(!a.log().contains("se cret"), "the password is nobody's business");
    mails
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Plain,
    StartTls,
    Tls,
}

#[test]
fn mail_goes_out_in_clear_and_encrypted_and_with_a_login() {
    if lab::privileged(mail_goes_out_in_clear_and_encrypted_and_with_a_login) {
        side_by_side([Way::Plain, Way::StartTls, Way::Tls], |way| {
            let (conduct, port, settings) = match way {
                Way::Plain => (Conduct::default(), 25, "smtp_server 127.0.0.1".to_owned()),
                Way::StartTls => (
                    Conduct { tls: Tls::Upgraded, login: LOGIN, ..Conduct::default() },
                    587,
                    format!(
                        "smtp_server localhost 587\nsmtp_tls starttls\nsmtp_ca_file {AUTHORITY}\nsmtp_user balancer\nsmtp_password_file SECRET"
                    ),
                ),
                Way::Tls => (
                    Conduct { tls: Tls::Whole, login: LOGIN, ..Conduct::default() },
                    465,
                    format!(
                        "smtp_server localhost\nsmtp_tls tls\nsmtp_ca_file {AUTHORITY}\nsmtp_user balancer\nsmtp_password \"se cret\""
                    ),
                ),
            };
            let mails = a_life(conduct, port, &settings);
            let encrypted = !matches!(way, Way::Plain);
            let user = encrypted.then(|| "balancer".to_owned());
            assert!(mails.iter().all(|mail| mail.encrypted == encrypted && mail.user == user), "{way:?}");
        });
    }
}

/// No mail about faults, nor about an instance that wants none.
#[test]
fn mail_that_nobody_wants_is_not_sent() {
    if !lab::privileged(mail_that_nobody_wants_is_not_sent) {
        return;
    }
    let (stage, server, file) = stage(Conduct::default(), 25, "smtp_server 127.0.0.1\nsmtp_alert\nno_email_faults");
    let quiet = Instance::new(254).called("VI_2", 51, VIP2).with("smtp_alert off").to_string();
    fs::write(&file, format!("{}{quiet}", fs::read_to_string(&file).unwrap())).unwrap();
    let mut a = Daemon::start(Kind::Vrrpctl, stage.lan.host("a"), &file);
    eventually("mail about the master", || server.mails().len() == 1);
    a.says("(VI_2) entering master state", 1);
    stage.lan.cut("a", 0).unwrap();
    a.says("(VI_1) entering fault state", 1);
    stage.lan.mend("a", 0).unwrap();
    eventually("mail about the return", || server.mails().len() == 3);
    a.stop();
    let expected =
        ["MASTER", "BACKUP", "MASTER"].map(|state| format!("[lb1] VRRP Instance VI_1 - Entering {state} state"));
    assert_eq!(subjects(&server.mails()), expected);
}

/// A group is mailed about as a whole, its members are not unless they ask for it.
#[test]
fn a_group_is_mailed_about() {
    if !lab::privileged(a_group_is_mailed_about) {
        return;
    }
    let (stage, server, file) = stage(Conduct::default(), 25, "smtp_server 127.0.0.1");
    let text = fs::read_to_string(&file).unwrap().replace("    smtp_alert\n", "");
    let other = Instance::new(254).called("VI_2", 51, VIP2);
    let group = "vrrp_sync_group G {\ngroup {\nVI_1\nVI_2\n}\nsmtp_alert\n}\n";
    fs::write(&file, format!("{text}{other}{group}")).unwrap();
    let mut a = Daemon::start(Kind::Vrrpctl, stage.lan.host("a"), &file);
    eventually("mail about the master", || server.mails().len() == 1);
    stage.lan.cut("a", 0).unwrap();
    eventually("mail about the fault", || server.mails().len() == 2);
    a.stop();
    let mails = server.mails();
    let expected = ["MASTER", "FAULT"].map(|state| format!("[lb1] VRRP Group G - Entering {state} state"));
    assert_eq!(subjects(&mails), expected);
    assert!(mails[0].text.contains("Group:    G") && !mails[0].text.contains("Priority"), "{}", mails[0].text);
}

/// Silent, unwilling, away: the log has the server's words, once; the election and the stop do not care.
#[test]
fn a_server_that_does_not_take_mail_is_told_of_once() {
    if lab::privileged(a_server_that_does_not_take_mail_is_told_of_once) {
        let hangs = Conduct { hangs_at: Some("MAIL"), ..Conduct::default() };
        let refuses = |answer| Conduct { refuses: vec![("RCPT", answer)], ..Conduct::default() };
        let cases = [
            (
                "silent",
                hangs,
                25,
                "mail cannot be handed to mail server 127.0.0.1:25, it is tried again for an hour: no answer in time",
            ),
            (
                "unwilling",
                refuses("550 5.7.1 not from here"),
                25,
                "is lost: mail server 127.0.0.1:25 refuses it: ops@example.org: permanent error (550): 5.7.1 not from here",
            ),
            (
                "later",
                refuses("451 4.7.1 greylisted"),
                25,
                "it is tried again for an hour: transient error (451): 4.7.1 greylisted",
            ),
            ("away", Conduct::default(), 2525, "it is tried again for an hour: Connection error: Connection refused"),
        ];
        side_by_side([0, 1, 2, 3], |at: usize| {
            let (_, conduct, port, expected) = cases[at].clone();
            let (stage, server, file) = stage(conduct, port, "smtp_server 127.0.0.1\nsmtp_connect_timeout 1");
            let mut a = Daemon::start(Kind::Vrrpctl, stage.lan.host("a"), &file);
            a.says(expected, 1);
            stage.lan.cut("a", 0).unwrap();
            a.says("entering fault state", 1);
            stage.lan.mend("a", 0).unwrap();
            a.says("entering master state", 2);
            let took = a.stop();
            between("a stop", took, Duration::ZERO, Duration::from_secs(15));
            assert_eq!(server.mails(), []);
            assert_eq!(a.count(expected), if at == 1 { a.count("is lost") } else { 1 }, "{}", a.log());
        });
    }
}

/// A file that others may read, or that is missing, is found before anything starts.
#[test]
fn files_are_looked_at_before_the_start() {
    if !lab::privileged(files_are_looked_at_before_the_start) {
        return;
    }
    let (stage, _server, file) =
        stage(Conduct::default(), 25, "smtp_server 127.0.0.1\nsmtp_user balancer\nsmtp_password_file SECRET");
    fs::set_permissions(stage.directory().join("secret"), Permissions::from_mode(0o644)).unwrap();
    let mut a = Daemon::start(Kind::Vrrpctl, stage.lan.host("a"), &file);
    assert_eq!(a.process.wait(PATIENCE).and_then(|status| status.code()), Some(2), "{}", a.log());
    assert!(a.said("has mode 644: others than its owner could use it"), "{}", a.log());
    assert!(a.said("E067") && a.said("chmod 600"), "{}", a.log());
}
