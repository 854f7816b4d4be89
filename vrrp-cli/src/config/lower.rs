//! The tree of statements to checked values.
//!
//! This file holds what is the same for every block: unknown and misplaced keywords, counts of values, blocks where
//! there should be none, repetition. The rest is one file for each kind of block. A setting that could not be read is
//! reported once and then counts as given, so that no second fault follows from the first.

pub(crate) mod address;
mod block;
mod check;
mod device;
mod global;
mod instance;
mod interactions;
mod list;
pub(crate) mod route;
mod setting;
mod value;
mod vrids;

use std::collections::HashMap;
use std::net::IpAddr;

use self::block::Names;
use self::instance::Claims;
use super::diagnostic::{Code, Diagnostic, Severity, Sink};
use super::keywords::{self, Context, Keyword, Meaning, Repeat, RootBlock};
use super::model::Config;
use super::source::{SourceMap, Span};
use super::tree::{Block, Statement, Word};

/// Reads the whole file; `None` when anything in it is an error, but for what is not supported yet.
pub(crate) fn lower<'s>(statements: &[Statement<'s>], sources: &'s SourceMap, sink: &mut Sink) -> Option<Config> {
    let mut lowerer = Lowerer { sources, sink, hoisted: Vec::new(), notes: HashMap::new(), tolerant: false };
    let mut config = Config::default();
    let mut names = Names::default();
    let mut blocks = Vec::new();
    lowerer.read(statements, Context::Root, &mut |lowerer, setting| {
        if setting.keyword.meaning == Meaning::Value {
            if let Some(value) = lowerer.setting(&setting) {
                config.process.put(setting.keyword.name, value);
            }
            return;
        }
        // What stands inside of a block is its own business, even when the block itself has a fault.
        lowerer.expect_block(&setting);
        blocks.push(setting);
    });
    // Global settings are defaults of the instances wherever they stand in the file.
    for setting in blocks.iter().filter(|setting| setting.is(RootBlock::GlobalDefs)) {
        lowerer.global_defs(setting, &mut config.global);
    }
    let mut claims = Claims::default();
    let mut any = false;
    while !blocks.is_empty() {
        for setting in &blocks {
            if setting.is(RootBlock::VrrpInstance) {
                any = true;
                config.instances.extend(lowerer.instance(setting, &config.global, &mut claims));
            } else {
                lowerer.root_block(setting, &mut config, &mut names);
            }
        }
        blocks = std::mem::take(&mut lowerer.hoisted);
        for setting in blocks.iter().filter(|setting| setting.is(RootBlock::GlobalDefs)) {
            lowerer.global_defs(setting, &mut config.global);
        }
    }
    if !lowerer.sink.has_errors() {
        lowerer.settle_mail(&config.global);
    }
    lowerer.resolve(&mut config, &mut names, &mut claims);
    lowerer.tell_notes();
    if !any && !sink.has_errors() {
        let message = "the file defines no virtual router: there is nothing to do";
        sink.push(Diagnostic::without_place(Code::NoInstance, message).help("add a `vrrp_instance` block"));
    }
    let fatal = |diagnostic: &Diagnostic| diagnostic.severity() == Severity::Error && diagnostic.code != Code::NotYet;
    Some(config).filter(|_| !sink.iter().any(fatal))
}

impl Sink {
    fn has_errors(&self) -> bool {
        self.iter().any(|diagnostic| diagnostic.severity() == Severity::Error)
    }
}

/// A keyword as it stands in the file.
#[derive(Clone, Copy)]
struct Setting<'t, 's> {
    keyword: &'static Keyword,
    name: &'t Word<'s>,
    /// Not more than the keyword takes; `None` when they were refused already.
    values: Option<&'t [Word<'s>]>,
    block: Option<&'t Block<'s>>,
}

impl<'t, 's> Setting<'t, 's> {
    fn is(&self, block: RootBlock) -> bool {
        self.keyword.meaning == Meaning::Root(block)
    }

    /// The first value, unless it was refused already.
    fn value(&self) -> Option<&'t Word<'s>> {
        self.values?.first()
    }

    /// Keyword and values.
    fn span(&self) -> Span {
        let last = self.values.and_then(|values| values.last());
        last.map_or(self.name.span, |last| self.name.span.to(last.span))
    }
}

struct Lowerer<'t, 's, 'd> {
    sources: &'s SourceMap,
    sink: &'d mut Sink,
    /// Blocks of the top level that stand inside of others.
    hoisted: Vec<Setting<'t, 's>>,
    /// What has no effect, by keyword: the first place, and how many there are.
    notes: HashMap<(Context, &'static str, Code), (Diagnostic, usize)>,
    /// What is being read can be ignored as a whole, as keepalived does.
    tolerant: bool,
}

