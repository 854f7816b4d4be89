//! The mail settings of the configuration, with the files that they name: everything a conversation needs.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use nix::unistd::{Uid, User};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

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

/// Who we are to the server.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) secret: String,
}

/// Whom to talk to, how, and for whom.
pub(in crate::daemon) struct Post {
    pub(super) host: String,
    pub(super) port: u16,
    /// What this host calls itself; one word.
    pub(super) hello: String,
    pub(super) timeout: Duration,
    pub(super) from: Mailbox,
    /// Never empty.
    pub(super) to: Vec<Mailbox>,
    pub(super) protection: Protection,
    pub(super) login: Option<Login>,
    /// Whom to believe; `None`: whom the system believes.
    pub(super) authorities: Option<String>,
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
        let user = User::from_uid(Uid::effective()).ok().flatten().map(|user| user.name);
        let from = sender([mail.notification_email_from.as_deref(), user.as_deref()], hostname);
        let hello = mail.smtp_helo_name.clone().unwrap_or_else(|| hostname.to_owned());
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Some(Self {
            host: server.host.clone(),
            port: server.port.unwrap_or(if protection == Protection::Tls { 465 } else { 25 }),
            hello: hello.chars().map(|c| if c.is_ascii_graphic() { c } else { '-' }).collect(),
            timeout: mail.smtp_connect_timeout.unwrap_or(TIMEOUT),
            from,
            to: mail.notification_email.iter().filter_map(|to| mailbox(to, hostname)).collect(),
            protection,
            login: mail.smtp_user.clone().zip(secret).map(|(user, secret)| Login { user, secret }),
            authorities,
        }))
    }

    /// What to call the server in the log.
    pub(super) fn server(&self) -> String {
        format!("mail server {}:{}", self.host, self.port)
    }

    /// How to encrypt, and whom the certificate must name; what is wrong, in words. Made for each conversation, since they
    /// are rare and the system's certificates many.
    pub(super) fn tls(&self) -> Result<(ClientConfig, ServerName<'static>), String> {
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| format!("`{}` cannot be the name in a certificate", self.host))?;
        let mut roots = RootCertStore::empty();
        match &self.authorities {
            Some(text) => trust(&mut roots, text)?,
            None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
        }
        if roots.is_empty() {
            return Err("the system has no certificates of authorities: name a file by `smtp_ca_file`".into());
        }
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok((config, name))
    }
}

/// Whom mails come from: the first of `wanted` that can be an address, on a host whose name cannot be part of one, too.
pub(super) fn sender(wanted: [Option<&str>; 2], hostname: &str) -> Mailbox {
    let found = wanted.into_iter().flatten().find_map(|from| mailbox(from, hostname));
    found.unwrap_or_else(|| Address::new_dangerous("root", "localhost").into())
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
    let mut roots = RootCertStore::empty();
    match trust(&mut roots, &text) {
        Ok(()) if !roots.is_empty() => Ok(text),
        Ok(()) => Err(("holds no certificate".into(), help)),
        Err(error) => Err((format!("holds no certificate that can be used: {error}"), help)),
    }
}

/// Adds the certificates in `text` to those that are believed.
fn trust(roots: &mut RootCertStore, text: &str) -> Result<(), String> {
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    Ok(())
}
