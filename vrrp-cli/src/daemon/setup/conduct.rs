//! How the processes and threads run, and where they tell of themselves: what a configuration says of the daemon, and of no
//! router.

use super::super::dumps::Wanted;
use super::super::isolation::Isolation;
use super::super::notify;
use super::super::privileges::{Needs, Privileges, Scripts};
use super::trackers::Found;
use crate::config::Config;

/// What concerns the daemon as a program.
pub(in crate::daemon) struct Conduct {
    /// What is still needed when everything is open.
    pub(in crate::daemon) privileges: Privileges,
    pub(in crate::daemon) isolation: Isolation,
    pub(in crate::daemon) dumps: Wanted,
    /// Adverts that a firewall of this host drops are listened for.
    pub(in crate::daemon) guarded: bool,
}

impl Conduct {
    pub(super) fn new(config: &Config, needs: Needs) -> Self {
        let isolation = Isolation::new(&config.global.settings);
        let guarded = config.global.settings.firewall_guard.unwrap_or(true);
        Self { privileges: Privileges::of(needs, &isolation), isolation, dumps: Wanted::new(config), guarded }
    }
}

/// What scripts, trackers and pipes ask for.
pub(super) fn needs(scripts: Scripts, trackers: &Found, notify: &notify::Plan) -> Needs {
    let mut needs = Needs { scripts, files: notify.has_pipes(), hidden_processes: false };
    trackers.add_to(&mut needs);
    needs
}
