//! The state machine of RFC 3768 section 6.4 and RFC 9568 section 6.4 as one pure function.
//!
//! Knows parameters, not octets; addresses of routers, not of the virtual router; spans of time, not the time. A
//! [`Machine`] is a small value; [`Machine::step`] is total and its effects are a record, performed in field order.
//!
//! ```text
//!                    +---------------+
//!         +--------->|               |<-------------+
//!         |          |  Initialize   |              |
//!         |   +------|               |----------+   |
//!         |   |      +---------------+          |   |
//!         |   |  runs, priority 255             |   |  runs, priority < 255
//!         |   v                                 v   |
//!   +---------------+                       +---------------+
//!   |               |  stronger advert      |               |
//!   |    Master     |---------------------->|    Backup     |
//!   |               |<----------------------|               |
//!   +---------------+  Master_Down_Timer    +---------------+
//! ```
//!
//! "Runs" is enabled, healthy, not kept in FAULT by its group, and a link with a source address. A router that runs stays
//! Backup, or becomes it again, while its group or a [`Hold`] does not let it lead: [`State::Backup`] remembers that its turn
//! has come. All of these and the parameters are levels: an input that repeats what is known already changes nothing.

use core::net::IpAddr;
use core::time::Duration;

use crate::types::{AdvertInterval, Priority, Version};

mod cause;
mod hold;
mod limit;
mod rules;

pub use cause::{Cause, NewMasterReason};
pub use hold::{Hold, Wait};
pub use limit::Limit;
pub use rules::{DelayOp, OwnerHears, PreemptDelay, Rules};

/// What the operator chose (RFC 3768 section 6.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Params {
    /// Election priority.
    pub priority: Priority,
    /// Advertisement interval; its unit chooses the protocol version.
    pub interval: AdvertInterval,
    /// Preempt_Mode: whether a Backup replaces a weaker Master.
    pub preempt: bool,
    /// Accept_Mode: whether a Master that is not the owner accepts packets to the virtual addresses (R75). RFC 9568's default
    /// is false, and RFC 3768, which has no such mode, forbids it; most implementations accept.
    pub accept: bool,
    /// What goes beyond the RFC's parameters.
    pub rules: Rules,
}

impl Params {
    /// Skew_Time when the Master advertises every `master_interval`.
    ///
    /// VRRPv2: (256 − priority) / 256 seconds whatever the interval, exactly (R23). VRRPv3: that fraction of the Master's
    /// interval, rounded up to a nanosecond (R76).
    pub const fn skew_time(self, master_interval: AdvertInterval) -> Duration {
        skew_time(self.priority, master_interval)
    }

    /// Master_Down_Interval: three of the Master's intervals, or as many as the rules say, and Skew_Time (R24).
    pub const fn master_down_interval(self, master_interval: AdvertInterval) -> Duration {
        let missed = self.rules.down_timer_adverts.get() as u64 * nanos(master_interval);
        Duration::from_nanos(missed + nanos_of_skew(self.priority, master_interval))
    }

    /// The silence after which some other router may have become Master: the Master_Down_Interval of the strongest one
    /// that backs up.
    pub const fn shortest_master_down_interval(self) -> Duration {
        Params { priority: self.rules.strongest_backup, ..self }.master_down_interval(self.interval)
    }

    /// Whether a Backup with these parameters replaces a weaker Master. The owner always does (R25).
    pub const fn preempts(self) -> bool {
        self.preempt || self.priority.is_owner()
    }

    /// Whether it waits before it does.
    const fn delays(self) -> bool {
        !self.rules.preempt_delay.is_none() && !self.priority.is_owner()
    }

    /// Whether a Master with these parameters accepts packets to the virtual addresses: as their owner, or by Accept_Mode.
    pub const fn accepts(self) -> bool {
        self.accept || self.priority.is_owner()
    }

    /// The version these parameters belong to.
    pub const fn version(self) -> Version {
        self.interval.version()
    }
}

/// State of the interface, as far as the protocol cares.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Link {
    /// Administratively down or without carrier.
    Down,
    /// Up, without an address that adverts could come from.
    NoAddress,
    /// Up; adverts come from this address, which also breaks ties (R45).
    Up(IpAddr),
}

impl Link {
    /// The address that adverts come from.
    pub const fn source(self) -> Option<IpAddr> {
        match self {
            Self::Up(source) => Some(source),
            Self::Down | Self::NoAddress => None,
        }
    }
}

