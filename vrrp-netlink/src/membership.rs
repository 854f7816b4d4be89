//! Being in a multicast group on an interface, by a socket that hears nothing itself.
//!
//! The kernel counts who has joined a group on an interface, and forgets the count when the interface loses its IP: made anew
//! under the same number, or behind an MTU that is too small. A socket that had joined before hears nobody from then on, and
//! as it is closed it takes a membership with it that is not its own. A [`Membership`] that is joined afterwards, and before
//! such sockets are closed, makes up for both. Knows nothing of what is sent to groups.
//!
//! ```no_run
//! use vrrp_netlink::membership::Membership;
//!
//! # fn main() -> vrrp_netlink::Result<()> {
//! let vrrp = Membership::join([224, 0, 0, 18].into(), 2)?;
//! # drop(vrrp);
//! # Ok(())
//! # }
//! ```

use std::io;
use std::net::IpAddr;

use socket2::{Domain, InterfaceIndexOrAddress, Socket, Type};

use crate::links::numbered;
use crate::{Error, Result};

/// One membership, which ends with the value.
#[derive(Debug)]
pub struct Membership {
    _socket: Socket,
}

impl Membership {
    /// Joins `group` on the interface `index`. Needs no privilege.
    ///
    /// Fails when there is no such interface, or it has no IP of that family.
    pub fn join(group: IpAddr, index: u32) -> Result<Self> {
        let join = || {
            let domain = if group.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
            let socket = Socket::new(domain, Type::DGRAM.cloexec(), None)?;
            match group {
                IpAddr::V4(group) => socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index)),
                IpAddr::V6(group) => socket.join_multicast_v6(&group, index),
            }?;
            Ok(Self { _socket: socket })
        };
        join().map_err(|error: io::Error| Error::new("join a multicast group", error).on(numbered(index)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::fd::AsFd;

    use super::*;
    use crate::rtnl::Rtnl;
    use crate::rtnl::tests::in_namespace;

    #[test]
    fn it_lasts_as_long_as_the_value() {
        in_namespace(|| {
            let mut rtnl = Rtnl::open().unwrap();
            let namespace = File::open("/proc/thread-self/ns/net").unwrap();
            let index = rtnl.create_veth("near", "far", namespace.as_fd()).unwrap();
            rtnl.set_up(index, true).unwrap();
            let joined = || {
                let v4 = fs::read_to_string("/proc/thread-self/net/igmp").unwrap().contains("120000E0");
                let v6 = fs::read_to_string("/proc/thread-self/net/igmp6").unwrap();
                [v4, v6.contains("ff020000000000000000000000000012")]
            };
            assert_eq!(joined(), [false; 2]);
            let v4 = Membership::join([224, 0, 0, 18].into(), index).unwrap();
            let v6 = Membership::join("ff02::12".parse().unwrap(), index).unwrap();
            assert_eq!(joined(), [true; 2]);
            drop(v4);
            assert_eq!(joined(), [false, true]);
            drop(v6);
            assert_eq!(joined(), [false; 2]);
            let error = Membership::join([224, 0, 0, 18].into(), 999).unwrap_err();
            assert_eq!(error.errno(), Some(libc::ENODEV));
        });
    }
}
