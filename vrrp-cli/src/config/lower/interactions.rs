//! Settings of one instance, and of the host, that take each other's effect away.
//!
//! keepalived resets the one that loses, with a line in its log or without. Here the same one loses, and a warning says
//! so; what can only be a mistake is an error.

use std::net::IpAddr;

use vrrp_core::{Priority, Version};

use super::instance::Draft;
use super::{Diagnostic, Lowerer};
use crate::config::diagnostic::Code;
use crate::config::keywords::{self, Context};
use crate::config::model::{BfdSettings, Global, Initial, InstanceSettings};
use crate::config::source::Span;
use crate::config::tree::{Block, Statement};

/// Without `unicast_peer`, these do nothing.
const UNICAST_ONLY: &[&str] = &["unicast_src_ip", "unicast_ttl", "check_unicast_src", "old_unicast_checksum"];

impl<'t, 's> Lowerer<'t, 's, '_> {
    /// Strict mode's part that changes what the election and the adverts start from.
    pub(super) fn settle_strict(&mut self, draft: &mut Draft<'t, 's>, block: &'t Block<'s>, global: &Global) {
        if !draft.is_strict(global) {
            return;
        }
        if let Some(password) = draft.password.take() {
            let message = "the password is not used: strict mode has no authentication";
            let help = "remove the `authentication` block, or leave strict mode on every router of the group";
            self.report(Diagnostic::new(Code::PasswordUnused, password.span, message).help(help));
        }
        if draft.starts_as_master() && draft.has_priority() && !draft.is_owner() {
            draft.begin_as(Initial::Backup);
            self.no_effect(block, "state", "in strict mode, where only priority 255 begins as master");
        }
        let Some(more) = draft.more.as_mut() else { return };
        for (name, value, strict) in [
            ("lower_prio_no_advert", &mut more.lower_prio_no_advert, true),
            ("higher_prio_send_advert", &mut more.higher_prio_send_advert, false),
            ("owner_ignore_adverts", &mut more.owner_ignore_adverts, true),
        ] {
            if value.replace(strict).is_some_and(|value| value != strict) {
                let state = if strict { "on" } else { "off" };
                self.no_effect(block, name, &format!("in strict mode, where it is {state}"));
            }
        }
        if let Some(hmac) = &mut more.auth_hmac
            && hmac.settings.mode.take().is_some_and(|mode| mode != "enforce")
        {
            let message = "the mode of `auth_hmac` has no effect in strict mode, where it is `enforce`";
            let diagnostic = Diagnostic::new(Code::NoEffect, place(block, "auth_hmac"), message);
            self.report(diagnostic.help("remove it, or leave strict mode"));
        }
        if more.preempt_delay.take().is_some_and(|delay| !delay.is_zero()) {
            self.no_effect(block, "preempt_delay", "in strict mode");
        }
        if more.down_timer_adverts.is_some_and(|adverts| adverts != 3) {
            more.down_timer_adverts = Some(3);
            self.no_effect(block, "down_timer_adverts", "in strict mode, where it is 3");
        }
        if std::mem::take(&mut more.vmac_xmit_base) {
            self.no_effect(block, "vmac_xmit_base", "in strict mode");
        }
        if !more.unicast_peer.is_empty() {
            let message = "strict mode has no unicast";
            let diagnostic = Diagnostic::new(Code::Contradiction, place(block, "unicast_peer"), message)
                .help("remove `unicast_peer`, or leave strict mode: RFC 9568 knows multicast only");
            self.tolerate(true, |lowerer| lowerer.report(diagnostic));
        }
    }

    /// Accept_Mode (RFC 9568 section 6.1), once version and priority are known.
    pub(super) fn settle_accept(
        &mut self,
        draft: &mut Draft<'t, 's>,
        block: &'t Block<'s>,
        global: &Global,
        (version, priority): (Version, Priority),
    ) {
        let refuses = draft.is_strict(global) && version == Version::V2 && !priority.is_owner();
        let Some(more) = draft.more.as_mut() else { return };
        if priority.is_owner() && std::mem::take(&mut more.no_accept) {
            self.no_effect(block, "no_accept", "beside priority 255: the owner of the addresses answers at them");
        }
        if refuses && std::mem::take(&mut more.accept) {
            self.no_effect(block, "accept", "in strict mode with VRRP version 2, where only their owner answers");
        }
    }

    /// What holds in any mode, once it is known whether the instance preempts.
    pub(super) fn settle_interactions(&mut self, draft: &mut Draft<'t, 's>, block: &'t Block<'s>) {
        let preempts = draft.preempts();
        let (master, owner) = (draft.starts_as_master(), draft.is_owner());
        let family = draft.first_address();
        let has_source = draft.has_source();
        self.opposites(draft, block);
        let Some(more) = draft.more.as_mut() else { return };
        let own_macs = more.use_vmac.is_some() || more.use_ipvlan.is_some();
        if more.use_vmac.is_some() && more.use_ipvlan.is_some() {
            let message = "`use_vmac` and `use_ipvlan` exclude each other";
            let diagnostic = Diagnostic::new(Code::Contradiction, place(block, "use_ipvlan"), message)
                .also(place(block, "use_vmac"), "the other one")
                .help("remove one of them");
            self.report(diagnostic);
        }
        if more.vmac_xmit_base && !own_macs {
            self.no_effect(block, "vmac_xmit_base", "without `use_vmac`");
        }
        let extra = more.garp_extra_if.is_some_and(|extra| !extra.all && !extra.interval.is_zero());
        if extra && !own_macs && !more.use_vmac_addr {
            self.no_effect(block, "garp_extra_if", "without `all`, unless addresses are on virtual interfaces");
        }
        if more.preempt_delay.is_some_and(|delay| !delay.is_zero()) {
            if !preempts {
                self.no_effect(block, "preempt_delay", "beside `nopreempt`");
            } else if owner {
                self.no_effect(block, "preempt_delay", "beside priority 255");
            } else if master {
                self.no_effect(block, "preempt_delay", "beside `state MASTER`");
            }
        }
        if more.timer_expired_backup.is_some() && preempts {
            self.no_effect(block, "timer_expired_backup", "without `nopreempt`");
        }
        if more.track_src_ip && more.unicast_src_ip.is_none() && !has_source {
            self.no_effect(block, "track_src_ip", "without `mcast_src_ip` or `unicast_src_ip`");
        }
        self.unicast(more, block, family);
    }

    fn unicast(&mut self, more: &mut InstanceSettings, block: &'t Block<'s>, family: Option<(IpAddr, Span)>) {
        let peers = block.statements.iter().filter(|line| line.words[0].text == "unicast_peer");
        let lists = peers.filter_map(|line| line.block.as_ref()).map(|list| list.statements.len());
        let (given, named) = lists.fold((false, 0), |(_, lines), more| (true, lines + more));
        if more.unicast_peer.is_empty() {
            if given && named == 0 && !more.unicast_fault_no_peer {
                self.no_effect(block, "unicast_peer", "without peers: adverts go to the multicast group");
            } else if named == 0 {
                for name in UNICAST_ONLY.iter().filter(|name| stands(block, name)) {
                    self.no_effect(block, name, "without `unicast_peer`: adverts go to the multicast group");
                }
            }
        } else if more.mcast_dst_ip.is_some() {
            self.no_effect(block, "mcast_dst_ip", "beside `unicast_peer`");
        }
        if let Some(source) = more.unicast_src_ip
            && let Some(own) = more.unicast_peer.iter().find(|peer| peer.address.value == source)
        {
            let diagnostic =
                Diagnostic::new(Code::Contradiction, own.address.span, format!("{source} is this host's own address"))
                    .also(place(block, "unicast_src_ip"), "adverts come from it")
                    .help("a peer is another host: remove the line");
            self.report(diagnostic);
        }
        let Some((first, at)) = family else { return };
        let kind = if first.is_ipv4() { "IPv4" } else { "IPv6" };
        let mut odd: Vec<(IpAddr, Span)> = Vec::new();
        more.unicast_peer.retain(|peer| {
            let fits = peer.address.value.is_ipv4() == first.is_ipv4();
            if !fits {
                odd.push((peer.address.value, peer.address.span));
            }
            fits
        });
        if let Some(source) = more.unicast_src_ip.filter(|source| source.is_ipv4() != first.is_ipv4()) {
            odd.push((source, place(block, "unicast_src_ip")));
        }
        for (address, span) in odd {
            let message = format!("{address} is not an {kind} address, as the first virtual address is");
            let diagnostic = Diagnostic::new(Code::WrongFamily, span, message)
                .also(at, format!("the first address, of {kind}"))
                .help("adverts are sent over the family of the virtual addresses");
            self.tolerate(true, |lowerer| lowerer.report(diagnostic));
        }
    }

    /// Of two words for opposite things the last one counts.
    fn opposites(&mut self, draft: &mut Draft<'t, 's>, block: &'t Block<'s>) {
        for (one, other) in [("accept", "no_accept"), ("preempt", "nopreempt")] {
            let at = |name| block.statements.iter().rposition(|line| line.words[0].text == name);
            let (Some(first), Some(second)) = (at(one), at(other)) else { continue };
            let (loser, winner) = if first < second { (one, other) } else { (other, one) };
            self.no_effect(block, loser, &format!("before `{winner}`, which says the opposite"));
            if let Some(more) = draft.more.as_mut().filter(|_| one == "accept") {
                (more.accept, more.no_accept) = (winner == one, winner == other);
            }
        }
    }

    /// Both ends of a BFD session are of one family.
    pub(super) fn check_bfd_family(&mut self, settings: &BfdSettings, block: &'t Block<'s>) {
        let (Some(neighbor), Some(source)) = (settings.neighbor_ip, settings.source_ip) else { return };
        if neighbor.is_ipv4() != source.is_ipv4() {
            let message = format!("the source {source} is of another family than the neighbour {neighbor}");
            let diagnostic = Diagnostic::new(Code::WrongFamily, place(block, "source_ip"), message)
                .also(place(block, "neighbor_ip"), "the neighbour")
                .help("name an address of this host of the neighbour's family, or leave the line out");
            self.report(diagnostic);
        }
    }

    fn no_effect(&mut self, block: &Block<'_>, name: &str, why: &str) {
        let message = format!("`{name}` has no effect {why}");
        let diagnostic = Diagnostic::new(Code::NoEffect, place(block, name), message);
        self.report(diagnostic.help("remove it, or what takes its effect away"));
    }
}

fn stands(block: &Block<'_>, name: &str) -> bool {
    block.statements.iter().any(|line| is(line, name))
}

/// Whether the line begins with the keyword, be it under an old name.
fn is(line: &Statement<'_>, name: &str) -> bool {
    let first = &line.words[0].text;
    first == name || keywords::find(Context::Instance, first).is_some_and(|keyword| keyword.renamed == Some(name))
}

/// The keyword's last place in the block; the block's brace when it stands behind another one on its line.
fn place(block: &Block<'_>, name: &str) -> Span {
    let found = block.statements.iter().rfind(|line| is(line, name));
    found.map_or(block.open, |line| line.words[0].span)
}
