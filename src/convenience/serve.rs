//! Servers.

use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;

use super::door::Door;
use super::handler::{HandlerResult, Handling, report_failure};
use super::listener::Listener;
use super::stop::{Notice, Serving};
use crate::awaitable::Awaitable;
use crate::exit::Exit;
use crate::greenpool::GreenPool;
use crate::report;

/// Accepts connections and calls a handler for each, in a green thread of its own.
///
/// The handler gets the connection and the peer's address, and owns the connection: it is closed
/// when the handler ends, unless the handler moved it elsewhere. A handler may be of either colour:
///
/// ```
/// # #[cfg(feature = "stackful")] mod both {
/// # use eventlet::{serve, stackful};
/// # use tokio::net::{TcpListener, TcpStream};
/// # async fn handle(conn: TcpStream) {}
/// # fn handle_plainly(conn: TcpStream) {}
/// # async fn both(listener: TcpListener, another: TcpListener) {
/// serve(listener, |conn, _addr| handle(conn), 1000).await.unwrap();
/// serve(another, |conn, _addr| stackful(move || handle_plainly(conn)), 1000).await.unwrap();
/// # }
/// # }
/// ```
///
/// With a listener of `green::net`, the handler gets a stream of `green::net`.
///
/// At most `concurrency` handlers run at a time; at that number no connection is accepted, and
/// clients wait in the backlog. With 0 none ever is, as in a [`GreenPool`] of that size. Eventlet's
/// default is 1000. A [`GreenPool`] in place of a number can be shared: with other servers and
/// other jobs, or to wait for the remaining handlers after the server was killed.
///
/// A failing handler affects no other: its error or panic is reported with the peer's address, and
/// the server goes on. A handler ends the server with [`StopServe`](super::StopServe).
///
/// Corresponds to `eventlet.serve`.
///
/// # Panics
///
/// If there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Yields
///
/// Until the server is stopped.
///
/// # Killed
///
/// The listener is closed. Handlers that run go on.
///
/// # Errors
///
/// The error that a `StopServe` carried, inside an [`io::Error`] unless it is one. Failing to
/// accept is not an error: a connection that was reset before it was accepted is skipped; after any
/// other failure, such as a lack of file descriptors, the server reports it once and retries after
/// a pause.
///
/// # Differences
///
/// An exception in a handler ends eventlet's server. At the limit, eventlet accepts one more
/// connection and lets it wait. When the server ends, eventlet leaves the listening socket open.
///
/// # Examples
///
/// ```
/// use eventlet::{StopServe, connect, listen, serve, spawn};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use tokio::net::TcpStream;
///
/// async fn shout(mut conn: TcpStream) -> std::io::Result<()> {
///     let mut line = String::new();
///     conn.read_to_string(&mut line).await?;
///     if line == "stop" {
///         return Err(StopServe::new().into());
///     }
///     conn.write_all(line.to_uppercase().as_bytes()).await
/// }
///
/// # eventlet::run(async {
/// let listener = listen("127.0.0.1:0").await.unwrap();
/// let addr = listener.local_addr().unwrap();
/// let server = spawn(serve(listener, |conn, _addr| shout(conn), 1000));
///
/// for (request, answer) in [("hello", "HELLO"), ("stop", "")] {
///     let mut conn = connect(addr).await.unwrap();
///     conn.write_all(request.as_bytes()).await.unwrap();
///     conn.shutdown().await.unwrap();
///     let mut line = String::new();
///     conn.read_to_string(&mut line).await.unwrap();
///     assert_eq!(line, answer);
/// }
/// assert!(server.await.unwrap().is_ok());
/// # });
/// ```
#[track_caller]
pub fn serve<L, H, F, R, P>(
    listener: L,
    handler: H,
    concurrency: P,
) -> impl Future<Output = io::Result<()>> + use<L, H, F, R, P>
where
    L: Listener<Addr: 'static>,
    H: FnMut(L::Io, L::Addr) -> F,
    F: Awaitable<R> + 'static,
    R: HandlerResult,
    P: Into<GreenPool>,
{
    serve_in(concurrency.into(), listener, handler, Location::caller())
}

/// Serves in a pool, on behalf of the line that asked for it.
async fn serve_in<L, H, F, R>(
    pool: GreenPool,
    listener: L,
    mut handler: H,
    served_at: &'static Location<'static>,
) -> io::Result<()>
where
    L: Listener<Addr: 'static>,
    H: FnMut(L::Io, L::Addr) -> F,
    F: Awaitable<R> + 'static,
    R: HandlerResult,
{
    let notice = Rc::new(Notice::default());
    let mut door = Door::new(listener);
    // The slot comes first: without one, a connection must not be accepted.
    while let Some((slot, accepted)) = notice
        .unless_stopped(async {
            let slot = pool.slot().await;
            (slot, door.next(|_| false, |what, error| report::trouble(what, error)).await)
        })
        .await
    {
        let (conn, addr) = accepted?;
        match catch_unwind(AssertUnwindSafe(|| handler(conn, addr.clone()).into_future())) {
            Ok(future) => {
                let handling = Handling::new(future, addr, Serving::begin(&notice));
                drop(pool.spawn_in(slot, handling, served_at))
            }
            Err(payload) => report_failure(&Exit::unwound(payload), &addr),
        }
    }
    drop(door);
    notice.result().await
}
