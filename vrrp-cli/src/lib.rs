//! The library behind `vrrpctl`: configuration text, policy of the daemon, threads. Contains no protocol rule: those are in
//! [`vrrp_core`]; what needs the Linux kernel is in [`vrrp_netlink`].

pub mod check;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod fmt;
pub mod lab;
mod routing;
pub mod show;
