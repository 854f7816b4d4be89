//! Lines to a [`Scenario`]. Each refusal names the line, the word and what would be right; knows nothing of running it.

use core::net::{IpAddr, Ipv4Addr};
use core::str::{FromStr, SplitWhitespace};
use core::time::Duration;
use std::boxed::Box;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::super::{Action, Chance, Conditions, Detail, HostId, HostSetup, Time, params, router};
use super::{Claim, Expectation, Scenario, ScenarioError, When};
use crate::Auth;
use crate::fsm::{Params, PreemptDelay, Role, Rules};
use crate::node::{OldChecksum, Peer, Peers, Unicast};
use crate::release::Handover;
use crate::rx::TTL;
use crate::track::{Influence, Status, Weight};
use crate::types::{AdvertInterval, Centiseconds, Priority, SimplePassword, Version, Vrid};

type Result<T> = core::result::Result<T, String>;

const OPTIONS: &str = "priority, owner, v2, v3, interval, ipv6, nopreempt, preempt-delay, adverts, silent, vrid, address, vip, password, peer, kernel, backlog, handover, tracks, startup-delay, stopped";
const VERBS: &str = "start, stop, crash, power-off, stall, link, partition, heal, set, lan, kernel, maintenance, track";

impl FromStr for Scenario {
    type Err = ScenarioError;

    fn from_str(text: &str) -> core::result::Result<Self, ScenarioError> {
        let mut parser = Parser::default();
        let lines = || text.lines().enumerate().map(|(i, line)| (i + 1, line.split('#').next().unwrap_or("").trim()));
        // Names may be used before the line that makes them.
        for pass in [Parser::declare, Parser::happen] {
            for (number, line) in lines().filter(|(_, line)| !line.is_empty()) {
                pass(&mut parser, line).map_err(|message| ScenarioError { line: number, message })?;
            }
        }
        let Parser { mut scenario, end, starts, .. } = parser;
        let last = text.lines().count();
        scenario.end =
            end.ok_or_else(|| ScenarioError { line: last, message: "there is no `run until TIME`".into() })?;
        scenario.actions.splice(0..0, starts);
        Ok(scenario)
    }
}

struct Parser {
    scenario: Scenario,
    starts: Vec<(Time, Action)>,
    end: Option<Time>,
}

impl Default for Parser {
    fn default() -> Self {
        let scenario = Scenario {
            seed: 1,
            detail: Detail::Changes,
            hosts: Vec::new(),
            actions: Vec::new(),
            expectations: Vec::new(),
            end: Time::START,
        };
        Self { scenario, starts: Vec::new(), end: None }
    }
}

impl Parser {
    fn declare(&mut self, line: &str) -> Result<()> {
        let mut words = Words(line.split_whitespace());
        match words.word("a line")? {
            "router" => self.router(&mut words),
            "seed" => {
                self.scenario.seed = words.number("a seed")?;
                words.end()
            }
            "detail" => {
                self.scenario.detail = match words.word("a level of detail")? {
                    "changes" => Detail::Changes,
                    "adverts" => Detail::Adverts,
                    "frames" => Detail::Frames,
                    other => return Err(format!("`{other}` is no level of detail: changes, adverts or frames")),
                };
                words.end()
            }
            "lan" => {
                let conditions = conditions(&mut words)?;
                self.starts.push((Time::START, Action::Conditions(conditions)));
                Ok(())
            }
            "run" => {
                words.expect("until")?;
                if self.end.replace(words.time()?).is_some() {
                    return Err("the scenario has an end already".into());
                }
                words.end()
            }
            "at" | "expect" => Ok(()),
            other => Err(format!("`{other}` begins no line: seed, detail, router, lan, at, expect or run")),
        }
    }

    fn happen(&mut self, line: &str) -> Result<()> {
        let mut words = Words(line.split_whitespace());
        match words.word("a line")? {
            "at" => {
                let at = words.time()?;
                let action = self.action(&mut words)?;
                self.scenario.actions.push((at, action));
                words.end()
            }
            "expect" => self.expect(line, &mut words),
            _ => Ok(()),
        }
    }

