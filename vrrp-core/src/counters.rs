//! What is counted, once: the superset of RFC 8347, RFC 6527 and RFC 2787.
//!
//! Knows names and scopes; what makes a counter move is [`crate::rx`] and the router.

/// Where a counter belongs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// Of the host: the packet cannot be told to belong to one virtual router.
    Global,
    /// Of one virtual router.
    Router,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $scope:ident;)*) => {
        /// One counter. Status, metrics and SNMP iterate [`Counter::ALL`].
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Counter { $($(#[$doc])* $variant,)* }

        impl Counter {
            /// Every counter, in order.
            pub const ALL: [Self; counters!(@count $($variant)*)] = [$(Self::$variant,)*];

            /// A stable name: lower case, words joined by `_`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Where it belongs.
            pub const fn scope(self) -> Scope {
                match self { $(Self::$variant => Scope::$scope,)* }
            }
        }
    };
    (@count) => { 0 };
    (@count $head:ident $($tail:ident)*) => { 1 + counters!(@count $($tail)*) };
}

counters! {
    /// Datagrams that are not whole datagrams of protocol 112 to the group, or to this host.
    IpErrors, "ip_errors", Global;
    /// TTL or hop limit other than 255 (R6, R73), or outside of the bounds of a unicast peer.
    TtlErrors, "ttl_errors", Global;
    /// Neither version 2 nor 3, version 2 over IPv6, or not the router's version.
    VersionErrors, "version_errors", Global;
    /// Checksums that fit no form (R20).
    ChecksumErrors, "checksum_errors", Global;
    /// Adverts for a virtual router that is not configured on the interface; where the caller feeds a sample of them, an estimate.
    VridErrors, "vrid_errors", Global;
    /// Datagrams that were lost before they could be read: a queue had no room.
    PacketsLost, "packets_lost", Global;
    /// Transitions to Master.
    MasterTransitions, "master_transitions", Router;
    /// Adverts that passed every check, outside Initialize.
    AdvertsReceived, "adverts_received", Router;
    /// Adverts written to be sent, those of priority 0 included; by unicast, one for each peer.
    AdvertsSent, "adverts_sent", Router;
    /// Adverts of priority 0 received.
    PriorityZeroReceived, "priority_zero_received", Router;
    /// Adverts of priority 0 written to be sent.
    PriorityZeroSent, "priority_zero_sent", Router;
    /// Type other than ADVERTISEMENT (R10).
    InvalidTypeReceived, "invalid_type_received", Router;
    /// Wrong length (R47).
    LengthErrors, "length_errors", Router;
    /// Interval that differs from ours: dropped in VRRPv2 (R49), reported in VRRPv3 (R104).
    IntervalErrors, "interval_errors", Router;
    /// List of addresses that differs from ours: reported; empty in VRRPv3, or where strict without a link-local first address
    /// in IPv6: dropped (R94, R96).
    AddressListErrors, "address_list_errors", Router;
    /// Unknown authentication type.
    InvalidAuthType, "invalid_auth_type", Router;
    /// Authentication type that differs from ours.
    AuthTypeMismatch, "auth_type_mismatch", Router;
    /// Wrong password.
    AuthFailures, "auth_failures", Router;
    /// Adverts heard while we are the address owner.
    OwnerConflicts, "owner_conflicts", Router;
    /// Adverts that come from our own source address: a loop or a cloned host.
    OwnSource, "own_source", Router;
    /// Adverts that came by multicast for a router that has peers, or by unicast for one that has none.
    DeliveryErrors, "delivery_errors", Router;
    /// Unicast adverts of somebody who is no peer.
    UnknownPeers, "unknown_peers", Router;
    /// Losing adverts heard in Master: another router claimed the addresses too.
    LosingAdverts, "losing_adverts", Router;
    /// Adverts of our own priority, below 255 (R112).
    EqualPriorities, "equal_priorities", Router;
    /// IPv6 lists whose first address is not link-local, accepted (R96).
    FirstNotLinkLocal, "first_not_link_local", Router;
    /// VRRPv3 checksums over IPv4 in another form than ours, accepted.
    OtherChecksumForm, "other_checksum_form", Router;
    /// The same, refused because only our own form is accepted; or the form of old keepalived's unicast, refused.
    ChecksumFormErrors, "checksum_form_errors", Router;
    /// Adverts without the HMAC trailer that is demanded.
    HmacMissing, "hmac_missing", Router;
    /// HMAC trailers of an unknown form.
    HmacMalformed, "hmac_malformed", Router;
    /// HMAC trailers outside the time window, or judged without a clock.
    HmacStale, "hmac_stale", Router;
    /// HMAC trailers of a key that is not configured.
    HmacUnknownKey, "hmac_unknown_key", Router;
    /// HMAC trailers that do not fit.
    HmacInvalid, "hmac_invalid", Router;
    /// HMAC trailers that were used before.
    HmacReplays, "hmac_replays", Router;
    /// Adverts without HMAC trailer, accepted because none is demanded yet.
    HmacUnsigned, "hmac_unsigned", Router;
    /// HMAC trailers from a clock that is off by more than half the time window, accepted.
    HmacClockSkew, "hmac_clock_skew", Router;
    /// Adverts without the Authentication Header that is demanded.
    AhMissing, "ah_missing", Router;
    /// Authentication Headers of an unknown form, or with another SPI than the source address.
    AhMalformed, "ah_malformed", Router;
    /// Authentication Headers that do not fit.
    AhInvalid, "ah_invalid", Router;
    /// Authentication Headers that were used before.
    AhReplays, "ah_replays", Router;
    /// Gratuitous ARPs and neighbour advertisements asked for, one for each address of a round.
    AnnouncementsSent, "announcements_sent", Router;
    /// Claims of other hosts to addresses that are served here, by ARP and neighbour advertisements (RFC 5227 section 2.4).
    AddressConflicts, "address_conflicts", Router;
    /// Announcements in answer to that.
    AddressDefences, "address_defences", Router;
    /// Adverts of a weaker Master, heard in Backup and not followed (R38).
    WeakerIgnored, "weaker_ignored", Router;
    /// Takeovers from a weaker Master.
    Preemptions, "preemptions", Router;
    /// Steps back of a Master that was held up for so long that another must have taken over.
    Overdue, "overdue", Router;
    /// Periods in which a Master that was held up sent no advert; 64 at most are counted at a time.
    AdvertsSkipped, "adverts_skipped", Router;
    /// Adverts that passed every check, and that a firewall of this host kept from its sockets.
    AdvertsBarred, "adverts_barred", Router;
    /// Silences that were believed one Skew_Time later, because packets were lost.
    TakeoversPutOff, "takeovers_put_off", Router;
}

/// A value for each [`Counter`]. Saturates at `u64::MAX`.
///
/// ```
/// use vrrp_core::{Counter, Counters};
/// let mut counters = Counters::default();
/// counters.add(Counter::TtlErrors);
/// assert_eq!(counters.get(Counter::TtlErrors), 1);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counters([u64; Counter::ALL.len()]);

impl Counters {
    /// The value of `counter`.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0.get(counter as usize).copied().unwrap_or_default()
    }

    /// Counts one.
    pub fn add(&mut self, counter: Counter) {
        self.add_many(counter, 1);
    }

    /// Counts `count`.
    pub fn add_many(&mut self, counter: Counter, count: u64) {
        if let Some(value) = self.0.get_mut(counter as usize) {
            *value = value.saturating_add(count);
        }
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self([0; Counter::ALL.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_own_name_and_cell() {
        let mut counters = Counters::default();
        for (i, counter) in Counter::ALL.into_iter().enumerate() {
            assert!(Counter::ALL.iter().skip(i + 1).all(|other| other.name() != counter.name()));
            assert!(counter.name().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            for _ in 0..=i {
                counters.add(counter);
            }
        }
        for (i, counter) in Counter::ALL.into_iter().enumerate() {
            assert_eq!(counters.get(counter), i as u64 + 1, "{}", counter.name());
        }
    }

    /// R119 to R122: every statistic of RFC 8347, RFC 6527 and RFC 2787, with its counter or the reason why it has none.
    #[test]
    fn every_statistic_of_the_three_models_has_its_counter() {
        use Counter as C;
        const STATE: &str = "no count: the caller's clock or the last event";
        const LAYOUT: &str = "no count: of the model's own tables";
        let leaves: &[(&str, Result<&[Counter], &str>)] = &[
            // RFC 8347, per instance.
            ("statistics/discontinuity-datetime", Err(STATE)),
            ("statistics/master-transitions", Ok(&[C::MasterTransitions])),
            ("statistics/advertisement-rcvd", Ok(&[C::AdvertsReceived])),
            ("statistics/advertisement-sent", Ok(&[C::AdvertsSent])),
            ("statistics/interval-errors", Ok(&[C::IntervalErrors])),
            ("statistics/priority-zero-pkts-rcvd", Ok(&[C::PriorityZeroReceived])),
            ("statistics/priority-zero-pkts-sent", Ok(&[C::PriorityZeroSent])),
            ("statistics/invalid-type-pkts-rcvd", Ok(&[C::InvalidTypeReceived])),
            ("statistics/address-list-errors", Ok(&[C::AddressListErrors])),
            ("statistics/packet-length-errors", Ok(&[C::LengthErrors])),
            // RFC 8347, global.
            ("vrrp/virtual-routers", Err(LAYOUT)),
            ("vrrp/interfaces", Err(LAYOUT)),
            ("vrrp/statistics/discontinuity-datetime", Err(STATE)),
            ("vrrp/statistics/checksum-errors", Ok(&[C::ChecksumErrors])),
            ("vrrp/statistics/version-errors", Ok(&[C::VersionErrors])),
            ("vrrp/statistics/vrid-errors", Ok(&[C::VridErrors])),
            ("vrrp/statistics/ip-ttl-errors", Ok(&[C::TtlErrors])),
            // RFC 6527.
            ("vrrpv3RouterChecksumErrors", Ok(&[C::ChecksumErrors])),
            ("vrrpv3RouterVersionErrors", Ok(&[C::VersionErrors])),
            ("vrrpv3RouterVrIdErrors", Ok(&[C::VridErrors])),
            ("vrrpv3GlobalStatisticsDiscontinuityTime", Err(STATE)),
            ("vrrpv3StatisticsMasterTransitions", Ok(&[C::MasterTransitions])),
            ("vrrpv3StatisticsNewMasterReason", Err("Cause::new_master_reason")),
            ("vrrpv3StatisticsRcvdAdvertisements", Ok(&[C::AdvertsReceived])),
            ("vrrpv3StatisticsAdvIntervalErrors", Ok(&[C::IntervalErrors])),
            ("vrrpv3StatisticsIpTtlErrors", Ok(&[C::TtlErrors])),
            ("vrrpv3StatisticsProtoErrReason", Err("Discard, of the last rejected packet")),
            ("vrrpv3StatisticsRcvdPriZeroPackets", Ok(&[C::PriorityZeroReceived])),
            ("vrrpv3StatisticsSentPriZeroPackets", Ok(&[C::PriorityZeroSent])),
            ("vrrpv3StatisticsRcvdInvalidTypePkts", Ok(&[C::InvalidTypeReceived])),
            ("vrrpv3StatisticsAddressListErrors", Ok(&[C::AddressListErrors])),
            ("vrrpv3StatisticsPacketLengthErrors", Ok(&[C::LengthErrors])),
            ("vrrpv3StatisticsRowDiscontinuityTime", Err(STATE)),
            ("vrrpv3StatisticsRefreshRate", Err(LAYOUT)),
            // RFC 2787.
            ("vrrpRouterChecksumErrors", Ok(&[C::ChecksumErrors])),
            ("vrrpRouterVersionErrors", Ok(&[C::VersionErrors])),
            ("vrrpRouterVrIdErrors", Ok(&[C::VridErrors])),
            ("vrrpStatsBecomeMaster", Ok(&[C::MasterTransitions])),
            ("vrrpStatsAdvertiseRcvd", Ok(&[C::AdvertsReceived])),
            ("vrrpStatsAdvertiseIntervalErrors", Ok(&[C::IntervalErrors])),
            ("vrrpStatsAuthFailures", Ok(&[C::AuthFailures])),
            ("vrrpStatsIpTtlErrors", Ok(&[C::TtlErrors])),
            ("vrrpStatsPriorityZeroPktsRcvd", Ok(&[C::PriorityZeroReceived])),
            ("vrrpStatsPriorityZeroPktsSent", Ok(&[C::PriorityZeroSent])),
            ("vrrpStatsInvalidTypePktsRcvd", Ok(&[C::InvalidTypeReceived])),
            ("vrrpStatsAddressListErrors", Ok(&[C::AddressListErrors])),
            ("vrrpStatsInvalidAuthType", Ok(&[C::InvalidAuthType])),
            ("vrrpStatsAuthTypeMismatch", Ok(&[C::AuthTypeMismatch])),
            ("vrrpStatsPacketLengthErrors", Ok(&[C::LengthErrors])),
            // Beyond them, of FRR and VPP (R122).
            ("gratuitous ARP and neighbour advertisements sent", Ok(&[C::AnnouncementsSent])),
            ("preemptions, adverts ignored", Ok(&[C::Preemptions, C::WeakerIgnored])),
        ];
        let covered = |counter: &Counter| leaves.iter().any(|(_, found)| found.is_ok_and(|all| all.contains(counter)));
        // What no model has and this crate counts besides.
        let besides = [
            C::IpErrors,
            C::OwnerConflicts,
            C::OwnSource,
            C::DeliveryErrors,
            C::UnknownPeers,
            C::LosingAdverts,
            C::EqualPriorities,
            C::FirstNotLinkLocal,
            C::OtherChecksumForm,
            C::ChecksumFormErrors,
            C::AddressConflicts,
            C::AddressDefences,
            C::Overdue,
            C::AdvertsSkipped,
            C::PacketsLost,
            C::TakeoversPutOff,
            C::AdvertsBarred,
        ];
        let ours = |counter: &Counter| {
            let name = counter.name();
            besides.contains(counter) || name.starts_with("ah_") || name.starts_with("hmac_")
        };
        for counter in Counter::ALL {
            assert!(covered(&counter) != ours(&counter), "{}", counter.name());
        }
        let distinct: std::collections::BTreeSet<_> = leaves.iter().map(|(leaf, _)| leaf).collect();
        assert_eq!(distinct.len(), leaves.len());
    }
}
