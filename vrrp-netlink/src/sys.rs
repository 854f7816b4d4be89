//! The system calls that no safe crate offers, each behind a safe function.
//!
//! The only module with `unsafe`. It decides nothing: arguments come checked, errors go out as the kernel gave them.

use std::ffi::CStr;
use std::io;
use std::net::Ipv6Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::sys::stat::Mode;
use nix::unistd::write;
use socket2::SockAddr;

/// Octets of control messages for one datagram: a time stamp (32), a drop count (24), destination (40) and hop limit
/// (24), rounded up.
pub(crate) const CONTROL_LEN: usize = 128;

/// The kernel's limit for one message (`SCM_MAX_FD`).
pub(crate) const MOST_DESCRIPTORS: usize = 253;

/// A socket address of no family.
const NO_NAME: libc::sockaddr_in6 = libc::sockaddr_in6 {
    sin6_family: 0,
    sin6_port: 0,
    sin6_flowinfo: 0,
    sin6_addr: libc::in6_addr { s6_addr: [0; 16] },
    sin6_scope_id: 0,
};

/// Room for the control messages of one datagram, aligned as the kernel writes them.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Control(pub(crate) [u8; CONTROL_LEN]);

/// The headers of one `recvmmsg`, kept so that a call allocates nothing.
pub(crate) struct Headers {
    names: Box<[libc::sockaddr_in6]>,
    vectors: Box<[libc::iovec]>,
    messages: Box<[libc::mmsghdr]>,
}

// SAFETY: the pointers inside are only followed by the kernel during `receive_many`, which rewrites every one of them
// first; between calls they are values without meaning and may move to another thread.
unsafe impl Send for Headers {}

impl Headers {
    pub(crate) fn new(count: usize) -> Self {
        let vector = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };
        // SAFETY: `mmsghdr` is a C structure of integers and pointers; all zero is a valid value of each.
        let message: libc::mmsghdr = unsafe { std::mem::zeroed() };
        let names = vec![NO_NAME; count].into();
        Self { names, vectors: vec![vector; count].into(), messages: vec![message; count].into() }
    }

    /// Source of datagram `slot` of the last call; `None` when it did not come by IPv6.
    pub(crate) fn source(&self, slot: usize) -> Option<Ipv6Addr> {
        let name = self.names.get(slot)?;
        (i32::from(name.sin6_family) == libc::AF_INET6).then(|| Ipv6Addr::from(name.sin6_addr.s6_addr))
    }

    /// Length of datagram `slot` of the last call, in octets received.
    pub(crate) fn len(&self, slot: usize) -> usize {
        self.messages.get(slot).and_then(|message| usize::try_from(message.msg_len).ok()).unwrap_or(0)
    }

    /// Whether datagram `slot` of the last call was longer than its room.
    pub(crate) fn truncated(&self, slot: usize) -> bool {
        self.messages.get(slot).is_some_and(|message| message.msg_hdr.msg_flags & libc::MSG_TRUNC != 0)
    }
}

/// One non-blocking `recvmmsg` into rooms of `room` octets each; the count of datagrams received.
pub(crate) fn receive_many(
    fd: BorrowedFd<'_>,
    headers: &mut Headers,
    octets: &mut [u8],
    room: usize,
    controls: &mut [Control],
) -> io::Result<usize> {
    // The flag's parameter is signed in one libc and unsigned in another; a literal fits both.
    const _: () = assert!(libc::MSG_DONTWAIT == 0x40);
    const _: () = assert!(CONTROL_LEN == 128 && size_of::<libc::sockaddr_in6>() == 28);

    let mut prepared: libc::c_uint = 0;
    let slots = headers.messages.iter_mut().zip(headers.vectors.iter_mut()).zip(headers.names.iter_mut());
    for (((message, vector), name), (octets, control)) in slots.zip(octets.chunks_exact_mut(room).zip(controls)) {
        control.0.fill(0);
        *name = NO_NAME;
        *vector = libc::iovec { iov_base: octets.as_mut_ptr().cast(), iov_len: octets.len() };
        message.msg_len = 0;
        message.msg_hdr.msg_name = ptr::from_mut(name).cast();
        message.msg_hdr.msg_namelen = 28;
        message.msg_hdr.msg_iov = vector;
        message.msg_hdr.msg_iovlen = 1;
        message.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
        message.msg_hdr.msg_controllen = 128;
        message.msg_hdr.msg_flags = 0;
        prepared += 1;
    }
    // SAFETY: the first `prepared` messages point to buffers borrowed mutably for this whole call, with their lengths;
    // the time-out may be null.
    let received =
        unsafe { libc::recvmmsg(fd.as_raw_fd(), headers.messages.as_mut_ptr(), prepared, 0x40, ptr::null_mut()) };
    usize::try_from(received).map_err(|_| io::Error::last_os_error())
}

