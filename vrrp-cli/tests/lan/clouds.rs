//! The example for clouds, as it stands in the documentation: hosts to which neither multicast nor announcements come, a router
//! whose table alone says who has the address, and the provider's API that changes it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use vrrp_cli::lab::{self, Host, Lan, Prober};
use vrrp_netlink::process::wait_readable;
use vrrp_netlink::routes::{NextHop, Route};
use vrrp_netlink::rtnl::Rtnl;

use crate::common::*;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 10);

/// Answers `PUT /v1/addresses/198.51.100.10` with a token and a target, and is busy the first time.
struct Provider {
    stop: Arc<AtomicBool>,
    /// Who got the address, in order.
    granted: Arc<Mutex<Vec<IpAddr>>>,
    thread: Option<JoinHandle<()>>,
}

impl Provider {
    fn start(host: &Host) -> Self {
        let open = || (TcpListener::bind((host.address(0), 80)).unwrap(), Rtnl::open().unwrap());
        let (listener, mut rtnl) = host.namespace().run(open).unwrap();
        let (stop, granted) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (stopped, list) = (Arc::clone(&stop), Arc::clone(&granted));
        let serve = move || {
            let (mut busy, mut route) = (true, None);
            while !stopped.load(Ordering::Relaxed) {
                if wait_readable(&listener, Some(Duration::from_millis(50))).unwrap() {
                    let (mut connection, _) = listener.accept().unwrap();
                    let target = asked(&connection).filter(|_| !std::mem::take(&mut busy));
                    if let Some(target) = target {
                        move_to(&mut rtnl, &mut route, target);
                        list.lock().unwrap().push(target);
                    }
                    let status = if target.is_some() { "200 OK" } else { "503 Service Unavailable" };
                    let _ = write!(connection, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                }
            }
        };
        Self { stop, granted, thread: Some(thread::spawn(serve)) }
    }

    /// Whom the provider sends what is for the address to.
    fn sends_to(&self) -> Option<IpAddr> {
        self.granted.lock().unwrap().last().copied()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The target of a request that is as the documentation says.
fn asked(connection: &TcpStream) -> Option<IpAddr> {
    let mut reader = BufReader::new(connection);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let (first, headers) = head.split_first()?;
    let header = |name: &str| headers.iter().find_map(|line| line.strip_prefix(name));
    assert_eq!(
        (first.as_str(), header("Authorization: Bearer ")),
        ("PUT /v1/addresses/198.51.100.10 HTTP/1.1", Some("secret"))
    );
    let mut body = vec![0; header("Content-Length: ")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let body: serde_json::Value = serde_json::from_slice(&body).ok()?;
    body["target"].as_str()?.parse().ok()
}

fn move_to(rtnl: &mut Rtnl, route: &mut Option<Route>, target: IpAddr) {
    if let Some(old) = route.take() {
        rtnl.remove_routes(&[old]).remove(0).unwrap();
    }
    let mut new = Route::new(ADDRESS.into(), 32);
    new.next_hops.push(NextHop { gateway: Some(target), ..NextHop::default() });
    rtnl.add_routes(&[new.clone()]).remove(0).unwrap();
    *route = Some(new);
}

fn shell(host: &Host, script: &str) {
    let mut command = Command::new("sh");
    command.args(["-ec", script]).stdin(Stdio::null());
    let output = host.namespace().command(&mut command).unwrap().output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// `a` and `b` on one network with the provider's router, and the client behind it.
fn cloud() -> Lan {
    let lan = Lan::with_networks(&["provider", "client", "a", "b"], 2).unwrap();
    let gateway = |network| lan.host("provider").address(network);
    let dropped = format!(
        "nft add table netdev cloud
         nft 'add chain netdev cloud in {{ type filter hook ingress device eth0 priority 0; }}'
         nft add rule netdev cloud in ip daddr 224.0.0.0/4 drop
         nft add rule netdev cloud in arp saddr ip {ADDRESS} drop"
    );
    shell(lan.host("provider"), &format!("echo 1 > /proc/sys/net/ipv4/ip_forward\n{dropped}"));
    shell(lan.host("client"), &format!("ip link set eth0 down; ip route add default via {}", gateway(1)));
    for name in ["a", "b"] {
        let way = format!("ip link set eth1 down; ip route add default via {}", gateway(0));
        shell(lan.host(name), &format!("{way}\n{dropped}"));
    }
    lan
}

/// An example file with this network's addresses, beside the files that it names.
fn adapted(lan: &Lan, directory: &Path, name: &str) -> std::path::PathBuf {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/cloud").join(name);
    let mut text = fs::read_to_string(example).unwrap();
    for (from, to) in [
        ("10.0.0.11", lan.host("a").address(0).to_string()),
        ("10.0.0.12", lan.host("b").address(0).to_string()),
        ("http://169.254.169.254", format!("http://{}", lan.host("provider").address(0))),
        ("/etc/vrrp", directory.display().to_string()),
    ] {
        text = text.replace(from, &to);
    }
    let file = directory.join(name);
    fs::write(&file, text).unwrap();
    file
}

#[test]
fn an_address_moves_in_a_cloud() {
    if ["nft", "curl", "ip"].iter().any(|name| tool(name).is_none()) || !lab::privileged(an_address_moves_in_a_cloud) {
        return;
    }
    let lan = cloud();
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("token"), "secret\n").unwrap();
    let script = adapted(&lan, directory.path(), "move-address.sh");
    fs::set_permissions(script, fs::Permissions::from_mode(0o700)).unwrap();
    let provider = Provider::start(lan.host("provider"));
    let start = |host, name| Daemon::start(Kind::Vrrpctl, lan.host(host), &adapted(&lan, directory.path(), name));
    let of = |host: &str| Some(IpAddr::from(lan.host(host).address(0)));
    let prober = Prober::start(lan.host("client"), ADDRESS, Duration::from_millis(20)).unwrap();
    let served_by = |host: &str| {
        eventually(&format!("the provider sends to {host}"), || provider.sends_to() == of(host));
        let moved = std::time::Instant::now();
        eventually(&format!("the client is answered by {host}"), || prober.replies(moved) > 5);
        assert!(lan.holds(host, ADDRESS.into()));
    };
    let mut a = start("a", "lb01.conf");
    a.is_backup();
    let b = start("b", "lb02.conf");
    served_by("a");
    assert!(!b.said("entering master state"), "it hears the other one");

    lan.mute("a", 0).unwrap();
    b.says("entering master state", 1);
    served_by("b");

    // It was master all the time, and tells the provider again.
    lan.unmute("a", 0).unwrap();
    b.says("entering backup state", 2);
    served_by("a");
    assert_eq!(a.count("entering master state"), 1);

    a.stop();
    served_by("b");
}
