//! A switched network of throw-away hosts, in which the demonstration and the integration tests run routers.
//!
//! Hosts are network namespaces that exist by file descriptor only: whatever ends this process, SIGKILL included, ends
//! them and every process that was started in them. Knows hosts, cables and a switch; nothing of VRRP or of any daemon.
//!
//! ```no_run
//! use std::net::Ipv4Addr;
//! use std::process::Command;
//! use std::time::Duration;
//! use vrrp_cli::lab::{self, Lan, Prober};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let lan = Lan::new(&["client", "lb01", "lb02"])?;
//! let mut router = lan.host("lb01").spawn(Command::new("vrrpctl").args(["run", "-f", "lb01.conf"]))?;
//! let address = Ipv4Addr::new(10, 9, 0, 100);
//! assert!(lab::wait_until(Duration::from_secs(10), || lan.holds("lb01", address.into())));
//! let prober = Prober::start(lan.host("client"), address, Duration::from_millis(1))?;
//! lan.mute("lb01", 0)?;
//! router.terminate()?;
//! # Ok(())
//! # }
//! ```

mod holders;
mod privilege;
mod prober;
mod process;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use vrrp_netlink::addresses::Address;
use vrrp_netlink::namespace::Namespace;
use vrrp_netlink::rtnl::Rtnl;

pub use holders::{Holders, Move};
pub use privilege::{become_root_in_user_namespace, privileged};
pub use prober::Prober;
pub use process::Process;

/// Hosts on one LAN at most: the last octet of an address tells them apart, and some are left for virtual addresses.
pub const MAX_HOSTS: usize = 90;

