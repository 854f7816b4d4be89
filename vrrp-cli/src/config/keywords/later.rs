//! The names of keepalived's keywords that are not supported yet, by the block they stand in.
//!
//! Names only: what follows such a keyword is not looked at.

use super::{Context, Keyword, Meaning, Repeat};

/// One row for each name, without bounds on its values.
pub(super) fn keywords() -> impl Iterator<Item = Keyword> {
    let plain = PLAIN
        .iter()
        .flat_map(|&(context, names)| names.split_ascii_whitespace().map(move |name| later(context, name, None)));
    let blocks = BLOCKS.iter().flat_map(|&(context, opens, names)| {
        names.split_ascii_whitespace().map(move |name| later(context, name, Some(opens)))
    });
    plain.chain(blocks)
}

fn later(context: Context, name: &'static str, opens: Option<Context>) -> Keyword {
    Keyword {
        name,
        context,
        values: (0, usize::MAX),
        opens,
        repeat: Repeat::Adds,
        meaning: Meaning::Later,
        usage: "",
        doc: "",
    }
}

const BLOCKS: &[(Context, Context, &str)] = &[
    (
        Context::Root,
        Context::Opaque,
        "track_group static_ipaddress static_routes static_rules linkbeat_interfaces \
        interface_up_down_delays virtual_server_group SSL",
    ),
    (Context::Root, Context::SyncGroup, "vrrp_sync_group"),
    (Context::Root, Context::Script, "vrrp_script"),
    (Context::Root, Context::TrackFile, "track_file vrrp_track_file"),
    (Context::Root, Context::TrackProcess, "vrrp_track_process"),
    (Context::Root, Context::Bfd, "bfd_instance"),
    (Context::Root, Context::GarpGroup, "garp_group"),
    (Context::Root, Context::VirtualServer, "virtual_server"),
    (Context::Global, Context::Opaque, "notification_email"),
    (
        Context::Instance,
        Context::Opaque,
        "track_interface track_script track_file track_process track_bfd \
        virtual_ipaddress_excluded virtual_routes virtual_rules unicast_peer",
    ),
    (Context::Instance, Context::AuthHmac, "auth_hmac"),
    (Context::SyncGroup, Context::Opaque, "group track_interface track_script track_file track_process track_bfd"),
    (Context::GarpGroup, Context::Opaque, "interfaces"),
    (Context::VirtualServer, Context::RealServer, "real_server"),
    (
        Context::RealServer,
        Context::Checker,
        "TCP_CHECK HTTP_GET SSL_GET SMTP_CHECK DNS_CHECK MISC_CHECK PING_CHECK \
        UDP_CHECK FILE_CHECK BFD_CHECK",
    ),
    (Context::Checker, Context::Url, "url"),
    (Context::Checker, Context::Opaque, "host"),
];

