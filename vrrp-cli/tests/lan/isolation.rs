//! How threads are scheduled, what they may still do when the daemon has started, what it tells of itself: read from /proc
//! and from its files.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use vrrp_cli::lab;
use vrrp_netlink::capabilities::{Capability, Set};

use crate::common::Kind::Vrrpctl;
use crate::common::*;

/// What the kernel says of one thread.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Thread {
    /// 0 is ordinary, 2 round robin.
    policy: u32,
    real_time: u32,
    nice: i32,
    processors: String,
    effective: u64,
    permitted: u64,
    bound: u64,
    gains_nothing: bool,
    locked: bool,
}

fn field<'t>(status: &'t str, name: &str) -> &'t str {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("no {name} in {status}")).trim()
}

impl Thread {
    fn read(folder: impl AsRef<Path>) -> Self {
        let text = |name: &str| fs::read_to_string(folder.as_ref().join(name)).unwrap();
        Self::of(&text("stat"), &text("status"))
    }

    fn of(stat: &str, status: &str) -> Self {
        let (_, behind) = stat.rsplit_once(") ").unwrap();
        // Numbered as in proc(5), where the state behind the name is the third.
        let stat = |number: usize| behind.split_whitespace().nth(number - 3).unwrap();
        let set = |name| u64::from_str_radix(field(status, name), 16).unwrap();
        Self {
            policy: stat(41).parse().unwrap(),
            real_time: stat(40).parse().unwrap(),
            nice: stat(19).parse().unwrap(),
            processors: field(status, "Cpus_allowed_list").to_owned(),
            effective: set("CapEff"),
            permitted: set("CapPrm"),
            bound: set("CapBnd"),
            gains_nothing: field(status, "NoNewPrivs") == "1",
            locked: field(status, "VmLck") != "0 kB",
        }
    }
}

/// The threads of a process by name, when one of them is the election.
fn threads(process: impl std::fmt::Display) -> BTreeMap<String, Thread> {
    let mut all = BTreeMap::new();
    eventually("the election begins", || {
        all.clear();
        for task in fs::read_dir(format!("/proc/{process}/task")).unwrap() {
            let folder = task.unwrap().path();
            let name = fs::read_to_string(folder.join("comm")).unwrap();
            all.insert(name.trim().to_owned(), Thread::read(&folder));
        }
        all.contains_key("election")
    });
    all
}

fn bits(capabilities: &[Capability]) -> u64 {
    capabilities.iter().copied().collect::<Set>().bits()
}

/// Whether this is root of the whole machine, and not of a user namespace alone.
fn is_the_machines_root() -> bool {
    fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.split_whitespace().eq(["0", "0", "4294967295"]))
}

const NETWORK: [Capability; 2] = [Capability::NetAdmin, Capability::NetRaw];
const HURRIED: &str = "global_defs {\n    script_user root\n    vrrp_rt_priority 7\n    vrrp_priority -5\n    \
                       vrrp_cpu_affinity 0 1022\n    vrrp_rlimit_rttime 400000\n    vrrp_no_swap\n}\n";

