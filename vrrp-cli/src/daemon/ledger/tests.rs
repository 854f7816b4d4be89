//! Files of daemons that live, that died, of other boots and other namespaces, and damaged ones.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use vrrp_netlink::rules::{Action, Family, Rule};

use super::text::{read, text};
use super::*;
use crate::daemon::lock;
use crate::daemon::log::logged;

fn eth(index: u32) -> Option<String> {
    (index < 10).then(|| format!("eth{index}"))
}

fn address(index: u32, last: u8) -> Address {
    Address::new(index, [10, 0, 0, last].into(), 32)
}

fn octets(addresses: &[Address]) -> Vec<u8> {
    let mut rule = Rule::new(Family::V4, Action::Table(9));
    rule.priority = Some(100);
    vrrp_netlink::objects::octets(addresses, &[], &[rule])
}

#[test]
fn a_successor_reads_what_the_last_of_a_daemon_held() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("not/yet/there");
    let (mut ledger, alive, left) = Ledger::open(&folder, 7, eth);
    assert!(left.objects.is_empty() && alive.is_some());
    ledger.holds(0, octets(&[address(2, 1), address(3, 2), address(12, 3)]));
    ledger.holds(1, octets(&[address(2, 9)]));
    ledger.write(eth);
    ledger.holds(1, Vec::new());
    ledger.write(eth);
    let read = |network, name_of: fn(u32) -> Option<String>| {
        left_of(&folder, network, name_of).map(|left| left.objects.addresses)
    };
    assert_eq!(read(7, eth), Some(vec![]), "it is alive");
    assert_eq!(written(&folder, 7, eth), [address(2, 1), address(3, 2)]);
    assert!(written(&folder, 8, eth).is_empty());
    drop(alive);
    assert_eq!(read(8, eth), Some(vec![]), "another network's");
    assert_eq!(read(7, eth), Some(vec![address(2, 1), address(3, 2)]), "one interface had no name");
    assert_eq!(read(7, |index| (index == 3).then(|| "eth3".to_owned())), Some(vec![address(3, 2)]));
    left_of(&folder, 7, eth).unwrap().forget();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn daemons_with_one_number_write_beside_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (one, _one_lives, _) = Ledger::open(folder.path(), 7, eth);
    let (other, _other_lives, left) = Ledger::open(folder.path(), 7, eth);
    assert!(other.path().is_some() && one.path() != other.path() && left.objects.is_empty());
}

#[test]
fn one_that_was_killed_a_moment_ago_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (mut dying, alive, _) = Ledger::open(folder.path(), 7, eth);
    dying.holds(0, octets(&[address(2, 1)]));
    dying.write(eth);
    let end = std::thread::spawn(move || {
        std::thread::sleep(lock::PARTING / 10);
        drop(alive);
    });
    let (_next, _alive, left) = Ledger::open(folder.path(), 7, eth);
    assert_eq!(left.objects.addresses, [address(2, 1)]);
    end.join().unwrap();
}

/// The first processes of containers all have the same number.
#[test]
fn a_successor_with_the_number_of_the_dead_one_writes_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut dead, alive, _) = Ledger::open(folder.path(), 7, eth);
    dead.holds(0, octets(&[address(2, 1)]));
    dead.write(eth);
    drop((dead, alive));
    let (mut next, alive, left) = Ledger::open(folder.path(), 7, eth);
    assert!(alive.is_some());
    assert_eq!(left.objects.addresses, [address(2, 1)]);
    next.holds(0, octets(&[address(2, 2)]));
    next.write(eth);
    left.forget();
    drop((next, alive));
    let (third, _alive, left) = Ledger::open(folder.path(), 7, eth);
    assert_eq!(left.objects.addresses, [address(2, 2)], "what the second one wrote is still there");
    left.forget();
    third.close(eth);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn left_of(folder: &Path, network: u64, name_of: fn(u32) -> Option<String>) -> Option<Left> {
    folder::left(folder, network, &text::boot(), name_of).ok()
}

