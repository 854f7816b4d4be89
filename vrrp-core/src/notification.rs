//! What a management station is told: the notifications of RFC 8347 section 4, and the traps of RFC 6527 and RFC 2787.
//!
//! Pure mappings from what happened to the names of the models. Knows no agent, no transport, no rate: the caller sends them as
//! it sends its log, and no faster.
//!
//! ```
//! use vrrp_core::notification::{Notification, ProtocolError};
//! use vrrp_core::rx::Discard;
//! let notification = Notification::of_discard(&Discard::Ttl(64)).expect("an error of the model");
//! assert_eq!(notification, Notification::ProtocolError(ProtocolError::IpTtl));
//! assert_eq!(notification.name(), "vrrp-protocol-error-event");
//! assert_eq!(ProtocolError::IpTtl.name(), "ip-ttl-error");
//! ```

use core::net::IpAddr;

use crate::fsm::{NewMasterReason, Role, Transition};
use crate::router::VirtualRouter;
use crate::rx::{Discard, Notices};
use crate::wire::advert::ParseError;

/// A notification, with what its model says of the event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Notification {
    /// This router has become Master.
    NewMaster {
        /// Its address: the source of its adverts.
        master: IpAddr,
        /// Why.
        reason: NewMasterReason,
    },
    /// An error that belongs to no virtual router.
    ProtocolError(ProtocolError),
    /// An error of one virtual router.
    VirtualRouterError(VirtualRouterError),
    /// VRRPv2's authentication failed (RFC 2787; RFC 8347 has none).
    AuthFailure(AuthFailure),
}

/// RFC 8347's identities under `vrrp-error-global`, RFC 6527's ProtoErrReason.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ProtocolError {
    /// The TTL or hop limit is not 255.
    IpTtl,
    /// The version is not one that is understood here.
    Version,
    /// The checksum does not fit.
    Checksum,
    /// The virtual router is not configured here.
    Vrid,
}

/// RFC 8347's identities under `vrrp-error-virtual-router`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum VirtualRouterError {
    /// The list of addresses is not ours.
    AddressList,
    /// The interval is not ours.
    Interval,
    /// The length is not that of an advertisement.
    PacketLength,
}

/// RFC 2787's vrrpTrapAuthErrorType.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AuthFailure {
    /// invalidAuthType(1).
    InvalidType,
    /// authTypeMismatch(2).
    TypeMismatch,
    /// authFailure(3).
    Failure,
}

impl Notification {
    /// What a transition of `router` calls for, once it has been made: becoming Master is the one that is notified.
    pub fn of_transition<A: AsRef<[IpAddr]>>(router: &VirtualRouter<A>, transition: &Transition) -> Option<Self> {
        let master = router.machine().link.source().filter(|_| transition.to == Role::Master)?;
        Some(Self::NewMaster { master, reason: transition.cause.new_master_reason() })
    }

    /// What a dropped advertisement calls for. Exhaustive; `None` for reasons that no model has.
    pub const fn of_discard(reason: &Discard) -> Option<Self> {
        match reason {
            Discard::Ttl(_) | Discard::PeerTtl { .. } => Some(Self::ProtocolError(ProtocolError::IpTtl)),
            Discard::Parse(ParseError::Version(_) | ParseError::V2OverIpv6) | Discard::Version { .. } => {
                Some(Self::ProtocolError(ProtocolError::Version))
            }
            Discard::Checksum(_) | Discard::ChecksumForm { .. } | Discard::OldChecksum => {
                Some(Self::ProtocolError(ProtocolError::Checksum))
            }
            Discard::UnknownVrid(_) => Some(Self::ProtocolError(ProtocolError::Vrid)),
            Discard::Parse(ParseError::Length { .. }) => {
                Some(Self::VirtualRouterError(VirtualRouterError::PacketLength))
            }
            Discard::Parse(ParseError::NoAddress) | Discard::FirstNotLinkLocal(_) => {
                Some(Self::VirtualRouterError(VirtualRouterError::AddressList))
            }
            Discard::Interval { .. } => Some(Self::VirtualRouterError(VirtualRouterError::Interval)),
            Discard::UnknownAuthType(_) => Some(Self::AuthFailure(AuthFailure::InvalidType)),
            Discard::AuthType { .. } => Some(Self::AuthFailure(AuthFailure::TypeMismatch)),
            Discard::Password | Discard::Ah(_) | Discard::Trailer(_) => Some(Self::AuthFailure(AuthFailure::Failure)),
            Discard::Ip(_)
            | Discard::Protocol(_)
            | Discard::Destination(_)
            | Discard::Parse(ParseError::Type(_))
            | Discard::ByMulticast
            | Discard::ByUnicast
            | Discard::NoPeer
            | Discard::OwnSource
            | Discard::Owner => None,
        }
    }

