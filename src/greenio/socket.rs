//! A stream of any kind with many handles.

use std::cell::{Ref, RefCell};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::hub::{Held, hold};

/// A handle of a stream: of a connection, of TLS over one, of a pipe, of a compressor.
///
/// Handles are cheap to clone, and each reads and writes, so one green thread may read while
/// another writes. The stream is closed when the last of them is dropped.
///
/// In async code a handle reads and writes through Tokio's [`AsyncRead`] and [`AsyncWrite`], and on
/// a green stack through [`Read`](io::Read) and [`Write`](io::Write), which a reference to it has
/// as well. Import the traits of only one of the two: both have a method `read`.
///
/// Green threads that read at once each get a part of the data; likewise for writing.
///
/// Corresponds to `eventlet.greenio.GreenSocket`.
///
/// # Differences
///
/// Eventlet's is a socket, and has its methods: [`get_ref`](GreenSocket::get_ref) lends the stream
/// for that.
///
/// # Examples
///
/// ```
/// use eventlet::greenio::GreenSocket;
/// use eventlet::spawn;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
///
/// # eventlet::run(async {
/// let (here, mut there) = duplex(64);
/// let mut conn = GreenSocket::new(here);
/// let mut same = conn.clone();
/// let reader = spawn(async move {
///     let mut line = String::new();
///     same.read_to_string(&mut line).await.unwrap();
///     line
/// });
/// conn.write_all(b"to there").await.unwrap();
/// there.write_all(b"to here").await.unwrap();
/// drop(there);
/// assert_eq!(reader.await.unwrap(), "to here");
/// # });
/// ```
pub struct GreenSocket<S> {
    shared: Rc<Shared<S>>,
}

struct Shared<S> {
    stream: RefCell<S>,
    waiting: Arc<Waiting>,
    /// The waker of `waiting`, made once.
    waker: Waker,
}

/// All waiters for the stream. All are woken at each event: a TLS stream may have to write before
/// it can read, and keeps only the last waker.
///
/// The event may come on any OS thread, and before the waiter is in here: hence the count.
#[derive(Default)]
struct Waiting {
    /// The number of events.
    news: AtomicUsize,
    wakers: Mutex<Vec<Waker>>,
}

impl Waiting {
    /// Adds a waiter that got `Pending` after so many events.
    fn add(&self, waker: &Waker, news: usize) {
        let mut wakers = self.lock();
        if self.news.load(Ordering::Acquire) != news {
            drop(wakers);
            waker.wake_by_ref();
        } else if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }

    fn lock(&self) -> Held<'_, Vec<Waker>> {
        hold(&self.wakers)
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let all = {
            let mut wakers = self.lock();
            self.news.fetch_add(1, Ordering::Release);
            std::mem::take(&mut *wakers)
        };
        all.into_iter().for_each(Waker::wake);
    }
}

impl<S> GreenSocket<S> {
    /// Takes a stream over.
    ///
    /// # Examples
    ///
    /// ```
    /// let (here, _there) = tokio::io::duplex(64);
    /// let _conn = eventlet::greenio::GreenSocket::new(here);
    /// ```
    pub fn new(stream: S) -> GreenSocket<S> {
        let waiting = Arc::<Waiting>::default();
        let waker = Waker::from(Arc::clone(&waiting));
        GreenSocket { shared: Rc::new(Shared { stream: RefCell::new(stream), waiting, waker }) }
    }

    /// Lends the stream, for calls on it. It must not be read or written meanwhile.
    ///
    /// # Panics
    ///
    /// Reading and writing panic while this borrow is alive.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::greenio::GreenSocket;
    ///
    /// # eventlet::run(async {
    /// let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// let addr = listener.local_addr().unwrap();
    /// let conn = GreenSocket::new(eventlet::connect(addr).await.unwrap());
    /// assert_eq!(conn.get_ref().peer_addr().unwrap(), addr);
    /// # });
    /// ```
    pub fn get_ref(&self) -> Ref<'_, S> {
        self.shared.stream.borrow()
    }

    /// Gives the stream back, if this is its only handle, or else the handle.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::greenio::GreenSocket;
    ///
    /// let conn = GreenSocket::new(7);
    /// let same = conn.clone();
    /// let conn = conn.into_inner().unwrap_err();
    /// drop(same);
    /// assert_eq!(conn.into_inner().unwrap(), 7);
    /// ```
    pub fn into_inner(self) -> Result<S, GreenSocket<S>> {
        match Rc::try_unwrap(self.shared) {
            Ok(shared) => Ok(shared.stream.into_inner()),
            Err(shared) => Err(GreenSocket { shared }),
        }
    }
}

impl<S: Unpin> GreenSocket<S> {
    /// Polls the stream on behalf of all its waiters.
    pub(crate) fn poll_with<T>(
        &self,
        cx: &Context<'_>,
        poll: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Shared { stream, waiting, waker } = &*self.shared;
        let news = waiting.news.load(Ordering::Acquire);
        let polled = poll(Pin::new(&mut *stream.borrow_mut()), &mut Context::from_waker(waker));
        if polled.is_pending() {
            waiting.add(cx.waker(), news);
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for GreenSocket<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_with(cx, |stream, cx| stream.poll_read(cx, buf))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for GreenSocket<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(cx, |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_with(cx, |stream, cx| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_with(cx, |stream, cx| stream.poll_shutdown(cx))
    }
}

impl<S> Clone for GreenSocket<S> {
    fn clone(&self) -> GreenSocket<S> {
        GreenSocket { shared: Rc::clone(&self.shared) }
    }
}

impl<S> From<S> for GreenSocket<S> {
    fn from(stream: S) -> GreenSocket<S> {
        GreenSocket::new(stream)
    }
}

impl<S> fmt::Debug for GreenSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GreenSocket").finish_non_exhaustive()
    }
}
