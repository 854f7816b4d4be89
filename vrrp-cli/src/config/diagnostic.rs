//! What can be wrong with a configuration: codes, severities, places, and their picture for a terminal.
//!
//! A code, once published, keeps its meaning. The module knows nothing of the language's rules.

use std::collections::HashMap;
use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::secret::{self, Masked, Names};
use super::source::{Source, SourceMap, Span, to_usize};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// The configuration runs, though perhaps not as meant.
    Warning,
    /// The configuration does not run.
    Error,
}

macro_rules! codes {
    ($($number:ident $name:ident $text:literal,)*) => {
        /// Stable identity of a kind of diagnostic: `E…` stops, `W…` warns.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!("`", stringify!($number), "`: ", $text)] $name,)*
        }

        impl Code {
            /// All codes, errors first, by number.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as shown and searched for: `E020`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($number)),* }
            }

            /// One sentence on what the code stands for.
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

codes! {
    E001 CannotRead "the file cannot be opened or read.",
    E002 NotAFile "the path names a directory.",
    E003 TooLarge "the file is larger than 64 MiB.",
    E004 NotUtf8 "octets outside of comments are not UTF-8.",
    E005 ControlCharacter "a control character, or a carriage return that does not end a line.",
    E006 LineTooLong "a line is longer than 16384 octets.",
    E007 TooManyErrors "more than 1000 diagnostics; the rest is left out.",
    E010 UnclosedQuote "a quote is not closed on its line.",
    E011 Lookalike "a character that only looks like a blank, a quote, a brace or a comment sign.",
    E012 MissingClose "a block is not closed.",
    E013 ExtraClose "a closing brace closes nothing.",
    E014 StrayOpen "an opening brace belongs to no keyword.",
    E015 TooDeep "blocks are nested more than 32 deep.",
    E020 UnknownKeyword "an unknown keyword.",
    E021 NotYet "a keyword of keepalived that is not supported yet, and must not be ignored.",
    E022 WrongPlace "a keyword in a block that it does not belong to.",
    E023 RunTogether "several settings on one line.",
    E024 MissingValue "a keyword without its value.",
    E025 TooManyValues "more values than the keyword takes.",
    E026 BlockExpected "a keyword without its block.",
    E027 BlockUnexpected "a block behind a keyword that takes none.",
    E030 NotANumber "a value that should be a number is none.",
    E031 OutOfRange "a number outside of its range.",
    E032 UnknownChoice "a value that is none of the possible ones.",
    E033 NotAnAddress "a value that should be an IP address is none.",
    E034 WrongFamily "an address of another family than its place needs.",
    E035 UnusableAddress "an address that no host can have.",
    E036 BadPrefix "a prefix length outside of 0 to 32, or to 128 for IPv6.",
    E037 NotMulticast "a group address that is not multicast.",
    E038 BadInterfaceName "a name that no network interface can have, or the loopback interface.",
    E039 BadLabel "an address label longer than 15 octets.",
    E041 SubSecond "an interval below one second, which needs VRRP version 3.",
    E043 BadCommand "a command that is empty or cannot be split into words.",
    E044 BadLine "a line of a list, a route or a rule is not complete or contradicts itself.",
    E045 BadKey "a key that is too short, too long or unreadable, or a file's mode that is none.",
    E046 Contradiction "settings that exclude each other.",
    E047 NotAMailAddress "a mail address that is none.",
    E048 MailLogin "settings of mail that contradict each other, or make sense only together.",
    E050 MissingSetting "an instance lacks a setting that has no default.",
    E051 NoAddress "an instance has no virtual address.",
    E052 DuplicateInstance "two instances have the same name.",
    E053 DuplicateVrid "two instances have the same VRID on the same interface.",
    E054 DuplicateAddress "a virtual address is given twice.",
    E055 TooManyAddresses "an instance has more than 255 virtual addresses.",
    E056 PasswordMissing "authentication by password without a password.",
    E057 DuplicateEntry "a list holds the same thing twice, or two blocks have the same name.",
    E058 UnknownName "a name that nothing in the file defines.",
    E059 LinkLocalFirst "the first IPv6 address of an instance in strict mode, or the source of any, is not link-local.",
    E060 NoSuchInterface "an interface does not exist on this host.",
    E061 NoSuchUser "a user or group of a script does not exist on this host.",
    E062 ScriptNotRunnable "a script does not exist or cannot be executed.",
    E063 AlreadyServed "another daemon on this host serves the same virtual router.",
    E064 OwnAddress "a virtual address is the only address of its interface, or the owner's own beside a virtual MAC address.",
    E065 KeyFile "a key file cannot be read, is open to others or holds no key.",
    E066 ScriptUnsafe "a script that would run as root can be changed by others, and `enable_script_security` is set.",
    E067 MailFile "a file that mail needs cannot be read, is open to others or does not hold what it should.",
    E068 FifoUnusable "a named pipe for notifications cannot be made or is something else.",
    E069 FileUnusable "a tracked file is a directory, or lies on a file system that cannot be watched.",
    E070 IncludeFailed "a file to include is missing, or must not or cannot be read.",
    E071 IncludeCycle "a file includes itself.",
    E072 IncludeTooDeep "files include each other more than 16 deep, or there are more than 1000.",
    E073 NotDefined "a line begins with the name of a definition that does not exist.",
    E074 ExpansionTooDeep "definitions are nested more than 64 deep, or one leads back to itself.",
    E075 ExpansionTooLarge "definitions and repetitions expand to more text than is allowed.",
    E076 LinesNotLast "text follows a definition of several lines.",
    E077 NotPredefined "a name that begins with `_` and is not predefined, or has other arguments.",
    E078 BadRepetition "`~SEQ` or `~LST` is not written as it should be.",
    E079 BadCondition "`@` without an id.",
    E080 NoSuchName "a routing table, protocol, scope or realm has no such name on this host.",
    E081 NoNft "`no_accept` or strict mode needs the program `nft`, which this host does not have.",
    E082 TableUnusable "the table of nftables belongs to somebody else, or nftables refuses it.",
    E083 NoSuchNamespace "the network namespace does not exist on this host, or cannot be entered.",
    E084 InstanceRuns "another daemon on this host has the same name, or its folder cannot be made.",
    E085 InterfaceTaken "a virtual interface cannot have its name or its MAC address.",
    E101 PairVersion "hosts of one virtual router speak different protocol versions.",
    E102 PairInterval "hosts of one virtual router have different VRRPv2 intervals.",
    E103 PairPassword "hosts of one virtual router have different passwords.",
    E104 PairAddresses "hosts of one virtual router have different addresses.",
    E105 PairGroup "hosts of one virtual router use different multicast groups.",
    E106 PairPeers "a host of a virtual router is not a unicast peer of another one.",
    E107 PairVrid "two virtual routers use the same VRID on one LAN.",
    E108 PairOwner "two hosts of one virtual router have priority 255.",
    W001 PasswordCut "a password is longer than eight octets; the rest is ignored.",
    W002 IntervalRounded "an interval is rounded to what the protocol version can say.",
    W003 NopreemptIgnored "`nopreempt` has no effect on a router that starts as master.",
    W004 SettingRepeated "a setting is given twice; the last one counts.",
    W005 CommentGlued "a comment sign directly behind a word.",
    W006 AuthIncomplete "a password without `auth_type PASS` is not used.",
    W007 OwnerByDefault "`state MASTER` without `priority` means priority 255.",
    W008 NoInstance "the file defines no instance.",
    W009 PasswordUnused "a password where VRRP version 3 has no authentication, or beside `auth_hmac`.",
    W010 Ignored "a keyword or option of keepalived that is not supported yet has no effect.",
    W011 Ipvs "a block for IPVS and its health checks has no effect.",
    W012 Renamed "a keyword under a name that it had in older versions.",
    W013 ShellWord "a word for a shell in a command that no shell reads.",
    W014 NoEffect "a setting has no effect beside, or without, another one.",
    W015 NetworkAddress "a virtual address is the network's own, or the broadcast address, of its prefix.",
    W016 GlobalFirst "the first IPv6 address of an instance is not link-local.",
    W030 Undefined "the name of a definition that does not exist; it stays as it is.",
    W031 NotExpanded "`$NAME` directly followed by something stays as it is.",
    W032 NoVariable "an environment variable that does not exist has an empty value.",
    W033 IncludeSkipped "a file to include is left out.",
    W034 ShortTuple "a group of `~LST` has fewer values than there are names.",
    W060 TrackedMissing "a tracked interface does not exist on this host.",
    W061 HeldElsewhere "the host has a virtual address as its own, too, and keeps it whoever is Master.",
    W062 OutsideSubnets "a virtual address lies outside of every subnet of its interface.",
    W100 UnknownAllow "a comment allows a code that does not exist or cannot be allowed.",
    W101 OwnerUnlikely "priority 255, which is for the owner of the addresses.",
    W102 ScriptMissing "a script does not exist on this host.",
    W103 ScriptNotExecutable "a script is not an executable file.",
    W104 ScriptWritable "a script can be changed by others than its owner.",
    W105 WeightUseless "a weight that can never change the election.",
    W106 TimeoutTooLong "a script may take longer than the time between two runs.",
    W107 AddressOutside "a virtual address lies outside of every subnet that the file shows.",
    W108 MailWithoutServer "mail is to be sent, but there is no mail server.",
    W109 MailToNobody "mail is to be sent, but to nobody.",
    W110 Unused "something to be tracked is tracked by nothing.",
    W111 VridShared "the same VRID on several interfaces.",
    W112 GroupOfOne "a sync group of a single instance.",
    W113 MailLoginInClear "a password is sent to a mail server without encryption.",
    W114 OptionUseless "an option of an address, a route or a rule has no effect there, or is missing.",
    W115 AdvertTooLong "an advertisement is longer than what Ethernet carries.",
    W201 PairPriority "two hosts of one virtual router have the same priority.",
    W202 PairIntervalV3 "hosts of one virtual router have different VRRPv3 intervals.",
    W203 PairWeightSmall "a tracked failure does not hand over to the other host.",
    W204 PairWeightLarge "a failure on all hosts changes the master all the same.",
    W205 PairSyncGroup "hosts of one virtual router have different sync groups.",
    W206 PairAlone "a virtual router stands in only one of the files.",
    W207 PairNopreempt "`nopreempt` on one host of a virtual router only.",
}

impl Code {
    /// Told by the code's letter.
    pub fn severity(self) -> Severity {
        if self.as_str().starts_with('W') { Severity::Warning } else { Severity::Error }
    }

    /// Whether `--compat` can reduce it to a warning: keepalived ignores such a setting, the value in it, or the line of a
    /// list, and runs the rest. What a router cannot do without stays an error.
    pub fn can_be_tolerated(self) -> bool {
        matches!(
            self,
            Self::UnknownKeyword
                | Self::WrongPlace
                | Self::RunTogether
                | Self::TooManyValues
                | Self::NotANumber
                | Self::OutOfRange
                | Self::UnknownChoice
                | Self::NotAnAddress
                | Self::WrongFamily
                | Self::BadPrefix
                | Self::SubSecond
                | Self::BadLine
                | Self::Contradiction
                | Self::DuplicateInstance
                | Self::DuplicateAddress
                | Self::PasswordMissing
                | Self::DuplicateEntry
                | Self::UnknownName
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A place and what there is to say about it; the text may be empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What stands beside the caret.
    pub text: String,
}

/// One finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// What kind.
    pub code: Code,
    /// The sentence for the reader, without code and place.
    pub message: String,
    /// The place at fault; `None` when it is the file as a whole.
    pub primary: Option<Label>,
    /// Other places that explain it.
    pub secondary: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
    /// An error that was reduced to a warning, because keepalived would ignore what it is about.
    pub tolerated: bool,
}

impl Diagnostic {
    /// A finding at `span`.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        let primary = Some(Label { span, text: String::new() });
        Self { code, message: message.into(), primary, secondary: Vec::new(), help: None, tolerated: false }
    }

    /// A finding about a file as a whole.
    pub fn without_place(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), primary: None, secondary: Vec::new(), help: None, tolerated: false }
    }

    /// What stands beside the caret.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(primary) = &mut self.primary {
            primary.text = text.into();
        }
        self
    }

    /// Points to a second place.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span, text: text.into() });
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Told by the code, unless it is [`tolerated`](Self::tolerated).
    pub fn severity(&self) -> Severity {
        if self.tolerated { Severity::Warning } else { self.code.severity() }
    }
}

