//! The working process's way to its guardian. Without one, everything here does nothing.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use vrrp_netlink::guardian::Channel;
use vrrp_netlink::process::Wakeup;

use super::terms::Terms;
use super::will::{Room, Will};

/// First octet of a message: the descriptors are locks to be kept until everything is done.
pub(super) const LOCKS: u8 = b'L';
/// The descriptor is the will, which counts from now on; behind the octet stands the path of the file that says the same.
pub(super) const WILL: u8 = b'W';

/// How the guardian is to run from now on; behind the octet stand the [terms](Terms).
pub(super) const TERMS: u8 = b'T';

/// The working process's end.
#[derive(Debug)]
pub(in crate::daemon) struct Ward {
    pub(super) channel: Channel,
    pub(super) wakeup: Wakeup,
    pub(super) begin: Instant,
    /// The guardian's process.
    pub(in crate::daemon) parent: u32,
}

/// What the threads write to. Clones share it.
#[derive(Clone, Debug, Default)]
pub(in crate::daemon) struct Bequest {
    shared: Option<Arc<Written>>,
}

#[derive(Debug)]
struct Written {
    will: Will,
    wakeup: Wakeup,
    begin: Instant,
    /// As long as it is open, the other end can be told more.
    _channel: Channel,
}

impl Ward {
    /// Hands the guardian the locks and a will with so much room. From now on it acts in this process's place; `file` says the
    /// same to a successor, and is not needed when it has done so.
    pub(in crate::daemon) fn arm(
        self,
        rooms: &[Room],
        locks: &[BorrowedFd<'_>],
        file: Option<&Path>,
        terms: Terms,
    ) -> vrrp_netlink::Result<Bequest> {
        let Self { channel, wakeup, begin, parent: _ } = self;
        for locks in locks.chunks(Channel::MOST_DESCRIPTORS) {
            channel.send(&[LOCKS], locks)?;
        }
        let will = Will::new(rooms)?;
        let mut message = vec![WILL];
        message.extend(file.map_or(&[][..], |file| file.as_os_str().as_bytes()));
        channel.send(&message, &[will.memory().as_fd()])?;
        // Behind the will, for which it may need what it then gives up.
        channel.send(&[&[TERMS][..], &terms.octets()].concat(), &[])?;
        Ok(Bequest { shared: Some(Arc::new(Written { will, wakeup, begin, _channel: channel })) })
    }
}

impl Bequest {
    /// Whether there is a guardian.
    pub(super) fn is_read(&self) -> bool {
        self.shared.is_some()
    }

    pub(super) fn sent(&self, cell: usize, at: Instant) {
        if let Some(shared) = &self.shared {
            shared.will.sent(cell, at.saturating_duration_since(shared.begin));
        }
    }

    pub(super) fn promise(&self, cell: usize, patience: Duration, useful: Duration) {
        if let Some(shared) = &self.shared
            && shared.will.promise(cell, patience, useful)
        {
            shared.wakeup.wake();
        }
    }

    pub(super) fn silent(&self, cell: usize) {
        if let Some(shared) = &self.shared {
            shared.will.silent(cell);
        }
    }

    pub(super) fn leave_words(&self, cell: usize, octets: &[u8]) {
        if let Some(shared) = &self.shared
            && !shared.will.set_words(cell, octets)
        {
            tracing::error!("the guardian has no room for a release: it cannot say it in case of need");
        }
    }

    /// What a cell's router has on this host, as [`vrrp_netlink::objects::Objects`] writes it. Before it is put there, and
    /// after it is gone.
    pub(in crate::daemon) fn leave_held(&self, cell: usize, octets: &[u8]) {
        if let Some(shared) = &self.shared
            && !shared.will.set_held(cell, octets)
        {
            tracing::error!("the guardian has no room for what is on this host: it cannot remove it in case of need");
        }
    }
}