/// One non-blocking `sendmsg` of an IPv6 datagram with this source address (`IPV6_PKTINFO`) and hop limit
/// (`IPV6_HOPLIMIT`), by the interface `index`.
#[allow(clippy::useless_conversion, reason = "the types of lengths differ between C libraries")]
pub(crate) fn send_from_v6(
    fd: BorrowedFd<'_>,
    index: u32,
    (source, destination): (Ipv6Addr, Ipv6Addr),
    hop_limit: u8,
    payload: &[u8],
) -> io::Result<()> {
    #[repr(C, align(8))]
    struct PacketInfo {
        header: libc::cmsghdr,
        info: libc::in6_pktinfo,
        // The C macro CMSG_SPACE: each begins where the alignment of a header lets it.
        padding: [u8; PADDING],
        hop_header: libc::cmsghdr,
        hop_limit: libc::c_int,
    }
    // The C macro CMSG_LEN; the information stands directly behind the header.
    const LEN: usize = size_of::<libc::cmsghdr>() + size_of::<libc::in6_pktinfo>();
    const PADDING: usize = LEN.next_multiple_of(size_of::<usize>()) - LEN;
    const HOP_LEN: usize = size_of::<libc::cmsghdr>() + size_of::<libc::c_int>();
    const _: () = assert!(std::mem::offset_of!(PacketInfo, info) == size_of::<libc::cmsghdr>());
    const _: () = assert!(std::mem::offset_of!(PacketInfo, hop_header) == LEN + PADDING);
    const _: () = assert!(std::mem::offset_of!(PacketInfo, hop_limit) == LEN + PADDING + size_of::<libc::cmsghdr>());

    let address = |address: Ipv6Addr| libc::in6_addr { s6_addr: address.octets() };
    let mut name = NO_NAME;
    name.sin6_family = libc::sa_family_t::try_from(libc::AF_INET6).map_err(|_| io::ErrorKind::InvalidInput)?;
    name.sin6_addr = address(destination);
    name.sin6_scope_id = index;
    // SAFETY: both are C structures of integers and pointers; all zero is a valid value of each.
    let (mut control, mut message): (PacketInfo, libc::msghdr) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    control.header.cmsg_len = LEN.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    control.header.cmsg_level = libc::IPPROTO_IPV6;
    control.header.cmsg_type = libc::IPV6_PKTINFO;
    control.info = libc::in6_pktinfo {
        ipi6_addr: address(source),
        ipi6_ifindex: index.try_into().map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?,
    };
    control.hop_header.cmsg_len = HOP_LEN.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    control.hop_header.cmsg_level = libc::IPPROTO_IPV6;
    control.hop_header.cmsg_type = libc::IPV6_HOPLIMIT;
    control.hop_limit = hop_limit.into();
    let mut vector = libc::iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() };
    message.msg_name = ptr::from_mut(&mut name).cast();
    message.msg_namelen = socklen(size_of_val(&name))?;
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    message.msg_control = ptr::from_mut(&mut control).cast();
    message.msg_controllen = size_of_val(&control).try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: `message` points to `name`, `vector`, `control` and, through `vector`, to `payload`, with their lengths;
    // all of them live until the call returns, which only reads them.
    let sent = unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const message, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// One non-blocking `sendmmsg` of frames, each to its link-layer address; how many were sent, at least one.
