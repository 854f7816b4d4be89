//! What a router's sync group lets it be. Knows no group.

/// The most that its sync group lets a router be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Limit {
    /// Nothing: a member cannot take part, and in that members move together.
    Fault,
    /// Nothing: the operator stopped a member. As Fault, but that nobody lost what it needs to serve.
    Stopped,
    /// Backup: not every member's turn has come.
    Backup,
    /// Whatever the election makes it.
    Master,
}
