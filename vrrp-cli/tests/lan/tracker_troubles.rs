//! Trackers that misbehave: the election does not notice.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use vrrp_cli::lab;

use crate::common::meter::Meter;
use crate::common::*;

/// An advert each 100 ms, which only version 3 can say.
const INTERVAL: Duration = Duration::from_millis(100);
/// Half an interval late is a fault; the rest is what a busy machine may add.
const LONGEST_GAP: Duration = Duration::from_millis(150 + 130);

struct Scene {
    stage: Stage,
}

impl Scene {
    fn new() -> Self {
        let stage = Stage::new();
        fs::set_permissions(stage.directory(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { stage }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.stage.directory().join(name)
    }

    fn script(&self, name: &str, body: &str) -> String {
        let file = self.stage.file(name, &format!("#!/bin/sh\n{body}\n"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file.to_str().unwrap().to_owned()
    }

    fn start(&self, host: &str, blocks: &str, instance: &Instance) -> Daemon {
        let file = self.stage.file(&format!("{host}.conf"), &format!("{blocks}\n{instance}"));
        Daemon::start(Kind::Vrrpctl, self.stage.lan.host(host), &file)
    }
}

fn quick(priority: u8) -> Instance {
    Instance::new(priority).password(None).with("version 3").with("advert_int 0.1")
}

fn script(name: &str, command: &str, settings: &str) -> String {
    format!("vrrp_script {name} {{\n    script \"{command}\"\n    user root\n    {settings}\n}}\n")
}

fn tracking(instance: Instance, names: &[String]) -> Instance {
    instance.with(format!("track_script {{\n        {}\n    }}", names.join("\n        ")))
}

/// Drill 10: one that hangs, one whose child holds its output open, one that prints 100 MB, one that is deleted, a file
/// that is a directory for a while, and 200 that run each second.
#[test]
fn troubles_of_all_kinds_leave_the_adverts_alone() {
    if !lab::privileged(troubles_of_all_kinds_leave_the_adverts_alone) {
        return;
    }
    let scene = Scene::new();
    let stage = &scene.stage;
    let hang = scene.script("hang", "trap '' TERM; sleep 600; sleep 600");
    let fork = scene.script("fork", "(while :; do sleep 0.2; echo still here; done) & exit 0");
    let loud = scene.script("loud", "head -c 100000000 /dev/zero | tr '\\0' 'x'; echo; echo loud enough");
    let gone = scene.script("gone", "exit 0");
    let value = scene.path("value");
    let mut blocks = [
        script("hang", &hang, "interval 1\n    timeout 0.3\n    weight 1"),
        script("fork", &fork, "interval 1\n    weight 1"),
        script("loud", &loud, "interval 1\n    timeout 60\n    weight 1"),
        script("gone", &gone, "interval 0.3\n    weight 1"),
        format!("track_file value {{\n    file {}\n}}\n", value.display()),
    ]
    .concat();
    let mut names = ["hang", "fork", "loud", "gone"].map(str::to_owned).to_vec();
    for number in 0..200 {
        blocks.push_str(&script(&format!("s{number}"), "/bin/true", "interval 1\n    weight 1"));
        names.push(format!("s{number}"));
    }
    let instance = tracking(quick(40), &names).with("track_file {\n        value\n    }");
    let mut a = scene.start("a", &blocks, &instance);
    a.is_backup();
    stage.held_by("a", VIP);
    // Their Skew_Times differ by 8 ms only: which one is the first master would be left to the machine.
    let b = scene.start("b", "", &quick(20));
    b.is_backup();
    a.says("`s199` is well", 1);
    a.says("`loud` is well: ended with status 0", 1);
    assert!(a.said("| loud enough\""), "{}", a.log());

    let meter = Meter::start(stage.lan.host("client"));
    let began = Instant::now();
    fs::remove_file(&gone).unwrap();
    a.says("`gone` failed: ", 1);
    a.says("`hang` failed: it takes longer than 300ms", 1);
    fs::create_dir(&value).unwrap();
    a.says("is not a regular file: it counts as 0", 1);
    fs::remove_dir(&value).unwrap();
    fs::write(&value, "-3").unwrap();
    a.says("`value` is -3 now", 1);
    let enough = || meter.gaps(began).len() >= 100;
    eventually("a hundred adverts", enough);
    let mut gaps = meter.gaps(began);
    gaps.sort_unstable();
    let (median, longest) = (gaps[gaps.len() / 2], gaps[gaps.len() - 1]);
    eprintln!("between adverts: median {median:?}, longest {longest:?} of {}", gaps.len());
    between("the longest time between two adverts", longest, INTERVAL, LONGEST_GAP);
    assert!(!b.said("entering master state"), "nobody took over");
    assert_eq!(a.count("`fork` "), 1, "one line for a change, none for a run");

    let rss = fs::read_to_string(format!("/proc/{}/status", a.process.id())).unwrap();
    let peak = rss.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    eprintln!("peak of memory: {peak} kB");
    assert!(peak < 64 * 1024, "{peak} kB");
    let took = a.stop();
    between("a stop with scripts that hang", took, Duration::ZERO, Duration::from_secs(8));
    stage.held_by("b", VIP);
}

/// A script that stops the daemon which runs it, and waits until it has.
#[test]
fn a_script_may_stop_the_daemon_that_runs_it() {
    if !lab::privileged(a_script_may_stop_the_daemon_that_runs_it) {
        return;
    }
    let scene = Scene::new();
    let go = scene.path("go");
    let body = format!("[ -e {} ] || exit 0\nkill -TERM $PPID\nwhile kill -0 $PPID; do sleep 0.05; done", go.display());
    let stop = scene.script("stop", &body);
    let block = script("chk", &stop, "interval 0.2\n    timeout 30");
    let mut a = scene.start("a", &block, &tracking(Instance::new(STRONG), &["chk".to_owned()]));
    a.is_backup();
    let b = scene.stage.vrrpctl("b", Instance::new(WEAK));
    b.is_backup();
    scene.stage.held_by("a", VIP);
    fs::write(&go, "").unwrap();
    let status = a.process.wait(Duration::from_secs(15));
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    scene.stage.held_by("b", VIP);
}

/// What cannot work is refused at its place, before anything happens.
#[test]
fn what_cannot_work_is_refused() {
    if !lab::privileged(what_cannot_work_is_refused) {
        return;
    }
    let scene = Scene::new();
    let plain = scene.stage.file("plain", "");
    let refuses = |blocks: &str, tracks: &str, error: &str, place: &str| {
        let file = scene.stage.file("bad.conf", &format!("{blocks}\n{}", Instance::new(STRONG).with(tracks)));
        let mut command = Command::new(env!("CARGO_BIN_EXE_vrrpctl"));
        command.arg("run").arg("-f").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = scene.stage.lan.host("a").spawn(&mut command).unwrap();
        let status = process.wait(PATIENCE);
        let mut said = String::new();
        process.child().stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(status.and_then(|status| status.code()), Some(2), "{said}");
        assert_eq!(said.lines().filter(|line| line.starts_with("error")).count(), 1, "{said}");
        assert!(said.contains(error) && said.contains(&format!("bad.conf:{place}")), "{said}");
        assert!(said.contains("help: "), "{said}");
    };
    let chk = "track_script {\n        chk\n    }";
    let with = |line: &str| format!("vrrp_script chk {{\n    {line}\n}}");
    refuses(&with("script /no/such/script"), chk, "error[E062]: `/no/such/script` does not exist", "2:12");
    let not_executable = format!("error[E062]: `{}` is not executable", plain.display());
    refuses(&with(&format!("script {}", plain.display())), chk, &not_executable, "2:12");
    refuses(&with("script /bin/true\n    user no_such_user"), chk, "error[E061]: user `no_such_user` does not", "2:12");
    refuses(&with("script \"</dev/tcp/127.0.0.1/80\""), chk, "is a shell's redirection, not a program", "2:12");
    refuses("", chk, "error[E058]: no `vrrp_script` has the name `chk`", "");
    let directory = format!("track_file f {{\n    file {}\n}}", scene.stage.directory().display());
    refuses(&directory, "track_file {\n        f\n    }", "cannot be tracked: it is a directory", "1:12");
    let proc_file = "track_file f {\n    file /proc/loadavg\n}";
    refuses(proc_file, "track_file {\n        f\n    }", "error[E069]", "1:12");
    let quorum = "vrrp_track_process p {\n    process x\n    quorum 3\n    quorum_max 2\n}";
    refuses(quorum, "track_process {\n        p\n    }", "no number of processes is at least 3 and at most 2", "1:20");
}

/// A web server on each host, each with its name on its only page.
struct Web {
    directory: PathBuf,
}

impl Web {
    fn new(scene: &Scene, host: &str) -> Self {
        let directory = scene.path(&format!("nginx-{host}"));
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
    fn script(&self) -> String {
        format!(
            "alive() {{ kill -0 \"$(cat {pid})\" 2>/dev/null; }}\nalive && exit 0\n{start}\nsleep 0.3\n\
             alive || {{ echo the web server is gone; kill -TERM $PPID; }}",
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
        let mut stream = TcpStream::connect_timeout(&to, Duration::from_millis(300)).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(300))).ok()?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        text.starts_with("HTTP/1.1 200").then(|| text.lines().last().unwrap_or_default().to_owned())
    };
    stage.lan.host("client").namespace().run(ask).unwrap()
}

/// Drill 2, with Debian's nginx.
#[test]
fn a_web_server_that_cannot_start_moves_the_address() {
    if !lab::privileged(a_web_server_that_cannot_start_moves_the_address) || tool("nginx").is_none() {
        return;
    }
    let scene = Scene::new();
    let stage = &scene.stage;
    let webs = ["a", "b"].map(|host| Web::new(&scene, host));
    let [mut a, b] = [("a", STRONG, &webs[0]), ("b", WEAK, &webs[1])].map(|(host, priority, web)| {
        let script_file = scene.script(&format!("{host}-check"), &web.script());
        let block = script("chk", &script_file, "interval 1\n    timeout 10\n    weight -5");
        let daemon = scene.start(host, &block, &tracking(Instance::new(priority), &["chk".to_owned()]));
        daemon.is_backup();
        daemon
    });
    stage.held_by("a", VIP);
    eventually("the page of a", || page(stage).as_deref() == Some("a"));

    // Killed, and started again by the script: nothing moves.
    let watch = stage.watch(VIP);
    let first = webs[0].pid().unwrap();
    webs[0].stop();
    eventually("another server runs", || webs[0].pid().is_some_and(|pid| pid != first));
    eventually("the page of a again", || page(stage).as_deref() == Some("a"));
    assert_eq!(watch.moves(), []);

    // Its port is taken by another program: the script stops the daemon.
    let mut taken = None;
    eventually("the port is taken", || {
        webs[0].stop();
        let bind = || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).ok();
        taken = stage.lan.host("a").namespace().run(bind).unwrap();
        taken.is_some()
    });
    a.says("stopping on SIGTERM", 1);
    let asked = Instant::now();
    eventually("the page of b", || page(stage).as_deref() == Some("b"));
    between("from the stop to the first page", asked.elapsed(), Duration::ZERO, skew(WEAK) + SLACK);
    for number in 0..50 {
        assert_eq!(page(stage).as_deref(), Some("b"), "request {number}");
    }
    let status = a.process.wait(PATIENCE);
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    stage.held_by("b", VIP);
    assert_eq!(b.count("entering master state"), 1);
}
