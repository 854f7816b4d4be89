//! The reference in `docs/` against the table: every keyword, and every deliberate difference from keepalived.
//!
//! `SNAPSHOTS=overwrite cargo test -p vrrp-cli reference` writes anew what is generated.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::config::lower::address::OPTIONS as ADDRESS_OPTIONS;
use crate::config::lower::route::{ROUTE, RULE, Takes};
use crate::config::{Options, parse_str_with};

const BLOCKS: &[(Context, &str, &str)] = &[
    (Context::Root, "Top level", "What may stand outside of every block."),
    (Context::Global, "`global_defs`", "Settings of the host. Where in the file the block stands does not matter."),
    (Context::Instance, "`vrrp_instance NAME`", "A virtual router."),
    (Context::Authentication, "`authentication`", "In `vrrp_instance`. VRRP version 2 only."),
    (Context::AuthHmac, "`auth_hmac`", "In `vrrp_instance`, for both versions. One to four keys."),
    (Context::SyncGroup, "`vrrp_sync_group NAME`", "Instances that change state together."),
    (
        Context::Script,
        "`vrrp_script NAME`",
        "A command that instances track: status 0 is well. Or, as an extension that keepalived does not know, a built-in \
         check: `tcp` is well while a connection is accepted, `http` while the page is answered with a status in the range \
         (200 to 399 unless one is written; without TLS), `process` while a process of that name or program runs, and \
         `gateway` while a neighbour answers ARP or a neighbour solicitation on the wire. All take `interval`, `timeout`, \
         `rise`, `fall`, `weight` and `init_fail`. The first result decides at once; `rise` and `fall` count from then on.",
    ),
    (Context::TrackFile, "`track_file NAME`", "A file whose number instances track."),
    (Context::TrackProcess, "`vrrp_track_process NAME`", "Processes that instances track."),
    (Context::Bfd, "`bfd_instance NAME`", "A BFD session that instances track. The name has at most 31 octets."),
    (Context::GarpGroup, "`garp_group`", "A common pace of announcements."),
    (Context::TrackGroup, "`track_group NAME`", "Instances that fail with a static entry."),
];

/// Behind it, a file of `docs/` is written by hand.
const END: &str = "<!-- end -->";

/// How the meaning of what keepalived does not know ends.
const EXTENSION: &str = "; not in keepalived";

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)
}

/// `|` would end a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn status(keyword: &Keyword) -> String {
    match keyword.built {
        Built::Yes => "yes".into(),
        Built::NotYet => "not yet, `W010`".into(),
        Built::Refused(_) => "not yet, refused `E021`".into(),
    }
}

fn example(keyword: &Keyword) -> String {
    let value = match keyword.shape {
        Shape::Named => "NAME { ... }".into(),
        Shape::Block => "{ ... }".into(),
        Shape::Seconds(..) if keyword.name == "advert_int" => "1".into(),
        _ => samples::right(keyword).into_iter().next().unwrap_or_default(),
    };
    format!("{} {value}", keyword.name).trim_end().replace('\n', " ")
}

fn reference() -> String {
    let mut text = String::from(
        "# Configuration reference\n\n\
         Generated from the table that reads the file; a test holds the two together.\n\n\
         A line is a keyword and its values, separated by blanks; `{ ... }` is a block. `[...]` may be left out, `A|B` is \
         one or the other, `...` may be repeated. *Built* says whether the keyword has its effect today. What is not built \
         is read and checked all the same: most of it is ignored with the warning `W010`; what cannot be ignored without \
         harm is refused with the error `E021`. `keepalived-compatibility.md` says why.\n\n\
         What makes lines of others (`include`, `@`, `$`, `~`) is [behind the tables](#before-the-keywords-the-preprocessor).\n",
    );
    for (context, title, about) in BLOCKS {
        write!(text, "\n## {title}\n\n{about}\n\n").expect("a string");
        text.push_str("| Keyword | Written | Range and unit | Default | Example | Built | Meaning |\n");
        text.push_str("|---|---|---|---|---|---|---|\n");
        for keyword in rows().filter(|keyword| keyword.context == *context) {
            let meaning = match keyword.renamed {
                Some(name) => format!("old name of `{name}`"),
                None => keyword.doc.to_owned(),
            };
            let (usage, range) = (cell(&keyword.usage()), cell(&keyword.shape.range()));
            let (default, example) = (cell(keyword.default), cell(&example(&keyword)));
            let (name, built, meaning) = (keyword.name, status(&keyword), cell(&meaning));
            writeln!(text, "| `{name}` | `{usage}` | {range} | {default} | `{example}` | {built} | {meaning} |")
                .expect("a string");
        }
    }
    text.push_str("\n## Lines of addresses\n\n`ADDRESS[/LENGTH]` and options, in any order. Without a length it is that of a single host.\n\n");
    text.push_str("| Option | Value |\n|---|---|\n");
    for (name, takes_value) in ADDRESS_OPTIONS {
        writeln!(text, "| `{name}` | {} |", if *takes_value { "one" } else { "none" }).expect("a string");
    }
    for (title, first, table) in [
        ("routes", "`[inet|inet6] [add|prepend|append] [KIND] DESTINATION|default`", ROUTE),
        ("rules", "`[inet|inet6] [not]`", RULE),
    ] {
        write!(text, "\n## Lines of {title}\n\n{first} and options.\n\n| Option | Value | Meaning |\n|---|---|---|\n")
            .expect("a string");
        for (other, name, takes) in table {
            let value = match takes {
                Takes::Nothing => "none".into(),
                Takes::Number(low, high) => format!("{low} to {high}"),
                Takes::Range(low, high) => format!("`FIRST-LAST` or one number, {low} to {high}"),
                Takes::Address => "an address".into(),
                Takes::Network => "a network or `default`".into(),
                Takes::Interface => "an interface".into(),
                Takes::Choice(choices) => cell(&choices.join("|")),
                Takes::Text => "a name or number".into(),
                Takes::Encapsulation => "`ip`, `ip6`, `mpls` or `ila` and its options".into(),
            };
            let meaning = if other == name { String::from("as in iproute2") } else { format!("`{name}`") };
            writeln!(text, "| `{other}` | {value} | {meaning} |").expect("a string");
        }
    }
    text
}