const PLAIN: &[(Context, &str)] = &[
    (
        Context::Root,
        "net_namespace net_namespace_ipvs namespace_with_ipsets instance use_pid_dir child_wait_time \
        linkbeat_use_polling include includer includem includew includeb includea",
    ),
    (
        Context::Global,
        "notification_email_from smtp_server smtp_helo_name smtp_connect_timeout smtp_alert \
        smtp_alert_vrrp smtp_alert_checker no_email_faults startup_script shutdown_script startup_script_timeout \
        shutdown_script_timeout process_names process_name vrrp_process_name checker_process_name bfd_process_name \
        script_user enable_script_security set_supplementary_groups use_symlink_paths umask random_seed \
        vrrp_down_timer_adverts vrrp_strict vrrp_skip_check_adv_addr vrrp_check_unicast_src \
        vrrp_owner_ignore_adverts vrrp_lower_prio_no_advert vrrp_higher_prio_send_advert \
        vrrp_startup_delay vrrp_delay_after_boot log_unknown_vrids dynamic_interfaces default_interface \
        disable_local_igmp vmac_prefix vmac_addr_prefix vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier \
        vrrp_garp_master_repeat vrrp_garp_master_delay vrrp_garp_master_refresh vrrp_garp_master_refresh_repeat \
        vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat vrrp_garp_interval vrrp_gna_interval vrrp_min_garp \
        vrrp_garp_extra_if vrrp_vmac_garp_intvl vrrp_iptables vrrp_ipsets nftables nftables_priority \
        nftables_ifindex nftables_counters notify_fifo vrrp_notify_fifo lvs_notify_fifo notify_fifo_script \
        vrrp_notify_fifo_script lvs_notify_fifo_script vrrp_notify_priority_changes fifo_write_vrrp_states_on_reload \
        vrrp_priority checker_priority bfd_priority vrrp_rt_priority checker_rt_priority bfd_rt_priority \
        max_auto_priority min_auto_priority_delay vrrp_rlimit_rttime checker_rlimit_rttime bfd_rlimit_rttime \
        vrrp_rlimit_rtime checker_rlimit_rtime bfd_rlimit_rtime vrrp_cpu_affinity checker_cpu_affinity \
        bfd_cpu_affinity vrrp_no_swap checker_no_swap bfd_no_swap vrrp_netlink_cmd_rcv_bufs \
        vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force \
        lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs \
        lvs_netlink_monitor_rcv_bufs_force process_monitor_rcv_bufs process_monitor_rcv_bufs_force snmp_socket \
        enable_traps enable_snmp_vrrp enable_snmp_keepalived enable_snmp_checker enable_snmp_rfc enable_snmp_rfcv2 \
        enable_snmp_rfcv3 snmp_vs_stats_update_interval snmp_rs_stats_update_interval enable_dbus dbus_service_name \
        dbus_no_interface_name json_version reload_check_config reload_time_file reload_repeat reload_file \
        include_check config_save_dir tmp_config_directory iproute_usr_dir iproute_etc_dir data_use_instance \
        state_dump_file stats_dump_file json_dump_file lvs_sync_daemon lvs_timeouts lvs_flush lvs_flush_on_stop \
        nftables_ipvs checker_log_all_failures rs_init_notifies no_checker_emails",
    ),
    (
        Context::Instance,
        "vrf down_timer_adverts dont_track_primary no_virtual_ipaddress promote_secondaries \
        no_accept preempt_delay timer_expired_backup thread_timer_expired strict_mode skip_check_adv_addr \
        owner_ignore_adverts lower_prio_no_advert higher_prio_send_advert garp_master_delay garp_master_repeat \
        garp_master_refresh garp_master_refresh_repeat garp_lower_prio_delay garp_lower_prio_repeat garp_extra_if \
        vmac_garp_intvl use_vmac use_vmac_addr vmac_xmit_base use_ipvlan unicast_src_ip mcast_dst_ip track_src_ip \
        unicast_ttl check_unicast_src unicast_fault_no_peer old_unicast_checksum native_ipv6 \
        linkbeat_use_polling kernel_rx_buf_size debug lvs_sync_daemon_interface smtp_alert notify_deleted \
        notify_master_rx_lower_pri notify_priority_changes",
    ),
    (Context::AuthHmac, "key active_key anti_replay time_window mode"),
    (Context::Script, "script interval timeout weight rise fall user init_fail"),
    (
        Context::SyncGroup,
        "notify_master notify_backup notify_fault notify_stop notify smtp_alert \
        notify_priority_changes global_tracking sync_group_tracking_weight",
    ),
    (Context::TrackFile, "file weight init_file"),
    (
        Context::TrackProcess,
        "process param_match full_command weight quorum quorum_max delay terminate_delay \
        fork_delay",
    ),
    (
        Context::Bfd,
        "neighbor_ip neighbour_ip source_ip min_rx min_tx idle_tx multiplier passive ttl hoplimit \
        max_hops multihop weight vrrp checker",
    ),
    (Context::GarpGroup, "garp_interval gna_interval interface"),
    (
        Context::VirtualServer,
        "ip_family protocol lb_algo lvs_sched lb_kind lvs_method hashed ops flag-1 flag-2 \
        flag-3 sh-port sh-fallback mh-port mh-fallback persistence_timeout persistence_granularity \
        persistence_engine delay_loop retry delay_before_retry connect_timeout warmup inhibit_on_failure alpha \
        omega quorum hysteresis quorum_up quorum_down weight sorry_server sorry_server_inhibit \
        sorry_server_lvs_method ha_suspend virtualhost smtp_alert snmp_name",
    ),
    (
        Context::RealServer,
        "weight lvs_method uthreshold lthreshold inhibit_on_failure notify_up notify_down alpha \
        retry delay_before_retry warmup connect_timeout delay_loop smtp_alert virtualhost snmp_name",
    ),
    (
        Context::Checker,
        "connect_ip connect_port bindto bind_port bind_if connect_timeout fwmark retry \
        delay_before_retry warmup delay_loop alpha log_all_failures http_protocol virtualhost fast_recovery \
        enable_sni sni_name tls_compliant nb_get_retry helo_name type name misc_path misc_timeout misc_dynamic user \
        payload require_reply min_reply_length max_reply_length track_file weight",
    ),
    (
        Context::Url,
        "path status_code digest virtualhost regex regex_no_match regex_options regex_stack \
        regex_min_offset regex_max_offset tls_compliant",
    ),
];
