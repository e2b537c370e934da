//! The pool: its idle items, their number, and making the next one.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::mem;

use std::pin::Pin;
use std::rc::Rc;

use crate::awaitable::Awaitable;
use crate::semaphore::Semaphore;

/// A pool of items: a green thread takes one for itself, and puts it back.
///
/// An item is made when one is wanted and none is idle, at most `max_size` of them. When all are
/// taken, callers wait for one, first come, first served. It is a handle: clones name the same
/// pool.
///
/// `create` runs in the green thread that wants the item, and may wait. It may fail, with an `E`
/// for that green thread. Then, as when it panics or is killed, there is room for another item, and
/// the next waiter tries.
///
/// Corresponds to `eventlet.pools.Pool`.
///
/// # Differences
///
/// In eventlet a `create` that fails leaves the waiters waiting forever, and so does a
/// [`resize`](Pool::resize) to more. The waiters there have no order.
///
/// # Examples
///
/// ```
/// use eventlet::pools::Pool;
/// use std::io;
///
/// struct Connection(&'static str);
///
/// async fn connect() -> io::Result<Connection> {
///     Ok(Connection("a long way"))
/// }
///
/// # fn main() -> io::Result<()> {
/// eventlet::run(async {
///     let connections = Pool::new(4, connect);
///     {
///         let connection = connections.item().await?;
///         assert_eq!(connection.0, "a long way");
///         assert_eq!(connections.free(), 3);
///     }
///     assert_eq!(connections.free(), 4);
///     Ok(())
/// })
/// # }
/// ```
///
/// A plain function that waits with `.block()` creates from a stack of its own:
///
/// ```
/// # #[cfg(feature = "stackful")] {
/// use eventlet::{Block, pools::Pool, sleep, stackful};
/// use std::time::Duration;
///
/// fn connect() -> Result<u32, String> {
///     sleep(Duration::from_millis(1)).block();
///     Ok(7)
/// }
///
/// eventlet::run(stackful(|| {
///     let pool = Pool::new(4, || stackful(connect));
///     assert_eq!(*pool.item().block().unwrap(), 7);
/// }));
/// # }
/// ```
pub struct Pool<T, E = Infallible> {
    shared: Rc<Shared<T, E>>,
}

struct Shared<T, E> {
    /// A permit is the right to have an item out of the pool, or to make one. Waiters are granted
    /// permits, and a holder finds an item or makes it: so an item is never on its way to a waiter
    /// that is killed.
    rights: Semaphore,
    /// Idle items, for holders of a right. There may be more of them than rights after a cut.
    idle: RefCell<VecDeque<T>>,
    /// How many items there are: idle, taken, or being made. It is not the sum of idle items and
    /// rights: a waiter that was granted a right and has not resumed has no item yet.
    size: Cell<usize>,
    max_size: Cell<usize>,
    as_stack: Cell<bool>,
    /// `Fn`, as several creations may be under way at the same time.
    create: Box<dyn Fn() -> Creation<T, E>>,
}

type Creation<T, E> = Pin<Box<dyn Future<Output = Result<T, E>>>>;

impl<T> Pool<T> {
    /// Makes a pool whose `create` cannot fail.
    ///
    /// [`get`](Pool::get) still returns a `Result`, but one that can only be `Ok`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::pools::Pool;
    ///
    /// eventlet::run(async {
    ///     let buffers = Pool::infallible(2, || async { Vec::<u8>::with_capacity(4096) });
    ///     let Ok(buffer) = buffers.get().await;
    ///     assert_eq!(buffer.capacity(), 4096);
    ///     buffers.put(buffer);
    /// });
    /// ```
    pub fn infallible<C, F>(max_size: usize, create: C) -> Pool<T>
    where
        C: Fn() -> F + 'static,
        F: Awaitable<T> + 'static,
    {
        Pool::new(max_size, move || {
            let created = create().into_future();
            async move { Ok(created.await) }
        })
    }
}

impl<T, E> Pool<T, E> {
    /// Makes a pool that has at most `max_size` items, which `create` makes when they are needed.
    ///
    /// Corresponds to eventlet's `pools.Pool(max_size=.., create=..)`, whose default is 4.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::pools::Pool;
    ///
    /// let pool = Pool::new(4, || async { "12".parse::<u32>() });
    /// assert_eq!((pool.max_size(), pool.free(), pool.current_size()), (4, 4, 0));
    /// ```
    pub fn new<C, F>(max_size: usize, create: C) -> Pool<T, E>
    where
        C: Fn() -> F + 'static,
        F: Awaitable<Result<T, E>> + 'static,
    {
        Pool {
            shared: Rc::new(Shared {
                rights: Semaphore::new(max_size),
                idle: RefCell::default(),
                size: Cell::new(0),
                max_size: Cell::new(max_size),
                as_stack: Cell::new(false),
                create: Box::new(move || Box::pin(create().into_future())),
            }),
        }
    }

