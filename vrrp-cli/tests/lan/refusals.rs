//! Bad input: one clear error each, exit status 2, and nothing changed on the host.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::Uid;
use tempfile::TempDir;
use vrrp_cli::lab::{self, Host};

use crate::common::*;

/// `nobody`, who has no capability.
const NOBODY: u32 = 65534;

/// Runs the command until it refuses; what it says.
#[track_caller]
fn refused(command: &mut Command) -> String {
    // A daemon that runs instead must not hang the test.
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    if !lab::wait_until(PATIENCE, || child.try_wait().unwrap().is_some()) {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{} and said:\n{said}", output.status);
    assert_eq!(output.stdout, b"", "errors go to standard error");
    said
}

/// The errors in what was said, without warnings.
fn errors(said: &str) -> Vec<&str> {
    said.lines().filter(|line| line.starts_with("error")).collect()
}

fn run(file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vrrpctl"));
    command.arg("run").arg("-f").arg(file);
    command
}

/// Asserts that the file's text is refused by exactly one error, which begins with `error`, and that the caret points
/// at `place` in `line`.
#[track_caller]
fn refuses(host: Option<&Host>, text: &str, error: &str, line: &str, place: &str) -> String {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("test.conf");
    fs::write(&file, text).unwrap();
    let before = host.map(ipv4_of);
    let mut command = run(&file);
    if let Some(host) = host {
        host.namespace().command(&mut command).unwrap();
    }
    let said = refused(&mut command);
    assert_eq!(errors(&said).len(), 1, "{said}");
    assert!(errors(&said)[0].starts_with(error), "{said}");
    let number = text.lines().position(|one| one == line).unwrap() + 1;
    let column = line.find(place).unwrap() + 1;
    assert!(said.contains(&format!("{}:{number}:{column}\n", file.display())), "{said}");
    let lines: Vec<_> = said.lines().collect();
    let shown = lines.iter().position(|one| one.trim_start().starts_with(&format!("{number} |"))).unwrap();
    let carets = lines[shown + 1].chars().filter(|sign| *sign == '^').count();
    assert_eq!(carets, place.chars().count(), "{said}");
    assert!(said.contains("help: "), "{said}");
    assert_eq!(host.map(ipv4_of), before, "nothing is changed");
    said
}

/// A file that would run but for the interface, which no host has.
const GOOD: &str = "vrrp_instance VI_1 {
    interface none0
    virtual_router_id 50
    priority 150
    virtual_ipaddress {
        10.9.0.100
    }
}
";

#[test]
fn values_that_cannot_be_are_refused_at_their_place() {
    for (right, wrong, place, error) in [
        ("virtual_router_id 50", "virtual_router_id 0", "0", "error[E031]: expected a VRID from 1 to 255"),
        ("virtual_router_id 50", "virtual_router_id 256", "256", "error[E031]: expected a VRID from 1 to 255"),
        ("priority 150", "priority 0", "0", "error[E031]: expected a priority from 1 to 255"),
        ("10.9.0.100", "ff02::1", "ff02::1", "error[E035]"),
        ("10.9.0.100", "2001:db8::1", "2001:db8::1", "error[E059]"),
    ] {
        let text = GOOD.replace(right, wrong).replace("interface", "strict_mode on\n    interface");
        let line = text.lines().find(|line| line.trim() == wrong).unwrap();
        refuses(None, &text, error, line, place);
    }
}

#[test]
fn an_instance_without_an_address_is_refused() {
    let text = GOOD.replace("        10.9.0.100\n", "");
    let said = refuses(None, &text, "error[E051]", "vrrp_instance VI_1 {", "vrrp_instance VI_1");
    assert!(said.contains("nothing was started"), "{said}");
}

#[test]
fn a_vrid_twice_on_an_interface_is_refused_with_both_places() {
    let second = GOOD.replace("VI_1", "VI_2").replace("10.9.0.100", "10.9.0.101").replace("50", "50 # again");
    let said = refuses(None, &format!("{GOOD}{second}"), "error[E053]", "    virtual_router_id 50 # again", "50");
    assert!(said.contains("used here before"), "it shows the first: {said}");
}

#[test]
fn a_file_that_is_not_there_or_not_a_file_is_refused() {
    let directory = TempDir::new().unwrap();
    let missing = directory.path().join("missing.conf");
    for (file, error) in [(missing.as_path(), "error[E001]"), (directory.path(), "error[E002]")] {
        let said = refused(&mut run(file));
        assert_eq!(errors(&said).len(), 1, "{said}");
        assert!(errors(&said)[0].starts_with(error) && said.contains(&*file.to_string_lossy()), "{said}");
    }
}

/// `vrrpctl` run by somebody without privileges: as ourselves, or as nobody when we are root.
struct Powerless {
    directory: TempDir,
}

impl Powerless {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // The build directory may be closed to others. Copied by another process: a file that this one has open for writing
        // could be inherited by a child of another test, and would then be "busy".
        let mut copy = Command::new("cp");
        copy.arg(env!("CARGO_BIN_EXE_vrrpctl")).arg(directory.path());
        assert!(copy.status().unwrap().success());
        Self { directory }
    }

    fn run(&self, mode: u32) -> String {
        let file = self.directory.path().join("test.conf");
        fs::write(&file, GOOD).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let mut command = Command::new(self.directory.path().join("vrrpctl"));
        command.arg("run").arg("-f").arg(&file);
        if Uid::effective().is_root() {
            command.uid(NOBODY);
        }
        refused(&mut command)
    }
}

