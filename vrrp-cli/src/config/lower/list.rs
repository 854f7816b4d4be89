//! Blocks whose lines are not keywords: trackers, peers, interfaces, names.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

use super::{Diagnostic, Lowerer, Setting, keywords};
use crate::config::diagnostic::Code;
use crate::config::keywords::Lines;
use crate::config::keywords::shape::SECOND;
use crate::config::model::{LinkbeatInterface, Peer, Span, Spanned, Track, UpDownDelay, Value, WeightSetting};
use crate::config::tree::{Statement, Word};

const LONGEST_DELAY: u64 = 255;

impl<'t, 's> Lowerer<'t, 's, '_> {
    /// All lines of a list that could be read.
    pub(super) fn list(&mut self, setting: &Setting<'t, 's>, lines: Lines) -> Option<Value> {
        if setting.block.is_none() && setting.values.is_none() {
            return None;
        }
        self.expect_block(setting);
        let statements = setting.block?.statements.as_slice();
        Some(match lines {
            Lines::Addresses => {
                Value::Addresses(self.lines(statements, |lowerer, line| lowerer.address_line(line, false)))
            }
            Lines::Routes => Value::Routes(self.lines(statements, Self::route)),
            Lines::Rules => Value::Rules(self.lines(statements, Self::rule)),
            Lines::Emails => {
                let address = |lowerer: &mut Self, word: &'t Word<'s>| lowerer.mail_address(word);
                Value::Texts(self.flat(statements, address))
            }
            Lines::Interfaces => Value::Names(self.flat(statements, Self::interface_name)),
            Lines::Instances => Value::Names(
                self.flat(statements, |_, word| Some(Spanned::new(word.text.clone().into_owned(), word.span))),
            ),
            Lines::LinkbeatInterfaces => Value::Linkbeats(self.lines(statements, Self::linkbeat)),
            Lines::UpDownDelays => Value::Delays(self.lines(statements, Self::delay)),
            Lines::Peers => {
                let mut peers = self.lines(statements, Self::peer);
                self.unique(&mut peers, |peer| (peer.address.value, peer.address.span), "the peer");
                Value::Peers(peers)
            }
            Lines::TrackInterfaces | Lines::TrackScripts | Lines::TrackProcesses | Lines::TrackBfds => {
                self.tracks(statements, lines, 253)
            }
            Lines::TrackFiles => self.tracks(statements, lines, 254),
        })
    }

    /// What `read` makes of each line; a line takes no block.
    fn lines<T>(
        &mut self,
        statements: &'t [Statement<'s>],
        mut read: impl FnMut(&mut Self, &'t Statement<'s>) -> Option<T>,
    ) -> Vec<T> {
        let mut result = Vec::with_capacity(statements.len());
        for statement in statements {
            if self.sink.is_full() {
                break;
            }
            if let Some(block) = &statement.block {
                let message = "a line of this list takes no block";
                self.report(Diagnostic::new(Code::BlockUnexpected, block.open, message).help("remove the braces"));
            } else if !statement.broken {
                result.extend(read(self, statement));
            }
        }
        result
    }

    /// As `lines`, where several names may share a line.
    fn flat<T>(
        &mut self,
        statements: &'t [Statement<'s>],
        mut read: impl FnMut(&mut Self, &'t Word<'s>) -> Option<T>,
    ) -> Vec<T> {
        let lines = self.lines(statements, |lowerer, line| {
            Some(line.words.iter().filter_map(|word| read(lowerer, word)).collect::<Vec<_>>())
        });
        lines.into_iter().flatten().collect()
    }

    /// Reports what stands in a list twice, and keeps the first.
    pub(super) fn unique<T, K: Hash + Eq + std::fmt::Display>(
        &mut self,
        list: &mut Vec<T>,
        key: impl Fn(&T) -> (K, Span),
        what: &str,
    ) {
        let mut seen: HashMap<K, Span> = HashMap::new();
        list.retain(|entry| {
            let (key, span) = key(entry);
            let message = format!("{what} {key} is given twice");
            let Some(first) = seen.insert(key, span) else { return true };
            let diagnostic = Diagnostic::new(Code::DuplicateEntry, span, message);
            self.report(diagnostic.also(first, "given here before").help("remove one of them"));
            false
        });
    }

    fn tracks(&mut self, statements: &'t [Statement<'s>], lines: Lines, most: i64) -> Value {
        let mut tracks = self.lines(statements, |lowerer, line| lowerer.track(line, lines, most));
        let what = if lines == Lines::TrackInterfaces { "the interface" } else { "the tracked" };
        self.unique(&mut tracks, |track| (format!("`{}`", track.name.value), track.name.span), what);
        Value::Tracks(tracks)
    }

    fn track(&mut self, line: &'t Statement<'s>, lines: Lines, most: i64) -> Option<Track> {
        let (first, options) = line.words.split_first()?;
        let name = if lines == Lines::TrackInterfaces {
            self.interface_name(first)?
        } else {
            Spanned::new(first.text.clone().into_owned(), first.span)
        };
        let mut options = options.iter();
        let mut weight: Option<WeightSetting> = None;
        while let Some(word) = options.next() {
            match word.text.as_ref() {
                "weight" => {
                    let number = self.value_behind(word, options.next(), lines.usage())?;
                    let number = self.integer_of(number, -most, most, "", &written(lines))?;
                    weight.get_or_insert_default().weight = i16::try_from(number).ok()?;
                }
                "reverse" if weight.is_some() => weight.get_or_insert_default().reverse = true,
                "noreverse" if weight.is_some() => {}
                text => {
                    let message = format!("unknown option `{text}` behind `{}`", first.text);
                    let diagnostic = Diagnostic::new(Code::UnknownKeyword, word.span, message);
                    let names = ["weight", "reverse", "noreverse"];
                    let diagnostic = match keywords::nearest_of(names.into_iter(), |name| name, text) {
                        _ if text.parse::<i32>().is_ok() => diagnostic.help(format!("write `weight {text}`")),
                        Some(name) if name != text => diagnostic.help(format!("did you mean `{name}`?")),
                        Some(_) => diagnostic.help("write it behind a `weight`"),
                        None => diagnostic.help(written(lines)),
                    };
                    self.report(diagnostic);
                    // keepalived reads no further, and tracks it all the same.
                    return self.leaves_out().then_some(Track { name, weight });
                }
            }
        }
        Some(Track { name, weight })
    }

    fn peer(&mut self, line: &'t Statement<'s>) -> Option<Peer> {
        let (first, options) = line.words.split_first()?;
        let address = Spanned::new(self.peer_address(first)?, first.span);
        let mut peer = Peer { address, min_ttl: None, max_ttl: None };
        let mut options = options.iter();
        while let Some(word) = options.next() {
            let bound = match word.text.as_ref() {
                "min_ttl" => &mut peer.min_ttl,
                "max_ttl" => &mut peer.max_ttl,
                text => {
                    let message = format!("unknown option `{text}` behind a peer");
                    let diagnostic = Diagnostic::new(Code::UnknownKeyword, word.span, message);
                    let near = keywords::nearest_of(["min_ttl", "max_ttl"].into_iter(), |name| name, text);
                    self.report(match near {
                        Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
                        None => diagnostic.help("each peer stands on a line of its own"),
                    });
                    return self.leaves_out().then_some(peer);
                }
            };
            let value = self.value_behind(word, options.next(), Lines::Peers.usage())?;
            *bound = u8::try_from(self.integer_of(value, 0, 255, "", &written(Lines::Peers))?).ok();
        }
        if let (Some(low), Some(high)) = (peer.min_ttl, peer.max_ttl)
            && low > high
        {
            let message = format!("no TTL is at least {low} and at most {high}");
            let diagnostic = Diagnostic::new(Code::BadLine, first.span, message);
            self.report(diagnostic.help("`min_ttl` is the lower one"));
            return None;
        }
        Some(peer)
    }

    /// A prefix length behind it says nothing, and is read over.
    fn peer_address(&mut self, word: &'t Word<'s>) -> Option<IpAddr> {
        let Some((text, length)) = word.text.split_once('/') else {
            return self.any_address(word, &word.text, "the address of a peer");
        };
        let (address, _) = self.network(word)?;
        let diagnostic = Diagnostic::new(Code::NoEffect, word.span, format!("`/{length}` has no effect behind a peer"));
        self.report(diagnostic.help(format!("a peer is one host: write `{text}`")));
        Some(address)
    }

    fn linkbeat(&mut self, line: &'t Statement<'s>) -> Option<LinkbeatInterface> {
        let (first, options) = line.words.split_first()?;
        let interface = self.interface_name(first)?;
        let method = match options.first() {
            Some(word) => {
                Some(self.choice_of(word, &["MII", "ETHTOOL", "IOCTL"], &written(Lines::LinkbeatInterfaces))?)
            }
            None => None,
        };
        self.no_more(options.get(1), Lines::LinkbeatInterfaces)?;
        Some(LinkbeatInterface { interface, method })
    }

    fn delay(&mut self, line: &'t Statement<'s>) -> Option<UpDownDelay> {
        let (first, times) = line.words.split_first()?;
        let help = written(Lines::UpDownDelays);
        let interface = self.interface_name(first)?;
        let down = self.value_behind(first, times.first(), Lines::UpDownDelays.usage())?;
        let down = self.seconds_of(down, 0, LONGEST_DELAY * SECOND, &help)?;
        let up = match times.get(1) {
            Some(word) => self.seconds_of(word, 0, LONGEST_DELAY * SECOND, &help)?,
            None => std::time::Duration::ZERO,
        };
        self.no_more(times.get(2), Lines::UpDownDelays)?;
        Some(UpDownDelay { interface, down, up })
    }

    fn no_more(&mut self, word: Option<&Word<'s>>, lines: Lines) -> Option<()> {
        let Some(word) = word else { return Some(()) };
        let message = format!("found `{}` where the line should end", word.text);
        self.report(Diagnostic::new(Code::TooManyValues, word.span, message).help(written(lines)));
        None
    }

    /// The word behind an option.
    pub(super) fn value_behind(
        &mut self,
        option: &Word<'s>,
        value: Option<&'t Word<'s>>,
        usage: &str,
    ) -> Option<&'t Word<'s>> {
        if value.is_none() {
            let message = format!("`{}` lacks its value", option.text);
            let help = format!("a line here is written `{usage}`");
            self.report(Diagnostic::new(Code::MissingValue, option.span, message).help(help));
        }
        value
    }
}

fn written(lines: Lines) -> String {
    format!("a line here is written `{}`", lines.usage())
}
