//! `vrrpctl show-config`: the configuration that is in effect, after includes, expansion and defaults.
//!
//! As text that the reader reads to the same configuration again, or as JSON. Decides nothing about values: they say
//! their own words.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Map, Value, json};
use vrrp_core::Version;

use crate::check::render;
use crate::config::model::{Garp, Item, Named, Shown, Written};
use crate::config::{self, Config, Global, Initial, Instance, Options, keywords};
use crate::daemon::EXIT_REFUSED;

mod word;

use self::word::{command, seconds, word};

/// What stands for a secret.
pub const MASK: &str = "********";

/// How a configuration is shown.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ShowOptions {
    /// As JSON, not as configuration text.
    pub json: bool,
    /// Passwords and keys as they are, not masked.
    pub secrets: bool,
    /// Also, as comments, what is not set and what holds instead.
    pub defaults: bool,
}

/// Prints the file's configuration; its diagnostics go to standard error.
///
/// Exit status: 0, or 2 when the file has errors.
pub fn run(path: &Path, options: &Options, show: ShowOptions) -> ExitCode {
    let loaded = config::load_with(path, options);
    let color = render::stderr_has_color();
    for diagnostic in &loaded.diagnostics {
        render::eprint(&loaded.sources.render(diagnostic, color));
    }
    let Some(config) = &loaded.config else { return ExitCode::from(EXIT_REFUSED) };
    let shown = if show.json { format!("{:#}\n", as_json(config, show)) } else { as_text(config, show) };
    render::print(&shown)
}

/// The configuration as text. With [`ShowOptions::secrets`], reading it gives the same configuration.
pub fn as_text(config: &Config, options: ShowOptions) -> String {
    let mut text = String::new();
    for block in blocks(config, options) {
        let depth = usize::from(block.keyword.is_some());
        if !text.is_empty() {
            text.push('\n');
        }
        if let Some(keyword) = block.keyword {
            let name = block.name.as_ref().map(|name| format!(" {}", word(name))).unwrap_or_default();
            text.extend([keyword, name.as_str(), " {\n"]);
        }
        for (keyword, written) in &block.settings {
            write_setting(&mut text, keyword, written, depth, options);
        }
        for (keyword, default) in &block.defaults {
            indent(&mut text, depth);
            text.extend(["# ", *keyword, ": ", default.as_str(), "\n"]);
        }
        if block.keyword.is_some() {
            text.push_str("}\n");
        }
    }
    text
}

/// The configuration as JSON: an object with a member for each setting of the top level, an object for `global_defs`,
/// and for each other kind of block an array of objects with their `name`.
///
/// Numbers are numbers, times are seconds, a keyword without value is `true`, several values and lines of lists are
/// arrays, a line of several words is a text.
pub fn as_json(config: &Config, options: ShowOptions) -> Value {
    let mut root = Map::new();
    for block in blocks(config, options) {
        let mut object = Map::new();
        object.extend(block.name.map(|name| ("name".to_owned(), Value::String(name))));
        object.extend(block.settings.iter().map(|(name, written)| ((*name).to_owned(), json_of(written, options))));
        if !block.defaults.is_empty() {
            let defaults = block.defaults.into_iter().map(|(name, text)| (name.to_owned(), Value::String(text)));
            object.insert("defaults".to_owned(), Value::Object(defaults.collect()));
        }
        match block.keyword {
            None => root.extend(object),
            Some(keyword @ "global_defs") => {
                root.insert(keyword.to_owned(), Value::Object(object));
            }
            Some(keyword) => {
                let list = root.entry(keyword).or_insert_with(|| json!([]));
                if let Value::Array(list) = list {
                    list.push(Value::Object(object));
                }
            }
        }
    }
    Value::Object(root)
}

