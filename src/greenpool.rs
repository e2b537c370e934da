//! A pool of green threads: at most so many at a time.
//!
//! Corresponds to `eventlet.greenpool.GreenPool`. [`imap`](GreenPool::imap) and
//! [`starmap`](GreenPool::starmap) are in [`greenpile`](crate::greenpile).
//!
//! # Not here
//!
//! `GreenPool.spawn_n` of a function that is not a future: wrap it in `stackful`.

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, Location};
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use pin_project_lite::pin_project;

use crate::awaitable::Awaitable;
use crate::exit::Exit;
use crate::greenthread::{GreenThread, spawn_from, spawn_n_from};
use crate::hub;
use crate::probe::Point;
use crate::semaphore::{Semaphore, saturating};
use crate::waiters::{Place, Waiters};

/// A pool of green threads: at most `size` of them run at a time.
///
/// It is a handle: clones name the same pool. Spawning into a full pool waits for a slot, first
/// come, first served.
///
/// A member of the pool may spawn into it, even when it is full: then the new job runs inside the
/// member that spawns it, which goes on when the job has ended. So recursion cannot deadlock. This
/// holds for members themselves, not for green threads that they start with plain
/// [`spawn`](crate::spawn).
///
/// Corresponds to `eventlet.GreenPool`.
///
/// # Differences
///
/// `resize` to more wakes those who wait for a slot. The panic of a job that runs inside its
/// spawner goes to its handle, as that of any other job does. A member that is killed before it
/// started frees its slot.
///
/// # Examples
///
/// ```
/// use eventlet::GreenPool;
///
/// eventlet::run(async {
///     let pool = GreenPool::new(2);
///     let mut squares = Vec::new();
///     for n in 0..5 {
///         squares.push(pool.spawn(async move { n * n }).await);
///     }
///     pool.waitall().await;
///     for (n, square) in squares.into_iter().enumerate() {
///         assert_eq!(square.await.unwrap(), n * n);
///     }
/// });
/// ```
#[doc(alias = "JoinSet")]
pub struct GreenPool {
    shared: Rc<Shared>,
}

struct Shared {
    /// A permit is the right to have a green thread in the pool.
    slots: Semaphore,
    size: Cell<usize>,
    running: Cell<usize>,
    /// The waiters for the pool to be idle.
    idle: Waiters<(), ()>,
}

impl Shared {
    /// Returns whether all slots are free. A slot that was granted to a spawner that has not
    /// resumed yet is not: a job is about to run in it.
    fn is_idle(&self) -> bool {
        self.slots.counter() == saturating(self.size.get())
    }

    /// Returns whether the running green thread is a member.
    fn is_running_member(&self) -> bool {
        ptr::eq(POOL.get(), self)
    }

    /// Wakes the waiters for an idle pool, if all slots are free. To be called after one was freed.
    fn look_idle(&self) {
        if self.is_idle() {
            self.idle.choose_all(&());
        }
    }
}

const WAITS_FOR_ITSELF: &str = "inside a green thread of the same pool would wait for itself forever: call it from \
     outside, or use another pool for the inner jobs";

impl GreenPool {
    /// Makes a pool for so many green threads at a time.
    ///
    /// In a pool of size 0, every `spawn` waits until the pool is [resized](GreenPool::resize).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = eventlet::GreenPool::new(200);
    /// assert_eq!(pool.size(), 200);
    /// ```
    pub fn new(size: usize) -> GreenPool {
        GreenPool {
            shared: Rc::new(Shared {
                slots: Semaphore::new(size),
                size: Cell::new(size),
                running: Cell::new(0),
                idle: Waiters::new(),
            }),
        }
    }

    /// Starts a green thread in the pool, once there is a slot for it.
    ///
    /// Corresponds to eventlet's `GreenPool.spawn`.
    ///
    /// # Yields
    ///
    /// Only when the pool is full. A member of a full pool runs the job itself, and yields where
    /// the job does.
    ///
    /// # Killed
    ///
    /// The caller leaves the wait queue, and the future is dropped unless it was started.
    ///
    /// # Panics
    ///
    /// If there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let pool = eventlet::GreenPool::new(10);
    /// let gt = pool.spawn(async { 6 * 7 }).await;
    /// assert_eq!(gt.await.unwrap(), 42);
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(&self, future: F) -> impl Future<Output = GreenThread<T>> + use<'_, F, T>
    where
        F: Awaitable<T> + 'static,
    {
        self.spawn_from(future.into_future(), Location::caller())
    }

    /// Like [`spawn`](GreenPool::spawn), on behalf of the line that asked for it.
    #[track_caller]
    pub(crate) fn spawn_from<F>(
        &self,
        future: F,
        spawned_at: &'static Location<'static>,
    ) -> impl Future<Output = GreenThread<F::Output>> + use<'_, F>
    where
        F: Future + 'static,
    {
        let _here = hub::expect("spawning a green thread");
        async move {
            match self.slot_for_caller().await {
                Some(slot) => self.spawn_in(slot, future, spawned_at),
                None => GreenThread::ended(run_inline(future).await, spawned_at),
            }
        }
    }

