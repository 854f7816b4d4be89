//! A service and its address: web servers that die, come back, or cannot, and what a client of the address notices.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use vrrp_cli::lab;

use crate::common::Kind::{Keepalived, Vrrpctl};
use crate::common::*;

/// How long a client waits for one connection.
const PATIENT: Duration = Duration::from_millis(300);

/// A web server on each host, each with its name on its only page.
struct Web {
    directory: PathBuf,
}

impl Web {
    fn new(stage: &Stage, host: &str) -> Self {
        let directory = stage.path(&format!("nginx-{host}"));
        fs::create_dir(&directory).unwrap();
        let web = Self { directory };
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind};\n", web.directory.display()))
            .concat();
        let text = format!(
            "user root;\nworker_processes 1;\npid {0}/pid;\nerror_log {0}/error.log;\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}server {{\nlisten 80;\nreturn 200 {host};\n}}\n}}\n",
            web.directory.display()
        );
        fs::write(web.directory.join("conf"), text).unwrap();
        web
    }

    /// Starts it, in the shell's words.
    fn start(&self) -> String {
        let directory = self.directory.display();
        format!("nginx -p {directory} -e {directory}/error.log -c {directory}/conf")
    }

    fn pid(&self) -> Option<i32> {
        fs::read_to_string(self.directory.join("pid")).ok()?.trim().parse().ok()
    }

    fn stop(&self) {
        use nix::sys::signal::{Signal, kill};
        if let Some(pid) = self.pid() {
            let _ = kill(nix::unistd::Pid::from_raw(pid), Signal::SIGTERM);
        }
    }

    /// The script that people write: a server that died is started again; where it cannot be, the daemon is stopped.
    fn script(&self, kind: Kind) -> String {
        // Of keepalived's two processes the one that runs scripts would be started again.
        let stop = match kind {
            Vrrpctl => "kill -TERM $PPID",
            Keepalived => "kill -TERM $(ps -o ppid= -p $PPID)",
        };
        format!(
            "alive() {{ kill -0 \"$(cat {pid})\" 2>/dev/null; }}\nalive && exit 0\n{start}\nsleep 0.3\n\
             alive || {{ echo the web server is gone; {stop}; }}",
            pid = self.directory.join("pid").display(),
            start = self.start()
        )
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Asks for the page as a client of the virtual address; the name on it.
fn page(stage: &Stage) -> Option<String> {
    let ask = || {
        let to = SocketAddr::from((VIP, 80));
        let mut stream = TcpStream::connect_timeout(&to, PATIENT).ok()?;
        stream.set_read_timeout(Some(PATIENT)).ok()?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        text.starts_with("HTTP/1.1 200").then(|| text.lines().last().unwrap_or_default().to_owned())
    };
    stage.lan.host("client").namespace().run(ask).unwrap()
}

/// A request of a client: when it was begun, how long it was tried until there was a page, and whose.
#[derive(Clone, Debug)]
struct Request {
    begun: Instant,
    took: Duration,
    of: String,
}

/// A few clients that ask for the page all the time, each again and again until it is served, while `happens` does, which
/// can ask how many requests were served so far.
fn while_clients_ask(stage: &Stage, happens: impl FnOnce(&dyn Fn() -> usize)) -> Vec<Request> {
    let (served, over) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let mut of = None;
                    // Who is never served ends with the test's patience, and is too late by then.
                    lab::wait_until(PATIENCE, || {
                        of = page(stage);
                        of.is_some()
                    });
                    let request = Request { begun, took: begun.elapsed(), of: of.unwrap_or_default() };
                    served.lock().unwrap().push(request);
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
        let end = SetAtEnd(&over);
        happens(&|| served.lock().unwrap().len());
        drop(end);
    });
    served.into_inner().unwrap()
}

/// The clients end also when an assertion fails beside them.
struct SetAtEnd<'f>(&'f AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Drill 2, with Debian's nginx.
fn the_service_cannot_start((first, second): scenes::Makes) {
    let stage = Stage::new();
    let webs = ["a", "b"].map(|host| Web::new(&stage, host));
    let [mut a, b] =
        [("a", first, STRONG, &webs[0]), ("b", second, WEAK, &webs[1])].map(|(host, kind, priority, web)| {
            let check = stage.script(&format!("{host}-check"), &web.script(kind));
            let block = format!(
                "vrrp_script chk {{\n    script {check}\n    interval 1\n    timeout 10\n    weight -5\n    user root\n}}\n"
            );
            let instance = Instance::new(priority).with("track_script {\n        chk\n    }");
            let daemon = stage.start_tracking(kind, host, &block, &[instance]);
            daemon.is_backup();
            daemon
        });
    stage.held_by("a", VIP);
    let served_by = |host: &str| eventually(&format!("the page of {host}"), || page(&stage).as_deref() == Some(host));
    served_by("a");
    served_by("a");

    let watch = stage.watch(VIP);
    let mut stopped = Instant::now();
    let mut taken = None;
    let requests = while_clients_ask(&stage, |served| {
        // Killed, and started again by the script: nothing moves.
        let pid = webs[0].pid().unwrap();
        webs[0].stop();
        eventually("another server runs", || webs[0].pid().is_some_and(|other| other != pid));
        served_by("a");
        assert_eq!(watch.moves(), []);

        // Its port is taken by another program: the script stops the daemon.
        eventually("the port is taken", || {
            webs[0].stop();
            let bind = || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).ok();
            taken = stage.lan.host("a").namespace().run(bind).unwrap();
            taken.is_some()
        });
        a.says(if first == Vrrpctl { "stopping on SIGTERM" } else { "stopped" }, 1);
        stopped = Instant::now();
        served_by("b");
        let before = served();
        eventually("the clients go on", || served() > before + 100);
    });
    // What the address is for: whoever asks from the stop on is served within the time that a planned stop may take.
    let later: Vec<_> = requests.iter().filter(|one| one.begun >= stopped).collect();
    assert!(later.len() > 50 && later.iter().all(|one| one.of == "b"), "{later:#?}");
    let longest = |of: &[&Request]| of.iter().map(|one| one.took).max().unwrap();
    // With its addresses gone at once: Linux believes no other MAC address for a second after an ordinary answer, and the
    // announcement that comes behind that second is sent 1.1 s after the takeover.
    let relearnt = if first == Keepalived { Duration::from_millis(1100) + PATIENT } else { Duration::ZERO };
    between("a request from the stop on", longest(&later), Duration::ZERO, skew(WEAK) + relearnt + SLACK);
    // Before, the script needs its interval and its own time to see what is wrong.
    let all: Vec<_> = requests.iter().collect();
    assert!(all.iter().any(|one| one.of == "a") && all.iter().all(|one| !one.of.is_empty()), "{all:#?}");
    between(
        "any request",
        longest(&all),
        Duration::ZERO,
        Duration::from_millis(1300) + skew(WEAK) + relearnt + 2 * SLACK,
    );

    let status = a.process.wait(PATIENCE);
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    stage.held_by("b", VIP);
    assert_eq!(b.count("entering master state"), 1);
}

#[test]
fn a_web_server_that_cannot_start_moves_the_address() {
    if !lab::privileged(a_web_server_that_cannot_start_moves_the_address) || tool("nginx").is_none() {
        return;
    }
    let makes = [(Vrrpctl, Vrrpctl), (Vrrpctl, Keepalived), (Keepalived, Vrrpctl)];
    let there = tool("keepalived").is_some();
    let makes = makes.into_iter().filter(|makes| there || *makes == (Vrrpctl, Vrrpctl));
    side_by_side(makes, the_service_cannot_start);
}
