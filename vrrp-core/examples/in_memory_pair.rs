//! Two nodes on a simulated wire elect a Master, fail over, and preempt. No socket, no clock: a transcript.
#![allow(clippy::print_stdout, reason = "the transcript is what the example is for")]

use std::time::Duration;

use vrrp_core::sim::{Action, HostSetup, Lan, Time, params, router};
use vrrp_core::{AdvertInterval, Vrid};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let interval = AdvertInterval::from_centis(100).ok_or("1..=4095")?;
    let vrid = Vrid::new(50).ok_or("1..=255")?;
    let mut lan = Lan::new(1);
    let mut host = |name, number, priority| -> Result<_, Box<dyn std::error::Error>> {
        let params = params(priority, interval).ok_or("1..=255")?;
        let host = lan.add(HostSetup::new(name, number, vec![router(vrid, params, &[[10, 0, 0, 100].into()])?]))?;
        lan.at(Time::START, Action::Start(host));
        Ok(host)
    };
    let a = host("a", 1, 150)?;
    host("b", 2, 100)?;
    lan.at(Time::START + Duration::from_secs(10), Action::Stall(a, Duration::from_secs(10)));
    lan.run_until(Time::START + Duration::from_secs(30));
    print!("{}", lan.transcript());
    Ok(())
}
