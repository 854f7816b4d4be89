//! Every state × event, against a reference written from the RFC's clauses that shares no code with `step`.

use core::num::NonZeroU8;
use std::collections::BTreeMap;

use super::*;

/// What the clause of the RFC asks for.
pub(super) struct Row {
    pub(super) clause: &'static str,
    pub(super) next: Machine,
    pub(super) actions: Actions,
}

fn nanos_of(interval: AdvertInterval) -> u128 {
    match interval {
        AdvertInterval::Seconds(s) => u128::from(s.get()) * 1_000_000_000,
        AdvertInterval::Centiseconds(cs) => u128::from(cs.get()) * 10_000_000,
    }
}

fn whole(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap())
}

fn skew(params: Params, of: AdvertInterval) -> u128 {
    let steps = 256 - u128::from(params.priority.get());
    match of {
        AdvertInterval::Seconds(_) => steps * 1_000_000_000 / 256,
        AdvertInterval::Centiseconds(_) => {
            let exact = steps * nanos_of(of);
            exact / 256 + u128::from(!exact.is_multiple_of(256))
        }
    }
}

fn down(params: Params, of: AdvertInterval) -> u128 {
    u128::from(params.rules.down_timer_adverts.get()) * nanos_of(of) + skew(params, of)
}

fn unchanged(clause: &'static str, machine: Machine) -> Row {
    Row { clause, next: machine, actions: Actions::NONE }
}

/// A Backup that no longer spares a weaker Master ends the delay; one that ceases to be Backup need not say so.
fn stops(before: Machine) -> Option<DelayOp> {
    matches!(before.state, State::Backup { heard: Heard::Spared, .. }).then_some(DelayOp::Stop)
}

fn to_master(rule: &'static str, mut next: Machine, from: Role, cause: Cause) -> Row {
    next.state = State::Master { answered: false };
    let actions = Actions {
        advertise: Some(Advertise::Claim),
        addresses: Some(Addresses::Install),
        announce: true,
        timer: Some(TimerOp::Set(Timer::Adver, whole(nanos_of(next.params.interval)))),
        delay: None,
        transition: transition(from, Role::Master, cause),
    };
    Row { clause: rule, next, actions }
}

fn to_backup(rule: &'static str, mut next: Machine, from: Role, of: AdvertInterval, cause: Cause) -> Row {
    next.state = State::Backup { heard: Heard::Master, master_interval: of, due: false };
    let actions = Actions {
        advertise: None,
        addresses: Some(Addresses::Remove),
        announce: false,
        timer: Some(TimerOp::Set(Timer::MasterDown, whole(down(next.params, of)))),
        delay: None,
        transition: transition(from, Role::Backup, cause),
    };
    Row { clause: rule, next, actions }
}

fn to_initialize(mut next: Machine, from: Role, cause: Cause) -> Row {
    next.state = State::Initialize;
    let timer = Some(TimerOp::Cancel);
    let transition = transition(from, Role::Initialize, cause);
    if from == Role::Backup {
        return Row { clause: "R34", next, actions: Actions { timer, transition, ..Actions::NONE } };
    }
    let carried = matches!(next.link, Link::Up(_));
    let actions = Actions {
        advertise: if carried { Some(Advertise::Release) } else { None },
        addresses: Some(Addresses::Remove),
        announce: false,
        timer,
        delay: None,
        transition,
    };
    Row { clause: if carried { "R42" } else { "R42, no link" }, next, actions }
}

fn held(m: &Machine) -> bool {
    m.hold.is_some() || m.limit != Limit::Master
}

/// No timer runs: what is waited for is the group, or the end of a hold.
fn waits(clause: &'static str, mut next: Machine, actions: Actions) -> Row {
    let delay = stops(next);
    if let State::Backup { heard, due, .. } = &mut next.state {
        *due = true;
        if *heard == Heard::Spared {
            *heard = Heard::Master;
        }
    }
    Row { clause, next, actions: Actions { timer: Some(TimerOp::Cancel), delay, ..actions } }
}