/// How long a new network may take to carry packets.
const CARRIER_PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Why a network could not be built or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The kernel refused a request.
    #[error(transparent)]
    Kernel(#[from] vrrp_netlink::Error),
    /// A process, thread or socket could not be started.
    #[error("cannot {what}: {source}")]
    Start {
        /// What was to be started, as the end of a sentence.
        what: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Too many hosts or networks for the address plan.
    #[error("a network has at most {MAX_HOSTS} hosts, and there are at most 250 networks")]
    TooMany,
    /// An interface stayed without carrier.
    #[error("eth{network} of {host} carries nothing after {CARRIER_PATIENCE:?}")]
    NoCarrier {
        /// The host.
        host: String,
        /// Number of the network.
        network: usize,
    },
}

/// Hosts, each with `lo` and with `eth0` on a switch of their own; with more networks, `eth1` on the next switch, etc.
///
/// The first host is 10.9.0.1/24 on `eth0` and 10.9.1.1/24 on `eth1`, the second ends in .2, and so on; what is above
/// [`MAX_HOSTS`] is free for virtual addresses. Where the kernel has IPv6, the first host is also fd00:9::1/64 on `eth0`
/// and fd00:9:1::1/64 on `eth1`, and fe80::1/64 on either, usable at once. The switches neither delay nor snoop on
/// multicast.
pub struct Lan {
    hosts: Vec<Host>,
    networks: Vec<Network>,
    switch: Mutex<Rtnl>,
    /// The switch exists as long as this.
    switch_namespace: Namespace,
}

/// One switch.
struct Network {
    bridge: u32,
    /// The port of each host, in the order of the hosts.
    ports: Vec<u32>,
}

/// A host of a [`Lan`]. Its interfaces go with the LAN.
pub struct Host {
    name: String,
    number: u8,
    namespace: Namespace,
    rtnl: Mutex<Rtnl>,
}

impl Lan {
    /// Hosts on one network. Needs the privileges of [`become_root_in_user_namespace`].
    pub fn new(hosts: &[&str]) -> Result<Self, LabError> {
        Self::with_networks(hosts, 1)
    }

    /// Hosts on `networks` networks, `eth0` to `eth(networks - 1)`.
    ///
    /// Returns when every interface has carrier.
    pub fn with_networks(hosts: &[&str], networks: usize) -> Result<Self, LabError> {
        if hosts.len() > MAX_HOSTS {
            return Err(LabError::TooMany);
        }
        let namespace = Namespace::create()?;
        let mut switch = namespace.run(Rtnl::open)??;
        let hosts: Vec<Host> =
            (1..).zip(hosts).map(|(number, name)| Host::new(name, number)).collect::<Result<_, _>>()?;
        let networks = (0..networks).map(|number| wire(&mut switch, number, &hosts)).collect::<Result<_, _>>()?;
        let lan = Self { hosts, networks, switch: Mutex::new(switch), switch_namespace: namespace };
        lan.wait_for_carrier()?;
        Ok(lan)
    }

    /// The host called `name`.
    ///
    /// # Panics
    ///
    /// When the LAN was built without it.
    pub fn host(&self, name: &str) -> &Host {
        &self.hosts[self.position(name)]
    }

    /// All hosts, in the order in which they were named.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Pulls the cable of `eth{network}` out of the switch: the host loses carrier.
    ///
    /// # Panics
    ///
    /// When there is no such host or network, as in all four of these methods.
    pub fn cut(&self, host: &str, network: usize) -> Result<(), LabError> {
        let (_, port) = self.port(host, network);
        Ok(locked(&self.switch).set_up(port, false)?)
    }

    /// Undoes [`cut`](Self::cut).
    ///
    /// # Panics
    ///
    /// See [`cut`](Self::cut).
    pub fn mend(&self, host: &str, network: usize) -> Result<(), LabError> {
        let (_, port) = self.port(host, network);
        Ok(locked(&self.switch).set_up(port, true)?)
    }

    /// Makes the switch forward nothing to and from `eth{network}` of the host: it falls silent, its carrier stays.
    ///
    /// # Panics
    ///
    /// See [`cut`](Self::cut).
    pub fn mute(&self, host: &str, network: usize) -> Result<(), LabError> {
        let (_, port) = self.port(host, network);
        Ok(locked(&self.switch).set_master(port, None)?)
    }

    /// Undoes [`mute`](Self::mute).
    ///
    /// # Panics
    ///
    /// See [`cut`](Self::cut).
    pub fn unmute(&self, host: &str, network: usize) -> Result<(), LabError> {
        let (bridge, port) = self.port(host, network);
        Ok(locked(&self.switch).set_master(port, Some(bridge))?)
    }

    /// Whether the host has `address` on any interface now. An error of the kernel counts as no.
    ///
    /// # Panics
    ///
    /// When there is no such host.
    pub fn holds(&self, host: &str, address: IpAddr) -> bool {
        self.host(host).addresses().is_ok_and(|all| all.iter().any(|one| one.address == address))
    }

    /// The addresses of all interfaces of the host, the loopback included.
    ///
    /// # Panics
    ///
    /// When there is no such host.
    pub fn addresses(&self, host: &str) -> Result<Vec<Address>, LabError> {
        self.host(host).addresses()
    }

    /// The network namespace of the switches.
    pub fn switch(&self) -> &Namespace {
        &self.switch_namespace
    }

    /// Starts `command` at the switches, as [`Host::spawn`] does on a host.
    pub fn spawn_at_switch(&self, command: &mut Command) -> Result<Process, LabError> {
        self.switch_namespace.command(command)?;
        Process::start(command)
    }

    /// The name of the port of the switch that `eth{network}` of `host` is plugged into, in [`switch`](Self::switch).
    ///
    /// # Panics
    ///
    /// When there is no such host.
    pub fn port_name(&self, host: &str, network: usize) -> String {
        port_name(self.host(host).number, network)
    }

    fn position(&self, name: &str) -> usize {
        self.hosts.iter().position(|host| host.name == name).unwrap_or_else(|| panic!("the LAN has no host {name}"))
    }

    fn port(&self, host: &str, network: usize) -> (u32, u32) {
        let network = &self.networks[network];
        (network.bridge, network.ports[self.position(host)])
    }

    fn wait_for_carrier(&self) -> Result<(), LabError> {
        for host in &self.hosts {
            for network in 0..self.networks.len() {
                let name = format!("eth{network}");
                let running = || locked(&host.rtnl).link(&name).is_ok_and(|link| link.is_some_and(|link| link.running));
                if !wait_until(CARRIER_PATIENCE, running) {
                    return Err(LabError::NoCarrier { host: host.name.clone(), network });
                }
            }
        }
        Ok(())
    }
}

impl Host {
    fn new(name: &str, number: u8) -> Result<Self, LabError> {
        let namespace = Namespace::create()?;
        let mut rtnl = namespace.run(Rtnl::open)??;
        if let Some(loopback) = rtnl.link("lo")? {
            rtnl.set_up(loopback.index, true)?;
        }
        Ok(Self { name: name.to_owned(), number, namespace, rtnl: Mutex::new(rtnl) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its network namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Its own address on `eth{network}`.
    pub fn address(&self, network: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 9, network, self.number)
    }

    /// Its own IPv6 address on `eth{network}`.
    pub fn address_v6(&self, network: u8) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 9, network.into(), 0, 0, 0, 0, self.number.into())
    }

    /// Its own link-local address, the same on each interface.
    pub fn link_local(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, self.number.into())
    }

    /// The addresses of all its interfaces, the loopback included.
    pub fn addresses(&self) -> Result<Vec<Address>, LabError> {
        Ok(locked(&self.rtnl).addresses()?)
    }

    /// Removes `address` from every interface, as a reboot would; whether it was there.
    pub fn drop_address(&self, address: IpAddr) -> Result<bool, LabError> {
        let mut rtnl = locked(&self.rtnl);
        let held: Vec<Address> = rtnl.addresses()?.into_iter().filter(|one| one.address == address).collect();
        for result in rtnl.remove_addresses(&held) {
            result?;
        }
        Ok(!held.is_empty())
    }

    /// Starts `command` on the host, in a process group of its own, so that a Ctrl-C meant for this process spares it.
    ///
    /// It is killed when the returned value is dropped, and when the *thread* that calls this ends, however it does.
    pub fn spawn(&self, command: &mut Command) -> Result<Process, LabError> {
        self.namespace.command(command)?;
        Process::start(command)
    }
}

