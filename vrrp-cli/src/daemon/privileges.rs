//! What the daemon may still do when it has started: only what its configuration needs.
//!
//! The kernel keeps privileges for each thread; they are given up by the first one, before there is another. Scripts that
//! root runs need root's power, and so does what scripts run by `sudo`: where there are scripts, what a program can get
//! stays as it is, and the daemon's own threads give up the use of it.

use nix::unistd::{Gid, Uid};
use vrrp_netlink::capabilities::{self, Capability, Set};

use super::isolation::Isolation;

/// Who runs scripts.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Scripts {
    /// There are scripts.
    any: bool,
    /// Of the daemon's own user, or of root.
    with_power: bool,
    /// Of a user that the configuration names, or of `keepalived_script`.
    named_user: bool,
}

impl Scripts {
    /// One more, of this user and group, or of the daemon's own.
    pub(super) fn add(&mut self, identity: Option<(Uid, Gid)>) {
        self.any = true;
        self.named_user |= identity.is_some();
        self.with_power |= identity.is_none_or(|(user, _)| user.is_root());
    }
}

/// What else a configuration asks for.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Needs {
    pub(super) scripts: Scripts,
    /// Files and pipes are opened, made and removed that may be anybody's.
    pub(super) files: bool,
    /// Processes are looked at where `/proc` shows each user their own.
    pub(super) hidden_processes: bool,
}

/// What is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Privileges {
    effective: Set,
    permitted: Set,
    /// What programs can ever get; `None`: as before.
    bound: Option<Set>,
}

impl Privileges {
    pub(super) fn of(needs: Needs, isolation: &Isolation) -> Self {
        let Needs { scripts, files, hidden_processes } = needs;
        let hurried = isolation.real_time().is_some() || isolation.privileged_nice().is_some();
        let wanted: [(bool, &[Capability]); 7] = [
            (true, &[Capability::NetAdmin, Capability::NetRaw]),
            // A script may change its user, and is to be ended all the same.
            (scripts.any, &[Capability::Kill]),
            (scripts.named_user, &[Capability::SetUid, Capability::SetGid]),
            (files, &[Capability::DacOverride]),
            (hidden_processes, &[Capability::SysPtrace]),
            (hurried, &[Capability::SysNice]),
            // What is locked grows.
            (isolation.in_memory(), &[Capability::IpcLock]),
        ];
        let effective =
            wanted.iter().filter(|(wanted, _)| *wanted).flat_map(|(_, some)| some.iter().copied()).collect();
        Self {
            effective,
            // A program that gains anything escapes the end of whoever started it.
            permitted: if scripts.with_power { Set::ALL } else { effective },
            bound: (!scripts.any).then_some(effective),
        }
    }

    /// Gives up the others, for the calling thread and those that it starts.
    pub(super) fn keep_these(self) -> vrrp_netlink::Result<()> {
        if let Some(bound) = self.bound {
            // Only root is allowed to as a rule; for others it changes nothing, since they gain nothing either.
            let _ = capabilities::bound(bound);
            capabilities::gain_no_more()?;
        }
        capabilities::keep(self.effective, self.permitted)
    }

    /// Of the guardian: it ends a process of its own user, and removes what that one had.
    pub(super) fn of_guardian(isolation: &Isolation) -> Set {
        let base = [Capability::NetAdmin, Capability::NetRaw];
        base.into_iter().chain(isolation.in_memory().then_some(Capability::IpcLock)).collect()
    }
}

/// Whether `/proc` shows each user their own processes alone.
pub(super) fn are_processes_hidden() -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(hides)
}

fn hides(mount: &str) -> bool {
    let mut fields = mount.split(' ').skip(1);
    let (place, _kind, options) = (fields.next(), fields.next(), fields.next().unwrap_or_default());
    let hides = |option: &str| option.strip_prefix("hidepid=").is_some_and(|how| !["0", "off"].contains(&how));
    place == Some("/proc") && options.split(',').any(hides)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::GlobalSettings;

    fn words(needs: Needs, settings: &GlobalSettings) -> (String, String, Option<String>) {
        let Privileges { effective, permitted, bound } = Privileges::of(needs, &Isolation::new(settings));
        let all = |set: Set| if set == Set::ALL { "all".to_owned() } else { set.to_string() };
        (effective.to_string(), all(permitted), bound.map(all))
    }

    fn scripts(users: &[Option<u32>]) -> Needs {
        let mut scripts = Scripts::default();
        for user in users {
            scripts.add(user.map(|user| (Uid::from_raw(user), Gid::from_raw(1))));
        }
        Needs { scripts, ..Needs::default() }
    }

    #[test]
    fn what_runs_no_script_keeps_two_and_can_gain_nothing() {
        let base = "CAP_NET_ADMIN CAP_NET_RAW".to_owned();
        let expected = (base.clone(), base.clone(), Some(base));
        assert_eq!(words(Needs::default(), &GlobalSettings::default()), expected);
    }

    #[test]
    fn scripts_keep_what_they_could_get() {
        let none = GlobalSettings::default();
        let kill = "CAP_KILL CAP_NET_ADMIN CAP_NET_RAW".to_owned();
        assert_eq!(words(scripts(&[None]), &none), (kill.clone(), "all".into(), None));
        let both = "CAP_KILL CAP_SETGID CAP_SETUID CAP_NET_ADMIN CAP_NET_RAW".to_owned();
        assert_eq!(words(scripts(&[Some(1000)]), &none), (both.clone(), both.clone(), None));
        assert_eq!(words(scripts(&[Some(0)]), &none), (both.clone(), "all".into(), None));
        assert_eq!(words(scripts(&[Some(1000), None]), &none), (both, "all".into(), None));
    }

    #[test]
    fn settings_ask_for_more() {
        let needs = Needs { files: true, hidden_processes: true, ..Needs::default() };
        let settings = GlobalSettings { vrrp_priority: Some(-5), vrrp_no_swap: true, ..GlobalSettings::default() };
        let (effective, ..) = words(needs, &settings);
        let all = "CAP_DAC_OVERRIDE CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_SYS_PTRACE CAP_SYS_NICE";
        assert_eq!(effective, all);
        for (settings, nice) in [
            (GlobalSettings { vrrp_rt_priority: Some(1), ..GlobalSettings::default() }, true),
            (GlobalSettings { vrrp_priority: Some(5), ..GlobalSettings::default() }, false),
        ] {
            assert_eq!(words(Needs::default(), &settings).0.contains("CAP_SYS_NICE"), nice);
        }
    }

    #[test]
    fn hidden_processes_are_seen_in_the_list_of_mounts() {
        assert!(hides("proc /proc proc rw,nosuid,hidepid=2 0 0") && hides("proc /proc proc rw,hidepid=invisible 0 0"));
        assert!(!hides("proc /proc proc rw,nosuid,nodev 0 0") && !hides("proc /proc proc rw,hidepid=off 0 0"));
        assert!(!hides("proc /chroot/proc proc rw,hidepid=2 0 0"));
    }
}
