//! What a daemon changes on its host beside addresses, routes and rules, as lines that another process reads: settings of
//! interfaces, interfaces of its own, a table of nftables.
//!
//! Knows how each is told apart; not what it is for, nor how it is put back.

use std::fmt::Write as _;

use vrrp_netlink::firewall;
use vrrp_netlink::links;
use vrrp_netlink::sysctl::Saved;

/// Octets of a setting's line: an interface's number and name, what it is and was. Values are numbers.
const SETTING: usize = 100;

/// A setting of an interface that was changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::daemon) struct Setting {
    /// The interface's number: another one may have its name some day.
    pub(in crate::daemon) index: u32,
    pub(in crate::daemon) saved: Saved,
}

/// All of it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(in crate::daemon) struct Fixtures {
    pub(in crate::daemon) settings: Vec<Setting>,
    /// The texts that are attached to interfaces of its own.
    pub(in crate::daemon) marks: Vec<String>,
    /// Tables of nftables, of the family `inet`.
    pub(in crate::daemon) tables: Vec<String>,
}

impl Fixtures {
    /// Octets that the text of so many may take.
    pub(in crate::daemon) fn room<'m>(settings: usize, marks: impl Iterator<Item = &'m str>) -> usize {
        let marks: usize = marks.map(|mark| mark.len() + links::NAME_MAX).sum();
        settings * SETTING + marks + "table \n".len() + firewall::NAME_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.settings.is_empty() && self.marks.is_empty() && self.tables.is_empty()
    }

    /// How many lines the text has.
    pub(super) fn count(&self) -> usize {
        self.settings.len() + self.marks.len() + self.tables.len()
    }

    /// A line for each.
    pub(in crate::daemon) fn text(&self) -> String {
        let mut text = String::new();
        // A text takes whatever is written to it.
        for Setting { index, saved } in &self.settings {
            let _ = writeln!(text, "setting {index} {saved}");
        }
        for mark in &self.marks {
            let _ = writeln!(text, "virtual {mark}");
        }
        for table in &self.tables {
            let _ = writeln!(text, "table {table}");
        }
        text
    }

    /// What [`Fixtures::text`] wrote; other lines are passed over.
    pub(in crate::daemon) fn read(octets: &[u8]) -> Self {
        let mut read = Self::default();
        for line in String::from_utf8_lossy(octets).lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            read.take_in(word, rest);
        }
        read
    }

    /// Takes in a line; whether it is one of these.
    pub(super) fn take_in(&mut self, word: &str, rest: &str) -> bool {
        let setting = || {
            let (index, saved) = rest.split_once(' ')?;
            Some(Setting { index: index.parse().ok()?, saved: saved.parse().ok()? })
        };
        let plain = !rest.is_empty() && !rest.contains(char::is_whitespace);
        match word {
            "setting" => setting().map(|setting| self.settings.push(setting)).is_some(),
            "virtual" if plain => {
                self.marks.push(rest.to_owned());
                true
            }
            "table" if plain => {
                self.tables.push(rest.to_owned());
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(in super::super) fn some() -> Fixtures {
        let saved = "ipv4 eth2 promote_secondaries -2147483648 1".parse().unwrap();
        Fixtures {
            settings: vec![Setting { index: 2, saved }],
            marks: vec!["vrrpctl/ipv4/eth2/51".to_owned()],
            tables: vec!["vrrpctl".to_owned()],
        }
    }

    #[test]
    fn what_is_written_is_read_and_fits() {
        let some = some();
        let text = some.text();
        assert_eq!(Fixtures::read(text.as_bytes()), some);
        assert_eq!((text.lines().count(), some.is_empty()), (some.count(), false));
        let marks = some.marks.iter().map(String::as_str);
        assert!(text.len() <= Fixtures::room(1, marks));
        let longest = "setting 4294967295 ipv4 a-name-of-15-oct promote_secondaries -2147483648 -2147483648\n";
        assert!(longest.len() <= SETTING && Fixtures::read(longest.as_bytes()).settings.len() == 1);
    }

    #[test]
    fn lines_that_make_no_sense_are_nothing() {
        for line in ["setting", "setting x ipv4 a b 0 1", "setting 2 ipv4 ../a b 0 1", "virtual", "table a b", "x"] {
            assert!(Fixtures::read(line.as_bytes()).is_empty(), "{line}");
        }
        assert!(Fixtures::read(&[0xff; 20]).is_empty());
    }
}