type Apply<'f, 't, 's, 'd> = dyn FnMut(&mut Lowerer<'t, 's, 'd>, Setting<'t, 's>) + 'f;

impl<'t, 's, 'd> Lowerer<'t, 's, 'd> {
    /// Calls `apply` for each setting of a block that the language knows there.
    fn read(&mut self, statements: &'t [Statement<'s>], context: Context, apply: &mut Apply<'_, 't, 's, 'd>) {
        let mut seen: Vec<(&'static str, Span)> = Vec::new();
        self.read_into(statements, context, &mut seen, apply);
    }

    fn read_into(
        &mut self,
        statements: &'t [Statement<'s>],
        context: Context,
        seen: &mut Vec<(&'static str, Span)>,
        apply: &mut Apply<'_, 't, 's, 'd>,
    ) {
        for statement in statements {
            if self.sink.is_full() {
                return;
            }
            let mut words = statement.words.as_slice();
            while let Some((name, values)) = words.split_first() {
                let Some(keyword) = self.known(context, name, values, statement) else {
                    // A misspelt setting counts as given, and its block is read; what is ignored does not.
                    if let Some(meant) = meant(context, name).filter(|_| !self.sink.compat) {
                        apply(self, Setting { keyword: meant, name, values: None, block: statement.block.as_ref() });
                    }
                    break;
                };
                if keyword.meaning == Meaning::Later {
                    self.note_ipvs(keyword, name);
                    break;
                }
                let length = self.run_together(keyword, context, values);
                let (own, others) = values.split_at(length);
                let block = statement.block.as_ref().filter(|_| others.is_empty());
                let values = self.count_values(keyword, name, own, statement.broken);
                if keyword.repeat == Repeat::Single {
                    self.note_repeated(keyword, name.span, seen);
                }
                apply(self, Setting { keyword, name, values, block });
                if let Some(block) = block.filter(|_| keyword.opens.is_none()) {
                    let message = format!("`{}` takes no block", keyword.name);
                    let help = format!("remove the braces; it is written `{}`", keyword.usage());
                    self.report(Diagnostic::new(Code::BlockUnexpected, block.open, message).help(help));
                    if block.statements.iter().any(|inner| keywords::find(context, &inner.words[0].text).is_some()) {
                        self.read_into(&block.statements, context, seen, apply);
                    }
                }
                // keepalived does not look at what follows a setting on its line.
                words = if self.sink.compat { &[] } else { others };
            }
        }
    }

    /// Looks the keyword up, and says what is wrong when it has no meaning here.
    fn known(
        &mut self,
        context: Context,
        name: &'t Word<'s>,
        values: &'t [Word<'s>],
        statement: &'t Statement<'s>,
    ) -> Option<&'static Keyword> {
        if let Some(keyword) = keywords::find(context, &name.text) {
            return Some(keyword);
        }
        if statement.broken && keywords::everywhere(&name.text).is_empty() {
            return None;
        }
        let elsewhere = keywords::everywhere(&name.text);
        if elsewhere.is_empty() {
            let diagnostic = unknown(context, name);
            self.tolerate(true, |lowerer| lowerer.report(diagnostic));
            return None;
        }
        let message = format!("`{}` is not allowed {}", name.text, context.place());
        // keepalived passes over a line; a block in the wrong place closes the one around it.
        let line = statement.block.is_none();
        // Supported places come first in the table.
        let belongs = elsewhere.first().map_or("elsewhere", |keyword| keyword.context.place());
        let diagnostic = Diagnostic::new(Code::WrongPlace, name.span, message).help(format!("it belongs {belongs}"));
        self.tolerate(line, |lowerer| lowerer.report(diagnostic));
        if line && self.sink.compat {
            return None;
        }
        let root = keywords::find(Context::Root, &name.text).filter(|keyword| keyword.meaning != Meaning::Later)?;
        let values = Some(values).filter(|values| values.len() >= root.values.0);
        self.hoisted.push(Setting { keyword: root, name, values, block: statement.block.as_ref() });
        None
    }

    /// How many of `values` belong to `keyword`: all, unless one of them is itself a keyword and `keyword` either has
    /// what it needs before it or cannot take them all.
    fn run_together(&mut self, keyword: &Keyword, context: Context, values: &[Word<'s>]) -> usize {
        let (least, most) = keyword.values;
        let starts_another = |at: usize, word: &Word<'_>| {
            let other = keywords::find(context, &word.text).filter(|_| !word.quoted);
            other.is_some_and(|other| values.len() > most || (at >= least && other.meaning != Meaning::Later))
        };
        let other = values.iter().enumerate().position(|(at, word)| starts_another(at, word));
        let Some((at, other)) = other.and_then(|at| Some((at, values.get(at)?))) else { return values.len() };
        let message = format!("`{}` and `{}` stand on one line", keyword.name, other.text);
        let help = format!("a setting ends at the end of its line: put `{}` on a line of its own", other.text);
        let diagnostic = Diagnostic::new(Code::RunTogether, other.span, message).label("a new setting").help(help);
        self.tolerate(keyword.opens.is_none(), |lowerer| lowerer.report(diagnostic));
        at
    }

    fn count_values(
        &mut self,
        keyword: &Keyword,
        name: &Word<'s>,
        values: &'t [Word<'s>],
        broken: bool,
    ) -> Option<&'t [Word<'s>]> {
        if broken {
            return None;
        }
        let (least, most) = keyword.values;
        if values.len() < least {
            let message = format!("`{}` lacks its value", keyword.name);
            self.report(Diagnostic::new(Code::MissingValue, name.span, message).help(keyword.written()));
            return None;
        }
        let Some((own, surplus)) = values.split_at_checked(most).filter(|(_, surplus)| !surplus.is_empty()) else {
            return Some(values);
        };
        if let ([], [word], keywords::Shape::Flag) = (own, surplus, keyword.shape)
            && matches!(word.text.as_ref(), "on" | "true" | "yes")
        {
            let message = format!("`{}` takes no value: `{}` has no effect", keyword.name, word.text);
            let help = "remove it; to switch the setting off, remove the line";
            self.report(Diagnostic::new(Code::NoEffect, word.span, message).help(help));
            return Some(own);
        }
        let (diagnostic, usable) = surplus_value(keyword, own, &surplus[0]);
        self.tolerate(usable, |lowerer| lowerer.report(diagnostic));
        Some(own).filter(|_| usable)
    }

    fn note_repeated(&mut self, keyword: &Keyword, span: Span, seen: &mut Vec<(&'static str, Span)>) {
        if let Some((_, first)) = seen.iter_mut().find(|(name, _)| *name == keyword.name) {
            let message = format!("`{}` is given twice, this one counts", keyword.name);
            let diagnostic = Diagnostic::new(Code::SettingRepeated, span, message)
                .also(*first, "given here before")
                .help("remove one of them");
            *first = span;
            self.report(diagnostic);
        } else {
            seen.push((keyword.name, span));
        }
    }

    /// Reports a keyword that should have a block and has none.
    fn expect_block(&mut self, setting: &Setting<'t, 's>) {
        let surplus = setting.keyword.values.1 == 0 && setting.values.is_none();
        if setting.block.is_none() && !surplus {
            let message = format!("`{}` lacks its block", setting.keyword.name);
            let help = setting.keyword.written();
            self.report(Diagnostic::new(Code::BlockExpected, setting.span(), message).help(help));
        }
    }

    /// A block of IPVS is passed over; so are the settings in it.
    fn note_ipvs(&mut self, keyword: &'static Keyword, name: &Word<'s>) {
        if keyword.opens.is_none() {
            let message = format!("`{}` is not supported yet", keyword.name);
            let help = "vrrpctl knows this keyword of keepalived, but cannot do what it asks for";
            self.report(Diagnostic::new(Code::NotYet, name.span, message).help(help));
            return;
        }
        let message = format!("`{}` is not supported yet, ignored", keyword.name);
        let help = "vrrpctl shares addresses, and leaves the balancing of load to others; the rest of the file runs";
        self.note_once(keyword, Diagnostic::new(Code::Ipvs, name.span, message).help(help));
    }

    /// Reports something once for all places of a keyword: a large file would otherwise drown in it.
    fn note_once(&mut self, keyword: &'static Keyword, diagnostic: Diagnostic) {
        self.note(keyword.context, keyword.name, diagnostic);
    }

    /// As [`Lowerer::note_once`], for what has no row in the table.
    fn note(&mut self, context: Context, name: &'static str, diagnostic: Diagnostic) {
        let key = (context, name, diagnostic.code);
        self.notes.entry(key).and_modify(|(_, count)| *count += 1).or_insert((diagnostic, 1));
    }

    fn tell_notes(&mut self) {
        let mut notes: Vec<_> = self.notes.drain().map(|(_, note)| note).collect();
        notes.sort_by_key(|(note, _)| (note.primary.as_ref().map(|label| label.span), note.code));
        for (note, count) in notes {
            let note = match count {
                1 => note,
                2 => note.label("and at one more place"),
                count => note.label(format!("and at {} more places", count - 1)),
            };
            self.sink.push(note);
        }
    }

    /// Whether what cannot be read is left out rather than refused.
    fn leaves_out(&self) -> bool {
        self.sink.compat && self.tolerant
    }

    fn report(&mut self, mut diagnostic: Diagnostic) {
        diagnostic.tolerated = self.leaves_out() && diagnostic.code.can_be_tolerated();
        self.sink.push_once(self.sources, diagnostic);
    }

    /// What `read` reports can, or cannot, be ignored as a whole.
    fn tolerate<T>(&mut self, tolerant: bool, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.tolerant, tolerant);
        let result = read(self);
        self.tolerant = before;
        result
    }
}

