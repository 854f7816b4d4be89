//! Adverts that reach the host's interface and not its sockets, because a firewall of the host drops them.
//!
//! They prove that a Master is there, so that a Backup which takes over for not hearing them makes two. They are believed so
//! far and no further: who decides that adverts do not reach this host shall not have it yield to one either. RFC 9568 knows
//! neither firewalls nor a second ear; a caller that holds to its letter feeds none of this.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::io::Output;
use super::{InterfaceId, Node, RouterId};
use crate::checksum::Checksum;
use crate::fsm::Role;
use crate::rx::Received;
use crate::timed::Instant;
use crate::types::Family;
use crate::wire::ipv4::Ipv4Packet;
use crate::wire::ipv6;

impl<I: Instant> Node<I> {
    /// From when on the adverts that a Backup waits for may be kept from it, so that it is worth while to listen for what
    /// [`Input::Barred`](super::Input::Barred) is fed with: an interval and a quarter after the last one, and from the start
    /// when it has heard none since it waits. `None` when it waits for none.
    pub fn overdue_from(&self, router: RouterId) -> Option<I> {
        let entry = self.entries.get(router.0)?;
        let (since, until) = entry.router.waits()?;
        let interval = entry.router.router().machine().master_adver_interval().duration();
        let overdue = since + interval + interval / 4;
        Some(if entry.heard_at.is_some_and(|heard| heard >= since) && overdue < until { overdue } else { since })
    }

    /// Every rung of the ladder, and then what is known of a silence. What is dropped here is neither counted nor told: its
    /// copy may be, which came by the socket.
    pub(super) fn barred(&mut self, at: I, interface: InterfaceId, octets: &[u8], out: &mut Vec<Output>) {
        let Some((received, destination)) = self.caught(octets) else { return };
        let place = (interface, Family::of(received.source));
        let vrid = received.advert.vrid_octet();
        let Some(id) = self.router_for(place, vrid, Some(received.source), Some(destination)) else { return };
        let Some(entry) = self.entries.get_mut(id.0) else { return };
        if let Some(now) = self.clock {
            entry.router.router_mut().set_wall_clock(now);
        }
        let machine = entry.router.router().machine();
        let (role, own) = (machine.state.role(), machine.link.source());
        if role == Role::Initialize || entry.circle.as_ref().is_some_and(|circle| circle.admit(&received, own).is_err())
        {
            return;
        }
        // One that came by the socket, too, was fed with the same time, or nearly.
        let apart: Duration = machine.master_adver_interval().duration() / 4;
        if entry.heard_at.is_some_and(|heard| at <= heard + apart) {
            return;
        }
        let Ok(actions) = entry.router.barred(at, &received) else { return };
        out.push(Output::Barred { router: id, source: received.source, destination });
        let start = out.len();
        self.perform(at, id, actions, out);
        if received.advert.priority().is_some() {
            self.drop_leftover(id, Role::Backup, out);
        }
        self.reschedule(id);
        self.moved(at, id, start, out);
    }

    /// What no configuration is needed to check, of a datagram that the kernel has not checked yet.
    fn caught<'a>(&self, octets: &'a [u8]) -> Option<(Received<'a>, IpAddr)> {
        if let Some((meta, message)) = ipv6::split(octets) {
            let check = if self.unicast { Received::check_any } else { Received::check };
            return Some((check(&meta, message, self.groups.v6.into()).ok()?, meta.destination));
        }
        let packet = Ipv4Packet::parse(octets).ok()?;
        if Checksum::default().with(packet.header()).finish() != 0 {
            return None;
        }
        let check = if self.unicast { Received::check_any_datagram } else { Received::check_datagram };
        Some((check(octets, self.groups.v4).ok()?, packet.destination().into()))
    }
}
