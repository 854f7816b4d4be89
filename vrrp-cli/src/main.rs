//! vrrpctl.
fn main() {}
