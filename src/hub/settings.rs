//! The settings of a hub.

/// The limits on the stacks of a hub's stackful green threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stacks {
    /// Bytes for a green thread that does not ask for a size. Address space, not memory: a stack
    /// takes memory page by page as it is used.
    pub(crate) size: usize,
    /// Bytes of memory that idle stacks may keep.
    pub(crate) max_idle_bytes: usize,
}

impl Default for Stacks {
    fn default() -> Stacks {
        Stacks { size: 256 * 1024, max_idle_bytes: 512 * 1024 * 1024 }
    }
}
