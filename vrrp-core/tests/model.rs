//! The model checker over the real machine: how much it visits, that every property holds, and that it finds faults.
//!
//! The number of states is asserted exactly, so that a change of the machine that adds or removes behaviour is seen. The small
//! searches run always. The large ones, all disturbances at once as far as that ends, take four minutes and 2 GB:
//! `VRRP_MODEL=large cargo test --release -p vrrp-core --all-features --test model`.

use vrrp_core::AdvertInterval;
use vrrp_core::fsm::{
    Actions, Addresses, DelayOp, Event, Heard, Machine, OwnerHears, Params, PreemptDelay, Role, Rules, State, Timer,
    TimerOp,
};
use vrrp_core::sim::model::{Candidate, Counterexample, Disturbance, Model, Property, Report};
use vrrp_core::sim::params;

/// Multiples of 64: Skew_Times are then multiples of a quarter interval, and phases are few.
const PRIORITIES: [u8; 3] = [64, 128, 192];

const V2: [AdvertInterval; 3] = [seconds(1); 3];
const V3: [AdvertInterval; 3] = [centiseconds(100); 3];

const fn seconds(seconds: u8) -> AdvertInterval {
    AdvertInterval::from_secs(seconds).expect("not 0")
}

const fn centiseconds(centiseconds: u16) -> AdvertInterval {
    AdvertInterval::from_centis(centiseconds).expect("1..=4095")
}

#[derive(Clone, Copy)]
struct Setting {
    name: &'static str,
    intervals: [AdvertInterval; 3],
    priorities: [u8; 3],
    preempt: bool,
    rules: Rules,
}

impl Setting {
    const fn new(name: &'static str, intervals: [AdvertInterval; 3], priorities: [u8; 3], preempt: bool) -> Self {
        Self { name, intervals, priorities, preempt, rules: Rules::DEFAULT }
    }

    fn under(self, name: &'static str, rules: Rules) -> Self {
        Self { name, rules, ..self }
    }

    /// The first router may change to the others' greatest priority, and in VRRPv3 to half the interval.
    fn model(self, disturbances: Disturbance) -> Model {
        let candidates = [0u8, 1, 2].map(|i| {
            let place = usize::from(i);
            let interval = self.intervals[place];
            let rules = self.rules;
            let of = |priority| Params { preempt: self.preempt, rules, ..params(priority, interval).expect("not 0") };
            let mut choices = vec![of(self.priorities[place])];
            if i == 0 {
                choices.push(of(192));
                if let AdvertInterval::Centiseconds(cs) = interval {
                    choices.push(Params { interval: centiseconds(cs.get() / 2), ..choices[0] });
                }
                if !rules.preempt_delay.is_none() {
                    choices.push(Params { rules: Rules { preempt_delay: PreemptDelay::NONE, ..rules }, ..choices[0] });
                }
                choices.dedup();
            }
            Candidate { address: [10, 0, 0, i + 1].into(), params: choices }
        });
        Model::new(candidates, disturbances)
    }
}

fn settings() -> [Setting; 10] {
    let owner = [64, 128, 255];
    [
        Setting::new("v2", V2, PRIORITIES, true),
        Setting::new("v2 without preemption", V2, PRIORITIES, false),
        Setting::new("v2 equal", V2, [128; 3], true),
        Setting::new("v2 owner", V2, owner, true),
        Setting::new("v2 owner, others without preemption", V2, owner, false),
        Setting::new("v3", V3, PRIORITIES, true),
        Setting::new("v3 without preemption", V3, PRIORITIES, false),
        Setting::new("v3 equal", V3, [128; 3], true),
        Setting::new("v3 owner", V3, owner, true),
        Setting::new("v3 intervals", [centiseconds(50), centiseconds(100), centiseconds(200)], PRIORITIES, true),
    ]
}

const LOSS: Disturbance = Disturbance::LOSS;
const CUT: Disturbance = Disturbance::CUT;
const STOP: Disturbance = Disturbance::STOP;
const PARAMS: Disturbance = Disturbance::PARAMS;

fn delay(millis: u64) -> PreemptDelay {
    PreemptDelay::new(std::time::Duration::from_millis(millis)).expect("short enough")
}