/// Protocol state (RFC 3768 section 6.3), with what each state remembers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// Takes no part.
    Initialize,
    /// Watches the Master.
    Backup {
        /// Why a takeover would happen.
        heard: Heard,
        /// Master_Adver_Interval: our own until VRRPv3 learns another (R75).
        master_interval: AdvertInterval,
        /// Master_Down_Timer has run out, and only its group or a [`Hold`] keeps it from being Master. No timer runs.
        due: bool,
    },
    /// Serves the addresses.
    Master {
        /// A losing advert was answered since the last Adver_Timer: one answer an interval is enough.
        answered: bool,
    },
}

impl State {
    /// The state without its memory.
    pub const fn role(self) -> Role {
        match self {
            Self::Initialize => Role::Initialize,
            Self::Backup { .. } => Role::Backup,
            Self::Master { .. } => Role::Master,
        }
    }
}

/// A state's name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Takes no part: not started, stopped, or in FAULT.
    Initialize,
    /// Watches the Master.
    Backup,
    /// Serves the addresses.
    Master,
}

/// What a Backup heard last.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Heard {
    /// A Master that it follows, or nothing yet.
    Master,
    /// Priority 0: the Master stopped.
    Release,
    /// A Master weaker than this router, which will be replaced.
    Weaker,
    /// A Master weaker than this router, which it follows while [`Rules::preempt_delay`] runs.
    Spared,
}

/// The two timers of section 6.2; one of them runs at a time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Timer {
    /// Master_Down_Timer, in Backup.
    MasterDown,
    /// Adver_Timer, in Master.
    Adver,
}

/// An input.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The operator starts or stops the router. A level.
    Enabled(bool),
    /// Nothing that is tracked has failed. A level.
    Healthy(bool),
    /// The most that its sync group lets it be. A level.
    Limit(Limit),
    /// What keeps it from being Master. A level.
    Hold(Option<Hold>),
    /// State of the interface. A level.
    Link(Link),
    /// The parameters. A level.
    Params(Params),
    /// An advertisement that passed every check of section 7.1.
    Advert {
        /// Its source.
        from: IpAddr,
        /// Its priority; `None` is 0, the sender stops.
        priority: Option<Priority>,
        /// Its interval.
        interval: AdvertInterval,
    },
    /// A timer ran out. Named, so that a stale one is recognised and ignored.
    Expired(Timer),
    /// Adver_Timer ran out so late that another router must have become Master.
    Overdue,
    /// The delay that [`DelayOp::Start`] began is over.
    DelayOver,
}

/// Send an advertisement.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Advertise {
    /// With our priority.
    Claim,
    /// With priority 0.
    Release,
}

/// The virtual addresses on the interface.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Addresses {
    /// Serve them.
    Install,
    /// Let go of them.
    Remove,
}

/// What to do with the one timer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TimerOp {
    /// Run out this long after the event; replaces whatever runs.
    Set(Timer, Duration),
    /// The running timer's span is this now, counted from where it was set: a change of parameters neither postpones a
    /// takeover nor hurries it by a full interval.
    Amend(Timer, Duration),
    /// No timer runs.
    Cancel,
}

/// A change of state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Transition {
    /// State before.
    pub from: Role,
    /// State after; never equal to `from`.
    pub to: Role,
    /// Why.
    pub cause: Cause,
}

/// The effects of one step, at most one of each kind, to be performed in field order.
///
/// The order serves every transition: a claim goes out before the addresses are installed, so that a weaker Master lets go
/// before our announcement; a release goes out before they are removed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[must_use = "the effects have not happened until the caller performs them"]
pub struct Actions {
    /// 1. Send an advertisement.
    pub advertise: Option<Advertise>,
    /// 2. Install or remove the addresses.
    pub addresses: Option<Addresses>,
    /// 3. Announce each address by gratuitous ARP, once it is installed.
    pub announce: bool,
    /// 4. The timer.
    pub timer: Option<TimerOp>,
    /// 5. The delay before a preemption. A transition ends it without a word.
    pub delay: Option<DelayOp>,
    /// 6. Tell the operator.
    pub transition: Option<Transition>,
}

impl Actions {
    /// Nothing to do.
    pub const NONE: Self =
        Self { advertise: None, addresses: None, announce: false, timer: None, delay: None, transition: None };
}

