//! Trackers that misbehave: the election does not notice.

use std::fs;
use std::io::Read;
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
struct Troubles {
    blocks: String,
    names: Vec<String>,
    gone: String,
    value: PathBuf,
    quick: Duration,
}

impl Troubles {
    /// Those of a host, with `count` scripts that go well; each of all has this weight. What is quick is done so often,
    /// in whole seconds for keepalived; the loud one begins each `loud_each` seconds.
    fn new(stage: &Stage, host: &str, count: usize, weight: i32, (quick, loud_each): (Duration, u32)) -> Self {
        let file = |name: &str, body: &str| stage.script(&format!("{name}-{host}"), body);
        // Both end by themselves with the stage's folder: keepalived leaves them behind, with their output in /dev/null.
        let hang = file("hang", "trap '' TERM; while [ -e \"$0\" ]; do sleep 1; done");
        let fork = file("fork", "(while [ -e \"$0\" ]; do sleep 0.2; echo still here; done) & exit 0");
        let loud = file("loud", "head -c 100000000 /dev/zero | tr '\\0' 'x'; echo; echo loud enough");
        let gone = file("gone", "exit 0");
        let value = stage.path(&format!("value-{host}"));
        let (weight, seconds) = (format!("weight {weight}"), quick.as_secs_f64());
        let mut blocks = [
            script("hang", &hang, &format!("interval 1\n    timeout {seconds}\n    {weight}")),
            script("fork", &fork, &format!("interval 1\n    {weight}")),
            script("loud", &loud, &format!("interval {loud_each}\n    timeout 60\n    {weight}")),
            script("gone", &gone, &format!("interval {seconds}\n    {weight}")),
            format!("track_file value {{\n    file {}\n}}\n", value.display()),
        ]
        .concat();
        let mut names = ["hang", "fork", "loud", "gone"].map(str::to_owned).to_vec();
        for number in 0..count {
            blocks.push_str(&script(&format!("s{number}"), "/bin/true", &format!("interval 1\n    {weight}")));
            names.push(format!("s{number}"));
        }
        Self { blocks, names, gone, value, quick }
    }

    fn start(&self, stage: &Stage, kind: Kind, host: &str, instance: Instance) -> Daemon {
        let instance = tracking(instance, &self.names).with("track_file {\n        value\n    }");
        stage.start_tracking(kind, host, &self.blocks, &[instance])
    }

    /// Has the rest of it happen, to a daemon that runs with it.
    fn happen(&self, daemon: &Daemon, kind: Kind) {
        fs::remove_file(&self.gone).unwrap();
        fs::create_dir(&self.value).unwrap();
        if kind == Kind::Vrrpctl {
            daemon.says("`gone` failed: ", 1);
            daemon.says(&format!("`hang` failed: it takes longer than {:?}", self.quick), 1);
            daemon.says("is not a regular file: it counts as 0", 1);
        }
        fs::remove_dir(&self.value).unwrap();
        fs::write(&self.value, "-3").unwrap();
        if kind == Kind::Vrrpctl {
            daemon.says("`value` is -3 now", 1);
        }
    }
}

/// Waits for a hundred adverts of the one master, none of which may be late.
fn a_hundred_adverts(meter: &Meter, since: Instant) {
    eventually("a hundred adverts", || meter.gaps(since).len() >= 100);
    let mut gaps = meter.gaps(since);
    gaps.sort_unstable();
    let (median, longest) = (gaps[gaps.len() / 2], gaps[gaps.len() - 1]);
    eprintln!("between adverts: median {median:?}, longest {longest:?} of {}", gaps.len());
    between("the longest time between two adverts", longest, INTERVAL, LONGEST_GAP);
}