/// Group and holds, of a router that runs before and after.
fn leave_to_lead(before: Machine, next: Machine, cause: Cause) -> Row {
    match (next.state, held(&next)) {
        (State::Master { .. }, true) => {
            let row = to_backup("steps down", next, Role::Master, next.params.interval, cause);
            Row { actions: Actions { advertise: Some(Advertise::Release), ..row.actions }, ..row }
        }
        (State::Backup { heard, due: true, .. }, false) => {
            let wait = if before.hold == next.hold { Wait::Group } else { Wait::Hold(before.hold.unwrap()) };
            to_master("leave to lead", next, Role::Backup, Cause::Due { wait, heard })
        }
        _ => unchanged("level repeated", next),
    }
}

fn takeover(heard: Heard) -> Cause {
    match heard {
        Heard::Master | Heard::Spared => Cause::MasterTimeout,
        Heard::Release => Cause::Released,
        Heard::Weaker => Cause::LowerPriorityMaster,
    }
}

/// Startup and Shutdown, as levels.
fn level(before: Machine, next: Machine, cause: Cause) -> Row {
    let on = |m: &Machine| {
        m.enabled && m.healthy && ![Limit::Fault, Limit::Stopped].contains(&m.limit) && matches!(m.link, Link::Up(_))
    };
    let from = before.state.role();
    if on(&before) && !on(&next) {
        return to_initialize(next, from, cause);
    }
    if on(&before) && on(&next) {
        return leave_to_lead(before, next, cause);
    }
    if !on(&next) {
        return unchanged("level repeated", next);
    }
    if next.params.priority.get() == 255 && held(&next) {
        let row = to_backup("owner waits", next, from, next.params.interval, cause);
        return waits("owner waits", row.next, row.actions);
    }
    if next.params.priority.get() == 255 {
        to_master("R28", next, from, cause)
    } else {
        to_backup("R29", next, from, next.params.interval, cause)
    }
}

fn advert_in_backup(m: Machine, priority: u8, theirs: AdvertInterval) -> Row {
    let State::Backup { heard, master_interval: of, due } = m.state else { panic!("{m:?}") };
    let ours = m.params.priority.get();
    let follows = |clause, heard, of, span, delay| {
        let timer = Some(TimerOp::Set(Timer::MasterDown, whole(span)));
        let next = Machine { state: State::Backup { heard, master_interval: of, due: false }, ..m };
        Row { clause, next, actions: Actions { timer, delay, ..Actions::NONE } }
    };
    if priority == 0 {
        return follows("R36", Heard::Release, of, skew(m.params, of), stops(m));
    }
    let v3 = matches!(m.params.interval, AdvertInterval::Centiseconds(_));
    let learnt = if v3 { theirs } else { m.params.interval };
    // R25: for the owner Preempt_Mode is always true.
    let preempts = m.params.preempt || ours == 255;
    if !preempts || priority >= ours {
        return follows(if v3 { "R81, R99" } else { "R37" }, Heard::Master, learnt, down(m.params, learnt), stops(m));
    }
    let preempt_delay = m.params.rules.preempt_delay;
    if heard == Heard::Spared {
        return follows("weaker, delay runs", Heard::Spared, learnt, down(m.params, learnt), None);
    }
    if ours < 255 && heard != Heard::Weaker && preempt_delay != PreemptDelay::NONE {
        let start = Some(DelayOp::Start(preempt_delay));
        return follows("weaker, delay begins", Heard::Spared, learnt, down(m.params, learnt), start);
    }
    let heard = if heard == Heard::Release { Heard::Release } else { Heard::Weaker };
    unchanged("R38", Machine { state: State::Backup { heard, master_interval: of, due }, ..m })
}

