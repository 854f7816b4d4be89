//! The top level, and the blocks that trackers and groups are made of.

use std::net::IpAddr;
use std::time::Duration;

use super::Built::{NotYet, Yes};
use super::settings;
use super::shape::Shape::{
    Address, Check, Choice, Command, FileName, Flag, HmacKey, InitFile, Int, Lines, OptChoice, OptWord, Owner, Path,
    Seconds, WholeSeconds, Words,
};
use super::shape::Shape::{Bool, Interface, Weight};
use super::shape::{self, LONGEST, SECOND};
use crate::config::model::{
    CheckSetting, HmacSecret, InitialValue, LinkbeatInterface, Route, Rule, Script, ScriptOwner, Spanned, Track,
    UpDownDelay, VirtualAddress, WeightSetting,
};

settings! {
    /// Settings at the top level of the file: of the process, and of the host's interfaces and static entries.
    struct ProcessSettings in Root;
    net_namespace: Option<Spanned<String>> = FileName, "the one it is started in", Yes, "network namespace of the daemon and of its scripts, below `/run/netns`";
    net_namespace_ipvs: Option<String> = OptWord("NAME", 255), "`net_namespace`", NotYet, "network namespace of IPVS";
    namespace_with_ipsets: bool = Flag, "off", Yes, "no effect: there are no ipsets";
    instance: Option<Spanned<String>> = FileName, "none", Yes, "name of this daemon among several on the host: of its folder below `/run/vrrpctl`, and of its table of nftables";
    use_pid_dir: bool = Flag, "off", Yes, "no effect: the process id is in the folder of the `instance`";
    child_wait_time: Option<Duration> = WholeSeconds(0, 4_294_967_295), "5", NotYet, "patience with processes at the end";
    linkbeat_use_polling: bool = Flag, "off", NotYet, "poll the state of all links";
    static_ipaddress: Vec<VirtualAddress> = Lines(shape::Lines::Addresses), "none", Yes, "addresses this host has, master or not";
    static_routes: Vec<Route> = Lines(shape::Lines::Routes), "none", Yes, "routes this host has, master or not";
    static_rules: Vec<Rule> = Lines(shape::Lines::Rules), "none", Yes, "routing rules this host has, master or not";
    linkbeat_interfaces: Vec<LinkbeatInterface> = Lines(shape::Lines::LinkbeatInterfaces), "none", NotYet, "interfaces whose link state is polled";
    interface_up_down_delays: Vec<UpDownDelay> = Lines(shape::Lines::UpDownDelays), "none", Yes, "how long a link must be down, or up, to count";
}

settings! {
    /// What `auth_hmac` holds.
    struct HmacSettings in AuthHmac;
    key: Vec<HmacSecret> = HmacKey, "required", Yes, "a key and its number";
    active_key: Option<u8> = Int(1, 255, ""), "required", Yes, "number of the key that adverts are signed with";
    anti_replay: Option<String> = Choice(&["time", "monotonic"]), "time", Yes, "what tells new adverts from repeated ones";
    time_window: Option<Duration> = WholeSeconds(1, 300), "three intervals, at least 5", Yes, "how far the clocks may differ";
    mode: Option<String> = Choice(&["enforce", "permissive", "receive-only"]), "enforce", Yes, "whether adverts must be signed";
}

settings! {
    /// What `vrrp_script` holds.
    struct ScriptSettings in Script;
    script: Option<Script> = Command, "required, or `check`", Yes, "the command: status 0 is well";
    check: Option<CheckSetting> = Check, "none", Yes, "a built-in check instead of a command; not in keepalived";
    interval: Option<Duration> = Seconds(1_000, 4_294 * SECOND), "1", Yes, "how often it is run";
    timeout: Option<Duration> = Seconds(1_000, 4_294 * SECOND), "`interval`", Yes, "how long it may take";
    weight: Option<WeightSetting> = Weight(253), "0", Yes, "what it adds to the priority; 0: failure is a fault";
    rise: Option<u32> = Int(1, 2_147_483_647, "runs"), "1", Yes, "runs that must go well to count as well";
    fall: Option<u32> = Int(1, 2_147_483_647, "runs"), "1", Yes, "runs that must fail to count as failed";
    user: Option<ScriptOwner> = Owner, "`script_user`", Yes, "whom to run it as";
    init_fail: bool = Flag, "off", Yes, "counts as failed until it went well";
}

settings! {
    /// What `track_file` holds.
    struct FileSettings in TrackFile;
    file: Option<String> = Path, "required", Yes, "the file, which holds one number";
    weight: Option<WeightSetting> = Weight(254), "1", Yes, "what the number is multiplied with";
    init_file: Option<InitialValue> = InitFile, "none", Yes, "create the file";
}

