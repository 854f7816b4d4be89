//! The words of the language: where each may stand, what follows it, what it means.
//!
//! One table drives the detection of unknown, misplaced and misspelt keywords, the reading and checking of values, the
//! recovery from a missing or doubled brace, and the reference in `docs/`. It knows all of keepalived's keywords, also
//! those whose feature is not built yet ([`Built`]), so that "not supported" is never taken for "misspelt". Its rows
//! stand in one file for each kind of block, beside the struct that their values go to.

use std::collections::HashMap;
use std::sync::LazyLock;

mod basic;
pub(crate) mod blocks;
pub(crate) mod global;
pub(crate) mod instance;
mod lvs;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod samples;
pub(crate) mod shape;
#[cfg(test)]
mod tests;

pub(crate) use self::basic::{AuthSetting, GlobalSetting, InstanceSetting, RootBlock};
pub(crate) use self::shape::{Lines, Shape};

/// A kind of block, by what may stand in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Context {
    Root,
    Global,
    Instance,
    Authentication,
    /// Lines that begin with an address, not with a keyword.
    Addresses,
    AuthHmac,
    Script,
    SyncGroup,
    TrackFile,
    TrackProcess,
    Bfd,
    GarpGroup,
    TrackGroup,
    VirtualServer,
    RealServer,
    Checker,
    Url,
    /// A block whose lines do not begin with keywords, or an unknown one.
    Opaque,
}

impl Context {
    /// Completes the sentence "not allowed ...".
    pub(crate) fn place(self) -> &'static str {
        match self {
            Self::Root => "at the top level of the file",
            Self::Global => "in `global_defs`",
            Self::Instance => "in `vrrp_instance`",
            Self::Authentication => "in `authentication`",
            Self::Addresses => "in `virtual_ipaddress`",
            Self::AuthHmac => "in `auth_hmac`",
            Self::Script => "in `vrrp_script`",
            Self::SyncGroup => "in `vrrp_sync_group`",
            Self::TrackFile => "in `track_file`",
            Self::TrackProcess => "in `vrrp_track_process`",
            Self::Bfd => "in `bfd_instance`",
            Self::GarpGroup => "in `garp_group`",
            Self::TrackGroup => "in `track_group`",
            Self::VirtualServer => "in `virtual_server`",
            Self::RealServer => "in `real_server`",
            Self::Checker => "in a health check",
            Self::Url => "in `url`",
            Self::Opaque => "in this block",
        }
    }
}

/// What a keyword means to the lowering.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Meaning {
    Root(RootBlock),
    Global(GlobalSetting),
    Instance(InstanceSetting),
    Authentication(AuthSetting),
    /// Its value goes to the field of its name, of the block's settings.
    Value,
    /// Stands in a block of IPVS, which is not looked into.
    Later,
}

/// Whether what a keyword asks for is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Built {
    /// It is.
    Yes,
    /// Not yet: the value is checked, and a warning says that it has no effect.
    NotYet,
    /// Not yet, and without it the file would do harm: an error. Completes the sentence "ignored, ...".
    Refused(&'static str),
}

/// How often a keyword may stand in one block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Repeat {
    /// Once; a second one replaces the first and is warned about.
    Single,
    /// Any number; they add up.
    Adds,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyword {
    pub(crate) name: &'static str,
    pub(crate) context: Context,
    /// Fewest and most values behind the keyword.
    pub(crate) values: (usize, usize),
    /// The block behind the values, if it takes one.
    pub(crate) opens: Option<Context>,
    pub(crate) repeat: Repeat,
    pub(crate) meaning: Meaning,
    pub(crate) shape: Shape,
    /// What holds without the keyword, as it would be written or in words.
    pub(crate) default: &'static str,
    pub(crate) built: Built,
    /// What it does, in half a sentence; empty for IPVS.
    pub(crate) doc: &'static str,
    /// The name it has today, when this is an older one.
    pub(crate) renamed: Option<&'static str>,
}

impl Keyword {
    /// A row whose value goes to the field of its name.
    pub(crate) const fn value(
        name: &'static str,
        context: Context,
        shape: Shape,
        default: &'static str,
        built: Built,
        doc: &'static str,
    ) -> Self {
        let (opens, repeat) = match shape {
            Shape::Lines(lines) => (Some(lines.context()), Repeat::Adds),
            Shape::Hmac => (Some(Context::AuthHmac), Repeat::Single),
            Shape::HmacKey => (None, Repeat::Adds),
            _ => (None, Repeat::Single),
        };
        let values = shape.counts();
        Self {
            name,
            context,
            values,
            opens,
            repeat,
            meaning: Meaning::Value,
            shape,
            default,
            built,
            doc,
            renamed: None,
        }
    }

    /// How it is written.
    pub(crate) fn usage(&self) -> String {
        let inner = self.shape.usage();
        if inner.is_empty() { self.name.to_owned() } else { format!("{} {inner}", self.name) }
    }

    /// A help line: how it is written, what it does, and what holds without it.
    pub(crate) fn written(&self) -> String {
        let without = match self.default {
            "" | "none" | "off" => String::new(),
            required if required.starts_with("required") => String::new(),
            default => format!(" (default: {})", default.replace('`', "")),
        };
        format!("it is written `{}`: {}{without}", self.usage(), self.doc)
    }
}

