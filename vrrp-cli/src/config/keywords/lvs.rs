//! The names of keepalived's keywords for IPVS, by the block they stand in.
//!
//! Names only: such blocks are not looked into, but a wrong brace in one must not take the rest of the file along.

use super::{Built, Context, Keyword, Meaning, Repeat, Shape};

/// One row for each name, without bounds on its values.
pub(super) fn rows() -> impl Iterator<Item = Keyword> {
    let plain = PLAIN
        .iter()
        .flat_map(|&(context, names)| names.split_ascii_whitespace().map(move |name| later(context, name, None)));
    let blocks = BLOCKS.iter().flat_map(|&(context, opens, names)| {
        names.split_ascii_whitespace().map(move |name| later(context, name, Some(opens)))
    });
    plain.chain(blocks)
}

fn later(context: Context, name: &'static str, opens: Option<Context>) -> Keyword {
    let row = Keyword::value(name, context, Shape::Flag, "", Built::NotYet, "");
    Keyword { values: (0, usize::MAX), opens, repeat: Repeat::Adds, meaning: Meaning::Later, ..row }
}

const BLOCKS: &[(Context, Context, &str)] = &[
    (Context::Root, Context::Opaque, "virtual_server_group SSL"),
    (Context::Root, Context::VirtualServer, "virtual_server"),
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
    (Context::Root, "include includer includem includew includeb includea"),
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
