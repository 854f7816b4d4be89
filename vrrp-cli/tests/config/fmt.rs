//! `vrrpctl fmt`: the layout, that it is stable, and that a file means afterwards what it meant before.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use vrrp_cli::config::{Loaded, Options, load, parse_str_with};
use vrrp_cli::fmt::{FormatError, format};

fn read(text: &str) -> Loaded {
    let mut options = Options::default();
    options.id = Some("a".to_owned());
    options.environment = Some(std::collections::BTreeMap::new());
    options.seed = Some(1);
    parse_str_with("any.conf", text, &options)
}

/// All that a configuration says, without the places.
fn meaning(loaded: &Loaded) -> String {
    let text = format!("{:?}", loaded.config);
    let mut parts = text.split("Span {");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "Span" + part.split_once('}').map_or("", |(_, rest)| rest))
}

#[test]
fn the_layout() {
    let typed = "\u{feff}! lead\r\n\r\n\r\nvrrp_instance   VI_1\n{\n\n  interface eth0 # the LAN\n\tvirtual_router_id\t51  #the same\n\
                 authentication { auth_type PASS\n auth_pass 1111 } # weak\n # about addresses\n\
                 virtual_ipaddress { 192.0.2.1/24   dev eth0\n\n }\n\n\n}\n\n";
    let expected = "! lead\n\nvrrp_instance VI_1 {\n    interface eth0       # the LAN\n    virtual_router_id 51 #the same\n    \
                    authentication {\n        auth_type PASS\n        auth_pass 1111\n    } # weak\n    \
                    # about addresses\n    virtual_ipaddress {\n        192.0.2.1/24 dev eth0\n    }\n}\n";
    assert_eq!(format(typed).as_deref(), Ok(expected));
    assert_eq!(format("").as_deref(), Ok(""));
    assert_eq!(format("\n\n").as_deref(), Ok(""));
}

#[test]
fn blanks_that_count_stay() {
    for text in ["notify \"/bin/a   b\"\n", "notify '/bin/a   b' 'c  d'\n", "notify \"/bin/a \\\"x  y\\\" #no\"\n"] {
        assert_eq!(format(text).as_deref(), Ok(text));
    }
    assert_eq!(format("a\\#b   c\n").as_deref(), Ok("a\\#b c\n"));
}

#[test]
fn lines_of_the_preprocessor_stay() {
    let text = "$VIP=192.0.2.1/24\n  $BODY=   priority  100 \\\n     advert_int   1\n\n~SEQ(i, 1, 3) vrrp_instance VI_$i {\n    \
                interface eth0\n    @a   priority  150\n    $BODY\n}\ninclude \"other  file.conf\"\n";
    let expected = text.replace("@a   priority  150", "@a priority 150");
    assert_eq!(format(text).as_deref(), Ok(expected.as_str()));
    let conditions = "@a vrrp_instance A {\n@b vrrp_instance B {\n    interface eth0\n}\n";
    let once = format(conditions).expect("conditions need not pair up");
    assert_eq!(format(&once).as_deref(), Ok(once.as_str()));
}

/// On a line of its own it would be kept as it is, and so it is where it stands.
#[test]
fn what_the_preprocessor_reads_behind_a_brace_stays() {
    for text in ["a { $X=1\nb ${X}\n}\n", "a { $X = 1 }\n", "a { ~SEQ(i,1,2) b\n}\n", "a { @main b }\n"] {
        let once = format(text).expect("a layout");
        assert_eq!(once.lines().next(), text.lines().next());
        assert_eq!(format(&once), Ok(once.clone()), "{text:?}");
        assert_eq!(meaning(&read(&once)), meaning(&read(text)));
    }
}

#[test]
fn what_cannot_be_laid_out_is_told() {
    assert_eq!(format("a {\nb {\n}\n"), Err(FormatError::Missing(1)));
    assert_eq!(format("a\n}\n"), Err(FormatError::Extra(2)));
    assert_eq!(format("a \"b\n"), Err(FormatError::Quote(1)));
}

#[test]
fn the_examples_keep_their_meaning() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples");
    for file in
        ["active-standby/lb01.conf", "active-standby/lb02.conf", "dual-master/lb01.conf", "dual-master/lb02.conf"]
    {
        let path = examples.join(file);
        let text = fs::read_to_string(&path).expect("an example");
        let formatted = format(&text).expect("a layout");
        assert_eq!(meaning(&read(&formatted)), meaning(&load(&path)), "{file}");
        assert_eq!(text.matches('#').count(), formatted.matches('#').count(), "{file}");
    }
}