/// The rules beyond the RFC's, on all three routers.
fn ruled() -> [Setting; 7] {
    let [v2, v2_nopreempt, v2_equal, v2_owner, _, v3, ..] = settings();
    // Longer, and below shorter, than a Master_Down_Interval.
    let delayed = Rules { preempt_delay: delay(5000), ..Rules::DEFAULT };
    let adverts = |count: u8| Rules { down_timer_adverts: count.try_into().expect("not 0"), ..Rules::DEFAULT };
    // Strict: as RFC 3768 has it.
    let silent = Rules { answer_weaker: false, announce_to_weaker: false, claim_on_yield: false, ..Rules::DEFAULT };
    [
        v2.under("v2 with a delay", delayed),
        v3.under("v3 with a delay", Rules { preempt_delay: delay(500), ..delayed }),
        v2_owner.under("v2 owner with a delay, which hears", Rules { owner_hears: OwnerHears::Always, ..delayed }),
        v2.under("v2, five adverts", adverts(5)),
        v2_nopreempt.under("v2 without preemption, one advert", adverts(1)),
        v2.under("v2 silent", silent),
        v2_equal.under("v2 equal silent", silent),
    ]
}

/// States, edges, states with several Masters, and the most expiries until a quiet LAN is at rest.
type Figures = (usize, usize, usize, u32);

#[test]
fn every_property_holds_in_every_state() {
    let [v2, v2_nopreempt, v2_equal, v2_owner, v2_owner_nopreempt, v3, v3_nopreempt, v3_equal, v3_owner, v3_intervals] =
        settings();
    let searches: [(Setting, Disturbance, Figures); 13] = [
        (v2, LOSS | CUT | STOP, (127_200, 624_323, 26_108, 7)),
        (v2, LOSS | STOP | PARAMS, (46_749, 218_603, 10_996, 7)),
        (v2_nopreempt, LOSS | STOP | PARAMS, (22_772, 105_640, 8110, 4)),
        (v2_equal, LOSS | CUT | STOP, (24_915, 117_475, 7741, 4)),
        (
            v2_equal,
            Disturbance::LINK | Disturbance::CRASH | Disturbance::STALL | STOP | CUT,
            (37_585, 332_378, 6851, 4),
        ),
        (v2_owner, LOSS | CUT | STOP, (40_139, 168_857, 13_294, 6)),
        (v2_owner_nopreempt, LOSS | STOP | PARAMS, (8678, 35_509, 3602, 4)),
        (v3, LOSS | CUT, (32_167, 104_049, 18_140, 6)),
        (v3, STOP | PARAMS, (5600, 16_369, 981, 10)),
        (v3_nopreempt, LOSS | STOP, (10_718, 44_563, 3637, 4)),
        (v3_equal, STOP | PARAMS, (1774, 5195, 209, 6)),
        (v3_owner, LOSS | CUT, (25_119, 81_198, 15_740, 5)),
        (v3_intervals, STOP | Disturbance::STALL, (6148, 16_345, 432, 15)),
    ];
    search(&searches);
}

#[test]
fn every_property_holds_under_every_rule() {
    let [delayed, delayed_v3, delayed_owner, five, one, silent, silent_equal] = ruled();
    search(&[
        (delayed, LOSS | STOP, (61_439, 254_139, 6674, 14)),
        (delayed, STOP | PARAMS, (5400, 16_406, 309, 13)),
        (delayed_v3, STOP | PARAMS, (11_181, 41_745, 1653, 10)),
        (delayed_owner, LOSS | STOP, (22_729, 95_379, 6949, 12)),
        (five, LOSS | STOP, (33_479, 137_406, 5913, 9)),
        (one, LOSS | CUT | STOP, (33_702, 160_827, 14_622, 4)),
        (silent, LOSS | STOP, (15_739, 65_095, 3153, 6)),
        (silent_equal, LOSS | CUT | STOP, (23_212, 111_540, 6710, 4)),
    ]);
}

