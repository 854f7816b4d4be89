//! The mail settings of the configuration, with the files that they name: everything a conversation needs.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters, TlsParametersBuilder};
use lettre::transport::smtp::extension::ClientId;
use nix::unistd::{Uid, User};

use crate::config::model::Spanned;
use crate::config::{Code, Diagnostic, Global};
use crate::daemon::private;

/// A step of the conversation may take so long, unless `smtp_connect_timeout` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_PASSWORD: u64 = 1024;
const LONGEST_CERTIFICATES: u64 = 4 * 1024 * 1024;

/// How the conversation is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Protection {
    /// Not at all.
    Plain,
    /// From the command STARTTLS on, which the server must know.
    StartTls,
    /// From the first octet.
    Tls,
}

/// Whom to talk to, how, and for whom.
pub(in crate::daemon) struct Post {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) hello: ClientId,
    pub(super) timeout: Duration,
    pub(super) from: Mailbox,
    /// Never empty.
    pub(super) to: Vec<Mailbox>,
    pub(super) protection: Protection,
    pub(super) credentials: Option<Credentials>,
    /// Whom to believe; `None`: whom the system believes.
    pub(super) authorities: Option<String>,
    /// Made when they are needed: reading the system's certificates takes a while.
    pub(super) parameters: OnceLock<TlsParameters>,
}

impl Post {
    /// `None` when there is no server or no recipient. `hostname` is the name of this host.
    pub(in crate::daemon) fn new(global: &Global, hostname: &str) -> Result<Option<Self>, Vec<Diagnostic>> {
        let mail = &global.settings;
        let Some(server) = mail.smtp_server.as_ref().filter(|_| !mail.notification_email.is_empty()) else {
            return Ok(None);
        };
        let mut faults = Vec::new();
        let protection = match mail.smtp_tls.as_deref() {
            Some("starttls") => Protection::StartTls,
            Some("tls") => Protection::Tls,
            _ => Protection::Plain,
        };
        let mut read = |path: &Option<Spanned<String>>, read: fn(&Path) -> Result<String, (String, &'static str)>| {
            let path = path.as_ref()?;
            let fault = match read(Path::new(&path.value)) {
                Ok(text) => return Some(text),
                Err(fault) => fault,
            };
            let message = format!("the file `{}` {}", path.value, fault.0);
            faults.push(Diagnostic::new(Code::MailFile, path.span, message).help(fault.1));
            None
        };
        let from_file = read(&mail.smtp_password_file, password);
        let authorities = read(&mail.smtp_ca_file, certificates);
        let secret = mail.smtp_password.as_ref().map(|password| password.0.clone()).or(from_file);
        let from = mail.notification_email_from.clone().unwrap_or_else(|| {
            let user = User::from_uid(Uid::effective()).ok().flatten();
            format!("{}@{hostname}", user.map_or_else(|| "root".to_owned(), |user| user.name))
        });
        let Some(from) = mailbox(&from, hostname) else {
            let message = format!("`{from}` is not a mail address that mails can come from");
            let help = "add `notification_email_from ADDRESS` to `global_defs`";
            faults.push(Diagnostic::without_place(Code::NotAMailAddress, message).help(help));
            return Err(faults);
        };
        let hello = mail.smtp_helo_name.clone().unwrap_or_else(|| hostname.to_owned());
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Some(Self {
            host: server.host.clone(),
            port: server.port.unwrap_or(if protection == Protection::Tls { 465 } else { 25 }),
            hello: ClientId::Domain(hello),
            timeout: mail.smtp_connect_timeout.unwrap_or(TIMEOUT),
            from,
            to: mail.notification_email.iter().filter_map(|to| mailbox(to, hostname)).collect(),
            protection,
            credentials: mail.smtp_user.clone().zip(secret).map(|(user, secret)| Credentials::new(user, secret)),
            authorities,
            parameters: OnceLock::new(),
        }))
    }

    /// What to call the server in the log.
    pub(super) fn server(&self) -> String {
        format!("mail server {}:{}", self.host, self.port)
    }

    /// `None` when nothing is encrypted.
    pub(super) fn tls(&self) -> Result<Option<&TlsParameters>, Error> {
        if self.protection == Protection::Plain {
            return Ok(None);
        }
        if let Some(made) = self.parameters.get() {
            return Ok(Some(made));
        }
        let mut builder = TlsParameters::builder(self.host.clone());
        if let Some(authorities) = &self.authorities {
            let certificates = Certificate::from_pem(authorities.as_bytes())?;
            builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificates);
        }
        let made = builder.build()?;
        Ok(Some(self.parameters.get_or_init(|| made)))
    }
}

/// A user without a host is one of this host.
fn mailbox(text: &str, hostname: &str) -> Option<Mailbox> {
    text.parse().or_else(|_| format!("{text}@{hostname}").parse()).or_else(|_| format!("{text}@localhost").parse()).ok()
}

fn password(path: &Path) -> Result<String, (String, &'static str)> {
    let line = private::line(path, LONGEST_PASSWORD)?;
    Some(line).filter(|line| !line.is_empty()).ok_or(("is empty".into(), "write the password into it, on one line"))
}

fn certificates(path: &Path) -> Result<String, (String, &'static str)> {
    let help = "name a file with certificates that begin with `-----BEGIN CERTIFICATE-----`";
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST_CERTIFICATES).read_to_string(&mut text));
    read.map_err(|error| (format!("cannot be read: {error}"), help))?;
    let builder = Certificate::from_pem(text.as_bytes()).map(|certificates| {
        let host = "localhost".to_owned();
        TlsParameters::builder(host).certificate_store(CertificateStore::None).add_root_certificate(certificates)
    });
    match builder.and_then(TlsParametersBuilder::build) {
        Ok(_) if text.contains("-----BEGIN CERTIFICATE-----") => Ok(text),
        Ok(_) => Err(("holds no certificate".into(), help)),
        Err(error) => Err((format!("holds no certificate that can be used: {error}"), help)),
    }
}