pub(crate) fn send_many(fd: BorrowedFd<'_>, frames: &[(SockAddr, &[u8])]) -> io::Result<usize> {
    // The flags' type is signed in one libc and unsigned in another; a literal fits both.
    const _: () = assert!(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL == 0x4040);

    let vector =
        |(_, frame): &(_, &[u8])| libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
    let mut vectors: Vec<libc::iovec> = frames.iter().map(vector).collect();
    let message = |((name, _), vector): (&(SockAddr, &[u8]), &mut libc::iovec)| {
        // SAFETY: `mmsghdr` is a C structure of integers and pointers; all zero is a valid value of each.
        let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
        message.msg_hdr.msg_name = name.as_ptr().cast_mut().cast();
        message.msg_hdr.msg_namelen = name.len();
        message.msg_hdr.msg_iov = vector;
        message.msg_hdr.msg_iovlen = 1;
        message
    };
    let mut messages: Vec<libc::mmsghdr> = frames.iter().zip(&mut vectors).map(message).collect();
    let count = libc::c_uint::try_from(messages.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: each of the `count` messages points to an address and, through its vector, to a frame, with their lengths;
    // all of them live until the call returns, which only reads them and writes the lengths in `messages`.
    let sent = unsafe { libc::sendmmsg(fd.as_raw_fd(), messages.as_mut_ptr(), count, 0x4040) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Leaves the checksum of a raw IPv6 socket's datagrams to whoever made them.
pub(crate) fn leave_checksum_v6(fd: BorrowedFd<'_>) -> io::Result<()> {
    let none: libc::c_int = -1;
    let len = socklen(size_of_val(&none))?;
    // SAFETY: the pointer and the length describe `none`, which lives until the call returns.
    let result = unsafe {
        libc::setsockopt(fd.as_raw_fd(), libc::IPPROTO_IPV6, libc::IPV6_CHECKSUM, ptr::from_ref(&none).cast(), len)
    };
    checked(result)
}

/// Makes `index` the interface that multicast leaves by, whatever addresses it has.
pub(crate) fn set_multicast_interface(fd: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    let any = libc::in_addr { s_addr: libc::INADDR_ANY };
    let request = libc::ip_mreqn { imr_multiaddr: any, imr_address: any, imr_ifindex: interface_number(index)? };
    let len = socklen(size_of_val(&request))?;
    // SAFETY: the pointer and the length describe `request`, which lives until the call returns.
    let result = unsafe {
        libc::setsockopt(fd.as_raw_fd(), libc::IPPROTO_IP, libc::IP_MULTICAST_IF, ptr::from_ref(&request).cast(), len)
    };
    checked(result)
}

/// The link-layer address "interface `index`, frames of `ethertype`".
pub(crate) fn link_address(index: u32, ethertype: u16) -> io::Result<SockAddr> {
    let index = interface_number(index)?;
    let family = u16::try_from(libc::AF_PACKET).map_err(|_| io::ErrorKind::InvalidInput)?;
    let len = socklen(size_of::<libc::sockaddr_ll>())?;
    // SAFETY: `sockaddr_ll` fits into the zeroed `sockaddr_storage` that `try_init` hands out, all zero is a valid value
    // of it, and the family and the length written are its own.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, storage_len| {
            let link = &mut *storage.cast::<libc::sockaddr_ll>();
            link.sll_family = family;
            link.sll_protocol = ethertype.to_be();
            link.sll_ifindex = index;
            *storage_len = len;
            Ok(())
        })
    }?;
    Ok(address)
}

/// `ppoll` without a signal mask; `None` waits without end. The count of descriptors with something to report.
pub(crate) fn poll(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    let count = libc::nfds_t::try_from(fds.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: i32::try_from(timeout.subsec_nanos()).unwrap_or(0).into(),
    });
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the pointer and the count describe `fds`; the time-out is null or lives until the call returns; the mask
    // may be null.
    let ready = unsafe { libc::ppoll(fds.as_mut_ptr(), count, timeout, ptr::null()) };
    usize::try_from(ready).map_err(|_| io::Error::last_os_error())
}

/// Makes the child of `command` enter the network namespace `namespace` before it executes.
pub(crate) fn enter_in_child(command: &mut Command, namespace: OwnedFd) {
    // SAFETY: between fork and exec the closure makes one system call on a descriptor it owns; it neither allocates nor
    // takes a lock, and an `Errno` becomes an `io::Error` without allocation.
    unsafe {
        command.pre_exec(move || Ok(setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)?));
    }
}