/// One virtual router's election: a value.
///
/// ```
/// use vrrp_core::fsm::{Event, Link, Machine, Params, Role, Rules, Timer};
/// use vrrp_core::{AdvertInterval, Priority};
/// let params = Params {
///     priority: Priority::new(150).expect("not 0"),
///     interval: AdvertInterval::from_secs(1).expect("not 0"),
///     preempt: true,
///     accept: false,
///     rules: Rules::DEFAULT,
/// };
/// let machine = Machine::new(params);
/// let (machine, _) = machine.step(Event::Link(Link::Up([10, 0, 0, 1].into())));
/// let (machine, _) = machine.step(Event::Enabled(true));
/// assert_eq!(machine.state.role(), Role::Backup);
/// let (machine, actions) = machine.step(Event::Expired(Timer::MasterDown));
/// assert_eq!(machine.state.role(), Role::Master);
/// assert!(actions.advertise.is_some() && actions.announce);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Machine {
    /// The operator's choice.
    pub params: Params,
    /// Whether the operator wants it to run.
    pub enabled: bool,
    /// Whether nothing tracked has failed.
    pub healthy: bool,
    /// The most that its sync group lets it be; [`Limit::Master`] without a group.
    pub limit: Limit,
    /// What keeps it from being Master.
    pub hold: Option<Hold>,
    /// State of its interface.
    pub link: Link,
    /// Protocol state.
    pub state: State,
}

impl Machine {
    /// In Initialize: disabled, healthy, link down.
    pub const fn new(params: Params) -> Self {
        Self {
            params,
            enabled: false,
            healthy: true,
            limit: Limit::Master,
            hold: None,
            link: Link::Down,
            state: State::Initialize,
        }
    }

    /// Whether it could take part, whatever its sync group says: enabled, healthy, and with an address to send from.
    pub const fn ready(&self) -> bool {
        self.enabled && self.healthy && self.link.source().is_some()
    }

    /// Whether it takes part: ready, and so is its sync group.
    pub const fn runs(&self) -> bool {
        self.ready() && !matches!(self.limit, Limit::Fault | Limit::Stopped)
    }

    /// Whether nothing but the election keeps it from being Master.
    pub const fn may_lead(&self) -> bool {
        self.hold.is_none() && matches!(self.limit, Limit::Master)
    }

    /// Master_Adver_Interval: what a Backup knows of the Master's interval, otherwise our own (R75).
    pub const fn master_adver_interval(&self) -> AdvertInterval {
        match self.state {
            State::Backup { master_interval, .. } => master_interval,
            State::Initialize | State::Master { .. } => self.params.interval,
        }
    }

    /// The protocol. Defined for every state and event; never panics, never allocates.
    pub fn step(self, event: Event) -> (Self, Actions) {
        match event {
            Event::Enabled(enabled) => {
                let cause = if enabled { Cause::Startup } else { Cause::Shutdown };
                self.level(Self { enabled, ..self }, cause)
            }
            Event::Healthy(healthy) => {
                let cause = if healthy { Cause::Recovered } else { Cause::Fault };
                self.level(Self { healthy, ..self }, cause)
            }
            Event::Limit(limit) => self.level(Self { limit, ..self }, Cause::limit(self.limit, limit)),
            Event::Hold(hold) => self.level(Self { hold, ..self }, Cause::Maintenance),
            Event::Link(link) => self.level(Self { link, ..self }, link_cause(self.link, link)),
            Event::Params(params) => self.params(params),
            Event::Advert { from, priority, interval } => match self.state {
                State::Initialize => (self, Actions::NONE),
                State::Backup { heard, master_interval, due } => {
                    self.advert_in_backup((heard, master_interval, due), priority, interval)
                }
                State::Master { answered } => self.advert_in_master(answered, from, priority, interval),
            },
            Event::Expired(timer) => match (self.state, timer) {
                (State::Backup { heard, .. }, Timer::MasterDown) if self.may_lead() => {
                    self.become_master(Cause::takeover(heard))
                }
                (State::Backup { .. }, Timer::MasterDown) => self.wait_for_leave(),
                (State::Master { .. }, Timer::Adver) => self.again(),
                (State::Initialize, Timer::MasterDown | Timer::Adver)
                | (State::Backup { .. }, Timer::Adver)
                | (State::Master { .. }, Timer::MasterDown) => (self, Actions::NONE),
            },
            Event::Overdue => match self.state {
                State::Master { .. } => self.become_backup(self.params.interval, Cause::Overdue),
                State::Initialize | State::Backup { .. } => (self, Actions::NONE),
            },
            Event::DelayOver => match self.state {
                State::Backup { heard: Heard::Spared, master_interval, due } => (
                    Self { state: State::Backup { heard: Heard::Weaker, master_interval, due }, ..self },
                    Actions::NONE,
                ),
                State::Initialize
                | State::Backup { heard: Heard::Master | Heard::Release | Heard::Weaker, .. }
                | State::Master { .. } => (self, Actions::NONE),
            },
        }
    }

