//! `imap` and `starmap` of a pool: the results of a function for each input.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::iter::Peekable;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};

use crate::apply::Apply;
use crate::awaitable::Awaitable;
use crate::exit::Exit;
use crate::greenpool::{GreenPool, run_inline};
use crate::greenthread::GreenThread;
use crate::inputs::{Inputs, Streamed};
use crate::waiters::Place;

impl GreenPool {
    /// Calls a function for each input, in the pool, and yields the results in the order of the
    /// inputs.
    ///
    /// The input iterator cannot wait: use [`imap_stream`](GreenPool::imap_stream) for inputs that
    /// do.
    ///
    /// Inputs are taken lazily, at most as many ahead of the results as the pool has slots, so
    /// memory is constant however many there are. Nothing starts before the first result is asked
    /// for.
    ///
    /// Several inputs for each call are one tuple: where eventlet has
    /// `pool.imap(pow, (2, 3, 10), (5, 2, 3))`, here [`zip`](std::iter::zip) makes the tuples and
    /// [`starmap`](GreenPool::starmap) spreads them.
    ///
    /// Corresponds to eventlet's `GreenPool.imap`.
    ///
    /// # Yields
    ///
    /// Never; the map does, when it waits.
    ///
    /// # Killed
    ///
    /// The jobs run on in the pool. No more inputs are taken.
    ///
    /// # Differences
    ///
    /// The jobs run in this pool, not in a hidden second one of the same size: they count in
    /// [`running`](GreenPool::running) and [`waitall`](GreenPool::waitall) waits for them. A panic
    /// of the input iterator reaches the consumer that asks for a result; in eventlet that consumer
    /// hangs, and so does one that asks again after the end.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::GreenPool;
    ///
    /// eventlet::run(async {
    ///     let pool = GreenPool::new(200);
    ///     let mut doubled = pool.imap(|n| async move { n * 2 }, 1..=3);
    ///     let mut results = Vec::new();
    ///     while let Some(result) = doubled.next().await {
    ///         results.push(result.unwrap());
    ///     }
    ///     assert_eq!(results, [2, 4, 6]);
    /// });
    /// ```
    #[track_caller]
    pub fn imap<I, F, J, T>(&self, function: F, inputs: I) -> GreenMap<Peekable<I::IntoIter>, F, T>
    where
        I: IntoIterator,
        F: FnMut(I::Item) -> J,
        J: Awaitable<T> + 'static,
    {
        GreenMap::new(self, function, inputs.into_iter().peekable(), Location::caller())
    }

    /// Calls a function for each input that comes from a stream, like [`imap`](GreenPool::imap).
    ///
    /// The results of inputs that have arrived are available while the map waits for others. In
    /// async code the inputs may come from a queue or a socket; on a green stack `stackful::stream`
    /// makes a stream of an iterator that waits.
    ///
    /// Corresponds to eventlet's `GreenPool.imap` of an iterator that waits.
    ///
    /// # Yields
    ///
    /// Never; the map does, when it waits.
    ///
    /// # Killed
    ///
    /// As with [`imap`](GreenPool::imap). An input that was taken out of the stream and has no slot
    /// yet stays in the map, and is dropped with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::{GreenPool, Queue};
    ///
    /// eventlet::run(async {
    ///     let queue = Queue::new(None);
    ///     for n in [1, 2] {
    ///         queue.put(n).await;
    ///     }
    ///     let mut doubled = GreenPool::new(10).imap_stream(|n| async move { n * 2 }, queue.stream());
    ///     assert_eq!(doubled.next().await.unwrap().unwrap(), 2);
    ///     assert_eq!(doubled.next().await.unwrap().unwrap(), 4);
    /// });
    /// ```
    #[track_caller]
    pub fn imap_stream<S, F, J, T>(&self, function: F, inputs: S) -> GreenMap<Streamed<S>, F, T>
    where
        S: Stream,
        F: FnMut(S::Item) -> J,
        J: Awaitable<T> + 'static,
    {
        GreenMap::new(self, function, Streamed::new(inputs), Location::caller())
    }

