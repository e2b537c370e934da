//! The results of jobs that were spawned one by one.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::awaitable::Awaitable;
use crate::exit::Exit;
use crate::greenpool::GreenPool;
use crate::greenthread::GreenThread;
use crate::hub;
use crate::probe::Point;
use crate::waiters::{Place, Waiters};

/// Jobs in a pool whose results come back in the order of spawning.
///
/// Spawn any number of jobs, then take their results: as a [`Stream`], or with
/// [`next`](GreenPile::next). The results end when every job that was spawned has given its own;
/// more jobs can be spawned after that. It is a handle: clones name the same pile.
///
/// Results that are not taken are kept: use a pile for a bounded number of jobs.
///
/// Corresponds to `eventlet.GreenPile`.
///
/// # Differences
///
/// A job's panic is an [`Exit`] in its place. A `next` that is killed or timed out leaves the
/// result for the next one; in eventlet it is lost.
///
/// # Examples
///
/// ```
/// use eventlet::GreenPile;
///
/// eventlet::run(async {
///     let pile = GreenPile::new(2);
///     for n in [1, 2, 3] {
///         pile.spawn(async move { n * 10 }).await;
///     }
///     let mut results = Vec::new();
///     while let Some(result) = pile.next().await {
///         results.push(result.unwrap());
///     }
///     assert_eq!(results, [10, 20, 30]);
/// });
/// ```
pub struct GreenPile<T> {
    shared: Rc<Shared<T>>,
    /// What this handle waits for as a stream.
    cursor: Cursor<T>,
}

struct Shared<T> {
    pool: GreenPool,
    jobs: RefCell<VecDeque<GreenThread<T>>>,
    /// Spawns that wait for a slot: their results will come too.
    spawning: Cell<usize>,
    /// The waiters for the first job of an empty pile.
    arrivals: Waiters<(), ()>,
}

/// What one consumer waits for.
enum Cursor<T> {
    Nothing,
    /// The result of the first job. Each consumer has a handle of its own, so several may wait.
    Job(GreenThread<T>),
    /// The first job.
    Arrival(Place),
}

impl<T: 'static> GreenPile<T> {
    /// Makes a pile over a pool: a shared one, or a new one of this size.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::{GreenPile, GreenPool};
    ///
    /// let own = GreenPile::<u8>::new(4);
    /// let shared = GreenPile::<u8>::new(GreenPool::new(4));
    /// assert_eq!(own.pool().size(), shared.pool().size());
    /// ```
    pub fn new(pool: impl Into<GreenPool>) -> GreenPile<T> {
        let shared = Shared {
            pool: pool.into(),
            jobs: RefCell::default(),
            spawning: Cell::new(0),
            arrivals: Waiters::new(),
        };
        GreenPile { shared: Rc::new(shared), cursor: Cursor::Nothing }
    }

    /// Returns the pool that the jobs run in.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(eventlet::GreenPile::<u8>::new(4).pool().free(), 4);
    /// ```
    pub fn pool(&self) -> &GreenPool {
        &self.shared.pool
    }

    /// Starts a job in the pool, once there is a slot for it. Its result comes after those of all
    /// jobs before it.
    ///
    /// Corresponds to eventlet's `GreenPile.spawn`.
    ///
    /// # Yields
    ///
    /// Only when the pool is full, as [`GreenPool::spawn`] does.
    ///
    /// # Killed
    ///
    /// The caller leaves the wait queue, and no job is added to the pile.
    ///
    /// # Panics
    ///
    /// If there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let pile = eventlet::GreenPile::new(2);
    /// pile.spawn(async { 1 }).await;
    /// assert_eq!(pile.next().await.unwrap().unwrap(), 1);
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> impl Future<Output = ()> + use<'_, F, T>
    where
        F: Awaitable<T> + 'static,
    {
        let _here = hub::expect("spawning a green thread");
        let (future, spawned_at) = (future.into_future(), Location::caller());
        async move {
            let _announced = Announced::new(&self.shared);
            let job = self.shared.pool.spawn_from(future, spawned_at).await;
            self.shared.jobs.borrow_mut().push_back(job);
        }
    }

    /// Waits for the next result, in the order of spawning. `None` when every job has given its
    /// own.
    ///
    /// Corresponds to eventlet's `GreenPile.next`.
    ///
    /// # Yields
    ///
    /// Until the job has ended; not at all if it has.
    ///
    /// # Killed
    ///
    /// The result stays for the next call.
    ///
    /// # Errors
    ///
    /// The [`Exit`] of a job that panicked or was killed.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let pile = eventlet::GreenPile::new(2);
    /// pile.spawn(async { "only" }).await;
    /// assert_eq!(pile.next().await.unwrap().unwrap(), "only");
    /// assert!(pile.next().await.is_none());
    /// # });
    /// ```
    pub fn next(&self) -> Next<'_, T> {
        Next { pile: &self.shared, cursor: Cursor::Nothing }
    }

    /// Waits for all results that are left, and collects them: into a `Vec`, or a `Result` of one.
    ///
    /// It takes this handle; a clone names the same pile.
    ///
    /// # Yields
    ///
    /// Until every job has ended.
    ///
    /// # Killed
    ///
    /// Results that were taken are dropped; the others stay.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::{Exit, GreenPile};
    ///
    /// # eventlet::run(async {
    /// let pile = GreenPile::new(2);
    /// for n in [1, 2, 3] {
    ///     pile.spawn(async move { n * 10 }).await;
    /// }
    /// let results: Result<Vec<i32>, Exit> = pile.collect().await;
    /// assert_eq!(results.unwrap(), [10, 20, 30]);
    /// # });
    /// ```
    pub async fn collect<C: FromIterator<Result<T, Exit>>>(self) -> C {
        let mut results = Vec::new();
        self.for_each(|result| results.push(result)).await;
        results.into_iter().collect()
    }

    /// Waits for all results that are left, and calls a function with each.
    ///
    /// It takes this handle; a clone names the same pile.
    ///
    /// # Yields
    ///
    /// Until every job has ended.
    ///
    /// # Killed
    ///
    /// Results that were not taken stay.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let pile = eventlet::GreenPile::new(2);
    /// pile.spawn(async { 7 }).await;
    /// let mut sum = 0;
    /// pile.for_each(|n| sum += n.unwrap()).await;
    /// assert_eq!(sum, 7);
    /// # });
    /// ```
    pub async fn for_each(self, mut function: impl FnMut(Result<T, Exit>)) {
        while let Some(result) = self.next().await {
            function(result);
        }
    }
}