    /// A level changed: does the router start, stop, or go on?
    fn level(self, next: Self, cause: Cause) -> (Self, Actions) {
        match (self.runs(), next.runs()) {
            (false, true) if next.params.priority.is_owner() && next.may_lead() => next.become_master(cause),
            (false, true) if next.params.priority.is_owner() => next.become_due(cause),
            (false, true) => next.become_backup(next.params.interval, cause),
            (true, false) => next.stop(cause),
            (true, true) => next.lead(cause, self.hold.map_or(Wait::Group, Wait::Hold)),
            (false, false) => (next, Actions::NONE),
        }
    }

    /// Whether it may lead has perhaps changed: for this cause it may not any more, or what it waited for is over.
    fn lead(self, cause: Cause, wait: Wait) -> (Self, Actions) {
        match (self.state, self.may_lead()) {
            (State::Master { .. }, false) => {
                let (next, actions) = self.become_backup(self.params.interval, cause);
                (next, Actions { advertise: Some(Advertise::Release), ..actions })
            }
            (State::Backup { heard, due: true, .. }, true) => self.become_master(Cause::Due { wait, heard }),
            (State::Initialize | State::Backup { .. } | State::Master { .. }, _) => (self, Actions::NONE),
        }
    }

    /// R34, R42: a release is sent only where there is a link to carry it.
    fn stop(self, cause: Cause) -> (Self, Actions) {
        let was_master = self.state.role() == Role::Master;
        let actions = Actions {
            advertise: (was_master && self.link.source().is_some()).then_some(Advertise::Release),
            addresses: was_master.then_some(Addresses::Remove),
            announce: false,
            timer: Some(TimerOp::Cancel),
            delay: None,
            transition: Some(Transition { from: self.state.role(), to: Role::Initialize, cause }),
        };
        (Self { state: State::Initialize, ..self }, actions)
    }

    /// R28, R35: claim, install, announce, Adver_Timer.
    fn become_master(self, cause: Cause) -> (Self, Actions) {
        let actions = Actions {
            advertise: Some(Advertise::Claim),
            addresses: Some(Addresses::Install),
            announce: true,
            timer: Some(TimerOp::Set(Timer::Adver, self.params.interval.duration())),
            delay: None,
            transition: Some(Transition { from: self.state.role(), to: Role::Master, cause }),
        };
        (Self { state: State::Master { answered: false }, ..self }, actions)
    }

    /// R29, R45.
    fn become_backup(self, master_interval: AdvertInterval, cause: Cause) -> (Self, Actions) {
        let actions = Actions {
            advertise: None,
            addresses: Some(Addresses::Remove),
            announce: false,
            timer: Some(TimerOp::Set(Timer::MasterDown, self.params.master_down_interval(master_interval))),
            delay: None,
            transition: Some(Transition { from: self.state.role(), to: Role::Backup, cause }),
        };
        (Self { state: State::Backup { heard: Heard::Master, master_interval, due: false }, ..self }, actions)
    }

    /// The owner need not wait for a timer, only for its leave to lead.
    fn become_due(self, cause: Cause) -> (Self, Actions) {
        let (next, actions) = self.become_backup(self.params.interval, cause);
        let (next, Actions { timer, .. }) = next.wait_for_leave();
        (next, Actions { timer, ..actions })
    }

    /// A Backup whose turn has come, and that may not lead yet.
    fn wait_for_leave(self) -> (Self, Actions) {
        let state = match self.state {
            State::Backup { heard, master_interval, due: _ } => {
                // The Master that it spared is silent.
                let heard = if heard == Heard::Spared { Heard::Master } else { heard };
                State::Backup { heard, master_interval, due: true }
            }
            State::Initialize | State::Master { .. } => self.state,
        };
        (Self { state, ..self }, Actions { timer: Some(TimerOp::Cancel), delay: self.no_delay(), ..Actions::NONE })
    }

