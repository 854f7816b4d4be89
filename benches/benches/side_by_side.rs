//! The same work for vrrpctl and keepalived, as one table: builds the programs as they are released, then runs the harness.
//!
//! Without a dependency of its own, so that the other benches are built without the whole daemon. Options:
//! `benches/side_by_side`.

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let packages = ["-p", "vrrp-cli", "-p", "vrrp-side-by-side"];
    let built = Command::new(cargo).args(["build", "--release", "--locked"]).args(packages).status();
    if !built.is_ok_and(|status| status.success()) {
        eprintln!("the programs cannot be built");
        return ExitCode::FAILURE;
    }
    // This program lies in the folder `deps` beside those.
    let own = env::current_exe().unwrap_or_default();
    let folder = own.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    let words = env::args_os().skip(1).filter(|word| word != "--bench");
    match Command::new(folder.join("vrrp-side-by-side")).args(words).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot start {}: {error}", folder.join("vrrp-side-by-side").display());
            ExitCode::FAILURE
        }
    }
}