    /// Makes items until the pool has so many, those that are taken included.
    ///
    /// It makes one after the other, and not more than the pool may have.
    ///
    /// Corresponds to eventlet's `pools.Pool(min_size=..)`.
    ///
    /// # Yields
    ///
    /// Where `create` does.
    ///
    /// # Killed
    ///
    /// What was made by then is in the pool.
    ///
    /// # Errors
    ///
    /// The first error of `create`. What was made by then is in the pool.
    ///
    /// # Differences
    ///
    /// Eventlet makes more than `max_size` when asked to.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::pools::Pool;
    ///
    /// # fn main() -> Result<(), std::num::ParseIntError> {
    /// eventlet::run(async {
    ///     let pool = Pool::new(4, || async { "12".parse::<u32>() }).min_size(2).await?;
    ///     assert_eq!(pool.current_size(), 2);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn min_size(self, size: usize) -> Result<Pool<T, E>, E> {
        let has_enough = || self.current_size() >= size.min(self.max_size());
        while !has_enough() {
            let _right = self.shared.right().await;
            // Checked again, as earlier waiters may have made one meanwhile.
            if !has_enough() {
                let item = self.shared.make().await?;
                self.shared.store(item);
            }
        }
        Ok(self)
    }

    /// Chooses whether the item that was put back last is taken first, instead of the one that has
    /// been idle for longest.
    ///
    /// It fits items that are expensive to keep: those on top are used again and again, and
    /// those below can be seen to idle.
    ///
    /// Corresponds to eventlet's `pools.Pool(order_as_stack=..)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::pools::Pool;
    ///
    /// # eventlet::run(async {
    /// let pool = Pool::<char>::infallible(2, || async { 'c' }).order_as_stack(true);
    /// pool.put('a');
    /// pool.put('b');
    /// assert_eq!(pool.get().await, Ok('b'));
    /// # });
    /// ```
    pub fn order_as_stack(self, as_stack: bool) -> Pool<T, E> {
        self.shared.as_stack.set(as_stack);
        self
    }

    /// Takes an item: an idle one, or else a new one, or else the first that is put back.
    ///
    /// It must come back with [`put`](Pool::put), or the pool has one less for good. To ensure
    /// that, even if the green thread is killed, take it with [`item`](Pool::item).
    ///
    /// Corresponds to eventlet's `Pool.get`.
    ///
    /// # Yields
    ///
    /// When all items are taken, and where `create` does.
    ///
    /// # Killed
    ///
    /// Nothing is lost: the right of a getter that has not resumed yet goes to the next waiter, and
    /// so does the room of a `create` that was killed.
    ///
    /// # Errors
    ///
    /// The error of `create`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::pools::Pool;
    ///
    /// # eventlet::run(async {
    /// let pool = Pool::new(1, || async { "12".parse::<u32>() });
    /// let item = pool.get().await.unwrap();
    /// assert_eq!(item, 12);
    /// pool.put(item);
    ///
    /// let pool = Pool::new(1, || async { "twelve".parse::<u32>() });
    /// assert!(pool.get().await.is_err());
    /// assert_eq!(pool.free(), 1);
    /// # });
    /// ```
    pub async fn get(&self) -> Result<T, E> {
        let right = self.shared.right().await;
        // A separate statement, because the borrow must end before this waits.
        let idle = self.shared.idle.borrow_mut().pop_front();
        let item = match idle {
            Some(item) => item,
            None => self.shared.make().await?,
        };
        // The permit stays with the item, and comes back with `put`.
        mem::forget(right);
        Ok(item)
    }

    /// Puts an item back, for the first waiter or for later.
    ///
    /// When the pool was [resized](Pool::resize) to fewer than it has, the item is dropped. One
    /// that was not taken from the pool becomes its own, unless it has enough.
    ///
    /// Corresponds to eventlet's `Pool.put`.
    ///
    /// # Yields
    ///
    /// Never: a waiter for an item runs in a later turn.
    ///
    /// # Differences
    ///
    /// Eventlet's may yield, and keeps everything that is put.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::pools::Pool;
    ///
    /// # eventlet::run(async {
    /// let pool = Pool::<u32>::infallible(4, || async { 1 });
    /// let Ok(item) = pool.get().await;
    /// assert_eq!(pool.free(), 3);
    /// pool.put(item);
    /// assert_eq!(pool.free(), 4);
    /// # });
    /// ```
    pub fn put(&self, item: T) {
        let (shared, size) = (&*self.shared, self.current_size());
        match shared.is_any_taken() {
            true if size <= self.max_size() => {
                shared.store(item);
                shared.rights.release();
            }
            false if size < self.max_size() => {
                shared.size.set(size + 1);
                shared.store(item);
            }
            _ => self.discard(item),
        }
    }

    /// Drops an item instead of putting it back, and makes room for a new one.
    ///
    /// It is for items that are not fit for use any more.
    ///
    /// Corresponds to eventlet's `pool.current_size -= 1`, and to `put(None)` of its `db_pool`.
    ///
    /// # Yields
    ///
    /// Never: a waiter for an item makes it in a later turn.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::pools::Pool;
    ///
    /// # eventlet::run(async {
    /// let pool = Pool::<String>::infallible(1, || async { "new".to_owned() });
    /// let Ok(mut item) = pool.get().await;
    /// item.clear();
    /// pool.discard(item);
    /// assert_eq!(pool.current_size(), 0);
    /// assert_eq!(pool.get().await.unwrap(), "new");
    /// # });
    /// ```
    pub fn discard(&self, item: T) {
        let shared = &*self.shared;
        if shared.is_any_taken() {
            shared.size.set(self.current_size() - 1);
            shared.rights.release();
        }
        // Last, as its destructor is user code.
        drop(item);
    }

    /// Changes how many items the pool may have.
    ///
    /// A larger size wakes as many waiters. A smaller one takes no item from its user, and does not
    /// stop a chosen waiter from making one: items above the size are dropped when they are put
    /// back.
    ///
    /// Corresponds to eventlet's `Pool.resize`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::pools::Pool;
    ///
    /// # eventlet::run(async {
    /// let pool = Pool::<u32>::infallible(2, || async { 1 });
    /// let (Ok(one), Ok(two)) = (pool.get().await, pool.get().await);
    /// pool.resize(1);
    /// assert_eq!(pool.free(), -1);
    /// pool.put(one);
    /// pool.put(two);
    /// assert_eq!((pool.free(), pool.current_size()), (1, 1));
    /// # });
    /// ```
    pub fn resize(&self, max_size: usize) {
        let old = self.shared.max_size.replace(max_size);
        self.shared.rights.resize(old, max_size);
    }

    /// Returns how many items, idle or not yet made, can be taken without waiting for one to be put
    /// back: negative after the size was cut below the number taken.
    ///
    /// Corresponds to eventlet's `Pool.free`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::pools::TokenPool;
    ///
    /// # eventlet::run(async {
    /// let pool = TokenPool::new(2);
    /// let _token = pool.item().await;
    /// assert_eq!(pool.free(), 1);
    /// # });
    /// ```
    pub fn free(&self) -> isize {
        self.shared.rights.counter()
    }

    /// Returns how many green threads wait for an item.
    ///
    /// Corresponds to eventlet's `Pool.waiting`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::pools::TokenPool;
    /// use std::time::Duration;
    ///
    /// # eventlet::run(async {
    /// let pool = TokenPool::new(0);
    /// let patient = pool.clone();
    /// eventlet::spawn_n(async move { patient.get().await });
    /// eventlet::sleep(Duration::ZERO).await;
    /// assert_eq!(pool.waiting(), 1);
    /// # });
    /// ```
    pub fn waiting(&self) -> usize {
        self.shared.rights.waiting()
    }

    /// Returns how many items the pool may have.
    ///
    /// Corresponds to eventlet's `Pool.max_size`.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(eventlet::pools::TokenPool::new(4).max_size(), 4);
    /// ```
    pub fn max_size(&self) -> usize {
        self.shared.max_size.get()
    }

    /// Returns how many items the pool has: those that are idle, taken, or being made.
    ///
    /// Corresponds to eventlet's `Pool.current_size`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::pools::TokenPool;
    ///
    /// # eventlet::run(async {
    /// let pool = TokenPool::new(4);
    /// assert_eq!(pool.current_size(), 0);
    /// drop(pool.item().await);
    /// assert_eq!(pool.current_size(), 1);
    /// # });
    /// ```
    pub fn current_size(&self) -> usize {
        self.shared.size.get()
    }
}

