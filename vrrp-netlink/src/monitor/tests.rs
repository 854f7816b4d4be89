//! Events of a real kernel, inside a network namespace of the test's own.

use std::fs::File;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::*;
use crate::rtnl::Rtnl;
use crate::rtnl::tests::{host_addresses, in_namespace};

/// Reads until an event is as wanted; whatever comes before it is dropped.
fn wait_for(monitor: &mut Monitor, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
    let begin = Instant::now();
    let mut events = Vec::new();
    loop {
        monitor.read(&mut events).unwrap();
        if let Some(event) = events.drain(..).find(&wanted) {
            return event;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "{what} was not seen");
        poll(&mut [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)], PollTimeout::from(100_u8)).unwrap();
    }
}

#[test]
fn links_come_run_stop_and_go() {
    in_namespace(|| {
        let mut monitor = Monitor::open().unwrap();
        let mut rtnl = Rtnl::open().unwrap();
        let namespace = File::open("/proc/thread-self/ns/net").unwrap();
        let near = rtnl.create_veth("near", "far", namespace.as_fd()).unwrap();
        let far = rtnl.link("far").unwrap().unwrap().index;
        let is_near = |event: &Event, up: bool, running: bool| {
            matches!(event, Event::Link(link)
                if link.index == near && link.name == "near" && link.admin_up == up && link.running == running)
        };
        wait_for(&mut monitor, "creation", |event| is_near(event, false, false));
        rtnl.set_up(near, true).unwrap();
        wait_for(&mut monitor, "up without carrier", |event| is_near(event, true, false));
        rtnl.set_up(far, true).unwrap();
        wait_for(&mut monitor, "carrier", |event| is_near(event, true, true));
        rtnl.set_up(far, false).unwrap();
        wait_for(&mut monitor, "loss of carrier", |event| is_near(event, true, false));
        rtnl.delete_link(far).unwrap();
        let gone = Event::LinkRemoved { index: near, name: "near".into() };
        wait_for(&mut monitor, "removal", |event| *event == gone);
    });
}

#[test]
fn port_that_leaves_a_bridge_is_not_removed() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let namespace = File::open("/proc/thread-self/ns/net").unwrap();
        let bridge = rtnl.create_bridge("br0").unwrap();
        let port = rtnl.create_veth("port", "far", namespace.as_fd()).unwrap();
        rtnl.set_master(port, Some(bridge)).unwrap();
        let mut monitor = Monitor::open().unwrap();
        rtnl.set_master(port, None).unwrap();
        rtnl.delete_link(bridge).unwrap();
        let removed = wait_for(&mut monitor, "removal", |event| matches!(event, Event::LinkRemoved { .. }));
        assert_eq!(removed, Event::LinkRemoved { index: bridge, name: "br0".into() });
    });
}

#[test]
fn addresses_come_and_go() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let index = rtnl.create_bridge("br0").unwrap();
        let mut monitor = Monitor::open().unwrap();
        let mut both = host_addresses(index, 1);
        both.push(Address::new(index, "2001:db8::1".parse().unwrap(), 64));
        for address in &both {
            let same = |seen: &Address| (seen.index, seen.address) == (index, address.address);
            rtnl.add_addresses(std::slice::from_ref(address)).remove(0).unwrap();
            wait_for(&mut monitor, "addition", |event| matches!(event, Event::Address(seen) if same(seen)));
            rtnl.remove_addresses(std::slice::from_ref(address)).remove(0).unwrap();
            wait_for(&mut monitor, "removal", |event| matches!(event, Event::AddressRemoved(seen) if same(seen)));
        }
    });
}

#[test]
fn overrun_is_told_and_reading_goes_on() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let index = rtnl.create_bridge("br0").unwrap();
        // The kernel raises this to its minimum, which holds a handful.
        let mut small = Monitor::with_buffer(1).unwrap();
        let mut large = Monitor::open().unwrap();
        let addresses = host_addresses(index, 900);
        assert!(rtnl.add_addresses(&addresses).iter().all(Result::is_ok));

        wait_for(&mut small, "overrun", |event| *event == Event::Overrun);
        rtnl.delete_link(index).unwrap();
        let mut events = Vec::new();
        while !events.iter().any(|event| matches!(event, Event::LinkRemoved { .. })) {
            large.read(&mut events).unwrap();
        }
        assert!(!events.contains(&Event::Overrun), "the default buffer holds a thousand events");
        let added = events.iter().filter(|event| matches!(event, Event::Address(seen) if seen.address.is_ipv4()));
        assert_eq!(added.count(), 900);

        // Emptied, the small one receives again.
        let mut rest = Vec::new();
        small.read(&mut rest).unwrap();
        rtnl.create_bridge("br1").unwrap();
        wait_for(&mut small, "new link", |event| matches!(event, Event::Link(link) if link.name == "br1"));
    });
}

/// What is queued before a loss is older than the tables.
#[test]
fn what_is_discarded_is_not_told() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let index = rtnl.create_bridge("br0").unwrap();
        let mut monitor = Monitor::open().unwrap();
        let addresses = host_addresses(index, 600);
        for _ in 0..30 {
            assert!(rtnl.add_addresses(&addresses).iter().all(Result::is_ok));
            assert!(rtnl.remove_addresses(&addresses).iter().all(Result::is_ok));
        }
        let mut events = Vec::new();
        monitor.read(&mut events).unwrap();
        assert_eq!(events[0], Event::Overrun);
        assert_eq!(events.len(), READ_LIMIT, "there is more");
        monitor.discard().unwrap();
        events.clear();
        monitor.read(&mut events).unwrap();
        assert_eq!(events, []);
        rtnl.create_bridge("br1").unwrap();
        wait_for(&mut monitor, "new link", |event| matches!(event, Event::Link(link) if link.name == "br1"));
    });
}

#[test]
fn nothing_new_is_no_event() {
    in_namespace(|| {
        let mut monitor = Monitor::open().unwrap();
        let mut events = Vec::new();
        monitor.read(&mut events).unwrap();
        assert_eq!(events, []);
    });
}

#[test]
fn one_call_reads_a_bounded_number() {
    in_namespace(|| {
        let mut rtnl = Rtnl::open().unwrap();
        let index = rtnl.create_bridge("br0").unwrap();
        let mut monitor = Monitor::open().unwrap();
        let addresses = host_addresses(index, 600);
        assert!(rtnl.add_addresses(&addresses).iter().all(Result::is_ok));
        assert!(rtnl.remove_addresses(&addresses).iter().all(Result::is_ok));
        let mut events = Vec::new();
        monitor.read(&mut events).unwrap();
        assert_eq!(events.len(), READ_LIMIT);
        monitor.read(&mut events).unwrap();
        assert_eq!(events.len(), 1200);
    });
}
