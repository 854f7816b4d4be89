//! A LAN with a client and routers, and the files of their daemons.
//!
//! Knows the kernel's view: who holds an address, which MAC a client knows. Nothing of VRRP.

use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use vrrp_cli::lab::{Holders, Host, Lan, Prober};
use vrrp_netlink::addresses::Address;
use vrrp_netlink::rtnl::Rtnl;

use super::{Daemon, Instance, Kind, STRONG, VIP, WEAK, eventually, ip, scenes};

/// Hosts `client`, `a` (10.9.0.2) and `b` (10.9.0.3), and a directory for their files.
pub(crate) struct Stage {
    pub(crate) lan: Lan,
    directory: TempDir,
    files: AtomicUsize,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with_networks(1)
    }

    pub(crate) fn with_networks(networks: usize) -> Self {
        Self::on(Lan::with_networks(&["client", "a", "b"], networks).expect("a LAN"))
    }

    /// With a second client, `other`.
    pub(crate) fn with_two_clients() -> Self {
        Self::on(Lan::new(&["client", "a", "b", "other"]).expect("a LAN"))
    }

    fn on(lan: Lan) -> Self {
        let directory = TempDir::new().expect("a directory");
        Self { lan, directory, files: AtomicUsize::new(0) }
    }

    /// Starts a daemon with these instances.
    pub(crate) fn start(&self, kind: Kind, host: &str, instances: &[Instance]) -> Daemon {
        self.start_with(kind, host, instances, "")
    }

    /// The same, with more blocks behind the instances.
    pub(crate) fn start_with(&self, kind: Kind, host: &str, instances: &[Instance], blocks: &str) -> Daemon {
        self.start_text(kind, host, &(written(instances) + blocks))
    }

    /// The same, with blocks before the instances, where keepalived wants trackers.
    pub(crate) fn start_tracking(&self, kind: Kind, host: &str, blocks: &str, instances: &[Instance]) -> Daemon {
        self.start_text(kind, host, &(blocks.to_owned() + &written(instances)))
    }

    fn start_text(&self, kind: Kind, host: &str, text: &str) -> Daemon {
        let text = format!("global_defs {{\n    router_id {host}\n}}\n\n{text}");
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let file = self.file(&format!("{host}-{number}.conf"), &text);
        Daemon::start(kind, self.lan.host(host), &file)
    }

    /// Starts `vrrpctl` with one instance.
    pub(crate) fn vrrpctl(&self, host: &str, instance: Instance) -> Daemon {
        self.start(Kind::Vrrpctl, host, &[instance])
    }

    /// Starts `vrrpctl` without a guardian: nobody acts for it when it is stopped, or removes what it leaves when it is killed.
    pub(crate) fn unguarded(&self, host: &str, name: &str, text: &str) -> Daemon {
        let file = self.file(&format!("{name}.conf"), text);
        let mut command = Command::new(env!("CARGO_BIN_EXE_vrrpctl"));
        command.args(["run", "--no-guardian", "-f"]).arg(&file);
        Daemon::run(command, self.lan.host(host), &file)
    }

    /// Starts these routers, the stronger one on `a` and the weaker one on `b`, and waits until the first has `address` and the
    /// other listens.
    #[track_caller]
    pub(crate) fn pair(
        &self,
        (strong, weak): scenes::Makes,
        [of_a, of_b]: [Instance; 2],
        address: impl Into<IpAddr>,
    ) -> (Daemon, Daemon) {
        let a = self.start(strong, "a", &[of_a]);
        // On a busy machine a start may take longer than the difference of their Skew_Times.
        a.is_backup();
        let b = self.start(weak, "b", &[of_b]);
        b.is_backup();
        self.held_by("a", address);
        (a, b)
    }

    /// The same of two `vrrpctl` with [`VIP`].
    #[track_caller]
    pub(crate) fn two(&self) -> (Daemon, Daemon) {
        self.pair((Kind::Vrrpctl, Kind::Vrrpctl), [STRONG, WEAK].map(Instance::new), VIP)
    }

    /// The directory of this stage's files.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A new file.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.directory().join(name);
        fs::write(&file, text).expect("a file");
        file
    }

    /// A new executable script of the shell; its path. Other users can run it as well.
    pub(crate) fn script(&self, name: &str, body: &str) -> String {
        self.open_to_all();
        let file = self.file(name, &format!("#!/bin/sh\n{body}\n"));
        fs::set_permissions(&file, Permissions::from_mode(0o755)).expect("an executable file");
        file.to_str().expect("a path in words").to_owned()
    }

    /// Lets every user read and make files here: scripts need not run as root.
    pub(crate) fn open_to_all(&self) {
        fs::set_permissions(self.directory(), Permissions::from_mode(0o777)).expect("a directory of ours");
    }

    /// A path for a file that is still to be made.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    /// The hosts that have `address`.
    pub(crate) fn holders_of(&self, address: impl Into<IpAddr>) -> Vec<&str> {
        let address = address.into();
        let names = self.lan.hosts().iter().map(Host::name);
        names.filter(|name| self.lan.holds(name, address)).collect()
    }

    /// Waits until `host` and nobody else has `address`.
    #[track_caller]
    pub(crate) fn held_by(&self, host: &str, address: impl Into<IpAddr>) {
        let address = address.into();
        eventually(&format!("{host} alone has {address}"), || self.holders_of(address) == [host]);
    }

    /// Waits until nobody has `address`.
    #[track_caller]
    pub(crate) fn held_by_nobody(&self, address: impl Into<IpAddr>) {
        let address = address.into();
        eventually(&format!("nobody has {address}"), || self.holders_of(address).is_empty());
    }

    /// Watches who has `address`.
    pub(crate) fn watch(&self, address: impl Into<IpAddr>) -> Holders {
        Holders::watch(self.lan.hosts(), ip(address)).expect("a watch")
    }

    /// A client that is answered by `address`.
    #[track_caller]
    pub(crate) fn client(&self, address: impl Into<IpAddr>) -> Prober {
        let address = address.into();
        let every = Duration::from_millis(2);
        let prober = Prober::start(self.lan.host("client"), address, every).expect("a prober");
        eventually(&format!("{address} answers"), || prober.last_reply().is_some());
        prober
    }

    /// Ethernet address of `eth0` of `host`, as `/proc/net/arp` writes it.
    pub(crate) fn mac(&self, host: &str) -> String {
        self.mac_octets(host).map(|octet| format!("{octet:02x}")).join(":")
    }

    /// The same as octets.
    pub(crate) fn mac_octets(&self, host: &str) -> [u8; 6] {
        let link = self.rtnl(host, |rtnl| rtnl.link("eth0")).expect("eth0");
        link.mac.expect("an Ethernet address")
    }

    /// The Ethernet address that the client sends to for `address`.
    pub(crate) fn neighbour(&self, address: Ipv4Addr) -> Option<String> {
        self.neighbour_of("client", address)
    }

    /// The Ethernet address that `host` sends to for `address`.
    pub(crate) fn neighbour_of(&self, host: &str, address: Ipv4Addr) -> Option<String> {
        let read = || fs::read_to_string("/proc/thread-self/net/arp").expect("the table of neighbours");
        let table = self.lan.host(host).namespace().run(read).expect("the namespace");
        let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        rows.filter(|row| row.first() == Some(&&*address.to_string())).find_map(|row| Some((*row.get(3)?).to_owned()))
    }

    /// Gives `host` an address on `eth0`, as a crashed daemon would leave it.
    pub(crate) fn leave(&self, host: &str, address: impl Into<IpAddr>, prefix_len: u8) {
        self.leave_on(host, "eth0", address, prefix_len);
    }

    /// The same on another interface.
    pub(crate) fn leave_on(&self, host: &str, interface: &str, address: impl Into<IpAddr>, prefix_len: u8) {
        let address = address.into();
        self.rtnl(host, |rtnl| {
            let index = rtnl.link(interface)?.expect("the interface").index;
            let mut all = rtnl.add_addresses(&[Address::new(index, address, prefix_len)]);
            all.pop().expect("one result").map(|_| ())
        });
    }

    /// What a shell on `host` prints; it must succeed.
    #[track_caller]
    pub(crate) fn shell(&self, host: &str, script: &str) -> String {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).stdin(Stdio::null());
        let output = self.lan.host(host).namespace().command(&mut command).expect("the namespace").output();
        let output = output.expect("a shell");
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Switches `eth0` of `host` on or off, as `ip link set` does.
    pub(crate) fn set_up(&self, host: &str, up: bool) {
        self.rtnl(host, |rtnl| {
            let index = rtnl.link("eth0")?.expect("eth0").index;
            rtnl.set_up(index, up)
        });
    }

    fn rtnl<T: Send>(&self, host: &str, work: impl FnOnce(&mut Rtnl) -> vrrp_netlink::Result<T> + Send) -> T {
        let run = || work(&mut Rtnl::open()?);
        self.lan.host(host).namespace().run(run).expect("the namespace").expect("the kernel does it")
    }
}

fn written(instances: &[Instance]) -> String {
    instances.iter().map(Instance::to_string).collect()
}
