//! One virtual router: its configuration, its [`Machine`], its counters, and the messages it sends and accepts.
//!
//! Knows octets through [`crate::wire`] and the election through [`crate::fsm`]; knows neither interfaces nor time.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use crate::counters::{Counter, Counters};
use crate::fsm::{Actions, Advertise, Event, Machine, Params, Role};
use crate::rx::{Discard, Notices, Received};
use crate::types::{AddressList, SimplePassword, Version, Vrid};
use crate::wire::BufferTooSmall;
use crate::wire::advert::{AdvertRepr, ChecksumForm, auth_type};

/// Configuration of one virtual router. `A` holds its addresses: `Box<[_]>`, `&[_]`, an array.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouterConfig<A> {
    /// Virtual router identifier.
    pub vrid: Vrid,
    /// Priority, interval, preemption.
    pub params: Params,
    /// The virtual addresses.
    pub addresses: AddressList<A>,
    /// Simple text password (RFC 2338); not used by VRRPv3, which has no authentication.
    pub password: Option<SimplePassword>,
    /// Form of the checksum that VRRPv3 sends over IPv4; VRRPv2 has only one.
    pub checksum: ChecksumForm,
}

/// One virtual router.
///
/// ```
/// use vrrp_core::fsm::{Event, Link, Params, Timer, Advertise};
/// use vrrp_core::router::{RouterConfig, VirtualRouter};
/// use vrrp_core::wire::advert::ChecksumForm;
/// use vrrp_core::{AddressList, AdvertInterval, Priority, Vrid};
/// let mut router = VirtualRouter::new(RouterConfig {
///     vrid: Vrid::new(50).expect("not 0"),
///     params: Params {
///         priority: Priority::OWNER,
///         interval: AdvertInterval::from_secs(1).expect("not 0"),
///         preempt: true,
///     },
///     addresses: AddressList::new([[10, 0, 0, 3].into()])?,
///     password: None,
///     checksum: ChecksumForm::Message,
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
}

impl<A: AsRef<[Ipv4Addr]>> VirtualRouter<A> {
    /// In Initialize, with every counter 0.
    pub fn new(config: RouterConfig<A>) -> Self {
        let machine = Machine::new(config.params);
        Self { config, machine, counters: Counters::default() }
    }

    /// Virtual router identifier.
    pub fn vrid(&self) -> Vrid {
        self.config.vrid
    }

    /// The virtual addresses.
    pub fn addresses(&self) -> &[Ipv4Addr] {
        self.config.addresses.as_slice()
    }

    /// The election's state.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What was counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Counts a packet that was dropped before it reached this router, but carries its identifier.
    pub fn count(&mut self, counter: Counter) {
        self.counters.add(counter);
    }

    /// Feeds an event and counts what follows from it.
    pub fn handle(&mut self, event: Event) -> Actions {
        let (machine, actions) = self.machine.step(event);
        self.machine = machine;
        match actions.advertise {
            Some(Advertise::Claim) => self.counters.add(Counter::AdvertsSent),
            Some(Advertise::Release) => {
                self.counters.add(Counter::AdvertsSent);
                self.counters.add(Counter::PriorityZeroSent);
            }
            None => {}
        }
        if actions.transition.is_some_and(|transition| transition.to == Role::Master) {
            self.counters.add(Counter::MasterTransitions);
        }
        actions
    }

    /// The rungs of the ladder that need this router's configuration; changes nothing.
    pub fn accept(&self, received: &Received<'_>) -> Result<Accepted, Discard> {
        let advert = &received.advert;
        let ours = self.machine.params.version();
        let theirs = advert.version();
        if ours != theirs {
            return Err(Discard::Version { ours, theirs });
        }
        let from = IpAddr::V4(received.source);
        if self.machine.link.source() == Some(from) {
            return Err(Discard::OwnSource);
        }
        let owner = self.machine.params.priority.is_owner();
        if owner && ours == Version::V2 {
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
        let mut notices = Notices::empty();
        notices.set(Notices::ADDRESS_LIST, !same_addresses(self.addresses(), &advert.addresses()));
        notices.set(Notices::INTERVAL, interval != our_interval);
        let other_form = ours == Version::V3 && received.checksum != self.config.checksum;
        notices.set(Notices::CHECKSUM_FORM, other_form);
        notices.set(Notices::SECOND_OWNER, owner && priority.is_some_and(crate::Priority::is_owner));
        Ok(Accepted { event: Event::Advert { from, priority, interval }, notices })
    }

    /// Accepts, counts and steps.
    pub fn receive(&mut self, received: &Received<'_>) -> Result<(Actions, Notices), Discard> {
        let Accepted { event, mut notices } = self.accept(received).inspect_err(|reason| {
            self.counters.add(reason.counter());
        })?;
        self.counters.add(Counter::AdvertsReceived);
        if received.advert.priority().is_none() {
            self.counters.add(Counter::PriorityZeroReceived);
        }
        let was_master = self.machine.state.role() == Role::Master;
        let actions = self.handle(event);
        let is_master = self.machine.state.role() == Role::Master;
        notices.set(Notices::LOSING, was_master && is_master && received.advert.priority().is_some());
        for counter in notices.counters() {
            self.counters.add(counter);
        }
        Ok((actions, notices))
    }

    /// Writes the message that `advertise` asks for into the front of `buffer` (1036 octets always suffice).
    pub fn emit<'b>(
        &self,
        advertise: Advertise,
        destination: Ipv4Addr,
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], EmitError> {
        let source = match self.machine.link.source() {
            Some(IpAddr::V4(source)) => source,
            Some(IpAddr::V6(_)) | None => return Err(EmitError::NoSource),
        };
        let priority = match advertise {
            Advertise::Claim => Some(self.machine.params.priority),
            Advertise::Release => None,
        };
        let repr = AdvertRepr {
            vrid: self.config.vrid,
            priority,
            interval: self.machine.params.interval,
            password: self.config.password,
            addresses: self.config.addresses.as_ref(),
            checksum: self.config.checksum,
        };
        repr.emit(source, destination, buffer).map_err(EmitError::Buffer)
    }

    fn authenticate(&self, theirs: u8, data: &[u8]) -> Result<(), Discard> {
        let ours = if self.config.password.is_some() { auth_type::SIMPLE_TEXT } else { auth_type::NONE };
        match (theirs, &self.config.password) {
            (auth_type::NONE, None) => Ok(()),
            (auth_type::SIMPLE_TEXT, Some(password)) if password.octets() == data => Ok(()),
            (auth_type::SIMPLE_TEXT, Some(_)) => Err(Discard::Password),
            (auth_type::NONE | auth_type::SIMPLE_TEXT | auth_type::IP_AH, _) => Err(Discard::AuthType { ours, theirs }),
            (unknown, _) => Err(Discard::UnknownAuthType(unknown)),
        }
    }
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
    /// The link is down or has no IPv4 address to send from.
    NoSource,
    /// The caller's buffer is too short.
    Buffer(BufferTooSmall),
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSource => f.write_str("there is no address to send from"),
            Self::Buffer(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for EmitError {}

/// Order does not matter (R72 only recommends it).
fn same_addresses(ours: &[Ipv4Addr], theirs: &(impl ExactSizeIterator<Item = Ipv4Addr> + Clone)) -> bool {
    theirs.len() == ours.len()
        && (theirs.clone().eq(ours.iter().copied())
            || ours.iter().all(|address| theirs.clone().any(|other| other == *address)))
}

#[cfg(test)]
mod tests;
