//! Notifications: the lines of named pipes and the arguments of scripts, beside keepalived's, and what happens when nobody
//! reads or nothing ends.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use vrrp_cli::lab;
use vrrp_core::wire::ipv4::PROTOCOL_VRRP;
use vrrp_netlink::packet::PacketSocket;
use vrrp_netlink::rtnl::Rtnl;

use crate::common::*;

/// The reading end of a named pipe.
struct Reader {
    file: File,
    text: String,
}

impl Reader {
    /// Waits until the pipe is there.
    fn open(path: &PathBuf) -> Self {
        let open = || OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path);
        eventually(&format!("{} exists", path.display()), || open().is_ok());
        Self { file: open().unwrap(), text: String::new() }
    }

    fn lines(&mut self) -> Vec<String> {
        // That there is nothing more at the moment is an error here.
        let mut octets = Vec::new();
        let _ = self.file.read_to_end(&mut octets);
        self.text.push_str(std::str::from_utf8(&octets).unwrap());
        self.text.lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn hears(&mut self, line: &str, times: usize) {
        let count = |reader: &mut Self| reader.lines().iter().filter(|one| *one == line).count();
        let heard = lab::wait_until(PATIENCE, || count(self) >= times);
        assert!(heard, "{line:?} is not heard {times} times: {:#?}", self.lines());
    }
}

/// What was told in one scene.
#[derive(PartialEq, Eq, Debug)]
struct Told {
    lines: Vec<String>,
    scripts: Vec<String>,
}

/// An executable script that notes its arguments, one line for each call.
fn noting(stage: &Stage) -> (String, PathBuf) {
    fs::set_permissions(stage.directory(), Permissions::from_mode(0o777)).unwrap();
    let notes = stage.file("notes", "");
    fs::set_permissions(&notes, Permissions::from_mode(0o666)).unwrap();
    // In one piece: keepalived's scripts run beside each other.
    let body =
        format!("#!/bin/sh\nline=$#\nfor one; do line=\"$line|$one\"; done\necho \"$line\" >> {}\n", notes.display());
    let script = stage.file("note", &body);
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    (script.display().to_string(), notes)
}

/// Backup, Master, Fault, Backup, Master, a weaker master heard, stop.
fn a_life(kind: Kind) -> Told {
    let stage = Stage::new();
    let (note, notes) = noting(&stage);
    let fifo = stage.directory().join("fifo");
    let mut text = format!("global_defs {{\nrouter_id a\nvrrp_notify_fifo {}\nscript_user root\n}}\n", fifo.display());
    let mut instance = Instance::new(254);
    for event in ["master", "backup", "fault", "stop", "master_rx_lower_pri"] {
        instance = instance.with(format!("notify_{event} \"{note} {event} 'two words'\""));
    }
    text.push_str(&instance.with(format!("notify \"{note} all\"")).called("\"VI 1\"", 50, VIP).to_string());
    let mut a = Daemon::start(kind, stage.lan.host("a"), &stage.file("a.conf", &text));
    let mut reader = Reader::open(&fifo);
    let line = |state: &str| format!("INSTANCE \"VI 1\" {state} 254");
    reader.hears(&line("MASTER"), 1);
    stage.lan.cut("a", 0).unwrap();
    reader.hears(&line("FAULT"), 1);
    stage.lan.mend("a", 0).unwrap();
    reader.hears(&line("MASTER"), 2);
    // Two masters, until they hear each other: the weaker one claims once more before it yields.
    stage.lan.mute("a", 0).unwrap();
    let mut b = stage.vrrpctl("b", Instance::new(WEAK));
    b.says("entering master state", 1);
    stage.lan.unmute("a", 0).unwrap();
    reader.hears(&line("MASTER_RX_LOWER_PRI"), 1);
    b.says("entering backup state", 2);
    eventually("the scripts have run", || fs::read_to_string(&notes).unwrap().contains("master_rx_lower_pri"));
    a.stop();
    reader.hears(&line("STOP"), 1);
    eventually("the last script has run", || {
        let calls = fs::read_to_string(&notes).unwrap();
        calls.contains("5|all|INSTANCE|VI 1|STOP|254") && calls.contains("2|stop|two words")
    });
    b.stop();
    let mut lines = reader.lines();
    lines.dedup();
    let mut scripts: Vec<String> = fs::read_to_string(&notes).unwrap().lines().map(str::to_owned).collect();
    // How often the weaker one is heard depends on the moment, and keepalived's scripts overtake each other.
    scripts.sort();
    scripts.dedup();
    assert!(!fifo.exists(), "the pipe is removed");
    Told { lines, scripts }
}

