//! The table of nftables that keeps others from talking to addresses whose routers do not accept: set up before the first
//! election, put back when somebody changes it, removed behind the last address.
//!
//! The addresses are in it whoever is Master: packets to an address that this host does not have never pass it. So no
//! takeover waits for nftables, and none finds that it refuses.

use std::time::{Duration, Instant};

use vrrp_netlink::firewall::Firewall;

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

/// A table that is set up.
#[derive(Default)]
pub(super) struct Filter {
    kept: Option<Kept>,
}

struct Kept {
    firewall: Firewall,
    /// As nftables showed it when it was set up.
    shown: Option<String>,
    /// When it is looked at again whatever happens, and not before.
    due: Option<Instant>,
}

impl Filter {
    /// Sets the table up, in place of what a predecessor left.
    pub(super) fn start(filtering: &Filtering) -> vrrp_netlink::Result<Self> {
        let kept = match filtering {
            Filtering::None => None,
            Filtering::Leftover(firewall) => {
                firewall.remove()?;
                tracing::info!("the table inet {} of nftables was left by a predecessor: removed", firewall.table());
                None
            }
            Filtering::Keep(firewall) => {
                firewall.set_up()?;
                Some(Kept { firewall: firewall.clone(), shown: firewall.shown()?, due: None })
            }
        };
        Ok(Self { kept })
    }

    /// When [`look`](Self::look) wants to be called.
    pub(super) fn due(&self) -> Option<Instant> {
        self.kept.as_ref().and_then(|kept| kept.due)
    }

    /// Something happened to the table, or it is due.
    ///
    /// What cannot be put back is an error in the log and nothing else: with the address gone, nobody might serve it at
    /// all, since what is wrong with nftables is most often so on the other host, too.
    pub(super) fn look(&mut self) {
        let Some(kept) = self.kept.as_mut().filter(|kept| kept.due.is_none_or(|due| due <= Instant::now())) else {
            return;
        };
        let table = kept.firewall.table();
        kept.due = None;
        match kept.firewall.shown() {
            Ok(shown) if shown.is_some() && shown == kept.shown => return,
            Ok(_) => {}
            // It is put back without having been seen.
            Err(error) => tracing::warn!("{error}"),
        }
        match kept.firewall.set_up().and_then(|()| kept.firewall.shown()) {
            Ok(shown) => {
                tracing::warn!("the table inet {table} of nftables was changed or removed by somebody else: put back");
                kept.shown = shown;
                kept.due = Some(Instant::now() + PAUSE);
            }
            Err(error) => {
                tracing::error!(
                    "the table inet {table} of nftables is not as it must be, and addresses answer that should not; \
                     trying again in {RETRY:?}: {error}"
                );
                kept.due = Some(Instant::now() + RETRY);
            }
        }
    }

    /// Removes the table.
    pub(super) fn stop(&mut self) {
        if let Some(Kept { firewall, .. }) = self.kept.take()
            && let Err(error) = firewall.remove()
        {
            tracing::error!("{error}; `nft delete table inet {}` removes it", firewall.table());
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
