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

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use nix::errno::Errno;
use nix::net::if_::if_indextoname;

use crate::{Error, Result};

/// Whose settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Those of IPv4.
    V4,
    /// Those of IPv6.
    V6,
}

impl Family {
    fn word(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }
}

/// The value of a setting of `interface`, which may be "all" or "default", too.
///
/// Errors: `NotFound` and `InvalidInput` as for [`Saved::set`].
pub fn read(family: Family, interface: &str, name: &str) -> Result<String> {
    Saved::plan(family, interface, name, "-").map(|planned| planned.before)
}

/// A setting that was changed, and what it was before.
///
/// As text it is one line, which [`str::parse`] reads again: `ipv4 eth0 arp_ignore 0 1`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "nothing else knows what the setting was before"]
pub struct Saved {
    family: Family,
    interface: String,
    name: String,
    before: String,
    set: String,
}

impl Saved {
    /// Sets `name` of `interface` to `value`.
    ///
    /// Errors: `NotFound` where the kernel has no such setting or there is no such interface, `PermissionDenied` without
    /// privilege, `InvalidInput` for names that would lead to another file.
    pub fn set(family: Family, interface: &str, name: &str, value: &str) -> Result<Self> {
        let planned = Self::plan(family, interface, name, value)?;
        planned.apply()?;
        Ok(planned)
    }

    /// As [`set`](Self::set), but changes nothing before [`apply`](Self::apply): the caller can write down what the setting
    /// was.
    pub fn plan(family: Family, interface: &str, name: &str, value: &str) -> Result<Self> {
        if !plain(interface) || !plain(name) || !plain(value) {
            let cause = io::Error::new(io::ErrorKind::InvalidInput, "a name of a setting or interface");
            return Err(Error::new(CHANGE, cause).on(interface));
        }
        let (interface, name, set) = (interface.to_owned(), name.to_owned(), value.to_owned());
        let mut planned = Self { family, interface, name, before: String::new(), set };
        planned.before = planned.now().map_err(|error| Error::new(CHANGE, error).on(&*planned.interface))?;
        Ok(planned)
    }

    /// Sets what was planned.
    pub fn apply(&self) -> Result<()> {
        let write = || if self.now()? == self.set { Ok(()) } else { fs::write(self.path(), &self.set) };
        write().map_err(|error| Error::new(CHANGE, error).on(&*self.interface))
    }

    /// Puts the setting back, unless somebody else has changed it meanwhile. An interface that is gone needs nothing.
    pub fn restore(self) -> Result<()> {
        let restore = || -> io::Result<()> {
            if self.before != self.set && self.now()? == self.set {
                fs::write(self.path(), &self.before)?;
            }
            Ok(())
        };
        match restore() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(|error| Error::new("restore a setting of the kernel", error).on(self.interface)),
        }
    }

    /// The setting of the same interface by the name that it has now; `index` is its number. `None` when it is gone, whatever has
    /// its name by now.
    ///
    /// Looks in the network namespace of the calling thread. What cannot be learnt is taken to be as it was.
    pub fn of_interface(self, index: u32) -> Option<Self> {
        let name = if_indextoname(index).ok().and_then(|name| name.into_string().ok());
        match name.filter(|name| !name.is_empty()) {
            Some(interface) => Some(Self { interface, ..self }),
            // The function has no error, only an empty name.
            None if matches!(Errno::last(), Errno::ENXIO | Errno::ENODEV) => None,
            None => Some(self),
        }
    }

    /// The interface whose setting it is, by its name.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Whether both are about the same setting of the same interface.
    pub fn is_same_place(&self, other: &Self) -> bool {
        (self.family, &self.interface, &self.name) == (other.family, &other.interface, &other.name)
    }

    /// Takes over what the setting was before `earlier` changed it, when it is still as `earlier` has set it.
    pub fn inherit(&mut self, earlier: &Self) {
        if self.is_same_place(earlier) && self.before == earlier.set {
            self.before.clone_from(&earlier.before);
        }
    }

    fn path(&self) -> PathBuf {
        let Self { family, interface, name, .. } = self;
        PathBuf::from(format!("/proc/sys/net/{}/conf/{interface}/{name}", family.word()))
    }

    fn now(&self) -> io::Result<String> {
        Ok(fs::read_to_string(self.path())?.trim_end().to_owned())
    }
}

impl fmt::Display for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { family, interface, name, before, set } = self;
        write!(f, "{} {interface} {name} {before} {set}", family.word())
    }
}

impl FromStr for Saved {
    type Err = NotASetting;

    fn from_str(text: &str) -> std::result::Result<Self, NotASetting> {
        let words: Vec<&str> = text.split(' ').collect();
        let &[family, interface, name, before, set] = &words[..] else { return Err(NotASetting) };
        let family = match family {
            "ipv4" => Family::V4,
            "ipv6" => Family::V6,
            _ => return Err(NotASetting),
        };
        if ![interface, name, before, set].into_iter().all(plain) {
            return Err(NotASetting);
        }
        let owned = str::to_owned;
        Ok(Self { family, interface: owned(interface), name: owned(name), before: owned(before), set: owned(set) })
    }
}

/// A line that describes no setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `ipv4` or `ipv6`, an interface, a setting, what it was and what it was set to")]
pub struct NotASetting;

/// What `Error` says was tried.
const CHANGE: &str = "change a setting of the kernel";

/// One word that does not lead to another folder.
fn plain(part: &str) -> bool {
    !part.is_empty()
        && part != "."
        && part != ".."
        && !part.contains(['/', '\0'])
        && !part.contains(char::is_whitespace)
}
