//! Every wrong input below `tests/config/cases` against the picture that is expected of its diagnostics.
//!
//! A case is a file `NAME.conf`, or a directory `NAME` whose `main.conf` includes others; its picture is `NAME.txt`.
//!
//! `SNAPSHOTS=overwrite cargo test -p vrrp-cli --test config cases` writes the pictures anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use snapbox::{Data, assert_data_eq};
use vrrp_cli::config::{Code, Loaded, Options, load_with};

fn cases() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/cases");
    let mut cases: Vec<PathBuf> = fs::read_dir(directory)
        .expect("the directory of cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir() || path.extension().is_some_and(|extension| extension == "conf"))
        .collect();
    cases.sort();
    cases
}

/// As the host `main`, with an empty environment.
fn read(case: &Path) -> Loaded {
    let file = if case.is_dir() { case.join("main.conf") } else { case.to_owned() };
    let mut options = Options::default();
    options.id = Some("main".to_owned());
    options.environment = Some(BTreeMap::new());
    options.seed = Some(1);
    load_with(&file, &options)
}

#[test]
fn diagnostics_are_drawn_as_expected() {
    let cases = cases();
    assert!(cases.len() >= 120, "only {} cases found", cases.len());
    for case in cases {
        let loaded = read(&case);
        let directory = if case.is_dir() { &case } else { case.parent().expect("a directory") };
        let directory = directory.display().to_string();
        let mut drawn = loaded.render(false).replace(&format!("{directory}/"), "");
        drawn.push_str(if loaded.config.is_some() { "runs\n" } else { "does not run\n" });
        assert_eq!(loaded.config.is_none(), loaded.has_errors(), "{}", case.display());
        assert!(!loaded.diagnostics.is_empty(), "{} has nothing wrong", case.display());
        for diagnostic in &loaded.diagnostics {
            assert!(diagnostic.help.is_some(), "{} in {} does not say what to do", diagnostic.code, case.display());
        }
        let expected = Data::read_from(&case.with_extension("txt"), None);
        assert_data_eq!(drawn, expected.raw());
    }
}

/// Mistakes that people really make, each with its case.
#[test]
fn the_usual_mistakes_have_their_cases() {
    for name in [
        "keyword_misspelt",
        "keyword_case",
        "keyword_dashes",
        "keyword_equals",
        "keyword_glued",
        "keyword_ellipsis",
        "value_missing",
        "brace_missing_end",
        "brace_missing_middle",
        "brace_missing_open",
        "brace_doubled_open",
        "brace_doubled_close",
        "quote_unclosed",
        "quote_curly",
        "block_in_wrong_block",
        "track_weights",
        "run_together_line",
        "run_together_all",
        "comment_chinese",
        "comment_accented",
        "comment_fullwidth",
        "comment_glued",
        "tabs",
        "crlf",
        "blank_nobreak",
        "blank_fullwidth",
        "braces_fullwidth",
        "digits_fullwidth",
        "bom",
        "tutorial_at_night",
        "tutorial_values",
    ] {
        let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/cases").join(name);
        let loaded = read(&case.with_extension("conf"));
        assert!(!loaded.diagnostics.is_empty(), "{name}");
    }
    let weigh = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/cases/track_weights.conf"));
    assert!(weigh.is_ok_and(|text| text.contains("weigh -")));
}

#[test]
fn every_code_is_shown_by_a_case() {
    let mut shown: Vec<Code> =
        cases().iter().flat_map(|case| read(case).diagnostics).map(|diagnostic| diagnostic.code).collect();
    // Those about the file itself and its size have their own tests.
    shown.extend([Code::CannotRead, Code::NotAFile, Code::TooLarge, Code::TooManyErrors, Code::ExpansionTooLarge]);
    // E06x, W06x and E08x are what only the host can find; they and what `check` finds, from 100 on, have their own cases.
    let elsewhere =
        |code: &Code| matches!(&code.as_str()[..2], "E1" | "W1" | "W2") || matches!(&code.as_str()[1..3], "06" | "08");
    let missing: Vec<&Code> = Code::ALL.iter().filter(|code| !shown.contains(code) && !elsewhere(code)).collect();
    assert!(missing.is_empty(), "no case shows {missing:?}");
}
