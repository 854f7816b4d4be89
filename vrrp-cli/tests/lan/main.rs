//! Every test that runs daemons on a LAN of network namespaces, in one program: most of the time they wait for timers, so they
//! are run beside each other, which test programs are not; and one program is linked once.
//!
//! A file here is a module and must be named below. Knows nothing itself.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod accept;
mod announcements;
mod clouds;
mod common;
mod conflicts;
mod deaths;
mod demo;
mod entries;
mod firewall;
mod frr;
mod guardian;
mod handover;
mod interfaces;
mod interop;
mod isolation;
mod limits;
mod links;
mod mail;
mod namespaces;
mod noise;
mod notifications;
mod pair;
mod policy;
mod protocol;
mod reboots;
mod refusals;
mod remains;
mod repairs;
mod scripts;

mod shortages;
mod soak;
mod stalls;
mod state_rules;
mod surroundings;
mod tracker_troubles;
mod trackers;
mod unicast;
mod vmac;
mod web;
mod wire;
mod wire_v3;
