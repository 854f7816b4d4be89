use super::*;
use std::string::ToString;

fn error(text: &str) -> String {
    text.parse::<Scenario>().expect_err(text).to_string()
}

#[test]
fn each_mistake_is_named_with_its_line() {
    for (text, message) in [
        ("", "line 0: there is no `run until TIME`"),
        ("seed 1\nrooter r1", "line 2: `rooter` begins no line: seed, detail, router, lan, at, expect or run"),
        ("router", "line 1: the line ends where the router's name is due"),
        ("router client", "line 1: the name `client` is taken"),
        ("router a\nrouter a", "line 2: the name `a` is taken"),
        ("router a priority 0", "line 1: a priority is 1 to 255"),
        ("router a priority 256", "line 1: `256` is not a priority, 1 to 255"),
        ("router a vrid 0", "line 1: a VRID is 1 to 255"),
        ("router a password 123456789", "line 1: a password has 1 to 8 octets"),
        (
            "router a interval 0.5s",
            "line 1: an interval of 500ms cannot be: 1s to 255s in whole seconds; v3 allows less",
        ),
        ("router a v3 interval 5ms", "line 1: an interval of 5ms cannot be: 10ms to 40.95s in steps of 10ms"),
        ("router a interval 5", "line 1: `5` is no time: a number and s, ms or us, as in 1.5s"),
        ("router a kernel 1.0000001us", "line 1: `1.0000001us` is no time: a number and s, ms or us, as in 1.5s"),
        ("lan loss 101%", "line 1: `101%` is no percentage: 0% to 100%, as in 2.5%"),
        ("lan lost 1%", "line 1: `lost` is nothing that a LAN does: delay, jitter, loss, duplicate, reorder, hold"),
        ("at 1s crash a", "line 1: there is no router `a`"),
        ("router a\nat 1s burn a", "line 2: `burn` is nothing that happens: "),
        ("router a\nat 1s stall a 5s", "line 2: `5s` stands where `for` is due"),
        ("router a\nat 1s link a sideways", "line 2: `sideways` stands where `up` or `down` is due"),
        ("router a\nat 1s partition a", "line 2: a partition has parts, with `|` between them"),
        ("router a\nat 1s crash a now", "line 2: `now` is one word too many"),
        (
            "router a\nat 1s set a speed 9",
            "line 2: `speed` cannot be set: priority, owner, interval, preempt, nopreempt",
        ),
        ("router a\nexpect a happy at 1s", "line 2: `happy` is nothing that a router can be: "),
        ("router a\nexpect a master soon", "line 2: `soon` is no time: at, by, after ... by, from ... to"),
        ("router a\nexpect a master from 5s to 5s", "line 2: the second time is not after the first"),
        ("run until 1s\nrun until 2s", "line 2: the scenario has an end already"),
    ] {
        let error = error(text);
        assert!(error.starts_with(message), "{text:?}: {error}");
    }
}

#[test]
fn a_router_has_options_and_a_message_for_the_others() {
    assert!(error("router a colour red").starts_with("line 1: `colour` is no option of a router: priority, owner"));
    assert!(error("router a vip 10.0.0.300").starts_with("line 1: `10.0.0.300` is no address"));
    assert!(error("router a vip 224.0.0.1").starts_with("line 1: 224.0.0.1 cannot be a virtual address"));
}