/// Collects findings, up to a bound that garbage of any size cannot exceed.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    list: Vec<Diagnostic>,
    /// What was found in lines that were made from others: where in the list, and how often.
    repeated: HashMap<(Code, Span, String), (usize, usize)>,
    /// What keepalived would ignore is no error.
    pub(crate) compat: bool,
}

impl Sink {
    const MAX: usize = 1000;

    /// `compat`: what keepalived would ignore is no error.
    pub(crate) fn new(compat: bool) -> Self {
        Self { compat, ..Self::default() }
    }

    /// As [`Sink::push`]; but the same fault of a written line, which a repetition makes many lines of, is one finding.
    pub(crate) fn push_once(&mut self, sources: &SourceMap, diagnostic: Diagnostic) {
        let made = |label: &&Label| sources.get(label.span.file).is_some_and(Source::is_expansion);
        let Some(label) = diagnostic.primary.as_ref().filter(made) else { return self.push(diagnostic) };
        // Values and numbers differ from one line to the next.
        let message = diagnostic.message.replace(sources.text(label.span), "");
        let message = message.replace(|c: char| c.is_ascii_digit(), "");
        let kind = (diagnostic.code, sources.place(label.span), message);
        let next = self.list.len();
        let (_, count) = self.repeated.entry(kind).or_insert((next, 0));
        *count += 1;
        if *count == 1 {
            self.push(diagnostic);
        }
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if self.list.len() < Self::MAX {
            self.list.push(diagnostic);
        } else if self.list.len() == Self::MAX {
            let message = format!("more than {} errors and warnings: the rest is not shown", Self::MAX);
            let help = "repair the first ones and try again";
            self.list.push(Diagnostic::without_place(Code::TooManyErrors, message).help(help));
        }
    }

