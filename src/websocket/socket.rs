//! The handle of a connection.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;

use super::close::{Close, IntoClose};
use super::connection::Connection;
use super::message::Message;
use super::request::Request;
use crate::wsgi::Environ;

type Next = Pin<Box<dyn Future<Output = io::Result<Option<Message>>>>>;

/// A websocket, of a server or a client.
///
/// It is a handle: clones speak on the same connection. One green thread may wait for messages
/// while others send. The connection of a client is closed when its last handle is dropped, without
/// a farewell: [`close`](WebSocket::close) it before. That of a server is closed when its handler
/// has ended.
///
/// As a [`Stream`] it gives the messages one by one up to the end, and so it does as an iterator on
/// a green stack, with `.blocking()`. Who has polled a stream keeps his place in line until the
/// stream is polled again or dropped.
///
/// Corresponds to `eventlet.websocket.WebSocket`.
///
/// # Examples
///
/// ```
/// use eventlet::websocket::{self, Message, WebSocket, WebSocketWSGI};
/// use eventlet::{listen, spawn_n, wsgi};
///
/// async fn shout(ws: WebSocket) -> std::io::Result<()> {
///     while let Some(message) = ws.wait().await? {
///         ws.send(message.as_text().unwrap_or("?").to_uppercase()).await?;
///     }
///     Ok(())
/// }
///
/// # eventlet::run(async {
/// let listener = listen("127.0.0.1:0").await.unwrap();
/// let addr = listener.local_addr().unwrap();
/// spawn_n(wsgi::server(listener, WebSocketWSGI::new(shout)).into_future());
///
/// let ws = websocket::connect(&format!("ws://{addr}/")).await.unwrap();
/// ws.send("hello").await.unwrap();
/// assert_eq!(ws.wait().await.unwrap(), Some(Message::from("HELLO")));
/// ws.close(1000).await.unwrap();
/// # });
/// ```
pub struct WebSocket {
    connection: Rc<Connection>,
    request: Rc<Request>,
    /// What a poll of the stream waits for.
    next: Option<Next>,
}

impl WebSocket {
    pub(super) fn new(connection: Rc<Connection>, request: Rc<Request>) -> WebSocket {
        WebSocket { connection, request, next: None }
    }

    /// Waits for the next message. `None` says that there will be none, now and ever after.
    ///
    /// That is so when the peer has closed the connection or has gone, when this side has begun to
    /// close it, and when the peer did wrong: then it was told so with a close frame.
    ///
    /// Pings are answered while somebody waits. Several may wait; each message goes to the first in
    /// line.
    ///
    /// Corresponds to `WebSocket.wait`.
    ///
    /// # Yields
    ///
    /// Until there is a message; not at all if one has come already.
    ///
    /// # Killed
    ///
    /// No message is lost, nor part of one.
    ///
    /// # Errors
    ///
    /// Once, when the connection is lost: those of the socket, and one of kind `TimedOut` when the
    /// peer was silent for twice the ping interval.
    ///
    /// # Differences
    ///
    /// After its own `close`, eventlet's `wait` raises; and so does it for a second waiter. What
    /// was wrong with a text or a compressed message raises there, too.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::websocket::{self, WebSocket, WebSocketWSGI};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let url = format!("ws://{}/", listener.local_addr().unwrap());
    /// # let site = WebSocketWSGI::new(|ws: WebSocket| async move { ws.send("hello").await });
    /// # eventlet::spawn_n(eventlet::wsgi::server(listener, site).into_future());
    /// let ws = websocket::connect(&url).await.unwrap();
    /// assert_eq!(ws.wait().await.unwrap(), Some("hello".into()));
    /// assert_eq!(ws.wait().await.unwrap(), None);
    /// assert_eq!(ws.peers_close().unwrap().code(), Some(1000));
    /// # });
    /// ```
    pub async fn wait(&self) -> io::Result<Option<Message>> {
        self.connection.wait().await
    }

    /// Sends a message.
    ///
    /// It is whole when this returns, as far as the operating system's buffers go. Several may
    /// send; their messages go out in the order in which they called.
    ///
    /// Corresponds to `WebSocket.send`.
    ///
    /// # Yields
    ///
    /// While somebody else sends, and while the peer does not read what it was sent.
    ///
    /// # Killed
    ///
    /// In line, or before the first byte: nothing was sent. In the middle of the message the
    /// connection is broken for writing, as half of it cannot be taken back; what comes in can
    /// still be read. A compressed message cannot be taken back from its first byte on.
    ///
    /// # Errors
    ///
    /// Of kind `BrokenPipe` when either side has closed the connection, or it is broken; and those
    /// of the socket.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::websocket::{self, WebSocket, WebSocketWSGI};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let url = format!("ws://{}/", listener.local_addr().unwrap());
    /// let site = WebSocketWSGI::new(|ws: WebSocket| async move {
    ///     ws.send("a text").await?;
    ///     ws.send(vec![1, 2, 3]).await
    /// });
    /// # eventlet::spawn_n(eventlet::wsgi::server(listener, site).into_future());
    /// # let ws = websocket::connect(&url).await.unwrap();
    /// # assert_eq!(ws.wait().await.unwrap(), Some("a text".into()));
    /// # assert_eq!(ws.wait().await.unwrap(), Some(vec![1, 2, 3].into()));
    /// # });
    /// ```
    pub async fn send(&self, message: impl Into<Message>) -> io::Result<()> {
        self.connection.send(&message.into()).await
    }

