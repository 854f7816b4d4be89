//! What the lines of list blocks say: trackers, peers, routes, rules, interfaces.

use std::net::IpAddr;
use std::time::Duration;

use super::{Span, Spanned};

/// `weight NUMBER [reverse|noreverse]`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct WeightSetting {
    /// -254 to 254; 0 means that the state depends on it, not the priority.
    pub weight: i16,
    /// What is well counts as failed, and the other way round.
    pub reverse: bool,
}

/// A line of `track_interface`, `track_script` and their like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Track {
    /// What is tracked; for everything but interfaces the file defines it.
    pub name: Spanned<String>,
    /// That of the tracked thing when `None`.
    pub weight: Option<WeightSetting>,
}

/// A line of `unicast_peer`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// The other router.
    pub address: Spanned<IpAddr>,
    /// Lowest TTL that its adverts may have.
    pub min_ttl: Option<u8>,
    /// Highest TTL that its adverts may have.
    pub max_ttl: Option<u8>,
}

/// A line of `virtual_routes` or `static_routes`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// `inet` or `inet6`, where written.
    pub family: Option<&'static str>,
    /// `add`, `prepend` or `append`: where it stands among others to the same network; the first when `None`.
    pub action: Option<&'static str>,
    /// `unicast`, `blackhole` and so on; `unicast` when `None`.
    pub kind: Option<&'static str>,
    /// Network and prefix length; `None` is `default`.
    pub destination: Option<(IpAddr, u8)>,
    /// The options, in their order.
    pub options: Vec<LineOption>,
    /// Each `nexthop` and the options behind it.
    pub next_hops: Vec<Vec<LineOption>>,
    /// The whole line.
    pub span: Span,
}

/// A line of `virtual_rules` or `static_rules`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// `inet` or `inet6`, where written.
    pub family: Option<&'static str>,
    /// `not`: applies to what does not match.
    pub inverted: bool,
    /// Selectors and action, in their order.
    pub options: Vec<LineOption>,
    /// The whole line.
    pub span: Span,
}

/// An option of a route or rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineOption {
    /// Under its first name: `via`, never `gw`.
    pub name: &'static str,
    /// What stands behind it.
    pub value: OptionValue,
    /// `lock`: the kernel must not change it.
    pub locked: bool,
}

/// The value of an option.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OptionValue {
    /// The option stands alone.
    Flag,
    /// A number in the option's range and unit.
    Number(u64),
    /// The first and last of a range of numbers.
    Range(u64, u64),
    /// An address.
    Address(IpAddr),
    /// An address and a prefix length; `None` is `default`.
    Network(Option<(IpAddr, u8)>),
    /// An interface.
    Interface(Spanned<String>),
    /// A name that the host resolves, like that of a routing table, or a number.
    Text(String),
}

/// A line of `linkbeat_interfaces`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkbeatInterface {
    /// The interface.
    pub interface: Spanned<String>,
    /// `MII`, `ETHTOOL` or `IOCTL`; the best that works when `None`.
    pub method: Option<&'static str>,
}

/// A line of `interface_up_down_delays`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpDownDelay {
    /// The interface.
    pub interface: Spanned<String>,
    /// How long it must be down, at most 255 s.
    pub down: Duration,
    /// How long it must be up; zero unless written, as in keepalived's code (its manual says: like `down`).
    pub up: Duration,
}

/// An option of an address that is rarely needed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AddressOption {
    /// `peer`: the other end of a point-to-point link.
    Peer(IpAddr, Option<u8>),
    /// `preferred_lft` in seconds; `None` is `forever`.
    PreferredLifetime(Option<u32>),
    /// `track_group`: the instances that fail with the address.
    TrackGroup(Spanned<String>),
    /// `use_vmac`, with the name of the virtual interface.
    UseVmac(Option<Spanned<String>>),
    /// `home`, `-nodad`, `mngtmpaddr`, `noprefixroute`, `autojoin` or `no_track`.
    Flag(&'static str),
}

/// Whether the subnet of the first address and this length contains the second one.
pub(crate) fn in_subnet((subnet, length): (IpAddr, u8), address: IpAddr) -> bool {
    match (subnet, address) {
        (IpAddr::V4(subnet), IpAddr::V4(address)) => {
            let host = u32::MAX.checked_shr(length.into()).unwrap_or(0);
            subnet.to_bits() | host == address.to_bits() | host
        }
        (IpAddr::V6(subnet), IpAddr::V6(address)) => {
            let host = u128::MAX.checked_shr(length.into()).unwrap_or(0);
            subnet.to_bits() | host == address.to_bits() | host
        }
        _ => false,
    }
}
