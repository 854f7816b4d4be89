//! `global_defs`: settings that are read and checked here.

use std::time::Duration;

use super::Built::{NotYet, Yes};
use super::settings;
use super::shape::Shape::{
    Bool, Choice, Command, Cpus, ExtraIf, File, Flag, Int, Interface, Lines, OptChoice, OptInt, OptPath, OptWord, Path,
    RxPolicy, Seconds, Secret, SmtpServer, SyncDaemon, Umask, WholeSeconds, Word, Words,
};
use super::shape::{self, LONGEST, MAIL_ADDRESS, WORD_MAX};
use crate::config::model::{ExtraInterfaces, Password, ReceiveBuffer, Script, SmtpHost, Spanned, SyncDaemonSetting};

const OCTETS: i64 = 2_147_483_647;
/// Seconds that fit into 32 bits of microseconds, as keepalived bounds them.
const LONGEST_DELAY: u64 = 4_294;

settings! {
    /// What `global_defs` sets beside the identity of the host. Unset is `None`, `false` or empty; the reference lists
    /// the defaults.
    struct GlobalSettings in Global, once vrrp_vmac_garp_intvl = vrrp_garp_extra_if, once vrrp_rlimit_rtime = vrrp_rlimit_rttime, once checker_rlimit_rtime = checker_rlimit_rttime, once bfd_rlimit_rtime = bfd_rlimit_rttime, once enable_snmp_keepalived = enable_snmp_vrrp;
    notification_email: Vec<String> = Lines(shape::Lines::Emails), "none", Yes, "whom to mail about transitions";
    notification_email_from: Option<String> = Word(MAIL_ADDRESS, WORD_MAX), "`USER@HOST`", Yes, "sender of mails";
    smtp_server: Option<SmtpHost> = SmtpServer, "none", Yes, "the server mails are given to";
    smtp_helo_name: Option<String> = Word("NAME", WORD_MAX), "the hostname", Yes, "name of this host for the mail server";
    smtp_connect_timeout: Option<Duration> = WholeSeconds(1, LONGEST_DELAY), "30", Yes, "how long to wait for the mail server";
    smtp_tls: Option<String> = Choice(&["none", "starttls", "tls"]), "none", Yes, "encryption on the way to the mail server; not in keepalived";
    smtp_ca_file: Option<Spanned<String>> = File, "the system's", Yes, "whom to believe the mail server's certificate; not in keepalived";
    smtp_user: Option<String> = Word("NAME", 255), "none", Yes, "name to log in with at the mail server; not in keepalived";
    smtp_password: Option<Password> = Secret(255), "none", Yes, "password of `smtp_user`; not in keepalived";
    smtp_password_file: Option<Spanned<String>> = File, "none", Yes, "file that holds the password, for its owner only; not in keepalived";
    smtp_alert: Option<bool> = Bool, "off", Yes, "mail about everything";
    smtp_alert_vrrp: Option<bool> = Bool, "off", Yes, "mail about virtual routers";
    smtp_alert_checker: Option<bool> = Bool, "off", NotYet, "mail about health checks";
    no_email_faults: bool = Flag, "off", Yes, "no mail about faults";
    startup_script: Option<Script> = Command, "none", NotYet, "run before anything else starts";
    shutdown_script: Option<Script> = Command, "none", NotYet, "run after everything else ended";
    startup_script_timeout: Option<Duration> = WholeSeconds(1, 1000), "10", NotYet, "how long `startup_script` may take";
    shutdown_script_timeout: Option<Duration> = WholeSeconds(1, 1000), "10", NotYet, "how long `shutdown_script` may take";
    process_names: bool = Flag, "off", NotYet, "name each process after its task";
    process_name: Option<String> = OptWord("NAME", 15), "keepalived", NotYet, "name of the process";
    vrrp_process_name: Option<String> = OptWord("NAME", 15), "keepalived_vrrp", NotYet, "name of the VRRP process";
    checker_process_name: Option<String> = OptWord("NAME", 15), "keepalived_lvs", NotYet, "name of the checker process";
    bfd_process_name: Option<String> = OptWord("NAME", 15), "keepalived_bfd", NotYet, "name of the BFD process";
    enable_script_security: bool = Flag, "off", Yes, "run no script as root that others can change";
    set_supplementary_groups: Option<bool> = Bool, "off", NotYet, "scripts get all groups of their user";
    use_symlink_paths: Option<bool> = Bool, "off", NotYet, "run scripts by the path as written";
    umask: Option<u32> = Umask, "0022", NotYet, "mode bits that new files do not get";
    random_seed: Option<u32> = Int(0, 4_294_967_295, ""), "the time", NotYet, "start of random numbers, for tests";

    vrrp_down_timer_adverts: Option<u8> = Int(1, 100, "adverts"), "3", Yes, "lost adverts until the master counts as down";
    vrrp_strict: bool = Flag, "off", Yes, "hold to the RFC strictly";
    vrrp_skip_check_adv_addr: Option<bool> = Bool, "off", Yes, "no effect: the addresses of every advert are compared, which costs nothing and drops nothing";
    vrrp_check_unicast_src: bool = Flag, "on", Yes, "drop unicast adverts of strangers, which is done in any case";
    vrrp_owner_ignore_adverts: Option<bool> = Bool, "on in VRRPv2, off in VRRPv3", Yes, "the owner of the addresses hears no adverts";
    vrrp_lower_prio_no_advert: Option<bool> = Bool, "off", Yes, "do not answer an advert of lower priority";
    vrrp_higher_prio_send_advert: Option<bool> = Bool, "on", Yes, "send one more advert before giving way";
    v3_checksum_as_v2: Option<bool> = Bool, "off", Yes, "VRRPv3's checksum over IPv4 without pseudo-header, as RFC 9568 wants it";
    vrrp_startup_delay: Option<Duration> = Seconds(1_000, LONGEST), "0", Yes, "no virtual router is master before so long after the start";
    vrrp_delay_after_boot: Option<Duration> = Seconds(1_000, LONGEST), "0", Yes, "the same, counted from the boot of the host; the longer one counts";
    log_unknown_vrids: bool = Flag, "off", NotYet, "log adverts of virtual routers that are not configured";
    dynamic_interfaces: Option<String> = OptChoice(&["allow_if_changes"]), "off", Yes, "an interface that does not exist at the start is waited for";
    default_interface: Option<Spanned<String>> = Interface, "eth0", Yes, "interface of static addresses without `dev`";
    disable_local_igmp: bool = Flag, "off", NotYet, "no IGMP reports for local groups";
    vmac_prefix: Option<String> = Word("NAME", 11), "vrrp", Yes, "how names of virtual interfaces begin";
    vmac_addr_prefix: Option<String> = Word("NAME", 11), "`vmac_prefix`", Yes, "the same for those of addresses";
    vrrp_rx_bufs_policy: Option<ReceiveBuffer> = RxPolicy, "the kernel's", NotYet, "size of the receive buffer";
    vrrp_rx_bufs_multiplier: Option<u32> = Int(1, OCTETS, ""), "3", NotYet, "so many adverts fit into the buffer";

    vrrp_garp_master_repeat: Option<u32> = Int(1, 2_147_483_647, "messages"), "5", Yes, "announcements in a burst";
    vrrp_garp_master_delay: Option<Duration> = WholeSeconds(0, LONGEST_DELAY), "5", Yes, "time until the second burst; 0: none";
    vrrp_garp_master_refresh: Option<Duration> = Seconds(0, LONGEST_DELAY * shape::SECOND), "0", Yes, "announce again so often, at most ten times a second; 0: never";
    vrrp_garp_master_refresh_repeat: Option<u32> = Int(1, 2_147_483_647, "messages"), "1", Yes, "announcements each time";
    vrrp_garp_lower_prio_delay: Option<Duration> = WholeSeconds(0, LONGEST_DELAY), "`vrrp_garp_master_delay`", Yes, "time until the second burst after an advert of lower priority";
    vrrp_garp_lower_prio_repeat: Option<u32> = Int(0, 2_147_483_647, "messages"), "`vrrp_garp_master_repeat`", Yes, "announcements after an advert of lower priority";
    vrrp_garp_interval: Option<Duration> = Seconds(0, LONGEST), "0", Yes, "pause between two gratuitous ARP on an interface";
    vrrp_gna_interval: Option<Duration> = Seconds(0, LONGEST), "0", Yes, "pause between two unsolicited NA on an interface";
    vrrp_min_garp: Option<bool> = Bool, "off", Yes, "one announcement and no second burst";
    vrrp_garp_extra_if: Option<ExtraInterfaces> = ExtraIf, "off", Yes, "announce on other interfaces of the addresses: on virtual ones, with `all` on all of them";

    address_lease: Option<Duration> = WholeSeconds(2, 3600), "none", Yes, "lifetime of virtual addresses, which is renewed three times in it: a host on which nothing runs any more loses them; not in keepalived";
    firewall_guard: Option<bool> = Bool, "on", Yes, "a backup that hears its master's adverts on the interface does not take over when a firewall of this host drops them, and the log says which rule is missing; not in keepalived";
    address_fight: Option<String> = Choice(&["keep", "step_down"]), "keep", Yes, "when another program goes on removing a master's address: put it back after pauses, or let another router serve; not in keepalived";
    handover: Option<String> = Choice(&["announced", "immediate"]), "announced", Yes, "when a master that is stopped on purpose lets go of an address: when its successor announces it, or at once; not in keepalived";

    vrrp_iptables: Option<Vec<String>> = Words("[IN_CHAIN [OUT_CHAIN]]", 0, 2), "none", Yes, "no effect: the rules of `no_accept` are nftables', in a table of their own";
    vrrp_ipsets: Option<Vec<String>> = Words("[NAME...]", 0, 7), "none", Yes, "no effect: the sets of addresses are nftables'";
    nftables: Option<String> = OptWord("TABLE", 31), "`vrrpctl`, or `vrrpctl_` and the name of the `instance`", Yes, "table of the family `inet` for `no_accept`, which exists while it is needed";
    nftables_priority: Option<i32> = Int(-2_147_483_648, OCTETS, ""), "-1", Yes, "priority of its chains";
    nftables_ifindex: bool = Flag, "off", Yes, "no effect: an interface is matched by its name, which it keeps when it is made anew";
    nftables_counters: bool = Flag, "off", Yes, "count in its rules";

    notify_fifo: Option<Script> = Command, "none", Yes, "named pipe for all events";
    vrrp_notify_fifo: Option<Script> = Command, "none", Yes, "named pipe for events of virtual routers";
    lvs_notify_fifo: Option<Script> = Command, "none", NotYet, "named pipe for events of health checks";
    notify_fifo_script: Option<Script> = Command, "none", Yes, "reads `notify_fifo`";
    vrrp_notify_fifo_script: Option<Script> = Command, "none", Yes, "reads `vrrp_notify_fifo`";
    lvs_notify_fifo_script: Option<Script> = Command, "none", NotYet, "reads `lvs_notify_fifo`";
    vrrp_notify_priority_changes: Option<bool> = Bool, "off", Yes, "tell changes of the priority, too";
    fifo_write_vrrp_states_on_reload: bool = Flag, "off", NotYet, "write all states after a reload";

    vrrp_priority: Option<i8> = Int(-20, 19, ""), "as started", Yes, "nice value of the threads that elect, set addresses and watch interfaces";
    checker_priority: Option<i8> = Int(-20, 19, ""), "0", NotYet, "nice value of the checker process";
    bfd_priority: Option<i8> = Int(-20, 19, ""), "0", NotYet, "nice value of the BFD process";
    vrrp_rt_priority: Option<u8> = Int(1, 99, ""), "off", Yes, "real-time priority (round robin) of the thread that elects, and of the guardian";
    checker_rt_priority: Option<u8> = Int(1, 99, ""), "off", NotYet, "real-time priority of the checker process";
    bfd_rt_priority: Option<u8> = Int(1, 99, ""), "off", NotYet, "real-time priority of the BFD process";
    max_auto_priority: Option<i8> = OptInt(-1, 99, 99, ""), "0", NotYet, "real-time priority that late timers lead to";
    min_auto_priority_delay: Option<u32> = Int(1, 10_000_000, "microseconds"), "1000000", NotYet, "how late counts as late";
    vrrp_rlimit_rttime: Option<u32> = Int(2, OCTETS, "microseconds"), "1000000", Yes, "longest real-time run without a pause; what runs longer loses its real-time priority, and a second later its life";
    checker_rlimit_rttime: Option<u32> = Int(2, OCTETS, "microseconds"), "10000", NotYet, "longest real-time run of the checker process";
    bfd_rlimit_rttime: Option<u32> = Int(2, OCTETS, "microseconds"), "10000", NotYet, "longest real-time run of the BFD process";
    vrrp_cpu_affinity: Option<Vec<u32>> = Cpus, "all", Yes, "CPUs of the threads that elect, set addresses and watch interfaces";
    checker_cpu_affinity: Option<Vec<u32>> = Cpus, "all", NotYet, "CPUs of the checker process";
    bfd_cpu_affinity: Option<Vec<u32>> = Cpus, "all", NotYet, "CPUs of the BFD process";
    vrrp_no_swap: bool = Flag, "off", Yes, "keep the memory of both processes from being swapped out";
    checker_no_swap: bool = Flag, "off", NotYet, "lock the checker process in memory";
    bfd_no_swap: bool = Flag, "off", NotYet, "lock the BFD process in memory";
    vrrp_netlink_cmd_rcv_bufs: Option<u32> = Int(0, OCTETS, "octets"), "the kernel's", NotYet, "receive buffer of netlink answers";
    vrrp_netlink_cmd_rcv_bufs_force: Option<bool> = Bool, "off", NotYet, "beyond the kernel's bound";
    vrrp_netlink_monitor_rcv_bufs: Option<u32> = Int(0, OCTETS, "octets"), "the kernel's", NotYet, "receive buffer of netlink events";
    vrrp_netlink_monitor_rcv_bufs_force: Option<bool> = Bool, "off", NotYet, "beyond the kernel's bound";
    lvs_netlink_cmd_rcv_bufs: Option<u32> = Int(0, OCTETS, "octets"), "the kernel's", NotYet, "the same for health checks";
    lvs_netlink_cmd_rcv_bufs_force: Option<bool> = Bool, "off", NotYet, "beyond the kernel's bound";
    lvs_netlink_monitor_rcv_bufs: Option<u32> = Int(0, OCTETS, "octets"), "the kernel's", NotYet, "the same for health checks";
    lvs_netlink_monitor_rcv_bufs_force: Option<bool> = Bool, "off", NotYet, "beyond the kernel's bound";
    process_monitor_rcv_bufs: Option<u32> = Int(0, OCTETS, "octets"), "the kernel's", NotYet, "receive buffer of process events";
    process_monitor_rcv_bufs_force: Option<bool> = Bool, "off", NotYet, "beyond the kernel's bound";

    snmp_socket: Option<String> = Word("SOCKET", WORD_MAX), "unix:/var/agentx/master", NotYet, "where the SNMP agent listens";
    enable_traps: bool = Flag, "off", NotYet, "send SNMP traps";
    enable_snmp_vrrp: bool = Flag, "off", NotYet, "SNMP of virtual routers";
    enable_snmp_checker: bool = Flag, "off", NotYet, "SNMP of health checks";
    enable_snmp_rfc: bool = Flag, "off", NotYet, "SNMP as RFC 2787 and RFC 6527 have it";
    enable_snmp_rfcv2: bool = Flag, "off", NotYet, "SNMP as RFC 2787 has it";
    enable_snmp_rfcv3: bool = Flag, "off", NotYet, "SNMP as RFC 6527 has it";
    snmp_vs_stats_update_interval: Option<Duration> = Seconds(1_000, 30 * shape::SECOND), "5", NotYet, "age of figures of virtual servers";
    snmp_rs_stats_update_interval: Option<Duration> = Seconds(1_000, 30 * shape::SECOND), "5", NotYet, "age of figures of real servers";
    enable_dbus: bool = Flag, "off", NotYet, "signals on D-Bus";
    dbus_service_name: Option<String> = Word("NAME", 255), "org.keepalived.Vrrp1", NotYet, "name on D-Bus";
    dbus_no_interface_name: Option<String> = Word("NAME", 15), "none", NotYet, "stands for no interface on D-Bus";
    json_version: Option<u8> = Int(1, 2, ""), "1", NotYet, "layout of the JSON file";

    reload_check_config: Option<String> = OptPath, "off", NotYet, "check the file before a reload; log of the check";
    reload_time_file: Option<String> = Path, "none", NotYet, "file that holds the time of a reload";
    reload_repeat: bool = Flag, "off", NotYet, "keep that file afterwards";
    reload_file: Option<String> = OptPath, "none", NotYet, "file whose appearance makes a reload";
    include_check: Option<Vec<String>> = Words("[+|-]read|match|wildcard_match|brace_match|all...", 1, 16), "lenient", NotYet, "which missing includes are errors";
    config_save_dir: Option<String> = Path, "none", NotYet, "where to write the configuration as read";
    tmp_config_directory: Option<String> = Path, "memory", NotYet, "where to keep the joined configuration";
    iproute_usr_dir: Option<String> = Path, "the distribution's", Yes, "where iproute keeps names";
    iproute_etc_dir: Option<String> = Path, "the distribution's", Yes, "where iproute keeps local names";
    data_use_instance: Option<bool> = Bool, "off", NotYet, "name of the daemon in names of dumps";
    state_dump_file: Option<String> = Path, "`/run/vrrpctl/NAME.status`", Yes, "where SIGUSR1 writes the state; NAME is that of the `instance`, or the process id";
    stats_dump_file: Option<String> = Path, "`/run/vrrpctl/NAME.stats`", Yes, "where SIGUSR2 writes the counters and how late deadlines were met";
    json_dump_file: Option<String> = Path, "/tmp/keepalived.json", NotYet, "where to write the state as JSON";

    lvs_sync_daemon: Option<SyncDaemonSetting> = SyncDaemon, "none", NotYet, "IPVS sync daemon that follows an instance";
    lvs_timeouts: Option<Vec<String>> = Words("[tcp SECONDS] [tcpfin SECONDS] [udp SECONDS]", 2, 6), "the kernel's", NotYet, "timeouts of IPVS";
    lvs_flush: bool = Flag, "off", NotYet, "empty IPVS at the start";
    lvs_flush_on_stop: Option<String> = OptChoice(&["VS"]), "off", NotYet, "empty IPVS at the end";
    nftables_ipvs: Option<String> = OptWord("TABLE", 31), "keepalived_ipvs", NotYet, "table for groups of IPVS";
    nftables_ipvs_priority: Option<i32> = Int(-2_147_483_648, OCTETS, ""), "-1", NotYet, "priority of its chains";
    nftables_ipvs_start_fwmark: Option<u32> = Int(1, 4_294_967_295, ""), "1000", NotYet, "first firewall mark for IPVS";
    checker_log_all_failures: Option<bool> = Bool, "off", NotYet, "log each failed health check";
    rs_init_notifies: bool = Flag, "off", NotYet, "notify of real servers at the start";
    no_checker_emails: bool = Flag, "off", NotYet, "no mail about health checks";
}