    fn router(&mut self, words: &mut Words<'_>) -> Result<()> {
        let name = words.word("the router's name")?;
        if name == "client" || name == "masters" || self.host(name).is_ok() {
            return Err(format!("the name `{name}` is taken"));
        }
        let place = self.scenario.hosts.len();
        let number = u8::try_from(place + 1).ok().filter(|number| *number < 100).ok_or("99 routers are enough")?;
        let mut wanted = Wanted::default();
        let mut setup = HostSetup::new(name, number, Vec::new());
        let mut starts = true;
        let mut peers = Vec::new();
        while let Some(option) = words.0.next() {
            match option {
                "address" => match words.address()? {
                    IpAddr::V4(address) => setup.ipv4 = address,
                    IpAddr::V6(address) => setup.ipv6 = address,
                },
                "kernel" => setup.kernel = words.span()?,
                "tracks" => {
                    let weight = words.0.next().and_then(|word| word.parse().ok()).and_then(Weight::new);
                    let weight = weight.ok_or("`tracks` needs a weight from -254 to 254")?;
                    setup.follows.push((0, 0, Influence { weight, reverse: false }));
                }
                "startup-delay" => setup.startup_delay = words.span()?,
                "backlog" => setup.backlog = words.number("a number of datagrams")?,
                "handover" => {
                    setup.handover = match words.word("immediate, announced or first-advert")? {
                        "immediate" => Handover::Immediate,
                        "announced" => Handover::Announced,
                        "first-advert" => Handover::FirstAdvert,
                        other => return Err(format!("`{other}` is not immediate, announced or first-advert")),
                    }
                }
                "peer" => peers.push(Peer::new(words.address()?)),
                "stopped" => starts = false,
                other if wanted.option(other, words)? => {}
                other => return Err(format!("`{other}` is no option of a router: {OPTIONS}")),
            }
        }
        if !peers.is_empty() {
            let peers = Peers::new(peers).map_err(|error| error.to_string())?;
            setup.unicast = Some(Unicast { peers, ttl: TTL, old_checksum: OldChecksum::default() });
        }
        setup.routers.push(wanted.config()?);
        if starts {
            self.starts.push((Time::START, Action::Start(HostId(place))));
        }
        self.scenario.hosts.push(setup);
        Ok(())
    }

    fn action(&self, words: &mut Words<'_>) -> Result<Action> {
        let action = match words.word("what happens")? {
            "start" => Action::Start(self.named(words)?),
            "stop" => Action::Stop(self.named(words)?),
            "crash" => Action::Crash(self.named(words)?),
            "power-off" => Action::PowerOff(self.named(words)?),
            "stall" => {
                let host = self.named(words)?;
                words.expect("for")?;
                Action::Stall(host, words.span()?)
            }
            "link" => Action::Link(self.named(words)?, words.either("up", "down")?),
            "maintenance" => Action::Maintenance(self.named(words)?, words.either("on", "off")?),
            "track" => {
                let host = self.named(words)?;
                Action::Track(host, 0, if words.either("up", "down")? { Status::Up } else { Status::Down })
            }
            "firewall" => Action::Firewall(self.named(words)?, words.either("drops", "passes")?),
            "kernel" => Action::Refuse(self.named(words)?, words.either("refuses", "obeys")?),
            "partition" => self.partition(words)?,
            "heal" => Action::Partition(vec![0; self.scenario.hosts.len()], 0),
            "set" => self.set(words)?,
            "lan" => match words.0.clone().next() {
                Some("to") => {
                    words.expect("to")?;
                    let host = self.named(words)?;
                    if words.0.clone().next() == Some("as-for-all") {
                        words.expect("as-for-all")?;
                        Action::Hearing(host, None)
                    } else {
                        Action::Hearing(host, Some(conditions(words)?))
                    }
                }
                _ => Action::Conditions(conditions(words)?),
            },
            other => return Err(format!("`{other}` is nothing that happens: {VERBS}")),
        };
        Ok(action)
    }