#[test]
fn troubles_of_all_kinds_leave_the_adverts_alone() {
    if !lab::privileged(troubles_of_all_kinds_leave_the_adverts_alone) {
        return;
    }
    let stage = Stage::new();
    let troubles = Troubles::new(&stage, "a", 200, 1, (Duration::from_millis(300), 1));
    let mut a = troubles.start(&stage, Kind::Vrrpctl, "a", quick(40));
    a.is_backup();
    stage.held_by("a", VIP);
    // Their Skew_Times differ by 8 ms only: which one is the first master would be left to the machine.
    let b = stage.vrrpctl("b", quick(20));
    b.is_backup();
    a.says("`s199` is well", 1);
    a.says("`loud` is well: ended with status 0", 1);
    assert!(a.said("| loud enough\""), "{}", a.log());

    let meter = Meter::start(stage.lan.host("client"));
    let began = Instant::now();
    troubles.happen(&a, Kind::Vrrpctl);
    a_hundred_adverts(&meter, began);
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

/// Beside keepalived, which has the same troubles: we are the master, and the backup.
#[test]
fn troubles_on_both_hosts_move_nothing_beside_keepalived() {
    if !lab::privileged(troubles_on_both_hosts_move_nothing_beside_keepalived) || tool("keepalived").is_none() {
        return;
    }
    let (ours, theirs) = (Kind::Vrrpctl, Kind::Keepalived);
    side_by_side([(ours, theirs), (theirs, ours)], |(strong, weak)| {
        let stage = Stage::new();
        // How well keepalived keeps its time is not ours to judge: it is given the interval that it has by default.
        let instance = |priority: u8| Instance::new(priority).password(None);
        let [of_a, of_b] = ["a", "b"].map(|host| Troubles::new(&stage, host, 20, -1, (Duration::from_secs(1), 60)));
        let mut a = of_a.start(&stage, strong, "a", instance(STRONG));
        a.is_backup();
        stage.held_by("a", VIP);
        let b = of_b.start(&stage, weak, "b", instance(WEAK));
        b.is_backup();
        of_a.happen(&a, strong);
        of_b.happen(&b, weak);
        // Absence: longer than a takeover takes.
        let moved = || b.said("entering master state") || a.count("entering backup state") > 1;
        never("the address moves", 2 * master_down(WEAK), moved);
        assert_eq!(stage.holders_of(VIP), ["a"]);
        a.stop();
        stage.held_by("b", VIP);
    });
}

/// A script that stops the daemon which runs it, and waits until it has.
#[test]
fn a_script_may_stop_the_daemon_that_runs_it() {
    if !lab::privileged(a_script_may_stop_the_daemon_that_runs_it) {
        return;
    }
    let stage = Stage::new();
    let go = stage.path("go");
    let body = format!("[ -e {} ] || exit 0\nkill -TERM $PPID\nwhile kill -0 $PPID; do sleep 0.05; done", go.display());
    let stop = stage.script("stop", &body);
    let block = script("chk", &stop, "interval 0.2\n    timeout 30");
    let instance = tracking(Instance::new(STRONG), &["chk".to_owned()]);
    let mut a = stage.start_tracking(Kind::Vrrpctl, "a", &block, &[instance]);
    a.is_backup();
    let b = stage.vrrpctl("b", Instance::new(WEAK));
    b.is_backup();
    stage.held_by("a", VIP);
    fs::write(&go, "").unwrap();
    let status = a.process.wait(Duration::from_secs(15));
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    stage.held_by("b", VIP);
}

/// What cannot work is refused at its place, before anything happens.
#[test]
fn what_cannot_work_is_refused() {
    if !lab::privileged(what_cannot_work_is_refused) {
        return;
    }
    let stage = Stage::new();
    let plain = stage.file("plain", "");
    let refuses = |blocks: &str, tracks: &str, error: &str, place: &str| {
        let file = stage.file("bad.conf", &format!("{blocks}\n{}", Instance::new(STRONG).with(tracks)));
        let mut command = Command::new(env!("CARGO_BIN_EXE_vrrpctl"));
        command.arg("run").arg("-f").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = stage.lan.host("a").spawn(&mut command).unwrap();
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
    let directory = format!("track_file f {{\n    file {}\n}}", stage.directory().display());
    refuses(&directory, "track_file {\n        f\n    }", "cannot be tracked: it is a directory", "1:12");
    let proc_file = "track_file f {\n    file /proc/loadavg\n}";
    refuses(proc_file, "track_file {\n        f\n    }", "error[E069]", "1:12");
    let quorum = "vrrp_track_process p {\n    process x\n    quorum 3\n    quorum_max 2\n}";
    refuses(quorum, "track_process {\n        p\n    }", "no number of processes is at least 3 and at most 2", "1:20");
}