    /// Calls a function of several arguments for each tuple of inputs, like
    /// [`imap`](GreenPool::imap).
    ///
    /// Corresponds to eventlet's `GreenPool.starmap`.
    ///
    /// # Yields
    ///
    /// Never; the map does, when it waits.
    ///
    /// # Killed
    ///
    /// As with [`imap`](GreenPool::imap).
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::GreenPool;
    /// use std::iter::zip;
    ///
    /// async fn pow(base: u32, exponent: u32) -> u32 {
    ///     base.pow(exponent)
    /// }
    ///
    /// eventlet::run(async {
    ///     let pool = GreenPool::new(10);
    ///     let mut powers = pool.starmap(pow, zip([2, 3, 10], [5, 2, 3]));
    ///     assert_eq!(powers.next().await.unwrap().unwrap(), 32);
    ///     assert_eq!(powers.next().await.unwrap().unwrap(), 9);
    ///     assert_eq!(powers.next().await.unwrap().unwrap(), 1000);
    ///     assert!(powers.next().await.is_none());
    /// });
    /// ```
    #[track_caller]
    pub fn starmap<I, F, J, T>(
        &self,
        mut function: F,
        inputs: I,
    ) -> GreenMap<Peekable<I::IntoIter>, impl FnMut(I::Item) -> J + use<I, F, J, T>, T>
    where
        I: IntoIterator,
        F: Apply<I::Item, Output = J>,
        J: Awaitable<T> + 'static,
    {
        self.imap(move |arguments| function.apply(arguments), inputs)
    }

    /// Calls a function of several arguments for each tuple that comes from a stream, like
    /// [`imap_stream`](GreenPool::imap_stream).
    ///
    /// Corresponds to eventlet's `GreenPool.starmap` of an iterator that waits.
    ///
    /// # Yields
    ///
    /// Never; the map does, when it waits.
    ///
    /// # Killed
    ///
    /// As with [`imap_stream`](GreenPool::imap_stream).
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::{GreenPool, Queue};
    ///
    /// async fn pow(base: u32, exponent: u32) -> u32 {
    ///     base.pow(exponent)
    /// }
    ///
    /// eventlet::run(async {
    ///     let queue = Queue::new(None);
    ///     for pair in [(2, 5), (3, 2)] {
    ///         queue.put(pair).await;
    ///     }
    ///     let mut powers = GreenPool::new(10).starmap_stream(pow, queue.stream());
    ///     assert_eq!(powers.next().await.unwrap().unwrap(), 32);
    ///     assert_eq!(powers.next().await.unwrap().unwrap(), 9);
    /// });
    /// ```
    #[track_caller]
    pub fn starmap_stream<S, F, J, T>(
        &self,
        mut function: F,
        inputs: S,
    ) -> GreenMap<Streamed<S>, impl FnMut(S::Item) -> J + use<S, F, J, T>, T>
    where
        S: Stream,
        F: Apply<S::Item, Output = J>,
        J: Awaitable<T> + 'static,
    {
        self.imap_stream(move |arguments| function.apply(arguments), inputs)
    }
}

/// A job that runs inside the consumer.
type Inline<T> = Pin<Box<dyn Future<Output = Result<T, Exit>>>>;

/// The results of [`GreenPool::imap`] and [`GreenPool::starmap`], in the order of the inputs.
///
/// It is a [`Stream`]; [`next`](GreenMap::next) needs no import. Dropping it leaves the jobs
/// running, and takes no more inputs.
///
/// # Leaving it for a while
///
/// A consumer that waits for a result is in the wait queue for the slot of the next job, before
/// later callers. [`next`](GreenMap::next) leaves the queue when it completes or is dropped, by a
/// time limit for example. A `Stream` is not told that its consumer has stopped waiting: after a
/// pending poll it keeps its place in the queue, and then the slot, until the next poll, and
/// [`waitall`](GreenPool::waitall) waits for that slot meanwhile. So a consumer that polls it as a
/// stream must poll on or drop it; one that may stop uses `next`.
#[must_use = "nothing runs until a result is requested"]
pub struct GreenMap<I, F, T> {
    pool: GreenPool,
    /// The line that asked for the map.
    spawned_at: &'static Location<'static>,
    /// `None` once they have ended, or panicked. The next input is peeked before the map waits for
    /// its slot: without an input it needs none.
    inputs: Option<I>,
    function: F,
    jobs: VecDeque<GreenThread<T>>,
    /// Its place in the wait queue for the slot of the next job.
    place: Place,
    /// A job that runs inside the consumer: a member of the pool when it is full.
    inline: Option<Inline<T>>,
}