fn advert_in_master(m: Machine, answered: bool, from: IpAddr, priority: u8, theirs: AdvertInterval) -> Row {
    let ours = m.params.priority.get();
    let own = m.link.source().expect("a Master has a link");
    let rules = m.params.rules;
    if priority == 0 {
        let timer = Some(TimerOp::Set(Timer::Adver, whole(nanos_of(m.params.interval))));
        let next = Machine { state: State::Master { answered: false }, ..m };
        let actions = Actions { advertise: Some(Advertise::Claim), timer, ..Actions::NONE };
        return Row { clause: "R44", next, actions };
    }
    if priority > ours || (priority == ours && from > own) {
        let v3 = matches!(m.params.interval, AdvertInterval::Centiseconds(_));
        let of = if v3 { theirs } else { m.params.interval };
        let cause = Cause::HigherPriority { from, priority: prio(priority) };
        let row = to_backup(if v3 { "R84" } else { "R45" }, m, Role::Master, of, cause);
        let advertise = if rules.claim_on_yield { Some(Advertise::Claim) } else { None };
        return Row { actions: Actions { advertise, ..row.actions }, ..row };
    }
    let next = Machine { state: State::Master { answered: true }, ..m };
    if answered {
        return unchanged("R46", next);
    }
    let advertise = if rules.answer_weaker { Some(Advertise::Claim) } else { None };
    let clause = if rules.answer_weaker { "R113" } else { "R46, without an answer" };
    Row { clause, next, actions: Actions { advertise, announce: rules.announce_to_weaker, ..Actions::NONE } }
}

/// Open point a of the requirements: a running router keeps its state and its timer's anchor.
fn new_params(m: Machine, params: Params) -> Row {
    let next = Machine { params, ..m };
    if params == m.params {
        return unchanged("params repeated", m);
    }
    let amend = |timer, span| Actions { timer: Some(TimerOp::Amend(timer, whole(span))), ..Actions::NONE };
    match m.state {
        State::Initialize => unchanged("params in Initialize", next),
        State::Backup { .. } if params.priority.get() == 255 && m.params.priority.get() != 255 && held(&m) => {
            waits("owner-preempt waits", next, Actions::NONE)
        }
        State::Backup { .. } if params.priority.get() == 255 && m.params.priority.get() != 255 => {
            to_master("owner-preempt", next, Role::Backup, Cause::OwnerPreempt)
        }
        State::Backup { heard, master_interval: known, due } => {
            let v3 = |interval| matches!(interval, AdvertInterval::Centiseconds(_));
            let of = match (v3(params.interval), v3(m.params.interval)) {
                (true, true) if known != m.params.interval => known,
                (true, true) if nanos_of(known) > nanos_of(params.interval) => known,
                _ => params.interval,
            };
            let span = if heard == Heard::Release { skew(params, of) } else { down(params, of) };
            // Weaker than before, perhaps weaker than the Master that is heard: its turn may be over.
            let doubt = heard == Heard::Weaker && params.priority.get() < m.params.priority.get();
            let next = Machine { state: State::Backup { heard, master_interval: of, due: due && !doubt }, ..next };
            if due && doubt {
                let timer = Some(TimerOp::Set(Timer::MasterDown, whole(span)));
                return Row { clause: "weaker while due", next, actions: Actions { timer, ..Actions::NONE } };
            }
            if due {
                return unchanged("params while due", next);
            }
            let (wait, before) = (params.rules.preempt_delay, m.params.rules.preempt_delay);
            let (clause, heard, delay) = if heard != Heard::Spared {
                ("params in Backup", heard, None)
            } else if !params.preempt && params.priority.get() < 255 {
                ("no preemption any more", Heard::Master, Some(DelayOp::Stop))
            } else if wait == PreemptDelay::NONE || params.priority.get() == 255 {
                ("no delay any more", Heard::Weaker, Some(DelayOp::Stop))
            } else {
                ("another delay", Heard::Spared, (wait != before).then_some(DelayOp::Start(wait)))
            };
            let next = Machine { state: State::Backup { heard, master_interval: of, due: false }, ..next };
            Row { clause, next, actions: Actions { delay, ..amend(Timer::MasterDown, span) } }
        }
        State::Master { .. } => {
            let shorter = nanos_of(params.interval) < nanos_of(m.params.interval);
            let mut actions = if shorter { amend(Timer::Adver, nanos_of(params.interval)) } else { Actions::NONE };
            let accepts = |p: Params| p.accept || p.priority.get() == 255;
            if accepts(params) != accepts(m.params) {
                actions.addresses = Some(Addresses::Install);
                return Row { clause: "R75, R82", next, actions };
            }
            Row { clause: if shorter { "shorter interval in Master" } else { "params in Master" }, next, actions }
        }
    }
}

