//! `vrrpctl`: the command line. What it does is in the library beside it.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    vrrp_cli::cli::Cli::parse().run()
}
