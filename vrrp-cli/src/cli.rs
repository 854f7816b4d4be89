//! The command line of `vrrpctl`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::check::{self, CheckOptions, parse_code};
use crate::config::{Code, Options};
use crate::fmt::{self, FormatOptions};
use crate::show::{self, ShowOptions};
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
    /// Say what is wrong, or unwise, in configuration files
    ///
    /// Needs neither root nor the interfaces. With several files, one for each host, the hosts are compared: versions,
    /// intervals, passwords, addresses, priorities, peers, weights, sync groups.
    ///
    /// A warning is silenced by `--allow W103`, or by a comment in the file: `# vrrpctl: allow W103`.
    ///
    /// Exit status: 0 when there are no errors, 1 when there are warnings and `--deny warnings` is given, 2 when there
    /// are errors.
    #[command(verbatim_doc_comment)]
    Check(CheckArgs),
    /// Give configuration files one layout, and keep their comments
    ///
    /// Writes the files in place; `-` reads standard input and writes standard output. Lines of the preprocessor stay
    /// as they are. What a file means does not change.
    ///
    /// Exit status: 0, 1 when `--check` found a file that would change, 2 when a file could not be formatted.
    #[command(verbatim_doc_comment)]
    Fmt(FmtArgs),
    /// Print the configuration in effect, after includes, expansion and defaults
    ///
    /// What it prints is read to the same configuration again, when secrets are shown.
    ///
    /// Exit status: 0, or 2 when the file has errors.
    #[command(verbatim_doc_comment)]
    ShowConfig(ShowArgs),
    /// See a failover in about 20 seconds, on a throw-away LAN inside this machine
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
    /// Do without the second process, which says goodbye and removes the addresses should this one die or fall silent
    #[arg(long)]
    no_guardian: bool,
    #[command(flatten)]
    reading: ReadingArgs,
}

#[derive(Debug, Args)]
struct ReadingArgs {
    /// What `@NAME` in the file is compared with; the host's name unless given
    #[arg(short = 'i', long, value_name = "NAME")]
    config_id: Option<String>,
    /// Only warn of what keepalived would ignore: unknown keywords, surplus values, values out of range
    #[arg(long)]
    compat: bool,
}

impl ReadingArgs {
    fn options(self) -> Options {
        Options { id: self.config_id, compat: self.compat, ..Options::default() }
    }
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// The configuration files, one for each host
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// What `@NAME` is compared with: once for all files, or once for each
    #[arg(short = 'i', long, value_name = "NAME")]
    config_id: Vec<String>,
    /// Do not tell of these warnings
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = parse_code)]
    allow: Vec<Code>,
    /// Exit with status 1 when there are warnings
    #[arg(long, value_name = "WHAT")]
    deny: Option<Deny>,
    /// Pictures for people, or one JSON object a line
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    message_format: MessageFormat,
    /// Only warn of what keepalived would ignore: unknown keywords, surplus values, values out of range
    #[arg(long)]
    compat: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Deny {
    Warnings,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum MessageFormat {
    Human,
    Json,
}

#[derive(Debug, Args)]
struct FmtArgs {
    /// The configuration files; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Change nothing; print the names of the files that would change
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// The configuration file
    #[arg(value_name = "FILE", default_value = DEFAULT_CONFIGURATION)]
    file: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Passwords and keys as they are
    #[arg(long)]
    show_secrets: bool,
    /// Also what is not set, and what holds instead
    #[arg(long)]
    defaults: bool,
    #[command(flatten)]
    reading: ReadingArgs,
}

impl Cli {
    /// Carries out the command.
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Run(RunArgs { file, no_guardian, reading }) => {
                daemon::run(&file, &reading.options(), !no_guardian)
            }
            Command::Check(args) => check::run(&CheckOptions {
                files: args.files,
                ids: args.config_id,
                allow: args.allow,
                deny_warnings: args.deny.is_some(),
                json: args.message_format == MessageFormat::Json,
                compat: args.compat,
            }),
            Command::Fmt(FmtArgs { files, check }) => fmt::run(&FormatOptions { files, check }),
            Command::ShowConfig(args) => {
                let show = ShowOptions { json: args.json, secrets: args.show_secrets, defaults: args.defaults };
                show::run(&args.file, &args.reading.options(), show)
            }
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
