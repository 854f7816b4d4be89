//! How long after the start of this daemon, or of the host, no router may be Master.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use vrrp_core::node::{Input, Node, Which};

use crate::config::Config;

/// Tells the node, if there is a delay.
pub(super) fn delay(config: &Config, node: &mut Node<Instant>) {
    let delay = longest(config, since_boot());
    if !delay.is_zero() {
        let input = Input::StartupDelay { which: Which::All, delay };
        node.handle(Instant::now(), input, &mut Vec::new());
    }
}

/// The longer one of both delays.
fn longest(config: &Config, since_boot: Duration) -> Duration {
    let settings = &config.global.settings;
    let of_boot = settings.vrrp_delay_after_boot.unwrap_or_default().saturating_sub(since_boot);
    of_boot.max(settings.vrrp_startup_delay.unwrap_or_default())
}

/// How long the host has run, or been suspended.
fn since_boot() -> Duration {
    // Every kernel that this runs on has the clock; a host of unknown age was not booted just now.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::MAX, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_delay_counts_and_one_that_is_over_does_not() {
        let ms = Duration::from_millis;
        for (settings, since_boot, expected) in [
            ("", 0, 0),
            ("vrrp_startup_delay 1.5", 0, 1500),
            ("vrrp_delay_after_boot 60", 20_000, 40_000),
            ("vrrp_delay_after_boot 60", 70_000, 0),
            ("vrrp_startup_delay 50\n vrrp_delay_after_boot 60", 20_000, 50_000),
            ("vrrp_startup_delay 30\n vrrp_delay_after_boot 60", 20_000, 40_000),
        ] {
            let text = format!(
                "global_defs {{\n {settings}\n}}\nvrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 1\n priority 100\n \
                 virtual_ipaddress {{\n 10.9.0.1\n }}\n}}\n"
            );
            let loaded = crate::config::parse_str("keepalived.conf", &text);
            assert!(loaded.diagnostics.is_empty(), "{}", loaded.render(false));
            assert_eq!(longest(&loaded.config.unwrap(), ms(since_boot)), ms(expected), "{settings}");
        }
        assert!(since_boot() > Duration::ZERO && since_boot() < Duration::MAX);
    }
}
