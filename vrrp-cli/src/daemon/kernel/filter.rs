//! The table of nftables that keeps others from talking to addresses whose routers do not accept: set up before the first
//! election, put back when somebody changes it, removed behind the last address.
//!
//! The addresses are in it whoever is Master: packets to an address that this host does not have never pass it. So no
//! takeover waits for nftables, and none finds that it refuses.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use vrrp_netlink::firewall::Firewall;

use crate::daemon::{ServeError, ToElection, spawn};

/// Somebody who changes the table again and again is answered once in this time.
const PAUSE: Duration = Duration::from_secs(1);
/// Pause before a table that could not be put back is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// What the kernel thread does about nftables.
#[derive(Clone, Default, Debug)]
pub(in crate::daemon) enum Filtering {
    /// Nothing: every router accepts.
    #[default]
    None,
    /// Remove what a predecessor left.
    Leftover(Firewall),
    /// Keep this.
    Keep(Firewall),
}

/// A table that is set up, and the thread that sees to it: the program `nft` may take its time, for which no address waits.
#[derive(Default)]
pub(super) struct Filter {
    kept: Option<Kept>,
}

struct Kept {
    firewall: Firewall,
    /// Something happened to the table: one message is enough for all of it. Closed, the thread ends.
    news: Sender<()>,
    thread: JoinHandle<Option<()>>,
}

/// What the thread knows.
struct Keeper {
    firewall: Firewall,
    /// As nftables showed it when it was set up.
    shown: Option<String>,
    /// When it is looked at again whatever happens, and not before.
    due: Option<Instant>,
    news: Receiver<()>,
}

impl Filter {
    /// Sets the table up, in place of what a predecessor left.
    pub(super) fn start(filtering: &Filtering, election: &ToElection) -> Result<Self, ServeError> {
        let kept = match filtering {
            Filtering::None => None,
            Filtering::Leftover(firewall) => {
                firewall.remove()?;
                tracing::info!("the table inet {} of nftables was left by a predecessor: removed", firewall.table());
                None
            }
            Filtering::Keep(firewall) => {
                firewall.set_up()?;
                let (sender, news) = crossbeam_channel::bounded(1);
                let keeper = Keeper { firewall: firewall.clone(), shown: firewall.shown()?, due: None, news };
                let thread = spawn("nftables", election, move || keeper.run())?;
                Some(Kept { firewall: firewall.clone(), news: sender, thread })
            }
        };
        Ok(Self { kept })
    }

    /// Something happened to the table.
    pub(super) fn look(&self) {
        if let Some(kept) = &self.kept {
            // One that is full says it already; one that is closed belongs to a thread that died, which was told.
            let _ = kept.news.try_send(());
        }
    }

    /// Removes the table; whether it is gone.
    pub(super) fn stop(&mut self) -> bool {
        let Some(Kept { firewall, news, thread }) = self.kept.take() else { return true };
        drop(news);
        // Or it would be put back behind the removal.
        let _ = thread.join();
        let gone = firewall.remove();
        if let Err(error) = &gone {
            tracing::error!("{error}; `nft delete table inet {}` removes it", firewall.table());
        }
        gone.is_ok()
    }
}

impl Keeper {
    fn run(mut self) {
        loop {
            let news = match self.due {
                None => self.news.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => self.news.recv_deadline(due),
            };
            match news {
                // What happens before it is due is seen then.
                Ok(()) if self.due.is_some_and(|due| due > Instant::now()) => {}
                Ok(()) | Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// What cannot be put back is an error in the log and nothing else: with the address gone, nobody might serve it at
    /// all, since what is wrong with nftables is most often so on the other host, too.
    fn look(&mut self) {
        let table = self.firewall.table();
        self.due = None;
        match self.firewall.shown() {
            Ok(shown) if shown.is_some() && shown == self.shown => return,
            Ok(_) => {}
            // It is put back without having been seen.
            Err(error) => tracing::warn!("{error}"),
        }
        match self.firewall.set_up().and_then(|()| self.firewall.shown()) {
            Ok(shown) => {
                tracing::warn!("the table inet {table} of nftables was changed or removed by somebody else: put back");
                self.shown = shown;
                self.due = Some(Instant::now() + PAUSE);
            }
            Err(error) => {
                tracing::error!(
                    "the table inet {table} of nftables is not as it must be, and addresses answer that should not; \
                     trying again in {RETRY:?}: {error}"
                );
                self.due = Some(Instant::now() + RETRY);
            }
        }
    }
}

impl Filtering {
    /// The table that is to be there.
    pub(in crate::daemon) fn kept(&self) -> Option<&Firewall> {
        match self {
            Self::Keep(firewall) => Some(firewall),
            Self::None | Self::Leftover(_) => None,
        }
    }
}