    /// Whether all that follows would be left out.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() > Self::MAX
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// In the order of reading; what has no place comes last.
    pub(crate) fn into_sorted(mut self, sources: &SourceMap) -> Vec<Diagnostic> {
        for (at, count) in self.repeated.into_values().filter(|(_, count)| *count > 1) {
            let label = self.list.get_mut(at).and_then(|diagnostic| diagnostic.primary.as_mut());
            let Some(text) = label.map(|label| &mut label.text) else { continue };
            let (separator, times) = (if text.is_empty() { "" } else { "; " }, count - 1);
            *text = format!("{text}{separator}and {times} more time{}", if times == 1 { "" } else { "s" });
        }
        self.list.sort_by_cached_key(|diagnostic| match &diagnostic.primary {
            Some(label) => (false, sources.order(label.span), Some(label.span)),
            None => (true, Vec::new(), None),
        });
        self.list
    }
}

impl SourceMap {
    /// The finding as rustc would draw it, without a final line end; ANSI colours only when `color`.
    ///
    /// Places in included files and in expansions are shown where they were written, with what led there. Passwords and
    /// keys are shown as `****`.
    pub fn render(&self, diagnostic: &Diagnostic, color: bool) -> String {
        let diagnostic = &self.without_secrets(diagnostic);
        let level = match diagnostic.severity() {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.as_str());
        let mut group = Group::with_title(title);
        let (marks, left_out) = self.marks(diagnostic);
        for cluster in self.clusters(&marks) {
            group = group.element(cluster.snippet(self.secret_names()));
        }
        let trace = diagnostic.primary.as_ref().map(|label| self.trace(label.span));
        if let Some(expanded) = trace.and_then(|trace| trace.expanded) {
            let shown = Masked::new(expanded, self.secret_names()).text;
            let shown: String = shown.chars().take(MAX_SHOWN).collect();
            group = group.element(Level::NOTE.message(format!("expanded, this reads `{shown}`")));
        }
        if left_out > 0 {
            group = group.element(Level::NOTE.message(format!("{left_out} more steps led there")));
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }

    /// The finding with `****` for each password and key that it quotes from its line.
    pub fn without_secrets(&self, diagnostic: &Diagnostic) -> Diagnostic {
        let mut shown = diagnostic.clone();
        let Some(label) = &diagnostic.primary else { return shown };
        let trace = self.trace(label.span);
        for line in self.lines_of(trace.place).into_iter().chain(trace.expanded.map(|line| line.lines())).flatten() {
            let names = self.secret_names();
            shown.message = secret::without(&shown.message, line, names);
            shown.help = shown.help.map(|help| secret::without(&help, line, names));
        }
        shown
    }

    fn lines_of(&self, place: Span) -> Option<std::str::Lines<'_>> {
        let source = self.get(place.file)?;
        let (first, last) = (source.line_of(place.start), source.line_of(place.end));
        source.text().get(source.lines_range(first, last)).map(str::lines)
    }

