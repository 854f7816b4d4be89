//! What the demonstration shows, in which order and in which words.
//!
//! Knows the events and what the protocol allows for each, which it asks the core for; not how anything is done.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use vrrp_core::fsm::{Params, Rules};
use vrrp_core::{AdvertInterval, Priority};

use super::screen::Screen;
use super::stage::{ADDRESS, Stage};
use super::{Stop, seconds};

const FIRST: &str = "lb01";
const SECOND: &str = "lb02";
const FIRST_PRIORITY: u8 = 150;
const SECOND_PRIORITY: u8 = 100;

/// How long the reader is left with what has happened.
const PAUSE: Duration = Duration::from_millis(1500);

/// What a client may wait beyond the protocol's time on a busy machine before the demonstration counts as failed.
const TOLERANCE: Duration = Duration::from_millis(500);

/// One line of the table at the end.
struct Measured {
    event: &'static str,
    silence: Duration,
    /// The longest silence by the protocol.
    limit: Duration,
    /// The same in words.
    allowed: String,
}

/// Tells the whole story; whether the client was served as the protocol promises. Its files are below `directory` until
/// it ends.
pub(super) fn tell(
    screen: &mut Screen,
    directory: &Path,
    launch: &dyn Fn(&Path) -> Command,
    interrupted: &Arc<AtomicUsize>,
) -> Result<bool, Stop> {
    let texts = [
        (FIRST, configuration(FIRST, "MASTER", FIRST_PRIORITY)),
        (SECOND, configuration(SECOND, "BACKUP", SECOND_PRIORITY)),
    ];
    let (skew_time, master_down_interval, interval) = times()?;
    let mut stage = Stage::build(&texts, directory, screen, launch, interrupted)?;
    let title = stage.heading("vrrpctl demo: an address that survives its host");
    introduce(&mut stage, &title, &texts[0].1)?;

    stage.act("Start: both routers are started, and elect a master")?;
    stage.start(FIRST)?;
    stage.start(SECOND)?;
    stage.until_served_by(FIRST)?;
    stage.linger(PAUSE)?;

    let mut table = Vec::new();
    let mut measure = |stage: &mut Stage<'_>, event, since, limit, allowed: String| -> Result<(), Stop> {
        stage.linger(PAUSE)?;
        table.push(Measured { event, silence: stage.silence(since), limit, allowed });
        Ok(())
    };

    stage.act("1. Planned stop: lb01 gets SIGTERM, as from systemctl stop, and says goodbye")?;
    let since = Instant::now();
    stage.stop(FIRST)?;
    stage.until_served_by(SECOND)?;
    measure(&mut stage, "planned stop of lb01", since, skew_time, seconds(skew_time))?;

    stage.act("2. Return: lb01 is started again; it listens first, then takes the address back")?;
    let since = Instant::now();
    stage.start(FIRST)?;
    stage.until_served_by(FIRST)?;
    measure(&mut stage, "return of lb01", since, Duration::ZERO, "none".to_owned())?;

    stage.act("3. Crash: lb01 falls silent without a word, its cable still in the switch")?;
    let since = Instant::now();
    stage.crash(FIRST)?;
    stage.until_served_by(SECOND)?;
    let shortest = master_down_interval.saturating_sub(interval).as_secs_f64();
    let allowed = format!("{shortest:.3} to {}", seconds(master_down_interval));
    measure(&mut stage, "crash of lb01", since, master_down_interval, allowed)?;

    stage.act("4. Return: lb01 has booted, and its router is started again")?;
    let since = Instant::now();
    stage.boot(FIRST)?;
    stage.start(FIRST)?;
    stage.until_served_by(FIRST)?;
    measure(&mut stage, "return of lb01 after the crash", since, Duration::ZERO, "none".to_owned())?;

    conclude(&mut stage, &table)
}

fn introduce(stage: &mut Stage<'_>, title: &str, configuration: &str) -> Result<(), Stop> {
    let indented: Vec<String> = configuration.lines().map(|line| format!("    {line}")).collect();
    stage.text(&format!(
        "{title}\n\n\
         Two routers, {FIRST} and {SECOND}, share the address {ADDRESS}. One of them, the master, has\n\
         it; when the master goes, the other takes it over. A client pings it 1000 times a\n\
         second and measures how long it gets no answer. All of this happens on a network of\n\
         throw-away hosts inside this machine; your own network is not touched.\n\n    \
             client 10.9.0.1 ---+\n    \
             {FIRST}   10.9.0.2 ---+--- switch\n    \
             {SECOND}   10.9.0.3 ---+\n\n\
         Each router is a process \"vrrpctl run -f FILE\". The files are ordinary ones of\n\
         keepalived; this is {FIRST}.conf:\n\n{}\n\n\
         {SECOND}.conf says router_id {SECOND}, state BACKUP and priority {SECOND_PRIORITY}.",
        indented.join("\n"),
    ))
}

fn conclude(stage: &mut Stage<'_>, table: &[Measured]) -> Result<bool, Stop> {
    let row = |event: &str, measured: &str, allowed: &str| format!("    {event:<32}{measured:>10}   {allowed}");
    stage.text("")?;
    stage.text(&stage.heading("How long the client got no answer"))?;
    stage.text(&row("event", "measured", "by the protocol (VRRPv2, 1 s)"))?;
    for measured in table {
        stage.text(&row(measured.event, &seconds(measured.silence), &measured.allowed))?;
    }
    stage.text(
        "\n\
         A master that stops says so, and its backup takes over after its Skew_Time; vrrpctl serves\n\
         on until then. One that crashes cannot: three advertisements have to be missed first\n\
         (Master_Down_Interval). One that comes back listens first, and then takes over in the\n\
         moment in which the other lets go.\n",
    )?;
    let late = table.iter().any(|row| row.silence > row.limit + TOLERANCE);
    stage.text(if late {
        "The client had to wait longer than the protocol allows. A very busy machine can be the\n\
         reason; if it happens again on an idle one, it is a fault worth reporting."
    } else {
        "Next: \"vrrpctl run --help\", and README.md for two real hosts."
    })?;
    Ok(!late)
}

fn configuration(name: &str, state: &str, priority: u8) -> String {
    format!(
        "global_defs {{
    router_id {name}
}}
vrrp_instance VI_1 {{
    state {state}
    interface eth0
    virtual_router_id 50
    priority {priority}
    advert_int 1
    authentication {{
        auth_type PASS
        auth_pass 1111
    }}
    virtual_ipaddress {{
        {ADDRESS}
    }}
}}
"
    )
}

/// Skew_Time and Master_Down_Interval of the second router, and the interval of the advertisements.
fn times() -> Result<(Duration, Duration, Duration), Stop> {
    let (Some(priority), Some(interval)) = (Priority::new(SECOND_PRIORITY), AdvertInterval::from_secs(1)) else {
        return Err(Stop::Failed("the demonstration's own configuration is out of range".to_owned()));
    };
    let params = Params { priority, interval, preempt: true, accept: true, rules: Rules::DEFAULT };
    Ok((params.skew_time(interval), params.master_down_interval(interval), interval.duration()))
}