pub(super) fn reference(m: Machine, event: Event) -> Row {
    match (m.state, event) {
        (_, Event::Enabled(on)) => {
            level(m, Machine { enabled: on, ..m }, if on { Cause::Startup } else { Cause::Shutdown })
        }
        (_, Event::Healthy(on)) => {
            level(m, Machine { healthy: on, ..m }, if on { Cause::Recovered } else { Cause::Fault })
        }
        (_, Event::Limit(limit)) => {
            let cause = match (m.limit, limit) {
                (_, Limit::Fault) => Cause::GroupFault,
                (_, Limit::Stopped) => Cause::GroupStopped,
                (Limit::Fault | Limit::Stopped, _) => Cause::GroupRecovered,
                _ => Cause::GroupYields,
            };
            level(m, Machine { limit, ..m }, cause)
        }
        (_, Event::Hold(hold)) => level(m, Machine { hold, ..m }, Cause::Maintenance),
        (_, Event::Link(link)) => {
            let cause = match link {
                Link::Down => Cause::InterfaceDown,
                Link::NoAddress => Cause::NoPrimaryAddress,
                Link::Up(_) if m.link == Link::Down => Cause::InterfaceUp,
                Link::Up(_) => Cause::PrimaryAddress,
            };
            level(m, Machine { link, ..m }, cause)
        }
        (_, Event::Params(params)) => new_params(m, params),
        (State::Initialize, _) => unchanged("R30", m),
        (State::Backup { .. }, Event::Advert { priority, interval, .. }) => {
            advert_in_backup(m, priority.map_or(0, Priority::get), interval)
        }
        (State::Backup { .. }, Event::Expired(Timer::MasterDown)) if held(&m) => {
            waits("its turn has come", m, Actions::NONE)
        }
        (State::Backup { heard, .. }, Event::Expired(Timer::MasterDown)) => {
            to_master("R35", m, Role::Backup, takeover(heard))
        }
        (State::Backup { heard: Heard::Spared, master_interval, due }, Event::DelayOver) => {
            let state = State::Backup { heard: Heard::Weaker, master_interval, due };
            unchanged("delay over", Machine { state, ..m })
        }
        (State::Backup { .. }, Event::Expired(Timer::Adver) | Event::Overdue | Event::DelayOver) => {
            unchanged("stale in Backup", m)
        }
        (State::Master { answered }, Event::Advert { from, priority, interval }) => {
            advert_in_master(m, answered, from, priority.map_or(0, Priority::get), interval)
        }
        (State::Master { .. }, Event::Expired(Timer::Adver)) => {
            let timer = Some(TimerOp::Set(Timer::Adver, whole(nanos_of(m.params.interval))));
            let next = Machine { state: State::Master { answered: false }, ..m };
            Row { clause: "R43", next, actions: Actions { advertise: Some(Advertise::Claim), timer, ..Actions::NONE } }
        }
        (State::Master { .. }, Event::Expired(Timer::MasterDown) | Event::DelayOver) => unchanged("stale in Master", m),
        (State::Master { .. }, Event::Overdue) => {
            to_backup("overdue", m, Role::Master, m.params.interval, Cause::Overdue)
        }
    }
}

const MAINTENANCE: Option<Hold> = Some(Hold::Maintenance);
const DELAY: Option<Hold> = Some(Hold::StartupDelay);

/// Initialize for each of its reasons and all at once, Backup with each memory, Master with each.
fn machines(params: Params, learnt: AdvertInterval) -> Vec<Machine> {
    machines_at(params, learnt, OWN)
}

