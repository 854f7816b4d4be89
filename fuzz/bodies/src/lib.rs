//! What the fuzz targets do with their octets. Here, not in the targets, so that the corpus is replayed on stable.
//!
//! A body panics when something does not hold; it knows nothing of libFuzzer.

mod advert;
mod claim;
mod config;
mod ladder;
mod node;
mod sequence;
mod trailer;

pub use advert::advert;
pub use claim::claim;
pub use config::config;
pub use ladder::ladder;
pub use node::node;
pub use sequence::sequence;
pub use trailer::trailer;

use std::net::Ipv4Addr;

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