#[test]
fn pipes_and_scripts_are_told_what_keepalived_tells() {
    if tool("keepalived").is_none() || !lab::privileged(pipes_and_scripts_are_told_what_keepalived_tells) {
        return;
    }
    let (ours, theirs) = std::thread::scope(|scope| {
        let ours = scope.spawn(|| a_life(Kind::Vrrpctl));
        let theirs = scope.spawn(|| a_life(Kind::Keepalived));
        (ours.join().expect("ours"), theirs.join().expect("theirs"))
    });
    assert_eq!(ours, theirs);
    let states = ["BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER", "MASTER_RX_LOWER_PRI", "STOP"];
    assert_eq!(ours.lines, states.map(|state| format!("INSTANCE \"VI 1\" {state} 254")));
    assert!(ours.scripts.contains(&"5|all|INSTANCE|VI 1|MASTER|254".to_owned()), "{:?}", ours.scripts);
    assert!(ours.scripts.contains(&"2|master|two words".to_owned()), "{:?}", ours.scripts);
}

/// Two instances on two networks that move together: up, the outer network fails, it comes back, stop. What is told in each
/// of these.
fn a_group(kind: Kind) -> Vec<Vec<String>> {
    let stage = Stage::with_networks(2);
    let (note, notes) = noting(&stage);
    let fifo = stage.directory().join("fifo");
    let mut text = format!(
        "global_defs {{\nrouter_id a\nvrrp_notify_fifo {}\nscript_user root\n}}\n\
         vrrp_sync_group \"G 1\" {{\ngroup {{\ninner\nouter\n}}\nnotify \"{note} all\"\n",
        fifo.display()
    );
    let events = ["master", "backup", "fault", "stop"];
    text.extend(events.map(|event| format!("notify_{event} \"{note} {event}\"\n")));
    text.push_str("}\n");
    for (name, interface, vrid, address) in [("inner", "eth0", 50, VIP), ("outer", "eth1", 51, [10, 9, 1, 100].into())]
    {
        let instance = Instance::new(254).called(name, vrid, address).on(interface);
        text.push_str(&instance.with(format!("notify \"{note} own\"")).to_string());
    }
    let mut a = Daemon::start(kind, stage.lan.host("a"), &stage.file("a.conf", &text));
    let mut reader = Reader::open(&fifo);
    let group = |state: &str| format!("GROUP \"G 1\" {state} 0");
    let (mut told, mut scripts, mut lines) = (Vec::new(), 0, 0);
    // keepalived's members come in the order of a hash; the group goes before them, at the start alone.
    reader.hears("INSTANCE \"inner\" BACKUP 254", 1);
    reader.hears("INSTANCE \"outer\" BACKUP 254", 1);
    let mut first = reader.lines();
    first.truncate(3);
    assert_eq!(first[0], group("BACKUP"), "{kind:?} tells of the group before its members: {first:?}");
    let mut phase = |reader: &mut Reader, state: &str, times: usize, added: usize| {
        reader.hears(&group(state), times);
        let all = || fs::read_to_string(&notes).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
        eventually(&format!("the scripts of {state} have run"), || all().len() >= scripts + added);
        // keepalived's scripts overtake each other, and its members come in the order of a hash.
        for (all, known) in [(reader.lines(), &mut lines), (all(), &mut scripts)] {
            let mut new = all[*known..].to_vec();
            *known = all.len();
            new.sort();
            told.push(new);
        }
    };
    // Of a change of state: two members and the group, which has two scripts.
    phase(&mut reader, "MASTER", 1, 8);
    stage.lan.cut("a", 1).unwrap();
    phase(&mut reader, "FAULT", 1, 4);
    stage.lan.mend("a", 1).unwrap();
    phase(&mut reader, "MASTER", 2, 8);
    let again = reader.lines();
    let place = |line: &str| again.iter().rposition(|one| one == line).unwrap();
    let members = ["inner", "outer"].map(|name| place(&format!("INSTANCE \"{name}\" BACKUP 254")));
    assert!(
        members.iter().all(|member| *member < place(&group("BACKUP"))),
        "{kind:?} later tells of it behind: {again:?}"
    );
    a.stop();
    phase(&mut reader, "STOP", 1, 4);
    assert_eq!(reader.lines().last(), Some(&group("STOP")), "{kind:?} tells of the group behind its members");
    told
}

