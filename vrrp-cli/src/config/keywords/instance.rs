//! `vrrp_instance`: settings that are read and checked here.

use std::net::IpAddr;
use std::time::Duration;

use super::Built::{NotYet, Refused, Yes};
use super::settings;
use super::shape::Shape::{
    Address, Bool, Choice, Command, ExtraIf, Flag, Hmac, Int, Interface, Ipvlan, Lines, Multicast, OptChoice,
    OptCommand, OptInt, Seconds, Vmac, WholeSeconds,
};
use super::shape::{self, LONGEST};
use crate::config::model::{
    DeletedNotify, ExtraInterfaces, HmacAuth, IpvlanSetting, Peer, Route, Rule, Script, Spanned, Track, VirtualAddress,
    VmacSetting,
};

/// Seconds that fit into 32 bits of microseconds, as keepalived bounds them.
const LONGEST_DELAY: u64 = 4_294;
const GROUP: &str = "the adverts would go to another group than those of the other routers: two masters";
const VRF: &str = "the addresses would be served outside of the VRF";

settings! {
    /// What `vrrp_instance` sets beside the election. Unset is `None`, `false` or empty.
    struct InstanceSettings in Instance, once vmac_garp_intvl = garp_extra_if, once thread_timer_expired = timer_expired_backup;
    vrf: Option<Spanned<String>> = Interface, "none", Refused(VRF), "VRF of a unicast instance without interface";
    down_timer_adverts: Option<u8> = Int(1, 100, "adverts"), "`vrrp_down_timer_adverts`", Yes, "lost adverts until the master counts as down";
    dont_track_primary: bool = Flag, "off", Yes, "go on when the own interface is down";
    no_virtual_ipaddress: bool = Flag, "off", NotYet, "the instance may have no address";
    promote_secondaries: bool = Flag, "off", Yes, "removing an address leaves others of its subnet";
    accept: bool = Flag, "on, but off in strict mode", Yes, "the master answers at the addresses";
    no_accept: bool = Flag, "off, but on in strict mode", Yes, "the master does not answer at the addresses, by nftables; their owner does";
    preempt_delay: Option<Duration> = Seconds(0, LONGEST), "0", Yes, "wait before taking over from a lower priority";
    timer_expired_backup: Option<u8> = OptInt(1, 254, 254, ""), "255", Yes, "become backup when timers were so late that a router of this priority has taken over; without it 255 is meant";
    strict_mode: Option<bool> = Bool, "`vrrp_strict`", Yes, "hold to the RFC strictly";
    skip_check_adv_addr: Option<bool> = Bool, "`vrrp_skip_check_adv_addr`", Yes, "no effect: the addresses of every advert are compared, which costs nothing and drops nothing";
    owner_ignore_adverts: Option<bool> = Bool, "`vrrp_owner_ignore_adverts`", Yes, "the owner of the addresses hears no adverts";
    lower_prio_no_advert: Option<bool> = Bool, "`vrrp_lower_prio_no_advert`", Yes, "do not answer an advert of lower priority";
    higher_prio_send_advert: Option<bool> = Bool, "`vrrp_higher_prio_send_advert`", Yes, "send one more advert before giving way";
    garp_master_delay: Option<Duration> = WholeSeconds(0, LONGEST_DELAY), "`vrrp_garp_master_delay`", Yes, "time until the second burst; 0: none";
    garp_master_repeat: Option<u32> = Int(1, 2_147_483_647, "messages"), "`vrrp_garp_master_repeat`", Yes, "announcements in a burst";
    garp_master_refresh: Option<Duration> = Seconds(0, LONGEST_DELAY * shape::SECOND), "`vrrp_garp_master_refresh`", Yes, "announce again so often, at most ten times a second; 0: never";
    garp_master_refresh_repeat: Option<u32> = Int(1, 2_147_483_647, "messages"), "`vrrp_garp_master_refresh_repeat`", Yes, "announcements each time";
    garp_lower_prio_delay: Option<Duration> = WholeSeconds(0, LONGEST_DELAY), "`vrrp_garp_lower_prio_delay`", Yes, "time until the second burst after an advert of lower priority";
    garp_lower_prio_repeat: Option<u32> = Int(0, 2_147_483_647, "messages"), "`vrrp_garp_lower_prio_repeat`", Yes, "announcements after an advert of lower priority";
    garp_extra_if: Option<ExtraInterfaces> = ExtraIf, "`vrrp_garp_extra_if`", Yes, "announce on other interfaces of the addresses: on virtual ones, with `all` on all of them";
    use_vmac: Option<VmacSetting> = Vmac, "off", Yes, "addresses have the virtual router's MAC address";
    use_vmac_addr: bool = Flag, "off", Yes, "also addresses on other interfaces";
    vmac_xmit_base: bool = Flag, "off", Yes, "adverts leave from the interface itself";
    use_ipvlan: Option<IpvlanSetting> = Ipvlan, "off", Yes, "addresses are on an ipvlan interface";
    unicast_peer: Vec<Peer> = Lines(shape::Lines::Peers), "none: multicast", Yes, "the other routers, when they are reached by unicast";
    unicast_src_ip: Option<IpAddr> = Address, "the interface's address", Yes, "source address of unicast adverts; fault while the host lacks it";
    mcast_dst_ip: Option<IpAddr> = Multicast, "`vrrp_mcast_group4`", Refused(GROUP), "where adverts are sent to";
    track_src_ip: bool = Flag, "off", Yes, "fault while the interface lacks the source address; by unicast it is one in any case";
    unicast_ttl: Option<u8> = Int(0, 255, ""), "255", Yes, "TTL of unicast adverts";
    check_unicast_src: bool = Flag, "on", Yes, "drop unicast adverts of strangers, which is done in any case";
    unicast_fault_no_peer: bool = Flag, "off", Yes, "fail without peers";
    old_unicast_checksum: Option<String> = OptChoice(&["never"]), "learnt from the peer", Yes, "checksum of old versions of keepalived";
    v3_checksum_as_v2: Option<bool> = Bool, "`v3_checksum_as_v2`", Yes, "VRRPv3's checksum over IPv4 without pseudo-header, as RFC 9568 wants it";
    native_ipv6: bool = Flag, "off", Yes, "the addresses are of IPv6, as they tell themselves; obsolete";
    linkbeat_use_polling: bool = Flag, "off", NotYet, "poll the state of the link; obsolete";
    kernel_rx_buf_size: Option<u32> = Int(1, 2_147_483_647, "octets"), "`vrrp_rx_bufs_policy`", NotYet, "size of the receive buffer";
    debug: Option<u8> = Int(0, 4, ""), "0", Yes, "no effect, as in keepalived";
    lvs_sync_daemon_interface: Option<Spanned<String>> = Interface, "none", NotYet, "interface of the IPVS sync daemon; obsolete";
    smtp_alert: Option<bool> = Bool, "`smtp_alert_vrrp`", Yes, "mail about this instance";
    notify_deleted: Option<DeletedNotify> = OptCommand, "tells a fault", NotYet, "run when a reload removes the instance; alone: tell others `DELETED`, not `FAULT`";
    notify_master_rx_lower_pri: Option<Script> = Command, "none", Yes, "run when the master hears a lower priority";
    notify_priority_changes: Option<bool> = Bool, "`vrrp_notify_priority_changes`", Yes, "tell changes of the priority, too";
    track_interface: Vec<Track> = Lines(shape::Lines::TrackInterfaces), "none", Yes, "interfaces that the priority or the state depends on";
    track_script: Vec<Track> = Lines(shape::Lines::TrackScripts), "none", Yes, "scripts that the priority or the state depends on";
    track_file: Vec<Track> = Lines(shape::Lines::TrackFiles), "none", Yes, "files that the priority depends on";
    track_process: Vec<Track> = Lines(shape::Lines::TrackProcesses), "none", Yes, "processes that the priority or the state depends on";
    track_bfd: Vec<Track> = Lines(shape::Lines::TrackBfds), "none", NotYet, "BFD sessions that the priority or the state depends on";
    virtual_ipaddress_excluded: Vec<VirtualAddress> = Lines(shape::Lines::Addresses), "none", Yes, "addresses that adverts do not name";
    virtual_routes: Vec<Route> = Lines(shape::Lines::Routes), "none", Yes, "routes that the master has";
    virtual_rules: Vec<Rule> = Lines(shape::Lines::Rules), "none", Yes, "routing rules that the master has";
    address_fight: Option<String> = Choice(&["keep", "step_down"]), "that of `global_defs`", Yes, "when another program goes on removing its address: put it back after pauses, or let another router serve; not in keepalived";
    handover: Option<String> = Choice(&["announced", "immediate"]), "that of `global_defs`", Yes, "when a master that is stopped on purpose lets go of an address; not in keepalived";
    auth_hmac: Option<HmacAuth> = Hmac, "none", Yes, "adverts are signed, in both versions";
}