    /// Starts a green thread in the pool without a handle.
    ///
    /// Its value is dropped; a panic, and a value that is an `Err`, is
    /// [reported](crate::debug::hub_exceptions).
    ///
    /// Corresponds to eventlet's `GreenPool.spawn_n`.
    ///
    /// # Yields
    ///
    /// Only when the pool is full. A member of a full pool runs the job itself, and yields where
    /// the job does.
    ///
    /// # Killed
    ///
    /// The caller leaves the wait queue, and the future is dropped unless it was started.
    ///
    /// # Panics
    ///
    /// If there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let pool = eventlet::GreenPool::new(10);
    /// pool.spawn_n(async {}).await;
    /// assert_eq!(pool.running(), 1);
    /// pool.waitall().await;
    /// assert_eq!(pool.running(), 0);
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn_n<F, T>(&self, future: F) -> impl Future<Output = ()> + use<'_, F, T>
    where
        F: Awaitable<T> + 'static,
    {
        let _here = hub::expect("spawning a green thread");
        let (future, spawned_at) = (future.into_future(), Location::caller());
        async move {
            match self.slot_for_caller().await {
                Some(slot) => {
                    spawn_n_from(Member { future, membership: slot.occupy() }, spawned_at);
                }
                None => run_inline_unwatched(future, spawned_at).await,
            }
        }
    }

    /// Waits until no green thread is running in the pool.
    ///
    /// It also waits for green threads that members spawn meanwhile, and for spawns that wait for a
    /// slot and can get one. It returns at once if none is running, and looks at no result.
    ///
    /// Corresponds to eventlet's `GreenPool.waitall`.
    ///
    /// # Yields
    ///
    /// Until no green thread is running; not at all if none is.
    ///
    /// # Killed
    ///
    /// The members are not affected.
    ///
    /// # Panics
    ///
    /// Inside a member of this pool, which would wait for itself forever. If the future is made
    /// outside and awaited inside a member, it panics there, and names the line that made it.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let pool = eventlet::GreenPool::new(2);
    /// for _ in 0..5 {
    ///     pool.spawn_n(async {}).await;
    /// }
    /// pool.waitall().await;
    /// assert_eq!(pool.running(), 0);
    /// # });
    /// ```
    #[track_caller]
    pub fn waitall(&self) -> WaitAll<'_> {
        assert!(!self.is_member(), "`waitall` {WAITS_FOR_ITSELF}");
        WaitAll { pool: &self.shared, place: Place::default(), made_at: Location::caller() }
    }

    /// Changes how many may run at a time.
    ///
    /// A larger size wakes waiters for a slot at once. A smaller one stops no green thread: none
    /// starts until enough of the running ones have ended.
    ///
    /// Corresponds to eventlet's `GreenPool.resize`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Differences
    ///
    /// In eventlet a larger size wakes no waiter.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = eventlet::GreenPool::new(2);
    /// pool.resize(5);
    /// assert_eq!(pool.free(), 5);
    /// ```
    pub fn resize(&self, size: usize) {
        let old = self.shared.size.replace(size);
        self.shared.slots.resize(old, size);
    }

    /// Returns how many may run at a time.
    ///
    /// Corresponds to eventlet's `GreenPool.size`.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(eventlet::GreenPool::default().size(), 1000);
    /// ```
    pub fn size(&self) -> usize {
        self.shared.size.get()
    }

    /// Returns how many slots are free: negative after the size was cut below the number that are
    /// running.
    ///
    /// Corresponds to eventlet's `GreenPool.free`.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let pool = eventlet::GreenPool::new(2);
    /// pool.spawn_n(async {}).await;
    /// assert_eq!(pool.free(), 1);
    /// pool.resize(0);
    /// assert_eq!(pool.free(), -1);
    /// # });
    /// ```
    pub fn free(&self) -> isize {
        self.shared.slots.counter()
    }

    /// Returns how many green threads are in the pool.
    ///
    /// Jobs that run inside their spawner do not count.
    ///
    /// Corresponds to eventlet's `GreenPool.running`.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let pool = eventlet::GreenPool::new(2);
    /// pool.spawn_n(async {}).await;
    /// assert_eq!(pool.running(), 1);
    /// # });
    /// ```
    pub fn running(&self) -> usize {
        self.shared.running.get()
    }

    /// Returns how many wait for a slot.
    ///
    /// Corresponds to eventlet's `GreenPool.waiting`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # eventlet::run(async {
    /// let pool = eventlet::GreenPool::new(0);
    /// let patient = pool.clone();
    /// eventlet::spawn_n(async move { patient.spawn_n(async {}).await });
    /// eventlet::sleep(Duration::ZERO).await;
    /// assert_eq!(pool.waiting(), 1);
    /// # });
    /// ```
    pub fn waiting(&self) -> usize {
        self.shared.slots.waiting()
    }

    /// Waits for a slot.
    pub(crate) async fn slot(&self) -> Slot {
        let mut asking = Asking { pool: self, place: Place::default() };
        poll_fn(|cx| asking.pool.poll_slot(&mut asking.place, cx)).await
    }

    /// Waits for a slot; `None` for a member of a full pool, which runs the job inline.
    async fn slot_for_caller(&self) -> Option<Slot> {
        if self.shared.slots.locked() && self.is_member() {
            return None;
        }
        Some(self.slot().await)
    }

    /// Asks for a slot with the wait state `place`, which must [`leave`](GreenPool::leave) in the
    /// end.
    pub(crate) fn poll_slot(&self, place: &mut Place, cx: &Context<'_>) -> Poll<Slot> {
        let acquired = self.shared.slots.poll_acquire(place, cx);
        acquired.map(|()| Slot { pool: Rc::clone(&self.shared) })
    }

    /// Gives up asking for a slot.
    pub(crate) fn leave(&self, place: &mut Place) {
        self.shared.slots.leave(place);
        self.shared.look_idle();
    }

    pub(crate) fn spawn_in<F>(
        &self,
        slot: Slot,
        future: F,
        spawned_at: &'static Location<'static>,
    ) -> GreenThread<F::Output>
    where
        F: Future + 'static,
    {
        spawn_from(Member { future, membership: slot.occupy() }, spawned_at)
    }

    /// Returns whether the running green thread is a member of this pool.
    pub(crate) fn is_member(&self) -> bool {
        self.shared.is_running_member()
    }
}

