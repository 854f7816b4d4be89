//! The stage of the demonstration: the network, the two routers' processes, the client, and the watch kept over them.
//!
//! Says on the screen what happens as it happens; decides nothing about what shall happen.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::screen::{Paint, Screen};
use super::{Stop, seconds};
use crate::lab::{Holders, Lan, Move, Prober, Process};

/// The address that the routers share.
pub(super) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 100);

/// The host that pings the address.
pub(super) const CLIENT: &str = "client";

/// Between two requests of the client.
pub(super) const PING_EVERY: Duration = Duration::from_millis(1);

/// Without an answer for so long, the client counts as cut off.
const CUT_OFF: Duration = Duration::from_millis(100);

/// How long anything on the stage may take: several times what the protocol needs for its slowest step.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often the screen follows.
const TICK: Duration = Duration::from_millis(10);

/// Lines of a router's log that are shown when something went wrong.
const LOG_LINES: usize = 12;

/// Everything that goes when the demonstration ends. Processes go before the network and the files they use.
pub(super) struct Stage<'s> {
    routers: Vec<Router>,
    prober: Prober,
    holders: Holders,
    lan: Lan,
    directory: TempDir,
    screen: &'s mut Screen,
    launch: &'s dyn Fn(&Path) -> Command,
    interrupted: Arc<AtomicUsize>,
    start: Instant,
    /// How many moves of the address have been told.
    told: usize,
    /// Whether the client was answered when last looked, and since when not.
    client: Client,
}

struct Router {
    name: &'static str,
    doing: Doing,
}

enum Doing {
    Nothing,
    Running(Process),
    Stopping(Process),
    /// The host is cut off, and its last addresses are of no account.
    Crashed,
}

#[derive(Clone, Copy)]
enum Client {
    Waiting,
    Answered,
    CutOff(Instant),
}

