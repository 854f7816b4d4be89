//! The announcements of an instance, after the defaults of its block, of `global_defs` and of the language.

use std::time::Duration;

use super::{ExtraInterfaces, Global, Instance};

/// How an instance announces its addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Garp {
    /// Announcements in a burst, at least 1.
    pub repeat: u32,
    /// Time until the second burst; zero is none.
    pub delay: Duration,
    /// Time between two later ones; zero is none.
    pub refresh: Duration,
    /// Announcements each time; 0 only under `vrrp_min_garp`, as keepalived has it.
    pub refresh_repeat: u32,
    /// As `delay`, after an advert of lower priority.
    pub lower_prio_delay: Duration,
    /// As `repeat`, after an advert of lower priority; zero is none.
    pub lower_prio_repeat: u32,
    /// Announcements on other interfaces.
    pub extra: Option<ExtraInterfaces>,
}

impl Garp {
    /// What holds for `instance`. `vrrp_min_garp` replaces what nothing else sets.
    pub fn of(instance: &Instance, global: &Global) -> Self {
        let (own, host) = (instance.settings(), &global.settings);
        let least = host.vrrp_min_garp == Some(true);
        let repeat = host.vrrp_garp_master_repeat.unwrap_or(if least { 1 } else { 5 }).max(1);
        let delay = host.vrrp_garp_master_delay.unwrap_or(Duration::from_secs(if least { 0 } else { 5 }));
        let lower_delay = host.vrrp_garp_lower_prio_delay.unwrap_or(delay);
        let lower_repeat = host.vrrp_garp_lower_prio_repeat.unwrap_or(repeat);
        let refresh_repeat = own.garp_master_refresh_repeat.or(host.vrrp_garp_master_refresh_repeat);
        Self {
            repeat: own.garp_master_repeat.unwrap_or(repeat).max(1),
            delay: own.garp_master_delay.unwrap_or(delay),
            refresh: own.garp_master_refresh.or(host.vrrp_garp_master_refresh).unwrap_or_default(),
            refresh_repeat: refresh_repeat.unwrap_or(u32::from(!least)),
            lower_prio_delay: own.garp_lower_prio_delay.unwrap_or(lower_delay),
            lower_prio_repeat: own.garp_lower_prio_repeat.unwrap_or(lower_repeat),
            extra: own.garp_extra_if.or(host.vrrp_garp_extra_if).filter(|extra| !extra.interval.is_zero()),
        }
    }
}