    /// What an accepted advertisement calls for.
    pub fn of_notices(notices: Notices) -> impl Iterator<Item = Self> {
        let told = [
            (Notices::ADDRESS_LIST, VirtualRouterError::AddressList),
            (Notices::INTERVAL, VirtualRouterError::Interval),
        ];
        told.into_iter()
            .filter(move |(notice, _)| notices.contains(*notice))
            .map(|(_, error)| Self::VirtualRouterError(error))
    }

    /// The name of its model: RFC 8347's notification, or RFC 2787's trap.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NewMaster { .. } => "vrrp-new-master-event",
            Self::ProtocolError(_) => "vrrp-protocol-error-event",
            Self::VirtualRouterError(_) => "vrrp-virtual-router-error-event",
            Self::AuthFailure(_) => "vrrpTrapAuthFailure",
        }
    }
}

impl ProtocolError {
    /// RFC 8347's identity.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IpTtl => "ip-ttl-error",
            Self::Version => "version-error",
            Self::Checksum => "checksum-error",
            Self::Vrid => "vrid-error",
        }
    }

    /// RFC 6527's number in vrrpv3StatisticsProtoErrReason; 0 would be noError.
    pub const fn code(self) -> u8 {
        match self {
            Self::IpTtl => 1,
            Self::Version => 2,
            Self::Checksum => 3,
            Self::Vrid => 4,
        }
    }
}

impl VirtualRouterError {
    /// RFC 8347's identity.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AddressList => "address-list-error",
            Self::Interval => "interval-error",
            Self::PacketLength => "packet-length-error",
        }
    }
}

