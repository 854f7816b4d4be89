//! Questions to a real neighbour, which the kernel answers.

use super::*;
use crate::process::wait_readable;
use crate::testing::{Cable, Host, have_root, ip, wait_for};
use std::time::Duration;

fn mac_of(host: &Host) -> [u8; 6] {
    let text = ip(&host.namespace, "-o link show dev eth0");
    let mac = text.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).unwrap().to_owned();
    let octets: Vec<u8> = mac.split(':').map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect();
    octets.try_into().unwrap()
}

fn asked(cable: &Cable, source: &str, target: &str, patience: Duration) -> Option<[u8; 6]> {
    let mac = mac_of(&cable.near);
    let ask = || {
        let question = Question::ask(cable.near.index, mac, source.parse().unwrap(), target.parse().unwrap()).unwrap();
        let deadline = std::time::Instant::now() + patience;
        loop {
            if let Some(mac) = question.answer().unwrap() {
                return Some(mac);
            }
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return None;
            }
            wait_readable(&question, Some(left)).unwrap();
        }
    };
    cable.near.namespace.run(ask).unwrap()
}

#[test]
fn a_neighbour_answers_from_the_wire_and_nobody_else_does() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    let far = mac_of(&cable.far);
    let long = Duration::from_secs(10);
    let short = Duration::from_millis(300);
    assert_eq!(asked(&cable, "192.0.2.1", "192.0.2.2", long), Some(far));
    assert_eq!(asked(&cable, "0.0.0.0", "192.0.2.2", long), Some(far), "without an address of its own");
    assert_eq!(asked(&cable, "192.0.2.1", "192.0.2.3", short), None);
    assert_eq!(asked(&cable, "192.0.2.1", "192.0.2.1", short), None, "its own address is not on the wire");
    // The kernel remembers it, the wire does not know it any more.
    ip(&cable.near.namespace, "neigh replace 192.0.2.2 lladdr 02:00:00:00:00:09 dev eth0");
    ip(&cable.far.namespace, "address del 192.0.2.2/24 dev eth0");
    assert_eq!(asked(&cable, "192.0.2.1", "192.0.2.2", short), None);
}

#[test]
fn a_neighbour_of_ipv6_answers() {
    if !have_root() {
        return;
    }
    let cable = Cable::new();
    for (host, address) in [(&cable.near, "2001:db8::1/64"), (&cable.far, "2001:db8::2/64")] {
        ip(&host.namespace, &format!("address add {address} dev eth0 nodad"));
    }
    wait_for("its address", || asked(&cable, "2001:db8::1", "2001:db8::2", Duration::from_secs(1)).is_some());
    assert_eq!(asked(&cable, "2001:db8::1", "2001:db8::2", Duration::from_secs(10)), Some(mac_of(&cable.far)));
    assert_eq!(asked(&cable, "2001:db8::1", "2001:db8::3", Duration::from_millis(300)), None);
}

#[test]
fn addresses_of_two_families_are_refused() {
    let error = Question::ask(1, [0; 6], "192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "cannot ask for a neighbour: the addresses are of different families");
}

#[test]
fn frames_that_are_cut_answer_nothing() {
    let target = Ipv4Addr::new(192, 0, 2, 2);
    let mut reply = request([2; 6], target, Ipv4Addr::new(192, 0, 2, 1));
    assert!(!answers_request(&reply, target), "a request is no answer");
    reply[ARP_OPERATION_AT + 1] = 2;
    assert!(answers_request(&reply, target));
    assert!((0..32).all(|length| !answers_request(&reply[..length], target)));
}
