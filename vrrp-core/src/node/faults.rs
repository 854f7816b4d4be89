//! What keeps a router from serving. Knows no router.

bitflags::bitflags! {
    /// What keeps a router from serving. Any of them is FAULT.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Faults: u8 {
        /// The kernel refused to install its addresses.
        const INSTALL = 1;
    }
}