/// Makes a pool of eventlet's default size, 1000.
impl Default for GreenPool {
    fn default() -> GreenPool {
        GreenPool::new(1000)
    }
}

/// Names the same pool.
impl Clone for GreenPool {
    fn clone(&self) -> GreenPool {
        GreenPool { shared: Rc::clone(&self.shared) }
    }
}

impl fmt::Debug for GreenPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GreenPool")
            .field("size", &self.size())
            .field("running", &self.running())
            .field("free", &self.free())
            .field("waiting", &self.waiting())
            .finish()
    }
}

/// The future of [`GreenPool::waitall`].
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
pub struct WaitAll<'a> {
    pool: &'a Shared,
    place: Place,
    made_at: &'static Location<'static>,
}

impl Future for WaitAll<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let pool = self.pool;
        let idle = || if pool.is_idle() { Ok(()) } else { Err(()) };
        let running = || format!("{} run", pool.running.get());
        let all = || Point::new("the end of all green threads of a pool", running());
        let polled = pool.idle.wait(&mut self.place, cx, idle, all);
        assert!(
            polled.is_ready() || !pool.is_running_member(),
            "awaiting the `waitall` of {} {WAITS_FOR_ITSELF}",
            self.made_at
        );
        polled
    }
}

impl Drop for WaitAll<'_> {
    fn drop(&mut self) {
        self.pool.idle.leave(&mut self.place);
    }
}

impl fmt::Debug for WaitAll<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitAll").finish_non_exhaustive()
    }
}

/// A spawner that waits for a slot. Its drop leaves the wait queue.
struct Asking<'a> {
    pool: &'a GreenPool,
    place: Place,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.pool.leave(&mut self.place);
    }
}

/// The right to have one green thread in a pool. Its drop passes it to the next waiter.
pub(crate) struct Slot {
    pool: Rc<Shared>,
}

impl Slot {
    /// Puts a green thread in the slot.
    fn occupy(self) -> Membership {
        let pool = Rc::clone(&self.pool);
        pool.running.set(pool.running.get() + 1);
        Membership { pool, _slot: self }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pool.slots.release();
        self.pool.look_idle();
    }
}

/// A slot with a green thread in it. Dropped when the green thread ends, before its outcome is
/// announced.
struct Membership {
    pool: Rc<Shared>,
    /// Dropped after the seat is vacated.
    _slot: Slot,
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.pool.running.set(self.pool.running.get() - 1);
    }
}

thread_local! {
    /// The pool whose member is being polled, to compare with.
    static POOL: Cell<*const Shared> = const { Cell::new(ptr::null()) };
}

pin_project! {
    /// The work of a green thread in a pool.
    struct Member<F> {
        // Dropped first: its destructors belong to the job.
        #[pin]
        future: F,
        membership: Membership,
    }
}

impl<F: Future> Future for Member<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _outer = OuterPool(POOL.replace(Rc::as_ptr(&this.membership.pool)));
        this.future.poll(cx)
    }
}

/// Restores the pool that was set before, also while unwinding.
struct OuterPool(*const Shared);

impl Drop for OuterPool {
    fn drop(&mut self) {
        POOL.set(self.0);
    }
}

/// Runs a job inside the calling green thread, and catches its panic as a green thread would.
pub(crate) fn run_inline<F: Future>(future: F) -> impl Future<Output = Result<F::Output, Exit>> {
    AssertUnwindSafe(future).catch_unwind().map(|outcome| outcome.map_err(Exit::unwound))
}

/// As [`run_inline`], without a handle: a failure is reported.
async fn run_inline_unwatched<F: Future + 'static>(
    future: F,
    spawned_at: &'static Location<'static>,
) {
    drop(GreenThread::ended(run_inline(future).await, spawned_at));
}
