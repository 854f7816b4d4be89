//! `auth_hmac` of the configuration as the election takes it, with the keys that stand in files of their own.
//!
//! Knows nothing of adverts. A key is never part of a message.

use std::num::NonZeroU8;
use std::path::Path;

use vrrp_core::AdvertInterval;
use vrrp_core::auth::keys::{Key, KeyError, Keys};
use vrrp_core::auth::trailer::{AntiReplay, HmacConfig, Mode, TimeWindow};

use super::private;
use crate::config::model::{HmacAuth, HmacKeySource, HmacSecret};
use crate::config::{Code, Diagnostic};

/// More than the longest key takes in hexadecimal digits.
const LONGEST_FILE: u64 = 1024;

/// Why the adverts of an instance cannot be signed.
#[derive(Debug)]
pub(super) enum Unusable {
    /// A file is not what it should be.
    File(Box<Diagnostic>),
    /// Keys that the configuration reader should have refused.
    Keys(KeyError),
}

/// Reads the key files.
pub(super) fn config(auth: &HmacAuth, interval: AdvertInterval) -> Result<HmacConfig, Unusable> {
    let settings = &auth.settings;
    let keys = settings.key.iter().map(key).collect::<Result<Vec<_>, _>>()?;
    let active = NonZeroU8::new(settings.active_key.unwrap_or_default()).unwrap_or(NonZeroU8::MIN);
    let window = settings.time_window.and_then(|window| TimeWindow::new(u16::try_from(window.as_secs()).ok()?));
    Ok(HmacConfig {
        keys: Keys::new(&keys, active).map_err(Unusable::Keys)?,
        mode: match settings.mode.as_deref() {
            Some("permissive") => Mode::Permissive,
            Some("receive-only") => Mode::ReceiveOnly,
            _ => Mode::Enforce,
        },
        anti_replay: match settings.anti_replay.as_deref() {
            Some("monotonic") => AntiReplay::Monotonic,
            _ => AntiReplay::Time(window.unwrap_or_else(|| TimeWindow::for_interval(interval))),
        },
    })
}

fn key(secret: &HmacSecret) -> Result<Key, Unusable> {
    let id = NonZeroU8::new(secret.id.value).unwrap_or(NonZeroU8::MIN);
    let octets = match &secret.key {
        HmacKeySource::Octets(octets) => octets.clone(),
        HmacKeySource::File(path) => read(Path::new(&path.value)).map_err(|(fault, help)| {
            let message = format!("the key file `{}` {fault}", path.value);
            Unusable::File(Box::new(Diagnostic::new(Code::KeyFile, path.span, message).help(help)))
        })?,
    };
    Key::new(id, &octets).map_err(Unusable::Keys)
}

/// The octets of a key file; or what is wrong with it, and what to do.
fn read(path: &Path) -> Result<Vec<u8>, (String, &'static str)> {
    let line = private::line(path, LONGEST_FILE)?;
    HmacSecret::octets(&line)
        .ok_or(("holds no key of 32 to 64 octets".into(), "write `hex:` and 64 to 128 hexadecimal digits, or a text"))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_file_is_for_its_owner_only_and_holds_one_key() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("key");
        let with = |text: &str, mode| {
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
            read(&path)
        };
        let text = "a text of thirty-two octets, yes";
        assert_eq!(with(&format!("{text}\n"), 0o600).as_deref(), Ok(text.as_bytes()));
        assert_eq!(with(&format!("hex:{}\r\n", "0a".repeat(64)), 0o400), Ok(vec![10; 64]));
        let fault = |text: &str, mode| with(text, mode).expect_err("refused").0;
        for mode in [0o640, 0o604, 0o620] {
            assert!(fault(text, mode).contains("others"));
        }
        for wrong in ["", "short", "hex:0a", &"x".repeat(65), &format!("hex:{}", "0x".repeat(32))] {
            assert!(fault(wrong, 0o600).contains("32 to 64"), "{wrong}");
        }
        assert!(read(directory.path()).expect_err("a directory").0.contains("regular"));
        assert!(read(&directory.path().join("none")).expect_err("nothing").0.contains("cannot be read"));
    }
}
