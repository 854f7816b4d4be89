//! The rules of an instance's election beyond the RFC's parameters, after the defaults of its block, of `global_defs`, of
//! strict mode and of the language.

use std::num::NonZeroU8;

use vrrp_core::Priority;
use vrrp_core::fsm::{OwnerHears, Params, PreemptDelay, Rules};

use super::{Global, Initial, Instance};

impl Instance {
    /// `strict_mode`, or `vrrp_strict`.
    pub fn is_strict(&self, global: &Global) -> bool {
        self.settings().strict_mode.unwrap_or(global.settings.vrrp_strict)
    }

    /// Accept_Mode (RFC 9568 section 6.1): whether a master that does not own the addresses answers at them. On unless
    /// `no_accept` or strict mode says otherwise.
    pub fn accepts(&self, global: &Global) -> bool {
        let own = self.settings();
        !own.no_accept && (own.accept || !self.is_strict(global))
    }

    /// The parameters of the state machine.
    pub fn params(&self, global: &Global) -> Params {
        Params {
            priority: self.priority,
            interval: self.interval,
            preempt: self.preempt,
            accept: self.accepts(global),
            rules: self.rules(global),
        }
    }

    /// What the election goes by.
    pub fn rules(&self, global: &Global) -> Rules {
        let (own, host, default) = (self.settings(), &global.settings, Rules::DEFAULT);
        let adverts = own.down_timer_adverts.or(host.vrrp_down_timer_adverts).and_then(NonZeroU8::new);
        let delays = self.preempt && self.initial != Initial::Master;
        let preempt_delay = own.preempt_delay.filter(|_| delays).and_then(PreemptDelay::new);
        let strongest = own.timer_expired_backup.filter(|_| !self.preempt).and_then(Priority::new);
        if self.is_strict(global) {
            return Rules {
                answer_weaker: false,
                announce_to_weaker: false,
                claim_on_yield: false,
                owner_hears: OwnerHears::Never,
                strongest_backup: strongest.unwrap_or(default.strongest_backup),
                ..default
            };
        }
        let silent = own.lower_prio_no_advert.or(host.vrrp_lower_prio_no_advert);
        let claims = own.higher_prio_send_advert.or(host.vrrp_higher_prio_send_advert);
        Rules {
            down_timer_adverts: adverts.unwrap_or(default.down_timer_adverts),
            preempt_delay: preempt_delay.unwrap_or(default.preempt_delay),
            answer_weaker: silent.map_or(default.answer_weaker, |silent| !silent),
            announce_to_weaker: default.announce_to_weaker,
            claim_on_yield: claims.unwrap_or(default.claim_on_yield),
            owner_hears: match own.owner_ignore_adverts.or(host.vrrp_owner_ignore_adverts) {
                None => default.owner_hears,
                Some(false) => OwnerHears::Always,
                Some(true) => OwnerHears::Never,
            },
            strongest_backup: strongest.unwrap_or(default.strongest_backup),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Code, Config, parse_str};

    /// The configuration with these settings of `global_defs` and of the instance, and what is said about it.
    fn parsed(global: &str, own: &str) -> (Config, Vec<Code>) {
        let text = format!(
            "global_defs {{\n{global}\n}}\nvrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\n{own}\n\
             virtual_ipaddress {{\n10.0.0.1/24\n}}\n}}\n"
        );
        let loaded = parse_str("test.conf", &text);
        let codes = loaded.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        (loaded.config.expect("it runs"), codes)
    }

    /// The rules under these settings, and what is said about them.
    fn read(global: &str, own: &str) -> (Rules, Vec<Code>) {
        let (config, codes) = parsed(global, own);
        (config.instances[0].rules(&config.global), codes)
    }

    fn rules(global: &str, own: &str) -> Rules {
        let (rules, codes) = read(global, own);
        assert_eq!(codes, [], "{global} {own}");
        rules
    }

    #[test]
    fn nothing_set_is_the_default() {
        assert_eq!(rules("", ""), Rules::DEFAULT);
        assert_eq!(rules("", "skip_check_adv_addr on"), Rules::DEFAULT);
        assert_eq!(rules("vrrp_skip_check_adv_addr", ""), Rules::DEFAULT);
    }

    #[test]
    fn each_keyword_sets_its_rule_and_the_instance_overrides_the_host() {
        let adverts = |global, own| rules(global, own).down_timer_adverts.get();
        assert_eq!(adverts("", "down_timer_adverts 5"), 5);
        assert_eq!(adverts("vrrp_down_timer_adverts 7", ""), 7);
        assert_eq!(adverts("vrrp_down_timer_adverts 7", "down_timer_adverts 100"), 100);
        let answers = |global, own| rules(global, own).answer_weaker;
        assert!(!answers("", "lower_prio_no_advert") && !answers("vrrp_lower_prio_no_advert", ""));
        assert!(answers("vrrp_lower_prio_no_advert", "lower_prio_no_advert off"));
        let claims = |global, own| rules(global, own).claim_on_yield;
        assert!(claims("", "higher_prio_send_advert") && !claims("", "higher_prio_send_advert off"));
        assert!(!claims("vrrp_higher_prio_send_advert off", ""));
        assert!(claims("vrrp_higher_prio_send_advert off", "higher_prio_send_advert on"));
        let owner = |global, own| rules(global, own).owner_hears;
        assert_eq!(owner("", "owner_ignore_adverts"), OwnerHears::Never);
        assert_eq!(owner("", "owner_ignore_adverts no"), OwnerHears::Always);
        assert_eq!(owner("vrrp_owner_ignore_adverts", ""), OwnerHears::Never);
        assert_eq!(owner("vrrp_owner_ignore_adverts", "owner_ignore_adverts off"), OwnerHears::Always);
        let strongest = |own| rules("", own).strongest_backup.get();
        assert_eq!(strongest("nopreempt\ntimer_expired_backup 150"), 150);
        assert_eq!(strongest("nopreempt\ntimer_expired_backup"), 254);
        assert_eq!(read("", "nopreempt\nthread_timer_expired 9").0.strongest_backup.get(), 9, "the old name");
    }

    #[test]
    fn a_preemption_is_delayed_where_there_is_one_to_delay() {
        let delay = |own: &str| read("", own).0.preempt_delay.duration();
        assert_eq!(rules("", "preempt_delay 2.5").preempt_delay.duration(), Duration::from_millis(2500));
        assert_eq!(delay("preempt_delay 1000"), Duration::from_secs(1000));
        for beside in ["nopreempt", "state MASTER\npriority 150", "priority 255"] {
            let (rules, codes) = read("", &format!("preempt_delay 5\n{beside}"));
            assert_eq!((rules.preempt_delay, &codes[..]), (PreemptDelay::NONE, &[Code::NoEffect][..]), "{beside}");
        }
    }

    #[test]
    fn strict_mode_is_rfc_3768s_silence() {
        let strict = Rules {
            answer_weaker: false,
            announce_to_weaker: false,
            claim_on_yield: false,
            owner_hears: OwnerHears::Never,
            ..Rules::DEFAULT
        };
        for (global, own) in [("vrrp_strict", ""), ("", "strict_mode"), ("vrrp_strict", "strict_mode on")] {
            assert_eq!(rules(global, own), strict, "{global} {own}");
        }
        assert_eq!(rules("vrrp_strict", "priority 255"), strict);
        assert_eq!(rules("vrrp_strict", "strict_mode off"), Rules::DEFAULT);
        for own in
            ["lower_prio_no_advert off", "higher_prio_send_advert", "owner_ignore_adverts no", "down_timer_adverts 4"]
        {
            let (rules, codes) = read("vrrp_strict", own);
            assert_eq!(rules, strict, "{own}");
            assert_eq!(codes.iter().filter(|code| **code == Code::NoEffect).count(), 1, "{own}: {codes:?}");
        }
        assert_eq!(rules("vrrp_strict\nvrrp_down_timer_adverts 9", "priority 255"), strict);
    }

    #[test]
    fn a_master_answers_unless_it_is_told_not_to() {
        let accepts = |global: &str, own: &str, codes: &[Code]| {
            let (config, told) = parsed(global, own);
            assert_eq!(told, codes, "{global} {own}");
            config.instances[0].accepts(&config.global)
        };
        assert!(accepts("", "", &[]) && accepts("", "accept", &[]));
        assert!(!accepts("", "no_accept", &[]));
        assert!(!accepts("", "accept\nno_accept", &[Code::NoEffect]), "the last one counts");
        assert!(accepts("", "no_accept\naccept", &[Code::NoEffect]));
        assert!(!accepts("vrrp_strict", "", &[]) && !accepts("", "strict_mode", &[]));
        assert!(accepts("vrrp_strict", "strict_mode off", &[]));
        // VRRPv3 has Accept_Mode, VRRPv2 has none.
        assert!(accepts("vrrp_strict", "version 3\naccept", &[]));
        assert!(!accepts("vrrp_strict", "accept", &[Code::NoEffect]));
        assert!(!accepts("vrrp_strict\nvrrp_version 3", "no_accept", &[]));
        assert!(accepts("", "priority 255\nno_accept", &[Code::NoEffect]), "the owner answers in any mode");
    }

    #[test]
    fn strict_mode_demands_signatures_that_are_to_be_used() {
        let key = "07".repeat(32);
        let own = format!("strict_mode\nauth_hmac {{\nkey 1 hex:{key}\nactive_key 1\nmode permissive\n}}");
        let (_, codes) = read("", &own);
        assert!(codes.contains(&Code::NoEffect), "{codes:?}");
    }
}
