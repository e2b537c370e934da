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
/// It is a handle: clones use the same connection. One green thread may wait for messages while
/// others send. A client's connection is closed when its last handle is dropped, without a close
/// frame: [`close`](WebSocket::close) it before that. A server's connection is closed when its
/// handler has ended.
///
/// As a [`Stream`] it gives the messages one by one up to the end; so it does as an iterator on a
/// green stack, with `.blocking()`. A stream that was polled keeps its place among those who wait
/// for a message until it is polled again or dropped.
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
    /// The wait that a poll of the stream has begun.
    next: Option<Next>,
}

impl WebSocket {
    pub(super) fn new(connection: Rc<Connection>, request: Rc<Request>) -> WebSocket {
        WebSocket { connection, request, next: None }
    }

    /// Waits for the next message. `None` means that there will be no more.
    ///
    /// That is so when the peer has closed the connection or the stream has ended, when this side
    /// has begun to close, and when the peer has violated the protocol: then it was sent a close
    /// frame with the reason.
    ///
    /// Pings are answered while a green thread waits. Several may wait; each message goes to the
    /// one that has waited longest.
    ///
    /// Corresponds to `WebSocket.wait`.
    ///
    /// # Yields
    ///
    /// Until there is a message; never if one has come already.
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
    /// Eventlet's `wait` raises after its own `close`, for a second waiter, and for a malformed
    /// text or compressed message.
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
    /// When this returns, the operating system has the whole message. Several green threads may
    /// send; their messages are sent in the order of the calls.
    ///
    /// Corresponds to `WebSocket.send`.
    ///
    /// # Yields
    ///
    /// While another green thread sends, and while the peer does not read what it was sent.
    ///
    /// # Killed
    ///
    /// Before the first byte was sent: nothing is sent. In the middle of the message: the
    /// connection is broken for writing, as the peer has part of it; what comes in can still be
    /// read. A compressed message counts as begun once its turn to be sent has come, as later ones
    /// may refer to it.
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

    /// Sends a ping of at most 125 bytes, without waiting for the answer, which ends the peer's
    /// silence.
    ///
    /// Corresponds to eventlet's `send(payload, control_code=9)`.
    ///
    /// # Yields
    ///
    /// As [`send`](WebSocket::send).
    ///
    /// # Killed
    ///
    /// Nothing breaks: what is sent next completes the ping.
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
    /// It takes `()`, a code, or a code and a reason; see [`IntoClose`]. A green thread that waits
    /// for a message gets `None`; one that sends may finish. What the peer still sends is
    /// discarded. The option `close_timeout` of the site or the client limits the wait. Closing
    /// again does nothing.
    ///
    /// Corresponds to `WebSocket.close`.
    ///
    /// # Yields
    ///
    /// Until the peer has closed, too, but no longer than `close_timeout`.
    ///
    /// # Killed
    ///
    /// The connection cannot be used any more. Another call continues where this one ended.
    ///
    /// # Errors
    ///
    /// Of kind `InvalidInput`, when the code or the reason cannot be sent. Then nothing was done.
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

    /// Returns whether [`wait`](WebSocket::wait) will give no more messages: one side has closed,
    /// or the connection is lost.
    ///
    /// Corresponds to `WebSocket.websocket_closed`.
    pub fn websocket_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Returns the peer's close frame, once it has come.
    ///
    /// Eventlet does not expose it.
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

    /// Returns the header `Origin` of the request, which browsers send.
    ///
    /// Corresponds to `WebSocket.origin`.
    pub fn origin(&self) -> Option<&str> {
        self.request.origin.as_deref()
    }

    /// Returns the request of the handshake; a client has none.
    ///
    /// Corresponds to `WebSocket.environ`.
    pub fn environ(&self) -> Option<&Environ> {
        self.request.environ.as_ref()
    }

    /// Returns the version of the protocol: 13, or 8 for an old client. Their frames are the same.
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