#[test]
fn an_orderly_end_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (mut ledger, alive, _) = Ledger::open(folder.path(), 7, eth);
    ledger.holds(0, octets(&[address(2, 1)]));
    ledger.write(eth);
    ledger.holds(0, Vec::new());
    ledger.close(eth);
    drop(alive);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_cannot_be_written_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let (mut ledger, alive, left) = Ledger::open(&file, 7, eth);
    assert!(alive.is_none() && left.objects.is_empty());
    ledger.holds(0, octets(&[address(2, 1)]));
    ledger.write(eth);
    ledger.close(eth);
}

#[test]
fn damage_is_told_and_never_believed() {
    let whole = text("b", [octets(&[address(2, 1)]).as_slice()].into_iter(), &fixtures(), eth);
    let good = |text: &str| read(text.as_bytes(), "b").map(|written| written.still(eth));
    let written = good(&whole).unwrap();
    assert_eq!((written.objects.addresses, written.fixtures), (vec![address(2, 1)], fixtures()));
    let other = read(whole.as_bytes(), "another boot").unwrap();
    assert!(other.objects.is_empty() && other.fixtures.is_empty());
    // Without its last character, the end of a line, nothing is missing.
    for cut in 0..whole.len() - 1 {
        assert!(good(&whole[..cut]).is_err(), "cut at {cut}");
    }
    for (from, to) in [
        ("holds ", "holds x"),
        ("holds ", "holds 00"),
        ("end 4", "end 3"),
        ("interface 2", "interface"),
        ("boot", "boat"),
        ("setting 2", "setting x"),
        ("ipv4", "ipv5"),
        ("table ", "table"),
    ] {
        assert!(good(&whole.replacen(from, to, 1)).is_err(), "{from} -> {to}");
    }
    assert!(read(&[0xff; 100], "b").is_err() && read(&[], "b").is_err());
}

/// Interfaces that are gone, or another's by now: their settings are nobody's.
#[test]
fn a_setting_is_that_of_an_interface_with_its_number_and_its_name() {
    let whole = text("b", std::iter::empty(), &fixtures(), eth);
    let settings = |name_of: fn(u32) -> Option<String>| {
        read(whole.as_bytes(), "b").unwrap().still(name_of).fixtures.settings.len()
    };
    assert_eq!(settings(eth), 1);
    assert_eq!(settings(|_| None), 0);
    assert_eq!(settings(|index| (index == 3).then(|| "eth2".to_owned())), 0);
    assert_eq!(settings(|index| (index == 2).then(|| "eth3".to_owned())), 0);
}

#[test]
fn a_successor_learns_of_settings_and_tables_and_who_lives_keeps_his() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, alive, _) = Ledger::open(folder.path(), 7, eth);
    *one.fixtures_mut() = fixtures();
    one.write(eth);
    let (other, _other_lives, left) = Ledger::open(folder.path(), 7, eth);
    assert!(left.settings.is_empty() && left.tables.is_empty(), "it is alive");
    assert_eq!(other.elsewhere(), [fixtures().settings[0].saved.clone()]);
    assert!(one.elsewhere().is_empty(), "its own are not another's");
    drop((one, alive));
    assert!(other.elsewhere().is_empty(), "it is dead");
    let (_third, _alive, left) = Ledger::open(folder.path(), 7, eth);
    assert_eq!((left.settings.clone(), left.tables.clone()), (fixtures().settings, fixtures().tables));
}

/// Backups that were killed, files of another boot: nothing is behind them. Others' files are none of ours.
#[test]
fn what_says_nothing_any_more_goes_from_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let there = |name: &str| folder.path().join(name).exists();
    let (_living, alive, _) = Ledger::open(folder.path(), 7, eth);
    let names = ["8-100.lock", "8-101.lock", "8-101.held", "8-102.held", "8-102.lock", "8-102.new", "x-1.lock", "gate"];
    for name in names {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let of = |boot: &str| text(boot, std::iter::empty(), &fixtures(), eth);
    fs::write(folder.path().join("8-101.held"), of(&text::boot())).unwrap();
    fs::write(folder.path().join("8-102.held"), of("another boot")).unwrap();
    let (_next, _next_lives, _) = Ledger::open(folder.path(), 9, eth);
    let left = names.map(there);
    assert_eq!(left, [false, true, true, false, false, false, true, true], "{names:?}");
    assert!(there(&format!("7-{}.lock", std::process::id())) && alive.is_some());
}