impl<T> Shared<T> {
    fn poll_next(
        &self,
        cursor: &mut Cursor<T>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<T, Exit>>> {
        loop {
            match self.jobs.borrow().front() {
                Some(first) if cursor.is_at(first) => {}
                Some(first) => self.move_to(cursor, Cursor::Job(first.share())),
                None if self.spawning.get() == 0 => {
                    self.move_to(cursor, Cursor::Nothing);
                    return Poll::Ready(None);
                }
                None if matches!(cursor, Cursor::Arrival(_)) => {}
                None => self.move_to(cursor, Cursor::Arrival(Place::default())),
            }
            match cursor {
                Cursor::Job(job) => {
                    let result = ready!(Pin::new(job).poll(cx));
                    let _taken = self.jobs.borrow_mut().pop_front();
                    self.move_to(cursor, Cursor::Nothing);
                    return Poll::Ready(Some(result));
                }
                Cursor::Arrival(place) => {
                    let spawning = || format!("{} are being spawned", self.spawning.get());
                    let result = || Point::new("a result of a pile", spawning());
                    ready!(self.arrivals.wait(place, cx, || Err(()), result));
                    self.move_to(cursor, Cursor::Nothing);
                }
                Cursor::Nothing => {}
            }
        }
    }

    fn move_to(&self, cursor: &mut Cursor<T>, next: Cursor<T>) {
        if let Cursor::Arrival(place) = cursor {
            self.arrivals.leave(place);
        }
        *cursor = next;
    }
}

impl<T> Cursor<T> {
    fn is_at(&self, first: &GreenThread<T>) -> bool {
        matches!(self, Cursor::Job(job) if **job == **first)
    }
}

/// A spawn that waits for its slot. When it completes or is dropped, those who wait for a job check
/// again.
struct Announced<'a, T>(&'a Shared<T>);

impl<'a, T> Announced<'a, T> {
    fn new(pile: &'a Shared<T>) -> Announced<'a, T> {
        pile.spawning.set(pile.spawning.get() + 1);
        Announced(pile)
    }
}

impl<T> Drop for Announced<'_, T> {
    fn drop(&mut self) {
        self.0.spawning.set(self.0.spawning.get() - 1);
        self.0.arrivals.choose_all(&());
    }
}

/// The results, in the order of spawning.
impl<T> Stream for GreenPile<T> {
    type Item = Result<T, Exit>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T, Exit>>> {
        let this = &mut *self;
        this.shared.poll_next(&mut this.cursor, cx)
    }

    /// As many as there are jobs, unless other handles may take their results; and more may be
    /// spawned.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let alone = Rc::strong_count(&self.shared) == 1;
        (if alone { self.shared.jobs.borrow().len() } else { 0 }, None)
    }
}

impl<T> Drop for GreenPile<T> {
    fn drop(&mut self) {
        self.shared.move_to(&mut self.cursor, Cursor::Nothing);
    }
}

/// Names the same pile.
impl<T> Clone for GreenPile<T> {
    fn clone(&self) -> GreenPile<T> {
        GreenPile { shared: Rc::clone(&self.shared), cursor: Cursor::Nothing }
    }
}

impl<T> fmt::Debug for GreenPile<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GreenPile")
            .field("pool", &self.shared.pool)
            .field("jobs", &self.shared.jobs.borrow().len())
            .finish()
    }
}

/// The future of [`GreenPile::next`].
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
pub struct Next<'a, T> {
    pile: &'a Shared<T>,
    cursor: Cursor<T>,
}

impl<T> Future for Next<'_, T> {
    type Output = Option<Result<T, Exit>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T, Exit>>> {
        let pile = self.pile;
        pile.poll_next(&mut self.cursor, cx)
    }
}

impl<T> Drop for Next<'_, T> {
    fn drop(&mut self) {
        self.pile.move_to(&mut self.cursor, Cursor::Nothing);
    }
}

impl<T> fmt::Debug for Next<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").finish_non_exhaustive()
    }
}

/// Makes a new pool of this size.
impl From<usize> for GreenPool {
    fn from(size: usize) -> GreenPool {
        GreenPool::new(size)
    }
}