fn machines_at(params: Params, learnt: AdvertInterval, own: IpAddr) -> Vec<Machine> {
    let off = in_state(params, State::Initialize);
    let mut all = std::vec![
        Machine { enabled: false, ..off },
        Machine { healthy: false, ..off },
        Machine { link: Link::Down, ..off },
        Machine { link: Link::NoAddress, ..off },
        Machine::new(params),
        Machine { limit: Limit::Fault, ..off },
        Machine { limit: Limit::Stopped, ..off },
        Machine { limit: Limit::Backup, healthy: false, ..off },
        Machine { hold: MAINTENANCE, healthy: false, ..off },
    ];
    for heard in [Heard::Master, Heard::Release, Heard::Weaker, Heard::Spared] {
        for master_interval in [params.interval, learnt] {
            let backup = in_state(params, State::Backup { heard, master_interval, due: false });
            all.push(backup);
            all.push(Machine { limit: Limit::Backup, ..backup });
            all.push(Machine { hold: MAINTENANCE, ..backup });
            all.push(Machine { hold: DELAY, ..backup });
            // Whose turn has come, does not spare anybody.
            if heard != Heard::Spared {
                let due = in_state(params, State::Backup { heard, master_interval, due: true });
                all.push(Machine { limit: Limit::Backup, ..due });
                all.push(Machine { hold: MAINTENANCE, ..due });
                all.push(Machine { hold: DELAY, ..due });
                all.push(Machine { hold: MAINTENANCE, limit: Limit::Backup, ..due });
            }
        }
    }
    for answered in [false, true] {
        all.push(in_state(params, State::Master { answered }));
    }
    for machine in all.iter_mut().filter(|machine| machine.link == Link::Up(OWN)) {
        machine.link = Link::Up(own);
    }
    all
}

/// R73, R100: every cell again where all addresses are of IPv6, which only version 3 has.
#[test]
fn every_cell_of_the_table_over_ipv6() {
    let v6 = |address: IpAddr| match address {
        IpAddr::V4(address) => {
            IpAddr::V6(core::net::Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(address.to_bits())))
        }
        IpAddr::V6(_) => address,
    };
    let mut yielded = 0;
    for priority in [100, 255] {
        for preempt in [true, false] {
            let params = params(priority, centis(200), preempt);
            for machine in machines_at(params, centis(37), v6(OWN)) {
                for event in events(params, [centis(100), centis(300), centis(4095)]) {
                    let event = match event {
                        Event::Advert { from, priority, interval } => {
                            Event::Advert { from: v6(from), priority, interval }
                        }
                        Event::Link(Link::Up(source)) => Event::Link(Link::Up(v6(source))),
                        Event::Link(_)
                        | Event::Enabled(_)
                        | Event::Healthy(_)
                        | Event::Limit(_)
                        | Event::Hold(_)
                        | Event::Params(_)
                        | Event::Expired(_)
                        | Event::Overdue
                        | Event::DelayOver => event,
                    };
                    let Row { clause, next, actions } = reference(machine, event);
                    assert_eq!(machine.step(event), (next, actions), "{clause}: {machine:?} {event:?}");
                    yielded += u32::from(clause == "R84");
                }
            }
        }
    }
    assert!(yielded > 0, "a Master yields to the higher address");
}

fn events(own: Params, other: [AdvertInterval; 3]) -> Vec<Event> {
    let mut all = std::vec![
        Event::Enabled(true),
        Event::Enabled(false),
        Event::Healthy(true),
        Event::Healthy(false),
        Event::Limit(Limit::Fault),
        Event::Limit(Limit::Stopped),
        Event::Limit(Limit::Backup),
        Event::Limit(Limit::Master),
        Event::Hold(MAINTENANCE),
        Event::Hold(DELAY),
        Event::Hold(None),
        Event::Link(Link::Down),
        Event::Link(Link::NoAddress),
        Event::Link(Link::Up(OWN)),
        Event::Link(Link::Up(HIGHER_ADDRESS)),
        Event::Expired(Timer::MasterDown),
        Event::Expired(Timer::Adver),
        Event::Overdue,
        Event::DelayOver,
        Event::Params(own),
        Event::Params(Params { priority: prio(50), ..own }),
        Event::Params(Params { priority: prio(200), ..own }),
        Event::Params(Params { priority: Priority::OWNER, ..own }),
        Event::Params(Params { preempt: !own.preempt, ..own }),
        Event::Params(Params { accept: !own.accept, ..own }),
        Event::Params(Params { rules: Rules { preempt_delay: PreemptDelay::NONE, ..own.rules }, ..own }),
        Event::Params(Params { rules: Rules { preempt_delay: delay(7), ..own.rules }, ..own }),
        Event::Params(Params { rules: Rules { down_timer_adverts: NonZeroU8::MIN, ..own.rules }, ..own }),
    ];
    all.extend(other.map(|interval| Event::Params(Params { interval, ..own })));
    let ours = own.priority.get();
    for interval in [own.interval, other[0], other[1]] {
        for (from, priority) in [
            (LOWER_ADDRESS, 0),
            (HIGHER_ADDRESS, 0),
            (LOWER_ADDRESS, ours - 1),
            (HIGHER_ADDRESS, ours - 1),
            (LOWER_ADDRESS, ours),
            (OWN, ours),
            (HIGHER_ADDRESS, ours),
            (LOWER_ADDRESS, ours.saturating_add(1)),
            (HIGHER_ADDRESS, 255),
        ] {
            all.push(advert(from, priority, interval));
        }
    }
    all
}