impl<T, E> Shared<T, E> {
    /// Waits for the right to have an item.
    async fn right(&self) -> Right<'_> {
        self.rights.acquire().await;
        Right(&self.rights)
    }

    /// Makes an item, for which there is room from the start until it fails.
    async fn make(&self) -> Result<T, E> {
        let room = Room::take(&self.size);
        let item = (self.create)().await?;
        mem::forget(room);
        Ok(item)
    }

    /// Returns whether any item is taken. If not, the item that is put back is not from this pool,
    /// and brings no right back.
    fn is_any_taken(&self) -> bool {
        self.size.get() > self.idle.borrow().len()
    }

    fn store(&self, item: T) {
        let mut idle = self.idle.borrow_mut();
        if self.as_stack.get() {
            idle.push_front(item);
        } else {
            idle.push_back(item);
        }
    }
}

/// The right to have an item, until it has one. Its drop passes it to the next waiter.
struct Right<'a>(&'a Semaphore);

impl Drop for Right<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// Room for an item that is being made. It is given back when dropped.
struct Room<'a>(&'a Cell<usize>);

impl<'a> Room<'a> {
    fn take(size: &'a Cell<usize>) -> Room<'a> {
        size.set(size.get() + 1);
        Room(size)
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Names the same pool.
impl<T, E> Clone for Pool<T, E> {
    fn clone(&self) -> Pool<T, E> {
        Pool { shared: Rc::clone(&self.shared) }
    }
}

impl<T, E> fmt::Debug for Pool<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("max_size", &self.max_size())
            .field("current_size", &self.current_size())
            .field("free", &self.free())
            .field("waiting", &self.waiting())
            .finish()
    }
}
