//! `vrrpctl check`: advice about one file, and several files against each other, as pictures; JSON; exit statuses.
//!
//! `SNAPSHOTS=overwrite cargo test -p vrrp-cli --test config check` writes the pictures anew.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use snapbox::{Data, assert_data_eq};
use vrrp_cli::check::{CheckOptions, Report, check, parse_code};
use vrrp_cli::config::{Code, Severity};

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check").join(name)
}

fn entries(directory: &Path, wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let read = fs::read_dir(directory).expect("a directory");
    let mut paths: Vec<PathBuf> =
        read.map(|entry| entry.expect("an entry").path()).filter(|path| wanted(path)).collect();
    paths.sort();
    paths
}

fn is_conf(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "conf")
}

fn options(files: &[PathBuf]) -> CheckOptions {
    CheckOptions {
        files: files.to_vec(),
        ids: Vec::new(),
        // Most of it is about features that are being built.
        allow: vec![parse_code("W010").expect("a warning")],
        deny_warnings: false,
        json: false,
        compat: false,
    }
}

fn compared(name: &str) -> Report {
    check(&options(&entries(&directory("pair").join(name), is_conf)))
}

fn codes(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.diagnostic.code.as_str()).collect()
}

fn drawn(report: &Report, directory: &Path) -> String {
    let drawn = report.render(false).replace(&format!("{}/", directory.display()), "");
    if drawn.is_empty() { "nothing\n".to_owned() } else { drawn }
}

#[test]
fn pairs_are_drawn_as_expected() {
    let cases = entries(&directory("pair"), Path::is_dir);
    assert!(cases.len() >= 30, "only {} cases found", cases.len());
    for case in cases {
        let report = check(&options(&entries(&case, is_conf)));
        let expected = Data::read_from(&case.with_extension("txt"), None);
        assert_data_eq!(drawn(&report, &case), expected.raw());
    }
}

#[test]
fn advice_is_drawn_as_expected() {
    for case in entries(&directory("lints"), is_conf) {
        let report = check(&options(std::slice::from_ref(&case)));
        let expected = Data::read_from(&case.with_extension("txt"), None);
        assert_data_eq!(drawn(&report, case.parent().expect("a directory")), expected.raw());
    }
}

/// Each kind of advice and of difference has a case, and says what to do.
#[test]
fn every_code_has_a_case() {
    let mut reports: Vec<Report> =
        entries(&directory("pair"), Path::is_dir).iter().map(|case| check(&options(&entries(case, is_conf)))).collect();
    reports
        .extend(entries(&directory("lints"), is_conf).iter().map(|case| check(&options(std::slice::from_ref(case)))));
    let mut seen = BTreeSet::new();
    for finding in reports.iter().flat_map(|report| &report.findings) {
        assert!(finding.diagnostic.help.is_some(), "{} does not say what to do", finding.diagnostic.code);
        seen.insert(finding.diagnostic.code.as_str());
    }
    // Modes of files are not kept by every way to copy a source tree; it has a test of its own.
    seen.insert("W104");
    let wanted = Code::ALL.iter().map(|code| code.as_str()).filter(|code| code.starts_with(['E', 'W']));
    let missing: Vec<&str> = wanted.filter(|code| matches!(&code[1..2], "1" | "2") && !seen.contains(code)).collect();
    assert!(missing.is_empty(), "no case shows {missing:?}");
}

#[test]
fn hosts_that_agree_have_no_findings() {
    for name in ["right", "names_do_not_matter", "weight_right", "weight_fault", "allowed"] {
        assert_eq!(codes(&compared(name)), [""; 0], "{name}");
    }
}

#[test]
fn the_examples_have_no_findings() {
    for name in ["active-standby", "dual-master", "cloud"] {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples").join(name);
        let report = check(&options(&entries(&examples, is_conf)));
        assert!(report.findings.is_empty(), "{}", report.render(false));
    }
}

#[test]
fn a_file_with_errors_is_not_compared_but_told_of() {
    let report = compared("broken");
    assert_eq!(codes(&report), ["E020"]);
    assert_eq!(report.findings[0].host, 1);
}

