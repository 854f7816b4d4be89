//! The system calls that no safe crate offers, each behind a safe function.
//!
//! The only module with `unsafe`. It decides nothing: arguments come checked, errors go out as the kernel gave them.

use std::ffi::CStr;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
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
use rustix::thread::{CapabilitySet, CapabilitySets};
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
    /// Those in front that the last call may have written to.
    used: usize,
}

// SAFETY: the pointers inside are only followed by the kernel during `receive_many`, which rewrites every one of them
// first; between calls they are values without meaning and may move to another thread.
unsafe impl Send for Headers {}

impl Headers {
    pub(crate) fn new(count: usize) -> Self {
        let (vectors, messages) = empty_headers(count);
        Self { names: vec![NO_NAME; count].into(), vectors, messages, used: count }
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
    let rooms = octets.chunks_exact_mut(room).zip(controls);
    for (slot, (((message, vector), name), (octets, control))) in slots.zip(rooms).enumerate() {
        if slot < headers.used {
            control.0.fill(0);
            *name = NO_NAME;
        }
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
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error());
    // One that fails may have been begun.
    headers.used = received.as_ref().map_or(1, |received| received + 1);
    received
}

/// Where a message goes.
#[derive(Clone, Copy)]
pub(crate) enum Name {
    V4(libc::sockaddr_in),
    V6(libc::sockaddr_in6),
    Link(libc::sockaddr_ll),
}

impl Name {
    pub(crate) fn v4(destination: Ipv4Addr) -> io::Result<Self> {
        let address = libc::in_addr { s_addr: u32::from_ne_bytes(destination.octets()) };
        Ok(Self::V4(libc::sockaddr_in {
            sin_family: family(libc::AF_INET)?,
            sin_port: 0,
            sin_addr: address,
            sin_zero: [0; 8],
        }))
    }

    /// A scope matters to addresses of a link alone; 0 is none.
    pub(crate) fn v6(destination: Ipv6Addr, scope: u32) -> io::Result<Self> {
        let address = libc::in6_addr { s6_addr: destination.octets() };
        let family = family(libc::AF_INET6)?;
        Ok(Self::V6(libc::sockaddr_in6 { sin6_family: family, sin6_addr: address, sin6_scope_id: scope, ..NO_NAME }))
    }

    /// The interface `index`, frames of `ethertype`.
    pub(crate) fn link(index: u32, ethertype: u16) -> io::Result<Self> {
        Ok(Self::Link(libc::sockaddr_ll {
            sll_family: family(libc::AF_PACKET)?,
            sll_protocol: ethertype.to_be(),
            sll_ifindex: interface_number(index)?,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        }))
    }

    fn as_ptr(&self) -> *const libc::c_void {
        match self {
            Self::V4(name) => ptr::from_ref(name).cast(),
            Self::V6(name) => ptr::from_ref(name).cast(),
            Self::Link(name) => ptr::from_ref(name).cast(),
        }
    }

    fn len(&self) -> io::Result<libc::socklen_t> {
        socklen(match self {
            Self::V4(name) => size_of_val(name),
            Self::V6(name) => size_of_val(name),
            Self::Link(name) => size_of_val(name),
        })
    }
}

/// Control messages beside a datagram of IPv6: its source address and interface (`IPV6_PKTINFO`) and its hop limit
/// (`IPV6_HOPLIMIT`).
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct PacketInfo {
    header: libc::cmsghdr,
    info: libc::in6_pktinfo,
    // The C macro CMSG_SPACE: each begins where the alignment of a header lets it.
    padding: [u8; Self::PADDING],
    hop_header: libc::cmsghdr,
    hop_limit: libc::c_int,
}

impl PacketInfo {
    // The C macro CMSG_LEN; the information stands directly behind the header.
    const LEN: usize = size_of::<libc::cmsghdr>() + size_of::<libc::in6_pktinfo>();
    const PADDING: usize = Self::LEN.next_multiple_of(size_of::<usize>()) - Self::LEN;
    const HOP_LEN: usize = size_of::<libc::cmsghdr>() + size_of::<libc::c_int>();

    #[allow(clippy::useless_conversion, reason = "the types of lengths differ between C libraries")]
    pub(crate) fn new(index: u32, source: Ipv6Addr, hop_limit: u8) -> io::Result<Self> {
        const _: () = assert!(std::mem::offset_of!(PacketInfo, info) == size_of::<libc::cmsghdr>());
        const _: () = assert!(std::mem::offset_of!(PacketInfo, hop_header) == PacketInfo::LEN + PacketInfo::PADDING);
        const _: () = assert!(
            std::mem::offset_of!(PacketInfo, hop_limit)
                == PacketInfo::LEN + PacketInfo::PADDING + size_of::<libc::cmsghdr>()
        );

        // SAFETY: it is a C structure of integers; all zero is a valid value of each.
        let mut new: Self = unsafe { std::mem::zeroed() };
        new.header.cmsg_len = Self::LEN.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
        new.header.cmsg_level = libc::IPPROTO_IPV6;
        new.header.cmsg_type = libc::IPV6_PKTINFO;
        new.info = libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr { s6_addr: source.octets() },
            ipi6_ifindex: index.try_into().map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?,
        };
        new.hop_header.cmsg_len = Self::HOP_LEN.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
        new.hop_header.cmsg_level = libc::IPPROTO_IPV6;
        new.hop_header.cmsg_type = libc::IPV6_HOPLIMIT;
        new.hop_limit = hop_limit.into();
        Ok(new)
    }
}