#[test]
fn groups_are_told_of_as_keepalived_does() {
    if tool("keepalived").is_none() || !lab::privileged(groups_are_told_of_as_keepalived_does) {
        return;
    }
    let (ours, theirs) = std::thread::scope(|scope| {
        let ours = scope.spawn(|| a_group(Kind::Vrrpctl));
        let theirs = scope.spawn(|| a_group(Kind::Keepalived));
        (ours.join().expect("ours"), theirs.join().expect("theirs"))
    });
    assert_eq!(ours, theirs);
    let fault = ["GROUP \"G 1\" FAULT 0", "INSTANCE \"inner\" FAULT 254", "INSTANCE \"outer\" FAULT 254"];
    assert_eq!(ours[2], fault);
    assert_eq!(
        ours[3],
        ["1|fault", "5|all|GROUP|G 1|FAULT|0", "5|own|INSTANCE|inner|FAULT|254", "5|own|INSTANCE|outer|FAULT|254"]
    );
}

/// A priority that changes as master and in fault: of an instance that tells it, of one that does not, and of a group's.
fn priorities(kind: Kind) -> Vec<String> {
    let stage = Stage::with_networks(3);
    let fifo = stage.directory().join("fifo");
    let mut text = format!(
        "global_defs {{\nrouter_id a\nvrrp_notify_fifo {}\n}}\nvrrp_sync_group G {{\ngroup {{\nthird\nfourth\n}}\n\
         sync_group_tracking_weight\nnotify_priority_changes\n}}\n",
        fifo.display()
    );
    let names = ["first", "second", "third", "fourth"];
    for (number, name) in (0..).zip(names) {
        let mut instance = Instance::new(200).called(name, 50 + number, [10, 9, 0, 100 + number].into());
        instance = instance.with("track_interface {\neth2 weight 20\n}");
        if name == "first" {
            instance = instance.with("notify_priority_changes");
        }
        // One of them is not concerned by the fault of the others.
        let interface = if name == "first" { "eth1" } else { "eth0" };
        let network = u8::from(name == "first");
        text.push_str(&instance.addresses(&[&format!("10.9.{network}.{}", 100 + number)]).on(interface).to_string());
    }
    let mut a = Daemon::start(kind, stage.lan.host("a"), &stage.file("a.conf", &text));
    let mut reader = Reader::open(&fifo);
    for name in names {
        reader.hears(&format!("INSTANCE \"{name}\" MASTER 220"), 1);
    }
    let tells = ["first", "third", "fourth"];
    stage.lan.cut("a", 2).unwrap();
    for name in tells {
        reader.hears(&format!("INSTANCE \"{name}\" MASTER_PRIORITY 200"), 1);
    }
    stage.lan.cut("a", 1).unwrap();
    reader.hears("INSTANCE \"first\" FAULT 200", 1);
    stage.lan.mend("a", 2).unwrap();
    reader.hears("INSTANCE \"first\" BACKUP_PRIORITY 220", 1);
    for name in &tells[1..] {
        reader.hears(&format!("INSTANCE \"{name}\" MASTER_PRIORITY 220"), 1);
    }
    a.stop();
    reader.hears("GROUP \"G\" STOP 0", 1);
    let mut lines = reader.lines();
    lines.sort();
    lines
}

