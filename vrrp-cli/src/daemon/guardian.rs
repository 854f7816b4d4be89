//! The guardian: a second process, the parent of the one that does the work. It passes signals on, and should the other die
//! without goodbye, or fall silent, it says goodbye in its place and removes what is left on the host.
//!
//! The parent has one thread and nearly no memory of its own: it is split off before anything else is done. Knows no
//! configuration; all that it needs is in the [will](will) that the working process keeps up to date.
//!
//! Who ends first ends the other: the guardian outlives the working process by what there is to do, and a working process
//! whose guardian was killed stops as it would on SIGTERM.

mod bequest;
mod patience;
mod settle;
mod terms;
mod will;
mod words;

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use vrrp_netlink::guardian::{Channel, Ending, Fork, Heard, Offspring, Shared, Signals, fork, terminate_with_parent};
use vrrp_netlink::process::{Poller, Wakeup};

use super::{eprint_block, ledger, log};
pub(super) use bequest::{Bequest, Ward};
use patience::{Beat, Patience, Verdict};
use settle::{Means, Settled, words_of};
pub(super) use terms::Terms;
pub(super) use will::Room;
use will::Will;
pub(super) use words::LastWords;

/// How long the end of a process that was killed is waited for: only one that waits for a device takes longer.
const DEATH: Duration = Duration::from_millis(50);
/// No message is longer: a letter and a path.
const MESSAGE: usize = 4096;
/// Addresses that are named in a line of the log.
const NAMED: usize = 4;

/// Which process goes on.
pub(super) enum Side {
    /// The one that does the work; `None` when there is no guardian.
    Worker(Option<Ward>),
    /// The guardian, when everything is over.
    Guardian(ExitCode),
}

/// Makes two processes of this one. Where that cannot be, says why, and works without a guardian.
pub(super) fn split() -> Side {
    match try_split() {
        Ok(side) => side,
        Err(error) => {
            eprint_block(&format!("warning: {error}: going on without a guardian"));
            Side::Worker(None)
        }
    }
}

fn try_split() -> vrrp_netlink::Result<Side> {
    let (ours, theirs) = Channel::pair()?;
    let wakeup = Wakeup::new()?;
    let begin = Instant::now();
    let signals = Signals::block()?;
    let parent = std::process::id();
    match fork() {
        Ok(Fork::Parent(child)) => {
            drop(theirs);
            Ok(Side::Guardian(Guardian { child, signals, channel: Some(ours), wakeup, begin, locks: Vec::new() }.run()))
        }
        Ok(Fork::Child) => {
            drop(ours);
            signals.unblock()?;
            if terminate_with_parent(parent)? {
                Ok(Side::Worker(Some(Ward { channel: theirs, wakeup, begin, parent })))
            } else {
                // It was killed before there was anything to do.
                Ok(Side::Guardian(ExitCode::FAILURE))
            }
        }
        Err(error) => {
            signals.unblock()?;
            Err(error)
        }
    }
}

struct Guardian {
    child: Offspring,
    signals: Signals,
    /// `None` once the other end is closed.
    channel: Option<Channel>,
    wakeup: Wakeup,
    begin: Instant,
    /// Keep a successor from beginning while there is something left to do.
    locks: Vec<OwnedFd>,
}

/// A will, and the means to carry it out.
struct Armed {
    will: Will,
    means: Means,
    /// Tells a successor what is held, too.
    file: Option<PathBuf>,
}

impl Armed {
    fn settle(mut self, begin: Instant) -> Settled {
        let settled = self.means.settle(&self.will, begin, self.file.as_deref());
        if let Some(file) = self.file.filter(|_| settled.failed.is_empty()) {
            ledger::forget(&file);
        }
        settled
    }
}

