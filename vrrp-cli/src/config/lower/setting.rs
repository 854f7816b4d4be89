//! The value of one setting, by the shape that its row of the table gives it.

use std::net::IpAddr;
use std::time::Duration;

use super::value::{millionths, with_typing_help};
use super::{Context, Diagnostic, Lowerer, Setting, keywords};
use crate::config::diagnostic::Code;
use crate::config::keywords::shape::{FILE_NAME_MAX, MAIL_ADDRESS};
use crate::config::keywords::{Built, Keyword, Shape};
use crate::config::model::{
    DeletedNotify, ExtraInterfaces, InitialValue, Password, ReceiveBuffer, ScriptOwner, SmtpHost, Spanned, Value,
    WeightSetting,
};
use crate::config::script;
use crate::config::tree::Word;

const TRUE: &[&str] = &["on", "true", "yes"];
const FALSE: &[&str] = &["off", "false", "no"];
const MODE_BITS: &[(&str, u32)] = &[
    ("IRUSR", 0o400),
    ("IWUSR", 0o200),
    ("IXUSR", 0o100),
    ("IRGRP", 0o040),
    ("IWGRP", 0o020),
    ("IXGRP", 0o010),
    ("IROTH", 0o004),
    ("IWOTH", 0o002),
    ("IXOTH", 0o001),
];
const MOST_CPUS: i64 = 1023;

