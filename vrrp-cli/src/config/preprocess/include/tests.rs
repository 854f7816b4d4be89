//! Patterns, and trees of files in a directory of their own.

use std::fmt::Write;

use tempfile::TempDir;

use super::*;
use crate::config::preprocess::run;
use crate::config::preprocess::tests::{options, shown};
use crate::config::source::SourceMap;

struct Tree(TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(TempDir::new().expect("a directory"));
        for (name, text) in files {
            let path = tree.0.path().join(name);
            fs::create_dir_all(path.parent().expect("a directory")).expect("to create it");
            fs::write(path, text).expect("to write a file");
        }
        tree
    }

    /// Runs `text` as the file `main`; what is read, line by line, and the codes.
    fn read(&self, text: &str) -> (String, Vec<Code>) {
        let path = self.0.path().join("main");
        fs::write(&path, text).expect("to write a file");
        let mut sources = SourceMap::default();
        let file = sources.add("main".to_owned(), text.to_owned(), Vec::new(), Vec::new()).expect("a short text");
        let mut sink = super::super::Sink::default();
        let chunks = run(file, &Home::File(path), &options(), &mut sources, &mut sink);
        let codes = sink.iter().map(|diagnostic| diagnostic.code).collect();
        (shown(&sources, &chunks.unwrap_or_default()), codes)
    }

    #[track_caller]
    fn check(&self, text: &str, expected: &str, codes: &[Code]) {
        assert_eq!(self.read(text), (expected.to_owned(), codes.to_vec()), "{text}");
    }
}

const FAILED: &[Code] = &[Code::IncludeFailed];
const SKIPPED: &[Code] = &[Code::IncludeSkipped];

#[test]
fn files_are_read_in_place_and_in_order() {
    let tree =
        Tree::new(&[("d/1.conf", "one\n"), ("d/2.conf", "two"), ("d/.hid.conf", "hid"), ("d/in", "include 2.conf\n")]);
    tree.check("a {\ninclude d/1.conf # x\n}", "a { | one | }", &[]);
    tree.check("a { include d/1.conf\n}\n} include d/in", "a { | one | } | } | two", &[]);
    tree.check("include d/*.conf", "one | two", &[]);
    tree.check("include d/{2,1}.conf", "two | one", &[]);
    tree.check("include d/[^1].conf\ninclude d/?.c**f", "two | one | two", &[]);
    tree.check("include d/in", "two", &[]);
    let absolute = tree.0.path().join("d/1.conf");
    tree.check(&format!("include {}", absolute.display()), "one", &[]);
}

#[test]
fn includes_may_be_conditional_and_made() {
    let tree = Tree::new(&[("1", "one${N}\n"), ("def", "$N=7"), ("sub/pwd", "x${_PWD}")]);
    tree.check("@main include def\n@other include 1\ninclude 1", "one7", &[]);
    tree.check("$F=1\n~SEQ(N,1,2) include $F\n$I=include\n$I 1", "one1 | one2 | one2", &[]);
    tree.check("$M= \\\na \\\ninclude 1 \\\nb\n$N=3\n$M", "a | one3 | b", &[]);
    let directory = fs::canonicalize(tree.0.path()).expect("it exists");
    tree.check("y${_PWD}\ninclude sub/pwd", &format!("y{0} | x{0}/sub", directory.display()), &[]);
}

#[test]
fn a_missing_file_is_an_error_only_when_asked_for() {
    let tree = Tree::new(&[("a", "a")]);
    tree.check("include no", "", SKIPPED);
    tree.check("include no*", "", &[]);
    tree.check("includer no", "", SKIPPED);
    tree.check("includem no", "", FAILED);
    tree.check("includem no*", "", &[]);
    tree.check("includew no*", "", FAILED);
    tree.check("includeb {a,no}", "a", FAILED);
    tree.check("include {a,no}", "a", &[]);
    tree.check("includea no", "", FAILED);
    tree.check("includea {a,no*}", "a", FAILED);
}