    /// A further place that explains a finding in another map, drawn as a note.
    pub fn render_note(&self, label: &Label, color: bool) -> String {
        let marks = [Mark { span: self.place(label.span), text: "", kind: AnnotationKind::Primary }];
        let mut group = Group::with_title(Level::NOTE.secondary_title(label.text.as_str()));
        for cluster in self.clusters(&marks) {
            group = group.element(cluster.snippet(self.secret_names()));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }

    /// All places to draw, and how many steps are left out.
    fn marks<'a>(&self, diagnostic: &'a Diagnostic) -> (Vec<Mark<'a>>, usize) {
        let mark = |label: &'a Label, kind| Mark { span: self.place(label.span), text: &label.text, kind };
        let mut marks: Vec<Mark<'a>> =
            diagnostic.primary.iter().map(|label| mark(label, AnnotationKind::Primary)).collect();
        marks.extend(diagnostic.secondary.iter().map(|label| mark(label, AnnotationKind::Context)));
        let mut left_out = 0;
        for step in diagnostic.primary.iter().flat_map(|label| self.trace(label.span).steps) {
            // The line at fault may itself be the one that was expanded.
            if marks.iter().any(|mark| mark.span == step.span) {
                continue;
            }
            if marks.len() < MAX_MARKS {
                marks.push(Mark { span: step.span, text: step.reason.as_str(), kind: AnnotationKind::Context });
            } else {
                left_out += 1;
            }
        }
        (marks, left_out)
    }