    /// R43, R44: advertise and restart Adver_Timer.
    fn again(self) -> (Self, Actions) {
        let actions = Actions {
            advertise: Some(Advertise::Claim),
            timer: Some(TimerOp::Set(Timer::Adver, self.params.interval.duration())),
            ..Actions::NONE
        };
        (Self { state: State::Master { answered: false }, ..self }, actions)
    }

    fn params(self, params: Params) -> (Self, Actions) {
        if params == self.params {
            return (self, Actions::NONE);
        }
        let next = Self { params, ..self };
        match self.state {
            State::Initialize => (next, Actions::NONE),
            State::Backup { .. } if params.priority.is_owner() && !self.params.priority.is_owner() => {
                if next.may_lead() { next.become_master(Cause::OwnerPreempt) } else { next.wait_for_leave() }
            }
            // Its turn has come and stays, but for a claim against a Master that may be stronger than it is now.
            State::Backup { heard, master_interval, due: true }
                if heard != Heard::Weaker || params.priority >= self.params.priority =>
            {
                let master_interval = self.master_interval_under(params, master_interval);
                (Self { state: State::Backup { heard, master_interval, due: true }, ..next }, Actions::NONE)
            }
            State::Backup { heard, master_interval, due } => {
                let master_interval = self.master_interval_under(params, master_interval);
                let span = match heard {
                    Heard::Release => params.skew_time(master_interval),
                    Heard::Master | Heard::Weaker | Heard::Spared => params.master_down_interval(master_interval),
                };
                let timer = Some(if due {
                    TimerOp::Set(Timer::MasterDown, span)
                } else {
                    TimerOp::Amend(Timer::MasterDown, span)
                });
                let (heard, delay) = self.delay_under(params, heard);
                let state = State::Backup { heard, master_interval, due: false };
                (Self { state, ..next }, Actions { timer, delay, ..Actions::NONE })
            }
            State::Master { .. } => {
                // A longer interval begins with the advert that announces it: who learnt the shorter one would not wait.
                let timer = (params.interval.duration() < self.params.interval.duration())
                    .then(|| TimerOp::Amend(Timer::Adver, params.interval.duration()));
                // How the addresses are served has changed.
                let addresses = (params.accepts() != self.params.accepts()).then_some(Addresses::Install);
                (next, Actions { addresses, timer, ..Actions::NONE })
            }
        }
    }

    /// R36, R37, R38 and, for VRRPv3, R81 and R99.
    fn advert_in_backup(
        self,
        (heard, master_interval, due): (Heard, AdvertInterval, bool),
        priority: Option<Priority>,
        interval: AdvertInterval,
    ) -> (Self, Actions) {
        match priority {
            None => {
                let span = self.params.skew_time(master_interval);
                self.follow(Heard::Release, master_interval, span, self.no_delay())
            }
            Some(priority) if !self.params.preempts() || priority >= self.params.priority => {
                let learnt = self.master_interval(interval);
                self.follow(Heard::Master, learnt, self.params.master_down_interval(learnt), self.no_delay())
            }
            Some(_) => {
                let delay = match heard {
                    Heard::Spared => None,
                    Heard::Master | Heard::Release if self.params.delays() => {
                        Some(DelayOp::Start(self.params.rules.preempt_delay))
                    }
                    // Without a delay, or when it is over, the timer runs on (R38); that of a release is shorter.
                    Heard::Release => return (self, Actions::NONE),
                    Heard::Master | Heard::Weaker => {
                        let state = State::Backup { heard: Heard::Weaker, master_interval, due };
                        return (Self { state, ..self }, Actions::NONE);
                    }
                };
                let learnt = self.master_interval(interval);
                self.follow(Heard::Spared, learnt, self.params.master_down_interval(learnt), delay)
            }
        }
    }

    fn follow(
        self,
        heard: Heard,
        master_interval: AdvertInterval,
        span: Duration,
        delay: Option<DelayOp>,
    ) -> (Self, Actions) {
        let timer = Some(TimerOp::Set(Timer::MasterDown, span));
        let state = State::Backup { heard, master_interval, due: false };
        (Self { state, ..self }, Actions { timer, delay, ..Actions::NONE })
    }

    /// What ends the delay of a preemption, if it runs in this state and the router stays Backup.
    const fn no_delay(&self) -> Option<DelayOp> {
        match self.state {
            State::Backup { heard: Heard::Spared, .. } => Some(DelayOp::Stop),
            State::Initialize
            | State::Backup { heard: Heard::Master | Heard::Release | Heard::Weaker, .. }
            | State::Master { .. } => None,
        }
    }

