//! What the tests of this crate share: two hosts on one cable, in network namespaces that go when the test ends.

use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::namespace::Namespace;

/// Whether the test can run; where it cannot it is reported as skipped, which continuous integration does not accept.
pub(crate) fn have_root() -> bool {
    if nix::unistd::geteuid().is_root() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "needs root, which CI must give");
    println!("skipped: needs root");
    false
}

/// Runs `ip` with these words inside `namespace` and returns what it prints.
pub(crate) fn ip(namespace: &Namespace, words: &str) -> String {
    let mut command = Command::new("ip");
    let output = namespace.command(&mut command).unwrap().args(words.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// One end of a cable.
pub(crate) struct Host {
    pub(crate) namespace: Namespace,
    pub(crate) index: u32,
}

/// Two hosts on one cable: `near` is 192.0.2.1 and `far` 192.0.2.2 on /24, both on their interface "eth0".
pub(crate) struct Cable {
    pub(crate) near: Host,
    pub(crate) far: Host,
}

impl Cable {
    pub(crate) fn new() -> Self {
        let (near, far) = (Namespace::create().unwrap(), Namespace::create().unwrap());
        let far_path = format!("/proc/{}/fd/{}", std::process::id(), far.as_fd().as_raw_fd());
        ip(&near, &format!("link add eth0 type veth peer name eth0 netns {far_path}"));
        for (host, address) in [(&near, "192.0.2.1/24"), (&far, "192.0.2.2/24")] {
            ip(host, &format!("address add {address} dev eth0"));
            ip(host, "link set eth0 up");
        }
        let host = |namespace: Namespace| {
            // Until then the kernel silently drops what is sent.
            wait_for("the link", || ip(&namespace, "link show dev eth0").contains("state UP"));
            let index = namespace.run(|| nix::net::if_::if_nametoindex("eth0")).unwrap().unwrap();
            Host { namespace, index }
        };
        Self { near: host(near), far: host(far) }
    }
}

/// Asks for a condition until it holds; fails the test after 10 s.
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "no sign of {what} within 10 s");
        std::thread::yield_now();
    }
}
