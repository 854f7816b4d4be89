//! What keeps a router from serving. Knows no router.

bitflags::bitflags! {
    /// What keeps a router from serving. Any of them is FAULT.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Faults: u8 {
        /// The kernel refused to install its addresses.
        const INSTALL = 1;
        /// The address that its adverts shall come from is not on this host.
        const SOURCE = 1 << 1;
        /// Its adverts go from peer to peer, and it has no peer.
        const NO_PEER = 1 << 2;
        /// An interface that its addresses are to be on does not exist.
        const NO_INTERFACE = 1 << 3;
        /// Its adverts are longer than what its interface sends in one piece, see
        /// [`VirtualRouter::datagram_len`](crate::router::VirtualRouter::datagram_len).
        const MTU = 1 << 4;
        /// Another program goes on removing its addresses, and it is to let go then.
        const CONTESTED = 1 << 5;
    }
}
