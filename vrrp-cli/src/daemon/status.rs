//! What the daemon tells of itself when it is asked: a snapshot of what the election knows, and two texts made of it.
//!
//! Pure: a snapshot in, a text out. Knows neither files nor signals.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use vrrp_core::node::Condition;
use vrrp_core::{Counter, Counters, Family};

use super::claims::Mac;
use super::lateness::Histogram;

/// Everything at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Snapshot {
    pub(super) at: SystemTime,
    /// For how long the daemon has run.
    pub(super) up: Duration,
    pub(super) routers: Vec<Router>,
    pub(super) groups: Vec<(String, Condition)>,
    /// What belongs to no router.
    pub(super) counters: Counters,
    pub(super) lateness: Histogram,
}

/// One virtual router.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Router {
    pub(super) name: String,
    pub(super) interface: String,
    pub(super) family: Family,
    pub(super) vrid: u8,
    pub(super) condition: Condition,
    /// How long ago it entered that.
    pub(super) since: Duration,
    /// Why; in FAULT everything that is missing now.
    pub(super) why: String,
    /// It goes on serving until somebody else does.
    pub(super) releasing: bool,
    pub(super) priority: u8,
    pub(super) configured: u8,
    pub(super) addresses: Vec<IpAddr>,
    /// Who sent the last advert that was accepted.
    pub(super) heard: Option<IpAddr>,
    /// Which other hosts had its addresses.
    pub(super) conflicts: Vec<Conflict>,
    pub(super) counters: Counters,
}

/// Another host that had an address while it was served here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Conflict {
    pub(super) address: IpAddr,
    pub(super) mac: [u8; 6],
    /// How long ago it last said so.
    pub(super) ago: Duration,
    /// How often it, or others, did.
    pub(super) claims: u64,
}

/// Adverts for a router that were dropped.
const DROPS: [Counter; 20] = [
    Counter::InvalidTypeReceived,
    Counter::LengthErrors,
    Counter::InvalidAuthType,
    Counter::AuthTypeMismatch,
    Counter::AuthFailures,
    Counter::OwnerConflicts,
    Counter::OwnSource,
    Counter::DeliveryErrors,
    Counter::UnknownPeers,
    Counter::ChecksumFormErrors,
    Counter::HmacMissing,
    Counter::HmacMalformed,
    Counter::HmacStale,
    Counter::HmacUnknownKey,
    Counter::HmacInvalid,
    Counter::HmacReplays,
    Counter::AhMissing,
    Counter::AhMalformed,
    Counter::AhInvalid,
    Counter::AhReplays,
];

impl Snapshot {
    /// A line for each router and group.
    pub(super) fn status(&self) -> String {
        let mut text = self.title("status");
        for router in &self.routers {
            text.push_str(&self.line(router));
        }
        for (name, condition) in &self.groups {
            line(&mut text, format_args!("[{name}] {condition}"));
        }
        text
    }

    /// What was counted that is not zero, and how late deadlines were met.
    pub(super) fn statistics(&self) -> String {
        let mut text = self.title("statistics");
        line(&mut text, format_args!("lateness: {}", self.lateness));
        for (limit, count) in self.lateness.buckets() {
            match limit {
                Some(limit) => line(&mut text, format_args!("    up to {limit:?}: {count}")),
                None => line(&mut text, format_args!("    later: {count}")),
            }
        }
        line(&mut text, format_args!("host:"));
        count(&mut text, &self.counters);
        for router in &self.routers {
            line(&mut text, format_args!("({}):", router.name));
            count(&mut text, &router.counters);
        }
        text
    }

    fn title(&self, what: &str) -> String {
        let up = self.up.as_secs();
        let mut text = String::new();
        let version = env!("CARGO_PKG_VERSION");
        line(&mut text, format_args!("vrrpctl {version} {what} at {}, running for {up} s", stamp(self.at)));
        text
    }