/// Searches to the end and compares all figures.
fn search(searches: &[(Setting, Disturbance, Figures)]) {
    let mut differ = Vec::new();
    for (setting, disturbances, expected) in searches {
        let report = setting.model(*disturbances).check().unwrap_or_else(|found| panic!("{}: {found}", setting.name));
        assert!(report.complete);
        let Report { states, edges, divided, most_expiries, .. } = report;
        let found = (states, edges, divided, most_expiries);
        if found != *expected {
            differ.push(format!("{}, {disturbances:?}: {found:?}, expected {expected:?}", setting.name));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// All disturbances together, each search to its end; minutes, hence on demand.
///
/// Two kinds have no end within memory (24 million states and more), so something is taken from each. An owner that was held up
/// backs others up until it preempts, at any phase of theirs: with losses that multiplies, so it is held up apart from them. Three
/// different intervals have most phases of all: there the parameters stay.
#[test]
fn every_property_holds_under_everything_at_once() {
    if std::env::var_os("VRRP_MODEL").is_none_or(|value| value != "large") {
        eprintln!("skipped: VRRP_MODEL=large runs it");
        return;
    }
    let [v2, v2_nopreempt, v2_equal, v2_owner, v2_owner_nopreempt, v3, v3_nopreempt, v3_equal, v3_owner, v3_intervals] =
        settings();
    let all = Disturbance::all();
    let prompt = all - Disturbance::STALL;
    let late = Disturbance::STALL | Disturbance::LINK | STOP;
    search(&[
        (v2, all, (504_954, 5_295_018, 76_364, 7)),
        (v2_nopreempt, all, (237_422, 2_434_891, 56_936, 4)),
        (v2_equal, all, (329_230, 3_420_112, 67_734, 7)),
        (v2_owner, prompt, (177_054, 1_569_874, 41_236, 6)),
        (v2_owner, late, (488, 2053, 24, 5)),
        (v2_owner_nopreempt, prompt, (108_764, 948_332, 32_368, 4)),
        (v2_owner_nopreempt, late, (262, 1061, 8, 1)),
        (v3, all, (3_018_721, 35_205_655, 502_083, 10)),
        (v3_nopreempt, all, (1_613_627, 18_769_270, 380_799, 5)),
        (v3_equal, all, (720_461, 8_254_497, 146_396, 7)),
        (v3_owner, prompt, (1_278_327, 13_188_117, 396_163, 10)),
        (v3_owner, late, (479, 2032, 24, 5)),
        (v3_intervals, all - PARAMS, (2_760_407, 27_196_930, 275_067, 17)),
    ]);
}

#[test]
fn a_limit_ends_the_search_and_says_so() {
    let report = settings()[0].model(LOSS).with_limit(100).check().expect("no fault");
    assert!(!report.complete && (101..200).contains(&report.states));
}

/// The machine with one fault.
struct Fault {
    name: &'static str,
    step: Step,
    setting: usize,
    disturbances: Disturbance,
    found: Property,
}

#[test]
fn faults_that_are_put_in_are_found() {
    let fault = |name, step, setting, disturbances, found| Fault { name, step, setting, disturbances, found };
    let faults = [
        fault("keeps the addresses on yielding", keeps_addresses, 0, LOSS, Property::AddressesOfMaster),
        fault("takes over without a word", silent_takeover, 0, STOP, Property::MasterClaims),
        fault("says nothing when Adver_Timer runs out", silent_master, 0, STOP, Property::MasterClaims),
        fault("stops without a release", no_release, 0, STOP, Property::MasterReleases),
        fault("leaves no word of a transition", untold, 0, STOP, Property::TransitionTold),
        fault("forgets to set Adver_Timer again", forgets_timer, 0, STOP, Property::TimerFitsState),
        fault("waits four intervals", patient, 0, STOP, Property::TimerFitsState),
        fault("leaves its timer when it is raised", unamended, 0, STOP | PARAMS, Property::TimerFitsState),
        fault("yields to any equal", yields_to_equal, 2, LOSS, Property::YieldsToStronger),
        fault("yields to no equal", no_tie_break, 2, LOSS, Property::Converges),
        fault("preempts though it must not", always_preempts, 1, STOP, Property::PreemptsIfAllowed),
        fault("preempts never", never_preempts, 0, LOSS, Property::Converges),
        fault("hears nothing in Backup", deaf_backup, 0, STOP, Property::Converges),
        fault("takes an equal for a weaker one in Backup", strict_backup, 2, STOP, Property::Converges),
        fault("answers everything in Master", quarrels, 2, LOSS, Property::NoStorm),
    ];
    for Fault { name, step, setting, disturbances, found } in faults {
        expect_found(name, &settings()[setting].model(disturbances).with_step(step), found);
    }
}

#[test]
fn faults_of_the_delay_are_found() {
    let [delayed, ..] = ruled();
    let faults: [(&str, Step, Property); 6] = [
        ("lets nobody be spared", spares_nobody, Property::SparesTheWeaker),
        ("spares for ever", spares_for_ever, Property::TimerFitsState),
        ("forgets to stop the delay", no_stop, Property::TimerFitsState),
        ("begins the delay anew with each advert", restarts_delay, Property::Converges),
        ("waits for the end of the delay when the Master is dead", waits_for_delay, Property::ReplacesTheSilent),
        ("never preempts after the delay", forgives, Property::SparesTheWeaker),
    ];
    for (name, step, found) in faults {
        expect_found(name, &delayed.model(LOSS | STOP).with_step(step), found);
    }
}

fn expect_found(name: &str, model: &Model, found: Property) {
    match model.check() {
        Ok(report) => panic!("{name}: not found in {report:?}"),
        Err(counterexample) => {
            let shown = counterexample.to_string();
            let Counterexample { property, trace } = counterexample;
            assert_eq!(property, found, "{name}: {trace:#?}");
            // From the start, by one step at least, to the three routers of the state before the last one.
            assert!(trace[0] == "all are stopped" && trace.len() >= 5, "{name}: {trace:?}");
            assert_eq!(shown, format!("{property:?} does not hold after:\n  {}", trace.join("\n  ")));
        }
    }
}

type Step = fn(Machine, Event) -> (Machine, Actions);

fn spared(machine: &Machine) -> bool {
    matches!(machine.state, State::Backup { heard: Heard::Spared, .. })
}

fn spares_nobody(machine: Machine, event: Event) -> (Machine, Actions) {
    let rules = machine.params.rules;
    let params = Params { rules: Rules { preempt_delay: PreemptDelay::NONE, ..rules }, ..machine.params };
    let (next, actions) = Machine { params, ..machine }.step(event);
    let params = if let Event::Params(params) = event { params } else { machine.params };
    (Machine { params, ..next }, actions)
}

fn spares_for_ever(machine: Machine, event: Event) -> (Machine, Actions) {
    if event == Event::DelayOver { (machine, Actions::NONE) } else { machine.step(event) }
}

fn no_stop(machine: Machine, event: Event) -> (Machine, Actions) {
    let (next, actions) = machine.step(event);
    (next, Actions { delay: actions.delay.filter(|delay| *delay != DelayOp::Stop), ..actions })
}

fn restarts_delay(machine: Machine, event: Event) -> (Machine, Actions) {
    let (next, actions) = machine.step(event);
    let again = matches!(event, Event::Advert { .. }) && spared(&next);
    let delay = if again { Some(DelayOp::Start(machine.params.rules.preempt_delay)) } else { actions.delay };
    (next, Actions { delay, ..actions })
}

fn waits_for_delay(machine: Machine, event: Event) -> (Machine, Actions) {
    if spared(&machine) && event == Event::Expired(Timer::MasterDown) {
        let span = machine.params.master_down_interval(machine.params.interval);
        return (machine, Actions { timer: Some(TimerOp::Set(Timer::MasterDown, span)), ..Actions::NONE });
    }
    machine.step(event)
}

fn forgives(machine: Machine, event: Event) -> (Machine, Actions) {
    match (machine.state, event) {
        (State::Backup { heard: Heard::Weaker, master_interval, due }, Event::Advert { priority: Some(_), .. }) => {
            Machine { state: State::Backup { heard: Heard::Master, master_interval, due }, ..machine }.step(event)
        }
        _ => machine.step(event),
    }
}

fn keeps_addresses(machine: Machine, event: Event) -> (Machine, Actions) {
    let (next, actions) = machine.step(event);
    let yields = machine.state.role() == Role::Master && next.state.role() == Role::Backup;
    (
        next,
        Actions { addresses: actions.addresses.filter(|wanted| *wanted == Addresses::Install || !yields), ..actions },
    )
}

fn silent_takeover(machine: Machine, event: Event) -> (Machine, Actions) {
    let (next, actions) = machine.step(event);
    let takes_over = actions.transition.is_some_and(|transition| transition.to == Role::Master);
    (next, if takes_over { Actions { advertise: None, ..actions } } else { actions })
}

fn silent_master(machine: Machine, event: Event) -> (Machine, Actions) {
    let (next, actions) = machine.step(event);
    (next, if event == Event::Expired(Timer::Adver) { Actions { advertise: None, ..actions } } else { actions })
}

fn no_release(machine: Machine, event: Event) -> (Machine, Actions) {
    let (next, actions) = machine.step(event);
    (next, if next.runs() { actions } else { Actions { advertise: None, ..actions } })
}

fn untold(machine: Machine, event: Event) -> (Machine, Actions) {
    let (next, actions) = machine.step(event);
    (next, Actions { transition: None, ..actions })
}

fn forgets_timer(machine: Machine, event: Event) -> (Machine, Actions) {
    let (next, actions) = machine.step(event);
    (next, if event == Event::Expired(Timer::Adver) { Actions { timer: None, ..actions } } else { actions })
}

fn patient(machine: Machine, event: Event) -> (Machine, Actions) {
    let (next, actions) = machine.step(event);
    let timer = match actions.timer {
        Some(TimerOp::Set(Timer::MasterDown, span)) => {
            Some(TimerOp::Set(Timer::MasterDown, span + machine.params.interval.duration()))
        }
        other => other,
    };
    (next, Actions { timer, ..actions })
}

fn unamended(machine: Machine, event: Event) -> (Machine, Actions) {
    let (next, actions) = machine.step(event);
    let amends = matches!(actions.timer, Some(TimerOp::Amend(..)));
    (next, if amends { Actions { timer: None, ..actions } } else { actions })
}

/// What an advert would be from another address.
fn heard_from(event: Event, last: u8) -> Event {
    match event {
        Event::Advert { priority, interval, .. } => Event::Advert { from: [10, 0, 0, last].into(), priority, interval },
        other => other,
    }
}

fn yields_to_equal(machine: Machine, event: Event) -> (Machine, Actions) {
    machine.step(heard_from(event, 250))
}

fn no_tie_break(machine: Machine, event: Event) -> (Machine, Actions) {
    machine.step(heard_from(event, 0))
}

fn with_preempt(machine: Machine, event: Event, preempt: bool) -> (Machine, Actions) {
    let own = machine.params;
    let (next, actions) = Machine { params: Params { preempt, ..own }, ..machine }.step(event);
    let params = if let Event::Params(params) = event { params } else { own };
    (Machine { params, ..next }, actions)
}

fn always_preempts(machine: Machine, event: Event) -> (Machine, Actions) {
    with_preempt(machine, event, true)
}

fn never_preempts(machine: Machine, event: Event) -> (Machine, Actions) {
    with_preempt(machine, event, false)
}

fn deaf_backup(machine: Machine, event: Event) -> (Machine, Actions) {
    match (machine.state, event) {
        (State::Backup { .. }, Event::Advert { .. }) => (machine, Actions::NONE),
        _ => machine.step(event),
    }
}

fn strict_backup(machine: Machine, event: Event) -> (Machine, Actions) {
    match (machine.state, event) {
        (State::Backup { .. }, Event::Advert { priority, .. }) if priority == Some(machine.params.priority) => {
            (machine, Actions::NONE)
        }
        _ => machine.step(event),
    }
}

fn quarrels(machine: Machine, event: Event) -> (Machine, Actions) {
    match (machine.state, event) {
        (State::Master { .. }, Event::Advert { .. }) => machine.step(Event::Expired(Timer::Adver)),
        _ => machine.step(event),
    }
}
