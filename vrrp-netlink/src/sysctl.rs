//! Settings of the kernel for one interface, under `/proc/sys/net`: set, and put back as they were.
//!
//! They are those of the network namespace that the calling thread is in. Knows nothing of what they are for.
//!
//! ```no_run
//! use vrrp_netlink::sysctl::{Family, Saved};
//!
//! # fn main() -> vrrp_netlink::Result<()> {
//! let saved = Saved::set(Family::V4, "eth0", "promote_secondaries", "1")?;
//! // ...
//! saved.restore()?;
//! # Ok(())
//! # }
//! ```

#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::{Error, Result};

/// Whose settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Those of IPv4.
    V4,
    /// Those of IPv6.
    V6,
}

/// A setting that was changed, and what it was before.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "nothing else knows what the setting was before"]
pub struct Saved {
    interface: String,
    path: PathBuf,
    before: String,
    set: String,
}

impl Saved {
    /// Sets `name` of `interface` to `value`.
    ///
    /// Errors: `NotFound` where the kernel has no such setting or there is no such interface, `PermissionDenied` without
    /// privilege, `InvalidInput` for names that would lead to another file.
    pub fn set(family: Family, interface: &str, name: &str, value: &str) -> Result<Self> {
        let fail = |error: io::Error| Error::new("change a setting of the kernel", error).on(interface);
        let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['/', '\0']);
        if !plain(interface) || !plain(name) {
            return Err(fail(io::Error::new(io::ErrorKind::InvalidInput, "a name of a setting or interface")));
        }
        let family = match family {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        };
        let path = PathBuf::from(format!("/proc/sys/net/{family}/conf/{interface}/{name}"));
        let before = fs::read_to_string(&path).map_err(fail)?.trim_end().to_owned();
        if before != value {
            fs::write(&path, value).map_err(fail)?;
        }
        Ok(Self { interface: interface.to_owned(), path, before, set: value.to_owned() })
    }

    /// Puts the setting back, unless somebody else has changed it meanwhile. An interface that is gone needs nothing.
    pub fn restore(self) -> Result<()> {
        let restore = || -> io::Result<()> {
            if self.before != self.set && fs::read_to_string(&self.path)?.trim_end() == self.set {
                fs::write(&self.path, &self.before)?;
            }
            Ok(())
        };
        match restore() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(|error| Error::new("restore a setting of the kernel", error).on(self.interface)),
        }
    }
}
