//! `vrrpctl` with FRR's vrrpd: versions 2 and 3 over IPv4, version 3 over IPv6, each in both roles, also with the virtual MAC
//! address on either side.
//!
//! FRR's vrrpd serves addresses that lie on macvlans, which the operator makes; it switches them on and off.

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use vrrp_cli::lab::{self, Host, Process};

use crate::common::*;

const FOLDER: &str = "/usr/lib/frr";

/// Longer than a takeover takes.
const A_WHILE: Duration = Duration::from_secs(6);

/// FRR's two processes on a host. A test that fails prints the log.
struct Frr {
    vrrpd: Process,
    _zebra: Process,
    log: PathBuf,
}

impl Frr {
    /// Starts them with priority 100, VRID 50 and the address of the family that is tested.
    fn start(host: &Host, directory: &Path, version: u8, ipv6: bool) -> Self {
        // They run as a user of their own, and write here.
        fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).unwrap();
        macvlan(host, ipv6);
        let addresses: &[&str] = if ipv6 { &["ipv6 fe80::100", "ipv6 fd00:9::100"] } else { &["ip 10.9.0.100"] };
        let mut text = format!("debug vrrp\ninterface eth0\n vrrp 50 version {version}\n vrrp 50 priority {WEAK}\n");
        for address in addresses {
            writeln!(text, " vrrp 50 {address}").unwrap();
        }
        let run = |name: &str, text: &str| {
            let file = |extension: &str| directory.join(format!("{name}.{extension}"));
            fs::write(file("conf"), text).unwrap();
            let log = fs::File::create(file("log")).unwrap();
            let mut command = Command::new(Path::new(FOLDER).join(name));
            command.arg("-f").arg(file("conf")).arg("-i").arg(file("pid")).arg("-z").arg(directory.join("zserv.api"));
            command.arg("--vty_socket").arg(directory).args(["-A", "127.0.0.1", "-P", "0", "--log", "stdout"]);
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
            host.spawn(&mut command).unwrap()
        };
        let zebra = run("zebra", "");
        eventually("zebra listens", || directory.join("zserv.api").exists());
        let vrrpd = run("vrrpd", &text);
        Self { vrrpd, _zebra: zebra, log: directory.join("vrrpd.log") }
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Waits until it enters a state for at least the `times`th time.
    #[track_caller]
    fn enters(&self, state: &str, times: usize) {
        let text = format!("-> {state}");
        eventually(&format!("FRR enters {state}, {times} times"), || self.log().matches(&text).count() >= times);
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let lines = self.log();
            let telling = lines.lines().filter(|line| line.contains("[VRID") || line.contains("rror"));
            eprintln!("--- log of FRR:\n{}\n---", telling.collect::<Vec<_>>().join("\n"));
        }
    }
}

/// Makes the interface that carries the virtual addresses, with the virtual MAC.
fn macvlan(host: &Host, ipv6: bool) {
    let (mac, addresses): (&str, &[&str]) = if ipv6 {
        ("00:00:5e:00:02:32", &["fe80::100/64 nodad", "fd00:9::100/64 nodad"])
    } else {
        ("00:00:5e:00:01:32", &["10.9.0.100/24"])
    };
    let run = |program: &str, words: &str| {
        let mut process = host.spawn(Command::new(program).args(words.split_whitespace())).unwrap();
        assert!(process.wait(PATIENCE).is_some_and(|status| status.success()), "{program} {words}");
    };
    // What FRR's manual asks for: its addresses stay on the host while it is Backup.
    run("sysctl", "-qw net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2");
    let ip = |words: &str| run("ip", words);
    ip("link add vrrp0 link eth0 type macvlan mode bridge");
    ip("link set vrrp0 addrgenmode none");
    ip(&format!("link set vrrp0 address {mac}"));
    for address in addresses {
        ip(&format!("address add {address} dev vrrp0"));
    }
    ip("link set vrrp0 up");
}

/// Both directions: FRR yields to us and takes over from us; we leave it alone when it is stronger, and take over when
/// it dies without a word.
fn both_roles((version, ipv6, vmac): (u8, bool, bool)) {
    let stage = Stage::new();
    let frr = Frr::start(stage.lan.host("b"), stage.directory(), version, ipv6);
    frr.enters("Master", 1);

    let instance = |priority| {
        let mut instance = Instance::new(priority).password(None).with(format!("version {version}"));
        if vmac {
            instance = instance.with("use_vmac");
        }
        if ipv6 { instance.addresses(&["fe80::100/64", "fd00:9::100/64"]) } else { instance }
    };
    let mut strong = stage.vrrpctl("a", instance(STRONG));
    strong.says("entering master state", 1);
    frr.enters("Backup", 2);
    let served = || {
        if vmac {
            clients_have_the_virtual_mac(&stage, ipv6);
        }
    };
    served();
    // Absence: longer than either would need to change its mind.
    never("FRR takes over beside a master", A_WHILE, || frr.log().matches("-> Master").count() > 1);
    strong.stop();
    frr.enters("Master", 2);
    served();
    drop(strong);

    let weak = stage.vrrpctl("a", instance(50));
    weak.is_backup();
    never("we take over beside a master", A_WHILE, || weak.said("entering master state"));
    let mut frr = frr;
    frr.vrrpd.kill().unwrap();
    weak.says("entering master state", 1);
    if vmac {
        // FRR leaves its interface with the address on it when it dies.
        stage.shell("b", "ip link delete vrrp0");
    }
    served();
    assert!(!weak.said("dropped"), "an advert of FRR was dropped");
}

/// Whoever is Master, a client that asks is answered from the virtual MAC address.
#[track_caller]
fn clients_have_the_virtual_mac(stage: &Stage, ipv6: bool) {
    let (address, mac) = if ipv6 { ("fd00:9::100", "00:00:5e:00:02:32") } else { ("10.9.0.100", "00:00:5e:00:01:32") };
    stage.client(address.parse::<IpAddr>().unwrap());
    let entry = stage.shell("client", &format!("ip neighbour show to {address} dev eth0"));
    assert!(entry.contains(mac), "{entry}");
}

#[test]
fn frr_and_we_elect_each_other() {
    let there = Path::new(FOLDER).join("vrrpd").exists();
    if !there {
        assert!(std::env::var_os("CI").is_none(), "CI must have FRR");
        eprintln!("skipped: FRR is not installed");
    }
    // Its user and its capabilities do not fit into a user namespace.
    if there && nix::unistd::geteuid().is_root() && lab::privileged(frr_and_we_elect_each_other) {
        let plain = [(2, false, false), (3, false, false), (3, true, false)];
        side_by_side(plain.into_iter().chain([(3, false, true), (3, true, true)]), both_roles);
    }
}
