//! One virtual router: its configuration, its [`Machine`], its counters, and the messages it sends and accepts.
//!
//! Knows octets through [`crate::wire`] and the election through [`crate::fsm`]; knows neither interfaces nor time.

use core::fmt;
use core::net::IpAddr;
use core::num::NonZeroU8;
use core::time::Duration;

use crate::auth::session::{Proof, Session};
use crate::auth::{Auth, WallClock};
use crate::counters::{Counter, Counters};
use crate::fsm::{
    Actions, Addresses, Advertise, Cause, Event, Link, Machine, NewMasterReason, Params, Role, Rules, State,
};
use crate::rx::{Arrival, Discard, Notices, Received};
use crate::types::{AddressList, AdvertInterval, Family, FirstAddress, Priority, Version, Vrid};
use crate::wire::BufferTooSmall;
use crate::wire::advert::{AdvertRepr, ChecksumForm, MAX_LEN, auth_type};
use crate::wire::frame::IPV6_LEN;
use crate::wire::ipv4;

/// Configuration of one virtual router. `A` holds its addresses: `Box<[_]>`, `&[_]`, an array.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouterConfig<A> {
    /// Virtual router identifier.
    pub vrid: Vrid,
    /// Priority, interval, preemption.
    pub params: Params,
    /// The virtual addresses, and which first one of IPv6 is accepted of others: see [`AddressList::strict`].
    pub addresses: AddressList<A>,
    /// Authentication. The simple text password is VRRPv2's; VRRPv3 has no place for it and ignores it.
    pub auth: Auth,
    /// Forms of the checksum that VRRPv3 sends and accepts over IPv4; VRRPv2 and IPv6 have only one.
    pub checksum: ChecksumPolicy,
}

impl<A: AsRef<[IpAddr]>> RouterConfig<A> {
    /// What most routers want, each field of which can be changed: an advert a second, in VRRPv2 for IPv4 and in VRRPv3 for
    /// IPv6; preemption; packets to the addresses are accepted; no authentication.
    pub fn new(vrid: Vrid, priority: Priority, addresses: AddressList<A>) -> Self {
        let interval = AdvertInterval::Seconds(NonZeroU8::MIN).for_family(addresses.family());
        let params = Params { priority, interval, preempt: true, accept: true, rules: Rules::DEFAULT };
        Self { vrid, params, addresses, auth: Auth::None, checksum: ChecksumPolicy::default() }
    }
}

/// Which of the two checksums that VRRPv3 over IPv4 has in the field a router sends and accepts (R71, R105).
///
/// The default is the letter of RFC 9568 on send, and tolerance on receive: [`ChecksumForm::Message`] as Cisco and Arista send
/// it, and both accepted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChecksumPolicy {
    /// What is sent. RFC 5798's reading, [`ChecksumForm::PseudoHeader`], is the default of keepalived and FRR.
    pub send: ChecksumForm,
    /// What is accepted.
    pub accept: AcceptChecksum,
}

impl Default for ChecksumPolicy {
    fn default() -> Self {
        Self { send: ChecksumForm::Message, accept: AcceptChecksum::Both }
    }
}

/// Which forms of checksum are accepted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AcceptChecksum {
    /// Both; the other one than is sent is noticed and counted.
    Both,
    /// Strict: only the one that is sent.
    Only,
}

