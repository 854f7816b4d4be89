//! Octets as authenticated packets from a stranger, and as a script for two routers with keys whose clocks jump.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU8;
use std::time::Duration;

use vrrp_core::auth::ah::AhKey;
use vrrp_core::auth::keys::{Key, Keys};
use vrrp_core::auth::trailer::{AntiReplay, HmacConfig, Mode, TimeWindow};
use vrrp_core::auth::{TrailerError, WallClock};
use vrrp_core::fsm::{Advertise, Event, Link, Params, Rules};
use vrrp_core::router::{Carriage, ChecksumPolicy, MAX_EMITTED, RouterConfig, VirtualRouter};
use vrrp_core::rx::{Discard, Meta, Notices, Received};
use vrrp_core::{AddressList, AdvertInterval, Auth, Counter, Family, Priority, SimplePassword, Vrid};

const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const WINDOW: u16 = 6;

/// `data` as packets from a stranger, then as a script.
pub fn trailer(data: &[u8]) {
    stranger(data);
    conversation(data);
}

/// Nobody guesses a key: whatever the octets are, nothing is accepted as signed.
fn stranger(data: &[u8]) {
    let vrid = |message: usize| data.get(message + 1).copied().and_then(Vrid::new);
    for (kind, family, at) in [(0, Family::V4, 20), (1, Family::V4, 20), (2, Family::V4, 44), (1, Family::V6, 0)] {
        let Some(vrid) = vrid(at) else { continue };
        let Some(mut router) = router(kind, family, 2, vrid) else { continue };
        router.set_wall_clock(WallClock::from_unix(Duration::from_secs(0x6800_0000)));
        let Ok(received) = receive(family, 9, data) else { continue };
        match router.receive(&received) {
            Ok((_, notices)) => assert!(kind == 0 && notices.contains(Notices::UNSIGNED), "kind {kind}"),
            Err(reason) => assert!(!reason.to_string().is_empty()),
        }
    }
}

/// A sender, a hearer, and somebody in between who records, repeats and damages.
struct Conversation {
    sender: VirtualRouter<[IpAddr; 1]>,
    hearer: VirtualRouter<[IpAddr; 1]>,
    family: Family,
    now: Duration,
    /// The clocks went back: what was recorded before may be in time again.
    corrected: bool,
    /// What the sender signed last is not what was heard last.
    unheard: bool,
    recorded: Vec<Vec<u8>>,
}

fn conversation(data: &[u8]) {
    let Some((&first, script)) = data.split_first() else { return };
    let family = if first & 0x80 == 0 { Family::V4 } else { Family::V6 };
    let kind = first & 3;
    let vrid = Vrid::new(51).expect("not 0");
    let (Some(sender), Some(hearer)) = (router(kind, family, 1, vrid), router(kind, family, 2, vrid)) else { return };
    let now = Duration::from_secs(1000);
    let mut conversation =
        Conversation { sender, hearer, family, now, corrected: false, unheard: false, recorded: Vec::new() };
    for step in script.chunks(2).take(512) {
        conversation.step(step[0], step.get(1).copied().unwrap_or(0));
    }
}

impl Conversation {
    fn step(&mut self, what: u8, value: u8) {
        match what & 7 {
            0 => self.now += Duration::from_millis(u64::from(value) * 100),
            1 => {
                self.now = self.now.saturating_sub(Duration::from_millis(u64::from(value) * 100));
                self.corrected |= value > 0;
            }
            2 | 3 => self.send(),
            4 => self.repeat(usize::from(value)),
            5 => self.skew(i64::from(value.cast_signed())),
            _ => self.damage(usize::from(what >> 3) << 8 | usize::from(value)),
        }
    }

    fn set_clocks(&mut self) {
        let now = WallClock::from_unix(self.now);
        self.sender.set_wall_clock(now);
        self.hearer.set_wall_clock(now);
    }

    fn emit(&mut self) -> Vec<u8> {
        let mut buffer = [0xaa; MAX_EMITTED];
        let carriage = self.sender.carriage();
        let group = group(self.family);
        let octets = self.sender.emit(Advertise::Claim, group, &mut buffer).expect("there is a clock and room");
        match (self.family, carriage) {
            (Family::V4, Carriage::Message) => {
                let total = u8::try_from(20 + octets.len()).expect("one address is short");
                let mut datagram = vec![0x45, 0xc0, 0, total, 0, 1, 0, 0, 255, 112, 0, 0, 10, 0, 0, 1];
                datagram.extend(GROUP_V4.octets());
                datagram.extend_from_slice(octets);
                datagram
            }
            (Family::V4, Carriage::Datagram) | (Family::V6, _) => octets.to_vec(),
        }
    }

    fn hear(&mut self, octets: &[u8]) -> Result<Notices, Discard> {
        let received = receive(self.family, 1, octets)?;
        let before = *self.hearer.counters();
        let outcome = self.hearer.receive(&received).map(|(_, notices)| notices);
        if let Err(reason) = outcome {
            let moved = |counter: &Counter| self.hearer.counters().get(*counter) != before.get(*counter);
            assert!(Counter::ALL.iter().filter(|counter| moved(counter)).eq([&reason.counter()]));
        }
        outcome
    }

