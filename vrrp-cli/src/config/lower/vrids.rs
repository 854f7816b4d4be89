//! Which instances may have the same VRID: those that every advert is for one of alone, by where it comes from and goes to.

use std::collections::HashMap;
use std::net::IpAddr;

use vrrp_core::Vrid;

use super::{Diagnostic, Lowerer};
use crate::config::diagnostic::Code;
use crate::config::model::InstanceSettings;
use crate::config::source::{Span, Spanned};

/// The VRIDs of one interface and family, by one peer, or by the multicast group: who has them, and which address of this
/// host is named as the source.
#[derive(Default)]
pub(super) struct Vrids(HashMap<(Domain, Vrid, Option<IpAddr>), Vec<User>>);

/// An interface, and whether the family is IPv6.
type Domain = (String, bool);
/// A source, where one is named, and the place of the VRID.
type User = (Option<IpAddr>, Span);

impl Lowerer<'_, '_, '_> {
    /// Reports an instance whose adverts could be meant for an earlier one.
    pub(super) fn claim_vrid(
        &mut self,
        vrids: &mut Vrids,
        domain: &Domain,
        vrid: Spanned<Vrid>,
        (more, mcast_source): (Option<&InstanceSettings>, Option<IpAddr>),
    ) {
        let settings = more.filter(|more| !more.unicast_peer.is_empty() || more.unicast_fault_no_peer);
        let source = settings.and_then(|more| more.unicast_src_ip.or(mcast_source));
        let peers = settings.map(|more| more.unicast_peer.iter().map(|peer| Some(peer.address.value)).collect());
        let mut clash = None;
        for peer in peers.unwrap_or_else(|| vec![None]) {
            let all = vrids.0.entry((domain.clone(), vrid.value, peer)).or_default();
            let same = |(other, _): &&User| source.zip(*other).is_none_or(|(a, b)| a == b);
            clash = clash.or(all.iter().find(same).map(|(_, first)| (peer, *first)));
            all.push((source, vrid.span));
        }
        let Some((peer, first)) = clash else { return };
        let twice = format!("VRID {} is used twice on interface `{}`", vrid.value, domain.0);
        let (message, help) = match peer {
            None => (twice, "give each instance on an interface its own VRID"),
            Some(peer) => (
                format!("{twice} with the peer {peer}"),
                "give each instance its own VRID, or its own peers, or its own `unicast_src_ip`",
            ),
        };
        self.report(
            Diagnostic::new(Code::DuplicateVrid, vrid.span, message).also(first, "used here before").help(help),
        );
    }
}