/// One virtual router, of the family of its addresses.
///
/// A virtual router of IPv6 speaks VRRPv3 whatever unit its interval has, see [`AdvertInterval::for_family`]; a link whose address
/// is of the other family, or of IPv6 and not link-local (R73), counts as one without an address.
///
/// [`AdvertInterval::for_family`]: crate::AdvertInterval::for_family
///
/// ```
/// use vrrp_core::fsm::{Event, Link, Params, Rules, Timer, Advertise};
/// use vrrp_core::router::{ChecksumPolicy, RouterConfig, VirtualRouter};
/// use vrrp_core::{AddressList, AdvertInterval, Auth, Priority, Vrid};
/// let mut router = VirtualRouter::new(RouterConfig {
///     vrid: Vrid::new(50).expect("not 0"),
///     params: Params {
///         priority: Priority::OWNER,
///         interval: AdvertInterval::from_secs(1).expect("not 0"),
///         preempt: true,
///         accept: false,
///         rules: Rules::DEFAULT,
///     },
///     addresses: AddressList::new([[10, 0, 0, 3].into()])?,
///     auth: Auth::None,
///     checksum: ChecksumPolicy::default(),
/// });
/// let _ = router.handle(Event::Link(Link::Up([10, 0, 0, 3].into())));
/// let actions = router.handle(Event::Enabled(true));
/// assert_eq!(actions.advertise, Some(Advertise::Claim));
/// let mut buffer = [0; 64];
/// let message = router.emit(Advertise::Claim, [224, 0, 0, 18].into(), &mut buffer)?;
/// assert_eq!(message.len(), 20);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VirtualRouter<A> {
    config: RouterConfig<A>,
    machine: Machine,
    counters: Counters,
    last_event: &'static str,
    new_master_reason: NewMasterReason,
    last_adv_source: Option<IpAddr>,
    session: Session,
    /// Its adverts go from peer to peer.
    unicast: bool,
}

impl<A: AsRef<[IpAddr]>> VirtualRouter<A> {
    /// In Initialize, with every counter 0.
    pub fn new(mut config: RouterConfig<A>) -> Self {
        config.params = for_family(config.params, config.addresses.family());
        let machine = Machine::new(config.params);
        let session = Session::new(&config.auth);
        Self {
            config,
            machine,
            counters: Counters::default(),
            last_event: "vrrp-event-none",
            new_master_reason: NewMasterReason::NotMaster,
            last_adv_source: None,
            session,
            unicast: false,
        }
    }

    /// Its adverts go from peer to peer instead of to the group: what came to the group is dropped, and over IPv6 any address
    /// is a source. Whether a sender is a peer is the caller's to check, as [`Node`](crate::node::Node) does.
    #[must_use]
    pub fn by_unicast(mut self) -> Self {
        self.unicast = true;
        self
    }

    /// Virtual router identifier.
    pub fn vrid(&self) -> Vrid {
        self.config.vrid
    }

    /// The virtual addresses.
    pub fn addresses(&self) -> &[IpAddr] {
        self.config.addresses.as_slice()
    }

    /// The family of its addresses and of its adverts.
    pub fn family(&self) -> Family {
        self.config.addresses.family()
    }

    /// Whether packets to the virtual addresses are accepted while it is Master (R82): as their owner, or by Accept_Mode.
    /// Neighbour solicitations and advertisements are accepted in any case (R77).
    pub fn accepts(&self) -> bool {
        self.machine.params.accepts()
    }

