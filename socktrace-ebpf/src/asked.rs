//! What a system call was asked, as far as a record needs it.

/// What a call was asked: its first three arguments.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) fd: u32,
    /// The user's `struct sockaddr` (bind, connect), or the backlog (listen).
    pub(crate) second: u64,
    /// The length of the address (bind, connect).
    pub(crate) third: u32,
}
