//! How long an interface must be down, or up, to count: what `interface_up_down_delays` says, within what the instances on
//! it allow.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::{Code, Config, Diagnostic, Global, Instance};
use crate::daemon::monitor::Delays;

/// The delays by interface, and a warning for each that is cut.
pub(super) fn delays(config: &Config) -> (BTreeMap<String, Delays>, Vec<Diagnostic>) {
    let mut warnings = Vec::new();
    let mut delays = BTreeMap::new();
    for line in &config.process.interface_up_down_delays {
        let name = &line.interface.value;
        let on_it = config.instances.iter().filter(|instance| instance.interface.value == *name);
        let longest = on_it.map(|instance| (longest(instance, &config.global), instance)).min_by_key(|(most, _)| *most);
        let mut down = line.down;
        if let Some((most, instance)) = longest.filter(|(most, _)| down > *most) {
            let message = format!("`{name}` counts as down after {most:?} already, not after {down:?}");
            let help =
                format!("when it is down for longer, the peers of {} no longer wait for this host", instance.name);
            warnings.push(Diagnostic::new(Code::NoEffect, line.interface.span, message).help(help));
            down = most;
        }
        delays.insert(name.clone(), Delays { down, up: line.up });
    }
    (delays, warnings)
}

/// keepalived's bound: whoever is down for longer, peers may have replaced.
fn longest(instance: &Instance, global: &Global) -> Duration {
    let interval = instance.interval.duration();
    let missed = u32::from(instance.rules(global).down_timer_adverts.get()) - 1;
    (interval * missed).saturating_sub(interval / 256)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (BTreeMap<String, Delays>, Vec<Diagnostic>) {
        let loaded = crate::config::parse_str("keepalived.conf", text);
        assert!(loaded.diagnostics.is_empty(), "{}", loaded.render(false));
        delays(&loaded.config.unwrap())
    }

    fn instance(number: u8, more: &str) -> String {
        format!(
            "vrrp_instance VI_{number} {{\n interface eth0\n virtual_router_id {number}\n priority 100\n {more}\n \
             virtual_ipaddress {{\n 10.9.0.{number}\n }}\n}}\n"
        )
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn delays_are_read_by_interface() {
        let block = "interface_up_down_delays {\n eth0 1.5 5\n eth1 255\n}\n";
        let (delays, warnings) = read(&(block.to_owned() + &instance(1, "")));
        let expected = [("eth0", 1500 * MS, 5000 * MS), ("eth1", 255_000 * MS, Duration::ZERO)]
            .map(|(name, down, up)| (name.to_owned(), Delays { down, up }));
        assert_eq!(delays, BTreeMap::from(expected));
        assert_eq!(warnings, []);
    }

    /// Two of three intervals, less one in 256: of the instance that allows least.
    #[test]
    fn peers_wait_for_an_interface_that_is_down_no_longer_than_they_can() {
        let block = "interface_up_down_delays {\n eth0 60 60\n}\n";
        for (more, most) in [
            ("", Duration::from_micros(1_996_093) + Duration::from_nanos(750)),
            ("down_timer_adverts 5", Duration::from_micros(3_996_093) + Duration::from_nanos(750)),
        ] {
            let (delays, warnings) = read(&(block.to_owned() + &instance(1, more) + &instance(2, "advert_int 4")));
            assert_eq!(delays["eth0"], Delays { down: most, up: 60_000 * MS });
            let [warning] = &warnings[..] else { panic!("{warnings:?}") };
            assert_eq!(warning.code, Code::NoEffect);
            assert!(
                warning.message.contains("`eth0`") && warning.message.contains("not after 60s"),
                "{}",
                warning.message
            );
        }
    }
}
