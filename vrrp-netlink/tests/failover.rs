//! The example of a whole service really works: on two hosts with a cable between them it has the address, hands it over to
//! its peer, takes it back, and is replaced when it dies. Its peer is itself, and keepalived where that is installed.
//!
//! This program plays the service, too, and so has no harness.

use std::io::{self, Write};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use vrrp_netlink::addresses::Address;
use vrrp_netlink::namespace::{self, Namespace};
use vrrp_netlink::process::die_with_parent;
use vrrp_netlink::rtnl::Rtnl;

#[path = "../examples/failover.rs"]
mod service;

const ROLE: &str = "VRRP_NETLINK_TEST_SERVICE";
const VIP: &str = "10.9.0.100";
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    if env::var_os(ROLE).is_some() {
        return match service::main() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => panic!("{error}"),
        };
    }
    assert!(include_str!("../examples/failover.rs").lines().count() <= 60, "a whole service is 60 lines at most");
    let root = nix::unistd::geteuid().is_root();
    let allowed = root || namespace::enter_user_namespace().is_ok();
    let ci = env::var_os("CI").is_some_and(|value| value == "true");
    if !allowed {
        assert!(!ci, "CI must allow user namespaces");
        report("skipped: needs root, or user namespaces for unprivileged users");
        return ExitCode::SUCCESS;
    }
    let keepalived = root && Command::new("keepalived").arg("-v").output().is_ok();
    if !keepalived {
        assert!(!ci, "CI needs keepalived, and root");
        report("skipped: the part with keepalived needs it, and root");
    }
    thread::scope(|scope| {
        scope.spawn(|| plays(&|host| host.service(100)));
        if keepalived {
            scope.spawn(|| plays(&|host| host.keepalived(100)));
        }
    });
    ExitCode::SUCCESS
}

/// The stronger one is the service, the weaker one what `peer` starts.
fn plays(peer: &dyn Fn(&Host) -> Running) {
    let (a, b) = Host::pair().expect("two hosts");
    let mut service = a.service(150);
    eventually("the stronger one has the address", || a.serves());
    let _peer = peer(&b);
    service.let_go();
    eventually("the weaker one has it", || !a.serves() && b.serves());
    let mut service = a.service(150);
    eventually("the stronger one takes it back", || a.serves() && !b.serves());
    service.0.kill().expect("it is killed");
    eventually("the weaker one replaces it", || b.serves());
}

struct Host {
    namespace: Namespace,
    directory: PathBuf,
}

/// A child that goes with this value.
struct Running(Child);

impl Host {
    /// 10.9.0.2 and 10.9.0.3, on one cable.
    fn pair() -> vrrp_netlink::Result<(Self, Self)> {
        let [a, b] = [2, 3].map(|number| -> vrrp_netlink::Result<Self> {
            let directory =
                PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{:?}-{number}", thread::current().id()));
            fs::create_dir_all(&directory).expect("a directory");
            Ok(Self { namespace: Namespace::create()?, directory })
        });
        let (a, b) = (a?, b?);
        a.namespace.run(|| Rtnl::open()?.create_veth("eth0", "eth0", b.namespace.as_fd()))??;
        for (host, number) in [(&a, 2), (&b, 3)] {
            host.namespace.run(|| -> vrrp_netlink::Result<()> {
                let mut rtnl = Rtnl::open()?;
                let index = rtnl.link("eth0")?.expect("it was made").index;
                let own = Address::new(index, [10, 9, 0, number].into(), 24);
                rtnl.add_addresses(&[own]).into_iter().try_for_each(|result| result.map(drop))?;
                rtnl.set_up(index, true)
            })??;
        }
        Ok((a, b))
    }

    fn service(&self, priority: u8) -> Running {
        let mut command = Command::new("/proc/self/exe");
        command.env(ROLE, "1").args(["eth0", "50", &priority.to_string(), VIP]).stdin(Stdio::piped());
        self.start(&mut command)
    }

    fn keepalived(&self, priority: u8) -> Running {
        let file = self.directory.join("keepalived.conf");
        let instance = format!(
            "vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 50\n priority {priority}\n \
             virtual_ipaddress {{\n {VIP}\n }}\n}}\n"
        );
        fs::write(&file, instance).expect("a file");
        let mut command = Command::new("keepalived");
        command.args(["--vrrp", "-n", "-l", "-f"]).arg(&file).stdin(Stdio::null());
        command.arg("-p").arg(self.directory.join("pid")).arg("-r").arg(self.directory.join("vrrp.pid"));
        self.start(&mut command)
    }

    fn start(&self, command: &mut Command) -> Running {
        let log = fs::File::create(self.directory.join("log")).expect("a file");
        command.stdout(log.try_clone().expect("a descriptor")).stderr(log);
        let inside = self.namespace.command(die_with_parent(command)).expect("the namespace");
        Running(inside.spawn().expect("it starts"))
    }

    fn serves(&self) -> bool {
        let vip: IpAddr = VIP.parse().expect("an address");
        let all = self.namespace.run(|| Rtnl::open()?.addresses()).expect("the namespace");
        all.is_ok_and(|all| all.iter().any(|one| one.address == vip))
    }
}

impl Running {
    /// The end of its standard input asks it to.
    fn let_go(&mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().is_ok_and(|status| status.success()), "it ends well");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if thread::panicking() {
            report(&fs::read_to_string(self.directory.join("log")).unwrap_or_default());
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // keepalived has a child of its own, which goes with it when it is asked.
        let pid = i32::try_from(self.0.id()).expect("a process number");
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGTERM);
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE && matches!(self.0.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(10));
        }
        let _ = (self.0.kill(), self.0.wait());
    }
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn report(line: &str) {
    // Nobody is left to be told when standard error is closed.
    let _ = writeln!(io::stderr(), "{line}");
}
