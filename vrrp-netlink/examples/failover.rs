//! A whole failover service: `failover eth0 50 150 192.0.2.100` has the address while it is the strongest router of VRID 50.
//! At the end of its standard input it lets go. The loop is the service's own; two crates do the rest.
use std::{env, error::Error, io, net::IpAddr, net::Ipv4Addr, time::Instant};
use vrrp_core::node::{Groups, Input, InterfaceId, Node, Output, RouterSetup, Which};
use vrrp_core::wire::arp::{FRAME_LEN, GratuitousArp};
use vrrp_core::{AddressList, Family, Priority, Vrid, fsm::Addresses, fsm::Link, router::RouterConfig};
use vrrp_netlink::socket::{Batch, Ipv4Send, VrrpSocket};
use vrrp_netlink::{addresses::Address, monitor::Monitor, packet::PacketSocket, process::Poller, rtnl::Rtnl};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [name, vrid, priority, vip] = &arguments[..] else { return Err("INTERFACE VRID PRIORITY ADDRESS".into()) };
    let (mut rtnl, mut monitor, vip) = (Rtnl::open()?, Monitor::open()?, vip.parse::<Ipv4Addr>()?);
    let device = rtnl.link(name)?.ok_or("there is no such interface")?;
    let (index, mac, interface) = (device.index, device.mac.ok_or("it is no Ethernet")?, InterfaceId(0));
    let here = |a: Address| if let IpAddr::V4(ip) = a.address { (a.index == index).then_some(ip) } else { None };
    let source = rtnl.addresses()?.into_iter().find_map(here).ok_or("it has no address to send from")?;
    let header = Ipv4Send { source, destination: Groups::default().v4, protocol: 112, ttl: 255 };
    let (socket, arp, mut poller) = (VrrpSocket::open(name, index, 112)?, PacketSocket::open()?, Poller::new());
    socket.join(header.destination)?;
    let (_, _, end) = (poller.add(&socket), poller.add(&monitor), poller.add(io::stdin()));
    let (mut batch, mut buffer, mut frame) = (Batch::new(64, 256), [0; 2048], [0; FRAME_LEN]);
    let (vrid, priority) = (Vrid::new(vrid.parse()?).ok_or("VRID 0")?, Priority::new(priority.parse()?).ok_or("0")?);
    let config = RouterConfig::new(vrid, priority, AddressList::new(Box::from([vip.into()]))?);
    let (mut node, addresses) = (Node::new(Groups::default()), [Address::new(index, vip.into(), 32)]);
    node.add(RouterSetup::new(interface, config))?;
    let (mut out, mut enabled) = (Vec::new(), true);
    loop {
        let link = if rtnl.link(name)?.is_some_and(|it| it.running) { Link::Up(source.into()) } else { Link::Down };
        node.handle(Instant::now(), Input::Link { interface, family: Family::V4, link }, &mut out);
        node.handle(Instant::now(), Input::Enabled { which: Which::All, enabled }, &mut out); // Told anew: no change.
        while let Some(output) = (!out.is_empty()).then(|| out.remove(0)) {
            match output {
                Output::Advertise { router, advertise } => {
                    let octets = node.message(router, advertise, &mut buffer)?.octets;
                    socket.send(&header, octets).unwrap_or_else(|error| eprintln!("{error}"));
                }
                Output::Addresses { router, wanted: Addresses::Install, epoch, .. } => {
                    rtnl.add_addresses(&addresses).remove(0)?;
                    node.handle(Instant::now(), Input::Installed { router, epoch }, &mut out);
                }
                Output::Addresses { .. } => drop(rtnl.remove_addresses(&addresses).remove(0)?),
                Output::Announce { .. } => arp.send(index, GratuitousArp { mac, address: vip }.emit(&mut frame)?)?,
                _ => {} // What was dropped, noticed or changed may be told to somebody.
            }
        }
        if !enabled {
            return Ok(());
        }
        poller.wait(node.next_deadline().map(|at| at.saturating_duration_since(Instant::now())))?;
        monitor.read(&mut Vec::new())?;
        let (now, _) = (Instant::now(), socket.receive(&mut batch)?);
        for datagram in batch.iter() {
            let (arrival, octets) = (now.checked_sub(datagram.age).unwrap_or(now), datagram.bytes);
            node.handle(arrival, Input::Datagram { interface, octets }, &mut out);
        }
        node.expire(now, &mut out);
        enabled = !poller.ready(end);
    }
}
