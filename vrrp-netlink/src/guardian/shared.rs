//! Memory in common: words that several processes read and write, each as one.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicU64;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::fstat;
use nix::unistd::ftruncate;

use crate::sys::Mapping;
use crate::{Error, Result};

/// Words of memory in a file without a name, whose descriptor can be handed to another process.
///
/// ```
/// use std::os::fd::AsFd;
/// use std::sync::atomic::Ordering::Relaxed;
/// use vrrp_netlink::guardian::Shared;
/// let here = Shared::new(1000)?;
/// let there = Shared::open(here.as_fd().try_clone_to_owned()?)?;
/// here[999].store(7, Relaxed);
/// assert_eq!((there.len(), there[999].load(Relaxed)), (1000, 7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Shared {
    file: OwnedFd,
    mapping: Mapping,
}

impl Shared {
    /// So many words, all 0. Memory is taken page by page, where something is written.
    ///
    /// Fails without memory or descriptors.
    pub fn new(words: usize) -> Result<Self> {
        let fail = |error: io::Error| Error::new("share memory", error);
        let make = || -> std::result::Result<OwnedFd, Errno> {
            let file = memfd_create(c"shared", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
            let len =
                words.checked_mul(size_of::<u64>()).and_then(|len| i64::try_from(len).ok()).ok_or(Errno::EOVERFLOW)?;
            ftruncate(&file, len)?;
            // A file that could become shorter would kill whoever reads behind its end.
            fcntl(
                &file,
                FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL),
            )?;
            Ok(file)
        };
        let file = make().map_err(|errno| fail(errno.into()))?;
        let mapping = Mapping::new(file.as_fd(), words).map_err(fail)?;
        Ok(Self { file, mapping })
    }

    /// What another process has made by [`Shared::new`]; a file of any other kind is refused (`EINVAL`).
    pub fn open(file: OwnedFd) -> Result<Self> {
        let fail = |error: io::Error| Error::new("share memory of another process", error);
        let seals = fcntl(&file, FcntlArg::F_GET_SEALS).map_err(|errno| fail(errno.into()))?;
        if !SealFlag::from_bits_truncate(seals).contains(SealFlag::F_SEAL_SHRINK) {
            return Err(fail(Errno::EINVAL.into()));
        }
        let len = fstat(&file).map_err(|errno| fail(errno.into()))?.st_size;
        let words = usize::try_from(len).unwrap_or(0) / size_of::<u64>();
        let mapping = Mapping::new(file.as_fd(), words).map_err(fail)?;
        Ok(Self { file, mapping })
    }
}

impl Deref for Shared {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        self.mapping.words()
    }
}

impl AsFd for Shared {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("words", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    #[test]
    fn a_file_that_may_shrink_is_refused() {
        let file = memfd_create(c"other", MFdFlags::MFD_ALLOW_SEALING).unwrap();
        ftruncate(&file, 4096).unwrap();
        assert_eq!(Shared::open(file).unwrap_err().errno(), Some(libc::EINVAL));
        let pipe = nix::unistd::pipe().unwrap();
        assert!(Shared::open(pipe.0).is_err());
        assert!(Shared::new(0).is_err() && Shared::new(usize::MAX).is_err());
    }

    #[test]
    fn the_words_outlive_who_made_them() {
        let made = Shared::new(3).unwrap();
        let other = Shared::open(made.as_fd().try_clone_to_owned().unwrap()).unwrap();
        made[2].store(u64::MAX, Relaxed);
        drop(made);
        assert_eq!(other.iter().map(|word| word.load(Relaxed)).collect::<Vec<_>>(), [0, 0, u64::MAX]);
    }
}