/// One message of a [`send_many`].
#[derive(Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    pub(crate) name: &'a Name,
    pub(crate) control: Option<&'a PacketInfo>,
    pub(crate) octets: &'a [u8],
}

/// The headers of one `sendmmsg`, kept so that a call allocates nothing.
pub(crate) struct SendHeaders {
    vectors: Box<[libc::iovec]>,
    messages: Box<[libc::mmsghdr]>,
}

// SAFETY: the pointers inside are only followed by the kernel during `send_many`, which rewrites those that it passes on
// first; between calls they are values without meaning and may move to another thread.
unsafe impl Send for SendHeaders {}

impl SendHeaders {
    pub(crate) fn new(count: usize) -> Self {
        let (vectors, messages) = empty_headers(count);
        Self { vectors, messages }
    }
}

/// One non-blocking `sendmmsg` of as many of these messages as there are headers for; how many were sent, at least one.
pub(crate) fn send_many<'a>(
    fd: BorrowedFd<'_>,
    headers: &mut SendHeaders,
    outgoing: impl Iterator<Item = Outgoing<'a>>,
) -> io::Result<usize> {
    send_by(fd, &mut headers.vectors, &mut headers.messages, outgoing)
}

/// The same of one message, for which nothing need be kept.
pub(crate) fn send_one(fd: BorrowedFd<'_>, outgoing: Outgoing<'_>) -> io::Result<()> {
    let (vector, message) = empty_header();
    send_by(fd, &mut [vector], &mut [message], std::iter::once(outgoing)).map(drop)
}

#[allow(clippy::useless_conversion, reason = "the types of lengths differ between C libraries")]
fn send_by<'a>(
    fd: BorrowedFd<'_>,
    vectors: &mut [libc::iovec],
    messages: &mut [libc::mmsghdr],
    outgoing: impl Iterator<Item = Outgoing<'a>>,
) -> io::Result<usize> {
    // The flags' type is signed in one libc and unsigned in another; a literal fits both.
    const _: () = assert!(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL == 0x4040);

    let mut prepared: libc::c_uint = 0;
    let slots = messages.iter_mut().zip(vectors);
    for ((message, vector), Outgoing { name, control, octets }) in slots.zip(outgoing) {
        *vector = libc::iovec { iov_base: octets.as_ptr().cast_mut().cast(), iov_len: octets.len() };
        message.msg_hdr.msg_name = name.as_ptr().cast_mut();
        message.msg_hdr.msg_namelen = name.len()?;
        message.msg_hdr.msg_iov = vector;
        message.msg_hdr.msg_iovlen = 1;
        let (control, len) =
            control.map_or((ptr::null(), 0), |control| (ptr::from_ref(control), size_of::<PacketInfo>()));
        message.msg_hdr.msg_control = control.cast_mut().cast();
        message.msg_hdr.msg_controllen = len.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
        prepared += 1;
    }
    // SAFETY: each of the first `prepared` messages points to a name, to control messages or none, and through its vector to
    // octets, with their lengths; all of them are borrowed beyond this call, which only reads them and writes the lengths in
    // `messages`.
    let sent = unsafe { libc::sendmmsg(fd.as_raw_fd(), messages.as_mut_ptr(), prepared, 0x4040) };
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
    let family = family(libc::AF_PACKET)?;
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

/// Makes the child of `command` use all the privileges that it may.
pub(crate) fn use_privileges_in_child(command: &mut Command) {
    // SAFETY: between fork and exec the closure makes two system calls on its own stack; it neither allocates nor takes a
    // lock, and an `Errno` becomes an `io::Error` without allocation.
    unsafe {
        command.pre_exec(|| {
            let held = rustix::thread::capabilities(None)?;
            Ok(rustix::thread::set_capabilities(None, CapabilitySets { effective: held.permitted, ..held })?)
        });
    }
}

/// Makes the child of `command` have no privileges at all.
pub(crate) fn drop_privileges_in_child(command: &mut Command) {
    // SAFETY: between fork and exec the closure makes one system call on its own stack; it neither allocates nor takes a lock,
    // and an `Errno` becomes an `io::Error` without allocation.
    unsafe {
        command.pre_exec(|| {
            let none = CapabilitySet::empty();
            let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
            Ok(rustix::thread::set_capabilities(None, none)?)
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

/// `sched_setscheduler` of a thread; 0 is the calling one. One C library's own function of that name refuses everything, since
/// POSIX means processes.
pub(crate) fn set_scheduler(thread: libc::pid_t, policy: libc::c_int, priority: libc::c_int) -> io::Result<()> {
    // SAFETY: the kernel's `sched_param` is one number; it lives until the call returns, which only reads it.
    let result = unsafe { libc::syscall(libc::SYS_sched_setscheduler, thread, policy, &raw const priority) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
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

fn empty_headers(count: usize) -> (Box<[libc::iovec]>, Box<[libc::mmsghdr]>) {
    let (vector, message) = empty_header();
    (vec![vector; count].into(), vec![message; count].into())
}

fn empty_header() -> (libc::iovec, libc::mmsghdr) {
    let vector = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };
    // SAFETY: `mmsghdr` is a C structure of integers and pointers; all zero is a valid value of each.
    (vector, unsafe { std::mem::zeroed() })
}

fn family(family: libc::c_int) -> io::Result<libc::sa_family_t> {
    libc::sa_family_t::try_from(family).map_err(|_| io::ErrorKind::InvalidInput.into())
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