fn delay(micros: u64) -> PreemptDelay {
    PreemptDelay::new(Duration::from_micros(micros)).unwrap()
}

/// The default, and each rule otherwise.
fn all_rules() -> [Rules; 3] {
    let seven = NonZeroU8::new(7).unwrap();
    let delay = Rules { preempt_delay: delay(60_000_000), ..Rules::DEFAULT };
    let silent = Rules { answer_weaker: false, announce_to_weaker: false, claim_on_yield: false, ..delay };
    [Rules::DEFAULT, delay, Rules { down_timer_adverts: seven, ..silent }]
}

#[test]
fn every_cell_of_the_table() {
    let mut cells = 0;
    let mut clauses: BTreeMap<&str, u32> = BTreeMap::new();
    for (interval, learnt, other) in [
        (secs(2), secs(2), [secs(1), secs(3), centis(200)]),
        (centis(200), centis(37), [centis(100), centis(300), secs(2)]),
    ] {
        for (priority, preempt, rules) in [100, 255]
            .into_iter()
            .flat_map(|priority| [true, false].map(|preempt| (priority, preempt)))
            .flat_map(|(priority, preempt)| all_rules().map(|rules| (priority, preempt, rules)))
        {
            let params = Params { rules, ..params(priority, interval, preempt) };
            for machine in machines(params, learnt) {
                for event in events(params, other) {
                    let Row { clause, next, actions } = reference(machine, event);
                    let found = machine.step(event);
                    assert_eq!(found, (next, actions), "{clause}: {machine:?} {event:?}");
                    *clauses.entry(clause).or_default() += 1;
                    cells += 1;
                }
            }
        }
    }
    assert_eq!(cells, 2 * 2 * 2 * 3 * 67 * 58, "a missing cell is a missing test");
    let expected = [
        "R113",
        "R28",
        "R29",
        "R30",
        "R34",
        "R35",
        "R36",
        "R37",
        "R38",
        "R42",
        "R42, no link",
        "R43",
        "R44",
        "R45",
        "R46",
        "R46, without an answer",
        "R75, R82",
        "R81, R99",
        "R84",
        "another delay",
        "delay over",
        "its turn has come",
        "leave to lead",
        "level repeated",
        "no delay any more",
        "no preemption any more",
        "overdue",
        "owner waits",
        "owner-preempt",
        "owner-preempt waits",
        "params in Backup",
        "params in Initialize",
        "params in Master",
        "params repeated",
        "params while due",
        "shorter interval in Master",
        "stale in Backup",
        "stale in Master",
        "steps down",
        "weaker while due",
        "weaker, delay begins",
        "weaker, delay runs",
    ];
    assert!(clauses.keys().eq(expected.iter()), "every clause is met: {:?}", clauses.keys());
}

#[test]
fn levels_are_idempotent() {
    for interval in [secs(1), centis(100)] {
        for priority in [100, 255] {
            let own = params(priority, interval, true);
            for machine in machines(own, interval) {
                for event in events(own, [secs(1), secs(2), centis(100)]) {
                    let level = match event {
                        Event::Advert { .. } | Event::Expired(_) | Event::Overdue | Event::DelayOver => false,
                        Event::Enabled(_)
                        | Event::Healthy(_)
                        | Event::Limit(_)
                        | Event::Hold(_)
                        | Event::Link(_)
                        | Event::Params(_) => true,
                    };
                    if level {
                        let (once, _) = machine.step(event);
                        assert_eq!(once.step(event), (once, Actions::NONE), "{machine:?} {event:?}");
                    }
                }
            }
        }
    }
}
