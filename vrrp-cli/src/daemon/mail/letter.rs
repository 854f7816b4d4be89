//! What is mailed: the subject keepalived's users filter by, and a body that says who, what, why and when.

use std::time::SystemTime;

use vrrp_core::node::Condition;

/// A mail about a change of state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::daemon) struct Letter {
    /// One line.
    pub(in crate::daemon) subject: String,
    pub(in crate::daemon) body: String,
    pub(in crate::daemon) written: SystemTime,
}

/// What a letter tells.
#[derive(Clone, Copy, Debug)]
pub(in crate::daemon) struct News<'n> {
    /// Name of this host.
    pub(in crate::daemon) router_id: &'n str,
    /// A virtual router, or a group of them.
    pub(in crate::daemon) group: bool,
    pub(in crate::daemon) name: &'n str,
    pub(in crate::daemon) condition: Condition,
    /// Of a virtual router.
    pub(in crate::daemon) priority: u8,
    /// What led to it; may be empty.
    pub(in crate::daemon) why: &'n str,
    pub(in crate::daemon) at: SystemTime,
}

impl Letter {
    pub(in crate::daemon) fn new(news: News<'_>) -> Self {
        let News { router_id, group, name, condition, priority, why, at } = news;
        let kind = if group { "Group" } else { "Instance" };
        let subject = one_line(&format!("[{router_id}] VRRP {kind} {name} - Entering {condition} state"));
        let mut lines = vec![
            format!("Router:   {router_id}"),
            format!("{:<10}{name}", format!("{kind}:")),
            format!("State:    {condition}"),
        ];
        if !why.is_empty() {
            lines.push(format!("Why:      {why}"));
        }
        if !group {
            lines.push(format!("Priority: {priority}"));
        }
        lines.push(format!("Time:     {}", httpdate::fmt_http_date(at)));
        let body = lines.iter().map(|line| one_line(line) + "\r\n").collect();
        Self { subject, body, written: at }
    }
}

/// A name that holds a line break must not begin a header of its own.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
