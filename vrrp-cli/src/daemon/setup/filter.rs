//! Which addresses nobody may talk to, and the table of nftables that sees to it.
//!
//! Looks whether the table can be set up and changes nothing.

use std::io::ErrorKind;
use std::time::Instant;

use vrrp_core::router::VirtualRouter;
use vrrp_netlink::firewall::{Firewall, NAME_MAX, Owner, Silent, Watch};

use super::{Builder, StartError};
use crate::config::{Code, Config, Diagnostic, Span};
use crate::daemon::kernel::Filtering;
use crate::daemon::lock::{self, Lock};

impl Builder<'_> {
    /// To be called when all instances are there.
    pub(super) fn filtering(&mut self, config: &Config) -> Filtering {
        let settings = &config.global.settings;
        let table =
            table(settings.nftables.as_deref(), config.process.instance.as_ref().map(|name| name.value.as_str()));
        let silent = self.silent();
        let Some(first) = config.instances.iter().find(|instance| !instance.params(&config.global).accepts()) else {
            return self.leftover(&table);
        };
        let span = first.span;
        match Lock::of_table_until(Instant::now() + lock::PARTING, &table) {
            Ok(Some(lock)) => self.locks.push(lock),
            Ok(None) => {
                let message = format!("another vrrpctl keeps the table inet {table} of nftables");
                let help =
                    "give each its own name: `instance NAME` at the top level, or `nftables TABLE` in `global_defs`";
                self.refuse(Diagnostic::new(Code::TableUnusable, span, message).help(help));
                return Filtering::None;
            }
            Err(error) => {
                let operation = "make sure that no other vrrpctl keeps the same table of nftables";
                self.errors.push(StartError::Kernel(vrrp_netlink::Error::new(operation, error)));
                return Filtering::None;
            }
        }
        let firewall = match Firewall::new(&table, silent) {
            Ok(firewall) => firewall,
            Err(error) => {
                self.refuse(if error.kind() == ErrorKind::NotFound { no_nft(span) } else { unusable(span, &error) });
                return Filtering::None;
            }
        };
        let firewall = firewall.counters(settings.nftables_counters);
        let firewall = match settings.nftables_priority {
            Some(priority) => firewall.priority(priority),
            None => firewall,
        };
        match firewall.owner() {
            Ok(Owner::Nobody | Owner::Us) => {}
            Ok(Owner::Another) => {
                let message = format!("there is a table inet {table} of nftables already, which vrrpctl has not made");
                let help = "name another one by `nftables TABLE` in `global_defs`, or remove it";
                self.refuse(Diagnostic::new(Code::TableUnusable, span, message).help(help));
            }
            Err(error) => self.refuse(unusable(span, &error)),
        }
        if let Err(error) = firewall.try_out() {
            self.refuse(unusable(span, &error));
        }
        Filtering::Keep(firewall)
    }

    /// News about the table that is kept.
    pub(super) fn watch(&mut self, filtering: &Filtering) -> Option<Watch> {
        let watch = filtering.kept().map(|firewall| Watch::open(firewall.table())).transpose();
        watch.map_err(|error| self.errors.push(StartError::Kernel(error))).unwrap_or_default()
    }

    fn silent(&self) -> Vec<Silent> {
        let accepts = |id| self.node.router(id).is_none_or(VirtualRouter::accepts);
        let tables = self.tables.iter().filter(|table| !accepts(table.id));
        let addresses = tables.flat_map(|table| &table.entries.addresses);
        let silent = addresses.map(|installation| {
            let device = self.interfaces.get(installation.device);
            let silent = Silent::new(installation.address);
            device.map_or_else(|| silent.clone(), |interface| silent.clone().on(&interface.device.name))
        });
        silent.collect()
    }

    /// What a predecessor left goes, unless another daemon keeps it. A host without nftables has nothing left.
    fn leftover(&mut self, table: &str) -> Filtering {
        let Ok(Some(lock)) = Lock::of_table_until(Instant::now(), table) else { return Filtering::None };
        match Firewall::new(table, Vec::new()) {
            Ok(firewall) if firewall.owner().is_ok_and(|owner| owner == Owner::Us) => {
                self.locks.push(lock);
                Filtering::Leftover(firewall)
            }
            Ok(_) | Err(_) => Filtering::None,
        }
    }
}

/// The refusal for want of the program.
pub(crate) fn no_nft(span: Span) -> Diagnostic {
    let message = "it shall not answer at its addresses, which needs the program `nft`: this host has none";
    let help = "install nftables; or write `accept` (and `strict_mode off`), and the addresses answer";
    Diagnostic::new(Code::NoNft, span, message).help(help)
}

fn unusable(span: Span, error: &vrrp_netlink::Error) -> Diagnostic {
    let message = format!("its addresses cannot be kept from answering: {error}");
    let help = "nftables needs CAP_NET_ADMIN and a kernel with nf_tables; `accept` does without it";
    Diagnostic::new(Code::TableUnusable, span, message).help(help)
}

/// The table's name: as written, or that of the daemon.
fn table(written: Option<&str>, instance: Option<&str>) -> String {
    match (written.filter(|name| !name.is_empty()), instance) {
        (Some(name), _) => name.to_owned(),
        (None, None) => "vrrpctl".to_owned(),
        (None, Some(instance)) => {
            let plain = |sign: char| if sign.is_ascii_alphanumeric() { sign } else { '_' };
            let name = format!("vrrpctl_{}", instance.chars().map(plain).collect::<String>());
            name.chars().take(NAME_MAX).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_named_after_the_daemon_unless_the_operator_names_it() {
        assert_eq!(table(None, None), "vrrpctl");
        assert_eq!(table(Some(""), None), "vrrpctl", "`nftables` alone");
        assert_eq!(table(Some("mine"), Some("east")), "mine");
        assert_eq!(table(Some(""), Some("east-1.ä")), "vrrpctl_east_1__");
        let long = table(None, Some(&"x".repeat(255)));
        assert!(
            Firewall::new(&long, Vec::new()).is_ok_and(|firewall| firewall.table() == long)
                || vrrp_netlink::firewall::find().is_none()
        );
    }
}
