//! The network namespace that the configuration names: found where iproute2 keeps them, and entered.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use vrrp_netlink::namespace::Namespace;

use super::StartError;
use crate::config::{Code, Config, Diagnostic, Spanned};

/// Where iproute2 keeps namespaces by name.
const FOLDER: &str = "/run/netns";

/// Moves this thread, and all that it starts from now on, inside; the namespace that it came from. `None` where the
/// configuration names none.
pub(super) fn enter(config: &Config) -> Result<Option<Namespace>, StartError> {
    let Some(name) = &config.process.net_namespace else { return Ok(None) };
    let outer = Namespace::current()?;
    let entered = Namespace::open(Path::new(FOLDER).join(&name.value)).and_then(|inner| inner.enter_thread());
    match entered {
        Ok(()) => Ok(Some(outer)),
        Err(error) => Err(StartError::Host(Box::new(refusal(name, &error)))),
    }
}

fn refusal(name: &Spanned<String>, error: &vrrp_netlink::Error) -> Diagnostic {
    let name_ = &name.value;
    let (message, help) = match error.kind() {
        ErrorKind::NotFound => {
            let here = names();
            let others = if here.is_empty() { String::new() } else { format!("; there are: {}", here.join(", ")) };
            let message = format!("the network namespace `{name_}` does not exist on this host");
            (message, format!("`ip netns add {name_}` makes it{others}"))
        }
        ErrorKind::PermissionDenied => {
            let help = "run vrrpctl as root, or with CAP_SYS_ADMIN beside its other capabilities";
            (format!("the network namespace `{name_}`: {error}"), help.to_owned())
        }
        _ => {
            let help =
                format!("{FOLDER}/{name_} must be what `ip netns add {name_}` makes, in the mounts of this process");
            (format!("the network namespace `{name_}`: {error}"), help)
        }
    };
    Diagnostic::new(Code::NoSuchNamespace, name.span, message).help(help)
}

/// Those that have a name, sorted.
fn names() -> Vec<String> {
    let entries = fs::read_dir(FOLDER).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}