#[test]
fn the_global_check_counts_from_where_it_stands() {
    let tree = Tree::new(&[("loose", "include_check -match\ninclude no"), ("a", "a")]);
    let words = |text: &str| text.replace('\n', " ");
    let check = |text: &str, codes: &[Code]| assert_eq!(tree.read(text).1, codes, "{}", words(text));
    check("include no1\nglobal_defs {\ninclude_check match\n}\ninclude no2\ninclude no*", &[SKIPPED, FAILED].concat());
    check("global_defs { include_check\n}\ninclude no*", FAILED);
    check("include_check all\ninclude_check -match -wildcard_match\ninclude no", SKIPPED);
    check("include_check + match wildcard_match\ninclude no*", FAILED);
    check("include_check match\ninclude_check brace_match\ninclude no\ninclude {a,no}", &[SKIPPED, FAILED].concat());
    // What a file changes ends with it.
    check("include_check match\ninclude loose\ninclude no2", &[SKIPPED, FAILED].concat());
}

#[test]
fn only_regular_files_that_nobody_executes_are_read() {
    let tree = Tree::new(&[("x", "x"), ("d/f", "f")]);
    fs::set_permissions(tree.0.path().join("x"), fs::Permissions::from_mode(0o755)).expect("to change the mode");
    tree.check("include x", "", FAILED);
    tree.check("include [x]", "", SKIPPED);
    tree.check("includer [x]", "", FAILED);
    tree.check("include d", "", FAILED);
    tree.check("include d*", "", SKIPPED);
    fs::write(tree.0.path().join("u"), [0xff, 0xfe, b'a', 0]).expect("to write a file");
    tree.check("include u*", "", FAILED);
}

#[test]
fn wrong_names_are_refused() {
    let tree = Tree::new(&[("a", "a")]);
    tree.check("include", "", FAILED);
    tree.check("include \"a\"", "", FAILED);
    tree.check("include {a", "", FAILED);
    tree.check("include [a", "", FAILED);
    tree.check(&format!("include {}", "{a,b}".repeat(12)), "", FAILED);
}

#[test]
fn cycles_depth_and_number_are_bounded() {
    let tree = Tree::new(&[("a", "include b\n"), ("b", "x\ninclude ./a"), ("self", "include main"), ("one", "1\n")]);
    tree.check("include a", "x", &[Code::IncludeCycle]);
    tree.check("include self", "", &[Code::IncludeCycle]);
    for n in 0..20 {
        fs::write(tree.0.path().join(format!("n{n}")), format!("{n}\ninclude n{}", n + 1)).expect("to write a file");
    }
    let (read, codes) = tree.read("include n0");
    assert_eq!((read.split(" | ").count(), codes), (MAX_NESTING - 1, vec![Code::IncludeTooDeep]));
    tree.check(&format!("~SEQ(N,{MAX_FILES}) include one"), "", &[Code::IncludeTooDeep]);
}

#[test]
fn all_files_together_are_bounded() {
    let tree = Tree::new(&[]);
    let mut text = String::new();
    let line = format!("# {}\n", "x".repeat(20_000));
    let large = line.repeat(MAX_READ / line.len() / 3);
    for n in 0..4 {
        fs::write(tree.0.path().join(n.to_string()), &large).expect("to write a file");
        writeln!(text, "include {n}").expect("to write a line");
    }
    tree.check(&text, "", &[Code::TooLarge]);
}

#[test]
fn braces_are_expanded_as_in_a_shell() {
    let words = |pattern: &str| braces(pattern).map(|words| words.join(" "));
    assert_eq!(words("a{b,c}d").as_deref(), Some("abd acd"));
    assert_eq!(words("{foo/{,cat,dog},bar}").as_deref(), Some("foo/ foo/cat foo/dog bar"));
    assert_eq!(words("{a,b}{1,2}").as_deref(), Some("a1 a2 b1 b2"));
    assert_eq!(words("a").as_deref(), Some("a"));
    assert_eq!(words("{a,{b}").as_deref(), None);
    assert_eq!(words(&"{a,b}".repeat(40)), None);
    assert_eq!(words(&"{a,".repeat(4000)), None);
}