fn compatibility() -> String {
    let mut text = String::from("| Keyword | Where | Here | Why | Test |\n|---|---|---|---|---|\n");
    for keyword in rows() {
        let (here, why) = match (keyword.built, keyword.renamed) {
            (Built::Refused(why), _) => ("refused, `E021`", format!("ignored, {why}")),
            (_, Some(name)) => ("warning `W012`", format!("old name of `{name}`")),
            (Built::NotYet, _) => ("ignored, `W010`", "not built yet".into()),
            (Built::Yes, _) if keyword.doc.ends_with(EXTENSION) => ("an extension", "not in keepalived".into()),
            (Built::Yes, _) => ("as in keepalived", String::new()),
        };
        let shown_by = if matches!(keyword.meaning, Meaning::Root(_)) || keyword.name == "authentication" {
            "every_block_is_read"
        } else {
            "values_at_their_limits_are_read"
        };
        let (name, place) = (keyword.name, keyword.context.place());
        writeln!(text, "| `{name}` | {place} | {here} | {why} | `{shown_by}` |").expect("a string");
    }
    for keyword in lvs::rows().filter(|keyword| keyword.context == Context::Root && keyword.opens.is_some()) {
        writeln!(
            text,
            "| `{}` | at the top level of the file | ignored as a whole, `W011` | IPVS is not built | `case ipvs` |",
            keyword.name
        )
        .expect("a string");
    }
    text
}

fn compare(path: &Path, found: &str, expected: &str, whole: &str) {
    if found == expected {
        return;
    }
    if std::env::var_os("SNAPSHOTS").is_some_and(|value| value == "overwrite") {
        fs::write(path, whole).expect("written");
        return;
    }
    let differs = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    panic!("{} is not what the table says: {differs:?}; SNAPSHOTS=overwrite writes it anew", path.display());
}

#[test]
fn the_reference_is_that_of_the_table() {
    let path = docs("configuration.md");
    let found = fs::read_to_string(&path).expect("the reference");
    let (table, behind) = found.split_once(END).expect("the closing mark");
    let expected = reference() + "\n";
    compare(&path, table, &expected, &[&expected, END, behind].concat());
}

#[test]
fn examples_of_the_preprocessor_are_read() {
    let found = fs::read_to_string(docs("configuration.md")).expect("the reference");
    let (_, behind) = found.split_once(END).expect("the closing mark");
    let examples: Vec<&str> = behind.split("```conf\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let options = Options { id: Some("main".to_owned()), ..Options::default() };
    let instances = examples.iter().map(|example| {
        let loaded = parse_str_with("example.conf", example, &options);
        assert!(loaded.diagnostics.is_empty(), "{example}\n{}", loaded.render(false));
        loaded.config.map_or(0, |config| config.instances.len())
    });
    assert_eq!(instances.collect::<Vec<_>>(), [1, 2, 2]);
}

#[test]
fn every_block_is_in_the_reference() {
    for keyword in rows() {
        assert!(BLOCKS.iter().any(|(context, ..)| *context == keyword.context), "{}", keyword.context.place());
    }
}

#[test]
fn the_compatibility_table_names_every_keyword() {
    const OPEN: &str = "<!-- keywords: generated -->\n";
    let path = docs("keepalived-compatibility.md");
    let found = fs::read_to_string(&path).expect("the compatibility table");
    let (before, rest) = found.split_once(OPEN).expect("the opening mark");
    let (table, behind) = rest.split_once(END).expect("the closing mark");
    let expected = compatibility();
    compare(&path, table, &expected, &[before, OPEN, &expected, END, behind].concat());
}

/// Each row ends with the name of a test.
#[test]
fn every_difference_has_its_test() {
    let found = fs::read_to_string(docs("keepalived-compatibility.md")).expect("the compatibility table");
    let sources = sources(Path::new(env!("CARGO_MANIFEST_DIR")));
    for (title, least) in
        [("Deliberate differences", 30), ("Where the code counts", 10), ("The preprocessor", 15), ("Keywords", 250)]
    {
        let (_, rest) = found.split_once(&format!("## {title}")).expect("the section");
        let section = rest.split("\n## ").next().unwrap_or_default();
        let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
        assert!(rows.len() >= least, "only {} rows in {title}", rows.len());
        for row in rows {
            let name = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default().trim().trim_matches('`');
            if let Some(case) = name.strip_prefix("case ") {
                let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/cases");
                assert!(cases.join(case).with_extension("txt").exists(), "no case {case}: {row}");
                continue;
            }
            assert!(sources.contains(&format!("fn {name}(")), "no test `{name}`: {row}");
        }
    }
}

fn sources(root: &Path) -> String {
    let mut text = String::new();
    let mut folders = vec![root.join("src"), root.join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(path).expect("a source"));
            }
        }
    }
    text
}