#[test]
fn an_expectation_that_is_not_met_says_what_is_there() {
    let scenario: Scenario = "
        router a priority 100
        expect a backup at 10s
        expect a backup from 1s to 20s
        expect a master from 1s to 20s
        expect a master after 5s by 6s
        expect masters 0 at 6s
        expect client nobody at 9s
        expect a bare at 9s
        expect a dead at 9s
        expect a master at 30s
        run until 20s
    "
    .parse()
    .unwrap();
    let outcome = scenario.run();
    assert!(!outcome.is_met());
    let expected = [
        "1.000000000 expect a master from 1s to 20s: NOT MET, it is Backup",
        "3.609375000 expect a backup from 1s to 20s: NOT MET, it is Master",
        "5.000000000 expect a master after 5s by 6s: NOT MET, true too early",
        "6.000000000 expect masters 0 at 6s: NOT MET, masters are: a",
        "9.000000000 expect client nobody at 9s: NOT MET, it reaches a",
        "9.000000000 expect a bare at 9s: NOT MET, it has the address",
        "9.000000000 expect a dead at 9s: NOT MET, it is Master",
        "10.000000000 expect a backup at 10s: NOT MET, it is Master",
    ];
    assert_eq!(outcome.failures, expected);
}

#[test]
fn numbers_are_exact_and_have_nothing_but_digits() {
    let delay = |text: &str| {
        let scenario: Scenario = format!("lan delay {text}\nrun until 1s").parse().ok()?;
        let (_, Action::Conditions(conditions)) = scenario.actions.first()? else { panic!("{text}") };
        Some(conditions.delay.as_nanos())
    };
    for (text, nanos) in [("150us", 150_000), ("0.001us", 1), ("1.000000001s", 1_000_000_001), ("20ms", 20_000_000)] {
        assert_eq!(delay(text), Some(nanos), "{text}");
    }
    for text in [".5s", "+1s", "-1s", "1.+5s", "1.2.3s", "1.0000000001s", "s", "1h"] {
        assert_eq!(delay(text), None, "{text}");
    }
}

#[test]
fn a_lan_has_99_routers_at_the_most() {
    let text: String = (1..100).fold(String::new(), |text, number| text + &format!("router r{number}\n"));
    let scenario: Scenario = format!("{text}run until 1s").parse().unwrap();
    assert_eq!(scenario.hosts.len(), 99);
    assert_eq!(error(&format!("{text}router r100")), "line 100: 99 routers are enough");
}

/// What is set is kept for this router, and for no other.
#[test]
fn settings_add_up_for_each_router() {
    let scenario: Scenario = "
        router a priority 110
        router b v3 silent
        at 1s set a priority 120
        at 2s set b interval 50ms
        at 3s set a interval 2s
        run until 4s
    "
    .parse()
    .unwrap();
    let set = |place: usize| {
        let of =
            |action: &Action| if let Action::Params(host, _, params) = action { Some((host.0, *params)) } else { None };
        scenario.actions.iter().filter_map(|(_, action)| of(action)).nth(place).unwrap()
    };
    let shown = |place| {
        let (host, params) = set(place);
        (host, params.priority.get(), params.interval.duration().as_millis())
    };
    assert_eq!([0, 1, 2].map(shown), [(0, 120, 1000), (1, 100, 50), (0, 120, 2000)]);
    let (loud, silent) = (set(0).1.rules, set(1).1.rules);
    let [loud, silent] =
        [loud, silent].map(|rules| [rules.answer_weaker, rules.announce_to_weaker, rules.claim_on_yield]);
    assert_eq!((loud, silent), ([true; 3], [false; 3]));
    assert!(error("router a\nat 1s set a interval 50ms").starts_with("line 2: an interval of 50ms cannot be: 1s to"));
}

#[test]
fn an_expectation_after_the_end_runs_to_it() {
    let scenario: Scenario = "router a\nexpect a master at 30s\nrun until 20s".parse().unwrap();
    assert!(scenario.run().is_met());
}

#[test]
fn only_the_seed_makes_a_difference() {
    let text = "
        detail frames
        lan jitter 3ms loss 20% duplicate 5%
        router a priority 100
        router b priority 150
        run until 100s
    ";
    let scenario: Scenario = text.parse().unwrap();
    let first = scenario.run();
    assert_eq!(first, scenario.run());
    assert_ne!(first.transcript, scenario.with_seed(2).run().transcript);
}
