//! The text of a file: what is written, and what of it is believed.
//!
//! ```text
//! vrrpctl held 2
//! boot 4f6c...                                   an earlier boot's file says nothing any more
//! interface 2 eth0
//! holds 4c00...                                  a router's addresses, routes and rules, as netlink messages
//! setting 2 ipv4 eth0 arp_ignore 0 1             what it was, and what it was set to
//! virtual vrrpctl/ipv4/eth0/51                   the text that is attached to an interface of ours
//! table vrrpctl
//! end 4                                          how many lines of the last four kinds there are
//! ```
//!
//! A pure function of octets, but for the number of the boot.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use vrrp_netlink::objects::Objects;

use super::fixtures::Fixtures;

/// First line of each file.
const TITLE: &str = "vrrpctl held 2";
/// No file is longer: 65,536 addresses.
const LONGEST: u64 = 16 << 20;

/// What a file says.
#[derive(Default, Debug)]
pub(super) struct Written {
    pub(super) objects: Objects,
    pub(super) fixtures: Fixtures,
    /// What interfaces were called by their numbers.
    names: BTreeMap<u32, String>,
}

impl Written {
    /// Leaves what is on interfaces that are still the same: one that is gone took everything with it, and its number may be
    /// another's by now.
    pub(super) fn still(mut self, name_of: impl Fn(u32) -> Option<String>) -> Self {
        let Self { objects, fixtures, names } = &mut self;
        names.retain(|index, name| name_of(*index).as_ref() == Some(&*name));
        let same = |index: u32| names.contains_key(&index);
        objects.addresses.retain(|address| same(address.index));
        objects.routes.retain(|route| route.next_hops.iter().filter_map(|hop| hop.index).all(same));
        fixtures.settings.retain(|one| name_of(one.index).as_deref() == Some(one.saved.interface()));
        self
    }
}

/// The text about what each cell holds, and the rest.
pub(super) fn text<'c>(
    boot: &str,
    cells: impl Iterator<Item = &'c [u8]>,
    fixtures: &Fixtures,
    name_of: impl Fn(u32) -> Option<String>,
) -> String {
    let mut text = format!("{TITLE}\nboot {boot}\n");
    let mut names = BTreeMap::new();
    let mut count = fixtures.count();
    let mut lines = String::new();
    for octets in cells {
        count += 1;
        for index in Objects::read(octets).iter().flat_map(interfaces) {
            names.entry(index).or_insert_with(|| name_of(index).unwrap_or_default());
        }
        lines.push_str("holds ");
        // Not by the formatter: the text of a thousand addresses is written again with each portion that is installed.
        let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]);
        lines.extend(digits.filter_map(|digit| char::from_digit(digit.into(), 16)));
        lines.push('\n');
    }
    for (index, name) in names {
        let _ = writeln!(text, "interface {index} {name}");
    }
    let _ = writeln!(text, "{lines}{}end {count}", fixtures.text());
    text
}

/// What the text says; or what is wrong with it. Of another boot: nothing.
pub(super) fn read(octets: &[u8], boot: &str) -> Result<Written, String> {
    if u64::try_from(octets.len()).unwrap_or(u64::MAX) > LONGEST {
        return Err(format!("is longer than {LONGEST} octets"));
    }
    let text = std::str::from_utf8(octets).map_err(|_| "is no text".to_owned())?;
    let mut lines = text.lines();
    if lines.next() != Some(TITLE) {
        return Err(format!("does not begin with `{TITLE}`"));
    }
    if !text.lines().next_back().is_some_and(|last| last.starts_with("end ")) {
        return Err("was cut short".to_owned());
    }
    let (mut written, mut count) = (Written::default(), 0_usize);
    for line in lines {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "boot" if rest != boot => return Ok(Written::default()),
            "boot" => {}
            "interface" => {
                let (index, name) = rest.split_once(' ').ok_or("has an interface without a name")?;
                let index: u32 = index.parse().map_err(|_| "has an interface without a number")?;
                written.names.insert(index, name.to_owned());
            }
            "holds" => {
                count += 1;
                let octets = octets_of(rest).ok_or("has a line that is not hexadecimal")?;
                written.objects.append(Objects::read(&octets).map_err(|_| "has a line that makes no sense")?);
            }
            "end" if rest.parse() == Ok(count) => {}
            word if written.fixtures.take_in(word, rest) => count += 1,
            _ => return Err(format!("has a line that is not known: `{}`", word.escape_debug())),
        }
    }
    Ok(written)
}

/// Differs from boot to boot; empty where the kernel does not tell.
pub(super) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Whether it says that it is of another boot.
pub(super) fn is_of_another_boot(octets: &[u8], boot: &str) -> bool {
    let text = String::from_utf8_lossy(octets);
    text.lines().nth(1).and_then(|line| line.strip_prefix("boot ")).is_some_and(|other| other != boot)
}

fn interfaces(objects: &Objects) -> impl Iterator<Item = u32> + '_ {
    let hops = objects.routes.iter().flat_map(|route| route.next_hops.iter().filter_map(|hop| hop.index));
    objects.addresses.iter().map(|address| address.index).chain(hops)
}

fn octets_of(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(octet).collect()
}