    /// Sends a ping, of at most 125 bytes. The answer is not waited for; it counts as a sign of
    /// life.
    ///
    /// Corresponds to eventlet's `send(payload, control_code=9)`.
    ///
    /// # Yields
    ///
    /// As [`send`](WebSocket::send).
    ///
    /// # Killed
    ///
    /// Nothing breaks: a ping that was begun goes out with what is sent next.
    ///
    /// # Errors
    ///
    /// As [`send`](WebSocket::send), and of kind `InvalidInput` when the payload is too long.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::websocket::{self, WebSocket, WebSocketWSGI};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let url = format!("ws://{}/", listener.local_addr().unwrap());
    /// # let site = WebSocketWSGI::new(|ws: WebSocket| async move { ws.wait().await.map(drop) });
    /// # eventlet::spawn_n(eventlet::wsgi::server(listener, site).into_future());
    /// # let ws = websocket::connect(&url).await.unwrap();
    /// ws.ping("are you there?").await.unwrap();
    /// # });
    /// ```
    pub async fn ping(&self, payload: impl Into<Bytes>) -> io::Result<()> {
        self.connection.ping(&payload.into()).await
    }

    /// Closes the connection: sends a close frame, waits a while for the peer's, and closes the
    /// socket.
    ///
    /// It takes `()`, a code, or a code and a reason; see [`IntoClose`]. Who waits for a message
    /// gets `None`; who sends one may finish it. What the peer still sends is thrown away. How long
    /// it is waited for is the site's or the client's `close_timeout`. To close again does nothing.
    ///
    /// Corresponds to `WebSocket.close`.
    ///
    /// # Yields
    ///
    /// Until the peer has closed, too, and not longer than `close_timeout`.
    ///
    /// # Killed
    ///
    /// The connection is not usable any more; to close it again goes on where this ended.
    ///
    /// # Errors
    ///
    /// Of kind `InvalidInput`, when the code or the reason cannot be sent. Nothing was done then.
    ///
    /// # Differences
    ///
    /// Eventlet does not wait for the peer.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::websocket::{self, WebSocket, WebSocketWSGI};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let url = format!("ws://{}/", listener.local_addr().unwrap());
    /// # let site = WebSocketWSGI::new(|ws: WebSocket| async move { ws.wait().await.map(drop) });
    /// # eventlet::spawn_n(eventlet::wsgi::server(listener, site).into_future());
    /// let ws = websocket::connect(&url).await.unwrap();
    /// ws.close((4000, "bye")).await.unwrap();
    /// assert!(ws.websocket_closed());
    /// # });
    /// ```
    pub async fn close(&self, close: impl IntoClose) -> io::Result<()> {
        let close = close.into_close()?;
        self.connection.close(close).await;
        Ok(())
    }

    /// Returns whether [`wait`](WebSocket::wait) will give no more messages: one of the sides has
    /// closed, or has gone.
    ///
    /// Corresponds to `WebSocket.websocket_closed`.
    pub fn websocket_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Returns what the peer's close frame said, once it has come.
    ///
    /// Eventlet keeps it to itself.
    pub fn peers_close(&self) -> Option<Close> {
        self.connection.peers_close()
    }

    /// Returns whether permessage-deflate was agreed on.
    pub fn compressed(&self) -> bool {
        self.request.compressed
    }

    /// Returns the path of the request, without the query.
    ///
    /// Corresponds to `WebSocket.path`.
    pub fn path(&self) -> &str {
        &self.request.path
    }

    /// Returns the subprotocol that was agreed on.
    ///
    /// Corresponds to `WebSocket.protocol`.
    pub fn protocol(&self) -> Option<&str> {
        self.request.protocol.as_deref()
    }

    /// Returns the origin that the client named, as browsers do.
    ///
    /// Corresponds to `WebSocket.origin`.
    pub fn origin(&self) -> Option<&str> {
        self.request.origin.as_deref()
    }

    /// Returns the request that this began with; a client has none.
    ///
    /// Corresponds to `WebSocket.environ`.
    pub fn environ(&self) -> Option<&Environ> {
        self.request.environ.as_ref()
    }

    /// Returns the version of the protocol: 13, or 8 for an old client, which speaks the same.
    ///
    /// Corresponds to `WebSocket.version`.
    pub fn version(&self) -> u8 {
        self.request.version
    }
}

impl Clone for WebSocket {
    fn clone(&self) -> WebSocket {
        WebSocket::new(Rc::clone(&self.connection), Rc::clone(&self.request))
    }
}

impl Stream for WebSocket {
    type Item = io::Result<Message>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Message>>> {
        let connection = Rc::clone(&self.connection);
        let next =
            self.next.get_or_insert_with(|| Box::pin(async move { connection.wait().await }));
        let polled = next.as_mut().poll(cx);
        if polled.is_ready() {
            self.next = None;
        }
        polled.map(Result::transpose)
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("path", &self.path())
            .field("protocol", &self.protocol())
            .field("closed", &self.websocket_closed())
            .finish_non_exhaustive()
    }
}
