//! The operator's commands: finding the program and whom to run it as when the configuration is loaded, and running it.
//!
//! No shell is involved: words that a shell would interpret are arguments like all others. Knows nothing of what a
//! command is run for.

mod drains;
mod run;
mod security;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User};

use crate::config::{Code, Diagnostic, Script};

pub(super) use drains::Drains;
pub(super) use run::{Limits, Report, Run};

/// The user that runs scripts when the configuration names none and the host has it, as keepalived does.
const SCRIPT_USER: &str = "keepalived_script";

/// Where programs are looked for when the environment does not say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command that can be run on this host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Program {
    /// The file, as written or as found on the PATH.
    pub(super) path: String,
    pub(super) arguments: Vec<String>,
    /// `None`: as the daemon itself.
    pub(super) identity: Option<(Uid, Gid)>,
}

/// A command as it was found on this host, and what there is to say about it.
pub(super) struct Found {
    pub(super) program: Program,
    pub(super) warnings: Vec<Diagnostic>,
}

/// Finds the program and the user of a command. With `secure`, one that would run as root and that others can change is
/// refused; otherwise it is warned about.
pub(super) fn find(script: &Script, secure: bool) -> Result<Found, Vec<Diagnostic>> {
    let Some((name, arguments)) = script.words.split_first() else { return Err(Vec::new()) };
    let mut refusals = Vec::new();
    let identity = identity(script).unwrap_or_else(|message| {
        let diagnostic = Diagnostic::new(Code::NoSuchUser, script.span, message);
        refusals.push(diagnostic.help("create it, or name another one behind the command"));
        None
    });
    let Some(path) = find_program(name, identity) else {
        refusals.push(not_runnable(script, name, identity));
        return Err(refusals);
    };
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut warnings = Vec::new();
    if identity.map_or_else(Uid::effective, |(user, _)| user).is_root()
        && let Some(gap) = security::gap(&path)
    {
        let message = format!("`{}` runs as root, but {gap}", path.display());
        let help = "make root the only one who can change it, or run it as another user";
        if secure {
            return Err(vec![Diagnostic::new(Code::ScriptUnsafe, script.span, message).help(help)]);
        }
        warnings.push(Diagnostic::new(Code::ScriptWritable, script.span, message).help(help));
    }
    let path = path.to_string_lossy().into_owned();
    Ok(Found { program: Program { path, arguments: arguments.to_vec(), identity }, warnings })
}

fn not_runnable(script: &Script, name: &str, identity: Option<(Uid, Gid)>) -> Diagnostic {
    let path = Path::new(name);
    let diagnostic = |message: String| Diagnostic::new(Code::ScriptNotRunnable, script.span, message);
    if name.starts_with("</dev/tcp/") {
        let message = format!("`{name}` is a shell's redirection, not a program");
        return diagnostic(message).help("write `check tcp HOST PORT` instead of the script");
    }
    match path.metadata() {
        Ok(meta) if name.contains('/') && meta.is_dir() => {
            diagnostic(format!("`{name}` is a directory, not a program")).help("name the file of a program")
        }
        Ok(meta) if name.contains('/') && meta.mode() & 0o111 != 0 => {
            let user = identity.map_or_else(String::new, |(user, _)| format!(" by user {user}"));
            diagnostic(format!("`{name}` exists, but cannot be executed{user}")).help("make it executable: chmod 755")
        }
        Ok(_) if name.contains('/') => {
            diagnostic(format!("`{name}` is not executable")).help("make it executable: chmod 755")
        }
        _ => diagnostic(format!("`{name}` does not exist or is not executable"))
            .help("write its whole path, and make it executable: chmod 755"),
    }
}

/// An executable file: as written when it has a slash, otherwise on the PATH.
fn find_program(name: &str, identity: Option<(Uid, Gid)>) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| executable(path, identity));
    }
    let path = std::env::var_os("PATH").filter(|path| !path.is_empty()).unwrap_or_else(|| DEFAULT_PATH.into());
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| executable(path, identity))
}

/// By its mode bits; root may execute what anybody may.
fn executable(path: &Path, identity: Option<(Uid, Gid)>) -> bool {
    let Ok(meta) = path.metadata() else { return false };
    let mode = meta.permissions().mode();
    let relevant = match identity {
        Some((user, _)) if user.is_root() => 0o111,
        Some((user, _)) if user.as_raw() == meta.uid() => 0o100,
        Some((_, group)) if group.as_raw() == meta.gid() => 0o010,
        Some(_) => 0o001,
        None => 0o111,
    };
    meta.is_file() && mode & relevant != 0
}

/// Whom to run a script as; `None` is the daemon's own user.
pub(super) fn identity(script: &Script) -> Result<Option<(Uid, Gid)>, String> {
    let user = match &script.user {
        Some(name) => user(name).ok_or_else(|| format!("user `{name}` does not exist on this host"))?,
        None => match User::from_name(SCRIPT_USER) {
            Ok(Some(user)) => user,
            Ok(None) | Err(_) => return Ok(None),
        },
    };
    let group = match &script.group {
        Some(name) => {
            let group = Group::from_name(name).ok().flatten();
            group.ok_or_else(|| format!("group `{name}` does not exist on this host"))?.gid
        }
        None => user.gid,
    };
    Ok(Some((user.uid, group)))
}

fn user(name: &str) -> Option<User> {
    User::from_name(name).ok().flatten()
}

#[cfg(test)]
mod tests;