impl AuthFailure {
    /// RFC 2787's number in vrrpTrapAuthErrorType.
    pub const fn code(self) -> u8 {
        match self {
            Self::InvalidType => 1,
            Self::TypeMismatch => 2,
            Self::Failure => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::vec::Vec;

    use super::*;
    use crate::auth::{AhError, Auth, TrailerError};
    use crate::fsm::{Cause, Event, Link, Params, Rules, Timer};
    use crate::router::{ChecksumPolicy, RouterConfig};
    use crate::types::{AddressList, AdvertInterval, Priority, Version, Vrid};
    use crate::wire::advert::{ChecksumForm, ChecksumMismatch};
    use crate::wire::ipv4::Ipv4Error;

    /// R119: the one transition that the models notify, with the reason that they have for it.
    #[test]
    fn r119_becoming_master_is_notified_with_address_and_reason() {
        let own: IpAddr = [10, 0, 0, 5].into();
        let mut router = VirtualRouter::new(RouterConfig {
            vrid: Vrid::new(7).unwrap(),
            params: Params {
                priority: Priority::default(),
                interval: AdvertInterval::from_centis(100).unwrap(),
                preempt: true,
                accept: false,
                rules: Rules::DEFAULT,
            },
            addresses: AddressList::new([[10, 0, 0, 100].into()]).unwrap(),
            auth: Auth::None,
            checksum: ChecksumPolicy::default(),
        });
        let mut told = Vec::new();
        for event in [
            Event::Link(Link::Up(own)),
            Event::Enabled(true),
            Event::Expired(Timer::MasterDown),
            Event::Expired(Timer::Adver),
            Event::Overdue,
            Event::Advert { from: [10, 0, 0, 6].into(), priority: None, interval: router.machine().params.interval },
            Event::Expired(Timer::MasterDown),
            Event::Enabled(false),
        ] {
            let actions = router.handle(event);
            told.extend(actions.transition.and_then(|transition| Notification::of_transition(&router, &transition)));
        }
        let new = |reason| Notification::NewMaster { master: own, reason };
        assert_eq!(told, [new(NewMasterReason::MasterNoResponse), new(NewMasterReason::Priority)]);
        assert_eq!(router.new_master_reason(), NewMasterReason::Priority, "and is remembered");
        let transition = Transition { from: Role::Backup, to: Role::Master, cause: Cause::MasterTimeout };
        let _ = router.handle(Event::Link(Link::Down));
        assert_eq!(Notification::of_transition(&router, &transition), None, "nobody without an address");
    }

    /// R119 to R121: each reason to drop, and the error that the models have for it.
    #[test]
    fn r119_every_reason_has_its_error_or_none() {
        use Notification as N;
        let interval = AdvertInterval::from_centis(1).unwrap();
        let (v2, v3) = (Version::V2, Version::V3);
        let (plain, pseudo) = (ChecksumForm::Message, ChecksumForm::PseudoHeader);
        let global = |error| Some(N::ProtocolError(error));
        let router = |error| Some(N::VirtualRouterError(error));
        let auth = |error| Some(N::AuthFailure(error));
        let reasons = [
            (Discard::Ttl(1), global(ProtocolError::IpTtl)),
            (Discard::Parse(ParseError::Version(4)), global(ProtocolError::Version)),
            (Discard::Parse(ParseError::V2OverIpv6), global(ProtocolError::Version)),
            (Discard::Version { ours: v2, theirs: v3 }, global(ProtocolError::Version)),
            (Discard::Checksum(ChecksumMismatch { found: 1, computed: 2 }), global(ProtocolError::Checksum)),
            (Discard::ChecksumForm { ours: plain, theirs: pseudo }, global(ProtocolError::Checksum)),
            (Discard::UnknownVrid(9), global(ProtocolError::Vrid)),
            (Discard::Parse(ParseError::Length { expected: 8, found: 7 }), router(VirtualRouterError::PacketLength)),
            (Discard::Parse(ParseError::NoAddress), router(VirtualRouterError::AddressList)),
            (Discard::FirstNotLinkLocal([0u16; 8].into()), router(VirtualRouterError::AddressList)),
            (Discard::Interval { ours: interval, theirs: None }, router(VirtualRouterError::Interval)),
            (Discard::UnknownAuthType(9), auth(AuthFailure::InvalidType)),
            (Discard::AuthType { ours: 0, theirs: 1 }, auth(AuthFailure::TypeMismatch)),
            (Discard::Password, auth(AuthFailure::Failure)),
            (Discard::Ah(AhError::Invalid), auth(AuthFailure::Failure)),
            (Discard::Trailer(TrailerError::Invalid), auth(AuthFailure::Failure)),
            (Discard::Ip(Ipv4Error::Fragment), None),
            (Discard::Protocol(17), None),
            (Discard::Destination([10, 0, 0, 1].into()), None),
            (Discard::Parse(ParseError::Type(2)), None),
            (Discard::OwnSource, None),
            (Discard::Owner, None),
        ];
        for (reason, expected) in reasons {
            assert_eq!(N::of_discard(&reason), expected, "{reason:?}");
        }
        let names: BTreeSet<_> = reasons.iter().filter_map(|(_, told)| told.map(N::name)).collect();
        let expected = ["vrrp-protocol-error-event", "vrrp-virtual-router-error-event", "vrrpTrapAuthFailure"];
        assert!(names.into_iter().eq(expected));
        let new = N::NewMaster { master: [10, 0, 0, 1].into(), reason: NewMasterReason::Priority };
        assert_eq!(new.name(), "vrrp-new-master-event");
    }

    #[test]
    fn r119_differences_that_are_accepted_are_errors_of_the_model_too() {
        let told = |notices| Notification::of_notices(notices).collect::<Vec<_>>();
        let error = Notification::VirtualRouterError;
        assert_eq!(told(Notices::ADDRESS_LIST | Notices::LOSING), [error(VirtualRouterError::AddressList)]);
        assert_eq!(told(Notices::INTERVAL), [error(VirtualRouterError::Interval)]);
        assert_eq!(told(Notices::all() - Notices::ADDRESS_LIST - Notices::INTERVAL), []);
    }

    #[test]
    fn names_and_numbers_are_those_of_the_models() {
        use NewMasterReason as R;
        let global = [ProtocolError::IpTtl, ProtocolError::Version, ProtocolError::Checksum, ProtocolError::Vrid];
        assert_eq!(global.map(ProtocolError::name), ["ip-ttl-error", "version-error", "checksum-error", "vrid-error"]);
        assert_eq!(global.map(ProtocolError::code), [1, 2, 3, 4]);
        let router = [VirtualRouterError::AddressList, VirtualRouterError::Interval, VirtualRouterError::PacketLength];
        assert_eq!(
            router.map(VirtualRouterError::name),
            ["address-list-error", "interval-error", "packet-length-error"]
        );
        let auth = [AuthFailure::InvalidType, AuthFailure::TypeMismatch, AuthFailure::Failure];
        assert_eq!(auth.map(AuthFailure::code), [1, 2, 3]);
        let reasons = [R::NotMaster, R::Priority, R::Preempted, R::MasterNoResponse];
        assert_eq!(reasons.map(R::name), ["not-master", "priority", "preempted", "no-response"]);
        assert_eq!(reasons.map(R::code), [0, 1, 2, 3]);
    }
}