/// Makes the child of `command` enter new user, network and mount namespaces, write each text to its file, and keep its
/// mounts to itself, before it executes.
pub(crate) fn user_namespace_in_child(command: &mut Command, files: [(&'static CStr, String); 3]) {
    // SAFETY: between fork and exec the closure makes system calls on memory prepared before; opening by `CStr`, writing
    // and mounting the literal paths neither allocate nor take a lock, and an `Errno` becomes an `io::Error` without
    // allocation.
    unsafe {
        command.pre_exec(move || {
            unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)?;
            for (path, text) in &files {
                let file = open(*path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
                write(&file, text.as_bytes())?;
            }
            mount(None::<&CStr>, c"/", None::<&CStr>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&CStr>)?;
            Ok(())
        });
    }
}

/// Makes the kernel kill the child of `command` when the thread that started it ends.
pub(crate) fn die_with_parent_in_child(command: &mut Command, parent: u32) {
    // SAFETY: between fork and exec the closure makes two system calls and compares two numbers; it neither allocates
    // nor takes a lock, and both kinds of error are plain numbers.
    unsafe {
        command.pre_exec(move || {
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            // A parent that died before the request above will never be reported.
            if std::os::unix::process::parent_id() == parent {
                Ok(())
            } else {
                Err(io::Error::from_raw_os_error(libc::ESRCH))
            }
        });
    }
}

/// Makes the child of `command` begin with every signal's default disposition.
pub(crate) fn default_signals_in_child(command: &mut Command) {
    // The first signal that does not exist, in every architecture's numbering.
    const END: libc::c_int = 65;
    // SAFETY: between fork and exec the closure makes system calls with plain numbers; it neither allocates nor takes a
    // lock. Those that the kernel refuses (SIGKILL, SIGSTOP, the C library's own) have their default already.
    unsafe {
        command.pre_exec(|| {
            for signal in 1..END {
                libc::signal(signal, libc::SIG_DFL);
            }
            Ok(())
        });
    }
}

/// Makes SIGCHLD what it is by default. What a process was started with is kept otherwise: ignored, children leave no status.
pub(crate) fn default_child_signal() -> io::Result<()> {
    // SAFETY: the call takes two numbers; the default disposition runs no code of this process.
    let before = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    if before == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `pidfd_open`: a descriptor that can be read once the process has ended.
pub(crate) fn pidfd_open(pid: u32) -> io::Result<OwnedFd> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    let no_flags: libc::c_uint = 0;
    // SAFETY: the call takes two numbers and touches no memory.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, no_flags) };
    let fd = libc::c_int::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel has just opened this descriptor for us, close-on-exec, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `fork` of a process that has no other thread; the child's process number, or `None` in the child. `EBUSY` when there are
/// other threads.
pub(crate) fn fork() -> io::Result<Option<u32>> {
    if !is_single_threaded() {
        return Err(io::Error::from_raw_os_error(libc::EBUSY));
    }
    // SAFETY: there is no other thread that could hold a lock or be in the midst of a change of memory, and none can begin
    // meanwhile: the child is as whole as this process.
    let pid = unsafe { libc::fork() };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(u32::try_from(pid).ok().filter(|pid| *pid > 0)) }
}

/// `SO_NETNS_COOKIE`: the number of the network namespace that a socket belongs to, never used twice until the next boot.
pub(crate) fn network_cookie(fd: BorrowedFd<'_>) -> io::Result<u64> {
    let mut cookie: u64 = 0;
    let mut len = socklen(size_of_val(&cookie))?;
    // SAFETY: the pointers and the length describe `cookie` and `len`, which live until the call returns.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            ptr::from_mut(&mut cookie).cast(),
            &raw mut len,
        )
    };
    checked(result).map(|()| cookie)
}

/// Asks the kernel, which refuses to separate what threads share; where a filter of system calls does not let it answer, counts.
fn is_single_threaded() -> bool {
    match unshare(CloneFlags::CLONE_THREAD) {
        Ok(()) => true,
        Err(nix::errno::Errno::EINVAL) => false,
        Err(_) => std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1),
    }
}

/// Sends a signal of any number, also of those that have no name, to one process.
pub(crate) fn kill(pid: libc::pid_t, signal: libc::c_int) -> io::Result<()> {
    if pid <= 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the call takes two numbers and touches no memory.
    checked(unsafe { libc::kill(pid, signal) })
}

/// Memory of a file, shared with every process that maps it. Words are its unit, and each is read and written as one.
pub(crate) struct Mapping {
    words: ptr::NonNull<AtomicU64>,
    count: usize,
}

// SAFETY: the memory belongs to no thread, and atomic words may be used by several at once.
unsafe impl Send for Mapping {}
// SAFETY: the same.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// The first `count` words of `file`, which must be at least as long and must never become shorter.
    pub(crate) fn new(file: BorrowedFd<'_>, count: usize) -> io::Result<Self> {
        let len = count.checked_mul(size_of::<u64>()).filter(|len| *len > 0).ok_or(io::ErrorKind::InvalidInput)?;
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: the kernel chooses where, so nothing that exists is replaced.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, access, kind, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let words = ptr::NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self { words, count })
    }

    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: `new` mapped so many words, aligned to a page, readable and writable until `drop`; every bit pattern is a
        // number, and whoever else maps the file uses atomic operations as well.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr(), self.count) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `new` mapped exactly this, and no reference into it outlives `self`.
        unsafe { libc::munmap(self.words.as_ptr().cast(), self.count * size_of::<u64>()) };
    }
}

/// One message of a local socket, with the descriptors that came with it; no octets at its end. It does not block.
pub(crate) fn receive_descriptors(fd: BorrowedFd<'_>, octets: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut control = nix::cmsg_space!([RawFd; MOST_DESCRIPTORS]);
    let mut parts = [io::IoSliceMut::new(octets)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(fd.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
    let mut descriptors = Vec::new();
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(raw) = part {
            // SAFETY: the kernel has just opened these descriptors for us, and nobody else knows them.
            descriptors.extend(raw.into_iter().map(|raw| unsafe { OwnedFd::from_raw_fd(raw) }));
        }
    }
    Ok((message.bytes, descriptors))
}

/// Gives free memory of the heap back to the kernel, where the C library has a call for it.
pub(crate) fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it has no preconditions, takes the allocator's own locks, and moves nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

fn interface_number(index: u32) -> io::Result<libc::c_int> {
    libc::c_int::try_from(index).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))
}

fn socklen(len: usize) -> io::Result<libc::socklen_t> {
    libc::socklen_t::try_from(len).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