settings! {
    /// What `vrrp_track_process` holds.
    struct ProcessTrackSettings in TrackProcess;
    process: Option<Vec<String>> = Words("PATH [PARAMETER...]", 1, 64), "required", Yes, "the program, and how it was called";
    param_match: Option<String> = OptChoice(&["initial", "partial"]), "off", Yes, "how parameters are compared";
    full_command: bool = Flag, "off", Yes, "compare the whole command line";
    weight: Option<WeightSetting> = Weight(254), "0", Yes, "what it adds to the priority; 0: failure is a fault";
    quorum: Option<u16> = Int(1, 65_535, "processes"), "1", Yes, "fewest processes that are well";
    quorum_max: Option<u16> = Int(0, 65_535, "processes"), "no bound", Yes, "most processes that are well";
    delay: Option<Duration> = Seconds(1, 3_600 * SECOND), "0", Yes, "how long a change must last to count";
    terminate_delay: Option<Duration> = Seconds(1, 3_600 * SECOND), "`delay`", Yes, "the same for an end";
    fork_delay: Option<Duration> = Seconds(1, 3_600 * SECOND), "`delay`", Yes, "the same for a start";
}

settings! {
/// What `bfd_instance` holds.
struct BfdSettings in Bfd, once neighbour_ip = neighbor_ip, once hoplimit = ttl;
neighbor_ip: Option<IpAddr> = Address, "required", NotYet, "the other end";
source_ip: Option<IpAddr> = Address, "the route's", NotYet, "this end";
min_rx: Option<u32> = Int(1, 4_294_967, "ms"), "10", NotYet, "shortest interval of what is received";
min_tx: Option<u32> = Int(1, 4_294_967, "ms"), "10", NotYet, "shortest interval of what is sent";
idle_tx: Option<u32> = Int(1_000, 4_294_967, "ms"), "1000", NotYet, "interval while the session is down";
multiplier: Option<u8> = Int(1, 255, "packets"), "5", NotYet, "lost packets until the session is down";
passive: bool = Flag, "off", NotYet, "let the other end begin";
ttl: Option<u8> = Int(1, 255, ""), "255, or 64 for IPv6", NotYet, "TTL of what is sent";
max_hops: Option<i16> = Int(-1, 255, "hops"), "0", NotYet, "how far off the other end may be";
multihop: bool = Flag, "off", NotYet, "the port of sessions over several hops";
weight: Option<WeightSetting> = Weight(253), "0", NotYet, "what it adds to the priority; 0: failure is a fault";
vrrp: bool = Flag, "both", NotYet, "for virtual routers only";
checker: bool = Flag, "both", NotYet, "for health checks only";}

settings! {
    /// What `vrrp_sync_group` holds.
    struct SyncGroupSettings in SyncGroup;
    group: Vec<Spanned<String>> = Lines(shape::Lines::Instances), "required", Yes, "the instances";
    track_interface: Vec<Track> = Lines(shape::Lines::TrackInterfaces), "none", Yes, "interfaces that all of them track";
    track_script: Vec<Track> = Lines(shape::Lines::TrackScripts), "none", Yes, "scripts that all of them track";
    track_file: Vec<Track> = Lines(shape::Lines::TrackFiles), "none", Yes, "files that all of them track";
    track_process: Vec<Track> = Lines(shape::Lines::TrackProcesses), "none", Yes, "processes that all of them track";
    track_bfd: Vec<Track> = Lines(shape::Lines::TrackBfds), "none", NotYet, "BFD sessions that all of them track";
    notify_master: Option<Script> = Command, "none", Yes, "run when the group becomes master";
    notify_backup: Option<Script> = Command, "none", Yes, "run when the group becomes backup";
    notify_fault: Option<Script> = Command, "none", Yes, "run when the group cannot work";
    notify_stop: Option<Script> = Command, "none", Yes, "run when the group is stopped";
    notify: Option<Script> = Command, "none", Yes, "run at every transition, with four arguments that tell which";
    smtp_alert: Option<bool> = Bool, "`smtp_alert_vrrp`", Yes, "mail about the group";
    notify_priority_changes: Option<bool> = Bool, "`vrrp_notify_priority_changes`", Yes, "tell changes of the priority, too";
    global_tracking: bool = Flag, "off", Yes, "no effect; obsolete";
    sync_group_tracking_weight: bool = Flag, "off", Yes, "weights count in the group, too";
}

settings! {
    /// What `garp_group` holds.
    struct GarpGroupSettings in GarpGroup;
    garp_interval: Option<Duration> = Seconds(1, LONGEST), "0", Yes, "pause between two gratuitous ARP";
    gna_interval: Option<Duration> = Seconds(1, LONGEST), "0", Yes, "pause between two unsolicited NA";
    interface: Option<Spanned<String>> = Interface, "required", Yes, "the interface";
    interfaces: Vec<Spanned<String>> = Lines(shape::Lines::Interfaces), "required", Yes, "the interfaces";
}

settings! {
    /// What `track_group` holds.
    struct TrackGroupSettings in TrackGroup;
    group: Vec<Spanned<String>> = Lines(shape::Lines::Instances), "required", Yes, "the instances";
}