    /// What a Backup's delay becomes when its parameters change.
    fn delay_under(&self, params: Params, heard: Heard) -> (Heard, Option<DelayOp>) {
        match heard {
            Heard::Spared if !params.preempts() => (Heard::Master, Some(DelayOp::Stop)),
            Heard::Spared if !params.delays() => (Heard::Weaker, Some(DelayOp::Stop)),
            Heard::Spared if params.rules.preempt_delay != self.params.rules.preempt_delay => {
                (Heard::Spared, Some(DelayOp::Start(params.rules.preempt_delay)))
            }
            Heard::Master | Heard::Release | Heard::Weaker | Heard::Spared => (heard, None),
        }
    }

    /// R44, R45, R46 and, for both versions, R113: a losing advert is answered, once an interval.
    fn advert_in_master(
        self,
        answered: bool,
        from: IpAddr,
        priority: Option<Priority>,
        interval: AdvertInterval,
    ) -> (Self, Actions) {
        let Some(priority) = priority else { return self.again() };
        let ours = self.params.priority;
        let stronger_address = self.link.source().is_none_or(|source| from > source);
        if priority > ours || (priority == ours && stronger_address) {
            let cause = Cause::HigherPriority { from, priority };
            let (next, actions) = self.become_backup(self.master_interval(interval), cause);
            // One last claim, as a losing one: without it the winner of a healed partition never learns that there were two,
            // and clients keep the MAC address of this router.
            let advertise = self.params.rules.claim_on_yield.then_some(Advertise::Claim);
            return (next, Actions { advertise, ..actions });
        }
        let next = Self { state: State::Master { answered: true }, ..self };
        if answered {
            return (next, Actions::NONE);
        }
        // The other router yields on our answer; clients may have learnt its MAC address meanwhile.
        let Rules { answer_weaker, announce_to_weaker: announce, .. } = self.params.rules;
        let advertise = answer_weaker.then_some(Advertise::Claim);
        (next, Actions { advertise, announce, ..Actions::NONE })
    }

    /// Master_Adver_Interval of a Backup whose parameters change. What VRRPv3 learnt from a Master stays. A value equal to our
    /// own may have been learnt too, so it is not shortened: the next advert corrects a wait that is too long.
    fn master_interval_under(&self, params: Params, known: AdvertInterval) -> AdvertInterval {
        let learning = self.params.version() == Version::V3 && params.version() == Version::V3;
        let longer = known.duration() > params.interval.duration();
        if learning && (known != self.params.interval || longer) { known } else { params.interval }
    }

    /// VRRPv3 learns the Master's interval; VRRPv2 requires it to equal ours, so there is nothing to learn (R49).
    fn master_interval(&self, heard: AdvertInterval) -> AdvertInterval {
        match self.params.version() {
            Version::V2 => self.params.interval,
            Version::V3 => heard,
        }
    }
}

fn link_cause(before: Link, after: Link) -> Cause {
    match (before, after) {
        (_, Link::Down) => Cause::InterfaceDown,
        (_, Link::NoAddress) => Cause::NoPrimaryAddress,
        (Link::Down, Link::Up(_)) => Cause::InterfaceUp,
        (Link::NoAddress | Link::Up(_), Link::Up(_)) => Cause::PrimaryAddress,
    }
}

const fn nanos(interval: AdvertInterval) -> u64 {
    match interval {
        AdvertInterval::Seconds(s) => s.get() as u64 * 1_000_000_000,
        AdvertInterval::Centiseconds(cs) => cs.get() as u64 * 10_000_000,
    }
}

const fn skew_time(priority: Priority, master_interval: AdvertInterval) -> Duration {
    Duration::from_nanos(nanos_of_skew(priority, master_interval))
}

/// At most 255/256 of 40.95 s, or of 1 s: far below what 64 bits hold.
const fn nanos_of_skew(priority: Priority, master_interval: AdvertInterval) -> u64 {
    let steps = 256 - priority.get() as u64;
    match master_interval {
        AdvertInterval::Seconds(_) => steps * 3_906_250,
        AdvertInterval::Centiseconds(_) => (steps * nanos(master_interval)).div_ceil(256),
    }
}

#[cfg(test)]
mod tests;