/// A full or read-only folder is told once, and the next change that can be written is.
#[test]
fn what_cannot_be_written_is_told_once_and_written_as_soon_as_it_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let (mut ledger, _alive, _) = Ledger::open(folder.path(), 7, eth);
    let held = ledger.path().unwrap().to_owned();
    // Nothing can be written there.
    fs::create_dir(held.with_extension("new")).unwrap();
    let said = logged(|| {
        for last in 1..10 {
            ledger.holds(0, octets(&[address(2, last)]));
            ledger.write(eth);
        }
    });
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("WARN") && said.contains("what is on this host stays") && !held.exists(), "{said}");
    fs::remove_dir(held.with_extension("new")).unwrap();
    ledger.holds(0, octets(&[address(2, 20)]));
    ledger.write(eth);
    assert_eq!(written(folder.path(), 7, eth), [address(2, 20)]);
    assert_eq!(fs::metadata(&held).unwrap().permissions().mode() & 0o077, 0);
}

/// The folder may be that of a user under whom the daemon ran once.
#[test]
fn what_others_have_put_in_the_place_of_its_files_is_neither_followed_nor_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let precious = elsewhere.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    let own = format!("7-{}", std::process::id());
    for name in [format!("{own}.lock"), "gate".into(), "7-1.held".into()] {
        std::os::unix::fs::symlink(&precious, folder.path().join(name)).unwrap();
    }
    for name in ["7-2.held", "7-2.lock", "8-3.held", "8-3.lock"] {
        nix::unistd::mkfifo(&folder.path().join(name), nix::sys::stat::Mode::S_IRWXU).unwrap();
    }
    let (done, said) = std::sync::mpsc::channel();
    let place = folder.path().to_owned();
    std::thread::spawn(move || {
        let (ledger, ..) = Ledger::open(&place, 7, eth);
        drop(ledger.gate());
        done.send(()).unwrap();
    });
    said.recv_timeout(std::time::Duration::from_secs(20)).expect("a pipe is not waited for");
    fs::remove_file(folder.path().join(format!("{own}.lock"))).unwrap();
    let (mut ledger, alive, _) = Ledger::open(folder.path(), 7, eth);
    std::os::unix::fs::symlink(&precious, folder.path().join(format!("{own}.new"))).unwrap();
    ledger.holds(0, octets(&[address(2, 1)]));
    ledger.write(eth);
    assert!(alive.is_some() && fs::read_to_string(&precious).unwrap() == "precious");
}

#[test]
fn nobody_else_can_put_anything_into_the_folder() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("run/vrrpctl");
    let place = folder.clone();
    // The file mode mask of this thread is its own then.
    let daemon = move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS).unwrap();
        nix::sys::stat::umask(nix::sys::stat::Mode::empty());
        Ledger::open(&place, 7, eth).1.is_some()
    };
    assert!(std::thread::spawn(daemon).join().unwrap());
    for folder in [folder.parent().unwrap(), &folder] {
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o755, "{}", folder.display());
    }
}

/// A damaged file is told, once: the next start does not find it.
#[test]
fn a_damaged_file_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("7-1.held"), "something else\n").unwrap();
    let start = || {
        let (ledger, _alive, left) = Ledger::open(folder.path(), 7, eth);
        left.forget();
        ledger.close(eth);
    };
    let said = logged(start);
    assert!(said.contains("7-1.held does not begin with") && said.contains("is not known, and stays"), "{said}");
    assert_eq!(logged(start), "");
}

fn fixtures() -> Fixtures {
    let saved = "ipv4 eth2 arp_ignore 0 1".parse().unwrap();
    Fixtures {
        settings: vec![Setting { index: 2, saved }],
        marks: vec!["vrrpctl/ipv4/eth2/51".to_owned()],
        tables: vec!["vrrpctl".to_owned()],
    }
}