    /// The identity in RFC 8347 of the last event that changed the state or the addresses: its `last-event`.
    pub fn last_event(&self) -> &'static str {
        self.last_event
    }

    /// Why it became Master the last time; `NotMaster` as long as it never was. RFC 8347's `new-master-reason`.
    pub fn new_master_reason(&self) -> NewMasterReason {
        self.new_master_reason
    }

    /// The source of the last advert that passed every check: RFC 8347's `last-adv-source`.
    pub fn last_adv_source(&self) -> Option<IpAddr> {
        self.last_adv_source
    }

    /// The address of the Master, as far as it is known: our own, or in Backup the source of the last advert. RFC 6527's
    /// vrrpv3OperationsMasterIpAddr.
    pub fn master(&self) -> Option<IpAddr> {
        match self.machine.state {
            State::Initialize => None,
            State::Backup { .. } => self.last_adv_source,
            State::Master { .. } => self.machine.link.source(),
        }
    }

    /// Skew_Time under the interval that the Master is known to have, RFC 8347's `skew-time`.
    pub fn skew_time(&self) -> Duration {
        self.machine.params.skew_time(self.machine.master_adver_interval())
    }

    /// Master_Down_Interval under the interval that the Master is known to have, RFC 8347's `master-down-interval`.
    pub fn master_down_interval(&self) -> Duration {
        self.machine.params.master_down_interval(self.machine.master_adver_interval())
    }

    /// Replaces the virtual addresses. The next advert carries the new list; a Master installs it in place of the old one.
    /// State and timers stay. `Err` gives back a list of another family: that would be another virtual router.
    pub fn set_addresses(&mut self, addresses: AddressList<A>) -> Result<Actions, AddressList<A>> {
        if addresses.family() != self.family() {
            return Err(addresses);
        }
        let same = addresses.as_slice() == self.addresses();
        self.config.addresses = addresses;
        if same {
            return Ok(Actions::NONE);
        }
        self.last_event = "vrrp-event-virtual-ip-addresses";
        let master = self.machine.state.role() == Role::Master;
        Ok(Actions { addresses: master.then_some(Addresses::Install), ..Actions::NONE })
    }

    /// Tells the time of day, which authentication alone uses: before [`VirtualRouter::receive`] and
    /// [`VirtualRouter::emit`], as late as possible. Without it nothing is signed by HMAC, and no trailer is in time.
    pub fn set_wall_clock(&mut self, now: WallClock) {
        self.session.set_clock(now);
    }

    /// What [`VirtualRouter::emit`] writes.
    pub fn carriage(&self) -> Carriage {
        match self.config.auth.kind() {
            auth_type::IP_AH => Carriage::Datagram,
            _ => Carriage::Message,
        }
    }

    /// Octets of the datagram that carries an advert of this router: IP header, authentication, and the list of its addresses.
    /// An interface with a smaller MTU cannot send it in one piece, and nobody would hear of a Master there.
    pub fn datagram_len(&self) -> usize {
        let header = match self.family() {
            Family::V4 => ipv4::HEADER_LEN,
            Family::V6 => IPV6_LEN,
        };
        let message = repr(&self.config, &self.machine, Advertise::Claim).message_len();
        header.saturating_add(message).saturating_add(self.config.auth.overhead())
    }

    /// Whether each message carries a number of its own, because it is signed.
    pub fn is_numbered(&self) -> bool {
        self.session.is_numbered()
    }

    /// The election's state.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What the election's state would be after `event`; nothing happens.
    pub fn foresee(&self, event: Event) -> Machine {
        self.machine.step(self.of_family(event)).0
    }

    /// What was counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Counts a packet that was dropped before it reached this router, but carries its identifier.
    pub fn count(&mut self, counter: Counter) {
        self.counters.add(counter);
    }

    /// Counts many of what this router does not see happen.
    pub fn count_many(&mut self, counter: Counter, count: u64) {
        self.counters.add_many(counter, count);
    }

    /// Feeds an event and counts what follows from it.
    pub fn handle(&mut self, event: Event) -> Actions {
        let (machine, actions) = self.machine.step(self.of_family(event));
        self.machine = machine;
        if let Some(transition) = actions.transition {
            self.last_event = transition.cause.event();
            if transition.to == Role::Master {
                self.new_master_reason = transition.cause.new_master_reason();
                self.counters.add(Counter::MasterTransitions);
            }
            if transition.cause == Cause::LowerPriorityMaster {
                self.counters.add(Counter::Preemptions);
            }
            if transition.cause == Cause::Overdue {
                self.counters.add(Counter::Overdue);
            }
        }
        actions
    }

    /// The rungs of the ladder that need this router's configuration; changes nothing.
    pub fn accept(&self, received: &Received<'_>) -> Result<Accepted, Discard> {
        let proof = self.authentic(received)?;
        self.weigh(received, proof)
    }

    /// The rungs down to authentication.
    fn authentic(&self, received: &Received<'_>) -> Result<Proof, Discard> {
        let advert = &received.advert;
        if advert.vrid() != Some(self.config.vrid) || advert.family() != self.family() {
            return Err(Discard::UnknownVrid(advert.vrid_octet()));
        }
        match received.arrival {
            Arrival::Multicast if self.unicast => return Err(Discard::ByMulticast),
            Arrival::Unicast { .. } if !self.unicast => return Err(Discard::ByUnicast),
            Arrival::Multicast | Arrival::Unicast { .. } => {}
        }
        let ours = self.machine.params.version();
        let theirs = advert.version();
        if ours != theirs {
            return Err(Discard::Version { ours, theirs });
        }
        let ChecksumPolicy { send, accept } = self.config.checksum;
        if self.other_form(received) && accept == AcceptChecksum::Only {
            return Err(Discard::ChecksumForm { ours: send, theirs: received.checksum });
        }
        if let Some(first) = advert.first_not_link_local()
            && self.config.addresses.first_address() == FirstAddress::LinkLocal
        {
            return Err(Discard::FirstNotLinkLocal(first));
        }
        if self.machine.link.source() == Some(received.source) {
            return Err(Discard::OwnSource);
        }
        self.session.check(&self.config.auth, received)
    }

    /// The rungs below authentication.
    fn weigh(&self, received: &Received<'_>, proof: Proof) -> Result<Accepted, Discard> {
        let advert = &received.advert;
        let from = received.source;
        let ours = advert.version();
        let owner = self.machine.params.priority.is_owner();
        if owner && !self.machine.params.rules.owner_hears.hears(ours) {
            return Err(Discard::Owner);
        }
        if let Some(theirs) = advert.auth_type() {
            self.authenticate(theirs, advert.auth_data())?;
        }
        let our_interval = self.machine.params.interval;
        let interval = match advert.interval() {
            Some(interval) if ours == Version::V3 || interval == our_interval => interval,
            theirs => return Err(Discard::Interval { ours: our_interval, theirs }),
        };
        let priority = advert.priority();
        let mut notices = proof.notices;
        notices.set(Notices::ADDRESS_LIST, !same_addresses(self.addresses(), &advert.addresses()));
        notices.set(Notices::INTERVAL, interval != our_interval);
        let old_checksum = matches!(received.arrival, Arrival::Unicast { old_checksum: true, .. });
        notices.set(Notices::CHECKSUM_FORM, old_checksum || self.other_form(received));
        notices.set(Notices::FIRST_NOT_LINK_LOCAL, advert.first_not_link_local().is_some());
        let equal = priority == Some(self.machine.params.priority);
        notices.set(Notices::SECOND_OWNER, equal && owner);
        notices.set(Notices::EQUAL_PRIORITY, equal && !owner);
        Ok(Accepted { event: Event::Advert { from, priority, interval }, notices })
    }

    /// Accepts, counts and steps. In Initialize an advert that passes has no effect and is not counted (R30).
    pub fn receive(&mut self, received: &Received<'_>) -> Result<(Actions, Notices), Discard> {
        let Some(Accepted { event, mut notices }) = self.admit(received)? else {
            return Ok((Actions::NONE, Notices::empty()));
        };
        let before = self.machine.state.role();
        let actions = self.handle(event);
        let claims = received.advert.priority().is_some();
        match (before, self.machine.state.role()) {
            (Role::Master, Role::Master) => notices.set(Notices::LOSING, claims),
            (Role::Backup, Role::Backup) if actions == Actions::NONE => self.counters.add(Counter::WeakerIgnored),
            (Role::Initialize | Role::Backup | Role::Master, _) => {}
        }
        self.count_notices(notices);
        Ok((actions, notices))
    }

    /// Accepts and counts as [`VirtualRouter::receive`] does, without a step: for an advert that is older than what the
    /// election knows.
    pub fn overhear(&mut self, received: &Received<'_>) -> Result<Notices, Discard> {
        let notices = self.admit(received)?.map(|accepted| accepted.notices).unwrap_or_default();
        self.count_notices(notices);
        Ok(notices)
    }

    /// Accepts an advertisement that was kept from this host's sockets, for which a step is made in Backup alone: it is not
    /// counted as received, nor as anything else when it is dropped.
    pub fn barred(&mut self, received: &Received<'_>) -> Result<Actions, Discard> {
        let proof = self.authentic(received)?;
        self.session.remember(&self.config.auth, received, proof);
        let accepted = self.weigh(received, proof)?;
        match self.machine.state {
            State::Initialize => Ok(Actions::NONE),
            State::Master { .. } => {
                self.counters.add(Counter::AdvertsBarred);
                Ok(Actions::NONE)
            }
            State::Backup { .. } => {
                self.counters.add(Counter::AdvertsBarred);
                self.last_adv_source = Some(received.source);
                Ok(self.handle(accepted.event))
            }
        }
    }

    /// Every rung, and what passing or failing counts as; `None` in Initialize.
    fn admit(&mut self, received: &Received<'_>) -> Result<Option<Accepted>, Discard> {
        let outcome = self.authentic(received).and_then(|proof| {
            self.session.remember(&self.config.auth, received, proof);
            self.weigh(received, proof)
        });
        let accepted = outcome.inspect_err(|reason| self.counters.add(reason.counter()))?;
        if self.machine.state == State::Initialize {
            return Ok(None);
        }
        self.last_adv_source = Some(received.source);
        self.counters.add(Counter::AdvertsReceived);
        if received.advert.priority().is_none() {
            self.counters.add(Counter::PriorityZeroReceived);
        }
        Ok(Some(accepted))
    }

    fn count_notices(&mut self, notices: Notices) {
        for counter in notices.counters() {
            self.counters.add(counter);
        }
    }

    /// Writes what `advertise` asks for into the front of `buffer` ([`MAX_EMITTED`] octets always suffice): a message, or what
    /// [`VirtualRouter::carriage`] says. `destination` is signed or summed, so it must be where it is sent. With authentication
    /// each call takes the next number: call once for each packet, which is counted as sent.
    pub fn emit<'b>(
        &mut self,
        advertise: Advertise,
        destination: IpAddr,
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], EmitError> {
        let source = self.machine.link.source().ok_or(EmitError::NoSource)?;
        let repr = repr(&self.config, &self.machine, advertise);
        let octets = self.session.emit(&self.config.auth, &repr, (source, destination), buffer)?;
        self.counters.add(Counter::AdvertsSent);
        if advertise == Advertise::Release {
            self.counters.add(Counter::PriorityZeroSent);
        }
        Ok(octets)
    }

    fn authenticate(&self, theirs: u8, data: &[u8]) -> Result<(), Discard> {
        let ours = self.config.auth.kind();
        match (theirs, self.config.auth.simple_text()) {
            (auth_type::SIMPLE_TEXT, Some(password)) if password.octets() == data => Ok(()),
            (auth_type::SIMPLE_TEXT, Some(_)) => Err(Discard::Password),
            (theirs, _) if theirs == ours => Ok(()),
            (auth_type::NONE | auth_type::SIMPLE_TEXT | auth_type::IP_AH, _) => Err(Discard::AuthType { ours, theirs }),
            (unknown, _) => Err(Discard::UnknownAuthType(unknown)),
        }
    }

    /// As [`VirtualRouter::emit`], for a message that may never go out: it is not counted, and with authentication the next one
    /// takes the same number. Whoever sends it must be sure that this router sends nothing any more.
    pub fn draft<'b>(
        &self,
        advertise: Advertise,
        destination: IpAddr,
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], EmitError> {
        let source = self.machine.link.source().ok_or(EmitError::NoSource)?;
        let repr = repr(&self.config, &self.machine, advertise);
        self.session.draft(&self.config.auth, &repr, (source, destination), buffer)
    }

    /// Whether its checksum has the other of the two forms of VRRPv3 over IPv4.
    fn other_form(&self, received: &Received<'_>) -> bool {
        let has_forms = received.advert.version() == Version::V3 && received.advert.family() == Family::V4;
        has_forms && received.checksum != self.config.checksum.send
    }

    /// The event in terms of this router's family.
    fn of_family(&self, event: Event) -> Event {
        let family = self.family();
        match event {
            Event::Link(Link::Up(source)) if !is_source(source, family, self.unicast) => Event::Link(Link::NoAddress),
            Event::Params(params) => Event::Params(for_family(params, family)),
            Event::Link(_)
            | Event::Enabled(_)
            | Event::Healthy(_)
            | Event::Limit(_)
            | Event::Hold(_)
            | Event::Advert { .. }
            | Event::Expired(_)
            | Event::Overdue
            | Event::DelayOver => event,
        }
    }
}

