//! Settings with options of their own: `use_vmac`, `use_ipvlan`, `lvs_sync_daemon`, and `auth_hmac`.

use std::net::IpAddr;

use vrrp_core::auth::keys::Keys;

use super::{Context, Diagnostic, Lowerer, Setting};
use crate::config::diagnostic::Code;
use crate::config::keywords::{Keyword, Meaning};
use crate::config::model::{
    HmacAuth, HmacKeySource, HmacSecret, IpvlanSetting, Spanned, SyncDaemonSetting, Value, VmacSetting,
};
use crate::config::tree::Word;

const GROUPS: i64 = 4_294_967_295;

impl<'t, 's> Lowerer<'t, 's, '_> {
    pub(super) fn vmac(&mut self, keyword: &Keyword, words: &'t [Word<'s>]) -> Option<VmacSetting> {
        let mut result = VmacSetting::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.text.as_ref() {
                "netlink_notify_msg" => result.netlink_notify = true,
                "group" => {
                    let number = self.behind(keyword, word, words.next())?;
                    result.group = u32::try_from(self.integer(keyword, number, 0, GROUPS, "")?).ok();
                }
                "name" => {
                    let name = self.behind(keyword, word, words.next())?;
                    result.name = Some(self.interface_name(name)?);
                }
                text if text.matches(':').count() >= 4 => result.mac = Some(self.mac(keyword, word)?),
                _ => result.name = Some(self.interface_name(word)?),
            }
        }
        Some(result)
    }

    pub(super) fn ipvlan(&mut self, keyword: &Keyword, words: &'t [Word<'s>]) -> Option<IpvlanSetting> {
        let mut result = IpvlanSetting::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.text.as_ref() {
                "bridge" => result.mode = Some("bridge"),
                "private" => result.mode = Some("private"),
                "vepa" => result.mode = Some("vepa"),
                "group" => {
                    let number = self.behind(keyword, word, words.next())?;
                    result.group = u32::try_from(self.integer(keyword, number, 0, GROUPS, "")?).ok();
                }
                "name" => {
                    let name = self.behind(keyword, word, words.next())?;
                    result.name = Some(self.interface_name(name)?);
                }
                text if text.split('/').next().is_some_and(|text| text.parse::<IpAddr>().is_ok()) => {
                    result.address = Some(self.network(word)?);
                }
                _ => result.name = Some(self.interface_name(word)?),
            }
        }
        Some(result)
    }

    pub(super) fn sync_daemon(&mut self, keyword: &Keyword, words: &'t [Word<'s>]) -> Option<SyncDaemonSetting> {
        let (interface, rest) = words.split_first()?;
        let interface = self.interface_name(interface)?;
        let mut result = SyncDaemonSetting {
            interface,
            instance: None,
            id: None,
            max_len: None,
            port: None,
            ttl: None,
            group: None,
        };
        let mut rest = rest.iter();
        while let Some(word) = rest.next() {
            let mut number = |lowerer: &mut Self, low, high| {
                let value = lowerer.behind(keyword, word, rest.next())?;
                lowerer.integer(keyword, value, low, high, "")
            };
            match word.text.as_ref() {
                "id" => result.id = u8::try_from(number(self, 0, 255)?).ok(),
                "maxlen" => result.max_len = u16::try_from(number(self, 1, 65_507)?).ok(),
                "port" => result.port = u16::try_from(number(self, 1, 65_535)?).ok(),
                "ttl" => result.ttl = u8::try_from(number(self, 1, 255)?).ok(),
                "group" => {
                    let value = self.behind(keyword, word, rest.next())?;
                    result.group = Some(self.any_address(value, &value.text, "a multicast group")?);
                }
                "inst" => {
                    let value = self.behind(keyword, word, rest.next())?;
                    result.instance = Some(Spanned::new(value.text.clone().into_owned(), value.span));
                }
                text => result.instance = Some(Spanned::new(text.to_owned(), word.span)),
            }
        }
        Some(result)
    }

    /// The value behind the option `name`.
    fn behind(&mut self, keyword: &Keyword, name: &Word<'s>, value: Option<&'t Word<'s>>) -> Option<&'t Word<'s>> {
        if value.is_none() {
            let message = format!("`{}` lacks its value", name.text);
            self.report(Diagnostic::new(Code::MissingValue, name.span, message).help(keyword.written()));
        }
        value
    }

    fn mac(&mut self, keyword: &Keyword, word: &Word<'s>) -> Option<Vec<u8>> {
        let octet = |text: &str| u8::from_str_radix(Some(text).filter(|text| text.len() <= 2)?, 16).ok();
        let read: Option<Vec<u8>> = word.text.split(':').map(octet).collect();
        let fault = match read.as_deref() {
            None => "is not a MAC address",
            Some(octets) if !(5..=6).contains(&octets.len()) => "has not five or six octets",
            Some([first, ..]) if first & 1 == 1 => "is a multicast address",
            Some([0, 0, 0x5e, 0, 1 | 2, ..]) => "is one that VRRP gives out itself",
            Some(_) => return read,
        };
        let message = format!("`{}` {fault}", word.text);
        self.report(Diagnostic::new(Code::BadKey, word.span, message).help(keyword.written()));
        None
    }

    pub(super) fn hmac_key(&mut self, keyword: &Keyword, words: &'t [Word<'s>]) -> Option<Value> {
        let [number, text] = words else { return None };
        let id = u8::try_from(self.integer(keyword, number, 1, 255, "")?).ok()?;
        let key = if let Some(path) = text.text.strip_prefix("file:") {
            HmacKeySource::File(Spanned::new(path.to_owned(), text.span))
        } else {
            let Some(octets) = HmacSecret::octets(&text.text) else {
                let message = "expected a key of 32 to 64 octets";
                self.report(Diagnostic::new(Code::BadKey, text.span, message).help(keyword.written()));
                return None;
            };
            HmacKeySource::Octets(octets)
        };
        Some(Value::Secret(HmacSecret { id: Spanned::new(id, number.span), key }))
    }

    pub(super) fn auth_hmac(&mut self, setting: &Setting<'t, 's>) -> Option<HmacAuth> {
        self.expect_block(setting);
        let mut auth = HmacAuth::default();
        self.read(&setting.block?.statements, Context::AuthHmac, &mut |lowerer, setting| {
            if setting.keyword.meaning != Meaning::Value {
                return;
            }
            if let Some(value) = lowerer.setting(&setting) {
                auth.settings.put(setting.keyword.name, value);
            }
        });
        let keys = &auth.settings.key;
        for (at, key) in keys.iter().enumerate() {
            if let Some(first) = keys[..at].iter().find(|other| other.id.value == key.id.value) {
                let message = format!("there are two keys {}", key.id.value);
                let diagnostic = Diagnostic::new(Code::DuplicateEntry, key.id.span, message);
                self.report(diagnostic.also(first.id.span, "the first one").help("give each key its own number"));
            }
        }
        if let Some(surplus) = keys.get(Keys::MAX) {
            let message = format!("expected at most {} keys, found {}", Keys::MAX, keys.len());
            let diagnostic = Diagnostic::new(Code::OutOfRange, surplus.id.span, message);
            self.report(diagnostic.help("keep the active key, and those that others may still sign with"));
        }
        match auth.settings.active_key {
            Some(active) if keys.iter().any(|key| key.id.value == active) => {}
            Some(active) => {
                let message = format!("the active key {active} is not defined");
                let help = "keepalived would run without authentication; add the key, or choose another one";
                self.report(Diagnostic::new(Code::UnknownName, setting.name.span, message).help(help));
            }
            None => {
                let message = "`auth_hmac` lacks `active_key`";
                let help = "add a line like `active_key 1`";
                self.report(Diagnostic::new(Code::MissingSetting, setting.name.span, message).help(help));
            }
        }
        Some(auth)
    }
}
