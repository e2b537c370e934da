//! The body of a response.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use super::channel::{Channel, HasChannel, Write};
use crate::exit::BoxError;

type Boxed = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError>>>;

/// The body of a response: bytes that are known, or a stream of them.
///
/// A stream is polled for its next piece once the client has taken what came before, so a slow
/// client slows down this stream only.
///
/// # Examples
///
/// ```
/// use eventlet::wsgi::Body;
///
/// let known = Body::from("hello");
/// let numbers = Body::from_iter((0..3).map(|n| format!("{n}\n")));
/// let (write, body) = Body::channel();
/// # let _ = (known, numbers, write, body);
/// ```
#[derive(Default)]
pub struct Body(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Known(Bytes),
    Channel(Receiver),
    Boxed(Boxed),
}

/// The reading end of a channel. Once it is dropped, writes fail.
struct Receiver(Rc<dyn HasChannel>);

impl Drop for Receiver {
    fn drop(&mut self) {
        self.0.channel().abandon();
    }
}

impl Body {
    /// Makes an empty body.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Body;
    ///
    /// assert!(http_body::Body::is_end_stream(&Body::empty()));
    /// ```
    pub const fn empty() -> Body {
        Body(Kind::Empty)
    }

    /// Makes a body of a stream of pieces. An error of the stream cuts the connection.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Body;
    /// use futures::stream;
    ///
    /// let site = |_: Environ| async {
    ///     Body::from_stream(stream::iter(["one", "two"]).map(Ok::<_, std::io::Error>))
    /// };
    /// # use eventlet::wsgi::Environ;
    /// # use futures::StreamExt;
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert!(body_of(site, "GET /").await.contains("two"));
    /// # });
    /// ```
    pub fn from_stream<S, T, E>(stream: S) -> Body
    where
        S: Stream<Item = Result<T, E>> + 'static,
        T: Into<Bytes>,
        E: Into<BoxError>,
    {
        Body::new(Streamed { stream })
    }

    /// Makes a body of an iterator of pieces that does not wait. An iterator that waits, on a green
    /// stack, is returned from an [`application`](super::application()).
    ///
    /// Corresponds to the iterable that a WSGI application returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Body;
    ///
    /// let site = |_: Environ| async { Body::from_iter(["one", "two"]) };
    /// # use eventlet::wsgi::Environ;
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert!(body_of(site, "GET /").await.contains("two"));
    /// # });
    /// ```
    #[expect(clippy::should_implement_trait)]
    pub fn from_iter<I>(pieces: I) -> Body
    where
        I: IntoIterator<Item: Into<Bytes>, IntoIter: 'static>,
    {
        Body::new(Iterated { pieces: pieces.into_iter() })
    }

    /// Makes a body and its writer.
    ///
    /// The body ends when the last clone of the [`Write`] is dropped. If that happens in a panic,
    /// or after [`Write::abort`], the connection is cut.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Body;
    ///
    /// # eventlet::run(async {
    /// let (write, body) = Body::channel();
    /// eventlet::spawn_n(async move {
    ///     for n in 0..3 {
    ///         if write.write(format!("{n}\n")).await.is_err() {
    ///             break; // The client has gone.
    ///         }
    ///     }
    /// });
    /// # drop(body);
    /// # });
    /// ```
    pub fn channel() -> (Write, Body) {
        let channel: Rc<dyn HasChannel> = Rc::new(Channel::default());
        (Write::ending(Rc::clone(&channel)), Body::read_from(channel))
    }

    /// Makes a body of any other.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Body;
    ///
    /// fn boxed(response: http::Response<hyper::body::Incoming>) -> http::Response<Body> {
    ///     response.map(Body::new)
    /// }
    /// # let _ = boxed;
    /// ```
    pub fn new<B>(body: B) -> Body
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + 'static,
    {
        let mut body = Some(body);
        // A value of this type is returned as it is.
        if let Some(same) = (&mut body as &mut dyn Any).downcast_mut::<Option<Body>>() {
            return same.take().unwrap_or_default();
        }
        body.map_or(Body::empty(), |body| Body(Kind::Boxed(Box::pin(Erased { body }))))
    }

    pub(super) fn read_from(channel: Rc<dyn HasChannel>) -> Body {
        Body(Kind::Channel(Receiver(channel)))
    }

    /// Returns the whole body, if it is known.
    pub(super) fn known(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Empty => Some(&[]),
            Kind::Known(bytes) => Some(bytes),
            Kind::Channel(_) | Kind::Boxed(_) => None,
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Known(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Kind::Empty;
                Poll::Ready(if bytes.is_empty() { None } else { Some(Ok(Frame::data(bytes))) })
            }
            Kind::Channel(receiver) => receiver.0.channel().poll_take(cx).map(frame),
            Kind::Boxed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Known(bytes) => bytes.is_empty(),
            Kind::Channel(receiver) => receiver.0.channel().is_at_end(),
            Kind::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Known(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Channel(_) => SizeHint::default(),
            Kind::Boxed(body) => body.size_hint(),
        }
    }
}

fn frame(taken: Option<Result<Bytes, BoxError>>) -> Option<Result<Frame<Bytes>, BoxError>> {
    taken.map(|taken| taken.map(Frame::data))
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            None => f.write_str("Body(..)"),
        }
    }
}

macro_rules! known_body {
    ($($text:ty)*) => {$(
        impl From<$text> for Body {
            fn from(text: $text) -> Body {
                Body(Kind::Known(text.into()))
            }
        }
    )*};
}

known_body! { &'static str String &'static [u8] Vec<u8> Bytes }

impl From<()> for Body {
    fn from((): ()) -> Body {
        Body::empty()
    }
}

pin_project! {
    /// A body whose error is boxed.
    struct Erased<B> {
        #[pin]
        body: B,
    }
}

impl<B> http_body::Body for Erased<B>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.project().body.poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pin_project! {
    struct Streamed<S> {
        #[pin]
        stream: S,
    }
}

impl<S, T, E> http_body::Body for Streamed<S>
where
    S: Stream<Item = Result<T, E>>,
    T: Into<Bytes>,
    E: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let piece = ready!(self.project().stream.poll_next(cx));
        Poll::Ready(piece.map(|piece| match piece {
            Ok(piece) => Ok(Frame::data(piece.into())),
            Err(error) => Err(error.into()),
        }))
    }
}

/// The body of an iterator. Nothing relies on its address, so it is `Unpin`.
struct Iterated<I> {
    pieces: I,
}

impl<I> Unpin for Iterated<I> {}

impl<I: Iterator<Item: Into<Bytes>>> http_body::Body for Iterated<I> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.pieces.next().map(|piece| Ok(Frame::data(piece.into()))))
    }
}
