//! Which of the kernel's privileges the calling thread holds, and giving them up. The kernel keeps them for each thread.
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
use std::process::Command;

use rustix::io::Errno;
use rustix::thread::{self, CapabilitySet, CapabilitySets};

use crate::sys;
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
    /// Pass over file permissions to read.
    DacReadSearch = 2,
    /// Remove and change files of other users.
    Fowner = 3,
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
    /// Look into other processes.
    SysPtrace = 19,
    /// Enter and create namespaces, mount.
    SysAdmin = 21,
    /// Real-time scheduling, processor affinity.
    SysNice = 23,
    /// Raise resource limits.
    SysResource = 24,
}

impl Capability {
    /// All that have a name here, by number.
    pub const ALL: [Self; 16] = [
        Self::Chown,
        Self::DacOverride,
        Self::DacReadSearch,
        Self::Fowner,
        Self::Kill,
        Self::SetGid,
        Self::SetUid,
        Self::NetBindService,
        Self::NetAdmin,
        Self::NetRaw,
        Self::IpcLock,
        Self::SysModule,
        Self::SysPtrace,
        Self::SysAdmin,
        Self::SysNice,
        Self::SysResource,
    ];

    /// The kernel's name, `"CAP_NET_ADMIN"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chown => "CAP_CHOWN",
            Self::DacOverride => "CAP_DAC_OVERRIDE",
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::Fowner => "CAP_FOWNER",
            Self::Kill => "CAP_KILL",
            Self::SetGid => "CAP_SETGID",
            Self::SetUid => "CAP_SETUID",
            Self::NetBindService => "CAP_NET_BIND_SERVICE",
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetRaw => "CAP_NET_RAW",
            Self::IpcLock => "CAP_IPC_LOCK",
            Self::SysModule => "CAP_SYS_MODULE",
            Self::SysPtrace => "CAP_SYS_PTRACE",
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
    /// All of them, known or not.
    pub const ALL: Self = Self(u64::MAX);

    /// Whether `capability` is in the set.
    pub const fn contains(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }

    /// The kernel's own form, bit n for privilege number n.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The set of this form.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl FromIterator<Capability> for Set {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Self(capabilities.into_iter().fold(0, |bits, capability| bits | capability.bit()))
    }
}

/// Those that have a name in [`Capability`], separated by blanks.
impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let here = Capability::ALL.iter().filter(|capability| self.contains(**capability));
        for (place, capability) in here.enumerate() {
            write!(f, "{}{capability}", if place == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// The privileges that the calling thread can use now.
///
/// Inside a user namespace they count for what belongs to that namespace only.
pub fn effective() -> Result<Set> {
    let sets = thread::capabilities(None).map_err(|errno| Error::new("read the capabilities of this thread", errno))?;
    Ok(Set(sets.effective.bits()))
}

/// Those of `wanted` that the calling thread lacks, in the order given.
pub fn missing(wanted: &[Capability]) -> Result<Vec<Capability>> {
    let held = effective()?;
    Ok(wanted.iter().copied().filter(|&capability| !held.contains(capability)).collect())
}

/// Takes from the calling thread, and from what it starts from now on, all privileges but these: from those it can use and
/// from those it could take up again. A program that a thread of root's starts has all that [`bound`] leaves, whatever
/// the thread itself kept.
///
/// What was not held before is not held afterwards either.
pub fn keep(effective: Set, permitted: Set) -> Result<()> {
    let fail = |errno| Error::new("give up capabilities", errno);
    let held = thread::capabilities(None).map_err(fail)?;
    let permitted = held.permitted & CapabilitySet::from_bits_retain(permitted.0);
    let kept = CapabilitySets {
        effective: held.effective & permitted & CapabilitySet::from_bits_retain(effective.0),
        permitted,
        // The ambient set follows: the kernel keeps in it what is in both.
        inheritable: held.inheritable & permitted,
    };
    thread::set_capabilities(None, kept).map_err(fail)
}

/// Makes the child that `command` starts use whatever the thread that starts it could take up again, before it executes: without
/// it, a program that only those privileges reach would not be found.
pub fn use_all_in(command: &mut Command) -> &mut Command {
    sys::use_privileges_in_child(command);
    command
}

/// Makes the child that `command` starts have none of the privileges of the thread that starts it: those in the ambient set would
/// pass to it even under another user, unless the thread is root's.
pub fn use_none_in(command: &mut Command) -> &mut Command {
    sys::drop_privileges_in_child(command);
    command
}

/// Makes these the only privileges that the calling thread, and programs that it starts, can ever have again. Needs
/// CAP_SETPCAP, where there is something to take.
pub fn bound(most: Set) -> Result<()> {
    let fail = |errno| Error::new("bound capabilities", errno);
    // The kernel refuses the first number that it does not know.
    for number in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << number);
        match thread::capability_is_in_bounding_set(one) {
            Ok(true) if most.0 & one.bits() == 0 => thread::remove_capability_from_bounding_set(one).map_err(fail)?,
            Ok(_) => {}
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(fail(errno)),
        }
    }
    Ok(())
}