/// What to say about a value too many, and whether the values before it mean anything.
fn surplus_value(keyword: &Keyword, own: &[Word<'_>], surplus: &Word<'_>) -> (Diagnostic, bool) {
    if let Some(sign) = own.first().filter(|word| matches!(word.text.as_ref(), "=" | ":")) {
        let message = format!("unexpected `{}` behind `{}`", sign.text, keyword.name);
        let help = format!("a blank separates keyword and value: `{}`", keyword.usage());
        return (Diagnostic::new(Code::TooManyValues, sign.span, message).help(help), false);
    }
    let most = keyword.values.1;
    if keyword.opens.is_some() && most == 0 {
        let message = format!("expected `{{` behind `{}`, found `{}`", keyword.name, surplus.text);
        return (Diagnostic::new(Code::BlockExpected, surplus.span, message).help(keyword.written()), false);
    }
    let message = match most {
        0 => format!("`{}` takes no value, found `{}`", keyword.name, surplus.text),
        1 => format!("`{}` takes one value, found `{}` behind it", keyword.name, surplus.text),
        most => format!("`{}` takes at most {most} values, found `{}` behind them", keyword.name, surplus.text),
    };
    let help = if surplus.text == "\\" {
        "lines are not continued: remove the backslash".to_owned()
    } else if matches!(keyword.shape, keywords::Shape::Command | keywords::Shape::OptCommand) {
        "put the command and its arguments into one pair of quotes".to_owned()
    } else if most == 0 {
        keyword.written()
    } else {
        format!("it is written `{}`; quote a value that holds blanks", keyword.usage())
    };
    (Diagnostic::new(Code::TooManyValues, surplus.span, message).help(help), true)
}

fn nearest(context: Context, text: &str) -> Option<&'static Keyword> {
    keywords::nearest(context, &value::narrow(text))
}