    /// Places close to each other share a picture; far ones get their own, so that the cost does not grow with the
    /// text between them.
    fn clusters<'a>(&'a self, marks: &'a [Mark<'a>]) -> Vec<Cluster<'a>> {
        let mut clusters: Vec<Cluster<'a>> = Vec::new();
        for mark in marks {
            let Some(source) = self.get(mark.span.file).filter(|s| s.text().get(mark.span.range()).is_some()) else {
                continue;
            };
            let first = source.line_of(mark.span.start);
            let last = source.line_of(mark.span.end.saturating_sub(1).max(mark.span.start));
            let near = clusters.iter_mut().find(|cluster| cluster.is_near(source, first, last));
            if let Some(cluster) = near {
                cluster.first = cluster.first.min(first);
                cluster.last = cluster.last.max(last);
                cluster.marks.push(mark);
            } else {
                clusters.push(Cluster { source, first, last, marks: vec![mark] });
            }
        }
        clusters
    }
}

/// A drawing holds at most so many places, and so much of an expanded line.
const MAX_MARKS: usize = 12;
const MAX_SHOWN: usize = 200;

/// A place to draw, in a file.
struct Mark<'a> {
    span: Span,
    text: &'a str,
    kind: AnnotationKind,
}

/// Places that are drawn in one picture.
struct Cluster<'a> {
    source: &'a Source,
    first: usize,
    last: usize,
    marks: Vec<&'a Mark<'a>>,
}

impl<'a> Cluster<'a> {
    const NEAR: usize = 40;
    /// Of an overlong line only so much behind the last label is drawn.
    const TAIL: usize = 256;

    fn is_near(&self, source: &Source, first: usize, last: usize) -> bool {
        let (low, high) = (self.first.min(first), self.last.max(last));
        std::ptr::eq(self.source, source) && high - low <= Self::NEAR
    }

    fn snippet(self, names: &Names) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let mut range = self.source.lines_range(self.first, self.last);
        if self.source.text().get(range.clone()).is_some_and(|text| text.starts_with('\u{feff}')) {
            range.start += '\u{feff}'.len_utf8();
        }
        let needed = self.marks.iter().map(|mark| to_usize(mark.span.end)).max().unwrap_or(range.end);
        let mut end = range.end.min(needed.saturating_add(Self::TAIL)).max(range.start);
        while !self.source.text().is_char_boundary(end) {
            end += 1;
        }
        range.end = end;
        let text = self.source.text().get(range.clone()).unwrap_or_default();
        let masked = Masked::new(text, names);
        let annotations = self.marks.into_iter().map(|mark| {
            let place = mark.span.range();
            let within = |at: usize| masked.at(at.saturating_sub(range.start).min(text.len()));
            let annotation = mark.kind.span(within(place.start)..within(place.end));
            if mark.text.is_empty() { annotation } else { annotation.label(mark.text) }
        });
        let annotations: Vec<_> = annotations.collect();
        Snippet::source(masked.text).path(self.source.name()).line_start(self.first + 1).annotations(annotations)
    }
}