    fn line(&self, router: &Router) -> String {
        let Router { name, interface, vrid, condition, priority, configured, .. } = router;
        let mut text = format!("({name}) {condition}");
        // Writing to a text cannot fail.
        let _ = write!(text, " since {}", self.at.checked_sub(router.since).map_or_else(String::new, stamp));
        if !router.why.is_empty() {
            let _ = write!(text, ": {}", router.why);
        }
        if router.releasing {
            text.push_str("; serves until its successor does");
        }
        let family = match router.family {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        };
        let _ = write!(text, " | {interface} {family} VRID {vrid} | priority {priority}");
        if priority != configured {
            let _ = write!(text, ", configured {configured}");
        }
        let addresses: Vec<_> = router.addresses.iter().map(ToString::to_string).collect();
        let _ = write!(text, " | {}", addresses.join(" "));
        if let Some(heard) = router.heard {
            let _ = write!(text, " | heard {heard} last");
        }
        let counted = |counters: &[Counter]| {
            counters.iter().fold(0_u64, |sum, counter| sum.saturating_add(router.counters.get(*counter)))
        };
        let troubles = [
            (counted(&DROPS), "adverts dropped"),
            (counted(&[Counter::AdvertsBarred]), "adverts kept from it by a firewall of this host"),
        ];
        for (count, what) in troubles.iter().filter(|(count, _)| *count > 0) {
            let _ = write!(text, " | {count} {what}");
        }
        for Conflict { address, mac, ago, claims } in &router.conflicts {
            let at = self.at.checked_sub(*ago).map_or_else(String::new, stamp);
            let _ =
                write!(text, " | {address} was at another host, too: {} at {at}, {claims} claims so far", Mac(*mac));
        }
        text.push('\n');
        text
    }
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{words}");
}

fn count(text: &mut String, counters: &Counters) {
    for counter in Counter::ALL.into_iter().filter(|counter| counters.get(*counter) > 0) {
        line(text, format_args!("    {} {}", counter.name(), counters.get(counter)));
    }
}

/// "2026-11-21T15:04:05Z".
fn stamp(at: SystemTime) -> String {
    const DAY: u64 = 86_400;

    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, second) = (seconds / DAY, seconds % DAY);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of the month, so many days after 1970-01-01. The kernel's clock ends in 2262.
fn date(mut days: u64) -> (u64, u64, u64) {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let mut month = 1;
    for length in [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(name: &str, condition: Condition, why: &str) -> Router {
        let mut counters = Counters::default();
        counters.add_many(Counter::AdvertsSent, 7);
        Router {
            name: name.into(),
            interface: "eth0".into(),
            family: Family::V4,
            vrid: 51,
            condition,
            since: Duration::from_secs(65),
            why: why.into(),
            releasing: false,
            priority: 100,
            configured: 100,
            addresses: vec![[10, 0, 0, 1].into(), [10, 0, 0, 2].into()],
            heard: None,
            conflicts: Vec::new(),
            counters,
        }
    }

    fn snapshot(routers: Vec<Router>) -> Snapshot {
        let mut lateness = Histogram::default();
        lateness.record(Duration::from_micros(40));
        lateness.record(Duration::from_secs(6));
        Snapshot {
            at: UNIX_EPOCH + Duration::from_secs(1_795_273_445),
            up: Duration::from_secs(3_700),
            routers,
            groups: vec![("G".into(), Condition::Backup)],
            counters: Counters::default(),
            lateness,
        }
    }

    #[test]
    fn the_status_is_a_line_for_each_router() {
        let mut fault = router("B", Condition::Fault, "its interface is down; script `x` failed");
        (fault.priority, fault.heard, fault.releasing) = (70, Some([10, 0, 0, 9].into()), true);
        fault.counters.add(Counter::AuthFailures);
        fault.counters.add(Counter::HmacReplays);
        fault.counters.add_many(Counter::AdvertsBarred, 4);
        let (address, mac) = ([10, 0, 0, 2].into(), [2, 0, 0, 0, 0, 9]);
        fault.conflicts.push(Conflict { address, mac, ago: Duration::from_secs(5), claims: 3 });
        let text = snapshot(vec![router("A", Condition::Master, "the master fell silent"), fault]).status();
        let expected = [
            &format!("vrrpctl {} status at 2026-11-21T15:04:05Z, running for 3700 s", env!("CARGO_PKG_VERSION")),
            "(A) MASTER since 2026-11-21T15:03:00Z: the master fell silent | eth0 IPv4 VRID 51 | priority 100 | 10.0.0.1 10.0.0.2",
            "(B) FAULT since 2026-11-21T15:03:00Z: its interface is down; script `x` failed; serves until its successor does \
             | eth0 IPv4 VRID 51 | priority 70, configured 100 | 10.0.0.1 10.0.0.2 | heard 10.0.0.9 last | 2 adverts dropped \
             | 4 adverts kept from it by a firewall of this host \
             | 10.0.0.2 was at another host, too: 02:00:00:00:00:09 at 2026-11-21T15:04:00Z, 3 claims so far",
            "[G] BACKUP",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn statistics_name_what_was_counted_and_how_late_it_was() {
        let text = snapshot(vec![router("A", Condition::Backup, "")]).statistics();
        let expected = [
            "lateness: 2 deadlines, 50 % within 64µs, 99 % within 6s, the latest 6s",
            "    up to 64µs: 1",
            "    later: 1",
            "host:",
            "(A):",
            "    adverts_sent 7",
        ];
        assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(stamp(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