/// Whether adverts of `family` can come from the address: to the group of IPv6 from a link-local one alone (R73).
const fn is_source(address: IpAddr, family: Family, unicast: bool) -> bool {
    match (address, family) {
        (IpAddr::V4(_), Family::V4) => true,
        (IpAddr::V6(address), Family::V6) => unicast || address.is_unicast_link_local(),
        (IpAddr::V4(_), Family::V6) | (IpAddr::V6(_), Family::V4) => false,
    }
}

const fn for_family(params: Params, family: Family) -> Params {
    Params { interval: params.interval.for_family(family), ..params }
}

/// Octets that [`VirtualRouter::emit`] writes at most, whatever the configuration.
pub const MAX_EMITTED: usize = MAX_LEN + 44;

/// What a router sends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Carriage {
    /// The payload of a datagram of protocol 112, whose header the kernel writes.
    Message,
    /// A whole IPv4 datagram of protocol 51: the Authentication Header signs the IP header too. Send it as it is, through a
    /// raw socket with `IP_HDRINCL`.
    Datagram,
}

/// An advertisement that passed every check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// What it means to the machine.
    pub event: Event,
    /// What it says about its sender's configuration.
    pub notices: Notices,
}

/// Why no message was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EmitError {
    /// The link is down or has no address of the router's family to send from.
    NoSource,
    /// The caller's buffer is too short.
    Buffer(BufferTooSmall),
    /// It cannot be signed: an HMAC trailer needs the time of day, an Authentication Header needs IPv4. Nothing goes out unsigned.
    Unsigned,
    /// The router has no such peer to send to.
    NoPeer,
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSource => f.write_str("there is no address to send from"),
            Self::Buffer(error) => error.fmt(f),
            Self::NoPeer => f.write_str("there is no such peer to send to"),
            Self::Unsigned => f.write_str("it cannot be signed: no time of day, or an Authentication Header over IPv6"),
        }
    }
}

impl core::error::Error for EmitError {}

/// What `advertise` says in the state that the election is in.
fn repr<'c, A: AsRef<[IpAddr]>>(
    config: &'c RouterConfig<A>,
    machine: &Machine,
    advertise: Advertise,
) -> AdvertRepr<'c> {
    AdvertRepr {
        vrid: config.vrid,
        priority: match advertise {
            Advertise::Claim => Some(machine.params.priority),
            Advertise::Release => None,
        },
        interval: machine.params.interval,
        password: config.auth.simple_text(),
        addresses: config.addresses.as_ref(),
        checksum: config.checksum.send,
    }
}

/// Order does not matter (R72 only recommends it).
fn same_addresses(ours: &[IpAddr], theirs: &(impl ExactSizeIterator<Item = IpAddr> + Clone)) -> bool {
    theirs.len() == ours.len()
        && (theirs.clone().eq(ours.iter().copied())
            || ours.iter().all(|address| theirs.clone().any(|other| other == *address)))
}

#[cfg(test)]
mod tests;
