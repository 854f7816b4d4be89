//! Random sequences of events: each step against the table's reference, and what must hold between steps.

use proptest::prelude::*;

use super::table::{Row, reference};
use super::*;

fn interval() -> impl Strategy<Value = AdvertInterval> {
    prop_oneof![(1..=255u8).prop_map(secs), (1..=4095u16).prop_map(centis)]
}

fn priority() -> impl Strategy<Value = u8> {
    prop_oneof![Just(100u8), Just(255u8), 1..=255u8]
}

fn any_params() -> impl Strategy<Value = Params> {
    let all = (priority(), interval(), any::<bool>(), any::<bool>(), rules());
    all.prop_map(|(p, i, preempt, accept, rules)| Params { accept, rules, ..params(p, i, preempt) })
}

fn rules() -> impl Strategy<Value = Rules> {
    let delay = prop_oneof![Just(0), Just(5_000_000), any::<u32>()];
    let delay = delay.prop_map(|micros| PreemptDelay::new(Duration::from_micros(micros.into())).unwrap());
    let all = (1..=100u8, delay, any::<[bool; 3]>());
    all.prop_map(|(adverts, preempt_delay, [answer_weaker, announce_to_weaker, claim_on_yield])| Rules {
        down_timer_adverts: adverts.try_into().unwrap(),
        preempt_delay,
        answer_weaker,
        announce_to_weaker,
        claim_on_yield,
        ..Rules::DEFAULT
    })
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        Just(OWN),
        Just(LOWER_ADDRESS),
        Just(HIGHER_ADDRESS),
        any::<u32>().prop_map(|a| Ipv4Addr::from(a).into())
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let link = prop_oneof![Just(Link::Down), Just(Link::NoAddress), address().prop_map(Link::Up)];
    let heard = (address(), prop_oneof![Just(0u8), Just(100u8), any::<u8>()], interval());
    prop_oneof![
        3 => prop_oneof![4 => Just(true), 1 => Just(false)].prop_map(Event::Enabled),
        1 => prop_oneof![4 => Just(true), 1 => Just(false)].prop_map(Event::Healthy),
        1 => prop_oneof![3 => Just(Limit::Master), 2 => Just(Limit::Backup), 1 => Just(Limit::Stopped), 1 => Just(Limit::Fault)].prop_map(Event::Limit),
        1 => prop_oneof![3 => Just(None), 1 => Just(Some(Hold::Maintenance)), 1 => Just(Some(Hold::StartupDelay))]
            .prop_map(Event::Hold),
        3 => prop_oneof![3 => Just(Link::Up(OWN)), 1 => link].prop_map(Event::Link),
        1 => any_params().prop_map(Event::Params),
        4 => heard.prop_map(|(from, priority, interval)| advert(from, priority, interval)),
        3 => prop_oneof![Just(Timer::MasterDown), Just(Timer::Adver)].prop_map(Event::Expired),
        1 => Just(Event::Overdue),
        1 => Just(Event::DelayOver),
    ]
}

/// What the performer of the actions has, were it to do exactly what they say.
#[derive(Default)]
struct World {
    installed: bool,
    timer: Option<Timer>,
    delay: bool,
}

impl World {
    fn perform(&mut self, before: &Machine, machine: &Machine, event: Event, actions: &Actions) {
        let (before, after) = (before.state.role(), machine.state.role());
        let Actions { advertise, addresses, announce, timer, delay, transition } = *actions;
        match addresses {
            Some(Addresses::Install) => self.installed = true,
            Some(Addresses::Remove) => self.installed = false,
            None => {}
        }
        match timer {
            Some(TimerOp::Set(timer, span)) => {
                assert!(span > Duration::ZERO);
                self.timer = Some(timer);
            }
            Some(TimerOp::Amend(timer, span)) => {
                assert!(span > Duration::ZERO);
                assert_eq!(self.timer, Some(timer), "only a running timer is amended");
            }
            Some(TimerOp::Cancel) => self.timer = None,
            None => {}
        }
        match delay {
            Some(DelayOp::Start(span)) => {
                assert_ne!(span, PreemptDelay::NONE);
                self.delay = true;
            }
            Some(DelayOp::Stop) => {
                assert!(self.delay, "only a running delay is stopped");
                self.delay = false;
            }
            None => self.delay &= event != Event::DelayOver && transition.is_none(),
        }
        let spares = matches!(machine.state, State::Backup { heard: Heard::Spared, .. });
        assert_eq!(self.delay, spares, "the delay runs while a weaker Master is spared");
        assert_eq!(self.installed, after == Role::Master, "addresses are on the interface of a Master alone");
        let fits = match after {
            Role::Initialize => None,
            Role::Backup if matches!(machine.state, State::Backup { due: true, .. }) => None,
            Role::Backup => Some(Timer::MasterDown),
            Role::Master => Some(Timer::Adver),
        };
        assert_eq!(self.timer, fits, "the armed timer fits the state");
        match transition {
            Some(Transition { from, to, .. }) => assert!(from == before && to == after && from != to),
            None => assert_eq!(before, after),
        }
        assert!(!announce || self.installed, "only what is installed is announced");
        match advertise {
            // A Master that yields claims once more, so that its successor hears of it.
            Some(Advertise::Claim) => assert!(before == Role::Master || after == Role::Master),
            Some(Advertise::Release) => assert!(before == Role::Master && after != Role::Master),
            None => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_sequences_follow_the_reference(start in any_params(), events in prop::collection::vec(event(), 1..120)) {
        let mut machine = Machine::new(start);
        let mut world = World::default();
        for event in events {
            let Row { clause, next, actions } = reference(machine, event);
            let found = machine.step(event);
            prop_assert_eq!(found, (next, actions), "{}: {:?} {:?}", clause, machine, event);
            prop_assert_eq!(next.runs(), next.state.role() != Role::Initialize);
            prop_assert!(next.state.role() != Role::Master || next.may_lead());
            let due = matches!(next.state, State::Backup { due: true, .. });
            prop_assert!(!due || !next.may_lead());
            world.perform(&machine, &next, event, &actions);
            machine = next;
        }
    }
}