    fn partition(&self, words: &mut Words<'_>) -> Result<Action> {
        let mut segments = vec![0; self.scenario.hosts.len()];
        let (mut client, mut segment) = (0, 0u8);
        for word in words.0.by_ref() {
            match word {
                "|" => segment = segment.checked_add(1).ok_or("too many parts")?,
                "client" => client = segment,
                name => segments[self.host(name)?.0] = segment,
            }
        }
        if segment == 0 {
            Err("a partition has parts, with `|` between them".into())
        } else {
            Ok(Action::Partition(segments, client))
        }
    }

    /// What is set is what the router has been set to before, and this.
    fn set(&self, words: &mut Words<'_>) -> Result<Action> {
        let host = self.named(words)?;
        let earlier = self.scenario.actions.iter().rev().find_map(|(_, action)| {
            if let Action::Params(other, 0, params) = action { (*other == host).then_some(*params) } else { None }
        });
        let config = self.scenario.hosts[host.0].routers.first().ok_or("there is no router")?;
        let mut params: Params = earlier.unwrap_or(config.params);
        while let Some(option) = words.0.next() {
            match option {
                "priority" => params.priority = words.priority()?,
                "owner" => params.priority = Priority::OWNER,
                "preempt" => params.preempt = true,
                "nopreempt" => params.preempt = false,
                "preempt-delay" => params.rules.preempt_delay = words.delay()?,
                "interval" => {
                    params.interval = interval(words.span()?, params.version() == Version::V3)?;
                }
                other => {
                    let known = "priority, owner, interval, preempt, nopreempt, preempt-delay";
                    return Err(format!("`{other}` cannot be set: {known}"));
                }
            }
        }
        Ok(Action::Params(host, 0, params))
    }

    fn expect(&mut self, line: &str, words: &mut Words<'_>) -> Result<()> {
        let claim = match words.word("who")? {
            "client" => {
                let first = self.scenario.hosts.first().ok_or("there is no router")?;
                let address = first_address(first)?;
                match words.word("whom the client reaches")? {
                    "nobody" => Claim::Client(address, None),
                    name => Claim::Client(address, Some(self.host(name)?)),
                }
            }
            "masters" => Claim::Masters(words.number("a number of masters")?),
            name => {
                let host = self.host(name)?;
                let address = first_address(&self.scenario.hosts[host.0])?;
                match words.word("what the router is")? {
                    "master" => Claim::Role(host, Role::Master),
                    "backup" => Claim::Role(host, Role::Backup),
                    "initialize" => Claim::Role(host, Role::Initialize),
                    "dead" => Claim::Dead(host),
                    "holding" => Claim::Holding(host, address, true),
                    "bare" => Claim::Holding(host, address, false),
                    other => {
                        let known = "master, backup, initialize, dead, holding or bare";
                        return Err(format!("`{other}` is nothing that a router can be: {known}"));
                    }
                }
            }
        };
        let when = match words.word("when")? {
            "at" | "by" => When::At(words.time()?),
            "after" => {
                let first = words.time()?;
                words.expect("by")?;
                When::Between(first, words.later(first)?)
            }
            "from" => {
                let first = words.time()?;
                words.expect("to")?;
                When::Throughout(first, words.later(first)?)
            }
            other => return Err(format!("`{other}` is no time: at, by, after ... by, from ... to")),
        };
        self.scenario.expectations.push(Expectation { text: line.into(), claim, when });
        words.end()
    }

    fn named(&self, words: &mut Words<'_>) -> Result<HostId> {
        self.host(words.word("a router's name")?)
    }

