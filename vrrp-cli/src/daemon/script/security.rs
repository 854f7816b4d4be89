//! Who can change what a path leads to: every directory and symbolic link on the way, and the file.
//!
//! Judges owners and mode bits; knows nothing of scripts.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// As many as the kernel follows.
const LINKS: usize = 40;

/// The set-gid bit's neighbour: in such a directory only the owner of a file may replace it.
const STICKY: u32 = 0o1000;

/// A place where somebody other than root can change what is run. Completes "..., but".
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Gap {
    place: PathBuf,
    who: Who,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Who {
    Owner(u32),
    Group(u32),
    Everybody,
}

/// The first place on the way to `path` that others than root can change; `None` when there is none.
///
/// A path that cannot be looked at has no gap: whoever executes it learns why.
pub(super) fn gap(path: &Path) -> Option<Gap> {
    let mut ahead: VecDeque<OsString> = names(&std::path::absolute(path).ok()?);
    let mut here = PathBuf::from("/");
    let mut links = 0;
    if let Some(who) = who_can_change(&fs::symlink_metadata(&here).ok()?) {
        return Some(Gap { place: here, who });
    }
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            here.pop();
            continue;
        }
        let next = here.join(name);
        let meta = fs::symlink_metadata(&next).ok()?;
        if meta.is_symlink() {
            links += 1;
            if links > LINKS {
                return None;
            }
            // Whoever can replace the link could write to its directory, which was looked at.
            let target = fs::read_link(&next).ok()?;
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            for name in names(&target).into_iter().rev() {
                ahead.push_front(name);
            }
            continue;
        }
        if let Some(who) = who_can_change(&meta) {
            return Some(Gap { place: next, who });
        }
        here = next;
    }
    None
}

fn names(path: &Path) -> VecDeque<OsString> {
    let name = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(name).collect()
}

fn who_can_change(meta: &Metadata) -> Option<Who> {
    if meta.uid() != 0 {
        return Some(Who::Owner(meta.uid()));
    }
    if meta.is_dir() && meta.mode() & STICKY != 0 {
        return None;
    }
    match meta.mode() & 0o022 {
        mode if mode & 0o002 != 0 => Some(Who::Everybody),
        mode if mode & 0o020 != 0 && meta.gid() != 0 => Some(Who::Group(meta.gid())),
        _ => None,
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.who {
            Who::Owner(user) => write!(f, "user {user}")?,
            Who::Group(group) => write!(f, "group {group}")?,
            Who::Everybody => f.write_str("everybody")?,
        }
        write!(f, " can change `{}`", self.place.display())
    }
}