impl<'t, 's> Lowerer<'t, 's, '_> {
    /// The value of a setting, checked. What is not supported yet is reported.
    pub(super) fn setting(&mut self, setting: &Setting<'t, 's>) -> Option<Value> {
        let single = setting.keyword.shape != Shape::Hmac;
        let value = self.tolerate(single, |lowerer| lowerer.value_of(setting));
        // A feature that is switched off is not missed, and a value that is wrong was reported already.
        let refused = matches!(setting.keyword.built, Built::Refused(_));
        if value.as_ref().map_or(refused, |value| *value != Value::Bool(false)) {
            self.note_unbuilt(setting);
        }
        value
    }

    /// Reports a keyword under an old name, or whose feature is not built. Settings of a block that is not built itself
    /// are not reported one by one.
    pub(super) fn note_unbuilt(&mut self, setting: &Setting<'t, 's>) {
        let keyword = setting.keyword;
        if let Some(name) = keyword.renamed {
            let message = format!("`{}` is an old name of `{name}`", keyword.name);
            let diagnostic = Diagnostic::new(Code::Renamed, setting.name.span, message);
            self.note_once(keyword, diagnostic.help(format!("write `{name}`")));
        }
        if !matches!(keyword.context, Context::Root | Context::Global | Context::Instance) {
            return;
        }
        match keyword.built {
            Built::Yes => {}
            Built::NotYet => {
                let message = format!("`{}` is not supported yet, ignored", keyword.name);
                let help = format!("its value is checked, but has no effect; it stands for: {}", keyword.doc);
                self.note_once(keyword, Diagnostic::new(Code::Ignored, setting.name.span, message).help(help));
            }
            Built::Refused(why) => {
                let message = format!("`{}` is not supported yet", keyword.name);
                let help = format!("it cannot be ignored: {why}");
                self.report(Diagnostic::new(Code::NotYet, setting.name.span, message).help(help));
            }
        }
    }

    fn value_of(&mut self, setting: &Setting<'t, 's>) -> Option<Value> {
        let keyword = setting.keyword;
        let words = match keyword.shape {
            Shape::Lines(lines) => return self.list(setting, lines),
            Shape::Hmac => return self.auth_hmac(setting).map(Value::Hmac),
            _ => setting.values?,
        };
        let first = words.first();
        match keyword.shape {
            Shape::Flag => Some(Value::Bool(true)),
            Shape::Bool => first.map_or(Some(Value::Bool(true)), |word| self.boolean(keyword, word).map(Value::Bool)),
            Shape::Int(low, high, unit) => self.integer(keyword, first?, low, high, unit).map(Value::Int),
            Shape::OptInt(low, high, bare, unit) => match first {
                None => Some(Value::Int(bare)),
                Some(word) => self.integer(keyword, word, low, high, unit).map(Value::Int),
            },
            Shape::Seconds(low, high) => self.seconds(keyword, first?, low, high).map(Value::Time),
            Shape::WholeSeconds(low, high) => {
                let bound = |seconds| i64::try_from(seconds).unwrap_or(i64::MAX);
                let number = self.integer(keyword, first?, bound(low), bound(high), "s")?;
                Some(Value::Time(Duration::from_secs(u64::try_from(number).ok()?)))
            }
            Shape::Word(MAIL_ADDRESS, _) => self.mail_address(first?).map(Value::Text),
            Shape::Word(_, most) => self.bounded(keyword, first?, most).map(Value::Text),
            Shape::OptWord(_, most) => {
                first.map_or(Some(String::new()), |word| self.bounded(keyword, word, most)).map(Value::Text)
            }
            Shape::Words(..) => self.words(keyword, words).map(Value::Texts),
            Shape::Choice(choices) => self.choice(keyword, first?, choices).map(|text| Value::Text(text.to_owned())),
            Shape::OptChoice(choices) => match first {
                None => Some(Value::Text(String::new())),
                Some(word) => self.choice(keyword, word, choices).map(|text| Value::Text(text.to_owned())),
            },
            Shape::Address => self.any_address(first?, &first?.text, "an address").map(Value::Address),
            Shape::Multicast | Shape::Multicast4 | Shape::Multicast6 => {
                self.multicast(keyword, first?).map(Value::Address)
            }
            Shape::Interface => self.interface_name(first?).map(Value::Name),
            Shape::Path => self.path(first?).map(Value::Text),
            Shape::File => self.path(first?).map(|path| Value::Name(Spanned::new(path, words[0].span))),
            Shape::FileName => {
                self.file_name(keyword, first?).map(|name| Value::Name(Spanned::new(name, words[0].span)))
            }
            Shape::Secret(most) => self.bounded(keyword, first?, most).map(|text| Value::Password(Password(text))),
            Shape::OptPath => first.map_or(Some(String::new()), |word| self.path(word)).map(Value::Text),
            Shape::OptCommand if words.is_empty() => Some(Value::Deleted(DeletedNotify::Generic)),
            Shape::OptCommand => self.script(setting).map(|script| Value::Deleted(DeletedNotify::Script(script))),
            Shape::Command => self.script(setting).map(Value::Script),
            Shape::Check => self.check(keyword, words).map(Value::Check),
            Shape::Owner => self.owner(keyword, words).map(Value::Owner),
            Shape::Weight(most) => self.weight(keyword, words, most).map(Value::Weight),
            Shape::HmacKey => self.hmac_key(keyword, words),
            Shape::InitFile => self.init_file(keyword, words),
            Shape::ExtraIf => self.extra_interfaces(keyword, words),
            Shape::Vmac => self.vmac(keyword, words).map(Value::Vmac),
            Shape::Ipvlan => self.ipvlan(keyword, words).map(Value::Ipvlan),
            Shape::SyncDaemon => self.sync_daemon(keyword, words).map(Value::SyncDaemon),
            Shape::SmtpServer => self.smtp_server(keyword, words),
            Shape::Umask => self.umask(keyword, first?),
            Shape::RxPolicy => self.receive_buffer(keyword, first?),
            Shape::Cpus => {
                let mut cpus = Vec::with_capacity(words.len());
                for word in words {
                    cpus.push(u32::try_from(self.integer(keyword, word, 0, MOST_CPUS, "")?).ok()?);
                }
                Some(Value::Numbers(cpus))
            }
            Shape::Lines(_) | Shape::Hmac | Shape::Block | Shape::Named => None,
        }
    }

    fn boolean(&mut self, keyword: &Keyword, word: &Word<'s>) -> Option<bool> {
        let text = word.text.as_ref();
        let read = |text: &str| TRUE.contains(&text).then_some(true).or(FALSE.contains(&text).then_some(false));
        if let Some(value) = read(text) {
            return Some(value);
        }
        let message = format!("expected `on` or `off`, found `{text}`");
        let diagnostic = Diagnostic::new(Code::UnknownChoice, word.span, message);
        let lower = text.to_ascii_lowercase();
        let diagnostic = match text {
            _ if read(&lower).is_some() => diagnostic.help(format!("write it in small letters: `{lower}`")),
            "1" => diagnostic.help("write `on`"),
            "0" => diagnostic.help("write `off`"),
            _ => diagnostic.help(keyword.written()),
        };
        self.report(with_typing_help(diagnostic, word, |text| read(text).is_some()));
        None
    }

    /// A whole number.
    pub(super) fn integer(
        &mut self,
        keyword: &Keyword,
        word: &Word<'s>,
        low: i64,
        high: i64,
        unit: &str,
    ) -> Option<i64> {
        self.integer_of(word, low, high, unit, &keyword.written())
    }

    /// As [`Lowerer::integer`], where no keyword of the table stands before it.
    pub(super) fn integer_of(&mut self, word: &Word<'s>, low: i64, high: i64, unit: &str, help: &str) -> Option<i64> {
        let text = word.text.as_ref();
        let blank = if unit.is_empty() { "" } else { " " };
        let message = format!("expected a number from {low} to {high}{blank}{unit}, found `{text}`");
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
            let diagnostic = Diagnostic::new(Code::NotANumber, word.span, message).help(help);
            self.report(with_typing_help(diagnostic, word, |text| text.parse::<i64>().is_ok()));
            return None;
        }
        let number = text.parse().ok().filter(|number| (low..=high).contains(number));
        if number.is_none() {
            self.report(Diagnostic::new(Code::OutOfRange, word.span, message).help(help));
        }
        number
    }

    fn seconds(&mut self, keyword: &Keyword, word: &Word<'s>, low: u64, high: u64) -> Option<Duration> {
        self.seconds_of(word, low, high, &keyword.written())
    }

    /// Seconds with decimals; the bounds are millionths.
    pub(super) fn seconds_of(&mut self, word: &Word<'s>, low: u64, high: u64, help: &str) -> Option<Duration> {
        let range = Shape::Seconds(low, high).range();
        let message = format!("expected {}, found `{}`", range.replace(", six decimals at most", ""), word.text);
        let number = millionths(&word.text);
        let Some(number) = number else {
            let diagnostic = Diagnostic::new(Code::NotANumber, word.span, message).help(help);
            let unit = word.text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let diagnostic = match millionths(unit) {
                Some(_) => diagnostic.help(format!("times are in seconds, without a unit; {help}")),
                None => diagnostic,
            };
            self.report(with_typing_help(diagnostic, word, |text| millionths(text).is_some()));
            return None;
        };
        if !(low..=high).contains(&number) {
            self.report(Diagnostic::new(Code::OutOfRange, word.span, message).help(help));
            return None;
        }
        Some(Duration::from_micros(number))
    }

    pub(super) fn bounded(&mut self, keyword: &Keyword, word: &Word<'s>, most: usize) -> Option<String> {
        if (1..=most).contains(&word.text.len()) {
            return Some(word.text.clone().into_owned());
        }
        let message = format!("expected 1 to {most} octets, found {}", word.text.len());
        self.report(Diagnostic::new(Code::OutOfRange, word.span, message).help(keyword.written()));
        None
    }

    fn words(&mut self, keyword: &Keyword, words: &'t [Word<'s>]) -> Option<Vec<String>> {
        match keyword.name {
            "include_check" => {
                const CHECKS: &[&str] = &["read", "match", "wildcard_match", "brace_match", "all"];
                for word in words {
                    let bare = word.text.strip_prefix(['+', '-']).unwrap_or(&word.text);
                    if !CHECKS.contains(&bare) {
                        self.choice(keyword, word, CHECKS)?;
                    }
                }
            }
            "lvs_timeouts" => {
                for pair in words.chunks(2) {
                    self.choice(keyword, &pair[0], &["tcp", "tcpfin", "udp"])?;
                    let Some(seconds) = pair.get(1) else {
                        let message = format!("`{}` lacks its value", pair[0].text);
                        let diagnostic = Diagnostic::new(Code::MissingValue, pair[0].span, message);
                        self.report(diagnostic.help(keyword.written()));
                        return None;
                    };
                    self.integer(keyword, seconds, 0, 2_678_400, "s")?;
                }
            }
            _ => {}
        }
        Some(words.iter().map(|word| word.text.clone().into_owned()).collect())
    }

    pub(super) fn choice(
        &mut self,
        keyword: &Keyword,
        word: &Word<'s>,
        choices: &'static [&'static str],
    ) -> Option<&'static str> {
        self.choice_of(word, choices, &keyword.written())
    }

    /// One of several words.
    pub(super) fn choice_of(
        &mut self,
        word: &Word<'s>,
        choices: &'static [&'static str],
        help: &str,
    ) -> Option<&'static str> {
        let text = word.text.as_ref();
        if let Some(choice) = choices.iter().find(|choice| **choice == text) {
            return Some(choice);
        }
        let expected: Vec<_> = choices.iter().map(|choice| format!("`{choice}`")).collect();
        let message = format!("expected {}, found `{text}`", expected.join(" or "));
        let diagnostic = Diagnostic::new(Code::UnknownChoice, word.span, message);
        self.report(match keywords::nearest_of(choices.iter().copied(), |name| name, text) {
            Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
            None => diagnostic.help(help),
        });
        None
    }

    fn multicast(&mut self, keyword: &Keyword, word: &Word<'s>) -> Option<IpAddr> {
        let group = self.any_address(word, &word.text, "a multicast group")?;
        let fits = match keyword.shape {
            Shape::Multicast4 => group.is_ipv4(),
            Shape::Multicast6 => group.is_ipv6(),
            _ => true,
        };
        if fits && group.is_multicast() {
            return Some(group);
        }
        let (code, message) = if fits {
            (Code::NotMulticast, format!("{group} is not a multicast address"))
        } else {
            (Code::WrongFamily, format!("{group} is of the other address family"))
        };
        self.report(Diagnostic::new(code, word.span, message).help(keyword.written()));
        None
    }

    fn file_name(&mut self, keyword: &Keyword, word: &Word<'s>) -> Option<String> {
        let name = self.bounded(keyword, word, FILE_NAME_MAX)?;
        if !name.contains('/') && name != "." && name != ".." {
            return Some(name);
        }
        let message = format!("expected the name of a file, found `{name}`");
        self.report(Diagnostic::new(Code::UnknownChoice, word.span, message).help("write it without folder and `/`"));
        None
    }

    fn path(&mut self, word: &Word<'s>) -> Option<String> {
        let raw = self.sources.text(word.span);
        // A word that did not come from the text as it stands has no quotes left.
        let path =
            if raw.starts_with('\'') { script::split(raw).ok()?.into_iter().next()? } else { word.text.to_string() };
        if path.is_empty() {
            let diagnostic = Diagnostic::new(Code::MissingValue, word.span, "the path is empty");
            self.report(diagnostic.help("write the path of a file, beginning with `/`"));
            return None;
        }
        Some(path)
    }

    /// `USER [[:]GROUP]`
    pub(super) fn owner(&mut self, keyword: &Keyword, words: &'t [Word<'s>]) -> Option<ScriptOwner> {
        let user = words.first()?;
        for word in words {
            if word.text.is_empty() || word.text.starts_with(['/', '-', '.']) {
                let message = format!("expected a user or group, found `{}`", word.text);
                self.report(Diagnostic::new(Code::UnknownChoice, word.span, message).help(keyword.written()));
                return None;
            }
        }
        let group = words.get(1).map(|word| word.text.strip_prefix(':').unwrap_or(&word.text).to_owned());
        Some(ScriptOwner { user: user.text.clone().into_owned(), group })
    }

    pub(super) fn weight(&mut self, keyword: &Keyword, words: &'t [Word<'s>], most: i64) -> Option<WeightSetting> {
        let weight = self.integer(keyword, words.first()?, -most, most, "")?;
        let reverse = match words.get(1) {
            Some(word) => self.choice(keyword, word, &["reverse", "noreverse"])? == "reverse",
            None => false,
        };
        Some(WeightSetting { weight: i16::try_from(weight).ok()?, reverse })
    }

    fn init_file(&mut self, keyword: &Keyword, words: &'t [Word<'s>]) -> Option<Value> {
        let (mut value, mut overwrite) = (0, false);
        for word in words {
            if word.text == "overwrite" {
                overwrite = true;
            } else {
                value = self.integer(keyword, word, -2_147_483_647, 2_147_483_647, "")?;
            }
        }
        Some(Value::InitialValue(InitialValue { value: i32::try_from(value).ok()?, overwrite }))
    }

    fn extra_interfaces(&mut self, keyword: &Keyword, words: &'t [Word<'s>]) -> Option<Value> {
        let (last, before) = words.split_last()?;
        if let Some(word) = before.first() {
            self.choice(keyword, word, &["all"])?;
        }
        let seconds = self.integer(keyword, last, 0, 86_400, "s")?;
        let interval = Duration::from_secs(u64::try_from(seconds).ok()?);
        Some(Value::ExtraInterfaces(ExtraInterfaces { all: !before.is_empty(), interval }))
    }

    fn smtp_server(&mut self, keyword: &Keyword, words: &'t [Word<'s>]) -> Option<Value> {
        let host = self.bounded(keyword, words.first()?, 255)?;
        let port = match words.get(1) {
            Some(word) => Some(u16::try_from(self.integer(keyword, word, 1, 65_535, "")?).ok()?),
            None => None,
        };
        Some(Value::SmtpHost(SmtpHost { host, port }))
    }

    fn umask(&mut self, keyword: &Keyword, word: &Word<'s>) -> Option<Value> {
        let named = |text: &str| {
            let bit = |part: &str| MODE_BITS.iter().find(|(name, _)| *name == part).map(|(_, bit)| *bit);
            text.split('|').map(|part| bit(part.trim())).try_fold(0, |mask, bit| Some(mask | bit?))
        };
        let octal = u32::from_str_radix(&word.text, 8).ok().filter(|mask| *mask <= 0o777);
        let mask = octal.or_else(|| named(&word.text));
        if mask.is_none() {
            let message = format!("expected mode bits like `022` or `IWGRP|IWOTH`, found `{}`", word.text);
            self.report(Diagnostic::new(Code::BadKey, word.span, message).help(keyword.written()));
        }
        mask.map(|mask| Value::Int(i64::from(mask)))
    }

    fn receive_buffer(&mut self, keyword: &Keyword, word: &Word<'s>) -> Option<Value> {
        Some(Value::ReceiveBuffer(match word.text.as_ref() {
            "MTU" => ReceiveBuffer::Mtu,
            "ADVERT" => ReceiveBuffer::Advert,
            _ => ReceiveBuffer::Octets(u32::try_from(self.integer(keyword, word, 1, 2_147_483_647, "octets")?).ok()?),
        }))
    }
}
