//! Events of real processes, where the kernel tells of them.

use std::process::{Command, Stdio};

use super::*;
use crate::namespace::Namespace;
use crate::testing::{have_root, wait_for};

#[test]
fn a_process_is_told_of_from_its_beginning_to_its_end() {
    if !have_root() {
        return;
    }
    let mut events = match ProcessEvents::open() {
        Ok(events) => events,
        // A container has no initial network namespace.
        Err(error) if error.errno() == Some(libc::ECONNREFUSED) => return println!("skipped: {error}"),
        Err(error) => panic!("{error}"),
    };
    let mut child = Command::new("sh").args(["-c", "read line; exec sleep 0"]).stdin(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let mut seen = Vec::new();
    wait_for("the start", || {
        events.read(&mut seen).unwrap();
        seen.contains(&Event::Executed(pid))
    });
    assert!(seen.iter().any(|event| matches!(event, Event::Forked { child, .. } if *child == pid)));
    seen.clear();
    drop(child.stdin.take());
    wait_for("the end", || {
        events.read(&mut seen).unwrap();
        seen.contains(&Event::Ended(pid))
    });
    let own: Vec<_> = seen.iter().filter(|e| [Event::Executed(pid), Event::Renamed(pid)].contains(e)).collect();
    assert_eq!(own.first(), Some(&&Event::Executed(pid)), "{own:?}");
    child.wait().unwrap();
}

#[test]
fn another_network_has_no_connector() {
    if !have_root() {
        return;
    }
    let elsewhere = Namespace::create().unwrap();
    let error = elsewhere.run(ProcessEvents::open).unwrap().err().expect("there is none");
    assert_eq!(error.errno(), Some(libc::ECONNREFUSED), "{error}");
}

#[test]
fn threads_and_nonsense_are_no_events() {
    let datagram = |what: u32, words: [u32; 4]| {
        let mut octets = request();
        octets.truncate(EVENT_AT);
        octets.extend([what, 0, 0, 0].map(u32::to_ne_bytes).concat());
        octets.extend(words.map(u32::to_ne_bytes).concat());
        octets
    };
    assert_eq!(parse(&datagram(FORK, [1, 2, 3, 3])), Some(Event::Forked { parent: 2, child: 3 }));
    assert_eq!(parse(&datagram(FORK, [1, 2, 4, 3])), None, "a thread");
    assert_eq!(parse(&datagram(EXIT, [5, 5, 0, 0])), Some(Event::Ended(5)));
    assert_eq!(parse(&datagram(EXIT, [6, 5, 0, 0])), None, "a thread");
    assert_eq!(parse(&datagram(0x4, [6, 6, 0, 0])), None);
    let whole = datagram(FORK, [1, 2, 3, 3]);
    assert!((0..whole.len()).all(|length| parse(&whole[..length]).is_none()));
    assert_eq!(consent(&datagram(NONE, [1, 0, 0, 0])), Some(1));
    assert_eq!(parse(&[0xff; 80]), None);
}