/// One daemon with everything, and one with nothing.
#[test]
fn the_election_is_isolated_and_its_scripts_are_as_they_were() {
    if !lab::privileged(the_election_is_isolated_and_its_scripts_are_as_they_were) {
        return;
    }
    let stage = Stage::new();
    let (script_stat, script_status) = (stage.path("script.stat"), stage.path("script.status"));
    let look = stage.script(
        "look",
        &format!("cat /proc/$$/stat > {}; cat /proc/$$/status > {}", script_stat.display(), script_status.display()),
    );
    if is_the_machines_root() {
        // Root runs scripts wherever they lie, and whoever may read them.
        let folder = stage.path("private");
        fs::create_dir(&folder).unwrap();
        fs::rename(&look, folder.join("look")).unwrap();
        symlink(folder.join("look"), &look).unwrap();
        for (path, mode) in [(folder.join("look"), 0o700), (folder, 0o700)] {
            chown(&path, Some(65534), Some(65534)).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    let ours = Thread::read("/proc/thread-self");
    let instance = Instance::new(STRONG).with(format!("notify_backup {look}"));
    let mut a = stage.start_with(Vrrpctl, "a", &[instance], HURRIED);
    a.is_backup();
    let all = threads(a.worker());
    let look_at_it = || Thread::read(format!("/proc/{}", a.process.id()));
    let mut guardian = look_at_it();
    a.says("vrrp_cpu_affinity: this process may not use CPU 1022", 1);
    assert_eq!(a.count("vrrp_cpu_affinity"), 1, "said once");

    if is_the_machines_root() {
        for name in ["election", "kernel", "monitor"] {
            let thread = &all[name];
            let real_time = if name == "election" { (2, 7) } else { (0, 0) };
            assert_eq!((thread.policy, thread.real_time), real_time, "{name}");
            assert_eq!((thread.nice, thread.processors.as_str()), (-5, "0"), "{name}");
        }
        let expected = (2, 7, -5, ours.processors.as_str(), true);
        eventually(&format!("the guardian has {expected:?}"), || {
            guardian = look_at_it();
            let Thread { policy, real_time, nice, processors, locked, .. } = &guardian;
            (*policy, *real_time, *nice, processors.as_str(), *locked) == expected
        });
        let limits = fs::read_to_string(format!("/proc/{}/limits", a.worker())).unwrap();
        let limit = limits.lines().find_map(|line| line.strip_prefix("Max realtime timeout")).unwrap();
        assert_eq!(limit.split_whitespace().collect::<Vec<_>>(), ["400000", "1400000", "us"]);
        assert!(!a.said("cap_sys_nice") && !a.said("cap_ipc_lock"), "{}", a.log());
    } else {
        // It serves all the same, and says what it lacks.
        for missing in ["vrrp_rt_priority: ", "vrrp_priority: ", "vrrp_no_swap: "] {
            a.says(missing, 1);
        }
        assert_eq!((all["election"].policy, guardian.policy), (0, 0));
    }
    for (name, thread) in all.iter().filter(|(name, _)| !["election", "kernel", "monitor"].contains(&name.as_str())) {
        let Thread { policy, nice, processors, .. } = thread;
        assert_eq!((*policy, *nice, processors), (0, ours.nice, &ours.processors), "{name}");
    }
    let kept =
        bits(&[Capability::Kill, Capability::SetUid, Capability::SetGid, Capability::SysNice, Capability::IpcLock])
            | bits(&NETWORK);
    for (name, thread) in &all {
        let Thread { effective, permitted, bound, gains_nothing, .. } = *thread;
        let expected = (kept & ours.effective, ours.permitted, ours.bound, ours.gains_nothing);
        assert_eq!((effective, permitted, bound, gains_nothing), expected, "{name}");
        assert_eq!(thread.locked, is_the_machines_root(), "{name}");
    }
    let kept = bits(&NETWORK) | bits(&[Capability::IpcLock]);
    assert_eq!((guardian.effective, guardian.permitted), (kept & ours.effective, kept & ours.permitted));
    assert!(guardian.gains_nothing);

    eventually("the script has looked", || {
        fs::read_to_string(&script_status).is_ok_and(|text| text.contains("nonvol"))
    });
    let text = |path| fs::read_to_string(path).unwrap();
    let script = Thread::of(&text(&script_stat), &text(&script_status));
    assert_eq!(script, Thread { locked: false, effective: ours.bound, permitted: ours.bound, ..ours.clone() });

    let mut b = stage.vrrpctl("b", Instance::new(WEAK));
    b.is_backup();
    let least = bits(&NETWORK);
    for (name, thread) in &threads(b.worker()) {
        let Thread { effective, permitted, bound, gains_nothing, .. } = *thread;
        assert_eq!((effective, permitted, bound, gains_nothing), (least, least, least, true), "{name}");
        assert_eq!((thread.policy, thread.nice, thread.locked), (0, ours.nice, false), "{name}");
    }

    // As the kernel does when the election never waits.
    kill(a.worker(), Signal::SIGXCPU).unwrap();
    if is_the_machines_root() {
        a.says("the election ran for 400ms without a pause: no real time for it from now on", 1);
        assert_eq!(threads(a.worker())["election"].policy, 0);
    }

    // Both serve, and clean up, with what they have kept.
    stage.held_by("a", VIP);
    a.stop();
    stage.held_by("b", VIP);
    b.stop();
    stage.held_by_nobody(VIP);
}

/// With the two capabilities alone, and a virtual MAC address and a table of nftables on top.
#[test]
fn nobody_serves_with_two_capabilities() {
    if !lab::privileged(nobody_serves_with_two_capabilities) {
        return;
    }
    if !is_the_machines_root() {
        return eprintln!("skipped: a user namespace without further users cannot have another one");
    }
    let Some(setpriv) = tool("setpriv") else { return };
    let stage = Stage::new();
    stage.open_to_all();
    let nft = tool("nft").is_some();
    let mut instance = Instance::new(STRONG).password(None).with("version 3").with("use_vmac");
    if nft {
        instance = instance.with("no_accept");
    }
    let (written, statistics) = (stage.path("a.state"), stage.path("a.stats"));
    let text = format!(
        "global_defs {{\n    vrrp_rt_priority 7\n    vrrp_no_swap\n    state_dump_file {}\n    stats_dump_file {}\n}}\n{instance}",
        written.display(),
        statistics.display(),
    );
    let file = stage.file("a.conf", &text);
    let mut command = Command::new(setpriv);
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps", "+net_admin,+net_raw"]);
    command.args(["--ambient-caps", "+net_admin,+net_raw", env!("CARGO_BIN_EXE_vrrpctl"), "run", "-f"]).arg(&file);
    let mut a = Daemon::run(command, stage.lan.host("a"), &file);
    stage.held_by("a", VIP);
    let least = bits(&NETWORK);
    for (name, thread) in threads(a.worker()) {
        let Thread { effective, permitted, gains_nothing, policy, .. } = thread;
        assert_eq!((effective, permitted, gains_nothing, policy), (least, least, true, 0), "{name}");
    }
    let guardian = Thread::read(format!("/proc/{}", a.process.id()));
    assert_eq!((guardian.effective, guardian.permitted), (least, least));
    a.says("needs CAP_SYS_NICE", 1);
    a.says("needs CAP_IPC_LOCK", 1);

    // To either process; the answer is a file that goes with the daemon.
    a.process.signal(Signal::SIGUSR1).unwrap();
    a.says(&format!("status written to {}", written.display()), 1);
    let status = fs::read_to_string(&written).unwrap();
    assert!(status.lines().count() == 2 && status.contains("(VI_1) MASTER since "), "{status}");
    assert!(
        status.contains("no advertisement from a master | eth0 IPv4 VRID 50 | priority 150 | 10.9.0.100"),
        "{status}"
    );
    kill(a.worker(), Signal::SIGUSR2).unwrap();
    a.says(&format!("statistics written to {}", statistics.display()), 1);
    let text = fs::read_to_string(&statistics).unwrap();
    assert!(text.contains("lateness: ") && text.contains(" deadlines, 50 % within "), "{text}");
    assert!(text.contains("(VI_1):\n    master_transitions 1\n    adverts_sent "), "{text}");

    a.stop();
    stage.held_by_nobody(VIP);
    assert!(!written.exists() && !statistics.exists());
    let left = stage.shell("a", "ip -br link; nft list tables 2>/dev/null || true");
    assert!(!left.contains("vrrp"), "{left}");
}