#[test]
fn changes_of_the_priority_are_told_as_keepalived_does() {
    if tool("keepalived").is_none() || !lab::privileged(changes_of_the_priority_are_told_as_keepalived_does) {
        return;
    }
    let (ours, theirs) = std::thread::scope(|scope| {
        let ours = scope.spawn(|| priorities(Kind::Vrrpctl));
        let theirs = scope.spawn(|| priorities(Kind::Keepalived));
        (ours.join().expect("ours"), theirs.join().expect("theirs"))
    });
    assert_eq!(ours, theirs);
    assert_eq!(
        ours.iter().filter(|line| *line == "INSTANCE \"first\" BACKUP_PRIORITY 220").count(),
        2,
        "at the start, and in fault"
    );
    assert!(!ours.iter().any(|line| line.contains("second") && line.contains("PRIORITY")), "{ours:#?}");
}

/// The reader is started with the path behind its own arguments, reads the last line, and is ended.
#[test]
fn the_script_of_a_pipe_hears_everything() {
    if !lab::privileged(the_script_of_a_pipe_hears_everything) {
        return;
    }
    let stage = Stage::new();
    let heard = stage.file("heard", "");
    let body = format!(
        "#!/bin/sh\necho \"$#|$1|$2\" >> {0}\nwhile read -r line; do echo \"$line\" >> {0}; done < \"$2\"\necho end >> {0}\n",
        heard.display()
    );
    let script = stage.file("reader", &body);
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    let fifo = stage.directory().join("fifo");
    let text = format!(
        "global_defs {{\nscript_user root\nnotify_fifo {0}\nnotify_fifo_script \"{1} first\"\n}}\n{2}",
        fifo.display(),
        script.display(),
        Instance::new(254)
    );
    let mut a = Daemon::start(Kind::Vrrpctl, stage.lan.host("a"), &stage.file("a.conf", &text));
    stage.held_by("a", VIP);
    a.stop();
    let line = |state: &str| format!("INSTANCE \"VI_1\" {state} 254\n");
    let expected = format!("2|first|{}\n{}{}{}end\n", fifo.display(), line("BACKUP"), line("MASTER"), line("STOP"));
    assert_eq!(fs::read_to_string(&heard).unwrap(), expected);
    assert!(!fifo.exists());
}

/// What is no pipe, nobody's, or nowhere is an error before anything starts.
#[test]
fn a_pipe_that_cannot_be_is_refused() {
    if !lab::privileged(a_pipe_that_cannot_be_is_refused) {
        return;
    }
    let stage = Stage::new();
    let file = stage.file("precious", "keep me");
    for (pipe, expected) in [
        (file.display().to_string(), "exists and is no named pipe"),
        ("/nonexistent/fifo".to_owned(), "there is no directory for"),
        ("fifo".to_owned(), "does not begin with `/`"),
        (
            format!("{}/fifo nobody_of_that_name", stage.directory().display()),
            "user `nobody_of_that_name` does not exist",
        ),
    ] {
        let text = format!("global_defs {{\nvrrp_notify_fifo {pipe}\n}}\n{}", Instance::new(254));
        let mut a = Daemon::start(Kind::Vrrpctl, stage.lan.host("a"), &stage.file("a.conf", &text));
        let status = a.process.wait(PATIENCE);
        assert_eq!(status.and_then(|status| status.code()), Some(2), "{}", a.log());
        assert!(a.said(expected), "{}", a.log());
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "keep me");
}

