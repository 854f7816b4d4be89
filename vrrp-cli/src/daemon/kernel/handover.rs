//! Handing single addresses over: each is removed, and then announced once where its successor has it.
//!
//! Does what the election has decided; the level of the router stays as it is meanwhile.

use vrrp_core::fsm::Addresses;
use vrrp_netlink::addresses::Address;

use super::Kernel;
use crate::daemon::claims::Mac;

impl Kernel {
    /// Carries out the hand-overs that were ordered since the last look, all at once.
    pub(super) fn hand_over(&mut self) {
        let orders: Vec<_> = self.orders.handed_over().collect();
        let mut going = Vec::new();
        let mut addresses: Vec<Address> = Vec::new();
        for order in &orders {
            let wanted = self.orders.wanted(order.router);
            // It became Master again meanwhile.
            let renewed = wanted.addresses == Addresses::Install && wanted.epoch != order.epoch;
            let Some(router) = self.routers.get_mut(order.router).filter(|_| !renewed) else { continue };
            router.handed_over.push(order.address);
            addresses.extend(router.held.addresses.extract_if(.., |installed| installed.address == order.address));
            going.resize(addresses.len(), order.router);
        }
        if !addresses.is_empty() {
            self.remove_these(&going, addresses);
            for index in going {
                self.leave(index);
            }
        }
        // After the removal: an answer that a client got from here in between is corrected.
        for order in &orders {
            let Some(router) = self.routers.get(order.router) else { continue };
            let of_it = |address: &&super::Installation| address.address == order.address;
            if let Some(installation) = router.table.entries.addresses.iter().find(of_it)
                && router.handed_over.contains(&order.address)
            {
                let name = &router.table.name;
                tracing::info!("({name}) {} is handed over to {}", order.address, Mac(order.mac));
                self.announcer.successor(order.router, name, installation, &self.devices, order.mac);
            }
        }
    }
}