/// Programs that the calling thread starts from now on gain nothing by set-user-ID bits, file capabilities or being root's.
pub fn gain_no_more() -> Result<()> {
    thread::set_no_new_privs(true).map_err(|errno| Error::new("renounce new privileges", errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line of this name of /proc/thread-self/status, a hexadecimal number.
    fn told(name: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let value = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(value.trim_start_matches(':').trim(), 16).unwrap()
    }

    #[test]
    fn what_is_effective_is_what_proc_says() {
        assert_eq!(effective().unwrap().bits(), told("CapEff"));
    }

    #[test]
    fn a_thread_that_may_open_raw_sockets_has_the_capability_for_it() {
        let lacks = missing(&[Capability::NetRaw]).unwrap();
        assert_eq!(crate::packet::PacketSocket::open().is_ok(), lacks.is_empty());
    }

    #[test]
    fn what_is_given_up_is_gone_for_this_thread_and_those_it_starts() {
        let before = effective().unwrap();
        let wanted: Set = [Capability::NetAdmin, Capability::NetRaw].into_iter().collect();
        let look = || ["CapEff", "CapPrm", "CapInh", "CapAmb"].map(told);
        std::thread::spawn(move || {
            let raw = Set::from_iter([Capability::NetRaw]);
            keep(raw, wanted).unwrap();
            let here = look();
            assert_eq!(here[..2], [before.and(raw).bits(), before.and(wanted).bits()]);
            assert_eq!((here[2] & !wanted.bits(), here[3] & !wanted.bits()), (0, 0));
            assert_eq!(std::thread::spawn(look).join().unwrap(), here);
            keep(Set::ALL, Set::ALL).unwrap();
            assert_eq!(effective().unwrap(), before.and(raw), "what is not effective any more is not taken up again");
        })
        .join()
        .unwrap();
        assert_eq!(effective().unwrap(), before, "the others keep theirs");
    }

    /// Root's program has privileges as root's; what passes to those of others is in the last two sets.
    #[test]
    fn a_program_that_is_to_have_none_inherits_none() {
        if !effective().unwrap().contains(Capability::NetRaw) {
            return eprintln!("skipped: CAP_NET_RAW is missing");
        }
        let sets = |prepare: fn(&mut Command) -> &mut Command| {
            let mut cat = Command::new("cat");
            let output = prepare(cat.arg("/proc/self/status")).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            ["CapInh:\t", "CapAmb:\t"].map(|name| {
                let value = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
                u64::from_str_radix(value, 16).unwrap() & Capability::NetRaw.bit()
            })
        };
        std::thread::spawn(move || {
            let held = thread::capabilities(None).unwrap();
            let raw = CapabilitySet::NET_RAW;
            thread::set_capabilities(None, CapabilitySets { inheritable: held.inheritable | raw, ..held }).unwrap();
            thread::configure_capability_in_ambient_set(raw, true).unwrap();
            let bit = Capability::NetRaw.bit();
            assert_eq!(sets(use_all_in), [bit, bit]);
            assert_eq!(sets(use_none_in), [0, 0]);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn the_bound_holds_for_what_the_thread_knows_and_what_it_does_not() {
        let wanted: Set = [Capability::NetAdmin].into_iter().collect();
        let before = told("CapBnd");
        let lacks_setpcap = effective().unwrap().bits() & (1 << 8) == 0;
        let after = std::thread::spawn(move || bound(wanted).map(|()| told("CapBnd"))).join().unwrap();
        match after {
            Ok(after) => assert_eq!(after, before & wanted.bits()),
            Err(error) => assert!(lacks_setpcap, "{error}"),
        }
        assert_eq!(told("CapBnd"), before);
    }

    #[test]
    fn displays_the_kernels_names() {
        assert_eq!(Capability::NetAdmin.to_string(), "CAP_NET_ADMIN");
        assert_eq!(format!("{:>12}", Capability::NetRaw), " CAP_NET_RAW");
        let set: Set = [Capability::NetRaw, Capability::Kill].into_iter().collect();
        assert_eq!((set.to_string().as_str(), Set::default().to_string().as_str()), ("CAP_KILL CAP_NET_RAW", ""));
    }
}
