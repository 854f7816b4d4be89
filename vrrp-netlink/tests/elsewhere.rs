//! On another system the crate says what it is, and nothing else: no hundred errors about what is not there.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

#[test]
fn another_system_is_one_clear_error() {
    let source =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("the crate's root");
    // No standard library of another system is needed to see which of the items are left.
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("elsewhere.rs");
    fs::write(&file, source.replace("target_os = \"linux\"", "target_os = \"elsewhere\"")).expect("a file");
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command
        .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "-o"])
        .arg(file.with_extension("out"));
    let output = command.arg(&file).output().expect("the compiler that built this test");
    let said = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<_> = said.lines().filter(|line| line.starts_with("error")).collect();
    let clear = "error: vrrp-netlink drives the Linux kernel; build it for a Linux target, or embed vrrp-core alone";
    assert!(!output.status.success() && errors.first() == Some(&clear), "{said}");
    assert!(errors[1..].iter().all(|line| line.starts_with("error: aborting due to 1 previous error")), "{said}");
}
