//! Isolation, and the texts of refusals. What needs a process without threads is in `tests/processes.rs`.

use std::io::ErrorKind;
use std::os::fd::AsRawFd;

use nix::sys::stat::fstat;

use super::*;
use crate::testing::{have_root, ip};

fn same(one: &Namespace, other: &Namespace) -> bool {
    let identity = |namespace: &Namespace| fstat(namespace).map(|stat| (stat.st_dev, stat.st_ino)).unwrap();
    identity(one) == identity(other)
}

#[test]
fn work_runs_inside_and_leaves_no_trace_outside() {
    if !have_root() {
        return;
    }
    let outside = Namespace::current().unwrap();
    let inside = Namespace::create().unwrap();
    assert!(!same(&inside, &outside));
    let seen = inside.run(|| Namespace::current().unwrap()).unwrap();
    assert!(same(&seen, &inside));
    assert!(same(&Namespace::current().unwrap(), &outside));

    ip(&inside, "link add only0 type veth peer name only1");
    let look = || nix::net::if_::if_nametoindex("only0").is_ok();
    assert!(inside.run(look).unwrap());
    assert!(!look());
}

#[test]
fn a_thread_that_enters_stays_and_so_do_its_threads() {
    if !have_root() {
        return;
    }
    let inside = Namespace::create().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            inside.enter_thread().unwrap();
            assert!(same(&Namespace::current().unwrap(), &inside));
            let child = thread::spawn(|| Namespace::current().unwrap()).join().unwrap();
            assert!(same(&child, &inside));
        });
    });
}

#[test]
fn a_command_starts_inside_and_its_namespace_is_found_by_pid() {
    if !have_root() {
        return;
    }
    let inside = Namespace::create().unwrap();
    let output =
        inside.command(&mut Command::new("readlink")).unwrap().arg("/proc/self/ns/net").output().unwrap().stdout;
    let expected = fs::read_link(format!("/proc/self/fd/{}", inside.as_fd().as_raw_fd())).unwrap();
    assert_eq!(String::from_utf8(output).unwrap().trim(), expected.to_str().unwrap());

    let mut child = inside.command(&mut Command::new("sleep")).unwrap().arg("60").spawn().unwrap();
    let found = Namespace::of_pid(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(same(&found.unwrap(), &inside));
}

#[test]
fn a_panic_inside_goes_on_outside() {
    if !have_root() {
        return;
    }
    let inside = Namespace::create().unwrap();
    let payload = panic::catch_unwind(|| inside.run(|| panic::resume_unwind(Box::new("from inside")))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"from inside"));
}

#[test]
fn mounts_of_a_thread_stay_its_own() {
    if !have_root() {
        return;
    }
    let run = fs::metadata("/run").map(|data| std::os::linux::fs::MetadataExt::st_dev(&data)).unwrap();
    thread::spawn(move || {
        private_run_directory().unwrap();
        assert_eq!(fs::read_dir("/run").unwrap().count(), 0);
        fs::write("/run/mine", "").unwrap();
    })
    .join()
    .unwrap();
    assert!(!fs::exists("/run/mine").unwrap());
    assert_eq!(fs::metadata("/run").map(|data| std::os::linux::fs::MetadataExt::st_dev(&data)).unwrap(), run);
}

#[test]
fn a_private_sys_shows_the_interfaces_of_its_namespace() {
    if !have_root() {
        return;
    }
    let inside = Namespace::create().unwrap();
    ip(&inside, "link add only0 type veth peer name only1");
    let seen = inside.run(|| private_sysfs().map(|()| fs::exists("/sys/class/net/only0").unwrap())).unwrap().unwrap();
    assert!(seen);
    assert!(!fs::exists("/sys/class/net/only0").unwrap());
}

#[test]
fn what_is_no_namespace_is_refused() {
    let error = Namespace::open("/proc/no-such-namespace").unwrap_err();
    assert_eq!((error.operation(), error.kind()), ("open a network namespace", ErrorKind::NotFound));
    if !have_root() {
        return;
    }
    let error = Namespace::open("/dev/null").unwrap().run(|| ()).unwrap_err();
    assert_eq!((error.operation(), error.errno()), ("enter a network namespace", Some(libc::EINVAL)));
}

#[test]
fn a_process_with_threads_is_told_so() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let other = thread::spawn(move || wait.recv());
    assert!(!is_single_threaded().unwrap());
    let error = enter_user_namespace().unwrap_err();
    assert!(matches!(error, UserNamespaceError::Threads(threads) if threads >= 2));
    assert!(error.to_string().ends_with("only a process with one thread can"), "{error}");
    drop(go);
    assert!(other.join().unwrap().is_err());
}

#[test]
fn advice_names_the_setting_in_the_way() {
    let only = |culprit: &'static str, value: &'static str| {
        advice(move |name| (name == culprit).then(|| format!("{value}\n")))
    };
    assert_eq!(only("user/max_user_namespaces", "0"), "allow it with sysctl -w user.max_user_namespaces=15000");
    assert_eq!(
        only("kernel/apparmor_restrict_unprivileged_userns", "1"),
        "allow it with sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    );
    let none = only("kernel/unprivileged_userns_clone", "1");
    assert!(none.contains("kernel.unprivileged_userns_clone=1") && none.contains("seccomp"), "{none}");

    let error = refused("x", io::Error::from_raw_os_error(libc::EPERM));
    assert!(matches!(error, UserNamespaceError::Refused { .. }));
    assert!(matches!(refused("x", io::Error::from_raw_os_error(libc::EIO)), UserNamespaceError::Kernel(_)));
}