type Settings = Vec<(&'static str, Written)>;

/// A block of the top level; the top level itself has no keyword.
struct Block {
    keyword: Option<&'static str>,
    name: Option<String>,
    settings: Settings,
    defaults: Vec<(&'static str, String)>,
}

fn blocks(config: &Config, options: ShowOptions) -> Vec<Block> {
    use keywords::Context as C;
    let mut blocks = Vec::new();
    let mut add = |keyword, name: Option<&str>, context, settings: Settings, effective: Settings| {
        let name = name.filter(|name| !name.is_empty()).map(str::to_owned);
        let defaults = if options.defaults { defaults(context, &settings, &effective) } else { Vec::new() };
        blocks.push(Block { keyword, name, settings, defaults });
    };
    let process = visited(|see| config.process.visit(see));
    if !process.is_empty() {
        add(None, None, C::Opaque, process, Vec::new());
    }
    add(Some("global_defs"), None, C::Global, global(&config.global), Vec::new());
    macro_rules! named {
        ($($list:expr, $keyword:literal, $context:expr;)*) => {$(
            for Named { name, settings } in &$list {
                let settings = visited(|see| settings.visit(see));
                add(Some($keyword), Some(name.value.as_str()), $context, settings, Vec::new());
            }
        )*};
    }
    named! {
        config.scripts, "vrrp_script", C::Script;
        config.files, "track_file", C::TrackFile;
        config.processes, "vrrp_track_process", C::TrackProcess;
        config.bfd, "bfd_instance", C::Bfd;
        config.garp_groups, "garp_group", C::GarpGroup;
        config.track_groups, "track_group", C::TrackGroup;
        config.sync_groups, "vrrp_sync_group", C::SyncGroup;
    }
    for entry in &config.instances {
        let garp = if options.defaults { garp(entry, &config.global) } else { Vec::new() };
        add(Some("vrrp_instance"), Some(entry.name.as_str()), C::Instance, instance(entry), garp);
    }
    blocks
}

fn visited(visit: impl FnOnce(&mut dyn FnMut(&'static str, &dyn Shown))) -> Settings {
    let mut settings = Vec::new();
    visit(&mut |name, value| settings.extend(value.show().map(|written| (name, octal(name, written)))));
    settings
}

/// Mode bits are the only number that is written in base 8.
fn octal(name: &str, written: Written) -> Written {
    match written {
        Written::Line(items) if name == "umask" => Written::Line(
            items
                .into_iter()
                .map(|item| if let Item::Number(number) = item { Item::Text(format!("{number:04o}")) } else { item })
                .collect(),
        ),
        written => written,
    }
}

fn line(word: &(impl ToString + ?Sized)) -> Written {
    Written::Line(vec![Item::Text(word.to_string())])
}

fn number(number: impl Into<i64>) -> Written {
    Written::Line(vec![Item::Number(number.into())])
}

fn version(version: Version) -> Written {
    number(match version {
        Version::V2 => 2,
        Version::V3 => 3,
    })
}

fn global(global: &Global) -> Settings {
    let mut settings: Settings = Vec::new();
    settings.extend(global.router_id.as_ref().map(|id| ("router_id", line(id))));
    settings.push(("vrrp_version", version(global.version)));
    settings.push(("vrrp_mcast_group4", line(&global.mcast_group4)));
    if global.mcast_group6 != Global::default().mcast_group6 {
        settings.push(("vrrp_mcast_group6", line(&global.mcast_group6)));
    }
    settings.extend(global.script_user.show().map(|owner| ("script_user", owner)));
    settings.extend(visited(|see| global.settings.visit(see)));
    settings
}

fn instance(instance: &Instance) -> Settings {
    let state = if instance.initial == Initial::Master { "MASTER" } else { "BACKUP" };
    let mut settings: Settings = vec![
        ("state", line(state)),
        ("virtual_router_id", number(instance.vrid.get())),
        ("priority", number(instance.priority.get())),
        ("version", version(instance.version)),
        ("advert_int", Written::Line(vec![Item::Seconds(instance.interval.duration())])),
    ];
    if instance.route_to.is_none() {
        settings.insert(1, ("interface", line(&instance.interface.value)));
    }
    settings.push((if instance.preempt { "preempt" } else { "nopreempt" }, Written::Line(Vec::new())));
    settings.extend(instance.mcast_source.show().map(|source| ("mcast_src_ip", source)));
    if let Some(password) = &instance.password {
        let pass = Written::Line(vec![Item::Secret(word::password(password.octets()))]);
        let kind = line(if instance.authentication_header { "AH" } else { "PASS" });
        settings.push(("authentication", Written::Block(vec![("auth_type", kind), ("auth_pass", pass)])));
    }
    settings.extend(instance.addresses.show().map(|addresses| ("virtual_ipaddress", addresses)));
    let notify = &instance.notify;
    for (keyword, script) in [
        ("notify_master", &notify.master),
        ("notify_backup", &notify.backup),
        ("notify_fault", &notify.fault),
        ("notify_stop", &notify.stop),
        ("notify", &notify.generic),
    ] {
        settings.extend(script.show().map(|script| (keyword, script)));
    }
    settings.extend(visited(|see| instance.settings().visit(see)));
    settings
}

/// The announcements that are in effect, whoever set them.
fn garp(instance: &Instance, global: &Global) -> Settings {
    let garp = Garp::of(instance, global);
    vec![
        ("garp_master_repeat", number(garp.repeat)),
        ("garp_master_delay", Written::Line(vec![Item::Seconds(garp.delay)])),
        ("garp_master_refresh", Written::Line(vec![Item::Seconds(garp.refresh)])),
        ("garp_master_refresh_repeat", number(garp.refresh_repeat)),
        ("garp_lower_prio_delay", Written::Line(vec![Item::Seconds(garp.lower_prio_delay)])),
        ("garp_lower_prio_repeat", number(garp.lower_prio_repeat)),
    ]
}

/// What is not set, and what holds instead: what was worked out, or what the table of keywords says.
fn defaults(context: keywords::Context, set: &Settings, effective: &Settings) -> Vec<(&'static str, String)> {
    let unset = keywords::rows().filter(|row| {
        row.context == context && row.renamed.is_none() && !set.iter().any(|(name, _)| *name == row.name)
    });
    unset
        .filter_map(|row| {
            let worked_out = effective.iter().find(|(name, _)| *name == row.name);
            let text = match worked_out {
                Some((_, Written::Line(items))) => line_text(items, ShowOptions::default()),
                _ => row.default.replace('`', ""),
            };
            (!matches!(text.as_str(), "" | "preempt") && !text.starts_with("required")).then_some((row.name, text))
        })
        .collect()
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("    ", depth));
}

fn write_setting(text: &mut String, keyword: &str, written: &Written, depth: usize, options: ShowOptions) {
    let mut row = |depth: usize, content: &str| {
        indent(text, depth);
        text.push_str(content.trim_end());
        text.push('\n');
    };
    match written {
        Written::Line(items) => row(depth, &format!("{keyword} {}", line_text(items, options))),
        Written::Each(lines) => {
            for items in lines {
                row(depth, &format!("{keyword} {}", line_text(items, options)));
            }
        }
        Written::Lines(lines) => {
            row(depth, &format!("{keyword} {{"));
            for items in lines {
                row(depth + 1, &line_text(items, options));
            }
            row(depth, "}");
        }
        Written::Block(settings) => {
            row(depth, &format!("{keyword} {{"));
            for (keyword, written) in settings {
                write_setting(text, keyword, written, depth + 1, options);
            }
            indent(text, depth);
            text.push_str("}\n");
        }
    }
}

fn line_text(items: &[Item], options: ShowOptions) -> String {
    let words: Vec<String> = items
        .iter()
        .map(|item| match item {
            Item::Text(text) => word(text),
            Item::Number(number) => number.to_string(),
            Item::Seconds(time) => seconds(*time),
            Item::Switch(on) => if *on { "on" } else { "off" }.to_owned(),
            Item::Secret(secret) if options.secrets => word(secret),
            Item::Secret(_) => MASK.to_owned(),
            Item::Command { words, user, group } => command(words, user.as_deref(), group.as_deref()),
        })
        .collect();
    words.join(" ")
}

fn json_of(written: &Written, options: ShowOptions) -> Value {
    match written {
        Written::Line(items) => match items.as_slice() {
            [] => Value::Bool(true),
            [item] => json_item(item, options),
            items => items.iter().map(|item| json_item(item, options)).collect(),
        },
        Written::Lines(lines) => lines
            .iter()
            .map(|items| match items.as_slice() {
                [item] => json_item(item, options),
                items => Value::String(line_text(items, options)),
            })
            .collect(),
        Written::Each(lines) => {
            lines.iter().map(|items| items.iter().map(|item| json_item(item, options)).collect::<Value>()).collect()
        }
        Written::Block(settings) => Value::Object(
            settings.iter().map(|(name, written)| ((*name).to_owned(), json_of(written, options))).collect(),
        ),
    }
}

fn json_item(item: &Item, options: ShowOptions) -> Value {
    match item {
        Item::Text(text) => Value::String(text.clone()),
        Item::Number(number) => json!(number),
        Item::Seconds(time) => json!(time.as_secs_f64()),
        Item::Switch(on) => json!(on),
        Item::Secret(secret) if options.secrets => Value::String(secret.clone()),
        Item::Secret(_) => Value::String(MASK.to_owned()),
        Item::Command { words, user, group } => json!({ "command": words, "user": user, "group": group }),
    }
}