    fn host(&self, name: &str) -> Result<HostId> {
        let place = self.scenario.hosts.iter().position(|setup| setup.name == name);
        place.map(HostId).ok_or_else(|| format!("there is no router `{name}`"))
    }
}

/// A router's options, as far as they were read.
struct Wanted {
    priority: Priority,
    v3: bool,
    interval: Duration,
    ipv6: bool,
    preempt: bool,
    rules: Rules,
    vrid: Option<Vrid>,
    addresses: Vec<IpAddr>,
    auth: Auth,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            priority: Priority::default(),
            v3: false,
            interval: Duration::from_secs(1),
            ipv6: false,
            preempt: true,
            rules: Rules::DEFAULT,
            vrid: Vrid::new(50),
            addresses: Vec::new(),
            auth: Auth::None,
        }
    }
}

impl Wanted {
    /// Reads an option; `false` if it is none of a virtual router.
    fn option(&mut self, option: &str, words: &mut Words<'_>) -> Result<bool> {
        match option {
            "priority" => self.priority = words.priority()?,
            "owner" => self.priority = Priority::OWNER,
            "v2" => self.v3 = false,
            "v3" => self.v3 = true,
            "interval" => self.interval = words.span()?,
            "ipv6" => (self.ipv6, self.v3) = (true, true),
            "nopreempt" => self.preempt = false,
            "preempt-delay" => self.rules.preempt_delay = words.delay()?,
            "adverts" => self.rules.down_timer_adverts = words.number("a number of adverts, 1 to 255")?,
            "silent" => {
                let silent = Rules { answer_weaker: false, announce_to_weaker: false, ..self.rules };
                self.rules = Rules { claim_on_yield: false, ..silent };
            }
            "vrid" => {
                self.vrid = Vrid::new(words.number("a VRID, 1 to 255")?);
            }
            "vip" => {
                for word in words.word("addresses")?.split(',') {
                    self.addresses.push(word.parse().map_err(|_| format!("`{word}` is no address"))?);
                }
            }
            "password" => {
                let text = words.word("a password")?;
                let password = SimplePassword::new(text.as_bytes());
                self.auth = Auth::SimpleText(password.ok_or("a password has 1 to 8 octets")?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn config(self) -> Result<crate::router::RouterConfig<Box<[IpAddr]>>> {
        let interval = interval(self.interval, self.v3)?;
        let params = params(self.priority.get(), interval).ok_or("a priority is 1 to 255")?;
        let addresses = match (self.addresses.is_empty(), self.ipv6) {
            (false, _) => self.addresses,
            (true, false) => vec![IpAddr::V4(Ipv4Addr::new(10, 0, 0, 100))],
            (true, true) => vec![IpAddr::V6([0xfe80, 0, 0, 0, 0, 0, 0, 0x100].into())],
        };
        let vrid = self.vrid.ok_or("a VRID is 1 to 255")?;
        let config = router(vrid, Params { preempt: self.preempt, rules: self.rules, ..params }, &addresses);
        let mut config = config.map_err(|error| error.to_string())?;
        config.auth = self.auth;
        Ok(config)
    }
}

struct Words<'a>(SplitWhitespace<'a>);

impl<'a> Words<'a> {
    fn word(&mut self, what: &str) -> Result<&'a str> {
        self.0.next().ok_or_else(|| format!("the line ends where {what} is due"))
    }

    fn end(&mut self) -> Result<()> {
        self.0.next().map_or(Ok(()), |word| Err(format!("`{word}` is one word too many")))
    }

    fn expect(&mut self, due: &str) -> Result<()> {
        match self.word(&format!("`{due}`"))? {
            word if word == due => Ok(()),
            word => Err(format!("`{word}` stands where `{due}` is due")),
        }
    }

    fn either(&mut self, yes: &str, no: &str) -> Result<bool> {
        match self.word(&format!("`{yes}` or `{no}`"))? {
            word if word == yes => Ok(true),
            word if word == no => Ok(false),
            word => Err(format!("`{word}` stands where `{yes}` or `{no}` is due")),
        }
    }

    fn number<T: FromStr>(&mut self, what: &str) -> Result<T> {
        let word = self.word(what)?;
        word.parse().map_err(|_| format!("`{word}` is not {what}"))
    }

    fn priority(&mut self) -> Result<Priority> {
        Priority::new(self.number("a priority, 1 to 255")?).ok_or_else(|| "a priority is 1 to 255".into())
    }

    fn address(&mut self) -> Result<IpAddr> {
        self.number("an address")
    }

    fn time(&mut self) -> Result<Time> {
        Ok(Time::START + self.span()?)
    }

    fn later(&mut self, than: Time) -> Result<Time> {
        let time = self.time()?;
        if time > than { Ok(time) } else { Err("the second time is not after the first".into()) }
    }

    /// A decimal number and a unit.
    fn span(&mut self) -> Result<Duration> {
        let word = self.word("a time, as in 1.5s or 20ms,")?;
        let wrong = || format!("`{word}` is no time: a number and s, ms or us, as in 1.5s");
        let split = word.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
        let (number, unit) = word.split_at(split);
        let digits = match unit {
            "s" => 9,
            "ms" => 6,
            "us" => 3,
            _ => return Err(wrong()),
        };
        decimal(number, digits).map(Duration::from_nanos).ok_or_else(wrong)
    }

    fn delay(&mut self) -> Result<PreemptDelay> {
        PreemptDelay::new(self.span()?).ok_or_else(|| "a preemption waits 4294s at most".into())
    }

    fn chance(&mut self) -> Result<Chance> {
        let word = self.word("a percentage")?;
        let ppm = word.strip_suffix('%').and_then(|number| decimal(number, 4));
        let chance = ppm.and_then(|ppm| u32::try_from(ppm).ok()).and_then(Chance::from_ppm);
        chance.ok_or_else(|| format!("`{word}` is no percentage: 0% to 100%, as in 2.5%"))
    }
}

/// A decimal number, as so many of its `digits`-th decimals; exact or `None`.
fn decimal(text: &str, digits: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || fraction.len() > digits {
        return None;
    }
    format!("{whole}{fraction:0<digits$}").parse().ok()
}

fn conditions(words: &mut Words<'_>) -> Result<Conditions> {
    let mut conditions = Conditions::default();
    while let Some(word) = words.0.next() {
        match word {
            "delay" => conditions.delay = words.span()?,
            "jitter" => conditions.jitter = words.span()?,
            "loss" => conditions.loss = words.chance()?,
            "duplicate" => conditions.duplicate = words.chance()?,
            "reorder" => conditions.reorder = words.chance()?,
            "hold" => conditions.hold = words.span()?,
            other => {
                return Err(format!(
                    "`{other}` is nothing that a LAN does: delay, jitter, loss, duplicate, reorder, hold"
                ));
            }
        }
    }
    Ok(conditions)
}

fn interval(span: Duration, v3: bool) -> Result<AdvertInterval> {
    let unit = if v3 { 10 } else { 1000 };
    let whole = span.as_nanos().is_multiple_of(unit * 1_000_000).then_some(span.as_millis() / unit);
    let found = match (whole, v3) {
        (Some(count), true) => u16::try_from(count).ok().and_then(Centiseconds::new).map(AdvertInterval::Centiseconds),
        (Some(count), false) => u8::try_from(count).ok().and_then(AdvertInterval::from_secs),
        (None, _) => None,
    };
    let range = if v3 { "10ms to 40.95s in steps of 10ms" } else { "1s to 255s in whole seconds; v3 allows less" };
    found.ok_or_else(|| format!("an interval of {span:?} cannot be: {range}"))
}

fn first_address(setup: &HostSetup) -> Result<IpAddr> {
    let first = setup.routers.first().and_then(|config| config.addresses.as_slice().first().copied());
    first.ok_or_else(|| "there is no address".into())
}