/// Defines the settings of one kind of block: a struct with a field for each keyword, and the rows of the table.
macro_rules! settings {
    (
        $(#[$meta:meta])* struct $settings:ident in $context:ident $(, once $old:ident = $new:ident)*;
        $($name:ident: $type:ty = $shape:expr, $default:literal, $built:expr, $doc:literal;)*
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Default, Debug)]
        #[allow(clippy::struct_excessive_bools, reason = "the language has that many flags")]
        pub struct $settings {
            $(#[doc = concat!("`", stringify!($name), "`: ", $doc, ".")] pub $name: $type,)*
        }

        impl $settings {
            /// The rows of the table.
            #[allow(clippy::large_stack_arrays, reason = "promoted to a static")]
            pub(crate) const ROWS: &'static [$crate::config::keywords::Keyword] = &[$(
                $crate::config::keywords::Keyword::value(
                    stringify!($name), $crate::config::keywords::Context::$context, $shape, $default, $built, $doc,
                ),
            )*];

            /// Older names: block, old name, name.
            pub(crate) const ALIASES: $crate::config::keywords::Aliases =
                &[$(($crate::config::keywords::Context::$context, stringify!($old), stringify!($new)),)*];

            /// Shows each field and its keyword.
            pub(crate) fn visit(&self, see: &mut dyn FnMut(&'static str, &dyn $crate::config::model::Shown)) {
                $(see(stringify!($name), &self.$name);)*
            }

            /// Sets the field of a keyword.
            pub(crate) fn put(&mut self, name: &str, value: $crate::config::model::Value) {
                match name {
                    $(stringify!($name) => $crate::config::model::Slot::put(&mut self.$name, value),)*
                    _ => {}
                }
            }
        }
    };
}
use settings;

/// Older names of keywords: block, old name, name.
pub(crate) type Aliases = &'static [(Context, &'static str, &'static str)];

/// The keyword `name` as it is understood in `context`.
pub(crate) fn find(context: Context, name: &str) -> Option<&'static Keyword> {
    INDEX.get(name)?.iter().find(|keyword| keyword.context == context)
}

/// All blocks in which `name` means something.
pub(crate) fn everywhere(name: &str) -> &'static [Keyword] {
    INDEX.get(name).map(Vec::as_slice).unwrap_or_default()
}

/// The keyword of `context` that `word` is most likely meant to be.
pub(crate) fn nearest(context: Context, word: &str) -> Option<&'static Keyword> {
    nearest_of(INDEX.values().flatten().filter(|keyword| keyword.context == context), |keyword| keyword.name, word)
}

/// The candidate whose name is spelt most like `word`, if any is like it at all.
pub(crate) fn nearest_of<'n, T>(
    candidates: impl Iterator<Item = T>,
    name: impl Fn(&T) -> &'n str,
    word: &str,
) -> Option<T> {
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_ascii_lowercase().replace('-', "_");
    let distance = |candidate: &T| {
        let name = name(candidate).to_ascii_lowercase();
        let allowed = (name.chars().count() / 3).clamp(1, 4);
        // `virtualrouterid` lacks two signs but is no stranger for that.
        if name.replace('_', "") == word.replace('_', "") {
            return Some(0);
        }
        Some(strsim::damerau_levenshtein(&name, &word)).filter(|&distance| distance <= allowed)
    };
    let near = candidates.filter_map(|candidate| Some((distance(&candidate)?, candidate)));
    // The order of a hash map must not show: ties go to the name that sorts first.
    near.min_by_key(|(distance, candidate)| (*distance, name(candidate))).map(|(_, candidate)| candidate)
}

/// All rows except those of IPVS, block by block.
pub(crate) fn rows() -> impl Iterator<Item = Keyword> {
    let tables = [
        (basic::ROWS, basic::ALIASES),
        (blocks::ProcessSettings::ROWS, blocks::ProcessSettings::ALIASES),
        (global::GlobalSettings::ROWS, global::GlobalSettings::ALIASES),
        (instance::InstanceSettings::ROWS, instance::InstanceSettings::ALIASES),
        (blocks::HmacSettings::ROWS, blocks::HmacSettings::ALIASES),
        (blocks::ScriptSettings::ROWS, blocks::ScriptSettings::ALIASES),
        (blocks::FileSettings::ROWS, blocks::FileSettings::ALIASES),
        (blocks::ProcessTrackSettings::ROWS, blocks::ProcessTrackSettings::ALIASES),
        (blocks::BfdSettings::ROWS, blocks::BfdSettings::ALIASES),
        (blocks::SyncGroupSettings::ROWS, blocks::SyncGroupSettings::ALIASES),
        (blocks::GarpGroupSettings::ROWS, blocks::GarpGroupSettings::ALIASES),
        (blocks::TrackGroupSettings::ROWS, blocks::TrackGroupSettings::ALIASES),
    ];
    let renamed = tables.into_iter().flat_map(|(rows, aliases)| {
        aliases.iter().filter_map(|&(context, old, new)| {
            let row = rows.iter().find(|row| row.context == context && row.name == new)?;
            Some(Keyword { name: old, renamed: Some(new), ..*row })
        })
    });
    tables.into_iter().flat_map(|(rows, _)| rows).copied().chain(renamed)
}

static INDEX: LazyLock<HashMap<&'static str, Vec<Keyword>>> = LazyLock::new(|| {
    let mut index: HashMap<&'static str, Vec<Keyword>> = HashMap::new();
    for keyword in rows().chain(lvs::rows()) {
        index.entry(keyword.name).or_default().push(keyword);
    }
    // It is never dropped, and most names have one meaning where a list takes room for four.
    index.values_mut().for_each(Vec::shrink_to_fit);
    index
});