impl Guardian {
    /// Until the working process has ended and what it left is done; its exit status.
    fn run(mut self) -> ExitCode {
        let mut armed = None;
        let mut patience = Patience::default();
        let mut poller = Poller::new();
        let mut until: Option<Duration> = None;
        let ending = loop {
            poller.clear();
            poller.add(&self.signals);
            poller.add(&self.wakeup);
            if let Some(channel) = &self.channel {
                poller.add(channel);
            }
            let timeout = until.map(|until| until.saturating_sub(self.begin.elapsed()));
            if poller.wait(timeout).is_err() {
                // Nothing that it waits for can fail; what is left then is to look again and again.
                std::thread::sleep(Duration::from_millis(100));
            }
            self.wakeup.clear();
            self.pass_signals_on();
            if let Some(ending) = self.child.ended() {
                self.hear(&mut armed);
                break Ok(ending);
            }
            self.hear(&mut armed);
            if let Some(Armed { will, .. }) = &armed {
                match patience.look(self.begin.elapsed(), beats(will)) {
                    Verdict::Wait(at) => until = at,
                    Verdict::Silent(silent) => break Err(silent),
                }
            }
        };
        if let Err(silent) = ending {
            self.kill();
            let settled = armed.map(|armed| armed.settle(self.begin));
            let log = log::start_plain();
            tracing::error!("the working process sent nothing for {}: it was killed", words_of(silent));
            report(&settled.unwrap_or_default());
            drop(log);
            return ExitCode::FAILURE;
        }
        let ending = ending.unwrap_or(Ending::Killed(0));
        let settled = armed.map(|armed| armed.settle(self.begin)).unwrap_or_default();
        match ending {
            Ending::Exited(status) if settled.is_nothing() => exit_code(status),
            Ending::Exited(status) => {
                let _log = log::start_plain();
                tracing::error!("the working process ended with status {status} and left something behind");
                report(&settled);
                if status == 0 { ExitCode::FAILURE } else { exit_code(status) }
            }
            Ending::Killed(signal) => {
                let _log = log::start_plain();
                let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
                tracing::error!("the working process was killed by {name}");
                report(&settled);
                ExitCode::FAILURE
            }
        }
    }

    fn pass_signals_on(&self) {
        use signal_hook::consts::{SIGCHLD, SIGPIPE};
        while let Some(signal) = self.signals.next() {
            if ![SIGCHLD, SIGPIPE].contains(&signal) {
                self.child.forward(signal);
            }
        }
    }

    fn hear(&mut self, armed: &mut Option<Armed>) {
        let mut octets = [0; MESSAGE];
        while let Some(channel) = &self.channel {
            match channel.receive(&mut octets) {
                Ok(Heard::Message(len, mut descriptors)) => match octets[0] {
                    bequest::LOCKS => self.locks.append(&mut descriptors),
                    bequest::WILL => {
                        let will = descriptors.pop().and_then(|memory| Will::open(Shared::open(memory).ok()?));
                        match (will, Means::open_beside(self.child.id())) {
                            (Some(will), Ok(means)) => {
                                let file = octets.get(1..len).filter(|path| !path.is_empty());
                                let file = file.map(|path| PathBuf::from(OsStr::from_bytes(path)));
                                *armed = Some(Armed { will, means, file });
                            }
                            (None, _) => eprint_block("warning: the guardian does not understand what it is told"),
                            (_, Err(error)) => eprint_block(&format!("warning: the guardian {error}")),
                        }
                    }
                    bequest::TERMS => octets.get(1..len).and_then(Terms::read).into_iter().for_each(Terms::begin),
                    _ => {}
                },
                Ok(Heard::Nothing) => return,
                Ok(Heard::End) => self.channel = None,
                Err(error) => {
                    eprint_block(&format!("warning: the guardian {error}: it may be unable to act in case of need"));
                    // What came with too many descriptors is gone; behind it may be more.
                    if error.errno() != Some(Errno::ENOBUFS as i32) {
                        self.channel = None;
                    }
                }
            }
        }
    }

    /// Ends the working process, and waits a moment until it is gone.
    fn kill(&self) {
        self.child.kill();
        let asked = Instant::now();
        let mut poller = Poller::new();
        poller.add(&self.signals);
        while self.child.ended().is_none() && asked.elapsed() < DEATH {
            let _ = poller.wait(Some(Duration::from_millis(1)));
            while self.signals.next().is_some() {}
        }
    }
}

impl Settled {
    fn is_nothing(&self) -> bool {
        self.said == 0 && self.removed.is_empty() && self.others == 0 && self.failed.is_empty()
    }
}

/// The routers that send adverts.
fn beats(will: &Will) -> impl Iterator<Item = Beat> + Clone {
    let promises = (0..will.cells()).filter_map(|cell| will.promised(cell));
    promises.map(|promise| Beat { last: promise.last, patience: promise.patience })
}

fn report(settled: &Settled) {
    let Settled { said, removed, others, failed } = settled;
    let mut names: Vec<_> = removed.iter().take(NAMED).map(ToString::to_string).collect();
    if removed.len() > NAMED {
        names.push(format!("{} more", removed.len() - NAMED));
    }
    let names = if names.is_empty() { "no address".to_owned() } else { names.join(", ") };
    let rest = match others {
        0 => String::new(),
        1 => ", and one interface, setting or table".to_owned(),
        count => format!(", and {count} interfaces, settings or tables"),
    };
    tracing::warn!("in its place: {said} releases sent, {names} removed{rest}");
    for failure in failed {
        tracing::error!("{failure}");
    }
}

fn exit_code(status: i32) -> ExitCode {
    u8::try_from(status).map_or(ExitCode::FAILURE, ExitCode::from)
}
