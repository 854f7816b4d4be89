//! From the lines of routes and rules to what the kernel takes: names of tables, protocols, scopes and realms become
//! numbers, texts become attributes.
//!
//! Whatever a line asks for and cannot have is reported here, at its place, before anything on the host changes. Asks the
//! host for nothing but iproute2's tables of names; knows neither interfaces nor elections.

mod encap;
mod names;
mod route;
mod rule;
#[cfg(test)]
mod tests;

use vrrp_netlink::routes::Route;
use vrrp_netlink::rules::Rule;

use crate::config::model::{self, AddressOption};
use crate::config::{Code, Config, Diagnostic, Span, Spanned};

pub(crate) use names::Names;

/// Number of routes made by keepalived among the protocols of iproute2, and of those made here.
const PROTOCOL: u8 = 18;
/// Priority of the first rule that names none; the following ones count down, as in keepalived.
const FIRST_PRIORITY: u32 = 16_384;

/// A route or rule for the kernel, and what the daemon needs to know besides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Planned<T> {
    /// For the kernel, its interfaces not yet filled in.
    pub(crate) object: T,
    /// The interfaces of a route's next hops, in their order.
    pub(crate) devices: Vec<Option<Spanned<String>>>,
    /// It is put back when somebody removes it.
    pub(crate) tracked: bool,
    /// The instances of this group fail without it.
    pub(crate) group: Option<Spanned<String>>,
    /// The line.
    pub(crate) span: Span,
}

/// The routes and rules of one instance, or of the host.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Entries {
    pub(crate) routes: Vec<Planned<Route>>,
    pub(crate) rules: Vec<Planned<Rule>>,
}

/// The routes and rules of a configuration.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Routing {
    /// Those that are there whoever is master.
    pub(crate) statics: Entries,
    /// By instance.
    pub(crate) instances: Vec<Entries>,
    /// What is wrong, or has no effect.
    pub(crate) findings: Vec<Diagnostic>,
}

impl Routing {
    /// Translates every line of `config`; one with an error is left out.
    pub(crate) fn plan(config: &Config, names: &Names) -> Self {
        let mut planner = Planner { names, next_priority: FIRST_PRIORITY, findings: Vec::new() };
        let process = &config.process;
        let statics = planner.entries(&process.static_routes, &process.static_rules);
        let instances = config.instances.iter().map(|instance| {
            let settings = instance.settings();
            planner.entries(&settings.virtual_routes, &settings.virtual_rules)
        });
        let instances: Vec<_> = instances.collect();
        for (instance, entries) in config.instances.iter().zip(&instances) {
            let excluded = &instance.settings().virtual_ipaddress_excluded;
            let addresses = instance.addresses.iter().chain(excluded).filter_map(|address| {
                let grouped = |option: &AddressOption| matches!(option, AddressOption::TrackGroup(_));
                address.options.iter().any(grouped).then_some(address.span)
            });
            let routes = entries.routes.iter().filter(|route| route.group.is_some()).map(|route| route.span);
            let rules = entries.rules.iter().filter(|rule| rule.group.is_some()).map(|rule| rule.span);
            for span in addresses.chain(routes).chain(rules) {
                let message = "`track_group` has no effect here: it is for static entries".to_owned();
                planner.useless(span, message, "remove it, or move the line to the static ones");
            }
        }
        Self { statics, instances, findings: planner.findings }
    }

    /// Whether there is nothing to install.
    pub(crate) fn is_empty(&self) -> bool {
        self.statics.is_empty() && self.instances.iter().all(Entries::is_empty)
    }
}

impl Entries {
    fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.rules.is_empty()
    }
}

struct Planner<'n> {
    names: &'n Names,
    next_priority: u32,
    findings: Vec<Diagnostic>,
}

impl Planner<'_> {
    fn entries(&mut self, routes: &[model::Route], rules: &[model::Rule]) -> Entries {
        let mut entries = Entries::default();
        for line in routes {
            match self.route(line) {
                Ok(route) => entries.routes.push(route),
                Err(refused) => self.findings.push(*refused),
            }
        }
        for line in rules {
            match self.rule(line) {
                Ok(rule) => entries.rules.push(rule),
                Err(refused) => self.findings.push(*refused),
            }
        }
        entries
    }

    fn useless(&mut self, span: Span, message: String, help: &str) {
        self.findings.push(Diagnostic::new(Code::OptionUseless, span, message).help(help));
    }
}

type Refused = Box<Diagnostic>;

/// A line that contradicts itself, or that the kernel would refuse in any case.
#[expect(clippy::unnecessary_box_returns, reason = "its callers have it in a `Result`")]
fn bad(span: Span, message: impl Into<String>, help: &str) -> Refused {
    Box::new(Diagnostic::new(Code::BadLine, span, message.into()).help(help))
}

/// Source and destination realm as the kernel packs them.
fn realms(names: &Names, text: &str, span: Span) -> Result<u32, Refused> {
    let number = |text: &str| names.realm(text).ok_or_else(|| names.unknown(names::Kind::Realm, text, span));
    let (source, destination) = match text.split_once('/') {
        Some((source, destination)) => (number(source)?, number(destination)?),
        None => (0, number(text)?),
    };
    Ok(u32::from(source) << 16 | u32::from(destination))
}
