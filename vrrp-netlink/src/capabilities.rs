//! Which of the kernel's privileges the calling thread holds.
//!
//! Knows the privileges by name and number; not what they are wanted for.
//!
//! ```
//! use vrrp_netlink::capabilities::{self, Capability};
//!
//! # fn main() -> vrrp_netlink::Result<()> {
//! for capability in capabilities::missing(&[Capability::NetAdmin, Capability::NetRaw])? {
//!     eprintln!("run as root, or grant {capability}");
//! }
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};

use crate::{Error, Result};

/// A privilege of `capabilities(7)`; of them, those that a router or its scripts can need.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
#[repr(u8)]
pub enum Capability {
    /// Change the owner of files.
    Chown = 0,
    /// Pass over file permissions.
    DacOverride = 1,
    /// Signal processes of other users.
    Kill = 5,
    /// Change group identities.
    SetGid = 6,
    /// Change user identities.
    SetUid = 7,
    /// Bind to ports below 1024.
    NetBindService = 10,
    /// Addresses, links, routes, firewall; large receive buffers.
    NetAdmin = 12,
    /// Raw and packet sockets.
    NetRaw = 13,
    /// Lock memory.
    IpcLock = 14,
    /// Load kernel modules.
    SysModule = 16,
    /// Enter and create namespaces, mount.
    SysAdmin = 21,
    /// Real-time scheduling, processor affinity.
    SysNice = 23,
    /// Raise resource limits.
    SysResource = 24,
}

impl Capability {
    /// The kernel's name, `"CAP_NET_ADMIN"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chown => "CAP_CHOWN",
            Self::DacOverride => "CAP_DAC_OVERRIDE",
            Self::Kill => "CAP_KILL",
            Self::SetGid => "CAP_SETGID",
            Self::SetUid => "CAP_SETUID",
            Self::NetBindService => "CAP_NET_BIND_SERVICE",
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetRaw => "CAP_NET_RAW",
            Self::IpcLock => "CAP_IPC_LOCK",
            Self::SysModule => "CAP_SYS_MODULE",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::SysNice => "CAP_SYS_NICE",
            Self::SysResource => "CAP_SYS_RESOURCE",
        }
    }

    const fn bit(self) -> u64 {
        1 << self as u8
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A set of privileges, those without a name in [`Capability`] included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Set(u64);

impl Set {
    /// Whether `capability` is in the set.
    pub const fn contains(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }

    /// The kernel's own form, bit n for privilege number n.
    pub const fn bits(self) -> u64 {
        self.0
    }
}

/// The privileges that the calling thread can use now.
///
/// Inside a user namespace they count for what belongs to that namespace only. Fails where /proc is not mounted.
pub fn effective() -> Result<Set> {
    const OPERATION: &str = "read the capabilities of this thread";

    let status = fs::read_to_string("/proc/thread-self/status").map_err(|error| Error::new(OPERATION, error))?;
    parse(&status).ok_or_else(|| Error::new(OPERATION, io::Error::new(ErrorKind::InvalidData, "no CapEff in /proc")))
}

/// Those of `wanted` that the calling thread lacks, in the order given.
pub fn missing(wanted: &[Capability]) -> Result<Vec<Capability>> {
    let held = effective()?;
    Ok(wanted.iter().copied().filter(|&capability| !held.contains(capability)).collect())
}

fn parse(status: &str) -> Option<Set> {
    let value = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(value.trim(), 16).ok().map(Set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_effective_set_and_no_other() {
        let status = "Name:\tx\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000003000\nCapBnd:\t000001ffffffffff\n";
        let set = parse(status).unwrap();
        assert!(set.contains(Capability::NetAdmin) && set.contains(Capability::NetRaw));
        assert!(!set.contains(Capability::SysNice) && !set.contains(Capability::Chown));
        assert_eq!(set.bits(), 0x3000);
        assert_eq!(parse("CapPrm:\t0000000000003000\n"), None);
        assert_eq!(parse("CapEff:\tnonsense\n"), None);
    }

    #[test]
    fn a_thread_that_may_open_raw_sockets_has_the_capability_for_it() {
        let lacks = missing(&[Capability::NetRaw]).unwrap();
        assert_eq!(crate::packet::PacketSocket::open().is_ok(), lacks.is_empty());
    }

    #[test]
    fn displays_the_kernels_names() {
        assert_eq!(Capability::NetAdmin.to_string(), "CAP_NET_ADMIN");
        assert_eq!(format!("{:>12}", Capability::NetRaw), " CAP_NET_RAW");
    }
}