    /// With one clock everything that is signed is heard, however that clock jumps; unless something was lost in between: a sender
    /// whose clock went back by more than the window counts from the present again, and may have to catch up with what it said
    /// before.
    fn send(&mut self) {
        self.set_clocks();
        let octets = self.emit();
        match self.hear(&octets) {
            Err(Discard::Trailer(TrailerError::Replay)) if self.corrected && self.unheard => return,
            Ok(Notices::CLOCK_SKEW) if self.corrected => {}
            outcome => assert_eq!(outcome, Ok(Notices::empty())),
        }
        assert!(self.hear(&octets).is_err(), "not twice");
        self.recorded.push(octets);
    }

    fn repeat(&mut self, which: usize) {
        if self.recorded.is_empty() {
            return;
        }
        self.set_clocks();
        let octets = self.recorded[which % self.recorded.len()].clone();
        let outcome = self.hear(&octets);
        assert!(outcome.is_err() || self.corrected, "a replay");
        self.unheard |= outcome.is_ok();
    }

    /// A sender whose clock is off by so many half seconds: heard within the window only, where there is one.
    fn skew(&mut self, halves: i64) {
        self.set_clocks();
        let off = Duration::from_millis(halves.unsigned_abs() * 500);
        let theirs = if halves < 0 { self.now.saturating_sub(off) } else { self.now + off };
        self.sender.set_wall_clock(WallClock::from_unix(theirs));
        let octets = self.emit();
        match self.hear(&octets) {
            Ok(notices) => assert!((Notices::empty() | Notices::CLOCK_SKEW).contains(notices)),
            Err(Discard::Trailer(TrailerError::Stale { theirs, ours })) => {
                assert!(theirs.abs_diff(ours) > u32::from(WINDOW));
            }
            Err(Discard::Trailer(TrailerError::Replay)) => assert!(self.corrected || halves < 0),
            Err(reason) => panic!("{reason}"),
        }
        self.corrected |= halves != 0;
        self.unheard |= halves != 0;
    }

    fn damage(&mut self, bit: usize) {
        self.set_clocks();
        let mut octets = self.emit();
        let start = if self.family == Family::V4 { 20 * 8 } else { 0 };
        let bit = start + bit % (octets.len() * 8 - start);
        octets[bit / 8] ^= 1 << (bit % 8);
        self.unheard = true;
        let machine = *self.hearer.machine();
        assert!(self.hear(&octets).is_err(), "bit {bit}");
        assert_eq!(*self.hearer.machine(), machine);
    }
}

fn receive(family: Family, host: u8, octets: &[u8]) -> Result<Received<'_>, Discard> {
    let received = match family {
        Family::V4 => Received::check_datagram(octets, GROUP_V4),
        Family::V6 => {
            let meta = Meta { source: address(family, host), destination: group(family), ttl: 255 };
            Received::check(&meta, octets, group(family))
        }
    };
    received.map_err(|rejected| rejected.reason)
}

fn group(family: Family) -> IpAddr {
    match family {
        Family::V4 => GROUP_V4.into(),
        Family::V6 => [0xff02, 0, 0, 0, 0, 0, 0, 0x12].into(),
    }
}

fn address(family: Family, host: u8) -> IpAddr {
    match family {
        Family::V4 => [10, 0, 0, host].into(),
        Family::V6 => [0xfe80, 0, 0, 0, 0, 0, 0, u16::from(host)].into(),
    }
}

/// 0: a trailer that is not demanded, 1: one that is, 2: an Authentication Header, 3: a trailer without time. `None` for what
/// does not exist: an Authentication Header over IPv6.
fn router(kind: u8, family: Family, host: u8, vrid: Vrid) -> Option<VirtualRouter<[IpAddr; 1]>> {
    let id = NonZeroU8::MIN;
    let keys = Keys::new(&[Key::new(id, &[0x5a; 32]).ok()?], id).ok()?;
    let time = AntiReplay::Time(TimeWindow::new(WINDOW)?);
    let hmac = |mode, anti_replay| Auth::hmac(HmacConfig { keys, mode, anti_replay });
    let (auth, interval) = match (kind, family) {
        (0, _) => (hmac(Mode::Permissive, time), AdvertInterval::from_centis(100)),
        (1, Family::V4) => (hmac(Mode::Enforce, time), AdvertInterval::from_secs(1)),
        (1, Family::V6) => (hmac(Mode::Enforce, time), AdvertInterval::from_centis(100)),
        (2, Family::V4) => (Auth::Ah(AhKey::new(SimplePassword::new(b"guessme")?)), AdvertInterval::from_secs(1)),
        (2, Family::V6) => return None,
        _ => (hmac(Mode::Enforce, AntiReplay::Monotonic), AdvertInterval::from_centis(100)),
    };
    // The lower the number of the host, the higher its priority.
    let priority = Priority::new(u8::MAX - 1 - host)?;
    let mut router = VirtualRouter::new(RouterConfig {
        vrid,
        params: Params { priority, interval: interval?, preempt: true, accept: false, rules: Rules::DEFAULT },
        addresses: AddressList::new([address(family, 100)]).ok()?,
        auth,
        checksum: ChecksumPolicy::default(),
    });
    let _ = router.handle(Event::Link(Link::Up(address(family, host))));
    let _ = router.handle(Event::Enabled(true));
    Some(router)
}
