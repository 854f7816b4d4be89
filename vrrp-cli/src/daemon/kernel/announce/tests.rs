//! Announcements to interfaces that have no room, against a clock that the test turns.

use std::cell::{Cell, RefCell};
use std::io;

use vrrp_netlink::addresses::{Options, Scope};

use super::*;

/// Interfaces with room for so many frames, and what they took: the index, and the last octet of the address.
#[derive(Default)]
struct Interfaces {
    room: Cell<usize>,
    taken: RefCell<Vec<(u32, u8)>>,
}

impl Outlet for Interfaces {
    fn send_many(&self, frames: &[(u32, &[u8])]) -> Vec<vrrp_netlink::Result<()>> {
        let take = |(index, frame): &(u32, &[u8])| {
            let left = self.room.get().checked_sub(1).ok_or_else(|| io::Error::from_raw_os_error(105))?;
            self.room.set(left);
            self.taken.borrow_mut().push((*index, *frame.last().expect("a whole frame")));
            Ok(())
        };
        frames
            .iter()
            .map(|frame| take(frame).map_err(|error: io::Error| vrrp_netlink::Error::new("send", error)))
            .collect()
    }
}

fn announcer() -> Announcer<Interfaces> {
    Announcer { outlet: Interfaces::default(), paces: Vec::new(), late: Late::default() }
}

fn devices() -> [Device; 2] {
    [(1, "eth0"), (2, "eth1")].map(|(index, name)| Device { name: name.into(), index: Some(index), mac: Some([2; 6]) })
}

fn installation(device: usize, last: u8) -> Installation {
    Installation {
        device,
        address: IpAddr::from([10, 9, 0, last]),
        prefix_len: 32,
        broadcast: None,
        scope: Scope(0),
        label: None,
        peer: None,
        preferred_lifetime: None,
        lease: None,
        options: Options::default(),
        tracked: true,
        group: None,
        line: "".into(),
        owned: false,
    }
}

fn serving(addresses: &[Installation]) -> Serving<'_> {
    Serving { name: "VI_1", addresses }
}

/// Takes what is due at `now`, with room for `room` frames; what went out.
fn flush(
    announcer: &mut Announcer<Interfaces>,
    now: Instant,
    room: usize,
    addresses: Option<&[Installation]>,
) -> Vec<u8> {
    announcer.outlet.room.set(room);
    announcer.flush(now, |_| addresses.map(serving), &devices());
    announcer.outlet.taken.take().into_iter().map(|(_, last)| last).collect()
}

#[test]
fn what_an_interface_has_no_room_for_goes_out_later() {
    let addresses: Vec<_> = (1..=5).map(|last| installation(0, last)).collect();
    let mut announcer = announcer();
    announcer.outlet.room.set(2);
    let began = Instant::now();
    announcer.those(0, serving(&addresses), &devices(), |_| true);
    assert_eq!(announcer.outlet.taken.take(), [(1, 1), (1, 2)]);
    let next = announcer.next().expect("the others wait");
    assert!(next <= Instant::now() + PAUSE);
    assert!(flush(&mut announcer, began, 9, Some(&addresses)).is_empty(), "not yet");
    assert_eq!(flush(&mut announcer, next, 1, Some(&addresses)), [3]);
    assert_eq!(announcer.next(), Some(next + PAUSE));
    assert_eq!(flush(&mut announcer, next + PAUSE, 9, Some(&addresses)), [4, 5]);
    assert_eq!(announcer.next(), None);
}

#[test]
fn an_interface_that_never_has_room_is_given_up() {
    let addresses = [installation(0, 1), installation(0, 2)];
    let mut announcer = announcer();
    announcer.those(0, serving(&addresses), &devices(), |_| true);
    let mut tries = 0;
    while let Some(next) = announcer.next() {
        assert!(flush(&mut announcer, next, 0, Some(&addresses)).is_empty());
        tries += 1;
    }
    assert_eq!(tries, PATIENCE.as_millis() / PAUSE.as_millis());
    for _ in 0..ROOM {
        announcer.those(0, serving(&addresses), &devices(), |_| true);
    }
    assert_eq!(announcer.late.frames.len(), ROOM, "what waits is bounded");
}

#[test]
fn what_is_no_longer_true_is_not_announced_later() {
    let addresses = [installation(0, 1)];
    let mut announcer = announcer();
    announcer.those(0, serving(&addresses), &devices(), |_| true);
    let next = announcer.next().expect("it waits");
    assert!(flush(&mut announcer, next, 9, None).is_empty(), "somebody else is Master");
    assert_eq!(announcer.next(), None);

    announcer.outlet.room.set(0);
    announcer.successor(0, "VI_1", &addresses[0], &devices(), [4; 6]);
    let next = announcer.next().expect("it waits");
    assert!(flush(&mut announcer, next, 9, Some(&addresses)).is_empty(), "it is Master again");
    announcer.outlet.room.set(0);
    announcer.successor(0, "VI_1", &addresses[0], &devices(), [4; 6]);
    let next = announcer.next().expect("it waits");
    assert_eq!(flush(&mut announcer, next, 9, None), [1]);
}