/// The supported keyword that an unknown one was most likely meant to be.
fn meant(context: Context, name: &Word<'_>) -> Option<&'static Keyword> {
    if !keywords::everywhere(&name.text).is_empty() {
        return None;
    }
    let before = name.text.split(['=', ':', ',', ';']).next()?;
    let glued = || glued(context, &name.text).map(|(keyword, _)| keyword);
    let keyword = keywords::find(context, before).or_else(glued).or_else(|| nearest(context, &name.text));
    keyword.filter(|keyword| keyword.meaning != Meaning::Later)
}

/// A keyword and the number directly behind it.
fn glued(context: Context, text: &str) -> Option<(&'static Keyword, &str)> {
    let (keyword, value) = text.split_at(text.find(|c: char| c.is_ascii_digit())?);
    keywords::find(context, keyword).map(|keyword| (keyword, value))
}

fn unknown(context: Context, name: &Word<'_>) -> Diagnostic {
    let text = name.text.as_ref();
    let diagnostic = |message: String| Diagnostic::new(Code::UnknownKeyword, name.span, message);
    if !text.is_empty() && text.chars().all(|c| matches!(c, '.' | '…')) {
        return diagnostic(format!("`{text}` is not a setting")).help("replace the dots by what they stand for");
    }
    let message = format!("unknown keyword `{text}` {}", context.place());
    if let Some((before, behind)) = text.split_once(['=', ':', ',', ';'])
        && let Some(keyword) = keywords::find(context, before)
    {
        let help = match behind {
            "" => format!("write `{}`, with nothing directly behind it", keyword.name),
            value => format!("a blank separates keyword and value: `{} {value}`", keyword.name),
        };
        return diagnostic(message).help(help);
    }
    if let Some((keyword, value)) = glued(context, text) {
        return diagnostic(message).help(format!("a blank separates keyword and value: `{} {value}`", keyword.name));
    }
    if text.parse::<IpAddr>().is_ok() {
        return diagnostic(message).help("virtual addresses belong into a `virtual_ipaddress` block");
    }
    match nearest(context, text) {
        Some(keyword) => diagnostic(message).help(format!("did you mean `{}`?", keyword.name)),
        None => diagnostic(message).help("neither vrrpctl nor keepalived knows this word here: remove it"),
    }
}
