//! The command line of `vrrpctl`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::{daemon, demo};

/// Where keepalived's configuration file is as a rule.
pub const DEFAULT_CONFIGURATION: &str = "/etc/keepalived/keepalived.conf";

/// Shares virtual addresses between hosts by VRRP: when one host dies or stops, another serves them at once.
///
/// It reads keepalived's configuration files.
#[derive(Debug, Parser)]
#[command(name = "vrrpctl", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the virtual routers of a configuration file, until SIGTERM or SIGINT
    ///
    /// Runs in the foreground and logs to standard error. At the end it tells the other routers that it stops, and removes
    /// the virtual addresses.
    ///
    /// Needs CAP_NET_ADMIN and CAP_NET_RAW, as root has them. VRRPCTL_LOG=debug logs more.
    ///
    /// Exit status: 0 after a stop that was asked for, 1 when it had to give up, 2 when it did not start because of the
    /// configuration or the host; nothing was changed then.
    #[command(verbatim_doc_comment)]
    Run(RunArgs),
    /// See a failover in half a minute, on a throw-away LAN inside this machine
    ///
    /// Builds two routers and a client in network namespaces of their own, stops, crashes and restarts one of the routers,
    /// and prints what the client noticed. Needs no root and does not touch this machine's network.
    ///
    /// Exit status: 0 when the client was served as the protocol promises, 1 when not or when the kernel forbids
    /// namespaces.
    #[command(verbatim_doc_comment)]
    Demo,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The configuration file
    #[arg(short = 'f', long = "file", visible_alias = "use-file", value_name = "FILE", default_value = DEFAULT_CONFIGURATION)]
    file: PathBuf,
}

impl Cli {
    /// Carries out the command.
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Run(RunArgs { file }) => daemon::run(&file),
            Command::Demo => demonstrate(),
        }
    }
}

fn demonstrate() -> ExitCode {
    // The routers of the demonstration are this very program.
    match std::env::current_exe() {
        Ok(executable) => demo::run(&demo::DemoOptions::new(executable)),
        Err(error) => {
            eprintln!("vrrpctl: cannot find this program's own file: {error}");
            ExitCode::FAILURE
        }
    }
}
