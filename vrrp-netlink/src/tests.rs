//! What the parts have in common: each fits a loop of somebody else's, never blocks, and is readable when it has something.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::monitor::Monitor;
use crate::neighbour::Question;
use crate::packet::PacketSocket;
use crate::process::{Wakeup, exit_descriptor};
use crate::process_events::ProcessEvents;
use crate::rtnl::Rtnl;
use crate::socket::{Batch, Ipv4Send, VrrpSocket};
use crate::socket6::VrrpSocket6;
use crate::testing::{Cable, have_root, ip, wait_for};

const GROUP: std::net::Ipv4Addr = std::net::Ipv4Addr::new(224, 0, 0, 18);

#[test]
fn each_of_them_fits_a_foreign_event_loop() {
    if !have_root() {
        return;
    }
    let Cable { near, far } = Cable::new();
    let (socket, socket6, packets, mut monitor) = near
        .namespace
        .run(|| {
            let socket = VrrpSocket::open("eth0", near.index, 112).unwrap();
            socket.join(GROUP).unwrap();
            let socket6 = VrrpSocket6::open("eth0", near.index, 112).unwrap();
            (socket, socket6, PacketSocket::listen(near.index, 0x0806).unwrap(), Monitor::open().unwrap())
        })
        .unwrap();
    let mac = near.namespace.run(|| Rtnl::open().unwrap().link("eth0").unwrap().unwrap().mac.unwrap()).unwrap();
    let (own, target) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    let question = near.namespace.run(|| Question::ask(near.index, mac, own, target).unwrap()).unwrap();
    let mut processes = ProcessEvents::open().unwrap();
    let wakeup = Wakeup::new().unwrap();
    let mut child = Command::new("true").spawn().unwrap();
    let ended = exit_descriptor(&child).unwrap();
    let parts: [&dyn AsFd; 8] = [&socket, &socket6, &packets, &monitor, &question, &processes, &wakeup, &ended];

    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
    for (number, part) in (0..).zip(parts) {
        epoll.add(part.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, number)).unwrap();
        // A descriptor of a process is not read at all.
        let flags = OFlag::from_bits_retain(fcntl(part.as_fd(), FcntlArg::F_GETFL).unwrap());
        assert!(number == 7 || flags.contains(OFlag::O_NONBLOCK), "{number}, {}", part.as_fd().as_raw_fd());
    }
    wakeup.wake();
    let v6 = VrrpSocket6::open;
    far.namespace
        .run(|| {
            let header = Ipv4Send { source: [192, 0, 2, 2].into(), destination: GROUP, protocol: 112, ttl: 255 };
            VrrpSocket::open("eth0", far.index, 112).unwrap().send(&header, &[0; 8]).unwrap();
            let to = "ff02::1".parse().unwrap();
            // Its own link-local address may not be usable yet.
            wait_for("the other host's IPv6", || {
                v6("eth0", far.index, 112).unwrap().send("::".parse().unwrap(), to, &[0; 8]).is_ok()
            });
        })
        .unwrap();
    ip(&near.namespace, "address add 192.0.2.77/24 dev eth0");
    let mut seen = BTreeSet::new();
    wait_for("all of them", || {
        let mut ready = [EpollEvent::empty(); 8];
        let count = epoll.wait(&mut ready, EpollTimeout::from(100_u16)).unwrap();
        seen.extend(ready[..count].iter().map(EpollEvent::data));
        seen.len() == 8
    });

    let mut batch = Batch::new(4, 256);
    assert_eq!((socket.receive(&mut batch).unwrap(), socket6.receive(&mut batch).unwrap()), (1, 1));
    assert!(packets.receive(&mut [0; 64]).unwrap().is_some());
    let (mut news, mut forks) = (Vec::new(), Vec::new());
    monitor.read(&mut news).unwrap();
    processes.read(&mut forks).unwrap();
    assert!(!news.is_empty() && !forks.is_empty());
    assert!(question.answer().unwrap().is_some() && child.wait().unwrap().success());
}