/// Looks at `condition` until it holds, for at most `timeout`; whether it did.
pub fn wait_until(timeout: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if start.elapsed() >= timeout {
            return false;
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Builds one switch and plugs every host into it.
fn wire(switch: &mut Rtnl, number: usize, hosts: &[Host]) -> Result<Network, LabError> {
    let octet = u8::try_from(number).ok().filter(|octet| *octet < 250).ok_or(LabError::TooMany)?;
    let bridge = switch.create_bridge(&format!("br{number}"))?;
    switch.set_up(bridge, true)?;
    let interface = format!("eth{number}");
    let mut ports = Vec::with_capacity(hosts.len());
    for host in hosts {
        let port = switch.create_veth(&port_name(host.number, number), &interface, host.namespace.as_fd())?;
        switch.set_master(port, Some(bridge))?;
        switch.set_up(port, true)?;
        let mut rtnl = locked(&host.rtnl);
        let index = rtnl
            .link(&interface)?
            .map(|link| link.index)
            .ok_or_else(|| LabError::NoCarrier { host: host.name.clone(), network: number })?;
        let mut address = Address::new(index, IpAddr::V4(host.address(octet)), 24);
        address.broadcast = Some(Ipv4Addr::new(10, 9, octet, 255));
        for result in rtnl.add_addresses(&[address]) {
            result?;
        }
        // One that the kernel makes would be another source of adverts, and usable only after a second.
        if rtnl.set_link_local_generation(index, false).is_ok() {
            let own = [host.address_v6(octet), host.link_local()];
            for result in rtnl.add_addresses(&own.map(|own| Address::new(index, IpAddr::V6(own), 64))) {
                result?;
            }
        }
        rtnl.set_up(index, true)?;
        ports.push(port);
    }
    Ok(Network { bridge, ports })
}

fn port_name(host: u8, network: usize) -> String {
    format!("p{host}-{network}")
}

/// A panic of another thread leaves a request half answered at worst, and answers carry numbers.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