#[test]
fn one_file_with_conditions_is_two_hosts() {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("both.conf");
    let text = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 7\n@a priority 150\n@b priority 100\n\
                virtual_ipaddress {\n192.0.2.1/24\n}\n}\n";
    fs::write(&file, text).expect("written");
    let mut options = options(&[file.clone(), file]);
    options.ids = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(codes(&check(&options)), [""; 0]);
    options.ids = vec!["a".to_owned()];
    assert_eq!(codes(&check(&options)), ["W201"]);
}

#[test]
fn scripts_are_looked_at_only_for_this_host() {
    let folder = tempfile::tempdir().expect("a directory");
    let script = folder.path().join("notify.sh");
    fs::write(&script, "#!/bin/sh\n").expect("written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o777)).expect("allowed");
    let host = |name: &str, priority: u8| {
        let file = folder.path().join(name);
        let text = format!(
            "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 7\npriority {priority}\nnotify {}\n\
             virtual_ipaddress {{\n192.0.2.1/24\n}}\n}}\n",
            script.display()
        );
        fs::write(&file, text).expect("written");
        file
    };
    let (one, other) = (host("one.conf", 150), host("other.conf", 100));
    let report = check(&options(std::slice::from_ref(&one)));
    assert_eq!(codes(&report), ["W104"]);
    assert!(report.render(false).contains("everybody can change"), "{}", report.render(false));
    fs::set_permissions(&script, fs::Permissions::from_mode(0o775)).expect("allowed");
    assert!(check(&options(std::slice::from_ref(&one))).render(false).contains("its group can change"));
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("allowed");
    assert_eq!(codes(&check(&options(std::slice::from_ref(&one)))), [""; 0]);
    fs::remove_file(&script).expect("removed");
    assert_eq!(codes(&check(&options(std::slice::from_ref(&one)))), ["W102"]);
    assert_eq!(codes(&check(&options(&[one, other]))), [""; 0]);
}

#[test]
fn errors_cannot_be_allowed() {
    assert_eq!(parse_code("w103"), Ok(Code::ScriptNotExecutable));
    assert!(parse_code("E020").is_err());
    assert!(parse_code("W999").is_err());
}

fn vrrpctl(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vrrpctl")).args(arguments).env("NO_COLOR", "1").output().expect("vrrpctl runs")
}

fn path(name: &str) -> String {
    directory(name).display().to_string()
}

#[test]
fn the_exit_status_tells_errors_from_warnings() {
    let (clean, warned) = (path("pair/right/lb01.conf"), path("lints/w101_owner.conf"));
    let wrong = path("pair/broken/lb02.conf");
    let status = |arguments: &[&str]| vrrpctl(&[&["check"], arguments].concat()).status.code();
    assert_eq!(status(&[&clean]), Some(0));
    assert_eq!(status(&[&clean, "--deny", "warnings"]), Some(0));
    assert_eq!(status(&[&warned]), Some(0));
    assert_eq!(status(&[&warned, "--deny", "warnings"]), Some(1));
    assert_eq!(status(&[&warned, "--deny", "warnings", "--allow", "W101"]), Some(0));
    assert_eq!(status(&[&wrong]), Some(2));
    assert_eq!(status(&[&wrong, "--compat"]), Some(0));
    assert_eq!(status(&["/nowhere.conf"]), Some(2));
    assert_eq!(status(&[]), Some(2));
    assert_eq!(status(&[&clean, "--allow", "E020"]), Some(2));
    assert_eq!(status(&[&clean, &path("pair/password/lb02.conf")]), Some(2));
}

#[test]
fn the_summary_counts() {
    let output = vrrpctl(&["check", &path("pair/right/lb01.conf"), &path("pair/several/lb02.conf")]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.ends_with("2 files checked: 3 errors, 1 warning\n"), "{text}");
    let output = vrrpctl(&["check", &path("pair/right/lb01.conf")]);
    assert_eq!(String::from_utf8(output.stdout).expect("UTF-8"), "1 file checked: nothing to complain about\n");
}

#[test]
fn json_is_one_object_a_line() {
    let files = [path("pair/password/lb01.conf"), path("pair/password/lb02.conf")];
    let output = vrrpctl(&["check", "--message-format", "json", &files[0], &files[1]]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [finding] = lines.as_slice() else { panic!("one finding: {text}") };
    assert_eq!(finding["code"], "E103");
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["file"], files[1]);
    assert_eq!((&finding["span"]["line"], &finding["span"]["column"]), (&8.into(), &9.into()));
    assert_eq!((&finding["span"]["end_line"], &finding["span"]["end_column"]), (&8.into(), &23.into()));
    let octets = |end: &str| usize::try_from(finding["span"][end].as_u64().expect("a number")).expect("small");
    let source = fs::read_to_string(&files[1]).expect("a file");
    assert_eq!(&source[octets("start")..octets("end")], "auth_pass 2222");
    assert!(finding["message"].as_str().is_some_and(|text| text.contains("VRID 51")));
    assert!(finding["help"].is_string());
    assert_eq!(finding["labels"][0]["file"], files[0]);
    assert_eq!(finding["labels"][0]["span"]["line"], 8);
    assert!(!text.contains("1111") && !text.contains("2222"), "passwords do not belong into a log: {text}");
}

#[test]
fn json_without_a_place_has_a_null_span() {
    let output = vrrpctl(&["check", "--message-format", "json", "/nowhere.conf"]);
    let finding: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(finding["code"], "E001");
    assert!(finding["span"].is_null());
    let output = vrrpctl(&["check", "--message-format", "json", &path("pair/right/lb01.conf")]);
    assert!(output.stdout.is_empty());
}

mod compat {
    use super::*;
    use vrrp_cli::config::{Loaded, Options, parse_str_with};

    fn read(settings: &str, compat: bool) -> Loaded {
        let text = format!(
            "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 7\n{settings}\nvirtual_ipaddress {{\n192.0.2.1/24\n}}\n}}\n"
        );
        let mut options = Options::default();
        options.compat = compat;
        parse_str_with("a.conf", &text, &options)
    }

    /// What keepalived ignores, and the rest runs with its default.
    #[test]
    fn what_keepalived_ignores_is_a_warning() {
        let ignored = [
            ("no_such_keyword 5", "E020"),
            ("priority 300", "E031"),
            ("priority high", "E030"),
            ("advert_int 0", "E031"),
            ("advert_int often", "E030"),
            ("state LEADER", "E032"),
            ("version 4", "E032"),
            ("priority 100 200", "E025"),
            ("garp_master_delay x", "E030"),
            ("strict_mode maybe", "E032"),
        ];
        for (settings, code) in ignored {
            assert!(read(settings, false).has_errors(), "{settings}");
            let loaded = read(settings, true);
            let config = loaded.config.as_ref().unwrap_or_else(|| panic!("{}", loaded.render(false)));
            let finding = &loaded.diagnostics[0];
            assert_eq!((finding.code.as_str(), finding.severity()), (code, Severity::Warning), "{settings}");
            assert_eq!(config.instances[0].priority.get(), 100, "{settings}");
            assert_eq!(config.instances[0].interval.duration().as_secs(), 1, "{settings}");
        }
    }

    /// Without these the instance would be another one, or none.
    #[test]
    fn what_cannot_be_ignored_stays_an_error() {
        let whole = |text: &str| {
            let mut options = Options::default();
            options.compat = true;
            parse_str_with("a.conf", text, &options)
        };
        for settings in ["mcast_src_ip x", "virtual_ipaddress {\n224.0.0.1\n}", "{"] {
            assert!(read(settings, true).has_errors(), "{settings}");
        }
        for text in [
            "vrrp_instance A {\ninterface eth0\nvirtual_router_id 256\nvirtual_ipaddress {\n192.0.2.1\n}\n}\n",
            "vrrp_instance A {\ninterface eth0\nvirtual_router_di 5\nvirtual_ipaddress {\n192.0.2.1\n}\n}\n",
            "vrrp_instance A {\ninterface eth0\nvirtual_router_id 5\nvirtual_ipadress {\n192.0.2.1\n}\n}\n",
            "vrrp_instance A {\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress {\n192.0.2.300\n}\n}\n",
        ] {
            assert!(whole(text).has_errors(), "{}", whole(text).render(false));
        }
    }
}
