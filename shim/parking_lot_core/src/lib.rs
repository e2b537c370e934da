//! Queues of threads that wait, found by an address: what locks are built of that are a byte large.
//!
//! This is not the `parking_lot_core` of crates.io. It has the same interface, and what waits here
//! may be a green thread of [eventlet](https://docs.rs/eventlet) as well as an OS thread.
//!
#![doc = include_str!("../README.md")]
//!
//! # Invariants
//!
//! - **I1**: who has locked a bucket waits for nothing but another bucket, and makes no call in
//!   which `eventlet-shim` suspends a green thread. So all who wait for a bucket may block their OS
//!   thread, as who has it runs on another one.
//! - **I2**: `park` does not leave its frame before `Node::leave` has returned for the node in it,
//!   also when a callback panics.

#[cfg(not(all(any(target_os = "linux", target_os = "android"), target_pointer_width = "64")))]
compile_error!(
    "this parking_lot_core waits by futexes of 64-bit Linux: elsewhere remove it from `[patch.crates-io]`, and the \
     original is used"
);

#[cfg(feature = "deadlock_detection")]
compile_error!(
    "this parking_lot_core has no detection of deadlocks: turn off the feature `deadlock_detection` of `parking_lot`, or \
     remove this crate from `[patch.crates-io]`"
);

mod bucket;
mod node;
mod queue;
mod spin_wait;
mod sys;

use std::time::Instant;

pub use spin_wait::SpinWait;

use node::Node;
use queue::Woken;

/// How [`park`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkResult {
    /// It was unparked, and got this token.
    Unparked(UnparkToken),
    /// `validate` returned false.
    Invalid,
    /// Its time was over.
    TimedOut,
}

impl ParkResult {
    /// Returns whether it was unparked.
    pub const fn is_unparked(self) -> bool {
        matches!(self, ParkResult::Unparked(_))
    }
}

/// What the functions that unpark have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnparkResult {
    /// How many were unparked.
    pub unparked_threads: usize,
    /// How many wait for another key now.
    pub requeued_threads: usize,
    /// Whether others are left at the key.
    pub have_more_threads: bool,
    /// Whether a lock is to be given to who was unparked, so that no other takes it first. That is
    /// so twice a millisecond on average for each key.
    pub be_fair: bool,
}

/// What [`unpark_requeue`] is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequeueOp {
    /// Nothing.
    Abort,
    /// Unpark the first, and requeue the others.
    UnparkOneRequeueRest,
    /// Requeue all.
    RequeueAll,
    /// Unpark the first.
    UnparkOne,
    /// Requeue the first.
    RequeueOne,
}

/// What [`unpark_filter`] is to do with one that is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterOp {
    /// Unpark it.
    Unpark,
    /// Leave it parked.
    Skip,
    /// Leave it parked, and all behind it.
    Stop,
}

/// What who unparks gives to who was parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnparkToken(pub usize);

/// What who parks shows to [`unpark_filter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParkToken(pub usize);

/// An [`UnparkToken`] for those who need none.
pub const DEFAULT_UNPARK_TOKEN: UnparkToken = UnparkToken(0);

/// A [`ParkToken`] for those who need none.
pub const DEFAULT_PARK_TOKEN: ParkToken = ParkToken(0);

/// Waits at a key until it is unparked there, or the time is over.
///
/// With the queue locked `validate` is called, and if it returns false nothing else happens.
/// `before_sleep` is called when this thread is in the queue, which is not locked any more. Where
/// the time is over, `timed_out` is called with the queue locked: with the key that it waited at in
/// the end, as [`unpark_requeue`] may have changed it, and with whether nobody else waits there.
///
/// On a green stack under `eventlet-shim` that suspends the green thread, and a kill does not
/// cancel it. Everywhere else it blocks the OS thread.
///
/// # Panics
///
/// When a callback does. A panic of `validate` leaves the queue as it was. So does one of
/// `before_sleep`, but who has unparked it by then has unparked nobody. Where the kernel refuses to
/// wait by a futex, the process is aborted.
///
/// # Safety
///
/// The key is an address of the caller's own, so that nobody else parks there with another meaning.
/// `validate` and `timed_out` neither wait nor call a function of this crate, and `before_sleep`
/// does not call `park`.
pub unsafe fn park(
    key: usize,
    validate: impl FnOnce() -> bool,
    before_sleep: impl FnOnce(),
    timed_out: impl FnOnce(usize, bool),
    park_token: ParkToken,
    timeout: Option<Instant>,
) -> ParkResult {
    let node = Node::new(key, park_token);
    let queue = bucket::lock(key);
    if !validate() {
        return ParkResult::Invalid;
    }
    // SAFETY: I2. `parked` sees to it, whatever happens.
    unsafe { queue.push(&node) };
    let parked = Parked(&node);
    drop(queue);
    before_sleep();
    if node.wait(timeout) || !parked.0.leave(timed_out) {
        return ParkResult::Unparked(node.unpark_token());
    }
    ParkResult::TimedOut
}

