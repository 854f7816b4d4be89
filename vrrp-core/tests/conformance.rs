//! The table of requirements, `docs/conformance.md`, names what exists: every number once, and no code or test that is gone.
//!
//! Reads the sources of the whole workspace as text, so it is not part of the published crate. Knows Rust no better than it
//! must: an item is a name behind its keyword, in the file that its path leads to.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const LAST: u16 = 128;

struct Row<'a> {
    number: u16,
    section: &'a str,
    requirement: &'a str,
    state: &'a str,
    code: Vec<&'a str>,
    tests: Vec<&'a str>,
    remarks: &'a str,
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_owned()
}

fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn rows(table: &str) -> Vec<Row<'_>> {
    let cells = |line: &str| line.trim_matches('|').split('|').count();
    let requirement = |line: &&str| line.starts_with("| R") && !line.starts_with("| R |");
    let row = |line| {
        assert_eq!(cells(line), 7, "{line}");
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let mut next = || cells.next().expect("seven cells");
        let number = next();
        Row {
            number: number.strip_prefix('R').and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{number}")),
            section: next(),
            requirement: next(),
            state: next(),
            code: quoted(next()),
            tests: quoted(next()),
            remarks: next(),
        }
    };
    table.lines().filter(requirement).map(row).collect()
}

/// The directory of the crate that a path begins in, and the rest of the path.
fn split_crate(path: &str) -> (PathBuf, Vec<&str>) {
    let mut segments: Vec<&str> = path.split("::").collect();
    let name = match segments.first() {
        Some(&first) if first.starts_with("vrrp_") => segments.remove(0).replace('_', "-"),
        _ => "vrrp-core".to_owned(),
    };
    (workspace().join(name), segments)
}

/// The text of a module: its own file, or that of a module around it which contains it in braces.
fn module(krate: &Path, modules: &[&str]) -> Option<String> {
    let file = |root: &str, modules: &[&str]| {
        let path = modules.iter().fold(krate.join(root), |path, module| path.join(module)).with_extension("rs");
        fs::read_to_string(path).ok()
    };
    let inline = |modules: &[&str]| {
        let (last, outer) = modules.split_last()?;
        file("src", outer).filter(|text| text.contains(&format!("mod {last} {{")))
    };
    file("src", modules).or_else(|| inline(modules)).or_else(|| file("tests", modules))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `name` stands as a word of its own behind one of `keywords`.
fn declared(text: &str, keywords: &[&str], name: &str) -> Option<usize> {
    keywords.iter().find_map(|keyword| {
        let wanted = format!("{keyword} {name}");
        let whole = |at: &usize| {
            let ends = text[at + wanted.len()..].chars().next().is_none_or(|c| !is_word(c));
            ends && text[..*at].chars().next_back().is_none_or(|c| !is_word(c))
        };
        text.match_indices(&wanted).map(|(at, _)| at).find(whole)
    })
}

/// Whether a line declares `name` as a variant, a field or a flag.
fn is_member(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix(name).is_some_and(|rest| [",", "(", " {", ":", " ="].iter().any(|end| rest.starts_with(end)))
    })
}

/// The texts of the modules directly below one, which it declares without braces.
fn children(krate: &Path, modules: &[&str], text: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| line.split_once("mod ")?.1.strip_suffix(';'));
    names.filter(|name| *name != "tests").filter_map(|name| module(krate, &[modules, &[name]].concat())).collect()
}

/// Whether a line passes `name` on from a module below.
fn passes_on(text: &str, name: &str) -> bool {
    text.lines()
        .filter(|line| line.starts_with("pub use "))
        .any(|line| line.split(|c| !is_word(c)).any(|word| word == name))
}

/// Whether a block that begins in a line of its own implements something for `name`.
fn implements(text: &str, name: &str) -> bool {
    text.lines()
        .filter(|line| line.starts_with("impl"))
        .any(|line| line.split(|c| !is_word(c)).any(|word| word == name))
}

fn code_exists(path: &str) -> bool {
    const TYPES: [&str; 5] = ["struct", "enum", "trait", "type", "mod"];
    const VALUES: [&str; 3] = ["fn", "const", "static"];
    let (krate, segments) = split_crate(path);
    let modules = segments.iter().take_while(|segment| segment.starts_with(|c: char| c.is_ascii_lowercase()));
    let modules = modules.count().min(segments.len() - 1);
    let (modules, items) = segments.split_at(modules);
    let Some(text) = module(&krate, modules) else { return false };
    let below = children(&krate, modules, &text);
    let declares = |text: &String, item| declared(text, &TYPES, item).is_some();
    let place =
        |item| declares(&text, item) || (passes_on(&text, item) && below.iter().any(|text| declares(text, item)));
    match items {
        [item] => place(item) || declared(&text, &VALUES, item).is_some(),
        [kind, member] => {
            let has = |text: &String| {
                let speaks = declares(text, kind) || implements(text, kind);
                speaks && (declared(text, &VALUES, member).is_some() || is_member(text, member))
            };
            place(kind) && (has(&text) || below.iter().any(has))
        }
        _ => false,
    }
}

