//! The numbers by which to choose a size.

/// The stacks of an OS thread: what [`stack_stats`](crate::stackful::stack_stats) returns.
///
/// # Examples
///
/// ```
/// use eventlet::stackful::{StackStats, stack_stats};
///
/// assert_eq!(stack_stats(), StackStats::default(), "no green stack was used yet");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StackStats {
    /// Stacks that green threads have.
    pub in_use: usize,
    /// Idle stacks, kept for the next green thread.
    pub pooled: usize,
    /// Bytes of memory that all these have.
    pub resident: usize,
    /// Bytes of address space that is mapped for them, their guards and others to come.
    pub mapped: usize,
    /// The most bytes that any stack was found to have used, in whole pages.
    ///
    /// A stack that is in use is looked at when this is asked for, and one that is given back when
    /// it was used deeper than before. This misses a use that left most of the stack untouched (a
    /// large array that was not written to) and was over before the stack was looked at.
    pub high_water: usize,
}
