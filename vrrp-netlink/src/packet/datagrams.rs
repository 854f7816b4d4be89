//! An ear for datagrams as they reach an interface, before anything on this host decides whether they go on.
//!
//! Knows nothing of what they say: a [`Sieve`] chooses them.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use super::{fail, of_interface};
use crate::sieve::Sieve;
use crate::socket::{Batch, RECEIVE_BUFFER, permitted};
use crate::{Error, Result, sys};

/// A packet socket that hears datagrams which an interface received for this host, those included that a firewall drops; not those
/// for a VLAN or a macvlan on it.
///
/// While it is open the kernel looks at every datagram of its family that the interface receives, which costs some ten
/// nanoseconds each. Closing it waits for the kernel, some milliseconds: leave that to a thread that may be held up.
#[derive(Debug)]
pub struct DatagramEar {
    socket: Socket,
    index: u32,
}

impl DatagramEar {
    /// Hears at the interface `index` what passes `sieve`, whose layout is of this `ethertype`:
    /// [`AnyIpv4`](crate::sieve::Layout::AnyIpv4) of 0x0800, [`AnyIpv6`](crate::sieve::Layout::AnyIpv6) of 0x86dd.
    ///
    /// Fails without `CAP_NET_RAW`, and when no such interface exists.
    pub fn open(index: u32, ethertype: u16, sieve: &Sieve) -> Result<Self> {
        let kind = Type::DGRAM.nonblocking().cloexec();
        let socket = Socket::new_raw(Domain::PACKET, kind, Some(Protocol::from(0))).map_err(|error| {
            let denied = "open a packet socket without CAP_NET_RAW";
            Error::new(permitted(&error, "open a packet socket", denied), error)
        })?;
        let program = of_interface(index, sieve.program());
        socket.attach_filter(&program).map_err(|error| fail("filter a packet socket", index, error))?;
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            // What is usual does for all but hundreds of senders.
            let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        }
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)
            .map_err(|errno| fail("ask for receive time stamps", index, errno.into()))?;
        sys::link_address(index, ethertype)
            .and_then(|address| socket.bind(&address))
            .map_err(|error| fail("bind a packet socket", index, error))?;
        Ok(Self { socket, index })
    }

    /// Replaces what `batch` holds by datagrams that have arrived, IP header first, in order; returns how many, 0 when none
    /// has. One system call, no allocation. A full batch means that there may be more.
    ///
    /// Once after the interface went down it fails with ENETDOWN.
    pub fn receive(&self, batch: &mut Batch) -> Result<usize> {
        batch.fill_from(self.socket.as_fd()).map_err(|error| fail("receive datagrams", self.index, error))
    }

    /// The interface's index.
    pub fn index(&self) -> u32 {
        self.index
    }
}

impl AsFd for DatagramEar {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