/// A function behind `#[test]`, with other attributes and the parameters of a property between them at most.
fn test_exists(path: &str) -> bool {
    let (krate, segments) = split_crate(path);
    let Some((name, modules)) = segments.split_last() else { return false };
    let Some(text) = module(&krate, modules) else { return false };
    let Some(at) = declared(&text, &["fn"], name) else { return false };
    let before = text[..at].lines().rev().skip_while(|line| line.trim().is_empty());
    before
        .map(str::trim)
        .take_while(|line| line.starts_with('#') || line.starts_with("//"))
        .any(|line| line == "#[test]")
}

fn table() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conformance.md");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_requirement_has_one_row() {
    let table = table();
    let rows = rows(&table);
    let numbers: Vec<u16> = rows.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=LAST).collect::<Vec<_>>(), "each number once, in order");
    for row in rows {
        let Row { number, section, requirement, state, code, tests, remarks } = row;
        assert!(!section.is_empty() && !requirement.is_empty(), "R{number}");
        let (needs_code, needs_remarks) = match state {
            "kept" => (true, false),
            "otherwise" | "partly" => (true, true),
            "elsewhere" | "not yet" | "void" => (false, true),
            other => panic!("R{number}: {other:?} is no state"),
        };
        assert_eq!(!code.is_empty(), needs_code, "R{number} is {state:?}: code {code:?}");
        assert_eq!(!tests.is_empty(), needs_code, "R{number} is {state:?}: tests {tests:?}");
        assert!(!needs_remarks || !remarks.is_empty(), "R{number} is {state:?}: why?");
    }
}

#[test]
fn everything_that_is_named_exists() {
    let table = table();
    let rows = rows(&table);
    let missing = |paths: &dyn Fn(&Row<'_>) -> Vec<String>, exists: fn(&str) -> bool| -> BTreeSet<String> {
        rows.iter().flat_map(paths).filter(|path| !exists(path)).collect()
    };
    let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
    assert_eq!(missing(&|row| owned(&row.code), code_exists), BTreeSet::new(), "no such code");
    assert_eq!(missing(&|row| owned(&row.tests), test_exists), BTreeSet::new(), "no such test");
}

/// A test program of several files has only those that its `main.rs` names: one that is forgotten would never run.
#[test]
fn every_file_of_a_test_program_belongs_to_it() {
    let folders =
        |path: PathBuf| fs::read_dir(path).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut programs = 0;
    for folder in folders(workspace()).flat_map(|krate| folders(krate.join("tests"))) {
        let Ok(main) = fs::read_to_string(folder.join("main.rs")) else { continue };
        programs += 1;
        for file in folders(folder).filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
            let name = file.file_stem().and_then(|name| name.to_str()).expect("a name");
            let named = main.lines().any(|line| line == format!("mod {name};"));
            assert!(named || name == "main", "{} is named nowhere", file.display());
        }
    }
    assert!(programs >= 2, "{programs} test programs of several files");
}

/// A checker that finds everything would pass for ever.
#[test]
fn what_does_not_exist_is_not_found() {
    for (path, exists) in [
        ("fsm::Machine::step", true),
        ("fsm::Machine::ste", false),
        ("fsm::Machin::step", false),
        ("fsm::machine::Machine::step", false),
        ("rx::TTL", true),
        ("rx::TT", false),
        ("rx::Discard::Ttl", true),
        ("rx::Discard::Tt", false),
        ("node::Input::Installed", true),
        ("node::Input::Instaled", false),
        ("node::Node::up_since", true),
        ("node::Input::up_since", false),
        ("node::Times", false),
        ("node::times::Node::up_since", false),
        ("vrrp_netlink::packet::PacketSocket::send", true),
        ("vrrp_netlnk::packet::PacketSocket::send", false),
    ] {
        assert_eq!(code_exists(path), exists, "{path}");
    }
    for (path, exists) in [
        ("fsm::tests::r28_the_owner_starts_as_master", true),
        ("fsm::tests::r28_the_owner_starts_as", false),
        ("fsm::r28_the_owner_starts_as_master", false),
        ("checksum::tests::all_ones_do_not_overflow", true),
        ("checksum::tests::reference", false),
        ("captures::frames", false),
        ("captures::every_hostile_packet_is_refused", true),
        ("wire::advert::tests::what_is_emitted_is_parsed", true),
        ("vrrp_cli::lan::wire::tcpdump_reads_adverts_and_announcements", true),
        ("vrrp_cli::lan::wire::tcpdump_reads_adverts", false),
    ] {
        assert_eq!(test_exists(path), exists, "{path}");
    }
}