impl<'s> Stage<'s> {
    /// Builds the network for a client and `routers`, each a name and the text of its configuration file.
    pub(super) fn build(
        routers: &[(&'static str, String)],
        directory: &Path,
        screen: &'s mut Screen,
        launch: &'s dyn Fn(&Path) -> Command,
        interrupted: &Arc<AtomicUsize>,
    ) -> Result<Self, Stop> {
        let directory = tempfile::Builder::new()
            .prefix("vrrpctl-demo-")
            .tempdir_in(directory)
            .map_err(|error| Stop::Failed(format!("cannot create a directory for the configurations: {error}")))?;
        for (name, text) in routers {
            let path = directory.path().join(format!("{name}.conf"));
            fs::write(&path, text)
                .map_err(|error| Stop::Failed(format!("cannot write {}: {error}", path.display())))?;
        }
        let names: Vec<&str> = [CLIENT].into_iter().chain(routers.iter().map(|(name, _)| *name)).collect();
        let lan = Lan::new(&names)?;
        let holders = Holders::watch(lan.hosts(), ADDRESS.into())?;
        let prober = Prober::start(lan.host(CLIENT), ADDRESS, PING_EVERY)?;
        let routers = routers.iter().map(|(name, _)| Router { name, doing: Doing::Nothing }).collect();
        Ok(Self {
            routers,
            prober,
            holders,
            lan,
            directory,
            screen,
            launch,
            interrupted: Arc::clone(interrupted),
            start: Instant::now(),
            told: 0,
            client: Client::Waiting,
        })
    }

    /// The configuration file of a router.
    fn configuration(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.conf"))
    }

    /// `text` as a heading.
    pub(super) fn heading(&self, text: &str) -> String {
        self.screen.paint(Paint::Heading, text)
    }

    /// Begins a part of the timeline.
    pub(super) fn act(&mut self, title: &str) -> Result<(), Stop> {
        self.text("")?;
        self.say(Paint::Heading, title)
    }

    /// Says something in the timeline, now.
    fn say(&mut self, paint: Paint, text: &str) -> Result<(), Stop> {
        Ok(self.screen.event(self.start.elapsed(), paint, text)?)
    }

    /// Says something outside of the timeline.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Stop> {
        Ok(self.screen.text(text)?)
    }

    /// The longest time that the client had to wait for an answer since `since`.
    pub(super) fn silence(&self, since: Instant) -> Duration {
        self.prober.longest_silence(since)
    }

    /// Starts a router's process.
    pub(super) fn start(&mut self, name: &str) -> Result<(), Stop> {
        let log = open_log(&self.log(name))
            .map_err(|error| Stop::Failed(format!("cannot write {}: {error}", self.log(name).display())))?;
        let (stdout, stderr) = log;
        let mut command = (self.launch)(&self.configuration(name));
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let process = self.lan.host(name).spawn(&mut command)?;
        self.router(name)?.doing = Doing::Running(process);
        Ok(())
    }

    /// Asks a router's process to end, as `systemctl stop` does.
    pub(super) fn stop(&mut self, name: &str) -> Result<(), Stop> {
        let router = self.router(name)?;
        if let Doing::Running(mut process) = std::mem::replace(&mut router.doing, Doing::Nothing) {
            let asked = process.terminate();
            router.doing = Doing::Stopping(process);
            asked.map_err(|error| Stop::Failed(format!("cannot stop {name}: {error}")))?;
        }
        Ok(())
    }

    /// Makes a host fall silent from one moment to the next, its cable still in the switch.
    pub(super) fn crash(&mut self, name: &str) -> Result<(), Stop> {
        self.lan.mute(name, 0)?;
        // Dropping what it was doing kills the process.
        self.router(name)?.doing = Doing::Crashed;
        Ok(())
    }

    /// Brings a crashed host back as a boot does: with its own address alone.
    pub(super) fn boot(&mut self, name: &str) -> Result<(), Stop> {
        self.lan.host(name).drop_address(ADDRESS.into())?;
        self.lan.unmute(name, 0)?;
        let gone = |stage: &Self| !stage.holders.now().iter().any(|holder| holder == name);
        self.until("the rebooted host to have its own address alone", gone)?;
        self.router(name)?.doing = Doing::Nothing;
        Ok(())
    }

    /// Waits until `name` alone has the address and the client is answered.
    pub(super) fn until_served_by(&mut self, name: &str) -> Result<(), Stop> {
        self.until(&format!("{name} alone to have {ADDRESS} and the client to be answered"), |stage| {
            let stopped = stage.routers.iter().all(|router| !matches!(router.doing, Doing::Stopping(_)));
            stopped && stage.masters() == [name] && matches!(stage.client, Client::Answered)
        })
    }

    /// Lets the timeline go on for a while.
    pub(super) fn linger(&mut self, time: Duration) -> Result<(), Stop> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.tick()?;
            thread::sleep(TICK);
        }
        Ok(())
    }

    fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) -> Result<(), Stop> {
        let start = Instant::now();
        loop {
            self.tick()?;
            if condition(self) {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                let text = format!("waited {} s for {what}, in vain", PATIENCE.as_secs());
                return Err(self.failed(&text));
            }
            thread::sleep(TICK);
        }
    }

    /// Looks at everything once, and says what is new.
    fn tick(&mut self) -> Result<(), Stop> {
        let signal = self.interrupted.load(Ordering::Relaxed);
        if signal != 0 {
            return Err(Stop::Signal(i32::try_from(signal).unwrap_or_default()));
        }
        self.look_at_processes()?;
        for news in self.holders.moves_from(self.told) {
            self.told += 1;
            self.tell_move(&news)?;
        }
        self.look_at_client()?;
        let status = self.status();
        Ok(self.screen.status(status)?)
    }

    fn look_at_processes(&mut self) -> Result<(), Stop> {
        for index in 0..self.routers.len() {
            let router = &mut self.routers[index];
            let name = router.name;
            let (Doing::Running(process) | Doing::Stopping(process)) = &mut router.doing else { continue };
            let Some(status) = process.ended() else { continue };
            let asked = matches!(router.doing, Doing::Stopping(_));
            router.doing = Doing::Nothing;
            if !asked {
                return Err(self.failed(&format!("the router on {name} has ended by itself ({status})")));
            }
            if !status.success() {
                return Err(self.failed(&format!("the router on {name} has ended badly ({status})")));
            }
            self.say(Paint::Plain, &format!("{name}: the router has ended"))?;
        }
        Ok(())
    }

    fn tell_move(&mut self, news: &Move) -> Result<(), Stop> {
        let name = &news.host;
        let crashed = |router: &Router| router.name == name && matches!(router.doing, Doing::Crashed);
        if self.routers.iter().any(crashed) {
            return Ok(());
        }
        if news.gained {
            self.say(Paint::Good, &format!("{name} is master: it has taken {ADDRESS}"))
        } else {
            self.say(Paint::Plain, &format!("{name} has let go of {ADDRESS}"))
        }
    }

    fn look_at_client(&mut self) -> Result<(), Stop> {
        let Some(last) = self.prober.last_reply() else { return Ok(()) };
        match (self.client, last.elapsed() < CUT_OFF) {
            (Client::Waiting, true) => {
                self.client = Client::Answered;
                self.say(Paint::Good, "the client is answered")
            }
            (Client::Answered, false) => {
                self.client = Client::CutOff(last);
                self.say(Paint::Bad, "the client gets no answer")
            }
            (Client::CutOff(since), true) => {
                self.client = Client::Answered;
                // The answer itself at `since` is the end of the time before.
                let silence = self.prober.longest_silence(since + Duration::from_nanos(1));
                self.say(Paint::Good, &format!("the client is answered again, after {}", seconds(silence)))
            }
            (Client::Waiting | Client::CutOff(_), false) | (Client::Answered, true) => Ok(()),
        }
    }

    /// The line that is redrawn: short enough for 80 columns.
    fn status(&self) -> String {
        let masters = self.masters();
        let router = |router: &Router| {
            let (paint, word) = match router.doing {
                Doing::Crashed => (Paint::Bad, "crashed"),
                Doing::Running(_) | Doing::Stopping(_) | Doing::Nothing if masters.contains(&router.name) => {
                    (Paint::Good, "MASTER")
                }
                Doing::Running(_) => (Paint::Plain, "backup"),
                Doing::Stopping(_) => (Paint::Faint, "stopping"),
                Doing::Nothing => (Paint::Faint, "stopped"),
            };
            format!("{} {}", router.name, self.screen.paint(paint, &format!("{word:8}")))
        };
        let client = match self.client {
            Client::Waiting => self.screen.paint(Paint::Faint, "client: not answered yet"),
            Client::Answered => self.screen.paint(Paint::Good, "client: answered"),
            Client::CutOff(since) => {
                let text = format!("client: no answer for {:.1} s", since.elapsed().as_secs_f64());
                self.screen.paint(Paint::Bad, &text)
            }
        };
        let parts: Vec<String> = self.routers.iter().map(router).chain([client]).collect();
        format!("{:7.1} s   {}", self.start.elapsed().as_secs_f64(), parts.join(" | "))
    }

    /// Those that have the address, crashed hosts left out.
    fn masters(&self) -> Vec<&'static str> {
        let holders = self.holders.now();
        let counts = |router: &&Router| {
            !matches!(router.doing, Doing::Crashed) && holders.iter().any(|holder| holder == router.name)
        };
        self.routers.iter().filter(counts).map(|router| router.name).collect()
    }

    /// A failure, with the last words of every router.
    fn failed(&self, text: &str) -> Stop {
        let mut report = vec![text.to_owned()];
        for router in &self.routers {
            let Ok(log) = fs::read(self.log(router.name)) else { continue };
            let log = String::from_utf8_lossy(&log);
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
            report.push(format!("the last lines of {}:{}", router.name, if last.is_empty() { " none" } else { "" }));
            report.extend(last.iter().map(|line| format!("    {}", line.replace(char::is_control, "?"))));
        }
        Stop::Failed(report.join("\n"))
    }

    fn log(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.log"))
    }

    fn router(&mut self, name: &str) -> Result<&mut Router, Stop> {
        let found = self.routers.iter_mut().find(|router| router.name == name);
        found.ok_or_else(|| Stop::Failed(format!("there is no router {name}")))
    }
}

fn open_log(path: &Path) -> io::Result<(File, File)> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    Ok((file.try_clone()?, file))
}
