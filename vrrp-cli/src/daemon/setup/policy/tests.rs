//! The node that comes of a configuration: who follows what, with which weight.

use std::time::Instant;

use vrrp_core::AddressList;
use vrrp_core::fsm::{Params, Rules};
use vrrp_core::node::{Groups, Input, InterfaceId, Node, RouterId, RouterSetup, Unmet, Which};
use vrrp_core::router::{ChecksumPolicy, RouterConfig};
use vrrp_core::track::Status;

use super::Policy;
use crate::config::{self, Config};
use crate::daemon::monitor::Links;

/// A node with the routers of the text, told of its policy. No interface exists.
fn node(text: &str) -> (Node<Instant>, Policy, Vec<RouterId>) {
    let loaded = config::parse_str("keepalived.conf", text);
    assert!(!loaded.has_errors(), "{}", loaded.render(false));
    let config: Config = loaded.config.unwrap();
    let mut node = Node::new(Groups::default());
    for instance in &config.instances {
        let (priority, interval, preempt) = (instance.priority, instance.interval, instance.preempt);
        let addresses = instance.addresses.iter().map(|address| address.address).collect::<Vec<_>>();
        let config = RouterConfig {
            vrid: instance.vrid,
            params: Params { priority, interval, preempt, accept: true, rules: Rules::default() },
            addresses: AddressList::new(addresses.into_boxed_slice()).unwrap(),
            auth: vrrp_core::Auth::None,
            checksum: ChecksumPolicy::default(),
        };
        node.add(RouterSetup { interface: InterfaceId(0), source: None, unicast: None, track_interface: true, config })
            .unwrap();
    }
    let policy = Policy::new(&config, &mut node, &Links::default()).unwrap();
    let ids = node.routers().collect();
    (node, policy, ids)
}

fn instance(number: u8, settings: &str) -> String {
    format!(
        "vrrp_instance VI_{number} {{\n interface eth0\n virtual_router_id {number}\n priority 100\n {settings}\n \
         virtual_ipaddress {{ 10.9.0.{number} }}\n}}\n"
    )
}

fn priority(node: &Node<Instant>, id: RouterId) -> u8 {
    node.router(id).unwrap().machine().params.priority.get()
}

fn set(node: &mut Node<Instant>, policy: &Policy, name: &str, status: Status) {
    let (tracker, _) = policy.interfaces.iter().find(|(_, interface)| interface == name).unwrap();
    node.handle(Instant::now(), Input::Tracked { tracker: *tracker, status }, &mut Vec::new());
}

fn trackers(node: &Node<Instant>, id: RouterId) -> usize {
    node.unmet(id).filter(|unmet| matches!(unmet, Unmet::Tracker(_))).count()
}

#[test]
fn an_interface_is_one_tracker_whoever_follows_it() {
    let text = instance(1, "track_interface {\n eth1\n eth2 weight -20\n }")
        + &instance(2, "track_interface {\n eth2 weight 30\n eth3 weight -10 reverse\n }");
    let (mut node, policy, ids) = node(&text);
    let names: Vec<_> = policy.interfaces.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["eth1", "eth2", "eth3"]);
    assert_eq!(policy.tracked[2].name, "interface eth3");
    assert_eq!(policy.interfaces[2].0.index(), 2);
    // None of them exists.
    assert_eq!([priority(&node, ids[0]), trackers(&node, ids[0]).try_into().unwrap()], [80, 1]);
    assert_eq!([priority(&node, ids[1]), trackers(&node, ids[1]).try_into().unwrap()], [110, 0]);
    for name in ["eth1", "eth2", "eth3"] {
        set(&mut node, &policy, name, Status::Up);
    }
    assert_eq!([priority(&node, ids[0]), trackers(&node, ids[0]).try_into().unwrap()], [100, 0]);
    assert_eq!(priority(&node, ids[1]), 130);
}

#[test]
fn a_group_and_what_all_its_members_follow() {
    let text = instance(1, "")
        + &instance(2, "")
        + &instance(3, "")
        + "vrrp_sync_group E {\n group {\n }\n}\nvrrp_sync_group G {\n group {\n VI_3\n VI_1\n }\n track_interface {\n eth1\n }\n}\n";
    let (mut node, policy, ids) = node(&text);
    assert_eq!(policy.groups, ["G"]);
    let group = node.group_of(ids[0]).unwrap();
    assert_eq!((node.members(group), node.group_of(ids[1])), (&[ids[2], ids[0]][..], None));
    assert_eq!([0, 1, 2].map(|place: usize| trackers(&node, ids[place])), [1, 0, 1]);
    node.handle(Instant::now(), Input::Enabled { which: Which::All, enabled: true }, &mut Vec::new());
    set(&mut node, &policy, "eth1", Status::Up);
    assert_eq!([0, 1, 2].map(|place: usize| trackers(&node, ids[place])), [0; 3]);
}

/// As keepalived does: a weight that must not count becomes a fault where an interface is meant.
#[test]
fn weights_in_a_group_count_only_where_it_says_so() {
    let members = instance(1, "track_interface {\n eth1 weight -20\n }") + &instance(2, "");
    let group = |more: &str| format!("vrrp_sync_group G {{\n group {{\n VI_1\n VI_2\n }}\n {more}\n}}\n");
    let (node_, _, ids) = node(&(members.clone() + &group("")));
    assert_eq!((priority(&node_, ids[0]), trackers(&node_, ids[0])), (100, 1));
    let (node_, _, ids) = node(&(members.clone() + &group("sync_group_tracking_weight")));
    assert_eq!((priority(&node_, ids[0]), trackers(&node_, ids[0])), (80, 0));
    // An instance's own line is the more particular one; the other member has only the group's.
    let both = group("sync_group_tracking_weight\n track_interface {\n eth1 weight -50\n }");
    let (node_, _, ids) = node(&(members + &both));
    assert_eq!([priority(&node_, ids[0]), priority(&node_, ids[1])], [80, 50]);
}