#[test]
fn without_privileges_the_capabilities_are_named() {
    let said = Powerless::new().run(0o644);
    assert_eq!(errors(&said).len(), 1, "{said}");
    assert!(said.contains("CAP_NET_ADMIN and CAP_NET_RAW"), "{said}");
}

#[test]
fn a_file_that_may_not_be_read_is_refused() {
    let said = Powerless::new().run(0o000);
    assert_eq!(errors(&said).len(), 1, "{said}");
    assert!(errors(&said)[0].starts_with("error[E001]") && said.contains("test.conf"), "{said}");
    assert!(said.to_lowercase().contains("permission denied"), "{said}");
}

#[test]
fn what_the_host_does_not_have_is_refused() {
    if !lab::privileged(what_the_host_does_not_have_is_refused) {
        return;
    }
    let lan = lab::Lan::with_networks(&["a"], 2).unwrap();
    let host = Some(lan.host("a"));
    let said = refuses(
        host,
        GOOD,
        "error[E060]: interface `none0` does not exist on this host",
        "    interface none0",
        "none0",
    );
    assert!(said.contains("it has: eth0, eth1"), "{said}");
    let here = GOOD.replace("none0", "eth0");
    let device = here.replace("10.9.0.100", "10.9.0.100 dev none0");
    refuses(host, &device, "error[E060]", "        10.9.0.100 dev none0", "none0");
    let notify = |line: &str| here.replace("    priority 150\n", &format!("    priority 150\n    {line}\n"));
    let script = notify("notify_master /no/such/script");
    refuses(host, &script, "error[E062]", "    notify_master /no/such/script", "/no/such/script");
    let user = notify("notify_master \"/bin/true\" no_such_user");
    let said = refused_on(&lan, &user);
    assert!(errors(&said)[0].starts_with("error[E061]: user `no_such_user` does not exist"), "{said}");
    let group = notify("notify_master \"/bin/true\" root no_such_group");
    let said = refused_on(&lan, &group);
    assert!(errors(&said)[0].starts_with("error[E061]: group `no_such_group` does not exist"), "{said}");
    // The first of two pipes does not stay.
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    let pipes = format!("    notify_fifo {}\n    vrrp_notify_fifo /proc/pipe\n", pipe.display());
    let pipes = format!("global_defs {{\n{pipes}}}\n{here}");
    let error = "error[E068]: cannot make the named pipe `/proc/pipe`";
    refuses(host, &pipes, error, "    vrrp_notify_fifo /proc/pipe", "/proc/pipe");
    assert!(!pipe.exists());
    // All of it at once, and a leftover is not touched.
    let both = notify("notify_master /no/such/script").replace("eth0", "none0");
    assert_eq!(errors(&refused_on(&lan, &both)).len(), 2);
}

/// With `enable_script_security` an error, otherwise a warning, of which the daemon runs.
#[test]
fn a_script_that_others_can_change_is_an_error_or_a_warning() {
    if !lab::privileged(a_script_that_others_can_change_is_an_error_or_a_warning) {
        return;
    }
    let stage = Stage::new();
    let script = stage.file("script", "#!/bin/sh\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(stage.directory(), fs::Permissions::from_mode(0o755)).unwrap();
    // Whatever user the host has for scripts.
    let line = format!("    notify_master \"{}\" root", script.display());
    let text = GOOD.replace("none0", "eth0").replace("    priority 150\n", &format!("    priority 150\n{line}\n"));
    let secure = format!("global_defs {{\n    enable_script_security\n}}\n{text}");
    let place = line.trim().strip_prefix("notify_master ").unwrap();
    let message = format!("`{0}` runs as root, but everybody can change `{0}`", script.display());
    refuses(Some(stage.lan.host("a")), &secure, &format!("error[E066]: {message}"), &line, place);

    let file = stage.file("warned.conf", &text);
    let mut a = Daemon::start(Kind::Vrrpctl, stage.lan.host("a"), &file);
    a.is_backup();
    assert!(a.said(&format!("warning[W104]: {message}")) && a.said("warned.conf:5:"), "{}", a.log());
    a.stop();
}

/// As `refuses`, where the place is not looked at.
#[track_caller]
fn refused_on(lan: &lab::Lan, text: &str) -> String {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("test.conf");
    fs::write(&file, text).unwrap();
    let before = ipv4_of(lan.host("a"));
    let mut command = run(&file);
    lan.host("a").namespace().command(&mut command).unwrap();
    let said = refused(&mut command);
    assert_eq!(ipv4_of(lan.host("a")), before, "nothing is changed");
    said
}

/// In a mount namespace whose `/etc` holds what the test puts there.
#[test]
fn without_a_file_the_usual_one_is_read() {
    if !lab::privileged(without_a_file_the_usual_one_is_read) || tool("unshare").is_none() {
        return;
    }
    let lan = lab::Lan::new(&["a"]).unwrap();
    let with_etc = |prepare: &str| {
        let program = env!("CARGO_BIN_EXE_vrrpctl");
        let script = format!("mount -t tmpfs etc /etc && {prepare} exec '{program}' run");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script]);
        lan.host("a").namespace().command(&mut command).unwrap();
        refused(&mut command)
    };
    let said = with_etc("");
    assert!(errors(&said)[0].starts_with("error[E001]") && said.contains("/etc/keepalived/keepalived.conf"), "{said}");
    let said = with_etc("mkdir /etc/keepalived && echo wrong >/etc/keepalived/keepalived.conf &&");
    assert!(said.contains("/etc/keepalived/keepalived.conf:1:1\n"), "{said}");
}