impl<I, F, J, T> GreenMap<I, F, T>
where
    I: Inputs,
    F: FnMut(I::Item) -> J,
    J: Awaitable<T> + 'static,
{
    /// Waits for the next result. `None` after the last.
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
    /// The [`Exit`] of a job that panicked or was killed, in its place.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let pool = eventlet::GreenPool::new(2);
    /// let mut results = pool.imap(|n| async move { 12 / n }, [3, 0, 4]);
    /// assert_eq!(results.next().await.unwrap().unwrap(), 4);
    /// assert!(results.next().await.unwrap().unwrap_err().is_panic());
    /// assert_eq!(results.next().await.unwrap().unwrap(), 3);
    /// assert!(results.next().await.is_none());
    /// # });
    /// ```
    pub async fn next(&mut self) -> Option<Result<T, Exit>> {
        let consumer = Consumer(self);
        poll_fn(|cx| consumer.0.poll_result(cx)).await
    }

    /// Waits for all results, and collects them: into a `Vec`, or a `Result` of one.
    ///
    /// # Yields
    ///
    /// Until the last job has ended.
    ///
    /// # Killed
    ///
    /// As when the map is dropped: jobs that run go on, and their values are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::{Exit, GreenPool};
    ///
    /// # eventlet::run(async {
    /// let doubled = GreenPool::new(2).imap(|n| async move { n * 2 }, 1..=3);
    /// let doubled: Result<Vec<i32>, Exit> = doubled.collect().await;
    /// assert_eq!(doubled.unwrap(), [2, 4, 6]);
    /// # });
    /// ```
    pub async fn collect<C: FromIterator<Result<T, Exit>>>(mut self) -> C {
        let mut results = Vec::with_capacity(Stream::size_hint(&self).0);
        while let Some(result) = self.next().await {
            results.push(result);
        }
        results.into_iter().collect()
    }

    /// Waits for all results, and calls a function with each.
    ///
    /// # Yields
    ///
    /// Until the last job has ended.
    ///
    /// # Killed
    ///
    /// As when the map is dropped: jobs that run go on, and their values are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let doubled = eventlet::GreenPool::new(2).imap(|n| async move { n * 2 }, 1..=3);
    /// let mut sum = 0;
    /// doubled.for_each(|n| sum += n.unwrap()).await;
    /// assert_eq!(sum, 12);
    /// # });
    /// ```
    pub async fn for_each(mut self, mut function: impl FnMut(Result<T, Exit>)) {
        while let Some(result) = self.next().await {
            function(result);
        }
    }

    fn poll_result(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Exit>>> {
        self.start_jobs(cx);
        let result = self.poll_first(cx);
        if result.is_ready() {
            self.leave_line();
        }
        result
    }

    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Exit>>> {
        if let Some(job) = &mut self.inline {
            let result = ready!(job.as_mut().poll(cx));
            self.inline = None;
            return Poll::Ready(Some(result));
        }
        match self.jobs.front_mut() {
            Some(job) => {
                let result = ready!(Pin::new(job).poll(cx));
                self.jobs.pop_front();
                Poll::Ready(Some(result))
            }
            None if self.inputs.is_none() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// Starts as many jobs as there are slots, inputs and room for results.
    fn start_jobs(&mut self, cx: &mut Context<'_>) {
        while self.has_room() && self.has_input(cx) {
            match self.pool.poll_slot(&mut self.place, cx) {
                Poll::Ready(slot) => {
                    self.place = Place::default();
                    if let Some(job) = self.next_job() {
                        self.jobs.push_back(self.pool.spawn_in(slot, job, self.spawned_at));
                    }
                }
                Poll::Pending if self.must_run_inline() => return self.start_inline(),
                Poll::Pending => return,
            }
        }
        // It may still be in the queue, if the pool was made smaller.
        self.leave_line();
    }

    fn has_room(&self) -> bool {
        self.started() < self.pool.size().max(1)
    }

    /// Returns whether there is an input now.
    fn has_input(&mut self, cx: &mut Context<'_>) -> bool {
        // Taken out for the call: inputs that panic have ended.
        let Some(mut inputs) = self.inputs.take() else { return false };
        let polled = inputs.poll_peek(cx);
        if polled != Poll::Ready(false) {
            self.inputs = Some(inputs);
        }
        polled == Poll::Ready(true)
    }

    /// Returns whether waiting for a slot would be a deadlock: only this consumer could free one.
    fn must_run_inline(&self) -> bool {
        self.jobs.is_empty() && self.inline.is_none() && self.pool.is_member()
    }

    fn start_inline(&mut self) {
        self.leave_line();
        if let Some(job) = self.next_job() {
            self.inline = Some(Box::pin(run_inline(job)));
        }
    }

    fn next_job(&mut self) -> Option<J::IntoFuture> {
        let input = self.inputs.as_mut()?.take()?;
        Some((self.function)(input).into_future())
    }
}

/// The results, in the order of the inputs.
impl<I, F, J, T> Stream for GreenMap<I, F, T>
where
    I: Inputs,
    F: FnMut(I::Item) -> J,
    J: Awaitable<T> + 'static,
{
    type Item = Result<T, Exit>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T, Exit>>> {
        self.poll_result(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let started = self.started();
        let (least, most) = self.inputs.as_ref().map_or((0, Some(0)), Inputs::size_hint);
        (least.saturating_add(started), most.and_then(|most| most.checked_add(started)))
    }
}

impl<I, F, J, T> FusedStream for GreenMap<I, F, T>
where
    I: Inputs,
    F: FnMut(I::Item) -> J,
    J: Awaitable<T> + 'static,
{
    fn is_terminated(&self) -> bool {
        self.inputs.is_none() && self.started() == 0
    }
}

/// Nothing in it is pinned.
impl<I, F, T> Unpin for GreenMap<I, F, T> {}

impl<I, F, T> GreenMap<I, F, T> {
    fn new(
        pool: &GreenPool,
        function: F,
        inputs: I,
        spawned_at: &'static Location<'static>,
    ) -> GreenMap<I, F, T> {
        GreenMap {
            pool: pool.clone(),
            spawned_at,
            inputs: Some(inputs),
            function,
            jobs: VecDeque::new(),
            place: Place::default(),
            inline: None,
        }
    }

    /// Returns how many jobs were started whose results were not taken yet.
    fn started(&self) -> usize {
        self.jobs.len() + usize::from(self.inline.is_some())
    }

    /// Stops waiting for a slot. A consumer that is not waiting must not hold a slot that others
    /// could use: it may be waiting for them.
    fn leave_line(&mut self) {
        self.pool.leave(&mut self.place);
        self.place = Place::default();
    }
}

/// A consumer that waits for a result. Its drop leaves the wait queue for slots.
struct Consumer<'a, I, F, T>(&'a mut GreenMap<I, F, T>);

impl<I, F, T> Drop for Consumer<'_, I, F, T> {
    fn drop(&mut self) {
        self.0.leave_line();
    }
}

impl<I, F, T> Drop for GreenMap<I, F, T> {
    fn drop(&mut self) {
        self.leave_line();
    }
}

impl<I, F, T> fmt::Debug for GreenMap<I, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GreenMap")
            .field("pool", &self.pool)
            .field("jobs", &self.jobs.len())
            .finish_non_exhaustive()
    }
}