/// When the client's interface heard adverts of a router, over `time`.
fn adverts(stage: &Stage, vrid: u8, time: Duration) -> Vec<Instant> {
    let open = || {
        let index = Rtnl::open()?.link("eth0")?.expect("eth0").index;
        PacketSocket::listen(index, 0x0800)
    };
    let socket = stage.lan.host("client").namespace().run(open).unwrap().unwrap();
    let (mut heard, mut buffer) = (Vec::new(), [0; 2048]);
    let until = Instant::now() + time;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return heard;
        }
        if !vrrp_netlink::process::wait_readable(&socket, Some(left)).unwrap() {
            continue;
        }
        while let Some(len) = socket.receive(&mut buffer).unwrap() {
            let frame = &buffer[..len];
            if frame.get(23) == Some(&PROTOCOL_VRRP) && frame.get(35) == Some(&vrid) {
                heard.push(Instant::now());
            }
        }
    }
}

/// Scripts that hang, a pipe that nobody reads, a reader that hangs and a mail server that says nothing, all of them told
/// of a router that flaps: the adverts of another one keep their time.
#[test]
fn nothing_that_hangs_disturbs_the_election() {
    if !lab::privileged(nothing_that_hangs_disturbs_the_election) {
        return;
    }
    let stage = Stage::with_networks(2);
    fs::set_permissions(stage.directory(), Permissions::from_mode(0o777)).unwrap();
    let hang = stage.file("hang", "#!/bin/sh\ntrap '' TERM\nwhile [ -e \"$0\" ]; do sleep 1; done\n");
    fs::set_permissions(&hang, Permissions::from_mode(0o755)).unwrap();
    let (hang, folder) = (hang.display(), stage.directory().display());
    let listener = || std::net::TcpListener::bind("127.0.0.1:25");
    // Connections are made by the kernel; nobody ever takes one.
    let _silent = stage.lan.host("a").namespace().run(listener).unwrap().unwrap();
    let instance = |name: &str, vrid: u8, interface: &str, address: &str| {
        format!(
            "vrrp_instance {name} {{\nversion 3\ninterface {interface}\nvirtual_router_id {vrid}\npriority 254\n\
             advert_int 0.1\nnotify {hang}\nnotify_master {hang}\nnotify_stop {hang}\nvirtual_ipaddress {{\n{address}\n}}\n}}\n"
        )
    };
    let text = format!(
        "global_defs {{\nscript_user root\nnotify_fifo {folder}/unread\nvrrp_notify_fifo {folder}/hanging\n\
         vrrp_notify_fifo_script {hang}\nnotification_email {{\nops@example.org\n}}\nsmtp_server 127.0.0.1\n\
         smtp_connect_timeout 2\nsmtp_alert\n}}\n{}{}",
        instance("STEADY", 50, "eth0", "10.9.0.100"),
        instance("FLAPS", 51, "eth1", "10.9.1.101")
    );
    let mut a = Daemon::start(Kind::Vrrpctl, stage.lan.host("a"), &stage.file("a.conf", &text));
    stage.held_by("a", VIP);
    let time = Duration::from_secs(8);
    let heard = std::thread::scope(|scope| {
        let heard = scope.spawn(|| adverts(&stage, 50, time));
        let until = Instant::now() + time;
        let mut flaps = 0;
        while Instant::now() < until {
            stage.lan.cut("a", 1).unwrap();
            flaps += 1;
            eventually("it is a fault", || a.count("(FLAPS) entering fault state") >= flaps);
            stage.lan.mend("a", 1).unwrap();
            eventually("it is master again", || a.count("(FLAPS) entering master state") > flaps);
        }
        heard.join().expect("a listener")
    });
    let mut gaps: Vec<Duration> = heard.windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.sort();
    assert!(gaps.len() > 40, "only {} adverts in {time:?}", gaps.len());
    let (median, longest) = (gaps[gaps.len() / 2], gaps[gaps.len() - 1]);
    between("the median between adverts at 100 ms", median, Duration::from_millis(90), Duration::from_millis(110));
    // A backup's patience is 3 intervals; other tests share the processors.
    between("the longest", longest, Duration::ZERO, Duration::from_millis(300));
    a.says("mail cannot be handed to mail server 127.0.0.1:25", 1);
    let took = a.stop();
    between("a stop while everything hangs", took, Duration::ZERO, Duration::from_secs(20));
}