/// A node that was pushed. It is in no queue any more when this is dropped.
struct Parked<'a>(&'a Node);

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.0.leave(|_, _| ());
    }
}

/// Unparks the first of those who wait at a key.
///
/// With the queue locked `callback` is called with what is about to be done, and returns the token
/// for who is unparked.
///
/// # Panics
///
/// When `callback` does. Who was to be unparked is, with [`DEFAULT_UNPARK_TOKEN`].
///
/// # Safety
///
/// The key is an address of the caller's own. `callback` neither waits nor calls a function of this
/// crate.
pub unsafe fn unpark_one(
    key: usize,
    callback: impl FnOnce(UnparkResult) -> UnparkToken,
) -> UnparkResult {
    let mut woken = Woken::new();
    let queue = bucket::lock(key);
    let mut nodes = queue.at(key);
    let mut result = UnparkResult::default();
    if let Some(node) = nodes.next() {
        queue.move_to(&woken, node);
        result.unparked_threads = 1;
        result.have_more_threads = nodes.next().is_some();
        result.be_fair = queue.is_time_to_be_fair();
    }
    woken.token = callback(result);
    result
}

/// Unparks all who wait at a key, and returns how many these were.
///
/// # Safety
///
/// The key is an address of the caller's own.
pub unsafe fn unpark_all(key: usize, unpark_token: UnparkToken) -> usize {
    let mut woken = Woken::new();
    woken.token = unpark_token;
    let queue = bucket::lock(key);
    queue.at(key).inspect(|node| queue.move_to(&woken, node)).count()
}

/// Unparks the first of those who wait at a key, or has some wait at another key, or both.
///
/// With both queues locked `validate` is called, and says what is to be done. Then `callback` is,
/// with that and with what has been done, and returns the token for who is unparked.
///
/// # Panics
///
/// When a callback does. If it is `validate`, nothing has happened. If it is `callback`, who was to
/// be unparked is, with [`DEFAULT_UNPARK_TOKEN`].
///
/// # Safety
///
/// Both keys are addresses of the caller's own. The callbacks neither wait nor call a function of
/// this crate.
pub unsafe fn unpark_requeue(
    key_from: usize,
    key_to: usize,
    validate: impl FnOnce() -> RequeueOp,
    callback: impl FnOnce(RequeueOp, UnparkResult) -> UnparkToken,
) -> UnparkResult {
    let mut woken = Woken::new();
    let (from, other) = bucket::lock_both(key_from, key_to);
    let to = other.as_ref().unwrap_or(&from);
    let op = validate();
    let (unparked, requeued) = match op {
        RequeueOp::Abort => return UnparkResult::default(),
        RequeueOp::UnparkOneRequeueRest => (1, usize::MAX),
        RequeueOp::RequeueAll => (0, usize::MAX),
        RequeueOp::UnparkOne => (1, 0),
        RequeueOp::RequeueOne => (0, 1),
    };
    let mut result = UnparkResult::default();
    for node in from.at(key_from).take(unparked) {
        from.move_to(&woken, node);
        result.unparked_threads += 1;
        result.be_fair = from.is_time_to_be_fair();
    }
    result.requeued_threads = from.requeue(to, (key_from, key_to), requeued);
    result.have_more_threads = from.at(key_from).next().is_some();
    woken.token = callback(op, result);
    result
}

/// Unparks those who wait at a key and whom `filter` names, which is asked from the first on.
///
/// With the queue locked `callback` is called after that, with what is about to be done, and
/// returns the token for all who are unparked.
///
/// # Panics
///
/// When a callback does. Whom `filter` has named until then is unparked, with
/// [`DEFAULT_UNPARK_TOKEN`].
///
/// # Safety
///
/// The key is an address of the caller's own. The callbacks neither wait nor call a function of
/// this crate.
pub unsafe fn unpark_filter(
    key: usize,
    mut filter: impl FnMut(ParkToken) -> FilterOp,
    callback: impl FnOnce(UnparkResult) -> UnparkToken,
) -> UnparkResult {
    let mut woken = Woken::new();
    let queue = bucket::lock(key);
    let mut result = UnparkResult::default();
    for node in queue.at(key) {
        let op = filter(node.park_token());
        if op == FilterOp::Unpark {
            queue.move_to(&woken, node);
            result.unparked_threads += 1;
        } else {
            result.have_more_threads = true;
        }
        if op == FilterOp::Stop {
            break;
        }
    }
    result.be_fair = result.unparked_threads > 0 && queue.is_time_to_be_fair();
    woken.token = callback(result);
    result
}

/// Functions for a detection of deadlocks, which this crate does not have: they do nothing.
pub mod deadlock {
    /// Takes note of a lock that this thread has locked.
    ///
    /// # Safety
    ///
    /// It is called after that.
    #[inline]
    pub unsafe fn acquire_resource(_key: usize) {}

    /// Takes note of a lock that this thread is about to unlock.
    ///
    /// # Safety
    ///
    /// It is called before that.
    #[inline]
    pub unsafe fn release_resource(_key: usize) {}
}
