//! How a laboratory comes by the privileges it needs: as root it has them, otherwise in a user namespace of its own.
//!
//! Knows processes and test binaries; not what is done with the privileges.

use std::any::type_name;
use std::env;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

use vrrp_netlink::capabilities::{self, Capability};
use vrrp_netlink::namespace::{self, UserNamespaceError};

/// Set for a test that has been started again, so that one which still lacks privileges is not started for ever.
const INSIDE: &str = "VRRP_LAB_INSIDE";

/// Makes this process able to build a [`Lan`](super::Lan): nothing to do for root; anyone else becomes root of a new
/// user namespace, which changes nothing outside.
///
/// Call it first thing in `main`: the kernel lets only a process with one thread do that. After a failure, end the
/// process.
pub fn become_root_in_user_namespace() -> Result<(), UserNamespaceError> {
    if sufficient()? {
        return Ok(());
    }
    namespace::enter_user_namespace()
}

/// Whether the calling test can go on and build a [`Lan`](super::Lan); it must return at once when not.
///
/// Pass the test function itself. As root the answer is yes. Otherwise this test alone is run by a copy of the test
/// binary inside a user namespace, since a test binary has threads and cannot enter one; its failure is this test's. A
/// system that does not allow that skips the test with a line that says so.
///
/// ```no_run
/// use vrrp_cli::lab;
///
/// # #[allow(unused, reason = "an example of a test")]
/// #[test]
/// fn the_address_moves() {
///     if !lab::privileged(the_address_moves) {
///         return;
///     }
///     // ...
/// }
/// ```
///
/// # Panics
///
/// When the test fails in the copy, and when it would be skipped although the environment has `CI=true`.
pub fn privileged<Test: Fn()>(_test: Test) -> bool {
    let name = type_name::<Test>().split_once("::").map_or("", |(_, name)| name);
    match sufficient() {
        Ok(true) => return true,
        Ok(false) if env::var_os(INSIDE).is_some() => panic!("no privileges in the user namespace"),
        Ok(false) => {}
        Err(error) => panic!("{error}"),
    }
    let mut command = Command::new("/proc/self/exe");
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(INSIDE, "1").stdin(Stdio::null());
    match namespace::user_namespace_command(&mut command).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            eprintln!("{text}{}", String::from_utf8_lossy(&output.stderr));
            // A name that no test has would be a success with nothing done.
            assert!(output.status.success() && text.contains("test result: ok. 1 passed"), "{name} failed as root");
        }
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput) => {
            assert!(env::var_os("CI").is_none_or(|value| value != "true"), "CI must allow user namespaces: {error}");
            eprintln!("skipped: {name} needs root, or user namespaces for unprivileged users");
        }
        Err(error) => panic!("cannot start {name} in a user namespace: {error}"),
    }
    false
}

fn sufficient() -> Result<bool, vrrp_netlink::Error> {
    const NEEDED: [Capability; 3] = [Capability::SysAdmin, Capability::NetAdmin, Capability::NetRaw];
    Ok(capabilities::missing(&NEEDED)?.is_empty())
}