#[test]
fn the_command() {
    let folder = tempfile::tempdir().expect("a directory");
    let (good, bad, link) =
        (folder.path().join("good.conf"), folder.path().join("bad.conf"), folder.path().join("link.conf"));
    fs::write(&good, "a {\n  b\n}\n").expect("written");
    fs::set_permissions(&good, fs::Permissions::from_mode(0o640)).expect("allowed");
    fs::write(&bad, "a {\n").expect("written");
    std::os::unix::fs::symlink(&good, &link).expect("linked");
    let fmt = |arguments: &[&std::ffi::OsStr]| {
        Command::new(env!("CARGO_BIN_EXE_vrrpctl")).arg("fmt").args(arguments).output().expect("vrrpctl runs")
    };
    let check = std::ffi::OsStr::new("--check");
    let output = fmt(&[check, good.as_os_str()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{}\n", good.display()));
    assert_eq!(fs::read_to_string(&good).expect("a file"), "a {\n  b\n}\n");
    assert_eq!(fmt(&[link.as_os_str()]).status.code(), Some(0));
    assert_eq!(fs::read_to_string(&good).expect("a file"), "a {\n    b\n}\n");
    assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    assert_eq!(fs::metadata(&good).expect("a file").permissions().mode() & 0o777, 0o640);
    assert_eq!(fmt(&[check, good.as_os_str()]).status.code(), Some(0));
    let output = fmt(&[bad.as_os_str()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("a `}` is missing"));
    assert_eq!(fs::read_to_string(&bad).expect("a file"), "a {\n");

    let mut child = Command::new(env!("CARGO_BIN_EXE_vrrpctl"))
        .args(["fmt", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("vrrpctl runs");
    child.stdin.take().expect("a pipe").write_all(b"a { b }").expect("written");
    let output = child.wait_with_output().expect("ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a {\n    b\n}\n");
}

const PIECES: &[&str] = &[
    "vrrp_instance VI",
    "interface eth0",
    "virtual_router_id 51",
    "priority",
    "100",
    "virtual_ipaddress",
    "192.0.2.1/24",
    "{",
    "{",
    "}",
    "}",
    "\n",
    "\n",
    "\n",
    "\r\n",
    " ",
    "\t",
    "# comment",
    "!c",
    "\"quoted # }\"",
    "'single  quoted'",
    "\\#",
    "${X}",
    "$X=1",
    "$L=a \\\n",
    "@a",
    "@b",
    "~SEQ(i,1,2)",
    "include x",
    "\\",
    "\"",
    "\u{3000}",
    "ü",
    "\u{feff}",
    "'",
];

fn whole_file() -> impl Strategy<Value = String> {
    let gap = || prop::sample::select(vec![" ", "  ", "\t"]);
    let end = || prop::sample::select(vec!["\n", "\r\n", "\n\n\n", " # c\n", "\n# own\n", "  \n"]);
    let open = || prop::sample::select(vec![" {", "{", "\n{", " { # c\n", "\n\n{\n"]);
    let instance = (1_u8..=255, 1_u8..255, gap(), end(), open(), open(), any::<bool>());
    prop::collection::vec(instance, 1..4).prop_map(|all| {
        let mut text = "$P=150\n".to_owned();
        for (at, (vrid, priority, gap, end, open, inner, glued)) in all.into_iter().enumerate() {
            let close = if glued { "}" } else { "\n}" };
            let instance = format!(
                "vrrp_instance{gap}V{at}{open}\ninterface{gap}e{at}{end}virtual_router_id{gap}{vrid}{end}priority {priority}{end}\
                 @a advert_int{gap}2\n@b advert_int 3\n@c priority $P\nnotify{gap}\"/bin/x{gap}'a{gap}b' {at}\"{end}\
                 virtual_ipaddress{inner}10.{at}.0.1{gap}dev{gap}eth0{close}{end}}}{end}"
            );
            text.push_str(&instance);
        }
        text
    })
}

/// A blank behind a backslash keeps the next line from belonging to this one.
#[test]
fn a_backslash_with_a_blank_behind_it_does_not_begin_to_continue() {
    for text in ["@a{\\ \n{vrrp_instance VI", "a b # comment \\ \nc d\n", "# own \\ \n  c d\n"] {
        let once = format(text).expect("a layout");
        assert_eq!(once.lines().filter(|line| line.ends_with('\\')).count(), 0, "{once:?}");
        assert_eq!(format(&once), Ok(once.clone()), "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_second_time_changes_nothing(pieces in prop::collection::vec((prop::sample::select(PIECES), any::<bool>()), 0..60)) {
        let text: String = pieces.iter().flat_map(|(piece, blank)| [*piece, if *blank { " " } else { "" }]).collect();
        if let Ok(once) = format(&text) {
            prop_assert_eq!(format(&once), Ok(once.clone()), "{:?}", text);
        }
    }

    #[test]
    fn the_meaning_stays(text in whole_file()) {
        let before = read(&text);
        prop_assert!(before.config.is_some(), "{}", before.render(false));
        let formatted = format(&text).expect("a layout");
        let after = read(&formatted);
        prop_assert_eq!(meaning(&before), meaning(&after), "{}", formatted);
        prop_assert_eq!(format(&formatted), Ok(formatted.clone()));
    }

    #[test]
    fn any_text_is_laid_out_or_refused(text in any::<String>()) {
        let _ = format(&text);
    }
}
